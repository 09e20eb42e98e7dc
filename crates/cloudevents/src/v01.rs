//! CloudEvents 0.1 as the Event Gateway 0.9.1 spoke it: its JSON format and its HTTP binding, turned into events of
//! 1.0.2 and back, so that old senders and old functions need no change.
//!
//! Which version a message follows is only told here; what follows from that is the gateway's choice.
//!
//! | 0.1 | 1.0.2 |
//! |---|---|
//! | `eventID`, `source`, `eventType`, `eventTime`, `contentType` | `id`, `source`, `type`, `time`, `datacontenttype` |
//! | `schemaURL`, an absolute URI | `dataschema` |
//! | `schemaURL`, another text | extension `schemaurl` |
//! | `eventTypeVersion` | extension `eventtypeversion` |
//! | a member of `extensions`, a header `CE-X-…` | the extension of its letters and digits in lower case |
//! | the extension `subject`, for which 0.1 has no attribute | `subject` |
//!
//! Extensions of 0.1 may hold any JSON: what no attribute of 1.0 can hold is kept as its compact JSON text. How data is
//! kept follows from the media type, as elsewhere in this crate, but bytes that are not what their type says are kept
//! as bytes and not refused, for so did the Event Gateway:
//!
//! | wire form | `contentType` | kept as |
//! |---|---|---|
//! | member `data` | absent, `*/json`, `*/*+json` | [`Data::Json`], the text as it was written, `null` included |
//! | member `data`, a string | `text/*`, a form | [`Data::Text`] |
//! | member `data`, a string in Base64 | anything else | [`Data::Binary`] |
//! | member `data`, another string | anything else | [`Data::Text`] |
//! | member `data`, another value | anything else | [`Data::Json`] |
//! | HTTP body | `*/json`, `*/*+json`, and it is | [`Data::Json`] |
//! | HTTP body | `text/*`, a form, in UTF-8 | [`Data::Text`] |
//! | HTTP body | anything else, absent | [`Data::Binary`] |
//! | neither, or an empty HTTP body | any | [`Data::None`] |

mod data;
mod extensions;
mod members;
mod write;

use std::{array, borrow::Cow};

use bytes::Bytes;
use bytestring::ByteString;
use http::{HeaderMap, HeaderValue};
use serde::de::Deserializer;

use weir_domain::{AttributeError, Data, Event, Limits};

use crate::{DecodeError, Problem, attributes, media};
use extensions::{Extensions, Value};
use members::{Members, Version};

/// Members of an event that are understood, the texts first and the first seven of them in the places of
/// [`attributes::FIXED`]. Readers of JSON in Go take a name in any case, so senders may have relied on that.
const NAMES: [&str; 11] = [
    "eventID",
    "source",
    "eventType",
    "subject",
    "eventTime",
    "contentType",
    "schemaURL",
    "cloudEventsVersion",
    "eventTypeVersion",
    "extensions",
    "data",
];
/// How many of them are texts.
const TEXTS: usize = 9;
const ID: usize = 0;
const SOURCE: usize = 1;
const TYPE: usize = 2;
/// Holds the place only: 0.1 has no such attribute.
const SUBJECT: usize = 3;
const TIME: usize = 4;
const CONTENT_TYPE: usize = attributes::DATA_CONTENT_TYPE;
const SCHEMA_URL: usize = attributes::DATA_SCHEMA;
const VERSION: usize = 7;
const TYPE_VERSION: usize = 8;
const EXTENSIONS: usize = 9;
const DATA: usize = 10;

/// Extension attributes of 1.0 that are attributes of 0.1; they come first, so that an event that went through 0.1
/// has them in the same order again.
const LIFTED: [(&str, usize); 2] = [("eventtypeversion", TYPE_VERSION), ("schemaurl", SCHEMA_URL)];

/// The extension under which the Event Gateway kept an object of its own.
const EVENT_GATEWAY: &str = "eventgateway";

const PREFIX: &str = "ce-";
const EXTENSION_PREFIX: &str = "ce-x-";
/// Headers of the required attributes. Binary mode of 1.0 has one of them too, so only all of them are telling.
const TELLING: [&str; 4] = ["ce-eventtype", "ce-cloudeventsversion", "ce-source", "ce-eventid"];

