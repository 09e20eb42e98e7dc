//! The data of `http.request`, field by field.

use http::Request;
use serde_json::{Value, json};
use weir_catalog::{Catalog, Change, ChangeKind, Code, Function, FunctionKind, Method, SpaceCatalog, Subscription};
use weir_domain::{FunctionId, SpaceName};

use super::*;

fn parts(method: &str, uri: &str, headers: &[(&str, &str)]) -> Parts {
    let mut builder = Request::builder().method(method).uri(uri);
    for (name, value) in headers {
        builder = builder.header(*name, *value);
    }
    builder.body(()).expect("a request").into_parts().0
}

fn shown(parts: &Parts, body: &'static [u8], params: Option<&Params<'_>>) -> Value {
    let body = Bytes::from_static(body);
    shown_by(Compatibility::default(), parts, body, params)
}

fn shown_by(compatibility: Compatibility, parts: &Parts, body: Bytes, params: Option<&Params<'_>>) -> Value {
    let text = data(&Plain { parts, path: parts.uri.path(), body: &body, params }, compatibility);
    serde_json::from_str(&text).expect("JSON")
}

#[test]
fn all_fields() {
    let parts = parts(
        "POST",
        "/k%C3%A4se/4%202?a=1&a=2&b=x+y&c",
        &[("host", "example.com:4000"), ("x-api-key", "k"), ("accept", "a/b"), ("accept", "c/d"), ("etag", "\"ä\"")],
    );
    let expected = json!({
        "headers": { "X-Api-Key": "k", "Accept": "a/b, c/d", "Etag": "\"ä\"" },
        "query": { "a": ["1", "2"], "b": ["x y"], "c": [""] },
        "body": "",
        "host": "example.com:4000",
        "path": "/käse/4 2",
        "method": "POST",
        "params": null,
    });
    assert_eq!(shown(&parts, b"", None), expected);
}

#[test]
fn without_its_body_a_request_is_the_same() {
    let parts = parts("POST", "/a?b=c", &[("host", "example.com"), ("content-type", "text/plain")]);
    let mut whole = shown(&parts, b"hello", None);
    assert_eq!(whole["body"].take(), json!("hello"));
    let told: Value = serde_json::from_str(&without_body(&parts, "/a", None, Compatibility::default())).expect("JSON");
    assert_eq!(told, whole);
}

#[test]
fn hosts_and_paths_at_the_edge() {
    let value = shown(&parts("GET", "http://example.com/a%FF", &[]), b"", None);
    assert_eq!((&value["host"], &value["path"]), (&json!("example.com"), &json!("/a%FF")));
    let value = shown(&parts("GET", "/", &[]), b"", None);
    assert_eq!((&value["host"], &value["headers"], &value["query"]), (&json!(""), &json!({}), &json!({})));
}

