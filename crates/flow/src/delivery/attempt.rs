//! One attempt to deliver one event: call, complete what came back, append it, or decide how to go on.

use std::{
    panic::AssertUnwindSafe,
    sync::Arc,
    time::{Duration, Instant},
};

use futures_util::FutureExt;
use tokio_util::sync::CancellationToken;
use weir_catalog::{RetryPolicy, Subscription, SystemEvent};
use weir_cloudevents::trace::{TRACEPARENT, TRACESTATE};
use weir_domain::{AttributeValue, Data, ErrorKind, Event, SpaceName, error_chain};
use weir_functions::{Call, CallError, CallMode, Invoke, Outcome};
use weir_log::{NewEvent, Recorded};

use super::backoff;
use crate::{
    CallSpans, Calling, Counting, DELIVERY_FAILED, Happening, Purpose, Settled, TracedCall, Way, admission,
    flow::{Shared, UnderWay, kind_of},
    recorded_time,
    reentry::{self, CAUSATION_ID, CORRELATION_ID, Cause, HOPS},
    system_events::{self, About, Given},
};

/// How long an attempt waits that failed through no fault of the function; it doubles up to the bound.
const PLATFORM_PAUSE: Duration = Duration::from_millis(500);
/// See [`PLATFORM_PAUSE`].
const PLATFORM_PAUSE_MAX: Duration = Duration::from_secs(30);
/// How long a call that got no turn waits before it asks for one again, so that nobody who refuses at once is asked in a
/// circle.
const TURN_PAUSE: Duration = Duration::from_millis(10);
/// How much that is told of a delivery may wait for the log. Each may be as large as an event.
const TOLD_MAX: usize = 8;
/// The longest time for which a function can put an event off.
const RETRY_AFTER_MAX: Duration = Duration::from_secs(60 * 60);

/// One delivery on its way.
pub(crate) struct Delivery {
    pub(crate) recorded: Recorded,
    /// Which attempt this is, from 1. One that does not reach the function is made again under the same number.
    pub(crate) attempt: u32,
    /// How often it failed, but through the platform.
    failures: u32,
    /// How many of these failures count as attempts.
    made: u32,
    /// When the first attempt began.
    pub(crate) since: Instant,
    /// What is left to do of an attempt whose call is over.
    rest: Option<Rest>,
    /// How often in a row the platform failed.
    platform_failures: u32,
    /// What the platform tells of this delivery and is not appended yet: it goes into the next append. A few for each
    /// attempt, and no attempt is made while many wait.
    told: Vec<NewEvent>,
    /// The spans of the present attempt, where it is traced. Apart, so that all others need no room for them.
    trace: Option<Box<Trace>>,
}

/// The spans of an attempt, and what is measured for them.
struct Trace {
    spans: CallSpans,
    /// How long the call took, where one was made.
    called: Option<Duration>,
}

/// What is left to do after a call: the function is not called again for it.
enum Rest {
    /// Its events are to be appended.
    Enter(Vec<Event>),
    /// That it is given up is to be recorded, with why.
    GiveUp(String),
}

impl Delivery {
    /// Begins the delivery of an event.
    pub(crate) fn new(recorded: Recorded) -> Self {
        let since = Instant::now();
        let (rest, told, trace) = (None, Vec::new(), None);
        Self { recorded, attempt: 1, failures: 0, made: 0, since, rest, platform_failures: 0, told, trace }
    }

    /// Returns what the platform tells about the call of this attempt.
    fn about<'a>(&'a self, space: &'a SpaceName, subscription: &'a Subscription) -> About<'a> {
        About {
            space,
            subscription: subscription.id.as_str(),
            function: &subscription.function,
            event: &self.recorded.event,
            key: self.recorded.key.as_ref(),
            occasion: u64::from(self.attempt),
        }
    }

    /// Returns as which attempt it is tried again, and after which wait; `None` where it is given up.
    fn again(&mut self, policy: &RetryPolicy, failure: &Failure) -> Option<(u32, Duration)> {
        if failure.platform {
            return Some((self.attempt, self.platform_pause()));
        }
        self.platform_failures = 0;
        self.failures = self.failures.saturating_add(1);
        // Where nobody was there, the event has not been tried.
        let counted = u32::from(!failure.unreached);
        self.made = self.made.saturating_add(counted);
        let attempt = self.attempt.saturating_add(counted);
        if failure.is_final || policy.attempts_max.is_some_and(|most| attempt > most) {
            return None;
        }
        let at_least = failure.retry_after.unwrap_or_default().min(RETRY_AFTER_MAX);
        let wait = backoff::wait(policy, self.recorded.position, self.failures, self.since.elapsed(), at_least)?;
        Some((attempt, wait))
    }

    /// Returns how long to wait after another failure of the platform.
    fn platform_pause(&mut self) -> Duration {
        let pause = PLATFORM_PAUSE.saturating_mul(1 << self.platform_failures.min(6)).min(PLATFORM_PAUSE_MAX);
        self.platform_failures += 1;
        pause
    }
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
    /// Its address did not answer.
    unreached: bool,
    /// The earliest time at which the function wants to be called again.
    retry_after: Option<Duration>,
}

