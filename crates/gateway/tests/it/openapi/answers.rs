//! Real answers, which must be as they are told.

use serde_json::{Value, json};
use weir_gateway::Options;

use super::{CONFIGURATION, EVENTS, told::Told};
use crate::support::{Answer, BATCH, Door, STRUCTURED, door, event, gateway, memory};

/// The headers of a request.
type Headers<'h> = &'h [(&'h str, &'h str)];

/// A door whose answers are compared with what it tells of them.
pub(super) struct Compared {
    pub(super) door: Door,
    told: Told,
}

impl Compared {
    pub(super) async fn new(door: Door) -> Self {
        let told = Told::of(&door, CONFIGURATION).await;
        Self { door, told }
    }

    pub(super) async fn ask(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: Value,
        status: u16,
    ) -> Answer {
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let answer = self.door.configure_with(&method.to_uppercase(), path, headers, &body).await;
        assert_eq!(answer.status, status, "{method} {path} {body}: {}", answer.text());
        self.told.check_answer(method, self.told.template(path), &answer);
        answer
    }

    pub(super) async fn get(&self, path: &str, status: u16) -> Answer {
        self.ask("get", path, &[], Value::Null, status).await
    }

    pub(super) async fn post(&self, path: &str, body: Value, status: u16) -> Answer {
        self.ask("post", path, &[], body, status).await
    }

    async fn put(&self, path: &str, body: Value, status: u16) -> Answer {
        self.ask("put", path, &[], body, status).await
    }

    pub(super) async fn delete(&self, path: &str, status: u16) -> Answer {
        self.ask("delete", path, &[], Value::Null, status).await
    }
}

#[tokio::test]
async fn resources_are_as_they_are_told() {
    let at = Compared::new(door().await).await;
    let all = "/v1/spaces/shop/eventtypes";
    let function =
        |id: &str, kind: &str, provider: Value| json!({ "functionId": id, "type": kind, "provider": provider });
    at.post("/v1/spaces/shop/functions", function("guard", "http", json!({ "url": "http://localhost" })), 201).await;
    let whole = json!({
        "name": "order.placed",
        "key": "/data/id",
        "description": "somebody bought something",
        "authorizerId": "guard",
        "authorizerCacheMs": 5000,
        "schema": { "type": "object" },
        "onInvalid": "quarantine",
        "metadata": { "team": "a" },
    });
    at.post(&format!("{all}?dryRun=true"), whole.clone(), 201).await;
    let made = at.post(all, whole.clone(), 201).await;
    at.post(all, whole.clone(), 409).await;
    at.post(all, json!({ "name": "b" }), 201).await;
    at.post(all, json!({}), 400).await;
    at.post("/v1/spaces/weir.system/eventtypes", json!({ "name": "b" }), 403).await;
    at.ask("post", all, &[("content-type", "text/plain")], json!({ "name": "c" }), 415).await;
    at.ask("post", all, &[("if-none-match", "*")], json!({ "name": "b" }), 412).await;
    assert!(at.get(&format!("{all}?limit=1"), 200).await.header("link").is_some());
    at.get(&format!("{all}?metadata.team=a"), 200).await;
    at.get(&format!("{all}?limit=0"), 400).await;
    at.ask("get", all, &[("accept", "text/html")], Value::Null, 406).await;
    at.ask("get", all, &[("if-none-match", "*")], Value::Null, 304).await;
    let one = format!("{all}/order.placed");
    let tag = at.get(&one, 200).await.header("etag").expect("a tag").to_owned();
    assert_eq!(made.header("etag"), Some(&*tag));
    at.ask("get", &one, &[("if-none-match", &tag)], Value::Null, 304).await;
    at.ask("get", &one, &[("if-match", "\"0\"")], Value::Null, 412).await;
    at.ask("put", &one, &[("if-match", &tag)], json!({ "schema": { "type": "string" } }), 200).await;
    at.put(&format!("{all}/nothing"), json!({}), 404).await;
    at.get(&format!("{all}/nothing"), 404).await;
    at.get(&format!("{one}/schemas"), 200).await;
    at.get(&format!("{one}/schemas/2"), 200).await;
    at.get(&format!("{one}/schemas/9"), 404).await;
    at.get(&format!("{all}/nothing/schemas"), 404).await;
    at.delete(&format!("{one}?dryRun=true"), 204).await;
    at.delete(&one, 204).await;
    at.delete(&one, 404).await;
}

