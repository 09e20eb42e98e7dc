//! Delivery to async subscriptions: every subscription has its own cursor and its own worker.
//!
//! The supervisor keeps one [`worker`] for each async subscription of the catalog. Nothing that one of them does can
//! stop another. A cursor has one worker at a time: where one subscription takes the place of another, its worker begins
//! when that of the other has finished its calls, so that the order of a key is kept. The same holds where a subscription
//! is deleted and made again, although that has another cursor.
//!
//! What is new is read once for each space, by its [`fan_out`]; a worker reads the log by itself for what is older.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use tokio::{
    task::{Id, JoinError, JoinSet},
    time::Instant,
};
use tokio_util::sync::CancellationToken;
use weir_catalog::SubscriptionId;
use weir_domain::SpaceName;

use crate::{cursors::CursorName, flow::Shared};

mod attempt;
mod backoff;
mod calls;
mod circuit;
mod course;
mod departure;
mod fan_out;
mod gate;
mod inbox;
mod lanes;
mod outcome;
mod pace;
mod records;
mod standing;
mod worker;

pub(crate) use attempt::Work;
pub(crate) use departure::Departed;
use fan_out::FanOut;
pub(crate) use gate::Gate;
pub(crate) use inbox::Feed;
pub(crate) use records::{SOURCE as RECORDS_SOURCE, about, key_of_attempts};
pub(crate) use standing::{Order, Present};
pub use standing::{ParkedSince, ReplayRefusal, ReplayStanding, ReplayState};
use worker::Worker;

/// How many cursors whose subscriptions are gone are looked at together: each reads the log.
const DEPARTURES_MAX: usize = 4;

/// How long a cursor waits for its next worker after one ended in a panic; it doubles up to the bound, and begins anew after
/// a worker that ran for longer than the bound.
const RESTART_PAUSE: Duration = Duration::from_millis(500);
/// See [`RESTART_PAUSE`].
const RESTART_PAUSE_MAX: Duration = Duration::from_secs(30);

/// Keeps the workers in step with the catalog.
pub(crate) struct Supervisor {
    shared: Arc<Shared>,
    workers: JoinSet<()>,
    fan_outs: FanOuts,
    running: BTreeMap<CursorName, Running>,
    /// Cursors whose last worker ended in a panic.
    broken: BTreeMap<CursorName, Broken>,
    /// Cursors whose subscriptions are gone, and that nobody looks at yet.
    departed: Vec<Departed>,
    departures: JoinSet<()>,
}

/// A worker that runs, until its task has ended.
struct Running {
    subscription: SubscriptionId,
    task: Id,
    stop: CancellationToken,
    began: Instant,
}

/// What a cursor waits for whose worker ended in a panic.
struct Broken {
    pause: Duration,
    until: Instant,
}

impl Supervisor {
    pub(crate) fn new(shared: Arc<Shared>) -> Self {
        let (workers, departures) = (JoinSet::new(), JoinSet::new());
        let fan_outs = FanOuts::default();
        let (running, broken) = (BTreeMap::new(), BTreeMap::new());
        Self { shared, workers, fan_outs, running, broken, departed: Vec::new(), departures }
    }

    /// Runs from when `begin` is done until told to stop; then no new event is taken, the calls in flight are waited for, and
    /// the cursors are written down.
    pub(crate) async fn run(self, begin: impl Future<Output = ()>, stop: CancellationToken) {
        let shared = self.shared.clone();
        let delivered = CancellationToken::new();
        let keeping = shared.cursors.keep(&*shared.log, delivered.clone());
        let delivering = async {
            tokio::select! {
                biased;
                () = begin => {}
                // What was changed meanwhile is seen to all the same, and no event is taken.
                () = stop.cancelled() => {}
            }
            self.deliver(stop).await;
            delivered.cancel();
        };
        futures_util::future::join(delivering, keeping).await;
    }

    async fn deliver(mut self, stop: CancellationToken) {
        let mut state = self.shared.state.subscribe();
        loop {
            let due = self.adjust(&stop);
            tokio::select! {
                biased;
                () = stop.cancelled() => break,
                // The next round starts it.
                () = tokio::time::sleep_until(due.unwrap_or_else(Instant::now)), if due.is_some() => {}
                changed = state.changed() => {
                    if changed.is_err() {
                        break;
                    }
                }
                Some(ended) = self.workers.join_next_with_id(), if !self.workers.is_empty() => self.ended(ended),
                Some(ended) = self.departures.join_next(), if !self.departures.is_empty() => note_end(ended),
                Some(ended) = self.fan_outs.tasks.join_next_with_id(), if !self.fan_outs.tasks.is_empty() => {
                    self.fan_outs.ended(&self.shared, ended);
                }
            }
            state.mark_unchanged();
        }
        while let Some(ended) = self.workers.join_next_with_id().await {
            self.ended(ended);
        }
        while let Some(ended) = self.departures.join_next().await {
            note_end(ended);
        }
        while let Some(ended) = self.fan_outs.tasks.join_next_with_id().await {
            self.fan_outs.ended(&self.shared, ended);
        }
    }

