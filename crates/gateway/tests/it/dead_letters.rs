//! Dead letters at the door: listed, shown, patched, redriven and discarded.

use serde_json::{Value, json};
use weir_gateway::{AuthOptions, OperatorToken, Options};

use crate::support::{Answer, Door, STRUCTURED, door, event, gateway, memory};

const ALL: &str = "/v1/spaces/default/deadletters";
const OPERATOR: &str = "operator-0123456789abcdef0123456789abcdef";

/// A door whose function fails with each order.
async fn failing() -> Door {
    let door = door().await;
    door.register("default", &["order", "other"]).await;
    for event_type in ["order", "other"] {
        let retry = json!({ "attemptsMax": 1 });
        door.subscribe("default", "fails", json!({ "type": "async", "eventType": event_type, "retry": retry })).await;
    }
    door
}

async fn order(door: &Door, id: &str, event_type: &str) {
    let members = r#","subject":"k","data":{"price":-1,"id":12345678901234567890123}"#;
    assert_eq!(door.post(STRUCTURED, &event(id, event_type, members)).await.status, 202);
}

/// Waits for the first dead letter from a position on, and returns where it stands.
async fn given_up(door: &Door, from: u64) -> u64 {
    let read = door.read("default", &format!("type=weir.delivery.failed&from={from}&wait=20")).await;
    let first = read.json()[0]["weirposition"].as_str().map(str::to_owned);
    first.and_then(|text| text.parse().ok()).unwrap_or_else(|| panic!("no dead letter: {}", read.text()))
}

async fn list(door: &Door, query: &str) -> Vec<Value> {
    let answer = door.configure("GET", &format!("{ALL}?{query}"), "").await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.json()["deadLetters"].as_array().expect("a list").clone()
}

async fn patch(door: &Door, position: u64, media_type: &str, body: &str) -> Answer {
    door.configure_with("PATCH", &format!("{ALL}/{position}"), &[("content-type", media_type)], body).await
}

