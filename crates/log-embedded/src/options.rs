//! What can be set on the engine.

/// When an append is answered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Durability {
    /// After `fdatasync`: an acknowledged event survives power loss.
    #[default]
    Synced,
    /// After the write: an acknowledged event survives the end of the process, but not of the machine.
    Os,
}

/// Settings of the embedded engine.
#[derive(Clone, Debug)]
pub struct Options {
    /// When an append is answered.
    pub durability: Durability,
    /// Size of a new segment file in bytes; a larger batch gets a segment of its own size.
    pub segment_bytes: u64,
    /// The most bytes of events in one batch.
    pub batch_bytes_max: usize,
    /// Appends that may wait for the writer; further ones wait for room.
    pub queue_appends_max: usize,
    /// Bytes that may wait for the writer; further ones wait for room.
    pub queue_bytes_max: usize,
    /// Bytes of the newest frames that are kept in memory for readers.
    pub tail_bytes_max: usize,
    /// Events that are indexed in memory before they are written to the index in sorted bulk.
    pub index_block_events: usize,
    /// How many such blocks may wait for the indexer before the writer waits for it.
    pub index_blocks_max: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            durability: Durability::Synced,
            segment_bytes: 64 * 1024 * 1024,
            batch_bytes_max: 32 * 1024 * 1024,
            queue_appends_max: 4096,
            queue_bytes_max: 64 * 1024 * 1024,
            tail_bytes_max: 8 * 1024 * 1024,
            index_block_events: 128 * 1024,
            index_blocks_max: 2,
        }
    }
}
