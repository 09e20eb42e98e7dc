//! Opening a log: finding its end, cutting what was never acknowledged, and completing the index in memory.
//!
//! What was acknowledged is never cut. Behind the last whole frame there may be the remains of writes that were not
//! synced when the machine stopped. Every frame says up to where the log was durable when it was written: if a whole frame
//! behind the gap says that the gap was durable, the bytes were damaged later, and opening is refused.

use std::sync::Arc;

use weir_domain::{Clock, Position};
use weir_log::LogError;

use crate::{
    commit::End,
    disk::{self, Disk},
    frame::{CHAIN_START, Chain, Frame, Header},
    index::{Index, Watermark},
    options::Options,
    scan::{Next, Scanner},
    segment::{self, Segment},
    store::{self, IndexStore},
    tail::Tail,
};

mod behind;
mod remains;
mod replay;

pub use self::replay::Replayed;
use self::{
    behind::Survey,
    replay::{Replay, Start},
};
pub(crate) use self::{
    behind::{Hole, RECORD_BYTES_MIN},
    remains::{keep, read_remains, write_again},
};

/// What opening a log found and did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Recovered {
    /// The last position of the log.
    pub end: Position,
    /// Events that were read because the index did not have them yet.
    pub scanned_events: u64,
    /// Whether the index was of no use and was built anew from the segments.
    pub rebuilt: bool,
    /// What was cut off the end.
    pub cut: Option<Cut>,
}

/// Bytes behind the last whole frame that were not acknowledged as far as the log can tell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cut {
    /// The segment file.
    pub file: String,
    /// Where the cut was made.
    pub offset: u64,
    /// Bytes up to the last one that was not zero.
    pub bytes: u64,
    /// Where these bytes are kept.
    pub kept_in: String,
}

/// An opened log, before threads share it.
pub(crate) struct Opened {
    pub(crate) segments: Vec<Segment>,
    pub(crate) end: End,
    pub(crate) index: Index,
    pub(crate) tail: Tail,
    pub(crate) recovered: Recovered,
}

/// Where a scan stands.
pub(crate) struct Cursor {
    pub(crate) chain: Chain,
    pub(crate) next: Position,
    /// The frame before was a gap: the chain begins anew with the frame that comes.
    pub(crate) after_gap: bool,
}

impl Cursor {
    pub(crate) fn at(segment: &Segment) -> Self {
        Self { chain: segment.chain_before, next: segment.base, after_gap: false }
    }

    /// Tells whether a frame is the one that comes next.
    pub(crate) fn accepts(&self, frame: &Frame) -> bool {
        // The frame behind a gap keeps the chain value that it had, be it a gap itself.
        frame.header.base == self.next && (self.after_gap || frame.follows(&self.chain))
    }

    /// Goes on behind a frame.
    pub(crate) fn advance(&mut self, header: &Header) {
        self.chain = header.chain;
        self.next = header.end();
        self.after_gap = header.is_gap();
    }

    /// Tells whether a frame is the one that comes next, and if so goes on behind it.
    pub(crate) fn accept(&mut self, frame: &Frame) -> bool {
        let accepted = self.accepts(frame);
        if accepted {
            self.advance(&frame.header);
        }
        accepted
    }
}

/// Opens all segments, or makes the first one.
pub(crate) fn open_segments(disk: &dyn Disk, options: &Options, clock: &dyn Clock) -> Result<Vec<Segment>, LogError> {
    let names = segment::list(disk)?;
    let mut segments = Vec::with_capacity(names.len());
    for (number, name) in names.iter().enumerate() {
        match Segment::open(disk, name)? {
            Some(segment) => segments.push(segment),
            // A crash while the newest segment was made: frames are written only after its header is durable.
            None if number + 1 == names.len() && !holds_frame(disk, name)? => {
                disk.remove(name).map_err(|error| LogError::io("removing a segment", disk.path(name), error))?;
            }
            None => return Err(damaged(disk, name, 0, "the header of the segment is damaged")),
        }
    }
    if segments.is_empty() {
        let first = Position::ORIGIN.next();
        let created = Segment::create(disk, first, CHAIN_START, options.segment_bytes, clock.now());
        segments.push(created.map_err(|refused| refused.error)?);
    }
    // The process that made a segment may have been killed before it synced the name.
    disk.sync_names().map_err(|error| LogError::io("syncing the directory", disk.path(""), error))?;
    Ok(segments)
}

fn holds_frame(disk: &dyn Disk, name: &str) -> Result<bool, LogError> {
    let failed = |error| LogError::io("reading a segment", disk.path(name), error);
    let file = disk.open(name).map_err(failed)?;
    let length = file.length().map_err(failed)?;
    let frame = Survey::new(file.as_ref(), segment::HEADER_BYTES as u64, length).next().map_err(failed)?;
    Ok(frame.is_some())
}

pub(crate) fn damaged(disk: &dyn Disk, name: &str, offset: u64, what: &str) -> LogError {
    LogError::Corrupt {
        file: disk.path(name),
        offset,
        detail: format!("{what}; `weir log verify` shows all damage and `weir log repair` mends it"),
    }
}

