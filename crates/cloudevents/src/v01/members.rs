//! The members of a JSON event of 0.1. Their texts are borrowed in one pass and judged afterwards, so that the first
//! complaint is about what the Event Gateway would have complained about.

use std::{borrow::Cow, fmt};

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;

use weir_domain::{AttributeError, Limits};

use super::{
    DATA, Draft, EXTENSIONS, NAMES, VERSION,
    extensions::{Extensions, Value},
    place_of,
};
use crate::{DecodeError, Problem, attributes, error::json_reason};

/// The JSON texts of the members of one event.
#[derive(Default)]
pub(super) struct Members<'de> {
    raw: [Option<&'de str>; NAMES.len()],
    repeated: Option<&'static str>,
    /// The member in which the JSON is broken.
    broken_in: Option<String>,
}

impl<'de> Members<'de> {
    /// Says where the JSON that was read into these members is broken.
    pub(super) fn broken(&self, error: &serde_json::Error) -> Problem {
        Problem::json(error, self.broken_in.as_deref())
    }

    fn keep(&mut self, place: usize, raw: &'de RawValue) {
        if self.raw[place].replace(raw.get()).is_some() {
            self.repeated.get_or_insert(NAMES[place]);
        }
    }

    /// Returns the JSON text of the data.
    pub(super) fn data(&self) -> Option<&'de str> {
        self.raw[DATA]
    }

    /// Returns the attributes that are texts.
    pub(super) fn draft(&self) -> Result<Draft<'de>, DecodeError> {
        if let Some(name) = self.repeated {
            return Err(Problem::repeated(name).into());
        }
        let mut draft = Draft::default();
        for ((name, raw), text) in NAMES.iter().zip(self.raw).zip(&mut draft.texts) {
            // As in Go, `null` is the same as no member.
            let Some(raw) = raw.filter(|raw| *raw != "null") else { continue };
            if !raw.starts_with('"') {
                let problem = format!("must be a string, but is {}", kind(raw));
                return Err(AttributeError::new(name, problem).into());
            }
            *text = Some(string(name, raw)?);
        }
        Ok(draft)
    }

    /// Returns what stands in the member `extensions`.
    pub(super) fn extensions(&self, limits: &Limits) -> Result<Extensions<'de>, DecodeError> {
        let mut extensions = Extensions::default();
        let name = NAMES[EXTENSIONS];
        let Some(raw) = self.raw[EXTENSIONS].filter(|raw| *raw != "null") else { return Ok(extensions) };
        if !raw.starts_with('{') {
            return Err(AttributeError::new(name, format!("must be an object, but is {}", kind(raw))).into());
        }
        let mut entries = Entries { kept: Vec::new(), given: 0, kept_max: limits.extensions_max };
        // The grammar was checked when the members were read: all that can be wrong is a name.
        if let Err(error) = serde_json::Deserializer::from_str(raw).deserialize_map(&mut entries) {
            let problem = format!("has a name that is not Unicode: {}", json_reason(&error));
            return Err(AttributeError::new(name, problem).into());
        }
        attributes::check_count(entries.given, limits)?;
        for (name, raw) in entries.kept {
            if let Some(value) = Value::of_json(&name, raw)? {
                extensions.push(&name, &name, value, limits)?;
            }
        }
        Ok(extensions)
    }
}

/// Returns the text of a JSON string, without a copy where it has no escapes.
pub(super) fn string<'a>(name: &str, raw: &'a str) -> Result<Cow<'a, str>, AttributeError> {
    match raw.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) {
        Some(text) if !text.contains('\\') => Ok(Cow::Borrowed(text)),
        _ => serde_json::from_str::<String>(raw).map(Cow::Owned).map_err(|error| {
            AttributeError::new(name, format!("is a string that is not Unicode: {}", json_reason(&error)))
        }),
    }
}

/// Returns what a JSON text is called.
fn kind(raw: &str) -> &'static str {
    match raw.as_bytes().first() {
        Some(b'"') => "a string",
        Some(b'{') => "an object",
        Some(b'[') => "an array",
        Some(b't' | b'f') => "a boolean",
        _ => "a number",
    }
}

impl<'de> Visitor<'de> for &mut Members<'de> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a CloudEvent, which is a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(name) = map.next_key_seed(NameSeed)? {
            let read = match place_of(&name) {
                Some(place) => map.next_value::<&'de RawValue>().map(|raw| self.keep(place, raw)),
                None => map.next_value::<IgnoredAny>().map(|IgnoredAny| ()),
            };
            if let Err(error) = read {
                self.broken_in = Some(name.into_owned());
                return Err(error);
            }
        }
        Ok(())
    }
}

/// The members of the object `extensions`.
struct Entries<'de> {
    kept: Vec<(Cow<'de, str>, &'de str)>,
    given: usize,
    /// Past it they are only counted: the event will be refused for their number.
    kept_max: usize,
}

impl<'de> Visitor<'de> for &mut Entries<'de> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(name) = map.next_key_seed(NameSeed)? {
            let raw: &'de RawValue = map.next_value()?;
            self.given += 1;
            if self.given <= self.kept_max {
                self.kept.push((name, raw.get()));
            }
        }
        Ok(())
    }
}

/// Tells by the names of an object's members whether it is an event of 0.1.
pub(super) struct Version;

impl<'de> Visitor<'de> for Version {
    type Value = bool;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a CloudEvent, which is a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<bool, A::Error> {
        let mut told = false;
        while let Some(name) = map.next_key_seed(NameSeed)? {
            // Whatever else there is: a later version is claimed, and the rest need not be read.
            if name == "specversion" {
                return Ok(false);
            }
            told |= place_of(&name) == Some(VERSION);
            map.next_value::<IgnoredAny>()?;
        }
        Ok(told)
    }
}

/// Reads a member's name, without a copy where it has no escapes.
struct NameSeed;

impl<'de> DeserializeSeed<'de> for NameSeed {
    type Value = Cow<'de, str>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Cow<'de, str>, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl<'de> Visitor<'de> for NameSeed {
    type Value = Cow<'de, str>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the name of a member")
    }

    fn visit_borrowed_str<E>(self, name: &'de str) -> Result<Cow<'de, str>, E> {
        Ok(Cow::Borrowed(name))
    }

    fn visit_str<E>(self, name: &str) -> Result<Cow<'de, str>, E> {
        Ok(Cow::Owned(name.to_owned()))
    }
}
