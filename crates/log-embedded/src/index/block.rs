//! One block of the index in memory: some hundred thousand events, then frozen and written out.

use std::{
    collections::HashMap,
    hash::{BuildHasherDefault, Hasher},
    ops::Range,
};

use weir_domain::{Position, SpaceName};

use crate::{
    frame::Chain,
    prepare::{IdHash, ListName, Prepared},
};

/// Frames this near to the one before are found by scanning from it.
const FRAME_STRIDE_BYTES: u64 = 16 * 1024;

/// Where a frame begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FramePlace {
    /// The first position of the frame.
    pub(crate) base: Position,
    /// The first position of its segment.
    pub(crate) segment: Position,
    /// Its offset in the segment.
    pub(crate) offset: u64,
}

/// Up to where the index is complete, and by which frame that can be recognised.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Watermark {
    /// The last indexed position.
    pub(crate) position: Position,
    /// The first position of the segment that holds the last indexed frame.
    pub(crate) segment: Position,
    /// The offset of the last indexed frame, 0 where none was.
    pub(crate) offset: u64,
    /// The chain value of that frame.
    pub(crate) chain: Chain,
}

/// The hashes are uniform already: their first bytes serve as they are.
#[derive(Default)]
pub(crate) struct Uniform(u64);

impl Hasher for Uniform {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        // Arrays announce their length first; only their content counts. A list name begins with its kind.
        if let Some(tail) = bytes.last_chunk::<8>().filter(|_| bytes.len() >= 16) {
            self.0 = u64::from_le_bytes(*tail);
        }
    }

    fn write_usize(&mut self, _length: usize) {}
}

pub(crate) type UniformMap<K, V> = HashMap<K, V, BuildHasherDefault<Uniform>>;

/// The index over a run of positions.
pub struct Block {
    pub(crate) start: Position,
    pub(crate) ids: UniformMap<IdHash, Position>,
    pub(crate) lists: UniformMap<ListName, Vec<Position>>,
    pub(crate) frames: Vec<FramePlace>,
    pub(crate) spaces: HashMap<SpaceName, Position>,
    /// Set when the block is frozen.
    pub(crate) watermark: Option<Watermark>,
}

impl Block {
    pub(crate) fn new(start: Position) -> Self {
        Self {
            start,
            ids: HashMap::default(),
            lists: HashMap::default(),
            frames: Vec::new(),
            spaces: HashMap::new(),
            watermark: None,
        }
    }

    pub(crate) fn events(&self) -> usize {
        self.ids.len()
    }

    /// Adds an event; `Some` with the position of the one that was there before with the same identity.
    pub(crate) fn add(
        &mut self,
        id: IdHash,
        key: Option<ListName>,
        event_type: ListName,
        position: Position,
    ) -> Option<Position> {
        match self.ids.entry(id) {
            std::collections::hash_map::Entry::Occupied(known) => return Some(*known.get()),
            std::collections::hash_map::Entry::Vacant(place) => place.insert(position),
        };
        if let Some(key) = key {
            self.lists.entry(key).or_default().push(position);
        }
        self.lists.entry(event_type).or_default().push(position);
        None
    }

    /// Takes back everything of these batches from a position on.
    pub(crate) fn undo<'a>(
        &mut self,
        from: Position,
        batches: impl Iterator<Item = &'a Prepared>,
        spaces_before: &[(&SpaceName, Option<Position>)],
    ) {
        for (space, before) in spaces_before.iter().rev() {
            match before {
                Some(position) => self.spaces.insert((*space).clone(), *position),
                None => self.spaces.remove(*space),
            };
        }
        for event in batches.flat_map(|batch| &batch.events) {
            if self.ids.get(&event.id).is_some_and(|position| *position >= from) {
                self.ids.remove(&event.id);
            }
            for list in event.key.iter().chain([&event.event_type]) {
                if let Some(positions) = self.lists.get_mut(list) {
                    positions.truncate(positions.partition_point(|position| *position < from));
                    if positions.is_empty() {
                        self.lists.remove(list);
                    }
                }
            }
        }
    }

    /// Notes where a frame begins, where it is far enough from the one noted before.
    pub(crate) fn note_frame(&mut self, place: FramePlace) {
        let near = self
            .frames
            .last()
            .is_some_and(|last| last.segment == place.segment && place.offset - last.offset < FRAME_STRIDE_BYTES);
        if !near {
            self.frames.push(place);
        }
    }

    pub(crate) fn frame_before(&self, position: Position) -> Option<FramePlace> {
        let index = self.frames.partition_point(|place| place.base <= position);
        self.frames[..index].last().copied()
    }

    /// Returns how many positions of a list are within a range.
    pub(crate) fn count(&self, list: &ListName, range: &Range<Position>) -> usize {
        let Some(positions) = self.lists.get(list) else { return 0 };
        let before = |end: Position| positions.partition_point(|position| *position < end);
        before(range.end).saturating_sub(before(range.start))
    }

    pub(crate) fn list_forward(&self, list: &ListName, from: Position, most: usize, out: &mut Vec<Position>) {
        let Some(positions) = self.lists.get(list) else { return };
        let begin = positions.partition_point(|position| *position < from);
        let room = most.saturating_sub(out.len());
        out.extend(positions[begin..].iter().take(room));
    }

    pub(crate) fn list_backward(&self, list: &ListName, from: Position, most: usize, out: &mut Vec<Position>) {
        let Some(positions) = self.lists.get(list) else { return };
        let end = positions.partition_point(|position| *position <= from);
        let room = most.saturating_sub(out.len());
        out.extend(positions[..end].iter().rev().take(room));
    }
}
