//! Why an event did or did not reach somebody, also after everything has changed.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use serde_json::json;
use weir_catalog::{
    Activity, Command, EventType, EventTypeName, Filter, Function, FunctionKind, Resource, Start, Subscription, Target,
};
use weir_domain::FunctionId;
use weir_flow::{
    AskedEvent, Cut, DELIVERY_DROPPED, DELIVERY_FAILED, EventLink, ExplainError, ExplainedDelivery, ExplainedEffect,
    Explanation, Fate, LetterStanding, Mismatch, Options, Question, TypeStanding, Wait,
};
use weir_functions::Outcome;
use weir_testkit::FakeFunction;

use crate::{
    delivery::{functions, rejected},
    support::{BOUND, Running, draft, echo, event, memory, quick_retry, space, start},
};

async fn ask(running: &Running, event: AskedEvent<'_>, name: Option<&str>) -> Result<Explanation, ExplainError> {
    let question = Question { event, subscription: name, sees: &|_: &str| true };
    running.flow.explain(&space(), question).await
}

async fn explain(running: &Running, id: &str) -> Explanation {
    ask(running, AskedEvent::Named { id, source: None }, None).await.expect("explained")
}

/// What became of an event at its only subscription.
async fn only(running: &Running, id: &str) -> ExplainedDelivery {
    let mut deliveries = explain(running, id).await.deliveries;
    assert_eq!(deliveries.len(), 1, "{deliveries:?}");
    deliveries.remove(0)
}

/// Asks until the fate at the only subscription is as it should be.
async fn until(running: &Running, id: &str, is_so: impl Fn(&Fate) -> bool) -> ExplainedDelivery {
    let wait = async {
        loop {
            let delivery = only(running, id).await;
            if is_so(&delivery.fate) {
                return delivery;
            }
            tokio::task::yield_now().await;
        }
    };
    let last = async || only(running, id).await.answer();
    match tokio::time::timeout(BOUND, wait).await {
        Ok(delivery) => delivery,
        Err(_) => panic!("it is still so: {}", last().await),
    }
}

fn subscription(event_type: &str, function: &str) -> Subscription {
    let event_type = EventTypeName::new(event_type).expect("valid");
    Subscription::to_events(event_type, FunctionId::new(function).expect("valid")).with_retry(quick_retry(1000))
}

async fn make(running: &Running, types: &[&str], functions: &[&str]) {
    for name in types {
        let name = EventTypeName::new(name).expect("valid");
        running.change(Command::CreateEventType(EventType::new(name))).await;
    }
    for id in functions {
        let id = FunctionId::new(id).expect("valid");
        running.change(Command::CreateFunction(Function::new(id, FunctionKind::http("http://localhost/")))).await;
    }
}

const DELIVERED: Fate = Fate::Delivered { or_before: None, redriven: None };

#[tokio::test]
async fn a_filter_is_told_with_the_term_that_decided_also_when_the_subscription_is_gone() {
    let all = functions([("bill", echo("done")), ("ship", echo("done"))]);
    let running = start(memory(), &all, Options::default()).await;
    make(&running, &["order", "done"], &["bill", "ship"]).await;
    let filter = json!({ "all": [{ "exact": { "type": "order" } }, { "prefix": { "subject": "eu/" } }] });
    let filter = Filter::parse(&filter).expect("a filter");
    let bill = subscription("order", "bill").with_filter(Some(filter));
    running.change(Command::CreateSubscription(bill.clone())).await;
    running.change(Command::CreateSubscription(subscription("order", "ship"))).await;
    let configured = running.flow.catalog_position();
    running.emit([event("1", "order", "us/7")]).await;
    running.wait_for("done", 1).await;

    let text = r#"not delivered to bill: filter /all/1/prefix/subject wanted "eu/", the event has "us/7""#;
    let check = async || {
        let told = explain(&running, "1").await;
        assert_eq!((told.configuration, told.event_type.standing), (configured, TypeStanding::Registered));
        let [billed, shipped] = &told.deliveries[..] else { panic!("{:?}", told.deliveries) };
        assert_eq!((&billed.fate, billed.answer()), (&Fate::NotMatched(Mismatch::Filter), text.to_owned()));
        let decided: Vec<_> = billed.terms.iter().map(|it| (it.matched, it.decided)).collect();
        assert_eq!(decided, [(true, false), (false, true)], "{:?}", billed.terms);
        assert_eq!((&shipped.fate, shipped.answer()), (&DELIVERED, "delivered to ship".to_owned()));
        told
    };
    assert!(check().await.deliveries[0].changes.is_empty());
    running.change(Command::DeleteSubscription(bill.id.to_string())).await;
    running.change(Command::DeleteSubscription(subscription("order", "ship").id.to_string())).await;
    for name in ["bill", "ship"] {
        running.change(Command::DeleteFunction(name.to_owned())).await;
    }
    running.change(Command::DeleteEventType("order".to_owned())).await;
    let told = check().await;
    assert_eq!(told.deliveries[0].changes[0].what, "deleted");
    running.stop().await;
}

