//! The cases of CORS: `httpapi`, and what the router and the cache did with it.

use serde_json::{Value, json};

use super::{Gateway, Space, field, with};
use crate::process::Answer;

const PREFIX: &str = "CORS configuration doesn't validate. Validation error: ";
const METHODS: &str = "eq=GET|eq=POST|eq=DELETE|eq=PUT|eq=PATCH|eq=HEAD|eq=OPTIONS";
/// The identifier of all these cases; it is sent as it came, still escaped.
const ITEM: &str = "cors/GET%2Fhello";

/// As it is shown where nothing but method and path is given.
fn hello() -> Value {
    json!({
        "space": "shop", "corsId": "GET%2Fhello", "method": "GET", "path": "/hello", "allowedOrigins": ["*"],
        "allowedMethods": ["HEAD", "GET", "POST"], "allowedHeaders": ["Origin", "Accept", "Content-Type"],
        "allowCredentials": false,
    })
}

#[test]
fn configurations_are_made_shown_listed_changed_and_go() {
    let gateway = Gateway::start();
    let space = gateway.space("shop");
    space.gives("list: empty", ("GET", "cors", ""), 200, &json!({ "cors": [] }));
    space.gives(
        "create: created, libkv: defaults",
        ("POST", "cors", r#"{"method":"GET","path":"/hello"}"#),
        201,
        &hello(),
    );
    let other =
        json!({ "corsId": "PUT%2Fusers%2F:id", "method": "PUT", "path": "/users/:id", "metadata": { "k": "v" } });
    let other = with(hello(), other);
    space.gives("create: another", ("POST", "cors", &other.to_string()), 201, &other);
    space.gives("get: returned", ("GET", ITEM, ""), 200, &hello());
    for (case, query, expected) in [
        ("list: all", "", json!([hello(), other])),
        ("list: filtered", "?metadata.k=v", json!([other])),
        ("list: nothing fits", "?metadata.k=w", json!([])),
    ] {
        space.gives(case, ("GET", &format!("cors{query}"), ""), 200, &json!({ "cors": expected }));
    }
    let changed = with(hello(), json!({ "allowedOrigins": ["https://example.com"], "allowCredentials": true }));
    space.gives("update: updated", ("PUT", ITEM, &changed.to_string()), 200, &changed);
    space.gives("update: it stays", ("GET", ITEM, ""), 200, &changed);
    space.deletes("delete: deleted", ITEM);
    let missing = "CORS configuration \"GET%2Fhello\" not found.";
    space.refuses("delete: not found", ("DELETE", ITEM, ""), 404, missing);
}

#[test]
fn configurations_are_refused_with_the_same_words() {
    let gateway = Gateway::start();
    let space = gateway.space("shop");
    space.create("cors", &json!({ "method": "GET", "path": "/hello" }));
    let invalid = |name: &str, rule: &str| format!("{PREFIX}{}", field("CORS", name, rule));
    let eof = format!("{PREFIX}unexpected EOF");
    let missing = "CORS configuration \"GET%2Fmissing\" not found.".to_owned();
    let exists = "CORS configuration \"GET%2Fhello\" already exists.".to_owned();
    let fixed = |field: &str| format!("Invalid update. '{field}' of existing CORS configuration cannot be updated.");
    let nothing = format!("{}\n{}", invalid("Method", "required"), field("CORS", "Path", "required"));
    for (case, method, path, body, status, message) in [
        ("get: not found", "GET", "cors/GET%2Fmissing", "", 404, missing.clone()),
        ("create: exists", "POST", "cors", r#"{"method":"GET","path":"/hello"}"#, 409, exists),
        ("create: nothing in it", "POST", "cors", "{}", 400, nothing),
        ("create: capitals", "POST", "cors", r#"{"method":"get","path":"/a"}"#, 400, invalid("Method", METHODS)),
        ("create: slash", "POST", "cors", r#"{"method":"GET","path":"a"}"#, 400, invalid("Path", "path")),
        ("create: malformed JSON", "POST", "cors", "{", 400, eof.clone()),
        ("update: invalid JSON", "PUT", ITEM, "{", 400, eof),
        ("update: not found", "PUT", "cors/GET%2Fmissing", "{}", 404, missing.clone()),
        ("update: validation", "PUT", ITEM, r#"{"method":"get","path":"/hello"}"#, 400, invalid("Method", METHODS)),
        // Another method or path was a 500.
        ("libkv, update: method", "PUT", ITEM, r#"{"method":"PUT","path":"/hello"}"#, 400, fixed("Method")),
        ("libkv, update: path", "PUT", ITEM, r#"{"method":"GET","path":"/other"}"#, 400, fixed("Path")),
        ("delete: not found", "DELETE", "cors/GET%2Fmissing", "", 404, missing),
    ] {
        space.refuses(case, (method, path, body), status, &message);
    }
    space.gives("nothing of this was done", ("GET", ITEM, ""), 200, &hello());
}

fn preflight(space: &Space<'_>, path: &str, method: &str) -> Answer {
    let asked = [
        ("origin", "http://example.com"),
        ("access-control-request-method", method),
        ("access-control-request-headers", "x-api-key"),
    ];
    space.request("OPTIONS", path, &asked, "")
}

/// What an answer allows: origin, methods, headers, credentials.
fn allowed(answer: &Answer) -> [Option<&str>; 4] {
    ["origin", "methods", "headers", "credentials"].map(|part| answer.header(&format!("access-control-allow-{part}")))
}

#[test]
fn preflights_and_answers_tell_what_is_allowed() {
    const ORIGIN: &str = "http://example.com";
    let gateway = Gateway::start();
    let space = gateway.space("shop");
    space.script("ok", "return { body: 'ran' };");
    space.route("ok", "http.request", "PUT", "/test/:id");
    space.create(
        "cors",
        &json!({
            "method": "PUT", "path": "/test/:id", "allowedOrigins": [ORIGIN], "allowedMethods": ["PUT"],
            "allowedHeaders": ["*"],
        }),
    );
    // router: allow CORS preflight when configured
    let answer = preflight(&space, "/test/7", "PUT");
    assert_eq!((answer.status, super::text(&answer)), (200, ""));
    assert_eq!(allowed(&answer), [Some(ORIGIN), Some("PUT"), Some("X-Api-Key"), None]);
    let put = |origin: &str| space.request("PUT", "/test/7", &[("origin", origin)], "");
    let answer = put(ORIGIN);
    assert_eq!((super::text(&answer), allowed(&answer)), ("ran", [Some(ORIGIN), None, None, None]));
    // One that is not allowed gets no headers, and what it asked for is done: it is the browser that keeps it back.
    let answer = put("http://other.example");
    assert_eq!((super::text(&answer), allowed(&answer)), ("ran", [None; 4]));
    // Different: without a configuration a pre-flight was an event, 202; now it is told the methods, or 404.
    let answer = preflight(&space, "/test/7", "GET");
    assert_eq!((answer.status, allowed(&answer)), (204, [None; 4]));
    assert_eq!(preflight(&space, "/elsewhere", "PUT").status, 404);
    // Fixed: an update of a configuration is in force at once; it was only after a restart.
    let closed = json!({ "allowedOrigins": ["http://other.example"], "allowedMethods": ["PUT"] });
    assert_eq!(space.configure("PUT", "cors/PUT%2Ftest%2F:id", &closed.to_string()).status, 200);
    assert_eq!(allowed(&put(ORIGIN)), [None; 4]);
    assert_eq!(allowed(&put("http://other.example"))[0], Some("http://other.example"));
    // Fixed: spaces are apart, on the Events API too.
    assert_eq!(preflight(&gateway.space("another"), "/test/7", "PUT").status, 404);
}
