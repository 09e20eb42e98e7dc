//! The cases of event types: `httpapi` and `libkv`.

use serde_json::json;

use super::{Gateway, field, url_function};

const PREFIX: &str = "Event Type doesn't validate. Validation error: ";

#[test]
fn event_types_are_made_shown_and_listed() {
    let gateway = Gateway::start();
    let space = gateway.space("shop");
    let created = json!({ "space": "shop", "name": "user.created", "metadata": { "team": "a", "stage": "dev" } });
    let gone = json!({ "space": "shop", "name": "user.gone", "metadata": { "team": "a" } });
    let none = json!({ "eventTypes": [] });
    space.gives("libkv, list: a missing directory is empty", ("GET", "eventtypes", ""), 200, &none);
    for (case, shown) in [("create: created", &created), ("create: another", &gone)] {
        space.gives(case, ("POST", "eventtypes", &shown.to_string()), 201, shown);
    }
    space.gives("get: returned", ("GET", "eventtypes/user.created", ""), 200, &created);
    for (case, query, expected) in [
        ("list: all", "", json!([created, gone])),
        ("list: filtered", "?metadata.team=a", json!([created, gone])),
        ("list: every filter counts", "?metadata.team=a&metadata.stage=dev", json!([created])),
        ("list: values are compared whole", "?metadata.stage=de", json!([])),
        ("list: other parameters are passed over", "?team=b", json!([created, gone])),
    ] {
        let expected = json!({ "eventTypes": expected });
        space.gives(case, ("GET", &format!("eventtypes{query}"), ""), 200, &expected);
    }
    // The space of the path counts, names of members are read in any case, and what is not known is passed over.
    let body = r#"{"NAME":"a/b c","space":"other","unknown":1}"#;
    space.gives("create: any name", ("POST", "eventtypes", body), 201, &json!({ "space": "shop", "name": "a/b c" }));
    let default = json!({ "space": "default", "name": "user.created" });
    gateway.space("default").gives(
        "libkv, create: the default space",
        ("POST", "eventtypes", r#"{"name":"user.created"}"#),
        201,
        &default,
    );
}

#[test]
fn event_types_are_refused_with_the_same_words() {
    let gateway = Gateway::start();
    let space = gateway.space("shop");
    space.create("eventtypes", &json!({ "name": "user.created" }));
    let name = field("Type", "Name", "required");
    for (case, method, path, body, status, message) in [
        ("get: not found", "GET", "missing", "", 404, "Event Type \"missing\" not found.".to_owned()),
        ("create: exists", "POST", "", r#"{"name":"user.created"}"#, 409, exists()),
        ("create: validation", "POST", "", "{}", 400, format!("{PREFIX}{name}")),
        ("create: malformed JSON", "POST", "", r#"{"name":"#, 400, format!("{PREFIX}unexpected EOF")),
        ("create: no JSON at all", "POST", "", "", 400, format!("{PREFIX}unexpected EOF")),
        // Was 500, which an update never was: docs/http-api.md knows it as 400 for both.
        ("create: authorizer missing", "POST", "", r#"{"name":"a","authorizerId":"no"}"#, 400, no_authorizer()),
        ("update: missing", "PUT", "missing", "{}", 404, "Event Type \"missing\" not found.".to_owned()),
        ("update: authorizer missing", "PUT", "user.created", r#"{"authorizerId":"no"}"#, 400, no_authorizer()),
        ("update: malformed JSON", "PUT", "user.created", "{", 400, format!("{PREFIX}unexpected EOF")),
        (
            "update: validation",
            "PUT",
            "user.created",
            r#"{"metadata":{"a":1}}"#,
            400,
            format!("{PREFIX}metadata: invalid type: integer `1`, expected a string"),
        ),
        ("delete: not found", "DELETE", "missing", "", 404, "Event Type \"missing\" not found.".to_owned()),
    ] {
        let path = if path.is_empty() { "eventtypes".to_owned() } else { format!("eventtypes/{path}") };
        space.refuses(case, (method, &path, body), status, &message);
    }
    let short = format!("{PREFIX}{}", field("Type", "Space", "min"));
    gateway.space("ab").refuses("create: short space", ("POST", "eventtypes", r#"{"name":"a"}"#), 400, &short);
    let unchanged = json!({ "eventTypes": [{ "space": "shop", "name": "user.created" }] });
    space.gives("nothing of this was done", ("GET", "eventtypes", ""), 200, &unchanged);
}

fn exists() -> String {
    "Event Type \"user.created\" already exists.".to_owned()
}

fn no_authorizer() -> String {
    "Authorizer function doesn't exists.".to_owned()
}

#[test]
fn event_types_change_and_go() {
    let gateway = Gateway::start();
    let space = gateway.space("shop");
    space.create("eventtypes", &json!({ "name": "user.created", "metadata": { "old": "1" } }));
    space.create("functions", &url_function("func"));
    let updated = json!({
        "space": "shop", "name": "user.created", "authorizerId": "func", "metadata": { "new": "2" },
    });
    let body = r#"{"name":"ignored","authorizerId":"func","metadata":{"new":"2"}}"#;
    space.gives("update: updated", ("PUT", "eventtypes/user.created", body), 200, &updated);
    space.gives("update: it stays", ("GET", "eventtypes/user.created", ""), 200, &updated);

    let subscription = json!({ "type": "async", "eventType": "user.created", "functionId": "func" });
    space.create("subscriptions", &subscription);
    let used = "Event type cannot be deleted because there are subscriptions using it.";
    space.refuses("delete: has subscriptions", ("DELETE", "eventtypes/user.created", ""), 400, used);
    // base64 of async,user.created,func,%2F,POST without padding
    space.deletes("its subscription", "subscriptions/YXN5bmMsdXNlci5jcmVhdGVkLGZ1bmMsJTJGLFBPU1Q");
    space.deletes("delete: deleted", "eventtypes/user.created");
    space.refuses(
        "delete: twice",
        ("DELETE", "eventtypes/user.created", ""),
        404,
        "Event Type \"user.created\" not found.",
    );
}
