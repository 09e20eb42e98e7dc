//! The work of checking data against schemas, which is bounded and does not hold up others.
//!
//! One event may make work of some tens of milliseconds (`weir_catalog::limits::SCHEMA_WORK_MAX`), and thousands of them
//! may come together: in a batch, or out of a function. What is done in one go is therefore short, and what all of them make
//! together has a bound too.

use weir_catalog::{EventType, limits::SCHEMA_WORK_MAX};
use weir_domain::Event;

use crate::Refusal;

/// The most that checking all events that come together may take, in the unit of [`SCHEMA_WORK_MAX`].
const TOGETHER_MAX: u64 = 8 * SCHEMA_WORK_MAX;
/// After so much others get their turn: some milliseconds.
const TURN: u64 = 1024 * 1024;

/// What checking the events that come together has taken.
#[derive(Default)]
pub(crate) struct Work {
    done: u64,
    since_turn: u64,
}

impl Work {
    /// Counts an event that is about to be checked, and lets others have their turn where it is time for that.
    ///
    /// # Errors
    /// Where it is too much together.
    pub(crate) async fn begin(&mut self, event_type: &EventType, event: &Event) -> Result<(), Refusal> {
        let work = event_type.work(event);
        self.done = self.done.saturating_add(work);
        if self.done > TOGETHER_MAX {
            return Err(Refusal::TooMuchWork { limit: TOGETHER_MAX });
        }
        self.since_turn = self.since_turn.saturating_add(work);
        if self.since_turn > TURN {
            self.since_turn = 0;
            tokio::task::yield_now().await;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use weir_catalog::{EventTypeName, Schema};
    use weir_domain::Data;

    use super::*;

    #[tokio::test]
    async fn together_events_make_no_more_work_than_is_allowed() {
        let alternatives: Vec<_> = (0..500).map(|number| json!({ "const": number })).collect();
        let plain = EventType::new(EventTypeName::new("plain").expect("valid"));
        let heavy = EventType { schema: Some(Schema::new(json!({ "anyOf": alternatives }))), ..plain.clone() };
        let event = |bytes: usize| {
            let data = Data::Json(format!("\"{}\"", "x".repeat(bytes)).into());
            Event::builder("1", "/test", "plain").data(data).build().expect("valid")
        };
        let mut work = Work::default();
        for _ in 0..10_000 {
            work.begin(&plain, &event(100_000)).await.expect("nothing is checked");
        }
        let mut taken = 0;
        while work.begin(&heavy, &event(10_000)).await.is_ok() {
            taken += 1;
        }
        // 500 schemas and the one around them apply to each value.
        assert!((50..=54).contains(&taken), "{taken}");
    }
}
