//! What is told of deliveries: what a subscription is doing, what waits for it, and since when.

use std::{sync::Arc, time::Duration};

use parking_lot::Mutex;
use weir_catalog::{
    Activity, Command, DeliveryPolicy, EventType, EventTypeName, Function, FunctionKind, OnFailure, RetryPolicy,
    Subscription,
};
use weir_domain::{Event, FunctionId};
use weir_flow::{
    DELIVERY_FAILED, Options, SUBSCRIPTION_PARKED, SUBSCRIPTION_RESUMED, StatusError, SubscriptionState,
    SubscriptionStatus,
};
use weir_functions::Outcome;
use weir_testkit::FakeFunction;

use crate::{
    delivery::{functions, rejected},
    replays::settled,
    support::{BOUND, Running, echo, event, memory, quick_retry, space, start},
};

fn jobs(prefix: &str, key: &str, count: usize) -> impl Iterator<Item = Event> {
    (0..count).map(move |number| event(&format!("{prefix}{number}"), "job", key))
}

/// Declares a function that is given the events `job`, and returns the identifier of the subscription.
async fn declare(running: &Running, subscription: impl FnOnce(Subscription) -> Subscription) -> String {
    let (job, id) = (EventTypeName::new("job").expect("valid"), FunctionId::new("work").expect("valid"));
    running.change(Command::CreateEventType(EventType::new(job.clone()))).await;
    running.change(Command::CreateFunction(Function::new(id.clone(), FunctionKind::http("http://localhost/")))).await;
    let it = subscription(Subscription::to_events(job, id));
    let id = it.id.to_string();
    running.change(Command::CreateSubscription(it)).await;
    id
}

async fn set(running: &Running, id: &str, activity: Activity) {
    running.change(Command::SetActivity { id: id.to_owned(), activity }).await;
}

/// Waits until a subscription stands as it should.
async fn reached(running: &Running, id: &str, is_so: impl Fn(&SubscriptionStatus) -> bool) -> SubscriptionStatus {
    let begun = std::time::Instant::now();
    loop {
        let status = running.flow.status(&space(), id).await.expect("a subscription");
        if is_so(&status) {
            return status;
        }
        assert!(begun.elapsed() < BOUND, "{status:?}");
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn what_was_decided_shows_with_what_waits_for_it() {
    let running = start(memory(), &functions([("work", echo("done"))]), Options::default()).await;
    let id = declare(&running, |it| it).await;
    running.change(Command::CreateEventType(EventType::new(EventTypeName::new("done").expect("valid")))).await;
    running.emit(jobs("a", "k", 3)).await;
    settled(&running, &id).await;
    let status = reached(&running, &id, |it| it.state == SubscriptionState::Active).await;
    assert_eq!((status.backlog.events, status.backlog.age, status.waiting), (0, Duration::ZERO, 0));
    assert!(status.cursor < status.next && status.parked.is_none() && status.replay.is_none(), "{status:?}");

    set(&running, &id, Activity::Paused).await;
    running.emit(jobs("b", "k", 5)).await;
    // The clock goes on each time that it is read.
    let is_late = |it: &SubscriptionStatus| it.backlog.age > Duration::ZERO;
    let status = reached(&running, &id, |it| it.state == SubscriptionState::Paused && is_late(it)).await;
    assert_eq!((status.backlog.events, status.backlog.more), (5, false));

    set(&running, &id, Activity::Draining).await;
    reached(&running, &id, |it| it.state == SubscriptionState::Drained).await;
    running.emit(jobs("c", "k", 2)).await;
    let status = reached(&running, &id, |it| it.state == SubscriptionState::Drained).await;
    assert_eq!(status.backlog.events, 2, "what came later waits");

    set(&running, &id, Activity::Active).await;
    settled(&running, &id).await;
    let all = running.flow.statuses(&space()).await.expect("readable");
    assert_eq!(all.iter().map(|it| it.subscription.id.as_str()).collect::<Vec<_>>(), [id.as_str()]);
    let levels = running.flow.levels(BOUND).await;
    let level = levels.first().expect("one subscription");
    assert_eq!((levels.len(), level.state, level.is_parked), (1, SubscriptionState::Active, false));
    assert_eq!(level.backlog.map(|it| it.events), Some(0));
    let unknown = running.flow.status(&space(), "nobody").await;
    assert!(matches!(unknown, Err(StatusError::Subscription(_))), "{unknown:?}");
    running.stop().await;
}

#[tokio::test]
async fn a_key_that_is_held_is_named() {
    let function = FakeFunction::new(|call| async move {
        if call.event.id() == "bad0" { Err(rejected()) } else { Ok(Outcome::Events(Vec::new())) }
    });
    let running = start(memory(), &functions([("work", function)]), Options::default()).await;
    let id = declare(&running, |it| {
        let delivery = DeliveryPolicy { on_failure: OnFailure::HoldKey, ..DeliveryPolicy::default() };
        it.with_delivery(delivery).with_retry(quick_retry(1))
    })
    .await;
    let bad = running.emit(jobs("bad", "k", 1)).await;
    running.wait_for(DELIVERY_FAILED, 1).await;
    running.emit(jobs("later", "k", 3)).await;
    running.emit(jobs("other", "free", 2)).await;
    let is_aside = |it: &SubscriptionStatus| it.events_aside == 3 && it.waiting == 0 && it.in_flight == 0;
    let status = reached(&running, &id, |it| is_aside(it) && it.backlog.age > Duration::ZERO).await;
    assert_eq!((status.state, status.lanes_aside), (SubscriptionState::Active, 1));
    assert_eq!((status.backlog.events, status.backlog.more), (3, false));
    let lane = &status.aside[0];
    assert_eq!((lane.key.as_str(), lane.held), ("k", Some(bad)));
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_function_that_fails_continuously_is_shown_with_its_cause() {
    let is_well = Arc::new(Mutex::new(false));
    let function = {
        let is_well = is_well.clone();
        FakeFunction::new(move |_| {
            let answer = if *is_well.lock() { Ok(Outcome::Events(Vec::new())) } else { Err(rejected()) };
            async move { answer }
        })
    };
    let running = start(memory(), &functions([("work", function)]), Options::default()).await;
    let retry = RetryPolicy { attempts_max: None, backoff_first_ms: 400, backoff_max_ms: 400, ..quick_retry(1) };
    let id = declare(&running, |it| it.with_retry(retry)).await;
    let events = (0..4).map(|number| event(&number.to_string(), "job", &format!("k{number}")));
    running.emit(events).await;
    running.wait_for(SUBSCRIPTION_PARKED, 1).await;
    let status = reached(&running, &id, |it| it.parked.is_some()).await;
    assert_eq!((status.state, status.backlog.events), (SubscriptionState::Parked, 4));
    let cause = status.parked.map(|it| it.cause).unwrap_or_default();
    assert!(cause.contains("not today"), "{cause}");
    let levels = running.flow.levels(BOUND).await;
    assert_eq!(levels.iter().map(|it| it.is_parked).collect::<Vec<_>>(), [true]);

    *is_well.lock() = true;
    running.wait_for(SUBSCRIPTION_RESUMED, 1).await;
    let status = reached(&running, &id, |it| it.parked.is_none()).await;
    assert_eq!(status.state, SubscriptionState::Active);
    running.stop().await;
}
