//! Checking all frames of a log.

use std::path::Path;

use weir_domain::{Position, PositionRange, Timestamp, error_chain};
use weir_log::{LogError, record};

use super::Progress;
use crate::{
    disk::Disk,
    engine,
    frame::{CHAIN_START, Chain, Frame},
    recovery::{Cursor, Hole, read_remains},
    scan::{Next, Scanner},
    segment::{self, Segment},
    store::{self, FjallStore},
};

/// What verification found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verified {
    /// Segment files.
    pub segments: u64,
    /// Whole frames.
    pub frames: u64,
    /// Events that can be read.
    pub events: u64,
    /// Bytes of the frames.
    pub bytes: u64,
    /// The last position.
    pub end: Position,
    /// The chain value of the last frame: it stands for the whole log.
    pub head: [u8; 32],
    /// When the last frame was written.
    pub last_recorded: Option<Timestamp>,
    /// Positions that an earlier repair gave up, where the chain begins anew.
    pub gaps: Vec<PositionRange>,
    /// What is damaged now.
    pub damage: Vec<Damage>,
    /// Bytes behind the last frame that belong to no acknowledged event: the next start cuts them.
    pub unfinished_bytes: u64,
    /// Why the index could not be read: it is damaged, or missing beside a log that has segments. The segments were checked without it, but nothing is known of an end that is
    /// missing as a whole.
    pub index_error: Option<String>,
}

/// A place where the log is not what was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Damage {
    /// The segment file.
    pub file: String,
    /// Where the damage begins.
    pub offset: u64,
    /// Where the log goes on; the end of the file where it does not.
    pub until: u64,
    /// What is wrong.
    pub what: String,
    /// The positions that cannot be read.
    pub lost: Option<PositionRange>,
    /// The chain value before the damage.
    pub(super) chain_before: Chain,
}

/// Checks every frame of the log in a data directory: checksum, chain, positions and the form of each event.
///
/// # Errors
/// Where the directory is in use or cannot be read. Damage is no error but part of the result, and so is an index that
/// cannot be read.
pub fn verify(directory: &Path, progress: Progress<'_>) -> Result<Verified, LogError> {
    let disk = engine::open_disk(directory)?;
    let _lock = engine::lock(disk.as_ref())?;
    let index = directory.join("index");
    // Opening one that is missing would make it.
    let sealed = if index.is_dir() {
        FjallStore::open(&index).and_then(|opened| store::sealed(&opened)).map_err(|error| error_chain(&error))
    } else {
        Err(format!("there is none at {}", index.display()))
    };
    // The segments are what counts: an index that cannot be read is no reason not to look at them.
    let (sealed, index_error) = match sealed {
        Ok(sealed) => (sealed, None),
        Err(error) => (Position::ORIGIN, Some(error)),
    };
    if let Some(error) = &index_error {
        tracing::warn!(%error, "the index cannot be read: the segments are checked without it");
    }
    let found = verify_on(disk.as_ref(), sealed, progress)?;
    // No server writes before it has an index: where there is nothing, none is missing.
    let index_error = index_error.filter(|_| index.is_dir() || found.segments > 0);
    Ok(Verified { index_error, ..found })
}

/// As [`verify`], on any disk; the log is known to have been durable up to `sealed`.
///
/// # Errors
/// As [`verify`].
pub fn verify_on(disk: &dyn Disk, sealed: Position, progress: Progress<'_>) -> Result<Verified, LogError> {
    let names = segment::list(disk)?;
    let mut files = Vec::with_capacity(names.len());
    for name in &names {
        let file = disk.open(name).map_err(|error| LogError::io("opening a segment", disk.path(name), error))?;
        let length = file.length().map_err(|error| LogError::io("reading a segment", disk.path(name), error))?;
        files.push((name.clone(), length));
    }
    let mut check = Check {
        disk,
        progress,
        total: files.iter().map(|(_, length)| length).sum(),
        done: 0,
        cursor: Cursor { chain: CHAIN_START, next: Position::ORIGIN.next(), after_gap: false },
        sealed,
        found: Verified::default(),
    };
    for (number, (name, length)) in files.iter().enumerate() {
        let following = match files.get(number + 1) {
            Some((name, _)) => base_of(name),
            None => None,
        };
        check.segment(name, *length, following)?;
        check.done += length;
        (check.progress)(check.done, check.total);
    }
    let mut found = check.found;
    found.end = check.cursor.next.previous();
    found.head = check.cursor.chain;
    Ok(found)
}

pub(super) fn base_of(name: &str) -> Option<Position> {
    name.get(..20)?.parse().ok().map(Position::new)
}

struct Check<'a> {
    disk: &'a dyn Disk,
    progress: Progress<'a>,
    total: u64,
    done: u64,
    cursor: Cursor,
    sealed: Position,
    found: Verified,
}

