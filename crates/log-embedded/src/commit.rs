//! Group commit: everything that waits is decided, written with one write, synced once, then answered.
//!
//! This is the only code that writes events. It runs on one thread and owns the end of the log.

use std::sync::Arc;

use bytes::Bytes;
use weir_domain::{Position, SpaceName};
use weir_log::{EventReceipt, LogError, Receipt};

use crate::{
    frame::{self, Chain, Frame},
    index::{FramePlace, Watermark},
    options::Durability,
    prepare::Prepared,
    recovery,
    segment::{self, Segment},
    shared::{Shared, copy_of},
};

mod conditions;

use self::conditions::Conditions;

/// Small batches of one space share a frame up to this size.
const FRAME_BYTES_TARGET: usize = 64 * 1024;
/// How much is zeroed ahead of small groups: a sync over bytes that were written before costs the file system no change
/// of its own records, which takes a third off its time. Measured: 105 µs against 168 µs for 16 KiB.
const ZEROED_BYTES: u64 = 1024 * 1024;
/// Larger groups gain nothing by it: for them it would only double what is written.
const SMALL_GROUP_BYTES: u64 = 128 * 1024;

/// Where the log ends.
pub(crate) struct End {
    pub(crate) segment: Segment,
    /// Bytes reserved for the segment.
    pub(crate) capacity: u64,
    /// Where the next frame begins.
    pub(crate) offset: u64,
    /// Up to where the segment was written with zeros ahead.
    pub(crate) zeroed: u64,
    /// Up to where the segment is known to be on stable storage.
    pub(crate) synced: u64,
    /// The last position of which that is known: what frames say of those before them.
    pub(crate) durable: Position,
    /// The last sync of the segment failed: the next one would succeed without the bytes that this one lost.
    pub(crate) sync_failed: bool,
    /// Where the last frame began, 0 where there is none.
    pub(crate) last_frame: u64,
    /// First position of the segment that holds the last frame.
    pub(crate) last_segment: Position,
    pub(crate) chain: Chain,
    /// The position of the next event.
    pub(crate) next: Position,
}

/// Decides, writes and answers.
pub(crate) struct Committer {
    shared: Arc<Shared>,
    end: End,
    conditions: Conditions,
    /// [`ZEROED_BYTES`] of zeros, made once: of memory that is only read the kernel gives out the same page for all.
    zeros: Box<[u8]>,
}

impl End {
    /// Takes note that all of the log is on stable storage.
    fn is_synced(&mut self) {
        (self.synced, self.durable) = (self.offset, self.next.previous());
    }
}

/// The frames of one group while they are built.
struct Group<'a> {
    buffer: Vec<u8>,
    frames: Vec<usize>,
    open: Option<OpenFrame<'a>>,
    chain: Chain,
    next: Position,
    /// The newest position of each space before the group, for the case that it cannot be written.
    spaces_before: Vec<(&'a SpaceName, Option<Position>)>,
}

struct OpenFrame<'a> {
    start: usize,
    space: &'a SpaceName,
    base: Position,
}

impl Committer {
    pub(crate) fn new(shared: Arc<Shared>, end: End) -> Self {
        let zeros = vec![0; ZEROED_BYTES as usize].into_boxed_slice();
        Self { shared, end, conditions: Conditions::default(), zeros }
    }

