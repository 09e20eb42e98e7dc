//! Reads: from memory at the tail, from the segments elsewhere. Only durable events are ever returned.

use bytes::Bytes;
use weir_domain::Position;
use weir_log::{Direction, Filter, LogError, Page, Read, Recorded, record};

use crate::{
    frame::Frame,
    index::FramePlace,
    prepare::{ListName, key_list, type_list},
    scan::{Next, Scanner},
    segment::{self, Segment},
    shared::Shared,
};

/// A look-up reads this much at first: a frame with a few events fits.
const LOOKUP_BYTES: usize = 16 * 1024;

/// Collects one page.
struct Collector<'a> {
    read: &'a Read,
    end: Position,
    events: Vec<Recorded>,
    bytes: usize,
}

impl Collector<'_> {
    fn full(&self) -> bool {
        self.events.len() >= self.read.events_max.max(1)
    }

    /// Adds an event; `false` where it belongs to the next page.
    fn add(&mut self, recorded: Recorded) -> bool {
        self.bytes += recorded.event.size();
        let fits = !self.full() && (self.events.is_empty() || self.bytes <= self.read.bytes_max);
        if fits {
            self.events.push(recorded);
        }
        fits
    }

    fn page(self, next: Position, end: bool) -> Page {
        Page { events: self.events, next, end }
    }
}

/// Answers from memory, where it reaches back far enough; `None` where the disk must be asked.
pub(crate) fn read_tail(shared: &Shared, read: &Read) -> Option<Result<Page, LogError>> {
    let end = *shared.end.borrow();
    if read.direction == Direction::Backward {
        return None;
    }
    let mut collector = Collector { read, end, events: Vec::new(), bytes: 0 };
    if read.from > end {
        return Some(Ok(collector.page(read.from.max(end.next()), true)));
    }
    let frames = shared.tail.read().from(read.from, read.bytes_max.max(1))?;
    let mut next = read.from;
    // Frames reach the tail a moment before the durable end does: those behind it belong to the next read.
    for frame in frames.iter().take_while(|frame| frame.header.base <= end) {
        match collect_forward(frame, &mut collector) {
            Ok(Some(stopped_at)) => return Some(Ok(collector.page(stopped_at, false))),
            Ok(None) => next = next.max(frame.header.end()),
            Err(detail) => return Some(Err(LogError::Index { detail })),
        }
    }
    Some(Ok(collector.page(next, next > end)))
}

/// Answers from the segments. Blocks on the disk.
pub(crate) fn read_disk(shared: &Shared, read: &Read) -> Result<Page, LogError> {
    let end = *shared.end.borrow();
    let collector = Collector { read, end, events: Vec::new(), bytes: 0 };
    let lists = match &read.filter {
        Filter::All => None,
        Filter::Key(key) => Some(vec![key_list(&read.space, key)]),
        Filter::Types(types) => Some(types.iter().map(|name| type_list(&read.space, name)).collect()),
    };
    match (lists, read.direction) {
        (Some(lists), _) => read_lists(shared, &lists, collector),
        (None, Direction::Forward) => read_forward(shared, collector),
        (None, Direction::Backward) => read_backward(shared, collector),
    }
}

fn read_forward(shared: &Shared, mut collector: Collector<'_>) -> Result<Page, LogError> {
    let (from, end) = (collector.read.from.max(Position::ORIGIN.next()), collector.end);
    let mut walk = Walk::begin(shared, from, None)?;
    let mut next = from;
    while next <= end {
        let Some(frame) = walk.next_frame()? else {
            return Err(walk.unreadable(next));
        };
        if frame.header.end() <= from {
            continue;
        }
        if let Some(stopped_at) = collect_forward(&frame, &mut collector).map_err(|what| walk.damaged(&what))? {
            return Ok(collector.page(stopped_at, false));
        }
        next = frame.header.end();
    }
    Ok(collector.page(next.max(end.next()), true))
}

