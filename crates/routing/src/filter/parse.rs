//! Reading filters: every rule of the dialects and every bound, and all that is wrong at once.

use std::{error::Error, fmt};

use serde_json::Value;

use super::{Comparison, Filter, Node, Pair};
use crate::{
    attribute::Attribute,
    pointer::{Pointer, Step},
    spelling,
};

/// The dialects, in the order in which they are told.
const DIALECTS: [&str; 6] = ["exact", "prefix", "suffix", "all", "any", "not"];

/// The most faults that are told of one filter.
const FAULTS_MAX: usize = 64;

/// One thing that is wrong with a filter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FilterFault {
    /// Where it stands, as a JSON pointer (RFC 6901) into what was given; empty where it is about the whole.
    pub pointer: String,
    /// What is wrong and what to do about it; it continues the sentence that begins with the place.
    pub problem: String,
}

impl fmt::Display for FilterFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.pointer.as_str() {
            "" => write!(f, "the filter {}", self.problem),
            pointer => write!(f, "{pointer} in the filter {}", self.problem),
        }
    }
}

impl Error for FilterFault {}

/// Reads a whole filter, or tells its faults, of which there is at least one then.
pub(super) fn parse(value: &Value) -> Result<Node, Vec<FilterFault>> {
    let mut reader = Reader::default();
    let root = match value {
        Value::Array(filters) if filters.is_empty() => {
            reader.refuse("has no filters in it: leave it out, and every event is taken")
        }
        Value::Array(_) => reader.joined(value, 1, Node::All),
        _ => reader.filter(value, 1),
    };
    match root {
        Some(root) if reader.faults.is_empty() => Ok(root),
        _ => Err(reader.faults),
    }
}

/// What was read and found so far. Whatever gives nothing has told a fault.
#[derive(Default)]
struct Reader {
    pointer: Pointer,
    terms: usize,
    faults: Vec<FilterFault>,
}

impl Reader {
    fn fault(&mut self, problem: impl Into<String>) {
        if self.faults.len() < FAULTS_MAX {
            self.faults.push(FilterFault { pointer: self.pointer.text(), problem: problem.into() });
        }
    }

    fn refuse<T>(&mut self, problem: impl Into<String>) -> Option<T> {
        self.fault(problem);
        None
    }

    fn within<T>(&mut self, step: Step<'_>, read: impl FnOnce(&mut Self) -> T) -> T {
        self.pointer.enter(step);
        let result = read(self);
        self.pointer.leave();
        result
    }

    /// Reads one object with a dialect; `depth` is 1 for the outermost.
    fn filter(&mut self, value: &Value, depth: usize) -> Option<Node> {
        if depth > Filter::DEPTH_MAX {
            return self.refuse(format!("is nested more than {} deep: flatten it", Filter::DEPTH_MAX));
        }
        let members = match value {
            Value::Object(members) => members,
            Value::Array(_) => return self.refuse("must be one filter, not an array: write {\"all\": [...]}"),
            _ => {
                let problem = "must be an object such as {\"exact\": {\"subject\": \"a\"}}";
                return self.refuse(format!("{problem}, not {}", kind(value)));
            }
        };
        match members.len() {
            1 => {}
            0 => return self.refuse(format!("is empty: give it one of {}", DIALECTS.join(", "))),
            many => self.fault(format!(
                "has {many} members, and may have one: make each an object of its own, and put these into \"all\""
            )),
        }
        // Where there are more than one, they are read for their faults only.
        members.iter().fold(None, |_, (dialect, content)| {
            self.within(Step::Member(dialect), |reader| reader.dialect(dialect, content, depth))
        })
    }

