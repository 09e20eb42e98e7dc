//! Events of 0.1, read and written.

mod hostile;
mod reading;
mod writing;

use http::HeaderName;
use proptest::prelude::*;

use weir_domain::{AttributeValue, EventBuilder};

use super::*;

const GOOD: &str = r#"{"cloudEventsVersion":"0.1","eventType":"t","source":"/s","eventID":"1"}"#;
const GOOD_HEADERS: [(&str, &str); 4] =
    [("CE-EventType", "t"), ("CE-CloudEventsVersion", "0.1"), ("CE-Source", "/s"), ("CE-EventID", "1")];
const FULL: &str = r#"{"cloudEventsVersion":"0.1","eventType":"t\u00e9","eventTypeVersion":"2","source":"/s","eventID":"1",
"eventTime":"2026-01-31T12:00:00Z","schemaURL":"schema.json","contentType":"application/octet-stream","other":[{}],
"extensions":{"subject":"käse","myExt":"d\"","n":-7,"b":true,"no":null,"f":1.5,
"eventgateway":{"a" : ["x\u007f", {}]}},
"data":"AAEC/w=="}"#;
const MEGABYTE: usize = 1 << 20;

fn told(error: DecodeError) -> String {
    format!("{} {error}", error.status().as_u16())
}

fn structured(body: impl Into<Bytes>) -> Result<Event, String> {
    decode_structured(&body.into(), &Limits::default()).map_err(told)
}

fn headers(list: &[(&str, &str)]) -> HeaderMap {
    let mut map = HeaderMap::new();
    for (name, value) in list {
        let name = HeaderName::from_bytes(name.as_bytes()).expect("a header name");
        map.append(name, HeaderValue::from_bytes(value.as_bytes()).expect("a header value"));
    }
    map
}

fn binary(list: &[(&str, &str)], body: impl Into<Bytes>) -> Result<Event, String> {
    decode_binary(&headers(list), body.into(), &Limits::default()).map_err(told)
}

/// Reads an event with further headers.
fn binary_with(list: &[(&str, &str)], body: impl Into<Bytes>) -> Result<Event, String> {
    binary(&[&GOOD_HEADERS[..], list].concat(), body)
}

fn with(members: &str) -> String {
    format!("{},{members}}}", &GOOD[..GOOD.len() - 1])
}

fn written(event: &Event) -> String {
    let mut out = Vec::new();
    encode(event, &mut out);
    String::from_utf8(out).expect("JSON is UTF-8")
}

fn good() -> EventBuilder {
    Event::builder("1", "/s", "t")
}

fn built(builder: EventBuilder) -> Result<Event, String> {
    Ok(builder.build().expect("valid"))
}

fn text(value: &str) -> AttributeValue<'_> {
    AttributeValue::String(value)
}

fn nested(levels: usize) -> String {
    format!("{}{}", "[".repeat(levels), "]".repeat(levels))
}
