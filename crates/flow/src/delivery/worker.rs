//! The worker of one subscription: reads ahead from its cursor, keeps lanes, calls, retries, and moves the cursor.

use std::{
    cmp::Reverse,
    collections::BinaryHeap,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use tokio::{sync::watch, task::JoinSet, time::Instant};
use tokio_util::sync::CancellationToken;
use weir_catalog::{Entrance, Subscription, SubscriptionId};
use weir_domain::{Position, error_chain};
use weir_log::{Filter, Read};

use super::{
    attempt::{Delivery, Ended, attempt},
    lanes::Lanes,
};
use crate::{
    cursors::CursorName,
    flow::Shared,
    progress::{Ahead, Progress},
};

/// How long a worker waits after the log could not be read.
const READ_PAUSE: Duration = Duration::from_millis(500);
/// Positions by which the cursor may move on before that is worth a write, while there is nothing to deliver.
const CURSOR_STRIDE_IDLE: u64 = 64 * 1024;
/// The least time between two looks at what is done behind an event that is not: all that was read behind it is gone
/// through for that.
const AHEAD_PAUSE: Duration = Duration::from_millis(250);

/// Delivers to one subscription.
pub(crate) struct Worker {
    shared: Arc<Shared>,
    cursor: CursorName,
    /// Which subscription uses the cursor now.
    id: SubscriptionId,
    stop: CancellationToken,
    lanes: Lanes,
    calls: JoinSet<(Delivery, Ended)>,
    retries: BinaryHeap<Reverse<Due>>,
    /// The call that was begun last was another attempt: one for the first time comes next, if any waits.
    was_retry: bool,
    /// Where to read on.
    next: Position,
    /// The cursor as it was last noted.
    kept: Position,
    /// Whether anything was delivered since.
    has_settled: bool,
    /// What was done behind an event that was not, as it was last noted.
    ahead: Ahead,
    /// When that was.
    ahead_noted: Instant,
    /// Whether anything was delivered since then.
    has_settled_since: bool,
    share: Share,
}

/// Which events the subscription is given.
struct Wanted {
    event_type: String,
    entrance: Entrance,
}

impl Wanted {
    fn by(subscription: &Subscription) -> Self {
        Self { event_type: subscription.event_type.to_string(), entrance: subscription.entrance() }
    }
}

/// What this worker has in the backlog of all.
struct Share {
    shared: Arc<Shared>,
    cursor: CursorName,
    events: Arc<AtomicUsize>,
}

impl Share {
    fn new(shared: &Arc<Shared>, cursor: &CursorName, id: &SubscriptionId) -> Self {
        let events = Arc::new(AtomicUsize::new(0));
        shared.backlogs.lock().insert(cursor.clone(), (id.clone(), events.clone()));
        Self { shared: shared.clone(), cursor: cursor.clone(), events }
    }

    fn set(&self, events: usize) {
        self.events.store(events, Ordering::Relaxed);
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.shared.backlogs.lock().remove(&self.cursor);
    }
}

/// A delivery that waits for its next attempt.
struct Due {
    at: Instant,
    delivery: Delivery,
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
        let order = |due: &Self| (due.at, due.delivery.recorded.position);
        order(self).cmp(&order(other))
    }
}

/// All that a worker reacts to.
#[expect(clippy::large_enum_variant, reason = "one at a time, on the stack, and mostly the large one")]
enum Incident {
    Stop,
    Ended(Delivery, Ended),
    Panicked(String),
    RetryDue,
    MoreToRead,
}

impl Worker {
    pub(crate) fn new(shared: Arc<Shared>, cursor: CursorName, id: SubscriptionId, stop: CancellationToken) -> Self {
        let kept = cursor.created;
        let share = Share::new(&shared, &cursor, &id);
        Self {
            share,
            shared,
            cursor,
            id,
            stop,
            lanes: Lanes::default(),
            calls: JoinSet::new(),
            retries: BinaryHeap::new(),
            was_retry: false,
            next: kept.next(),
            kept,
            has_settled: false,
            ahead: Ahead::default(),
            ahead_noted: Instant::now(),
            has_settled_since: false,
        }
    }