    fn dialect(&mut self, dialect: &str, content: &Value, depth: usize) -> Option<Node> {
        match dialect {
            "exact" => self.comparison(Comparison::Exact, content),
            "prefix" => self.comparison(Comparison::Prefix, content),
            "suffix" => self.comparison(Comparison::Suffix, content),
            "all" => self.joined(content, depth, Node::All),
            "any" => self.joined(content, depth, Node::Any),
            "not" => self.filter(content, depth + 1).map(|node| Node::Not(Box::new(node))),
            "sql" => self.refuse(format!("is not supported yet: use {}", DIALECTS.join(", "))),
            _ => self.refuse(unknown(dialect)),
        }
    }

    /// Reads the array of filters of a dialect that stands at a depth.
    fn joined(&mut self, content: &Value, depth: usize, join: fn(Box<[Node]>) -> Node) -> Option<Node> {
        let Value::Array(filters) = content else {
            return self.refuse(format!("must be an array of filters, not {}", kind(content)));
        };
        if filters.is_empty() {
            return self.refuse("is empty: give it at least one filter");
        }
        let read = filters
            .iter()
            .enumerate()
            .map(|(index, filter)| self.within(Step::Item(index), |reader| reader.filter(filter, depth + 1)));
        // All are read before any is missed, for the faults of all.
        let read: Vec<Option<Node>> = read.collect();
        let nodes: Vec<Node> = read.into_iter().collect::<Option<_>>()?;
        Some(match <[Node; 1]>::try_from(nodes) {
            Ok([only]) => only,
            Err(nodes) => join(nodes.into()),
        })
    }

    fn comparison(&mut self, comparison: Comparison, content: &Value) -> Option<Node> {
        let Value::Object(members) = content else {
            let problem = "must be an object with names of attributes and what they are compared with";
            return self.refuse(format!("{problem}, not {}", kind(content)));
        };
        if members.is_empty() {
            return self.refuse("is empty: name at least one attribute and what it is compared with");
        }
        let read =
            members.iter().map(|(name, wanted)| self.within(Step::Member(name), |reader| reader.pair(name, wanted)));
        let read: Vec<Option<Pair>> = read.collect();
        let mut pairs: Vec<Pair> = read.into_iter().collect::<Option<_>>()?;
        pairs.sort_by(|one, other| one.attribute.name().cmp(other.attribute.name()));
        Some(Node::Compare(comparison, pairs.into()))
    }

    fn pair(&mut self, name: &str, wanted: &Value) -> Option<Pair> {
        self.terms += 1;
        if self.terms == Filter::TERMS_MAX + 1 {
            self.fault(format!(
                "is more than the {} attributes that a filter may compare: take some out",
                Filter::TERMS_MAX
            ));
        }
        let attribute = Attribute::parse(name).map_err(|problem| self.fault(problem)).ok();
        let wanted = self.wanted(wanted);
        Some(Pair { attribute: attribute?, wanted: wanted? })
    }

    fn wanted(&mut self, value: &Value) -> Option<Box<str>> {
        match value {
            Value::String(text) if text.is_empty() => {
                self.refuse("must not be empty: give a text, or leave the attribute out")
            }
            Value::String(text) if text.len() > Filter::VALUE_BYTES_MAX => {
                self.refuse(format!("is longer than {} bytes: shorten it", Filter::VALUE_BYTES_MAX))
            }
            Value::String(text) => Some(text.as_str().into()),
            Value::Number(_) | Value::Bool(_) => self.refuse(format!("must be a string: write \"{value}\"")),
            _ => self.refuse(format!("must be a string, not {}", kind(value))),
        }
    }
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    }
}

/// Says what is wrong with a dialect that there is not.
fn unknown(dialect: &str) -> String {
    if Attribute::defined(dialect).is_some() {
        return format!("is an attribute and no dialect: write {{\"exact\": {{\"{dialect}\": ...}}}}");
    }
    let meant = match dialect {
        "and" => Some("all"),
        "or" => Some("any"),
        _ => spelling::nearest(dialect, &DIALECTS),
    };
    match meant {
        Some(known) => format!("is no dialect: did you mean {known:?}?"),
        None => format!("is no dialect: choose one of {}", DIALECTS.join(", ")),
    }
}
