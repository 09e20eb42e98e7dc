//! Calls on routes: the caller waits for the answer of the function.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use weir_catalog::{Catalog, HTTP_REQUEST, Subscription};
use weir_domain::{ErrorKind, Event, Key, SpaceName, error_chain};
use weir_functions::{Call, CallError, CallMode, HttpAnswer, Outcome};
use weir_log::{EventReceipt, NewEvent, Read, Receipt};

use crate::{
    CallFailure, CallSpans, Calling, Counting, Happening, Purpose, Sender, Settled, TracedCall, Way, admission,
    flow::{Shared, kind_of},
    recorded_time,
    reentry::{self, Cause},
    schema,
    snapshot::Snapshot,
    system_events::{self, About, Given},
};

/// Lets the event enter, calls the function and lets its events enter.
///
/// What the platform tells of it costs the caller nothing before the call: it goes along with the event, or beside the
/// call. After it, it goes along with the events that the function returned; only where it returned none is that an
/// append more.
pub(crate) async fn call(
    shared: &Shared,
    space: &SpaceName,
    subscription: &Arc<Subscription>,
    event: Event,
    sender: &dyn Sender,
) -> Result<HttpAnswer, CallFailure> {
    let _permit = shared.callers.try_acquire().map_err(|_| CallFailure::Busy)?;
    let snapshot = shared.state.borrow().clone();
    let Checked { event, key, kept, received } = check(shared, &snapshot, space, event, sender).await?;
    if kept.as_ref().is_some_and(schema::is_quarantined) {
        let receipt = record(shared, space, kept, &mut Vec::from_iter(received)).await?;
        if let Some(receipt) = &receipt {
            shared.observer.quarantined(space, receipt);
        }
        return Ok(in_quarantine(receipt));
    }
    let spans = shared.observer.calling(&Calling { purpose: Purpose::Route, event: &event, request: sender.span() });
    let call = Call {
        event,
        key,
        function: subscription.function.clone(),
        subscription: subscription.id.as_str().into(),
        attempt: 1,
        mode: CallMode::Sync,
        span: spans.map(|spans| spans.call),
        timeout: None,
    };
    let about = About {
        space,
        subscription: subscription.id.as_str(),
        function: &call.function,
        event: &call.event,
        key: call.key.as_ref(),
        // A caller may repeat an event, and is called for each time.
        occasion: shared.clock.now().unix_micros(),
    };
    let mut told: Vec<NewEvent> = received.into_iter().chain(system_events::invoking(shared, &about)).collect();
    let receipt = record(shared, space, kept, &mut told).await?;
    let Some(function) = snapshot.function(space, &subscription.function) else {
        let message = format!("function \"{}\" does not exist", subscription.function);
        let outcome = Err(CallFailure::Failed { message, kind: ErrorKind::Internal });
        observe(shared, subscription, &about, receipt, Instant::now(), &outcome);
        return outcome.map(|(answer, _)| answer);
    };
    let timed = timed(shared, space, &call, receipt).await?;
    let began = Instant::now();
    let invoked = function.invoke(timed.as_ref().unwrap_or(&call));
    let (outcome, mut told) = system_events::beside(shared, space, told, invoked).await;
    let traced = spans.map(|spans| (spans, began.elapsed()));
    let outcome = match outcome {
        Ok(outcome) => answer(shared, &about, outcome, &mut told).await,
        Err(error) => Err(failure(&error)),
    };
    if let Err(error) = &outcome {
        told.extend(system_events::failed(shared, &about, &error_chain(error)));
    }
    if let Err(error) = system_events::append_told(shared, &*shared.log, space, told).await {
        // The caller hears of the failure of the call, which counts more.
        tracing::error!(error = %error_chain(&error), %space, "what the platform tells of a call is not in the log");
    }
    observe(shared, subscription, &about, receipt, began, &outcome);
    if let Some(traced) = traced {
        trace(shared, &about, receipt, traced, &outcome, began.elapsed());
    }
    outcome.map(|(answer, returned)| if returned.is_empty() { placed(answer, receipt) } else { answer })
}

