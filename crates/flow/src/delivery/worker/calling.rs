//! Which calls a worker makes, and what it does with their results.

use std::{collections::HashMap, sync::Arc, time::Duration};

use tokio::time::Instant;
use weir_catalog::{Activity, FunctionKind, OnFailure, Order, Subscription};
use weir_domain::{Data, Event, Key};
use weir_log::NewEvent;

use super::{Group, Hindrance, Incident, Worker, ended};
use crate::{
    SUBSCRIPTION_PARKED, SUBSCRIPTION_RESUMED,
    delivery::{
        attempt::{Cause, Delivery, Ended, attempt_all},
        circuit::Turned,
        course::Due,
        gate::OWN,
        lanes::{Item, ItemId, Origin},
        records,
        standing::ParkedSince,
    },
    flow::Shared,
};

/// Several events go into one call of a function of this process where the whole call takes about so long: what comes
/// with each call is then spent once for all of them.
const GROUP_TIME: Duration = Duration::from_micros(500);
/// So many at most.
const GROUP_MAX: usize = 256;
/// A function that takes longer has each event in a call of its own: keys are to run in parallel.
const FAST: Duration = Duration::from_micros(50);
/// Over how long the rate of delivery is measured.
const RATE_WINDOW: Duration = Duration::from_millis(500);

/// How fast events are delivered.
#[derive(Debug, Default)]
pub(super) struct Rate {
    /// How long a call takes for each of its events, in nanoseconds, smoothed.
    each_nanos: u64,
    window: Option<(Instant, u64)>,
    /// The most that was seen in a second.
    best: u64,
}

impl Rate {
    fn note(&mut self, events: usize, took: Duration) {
        let each = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX) / (events.max(1) as u64);
        self.each_nanos = if self.each_nanos == 0 { each } else { (self.each_nanos * 7 + each) / 8 };
        let now = Instant::now();
        let (began, count) = self.window.get_or_insert((now, 0));
        *count += events as u64;
        let elapsed = now - *began;
        if elapsed >= RATE_WINDOW {
            let rate = (*count as f64 / elapsed.as_secs_f64()) as u64;
            self.best = self.best.max(rate);
            self.window = None;
        }
    }

    pub(super) fn best(&self) -> u64 {
        self.best
    }

    /// Returns how many events go into one call of a function of this process.
    fn group(&self, ready: usize) -> usize {
        let each = Duration::from_nanos(self.each_nanos);
        if each.is_zero() || each > FAST {
            return 1;
        }
        let fits = (GROUP_TIME.as_nanos() / each.as_nanos().max(1)) as usize;
        // Both processors shall have something to do.
        fits.min(ready / 2).clamp(1, GROUP_MAX)
    }
}

/// Tells whether events of one key may go into one call. Where a key may be held nothing of it goes with what may fail.
fn takes_behind(subscription: &Subscription) -> bool {
    let policy = &subscription.delivery;
    policy.batch_size > 1 && policy.order == Order::Key && policy.on_failure != OnFailure::HoldKey
}

impl Worker {
    /// Calls what may be called, up to the bounds: by turns what is to be tried again now and what comes for the first time,
    /// so that neither waits until there is nothing left of the other. Says what keeps it from calling more.
    pub(super) fn start_calls(&mut self, subscription: &Arc<Subscription>) -> Hindrance {
        // One pass at a time: what is in flight of the other may be of the same keys.
        let of_other = if self.replay.is_some() { self.calls_of_log } else { self.calls.len() - self.calls_of_log };
        if subscription.activity == Activity::Paused || of_other > 0 || self.is_reordered(subscription) {
            self.gate = None;
            return Hindrance::None;
        }
        let hindrance = self.start_while_possible(subscription);
        if hindrance != Hindrance::Gate {
            self.gate = None;
        }
        hindrance
    }

