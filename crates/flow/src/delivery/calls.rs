//! The call of a function with one event from the log, or with several.

use std::{sync::Arc, time::Duration};

use tokio::time::Instant;
use weir_domain::{AttributeValue, Event};
use weir_functions::{Call, CallError, CallMode, Invoke, Outcome};

use super::{
    attempt::{Delivery, Work},
    outcome::{self, Failure},
};
use crate::{REPLAY, flow::UnderWay, recorded_time, system_events};

/// How long a call that got no turn waits before it asks for one again, so that nobody who refuses at once is asked in a
/// circle.
const TURN_PAUSE: Duration = Duration::from_millis(10);

fn function(work: &Work) -> Result<Arc<dyn Invoke>, Failure> {
    let function = work.shared.state.borrow().function(&work.space, &work.subscription.function).cloned();
    function.ok_or_else(|| Failure::of_platform(format!("function \"{}\" does not exist", work.subscription.function)))
}

fn call_of(work: &Work, delivery: &Delivery) -> Call {
    let Work { subscription, replay, .. } = work;
    let recorded = &delivery.item.recorded;
    let mut event = recorded_time::given(&recorded.event, recorded.recorded);
    if let Some(replay) = replay {
        let marked = event.with_extensions(&[REPLAY], [(REPLAY, AttributeValue::String(&replay.id))]);
        event = marked.unwrap_or(event);
    }
    Call {
        event,
        key: recorded.key.clone(),
        function: subscription.function.clone(),
        subscription: work.name.clone(),
        attempt: delivery.attempt,
        mode: CallMode::Async,
        span: delivery.trace.as_ref().map(|trace| trace.spans.call),
        timeout: subscription.delivery.timeout_ms.map(|limit| Duration::from_millis(u64::from(limit))),
    }
}

/// Calls the function when it is its turn. Nobody waits for it and lanes bound how many calls there are, so that there is
/// none is no reason to give up, but for a stop: the event is then delivered after the next start. Where the function was
/// updated in the meantime, it is the turn of the present one.
async fn in_turn(work: &Work, mut function: Arc<dyn Invoke>, call: &Call) -> Result<Outcome, CallError> {
    loop {
        let outcome = function.invoke(call).await;
        if !matches!(outcome, Err(CallError::Busy)) {
            return outcome;
        }
        let Some(present) = next_turn(work).await else { return outcome };
        function = present;
    }
}

/// Waits a moment and returns the function of then; `None` at a stop.
async fn next_turn(work: &Work) -> Option<Arc<dyn Invoke>> {
    tokio::select! {
        biased;
        () = work.stop.cancelled() => return None,
        () = tokio::time::sleep(TURN_PAUSE) => {}
    }
    // One that is gone is noticed when the event is tried again.
    function(work).ok()
}

pub(super) async fn call(work: &Work, delivery: &mut Delivery) -> Result<Vec<Event>, Failure> {
    let Work { shared, space, .. } = work;
    let function = function(work)?;
    let call = call_of(work, delivery);
    let invoking = system_events::invoking(shared, &delivery.about(work)).into_iter().collect();
    let began = delivery.trace.is_some().then(Instant::now);
    let calling = in_turn(work, function, &call);
    let under_way = UnderWay::begin(&shared.delivering);
    let (outcome, told) = system_events::beside(shared, space, invoking, calling).await;
    drop(under_way);
    if let (Some(trace), Some(began)) = (&mut delivery.trace, began) {
        trace.called = Some(began.elapsed());
    }
    delivery.told.extend(told);
    outcome::digest(work, delivery, outcome.map_err(Failure::from)?).await
}

/// What became of each of several events, and whether all of them were one request.
pub(super) type Called = (Vec<Result<Outcome, CallError>>, bool);

/// Calls the function once for several events.
pub(super) async fn call_batch(work: &Work, deliveries: &mut [Delivery]) -> Result<Called, Failure> {
    let Work { shared, space, .. } = work;
    let mut present = function(work)?;
    let calls: Vec<Call> = deliveries.iter().map(|it| call_of(work, it)).collect();
    let invoking = deliveries.iter().filter_map(|it| system_events::invoking(shared, &it.about(work))).collect();
    let began = Instant::now();
    let calling = async {
        loop {
            let outcomes = present.invoke_batch(&calls).await;
            let is_one = present.takes_batches();
            if !outcomes.iter().all(|it| matches!(it, Err(CallError::Busy))) {
                return (outcomes, is_one);
            }
            let Some(next) = next_turn(work).await else { return (outcomes, is_one) };
            present = next;
        }
    };
    let under_way = UnderWay::begin(&shared.delivering);
    let ((outcomes, is_one), told) = system_events::beside(shared, space, invoking, calling).await;
    drop(under_way);
    if let Some(first) = deliveries.first_mut() {
        first.told.extend(told);
    }
    for trace in deliveries.iter_mut().filter_map(|it| it.trace.as_mut()) {
        trace.called = Some(began.elapsed());
    }
    if outcomes.len() != deliveries.len() {
        return Err(Failure::of_platform("a call with several events told of another number of them".into()));
    }
    Ok((outcomes, is_one))
}
