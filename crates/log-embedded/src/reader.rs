//! Reads: from memory at the tail, from the segments elsewhere. Only durable events are ever returned.
//!
//! A read never steps over damage: where the frame that must come next is not there, the page is an error that names the
//! place, because a page without it would be taken for the whole truth.

use weir_domain::Position;
use weir_log::{Direction, Filter, LogError, Page, Read};

use crate::{
    prepare::{ListName, key_list, type_list},
    shared::Shared,
};

mod lookup;
mod page;
mod time;
mod walk;

use self::{
    page::{Collector, holds, split_records},
    walk::{Walk, frame_with},
};
pub(crate) use lookup::{count, find};
pub(crate) use time::position_at;

/// How much is read from the disk at once where frames are read one after the other.
const SCAN_BYTES: usize = 512 * 1024;
/// A page ends when so many bytes were gone over, full or not: a space with few events among many of others would
/// otherwise hold up its reader, and a stop of the server, for as long as the whole log takes.
const PAGE_SCAN_BYTES_MAX: usize = 64 * 1024 * 1024;

/// Answers from memory, where it reaches back far enough; `None` where the disk must be asked.
pub(crate) fn read_tail(shared: &Shared, read: &Read) -> Option<Result<Page, LogError>> {
    let end = *shared.end.borrow();
    if read.direction == Direction::Backward {
        return None;
    }
    let mut collector = Collector::new(read, end);
    if read.from > end {
        return Some(Ok(collector.page(read.from.max(end.next()), true)));
    }
    let frames = shared.tail.read().from(read.from, read.bytes_max.max(1))?;
    let mut next = read.from;
    // Frames reach the tail a moment before the durable end does: those behind it belong to the next read.
    for (frame, buffer_bytes) in frames.into_iter().take_while(|(frame, _)| frame.header.base <= end) {
        let behind = frame.header.end();
        match collector.forward(frame, buffer_bytes) {
            Ok(Some(stopped_at)) => return Some(Ok(collector.page(stopped_at, false))),
            Ok(None) => next = next.max(behind),
            Err(detail) => return Some(Err(LogError::Index { detail })),
        }
    }
    Some(Ok(collector.page(next, next > end)))
}

/// Answers from the segments. Blocks on the disk.
pub(crate) fn read_disk(shared: &Shared, read: &Read) -> Result<Page, LogError> {
    // The end comes first: what is durable now lies in segments that are known now.
    let end = *shared.end.borrow();
    let collector = Collector::new(read, end);
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
    if from > end {
        return Ok(collector.page(from, true));
    }
    let mut walk = Walk::begin(shared, from, SCAN_BYTES)?;
    let mut next = from;
    while next <= end {
        if collector.scanned >= PAGE_SCAN_BYTES_MAX {
            return Ok(collector.page(next, false));
        }
        let frame = walk.next_frame()?;
        let behind = frame.header.end();
        // The walk begins at the nearest place that the index knows.
        if behind <= from {
            continue;
        }
        collector.scanned += frame.bytes.len();
        let buffer_bytes = walk.buffer_bytes(&frame);
        if let Some(stopped_at) = collector.forward(frame, buffer_bytes).map_err(|what| walk.damaged(&what))? {
            return Ok(collector.page(stopped_at, false));
        }
        next = behind;
    }
    Ok(collector.page(next.max(end.next()), true))
}

fn read_backward(shared: &Shared, mut collector: Collector<'_>) -> Result<Page, LogError> {
    let mut from = collector.read.from.min(collector.end);
    while from > Position::ORIGIN {
        if collector.scanned >= PAGE_SCAN_BYTES_MAX {
            return Ok(collector.page(from, false));
        }
        let found = frame_with(shared, from)?;
        let before = found.frame.header.base.previous();
        collector.scanned += found.scanned;
        let stopped = collector.backward(&found.frame, found.buffer_bytes, from);
        if let Some(stopped_at) = stopped.map_err(|what| found.damaged(&what))? {
            return Ok(collector.page(stopped_at, false));
        }
        from = before;
    }
    Ok(collector.page(Position::ORIGIN, true))
}

/// Reads the events at the positions of index lists, merged in the order of the log.
fn read_lists(shared: &Shared, lists: &[ListName], mut collector: Collector<'_>) -> Result<Page, LogError> {
    let read = collector.read;
    // One more than the page holds shows whether there is a next page.
    let most = read.events_max.max(1).saturating_add(1);
    let positions = merged(shared, lists, read, collector.end, most)?;
    // Where a hash collision empties a full page, the lists go on behind its last position.
    let behind = positions.last().copied().filter(|_| positions.len() == most);
    let mut positions = positions.into_iter().peekable();
    while let Some(position) = positions.peek().copied() {
        if collector.scanned >= PAGE_SCAN_BYTES_MAX {
            return Ok(collector.page(position, false));
        }
        let found = frame_with(shared, position)?;
        let frame = &found.frame;
        let records = split_records(frame).map_err(|what| found.damaged(&what))?;
        collector.scanned += found.scanned;
        collector.enter(frame, found.buffer_bytes);
        let mut stopped_at = None;
        while let Some(position) = positions.next_if(|position| holds(frame, *position)) {
            // Within a frame positions have no gaps; a gap frame holds no records.
            let index = (position.get() - frame.header.base.get()) as usize;
            let Some((_, record)) = records.get(index) else { continue };
            // A list is found by a hash: the event itself says whether it belongs.
            if !collector.take(frame, record.clone(), position).map_err(|what| found.damaged(&what))? {
                stopped_at = Some(position);
                break;
            }
        }
        collector.leave(found.frame);
        if let Some(position) = stopped_at {
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

/// Returns up to `most` positions of several lists in the order of the read.
fn merged(
    shared: &Shared,
    lists: &[ListName],
    read: &Read,
    end: Position,
    most: usize,
) -> Result<Vec<Position>, LogError> {
    let from = match read.direction {
        Direction::Forward => read.from,
        Direction::Backward => read.from.min(end),
    };
    let mut positions = Vec::new();
    for list in lists {
        positions.extend(shared.index.list(list, from, read.direction, most)?);
    }
    positions.retain(|position| *position <= end);
    match read.direction {
        Direction::Forward => positions.sort_unstable(),
        Direction::Backward => positions.sort_unstable_by(|a, b| b.cmp(a)),
    }
    positions.dedup();
    positions.truncate(most);
    Ok(positions)
}
