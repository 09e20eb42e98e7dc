//! What a JavaScript function returned: JSON text, with bytes beside it. Here it becomes events or an answer.
//!
//! | returned | for a caller who waits | from the log |
//! |---|---|---|
//! | nothing, `null` | 200, empty | no events |
//! | an object with `statusCode` | the HTTP answer | refused |
//! | an object with the string `type` | one event | one event |
//! | a list of such objects | events | events |
//! | `{}`, or an object with `headers` or `body` only | the HTTP answer, with 200 | refused |
//! | anything else | refused | refused |
//!
//! Where a value is asked for, it is what was returned, `null` for nothing.

use std::fmt;

use bytes::Bytes;
use bytestring::ByteString;
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, SeqAccess, Visitor};
use serde_json::value::RawValue;

use weir_domain::Data;

use crate::{
    CallError, CallMode, Draft, DraftValue, HttpAnswer, Outcome,
    answer::{BODY, BodyRule, HEADERS, STATUS_CODE},
    media,
    members::{self, Members},
};

/// Bytes by the number of the item that they belong to.
pub(super) type Parts = Vec<(u32, Vec<u8>)>;

/// Reads a reply of at most this many events.
pub(super) fn read(text: String, parts: Parts, mode: CallMode, events_max: usize) -> Result<Outcome, CallError> {
    if text.is_empty() {
        return Ok(match mode {
            CallMode::Async => Outcome::Events(Vec::new()),
            CallMode::Sync => Outcome::Answer(HttpAnswer::empty()),
            CallMode::Value => Outcome::Value(ByteString::from_static("null")),
        });
    }
    if mode == CallMode::Value {
        // Bytes would be missing in it.
        let value =
            if parts.is_empty() { Ok(Outcome::Value(text.into())) } else { Err("it must return JSON, not bytes") };
        return value.map_err(CallError::malformed);
    }
    let mut reply = Reply { text: text.into(), parts };
    match reply.text.as_bytes().first().copied() {
        Some(b'{') => reply.object(mode).map_err(CallError::malformed),
        Some(b'[') => reply.list(events_max).map(Outcome::Events),
        _ => Err(CallError::malformed(refused(&short(&reply.text)))),
    }
}

struct Reply {
    text: ByteString,
    parts: Parts,
}

impl Reply {
    fn object(&mut self, mode: CallMode) -> Result<Outcome, String> {
        let text = self.text.clone();
        let members: Members<'_> = serde_json::from_str(&text).map_err(broken)?;
        let has = |name| members.get(name).is_some();
        let is_answer_only = || members.iter().all(|(name, _)| [STATUS_CODE, HEADERS, BODY].contains(&name));
        if has(STATUS_CODE) || (mode == CallMode::Sync && is_answer_only()) {
            if mode == CallMode::Async {
                return Err(
                    "nobody waits for the HTTP answer that it returned: return an event, a list, or nothing".into()
                );
            }
            let answer = HttpAnswer::from_members(&members, self.part(0), BodyRule::AnyJson);
            return answer.map(Outcome::Answer).map_err(|problem| format!("in its answer, {problem}"));
        }
        if !is_event(&members) {
            return Err(refused(&short(&text)));
        }
        let part = self.part(0);
        let draft =
            draft(&text, &members, part).map_err(|problem| format!("in the event that it returned, {problem}"))?;
        Ok(Outcome::Events(vec![draft]))
    }

    fn list(&mut self, events_max: usize) -> Result<Vec<Draft>, CallError> {
        let text = self.text.clone();
        let (items, given) = items(&text, events_max).map_err(|error| CallError::malformed(broken(error)))?;
        if given > events_max {
            return Err(CallError::too_many_events(given, events_max));
        }
        self.drafts(items).map_err(CallError::malformed)
    }

    fn drafts(&mut self, items: Vec<&RawValue>) -> Result<Vec<Draft>, String> {
        let text = self.text.clone();
        let mut drafts = Vec::with_capacity(items.len());
        for (index, item) in items.into_iter().enumerate() {
            let at =
                |problem: String| format!("in item {index} of the list that it returned, counted from 0, {problem}");
            let members = serde_json::from_str::<Members<'_>>(item.get()).ok().filter(is_event);
            let members = members.ok_or_else(|| at(format!("there is no event: {}", members::quote(item))))?;
            let part = self.part(index);
            drafts.push(draft(&text, &members, part).map_err(at)?);
        }
        Ok(drafts)
    }

