//! What a call came to: events that enter the log, or why it failed.

use std::time::Duration;

use serde_json::Value;
use weir_domain::{ErrorKind, Event, error_chain};
use weir_functions::{CallError, Outcome};
use weir_log::NewEvent;

use super::attempt::{Delivery, Work};
use crate::{
    Counting, admission,
    reentry::{self, Cause},
    system_events::{self, Given},
};

/// Why an attempt failed.
#[derive(Debug)]
pub(crate) struct Failure {
    /// In a sentence.
    pub(crate) text: String,
    /// In a word.
    pub(crate) cause: &'static str,
    /// The HTTP status that was answered.
    pub(crate) status: Option<u16>,
    /// No further attempt can succeed.
    pub(crate) is_final: bool,
    /// The function is not to blame: the attempt does not count.
    pub(crate) platform: bool,
    /// It was in a call in which one before it failed: nothing was tried.
    pub(crate) untried: bool,
    /// Its address did not answer.
    pub(crate) unreached: bool,
    /// The earliest time at which the function wants to be called again.
    pub(crate) retry_after: Option<Duration>,
    /// The event types and functions that follow one another without an end, where that is why.
    pub(crate) cycle: Option<Box<Value>>,
}

impl Failure {
    pub(crate) fn of_function(cause: &'static str, text: String) -> Self {
        Self {
            text,
            cause,
            status: None,
            is_final: false,
            platform: false,
            untried: false,
            unreached: false,
            retry_after: None,
            cycle: None,
        }
    }

    pub(crate) fn of_platform(text: String) -> Self {
        Self { platform: true, ..Self::of_function("platform", text) }
    }

    pub(crate) fn counting(&self) -> Counting {
        match self {
            Self { platform: true, .. } => Counting::Platform,
            Self { unreached: true, .. } => Counting::Unreached,
            _ => Counting::Counted,
        }
    }
}

impl From<CallError> for Failure {
    fn from(error: CallError) -> Self {
        let status = match error {
            CallError::Status { code, .. } => Some(code),
            CallError::Service { status, .. } => Some(status),
            _ => None,
        };
        Self {
            status,
            is_final: error.is_final(),
            platform: error.is_platform(),
            untried: matches!(error, CallError::Untried),
            unreached: error.is_unreached(),
            retry_after: error.retry_after(),
            ..Self::of_function(error.cause(), error_chain(&error))
        }
    }
}

/// Makes whole events of what a function returned for a delivery, and adds what is told of the call.
pub(crate) async fn digest(work: &Work, delivery: &mut Delivery, outcome: Outcome) -> Result<Vec<Event>, Failure> {
    let Work { shared, space, subscription, .. } = work;
    let drafts = match outcome {
        Outcome::Events(drafts) => drafts,
        // It has no one to go to.
        Outcome::Answer(answer) => {
            let invoked = system_events::invoked(shared, &delivery.about(work), &Given::Answer(&answer));
            delivery.told.extend(invoked);
            return Ok(Vec::new());
        }
        Outcome::Value(_) => {
            let text = "it returned a value, which nobody asked for".to_owned();
            return Err(Failure::of_function("malformed", text));
        }
    };
    let cause = Cause {
        space,
        subscription: &work.name,
        function: &subscription.function,
        event: &delivery.item.recorded.event,
        derivation: work.replay.as_ref().and_then(|replay| replay.derivation.as_deref()),
        replay: work.replay.as_ref().map(|replay| replay.id.as_str()),
        now: shared.clock.now(),
    };
    let events = match reentry::complete(&cause, drafts, shared.options.hops_max) {
        Ok(events) => events,
        Err(error) => return Err(unfit(work, delivery, &error).await),
    };
    let invoked = system_events::invoked(shared, &delivery.about(work), &Given::Events(&events));
    delivery.told.extend(invoked);
    Ok(events)
}

async fn unfit(work: &Work, delivery: &Delivery, error: &reentry::Unfit) -> Failure {
    let mut failure = Failure { is_final: true, ..Failure::of_function("broken", error_chain(error)) };
    if matches!(error, reentry::Unfit::TooManyHops { .. }) {
        failure.cause = "loop";
        failure.cycle = crate::lineage::cycle(work, &delivery.item.recorded).await.map(Box::new);
    }
    failure
}

/// Appends what a function returned, all of it or nothing, and what is told of the call.
pub(crate) async fn enter(work: &Work, events: &[Event], told: &[NewEvent]) -> Result<(), Failure> {
    let Work { shared, space, .. } = work;
    if events.is_empty() && told.is_empty() {
        return Ok(());
    }
    let catalog = shared.state.borrow().catalog.clone();
    let limits = &shared.options.limits;
    let admitted = admission::admit_all_returned(&catalog, space, events, limits).await;
    // Somebody may register the type while the next attempt waits.
    let admitted = admitted.map_err(|refusal| {
        Failure::of_function("refused", format!("the function returned an event that is refused: {refusal}"))
    })?;
    match system_events::append(shared, &*shared.log, space.clone(), admitted, told.to_vec()).await {
        Ok(_) => Ok(()),
        // The log will never take them: the function returned too much.
        Err(error) if error.kind() == ErrorKind::Invalid => {
            Err(Failure { is_final: true, ..Failure::of_function("toolarge", error_chain(&error)) })
        }
        Err(error) => Err(Failure::of_platform(error_chain(&error))),
    }
}
