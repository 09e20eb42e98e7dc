//! Calls on routes: the caller waits for the answer of the function.

use std::{sync::Arc, time::Instant};

use weir_catalog::{Catalog, HTTP_REQUEST, Subscription};
use weir_domain::{ErrorKind, Event, SpaceName, error_chain};
use weir_functions::{Call, CallError, CallMode, HttpAnswer, Outcome};
use weir_log::{Append, EventReceipt, NewEvent};

use crate::{
    CallFailure, Happening, Sender, Settled, Way, admission,
    flow::Shared,
    reentry::{self, Cause},
    schema,
    snapshot::Snapshot,
};

/// Lets the event enter, calls the function and lets its events enter.
pub(crate) async fn call(
    shared: &Shared,
    space: &SpaceName,
    subscription: &Arc<Subscription>,
    event: Event,
    sender: &dyn Sender,
) -> Result<HttpAnswer, CallFailure> {
    let _permit = shared.callers.try_acquire().map_err(|_| CallFailure::Busy)?;
    let snapshot = shared.state.borrow().clone();
    let Entered { event, receipt, is_quarantined } = enter(shared, &snapshot, space, event, sender).await?;
    if is_quarantined {
        return Ok(in_quarantine(receipt));
    }
    let position = receipt.map(|entry| entry.position);
    let Some(function) = snapshot.function(space, &subscription.function) else {
        return Err(CallFailure::Failed {
            message: format!("function \"{}\" does not exist", subscription.function),
            kind: ErrorKind::Internal,
        });
    };
    let call = Call {
        event,
        function: subscription.function.clone(),
        subscription: subscription.id.as_str().into(),
        attempt: 1,
        mode: CallMode::Sync,
    };
    let began = Instant::now();
    let outcome = match function.invoke(&call).await {
        Ok(outcome) => answer(shared, space, subscription, &call.event, outcome).await,
        Err(error) => Err(failure(&error)),
    };
    let took = began.elapsed();
    match &outcome {
        Ok((answer, returned)) => shared.observer.observe(&Happening::Called {
            space,
            function: &call.function,
            event: &call.event,
            position,
            attempt: 1,
            took,
            returned,
            status: Some(answer.status),
        }),
        Err(error) => shared.observer.observe(&Happening::Failed {
            space,
            function: &call.function,
            event: &call.event,
            position,
            attempt: 1,
            took,
            error: &error_chain(error),
            retry_in: None,
        }),
    }
    let way = Way::Route { receipt };
    shared.observer.settled(&Settled { space, function: &call.function, event: &call.event, way });
    outcome.map(|(mut answer, returned)| {
        // Where the function returned events their receipt stands there, else that of the event itself.
        if let (Some(entry), true) = (receipt, returned.is_empty()) {
            answer.headers.push(("weir-position".to_owned(), entry.position.to_string()));
        }
        answer
    })
}

/// What became of an event before its function is called.
struct Entered {
    event: Event,
    receipt: Option<EventReceipt>,
    is_quarantined: bool,
}

/// Sees to it that the event is allowed and its data are checked, and records it where the rules say so: the same steps
/// as [`admission::admit`] takes.
async fn enter(
    shared: &Shared,
    snapshot: &Snapshot,
    space: &SpaceName,
    event: Event,
    sender: &dyn Sender,
) -> Result<Entered, CallFailure> {
    let event_type = admission::registered(&snapshot.catalog, space, &event)?;
    let event = admission::authorized(shared, snapshot, space, event_type, event, sender).await?;
    let is_recorded = is_recorded(&snapshot.catalog, space, &event);
    if !is_recorded && event_type.schema.is_none() {
        return Ok(Entered { event, receipt: None, is_quarantined: false });
    }
    let new = admission::keyed(event_type, event.clone())?;
    let is_quarantined = schema::is_quarantined(&new);
    if !is_recorded && !is_quarantined {
        return Ok(Entered { event, receipt: None, is_quarantined });
    }
    let receipt = shared.log.append(Append::new(space.clone(), vec![new])).await?;
    Ok(Entered { event, receipt: receipt.events.first().copied(), is_quarantined })
}

/// What the caller gets whose event is kept and not given to the function: as on a path without a route.
fn in_quarantine(receipt: Option<EventReceipt>) -> HttpAnswer {
    let mut headers = vec![("weir-quarantined".to_owned(), "true".to_owned())];
    headers.extend(receipt.map(|entry| ("weir-position".to_owned(), entry.position.to_string())));
    HttpAnswer { status: 202, headers, body: bytes::Bytes::new() }
}

/// A plain HTTP request is recorded only where somebody listens to such requests; every other event is.
fn is_recorded(catalog: &Catalog, space: &SpaceName, event: &Event) -> bool {
    event.event_type() != HTTP_REQUEST || catalog.space_or_empty(space).async_for(event).next().is_some()
}

async fn answer(
    shared: &Shared,
    space: &SpaceName,
    subscription: &Subscription,
    event: &Event,
    outcome: Outcome,
) -> Result<(HttpAnswer, Vec<Event>), CallFailure> {
    let drafts = match outcome {
        Outcome::Answer(answer) => return Ok((answer, Vec::new())),
        Outcome::Events(drafts) => drafts,
        Outcome::Value(_) => {
            return Err(CallFailure::Malformed { message: "it is a value, which nobody asked for".to_owned() });
        }
    };
    let cause = Cause {
        space,
        subscription: subscription.id.as_str(),
        function: &subscription.function,
        event,
        now: shared.clock.now(),
    };
    let events = reentry::complete(&cause, drafts, shared.options.hops_max)
        .map_err(|error| CallFailure::Failed { message: error_chain(&error), kind: ErrorKind::Internal })?;
    let mut headers = Vec::new();
    if !events.is_empty() {
        let catalog = shared.state.borrow().catalog.clone();
        let limits = &shared.options.limits;
        let admitted: Result<Vec<NewEvent>, _> =
            events.iter().map(|event| admission::admit_returned(&catalog, space, event.clone(), limits)).collect();
        let admitted = admitted.map_err(|refusal| CallFailure::Failed {
            message: format!("the function returned an event that is refused: {refusal}"),
            kind: ErrorKind::Internal,
        })?;
        let receipt = shared.log.append(Append::new(space.clone(), admitted)).await?;
        let range = receipt.range();
        let positions = match events.len() {
            1 => range.first.to_string(),
            _ => format!("{}, {}", range.first, range.last),
        };
        headers.push(("weir-position".to_owned(), positions));
    }
    Ok((HttpAnswer { status: 200, headers, body: bytes::Bytes::new() }, events))
}

fn failure(error: &CallError) -> CallFailure {
    match error {
        CallError::Busy => CallFailure::Busy,
        CallError::Malformed { problem } => CallFailure::Malformed { message: problem.clone() },
        _ => CallFailure::Failed { message: error_chain(error), kind: ErrorKind::Internal },
    }
}
