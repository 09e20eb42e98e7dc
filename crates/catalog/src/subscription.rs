//! The declaration of a subscription: which events a function is given, and how.

use std::{
    collections::BTreeMap,
    fmt,
    hash::{Hash, Hasher},
};

use weir_domain::{Event, FunctionId};
use weir_routing::{Entrance, Filter, Method, Rule, TypePattern};

use crate::{Activity, DeliveryPolicy, Detail, EventTypeName, RetryPolicy, Start, SubscriptionId};

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

/// A subscription of one space.
///
/// Only `delivery`, `retry` and `metadata` may be changed later. Everything else is part of the identifier or, as the
/// function of a sync subscription, of what callers rely on; `start` happened once, and `activity` is set by a command of
/// its own. [`Subscription::new`] and [`with_filter`](Self::with_filter) keep `id` in step with the rest.
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
    /// Which of these events an async subscription is given; `None` is all of them.
    pub filter: Option<Filter>,
    /// With which events an async subscription began.
    pub start: Start,
    /// How an async subscription delivers.
    pub delivery: DeliveryPolicy,
    /// What happens when a delivery fails, of meaning for async subscriptions.
    pub retry: RetryPolicy,
    /// Whether an async subscription delivers.
    pub activity: Activity,
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
        Self {
            id: SubscriptionId::derive(kind, &event_type, &function, method, &path, None),
            kind,
            event_type,
            function,
            method,
            path,
            filter: None,
            start: Start::default(),
            delivery: DeliveryPolicy::default(),
            retry: RetryPolicy::default(),
            activity: Activity::default(),
            metadata: BTreeMap::new(),
        }
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

    /// Returns the subscription with another filter, which makes it another subscription.
    #[must_use]
    pub fn with_filter(mut self, filter: Option<Filter>) -> Self {
        self.filter = filter;
        self.id = self.derived_id();
        self
    }

    /// Returns the subscription with another start.
    #[must_use]
    pub fn with_start(mut self, start: Start) -> Self {
        self.start = start;
        self
    }

    /// Returns the subscription with another policy of delivery.
    #[must_use]
    pub fn with_delivery(mut self, delivery: DeliveryPolicy) -> Self {
        self.delivery = delivery;
        self
    }

    /// Returns the subscription with another activity.
    #[must_use]
    pub fn with_activity(mut self, activity: Activity) -> Self {
        self.activity = activity;
        self
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

    /// Tells whether the filter lets an event through; all pass where there is none.
    #[must_use]
    pub fn lets_through(&self, event: &Event) -> bool {
        self.filter.as_ref().is_none_or(|filter| filter.matches(event))
    }

    fn derived_id(&self) -> SubscriptionId {
        let Self { kind, event_type, function, method, path, filter, .. } = self;
        SubscriptionId::derive(*kind, event_type, function, *method, path, filter.as_ref())
    }

    /// Returns the types of events that an async subscription wants; none where what it names can be no type.
    pub(crate) fn events(&self) -> Option<TypePattern> {
        TypePattern::exact(self.event_type.as_str())
    }

    /// Returns which events of these types an async subscription wants.
    pub(crate) fn rule<'a>(&'a self, event_type: &'a TypePattern) -> Rule<'a> {
        Rule { event_type, method: self.method, path: &self.path, filter: self.filter.as_ref() }
    }

    /// Tells whether the identifier is that of the rest.
    pub(crate) fn is_consistent(&self) -> bool {
        self.id == self.derived_id()
    }

    /// Tells whether another subscription can carry on at the cursor of this one: both are async, and choose from the same
    /// events, and the other one does not ask to begin elsewhere.
    pub(crate) fn is_like(&self, other: &Self) -> bool {
        self.cannot_be_continued_by(other).is_none()
    }

    /// Says why another subscription cannot carry on at the cursor of this one.
    pub(crate) fn cannot_be_continued_by(&self, other: &Self) -> Option<Detail> {
        let is_of_the_same = self.kind == SubscriptionKind::Async
            && self.kind == other.kind
            && self.event_type == other.event_type
            && self.method == other.method
            && self.path == other.path;
        if !is_of_the_same {
            let message =
                "continues: the subscription that it names is no async one with the same event type, method and path";
            let cure = "name one that differs in its function or its filter only, or leave continues out";
            return Some(Detail::new(message, cure));
        }
        (!self.began_as(other)).then(|| {
            let message = "continues: this one goes on where the subscription that it names stands, not at a start";
            Detail::new(message, "leave start out, or leave continues out to begin there")
        })
    }

    /// Tells whether this one began as a declaration says, which may say nothing of it.
    fn began_as(&self, declared: &Self) -> bool {
        declared.start == Start::Now || declared.start == self.start
    }

    /// Tells whether this is what a declaration asks for. Whether it delivers is no part of one.
    pub(crate) fn is_as_declared(&self, declared: &Self) -> bool {
        let (start, activity) = (declared.start, declared.activity);
        self.began_as(declared) && Self { start, activity, ..self.clone() } == *declared
    }

    /// Takes over from the subscription that it is made of what no declaration can change.
    pub(crate) fn succeed(&mut self, before: &Self) {
        self.start = before.start;
        self.activity = before.activity;
    }

    /// Returns the first part that an update to `other` would change although it may not, as the Event Gateway calls it.
    pub(crate) fn fixed_difference(&self, other: &Self) -> Option<&'static str> {
        [
            ("Type", self.kind != other.kind),
            ("EventType", self.event_type != other.event_type),
            ("FunctionID", self.function != other.function),
            ("Path", self.path != other.path),
            ("Method", self.method != other.method),
            ("Filter", self.filter != other.filter),
            ("Start", !self.began_as(other)),
        ]
        .into_iter()
        .find_map(|(field, differs)| differs.then_some(field))
    }
}

/// The identifier tells subscriptions apart: all of the rest need not be read.
impl Hash for Subscription {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.id.hash(state);
    }
}
