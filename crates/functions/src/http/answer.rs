//! What the answer of a URL means: CloudEvents in it are events; otherwise it is the HTTP answer for a caller who waits,
//! and nothing for one who does not.
//!
//! | body of an answer with success | for a caller who waits | from the log |
//! |---|---|---|
//! | CloudEvents: structured, batch or binary | events | events |
//! | the object of the Event Gateway, `{"statusCode":…,"headers":…,"body":…}` | the answer in it | no events |
//! | `null` in JSON | 200, empty | no events |
//! | anything else, or nothing | the answer as it is | no events |
//!
//! Where it is wanted so, callers who wait get no answers but the object of the Event Gateway and `null`, as there: whatever
//! the headers say, everything else is malformed.
//!
//! Where a value is asked for, the body is that value, whatever the headers say.
//!
//! Headers that are careless make no answer a failure: it is one where it says it carries CloudEvents and does not.

use bytes::Bytes;
use http::{HeaderMap, header, response::Parts};

use weir_cloudevents::{DecodeError, Mode, binary, json, mode};
use weir_domain::{Event, Limits};

use crate::{
    Call, CallError, CallMode, Draft, HttpAnswer, Outcome,
    answer::{self, BODY, BodyRule, HEADERS, STATUS_CODE},
    error::excerpt_of,
    media,
    members::Members,
};

/// How every media type of CloudEvents begins.
const DECLARED: &str = "application/cloudevents";
/// Headers of the required attributes, which together make an answer an event in binary mode.
const REQUIRED: [&str; 4] = ["ce-specversion", "ce-id", "ce-source", "ce-type"];

/// Tells whether an HTTP caller waits for the answer.
fn is_awaited(call: &Call) -> bool {
    call.mode == CallMode::Sync
}

/// Reads an answer whose status is no failure. With `only_objects` callers who wait are answered with objects alone.
pub(crate) fn read(
    call: &Call,
    head: &Parts,
    body: Bytes,
    limits: &Limits,
    only_objects: bool,
) -> Result<Outcome, CallError> {
    if call.mode == CallMode::Value {
        return Outcome::value(body);
    }
    match events(head, body.clone(), limits)? {
        Some(events) => Ok(Outcome::Events(events.iter().map(Draft::from).collect())),
        None if is_awaited(call) && only_objects => object(&body).map(Outcome::Answer),
        None if is_awaited(call) => answered(head, body).map(Outcome::Answer),
        None => Ok(Outcome::Events(Vec::new())),
    }
}

/// Reads the events of an answer; `None` where it carries no CloudEvents.
pub(super) fn events(head: &Parts, body: Bytes, limits: &Limits) -> Result<Option<Vec<Event>>, CallError> {
    let decoded = match detect(&head.headers) {
        Ok(Mode::Structured) => json::decode(&body, limits).map(|event| Some(vec![event])),
        Ok(Mode::Batch) => json::decode_batch(&body, limits).map(Some),
        Ok(Mode::Binary) => binary::decode(&head.headers, body, limits).map(|event| Some(vec![event])),
        Ok(Mode::NotCloudEvent) => Ok(None),
        Err(error) => Err(error),
    };
    decoded.map_err(|error| CallError::malformed(format!("its answer is no valid CloudEvent: {error}")))
}

/// Tells how an answer carries CloudEvents.
///
/// The codec takes one telling header for an event, and refuses a media type that is none: right for a sender of events,
/// wrong for an address that says it is done and is careless about headers. Only what is plainly meant as CloudEvents
/// can be wrong as such.
fn detect(headers: &HeaderMap) -> Result<Mode, DecodeError> {
    let is_declared = headers.get_all(header::CONTENT_TYPE).iter().any(|value| {
        let beginning = value.as_bytes().trim_ascii_start().get(..DECLARED.len());
        beginning.is_some_and(|beginning| beginning.eq_ignore_ascii_case(DECLARED.as_bytes()))
    });
    if is_declared || REQUIRED.iter().all(|name| headers.contains_key(*name)) {
        mode::detect(headers)
    } else {
        Ok(Mode::NotCloudEvent)
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

/// Reads an answer as the Event Gateway did: whatever it says it is, it must be an object, of which further members are
/// passed over.
fn object(body: &[u8]) -> Result<HttpAnswer, CallError> {
    let text = str::from_utf8(body).unwrap_or_default().trim();
    if text == "null" {
        return Ok(HttpAnswer::empty());
    }
    let members: Members<'_> = serde_json::from_str(text).map_err(|_| {
        let given = excerpt_of(body);
        CallError::malformed(format!(
            "its answer must be an object such as {{\"statusCode\":200,\"body\":\"\"}}: {given:?}"
        ))
    })?;
    let answer = HttpAnswer::from_members(&members, None, BodyRule::Text);
    answer.map_err(|problem| CallError::malformed(format!("in its answer, {problem}")))
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
    use http::{HeaderName, HeaderValue};

    use super::*;

    #[test]
    fn only_what_is_meant_as_cloudevents_can_be_wrong_as_such() {
        let check = |given: &[(&'static str, &'static str)], mode: Option<Mode>| {
            let mut headers = HeaderMap::new();
            for &(name, value) in given {
                headers.append(HeaderName::from_static(name), HeaderValue::from_static(value));
            }
            assert_eq!(detect(&headers).ok(), mode, "{given:?}");
        };
        let media_type = |value| ("content-type", value);
        let attributes = [("ce-specversion", "1.0"), ("ce-id", "1"), ("ce-source", "/s"), ("ce-type", "t")];
        check(&[], Some(Mode::NotCloudEvent));
        check(&[media_type("json")], Some(Mode::NotCloudEvent));
        check(&[media_type("text/plain"), media_type("text/plain")], Some(Mode::NotCloudEvent));
        check(&[media_type("json"), attributes[3]], Some(Mode::NotCloudEvent));
        check(&attributes[..3], Some(Mode::NotCloudEvent));
        check(&attributes, Some(Mode::Binary));
        check(&[media_type("Application/CloudEvents+JSON")], Some(Mode::Structured));
        check(&[media_type("application/cloudevents-batch+json")], Some(Mode::Batch));
        check(&[media_type("application/cloudevents+avro")], None);
        check(&[media_type("text/plain"), media_type("application/cloudevents+json")], None);
        let [version, id, source, event_type] = attributes;
        check(&[media_type("json"), version, id, source, event_type], None);
    }

    #[test]
    fn where_only_objects_are_answers_everything_else_is_malformed() {
        let check = |body: &str, expected: Option<(u16, &str)>| {
            let read = object(body.as_bytes()).ok();
            let read = read.as_ref().map(|it| (it.status, str::from_utf8(&it.body).expect("UTF-8")));
            assert_eq!(read, expected, "{body}");
        };
        check("{}", Some((200, "")));
        check(" null\n", Some((200, "")));
        check(r#"{"body":"x"}"#, Some((200, "x")));
        check(r#"{"statusCode":404,"body":"no such order","more":1}"#, Some((404, "no such order")));
        check(r#"{"id":1}"#, Some((200, "")));
        for malformed in [
            "",
            "[]",
            "[{}]",
            "7",
            "\"text\"",
            "<p>",
            "{broken",
            r#"{"body":5}"#,
            r#"{"statusCode":"200"}"#,
            r#"{"headers":{"a":1}}"#,
        ] {
            check(malformed, None);
        }
    }

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
