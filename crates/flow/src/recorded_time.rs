//! When an event was recorded, as functions are told of it: the extension `recordedtime`.
//!
//! It is the platform that records, so it is the platform that says when, whatever a producer wrote there; `time` is the
//! producer's. In the log the event stays as it came, and every function and every reader is told the same.

use weir_cloudevents::time;
use weir_domain::{AttributeValue, Event, Timestamp};

/// The extension that says when an event was recorded (CloudEvents extension "Recorded Time").
pub const RECORDED_TIME: &str = "recordedtime";

/// Copies an event as a function is given it.
pub(crate) fn given(event: &Event, recorded: Timestamp) -> Event {
    let text = time::format(recorded);
    let stamped = event.with_extensions(&[RECORDED_TIME], [(RECORDED_TIME, AttributeValue::String(&text))]);
    // Only an event that was kept under other rules than those of today cannot be copied: it is given as it stands.
    stamped.unwrap_or_else(|_| event.clone())
}
