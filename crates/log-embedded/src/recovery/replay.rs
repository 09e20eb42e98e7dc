//! Going over the frames that the index does not have yet, and indexing their events in memory.
//!
//! A block of the index ends where a group of frames ends, as it does while the log is written. So the blocks that a start
//! makes are those that the writer made of the same events, and nothing gets into the store that is not proven to be
//! durable: each group says of all groups before it that they were.

use std::sync::Arc;

use weir_domain::SpaceName;
use weir_log::{LogError, record};

use super::{Cursor, damaged, length_of, lost};
use crate::{
    disk::Disk,
    frame::{Frame, Header},
    index::{FramePlace, Index, Watermark},
    options::Options,
    prepare::{TypeNames, id_hash, key_list},
    scan::{Next, Scanner},
    segment::{self, Segment},
    store::IndexStore,
    tail::Tail,
};

/// After how many bytes progress is told again, in a log of few and large events. A segment and a block of the index that
/// are done are told as well.
const TOLD_BYTES: u64 = 16 * 1024 * 1024;

/// How far a replay has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Replayed {
    /// How many events were read.
    pub events: u64,
    /// Up to where, in bytes of the segments from the first that is read on.
    pub bytes: u64,
    /// How many bytes these segments have.
    pub total_bytes: u64,
}

/// Where a replay begins.
pub(super) struct Start {
    /// Number of the segment.
    pub(super) number: usize,
    pub(super) offset: u64,
    pub(super) cursor: Cursor,
    /// The last frame that is indexed.
    pub(super) mark: Watermark,
}

/// A replay and where it stands.
pub(super) struct Replay<'a> {
    disk: &'a dyn Disk,
    store: &'a dyn IndexStore,
    options: &'a Options,
    progress: &'a mut dyn FnMut(Replayed),
    /// Bytes of the segments that are done.
    done_bytes: u64,
    /// Bytes of all segments from the first that is read on.
    total_bytes: u64,
    /// Bytes of which progress was told.
    told_bytes: u64,
    types: TypeNames,
    pub(super) index: Index,
    pub(super) tail: Tail,
    /// Number of the segment.
    pub(super) number: usize,
    /// Where the next frame begins in it.
    pub(super) offset: u64,
    pub(super) cursor: Cursor,
    /// The last frame.
    pub(super) mark: Watermark,
    /// Where the last group begins in the segment; `None` where no frame of the segment was read.
    pub(super) group: Option<u64>,
    /// How many events were read.
    pub(super) events: u64,
}

impl<'a> Replay<'a> {
    pub(super) fn new(
        disk: &'a dyn Disk,
        store: &'a Arc<dyn IndexStore>,
        options: &'a Options,
        start: Start,
        progress: &'a mut dyn FnMut(Replayed),
    ) -> Self {
        Self {
            disk,
            store: store.as_ref(),
            options,
            progress,
            done_bytes: 0,
            total_bytes: 0,
            told_bytes: 0,
            types: TypeNames::default(),
            index: Index::new(store.clone(), start.cursor.next),
            tail: Tail::new(options.tail_bytes_max),
            number: start.number,
            offset: start.offset,
            cursor: start.cursor,
            mark: start.mark,
            group: None,
            events: 0,
        }
    }

    /// Goes over all frames up to the end of the log.
    ///
    /// # Errors
    /// Where a segment does not go on where the one before ends: acknowledged events are missing.
    pub(super) fn run(&mut self, segments: &[Segment]) -> Result<(), LogError> {
        for segment in &segments[self.number..] {
            self.total_bytes += length_of(self.disk, segment)?;
        }
        loop {
            let segment = &segments[self.number];
            let following = segments.get(self.number + 1);
            let length = self.segment(segment, following)?;
            let Some(following) = following else { return Ok(()) };
            let fits = following.chain_before == self.cursor.chain || self.cursor.after_gap;
            if following.base != self.cursor.next || !fits {
                let what = lost(self.cursor.next, Some(following.base));
                return Err(damaged(self.disk, &segment.name, self.offset, &what));
            }
            self.cursor.chain = following.chain_before;
            self.done_bytes += length;
            self.number += 1;
            self.offset = segment::HEADER_BYTES as u64;
            self.group = None;
            self.tell();
        }
    }

