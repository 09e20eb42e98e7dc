//! Why a call came to nothing, and what that means for the next attempt. Retrying itself is decided elsewhere.

use std::time::Duration;

use weir_domain::ErrorKind;

/// Why a call came to nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CallError {
    /// The function threw, or returned an error.
    #[error("the function failed: {message}")]
    Rejected {
        /// What it said.
        message: String,
    },
    /// It did not finish in time.
    #[error("the function did not finish in time: make it faster or raise the limit of {} ms", .limit.as_millis())]
    Timeout {
        /// The time it may take: its own limit, or the shorter one of the call.
        limit: Duration,
    },
    /// It did what WebAssembly forbids, such as calling itself too deeply.
    #[error("the function was stopped: {message}")]
    Trap {
        /// What it did.
        message: String,
    },
    /// It asked for more memory than it may have.
    #[error("the function ran out of memory: make it need less or raise its limit of {limit_bytes} bytes")]
    OutOfMemory {
        /// The most memory of one instance.
        limit_bytes: usize,
    },
    /// What it returned is neither events nor an answer.
    #[error("the function broke its contract: {problem}")]
    Malformed {
        /// What is wrong, where, and what would be right.
        problem: String,
    },
    /// What it returned is too large.
    #[error("the function returned too much: return less or raise its limit of {limit_bytes} bytes")]
    TooLarge {
        /// The most that it may return.
        limit_bytes: usize,
    },
    /// No instance could be made; the function itself was not called.
    #[error("no instance of the function could be made: {message}")]
    Instance {
        /// What went wrong.
        message: String,
    },
    /// It could not be made ready to be called.
    #[error("the function is not ready: {message}")]
    NotReady {
        /// Why.
        message: String,
    },
    /// Too many calls of it, or of all functions, were under way for too long.
    #[error("the function is busy: repeat the call later, or allow more calls of it at once")]
    Busy,
    /// It was not called, so as to keep the order: an event before this one failed.
    #[error("an earlier event of the same key in the same batch failed")]
    Untried,
    /// Its address did not answer.
    #[error("the function could not be reached: {message}")]
    Unreachable {
        /// What went wrong.
        message: String,
    },
    /// The connection to it broke off after it came about: it may have done its work, in whole or in part.
    #[error("the connection to the function broke off before its answer was whole: {message}")]
    Interrupted {
        /// What went wrong.
        message: String,
    },
    /// Its address answered with a status that is no success.
    #[error("the function answered with HTTP status {code}{}", excerpt(.body))]
    Status {
        /// The status.
        code: u16,
        /// When to come again, where it says so.
        retry_after: Option<Duration>,
        /// The beginning of the body.
        body: String,
    },
    /// A service that stands between here and the function refused the call.
    #[error("{service} refused the call with HTTP status {status} {code}: {message}")]
    Service {
        /// The service, in one word.
        service: &'static str,
        /// The status.
        status: u16,
        /// The code of the error, where it has one.
        code: String,
        /// What the service said.
        message: String,
        /// Whether another attempt with the same event is pointless.
        is_final: bool,
    },
}

/// How much of a text from outside is kept for people, in bytes.
const EXCERPT_BYTES_MAX: usize = 512;

/// Returns the beginning of a text from outside.
pub(crate) fn excerpt_of(bytes: &[u8]) -> String {
    String::from_utf8_lossy(&bytes[..bytes.len().min(EXCERPT_BYTES_MAX)]).trim().to_owned()
}

fn excerpt(body: &str) -> String {
    if body.is_empty() { String::new() } else { format!(": {body}") }
}

