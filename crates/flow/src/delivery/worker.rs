//! The worker of one subscription: reads ahead from its cursor, keeps lanes, calls, retries, and moves the cursor.
//!
//! It is one task with one loop. Everything that it reacts to is an [`Incident`]; what it may do next is looked at anew after
//! each.

mod calling;
mod keeping;
mod reading;
mod replaying;

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use tokio::{
    sync::{mpsc, watch},
    task::{JoinError, JoinSet},
    time::Instant,
};
use tokio_util::sync::CancellationToken;
use weir_catalog::{Activity, Entrance, Subscription, SubscriptionId};
use weir_domain::{Event, Position, Timestamp};
use weir_log::NewEvent;
use weir_routing::Filter;

use super::{
    attempt::{Delivery, Ended, Work},
    circuit::Circuit,
    course::Course,
    fan_out,
    gate::Waiting,
    pace::Pace,
    standing::{Order, ParkedSince, Shown},
};
use crate::{cursors::CursorName, flow::Shared, progress::Progress, snapshot::Snapshot};
use calling::Rate;
use replaying::Replaying;

/// How long a worker waits after the log could not be read.
const READ_PAUSE: Duration = Duration::from_millis(500);
/// How many orders may wait for a worker; each has somebody who waits for it.
const ORDERS_MAX: usize = 4;

/// Delivers to one subscription.
pub(crate) struct Worker {
    shared: Arc<Shared>,
    cursor: CursorName,
    /// Which subscription uses the cursor now.
    id: SubscriptionId,
    stop: CancellationToken,
    state: watch::Receiver<Arc<Snapshot>>,
    /// The pass over what is new.
    log: Course,
    /// Where to read on with what is to be delivered again.
    redrives_next: Position,
    /// What of that was done before the start.
    redrives_known: crate::progress::Mark,
    /// Events that are in flight still, and whose dead letters were decided about already: they hold no key.
    decided_early: BTreeSet<Position>,
    /// The pass over history, before which the other rests.
    replay: Option<Replaying>,
    /// How many replays there were.
    replays: u64,
    calls: JoinSet<Group>,
    /// How many of these calls are none of the replay.
    calls_of_log: usize,
    /// What is on its way in one call: the subscription as it is now.
    work: Option<Arc<Work>>,
    /// The call that was begun last was another attempt: one for the first time comes next, if any waits.
    was_retry: bool,
    circuit: Circuit,
    pace: Option<Pace>,
    /// Set while a place for another call is wanted and none is free.
    gate: Option<Waiting>,
    /// Since when too much is open to read on and nothing of it can be called.
    starved: Option<Instant>,
    /// Since when events wait until they are enough for one call.
    gathering: Option<Instant>,
    rate: Rate,
    keeping: keeping::Keeping,
    /// What is told of the subscription and is not appended yet.
    untold: Vec<NewEvent>,
    orders: mpsc::Receiver<Order>,
    shown: Shown,
}

/// Several deliveries that were made in one call.
struct Group {
    /// Which replay they are part of.
    replay: Option<u64>,
    /// Some of them are of one key.
    has_behind: bool,
    ended: Vec<(Delivery, Ended)>,
    took: Duration,
}

/// Which events the subscription is given. None of it can change: it makes the identifier of the subscription.
struct Wanted {
    event_type: String,
    entrance: Entrance,
    filter: Option<Filter>,
}

impl Wanted {
    fn by(subscription: &Subscription) -> Self {
        Self {
            event_type: subscription.event_type.to_string(),
            entrance: subscription.entrance(),
            filter: subscription.filter.clone(),
        }
    }

    /// Tells whether an event of the type is one of them.
    fn takes(&self, event: &Event, matching: weir_catalog::Matching) -> bool {
        self.entrance.takes_event(event, matching) && self.filter.as_ref().is_none_or(|filter| filter.matches(event))
    }
}

/// All that a worker reacts to.
enum Incident {
    Stop,
    Ended(Group),
    Panicked(String),
    /// The configuration changed, or a time has come: the next round looks at it.
    Look,
    Ordered(Order),
    Redrives,
    Refill,
    MoreToRead,
}

/// What keeps further calls from being made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Hindrance {
    /// There is nothing to call with, or enough is in flight.
    None,
    /// A time that is to come.
    Until(Instant),
    /// Others have all the places.
    Gate,
}

/// What wakes the worker beside its calls.
struct Signals {
    /// What it is given.
    events: watch::Receiver<()>,
    /// Its events in the log, for while nobody gives it any.
    arrivals: watch::Receiver<Position>,
    /// What is to be delivered again.
    redrives: watch::Receiver<Position>,
}