    /// Goes over the frames of a segment, and returns its length.
    fn segment(&mut self, segment: &Segment, following: Option<&Segment>) -> Result<u64, LogError> {
        let length = length_of(self.disk, segment)?;
        let mut scanner = Scanner::new(self.disk, segment, self.offset, length);
        loop {
            self.offset = scanner.offset();
            let Next::Frame(frame) = scanner.next()? else { return Ok(length) };
            // A group that could not be written may have left whole frames at the end of a segment, before the next one
            // was begun with the same position.
            let left_over = following.is_some_and(|following| frame.header.base >= following.base);
            if left_over || !self.cursor.accepts(&frame) {
                return Ok(length);
            }
            self.frame(segment, frame)?;
        }
    }

    fn frame(&mut self, segment: &Segment, frame: Frame) -> Result<(), LogError> {
        if begins_group(&frame.header) || self.group.is_none() {
            self.freeze_when_full()?;
            self.group = Some(self.offset);
        }
        self.cursor.advance(&frame.header);
        let place = FramePlace { base: frame.header.base, segment: segment.base, offset: self.offset };
        index_frame(self.disk, segment, &self.index, &frame, place, &mut self.types)?;
        self.mark = Watermark {
            position: frame.header.end().previous(),
            segment: segment.base,
            offset: self.offset,
            chain: frame.header.chain,
        };
        self.events += u64::from(frame.header.count);
        self.tail.push(frame);
        if self.done_bytes + self.offset >= self.told_bytes + TOLD_BYTES {
            self.tell();
        }
        Ok(())
    }

    fn tell(&mut self) {
        self.told_bytes = self.done_bytes + self.offset;
        let (bytes, total_bytes) = (self.told_bytes, self.total_bytes);
        (self.progress)(Replayed { events: self.events, bytes, total_bytes });
    }

    /// Writes the block in memory to the store where it is full. It must end with a group, and all of it be durable.
    pub(super) fn freeze_when_full(&mut self) -> Result<(), LogError> {
        if self.index.active_events() >= self.options.index_block_events {
            self.store.add(self.index.freeze(self.mark).as_ref())?;
            self.index.thaw();
            self.tell();
        }
        Ok(())
    }
}

/// Tells whether a frame is the first of a group: it was written when everything before it was durable. A gap was
/// written by a repair, which syncs it on its own.
fn begins_group(header: &Header) -> bool {
    header.is_gap() || header.durable.next() == header.base
}

fn index_frame(
    disk: &dyn Disk,
    segment: &Segment,
    index: &Index,
    frame: &Frame,
    place: FramePlace,
    types: &mut TypeNames,
) -> Result<(), LogError> {
    let broken = |what: &str| damaged(disk, &segment.name, place.offset, what);
    if frame.header.is_gap() {
        index.with_active(|active| active.note_frame(place));
        return Ok(());
    }
    let space = std::str::from_utf8(frame.space()).ok().and_then(|name| SpaceName::new(name).ok());
    let space = space.ok_or_else(|| broken("a frame names no valid space"))?;
    let mut records = frame.records();
    index.with_active(|active| {
        active.note_frame(place);
        let mut position = frame.header.base;
        while !records.is_empty() {
            let record = record::split(&mut records).map_err(|error| broken(&error.to_string()))?;
            let new = record::decode(record).map_err(|error| broken(&error.to_string()))?;
            let key = new.key.as_ref().map(|key| key_list(&space, key));
            let event_type = types.of(&space, new.event.event_type());
            active.add(id_hash(&space, new.event.source(), new.event.id()), key, event_type, position);
            position = position.next();
        }
        if position != frame.header.end() {
            return Err(broken("a frame holds another number of events than it says"));
        }
        active.spaces.insert(space.clone(), position.previous());
        Ok(())
    })
}
