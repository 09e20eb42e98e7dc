//! A disk that loses, tears and reorders what was not synced, drawn from a seed.
//!
//! Every file has two contents: what the process sees, and what would be there after the power went. Writes that
//! were not synced are kept as a list of byte ranges; a crash applies a random subset of them, each cut at random
//! bytes, in random order. A sync that fails forgets them, as Linux does: they are still seen, count as written, and
//! never get to the disk unless they are written again.

use std::{
    collections::BTreeMap,
    io::{self, ErrorKind},
    path::PathBuf,
    sync::Arc,
};

use parking_lot::Mutex;
use rand::{Rng, SeedableRng, rngs::SmallRng, seq::SliceRandom};
use weir_log_embedded::{Disk, DiskFile, DiskLock};

/// A disk in memory. Clones are the same disk.
#[derive(Clone, Default)]
pub struct SimDisk {
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    files: BTreeMap<String, Arc<SimFile>>,
    /// Names that were created or removed and not yet synced, with what would be there after a crash.
    names_before: Option<BTreeMap<String, Arc<SimFile>>>,
    /// Bytes that all files may have together.
    space: Option<u64>,
    /// Operations until everything fails, as for a process that was killed or a machine without power.
    fuse: Option<u64>,
    /// Everything fails.
    off: bool,
    /// Operations until a single one fails.
    glitch: Option<u64>,
    fail_sync: bool,
    /// The next sync fails, and the process dies in it.
    die_in_sync: bool,
    /// Draws what a failed sync carried to the disk all the same.
    seed: u64,
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
    /// The write in the middle of which everything ended: it may be there in part.
    interrupted: Option<Change>,
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
    /// Ends the process after some more operations: all later ones fail, until [`SimDisk::restart`] where the power
    /// went, or [`SimDisk::revive`] where it did not.
    pub fn cut_power_after(&self, operations: u64) {
        self.state.lock().fuse = Some(operations);
    }

    /// Lets a single operation fail after some more.
    pub fn glitch_after(&self, operations: u64) {
        self.state.lock().glitch = Some(operations);
    }

    /// Ends the process in its next sync, which fails.
    pub fn die_in_sync(&self) {
        self.state.lock().die_in_sync = true;
    }

    /// Tells whether the process has ended.
    #[must_use]
    pub fn is_off(&self) -> bool {
        self.state.lock().off
    }

    /// The process starts again, on a machine that kept running: what was written is seen, synced or not.
    pub fn revive(&self) {
        let mut state = self.state.lock();
        (state.fuse, state.glitch, state.off) = (None, None, false);
        state.files.values().for_each(|file| file.content.lock().interrupted = None);
    }

    /// Bounds the bytes that all files may have together.
    pub fn limit_space(&self, bytes: Option<u64>) {
        self.state.lock().space = bytes;
    }

    /// Lets every sync fail, until told otherwise.
    pub fn fail_sync(&self, fail: bool) {
        self.state.lock().fail_sync = fail;
    }

    /// Takes back every fault that was ordered and has not struck, and gives space and syncs back. A process that has
    /// ended stays so.
    pub fn heal(&self) {
        let mut state = self.state.lock();
        (state.space, state.glitch, state.fail_sync, state.die_in_sync) = (None, None, false, false);
        if !state.off {
            state.fuse = None;
        }
    }

    /// The machine starts again: what was not synced is lost, torn or there, as the seed says.
    #[must_use]
    pub fn restart(&self, seed: u64) -> Self {
        let mut random = SmallRng::seed_from_u64(seed);
        let state = self.state.lock();
        let names = match &state.names_before {
            Some(before) if random.random() => before,
            _ => &state.files,
        };
        let fresh = Self::default();
        fresh.state.lock().seed = seed;
        for (name, file) in names {
            let content = file.content.lock();
            let mut durable = content.durable.clone();
            let mut changes = content.unsynced.clone();
            changes.extend(content.interrupted.clone());
            if random.random() {
                changes.shuffle(&mut random);
            }
            for change in changes {
                tear(change, &mut random).iter().for_each(|part| part.apply(&mut durable));
            }
            let content = Content { seen: durable.clone(), durable, ..Content::default() };
            let file = SimFile { disk: fresh.clone(), content: content.into() };
            fresh.state.lock().files.insert(name.clone(), Arc::new(file));
        }
        fresh
    }

    /// A disk with what is seen, all of it durable.
    #[must_use]
    pub fn copy(&self) -> Self {
        let fresh = Self::default();
        self.names().into_iter().for_each(|name| fresh.put(&name, self.bytes(&name)));
        fresh
    }

