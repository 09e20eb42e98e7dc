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
mod delivery;
mod error;
mod flow;
mod live;
mod making;
mod observer;
mod progress;
mod recorded_time;
mod reentry;
mod runtimes;
mod schema;
mod snapshot;
mod system_events;
mod versions;
mod work;

pub use admission::{KeyRefusal, Refusal};
pub use authorizer::Sender;
pub use compatibility::Compatibility;
pub use condition::{Precondition, Unmet, Wanted};
pub use error::{CallFailure, ChangeError, OpenError};
pub use flow::{Backlog, Flow, Options, Runner};
pub use live::{Changed, system_space};
pub use making::{MakeError, MakeFunction};
pub use observer::{
    Authorized, CallSpans, Calling, Counting, Decision, Dropped, Happening, NoObserver, Observer, Observers, Purpose,
    Settled, TracedCall, Way,
};
pub use recorded_time::RECORDED_TIME;
pub use reentry::{CAUSATION_ID, CORRELATION_ID, HOPS, returned_span};
pub use runtimes::Runtimes;
pub use schema::{EVENT_QUARANTINED, is_quarantined};
pub use snapshot::Configuration;
pub use weir_functions::HttpAnswer;

/// The type of the event that records a delivery that was given up.
pub const DELIVERY_FAILED: &str = "weir.delivery.failed";

/// The type of the event that records what waited for a subscription that was deleted.
pub const DELIVERY_DROPPED: &str = "weir.delivery.dropped";
