//! Spaces do not see each other.

use serde_json::json;
use weir_gateway::{AuthOptions, Compatibility, OperatorToken, Options};

use crate::support::{Door, STRUCTURED, door, event, gateway, memory};

#[tokio::test]
async fn path_and_header_choose_the_space() {
    let door = door().await;
    door.register("shop", &["a"]).await;
    let body = event("1", "a", "");
    let in_path = door.request("POST", "/spaces/shop/any", &[("content-type", STRUCTURED)], &body).await;
    assert_eq!(in_path.status, 202, "{}", in_path.text());
    let headers = [("content-type", STRUCTURED), ("weir-space", "shop")];
    let in_header = door.request("POST", "/", &headers, &body).await;
    assert_eq!((in_header.position(), in_header.header("weir-duplicate")), (in_path.position(), Some("true")));

    // The type is known in one space, and its event stands in that one.
    let elsewhere = door.post(STRUCTURED, &body).await;
    elsewhere.check_refused(
        400,
        "attribute \"type\" is \"a\", which is not registered in space \"default\": register it with POST \
         /v1/spaces/default/eventtypes or in weir.toml",
    );
    assert_eq!(door.read("default", "").await.json(), json!([]));
    assert_eq!(door.read("shop", "").await.json().as_array().map(Vec::len), Some(1));
    door.register("default", &["a"]).await;
    let other = door.post(STRUCTURED, &body).await;
    assert_eq!((other.status, other.header("weir-duplicate")), (202, None));
}

#[tokio::test]
async fn the_same_route_in_two_spaces_is_two_routes() {
    let door = door().await;
    let route = json!({ "type": "sync", "eventType": "http.request", "method": "GET", "path": "/who" });
    door.subscribe("one", "echo", route.clone()).await;
    door.subscribe("two", "fails", route).await;
    let one = door.request("GET", "/spaces/one/who", &[], "").await;
    assert_eq!((one.status, &one.json()["path"]), (201, &json!("/who")));
    assert_eq!(door.request("GET", "/spaces/two/who", &[], "").await.status, 500);
    assert_eq!(door.request("GET", "/who", &[], "").await.status, 404);
}

/// Options with which a request that names no space is for all of them.
fn together() -> Options {
    let compatibility = Compatibility { cross_space_matching: true, ..Compatibility::default() };
    Options { compatibility, ..Options::default() }
}

/// Counts the events of a type in some spaces.
async fn counts<const N: usize>(door: &Door, event_type: &str, spaces: [&str; N]) -> [usize; N] {
    let mut counts = [0; N];
    for (count, space) in counts.iter_mut().zip(spaces) {
        *count = door.read(space, &format!("type={event_type}")).await.json().as_array().map_or(0, Vec::len);
    }
    counts
}

#[tokio::test]
async fn together_a_request_is_for_the_routes_of_all_spaces() {
    let door = gateway(memory(), together(), |log| log).await;
    let route = |path: &str| json!({ "type": "sync", "eventType": "http.request", "method": "GET", "path": path });
    let listener = |path: &str| json!({ "type": "async", "eventType": "http.request", "method": "GET", "path": path });
    door.subscribe("two", "fails", route("/who")).await;
    assert_eq!(door.request("GET", "/who", &[], "").await.status, 500);
    door.subscribe("one", "echo", route("/who")).await;
    assert_eq!(door.request("GET", "/who", &[], "").await.status, 201, "the first by name answers");
    assert_eq!(door.request("GET", "/spaces/two/who", &[], "").await.status, 500, "but not for one that is named");
    let other = door.request("POST", "/who", &[], "").await;
    assert_eq!((other.status, other.header("allow")), (405, Some("GET, HEAD")));

    // Who listens elsewhere is given it too, before the answer, and alone where there is no route.
    door.subscribe("two", "listener", listener("/who")).await;
    door.subscribe("two", "listener", listener("/heard")).await;
    assert_eq!(door.request("GET", "/who", &[], "").await.status, 201);
    assert_eq!(counts(&door, "http.request", ["default", "one", "two"]).await, [0, 0, 1]);
    assert_eq!(door.request("GET", "/heard", &[], "").await.status, 202);
    assert_eq!(counts(&door, "http.request", ["default", "one", "two"]).await, [0, 0, 2]);
    assert_eq!(door.request("GET", "/nobody", &[], "").await.status, 404);

    let asking = [("origin", "http://page.example"), ("access-control-request-method", "GET")];
    assert_eq!(door.request("OPTIONS", "/who", &asking, "").await.header("access-control-allow-origin"), None);
    door.create_in("two", "cors", json!({ "method": "GET", "path": "/who" })).await;
    let allowed = door.request("OPTIONS", "/who", &asking, "").await;
    assert_eq!((allowed.status, allowed.header("access-control-allow-origin")), (200, Some("*")));
}

