//! Ports to what is not deterministic: wall clock and identifiers.
//!
//! Code below the binary never asks the operating system for either, so that a simulation can run from one seed.

/// A point in time: microseconds since 1970-01-01T00:00:00Z, leap seconds ignored.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(u64);

impl Timestamp {
    /// Makes a time from microseconds since the Unix epoch.
    #[must_use]
    pub const fn from_unix_micros(micros: u64) -> Self {
        Self(micros)
    }

    /// Returns microseconds since the Unix epoch.
    #[must_use]
    pub const fn unix_micros(self) -> u64 {
        self.0
    }
}

/// The wall clock.
pub trait Clock: Send + Sync + 'static {
    /// Returns the present time. May repeat a value and, on a corrected clock, go back.
    fn now(&self) -> Timestamp;
}

/// The source of new identifiers and secrets.
pub trait Ids: Send + Sync + 'static {
    /// Returns an identifier that was never returned before, here or elsewhere: a UUID in its text form.
    fn unique(&self) -> String;

    /// Returns 32 bytes that nobody can guess: what somebody is known by later.
    fn secret(&self) -> [u8; 32];
}
