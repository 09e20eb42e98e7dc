//! Where the server of a history keeps its data: a directory, or a small file system that can be filled.

use std::{
    fs::{self, File},
    io::{ErrorKind, Write},
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use crate::process::directory;

/// A place for data, gone with all that is in it when this is dropped.
pub(super) struct Volume {
    directory: tempfile::TempDir,
    is_mounted: bool,
}

impl Volume {
    /// A directory on the disk of the build.
    pub(super) fn plain() -> Self {
        Self { directory: directory(), is_mounted: false }
    }

    /// A file system of its own, in memory; nothing where this program may not mount one.
    pub(super) fn small(mib: u64) -> Option<Self> {
        let mut volume = Self::plain();
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", &format!("size={mib}m,mode=700"), "tmpfs"]).arg(volume.directory.path());
        let status = mount.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status();
        volume.is_mounted = status.is_ok_and(|status| status.success());
        volume.is_mounted.then_some(volume)
    }

    pub(super) fn path(&self) -> &Path {
        self.directory.path()
    }

    /// Takes all space that is left.
    pub(super) fn fill(&self) {
        let mut ballast = File::create(self.ballast()).expect("a file");
        let piece = [0; 64 * 1024];
        loop {
            match ballast.write_all(&piece) {
                Ok(()) => {}
                Err(error) if error.kind() == ErrorKind::StorageFull => return,
                Err(error) => panic!("the ballast cannot be written: {error}"),
            }
        }
    }

    /// Gives it back.
    pub(super) fn free(&self) {
        fs::remove_file(self.ballast()).expect("removed");
    }

    fn ballast(&self) -> PathBuf {
        self.path().join("ballast")
    }
}

impl Drop for Volume {
    fn drop(&mut self) {
        if self.is_mounted {
            // Where that fails, the directory stays as well, which is no reason to fail.
            let _ = Command::new("umount").arg("-l").arg(self.directory.path()).status();
        }
    }
}
