//! Functions at AWS in a manifest. What kind of function it is follows from the key that names what is called.

use weir_catalog::{AwsService, FunctionKind, draft::AwsDraft};

use super::{not_here, version};
use crate::{document::Table, manifest::wording::in_manifest};

/// The keys that name what is called.
const TARGETS: [(&str, AwsService); 4] = [
    ("arn", AwsService::Lambda),
    ("stream_name", AwsService::Kinesis),
    ("delivery_stream_name", AwsService::Firehose),
    ("queue_url", AwsService::Sqs),
];

/// The keys that only such functions have beside it.
pub(super) const KEYS: [&str; 5] =
    ["region", "endpoint", "aws_access_key_id", "aws_secret_access_key", "aws_session_token"];

/// What is called, where a table names something at AWS.
pub(super) type Target = (&'static str, AwsService);

/// Finds what is called.
pub(super) fn target(table: &Table<'_>) -> Option<Target> {
    TARGETS.into_iter().find(|(key, _)| table.has(key))
}

/// Reads the function.
pub(super) fn read(table: &mut Table<'_>, target: Target, timeout_ms: Option<u32>) -> Option<FunctionKind> {
    let (key, service) = target;
    not_here(table, &["source", "instances", "calls_max", "memory_bytes_max", "config"], "a source");
    not_here(table, &["url", "headers"], "a url");
    not_here(table, &["builtin"], "nothing else to call");
    for (other, _) in TARGETS.into_iter().filter(|(other, _)| *other != key) {
        if table.has(other) {
            table.fault(format!("it has {key:?} and {other:?}: make two functions of it"));
            table.pass_over(other);
        }
    }
    let mut text = |key: &'static str| table.text(key).map(|text| text.value);
    let draft = AwsDraft {
        target: text(key),
        region: text("region"),
        access_key_id: text("aws_access_key_id"),
        secret_access_key: text("aws_secret_access_key"),
        session_token: text("aws_session_token"),
        endpoint: text("endpoint"),
        timeout_ms,
        ..AwsDraft::of(service)
    };
    let draft = AwsDraft { version: version(table), ..draft };
    match draft.check() {
        Ok(function) => Some(FunctionKind::Aws(function)),
        Err(detail) => {
            table.fault(in_manifest(detail.cure()));
            None
        }
    }
}
