//! Why an event did or did not reach somebody, as clients are told.

use serde_json::{Value, json};
use weir_gateway::{AuthOptions, OperatorToken, Options};

use crate::support::{Answer, Door, STRUCTURED, door, event, gateway, memory};

const OPERATOR: &str = "operator-0123456789abcdef0123456789abcdef";

async fn explain(door: &Door, rest: &str) -> Answer {
    door.configure("GET", &format!("/v1/spaces/default/events/{rest}"), "").await
}

/// Checks that an answer is about this event.
fn check_about(answer: &Answer, id: &str) -> Value {
    assert_eq!((answer.status, answer.header("content-type")), (200, Some("application/json")), "{}", answer.text());
    let told = answer.json();
    assert_eq!(told["event"]["id"], id, "{told}");
    told
}

#[tokio::test]
async fn an_event_is_named_by_id_source_or_position() {
    let door = door().await;
    door.register("default", &["a"]).await;
    let filter = json!({ "prefix": { "subject": "eu/" } });
    door.subscribe("default", "notice", json!({ "type": "async", "eventType": "a", "filter": filter })).await;
    door.subscribe("default", "other", json!({ "type": "sync", "eventType": "http.request", "path": "/x" })).await;
    let emitted = door.post(STRUCTURED, &event("a/1", "a", r#","subject":"us/7""#)).await;
    let position = emitted.position();

    let told = check_about(&explain(&door, "a%2F1/explain").await, "a/1");
    assert_eq!(told["event"]["position"], position);
    assert_eq!((&told["eventType"]["standing"], &told["event"]["key"]), (&json!("registered"), &json!("us/7")));
    assert_eq!((told.get("route"), &told["otherSubscriptions"]), (None, &json!(0)));
    let delivery = &told["deliveries"][0];
    let text = r#"not delivered to notice: filter /prefix/subject wanted "eu/", the event has "us/7""#;
    assert_eq!((&delivery["state"], &delivery["answer"]), (&json!("not-matched"), &json!(text)), "{told}");
    assert_eq!((&delivery["reason"], &delivery["filter"]), (&json!("filter"), &filter));
    assert_eq!(delivery["terms"][0]["found"], "us/7");

    check_about(&explain(&door, &format!("@{position}/explain")).await, "a/1");
    check_about(&explain(&door, "a%2F1/explain?source=%2Ftest&subscription=notice").await, "a/1");
    explain(&door, "@1/explain").await.check_refused(404, "the space has no event at position 1");
    let text = "none of the newest 1 events of the space has the id \"b\": name its source as well, or its position";
    explain(&door, "b/explain").await.check_refused(404, text);
    let text = "the space has no event with the id \"a/1\" and the source \"/else\"";
    explain(&door, "a%2F1/explain?source=%2Felse").await.check_refused(404, text);
    let text = "the space has no subscription \"nobody\", and never had one: list what there is";
    explain(&door, "a%2F1/explain?subscription=nobody").await.check_refused(404, text);
}

#[tokio::test]
async fn a_call_on_a_route_says_which_one_it_took() {
    let door = door().await;
    door.register("default", &["a"]).await;
    let route = json!({ "type": "sync", "eventType": "a", "method": "PUT", "path": "/orders/:id" });
    door.subscribe("default", "echo", route).await;
    let headers = [("content-type", STRUCTURED)];
    let answer = door.request("PUT", "/orders/7", &headers, &event("1", "a", "")).await;
    assert_eq!(answer.status, 201, "{}", answer.text());
    let told = check_about(&explain(&door, "1/explain").await, "1");
    let route = &told["route"];
    assert_eq!((&route["method"], &route["path"]), (&json!("PUT"), &json!("/orders/7")), "{told}");
    assert_eq!(route["functionId"], "echo");
}

#[tokio::test]
async fn what_may_not_be_read_is_not_there() {
    let auth = AuthOptions { operator: OperatorToken::new(OPERATOR), jwt: None };
    let door = gateway(memory(), Options { auth: Some(auth), ..Options::default() }, |log| log).await;
    let operator = format!("Bearer {OPERATOR}");
    let ask = async |method: &str, path: &str, token: &str, body: &str| {
        door.configure_with(method, path, &[("authorization", token)], body).await
    };
    for name in ["a", "b"] {
        let body = json!({ "name": name }).to_string();
        assert_eq!(ask("POST", "/v1/spaces/default/eventtypes", &operator, &body).await.status, 201);
    }
    let headers = [("content-type", STRUCTURED), ("authorization", operator.as_str())];
    for (id, event_type) in [("1", "a"), ("2", "b")] {
        assert_eq!(door.request("POST", "/", &headers, &event(id, event_type, "")).await.status, 202);
    }
    let made = ask("POST", "/v1/tokens", &operator, &json!({ "scopes": ["read@default/a"] }).to_string()).await.json();
    let reader = format!("Bearer {}", made["token"].as_str().expect("a token"));
    let path = |id: &str| format!("/v1/spaces/default/events/{id}/explain");
    check_about(&ask("GET", &path("1"), &reader, "").await, "1");
    let hidden = ask("GET", &format!("{}?source=%2Ftest", path("2")), &reader, "").await;
    hidden.check_refused(404, "the space has no event with the id \"2\" and the source \"/test\"");
    check_about(&ask("GET", &path("2"), &operator, "").await, "2");
    assert_eq!(ask("GET", "/v1/spaces/elsewhere/events/1/explain", &reader, "").await.status, 403);
}
