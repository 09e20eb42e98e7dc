//! Telling by what the answer of a filter was decided.

use std::sync::Arc;

use serde_json::Value;
use weir_domain::Event;

use super::{Asked, Node, evaluate::Visitor};
use crate::{
    cesql::{Expression, SqlTerm},
    cover::Operand,
    pattern::{self, Condition},
    pointer::{Pointer, Step},
};

/// What an expression gives where it holds.
const TRUE: &str = "true";

/// What a filter said of an event, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Explained {
    /// Whether the event is wanted.
    pub matched: bool,
    /// Everything that was compared, in that order; what was decided without it is not there.
    pub terms: Vec<Term>,
}

/// One thing that was compared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Term {
    /// Where it stands in [`Filter::to_json`](super::Filter::to_json), as a JSON pointer such as `/all/0/exact/type`.
    /// The parts of an expression all stand where that does, and a condition of a pattern was compared with each item
    /// of an array.
    pub pointer: String,
    /// `exact`, `prefix`, `suffix`, `sql`, `types` or `pattern`.
    pub dialect: &'static str,
    /// What was compared: the name of an attribute, or of a member of the data its JSON pointer, such as `/data/total`;
    /// of `sql` a part of the expression.
    pub attribute: String,
    /// What it was compared with: a text, a wildcard, or of `pattern` the condition as JSON. A part of an expression is
    /// compared with `true`.
    pub wanted: String,
    /// What the event has of it, where it has any; of `sql` what the part gave, and of what.
    pub found: Option<String>,
    /// Whether the comparison held.
    pub matched: bool,
    /// Whether the whole answer rests on it: the answer is the same whatever the terms say for which this is false, and
    /// would be open without any one of those for which it is true. That goes for an expression and a pattern as
    /// wholes, and within them for their parts.
    pub decided: bool,
}

/// Asks whether an event is wanted, and why.
pub(super) fn explain<'e>(filter: &'e Arc<Node>, asked: &mut Asked<'e>) -> Explained {
    let mut explainer = Explainer::default();
    let matched = filter.ask(asked, &mut explainer);
    Explained { matched, terms: explainer.terms }
}

/// Writes down what was compared.
#[derive(Default)]
struct Explainer {
    pointer: Pointer,
    terms: Vec<Term>,
}

impl Explainer {
    fn tell(&mut self, dialect: &'static str, attribute: String, wanted: String, found: Option<String>, matched: bool) {
        let pointer = self.pointer.text();
        self.terms.push(Term { pointer, dialect, attribute, wanted, found, matched, decided: true });
    }
}

impl pattern::Visitor for Explainer {
    type Mark = usize;

    const WATCHES: bool = true;

    fn enter(&mut self, step: Step<'_>) {
        self.pointer.enter(step);
    }

    fn leave(&mut self) {
        self.pointer.leave();
    }

    fn compared(
        &mut self,
        operand: &Operand,
        condition: &Condition,
        found: impl FnOnce() -> Option<String>,
        matched: bool,
    ) {
        let wanted = match (operand, condition.to_json()) {
            // There is nothing but texts.
            (Operand::Attribute(_), Value::String(text)) => text,
            (_, condition) => condition.to_string(),
        };
        self.tell("pattern", name(operand), wanted, found(), matched);
    }

    fn mark(&self) -> usize {
        self.terms.len()
    }

    fn outweighed(&mut self, from: usize, to: usize) {
        for term in &mut self.terms[from..to] {
            term.decided = false;
        }
    }
}

impl Visitor for Explainer {
    fn attribute(&mut self, dialect: &'static str, name: &str, wanted: &str, found: Option<&str>, matched: bool) {
        self.tell(dialect, name.to_owned(), wanted.to_owned(), found.map(str::to_owned), matched);
    }

    fn expression(&mut self, expression: &Expression, event: &Event, matched: bool) {
        let (_, parts) = expression.explain(event);
        let is_decided = parts.iter().any(|part| part.decided);
        for part in parts {
            let (found, matched, decided) = (gave(&part), part.outcome.eq_ignore_ascii_case(TRUE), part.decided);
            self.tell("sql", part.text, TRUE.to_owned(), Some(found), matched);
            if let Some(term) = self.terms.last_mut() {
                term.decided = decided;
            }
        }
        // Where it is the same for all events, no part of it decides.
        if !is_decided {
            let found = Some(matched.to_string());
            self.tell("sql", expression.canonical().to_owned(), TRUE.to_owned(), found, matched);
        }
    }
}

/// Says what a part of an expression gave, and of what.
fn gave(part: &SqlTerm) -> String {
    let seen = part.seen.iter().map(|(name, value)| match value {
        Some(text) => format!("{name} is {text:?}"),
        None => format!("{name} is not there"),
    });
    let seen: Vec<String> = seen.collect();
    if seen.is_empty() { part.outcome.clone() } else { format!("{}, for {}", part.outcome, seen.join(", ")) }
}

/// Returns the name of an attribute, or the place of a member in the event.
fn name(operand: &Operand) -> String {
    match operand {
        Operand::Attribute(attribute) => attribute.name().to_owned(),
        Operand::Data(path) => {
            let mut pointer = Pointer::default();
            pointer.enter(Step::Member("data"));
            path.iter().for_each(|name| pointer.enter(Step::Member(name)));
            pointer.text()
        }
    }
}
