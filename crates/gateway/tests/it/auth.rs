//! The guard of both APIs: who is let in, with which rights, and how often.

use std::time::Duration;

use http::{Request, header::AUTHORIZATION};
use serde_json::{Value, json};
use tower::ServiceExt;
use weir_gateway::{Algorithm, AuthOptions, JwtOptions, Keys, OperatorToken, Options, Rate, RateOptions};

use crate::support::{Answer, BATCH, Door, STRUCTURED, event, gateway, memory};

const OPERATOR: &str = "operator-0123456789abcdef0123456789abcdef";
const INVALID: &str = "the token is not valid: send one that is, or ask the operator of the server for it";
const MISSING: &str = "the request shows no token: send one as \"Authorization: Bearer …\"";

/// A door with a guard that knows its operator and the issuer of the fixtures.
async fn guarded(rates: RateOptions) -> Door {
    let jwt = JwtOptions {
        keys: Keys::parse(include_str!("../fixtures/jwt/keys.json")).expect("keys"),
        algorithms: vec![Algorithm::Rs256],
        issuer: "https://issuer.example".into(),
        audience: "weir".into(),
        leeway: Duration::from_secs(60),
    };
    let auth = AuthOptions { operator: OperatorToken::new(&format!("{OPERATOR}\n")), jwt: Some(jwt) };
    gateway(memory(), Options { auth: Some(auth), rates, ..Options::default() }, |log| log).await
}

async fn configure(door: &Door, token: &str, method: &str, path: &str, body: &Value) -> Answer {
    let value = format!("Bearer {token}");
    let body = if body.is_null() { String::new() } else { body.to_string() };
    door.configure_with(method, path, &[("authorization", &value)], &body).await
}

async fn emit(door: &Door, token: &str, space: &str, media_type: &str, body: &str) -> Answer {
    let value = format!("Bearer {token}");
    let headers = [("authorization", &*value), ("content-type", media_type), ("weir-space", space)];
    door.request("POST", "/", &headers, body).await
}

/// Makes a token, and returns its identifier and its text.
async fn token(door: &Door, body: &Value) -> (String, String) {
    let answer = configure(door, OPERATOR, "POST", "/v1/tokens", body).await;
    assert_eq!((answer.status, answer.header("cache-control")), (201, Some("no-store")), "{}", answer.text());
    let made = answer.json();
    let text = |name: &str| made[name].as_str().expect("a text").to_owned();
    (text("tokenId"), text("token"))
}

async fn with_scopes(door: &Door, scopes: &[&str]) -> String {
    token(door, &json!({ "scopes": scopes })).await.1
}

/// Registers event types as the operator.
async fn register(door: &Door, space: &str, names: &[&str]) {
    for name in names {
        let path = format!("/v1/spaces/{space}/eventtypes");
        let answer = configure(door, OPERATOR, "POST", &path, &json!({ "name": name })).await;
        assert_eq!(answer.status, 201, "{}", answer.text());
    }
}

fn check_challenged(answer: &Answer, status: u16, error: &str, message: &str) {
    answer.check_refused(status, message);
    let challenge = if error.is_empty() { String::new() } else { format!(", error=\"{error}\"") };
    assert_eq!(answer.header("www-authenticate"), Some(&*format!("Bearer realm=\"weir\"{challenge}")));
}

