//! The store on disk: fjall, an LSM tree, fed with sorted blocks.
//!
//! ```text
//! ids          16-byte identity                          → position u64be
//! lists        17-byte list name, first position u64be   → LEB128 distances of up to 1,024 positions
//! frames       first position u64be                      → segment u64be, offset u64be
//! spaces       name                                      → newest position u64be
//! meta         "watermark-2"                             → position, segment, offset u64be, chain value
//!              "unfinished"                              → last position of a block that is in the store in part
//! checkpoints  name                                      → value
//! ```
//!
//! The number in the name of the watermark is the version of the index. A store without a watermark of this name is built
//! anew, and keeps its checkpoints.

use std::{
    fs::{self, File},
    io,
    path::{Path, PathBuf},
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use bytes::Bytes;
use fjall::PersistMode;
use parking_lot::RwLock;
use weir_domain::{Position, SpaceName, error_chain};
use weir_log::{Direction, LogError};

use self::{
    handles::Handles,
    spare::{Checkpoint, Spare},
    trouble::Trouble,
};
use super::{Block, IndexStore, SEAL, Watermark};
use crate::{
    index::FramePlace,
    prepare::{IdHash, ListName},
};

mod adding;
mod handles;
mod lists;
mod spare;
#[cfg(test)]
mod tests;
mod trouble;

const WATERMARK: &str = "watermark-2";
/// The checkpoint that says that the others of this index are all that there are. An index that was made anew has none, and
/// only such a one gets those of the copy: where there merely are none any more, the copy may be older than that.
const COMPLETE: &str = "log/checkpoints-complete";
/// Threads of a closed database let go of their last handles a moment after it seems closed.
const CLOSING_PAUSE: Duration = Duration::from_millis(20);

/// Keeps index and checkpoints in a directory.
///
/// fjall takes no write any more after one that failed, until it is opened again. A full disk must heal without a restart,
/// so the write that comes next opens it again; reads go on meanwhile.
pub struct FjallStore {
    directory: PathBuf,
    /// `None` where opening it again failed: the next use tries again.
    handles: RwLock<Option<Handles>>,
    /// A write failed since the database was opened.
    broken: AtomicBool,
    /// The copy of the checkpoints.
    spare: Spare,
}

impl FjallStore {
    /// Opens the store in a directory and creates it where it is missing.
    ///
    /// # Errors
    /// [`LogError::Index`] where the files are proven to be damaged: [`FjallStore::set_aside`] then makes room for a new
    /// store. Any other error may pass, and the store is left as it is.
    pub fn open(directory: &Path) -> Result<Self, LogError> {
        let handles = Handles::open(directory).map_err(|error| Trouble::from(error).while_opening(directory))?;
        Ok(Self {
            directory: directory.to_owned(),
            handles: RwLock::new(Some(handles)),
            broken: AtomicBool::new(false),
            spare: Spare::of(directory),
        })
    }

    /// Brings back the checkpoints of an index that was lost: where this one was made anew, those of the copy beside it.
    ///
    /// # Errors
    /// Where the copy cannot be read, or they cannot be stored. A copy that is damaged is told and is no error: then there
    /// are none.
    pub(crate) fn restore_checkpoints(&self) -> Result<(), LogError> {
        if self.load_checkpoint(COMPLETE)?.is_some() {
            return Ok(());
        }
        let mut all = Vec::new();
        // One from before there was that mark may have them nevertheless.
        if self.checkpoints()?.is_empty() {
            all = self.copied()?;
        }
        let restored = all.len();
        all.push((COMPLETE.to_owned(), Bytes::from_static(&[1])));
        match self.store_checkpoints(&all).and_then(|()| IndexStore::sync(self)) {
            Ok(()) => {}
            // Without space the log can still be read, and the next start does it.
            Err(error) if restored == 0 => {
                tracing::warn!(error = %error_chain(&error), "it cannot be noted that the index has all cursors");
            }
            Err(error) => return Err(error),
        }
        if restored > 0 {
            tracing::warn!(
                copy = %self.spare.path().display(), cursors = restored,
                "the index has no cursors, and got those of the copy: what was delivered after it was made is delivered again"
            );
        }
        Ok(())
    }

    /// Reads the copy. In one that is damaged there is nothing; any other error may pass.
    fn copied(&self) -> Result<Vec<Checkpoint>, LogError> {
        let copy = self.spare.path();
        match self.spare.read() {
            Ok(copied) => Ok(copied.unwrap_or_default()),
            Err(error) if error.kind() == io::ErrorKind::InvalidData => {
                tracing::error!(
                    %error, copy = %copy.display(),
                    "the index has no cursors, and the copy cannot be read: subscriptions begin again where they were made"
                );
                Ok(Vec::new())
            }
            Err(error) => Err(LogError::io("reading the copy of the cursors", copy, error)),
        }
    }

    /// Returns the checkpoints of those who use the log.
    fn checkpoints(&self) -> Result<Vec<Checkpoint>, LogError> {
        self.read(|open| {
            let mut all = Vec::new();
            for entry in open.checkpoints.iter() {
                let (name, value) = entry.into_inner()?;
                let name = str::from_utf8(&name).map_err(|_| Trouble::Malformed("checkpoint"))?;
                // Those are about the segments, which may have been replaced by others, and about this index.
                if name != SEAL && name != COMPLETE {
                    all.push((name.to_owned(), Bytes::copy_from_slice(&value)));
                }
            }
            Ok(all)
        })
    }

    /// Copies the checkpoints where that is due. They are durable without it: that it cannot be made is told and is no error.
    fn copy_checkpoints(&self) {
        if !self.spare.is_due() {
            return;
        }
        let copied = self.checkpoints().map_err(|error| error_chain(&error));
        let copied = copied.and_then(|all| self.spare.write(&all).map_err(|error| error.to_string()));
        if let Err(error) = copied {
            self.spare.mark();
            tracing::warn!(%error, copy = %self.spare.path().display(), "the copy of the cursors cannot be made");
        }
    }

    /// Moves a store that cannot be opened out of the way, so that a new one can be built beside it.
    ///
    /// # Errors
    /// Where the directory cannot be renamed.
    pub fn set_aside(directory: &Path) -> io::Result<PathBuf> {
        let aside = (1..)
            .map(|number: u32| directory.with_extension(format!("damaged-{number}")))
            .find(|candidate| !candidate.exists())
            .unwrap_or_else(|| directory.with_extension("damaged"));
        fs::rename(directory, &aside)?;
        if let Some(parent) = directory.parent() {
            File::open(parent)?.sync_all()?;
        }
        Ok(aside)
    }

    /// Uses the database as it is: one that takes no writes still answers.
    fn with<T>(&self, work: impl FnOnce(&Handles) -> T) -> Result<T, LogError> {
        let mut handles = self.handles.read();
        if handles.is_none() {
            drop(handles);
            self.open_again()?;
            handles = self.handles.read();
        }
        handles.as_ref().map(work).ok_or_else(|| self.absent())
    }

    fn absent(&self) -> LogError {
        let source = io::Error::other("another thread tried it at the same time and could not");
        LogError::io("opening the index again", &self.directory, source)
    }

    fn read<T>(&self, work: impl FnOnce(&Handles) -> Result<T, Trouble>) -> Result<T, LogError> {
        self.with(work)?.map_err(|trouble| trouble.while_open(&self.directory))
    }

    /// Does work that writes and that may be done twice.
    fn write<T>(&self, work: impl Fn(&Handles) -> Result<T, Trouble>) -> Result<T, LogError> {
        let outcome = match self.attempt(&work)? {
            // Something failed behind the last write, which was told nothing. This one may well succeed now.
            Err(Trouble::Database(fjall::Error::Poisoned)) => self.attempt(&work)?,
            other => other,
        };
        outcome.map_err(|trouble| trouble.while_open(&self.directory))
    }

    fn attempt<T>(&self, work: &impl Fn(&Handles) -> Result<T, Trouble>) -> Result<Result<T, Trouble>, LogError> {
        if self.broken.load(Ordering::Acquire) {
            self.open_again()?;
        }
        let outcome = self.with(work)?;
        if outcome.is_err() {
            self.broken.store(true, Ordering::Release);
        }
        Ok(outcome)
    }

    /// Closes the database and opens it again, as a restart would.
    fn open_again(&self) -> Result<(), LogError> {
        let mut handles = self.handles.write();
        if handles.is_some() && !self.broken.load(Ordering::Acquire) {
            return Ok(());
        }
        if let Some(old) = handles.take() {
            drop(old);
            #[expect(clippy::disallowed_methods, reason = "these threads are not ours and tell nobody")]
            std::thread::sleep(CLOSING_PAUSE);
        }
        let fresh = Handles::open(&self.directory).map_err(|error| Trouble::from(error).while_open(&self.directory))?;
        *handles = Some(fresh);
        self.broken.store(false, Ordering::Release);
        tracing::info!(directory = %self.directory.display(), "the index was opened again after a failed write");
        Ok(())
    }
}

impl IndexStore for FjallStore {
    fn watermark(&self) -> Result<Option<Watermark>, LogError> {
        // One that cannot be understood says as little as none: the index is then built anew.
        self.read(|open| Ok(open.index.meta.get(WATERMARK)?.as_deref().and_then(decode_watermark)))
    }

    fn add(&self, block: &Block) -> Result<(), LogError> {
        self.write(|open| open.add(block).map_err(Trouble::from))
    }

    fn clear_index(&self) -> Result<(), LogError> {
        if self.with(|open| open.index.is_empty())? {
            return Ok(());
        }
        let mut handles = self.handles.write();
        let cleared = handles.as_mut().ok_or_else(|| self.absent())?.clear();
        if cleared.is_err() {
            self.broken.store(true, Ordering::Release);
        }
        cleared.map_err(|error| Trouble::from(error).while_open(&self.directory))
    }

    fn id(&self, id: &IdHash) -> Result<Option<Position>, LogError> {
        self.read(|open| match open.index.ids.get(id)? {
            Some(bytes) => position(&bytes).map(Some).ok_or(Trouble::Malformed("identity")),
            None => Ok(None),
        })
    }

    fn list(
        &self,
        list: &ListName,
        from: Position,
        direction: Direction,
        most: usize,
    ) -> Result<Vec<Position>, LogError> {
        self.read(|open| lists::read(&open.index.lists, list, from, direction, most))
    }

    fn newest_of_space(&self, space: &SpaceName) -> Result<Option<Position>, LogError> {
        self.read(|open| match open.index.spaces.get(space.as_str())? {
            Some(bytes) => position(&bytes).map(Some).ok_or(Trouble::Malformed("space")),
            None => Ok(None),
        })
    }

    fn frame_before(&self, at: Position) -> Result<Option<FramePlace>, LogError> {
        self.read(|open| {
            let Some(entry) = open.index.frames.range(..=at.get().to_be_bytes()).next_back() else { return Ok(None) };
            let (key, value) = entry.into_inner()?;
            let parts = value.split_at_checked(8).and_then(|(segment, offset)| {
                Some(FramePlace { base: position(&key)?, segment: position(segment)?, offset: position(offset)?.get() })
            });
            parts.map(Some).ok_or(Trouble::Malformed("frame"))
        })
    }

    fn load_checkpoint(&self, name: &str) -> Result<Option<Bytes>, LogError> {
        self.read(|open| Ok(open.checkpoints.get(name)?.map(|value| Bytes::copy_from_slice(&value))))
    }

    fn store_checkpoints(&self, values: &[(String, Bytes)]) -> Result<(), LogError> {
        self.write(|open| {
            let mut batch = open.database.batch();
            for (name, value) in values {
                batch.insert(&open.checkpoints, name.as_str(), &value[..]);
            }
            batch.commit().map_err(Trouble::from)
        })?;
        if values.iter().any(|(name, _)| name != SEAL && name != COMPLETE) {
            self.spare.mark();
        }
        Ok(())
    }

    fn remove_checkpoints(&self, names: &[String]) -> Result<(), LogError> {
        self.write(|open| {
            let mut batch = open.database.batch();
            for name in names {
                batch.remove(&open.checkpoints, name.as_str());
            }
            batch.commit().map_err(Trouble::from)
        })?;
        self.spare.mark();
        Ok(())
    }

    fn sync(&self) -> Result<(), LogError> {
        self.write(|open| open.database.persist(PersistMode::SyncAll).map_err(Trouble::from))?;
        self.copy_checkpoints();
        Ok(())
    }
}

fn position(bytes: &[u8]) -> Option<Position> {
    Some(Position::new(u64::from_be_bytes(bytes.try_into().ok()?)))
}

fn encode_watermark(watermark: &Watermark) -> Vec<u8> {
    let mut out = Vec::with_capacity(56);
    for number in [watermark.position.get(), watermark.segment.get(), watermark.offset] {
        out.extend_from_slice(&number.to_be_bytes());
    }
    out.extend_from_slice(&watermark.chain);
    out
}

fn decode_watermark(bytes: &[u8]) -> Option<Watermark> {
    let (numbers, chain) = bytes.split_at_checked(24)?;
    Some(Watermark {
        position: position(&numbers[..8])?,
        segment: position(&numbers[8..16])?,
        offset: position(&numbers[16..])?.get(),
        chain: chain.try_into().ok()?,
    })
}
