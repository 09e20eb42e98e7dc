//! What is wrong with data, in a bounded number of bounded texts.
//!
//! Values of the data are not repeated: they may be secret, and they are in the event. Names of members are.

use std::fmt::{self, Write};

use jsonschema::ValidationError;

use crate::limits;

/// What stands in front of pointers: the place of the data in the event, as in a key rule.
const DATA: &str = "/data";
/// How many violations are told in one sentence.
const SENTENCE_MAX: usize = 3;

/// One place in the data that breaks the schema, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    pointer: String,
    message: String,
}

impl Violation {
    /// Describes a fault of the data as a whole.
    pub(super) fn of_all(message: impl fmt::Display) -> Self {
        Self { pointer: DATA.to_owned(), message: cut(message, limits::VIOLATION_BYTES_MAX) }
    }

    fn of(error: &ValidationError<'_>) -> Self {
        Self {
            pointer: cut(format_args!("{DATA}{}", error.instance_path()), limits::POINTER_BYTES_MAX),
            message: cut(error.masked_with("the value"), limits::VIOLATION_BYTES_MAX),
        }
    }

    /// Returns the place: `/data` and a JSON pointer (RFC 6901) within the data.
    #[must_use]
    pub fn pointer(&self) -> &str {
        &self.pointer
    }

    /// Returns what is wrong there.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.message
    }
}

/// Everything that is wrong with the data of an event: one violation at least, and
/// [`VIOLATIONS_MAX`](limits::VIOLATIONS_MAX) at most.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violations {
    list: Vec<Violation>,
    more: Option<usize>,
}

impl Violations {
    pub(super) fn one(violation: Violation) -> Self {
        Self { list: vec![violation], more: Some(0) }
    }

    pub(super) fn all<'e>(mut errors: impl Iterator<Item = ValidationError<'e>>) -> Self {
        let list: Vec<Violation> =
            errors.by_ref().take(limits::VIOLATIONS_MAX).map(|error| Violation::of(&error)).collect();
        // Data that are not valid and have no fault would be a defect of the library: they are refused all the same.
        if list.is_empty() { Self::unlisted() } else { Self { list, more: Some(errors.count()) } }
    }

    /// The first violation, of which nobody knows how many follow.
    pub(super) fn first(error: Option<ValidationError<'_>>) -> Self {
        error.map_or_else(Self::unlisted, |error| Self { list: vec![Violation::of(&error)], more: None })
    }

    /// Where looking for the places would take too long.
    pub(super) fn unlisted() -> Self {
        let message = "some value does not fit; which one is not told, because data of this size, or a schema that refers to \
                       itself in several ways, take too long to look through";
        Self { list: vec![Violation::of_all(message)], more: None }
    }

    /// Returns the violations in the order in which they were found.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &Violation> {
        self.list.iter()
    }

    /// Returns how many more there are than are listed; `None` where that is not known.
    #[must_use]
    pub fn more(&self) -> Option<usize> {
        self.more
    }
}

impl fmt::Display for Violations {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, violation) in self.list.iter().take(SENTENCE_MAX).enumerate() {
            let separator = if number == 0 { "" } else { "; " };
            write!(f, "{separator}at {}: {}", violation.pointer, violation.message)?;
        }
        match self.more.unwrap_or_default() + self.list.len().saturating_sub(SENTENCE_MAX) {
            0 => Ok(()),
            more => write!(f, "; and in {more} more places"),
        }
    }
}

/// Writes a text down as far as it fits, without control characters. What does not fit is not even made.
pub(super) fn cut(text: impl fmt::Display, bytes_max: usize) -> String {
    let mut room = Room { text: String::new(), bytes_max };
    if write!(room, "{text}").is_err() {
        room.text.push('…');
    }
    room.text
}

struct Room {
    text: String,
    bytes_max: usize,
}

impl Write for Room {
    fn write_str(&mut self, part: &str) -> fmt::Result {
        for c in part.chars() {
            let c = if c.is_control() { char::REPLACEMENT_CHARACTER } else { c };
            if self.text.len() + c.len_utf8() > self.bytes_max {
                return Err(fmt::Error);
            }
            self.text.push(c);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_bounded_and_tame() {
        assert_eq!(cut("a\nb", 8), "a\u{fffd}b");
        assert_eq!(cut("abcd", 4), "abcd");
        assert_eq!(cut("abcde", 4), "abcd…");
        assert_eq!(cut("ääh", 3), "ä…");
    }

    #[test]
    fn a_sentence_tells_the_first_and_counts_the_rest() {
        let violation = |n: usize| Violation { pointer: format!("/data/{n}"), message: "no".into() };
        let told = |count: usize, more| Violations { list: (0..count).map(violation).collect(), more }.to_string();
        assert_eq!(told(1, Some(0)), "at /data/0: no");
        assert_eq!(told(2, None), "at /data/0: no; at /data/1: no");
        assert_eq!(told(4, Some(5)), "at /data/0: no; at /data/1: no; at /data/2: no; and in 6 more places");
    }
}
