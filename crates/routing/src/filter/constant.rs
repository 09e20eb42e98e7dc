//! What a filter says of every event alike, and what else is worth knowing about one that is taken.

use std::{fmt, sync::Arc};

use super::{Comparison, Node, Pair};
use crate::{
    attribute::Attribute,
    pointer::{Pointer, Step},
};

/// The text of `specversion` that every event has.
pub(super) const SPECVERSION: &str = "1.0";

/// The most notes that are made of one filter.
const NOTES_MAX: usize = 64;

/// Something that is worth knowing about a filter, and no fault.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FilterNote {
    /// Where it stands in [`Filter::to_json`](super::Filter::to_json), as a JSON pointer; empty where it is about the
    /// whole.
    pub pointer: String,
    /// It continues the sentence that begins with the place.
    pub note: String,
}

impl fmt::Display for FilterNote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.pointer.as_str() {
            "" => write!(f, "the filter {}", self.note),
            pointer => write!(f, "{pointer} in the filter {}", self.note),
        }
    }
}

impl Node {
    /// Tells what it says of every event, where that is the same and can be seen.
    pub(super) fn constant(&self) -> Option<bool> {
        match self {
            Self::Compare(comparison, pairs) => decided(pairs.iter().map(|pair| pair.constant(*comparison)), false),
            Self::All(nodes) | Self::Any(nodes) => {
                let decisive = matches!(self, Self::Any(_));
                let by_parts = decided(nodes.iter().map(|node| node.constant()), decisive);
                by_parts.or_else(|| opposites(nodes).map(|_| decisive))
            }
            Self::Not(node) => node.constant().map(|truth| !truth),
            Self::Sql(expression) => {
                let is_always = expression.is_always_true();
                is_always.then_some(true).or_else(|| expression.never().map(|_| false))
            }
            // Not even `>` is of the platform's own types.
            Self::Types(_) => None,
            Self::Pattern(pattern) => pattern.is_always_true().then_some(true),
        }
    }

    /// Says why it holds for every event, of one that does.
    pub(super) fn reason(&self) -> String {
        match self {
            Self::Compare(..) => format!("every event has the \"specversion\" {SPECVERSION:?}"),
            Self::All(_) => "all that is in it always holds".to_owned(),
            Self::Any(nodes) => match nodes.iter().position(|node| node.constant() == Some(true)) {
                Some(index) => format!("its part {index} does, and one is enough: {}", nodes[index].reason()),
                None => "one of its parts is what another one negates".to_owned(),
            },
            Self::Not(_) => "what it negates never holds".to_owned(),
            Self::Sql(_) => "the expression is true for every event".to_owned(),
            Self::Types(_) => "every type is one of these".to_owned(),
            Self::Pattern(_) => "every event has what it asks for".to_owned(),
        }
    }
}

impl Pair {
    fn constant(&self, comparison: Comparison) -> Option<bool> {
        (self.attribute == Attribute::SpecVersion).then(|| comparison.holds(SPECVERSION, &self.wanted))
    }
}

/// What parts say together of which one that is `decisive` decides.
fn decided(parts: impl Iterator<Item = Option<bool>>, decisive: bool) -> Option<bool> {
    let mut is_known = true;
    for part in parts {
        if part == Some(decisive) {
            return part;
        }
        is_known &= part.is_some();
    }
    is_known.then_some(!decisive)
}

/// Returns the place of a part that is negated beside it.
fn opposites(nodes: &[Arc<Node>]) -> Option<usize> {
    nodes.iter().find_map(|node| match &**node {
        Node::Not(negated) => nodes.iter().position(|other| other == negated),
        _ => None,
    })
}

/// Returns what is worth knowing about a filter.
pub(super) fn notes(filter: &Node) -> Vec<FilterNote> {
    let mut notes = Notes::default();
    notes.walk(filter);
    notes.notes
}

#[derive(Default)]
struct Notes {
    pointer: Pointer,
    notes: Vec<FilterNote>,
}

impl Notes {
    fn note(&mut self, note: String) {
        if self.notes.len() < NOTES_MAX {
            self.notes.push(FilterNote { pointer: self.pointer.text(), note });
        }
    }

    fn walk(&mut self, node: &Node) {
        match node.constant() {
            Some(true) => return self.note(format!("always holds: {}", node.reason())),
            Some(false) => return self.note("never holds: change it".to_owned()),
            None => {}
        }
        self.pointer.enter(Step::Member(node.dialect()));
        match node {
            Node::All(parts) | Node::Any(parts) => {
                for (index, part) in parts.iter().enumerate() {
                    self.pointer.enter(Step::Item(index));
                    match parts[..index].iter().position(|earlier| earlier == part) {
                        Some(earlier) => {
                            self.note(format!("is the same as the part {earlier} beside it: leave one out"))
                        }
                        None => self.walk(part),
                    }
                    self.pointer.leave();
                }
            }
            Node::Not(part) => self.walk(part),
            Node::Compare(..) | Node::Sql(_) | Node::Types(_) | Node::Pattern(_) => {}
        }
        self.pointer.leave();
    }
}
