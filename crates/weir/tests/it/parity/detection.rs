//! The cases of what a request is: `TestFromRequest`, `TestNew`, `TestNew_Encoding`, and the router's of system events.
//!
//! Different everywhere: functions are given events of 1.0, and extensions are texts.

use serde_json::{Value, json};

use super::{Gateway, Space, check_refused, field, json_of, text, with};
use crate::process::STRUCTURED;

const SOURCE: &str = "https://serverless.com/event-gateway/#transformationVersion=0.1";
/// What stands in the extension `eventgateway` of an event that was made of a body.
const WRAPPED: &str = r#"{"transformed":"true","transformation-version":"0.1"}"#;

/// A request: its headers and its body.
type Sent<'a> = (&'a [(&'a str, &'a str)], &'a str);

/// A space where `POST /` answers with the event that the function got, of whatever type; bytes are shown as text.
fn echoing(gateway: &Gateway) -> Space<'_> {
    let space = gateway.space("shop");
    space.script(
        "echo",
        "const bytes = event.data instanceof Uint8Array;
         const data = bytes ? { bytes: String.fromCharCode(...event.data) } : event.data;
         return { body: JSON.stringify({ ...event, data }) };",
    );
    for event_type in ["user.created", "myevent"] {
        space.create("eventtypes", &json!({ "name": event_type }));
        space.route("echo", event_type, "POST", "/");
    }
    // Different: it needs no registration.
    space.route("echo", "http.request", "POST", "/");
    space
}

/// Sends a request and compares the members that are named with those of the event; `null` is one that is not there.
fn check_event(case: &str, space: &Space<'_>, sent: Sent<'_>, expected: &Value) {
    let (headers, body) = sent;
    let answer = space.request("POST", "/", headers, body);
    assert_eq!(answer.status, 200, "{case}: {}", text(&answer));
    let event = json_of(&answer);
    for (name, value) in expected.as_object().expect("an object") {
        assert_eq!(event[name], *value, "{case}: {name} of {event}");
    }
}

/// An event of 0.1 as the tests of the Event Gateway have it.
fn old(id: &str) -> Value {
    json!({
        "eventType": "user.created", "cloudEventsVersion": "0.1", "source": "/mysource", "eventID": id,
        "contentType": "text/plain", "data": "test",
    })
}

/// The same as a function gets it.
fn kept(id: &str) -> Value {
    json!({
        "specversion": "1.0", "type": "user.created", "source": "/mysource", "id": id, "datacontenttype": "text/plain",
        "data": "test", "eventgateway": null,
    })
}

/// The four headers that make an event of 0.1.
fn in_headers(id: &str) -> Vec<(&str, &str)> {
    vec![
        ("CE-EventType", "myevent"),
        ("CE-CloudEventsVersion", "0.1"),
        ("CE-Source", "https://example.com"),
        ("CE-EventID", id),
    ]
}