    fn start_while_possible(&mut self, subscription: &Arc<Subscription>) -> Hindrance {
        loop {
            let now = Instant::now();
            let due = self.course().retries.peek().map(|due| due.0.at);
            let ready = self.course().lanes.ready();
            let is_due = due.is_some_and(|at| at <= now);
            if ready == 0 && !is_due {
                self.gathering = None;
                return due.map_or(Hindrance::None, Hindrance::Until);
            }
            if self.calls.len() >= subscription.delivery.concurrency as usize {
                return Hindrance::None;
            }
            if let Some(parked) = self.circuit.parked() {
                if !self.calls.is_empty() {
                    return Hindrance::None;
                }
                if parked.probe > now {
                    return Hindrance::Until(parked.probe);
                }
            }
            if let Some(at) = self.pace.as_ref().map(super::Pace::due).filter(|at| *at > now) {
                return Hindrance::Until(at);
            }
            self.was_retry = is_due && !(self.was_retry && ready > 0);
            if !self.was_retry
                && let Some(at) = self.gathers_until(subscription, ready, now)
            {
                let next = due.map_or(at, |due| due.min(at));
                if !is_due {
                    return Hindrance::Until(next);
                }
                self.was_retry = true;
            }
            let borrowed = if self.calls.len() < OWN {
                None
            } else {
                let borrowed = self.shared.gate.borrow(subscription.delivery.priority);
                if borrowed.is_none() {
                    if self.gate.is_none() {
                        self.gate = Some(self.shared.gate.wait(subscription.delivery.priority));
                    }
                    return Hindrance::Gate;
                }
                borrowed
            };
            let (deliveries, has_behind) = if self.was_retry {
                let due = self.course().retries.pop();
                (due.map(|due| due.0.delivery).into_iter().collect(), false)
            } else {
                self.take_group(subscription, ready, now)
            };
            self.spawn(deliveries, has_behind, borrowed, now);
        }
    }

    /// Returns until when events are waited for, where there are fewer than go into one call.
    fn gathers_until(&mut self, subscription: &Subscription, ready: usize, now: Instant) -> Option<Instant> {
        let policy = &subscription.delivery;
        let most = policy.batch_size as usize;
        if policy.batch_wait_ms == 0 || ready >= most || self.circuit.parked().is_some() {
            return None;
        }
        if takes_behind(subscription) && self.course().lanes.ready_together(most) >= most {
            return None;
        }
        let since = *self.gathering.get_or_insert(now);
        let until = since + Duration::from_millis(u64::from(policy.batch_wait_ms));
        (until > now).then_some(until)
    }

    /// Takes the events of one call; some may have to wait still since before a start.
    fn take_group(&mut self, subscription: &Subscription, ready: usize, now: Instant) -> (Vec<Delivery>, bool) {
        let policy = &subscription.delivery;
        let is_batch = policy.batch_size > 1;
        let most = if self.circuit.parked().is_some() {
            1
        } else if is_batch {
            policy.batch_size as usize
        } else if self.is_in_process(subscription) {
            self.rate.group(ready)
        } else {
            1
        };
        let most = self.pace.as_ref().map_or(most, |pace| most.min(pace.allowed(now).max(1)));
        self.gathering = None;
        let takes_behind = takes_behind(subscription);
        let shared = self.shared.clone();
        let micros = || shared.clock.now().unix_micros();
        let retry = &subscription.retry;
        let longest = Duration::from_millis(u64::from(retry.backoff_max_ms).max(retry.retry_after_max_ms));
        let course = self.course();
        let mut group: Vec<Delivery> = Vec::with_capacity(most.min(ready));
        let mut has_behind = false;
        while group.len() < most {
            let Some(item) = course.lanes.take() else { break };
            if let Some(wait) = course.still_waits(&item, micros, longest) {
                let delivery = course.delivery(item, micros);
                course.retries.push(std::cmp::Reverse(Due { at: now + wait, delivery }));
                continue;
            }
            let mut delivery = course.delivery(item, micros);
            // One that was tried before goes alone.
            if !delivery.is_new() {
                if group.is_empty() {
                    group.push(delivery);
                    break;
                }
                course.retries.push(std::cmp::Reverse(Due { at: now, delivery }));
                continue;
            }
            while takes_behind && delivery.item.origin == Origin::Log && group.len() + 1 < most {
                let Some(behind) = course.lanes.take_behind(&delivery.item) else { break };
                has_behind = true;
                group.push(delivery);
                delivery = course.delivery(behind, micros);
            }
            group.push(delivery);
        }
        (group, has_behind)
    }

    fn is_in_process(&self, subscription: &Subscription) -> bool {
        let state = self.state.borrow();
        let function =
            state.catalog.space(&self.cursor.space).and_then(|it| it.function(subscription.function.as_str()));
        function.is_some_and(|it| matches!(it.kind, FunctionKind::Wasm { .. } | FunctionKind::Builtin { .. }))
    }