impl Worker {
    pub(crate) fn new(shared: Arc<Shared>, cursor: CursorName, id: SubscriptionId, stop: CancellationToken) -> Self {
        let (sender, orders) = mpsc::channel(ORDERS_MAX);
        let shown = Shown::new(&shared, &cursor, &id, sender);
        Self {
            state: shared.state.subscribe(),
            shown,
            cursor,
            id,
            stop,
            log: Course::begin(weir_catalog::Order::Key, crate::progress::Course::default()),
            redrives_next: Position::ORIGIN,
            redrives_known: crate::progress::Mark::default(),
            decided_early: BTreeSet::new(),
            replay: None,
            replays: 0,
            calls: JoinSet::new(),
            calls_of_log: 0,
            work: None,
            was_retry: false,
            circuit: Circuit::default(),
            pace: None,
            gate: None,
            starved: None,
            gathering: None,
            rate: Rate::default(),
            keeping: keeping::Keeping::default(),
            untold: Vec::new(),
            orders,
            shared,
        }
    }

    /// Delivers until told to stop, or until the subscription is gone; then waits for the calls in flight.
    pub(crate) async fn run(mut self) {
        let Some(subscription) = self.subscription() else { return };
        let wanted = Wanted::by(&subscription);
        let mut signals = self.signals(&wanted);
        let Some(progress) = self.load_cursor(&subscription).await else { return };
        if let Some(parked) = &progress.parked {
            let since = Timestamp::from_unix_micros(parked.since_micros);
            self.circuit = Circuit::resume(since, parked.cause.clone(), Instant::now());
            let shown = ParkedSince { since, cause: parked.cause.clone() };
            self.shown.standing.detail.lock().parked = Some(shown);
        }
        self.begin(&subscription, progress);
        while let Some(subscription) = self.subscription() {
            self.adapt(&subscription);
            let hindrance = self.start_calls(&subscription);
            self.show();
            self.keep(false);
            match self.next_incident(&subscription, &mut signals, hindrance).await {
                Incident::Stop => break,
                Incident::Ended(group) => self.take_in(group).await,
                Incident::Panicked(error) => self.panicked(&error).await,
                Incident::Look => {}
                Incident::Ordered(order) => self.obey(order).await,
                Incident::Redrives => self.read_redrives(&mut signals).await,
                Incident::Refill => self.refill(&wanted).await,
                Incident::MoreToRead => self.read(&wanted, &mut signals).await,
            }
            self.end_replay_if_done().await;
        }
        self.drain().await;
    }

    fn signals(&self, wanted: &Wanted) -> Signals {
        let of = |types: &[String]| self.shared.log.arrivals(&self.cursor.space, types);
        let redrives = of(&crate::dead_letters::DECISIONS.map(str::to_owned));
        let arrivals = of(std::slice::from_ref(&wanted.event_type));
        Signals { events: self.shown.inbox.watch(), arrivals, redrives }
    }

    fn begin(&mut self, subscription: &Subscription, progress: Progress) {
        let order = subscription.delivery.order;
        self.keeping.begin(&progress);
        self.log = Course::begin(order, progress.log);
        self.redrives_next = progress.redrives.done.next();
        self.redrives_known = progress.redrives;
        self.decided_early.clear();
        self.replays += 1;
        self.replay = progress.replay.and_then(|replay| Replaying::resume(*replay, self.replays, order, &self.log));
    }

    /// Makes what hangs on the subscription anew where that was changed.
    fn adapt(&mut self, subscription: &Arc<Subscription>) {
        if self.is_reordered(subscription) && self.calls.is_empty() {
            let progress = self.progress();
            self.begin(subscription, progress);
            (self.keeping.has_settled, self.keeping.is_urgent) = (true, true);
        }
        let order = self.replay.as_ref().map(|replay| replay.order.clone());
        let is_same = |work: &Arc<Work>| {
            let same_replay = match (&work.replay, &order) {
                (Some(one), Some(other)) => Arc::ptr_eq(one, other),
                (one, other) => one.is_none() && other.is_none(),
            };
            Arc::ptr_eq(&work.subscription, subscription) && same_replay
        };
        if self.work.as_ref().is_some_and(is_same) {
            return;
        }
        // Its class may be another one now.
        self.gate = None;
        let rate = order.as_ref().and_then(|order| order.rate).into_iter().chain(subscription.delivery.rate).min();
        if self.pace.as_ref().map(Pace::rate) != rate {
            self.pace = rate.map(|rate| Pace::new(rate, Instant::now()));
        }
        self.work = Some(Arc::new(Work {
            shared: self.shared.clone(),
            space: self.cursor.space.clone(),
            subscription: subscription.clone(),
            name: subscription.id.as_str().into(),
            replay: order,
            stop: self.stop.clone(),
        }));
    }

    /// Tells whether lanes are made by another order than is wanted now: they are made anew when no call is in flight.
    fn is_reordered(&self, subscription: &Subscription) -> bool {
        let course = self.replay.as_ref().map_or(&self.log, |replay| &replay.course);
        course.lanes.order() != subscription.delivery.order
    }

    fn subscription(&mut self) -> Option<Arc<Subscription>> {
        let snapshot = self.state.borrow_and_update();
        snapshot.catalog.space(&self.cursor.space)?.subscription(self.id.as_str()).cloned()
    }

