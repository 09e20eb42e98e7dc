//! How much work a schema can make, found out before it is compiled.
//!
//! A small schema can ask for a lot: definitions that use one another twice double the work with each of them, a long
//! chain of references takes stack, and one that refers to itself from several branches makes a tree of faults of nested
//! data. The walk here follows the references as checking does and counts; what is too much is refused, and what makes
//! listing faults expensive is remembered for [`Shape::listing`].

use std::collections::HashMap;

use percent_encoding::percent_decode_str;
use serde_json::{Map, Value};

use super::SchemaError;
use crate::limits;

/// The most that looking for all faults may take: bytes of data times schemas that apply to one value.
const LISTING_WORK_MAX: u64 = 256 * 1024;
/// The most schemas within one another while faults of nested data are looked for: bounds the stack.
const LISTING_LEVELS_MAX: u64 = 512;

/// What is known about the work that a schema makes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Shape {
    /// The most schemas that apply to one value.
    overlap: u64,
    /// The most schemas within one another that apply to the same value.
    chain: u64,
    /// It refers to itself.
    is_recursive: bool,
    /// It refers to itself from several branches for one value.
    is_branching: bool,
    /// It has branches, each of which is looked through where all fail.
    has_alternatives: bool,
}

/// How many violations can be looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Listing {
    All,
    First,
    None,
}

impl Shape {
    /// Walks through a schema that its meta-schema allows.
    pub(super) fn measure(document: &Value) -> Result<Self, SchemaError> {
        let mut anchors = HashMap::new();
        collect_anchors(document, &mut anchors);
        let id = document.get("$id").and_then(Value::as_str).map(|id| id.trim_end_matches('#'));
        let mut walk = Walk { document, id, anchors, states: HashMap::new(), patterns: 0, shape: Self::default() };
        let reach = walk.visit(document, "", 0)?;
        // Definitions that nobody uses must be good too, but make no work.
        for name in ["$defs", "definitions"] {
            for (key, definition) in document.get(name).and_then(Value::as_object).into_iter().flatten() {
                walk.visit(definition, &child(&format!("/{name}"), key), 1)?;
            }
        }
        let mut shape = walk.shape;
        (shape.overlap, shape.is_branching) = (reach.largest(), reach.back > 1);
        if shape.is_recursive && shape.chain > limits::SCHEMA_CHAIN_MAX {
            let most = limits::SCHEMA_CHAIN_MAX;
            let message = format!(
                "it refers to itself and applies {} schemas within one another to the same value: make that {most} at most",
                shape.chain
            );
            return Err(SchemaError::new("", message));
        }
        Ok(shape)
    }

    /// Returns how much work data of so many bytes make, in the unit of [`limits::SCHEMA_WORK_MAX`].
    pub(super) fn work(&self, bytes: usize) -> u64 {
        (bytes as u64).saturating_mul(self.overlap)
    }

    /// Returns how many schemas apply to one value at most, where data of so many bytes are too much work for that.
    pub(super) fn excess(&self, bytes: usize) -> Option<u64> {
        (self.work(bytes) > limits::SCHEMA_WORK_MAX).then_some(self.overlap)
    }

    /// Tells how many violations can be looked for in data of so many bytes.
    pub(super) fn listing(&self, data: &Value, bytes: usize) -> Listing {
        let levels = || (nesting(data) as u64).saturating_mul(2 * self.chain);
        if self.is_branching || (self.is_recursive && levels() > LISTING_LEVELS_MAX) {
            return Listing::None;
        }
        match self.work(bytes) <= LISTING_WORK_MAX {
            true => Listing::All,
            false if self.has_alternatives => Listing::None,
            false => Listing::First,
        }
    }
}

/// Returns how deeply arrays and objects nest.
pub(super) fn nesting(value: &Value) -> usize {
    match value {
        Value::Array(items) => 1 + items.iter().map(nesting).max().unwrap_or_default(),
        Value::Object(members) => 1 + members.values().map(nesting).max().unwrap_or_default(),
        _ => 0,
    }
}

