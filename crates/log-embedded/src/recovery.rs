//! Opening a log: finding its end, cutting what was never acknowledged, and completing the index in memory.
//!
//! What was acknowledged is never cut. Behind the last whole frame there may be the remains of writes that were not
//! synced when the machine stopped. Every frame says up to where the log was durable when it was written: if a whole frame
//! behind the gap says that the gap was durable, the bytes were damaged later, and opening is refused.

use std::sync::Arc;

use weir_domain::{Clock, Position, SpaceName};
use weir_log::{LogError, record};

use crate::{
    commit::End,
    disk::Disk,
    frame::{CHAIN_START, Chain, Frame, HEADER_BYTES, Header},
    index::{FramePlace, Index, Watermark},
    options::Options,
    prepare::{TypeNames, id_hash, key_list},
    scan::{Next, Scanner},
    segment::{self, Segment},
    store::{self, IndexStore},
    tail::Tail,
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

    /// Tells whether a frame is the one that comes next, and if so goes on behind it.
    pub(crate) fn accept(&mut self, frame: &Frame) -> bool {
        let linked = frame.follows(&self.chain) || (self.after_gap && !frame.header.is_gap());
        if frame.header.base != self.next || !linked {
            return false;
        }
        self.chain = frame.header.chain;
        self.next = frame.header.end();
        self.after_gap = frame.header.is_gap();
        true
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
        segments.push(Segment::create(disk, first, CHAIN_START, options.segment_bytes, clock.now())?);
    }
    Ok(segments)
}

fn holds_frame(disk: &dyn Disk, name: &str) -> Result<bool, LogError> {
    let failed = |error| LogError::io("reading a segment", disk.path(name), error);
    let file = disk.open(name).map_err(failed)?;
    let length = file.length().map_err(failed)?;
    Ok(find_frame(file.as_ref(), segment::HEADER_BYTES as u64, length, |_| true).map_err(failed)?.is_some())
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
    progress: &mut dyn FnMut(u64),
) -> Result<Opened, LogError> {
    let segments = open_segments(disk.as_ref(), options, clock)?;
    let mut recovered = Recovered::default();
    let (mut number, mut offset, mut cursor, mut last_frame) = match start_at(disk.as_ref(), store, &segments)? {
        Some(start) => start,
        None => {
            recovered.rebuilt = segments.len() > 1;
            start_anew(store.as_ref(), &segments)?
        }
    };
    let index = Index::new(store.clone(), cursor.next);
    let mut tail = Tail::new(options.tail_bytes_max);
    let mut types = TypeNames::default();
    let mut last_segment = segments[number].base;
    loop {
        let segment = &segments[number];
        let length = length_of(disk.as_ref(), segment)?;
        let mut scanner = Scanner::new(disk.as_ref(), segment, offset, length);
        loop {
            offset = scanner.offset();
            let Next::Frame(frame) = scanner.next()? else { break };
            if !cursor.accept(&frame) {
                break;
            }
            let place = FramePlace { base: frame.header.base, segment: segment.base, offset };
            index_frame(disk.as_ref(), segment, &index, &frame, place, &mut types)?;
            recovered.scanned_events += u64::from(frame.header.count);
            (last_frame, last_segment) = (offset, segment.base);
            tail.push(frame);
            if index.active_events() >= options.index_block_events {
                let position = cursor.next.previous();
                let mark = Watermark { position, segment: last_segment, offset: last_frame, chain: cursor.chain };
                store.add(index.freeze(mark).as_ref())?;
                index.thaw();
                progress(recovered.scanned_events);
            }
        }
        let Some(following) = segments.get(number + 1) else { break };
        if following.base != cursor.next || (following.chain_before != cursor.chain && !cursor.after_gap) {
            return Err(damaged(disk.as_ref(), &segment.name, offset, &lost(cursor.next, Some(following.base))));
        }
        cursor.chain = following.chain_before;
        (number, offset) = (number + 1, segment::HEADER_BYTES as u64);
    }
    let segment = segments[number].clone();
    check_seal(disk.as_ref(), store.as_ref(), &segment, offset, cursor.next)?;
    recovered.cut = cut_remains(disk.as_ref(), &segment, offset, cursor.next)?;
    let capacity = reserve(disk.as_ref(), &segment, offset, options)?;
    recovered.end = cursor.next.previous();
    let end = End {
        segment,
        capacity,
        offset,
        zeroed: offset,
        last_frame,
        last_segment,
        chain: cursor.chain,
        next: cursor.next,
    };
    Ok(Opened { segments, end, index, tail, recovered })
}

