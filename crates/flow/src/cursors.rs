//! The cursors of async subscriptions: where each stands, and how that is written down.
//!
//! Workers say where they are as often as they like, which costs a map. What has moved is stored together, at most once in
//! [`WRITE_PAUSE`] and with one sync for all of them, on no thread that delivers. A clean stop stores the rest; after a
//! crash what was done since the last write is delivered again.

use std::{
    collections::{HashMap, HashSet},
    time::Duration,
};

use bytes::Bytes;
use parking_lot::Mutex;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use weir_catalog::SubscriptionId;
use weir_domain::{Position, SpaceName, error_chain};
use weir_log::{LogEngine, LogError};

use crate::delivery::Departed;

/// The least time between two writes, and so the most deliveries that a crash repeats.
const WRITE_PAUSE: Duration = Duration::from_millis(250);

/// What a cursor is called: the subscription that it was made for, and where that was made. Who takes the place of another
/// subscription takes its cursor over, name and all; who is made again has a new one.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct CursorName {
    pub(crate) space: SpaceName,
    pub(crate) subscription: SubscriptionId,
    /// Events after this position are delivered.
    pub(crate) created: Position,
}

impl CursorName {
    /// Returns the name of its checkpoint, see `docs/log-format.md`.
    pub(crate) fn checkpoint(&self) -> String {
        let Self { space, subscription, created } = self;
        format!("cursor/{space}/{subscription}/{created}")
    }
}

/// All cursors of a server.
#[derive(Default)]
pub(crate) struct Cursors {
    state: Mutex<State>,
    changed: Notify,
}

#[derive(Default)]
struct State {
    /// Where those stand that were used since the start. As many as there are subscriptions.
    known: HashMap<CursorName, Position>,
    /// Those of them that are not written down yet.
    moved: HashSet<CursorName>,
    /// Those whose checkpoints are to be removed.
    finished: HashSet<CursorName>,
    /// Those whose subscriptions are gone, until delivery takes them.
    departed: Vec<Departed>,
}

impl Cursors {
    /// Returns where a cursor stands; `None` where that was never written down.
    ///
    /// # Errors
    /// Where it cannot be read.
    pub(crate) async fn load(&self, log: &dyn LogEngine, name: &CursorName) -> Result<Option<Position>, LogError> {
        let known = self.state.lock().known.get(name).copied();
        if known.is_some() {
            return Ok(known);
        }
        let checkpoint = name.checkpoint();
        let Some(bytes) = log.load_checkpoint(&checkpoint).await? else { return Ok(None) };
        match <[u8; 8]>::try_from(bytes.as_ref()) {
            Ok(bytes) => Ok(Some(Position::new(u64::from_be_bytes(bytes)))),
            Err(_) => Err(LogError::Index { detail: format!("checkpoint {checkpoint} has a wrong length") }),
        }
    }

    /// Takes note of where a cursor stands; it is written down soon.
    pub(crate) fn note(&self, name: &CursorName, done: Position) {
        let mut state = self.state.lock();
        state.known.insert(name.clone(), done);
        state.moved.insert(name.clone());
        drop(state);
        self.changed.notify_one();
    }

    /// Forgets a cursor that nobody uses any more, and soon removes its checkpoint.
    pub(crate) fn finish(&self, name: &CursorName) {
        let mut state = self.state.lock();
        state.known.remove(name);
        state.moved.remove(name);
        state.finished.insert(name.clone());
        drop(state);
        self.changed.notify_one();
    }

    /// Hands over cursors whose subscriptions are gone.
    pub(crate) fn depart(&self, departed: Vec<Departed>) {
        self.state.lock().departed.extend(departed);
    }

    /// Takes what was handed over.
    pub(crate) fn take_departed(&self) -> Vec<Departed> {
        std::mem::take(&mut self.state.lock().departed)
    }

    /// Writes down what moves, until told to stop, and then what is left.
    pub(crate) async fn keep(&self, log: &dyn LogEngine, stop: CancellationToken) {
        while !stop.is_cancelled() {
            tokio::select! {
                () = stop.cancelled() => break,
                () = self.changed.notified() => {}
            }
            tokio::select! {
                () = stop.cancelled() => break,
                () = tokio::time::sleep(WRITE_PAUSE) => {}
            }
            self.write(log).await;
        }
        self.write(log).await;
    }

    async fn write(&self, log: &dyn LogEngine) {
        let (moved, finished) = self.take();
        if let Err(error) = store(log, &moved, &finished).await {
            // Not fatal: it is written next time, and what lies between would merely be delivered again.
            tracing::warn!(error = %error_chain(&error), cursors = moved.len(), "cursors cannot be written");
            let mut state = self.state.lock();
            // Those that were finished meanwhile are not to come back.
            let moved: Vec<_> =
                moved.into_iter().map(|(name, _)| name).filter(|it| state.known.contains_key(it)).collect();
            state.moved.extend(moved);
            state.finished.extend(finished);
            drop(state);
            self.changed.notify_one();
        }
    }

    fn take(&self) -> (Vec<(CursorName, Position)>, Vec<CursorName>) {
        let mut state = self.state.lock();
        let moved = std::mem::take(&mut state.moved);
        let with_position = |name: CursorName| state.known.get(&name).map(|done| (name.clone(), *done));
        let moved = moved.into_iter().filter_map(with_position).collect();
        (moved, std::mem::take(&mut state.finished).into_iter().collect())
    }
}

async fn store(log: &dyn LogEngine, moved: &[(CursorName, Position)], finished: &[CursorName]) -> Result<(), LogError> {
    if !moved.is_empty() {
        let value = |position: Position| Bytes::copy_from_slice(&position.get().to_be_bytes());
        log.store_checkpoints(moved.iter().map(|(name, done)| (name.checkpoint(), value(*done))).collect()).await?;
    }
    if !finished.is_empty() {
        log.remove_checkpoints(finished.iter().map(CursorName::checkpoint).collect()).await?;
    }
    Ok(())
}
