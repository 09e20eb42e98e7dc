//! One attempt to deliver one event: call, complete what came back, append it, or decide how to go on.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use weir_catalog::Subscription;
use weir_domain::{AttributeValue, Data, Event, SpaceName, error_chain};
use weir_functions::{Call, CallMode, Outcome};
use weir_log::{Append, NewEvent, Recorded};

use super::backoff;
use crate::{
    DELIVERY_FAILED, Happening, Settled, Way,
    flow::Shared,
    reentry::{self, CAUSATION_ID, CORRELATION_ID, Cause, HOPS},
};

/// How long an attempt waits that failed through no fault of the function.
const PLATFORM_PAUSE: Duration = Duration::from_millis(500);

/// One delivery on its way.
pub(crate) struct Delivery {
    pub(crate) recorded: Recorded,
    /// Which attempt this is, from 1.
    pub(crate) attempt: u32,
    /// When the first attempt began.
    pub(crate) since: Instant,
}

/// How an attempt ended.
pub(crate) enum Ended {
    /// Delivered, or given up and recorded: the lane goes on.
    Settled,
    /// To be tried again as this attempt, after a wait.
    Again { attempt: u32, wait: Duration },
}

/// Why an attempt failed.
struct Failure {
    text: String,
    /// No further attempt can succeed.
    is_final: bool,
    /// The function is not to blame: the attempt does not count.
    platform: bool,
    /// The earliest time at which the function wants to be called again.
    retry_after: Option<Duration>,
}

impl Failure {
    fn of_function(text: String) -> Self {
        Self { text, is_final: false, platform: false, retry_after: None }
    }

    fn of_platform(text: String) -> Self {
        Self { platform: true, ..Self::of_function(text) }
    }
}

pub(crate) async fn attempt(
    shared: Arc<Shared>,
    space: SpaceName,
    subscription: Arc<Subscription>,
    delivery: Delivery,
) -> (Delivery, Ended) {
    let began = Instant::now();
    let outcome = deliver(&shared, &space, &subscription, &delivery).await;
    let took = began.elapsed();
    let Delivery { recorded, attempt, since } = &delivery;
    let failure = match outcome {
        Ok(returned) => {
            shared.observer.observe(&Happening::Called {
                space: &space,
                function: &subscription.function,
                event: &recorded.event,
                position: Some(recorded.position),
                attempt: *attempt,
                took,
                returned: &returned,
                status: None,
            });
            settled(&shared, &space, &subscription, recorded, false);
            return (delivery, Ended::Settled);
        }
        Err(failure) => failure,
    };
    let again = if failure.platform {
        Some((*attempt, PLATFORM_PAUSE))
    } else if failure.is_final {
        None
    } else {
        backoff::wait(&subscription.retry, recorded.position, *attempt, since.elapsed())
            .map(|wait| (attempt + 1, wait.max(failure.retry_after.unwrap_or_default())))
    };
    shared.observer.observe(&Happening::Failed {
        space: &space,
        function: &subscription.function,
        event: &recorded.event,
        position: Some(recorded.position),
        attempt: *attempt,
        took,
        error: &failure.text,
        retry_in: again.map(|(_, wait)| wait),
    });
    let ended = match again {
        Some((attempt, wait)) => Ended::Again { attempt, wait },
        None => match give_up(&shared, &space, &subscription, &delivery, &failure.text).await {
            Ok(()) => {
                settled(&shared, &space, &subscription, &delivery.recorded, true);
                Ended::Settled
            }
            // What cannot be recorded is not given up: it would be gone without a trace.
            Err(error) => {
                tracing::error!(%error, %space, position = %delivery.recorded.position, "a failed delivery cannot be recorded");
                Ended::Again { attempt: delivery.attempt, wait: PLATFORM_PAUSE }
            }
        },
    };
    (delivery, ended)
}

