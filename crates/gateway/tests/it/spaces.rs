//! Spaces do not see each other.

use serde_json::json;

use crate::support::{STRUCTURED, door, event};

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