    /// Changes stored bytes behind the back of everyone.
    pub fn flip(&self, name: &str, bit: usize) {
        let files = self.state.lock();
        let mut content = files.files[name].content.lock();
        content.seen[bit / 8] ^= 1 << (bit % 8);
        content.durable = content.seen.clone();
    }

    /// Returns the content of a file.
    #[must_use]
    pub fn bytes(&self, name: &str) -> Vec<u8> {
        self.state.lock().files[name].content.lock().seen.clone()
    }

    /// Replaces the content of a file behind the back of everyone.
    pub fn put(&self, name: &str, bytes: Vec<u8>) {
        let content = Content { seen: bytes.clone(), durable: bytes, ..Content::default() };
        let file = SimFile { disk: self.clone(), content: content.into() };
        self.state.lock().files.insert(name.to_owned(), Arc::new(file));
    }

    /// Returns the names of all files.
    #[must_use]
    pub fn names(&self) -> Vec<String> {
        self.state.lock().files.keys().cloned().collect()
    }

    /// Returns the names and lengths of all segment files.
    #[must_use]
    pub fn segments(&self) -> Vec<(String, usize)> {
        let state = self.state.lock();
        let files = state.files.iter().filter(|(name, _)| name.ends_with(".seg"));
        files.map(|(name, file)| (name.clone(), file.content.lock().seen.len())).collect()
    }

    fn operate(&self) -> io::Result<()> {
        let mut state = self.state.lock();
        match state.fuse {
            Some(0) => {
                state.off = true;
                return Err(io::Error::other("the power is off"));
            }
            Some(left) => state.fuse = Some(left - 1),
            None => {}
        }
        match state.glitch {
            Some(0) => {
                state.glitch = None;
                Err(io::Error::other("the disk reports an error"))
            }
            Some(left) => {
                state.glitch = Some(left - 1);
                Ok(())
            }
            None => Ok(()),
        }
    }

    fn dice(&self) -> SmallRng {
        let mut state = self.state.lock();
        state.seed = state.seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        SmallRng::seed_from_u64(state.seed)
    }

    /// Refuses what would make the files larger than the disk.
    fn make_room(&self, more: u64) -> io::Result<()> {
        let space = self.state.lock().space;
        if more > 0 && space.is_some_and(|space| self.used() + more > space) {
            return Err(ErrorKind::StorageFull.into());
        }
        Ok(())
    }

    /// Returns the bytes of all files together.
    #[must_use]
    pub fn used(&self) -> u64 {
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
        let off_before = self.disk.is_off();
        if let Err(error) = self.disk.operate() {
            if !self.disk.is_off() {
                self.change(Change::Write(offset as usize, bytes[..bytes.len() / 2].to_vec()));
            } else if !off_before {
                self.content.lock().interrupted = Some(Change::Write(offset as usize, bytes.to_vec()));
            }
            return Err(error);
        }
        self.disk.make_room((offset + bytes.len() as u64).saturating_sub(self.length()?))?;
        self.change(Change::Write(offset as usize, bytes.to_vec()));
        Ok(())
    }

    fn allocate(&self, length: u64) -> io::Result<()> {
        self.disk.operate()?;
        let now = self.length()?;
        self.disk.make_room(length.saturating_sub(now))?;
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
        let error = self.disk.operate().err();
        if self.disk.is_off() {
            return error.map_or(Ok(()), Err);
        }
        let (fails, dies) = {
            let mut state = self.disk.state.lock();
            let dies = std::mem::take(&mut state.die_in_sync);
            if dies {
                (state.fuse, state.off) = (Some(0), true);
            }
            (state.fail_sync, dies)
        };
        let mut random = self.disk.dice();
        let mut content = self.content.lock();
        let Content { durable, unsynced, .. } = &mut *content;
        if error.is_none() && !fails && !dies {
            unsynced.drain(..).for_each(|change| change.apply(durable));
            return Ok(());
        }
        // Lengths are in the journal of the file system, which writes them another time.
        let lost = unsynced.extract_if(.., |change| matches!(change, Change::Write(..))).collect::<Vec<_>>();
        if error.is_some() && random.random() {
            lost.into_iter().for_each(|change| tear(change, &mut random).iter().for_each(|part| part.apply(durable)));
        }
        Err(error.unwrap_or_else(|| io::Error::other("the disk reports an error")))
    }
}
