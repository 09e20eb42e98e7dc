//! The store behind the index: what is kept of it on disk, and the checkpoints.
//!
//! The index part is derived and can be cleared and rebuilt at any time. The checkpoints are not: they survive
//! [`IndexStore::clear_index`].

use bytes::Bytes;
use weir_domain::{Position, SpaceName};
use weir_log::{Direction, LogError};

pub use crate::index::{Block, FramePlace, Watermark};
use crate::prepare::{IdHash, ListName};

mod fjall;
mod memory;

pub use self::fjall::FjallStore;
pub use self::memory::MemoryStore;

/// Keeps the index and the checkpoints.
pub trait IndexStore: Send + Sync + 'static {
    /// Returns up to where the index is complete.
    fn watermark(&self) -> Result<Option<Watermark>, LogError>;
    /// Adds a frozen block, and moves the watermark when all of it is there.
    ///
    /// Adding a block again changes nothing. A block that was added in part when the process died is completed by those
    /// that come in its place, wherever they end: the events are the same, how they are divided need not be.
    fn add(&self, block: &Block) -> Result<(), LogError>;
    /// Forgets the index, whatever is left of it.
    fn clear_index(&self) -> Result<(), LogError>;
    /// Finds the position of an event by its identity.
    fn id(&self, id: &IdHash) -> Result<Option<Position>, LogError>;
    /// Returns up to `most` positions of a list, beginning at `from`.
    fn list(
        &self,
        list: &ListName,
        from: Position,
        direction: Direction,
        most: usize,
    ) -> Result<Vec<Position>, LogError>;
    /// Returns the newest position of a space.
    fn newest_of_space(&self, space: &SpaceName) -> Result<Option<Position>, LogError>;
    /// Returns the place of the nearest noted frame that begins at or before a position.
    fn frame_before(&self, position: Position) -> Result<Option<FramePlace>, LogError>;
    /// Returns a checkpoint.
    fn load_checkpoint(&self, name: &str) -> Result<Option<Bytes>, LogError>;
    /// Stores checkpoints, all or none.
    fn store_checkpoints(&self, values: &[(String, Bytes)]) -> Result<(), LogError>;
    /// Removes checkpoints, all or none; those that are there.
    fn remove_checkpoints(&self, names: &[String]) -> Result<(), LogError>;
    /// Makes everything durable.
    fn sync(&self) -> Result<(), LogError>;
}

/// The checkpoint that says up to where the log was durable when the index was last written: a log that ends before is
/// damaged, however well-formed its end looks.
const SEAL: &str = "log/sealed-end";

/// Notes that the log was durable up to a position.
pub(crate) fn seal(store: &dyn IndexStore, end: Position) -> Result<(), LogError> {
    store.store_checkpoints(&[(SEAL.to_owned(), Bytes::copy_from_slice(&end.get().to_be_bytes()))])
}

/// Returns up to where the log is known to have been durable.
pub(crate) fn sealed(store: &dyn IndexStore) -> Result<Position, LogError> {
    let bytes = store.load_checkpoint(SEAL)?;
    let number = bytes.as_deref().and_then(|bytes| bytes.try_into().ok()).map(u64::from_be_bytes);
    Ok(number.map(Position::new).unwrap_or_default())
}
