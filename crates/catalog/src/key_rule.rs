//! What events of a type are ordered by: a context attribute, or a value in their JSON data.

use std::fmt;

use serde_json::value::RawValue;
use weir_domain::{AttributeValue, Data, ErrorKind, Event, Key};

use crate::{JsonPointer, PointerError};

/// Where the key of an event is found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum KeyRule {
    /// The attribute `partitionkey`, else `subject`, else the event stands alone.
    #[default]
    Default,
    /// A context attribute, which every event of the type must have.
    Attribute(String),
    /// A value in the JSON data, which every event of the type must have.
    Pointer(JsonPointer),
}

/// Why the text of a key rule was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyRuleError {
    /// The text is neither `/data…` nor `/attribute`.
    #[error("a key must be /data/… for a place in the JSON data, or / and the name of an attribute such as /subject")]
    Form,
    /// What follows `/data` is no JSON pointer.
    #[error("what follows /data in a key is not understood: {0}")]
    Pointer(PointerError),
}

impl KeyRule {
    /// Reads a rule: `/data/id` is a place in the JSON data (RFC 6901), `/subject` a context attribute.
    ///
    /// # Errors
    /// Where the text is neither.
    pub fn parse(text: &str) -> Result<Self, KeyRuleError> {
        let rest = text.strip_prefix('/').ok_or(KeyRuleError::Form)?;
        if let Some(pointer) = rest.strip_prefix("data")
            && (pointer.is_empty() || pointer.starts_with('/'))
        {
            return JsonPointer::parse(pointer).map(Self::Pointer).map_err(KeyRuleError::Pointer);
        }
        let is_name = (1..=64).contains(&rest.len())
            && rest != "specversion"
            && rest.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
        if is_name { Ok(Self::Attribute(rest.to_owned())) } else { Err(KeyRuleError::Form) }
    }

    /// Returns the text that [`KeyRule::parse`] reads; `None` for the default.
    #[must_use]
    pub fn to_text(&self) -> Option<String> {
        match self {
            Self::Default => None,
            Self::Attribute(name) => Some(format!("/{name}")),
            Self::Pointer(pointer) => Some(format!("/data{pointer}")),
        }
    }

    /// Finds the key of an event.
    pub(crate) fn key_of(&self, event: &Event) -> Result<Option<Key>, KeyError> {
        let fault = |problem| KeyError { event_type: event.event_type().into(), rule: self.to_string(), problem };
        match self {
            Self::Default => event.default_key_text().map(checked).transpose().map_err(fault),
            Self::Attribute(name) => attribute(event, name)
                .ok_or(KeyProblem::NoAttribute)
                .and_then(|value| match value {
                    AttributeValue::String(text) => checked(text),
                    AttributeValue::Integer(number) => checked(&number.to_string()),
                    AttributeValue::Boolean(truth) => checked(if truth { "true" } else { "false" }),
                })
                .map(Some)
                .map_err(fault),
            Self::Pointer(pointer) => in_data(event, pointer).map(Some).map_err(fault),
        }
    }
}

impl fmt::Display for KeyRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.to_text().as_deref().unwrap_or("partitionkey or subject"))
    }
}

fn attribute<'a>(event: &'a Event, name: &str) -> Option<AttributeValue<'a>> {
    let text = match name {
        "id" => Some(event.id()),
        "source" => Some(event.source()),
        "type" => Some(event.event_type()),
        "subject" => event.subject(),
        "time" => event.time(),
        "datacontenttype" => event.datacontenttype(),
        "dataschema" => event.dataschema(),
        _ => return event.extension(name),
    };
    text.map(AttributeValue::String)
}

fn in_data(event: &Event, pointer: &JsonPointer) -> Result<Key, KeyProblem> {
    let json = match event.data() {
        Data::Json(json) => &**json,
        // JSON may have come in base64: the mode of the sender must not decide the order.
        Data::Binary(bytes) if is_json(event.datacontenttype()) => {
            str::from_utf8(bytes).map_err(|error| KeyProblem::BrokenJson(error.to_string()))?
        }
        Data::None => return Err(KeyProblem::NotJson("nothing")),
        Data::Text(_) => return Err(KeyProblem::NotJson("text")),
        Data::Binary(_) => return Err(KeyProblem::NotJson("binary")),
    };
    let broken = |error: serde_json::Error| KeyProblem::BrokenJson(error.to_string());
    let value = pointer.find(json).map_err(broken)?.map(RawValue::get).ok_or(KeyProblem::NoValue)?;
    match value.as_bytes().first() {
        Some(b'{') => Err(KeyProblem::NotScalar("an object")),
        Some(b'[') => Err(KeyProblem::NotScalar("an array")),
        Some(b'n') => Err(KeyProblem::NotScalar("null")),
        Some(b'"') if value.contains('\\') => checked(&serde_json::from_str::<String>(value).map_err(broken)?),
        Some(b'"') => checked(value.trim_matches('"')),
        // The text of true, false and numbers as the producer wrote it: no precision is lost.
        _ => checked(value),
    }
}

/// Tells whether a media type is that of JSON, which is what data have whose type is not told.
pub(crate) fn is_json(media_type: Option<&str>) -> bool {
    let Some(media_type) = media_type else { return true };
    let essence = media_type.split(';').next().unwrap_or_default().trim();
    let subtype = essence.split_once('/').map_or("", |(_, subtype)| subtype);
    subtype.eq_ignore_ascii_case("json") || subtype.to_ascii_lowercase().ends_with("+json")
}

/// Copied on purpose: a key outlives its event, and must not keep the event's buffer in memory.
fn checked(text: &str) -> Result<Key, KeyProblem> {
    match text.len() {
        0 => Err(KeyProblem::Empty),
        1..=Key::BYTES_MAX => Key::new(text).ok_or(KeyProblem::Empty),
        bytes => Err(KeyProblem::TooLong(bytes)),
    }
}

/// Why the key of an event could not be found: names the place and the cure.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the key {rule} of event type {event_type:?} {problem}")]
pub struct KeyError {
    event_type: String,
    rule: String,
    problem: KeyProblem,
}

impl KeyError {
    /// Returns what the reader must do next: correct the event.
    #[must_use]
    pub const fn kind(&self) -> ErrorKind {
        ErrorKind::Invalid
    }
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
enum KeyProblem {
    #[error("is missing: give the event this attribute, or change the key of the event type")]
    NoAttribute,
    #[error("is missing: give the event's data a value there, or change the key of the event type")]
    NoValue,
    #[error("lies in JSON data: send JSON with the datacontenttype application/json, the event has {0}")]
    NotJson(&'static str),
    #[error("lies in data that is not JSON: correct the data, {0}")]
    BrokenJson(String),
    #[error("must be a string, a number or a boolean, but is {0}")]
    NotScalar(&'static str),
    #[error("is empty: give it a value")]
    Empty,
    #[error("must not be longer than {max} bytes, but has {0}: shorten it", max = Key::BYTES_MAX)]
    TooLong(usize),
}

#[cfg(test)]
mod tests;
