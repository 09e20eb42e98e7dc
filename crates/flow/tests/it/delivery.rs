//! What a subscription is promised.

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
};

use bytes::Bytes;
use futures_util::future::ready;
use parking_lot::Mutex;
use weir_catalog::{Command, EventTypeName, Function, FunctionKind, Resource, Subscription, Target};
use weir_domain::{AttributeValue, Event, FunctionId};
use weir_flow::{
    Backlog, CAUSATION_ID, CORRELATION_ID, DELIVERY_DROPPED, DELIVERY_FAILED, Dropped, HOPS, Happening, Observer,
    Options, Refusal,
};
use weir_functions::{CallError, Draft, DraftValue, Outcome};
use weir_log::LogEngine;
use weir_testkit::{FakeFunction, SteppingClock};

use crate::support::{
    BOUND, Functions, Nobody, all_of, draft, echo, event, memory, quick_retry, space, start, start_with,
};

pub(crate) fn functions(all: impl IntoIterator<Item = (&'static str, FakeFunction)>) -> Functions {
    Functions(all.into_iter().map(|(id, function)| (id.to_owned(), function)).collect())
}

pub(crate) fn rejected() -> CallError {
    CallError::Rejected { message: "not today".into() }
}

#[tokio::test]
async fn returned_events_enter_again_with_their_cause() {
    let running = start(memory(), &functions([("echo", echo("heard"))]), Options::default()).await;
    running.declare(&["said", "heard"], "echo", "said", quick_retry(1)).await;
    let parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    let said = event("one", "said", "k").to_builder().extension("traceparent", AttributeValue::String(parent));
    running.emit([said.build().expect("valid")]).await;
    let heard = running.wait_for("heard", 1).await;
    let heard = &heard[0].event;
    assert_eq!(heard.extension_str(CAUSATION_ID), Some("one"));
    assert_eq!(heard.extension_str(CORRELATION_ID), Some("one"));
    assert_eq!(heard.extension(HOPS), Some(AttributeValue::Integer(1)));
    assert_eq!(heard.source(), "/spaces/default/functions/echo");
    let trace = heard.extension_str("traceparent").expect("the trace goes on");
    assert!(trace.starts_with("00-4bf92f3577b34da6a3ce929d0e0e4736-") && trace != parent);
    running.stop().await;
}

#[tokio::test]
async fn functions_are_told_when_an_event_was_recorded_and_its_time_stays() {
    let given = Arc::new(Mutex::new(Vec::new()));
    let function = {
        let given = given.clone();
        FakeFunction::new(move |call| {
            let times = [call.event.extension_str("recordedtime"), call.event.time()];
            given.lock().push(times.map(|time| time.map(str::to_owned)));
            // The first attempt fails: the second is told the same.
            let copied = DraftValue::Text("2002-02-02T02:02:02Z".to_owned());
            let mut seen = draft("seen", call.event.id());
            seen.extensions.push(("recordedtime".to_owned(), copied));
            ready(if call.attempt == 1 { Err(rejected()) } else { Ok(Outcome::Events(vec![seen])) })
        })
    };
    let running = start(memory(), &functions([("work", function)]), Options::default()).await;
    running.declare(&["said", "seen"], "work", "said", quick_retry(2)).await;
    let said = event("one", "said", "k").to_builder().time("2001-01-01T01:01:01Z");
    let said = said.extension("recordedtime", AttributeValue::String("2003-03-03T03:03:03Z"));
    running.emit([said.build().expect("valid")]).await;
    let seen = running.wait_for("seen", 1).await;
    let said = all_of(&*running.log, "said").await.remove(0);
    running.stop().await;
    let recorded = Some(weir_cloudevents::time::format(said.recorded));
    let expected = [recorded, Some("2001-01-01T01:01:01Z".to_owned())];
    assert_eq!(*given.lock(), [expected.clone(), expected]);
    // In the log an event stays as it came, and what a function returns is not recorded before it is.
    assert_eq!(said.event.extension_str("recordedtime"), Some("2003-03-03T03:03:03Z"));
    assert_eq!(seen[0].event.extension("recordedtime"), None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn order_is_kept_per_key_and_keys_run_in_parallel() {
    let seen: Arc<Mutex<HashMap<String, Vec<String>>>> = Arc::default();
    let (flying, most) = (Arc::new(AtomicU32::new(0)), Arc::new(AtomicU32::new(0)));
    let body = {
        let (seen, most) = (seen.clone(), most.clone());
        FakeFunction::new(move |call| {
            let (seen, flying, most) = (seen.clone(), flying.clone(), most.clone());
            async move {
                most.fetch_max(flying.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                tokio::task::yield_now().await;
                flying.fetch_sub(1, Ordering::SeqCst);
                let key = call.event.subject().unwrap_or_default().to_owned();
                seen.lock().entry(key).or_default().push(call.event.id().to_owned());
                Ok(Outcome::Events(vec![draft("done", call.event.id())]))
            }
        })
    };
    let running = start(memory(), &functions([("work", body)]), Options::default()).await;
    running.declare(&["job", "done"], "work", "job", quick_retry(1)).await;
    for part in 0..10 {
        let jobs = (0..100).map(|n| event(&format!("{:05}", part * 100 + n), "job", &format!("key-{}", n % 10)));
        running.emit(jobs).await;
    }
    running.wait_for("done", 1000).await;
    running.stop().await;
    let seen = seen.lock();
    assert_eq!(seen.len(), 10);
    for ids in seen.values() {
        assert_eq!(ids.len(), 100);
        assert!(ids.is_sorted(), "{ids:?}");
    }
    assert!(most.load(Ordering::SeqCst) > 1, "several keys were in flight at once");
}

#[tokio::test]
async fn failures_are_tried_again_and_then_recorded_and_block_only_their_lane() {
    let sick = FakeFunction::new(|call| async move {
        match (call.event.subject(), call.attempt) {
            (Some("sick"), _) => Err(rejected()),
            (Some("shaky"), attempt) if attempt < 3 => Err(rejected()),
            _ => Ok(Outcome::Events(vec![draft("done", call.event.id())])),
        }
    });
    let calls = sick.calls();
    let running = start(memory(), &functions([("sick", sick)]), Options::default()).await;
    running.declare(&["job", "done"], "sick", "job", quick_retry(4)).await;
    let parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    let traced = event("a", "job", "sick").to_builder().extension("traceparent", AttributeValue::String(parent));
    let traced = traced.extension("tracestate", AttributeValue::String("vendor=1")).build().expect("valid");
    running.emit([traced, event("b", "job", "shaky"), event("c", "job", "well")]).await;
    running.wait_for("done", 2).await;
    let failed = running.wait_for(DELIVERY_FAILED, 1).await;
    let data = String::from_utf8_lossy(failed[0].event.data().as_bytes()).into_owned();
    assert!(data.contains("not today") && data.contains("\"attempts\":4") && data.contains("\"id\":\"a\""), "{data}");
    let told = |name: &str| failed[0].event.extension_str(name);
    assert_eq!(
        (told(CAUSATION_ID), told("traceparent"), told("tracestate")),
        (Some("a"), Some(parent), Some("vendor=1"))
    );
    assert_eq!(calls.all().iter().filter(|(id, _)| id == "a").count(), 4);
    assert_eq!(calls.all().iter().filter(|(id, _)| id == "b").count(), 3);
    // The lane goes on behind the event that was given up.
    running.emit([event("d", "job", "sick")]).await;
    running.wait_for(DELIVERY_FAILED, 2).await;
    running.stop().await;
}

/// Nobody was there: that says nothing about the event, whose one attempt is still to come.
#[tokio::test]
async fn an_address_that_does_not_answer_uses_up_no_attempt() {
    let tries = Arc::new(AtomicU32::new(0));
    let function = {
        let tries = tries.clone();
        FakeFunction::new(move |call| {
            let tried = tries.fetch_add(1, Ordering::SeqCst);
            async move {
                match (call.event.id(), tried) {
                    ("late", 0..5) | ("never", 6..8) => {
                        Err(CallError::Unreachable { message: "connection refused".into() })
                    }
                    ("never", _) => Err(rejected()),
                    _ => Ok(Outcome::Events(vec![draft("done", call.event.id())])),
                }
            }
        })
    };
    let calls = function.calls();
    let running = start(memory(), &functions([("away", function)]), Options::default()).await;
    running.declare(&["job", "done"], "away", "job", quick_retry(1)).await;
    running.emit([event("late", "job", "k"), event("never", "job", "k")]).await;
    running.wait_for("done", 1).await;
    let failed = running.wait_for(DELIVERY_FAILED, 1).await;
    assert_eq!(failed[0].event.subject(), Some("never"), "who was reached has had its attempt");
    let data = String::from_utf8_lossy(failed[0].event.data().as_bytes()).into_owned();
    assert!(data.contains("\"attempts\":1"), "{data}");
    running.stop().await;
    let attempts: Vec<_> = calls.all().into_iter().filter(|(id, _)| id == "late").map(|(_, attempt)| attempt).collect();
    assert_eq!(attempts, [1; 6]);
}

/// Calls from the log wait for their turn, however often there is none, and a stop does not wait for it.
#[tokio::test]
async fn a_call_without_a_turn_waits_for_one() {
    let tries = Arc::new(AtomicU32::new(0));
    let crowded = {
        let tries = tries.clone();
        FakeFunction::new(move |call| {
            let tried = tries.fetch_add(1, Ordering::SeqCst);
            async move {
                match (call.event.id(), tried) {
                    // With the pauses of a failing platform this took minutes.
                    ("first", 0..50) => Err(CallError::Busy),
                    ("never", _) => Err(CallError::Busy),
                    _ => Ok(Outcome::Events(vec![draft("done", call.event.id())])),
                }
            }
        })
    };
    let running = start(memory(), &functions([("crowded", crowded)]), Options::default()).await;
    running.declare(&["job", "done"], "crowded", "job", quick_retry(1)).await;
    running.emit([event("first", "job", "k"), event("second", "job", "k")]).await;
    running.wait_for("done", 2).await;
    running.emit([event("never", "job", "k")]).await;
    let before = tries.load(Ordering::SeqCst);
    let asked = async {
        while tries.load(Ordering::SeqCst) == before {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(BOUND, asked).await.expect("it asks for a turn");
    running.stop().await;
}

/// A function may be replaced because it is too slow for all that waits for it.
#[tokio::test]
async fn who_waits_for_a_turn_goes_to_the_function_of_then() {
    let full = FakeFunction::new(|_| async move { Err(CallError::Busy) });
    let calls = full.calls();
    let all = functions([("work", full), ("http://localhost/new", echo("done"))]);
    let running = start(memory(), &all, Options::default()).await;
    running.declare(&["job", "done"], "work", "job", quick_retry(1)).await;
    running.emit([event("one", "job", "k")]).await;
    let waits = async {
        while calls.count() == 0 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(BOUND, waits).await.expect("it asks for a turn");
    let id = FunctionId::new("work").expect("valid");
    running.change(Command::UpdateFunction(Function::new(id, FunctionKind::http("http://localhost/new")))).await;
    running.wait_for("done", 1).await;
    running.stop().await;
}

#[tokio::test]
async fn a_restart_goes_on_where_it_was() {
    let log = memory();
    let function = echo("done");
    let calls = function.calls();
    let functions = functions([("echo", function)]);
    let running = start(log.clone(), &functions, Options::default()).await;
    running.declare(&["job", "done"], "echo", "job", quick_retry(1)).await;
    running.emit((0..50).map(|n| event(&format!("{n}"), "job", "k"))).await;
    running.wait_for("done", 50).await;
    running.stop().await;
    assert_eq!(calls.count(), 50);
    let log: Arc<dyn LogEngine> = Arc::new(log.reopen());
    let running = start(log, &functions, Options::default()).await;
    running.emit([event("after", "job", "k")]).await;
    running.wait_for("done", 51).await;
    running.stop().await;
    assert_eq!(calls.count(), 51, "nothing was delivered again after a clean stop");
}

/// A listener in the place of another: its function is called with what waited, and with nothing that was done.
#[tokio::test]
async fn a_successor_carries_on_where_the_one_before_stood() {
    let old = FakeFunction::new(|call| async move {
        if call.event.id() == "a" { Ok(Outcome::Events(vec![draft("done", "a")])) } else { Err(rejected()) }
    });
    let new = echo("done");
    let (calls_of_old, calls) = (old.calls(), new.calls());
    let functions = functions([("old", old), ("new", new)]);
    let log = memory();
    let running = start(log.clone(), &functions, Options::default()).await;
    running.declare(&["job", "done"], "old", "job", quick_retry(1000)).await;
    running.emit(["a", "b", "c"].map(|id| event(id, "job", "k"))).await;
    running.wait_for("done", 1).await;
    let job = || EventTypeName::new("job").expect("valid");
    let id = |text: &str| FunctionId::new(text).expect("valid");
    let predecessor = Subscription::to_events(job(), id("old"));
    let successor = Subscription::to_events(job(), id("new")).with_retry(quick_retry(1));
    running.change(Command::CreateFunction(Function::new(id("new"), FunctionKind::http("http://localhost/")))).await;
    let id_of_old = predecessor.id.to_string();
    running.change(Command::ReplaceSubscription { id: id_of_old.clone(), subscription: successor }).await;
    running.change(Command::DeleteFunction("old".to_owned())).await;
    running.wait_for("done", 3).await;
    assert!(running.flow.catalog().space_or_empty(&space()).subscription(&id_of_old).is_none());
    running.stop().await;
    let calls_before = calls_of_old.count();
    let log: Arc<dyn LogEngine> = Arc::new(log.reopen());
    let running = start(log.clone(), &functions, Options::default()).await;
    running.emit([event("d", "job", "k")]).await;
    running.wait_for("done", 4).await;
    running.stop().await;
    let called: Vec<_> = calls.all().into_iter().map(|(id, _)| id).collect();
    assert_eq!(called, ["b", "c", "d"], "what waited, in its order, and what came after the restart");
    assert_eq!(calls_of_old.count(), calls_before, "nobody calls the old one any more");
    assert_eq!(all_of(&*log, DELIVERY_DROPPED).await.len(), 0, "nothing was dropped");
}

/// What was told to be dropped: the function and how many events.
#[derive(Default)]
struct Counted(Mutex<Vec<(String, u64)>>);

impl Observer for Counted {
    fn observe(&self, _happening: &Happening<'_>) {}

    fn dropped(&self, dropped: &Dropped<'_>) {
        self.0.lock().push((dropped.function.to_string(), dropped.events));
    }
}

#[tokio::test]
async fn what_waited_for_a_deleted_subscription_is_recorded_once() {
    let sick = FakeFunction::new(|_| async move { Err(rejected()) });
    let functions = functions([("sick", sick), ("idle", echo("done"))]);
    let log = memory();
    let counted = Arc::new(Counted::default());
    let watched = |log: Arc<dyn LogEngine>| {
        let clock = Arc::new(SteppingClock::default());
        start_with(log, &functions, Options::default(), clock, counted.clone())
    };
    let running = watched(log.clone()).await;
    running.declare(&["job", "other", "done"], "sick", "job", quick_retry(1000)).await;
    running.declare(&[], "idle", "other", quick_retry(1)).await;
    let cursor_of = |event_type: &str, function: &str| {
        let event_type = EventTypeName::new(event_type).expect("valid");
        let it = Subscription::to_events(event_type, FunctionId::new(function).expect("valid"));
        let made = running.flow.configuration().version(&space(), Target::Item(Resource::Subscription, it.id.as_str()));
        (it.id.to_string(), format!("cursor/default/{}/{}", it.id, made.expect("it is there")))
    };
    let ((sick, cursor), (idle, idle_cursor)) = (cursor_of("job", "sick"), cursor_of("other", "idle"));
    running.emit([event("o", "other", "k")]).await;
    running.wait_for("done", 1).await;
    let last = running.emit(["a", "b", "c"].map(|id| event(id, "job", id))).await;
    let first = last.previous().previous();
    let backlog = |event_type: &str, function: &str, events: usize| Backlog {
        space: space(),
        event_type: EventTypeName::new(event_type).expect("valid"),
        function: FunctionId::new(function).expect("valid"),
        events,
    };
    let expected = [backlog("job", "sick", 3), backlog("other", "idle", 0)];
    let told = async {
        while running.flow.backlogs() != expected {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(BOUND, told).await.expect("it is told what waits for whom");
    assert_eq!(running.flow.backlog(), 3);
    running.change(Command::DeleteSubscription(idle)).await;
    running.change(Command::DeleteSubscription(sick.clone())).await;
    // What comes later was not for it.
    running.emit([event("late", "job", "k")]).await;
    let dropped = running.wait_for(DELIVERY_DROPPED, 1).await;
    running.stop().await;
    let data: serde_json::Value = serde_json::from_slice(dropped[0].event.data().as_bytes()).expect("JSON");
    assert_eq!((data["subscriptionId"].as_str(), data["functionId"].as_str()), (Some(sick.as_str()), Some("sick")));
    assert_eq!((data["from"].as_u64(), data["to"].as_u64()), (Some(first.get()), Some(last.get())), "{data}");
    assert_eq!((data["events"].as_u64(), data["more"].as_bool()), (Some(3), Some(false)), "{data}");
    for cursor in [&cursor, &idle_cursor] {
        assert_eq!(log.reopen().load_checkpoint(cursor).await.expect("readable"), None, "{cursor}");
    }
    // A server that was killed before the cursor was removed finds it.
    let left = Bytes::copy_from_slice(&first.previous().get().to_be_bytes());
    log.reopen().store_checkpoints(vec![(cursor.clone(), left)]).await.expect("stored");
    let engine: Arc<dyn LogEngine> = Arc::new(log.reopen());
    let running = watched(engine.clone()).await;
    running.gone(&cursor).await;
    running.stop().await;
    assert_eq!(all_of(&*engine, DELIVERY_DROPPED).await.len(), 1, "it is told once");
    assert_eq!(*counted.0.lock(), [("sick".to_owned(), 3)]);
}

#[tokio::test]
async fn a_loop_ends_at_the_hop_limit() {
    let options = Options { hops_max: 5, ..Options::default() };
    let running = start(memory(), &functions([("echo", echo("ping"))]), options).await;
    running.declare(&["ping"], "echo", "ping", quick_retry(3)).await;
    running.emit([event("first", "ping", "k")]).await;
    let failed = running.wait_for(DELIVERY_FAILED, 1).await;
    assert!(String::from_utf8_lossy(failed[0].event.data().as_bytes()).contains("5 are allowed"));
    assert_eq!(running.wait_for("ping", 6).await.len(), 6, "the first and five that followed");
    running.stop().await;
}

#[tokio::test]
async fn a_stop_waits_for_the_call_in_flight() {
    let (begun, proceed) = (Arc::new(tokio::sync::Notify::new()), Arc::new(tokio::sync::Notify::new()));
    let slow = {
        let (begun, proceed) = (begun.clone(), proceed.clone());
        FakeFunction::new(move |call| {
            let (begun, proceed) = (begun.clone(), proceed.clone());
            async move {
                begun.notify_one();
                proceed.notified().await;
                Ok(Outcome::Events(vec![draft("done", call.event.id())]))
            }
        })
    };
    let log = memory();
    let running = start(log.clone(), &functions([("slow", slow)]), Options::default()).await;
    running.declare(&["job", "done"], "slow", "job", quick_retry(1)).await;
    running.emit([event("a", "job", "k")]).await;
    begun.notified().await;
    proceed.notify_one();
    running.stop().await;
    assert_eq!(all_of(&*log, "done").await.len(), 1, "its event entered before the stop");
}

/// A subscription that is deleted and made again begins anew, but not beside a call of the one before: the order of a key
/// holds over both.
#[tokio::test]
async fn who_is_made_again_waits_for_the_calls_of_before() {
    let (begun, proceed) = (Arc::new(tokio::sync::Notify::new()), Arc::new(tokio::sync::Notify::new()));
    let (flying, most) = (Arc::new(AtomicU32::new(0)), Arc::new(AtomicU32::new(0)));
    let slow = {
        let (begun, proceed, most) = (begun.clone(), proceed.clone(), most.clone());
        FakeFunction::new(move |call| {
            let (begun, proceed, flying, most) = (begun.clone(), proceed.clone(), flying.clone(), most.clone());
            async move {
                most.fetch_max(flying.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                if call.event.id() == "a" {
                    begun.notify_one();
                    proceed.notified().await;
                }
                flying.fetch_sub(1, Ordering::SeqCst);
                Ok(Outcome::Events(vec![draft("done", call.event.id())]))
            }
        })
    };
    let running = start(memory(), &functions([("slow", slow)]), Options::default()).await;
    running.declare(&["job", "done"], "slow", "job", quick_retry(1)).await;
    let (job, id) = (EventTypeName::new("job").expect("valid"), FunctionId::new("slow").expect("valid"));
    let it = Subscription::to_events(job, id).with_retry(quick_retry(1));
    running.emit([event("a", "job", "k")]).await;
    begun.notified().await;
    running.change(Command::DeleteSubscription(it.id.to_string())).await;
    running.change(Command::CreateSubscription(it)).await;
    running.emit([event("b", "job", "k")]).await;
    // Whoever did not wait would have begun by then.
    for _ in 0..1000 {
        tokio::task::yield_now().await;
    }
    proceed.notify_one();
    running.wait_for("done", 2).await;
    running.stop().await;
    assert_eq!(most.load(Ordering::SeqCst), 1, "one event of a key at a time");
}

/// Whoever could write under the name of the platform would be able to have a delivery given up without a trace: the log
/// would take the record for one that is there.
#[tokio::test]
async fn nobody_but_the_platform_writes_under_its_name() {
    let forging = FakeFunction::new(|_| async move {
        let source = Some("/weir/delivery".to_owned());
        Ok(Outcome::Events(vec![Draft { id: Some("x/5".to_owned()), source, ..draft("job", "x") }]))
    });
    let running = start(memory(), &functions([("forging", forging)]), Options::default()).await;
    running.declare(&["job"], "forging", "job", quick_retry(1)).await;
    for (source, is_refused) in
        [("/weir/delivery", true), ("/weir/quarantine", true), ("/weir/gateway", false), ("/weird", false)]
    {
        let event = Event::builder("x/5", source, "job").build().expect("valid");
        let admitted = running.flow.admit(&space(), event, &Nobody).await;
        assert_eq!(matches!(admitted, Err(Refusal::ReservedSource { .. })), is_refused, "{source}");
        assert_eq!(admitted.is_err(), is_refused, "{source}");
    }
    running.emit([event("a", "job", "k")]).await;
    let failed = running.wait_for(DELIVERY_FAILED, 1).await;
    let data = String::from_utf8_lossy(failed[0].event.data().as_bytes()).into_owned();
    assert!(data.contains("/weir/delivery"), "{data}");
    running.stop().await;
}
