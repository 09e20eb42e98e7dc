//! When a failed delivery is tried again.

use std::time::Duration;

use weir_catalog::{Jitter, RetryPolicy};
use weir_domain::Position;

/// Returns the wait after so many failures, which is `at_least` as long as the function asked for, or `None` where the
/// delivery is then tried for longer than it may be. `age` is how long it is tried already.
///
/// A bound grows from failure to failure, by the multiplier of the policy, up to the longest wait; any part of it is waited
/// where the policy has jitter. Which part is derived from position and failures: events that failed together come back
/// apart, and a simulation gives the same run again.
pub(crate) fn wait(
    policy: &RetryPolicy,
    position: Position,
    failures: u32,
    age: Duration,
    at_least: Duration,
) -> Option<Duration> {
    let growth = (f64::from(policy.multiplier_percent) / 100.0).powi(failures.saturating_sub(1).min(1000) as i32);
    // What is too large for a number is larger than the longest wait.
    let full = (f64::from(policy.backoff_first_ms) * growth).min(f64::from(policy.backoff_max_ms)) as u64;
    let part = match policy.jitter {
        Jitter::None => full,
        Jitter::Full => {
            let mixed = (position.get() ^ (u64::from(failures) << 48)).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32;
            mixed % (full + 1)
        }
    };
    let wait = Duration::from_millis(part).max(at_least);
    let too_old = policy.age_max_ms.is_some_and(|most| age + wait > Duration::from_millis(most));
    (!too_old).then_some(wait)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_double_and_any_part_of_them_is_waited() {
        let policy = RetryPolicy { backoff_first_ms: 100, backoff_max_ms: 500, ..RetryPolicy::default() };
        for (failures, full) in [(1, 100), (2, 200), (3, 400), (4, 500), (5, 500), (70, 500)] {
            let wait = |position| wait(&policy, Position::new(position), failures, Duration::ZERO, Duration::ZERO);
            let waits: Vec<_> = (1..=200).map(|it| wait(it).expect("another attempt").as_millis()).collect();
            assert!(waits.iter().all(|it| *it <= full), "{failures}: {waits:?}");
            // Who failed together comes back apart: in every quarter of the time some do.
            for quarter in 0..4 {
                let range = full * quarter / 4..full * (quarter + 1) / 4;
                assert!(waits.iter().any(|it| range.contains(it)), "{failures}, {range:?}: {waits:?}");
            }
        }
    }

    /// Where nothing is said, an outage of hours costs no event, and the function is not called without a pause.
    #[test]
    fn the_default_tries_for_a_day() {
        let policy = RetryPolicy::default();
        let (mut age, mut failures) = (Duration::ZERO, 0);
        while let Some(wait) = wait(&policy, Position::new(7), failures + 1, age, Duration::ZERO) {
            failures += 1;
            age += wait;
        }
        let day = Duration::from_secs(24 * 60 * 60);
        assert!(age <= day && age > day - Duration::from_secs(60), "{age:?}");
        assert!((1000..10_000).contains(&failures), "{failures}");
    }

    #[test]
    fn old_events_are_given_up() {
        let policy = RetryPolicy { age_max_ms: Some(1000), ..RetryPolicy::default() };
        let wait = |age: u64, at_least: u64| {
            wait(&policy, Position::new(1), 1, Duration::from_millis(age), Duration::from_millis(at_least))
        };
        assert!(wait(100, 0).is_some());
        assert_eq!(wait(100, 800), Some(Duration::from_millis(800)));
        assert_eq!(wait(1001, 0), None);
        assert_eq!(wait(100, 5000), None, "what the function asks for counts too");
    }
}
