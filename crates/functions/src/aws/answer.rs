//! What the answers of AWS mean.
//!
//! An answer of success to a record or a message says that it is kept, and nothing else. The result of a Lambda function is
//! JSON, and is taken for what it is:
//!
//! | result | for a caller who waits | from the log |
//! |---|---|---|
//! | an object with `specversion`, or a list of such: CloudEvents 1.0 | events | events |
//! | another object: `{"statusCode":…,"headers":…,"body":…}` | the answer in it | no events |
//! | `null` | 200, empty | no events |
//! | anything else | malformed | no events |
//!
//! Where a value is asked for, it is the result, whatever that is.
//!
//! Errors of the services carry a code, which says more than the status: throttling comes as 400 too.

use bytes::Bytes;
use http::{HeaderMap, response::Parts};

use weir_cloudevents::{DecodeError, json};
use weir_domain::{Event, Limits};

use crate::{
    Call, CallError, CallMode, Draft, HttpAnswer, Outcome,
    answer::BodyRule,
    error::excerpt_of,
    members::{self, Members},
};

use super::AwsService;

/// Tells that a Lambda function has thrown; its value says no more.
const FUNCTION_ERROR: &str = "x-amz-function-error";
/// The code of an error, where it is no member of the body.
const ERROR_TYPE: &str = "x-amzn-errortype";
/// The member that every CloudEvent of 1.0 has, and nothing else is likely to.
const SPECVERSION: &str = "specversion";

/// Codes that mean: too much at once, come again. The list is that of AWS's own clients.
const THROTTLING: [&str; 14] = [
    "BandwidthLimitExceeded",
    "EC2ThrottledException",
    "LimitExceededException",
    "PriorRequestNotComplete",
    "ProvisionedThroughputExceededException",
    "RequestLimitExceeded",
    "RequestThrottled",
    "RequestThrottledException",
    "SlowDown",
    "ThrottledException",
    "Throttling",
    "ThrottlingException",
    "TooManyRequestsException",
    "TransactionInProgressException",
];

/// Codes that are about who calls, or when: nothing is wrong with the event, and who runs the server can mend it.
const ACCESS: [&str; 10] = [
    "AccessDenied",
    "AccessDeniedException",
    "ExpiredToken",
    "ExpiredTokenException",
    "IncompleteSignature",
    "InvalidClientTokenId",
    "InvalidSignatureException",
    "RequestExpired",
    "SignatureDoesNotMatch",
    "UnrecognizedClientException",
];

/// Reads an answer.
pub(super) fn read(
    service: AwsService,
    call: &Call,
    head: &Parts,
    body: Bytes,
    limits: &Limits,
) -> Result<Outcome, CallError> {
    if !head.status.is_success() {
        return Err(refusal(service, head, &body));
    }
    match service {
        AwsService::Lambda if head.headers.contains_key(FUNCTION_ERROR) => {
            let message = text_of(&body, &["errorMessage", "errorType"]).unwrap_or_else(|| excerpt_of(&body));
            Err(CallError::Rejected { message })
        }
        AwsService::Lambda if call.mode == CallMode::Value => Outcome::value(body),
        AwsService::Lambda => result(call, &body, limits),
        AwsService::Kinesis | AwsService::Firehose | AwsService::Sqs => Ok(Outcome::Events(Vec::new())),
    }
}

/// Reads the result of a Lambda function.
fn result(call: &Call, body: &Bytes, limits: &Limits) -> Result<Outcome, CallError> {
    let malformed = |error: DecodeError| CallError::malformed(format!("its result is no valid CloudEvent: {error}"));
    let events = |events: &[Event]| Outcome::Events(events.iter().map(Draft::from).collect());
    let text = str::from_utf8(body).unwrap_or_default().trim();
    let members: Option<Members<'_>> = serde_json::from_str(text).ok();
    if members.as_ref().is_some_and(|members| members.get(SPECVERSION).is_some()) {
        return json::decode(body, limits).map(|event| events(&[event])).map_err(malformed);
    }
    let list: Vec<Members<'_>> =
        if text.starts_with('[') { serde_json::from_str(text).unwrap_or_default() } else { Vec::new() };
    if !list.is_empty() && list.iter().all(|each| each.get(SPECVERSION).is_some()) {
        return json::decode_batch(body, limits).map(|list| events(&list)).map_err(malformed);
    }
    if call.mode != CallMode::Sync {
        return Ok(Outcome::Events(Vec::new()));
    }
    let answer = match members {
        Some(members) => HttpAnswer::from_members(&members, None, BodyRule::Text)
            .map_err(|problem| CallError::malformed(format!("in its result, {problem}")))?,
        None if text == "null" => HttpAnswer::empty(),
        None => {
            let given = excerpt_of(body);
            let problem =
                format!("its result must be an object such as {{\"statusCode\":200,\"body\":\"\"}}: {given:?}");
            return Err(CallError::malformed(problem));
        }
    };
    Ok(Outcome::Answer(answer))
}

/// Reads an error of a service.
fn refusal(service: AwsService, head: &Parts, body: &Bytes) -> CallError {
    let code = header(&head.headers, ERROR_TYPE).or_else(|| text_of(body, &["__type", "code", "Code"]));
    let code = code.unwrap_or_default();
    // As `com.amazonaws.sqs#QueueDoesNotExist` and as `ResourceNotFoundException:http://…`.
    let code = code.rsplit('#').next().unwrap_or_default().split(':').next().unwrap_or_default();
    let status = head.status.as_u16();
    let is_final = matches!(status, 400..=499)
        && !matches!(status, 408 | 425 | 429)
        && !THROTTLING.contains(&code)
        && !ACCESS.contains(&code)
        && !code.starts_with("RequestTimeout");
    CallError::Service {
        service: service.name(),
        status,
        code: code.chars().take(128).collect(),
        message: text_of(body, &["message", "Message"]).unwrap_or_else(|| excerpt_of(body)),
        is_final,
    }
}

fn header(headers: &HeaderMap, name: &str) -> Option<String> {
    headers.get(name)?.to_str().ok().map(str::to_owned)
}

/// Returns the first of these members of a JSON object that is text.
fn text_of(body: &[u8], names: &[&str]) -> Option<String> {
    let members: Members<'_> = serde_json::from_slice(body).ok()?;
    let text = names.iter().find_map(|name| members.get(name).and_then(members::text))?;
    Some(excerpt_of(text.as_bytes()))
}