/// What a schema reaches from one value on.
#[derive(Clone, Copy)]
struct Reach {
    /// Schemas that apply to the value itself.
    here: u64,
    /// The most that apply to one value somewhere below it.
    below: u64,
    /// Ways back to a schema that is being walked through.
    back: u64,
    /// The most schemas within one another that apply to the value itself.
    chain: u64,
}

impl Reach {
    const LEAF: Self = Self { here: 1, below: 0, back: 0, chain: 1 };
    const BACK: Self = Self { back: 1, ..Self::LEAF };

    const fn largest(&self) -> u64 {
        if self.here > self.below { self.here } else { self.below }
    }

    /// Adds a schema for the same value.
    fn add_here(&mut self, other: &Self) {
        self.here = self.here.saturating_add(other.here);
        self.below = self.below.saturating_add(other.below);
        self.back = self.back.saturating_add(other.back);
        self.chain = self.chain.max(1 + other.chain);
    }

    /// Adds schemas for values below, each for another one: of them the largest counts.
    fn add_below(&mut self, others: &[Self]) {
        let most = |count: fn(&Self) -> u64| others.iter().map(count).max().unwrap_or_default();
        self.below = self.below.saturating_add(most(Self::largest));
        self.back = self.back.saturating_add(most(|other: &Self| other.back));
    }
}

/// What the schemas under a keyword apply to.
#[derive(Clone, Copy)]
enum Target {
    /// The same value.
    Here,
    /// A value below, to which the schemas of other keywords may apply as well.
    Below,
    /// Values below, each to one of its own.
    Apart,
}

fn target(keyword: &str) -> Option<Target> {
    match keyword {
        "allOf" | "anyOf" | "oneOf" | "not" | "if" | "then" | "else" | "dependentSchemas" | "dependencies" => {
            Some(Target::Here)
        }
        "patternProperties"
        | "additionalProperties"
        | "unevaluatedProperties"
        | "propertyNames"
        | "additionalItems"
        | "unevaluatedItems"
        | "contains" => Some(Target::Below),
        "properties" | "prefixItems" | "items" => Some(Target::Apart),
        _ => None,
    }
}

/// Returns the schemas under a keyword with their places.
fn schemas<'d>(keyword: &str, value: &'d Value, place: &str) -> Vec<(String, &'d Value)> {
    let is_map = matches!(keyword, "properties" | "patternProperties" | "dependentSchemas" | "dependencies");
    match value {
        Value::Array(items) => items.iter().enumerate().map(|(at, item)| (format!("{place}/{at}"), item)).collect(),
        Value::Object(members) if is_map => members.iter().map(|(name, it)| (child(place, name), it)).collect(),
        _ => vec![(place.to_owned(), value)],
    }
}

fn child(place: &str, name: &str) -> String {
    format!("{place}/{}", name.replace('~', "~0").replace('/', "~1"))
}

/// Where the walk stands with a schema.
enum State {
    Open,
    Done(Reach),
}

struct Walk<'d> {
    document: &'d Value,
    /// What the document calls itself.
    id: Option<&'d str>,
    anchors: HashMap<&'d str, &'d Value>,
    /// By the address of the schema, which lives as long as the walk.
    states: HashMap<usize, State>,
    patterns: usize,
    shape: Shape,
}

