//! Schemas of event types: which are taken, how they are numbered, and what they say about events.

use std::sync::Arc;

use proptest::{collection::vec, prelude::*};
use serde_json::{Value, json};
use weir_catalog::{
    Catalog, Change, ChangeKind, Command, DataFault, EventType, OnInvalid, Schema, Violations, limits,
    stored::{decode, encode},
};
use weir_domain::{Data, Event};

use crate::make::{event_type, space, with};

const DRAFT_7: &str = "http://json-schema.org/draft-07/schema#";

fn typed(document: Value) -> EventType {
    EventType { schema: Some(Schema::new(document)), ..event_type("order.placed") }
}

fn event(data: Data, media_type: Option<&str>) -> Event {
    let builder = Event::builder("1", "/test", "order.placed").data(data);
    match media_type {
        Some(media_type) => builder.datacontenttype(media_type),
        None => builder,
    }
    .build()
    .expect("valid")
}

fn json_event(data: &Value) -> Event {
    event(Data::Json(data.to_string().into()), None)
}

fn violations(event_type: &EventType, event: &Event) -> Violations {
    match event_type.check(event) {
        Err(DataFault::Broken(violations)) => violations,
        other => panic!("{other:?}"),
    }
}

fn pointers(event_type: &EventType, data: &Value) -> Vec<String> {
    let mut pointers: Vec<_> =
        violations(event_type, &json_event(data)).iter().map(|it| it.pointer().to_owned()).collect();
    pointers.sort();
    pointers
}

#[test]
fn schemas_that_cannot_be_used_are_refused_with_the_place() {
    let check = |document: Value, place: &str| {
        let error = Catalog::new().plan(&space(), Command::CreateEventType(typed(document))).expect_err(place);
        let message = "Event Type doesn't validate. Validation error: \
                       Key: 'Type.Schema' Error:Field validation for 'Schema' failed on the 'schema' tag";
        assert_eq!(error.to_string(), message);
        assert!(error.cure().starts_with(&format!("correct the schema {place}: ")), "{}", error.cure());
    };
    check(json!(7), "as a whole");
    check(json!({ "type": "colour" }), "at /type");
    check(json!({ "properties": { "a": { "minimum": "1" } } }), "at /properties/a/minimum");
    check(json!({ "properties": { "a": { "pattern": "(" } } }), "at /properties/a/pattern");
    // Patterns are matched in linear time.
    check(json!({ "pattern": "^(?=a)b" }), "at /pattern");
    check(json!({ "$schema": "http://json-schema.org/draft-04/schema#" }), "at /$schema");
    check(json!({ "$schema": 7 }), "at /$schema");
    check(json!({ "items": { "$ref": "https://example.com/a.json" } }), "at /items/$ref");

    let large = json!({ "description": "a".repeat(limits::SCHEMA_BYTES_MAX) });
    let deep = (0..limits::SCHEMA_NESTING_MAX).fold(json!({}), |inner, _| json!({ "not": inner }));
    for document in [large, deep] {
        let planned = Catalog::new().plan(&space(), Command::CreateEventType(typed(document)));
        assert!(planned.is_err_and(|error| error.to_string().ends_with("failed on the 'max' tag")));
    }
}

#[test]
fn both_dialects_are_spoken() {
    let old = json!({ "$schema": DRAFT_7, "items": [{ "type": "string" }], "definitions": { "a": { "$id": "#b" } } });
    let new = json!({ "prefixItems": [{ "type": "string" }], "$defs": { "a": { "$anchor": "b" } } });
    for document in [old, new] {
        let it = typed(document.clone());
        assert_eq!(it.schema.as_ref().and_then(Schema::problem), None, "{document}");
        assert_eq!(it.check(&json_event(&json!(["a", 1]))), Ok(()));
        assert_eq!(pointers(&it, &json!([1])), ["/data/0"]);
    }
    // In the newer dialect the keyword has another meaning.
    assert!(typed(json!({ "items": [{ "type": "string" }] })).schema.as_ref().and_then(Schema::problem).is_some());
    assert_eq!(typed(json!({ "format": "date" })).check(&json_event(&json!("no date"))), Ok(()));
    assert_eq!(pointers(&typed(json!({ "$schema": DRAFT_7, "format": "date" })), &json!("no date")), ["/data"]);
}

