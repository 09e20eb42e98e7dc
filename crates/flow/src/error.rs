//! What can go wrong between the log and the functions.

use std::time::Duration;

use weir_catalog::{ApplyError, CatalogError, stored::StoredError};
use weir_domain::{ErrorKind, Position};
use weir_log::LogError;

use crate::{MakeError, Refusal, Unmet};

/// Why the flow could not begin.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The log could not be read.
    #[error("reading the configuration from the log failed")]
    Log(#[from] LogError),
    /// A stored change cannot be read.
    #[error("the configuration change at position {position} cannot be read")]
    Stored {
        /// Where it stands.
        position: Position,
        /// What is wrong with it.
        #[source]
        source: StoredError,
    },
    /// A stored change does not fit those before it.
    #[error("the configuration change at position {position} does not follow from those before it")]
    Apply {
        /// Where it stands.
        position: Position,
        /// What does not fit.
        #[source]
        source: ApplyError,
    },
}

impl OpenError {
    /// Tells what the reader must do next.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Log(error) => error.kind(),
            Self::Stored { source, .. } => source.kind(),
            Self::Apply { .. } => ErrorKind::Corrupt,
        }
    }
}

/// Why the configuration was not changed.
#[derive(Debug, thiserror::Error)]
pub enum ChangeError {
    /// The command breaks a rule of the catalog.
    #[error(transparent)]
    Catalog(#[from] CatalogError),
    /// What was asked to be changed is at another version than it should be.
    #[error("the precondition of the change does not hold")]
    Precondition {
        /// The part that does not hold.
        unmet: Unmet,
        /// The present version; `None` where it is not there.
        version: Option<Position>,
    },
    /// The change could not be written.
    #[error("the change could not be written to the log")]
    Log(#[from] LogError),
    /// A function could not be made ready.
    #[error("function \"{id}\" cannot be made ready")]
    Function {
        /// The function.
        id: String,
        /// Why: what is wrong with it, or with its platform at this moment.
        #[source]
        source: MakeError,
    },
    /// More changes wait than may.
    #[error("too many changes of the configuration wait for one another: repeat the request later")]
    Busy,
    /// More functions are being made ready than may, or this one was changed again and again while it was.
    #[error("too many functions are being made ready: repeat the request later")]
    Making,
    /// The change is in the log, and the configuration could not be read back from there.
    #[error("the configuration in the log cannot be read")]
    Unreadable(#[from] OpenError),
    /// The flow is shutting down.
    #[error("the configuration cannot be changed any more: the server is shutting down")]
    Stopped,
}

impl ChangeError {
    /// Tells what the reader must do next.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Catalog(error) => error.kind(),
            Self::Log(error) => error.kind(),
            Self::Precondition { .. } => ErrorKind::Conflict,
            Self::Function { source, .. } => source.kind(),
            Self::Busy | Self::Making => ErrorKind::Unavailable { retry_after: Some(Duration::from_secs(1)) },
            Self::Unreadable(error) => error.kind(),
            Self::Stopped => ErrorKind::Closed,
        }
    }
}

/// Why a caller who waits gets no answer from a function.
#[derive(Debug, thiserror::Error)]
pub enum CallFailure {
    /// The event was not admitted.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The log did not take an event.
    #[error("the log did not take the event")]
    Log(#[from] LogError),
    /// The function failed.
    #[error("{message}")]
    Failed {
        /// For the operator.
        message: String,
        /// What can be done.
        kind: ErrorKind,
    },
    /// A service that stands between here and the function refused the call.
    #[error("{message}")]
    Service {
        /// The code of its error.
        code: String,
        /// For the operator.
        message: String,
    },
    /// The function answered something that is no HTTP answer.
    #[error("the answer of the function is malformed: {message}")]
    Malformed {
        /// What is wrong and where.
        message: String,
    },
    /// Too many callers wait already.
    #[error("too many calls wait for functions: repeat the request later")]
    Busy,
}

impl CallFailure {
    /// Tells what the reader must do next.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Refused(refusal) => refusal.kind(),
            Self::Log(error) => error.kind(),
            Self::Failed { kind, .. } => *kind,
            Self::Malformed { .. } | Self::Service { .. } => ErrorKind::Internal,
            Self::Busy => ErrorKind::Unavailable { retry_after: Some(Duration::from_secs(1)) },
        }
    }
}
