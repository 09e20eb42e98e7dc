//! The operators between two values.

use super::value::{ErrorKind, Given, Kind, Value};

/// An operator between two values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Operator {
    And,
    Or,
    Xor,
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    Add,
    Subtract,
    Multiply,
    Divide,
    Remainder,
}

impl Operator {
    /// Returns how strong it binds: stronger ones are evaluated first, and those of one strength from left to right.
    pub(super) fn strength(self) -> u8 {
        match self {
            Self::And | Self::Or | Self::Xor => 1,
            Self::Equal | Self::NotEqual | Self::Less | Self::LessOrEqual | Self::Greater | Self::GreaterOrEqual => 2,
            Self::Add | Self::Subtract => 3,
            Self::Multiply | Self::Divide | Self::Remainder => 4,
        }
    }

    pub(super) fn spelling(self) -> &'static str {
        match self {
            Self::And => "AND",
            Self::Or => "OR",
            Self::Xor => "XOR",
            Self::Equal => "=",
            Self::NotEqual => "!=",
            Self::Less => "<",
            Self::LessOrEqual => "<=",
            Self::Greater => ">",
            Self::GreaterOrEqual => ">=",
            Self::Add => "+",
            Self::Subtract => "-",
            Self::Multiply => "*",
            Self::Divide => "/",
            Self::Remainder => "%",
        }
    }

    /// Finds the operator that a word or a symbol is; capital letters do not count.
    pub(super) fn spelled(spelling: &str) -> Option<Self> {
        match spelling {
            "=" => Some(Self::Equal),
            "!=" | "<>" => Some(Self::NotEqual),
            "<" => Some(Self::Less),
            "<=" => Some(Self::LessOrEqual),
            ">" => Some(Self::Greater),
            ">=" => Some(Self::GreaterOrEqual),
            "+" => Some(Self::Add),
            "-" => Some(Self::Subtract),
            "*" => Some(Self::Multiply),
            "/" => Some(Self::Divide),
            "%" => Some(Self::Remainder),
            _ if spelling.eq_ignore_ascii_case("and") => Some(Self::And),
            _ if spelling.eq_ignore_ascii_case("or") => Some(Self::Or),
            _ if spelling.eq_ignore_ascii_case("xor") => Some(Self::Xor),
            _ => None,
        }
    }

    /// Returns the type that it gives.
    pub(super) fn kind(self) -> Kind {
        if self.strength() < 3 { Kind::Boolean } else { Kind::Integer }
    }

    /// Tells whether it compares by size, which is between two Integers only.
    pub(super) fn is_order(self) -> bool {
        matches!(self, Self::Less | Self::LessOrEqual | Self::Greater | Self::GreaterOrEqual)
    }

    /// Returns the operator that says the same of the two in the other order, of one that [compares](Self::is_order).
    pub(super) fn turned(self) -> Self {
        match self {
            Self::Less => Self::Greater,
            Self::LessOrEqual => Self::GreaterOrEqual,
            Self::Greater => Self::Less,
            Self::GreaterOrEqual => Self::LessOrEqual,
            other => other,
        }
    }

    /// Evaluates it. That AND and OR do not look at their right side where the left one decides is not seen here.
    pub(super) fn apply(self, left: &Value<'_>, right: &Value<'_>) -> Given<'static> {
        self.evaluate(left, right).map_err(|kind| self.kind().failed(kind))
    }

    fn evaluate(self, left: &Value<'_>, right: &Value<'_>) -> Result<Value<'static>, ErrorKind> {
        Ok(match self {
            Self::And => Value::Boolean(left.boolean()? & right.boolean()?),
            Self::Or => Value::Boolean(left.boolean()? | right.boolean()?),
            Self::Xor => Value::Boolean(left.boolean()? ^ right.boolean()?),
            Self::Equal => Value::Boolean(equal(left, right)?),
            Self::NotEqual => Value::Boolean(!equal(left, right)?),
            Self::Less | Self::LessOrEqual | Self::Greater | Self::GreaterOrEqual => {
                Value::Boolean(self.compare(left.integer()?, right.integer()?))
            }
            Self::Add | Self::Subtract | Self::Multiply | Self::Divide | Self::Remainder => {
                Value::Integer(self.compute(left.integer()?, right.integer()?).ok_or(ErrorKind::Math)?)
            }
        })
    }

    /// Compares two numbers, with one of the six operators that do.
    pub(super) fn compare(self, left: i32, right: i32) -> bool {
        match self {
            Self::Equal => left == right,
            Self::NotEqual => left != right,
            Self::Less => left < right,
            Self::LessOrEqual => left <= right,
            Self::Greater => left > right,
            Self::GreaterOrEqual => left >= right,
            _ => false,
        }
    }

    fn compute(self, left: i32, right: i32) -> Option<i32> {
        match self {
            Self::Add => left.checked_add(right),
            Self::Subtract => left.checked_sub(right),
            Self::Multiply => left.checked_mul(right),
            Self::Divide => left.checked_div(right),
            // The remainder of the least number by -1 is 0, though the quotient is no number of 32 bits.
            Self::Remainder => (right != 0).then(|| left.wrapping_rem(right)),
            _ => None,
        }
    }
}

/// Tells whether two values are equal once the left one is cast to the type of the right one.
pub(super) fn equal(left: &Value<'_>, right: &Value<'_>) -> Result<bool, ErrorKind> {
    Ok(match right {
        Value::Boolean(truth) => left.boolean()? == *truth,
        Value::Integer(number) => left.integer()? == *number,
        Value::Text(text) => left.text() == *text,
    })
}
