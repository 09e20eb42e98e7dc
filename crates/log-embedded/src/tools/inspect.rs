//! Looking into the files of a log.

use std::path::Path;

use weir_domain::{Position, Timestamp};
use weir_log::{LogError, Recorded, record};

use crate::{
    disk::{Disk, RealDisk},
    frame::Frame,
    recovery::{self, Cursor},
    scan::{Next, Scanner},
    segment::{self, Segment},
};

/// One segment file.
#[derive(Clone, Debug)]
pub struct SegmentInfo {
    /// The file name.
    pub file: String,
    /// The first position it can hold.
    pub base: Position,
    /// Bytes of the file, reserved ones included.
    pub bytes: u64,
}

/// One frame.
#[derive(Clone, Debug)]
pub struct FrameInfo {
    /// Where it begins in its file.
    pub offset: u64,
    /// Its bytes.
    pub bytes: u64,
    /// Its first position.
    pub base: Position,
    /// The number of its events.
    pub events: u32,
    /// The space of its events.
    pub space: String,
    /// When it was written.
    pub recorded: Timestamp,
    /// Its chain value.
    pub chain: [u8; 32],
    /// Whether it stands in for lost events.
    pub gap: bool,
}

fn open(directory: &Path) -> Result<RealDisk, LogError> {
    let log = directory.join("log");
    if !log.is_dir() {
        return Err(LogError::Unusable {
            path: directory.to_owned(),
            detail: "there is no log in it: name the data directory of a server".into(),
        });
    }
    Ok(RealDisk::existing(&log))
}

fn open_all(disk: &RealDisk) -> Result<Vec<(Segment, u64)>, LogError> {
    let mut all = Vec::new();
    for name in segment::list(disk)? {
        let segment = Segment::open(disk, &name)?
            .ok_or_else(|| recovery::damaged(disk, &name, 0, "the header of the segment is damaged"))?;
        let length = segment.file.length().map_err(|e| LogError::io("reading a segment", disk.path(&name), e))?;
        all.push((segment, length));
    }
    Ok(all)
}

/// Lists the segments of a data directory, oldest first.
///
/// # Errors
/// Where there is no log or a header is damaged.
pub fn segments(directory: &Path) -> Result<Vec<SegmentInfo>, LogError> {
    let all = open_all(&open(directory)?)?;
    Ok(all
        .into_iter()
        .map(|(segment, bytes)| SegmentInfo { file: segment.name.to_string(), base: segment.base, bytes })
        .collect())
}

/// Lists the frames that hold a position or follow it, up to `most`.
///
/// # Errors
/// As [`segments`], and where the first of them is damaged; damage behind it ends the list.
pub fn frames(directory: &Path, from: Position, most: usize) -> Result<Vec<FrameInfo>, LogError> {
    let mut infos = Vec::new();
    walk(directory, from, &mut |offset, frame| {
        infos.push(FrameInfo {
            offset,
            bytes: frame.bytes.len() as u64,
            base: frame.header.base,
            events: frame.header.count,
            space: String::from_utf8_lossy(frame.space()).into_owned(),
            recorded: frame.header.recorded,
            chain: frame.header.chain,
            gap: frame.header.is_gap(),
        });
        Ok(infos.len() < most)
    })?;
    Ok(infos)
}

/// Reads the events at a position and after it, up to `most`, with their spaces.
///
/// # Errors
/// As [`frames`].
pub fn events_at(directory: &Path, from: Position, most: usize) -> Result<Vec<(String, Recorded)>, LogError> {
    let mut events = Vec::new();
    walk(directory, from, &mut |_, frame| {
        if frame.header.is_gap() {
            return Ok(true);
        }
        let space = String::from_utf8_lossy(frame.space()).into_owned();
        let mut records = frame.records();
        let mut position = frame.header.base;
        while !records.is_empty() && events.len() < most {
            let new = record::split(&mut records)
                .and_then(record::decode)
                .map_err(|error| LogError::Index { detail: format!("the event at position {position}: {error}") })?;
            if position >= from {
                let recorded = Recorded { position, recorded: frame.header.recorded, key: new.key, event: new.event };
                events.push((space.clone(), recorded));
            }
            position = position.next();
        }
        Ok(events.len() < most)
    })?;
    Ok(events)
}

/// Calls `visit` with each frame that ends after a position, until it says no. Damage ends the walk: what stands behind it
/// would look as if nothing were missing. Where there was nothing to visit before it, it is an error.
fn walk(
    directory: &Path,
    from: Position,
    visit: &mut dyn FnMut(u64, &Frame) -> Result<bool, LogError>,
) -> Result<(), LogError> {
    let disk = open(directory)?;
    let all = open_all(&disk)?;
    let begin = all.partition_point(|(segment, _)| segment.base <= from).saturating_sub(1);
    let mut visited = false;
    for (number, (segment, length)) in all.iter().enumerate().skip(begin) {
        let mut cursor = Cursor::at(segment);
        let following = all.get(number + 1).map(|(following, _)| following.base);
        let mut scanner = Scanner::new(&disk as &dyn Disk, segment, segment::HEADER_BYTES as u64, *length);
        // What stands behind the beginning of the next segment is left of a group that could not be written.
        while following != Some(cursor.next) {
            let offset = scanner.offset();
            let frame = match scanner.next()? {
                Next::Frame(frame) if cursor.accept(&frame) => frame,
                // The end of the log, or damage that only `verify` can tell from it.
                _ if following.is_none() || visited => return Ok(()),
                _ => {
                    let what = recovery::lost(cursor.next, following);
                    return Err(recovery::damaged(&disk, &segment.name, offset, &what));
                }
            };
            if frame.header.end() > from {
                visited = true;
                if !visit(offset, &frame)? {
                    return Ok(());
                }
            }
        }
    }
    Ok(())
}
