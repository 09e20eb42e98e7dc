//! What the answer to a batch means: to which of the calls each returned event belongs.
//!
//! Nothing but the function knows that, so each event must name its cause. For what carries no CloudEvents the rules of
//! single calls hold: then nothing came of any event.

use std::collections::HashMap;

use bytes::Bytes;
use http::response::Parts;

use weir_domain::Limits;

use super::answer;
use crate::{Call, CallError, Draft, Outcome};

/// The extension by which a returned event names the event that caused it (CloudEvents extension "Correlation").
const CAUSATION_ID: &str = "causationid";

/// Reads an answer whose status is no failure, and returns what each call came to.
pub(super) fn read(calls: &[Call], head: &Parts, body: Bytes, limits: &Limits) -> Result<Vec<Outcome>, CallError> {
    let events = answer::events(head, body, limits)?.unwrap_or_default();
    let mut places = HashMap::with_capacity(calls.len());
    for (place, call) in calls.iter().enumerate() {
        // Ids are unique only together with sources, which an answer does not name.
        places.entry(call.event.id()).or_insert(place);
    }
    let mut drafts: Vec<Vec<Draft>> = vec![Vec::new(); calls.len()];
    for event in &events {
        let cause = event.extension_text(CAUSATION_ID);
        let place = cause.and_then(|id| places.get(id)).ok_or_else(|| without_cause(cause))?;
        drafts[*place].push(Draft::from(event));
    }
    Ok(drafts.into_iter().map(Outcome::Events).collect())
}

fn without_cause(given: Option<&str>) -> CallError {
    let rule = format!(
        "every event that it returns for a batch must name in {CAUSATION_ID:?} the id of an event of the batch, but one"
    );
    CallError::malformed(match given {
        Some(id) => format!("{rule} names {id:?}"),
        None => format!("{rule} names none"),
    })
}