#[tokio::test]
async fn attempts_that_failed_are_told_and_what_came_in_the_end() {
    let sick = FakeFunction::new(|call| async move {
        match (call.event.id(), call.attempt) {
            ("shaky", attempt) if attempt < 3 => Err(rejected()),
            ("sick", _) => Err(rejected()),
            _ => Ok(Outcome::Events(vec![draft("done", call.event.id())])),
        }
    });
    let running = start(memory(), &functions([("sick", sick)]), Options::default()).await;
    running.declare(&["job", "done"], "sick", "job", quick_retry(4)).await;
    running.emit([event("shaky", "job", "a"), event("sick", "job", "b")]).await;
    running.wait_for("done", 1).await;
    let letters = running.wait_for(DELIVERY_FAILED, 1).await;

    let shaky = only(&running, "shaky").await;
    assert_eq!((&shaky.fate, shaky.failures), (&DELIVERED, 2));
    assert_eq!(shaky.answer(), "delivered to sick after 2 attempts that failed");
    assert_eq!(shaky.attempts.iter().map(|it| it.attempt).collect::<Vec<_>>(), [1, 2]);
    assert!(shaky.attempts.iter().all(|it| it.error.contains("not today") && it.retry_at.is_some()));
    let sick = only(&running, "sick").await;
    assert_eq!(sick.fate, Fate::DeadLetter { position: letters[0].position, standing: LetterStanding::Open });
    assert_eq!((sick.letters.len(), sick.letters[0].attempts, sick.failures), (1, 4, 4));
    assert_eq!(sick.attempts.last().and_then(|it| it.retry_at), None);
    running.stop().await;
}

#[tokio::test]
async fn what_waits_says_what_for_and_what_was_dropped_that() {
    let works = Arc::new(AtomicBool::new(false));
    let function = {
        let works = works.clone();
        FakeFunction::new(move |_| {
            let works = works.load(Ordering::SeqCst);
            async move { if works { Ok(Outcome::Events(Vec::new())) } else { Err(rejected()) } }
        })
    };
    let running = start(memory(), &functions([("slow", function)]), Options::default()).await;
    running.declare(&["job"], "slow", "job", quick_retry(1000)).await;
    let last = running.emit([event("1", "job", "k"), event("2", "job", "k")]).await;
    until(&running, "1", |fate| matches!(fate, Fate::Retrying { due: Some(_) })).await;
    let behind = Fate::Waiting(Wait::Behind { position: last.previous() });
    until(&running, "2", |fate| *fate == behind).await;
    let id = subscription("job", "slow").id.to_string();
    let paused = Command::SetActivity { id: id.clone(), activity: Activity::Paused };
    running.change(paused).await;
    let told = only(&running, "2").await;
    assert_eq!(told.answer(), "not delivered to slow yet: the subscription is paused");
    assert_eq!(told.changes[0].what, "paused");
    running.change(Command::SetActivity { id: id.clone(), activity: Activity::Active }).await;

    works.store(true, Ordering::SeqCst);
    until(&running, "2", |fate| *fate == DELIVERED).await;
    works.store(false, Ordering::SeqCst);
    running.emit([event("3", "job", "k")]).await;
    running.change(Command::DeleteSubscription(id)).await;
    running.wait_for(DELIVERY_DROPPED, 1).await;
    let is_dropped = |fate: &Fate| matches!(fate, Fate::Dropped { is_certain: true, .. });
    until(&running, "3", is_dropped).await;
    assert_eq!(only(&running, "2").await.fate, DELIVERED, "it was done before the deletion");
    running.emit([event("4", "job", "k")]).await;
    assert!(explain(&running, "4").await.deliveries.is_empty());
    let late = ask(&running, AskedEvent::Named { id: "4", source: Some("/test") }, Some("slow")).await;
    let late = late.expect("explained").deliveries.remove(0);
    assert!(matches!(late.fate, Fate::TooLate { .. }), "{late:?}");
    running.stop().await;
}

/// Types of effects, in the order of the log and each with what it caused.
fn told(effects: &[ExplainedEffect]) -> String {
    let one = |it: &ExplainedEffect| {
        let function = it.link.function.as_deref().unwrap_or_default();
        format!("{} by {function}({})", it.link.event_type, told(&it.effects))
    };
    effects.iter().map(one).collect::<Vec<_>>().join(" ")
}

