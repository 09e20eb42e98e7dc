//! Event types with an authorizer, in every way by which an event comes in.

use serde_json::{Value, json};

use crate::support::{BATCH, Door, STRUCTURED, door, event};

const REFUSED: &str = "the authorizer of event type \"guarded\" refused the event: not you";

/// A door with the type `guarded`, which `guard` guards.
async fn guarded() -> Door {
    let door = door().await;
    let provider = json!({ "url": "http://localhost" });
    door.create("functions", json!({ "functionId": "guard", "type": "http", "provider": provider })).await;
    door.create("eventtypes", json!({ "name": "guarded", "authorizerId": "guard" })).await;
    door.register("default", &["open"]).await;
    door
}

/// A request that brings one event of the type `guarded`: headers and body.
type Way = (Vec<(&'static str, &'static str)>, String);

/// An event in each mode, all with an extension of their own.
fn ways() -> Vec<Way> {
    let old = json!({
        "eventType": "guarded",
        "cloudEventsVersion": "0.1",
        "source": "https://example.com",
        "eventID": "1",
        "extensions": { "own": "7", "eventgateway": { "authorization": { "principalId": "root" }, "a": "b" } },
    });
    let forged = r#"{"authorization":{"principalId":"root"},"a":"b"}"#;
    let new = event("1", "guarded", &format!(r#","own":"7","eventgateway":{}"#, json!(forged)));
    vec![
        (vec![("content-type", STRUCTURED)], new.clone()),
        (vec![("content-type", BATCH)], format!("[{new}]")),
        (
            vec![
                ("ce-specversion", "1.0"),
                ("ce-id", "1"),
                ("ce-source", "/test"),
                ("ce-type", "guarded"),
                ("ce-own", "7"),
                // Quotes are escaped in headers (HTTP binding, section 3.1.3.2).
                ("ce-eventgateway", "{%22authorization%22:{%22principalId%22:%22root%22},%22a%22:%22b%22}"),
            ],
            "data".to_owned(),
        ),
        (vec![("content-type", STRUCTURED)], old.to_string()),
        (vec![("content-type", "application/json"), ("event", "guarded")], old.to_string()),
    ]
}

/// The mark of the only event that is kept.
async fn only_mark(door: &Door) -> (Value, Value) {
    let kept = door.read("default", "").await.json();
    assert_eq!(kept.as_array().map(Vec::len), Some(1), "{kept}");
    let mark = serde_json::from_str(kept[0]["eventgateway"].as_str().expect("text")).expect("JSON");
    (mark, kept[0]["own"].clone())
}

#[tokio::test]
async fn every_mode_is_guarded_and_keeps_its_extensions() {
    for (headers, body) in ways() {
        let door = guarded().await;
        let send = async |name: &'static str| {
            let mut headers = headers.clone();
            headers.push(("authorization", name));
            door.request("POST", "/", &headers, &body).await
        };
        let in_batch =
            if headers.contains(&("content-type", BATCH)) { "event 0 of the batch, counted from 0: " } else { "" };
        send("eve").await.check_refused(403, &format!("{in_batch}{REFUSED}"));
        let failed = format!(
            "{in_batch}the authorizer of event type \"guarded\" failed, and without its yes no event enters: tell who \
             runs the server"
        );
        door.request("POST", "/", &headers, &body).await.check_refused(403, &failed);
        let busy = send("busy").await;
        assert_eq!((busy.status, busy.header("retry-after")), (503, Some("1")), "{busy:?}");
        assert_eq!(door.read("default", "").await.json(), json!([]));

        let answer = send("ada").await;
        assert_eq!(answer.status, 202, "{headers:?} {}", answer.text());
        let mark = json!({ "a": "b", "authorization": { "principalId": "ada" } });
        assert_eq!(only_mark(&door).await, (mark, json!("7")), "{headers:?}");
    }
}

#[tokio::test]
async fn a_wrapped_event_keeps_how_it_was_wrapped() {
    let door = guarded().await;
    let send = async |name| door.request("POST", "/", &[("event", "guarded"), ("authorization", name)], "hello").await;
    send("eve").await.check_refused(403, REFUSED);
    assert_eq!(send("ada").await.status, 202);
    let mark = json!({
        "transformed": "true",
        "transformation-version": "0.1",
        "authorization": { "principalId": "ada" },
    });
    assert_eq!(only_mark(&door).await, (mark, Value::Null));
}

#[tokio::test]
async fn one_refused_event_refuses_its_batch() {
    let door = guarded().await;
    let batch = format!("[{},{},{}]", event("1", "open", ""), event("2", "guarded", ""), event("3", "guarded", ""));
    let send =
        async |name| door.request("POST", "/", &[("content-type", BATCH), ("authorization", name)], &batch).await;
    send("eve").await.check_refused(403, &format!("event 1 of the batch, counted from 0: {REFUSED}"));
    assert_eq!(door.read("default", "").await.json(), json!([]));
    assert_eq!(send("ada").await.status, 202);
    let kept = door.read("default", "").await.json();
    let marks: Vec<_> = kept.as_array().expect("a list").iter().map(|each| each["eventgateway"].is_string()).collect();
    assert_eq!(marks, [false, true, true]);
}

#[tokio::test]
async fn plain_requests_are_guarded_on_routes_and_for_those_who_listen() {
    let door = guarded().await;
    door.create("eventtypes", json!({ "name": "http.request", "authorizerId": "guard" })).await;
    let route = json!({ "type": "sync", "eventType": "http.request", "method": "GET", "path": "/who/:id" });
    door.subscribe("default", "marks", route).await;
    door.subscribe("default", "listener", json!({ "type": "async", "eventType": "http.request" })).await;
    let send = async |method: &'static str, path: &'static str, name| {
        door.request(method, path, &[("authorization", name)], "").await
    };
    let refused = "the authorizer of event type \"http.request\" refused the event: not you";
    send("GET", "/who/1", "eve").await.check_refused(403, refused);
    send("POST", "/hook", "eve").await.check_refused(403, refused);
    assert_eq!(door.read("default", "").await.json(), json!([]));
    let answer = send("GET", "/who/1", "ada").await;
    assert_eq!((answer.status, answer.text()), (200, r#"{"authorization":{"principalId":"ada"}}"#));
    assert_eq!(send("POST", "/hook", "ada").await.status, 202);
    let kept = door.read("default", "").await.json();
    let marks: Vec<_> = kept.as_array().expect("a list").iter().map(|each| each["eventgateway"].clone()).collect();
    assert_eq!(marks, [answer.text(), answer.text()].map(|text| json!(text)));
}

#[tokio::test]
async fn a_routed_event_is_guarded_before_its_function_is_called() {
    let door = guarded().await;
    let route = json!({ "type": "sync", "eventType": "guarded", "method": "POST", "path": "/" });
    door.subscribe("default", "marks", route).await;
    for (headers, body) in ways().into_iter().filter(|(headers, _)| !headers.contains(&("content-type", BATCH))) {
        let send = async |name: &'static str| {
            let mut headers = headers.clone();
            headers.push(("authorization", name));
            door.request("POST", "/", &headers, &body).await
        };
        send("eve").await.check_refused(403, REFUSED);
        let answer = send("ada").await;
        let mark = r#"{"a":"b","authorization":{"principalId":"ada"}}"#;
        assert_eq!((answer.status, answer.text()), (200, mark), "{headers:?}");
    }
}

#[tokio::test]
async fn a_mark_that_cannot_be_kept_is_refused() {
    let door = guarded().await;
    let problem = "attribute \"eventgateway\" must be the text of a JSON object, for the platform keeps there who was \
                   authorized: leave it out";
    let headers = [("content-type", STRUCTURED), ("authorization", "ada")];
    let check = async |event_type: &str, mark: Value, status: u16| {
        let body = event("1", event_type, &format!(r#","eventgateway":{mark}"#));
        let answer = door.request("POST", "/", &headers, &body).await;
        if status == 400 {
            answer.check_refused(400, problem);
        }
        assert_eq!(answer.status, status, "{mark}");
    };
    check("guarded", json!("text"), 400).await;
    check("guarded", json!(7), 400).await;
    check("open", json!(r#"["authorization"]"#), 400).await;
    check("open", json!("text"), 202).await;
}