#[tokio::test]
async fn functions_of_every_kind_are_as_they_are_told() {
    let at = Compared::new(door().await).await;
    let all = "/v1/spaces/shop/functions";
    let keys = |target: &str, value: &str| {
        let mut provider = json!({
            "region": "eu-central-1",
            "awsAccessKeyId": "AKIDEXAMPLE",
            "awsSecretAccessKey": "s3cret",
            "awsSessionToken": "t0ken",
            "endpoint": "http://127.0.0.1:4566",
            "timeoutMs": 900,
            "cloudEventsVersion": "0.1",
        });
        provider[target] = json!(value);
        provider
    };
    let http =
        json!({ "url": "http://localhost", "timeoutMs": 250, "headers": { "x-a": "b" }, "cloudEventsVersion": "1.0" });
    for (kind, provider) in [
        ("http", json!({ "url": "http://localhost" })),
        ("http", http),
        ("builtin", json!({ "name": "count" })),
        ("wasm", json!({ "javascript": "export function handle() {}", "config": { "a": "b" } })),
        (
            "wasm",
            json!({ "component": "AGFzbQ==", "instances": "fresh", "timeoutMs": 10, "memoryBytesMax": 8_388_608 }),
        ),
        ("awslambda", keys("arn", "bill")),
        ("awskinesis", keys("streamName", "orders")),
        ("awsfirehose", keys("deliveryStreamName", "orders")),
        ("awssqs", keys("queueUrl", "https://sqs.eu-central-1.amazonaws.com/1/orders")),
    ] {
        let body = json!({ "functionId": "f", "type": kind, "provider": provider, "metadata": { "k": "v" } });
        at.post(all, body.clone(), 201).await;
        at.get(&format!("{all}/f"), 200).await;
        at.put(&format!("{all}/f"), body, 200).await;
        at.get(all, 200).await;
        at.delete(&format!("{all}/f"), 204).await;
    }
    let broken = json!({ "functionId": "broken", "type": "wasm", "provider": { "javascript": "x" } });
    at.post(all, broken, 400).await;
}

#[tokio::test]
async fn subscriptions_spaces_and_tokens_are_as_they_are_told() {
    let at = Compared::new(door().await).await;
    at.post("/v1/spaces/shop/eventtypes", json!({ "name": "a" }), 201).await;
    let provider = json!({ "url": "http://localhost" });
    at.post("/v1/spaces/shop/functions", json!({ "functionId": "f", "type": "http", "provider": provider }), 201).await;
    let all = "/v1/spaces/shop/subscriptions";
    let retry = json!({
        "attemptsMax": 3, "backoffFirstMs": 5, "backoffMaxMs": 6, "ageMaxMs": 7, "multiplier": 1.5, "jitter": "none",
        "retryAfterMaxMs": 8,
    });
    let body = json!({
        "type": "async", "eventType": "a", "functionId": "f", "filter": { "exact": { "subject": "x" } },
        "start": { "position": 1 }, "order": "none", "concurrency": 2, "batch": { "size": 3, "waitMs": 4 }, "rate": 5,
        "priority": "high", "timeoutMs": 6, "retry": retry, "metadata": { "k": "v" },
    });
    let made = at.post(all, body.clone(), 201).await.json();
    let one = format!("{all}/{}", made["subscriptionId"].as_str().expect("an identifier"));
    at.post(all, json!({ "type": "sync", "eventType": "http.request", "functionId": "f", "path": "/x" }), 201).await;
    let holding =
        json!({ "type": "async", "eventType": "a", "functionId": "f", "start": "earliest", "onFailure": "hold-key" });
    at.post(all, holding, 201).await;
    at.put(&one, body, 200).await;
    for verb in ["pause", "drain", "resume"] {
        at.post(&format!("{one}/{verb}?dryRun=true"), Value::Null, 200).await;
        at.post(&format!("{one}/{verb}"), Value::Null, 200).await;
        at.get(&one, 200).await;
        at.post(&format!("{all}/nothing/{verb}"), Value::Null, 404).await;
        at.ask("post", &format!("{one}/{verb}"), &[("if-match", "\"0\"")], Value::Null, 412).await;
    }
    at.get(all, 200).await;
    at.delete("/v1/spaces/shop/eventtypes/a", 400).await;
    let all = "/v1/spaces/shop/cors";
    at.post(all, json!({ "method": "GET", "path": "/x", "allowCredentials": true, "metadata": { "k": "v" } }), 201)
        .await;
    at.get(all, 200).await;
    at.put(&format!("{all}/GET%2Fx"), json!({ "allowedOrigins": ["https://a"] }), 200).await;
    at.delete(&format!("{all}/GET%2Fx"), 204).await;

    at.get("/v1/spaces", 200).await;
    at.get("/v1/spaces/shop", 200).await;
    at.get("/v1/spaces/nowhere", 404).await;
    at.delete("/v1/spaces/shop", 400).await;
    at.delete("/v1/spaces/shop?force=true", 204).await;

    let body = json!({ "scopes": ["emit@shop/a.*"], "description": "the till", "expires": "2100-01-01T00:00:00Z" });
    at.post("/v1/tokens?dryRun=true", body.clone(), 201).await;
    let made = at.post("/v1/tokens", body, 201).await.json();
    let one = format!("/v1/tokens/{}", made["tokenId"].as_str().expect("an identifier"));
    at.post("/v1/tokens", json!({ "scopes": ["everything"] }), 400).await;
    at.get("/v1/tokens", 200).await;
    at.get(&one, 200).await;
    at.delete(&one, 204).await;
    at.get(&one, 404).await;
}

