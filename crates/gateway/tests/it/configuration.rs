//! The Configuration API: statuses, fields and messages of the Event Gateway, and what was added beside them.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::support::{STRUCTURED, door, event};

const EVENT_TYPES: &str = "/v1/spaces/shop/eventtypes";
const FUNCTIONS: &str = "/v1/spaces/shop/functions";
const SUBSCRIPTIONS: &str = "/v1/spaces/shop/subscriptions";

fn http_function(id: &str) -> Value {
    json!({ "functionId": id, "type": "http", "provider": { "url": "http://localhost" } })
}

#[tokio::test]
async fn status_and_unknown_paths() {
    let door = door().await;
    let answer = door.configure("GET", "/v1/status", "").await;
    assert_eq!((answer.status, answer.text()), (200, ""));
    let answer = door.configure("GET", "/v1/nothing", "").await;
    assert_eq!((answer.status, answer.text()), (404, "404 page not found"));
    assert_eq!(answer.header("content-type"), Some("text/plain; charset=utf-8"));
    for (method, path, allow) in [
        ("POST", "/v1/status", "GET,HEAD"),
        ("PATCH", FUNCTIONS, "GET,HEAD,POST"),
        ("POST", "/v1/spaces/shop/functions/f", "GET,HEAD,PUT,DELETE"),
    ] {
        let answer = door.configure(method, path, "").await;
        assert_eq!((answer.status, answer.text()), (405, "Method Not Allowed"));
        assert_eq!(answer.header("allow"), Some(allow), "{path}");
    }
}

#[tokio::test]
async fn every_request_has_a_name() {
    let door = door().await;
    let id = "x-request-id";
    let mut made = Vec::new();
    for (method, path, status) in [
        ("GET", "/v1/status", 200),
        ("GET", "/v1/metrics", 200),
        ("GET", "/v1/spaces/default/functions", 200),
        ("DELETE", "/v1/spaces/default/functions/f", 404),
        ("DELETE", "/v1/status", 405),
        ("GET", "/nothing", 404),
    ] {
        let named = door.configure_with(method, path, &[(id, "mine-7")], "").await;
        assert_eq!((named.status, named.header(id)), (status, Some("mine-7")), "{method} {path}");
        let unnamed = door.configure_with(method, path, &[(id, "not sane")], "").await;
        made.push(unnamed.header(id).expect("a name").to_owned());
    }
    let different: BTreeSet<_> = made.iter().collect();
    assert!(different.len() == made.len() && made.iter().all(|made| made.starts_with("id-")), "{made:?}");
}

