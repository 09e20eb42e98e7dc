//! Numbers of JSON, compared as the numbers that they are.

use std::{
    cmp::Ordering,
    fmt,
    hash::{Hash, Hasher},
};

use serde::de::IgnoredAny;

/// A number: each has one form only, so `300`, `300.0` and `3.0e2` are the same.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Number {
    /// A whole one below zero.
    Negative(i64),
    /// A whole one that is not below zero.
    Whole(u64),
    /// Any other, which is one with a fraction, or one that 64 bits do not hold as a whole one; never NaN.
    Real(f64),
}

impl Number {
    /// Reads a text that is a number of JSON and nothing else, without spaces.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        // `serde_json` takes spaces around it.
        let begins = text.starts_with(|first: char| first == '-' || first.is_ascii_digit());
        if !begins || !text.ends_with(|last: char| last.is_ascii_digit()) {
            return None;
        }
        if let Ok(number) = serde_json::from_str::<serde_json::Number>(text) {
            return Self::of(&number);
        }
        // What is one by its grammar, and was refused, is too large.
        serde_json::from_str::<IgnoredAny>(text).ok()?;
        Some(Self::Real(if text.starts_with('-') { f64::NEG_INFINITY } else { f64::INFINITY }))
    }

    /// Takes a number of a JSON value.
    pub(crate) fn of(number: &serde_json::Number) -> Option<Self> {
        let whole = number.as_u64().map(Self::Whole).or_else(|| number.as_i64().map(Self::whole_or_negative));
        whole.or_else(|| number.as_f64().map(Self::real))
    }

    /// Takes a whole number.
    pub(crate) fn whole_or_negative(number: i64) -> Self {
        u64::try_from(number).map_or(Self::Negative(number), Self::Whole)
    }

    /// Takes any number but NaN.
    pub(crate) fn real(number: f64) -> Self {
        // The upper end is rounded up to 2^64, which is no number of 64 bits any more.
        let is_whole = number.fract() == 0.0 && (i64::MIN as f64..u64::MAX as f64).contains(&number);
        if !is_whole {
            Self::Real(number)
        } else if number < 0.0 {
            Self::Negative(number as i64)
        } else {
            Self::Whole(number as u64)
        }
    }

    /// Returns the nearest floating-point number: the order of numbers is that of theirs, where those are not equal.
    pub(crate) fn as_f64(self) -> f64 {
        match self {
            Self::Negative(number) => number as f64,
            Self::Whole(number) => number as f64,
            Self::Real(number) => number,
        }
    }

    /// Returns it as JSON; one that is infinite, which no filter has, as null.
    pub(crate) fn to_json(self) -> serde_json::Value {
        match self {
            Self::Negative(number) => number.into(),
            Self::Whole(number) => number.into(),
            Self::Real(number) => number.into(),
        }
    }

    /// Returns the whole number, or the other one.
    fn whole(self) -> Result<i128, f64> {
        match self {
            Self::Negative(number) => Ok(number.into()),
            Self::Whole(number) => Ok(number.into()),
            Self::Real(number) => Err(number),
        }
    }
}

impl Ord for Number {
    fn cmp(&self, other: &Self) -> Ordering {
        match (self.whole(), other.whole()) {
            (Ok(one), Ok(other)) => one.cmp(&other),
            (Err(one), Err(other)) => one.total_cmp(&other),
            (Err(real), Ok(whole)) => beside(real, whole),
            (Ok(whole), Err(real)) => beside(real, whole).reverse(),
        }
    }
}

/// Compares a number that is no whole one of 64 bits with one that is.
fn beside(real: f64, whole: i128) -> Ordering {
    // What 128 bits do not hold becomes the end of what they hold, on the side where it is.
    if real.floor() as i128 >= whole { Ordering::Greater } else { Ordering::Less }
}

impl PartialOrd for Number {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Number {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Number {}

impl Hash for Number {
    fn hash<H: Hasher>(&self, state: &mut H) {
        match self.whole() {
            Ok(whole) => whole.hash(state),
            Err(real) => real.to_bits().hash(state),
        }
    }
}

impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Negative(number) => write!(f, "{number}"),
            Self::Whole(number) => write!(f, "{number}"),
            // With an exponent where it is large.
            Self::Real(number) => write!(f, "{number:?}"),
        }
    }
}
