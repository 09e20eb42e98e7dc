//! Writes events in the JSON format of 0.1, straight into a buffer.

use std::io::Write;

use base64::{Engine, engine::general_purpose::STANDARD};

use weir_domain::{AttributeValue, Data, Event};

use super::{
    CONTENT_TYPE, EVENT_GATEWAY, ID, LIFTED, NAMES, SCHEMA_URL, SOURCE, TIME, TYPE, TYPE_VERSION,
    data::{is_base64, is_text},
    extensions::is_compact,
};
use crate::{attributes::fits, media};

/// More than the names of all members with their marks, so that the buffer grows once.
const NAMES_BYTES: usize = 224;

/// The type that bytes have where none is declared; without it they would be taken for a JSON string.
const BYTES: &str = "application/octet-stream";
/// The type that text has where none is declared.
const TEXT: &str = "text/plain";

pub(super) fn event(event: &Event, out: &mut Vec<u8>) {
    out.reserve(event.size() + NAMES_BYTES);
    out.extend_from_slice(br#"{"cloudEventsVersion":"0.1""#);
    let content_type = event.datacontenttype().or(match event.data() {
        Data::None | Data::Json(_) => None,
        Data::Text(_) => Some(TEXT),
        Data::Binary(_) => Some(BYTES),
    });
    for (place, value) in [
        (TYPE, Some(event.event_type())),
        (TYPE_VERSION, lifted(event, TYPE_VERSION)),
        (SOURCE, Some(event.source())),
        (ID, Some(event.id())),
        (TIME, event.time()),
        (SCHEMA_URL, event.dataschema().or(lifted(event, SCHEMA_URL))),
        (CONTENT_TYPE, content_type),
    ] {
        if let Some(value) = value {
            out.push(b',');
            name(NAMES[place], out);
            string(value, out);
        }
    }
    extensions(event, out);
    data(event.data(), content_type, out);
    out.push(b'}');
}

/// Returns the extension attribute that 0.1 has an attribute for, where reading that attribute gives it back.
fn lifted(event: &Event, place: usize) -> Option<&str> {
    let (extension, _) = LIFTED.into_iter().find(|(_, each)| *each == place)?;
    let text = event.extension_str(extension).filter(|text| !text.is_empty())?;
    let is_read_back = place != SCHEMA_URL || (event.dataschema().is_none() && !fits(SCHEMA_URL, text));
    is_read_back.then_some(text)
}

/// Writes the member `extensions` where there are any.
fn extensions(event: &Event, out: &mut Vec<u8>) {
    let is_lifted = |name: &str| LIFTED.iter().any(|(each, place)| *each == name && lifted(event, *place).is_some());
    let subject = event.subject().map(|subject| ("subject", AttributeValue::String(subject)));
    let mut mark: &[u8] = br#","extensions":{"#;
    for (key, value) in subject.into_iter().chain(event.extensions()) {
        if is_lifted(key) {
            continue;
        }
        out.extend_from_slice(mark);
        mark = b",";
        name(key, out);
        match value {
            AttributeValue::String(text) if key == EVENT_GATEWAY && is_compact(text) => {
                out.extend_from_slice(text.as_bytes());
            }
            AttributeValue::String(text) => string(text, out),
            AttributeValue::Boolean(true) => out.extend_from_slice(b"true"),
            AttributeValue::Boolean(false) => out.extend_from_slice(b"false"),
            AttributeValue::Integer(number) => {
                // Writing to a Vec cannot fail.
                let _ = write!(out, "{number}");
            }
        }
    }
    if mark == b"," {
        out.push(b'}');
    }
}

/// Writes the data so that reading gives the same bytes again, as far as 0.1 can say it.
fn data(data: &Data, content_type: Option<&str>, out: &mut Vec<u8>) {
    // Beside these types a string is taken as it stands: as JSON beside the first, as text beside the second.
    let is_json = content_type.is_none_or(media::is_json);
    let is_text = content_type.is_some_and(is_text);
    let mark = br#","data":"#;
    match data {
        Data::None => {}
        // The empty text is no JSON value: left out, it does not break the document around it.
        Data::Json(json) if json.is_empty() => {}
        Data::Json(json) if is_json || !json.trim_start().starts_with('"') => {
            out.extend_from_slice(mark);
            out.extend_from_slice(json.as_bytes());
        }
        Data::Json(text) | Data::Text(text) => {
            out.extend_from_slice(mark);
            // Text that happens to be Base64 would be read as the bytes it stands for.
            if !is_json && !is_text && is_base64(text) {
                base64(text.as_bytes(), out);
            } else {
                string(text, out);
            }
        }
        Data::Binary(bytes) => {
            out.extend_from_slice(mark);
            base64(bytes, out);
        }
    }
}

fn base64(bytes: &[u8], out: &mut Vec<u8>) {
    out.push(b'"');
    let start = out.len();
    out.resize(start + bytes.len().div_ceil(3) * 4, 0);
    let written = STANDARD.encode_slice(bytes, &mut out[start..]).expect("the room is four bytes for each three");
    out.truncate(start + written);
    out.push(b'"');
}

fn name(name: &str, out: &mut Vec<u8>) {
    // Names are letters and digits: nothing in them needs an escape.
    out.push(b'"');
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b"\":");
}

fn string(text: &str, out: &mut Vec<u8>) {
    // Writing a text to a Vec cannot fail.
    let _ = serde_json::to_writer(out, text);
}
