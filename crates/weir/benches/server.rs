//! Measures the whole server as a process against a handler that does nothing:
//! `cargo bench -p weir --bench server [-- single batch route deliver fresh start]`.
//!
//! Server and load share the machine. Each figure is the median of five runs; both sides are measured in turn.

#![allow(
    clippy::disallowed_methods,
    clippy::print_stdout,
    clippy::unwrap_used,
    dead_code,
    reason = "a measuring program: it owns its threads and stops at the first error"
)]

use std::{
    net::SocketAddr,
    process::{Child, Command},
    time::{Duration, Instant},
};

use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

#[path = "../tests/it/process.rs"]
mod process;

use process::{Http, STRUCTURED, Server, free_port};

const RUNS: usize = 5;

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// What one run of load came to.
struct Load {
    per_second: f64,
    p50: Duration,
    p99: Duration,
}

/// Sends requests over many connections for a while; `request` writes the next one into a buffer.
fn load(
    address: SocketAddr,
    connections: usize,
    time: Duration,
    status: &'static str,
    request: impl Fn(usize, u64, &mut Vec<u8>) + Send + Sync + 'static,
) -> Load {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let request = std::sync::Arc::new(request);
    let mut latencies: Vec<u32> = Vec::new();
    let begun = Instant::now();
    runtime.block_on(async {
        let mut tasks = tokio::task::JoinSet::new();
        for connection in 0..connections {
            let request = request.clone();
            tasks.spawn(async move {
                let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
                stream.set_nodelay(true).unwrap();
                let (mut out, mut answer, mut taken) = (Vec::new(), vec![0; 16 * 1024], Vec::new());
                let mut number = 0;
                while begun.elapsed() < time {
                    out.clear();
                    request(connection, number, &mut out);
                    number += 1;
                    let sent = Instant::now();
                    stream.write_all(&out).await.unwrap();
                    let mut read = 0;
                    loop {
                        read += stream.read(&mut answer[read..]).await.unwrap();
                        if complete(&answer[..read]) {
                            break;
                        }
                    }
                    assert!(answer.starts_with(status.as_bytes()), "{}", String::from_utf8_lossy(&answer[..read]));
                    taken.push(sent.elapsed().as_micros() as u32);
                }
                taken
            });
        }
        while let Some(taken) = tasks.join_next().await {
            latencies.extend(taken.unwrap());
        }
    });
    let elapsed = begun.elapsed().as_secs_f64();
    latencies.sort_unstable();
    let at = |part: f64| Duration::from_micros(u64::from(latencies[(latencies.len() as f64 * part) as usize]));
    Load { per_second: latencies.len() as f64 / elapsed, p50: at(0.5), p99: at(0.99) }
}

/// Tells whether a whole answer with a stated length is there.
fn complete(bytes: &[u8]) -> bool {
    assert!(!bytes.is_empty(), "the connection was closed");
    let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") else { return false };
    let head = std::str::from_utf8(&bytes[..end]).unwrap().to_ascii_lowercase();
    let length = head.split("content-length: ").nth(1).and_then(|rest| rest.split("\r\n").next());
    bytes.len() >= end + 4 + length.map_or(0, |length| length.parse().unwrap())
}

fn event(id: &str, key: u64) -> String {
    format!(
        "{{\"specversion\":\"1.0\",\"id\":\"{id}\",\"source\":\"/bench/producer\",\"type\":\"job\",\"subject\":\"key/{key}\",\
         \"datacontenttype\":\"application/json\",\"data\":{{\"number\":{key},\"text\":\"{}\"}}}}",
        "x".repeat(340)
    )
}

fn post(media_type: &str, body: &str, out: &mut Vec<u8>) {
    let head = format!(
        "POST / HTTP/1.1\r\nhost: bench\r\ncontent-type: {media_type}\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    out.extend_from_slice(head.as_bytes());
    out.extend_from_slice(body.as_bytes());
}

/// This program again, as a server whose handler reads the body and does nothing.
fn start_noop() -> (Child, SocketAddr) {
    let address = SocketAddr::from(([127, 0, 0, 1], free_port()));
    let child = Command::new(std::env::current_exe().unwrap()).args(["--noop", &address.to_string()]).spawn().unwrap();
    while Http::connect(address).is_err() {
        std::thread::yield_now();
    }
    (child, address)
}

fn noop(address: &str) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        let handler = |body: bytes::Bytes| async move {
            std::hint::black_box(body);
            axum::http::StatusCode::ACCEPTED
        };
        let router = axum::Router::new().fallback(handler);
        let listener = tokio::net::TcpListener::bind(address).await.unwrap();
        axum::serve(axum::serve::ListenerExt::tap_io(listener, |io| drop(io.set_nodelay(true))), router).await.unwrap();
    });
}

fn single() {
    let (mut noop, noop_address) = start_noop();
    let data = tempfile::tempdir().unwrap();
    let server = Server::start(data.path());
    server.configure("eventtypes", &json!({ "name": "job" }));
    let (mut ratios, mut rates, mut limits, mut p99) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for run in 0..RUNS {
        let request = move |connection: usize, number: u64, out: &mut Vec<u8>| {
            post("application/cloudevents+json", &event(&format!("{run}-{connection}-{number}"), number % 1000), out);
        };
        let limit = load(noop_address, 64, Duration::from_secs(3), "HTTP/1.1 202", request);
        let ours = load(server.events, 64, Duration::from_secs(3), "HTTP/1.1 202", request);
        ratios.push(ours.per_second / limit.per_second);
        rates.push(ours.per_second);
        limits.push(limit.per_second);
        p99.push(ours.p99.as_secs_f64() * 1e3);
    }
    noop.kill().unwrap();
    println!(
        "single  64 connections: {:.0} requests/s; no-op {:.0}; ratio {:.2}; p99 {:.2} ms",
        median(rates),
        median(limits),
        median(ratios),
        median(p99)
    );
}

