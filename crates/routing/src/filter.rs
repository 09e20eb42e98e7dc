//! Which events an async subscription wants beyond their type: one tree for all languages of filters, which are the
//! dialects of the CloudEvents Subscriptions API, CESQL, wildcards over types, and patterns.
//!
//! A filter is read once, which is in `parse`, and asked for each event, which is in `evaluate`. What its parts say of
//! one another is in `claims` and `constant`, what it promises to an index in `promise`. Equal parts of many filters
//! become one in `interner`, and are evaluated once for an event, which is `asked`.

mod asked;
mod claims;
mod constant;
mod evaluate;
mod explain;
mod interner;
mod listing;
mod parse;
mod promise;

use std::{
    hash::{Hash, Hasher},
    sync::Arc,
};

use serde_json::{Map, Value};
use weir_domain::Event;

pub(crate) use self::{
    asked::{Asked, Scratch},
    interner::Interner,
};
use self::{claims::Claims, evaluate::Silent};
pub use self::{
    constant::FilterNote,
    explain::{Explained, Term},
    parse::FilterFault,
};
use crate::{
    attribute::Attribute, cesql::Expression, cover::Cover, document::Members, pattern::Pattern,
    type_pattern::TypePattern,
};

/// A filter over events. Immutable, and cheap to clone.
///
/// Two filters are equal where their [canonical](Filter::canonical) texts are.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Filter {
    tree: Arc<Tree>,
}

/// A whole filter.
#[derive(Debug)]
struct Tree {
    root: Arc<Node>,
    /// What the patterns in it ask of the data, where they do.
    members: Option<Box<Members>>,
}

/// One filter expression. There are many: what is large is behind a pointer.
#[derive(Debug, PartialEq, Eq, Hash)]
enum Node {
    /// True where all pairs hold, of which there is at least one; in the order of the names.
    Compare(Comparison, Box<[Pair]>),
    /// True where all are true, of which there are at least two.
    All(Box<[Arc<Node>]>),
    /// True where one is true of at least two.
    Any(Box<[Arc<Node>]>),
    /// True where the other is false.
    Not(Arc<Node>),
    /// True where the expression gives true, and no error.
    Sql(Expression),
    /// True where the type is of one of these, of which there is at least one; sorted, each once.
    Types(Box<[TypePattern]>),
    Pattern(Box<Pattern>),
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

    /// The most values that something is compared with, counted wherever they stand; an expression counts as one.
    pub const TERMS_MAX: usize = 256;

    /// The most bytes of a text that something is compared with, and of an expression.
    pub const VALUE_BYTES_MAX: usize = 4096;

    /// Reads a filter that somebody gives: an object with one dialect, which is `exact`, `prefix`, `suffix`, `all`,
    /// `any`, `not`, `sql`, `types` or `pattern`, or an array of such, which is what `all` of them would be. What can
    /// never hold is a fault, where that can be seen.
    ///
    /// # Errors
    /// All faults in the order in which they stand there, up to 64; never none.
    pub fn parse(value: &Value) -> Result<Self, Vec<FilterFault>> {
        parse::parse(value, Some(Claims::default())).map(Self::new)
    }

    /// Reads a filter that was taken before, as [`Filter::parse`] does, and takes again what can never hold: it may be
    /// older than what is known about that today.
    ///
    /// # Errors
    /// As [`Filter::parse`].
    pub fn parse_stored(value: &Value) -> Result<Self, Vec<FilterFault>> {
        parse::parse(value, None).map(Self::new)
    }

    fn new(root: Arc<Node>) -> Self {
        let mut members = Members::default();
        root.each_pattern(&mut |pattern: &Pattern| members.merge(pattern.members()));
        let members = (!members.is_empty()).then(|| Box::new(members));
        Self { tree: Arc::new(Tree { root, members }) }
    }