#[test]
fn cloudevents_are_found_in_body_and_headers() {
    let gateway = Gateway::start();
    let space = echoing(&gateway);
    let check = |case: &str, headers: &[(&str, &str)], body: &str, expected: Value| {
        check_event(case, &space, (headers, body), &expected);
    };
    check("valid structured", &[STRUCTURED], &old("1").to_string(), kept("1"));
    let any = with(old("2"), json!({ "cloudEventsVersion": "9.9" })).to_string();
    check("the version is not looked at", &[STRUCTURED], &any, kept("2"));
    let more = json!({ "eventTime": "2018-04-05T17:31:00Z", "extensions": { "a": { "b": 1 } } });
    let shown = json!({ "time": "2018-04-05T17:31:00Z", "a": "{\"b\":1}" });
    check("structured with time", &[STRUCTURED], &with(old("3"), more).to_string(), with(kept("3"), shown));
    let event = [STRUCTURED, ("Event", "myevent")];
    check("structured comes before the header Event", &event, &old("4").to_string(), kept("4"));
    let event = [("Content-Type", "application/json"), ("Event", "myevent")];
    check("legacy JSON that is a valid CloudEvent", &event, &old("5").to_string(), kept("5"));

    let shown =
        |id: &str| json!({ "type": "myevent", "source": "https://example.com", "id": id, "eventgateway": null });
    let mut headers = in_headers("6");
    headers.push(("CE-EventTypeVersion", "0.1beta"));
    let bytes = json!({ "eventtypeversion": "0.1beta", "data": { "bytes": "hey there" } });
    check("binary valid", &headers, "hey there", with(shown("6"), bytes));
    let mut headers = in_headers("7");
    headers.extend([("CE-EventTime", "2018-04-05T17:31:00Z"), ("Content-Type", "application/json")]);
    let timed = json!({ "time": "2018-04-05T17:31:00Z", "data": { "a": 1 } });
    check("binary with time", &headers, r#"{"a":1}"#, with(shown("7"), timed));
    // Fixed: of names that begin with C, e, - or X letters were lost, and `CE-X-C` crashed the handler.
    let mut headers = in_headers("8");
    headers.extend([("CE-X-Key", "1"), ("CE-X-Ceiling", "2"), ("CE-X-C", "3"), ("Event", "user.created")]);
    let extended = json!({ "key": "1", "ceiling": "2", "c": "3" });
    check("binary extension header, before Event", &headers, "x", with(shown("8"), extended));
}

#[test]
fn other_bodies_are_wrapped() {
    let gateway = Gateway::start();
    let space = echoing(&gateway);
    let form = "--X\r\nContent-Disposition: form-data; name=\"some\"\r\n\r\nthing\r\n--X--\r\n";
    let bytes = |text: &str| json!({ "bytes": text });
    // The data of a custom event, and the body of an http.request, where bytes are base64.
    for (case, media_type, body, data, in_request) in [
        ("unknown type", "application/octet-stream", "some=thing", bytes("some=thing"), json!("c29tZT10aGluZw==")),
        ("form", "application/x-www-form-urlencoded", "some=thing", json!("some=thing"), json!("some=thing")),
        ("multipart", "multipart/form-data; boundary=X", form, json!(form), json!(form)),
        ("JSON", "application/json", r#"{"hello": "world"}"#, json!({ "hello": "world" }), json!({ "hello": "world" })),
        ("JSON suffix", "application/vnd.api+json", r#"{"a":1}"#, json!({ "a": 1 }), json!({ "a": 1 })),
        ("TestNew: not CloudEvent", "application/json", "test", bytes("test"), json!("dGVzdA==")),
        ("empty", "application/json", "", Value::Null, json!("")),
        // Different: these became base64.
        ("JSON with a charset", "application/json; charset=utf-8", r#"{"a":1}"#, json!({ "a": 1 }), json!({ "a": 1 })),
        ("a list", "application/json", "[1]", json!([1]), json!([1])),
        ("a scalar", "application/json", "7", json!(7), json!(7)),
        ("text", "text/plain", "hi", json!("hi"), json!("hi")),
    ] {
        let wrapped = json!({
            "type": "myevent", "source": SOURCE, "datacontenttype": media_type, "eventgateway": WRAPPED, "data": data,
        });
        let headers = [("Content-Type", media_type), ("Event", "myevent")];
        check_event(case, &space, (&headers, body), &wrapped);
        let answer = space.request("POST", "/", &[("Content-Type", media_type)], body);
        let event = json_of(&answer);
        assert_eq!((&event["type"], &event["data"]["body"]), (&json!("http.request"), &in_request), "{case}");
    }
    let untyped = json!({
        "type": "myevent", "source": SOURCE, "datacontenttype": "application/octet-stream", "eventgateway": WRAPPED,
        "data": { "bytes": "hey there" },
    });
    check_event("legacy event", &space, (&[("Event", "myevent")], "hey there"), &untyped);
}

#[test]
fn the_rest_are_requests() {
    let gateway = Gateway::start();
    let space = echoing(&gateway);
    let body = old("1");
    let base64 = "eyJhIjoxfQ==";
    let partly = [("CE-EventType", "myevent"), ("CE-CloudEventsVersion", "0.1")];
    let charset = [("Content-Type", "application/json; charset=utf-8")];
    for (case, headers, sent, shown) in [
        ("plain JSON, although it is a CloudEvent", &charset[..], body.to_string(), body),
        ("empty content type", &[("Content-Type", "")][..], r#"{"a":1}"#.to_owned(), json!(base64)),
        ("no content type", &[][..], r#"{"a":1}"#.to_owned(), json!(base64)),
        ("an empty Event", &[("Event", "")][..], String::new(), json!("")),
        ("not all headers of 0.1", &partly[..], String::new(), json!("")),
    ] {
        let answer = space.request("POST", "/?a=1&a=2&b=", headers, &sent);
        assert_eq!(answer.status, 200, "{case}: {}", text(&answer));
        let event = json_of(&answer);
        assert_eq!((&event["type"], &event["datacontenttype"]), (&json!("http.request"), &json!("application/json")));
        let data = &event["data"];
        assert_eq!(data["body"], shown, "{case}");
        assert_eq!((&data["method"], &data["path"]), (&json!("POST"), &json!("/")), "{case}");
        assert_eq!((&data["query"], &data["params"]), (&json!({ "a": ["1", "2"], "b": [""] }), &Value::Null), "{case}");
        assert_eq!(data["host"], space.server.events.to_string(), "{case}");
        assert_eq!(data["headers"]["Weir-Space"], "shop", "{case}");
    }
    let repeated = [("X-Tag", "a"), ("x-tag", "b")];
    let event = json_of(&space.request("POST", "/", &repeated, ""));
    assert_eq!(event["data"]["headers"]["X-Tag"], "a, b", "header flattening");
}

#[test]
fn what_is_no_event_is_refused() {
    let gateway = Gateway::start();
    let space = echoing(&gateway);
    let check = |case: &str, headers: &[(&str, &str)], body: &str, status: u16, message: &str| {
        check_refused(case, &space.request("POST", "/", headers, body), status, message);
    };
    let faults = |all: &[(&str, &str)]| {
        let all: Vec<_> = all.iter().map(|(name, rule)| field("Event", name, rule)).collect();
        format!("CloudEvent doesn't validate: {}", all.join("\n"))
    };
    let three = faults(&[("EventType", "required"), ("Source", "uri"), ("EventID", "required")]);
    check("structured missing fields", &[STRUCTURED], r#"{"cloudEventsVersion":"0.1"}"#, 400, &three);
    let source = with(old("1"), json!({ "source": "not a uri" })).to_string();
    check("structured with non-URI source", &[STRUCTURED], &source, 400, &faults(&[("Source", "uri")]));
    let headers = [&in_headers("1")[..2], &[("CE-Source", "not a uri"), ("CE-EventID", "1")]].concat();
    check("binary with non-URI source", &headers, "x", 400, &faults(&[("Source", "uri")]));

    // Different: what is wrong is told in Weir's words, not in those of a parser.
    let time = "attribute \"eventTime\" must be a time of RFC 3339 such as 2026-01-31T12:00:00Z";
    let bad = with(old("1"), json!({ "eventTime": "yesterday" })).to_string();
    check("structured with bad time", &[STRUCTURED], &bad, 400, time);
    let headers = [&in_headers("1")[..], &[("CE-EventTime", "yesterday")]].concat();
    check("binary with bad time", &headers, "x", 400, time);
    check("structured, empty", &[STRUCTURED], "", 400, "the body is empty: send an event as a JSON object");
    let broken = "the JSON is broken at line 1, column 13, in \"eventType\": it ends too early";
    check("structured, bad JSON", &[STRUCTURED], r#"{"eventType":"#, 400, broken);
    let media = "header \"content-type\" is not a media type (RFC 9110): send one such as application/json, or none";
    check("a content type that does not parse", &[("Content-Type", "a/b/c")], "x", 400, media);

    let reserved =
        |name: &str, cure: &str| format!("attribute \"type\" is \"{name}\", which only the platform may emit: {cure}");
    let (other, itself) = ("choose a name without this prefix", "send the request itself");
    let system = reserved("eventgateway.something", other);
    check("reject if system event", &[("Event", "eventgateway.something")], "x", 400, &system);
    let event = with(old("1"), json!({ "eventType": "eventgateway.something" })).to_string();
    check("reject if system event, structured", &[STRUCTURED], &event, 400, &system);
    check("Weir's own", &[("Event", "weir.something")], "x", 403, &reserved("weir.something", other));
    // Different: these two were taken, the second one was lost.
    check("an http.request", &[("Event", "http.request")], "x", 403, &reserved("http.request", itself));
    let unknown = "attribute \"type\" is \"nobody\", which is not registered in space \"shop\": register it with POST \
                   /v1/spaces/shop/eventtypes or in weir.toml";
    check("unregistered", &[("Event", "nobody")], "x", 400, unknown);
    assert_eq!(space.events(), Vec::<Value>::new());
}
