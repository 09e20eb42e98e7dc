//! What the Event Gateway's own tests asserted, asked of the binary over HTTP.
//!
//! Each case says which of its tests it is. Where Weir differs on purpose (docs/http-api.md, section 7), the case says so
//! and asserts what Weir does. Not here, because no request can show them: the cases of a failing store, the exact keys
//! and the caches of its database, and its hosted build. A server that stops is in `drain.rs`.

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::process::{Answer, Http, Server, directory};

mod answers;
mod arrivals;
mod authorizers;
mod cors;
mod detection;
mod event_types;
mod functions;
mod metrics;
mod routes;
mod subscriptions;

/// A server with a data directory that ends with it.
struct Gateway {
    server: Server,
    _data: TempDir,
}

impl Gateway {
    fn start() -> Self {
        let data = directory();
        Self { server: Server::start(data.path()), _data: data }
    }

    /// One that does as the Event Gateway did what changed.
    fn standing_in() -> Self {
        let data = directory();
        let settings = data.path().join("weir-server.toml");
        std::fs::write(&settings, "[compatibility]\nprofile = \"event-gateway\"\n").expect("written");
        Self { server: Server::start_with(&data.path().join("data"), &settings), _data: data }
    }

    /// A space of its own for cases that nothing else should see.
    fn space<'a>(&'a self, name: &'a str) -> Space<'a> {
        Space { server: &self.server, name }
    }
}

/// One space of a server.
struct Space<'a> {
    server: &'a Server,
    name: &'a str,
}

impl Space<'_> {
    /// Sends a request to the Configuration API; the path is that within the space.
    fn configure(&self, method: &str, path: &str, body: &str) -> Answer {
        let path = format!("/v1/spaces/{}/{path}", self.name);
        let mut http = Http::connect(self.server.config).expect("connected");
        http.send(method, &path, &[], body.as_bytes()).expect("answered")
    }

    /// Makes a resource, which must succeed; returns how it is shown.
    fn create(&self, resource: &str, body: &Value) -> Value {
        let answer = self.configure("POST", resource, &body.to_string());
        assert_eq!(answer.status, 201, "{resource} {body}: {}", text(&answer));
        json_of(&answer)
    }

    /// Makes a function of the body of `handle(event, context)` in JavaScript.
    fn script(&self, id: &str, body: &str) {
        let source = format!("export function handle(event, context) {{ {body} }}");
        self.create("functions", &json!({ "functionId": id, "type": "wasm", "provider": { "javascript": source } }));
    }

    /// Makes a sync subscription; returns its identifier.
    fn route(&self, function: &str, event_type: &str, method: &str, path: &str) -> String {
        let shown = self.create("subscriptions", &route(function, event_type, method, path));
        shown["subscriptionId"].as_str().expect("text").to_owned()
    }

    /// Sends a request to the Events API.
    fn request(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Answer {
        let mut headers = headers.to_vec();
        headers.push(("weir-space", self.name));
        let mut http = Http::connect(self.server.events).expect("connected");
        http.send(method, path, &headers, body.as_bytes()).expect("answered")
    }

    /// Reads all events of the space.
    fn events(&self) -> Vec<Value> {
        let answer = self.configure("GET", "events?limit=1000", "");
        assert_eq!(answer.status, 200, "{}", text(&answer));
        serde_json::from_slice(&answer.body).expect("a batch")
    }

    /// Sends a configuration request that answers with a resource or a list.
    fn gives(&self, case: &str, request: (&str, &str, &str), status: u16, expected: &Value) {
        let (method, path, body) = request;
        let answer = self.configure(method, path, body);
        assert_eq!(answer.status, status, "{case}: {}", text(&answer));
        assert_eq!(answer.header("content-type"), Some("application/json"), "{case}");
        assert_eq!(json_of(&answer), *expected, "{case}");
    }

    /// Sends a configuration request that is refused.
    fn refuses(&self, case: &str, request: (&str, &str, &str), status: u16, message: &str) {
        let (method, path, body) = request;
        check_refused(case, &self.configure(method, path, body), status, message);
    }

    /// Deletes a resource that is there.
    fn deletes(&self, case: &str, path: &str) {
        let answer = self.configure("DELETE", path, "");
        assert_eq!((answer.status, text(&answer)), (204, ""), "{case}");
        assert_eq!(self.configure("GET", path, "").status, 404, "{case}");
    }
}

/// The declaration of a sync subscription.
fn route(function: &str, event_type: &str, method: &str, path: &str) -> Value {
    json!({ "type": "sync", "eventType": event_type, "functionId": function, "method": method, "path": path })
}

/// A function that nobody calls, with what it shows of itself.
fn url_function(id: &str) -> Value {
    json!({ "functionId": id, "type": "http", "provider": { "url": "http://127.0.0.1:1/hook" } })
}

/// Asserts the form of an error, which all of the Event Gateway's had, and its message.
fn check_refused(case: &str, answer: &Answer, status: u16, message: &str) {
    assert_eq!(answer.status, status, "{case}: {}", text(answer));
    assert_eq!(answer.header("content-type"), Some("application/json"), "{case}");
    let told = json_of(answer);
    assert_eq!(told["errors"].as_array().map(Vec::len), Some(1), "{case}: {told}");
    assert_eq!(told["errors"][0]["message"], message, "{case}");
}

/// What the Event Gateway says of fields that break rules, each a type, a field and a rule.
fn field(kind: &str, field: &str, rule: &str) -> String {
    format!("Key: '{kind}.{field}' Error:Field validation for '{field}' failed on the '{rule}' tag")
}

fn text(answer: &Answer) -> &str {
    str::from_utf8(&answer.body).expect("UTF-8")
}

fn json_of(answer: &Answer) -> Value {
    serde_json::from_slice(&answer.body).unwrap_or_else(|error| panic!("{error}: {}", text(answer)))
}

/// The same with members of another one put in or in their place.
fn with(mut value: Value, members: Value) -> Value {
    let Value::Object(members) = members else { panic!("no object: {members}") };
    value.as_object_mut().expect("an object").extend(members);
    value
}
