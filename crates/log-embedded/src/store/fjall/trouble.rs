//! What can go wrong with the database, told apart by what must be done: wait, free space, or build the index anew.

use std::{io, path::Path};

use fjall::{JournalRecoveryError, LsmError};
use weir_log::LogError;

/// The file that fjall writes at the end of the creation of a database.
const CREATED_LAST: &str = "version";

/// An error of the database, or an entry that is not of the known form.
#[derive(Debug)]
pub(super) enum Trouble {
    Database(fjall::Error),
    Malformed(&'static str),
}

impl From<fjall::Error> for Trouble {
    fn from(error: fjall::Error) -> Self {
        Self::Database(error)
    }
}

impl Trouble {
    /// Makes the error of an open log.
    pub(super) fn while_open(self, directory: &Path) -> LogError {
        match self {
            // The tree wraps what the operating system says; a full disk must be told from the rest all the same.
            Self::Database(fjall::Error::Io(source) | fjall::Error::Storage(LsmError::Io(source))) => {
                LogError::io("using the index", directory, source)
            }
            Self::Database(fjall::Error::Poisoned) => {
                let source = io::Error::other("a write behind the scenes failed, and it is opened again");
                LogError::io("writing the index", directory, source)
            }
            Self::Database(error) => LogError::Index { detail: error.to_string() },
            Self::Malformed(what) => LogError::Index {
                detail: format!("an entry about a {what} has the wrong length: run `weir log repair`"),
            },
        }
    }

    /// Makes the error of a log that is being opened: [`LogError::Index`] only where damage is proven.
    ///
    /// The index holds the cursors of all subscriptions. What may pass, such as a disk that reports an error once or too
    /// many open files, must not cost them.
    pub(super) fn while_opening(self, directory: &Path) -> LogError {
        if self.is_damage() || self.is_unborn(directory) {
            return LogError::Index { detail: self.what() };
        }
        match self {
            Self::Database(fjall::Error::Io(source) | fjall::Error::Storage(LsmError::Io(source))) => {
                LogError::io("opening the index, which was left as it is,", directory, source)
            }
            other => LogError::Unusable {
                path: directory.to_owned(),
                detail: format!(
                    "{}; the index was left as it is: remove the cause, or move this directory away to have it built anew, which makes subscriptions begin again at the copy of their cursors",
                    other.what(),
                ),
            },
        }
    }

    fn is_damage(&self) -> bool {
        match self {
            Self::Malformed(_) => true,
            Self::Database(error) => match error {
                fjall::Error::Io(source) | fjall::Error::Storage(LsmError::Io(source)) => is_about_content(source),
                fjall::Error::Storage(error) => matches!(
                    error,
                    LsmError::Decompress(_)
                        | LsmError::Unrecoverable
                        | LsmError::ChecksumMismatch { .. }
                        | LsmError::InvalidTag(_)
                        | LsmError::InvalidTrailer
                        | LsmError::InvalidHeader(_)
                        | LsmError::Utf8(_)
                ),
                // A file with a name that is no number is in the way; it is not damage to what is stored.
                fjall::Error::JournalRecovery(error) => *error != JournalRecoveryError::InvalidFileName,
                // A version that can be read belongs to another release of the database.
                fjall::Error::InvalidVersion(version) => version.is_none(),
                fjall::Error::Decompress(_)
                | fjall::Error::InvalidTrailer
                | fjall::Error::InvalidTag(_)
                | fjall::Error::Unrecoverable => true,
                _ => false,
            },
        }
    }

    /// Tells whether the creation of the database was interrupted: it cannot be opened, and nothing was ever stored in it.
    fn is_unborn(&self, directory: &Path) -> bool {
        let Self::Database(fjall::Error::Io(error)) = self else { return false };
        error.kind() == io::ErrorKind::AlreadyExists && !directory.join(CREATED_LAST).exists()
    }

    fn what(&self) -> String {
        match self {
            Self::Database(fjall::Error::Locked) => "another process uses it".to_owned(),
            Self::Database(error) => error.to_string(),
            Self::Malformed(what) => format!("an entry about a {what} has the wrong length"),
        }
    }
}

/// Tells whether an error of reading is about content: a file is shorter than it should be, or has no meaning. The
/// operating system reports its own errors with a number.
fn is_about_content(source: &io::Error) -> bool {
    source.raw_os_error().is_none()
        && matches!(source.kind(), io::ErrorKind::UnexpectedEof | io::ErrorKind::InvalidData)
}
