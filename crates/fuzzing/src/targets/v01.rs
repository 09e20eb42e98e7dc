//! Events of 0.1: what is read comes back from what is written, as far as 0.1 can say it.

use bytes::Bytes;

use weir_cloudevents::{mode, v01};
use weir_domain::{Event, Limits};

use super::refusal::{ROOMY, accepted};
use crate::message;

/// Structured mode of 0.1. An event comes back as it was.
pub fn structured_v01(data: &[u8]) {
    let _ = v01::is_structured(data);
    let body = Bytes::copy_from_slice(data);
    let Some(event) = accepted(v01::decode_structured(&body, &Limits::default())) else { return };
    assert_eq!(event.to_builder().build().as_ref(), Ok(&event));
    assert_eq!(rewritten(&event), event);
}

/// Binary mode of 0.1. Attributes come back as they were; data does at the second time, for Base64 has no mark there.
pub fn binary_v01(data: &[u8]) {
    let (headers, body) = message::divided(data);
    let _ = accepted(mode::detect(&headers));
    let _ = v01::is_binary(&headers);
    let Some(event) = accepted(v01::decode_binary(&headers, body, &Limits::default())) else { return };
    assert_eq!(event.to_builder().build().as_ref(), Ok(&event));
    let again = rewritten(&event);
    assert_eq!(again.id(), event.id());
    assert_eq!(again.source(), event.source());
    assert_eq!(again.event_type(), event.event_type());
    assert_eq!(again.subject(), event.subject());
    assert_eq!(again.time(), event.time());
    assert_eq!(again.dataschema(), event.dataschema());
    assert!(again.extensions().eq(event.extensions()), "{again:?} {event:?}");
    assert_eq!(rewritten(&again), again);
}

fn rewritten(event: &Event) -> Event {
    let mut out = Vec::new();
    v01::encode(event, &mut out);
    assert!(v01::is_structured(&out), "{}", String::from_utf8_lossy(&out));
    v01::decode_structured(&Bytes::from(out), &ROOMY).expect("what is written can be read")
}
