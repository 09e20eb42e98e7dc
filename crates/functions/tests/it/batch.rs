//! Several events in one go: as one request to a URL, on one instance in this process.

use std::time::Duration;

use weir_cloudevents::json as codec;
use weir_domain::{AttributeValue, Data, Event, Limits};
use weir_functions::{
    Call, CallError, CallMode, EventForm, FunctionOptions, HttpOptions, Instances, Invoke, Outcome, WasmFunction,
};

use crate::{
    http::Server,
    rig::{Rig, call, data, json, only},
    script::KITCHEN,
};

/// A call from the log.
fn numbered(id: &str, event_type: &str, key: &str) -> Call {
    let event = Event::builder(id, "/source", event_type).extension("partitionkey", AttributeValue::String(key));
    call(CallMode::Async, event.data(json("[1]")).build().expect("valid"))
}

fn three() -> [Call; 3] {
    ["1", "2", "3"].map(|id| numbered(id, "t", "k"))
}

/// The ids of the events that came of each call.
fn ids(outcomes: Vec<Result<Outcome, CallError>>) -> Vec<Vec<String>> {
    outcomes.into_iter().map(ids_of).collect()
}

fn ids_of(outcome: Result<Outcome, CallError>) -> Vec<String> {
    match outcome {
        Ok(Outcome::Events(drafts)) => drafts.into_iter().map(|draft| draft.id.expect("an id")).collect(),
        other => panic!("events were expected: {other:?}"),
    }
}

/// What each of so many calls came to.
fn each<const N: usize>(outcomes: Vec<Result<Outcome, CallError>>) -> [Result<Outcome, CallError>; N] {
    outcomes.try_into().expect("an outcome for each call")
}

#[tokio::test]
async fn several_events_are_one_request_and_what_comes_back_goes_to_its_cause() {
    let server = Server::start().await;
    let headers = vec![("authorization".to_owned(), "Bearer s3cret".to_owned())];
    let function = server.function("/caused", HttpOptions { headers, ..HttpOptions::default() });
    assert!(function.takes_batches());
    let calls = three();
    let expected: [&[&str]; 3] = [&["b"], &["a", "c"], &[]];
    assert_eq!(ids(function.invoke_batch(&calls).await), expected);
    let (headers, body) = server.request();
    assert_eq!(headers["content-type"], "application/cloudevents-batch+json");
    assert_eq!(headers["authorization"], "Bearer s3cret");
    let events: Vec<Event> = calls.iter().map(|call| call.event.clone()).collect();
    assert_eq!(codec::decode_batch(&body, &Limits::default()), Ok(events));

    // With several of one id it is the first.
    let twins = ["2", "1", "2"].map(|id| numbered(id, "t", "k"));
    let expected: [&[&str]; 3] = [&["a", "c"], &["b"], &[]];
    assert_eq!(ids(function.invoke_batch(&twins).await), expected);
    server.request();

    for path in ["/empty", "/plain"] {
        let silent = server.function(path, HttpOptions::default());
        assert_eq!(ids(silent.invoke_batch(&calls).await), [const { Vec::<String>::new() }; 3], "{path}");
        server.request();
    }

    // A batch of one is an event like any other.
    let single = server.function("/structured", HttpOptions::default());
    assert_eq!(ids(single.invoke_batch(&calls[..1]).await), [["9"]]);
    assert_eq!(server.request().0["content-type"], "application/cloudevents+json");
}

