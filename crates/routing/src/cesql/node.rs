//! An expression as it was read.

use super::{
    function::Function,
    operator::Operator,
    value::{Kind, Value},
};
use crate::attribute::Attribute;

/// An expression. It is no deeper than the bounds of nesting and of terms together.
#[derive(Debug)]
pub(super) enum Node {
    Literal(Value<'static>),
    Attribute(Attribute),
    /// An event has the attribute.
    Exists(Attribute),
    Not(Box<Node>),
    Negate(Box<Node>),
    Binary(Operator, Box<Node>, Box<Node>),
    Like {
        value: Box<Node>,
        pattern: Box<str>,
        negated: bool,
    },
    /// The value is one of a set, which is not empty.
    In {
        value: Box<Node>,
        set: Box<[Node]>,
        negated: bool,
    },
    Call(Function, Box<[Node]>),
    /// A call of what is no function, or not with so many arguments; the name is in capital letters.
    Unknown(Box<str>, Box<[Node]>),
}

impl Node {
    /// Returns the type that it gives for every event; none where that depends on the event.
    pub(super) fn kind(&self) -> Option<Kind> {
        match self {
            Self::Literal(value) => Some(value.kind()),
            Self::Attribute(Attribute::Extension(_)) => None,
            Self::Attribute(_) => Some(Kind::Text),
            Self::Exists(_) | Self::Not(_) | Self::Like { .. } | Self::In { .. } | Self::Unknown(..) => {
                Some(Kind::Boolean)
            }
            Self::Negate(_) => Some(Kind::Integer),
            Self::Binary(operator, ..) => Some(operator.kind()),
            Self::Call(function, _) => Some(function.kind()),
        }
    }

    /// Returns what it gives where it failed somewhere inside: of an attribute that is not there, false.
    pub(super) fn zero(&self) -> Value<'static> {
        match self {
            Self::Attribute(_) => Value::Boolean(false),
            other => other.kind().unwrap_or(Kind::Boolean).zero(),
        }
    }

    /// Tells whether it only joins others, which decide it: AND, OR, XOR, and NOT of what gives a Boolean.
    pub(super) fn is_connective(&self) -> bool {
        match self {
            Self::Binary(operator, ..) => matches!(operator, Operator::And | Operator::Or | Operator::Xor),
            Self::Not(inner) => inner.kind() == Some(Kind::Boolean),
            _ => false,
        }
    }

    /// Adds the attributes that it names, each once, in the order in which they stand there.
    pub(super) fn attributes<'n>(&'n self, names: &mut Vec<&'n Attribute>) {
        match self {
            Self::Literal(_) => {}
            Self::Attribute(attribute) | Self::Exists(attribute) => {
                if !names.contains(&attribute) {
                    names.push(attribute);
                }
            }
            Self::Not(inner) | Self::Negate(inner) | Self::Like { value: inner, .. } => inner.attributes(names),
            Self::Binary(_, left, right) => {
                left.attributes(names);
                right.attributes(names);
            }
            Self::In { value, set, .. } => {
                value.attributes(names);
                set.iter().for_each(|element| element.attributes(names));
            }
            Self::Call(_, arguments) | Self::Unknown(_, arguments) => {
                arguments.iter().for_each(|argument| argument.attributes(names));
            }
        }
    }
}
