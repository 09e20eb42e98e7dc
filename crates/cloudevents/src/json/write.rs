//! Writes events in the JSON event format, straight into a buffer.

use std::io::Write;

use base64::{Engine, engine::general_purpose::STANDARD};

use weir_domain::{AttributeValue, Data, Event};

use crate::{attributes, media, version};

/// More than the names of all core attributes with their marks, so that the buffer grows once.
const NAMES_BYTES: usize = 192;

pub(super) fn event(event: &Event, extra: &[(&str, AttributeValue<'_>)], out: &mut Vec<u8>) {
    let replaced = |name: &str| extra.iter().any(|(each, _)| *each == name);
    out.reserve(event.size() + NAMES_BYTES);
    out.extend_from_slice(br#"{"specversion":""#);
    out.extend_from_slice(version::V1.as_bytes());
    out.push(b'"');
    for (name, value) in attributes::FIXED.into_iter().zip(event.fixed_values()) {
        if let Some(value) = value
            && !replaced(name)
        {
            attribute(name, AttributeValue::String(value), out);
        }
    }
    for (name, value) in event.extensions() {
        if !replaced(name) {
            attribute(name, value, out);
        }
    }
    for (name, value) in extra {
        attribute(name, *value, out);
    }
    data(event, out);
    out.push(b'}');
}

fn attribute(name: &str, value: AttributeValue<'_>, out: &mut Vec<u8>) {
    // Names are lower-case letters and digits: nothing in them needs an escape.
    out.extend_from_slice(b",\"");
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b"\":");
    match value {
        AttributeValue::String(text) => string(text, out),
        AttributeValue::Boolean(true) => out.extend_from_slice(b"true"),
        AttributeValue::Boolean(false) => out.extend_from_slice(b"false"),
        AttributeValue::Integer(number) => {
            // Writing to a Vec cannot fail.
            let _ = write!(out, "{number}");
        }
    }
}

/// Writes the data so that reading gives the same bytes again.
fn data(event: &Event, out: &mut Vec<u8>) {
    let content_type = event.datacontenttype();
    let is_json = content_type.is_none_or(media::is_json);
    match event.data() {
        Data::None => {}
        // The empty text is no JSON value: left out, it does not break the document around it.
        Data::Json(json) if json.is_empty() => {}
        // Where another type is declared, a JSON string would be read as text and lose its quotes.
        Data::Json(json) if is_json || !json.trim_start().starts_with('"') => {
            out.extend_from_slice(br#","data":"#);
            out.extend_from_slice(json.as_bytes());
        }
        Data::Json(text) | Data::Text(text) if !is_json && content_type.is_some_and(media::is_utf8) => {
            out.extend_from_slice(br#","data":"#);
            string(text, out);
        }
        // Text beside a type that makes readers expect JSON or another charset: only its bytes are unmistakable.
        Data::Json(text) | Data::Text(text) => base64(text.as_bytes(), out),
        Data::Binary(bytes) => base64(bytes, out),
    }
}

fn base64(bytes: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(br#","data_base64":""#);
    let start = out.len();
    out.resize(start + bytes.len().div_ceil(3) * 4, 0);
    let written = STANDARD.encode_slice(bytes, &mut out[start..]).expect("the room is four bytes for each three");
    out.truncate(start + written);
    out.push(b'"');
}

/// Writes a JSON string. Only what RFC 8259 demands is escaped: the quote, the backslash and control characters.
fn string(text: &str, out: &mut Vec<u8>) {
    let bytes = text.as_bytes();
    out.push(b'"');
    // One pass without branches settles the usual case.
    if bytes.iter().fold(false, |any, byte| any | needs_escape(*byte)) {
        escaped(bytes, out);
    } else {
        out.extend_from_slice(bytes);
    }
    out.push(b'"');
}

fn needs_escape(byte: u8) -> bool {
    (byte < 0x20) | (byte == b'"') | (byte == b'\\')
}

fn escaped(bytes: &[u8], out: &mut Vec<u8>) {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    let mut written = 0;
    for (at, byte) in bytes.iter().copied().enumerate() {
        if !needs_escape(byte) {
            continue;
        }
        out.extend_from_slice(&bytes[written..at]);
        written = at + 1;
        match byte {
            b'"' | b'\\' => out.extend_from_slice(&[b'\\', byte]),
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\r' => out.extend_from_slice(b"\\r"),
            b'\t' => out.extend_from_slice(b"\\t"),
            _ => {
                out.extend_from_slice(b"\\u00");
                out.extend_from_slice(&[HEX[usize::from(byte >> 4)], HEX[usize::from(byte & 0xf)]]);
            }
        }
    }
    out.extend_from_slice(&bytes[written..]);
}
