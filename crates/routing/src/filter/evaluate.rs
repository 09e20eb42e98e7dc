//! Asking a filter about an event, and telling by what the answer was decided.
//!
//! There is one evaluation. Who wants to know why lets a [`Visitor`] watch it; where nobody does, the visitor is
//! [`Silent`], of which nothing is left in the compiled code.

use weir_domain::Event;

use super::{Comparison, Node, Pair};
use crate::pointer::{Pointer, Step};

/// What a filter said of an event, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Explained {
    /// Whether the event is wanted.
    pub matched: bool,
    /// Every attribute that was compared, in that order; what was decided without it is not there.
    pub terms: Vec<Term>,
}

/// One attribute that was compared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Term {
    /// Where it stands in [`Filter::to_json`](super::Filter::to_json), as a JSON pointer such as `/all/0/exact/type`.
    pub pointer: String,
    /// `exact`, `prefix` or `suffix`.
    pub dialect: &'static str,
    /// The name of the attribute.
    pub attribute: String,
    /// What it was compared with.
    pub wanted: String,
    /// The text that the event has of it, where it has any.
    pub found: Option<String>,
    /// Whether the comparison held.
    pub matched: bool,
    /// Whether the whole answer rests on it: the answer is the same whatever the terms say for which this is false, and
    /// would be open without any one of those for which it is true.
    pub decided: bool,
}

/// Asks whether an event is wanted.
pub(super) fn matches(filter: &Node, event: &Event) -> bool {
    filter.evaluate(event, &mut Silent)
}

/// Asks whether an event is wanted, and why.
pub(super) fn explain(filter: &Node, event: &Event) -> Explained {
    let mut explainer = Explainer::default();
    let matched = filter.evaluate(event, &mut explainer);
    Explained { matched, terms: explainer.terms }
}

/// Watches an evaluation.
trait Visitor {
    /// How much was compared so far.
    type Mark: Copy;

    /// Goes into a part of the filter.
    fn enter(&mut self, step: Step<'_>);

    /// Goes back out of it.
    fn leave(&mut self);

    /// An attribute was compared.
    fn compared(&mut self, comparison: Comparison, pair: &Pair, found: Option<&str>, matched: bool);

    fn mark(&self) -> Self::Mark;

    /// What was compared between two marks was decided over by what was compared after them.
    fn outweighed(&mut self, from: Self::Mark, to: Self::Mark);
}

impl Node {
    fn evaluate<V: Visitor>(&self, event: &Event, visitor: &mut V) -> bool {
        visitor.enter(Step::Member(self.dialect()));
        let nested = |index: usize, node: &Self, visitor: &mut V| {
            visitor.enter(Step::Item(index));
            let matched = node.evaluate(event, visitor);
            visitor.leave();
            matched
        };
        let matched = match self {
            Self::Compare(comparison, pairs) => {
                decide(pairs, false, visitor, |_, pair, visitor| pair.evaluate(*comparison, event, visitor))
            }
            Self::All(nodes) => decide(nodes, false, visitor, nested),
            Self::Any(nodes) => decide(nodes, true, visitor, nested),
            Self::Not(node) => !node.evaluate(event, visitor),
        };
        visitor.leave();
        matched
    }
}

impl Pair {
    fn evaluate<V: Visitor>(&self, comparison: Comparison, event: &Event, visitor: &mut V) -> bool {
        let found = self.attribute.of(event);
        let matched = found.is_some_and(|text| comparison.holds(text, &self.wanted));
        visitor.enter(Step::Member(self.attribute.name()));
        visitor.compared(comparison, self, found, matched);
        visitor.leave();
        matched
    }
}

/// Evaluates one part after the other up to the first that is `decisive`, which is the outcome then, whatever those
/// before it were. Where none is, the outcome is the other one, and rests on all of them.
fn decide<T, V: Visitor>(
    parts: &[T],
    decisive: bool,
    visitor: &mut V,
    mut evaluate: impl FnMut(usize, &T, &mut V) -> bool,
) -> bool {
    let first = visitor.mark();
    for (index, part) in parts.iter().enumerate() {
        let before = visitor.mark();
        if evaluate(index, part, visitor) == decisive {
            visitor.outweighed(first, before);
            return decisive;
        }
    }
    !decisive
}

/// Nobody watches.
struct Silent;

impl Visitor for Silent {
    type Mark = ();

    fn enter(&mut self, _: Step<'_>) {}

    fn leave(&mut self) {}

    fn compared(&mut self, _: Comparison, _: &Pair, _: Option<&str>, _: bool) {}

    fn mark(&self) {}

    fn outweighed(&mut self, (): (), (): ()) {}
}

/// Writes down what was compared.
#[derive(Default)]
struct Explainer {
    pointer: Pointer,
    terms: Vec<Term>,
}

impl Visitor for Explainer {
    type Mark = usize;

    fn enter(&mut self, step: Step<'_>) {
        self.pointer.enter(step);
    }

    fn leave(&mut self) {
        self.pointer.leave();
    }

    fn compared(&mut self, comparison: Comparison, pair: &Pair, found: Option<&str>, matched: bool) {
        self.terms.push(Term {
            pointer: self.pointer.text(),
            dialect: comparison.dialect(),
            attribute: pair.attribute.name().to_owned(),
            wanted: pair.wanted.to_string(),
            found: found.map(str::to_owned),
            matched,
            decided: true,
        });
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
