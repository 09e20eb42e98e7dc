//! What is asked of each service: path, headers and body of its operation.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use http::{HeaderMap, HeaderName, HeaderValue, header};
use percent_encoding::utf8_percent_encode;
use serde_json::json;

use crate::{Call, EventForm};

use super::{AwsService, sign::PATH_SEGMENT};

const OPERATION: HeaderName = HeaderName::from_static("x-amz-target");
const INVOCATION: HeaderName = HeaderName::from_static("x-amz-invocation-type");

/// How the name of every FIFO queue ends.
const FIFO: &str = ".fifo";
/// The longest partition key of Kinesis, in characters.
const PARTITION_KEY_MAX: usize = 256;
/// The longest message group of SQS, in characters.
const GROUP_MAX: usize = 128;

/// Returns the path, percent-encoded.
pub(super) fn path(service: AwsService, name: &str) -> String {
    match service {
        AwsService::Lambda => {
            format!("/2015-03-31/functions/{}/invocations", utf8_percent_encode(name, PATH_SEGMENT))
        }
        _ => "/".to_owned(),
    }
}

/// Returns the headers that name the operation and its protocol.
pub(super) fn headers(service: AwsService) -> HeaderMap {
    let (media_type, name, value) = match service {
        // Whoever calls waits, so that a failure of the function is one of the call.
        AwsService::Lambda => ("application/json", INVOCATION, "RequestResponse"),
        AwsService::Kinesis => ("application/x-amz-json-1.1", OPERATION, "Kinesis_20131202.PutRecord"),
        AwsService::Firehose => ("application/x-amz-json-1.1", OPERATION, "Firehose_20150804.PutRecord"),
        AwsService::Sqs => ("application/x-amz-json-1.0", OPERATION, "AmazonSQS.SendMessage"),
    };
    let mut headers = HeaderMap::with_capacity(8);
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(media_type));
    headers.insert(name, HeaderValue::from_static(value));
    headers
}

/// Returns the body: the event itself for Lambda, else the operation with the event in it.
pub(super) fn body(service: AwsService, name: &str, call: &Call, form: EventForm) -> Vec<u8> {
    let event = form.encode(&call.event);
    let value = match service {
        AwsService::Lambda => return event,
        AwsService::Kinesis => json!({
            "StreamName": name,
            "PartitionKey": key(call, |key| key.chars().count() <= PARTITION_KEY_MAX),
            "Data": STANDARD.encode(event),
        }),
        AwsService::Firehose => json!({ "DeliveryStreamName": name, "Record": { "Data": STANDARD.encode(event) } }),
        AwsService::Sqs => {
            let text = String::from_utf8_lossy(&event);
            if name.ends_with(FIFO) {
                let fits = |key: &str| key.len() <= GROUP_MAX && key.bytes().all(|byte| byte.is_ascii_graphic());
                json!({
                    "QueueUrl": name,
                    "MessageBody": text,
                    "MessageGroupId": key(call, fits),
                    "MessageDeduplicationId": identity(call),
                })
            } else {
                json!({ "QueueUrl": name, "MessageBody": text })
            }
        }
    };
    value.to_string().into_bytes()
}

/// Returns what keeps the order of events of one key, within the rule of the service.
fn key(call: &Call, fits: impl FnOnce(&str) -> bool) -> String {
    match call.key.as_ref().map(|key| key.as_str()) {
        Some(key) if fits(key) => key.to_owned(),
        // Equal keys stay equal, and others apart.
        Some(key) => blake3::hash(key.as_bytes()).to_hex().to_string(),
        None => identity(call),
    }
}

/// Returns what is equal for every attempt with the same event, and for no other event.
fn identity(call: &Call) -> String {
    let mut hasher = blake3::Hasher::new();
    hasher.update(call.event.source().as_bytes()).update(&[0]).update(call.event.id().as_bytes());
    hasher.finalize().to_hex().to_string()
}
