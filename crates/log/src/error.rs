//! What can go wrong with the log.

use std::{io, path::PathBuf, time::Duration};

use weir_domain::{ErrorKind, Position};

/// An error of a log engine.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// The condition of an append did not hold; nothing was written.
    #[error("an event that matches the condition stands after position {after}: read on to position {beaten_by}")]
    ConditionFailed {
        /// Up to where the writer had read.
        after: Position,
        /// The newest event that matches.
        beaten_by: Position,
    },
    /// A batch is larger than a frame can be; nothing was written.
    #[error("the batch has {bytes} bytes, and at most {bytes_max} can be written at once: split it")]
    TooLarge {
        /// The size of the batch.
        bytes: usize,
        /// The bound.
        bytes_max: usize,
    },
    /// The disk has no space; nothing was written, and the same append succeeds when there is space again.
    #[error("no space is left on the disk that holds the log: free some and repeat the append")]
    DiskFull(#[source] io::Error),
    /// The engine cannot take more at this moment.
    #[error("the log has more work waiting than it holds: repeat the append later")]
    Overloaded,
    /// A file or network operation failed.
    #[error("{operation} failed on {path}")]
    Io {
        /// What was tried.
        operation: &'static str,
        /// On which file.
        path: PathBuf,
        /// What the operating system said.
        #[source]
        source: io::Error,
    },
    /// Stored bytes are not what was written.
    #[error("the log is damaged in {file} at byte {offset}: {detail}")]
    Corrupt {
        /// The damaged file.
        file: PathBuf,
        /// Where in the file.
        offset: u64,
        /// What is wrong and what can be done.
        detail: String,
    },
    /// The directory is not one that this engine can open.
    #[error("the log in {path} cannot be opened: {detail}")]
    Unusable {
        /// The directory or file.
        path: PathBuf,
        /// Why, and what to do.
        detail: String,
    },
    /// Another process has the directory open.
    #[error("the log in {path} cannot be opened: {detail}")]
    InUse {
        /// The directory.
        path: PathBuf,
        /// Which process, and what to do.
        detail: String,
    },
    /// The derived index failed.
    #[error("the index of the log failed: {detail}")]
    Index {
        /// What the index said.
        detail: String,
    },
    /// The engine was shut down.
    #[error("the log is closed")]
    Closed,
}

impl LogError {
    /// Tells what the reader must do next.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::ConditionFailed { .. } => ErrorKind::Conflict,
            Self::TooLarge { .. } => ErrorKind::Invalid,
            Self::DiskFull(_) => ErrorKind::Unavailable { retry_after: Some(Duration::from_secs(5)) },
            Self::Overloaded => ErrorKind::Unavailable { retry_after: Some(Duration::from_secs(1)) },
            Self::Io { .. } | Self::InUse { .. } => ErrorKind::Unavailable { retry_after: None },
            Self::Corrupt { .. } => ErrorKind::Corrupt,
            Self::Unusable { .. } => ErrorKind::Invalid,
            Self::Index { .. } => ErrorKind::Internal,
            Self::Closed => ErrorKind::Closed,
        }
    }

    /// Makes the error of a failed file operation, telling a full disk from the rest.
    #[must_use]
    pub fn io(operation: &'static str, path: impl Into<PathBuf>, source: io::Error) -> Self {
        if matches!(source.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded) {
            Self::DiskFull(source)
        } else {
            Self::Io { operation, path: path.into(), source }
        }
    }
}
