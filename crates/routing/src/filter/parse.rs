//! Reading filters: every rule of the dialects and every bound, and all that is wrong at once.

use std::{error::Error, fmt, mem, sync::Arc};

use serde_json::Value;

use super::{
    Comparison, Filter, Node, Pair,
    claims::{Claim, Claims},
    constant::SPECVERSION,
};
use crate::{
    attribute::Attribute,
    cesql::Expression,
    pattern::Pattern,
    pointer::{Pointer, Step},
    spelling,
    type_pattern::TypePattern,
};

/// The dialects, in the order in which they are told.
const DIALECTS: [&str; 9] = ["exact", "prefix", "suffix", "all", "any", "not", "sql", "types", "pattern"];

/// The most faults that are told of one filter.
const FAULTS_MAX: usize = 64;

/// One thing that is wrong with a filter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FilterFault {
    /// Where it stands, as a JSON pointer (RFC 6901) into what was given; empty where it is about the whole.
    pub pointer: String,
    /// What is wrong and what to do about it; it continues the sentence that begins with the place. What is wrong
    /// within an expression is shown there in lines of their own.
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

/// Reads a whole filter, or tells its faults, of which there is at least one then. What can never hold is a fault where
/// there are claims, which are none yet.
pub(super) fn parse(value: &Value, claims: Option<Claims>) -> Result<Arc<Node>, Vec<FilterFault>> {
    let mut reader = Reader { claims, ..Reader::default() };
    let root = match value {
        Value::Array(filters) if filters.is_empty() => {
            reader.refuse("has no filters in it: leave it out, and every event is taken")
        }
        Value::Array(_) => reader.joined(value, 1, Join::All),
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
    /// What must hold together with what is read next; missing where nobody asks whether it can.
    claims: Option<Claims>,
}

/// How filters in an array hold.
#[derive(Clone, Copy)]
enum Join {
    All,
    Any,
}

impl Join {
    fn node(self, parts: Box<[Arc<Node>]>) -> Node {
        match self {
            Self::All => Node::All(parts),
            Self::Any => Node::Any(parts),
        }
    }
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

    /// Reads a part that need not hold together with what is around it.
    fn apart<T>(&mut self, read: impl FnOnce(&mut Self) -> T) -> T {
        let around = self.claims.as_mut().map(mem::take);
        let result = read(self);
        self.claims = around;
        result
    }

    /// Notes what must hold beside what was read before.
    fn claim(&mut self, claim: Claim) -> Option<()> {
        let place = self.pointer.text();
        match self.claims.as_mut().and_then(|claims| claims.add(place, claim)) {
            None => Some(()),
            Some(other) => self.refuse(format!(
                "can never hold together with {other}: take one of them out, or put them into \"any\""
            )),
        }
    }

    fn term(&mut self) {
        self.terms += 1;
        if self.terms == Filter::TERMS_MAX + 1 {
            self.fault(format!(
                "is more than the {} values that a filter may compare: take some out",
                Filter::TERMS_MAX
            ));
        }
    }

    /// Reads one object with a dialect; `depth` is 1 for the outermost.
    fn filter(&mut self, value: &Value, depth: usize) -> Option<Arc<Node>> {
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

    fn dialect(&mut self, dialect: &str, content: &Value, depth: usize) -> Option<Arc<Node>> {
        let node = match dialect {
            "exact" => self.comparison(Comparison::Exact, content),
            "prefix" => self.comparison(Comparison::Prefix, content),
            "suffix" => self.comparison(Comparison::Suffix, content),
            // One that has one part is that part.
            "all" => return self.joined(content, depth, Join::All),
            "any" => return self.joined(content, depth, Join::Any),
            "not" => self.negated(content, depth),
            "sql" => self.sql(content),
            "types" => self.types(content),
            "pattern" => self.pattern(content),
            _ => self.refuse(unknown(dialect)),
        };
        node.map(Arc::new)
    }

    /// Reads the array of filters of a dialect that stands at a depth.
    fn joined(&mut self, content: &Value, depth: usize, join: Join) -> Option<Arc<Node>> {
        let Value::Array(filters) = content else {
            return self.refuse(format!("must be an array of filters, not {}", kind(content)));
        };
        if filters.is_empty() {
            return self.refuse("is empty: give it at least one filter");
        }
        let read_part = |reader: &mut Self, filter: &Value| match join {
            Join::Any if filters.len() > 1 => reader.apart(|reader| reader.filter(filter, depth + 1)),
            Join::All | Join::Any => reader.conjunct(filter, depth + 1),
        };
        let read = filters
            .iter()
            .enumerate()
            .map(|(index, filter)| self.within(Step::Item(index), |reader| read_part(reader, filter)));
        // All are read before any is missed, for the faults of all.
        let read: Vec<Option<Arc<Node>>> = read.collect();
        let nodes: Vec<Arc<Node>> = read.into_iter().collect::<Option<_>>()?;
        Some(match <[Arc<Node>; 1]>::try_from(nodes) {
            Ok([only]) => only,
            Err(nodes) => Arc::new(join.node(nodes.into())),
        })
    }

    /// Reads a part that must hold together with what is around it.
    fn conjunct(&mut self, filter: &Value, depth: usize) -> Option<Arc<Node>> {
        let told = self.faults.len();
        let node = self.filter(filter, depth)?;
        // What is wrong within was said there.
        if self.faults.len() > told {
            return Some(node);
        }
        match &*node {
            Node::Not(negated) => {
                self.claim(Claim::Fails(Arc::clone(negated)))?;
                if let Node::Any(parts) = &**negated {
                    parts.iter().try_for_each(|part| self.claim(Claim::Fails(Arc::clone(part))))?;
                }
            }
            _ => self.claim(Claim::Holds(Arc::clone(&node)))?,
        }
        Some(node)
    }

    fn negated(&mut self, content: &Value, depth: usize) -> Option<Node> {
        let node = self.apart(|reader| reader.filter(content, depth + 1))?;
        if self.claims.is_some() && node.constant() == Some(true) {
            return self.refuse(format!("never holds, for what it negates always does: {}", node.reason()));
        }
        Some(Node::Not(node))
    }

    fn comparison(&mut self, comparison: Comparison, content: &Value) -> Option<Node> {
        let Value::Object(members) = content else {
            let problem = "must be an object with names of attributes and what they are compared with";
            return self.refuse(format!("{problem}, not {}", kind(content)));
        };
        if members.is_empty() {
            return self.refuse("is empty: name at least one attribute and what it is compared with");
        }
        let read = members
            .iter()
            .map(|(name, wanted)| self.within(Step::Member(name), |reader| reader.pair(comparison, name, wanted)));
        let read: Vec<Option<Pair>> = read.collect();
        let mut pairs: Vec<Pair> = read.into_iter().collect::<Option<_>>()?;
        pairs.sort_by(|one, other| one.attribute.name().cmp(other.attribute.name()));
        Some(Node::Compare(comparison, pairs.into()))
    }

    fn pair(&mut self, comparison: Comparison, name: &str, wanted: &Value) -> Option<Pair> {
        self.term();
        let attribute = match name {
            "data" | "data_base64" => {
                self.refuse("is no attribute: ask for what is in the data with {\"pattern\": {\"data\": ...}}")
            }
            _ => Attribute::parse(name).map_err(|problem| self.fault(problem)).ok(),
        };
        let wanted = self.wanted(wanted);
        let (attribute, wanted) = (attribute?, wanted?);
        if self.claims.is_some() {
            if attribute == Attribute::SpecVersion && !comparison.holds(SPECVERSION, &wanted) {
                return self.refuse(format!("never holds, for every event has {SPECVERSION:?}: leave it out"));
            }
            self.claim(Claim::Text(attribute.clone(), comparison, wanted.clone()))?;
        }
        Some(Pair { attribute, wanted })
    }

    fn wanted(&mut self, value: &Value) -> Option<Box<str>> {
        match self.text(value)? {
            "" => self.refuse("must not be empty: give a text, or leave the attribute out"),
            text => Some(text.into()),
        }
    }

    fn text<'v>(&mut self, value: &'v Value) -> Option<&'v str> {
        match value {
            Value::String(text) if text.len() > Filter::VALUE_BYTES_MAX => {
                self.refuse(format!("is longer than {} bytes: shorten it", Filter::VALUE_BYTES_MAX))
            }
            Value::String(text) => Some(text.as_str()),
            Value::Number(_) | Value::Bool(_) => self.refuse(format!("must be a string: write \"{value}\"")),
            _ => self.refuse(format!("must be a string, not {}", kind(value))),
        }
    }

    fn sql(&mut self, content: &Value) -> Option<Node> {
        self.term();
        let text = self.text(content)?;
        let expression = match Expression::parse(text) {
            Ok(expression) => expression,
            Err(fault) => return self.refuse(fault.rendered(text)),
        };
        // What was taken before stays an expression, whatever is known about it today.
        if self.claims.is_some() {
            let faults = expression.checks();
            if !faults.is_empty() {
                faults.iter().for_each(|fault| self.fault(fault.rendered(text)));
                return None;
            }
            if let Some(reason) = expression.never() {
                return self.refuse(format!("can never hold: {reason}"));
            }
        }
        Some(Node::Sql(expression))
    }

    fn types(&mut self, content: &Value) -> Option<Node> {
        let read: Vec<Option<TypePattern>> = match content {
            Value::Array(items) if items.is_empty() => {
                return self.refuse("is empty: give it at least one name of a type, or a wildcard such as \"order.*\"");
            }
            Value::Array(items) => items
                .iter()
                .enumerate()
                .map(|(index, item)| self.within(Step::Item(index), |reader| reader.type_pattern(item)))
                .collect(),
            _ => vec![self.type_pattern(content)],
        };
        let mut types: Vec<TypePattern> = read.into_iter().collect::<Option<_>>()?;
        types.sort();
        types.dedup();
        let types: Box<[TypePattern]> = types.into();
        self.claim(Claim::Types(types.clone()))?;
        Some(Node::Types(types))
    }

    fn type_pattern(&mut self, value: &Value) -> Option<TypePattern> {
        self.term();
        let text = self.text(value)?;
        match TypePattern::parse(text) {
            Ok(pattern) if self.claims.is_some() && pattern.is_wildcard() && TypePattern::is_own(text) => self
                .refuse("never holds, for a wildcard does not meet the platform's own types: write the names of those"),
            Ok(pattern) => Some(pattern),
            Err(error) => self.refuse(error.to_string()),
        }
    }

    fn pattern(&mut self, content: &Value) -> Option<Node> {
        let pattern = Pattern::parse(content, &mut self.pointer, &mut self.faults, &mut self.terms)?;
        Some(Node::Pattern(Box::new(pattern)))
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
    let meant = match dialect.to_ascii_lowercase().as_str() {
        "and" => Some("all"),
        "or" => Some("any"),
        "cesql" | "expression" | "query" | "where" => Some("sql"),
        "type" | "eventtype" | "eventtypes" | "event-type" | "wildcard" => Some("types"),
        "data" | "detail" | "detail-type" | "eventpattern" | "event-pattern" => Some("pattern"),
        _ => None,
    };
    if meant.is_none() && Attribute::defined(dialect).is_some() {
        return format!("is an attribute and no dialect: write {{\"exact\": {{\"{dialect}\": ...}}}}");
    }
    match meant.or_else(|| spelling::nearest(dialect, &DIALECTS)) {
        Some(known) => format!("is no dialect: did you mean {known:?}?"),
        None => format!("is no dialect: choose one of {}", DIALECTS.join(", ")),
    }
}