    fn spawn(
        &mut self,
        deliveries: Vec<Delivery>,
        has_behind: bool,
        borrowed: Option<crate::delivery::gate::Borrowed>,
        now: Instant,
    ) {
        let Some(work) = self.work.clone().filter(|_| !deliveries.is_empty()) else { return };
        if let Some(pace) = &mut self.pace {
            deliveries.iter().for_each(|_| pace.spend(now));
        }
        self.circuit.probing(now);
        let replay = self.replay.as_ref().map(|replay| replay.pass);
        self.calls_of_log += usize::from(replay.is_none());
        self.calls.spawn(async move {
            let began = Instant::now();
            let ended = attempt_all(work, deliveries, borrowed).await;
            Group { replay, has_behind, ended, took: began.elapsed() }
        });
    }

    /// Looks at what became of a call, and of those that ended meanwhile: the cursor is then looked at once for all.
    pub(super) async fn take_in(&mut self, group: Group) {
        let mut turned = self.ended(group);
        let mut panicked = None;
        while let Some(joined) = self.calls.try_join_next() {
            match ended(joined) {
                Incident::Ended(group) => match self.ended(group) {
                    Turned::Same => {}
                    other => turned = other,
                },
                Incident::Panicked(error) => panicked = Some(error),
                _ => {}
            }
        }
        if turned != Turned::Same {
            self.keeping.is_urgent = true;
            self.tell_turned(turned);
        }
        self.tell().await;
        match panicked {
            None => self.keep(false),
            Some(error) => self.panicked(&error).await,
        }
    }

    fn ended(&mut self, group: Group) -> Turned {
        let Group { replay: pass, has_behind, ended, took } = group;
        self.calls_of_log -= usize::from(pass.is_none());
        let is_over = pass.is_some() && self.replay.as_ref().map(|replay| replay.pass) != pass;
        if is_over {
            // It was cancelled meanwhile.
            return Turned::Same;
        }
        let is_replay = pass.is_some();
        self.rate.note(ended.len(), took);
        self.keeping.has_settled = true;
        let mut turned = Turned::Same;
        let mut left = Left::of(has_behind, &ended);
        let mut back: Vec<Item> = Vec::new();
        for (delivery, how) in ended {
            let verdict = verdict(&how);
            match self.circuit_after(&delivery.item.id(), verdict) {
                Turned::Same => {}
                other => turned = other,
            }
            back.extend(self.settle(is_replay, &mut left, delivery, how));
        }
        let course =
            if is_replay { self.replay.as_mut().map(|replay| &mut replay.course) } else { Some(&mut self.log) };
        if let Some(course) = course {
            back.into_iter().rev().for_each(|item| course.lanes.put_back(item));
        }
        turned
    }

    /// Takes note of what became of one delivery; returns the event where it waits behind one of its key.
    fn settle(&mut self, is_replay: bool, left: &mut Left, delivery: Delivery, how: Ended) -> Option<Item> {
        let micros = self.shared.clock.now().unix_micros();
        let (course, counts) = match (&mut self.replay, is_replay) {
            (Some(replay), true) => (&mut replay.course, Some(&mut replay.counts)),
            (_, false) => (&mut self.log, None),
            (None, true) => return None,
        };
        let (more, is_behind) = left.next(&delivery.item);
        let is_decided = self.decided_early.remove(&delivery.item.recorded.position);
        match how {
            Ended::GivenUp { held: true, .. } if is_decided => {
                course.done(&delivery.item);
                course.lanes.settle(&delivery.item, more, is_behind);
            }
            Ended::Delivered | Ended::GivenUp { held: false, .. } => {
                if let Some(counts) = counts {
                    counts.note(matches!(how, Ended::Delivered));
                }
                course.done(&delivery.item);
                course.lanes.settle(&delivery.item, more, is_behind);
            }
            Ended::GivenUp { held: true, .. } => {
                course.done(&delivery.item);
                let next = course.next;
                course.lanes.hold(&delivery.item, next);
                self.keeping.is_urgent = true;
            }
            Ended::Again { attempt, wait, .. } => {
                course.failed(&delivery, attempt, wait, micros);
                if is_behind {
                    return Some(delivery.item);
                }
                left.stays(&delivery.item);
                course.lanes.stays(&delivery.item);
                let mut delivery = delivery;
                delivery.attempt = attempt;
                course.retries.push(std::cmp::Reverse(Due { at: Instant::now() + wait, delivery }));
            }
            Ended::Untried if is_behind => return Some(delivery.item),
            Ended::Untried => {
                left.stays(&delivery.item);
                course.lanes.stays(&delivery.item);
                course.retries.push(std::cmp::Reverse(Due { at: Instant::now(), delivery }));
            }
        }
        None
    }