#[tokio::test]
async fn the_server_and_its_log_are_as_they_are_told() {
    let at = Compared::new(door().await).await;
    for path in ["/v1/status", "/v1/metrics", "/openapi.json", "/openapi/events.json", "/docs", "/docs/events"] {
        at.get(path, 200).await;
    }
    at.ask("get", "/v1/metrics", &[("accept", "application/openmetrics-text")], Value::Null, 200).await;
    at.door.register("shop", &["a"]).await;
    let of_shop = [("content-type", BATCH), ("weir-space", "shop")];
    let batch =
        format!("[{},{}]", event("1", "a", r#","subject":"x","data":{"b":[1]},"number":7"#), event("2", "a", ""));
    assert_eq!(at.door.request("POST", "/", &of_shop, &batch).await.status, 202);
    assert_eq!(at.get("/v1/spaces/shop/events", 200).await.json().as_array().map(Vec::len), Some(2));
    at.get("/v1/spaces/shop/events?type=a&type=b&limit=1&order=desc", 200).await;
    at.get("/v1/spaces/shop/events?unknown=1", 400).await;
    at.get("/v1/spaces/shop/events?at-least=9999", 503).await;
    at.get("/v1/spaces/weir.system/events", 403).await;
    at.door.subscribe("shop", "notice", json!({ "type": "async", "eventType": "a" })).await;
    assert_eq!(at.door.request("POST", "/", &of_shop, &format!("[{}]", event("3", "a", ""))).await.status, 202);
    let told = at.get("/v1/spaces/shop/events/3/explain?source=%2Ftest&subscription=notice", 200).await.json();
    assert_eq!(told["deliveries"].as_array().map(Vec::len), Some(1), "{told}");
    at.get("/v1/spaces/shop/events/nothing/explain", 404).await;
    at.get("/v1/spaces/shop/events/3/explain?at=1", 400).await;
    at.ask("get", "/v1/spaces/shop/events/3/explain", &[("accept", "text/html")], Value::Null, 406).await;

    let allowed_hosts = vec!["weir.internal".to_owned()];
    let options = Options { local_names_only: true, allowed_hosts, ..Options::default() };
    let door = gateway(memory(), options, |log| log).await;
    for path in ["/v1/status", "/docs", "/openapi.json", "/v1/spaces"] {
        let answer = door.configure_with("GET", path, &[("host", "evil.example")], "").await;
        assert_eq!(answer.status, 421);
        at.told.check_answer("get", path, &answer);
        let own = door.configure_with("GET", path, &[("host", "weir.internal:4001")], "").await;
        assert_eq!(own.status, 200, "{path}");
    }
}

#[tokio::test]
async fn dead_letters_are_as_they_are_told() {
    let at = Compared::new(door().await).await;
    at.door.register("shop", &["a"]).await;
    let retry = json!({ "attemptsMax": 1 });
    at.door.subscribe("shop", "fails", json!({ "type": "async", "eventType": "a", "retry": retry })).await;
    let of_shop = [("content-type", BATCH), ("weir-space", "shop")];
    let batch = format!("[{},{}]", event("1", "a", r#","subject":"x","data":{"b":[1]}"#), event("2", "a", ""));
    assert_eq!(at.door.request("POST", "/", &of_shop, &batch).await.status, 202);
    let all = "/v1/spaces/shop/deadletters";
    let (mut from, mut letters) = (1, Vec::new());
    for _ in 0..2 {
        let read = at.door.read("shop", &format!("type=weir.delivery.failed&from={from}&limit=1&wait=20")).await;
        letters.push(read.json()[0]["weirposition"].as_str().expect("a letter").to_owned());
        from = read.header("weir-next").and_then(|next| next.parse().ok()).expect("where to go on");
    }
    at.get(all, 200).await;
    assert!(at.get(&format!("{all}?limit=1&state=all"), 200).await.header("link").is_some());
    at.get(&format!("{all}?limit=0"), 400).await;
    at.get("/v1/spaces/weir.system/deadletters", 403).await;
    let one = format!("{all}/{}", letters[0]);
    at.get(&one, 200).await;
    at.get(&format!("{all}/1"), 404).await;
    let merge = [("content-type", "application/merge-patch+json")];
    at.ask("patch", &one, &merge, json!({ "data": { "b": 2 } }), 200).await;
    at.ask("patch", &one, &merge, json!({ "id": "3" }), 400).await;
    at.ask("patch", &one, &[("content-type", "text/plain")], json!({}), 415).await;
    at.get(&one, 200).await;
    at.post(&format!("{one}/redrive"), json!({}), 202).await;
    at.post(&format!("{one}/redrive"), Value::Null, 202).await;
    at.post(&format!("{one}/discard"), Value::Null, 409).await;
    at.ask("patch", &one, &merge, json!({}), 409).await;
    at.get(&one, 200).await;
    at.post(&format!("{all}/{}/discard", letters[1]), json!({ "reason": "no" }), 200).await;
    at.post(&format!("{all}/redrive"), json!({ "all": true }), 202).await;
    at.post(&format!("{all}/discard"), json!({ "type": "b" }), 200).await;
    at.post(&format!("{all}/discard"), json!({}), 400).await;
    at.post(&format!("{all}/7000/redrive"), json!({}), 404).await;
}

#[tokio::test]
async fn answers_of_the_events_api_are_as_they_are_told() {
    let door = door().await;
    let told = Told::of(&door, EVENTS).await;
    door.register("default", &["a"]).await;
    let quarantining = json!({ "name": "q", "schema": { "type": "object" }, "onInvalid": "quarantine" });
    door.create("eventtypes", quarantining).await;
    let route = |path: &str| json!({ "type": "sync", "eventType": "http.request", "path": path });
    door.subscribe("default", "echo", route("/echo")).await;
    door.subscribe("default", "fails", route("/fails")).await;
    let batch = format!("[{},{}]", event("1", "a", ""), event("2", "a", ""));
    let old = json!({ "cloudEventsVersion": "0.1", "eventID": "o", "eventType": "a", "source": "/s" }).to_string();
    let structured = ("content-type", STRUCTURED);
    let binary = [("ce-specversion", "1.0"), ("ce-id", "b"), ("ce-source", "/s"), ("ce-type", "a")];
    let cases: [(&str, &str, &str, Headers<'_>, &str, u16); 18] = [
        ("post", "/", "/", &[structured], &event("1", "a", ""), 202),
        ("post", "/", "/", &[structured, ("x-request-id", "mine")], &event("1", "a", ""), 202),
        ("put", "/", "/", &[structured], &event("q", "q", r#","data":7"#), 202),
        ("post", "/", "/", &[("content-type", BATCH)], &batch, 202),
        ("post", "/", "/", &[("content-type", BATCH)], "[]", 202),
        ("patch", "/", "/", &binary, "data", 202),
        ("post", "/", "/", &[structured], &old, 202),
        ("post", "/", "/", &[("event", "a")], "any", 202),
        ("post", "/", "/", &[structured], "{", 400),
        ("post", "/", "/", &[structured], &event("1", "weir.x", ""), 403),
        ("post", "/", "/", &[("content-type", "application/cloudevents+avro")], "", 415),
        ("put", "/", "/", &[("content-type", BATCH)], "[]", 405),
        ("get", "/{path}", "/nobody", &[], "", 404),
        ("post", "/{path}", "/echo", &[], "x", 201),
        ("get", "/{path}", "/echo", &[], "", 405),
        ("options", "/{path}", "/echo", &[], "", 204),
        ("post", "/{path}", "/fails", &[], "x", 500),
        ("post", "/spaces/{space}/", "/spaces/weir.system/", &[structured], "{}", 403),
    ];
    for (method, template, path, headers, body, status) in cases {
        let answer = door.request(&method.to_uppercase(), path, headers, body).await;
        assert_eq!(answer.status, status, "{method} {path} {headers:?} {body}: {}", answer.text());
        told.check_answer(method, template, &answer);
    }
}