#[tokio::test]
async fn a_chain_is_told_up_and_down() {
    let all = functions([("one", echo("b")), ("two", echo("c")), ("three", echo("d")), ("aside", echo("d"))]);
    let running = start(memory(), &all, Options::default()).await;
    make(&running, &["a", "b", "c", "d"], &["one", "two", "three", "aside"]).await;
    for (event_type, function) in [("a", "one"), ("b", "two"), ("c", "three"), ("b", "aside")] {
        running.change(Command::CreateSubscription(subscription(event_type, function))).await;
    }
    let first = running.emit([event("first", "a", "k")]).await;
    running.wait_for("d", 2).await;
    let top = explain(&running, "first").await;
    assert!(matches!(
        &*told(&top.effects),
        "b by one(c by two(d by three()) d by aside())" | "b by one(d by aside() c by two(d by three()))"
    ));
    assert_eq!((top.causes.len(), top.causes_cut, top.effects_cut), (0, None, None));
    assert_eq!(top.effects[0].subscription.as_deref(), Some(subscription("a", "one").id.as_str()));

    let c = running.wait_for("c", 1).await.remove(0);
    let middle = ask(&running, AskedEvent::At(c.position), None).await.expect("explained");
    let types = |links: &[EventLink]| links.iter().map(|it| it.event_type.clone()).collect::<Vec<_>>();
    assert_eq!(types(&middle.causes), ["b", "a"]);
    assert_eq!(told(&middle.effects), "d by three()");
    assert_eq!(middle.causes[1].position, first);
    assert_eq!(middle.event.link.function.as_deref(), Some("two"));

    // Whoever may not read a type is not told of what lies behind it.
    let sees = |event_type: &str| event_type != "b";
    let question = Question { event: AskedEvent::At(first), subscription: None, sees: &sees };
    let narrow = running.flow.explain(&space(), question).await.expect("explained");
    assert_eq!((narrow.effects.len(), narrow.effects_cut), (0, Some(Cut::Hidden)));
    let question = Question { event: AskedEvent::At(c.position), subscription: None, sees: &sees };
    let narrow = running.flow.explain(&space(), question).await.expect("explained");
    assert_eq!((narrow.causes.len(), narrow.causes_cut), (0, Some(Cut::Hidden)));
    let b = running.wait_for("b", 1).await[0].position;
    let question = Question { event: AskedEvent::At(b), subscription: None, sees: &sees };
    assert!(matches!(running.flow.explain(&space(), question).await, Err(ExplainError::NotAt { .. })));
    running.stop().await;
}

#[tokio::test]
async fn who_took_the_place_of_another_and_who_began_with_history_is_told() {
    let old = FakeFunction::new(|call| async move {
        if call.event.id() == "a" { Ok(Outcome::Events(vec![draft("done", "a")])) } else { Err(rejected()) }
    });
    let all = functions([("old", old), ("new", echo("done")), ("late", echo("seen"))]);
    let running = start(memory(), &all, Options::default()).await;
    make(&running, &["job", "done", "seen"], &["old", "new", "late"]).await;
    running.change(Command::CreateSubscription(subscription("job", "old"))).await;
    running.emit(["a", "b"].map(|id| event(id, "job", "k"))).await;
    running.wait_for("done", 1).await;
    let (old, new) = (subscription("job", "old").id.to_string(), subscription("job", "new"));
    running.change(Command::ReplaceSubscription { id: old.clone(), subscription: new.clone() }).await;
    running.wait_for("done", 2).await;
    let late = subscription("job", "late").with_start(Start::Earliest);
    running.change(Command::CreateSubscription(late)).await;
    running.wait_for("seen", 2).await;

    let fates = async |id: &str| -> Vec<Fate> {
        let told = explain(&running, id).await;
        told.deliveries.into_iter().map(|it| it.fate).collect()
    };
    assert_eq!(fates("a").await, [DELIVERED, Fate::DoneBefore { by: old }, DELIVERED]);
    let version = running.flow.configuration();
    let at = version.version(&space(), Target::Item(Resource::Subscription, new.id.as_str())).expect("it is there");
    assert_eq!(fates("b").await, [Fate::Continued { by: new.id.to_string(), at }, DELIVERED, DELIVERED]);

    running.change(Command::CreateSubscription(subscription("job", "old"))).await;
    assert_eq!(fates("a").await.len(), 3, "what came later and began later is not told of");
    let named = ask(&running, AskedEvent::Named { id: "seen", source: None }, None).await;
    assert!(matches!(named, Err(ExplainError::NotFound { .. })), "{named:?}");
    let nobody = ask(&running, AskedEvent::Named { id: "a", source: None }, Some("nobody")).await;
    assert!(matches!(nobody, Err(ExplainError::NoSubscription { .. })), "{nobody:?}");
    let elsewhere = ask(&running, AskedEvent::Named { id: "a", source: Some("/elsewhere") }, None).await;
    assert!(matches!(elsewhere, Err(ExplainError::NotNamed { .. })), "{elsewhere:?}");
    running.stop().await;
}
