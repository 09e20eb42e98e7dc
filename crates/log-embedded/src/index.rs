//! The index: where an id, the events of a key or a type, and a position are found.
//!
//! The newest events are indexed in memory, in blocks. A full block is frozen and written to the store in sorted
//! bulk. Look-ups ask memory first, then the store, so that a block that moves from one to the other is never missed.

use std::{collections::VecDeque, ops::Range, sync::Arc};

use parking_lot::RwLock;
use weir_domain::{Position, SpaceName};
use weir_log::{Direction, LogError};

use crate::{
    prepare::{IdHash, ListName},
    store::IndexStore,
};

mod block;
#[cfg(test)]
mod tests;

pub(crate) use block::UniformMap;
pub use block::{Block, FramePlace, Watermark};

/// Positions that counting reads from the store at once.
const COUNT_STEP: usize = 16 * 1024;

/// The index of a log.
pub(crate) struct Index {
    memory: RwLock<Memory>,
    store: Arc<dyn IndexStore>,
}

struct Memory {
    active: Block,
    frozen: VecDeque<Arc<Block>>,
}

impl Memory {
    /// All blocks, newest first.
    fn newest_first(&self) -> impl Iterator<Item = &Block> {
        std::iter::once(&self.active).chain(self.frozen.iter().rev().map(AsRef::as_ref))
    }

    fn oldest_first(&self) -> impl Iterator<Item = &Block> {
        self.frozen.iter().map(AsRef::as_ref).chain(std::iter::once(&self.active))
    }

    /// The first position that memory covers: the store answers for everything before.
    fn start(&self) -> Position {
        self.frozen.front().map_or(self.active.start, |block| block.start)
    }
}

impl Index {
    pub(crate) fn new(store: Arc<dyn IndexStore>, start: Position) -> Self {
        Self { memory: RwLock::new(Memory { active: Block::new(start), frozen: VecDeque::new() }), store }
    }

    pub(crate) fn store(&self) -> &Arc<dyn IndexStore> {
        &self.store
    }

    /// Changes the active block.
    pub(crate) fn with_active<T>(&self, change: impl FnOnce(&mut Block) -> T) -> T {
        change(&mut self.memory.write().active)
    }

    /// Returns the number of events in the active block.
    pub(crate) fn active_events(&self) -> usize {
        self.memory.read().active.events()
    }

    /// Freezes the active block, which is complete up to the watermark, and begins a new one.
    pub(crate) fn freeze(&self, watermark: Watermark) -> Arc<Block> {
        let mut memory = self.memory.write();
        let fresh = Block::new(watermark.position.next());
        let mut full = std::mem::replace(&mut memory.active, fresh);
        full.watermark = Some(watermark);
        let full = Arc::new(full);
        memory.frozen.push_back(full.clone());
        full
    }

    /// Forgets the oldest frozen block, which the store now holds.
    pub(crate) fn thaw(&self) {
        self.memory.write().frozen.pop_front();
    }

    /// Finds the positions of events by their identity; `None` for those that never were.
    pub(crate) fn find_ids(
        &self,
        ids: impl Iterator<Item = IdHash>,
        found: &mut Vec<Option<Position>>,
    ) -> Result<(), LogError> {
        let mut missing = Vec::new();
        {
            let memory = self.memory.read();
            for id in ids {
                let position = memory.newest_first().find_map(|block| block.ids.get(&id).copied());
                if position.is_none() {
                    missing.push((found.len(), id));
                }
                found.push(position);
            }
        }
        for (place, id) in missing {
            found[place] = self.store.id(&id)?;
        }
        Ok(())
    }

    /// Returns the newest position of a list.
    pub(crate) fn newest(&self, list: &ListName) -> Result<Option<Position>, LogError> {
        let newest = self.memory.read().newest_first().find_map(|block| block.lists.get(list)?.last().copied());
        match newest {
            Some(position) => Ok(Some(position)),
            None => Ok(self.store.list(list, Position::MAX, Direction::Backward, 1)?.first().copied()),
        }
    }

    /// Returns up to `most` positions of a list, beginning at `from`.
    pub(crate) fn list(
        &self,
        list: &ListName,
        from: Position,
        direction: Direction,
        most: usize,
    ) -> Result<Vec<Position>, LogError> {
        // Memory is read before the store: a block that is thawed in between is then in both, never in neither.
        let (start, recent) = {
            let memory = self.memory.read();
            let mut recent = Vec::new();
            match direction {
                Direction::Forward => memory.oldest_first().for_each(|b| b.list_forward(list, from, most, &mut recent)),
                Direction::Backward => {
                    memory.newest_first().for_each(|b| b.list_backward(list, from, most, &mut recent))
                }
            }
            (memory.start(), recent)
        };
        match direction {
            Direction::Backward if recent.len() >= most => Ok(recent),
            Direction::Backward => {
                let mut all = recent;
                let before = from.min(start.previous());
                all.extend(self.store.list(list, before, direction, most - all.len())?);
                Ok(all)
            }
            Direction::Forward if from >= start => Ok(recent),
            Direction::Forward => {
                let mut all = self.store.list(list, from, direction, most)?;
                all.retain(|position| *position < start);
                let room = most - all.len();
                all.extend(recent.into_iter().take(room));
                Ok(all)
            }
        }
    }

    /// Counts the positions of a list within a range, up to `most`.
    pub(crate) fn count(&self, list: &ListName, range: &Range<Position>, most: u64) -> Result<u64, LogError> {
        // Memory before the store, as above.
        let (start, recent) = {
            let memory = self.memory.read();
            let recent: usize = memory.oldest_first().map(|block| block.count(list, range)).sum();
            (memory.start(), recent)
        };
        let mut counted = recent as u64;
        let (mut from, end) = (range.start, range.end.min(start));
        while from < end && counted < most {
            let step = most.saturating_sub(counted).min(COUNT_STEP as u64) as usize;
            let positions = self.store.list(list, from, Direction::Forward, step)?;
            let inside = positions.partition_point(|position| *position < end);
            counted += inside as u64;
            if inside < step {
                break;
            }
            from = positions[inside - 1].next();
        }
        Ok(counted.min(most))
    }

    /// Returns the newest position of a space.
    pub(crate) fn newest_of_space(&self, space: &SpaceName) -> Result<Option<Position>, LogError> {
        let newest = self.memory.read().newest_first().find_map(|block| block.spaces.get(space).copied());
        match newest {
            Some(position) => Ok(Some(position)),
            None => self.store.newest_of_space(space),
        }
    }

    /// Returns a place in the segments from which a forward scan meets the position.
    pub(crate) fn frame_before(&self, position: Position) -> Result<Option<FramePlace>, LogError> {
        let place = self.memory.read().newest_first().find_map(|block| block.frame_before(position));
        match place {
            Some(place) => Ok(Some(place)),
            None => self.store.frame_before(position),
        }
    }
}
