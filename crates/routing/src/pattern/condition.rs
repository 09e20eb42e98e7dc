//! What one value is compared with.

use std::{net::IpAddr, ops::Bound};

use ipnet::IpNet;
use serde_json::{Value, json};

use super::evaluate::Found;
use crate::{
    cover::{self, Interval, Key, Operand},
    document::{Number, Scalar},
};

/// One condition.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Condition {
    /// A value passes.
    Is(Test),
    /// A value is there that passes none of these, which are all of one kind; sorted, each once, at least one.
    AnythingBut(Box<[Test]>),
    /// Something is there, or is not.
    Exists(bool),
}

/// What is asked of a value that has nothing in it.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Test {
    Equal(Literal),
    Prefix(Box<str>),
    Suffix(Box<str>),
    /// This and the next two are in [lower case](lower).
    PrefixIgnoreCase(Box<str>),
    SuffixIgnoreCase(Box<str>),
    EqualsIgnoreCase(Box<str>),
    Wildcard(Wildcard),
    Numeric(Range),
    /// Without bits beyond the length of the prefix.
    Cidr(IpNet),
}

/// A value that another one can equal.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Literal {
    Null,
    Boolean(bool),
    Number(Number),
    Text(Box<str>),
}

/// A text with places in it where any letters may stand, or none.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Wildcard {
    /// What stands between these places: one more than there are of them.
    pieces: Box<[Box<str>]>,
}

/// Numbers between two ends, of which there is at least one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Range {
    pub(super) low: Option<End>,
    pub(super) high: Option<End>,
}

/// One end of a range.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct End {
    pub(super) number: Number,
    pub(super) is_included: bool,
}

/// A value under comparison.
#[derive(Clone, Copy, Debug)]
pub(super) enum Subject<'s> {
    /// The text of an attribute. It is also the number or the truth that it shows: a header has lost which it was.
    Attribute(&'s str),
    Data(Scalar<'s>),
}

impl<'s> Subject<'s> {
    fn text(self) -> Option<&'s str> {
        match self {
            Self::Attribute(text) | Self::Data(Scalar::Text(text)) => Some(text),
            Self::Data(_) => None,
        }
    }

    fn number(self) -> Option<Number> {
        match self {
            Self::Attribute(text) => Number::parse(text),
            Self::Data(Scalar::Number(number)) => Some(number),
            Self::Data(_) => None,
        }
    }

    fn truth(self) -> Option<bool> {
        match self {
            Self::Attribute("true") => Some(true),
            Self::Attribute("false") => Some(false),
            Self::Data(Scalar::Boolean(truth)) => Some(truth),
            _ => None,
        }
    }
}

impl Condition {
    pub(super) fn holds(&self, found: Found<'_>) -> bool {
        match self {
            Self::Is(test) => found.any(|subject| test.holds(subject)),
            Self::AnythingBut(tests) => found.any(|subject| !tests.iter().any(|test| test.holds(subject))),
            Self::Exists(wanted) => found.is_there() == *wanted,
        }
    }

    /// Tells whether it holds for every text that is there.
    pub(super) fn holds_for_all_texts(&self) -> bool {
        match self {
            Self::Is(Test::Prefix(text) | Test::Suffix(text)) => text.is_empty(),
            Self::Is(Test::PrefixIgnoreCase(text) | Test::SuffixIgnoreCase(text)) => text.is_empty(),
            Self::Is(Test::Wildcard(wildcard)) => wildcard.is_all(),
            Self::Exists(wanted) => *wanted,
            Self::Is(_) | Self::AnythingBut(_) => false,
        }
    }

    /// Returns what an event has for which it holds, where that can be looked up.
    pub(super) fn key(&self, operand: &Operand) -> Option<Key> {
        match self {
            Self::Is(test) => test.key(operand.clone()),
            Self::AnythingBut(_) | Self::Exists(_) => None,
        }
    }

    pub(crate) fn to_json(&self) -> Value {
        match self {
            Self::Is(Test::Equal(literal)) => literal.to_json(),
            Self::Is(test) => json!({ test.operator(): test.content() }),
            Self::AnythingBut(tests) => {
                let contents: Value = tests.iter().map(Test::content).collect();
                let excluded = match tests.first() {
                    None | Some(Test::Equal(_)) => contents,
                    Some(test) => json!({ test.operator(): contents }),
                };
                json!({ "anything-but": excluded })
            }
            Self::Exists(wanted) => json!({ "exists": wanted }),
        }
    }
}

