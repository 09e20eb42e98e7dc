//! Events on their way into the log: three modes, receipts, refusals.

use std::sync::Arc;

use serde_json::{Value, json};
use weir_domain::Limits;
use weir_gateway::Options;
use weir_log::LogEngine;
use weir_testkit::{Faults, FaultyLog};

use crate::support::{self, BATCH, STRUCTURED, door, event, memory};

#[tokio::test]
async fn an_event_comes_in_by_every_mode() {
    let door = door().await;
    door.register("default", &["order.placed"]).await;

    let structured = event("1", "order.placed", r#","subject":"order/7","data":{"n":1}"#);
    let first = door.post(STRUCTURED, &structured).await;
    assert_eq!((first.status, first.text(), first.header("weir-duplicate")), (202, "", None));
    assert_eq!(first.header("content-type"), None);
    let headers = [
        ("ce-specversion", "1.0"),
        ("ce-id", "2"),
        ("ce-source", "/test"),
        ("ce-type", "order.placed"),
        ("ce-subject", "order/7"),
        ("content-type", "application/json"),
    ];
    for (method, path) in [("POST", "/"), ("PUT", "/any/where"), ("PATCH", "/")] {
        let answer = door.request(method, path, &headers, r#"{"n":2}"#).await;
        assert_eq!((answer.status, answer.position()), (202, first.position() + 1), "{method}");
        // The same event came before by another method.
        let is_repeated = answer.header("weir-duplicate").is_some();
        assert_eq!(is_repeated, method != "POST");
    }
    let batch = format!("[{},{}]", event("3", "order.placed", ""), event("4", "order.placed", ""));
    let answer = door.post(BATCH, &batch).await;
    let expected = format!("{}, {}", first.position() + 2, first.position() + 3);
    assert_eq!((answer.status, answer.header("weir-position")), (202, Some(&*expected)));

    let read = door.read("default", "").await.json();
    let seen: Vec<_> = read.as_array().expect("a batch").iter().map(|it| (&it["id"], &it["data"]["n"])).collect();
    let (one, two, none) = (json!(1), json!(2), json!(null));
    let ids = [json!("1"), json!("2"), json!("3"), json!("4")];
    assert_eq!(seen, [(&ids[0], &one), (&ids[1], &two), (&ids[2], &none), (&ids[3], &none)]);
}

#[tokio::test]
async fn repeated_events_get_their_first_receipt() {
    let door = door().await;
    door.register("default", &["a"]).await;
    let first = door.post(STRUCTURED, &event("1", "a", "")).await;
    let again = door.post(STRUCTURED, &event("1", "a", r#","data":"other""#)).await;
    assert_eq!((again.status, again.position()), (202, first.position()));
    assert_eq!(again.header("weir-duplicate"), Some("true"));
    let batch = format!("[{},{},{}]", event("1", "a", ""), event("2", "a", ""), event("2", "a", ""));
    let answer = door.post(BATCH, &batch).await;
    let expected = format!("{}, {}", first.position(), first.position() + 1);
    assert_eq!(answer.header("weir-position"), Some(&*expected));
    assert_eq!(answer.header("weir-duplicate"), Some("2"));
}

#[tokio::test]
async fn a_batch_is_written_whole_or_not_at_all() {
    let door = door().await;
    door.register("default", &["a"]).await;
    let good = event("1", "a", "");
    let answer = door.post(BATCH, &format!("[{good},{}]", event("2", "b", ""))).await;
    answer.check_refused(
        400,
        "event 1 of the batch, counted from 0: attribute \"type\" is \"b\", which is not registered in space \
         \"default\": register it with POST /v1/spaces/default/eventtypes or in weir.toml",
    );
    let answer = door.post(BATCH, &format!(r#"[{good},{{"specversion":"1.0"}}]"#)).await;
    answer
        .check_refused(400, "event 1 of the batch, counted from 0: attribute \"id\" is required and must not be empty");
    assert_eq!(door.read("default", "").await.json(), json!([]));

    let answer = door.post(BATCH, "[]").await;
    assert_eq!((answer.status, answer.header("weir-position")), (202, None));
    let answer = door.request("PUT", "/", &[("content-type", BATCH)], "[]").await;
    answer.check_refused(405, "a batch is emitted with POST, not PUT: send it so");
    assert_eq!(answer.header("allow"), Some("POST"));
}

#[tokio::test]
async fn refusals_name_the_attribute_and_the_cure() {
    let door = door().await;
    door.register("default", &["a"]).await;
    door.create("eventtypes", json!({ "name": "keyed", "key": "/data/id" })).await;
    let check = async |media_type: &str, body: &str, status: u16, message: &str| {
        door.post(media_type, body).await.check_refused(status, message);
    };
    check(
        STRUCTURED,
        &event("1", "nobody.knows", ""),
        400,
        "attribute \"type\" is \"nobody.knows\", which is not registered in space \"default\": register it with POST \
         /v1/spaces/default/eventtypes or in weir.toml",
    )
    .await;
    let reserved =
        "attribute \"type\" is \"weir.x\", which only the platform may emit: choose a name without this prefix";
    check(STRUCTURED, &event("1", "weir.x", ""), 403, reserved).await;
    let no_key = "the key /data/id of event type \"keyed\" is missing: give the event's data a value there, or change \
                  the key of the event type";
    check(STRUCTURED, &event("1", "keyed", r#","data":{}"#), 400, no_key).await;
    let version = "attribute \"specversion\" is required: send CloudEvents 1.0, whose value is \"1.0\"";
    check(STRUCTURED, r#"{"type":"a","id":"1","source":"/s"}"#, 400, version).await;
    let forged = "attribute \"type\" is \"http.request\", which only the platform may emit: send the request itself";
    check(STRUCTURED, &event("1", "http.request", ""), 403, forged).await;
    check(STRUCTURED, "", 400, "the body is empty: send an event as a JSON object").await;
    let avro = "unsupported media type: send application/cloudevents+json or application/cloudevents-batch+json, not \
                \"application/cloudevents+avro\"";
    check("application/cloudevents+avro", "", 415, avro).await;
    let no_type = "header \"content-type\" is not a media type (RFC 9110): send one such as application/json, or none";
    check("json", "", 400, no_type).await;

    let encoded = [("content-type", STRUCTURED), ("content-encoding", "gzip")];
    let answer = door.request("POST", "/", &encoded, "").await;
    answer.check_refused(415, "unsupported content-encoding: send the body of a CloudEvent uncompressed");
    let answer = door.request("GET", "/", &[("content-type", STRUCTURED)], &event("1", "a", "")).await;
    let message = "an event is emitted with POST, PUT or PATCH, not GET: use one of the methods of the header Allow";
    answer.check_refused(405, message);
    assert_eq!(answer.header("allow"), Some("POST, PUT, PATCH"));
    assert_eq!(door.read("default", "").await.json(), json!([]));
}

#[tokio::test]
async fn bounds_are_named() {
    let limits = Limits { request_bytes_max: 200, event_bytes_max: 60, ..Limits::default() };
    let door = support::gateway(memory(), Options { limits, ..Options::default() }, |log| log).await;
    door.register("default", &["a"]).await;
    let large = event("1", "a", &format!(r#","data":"{}""#, "x".repeat(200)));
    let message = format!("the body in bytes is {}, over the limit of 200: send less", large.len());
    door.post(STRUCTURED, &large).await.check_refused(413, &message);
    let data = "x".repeat(70);
    let large = event("1", "a", &format!(r#","data":"{data}""#));
    let answer = door.post(STRUCTURED, &large).await;
    answer.check_refused(413, "the size of the event in bytes is 79, over the limit of 60: send less");

    let none = Options { requests_max: 0, ..Options::default() };
    let door = support::gateway(memory(), none, |log| log).await;
    let answer = door.post(STRUCTURED, &event("1", "a", "")).await;
    answer.check_refused(503, "too many requests are in flight: repeat the request later");
    assert_eq!(answer.header("retry-after"), Some("1"));
}

#[tokio::test]
async fn a_log_that_takes_nothing_is_no_reason_to_say_yes() {
    fn faulty(log: Arc<dyn LogEngine>) -> Arc<dyn LogEngine> {
        Arc::new(FaultyLog::new(log, Faults { append_refused: 1000, ..Faults::default() }, 1))
    }
    // The flow itself can write.
    let door = support::gateway(memory(), Options::default(), faulty).await;
    door.register("default", &["a"]).await;
    let answer = door.post(STRUCTURED, &event("1", "a", "")).await;
    answer.check_refused(503, "the log has more work waiting than it holds: repeat the append later");
    assert_eq!(answer.header("retry-after"), Some("1"));
    assert_eq!(answer.header("weir-position"), None);
}

#[tokio::test]
async fn the_trace_of_a_request_goes_on_in_its_events() {
    let door = door().await;
    door.register("default", &["a"]).await;
    let parent = "00-0af7651916cd43dd8448eb211c80319c-b9c7c989f97918e1-01";
    let headers = [("content-type", STRUCTURED), ("traceparent", parent), ("tracestate", "x=1")];
    door.request("POST", "/", &headers, &event("1", "a", "")).await;
    let own = r#","traceparent":"00-0af7651916cd43dd8448eb211c80319c-0000000000000001-00""#;
    door.request("POST", "/", &headers, &event("2", "a", own)).await;
    let headers = [("content-type", STRUCTURED), ("traceparent", "nonsense")];
    door.request("POST", "/", &headers, &event("3", "a", "")).await;
    let headers = [("content-type", BATCH), ("traceparent", parent)];
    door.request("POST", "/", &headers, &format!("[{}]", event("4", "a", ""))).await;
    let read = door.read("default", "").await.json();
    let parents: Vec<_> = read.as_array().expect("a batch").iter().map(|it| it["traceparent"].as_str()).collect();
    let other = Some("00-0af7651916cd43dd8448eb211c80319c-0000000000000001-00");
    let restarted = parents[2].expect("a malformed one is begun anew");
    assert!(restarted.len() == 55 && restarted.ends_with("-02"), "{restarted}");
    assert_eq!(parents, [Some(parent), other, Some(restarted), Some(parent)]);
    assert_eq!(read[0]["tracestate"], json!("x=1"));
}

#[tokio::test]
async fn every_mode_says_where_its_events_came_in() {
    let door = door().await;
    door.register("default", &["job"]).await;
    door.subscribe("default", "listener", json!({ "type": "async", "eventType": "http.request" })).await;
    let forged = r#","weirmethod":"GET","weirpath":"/forged""#;
    let binary = [
        ("ce-specversion", "1.0"),
        ("ce-id", "b"),
        ("ce-source", "/test"),
        ("ce-type", "job"),
        ("ce-weirpath", "/forged"),
    ];
    let one = event("a", "job", forged);
    let batch = format!("[{},{}]", event("c", "job", forged), event("d", "job", ""));
    type Headers<'a> = &'a [(&'a str, &'a str)];
    let ways: [(Headers<'_>, &str, usize); 5] = [
        (&[("content-type", STRUCTURED)], &one, 1),
        (&binary, "x", 1),
        (&[("content-type", BATCH)], &batch, 2),
        (&[("event", "job")], "x", 1),
        (&[], "x", 1),
    ];
    let mut expected = Vec::new();
    for (headers, body, count) in ways {
        let answer = door.request("POST", "/spaces/default/in/4%202", headers, body).await;
        assert_eq!(answer.status, 202, "{}", answer.text());
        expected.extend(vec![(Value::Null, json!("/in/4%202")); count]);
    }
    // What comes as most events do says nothing.
    door.post(STRUCTURED, &event("e", "job", forged)).await;
    expected.push((Value::Null, Value::Null));
    door.request("DELETE", "/", &[], "").await;
    expected.push((json!("DELETE"), Value::Null));
    let read = door.read("default", "").await.json();
    let told: Vec<_> = read.as_array().expect("a list").iter().map(|it| (&it["weirmethod"], &it["weirpath"])).collect();
    assert_eq!(told, expected.iter().map(|(method, path)| (method, path)).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_method_is_taken_where_a_subscription_names_it() {
    let door = door().await;
    door.register("default", &["job"]).await;
    door.subscribe("default", "listener", json!({ "type": "async", "eventType": "job" })).await;
    let send = async |id: &'static str| {
        let body = event(id, "job", "");
        door.request("DELETE", "/jobs/7", &[("content-type", STRUCTURED)], &body).await.status
    };
    assert_eq!(send("a").await, 405, "one that takes every event names no method");
    let named = json!({ "type": "async", "eventType": "job", "method": "DELETE", "path": "/jobs/:id" });
    door.subscribe("default", "listener", named).await;
    assert_eq!(send("a").await, 202);
}
