//! What happens between the log and the functions: who may enter, the live catalog, delivery to subscriptions, calls on
//! routes, and the way of returned events back into the log.
//!
//! This is the only crate that calls functions. It knows neither HTTP nor a disk.

#![forbid(unsafe_code)]

mod admission;
mod authorizer;
mod call;
mod compatibility;
mod condition;
mod cursors;
mod dead_letters;
mod delivery;
mod error;
mod explain;
mod flow;
mod lineage;
mod live;
mod making;
mod observer;
mod progress;
mod recorded_time;
mod reentry;
mod replays;
mod runtimes;
mod schema;
mod snapshot;
mod status;
mod system_events;
mod versions;
mod work;

pub use admission::{KeyRefusal, Refusal};
pub use authorizer::Sender;
pub use compatibility::Compatibility;
pub use condition::{Precondition, Unmet, Wanted};
pub use dead_letters::{
    DEADLETTER_DISCARDED, DEADLETTER_PATCHED, DEADLETTER_REDRIVEN, DeadLetter, LetterDecided, LetterDetails,
    LetterError, LetterEvent, LetterPage, LetterPatch, LetterPatched, LetterQuery, LetterSelection, LetterState,
    LettersDecided,
};
pub use delivery::{ParkedSince, ReplayRefusal, ReplayStanding, ReplayState};
pub use error::{CallFailure, ChangeError, OpenError};
pub use explain::{
    AskedEvent, Cut, EventLink, ExplainError, ExplainedAttempt, ExplainedChange, ExplainedDelivery, ExplainedEffect,
    ExplainedEvent, ExplainedLetter, ExplainedReplay, ExplainedRoute, ExplainedType, Explanation, Fate, FilterTerm,
    LetterStanding, Mismatch, Quarantined, Question, TypeStanding, Wait,
};
pub use flow::{Backlog, Flow, Options, Runner};
pub use live::{Changed, system_space};
pub use making::{MakeError, MakeFunction};
pub use observer::{
    Authorized, CallSpans, Calling, Counting, Decision, Dropped, Happening, NoObserver, Observer, Observers, Purpose,
    Settled, TracedCall, Way,
};
pub use progress::ReplayOrder;
pub use recorded_time::RECORDED_TIME;
pub use reentry::{CAUSATION_ID, CORRELATION_ID, HOPS, returned_span};
pub use replays::{Effect, Place, ReplayError, ReplayPlan, ReplayRequest};
pub use runtimes::Runtimes;
pub use schema::{EVENT_QUARANTINED, is_quarantined};
pub use snapshot::Configuration;
pub use status::{Depth, LaneAside, StatusError, SubscriptionLevel, SubscriptionState, SubscriptionStatus};
pub use weir_functions::HttpAnswer;

/// The type of the event that records a delivery that was given up: a dead letter.
pub const DELIVERY_FAILED: &str = "weir.delivery.failed";

/// The type of the event that records a failed attempt.
pub const DELIVERY_ATTEMPTED: &str = "weir.delivery.attempted";

/// The type of the event that says that a function fails continuously and its subscription is parked.
pub const SUBSCRIPTION_PARKED: &str = "weir.subscription.parked";

/// The type of the event that says that a parked subscription goes on.
pub const SUBSCRIPTION_RESUMED: &str = "weir.subscription.resumed";

/// The type of the event that says that a replay was begun.
pub const REPLAY_STARTED: &str = "weir.replay.started";

/// The type of the event that says that a replay has delivered all of it.
pub const REPLAY_FINISHED: &str = "weir.replay.finished";

/// The type of the event that says that a replay was cancelled.
pub const REPLAY_CANCELLED: &str = "weir.replay.cancelled";

/// The extension that marks an event which is delivered again by a replay, and what functions make of it.
pub const REPLAY: &str = "weirreplay";

/// The type of the event that records what waited for a subscription that was deleted.
pub const DELIVERY_DROPPED: &str = "weir.delivery.dropped";