impl Test {
    fn holds(&self, subject: Subject<'_>) -> bool {
        let text = subject.text();
        match self {
            Self::Equal(literal) => literal.equals(subject),
            Self::Prefix(wanted) => text.is_some_and(|text| text.starts_with(&**wanted)),
            Self::Suffix(wanted) => text.is_some_and(|text| text.ends_with(&**wanted)),
            Self::PrefixIgnoreCase(wanted) => text.is_some_and(|text| begins(lower(text), wanted.chars())),
            Self::SuffixIgnoreCase(wanted) => text.is_some_and(|text| begins(lower(text).rev(), wanted.chars().rev())),
            Self::EqualsIgnoreCase(wanted) => text.is_some_and(|text| lower(text).eq(wanted.chars())),
            Self::Wildcard(wildcard) => text.is_some_and(|text| wildcard.matches(text)),
            Self::Numeric(range) => subject.number().is_some_and(|number| range.contains(number)),
            Self::Cidr(network) => {
                text.and_then(|text| text.parse::<IpAddr>().ok()).is_some_and(|address| network.contains(&address))
            }
        }
    }

    fn key(&self, operand: Operand) -> Option<Key> {
        match self {
            Self::Equal(literal) => Some(Key::Equal(operand, literal.looked_up()?)),
            Self::Prefix(text) => (!text.is_empty()).then(|| Key::Prefix(operand, text.clone())),
            Self::Wildcard(wildcard) => match &*wildcard.pieces {
                [only] => Some(Key::Equal(operand, cover::Literal::Text(only.clone()))),
                [first, ..] if !first.is_empty() => Some(Key::Prefix(operand, first.clone())),
                _ => None,
            },
            Self::Numeric(range) => range.key(operand),
            Self::Suffix(_)
            | Self::PrefixIgnoreCase(_)
            | Self::SuffixIgnoreCase(_)
            | Self::EqualsIgnoreCase(_)
            | Self::Cidr(_) => None,
        }
    }

    fn operator(&self) -> &'static str {
        match self {
            // Has none; `=` of `numeric` would be another condition.
            Self::Equal(_) => "equals",
            Self::Prefix(_) | Self::PrefixIgnoreCase(_) => "prefix",
            Self::Suffix(_) | Self::SuffixIgnoreCase(_) => "suffix",
            Self::EqualsIgnoreCase(_) => "equals-ignore-case",
            Self::Wildcard(_) => "wildcard",
            Self::Numeric(_) => "numeric",
            Self::Cidr(_) => "cidr",
        }
    }

    fn content(&self) -> Value {
        match self {
            Self::Equal(literal) => literal.to_json(),
            Self::Prefix(text) | Self::Suffix(text) | Self::EqualsIgnoreCase(text) => Value::from(&**text),
            Self::PrefixIgnoreCase(text) | Self::SuffixIgnoreCase(text) => json!({ "equals-ignore-case": **text }),
            Self::Wildcard(wildcard) => Value::from(wildcard.text()),
            Self::Numeric(range) => range.to_json(),
            Self::Cidr(network) => Value::from(network.to_string()),
        }
    }
}

impl Literal {
    fn equals(&self, subject: Subject<'_>) -> bool {
        match self {
            Self::Null => matches!(subject, Subject::Data(Scalar::Null)),
            Self::Boolean(wanted) => subject.truth() == Some(*wanted),
            Self::Number(wanted) => subject.number() == Some(*wanted),
            Self::Text(wanted) => subject.text() == Some(&**wanted),
        }
    }

    fn looked_up(&self) -> Option<cover::Literal> {
        Some(match self {
            Self::Null => cover::Literal::Null,
            Self::Boolean(truth) => cover::Literal::Boolean(*truth),
            Self::Number(number) => cover::Literal::Number(cover::Number::new(number.as_f64())?),
            Self::Text(text) => cover::Literal::Text(text.clone()),
        })
    }

    fn to_json(&self) -> Value {
        match self {
            Self::Null => Value::Null,
            Self::Boolean(truth) => Value::from(*truth),
            Self::Number(number) => number.to_json(),
            Self::Text(text) => Value::from(&**text),
        }
    }
}