/// Adds the events of a frame; `Some` with the position at which the page was full.
fn collect_forward(frame: &Frame, collector: &mut Collector<'_>) -> Result<Option<Position>, String> {
    if frame.header.base > collector.end || frame.space() != collector.read.space.as_str().as_bytes() {
        return Ok(None);
    }
    let mut records = frame.records();
    let mut position = frame.header.base;
    while !records.is_empty() {
        let record = record::split(&mut records).map_err(|error| error.to_string())?;
        if position >= collector.read.from {
            if collector.full() {
                return Ok(Some(position));
            }
            let recorded = decode(frame, record, position)?;
            if belongs(&recorded, &collector.read.filter) && !collector.add(recorded) {
                return Ok(Some(position));
            }
        }
        position = position.next();
    }
    Ok(None)
}

fn read_backward(shared: &Shared, mut collector: Collector<'_>) -> Result<Page, LogError> {
    let mut from = collector.read.from.min(collector.end);
    while from > Position::ORIGIN {
        let (frame, walk) = frame_with(shared, from)?;
        if frame.space() == collector.read.space.as_str().as_bytes() {
            for (position, record) in split_records(&frame).map_err(|what| walk.damaged(&what))?.into_iter().rev() {
                if position > from {
                    continue;
                }
                let recorded = decode(&frame, record, position).map_err(|what| walk.damaged(&what))?;
                if !collector.add(recorded) {
                    return Ok(collector.page(position, false));
                }
            }
        }
        from = frame.header.base.previous();
    }
    Ok(collector.page(Position::ORIGIN, true))
}

/// Reads the events at the positions of index lists, merged in the order of the log.
fn read_lists(shared: &Shared, lists: &[ListName], mut collector: Collector<'_>) -> Result<Page, LogError> {
    let read = collector.read;
    // One more than the page holds shows whether there is a next page.
    let most = read.events_max.max(1).saturating_add(1);
    let from = match read.direction {
        Direction::Forward => read.from,
        Direction::Backward => read.from.min(collector.end),
    };
    let mut positions = Vec::new();
    for list in lists {
        positions.extend(shared.index.list(list, from, read.direction, most)?);
    }
    positions.retain(|position| *position <= collector.end);
    match read.direction {
        Direction::Forward => positions.sort_unstable(),
        Direction::Backward => positions.sort_unstable_by(|a, b| b.cmp(a)),
    }
    positions.dedup();
    positions.truncate(most);
    // Where a hash collision empties a full page, the lists go on behind its last position.
    let behind = positions.last().copied().filter(|_| positions.len() == most);
    let mut held: Option<(Frame, Vec<(Position, Bytes)>)> = None;
    for position in positions {
        let fresh =
            held.as_ref().is_none_or(|(frame, _)| frame.header.base > position || frame.header.end() <= position);
        if fresh {
            let (frame, walk) = frame_with(shared, position)?;
            let records = split_records(&frame).map_err(|what| walk.damaged(&what))?;
            held = Some((frame, records));
        }
        let Some((frame, records)) = &held else { continue };
        // Within a frame positions have no gaps.
        let index = (position.get() - frame.header.base.get()) as usize;
        let Some((_, record)) = records.get(index) else { continue };
        let recorded = decode(frame, record.clone(), position)
            .map_err(|detail| LogError::Index { detail: format!("the event at position {position}: {detail}") })?;
        // A list is found by a hash: the event itself says whether it belongs.
        if !belongs(&recorded, &read.filter) {
            continue;
        }
        if !collector.add(recorded) {
            return Ok(collector.page(position, false));
        }
    }
    let (next, end) = match (read.direction, behind) {
        (Direction::Forward, Some(last)) => (last.next(), false),
        (Direction::Backward, Some(last)) => (last.previous(), false),
        (Direction::Forward, None) => (collector.end.next().max(read.from), true),
        (Direction::Backward, None) => (Position::ORIGIN, true),
    };
    Ok(collector.page(next, end))
}

fn belongs(recorded: &Recorded, filter: &Filter) -> bool {
    match filter {
        Filter::All => true,
        Filter::Key(key) => recorded.key.as_ref() == Some(key),
        Filter::Types(types) => types.iter().any(|each| each == recorded.event.event_type()),
    }
}

fn split_records(frame: &Frame) -> Result<Vec<(Position, Bytes)>, String> {
    if frame.header.is_gap() {
        return Ok(Vec::new());
    }
    let mut records = frame.records();
    let mut all = Vec::with_capacity(frame.header.count as usize);
    let mut position = frame.header.base;
    while !records.is_empty() {
        all.push((position, record::split(&mut records).map_err(|error| error.to_string())?));
        position = position.next();
    }
    Ok(all)
}