    /// Starts a worker for every cursor that has none, stops those whose subscription is gone or has another in its place,
    /// and sees to what they leave. Returns when the first of those is to be started that wait after a panic.
    fn adjust(&mut self, stop: &CancellationToken) -> Option<Instant> {
        let now = Instant::now();
        self.departed.extend(self.shared.cursors.take_departed());
        let snapshot = self.shared.state.borrow().clone();
        let wanted: BTreeMap<&CursorName, &SubscriptionId> =
            snapshot.cursors.iter().map(|((_, id), cursor)| (cursor, id)).collect();
        for (cursor, worker) in &self.running {
            if wanted.get(cursor).is_none_or(|id| **id != worker.subscription) {
                worker.stop.cancel();
            }
        }
        self.shared.workers_max.store(wanted.len(), std::sync::atomic::Ordering::Relaxed);
        self.broken.retain(|cursor, _| wanted.contains_key(cursor));
        let due = self.fan_outs.adjust(&self.shared, wanted.keys().map(|it| &it.space), stop, now);
        let ending = self.running.iter().filter(|(_, worker)| worker.stop.is_cancelled());
        let ending: BTreeSet<(SpaceName, SubscriptionId)> =
            ending.map(|(cursor, worker)| (cursor.space.clone(), worker.subscription.clone())).collect();
        for (cursor, id) in &wanted {
            // Of that name it ends first, and then the next round begins.
            let is_ending = !ending.is_empty() && ending.contains(&(cursor.space.clone(), (*id).clone()));
            let is_broken = self.broken.get(*cursor).is_some_and(|it| it.until > now);
            if is_ending || is_broken || self.running.contains_key(*cursor) {
                continue;
            }
            let stop = stop.child_token();
            let worker = Worker::new(self.shared.clone(), (*cursor).clone(), (*id).clone(), stop.clone());
            let task = self.workers.spawn(worker.run()).id();
            let running = Running { subscription: (*id).clone(), task, stop, began: now };
            self.running.insert((*cursor).clone(), running);
        }
        while self.departures.len() < DEPARTURES_MAX {
            let is_free = |it: &Departed| !self.running.contains_key(&it.cursor) && !wanted.contains_key(&it.cursor);
            let Some(index) = self.departed.iter().position(is_free) else { break };
            let departed = self.departed.swap_remove(index);
            self.departures.spawn(departure::settle(self.shared.clone(), departed, stop.clone()));
        }
        self.broken.values().map(|it| it.until).filter(|until| *until > now).chain(due).min()
    }

    /// A worker has ended because its subscription is gone, or it is broken: then it is started again after a pause, so that
    /// what breaks at once takes no whole processor.
    ///
    /// It is known by its task.
    fn ended(&mut self, ended: Result<(Id, ()), JoinError>) {
        let (task, error) = match ended {
            Ok((task, ())) => (task, None),
            Err(error) => (error.id(), Some(error)),
        };
        let mut running = self.running.iter();
        let cursor = running.find_map(|(cursor, worker)| (worker.task == task).then(|| cursor.clone()));
        let Some((cursor, worker)) = cursor.and_then(|it| self.running.remove_entry(&it)) else { return };
        let Some(error) = error else {
            self.broken.remove(&cursor);
            return;
        };
        let now = Instant::now();
        let again = self.broken.get(&cursor).filter(|_| now - worker.began < RESTART_PAUSE_MAX);
        let pause = again.map_or(RESTART_PAUSE, |before| (before.pause * 2).min(RESTART_PAUSE_MAX));
        let (space, id) = (&cursor.space, &worker.subscription);
        let retry_in_ms = u64::try_from(pause.as_millis()).unwrap_or(u64::MAX);
        tracing::error!(%error, %space, subscription = %id, retry_in_ms, "a delivery worker ended in a panic and starts again");
        self.broken.insert(cursor, Broken { pause, until: now + pause });
    }
}

/// The fan-outs of the spaces that have subscriptions, or had some.
#[derive(Default)]
struct FanOuts {
    tasks: JoinSet<()>,
    running: BTreeMap<SpaceName, Id>,
    /// Those that ended in a panic, until they are started again.
    broken: BTreeMap<SpaceName, Instant>,
}

impl FanOuts {
    /// Starts those that are not there; returns when the first of those is to be started that wait after a panic.
    fn adjust<'a>(
        &mut self,
        shared: &Arc<Shared>,
        spaces: impl Iterator<Item = &'a SpaceName>,
        stop: &CancellationToken,
        now: Instant,
    ) -> Option<Instant> {
        for space in spaces {
            if self.running.contains_key(space) || self.broken.get(space).is_some_and(|until| *until > now) {
                continue;
            }
            self.broken.remove(space);
            let fan_out = FanOut::new(shared.clone(), space.clone(), stop.child_token());
            let task = self.tasks.spawn(fan_out.run()).id();
            self.running.insert(space.clone(), task);
        }
        self.broken.values().copied().min()
    }

    fn ended(&mut self, shared: &Shared, ended: Result<(Id, ()), JoinError>) {
        let (task, error) = match ended {
            Ok((task, ())) => (task, None),
            Err(error) => (error.id(), Some(error)),
        };
        let space = self.running.iter().find_map(|(space, it)| (*it == task).then(|| space.clone()));
        let Some(space) = space else { return };
        self.running.remove(&space);
        shared.feed(&space).set_up(false);
        if let Some(error) = error {
            tracing::error!(%error, %space, "the fan-out of new events ended in a panic and starts again");
            self.broken.insert(space, Instant::now() + RESTART_PAUSE);
        }
    }
}

fn note_end(ended: Result<(), JoinError>) {
    if let Err(error) = ended {
        tracing::error!(%error, "looking at what a deleted subscription leaves ended in a panic; the next start does it again");
    }
}
