//! What filters say of an event, from their JSON, which is read anew for each.

use std::{collections::BTreeMap, slice};

use serde_json::Value;
use weir_domain::{AttributeValue, Data, Event};

use crate::{cesql::Expression, document::Document, pattern::Pattern, pointer::Pointer, type_pattern::TypePattern};

/// What one comparison says, given its place, dialect, attribute and text; nothing where that is unknown. Expressions
/// and patterns are one each, as text and without an attribute.
pub(super) type Leaf<'a> = &'a dyn Fn(&str, &str, &str, &str) -> Option<bool>;

/// What a filter says; nothing where that depends on what is unknown.
pub(super) fn outcome(filter: &Value, at: &str, leaf: Leaf<'_>) -> Option<bool> {
    let (dialect, content) = filter.as_object().and_then(|it| it.iter().next()).expect("one member");
    let at = format!("{at}/{dialect}");
    match dialect.as_str() {
        "all" | "any" => {
            let of = |(index, filter): (usize, &Value)| outcome(filter, &format!("{at}/{index}"), leaf);
            let nested = content.as_array().expect("filters").iter().enumerate();
            joined(&nested.map(of).collect::<Vec<_>>(), dialect == "any")
        }
        "not" => outcome(content, &at, leaf).map(|truth| !truth),
        "sql" => leaf(&at, dialect, "", content.as_str().expect("an expression")),
        "pattern" => leaf(&at, dialect, "", &content.to_string()),
        "types" => {
            let types = content.as_array().map_or(slice::from_ref(content), Vec::as_slice);
            let of = |(index, wanted): (usize, &Value)| {
                leaf(&format!("{at}/{index}"), dialect, "type", wanted.as_str().expect("a type"))
            };
            joined(&types.iter().enumerate().map(of).collect::<Vec<_>>(), true)
        }
        _ => {
            let pairs = content.as_object().expect("attributes and texts");
            let of = |(name, wanted): (&String, &Value)| {
                leaf(&format!("{at}/{name}"), dialect, name, wanted.as_str().expect("a text"))
            };
            joined(&pairs.iter().map(of).collect::<Vec<_>>(), false)
        }
    }
}

/// One that is `decisive` decides, and without it one that is unknown leaves all open.
fn joined(parts: &[Option<bool>], decisive: bool) -> Option<bool> {
    if parts.contains(&Some(decisive)) {
        return Some(decisive);
    }
    (!parts.contains(&None)).then_some(!decisive)
}

/// An event as filters see it.
pub(super) struct Seen<'e> {
    event: &'e Event,
    pub(super) attributes: BTreeMap<String, String>,
}

impl<'e> Seen<'e> {
    pub(super) fn of(event: &'e Event) -> Self {
        Self { event, attributes: attributes_of(event) }
    }

    pub(super) fn holds(&self, filter: &Value) -> bool {
        let leaf = |_: &str, dialect: &str, name: &str, wanted: &str| Some(self.says(dialect, name, wanted));
        outcome(filter, "", &leaf).expect("nothing is unknown")
    }

    /// What one comparison says.
    pub(super) fn says(&self, dialect: &str, name: &str, wanted: &str) -> bool {
        match dialect {
            "sql" => Expression::parse(wanted).expect("an expression").holds(self.event),
            "pattern" => self.says_pattern(&serde_json::from_str(wanted).expect("JSON")),
            "types" => TypePattern::parse(wanted).expect("a wildcard").matches(self.event.event_type()),
            _ => self.attributes.get(name).is_some_and(|text| match dialect {
                "exact" => text == wanted,
                "prefix" => text.starts_with(wanted),
                _ => text.ends_with(wanted),
            }),
        }
    }

    fn says_pattern(&self, pattern: &Value) -> bool {
        let pattern = Pattern::parse(pattern, &mut Pointer::default(), &mut Vec::new(), &mut 0).expect("a pattern");
        let document = match self.event.data() {
            Data::Json(text) => Document::read(text, &[pattern.members()]),
            Data::None | Data::Text(_) | Data::Binary(_) => None,
        };
        pattern.holds(self.event, document.as_ref())
    }
}

fn attributes_of(event: &Event) -> BTreeMap<String, String> {
    let names = ["id", "source", "type", "subject", "time", "datacontenttype", "dataschema"];
    let fixed = names.into_iter().zip(event.fixed_values());
    let fixed = fixed.filter_map(|(name, value)| Some((name.to_owned(), value?.to_owned())));
    let extensions = event.extensions().map(|(name, value)| {
        let text = match value {
            AttributeValue::String(text) => text.to_owned(),
            AttributeValue::Integer(number) => number.to_string(),
            AttributeValue::Boolean(truth) => truth.to_string(),
        };
        (name.to_owned(), text)
    });
    fixed.chain(extensions).chain([("specversion".to_owned(), "1.0".to_owned())]).collect()
}
