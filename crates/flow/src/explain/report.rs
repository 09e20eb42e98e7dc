//! What is told of an event.

use weir_domain::{Position, SpaceName, Timestamp};
use weir_log::Recorded;

use crate::{ParkedSince, lineage};

/// What is known of an event, and what became of it.
#[derive(Clone, Debug)]
pub struct Explanation {
    /// The event, and how it came.
    pub event: ExplainedEvent,
    /// The last configuration change before it: all that is told here was decided by the configuration of then.
    pub configuration: Position,
    /// Its type as it was.
    pub event_type: ExplainedType,
    /// The route that was looked for: of what came by a method and a path of its own, or was given to a route.
    pub route: Option<ExplainedRoute>,
    /// What each async subscription to its type made of it, in the order in which they were made.
    pub deliveries: Vec<ExplainedDelivery>,
    /// How many more of these there are.
    pub deliveries_left: usize,
    /// How many async subscriptions there were to other types.
    pub others: usize,
    /// The event that caused it, the one that caused that, and so on.
    pub causes: Vec<EventLink>,
    /// Why there may be more of these.
    pub causes_cut: Option<Cut>,
    /// The events that it caused.
    pub effects: Vec<ExplainedEffect>,
    /// Why there may be more of these.
    pub effects_cut: Option<Cut>,
}

/// By what an event is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventLink {
    /// Its attribute `id`.
    pub id: String,
    /// Its attribute `source`.
    pub source: String,
    /// Its attribute `type`.
    pub event_type: String,
    /// Where it stands.
    pub position: Position,
    /// When it was recorded.
    pub recorded: Timestamp,
    /// The function that returned it, where its source says so.
    pub function: Option<String>,
}

impl EventLink {
    pub(super) fn of(space: &SpaceName, recorded: &Recorded) -> Self {
        let Recorded { position, recorded: time, event, .. } = recorded;
        Self {
            id: event.id().to_owned(),
            source: event.source().to_owned(),
            event_type: event.event_type().to_owned(),
            position: *position,
            recorded: *time,
            function: lineage::function_of(space, recorded).map(str::to_owned),
        }
    }
}

/// An event, and how it came.
#[derive(Clone, Debug)]
pub struct ExplainedEvent {
    /// By what it is known.
    pub link: EventLink,
    /// Its attribute `subject`.
    pub subject: Option<String>,
    /// Its key.
    pub key: Option<String>,
    /// The method of the request by which it came.
    pub method: String,
    /// The path of that within the space.
    pub path: String,
    /// What its authorizer said, as JSON.
    pub authorization: Option<String>,
    /// Its trace (W3C Trace Context).
    pub trace: Option<String>,
    /// The replay in which a function returned it.
    pub replay: Option<String>,
    /// The event that it keeps in quarantine.
    pub quarantined: Option<Quarantined>,
}

/// An event that was kept apart.
#[derive(Clone, Debug)]
pub struct Quarantined {
    /// Its attribute `id`.
    pub id: String,
    /// Its attribute `type`.
    pub event_type: String,
    /// What is wrong with its data: where, as a JSON pointer, and what.
    pub violations: Vec<(String, String)>,
}

/// An event type as it was.
#[derive(Clone, Debug)]
pub struct ExplainedType {
    /// Its name.
    pub name: String,
    /// Whether anybody had declared it.
    pub standing: TypeStanding,
    /// The function that was asked whether events may come in.
    pub authorizer: Option<String>,
    /// The version of the schema of the data, where there was one.
    pub schema_version: Option<u32>,
}

/// Whether an event type is declared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TypeStanding {
    /// It was registered.
    Registered,
    /// It needs no registration.
    BuiltIn,
    /// Nobody had registered it.
    Unregistered,
}

impl TypeStanding {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Registered, Self::BuiltIn, Self::Unregistered];

    /// Returns the name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Registered => "registered",
            Self::BuiltIn => "built-in",
            Self::Unregistered => "unregistered",
        }
    }
}

/// A route that was looked for.
#[derive(Clone, Debug)]
pub struct ExplainedRoute {
    /// The method of the request.
    pub method: String,
    /// The path of the request.
    pub path: String,
    /// The sync subscription that had it, and its function; `None` where no route led there.
    pub taken: Option<(String, String)>,
}