#[tokio::test]
async fn each_scope_opens_its_own_operations_and_no_others() {
    let door = guarded(RateOptions::default()).await;
    register(&door, "shop", &["a"]).await;
    register(&door, "till", &["a"]).await;
    // The operations, by the columns of the table below.
    let ask = async |token: &str, space: &str, operation: usize| {
        let (method, path, body) = match operation {
            0 => ("GET", format!("/v1/spaces/{space}/eventtypes"), Value::Null),
            1 => ("PUT", format!("/v1/spaces/{space}/eventtypes/a"), json!({ "description": "again" })),
            2 => ("GET", format!("/v1/spaces/{space}/events"), Value::Null),
            3 => return emit(&door, token, space, STRUCTURED, &event(&format!("{token}{space}"), "a", "")).await,
            4 => ("GET", "/v1/metrics".to_owned(), Value::Null),
            _ => ("GET", "/v1/tokens".to_owned(), Value::Null),
        };
        configure(&door, token, method, &path, &body).await
    };
    for (scope, in_shop, in_till) in [
        ("config:read", "r---m-", "r---m-"),
        ("config:read@shop", "r-----", "------"),
        ("config:write", "-w----", "-w----"),
        ("config:write@till", "------", "-w----"),
        ("read", "--e---", "--e---"),
        ("read@shop/a", "--e---", "------"),
        ("emit", "---E--", "---E--"),
        ("emit@shop,till", "---E--", "---E--"),
        ("emit@shop/b*", "------", "------"),
        ("admin", "rweEmt", "rweEmt"),
        ("admin@shop", "rweE--", "------"),
    ] {
        let token = with_scopes(&door, &[scope]).await;
        for (space, rights) in [("shop", in_shop), ("till", in_till)] {
            for (operation, right) in rights.bytes().enumerate() {
                let answer = ask(&token, space, operation).await;
                let is_allowed = right != b'-';
                let told = (answer.status == 403, (200..300).contains(&answer.status));
                assert_eq!(told, (!is_allowed, is_allowed), "{scope} in {space}, {operation}: {}", answer.text());
                let challenge = answer.header("www-authenticate").map(|text| text.contains("insufficient_scope"));
                assert_eq!(challenge, (!is_allowed).then_some(true), "{scope} in {space}, {operation}");
            }
        }
    }
    assert_eq!(door.configure("GET", "/v1/status", "").await.status, 200);
}

#[tokio::test]
async fn a_token_is_shown_once_and_worth_nothing_when_it_is_gone() {
    let door = guarded(RateOptions::default()).await;
    let path = "/v1/tokens";
    let body = json!({ "description": "the till", "scopes": ["config:read@shop"], "expires": "2030-01-01T00:00:00Z" });
    let (id, text) = token(&door, &body).await;
    assert!(text.starts_with(&format!("weir_{id}_")) && text.len() == format!("weir_{id}_").len() + 43, "{text}");
    let shown = json!({
        "tokenId": id,
        "description": "the till",
        "scopes": ["config:read@shop"],
        "expires": "2030-01-01T00:00:00.000000Z",
    });
    assert_eq!(configure(&door, OPERATOR, "GET", path, &Value::Null).await.json(), json!({ "tokens": [shown] }));
    let one = format!("{path}/{id}");
    let answer = configure(&door, OPERATOR, "GET", &one, &Value::Null).await;
    assert_eq!(answer.json(), shown);
    let tag = answer.header("etag").expect("a tag").to_owned();

    let list = "/v1/spaces/shop/eventtypes";
    assert_eq!(configure(&door, &text, "GET", list, &Value::Null).await.status, 200);
    // Neither a rehearsal nor the end of a space takes it away.
    let rehearsed = configure(&door, OPERATOR, "POST", &format!("{path}?dryRun=true"), &body).await;
    assert_eq!((rehearsed.status, rehearsed.json().get("token")), (201, None), "{}", rehearsed.text());
    assert_eq!(configure(&door, OPERATOR, "DELETE", &format!("{one}?dryRun=true"), &Value::Null).await.status, 204);
    register(&door, "shop", &["a"]).await;
    let all = "/v1/spaces/shop?force=true";
    assert_eq!(configure(&door, OPERATOR, "DELETE", all, &Value::Null).await.status, 204);
    assert_eq!(configure(&door, &text, "GET", list, &Value::Null).await.status, 200);
    let bearer = format!("Bearer {OPERATOR}");
    let other = [("authorization", &*bearer), ("if-match", "\"0\"")];
    assert_eq!(door.configure_with("DELETE", &one, &other, "").await.status, 412);
    let present = [("authorization", &*bearer), ("if-match", &*tag)];
    let answer = door.configure_with("DELETE", &one, &present, "").await;
    assert_eq!((answer.status, answer.header("weir-position").is_some()), (204, true));
    let answer = configure(&door, &text, "GET", list, &Value::Null).await;
    check_challenged(&answer, 401, "invalid_token", INVALID);
    let answer = configure(&door, OPERATOR, "DELETE", &one, &Value::Null).await;
    answer.check_refused(404, &format!("Token \"{id}\" not found."));

    // The clock of the tests goes on by itself.
    let soon = json!({ "scopes": ["admin"], "expires": "2023-11-14T22:13:20.100Z" });
    let (_, text) = token(&door, &soon).await;
    for _ in 0..200 {
        configure(&door, &text, "GET", path, &Value::Null).await;
    }
    check_challenged(&configure(&door, &text, "GET", path, &Value::Null).await, 401, "invalid_token", INVALID);
}