    /// Delivers until told to stop, or until the subscription is gone; then waits for the calls in flight.
    pub(crate) async fn run(mut self) {
        let mut end = self.shared.log.durable_end();
        let Some(progress) = self.load_cursor().await else { return };
        (self.kept, self.next) = (progress.done, progress.done.next());
        self.ahead = progress.ahead;
        // None of it can change: it makes the identifier of the subscription.
        let Some(wanted) = self.subscription().map(|it| Wanted::by(&it)) else { return };
        while let Some(subscription) = self.subscription() {
            self.share.set(self.lanes.waiting());
            self.start_calls(&subscription);
            let options = &self.shared.options;
            let room = self.lanes.waiting() < options.window_events_max
                && self.lanes.bytes() < options.window_bytes_max
                && self.lanes.span() < options.window_span_max;
            match self.next_incident(&mut end, room).await {
                Incident::Stop => break,
                Incident::Ended(delivery, ended) => {
                    self.ended(delivery, ended);
                    // Those that ended meanwhile are taken along: the cursor is then looked at once for all.
                    let mut panicked = None;
                    while let Some(joined) = self.calls.try_join_next() {
                        match joined {
                            Ok((delivery, ended)) => self.ended(delivery, ended),
                            Err(error) => panicked = Some(error),
                        }
                    }
                    match panicked {
                        None => self.keep_cursor(false),
                        Some(error) => self.panicked(&error.to_string()).await,
                    }
                }
                Incident::Panicked(error) => self.panicked(&error).await,
                // The next round begins it.
                Incident::RetryDue => {}
                Incident::MoreToRead => self.read(&wanted, &mut end).await,
            }
        }
        self.drain().await;
    }

    fn subscription(&self) -> Option<Arc<Subscription>> {
        let snapshot = self.shared.state.borrow();
        snapshot.catalog.space(&self.cursor.space)?.subscription(self.id.as_str()).cloned()
    }

    async fn next_incident(&mut self, end: &mut watch::Receiver<Position>, room: bool) -> Incident {
        let due = self.retries.peek().map(|due| due.0.at);
        let behind = *end.borrow() >= self.next;
        let may_retry = due.is_some() && self.calls.len() < self.shared.options.calls_max;
        tokio::select! {
            biased;
            () = self.stop.cancelled() => Incident::Stop,
            Some(ended) = self.calls.join_next(), if !self.calls.is_empty() => match ended {
                Ok((delivery, ended)) => Incident::Ended(delivery, ended),
                Err(error) => Incident::Panicked(error.to_string()),
            },
            () = tokio::time::sleep_until(due.unwrap_or_else(Instant::now)), if may_retry => Incident::RetryDue,
            () = std::future::ready(()), if room && behind => Incident::MoreToRead,
            Ok(()) = end.changed(), if room && !behind => Incident::MoreToRead,
        }
    }

    /// Calls what may be called, up to the bound: by turns what is to be tried again now and what comes for the first time,
    /// so that neither waits until there is nothing left of the other.
    fn start_calls(&mut self, subscription: &Arc<Subscription>) {
        while self.calls.len() < self.shared.options.calls_max {
            let is_due = self.retries.peek().is_some_and(|due| due.0.at <= Instant::now());
            self.was_retry = is_due && !(self.was_retry && self.lanes.has_ready());
            let delivery = if self.was_retry {
                self.retries.pop().map(|due| due.0.delivery)
            } else {
                self.lanes.take().map(Delivery::new)
            };
            let Some(delivery) = delivery else { return };
            self.call(subscription, delivery);
        }
    }

    fn call(&mut self, subscription: &Arc<Subscription>, delivery: Delivery) {
        let (shared, space, stop) = (self.shared.clone(), self.cursor.space.clone(), self.stop.clone());
        self.calls.spawn(attempt(shared, space, subscription.clone(), delivery, stop));
    }

    async fn panicked(&mut self, error: &str) {
        // Which event it was went with the task: everything open is read again from the cursor.
        let (space, id) = (&self.cursor.space, &self.id);
        tracing::error!(%error, %space, subscription = %id, "a delivery ended in a panic; open events are delivered again");
        self.begin_again().await;
    }

    fn ended(&mut self, mut delivery: Delivery, ended: Ended) {
        match ended {
            Ended::Settled => {
                self.lanes.settle(&delivery.recorded);
                (self.has_settled, self.has_settled_since) = (true, true);
            }
            Ended::Again { attempt, wait } => {
                delivery.attempt = attempt;
                self.retries.push(Reverse(Due { at: Instant::now() + wait, delivery }));
            }
        }
    }

