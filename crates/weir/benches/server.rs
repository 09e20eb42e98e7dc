//! Measures the whole server as a process against a handler that does nothing:
//! `cargo bench -p weir --bench server [-- start single guarded batch route deliver fresh]`.
//!
//! Server and load share the machine. Each figure is the median of five runs, with the least and the most. Both sides
//! of a ratio are measured in each run, in turns, and each when the other has come to rest. The
//! load sends bytes that were made before, and says how much of a processor it takes itself: near 1.00 it is the load
//! that is measured, because it runs on one thread.

#![allow(
    clippy::disallowed_methods,
    clippy::print_stdout,
    clippy::unwrap_used,
    dead_code,
    reason = "a measuring program: it owns its threads and stops at the first error"
)]

use std::time::{Duration, Instant};

use serde_json::json;

#[path = "shared/figure.rs"]
mod figure;
#[path = "server/guarded.rs"]
mod guarded;
#[path = "server/load.rs"]
mod load;
#[path = "server/noop.rs"]
mod noop;
#[path = "shared/observe.rs"]
mod observe;
#[path = "../tests/it/process.rs"]
mod process;
#[path = "shared/template.rs"]
mod template;

use figure::{Figure, RUNS};
use load::{Load, load};
use noop::Noop;
use observe::{file_system, memory, rest};
use process::{Http, Server, directory};
use template::{KEY, Template, event};

/// Loads both sides, the limit first in every other run; returns what the limit and what ours came to.
fn in_turn(run: usize, server: &Server, limit: impl Fn() -> Load, ours: impl Fn() -> Load) -> (Load, Load) {
    let rested = |side: &dyn Fn() -> Load| {
        rest(server.pid());
        side()
    };
    if run.is_multiple_of(2) {
        let limit = rested(&limit);
        (limit, rested(&ours))
    } else {
        let ours = rested(&ours);
        (rested(&limit), ours)
    }
}

fn single() {
    let noop = Noop::start();
    let data = directory();
    let server = Server::start(data.path());
    server.configure("eventtypes", &json!({ "name": "job" }));
    let template = Template::post("application/cloudevents+json", &event(KEY));
    let [mut rate, mut limit_rate, mut ratio, mut p99, mut client, mut limit_client]: [Figure; 6] = Default::default();
    for run in 0..RUNS {
        let on = |address| load(address, 64, Duration::from_secs(3), "HTTP/1.1 202", run, &template);
        let (limit, ours) = in_turn(run, &server, || on(noop.address), || on(server.events));
        ratio.add(ours.per_second / limit.per_second);
        rate.add(ours.per_second);
        limit_rate.add(limit.per_second);
        p99.add(ours.p99.as_secs_f64() * 1e3);
        client.add(ours.client);
        limit_client.add(limit.client);
    }
    println!("single  64 connections: {rate:.0} requests/s, p99 {p99:.2} ms, load on {client:.2} of a processor");
    println!("        a no-op: {limit_rate:.0} requests/s, load on {limit_client:.2} of a processor");
    println!("        ratio: {ratio:.2}");
}

fn batch() {
    let data = directory();
    let server = Server::start(data.path());
    server.configure("eventtypes", &json!({ "name": "job" }));
    let events: Vec<_> = (0..100).map(|n| event(&format!("{:03}", n * 7 % 1000))).collect();
    let template = Template::post("application/cloudevents-batch+json", &format!("[{}]", events.join(",")));
    let [mut rate, mut client]: [Figure; 2] = Default::default();
    for run in 0..RUNS {
        rest(server.pid());
        let ours = load(server.events, 16, Duration::from_secs(3), "HTTP/1.1 202", run, &template);
        rate.add(ours.per_second * 100.0);
        client.add(ours.client);
    }
    println!("batch   of 100, 16 connections: {rate:.0} events/s, load on {client:.2} of a processor");
}