#[test]
fn every_violation_is_told_by_its_place() {
    let it = typed(json!({
        "type": "object",
        "properties": {
            "id": { "type": "integer" },
            "price": { "minimum": 0 },
            "tags": { "items": { "type": "string" } },
            "a/b": { "$ref": "#/$defs/short" },
        },
        "required": ["id"],
        "additionalProperties": false,
        "$defs": { "short": { "maxLength": 2 } },
    }));
    let good = json!({ "id": 1, "price": 0, "tags": ["a"], "a/b": "ab" });
    assert_eq!(it.check(&json_event(&good)), Ok(()));
    let broken = json!({ "price": -1, "tags": ["a", 1, 2], "a/b": "secret", "more": 1 });
    let expected = ["/data", "/data", "/data/a~1b", "/data/price", "/data/tags/1", "/data/tags/2"];
    assert_eq!(pointers(&it, &broken), expected);
    let told = violations(&it, &json_event(&broken));
    assert!(told.iter().all(|violation| !violation.message().contains("secret")), "{told}");
}

#[test]
fn what_is_told_is_bounded() {
    let many = json!(vec![1; limits::VIOLATIONS_MAX + 7]);
    let told = violations(&typed(json!({ "items": { "type": "string" } })), &json_event(&many));
    assert_eq!((told.iter().len(), told.more()), (limits::VIOLATIONS_MAX, Some(7)));

    let name = "\n".repeat(100_000);
    let told =
        violations(&typed(json!({ "additionalProperties": { "type": "string" } })), &json_event(&json!({ name: 1 })));
    for violation in told.iter() {
        let most = limits::POINTER_BYTES_MAX + 8;
        assert!(violation.pointer().len() <= most && violation.message().len() <= most);
        assert!(!violation.pointer().contains('\n'));
    }

    // Looked through branch by branch, these data would have 2^100 faults.
    let branch = |name: &str| json!({ "properties": { "a": { "$ref": "#" } }, "required": [name] });
    let it = typed(json!({ "anyOf": [branch("x"), branch("y")] }));
    let nested = (0..100).fold(json!({}), |inner, _| json!({ "a": inner }));
    let told = violations(&it, &json_event(&nested));
    assert_eq!((told.iter().len(), told.more()), (1, None));
}

#[test]
fn data_must_be_json_in_whatever_mode_they_came() {
    let it = typed(json!({ "type": "object" }));
    let binary = |bytes: &'static [u8]| Data::Binary(bytes.into());
    assert_eq!(it.check(&event(binary(b"{}"), Some("application/json"))), Ok(()));
    assert_eq!(it.check(&event(binary(b"{}"), Some("application/x+json; charset=utf-8"))), Ok(()));
    assert_eq!(it.check(&event(binary(b"{}"), None)), Ok(()));
    for (data, media_type, part) in [
        (binary(b"{}"), Some("application/cbor"), "are not JSON"),
        (Data::Text("{}".into()), Some("text/plain"), "are not JSON"),
        (binary(b"{"), Some("application/json"), "cannot be read as JSON"),
        (Data::None, None, "has no data"),
    ] {
        let told = violations(&it, &event(data, media_type));
        assert!(told.to_string().starts_with("at /data: ") && told.to_string().contains(part), "{told}");
    }
    // No data is as good as null, and may be anything where there is no schema.
    assert_eq!(typed(json!({ "type": ["object", "null"] })).check(&event(Data::None, None)), Ok(()));
    assert_eq!(event_type("order.placed").check(&event(Data::Text("x".into()), Some("text/plain"))), Ok(()));
}

