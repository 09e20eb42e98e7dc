//! Delivery to async subscriptions: every subscription has its own cursor and its own worker.
//!
//! The supervisor keeps one [`worker`] for each async subscription of the catalog. Nothing that one of them does can
//! stop another. A cursor has one worker at a time: where one subscription takes the place of another, its worker begins
//! when that of the other has finished its calls, so that the order of a key is kept. The same holds where a subscription
//! is deleted and made again, although that has another cursor.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use tokio::task::{Id, JoinError, JoinSet};
use tokio_util::sync::CancellationToken;
use weir_catalog::SubscriptionId;
use weir_domain::SpaceName;

use crate::{cursors::CursorName, flow::Shared};

mod attempt;
mod backoff;
mod departure;
mod lanes;
mod worker;

pub(crate) use departure::Departed;
use worker::Worker;

/// How many cursors whose subscriptions are gone are looked at together: each reads the log.
const DEPARTURES_MAX: usize = 4;

/// Keeps the workers in step with the catalog.
pub(crate) struct Supervisor {
    shared: Arc<Shared>,
    workers: JoinSet<()>,
    running: HashMap<CursorName, Running>,
    /// Cursors whose subscriptions are gone, and that nobody looks at yet.
    departed: Vec<Departed>,
    departures: JoinSet<()>,
}

/// A worker that runs, until its task has ended.
struct Running {
    subscription: SubscriptionId,
    task: Id,
    stop: CancellationToken,
}

impl Supervisor {
    pub(crate) fn new(shared: Arc<Shared>) -> Self {
        let (workers, departures) = (JoinSet::new(), JoinSet::new());
        Self { shared, workers, running: HashMap::new(), departed: Vec::new(), departures }
    }

    /// Runs until told to stop; then no new event is taken, the calls in flight are waited for, and the cursors are
    /// written down.
    pub(crate) async fn run(self, stop: CancellationToken) {
        let shared = self.shared.clone();
        let delivered = CancellationToken::new();
        let keeping = shared.cursors.keep(&*shared.log, delivered.clone());
        let delivering = async {
            self.deliver(stop).await;
            delivered.cancel();
        };
        futures_util::future::join(delivering, keeping).await;
    }

    async fn deliver(mut self, stop: CancellationToken) {
        let mut state = self.shared.state.subscribe();
        loop {
            self.adjust(&stop);
            tokio::select! {
                () = stop.cancelled() => break,
                changed = state.changed() => {
                    if changed.is_err() {
                        break;
                    }
                }
                Some(ended) = self.workers.join_next_with_id(), if !self.workers.is_empty() => self.ended(ended),
                Some(ended) = self.departures.join_next(), if !self.departures.is_empty() => note_end(ended),
            }
            state.mark_unchanged();
        }
        while let Some(ended) = self.workers.join_next_with_id().await {
            self.ended(ended);
        }
        while let Some(ended) = self.departures.join_next().await {
            note_end(ended);
        }
    }

    /// Starts a worker for every cursor that has none, stops those whose subscription is gone or has another in its place,
    /// and sees to what they leave.
    fn adjust(&mut self, stop: &CancellationToken) {
        self.departed.extend(self.shared.cursors.take_departed());
        let snapshot = self.shared.state.borrow().clone();
        let wanted: HashMap<&CursorName, &SubscriptionId> =
            snapshot.cursors.iter().map(|((_, id), cursor)| (cursor, id)).collect();
        for (cursor, worker) in &self.running {
            if wanted.get(cursor).is_none_or(|id| **id != worker.subscription) {
                worker.stop.cancel();
            }
        }
        let ending = self.running.iter().filter(|(_, worker)| worker.stop.is_cancelled());
        let ending: HashSet<(SpaceName, SubscriptionId)> =
            ending.map(|(cursor, worker)| (cursor.space.clone(), worker.subscription.clone())).collect();
        for (cursor, id) in &wanted {
            // Of that name it ends first, and then the next round begins.
            let is_ending = !ending.is_empty() && ending.contains(&(cursor.space.clone(), (*id).clone()));
            if is_ending || self.running.contains_key(*cursor) {
                continue;
            }
            let stop = stop.child_token();
            let worker = Worker::new(self.shared.clone(), (*cursor).clone(), (*id).clone(), stop.clone());
            let task = self.workers.spawn(worker.run()).id();
            self.running.insert((*cursor).clone(), Running { subscription: (*id).clone(), task, stop });
        }
        while self.departures.len() < DEPARTURES_MAX {
            let is_free = |it: &Departed| !self.running.contains_key(&it.cursor) && !wanted.contains_key(&it.cursor);
            let Some(index) = self.departed.iter().position(is_free) else { break };
            let departed = self.departed.swap_remove(index);
            self.departures.spawn(departure::settle(self.shared.clone(), departed, stop.clone()));
        }
    }

    /// A worker has ended because its subscription is gone, or it is broken: then the next round starts it again.
    ///
    /// It is known by its task.
    fn ended(&mut self, ended: Result<(Id, ()), JoinError>) {
        let task = match ended {
            Ok((task, ())) => task,
            Err(error) => {
                tracing::error!(%error, "a delivery worker ended in a panic and starts again");
                error.id()
            }
        };
        self.running.retain(|_, worker| worker.task != task);
    }
}

fn note_end(ended: Result<(), JoinError>) {
    if let Err(error) = ended {
        tracing::error!(%error, "looking at what a deleted subscription leaves ended in a panic; the next start does it again");
    }
}
