//! What is told of the members of a provider, for each kind of function.

use serde_json::{Value, json};
use weir_catalog::{
    AwsCredentials, AwsFunction, AwsService, Builtin, CloudEventsVersion, FunctionKind, Instances, limits,
};

use crate::openapi::{self, Member};

/// Only sent, and only shown: a component itself, and its size and digest.
const COMPONENT: &str = "component";
const COMPONENT_BYTES: &str = "componentBytes";
const COMPONENT_DIGEST: &str = "componentDigest";

/// Of `http`.
pub(super) const HTTP: &[Member] = &[
    Member::new("url", || {
        let about = "Where to: an absolute URL that begins with `http://` or `https://`, in ASCII.";
        openapi::text(about, limits::URL_BYTES_MAX)
    }),
    Member::new("timeoutMs", || timeout(FunctionKind::TIMEOUT_MS)),
    Member::new("headers", || openapi::texts("Headers that go with every call. Their values are shown as `*****`.")),
    VERSION,
];

/// Of `wasm`.
pub(super) const WASM: &[Member] = &[
    Member::new("javascript", || {
        let about = "The source of one JavaScript file, which Weir makes into a component. It excludes `component`.";
        openapi::text(about, limits::CODE_BYTES_MAX)
    }),
    Member::new(COMPONENT, || {
        let about = "A WebAssembly component in base64 (RFC 4648, section 4). It excludes `javascript`.";
        json!({ "type": "string", "description": about, "contentEncoding": "base64" })
    }),
    Member::new(COMPONENT_BYTES, || {
        openapi::number("The size of the component, which itself is not shown.", 0, limits::CODE_BYTES_MAX as u64)
    }),
    Member::new(COMPONENT_DIGEST, || {
        let about = "The SHA-256 of the component, which itself is not shown: `sha256:` and 64 hexadecimal digits.";
        json!({ "type": "string", "description": about, "pattern": "^sha256:[0-9a-f]{64}$" })
    }),
    Member::new("instances", || {
        let about =
            "Whether an instance is used for several calls, which is the default, or each call has a fresh one.";
        openapi::word(about, ["reuse", "fresh"])
    }),
    Member::new("callsMax", || {
        let about = format!(
            "After how many calls a new instance is made; {} where nothing is said. Not where each call has a fresh one.",
            Instances::CALLS_MAX
        );
        openapi::number(&about, 1, u32::MAX.into())
    }),
    Member::new("timeoutMs", || timeout(FunctionKind::TIMEOUT_MS)),
    Member::new("memoryBytesMax", || {
        let about =
            format!("The most memory of one instance; {} where nothing is said.", FunctionKind::MEMORY_BYTES_MAX);
        openapi::number(&about, limits::MEMORY_BYTES_MIN, limits::MEMORY_BYTES_MAX)
    }),
    Member::new("config", || {
        openapi::texts("What the function reads as its configuration. Values are shown as `*****`.")
    }),
];

/// Of `builtin`.
pub(super) const BUILTIN: &[Member] = &[Member::new("name", || {
    let about = "Which function that is part of Weir: `count` takes every event, counts it and returns nothing.";
    openapi::word(about, Builtin::NAMES.iter().copied())
})];

/// Of all services of AWS; each has one of the first four.
pub(super) const AWS: &[Member] = &[
    Member::new(AwsService::Lambda.target_member(), || {
        openapi::text("The Lambda function: its ARN or its name.", 2048)
    }),
    Member::new(AwsService::Kinesis.target_member(), || openapi::text("The name of the Kinesis data stream.", 2048)),
    Member::new(AwsService::Firehose.target_member(), || {
        openapi::text("The name of the Firehose delivery stream.", 2048)
    }),
    Member::new(AwsService::Sqs.target_member(), || openapi::text("The URL of the SQS queue.", 2048)),
    Member::new("region", || openapi::text("The region, such as `eu-central-1`.", 63)),
    Member::new(AwsCredentials::ACCESS_KEY_ID, || {
        secret("The access key id. Without credentials the function is called in the name of the server.")
    }),
    Member::new(AwsCredentials::SECRET_ACCESS_KEY, || secret("The secret access key, which belongs to the id.")),
    Member::new(AwsCredentials::SESSION_TOKEN, || secret("The session token of temporary credentials.")),
    Member::new("endpoint", || {
        let about = "Another address than that of the region, such as `http://127.0.0.1:4566`.";
        openapi::text(about, limits::URL_BYTES_MAX)
    }),
    Member::new("timeoutMs", || timeout(AwsFunction::TIMEOUT_MS)),
    VERSION,
];