#[tokio::test]
async fn a_letter_is_looked_at_patched_redriven_and_what_comes_of_it_discarded() {
    let door = failing().await;
    order(&door, "1", "order").await;
    let position = given_up(&door, 1).await;
    let one = format!("{ALL}/{position}");
    let listed = list(&door, "").await;
    assert_eq!(listed.len(), 1);
    assert_eq!((&listed[0]["position"], &listed[0]["state"]), (&json!(position), &json!("open")));
    assert_eq!((&listed[0]["key"], &listed[0]["attempts"]), (&json!("k"), &json!(1)));
    assert!(listed[0].get("original").is_none() && listed[0].get("history").is_none(), "{listed:?}");
    let shown = door.configure("GET", &one, "").await;
    assert!(shown.text().contains("12345678901234567890123"), "numbers stay as they are: {}", shown.text());
    let shown = shown.json();
    assert_eq!((&shown["original"]["id"], &shown["functionId"]), (&json!("1"), &json!("fails")));
    assert_eq!(shown["history"].as_array().map(Vec::len), Some(1));

    let refused = patch(&door, position, "application/merge-patch+json", r#"{"subject":"l"}"#).await;
    refused.check_refused(400, "the patched event has the key \"l\", and must keep the key \"k\"");
    assert_eq!(patch(&door, position, "text/plain", "{}").await.status, 415);
    let patched = patch(&door, position, "application/merge-patch+json", r#"{"data":{"price":3}}"#).await;
    assert_eq!((patched.status, &patched.json()["patch"]), (200, &json!(1)), "{}", patched.text());
    let shown = door.configure("GET", &one, "").await;
    assert!(shown.text().contains(r#""data":{"id":12345678901234567890123,"price":3}"#), "{}", shown.text());
    assert_eq!(shown.json()["patchedAt"], json!(patched.position()));

    let redriven = door.configure("POST", &format!("{one}/redrive"), "").await;
    assert_eq!((redriven.status, redriven.header("weir-duplicate")), (202, None), "{}", redriven.text());
    let again = door.configure("POST", &format!("{one}/redrive"), "{}").await;
    assert_eq!((again.status, again.header("weir-duplicate")), (202, Some("true")));
    assert_eq!((again.position(), again.json()), (redriven.position(), redriven.json()));
    let late = door.configure("POST", &format!("{one}/discard"), "").await;
    let message =
        format!("the dead letter at position {position} was redriven already, at position {}", redriven.position());
    late.check_refused(409, &message);

    // It fails again, in the form that it was given.
    let second = given_up(&door, redriven.position()).await;
    let shown = door.configure("GET", &format!("{ALL}/{second}"), "").await.json();
    assert_eq!((&shown["redriven"], &shown["original"]["data"]["price"]), (&json!(redriven.position()), &json!(3)));
    let nothing = door.configure("POST", &format!("{ALL}/discard"), "{}").await;
    assert_eq!(nothing.status, 400, "{}", nothing.text());
    let all = door.configure("POST", &format!("{ALL}/discard"), r#"{"all":true,"reason":"it is lost"}"#).await;
    assert_eq!((all.status, &all.json()["count"], all.header("weir-position").is_some()), (200, &json!(1), true));
    assert!(list(&door, "").await.is_empty());
    let states: Vec<_> = list(&door, "state=all").await.iter().map(|it| it["state"].clone()).collect();
    assert_eq!(states, [json!("redriven"), json!("discarded")]);
    let read = door.read("default", "type=weir.deadletter.discarded").await.json();
    assert_eq!((&read[0]["data"]["reason"], &read[0]["weirkey"]), (&json!("it is lost"), &json!("k")));
}

#[tokio::test]
async fn letters_are_selected_and_come_in_pages() {
    let door = failing().await;
    let mut from = 1;
    for (id, event_type) in [("1", "order"), ("2", "other"), ("3", "order")] {
        order(&door, id, event_type).await;
        from = given_up(&door, from).await + 1;
    }
    let ids = |letters: &[Value]| -> Vec<Value> { letters.iter().map(|it| it["event"]["id"].clone()).collect() };
    assert_eq!(ids(&list(&door, "type=order").await), ["1", "3"]);
    assert_eq!(ids(&list(&door, "key=k&limit=2").await), ["1", "2"]);
    assert!(list(&door, "key=l").await.is_empty());
    let first = door.configure("GET", &format!("{ALL}?type=order&limit=1"), "").await;
    let link = first.header("link").expect("there is more").to_owned();
    let next = link.strip_prefix('<').and_then(|rest| rest.split_once('>')).expect("a link").0;
    let second = door.configure("GET", next, "").await;
    assert_eq!(ids(second.json()["deadLetters"].as_array().expect("a list")), ["3"]);
    assert_eq!(second.header("link"), None);

    let body = json!({ "type": "order" }).to_string();
    let redriven = door.configure("POST", &format!("{ALL}/redrive"), &body).await;
    assert_eq!(
        (redriven.status, redriven.json()),
        (202, json!({ "state": "redriven", "count": 2, "left": 0, "reasons": [] }))
    );
    for nowhere in [format!("{ALL}/1"), format!("{ALL}/x"), "/v1/spaces/shop/deadletters/1".to_owned()] {
        assert_eq!(door.configure("GET", &nowhere, "").await.status, 404, "{nowhere}");
    }
    assert_eq!(door.configure("GET", &format!("{ALL}?stat=open"), "").await.status, 400);
}

#[tokio::test]
async fn who_reads_letters_needs_the_right_to_read_their_events() {
    let auth = AuthOptions { operator: OperatorToken::new(OPERATOR), jwt: None };
    let door = gateway(memory(), Options { auth: Some(auth), ..Options::default() }, |log| log).await;
    let bearer = format!("Bearer {OPERATOR}");
    let ask = async |token: &str, method: &str, path: &str, body: Value| {
        let body = if body.is_null() { String::new() } else { body.to_string() };
        door.configure_with(method, path, &[("authorization", token)], &body).await
    };
    let make = async |collection: &str, body: Value| {
        let answer = ask(&bearer, "POST", &format!("/v1/spaces/default/{collection}"), body).await;
        assert_eq!(answer.status, 201, "{}", answer.text());
    };
    make("eventtypes", json!({ "name": "order" })).await;
    let provider = json!({ "url": "http://localhost" });
    make("functions", json!({ "functionId": "fails", "type": "http", "provider": provider })).await;
    let retry = json!({ "attemptsMax": 1 });
    make("subscriptions", json!({ "type": "async", "eventType": "order", "functionId": "fails", "retry": retry }))
        .await;
    let headers = [("content-type", STRUCTURED), ("authorization", &*bearer)];
    assert_eq!(door.request("POST", "/", &headers, &event("1", "order", "")).await.status, 202);
    let failed = "/v1/spaces/default/events?type=weir.delivery.failed&wait=20";
    let read = ask(&bearer, "GET", failed, Value::Null).await.json();
    let one = format!("{ALL}/{}", read[0]["weirposition"].as_str().expect("a position"));

    let token = async |scope: &str| {
        let made = ask(&bearer, "POST", "/v1/tokens", json!({ "scopes": [scope] })).await.json();
        format!("Bearer {}", made["token"].as_str().expect("a token"))
    };
    let count = |answer: &Answer| answer.json()["deadLetters"].as_array().map(Vec::len);
    let orders = token("read@default/order").await;
    assert_eq!(count(&ask(&orders, "GET", ALL, Value::Null).await), Some(1));
    assert_eq!(ask(&orders, "GET", &one, Value::Null).await.status, 200);
    assert_eq!(ask(&orders, "POST", &format!("{one}/redrive"), Value::Null).await.status, 403);
    let others = token("read@default/other").await;
    assert_eq!(count(&ask(&others, "GET", ALL, Value::Null).await), Some(0));
    assert_eq!(ask(&others, "GET", &one, Value::Null).await.status, 403);
    assert_eq!(ask(&others, "GET", &format!("{ALL}?type=order"), Value::Null).await.status, 403);
    let writer = token("config:write@default").await;
    assert_eq!(ask(&writer, "GET", ALL, Value::Null).await.status, 403);
    assert_eq!(ask(&writer, "POST", &format!("{one}/discard"), Value::Null).await.status, 200);
}
