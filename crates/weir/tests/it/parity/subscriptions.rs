//! The cases of subscriptions: `httpapi` and `libkv`. Paths that conflict are in `routes.rs`.

use serde_json::{Value, json};

use super::{Gateway, Space, field, route, url_function, with};

const PREFIX: &str = "Subscription doesn't validate. Validation error: ";
/// Of `async,user.created,func,%2F,GET`, as a test of `libkv` has it.
const ASYNC_ID: &str = "YXN5bmMsdXNlci5jcmVhdGVkLGZ1bmMsJTJGLEdFVA";
/// Of `sync,http.request,%2F,POST`, likewise.
const SYNC_ID: &str = "c3luYyxodHRwLnJlcXVlc3QsJTJGLFBPU1Q";

/// A space with the types `user.created` and `http.request` and the functions `func` and `other`.
fn prepared<'a>(gateway: &'a Gateway, name: &'a str) -> Space<'a> {
    let space = gateway.space(name);
    for event_type in ["user.created", "http.request"] {
        space.create("eventtypes", &json!({ "name": event_type }));
    }
    for id in ["func", "other"] {
        space.create("functions", &url_function(id));
    }
    space
}

fn listener() -> Value {
    json!({ "type": "async", "eventType": "user.created", "functionId": "func", "path": "/", "method": "GET" })
}

#[test]
fn subscriptions_are_made_shown_and_listed() {
    let gateway = Gateway::start();
    let space = prepared(&gateway, "shop");
    space.gives("list: empty", ("GET", "subscriptions", ""), 200, &json!({ "subscriptions": [] }));
    let known = |id: &str| json!({ "space": "shop", "subscriptionId": id });
    let metadata = json!({ "metadata": { "k": "v" } });
    let listening = with(with(listener(), known(ASYNC_ID)), metadata.clone());
    let routed = with(route("func", "http.request", "POST", "/"), known(SYNC_ID));
    let given = with(listener(), metadata);
    space.gives("create: created", ("POST", "subscriptions", &given.to_string()), 201, &listening);
    let given = r#"{"type":"sync","eventType":"http.request","functionId":"func","subscriptionId":"mine"}"#;
    space.gives("libkv, create: defaults, derived id", ("POST", "subscriptions", given), 201, &routed);
    let given = route("other", "http.request", "get", "users/:id").to_string();
    let id = "c3luYyxodHRwLnJlcXVlc3QsJTJGdXNlcnMlMkY6aWQsR0VU";
    let normal = with(route("other", "http.request", "GET", "/users/:id"), known(id));
    space.gives("create: slash added, capitals", ("POST", "subscriptions", &given), 201, &normal);

    // The event gateway's order, by identifier: the function is no part of a sync one's.
    let all = json!([listening, routed, normal]);
    for (case, query, expected) in [
        ("list: all", "", &all),
        ("list: filtered", "?metadata.k=v", &json!([listening])),
        ("list: nothing fits", "?metadata.k=w", &json!([])),
    ] {
        let expected = json!({ "subscriptions": expected });
        space.gives(case, ("GET", &format!("subscriptions{query}"), ""), 200, &expected);
    }
    space.gives("get: returned", ("GET", &format!("subscriptions/{ASYNC_ID}"), ""), 200, &listening);
    let second = route("other", "http.request", "POST", "/").to_string();
    let exists = format!("Subscription \"{SYNC_ID}\" already exists.");
    space.refuses("create: one function to a route", ("POST", "subscriptions", &second), 409, &exists);
    for id in [ASYNC_ID, SYNC_ID] {
        space.deletes("delete: deleted", &format!("subscriptions/{id}"));
    }
    let gone = format!("Subscription \"{ASYNC_ID}\" not found.");
    space.refuses("delete: twice", ("DELETE", &format!("subscriptions/{ASYNC_ID}"), ""), 404, &gone);
}

