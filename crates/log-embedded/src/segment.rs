//! The segment file: a header, then frames, then reserved space that reads as zero.
//!
//! ```text
//! byte  0  magic "WEIRLOG\0"       byte 24  first position of the segment, u64
//!       8  version, u32            byte 32  chain value before its first frame, 32 bytes
//!      12  length of header, u32   byte 64  CRC-32C of the 64 bytes before, u32
//!      16  time of creation, u64            zeros up to the length of the header
//! ```

use std::sync::Arc;

use weir_domain::{Position, Timestamp};
use weir_log::LogError;

use crate::{
    disk::{Disk, DiskFile},
    frame::Chain,
};

/// Where the first frame begins.
pub(crate) const HEADER_BYTES: usize = 128;

const MAGIC: [u8; 8] = *b"WEIRLOG\0";
const VERSION: u32 = 1;
const EXTENSION: &str = ".seg";

/// An open segment file.
#[derive(Clone)]
pub(crate) struct Segment {
    pub(crate) name: Arc<str>,
    pub(crate) base: Position,
    pub(crate) chain_before: Chain,
    pub(crate) file: Arc<dyn DiskFile>,
}

/// A segment that could not be created.
pub(crate) struct NotCreated {
    pub(crate) error: LogError,
    /// Whether it is certain that the file is gone, after a power cut too. Otherwise it may come back as an empty segment
    /// that begins here, and what was written to the segment before meanwhile would be ignored by the next start.
    pub(crate) gone: bool,
}

impl Segment {
    /// Creates a segment, reserves its space and makes its existence durable. No open segment may begin at `base`: a file
    /// of that name is taken for the remains of an earlier attempt, and replaced.
    pub(crate) fn create(
        disk: &dyn Disk,
        base: Position,
        chain_before: Chain,
        length: u64,
        now: Timestamp,
    ) -> Result<Self, NotCreated> {
        let name = file_name(base);
        let prepared = (|| {
            let file = match disk.create(&name) {
                // Left by an attempt that failed before a frame was in it.
                Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
                    disk.remove(&name)?;
                    disk.create(&name)?
                }
                other => other?,
            };
            file.allocate(length)?;
            file.write_all_at(&header(base, &chain_before, now), 0)?;
            file.sync()?;
            disk.sync_names()?;
            Ok(file)
        })();
        match prepared {
            Ok(file) => Ok(Self { name: name.into(), base, chain_before, file }),
            Err(error) => {
                // The half-made file would keep the space that others wait for.
                let removed = match disk.remove(&name) {
                    Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error),
                    _ => disk.sync_names(),
                };
                let error = LogError::io("creating a segment", disk.path(&name), error);
                Err(NotCreated { error, gone: removed.is_ok() })
            }
        }
    }

    /// Opens a segment and checks its header; `Ok(None)` where the header was never completed.
    pub(crate) fn open(disk: &dyn Disk, name: &str) -> Result<Option<Self>, LogError> {
        let file = disk.open(name).map_err(|error| LogError::io("opening a segment", disk.path(name), error))?;
        let mut head = [0; HEADER_BYTES];
        let read = file
            .read_at(&mut head, 0)
            .map_err(|error| LogError::io("reading the header of a segment", disk.path(name), error))?;
        let crc = u32::from_le_bytes([head[64], head[65], head[66], head[67]]);
        let whole = read == HEADER_BYTES && head[68..].iter().all(|byte| *byte == 0);
        if !whole || head[..8] != MAGIC || crc32c::crc32c(&head[..64]) != crc {
            return Ok(None);
        }
        let version = u32::from_le_bytes([head[8], head[9], head[10], head[11]]);
        if version != VERSION {
            return Err(LogError::Unusable {
                path: disk.path(name),
                detail: format!(
                    "its format is version {version}, and this program knows version {VERSION}: use the program that wrote it, or a newer one"
                ),
            });
        }
        let mut base = [0; 8];
        base.copy_from_slice(&head[24..32]);
        let mut chain_before = [0; 32];
        chain_before.copy_from_slice(&head[32..64]);
        let base = Position::new(u64::from_le_bytes(base));
        Ok((file_name(base) == name).then(|| Self { name: name.into(), base, chain_before, file }))
    }
}

pub(crate) fn header(base: Position, chain_before: &Chain, now: Timestamp) -> [u8; HEADER_BYTES] {
    let mut head = [0; HEADER_BYTES];
    head[..8].copy_from_slice(&MAGIC);
    head[8..12].copy_from_slice(&VERSION.to_le_bytes());
    head[12..16].copy_from_slice(&(HEADER_BYTES as u32).to_le_bytes());
    head[16..24].copy_from_slice(&now.unix_micros().to_le_bytes());
    head[24..32].copy_from_slice(&base.get().to_le_bytes());
    head[32..64].copy_from_slice(chain_before);
    let crc = crc32c::crc32c(&head[..64]);
    head[64..68].copy_from_slice(&crc.to_le_bytes());
    head
}

/// Returns the name of the segment that begins at a position; names sort as positions do.
pub(crate) fn file_name(base: Position) -> String {
    format!("{:020}{EXTENSION}", base.get())
}

/// Returns the names of all segments, oldest first.
pub(crate) fn list(disk: &dyn Disk) -> Result<Vec<String>, LogError> {
    let mut names = disk.list().map_err(|error| LogError::io("listing the segments", disk.path(""), error))?;
    names.retain(|name| {
        name.strip_suffix(EXTENSION).is_some_and(|stem| stem.len() == 20 && stem.bytes().all(|b| b.is_ascii_digit()))
    });
    names.sort_unstable();
    Ok(names)
}
