//! Delivery to async subscriptions: every subscription has its own cursor and its own worker.
//!
//! The supervisor keeps one [`worker`] for each async subscription of the catalog. Nothing that one of them does can
//! stop another.

use std::{collections::HashMap, sync::Arc};

use tokio::task::{Id, JoinError, JoinSet};
use tokio_util::sync::CancellationToken;
use weir_catalog::SubscriptionId;
use weir_domain::{Position, SpaceName};

use crate::flow::Shared;

mod attempt;
mod backoff;
mod lanes;
mod worker;

use worker::{Worker, WorkerName};

/// Keeps the workers in step with the catalog.
pub(crate) struct Supervisor {
    shared: Arc<Shared>,
    workers: JoinSet<WorkerName>,
    running: HashMap<WorkerName, Running>,
}

/// A worker that runs.
struct Running {
    task: Id,
    stop: CancellationToken,
}

impl Supervisor {
    pub(crate) fn new(shared: Arc<Shared>) -> Self {
        Self { shared, workers: JoinSet::new(), running: HashMap::new() }
    }

    /// Runs until told to stop; then no new event is taken, and the calls in flight are waited for.
    pub(crate) async fn run(mut self, stop: CancellationToken) {
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
            }
            state.mark_unchanged();
        }
        while let Some(ended) = self.workers.join_next_with_id().await {
            self.ended(ended);
        }
    }

    /// Starts a worker for every subscription that has none and stops those whose subscription is gone.
    fn adjust(&mut self, stop: &CancellationToken) {
        let snapshot = self.shared.state.borrow().clone();
        let mut wanted: HashMap<WorkerName, Position> = HashMap::new();
        for (space, entries) in snapshot.catalog.spaces() {
            for subscription in entries.async_subscriptions() {
                let name = (space.clone(), subscription.id.clone());
                let created = snapshot.created.get(&name).copied().unwrap_or_default();
                wanted.insert((name.0, name.1, created), created);
            }
        }
        self.running.retain(|name, worker| {
            let keep = wanted.contains_key(name);
            if !keep {
                worker.stop.cancel();
            }
            keep
        });
        for name in wanted.into_keys() {
            if self.running.contains_key(&name) {
                continue;
            }
            let stop = stop.child_token();
            let worker = Worker::new(self.shared.clone(), name.clone(), stop.clone());
            let task = self.workers.spawn(worker.run()).id();
            self.running.insert(name, Running { task, stop });
        }
    }

    /// A worker has ended because its subscription is gone, or it is broken: then the next round starts it again.
    ///
    /// It is known by its task: another one may run under its name by now.
    fn ended(&mut self, ended: Result<(Id, WorkerName), JoinError>) {
        let task = match ended {
            Ok((task, _)) => task,
            Err(error) => {
                tracing::error!(%error, "a delivery worker ended in a panic and starts again");
                error.id()
            }
        };
        self.running.retain(|_, worker| worker.task != task);
    }
}

/// The name under which a cursor is kept. A subscription that is made again begins again.
fn cursor_name(space: &SpaceName, id: &SubscriptionId, created: Position) -> String {
    format!("cursor/{space}/{}/{created}", id.as_str())
}