#[test]
fn bodies_are_what_their_media_types_say() {
    let check = |media_type: &str, body: &'static [u8], expected: Value| {
        let headers = [("content-type", media_type)];
        let headers = if media_type.is_empty() { &[][..] } else { &headers[..] };
        let data = shown(&parts("POST", "/", headers), body, None);
        assert_eq!(data["body"], expected, "{media_type}");
        // A text that is the body in base64 cannot be told from one that is the body itself by what it looks like.
        let is_base64 = (expected == json!(STANDARD.encode(body)) && !body.is_empty()).then_some(json!(true));
        assert_eq!(data.get("isBase64Encoded"), is_base64.as_ref(), "{media_type}");
    };
    check("application/json", b"", json!(""));
    check("application/json", br#" {"a": [1, null]} "#, json!({ "a": [1, null] }));
    check("application/json; charset=utf-8", b"[1,2]", json!([1, 2]));
    check("application/json", b"7", json!(7));
    check("application/json", br#""text""#, json!("text"));
    check("Application/Problem+JSON", b"null", Value::Null);
    check("application/json", b"{broken", json!("e2Jyb2tlbg=="));
    check("application/json", b"\"\xff\"", json!("Iv8i"));
    check("text/plain", "käse".as_bytes(), json!("käse"));
    check("TEXT/html; charset=utf-8", b"<p>", json!("<p>"));
    check("text/plain; charset=latin1", b"\xe4", json!("5A=="));
    // By chance it is UTF-8; what was meant is two other letters.
    check("text/plain; charset=\"ISO-8859-1\"", "\u{e4}".as_bytes(), json!("w6Q="));
    check("application/json; charset=iso-8859-1", b"[1]", json!([1]));
    check("application/x-www-form-urlencoded", b"a=1&b=2", json!("a=1&b=2"));
    check("multipart/form-data; boundary=x", b"--x--", json!("--x--"));
    check("multipart/form-data; boundary=x", b"--x\xff--", json!("LS14/y0t"));
    check("application/xml; charset=utf-8", "<ä/>".as_bytes(), json!("<ä/>"));
    check("application/xml", b"<a/>", json!("PGEvPg=="));
    check("application/octet-stream", b"abc", json!("YWJj"));
    check("", b"abc", json!("YWJj"));
}

#[test]
fn what_nests_too_deeply_is_no_json() {
    let nested = |levels: usize| Bytes::from(format!("{}{}", "[".repeat(levels), "]".repeat(levels)));
    let is_json = |body: Bytes| matches!(content(Some("application/json"), &body), Content::Json(_));
    assert!(is_json(nested(DEPTH_MAX)));
    assert!(!is_json(nested(DEPTH_MAX + 1)));
    let quoted = format!(r#"["\"\\{}"]"#, "[".repeat(500));
    assert!(is_json(Bytes::from(quoted)));
}

/// A catalog with one route.
fn routed(path: &str) -> (Catalog, SpaceName) {
    let (space, function) = (SpaceName::default(), FunctionId::new("f").expect("valid"));
    let code = Code::JavaScript("export function handle() {}".into());
    let kinds = [
        ChangeKind::FunctionCreated(Function::new(function.clone(), FunctionKind::wasm(code)).into()),
        ChangeKind::SubscriptionCreated(Subscription::to_route(Method::Get, path, function).into()),
    ];
    let mut catalog = Catalog::new();
    for kind in kinds {
        catalog.fold(&Change { space: space.clone(), kind }).expect("it fits");
    }
    (catalog, space)
}

#[test]
fn parameters_are_decoded() {
    let check = |route: &str, path: &str, expected: Value| {
        let (catalog, space) = routed(route);
        let present: &SpaceCatalog = catalog.space_or_empty(&space);
        let found = present.route(Method::Get, HTTP_REQUEST, path).expect(path);
        let parts = parts("GET", path, &[]);
        assert_eq!(shown(&parts, b"", Some(&found.params))["params"], expected, "{path}");
    };
    check("/users/:id", "/users/4%202", json!({ "id": "4 2" }));
    check("/files/*rest", "/files/a/b%2Fc", json!({ "rest": "a/b/c" }));
    check("/plain", "/plain", json!({}));
    // As the Event Gateway has it.
    check("/", "/", Value::Null);
}

#[test]
fn all_is_as_in_the_event_gateway_where_that_is_asked_for() {
    let (catalog, space) = routed("/users/:id");
    let found = catalog.space_or_empty(&space).route(Method::Get, HTTP_REQUEST, "/users/4%202").expect("a route");
    let check = |media_type: &str, body: &'static str, expected: Value| {
        let parts = parts("GET", "/users/4%202", &[("content-type", media_type)]);
        let body = Bytes::from_static(body.as_bytes());
        let value = shown_by(Compatibility::EVENT_GATEWAY, &parts, body, Some(&found.params));
        assert_eq!((&value["body"], &value["params"]["id"]), (&expected, &json!("4%202")), "{media_type}");
        assert_eq!(value.get("isBase64Encoded"), None, "{media_type}");
    };
    check("application/json", r#"{"a":1}"#, json!({ "a": 1 }));
    check("application/json; charset=utf-8", r#"{"a":1}"#, json!("eyJhIjoxfQ=="));
    check("application/json", "[1]", json!("WzFd"));
    check("text/plain", "abc", json!("YWJj"));
    check("application/x-www-form-urlencoded", "a=1", json!("a=1"));
    check("text/plain", "", json!(""));
}