/// Tells whether headers carry an event of 0.1 in binary mode.
#[must_use]
pub fn is_binary(headers: &HeaderMap) -> bool {
    TELLING.iter().all(|name| headers.get(*name).is_some_and(|value| !value.is_empty()))
}

/// Tells whether the JSON object of a structured message is an event of 0.1, not of 1.0, by the names of its members.
///
/// What is no JSON object at all is not: the decoder of 1.0 says best what is wrong with it. One pass, which ends where
/// `specversion` comes; nothing recurses and no value is kept.
#[must_use]
pub fn is_structured(body: &[u8]) -> bool {
    let mut json = serde_json::Deserializer::from_slice(body);
    matches!(json.deserialize_map(Version), Ok(true)) && json.end().is_ok()
}

/// Reads one event of 0.1 from headers and body.
///
/// Every extension attribute is text here, for headers have no types. Values stand as they are: 0.1 knows no escapes.
/// Headers `CE-…` that 0.1 does not define are passed over, as by the Event Gateway.
///
/// # Errors
/// Where a required attribute is missing, an attribute cannot be one of 1.0 or comes twice, a header is not UTF-8, JSON
/// is nested too deeply, or a limit is exceeded.
pub fn decode_binary(headers: &HeaderMap, body: Bytes, limits: &Limits) -> Result<Event, DecodeError> {
    let content_type = media::content_type(headers)?;
    let mut draft = Draft::default();
    draft.texts[CONTENT_TYPE] = content_type.map(Cow::Borrowed);
    for (header, value) in headers {
        let place = header.as_str().strip_prefix(PREFIX).and_then(place_of);
        let Some(place) = place.filter(|place| *place < TEXTS && *place != CONTENT_TYPE) else { continue };
        let text = header_text(NAMES[place], value)?;
        // A header without a value counts as none: only a JSON text can be wrong by being empty.
        if !text.is_empty() && draft.texts[place].replace(Cow::Borrowed(text)).is_some() {
            return Err(Problem::repeated(NAMES[place]).into());
        }
    }
    draft.check(limits)?;
    let mut extensions = Extensions::default();
    for (header, value) in headers {
        let Some(name) = header.as_str().strip_prefix(EXTENSION_PREFIX) else { continue };
        let text = header_text(header.as_str(), value)?;
        extensions.push(header.as_str(), name, Value::Text(Cow::Borrowed(text)), limits)?;
    }
    draft.event(extensions, data::of_body(body, content_type)?, limits)
}

/// Reads one event of 0.1 from a JSON object.
///
/// Members that 0.1 does not define are passed over, as by the Event Gateway.
///
/// # Errors
/// Where the body is no JSON object in UTF-8, a required attribute is missing, an attribute cannot be one of 1.0 or
/// comes twice, JSON is nested too deeply, or a limit is exceeded.
pub fn decode_structured(body: &Bytes, limits: &Limits) -> Result<Event, DecodeError> {
    let text = ByteString::try_from(body.clone()).map_err(|error| {
        Problem::Body(format!("is not UTF-8 at byte {}: send JSON in UTF-8 (RFC 8259)", error.valid_up_to()))
    })?;
    let mut members = Members::default();
    let mut json = serde_json::Deserializer::from_str(&text);
    let read = json.deserialize_map(&mut members);
    if let Err(error) = read.and_then(|()| json.end()) {
        return Err(members.broken(&error).into());
    }
    let draft = members.draft()?;
    draft.check(limits)?;
    let extensions = members.extensions(limits)?;
    let data = data::of_member(members.data(), &text, draft.text(CONTENT_TYPE))?;
    draft.event(extensions, data, limits)
}

/// Makes data of an HTTP body by its media type, as an event of 0.1 has it: what is not what its type says is bytes.
///
/// # Errors
/// Where JSON is nested too deeply.
pub fn data_of_body(body: Bytes, content_type: Option<&str>) -> Result<Data, DecodeError> {
    Ok(data::of_body(body, content_type)?)
}

