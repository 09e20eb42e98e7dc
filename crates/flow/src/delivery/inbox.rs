//! What the fan-out of a space gives the workers of its subscriptions.
//!
//! A worker that has read the log to its end asks to be given what comes, and is given each event that its subscription
//! takes from some position on. One that cannot keep up is given nothing further, and what it was given is forgotten: it
//! reads the log until it is at the end again. So memory is bounded, and nothing hangs on what is kept here. Where there is
//! no fan-out, every worker reads the log as its events come.

use std::{
    collections::{HashMap, VecDeque},
    hash::{BuildHasherDefault, DefaultHasher},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
    },
};

use parking_lot::Mutex;
use tokio::sync::{Notify, watch};
use weir_catalog::SubscriptionId;
use weir_domain::Position;
use weir_log::Recorded;

/// The most events that are kept for one worker.
const EVENTS_MAX: usize = 1024;

/// Inboxes by subscription. Without random numbers: in which order they are gone through shows in a simulation.
type Inboxes = HashMap<SubscriptionId, Arc<Inbox>, BuildHasherDefault<DefaultHasher>>;

/// What the fan-out of one space and the workers share.
#[derive(Default)]
pub(crate) struct Feed {
    inboxes: Mutex<Inboxes>,
    asking: Mutex<Asking>,
    /// Wakes the fan-out for them.
    asked: Notify,
    /// How many are given something.
    given: AtomicUsize,
    /// All events before this position were given to those whom they are for.
    routed: AtomicU64,
}

#[derive(Default)]
struct Asking {
    /// There is a fan-out that can be asked.
    is_up: bool,
    /// Who wants to be given what comes.
    inboxes: Vec<Arc<Inbox>>,
}

/// What one worker is given.
pub(crate) struct Inbox {
    feed: Arc<Feed>,
    held: Mutex<Held>,
    /// The worker has taken events that it does not show yet.
    in_hand: AtomicBool,
    told: watch::Sender<()>,
}

#[derive(Default)]
struct Held {
    state: State,
    events: VecDeque<Recorded>,
    bytes: usize,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    /// The worker reads the log.
    #[default]
    Apart,
    /// It has read all of it and waits for the fan-out.
    Asking,
    /// It is given everything from here on.
    Given { from: Position },
}

/// What a worker does next for more events.
#[derive(Debug)]
pub(crate) enum Taken {
    /// It reads the log.
    ReadLog,
    /// It goes on with these; everything else before `next` is not for it.
    Events { events: Vec<Recorded>, next: Position },
}

/// How much a worker takes at once.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Room {
    pub(crate) events: usize,
    /// At least one event is taken, whatever its size.
    pub(crate) bytes: usize,
}

impl Feed {
    /// Makes the inbox of a subscription, in place of one that was there.
    pub(crate) fn enter(self: &Arc<Self>, id: &SubscriptionId) -> Arc<Inbox> {
        let (held, told) = (Mutex::default(), watch::Sender::new(()));
        let inbox = Arc::new(Inbox { feed: self.clone(), held, in_hand: AtomicBool::new(false), told });
        if let Some(before) = self.inboxes.lock().insert(id.clone(), inbox.clone()) {
            before.part();
        }
        inbox
    }

    /// Takes an inbox away that nobody looks into any more.
    pub(crate) fn leave(&self, id: &SubscriptionId, inbox: &Arc<Inbox>) {
        inbox.part();
        let mut inboxes = self.inboxes.lock();
        if inboxes.get(id).is_some_and(|it| Arc::ptr_eq(it, inbox)) {
            inboxes.remove(id);
        }
    }

    /// Waits until somebody asks for what comes.
    pub(super) async fn asked(&self) {
        self.asked.notified().await;
    }

    /// Returns who asks for what comes, each once.
    pub(super) fn take_asking(&self) -> Vec<Arc<Inbox>> {
        std::mem::take(&mut self.asking.lock().inboxes)
    }

    /// Tells whether anybody is given anything: where nobody is, nothing need be read.
    pub(super) fn has_readers(&self) -> bool {
        self.given.load(Ordering::Relaxed) > 0
    }

    /// Returns how many inboxes there are.
    pub(super) fn len(&self) -> usize {
        self.inboxes.lock().len()
    }

    /// Runs with all inboxes at hand, in which no worker can come or go meanwhile.
    pub(super) fn with<T>(&self, give: impl FnOnce(&Inboxes) -> T) -> T {
        give(&self.inboxes.lock())
    }

    /// Says that everything before a position was given.
    pub(super) fn routed_up_to(&self, next: Position) {
        self.routed.store(next.get(), Ordering::Release);
    }

    /// A fan-out begins, or there is none any more: everybody reads the log, and asks in the first case.
    pub(super) fn set_up(&self, is_up: bool) {
        *self.asking.lock() = Asking { is_up, inboxes: Vec::new() };
        for inbox in self.inboxes.lock().values() {
            inbox.part();
            inbox.tell();
        }
    }
}

