//! Events of 1.0 in every mode: what is read comes back from what is written, in its own mode and in the others.

use bytes::Bytes;

use weir_cloudevents::{DecodeError, Problem, binary, json, mode, time, v01};
use weir_domain::{AttributeValue, Data, Event, Limits};

use super::refusal::{ROOMY, accepted, check};
use crate::message;

/// White space of JSON, which may stand around data in a body and is no part of a member.
const BLANKS: [char; 4] = [' ', '\t', '\n', '\r'];

/// Structured mode. An event comes back as it was from its own form and from a batch, with all its attributes and bytes
/// from binary mode, and with its attributes from the form of 0.1.
pub fn structured(data: &[u8]) {
    let body = Bytes::copy_from_slice(data);
    let is_old = v01::is_structured(data);
    let Some(event) = accepted(json::decode(&body, &Limits::default())) else { return };
    assert!(!is_old, "one body is of both versions");
    check_event(&event);
    assert_eq!(json::decode(&written(&event), &ROOMY).as_ref(), Ok(&event));
    let batch = Bytes::from([&b"["[..], data, &b"]"[..]].concat());
    assert_eq!(json::decode_batch(&batch, &ROOMY).as_deref(), Ok(&[event.clone()][..]));
    check_carried(&event);
    check_old(&event);
}

/// Batched mode. The events come back in their order, from a batch and each by itself; a refusal names one of them.
pub fn batch(data: &[u8]) {
    let limits = Limits { batch_events_max: 64, ..Limits::default() };
    let read = json::decode_batch(&Bytes::copy_from_slice(data), &limits);
    if let Err(DecodeError::Invalid { index: Some(index), .. } | DecodeError::TooLarge { index: Some(index), .. }) =
        &read
    {
        assert!(*index <= limits.batch_events_max, "event {index} of a batch was looked at");
    }
    let Some(events) = accepted(read) else { return };
    assert!(events.len() <= limits.batch_events_max);
    let mut body = Vec::new();
    json::encode_batch(&events, &mut body);
    assert_eq!(json::decode_batch(&Bytes::from(body), &ROOMY).as_ref(), Ok(&events));
    for event in &events {
        check_event(event);
        assert_eq!(json::decode(&written(event), &ROOMY).as_ref(), Ok(event));
    }
}

/// Binary mode, from the detection of the mode on. An event comes back as it was from its own form, and from structured
/// mode with nothing changed but white space around JSON.
pub fn binary(data: &[u8]) {
    let (headers, body) = message::divided(data);
    // What the mode is does not keep the decoder from being asked.
    let _ = accepted(mode::detect(&headers));
    let Some(event) = accepted(binary::decode(&headers, body, &Limits::default())) else { return };
    check_event(&event);
    let (headers, body) = binary::encode(&event);
    assert_eq!(binary::decode(&headers, body, &ROOMY).as_ref(), Ok(&event));
    let again = json::decode(&written(&event), &ROOMY).expect("what is written can be read");
    assert_eq!(again.fixed_values(), event.fixed_values());
    assert!(again.extensions().eq(event.extensions()), "{again:?} {event:?}");
    match (again.data(), event.data()) {
        (Data::Json(again), Data::Json(given)) => assert_eq!(&**again, given.trim_matches(BLANKS)),
        (again, given) => assert_eq!(again, given),
    }
    check_old(&event);
}

/// Checks what is true of an event wherever it came from.
fn check_event(event: &Event) {
    assert_eq!(event.to_builder().build().as_ref(), Ok(event));
    for (name, value) in event.extensions() {
        assert_eq!(event.extension(name), Some(value), "{name}");
    }
    let bytes: usize = event.fixed_values().into_iter().flatten().map(str::len).sum();
    assert!(event.size() >= bytes + event.data().len());
    if let Some(Ok(instant)) = event.time().map(time::parse) {
        assert_eq!(time::parse(&time::format(instant)), Ok(instant));
    }
}

fn written(event: &Event) -> Bytes {
    let mut out = Vec::new();
    json::encode(event, &mut out);
    out.into()
}

/// Takes an event through binary mode, which has no types and must tell JSON from other bytes.
fn check_carried(event: &Event) {
    let (headers, body) = binary::encode(event);
    let again = match (binary::decode(&headers, body, &ROOMY), event.data()) {
        (Ok(again), _) => again,
        // Bytes beside the media type of JSON need not be JSON.
        (Err(error @ DecodeError::Invalid { problem: Problem::Data(_), .. }), Data::Binary(_)) => return check(&error),
        (Err(error), _) => panic!("{error}: {event:?}"),
    };
    for ((place, given), carried) in event.fixed_values().into_iter().enumerate().zip(again.fixed_values()) {
        let implied = given.is_none() && matches!(event.data(), Data::Json(_));
        let expected = given.or(Some("application/json").filter(|_| implied && place == 5));
        assert_eq!(carried, expected, "{event:?}");
    }
    assert_eq!(again.extensions().count(), event.extensions().count());
    for (name, value) in again.extensions() {
        assert!(matches!(value, AttributeValue::String(_)), "{name}: headers have no types");
        assert_eq!(again.extension_text(name), event.extension_text(name), "{name}");
    }
    assert_eq!(again.data().as_bytes(), event.data().as_bytes());
    assert_eq!(again.default_key_text(), event.default_key_text());
}

/// Takes an event through the form of 0.1, in which functions of old are given it.
fn check_old(event: &Event) {
    let mut out = Vec::new();
    v01::encode(event, &mut out);
    assert!(v01::is_structured(&out));
    let again = v01::decode_structured(&Bytes::from(out), &ROOMY).expect("what is written can be read");
    let kept = |event: &Event| {
        let [id, source, event_type, subject, time, _, schema] = event.fixed_values().map(|it| it.map(str::to_owned));
        [id, source, event_type, subject, time, schema]
    };
    assert_eq!(kept(&again), kept(event));
    assert_eq!(again.extensions().count(), event.extensions().count());
    for (name, _) in event.extensions() {
        assert_eq!(again.extension_text(name), event.extension_text(name), "{name}");
    }
}