    fn circuit_after(&mut self, item: &ItemId, verdict: Option<Result<(), &str>>) -> Turned {
        match verdict {
            None => Turned::Same,
            Some(Ok(())) => self.circuit.succeeded(),
            Some(Err(cause)) => self.circuit.failed(*item, cause, Instant::now(), self.shared.clock.now()),
        }
    }

    /// Makes the event that says that the subscription is parked, or goes on.
    fn tell_turned(&mut self, turned: Turned) {
        let Some(work) = &self.work else { return };
        let now = self.shared.clock.now();
        let event_type = if turned == Turned::Parked { SUBSCRIPTION_PARKED } else { SUBSCRIPTION_RESUMED };
        let parked = self.circuit.parked().map(|it| ParkedSince { since: it.since, cause: it.cause.clone() });
        let data = serde_json::json!({
            "subscriptionId": &*work.name,
            "functionId": work.subscription.function.as_str(),
            "eventType": work.subscription.event_type.as_str(),
            "cause": parked.as_ref().map(|it| &it.cause),
        });
        tracing::warn!(
            space = %self.cursor.space, subscription = %self.id, function = %work.subscription.function,
            cause = parked.as_ref().map(|it| it.cause.as_str()),
            "{}", if turned == Turned::Parked { "a function fails continuously: its subscription is parked" } else { "a parked subscription goes on" }
        );
        self.shown.standing.detail.lock().parked = parked;
        let id = format!("{}/{event_type}/{}", work.name, now.unix_micros());
        let event = Event::builder(&id, records::SOURCE, event_type)
            .subject(&work.name)
            .time(&weir_cloudevents::time::format(now))
            .datacontenttype("application/json")
            .data(Data::Json(data.to_string().into()))
            .build();
        match event {
            Ok(event) => self.untold.push(NewEvent { event, key: None }),
            Err(error) => tracing::error!(%error, "what is told of a subscription is no event"),
        }
    }
}

/// Returns what a result says of the function; nothing where it says nothing.
fn verdict(how: &Ended) -> Option<Result<(), &str>> {
    let of = |cause: &Cause| match cause {
        Cause::Event => Ok(()),
        Cause::Function(_) => Err(()),
    };
    match how {
        Ended::Delivered => Some(Ok(())),
        Ended::GivenUp { cause, .. } | Ended::Again { cause: Some(cause), .. } => Some(match (of(cause), cause) {
            (Err(()), Cause::Function(text)) => Err(text.as_str()),
            _ => Ok(()),
        }),
        Ended::Again { cause: None, .. } | Ended::Untried => None,
    }
}

/// Which events of a call are of one key, as far as they are not looked at.
struct Left {
    /// How many of each key; empty where no two are of one.
    keys: HashMap<Key, usize>,
    /// Keys of which one is not done: the others wait behind it.
    undone: Vec<Key>,
}

impl Left {
    fn of(has_behind: bool, ended: &[(Delivery, Ended)]) -> Self {
        let mut keys = HashMap::new();
        for key in ended.iter().filter_map(|(it, _)| it.item.recorded.key.as_ref()).filter(|_| has_behind) {
            *keys.entry(key.clone()).or_default() += 1;
        }
        Self { keys, undone: Vec::new() }
    }

    /// Takes the next one: whether others of its key follow, and whether one before it is not done.
    fn next(&mut self, item: &Item) -> (bool, bool) {
        let Some(key) = item.recorded.key.as_ref().filter(|_| !self.keys.is_empty()) else { return (false, false) };
        let count = self.keys.get_mut(key);
        let more = count.is_some_and(|count| {
            *count -= 1;
            *count > 0
        });
        (more, self.undone.contains(key))
    }

    fn stays(&mut self, item: &Item) {
        if let Some(key) = item.recorded.key.as_ref().filter(|_| !self.keys.is_empty()) {
            self.undone.push(key.clone());
        }
    }
}

impl Worker {
    /// Appends what is told of the subscription; what the log does not take now is appended later.
    pub(super) async fn tell(&mut self) {
        if self.untold.is_empty() {
            return;
        }
        let shared: &Shared = &self.shared;
        let append = weir_log::Append::new(self.cursor.space.clone(), self.untold.clone());
        match shared.log.append(append).await {
            Ok(_) => self.untold.clear(),
            Err(error) => {
                let error = weir_domain::error_chain(&error);
                tracing::warn!(%error, space = %self.cursor.space, "what is told of a subscription is appended later");
            }
        }
    }
}