/// What one subscription made of the event.
#[derive(Clone, Debug)]
pub struct ExplainedDelivery {
    /// Its identifier.
    pub subscription: String,
    /// Its function.
    pub function: String,
    /// The type of its events.
    pub event_type: String,
    /// Where it was made, or took the place of another one.
    pub made: Position,
    /// The one in whose place it came.
    pub continues: Option<String>,
    /// The method of the requests whose events it takes.
    pub method: String,
    /// The path of these.
    pub path: String,
    /// Its filter as JSON.
    pub filter: Option<String>,
    /// What the filter compared, in that order.
    pub terms: Vec<FilterTerm>,
    /// What became of the event.
    pub fate: Fate,
    /// How many attempts failed.
    pub failures: u64,
    /// These, but of many only the first and the last.
    pub attempts: Vec<ExplainedAttempt>,
    /// Its dead letters about the event, in order.
    pub letters: Vec<ExplainedLetter>,
    /// The replays that the event was part of, in order.
    pub replays: Vec<ExplainedReplay>,
    /// What was done with the subscription after the event, in order.
    pub changes: Vec<ExplainedChange>,
}

/// One thing that a filter compared, see [`Term`](weir_routing::Term).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FilterTerm {
    /// Where it stands in the filter, as a JSON pointer.
    pub pointer: String,
    /// The dialect by which it was compared.
    pub dialect: &'static str,
    /// The name of the attribute, the JSON pointer of a member of the data, or a part of an expression.
    pub attribute: String,
    /// What it was compared with.
    pub wanted: String,
    /// What the event has of it.
    pub found: Option<String>,
    /// Whether the comparison held.
    pub matched: bool,
    /// Whether the whole answer rests on it.
    pub decided: bool,
}

/// What became of the event at one subscription.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It was none of the events of the subscription.
    NotMatched(Mismatch),
    /// It stands before what the subscription began with.
    BeforeStart {
        /// The subscription begins behind this position.
        begins: Position,
    },
    /// It was gone before the event came.
    TooLate {
        /// Where it ended.
        ended: Position,
    },
    /// All is done.
    Delivered {
        /// The subscription that may have done it before, until where this one took its place.
        or_before: Option<(String, Position)>,
        /// The decision by which a dead letter was delivered again.
        redriven: Option<Position>,
    },
    /// It was given up.
    DeadLetter {
        /// The last of its dead letters.
        position: Position,
        /// What was decided about that.
        standing: LetterStanding,
    },
    /// It waits.
    Waiting(Wait),
    /// It failed and is tried again.
    Retrying {
        /// When, as far as that is known.
        due: Option<Timestamp>,
    },
    /// It waited when the subscription was deleted.
    Dropped {
        /// The record of that.
        record: Position,
        /// Whether it is known; else it was done, or among those that waited.
        is_certain: bool,
    },
    /// It was deleted, and what waited for it is not recorded yet.
    Ending {
        /// Where it was deleted.
        deleted: Position,
    },
    /// Another subscription took its place and went on with the event, if it was not done by then.
    Continued {
        /// Which one.
        by: String,
        /// Since where.
        at: Position,
    },
    /// The one in whose place it came had done with it.
    DoneBefore {
        /// Which one.
        by: String,
    },
}

impl Fate {
    /// The names of all of them.
    pub const NAMES: [&'static str; 11] = [
        "not-matched",
        "before-start",
        "too-late",
        "delivered",
        "dead-letter",
        "waiting",
        "retrying",
        "dropped",
        "ending",
        "continued",
        "done-before",
    ];

    /// Returns the name.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        let index = match self {
            Self::NotMatched(_) => 0,
            Self::BeforeStart { .. } => 1,
            Self::TooLate { .. } => 2,
            Self::Delivered { .. } => 3,
            Self::DeadLetter { .. } => 4,
            Self::Waiting(_) => 5,
            Self::Retrying { .. } => 6,
            Self::Dropped { .. } => 7,
            Self::Ending { .. } => 8,
            Self::Continued { .. } => 9,
            Self::DoneBefore { .. } => 10,
        };
        Self::NAMES[index]
    }
}

/// Why an event is none of a subscription.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mismatch {
    /// It is of another type.
    Type,
    /// It came by another method or path.
    Arrival,
    /// The filter does not let it through.
    Filter,
}