impl<'d> Walk<'d> {
    fn visit(&mut self, schema: &'d Value, place: &str, depth: usize) -> Result<Reach, SchemaError> {
        let Value::Object(members) = schema else { return Ok(Reach::LEAF) };
        let address = std::ptr::from_ref(members).addr();
        match self.states.get(&address) {
            Some(State::Done(reach)) => return Ok(*reach),
            Some(State::Open) => {
                self.shape.is_recursive = true;
                return Ok(Reach::BACK);
            }
            None => {}
        }
        if depth > limits::SCHEMA_DEPTH_MAX {
            let most = limits::SCHEMA_DEPTH_MAX;
            return Err(SchemaError::new(
                place,
                format!("more than {most} schemas lie within one another: make it flatter"),
            ));
        }
        self.states.insert(address, State::Open);
        self.check(members, place)?;
        let mut reach = Reach::LEAF;
        for (keyword, value) in members {
            let place = child(place, keyword);
            if let ("$ref" | "$dynamicRef", Some(reference)) = (keyword.as_str(), value.as_str()) {
                let (found_at, found) = self.find(reference).map_err(|problem| SchemaError::new(&place, problem))?;
                reach.add_here(&self.visit(found, found_at.as_deref().unwrap_or(&place), depth + 1)?);
                continue;
            }
            let Some(target) = target(keyword) else { continue };
            let below: Vec<Reach> = schemas(keyword, value, &place)
                .into_iter()
                .map(|(place, schema)| self.visit(schema, &place, depth + 1))
                .collect::<Result<_, _>>()?;
            match target {
                Target::Here => below.iter().for_each(|each| reach.add_here(each)),
                Target::Below => below.iter().for_each(|each| reach.add_below(&[*each])),
                Target::Apart => reach.add_below(&below),
            }
        }
        if reach.largest() > limits::SCHEMA_OVERLAP_MAX {
            let most = limits::SCHEMA_OVERLAP_MAX;
            return Err(SchemaError::new(place, format!("more than {most} schemas apply to one value: use fewer")));
        }
        self.shape.chain = self.shape.chain.max(reach.chain);
        self.states.insert(address, State::Done(reach));
        Ok(reach)
    }

    /// Checks and counts what one schema says itself.
    fn check(&mut self, members: &Map<String, Value>, place: &str) -> Result<(), SchemaError> {
        let id = members.get("$id").and_then(Value::as_str);
        // In draft-07 an identifier that is only a fragment is an anchor.
        if !place.is_empty() && id.is_some_and(|id| !id.starts_with('#')) {
            let message = "only the schema as a whole may have an $id: remove it, and refer to this as #/…";
            return Err(SchemaError::new(format!("{place}/$id"), message));
        }
        if !place.is_empty() && members.get("$schema").is_some_and(|named| Some(named) != self.document.get("$schema"))
        {
            let message = "only the schema as a whole may choose a dialect: remove it";
            return Err(SchemaError::new(format!("{place}/$schema"), message));
        }
        self.shape.has_alternatives |= members.contains_key("anyOf") || members.contains_key("oneOf");
        self.patterns += usize::from(members.contains_key("pattern"));
        self.patterns += members.get("patternProperties").and_then(Value::as_object).map_or(0, Map::len);
        if self.patterns > limits::SCHEMA_PATTERNS_MAX {
            let most = limits::SCHEMA_PATTERNS_MAX;
            return Err(SchemaError::new(place, format!("the schema has more than {most} patterns: use fewer")));
        }
        Ok(())
    }

    /// Finds what a reference is to, and its place where the reference tells it.
    fn find(&self, reference: &str) -> Result<(Option<String>, &'d Value), &'static str> {
        const NOTHING: &str = "this refers to nothing in the schema: correct the reference";
        const ELSEWHERE: &str = "this refers to another document, and none is fetched: write into the schema what is meant, \
                                 and refer to it such as #/$defs/name";
        let own = self.id.filter(|id| !id.is_empty()).and_then(|id| reference.strip_prefix(id));
        let fragment = match own.unwrap_or(reference) {
            "" if own.is_some() => "",
            rest => rest.strip_prefix('#').ok_or(ELSEWHERE)?,
        };
        let fragment = percent_decode_str(fragment).decode_utf8().map_err(|_| NOTHING)?;
        if fragment.is_empty() || fragment.starts_with('/') {
            let found = self.document.pointer(&fragment).ok_or(NOTHING)?;
            return Ok((Some(fragment.into_owned()), found));
        }
        self.anchors.get(&*fragment).map(|found| (None, *found)).ok_or(NOTHING)
    }
}

fn collect_anchors<'d>(value: &'d Value, anchors: &mut HashMap<&'d str, &'d Value>) {
    match value {
        Value::Array(items) => items.iter().for_each(|item| collect_anchors(item, anchors)),
        Value::Object(members) => {
            let named = |keyword: &str| members.get(keyword).and_then(Value::as_str);
            let old = named("$id").and_then(|id| id.strip_prefix('#'));
            for anchor in [named("$anchor"), named("$dynamicAnchor"), old].into_iter().flatten() {
                anchors.insert(anchor, value);
            }
            members.values().for_each(|member| collect_anchors(member, anchors));
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests;
