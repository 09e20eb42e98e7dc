//! What stands behind a place where the frame that should come next is missing.
//!
//! Two questions are asked there. Was this place durable, so that its events were acknowledged and must not be cut? And
//! where does the log go on? Both are answered by the whole frames behind the place, but not by every byte that looks like
//! one: events carry what their producers like, and that may be a well-formed frame. So
//!
//! - what lies inside a frame is never looked at, as long as its extent can be told: a whole frame is stepped over, and
//!   a damaged one as far as its header and the lengths of its records agree;
//! - a frame counts only if it could stand where it stands: see [`Hole::could_stand`];
//! - the log goes on only at a frame that what follows does not contradict: see [`Hole::goes_on`].
//!
//! Where a header is lost together with the lengths behind it, a forged frame in the data of an event can still pass. Then
//! the start is refused where it need not be, which is the harmless side: nothing is cut.

use std::io;

use weir_domain::{Position, SpaceName};

use crate::{
    disk::DiskFile,
    frame::{Frame, HEADER_BYTES, Header},
};

/// The bytes of the smallest record: its length, an empty head, and one byte each of id, source and type.
pub(crate) const RECORD_BYTES_MIN: u64 = 17;
/// How much is searched at once.
const CHUNK_BYTES: usize = 1 << 20;

/// A place without the frame that should stand there.
pub(crate) struct Hole<'a> {
    pub(crate) file: &'a dyn DiskFile,
    /// Where the frame should begin.
    pub(crate) offset: u64,
    /// The length of the file.
    pub(crate) length: u64,
    /// The position with which the frame should begin.
    pub(crate) next: Position,
    /// Where the next segment begins: what is not before it was never acknowledged.
    pub(crate) following: Option<Position>,
}

impl Hole<'_> {
    /// Finds where the log goes on: the first frame of which it is certain that it was durable. `None` where nothing says
    /// that the hole itself was.
    ///
    /// `proven` is the position up to which the log is known to have been durable. Behind it the frames speak for
    /// themselves: a group is written after all groups before it were synced, so one frame that knows the hole as
    /// durable proves its whole group, and every frame up to where it says.
    pub(crate) fn resume(&self, proven: Position) -> io::Result<Option<(u64, Header)>> {
        let mut durable = proven;
        let (mut first, mut doubtful) = (None, None);
        let mut survey = Survey::new(self.file, self.behind_own_frames()?, self.length);
        while let Some((offset, frame)) = survey.next()? {
            if !self.could_stand(offset, &frame) {
                continue;
            }
            let found = (offset, frame.header);
            durable = durable.max(frame.header.durable);
            if first.is_none() && self.goes_on(offset, &frame)? {
                first = Some(found);
            }
            if durable < self.next {
                // Of a group that may not have been finished; a later one may know better.
                continue;
            }
            // Even a frame that others contradict says that the hole was durable: better refused than cut.
            doubtful = doubtful.or(Some(found));
            if let Some(first) = first {
                return Ok(Some(if first.1.end().previous() <= durable { first } else { found }));
            }
        }
        Ok(doubtful)
    }

    /// Tells whether a whole frame could be one that the writer put there.
    ///
    /// The missing frame held at least one event, and every event between takes its bytes. A frame is written after
    /// what it calls durable, so that ends before it; a gap was durable when it was written.
    fn could_stand(&self, offset: u64, frame: &Frame) -> bool {
        let header = &frame.header;
        let room = (offset - self.offset) / RECORD_BYTES_MIN;
        let placed = header.base > self.next
            && header.base <= self.next.plus(room)
            && self.following.is_none_or(|following| header.end() <= following);
        let dated = if header.is_gap() {
            header.durable == header.end().previous()
        } else {
            header.durable < header.base && names_space(frame.space())
        };
        placed && dated
    }

    /// Tells whether the next whole frame behind a frame agrees with it.
    fn goes_on(&self, offset: u64, frame: &Frame) -> io::Result<bool> {
        let (end, behind) = (frame.header.end(), offset + frame.bytes.len() as u64);
        let successor = match frame_at(self.file, behind, self.length)? {
            Some(adjacent) => Some((behind, adjacent)),
            None => Survey::new(self.file, behind, self.length).next()?,
        };
        let Some((at, successor)) = successor else { return Ok(true) };
        let base = successor.header.base;
        if self.following.is_some_and(|following| base >= following) {
            // Left by a group that could not be written before the segment was changed.
            return Ok(true);
        }
        if at > behind {
            // What stands between is damaged as well, and held at least one event. A frame inside the data of an event
            // cannot leave that room, unless for positions of the frame that it lies in.
            return Ok(base > end);
        }
        Ok(base == end && (frame.header.is_gap() || successor.follows(&frame.header.chain)))
    }

    /// Returns the offset behind the missing frame, and behind damaged ones that follow it, as far as their own words can
    /// be trusted.
    fn behind_own_frames(&self) -> io::Result<u64> {
        let (mut at, mut base) = (self.offset, self.next);
        loop {
            match frame_at(self.file, at, self.length)? {
                // It is whole, yet not the one that should stand there.
                Some(frame) if at == self.offset => {
                    at += frame.bytes.len() as u64;
                    base = frame.header.end();
                }
                Some(_) => return Ok(at),
                None => {
                    let Some(header) = self.damaged_header(at, base)? else { return Ok(at) };
                    let (behind, complete) = self.behind_records(at, &header)?;
                    if !complete {
                        return Ok(behind);
                    }
                    (at, base) = (behind, header.end());
                }
            }
        }
    }

    /// Reads the header of a frame that is not whole; `None` where it is damaged itself.
    fn damaged_header(&self, at: u64, base: Position) -> io::Result<Option<Header>> {
        let mut head = [0; HEADER_BYTES];
        let read = self.file.read_at(&mut head, at)?;
        let Some(header) = Header::read(&head[..read]).filter(|header| header.base == base && !header.is_gap()) else {
            return Ok(None);
        };
        let fits = at + header.frame_len() as u64 <= self.length;
        if !fits || !has_form(&header) || header.durable >= base {
            return Ok(None);
        }
        let mut space = vec![0; usize::from(header.space_len)];
        let read = self.file.read_at(&mut space, at + HEADER_BYTES as u64)?;
        Ok(names_space(&space[..read]).then_some(header))
    }

    /// Goes over the lengths of the records of a damaged frame. Returns where they end, and whether they agree with the
    /// header. Where they do not, the place is never behind the end of the frame if only one of the two is damaged.
    fn behind_records(&self, at: u64, header: &Header) -> io::Result<(u64, bool)> {
        let end = at + header.frame_len() as u64;
        let mut place = at + HEADER_BYTES as u64 + u64::from(header.space_len);
        for _ in 0..header.count {
            let mut length = [0; 4];
            let read = self.file.read_at(&mut length, place)?;
            let behind = place + 4 + u64::from(u32::from_le_bytes(length));
            if read < 4 || behind < place + RECORD_BYTES_MIN || behind > end {
                return Ok((place, false));
            }
            place = behind;
        }
        Ok((place, place == end))
    }
}