/// Forgets an index that is of no use: without a fitting watermark the rest of it cannot be trusted either.
fn start_anew(store: &dyn IndexStore, segments: &[Segment]) -> Result<(usize, u64, Cursor, u64), LogError> {
    if store.watermark()?.is_some() {
        tracing::warn!("the index does not belong to the segments: it is built anew");
    }
    store.clear_index()?;
    Ok((0, segment::HEADER_BYTES as u64, Cursor::at(&segments[0]), 0))
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

/// What is left to scan according to the index: segment, offset, cursor and the last indexed frame; `None` where the
/// index knows nothing or something else than the segments say.
fn start_at(
    disk: &dyn Disk,
    store: &Arc<dyn IndexStore>,
    segments: &[Segment],
) -> Result<Option<(usize, u64, Cursor, u64)>, LogError> {
    let Some(mark) = store.watermark()? else { return Ok(None) };
    let Some(number) = segments.iter().position(|segment| segment.base == mark.segment) else { return Ok(None) };
    let length = length_of(disk, &segments[number])?;
    let mut scanner = Scanner::new(disk, &segments[number], mark.offset, length).chunk_bytes(4096);
    match scanner.next()? {
        Next::Frame(frame) if frame.header.chain == mark.chain && frame.header.end() == mark.position.next() => {
            let cursor = Cursor { chain: mark.chain, next: mark.position.next(), after_gap: frame.header.is_gap() };
            Ok(Some((number, scanner.offset(), cursor, mark.offset)))
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

/// Looks at what stands behind the last whole frame. Remains of unsynced writes are kept in a file of their own and
/// cut; damage to what was acknowledged is an error.
fn cut_remains(disk: &dyn Disk, segment: &Segment, offset: u64, next: Position) -> Result<Option<Cut>, LogError> {
    let failed = |error| LogError::io("reading the end of a segment", disk.path(&segment.name), error);
    let length = segment.file.length().map_err(failed)?;
    let was_durable = |header: &Header| header.durable >= next;
    if let Some((_, frame)) = find_frame(segment.file.as_ref(), offset, length, was_durable).map_err(failed)? {
        return Err(damaged(disk, &segment.name, offset, &lost(next, Some(frame.header.base))));
    }
    let remains = remains(segment, offset, length).map_err(failed)?;
    if remains.is_empty() {
        return Ok(None);
    }
    let kept_in = format!("{}.cut-{offset}", segment.name);
    let keep = || {
        let _ = disk.remove(&kept_in);
        let copy = disk.create(&kept_in)?;
        copy.write_all_at(&remains, 0)?;
        copy.sync()
    };
    keep().map_err(|error| LogError::io("keeping a copy of what is cut", disk.path(&kept_in), error))?;
    Ok(Some(Cut { file: segment.name.to_string(), offset, bytes: remains.len() as u64, kept_in }))
}

/// Reads what is not zero behind an offset, up to the last such byte.
pub(crate) fn remains(segment: &Segment, offset: u64, length: u64) -> std::io::Result<Vec<u8>> {
    let mut rest = Vec::new();
    let mut chunk = vec![0; 1 << 20];
    let mut at = offset;
    let mut used = 0;
    while at < length {
        let want = chunk.len().min((length - at) as usize);
        let read = segment.file.read_at(&mut chunk[..want], at)?;
        if read == 0 {
            break;
        }
        at += read as u64;
        if let Some(last) = chunk[..read].iter().rposition(|byte| *byte != 0) {
            // Zeros before this chunk belong to the remains: they are between bytes that are not zero.
            let chunk_start = (at - offset) as usize - read;
            rest.resize(chunk_start, 0);
            rest.extend_from_slice(&chunk[..=last]);
            used = rest.len();
        }
    }
    rest.truncate(used);
    Ok(rest)
}

/// Finds the first whole frame at or behind an offset that satisfies a condition.
pub(crate) fn find_frame(
    file: &dyn crate::disk::DiskFile,
    from: u64,
    length: u64,
    wanted: impl Fn(&Header) -> bool,
) -> std::io::Result<Option<(u64, Frame)>> {
    let mut chunk = vec![0; 1 << 20];
    let mut at = from;
    while at + HEADER_BYTES as u64 <= length {
        let want = chunk.len().min((length - at) as usize);
        let read = file.read_at(&mut chunk[..want], at)?;
        let mut place = 0;
        while let Some(found) = chunk[place..read].iter().position(|byte| *byte == b'W') {
            place += found;
            let header = Header::read(&chunk[place..read]);
            if let Some(header) = header.filter(|header| wanted(header)) {
                let frame_length = header.frame_len();
                if at + place as u64 + frame_length as u64 <= length {
                    let mut bytes = vec![0; frame_length];
                    file.read_at(&mut bytes, at + place as u64)?;
                    if let Some(frame) = Frame::read(&bytes.into()) {
                        return Ok(Some((at + place as u64, frame)));
                    }
                }
            }
            place += 1;
        }
        if read < HEADER_BYTES {
            break;
        }
        // A header that lies across two chunks is found in the next one.
        at += (read - (HEADER_BYTES - 1)) as u64;
    }
    Ok(None)
}

/// Makes the segment ready to be written on: nothing behind the end, space reserved, everything durable.
fn reserve(disk: &dyn Disk, segment: &Segment, offset: u64, options: &Options) -> Result<u64, LogError> {
    let capacity = options.segment_bytes.max(offset);
    let prepare = || {
        segment.file.truncate(offset)?;
        // A disk without space for the reservation still serves readers; the writer reserves again.
        match segment.file.allocate(capacity) {
            Err(error) if error.kind() == std::io::ErrorKind::StorageFull => segment.file.sync().map(|()| offset),
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