impl Check<'_> {
    fn segment(&mut self, name: &str, length: u64, following: Option<Position>) -> Result<(), LogError> {
        self.found.segments += 1;
        let segment = match Segment::open(self.disk, name)? {
            Some(segment) => segment,
            None => {
                self.damage(name, 0, segment::HEADER_BYTES as u64, "the header of the segment is damaged", None);
                let file =
                    self.disk.open(name).map_err(|e| LogError::io("opening a segment", self.disk.path(name), e))?;
                let base = base_of(name).unwrap_or(self.cursor.next);
                Segment { name: name.into(), base, chain_before: self.cursor.chain, file }
            }
        };
        if segment.base != self.cursor.next {
            let lost = range(self.cursor.next, segment.base);
            self.damage(name, 0, 0, "the segment does not begin where the one before ends", lost);
            self.cursor.next = segment.base;
            self.cursor.after_gap = true;
        } else if segment.chain_before != self.cursor.chain {
            if !self.cursor.after_gap {
                self.damage(name, 0, 0, "the segment does not continue the chain of the one before", None);
            }
            self.cursor.chain = segment.chain_before;
        }
        let mut offset = segment::HEADER_BYTES as u64;
        while let Some(resume) = self.frames(&segment, offset, length, following)? {
            offset = resume;
        }
        Ok(())
    }

    /// Goes over frames until the segment ends, or until damage: then returns where to go on.
    fn frames(
        &mut self,
        segment: &Segment,
        offset: u64,
        length: u64,
        following: Option<Position>,
    ) -> Result<Option<u64>, LogError> {
        let mut scanner = Scanner::new(self.disk, segment, offset, length);
        loop {
            let offset = scanner.offset();
            // What stands behind the beginning of the next segment is left of a group that could not be written, however
            // whole it is.
            if following == Some(self.cursor.next) {
                return Ok(None);
            }
            match scanner.next()? {
                Next::Frame(frame) if self.cursor.accepts(&frame) => {
                    self.frame(segment, offset, &frame);
                    self.cursor.advance(&frame.header);
                }
                Next::Frame(_) => {
                    let what = "a frame does not follow from the one before: it was altered or moved";
                    return self.resume(segment, offset, length, following, what);
                }
                Next::Nothing => return self.resume(segment, offset, length, following, "a frame is damaged"),
            }
            if self.found.frames.is_multiple_of(1024) {
                (self.progress)(self.done + scanner.offset(), self.total);
            }
        }
    }

    fn frame(&mut self, segment: &Segment, offset: u64, frame: &Frame) {
        let header = &frame.header;
        self.found.frames += 1;
        self.found.bytes += frame.bytes.len() as u64;
        self.found.last_recorded = Some(header.recorded);
        if header.is_gap() {
            self.found.gaps.extend(range(header.base, header.end()));
            return;
        }
        let what = match events_of(frame) {
            Ok(count) if count == header.count => {
                self.found.events += u64::from(count);
                return;
            }
            Ok(_) => "a frame holds another number of events than it says".to_owned(),
            Err(error) => error.to_string(),
        };
        // It can only be given up as a whole.
        let until = offset + frame.bytes.len() as u64;
        self.damage(&segment.name, offset, until, &what, range(header.base, header.end()));
    }

    /// Decides what a place without the expected frame is: the end of the log, or damage behind which it goes on.
    fn resume(
        &mut self,
        segment: &Segment,
        offset: u64,
        length: u64,
        following: Option<Position>,
        what: &str,
    ) -> Result<Option<u64>, LogError> {
        let failed = |error| LogError::io("reading a segment", self.disk.path(&segment.name), error);
        let file = segment.file.as_ref();
        let next = self.cursor.next;
        let proven = following.map_or(self.sealed, Position::previous);
        let hole = Hole { file, offset, length, next, following };
        if let Some((resume, header)) = hole.resume(proven).map_err(failed)? {
            self.damage(&segment.name, offset, resume, what, range(next, header.base));
            // The chain value that the damaged frame had cannot be known for sure: it begins anew here.
            self.cursor = Cursor { chain: header.chain, next: header.base, after_gap: true };
            return Ok(Some(resume));
        }
        match following {
            Some(following) => {
                self.damage(&segment.name, offset, length, what, range(next, following));
                self.cursor.next = following;
                self.cursor.after_gap = true;
            }
            None if self.sealed >= next => {
                self.damage(
                    &segment.name,
                    offset,
                    length,
                    "the end of the log is damaged",
                    range(next, self.sealed.next()),
                );
                self.cursor.next = self.sealed.next();
            }
            None => self.found.unfinished_bytes = read_remains(file, offset, length).map_err(failed)?.len() as u64,
        }
        Ok(None)
    }

    fn damage(&mut self, file: &str, offset: u64, until: u64, what: &str, lost: Option<PositionRange>) {
        self.found.damage.push(Damage {
            file: file.to_owned(),
            offset,
            until,
            what: what.to_owned(),
            lost,
            chain_before: self.cursor.chain,
        });
    }
}

/// Reads all events of a frame and counts them.
fn events_of(frame: &Frame) -> Result<u32, record::MalformedRecord> {
    let mut records = frame.records();
    let mut count = 0;
    while !records.is_empty() {
        record::split(&mut records).and_then(record::decode)?;
        count += 1;
    }
    Ok(count)
}

fn range(first: Position, end: Position) -> Option<PositionRange> {
    (first < end).then(|| PositionRange { first, last: end.previous() })
}
