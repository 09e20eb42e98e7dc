//! Asking a pattern about an event, and telling by what the answer was decided.
//!
//! There is one evaluation, as for filters, of which it is a part. Who wants to know why lets a [`Visitor`] watch it;
//! where nobody does, the visitor is [`Silent`], of which nothing is left in the compiled code.

use weir_domain::{Data, Event};

use super::{Condition, Content, Group, Leaf, OR, Pattern, condition::Subject};
use crate::{
    cover::Operand,
    document::{Document, Object, Value},
    pointer::Step,
};

/// The most items of an array of which is told what each was compared with, beside the one that holds.
const ITEMS_TOLD_MAX: usize = 16;

/// Watches an evaluation.
pub(crate) trait Visitor {
    /// How much was compared so far.
    type Mark: Copy;

    /// Whether it wants to know what was compared.
    const WATCHES: bool;

    /// Goes into a part of the pattern, as it is in [`Pattern::to_json`].
    fn enter(&mut self, step: Step<'_>);

    /// Goes back out of it.
    fn leave(&mut self);

    /// A condition, which is where the visitor is now, was compared with what was found. Where that is in items of an
    /// array, there is more than one comparison at one place.
    fn compared(
        &mut self,
        operand: &Operand,
        condition: &Condition,
        found: impl FnOnce() -> Option<String>,
        matched: bool,
    );

    fn mark(&self) -> Self::Mark;

    /// What was compared between two marks was decided over by what was compared after them.
    fn outweighed(&mut self, from: Self::Mark, to: Self::Mark);
}

/// Nobody watches.
pub(super) struct Silent;

impl Visitor for Silent {
    type Mark = ();

    const WATCHES: bool = false;

    fn enter(&mut self, _: Step<'_>) {}

    fn leave(&mut self) {}

    fn compared(&mut self, _: &Operand, _: &Condition, _: impl FnOnce() -> Option<String>, _: bool) {}

    fn mark(&self) {}

    fn outweighed(&mut self, (): (), (): ()) {}
}

/// What there is at the place of conditions.
#[derive(Clone, Copy, Debug)]
pub(super) enum Found<'f> {
    Nothing,
    Attribute(&'f str),
    Data(Value<'f>),
    /// Data that is no JSON, and has nothing in it.
    Opaque,
}

impl<'f> Found<'f> {
    /// Tells whether one value passes, of an array one of its items.
    pub(super) fn any(self, mut test: impl FnMut(Subject<'f>) -> bool) -> bool {
        match self {
            Self::Attribute(text) => test(Subject::Attribute(text)),
            Self::Data(value) => value.any_scalar(&mut |scalar| test(Subject::Data(scalar))),
            Self::Nothing | Self::Opaque => false,
        }
    }

    pub(super) fn is_there(self) -> bool {
        !matches!(self, Self::Nothing)
    }

    /// Returns what people are shown of it.
    fn shown(self) -> Option<String> {
        match self {
            Self::Nothing => None,
            Self::Attribute(text) => Some(text.to_owned()),
            Self::Data(value) => Some(value.shown()),
            Self::Opaque => Some("no JSON".to_owned()),
        }
    }
}

/// Where the members of a group are looked for.
#[derive(Clone, Copy)]
enum Place<'p> {
    Event(&'p Event, Option<Value<'p>>),
    /// An object, or where there is none.
    Object(Option<Object<'p>>),
}

impl<'p> Place<'p> {
    /// Returns the member of data, or the data itself.
    fn member(self, name: &str) -> Option<Value<'p>> {
        match self {
            Self::Event(_, data) => data,
            Self::Object(object) => object?.get(name),
        }
    }

    fn found(self, name: &str, operand: &Operand) -> Found<'p> {
        match (self, operand) {
            (Self::Event(event, _), Operand::Attribute(attribute)) => {
                attribute.of(event).map_or(Found::Nothing, Found::Attribute)
            }
            (Self::Event(event, None), Operand::Data(_)) if *event.data() != Data::None => Found::Opaque,
            _ => self.member(name).map_or(Found::Nothing, Found::Data),
        }
    }
}

/// What must hold of a group.
enum Part<'g> {
    Member(&'g str, &'g Content),
    Any(&'g [Group]),
}

impl Pattern {
    /// As [`Pattern::holds`], watched.
    pub(crate) fn evaluate<V: Visitor>(&self, event: &Event, document: Option<&Document<'_>>, visitor: &mut V) -> bool {
        self.root.evaluate(Place::Event(event, document.map(Document::root)), visitor)
    }
}

impl Group {
    fn evaluate<V: Visitor>(&self, place: Place<'_>, visitor: &mut V) -> bool {
        let members = self.members.iter().map(|(name, content)| Part::Member(name, content));
        let any = (!self.any.is_empty()).then_some(Part::Any(&self.any));
        decide(members.chain(any), false, visitor, |part, visitor| {
            visitor.enter(Step::Member(part.name()));
            let matched = match part {
                Part::Member(name, Content::Leaf(leaf)) => leaf.evaluate(place.found(name, &leaf.operand), visitor),
                Part::Member(name, Content::Group(group)) => group.within(place.member(name), visitor),
                Part::Any(groups) => decide(groups.iter().enumerate(), true, visitor, |(index, group), visitor| {
                    visitor.enter(Step::Item(index));
                    let matched = group.evaluate(place, visitor);
                    visitor.leave();
                    matched
                }),
            };
            visitor.leave();
            matched
        })
    }

    /// Asks about what stands at a place of the data. Of an array, one item must hold it whole; what is no object, or
    /// is not there, has no members.
    fn within<V: Visitor>(&self, value: Option<Value<'_>>, visitor: &mut V) -> bool {
        match value {
            Some(Value::Array(items)) if !items.is_empty() => {
                decide(items.iter().enumerate(), true, visitor, |(index, item), visitor| {
                    if V::WATCHES && index >= ITEMS_TOLD_MAX && !self.within(Some(item), &mut Silent) {
                        return false;
                    }
                    self.within(Some(item), visitor)
                })
            }
            Some(Value::Object(object)) => self.evaluate(Place::Object(Some(object)), visitor),
            Some(Value::Array(_) | Value::Scalar(_)) | None => self.evaluate(Place::Object(None), visitor),
        }
    }
}

impl Part<'_> {
    fn name(&self) -> &str {
        match self {
            Self::Member(name, _) => name,
            Self::Any(_) => OR,
        }
    }
}

impl Leaf {
    fn evaluate<V: Visitor>(&self, found: Found<'_>, visitor: &mut V) -> bool {
        decide(self.conditions.iter().enumerate(), true, visitor, |(index, condition), visitor| {
            let matched = condition.holds(found);
            visitor.enter(Step::Item(index));
            visitor.compared(&self.operand, condition, || found.shown(), matched);
            visitor.leave();
            matched
        })
    }
}

/// Evaluates one part after the other up to the first that is `decisive`, which is the outcome then, whatever those
/// before it were. Where none is, the outcome is the other one, and rests on all of them.
fn decide<T, V: Visitor>(
    parts: impl Iterator<Item = T>,
    decisive: bool,
    visitor: &mut V,
    mut evaluate: impl FnMut(T, &mut V) -> bool,
) -> bool {
    let first = visitor.mark();
    for part in parts {
        let before = visitor.mark();
        if evaluate(part, visitor) == decisive {
            visitor.outweighed(first, before);
            return decisive;
        }
    }
    !decisive
}
