//! What writer, indexer and readers share.

use std::{collections::VecDeque, sync::Arc, time::Duration};

use parking_lot::{Condvar, Mutex, RwLock};
use tokio::sync::watch;
use weir_domain::{Clock, Position};
use weir_log::LogError;

use crate::{
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
    pub(crate) blocks: BlockQueue,
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
    failure: Option<String>,
    closed: bool,
}

impl BlockQueue {
    /// Waits until fewer than `most` blocks wait.
    ///
    /// # Errors
    /// Where the indexer cannot write: then no waiting helps until its cause is gone.
    pub(crate) fn wait_for_room(&self, most: usize) -> Result<(), LogError> {
        let mut state = self.state.lock();
        while state.blocks.len() >= most {
            if let Some(detail) = &state.failure {
                return Err(LogError::Index { detail: detail.clone() });
            }
            self.changed.wait(&mut state);
        }
        Ok(())
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

    /// The oldest block could not be written. Waits before the next attempt; `false` when the queue is closed.
    pub(crate) fn failed(&self, why: String, pause: Duration) -> bool {
        let mut state = self.state.lock();
        state.failure = Some(why);
        self.changed.notify_all();
        if !state.closed {
            self.changed.wait_for(&mut state, pause);
        }
        !state.closed
    }
}
