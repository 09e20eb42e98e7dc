//! How far a subscription is: through failures, restarts, successors, a log that lost its end, and deletion.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use parking_lot::Mutex;
use weir_catalog::{
    Command, DeliveryPolicy, EventTypeName, Function, FunctionKind, Method, Resource, RetryPolicy, Subscription,
    SubscriptionKind, Target,
};
use weir_domain::{AttributeValue, FunctionId};
use weir_flow::{DELIVERY_DROPPED, Options};
use weir_functions::Outcome;
use weir_log::LogEngine;
use weir_testkit::FakeFunction;

use crate::{
    delivery::{functions, rejected},
    support::{BOUND, draft, echo, event, memory, quick_retry, space, start},
};

/// Fails until the end of the test.
fn stubborn() -> RetryPolicy {
    RetryPolicy { attempts_max: None, ..quick_retry(1) }
}

/// One event that fails for hours must not make a restart, or a successor, repeat all that was done behind it meanwhile.
#[tokio::test]
async fn what_is_done_behind_a_stuck_event_is_not_done_again() {
    let old = FakeFunction::new(|call| async move {
        if call.event.id() == "stuck" {
            Err(rejected())
        } else {
            Ok(Outcome::Events(vec![draft("done", call.event.id())]))
        }
    });
    let new = echo("done");
    let (calls_of_old, calls_of_new) = (old.calls(), new.calls());
    let functions = functions([("old", old), ("new", new)]);
    let log = memory();
    let running = start(log.clone(), &functions, Options::default()).await;
    running.declare(&["job", "done"], "old", "job", stubborn()).await;
    running.emit([event("stuck", "job", "s")]).await;
    running.emit((0..50).map(|n| event(&n.to_string(), "job", &format!("k{n}")))).await;
    running.wait_for("done", 50).await;
    running.stop().await;
    // Twice: what the first start took over must be there for the second.
    for (life, id) in ["after", "later"].into_iter().enumerate() {
        let running = start(Arc::new(log.reopen()), &functions, Options::default()).await;
        running.emit([event(id, "job", id)]).await;
        running.wait_for("done", 51 + life).await;
        running.stop().await;
    }
    let running = start(Arc::new(log.reopen()), &functions, Options::default()).await;
    let id = |text: &str| FunctionId::new(text).expect("valid");
    let job = || EventTypeName::new("job").expect("valid");
    let predecessor = Subscription::to_events(job(), id("old")).id.to_string();
    running.change(Command::CreateFunction(Function::new(id("new"), FunctionKind::http("http://localhost/")))).await;
    let subscription = Subscription::to_events(job(), id("new"));
    running.change(Command::ReplaceSubscription { id: predecessor, subscription }).await;
    running.wait_for("done", 53).await;
    running.stop().await;
    let done: Vec<_> = calls_of_old.all().into_iter().map(|(id, _)| id).filter(|id| id != "stuck").collect();
    assert_eq!(done.len(), 52, "each once: {done:?}");
    let called: Vec<_> = calls_of_new.all().into_iter().map(|(id, _)| id).collect();
    assert_eq!(called, ["stuck"], "it is all that waited");
}

