//! The JSON event format and its batches. Media types of messages are judged by [`mode`](crate::mode), not here.
//!
//! Reading is one pass over the body. Data is never copied: it is a slice that keeps the whole body alive, so whoever
//! stores an event for long copies it out. Nothing recurses, and nesting is bounded where a reader of the data would.

pub(crate) mod check;
mod members;
mod write;

use std::fmt;

use bytes::Bytes;
use bytestring::ByteString;
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, SeqAccess, Visitor};

use weir_domain::{AttributeValue, Event, Limits};

use crate::{DecodeError, Problem};
use members::Members;

/// Media type of one event.
pub const CONTENT_TYPE: &str = "application/cloudevents+json";
/// Media type of a batch of events.
pub const BATCH_CONTENT_TYPE: &str = "application/cloudevents-batch+json";

/// Room for events is taken in advance as if each had this many bytes: a guess that costs little where it is wrong.
const EVENT_BYTES_GUESS: usize = 512;

/// Reads one event from a JSON object. One of 0.3 becomes an event of 1.0.
///
/// # Errors
/// Where the body is no JSON object in UTF-8, the event breaks a rule of CloudEvents 1.0.2, or a limit is exceeded.
pub fn decode(body: &Bytes, limits: &Limits) -> Result<Event, DecodeError> {
    let text = utf8(body)?;
    check_start(&text, b'{')?;
    let mut members = Members::new(limits.extensions_max);
    let mut json = serde_json::Deserializer::from_str(&text);
    let read = (&mut members).deserialize(&mut json);
    if let Err(error) = read.and_then(|()| json.end()) {
        return Err(members.broken(&error).into());
    }
    members.event(&text, limits)
}

/// Reads the events of a JSON array; an empty array is a batch of no events.
///
/// # Errors
/// As [`decode`]; the error names the first broken event by its place in the batch, and none is returned.
pub fn decode_batch(body: &Bytes, limits: &Limits) -> Result<Vec<Event>, DecodeError> {
    let text = utf8(body)?;
    check_start(&text, b'[')?;
    let room = (text.len() / EVENT_BYTES_GUESS).min(limits.batch_events_max);
    let members = Members::new(limits.extensions_max);
    let mut batch = Batch { members, body: &text, limits, events: Vec::with_capacity(room), refused: None };
    let mut json = serde_json::Deserializer::from_str(&text);
    let read = (&mut batch).deserialize(&mut json);
    let Batch { members, events, refused, .. } = batch;
    // A refused event ends the reading early, which the JSON reader then takes for a mistake of its own.
    if let Some(error) = refused {
        return Err(error);
    }
    if let Err(error) = read {
        return Err(DecodeError::from(members.broken(&error)).at(events.len()));
    }
    match json.end() {
        Ok(()) => Ok(events),
        Err(error) => Err(Problem::json(&error, None).into()),
    }
}

/// Appends an event as a JSON object.
///
/// Data that is [`Data::Json`](weir_domain::Data::Json) is written as it stands and must therefore be valid JSON.
pub fn encode(event: &Event, out: &mut Vec<u8>) {
    write::event(event, &[], out);
}

/// Appends events as a JSON array.
pub fn encode_batch<'a>(events: impl IntoIterator<Item = &'a Event>, out: &mut Vec<u8>) {
    out.push(b'[');
    for (index, event) in events.into_iter().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        write::event(event, &[], out);
    }
    out.push(b']');
}

/// Appends an event as a JSON object with further attributes, which take the place of those with the same names.
///
/// This is how the platform adds what it knows, such as `recordedtime`, without building another event. The names must
/// differ from one another and be valid names of attributes other than `specversion` and `datacontenttype`.
pub fn encode_with(event: &Event, extra: &[(&str, AttributeValue<'_>)], out: &mut Vec<u8>) {
    write::event(event, extra, out);
}

fn utf8(body: &Bytes) -> Result<ByteString, Problem> {
    ByteString::try_from(body.clone()).map_err(|error| {
        Problem::Body(format!("is not UTF-8 at byte {}: send JSON in UTF-8 (RFC 8259)", error.valid_up_to()))
    })
}

/// Tells apart what senders mix up, before the JSON reader complains in its own words.
fn check_start(text: &str, wanted: u8) -> Result<(), Problem> {
    let first = text.bytes().find(|byte| !matches!(byte, b' ' | b'\t' | b'\n' | b'\r'));
    let problem = match (first, wanted) {
        (None, b'{') => "is empty: send an event as a JSON object",
        (None, _) => "is empty: send events as a JSON array",
        (Some(b'['), b'{') => "is a JSON array: send a batch as application/cloudevents-batch+json",
        (Some(b'{'), b'[') => "is a JSON object: send a single event as application/cloudevents+json",
        _ => return Ok(()),
    };
    Err(Problem::Body(problem.to_owned()))
}

/// A batch on its way in.
struct Batch<'a, 'de> {
    /// Reused for every event.
    members: Members<'de>,
    body: &'a ByteString,
    limits: &'a Limits,
    events: Vec<Event>,
    refused: Option<DecodeError>,
}

impl<'de> DeserializeSeed<'de> for &mut Batch<'_, 'de> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for &mut Batch<'_, 'de> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a batch of CloudEvents, which is a JSON array")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<(), A::Error> {
        let events_max = self.limits.batch_events_max;
        while elements.next_element_seed(&mut self.members)?.is_some() {
            if self.events.len() == events_max {
                let mut given = events_max + 1;
                while elements.next_element::<IgnoredAny>()?.is_some() {
                    given += 1;
                }
                self.refused = Some(DecodeError::too_large("number of events in the batch", given, events_max));
                return Ok(());
            }
            match self.members.event(self.body, self.limits) {
                Ok(event) => self.events.push(event),
                Err(error) => {
                    self.refused = Some(error.at(self.events.len()));
                    return Ok(());
                }
            }
        }
        Ok(())
    }
}

/// Returns how deeply arrays and objects nest in a text that is known to be JSON.
#[must_use]
pub fn nesting(json: &str) -> usize {
    check::deepest(json)
}
