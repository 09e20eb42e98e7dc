//! What a filter was compiled to, for people: its canonical form, how an index finds it, and what it reads.

use std::{collections::BTreeSet, ops::Bound};

use serde_json::Value;

use super::{Filter, Node};
use crate::{
    cover::{Interval, Key, Literal, Number},
    pattern::name_of,
    pointer::{Pointer, Step},
};

/// Shows a filter.
pub(super) fn listing(filter: &Filter) -> String {
    let mut listing = format!("{:#}\n\n", filter.to_json());
    let cover = filter.cover();
    match cover.keys() {
        Some(keys) => {
            // There may be equal ones.
            let keys: BTreeSet<String> = keys.iter().map(key).collect();
            listing.push_str("Looked up by what an event must have, of which one is enough:\n");
            lines(&mut listing, keys.iter().map(String::as_str));
        }
        None => listing.push_str("Not looked up: it is asked about every event of its types.\n"),
    }
    let mut parts = Parts::default();
    parts.walk(&filter.tree.root);
    if !parts.members.is_empty() {
        listing.push_str("\nReads of the data:\n");
        lines(&mut listing, parts.members.iter().map(String::as_str));
    }
    for (place, expression) in parts.expressions {
        listing.push_str(&format!("\n{place} is compiled to:\n"));
        lines(&mut listing, expression.lines());
    }
    listing
}

fn lines<'a>(listing: &mut String, lines: impl Iterator<Item = &'a str>) {
    for line in lines {
        listing.push_str("  ");
        listing.push_str(line);
        listing.push('\n');
    }
}

fn key(key: &Key) -> String {
    let name = name_of(key.operand());
    match key {
        Key::Equal(_, Literal::Null) => format!("{name} is null"),
        Key::Equal(_, Literal::Boolean(truth)) => format!("{name} is {truth}"),
        Key::Equal(_, Literal::Number(number)) => format!("{name} is {}", number.get()),
        Key::Equal(_, Literal::Text(text)) => format!("{name} is {text:?}"),
        Key::Prefix(_, text) => format!("{name} begins with {text:?}"),
        Key::Within(_, interval) => format!("{name} is {}", within(interval)),
    }
}

fn within(interval: &Interval) -> String {
    let end = |end: Bound<Number>, with: &str, without: &str| match end {
        Bound::Included(number) => Some(format!("{with} {}", number.get())),
        Bound::Excluded(number) => Some(format!("{without} {}", number.get())),
        Bound::Unbounded => None,
    };
    let ends = [end(interval.low, ">=", ">"), end(interval.high, "<=", "<")];
    ends.into_iter().flatten().collect::<Vec<_>>().join(" and ")
}

/// What stands in the parts of a filter.
#[derive(Default)]
struct Parts {
    pointer: Pointer,
    /// The names of what patterns read.
    members: BTreeSet<String>,
    /// By their places.
    expressions: Vec<(String, String)>,
}

impl Parts {
    fn walk(&mut self, node: &Node) {
        self.pointer.enter(Step::Member(node.dialect()));
        match node {
            Node::All(nodes) | Node::Any(nodes) => {
                for (index, node) in nodes.iter().enumerate() {
                    self.pointer.enter(Step::Item(index));
                    self.walk(node);
                    self.pointer.leave();
                }
            }
            Node::Not(node) => self.walk(node),
            Node::Sql(expression) => self.expressions.push((self.pointer.text(), expression.listing())),
            Node::Pattern(pattern) => members(&pattern.to_json(), None, &mut self.members),
            Node::Compare(..) | Node::Types(_) => {}
        }
        self.pointer.leave();
    }
}

/// Finds the members of the data that a pattern, or a part of one that stands at a member, reads.
fn members(pattern: &Value, at: Option<&str>, found: &mut BTreeSet<String>) {
    let Some(pattern) = pattern.as_object() else { return };
    for (name, content) in pattern {
        let at = match (at, name.as_str(), content) {
            (at, "$or", Value::Array(others)) => {
                others.iter().for_each(|other| members(other, at, found));
                continue;
            }
            (Some(at), name, _) => format!("{at}.{name}"),
            (None, "data", _) => "data".to_owned(),
            (None, _, _) => continue,
        };
        if content.is_array() {
            found.insert(at);
        } else {
            members(content, Some(&at), found);
        }
    }
}
