//! How subscriptions deliver: which policies are good, and what of a subscription stays as it is.

use weir_catalog::{
    Activity, Catalog, ChangeKind, Command, DeliveryPolicy, Method, OnFailure, Order, Start, Subscription, limits,
};
use weir_domain::Position;

use super::{INVALID, NOT_FOUND, check, field, shop};
use crate::make::{asynchronous, filtered, metadata, space, subject, sync, with};

#[test]
fn how_a_subscription_delivers_is_bounded() {
    let check = |delivery: DeliveryPolicy, expected: Option<(&str, &str)>| {
        let message = expected.map(|(name, tag)| field("Subscription", "Subscription", name, tag));
        let expected = message.as_deref().map_or(Ok(()), |message| Err((INVALID, message)));
        check(Command::CreateSubscription(asynchronous("order.paid", "f").with_delivery(delivery)), expected);
    };
    let usual = DeliveryPolicy::default();
    let most = DeliveryPolicy {
        concurrency: limits::CONCURRENCY_MAX,
        batch_size: limits::BATCH_SIZE_MAX,
        batch_wait_ms: limits::BATCH_WAIT_MS_MAX,
        rate: Some(limits::RATE_MAX),
        timeout_ms: Some(limits::TIMEOUT_MS_MAX),
        on_failure: OnFailure::HoldKey,
        ..usual
    };
    check(most, None);
    check(DeliveryPolicy { concurrency: 0, ..usual }, Some(("Concurrency", "min")));
    check(DeliveryPolicy { concurrency: most.concurrency + 1, ..usual }, Some(("Concurrency", "max")));
    check(DeliveryPolicy { batch_size: 0, ..usual }, Some(("BatchSize", "min")));
    check(DeliveryPolicy { batch_size: most.batch_size + 1, ..usual }, Some(("BatchSize", "max")));
    check(DeliveryPolicy { batch_wait_ms: most.batch_wait_ms + 1, ..usual }, Some(("BatchWait", "max")));
    check(DeliveryPolicy { rate: Some(0), ..usual }, Some(("Rate", "min")));
    check(DeliveryPolicy { timeout_ms: Some(0), ..usual }, Some(("Timeout", "min")));
    check(DeliveryPolicy { order: Order::None, ..usual }, None);
    check(DeliveryPolicy { order: Order::None, ..most }, Some(("OnFailure", "order")));
}

#[test]
fn a_caller_who_waits_is_delivered_nothing_from_the_log() {
    let route = || sync(Method::Post, "/products", "f");
    let check = |subscription: Subscription, name: &str| {
        let message = field("Subscription", "Subscription", name, "async");
        check(Command::CreateSubscription(subscription), Err((INVALID, &message)));
    };
    check(route().with_filter(Some(subject("eu/"))), "Filter");
    check(route().with_start(Start::Earliest), "Start");
    check(route().with_delivery(DeliveryPolicy { concurrency: 1, ..DeliveryPolicy::default() }), "Delivery");
}

/// The subscription that a command makes of those that are there.
fn planned(catalog: &Catalog, command: Command) -> Subscription {
    match catalog.plan(&space(), command).expect("good").kind {
        ChangeKind::SubscriptionUpdated(it) | ChangeKind::SubscriptionReplaced { id: _, subscription: it } => {
            Subscription::clone(&it)
        }
        other => panic!("another change: {other:?}"),
    }
}

#[test]
fn where_a_subscription_began_stays_and_so_does_its_filter() {
    let begun = filtered("order.placed", "f", "eu/").with_start(Start::Earliest);
    let catalog = with(&shop(), [Command::CreateSubscription(begun.clone())]);
    let update = |subscription: Subscription| Command::UpdateSubscription { id: begun.id.to_string(), subscription };
    let refused = |subscription: Subscription, field: &str, cure: &str| {
        let error = catalog.plan(&space(), update(subscription)).expect_err(field);
        let message = format!("Invalid update. '{field}' of existing subscription cannot be updated.");
        assert_eq!((error.kind(), error.to_string()), (INVALID, message));
        assert!(error.cure().contains(cure), "{}", error.cure());
    };
    // Who says nothing of it changes nothing.
    let changed = begun.clone().with_start(Start::Now).with_metadata(metadata(("a", "b")));
    assert_eq!(planned(&catalog, update(changed.clone())), changed.with_start(Start::Earliest));
    assert_eq!(planned(&catalog, update(begun.clone())), begun);
    refused(begun.clone().with_start(Start::At(Position::new(1))), "Start", "use a replay");
    refused(asynchronous("order.placed", "f"), "Filter", "continues");
    refused(filtered("order.placed", "f", "us/"), "Filter", "continues");

    // Who goes on in its place began where it began, with the events that its own filter lets through.
    let replace = |it: Subscription| Command::ReplaceSubscription { id: begun.id.to_string(), subscription: it };
    for successor in [filtered("order.placed", "f", "us/"), filtered("order.placed", "auth", "eu/")] {
        let expected = successor.clone().with_start(Start::Earliest);
        assert_eq!(planned(&catalog, replace(successor)), expected);
    }
    let elsewhere = filtered("order.placed", "f", "us/").with_start(Start::At(Position::new(1)));
    let error = catalog.plan(&space(), replace(elsewhere)).expect_err("it goes on");
    assert!(error.to_string().contains("continues: this one goes on where"), "{error}");
}

#[test]
fn only_commands_pause_and_resume_a_subscription() {
    let begun = asynchronous("order.placed", "f");
    let set = |activity: Activity| Command::SetActivity { id: begun.id.to_string(), activity };
    let mut catalog = shop();
    for activity in [Activity::Paused, Activity::Paused, Activity::Draining, Activity::Draining, Activity::Active] {
        assert_eq!(planned(&catalog, set(activity)), begun.clone().with_activity(activity));
        catalog = with(&catalog, [set(activity)]);
    }
    assert_eq!(catalog, shop());
    let paused = with(&shop(), [set(Activity::Paused)]);
    let update = Command::UpdateSubscription { id: begun.id.to_string(), subscription: begun.clone() };
    assert_eq!(planned(&paused, update).activity, Activity::Paused);
    let successor = asynchronous("order.placed", "auth");
    let replace = Command::ReplaceSubscription { id: begun.id.to_string(), subscription: successor };
    assert_eq!(planned(&paused, replace).activity, Activity::Paused);

    let route = sync(Method::Get, "/products/:id", "f").id.to_string();
    let message = "Subscription doesn't validate. Validation error: only an async subscription can be paused, drained \
                   or resumed: the callers of this one wait";
    check(Command::SetActivity { id: route, activity: Activity::Paused }, Err((INVALID, message)));
    let unknown = Command::SetActivity { id: "testid".into(), activity: Activity::Active };
    check(unknown, Err((NOT_FOUND, r#"Subscription "testid" not found."#)));
}
