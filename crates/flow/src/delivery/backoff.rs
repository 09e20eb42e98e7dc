//! When a failed delivery is tried again.

use std::time::Duration;

use weir_catalog::RetryPolicy;
use weir_domain::Position;

/// Returns the wait after an attempt (counted from 1), which is `at_least` as long as the function asked for, or `None` where no further attempt is due.
///
/// Doubles from attempt to attempt up to the bound, then takes between half and all of it. Which part is derived from
/// position and attempt: events that failed together come back apart, and a simulation gives the same run again.
pub(crate) fn wait(
    policy: &RetryPolicy,
    position: Position,
    attempt: u32,
    age: Duration,
    at_least: Duration,
) -> Option<Duration> {
    if attempt >= policy.attempts_max {
        return None;
    }
    let full = u64::from(policy.backoff_first_ms)
        .saturating_mul(1u64.checked_shl(attempt.saturating_sub(1)).unwrap_or(u64::MAX))
        .min(u64::from(policy.backoff_max_ms));
    let mixed = (position.get() ^ (u64::from(attempt) << 48)).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32;
    let wait = Duration::from_millis(full / 2 + mixed % (full / 2 + 1)).max(at_least);
    let too_old = policy.age_max_ms.is_some_and(|most| age + wait > Duration::from_millis(most));
    (!too_old).then_some(wait)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_the_bound_and_end() {
        let policy = RetryPolicy { attempts_max: 6, backoff_first_ms: 100, backoff_max_ms: 500, age_max_ms: None };
        let wait = |attempt| wait(&policy, Position::new(7), attempt, Duration::ZERO, Duration::ZERO);
        for (attempt, full) in [(1, 100), (2, 200), (3, 400), (4, 500), (5, 500)] {
            let wait = wait(attempt).expect("another attempt").as_millis();
            assert!((full / 2..=full).contains(&wait), "attempt {attempt}: {wait} ms");
        }
        assert_eq!(wait(6), None);
    }

    #[test]
    fn old_events_are_given_up() {
        let policy = RetryPolicy { age_max_ms: Some(1000), ..RetryPolicy::default() };
        let wait = |age: u64, at_least: u64| {
            wait(&policy, Position::new(1), 1, Duration::from_millis(age), Duration::from_millis(at_least))
        };
        assert!(wait(100, 0).is_some());
        assert_eq!(wait(100, 800), Some(Duration::from_millis(800)));
        assert_eq!(wait(1000, 0), None);
        assert_eq!(wait(100, 5000), None, "what the function asks for counts too");
    }
}
