//! One pass over the log for a subscription: over what is new, or over history once more.

use std::{cmp::Reverse, collections::BTreeMap, collections::BinaryHeap, time::Duration};

use tokio::time::Instant;
use weir_catalog::Order;
use weir_domain::Position;

use super::{
    attempt::Delivery,
    lanes::{Item, ItemId, Lanes, Origin},
};
use crate::progress::{self, Ahead, Mark, Tried};

/// A delivery that waits for its next attempt.
pub(crate) struct Due {
    pub(crate) at: Instant,
    pub(crate) delivery: Delivery,
}

impl Due {
    fn order(&self) -> (Instant, ItemId) {
        (self.at, self.delivery.item.id())
    }
}

impl PartialEq for Due {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Due {}

impl PartialOrd for Due {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Due {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.order().cmp(&other.order())
    }
}

/// Where a pass is, and what of it is open.
pub(crate) struct Course {
    pub(crate) lanes: Lanes,
    /// Where to read on.
    pub(crate) next: Position,
    /// What was known when it began: events that are done are passed over.
    pub(crate) known: progress::Course,
    pub(crate) retries: BinaryHeap<Reverse<Due>>,
    /// How often what is open was tried, as far as it failed.
    tried: BTreeMap<ItemId, Tried>,
}

impl Course {
    /// Goes on where it was.
    pub(crate) fn begin(order: Order, known: progress::Course) -> Self {
        let mut lanes = Lanes::new(order);
        lanes.restore(&known.aside, known.mark.ahead.up_to().next());
        let id = |tried: &Tried| {
            let origin = tried.redrive.map_or(Origin::Log, |at| Origin::Redrive { at });
            ((origin, tried.position), *tried)
        };
        let tried = known.tried.iter().map(id).collect();
        let mut course = Self { lanes, next: known.mark.done.next(), known, retries: BinaryHeap::new(), tried };
        course.pass_over();
        course
    }

    /// Goes on behind what is known to be done, however much that is.
    pub(crate) fn pass_over(&mut self) {
        let Mark { done, ahead } = &self.known.mark;
        if self.next <= *done || self.next > ahead.up_to() {
            return;
        }
        let open = ahead.open_after(self.next.previous()).next();
        self.next = open.unwrap_or_else(|| ahead.up_to().next()).max(self.next);
        self.lanes.read_up_to(self.next);
    }

    /// Takes note that everything before a position was read.
    pub(crate) fn read_up_to(&mut self, next: Position) {
        self.next = next;
        self.pass_over();
        self.lanes.read_up_to(self.next);
    }

    /// Begins the delivery of an event, or goes on with it.
    pub(crate) fn delivery(&self, item: Item, now_micros: impl FnOnce() -> u64) -> Delivery {
        match self.tried.get(&item.id()) {
            None => Delivery::new(item, None, 0),
            Some(tried) => Delivery::new(item, Some(tried), now_micros()),
        }
    }

    /// Takes note of a failed attempt, after which it waits.
    pub(crate) fn failed(&mut self, delivery: &Delivery, attempt: u32, wait: Duration, now_micros: u64) {
        if delivery.failures == 0 {
            return;
        }
        let micros = |time: Duration| u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
        let (origin, position) = delivery.item.id();
        let redrive = match origin {
            Origin::Log => None,
            Origin::Redrive { at } => Some(at),
        };
        let tried = Tried {
            position,
            redrive,
            attempt,
            failures: delivery.failures,
            made: delivery.made,
            since_micros: now_micros.saturating_sub(micros(delivery.age())),
            due_micros: now_micros.saturating_add(micros(wait)),
        };
        self.tried.insert((origin, position), tried);
    }

    /// Forgets what is done.
    pub(crate) fn done(&mut self, item: &Item) {
        if !self.tried.is_empty() {
            self.tried.remove(&item.id());
        }
    }

    /// Returns how long an event that was tried before a start has to wait still, and at most so long: a clock that was
    /// set back must not hold it up.
    pub(crate) fn still_waits(
        &self,
        item: &Item,
        now_micros: impl FnOnce() -> u64,
        most: Duration,
    ) -> Option<Duration> {
        let tried = self.tried.get(&item.id())?;
        let left = tried.due_micros.saturating_sub(now_micros());
        (left > 0).then(|| Duration::from_micros(left).min(most))
    }

    /// Returns up to where everything is done, but for what is aside.
    pub(crate) fn done_up_to(&self) -> Position {
        self.lanes.done_up_to(self.next.previous())
    }

    /// Takes stock of all that is worth being known after a start.
    pub(crate) fn stock(&self) -> progress::Course {
        let read = self.next.previous();
        // After a start more may be known than was read again.
        let before = &self.known.mark.ahead;
        let undone = self.lanes.undone().chain(before.open_after(read));
        let ahead = Ahead::of(undone, read.max(before.up_to()));
        let mark = Mark { done: self.done_up_to(), ahead };
        progress::Course { mark, aside: self.lanes.aside().collect(), tried: self.tried.values().copied().collect() }
    }
}
