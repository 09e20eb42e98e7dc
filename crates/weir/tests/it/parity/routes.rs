//! The cases of the path tree, through subscriptions and requests. Lists of routes are texts with blanks between.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{Gateway, Space, check_refused, json_of, route, url_function};

/// What `TestAddRoute` and `TestIsPathInConflict` refuse: the routes that are there, the one that is not made, why.
const CONFLICTS: [(&str, &str, &str); 16] = [
    ("/:foo", "/:bar", "parameter with different name (\"foo\") already defined: for route: /:bar"),
    ("/:foo", "/bar", "parameter with different name (\"foo\") already defined: for route: /bar"),
    ("/:foo/:bar", "/baz", "parameter with different name (\"foo\") already defined: for route: /baz"),
    ("/foo", "/:bar", "static route already defined for route: /:bar"),
    ("/a/b/c/d", "/:b", "static route already defined for route: /:b"),
    ("/foo/:bar", "/foo/bar/baz", "parameter with different name (\"bar\") already defined: for route: /foo/bar/baz"),
    ("/:foo/bar/baz", "/foo/:bar", "parameter with different name (\"foo\") already defined: for route: /foo/:bar"),
    ("/a/:id /b", "/a/", "parameter with different name (\"id\") already defined: for route: /a/"),
    ("/*foo", "/*bar", "wildcard with different name (\"foo\") already defined: for route: /*bar"),
    ("/*foo", "/bar", "wildcard with different name (\"foo\") already defined: for route: /bar"),
    ("/*foo", "/:bar", "wildcard with different name (\"foo\") already defined: for route: /:bar"),
    ("/:foo", "/*bar", "wildcard with different name (\"foo\") already defined: for route: /*bar"),
    ("/foo", "/*bar", "wildcard with different name (\"\") already defined: for route: /*bar"),
    ("/a/*foo", "/a/:bar", "wildcard with different name (\"foo\") already defined: for route: /a/:bar"),
    ("", "/*foo/bar", "wildcard must be the last parameter"),
    ("", "/a/*foo/", "wildcard must be the last parameter"),
];

/// What the same tests allow beside one another.
const NEIGHBOURS: [&str; 4] = ["/ /:foo /:foo/bar", "/foo /bar/baz", "/:a /:a/b", "/ /a /b/:c /d/*e"];

#[test]
fn routes_conflict_as_they_did() {
    let gateway = Gateway::start();
    let make = |space: &Space<'_>, routes: &str| {
        space.create("functions", &url_function("func"));
        for path in routes.split_whitespace() {
            space.route("func", "http.request", "GET", path);
        }
    };
    for (at, (there, refused, why)) in CONFLICTS.into_iter().enumerate() {
        let name = format!("conflict-{at}");
        let space = gateway.space(&name);
        make(&space, there);
        let body = route("func", "http.request", "GET", refused).to_string();
        let message = format!("Subscription path conflict: {why}");
        space.refuses(refused, ("POST", "subscriptions", &body), 400, &message);
        // A tree is that of one method and one event type.
        space.route("func", "http.request", "PUT", "/:other");
    }
    for (at, routes) in NEIGHBOURS.into_iter().enumerate() {
        let name = format!("neighbours-{at}");
        make(&gateway.space(&name), routes);
    }
}

/// Makes routes that answer with their identifier and the parameters; returns the identifiers.
fn answering<'r>(space: &Space<'_>, routes: &'r str) -> BTreeMap<&'r str, String> {
    space.script("found", "return { body: { id: context.subscription, params: event.data.params } };");
    routes.split_whitespace().map(|path| (path, space.route("found", "http.request", "GET", path))).collect()
}

fn check_found(case: &str, space: &Space<'_>, path: &str, id: &str, params: &Value) {
    let answer = space.request("GET", path, &[], "");
    assert_eq!((answer.status, json_of(&answer)), (200, json!({ "id": id, "params": params })), "{case}: {path}");
}

/// Different: what nothing matches was 202.
fn check_lost(case: &str, space: &Space<'_>, path: &str) {
    let name = space.name;
    let message =
        format!("nothing in space \"{name}\" is subscribed to GET {path}: make a subscription, or send a CloudEvent");
    check_refused(case, &space.request("GET", path, &[], ""), 404, &message);
}

