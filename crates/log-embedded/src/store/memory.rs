//! A store in memory, for simulations: after a simulated crash the index starts empty and is rebuilt.

use std::collections::{BTreeMap, HashMap};

use bytes::Bytes;
use parking_lot::Mutex;
use weir_domain::{Position, SpaceName};
use weir_log::{Direction, LogError};

use super::{Block, IndexStore, Watermark};
use crate::{
    index::FramePlace,
    prepare::{IdHash, ListName},
};

/// Keeps index and checkpoints in memory.
#[derive(Default)]
pub struct MemoryStore {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    watermark: Option<Watermark>,
    ids: HashMap<IdHash, Position>,
    lists: HashMap<ListName, Vec<Position>>,
    spaces: HashMap<SpaceName, Position>,
    frames: BTreeMap<Position, FramePlace>,
    checkpoints: HashMap<String, Bytes>,
}

impl IndexStore for MemoryStore {
    fn watermark(&self) -> Result<Option<Watermark>, LogError> {
        Ok(self.state.lock().watermark)
    }

    fn add(&self, block: &Block) -> Result<(), LogError> {
        let mut state = self.state.lock();
        state.ids.extend(&block.ids);
        for (name, positions) in &block.lists {
            let list = state.lists.entry(*name).or_default();
            list.extend(positions);
            list.sort_unstable();
            list.dedup();
        }
        state.spaces.extend(block.spaces.iter().map(|(space, position)| (space.clone(), *position)));
        state.frames.extend(block.frames.iter().map(|place| (place.base, *place)));
        state.watermark = block.watermark;
        Ok(())
    }

    fn clear_index(&self) -> Result<(), LogError> {
        let mut state = self.state.lock();
        let checkpoints = std::mem::take(&mut state.checkpoints);
        *state = State { checkpoints, ..State::default() };
        Ok(())
    }

    fn id(&self, id: &IdHash) -> Result<Option<Position>, LogError> {
        Ok(self.state.lock().ids.get(id).copied())
    }

    fn list(
        &self,
        list: &ListName,
        from: Position,
        direction: Direction,
        most: usize,
    ) -> Result<Vec<Position>, LogError> {
        let state = self.state.lock();
        let all = state.lists.get(list).map(Vec::as_slice).unwrap_or_default();
        Ok(match direction {
            Direction::Forward => all.iter().filter(|p| **p >= from).take(most).copied().collect(),
            Direction::Backward => all.iter().rev().filter(|p| **p <= from).take(most).copied().collect(),
        })
    }

    fn newest_of_space(&self, space: &SpaceName) -> Result<Option<Position>, LogError> {
        Ok(self.state.lock().spaces.get(space).copied())
    }

    fn frame_before(&self, position: Position) -> Result<Option<FramePlace>, LogError> {
        Ok(self.state.lock().frames.range(..=position).next_back().map(|(_, place)| *place))
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
        Ok(())
    }
}
