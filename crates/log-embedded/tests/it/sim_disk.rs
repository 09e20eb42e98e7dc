//! A disk that loses, tears and reorders what was not synced, drawn from a seed.
//!
//! Every file has two contents: what the process sees, and what would be there after the power went. Writes that
//! were not synced are kept as a list of byte ranges; a crash applies a random subset of them, each cut at random
//! bytes, in random order.

use std::{
    collections::BTreeMap,
    io::{self, ErrorKind},
    path::PathBuf,
    sync::Arc,
};

use parking_lot::Mutex;
use rand::{Rng, SeedableRng, rngs::SmallRng, seq::SliceRandom};
use weir_log_embedded::{Disk, DiskFile, DiskLock};

/// The disk.
#[derive(Clone, Default)]
pub(crate) struct SimDisk {
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    files: BTreeMap<String, Arc<SimFile>>,
    /// Names that were created or removed and not yet synced, with what would be there after a crash.
    names_before: Option<BTreeMap<String, Arc<SimFile>>>,
    /// Bytes that all files may have together.
    space: Option<u64>,
    /// Operations until everything fails, as a machine without power does.
    fuse: Option<u64>,
    fail_sync: bool,
}

struct SimFile {
    disk: SimDisk,
    content: Mutex<Content>,
}

#[derive(Clone, Default)]
struct Content {
    seen: Vec<u8>,
    durable: Vec<u8>,
    unsynced: Vec<Change>,
}

#[derive(Clone)]
enum Change {
    Write(usize, Vec<u8>),
    Length(usize),
}

impl Change {
    fn apply(&self, to: &mut Vec<u8>) {
        match self {
            Self::Length(length) => to.resize(*length, 0),
            Self::Write(offset, bytes) => {
                if to.len() < offset + bytes.len() {
                    to.resize(offset + bytes.len(), 0);
                }
                to[*offset..offset + bytes.len()].copy_from_slice(bytes);
            }
        }
    }
}

impl SimDisk {
    /// Cuts the power after some more operations: they and all later ones fail.
    pub(crate) fn cut_power_after(&self, operations: u64) {
        self.state.lock().fuse = Some(operations);
    }

    pub(crate) fn limit_space(&self, bytes: Option<u64>) {
        self.state.lock().space = bytes;
    }

    pub(crate) fn fail_sync(&self, fail: bool) {
        self.state.lock().fail_sync = fail;
    }

    /// The machine starts again: what was not synced is lost, torn or there, as the seed says.
    pub(crate) fn restart(&self, seed: u64) -> Self {
        let mut random = SmallRng::seed_from_u64(seed);
        let state = self.state.lock();
        let names = match &state.names_before {
            Some(before) if random.random() => before,
            _ => &state.files,
        };
        let fresh = Self::default();
        for (name, file) in names {
            let content = file.content.lock();
            let mut durable = content.durable.clone();
            let mut changes = content.unsynced.clone();
            if random.random() {
                changes.shuffle(&mut random);
            }
            for change in changes {
                tear(change, &mut random).iter().for_each(|part| part.apply(&mut durable));
            }
            let content = Content { seen: durable.clone(), durable, unsynced: Vec::new() };
            let file = SimFile { disk: fresh.clone(), content: content.into() };
            fresh.state.lock().files.insert(name.clone(), Arc::new(file));
        }
        fresh
    }

    /// Changes stored bytes behind the back of everyone.
    pub(crate) fn flip(&self, name: &str, bit: usize) {
        let files = self.state.lock();
        let mut content = files.files[name].content.lock();
        content.seen[bit / 8] ^= 1 << (bit % 8);
        content.durable = content.seen.clone();
    }

    pub(crate) fn segments(&self) -> Vec<(String, usize)> {
        let state = self.state.lock();
        let files = state.files.iter().filter(|(name, _)| name.ends_with(".seg"));
        files.map(|(name, file)| (name.clone(), file.content.lock().seen.len())).collect()
    }

    fn operate(&self) -> io::Result<()> {
        let mut state = self.state.lock();
        match &mut state.fuse {
            Some(0) => Err(io::Error::other("the power is off")),
            Some(left) => {
                *left -= 1;
                Ok(())
            }
            None => Ok(()),
        }
    }

