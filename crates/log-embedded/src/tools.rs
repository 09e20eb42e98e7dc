//! Offline work on a log: verify, inspect and repair. No server may use the directory meanwhile, except for inspect.

use std::{path::Path, sync::Arc};

use weir_domain::{Clock, Position, PositionRange, Timestamp};
use weir_log::{LogError, record};

use crate::{
    disk::Disk,
    engine,
    frame::{self, CHAIN_START, Chain, Frame},
    options::Options,
    recovery::{self, Cursor, Recovered},
    scan::{Next, Scanner},
    segment::{self, Segment},
    store::{self, FjallStore, IndexStore},
};

mod inspect;

pub use inspect::{FrameInfo, SegmentInfo, events_at, frames, segments};

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
    chain_before: Chain,
}

/// What a repair did.
#[derive(Clone, Debug)]
pub struct Repaired {
    /// The damage that was found, each with the positions that were given up.
    pub given_up: Vec<Damage>,
    /// What opening the repaired log found; its `cut` tells of an unfinished end.
    pub recovered: Recovered,
}

/// Tells how much is done of how much, in bytes.
pub type Progress<'a> = &'a mut dyn FnMut(u64, u64);

/// Checks every frame of the log in a data directory: checksum, chain, positions and the form of each event.
///
/// # Errors
/// Where the directory is in use or cannot be read. Damage is no error but part of the result.
pub fn verify(directory: &Path, progress: Progress<'_>) -> Result<Verified, LogError> {
    let disk = engine::open_disk(directory)?;
    let _lock = engine::lock(disk.as_ref())?;
    let index = directory.join("index");
    // Without the index nothing is known of a lost end; opening one that is missing would make it.
    let sealed = if index.is_dir() { store::sealed(&FjallStore::open(&index)?)? } else { Position::ORIGIN };
    verify_on(disk.as_ref(), sealed, progress)
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

fn base_of(name: &str) -> Option<Position> {
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
            match scanner.next()? {
                Next::Frame(frame) if self.cursor.accept(&frame) => self.frame(segment, offset, &frame),
                Next::Frame(_) if following == Some(self.cursor.next) => return Ok(None),
                Next::Frame(frame) => {
                    return self.resume(segment, offset, length, following, Some(&frame));
                }
                Next::Nothing if following == Some(self.cursor.next) => return Ok(None),
                Next::Nothing => return self.resume(segment, offset, length, following, None),
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
        let mut records = frame.records();
        let mut count = 0u32;
        while !records.is_empty() {
            match record::split(&mut records).and_then(record::decode) {
                Ok(_) => count += 1,
                Err(error) => {
                    let lost = range(header.base.plus(u64::from(count)), header.end());
                    let until = offset + frame.bytes.len() as u64;
                    self.damage(&segment.name, offset, until, &error.to_string(), lost);
                    break;
                }
            }
        }
        self.found.events += u64::from(count);
    }

    /// Decides what a place without the expected frame is: the end of the log, or damage behind which it goes on.
    fn resume(
        &mut self,
        segment: &Segment,
        offset: u64,
        length: u64,
        following: Option<Position>,
        there: Option<&Frame>,
    ) -> Result<Option<u64>, LogError> {
        let failed = |error| LogError::io("reading a segment", self.disk.path(&segment.name), error);
        let next = self.cursor.next;
        // In the last segment, frames that do not know this place as durable are remains of an unfinished group.
        let after = |header: &frame::Header| {
            header.base >= next
                && (following.is_some() || header.durable >= next || header.base > next && header.is_gap())
        };
        let from = offset + u64::from(there.is_some());
        let found = recovery::find_frame(segment.file.as_ref(), from, length, after).map_err(failed)?;
        let what = match there {
            Some(_) => "a frame does not follow from the one before: it was altered or moved",
            None => "a frame is damaged",
        };
        if let Some((resume, frame)) = found {
            self.damage(&segment.name, offset, resume, what, range(next, frame.header.base));
            // The chain value that the damaged frame had cannot be known for sure: it begins anew here.
            self.cursor = Cursor { chain: frame.header.chain, next: frame.header.base, after_gap: true };
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
            None => {
                self.found.unfinished_bytes = recovery::remains(segment, offset, length).map_err(failed)?.len() as u64
            }
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

fn range(first: Position, end: Position) -> Option<PositionRange> {
    (first < end).then(|| PositionRange { first, last: end.previous() })
}

/// Repairs the log in a data directory: puts a gap in the place of damaged frames, cuts an unfinished end and builds
/// the index anew. Checkpoints are kept.
///
/// # Errors
/// [`LogError::Corrupt`] where acknowledged events would be given up and `accept_loss` is false; otherwise as
/// [`verify`].
pub fn repair(
    directory: &Path,
    accept_loss: bool,
    clock: &dyn Clock,
    progress: Progress<'_>,
) -> Result<Repaired, LogError> {
    let disk = engine::open_disk(directory)?;
    let _lock = engine::lock(disk.as_ref())?;
    let store: Arc<dyn IndexStore> = Arc::new(engine::open_store(&directory.join("index"))?);
    repair_on(&disk, &store, &Options::default(), accept_loss, clock, progress)
}

/// As [`repair`], on any disk and store.
///
/// # Errors
/// As [`repair`].
pub fn repair_on(
    disk: &Arc<dyn Disk>,
    store: &Arc<dyn IndexStore>,
    options: &Options,
    accept_loss: bool,
    clock: &dyn Clock,
    progress: Progress<'_>,
) -> Result<Repaired, LogError> {
    let found = verify_on(disk.as_ref(), store::sealed(store.as_ref())?, progress)?;
    if let Some(first) = found.damage.first().filter(|_| !accept_loss) {
        return Err(LogError::Corrupt {
            file: disk.path(&first.file),
            offset: first.offset,
            detail: format!(
                "{} place(s) are damaged, the first because {}{}; repeat with --accept-loss to give up what cannot be read",
                found.damage.len(),
                first.what,
                first.lost.map(|lost| format!(" (positions {} to {})", lost.first, lost.last)).unwrap_or_default(),
            ),
        });
    }
    for damage in &found.damage {
        mend(disk.as_ref(), damage, clock)?;
    }
    store.clear_index()?;
    let opened = recovery::open(disk, store, options, clock, &mut |_| {})?;
    let mut recovered = opened.recovered;
    recovered.rebuilt = true;
    Ok(Repaired { given_up: found.damage, recovered })
}

/// Writes what lets the log be read over a damaged place.
fn mend(disk: &dyn Disk, damage: &Damage, clock: &dyn Clock) -> Result<(), LogError> {
    let failed = |error| LogError::io("repairing a segment", disk.path(&damage.file), error);
    let file = disk.open(&damage.file).map_err(failed)?;
    if damage.offset == 0 {
        if damage.until > 0 {
            let base = base_of(&damage.file).unwrap_or_default();
            let header = segment::header(base, &damage.chain_before, clock.now());
            file.write_all_at(&header, 0).and_then(|()| file.sync()).map_err(failed)?;
        }
        return Ok(());
    }
    let Some(lost) = damage.lost else { return Ok(()) };
    let mut gap = Vec::new();
    let start = frame::begin("", &mut gap);
    // The gap covers the damaged bytes exactly, so that what follows is found behind it.
    let length = (damage.until - damage.offset).max(frame::HEADER_BYTES as u64);
    gap.resize(length as usize, 0);
    let draft = frame::Draft {
        flags: frame::FLAG_GAP,
        space: "",
        base: lost.first,
        count: (lost.last.get() - lost.first.get() + 1) as u32,
        recorded: clock.now(),
        durable: lost.last,
    };
    frame::finish(&draft, &damage.chain_before, start, &mut gap);
    file.write_all_at(&gap, damage.offset).and_then(|()| file.sync()).map_err(failed)
}