fn route() {
    let noop = Noop::start();
    let data = directory();
    let server = Server::start(data.path());
    let code = "export function handle(event) { return { statusCode: 200, body: 'hello ' + event.data.params.name } }";
    server
        .configure("functions", &json!({ "functionId": "greet", "type": "wasm", "provider": { "javascript": code } }));
    let route = json!({ "type": "sync", "eventType": "http.request", "functionId": "greet", "method": "GET", "path": "/hello/:name" });
    server.configure("subscriptions", &route);
    let template = Template::new("GET /hello/weir HTTP/1.1\r\nhost: localhost\r\n\r\n".into());
    let time = Duration::from_secs(3);
    let [mut rate, mut limit_rate, mut client, mut limit_client, mut added50, mut added99]: [Figure; 6] =
        Default::default();
    for run in 0..RUNS {
        let ours = |connections| load(server.events, connections, time, "HTTP/1.1 200", run, &template);
        let limit = |connections| load(noop.address, connections, time, "HTTP/1.1 202", run, &template);
        let (bare, called) = in_turn(run, &server, || limit(64), || ours(64));
        rate.add(called.per_second);
        limit_rate.add(bare.per_second);
        client.add(called.client);
        limit_client.add(bare.client);
        let (bare, called) = in_turn(run, &server, || limit(1), || ours(1));
        added50.add((called.p50.as_secs_f64() - bare.p50.as_secs_f64()) * 1e6);
        added99.add((called.p99.as_secs_f64() - bare.p99.as_secs_f64()) * 1e6);
    }
    println!("route   to JavaScript, 64 connections: {rate:.0} requests/s, load on {client:.2} of a processor");
    println!("        a no-op: {limit_rate:.0} requests/s, load on {limit_client:.2} of a processor");
    println!("        added to a no-op at 1 connection: p50 {added50:.0} µs, p99 {added99:.0} µs");
}

/// Emits events of 1,000 keys and waits until the last of each key came out of the function.
fn deliver(instances: &str, events: u64) {
    let mut rate = Figure::default();
    for run in 0..RUNS {
        let data = directory();
        let server = Server::start(data.path());
        let code = format!(
            "export function handle(event) {{ if (event.data.number >= {}) return {{ type: 'done' }} }}",
            events - 1000
        );
        server.declare(&["job", "done"], "work", &json!({ "javascript": code, "instances": instances }), "wasm");
        let batches: Vec<String> = (0..events)
            .step_by(1000)
            .map(|first| {
                let batch: Vec<_> = (first..first + 1000)
                    .map(|n| format!("{{\"specversion\":\"1.0\",\"id\":\"{run}-{n}\",\"source\":\"/bench\",\"type\":\"job\",\"subject\":\"key/{}\",\"data\":{{\"number\":{n}}}}}", n % 1000))
                    .collect();
                format!("[{}]", batch.join(","))
            })
            .collect();
        let mut http = Http::connect(server.events).unwrap();
        rest(server.pid());
        let begun = Instant::now();
        for batch in &batches {
            let headers = [("content-type", "application/cloudevents-batch+json")];
            assert_eq!(http.send("POST", "/", &headers, batch.as_bytes()).unwrap().status, 202);
        }
        assert_eq!(server.wait_for("done", 1000, Duration::from_secs(120)), 1000);
        rate.add(events as f64 / begun.elapsed().as_secs_f64());
    }
    println!("deliver to JavaScript, {instances}, 1,000 keys, taking in included: {rate:.0} events/s");
}

fn start() {
    let [mut ready, mut resident]: [Figure; 2] = Default::default();
    let data = directory();
    for _ in 0..RUNS {
        let server = Server::start(data.path());
        ready.add(server.ready_after.as_secs_f64() * 1e3);
        resident.add(memory(server.pid(), "VmRSS"));
        assert_eq!(server.terminate(), Some(0));
    }
    println!("start   to ready: {ready:.1} ms; idle resident memory: {resident:.1} MiB");
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    if let [flag, address] = arguments.as_slice()
        && flag == "--noop"
    {
        return noop::noop(address);
    }
    println!("median of {RUNS} runs (least to most); data on {}", file_system(directory().path()));
    let wanted = |name: &str| arguments.is_empty() || arguments.iter().any(|argument| argument == name);
    let parts = [
        ("start", start as fn()),
        ("single", single),
        ("guarded", guarded::guarded),
        ("batch", batch),
        ("route", route),
    ];
    for (name, part) in parts {
        if wanted(name) {
            part();
        }
    }
    if wanted("deliver") {
        deliver("reuse", 200_000);
    }
    if wanted("fresh") {
        deliver("fresh", 50_000);
    }
}
