//! What is told and done as in the Event Gateway.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Value, json};
use weir_gateway::{Compatibility, Options};

use crate::support::{BATCH, BOUND, Door, STRUCTURED, door, event, gateway, memory};

/// Waits for as many events of a type and returns them.
async fn told(door: &Door, event_type: &str, count: usize) -> Vec<Value> {
    let reading = async {
        loop {
            let found = door.read("default", &format!("type={event_type}&wait=1")).await.json();
            let found = found.as_array().cloned().unwrap_or_default();
            if found.len() >= count {
                return found;
            }
        }
    };
    tokio::time::timeout(BOUND, reading).await.unwrap_or_else(|_| panic!("{count} events {event_type} did not come"))
}

#[tokio::test]
async fn received_is_told_beside_its_event_where_somebody_listens() {
    let door = door().await;
    door.register("default", &["job"]).await;
    let received = "eventgateway.event.received";
    door.post(STRUCTURED, &event("before", "job", "")).await;
    door.subscribe("default", "listener", json!({ "type": "async", "eventType": received })).await;
    let headers = [("content-type", STRUCTURED), ("x-tag", "a"), ("x-tag", "b")];
    let answer = door.request("POST", "/in/4%202", &headers, &event("one", "job", r#","data":7"#)).await;
    let first = answer.position();
    let batch = format!("[{},{}]", event("two", "job", ""), event("three", "job", ""));
    let positions = door.post(BATCH, &batch).await.header("weir-position").map(str::to_owned);
    // A repetition is told no second time.
    assert_eq!(door.post(STRUCTURED, &event("one", "job", "")).await.position(), first);
    assert_eq!(positions, Some(format!("{}, {}", first + 2, first + 3)), "the receipt is about the events alone");

    let all = told(&door, received, 3).await;
    assert_eq!(all.iter().map(|it| &it["data"]["event"]["id"]).collect::<Vec<_>>(), ["one", "two", "three"]);
    let data = &all[0]["data"];
    assert_eq!(
        (&data["path"], &data["event"]["data"], &data["headers"]["X-Tag"]),
        (&json!("/in/4%202"), &json!(7), &json!("a, b"))
    );
    assert_eq!((&all[0]["causationid"], &all[0]["weirhops"]), (&json!("one"), &json!(1)));

    door.post(STRUCTURED, &event("mine", received, "")).await.check_refused(
        400,
        "attribute \"type\" is \"eventgateway.event.received\", which only the platform may emit: \
         choose a name without this prefix",
    );
}

#[tokio::test]
async fn calls_on_routes_are_told_with_what_the_function_gave() {
    let door = door().await;
    for which in ["invoking", "invoked", "invocationFailed"] {
        let event_type = format!("eventgateway.function.{which}");
        door.subscribe("default", "listener", json!({ "type": "async", "eventType": event_type })).await;
    }
    let route = |path: &str| json!({ "type": "sync", "eventType": "http.request", "path": path });
    door.subscribe("default", "echo", route("/echo")).await;
    door.subscribe("default", "fails", route("/fails")).await;
    assert_eq!(door.request("POST", "/echo", &[], "x").await.status, 201);
    assert_eq!(door.request("POST", "/fails", &[], "x").await.status, 500);

    let invoking = told(&door, "eventgateway.function.invoking", 2).await;
    let data = &invoking[0]["data"];
    assert_eq!(
        (&data["space"], &data["functionId"], &data["event"]["type"]),
        (&json!("default"), &json!("echo"), &json!("http.request"))
    );
    let invoked = told(&door, "eventgateway.function.invoked", 1).await;
    let result = STANDARD.decode(invoked[0]["data"]["result"].as_str().expect("text")).expect("base64");
    let result: Value = serde_json::from_slice(&result).expect("JSON");
    assert_eq!((&result["statusCode"], &result["headers"]["x-event-type"]), (&json!(201), &json!("http.request")));
    assert!(result["body"].as_str().is_some_and(|body| body.contains("\"path\":\"/echo\"")), "{result}");
    let failed = told(&door, "eventgateway.function.invocationFailed", 1).await;
    assert_eq!(failed[0]["data"]["functionId"], "fails");
    assert!(failed[0]["data"]["error"].as_str().is_some_and(|error| error.contains("it threw")), "{failed:?}");
}

#[tokio::test]
async fn nobody_is_turned_away_where_that_is_asked_for() {
    let options = Options { compatibility: Compatibility::EVENT_GATEWAY, ..Options::default() };
    let door = gateway(memory(), options, |log| log).await;
    door.register("default", &["job"]).await;
    for (method, path) in [("GET", "/nobody"), ("DELETE", "/"), ("POST", "/a/b")] {
        let answer = door.request(method, path, &[], "x").await;
        assert_eq!((answer.status, answer.text()), (202, ""), "{method} {path}");
    }
    assert_eq!(door.request("CONNECT", "example.com:443", &[], "").await.status, 404);
    let headers = [("content-type", STRUCTURED)];
    assert_eq!(door.request("DELETE", "/", &headers, &event("one", "job", "")).await.status, 202);
    let custom = [("event", "job"), ("content-type", "application/json; charset=utf-8")];
    assert_eq!(door.request("POST", "/", &custom, r#"{"a":1}"#).await.status, 202);
    let kept = told(&door, "job", 2).await;
    assert_eq!((&kept[0]["id"], &kept[1]["data_base64"]), (&json!("one"), &json!("eyJhIjoxfQ==")));
}