/// Appends an event as a JSON object of 0.1.
///
/// What 0.1 has no attribute for stands in `extensions` under its name of 1.0. Data that is [`Data::Json`] is written
/// as it stands and must therefore be valid JSON. Version 0.1 has no mark for Base64: bytes beside a type that says
/// text or JSON come back as the text that they are in Base64, while all other data comes back with the same bytes.
pub fn encode(event: &Event, out: &mut Vec<u8>) {
    write::event(event, out);
}

/// Returns the place of a name among [`NAMES`].
fn place_of(name: &str) -> Option<usize> {
    NAMES.iter().position(|each| each.eq_ignore_ascii_case(name)).filter(|place| *place != SUBJECT)
}

fn header_text<'h>(name: &str, value: &'h HeaderValue) -> Result<&'h str, AttributeError> {
    str::from_utf8(value.as_bytes()).map_err(|error| {
        AttributeError::new(name, format!("is not UTF-8 at byte {}: send it in UTF-8", error.valid_up_to()))
    })
}

/// Makes an error that names an attribute of 1.0 name the one of 0.1, which is what its sender wrote.
fn in_old_words(error: AttributeError) -> AttributeError {
    let Some(place) = attributes::fixed_index(error.attribute()) else { return error };
    let text = error.to_string();
    // The sentence begins with the quoted name, and these names have no quotes within.
    let problem = text.split_once("\" ").map_or(text.as_str(), |(_, problem)| problem);
    AttributeError::new(NAMES[place], problem)
}

/// The attributes of one event that 0.1 defines, before they are judged.
#[derive(Default)]
struct Draft<'a> {
    texts: [Option<Cow<'a, str>>; TEXTS],
}

impl Draft<'_> {
    /// Returns an attribute where it has a value. An empty text is none, as in Go, except where a time was meant.
    fn text(&self, place: usize) -> Option<&str> {
        self.texts[place].as_deref().filter(|text| place == TIME || !text.is_empty())
    }

    fn check(&self, limits: &Limits) -> Result<(), DecodeError> {
        self.check_required()?;
        for (name, text) in NAMES.iter().zip(&self.texts) {
            attributes::check_length(name, text.as_deref().unwrap_or_default(), limits)?;
        }
        Ok(())
    }

    /// Checks what the Event Gateway checked, with all faults at once and in its order and words.
    fn check_required(&self) -> Result<(), Problem> {
        let required = |place| self.text(place).is_none().then_some("required");
        // Its rule for a source asked for a URI first, which no text at all is not either.
        let source = self.text(SOURCE).is_none_or(|source| !attributes::fits(SOURCE, source)).then_some("uri");
        let faults: Vec<String> = [
            ("EventType", required(TYPE)),
            ("CloudEventsVersion", required(VERSION)),
            ("Source", source),
            ("EventID", required(ID)),
        ]
        .into_iter()
        .filter_map(|(field, rule)| {
            let rule = rule?;
            Some(format!("Key: 'Event.{field}' Error:Field validation for '{field}' failed on the '{rule}' tag"))
        })
        .collect();
        if faults.is_empty() { Ok(()) } else { Err(Problem::Validation(faults.join("\n"))) }
    }

    /// Makes the event of 1.0.
    fn event<'s>(&'s self, mut extensions: Extensions<'s>, data: Data, limits: &Limits) -> Result<Event, DecodeError> {
        // 1.0 asks for an absolute URI; another text is no reason to refuse an event that was good for years.
        let schema = self.text(SCHEMA_URL).filter(|url| !attributes::fits(SCHEMA_URL, url));
        for (place, text) in [(TYPE_VERSION, self.text(TYPE_VERSION)), (SCHEMA_URL, schema)] {
            if let Some(text) = text {
                extensions.push(NAMES[place], NAMES[place], Value::Text(Cow::Borrowed(text)), limits)?;
            }
        }
        let (subject, listed) = extensions.into_parts();
        let mut fixed: [Option<&str>; attributes::FIXED.len()] = array::from_fn(|place| self.text(place));
        fixed[SUBJECT] = subject.as_deref();
        if schema.is_some() {
            fixed[SCHEMA_URL] = None;
        }
        let listed = listed.iter().map(|(name, value)| (name.as_str(), value.attribute()));
        let event = Event::assemble(fixed, listed, data).map_err(in_old_words)?;
        attributes::check_size(&event, limits)?;
        Ok(event)
    }
}

#[cfg(test)]
mod tests;
