//! JSON Pointer (RFC 6901), followed through the text of a document without building a value of it.

use std::fmt;

use serde::{
    Deserialize,
    de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor},
};
use serde_json::value::RawValue;

/// Why the text of a pointer was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PointerError {
    /// A pointer that is not empty begins with `/`.
    #[error("a JSON pointer (RFC 6901) must begin with a slash")]
    NoSlash,
    /// A `~` stands for itself only as `~0`.
    #[error("a JSON pointer (RFC 6901) must write ~ as ~0 and a slash within a name as ~1")]
    Escape,
    /// There are more parts than [`JsonPointer::PARTS_MAX`].
    #[error("a JSON pointer must not have more than {max} parts", max = JsonPointer::PARTS_MAX)]
    TooDeep,
}

/// A place in a JSON document.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct JsonPointer {
    parts: Box<[Box<str>]>,
}

impl JsonPointer {
    /// The most parts of a pointer; it bounds how deep a walk recurses.
    pub const PARTS_MAX: usize = 32;

    /// Reads a pointer; the empty text is the whole document.
    ///
    /// # Errors
    /// Where the text is no pointer or is too deep.
    pub fn parse(text: &str) -> Result<Self, PointerError> {
        if text.is_empty() {
            return Ok(Self::default());
        }
        let parts = text.strip_prefix('/').ok_or(PointerError::NoSlash)?;
        if parts.split('/').count() > Self::PARTS_MAX {
            return Err(PointerError::TooDeep);
        }
        Ok(Self { parts: parts.split('/').map(unescape).collect::<Result<_, _>>()? })
    }

    /// Follows the pointer through a document; the last of repeated names counts, as for every JSON parser.
    ///
    /// # Errors
    /// Where the text is not JSON.
    pub(crate) fn find<'a>(&self, json: &'a str) -> Result<Option<&'a RawValue>, serde_json::Error> {
        let mut deserializer = serde_json::Deserializer::from_str(json);
        let found = Walk { parts: &self.parts }.deserialize(&mut deserializer)?;
        deserializer.end()?;
        Ok(found)
    }
}

impl fmt::Display for JsonPointer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.parts.iter().try_for_each(|part| write!(f, "/{}", part.replace('~', "~0").replace('/', "~1")))
    }
}

fn unescape(part: &str) -> Result<Box<str>, PointerError> {
    let mut text = String::with_capacity(part.len());
    let mut chars = part.chars();
    while let Some(c) = chars.next() {
        text.push(match c {
            '~' => match chars.next() {
                Some('0') => '~',
                Some('1') => '/',
                _ => return Err(PointerError::Escape),
            },
            other => other,
        });
    }
    Ok(text.into())
}

/// Deserializes the value at the end of the parts, and passes over everything else.
struct Walk<'p> {
    parts: &'p [Box<str>],
}

impl<'de> DeserializeSeed<'de> for Walk<'_> {
    type Value = Option<&'de RawValue>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        if self.parts.is_empty() {
            <&'de RawValue>::deserialize(deserializer).map(Some)
        } else {
            deserializer.deserialize_any(self)
        }
    }
}

impl<'de> Visitor<'de> for Walk<'_> {
    type Value = Option<&'de RawValue>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut found = None;
        // With no part left the seed above has taken the value, so there is a part here.
        let Some((name, parts)) = self.parts.split_first() else { return Ok(None) };
        while let Some(same) = map.next_key_seed(SameName(name))? {
            if same {
                found = map.next_value_seed(Walk { parts })?;
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(found)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        let mut found = None;
        let Some((index, parts)) = self.parts.split_first() else { return Ok(None) };
        let index = array_index(index);
        for at in 0usize.. {
            if Some(at) == index {
                match seq.next_element_seed(Walk { parts })? {
                    Some(value) => found = value,
                    None => break,
                }
            } else if seq.next_element::<IgnoredAny>()?.is_none() {
                break;
            }
        }
        Ok(found)
    }

    // A scalar has no parts.

    fn visit_bool<E>(self, _: bool) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_str<E>(self, _: &str) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(None)
    }
}

/// RFC 6901, section 4: digits without a leading zero.
fn array_index(part: &str) -> Option<usize> {
    let canonical = part == "0" || (!part.starts_with('0') && part.bytes().all(|b| b.is_ascii_digit()));
    if canonical { part.parse().ok() } else { None }
}

/// Compares a member's name without keeping it.
struct SameName<'p>(&'p str);

impl<'de> DeserializeSeed<'de> for SameName<'_> {
    type Value = bool;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<bool, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for SameName<'_> {
    type Value = bool;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the name of a member")
    }

    fn visit_str<E>(self, name: &str) -> Result<bool, E> {
        Ok(name == self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(pointer: &str, json: &str, expected: Option<&str>) {
        let parsed = JsonPointer::parse(pointer).expect(pointer);
        assert_eq!(parsed.to_string(), pointer);
        let found = parsed.find(json).expect(json).map(RawValue::get);
        assert_eq!(found, expected, "{pointer} in {json}");
    }

    #[test]
    fn the_examples_of_rfc_6901() {
        let json = r#"{"foo":["bar","baz"],"":0,"a/b":1,"c%d":2,"e^f":3,"g|h":4,"i\\j":5,"k\"l":6," ":7,"m~n":8}"#;
        check("", json, Some(json));
        check("/foo", json, Some(r#"["bar","baz"]"#));
        check("/foo/0", json, Some("\"bar\""));
        check("/", json, Some("0"));
        check("/a~1b", json, Some("1"));
        check("/c%d", json, Some("2"));
        check("/e^f", json, Some("3"));
        check("/g|h", json, Some("4"));
        check("/i\\j", json, Some("5"));
        check("/k\"l", json, Some("6"));
        check("/ ", json, Some("7"));
        check("/m~0n", json, Some("8"));
    }

    #[test]
    fn places_that_are_not_there() {
        let json = r#" {"a": {"b": [1, {"c": null}]}, "s": "text", "n": 1.5e3 , "t": true, "z": null} "#;
        check("/a/b/1/c", json, Some("null"));
        check("/a/b/0", json, Some("1"));
        check("/n", json, Some("1.5e3"));
        for pointer in ["/b", "/a/b/2", "/a/b/01", "/a/b/-", "/a/b/0/0", "/s/0", "/t/x", "/z/x", "/n/x", "/a/b/1/d"] {
            check(pointer, json, None);
        }
        check("/a", r#"{"a":1,"a":2}"#, Some("2"));
        check("/a", "[]", None);
        check("/a", "7", None);
        check("", "7", Some("7"));
    }

    #[test]
    fn deep_documents_are_passed_over() {
        let depth = 100_000;
        let json = format!("{{\"deep\":{}{},\"id\":1}}", "[".repeat(depth), "]".repeat(depth));
        check("/id", &json, Some("1"));
    }

    #[test]
    fn texts_that_are_no_pointer() {
        assert_eq!(JsonPointer::parse("a"), Err(PointerError::NoSlash));
        assert_eq!(JsonPointer::parse("/a~2"), Err(PointerError::Escape));
        assert_eq!(JsonPointer::parse("/a~"), Err(PointerError::Escape));
        assert_eq!(JsonPointer::parse(&"/a".repeat(33)), Err(PointerError::TooDeep));
        for broken in ["", "{", r#"{"a":1}x"#, r#"{"b":1,}"#] {
            assert!(JsonPointer::parse("/a").expect("valid").find(broken).is_err(), "{broken}");
        }
    }
}
