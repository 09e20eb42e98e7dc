//! Going over the frames of the log from a place on, without a step over what cannot be read.

use std::sync::Arc;

use weir_domain::Position;
use weir_log::LogError;

use crate::{
    disk::Disk,
    frame::Frame,
    index::FramePlace,
    recovery,
    scan::{Next, Scanner},
    segment::{self, Segment},
    shared::Shared,
};

/// A look-up reads this much at first: a frame with a few events fits.
const LOOKUP_BYTES: usize = 16 * 1024;

/// Goes over the frames of all segments.
pub(super) struct Walk<'a> {
    shared: &'a Shared,
    segment: Segment,
    /// Where the next segment begins, if there was one when this one was opened.
    following: Option<Position>,
    scanner: Scanner,
    chunk_bytes: usize,
    /// The position with which the next frame begins: positions have no gaps, so another frame in its place is damage.
    expected: Position,
    /// Where the frame that was read last begins.
    offset: u64,
}

impl<'a> Walk<'a> {
    /// Begins at or before the frame that holds a position. The caller asks for durable positions only, and has learned
    /// the durable end before: then their segments are known.
    pub(super) fn begin(shared: &'a Shared, position: Position, chunk_bytes: usize) -> Result<Self, LogError> {
        let place = shared.index.frame_before(position)?;
        let (segment, following) = segment_with(shared, position)?;
        let (expected, offset) = match place {
            Some(FramePlace { base, segment: within, offset }) if within == segment.base => (base, offset),
            _ => (segment.base, segment::HEADER_BYTES as u64),
        };
        let scanner = open_scanner(shared, &segment, offset, chunk_bytes)?;
        Ok(Self { shared, segment, following, scanner, chunk_bytes, expected, offset })
    }

    /// Reads the next frame.
    ///
    /// # Errors
    /// Where the segments do not hold it, or its bytes are not what was written.
    pub(super) fn next_frame(&mut self) -> Result<Frame, LogError> {
        // Not where the frames of a segment seem to end: behind them there may be remains of a group that could not be
        // written, and damage looks like an end.
        if self.following == Some(self.expected) {
            let (segment, following) = segment_with(self.shared, self.expected)?;
            let first = segment::HEADER_BYTES as u64;
            self.scanner = open_scanner(self.shared, &segment, first, self.chunk_bytes)?;
            (self.segment, self.following) = (segment, following);
        }
        self.offset = self.scanner.offset();
        match self.scanner.next()? {
            Next::Frame(frame) if frame.header.base == self.expected => {
                self.expected = frame.header.end();
                Ok(frame)
            }
            _ => Err(self.damaged(&unreadable(self.expected))),
        }
    }

    /// Returns the size of the memory that a frame of this walk shares with its neighbours.
    pub(super) fn buffer_bytes(&self, frame: &Frame) -> usize {
        self.chunk_bytes.max(frame.bytes.len())
    }

    /// Makes the error for the frame that was read last, or that could not be.
    pub(super) fn damaged(&self, what: &str) -> LogError {
        recovery::damaged(self.shared.disk.as_ref(), &self.segment.name, self.offset, what)
    }
}

/// A frame that was looked up.
pub(super) struct Found {
    pub(super) frame: Frame,
    /// The size of the memory that it shares with its neighbours.
    pub(super) buffer_bytes: usize,
    /// Bytes that were gone over on the disk to find it.
    pub(super) scanned: usize,
    /// Where it stands; `None` where it was still in memory.
    place: Option<Place>,
}

struct Place {
    disk: Arc<dyn Disk>,
    file: Arc<str>,
    offset: u64,
}

impl Found {
    /// Makes the error for a frame whose content is not of the known form.
    pub(super) fn damaged(&self, what: &str) -> LogError {
        match &self.place {
            Some(place) => recovery::damaged(place.disk.as_ref(), &place.file, place.offset, what),
            None => LogError::Index { detail: what.to_owned() },
        }
    }
}

/// Finds the frame that holds a durable position.
pub(super) fn frame_with(shared: &Shared, position: Position) -> Result<Found, LogError> {
    if let Some((frame, buffer_bytes)) = shared.tail.read().frame_with(position) {
        return Ok(Found { frame, buffer_bytes, scanned: 0, place: None });
    }
    let mut walk = Walk::begin(shared, position, LOOKUP_BYTES)?;
    let mut scanned = 0;
    loop {
        let frame = walk.next_frame()?;
        scanned += frame.bytes.len();
        if frame.header.end() > position {
            let place = Place { disk: shared.disk.clone(), file: walk.segment.name.clone(), offset: walk.offset };
            return Ok(Found { buffer_bytes: walk.buffer_bytes(&frame), frame, scanned, place: Some(place) });
        }
    }
}

/// Finds the segment that holds a position, and where the next one begins.
fn segment_with(shared: &Shared, position: Position) -> Result<(Segment, Option<Position>), LogError> {
    // The handle is copied, so that no lock is held while the disk works.
    let segments = shared.segments.read();
    let behind = segments.partition_point(|segment| segment.base <= position);
    match behind.checked_sub(1).and_then(|number| segments.get(number)) {
        Some(segment) => Ok((segment.clone(), segments.get(behind).map(|following| following.base))),
        None => {
            let first = segments.first().map_or("", |segment| &*segment.name);
            Err(recovery::damaged(shared.disk.as_ref(), first, 0, &unreadable(position)))
        }
    }
}

fn unreadable(position: Position) -> String {
    format!("the frame that should hold position {position} cannot be read, although its events were acknowledged")
}

fn open_scanner(shared: &Shared, segment: &Segment, offset: u64, chunk_bytes: usize) -> Result<Scanner, LogError> {
    let disk = shared.disk.as_ref();
    let length = segment
        .file
        .length()
        .map_err(|error| LogError::io("reading the length of a segment", disk.path(&segment.name), error))?;
    Ok(Scanner::new(disk, segment, offset, length).chunk_bytes(chunk_bytes))
}