/// Opens the log: see the module.
pub(crate) fn open(
    disk: &Arc<dyn Disk>,
    store: &Arc<dyn IndexStore>,
    options: &Options,
    clock: &dyn Clock,
    progress: &mut dyn FnMut(Replayed),
) -> Result<Opened, LogError> {
    let segments = open_segments(disk.as_ref(), options, clock)?;
    let mut recovered = Recovered::default();
    let start = match start_at(disk.as_ref(), store, &segments)? {
        Some(start) => start,
        None => {
            recovered.rebuilt = segments.len() > 1;
            start_anew(store.as_ref(), &segments)?
        }
    };
    let mut replay = Replay::new(disk.as_ref(), store, options, start, progress);
    replay.run(&segments)?;
    let (segment, offset, next) = (segments[replay.number].clone(), replay.offset, replay.cursor.next);
    check_seal(disk.as_ref(), store.as_ref(), &segment, offset, next)?;
    recovered.cut = remains::cut_remains(disk.as_ref(), &segment, offset, next)?;
    let capacity = reserve(disk.as_ref(), &segment, replay.group.unwrap_or(offset), offset, options)?;
    // All of it is synced now, so the last block may go to the store where the writer would have sent it.
    replay.freeze_when_full()?;
    recovered.scanned_events = replay.events;
    recovered.end = next.previous();
    let Replay { index, tail, cursor, mark, .. } = replay;
    let end = End {
        segment,
        capacity,
        offset,
        zeroed: offset,
        synced: offset,
        durable: next.previous(),
        sync_failed: false,
        last_frame: mark.offset,
        last_segment: mark.segment,
        chain: cursor.chain,
        next,
    };
    Ok(Opened { segments, end, index, tail, recovered })
}

/// Forgets an index that is of no use: without a fitting watermark the rest of it cannot be trusted either.
fn start_anew(store: &dyn IndexStore, segments: &[Segment]) -> Result<Start, LogError> {
    if store.watermark()?.is_some() {
        tracing::warn!("the index does not belong to the segments: it is built anew");
    }
    store.clear_index()?;
    let cursor = Cursor::at(&segments[0]);
    let mark =
        Watermark { position: cursor.next.previous(), segment: segments[0].base, offset: 0, chain: cursor.chain };
    Ok(Start { number: 0, offset: segment::HEADER_BYTES as u64, cursor, mark })
}

/// Refuses a log that ends before the position up to which it is known to have been durable.
fn check_seal(
    disk: &dyn Disk,
    store: &dyn IndexStore,
    segment: &Segment,
    offset: u64,
    next: Position,
) -> Result<(), LogError> {
    let sealed = store::sealed(store)?;
    if sealed < next { Ok(()) } else { Err(damaged(disk, &segment.name, offset, &lost(next, Some(sealed.next())))) }
}

/// What is left to scan according to the index; `None` where the index knows nothing or something else than the segments
/// say.
fn start_at(disk: &dyn Disk, store: &Arc<dyn IndexStore>, segments: &[Segment]) -> Result<Option<Start>, LogError> {
    let Some(mark) = store.watermark()? else { return Ok(None) };
    let Some(number) = segments.iter().position(|segment| segment.base == mark.segment) else { return Ok(None) };
    let length = length_of(disk, &segments[number])?;
    let mut scanner = Scanner::new(disk, &segments[number], mark.offset, length).chunk_bytes(4096);
    match scanner.next()? {
        Next::Frame(frame) if frame.header.chain == mark.chain && frame.header.end() == mark.position.next() => {
            let cursor = Cursor { chain: mark.chain, next: mark.position.next(), after_gap: frame.header.is_gap() };
            Ok(Some(Start { number, offset: scanner.offset(), cursor, mark }))
        }
        _ => Ok(None),
    }
}

fn length_of(disk: &dyn Disk, segment: &Segment) -> Result<u64, LogError> {
    segment
        .file
        .length()
        .map_err(|error| LogError::io("reading the length of a segment", disk.path(&segment.name), error))
}

/// Makes the segment ready to be written on: nothing behind the end, space reserved, everything durable.
///
/// Nothing says of the last group, which begins at `group`, that it ever reached the disk: where its sync failed, nobody
/// had an answer, and yet it reads as it was written for as long as the kernel keeps it in memory. It is served from now
/// on, so it is written once more. The same holds for the header of a segment without a frame.
fn reserve(disk: &dyn Disk, segment: &Segment, group: u64, offset: u64, options: &Options) -> Result<u64, LogError> {
    let capacity = options.segment_bytes.max(offset);
    let unproven = if offset == segment::HEADER_BYTES as u64 { 0 } else { group };
    let prepare = || {
        segment.file.truncate(offset)?;
        write_again(segment.file.as_ref(), unproven, offset)?;
        // A disk without space for the reservation still serves readers; the writer reserves again.
        match segment.file.allocate(capacity) {
            Err(error) if disk::is_full(&error) => segment.file.sync().map(|()| offset),
            other => other.and_then(|()| segment.file.sync()).map(|()| capacity),
        }
    };
    prepare().map_err(|error| LogError::io("preparing the segment to be written", disk.path(&segment.name), error))
}

/// Says which positions are lost.
pub(crate) fn lost(first: Position, following: Option<Position>) -> String {
    match following {
        Some(following) if following > first.next() => {
            format!("the events at positions {first} to {} were acknowledged and cannot be read", following.previous())
        }
        Some(following) if following == first.next() => {
            format!("the event at position {first} was acknowledged and cannot be read")
        }
        _ => format!("the frame that should hold position {first} cannot be read"),
    }
}