#[tokio::test]
async fn what_fails_a_request_fails_every_event_of_it() {
    let server = Server::start().await;
    let check = async |path: &str, expected: fn(&CallError) -> bool| {
        let limit = Duration::from_millis(50);
        let calls = three().map(|call| Call { timeout: Some(limit).filter(|_| path == "/never"), ..call });
        let outcomes = server.function(path, HttpOptions::default()).invoke_batch(&calls).await;
        assert_eq!(outcomes.len(), 3, "{path}");
        for outcome in outcomes {
            let error = outcome.expect_err(path);
            assert!(expected(&error), "{path}: {error}");
        }
        // One that is given up early may not have arrived.
        assert!(server.requests().len() <= 1, "{path}");
    };
    check("/missing", |error| matches!(error, CallError::Status { code: 404, .. }) && error.is_final()).await;
    check("/busy", |error| error.retry_after() == Some(Duration::from_secs(7))).await;
    check("/moved", |error| matches!(error, CallError::Status { code: 302, .. })).await;
    check("/invalid", |error| error.to_string().contains("its answer is no valid CloudEvent: ")).await;
    for path in ["/structured", "/batch", "/binary"] {
        check(path, |error| error.to_string().contains("\"causationid\"")).await;
    }
    check("/never", |error| *error == CallError::Timeout { limit: Duration::from_millis(50) }).await;
}

#[tokio::test]
async fn who_cannot_be_given_a_batch_is_called_for_each_event() {
    let server = Server::start().await;
    let old = server.function("/empty", HttpOptions { form: EventForm::V01, ..HttpOptions::default() });
    assert!(!old.takes_batches());
    assert_eq!(ids(old.invoke_batch(&three()).await), [const { Vec::<String>::new() }; 3]);
    let seen = server.requests();
    assert_eq!(seen.len(), 3);
    assert!(seen.iter().all(|(headers, _)| headers["content-type"] == "application/cloudevents+json"));
    let gone = server.function("/missing", HttpOptions { form: EventForm::V01, ..HttpOptions::default() });
    let outcomes = gone.invoke_batch(&three()).await;
    assert!(matches!(outcomes[0], Err(CallError::Status { code: 404, .. })), "{outcomes:?}");
    assert_eq!(outcomes[1..], [Err(CallError::Untried), Err(CallError::Untried)]);
    server.request();
}

/// The functions of this process: the same calls with and without an instance that is used again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failure_stops_its_key_and_no_other() {
    let rig = Rig::new();
    for instances in [Instances::default(), Instances::Fresh] {
        let kitchen = rig.script(KITCHEN, FunctionOptions { instances, ..FunctionOptions::default() }).await;
        assert!(!kitchen.takes_batches());
        let calls = [
            numbered("1", "echo", "a"),
            numbered("2", "throw", "a"),
            numbered("3", "log", "a"),
            numbered("4", "echo", "b"),
        ];
        let [one, two, three, four] = each(kitchen.invoke_batch(&calls).await);
        assert_eq!((only(one).event_type, only(four).event_type), ("echoed".to_owned(), "echoed".to_owned()));
        assert!(matches!(two, Err(CallError::Rejected { .. })), "{two:?}");
        assert_eq!(three, Err(CallError::Untried));
        let lines = rig.lines.take();
        assert!(lines.iter().all(|line| !line.starts_with("shop 3 ")), "{lines:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_batch_shares_an_instance_until_that_is_spent() {
    let rig = Rig::new();
    let kitchen = rig.script(KITCHEN, FunctionOptions::default()).await;
    let limit = Duration::from_millis(100);
    let endless = Call { timeout: Some(limit), ..numbered("3", "loop", "c") };
    let calls = [
        numbered("1", "count", "a"),
        numbered("2", "count", "b"),
        endless,
        numbered("4", "count", "d"),
        numbered("5", "deep", "e"),
        numbered("6", "count", "f"),
    ];
    let [one, two, three, four, five, six] = each(kitchen.invoke_batch(&calls).await);
    assert_eq!(three, Err(CallError::Timeout { limit }));
    assert!(matches!(five, Err(CallError::Trap { .. })), "{five:?}");
    assert_eq!([one, two, four, six].map(data), [1, 2, 1, 1]);
    // What is left goes to the next call.
    assert_eq!(count(&kitchen).await, 2);

    // Once another stands in its place, what is left of a batch goes there.
    kitchen.retire();
    assert_eq!(kitchen.invoke_batch(&calls[..2]).await, [Err(CallError::Busy), Err(CallError::Busy)]);
}

async fn count(kitchen: &WasmFunction) -> serde_json::Value {
    data(crate::rig::invoke(kitchen, "count", Data::None).await)
}