/// Makes the call with the time at which the log took its event, where it did: that of the first one, if it was repeated.
async fn timed(
    shared: &Shared,
    space: &SpaceName,
    call: &Call,
    receipt: Option<EventReceipt>,
) -> Result<Option<Call>, CallFailure> {
    let Some(EventReceipt { position, .. }) = receipt else { return Ok(None) };
    let page = shared.log.read(Read::forward(space.clone(), position).events_max(1)).await?;
    let found = page.events.first().filter(|found| found.position == position);
    Ok(found.map(|found| Call { event: recorded_time::given(&call.event, found.recorded), ..call.clone() }))
}

/// Tells the caller where the event stands. Where the function returned events, their receipt stands there.
fn placed(mut answer: HttpAnswer, receipt: Option<EventReceipt>) -> HttpAnswer {
    answer.headers.extend(receipt.map(|entry| ("weir-position".to_owned(), entry.position.to_string())));
    answer
}

type Answered = Result<(HttpAnswer, Vec<Event>), CallFailure>;

/// Tells the observer how a call went.
fn observe(
    shared: &Shared,
    subscription: &Subscription,
    about: &About<'_>,
    receipt: Option<EventReceipt>,
    began: Instant,
    outcome: &Answered,
) {
    let About { space, function, event, .. } = *about;
    let position = receipt.map(|entry| entry.position);
    let took = began.elapsed();
    match outcome {
        Ok((answer, returned)) => shared.observer.observe(&Happening::Called {
            space,
            function,
            event,
            position,
            attempt: 1,
            took,
            returned,
            status: Some(answer.status),
        }),
        Err(error) => shared.observer.observe(&Happening::Failed {
            space,
            subscription,
            function,
            event,
            position,
            attempt: 1,
            took,
            error: &error_chain(error),
            counting: Counting::Counted,
            retry_in: None,
        }),
    }
    shared.observer.settled(&Settled { space, function, event, way: Way::Route { receipt } });
}

/// Tells the observer of a call that is traced.
fn trace(
    shared: &Shared,
    about: &About<'_>,
    receipt: Option<EventReceipt>,
    (spans, called): (CallSpans, Duration),
    outcome: &Answered,
    took: Duration,
) {
    let About { space, subscription, function, event, .. } = *about;
    let problem = outcome.as_ref().err().map(|error: &CallFailure| error_chain(error));
    let (returned, status) = match outcome {
        Ok((answer, returned)) => (returned.as_slice(), Some(answer.status)),
        Err(_) => (<&[Event]>::default(), None),
    };
    let kind = kind_of(&shared.state.borrow().catalog, space, function);
    shared.observer.traced(&TracedCall {
        purpose: Purpose::Route,
        space,
        subscription,
        function,
        kind,
        event,
        position: receipt.map(|entry| entry.position),
        attempt: 1,
        spans,
        called: Some(called),
        took,
        returned,
        outcome: problem.as_deref().map_or(Ok(status), Err),
    });
}

/// An event that may enter.
struct Checked {
    /// As the function is given it.
    event: Event,
    /// What its order is kept by, where it is known.
    key: Option<Key>,
    /// What is to be recorded, if anything: the event, or the one that keeps it in quarantine.
    kept: Option<NewEvent>,
    /// What the platform tells of that it came in.
    received: Option<NewEvent>,
}

/// Sees to it that the event is allowed and its data are checked, and finds out whether it is recorded: the same steps as
/// [`admission::admit`] takes.
async fn check(
    shared: &Shared,
    snapshot: &Snapshot,
    space: &SpaceName,
    event: Event,
    sender: &dyn Sender,
) -> Result<Checked, CallFailure> {
    let event_type = admission::registered(&snapshot.catalog, space, &event)?;
    admission::check_sender(event_type, sender)?;
    let event = admission::authorized(shared, snapshot, space, event_type, event, sender).await?;
    let is_recorded = is_recorded(shared, &snapshot.catalog, space, &event);
    if !is_recorded && event_type.schema.is_none() {
        let key = || event_type.key_of(&event).ok().flatten();
        let received = system_events::received(shared, space, &event, key, sender);
        return Ok(Checked { event, key: None, kept: None, received });
    }
    let new = admission::keyed(event_type, event.clone())?;
    let key = new.key.clone();
    let received = system_events::received(shared, space, &new.event, || key.clone(), sender);
    let kept = Some(new).filter(|new| is_recorded || schema::is_quarantined(new));
    Ok(Checked { event, key, kept, received })
}

