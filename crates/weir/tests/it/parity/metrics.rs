//! The names under which the Event Gateway counted, which dashboards ask for.

use serde_json::json;

use super::{Gateway, text, url_function};
use crate::process::Http;

#[test]
fn metrics_have_their_names_types_and_labels() {
    let gateway = Gateway::start();
    let space = gateway.space("shop");
    space.create("eventtypes", &json!({ "name": "user.created" }));
    space.create("functions", &url_function("func"));
    space.create("cors", &json!({ "method": "GET", "path": "/hello" }));
    assert_eq!(space.request("POST", "/", &[("event", "user.created")], "x").status, 202);
    let mut http = Http::connect(gateway.server.config).expect("connected");
    let answer = http.send("GET", "/v1/status", &[], b"").expect("answered");
    assert_eq!((answer.status, text(&answer)), (200, ""));
    let answer = http.send("GET", "/v1/metrics", &[], b"").expect("answered");
    assert_eq!(answer.status, 200);
    let content_type = answer.header("content-type").expect("it is told");
    assert!(content_type.starts_with("text/plain; version=0.0.4"), "{content_type}");
    let told = text(&answer);
    for (name, kind) in [
        ("events_received_total", "counter"),
        ("events_processed_total", "counter"),
        ("events_dropped_total", "counter"),
        ("events_backlog", "gauge"),
        ("events_custom_processing_seconds", "histogram"),
        ("eventtypes_total", "gauge"),
        ("functions_total", "gauge"),
        ("subscriptions_total", "gauge"),
        ("cors_total", "gauge"),
        ("config_requests_total", "counter"),
        ("config_request_duration_seconds", "histogram"),
    ] {
        let line = format!("# TYPE eventgateway_{name} {kind}");
        assert!(told.lines().any(|each| each == line), "{line} in {told}");
    }
    for line in [
        // Fixed: events are counted under their own type, not as `custom`.
        "eventgateway_events_received_total{space=\"shop\",type=\"user.created\"} 1",
        "eventgateway_eventtypes_total{space=\"shop\"} 1",
        "eventgateway_functions_total{space=\"shop\"} 1",
        "eventgateway_subscriptions_total{space=\"shop\"} 0",
        "eventgateway_cors_total{space=\"shop\"} 1",
        "eventgateway_config_requests_total{space=\"shop\",resource=\"cors\",operation=\"create\"} 1",
    ] {
        assert!(told.lines().any(|each| each == line), "{line} in {told}");
    }
}