#[test]
fn what_cannot_be_subscribed_to_is_refused_with_the_same_words() {
    let gateway = Gateway::start();
    let space = prepared(&gateway, "shop");
    space.create("subscriptions", &listener());
    let invalid = |name: &str, rule: &str| format!("{PREFIX}{}", field("Subscription", name, rule));
    let required = ["Type", "EventType", "FunctionID"].map(|name| field("Subscription", name, "required"));
    let methods = "eq=GET|eq=POST|eq=DELETE|eq=PUT|eq=PATCH|eq=HEAD|eq=OPTIONS";
    for (case, changed, status, message) in [
        ("create: exists", json!({}), 409, format!("Subscription \"{ASYNC_ID}\" already exists.")),
        ("create: event type not found", json!({ "eventType": "no" }), 400, "Event Type \"no\" not found.".to_owned()),
        ("create: function not found", json!({ "functionId": "no" }), 400, "Function \"no\" not found.".to_owned()),
        ("create: validation of the type", json!({ "type": "both" }), 400, invalid("Type", "eq=async|eq=sync")),
        ("create: validation of the method", json!({ "method": "TRACE" }), 400, invalid("Method", methods)),
        ("create: validation of the event type", json!({ "eventType": "a/b" }), 400, invalid("EventType", "eventType")),
        (
            "create: validation of the function",
            json!({ "functionId": "a b" }),
            400,
            invalid("FunctionID", "functionid"),
        ),
        // Fields first, then what exists, and the event type before the function.
        (
            "create: order",
            json!({ "functionId": "no", "eventType": "no" }),
            400,
            "Event Type \"no\" not found.".to_owned(),
        ),
    ] {
        let body = with(listener(), changed).to_string();
        space.refuses(case, ("POST", "subscriptions", &body), status, &message);
    }
    for (case, body, detail) in [
        ("create: invalid JSON", r#"{"type":"#, "unexpected EOF".to_owned()),
        ("create: nothing in it", "{}", required.join("\n")),
    ] {
        space.refuses(case, ("POST", "subscriptions", body), 400, &format!("{PREFIX}{detail}"));
    }
}

#[test]
fn subscriptions_keep_what_makes_them() {
    let gateway = Gateway::start();
    let space = prepared(&gateway, "shop");
    space.create("subscriptions", &listener());
    let path = format!("subscriptions/{ASYNC_ID}");
    let body = with(listener(), json!({ "metadata": { "k": "v" } }));
    let shown = with(body.clone(), json!({ "space": "shop", "subscriptionId": ASYNC_ID }));
    space.gives("update: updated", ("PUT", &path, &body.to_string()), 200, &shown);
    for (case, field, value) in [
        ("update: type", "Type", json!({ "type": "sync" })),
        ("update: event type", "EventType", json!({ "eventType": "http.request" })),
        ("update: function", "FunctionID", json!({ "functionId": "other" })),
        // That there is no such function is not asked: the field may not change at all.
        ("update: function not found", "FunctionID", json!({ "functionId": "no" })),
        ("update: path", "Path", json!({ "path": "/a" })),
        ("update: method", "Method", json!({ "method": "PUT" })),
    ] {
        let message = format!("Invalid update. '{field}' of existing subscription cannot be updated.");
        space.refuses(case, ("PUT", &path, &with(listener(), value).to_string()), 400, &message);
    }
    let whole = listener().to_string();
    let missing = "Subscription \"missing\" not found.";
    space.refuses("update: not found", ("PUT", "subscriptions/missing", &whole), 404, missing);
    space.refuses("get: not found", ("GET", "subscriptions/missing", ""), 404, missing);
    space.refuses("delete: not found", ("DELETE", "subscriptions/missing", ""), 404, missing);
    space.refuses("update: invalid JSON", ("PUT", &path, "{"), 400, &format!("{PREFIX}unexpected EOF"));
    let detail = field("Subscription", "Type", "eq=async|eq=sync");
    let body = with(listener(), json!({ "type": "both" })).to_string();
    space.refuses("update: validation", ("PUT", &path, &body), 400, &format!("{PREFIX}{detail}"));
    space.gives("nothing of this was done", ("GET", &path, ""), 200, &shown);
}
