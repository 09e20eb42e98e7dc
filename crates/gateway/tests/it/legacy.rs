//! What clients of the Event Gateway send: CloudEvents 0.1 and the header `Event`.

use serde_json::{Value, json};

use crate::support::{Door, STRUCTURED, door, event};

/// The only event of the space `default`.
async fn only(door: &Door) -> Value {
    let mut events = door.read("default", "").await.json();
    assert_eq!(events.as_array().map(Vec::len), Some(1), "{events}");
    events[0].take()
}

async fn with_types() -> Door {
    let door = door().await;
    door.register("default", &["user.created"]).await;
    door
}

#[tokio::test]
async fn events_of_0_1_are_kept_as_events_of_1_0() {
    let old = json!({
        "eventType": "user.created",
        "cloudEventsVersion": "0.1",
        "source": "https://example.com",
        "eventID": "7",
        "contentType": "application/json",
        "data": { "a": 1 },
    });
    let headers = [
        ("content-type", "application/json"),
        ("CE-EventType", "user.created"),
        ("CE-CloudEventsVersion", "0.1"),
        ("CE-Source", "https://example.com"),
        ("CE-EventID", "7"),
    ];
    let in_json = with_types().await;
    assert_eq!(in_json.post(STRUCTURED, &old.to_string()).await.status, 202);
    let in_headers = with_types().await;
    assert_eq!(in_headers.request("POST", "/", &headers, r#"{"a":1}"#).await.status, 202);
    let as_json = with_types().await;
    // The header alone does not make an event: what is one already passes as it is.
    let custom = [("content-type", "application/json"), ("event", "user.created")];
    assert_eq!(as_json.request("POST", "/", &custom, &old.to_string()).await.status, 202);
    for door in [in_json, in_headers, as_json] {
        let kept = only(&door).await;
        assert_eq!((&kept["specversion"], &kept["id"]), (&json!("1.0"), &json!("7")), "{kept}");
        assert_eq!((&kept["type"], &kept["data"]), (&json!("user.created"), &json!({ "a": 1 })), "{kept}");
    }
}

#[tokio::test]
async fn what_lacks_attributes_of_0_1_is_told_in_the_old_words() {
    let door = with_types().await;
    let missing = "CloudEvent doesn't validate: \
                   Key: 'Event.EventType' Error:Field validation for 'EventType' failed on the 'required' tag\n\
                   Key: 'Event.Source' Error:Field validation for 'Source' failed on the 'uri' tag\n\
                   Key: 'Event.EventID' Error:Field validation for 'EventID' failed on the 'required' tag";
    door.post(STRUCTURED, r#"{"cloudEventsVersion":"0.1"}"#).await.check_refused(400, missing);
    // One that lacks its version is none of 0.1 either: then 1.0 is what one should send.
    let version = "attribute \"specversion\" is required: send CloudEvents 1.0, whose value is \"1.0\"";
    door.post(STRUCTURED, r#"{"eventType":"user.created"}"#).await.check_refused(400, version);
    assert_eq!(door.read("default", "").await.json(), json!([]));
}

#[tokio::test]
async fn a_body_with_the_header_event_is_wrapped() {
    let check = async |media_type: Option<&str>, body: &str, expected: Value| {
        let door = with_types().await;
        let mut headers = vec![("event", "user.created")];
        headers.extend(media_type.map(|media_type| ("content-type", media_type)));
        let answer = door.request("POST", "/", &headers, body).await;
        assert_eq!(answer.status, 202, "{}", answer.text());
        let kept = only(&door).await;
        assert_eq!(kept["source"], "https://serverless.com/event-gateway/#transformationVersion=0.1");
        let mark: Value = serde_json::from_str(kept["eventgateway"].as_str().expect("text")).expect("JSON");
        assert_eq!(mark, json!({ "transformed": "true", "transformation-version": "0.1" }));
        assert!(kept["time"].is_string() && kept["id"].is_string(), "{kept}");
        for (name, value) in expected.as_object().expect("an object") {
            assert_eq!(kept[name], *value, "{name} of {kept}");
        }
    };
    let bytes = json!({ "datacontenttype": "application/octet-stream", "data_base64": "aGVsbG8=", "data": null });
    check(None, "hello", bytes).await;
    check(Some("application/json"), r#"{"a":1}"#, json!({ "data": { "a": 1 } })).await;
    // Better than the Event Gateway, which made base64 of these.
    check(Some("application/json; charset=utf-8"), "[1]", json!({ "data": [1] })).await;
    check(Some("text/plain"), "hello", json!({ "data": "hello" })).await;
    check(Some("application/x-www-form-urlencoded"), "a=b", json!({ "data": "a=b" })).await;
    check(Some("application/json"), "{", json!({ "data_base64": "ew==" })).await;
}

#[tokio::test]
async fn the_order_of_detection_is_that_of_the_event_gateway() {
    let door = with_types().await;
    // Structured comes before the header, and the header before a plain request.
    let headers = [("content-type", STRUCTURED), ("event", "other")];
    assert_eq!(door.request("POST", "/", &headers, &event("1", "user.created", "")).await.status, 202);
    let reserved = "attribute \"type\" is \"eventgateway.event.received\", which only the platform may emit: choose a \
                    name without this prefix";
    let headers = [("event", "eventgateway.event.received")];
    door.request("POST", "/", &headers, "x").await.check_refused(400, reserved);
    let answer = door.request("POST", "/nowhere", &[("event", "")], "x").await;
    assert_eq!(answer.status, 404, "{}", answer.text());
}