#[tokio::test]
async fn mistakes_in_a_token_are_told_together() {
    let door = guarded(RateOptions::default()).await;
    let check = async |body: Value, expected: &str| {
        let answer = configure(&door, OPERATOR, "POST", "/v1/tokens", &body).await;
        answer.check_refused(400, &format!("Token doesn't validate. Validation error: {expected}"));
    };
    let field =
        |rule: &str| format!("Key: 'Token.Scopes' Error:Field validation for 'Scopes' failed on the '{rule}' tag");
    check(json!({}), &field("required")).await;
    check(json!({ "scopes": ["own", "emit@x"] }), &format!("{0}\n{0}", field("scope"))).await;
    check(json!({ "scopes": "admin" }), "scopes: invalid type: string \"admin\", expected a sequence").await;
    check(json!({ "scopes": ["admin"], "expires": "2000-01-01T00:00:00Z" }), "expires: it has passed").await;
}

#[tokio::test]
async fn who_is_not_known_is_not_let_in_whatever_they_show() {
    let door = guarded(RateOptions::default()).await;
    let body = event("1", "a", "");
    for answer in [door.post(STRUCTURED, &body).await, door.configure("GET", "/v1/tokens", "").await] {
        check_challenged(&answer, 401, "", MISSING);
    }
    let (id, text) = token(&door, &json!({ "scopes": ["admin"] })).await;
    let before = *door.log.durable_end().borrow();
    let long = "a".repeat(9000);
    let wrong = format!("weir_{id}_{}", "A".repeat(43));
    let cut = &text[..text.len() - 1];
    let longer = format!("{text}A");
    let upper = text.to_uppercase();
    let shown = [
        cut,
        &longer,
        &upper,
        &wrong,
        &long,
        "weir_",
        "weir__",
        "",
        " ",
        "a b",
        "\"",
        "a,b",
        "a.b.c",
        "..",
        &id,
        include_str!("../fixtures/jwt/hs256.jwt").trim(),
        include_str!("../fixtures/jwt/es256.jwt").trim(),
    ];
    for shown in shown {
        check_challenged(&emit(&door, shown, "default", STRUCTURED, &body).await, 401, "invalid_token", INVALID);
        let answer = configure(&door, shown, "GET", "/v1/tokens", &Value::Null).await;
        check_challenged(&answer, 401, "invalid_token", INVALID);
    }
    let good = format!("Bearer {text}");
    let twice = [("authorization", &*good), ("authorization", &*good)];
    check_challenged(&door.configure_with("GET", "/v1/tokens", &twice, "").await, 401, "invalid_token", INVALID);
    let basic = [("authorization", "Basic YTpi")];
    check_challenged(&door.configure_with("GET", "/v1/tokens", &basic, "").await, 401, "", MISSING);
    // The name of a scheme is written as one likes (RFC 9110, section 11.1).
    let lower = format!("bearer  {text}");
    assert_eq!(door.configure_with("GET", "/v1/tokens", &[("authorization", &lower)], "").await.status, 200);
    // Nothing was read of what they sent.
    assert_eq!(*door.log.durable_end().borrow(), before);
    let metrics = configure(&door, OPERATOR, "GET", "/v1/metrics", &Value::Null).await;
    for (api, reason) in [("events", "missing"), ("events", "unknown"), ("configuration", "malformed")] {
        let name = format!("weir_unauthenticated_requests_total{{api=\"{api}\",reason=\"{reason}\"}} ");
        assert!(metrics.text().lines().any(|line| line.starts_with(&name)), "{name}");
    }
}

