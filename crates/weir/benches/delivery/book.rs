//! When each event was accepted, and when it came to each receiver: what is lost, and how long it took.

use std::{
    ops::Range,
    sync::{
        Arc,
        atomic::{AtomicU32, AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use crate::{
    process::BOUND,
    target::{Call, Function, Reply},
};

/// No event is waited for any longer where none has come for that long.
const STALL_TIME: Duration = Duration::from_secs(15);

/// Nor where all of them together take longer than this.
const WAIT_TIME_MAX: Duration = BOUND.saturating_mul(3);

/// How often it is looked whether all have come. When they came is known from the book.
const LOOK_INTERVAL: Duration = Duration::from_millis(20);

/// Events are numbered from 0, and so are receivers.
pub(crate) struct Book {
    opened: Instant,
    events: u64,
    /// In microseconds since the book was opened, for each event; 0 is not yet.
    accepted: Vec<AtomicU32>,
    /// The same for each event of each receiver: all those of the first come first.
    delivered: Vec<AtomicU32>,
    repeated: AtomicU64,
}

impl Book {
    /// Opens one for as many events at each of as many receivers.
    pub(crate) fn new(receivers: usize, events: u64) -> Arc<Self> {
        let never = |count: usize| (0..count).map(|_| AtomicU32::new(0)).collect();
        let (accepted, delivered) = (never(events as usize), never(receivers * events as usize));
        Arc::new(Self { opened: Instant::now(), events, accepted, delivered, repeated: AtomicU64::new(0) })
    }

    /// Tells whether an event is one of those that are written down here.
    pub(crate) fn has(&self, number: u64) -> bool {
        number < self.events
    }

    pub(crate) fn since_opened(&self) -> Duration {
        self.opened.elapsed()
    }

    /// Notes that an event was accepted now.
    pub(crate) fn accept(&self, number: u64) {
        self.accepted[number as usize].store(self.now(), Relaxed);
    }

    /// Notes that an event came to a receiver now. What it does not know is none of those that are measured.
    pub(crate) fn deliver(&self, receiver: usize, number: u64) {
        if !self.has(number) {
            return;
        }
        let place = &self.delivered[receiver * self.events as usize + number as usize];
        if place.compare_exchange(0, self.now(), Relaxed, Relaxed).is_err() {
            self.repeated.fetch_add(1, Relaxed);
        }
    }

    /// Returns how many deliveries were not the first of their event, of all receivers.
    pub(crate) fn repeated(&self) -> u64 {
        self.repeated.load(Relaxed)
    }

    /// Returns how many of these events have not come to these receivers, each counted at each.
    pub(crate) fn missing(&self, receivers: &Range<usize>, events: &Range<u64>) -> u64 {
        self.deliveries(receivers, events).filter(|(_, delivered)| *delivered == 0).count() as u64
    }

    /// Waits until these events have come to these receivers, or no more of them do; returns how many are missing.
    pub(crate) fn wait(&self, receivers: &Range<usize>, events: &Range<u64>) -> u64 {
        let begun = Instant::now();
        let (mut least, mut came) = (u64::MAX, begun);
        loop {
            let missing = self.missing(receivers, events);
            if missing < least {
                (least, came) = (missing, Instant::now());
            }
            if missing == 0 || came.elapsed() > STALL_TIME || begun.elapsed() > WAIT_TIME_MAX {
                return missing;
            }
            std::thread::park_timeout(LOOK_INTERVAL);
        }
    }

    /// Returns how long it took from accepting these events to their delivery, in microseconds, the shortest first.
    pub(crate) fn latencies(&self, receivers: &Range<usize>, events: &Range<u64>) -> Vec<u32> {
        let delivered = self.deliveries(receivers, events).filter(|(_, delivered)| *delivered > 0);
        // An event may come before its producer has read the answer.
        let mut taken: Vec<u32> = delivered.map(|(accepted, delivered)| delivered.saturating_sub(accepted)).collect();
        assert!(!taken.is_empty(), "no event was delivered");
        taken.sort_unstable();
        taken
    }

    /// Returns when the first and when the last of these deliveries was made, since the book was opened.
    pub(crate) fn span(&self, receivers: &Range<usize>, events: &Range<u64>) -> (Duration, Duration) {
        let made = || self.deliveries(receivers, events).map(|(_, delivered)| delivered).filter(|at| *at > 0);
        let duration = |at: Option<u32>| Duration::from_micros(at.expect("an event was delivered").into());
        (duration(made().min()), duration(made().max()))
    }

    /// When each event was accepted and delivered.
    fn deliveries(&self, receivers: &Range<usize>, events: &Range<u64>) -> impl Iterator<Item = (u32, u32)> {
        let range = events.start as usize..events.end as usize;
        receivers.clone().flat_map(move |receiver| {
            let first = receiver * self.events as usize;
            let delivered = &self.delivered[first + range.start..first + range.end];
            let accepted = &self.accepted[range.clone()];
            accepted
                .iter()
                .zip(delivered)
                .map(|(accepted, delivered)| (accepted.load(Relaxed), delivered.load(Relaxed)))
        })
    }

    fn now(&self) -> u32 {
        self.opened.elapsed().as_micros() as u32 + 1
    }
}

/// The receivers are the paths.
impl Function for Book {
    fn called(&self, call: Call) -> Reply {
        self.deliver(call.path, call.number);
        Reply::Done
    }
}
