//! How many requests of one name are let in: a bucket for each that fills at a steady rate.
//!
//! Time is a duration since some beginning, which the caller measures on a clock that does not go back.

use std::{collections::HashMap, time::Duration};

use parking_lot::Mutex;

/// One request, in the units of a bucket. A bucket that fills at one request a second fills by one unit a nanosecond, so
/// that nothing is ever rounded.
const REQUEST: u64 = 1_000_000_000;

/// Names with a bucket of their own. Where more are in use at once, the others share one.
const NAMES_MAX: usize = 64 * 1024;

/// How often a full table is looked through for buckets that nobody uses.
const SWEEP_PAUSE: Duration = Duration::from_secs(1);

/// How many requests are let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    per_second: u32,
    burst: u32,
}

impl Rate {
    /// Lets in so many a second, and so many at once after a pause. `None` where one of them is 0, which would let in
    /// nobody.
    #[must_use]
    pub const fn new(per_second: u32, burst: u32) -> Option<Self> {
        if per_second == 0 || burst == 0 { None } else { Some(Self { per_second, burst }) }
    }

    const fn capacity(self) -> u64 {
        self.burst as u64 * REQUEST
    }
}

/// What is left of the requests of one name.
#[derive(Clone, Copy, Debug)]
struct Bucket {
    level: u64,
    /// When that was so.
    at: Duration,
}

impl Bucket {
    const fn full(rate: Rate, now: Duration) -> Self {
        Self { level: rate.capacity(), at: now }
    }

    fn level(&self, rate: Rate, now: Duration) -> u64 {
        let passed = u64::try_from(now.saturating_sub(self.at).as_nanos()).unwrap_or(u64::MAX);
        let filled = passed.saturating_mul(u64::from(rate.per_second));
        self.level.saturating_add(filled).min(rate.capacity())
    }

    fn take(&mut self, rate: Rate, now: Duration) -> Result<(), Duration> {
        let level = self.level(rate, now);
        // Callers read the clock before they come here, and may overtake one another.
        let at = now.max(self.at);
        match level.checked_sub(REQUEST) {
            Some(left) => {
                *self = Self { level: left, at };
                Ok(())
            }
            None => {
                *self = Self { level, at };
                Err(Duration::from_nanos((REQUEST - level).div_ceil(u64::from(rate.per_second))))
            }
        }
    }
}

/// Counts the requests of many names.
pub(super) struct Limiter {
    rate: Rate,
    names_max: usize,
    buckets: Mutex<Buckets>,
}

struct Buckets {
    named: HashMap<Box<str>, Bucket>,
    /// Of all those that find no place.
    others: Bucket,
    /// From when on a full table is looked through again.
    sweep_from: Duration,
}

impl Limiter {
    pub(super) fn new(rate: Rate) -> Self {
        Self::with_names(rate, NAMES_MAX)
    }

    fn with_names(rate: Rate, names_max: usize) -> Self {
        let others = Bucket::full(rate, Duration::ZERO);
        let buckets = Mutex::new(Buckets { named: HashMap::new(), others, sweep_from: Duration::ZERO });
        Self { rate, names_max, buckets }
    }

    /// Lets in a request, or says how long to wait before the next one is let in.
    pub(super) fn take(&self, name: &str, now: Duration) -> Result<(), Duration> {
        let rate = self.rate;
        let mut buckets = self.buckets.lock();
        if let Some(bucket) = buckets.named.get_mut(name) {
            return bucket.take(rate, now);
        }
        if buckets.named.len() >= self.names_max && now >= buckets.sweep_from {
            // A full bucket is as good as none.
            buckets.named.retain(|_, bucket| bucket.level(rate, now) < rate.capacity());
            buckets.sweep_from = now + SWEEP_PAUSE;
        }
        if buckets.named.len() >= self.names_max {
            return buckets.others.take(rate, now);
        }
        buckets.named.entry(name.into()).or_insert(Bucket::full(rate, now)).take(rate, now)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn rate(per_second: u32, burst: u32) -> Rate {
        Rate::new(per_second, burst).expect("a rate")
    }

    /// Says the same without a bucket: in no span of time are more let in than the burst and what the span adds to it.
    fn is_let_in(rate: Rate, before: &[Duration], now: Duration) -> bool {
        (0..=before.len()).all(|first| {
            let since = before.get(first).copied().unwrap_or(now);
            let count = (before.len() - first + 1) as u128;
            let added = (now - since).as_nanos() * u128::from(rate.per_second);
            count * u128::from(REQUEST) <= u128::from(rate.burst) * u128::from(REQUEST) + added
        })
    }

    proptest! {
        #[test]
        fn a_bucket_lets_in_what_every_span_of_time_allows(
            per_second in 1_u32..2000,
            burst in 1_u32..6,
            pauses in prop::collection::vec(0_u64..2_000_000_000, 1..60),
            shorten in 0_u32..12,
        ) {
            let rate = rate(per_second, burst);
            let limiter = Limiter::new(rate);
            let (mut now, mut before) = (Duration::ZERO, Vec::new());
            for pause in pauses {
                now += Duration::from_nanos(pause >> shorten);
                let expected = is_let_in(rate, &before, now);
                match limiter.take("a", now) {
                    Ok(()) => {
                        prop_assert!(expected);
                        before.push(now);
                    }
                    Err(wait) => {
                        prop_assert!(!expected);
                        prop_assert!(is_let_in(rate, &before, now + wait));
                        prop_assert!(!is_let_in(rate, &before, now + wait - Duration::from_nanos(1)));
                    }
                }
            }
        }
    }

    #[test]
    fn names_do_not_count_for_one_another_until_there_are_too_many() {
        let limiter = Limiter::with_names(rate(1, 1), 2);
        let second = Duration::from_secs(1);
        assert_eq!(limiter.take("a", Duration::ZERO), Ok(()));
        assert_eq!(limiter.take("b", Duration::ZERO), Ok(()));
        assert_eq!(limiter.take("a", Duration::ZERO), Err(second));
        // Both places are taken: further names share one.
        assert_eq!(limiter.take("c", Duration::ZERO), Ok(()));
        assert_eq!(limiter.take("d", Duration::ZERO), Err(second));
        // Those of `a` and `b` are full again and make room.
        assert_eq!(limiter.take("c", second), Ok(()));
        assert_eq!(limiter.take("d", second), Ok(()));
        assert_eq!(limiter.buckets.lock().named.len(), 2);
        // A clock that was read too early takes nothing away.
        assert_eq!(limiter.take("c", Duration::ZERO), Err(second));
    }

    #[test]
    fn the_largest_rate_and_the_longest_pause_do_not_overflow() {
        let limiter = Limiter::new(rate(u32::MAX, u32::MAX));
        assert_eq!(limiter.take("a", Duration::ZERO), Ok(()));
        assert_eq!(limiter.take("a", Duration::MAX), Ok(()));
        assert!(Rate::new(0, 1).is_none() && Rate::new(1, 0).is_none());
    }
}
