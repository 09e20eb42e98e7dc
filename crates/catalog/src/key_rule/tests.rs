//! Rules, and the keys they find in events.

use weir_domain::{AttributeValue, Data, Event, EventBuilder, Key};

use super::{KeyRule, KeyRuleError};

#[test]
fn rules_are_read_and_written() {
    for text in ["/data", "/data/id", "/data/a~1b/0/", "/subject", "/data2", "/database", "/partitionkey", "/id"] {
        assert_eq!(KeyRule::parse(text).expect(text).to_text().as_deref(), Some(text));
    }
    assert_eq!(KeyRule::parse("/subject"), Ok(KeyRule::Attribute("subject".into())));
    assert!(matches!(KeyRule::parse("/data/id"), Ok(KeyRule::Pointer(_))));
    for text in ["", "/", "data.id", "subject", "/subject/a", "/Subject", "/data_base64", "/specversion"] {
        assert_eq!(KeyRule::parse(text), Err(KeyRuleError::Form), "{text}");
    }
    assert!(matches!(KeyRule::parse("/data/~"), Err(KeyRuleError::Pointer(_))));
    assert_eq!(KeyRule::default().to_text(), None);
}

fn event() -> EventBuilder {
    Event::builder("1", "/shop", "order.placed")
}

fn json(text: &str) -> EventBuilder {
    event().datacontenttype("application/json").data(Data::Json(text.into()))
}

/// An empty rule is the default; an empty key is none; an error is a part of its message.
fn check(rule: &str, event: EventBuilder, expected: Result<&str, &str>) {
    let event = event.build().expect("a valid event");
    let parsed = if rule.is_empty() { KeyRule::Default } else { KeyRule::parse(rule).expect(rule) };
    match (parsed.key_of(&event), expected) {
        (Ok(key), Ok(expected)) => assert_eq!(key.as_ref().map_or("", Key::as_str), expected, "{rule} {event:?}"),
        (Err(error), Err(part)) => {
            let text = error.to_string();
            assert!(text.contains(part) && text.contains("order.placed") && text.contains(rule), "{text}");
        }
        (found, _) => panic!("{rule} {event:?}: {found:?}"),
    }
}

#[test]
fn the_default_is_partitionkey_then_subject_then_none() {
    let partition = |value| event().subject("s").extension("partitionkey", AttributeValue::String(value));
    check("", partition("p"), Ok("p"));
    check("", event().subject("s"), Ok("s"));
    check("", event(), Ok(""));
    check("", event().subject(&"s".repeat(Key::BYTES_MAX)), Ok(&"s".repeat(Key::BYTES_MAX)));
    check("", event().subject(&"s".repeat(Key::BYTES_MAX + 1)), Err("has 1025: shorten it"));
}

#[test]
fn an_attribute_gives_its_text() {
    check("/subject", event().subject("s"), Ok("s"));
    check("/source", event(), Ok("/shop"));
    check("/id", event(), Ok("1"));
    check("/type", event(), Ok("order.placed"));
    check("/tenant", event().extension("tenant", AttributeValue::Integer(-7)), Ok("-7"));
    check("/tenant", event().extension("tenant", AttributeValue::Boolean(true)), Ok("true"));
    check("/tenant", event().extension("tenant", AttributeValue::String("")), Err("is empty"));
    check("/tenant", event(), Err("is missing: give the event this attribute"));
    check("/subject", event(), Err("is missing"));
}

#[test]
fn a_pointer_gives_the_text_of_a_scalar() {
    check("/data/id", json(r#"{"id":"p-1"}"#), Ok("p-1"));
    check(
        "/data/id",
        json(r#"{"x":[{"id":1}], "id" : 12345678901234567890123.50 }"#),
        Ok("12345678901234567890123.50"),
    );
    check("/data/id", json(r#"{"id":-1e3}"#), Ok("-1e3"));
    check("/data/id", json(r#"{"id":true}"#), Ok("true"));
    check("/data/id", json(r#"{"id":false}"#), Ok("false"));
    check("/data/id", json(r#"{"id":"a\u00e4\"b\\"}"#), Ok("aä\"b\\"));
    check("/data/order/lines/1/sku", json(r#"{"order":{"lines":[{"sku":"a"},{"sku":"b"}]}}"#), Ok("b"));
    check("/data", json("\"whole\""), Ok("whole"));

    check("/data/id", json(r#"{"ID":1}"#), Err("is missing: give the event's data a value there"));
    check("/data/id", json(r#"{"id":null}"#), Err("but is null"));
    check("/data/id", json(r#"{"id":{}}"#), Err("but is an object"));
    check("/data/id", json(r#"{"id":[1]}"#), Err("but is an array"));
    check("/data/id", json(r#"{"id":""}"#), Err("is empty"));
    check("/data/id", json(&format!(r#"{{"id":"{}"}}"#, "k".repeat(1025))), Err("has 1025: shorten it"));
    check("/data/id", json(r#"{"id":1"#), Err("not JSON"));
    check("/data/id", json(r#"{"id":"\ud800"}"#), Err("not JSON"));
    check("/data/id", event(), Err("the event has nothing"));
    check("/data/id", event().data(Data::Text("id".into())), Err("the event has text"));
    let bytes = |text: &'static [u8]| event().data(Data::Binary(text.into()));
    check("/data/id", bytes(b"\x01").datacontenttype("image/png"), Err("the event has binary"));
    // In base64 it is as much JSON as any other.
    check("/data/id", bytes(b"{\"id\":7}").datacontenttype("application/cloudevents+json"), Ok("7"));
    check("/data/id", bytes(b"\xff"), Err("not JSON"));
}
