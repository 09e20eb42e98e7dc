//! The values that labels take where the code knows them all.

use weir_catalog::Resource;
use weir_flow::{CallFailure, Decision, Refusal};
use weir_log::LogError;

/// One of the two APIs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Api {
    /// The Events API.
    Events,
    /// The Configuration API.
    Configuration,
}

impl Api {
    /// Both, each at its own number.
    pub(super) const ALL: [Self; 2] = [Self::Events, Self::Configuration];

    /// Returns its name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Events => "events",
            Self::Configuration => "configuration",
        }
    }
}

/// Why a listener accepts no further connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AcceptPause {
    /// As many are open as may.
    Full,
    /// The system had no file descriptor or memory for one.
    System,
}

impl AcceptPause {
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Full => "full",
            Self::System => "system",
        }
    }
}

/// What is exported by OTLP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    /// Spans.
    Traces,
    /// What is counted and measured.
    Metrics,
}

impl Signal {
    pub(super) const ALL: [Self; 2] = [Self::Traces, Self::Metrics];

    /// Returns its name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Traces => "traces",
            Self::Metrics => "metrics",
        }
    }
}

/// Why an event, or a request that should have brought one, was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// It is no CloudEvent although it says so.
    Malformed,
    /// It, or the batch it came in, is too large.
    TooLarge,
    /// Its type or its space belongs to the platform.
    Reserved,
    /// Nobody registered its type.
    Unregistered,
    /// It has not the key that its type declares.
    Key,
    /// Its data is not what its type declares.
    Schema,
    /// Who sent it may not, or an authorizer said no.
    Denied,
    /// It was to be written on a condition that did not hold.
    Conflict,
    /// There was no room: at the door, in the log or on its disk, or among the callers of functions.
    Overloaded,
    /// The log could not be written, or the server is stopping.
    Unavailable,
}

impl Refused {
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Malformed => "malformed",
            Self::TooLarge => "too_large",
            Self::Reserved => "reserved",
            Self::Unregistered => "unregistered",
            Self::Key => "key",
            Self::Schema => "schema",
            Self::Denied => "denied",
            Self::Conflict => "conflict",
            Self::Overloaded => "overloaded",
            Self::Unavailable => "unavailable",
        }
    }

    /// Tells why a call took no event; `None` where it took the event and then failed.
    #[must_use]
    pub fn by_call(failure: &CallFailure) -> Option<Self> {
        match failure {
            CallFailure::Refused(refusal) => Some(refusal.into()),
            CallFailure::Log(error) => Some(error.into()),
            CallFailure::Busy => Some(Self::Overloaded),
            CallFailure::Failed { .. } | CallFailure::Service { .. } | CallFailure::Malformed { .. } => None,
        }
    }
}

impl From<&Refusal> for Refused {
    fn from(refusal: &Refusal) -> Self {
        match refusal {
            Refusal::Reserved { .. } | Refusal::ReservedSource { .. } | Refusal::ReservedSpace { .. } => Self::Reserved,
            Refusal::Unregistered { .. } => Self::Unregistered,
            Refusal::TooLarge { .. } | Refusal::TooMuchWork { .. } => Self::TooLarge,
            Refusal::Stranger { .. } | Refusal::Denied { .. } | Refusal::AuthorizerFailed { .. } => Self::Denied,
            Refusal::AuthorizerBusy { .. } => Self::Overloaded,
            Refusal::Attribute(_) => Self::Malformed,
            Refusal::Key(_) => Self::Key,
            Refusal::Schema { .. } => Self::Schema,
            Refusal::SchemaUnusable { .. } => Self::Unavailable,
        }
    }
}

impl From<&LogError> for Refused {
    fn from(error: &LogError) -> Self {
        match error {
            LogError::TooLarge { .. } => Self::TooLarge,
            LogError::ConditionFailed { .. } => Self::Conflict,
            LogError::Overloaded | LogError::DiskFull(_) => Self::Overloaded,
            LogError::Io { .. }
            | LogError::Corrupt { .. }
            | LogError::Unusable { .. }
            | LogError::InUse { .. }
            | LogError::Index { .. }
            | LogError::Closed => Self::Unavailable,
        }
    }
}

/// Returns the word for what an authorizer said.
pub(super) const fn decision(decision: Decision) -> &'static str {
    match decision {
        Decision::Allowed => "allowed",
        Decision::Denied => "denied",
        Decision::Failed => "failed",
    }
}

/// Why it is not known who sent a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unauthenticated {
    /// It brought nothing to be known by.
    Missing,
    /// What it brought cannot be read.
    Malformed,
    /// What it brought is nobody's.
    Unknown,
    /// What it brought was good until some time ago.
    Expired,
}

impl Unauthenticated {
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::Malformed => "malformed",
            Self::Unknown => "unknown",
            Self::Expired => "expired",
        }
    }
}

/// What is done with a resource of the configuration, in the words of the Event Gateway.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// One is read.
    Get,
    /// All are read.
    List,
    /// One is made.
    Create,
    /// One is replaced.
    Update,
    /// One is taken away.
    Delete,
}

impl Operation {
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Get => "get",
            Self::List => "list",
            Self::Create => "create",
            Self::Update => "update",
            Self::Delete => "delete",
        }
    }
}

/// Returns what the Event Gateway calls a resource in its metrics.
pub(super) const fn resource(resource: Resource) -> &'static str {
    match resource {
        Resource::EventType => "eventtype",
        Resource::Function => "function",
        Resource::Subscription => "subscription",
        Resource::Cors => "cors",
        Resource::Token => "token",
    }
}
