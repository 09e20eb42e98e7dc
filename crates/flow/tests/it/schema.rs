//! What becomes of events whose data break the schema of their type.

use std::{collections::HashMap, sync::Arc};

use serde_json::{Value, json};
use weir_catalog::{Command, EventType, EventTypeName, Method, OnInvalid, Schema, Subscription};
use weir_domain::{AttributeValue, Data, ErrorKind, Event, FunctionId};
use weir_flow::{CAUSATION_ID, CORRELATION_ID, EVENT_QUARANTINED, HOPS, Options, Refusal, is_quarantined};
use weir_log::Append;
use weir_testkit::FakeFunction;

use crate::support::{Functions, Nobody, Running, all_of, echo, memory, quick_retry, space, start};

fn order(id: &str, data: &Value) -> Event {
    let builder = Event::builder(id, "/test", "order").subject("k").data(Data::Json(data.to_string().into()));
    builder.datacontenttype("application/json").build().expect("valid")
}

/// Declares a type whose events must have a number that is not negative.
async fn declare(running: &Running, name: &str, on_invalid: OnInvalid) {
    let schema = json!({
        "type": "object",
        "properties": { "n": { "type": "integer", "minimum": 0 } },
        "required": ["n"],
    });
    let name = EventTypeName::new(name).expect("valid");
    let it = EventType { schema: Some(Schema::new(schema)), on_invalid, ..EventType::new(name) };
    running.flow.change(&space(), Command::CreateEventType(it)).await.expect("declared");
}

#[tokio::test]
async fn an_event_that_breaks_the_schema_is_refused_with_every_place() {
    let running = start(memory(), &Functions::default(), Options::default()).await;
    declare(&running, "order", OnInvalid::Refuse).await;
    let admit = async |data: Value| running.flow.admit(&space(), order("1", &data), &Nobody).await;
    assert!(admit(json!({ "n": 1 })).await.is_ok_and(|admitted| !is_quarantined(&admitted)));
    let refusal = admit(json!({ "n": -1.5 })).await.expect_err("refused");
    assert_eq!(refusal.kind(), ErrorKind::Invalid);
    let Refusal::Schema { event_type, version, violations } = refusal else { panic!("another refusal") };
    assert_eq!((event_type.as_str(), version), ("order", 1));
    let places: Vec<_> = violations.iter().map(|violation| violation.pointer()).collect();
    assert_eq!(places, ["/data/n", "/data/n"]);
    running.stop().await;
}

#[tokio::test]
async fn an_event_in_quarantine_is_kept_once_and_reaches_nobody() {
    let work = echo("done");
    let calls = work.calls();
    let functions = Functions(HashMap::from([("work".to_owned(), work)]));
    let running = start(memory(), &functions, Options::default()).await;
    declare(&running, "order", OnInvalid::Quarantine).await;
    running.declare(&["done"], "work", "order", quick_retry(1)).await;

    let parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    let broken = order("1", &json!({ "n": -1, "big": 1 })).to_builder();
    let broken = broken.extension("traceparent", AttributeValue::String(parent)).build().expect("valid");
    let admitted = running.flow.admit(&space(), broken.clone(), &Nobody).await.expect("kept");
    assert!(is_quarantined(&admitted));
    assert_eq!(admitted.key.as_ref().map(|key| key.as_str()), Some("k"));
    let append = Append::new(space(), vec![admitted]);
    let first = running.log.append(append.clone()).await.expect("appended");
    let again = running.log.append(append).await.expect("appended");
    assert_eq!((again.range(), again.events[0].duplicate), (first.range(), true));

    // What comes after it on the same key is delivered: the function was given nothing else.
    running.emit([order("2", &json!({ "n": 2 }))]).await;
    running.wait_for("done", 1).await;
    assert_eq!(calls.all(), [("2".to_owned(), 1)]);

    let kept = all_of(&*running.log, EVENT_QUARANTINED).await;
    assert_eq!(kept.len(), 1);
    let event = &kept[0].event;
    assert_eq!((event.source(), event.subject()), ("/weir/quarantine", Some("1")));
    assert_eq!((event.extension_str(CAUSATION_ID), event.extension_str(CORRELATION_ID)), (Some("1"), Some("1")));
    assert_eq!(event.extension(HOPS), Some(AttributeValue::Integer(1)));
    assert_eq!((event.extension_str("traceparent"), event.extension_str("tracestate")), (Some(parent), None));
    let data: Value = serde_json::from_slice(event.data().as_bytes()).expect("JSON");
    assert_eq!((&data["eventType"], &data["schemaVersion"]), (&json!("order"), &json!(1)));
    assert_eq!((&data["violations"][0]["pointer"], &data["more"]), (&json!("/data/n"), &json!(0)));
    assert_eq!((&data["event"]["id"], &data["event"]["data"]), (&json!("1"), &json!({ "n": -1, "big": 1 })));
    running.stop().await;
}