impl Inbox {
    /// Shows that there may be something to read.
    pub(crate) fn watch(&self) -> watch::Receiver<()> {
        self.told.subscribe()
    }

    /// Tells whether nobody would give anything: then its events in the log are what the worker waits for.
    pub(crate) fn is_alone(&self) -> bool {
        !self.feed.asking.lock().is_up
    }

    /// Tells whether there is anything for a worker that reads on at a position. That nothing but others' events came by
    /// is worth a look once it is `stride` positions.
    pub(crate) fn has_for(&self, next: Position, stride: u64) -> bool {
        let routed = self.feed.routed.load(Ordering::Acquire);
        let held = self.held.lock();
        match held.state {
            State::Apart => true,
            State::Asking => false,
            State::Given { from } => {
                next < from || !held.events.is_empty() || routed >= next.get().saturating_add(stride)
            }
        }
    }

    /// Takes what is there for a worker that reads on at `next`, up to `bound`.
    pub(crate) fn take(&self, next: Position, bound: Position, room: Room) -> Taken {
        // Before the lock: what was given before this was said is there.
        let routed = Position::new(self.feed.routed.load(Ordering::Acquire));
        let mut held = self.held.lock();
        match held.state {
            State::Given { from } if from <= next => {}
            State::Asking => return Taken::Events { events: Vec::new(), next },
            State::Apart | State::Given { .. } => return Taken::ReadLog,
        }
        let (mut events, mut bytes, mut upto) = (Vec::new(), 0, next);
        let is_all = loop {
            let Some(first) = held.events.front() else { break true };
            let size = first.event.size();
            let is_known = first.position < next;
            if !is_known && first.position > bound {
                break true;
            }
            if !is_known && (events.len() >= room.events || (bytes > 0 && bytes + size > room.bytes)) {
                break false;
            }
            if let Some(first) = held.events.pop_front() {
                held.bytes -= size;
                if !is_known {
                    (bytes, upto) = (bytes + size, first.position.next());
                    events.push(first);
                }
            }
        };
        if !events.is_empty() {
            self.in_hand.store(true, Ordering::Release);
        }
        let next = if is_all { routed.min(bound.next()).max(upto) } else { upto };
        // What was taken is here no more: a worker that begins anew before it reads the log.
        held.state = State::Given { from: next };
        Taken::Events { events, next }
    }

    /// The worker shows all that it has taken.
    pub(crate) fn shown(&self) {
        self.in_hand.store(false, Ordering::Release);
    }

    /// Returns where a worker is that was seen to read on at `next`: further on, where only others' events came by. What the
    /// worker shows is to be looked at after this.
    pub(crate) fn passed(&self, next: Position) -> Position {
        let routed = Position::new(self.feed.routed.load(Ordering::Acquire));
        let held = self.held.lock();
        let is_even = matches!(held.state, State::Given { from } if from <= next)
            && held.events.is_empty()
            && !self.in_hand.load(Ordering::Acquire);
        if is_even { next.max(routed) } else { next }
    }

    /// Asks to be given what comes, of a worker that has read the log to its end.
    pub(crate) fn ask(self: &Arc<Self>) {
        let mut asking = self.feed.asking.lock();
        let mut held = self.held.lock();
        if asking.is_up && held.state == State::Apart {
            held.state = State::Asking;
            asking.inboxes.push(self.clone());
            self.feed.asked.notify_one();
        }
    }

    /// Begins to give everything from a position on.
    pub(super) fn begin(&self, from: Position) {
        let mut held = self.held.lock();
        if held.state == State::Asking {
            held.state = State::Given { from };
            self.feed.given.fetch_add(1, Ordering::Relaxed);
            drop(held);
            self.tell();
        }
    }

    /// Gives an event; `false` where it is not taken, or is the one too many, of which the worker is told.
    pub(super) fn give(&self, recorded: &Recorded, bytes_max: usize) -> bool {
        let mut held = self.held.lock();
        if !matches!(held.state, State::Given { from } if from <= recorded.position) {
            return false;
        }
        let bytes = held.bytes + recorded.event.size();
        if !held.events.is_empty() && (held.events.len() >= EVENTS_MAX || bytes > bytes_max) {
            drop(held);
            self.part();
            self.tell();
            return false;
        }
        held.bytes = bytes;
        held.events.push_back(recorded.clone());
        true
    }

    /// Tells the worker to look.
    pub(super) fn tell(&self) {
        self.told.send_replace(());
    }

    /// Gives nothing further, and forgets what was given.
    fn part(&self) {
        let mut held = self.held.lock();
        if matches!(held.state, State::Given { .. }) {
            self.feed.given.fetch_sub(1, Ordering::Relaxed);
        }
        *held = Held::default();
    }
}

#[cfg(test)]
mod tests;
