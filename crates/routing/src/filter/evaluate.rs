//! Asking a filter about an event.
//!
//! There is one evaluation. Who wants to know why lets a [`Visitor`] watch it; where nobody does, the visitor is
//! [`Silent`], of which nothing is left in the compiled code.

use std::sync::Arc;

use weir_domain::Event;

use super::{Asked, Comparison, Node, Pair};
use crate::{
    cesql::Expression,
    cover::Operand,
    pattern::{self, Condition},
    pointer::Step,
    type_pattern::TypePattern,
};

/// Watches an evaluation, of which the part of a pattern is told as patterns do.
pub(super) trait Visitor: pattern::Visitor {
    /// An attribute was compared.
    fn attribute(&mut self, dialect: &'static str, name: &str, wanted: &str, found: Option<&str>, matched: bool);

    /// An expression was evaluated.
    fn expression(&mut self, expression: &Expression, event: &Event, matched: bool);
}

impl Node {
    /// Asks whether an event is wanted. What is in several places of the filters that are asked is evaluated once.
    pub(super) fn ask<'e, V: Visitor>(self: &'e Arc<Self>, asked: &mut Asked<'e>, visitor: &mut V) -> bool {
        // Who watches must see it all.
        if V::WATCHES || Arc::strong_count(self) == 1 || self.is_quick() {
            return self.evaluate(asked, visitor);
        }
        asked.remembered(Arc::as_ptr(self).addr(), |asked| self.evaluate(asked, visitor))
    }

    /// Tells whether to find an answer costs no more than to remember one.
    fn is_quick(&self) -> bool {
        match self {
            Self::Compare(_, pairs) => pairs.len() == 1,
            Self::Types(types) => types.len() == 1,
            Self::Not(node) => node.is_quick(),
            Self::All(_) | Self::Any(_) | Self::Sql(_) | Self::Pattern(_) => false,
        }
    }

    fn evaluate<'e, V: Visitor>(&'e self, asked: &mut Asked<'e>, visitor: &mut V) -> bool {
        visitor.enter(Step::Member(self.dialect()));
        let event = asked.event();
        let matched = match self {
            Self::Compare(comparison, pairs) => {
                decide(pairs, false, visitor, |_, pair, visitor| pair.evaluate(*comparison, event, visitor))
            }
            Self::All(nodes) => joined(nodes, false, asked, visitor),
            Self::Any(nodes) => joined(nodes, true, asked, visitor),
            Self::Not(node) => !node.ask(asked, visitor),
            Self::Sql(expression) => {
                let matched = expression.holds(event);
                visitor.expression(expression, event, matched);
                matched
            }
            Self::Types(types) => decide(types, true, visitor, |index, wanted, visitor| {
                visitor.enter(Step::Item(index));
                let matched = of_type(wanted, event.event_type(), visitor);
                visitor.leave();
                matched
            }),
            Self::Pattern(pattern) => {
                let document = if pattern.members().is_empty() { None } else { asked.document() };
                if V::WATCHES { pattern.evaluate(event, document, visitor) } else { pattern.holds(event, document) }
            }
        };
        visitor.leave();
        matched
    }
}

impl Pair {
    fn evaluate<V: Visitor>(&self, comparison: Comparison, event: &Event, visitor: &mut V) -> bool {
        let found = self.attribute.of(event);
        let matched = found.is_some_and(|text| comparison.holds(text, &self.wanted));
        let name = self.attribute.name();
        visitor.enter(Step::Member(name));
        visitor.attribute(comparison.dialect(), name, &self.wanted, found, matched);
        visitor.leave();
        matched
    }
}

fn of_type<V: Visitor>(wanted: &TypePattern, found: &str, visitor: &mut V) -> bool {
    let matched = wanted.matches(found);
    visitor.attribute("types", "type", wanted.as_str(), Some(found), matched);
    matched
}

fn joined<'e, V: Visitor>(nodes: &'e [Arc<Node>], decisive: bool, asked: &mut Asked<'e>, visitor: &mut V) -> bool {
    decide(nodes, decisive, visitor, |index, node, visitor| {
        visitor.enter(Step::Item(index));
        let matched = node.ask(asked, visitor);
        visitor.leave();
        matched
    })
}

/// Evaluates one part after the other up to the first that is `decisive`, which is the outcome then, whatever those
/// before it were. Where none is, the outcome is the other one, and rests on all of them.
fn decide<'p, T, V: Visitor>(
    parts: &'p [T],
    decisive: bool,
    visitor: &mut V,
    mut evaluate: impl FnMut(usize, &'p T, &mut V) -> bool,
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
pub(super) struct Silent;

impl pattern::Visitor for Silent {
    type Mark = ();

    const WATCHES: bool = false;

    fn enter(&mut self, _: Step<'_>) {}

    fn leave(&mut self) {}

    fn compared(&mut self, _: &Operand, _: &Condition, _: impl FnOnce() -> Option<String>, _: bool) {}

    fn mark(&self) {}

    fn outweighed(&mut self, (): (), (): ()) {}
}

impl Visitor for Silent {
    fn attribute(&mut self, _: &'static str, _: &str, _: &str, _: Option<&str>, _: bool) {}

    fn expression(&mut self, _: &Expression, _: &Event, _: bool) {}
}
