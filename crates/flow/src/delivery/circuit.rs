//! Whether a function is given events at all: one that fails continuously is parked and probed.

use std::time::Duration;

use tokio::time::Instant;
use weir_domain::Timestamp;

use super::lanes::ItemId;

/// So many failures in a row, of several events, over at least [`FAILING_FOR`], park a subscription.
const FAILURES: u32 = 20;
/// See [`FAILURES`]: one event that fails whatever is done says nothing about the others.
const FAILING_EVENTS: usize = 3;
/// See [`FAILURES`].
const FAILING_FOR: Duration = Duration::from_secs(10);
/// How long the first probe waits; it doubles up to the bound.
const PROBE_PAUSE: Duration = Duration::from_secs(1);
/// See [`PROBE_PAUSE`].
const PROBE_PAUSE_MAX: Duration = Duration::from_secs(30);

/// What is known of the function from its last calls.
#[derive(Debug, Default)]
pub(crate) struct Circuit {
    failing: Option<Failing>,
    parked: Option<Parked>,
}

/// Failures since the last success.
#[derive(Debug)]
struct Failing {
    since: Instant,
    count: u32,
    /// Of which events, a few of them.
    of: Vec<ItemId>,
}

/// A function that is not called but for a probe.
#[derive(Clone, Debug)]
pub(crate) struct Parked {
    /// Since when.
    pub(crate) since: Timestamp,
    /// The last failure.
    pub(crate) cause: String,
    /// When the next probe may be made.
    pub(crate) probe: Instant,
    pause: Duration,
    /// A probe is under way. What else fails now was called before it was parked.
    is_probing: bool,
}

/// What has become of it with a result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Turned {
    /// Nothing else.
    Same,
    /// It was parked now.
    Parked,
    /// It goes on now.
    Resumed,
}

impl Circuit {
    /// Goes on where it was parked before a start: it is probed at once.
    pub(crate) fn resume(since: Timestamp, cause: String, now: Instant) -> Self {
        let parked = Parked { since, cause, probe: now, pause: PROBE_PAUSE, is_probing: false };
        Self { failing: None, parked: Some(parked) }
    }

    /// Tells whether it is parked, and since when.
    pub(crate) fn parked(&self) -> Option<&Parked> {
        self.parked.as_ref()
    }

    /// A call succeeded, or the function refused an event for good, which it must have looked at.
    pub(crate) fn succeeded(&mut self) -> Turned {
        self.failing = None;
        if self.parked.take().is_some() { Turned::Resumed } else { Turned::Same }
    }

    /// A call failed.
    pub(crate) fn failed(&mut self, item: ItemId, cause: &str, now: Instant, time: Timestamp) -> Turned {
        if let Some(parked) = &mut self.parked {
            if !std::mem::take(&mut parked.is_probing) {
                return Turned::Same;
            }
            parked.pause = (parked.pause * 2).min(PROBE_PAUSE_MAX);
            (parked.probe, parked.cause) = (now + parked.pause, cause.to_owned());
            return Turned::Same;
        }
        let failing = self.failing.get_or_insert_with(|| Failing { since: now, count: 0, of: Vec::new() });
        failing.count += 1;
        if failing.of.len() < FAILING_EVENTS && !failing.of.contains(&item) {
            failing.of.push(item);
        }
        let is_enough = failing.count >= FAILURES && failing.of.len() == FAILING_EVENTS;
        if !is_enough || now - failing.since < FAILING_FOR {
            return Turned::Same;
        }
        let cause = cause.to_owned();
        self.parked =
            Some(Parked { since: time, cause, probe: now + PROBE_PAUSE, pause: PROBE_PAUSE, is_probing: false });
        Turned::Parked
    }

    /// A probe is under way: the next one is made when its result is known, and no sooner than this.
    pub(crate) fn probing(&mut self, now: Instant) {
        if let Some(parked) = &mut self.parked {
            (parked.probe, parked.is_probing) = (now + parked.pause, true);
        }
    }
}

#[cfg(test)]
mod tests {
    use weir_domain::Position;

    use super::*;
    use crate::delivery::lanes::Origin;

    fn item(number: u64) -> ItemId {
        (Origin::Log, Position::new(number))
    }

    #[tokio::test(start_paused = true)]
    async fn it_is_parked_after_many_failures_of_several_events_over_some_time_and_probed_at_growing_intervals() {
        let begin = Instant::now();
        let at = |millis: u64| begin + Duration::from_millis(millis);
        let time = Timestamp::default();
        let mut circuit = Circuit::default();
        for number in 0..100 {
            let one = circuit.failed(item(1), "no", at(number * 1000), time);
            assert_eq!(one, Turned::Same, "one event alone parks nobody");
        }
        assert_eq!(circuit.succeeded(), Turned::Same);
        for number in 0..19 {
            assert_eq!(circuit.failed(item(number), "no", at(number), time), Turned::Same);
        }
        assert_eq!(circuit.failed(item(20), "no", at(9_999), time), Turned::Same, "too soon");
        assert_eq!(circuit.failed(item(21), "why", at(10_000), time), Turned::Parked);
        let probe = |circuit: &Circuit| circuit.parked().expect("parked").probe;
        assert_eq!(probe(&circuit), at(11_000));
        circuit.failed(item(23), "late", at(10_500), time);
        assert_eq!(probe(&circuit), at(11_000), "a call of before is no probe");
        circuit.probing(at(11_000));
        assert_eq!(circuit.failed(item(22), "again", at(11_000), time), Turned::Same);
        assert_eq!((probe(&circuit), circuit.parked().expect("parked").cause.as_str()), (at(13_000), "again"));
        for _ in 0..10 {
            circuit.probing(at(20_000));
            circuit.failed(item(22), "again", at(20_000), time);
        }
        assert_eq!(probe(&circuit), at(50_000), "the pause is bounded");
        assert_eq!(circuit.succeeded(), Turned::Resumed);
        assert!(circuit.parked().is_none());
    }
}
