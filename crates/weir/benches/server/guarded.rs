//! What the door costs when it is guarded: a token for every request, a JSON Schema of ten properties for the data, and
//! metrics that somebody scrapes.

use std::{
    net::SocketAddr,
    path::Path,
    sync::mpsc::{RecvTimeoutError, sync_channel},
    time::Duration,
};

use serde_json::{Value, json};

use crate::{
    figure::{Figure, RUNS},
    load::{Load, load},
    noop::Noop,
    observe::rest,
    process::{Answer, Http, STRUCTURED, Server, directory},
    template::{ID, KEY, Template, event},
};

/// The token of the operator, on a server that nobody else reaches.
const OPERATOR: &str = "0123456789abcdef0123456789abcdef-bench";

const SETTINGS: &str = "[auth]\nmode = \"required\"\nadmin_token_file = \"operator.token\"\n";

/// How often the metrics are read.
const SCRAPE_INTERVAL: Duration = Duration::from_secs(1);

/// Measures the guarded door beside an open one and a handler that does nothing.
pub(crate) fn guarded() {
    let noop = Noop::start();
    let (open_data, guarded_data) = (directory(), directory());
    let open = Server::start(open_data.path());
    open.configure("eventtypes", &json!({ "name": "job" }));
    let door = Door::start(guarded_data.path());
    let plain = Template::post(STRUCTURED.1, &event(KEY));
    let shown = door.template(&order(KEY, "paid"));
    let on = |address: SocketAddr, run: usize, template: &Template| {
        load(address, 64, Duration::from_secs(3), "HTTP/1.1 202", run, template)
    };
    let [mut rate, mut p99, mut client, mut open_rate, mut open_p99]: [Figure; 5] = Default::default();
    let [mut limit_rate, mut limit_client, mut ratio, mut open_ratio, mut price]: [Figure; 5] = Default::default();
    let mut scrapes = Figure::default();
    for run in 0..RUNS {
        let [mut limit, mut bare, mut ours]: [Option<Load>; 3] = Default::default();
        // Each is the first, the second and the third in turn.
        for turn in 0..3 {
            rest(open.pid());
            rest(door.server.pid());
            match (run + turn) % 3 {
                0 => limit = Some(on(noop.address, run, &shown)),
                1 => bare = Some(on(open.events, run, &plain)),
                _ => {
                    let (measured, count) = door.scraped(|| on(door.server.events, run, &shown));
                    ours = Some(measured);
                    scrapes.add(count as f64);
                }
            }
        }
        let (limit, bare, ours) = (limit.unwrap(), bare.unwrap(), ours.unwrap());
        ratio.add(ours.per_second / limit.per_second);
        open_ratio.add(bare.per_second / limit.per_second);
        price.add(ours.per_second / bare.per_second);
        rate.add(ours.per_second);
        p99.add(ours.p99.as_secs_f64() * 1e3);
        client.add(ours.client);
        open_rate.add(bare.per_second);
        open_p99.add(bare.p99.as_secs_f64() * 1e3);
        limit_rate.add(limit.per_second);
        limit_client.add(limit.client);
    }
    println!("guarded 64 connections: {rate:.0} requests/s, p99 {p99:.2} ms, load on {client:.2} of a processor");
    println!("        a token, a schema of ten properties, metrics read {scrapes:.0} times a run");
    println!("        without them: {open_rate:.0} requests/s, p99 {open_p99:.2} ms, ratio to a no-op {open_ratio:.2}");
    println!("        a no-op: {limit_rate:.0} requests/s, load on {limit_client:.2} of a processor");
    println!("        ratio: {ratio:.2}, at least 0.50 is wanted; to the same without guards: {price:.2}");
}

/// A server that asks for tokens.
struct Door {
    server: Server,
    /// Gives the right to emit and no other.
    token: String,
}

impl Door {
    fn start(directory: &Path) -> Self {
        let settings = directory.join("weir.toml");
        std::fs::write(&settings, SETTINGS).unwrap();
        std::fs::write(directory.join("operator.token"), OPERATOR).unwrap();
        let server = Server::start_with(&directory.join("data"), &settings);
        let made = post(server.config, "/v1/tokens", OPERATOR, &json!({ "scopes": ["emit@default/job"] }));
        assert_eq!(made.status, 201, "{}", String::from_utf8_lossy(&made.body));
        let made: Value = serde_json::from_slice(&made.body).unwrap();
        let token = made["token"].as_str().unwrap().to_owned();
        let declared = json!({ "name": "job", "schema": schema() });
        let made = post(server.config, "/v1/spaces/default/eventtypes", OPERATOR, &declared);
        assert_eq!(made.status, 201, "{}", String::from_utf8_lossy(&made.body));
        let door = Self { server, token };
        door.check();
        door
    }