/// `TestResolve`: the routes that are there, a path, and the route to which it leads with its parameters, if any.
type ResolveCase = (&'static str, &'static str, Option<(&'static str, Value)>);

fn resolve_cases() -> Vec<ResolveCase> {
    let (statics, params) = ("/a /b /a/b /d/e/f", "/:name /:name/:id");
    vec![
        // Here the parameters were `null`, and are.
        ("/", "/", Some(("/", Value::Null))),
        ("/only", "/", None),
        (statics, "/a", Some(("/a", json!({})))),
        (statics, "/b", Some(("/b", json!({})))),
        (statics, "/a/b", Some(("/a/b", json!({})))),
        (statics, "/d/e/f", Some(("/d/e/f", json!({})))),
        ("/a/b/c/d", "/b", None),
        ("/a/b/c/d", "/a/b", None),
        ("/a/", "/a", None),
        ("/a/", "/a/", Some(("/a/", json!({})))),
        (params, "/foo", Some(("/:name", json!({ "name": "foo" })))),
        (params, "/foo/1", Some(("/:name/:id", json!({ "name": "foo", "id": "1" })))),
        (params, "/foo/bar/baz", None),
        // Different: parameters were given as they came, `4%202`.
        (params, "/4%202", Some(("/:name", json!({ "name": "4 2" })))),
        ("/:name/bar/:id", "/foo/bar/baz", Some(("/:name/bar/:id", json!({ "name": "foo", "id": "baz" })))),
        ("/*foo", "/foo/bar/baz", Some(("/*foo", json!({ "foo": "foo/bar/baz" })))),
        ("/files/*rest", "/files/", Some(("/files/*rest", json!({ "rest": "" })))),
        ("/files/*rest", "/files", None),
    ]
}

#[test]
fn paths_lead_where_they_did() {
    let gateway = Gateway::start();
    let cases = resolve_cases();
    // One space for each list of routes, in the order of the cases.
    for (at, cases) in cases.chunk_by(|one, next| one.0 == next.0).enumerate() {
        let name = format!("resolve-{at}");
        let space = gateway.space(&name);
        let routes = cases[0].0;
        let ids = answering(&space, routes);
        for (_, path, found) in cases {
            match found {
                Some((route, params)) => check_found(routes, &space, path, &ids[route], params),
                None => check_lost(routes, &space, path),
            }
        }
    }
}

#[test]
fn what_is_deleted_holds_nothing_back() {
    let gateway = Gateway::start();
    // The routes that are made, the one that goes, a path that is lost by it, and one that is found as before.
    for (at, (case, routes, gone, lost, still)) in [
        ("TestDeleteRoute: root", "/", "/", "/", None),
        ("TestDeleteRoute: static", "/a/b/c", "/a/b/c", "/a/b/c", None),
        ("TestDeleteRoute: parent without child", "/a /a/b", "/a", "/a", Some(("/a/b", "/a/b", json!({})))),
        (
            "TestDeleteRoute: param with child",
            "/:foo /:foo/bar",
            "/:foo",
            "/a",
            Some(("/a/bar", "/:foo/bar", json!({ "foo": "a" }))),
        ),
        ("TestDeleteRoute: delete, then add as static", "/:foo", "/:foo", "/a", None),
    ]
    .into_iter()
    .enumerate()
    {
        let name = format!("delete-{at}");
        let space = gateway.space(&name);
        let ids = answering(&space, routes);
        space.deletes(case, &format!("subscriptions/{}", ids[gone]));
        check_lost(case, &space, lost);
        if let Some((path, route, params)) = still {
            check_found(case, &space, path, &ids[route], &params);
        } else {
            let id = space.route("found", "http.request", "GET", "/a");
            check_found(case, &space, "/a", &id, &json!({}));
        }
    }
    let missing = "Subscription \"missing\" not found.";
    let space = gateway.space("delete-0");
    space.refuses("TestDeleteRoute: non-existing", ("DELETE", "subscriptions/missing", ""), 404, missing);
}
