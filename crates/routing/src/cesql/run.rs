//! Evaluating a program about an event.
//!
//! An evaluation ends with the first error, and gives then the zero of the type of the whole; what an operator gives
//! beside its own error counts where it is the whole. There is one evaluation: who wants to know why lets a [`Visitor`]
//! watch it, and of [`Silent`] nothing is left in the compiled code.

use smallvec::SmallVec;
use weir_domain::Event;

use super::{
    operator::equal,
    program::{Op, Program, Settle},
    value::{ErrorKind, Given, Kind, Value},
};
use crate::attribute::Attribute;

/// The values that are on the stack without an allocation; few expressions need more.
const INLINE: usize = 8;

type Stack<'v> = SmallVec<[Value<'v>; INLINE]>;

/// What an expression gives for an event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Outcome<'v> {
    pub(crate) value: Value<'v>,
    /// The first error that there was; the evaluation ended with it.
    pub(crate) error: Option<ErrorKind>,
}

impl Outcome<'_> {
    /// Tells whether it is true, cast to Boolean, and without an error.
    pub(crate) fn holds(&self) -> bool {
        self.error.is_none() && self.value.boolean() == Ok(true)
    }
}

/// Watches an evaluation.
pub(super) trait Visitor {
    /// The operation at this place left this value.
    fn evaluated(&mut self, at: usize, value: &Value<'_>);

    /// Both sides of AND or OR were evaluated.
    fn settled(&mut self, settle: &Settle, is_decided: bool);

    /// The operation at this place failed, and the evaluation ended.
    fn failed(&mut self, at: usize, kind: ErrorKind);
}

/// Nobody watches.
pub(super) struct Silent;

impl Visitor for Silent {
    fn evaluated(&mut self, _: usize, _: &Value<'_>) {}

    fn settled(&mut self, _: &Settle, _: bool) {}

    fn failed(&mut self, _: usize, _: ErrorKind) {}
}

/// Evaluates a program.
pub(super) fn run<'v>(program: &'v Program, event: &'v Event, visitor: &mut impl Visitor) -> Outcome<'v> {
    let mut stack = Stack::with_capacity(program.stack_max);
    let mut at = 0;
    while let Some(op) = program.ops.get(at) {
        let value = match op {
            Op::Branch { decisive, to } => {
                if is_true(stack.last()) == *decisive {
                    at = *to;
                } else {
                    stack.pop();
                    at += 1;
                }
                continue;
            }
            Op::Settle(settle) => {
                visitor.settled(settle, is_true(stack.last()) == settle.decisive);
                at += 1;
                continue;
            }
            _ => match evaluate(op, event, &mut stack) {
                Ok(value) => value,
                Err(failure) => {
                    visitor.failed(at, failure.kind);
                    let is_whole = at + 1 == program.ops.len();
                    let value = if is_whole { failure.value } else { program.zero.borrowed() };
                    return Outcome { value, error: Some(failure.kind) };
                }
            },
        };
        visitor.evaluated(at, &value);
        stack.push(value);
        at += 1;
    }
    Outcome { value: popped(&mut stack), error: None }
}

/// Evaluates one operation, and takes its operands from the stack.
fn evaluate<'v>(op: &'v Op, event: &'v Event, stack: &mut Stack<'v>) -> Given<'v> {
    let boolean = |given: Result<bool, ErrorKind>, negated: bool| match given {
        Ok(truth) => Ok(Value::Boolean(truth != negated)),
        Err(kind) => Err(Kind::Boolean.failed(kind)),
    };
    match op {
        Op::AttributeIsText { attribute, text, negated } => {
            let given = attribute.of(event).map(|own| own == &**text);
            boolean(given.ok_or(ErrorKind::MissingAttribute), *negated)
        }
        Op::AttributeIsNumber { attribute, operator, number } => {
            let given = of(attribute, event).and_then(|own| own.integer());
            boolean(given.map(|own| operator.compare(own, *number)), false)
        }
        Op::AttributeLike { attribute, like, negated } => {
            let given = attribute.of(event).map(|own| like.matches(own));
            boolean(given.ok_or(ErrorKind::MissingAttribute), *negated)
        }
        Op::AttributeInSet { attribute, set, negated } => {
            boolean(of(attribute, event).and_then(|own| set.contains(&own)), *negated)
        }
        Op::Exists(attribute) => Ok(Value::Boolean(attribute.of(event).is_some())),
        Op::Constant(value) => Ok(value.borrowed()),
        Op::Attribute(attribute) => of(attribute, event).map_err(|kind| Kind::Boolean.failed(kind)),
        Op::Not => popped(stack).not(),
        Op::Negate => popped(stack).negate(),
        Op::Truth => boolean(popped(stack).boolean(), false),
        Op::Binary(operator) => {
            let right = popped(stack);
            operator.apply(&popped(stack), &right)
        }
        Op::Like(like, negated) => Ok(Value::Boolean(like.matches(&popped(stack).text()) != *negated)),
        Op::InSet(set, negated) => boolean(set.contains(&popped(stack)), *negated),
        Op::In(count, negated) => {
            let elements = stack.len().saturating_sub(*count);
            let (before, elements) = stack.split_at(elements);
            let found = before.last().map_or(Ok(false), |value| one_of(value, elements));
            stack.truncate(stack.len().saturating_sub(count + 1));
            boolean(found, *negated)
        }
        Op::Call(function, count) => {
            let first = stack.len().saturating_sub(*count);
            let given = function.call(&mut stack[first..]);
            stack.truncate(first);
            given
        }
        Op::Unknown => Err(Kind::Boolean.failed(ErrorKind::MissingFunction)),
        // These two do not come here: they move on, and leave what there is.
        Op::Branch { .. } | Op::Settle(_) => Ok(popped(stack)),
    }
}

fn of<'v>(attribute: &Attribute, event: &'v Event) -> Result<Value<'v>, ErrorKind> {
    Value::of(attribute, event).ok_or(ErrorKind::MissingAttribute)
}

/// All elements are cast, whichever of them is the one.
fn one_of(value: &Value<'_>, elements: &[Value<'_>]) -> Result<bool, ErrorKind> {
    elements.iter().try_fold(false, |found, element| Ok(found | equal(element, value)?))
}

fn is_true(value: Option<&Value<'_>>) -> bool {
    matches!(value, Some(Value::Boolean(true)))
}

fn popped<'v>(stack: &mut Stack<'v>) -> Value<'v> {
    stack.pop().expect("the compiler leaves the operands of each operation there")
}