#[tokio::test]
async fn events_are_emitted_and_read_by_type() {
    let door = guarded(RateOptions::default()).await;
    register(&door, "shop", &["order.placed", "order.paid", "secret"]).await;
    let text = with_scopes(&door, &["emit@shop/order.*", "read@shop/order.placed"]).await;
    let denied = |action: &str, event_type: &str| {
        format!(
            "the token gives no right to {action} events of type \"{event_type}\" in space \"shop\": \
             ask for one with such a scope"
        )
    };
    for name in ["order.placed", "order.paid"] {
        assert_eq!(emit(&door, &text, "shop", STRUCTURED, &event(name, name, "")).await.status, 202);
    }
    let answer = emit(&door, &text, "shop", STRUCTURED, &event("3", "secret", "")).await;
    check_challenged(&answer, 403, "insufficient_scope", &denied("emit", "secret"));
    let batch = format!("[{},{}]", event("4", "order.placed", ""), event("5", "secret", ""));
    let answer = emit(&door, &text, "shop", BATCH, &batch).await;
    answer.check_refused(403, &format!("event 1 of the batch, counted from 0: {}", denied("emit", "secret")));
    // A plain request is an event too.
    let answer = emit(&door, &text, "shop", "text/plain", "hello").await;
    check_challenged(&answer, 403, "insufficient_scope", &denied("emit", "http.request"));

    let read = async |token: &str, query: &str| {
        configure(&door, token, "GET", &format!("/v1/spaces/shop/events?{query}"), &Value::Null).await
    };
    let types = |answer: &Answer| -> Vec<String> {
        let events = answer.json();
        let events = events.as_array().expect("a batch").iter();
        events.map(|event| event["type"].as_str().expect("a type").to_owned()).collect()
    };
    assert_eq!(types(&read(OPERATOR, "").await), ["order.placed", "order.paid"]);
    let answer = read(&text, "").await;
    assert_eq!((types(&answer), answer.header("weir-end")), (vec!["order.placed".to_owned()], Some("true")));
    assert_eq!(types(&read(&text, "type=order.placed").await), ["order.placed"]);
    let answer = read(&text, "type=order.placed&type=order.paid").await;
    check_challenged(&answer, 403, "insufficient_scope", &denied("read", "order.paid"));
}

