//! What is known of an expression before there is an event.

use super::{
    like::Like,
    node::Node,
    operator::{Operator, equal},
    value::{ErrorKind, Given, Kind, Value},
};
use crate::attribute::Attribute;

/// Evaluates what gives the same for every event; none where that depends on the event.
pub(super) fn constant(node: &Node) -> Option<Result<Value<'static>, ErrorKind>> {
    match node {
        Node::Literal(value) => Some(Ok(value.clone())),
        Node::Attribute(_) => None,
        Node::Exists(attribute) => is_required(attribute).then_some(Ok(Value::Boolean(true))),
        Node::Not(inner) => constant(inner).map(|inner| inner.and_then(|inner| kind_of(inner.not()))),
        Node::Negate(inner) => constant(inner).map(|inner| inner.and_then(|inner| kind_of(inner.negate()))),
        Node::Binary(operator, left, right) => binary(*operator, left, right),
        Node::Like { value, pattern, negated } => {
            let matches = |value: Value<'_>| Like::new(pattern).matches(&value.text()) != *negated;
            constant(value).map(|value| value.map(|value| Value::Boolean(matches(value))))
        }
        Node::In { value, set, negated } => {
            let value = constant(value)?;
            let elements: Vec<_> = set.iter().map(constant).collect::<Option<_>>()?;
            Some(value.and_then(|value| one_of(&value, elements).map(|found| Value::Boolean(found != *negated))))
        }
        Node::Call(function, arguments) => {
            let arguments: Vec<_> = arguments.iter().map(constant).collect::<Option<_>>()?;
            let arguments: Result<Vec<_>, _> = arguments.into_iter().collect();
            Some(arguments.and_then(|mut arguments| kind_of(function.call(&mut arguments))))
        }
        Node::Unknown(..) => Some(Err(ErrorKind::MissingFunction)),
    }
}

fn kind_of(given: Given<'_>) -> Result<Value<'static>, ErrorKind> {
    given.map(Value::into_owned).map_err(|failure| failure.kind)
}

fn binary(operator: Operator, left: &Node, right: &Node) -> Option<Result<Value<'static>, ErrorKind>> {
    let left = constant(left)?;
    if let Operator::And | Operator::Or | Operator::Xor = operator {
        // The right side does not count where the left one decides, or cannot be cast.
        match left.and_then(|left| left.boolean()) {
            Err(kind) => return Some(Err(kind)),
            Ok(truth) if operator == Operator::Or && truth => return Some(Ok(Value::Boolean(true))),
            Ok(truth) if operator == Operator::And && !truth => return Some(Ok(Value::Boolean(false))),
            Ok(truth) => {
                let right = constant(right)?;
                return Some(right.and_then(|right| kind_of(operator.apply(&Value::Boolean(truth), &right))));
            }
        }
    }
    let right = constant(right)?;
    Some(left.and_then(|left| kind_of(operator.apply(&left, &right?))))
}

fn one_of(value: &Value<'_>, elements: Vec<Result<Value<'static>, ErrorKind>>) -> Result<bool, ErrorKind> {
    let elements: Vec<_> = elements.into_iter().collect::<Result<_, _>>()?;
    elements.iter().try_fold(false, |found, element| Ok(found | equal(element, value)?))
}

/// Tells whether it gives `true` for every event, and never fails. Of what does so for less obvious reasons, it does
/// not.
pub(super) fn is_always_true(node: &Node) -> bool {
    match node {
        Node::Binary(Operator::And, left, right) => is_always_true(left) && is_always_true(right),
        Node::Binary(Operator::Or, left, right) => {
            is_always_true(left) || (is_never_failing(left) && is_always_true(right))
        }
        _ => matches!(constant(node), Some(Ok(value)) if value.boolean() == Ok(true)),
    }
}

/// Tells whether it gives a Boolean for every event and cannot fail.
fn is_never_failing(node: &Node) -> bool {
    match node {
        Node::Exists(_) => true,
        Node::Not(inner) => inner.kind() == Some(Kind::Boolean) && is_never_failing(inner),
        Node::Binary(Operator::And | Operator::Or | Operator::Xor, left, right) => {
            is_never_failing(left) && is_never_failing(right)
        }
        Node::Like { value, .. } => is_never_failing_text(value),
        Node::Binary(Operator::Equal | Operator::NotEqual, left, right) => {
            is_never_failing_text(left) && is_never_failing_text(right)
        }
        _ => matches!(constant(node), Some(Ok(value)) if value.kind() == Kind::Boolean),
    }
}

fn is_never_failing_text(node: &Node) -> bool {
    match node {
        Node::Attribute(attribute) => is_required(attribute),
        _ => matches!(constant(node), Some(Ok(value)) if value.kind() == Kind::Text),
    }
}

/// Tells why it gives `true` for no event, where that is plain: it always is something else, or fails.
pub(super) fn never(node: &Node) -> Option<String> {
    match constant(node) {
        Some(Ok(value)) => match value.boolean() {
            Ok(true) => return None,
            Ok(false) => return Some(format!("`{node}` is false for every event")),
            Err(_) => return Some(format!("`{node}` is no Boolean for any event")),
        },
        Some(Err(kind)) => return Some(format!("`{node}` fails for every event: {}", reason(kind))),
        None => {}
    }
    match node {
        Node::Binary(Operator::And, left, right) => never(left).or_else(|| never(right)),
        // What fails on the left side of OR fails as a whole.
        Node::Binary(Operator::Or, left, right) => never(left).filter(|_| never(right).is_some()),
        _ => None,
    }
}

fn reason(kind: ErrorKind) -> &'static str {
    match kind {
        ErrorKind::Math => "a result is no number of 32 bits",
        ErrorKind::Cast => "a value is none of the type that is asked for",
        ErrorKind::MissingFunction => "there is no such function",
        ErrorKind::FunctionEvaluation => "a function does not take such an argument",
        ErrorKind::MissingAttribute => "an attribute is missing",
    }
}

/// Tells whether every event has it.
fn is_required(attribute: &Attribute) -> bool {
    matches!(attribute, Attribute::Id | Attribute::Source | Attribute::SpecVersion | Attribute::Type)
}
