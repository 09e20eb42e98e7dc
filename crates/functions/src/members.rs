//! A JSON object taken apart into its members, each still in its text form. What they mean is not known here.

use std::{borrow::Cow, fmt};

use serde::{
    Deserialize, Deserializer,
    de::{MapAccess, Visitor},
};
use serde_json::value::RawValue;

/// How much of a value that is wrong is quoted, in characters.
const QUOTED_MAX: usize = 64;

/// The members of one JSON object, in the order of the text.
pub(crate) struct Members<'a>(Vec<(Cow<'a, str>, &'a RawValue)>);

#[derive(Deserialize)]
struct Name<'a>(#[serde(borrow)] Cow<'a, str>);

struct MembersVisitor;

impl<'de> Visitor<'de> for MembersVisitor {
    type Value = Members<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut members = Vec::with_capacity(8);
        while let Some((Name(name), value)) = map.next_entry::<Name<'de>, &'de RawValue>()? {
            members.push((name, value));
        }
        Ok(Members(members))
    }
}

impl<'de> Deserialize<'de> for Members<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(MembersVisitor)
    }
}

impl<'a> Members<'a> {
    /// Returns all members.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &'a RawValue)> {
        self.0.iter().map(|(name, value)| (name.as_ref(), *value))
    }

    /// Returns one member; the last where there are several, and none where it is `null`.
    pub(crate) fn get(&self, name: &str) -> Option<&'a RawValue> {
        let value = self.0.iter().rev().find_map(|(each, value)| (each == name).then_some(*value));
        value.filter(|value| !is_null(value))
    }
}

/// Tells whether a value is `null`.
pub(crate) fn is_null(value: &RawValue) -> bool {
    value.get() == "null"
}

/// Tells whether a value is a string.
pub(crate) fn is_string(value: &RawValue) -> bool {
    value.get().starts_with('"')
}

/// Returns the text of a value that is a string.
pub(crate) fn text(value: &RawValue) -> Option<String> {
    if is_string(value) { serde_json::from_str(value.get()).ok() } else { None }
}

/// Returns the beginning of a value, as much as belongs into a message.
pub(crate) fn quote(value: &RawValue) -> String {
    value.get().chars().take(QUOTED_MAX).collect()
}
