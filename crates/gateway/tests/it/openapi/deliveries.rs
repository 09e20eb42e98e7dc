//! How deliveries stand, and replays: real answers, which must be as they are told.

use std::time::Instant;

use serde_json::{Value, json};

use super::answers::Compared;
use crate::support::{Answer, BATCH, BOUND, door, event};

const ALL: &str = "/v1/spaces/shop/subscriptions";

/// A space with a subscription to the type `a` and some events that are delivered; returns the path of the subscription.
async fn delivered(at: &Compared, events: usize) -> String {
    at.door.register("shop", &["a"]).await;
    at.door.subscribe("shop", "notice", json!({ "type": "async", "eventType": "a" })).await;
    let listed = at.door.configure("GET", ALL, "").await.json();
    let id = listed["subscriptions"][0]["subscriptionId"].as_str().expect("an identifier").to_owned();
    let batch: Vec<String> = (0..events).map(|number| event(&number.to_string(), "a", "")).collect();
    let headers = [("content-type", BATCH), ("weir-space", "shop")];
    let answer = at.door.request("POST", "/", &headers, &format!("[{}]", batch.join(","))).await;
    assert_eq!(answer.status, 202, "{}", answer.text());
    let path = format!("{ALL}/{id}");
    until(at, &format!("{path}/status"), |status| status["backlog"]["events"] == 0 && status["inFlight"] == 0).await;
    path
}

/// Asks until the answer is as it should be.
async fn until(at: &Compared, path: &str, is_so: impl Fn(&Value) -> bool) -> Value {
    let begun = Instant::now();
    loop {
        let answer = at.get(path, 200).await.json();
        if is_so(&answer) {
            return answer;
        }
        assert!(begun.elapsed() < BOUND, "{path}: {answer}");
        tokio::task::yield_now().await;
    }
}

fn cure(answer: &Answer) -> String {
    answer.json()["errors"][0]["cure"].as_str().unwrap_or_default().to_owned()
}

#[tokio::test]
async fn replays_are_as_they_are_told() {
    let at = Compared::new(door().await).await;
    let path = delivered(&at, 3).await;
    let replays = format!("{path}/replays");
    let effects = json!([{ "functionId": "notice", "type": "http", "target": "http://localhost" }]);
    let plan = at.post(&format!("{replays}?dryRun=true"), json!({ "from": "earliest" }), 200).await.json();
    assert_eq!((&plan["events"], &plan["effects"]), (&json!(3), &effects));
    let refused = at.post(&replays, json!({ "from": "earliest" }), 400).await;
    assert!(refused.text().contains("function \\\"notice\\\" (http http://localhost)"), "{}", refused.text());
    assert!(cure(&refused).contains("withEffects"), "{}", refused.text());

    let wanted = json!({ "from": "earliest", "to": plan["to"], "rate": 1000, "as": "again", "withEffects": true });
    let begun = at.post(&replays, wanted, 201).await.json();
    assert_eq!((&begun["state"], &begun["events"], &begun["rate"]), (&json!("running"), &json!(3), &json!(1000)));
    let one = format!("{replays}/{}", begun["replayId"].as_str().expect("an identifier"));
    let ended = until(&at, &one, |replay| replay["state"] == "finished").await;
    assert_eq!((&ended["delivered"], &ended["givenUp"], &ended["as"]), (&json!(3), &json!(0), &json!("again")));
    at.delete(&one, 409).await;
    let told = at.get(&format!("{path}/status"), 200).await.json();
    assert_eq!(told["replay"]["replayId"], begun["replayId"]);

    at.get(&format!("{replays}/nobody"), 404).await;
    at.delete(&format!("{replays}/nobody"), 404).await;
    for wrong in [
        json!({}),
        json!({ "from": "yesterday" }),
        json!({ "from": 1, "to": [] }),
        json!({ "from": 1, "rate": 0, "withEffects": true }),
        json!({ "from": 1, "filter": { "exact": {} } }),
        json!({ "from": 99_999 }),
    ] {
        let refused = at.post(&replays, wrong.clone(), 400).await;
        assert!(!cure(&refused).is_empty(), "{wrong}: {}", refused.text());
    }
    at.post(&format!("{replays}?dryRun=maybe"), json!({ "from": 1 }), 400).await;
    at.post(&format!("{ALL}/nobody/replays"), json!({ "from": 1 }), 404).await;
    at.post("/v1/spaces/weir.system/subscriptions/a/replays", json!({ "from": 1 }), 403).await;
    at.ask("post", &replays, &[("content-type", "text/plain")], json!({ "from": 1 }), 415).await;
    at.ask("get", &one, &[("accept", "text/html")], Value::Null, 406).await;
}

#[tokio::test]
async fn statuses_are_as_they_are_told() {
    let at = Compared::new(door().await).await;
    let path = delivered(&at, 2).await;
    let status = at.get(&format!("{path}/status"), 200).await.json();
    assert_eq!((&status["state"], &status["functionId"]), (&json!("active"), &json!("notice")));
    at.door.subscribe("shop", "other", json!({ "type": "async", "eventType": "a" })).await;
    let listed = at.get("/v1/spaces/shop/status", 200).await.json();
    assert_eq!(listed["subscriptions"].as_array().map(Vec::len), Some(2));
    assert!(at.get("/v1/spaces/shop/status?limit=1", 200).await.header("link").is_some());
    assert_eq!(at.get("/v1/spaces/none/status", 200).await.json(), json!({ "subscriptions": [] }));
    at.get("/v1/spaces/shop/status?limit=0", 400).await;
    at.get("/v1/spaces/weir.system/status", 403).await;
    at.get(&format!("{ALL}/nobody/status"), 404).await;

    let route = json!({ "type": "sync", "eventType": "http.request", "path": "/x" });
    at.door.subscribe("shop", "echo", route).await;
    let subscriptions = at.door.configure("GET", ALL, "").await.json();
    let is_sync = |it: &&Value| it["type"] == "sync";
    let sync = subscriptions["subscriptions"].as_array().and_then(|all| all.iter().find(is_sync)).expect("a route");
    let sync = sync["subscriptionId"].as_str().expect("an identifier");
    at.get(&format!("{ALL}/{sync}/status"), 400).await;
    at.post(&format!("{ALL}/{sync}/replays"), json!({ "from": 1 }), 400).await;
    let listed = at.get("/v1/spaces/shop/status", 200).await.json();
    assert_eq!(listed["subscriptions"].as_array().map(Vec::len), Some(2), "of routes there is nothing to tell");

    let metrics = at.door.configure("GET", "/v1/metrics", "").await;
    for name in ["weir_subscription_backlog_events{space=\"shop\"", "weir_subscription_state{space=\"shop\""] {
        assert!(metrics.text().contains(name), "{name}");
    }
}
