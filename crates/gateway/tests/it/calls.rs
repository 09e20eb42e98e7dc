//! Requests that a function answers, and plain requests that nobody takes.

use serde_json::{Value, json};

use crate::support::{STRUCTURED, door, event};

fn route(method: &str, path: &str) -> Value {
    json!({ "type": "sync", "eventType": "http.request", "method": method, "path": path })
}

#[tokio::test]
async fn a_route_answers_with_its_function() {
    let door = door().await;
    door.subscribe("default", "echo", route("GET", "/users/:id")).await;
    let answer = door.request("GET", "/users/4%202?x=1", &[("host", "example.com"), ("x-key", "k")], "").await;
    assert_eq!((answer.status, answer.header("x-event-type")), (201, Some("http.request")));
    let expected = json!({
        "headers": { "X-Key": "k" },
        "query": { "x": ["1"] },
        "body": "",
        "host": "example.com",
        "path": "/users/4 2",
        "method": "GET",
        "params": { "id": "4 2" },
    });
    assert_eq!(answer.json(), expected);
    // Nothing is recorded where nobody listens from the log.
    assert_eq!(door.read("default", "").await.json(), json!([]));

    let head = door.request("HEAD", "/users/7", &[], "").await;
    assert_eq!((head.status, head.text()), (201, ""));
    assert!(head.header("content-length").is_some_and(|length| length != "0"), "{head:?}");
}

