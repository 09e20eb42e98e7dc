//! One attempt to deliver one event, or several in one call: call, complete what came back, append it, or decide how to go
//! on.

use std::{panic::AssertUnwindSafe, sync::Arc, time::Duration};

use futures_util::{FutureExt, future::join_all};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use weir_catalog::{OnFailure, RetryPolicy, Subscription, SystemEvent};
use weir_domain::{Event, SpaceName, error_chain};
use weir_functions::{CallError, Outcome};
use weir_log::NewEvent;

use super::{
    backoff, calls,
    gate::Borrowed,
    lanes::Item,
    outcome::{self, Failure},
    records,
};
use crate::{
    CallSpans, Calling, Happening, Purpose, Settled, TracedCall, Way,
    dead_letters::is_decided,
    flow::{Shared, kind_of},
    progress::{ReplayOrder, Tried},
    system_events::{self, About},
};

/// How long an attempt waits that failed through no fault of the function; it doubles up to the bound.
const PLATFORM_PAUSE: Duration = Duration::from_millis(500);
/// See [`PLATFORM_PAUSE`].
const PLATFORM_PAUSE_MAX: Duration = Duration::from_secs(30);
/// How much that is told of a delivery may wait for the log. Each may be as large as an event.
const TOLD_MAX: usize = 8;

/// What all attempts of a subscription have in common, until it is changed.
pub(crate) struct Work {
    pub(crate) shared: Arc<Shared>,
    pub(crate) space: SpaceName,
    pub(crate) subscription: Arc<Subscription>,
    /// Its identifier, to be handed on.
    pub(crate) name: Arc<str>,
    /// The replay that these attempts are part of.
    pub(crate) replay: Option<Arc<ReplayOrder>>,
    pub(crate) stop: CancellationToken,
}

/// One delivery on its way.
pub(crate) struct Delivery {
    pub(crate) item: Item,
    /// Which attempt this is, from 1. One that does not reach the function is made again under the same number.
    pub(crate) attempt: u32,
    /// Which one was made last.
    pub(crate) attempt_made: u32,
    /// How often it failed, but through the platform.
    pub(crate) failures: u32,
    /// How many of these failures count as attempts.
    pub(crate) made: u32,
    /// When the first attempt began, or those after the start.
    since: Instant,
    /// How long it was tried before the start.
    before: Duration,
    /// What is left to do of an attempt whose call is over.
    rest: Option<Rest>,
    /// It was in a call with others, which failed as a whole: it is tried alone.
    alone: bool,
    /// How often in a row the platform failed.
    platform_failures: u32,
    /// What the platform tells of this delivery and is not appended yet: it goes into the next append. A few for each
    /// attempt, and no attempt is made while many wait.
    pub(crate) told: Vec<NewEvent>,
    /// The spans of the present attempt, where it is traced. Apart, so that all others need no room for them.
    pub(super) trace: Option<Box<Trace>>,
}

/// The spans of an attempt, and what is measured for them.
pub(super) struct Trace {
    pub(super) spans: CallSpans,
    /// How long the call took, where one was made.
    pub(super) called: Option<Duration>,
}

/// What is left to do after a call: the function is not called again for it.
enum Rest {
    /// Its events are to be appended.
    Enter(Vec<Event>),
    /// That it is given up is to be recorded, with why.
    GiveUp(Failure),
}

/// How an attempt ended.
pub(crate) enum Ended {
    /// Delivered: the lane goes on.
    Delivered,
    /// Given up and recorded: the lane goes on, unless its key is held.
    GivenUp {
        /// What comes after it waits.
        held: bool,
        /// The last failure, of the function or of the event.
        cause: Cause,
    },
    /// To be tried again as this attempt, after a wait.
    Again { attempt: u32, wait: Duration, cause: Option<Cause> },
    /// It was in a call in which one of its key before it failed.
    Untried,
}

/// What a failed attempt says of the function.
pub(crate) enum Cause {
    /// It refused this event, and may take others.
    Event,
    /// It failed.
    Function(String),
}