fn decode(frame: &Frame, record: Bytes, position: Position) -> Result<Recorded, String> {
    let new = record::decode(record).map_err(|error| error.to_string())?;
    Ok(Recorded { position, recorded: frame.header.recorded, key: new.key, event: new.event })
}

/// Finds the frame that holds a position.
fn frame_with<'a>(shared: &'a Shared, position: Position) -> Result<(Frame, Walk<'a>), LogError> {
    let recent = shared.tail.read().frame_with(position);
    let mut walk = Walk::begin(shared, position, Some(LOOKUP_BYTES))?;
    if let Some(frame) = recent {
        return Ok((frame, walk));
    }
    loop {
        match walk.next_frame()? {
            Some(frame) if frame.header.end() > position => return Ok((frame, walk)),
            Some(_) => {}
            None => return Err(walk.unreadable(position)),
        }
    }
}

/// Goes over the frames of all segments from a place on.
struct Walk<'a> {
    shared: &'a Shared,
    segments: Vec<Segment>,
    number: usize,
    scanner: Scanner,
    chunk_bytes: Option<usize>,
}

impl<'a> Walk<'a> {
    /// Begins at or before the frame that holds a position.
    fn begin(shared: &'a Shared, position: Position, chunk_bytes: Option<usize>) -> Result<Self, LogError> {
        let place = shared.index.frame_before(position)?;
        // Cloning handles keeps no lock while the disk works.
        let segments = shared.segments.read().clone();
        let found = segments.partition_point(|segment| segment.base <= position).saturating_sub(1);
        let (number, offset) = match place {
            Some(FramePlace { segment, offset, .. }) if segments[found].base == segment => (found, offset),
            _ => (found, segment::HEADER_BYTES as u64),
        };
        let scanner = open_scanner(shared, &segments[number], offset, chunk_bytes)?;
        Ok(Self { shared, segments, number, scanner, chunk_bytes })
    }

    fn next_frame(&mut self) -> Result<Option<Frame>, LogError> {
        loop {
            if let Next::Frame(frame) = self.scanner.next()? {
                // Behind the frames of a full segment there may be remains of a group that could not be written.
                let following = self.segments.get(self.number + 1);
                if following.is_none_or(|following| frame.header.base < following.base) {
                    return Ok(Some(frame));
                }
            }
            let Some(following) = self.segments.get(self.number + 1) else { return Ok(None) };
            self.number += 1;
            self.scanner = open_scanner(self.shared, following, segment::HEADER_BYTES as u64, self.chunk_bytes)?;
        }
    }

    /// The error for a position that the index promises and the segments do not hold.
    fn unreadable(&self, position: Position) -> LogError {
        self.damaged(&format!("the event at position {position} was acknowledged and cannot be read"))
    }

    fn damaged(&self, what: &str) -> LogError {
        let name = &self.segments[self.number].name;
        crate::recovery::damaged(self.shared.disk.as_ref(), name, self.scanner.offset(), what)
    }
}

fn open_scanner(
    shared: &Shared,
    segment: &Segment,
    offset: u64,
    chunk_bytes: Option<usize>,
) -> Result<Scanner, LogError> {
    let disk = shared.disk.as_ref();
    let length = segment
        .file
        .length()
        .map_err(|error| LogError::io("reading the length of a segment", disk.path(&segment.name), error))?;
    let scanner = Scanner::new(disk, segment, offset, length);
    Ok(match chunk_bytes {
        Some(bytes) => scanner.chunk_bytes(bytes),
        None => scanner,
    })
}

/// Where in the log a time lies: the first position of the first frame that was written at or after it.
pub(crate) fn position_at(shared: &Shared, time: weir_domain::Timestamp) -> Result<Position, LogError> {
    let end = *shared.end.borrow();
    let (mut low, mut high) = (Position::ORIGIN.next(), end.next());
    // Clocks may go back a little; then any frame near the time is as good as another.
    while low < high {
        let middle = Position::new(low.get() + (high.get() - low.get()) / 2);
        let (frame, _) = frame_with(shared, middle)?;
        if frame.header.recorded < time {
            low = frame.header.end();
        } else {
            high = frame.header.base.max(low);
            if frame.header.base <= low {
                break;
            }
        }
    }
    Ok(low)
}
