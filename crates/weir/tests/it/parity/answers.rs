//! The cases of what callers are told: the router's and those from end to end.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{Gateway, check_refused, text};
use crate::process::BOUND;

const MALFORMED: &str = "HTTP response object malformed";
const FAILED: &str = "Function call failed. Please check logs.";

#[test]
fn callers_get_what_the_function_answers() {
    let gateway = Gateway::start();
    let space = gateway.space("shop");
    // Each path is what the function returns.
    let results = [
        ("router: call sync subscriber", "{}", 200, "", None),
        ("null is an answer", "null", 200, "", None),
        ("without a status", "{ body: 'hello' }", 200, "hello", None),
        ("router: status and headers", "{ statusCode: 206, headers: { 'x-custom': 'yes' } }", 206, "", None),
        (
            "TestIntegration_SyncSubscription",
            "{ statusCode: 201, headers: { 'content-type': 'text/html' }, body: '<h1>hi</h1>' }",
            201,
            "<h1>hi</h1>",
            Some("text/html"),
        ),
    ];
    let broken = [
        ("router: malformed", "'text'"),
        ("a list of no events", "[1]"),
        ("a number", "7"),
        ("a header that is no text", "{ headers: { a: 1 } }"),
        ("a status that is text", "{ statusCode: '200' }"),
        // These crashed the handler.
        ("status 0", "{ statusCode: 0 }"),
        ("status 99", "{ statusCode: 99 }"),
        ("status 1000", "{ statusCode: 1000 }"),
    ];
    let all = results.iter().map(|each| each.1).chain(broken.iter().map(|each| each.1));
    let places: BTreeMap<&str, String> = all.enumerate().map(|(at, code)| (code, format!("/{at}"))).collect();
    let cases: Vec<String> = places.iter().map(|(code, path)| format!("case '{path}': return {code};")).collect();
    space.script("returns", &format!("switch (event.data.path) {{ {} }}", cases.join(" ")));
    space.route("returns", "http.request", "GET", "/:case");
    for (case, code, status, body, content_type) in results {
        let answer = space.request("GET", &places[code], &[], "");
        assert_eq!((answer.status, text(&answer)), (status, body), "{case}");
        assert_eq!(answer.header("content-type"), content_type, "{case}");
        assert_eq!(answer.header("x-custom"), (status == 206).then_some("yes"), "{case}");
    }
    for (case, code) in broken {
        check_refused(case, &space.request("GET", &places[code], &[], ""), 500, MALFORMED);
    }
}

#[test]
fn callers_learn_that_a_function_failed() {
    let gateway = Gateway::start();
    let space = gateway.space("shop");
    space.script("throws", "throw new Error('secret');");
    space.create("functions", &super::url_function("unreachable"));
    for (case, function, path) in
        [("a function that fails", "throws", "/throws"), ("http: nobody is there", "unreachable", "/nobody")]
    {
        space.route(function, "http.request", "POST", path);
        check_refused(case, &space.request("POST", path, &[], ""), 500, FAILED);
    }
    // Different: a request that nobody is subscribed to got 202.
    let answer = space.request("POST", "/elsewhere", &[], "");
    let nobody =
        "nothing in space \"shop\" is subscribed to POST /elsewhere: make a subscription, or send a CloudEvent";
    check_refused("nothing matches", &answer, 404, nobody);
    let answer = space.request("GET", "/throws", &[], "");
    let other = "/throws is not subscribed to with GET: use one of the methods of the header Allow";
    check_refused("another method", &answer, 405, other);
    assert_eq!(answer.header("allow"), Some("POST"));
}

#[test]
fn an_async_subscriber_is_given_what_was_emitted() {
    // TestIntegration_AsyncSubscription
    let gateway = Gateway::start();
    let space = gateway.space("default");
    for event_type in ["smileys", "smileys.seen"] {
        space.create("eventtypes", &json!({ "name": event_type }));
    }
    space.script("sees", "return { type: 'smileys.seen', data: { type: event.type, bytes: Array.from(event.data) } };");
    let subscription = json!({ "type": "async", "eventType": "smileys", "functionId": "sees", "path": "/" });
    space.create("subscriptions", &subscription);
    let smile = "\u{1f603}";
    let answer = space.request("POST", "/", &[("event", "smileys")], smile);
    assert_eq!((answer.status, text(&answer)), (202, ""));
    assert_eq!(gateway.server.wait_for("smileys.seen", 1, BOUND), 1);
    let seen = gateway.server.events_of("smileys.seen");
    assert_eq!(seen[0]["data"], json!({ "type": "smileys", "bytes": smile.as_bytes() }));
    // In JSON they are base64, as a function behind a URL gets them.
    let emitted = gateway.server.events_of("smileys");
    assert_eq!(emitted[0]["data_base64"], "8J+Ygw==", "{}", emitted[0]);
    assert_eq!(emitted[0]["data"], Value::Null);
    assert_eq!(seen[0]["causationid"], emitted[0]["id"]);
}

#[test]
fn async_and_sync_subscribers_of_a_request_both_get_it() {
    let gateway = Gateway::start();
    let space = gateway.space("default");
    space.create("eventtypes", &json!({ "name": "seen" }));
    space.script("answers", "return { body: 'answered' };");
    space.script("sees", "return { type: 'seen', data: event.data.path };");
    space.route("answers", "http.request", "GET", "/both");
    space.create("subscriptions", &json!({ "type": "async", "eventType": "http.request", "functionId": "sees" }));
    assert_eq!(text(&space.request("GET", "/both", &[], "")), "answered");
    // Only async matches: 202 before it is delivered, whatever path and method.
    let answer = space.request("DELETE", "/only", &[], "");
    assert_eq!((answer.status, text(&answer)), (202, ""));
    assert_eq!(gateway.server.wait_for("seen", 2, BOUND), 2);
    let mut paths: Vec<Value> = gateway.server.events_of("seen").iter().map(|seen| seen["data"].clone()).collect();
    paths.sort_by_key(Value::to_string);
    assert_eq!(paths, ["/both", "/only"]);
}
