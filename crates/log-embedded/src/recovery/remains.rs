//! Bytes behind the end of the log: what is kept of them, and what is written once more.

use std::io::{self, ErrorKind};

use weir_domain::Position;
use weir_log::LogError;

use super::{Cut, behind::Hole, damaged, lost};
use crate::{
    disk::{self, Disk, DiskFile},
    segment::Segment,
};

/// How much is read or written at once.
const CHUNK_BYTES: usize = 1 << 20;

/// Looks at what stands behind the last whole frame. Remains of unsynced writes are kept in a file of their own, so that
/// they can be cut; damage to what was acknowledged is an error.
pub(super) fn cut_remains(
    disk: &dyn Disk,
    segment: &Segment,
    offset: u64,
    next: Position,
) -> Result<Option<Cut>, LogError> {
    let failed = |error| LogError::io("reading the end of a segment", disk.path(&segment.name), error);
    let length = segment.file.length().map_err(failed)?;
    let hole = Hole { file: segment.file.as_ref(), offset, length, next, following: None };
    // The seal was looked at before: only frames can say more.
    if let Some((_, header)) = hole.resume(Position::ORIGIN).map_err(failed)? {
        return Err(damaged(disk, &segment.name, offset, &lost(next, Some(header.base))));
    }
    let remains = read_remains(segment.file.as_ref(), offset, length).map_err(failed)?;
    if remains.is_empty() {
        return Ok(None);
    }
    let kept_in = match keep(disk, &segment.name, offset, &remains) {
        // What is reserved behind the remains reads as zero: given back, it makes room for their copy.
        Err(error) if disk::is_full(&error) => segment
            .file
            .truncate(offset + remains.len() as u64)
            .and_then(|()| keep(disk, &segment.name, offset, &remains)),
        kept => kept,
    };
    let kept_in = kept_in.map_err(|error| {
        LogError::io("keeping a copy of what is cut", disk.path(&copy_name(&segment.name, offset)), error)
    })?;
    Ok(Some(Cut { file: segment.name.to_string(), offset, bytes: remains.len() as u64, kept_in }))
}

fn copy_name(segment: &str, offset: u64) -> String {
    format!("{segment}.cut-{offset}")
}

/// Writes bytes that are about to be cut or written over to a file of their own, and makes it durable with its name.
/// Returns the name. An earlier copy of another content stays: the new one is numbered.
pub(crate) fn keep(disk: &dyn Disk, segment: &str, offset: u64, bytes: &[u8]) -> io::Result<String> {
    let mut name = copy_name(segment, offset);
    let mut number = 1;
    loop {
        match disk.open(&name) {
            Err(error) if error.kind() == ErrorKind::NotFound => break,
            // A start that kept the same bytes and was stopped before it cut them.
            Ok(file) if holds(file.as_ref(), bytes)? => {
                file.sync()?;
                disk.sync_names()?;
                return Ok(name);
            }
            Ok(_) => {
                number += 1;
                name = format!("{}-{number}", copy_name(segment, offset));
            }
            Err(error) => return Err(error),
        }
    }
    let copy = disk.create(&name)?;
    if let Err(error) = copy.write_all_at(bytes, 0).and_then(|()| copy.sync()).and_then(|()| disk.sync_names()) {
        // Half a copy is of no use and takes space that may be missing. Where it stays, the next copy has another name.
        let _ = disk.remove(&name);
        return Err(error);
    }
    Ok(name)
}

fn holds(file: &dyn DiskFile, bytes: &[u8]) -> io::Result<bool> {
    if file.length()? != bytes.len() as u64 {
        return Ok(false);
    }
    let mut content = vec![0; bytes.len()];
    let read = file.read_at(&mut content, 0)?;
    Ok(content[..read] == *bytes)
}

/// Reads what is not zero behind an offset, up to the last such byte.
pub(crate) fn read_remains(file: &dyn DiskFile, offset: u64, length: u64) -> io::Result<Vec<u8>> {
    let mut rest = Vec::new();
    let mut chunk = vec![0; CHUNK_BYTES];
    let mut at = offset;
    let mut used = 0;
    while at < length {
        let want = chunk.len().min((length - at) as usize);
        let read = file.read_at(&mut chunk[..want], at)?;
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

/// Writes bytes of a file over themselves, so that the next sync carries them to the disk.
///
/// After a sync that failed, the kernel may hold them in memory as if they were written: reads return them, and a later
/// sync succeeds without them.
pub(crate) fn write_again(file: &dyn DiskFile, from: u64, to: u64) -> io::Result<()> {
    let mut chunk = vec![0; CHUNK_BYTES];
    let mut at = from;
    while at < to {
        let want = chunk.len().min((to - at) as usize);
        let read = file.read_at(&mut chunk[..want], at)?;
        if read == 0 {
            return Err(ErrorKind::UnexpectedEof.into());
        }
        file.write_all_at(&chunk[..read], at)?;
        at += read as u64;
    }
    Ok(())
}
