//! The port to the file system: one flat directory of log files.
//!
//! Everything that must survive a crash goes through this port, so that a simulated disk can lose, tear and reorder
//! what was not synced.

use std::{
    fs::{File, OpenOptions, TryLockError},
    io::{self, ErrorKind, Write},
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
    sync::Arc,
};

use rustix::fs::FallocateFlags;

/// One open file of the log. Reads and writes name their place, so a file can be shared by threads.
pub trait DiskFile: Send + Sync + 'static {
    /// Reads up to `buffer.len()` bytes; fewer only at the end of the file.
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize>;
    /// Writes all bytes.
    fn write_all_at(&self, bytes: &[u8], offset: u64) -> io::Result<()>;
    /// Reserves space up to `length`, so that writes below it need no further space; what was not written reads as zero.
    fn allocate(&self, length: u64) -> io::Result<()>;
    /// Cuts the file at `length`.
    fn truncate(&self, length: u64) -> io::Result<()>;
    /// Returns the length of the file.
    fn length(&self) -> io::Result<u64>;
    /// Waits until all that was written before is on stable storage.
    fn sync(&self) -> io::Result<()>;
}

/// Holds a directory for one process until dropped.
pub trait DiskLock: Send + Sync + 'static {}

/// One directory of log files.
pub trait Disk: Send + Sync + 'static {
    /// Takes the directory for this process alone.
    fn lock(&self) -> io::Result<Box<dyn DiskLock>>;
    /// Returns the names of all files.
    fn list(&self) -> io::Result<Vec<String>>;
    /// Creates a file that must not exist.
    fn create(&self, name: &str) -> io::Result<Arc<dyn DiskFile>>;
    /// Opens an existing file.
    fn open(&self, name: &str) -> io::Result<Arc<dyn DiskFile>>;
    /// Removes a file.
    fn remove(&self, name: &str) -> io::Result<()>;
    /// Waits until created and removed names are on stable storage.
    fn sync_names(&self) -> io::Result<()>;
    /// Returns the path of a file for messages.
    fn path(&self, name: &str) -> PathBuf;
}

/// A directory of the operating system.
#[derive(Debug)]
pub struct RealDisk {
    directory: PathBuf,
}

impl RealDisk {
    const LOCK: &str = "LOCK";

    /// Uses a directory and creates it where it is missing. Its own name is then on stable storage: synced files in a
    /// directory that a power cut takes away would be lost with it.
    ///
    /// # Errors
    /// Where the directory cannot be created.
    pub fn new(directory: &Path) -> io::Result<Self> {
        let holders = holders(directory);
        std::fs::create_dir_all(directory)?;
        for holder in holders {
            File::open(holder)?.sync_all()?;
        }
        Ok(Self::existing(directory))
    }

    /// Uses a directory that is there, and changes nothing about it.
    pub(crate) fn existing(directory: &Path) -> Self {
        Self { directory: directory.to_owned() }
    }
}

/// Returns the directories that hold the name of this one and of each missing one above it.
///
/// The nearest one is always among them: an earlier start may have been killed between making the directory and syncing
/// its name.
fn holders(directory: &Path) -> Vec<PathBuf> {
    let mut all = Vec::new();
    for name in directory.ancestors() {
        let Some(holder) = name.parent() else { break };
        // The parent of a relative name without a slash is the empty path: the working directory.
        all.push(if holder.as_os_str().is_empty() { PathBuf::from(".") } else { holder.to_owned() });
        if holder.as_os_str().is_empty() || holder.exists() {
            break;
        }
    }
    all
}

/// Tells whether an operation failed because there is no space, be it that of the disk or that of a quota.
pub(crate) fn is_full(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::StorageFull | ErrorKind::QuotaExceeded)
}

struct LockFile {
    // The lock lasts as long as the file is open.
    _file: File,
}

impl DiskLock for LockFile {}

impl Disk for RealDisk {
    fn lock(&self) -> io::Result<Box<dyn DiskLock>> {
        let path = self.path(Self::LOCK);
        let mut file = OpenOptions::new().create(true).truncate(false).read(true).write(true).open(&path)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let owner = std::fs::read_to_string(&path).unwrap_or_default();
                return Err(io::Error::new(ErrorKind::ResourceBusy, format!("process {} uses it", owner.trim())));
            }
            Err(TryLockError::Error(error)) => return Err(error),
        }
        file.set_len(0)?;
        writeln!(file, "{}", std::process::id())?;
        Ok(Box::new(LockFile { _file: file }))
    }

    fn list(&self) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in std::fs::read_dir(&self.directory)? {
            let entry = entry?;
            // A name that is not UTF-8 is none of ours.
            if let (true, Ok(name)) = (entry.file_type()?.is_file(), entry.file_name().into_string()) {
                names.push(name);
            }
        }
        Ok(names)
    }

    fn create(&self, name: &str) -> io::Result<Arc<dyn DiskFile>> {
        let file = OpenOptions::new().create_new(true).read(true).write(true).open(self.path(name))?;
        Ok(Arc::new(RealFile(file)))
    }

    fn open(&self, name: &str) -> io::Result<Arc<dyn DiskFile>> {
        let file = OpenOptions::new().read(true).write(true).open(self.path(name))?;
        Ok(Arc::new(RealFile(file)))
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        std::fs::remove_file(self.path(name))
    }

    fn sync_names(&self) -> io::Result<()> {
        File::open(&self.directory)?.sync_all()
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }
}

struct RealFile(File);

impl DiskFile for RealFile {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let mut done = 0;
        while done < buffer.len() {
            match self.0.read_at(&mut buffer[done..], offset + done as u64) {
                Ok(0) => break,
                Ok(read) => done += read,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(done)
    }

    fn write_all_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        self.0.write_all_at(bytes, offset)
    }

    fn allocate(&self, length: u64) -> io::Result<()> {
        match rustix::fs::fallocate(&self.0, FallocateFlags::empty(), 0, length) {
            Ok(()) => Ok(()),
            // A file system without reservation: the length at least keeps later syncs from writing metadata.
            Err(rustix::io::Errno::OPNOTSUPP) => self.0.set_len(length),
            Err(error) => Err(error.into()),
        }
    }

    fn truncate(&self, length: u64) -> io::Result<()> {
        self.0.set_len(length)
    }

    fn length(&self) -> io::Result<u64> {
        Ok(self.0.metadata()?.len())
    }

    fn sync(&self) -> io::Result<()> {
        self.0.sync_data()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_that_is_made_has_its_holder_synced() {
        let there = tempfile::tempdir().expect("a directory");
        let data = there.path().join("data");
        let expected = vec![data.clone(), there.path().to_owned()];
        assert_eq!(holders(&data.join("log")), expected);
        RealDisk::new(&data.join("log")).expect("made");
        assert_eq!(holders(&data.join("log")), [data], "what is there already still has its name synced");
        assert_eq!(holders(Path::new("log")), [PathBuf::from(".")]);
    }
}
