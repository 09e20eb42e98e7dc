//! The worker of one subscription: reads ahead from its cursor, keeps lanes, calls, retries, and moves the cursor.

use std::{
    cmp::Reverse,
    collections::BinaryHeap,
    sync::{Arc, atomic::Ordering},
    time::{Duration, Instant},
};

use bytes::Bytes;
use tokio::{sync::watch, task::JoinSet};
use tokio_util::sync::CancellationToken;
use weir_catalog::{Entrance, Subscription, SubscriptionId};
use weir_domain::{Position, SpaceName, error_chain};
use weir_log::{Filter, Read};

use super::{
    attempt::{Delivery, Ended, attempt},
    cursor_name,
    lanes::Lanes,
};
use crate::flow::Shared;

/// Space, subscription and where it was made.
pub(crate) type WorkerName = (SpaceName, SubscriptionId, Position);

/// How long a worker waits after the log could not be read.
const READ_PAUSE: Duration = Duration::from_millis(500);
/// Events that may be done before the cursor is written down, while others are in flight.
const CURSOR_STRIDE: u64 = 1024;
/// Positions by which the cursor may move on before it is written down, while there is nothing to deliver.
const CURSOR_STRIDE_IDLE: u64 = 64 * 1024;

/// Delivers to one subscription.
pub(crate) struct Worker {
    shared: Arc<Shared>,
    name: WorkerName,
    stop: CancellationToken,
    lanes: Lanes,
    calls: JoinSet<(Delivery, Ended)>,
    retries: BinaryHeap<Reverse<Due>>,
    /// Where to read on.
    next: Position,
    /// The cursor as it was last written down.
    kept: Position,
    /// Whether anything was delivered since.
    has_settled: bool,
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
    events: usize,
}