    fn used(&self) -> u64 {
        let files: Vec<_> = self.state.lock().files.values().cloned().collect();
        files.iter().map(|file| file.content.lock().seen.len() as u64).sum()
    }

    fn change_names(&self, change: impl FnOnce(&mut BTreeMap<String, Arc<SimFile>>)) {
        let mut state = self.state.lock();
        let before = state.files.clone();
        state.names_before.get_or_insert(before);
        change(&mut state.files);
    }
}

/// What is left of an unsynced change.
fn tear(change: Change, random: &mut SmallRng) -> Vec<Change> {
    match (random.random_range(0..4), change) {
        (0, _) => Vec::new(),
        (1, Change::Write(offset, bytes)) if bytes.len() > 1 => {
            // A few pieces of it reached the disk.
            (0..random.random_range(1..4))
                .map(|_| {
                    let from = random.random_range(0..bytes.len());
                    let to = random.random_range(from..=bytes.len());
                    Change::Write(offset + from, bytes[from..to].to_vec())
                })
                .collect()
        }
        (_, whole) => vec![whole],
    }
}

struct NoLock;

impl DiskLock for NoLock {}

impl Disk for SimDisk {
    fn lock(&self) -> io::Result<Box<dyn DiskLock>> {
        Ok(Box::new(NoLock))
    }

    fn list(&self) -> io::Result<Vec<String>> {
        Ok(self.state.lock().files.keys().cloned().collect())
    }

    fn create(&self, name: &str) -> io::Result<Arc<dyn DiskFile>> {
        self.operate()?;
        if self.state.lock().files.contains_key(name) {
            return Err(ErrorKind::AlreadyExists.into());
        }
        let file = Arc::new(SimFile { disk: self.clone(), content: Mutex::default() });
        self.change_names(|files| drop(files.insert(name.to_owned(), file.clone())));
        Ok(file)
    }

    fn open(&self, name: &str) -> io::Result<Arc<dyn DiskFile>> {
        self.operate()?;
        let file = self.state.lock().files.get(name).cloned().ok_or(ErrorKind::NotFound)?;
        Ok(file)
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        self.operate()?;
        if !self.state.lock().files.contains_key(name) {
            return Err(ErrorKind::NotFound.into());
        }
        self.change_names(|files| drop(files.remove(name)));
        Ok(())
    }

    fn sync_names(&self) -> io::Result<()> {
        self.operate()?;
        self.state.lock().names_before = None;
        Ok(())
    }

    fn path(&self, name: &str) -> PathBuf {
        PathBuf::from("sim").join(name)
    }
}

impl SimFile {
    fn change(&self, change: Change) {
        let mut content = self.content.lock();
        change.apply(&mut content.seen);
        content.unsynced.push(change);
    }
}

impl DiskFile for SimFile {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let content = self.content.lock();
        let from = (offset as usize).min(content.seen.len());
        let count = buffer.len().min(content.seen.len() - from);
        buffer[..count].copy_from_slice(&content.seen[from..from + count]);
        Ok(count)
    }

    fn write_all_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        if let Err(error) = self.disk.operate() {
            // The power went in the middle of this write: it may still be there in part.
            self.content.lock().unsynced.push(Change::Write(offset as usize, bytes.to_vec()));
            return Err(error);
        }
        self.change(Change::Write(offset as usize, bytes.to_vec()));
        Ok(())
    }

    fn allocate(&self, length: u64) -> io::Result<()> {
        self.disk.operate()?;
        let now = self.length()?;
        let space = self.disk.state.lock().space;
        if space.is_some_and(|space| self.disk.used() + length.saturating_sub(now) > space) {
            return Err(ErrorKind::StorageFull.into());
        }
        if length > now {
            self.change(Change::Length(length as usize));
        }
        Ok(())
    }

    fn truncate(&self, length: u64) -> io::Result<()> {
        self.disk.operate()?;
        self.change(Change::Length(length as usize));
        Ok(())
    }

    fn length(&self) -> io::Result<u64> {
        Ok(self.content.lock().seen.len() as u64)
    }

    fn sync(&self) -> io::Result<()> {
        self.disk.operate()?;
        if self.disk.state.lock().fail_sync {
            return Err(io::Error::other("the disk reports an error"));
        }
        let mut content = self.content.lock();
        content.durable = content.seen.clone();
        content.unsynced.clear();
        Ok(())
    }
}