#[tokio::test]
async fn an_authorizer_lets_strangers_in_to_its_event_type_and_to_nothing_else() {
    let door = guarded(RateOptions::default()).await;
    register(&door, "shop", &["open"]).await;
    register(&door, "till", &["hook"]).await;
    let function = json!({ "functionId": "guard", "type": "http", "provider": { "url": "http://localhost" } });
    let hook = json!({ "name": "hook", "authorizerId": "guard" });
    for (collection, body) in [("functions", &function), ("eventtypes", &hook)] {
        let answer = configure(&door, OPERATOR, "POST", &format!("/v1/spaces/shop/{collection}"), body).await;
        assert_eq!(answer.status, 201, "{}", answer.text());
    }
    let send = async |shown: &str, space: &str, media_type: &str, body: &str| {
        let all = [("content-type", media_type), ("weir-space", space), ("authorization", shown)];
        door.request("POST", "/", &all[..if shown.is_empty() { 2 } else { 3 }], body).await
    };
    let hooked = |id: &str| event(id, "hook", "");
    // Who they are is the business of the authorizer, also where they show the token of somebody else.
    for (id, shown) in [("1", "ada"), ("2", "Bearer of-somebody-else")] {
        let answer = send(shown, "shop", STRUCTURED, &hooked(id)).await;
        assert_eq!(answer.status, 202, "{shown}: {}", answer.text());
    }
    let read = configure(&door, OPERATOR, "GET", "/v1/spaces/shop/events", &Value::Null).await.json();
    let marks: Vec<_> = read.as_array().expect("a batch").iter().map(|it| it["eventgateway"].clone()).collect();
    let mark = |name: &str| json!(json!({ "authorization": { "principalId": name } }).to_string());
    assert_eq!(marks, [mark("ada"), mark("Bearer of-somebody-else")]);
    let denied = "the authorizer of event type \"hook\" refused the event: not you";
    send("eve", "shop", STRUCTURED, &hooked("3")).await.check_refused(403, denied);
    // A token of ours that is worth nothing is shown to nobody, and without any the authorizer knows of nobody.
    let failed =
        "the authorizer of event type \"hook\" failed, and without its yes no event enters: tell who runs the server";
    for shown in ["Bearer weir_0_0", "Bearer a,b", ""] {
        send(shown, "shop", STRUCTURED, &hooked("4")).await.check_refused(403, failed);
    }

    // Everything else is closed to them.
    check_challenged(&send("ada", "shop", STRUCTURED, &event("5", "open", "")).await, 401, "", MISSING);
    check_challenged(&send("ada", "shop", STRUCTURED, &event("5", "nobody's", "")).await, 401, "", MISSING);
    check_challenged(&send("ada", "shop", "text/plain", "hello").await, 401, "", MISSING);
    check_challenged(&send("ada", "till", STRUCTURED, &hooked("5")).await, 401, "", MISSING);
    let wrong = send("Bearer of-somebody-else", "shop", STRUCTURED, &event("5", "open", "")).await;
    check_challenged(&wrong, 401, "invalid_token", INVALID);
    let batch = format!("[{},{}]", hooked("5"), event("6", "open", ""));
    let answer = send("ada", "shop", BATCH, &batch).await;
    answer.check_refused(401, &format!("event 1 of the batch, counted from 0: {MISSING}"));
    // Who is known needs the right to it, whatever the authorizer would say.
    let text = with_scopes(&door, &["emit@shop/open"]).await;
    let answer = emit(&door, &text, "shop", STRUCTURED, &hooked("5")).await;
    assert_eq!(answer.status, 403, "{}", answer.text());
    let alone = json!({ "description": "without an authorizer" });
    let answer = configure(&door, OPERATOR, "PUT", "/v1/spaces/shop/eventtypes/hook", &alone).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    check_challenged(&send("ada", "shop", STRUCTURED, &hooked("5")).await, 401, "", MISSING);
    let read = configure(&door, OPERATOR, "GET", "/v1/spaces/shop/events", &Value::Null).await.json();
    assert_eq!(read.as_array().map(Vec::len), Some(2), "{read}");
}

#[tokio::test]
async fn strangers_are_counted_together() {
    let door = guarded(RateOptions { per_token: Rate::new(1, 2), per_space: None }).await;
    let function = json!({ "functionId": "guard", "type": "http", "provider": { "url": "http://localhost" } });
    // The operator is counted as well: two requests are let in at once.
    for (collection, body) in
        [("functions", function), ("eventtypes", json!({ "name": "hook", "authorizerId": "guard" }))]
    {
        let answer = configure(&door, OPERATOR, "POST", &format!("/v1/spaces/default/{collection}"), &body).await;
        assert_eq!(answer.status, 201, "{}", answer.text());
    }
    let mut seen = Vec::new();
    for (id, shown) in [("1", "ada"), ("2", "eve"), ("3", "ada")] {
        let headers = [("content-type", STRUCTURED), ("authorization", shown)];
        seen.push(door.request("POST", "/", &headers, &event(id, "hook", "")).await.status);
    }
    assert_eq!(seen, [202, 403, 429]);
}

