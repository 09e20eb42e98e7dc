//! Runs a target on changed seeds, on all cores, until the time is over or something is found.
//!
//! It knows nothing of which code an input reaches, as libFuzzer does; it is for machines with a stable compiler alone,
//! and makes up for it by its dictionaries and its speed.

use std::{
    num::NonZeroUsize,
    panic::{self, AssertUnwindSafe},
    sync::{
        Condvar, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use crate::{Target, corpus::Seed, mutate::Mutator};

/// An input that takes longer is a finding.
const RUN_MAX: Duration = Duration::from_secs(10);
/// How often it is looked whether one does.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// The same when it is over, and what is under way is waited for.
const LOOK_AT_END: Duration = Duration::from_millis(10);

/// How long and how wide.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// How long it runs where nothing is found.
    pub time: Duration,
    /// Where the sequences of inputs begin: each thread has one of its own.
    pub seed: u64,
    /// How many threads run at once.
    pub threads: NonZeroUsize,
}

/// What came of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// How many inputs were tried, the seeds among them.
    pub executions: u64,
    /// How long that took.
    pub took: Duration,
    /// The input that broke a promise.
    pub finding: Option<Finding>,
}

/// An input that broke a promise.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// What was given.
    pub data: Vec<u8>,
    /// What happened.
    pub what: What,
}

/// How a promise was broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    /// The target panicked; the panic has said why.
    Panic,
    /// The target took too long.
    Slow,
}

impl Report {
    /// Returns how many inputs were tried in a second.
    #[must_use]
    pub fn per_second(&self) -> u64 {
        (self.executions as f64 / self.took.as_secs_f64().max(f64::MIN_POSITIVE)) as u64
    }
}

/// What a thread is at, and since when.
type Slot = Mutex<Option<(Instant, Vec<u8>)>>;

/// What the threads share.
struct Shared<'a> {
    target: &'a Target,
    seeds: &'a [Seed],
    until: Instant,
    executions: AtomicU64,
    finding: Mutex<Option<Finding>>,
    found: Condvar,
}

/// Tries every seed, and then changed ones.
///
/// `slow` is told of an input that takes too long. It ends the process, for the thread that is at it cannot be stopped.
pub fn run(target: &Target, seeds: &[Seed], options: Options, slow: fn(&Target, &Report) -> !) -> Report {
    let begun = Instant::now();
    let shared = Shared {
        target,
        seeds,
        until: begun + options.time,
        executions: AtomicU64::new(0),
        finding: Mutex::new(None),
        found: Condvar::new(),
    };
    let slots: Vec<Slot> = (0..options.threads.get()).map(|_| Mutex::new(None)).collect();
    let report =
        |finding| Report { executions: shared.executions.load(Ordering::Relaxed), took: begun.elapsed(), finding };
    thread::scope(|scope| {
        for (number, slot) in (0..).zip(&slots) {
            let shared = &shared;
            scope.spawn(move || shared.work(slot, number, options.seed));
        }
        // Told inside the scope, which would wait for the thread that is stuck.
        if let Some(data) = shared.watch(&slots) {
            slow(target, &report(Some(Finding { data, what: What::Slow })));
        }
    });
    let finding = lock(&shared.finding).take();
    report(finding)
}

impl Shared<'_> {
    fn work(&self, slot: &Slot, number: u64, seed: u64) {
        if number == 0 {
            for each in self.seeds {
                if !self.runs(slot, each.data.clone()) {
                    return;
                }
            }
        }
        // Far apart, so that no two threads go the same way.
        let seed = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15).wrapping_add(number);
        let mut mutator = Mutator::new(self.seeds, self.target.dictionary, seed);
        while !self.is_over() {
            if !self.runs(slot, mutator.input()) {
                return;
            }
        }
    }

    /// Tries one input; false where it is a finding.
    fn runs(&self, slot: &Slot, data: Vec<u8>) -> bool {
        *lock(slot) = Some((Instant::now(), data.clone()));
        // A target keeps nothing between its inputs.
        let result = panic::catch_unwind(AssertUnwindSafe(|| (self.target.run)(&data)));
        *lock(slot) = None;
        self.executions.fetch_add(1, Ordering::Relaxed);
        if result.is_ok() {
            return true;
        }
        lock(&self.finding).get_or_insert(Finding { data, what: What::Panic });
        self.found.notify_all();
        false
    }

    fn is_over(&self) -> bool {
        Instant::now() >= self.until || lock(&self.finding).is_some()
    }

    /// Waits until it is over; returns an input that takes too long.
    fn watch(&self, slots: &[Slot]) -> Option<Vec<u8>> {
        loop {
            let finding = lock(&self.finding);
            let left =
                if finding.is_some() { Duration::ZERO } else { self.until.saturating_duration_since(Instant::now()) };
            drop(self.found.wait_timeout(finding, left.clamp(LOOK_AT_END, LOOK_EVERY)));
            let running: Vec<_> = slots.iter().filter_map(|slot| lock(slot).clone()).collect();
            // What is under way at the end has its time too.
            if running.is_empty() && self.is_over() {
                return None;
            }
            let stuck = running.into_iter().find(|(since, _)| since.elapsed() > RUN_MAX);
            if let Some((_, data)) = stuck {
                return Some(data);
            }
        }
    }
}

/// No thread panics while it holds a lock: the panics of a target are caught outside of them.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn slow(_: &Target, report: &Report) -> ! {
        panic!("{report:?}")
    }

    fn check(run: fn(&[u8]), time: Duration) -> Report {
        let target = Target { name: "test", run, dictionary: &[b"token"] };
        let seeds = [Seed { name: "a".into(), data: b"seed".to_vec() }];
        let threads = NonZeroUsize::new(2).expect("two");
        super::run(&target, &seeds, Options { time, seed: 1, threads }, slow)
    }

    #[test]
    fn a_broken_promise_is_found_with_its_input() {
        let broken = |data: &[u8]| assert!(!data.windows(5).any(|window| window == b"token"));
        let finding = check(broken, RUN_MAX).finding.expect("a piece of the dictionary breaks it");
        assert_eq!(finding.what, What::Panic);
        assert!(finding.data.windows(5).any(|window| window == b"token"), "{finding:?}");
    }

    #[test]
    fn a_kept_promise_ends_with_the_time() {
        let time = Duration::from_millis(50);
        let report = check(|_| {}, time);
        assert_eq!(report.finding, None);
        assert!(report.took >= time && report.executions > 1 && report.per_second() > 0, "{report:?}");
    }
}
