//! The place of an event in the log: what an append returns as its receipt.

use std::fmt;

/// A place in the log. Grows strictly along a space, may have gaps.
///
/// [`Position::ORIGIN`] is before the first event; the first event of a log has position 1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Position(u64);

impl Position {
    /// The place before the first event.
    pub const ORIGIN: Self = Self(0);
    /// Beyond every event that can ever be written.
    pub const MAX: Self = Self(u64::MAX);

    /// Makes a position from its number.
    #[must_use]
    pub const fn new(number: u64) -> Self {
        Self(number)
    }

    /// Returns the number.
    #[must_use]
    pub const fn get(self) -> u64 {
        self.0
    }

    /// Returns the place right after this one.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }

    /// Returns the place right before this one; that of the origin is the origin.
    #[must_use]
    pub const fn previous(self) -> Self {
        Self(self.0.saturating_sub(1))
    }

    /// Returns the place `count` further on.
    #[must_use]
    pub const fn plus(self, count: u64) -> Self {
        Self(self.0.saturating_add(count))
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// First and last position of one append.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PositionRange {
    /// The lowest position.
    pub first: Position,
    /// The highest position.
    pub last: Position,
}
