//! Reports as they are read.

use serde_json::{Value, json};

use super::*;
use crate::cli::output::Captured;

fn link(id: &str, event_type: &str, position: u64, function: Option<&str>) -> Value {
    let time = "1970-01-01T00:00:00Z";
    let mut link = json!({ "id": id, "source": "/s", "type": event_type, "position": position, "time": time });
    if let Some(function) = function {
        link["functionId"] = json!(function);
    }
    link
}

fn effect(id: &str, position: u64, effects: Value) -> Value {
    let mut effect = link(id, "done", position, Some("work"));
    effect["effects"] = effects;
    effect
}

fn example() -> Value {
    let mut event = link("7", "order", 9, None);
    event["key"] = json!("us/7");
    event["method"] = json!("PUT");
    event["path"] = json!("/in");
    let term = |pointer: &str, matched: bool, decided: bool| {
        json!({
            "pointer": pointer, "dialect": "prefix", "attribute": "subject", "wanted": "eu/", "found": "us/7",
            "matched": matched, "decided": decided,
        })
    };
    let attempt = json!({
        "position": 11, "time": "1970-01-01T00:00:01Z", "attempt": 1, "cause": "status", "status": 503,
        "error": "it answered 503", "tookMs": 3,
    });
    let one = json!({
        "subscriptionId": "s1", "functionId": "bill", "eventType": "order", "made": 4, "method": "POST", "path": "/",
        "filter": {}, "terms": [term("/all/0/exact/type", true, false), term("/all/1/prefix/subject", false, true)],
        "state": "not-matched", "reason": "filter", "answer": "not delivered to bill: why", "failures": 0,
        "changes": [{ "position": 12, "time": "1970-01-01T00:00:02Z", "what": "deleted" }],
    });
    let two = json!({
        "subscriptionId": "s2", "functionId": "ship", "eventType": "order", "made": 5, "method": "PUT", "path": "/in",
        "state": "dead-letter", "answer": "given up for ship", "failures": 3, "attempts": [attempt],
        "deadLetters": [{
            "position": 12, "time": "1970-01-01T00:00:02Z", "attempts": 3, "error": "it answered 503",
            "held": true, "state": "open",
        }],
    });
    json!({
        "event": event,
        "configuration": 8,
        "eventType": { "name": "order", "standing": "registered" },
        "route": { "method": "PUT", "path": "/in" },
        "deliveries": [one, two],
        "deliveriesLeft": 0,
        "otherSubscriptions": 2,
        "causes": [link("6", "cart", 3, Some("basket")), link("5", "visit", 2, None)],
        "effects": [effect("a", 13, json!([effect("b", 14, json!([]))])), effect("c", 15, json!([]))],
        "effectsCut": "scan",
    })
}

fn shown(value: &Value) -> String {
    let told: Explanation = serde_json::from_str(&value.to_string()).expect("an explanation");
    let captured = Captured::default();
    explanation(&told, false, &captured.output(false, None)).expect("written");
    captured.text()
}

#[test]
fn a_report_ends_with_the_answers() {
    let expected = r#"id             7
source         /s
type           order (registered)
position       9
recorded       1970-01-01T00:00:00Z
key            us/7
came by        PUT /in
route          PUT /in: no sync subscription had it
configuration  as of position 8

caused by
└─ cart 6 of /s at position 3, 1970-01-01T00:00:00Z, returned by basket
   └─ visit 5 of /s at position 2, 1970-01-01T00:00:00Z

caused
├─ done a of /s at position 13, 1970-01-01T00:00:00Z, returned by work
│  └─ done b of /s at position 14, 1970-01-01T00:00:00Z, returned by work
└─ done c of /s at position 15, 1970-01-01T00:00:00Z, returned by work
… only so much of the log is looked through

subscriptions
order → bill  not-matched
  id            s1
  made at       4
  filter        ✓ /all/0/exact/type  wanted "eu/", found "us/7"
  filter        ✗ /all/1/prefix/subject  wanted "eu/", found "us/7"
  since then    deleted at position 12, 1970-01-01T00:00:02Z
order → ship  dead-letter
  id            s2
  made at       5
  takes         PUT /in
  attempts      2 more that failed before these
  attempt       1 at 1970-01-01T00:00:01Z: status 503, it answered 503
  dead letter   at position 12 (open, holds its key): it answered 503

not delivered to bill: why
given up for ship
2 async subscriptions listened to other types
"#;
    assert_eq!(shown(&example()), expected);
}

#[test]
fn nothing_that_a_server_says_reaches_the_terminal_as_a_command() {
    let hostile = "\u{1b}[2J\u{9b}31m\r\n\u{7f}";
    fn poison(value: &mut Value, hostile: &str) {
        match value {
            Value::String(text) => *text = hostile.to_owned(),
            Value::Array(all) => all.iter_mut().for_each(|each| poison(each, hostile)),
            Value::Object(all) => all.values_mut().for_each(|each| poison(each, hostile)),
            _ => {}
        }
    }
    let mut value = example();
    value["event"]["quarantined"] = json!({ "id": "", "type": "", "violations": [{ "pointer": "", "message": "" }] });
    poison(&mut value, hostile);
    let text = shown(&value);
    assert!(text.chars().all(|c| c == '\n' || !c.is_control()), "{text:?}");
}