#[tokio::test]
async fn together_an_event_is_kept_in_every_space_that_knows_its_type_or_in_none() {
    let door = gateway(memory(), together(), |log| log).await;
    door.register("one", &["a", "b", "c"]).await;
    door.register("two", &["a"]).await;
    for name in ["b", "c"] {
        door.create_in("two", "eventtypes", json!({ "name": name, "schema": { "type": "object" } })).await;
    }
    let first = door.post(STRUCTURED, &event("1", "a", "")).await;
    assert_eq!((first.status, first.header("weir-duplicate")), (202, None), "{}", first.text());
    let again = door.post(STRUCTURED, &event("1", "a", "")).await;
    assert_eq!((again.position(), again.header("weir-duplicate")), (first.position(), Some("true")));
    assert_eq!(counts(&door, "a", ["default", "one", "two"]).await, [0, 1, 1]);
    let named = [("content-type", STRUCTURED), ("weir-space", "two")];
    assert_eq!(door.request("POST", "/", &named, &event("2", "a", "")).await.status, 202);
    assert_eq!(counts(&door, "a", ["default", "one", "two"]).await, [0, 1, 2]);

    assert_eq!(door.post(STRUCTURED, &event("3", "b", r#","data":7"#)).await.status, 400);
    assert_eq!(counts(&door, "b", ["one", "two"]).await, [0, 0]);
    assert_eq!(door.post(STRUCTURED, &event("4", "c", r#","data":{}"#)).await.status, 202);
    assert_eq!(counts(&door, "c", ["one", "two"]).await, [1, 1]);
    assert_eq!(door.post(STRUCTURED, &event("5", "unknown", "")).await.status, 400);
}

#[tokio::test]
async fn together_nobody_emits_where_they_may_not() {
    const OPERATOR: &str = "operator-0123456789abcdef0123456789abcdef";
    let auth = Some(AuthOptions { operator: OperatorToken::new(OPERATOR), jwt: None });
    let door = gateway(memory(), Options { auth, ..together() }, |log| log).await;
    let bearer = format!("Bearer {OPERATOR}");
    let operator = [("authorization", &*bearer)];
    for space in ["one", "two"] {
        let path = format!("/v1/spaces/{space}/eventtypes");
        assert_eq!(door.configure_with("POST", &path, &operator, r#"{"name":"a"}"#).await.status, 201);
    }
    let scopes = json!({ "scopes": ["emit@two"] }).to_string();
    let made = door.configure_with("POST", "/v1/tokens", &operator, &scopes).await.json();
    let bearer = format!("Bearer {}", made["token"].as_str().expect("its text"));
    let headers = [("content-type", STRUCTURED), ("authorization", &*bearer)];
    assert_eq!(door.request("POST", "/", &headers, &event("1", "a", "")).await.status, 202);
    for (space, expected) in [("one", 0), ("two", 1)] {
        let read = door.configure_with("GET", &format!("/v1/spaces/{space}/events"), &operator, "").await.json();
        assert_eq!(read.as_array().map(Vec::len), Some(expected), "{space}");
    }
    // What is nobody's is for the default space.
    assert_eq!(door.request("GET", "/who", &headers[1..], "").await.status, 403);
    let scopes = json!({ "scopes": ["emit@two/b"] }).to_string();
    let made = door.configure_with("POST", "/v1/tokens", &operator, &scopes).await.json();
    let bearer = format!("Bearer {}", made["token"].as_str().expect("its text"));
    let headers = [("content-type", STRUCTURED), ("authorization", &*bearer)];
    assert_eq!(door.request("POST", "/", &headers, &event("2", "a", "")).await.status, 403);
}

#[tokio::test]
async fn spaces_that_cannot_be_meant_are_refused() {
    let door = door().await;
    let message = "a space name must be 3 to 128 of the characters a-z A-Z 0-9 . - _, but is \"ab\"";
    door.request("GET", "/spaces/ab/x", &[], "").await.check_refused(400, message);
    door.configure("GET", "/v1/spaces/ab/functions", "").await.check_refused(400, message);
    let message = "the path names space \"one\" and the header Weir-Space names \"two\": name one space";
    door.request("GET", "/spaces/one/x", &[("weir-space", "two")], "").await.check_refused(400, message);
    let message = "space \"weir.system\" belongs to the platform: use a space of your own";
    door.request("POST", "/spaces/weir.system/x", &[], "").await.check_refused(403, message);
    for (method, path) in [
        ("GET", "functions"),
        ("POST", "functions"),
        ("GET", "functions/f"),
        ("PUT", "functions/f"),
        ("DELETE", "functions/f"),
        ("GET", "events"),
    ] {
        let answer = door.configure(method, &format!("/v1/spaces/weir.system/{path}"), "{}").await;
        answer.check_refused(403, message);
    }
}
