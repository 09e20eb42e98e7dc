//! The manifest `weir.toml`: the event types, functions and subscriptions of an application, as people write them.
//!
//! It is read whole: every fault is told in one report with its line and its cure, from a misspelt key to a route that
//! another one hides. What comes out is what a space should have; how it is made so is the catalog's business.
//!
//! Files that it names, sources and schemas, are read and checked with it.

mod references;
mod resources;
mod wording;

use std::{
    fmt, fs, io,
    path::{Path, PathBuf},
};

use weir_catalog::Desired;
use weir_domain::{ErrorKind, SpaceName};

use crate::{
    document::Document,
    report::{self, Fault},
};

/// The name of the file.
pub(crate) const FILE_NAME: &str = "weir.toml";

/// The largest manifest that is read, in bytes.
const FILE_BYTES_MAX: u64 = 1024 * 1024;

/// How manifests are read.
pub(crate) struct Manifest;

/// What a manifest says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Loaded {
    /// The space of the application.
    pub(crate) space: SpaceName,
    /// What the space should have, and nothing else.
    pub(crate) desired: Desired,
    /// The files that it was made from: a change of one of them may change it.
    pub(crate) files: Vec<PathBuf>,
}

impl Loaded {
    /// Tells whether it declares nothing at all.
    pub(crate) fn is_empty(&self) -> bool {
        self.desired == Desired::default()
    }
}

impl Manifest {
    /// Reads the manifest of a directory, and the files that it names.
    ///
    /// # Errors
    /// Everything that is wrong with it.
    pub(crate) fn load(directory: &Path) -> Result<Loaded, ManifestError> {
        Self::load_file(&directory.join(FILE_NAME))
    }

    /// Reads a manifest, whatever its name, and the files that it names, which are looked for beside it.
    ///
    /// # Errors
    /// Everything that is wrong with it.
    pub(crate) fn load_file(path: &Path) -> Result<Loaded, ManifestError> {
        let failed = |kind, fault: Fault| ManifestError { kind, faults: vec![fault], files: vec![path.to_owned()] };
        let shown = path.display().to_string();
        let text = match read(path, FILE_BYTES_MAX) {
            Ok(bytes) => bytes,
            Err(Unread::Missing) => {
                let message = "there is no such file: `weir init DIR` makes one, `weir dev DIR` and `weir apply DIR` take \
                   that of another directory";
                return Err(failed(ErrorKind::NotFound, Fault::new(shown, message)));
            }
            Err(unread) => return Err(failed(ErrorKind::Invalid, Fault::new(shown, unread.to_string()))),
        };
        match String::from_utf8(text) {
            Ok(text) => Self::read_at(path, &text),
            Err(_) => Err(failed(ErrorKind::Invalid, Fault::new(shown, "this is not UTF-8: save it as such"))),
        }
    }

    /// Reads the text of a manifest that stands at a path, and the files that it names.
    fn read_at(path: &Path, text: &str) -> Result<Loaded, ManifestError> {
        // A bare name has an empty parent, from which relative paths lead on all the same.
        let directory = path.parent().unwrap_or(path);
        let name = path.file_name().unwrap_or(FILE_NAME.as_ref());
        let document = Document::parse(name.to_string_lossy(), text);
        let mut files = vec![path.to_owned()];
        let mut found = None;
        if document.is_sound() {
            let resources = resources::read(&document, directory, &mut files);
            found = references::check(&document, resources);
        }
        let faults = document.into_faults();
        match found {
            Some((space, desired)) if faults.is_empty() => Ok(Loaded { space, desired, files }),
            _ => Err(ManifestError { kind: ErrorKind::Invalid, faults, files }),
        }
    }

    #[cfg(test)]
    fn read(directory: &Path, text: &str) -> Result<Loaded, ManifestError> {
        Self::read_at(&directory.join(FILE_NAME), text)
    }
}

/// Everything that is wrong with a manifest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ManifestError {
    kind: ErrorKind,
    faults: Vec<Fault>,
    files: Vec<PathBuf>,
}

impl ManifestError {
    /// Returns what the reader must do next.
    pub(crate) const fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// Returns the files that were read until then: a change of one of them may mend it.
    pub(crate) fn files(&self) -> &[PathBuf] {
        &self.files
    }
}

impl fmt::Display for ManifestError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        report::list(f, "the manifest has", &self.faults)
    }
}

impl std::error::Error for ManifestError {}

/// Why a file was not read.
#[derive(Debug, thiserror::Error)]
enum Unread {
    #[error("there is no such file; paths begin beside {manifest}", manifest = FILE_NAME)]
    Missing,
    #[error("this is a directory: name a file")]
    Directory,
    #[error("the file has {bytes} bytes, more than the {bytes_max} that it may have: make it smaller")]
    TooLarge { bytes: u64, bytes_max: u64 },
    #[error("it cannot be read: {0}")]
    Io(io::Error),
}

impl From<io::Error> for Unread {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::NotFound => Self::Missing,
            io::ErrorKind::IsADirectory => Self::Directory,
            _ => Self::Io(error),
        }
    }
}

/// Reads a file that is not larger than it may be.
fn read(path: &Path, bytes_max: u64) -> Result<Vec<u8>, Unread> {
    let bytes = fs::metadata(path)?.len();
    if bytes > bytes_max {
        return Err(Unread::TooLarge { bytes, bytes_max });
    }
    Ok(fs::read(path)?)
}

#[cfg(test)]
mod tests;