    /// Sees that the guards are there: what is measured would be nothing otherwise.
    fn check(&self) {
        let emit = |token: &str, status: &str| {
            let body = order("000", status).replace(ID, "of-no-run-at-all");
            let mut http = Http::connect(self.server.events).unwrap();
            let bearer = format!("Bearer {token}");
            http.send("POST", "/", &[STRUCTURED, ("authorization", bearer.as_str())], body.as_bytes()).unwrap().status
        };
        assert_eq!(emit("weir_a_b", "paid"), 401, "another token");
        assert_eq!(emit(&self.token, "lost"), 400, "data that break the schema");
        assert_eq!(emit(&self.token, "paid"), 202, "what is measured");
    }

    fn template(&self, body: &str) -> Template {
        let headers = format!("content-type: {}\r\nauthorization: Bearer {}\r\n", STRUCTURED.1, self.token);
        Template::post_with(&headers, body)
    }

    /// Does work while the metrics are read, and tells how often they were.
    fn scraped<T>(&self, work: impl FnOnce() -> T) -> (T, usize) {
        let bearer = format!("Bearer {OPERATOR}");
        let (stop, stopped) = sync_channel::<()>(0);
        std::thread::scope(|scope| {
            let scraper = scope.spawn(move || {
                let mut http = Http::connect(self.server.config).unwrap();
                let mut count = 0;
                loop {
                    let answer = http.send("GET", "/v1/metrics", &[("authorization", bearer.as_str())], b"").unwrap();
                    assert_eq!(answer.status, 200);
                    count += 1;
                    if stopped.recv_timeout(SCRAPE_INTERVAL) != Err(RecvTimeoutError::Timeout) {
                        return count;
                    }
                }
            });
            let done = work();
            drop(stop);
            (done, scraper.join().unwrap())
        })
    }
}

fn post(address: SocketAddr, path: &str, token: &str, body: &Value) -> Answer {
    let bearer = format!("Bearer {token}");
    let headers = [("content-type", "application/json"), ("authorization", bearer.as_str())];
    Http::connect(address).unwrap().send("POST", path, &headers, body.to_string().as_bytes()).unwrap()
}

/// Ten properties, of which one is an object.
fn schema() -> Value {
    json!({
        "type": "object",
        "properties": {
            "number": { "type": "string", "pattern": "^[A-Z]{2}-[0-9]{3}$" },
            "status": { "enum": ["placed", "paid", "sent"] },
            "quantity": { "type": "integer", "minimum": 1, "maximum": 1000 },
            "price": { "type": "number", "minimum": 0 },
            "currency": { "type": "string", "pattern": "^[A-Z]{3}$" },
            "express": { "type": "boolean" },
            "tags": { "type": "array", "items": { "type": "string", "maxLength": 16 }, "maxItems": 8 },
            "customer": {
                "type": "object",
                "properties": { "name": { "type": "string", "maxLength": 64 }, "zip": { "type": "string", "maxLength": 10 } },
                "required": ["name"],
            },
            "placedAt": { "type": "string", "maxLength": 32 },
            "note": { "type": "string", "maxLength": 400 },
        },
        "required": ["number", "status", "quantity", "price", "currency", "customer"],
        "additionalProperties": false,
    })
}

/// An event whose data keep the schema where the status is one of an order, of the size of the event without a schema.
fn order(key: &str, status: &str) -> String {
    let with = |note: &str| {
        format!(
            "{{\"specversion\":\"1.0\",\"id\":\"{ID}\",\"source\":\"/bench/producer\",\"type\":\"job\",\"subject\":\"key/{key}\",\
             \"datacontenttype\":\"application/json\",\"data\":{{\"number\":\"WR-{key}\",\"status\":\"{status}\",\"quantity\":12,\
             \"price\":34.5,\"currency\":\"EUR\",\"express\":true,\"tags\":[\"new\",\"gift\"],\"customer\":{{\"name\":\"Ada\",\
             \"zip\":\"10115\"}},\"placedAt\":\"2026-01-01T00:00:00Z\",\"note\":\"{note}\"}}}}"
        )
    };
    with(&"x".repeat(event(key).len() - with("").len()))
}
