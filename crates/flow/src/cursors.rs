//! The cursors of async subscriptions: where each stands, and how that is written down.
//!
//! Workers say where they are as often as they like, which costs a map. What has moved is stored together, at most once in
//! [`WRITE_PAUSE`] and with one sync for all of them, on no thread that delivers. A clean stop stores the rest; after a
//! crash what was done since the last write is delivered again.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use bytes::Bytes;
use parking_lot::Mutex;
use tokio::sync::{Notify, watch};
use tokio_util::sync::CancellationToken;
use weir_catalog::SubscriptionId;
use weir_domain::{Position, SpaceName, error_chain};
use weir_log::{LogEngine, LogError};

use crate::{delivery::Departed, progress::Progress};

/// The least time between two writes, and so the most deliveries that a crash repeats. It doubles while writes fail, up to
/// [`WRITE_PAUSE_MAX`]: a full disk does not get emptier by being asked.
const WRITE_PAUSE: Duration = Duration::from_millis(250);
/// See [`WRITE_PAUSE`].
const WRITE_PAUSE_MAX: Duration = Duration::from_secs(30);

/// How long somebody waits for a write.
const STORE_MAX: Duration = Duration::from_secs(5);

/// What a cursor is called: the subscription that it was made for, and where that was made. Who takes the place of another
/// subscription takes its cursor over, name and all; who is made again has a new one.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
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
pub(crate) struct Cursors {
    /// Where the log ended at the start. What was written down before is of no later position.
    end: Position,
    state: Mutex<State>,
    changed: Notify,
    /// The last time that what had moved was written.
    written: watch::Sender<u64>,
}

#[derive(Default)]
struct State {
    /// Where those stand that were used since the start. As many as there are subscriptions.
    known: BTreeMap<CursorName, Progress>,
    /// Those of them that are not written down yet.
    moved: BTreeSet<CursorName>,
    /// Those whose checkpoints are to be removed.
    finished: BTreeSet<CursorName>,
    /// How often what had moved was taken to be written.
    rounds: u64,
    /// Those whose subscriptions are gone, until delivery takes them.
    departed: Vec<Departed>,
}

impl Cursors {
    /// Reads cursors from a log that ends here.
    pub(crate) fn new(end: Position) -> Self {
        Self { end, state: Mutex::default(), changed: Notify::new(), written: watch::channel(0).0 }
    }

    /// Returns how far a cursor is; `None` where that was never written down.
    ///
    /// # Errors
    /// Where it cannot be read.
    pub(crate) async fn load(&self, log: &dyn LogEngine, name: &CursorName) -> Result<Option<Progress>, LogError> {
        let known = self.state.lock().known.get(name).cloned();
        if known.is_some() {
            return Ok(known);
        }
        let checkpoint = name.checkpoint();
        let Some(bytes) = log.load_checkpoint(&checkpoint).await? else { return Ok(None) };
        let Some(read) = Progress::decode(&bytes) else {
            let detail = format!("checkpoint {checkpoint} is damaged, or of another version of weir");
            return Err(LogError::Index { detail });
        };
        // A log without syncs may have lost its end, and other events come in its place: those were not delivered.
        let progress = read.clone().until(self.end.max(name.created));
        let mut state = self.state.lock();
        if progress != read {
            // Also written down: at a later start it would no longer show.
            state.moved.insert(name.clone());
            self.changed.notify_one();
        }
        // Who only notes that it moves on must not lose the rest.
        Ok(Some(state.known.entry(name.clone()).or_insert(progress).clone()))
    }

    /// Returns those whose cursors are still there, by one question to the log for all of them.
    ///
    /// # Errors
    /// Where the log cannot be read.
    pub(crate) async fn still_kept(
        &self,
        log: &dyn LogEngine,
        departed: Vec<Departed>,
    ) -> Result<Vec<Departed>, LogError> {
        if departed.is_empty() {
            return Ok(departed);
        }
        let names = departed.iter().map(|it| it.cursor.checkpoint()).collect();
        let stored = log.load_checkpoints(names).await?;
        let state = self.state.lock();
        let is_kept =
            |(it, stored): &(Departed, Option<Bytes>)| stored.is_some() || state.known.contains_key(&it.cursor);
        Ok(departed.into_iter().zip(stored).filter(is_kept).map(|(it, _)| it).collect())
    }