    /// Takes the bytes that belong to an item.
    fn part(&mut self, index: usize) -> Option<Bytes> {
        let at = self.parts.iter().position(|(number, _)| *number as usize == index)?;
        Some(self.parts.swap_remove(at).1.into())
    }
}

/// Takes a list apart. Returns its first items, up to this many, and how many there are.
fn items(text: &str, items_max: usize) -> serde_json::Result<(Vec<&RawValue>, usize)> {
    let mut list = serde_json::Deserializer::from_str(text);
    let items = Items { items_max }.deserialize(&mut list)?;
    list.end()?;
    Ok(items)
}

/// Keeps no more items than may be used: one takes more room than the two bytes of text that it may have.
struct Items {
    items_max: usize,
}

impl<'de> DeserializeSeed<'de> for Items {
    type Value = (Vec<&'de RawValue>, usize);

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for Items {
    type Value = (Vec<&'de RawValue>, usize);

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON array")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
        let mut items = Vec::new();
        while items.len() < self.items_max {
            let Some(item) = list.next_element()? else { break };
            items.push(item);
        }
        let mut count = items.len();
        while list.next_element::<IgnoredAny>()?.is_some() {
            count += 1;
        }
        Ok((items, count))
    }
}

fn is_event(members: &Members<'_>) -> bool {
    members.get("type").is_some_and(members::is_string)
}

fn refused(given: &str) -> String {
    format!(
        "it must return nothing, an event (an object with the string \"type\"), a list of events, or for a caller who waits \
         an HTTP answer (an object with \"{STATUS_CODE}\"), but it returned {given}"
    )
}

fn broken(error: serde_json::Error) -> String {
    format!("what it returned is no JSON: {error}")
}

fn short(text: &str) -> String {
    text.chars().take(64).collect()
}

/// Makes an event of its members; `text` is the buffer in which they lie.
fn draft(text: &ByteString, members: &Members<'_>, bytes: Option<Bytes>) -> Result<Draft, String> {
    let mut draft = Draft::default();
    let mut data = None;
    for (name, value) in members.iter() {
        if members::is_null(value) && name != "data" {
            continue;
        }
        match name {
            "type" => draft.event_type = attribute(name, value)?,
            "id" => draft.id = Some(attribute(name, value)?),
            "source" => draft.source = Some(attribute(name, value)?),
            "subject" => draft.subject = Some(attribute(name, value)?),
            "time" => draft.time = Some(attribute(name, value)?),
            "datacontenttype" => draft.datacontenttype = Some(attribute(name, value)?),
            "dataschema" => draft.dataschema = Some(attribute(name, value)?),
            "specversion" => {
                if value.get() != "\"1.0\"" {
                    return Err(format!("\"specversion\" must be \"1.0\", but is {}", members::quote(value)));
                }
            }
            "data" => data = Some(value),
            "data_base64" => {
                return Err("bytes must be returned as \"data\", a Uint8Array, not as \"data_base64\"".into());
            }
            _ => draft.extensions.push((name.to_owned(), extension(name, value)?)),
        }
    }
    draft.data = match (bytes, data) {
        (Some(bytes), _) => Data::Binary(bytes),
        (None, None) => Data::None,
        (None, Some(value)) => match draft.datacontenttype.as_deref() {
            Some(media_type) if !media::is_json(media_type) && members::is_string(value) => {
                Data::Text(attribute("data", value)?.into())
            }
            _ => Data::Json(text.slice_ref(value.get())),
        },
    };
    Ok(draft)
}

fn attribute(name: &str, value: &RawValue) -> Result<String, String> {
    members::text(value).ok_or_else(|| format!("{name:?} must be a string, but is {}", members::quote(value)))
}

fn extension(name: &str, value: &RawValue) -> Result<DraftValue, String> {
    let number = || value.get().parse::<i32>().ok().map(DraftValue::Integer);
    let given = match value.get() {
        "true" => Some(DraftValue::Boolean(true)),
        "false" => Some(DraftValue::Boolean(false)),
        _ => members::text(value).map(DraftValue::Text).or_else(number),
    };
    given.ok_or_else(|| {
        format!(
            "the attribute {name:?} must be a string, a boolean or a whole number of 32 bits, but is {}",
            members::quote(value)
        )
    })
}

#[cfg(test)]
mod tests;