/// Returns the letters of a text in the lower case of Unicode, each by itself and for no language in particular.
pub(super) fn lower(text: &str) -> impl DoubleEndedIterator<Item = char> {
    text.chars().flat_map(char::to_lowercase)
}

fn begins(mut letters: impl Iterator<Item = char>, mut wanted: impl Iterator<Item = char>) -> bool {
    wanted.all(|letter| letters.next() == Some(letter))
}

impl Wildcard {
    /// Reads a text in which `*` stands for any letters, `\*` for a star and `\\` for a backslash. The problem of one
    /// that is none continues the sentence that begins with it.
    pub(super) fn parse(text: &str) -> Result<Self, &'static str> {
        let mut pieces: Vec<Box<str>> = Vec::new();
        let mut piece = String::new();
        let mut letters = text.chars().peekable();
        while let Some(letter) = letters.next() {
            match letter {
                '*' if letters.peek() == Some(&'*') => return Err("has two stars side by side: write one"),
                '*' => pieces.push(std::mem::take(&mut piece).into()),
                '\\' => match letters.next() {
                    Some(escaped @ ('*' | '\\')) => piece.push(escaped),
                    _ => return Err("has a backslash before something else than a star or a backslash: double it"),
                },
                other => piece.push(other),
            }
        }
        pieces.push(piece.into());
        Ok(Self { pieces: pieces.into() })
    }

    /// Tells whether a text is so. Never goes back further than a piece is long.
    fn matches(&self, text: &str) -> bool {
        let (first, middle, last) = match &*self.pieces {
            [first, middle @ .., last] => (first, middle, last),
            [only] => return text == &**only,
            [] => return false,
        };
        let Some(rest) = text.strip_prefix(&**first) else { return false };
        let Some(mut rest) = rest.strip_suffix(&**last) else { return false };
        // The first place where a piece is leaves the most for those behind it.
        middle.iter().all(|piece| match rest.split_once(&**piece) {
            Some((_, behind)) => {
                rest = behind;
                true
            }
            None => false,
        })
    }

    fn is_all(&self) -> bool {
        self.pieces.len() > 1 && self.pieces.iter().all(|piece| piece.is_empty())
    }

    fn text(&self) -> String {
        let escaped = |piece: &str| piece.replace('\\', r"\\").replace('*', r"\*");
        self.pieces.iter().map(|piece| escaped(piece)).collect::<Vec<_>>().join("*")
    }
}

impl Range {
    pub(super) fn contains(&self, number: Number) -> bool {
        let above = |low: End| number > low.number || (low.is_included && number == low.number);
        let below = |high: End| number < high.number || (high.is_included && number == high.number);
        self.low.is_none_or(above) && self.high.is_none_or(below)
    }

    /// Tells whether no number is within.
    pub(super) fn is_empty(&self) -> bool {
        let (Some(low), Some(high)) = (self.low, self.high) else { return false };
        low.number > high.number || (low.number == high.number && !(low.is_included && high.is_included))
    }

    /// Returns the number within, where there is only one.
    fn only(&self) -> Option<Number> {
        let (low, high) = (self.low?, self.high?);
        (low == high && low.is_included).then_some(low.number)
    }

    fn key(&self, operand: Operand) -> Option<Key> {
        if let Some(number) = self.only() {
            return Some(Key::Equal(operand, Literal::Number(number).looked_up()?));
        }
        let (low, high) = (looked_up(self.low)?, looked_up(self.high)?);
        Some(Key::Within(operand, Interval { low, high }))
    }

    fn to_json(self) -> Value {
        if let Some(number) = self.only() {
            return json!(["=", number.to_json()]);
        }
        let low = self.low.map(|end| [json!(if end.is_included { ">=" } else { ">" }), end.number.to_json()]);
        let high = self.high.map(|end| [json!(if end.is_included { "<=" } else { "<" }), end.number.to_json()]);
        low.into_iter().chain(high).flatten().collect()
    }
}

/// Returns an end as an index knows it. It is always included: numbers are rounded there, and one beside the end may
/// become the end.
fn looked_up(end: Option<End>) -> Option<Bound<cover::Number>> {
    let Some(end) = end else { return Some(Bound::Unbounded) };
    cover::Number::new(end.number.as_f64()).map(Bound::Included)
}