impl Delivery {
    /// Begins the delivery of an event, or goes on where it was before the start.
    pub(crate) fn new(item: Item, tried: Option<&Tried>, now_micros: u64) -> Self {
        let (attempt, failures, made) = tried.map_or((1, 0, 0), |it| (it.attempt, it.failures, it.made));
        let before = tried.map_or(0, |it| now_micros.saturating_sub(it.since_micros));
        Self {
            item,
            attempt,
            attempt_made: attempt,
            failures,
            made,
            since: Instant::now(),
            before: Duration::from_micros(before),
            rest: None,
            alone: false,
            platform_failures: 0,
            told: Vec::new(),
            trace: None,
        }
    }

    /// Returns how long it is tried.
    pub(crate) fn age(&self) -> Duration {
        self.before + self.since.elapsed()
    }

    /// Tells whether it may go into one call with others: it is new, and nothing is left to do of an earlier attempt.
    pub(crate) fn is_new(&self) -> bool {
        self.failures == 0 && !self.alone && self.rest.is_none() && self.told.is_empty() && self.platform_failures == 0
    }

    /// Returns what the platform tells about the call of this attempt.
    pub(crate) fn about<'a>(&'a self, work: &'a Work) -> About<'a> {
        About {
            space: &work.space,
            subscription: &work.name,
            function: &work.subscription.function,
            event: &self.item.recorded.event,
            key: self.item.recorded.key.as_ref(),
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
        let at_least = failure.retry_after.unwrap_or_default().min(Duration::from_millis(policy.retry_after_max_ms));
        let position = self.item.recorded.position;
        let wait = backoff::wait(policy, position, self.failures, self.age(), at_least)?;
        Some((attempt, wait))
    }

    /// Returns how long to wait after another failure of the platform.
    fn platform_pause(&mut self) -> Duration {
        let pause = PLATFORM_PAUSE.saturating_mul(1 << self.platform_failures.min(6)).min(PLATFORM_PAUSE_MAX);
        self.platform_failures += 1;
        pause
    }

    fn later(mut self) -> (Self, Ended) {
        let (attempt, wait) = (self.attempt, self.platform_pause());
        (self, Ended::Again { attempt, wait, cause: None })
    }
}

/// Makes one attempt with each of these, which are new where there are several: those go into one call.
pub(crate) async fn attempt_all(
    work: Arc<Work>,
    mut deliveries: Vec<Delivery>,
    _borrowed: Option<Borrowed>,
) -> Vec<(Delivery, Ended)> {
    match deliveries.len() {
        1 => match deliveries.pop() {
            Some(delivery) => vec![attempt(&work, delivery).await],
            None => Vec::new(),
        },
        _ => attempt_batch(&work, deliveries).await,
    }
}

async fn attempt(work: &Work, mut delivery: Delivery) -> (Delivery, Ended) {
    match delivery.rest.take() {
        Some(Rest::GiveUp(failure)) => return give_up(work, delivery, failure).await,
        rest => delivery.rest = rest,
    }
    // Each further attempt would add to it, for as long as the log takes nothing.
    if delivery.told.len() >= TOLD_MAX && !tell(work, &mut delivery).await {
        return delivery.later();
    }
    begin_trace(work, &mut delivery);
    let began = Instant::now();
    // A panic of one event must not take the others along, and counts as a failed attempt.
    let outcome = AssertUnwindSafe(deliver(work, &mut delivery)).catch_unwind().await;
    let outcome = outcome.unwrap_or_else(|_| Err(panicked()));
    finish(work, delivery, outcome, began.elapsed()).await
}

fn panicked() -> Failure {
    Failure::of_function("panic", "the delivery ended in a panic".into())
}

/// Calls once for several events.
async fn attempt_batch(work: &Work, mut deliveries: Vec<Delivery>) -> Vec<(Delivery, Ended)> {
    for delivery in &mut deliveries {
        begin_trace(work, delivery);
    }
    let began = Instant::now();
    let outcomes = AssertUnwindSafe(calls::call_batch(work, &mut deliveries)).catch_unwind().await;
    let took = began.elapsed();
    let (outcomes, is_one) = match outcomes {
        Ok(Ok(called)) => called,
        Ok(Err(failure)) => {
            // Nobody was called: each waits by itself.
            let text = failure.text;
            let failed =
                deliveries.into_iter().map(|it| finish(work, it, Err(Failure::of_platform(text.clone())), took));
            return join_all(failed).await;
        }
        Err(_) => {
            return join_all(deliveries.into_iter().map(|it| finish(work, it, Err(panicked()), took))).await;
        }
    };
    let mut ended = Vec::with_capacity(deliveries.len());
    let mut open = Vec::new();
    for (index, (delivery, outcome)) in deliveries.into_iter().zip(outcomes).enumerate() {
        // Where nothing came back there is nothing to wait for.
        match outcome {
            Ok(Outcome::Events(drafts)) if drafts.is_empty() && is_quiet(work, &delivery) => {
                delivered(work, &delivery, &[], took);
                ended.push((index, delivery, Ended::Delivered));
            }
            outcome => open.push(async move { (index, conclude(work, delivery, outcome, is_one, took).await) }),
        }
    }
    let concluded = join_all(open).await;
    ended.extend(concluded.into_iter().map(|(index, (delivery, how))| (index, delivery, how)));
    ended.sort_unstable_by_key(|(index, ..)| *index);
    ended.into_iter().map(|(_, delivery, how)| (delivery, how)).collect()
}

/// Tells whether nothing is to be told of a call.
fn is_quiet(work: &Work, delivery: &Delivery) -> bool {
    delivery.told.is_empty()
        && system_events::invoked(&work.shared, &delivery.about(work), &system_events::Given::Events(&[])).is_none()
}

async fn conclude(
    work: &Work,
    mut delivery: Delivery,
    outcome: Result<Outcome, CallError>,
    is_one: bool,
    took: Duration,
) -> (Delivery, Ended) {
    // Which of them made the request fail nobody knows: each is tried alone, and this was no attempt.
    if is_one && outcome.as_ref().is_err_and(|error| !error.is_platform()) {
        let attempt = delivery.attempt;
        delivery.alone = true;
        return (delivery, Ended::Again { attempt, wait: Duration::ZERO, cause: None });
    }
    let entered = async {
        let outcome = outcome.map_err(Failure::from)?;
        let events = outcome::digest(work, &mut delivery, outcome).await?;
        enter(work, &mut delivery, events).await
    };
    let entered = AssertUnwindSafe(entered).catch_unwind().await.unwrap_or_else(|_| Err(panicked()));
    finish(work, delivery, entered, took).await
}

fn begin_trace(work: &Work, delivery: &mut Delivery) {
    let calling = Calling { purpose: Purpose::Delivery, event: &delivery.item.recorded.event, request: None };
    delivery.trace = work.shared.observer.calling(&calling).map(|spans| Box::new(Trace { spans, called: None }));
}

/// Decides how to go on after a call and what came of it.
async fn finish(
    work: &Work,
    mut delivery: Delivery,
    outcome: Result<Vec<Event>, Failure>,
    took: Duration,
) -> (Delivery, Ended) {
    let failure = match outcome {
        Ok(returned) => {
            delivered(work, &delivery, &returned, took);
            return (delivery, Ended::Delivered);
        }
        Err(failure) if failure.untried => return (delivery, Ended::Untried),
        Err(failure) => failure,
    };
    traced(work, &delivery, took, Err(&failure.text));
    delivery.attempt_made = delivery.attempt;
    let Work { shared, space, subscription, .. } = work;
    let again = delivery.again(&subscription.retry, &failure);
    if !failure.platform {
        let failed = system_events::failed(shared, &delivery.about(work), &failure.text);
        delivery.told.extend(failed);
        delivery.told.extend(records::attempted(work, &delivery, &failure, took, again.map(|(_, wait)| wait)));
        tell(work, &mut delivery).await;
    }
    let recorded = &delivery.item.recorded;
    shared.observer.observe(&Happening::Failed {
        space,
        subscription,
        function: &subscription.function,
        event: &recorded.event,
        position: Some(recorded.position),
        attempt: delivery.attempt_made,
        took,
        error: &failure.text,
        counting: failure.counting(),
        retry_in: again.map(|(_, wait)| wait),
    });
    match again {
        Some((attempt, wait)) => {
            let cause = (!failure.platform).then_some(Cause::Function(failure.text));
            (delivery, Ended::Again { attempt, wait, cause })
        }
        None => give_up(work, delivery, failure).await,
    }
}

fn delivered(work: &Work, delivery: &Delivery, returned: &[Event], took: Duration) {
    let Work { shared, space, subscription, .. } = work;
    let recorded = &delivery.item.recorded;
    traced(work, delivery, took, Ok(returned));
    shared.observer.observe(&Happening::Called {
        space,
        function: &subscription.function,
        event: &recorded.event,
        position: Some(recorded.position),
        attempt: delivery.attempt,
        took,
        returned,
        status: None,
    });
    settled(work, delivery, false);
}

/// Gives a delivery up, which is done when it is recorded: what cannot be recorded would be gone without a trace.
async fn give_up(work: &Work, mut delivery: Delivery, failure: Failure) -> (Delivery, Ended) {
    let Work { shared, space, subscription, .. } = work;
    let holds = subscription.delivery.on_failure == OnFailure::HoldKey && work.replay.is_none();
    let held = holds && delivery.item.recorded.key.is_some();
    let recorded = async {
        let letter = records::dead_letter(work, &delivery, &failure, held).await?;
        let told = delivery.told.clone();
        let appended = system_events::append(shared, &*shared.log, space.clone(), vec![letter], told).await;
        let receipt = appended.map_err(|error| error_chain(&error))?;
        // After a crash it may stand there already, with what was decided about it.
        let known = receipt.events.first().filter(|entry| held && entry.duplicate);
        match known {
            Some(entry) => is_decided(shared, space, entry.position).await.map_err(|error| error_chain(&error)),
            None => Ok(false),
        }
    };
    match recorded.await {
        Ok(is_decided) => {
            let held = held && !is_decided;
            delivery.told.clear();
            settled(work, &delivery, true);
            let cause = if failure.is_final { Cause::Event } else { Cause::Function(failure.text) };
            (delivery, Ended::GivenUp { held, cause })
        }
        Err(error) => {
            let position = delivery.item.recorded.position;
            tracing::error!(%error, %space, %position, "a failed delivery cannot be recorded");
            delivery.rest = Some(Rest::GiveUp(failure));
            delivery.later()
        }
    }
}

/// Appends what is told of a delivery, and says whether that is done; what the log does not take now goes into its next
/// append.
async fn tell(work: &Work, delivery: &mut Delivery) -> bool {
    let Work { shared, space, .. } = work;
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
fn traced(work: &Work, delivery: &Delivery, took: Duration, outcome: Result<&[Event], &str>) {
    let Work { shared, space, subscription, .. } = work;
    let Delivery { item, attempt, trace: Some(trace), .. } = delivery else { return };
    let kind = kind_of(&shared.state.borrow().catalog, space, &subscription.function);
    shared.observer.traced(&TracedCall {
        purpose: Purpose::Delivery,
        space,
        subscription: &work.name,
        function: &subscription.function,
        kind,
        event: &item.recorded.event,
        position: Some(item.recorded.position),
        attempt: *attempt,
        spans: trace.spans,
        called: trace.called,
        took,
        returned: outcome.unwrap_or_default(),
        outcome: outcome.map(|_| None),
    });
}

/// Tells the observer that nothing more happens to an event here.
fn settled(work: &Work, delivery: &Delivery, is_given_up: bool) {
    let Work { shared, space, subscription, .. } = work;
    let recorded = &delivery.item.recorded;
    let micros = shared.clock.now().unix_micros().saturating_sub(recorded.recorded.unix_micros());
    let way = Way::Delivery { age: Duration::from_micros(micros), is_given_up };
    shared.observer.settled(&Settled { space, function: &subscription.function, event: &recorded.event, way });
}

/// Calls the function, unless that is done, and lets its events enter.
async fn deliver(work: &Work, delivery: &mut Delivery) -> Result<Vec<Event>, Failure> {
    let events = match delivery.rest.take() {
        Some(Rest::Enter(events)) => events,
        _ => calls::call(work, delivery).await?,
    };
    enter(work, delivery, events).await
}

async fn enter(work: &Work, delivery: &mut Delivery, events: Vec<Event>) -> Result<Vec<Event>, Failure> {
    match outcome::enter(work, &events, &delivery.told).await {
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
