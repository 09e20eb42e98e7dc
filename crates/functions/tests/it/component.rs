//! A component of the public world, as other languages make it. This one is made of JavaScript, by hand and without the
//! lines that the platform adds to a function's file.

use std::{fs, path::Path};

use bytes::Bytes;
use componentize_qjs::{ComponentizeOpts, Runtime, componentize};

use weir_domain::Data;
use weir_functions::{CallError, Code, Draft, DraftValue, FunctionOptions, Outcome, WasmFunction};

use crate::rig::{Rig, answer, ask, invoke, json, only, value};

const SOURCE: &str = r#"
import { write } from "weir:function/log";
import { get } from "weir:function/config";

function bare(event) {
  return { ...event, id: null, source: null, data: { tag: "none" } };
}

export const handler = {
  handle(event, context) {
    write("warn", `${event.type} ${context.subscription} ${context.attempt} ${context.mode} ${get("greeting")}`);
    switch (event.type) {
      case "fail":
        throw "as asked";
      case "trap":
        return 5;
      case "broken":
        return { tag: "events", val: [{ ...event, data: { tag: "json", val: "{" } }] };
      case "answer":
        return { tag: "answer", val: { status: 201, headers: [["x-a", "1"]], body: new Uint8Array([1, 2]) } };
      case "odd":
        return { tag: "answer", val: { status: 99, headers: [], body: new Uint8Array([]) } };
      case "subject":
        return { tag: "events", val: [{ ...bare(event), subject: "x".repeat(Number(event.data.val)) }] };
      case "header":
        return {
          tag: "answer",
          val: { status: 200, headers: [["x-a", "x".repeat(Number(event.data.val))]], body: new Uint8Array([]) },
        };
      case "many":
        return { tag: "events", val: Array.from({ length: Number(event.data.val) }, () => bare(event)) };
      default:
        return { tag: "events", val: [{ ...event, id: null, source: null, type: "echoed" }] };
    }
  },
};
"#;

async fn component() -> Bytes {
    let dir = tempfile::tempdir().expect("a folder");
    let main = dir.path().join("main.js");
    fs::write(&main, SOURCE).expect("writable");
    let wit = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../wit");
    let options = ComponentizeOpts {
        wit_path: &wit,
        js_source: SOURCE,
        js_path: Some(&main),
        module_root: Some(dir.path()),
        world_name: Some("function"),
        stub_wasi: false,
        disable_gc: false,
        runtime: Runtime::DefaultSync,
    };
    componentize(&options).await.expect("a component").into()
}

async fn prepared(rig: &Rig, options: FunctionOptions) -> WasmFunction {
    let function = rig.try_prepare(Code::Component(component().await), options).await;
    function.unwrap_or_else(|error| panic!("{error}"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_component_takes_and_gives_typed_events() {
    let rig = Rig::new();
    let options =
        FunctionOptions { config: [("greeting".to_owned(), "hello".to_owned())].into(), ..FunctionOptions::default() };
    let function = prepared(&rig, options).await;

    for data in
        [Data::None, json(r#"{"a":1}"#), Data::Text("plain".into()), Data::Binary(Bytes::from_static(&[0, 255]))]
    {
        let echoed = Draft {
            subject: Some("order/7".into()),
            time: Some("2026-01-31T12:00:00Z".into()),
            extensions: vec![
                ("sequence".into(), DraftValue::Integer(-3)),
                ("sampled".into(), DraftValue::Boolean(true)),
                ("partitionkey".into(), DraftValue::Text("käse".into())),
            ],
            data: data.clone(),
            ..Draft::new("echoed")
        };
        assert_eq!(only(invoke(&function, "t", data).await), echoed);
        assert_eq!(rig.lines.take(), ["shop 1 warn t orders 2 asynchronous hello"]);
    }

    assert_eq!(ask(&function, "answer", Data::None).await, Ok(answer(201, &[("x-a", "1")], &[1, 2])));
    assert_eq!(rig.lines.take(), ["shop 1 warn answer orders 2 synchronous hello"]);
    assert_eq!(value(&function, "answer").await, Ok(Outcome::Value("\u{1}\u{2}".into())));
    let check = |outcome: Result<Outcome, CallError>, sentence: &str| {
        let error = outcome.expect_err(sentence);
        assert!(error.to_string().starts_with(sentence), "{error}");
    };
    let broken = "the function broke its contract";
    check(invoke(&function, "fail", Data::None).await, "the function failed: as asked");
    check(invoke(&function, "trap", Data::None).await, "the function was stopped: ");
    check(invoke(&function, "broken", Data::None).await, &format!("{broken}: the data of an event is no JSON"));
    check(invoke(&function, "answer", Data::None).await, &format!("{broken}: nobody waits for the HTTP answer"));
    check(
        ask(&function, "odd", Data::None).await,
        &format!("{broken}: in its answer, the status must be from 200 to 599"),
    );
    let no_value = format!("{broken}: it must return an answer with a status of 2xx and JSON as its body");
    check(value(&function, "t").await, &no_value);
    check(value(&function, "odd").await, &no_value);
    only(invoke(&function, "t", Data::None).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn all_that_a_component_returns_is_counted() {
    let rig = Rig::new();
    let options = FunctionOptions {
        output_bytes_max: 10_000,
        events_max: 100,
        memory_bytes_max: 256 * 1024 * 1024,
        ..FunctionOptions::default()
    };
    let function = prepared(&rig, options).await;
    let too_large = || Err(CallError::TooLarge { limit_bytes: 10_000 });
    let check = async |event_type: &str, number: &str, expected: Result<(), CallError>| {
        let outcome = ask(&function, event_type, json(number)).await;
        assert_eq!(outcome.map(|_| ()), expected, "{event_type} {number}");
    };
    check("subject", "5000", Ok(())).await;
    check("subject", "20000", too_large()).await;
    // So much is not even copied out of the guest.
    check("subject", "20000000", too_large()).await;
    check("header", "5000", Ok(())).await;
    check("header", "20000", too_large()).await;
    check("many", "100", Ok(())).await;
    let problem = "it may return at most 100 events, but it returned 101".to_owned();
    check("many", "101", Err(CallError::Malformed { problem })).await;
    check("subject", "5000", Ok(())).await;
}