#[test]
fn every_other_schema_gets_the_next_number() {
    let number = |catalog: &Catalog| {
        let it = catalog.space_or_empty(&space()).registered_event_type("order.placed").expect("there").clone();
        (it.schema_version, it.schema.clone())
    };
    let (first, second) = (json!({ "type": "object" }), json!({ "type": "array" }));
    let mut catalog = with(&Catalog::new(), [Command::CreateEventType(typed(first.clone()))]);
    let compiled = number(&catalog).1;
    for (it, expected) in [
        // Equal schemas are one, however often they are written, and are not compiled again.
        (typed(first.clone()), 1),
        (EventType { description: Some("new".into()), on_invalid: OnInvalid::Quarantine, ..typed(first.clone()) }, 1),
        (typed(second), 2),
        (event_type("order.placed"), 2),
        (typed(first), 3),
    ] {
        catalog = with(&catalog, [Command::UpdateEventType(it.clone())]);
        let (version, schema) = number(&catalog);
        assert_eq!((version, &schema), (expected, &it.schema));
    }
    assert_eq!(number(&catalog).1, compiled);
    let plain = with(&Catalog::new(), [Command::CreateEventType(event_type("order.placed"))]);
    assert_eq!(number(&plain), (0, None));
}

#[test]
fn a_stored_schema_that_cannot_be_used_is_read_and_refuses_its_events() {
    let data = r#"{"v":1,"space":"shop","item":{"name":"order.placed","schema":{"type":"colour"}}}"#;
    let change = decode("weir.eventtype.created", data).expect("what was accepted once is read");
    let mut catalog = Catalog::new();
    catalog.fold(&change).expect("applied");
    let it = catalog.space_or_empty(&space()).registered_event_type("order.placed").expect("there").clone();
    assert_eq!(it.schema_version, 1);
    assert!(
        matches!(it.check(&json_event(&json!({}))), Err(DataFault::Unusable(problem)) if problem.pointer() == "/type")
    );
    // It can be replaced by a good one.
    let repaired = with(&catalog, [Command::UpdateEventType(typed(json!(true)))]);
    let it = repaired.space_or_empty(&space()).registered_event_type("order.placed").expect("there").clone();
    assert_eq!((it.schema_version, it.check(&json_event(&json!({})))), (2, Ok(())));
}

fn schemas() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        prop::sample::select(vec!["string", "number", "integer", "object", "array", "null"])
            .prop_map(|name| json!({ "type": name })),
        any::<f64>().prop_filter("JSON", |number| number.is_finite()).prop_map(|number| json!({ "minimum": number })),
        (0u32..4).prop_map(|length| json!({ "minLength": length })),
        any::<bool>().prop_map(Value::Bool),
    ];
    leaf.prop_recursive(3, 12, 3, |inner| {
        prop_oneof![
            vec(inner.clone(), 1..3).prop_map(|list| json!({ "anyOf": list })),
            (inner.clone(), inner.clone())
                .prop_map(|(a, b)| json!({ "properties": { "a": a, "b": b }, "required": ["a"] })),
            inner.prop_map(|items| json!({ "items": items })),
        ]
    })
}

fn values() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        "[a-z]{0,4}".prop_map(Value::String),
        any::<f64>().prop_filter("JSON", |number| number.is_finite()).prop_map(|number| json!(number)),
    ];
    leaf.prop_recursive(3, 12, 3, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..3).prop_map(Value::Array),
            (inner.clone(), inner).prop_map(|(a, b)| json!({ "a": a, "b": b })),
        ]
    })
}

proptest! {
    #[test]
    fn a_schema_says_the_same_after_it_was_stored(document in schemas(), data in vec(values(), 1..4)) {
        let it = EventType { schema_version: 1, ..typed(document) };
        let stored = encode(&Change { space: space(), kind: ChangeKind::EventTypeCreated(Arc::new(it.clone())) });
        let ChangeKind::EventTypeCreated(read) = decode(stored.event_type, &stored.data).expect("readable").kind else {
            panic!("another change");
        };
        prop_assert_eq!(&*read, &it);
        prop_assert_eq!(it.schema.as_ref().and_then(Schema::problem), None);
        for value in &data {
            let event = json_event(value);
            prop_assert_eq!(it.check(&event), read.check(&event));
        }
    }
}
