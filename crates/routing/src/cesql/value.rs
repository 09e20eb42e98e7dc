//! The values of expressions, how one type is cast into another, and what can go wrong.

use std::{borrow::Cow, fmt};

use weir_domain::{AttributeValue, Event};

use super::print;
use crate::attribute::Attribute;

/// A value of one of the three types.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Value<'v> {
    Boolean(bool),
    Integer(i32),
    Text(Cow<'v, str>),
}

/// The type of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Boolean,
    Integer,
    Text,
}

/// What went wrong in an evaluation, as the specification divides it. Its generic error does not occur.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ErrorKind {
    /// The result is no number of 32 bits.
    Math,
    /// A value cannot be cast to the type that is asked for.
    Cast,
    /// There is no such function with so many arguments.
    MissingFunction,
    /// A function does not take such an argument.
    FunctionEvaluation,
    /// The event does not have an attribute.
    MissingAttribute,
}

/// An operator or a function that failed.
#[derive(Debug)]
pub(super) struct Failure<'v> {
    pub(super) kind: ErrorKind,
    /// What it gives all the same, where it is the whole expression.
    pub(super) value: Value<'v>,
}

/// What an operator or a function gives.
pub(super) type Given<'v> = Result<Value<'v>, Failure<'v>>;

impl Kind {
    /// Returns what stands for a value of this type that could not be had.
    pub(super) fn zero(self) -> Value<'static> {
        match self {
            Self::Boolean => Value::Boolean(false),
            Self::Integer => Value::Integer(0),
            Self::Text => Value::Text(Cow::Borrowed("")),
        }
    }

    /// Says that an operator or a function that gives this type failed.
    pub(super) fn failed(self, kind: ErrorKind) -> Failure<'static> {
        Failure { kind, value: self.zero() }
    }
}

impl<'v> Value<'v> {
    /// Returns the value that an event has of an attribute, in its type.
    pub(super) fn of(attribute: &Attribute, event: &'v Event) -> Option<Self> {
        let Attribute::Extension(name) = attribute else {
            return attribute.of(event).map(|text| Self::Text(Cow::Borrowed(text)));
        };
        event.extension(name).map(|value| match value {
            AttributeValue::Boolean(truth) => Self::Boolean(truth),
            AttributeValue::Integer(number) => Self::Integer(number),
            AttributeValue::String(text) => Self::Text(Cow::Borrowed(text)),
        })
    }

    /// Returns the same value, with its text not copied.
    pub(super) fn borrowed(&self) -> Value<'_> {
        match self {
            Self::Boolean(truth) => Value::Boolean(*truth),
            Self::Integer(number) => Value::Integer(*number),
            Self::Text(text) => Value::Text(Cow::Borrowed(text)),
        }
    }

    /// Returns the same value, with its text copied where it is not its own.
    pub(super) fn into_owned(self) -> Value<'static> {
        match self {
            Self::Boolean(truth) => Value::Boolean(truth),
            Self::Integer(number) => Value::Integer(number),
            Self::Text(text) => Value::Text(Cow::Owned(text.into_owned())),
        }
    }

    pub(super) fn kind(&self) -> Kind {
        match self {
            Self::Boolean(_) => Kind::Boolean,
            Self::Integer(_) => Kind::Integer,
            Self::Text(_) => Kind::Text,
        }
    }

    /// Casts to Boolean.
    pub(super) fn boolean(&self) -> Result<bool, ErrorKind> {
        match self {
            Self::Boolean(truth) => Ok(*truth),
            Self::Integer(number) => Ok(*number != 0),
            Self::Text(text) if text.eq_ignore_ascii_case("true") => Ok(true),
            Self::Text(text) if text.eq_ignore_ascii_case("false") => Ok(false),
            Self::Text(_) => Err(ErrorKind::Cast),
        }
    }

    /// Casts to Integer.
    pub(super) fn integer(&self) -> Result<i32, ErrorKind> {
        match self {
            Self::Boolean(truth) => Ok(i32::from(*truth)),
            Self::Integer(number) => Ok(*number),
            Self::Text(text) => text.parse().map_err(|_| ErrorKind::Cast),
        }
    }

    /// Casts to String, which always can be done.
    pub(super) fn text(&self) -> Cow<'_, str> {
        match self {
            Self::Text(text) => Cow::Borrowed(text),
            Self::Boolean(_) | Self::Integer(_) => self.borrowed().into_text(),
        }
    }

    pub(super) fn into_text(self) -> Cow<'v, str> {
        match self {
            Self::Boolean(true) => Cow::Borrowed("true"),
            Self::Boolean(false) => Cow::Borrowed("false"),
            Self::Integer(number) => Cow::Owned(number.to_string()),
            Self::Text(text) => text,
        }
    }

    /// Negates a Boolean.
    ///
    /// The test kit wants an Integer to fail here, with `true`, although the specification casts one everywhere.
    pub(super) fn not(&self) -> Given<'static> {
        let cast = if let Self::Integer(_) = self { Err(ErrorKind::Cast) } else { self.boolean() };
        match cast {
            Ok(truth) => Ok(Value::Boolean(!truth)),
            Err(kind) => Err(Failure { kind, value: Value::Boolean(true) }),
        }
    }

    /// Changes the sign of an Integer.
    pub(super) fn negate(&self) -> Given<'static> {
        let negated = self.integer().and_then(|number| number.checked_neg().ok_or(ErrorKind::Math));
        negated.map(Value::Integer).map_err(|kind| Kind::Integer.failed(kind))
    }
}

/// As a literal, and what no literal can be as near to one as it gets.
impl fmt::Display for Value<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Boolean(true) => f.write_str("TRUE"),
            Self::Boolean(false) => f.write_str("FALSE"),
            Self::Integer(number) => write!(f, "{number}"),
            Self::Text(text) => f.write_str(&print::quoted(text)),
        }
    }
}

/// The name that the test kit has for it.
impl fmt::Display for ErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Math => "math",
            Self::Cast => "cast",
            Self::MissingFunction => "missingFunction",
            Self::FunctionEvaluation => "functionEvaluation",
            Self::MissingAttribute => "missingAttribute",
        })
    }
}
