//! Runs of the simulation: what must hold in each, and that one seed gives one run.
//!
//! CI runs 200 seeds. `WEIR_SIM_SEEDS=10000` (`just simulate`) runs more of them, and `WEIR_SIM_SEED=17` (`just
//! simulate-seed 17`) one of them, whose trace is printed.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::atomic::{AtomicU64, Ordering},
    thread,
};

use parking_lot::Mutex;

use self::{tally::Tally, world::Run};

mod cursor;
mod functions;
mod ledger;
mod life;
mod panics;
mod plan;
mod produce;
mod tally;
mod world;

const SEEDS: u64 = 200;
/// How many lines of a run are shown where something does not hold.
const LINES_SHOWN: usize = 60;

#[test]
fn seeds() {
    if let Some(seed) = given("WEIR_SIM_SEED") {
        let run = world::run(seed);
        run.trace.iter().for_each(|line| eprintln!("{line}"));
        if let Some(what) = fault(seed, &run) {
            panic!("{what}\n\n{}", again(seed));
        }
        return;
    }
    let count = given("WEIR_SIM_SEEDS").unwrap_or(SEEDS);
    let next = AtomicU64::new(0);
    let (tally, failed) = (Mutex::new(Tally::default()), Mutex::new(None::<(u64, String)>));
    let work = || {
        while failed.lock().is_none() {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= count {
                return;
            }
            let judged = catch_unwind(AssertUnwindSafe(|| {
                let run = world::run(seed);
                (fault(seed, &run), run.tally)
            }));
            let what = match judged {
                Ok((None, of_run)) => {
                    tally.lock().add(&of_run);
                    continue;
                }
                Ok((Some(what), _)) => what,
                // An assertion of the engine, or of the simulation itself.
                Err(panic) => format!("seed {seed} ended in a panic: {}", said(panic.as_ref())),
            };
            failed.lock().get_or_insert((seed, what));
        }
    };
    let threads = thread::available_parallelism().map_or(1, usize::from);
    thread::scope(|scope| {
        (0..threads).for_each(|_| {
            scope.spawn(work);
        });
    });
    if let Some((seed, what)) = failed.into_inner() {
        panic!("{what}\n\n{}", again(seed));
    }
    let tally = tally.into_inner();
    eprintln!("{count} seeds: {tally:?}");
    // The simulation is worth something only where it gets to all of these.
    if count >= SEEDS {
        assert_eq!(tally.missing(), Vec::<&str>::new(), "{tally:?}");
    }
}

#[test]
fn one_seed_gives_one_run() {
    for seed in [0, 1, 17, 77, 4242] {
        let (one, other) = (world::run(seed).trace, world::run(seed).trace);
        let differs = one.iter().zip(&other).position(|(one, other)| one != other);
        if let Some(at) = differs {
            let before = one[at.saturating_sub(20)..at].join("\n");
            panic!("seed {seed} differs at line {at} after\n{before}\n\none  {}\nother {}", one[at], other[at]);
        }
        assert_eq!(one.len(), other.len(), "seed {seed}: one run goes on");
    }
}

/// Says what does not hold, behind the last lines of the run.
fn fault(seed: u64, run: &Run) -> Option<String> {
    let violation = run.violation.as_ref()?;
    let last = run.trace[run.trace.len().saturating_sub(LINES_SHOWN)..].join("\n");
    Some(format!("{last}\n\nseed {seed}: {violation}"))
}

/// Says how one seed is run again.
fn again(seed: u64) -> String {
    let test = "cargo test -p weir-testkit --test it simulation::seeds -- --exact --nocapture";
    format!("run it again with: WEIR_SIM_SEED={seed} {test}")
}

/// Returns the message of a panic.
fn said(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().cloned();
    text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned())).unwrap_or_default()
}

/// Reads a number from the environment.
#[expect(clippy::disallowed_methods, reason = "a test has no settings")]
fn given(variable: &str) -> Option<u64> {
    let text = std::env::var(variable).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{variable} must be a number, but is {text:?}")))
}
