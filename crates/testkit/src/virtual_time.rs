//! Time that passes only when nothing else is left to do: that of a tokio runtime whose clock is paused.

use std::time::Duration;

use tokio::time::Instant;
use weir_domain::{Clock, Timestamp};

/// A wall clock that goes as the clock of the runtime does.
#[derive(Debug)]
pub struct VirtualClock {
    begin: Timestamp,
    since: Instant,
}

impl VirtualClock {
    /// Sets the clock to a time. It is read on the same runtime.
    #[must_use]
    pub fn set_to(begin: Timestamp) -> Self {
        Self { begin, since: Instant::now() }
    }
}

impl Clock for VirtualClock {
    fn now(&self) -> Timestamp {
        // No simulation lasts for half a million years.
        let passed = self.since.elapsed().as_micros() as u64;
        Timestamp::from_unix_micros(self.begin.unix_micros() + passed)
    }
}

/// Lets virtual time pass: nobody waits for it.
pub async fn pass(time: Duration) {
    tokio::time::sleep(time).await;
}
