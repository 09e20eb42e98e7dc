//! Schemas at the door: declared, refused, broken by events, and read again.

use serde_json::{Value, json};

use crate::support::{BATCH, Door, STRUCTURED, door, event};

const ORDER: &str = "/v1/spaces/default/eventtypes/order";

fn schema() -> Value {
    json!({ "type": "object", "properties": { "price": { "minimum": 0 } }, "required": ["id"] })
}

async fn declared(on_invalid: &str) -> Door {
    let door = door().await;
    door.create("eventtypes", json!({ "name": "order", "schema": schema(), "onInvalid": on_invalid })).await;
    door
}

fn order(id: &str, data: &str) -> String {
    event(id, "order", &format!(r#","data":{data}"#))
}

#[tokio::test]
async fn every_violation_is_an_entry_with_its_place() {
    let door = declared("refuse").await;
    let answer = door.post(STRUCTURED, &order("1", r#"{"price":-1}"#)).await;
    assert_eq!(answer.status, 400, "{}", answer.text());
    let mut errors = answer.json()["errors"].as_array().expect("a list").clone();
    errors.sort_by_key(|error| error["pointer"].to_string());
    let places: Vec<_> = errors.iter().map(|error| error["pointer"].clone()).collect();
    assert_eq!(places, [json!("/data"), json!("/data/price")]);
    let told = errors[1]["message"].as_str().expect("a text");
    assert!(told.starts_with("the data break the schema at /data/price: the value is less than"), "{told}");

    // A batch is refused as a whole, and each entry names the event.
    let batch = format!("[{},{}]", order("2", r#"{"id":1}"#), order("3", r#"{"price":-1}"#));
    let answer = door.post(BATCH, &batch).await;
    let errors = answer.json()["errors"].clone();
    assert_eq!((answer.status, errors.as_array().map(Vec::len)), (400, Some(2)));
    for error in errors.as_array().expect("a list") {
        assert_eq!(error["index"], json!(1));
        let told = error["message"].as_str().expect("a text");
        assert!(told.starts_with("event 1 of the batch, counted from 0: the data break the schema at /data"), "{told}");
    }
    assert_eq!(door.read("default", "").await.json(), json!([]));
    assert_eq!(door.post(STRUCTURED, &order("2", r#"{"id":1}"#)).await.status, 202);
}

#[tokio::test]
async fn quarantine_is_accepted_and_says_so() {
    let door = declared("quarantine").await;
    let first = door.post(STRUCTURED, &order("1", r#"{"price":-1}"#)).await;
    assert_eq!((first.status, first.header("weir-quarantined")), (202, Some("true")));
    let again = door.post(STRUCTURED, &order("1", r#"{"price":-1}"#)).await;
    assert_eq!((again.position(), again.header("weir-duplicate")), (first.position(), Some("true")));
    let batch = format!("[{},{}]", order("2", r#"{"id":1}"#), order("3", "7"));
    let answer = door.post(BATCH, &batch).await;
    assert_eq!((answer.status, answer.header("weir-quarantined")), (202, Some("1")));
    let good = door.post(STRUCTURED, &order("4", r#"{"id":1}"#)).await;
    assert_eq!((good.status, good.header("weir-quarantined")), (202, None));

    let read = door.read("default", "type=weir.event.quarantined").await.json();
    let kept: Vec<_> = read.as_array().expect("a batch").iter().map(|it| it["data"]["event"]["id"].clone()).collect();
    assert_eq!(kept, [json!("1"), json!("3")]);
}

#[tokio::test]
async fn schemas_are_numbered_and_can_be_read_again() {
    let door = declared("refuse").await;
    let shown = door.configure("GET", ORDER, "").await.json();
    assert_eq!(
        (&shown["schema"], &shown["schemaVersion"], &shown["onInvalid"]),
        (&schema(), &json!(1), &json!("refuse"))
    );
    let other = json!({ "schema": true }).to_string();
    let second = door.configure("PUT", ORDER, &other).await;
    assert_eq!((second.status, second.json()["schemaVersion"].clone()), (200, json!(2)));
    // The same once more, and none at all, are no new versions.
    door.configure("PUT", ORDER, &other).await;
    let none = door.configure("PUT", ORDER, "{}").await.json();
    assert_eq!(none, json!({ "space": "default", "name": "order" }));

    let listed = door.configure("GET", &format!("{ORDER}/schemas"), "").await.json();
    let numbers: Vec<_> =
        listed["schemas"].as_array().expect("a list").iter().map(|it| it["version"].clone()).collect();
    assert_eq!(numbers, [json!(1), json!(2)]);
    assert_eq!(listed["schemas"][1]["position"], json!(second.position()));
    let first = door.configure("GET", &format!("{ORDER}/schemas/1"), "").await;
    assert_eq!((first.status, first.json()["schema"].clone()), (200, schema()));
    for missing in [format!("{ORDER}/schemas/3"), format!("{ORDER}/schemas/x"), format!("{ORDER}s/schemas")] {
        assert_eq!(door.configure("GET", &missing, "").await.status, 404, "{missing}");
    }

    // A type that is made anew begins anew.
    assert_eq!(door.configure("DELETE", ORDER, "").await.status, 204);
    door.create("eventtypes", json!({ "name": "order", "schema": false })).await;
    let listed = door.configure("GET", &format!("{ORDER}/schemas"), "").await.json();
    assert_eq!((listed["schemas"].as_array().map(Vec::len), &listed["schemas"][0]["version"]), (Some(1), &json!(1)));

    // So does one whose space went in between.
    door.configure("PUT", ORDER, &other).await;
    assert_eq!(door.configure("DELETE", "/v1/spaces/default?force=true", "").await.status, 204);
    door.create("eventtypes", json!({ "name": "order", "schema": false })).await;
    let listed = door.configure("GET", &format!("{ORDER}/schemas"), "").await.json();
    assert_eq!((listed["schemas"].as_array().map(Vec::len), &listed["schemas"][0]["version"]), (Some(1), &json!(1)));
    assert_eq!(door.configure("GET", &format!("{ORDER}/schemas/2"), "").await.status, 404);
}

#[tokio::test]
async fn a_schema_that_cannot_be_used_is_refused_with_its_place() {
    let door = door().await;
    let body = json!({ "name": "order", "schema": { "properties": { "a": { "type": "colour" } } } }).to_string();
    let answer = door.configure("POST", "/v1/spaces/default/eventtypes", &body).await;
    answer.check_refused(
        400,
        "Event Type doesn't validate. Validation error: \
         Key: 'Type.Schema' Error:Field validation for 'Schema' failed on the 'schema' tag",
    );
    let cure = answer.json()["errors"][0]["cure"].clone();
    assert!(cure.as_str().is_some_and(|cure| cure.starts_with("correct the schema at /properties/a/type: ")), "{cure}");
}
