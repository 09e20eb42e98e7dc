//! How many events a second are delivered, where that is bounded.

use std::time::Duration;

use tokio::time::Instant;

/// What may be saved up while nothing is delivered, as a part of what a second allows.
const SAVED_PARTS: u32 = 20;

/// How late it is asked at most, for a rate to be kept that is low.
const LATENESS: Duration = Duration::from_millis(20);

/// Allows so many events a second, evenly: the generic cell rate algorithm of ATM, which needs one time and no timer.
#[derive(Debug)]
pub(crate) struct Pace {
    rate: u32,
    /// When the next event would come if all came evenly.
    next: Instant,
}

impl Pace {
    pub(crate) fn new(rate: u32, now: Instant) -> Self {
        Self { rate: rate.max(1), next: now }
    }

    pub(crate) fn rate(&self) -> u32 {
        self.rate
    }

    fn gap(&self) -> Duration {
        Duration::from_secs(1) / self.rate
    }

    /// What may come before its time. Who is asked now and then only, as by timers, must not lose the time in between.
    fn slack(&self) -> Duration {
        (self.gap() * (self.rate / SAVED_PARTS)).max(self.gap().min(LATENESS))
    }

    /// Returns when the next event may go; one in the past says now.
    pub(crate) fn due(&self) -> Instant {
        self.next.checked_sub(self.slack()).unwrap_or(self.next)
    }

    /// Returns how many may go now.
    pub(crate) fn allowed(&self, now: Instant) -> usize {
        if self.due() > now {
            return 0;
        }
        let ahead = (now + self.slack()).saturating_duration_since(self.next);
        let saved = (ahead.as_nanos() / self.gap().as_nanos().max(1)) as usize;
        (saved + 1).min((self.rate / SAVED_PARTS) as usize + 1)
    }

    /// One goes.
    pub(crate) fn spend(&mut self, now: Instant) {
        self.next = self.next.max(now) + self.gap();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_second_allows_its_number_however_it_is_asked() {
        for (rate, step_ms) in [(1, 1), (10, 7), (200, 1), (200, 35), (10_000, 1)] {
            let begin = Instant::now();
            let mut pace = Pace::new(rate, begin);
            let mut gone = 0u64;
            for ms in (0..10_000).step_by(step_ms) {
                let now = begin + Duration::from_millis(ms);
                for _ in 0..pace.allowed(now) {
                    pace.spend(now);
                    gone += 1;
                }
                let most = u64::from(rate) * ms / 1000 + u64::from(rate / SAVED_PARTS) + 2;
                assert!(gone <= most, "{rate}/s asked every {step_ms} ms: {gone} of {most} at {ms} ms");
            }
            assert!(gone >= u64::from(rate) * 98 / 10, "{rate}/s asked every {step_ms} ms: {gone}");
        }
    }
}