    /// Takes note of up to where everything is done, and where it is given of all else; it is written down soon. What was
    /// said of the latter before stays where it is not given.
    pub(crate) fn note(&self, name: &CursorName, done: Position, whole: Option<Progress>) {
        let mut state = self.state.lock();
        let known = state.known.entry(name.clone()).or_default();
        if let Some(whole) = whole {
            *known = whole;
        }
        known.log.mark.done = done;
        state.moved.insert(name.clone());
        drop(state);
        self.changed.notify_one();
    }

    /// Takes note of how far one is, and says whether it was written down in the time that may take.
    pub(crate) async fn store_now(&self, name: &CursorName, progress: Progress) -> bool {
        let mut written = self.written.subscribe();
        let round = {
            let mut state = self.state.lock();
            state.known.insert(name.clone(), progress);
            state.moved.insert(name.clone());
            // What is taken next has it.
            state.rounds + 1
        };
        self.changed.notify_one();
        let written = written.wait_for(|last| *last >= round);
        tokio::time::timeout(STORE_MAX, written).await.is_ok_and(|seen| seen.is_ok())
    }

    /// Returns how far a cursor is that was used since the start.
    pub(crate) fn known(&self, name: &CursorName) -> Option<Progress> {
        self.state.lock().known.get(name).cloned()
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
        let mut pause = WRITE_PAUSE;
        while !stop.is_cancelled() {
            tokio::select! {
                biased;
                () = stop.cancelled() => break,
                () = self.changed.notified() => {}
            }
            tokio::select! {
                biased;
                () = stop.cancelled() => break,
                () = tokio::time::sleep(pause) => {}
            }
            pause = if self.write(log).await { WRITE_PAUSE } else { (pause * 2).min(WRITE_PAUSE_MAX) };
        }
        self.write(log).await;
    }

    /// Writes down what has moved, and says whether that is done.
    async fn write(&self, log: &dyn LogEngine) -> bool {
        let (round, moved, finished) = self.take();
        let stored = store(log, &moved, &finished).await;
        if let Err(error) = &stored {
            // Not fatal: it is written next time, and what lies between would merely be delivered again.
            tracing::warn!(error = %error_chain(error), cursors = moved.len(), "cursors cannot be written");
            let mut state = self.state.lock();
            // Those that were finished meanwhile are not to come back.
            let moved: Vec<_> =
                moved.into_iter().map(|(name, _)| name).filter(|it| state.known.contains_key(it)).collect();
            state.moved.extend(moved);
            state.finished.extend(finished);
            drop(state);
            self.changed.notify_one();
        } else {
            self.written.send_replace(round);
        }
        stored.is_ok()
    }

    /// Takes what is to be written, and says which time this is.
    fn take(&self) -> (u64, Vec<(CursorName, Progress)>, Vec<CursorName>) {
        let mut state = self.state.lock();
        state.rounds += 1;
        let round = state.rounds;
        let moved = std::mem::take(&mut state.moved);
        let with_position = |name: CursorName| state.known.get(&name).map(|known| (name.clone(), known.clone()));
        let moved = moved.into_iter().filter_map(with_position).collect();
        (round, moved, std::mem::take(&mut state.finished).into_iter().collect())
    }
}

async fn store(log: &dyn LogEngine, moved: &[(CursorName, Progress)], finished: &[CursorName]) -> Result<(), LogError> {
    if !moved.is_empty() {
        let values = moved.iter().map(|(name, progress)| (name.checkpoint(), progress.encode())).collect();
        log.store_checkpoints(values).await?;
    }
    if !finished.is_empty() {
        log.remove_checkpoints(finished.iter().map(CursorName::checkpoint).collect()).await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests;
