//! What the index answers without a look at the events.

use std::ops::Range;

use weir_domain::{Position, SpaceName};
use weir_log::{Counted, Filter, LogError};

use super::{PAGE_SCAN_BYTES_MAX, SCAN_BYTES, walk::Walk};
use crate::{
    frame::Frame,
    prepare::{ListName, id_hash, key_list, type_list},
    shared::Shared,
};

/// Finds the position of an event by its identity, as the writer finds duplicates.
pub(crate) fn find(shared: &Shared, space: &SpaceName, source: &str, id: &str) -> Result<Option<Position>, LogError> {
    // The end comes first: what stands behind it may be taken back, and its position be given to another event.
    let end = *shared.end.borrow();
    let mut found = Vec::with_capacity(1);
    shared.index.find_ids(std::iter::once(id_hash(space, source, id)), &mut found)?;
    Ok(found.pop().flatten().filter(|position| *position <= end))
}

/// Counts the events within a range that match, up to a limit. Blocks on the disk.
pub(crate) fn count(
    shared: &Shared,
    space: &SpaceName,
    filter: &Filter,
    range: &Range<Position>,
    limit: u64,
) -> Result<Counted, LogError> {
    // The end comes first, as above.
    let end = shared.end.borrow().next();
    let range = range.start.max(Position::ORIGIN.next())..range.end.min(end);
    if range.is_empty() {
        return Ok(Counted::default());
    }
    let mut lists: Vec<ListName> = match filter {
        Filter::All => return count_frames(shared, space, &range, limit),
        Filter::Key(key) => vec![key_list(space, key)],
        Filter::Types(types) => types.iter().map(|name| type_list(space, name)).collect(),
    };
    // An event has one type, so that lists of different types have nothing in common.
    lists.sort_unstable();
    lists.dedup();
    // One more than may be counted shows whether there are more.
    let most = limit.saturating_add(1);
    let mut found = 0;
    for list in &lists {
        found += shared.index.count(list, &range, most - found)?;
    }
    Ok(Counted { events: found.min(limit), more: found > limit })
}

/// Counts all events of a space, of which the index has no list, by the headers of the frames. That is as much work as to
/// read them, so it ends where a page does.
fn count_frames(shared: &Shared, space: &SpaceName, range: &Range<Position>, limit: u64) -> Result<Counted, LogError> {
    let in_memory = shared.tail.read().from(range.start, usize::MAX);
    if let Some(frames) = in_memory {
        let found: u64 = frames.iter().map(|(frame, _)| within(frame, space, range)).sum();
        return Ok(Counted { events: found.min(limit), more: found > limit });
    }
    let mut walk = Walk::begin(shared, range.start, SCAN_BYTES)?;
    let (mut next, mut scanned, mut found) = (range.start, 0, 0);
    while next < range.end && found <= limit && scanned < PAGE_SCAN_BYTES_MAX {
        let frame = walk.next_frame()?;
        next = frame.header.end();
        scanned += frame.bytes.len();
        found += within(&frame, space, range);
    }
    Ok(Counted { events: found.min(limit), more: found > limit || next < range.end })
}

/// Returns how many events of a space a frame has within a range; a gap has none.
fn within(frame: &Frame, space: &SpaceName, range: &Range<Position>) -> u64 {
    if frame.header.is_gap() || frame.space() != space.as_str().as_bytes() {
        return 0;
    }
    let (from, end) = (frame.header.base.max(range.start), frame.header.end().min(range.end));
    end.get().saturating_sub(from.get())
}