/// Goes over all whole frames of a file, wherever they begin, without looking inside them.
pub(crate) struct Survey<'a> {
    file: &'a dyn DiskFile,
    at: u64,
    length: u64,
    chunk: Vec<u8>,
    chunk_at: u64,
}

impl<'a> Survey<'a> {
    pub(crate) fn new(file: &'a dyn DiskFile, at: u64, length: u64) -> Self {
        Self { file, at, length, chunk: Vec::new(), chunk_at: 0 }
    }

    /// Returns the next frame and its offset.
    pub(crate) fn next(&mut self) -> io::Result<Option<(u64, Frame)>> {
        loop {
            let window = self.window()?;
            // A header that lies across the end of the window is found in the next one.
            let Some(starts) = (window.len() + 1).checked_sub(HEADER_BYTES).filter(|starts| *starts > 0) else {
                return Ok(None);
            };
            let Some(skipped) = window[..starts].iter().position(|byte| *byte == b'W') else {
                self.at += starts as u64;
                continue;
            };
            let may_be_one = Header::read(&window[skipped..]).is_some_and(|header| has_form(&header));
            self.at += skipped as u64;
            if may_be_one && let Some(frame) = frame_at(self.file, self.at, self.length)? {
                let offset = self.at;
                self.at += frame.bytes.len() as u64;
                return Ok(Some((offset, frame)));
            }
            self.at += 1;
        }
    }

    /// Returns bytes from the present place on, at least a header where the file has so many.
    fn window(&mut self) -> io::Result<&[u8]> {
        let held = self.chunk_at..self.chunk_at + self.chunk.len() as u64;
        let wanted = (self.at + HEADER_BYTES as u64).min(self.length);
        if self.at < held.start || wanted > held.end {
            let left = self.length.saturating_sub(self.at);
            self.chunk.resize((CHUNK_BYTES as u64).min(left) as usize, 0);
            let read = self.file.read_at(&mut self.chunk, self.at)?;
            self.chunk.truncate(read);
            self.chunk_at = self.at;
        }
        // Inside the chunk, so it fits in memory addresses.
        Ok(self.chunk.get((self.at - self.chunk_at) as usize..).unwrap_or_default())
    }
}

/// Reads the frame at an offset; `None` where there is no whole one.
fn frame_at(file: &dyn DiskFile, offset: u64, length: u64) -> io::Result<Option<Frame>> {
    let mut head = [0; HEADER_BYTES];
    let read = file.read_at(&mut head, offset)?;
    let Some(header) = Header::read(&head[..read]) else { return Ok(None) };
    if offset + header.frame_len() as u64 > length {
        return Ok(None);
    }
    let mut bytes = vec![0; header.frame_len()];
    let read = file.read_at(&mut bytes, offset)?;
    bytes.truncate(read);
    Ok(Frame::read(&bytes.into()))
}

/// Tells whether the numbers of a header can belong together.
fn has_form(header: &Header) -> bool {
    let content = if header.is_gap() {
        header.space_len == 0
    } else {
        u64::from(header.records_len) >= u64::from(header.count) * RECORD_BYTES_MIN
    };
    content && header.count > 0
}

fn names_space(name: &[u8]) -> bool {
    std::str::from_utf8(name).is_ok_and(|name| SpaceName::new(name).is_ok())
}
