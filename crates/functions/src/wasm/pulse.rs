//! The tick at which running guests give their thread back.
//!
//! It needs a thread of its own: a task on the runtime that runs the guests could not tick while guests hold all its
//! threads, and they hold them until it ticks. While no call is under way it sleeps, so that an idle server burns nothing.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst},
    },
    time::Duration,
};

use parking_lot::{Condvar, Mutex};
use wasmtime::Engine;

/// Ticks without a call after which the ticker goes to sleep. Waking it costs a system call, which calls that come one
/// after the other would pay each.
const QUIET_TICKS_MAX: u32 = 200;

/// Tells the ticker whether calls are under way.
pub(super) struct Pulse {
    active: AtomicUsize,
    parked: AtomicBool,
    stopped: AtomicBool,
    lock: Mutex<()>,
    wake: Condvar,
}

/// A call that is under way.
pub(super) struct Beat<'a>(&'a Pulse);

impl Drop for Beat<'_> {
    fn drop(&mut self) {
        self.0.active.fetch_sub(1, SeqCst);
    }
}

impl Pulse {
    pub(super) fn new() -> Self {
        Self {
            active: AtomicUsize::new(0),
            parked: AtomicBool::new(false),
            stopped: AtomicBool::new(false),
            lock: Mutex::new(()),
            wake: Condvar::new(),
        }
    }

    /// Marks a call as under way for as long as the result lives.
    pub(super) fn enter(&self) -> Beat<'_> {
        self.active.fetch_add(1, SeqCst);
        // Either this sees the ticker parked, or the ticker sees this call: both sides write first and read then.
        if self.parked.load(SeqCst) {
            let _guard = self.lock.lock();
            self.wake.notify_all();
        }
        Beat(self)
    }

    fn is_quiet(&self) -> bool {
        self.active.load(SeqCst) == 0
    }

    fn is_stopped(&self) -> bool {
        self.stopped.load(SeqCst)
    }

    /// Sleeps until a call is under way or the ticker is stopped.
    fn park(&self) {
        let mut guard = self.lock.lock();
        self.parked.store(true, SeqCst);
        while self.is_quiet() && !self.is_stopped() {
            self.wake.wait(&mut guard);
        }
        self.parked.store(false, SeqCst);
    }

    /// Waits for one tick, or less where the ticker is stopped.
    fn rest(&self, tick: Duration) {
        let mut guard = self.lock.lock();
        if !self.is_stopped() {
            self.wake.wait_for(&mut guard, tick);
        }
    }

    fn stop(&self) {
        self.stopped.store(true, SeqCst);
        let _guard = self.lock.lock();
        self.wake.notify_all();
    }
}

/// Ends functions that do not end by themselves: drive [`run`](Self::run) on a thread of its own.
pub struct Ticker {
    engine: Engine,
    pulse: Arc<Pulse>,
    tick: Duration,
}

/// Ends [`Ticker::run`].
#[derive(Clone)]
pub struct TickerStop {
    pulse: Arc<Pulse>,
}

impl Ticker {
    pub(super) fn new(engine: Engine, pulse: Arc<Pulse>, tick: Duration) -> Self {
        Self { engine, pulse, tick }
    }

    /// Returns what ends [`run`](Self::run). To be used after the last call is done: without ticks a guest in a loop
    /// holds its thread for ever.
    #[must_use]
    pub fn stop_handle(&self) -> TickerStop {
        TickerStop { pulse: Arc::clone(&self.pulse) }
    }

    /// Ticks until it is stopped. Blocks its thread, and must never share one with an async runtime.
    pub fn run(self) {
        let mut quiet_ticks = 0;
        while !self.pulse.is_stopped() {
            if self.pulse.is_quiet() {
                quiet_ticks += 1;
                if quiet_ticks > QUIET_TICKS_MAX {
                    self.pulse.park();
                    quiet_ticks = 0;
                }
            } else {
                quiet_ticks = 0;
            }
            self.pulse.rest(self.tick);
            self.engine.increment_epoch();
        }
    }
}

impl TickerStop {
    /// Ends [`Ticker::run`] within a tick.
    pub fn stop(&self) {
        self.pulse.stop();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_wakes_a_parked_ticker_and_a_stop_ends_it() {
        let pulse = Pulse::new();
        std::thread::scope(|scope| {
            for _ in 0..100 {
                let parked = scope.spawn(|| pulse.park());
                let beat = pulse.enter();
                parked.join().expect("woken");
                drop(beat);
                assert!(pulse.is_quiet());
            }
            let parked = scope.spawn(|| pulse.park());
            pulse.stop();
            parked.join().expect("stopped");
        });
    }
}
