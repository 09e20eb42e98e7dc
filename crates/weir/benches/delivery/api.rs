//! The Configuration API, as the parts of this bench ask it.

use serde_json::{Value, json};

use crate::process::{Http, Server};

/// One connection to it. A server closes one that idles: make it where it is needed.
pub(crate) struct Api {
    http: Http,
}

impl Api {
    pub(crate) fn of(server: &Server) -> Self {
        Self { http: Http::connect(server.config).unwrap() }
    }

    /// Makes a function at a URL.
    pub(crate) fn make_function_at(&mut self, name: &str, url: &str) {
        self.make("functions", &json!({ "functionId": name, "type": "http", "provider": { "url": url } }));
    }

    /// Makes an async subscription with these members beside its type and function; returns its identifier.
    pub(crate) fn subscribe(&mut self, event_type: &str, function: &str, policy: &Value) -> String {
        let made = self.make("subscriptions", &subscription(event_type, function, policy));
        made["subscriptionId"].as_str().expect("an identifier").to_owned()
    }

    /// Gives a subscription another policy.
    pub(crate) fn change(&mut self, id: &str, event_type: &str, function: &str, policy: &Value) {
        let body = subscription(event_type, function, policy).to_string();
        self.ask("PUT", &format!("subscriptions/{id}"), &body, 200);
    }

    pub(crate) fn unsubscribe(&mut self, id: &str) {
        self.ask("DELETE", &format!("subscriptions/{id}"), "", 204);
    }

    pub(crate) fn make(&mut self, resource: &str, body: &Value) -> Value {
        self.ask("POST", resource, &body.to_string(), 201)
    }

    pub(crate) fn get(&mut self, path: &str) -> Value {
        self.ask("GET", path, "", 200)
    }

    /// Returns how many deliveries of events of a type are done with since the server began, of all subscriptions.
    pub(crate) fn processed(&mut self, event_type: &str) -> u64 {
        let answer = self.http.send("GET", "/v1/metrics", &[], b"").unwrap();
        let text = std::str::from_utf8(&answer.body).unwrap();
        assert_eq!(answer.status, 200, "{text}");
        let label = format!("type=\"{event_type}\"");
        let samples = text
            .lines()
            .filter(|line| line.starts_with("eventgateway_events_processed_total{") && line.contains(&label));
        samples.map(|line| line.rsplit(' ').next().unwrap().parse::<f64>().unwrap() as u64).sum()
    }

    /// Sends a request about the default space that must be answered with this status; returns what is in the answer.
    fn ask(&mut self, method: &str, path: &str, body: &str, status: u16) -> Value {
        let path = format!("/v1/spaces/default/{path}");
        let headers: &[(&str, &str)] = if body.is_empty() { &[] } else { &[("content-type", "application/json")] };
        let answer = self.http.send(method, &path, headers, body.as_bytes()).unwrap();
        let text = String::from_utf8_lossy(&answer.body);
        assert_eq!(answer.status, status, "{method} {path} with {body:?}: {text}");
        if text.is_empty() { Value::Null } else { serde_json::from_str(&text).unwrap() }
    }
}

fn subscription(event_type: &str, function: &str, policy: &Value) -> Value {
    let mut whole = json!({ "type": "async", "eventType": event_type, "functionId": function });
    for (name, value) in policy.as_object().expect("members") {
        whole[name.as_str()] = value.clone();
    }
    whole
}