#[tokio::test]
async fn data_too_deep_to_be_wrapped_are_kept_as_text() {
    let running = start(memory(), &Functions::default(), Options::default()).await;
    declare(&running, "order", OnInvalid::Quarantine).await;
    let deep = (0..126).fold(json!(1), |inner, _| json!([inner]));
    let admitted = running.flow.admit(&space(), order("1", &json!({ "a": deep })), &Nobody).await.expect("kept");
    let data: Value = serde_json::from_slice(admitted.event.data().as_bytes()).expect("JSON that readers take");
    assert!(data["eventText"].as_str().is_some_and(|text| text.contains("[[[1]]]")) && data["event"].is_null());
    running.stop().await;
}

#[tokio::test]
async fn returned_events_are_checked_as_those_from_outside() {
    let functions =
        Functions(HashMap::from([("to-refuse".to_owned(), echo("strict")), ("to-keep".to_owned(), echo("loose"))]));
    let running = start(memory(), &functions, Options::default()).await;
    declare(&running, "strict", OnInvalid::Refuse).await;
    declare(&running, "loose", OnInvalid::Quarantine).await;
    running.declare(&["order"], "to-refuse", "order", quick_retry(1)).await;
    running.declare(&[], "to-keep", "order", quick_retry(1)).await;
    running.emit([order("1", &json!({}))]).await;
    let failed = running.wait_for(weir_flow::DELIVERY_FAILED, 1).await;
    let told = String::from_utf8_lossy(failed[0].event.data().as_bytes()).into_owned();
    assert!(told.contains("the function returned an event that is refused: the data break the schema"), "{told}");
    assert_eq!(running.wait_for(EVENT_QUARANTINED, 1).await.len(), 1);
    running.stop().await;
}

#[tokio::test]
async fn a_request_on_a_route_is_checked_before_its_function_is_called() {
    let silent = FakeFunction::silent();
    let calls = silent.calls();
    let running = start(memory(), &Functions(HashMap::from([("page".to_owned(), silent)])), Options::default()).await;
    declare(&running, "http.request", OnInvalid::Quarantine).await;
    running.declare(&["order"], "page", "order", quick_retry(1)).await;
    let id = FunctionId::new("page").expect("valid");
    let route = Subscription::to_route(Method::Get, "/", id);
    running.flow.change(&space(), Command::CreateSubscription(route.clone())).await.expect("made");
    let request = |data: &str| {
        let builder = Event::builder(data, "/test", "http.request").data(Data::Json(data.to_owned().into()));
        builder.build().expect("valid")
    };
    let route = Arc::new(route);
    let answer = running.flow.call(&space(), &route, request("{}"), &Nobody).await.expect("kept");
    assert_eq!(answer.status, 202);
    assert!(answer.headers.contains(&("weir-quarantined".to_owned(), "true".to_owned())));
    assert_eq!(all_of(&*running.log, EVENT_QUARANTINED).await.len(), 1);
    let answer = running.flow.call(&space(), &route, request(r#"{"n":1}"#), &Nobody).await.expect("called");
    assert_eq!((answer.status, calls.all()), (200, vec![(r#"{"n":1}"#.to_owned(), 1)]));
    // A good request is recorded only where somebody listens.
    assert!(all_of(&*running.log, "http.request").await.is_empty());
    running.stop().await;
}
