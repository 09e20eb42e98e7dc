//! Patterns on the attributes and the data of events, in the form that users of EventBridge know.
//!
//! A pattern is read once, which is in `parse`, and asked for each event, which is in `evaluate`. What one value is
//! compared with is in `condition`.

mod condition;
mod evaluate;
mod parse;

use std::hash::{Hash, Hasher};

use serde_json::{Map, Value};
use weir_domain::Event;

pub(crate) use self::{condition::Condition, evaluate::Visitor};
use crate::{
    FilterFault,
    attribute::Attribute,
    cover::{Cover, Key, Operand},
    document::{Document, Members},
    pointer::Pointer,
};

/// The name of the member that stands for the data.
const DATA: &str = "data";
/// The name of the member with patterns of which one must hold.
const OR: &str = "$or";

/// A pattern that can hold for some event. Two are equal where their JSON is.
#[derive(Debug)]
pub(crate) struct Pattern {
    root: Group,
    /// What it asks of the data.
    members: Members,
}

/// Members that must all hold, of which there is at least one, or alternatives.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct Group {
    /// Sorted by name.
    members: Box<[(Box<str>, Content)]>,
    /// One of these must hold, where there are any; sorted, each once.
    any: Box<[Group]>,
}

/// What is asked of a member.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Content {
    Leaf(Leaf),
    Group(Group),
}

/// Conditions of which one must hold; sorted, each once.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct Leaf {
    operand: Operand,
    conditions: Box<[Condition]>,
}

impl Pattern {
    /// How deep objects may be nested in one another, the pattern itself and alternatives counted.
    pub(crate) const DEPTH_MAX: usize = 16;

    /// Reads a pattern that stands at a place of a filter, and counts the values that are compared in `terms`. Gives
    /// nothing only where it has told a fault; what can never hold is one.
    pub(crate) fn parse(
        value: &Value,
        at: &mut Pointer,
        faults: &mut Vec<FilterFault>,
        terms: &mut usize,
    ) -> Option<Self> {
        let told = faults.len();
        let root = parse::read(value, at, faults, terms)?;
        // A fault that left something readable, such as one term too many, is one all the same.
        (faults.len() == told).then(|| Self::new(root))
    }

    fn new(root: Group) -> Self {
        let mut members = Members::default();
        root.each_leaf(&mut |leaf: &Leaf| {
            if let Operand::Data(path) = &leaf.operand {
                members.add(path);
            }
        });
        Self { root, members }
    }

    /// Tells whether it holds for an event. The document is of its data, with at least the [`Self::members`] in it, or
    /// missing where the data is no JSON.
    pub(crate) fn holds(&self, event: &Event, document: Option<&Document<'_>>) -> bool {
        self.evaluate(event, document, &mut evaluate::Silent)
    }

    /// Returns what it asks of the data.
    pub(crate) fn members(&self) -> &Members {
        &self.members
    }

    /// Tells whether it holds for every event; of what does so for less obvious reasons, it does not.
    pub(crate) fn is_always_true(&self) -> bool {
        self.root.is_always_true()
    }

    /// Returns keys of which every event has at least one for which it holds.
    pub(crate) fn cover(&self) -> Cover {
        self.root.cover()
    }

    /// Returns the canonical form, which is read as the same pattern: names, alternatives and conditions are sorted,
    /// and each stands there once.
    pub(crate) fn to_json(&self) -> Value {
        self.root.to_json()
    }
}

impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        self.root == other.root
    }
}

impl Eq for Pattern {}

impl Hash for Pattern {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.root.hash(state);
    }
}

impl Group {
    fn each_leaf<'g>(&'g self, each: &mut impl FnMut(&'g Leaf)) {
        for (_, content) in &self.members {
            match content {
                Content::Leaf(leaf) => each(leaf),
                Content::Group(group) => group.each_leaf(each),
            }
        }
        self.any.iter().for_each(|group| group.each_leaf(each));
    }

    fn is_always_true(&self) -> bool {
        let members = self.members.iter().all(|(_, content)| match content {
            Content::Leaf(leaf) => leaf.is_always_true(),
            Content::Group(group) => group.is_always_true(),
        });
        members && (self.any.is_empty() || self.any.iter().any(Self::is_always_true))
    }

    fn cover(&self) -> Cover {
        let any = self.any.iter().map(Self::cover).reduce(Cover::or).unwrap_or(Cover::NONE);
        let members = self.members.iter().map(|(_, content)| match content {
            Content::Leaf(leaf) => leaf.cover(),
            Content::Group(group) => group.cover(),
        });
        members.fold(any, Cover::and)
    }

    fn to_json(&self) -> Value {
        let mut members: Map<String, Value> = Map::new();
        for (name, content) in &self.members {
            let content = match content {
                Content::Leaf(leaf) => leaf.conditions.iter().map(Condition::to_json).collect(),
                Content::Group(group) => group.to_json(),
            };
            members.insert(name.to_string(), content);
        }
        let mut any: Vec<Value> = self.any.iter().map(Self::to_json).collect();
        if let [only] = &*any {
            // Whoever wrote the same twice reads it so: one alone would be refused.
            any.push(only.clone());
        }
        if !any.is_empty() {
            members.insert(OR.to_owned(), Value::Array(any));
        }
        Value::Object(members)
    }
}

impl Leaf {
    fn is_always_true(&self) -> bool {
        let has = |wanted: Condition| self.conditions.contains(&wanted);
        let by_attribute = match &self.operand {
            Operand::Attribute(Attribute::SpecVersion) => true,
            Operand::Attribute(attribute) if is_required(attribute) => {
                self.conditions.iter().any(Condition::holds_for_all_texts)
            }
            _ => false,
        };
        by_attribute || (has(Condition::Exists(true)) && has(Condition::Exists(false)))
    }

    fn cover(&self) -> Cover {
        let keys: Option<Vec<Key>> = self.conditions.iter().map(|condition| condition.key(&self.operand)).collect();
        keys.map_or(Cover::NONE, Cover::of)
    }
}

/// Returns the name of what is compared, as people are shown it: `subject`, `data.order.id`.
pub(crate) fn name_of(operand: &Operand) -> String {
    match operand {
        Operand::Attribute(attribute) => attribute.name().to_owned(),
        Operand::Data(path) => path.iter().fold(DATA.to_owned(), |name, part| name + "." + part),
    }
}

/// Tells whether every event has an attribute.
fn is_required(attribute: &Attribute) -> bool {
    matches!(attribute, Attribute::Id | Attribute::Source | Attribute::SpecVersion | Attribute::Type)
}

#[cfg(test)]
mod tests;