/// Records an event where that is to be, together with what is told, which then is told.
async fn record(
    shared: &Shared,
    space: &SpaceName,
    kept: Option<NewEvent>,
    told: &mut Vec<NewEvent>,
) -> Result<Option<EventReceipt>, CallFailure> {
    let Some(new) = kept else { return Ok(None) };
    Ok(keep(shared, space, vec![new], told).await?.events.first().copied())
}

/// What the caller gets whose event is kept and not given to the function: as on a path without a route.
fn in_quarantine(receipt: Option<EventReceipt>) -> HttpAnswer {
    let mut headers = vec![("weir-quarantined".to_owned(), "true".to_owned())];
    headers.extend(receipt.map(|entry| ("weir-position".to_owned(), entry.position.to_string())));
    HttpAnswer { status: 202, headers, body: bytes::Bytes::new() }
}

/// A plain HTTP request is recorded only where somebody listens to it; every other event is.
fn is_recorded(shared: &Shared, catalog: &Catalog, space: &SpaceName, event: &Event) -> bool {
    let matching = shared.options.compatibility.matching();
    event.event_type() != HTTP_REQUEST || catalog.space_or_empty(space).async_for(event, matching).next().is_some()
}

/// Makes the answer, and appends the events that the function returned, and what is told with them.
async fn answer(shared: &Shared, about: &About<'_>, outcome: Outcome, told: &mut Vec<NewEvent>) -> Answered {
    let About { space, subscription, function, event, .. } = *about;
    let drafts = match outcome {
        Outcome::Answer(answer) => {
            told.extend(system_events::invoked(shared, about, &Given::Answer(&answer)));
            keep(shared, space, Vec::new(), told).await?;
            return Ok((answer, Vec::new()));
        }
        Outcome::Events(drafts) => drafts,
        Outcome::Value(_) => {
            return Err(CallFailure::Malformed { message: "it is a value, which nobody asked for".to_owned() });
        }
    };
    let cause = Cause { space, subscription, function, event, derivation: None, replay: None, now: shared.clock.now() };
    let failed = |message| CallFailure::Failed { message, kind: ErrorKind::Internal };
    let events =
        reentry::complete(&cause, drafts, shared.options.hops_max).map_err(|error| failed(error_chain(&error)))?;
    let catalog = shared.state.borrow().catalog.clone();
    let limits = &shared.options.limits;
    let admitted = admission::admit_all_returned(&catalog, space, &events, limits).await;
    let admitted =
        admitted.map_err(|refusal| failed(format!("the function returned an event that is refused: {refusal}")))?;
    told.extend(system_events::invoked(shared, about, &Given::Events(&events)));
    let range = keep(shared, space, admitted, told).await?.range();
    let headers = match events.len() {
        0 => Vec::new(),
        1 => vec![("weir-position".to_owned(), range.first.to_string())],
        _ => vec![("weir-position".to_owned(), format!("{}, {}", range.first, range.last))],
    };
    Ok((HttpAnswer { status: 200, headers, body: bytes::Bytes::new() }, events))
}

/// Appends events and what is told with them, which then is told.
async fn keep(
    shared: &Shared,
    space: &SpaceName,
    events: Vec<NewEvent>,
    told: &mut Vec<NewEvent>,
) -> Result<Receipt, CallFailure> {
    if events.is_empty() && told.is_empty() {
        return Ok(Receipt { events: Vec::new() });
    }
    Ok(system_events::append(shared, &*shared.log, space.clone(), events, std::mem::take(told)).await?)
}

fn failure(error: &CallError) -> CallFailure {
    match error {
        CallError::Busy => CallFailure::Busy,
        CallError::Malformed { problem } => CallFailure::Malformed { message: problem.clone() },
        CallError::Service { code, .. } => CallFailure::Service { code: code.clone(), message: error_chain(error) },
        _ => CallFailure::Failed { message: error_chain(error), kind: ErrorKind::Internal },
    }
}
