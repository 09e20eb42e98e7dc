//! Clock and identifiers that give the same values in every run.

use std::sync::atomic::{AtomicU64, Ordering};

use weir_domain::{Clock, Ids, Timestamp};

/// A clock that goes on by one millisecond each time it is read.
#[derive(Debug)]
pub struct SteppingClock(AtomicU64);

impl Default for SteppingClock {
    fn default() -> Self {
        Self(AtomicU64::new(1_700_000_000_000_000))
    }
}

impl Clock for SteppingClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_unix_micros(self.0.fetch_add(1000, Ordering::Relaxed))
    }
}

/// Identifiers that count.
#[derive(Debug, Default)]
pub struct CountingIds(AtomicU64);

impl Ids for CountingIds {
    fn unique(&self) -> String {
        format!("id-{}", self.0.fetch_add(1, Ordering::Relaxed))
    }

    fn secret(&self) -> [u8; 32] {
        // It counts too: two are never the same.
        let number = self.0.fetch_add(1, Ordering::Relaxed);
        std::array::from_fn(|place| number.to_le_bytes()[place % 8])
    }
}
