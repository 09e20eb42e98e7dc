//! The test kit of the specification, from `tests/conformance/cesql`.

use std::{fs, path::Path};

use serde_json::{Map, Value as Json};
use weir_domain::{AttributeValue, Event};

use super::super::{Expression, value::Value};

/// How many cases there are.
const CASES: usize = 275;

#[test]
fn all_cases_of_the_test_kit_hold() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/conformance/cesql");
    let files = fs::read_dir(folder).expect("the folder").map(|entry| entry.expect("an entry").path());
    let mut cases = 0;
    let mut failed = Vec::new();
    for file in files.filter(|file| file.extension().is_some_and(|extension| extension == "json")) {
        let suite: Json = serde_json::from_str(&fs::read_to_string(&file).expect("a file")).expect("JSON");
        for case in suite["tests"].as_array().expect("tests") {
            cases += 1;
            if let Err(problem) = check(case) {
                failed.push(format!("{} / {}: {problem}", suite["name"], case["name"]));
            }
        }
    }
    assert!(failed.is_empty(), "{}", failed.join("\n"));
    assert_eq!(cases, CASES);
}

fn check(case: &Json) -> Result<(), String> {
    let text = case["expression"].as_str().expect("an expression");
    let wanted = case.get("error").and_then(Json::as_str);
    let expression = match Expression::parse(text) {
        Ok(expression) => expression,
        Err(_) if wanted == Some("parse") => return Ok(()),
        Err(fault) => return Err(fault.rendered(text)),
    };
    let event = event(case);
    let outcome = expression.evaluate(&event);
    let error = outcome.error.map(|error| error.to_string());
    if error.as_deref() != wanted {
        return Err(format!("{text}: error {error:?} instead of {wanted:?}"));
    }
    let value = match &outcome.value {
        Value::Boolean(truth) => Json::from(*truth),
        Value::Integer(number) => Json::from(*number),
        Value::Text(text) => Json::from(&**text),
    };
    match case.get("result") {
        Some(result) if *result != value => Err(format!("{text}: {value} instead of {result}")),
        _ => Ok(()),
    }
}

/// The event of a case, or any with what the case sets.
fn event(case: &Json) -> Event {
    let none = Map::new();
    let given = case.get("event").or_else(|| case.get("eventOverrides")).and_then(Json::as_object).unwrap_or(&none);
    let mut event = Event::builder("any", "/any", "any");
    for (name, value) in given {
        event = match (&**name, value) {
            ("specversion", _) => event,
            ("id", Json::String(text)) => event.id(text),
            ("source", Json::String(text)) => event.source(text),
            ("type", Json::String(text)) => event.event_type(text),
            ("subject", Json::String(text)) => event.subject(text),
            ("time", Json::String(text)) => event.time(text),
            (name, Json::String(text)) => event.extension(name, AttributeValue::String(text)),
            (name, Json::Bool(truth)) => event.extension(name, AttributeValue::Boolean(*truth)),
            (name, number) => {
                let number = number.as_i64().and_then(|number| i32::try_from(number).ok()).expect("a number");
                event.extension(name, AttributeValue::Integer(number))
            }
        };
    }
    event.build().expect("valid")
}
