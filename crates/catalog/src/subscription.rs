//! The declaration of a subscription: which events a function is given, and how.

use std::{collections::BTreeMap, fmt};

use weir_domain::FunctionId;
use weir_routing::{Entrance, Method, Rule};

use crate::{Detail, EventTypeName, SubscriptionId, limits};

/// Whether the caller waits for the function.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SubscriptionKind {
    /// A method and a path; the caller waits for the answer.
    Sync,
    /// From the log, with a cursor of its own.
    Async,
}

impl SubscriptionKind {
    /// Returns the name of the kind, as the configuration API calls it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Sync => "sync",
            Self::Async => "async",
        }
    }

    /// Finds a kind by its name.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Sync, Self::Async].into_iter().find(|kind| kind.as_str() == text)
    }
}

impl fmt::Display for SubscriptionKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// How often and how long an async subscription tries to deliver one event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RetryPolicy {
    /// Deliveries of one event, the first included; `None` where only the age bounds them. One that did not reach the
    /// function does not count.
    pub attempts_max: Option<u32>,
    /// The wait after the first failure; it doubles with each further one.
    pub backoff_first_ms: u32,
    /// The longest wait.
    pub backoff_max_ms: u32,
    /// No delivery is tried when the first one is longer ago than this; `None` where that is no reason to give up.
    pub age_max_ms: Option<u64>,
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self {
            attempts_max: None,
            backoff_first_ms: 100,
            backoff_max_ms: 60_000,
            age_max_ms: Some(limits::AGE_MS_DEFAULT),
        }
    }
}

/// A subscription of one space.
///
/// Only `retry` and `metadata` may be changed later; everything else is part of the identifier or, as the function of a
/// sync subscription, of what callers rely on. [`Subscription::new`] keeps `id` in step with the rest.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Subscription {
    /// Derived from what follows.
    pub id: SubscriptionId,
    /// Whether the caller waits.
    pub kind: SubscriptionKind,
    /// The type of the events.
    pub event_type: EventTypeName,
    /// The function that is given them.
    pub function: FunctionId,
    /// The HTTP method: of the route of a sync subscription, or by which the events of an async one come in.
    pub method: Method,
    /// The route of a sync subscription, or where the events of an async one come in, see
    /// [`Matching`](crate::Matching); begins with `/`.
    pub path: String,
    /// What happens when a delivery fails, of meaning for async subscriptions.
    pub retry: RetryPolicy,
    /// Free texts of its owner.
    pub metadata: BTreeMap<String, String>,
}

impl Subscription {
    /// Declares a subscription; a missing first slash is added to the path.
    #[must_use]
    pub fn new(
        kind: SubscriptionKind,
        event_type: EventTypeName,
        function: FunctionId,
        method: Method,
        path: &str,
    ) -> Self {
        let path = if path.starts_with('/') { path.to_owned() } else { format!("/{path}") };
        let id = SubscriptionId::derive(kind, &event_type, &function, method, &path);
        let (retry, metadata) = (RetryPolicy::default(), BTreeMap::new());
        Self { id, kind, event_type, function, method, path, retry, metadata }
    }

    /// Declares an async subscription, with the method and path that the Event Gateway gives where none are named: it is
    /// given its events wherever they come in.
    #[must_use]
    pub fn to_events(event_type: EventTypeName, function: FunctionId) -> Self {
        Self::new(SubscriptionKind::Async, event_type, function, Method::default(), "/")
    }

    /// Declares a sync subscription to HTTP requests.
    #[must_use]
    pub fn to_route(method: Method, path: &str, function: FunctionId) -> Self {
        Self::new(SubscriptionKind::Sync, EventTypeName::http_request(), function, method, path)
    }

    /// Returns the subscription with another retry policy.
    #[must_use]
    pub fn with_retry(mut self, retry: RetryPolicy) -> Self {
        self.retry = retry;
        self
    }

    /// Returns the subscription with other metadata.
    #[must_use]
    pub fn with_metadata(mut self, metadata: BTreeMap<String, String>) -> Self {
        self.metadata = metadata;
        self
    }

    /// Tells whether an async subscription names the usual method and path, which hold where nothing is said.
    #[must_use]
    pub fn is_anywhere(&self) -> bool {
        self.method == Method::default() && self.path == "/"
    }

    /// Compiles by which requests the events come in that an async subscription is given.
    #[must_use]
    pub fn entrance(&self) -> Entrance {
        Entrance::new(self.method, &self.path)
    }

    /// Returns which events an async subscription wants.
    pub(crate) fn rule(&self) -> Rule<'_> {
        Rule { event_type: self.event_type.as_str(), method: self.method, path: &self.path }
    }

    /// Tells whether the identifier is that of the rest.
    pub(crate) fn is_consistent(&self) -> bool {
        self.id == SubscriptionId::derive(self.kind, &self.event_type, &self.function, self.method, &self.path)
    }

    /// Tells whether another subscription can carry on at the cursor of this one: both are async, and for the same events.
    pub(crate) fn is_like(&self, other: &Self) -> bool {
        self.kind == SubscriptionKind::Async
            && self.kind == other.kind
            && self.event_type == other.event_type
            && self.method == other.method
            && self.path == other.path
    }

    /// Says why another subscription cannot carry on at the cursor of this one.
    pub(crate) fn cannot_be_continued_by(&self, other: &Self) -> Option<Detail> {
        if self.is_like(other) {
            return None;
        }
        let message =
            "continues: the subscription that it names is no async one with the same event type, method and path";
        Some(Detail::new(message, "name one that differs in its function only, or leave continues out"))
    }

    /// Returns the first part that an update to `other` would change although it may not, as the Event Gateway calls it.
    pub(crate) fn fixed_difference(&self, other: &Self) -> Option<&'static str> {
        [
            ("Type", self.kind != other.kind),
            ("EventType", self.event_type != other.event_type),
            ("FunctionID", self.function != other.function),
            ("Path", self.path != other.path),
            ("Method", self.method != other.method),
        ]
        .into_iter()
        .find_map(|(field, differs)| differs.then_some(field))
    }
}