    /// Commits a group of batches and returns their outcomes in the same order.
    pub(crate) fn commit(&mut self, group: &[Prepared]) -> Vec<Result<Receipt, LogError>> {
        if let Err(error) = self.shared.blocks.wait_for_room(self.shared.options.index_blocks_max) {
            return group.iter().map(|_| Err(copy_of(&error))).collect();
        }
        let bytes: usize = group.iter().map(|batch| batch.records.len() + frame::HEADER_BYTES + 32).sum();
        let mut built = Group {
            buffer: Vec::with_capacity(bytes),
            frames: Vec::new(),
            open: None,
            chain: self.end.chain,
            next: self.end.next,
            spaces_before: Vec::new(),
        };
        let mut outcomes: Vec<_> = group.iter().map(|batch| self.decide(batch, &mut built)).collect();
        self.close_frame(&mut built);
        if built.frames.is_empty() {
            return outcomes;
        }
        let first = self.end.next;
        let spaces_before = std::mem::take(&mut built.spaces_before);
        match self.write(built) {
            Ok(()) => {
                // Whoever is woken finds the events.
                self.shared.arrivals.tell(group, &outcomes);
                self.freeze_when_full();
            }
            Err(error) => {
                self.shared.index.with_active(|active| active.undo(first, group.iter(), &spaces_before));
                // Duplicates and lost conditions may rest on what was just undone, so nobody gets an answer.
                outcomes = group.iter().map(|_| Err(copy_of(&error))).collect();
            }
        }
        outcomes
    }

