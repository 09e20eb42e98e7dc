//! Tests of the codec as its callers see it.

mod broken;
mod conformance;
mod hostile;
mod round_trip;
mod spec;

use std::path::Path;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue};

use weir_cloudevents::{binary, json};
use weir_domain::{Event, Limits};

/// Reads one event, which must be valid.
fn decode(body: &str) -> Event {
    json::decode(&Bytes::copy_from_slice(body.as_bytes()), &Limits::default())
        .unwrap_or_else(|error| panic!("{error}: {body}"))
}

/// Writes one event.
fn encode(event: &Event) -> String {
    let mut out = Vec::new();
    json::encode(event, &mut out);
    String::from_utf8(out).expect("JSON is UTF-8")
}

/// Reads one event in binary mode, which must be valid.
fn decode_binary(header_list: &[(&str, &str)], body: &str) -> Event {
    binary::decode(&headers(header_list), Bytes::copy_from_slice(body.as_bytes()), &Limits::default())
        .unwrap_or_else(|error| panic!("{error}: {header_list:?} {body}"))
}

fn headers(list: &[(&str, &str)]) -> HeaderMap {
    let mut map = HeaderMap::new();
    for (name, value) in list {
        let name = HeaderName::from_bytes(name.as_bytes()).expect("a header name");
        map.append(name, HeaderValue::from_bytes(value.as_bytes()).expect("a header value"));
    }
    map
}

/// The headers of a message as text, sorted by name.
fn header_lines(map: &HeaderMap) -> Vec<String> {
    let mut lines: Vec<String> =
        map.iter().map(|(name, value)| format!("{name}: {}", String::from_utf8_lossy(value.as_bytes()))).collect();
    lines.sort();
    lines
}

/// The value of any attribute as text.
fn attribute(event: &Event, name: &str) -> Option<String> {
    use weir_domain::AttributeValue as Value;
    match name {
        "specversion" => Some("1.0".to_owned()),
        "id" => Some(event.id().to_owned()),
        "source" => Some(event.source().to_owned()),
        "type" => Some(event.event_type().to_owned()),
        "subject" => event.subject().map(str::to_owned),
        "time" => event.time().map(str::to_owned),
        "datacontenttype" => event.datacontenttype().map(str::to_owned),
        "dataschema" => event.dataschema().map(str::to_owned),
        _ => event.extension(name).map(|value| match value {
            Value::String(text) => text.to_owned(),
            Value::Integer(number) => number.to_string(),
            Value::Boolean(truth) => truth.to_string(),
        }),
    }
}

/// Reads a file of the folder beside the repository, where it is present.
fn shared(path: &str) -> Option<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared");
    std::fs::read_to_string(root.join(path)).ok()
}
