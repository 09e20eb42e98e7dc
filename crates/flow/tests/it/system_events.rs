//! What the platform tells about calls.

use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::Notify;
use weir_catalog::{Command, EventType, EventTypeName, OnInvalid, RetryPolicy, Schema, SystemEvent};
use weir_domain::{AttributeValue, Event, SpaceName};
use weir_flow::{Compatibility, EVENT_QUARANTINED, Happening, Observer, Options};
use weir_functions::{CallError, Outcome};
use weir_log::{Append, LogEngine, NewEvent, Recorded};
use weir_testkit::{FakeFunction, Faults, FaultyLog, SteppingClock};

use crate::support::{
    BOUND, Functions, Nobody, Running, all_of, draft, echo, event, memory, quick_retry, space, start, start_with,
};

const INVOKING: &str = SystemEvent::Invoking.name();
const INVOKED: &str = SystemEvent::Invoked.name();
const FAILED: &str = SystemEvent::InvocationFailed.name();

/// A function with three that listen to what is told of it, and say so.
fn with_listeners(id: &str, function: FakeFunction) -> Functions {
    let listener = echo("heard");
    let listeners = ["one", "two", "three"].map(|id| (id.to_owned(), listener.clone()));
    Functions([(id.to_owned(), function)].into_iter().chain(listeners).collect())
}

/// What was told.
#[derive(Default)]
struct Seen(Mutex<Vec<SystemEvent>>);

