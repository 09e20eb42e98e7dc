//! JavaScript functions: what goes in, what comes out, what is kept between calls.

use bytes::Bytes;
use serde_json::json;

use weir_domain::Data;
use weir_functions::{CallError, Draft, DraftValue, FunctionOptions, Instances, Outcome};

use crate::rig::{self, NOW_MS, Rig, answer, ask, data, invoke, only, value};

pub(crate) const KITCHEN: &str = include_str!("kitchen.js");

fn options() -> FunctionOptions {
    FunctionOptions { config: [("greeting".to_owned(), "hello".to_owned())].into(), ..FunctionOptions::default() }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_event_goes_in_with_all_it_has_and_an_event_comes_out() {
    let rig = Rig::new();
    let kitchen = rig.script(KITCHEN, options()).await;
    let check = async |given: Data, kind: &str, seen: serde_json::Value| {
        let draft = only(invoke(&kitchen, "echo", given.clone()).await);
        assert_eq!((draft.event_type.as_str(), draft.subject.as_deref()), ("echoed", Some("order/7")));
        assert_eq!(draft.extensions, [("sequence".to_owned(), DraftValue::Integer(-3))]);
        let Data::Json(text) = &draft.data else { panic!("no JSON: {draft:?}") };
        let mut told: serde_json::Value = serde_json::from_str(text).expect("JSON");
        assert_eq!(told["data"].take(), seen, "{given:?}");
        let attributes = json!(["1", "/source", "echo", "2026-01-31T12:00:00Z", -3, true, "käse"]);
        assert_eq!(told, json!({"kind": kind, "data": null, "attributes": attributes, "absent": true}));
    };
    check(rig::json(r#"{"a":[1,"ü\n"]}"#), "object", json!({"a": [1, "ü\n"]})).await;
    check(rig::json("[]"), "list", json!([])).await;
    check(rig::json("null"), "null", json!(null)).await;
    check(rig::json("-1.5"), "number", json!(-1.5)).await;
    check(Data::Text("tea & <br>".into()), "string", json!("tea & <br>")).await;
    check(Data::Binary(Bytes::from_static(&[0, 255])), "bytes", json!([0, 255])).await;

    let none = data(invoke(&kitchen, "echo", Data::None).await);
    assert_eq!((&none["kind"], none.get("data")), (&json!("undefined"), None));
    let copied = only(invoke(&kitchen, "copy", Data::Binary(Bytes::from_static(&[1]))).await);
    assert_eq!((copied.id.as_deref(), copied.data), (Some("1"), Data::Binary(Bytes::from_static(&[1]))));
    assert_eq!(copied.extensions.len(), 3);
    assert_eq!(data(invoke(&kitchen, "context", Data::None).await), json!([2, "orders", "hello", 1]));
    assert_eq!(data(invoke(&kitchen, "promise", rig::json("[7]")).await), json!([7]));
    assert_eq!(data(invoke(&kitchen, "now", Data::None).await), json!(NOW_MS));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everything_that_may_be_returned_is_understood() {
    let rig = Rig::new();
    let kitchen = rig.script(KITCHEN, options()).await;
    let list = Outcome::Events(vec![
        Draft { data: Data::Binary(Bytes::from_static(&[8, 7])), ..Draft::new("one") },
        Draft { datacontenttype: Some("text/plain".into()), data: Data::Text("text".into()), ..Draft::new("two") },
        Draft {
            id: Some("own".into()),
            source: Some("/own".into()),
            extensions: vec![("flag".into(), DraftValue::Boolean(true))],
            data: rig::json("null"),
            ..Draft::new("three")
        },
    ]);
    let check = async |event_type: &str, from_the_log: Option<Outcome>, awaited: Option<Outcome>| {
        assert_eq!(invoke(&kitchen, event_type, Data::None).await.ok(), from_the_log, "{event_type}");
        assert_eq!(ask(&kitchen, event_type, Data::None).await.ok(), awaited, "{event_type}");
    };
    check("list", Some(list.clone()), Some(list)).await;
    check("nothing", Some(Outcome::Events(Vec::new())), Some(answer(200, &[], b""))).await;
    check("answer", None, Some(answer(201, &[("x-a", "1")], b"made"))).await;
    check("image", None, Some(answer(200, &[("content-type", "image/png")], &[137, 80]))).await;
    let json = [("content-type", "application/json")];
    check("object", None, Some(answer(200, &json, r#"{"a":[1,"ü"]}"#.as_bytes()))).await;
    check("number", None, None).await;

    let check = async |event_type: &str, text: &str| {
        assert_eq!(value(&kitchen, event_type).await, Ok(Outcome::Value(text.into())), "{event_type}");
    };
    check("nothing", "null").await;
    check("number", "3").await;
    check("object", r#"{"body":{"a":[1,"ü"]}}"#).await;
    assert!(value(&kitchen, "throw").await.is_err());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_thrown_is_told_with_its_place() {
    let rig = Rig::new();
    let kitchen = rig.script(KITCHEN, options()).await;
    let line = 1 + KITCHEN.lines().position(|line| line.contains("too much")).expect("there");
    for event_type in ["throw", "reject"] {
        let error = invoke(&kitchen, event_type, Data::None).await.expect_err("thrown");
        let CallError::Rejected { message } = &error else { panic!("{error}") };
        assert!(message.starts_with("RangeError: too much\n    at fail (shop.js:"), "{message}");
        assert!(message.contains(&format!("shop.js:{line}:")), "{message}");
        assert!(!message.contains("weir/"), "{message}");
        assert!(!error.is_final());
    }
    let error = invoke(&kitchen, "throwText", Data::None).await.expect_err("thrown");
    assert_eq!(error, CallError::Rejected { message: "plain".into() });
    let error = invoke(&kitchen, "never", Data::None).await.expect_err("never settled");
    assert!(error.to_string().contains("a promise that is never settled"), "{error}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lines_reach_the_log_with_function_and_event() {
    let rig = Rig::new();
    let kitchen = rig.script(KITCHEN, options()).await;
    assert_eq!(rig.lines.take(), [r#"shop  info loaded {"at":1}"#]);
    invoke(&kitchen, "log", Data::None).await.expect("no failure");
    let lines = rig.lines.take();
    assert_eq!(lines[0], r#"shop 1 info plain 1 true null undefined {"a":[1,2]} [["k",1]] 10n"#);
    assert!(lines[1].starts_with("shop 1 error TypeError: odd\n    at "), "{lines:?}");
    assert_eq!(lines[2..], ["shop 1 debug ", "shop 1 warn from the context", "shop 1 info also"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reused_instance_remembers_and_a_fresh_one_does_not() {
    let rig = Rig::new();
    let check = async |instances: Instances, events: &[&str], counts: &[u64]| {
        let kitchen = rig.script(KITCHEN, FunctionOptions { instances, ..options() }).await;
        let mut counted = Vec::new();
        for event_type in events {
            let outcome = invoke(&kitchen, event_type, Data::None).await;
            if *event_type == "count" {
                counted.push(data(outcome).as_u64().expect("a number"));
            }
        }
        assert_eq!(counted, counts, "{instances:?} {events:?}");
    };
    let reuse = |calls_max| Instances::Reuse { calls_max };
    check(Instances::Fresh, &["count", "count", "count"], &[1, 1, 1]).await;
    check(reuse(3), &["count", "count", "count", "count", "count"], &[1, 2, 3, 1, 2]).await;
    check(reuse(99), &["count", "throw", "reject", "number", "count"], &[1, 5]).await;
    // What an instance did not survive in order, it does not survive at all.
    check(reuse(99), &["count", "deep", "count"], &[1, 1]).await;
    check(reuse(99), &["count", "never", "count"], &[1, 1]).await;
    check(reuse(99), &["count", "memory", "count"], &[1, 1]).await;
    check(reuse(99), &["count", "cope", "count"], &[1, 1]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn instances_of_one_snapshot_draw_different_numbers() {
    let rig = Rig::new();
    let kitchen = rig.script(KITCHEN, FunctionOptions { instances: Instances::Fresh, ..options() }).await;
    let mut numbers = Vec::new();
    for _ in 0..4 {
        let drawn: Vec<f64> =
            serde_json::from_value(data(invoke(&kitchen, "random", Data::None).await)).expect("numbers");
        numbers.extend(drawn);
    }
    assert!(numbers.iter().all(|number| (0.0..1.0).contains(number)), "{numbers:?}");
    numbers.sort_by(f64::total_cmp);
    numbers.dedup();
    assert_eq!(numbers.len(), 8);
}
