//! The members of a JSON object as clients of the Event Gateway may write them: names in any case, as Go reads them.
//!
//! Members that nobody asks for are passed over, `null` is as good as absent, and of a member that comes twice the last
//! one counts. Which members there are is told by the same list from which the OpenAPI document is made: taking one that
//! does not stand there is a mistake of ours, which tests find.

use std::{collections::BTreeMap, fmt};

use serde::{
    Deserialize, Deserializer,
    de::{MapAccess, Visitor},
};
use serde_json::value::RawValue;
use weir_catalog::Detail;

use super::parameter::short;
use crate::openapi::Member;

const CURE: &str = "send a JSON object whose members have the types of the documentation";

/// The members of one object that were not taken yet.
pub(super) struct Fields<'a> {
    members: BTreeMap<String, &'a RawValue>,
    /// What stands in front of every complaint.
    context: &'static str,
    /// All that may be taken.
    told: &'static [Member],
}

impl<'a> Fields<'a> {
    /// Reads an object of which these members can be taken.
    ///
    /// # Errors
    /// Where the text is none.
    pub(super) fn read(text: &'a str, context: &'static str, told: &'static [Member]) -> Result<Self, Detail> {
        let Given(members) =
            serde_json::from_str(text).map_err(|error| Detail::new(format!("{context}{}", reason(&error)), CURE))?;
        Ok(Self { members, context, told })
    }

    /// Takes a member; `None` where it is absent or `null`.
    ///
    /// # Errors
    /// Where it has another type.
    pub(super) fn take<T: Deserialize<'a>>(&mut self, name: &str) -> Result<Option<T>, Detail> {
        debug_assert!(self.told.iter().any(|member| member.name.eq_ignore_ascii_case(name)), "nothing tells of {name}");
        let Some(value) = self.members.remove(&name.to_ascii_lowercase()) else { return Ok(None) };
        serde_json::from_str(value.get())
            .map_err(|error| Detail::new(format!("{}{name}: {}", self.context, reason(&error)), CURE))
    }

    /// Refuses members that nobody took, for a request in which a misspelt one would do harm.
    ///
    /// # Errors
    /// Where there are any.
    pub(super) fn refuse_others(&self) -> Result<(), Detail> {
        let Some(other) = self.members.keys().next() else { return Ok(()) };
        let names: Vec<&str> = self.told.iter().map(|member| member.name).collect();
        let message = format!("{}member {:?} is not known", self.context, short(other));
        Err(Detail::new(message, format!("use {}", names.join(", "))))
    }

    /// Takes a text; empty where it is absent.
    ///
    /// # Errors
    /// Where it is no text.
    pub(super) fn text(&mut self, name: &str) -> Result<String, Detail> {
        Ok(self.take(name)?.unwrap_or_default())
    }

    /// Takes a text that means nothing where it is empty.
    ///
    /// # Errors
    /// Where it is no text.
    pub(super) fn optional(&mut self, name: &str) -> Result<Option<String>, Detail> {
        Ok(self.take(name)?.filter(|text: &String| !text.is_empty()))
    }

    /// Takes an object of texts; empty where it is absent.
    ///
    /// # Errors
    /// Where it is no such object.
    pub(super) fn map(&mut self, name: &str) -> Result<BTreeMap<String, String>, Detail> {
        Ok(self.take(name)?.unwrap_or_default())
    }
}

/// The members under their names in small letters, in the order of the text: of two, the later one counts.
struct Given<'a>(BTreeMap<String, &'a RawValue>);

impl<'de> Deserialize<'de> for Given<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct InOrder;

        impl<'de> Visitor<'de> for InOrder {
            type Value = Given<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a map")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Given<'de>, A::Error> {
                let mut members = BTreeMap::new();
                while let Some((name, value)) = entries.next_entry::<String, &'de RawValue>()? {
                    members.insert(name.to_ascii_lowercase(), value);
                }
                Ok(Given(members))
            }
        }

        deserializer.deserialize_map(InOrder)
    }
}

/// What is wrong, bounded, because it quotes the client; the place in the text of a member would mislead.
fn reason(error: &serde_json::Error) -> String {
    if error.is_eof() {
        // In the words of the Event Gateway.
        return "unexpected EOF".to_owned();
    }
    let text = error.to_string();
    let place = format!(" at line {} column {}", error.line(), error.column());
    text.strip_suffix(&place).unwrap_or(&text).chars().take(160).collect()
}

/// Checks that all these members are read: none of them can be a list of lists. Others would be passed over.
#[cfg(test)]
pub(super) fn check_taken<'m>(members: impl IntoIterator<Item = &'m Member>, is_refused: impl Fn(&str) -> bool) {
    for member in members {
        let text = format!(r#"{{"{}":[[7]]}}"#, member.name);
        assert!(is_refused(&text), "{text} is taken: {} is told of and not read", member.name);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const TOLD: &[Member] = &[
        Member::new("functionId", || json!({})),
        Member::new("metadata", || json!({})),
        Member::new("type", || json!({})),
        Member::new("n", || json!({})),
        Member::new("absent", || json!({})),
        Member::new("name", || json!({})),
    ];

    #[test]
    fn names_are_matched_in_any_case() {
        let text =
            r#"{"functionId":"a","FunctionID":"b","unknown":{"x":[1]},"METADATA":{"Key":"v"},"type":null,"n":7}"#;
        let mut fields = Fields::read(text, "", TOLD).expect("an object");
        assert_eq!(fields.text("functionId"), Ok("b".to_owned()));
        assert_eq!(fields.text("functionId"), Ok(String::new()));
        assert_eq!(fields.map("metadata"), Ok(BTreeMap::from([("Key".to_owned(), "v".to_owned())])));
        assert_eq!(fields.optional("type"), Ok(None));
        assert_eq!(fields.take::<u32>("N"), Ok(Some(7)));
        assert_eq!(fields.map("absent"), Ok(BTreeMap::new()));
    }

    #[test]
    fn what_is_wrong_is_named() {
        let broken = |text: &str| Fields::read(text, "", TOLD).err().map(|detail| detail.message().to_owned());
        assert_eq!(broken("{").as_deref(), Some("unexpected EOF"));
        assert_eq!(broken("").as_deref(), Some("unexpected EOF"));
        assert_eq!(broken("[]").as_deref(), Some("invalid type: sequence, expected a map"));
        assert_eq!(broken(r#"{"a":}"#).as_deref(), Some("expected value"));
        let mut fields = Fields::read(r#"{"name":5,"metadata":{"a":1}}"#, "in here: ", TOLD).expect("an object");
        let name = fields.text("name").expect_err("a number");
        assert_eq!(name.message(), "in here: name: invalid type: integer `5`, expected a string");
        let metadata = fields.map("metadata").expect_err("a number");
        assert_eq!(metadata.message(), "in here: metadata: invalid type: integer `1`, expected a string");
    }
}