#[tokio::test]
async fn event_types_come_and_go() {
    let door = door().await;
    let answer = door.configure("GET", EVENT_TYPES, "").await;
    assert_eq!((answer.status, answer.json()), (200, json!({ "eventTypes": [] })));

    // Names that no subscription accepts can be registered all the same.
    let odd = json!({ "space": "shop", "name": "a/b c", "metadata": { "k": "v" } });
    let created = door.create_in("shop", "eventtypes", json!({ "name": "a/b c", "metadata": { "k": "v" } })).await;
    assert_eq!(created.header("content-type"), Some("application/json"));
    assert_eq!(created.json(), odd);
    door.register("shop", &["plain"]).await;
    let listed = door.configure("GET", EVENT_TYPES, "").await.json();
    assert_eq!(listed, json!({ "eventTypes": [odd, { "space": "shop", "name": "plain" }] }));
    let filtered = door.configure("GET", &format!("{EVENT_TYPES}?metadata.k=v"), "").await.json();
    assert_eq!(filtered["eventTypes"].as_array().map(Vec::len), Some(1));
    let one = door.configure("GET", &format!("{EVENT_TYPES}/a%2Fb%20c"), "").await;
    assert_eq!((one.status, one.json()), (200, odd));

    let again = door.configure("POST", EVENT_TYPES, r#"{"name":"plain"}"#).await;
    again.check_refused(409, "Event Type \"plain\" already exists.");
    assert_eq!(again.json()["errors"][0]["cure"], json!("update what exists, or delete it first"));
    let path = format!("{EVENT_TYPES}/plain");
    let updated = door.configure("PUT", &path, r#"{"key":"/subject","name":"ignored"}"#).await;
    assert_eq!((updated.status, updated.json()["key"].clone()), (200, json!("/subject")));
    assert!(updated.position() > created.position());
    let deleted = door.configure("DELETE", &path, "").await;
    assert_eq!((deleted.status, deleted.text()), (204, ""));
    assert!(deleted.position() > updated.position());
    for method in ["GET", "DELETE"] {
        door.configure(method, &path, "").await.check_refused(404, "Event Type \"plain\" not found.");
    }
    door.configure("PUT", &path, "{}").await.check_refused(404, "Event Type \"plain\" not found.");
}

#[tokio::test]
async fn faults_of_event_types() {
    let door = door().await;
    let prefix = "Event Type doesn't validate. Validation error: ";
    let required = "Key: 'Type.Name' Error:Field validation for 'Name' failed on the 'required' tag";
    for (path, body, detail) in [
        (EVENT_TYPES, "{", "unexpected EOF"),
        (EVENT_TYPES, "{}", required),
        (
            "/v1/spaces/ab/eventtypes",
            r#"{"name":"a"}"#,
            "Key: 'Type.Space' Error:Field validation for 'Space' failed on the 'min' tag",
        ),
    ] {
        door.configure("POST", path, body).await.check_refused(400, &format!("{prefix}{detail}"));
    }
    let guarded = r#"{"name":"a","authorizerId":"guard"}"#;
    door.configure("POST", EVENT_TYPES, guarded).await.check_refused(400, "Authorizer function doesn't exists.");
    door.create_in("shop", "functions", http_function("guard")).await;
    let answer = door.configure("POST", EVENT_TYPES, guarded).await;
    assert_eq!((answer.status, answer.json()["authorizerId"].clone()), (201, json!("guard")));
    let message = "Function guard cannot be deleted because is used as an authorizer for a event type.";
    door.configure("DELETE", &format!("{FUNCTIONS}/guard"), "").await.check_refused(400, message);
}

#[tokio::test]
async fn functions_come_and_go() {
    let door = door().await;
    let shown = json!({
        "space": "shop", "functionId": "f", "type": "http", "provider": { "url": "http://localhost" },
    });
    assert_eq!(door.create_in("shop", "functions", http_function("f")).await.json(), shown);
    assert_eq!(door.configure("GET", FUNCTIONS, "").await.json(), json!({ "functions": [shown] }));
    let path = format!("{FUNCTIONS}/f");
    assert_eq!(door.configure("GET", &path, "").await.json(), shown);
    let again = door.configure("POST", FUNCTIONS, &http_function("f").to_string()).await;
    again.check_refused(409, "Function \"f\" already registered.");

    let source = json!({ "type": "wasm", "provider": { "javascript": "export function handle() {}" } });
    let updated = door.configure("PUT", &path, &source.to_string()).await;
    assert_eq!((updated.status, updated.json()["type"].clone()), (200, json!("wasm")));
    assert_eq!(updated.json()["provider"]["javascript"], json!("export function handle() {}"));
    assert_eq!(door.configure("DELETE", &path, "").await.status, 204);
    for (method, body) in [("GET", String::new()), ("DELETE", String::new()), ("PUT", http_function("f").to_string())] {
        door.configure(method, &path, &body).await.check_refused(404, "Function \"f\" not found.");
    }
}

#[tokio::test]
async fn faults_of_functions() {
    let door = door().await;
    let prefix = "Function doesn't validate. Validation error: ";
    let check = async |body: Value, detail: &str| {
        let answer = door.configure("POST", FUNCTIONS, &body.to_string()).await;
        answer.check_refused(400, &format!("{prefix}{detail}"));
    };
    check(json!({ "functionId": "f" }), "provider configuration not set").await;
    check(json!({ "functionId": "f", "type": "awslambda" }), "missing required fields for AWS Lambda function").await;
    check(json!({ "functionId": "f", "type": "weighted" }), "provider weighted not supported").await;
    check(json!({ "functionId": "f", "type": "http" }), "missing required fields for HTTP endpoint").await;
    let relative = json!({ "functionId": "f", "type": "http", "provider": { "url": "relative" } });
    check(relative, "missing required fields for HTTP endpoint").await;
    let field = "Key: 'Function.ID' Error:Field validation for 'ID' failed on the 'functionid' tag";
    check(http_function("a b"), field).await;
    let wrong = json!({ "functionId": "f", "type": "http", "provider": [] });
    check(wrong, "unable to load function provider config: invalid type: sequence, expected a map").await;
    let code = json!({ "functionId": "broken", "type": "wasm", "provider": { "javascript": "export function" } });
    check(code, "line 1: unexpected end of input").await;
    assert_eq!(door.configure("GET", FUNCTIONS, "").await.json(), json!({ "functions": [] }));
}

#[tokio::test]
async fn subscriptions_come_and_go() {
    let door = door().await;
    door.register("shop", &["user.created"]).await;
    door.create_in("shop", "functions", http_function("func")).await;
    let given = json!({ "type": "async", "eventType": "user.created", "functionId": "func", "method": "GET" });
    let id = "YXN5bmMsdXNlci5jcmVhdGVkLGZ1bmMsJTJGLEdFVA";
    let shown = json!({
        "space": "shop",
        "subscriptionId": id,
        "type": "async",
        "eventType": "user.created",
        "functionId": "func",
        "path": "/",
        "method": "GET",
    });
    assert_eq!(door.create_in("shop", "subscriptions", given.clone()).await.json(), shown);
    assert_eq!(door.configure("GET", SUBSCRIPTIONS, "").await.json(), json!({ "subscriptions": [shown] }));
    let path = format!("{SUBSCRIPTIONS}/{id}");
    assert_eq!(door.configure("GET", &path, "").await.json(), shown);
    let again = door.configure("POST", SUBSCRIPTIONS, &given.to_string()).await;
    again.check_refused(409, &format!("Subscription \"{id}\" already exists."));

    let mut changed = given.clone();
    changed["metadata"] = json!({ "k": "v" });
    changed["retry"] = json!({ "attemptsMax": 3 });
    let updated = door.configure("PUT", &path, &changed.to_string()).await.json();
    assert_eq!((&updated["metadata"]["k"], &updated["retry"]["attemptsMax"]), (&json!("v"), &json!(3)));
    changed["path"] = json!("/other");
    let message = "Invalid update. 'Path' of existing subscription cannot be updated.";
    door.configure("PUT", &path, &changed.to_string()).await.check_refused(400, message);

    let message = "Event type cannot be deleted because there are subscriptions using it.";
    door.configure("DELETE", &format!("{EVENT_TYPES}/user.created"), "").await.check_refused(400, message);
    let message = "Function cannot be deleted because it's subscribed to a least one event.";
    door.configure("DELETE", &format!("{FUNCTIONS}/func"), "").await.check_refused(400, message);
    assert_eq!(door.configure("DELETE", &path, "").await.status, 204);
    let message = format!("Subscription \"{id}\" not found.");
    for (method, body) in [("GET", String::new()), ("DELETE", String::new()), ("PUT", given.to_string())] {
        door.configure(method, &path, &body).await.check_refused(404, &message);
    }
}

#[tokio::test]
async fn subscriptions_are_paused_drained_and_resumed() {
    let door = door().await;
    door.register("shop", &["a"]).await;
    door.create_in("shop", "functions", http_function("f")).await;
    let given = json!({ "type": "async", "eventType": "a", "functionId": "f", "start": "earliest" });
    let made = door.create_in("shop", "subscriptions", given.clone()).await.json();
    let path = format!("{SUBSCRIPTIONS}/{}", made["subscriptionId"].as_str().expect("an identifier"));
    let shown = |state: Option<&str>| {
        let mut shown = made.clone();
        if let Some(state) = state {
            shown["state"] = json!(state);
        }
        shown
    };
    let rehearsed = door.configure("POST", &format!("{path}/pause?dryRun=true"), "").await;
    assert_eq!((rehearsed.json(), rehearsed.header("weir-position")), (shown(Some("paused")), None));
    assert_eq!(door.configure("GET", &path, "").await.json(), made);
    // Twice each: what is so already is no mistake.
    for (verb, state) in [("pause", Some("paused")), ("drain", Some("draining")), ("resume", None)] {
        for _ in 0..2 {
            let answer = door.configure("POST", &format!("{path}/{verb}"), "").await;
            assert_eq!((answer.status, answer.json()), (200, shown(state)), "{verb}");
            assert_eq!(answer.header("etag"), Some(format!("\"{}\"", answer.position()).as_str()), "{verb}");
            // A declaration says nothing of it.
            let replaced = door.configure("PUT", &path, &given.to_string()).await;
            assert_eq!((replaced.status, replaced.json()), (200, shown(state)), "{verb}");
        }
    }
    let mut elsewhere = given.clone();
    elsewhere["start"] = json!({ "position": 1 });
    let message = "Invalid update. 'Start' of existing subscription cannot be updated.";
    door.configure("PUT", &path, &elsewhere.to_string()).await.check_refused(400, message);

    let route = json!({ "type": "sync", "eventType": "http.request", "functionId": "f", "path": "/x" });
    let route = door.create_in("shop", "subscriptions", route).await.json();
    let path = format!("{SUBSCRIPTIONS}/{}/pause", route["subscriptionId"].as_str().expect("an identifier"));
    let message = "Subscription doesn't validate. Validation error: only an async subscription can be paused, drained or \
                   resumed: the callers of this one wait";
    door.configure("POST", &path, "").await.check_refused(400, message);
    let message = "Subscription \"nothing\" not found.";
    door.configure("POST", &format!("{SUBSCRIPTIONS}/nothing/drain"), "").await.check_refused(404, message);
}

#[tokio::test]
async fn faults_of_subscriptions() {
    let door = door().await;
    door.register("shop", &["a"]).await;
    door.create_in("shop", "functions", http_function("f")).await;
    let check = async |body: Value, message: &str| {
        door.configure("POST", SUBSCRIPTIONS, &body.to_string()).await.check_refused(400, message);
    };
    let with = |event_type: &str, function: &str, path: &str| json!({ "type": "sync", "eventType": event_type, "functionId": function, "path": path, "method": "get" });
    check(with("b", "f", "/"), "Event Type \"b\" not found.").await;
    check(with("a", "g", "/"), "Function \"g\" not found.").await;
    door.create_in("shop", "subscriptions", with("a", "f", "/users/:id")).await;
    let conflict = "Subscription path conflict: parameter with different name (\"id\") already defined: for route: \
                    /users/:name";
    check(with("a", "f", "/users/:name"), conflict).await;
    check(with("a", "f", "/x/*rest/y"), "Subscription path conflict: wildcard must be the last parameter").await;
    let mut method = with("a", "f", "/");
    method["method"] = json!("TRACE");
    let rule = "eq=GET|eq=POST|eq=DELETE|eq=PUT|eq=PATCH|eq=HEAD|eq=OPTIONS";
    let message = format!(
        "Subscription doesn't validate. Validation error: Key: 'Subscription.Method' Error:Field validation for \
         'Method' failed on the '{rule}' tag"
    );
    check(method, &message).await;
}

#[tokio::test]
async fn a_change_is_in_force_when_it_is_answered() {
    let door = door().await;
    for round in 0..10 {
        let name = format!("type-{round}");
        door.register("default", &[&name]).await;
        assert_eq!(door.post(STRUCTURED, &event("1", &name, "")).await.status, 202);
        let path = format!("/v1/spaces/default/eventtypes/{name}");
        assert_eq!(door.configure("DELETE", &path, "").await.status, 204);
        assert_eq!(door.post(STRUCTURED, &event("1", &name, "")).await.status, 400);
    }
}