/// A log without syncs can lose its end. A cursor behind that end passes over nothing of what comes in its place, however
/// often the server starts.
#[tokio::test]
async fn a_cursor_behind_the_end_of_the_log_is_set_back() {
    let sick = FakeFunction::new(|_| async move { Err(rejected()) });
    let calls = sick.calls();
    let functions = functions([("sick", sick)]);
    let log = memory();
    let running = start(log.clone(), &functions, Options::default()).await;
    running.declare(&["job"], "sick", "job", stubborn()).await;
    let it =
        Subscription::to_events(EventTypeName::new("job").expect("valid"), FunctionId::new("sick").expect("valid"));
    let made = running.flow.configuration().version(&space(), Target::Item(Resource::Subscription, it.id.as_str()));
    let cursor = format!("cursor/default/{}/{}", it.id, made.expect("it is there"));
    running.stop().await;
    let beyond = Bytes::copy_from_slice(&20u64.to_be_bytes());
    log.reopen().store_checkpoints(vec![(cursor, beyond)]).await.expect("stored");
    let called = async |id: &str, times: usize| {
        let called = async {
            while calls.all().iter().filter(|(called, _)| called == id).count() < times {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(BOUND, called).await.unwrap_or_else(|_| panic!("{id} is not delivered"));
    };
    let running = start(Arc::new(log.reopen()), &functions, Options::default()).await;
    running.emit((0..40).map(|n| event(&n.to_string(), "job", &format!("k{n}")))).await;
    called("0", 1).await;
    running.stop().await;
    let before = calls.all().iter().filter(|(id, _)| id == "0").count();
    let running = start(Arc::new(log.reopen()), &functions, Options::default()).await;
    called("0", before + 1).await;
    running.stop().await;
}

/// What is to be tried again comes by turns with what comes for the first time, however much of that waits.
#[tokio::test]
async fn a_backlog_holds_up_no_retry() {
    let failed: Arc<Mutex<Option<Instant>>> = Arc::default();
    let work = {
        let failed = failed.clone();
        FakeFunction::new(move |call| {
            let failed = failed.clone();
            async move {
                if call.event.id() == "sick" && call.attempt == 1 {
                    *failed.lock() = Some(Instant::now());
                    return Err(rejected());
                }
                // Until then the next attempt is due.
                let is_due = || failed.lock().is_some_and(|at| at.elapsed() > Duration::from_millis(5));
                while !is_due() {
                    tokio::task::yield_now().await;
                }
                Ok(Outcome::Events(vec![draft("done", call.event.id())]))
            }
        })
    };
    let calls = work.calls();
    let running = start(memory(), &functions([("work", work)]), Options::default()).await;
    let two = DeliveryPolicy { concurrency: 2, ..DeliveryPolicy::default() };
    running.declare_with(&["job", "done"], "work", "job", |it| it.with_retry(quick_retry(2)).with_delivery(two)).await;
    let backlog = (0..500).map(|n| event(&n.to_string(), "job", &format!("k{n}")));
    running.emit(std::iter::once(event("sick", "job", "s")).chain(backlog)).await;
    running.wait_for("done", 501).await;
    running.stop().await;
    let calls = calls.all();
    let again = calls.iter().position(|(id, attempt)| id == "sick" && *attempt == 2);
    assert!(again.is_some_and(|place| place < 20), "{again:?} of {}", calls.len());
}

/// Of the events of a type only those are told of that were for the subscription, and that were not delivered.
#[tokio::test]
async fn what_was_not_for_a_deleted_subscription_did_not_wait_for_it() {
    let sick = FakeFunction::new(|call| async move {
        if call.event.id() == "e" { Ok(Outcome::Events(Vec::new())) } else { Err(rejected()) }
    });
    let calls = sick.calls();
    let running = start(memory(), &functions([("sick", sick)]), Options::default()).await;
    running.declare(&["job"], "sick", "job", stubborn()).await;
    let (job, id) = (EventTypeName::new("job").expect("valid"), FunctionId::new("sick").expect("valid"));
    let at_x = Subscription::new(SubscriptionKind::Async, job, id, Method::Post, "/x").with_retry(stubborn());
    running.change(Command::CreateSubscription(at_x.clone())).await;
    let came = |(id, path): (&str, &str)| {
        let event = event(id, "job", id).to_builder();
        event.extension("weirpath", AttributeValue::String(path)).build().expect("valid")
    };
    let first = running.emit([("a", "/x")].map(came)).await;
    let third = running.emit([("b", "/y"), ("c", "/x")].map(came)).await;
    running.emit([("d", "/y"), ("e", "/x")].map(came)).await;
    // Of one subscription all but the last wait, of the other only two.
    let settled = async {
        while calls.all().iter().filter(|(id, _)| id == "e").count() < 2 || running.flow.backlog() != 4 + 2 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(BOUND, settled).await.expect("the last one is delivered to both");
    running.change(Command::DeleteSubscription(at_x.id.to_string())).await;
    let dropped = running.wait_for(DELIVERY_DROPPED, 1).await;
    running.stop().await;
    let data: serde_json::Value = serde_json::from_slice(dropped[0].event.data().as_bytes()).expect("JSON");
    assert_eq!((data["from"].as_u64(), data["to"].as_u64()), (Some(first.get()), Some(third.get())), "{data}");
    assert_eq!(data["events"].as_u64(), Some(2), "{data}");
}
