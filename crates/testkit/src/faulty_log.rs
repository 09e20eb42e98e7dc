//! A log that fails on purpose, drawn from a seed.

use std::{ops::Range, sync::Arc};

use bytes::Bytes;
use futures_util::future::{BoxFuture, FutureExt, ready};
use parking_lot::Mutex;
use weir_domain::{Position, SpaceName};
use weir_log::{Append, Counted, Filter, LogEngine, LogError, Page, Read, Receipt};

/// How often what fails, in thousandths.
#[derive(Clone, Copy, Debug, Default)]
pub struct Faults {
    /// Appends that fail and write nothing.
    pub append_refused: u64,
    /// Appends that are written and whose answer is lost.
    pub append_unanswered: u64,
    /// Reads that fail, and look-ups.
    pub read: u64,
    /// Checkpoints that are not stored or not removed, with an error.
    pub checkpoint: u64,
}

/// A log around another one.
pub struct FaultyLog {
    inner: Arc<dyn LogEngine>,
    faults: Faults,
    random: Mutex<u64>,
}

impl FaultyLog {
    /// Makes a log that fails as the seed says.
    #[must_use]
    pub fn new(inner: Arc<dyn LogEngine>, faults: Faults, seed: u64) -> Self {
        Self { inner, faults, random: Mutex::new(seed) }
    }

    fn strikes(&self, per_mille: u64) -> bool {
        let mut state = self.random.lock();
        // SplitMix64.
        *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = *state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % 1000 < per_mille
    }
}

impl LogEngine for FaultyLog {
    crate::delegate_to_inner!(position_at, durable_end, arrivals, load_checkpoint, load_checkpoints, close);

    fn append(&self, append: Append) -> BoxFuture<'_, Result<Receipt, LogError>> {
        if self.strikes(self.faults.append_refused) {
            return ready(Err(LogError::Overloaded)).boxed();
        }
        let unanswered = self.strikes(self.faults.append_unanswered);
        async move {
            let receipt = self.inner.append(append).await;
            if unanswered { Err(LogError::Overloaded) } else { receipt }
        }
        .boxed()
    }

    fn read(&self, read: Read) -> BoxFuture<'_, Result<Page, LogError>> {
        if self.strikes(self.faults.read) {
            return ready(Err(LogError::Overloaded)).boxed();
        }
        self.inner.read(read)
    }

    fn count(
        &self,
        space: SpaceName,
        filter: Filter,
        range: Range<Position>,
        limit: u64,
    ) -> BoxFuture<'_, Result<Counted, LogError>> {
        if self.strikes(self.faults.read) {
            return ready(Err(LogError::Overloaded)).boxed();
        }
        self.inner.count(space, filter, range, limit)
    }

    fn find(&self, space: SpaceName, source: String, id: String) -> BoxFuture<'_, Result<Option<Position>, LogError>> {
        if self.strikes(self.faults.read) {
            return ready(Err(LogError::Overloaded)).boxed();
        }
        self.inner.find(space, source, id)
    }

    fn store_checkpoints(&self, values: Vec<(String, Bytes)>) -> BoxFuture<'_, Result<(), LogError>> {
        if self.strikes(self.faults.checkpoint) {
            return ready(Err(LogError::Overloaded)).boxed();
        }
        self.inner.store_checkpoints(values)
    }

    fn remove_checkpoints(&self, names: Vec<String>) -> BoxFuture<'_, Result<(), LogError>> {
        if self.strikes(self.faults.checkpoint) {
            return ready(Err(LogError::Overloaded)).boxed();
        }
        self.inner.remove_checkpoints(names)
    }
}
