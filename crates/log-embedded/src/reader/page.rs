//! One page while it is put together: its bounds, and what its events keep in memory.
//!
//! A decoded event shares the memory that its frame was read into or written from. That is what makes reading cheap where
//! most of this memory is wanted. Where little of it is, one small event would keep a whole buffer for as long as somebody
//! holds it, and no bound of a caller counts that: such events get memory of their own.

use std::collections::HashSet;

use bytes::Bytes;
use weir_domain::Position;
use weir_log::{Filter, Page, Read, Recorded, record};

use crate::frame::Frame;

#[cfg(test)]
mod tests;

/// Events keep at most about so many times their own bytes in memory: beyond that they are copied.
const HELD_TIMES_MAX: usize = 4;
/// So many types are compared one after the other.
const TYPES_COMPARED_MAX: usize = 8;

/// Collects one page.
pub(super) struct Collector<'a> {
    pub(super) read: &'a Read,
    /// The types that are wanted, where they are too many to be compared one after the other.
    types: Option<HashSet<&'a str>>,
    pub(super) end: Position,
    /// Bytes that were gone over on the disk.
    pub(super) scanned: usize,
    events: Vec<Recorded>,
    bytes: usize,
    buffer: Buffer,
}

/// The memory that the newest events of the page share.
#[derive(Default)]
struct Buffer {
    /// The frames in it from which events were taken.
    frames: Vec<Frame>,
    /// Where in memory the frame ends that was seen last: the next one of the same buffer begins there.
    end: usize,
    /// The size of the whole.
    bytes: usize,
    /// The number of events that the page had before.
    first: usize,
    /// Bytes of the records that were taken.
    taken: usize,
}

impl<'a> Collector<'a> {
    pub(super) fn new(read: &'a Read, end: Position) -> Self {
        let types = match &read.filter {
            Filter::Types(types) if types.len() > TYPES_COMPARED_MAX => {
                Some(types.iter().map(String::as_str).collect())
            }
            _ => None,
        };
        Self { read, types, end, scanned: 0, events: Vec::new(), bytes: 0, buffer: Buffer::default() }
    }

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

    /// Adds the events of a frame, oldest first; `Some` with the position at which the page was full.
    pub(super) fn forward(&mut self, frame: Frame, buffer_bytes: usize) -> Result<Option<Position>, String> {
        self.enter(&frame, buffer_bytes);
        if frame.header.base > self.end || frame.space() != self.read.space.as_str().as_bytes() {
            return Ok(None);
        }
        let mut records = frame.records();
        let mut position = frame.header.base;
        let mut stopped_at = None;
        while !records.is_empty() {
            let record = record::split(&mut records).map_err(|error| error.to_string())?;
            if position >= self.read.from && (self.full() || !self.take(&frame, record, position)?) {
                stopped_at = Some(position);
                break;
            }
            position = position.next();
        }
        self.leave(frame);
        Ok(stopped_at)
    }

    /// Adds the events of a frame up to a position, newest first; `Some` with the position at which the page was full.
    pub(super) fn backward(
        &mut self,
        frame: &Frame,
        buffer_bytes: usize,
        from: Position,
    ) -> Result<Option<Position>, String> {
        self.enter(frame, buffer_bytes);
        if frame.space() != self.read.space.as_str().as_bytes() {
            return Ok(None);
        }
        let mut stopped_at = None;
        for (position, record) in split_records(frame)?.into_iter().rev() {
            if position <= from && !self.take(frame, record, position)? {
                stopped_at = Some(position);
                break;
            }
        }
        self.leave(frame.clone());
        Ok(stopped_at)
    }

    /// Adds the event of a record where the filter wants it; `false` where it belongs to the next page.
    pub(super) fn take(&mut self, frame: &Frame, record: Bytes, position: Position) -> Result<bool, String> {
        let bytes = record.len();
        let recorded = decode(frame, record, position)?;
        let event_type = recorded.event.event_type();
        let is_wanted = match &self.types {
            Some(types) => types.contains(event_type),
            None => self.read.filter.matches(recorded.key.as_ref(), event_type),
        };
        if !is_wanted {
            return Ok(true);
        }
        let fits = self.add(recorded);
        if fits {
            self.buffer.taken += bytes;
        }
        Ok(fits)
    }

    /// Takes note of the frame that comes next, and of the size of the buffer that holds it and perhaps others.
    pub(super) fn enter(&mut self, frame: &Frame, buffer_bytes: usize) {
        let begin = frame.bytes.as_ptr().addr();
        if begin != self.buffer.end {
            self.settle();
            self.buffer.first = self.events.len();
        }
        self.buffer.end = begin + frame.bytes.len();
        self.buffer.bytes = self.buffer.bytes.max(buffer_bytes);
    }

    /// Keeps the frame at hand until it is known how much of its buffer the page took.
    pub(super) fn leave(&mut self, frame: Frame) {
        let taken = self.events.len() > self.buffer.first;
        if taken && self.events.last().is_some_and(|newest| holds(&frame, newest.position)) {
            self.buffer.frames.push(frame);
        }
    }

    /// Copies the events of the buffer at hand where they are a small part of it.
    fn settle(&mut self) {
        let buffer = std::mem::take(&mut self.buffer);
        if buffer.taken.saturating_mul(HELD_TIMES_MAX) >= buffer.bytes {
            return;
        }
        let mut events = self.events[buffer.first..].iter_mut().peekable();
        for frame in &buffer.frames {
            // It was split and decoded once: it cannot fail now, and if it did, the event would merely not be copied.
            let records = split_records(frame).unwrap_or_default();
            while let Some(recorded) = events.next_if(|recorded| holds(frame, recorded.position)) {
                let index = (recorded.position.get() - frame.header.base.get()) as usize;
                let own = records.get(index).map(|(_, record)| Bytes::copy_from_slice(record));
                if let Some(Ok(copied)) = own.map(|record| decode(frame, record, recorded.position)) {
                    *recorded = copied;
                }
            }
        }
    }

    pub(super) fn page(mut self, next: Position, end: bool) -> Page {
        self.settle();
        Page { events: self.events, next, end }
    }
}

/// Tells whether a position is one of a frame.
pub(super) fn holds(frame: &Frame, position: Position) -> bool {
    frame.header.base <= position && position < frame.header.end()
}

/// Divides a frame into its records; a gap frame has none.
pub(super) fn split_records(frame: &Frame) -> Result<Vec<(Position, Bytes)>, String> {
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