    /// Decides one batch and adds what is new of it to the group and to the index in memory.
    fn decide<'a>(&mut self, batch: &'a Prepared, built: &mut Group<'a>) -> Result<Receipt, LogError> {
        let index = &self.shared.index;
        let mut known = Vec::with_capacity(batch.events.len());
        index.find_ids(batch.events.iter().map(|event| event.id), &mut known)?;
        if let Some(condition) = batch.condition.as_ref().filter(|_| known.iter().any(Option::is_none)) {
            self.conditions.check(index, &batch.space, condition, self.end.next.previous())?;
        }
        let mut receipt = Vec::with_capacity(batch.events.len());
        let first = built.next;
        index.with_active(|active| {
            for (event, known) in batch.events.iter().zip(known) {
                let known = known.or_else(|| active.add(event.id, event.key, event.event_type, built.next));
                receipt.push(EventReceipt { position: known.unwrap_or(built.next), duplicate: known.is_some() });
                if known.is_none() {
                    built.next = built.next.next();
                }
            }
            if built.next > first {
                let before = active.spaces.insert(batch.space.clone(), built.next.previous());
                built.spaces_before.push((&batch.space, before));
            }
        });
        if built.next > first {
            self.add_records(batch, &receipt, first, built);
        }
        Ok(Receipt { events: receipt })
    }

    fn add_records<'a>(&self, batch: &'a Prepared, receipt: &[EventReceipt], first: Position, built: &mut Group<'a>) {
        let fits = built.open.as_ref().is_some_and(|open| {
            let bytes = built.buffer.len() - open.start + batch.records.len();
            open.space == &batch.space && bytes <= FRAME_BYTES_TARGET
        });
        if !fits {
            let next = std::mem::replace(&mut built.next, first);
            self.close_frame(built);
            built.next = next;
            let start = frame::begin(batch.space.as_str(), &mut built.buffer);
            built.open = Some(OpenFrame { start, space: &batch.space, base: first });
        }
        if receipt.iter().all(|entry| !entry.duplicate) {
            built.buffer.extend_from_slice(&batch.records);
            return;
        }
        let mut begin = 0;
        for (event, entry) in batch.events.iter().zip(receipt) {
            if !entry.duplicate {
                built.buffer.extend_from_slice(&batch.records[begin..event.end]);
            }
            begin = event.end;
        }
    }

    /// Completes the open frame; it ends before `built.next`.
    fn close_frame(&self, built: &mut Group<'_>) {
        let Some(open) = built.open.take() else { return };
        let draft = frame::Draft {
            flags: 0,
            space: open.space.as_str(),
            base: open.base,
            // A group holds at most some million events.
            count: (built.next.get() - open.base.get()) as u32,
            recorded: self.shared.clock.now(),
            durable: self.end.durable,
        };
        built.chain = frame::finish(&draft, &built.chain, open.start, &mut built.buffer);
        built.frames.push(open.start);
    }

    /// Writes and syncs the group, then makes it visible. An error leaves the end of the log where it was: the next
    /// group is written over what this one may have left, and the chain tells the two apart.
    fn write(&mut self, built: Group<'_>) -> Result<(), LogError> {
        let bytes = built.buffer.len() as u64;
        self.make_room(bytes)?;
        let zeros = zeros_ahead(&self.end, self.end.offset + bytes, bytes);
        if let Err(error) = self.put(&built.buffer, &zeros) {
            self.withdraw(bytes);
            return Err(error);
        }
        self.end.zeroed = self.end.zeroed.max(zeros.end);
        self.publish(built);
        if self.shared.options.durability == Durability::Synced {
            self.end.is_synced();
        }
        Ok(())
    }

    fn put(&self, group: &[u8], zeros: &std::ops::Range<u64>) -> Result<(), LogError> {
        let failed = |operation| {
            let path = self.shared.disk.path(&self.end.segment.name);
            move |error| LogError::io(operation, path, error)
        };
        let file = &self.end.segment.file;
        if !zeros.is_empty() {
            let length = (zeros.end - zeros.start) as usize;
            file.write_all_at(&self.zeros[..length], zeros.start).map_err(failed("reserving"))?;
        }
        file.write_all_at(group, self.end.offset).map_err(failed("writing events"))?;
        if self.shared.options.durability == Durability::Synced {
            file.sync().map_err(failed("syncing events"))?;
        }
        Ok(())
    }

    /// Writes zeros over a group that could not be written. After a failed sync its frames may be whole in the memory of
    /// the kernel and nowhere else, or there in part: a start would take them for a part of the log, and a repair might.
    fn withdraw(&self, bytes: u64) {
        let end = self.end.offset + bytes;
        let mut at = self.end.offset;
        while at < end {
            let length = ZEROED_BYTES.min(end - at);
            if let Err(error) = self.end.segment.file.write_all_at(&self.zeros[..length as usize], at) {
                tracing::warn!(file = %self.end.segment.name, %error, "a group that could not be written was not taken back");
                return;
            }
            at += length;
        }
    }

    fn publish(&mut self, built: Group<'_>) {
        let bytes = Bytes::from(built.buffer);
        let end_of_log = built.next.previous();
        {
            let mut tail = self.shared.tail.write();
            self.shared.index.with_active(|active| {
                let ends = built.frames.iter().skip(1).copied().chain([bytes.len()]);
                for (start, end) in built.frames.iter().copied().zip(ends) {
                    let Some(header) = frame::Header::read(&bytes[start..]) else { continue };
                    let offset = self.end.offset + start as u64;
                    active.note_frame(FramePlace { base: header.base, segment: self.end.segment.base, offset });
                    tail.push(Frame { header, bytes: bytes.slice(start..end) });
                    self.end.last_frame = offset;
                }
            });
        }
        self.end.last_segment = self.end.segment.base;
        self.end.offset += bytes.len() as u64;
        self.end.chain = built.chain;
        self.end.next = built.next;
        self.shared.end.send_replace(end_of_log);
    }

    /// Makes sure that the group fits into the segment that is written, beginning a new one where it does not.
    fn make_room(&mut self, bytes: u64) -> Result<(), LogError> {
        if self.end.offset + bytes <= self.end.capacity {
            return Ok(());
        }
        let capacity = self.shared.options.segment_bytes.max(segment::HEADER_BYTES as u64 + bytes);
        if self.end.segment.base == self.end.next {
            // It holds no frame, and a new one would have its name: the file that is written would be removed.
            return self.widen(capacity);
        }
        if self.shared.options.durability == Durability::Os {
            self.sync()?;
        }
        let disk = self.shared.disk.as_ref();
        let now = self.shared.clock.now();
        let fresh = match Segment::create(disk, self.end.next, self.end.chain, capacity, now) {
            Ok(fresh) => fresh,
            Err(refused) => {
                if !refused.gone {
                    // Should it come back, then nothing may stand in this segment that belongs behind its beginning.
                    self.end.capacity = self.end.offset;
                }
                return Err(refused.error);
            }
        };
        let full = std::mem::replace(&mut self.end.segment, fresh.clone());
        // Gives back what was reserved and not used. Where that fails, the space is merely wasted: readers and
        // recovery stop at the first position of the next segment.
        if let Err(error) = full.file.truncate(self.end.offset) {
            tracing::warn!(file = %full.name, %error, "the unused end of a full segment could not be given back");
        }
        self.shared.segments.write().push(fresh);
        self.end.capacity = capacity;
        self.end.offset = segment::HEADER_BYTES as u64;
        self.end.zeroed = self.end.offset;
        self.end.is_synced();
        Ok(())
    }

    /// Reserves more for a segment that holds no frame yet.
    fn widen(&mut self, capacity: u64) -> Result<(), LogError> {
        let file = &self.end.segment.file;
        if let Err(error) = file.allocate(capacity) {
            // What could be reserved of it is missed elsewhere. Where it cannot be given back, it serves the next group.
            let _ = file.truncate(self.end.capacity);
            let path = self.shared.disk.path(&self.end.segment.name);
            return Err(LogError::io("reserving", path, error));
        }
        self.end.capacity = capacity;
        Ok(())
    }

    fn sync(&mut self) -> Result<(), LogError> {
        let end = &mut self.end;
        let file = end.segment.file.as_ref();
        let again = if end.sync_failed { recovery::write_again(file, end.synced, end.offset) } else { Ok(()) };
        let done = again.and_then(|()| file.sync());
        end.sync_failed = done.is_err();
        done.map_err(|error| LogError::io("syncing events", self.shared.disk.path(&self.end.segment.name), error))?;
        self.end.is_synced();
        Ok(())
    }

    /// Sends a full block of the index on its way. The store syncs it, so the events must not be less durable than what
    /// it says of them.
    fn freeze_when_full(&mut self) {
        if self.shared.index.active_events() < self.shared.options.index_block_events {
            return;
        }
        if self.shared.options.durability == Durability::Os
            && let Err(error) = self.sync()
        {
            // The block grows until this succeeds, at most until the segment is full: there the writer stops.
            tracing::warn!(error = %weir_domain::error_chain(&error), "the index is not written: the segment cannot be synced");
            return;
        }
        self.freeze();
    }

    fn freeze(&self) {
        let watermark = Watermark {
            position: self.end.next.previous(),
            segment: self.end.last_segment,
            offset: self.end.last_frame,
            chain: self.end.chain,
        };
        self.shared.blocks.push(self.shared.index.freeze(watermark));
    }

    /// Writes down what recovery would otherwise find out, and ends the queue of the indexer.
    pub(crate) fn close(&mut self) -> Result<(), LogError> {
        let closed = self.close_segment();
        // The index must not be ahead of segments that are not known to be durable.
        if closed.is_ok() && self.shared.index.active_events() > 0 {
            self.freeze();
        }
        self.shared.blocks.close();
        closed
    }

    fn close_segment(&mut self) -> Result<(), LogError> {
        let path = || self.shared.disk.path(&self.end.segment.name);
        self.end
            .segment
            .file
            .truncate(self.end.offset)
            .map_err(|error| LogError::io("giving back the unused end of a segment", path(), error))?;
        self.end.capacity = self.end.offset;
        self.sync()
    }
}

/// What to zero together with a group that ends at `end`: nothing where zeros still lie ahead, or where the group is large.
fn zeros_ahead(log: &End, end: u64, group_bytes: u64) -> std::ops::Range<u64> {
    if end <= log.zeroed || group_bytes > SMALL_GROUP_BYTES {
        return end..end;
    }
    end..(end + ZEROED_BYTES).min(log.capacity).max(end)
}