#[tokio::test]
async fn the_function_of_a_route_is_told_when_the_event_was_recorded() {
    let door = door().await;
    door.register("default", &["order.placed"]).await;
    door.subscribe("default", "recorded", route("POST", "/")).await;
    let sync = json!({ "type": "sync", "eventType": "order.placed" });
    door.subscribe("default", "recorded", sync).await;
    let body = event("1", "order.placed", r#","recordedtime":"2001-01-01T00:00:00Z""#);
    let first = door.post(STRUCTURED, &body).await;
    assert_eq!(first.status, 200, "{}", first.text());
    let read = door.read("default", "").await.json();
    assert_eq!(read[0]["recordedtime"], json!(first.text()));
    // An event that is repeated was recorded when it came first.
    assert_eq!(door.post(STRUCTURED, &body).await.text(), first.text());
    assert_eq!(door.post("text/plain", "a request that is recorded nowhere").await.text(), "never");
}

#[tokio::test]
async fn what_nobody_is_subscribed_to_is_not_found() {
    let door = door().await;
    door.subscribe("default", "echo", route("GET", "/users/:id")).await;
    let answer = door.request("GET", "/orders", &[], "").await;
    let message =
        "nothing in space \"default\" is subscribed to GET /orders: make a subscription, or send a CloudEvent";
    answer.check_refused(404, message);
    let answer = door.request("DELETE", "/users/7", &[], "").await;
    let message = "/users/7 is not subscribed to with DELETE: use one of the methods of the header Allow";
    answer.check_refused(405, message);
    assert_eq!(answer.header("allow"), Some("GET, HEAD"));
    let answer = door.request("PROPFIND", "/", &[], "").await;
    assert_eq!(answer.status, 404);
    let answer = door.request("HEAD", "/orders", &[], "").await;
    assert_eq!((answer.status, answer.text(), answer.header("content-type")), (404, "", Some("application/json")));
}

#[tokio::test]
async fn an_event_that_says_it_is_mere_json_is_told_how_to_be_sent() {
    let door = door().await;
    let one = event("1", "order.placed", "");
    let check = async |media_type: &str, body: &str, cure: &str| {
        let message = format!("nothing in space \"default\" is subscribed to POST /: {cure}");
        door.post(media_type, body).await.check_refused(404, &message);
    };
    let single = "the body looks like a CloudEvent: send it as application/cloudevents+json";
    check("application/json", &one, single).await;
    check("Application/JSON; charset=utf-8", &one, single).await;
    let batch = "the body looks like a CloudEvent: send it as application/cloudevents-batch+json";
    check("application/json", &format!("[{one}]"), batch).await;
    let other = "make a subscription, or send a CloudEvent";
    let large = format!("{one}{}", " ".repeat(16 * 1024));
    for body in ["", "{", "[]", "\"specversion\"", r#"{"id":"1"}"#, large.as_str()] {
        check("application/json", body, other).await;
    }
    check("text/plain", &one, other).await;
}

#[tokio::test]
async fn options_tells_the_methods_of_a_path() {
    let door = door().await;
    door.subscribe("default", "echo", route("GET", "/users/:id")).await;
    door.subscribe("default", "echo", route("PUT", "/users/:id")).await;
    let answer = door.request("OPTIONS", "/users/7", &[], "").await;
    assert_eq!((answer.status, answer.text()), (204, ""));
    assert_eq!(answer.header("allow"), Some("GET, PUT, HEAD, OPTIONS"));
    assert_eq!(door.request("OPTIONS", "/orders", &[], "").await.status, 404);
    let answer = door.request("OPTIONS", "*", &[], "").await;
    assert_eq!(answer.header("allow"), Some("GET, POST, DELETE, PUT, PATCH, HEAD, OPTIONS"));
    // A function may answer it itself.
    door.subscribe("default", "echo", route("OPTIONS", "/users/:id")).await;
    assert_eq!(door.request("OPTIONS", "/users/7", &[], "").await.status, 201);
}

#[tokio::test]
async fn routes_are_found_by_what_they_mean() {
    let door = door().await;
    door.subscribe("default", "echo", route("GET", "/k\u{e4}se/:id")).await;
    for path in ["/k%C3%A4se/7", "/k%c3%a4se/7", "/spaces/default/k%C3%A4se/7"] {
        let answer = door.request("GET", path, &[], "").await;
        assert_eq!((answer.status, answer.json()["params"].clone()), (201, json!({ "id": "7" })), "{path}");
    }
    door.subscribe("default", "echo", route("GET", "//")).await;
    assert_eq!(door.request("GET", "//", &[], "").await.status, 201);
    let hidden = json!({
        "type": "sync", "eventType": "http.request", "functionId": "echo", "method": "GET", "path": "/spaces/:id",
    });
    let answer = door.configure("POST", "/v1/spaces/default/subscriptions", &hidden.to_string()).await;
    assert_eq!(answer.status, 400);
    let cure = "begin the path otherwise: in a request, what follows /spaces/ is the name of a space";
    assert_eq!(answer.json()["errors"][0]["cure"], json!(cure));
}

#[tokio::test]
async fn a_request_is_named_by_its_caller_or_where_it_is_of_use() {
    let door = door().await;
    door.register("default", &["a"]).await;
    door.subscribe("default", "echo", route("GET", "/echo")).await;
    let id = "x-request-id";
    let given = [("content-type", STRUCTURED), (id, "mine-7")];
    let answer = door.request("POST", "/", &given, &event("1", "a", "")).await;
    assert_eq!((answer.status, answer.header(id)), (202, Some("mine-7")));
    // A receipt needs none; a call and an error have one.
    assert_eq!(door.post(STRUCTURED, &event("2", "a", "")).await.header(id), None);
    let call = door.request("GET", "/echo", &[(id, "not sane")], "").await;
    let refused = door.request("GET", "/nothing", &[], "").await;
    let made = [call.header(id).expect("a call is named"), refused.header(id).expect("an error is named")];
    assert!(made[0] != made[1] && made.iter().all(|made| made.starts_with("id-")), "{made:?}");
    let named = door.request("GET", "/nothing", &[(id, "mine-8")], "").await;
    assert_eq!((named.status, named.header(id)), (404, Some("mine-8")));
}

#[tokio::test]
async fn failed_calls_speak_as_the_event_gateway_did() {
    let door = door().await;
    door.subscribe("default", "fails", route("POST", "/fails")).await;
    door.subscribe("default", "malformed", route("POST", "/malformed")).await;
    let answer = door.request("POST", "/fails", &[], "").await;
    answer.check_refused(500, "Function call failed. Please check logs.");
    let answer = door.request("POST", "/malformed", &[], "").await;
    answer.check_refused(500, "HTTP response object malformed");
}

#[tokio::test]
async fn a_cloudevent_finds_the_route_of_its_type() {
    let door = door().await;
    door.register("default", &["order.placed", "other"]).await;
    let subscription = json!({ "type": "sync", "eventType": "order.placed", "method": "DELETE", "path": "/orders" });
    door.subscribe("default", "echo", subscription).await;
    let headers = [("content-type", STRUCTURED)];
    let body = event("1", "order.placed", r#","data":{"n":1}"#);
    let answer = door.request("DELETE", "/orders", &headers, &body).await;
    assert_eq!((answer.status, answer.json()), (201, json!({ "n": 1 })));
    // It was recorded before the call.
    let read = door.read("default", "").await.json();
    assert_eq!(read.as_array().map(Vec::len), Some(1));

    let answer = door.request("DELETE", "/orders", &headers, &event("2", "other", "")).await;
    assert_eq!((answer.status, answer.header("allow")), (405, Some("POST, PUT, PATCH")));
    let answer = door.request("POST", "/orders", &headers, &event("3", "order.placed", "")).await;
    assert_eq!(answer.status, 202);
}

#[tokio::test]
async fn plain_requests_are_kept_for_who_listens_from_the_log() {
    let door = door().await;
    door.subscribe("default", "listener", json!({ "type": "async", "eventType": "http.request" })).await;
    let answer = door.request("POST", "/hooks/a", &[("content-type", "text/plain")], "hello").await;
    assert_eq!((answer.status, answer.text()), (202, ""));
    let read = door.read("default", "").await.json();
    assert_eq!(read[0]["weirposition"], json!(answer.position().to_string()));
    let (source, content_type) = (&read[0]["source"], &read[0]["datacontenttype"]);
    assert_eq!((source, content_type), (&json!("/weir/gateway"), &json!("application/json")));
    assert_eq!((&read[0]["data"]["body"], &read[0]["data"]["params"]), (&json!("hello"), &Value::Null));
    assert!(read[0]["time"].is_string() && read[0]["id"].is_string());

    // A success would open a tunnel.
    assert_eq!(door.request("CONNECT", "example.com:443", &[], "").await.status, 404);
    // With a route beside, the request is recorded and then answered.
    door.subscribe("default", "echo", route("GET", "/hooks/a")).await;
    assert_eq!(door.request("GET", "/hooks/a", &[], "").await.status, 201);
    assert_eq!(door.read("default", "").await.json().as_array().map(Vec::len), Some(2));
}
