//! A copy of the checkpoints beside the index, for the day on which the index cannot be opened any more.
//!
//! Checkpoints are not derived from anything: with a lost index the cursors of all subscriptions would be gone, and
//! everything would be delivered again. The copy is one small file, replaced as a whole, at most once in [`PAUSE`].
//!
//! ```text
//! magic "WEIRCKP" and the version, 1
//! for each checkpoint: length of the name u32be, name, length of the value u32be, value
//! CRC-32C of all before it, u32be
//! ```

use std::{
    fs::{self, File},
    io::{self, ErrorKind, Write},
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use bytes::Bytes;
use parking_lot::Mutex;

const MAGIC: &[u8; 8] = b"WEIRCKP\x01";
const CRC_BYTES: usize = 4;
/// The least time between two copies, and so about the most by which the copy is behind.
const PAUSE: Duration = Duration::from_secs(5);

/// A checkpoint: name and value.
pub(super) type Checkpoint = (String, Bytes);

/// The copy of one index.
pub(super) struct Spare {
    path: PathBuf,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    is_behind: bool,
    written: Option<Instant>,
}

impl Spare {
    /// Names the copy of the index in a directory; it stands beside that.
    pub(super) fn of(index: &Path) -> Self {
        Self { path: index.with_file_name("checkpoints"), state: Mutex::default() }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Takes note that a checkpoint has changed.
    pub(super) fn mark(&self) {
        self.state.lock().is_behind = true;
    }

    /// Tells whether a copy should be made now, and counts it as made.
    pub(super) fn is_due(&self) -> bool {
        let mut state = self.state.lock();
        let is_due = state.is_behind && state.written.is_none_or(|at| at.elapsed() >= PAUSE);
        if is_due {
            *state = State { is_behind: false, written: Some(Instant::now()) };
        }
        is_due
    }

    /// Replaces the copy. A crash meanwhile leaves the one before.
    pub(super) fn write(&self, checkpoints: &[Checkpoint]) -> io::Result<()> {
        let mut bytes = MAGIC.to_vec();
        for part in checkpoints.iter().flat_map(|(name, value)| [name.as_bytes(), value.as_ref()]) {
            let length = u32::try_from(part.len()).map_err(io::Error::other)?;
            bytes.extend_from_slice(&length.to_be_bytes());
            bytes.extend_from_slice(part);
        }
        let crc = crc32c::crc32c(&bytes);
        bytes.extend_from_slice(&crc.to_be_bytes());
        let fresh = self.path.with_extension("new");
        let mut file = File::create(&fresh)?;
        file.write_all(&bytes)?;
        file.sync_all()?;
        fs::rename(&fresh, &self.path)?;
        match self.path.parent() {
            Some(holder) if !holder.as_os_str().is_empty() => File::open(holder)?.sync_all(),
            _ => File::open(".")?.sync_all(),
        }
    }

    /// Reads the copy; `None` where there is none.
    pub(super) fn read(&self) -> io::Result<Option<Vec<Checkpoint>>> {
        let bytes = match fs::read(&self.path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        let damaged = || io::Error::new(ErrorKind::InvalidData, "it is damaged, or of another version of weir");
        decode(&bytes).map(Some).ok_or_else(damaged)
    }
}

fn decode(bytes: &[u8]) -> Option<Vec<Checkpoint>> {
    let (content, crc) = bytes.split_at_checked(bytes.len().checked_sub(CRC_BYTES)?)?;
    if crc32c::crc32c(content).to_be_bytes() != crc {
        return None;
    }
    let mut rest = content.strip_prefix(MAGIC)?;
    let mut checkpoints = Vec::new();
    while !rest.is_empty() {
        let name = String::from_utf8(part(&mut rest)?.to_vec()).ok()?;
        checkpoints.push((name, Bytes::copy_from_slice(part(&mut rest)?)));
    }
    Some(checkpoints)
}

fn part<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let all: &'a [u8] = rest;
    let (length, behind) = all.split_first_chunk::<4>()?;
    let (part, behind) = behind.split_at_checked(usize::try_from(u32::from_be_bytes(*length)).ok()?)?;
    *rest = behind;
    Some(part)
}

#[cfg(test)]
mod tests {
    use tempfile::TempDir;

    use super::*;

    /// Only the whole copy is read: a cursor that was taken out of damage would drop or repeat events.
    #[test]
    fn a_copy_comes_back_whole_or_not_at_all() {
        let directory = TempDir::new().expect("a temporary directory");
        let spare = Spare::of(&directory.path().join("index"));
        assert_eq!(spare.read().expect("readable"), None);
        let written = vec![("cursor/a".to_owned(), Bytes::from_static(&[7; 8])), (String::new(), Bytes::new())];
        spare.write(&[]).expect("written");
        spare.write(&written).expect("written");
        assert_eq!(spare.read().expect("readable"), Some(written));
        let good = fs::read(spare.path()).expect("readable");
        for cut in 0..good.len() {
            fs::write(spare.path(), &good[..cut]).expect("written");
            spare.read().expect_err("it is cut");
            let mut flipped = good.clone();
            flipped[cut] ^= 0x10;
            fs::write(spare.path(), &flipped).expect("written");
            spare.read().expect_err("a bit is wrong");
        }
    }

    #[test]
    fn copies_are_made_where_something_changed_and_not_all_the_time() {
        let spare = Spare::of(Path::new("index"));
        assert!(!spare.is_due(), "nothing has changed");
        spare.mark();
        assert!(spare.is_due());
        spare.mark();
        assert!(!spare.is_due(), "one was made just now");
    }
}