#[tokio::test]
async fn a_token_that_is_taken_reaches_no_function() {
    let route =
        json!({ "type": "sync", "eventType": "http.request", "method": "GET", "path": "/", "functionId": "echo" });
    let function = json!({ "functionId": "echo", "type": "http", "provider": { "url": "http://localhost" } });
    let jwt = include_str!("../fixtures/jwt/rs256.jwt").trim();
    let value = format!("Bearer {jwt}");
    let headers = [("authorization", &*value), ("weir-space", "shop"), ("x-api-key", "kept")];

    let door = guarded(RateOptions::default()).await;
    for (collection, body) in [("functions", &function), ("subscriptions", &route)] {
        let answer = configure(&door, OPERATOR, "POST", &format!("/v1/spaces/shop/{collection}"), body).await;
        assert_eq!(answer.status, 201, "{}", answer.text());
    }
    // The scope of the JWT is `emit@shop`.
    let answer = door.request("GET", "/", &headers, "").await;
    assert_eq!(answer.status, 201, "{}", answer.text());
    assert!(answer.text().contains("kept") && !answer.text().contains(jwt), "{}", answer.text());
    let elsewhere = [("authorization", &*value), ("weir-space", "till")];
    assert_eq!(door.request("GET", "/", &elsewhere, "").await.status, 403);

    // Where nobody is asked who they are, a header belongs to the function.
    let door = crate::support::door().await;
    door.create_in("shop", "functions", function).await;
    door.create_in("shop", "subscriptions", route).await;
    let answer = door.request("GET", "/", &headers, "").await;
    assert!(answer.text().contains(jwt), "{}", answer.text());
    // Tokens can be made before they are asked for.
    let made = door.configure("POST", "/v1/tokens", r#"{"scopes":["admin"]}"#).await;
    assert_eq!(made.status, 201, "{}", made.text());
}

#[tokio::test(start_paused = true)]
async fn rates_hold_for_each_token_and_for_each_space() {
    let rates = RateOptions { per_token: Rate::new(2, 3), per_space: Rate::new(10, 4) };
    let door = guarded(rates).await;
    let (one, two) = (with_scopes(&door, &["read"]).await, with_scopes(&door, &["read"]).await);
    tokio::time::advance(Duration::from_secs(10)).await;
    let read = async |token: &str, space: &str| {
        let answer = configure(&door, token, "GET", &format!("/v1/spaces/{space}/events"), &Value::Null).await;
        let wait = answer.header("retry-after").map(str::to_owned);
        if answer.status == 429 {
            let message =
                "too many requests in a short time: repeat the request when the time of Retry-After has passed";
            answer.check_refused(429, message);
        }
        (answer.status, wait)
    };
    let (let_in, refused) = ((200, None), (429, Some("1".to_owned())));
    for _ in 0..3 {
        assert_eq!(read(&one, "shop").await, let_in);
    }
    // The token has used up its burst, in whichever space; another has not.
    assert_eq!(read(&one, "shop").await, refused);
    assert_eq!(read(&one, "till").await, refused);
    assert_eq!(read(&two, "shop").await, let_in);
    // Now the space has; what its limit refuses has counted for the token.
    assert_eq!(read(&two, "shop").await, refused);
    assert_eq!(read(&two, "till").await, let_in);
    assert_eq!(read(&two, "till").await, refused);
    tokio::time::advance(Duration::from_millis(499)).await;
    assert_eq!(read(&one, "shop").await, refused);
    tokio::time::advance(Duration::from_millis(1)).await;
    assert_eq!(read(&one, "shop").await, let_in);
    assert_eq!(read(&one, "shop").await, refused);

    let metrics = configure(&door, OPERATOR, "GET", "/v1/metrics", &Value::Null).await;
    assert!(metrics.text().contains("weir_rate_limited_requests_total"), "{}", metrics.text());
}

#[tokio::test]
async fn a_page_may_read_why_it_was_refused() {
    let door = guarded(RateOptions::default()).await;
    let origins = json!({ "method": "POST", "path": "/", "allowedOrigins": ["https://shop.example"] });
    let answer = configure(&door, OPERATOR, "POST", "/v1/spaces/shop/cors", &origins).await;
    assert_eq!(answer.status, 201, "{}", answer.text());
    let origin = ("origin", "https://shop.example");
    let answer = door.request("POST", "/spaces/shop/", &[origin], "").await;
    assert_eq!((answer.status, answer.header("access-control-allow-origin")), (401, Some("https://shop.example")));
    // Browsers ask beforehand, and send no token with the question.
    let asked = [origin, ("access-control-request-method", "POST")];
    assert!((200..300).contains(&door.request("OPTIONS", "/spaces/shop/", &asked, "").await.status));
}

#[tokio::test]
async fn a_value_that_is_no_text_is_malformed() {
    let door = guarded(RateOptions::default()).await;
    let request = Request::get("/v1/tokens").header(AUTHORIZATION, &b"Bearer \xff\xfe"[..]);
    let request = request.body(axum::body::Body::empty()).expect("a request");
    let response = door.gateway.configuration_api().oneshot(request).await.expect("a router always answers");
    assert_eq!(response.status(), 401);
}
