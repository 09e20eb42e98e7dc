//! What is read and what comes back.

use weir_domain::{Event, Key, Position, SpaceName, Timestamp};

/// Which way a read goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// From older to newer.
    Forward,
    /// From newer to older.
    Backward,
}

/// Which events of the space a read returns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Filter {
    /// Every event.
    All,
    /// The events of one key.
    Key(Key),
    /// The events of any of these types.
    Types(Vec<String>),
}

impl Filter {
    /// Tells whether an event of this key and type is wanted.
    #[must_use]
    pub fn matches(&self, key: Option<&Key>, event_type: &str) -> bool {
        match self {
            Self::All => true,
            Self::Key(wanted) => key == Some(wanted),
            Self::Types(types) => types.iter().any(|each| each == event_type),
        }
    }
}

/// One bounded read.
#[derive(Clone, Debug)]
pub struct Read {
    /// Whose log this is.
    pub space: SpaceName,
    /// The first position that may be returned.
    pub from: Position,
    /// Which way to go from there.
    pub direction: Direction,
    /// Which events to return.
    pub filter: Filter,
    /// The most events to return.
    pub events_max: usize,
    /// About how many bytes to return at most; at least one event comes back whatever its size.
    pub bytes_max: usize,
}

impl Read {
    /// A read of every event from a position on, bounded to a page of usual size.
    #[must_use]
    pub fn forward(space: SpaceName, from: Position) -> Self {
        Self {
            space,
            from,
            direction: Direction::Forward,
            filter: Filter::All,
            events_max: 1024,
            bytes_max: 1024 * 1024,
        }
    }

    /// The same read in the other direction.
    #[must_use]
    pub fn backward(space: SpaceName, from: Position) -> Self {
        Self { direction: Direction::Backward, ..Self::forward(space, from) }
    }

    /// Bounds the read to matching events.
    #[must_use]
    pub fn filter(mut self, filter: Filter) -> Self {
        self.filter = filter;
        self
    }

    /// Bounds the number of events.
    #[must_use]
    pub fn events_max(mut self, events_max: usize) -> Self {
        self.events_max = events_max;
        self
    }
}

/// An event that stands in the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recorded {
    /// Where it stands.
    pub position: Position,
    /// When it was written.
    pub recorded: Timestamp,
    /// What order is kept by.
    pub key: Option<Key>,
    /// The event.
    pub event: Event,
}

/// What one read found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    /// The events in the order of the read.
    pub events: Vec<Recorded>,
    /// Where the next read of the same kind goes on. Forwards this may be one past the durable end; backwards it is
    /// the origin when nothing is left.
    pub next: Position,
    /// Whether the read reached the durable end (forwards) or the origin (backwards).
    pub end: bool,
}

/// How many events match.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counted {
    /// The events that were counted, at most as many as the limit.
    pub events: u64,
    /// Whether counting ended early: at the limit, behind which there are more, or, where the index alone cannot tell,
    /// because going on would have taken long.
    pub more: bool,
}