    /// Returns the canonical form, which [`Filter::parse`] reads as the same filter: always one object, names of
    /// attributes and whatever has no order sorted, and in the place of an `all` or `any` with one filter that filter
    /// itself.
    #[must_use]
    pub fn to_json(&self) -> Value {
        self.tree.root.to_json()
    }

    /// Returns the canonical form as compact JSON: equal filters have the same text, and others have another one.
    #[must_use]
    pub fn canonical(&self) -> String {
        self.to_json().to_string()
    }

    /// Tells whether an event is wanted. Allocates nothing where neither an expression nor a pattern is asked.
    #[must_use]
    pub fn matches(&self, event: &Event) -> bool {
        let members = self.members();
        let mut asked = Asked::once(event, members.as_slice());
        self.holds(&mut asked)
    }

    /// Tells whether an event is wanted, of whose data at least the [`Self::members`] are seen.
    pub(crate) fn holds<'e>(&'e self, asked: &mut Asked<'e>) -> bool {
        self.tree.root.ask(asked, &mut Silent)
    }

    /// Tells whether an event is wanted, as [`Filter::matches`] does, and what that was decided by.
    #[must_use]
    pub fn explain(&self, event: &Event) -> Explained {
        let members = self.members();
        let mut asked = Asked::once(event, members.as_slice());
        explain::explain(&self.tree.root, &mut asked)
    }

    /// Returns why every event is wanted, where that can be seen. It continues a sentence that says so.
    #[must_use]
    pub fn always_matches(&self) -> Option<String> {
        (self.tree.root.constant() == Some(true)).then(|| self.tree.root.reason())
    }

    /// Returns what is worth knowing about it although it is no fault, by its place in [`Filter::to_json`]: parts that
    /// always hold, and parts that stand there twice. Up to 64.
    #[must_use]
    pub fn notes(&self) -> Vec<FilterNote> {
        constant::notes(&self.tree.root)
    }

    /// Returns what it was compiled to, as a text for people.
    #[must_use]
    pub fn listing(&self) -> String {
        listing::listing(self)
    }

    /// Returns what it asks of the data, if anything.
    pub(crate) fn members(&self) -> Option<&Members> {
        self.tree.members.as_deref()
    }

    /// Returns keys of which every event has at least one that is wanted.
    pub(crate) fn cover(&self) -> Cover {
        self.tree.root.cover(true)
    }
}

impl PartialEq for Tree {
    fn eq(&self, other: &Self) -> bool {
        self.root == other.root
    }
}

impl Eq for Tree {}

impl Hash for Tree {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.root.hash(state);
    }
}

impl Node {
    fn dialect(&self) -> &'static str {
        match self {
            Self::Compare(comparison, _) => comparison.dialect(),
            Self::All(_) => "all",
            Self::Any(_) => "any",
            Self::Not(_) => "not",
            Self::Sql(_) => "sql",
            Self::Types(_) => "types",
            Self::Pattern(_) => "pattern",
        }
    }

    fn each_pattern(&self, each: &mut impl FnMut(&Pattern)) {
        match self {
            Self::All(nodes) | Self::Any(nodes) => nodes.iter().for_each(|node| node.each_pattern(each)),
            Self::Not(node) => node.each_pattern(each),
            Self::Pattern(pattern) => each(pattern),
            Self::Compare(..) | Self::Sql(_) | Self::Types(_) => {}
        }
    }

    fn to_json(&self) -> Value {
        let content = match self {
            Self::Compare(_, pairs) => Value::Object(pairs.iter().map(Pair::to_json).collect()),
            Self::All(nodes) | Self::Any(nodes) => nodes.iter().map(|node| node.to_json()).collect(),
            Self::Not(node) => node.to_json(),
            Self::Sql(expression) => Value::from(expression.canonical()),
            Self::Types(types) => types.iter().map(TypePattern::as_str).collect(),
            Self::Pattern(pattern) => pattern.to_json(),
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
