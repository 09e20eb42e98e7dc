//! Other origins: pre-flights, what answers say, and changes in force at once.

use serde_json::{Value, json};

use crate::support::{Answer, Door, door};

const ORIGIN: &str = "https://example.com";

async fn with_route(cors: Value) -> Door {
    let door = door().await;
    let route = json!({ "type": "sync", "eventType": "http.request", "method": "PUT", "path": "/hello/:name" });
    door.subscribe("default", "echo", route).await;
    door.create("cors", cors).await;
    door
}

async fn preflight(door: &Door, method: &str, headers: &str) -> Answer {
    let mut asked = vec![("origin", ORIGIN), ("access-control-request-method", method)];
    if !headers.is_empty() {
        asked.push(("access-control-request-headers", headers));
    }
    door.request("OPTIONS", "/hello/ada", &asked, "").await
}

/// What an answer allows: origin, methods, headers, credentials.
fn allowed(answer: &Answer) -> [Option<&str>; 4] {
    ["origin", "methods", "headers", "credentials"].map(|part| answer.header(&format!("access-control-allow-{part}")))
}

#[tokio::test]
async fn a_preflight_is_answered_where_it_is_configured() {
    let door = with_route(json!({
        "method": "PUT", "path": "/hello/:name", "allowedOrigins": [ORIGIN], "allowedMethods": ["PUT"],
        "allowedHeaders": ["*"],
    }))
    .await;
    let answer = preflight(&door, "PUT", "x-api-key").await;
    assert_eq!((answer.status, answer.text()), (200, ""));
    assert_eq!(allowed(&answer), [Some(ORIGIN), Some("PUT"), Some("X-Api-Key"), None]);
    let vary: Vec<_> = answer.headers.get_all("vary").iter().collect();
    assert_eq!(vary, ["origin", "access-control-request-method", "access-control-request-headers"]);
    // Not configured: a request like any, which is told what methods there are and nothing about origins.
    let answer = preflight(&door, "GET", "").await;
    assert_eq!((answer.status, allowed(&answer)), (204, [None; 4]));
    let elsewhere = [("origin", ORIGIN), ("access-control-request-method", "PUT")];
    assert_eq!(door.request("OPTIONS", "/other", &elsewhere, "").await.status, 404);
    // Of another space: it does not see this one's configuration.
    assert_eq!(door.request("OPTIONS", "/spaces/shop/hello/ada", &elsewhere, "").await.status, 404);
}

#[tokio::test]
async fn what_is_not_allowed_is_not_said_to_be() {
    let door = with_route(json!({
        "method": "PUT", "path": "/hello/:name", "allowedOrigins": ["https://*.example.com"], "allowedMethods": ["PUT"],
        "allowedHeaders": ["X-A"], "allowCredentials": true,
    }))
    .await;
    let answer = preflight(&door, "PUT", "").await;
    assert_eq!((answer.status, allowed(&answer)), (200, [None; 4]));
    let sub = "https://shop.example.com";
    let ask = async |headers: &'static str| {
        let asked =
            [("origin", sub), ("access-control-request-method", "PUT"), ("access-control-request-headers", headers)];
        door.request("OPTIONS", "/hello/ada", &asked, "").await
    };
    assert_eq!(allowed(&ask("x-a, origin").await), [Some(sub), Some("PUT"), Some("X-A, Origin"), Some("true")]);
    assert_eq!(allowed(&ask("x-a, x-b").await), [None; 4]);
    // The request itself is not kept from the function: the browser keeps the answer from the page.
    let answer = door.request("PUT", "/hello/ada", &[("origin", ORIGIN)], "").await;
    assert_eq!((answer.status, answer.header("vary"), allowed(&answer)), (201, Some("origin"), [None; 4]));
    let answer = door.request("PUT", "/hello/ada", &[("origin", sub)], "").await;
    assert_eq!((answer.status, allowed(&answer)), (201, [Some(sub), None, None, Some("true")]));
}

#[tokio::test]
async fn changes_are_in_force_at_once() {
    let door = with_route(json!({ "method": "PUT", "path": "/hello/:name", "allowedMethods": ["PUT"] })).await;
    let origin = async || {
        let answer = door.request("PUT", "/hello/ada", &[("origin", ORIGIN)], "").await;
        answer.header("access-control-allow-origin").map(str::to_owned)
    };
    assert_eq!(origin().await.as_deref(), Some("*"));
    let path = "/v1/spaces/default/cors/PUT%252Fhello%252F:name";
    let body = json!({ "method": "PUT", "path": "/hello/:name", "allowedMethods": ["PUT"], "allowedOrigins": ["x:y"] });
    let answer = door.configure("PUT", path, &body.to_string()).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(origin().await, None);
    assert_eq!(door.configure("DELETE", path, "").await.status, 204);
    let answer = door.request("PUT", "/hello/ada", &[("origin", ORIGIN)], "").await;
    assert_eq!((answer.status, answer.header("vary")), (201, None));
}

#[tokio::test]
async fn the_resource_speaks_as_the_event_gateway_did() {
    let door = with_route(json!({ "method": "GET", "path": "/hello" })).await;
    let path = "/v1/spaces/default/cors";
    let again = door.configure("POST", path, r#"{"method":"GET","path":"/hello"}"#).await;
    again.check_refused(409, "CORS configuration \"GET%2Fhello\" already exists.");
    // Clients send the identifier as they got it, still escaped.
    let item = format!("{path}/GET%2Fhello");
    let one = door.configure("GET", &item, "").await;
    assert_eq!((one.status, one.json()["corsId"].clone()), (200, json!("GET%2Fhello")), "{}", one.text());
    let listed = door.configure("GET", path, "").await.json();
    assert_eq!(listed["cors"].as_array().map(Vec::len), Some(1));
    let moved = door.configure("PUT", &item, r#"{"method":"POST","path":"/hello"}"#).await;
    moved.check_refused(400, "Invalid update. 'Method' of existing CORS configuration cannot be updated.");
    let moved = door.configure("PUT", &item, r#"{"method":"GET","path":"/other"}"#).await;
    moved.check_refused(400, "Invalid update. 'Path' of existing CORS configuration cannot be updated.");
    let gone = door.configure("GET", &format!("{path}/GET%2Fnone"), "").await;
    gone.check_refused(404, "CORS configuration \"GET%2Fnone\" not found.");
    assert_eq!(door.configure("DELETE", &item, "").await.status, 204);
}
