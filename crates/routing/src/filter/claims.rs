//! What must hold together within one filter, and which of it cannot.

use std::sync::Arc;

use super::{Comparison, Node};
use crate::{attribute::Attribute, type_pattern::TypePattern};

/// All that an event must have at once, by where it was asked for.
#[derive(Debug, Default)]
pub(super) struct Claims(Vec<(String, Claim)>);

/// One thing that an event must have.
#[derive(Debug)]
pub(super) enum Claim {
    /// The text of an attribute compares so.
    Text(Attribute, Comparison, Box<str>),
    /// The type is of one of these.
    Types(Box<[TypePattern]>),
    Holds(Arc<Node>),
    Fails(Arc<Node>),
}

impl Claims {
    /// Adds a claim. Where no event can have both it and an earlier one, returns the place of that.
    pub(super) fn add(&mut self, place: String, claim: Claim) -> Option<String> {
        let contradicts = |(_, earlier): &&(String, Claim)| earlier.excludes(&claim) || claim.excludes(earlier);
        let earlier = self.0.iter().find(contradicts).map(|(place, _)| place.clone());
        self.0.push((place, claim));
        earlier
    }
}

impl Claim {
    /// Tells whether it is seen from this side that no event can have both.
    fn excludes(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Text(one, comparison, text), Self::Text(other, beside, wanted)) if one == other => {
                are_apart((*comparison, &**text), (*beside, &**wanted))
            }
            (Self::Text(Attribute::Type, comparison, text), Self::Types(types)) => {
                !types.iter().any(|pattern| may_be(pattern, *comparison, text))
            }
            (Self::Types(ones), Self::Types(others)) => {
                !ones.iter().any(|one| others.iter().any(|other| have_common(one, other)))
            }
            (Self::Text(attribute, Comparison::Exact, text), Self::Fails(node)) => is_met(node, attribute, text),
            (Self::Holds(one), Self::Fails(other)) => one == other,
            _ => false,
        }
    }
}

/// Tells whether no text compares in both ways.
fn are_apart((comparison, text): (Comparison, &str), (beside, wanted): (Comparison, &str)) -> bool {
    match (comparison, beside) {
        (Comparison::Exact, _) => !beside.holds(text, wanted),
        (Comparison::Prefix, Comparison::Prefix) => !text.starts_with(wanted) && !wanted.starts_with(text),
        (Comparison::Suffix, Comparison::Suffix) => !text.ends_with(wanted) && !wanted.ends_with(text),
        _ => false,
    }
}

/// Tells whether a type that is meant may compare so.
fn may_be(pattern: &TypePattern, comparison: Comparison, text: &str) -> bool {
    match (pattern.name(), comparison) {
        (Some(name), _) => comparison.holds(name, text),
        (None, Comparison::Exact) => pattern.matches(text),
        // No wildcard meets those.
        (None, Comparison::Prefix) => !TypePattern::is_own(text),
        (None, Comparison::Suffix) => true,
    }
}

/// Tells whether there may be a type that both mean.
fn have_common(one: &TypePattern, other: &TypePattern) -> bool {
    match (one.name(), other.name()) {
        (Some(name), _) => other.matches(name),
        (None, Some(name)) => one.matches(name),
        (None, None) => true,
    }
}

/// Tells whether a node holds by the text of one attribute alone.
fn is_met(node: &Node, attribute: &Attribute, text: &str) -> bool {
    match node {
        Node::Compare(comparison, pairs) => match &**pairs {
            [pair] => pair.attribute == *attribute && comparison.holds(text, &pair.wanted),
            _ => false,
        },
        Node::Types(types) => *attribute == Attribute::Type && types.iter().any(|pattern| pattern.matches(text)),
        _ => false,
    }
}