    /// Returns the last position that is delivered, where it is not to be read to the end.
    fn bound(&self, subscription: &Subscription) -> Position {
        match (&self.replay, subscription.activity) {
            (Some(replay), _) => replay.order.to,
            (None, Activity::Draining) => {
                let drains = &self.state.borrow().drains;
                drains.get(&(self.cursor.space.clone(), self.id.clone())).copied().unwrap_or(Position::MAX)
            }
            (None, _) => Position::MAX,
        }
    }

    /// The pass that goes on now.
    fn course(&mut self) -> &mut Course {
        match &mut self.replay {
            Some(replay) => &mut replay.course,
            None => &mut self.log,
        }
    }

    async fn next_incident(
        &mut self,
        subscription: &Subscription,
        signals: &mut Signals,
        hindrance: Hindrance,
    ) -> Incident {
        let is_active = subscription.activity != Activity::Paused;
        let bound = self.bound(subscription);
        let is_replay = self.replay.is_some();
        if !is_active {
            self.starved = None;
        }
        let has_room = is_active && self.make_room();
        let has_memory = is_active && self.has_memory();
        let course = self.course();
        let next = course.next;
        let wants_refill = has_memory && course.lanes.wanting().is_some();
        let may_read = has_room && next <= bound;
        let inbox = &self.shown.inbox;
        let is_alone = inbox.is_alone();
        let behind = match is_replay {
            true => true,
            false if is_alone => *signals.arrivals.borrow() >= next,
            false => inbox.has_for(next, fan_out::STRIDE),
        };
        let redrives_behind = *signals.redrives.borrow() >= self.redrives_next;
        let may_redrive = is_active && !is_replay && self.may_redrive();
        let at = match hindrance {
            Hindrance::Until(at) => Some(at),
            _ => None,
        };
        // What was done behind an event that waits is to be known after a kill, also where nothing else happens.
        let starved = self.starved.map(|since| since + reading::STARVED);
        let at = at.into_iter().chain(self.keeping.due()).chain(starved).min();
        tokio::select! {
            biased;
            () = self.stop.cancelled() => Incident::Stop,
            Some(joined) = self.calls.join_next(), if !self.calls.is_empty() => ended(joined),
            Some(order) = self.orders.recv() => Incident::Ordered(order),
            // Whoever would tell is there for as long as the flow is.
            Ok(()) = self.state.changed() => Incident::Look,
            () = std::future::ready(()), if may_redrive && redrives_behind => Incident::Redrives,
            Ok(()) = signals.redrives.changed(), if may_redrive && !redrives_behind => Incident::Redrives,
            () = std::future::ready(()), if wants_refill => Incident::Refill,
            () = tokio::time::sleep_until(at.unwrap_or_else(Instant::now)), if at.is_some() => Incident::Look,
            () = over(self.gate.as_ref()), if hindrance == Hindrance::Gate => Incident::Look,
            () = std::future::ready(()), if may_read && behind => Incident::MoreToRead,
            Ok(()) = signals.events.changed(), if may_read && !behind => Incident::Look,
            Ok(()) = signals.arrivals.changed(), if may_read && !behind && is_alone => Incident::MoreToRead,
        }
    }

    async fn panicked(&mut self, error: &str) {
        // Which event it was went with the task: everything open is read again from the cursor.
        let (space, id) = (&self.cursor.space, &self.id);
        tracing::error!(%error, %space, subscription = %id, "a delivery ended in a panic; open events are delivered again");
        self.calls.shutdown().await;
        self.calls_of_log = 0;
        self.pause().await;
        let Some(subscription) = self.subscription() else { return };
        let progress = self.progress();
        self.begin(&subscription, progress);
        // Lanes may be aside of which nothing is written down yet.
        (self.keeping.has_settled, self.keeping.is_urgent) = (true, true);
    }

    /// Waits a moment before what failed is tried again, but not longer than until a stop.
    async fn pause(&self) {
        tokio::select! {
            biased;
            () = self.stop.cancelled() => {}
            () = tokio::time::sleep(READ_PAUSE) => {}
        }
    }

    /// Waits for the calls in flight; what waits for a retry is delivered after the next start.
    async fn drain(&mut self) {
        self.gate = None;
        while let Some(joined) = self.calls.join_next().await {
            if let Incident::Ended(group) = ended(joined) {
                // Not only at the end: a call that takes longer than the stop may must not cost the others theirs.
                self.take_in(group).await;
            }
        }
        self.keep(true);
    }
}

fn ended(joined: Result<Group, JoinError>) -> Incident {
    match joined {
        Ok(group) => Incident::Ended(group),
        Err(error) => Incident::Panicked(error.to_string()),
    }
}

async fn over(waiting: Option<&Waiting>) {
    if let Some(waiting) = waiting {
        waiting.over().await;
    }
}
