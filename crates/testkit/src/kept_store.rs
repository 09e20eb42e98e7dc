//! An index store that outlives the process: after a crash it has everything, an older watermark, or older checkpoints.

use std::collections::HashMap;

use bytes::Bytes;
use parking_lot::Mutex;
use rand::{Rng, rngs::SmallRng};
use weir_domain::{Position, SpaceName};
use weir_log::{Direction, LogError};
use weir_log_embedded::{Block, FramePlace, IndexStore, MemoryStore, Watermark};

/// The entries are those of [`MemoryStore`]; what says that they are complete can be behind.
#[derive(Default)]
pub struct KeptStore {
    entries: MemoryStore,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    watermark: Option<Watermark>,
    /// Every watermark that ever was.
    watermarks: Vec<Watermark>,
    checkpoints: HashMap<String, Bytes>,
    /// What the last sync made durable.
    durable: HashMap<String, Bytes>,
    /// Blocks until one is left without its watermark, as by a process that is killed there.
    fuse: Option<u64>,
}

impl KeptStore {
    /// Ends the process in the middle of a block, after some more.
    pub fn stop_after(&self, blocks: u64) {
        self.state.lock().fuse = Some(blocks);
    }

    /// Where each block that was added ended.
    #[must_use]
    pub fn watermarks(&self) -> Vec<Watermark> {
        self.state.lock().watermarks.clone()
    }

    /// The process starts again; where the power went, checkpoints that were not synced may be lost.
    pub fn restart(&self, power_went: bool, random: &mut SmallRng) {
        let mut state = self.state.lock();
        state.fuse = None;
        if power_went && random.random() {
            state.checkpoints = state.durable.clone();
        }
    }
}

impl IndexStore for KeptStore {
    fn watermark(&self) -> Result<Option<Watermark>, LogError> {
        Ok(self.state.lock().watermark)
    }

    fn add(&self, block: &Block) -> Result<(), LogError> {
        let mut state = self.state.lock();
        self.entries.add(block)?;
        match state.fuse {
            Some(0) => return Err(LogError::Index { detail: "killed".to_owned() }),
            Some(left) => state.fuse = Some(left - 1),
            None => {}
        }
        state.watermark = self.entries.watermark()?;
        let newest = state.watermark;
        state.watermarks.extend(newest);
        state.durable = state.checkpoints.clone();
        Ok(())
    }

    fn clear_index(&self) -> Result<(), LogError> {
        self.state.lock().watermark = None;
        self.entries.clear_index()
    }

    fn id(&self, id: &[u8; 16]) -> Result<Option<Position>, LogError> {
        self.entries.id(id)
    }

    fn list(
        &self,
        list: &[u8; 17],
        from: Position,
        direction: Direction,
        most: usize,
    ) -> Result<Vec<Position>, LogError> {
        self.entries.list(list, from, direction, most)
    }

    fn newest_of_space(&self, space: &SpaceName) -> Result<Option<Position>, LogError> {
        self.entries.newest_of_space(space)
    }

    fn frame_before(&self, position: Position) -> Result<Option<FramePlace>, LogError> {
        self.entries.frame_before(position)
    }

    fn load_checkpoint(&self, name: &str) -> Result<Option<Bytes>, LogError> {
        Ok(self.state.lock().checkpoints.get(name).cloned())
    }

    fn store_checkpoints(&self, values: &[(String, Bytes)]) -> Result<(), LogError> {
        self.state.lock().checkpoints.extend(values.iter().cloned());
        Ok(())
    }

    fn remove_checkpoints(&self, names: &[String]) -> Result<(), LogError> {
        let mut state = self.state.lock();
        for name in names {
            state.checkpoints.remove(name);
        }
        Ok(())
    }

    fn sync(&self) -> Result<(), LogError> {
        let mut state = self.state.lock();
        state.durable = state.checkpoints.clone();
        Ok(())
    }
}