/// What an event waits for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wait {
    /// The subscription is paused.
    Paused,
    /// It delivers what stands before this position, and then rests.
    Drained {
        /// The last position that it delivers.
        at: Position,
    },
    /// Its function fails continuously.
    Parked(ParkedSince),
    /// An event of the same key was given up, and holds it.
    Held {
        /// Which one.
        by: Position,
    },
    /// An event of the same key before it is not done.
    Behind {
        /// Which one.
        position: Position,
    },
    /// A replay comes first.
    Replay,
    /// A dead letter is to be delivered again.
    Redrive {
        /// The decision.
        at: Position,
    },
    /// The subscription has not read so far.
    Unread {
        /// Where it reads on.
        next: Position,
    },
    /// Its call, or a place for that.
    Turn,
    /// Somebody who delivers: nobody does at this moment.
    Worker,
}

/// An attempt that failed.
#[derive(Clone, Debug)]
pub struct ExplainedAttempt {
    /// Where that is recorded.
    pub position: Position,
    /// When.
    pub recorded: Timestamp,
    /// Which one it was.
    pub attempt: u64,
    /// Why it failed, in a word.
    pub cause: String,
    /// The HTTP status that was answered.
    pub status: Option<u16>,
    /// Why it failed, in a sentence.
    pub error: String,
    /// How long it took.
    pub took_ms: u64,
    /// When the next one was to be made; `None` where there was to be none.
    pub retry_at: Option<Timestamp>,
    /// The replay that it was part of.
    pub replay: Option<String>,
}

/// A dead letter.
#[derive(Clone, Debug)]
pub struct ExplainedLetter {
    /// Where it stands.
    pub position: Position,
    /// When it was recorded.
    pub recorded: Timestamp,
    /// How often the function was called.
    pub attempts: u64,
    /// Why the last attempt failed.
    pub error: String,
    /// It holds its key.
    pub held: bool,
    /// The replay that the delivery was part of.
    pub replay: Option<String>,
    /// What was decided about it.
    pub standing: LetterStanding,
}

/// What was decided about a dead letter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LetterStanding {
    /// Nothing yet.
    Open,
    /// It is given up for good.
    Discarded {
        /// Where that stands.
        at: Position,
    },
    /// It is delivered again.
    Redriven {
        /// Where that stands.
        at: Position,
        /// The subscription that delivers it.
        by: String,
        /// Whether that is done.
        is_done: bool,
    },
}

impl LetterStanding {
    /// The names of all of them.
    pub const NAMES: [&'static str; 3] = ["open", "discarded", "redriven"];

    /// Returns the name.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Open => Self::NAMES[0],
            Self::Discarded { .. } => Self::NAMES[1],
            Self::Redriven { .. } => Self::NAMES[2],
        }
    }
}

/// A replay whose part of the log has the event.
#[derive(Clone, Debug)]
pub struct ExplainedReplay {
    /// Which one.
    pub id: String,
    /// Where its begin stands.
    pub position: Position,
    /// How it stands: `running`, `finished` or `cancelled`.
    pub state: &'static str,
    /// Whether its own filter lets the event through.
    pub matched: bool,
    /// The dead letter, where it was given up.
    pub letter: Option<Position>,
}

/// What was done with a subscription.
#[derive(Clone, Debug)]
pub struct ExplainedChange {
    /// Where that stands.
    pub position: Position,
    /// When.
    pub recorded: Timestamp,
    /// In words.
    pub what: String,
}

/// An event that another one caused, with those that it caused in turn.
#[derive(Clone, Debug)]
pub struct ExplainedEffect {
    /// The event.
    pub link: EventLink,
    /// The subscription whose function returned it, where that is known.
    pub subscription: Option<String>,
    /// What it caused.
    pub effects: Vec<ExplainedEffect>,
}

/// Why there may be more causes or effects than are told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cut {
    /// They follow one another further than is told.
    Depth,
    /// There are more of them than are told.
    Events,
    /// Only so much of the log is looked through.
    Scan,
    /// Who asks may not read the types of some.
    Hidden,
}

impl Cut {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Depth, Self::Events, Self::Scan, Self::Hidden];

    /// Returns the name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Depth => "depth",
            Self::Events => "events",
            Self::Scan => "scan",
            Self::Hidden => "hidden",
        }
    }
}