impl CallError {
    /// Returns what the reader must do next.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Timeout { .. } | Self::Unreachable { .. } | Self::Interrupted { .. } | Self::Busy | Self::Untried => {
                ErrorKind::Unavailable { retry_after: None }
            }
            Self::Status { .. } | Self::Service { .. } if self.is_final() => ErrorKind::Invalid,
            Self::Service { .. } => ErrorKind::Unavailable { retry_after: None },
            Self::Status { retry_after, .. } => ErrorKind::Unavailable { retry_after: *retry_after },
            Self::Rejected { .. }
            | Self::Trap { .. }
            | Self::OutOfMemory { .. }
            | Self::Malformed { .. }
            | Self::TooLarge { .. }
            | Self::NotReady { .. }
            | Self::Instance { .. } => ErrorKind::Internal,
        }
    }

    /// Tells whether another attempt with the same event is pointless.
    ///
    /// Only an address can say so, with a status of 4xx other than 408 (Request Timeout), 425 (Too Early) and 429 (Too
    /// Many Requests), or a service by the code of its error. Code that fails may be mended before the next attempt.
    #[must_use]
    pub fn is_final(&self) -> bool {
        match self {
            Self::Status { code: 408 | 425 | 429, .. } => false,
            Self::Status { code: 400..=499, .. } | Self::Service { is_final: true, .. } => true,
            _ => false,
        }
    }

    /// Tells whether its address did not answer: a name that is not known, a connection that does not come
    /// about. That says nothing about the event, and passes when somebody starts what should be there. One that breaks off
    /// later is none of these: an event that ends the process of its function would be tried for ever.
    #[must_use]
    pub const fn is_unreached(&self) -> bool {
        matches!(self, Self::Unreachable { .. })
    }

    /// Tells whether the function was not called at all: then it is not to blame, and the attempt counts as none.
    #[must_use]
    pub fn is_platform(&self) -> bool {
        matches!(self, Self::NotReady { .. } | Self::Busy | Self::Untried | Self::Instance { .. })
    }

    /// Returns when to try again at the earliest, where the function says so.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Status { retry_after, .. } => *retry_after,
            _ => None,
        }
    }

    /// Returns the name of the cause, one word for records and metrics.
    #[must_use]
    pub fn cause(&self) -> &'static str {
        match self {
            Self::Rejected { .. } => "rejected",
            Self::Timeout { .. } => "timeout",
            Self::Trap { .. } => "trap",
            Self::OutOfMemory { .. } => "memory",
            Self::Malformed { .. } => "malformed",
            Self::TooLarge { .. } => "toolarge",
            Self::Instance { .. } => "instance",
            Self::NotReady { .. } => "notready",
            Self::Busy => "busy",
            Self::Untried => "untried",
            Self::Unreachable { .. } => "unreachable",
            Self::Interrupted { .. } => "interrupted",
            Self::Status { .. } => "status",
            Self::Service { .. } => "service",
        }
    }

    pub(crate) fn malformed(problem: impl Into<String>) -> Self {
        Self::Malformed { problem: problem.into() }
    }

    /// Tells how many events one call may return, where there are more.
    pub(crate) fn too_many_events(given: usize, events_max: usize) -> Self {
        Self::malformed(format!("it may return at most {events_max} events, but it returned {given}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_refusal_by_status_is_final() {
        let check = |code: u16, is_final: bool, kind: ErrorKind| {
            let retry_after = Some(Duration::from_secs(7));
            let error = CallError::Status { code, retry_after, body: String::new() };
            assert_eq!((error.is_final(), error.kind()), (is_final, kind), "{code}");
        };
        let later = ErrorKind::Unavailable { retry_after: Some(Duration::from_secs(7)) };
        for code in [400, 401, 404, 410, 422, 451, 499] {
            check(code, true, ErrorKind::Invalid);
        }
        for code in [302, 408, 425, 429, 500, 502, 503, 504] {
            check(code, false, later);
        }
        assert!(!CallError::Rejected { message: "no".into() }.is_final());
    }

    #[test]
    fn who_was_not_called_is_not_to_blame() {
        let check = |error: CallError, is_platform: bool, cause: &str| {
            assert_eq!((error.is_platform(), error.is_final(), error.cause()), (is_platform, false, cause), "{error}");
        };
        let message = || "no".to_owned();
        check(CallError::NotReady { message: message() }, true, "notready");
        check(CallError::Busy, true, "busy");
        check(CallError::Untried, true, "untried");
        check(CallError::Instance { message: message() }, true, "instance");
        check(CallError::Rejected { message: message() }, false, "rejected");
        check(CallError::Unreachable { message: message() }, false, "unreachable");
        check(CallError::Interrupted { message: message() }, false, "interrupted");
        assert!(CallError::Unreachable { message: message() }.is_unreached());
        assert!(!CallError::Interrupted { message: message() }.is_unreached());
        check(CallError::Timeout { limit: Duration::from_secs(1) }, false, "timeout");
        assert_eq!(CallError::Busy.kind(), ErrorKind::Unavailable { retry_after: None });
    }

    #[test]
    fn messages_end_with_the_values() {
        let check = |error: CallError, message: &str| assert_eq!(error.to_string(), message);
        check(
            CallError::Timeout { limit: Duration::from_secs(5) },
            "the function did not finish in time: make it faster or raise the limit of 5000 ms",
        );
        check(
            CallError::NotReady { message: "it does not parse".into() },
            "the function is not ready: it does not parse",
        );
        check(
            CallError::Status { code: 404, retry_after: None, body: "no such product".into() },
            "the function answered with HTTP status 404: no such product",
        );
        check(
            CallError::Status { code: 503, retry_after: None, body: String::new() },
            "the function answered with HTTP status 503",
        );
    }
}
