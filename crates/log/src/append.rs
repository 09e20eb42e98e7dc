//! What is appended, under which condition, and what comes back.

use weir_domain::{Event, Key, Position, PositionRange, SpaceName};

/// An event on its way into the log, with the key by which its order is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewEvent {
    /// The event, already checked.
    pub event: Event,
    /// What order is kept by; `None` where the event stands alone.
    pub key: Option<Key>,
}

/// One batch, written whole or not at all.
#[derive(Clone, Debug)]
pub struct Append {
    /// Whose log this is.
    pub space: SpaceName,
    /// The events in their order.
    pub events: Vec<NewEvent>,
    /// What must hold for the batch to be written.
    pub condition: Option<Condition>,
}

impl Append {
    /// Makes a batch without a condition.
    #[must_use]
    pub fn new(space: SpaceName, events: Vec<NewEvent>) -> Self {
        Self { space, events, condition: None }
    }

    /// Adds a condition.
    #[must_use]
    pub fn only_if(mut self, condition: Condition) -> Self {
        self.condition = Some(condition);
        self
    }
}

/// "Only if nothing that matches this query came after this position."
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Condition {
    /// Which events count.
    pub query: Query,
    /// Up to where the writer has read.
    pub after: Position,
}

/// A set of events of one space: those that have one of the keys and one of the types.
///
/// An empty list sets no bound, so the empty query is every event of the space.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Query {
    /// The keys, any of which matches.
    pub keys: Vec<Key>,
    /// The types, any of which matches.
    pub types: Vec<String>,
}

impl Query {
    /// Tells whether an event of this key and type belongs to the set.
    #[must_use]
    pub fn matches(&self, key: Option<&Key>, event_type: &str) -> bool {
        let by_key = self.keys.is_empty() || key.is_some_and(|key| self.keys.contains(key));
        by_key && (self.types.is_empty() || self.types.iter().any(|each| each == event_type))
    }
}

/// The receipt of one event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EventReceipt {
    /// Where the event stands.
    pub position: Position,
    /// Whether it stood there before: an event of the same source and id came earlier, and nothing was written.
    pub duplicate: bool,
}

/// The receipt of a batch: one entry for each event, in the order of the batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// The entries.
    pub events: Vec<EventReceipt>,
}

impl Receipt {
    /// Returns the lowest and the highest position; the origin for an empty batch.
    #[must_use]
    pub fn range(&self) -> PositionRange {
        let positions = || self.events.iter().map(|event| event.position);
        PositionRange { first: positions().min().unwrap_or_default(), last: positions().max().unwrap_or_default() }
    }
}
