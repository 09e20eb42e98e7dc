//! Deliveries that were given up: what is decided about them, and what comes of that.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use weir_catalog::{
    Command, DeliveryPolicy, EventType, EventTypeName, Function, FunctionKind, OnFailure, Schema, Subscription,
};
use weir_domain::{Data, Event, FunctionId, Key, Position};
use weir_flow::{
    DELIVERY_FAILED, DeadLetter, LetterDecided, LetterError, LetterPatch, LetterQuery, LetterSelection, LetterState,
    LettersDecided, Options, Refusal,
};
use weir_functions::Outcome;
use weir_testkit::FakeFunction;

use crate::{
    delivery::{functions, rejected},
    support::{Running, draft, event, memory, quick_retry, space, start},
};

/// A function that takes no prices below zero, and returns what it took.
fn till() -> FakeFunction {
    FakeFunction::new(|call| async move {
        let data = String::from_utf8_lossy(call.event.data().as_bytes()).into_owned();
        if data.contains('-') {
            return Err(rejected());
        }
        Ok(Outcome::Events(vec![draft("done", &format!("{} {data}", call.event.id()))]))
    })
}

/// A function that fails until it is mended.
fn mendable() -> (FakeFunction, Arc<AtomicBool>) {
    let is_mended = Arc::new(AtomicBool::new(false));
    let seen = is_mended.clone();
    let function = FakeFunction::new(move |call| {
        let works = seen.load(Ordering::SeqCst);
        async move { if works { Ok(Outcome::Events(vec![draft("done", call.event.id())])) } else { Err(rejected()) } }
    });
    (function, is_mended)
}