impl Observer for Seen {
    fn observe(&self, _happening: &Happening<'_>) {}

    fn told(&self, told_in: &SpaceName, which: SystemEvent) {
        assert_eq!(*told_in, space());
        self.0.lock().push(which);
    }
}

async fn declare(running: &Running, id: &str) {
    running.declare(&["job", "done", "heard"], id, "job", quick_retry(3)).await;
    for (listener, event_type) in [("one", INVOKING), ("two", INVOKED), ("three", FAILED)] {
        running.declare(&[], listener, event_type, quick_retry(3)).await;
    }
}

fn data(recorded: &Recorded) -> serde_json::Value {
    serde_json::from_slice(recorded.event.data().as_bytes()).expect("JSON")
}

#[tokio::test]
async fn every_attempt_is_told_and_calls_with_what_is_told_are_not() {
    let shaky = FakeFunction::new(|call| async move {
        match call.attempt {
            1 => Err(CallError::Rejected { message: "not today".into() }),
            _ => Ok(Outcome::Events(vec![draft("done", call.event.id())])),
        }
    });
    let functions = with_listeners("shaky", shaky);
    let log = memory();
    let seen = Arc::new(Seen::default());
    let clock = Arc::new(SteppingClock::default());
    let running = start_with(log.clone(), &functions, Options::default(), clock, seen.clone()).await;
    declare(&running, "shaky").await;
    let parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    let traced = event("a", "job", "k").to_builder().extension("traceparent", AttributeValue::String(parent));
    let traced = traced.extension("tracestate", AttributeValue::String("a=1 , b=2"));
    running.emit([traced.build().expect("valid")]).await;
    let invoked = running.wait_for(INVOKED, 1).await;
    let failed = running.wait_for(FAILED, 1).await;
    let invoking = running.wait_for(INVOKING, 2).await;
    let done = running.wait_for("done", 1).await;
    // A second one. When all that is told has been heard, nothing else is under way.
    running.emit([event("b", "job", "k")]).await;
    running.wait_for("heard", 8).await;
    running.stop().await;

    let told = data(&invoking[0]);
    assert_eq!(told["space"], "default");
    assert_eq!(told["functionId"], "shaky");
    assert_eq!(told["event"]["id"], "a");
    for told in [&invoking[0], &failed[0], &invoked[0]] {
        let trace = ["traceparent", "tracestate"].map(|name| told.event.extension_str(name));
        assert_eq!(trace, [Some(parent), Some("a=1,b=2")], "{:?}", told.event);
    }
    assert!(data(&failed[0])["error"].as_str().is_some_and(|error| error.contains("not today")));
    assert!(data(&invoked[0])["result"].as_str().is_some_and(|result| !result.is_empty()));
    assert_eq!(invoked[0].position, done[0].position.next(), "in the append of what the function returned");
    assert_eq!(invoked[0].key, invoking[0].key);
    assert_eq!(invoked[0].key.as_ref().map(|key| key.as_str()), Some("k"), "in the order of what it is about");
    let counts =
        [all_of(&*log, INVOKING).await.len(), all_of(&*log, INVOKED).await.len(), all_of(&*log, FAILED).await.len()];
    assert_eq!(counts, [4, 2, 2], "two attempts of each event, and none of the listeners");
    let seen = seen.0.lock();
    let watched = [SystemEvent::Invoking, SystemEvent::Invoked, SystemEvent::InvocationFailed]
        .map(|which| seen.iter().filter(|each| **each == which).count());
    assert_eq!(watched, counts, "each is told to the observer once");
}

#[tokio::test(start_paused = true)]
async fn a_log_that_fails_loses_and_doubles_nothing_that_is_told() {
    let functions = with_listeners("echo", echo("done"));
    let log = memory();
    let running = start(log.clone(), &functions, Options::default()).await;
    declare(&running, "echo").await;
    running.stop().await;

    let inner: Arc<dyn LogEngine> = Arc::new(log.reopen());
    let faults = Faults { append_refused: 60, append_unanswered: 60, ..Faults::default() };
    let running = start(Arc::new(FaultyLog::new(inner.clone(), faults, 7)), &functions, Options::default()).await;
    let jobs = (0..20).map(|n| event(&n.to_string(), "job", &n.to_string())).collect();
    let admitted = running.flow.admit_batch(&space(), jobs, &Nobody).await.expect("admitted");
    inner.append(Append::new(space(), admitted)).await.expect("appended");
    for event_type in ["done", INVOKED, INVOKING] {
        running.wait_for(event_type, 20).await;
    }
    running.stop().await;
    for event_type in ["done", INVOKED, INVOKING] {
        assert_eq!(all_of(&*inner, event_type).await.len(), 20, "{event_type}");
    }
}

#[tokio::test]
async fn what_is_told_of_an_event_that_came_in_is_what_was_admitted() {
    let compatibility = Compatibility { unregistered_types: true, ..Compatibility::default() };
    let options = Options { compatibility, ..Options::default() };
    let functions = Functions([("one".to_owned(), echo("heard"))].into_iter().collect());
    let running = start(memory(), &functions, options).await;
    let nothing_fits = EventType {
        schema: Some(Schema::new(false.into())),
        on_invalid: OnInvalid::Quarantine,
        ..EventType::new(EventTypeName::new("job").expect("valid"))
    };
    running.change(Command::CreateEventType(nothing_fits)).await;
    let told = async |event: Event| {
        let admitted = running.flow.admit(&space(), event, &Nobody).await.expect("admitted");
        running.flow.received(&space(), &admitted, &Nobody)
    };
    let data =
        |told: &NewEvent| -> serde_json::Value { serde_json::from_slice(told.event.data().as_bytes()).expect("JSON") };
    assert!(told(event("1", "job", "k")).await.is_none(), "nobody listens");
    running.declare(&[], "one", SystemEvent::Received.name(), quick_retry(1)).await;

    // Of a type that nobody registered, and with an authorization that nobody gave.
    let forged = AttributeValue::String(r#"{"authorization":{"principalId":"eve"},"a":1}"#);
    let forged = Event::builder("2", "/test", "unknown").subject("k").extension("eventgateway", forged);
    let received = told(forged.build().expect("valid")).await.expect("somebody listens");
    assert_eq!(data(&received)["event"]["eventgateway"], r#"{"a":1}"#);
    assert_eq!(received.key.as_ref().map(|key| key.as_str()), Some("k"));

    let received = told(event("3", "job", "k")).await.expect("somebody listens");
    assert_eq!(data(&received)["event"]["type"], EVENT_QUARANTINED);
    assert_eq!(data(&received)["event"]["data"]["event"]["id"], "3");
    running.stop().await;
}

/// What is told waits in memory for a log that takes nothing, and must not grow for as long as a function fails.
#[tokio::test(start_paused = true)]
async fn a_log_that_takes_nothing_holds_up_further_attempts() {
    let called = Arc::new(Notify::new());
    let sick = {
        let called = called.clone();
        FakeFunction::new(move |_| {
            called.notify_one();
            async { Err(CallError::Rejected { message: "not today".into() }) }
        })
    };
    let calls = sick.calls();
    let functions = with_listeners("sick", sick);
    let log = memory();
    let sound = start(log.clone(), &functions, Options::default()).await;
    let stubborn = RetryPolicy { attempts_max: None, ..quick_retry(1) };
    sound.declare(&["job", "heard"], "sick", "job", stubborn).await;
    sound.declare(&[], "three", FAILED, quick_retry(3)).await;
    sound.stop().await;
    let inner: Arc<dyn LogEngine> = Arc::new(log.reopen());
    let faults = Faults { append_refused: 1000, ..Faults::default() };
    let faulty = Arc::new(FaultyLog::new(inner.clone(), faults, 1));
    let running = start(faulty, &functions, Options::default()).await;
    let admitted = running.flow.admit(&space(), event("a", "job", "k"), &Nobody).await.expect("admitted");
    inner.append(Append::new(space(), vec![admitted])).await.expect("appended");
    let often = async {
        while calls.count() < 100 {
            called.notified().await;
        }
    };
    let ended = tokio::time::timeout(BOUND, often).await;
    assert!(ended.is_err() && calls.count() > 1, "{} calls", calls.count());
    running.stop().await;
}