impl Failure {
    fn of_function(text: String) -> Self {
        Self { text, is_final: false, platform: false, unreached: false, retry_after: None }
    }

    fn of_platform(text: String) -> Self {
        Self { platform: true, ..Self::of_function(text) }
    }

    fn counting(&self) -> Counting {
        match self {
            Self { platform: true, .. } => Counting::Platform,
            Self { unreached: true, .. } => Counting::Unreached,
            _ => Counting::Counted,
        }
    }
}

pub(crate) async fn attempt(
    shared: Arc<Shared>,
    space: SpaceName,
    subscription: Arc<Subscription>,
    mut delivery: Delivery,
    stop: CancellationToken,
) -> (Delivery, Ended) {
    if let Some(Rest::GiveUp(why)) = delivery.rest.take_if(|rest| matches!(rest, Rest::GiveUp(_))) {
        return give_up(&shared, &space, &subscription, delivery, why).await;
    }
    // Each further attempt would add to it, for as long as the log takes nothing.
    if delivery.told.len() >= TOLD_MAX && !tell(&shared, &space, &mut delivery).await {
        let (attempt, wait) = (delivery.attempt, delivery.platform_pause());
        return (delivery, Ended::Again { attempt, wait });
    }
    let calling = Calling { purpose: Purpose::Delivery, event: &delivery.recorded.event, request: None };
    delivery.trace = shared.observer.calling(&calling).map(|spans| Box::new(Trace { spans, called: None }));
    let began = Instant::now();
    // A panic of one event must not take the others along, and counts as a failed attempt.
    let outcome = deliver(&shared, &space, &subscription, &mut delivery, &stop);
    let outcome = AssertUnwindSafe(outcome).catch_unwind().await;
    let outcome = outcome.unwrap_or_else(|_| Err(Failure::of_function("the delivery ended in a panic".into())));
    let took = began.elapsed();
    let failure = match outcome {
        Ok(returned) => {
            traced(&shared, &space, &subscription, &delivery, took, Ok(&returned));
            let Delivery { recorded, attempt, .. } = &delivery;
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
    traced(&shared, &space, &subscription, &delivery, took, Err(&failure.text));
    if !failure.platform {
        let failed = system_events::failed(&shared, &delivery.about(&space, &subscription), &failure.text);
        delivery.told.extend(failed);
        tell(&shared, &space, &mut delivery).await;
    }
    let attempt = delivery.attempt;
    let again = delivery.again(&subscription.retry, &failure);
    let recorded = &delivery.recorded;
    shared.observer.observe(&Happening::Failed {
        space: &space,
        subscription: &subscription,
        function: &subscription.function,
        event: &recorded.event,
        position: Some(recorded.position),
        attempt,
        took,
        error: &failure.text,
        counting: failure.counting(),
        retry_in: again.map(|(_, wait)| wait),
    });
    match again {
        Some((attempt, wait)) => (delivery, Ended::Again { attempt, wait }),
        None => give_up(&shared, &space, &subscription, delivery, failure.text).await,
    }
}

/// Gives a delivery up, which is done when it is recorded: what cannot be recorded would be gone without a trace.
async fn give_up(
    shared: &Shared,
    space: &SpaceName,
    subscription: &Subscription,
    mut delivery: Delivery,
    why: String,
) -> (Delivery, Ended) {
    match record(shared, space, subscription, &delivery, &why).await {
        Ok(()) => {
            settled(shared, space, subscription, &delivery.recorded, true);
            (delivery, Ended::Settled)
        }
        Err(error) => {
            tracing::error!(%error, %space, position = %delivery.recorded.position, "a failed delivery cannot be recorded");
            delivery.rest = Some(Rest::GiveUp(why));
            let (attempt, wait) = (delivery.attempt, delivery.platform_pause());
            (delivery, Ended::Again { attempt, wait })
        }
    }
}

/// Appends what is told of a delivery, and says whether that is done; what the log does not take now goes into its next
/// append.
async fn tell(shared: &Shared, space: &SpaceName, delivery: &mut Delivery) -> bool {
    if delivery.told.is_empty() {
        return true;
    }
    match system_events::append_told(shared, &*shared.log, space, delivery.told.clone()).await {
        Ok(()) => {
            delivery.told.clear();
            true
        }
        Err(error) => {
            tracing::warn!(error = %error_chain(&error), %space, "what the platform tells of a call is appended later");
            false
        }
    }
}

/// Tells the observer of an attempt that is traced, with the events that came of it, or why it failed.
fn traced(
    shared: &Shared,
    space: &SpaceName,
    subscription: &Subscription,
    delivery: &Delivery,
    took: Duration,
    outcome: Result<&[Event], &str>,
) {
    let Delivery { recorded, attempt, trace: Some(trace), .. } = delivery else { return };
    let kind = kind_of(&shared.state.borrow().catalog, space, &subscription.function);
    shared.observer.traced(&TracedCall {
        purpose: Purpose::Delivery,
        space,
        subscription: subscription.id.as_str(),
        function: &subscription.function,
        kind,
        event: &recorded.event,
        position: Some(recorded.position),
        attempt: *attempt,
        spans: trace.spans,
        called: trace.called,
        took,
        returned: outcome.unwrap_or_default(),
        outcome: outcome.map(|_| None),
    });
}

/// Tells the observer that nothing more happens to an event here.
fn settled(shared: &Shared, space: &SpaceName, subscription: &Subscription, recorded: &Recorded, is_given_up: bool) {
    let micros = shared.clock.now().unix_micros().saturating_sub(recorded.recorded.unix_micros());
    let way = Way::Delivery { age: Duration::from_micros(micros), is_given_up };
    shared.observer.settled(&Settled { space, function: &subscription.function, event: &recorded.event, way });
}

/// Calls the function, unless that is done, and lets its events enter.
async fn deliver(
    shared: &Shared,
    space: &SpaceName,
    subscription: &Subscription,
    delivery: &mut Delivery,
    stop: &CancellationToken,
) -> Result<Vec<Event>, Failure> {
    let events = match delivery.rest.take() {
        Some(Rest::Enter(events)) => events,
        _ => call(shared, space, subscription, delivery, stop).await?,
    };
    match enter(shared, space, &events, &delivery.told).await {
        Ok(()) => {
            delivery.told.clear();
            Ok(events)
        }
        Err(failure) => {
            if failure.platform {
                delivery.rest = Some(Rest::Enter(events));
            } else {
                // It comes to nothing after all.
                delivery.told.retain(|new| new.event.event_type() != SystemEvent::Invoked.name());
            }
            Err(failure)
        }
    }
}

/// Calls the function when it is its turn. Nobody waits for it and lanes bound how many calls there are, so that there is
/// none is no reason to give up, but for a stop: the event is then delivered after the next start. Where the function was
/// updated in the meantime, it is the turn of the present one.
async fn in_turn(
    shared: &Shared,
    space: &SpaceName,
    mut function: Arc<dyn Invoke>,
    call: &Call,
    stop: &CancellationToken,
) -> Result<Outcome, CallError> {
    loop {
        let outcome = function.invoke(call).await;
        if !matches!(outcome, Err(CallError::Busy)) {
            return outcome;
        }
        tokio::select! {
            biased;
            () = stop.cancelled() => return outcome,
            () = tokio::time::sleep(TURN_PAUSE) => {}
        }
        let present = shared.state.borrow().function(space, &call.function).cloned();
        // One that is gone is noticed when the event is tried again.
        let Some(present) = present else { return outcome };
        function = present;
    }
}

async fn call(
    shared: &Shared,
    space: &SpaceName,
    subscription: &Subscription,
    delivery: &mut Delivery,
    stop: &CancellationToken,
) -> Result<Vec<Event>, Failure> {
    let function = shared.state.borrow().function(space, &subscription.function).cloned();
    let Some(function) = function else {
        return Err(Failure::of_platform(format!("function \"{}\" does not exist", subscription.function)));
    };
    let call = Call {
        event: recorded_time::given(&delivery.recorded.event, delivery.recorded.recorded),
        key: delivery.recorded.key.clone(),
        function: subscription.function.clone(),
        subscription: subscription.id.as_str().into(),
        attempt: delivery.attempt,
        mode: CallMode::Async,
        span: delivery.trace.as_ref().map(|trace| trace.spans.call),
    };
    let invoking = system_events::invoking(shared, &delivery.about(space, subscription)).into_iter().collect();
    let began = delivery.trace.is_some().then(Instant::now);
    let calling = in_turn(shared, space, function, &call, stop);
    let under_way = UnderWay::begin(&shared.delivering);
    let (outcome, told) = system_events::beside(shared, space, invoking, calling).await;
    drop(under_way);
    if let (Some(trace), Some(began)) = (&mut delivery.trace, began) {
        trace.called = Some(began.elapsed());
    }
    delivery.told.extend(told);
    let outcome = outcome.map_err(|error| Failure {
        text: error_chain(&error),
        is_final: error.is_final(),
        platform: error.is_platform(),
        unreached: error.is_unreached(),
        retry_after: error.retry_after(),
    })?;
    let drafts = match outcome {
        Outcome::Events(drafts) => drafts,
        // It has no one to go to.
        Outcome::Answer(answer) => {
            let about = delivery.about(space, subscription);
            let invoked = system_events::invoked(shared, &about, &Given::Answer(&answer));
            delivery.told.extend(invoked);
            return Ok(Vec::new());
        }
        Outcome::Value(_) => {
            return Err(Failure::of_function("it returned a value, which nobody asked for".to_owned()));
        }
    };
    let cause = Cause {
        space,
        subscription: subscription.id.as_str(),
        function: &subscription.function,
        event: &call.event,
        now: shared.clock.now(),
    };
    let events = reentry::complete(&cause, drafts, shared.options.hops_max).map_err(unfit)?;
    let invoked = system_events::invoked(shared, &delivery.about(space, subscription), &Given::Events(&events));
    delivery.told.extend(invoked);
    Ok(events)
}

fn unfit(error: reentry::Unfit) -> Failure {
    Failure { is_final: true, ..Failure::of_function(error_chain(&error)) }
}

/// Appends what a function returned, all of it or nothing, and what is told of the call.
async fn enter(shared: &Shared, space: &SpaceName, events: &[Event], told: &[NewEvent]) -> Result<(), Failure> {
    if events.is_empty() && told.is_empty() {
        return Ok(());
    }
    let catalog = shared.state.borrow().catalog.clone();
    let limits = &shared.options.limits;
    let admitted = admission::admit_all_returned(&catalog, space, events, limits).await;
    // Somebody may register the type while the next attempt waits.
    let admitted = admitted.map_err(|refusal| {
        Failure::of_function(format!("the function returned an event that is refused: {refusal}"))
    })?;
    match system_events::append(shared, &*shared.log, space.clone(), admitted, told.to_vec()).await {
        Ok(_) => Ok(()),
        // The log will never take them: the function returned too much.
        Err(error) if error.kind() == ErrorKind::Invalid => {
            Err(Failure { is_final: true, ..Failure::of_function(error_chain(&error)) })
        }
        Err(error) => Err(Failure::of_platform(error_chain(&error))),
    }
}

/// Records a delivery that is given up: an ordinary event with the cause and the event it is about.
async fn record(
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
        "attempts": delivery.made,
        "error": why,
        "event": { "id": event.id(), "source": event.source(), "type": event.event_type(), "position": position.get() },
    });
    let correlation = event.extension_text(CORRELATION_ID).unwrap_or(event.id());
    let (parent, state) = reentry::trace_of(event);
    // The position makes it one record, however often it is written.
    let id = format!("{}/{position}", subscription.id.as_str());
    let failed = Event::builder(&id, "/weir/delivery", DELIVERY_FAILED)
        .subject(event.id())
        .time(&weir_cloudevents::time::format(shared.clock.now()))
        .datacontenttype("application/json")
        .extension(CAUSATION_ID, AttributeValue::String(event.id()))
        .extension(CORRELATION_ID, AttributeValue::String(correlation))
        .extension(HOPS, AttributeValue::Integer(reentry::hops(event).saturating_add(1)))
        .extension_opt(TRACEPARENT, parent)
        .extension_opt(TRACESTATE, state.as_deref())
        .data(Data::Json(data.to_string().into()))
        .build()
        .map_err(|error| error.to_string())?;
    let new = NewEvent { event: failed, key: key.clone() };
    let told = delivery.told.clone();
    let appended = system_events::append(shared, &*shared.log, space.clone(), vec![new], told).await;
    appended.map(drop).map_err(|error| error_chain(&error))
}