const VERSION: Member = Member::new("cloudEventsVersion", || {
    let about =
        "The version of CloudEvents in which the function is given events; that of the server where nothing is said.";
    openapi::word(about, CloudEventsVersion::NAMES)
});

fn timeout(usual: u32) -> Value {
    let about = format!("How many milliseconds one call may take; {usual} where nothing is said.");
    openapi::number(&about, 1, limits::TIMEOUT_MS_MAX.into())
}

fn secret(about: &str) -> Value {
    let about = format!("{about} It is shown as `*****`.");
    openapi::text(&about, 16 * 1024)
}

/// Returns the names of all kinds of functions.
pub(in crate::configuration::functions) fn kinds() -> impl Iterator<Item = &'static str> {
    ["http", "wasm", "builtin"].into_iter().chain(AwsService::ALL.map(AwsService::name))
}

/// Returns the members of each kind.
#[cfg(test)]
pub(in crate::configuration::functions) fn tables() -> Vec<(&'static str, Vec<&'static Member>)> {
    let of = |kind: &'static str| match AwsService::parse(kind) {
        Some(service) => (kind, of_aws(service).collect()),
        None if kind == "http" => (kind, HTTP.iter().collect()),
        None if kind == "builtin" => (kind, BUILTIN.iter().collect()),
        None => (kind, WASM.iter().collect()),
    };
    kinds().map(of).collect()
}

/// Tells which provider each kind has, as it is sent or as it is shown.
pub(in crate::configuration::functions) fn choices(is_input: bool) -> Value {
    let choice = |kind: &str| json!({ "properties": { "type": { "const": kind }, "provider": openapi::reference(schema_name(kind, is_input)) } });
    kinds().map(choice).collect()
}

/// Tells what the providers are.
pub(in crate::configuration::functions) fn schemas() -> Vec<(String, Value)> {
    let without = |names: &'static [&'static str]| WASM.iter().filter(move |member| !names.contains(&member.name));
    let shown = without(&[COMPONENT_BYTES, COMPONENT_DIGEST]);
    let mut input = openapi::object("A component that runs in the server.", shown, &[]);
    input["oneOf"] = json!([{ "required": ["javascript"] }, { "required": ["component"] }]);
    let about = "A component that runs in the server, as it is shown.";
    let always = ["instances", "timeoutMs", "memoryBytesMax"];
    let named = |kind: &str, is_input: bool| schema_name(kind, is_input).to_owned();
    let mut all = vec![
        (named("http", true), openapi::object("A URL that is sent events.", HTTP, &["url"])),
        (named("wasm", true), input),
        (named("wasm", false), openapi::object(about, without(&[COMPONENT]), &always)),
        (named("builtin", true), openapi::object("A function that is part of Weir.", BUILTIN, &["name"])),
    ];
    for service in AwsService::ALL {
        let about = "A resource of AWS to which events are given.";
        let schema = openapi::object(about, of_aws(service), &[service.target_member(), "region"]);
        all.push((named(service.name(), true), schema));
    }
    all
}

fn of_aws(service: AwsService) -> impl Iterator<Item = &'static Member> {
    let of_others = move |member: &&Member| {
        let mut others = AwsService::ALL.into_iter().filter(move |other| *other != service);
        others.any(|other| other.target_member() == member.name)
    };
    AWS.iter().filter(move |member| !of_others(member))
}

fn schema_name(kind: &str, is_input: bool) -> &'static str {
    match AwsService::parse(kind) {
        Some(AwsService::Lambda) => "AwsLambdaProvider",
        Some(AwsService::Kinesis) => "AwsKinesisProvider",
        Some(AwsService::Firehose) => "AwsFirehoseProvider",
        Some(AwsService::Sqs) => "AwsSqsProvider",
        None if kind == "http" => "HttpProvider",
        None if kind == "builtin" => "BuiltinProvider",
        None if is_input => "WasmProviderInput",
        None => "WasmProvider",
    }
}