fn batch() {
    let mut rates = Vec::new();
    let data = tempfile::tempdir().unwrap();
    let server = Server::start(data.path());
    server.configure("eventtypes", &json!({ "name": "job" }));
    for run in 0..RUNS {
        let ours = load(server.events, 16, Duration::from_secs(3), "HTTP/1.1 202", move |connection, number, out| {
            let events: Vec<_> = (0..100).map(|n| event(&format!("{run}-{connection}-{number}-{n}"), n * 7)).collect();
            post("application/cloudevents-batch+json", &format!("[{}]", events.join(",")), out);
        });
        rates.push(ours.per_second * 100.0);
    }
    println!("batch   of 100, 16 connections: {:.0} events/s", median(rates));
}

fn route() {
    let (mut noop, noop_address) = start_noop();
    let data = tempfile::tempdir().unwrap();
    let server = Server::start(data.path());
    let code = "export function handle(event) { return { statusCode: 200, body: 'hello ' + event.data.params.name } }";
    server
        .configure("functions", &json!({ "functionId": "greet", "type": "wasm", "provider": { "javascript": code } }));
    let route = json!({ "type": "sync", "eventType": "http.request", "functionId": "greet", "method": "GET", "path": "/hello/:name" });
    server.configure("subscriptions", &route);
    let request = |_: usize, _: u64, out: &mut Vec<u8>| {
        out.extend_from_slice(b"GET /hello/weir HTTP/1.1\r\nhost: bench\r\n\r\n");
    };
    let (mut rates, mut limits, mut added50, mut added99) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for _ in 0..RUNS {
        let time = Duration::from_secs(2);
        rates.push(load(server.events, 64, time, "HTTP/1.1 200", request).per_second);
        limits.push(load(noop_address, 64, time, "HTTP/1.1 202", request).per_second);
        let (ours, limit) = (
            load(server.events, 1, time, "HTTP/1.1 200", request),
            load(noop_address, 1, time, "HTTP/1.1 202", request),
        );
        added50.push(ours.p50.as_secs_f64() * 1e6 - limit.p50.as_secs_f64() * 1e6);
        added99.push(ours.p99.as_secs_f64() * 1e6 - limit.p99.as_secs_f64() * 1e6);
    }
    noop.kill().unwrap();
    println!(
        "route   to JavaScript, 64 connections: {:.0} requests/s (no-op {:.0}); added to a no-op at 1 connection, the function included: p50 {:.0} µs, p99 {:.0} µs",
        median(rates),
        median(limits),
        median(added50),
        median(added99)
    );
}

/// Emits events of 1,000 keys and waits until the last of each key came out of the function.
fn deliver(instances: &str, events: u64) {
    let mut rates = Vec::new();
    for run in 0..RUNS {
        let data = tempfile::tempdir().unwrap();
        let server = Server::start(data.path());
        let code = format!(
            "export function handle(event) {{ if (event.data.number >= {}) return {{ type: 'done' }} }}",
            events - 1000
        );
        server.declare(&["job", "done"], "work", &json!({ "javascript": code, "instances": instances }), "wasm");
        let mut http = Http::connect(server.events).unwrap();
        let begun = Instant::now();
        for first in (0..events).step_by(1000) {
            let batch: Vec<_> = (first..first + 1000)
                .map(|n| format!("{{\"specversion\":\"1.0\",\"id\":\"{run}-{n}\",\"source\":\"/bench\",\"type\":\"job\",\"subject\":\"key/{}\",\"data\":{{\"number\":{n}}}}}", n % 1000))
                .collect();
            let body = format!("[{}]", batch.join(","));
            let answer =
                http.send("POST", "/", &[("content-type", "application/cloudevents-batch+json")], body.as_bytes());
            assert_eq!(answer.unwrap().status, 202);
        }
        assert_eq!(server.wait_for("done", 1000, Duration::from_secs(120)), 1000);
        rates.push(events as f64 / begun.elapsed().as_secs_f64());
    }
    println!("deliver to JavaScript, {instances}, 1,000 keys, taking in included: {:.0} events/s", median(rates));
}

fn start() {
    let (mut ready, mut memory) = (Vec::new(), Vec::new());
    let data = tempfile::tempdir().unwrap();
    for _ in 0..RUNS * 2 {
        let server = Server::start(data.path());
        ready.push(server.ready_after.as_secs_f64() * 1e3);
        let status = std::fs::read_to_string(format!("/proc/{}/status", server.pid())).unwrap();
        let line = status.lines().find(|line| line.starts_with("VmRSS")).unwrap();
        memory.push(line.split_whitespace().nth(1).unwrap().parse::<f64>().unwrap() / 1024.0);
        assert_eq!(server.terminate(), Some(0));
    }
    println!("start   to ready: {:.1} ms; idle resident memory: {:.1} MiB", median(ready), median(memory));
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    if let [flag, address] = arguments.as_slice()
        && flag == "--noop"
    {
        return noop(address);
    }
    let _ = STRUCTURED;
    let wanted = |name: &str| arguments.is_empty() || arguments.iter().any(|argument| argument == name);
    for (name, part) in [("start", start as fn()), ("single", single), ("batch", batch), ("route", route)] {
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
