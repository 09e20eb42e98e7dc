//! What the answer of a URL means: CloudEvents in it are events; otherwise it is the HTTP answer for a caller who waits,
//! and nothing for one who does not.
//!
//! | body of an answer with success | for a caller who waits | from the log |
//! |---|---|---|
//! | CloudEvents: structured, batch or binary | events | events |
//! | the object of the Event Gateway, `{"statusCode":…,"headers":…,"body":…}` | the answer in it | no events |
//! | `null` in JSON | 200, empty | no events |
//! | anything else, or nothing | the answer as it is | no events |

use bytes::Bytes;
use http::{header, response::Parts};

use weir_cloudevents::{DecodeError, Mode, binary, json, mode};
use weir_domain::{Event, Limits};

use crate::{
    Call, CallError, CallMode, Draft, HttpAnswer, Outcome,
    answer::{self, BODY, BodyRule, HEADERS, STATUS_CODE},
    media,
    members::Members,
};

/// Tells whether somebody waits for the answer.
pub(crate) fn is_awaited(call: &Call) -> bool {
    call.mode == CallMode::Sync
}

/// Reads an answer whose status is no failure.
pub(crate) fn read(call: &Call, head: &Parts, body: Bytes, limits: &Limits) -> Result<Outcome, CallError> {
    let malformed = |error: DecodeError| CallError::malformed(format!("its answer is no valid CloudEvent: {error}"));
    let events = |events: &[Event]| Outcome::Events(events.iter().map(Draft::from).collect());
    match mode::detect(&head.headers).map_err(malformed)? {
        Mode::Structured => Ok(events(&[json::decode(&body, limits).map_err(malformed)?])),
        Mode::Batch => Ok(events(&json::decode_batch(&body, limits).map_err(malformed)?)),
        Mode::Binary => Ok(events(&[binary::decode(&head.headers, body, limits).map_err(malformed)?])),
        Mode::NotCloudEvent if is_awaited(call) => answered(head, body).map(Outcome::Answer),
        Mode::NotCloudEvent => Ok(Outcome::Events(Vec::new())),
    }
}

fn answered(head: &Parts, body: Bytes) -> Result<HttpAnswer, CallError> {
    let media_type = head.headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    if let Some(answer) = gateway_object(media_type, &body) {
        return answer.map_err(|problem| CallError::malformed(format!("in its answer, {problem}")));
    }
    let headers = head.headers.iter().filter(|(name, _)| !answer::is_framing(name.as_str()));
    let headers = headers.map(|(name, value)| {
        // Values are bytes in principle; what is not UTF-8 in them is replaced.
        (name.as_str().to_owned(), String::from_utf8_lossy(value.as_bytes()).into_owned())
    });
    Ok(HttpAnswer { status: head.status.as_u16(), headers: headers.collect(), body })
}

/// Reads the object of the Event Gateway, if it is one.
///
/// Declared as JSON, or as nothing, an object is one if it has a status code, or no member that such an object has not.
/// Declared as something else, which the Event Gateway did not mind, it needs both.
fn gateway_object(media_type: Option<&str>, body: &[u8]) -> Option<Result<HttpAnswer, String>> {
    let is_declared = media_type.is_none_or(media::is_json);
    let text = str::from_utf8(body).ok()?.trim();
    if is_declared && text == "null" {
        return Some(Ok(HttpAnswer::empty()));
    }
    if !text.starts_with('{') {
        return None;
    }
    let members: Members<'_> = serde_json::from_str(text).ok()?;
    let has_code = members.iter().any(|(name, _)| name == STATUS_CODE);
    let is_known = members.iter().all(|(name, _)| [STATUS_CODE, HEADERS, BODY].contains(&name));
    let is_object = if is_declared { has_code || is_known } else { has_code && is_known };
    is_object.then(|| HttpAnswer::from_members(&members, None, BodyRule::Text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_object_of_the_event_gateway_is_told_from_other_json() {
        let check = |media_type: Option<&str>, body: &str, status: Option<u16>| {
            let read = gateway_object(media_type, body.as_bytes());
            assert_eq!(read.map(|answer| answer.expect("valid").status), status, "{media_type:?} {body}");
        };
        let json = Some("application/json; charset=utf-8");
        let text = Some("text/plain; charset=utf-8");
        for declared in [json, Some("application/vnd.api+json"), None] {
            check(declared, "{}", Some(200));
            check(declared, " null\n", Some(200));
            check(declared, r#"{"body":"x"}"#, Some(200));
            check(declared, r#"{"statusCode":404,"more":1}"#, Some(404));
            check(declared, r#"{"id":1}"#, None);
            check(declared, "[]", None);
            check(declared, "", None);
            check(declared, "{broken", None);
        }
        check(text, r#"{"statusCode":201,"headers":{},"body":"x"}"#, Some(201));
        check(text, r#"{"statusCode":201,"more":1}"#, None);
        check(text, "{}", None);
        check(text, "null", None);
    }
}
