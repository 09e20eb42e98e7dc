//! What happened, in the order in which it did: kept for the checker, and written to a file for whoever looks at a failure.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs::File,
    io::Write,
    path::Path,
    sync::{Condvar, Mutex},
    time::Instant,
};

use serde::Serialize;

use crate::process::BOUND;

/// The answer of a subscriber that is final: the event is given up at once.
pub(super) const FINAL: u16 = 422;

/// One thing that happened.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Recorded {
    /// When, in microseconds from the beginning.
    pub(super) us: u64,
    #[serde(flatten)]
    pub(super) entry: Entry,
}

/// What may happen.
#[derive(Clone, Debug, Serialize)]
#[serde(tag = "what", rename_all = "snake_case")]
pub(super) enum Entry {
    /// A subscription is there, before anything is sent.
    Subscribed { subscription: String },
    /// A producer begins to send an event, for the first time or again.
    Sent { producer: usize, id: String, key: String, number: u64 },
    /// The answer was 202, with a receipt.
    Acknowledged { producer: usize, id: String, position: u64, is_duplicate: bool },
    /// The answer was another one.
    Refused { producer: usize, id: String, status: u16 },
    /// No answer came.
    Unknown { producer: usize, id: String, error: String },
    /// A subscriber was called; whoever records that has read the whole request.
    Called {
        subscription: String,
        call: u64,
        id: String,
        key: String,
        number: u64,
        position: Option<u64>,
        /// The headers of the call that are the platform's own, such as one that tells the attempt.
        headers: BTreeMap<String, String>,
    },
    /// It is about to answer.
    Answered { subscription: String, call: u64, id: String, status: u16 },
    /// The answer could not be written.
    Unanswered { subscription: String, call: u64, id: String },
    /// Something was done to the world.
    World { change: Change },
    /// What the log holds in the end, in its order.
    Kept { position: u64, id: String, key: String, number: u64 },
    /// What stands as a dead letter in the end.
    Dead { subscription: String, id: String },
}

/// What is done to the world. What takes time has a beginning and an end.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Change {
    /// SIGKILL is sent.
    Killing,
    /// The process is gone, and subscribers have read all that it sent.
    Killed,
    /// SIGTERM is sent.
    Stopping,
    /// The process is gone, and subscribers have read all that it sent.
    Stopped,
    /// A server answers.
    Started,
    /// SIGSTOP was sent.
    Frozen,
    /// SIGCONT is sent.
    Thawed,
    /// The disk is being filled.
    Filled,
    /// There is space again.
    Freed,
    /// A subscriber takes no connections.
    Refusing { subscription: String },
    /// It does again.
    Taking { subscription: String },
}

/// Counts to wait for.
#[derive(Default)]
pub(super) struct Tally {
    pub(super) acknowledged: usize,
    pub(super) refused: usize,
    /// The events of each subscription that were answered with success or for good.
    pub(super) done: BTreeMap<String, BTreeSet<String>>,
    /// Those of them that were given up.
    pub(super) given_up: BTreeSet<(String, String)>,
}

/// Where all write what they do and see.
pub(super) struct Recorder {
    begun: Instant,
    state: Mutex<State>,
    changed: Condvar,
}

struct State {
    all: Vec<Recorded>,
    tally: Tally,
    file: File,
}

impl Recorder {
    /// Begins a history in a file of its own.
    pub(super) fn new(path: &Path) -> Self {
        let file = File::create(path).expect("a file for the history");
        let state = State { all: Vec::new(), tally: Tally::default(), file };
        Self { begun: Instant::now(), state: Mutex::new(state), changed: Condvar::new() }
    }

    /// Takes note of something. Whoever acts does so before what others may see of it, and whoever sees does so after.
    pub(super) fn add(&self, entry: Entry) {
        let mut state = self.state.lock().expect("sound");
        let recorded = Recorded { us: self.begun.elapsed().as_micros() as u64, entry };
        state.tally.count(&recorded.entry);
        let mut line = serde_json::to_vec(&recorded).expect("it can be written as JSON");
        line.push(b'\n');
        state.file.write_all(&line).expect("the history is written");
        state.all.push(recorded);
        drop(state);
        self.changed.notify_all();
    }

    pub(super) fn change(&self, change: Change) {
        self.add(Entry::World { change });
    }

    /// Looks at the counts.
    pub(super) fn tally<T>(&self, look: impl FnOnce(&Tally) -> T) -> T {
        look(&self.state.lock().expect("sound").tally)
    }

    /// Waits until the counts are so, and says whether they are.
    pub(super) fn wait_until(&self, is_reached: impl Fn(&Tally) -> bool) -> bool {
        let state = self.state.lock().expect("sound");
        let waited = self.changed.wait_timeout_while(state, BOUND, |state| !is_reached(&state.tally));
        let (state, _) = waited.expect("sound");
        is_reached(&state.tally)
    }

    /// Returns the history so far.
    pub(super) fn all(&self) -> Vec<Recorded> {
        self.state.lock().expect("sound").all.clone()
    }
}

impl Tally {
    fn count(&mut self, entry: &Entry) {
        match entry {
            Entry::Acknowledged { .. } => self.acknowledged += 1,
            Entry::Refused { .. } => self.refused += 1,
            Entry::Answered { subscription, id, status, .. } if is_done(*status) => {
                self.done.entry(subscription.clone()).or_default().insert(id.clone());
                if *status == FINAL {
                    self.given_up.insert((subscription.clone(), id.clone()));
                }
            }
            _ => {}
        }
    }

    /// Returns how many events a subscription is done with.
    pub(super) fn done(&self, subscription: &str) -> usize {
        self.done.get(subscription).map_or(0, BTreeSet::len)
    }
}

/// Tells whether an event is done with for a subscriber that answers so.
pub(super) fn is_done(status: u16) -> bool {
    (200..300).contains(&status) || status == FINAL
}