fn order(id: &str, key: &str, price: i32) -> Event {
    let data = Data::Json(format!(r#"{{"price":{price}}}"#).into());
    event(id, "order", key).to_builder().datacontenttype("application/json").data(data).build().expect("valid")
}

fn subscription(function: &str, on_failure: OnFailure) -> Subscription {
    let (order, function) = (EventTypeName::new("order").expect("valid"), FunctionId::new(function).expect("valid"));
    let policy = DeliveryPolicy { on_failure, ..DeliveryPolicy::default() };
    Subscription::to_events(order, function).with_retry(quick_retry(1)).with_delivery(policy)
}

async fn declare(running: &Running, function: &str, on_failure: OnFailure) {
    for name in ["order", "done"] {
        let name = EventTypeName::new(name).expect("valid");
        running.change(Command::CreateEventType(EventType::new(name))).await;
    }
    subscribe(running, function, on_failure).await;
}

async fn subscribe(running: &Running, function: &str, on_failure: OnFailure) {
    let id = FunctionId::new(function).expect("valid");
    running.change(Command::CreateFunction(Function::new(id, FunctionKind::http("http://localhost/")))).await;
    running.change(Command::CreateSubscription(subscription(function, on_failure))).await;
}

async fn letters(running: &Running, state: Option<LetterState>) -> Vec<DeadLetter> {
    let selection = LetterSelection::default();
    let query = LetterQuery { selection, state, from: Position::ORIGIN, limit: 100 };
    running.flow.dead_letters(&space(), &query).await.expect("readable").letters
}

/// Waits until as many were given up, and returns the open ones.
async fn given_up(running: &Running, count: usize) -> Vec<DeadLetter> {
    running.wait_for(DELIVERY_FAILED, count).await;
    letters(running, Some(LetterState::Open)).await
}

async fn redrive(running: &Running, letter: &DeadLetter) -> LetterDecided {
    running.flow.redrive_dead_letter(&space(), letter.position, None).await.expect("redriven")
}

/// Waits until as many were delivered, and returns what they returned.
async fn done(running: &Running, count: usize) -> Vec<String> {
    let all = running.wait_for("done", count).await;
    all.iter().map(|it| it.event.subject().unwrap_or_default().to_owned()).collect()
}

#[tokio::test]
async fn what_is_redriven_keeps_the_order_of_its_key_and_is_delivered_once() {
    let (function, is_mended) = mendable();
    let running = start(memory(), &functions([("f", function)]), Options::default()).await;
    declare(&running, "f", OnFailure::DeadLetter).await;
    running.emit([order("1", "k", 1), order("2", "k", 2)]).await;
    let open = given_up(&running, 2).await;
    assert_eq!(open.iter().map(|it| it.event.id.as_str()).collect::<Vec<_>>(), ["1", "2"]);
    assert_eq!((open[0].attempts, open[0].held, open[0].key.clone()), (1, false, Key::new("k")));
    assert!(open[0].error.contains("not today"), "{}", open[0].error);

    // The first fails again: its new letter is newer than that of the event behind it.
    let decided = redrive(&running, &open[0]).await;
    assert_eq!((decided.state, decided.is_duplicate), (LetterState::Redriven, false));
    let again = given_up(&running, 3).await;
    assert_eq!(again.iter().map(|it| it.event.id.as_str()).collect::<Vec<_>>(), ["2", "1"]);
    assert_eq!(again[1].redriven, Some(decided.at));
    assert_eq!(redrive(&running, &open[0]).await, LetterDecided { is_duplicate: true, ..decided });

    is_mended.store(true, Ordering::SeqCst);
    let everything = LetterSelection::default();
    let all = running.flow.redrive_dead_letters(&space(), &everything, None).await.expect("redriven");
    assert_eq!((all.count, all.left), (2, 0));
    assert_eq!(done(&running, 2).await, ["1", "2"]);
    let none = running.flow.redrive_dead_letters(&space(), &everything, None).await.expect("nothing to do");
    assert_eq!(none, LettersDecided::default());
    running.emit([order("3", "k", 3)]).await;
    assert_eq!(done(&running, 3).await, ["1", "2", "3"]);
    let states: Vec<_> = letters(&running, None).await.iter().map(|it| it.state).collect();
    assert_eq!(states, [LetterState::Redriven; 3]);
    running.stop().await;
}

#[tokio::test]
async fn a_held_key_waits_for_a_patch_and_others_flow() {
    let function = till();
    let calls = function.calls();
    let running = start(memory(), &functions([("till", function)]), Options::default()).await;
    declare(&running, "till", OnFailure::HoldKey).await;
    running.emit([order("bad", "k", -3), order("next", "k", 4), order("other", "l", 5)]).await;
    let letter = given_up(&running, 1).await.remove(0);
    assert!(letter.held);
    running.emit([order("more", "l", 6)]).await;
    assert_eq!(done(&running, 2).await, [r#"other {"price":5}"#, r#"more {"price":6}"#]);
    assert!(!calls.all().iter().any(|(id, _)| id == "next"), "{:?}", calls.all());

    let patch =
        async |text: &str| running.flow.patch_dead_letter(&space(), letter.position, LetterPatch::Merge(text)).await;
    patch(r#"{"data":{"price":2}}"#).await.expect("patched");
    let patched = patch(r#"{"data":{"price":3.0}}"#).await.expect("patched");
    assert_eq!(patched.number, 2);
    let details = running.flow.dead_letter(&space(), letter.position).await.expect("there");
    assert!(details.original.get().contains(r#""data":{"price":-3}"#), "{}", details.original);
    assert!(details.latest().get().contains(r#""data":{"price":3.0}"#), "{}", details.latest());
    assert_eq!(details.history.as_ref().map(|it| it.get().matches("not today").count()), Some(1));
    redrive(&running, &letter).await;
    let all = done(&running, 4).await;
    assert_eq!(all[2..], [r#"bad {"price":3.0}"#, r#"next {"price":4}"#]);
    let late = patch(r#"{"data":{"price":1}}"#).await;
    assert!(matches!(late, Err(LetterError::Decided { state: LetterState::Redriven, .. })), "{late:?}");
    running.stop().await;
}

#[tokio::test]
async fn a_held_key_is_held_over_a_restart_and_goes_on_when_its_letter_is_discarded() {
    let function = till();
    let calls = function.calls();
    let (log, all) = (memory(), functions([("till", function)]));
    let running = start(log.clone(), &all, Options::default()).await;
    declare(&running, "till", OnFailure::HoldKey).await;
    running.emit([order("bad", "k", -1), order("next", "k", 2)]).await;
    given_up(&running, 1).await;
    running.stop().await;

    let running = start(log, &all, Options::default()).await;
    running.emit([order("other", "l", 3)]).await;
    assert_eq!(done(&running, 1).await, [r#"other {"price":3}"#]);
    assert!(!calls.all().iter().any(|(id, _)| id == "next"), "{:?}", calls.all());
    let letter = letters(&running, Some(LetterState::Open)).await.remove(0);
    let flow = &running.flow;
    let decided = flow.discard_dead_letter(&space(), letter.position, Some("it is lost")).await.expect("discarded");
    assert_eq!(decided.state, LetterState::Discarded);
    assert_eq!(done(&running, 2).await, [r#"other {"price":3}"#, r#"next {"price":2}"#]);
    let late = flow.redrive_dead_letter(&space(), letter.position, None).await;
    assert!(matches!(late, Err(LetterError::Decided { state: LetterState::Discarded, .. })), "{late:?}");
    assert_eq!(calls.all().iter().filter(|(id, _)| id == "bad").count(), 1);
    running.stop().await;
}

#[tokio::test]
async fn what_is_redriven_survives_a_restart() {
    let (function, is_mended) = mendable();
    let calls = function.calls();
    let (log, all) = (memory(), functions([("f", function)]));
    let running = start(log.clone(), &all, Options::default()).await;
    declare(&running, "f", OnFailure::DeadLetter).await;
    running.emit([order("1", "k", 1)]).await;
    let letter = given_up(&running, 1).await.remove(0);
    is_mended.store(true, Ordering::SeqCst);
    redrive(&running, &letter).await;
    // Whether or not it was delivered by now.
    running.stop().await;
    let running = start(log.clone(), &all, Options::default()).await;
    assert_eq!(done(&running, 1).await, ["1"]);
    running.stop().await;

    let running = start(log, &all, Options::default()).await;
    running.emit([order("2", "k", 2)]).await;
    assert_eq!(done(&running, 2).await, ["1", "2"]);
    assert_eq!(calls.all().iter().filter(|(id, _)| id == "1").count(), 2);
    running.stop().await;
}

#[tokio::test]
async fn a_patch_changes_neither_who_an_event_is_nor_its_order_and_keeps_the_schema() {
    let running = start(memory(), &functions([("till", till())]), Options::default()).await;
    declare(&running, "till", OnFailure::DeadLetter).await;
    running.emit([order("bad", "k", -1)]).await;
    let letter = given_up(&running, 1).await.remove(0);
    let schema = serde_json::json!({ "properties": { "price": { "minimum": 0 } } });
    let name = EventTypeName::new("order").expect("valid");
    let strict = EventType { schema: Some(Schema::new(schema)), ..EventType::new(name) };
    running.change(Command::UpdateEventType(strict)).await;

    let flow = &running.flow;
    for (text, name) in [
        (r#"{"id":"other"}"#, "id"),
        (r#"{"source":"/elsewhere"}"#, "source"),
        (r#"{"type":"done"}"#, "type"),
        (r#"{"weirhops":1}"#, "weirhops"),
    ] {
        let refused = flow.patch_dead_letter(&space(), letter.position, LetterPatch::Merge(text)).await;
        assert!(matches!(refused, Err(LetterError::Fixed { name: fixed }) if fixed == name), "{text}: {refused:?}");
    }
    let check = async |patch: LetterPatch<'_>, is_expected: fn(&LetterError) -> bool| {
        let refused = flow.patch_dead_letter(&space(), letter.position, patch).await.expect_err("refused");
        assert!(is_expected(&refused), "{refused:?}");
    };
    check(LetterPatch::Merge(r#"{"subject":"l","data":{"price":1}}"#), |it| matches!(it, LetterError::Key { .. }))
        .await;
    let broken = |it: &LetterError| matches!(it, LetterError::Refused(Refusal::Schema { .. }));
    check(LetterPatch::Merge(r#"{"data":{"price":-2}}"#), broken).await;
    check(LetterPatch::Merge(r#"{"specversion":"7"}"#), |it| matches!(it, LetterError::Event(_))).await;
    check(LetterPatch::Merge("[]"), |it| matches!(it, LetterError::Patch { .. })).await;
    check(LetterPatch::Whole("{"), |it| matches!(it, LetterError::Event(_))).await;
    let nowhere = flow.patch_dead_letter(&space(), Position::new(1), LetterPatch::Merge("{}")).await;
    assert!(matches!(nowhere, Err(LetterError::NotFound { .. })), "{nowhere:?}");

    let whole = r#"{"specversion":"1.0","id":"bad","source":"/test","type":"order","subject":"k","data":{"price":7}}"#;
    flow.patch_dead_letter(&space(), letter.position, LetterPatch::Whole(whole)).await.expect("patched");
    redrive(&running, &letter).await;
    assert_eq!(done(&running, 1).await, [r#"bad {"price":7}"#]);
    running.stop().await;
}

#[tokio::test]
async fn letters_of_a_subscription_that_is_gone_go_to_its_successor_or_to_who_is_named() {
    let fails = || FakeFunction::new(|_| async { Err(rejected()) });
    let all = functions([("old", fails()), ("new", till()), ("last", till())]);
    let running = start(memory(), &all, Options::default()).await;
    declare(&running, "old", OnFailure::HoldKey).await;
    running.emit([order("1", "k", 1), order("2", "k", 2)]).await;
    let letter = given_up(&running, 1).await.remove(0);
    let id = |name: &str| FunctionId::new(name).expect("valid");
    for name in ["new", "last"] {
        let function = Function::new(id(name), FunctionKind::http("http://localhost/"));
        running.change(Command::CreateFunction(function)).await;
    }
    // It takes over what is held as well.
    let (old, new) = (subscription("old", OnFailure::HoldKey), subscription("new", OnFailure::HoldKey));
    let replaced = Command::ReplaceSubscription { id: old.id.to_string(), subscription: new.clone() };
    running.change(replaced).await;
    let other = running.flow.redrive_dead_letter(&space(), letter.position, Some("other")).await;
    assert!(matches!(other, Err(LetterError::NotItsOwn { .. })), "{other:?}");
    redrive(&running, &letter).await;
    assert_eq!(done(&running, 2).await, [r#"1 {"price":1}"#, r#"2 {"price":2}"#]);

    running.emit([order("3", "l", -3)]).await;
    let letter = given_up(&running, 2).await.remove(0);
    running.change(Command::DeleteSubscription(new.id.to_string())).await;
    let gone = running.flow.redrive_dead_letter(&space(), letter.position, None).await;
    assert!(matches!(gone, Err(LetterError::Gone { .. })), "{gone:?}");
    let last = subscription("last", OnFailure::DeadLetter);
    let to = Some(last.id.as_str());
    let unfit = running.flow.redrive_dead_letter(&space(), letter.position, to).await;
    assert!(matches!(unfit, Err(LetterError::Unfit { .. })), "{unfit:?}");
    running.change(Command::CreateSubscription(last.clone())).await;
    let everything = LetterSelection::default();
    let left = running.flow.redrive_dead_letters(&space(), &everything, None).await.expect("looked at");
    assert_eq!((left.count, left.left, left.reasons.len()), (0, 1, 1));
    let price = LetterPatch::Merge(r#"{"data":{"price":3}}"#);
    running.flow.patch_dead_letter(&space(), letter.position, price).await.expect("patched");
    running.flow.redrive_dead_letter(&space(), letter.position, to).await.expect("redriven");
    assert_eq!(done(&running, 3).await[2], r#"3 {"price":3}"#);
    running.stop().await;
}