impl Share {
    fn set(&mut self, events: usize) {
        self.shared.backlog.fetch_add(events, Ordering::Relaxed);
        self.shared.backlog.fetch_sub(self.events, Ordering::Relaxed);
        self.events = events;
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.set(0);
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
    pub(crate) fn new(shared: Arc<Shared>, name: WorkerName, stop: CancellationToken) -> Self {
        let kept = name.2;
        let share = Share { shared: Arc::clone(&shared), events: 0 };
        Self {
            share,
            shared,
            name,
            stop,
            lanes: Lanes::default(),
            calls: JoinSet::new(),
            retries: BinaryHeap::new(),
            next: kept.next(),
            kept,
            has_settled: false,
        }
    }

    /// Delivers until told to stop, or until the subscription is gone; then waits for the calls in flight.
    pub(crate) async fn run(mut self) -> WorkerName {
        let (space, id, created) = self.name.clone();
        let mut end = self.shared.log.durable_end();
        // Where it cannot be read it is not known what was delivered: beginning anywhere else would be wrong.
        let cursor = loop {
            match self.load_cursor() {
                Ok(cursor) => break cursor,
                Err(error) => {
                    tracing::error!(%error, %space, subscription = id.as_str(), "the cursor cannot be read: delivery waits");
                    self.pause().await;
                    if self.stop.is_cancelled() {
                        return (space, id, created);
                    }
                }
            }
        };
        // A log without syncs may have lost its end: what comes in its place was not delivered.
        let cursor = cursor.min((*end.borrow()).max(created));
        (self.kept, self.next) = (cursor, cursor.next());
        // None of it can change: it makes the identifier of the subscription.
        let wanted = self.subscription().map(|it| Wanted::by(&it));
        let Some(wanted) = wanted else { return (space, id, created) };
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
                Incident::RetryDue => self.start_retry(&subscription),
                Incident::MoreToRead => self.read(&wanted, &mut end).await,
            }
        }
        self.drain().await;
        (space, id, created)
    }

    fn subscription(&self) -> Option<Arc<Subscription>> {
        let snapshot = self.shared.state.borrow();
        snapshot.catalog.space(&self.name.0)?.subscription(self.name.1.as_str()).cloned()
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
            () = tokio::time::sleep_until(due.unwrap_or_else(Instant::now).into()), if may_retry => Incident::RetryDue,
            () = std::future::ready(()), if room && behind => Incident::MoreToRead,
            Ok(()) = end.changed(), if room && !behind => Incident::MoreToRead,
        }
    }

    /// Calls what may be called, up to the bound.
    fn start_calls(&mut self, subscription: &Arc<Subscription>) {
        while self.calls.len() < self.shared.options.calls_max && self.lanes.has_ready() {
            let Some(recorded) = self.lanes.take() else { return };
            self.call(subscription, Delivery::new(recorded));
        }
    }

    fn start_retry(&mut self, subscription: &Arc<Subscription>) {
        if let Some(Reverse(due)) = self.retries.pop() {
            self.call(subscription, due.delivery);
        }
    }

    fn call(&mut self, subscription: &Arc<Subscription>, delivery: Delivery) {
        self.calls.spawn(attempt(self.shared.clone(), self.name.0.clone(), subscription.clone(), delivery));
    }

    async fn panicked(&mut self, error: &str) {
        // Which event it was went with the task: everything open is read again from the cursor.
        let (space, id, _) = &self.name;
        tracing::error!(%error, %space, subscription = id.as_str(), "a delivery ended in a panic; open events are delivered again");
        self.begin_again().await;
    }

    fn ended(&mut self, mut delivery: Delivery, ended: Ended) {
        match ended {
            Ended::Settled => {
                self.lanes.settle(&delivery.recorded);
                self.has_settled = true;
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
        let read = Read::forward(self.name.0.clone(), self.next).filter(types);
        match self.shared.log.read(read).await {
            Ok(page) => {
                self.next = page.next;
                let events = page.events.into_iter();
                let events = events.filter(|recorded| wanted.entrance.takes_event(&recorded.event, matching));
                events.for_each(|recorded| self.lanes.add(recorded));
                self.keep_cursor(false);
            }
            Err(error) => {
                tracing::error!(error = %error_chain(&error), space = %self.name.0, "a subscription cannot read the log");
                self.pause().await;
            }
        }
    }

    fn load_cursor(&self) -> Result<Position, String> {
        let (space, id, created) = &self.name;
        let name = cursor_name(space, id, *created);
        let stored = self.shared.log.load_checkpoint(&name).map_err(|error| error_chain(&error))?;
        let Some(bytes) = stored else { return Ok(*created) };
        let bytes: [u8; 8] = bytes.as_ref().try_into().map_err(|_| format!("checkpoint {name} has a wrong length"))?;
        Ok(Position::new(u64::from_be_bytes(bytes)))
    }

    /// Writes the cursor down: after many events, or when nothing is open.
    fn keep_cursor(&mut self, always: bool) {
        let done = self.lanes.done_up_to(self.next.previous());
        let far = done.get().saturating_sub(self.kept.get());
        // Events of others move it too. Of those many are read again quickly, so that is not worth a write each time.
        let is_due = match self.has_settled {
            true => far >= CURSOR_STRIDE || self.lanes.span() == 0,
            false => far >= CURSOR_STRIDE_IDLE,
        };
        if far == 0 || !(always || is_due) {
            return;
        }
        let (space, id, created) = &self.name;
        let value = Bytes::copy_from_slice(&done.get().to_be_bytes());
        match self.shared.log.store_checkpoints(&[(cursor_name(space, id, *created), value)]) {
            Ok(()) => (self.kept, self.has_settled) = (done, false),
            // Not fatal: the cursor is written next time, and what lies between would merely be delivered again.
            Err(error) => tracing::warn!(error = %error_chain(&error), %space, "a cursor cannot be written"),
        }
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
            }
        }
        self.keep_cursor(true);
    }
}