/// Tells the observer that nothing more happens to an event here.
fn settled(shared: &Shared, space: &SpaceName, subscription: &Subscription, recorded: &Recorded, is_given_up: bool) {
    let micros = shared.clock.now().unix_micros().saturating_sub(recorded.recorded.unix_micros());
    let way = Way::Delivery { age: Duration::from_micros(micros), is_given_up };
    shared.observer.settled(&Settled { space, function: &subscription.function, event: &recorded.event, way });
}

async fn deliver(
    shared: &Shared,
    space: &SpaceName,
    subscription: &Subscription,
    delivery: &Delivery,
) -> Result<Vec<Event>, Failure> {
    let function = shared.state.borrow().function(space, &subscription.function).cloned();
    let Some(function) = function else {
        return Err(Failure::of_platform(format!("function \"{}\" does not exist", subscription.function)));
    };
    let call = Call {
        event: delivery.recorded.event.clone(),
        function: subscription.function.clone(),
        subscription: subscription.id.as_str().into(),
        attempt: delivery.attempt,
        mode: CallMode::Async,
    };
    let outcome = function.invoke(&call).await.map_err(|error| Failure {
        text: error_chain(&error),
        is_final: error.is_final(),
        platform: false,
        retry_after: error.retry_after(),
    })?;
    let Outcome::Events(drafts) = outcome else {
        // An HTTP answer has no one to go to.
        return Ok(Vec::new());
    };
    let cause = Cause {
        space,
        subscription: subscription.id.as_str(),
        function: &subscription.function,
        event: &call.event,
        now: shared.clock.now(),
    };
    let events = reentry::complete(&cause, drafts, shared.options.hops_max).map_err(unfit)?;
    enter(shared, space, events).await
}

fn unfit(error: reentry::Unfit) -> Failure {
    Failure { is_final: true, ..Failure::of_function(error_chain(&error)) }
}

/// Appends what a function returned, all of it or nothing.
async fn enter(shared: &Shared, space: &SpaceName, events: Vec<Event>) -> Result<Vec<Event>, Failure> {
    if events.is_empty() {
        return Ok(events);
    }
    let catalog = shared.state.borrow().catalog.clone();
    let admitted: Result<Vec<NewEvent>, _> =
        events.iter().map(|event| crate::admission::admit(&catalog, space, event.clone())).collect();
    // Somebody may register the type while the next attempt waits.
    let admitted = admitted.map_err(|refusal| {
        Failure::of_function(format!("the function returned an event that is refused: {refusal}"))
    })?;
    let appended = shared.log.append(Append::new(space.clone(), admitted)).await;
    appended.map_err(|error| Failure::of_platform(error_chain(&error)))?;
    Ok(events)
}

/// Records a delivery that is given up: an ordinary event with the cause and the event it is about.
async fn give_up(
    shared: &Shared,
    space: &SpaceName,
    subscription: &Subscription,
    delivery: &Delivery,
    why: &str,
) -> Result<(), String> {
    let Recorded { position, event, key, .. } = &delivery.recorded;
    let data = serde_json::json!({
        "subscriptionId": subscription.id.as_str(),
        "functionId": subscription.function.as_str(),
        "attempts": delivery.attempt,
        "error": why,
        "event": { "id": event.id(), "source": event.source(), "type": event.event_type(), "position": position.get() },
    });
    let correlation = event.extension_str(CORRELATION_ID).unwrap_or(event.id());
    // The position makes it one record, however often it is written.
    let id = format!("{}/{position}", subscription.id.as_str());
    let failed = Event::builder(&id, "/weir/delivery", DELIVERY_FAILED)
        .subject(event.id())
        .time(&weir_cloudevents::time::format(shared.clock.now()))
        .datacontenttype("application/json")
        .extension(CAUSATION_ID, AttributeValue::String(event.id()))
        .extension(CORRELATION_ID, AttributeValue::String(correlation))
        .extension(HOPS, AttributeValue::Integer(reentry::hops(event).saturating_add(1)))
        .data(Data::Json(data.to_string().into()))
        .build()
        .map_err(|error| error.to_string())?;
    let new = NewEvent { event: failed, key: key.clone() };
    shared.log.append(Append::new(space.clone(), vec![new])).await.map(drop).map_err(|error| error_chain(&error))
}
