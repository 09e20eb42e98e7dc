//! Which events an async subscription wants beyond their type: the filter dialects that the CloudEvents Subscriptions
//! API 1.0 asks of everybody.
//!
//! A filter is read once, which is in `parse`, and asked for each event, which is in `evaluate`. What an expression of
//! SQL would be is not known here.

mod evaluate;
mod parse;

use std::sync::Arc;

use serde_json::{Map, Value};
use weir_domain::Event;

pub use self::{
    evaluate::{Explained, Term},
    parse::FilterFault,
};
use crate::attribute::Attribute;

/// A filter over the attributes of events. Immutable, and cheap to clone.
///
/// Two filters are equal where their [canonical](Filter::canonical) texts are.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Filter {
    root: Arc<Node>,
}

/// One filter expression.
#[derive(Debug, PartialEq, Eq, Hash)]
enum Node {
    /// True where all pairs hold, of which there is at least one; in the order of the names.
    Compare(Comparison, Box<[Pair]>),
    /// True where all are true, of which there are at least two.
    All(Box<[Node]>),
    /// True where one is true of at least two.
    Any(Box<[Node]>),
    /// True where the other is false.
    Not(Box<Node>),
}

/// An attribute and the text that it is compared with.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Pair {
    attribute: Attribute,
    wanted: Box<str>,
}

/// How the text of an attribute is compared, letter by letter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Comparison {
    Exact,
    Prefix,
    Suffix,
}

impl Filter {
    /// How deep filters may be nested in one another; an array of filters counts as `all`.
    pub const DEPTH_MAX: usize = 16;

    /// The most attributes that are compared, counted wherever they stand.
    pub const TERMS_MAX: usize = 256;

    /// The most bytes of a text that an attribute is compared with.
    pub const VALUE_BYTES_MAX: usize = 4096;

    /// Reads a filter: an object with one of `exact`, `prefix`, `suffix`, `all`, `any` and `not`, or an array of such,
    /// which is what `all` of them would be.
    ///
    /// # Errors
    /// All faults in the order in which they stand there, up to 64; never none.
    pub fn parse(value: &Value) -> Result<Self, Vec<FilterFault>> {
        parse::parse(value).map(|root| Self { root: Arc::new(root) })
    }

    /// Returns the canonical form, which [`Filter::parse`] reads as the same filter: always one object, names of
    /// attributes sorted, and in the place of an `all` or `any` with one filter that filter itself.
    #[must_use]
    pub fn to_json(&self) -> Value {
        self.root.to_json()
    }

    /// Returns the canonical form as compact JSON: equal filters have the same text, and others have another one.
    #[must_use]
    pub fn canonical(&self) -> String {
        self.to_json().to_string()
    }

    /// Tells whether an event is wanted. Allocates nothing.
    #[must_use]
    pub fn matches(&self, event: &Event) -> bool {
        evaluate::matches(&self.root, event)
    }

    /// Tells whether an event is wanted, as [`Filter::matches`] does, and what that was decided by.
    #[must_use]
    pub fn explain(&self, event: &Event) -> Explained {
        evaluate::explain(&self.root, event)
    }
}

impl Node {
    fn dialect(&self) -> &'static str {
        match self {
            Self::Compare(comparison, _) => comparison.dialect(),
            Self::All(_) => "all",
            Self::Any(_) => "any",
            Self::Not(_) => "not",
        }
    }

    fn to_json(&self) -> Value {
        let content = match self {
            Self::Compare(_, pairs) => Value::Object(pairs.iter().map(Pair::to_json).collect()),
            Self::All(nodes) | Self::Any(nodes) => Value::Array(nodes.iter().map(Self::to_json).collect()),
            Self::Not(node) => node.to_json(),
        };
        Value::Object(Map::from_iter([(self.dialect().to_owned(), content)]))
    }
}

impl Pair {
    fn to_json(&self) -> (String, Value) {
        (self.attribute.name().to_owned(), Value::from(&*self.wanted))
    }
}

impl Comparison {
    fn dialect(self) -> &'static str {
        match self {
            Self::Exact => "exact",
            Self::Prefix => "prefix",
            Self::Suffix => "suffix",
        }
    }

    fn holds(self, text: &str, wanted: &str) -> bool {
        match self {
            Self::Exact => text == wanted,
            Self::Prefix => text.starts_with(wanted),
            Self::Suffix => text.ends_with(wanted),
        }
    }
}

#[cfg(test)]
mod tests;
