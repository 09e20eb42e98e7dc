//! What the reader of an error must do next.

use std::{error::Error, fmt::Write, time::Duration};

/// A handful of kinds, each defined by the reader's next step; texts are for people and may change.
///
/// Three edges read only the kind: the gateway (HTTP status), delivery (retry, give up or stop) and the command
/// line (exit code and hint).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorKind {
    /// The request itself is wrong: correct it, do not repeat it.
    Invalid,
    /// The caller lacks a right.
    Denied,
    /// What was named does not exist.
    NotFound,
    /// The state has moved on: read again, then decide.
    Conflict,
    /// Nothing is wrong with the request: repeat it later, where given after this time.
    Unavailable {
        /// When to try again, if known.
        retry_after: Option<Duration>,
    },
    /// Stored bytes are not what was written: stop and repair.
    Corrupt,
    /// The component was shut down.
    Closed,
    /// A defect or a fault of the machine: report it.
    Internal,
}

/// Renders an error with its chain of sources, outermost first, separated by `: `.
///
/// Each layer's `Display` speaks only for itself, so this is the one place that joins them.
#[must_use]
pub fn error_chain(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(inner) = source {
        // Writing to a String cannot fail.
        let _ = write!(text, ": {inner}");
        source = inner.source();
    }
    text
}
