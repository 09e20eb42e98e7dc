//! What writer, indexer and readers share.

use std::{collections::VecDeque, sync::Arc, time::Duration};

use parking_lot::{Condvar, Mutex, RwLock};
use tokio::sync::watch;
use weir_domain::{Clock, Position};
use weir_log::LogError;

use crate::{
    arrivals::Arrivals,
    disk::{Disk, DiskLock},
    index::Index,
    options::Options,
    segment::Segment,
    store::Block,
    tail::Tail,
};

/// The parts of an open log that several threads use.
pub(crate) struct Shared {
    pub(crate) disk: Arc<dyn Disk>,
    pub(crate) index: Index,
    /// All segments, oldest first; the last one is written.
    pub(crate) segments: RwLock<Vec<Segment>>,
    pub(crate) tail: RwLock<Tail>,
    /// The last durable position.
    pub(crate) end: watch::Sender<Position>,
    /// Who waits for events of some types.
    pub(crate) arrivals: Arrivals,
    pub(crate) blocks: BlockQueue,
    /// Whether the log was closed. Held for reading by what must be done before it is.
    pub(crate) closed: RwLock<bool>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) options: Options,
    /// Held until the last handle is gone and the last worker has ended.
    pub(crate) _lock: Box<dyn DiskLock>,
}

/// Full index blocks on their way from the writer to the indexer.
#[derive(Default)]
pub(crate) struct BlockQueue {
    state: Mutex<QueueState>,
    changed: Condvar,
}

#[derive(Default)]
struct QueueState {
    blocks: VecDeque<Arc<Block>>,
    /// Why the oldest block could not be written; cleared when it could.
    failure: Option<LogError>,
    closed: bool,
    /// Nobody writes blocks any more.
    abandoned: bool,
}

impl BlockQueue {
    /// Waits until fewer than `most` blocks wait.
    ///
    /// # Errors
    /// Where the indexer cannot write: then no waiting helps until its cause is gone. The error is the one that it met,
    /// so that a full disk is told from what needs a person.
    pub(crate) fn wait_for_room(&self, most: usize) -> Result<(), LogError> {
        let mut state = self.state.lock();
        loop {
            if state.abandoned {
                let detail = "the thread that writes it has ended: restart the server".to_owned();
                return Err(LogError::Index { detail });
            }
            if state.blocks.len() < most {
                return Ok(());
            }
            if let Some(failure) = &state.failure {
                return Err(copy_of(failure));
            }
            self.changed.wait(&mut state);
        }
    }

    pub(crate) fn push(&self, block: Arc<Block>) {
        self.state.lock().blocks.push_back(block);
        self.changed.notify_all();
    }

    /// No block follows.
    pub(crate) fn close(&self) {
        self.state.lock().closed = true;
        self.changed.notify_all();
    }

    /// The indexer has ended: who waits for it, and who would, gets an error.
    pub(crate) fn abandon(&self) {
        self.state.lock().abandoned = true;
        self.changed.notify_all();
    }

    /// Waits for the oldest block, which stays in the queue; `None` when the queue is closed and empty.
    pub(crate) fn front(&self) -> Option<Arc<Block>> {
        let mut state = self.state.lock();
        loop {
            if let Some(block) = state.blocks.front() {
                return Some(block.clone());
            }
            if state.closed {
                return None;
            }
            self.changed.wait(&mut state);
        }
    }

    /// Returns the oldest block without waiting.
    pub(crate) fn try_front(&self) -> Option<Arc<Block>> {
        self.state.lock().blocks.front().cloned()
    }

    /// The oldest block is written.
    pub(crate) fn done(&self) {
        let mut state = self.state.lock();
        state.blocks.pop_front();
        state.failure = None;
        self.changed.notify_all();
    }

    /// The oldest block could not be written. Waits before the next attempt.
    ///
    /// # Errors
    /// Gives the error back where the queue is closed: then there is no next attempt.
    pub(crate) fn failed(&self, why: LogError, pause: Duration) -> Result<(), LogError> {
        let mut state = self.state.lock();
        state.failure = Some(why);
        self.changed.notify_all();
        if !state.closed {
            self.changed.wait_for(&mut state, pause);
        }
        if state.closed
            && let Some(why) = state.failure.take()
        {
            return Err(why);
        }
        Ok(())
    }
}

/// The same error for one more waiter: errors of the operating system cannot be cloned.
pub(crate) fn copy_of(error: &LogError) -> LogError {
    let io = |source: &std::io::Error| std::io::Error::new(source.kind(), source.to_string());
    match error {
        LogError::DiskFull(source) => LogError::DiskFull(io(source)),
        LogError::Io { operation, path, source } => LogError::Io { operation, path: path.clone(), source: io(source) },
        LogError::Index { detail } => LogError::Index { detail: detail.clone() },
        LogError::Overloaded => LogError::Overloaded,
        LogError::Closed => LogError::Closed,
        other => LogError::Index { detail: other.to_string() },
    }
}
