//! What an event must have for a filter to hold, in a form that an index can look up.
//!
//! A filter tells its cover: keys of which every event that it lets through has at least one. That the event has one does
//! not mean that the filter holds: it is asked then.

use std::{
    hash::{Hash, Hasher},
    ops::Bound,
};

use crate::attribute::Attribute;

/// The most keys of one cover: a filter that needs more is asked about every event of its type.
pub(crate) const KEYS_MAX: usize = 64;

/// What one key is about.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Operand {
    /// The text of a context attribute.
    Attribute(Attribute),
    /// The members of the data that one comes to by these names, through every item of each array on the way and at the end.
    Data(Box<[Box<str>]>),
}

/// One thing that an event can have.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Key {
    /// A value is this one.
    Equal(Operand, Literal),
    /// A value is a text that begins so; the text is not empty.
    Prefix(Operand, Box<str>),
    /// A value is a number within.
    Within(Operand, Interval),
}

/// A value that can be looked up.
///
/// The text of an attribute is looked up as [`Text`](Self::Text), and also as the number, the truth or the null that it is
/// the JSON text of: a header has lost which of them it was.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Literal {
    Null,
    Boolean(bool),
    Number(Number),
    Text(Box<str>),
}

/// A number as an index knows it. Whole numbers beyond 53 bits share one with their neighbours: the filter tells them apart.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Number(f64);

impl Number {
    /// Takes any number but NaN, which no event can have.
    pub(crate) fn new(value: f64) -> Option<Self> {
        // The two zeros are equal.
        (!value.is_nan()).then_some(Self(value + 0.0))
    }

    pub(crate) fn get(self) -> f64 {
        self.0
    }
}

impl PartialEq for Number {
    fn eq(&self, other: &Self) -> bool {
        self.0.to_bits() == other.0.to_bits()
    }
}

impl Eq for Number {}

impl PartialOrd for Number {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Number {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.0.total_cmp(&other.0)
    }
}

impl Hash for Number {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.to_bits().hash(state);
    }
}

/// Numbers between two ends, of which at least one is bounded, and in which there is at least one number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Interval {
    pub(crate) low: Bound<Number>,
    pub(crate) high: Bound<Number>,
}

impl Interval {
    /// Tells whether a number is within.
    #[cfg(test)]
    pub(crate) fn contains(&self, number: Number) -> bool {
        std::ops::RangeBounds::contains(&(self.low, self.high), &number)
    }
}

/// Keys of which an event has at least one where the filter holds; none where the filter can promise none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Cover(Option<Box<[Key]>>);

impl Cover {
    /// Every event may be let through.
    pub(crate) const NONE: Self = Self(None);

    /// Events that have one of these; more than [`KEYS_MAX`] are as good as none.
    pub(crate) fn of(keys: impl IntoIterator<Item = Key>) -> Self {
        let keys: Vec<Key> = keys.into_iter().take(KEYS_MAX + 1).collect();
        Self((1..=KEYS_MAX).contains(&keys.len()).then(|| keys.into()))
    }

    pub(crate) fn keys(&self) -> Option<&[Key]> {
        self.0.as_deref()
    }

    /// The cover of a filter that holds where one of two holds.
    pub(crate) fn or(self, other: Self) -> Self {
        match (self.0, other.0) {
            (Some(one), Some(other)) => Self::of(one.into_iter().chain(other)),
            _ => Self::NONE,
        }
    }

    /// The cover of a filter that holds where both of two hold: the better one of theirs.
    pub(crate) fn and(self, other: Self) -> Self {
        if other.rank() < self.rank() { other } else { self }
    }

    /// How many events it is likely to let by, the fewest first: by its worst key, then by how many there are.
    fn rank(&self) -> (u8, usize) {
        match &self.0 {
            None => (u8::MAX, 0),
            Some(keys) => (keys.iter().map(Key::rank).max().unwrap_or(u8::MAX), keys.len()),
        }
    }
}

impl Key {
    pub(crate) fn operand(&self) -> &Operand {
        match self {
            Self::Equal(operand, _) | Self::Prefix(operand, _) | Self::Within(operand, _) => operand,
        }
    }

    fn rank(&self) -> u8 {
        let is_coarse = match self.operand() {
            // The index is below the type already, and these are much the same for all events of one.
            Operand::Attribute(attribute) => matches!(
                attribute,
                Attribute::Type | Attribute::SpecVersion | Attribute::DataContentType | Attribute::DataSchema
            ),
            Operand::Data(_) => false,
        };
        let kind = match self {
            // There are two truths and one null only.
            Self::Equal(_, Literal::Boolean(_) | Literal::Null) => 3,
            Self::Equal(..) => 0,
            Self::Prefix(..) => 1,
            Self::Within(..) => 2,
        };
        // The data is read for it, an attribute is there.
        let reading = u8::from(matches!(self.operand(), Operand::Data(_)));
        u8::from(is_coarse) * 16 + kind * 2 + reading
    }
}

#[cfg(test)]
mod tests {
    use super::{Cover, Key, Literal, Operand};
    use crate::attribute::Attribute;

    #[test]
    fn the_better_of_two_covers_is_taken_and_one_of_both_needs_both() {
        let subject = || Operand::Attribute(Attribute::Subject);
        let equal = |text: &str| Cover::of([Key::Equal(subject(), Literal::Text(text.into()))]);
        let prefix = || Cover::of([Key::Prefix(subject(), "a".into())]);
        assert_eq!(prefix().and(equal("a")), equal("a"));
        assert_eq!(Cover::NONE.and(prefix()), prefix());
        assert_eq!(prefix().or(Cover::NONE), Cover::NONE);
        assert_eq!(equal("a").or(equal("b")).keys().map(<[Key]>::len), Some(2));
        let many = (0..100).map(|index| Key::Equal(subject(), Literal::Text(index.to_string().into())));
        assert_eq!(Cover::of(many), Cover::NONE);
        assert_eq!(Cover::of([]), Cover::NONE);
    }
}
