//! The cases of functions: `httpapi`, `libkv`, and how providers are read. Those of AWS are refused.

use serde_json::{Value, json};

use super::{Gateway, field, url_function, with};

const PREFIX: &str = "Function doesn't validate. Validation error: ";

#[test]
fn functions_are_made_shown_and_listed() {
    let gateway = Gateway::start();
    let space = gateway.space("shop");
    space.gives("list: empty", ("GET", "functions", ""), 200, &json!({ "functions": [] }));
    let shown = |id: &str, metadata: Value| with(url_function(id), json!({ "space": "shop", "metadata": metadata }));
    let (one, two) = (shown("one", json!({ "k": "v", "l": "w" })), shown("two", json!({ "k": "v" })));
    for (case, function) in [("register: created", &one), ("register: another", &two)] {
        space.gives(case, ("POST", "functions", &function.to_string()), 201, function);
    }
    space.gives("get: returned", ("GET", "functions/one", ""), 200, &one);
    for (case, query, expected) in [
        ("list: all", "", json!([one, two])),
        ("list: filtered", "?metadata.k=v&metadata.l=w", json!([one])),
        ("list: nothing fits", "?metadata.k=w", json!([])),
    ] {
        space.gives(case, ("GET", &format!("functions{query}"), ""), 200, &json!({ "functions": expected }));
    }
    let changed = json!({
        "space": "shop", "functionId": "one", "type": "http", "provider": { "url": "https://example.com/other" },
    });
    space.gives("libkv, update: updated", ("PUT", "functions/one", &changed.to_string()), 200, &changed);
    space.gives("libkv, update: it stays", ("GET", "functions/one", ""), 200, &changed);
    space.deletes("delete: deleted", "functions/one");
}

#[test]
fn functions_are_refused_with_the_same_words() {
    let gateway = Gateway::start();
    let space = gateway.space("shop");
    space.create("functions", &url_function("func"));
    let (again, odd) = (url_function("func").to_string(), url_function("a b").to_string());
    let missing = "Function \"missing\" not found.".to_owned();
    let invalid = |detail: &str| format!("{PREFIX}{detail}");
    let no_url = invalid("missing required fields for HTTP endpoint");
    for (case, method, path, body, status, message) in [
        ("get: not found", "GET", "/missing", "", 404, missing.clone()),
        ("register: exists", "POST", "", &*again, 409, "Function \"func\" already registered.".to_owned()),
        ("register: validation", "POST", "", &*odd, 400, invalid(&field("Function", "ID", "functionid"))),
        ("register: malformed JSON", "POST", "", r#"{"functionId":"#, 400, invalid("unexpected EOF")),
        ("load: no type", "POST", "", r#"{"functionId":"f"}"#, 400, invalid("provider configuration not set")),
        (
            "load: unknown type",
            "POST",
            "",
            r#"{"functionId":"f","type":"openwhisk"}"#,
            400,
            invalid("provider openwhisk not supported"),
        ),
        // Crashed the handler.
        ("load: no provider", "POST", "", r#"{"functionId":"f","type":"http"}"#, 400, no_url.clone()),
        ("load: no URL", "POST", "", r#"{"functionId":"f","type":"http","provider":{}}"#, 400, no_url.clone()),
        (
            "load: no such URL",
            "POST",
            "",
            r#"{"functionId":"f","type":"http","provider":{"url":"/relative"}}"#,
            400,
            no_url,
        ),
        (
            "load: a provider of another type",
            "POST",
            "",
            r#"{"functionId":"f","type":"http","provider":[]}"#,
            400,
            invalid("unable to load function provider config: invalid type: sequence, expected a map"),
        ),
        ("libkv, update: not found", "PUT", "/missing", &*again, 404, missing.clone()),
        ("libkv, update: validation", "PUT", "/func", "{}", 400, invalid("provider configuration not set")),
        ("libkv, update: malformed JSON", "PUT", "/func", "{", 400, invalid("unexpected EOF")),
        ("delete: not found", "DELETE", "/missing", "", 404, missing),
    ] {
        space.refuses(case, (method, &format!("functions{path}"), body), status, &message);
    }
    let only = with(url_function("func"), json!({ "space": "shop" }));
    space.gives("nothing of this was done", ("GET", "functions", ""), 200, &json!({ "functions": [only] }));
}

#[test]
fn functions_stay_while_somebody_needs_them() {
    let gateway = Gateway::start();
    let space = gateway.space("shop");
    for id in ["subscribed", "guard"] {
        space.create("functions", &url_function(id));
    }
    space.create("eventtypes", &json!({ "name": "user.created", "authorizerId": "guard" }));
    let subscription = json!({ "type": "async", "eventType": "user.created", "functionId": "subscribed" });
    space.create("subscriptions", &subscription);
    for (case, path, message) in [
        (
            "delete: has subscriptions",
            "functions/subscribed",
            "Function cannot be deleted because it's subscribed to a least one event.",
        ),
        (
            "delete: is authorizer",
            "functions/guard",
            "Function guard cannot be deleted because is used as an authorizer for user.created event type.",
        ),
    ] {
        space.refuses(case, ("DELETE", path, ""), 400, message);
    }
    // Secrets are not shown: they came back in clear.
    let secret = with(
        url_function("secret"),
        json!({ "provider": { "url": "http://127.0.0.1:1/hook", "headers": { "x-api-key": "s3cret" } } }),
    );
    space.create("functions", &secret);
    let answer = space.configure("GET", "functions/secret", "");
    assert!(!super::text(&answer).contains("s3cret"), "{}", super::text(&answer));
}