    async fn read(&mut self, wanted: &Wanted, end: &mut watch::Receiver<Position>) {
        end.mark_unchanged();
        let matching = self.shared.options.compatibility.matching();
        let types = Filter::Types(vec![wanted.event_type.clone()]);
        let read = Read::forward(self.cursor.space.clone(), self.next).filter(types);
        match self.shared.log.read(read).await {
            Ok(page) => {
                self.next = page.next;
                let events = page.events.into_iter();
                let events = events.filter(|recorded| wanted.entrance.takes_event(&recorded.event, matching));
                // What was done before the start, or before everything open was read again.
                let events = events.filter(|recorded| !self.ahead.is_done(recorded.position));
                events.for_each(|recorded| self.lanes.add(recorded));
                self.keep_cursor(false);
            }
            Err(error) => {
                tracing::error!(error = %error_chain(&error), space = %self.cursor.space, "a subscription cannot read the log");
                self.pause().await;
            }
        }
    }

    /// Returns how far the cursor is; `None` where a stop came first.
    async fn load_cursor(&self) -> Option<Progress> {
        let (space, created) = (&self.cursor.space, self.cursor.created);
        loop {
            match self.shared.cursors.load(&*self.shared.log, &self.cursor).await {
                Ok(Some(stored)) => return Some(stored),
                Ok(None) => {
                    if created <= self.shared.opened {
                        tracing::warn!(
                            %space, subscription = %self.id, position = %created,
                            "no cursor is kept for a subscription that was made before this start: it begins where it was made"
                        );
                    }
                    // Written down even though nothing was delivered: while it is there, somebody sees to what waits.
                    self.shared.cursors.note(&self.cursor, created, None);
                    return Some(Progress { done: created, ahead: Ahead::default() });
                }
                // Where it cannot be read it is not known what was delivered: beginning anywhere else would be wrong.
                Err(error) => {
                    let error = error_chain(&error);
                    tracing::error!(%error, %space, subscription = %self.id, "the cursor cannot be read: delivery waits");
                    self.pause().await;
                    if self.stop.is_cancelled() {
                        return None;
                    }
                }
            }
        }
    }

    /// Notes how far everything is done, and less often what is done behind the first event that is not.
    fn keep_cursor(&mut self, always: bool) {
        let done = self.lanes.done_up_to(self.next.previous());
        let far = done.get().saturating_sub(self.kept.get());
        // Events of others move it too. Of those many are read again quickly, so that is not worth a write each time.
        let has_moved = far > 0 && (always || self.has_settled || far >= CURSOR_STRIDE_IDLE);
        let is_due = always || self.ahead_noted.elapsed() >= AHEAD_PAUSE;
        let ahead = (is_due && self.has_settled_since && self.lanes.span() > 0).then(|| self.look_ahead());
        if has_moved || ahead.is_some() {
            self.shared.cursors.note(&self.cursor, done, ahead);
            (self.kept, self.has_settled) = (done, false);
        }
    }

    /// Takes stock of what is done behind the first event that is not.
    fn look_ahead(&mut self) -> Ahead {
        let read = self.next.previous();
        // After a start more may be known than was read again.
        let undone = self.lanes.undone().chain(self.ahead.open_after(read));
        self.ahead = Ahead::of(undone, read.max(self.ahead.up_to()));
        (self.ahead_noted, self.has_settled_since) = (Instant::now(), false);
        self.ahead.clone()
    }

    async fn begin_again(&mut self) {
        self.calls.shutdown().await;
        self.retries.clear();
        self.lanes = Lanes::default();
        self.next = self.kept.next();
        self.pause().await;
    }

    /// Waits a moment before what failed is tried again, but not longer than until a stop.
    async fn pause(&self) {
        tokio::select! {
            () = self.stop.cancelled() => {}
            () = tokio::time::sleep(READ_PAUSE) => {}
        }
    }

    /// Waits for the calls in flight; what waits for a retry is delivered after the next start.
    async fn drain(&mut self) {
        while let Some(ended) = self.calls.join_next().await {
            if let Ok((delivery, ended)) = ended {
                self.ended(delivery, ended);
                // Not only at the end: a call that takes longer than the stop may must not cost the others theirs.
                self.keep_cursor(false);
            }
        }
        self.keep_cursor(true);
    }
}
