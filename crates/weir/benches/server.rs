//! Measures the whole server as a process against a handler that does nothing:
//! `cargo bench -p weir --bench server [-- single batch route deliver fresh start]`.
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

use std::{
    fmt,
    net::SocketAddr,
    path::Path,
    process::{Child, Command},
    time::{Duration, Instant},
};

use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

#[path = "../tests/it/process.rs"]
mod process;

use process::{Http, STRUCTURED, Server, directory, free_port};

const RUNS: usize = 5;

/// Stand in a template for an identifier and for a key, and are written over with digits.
const ID: &str = "################";
const KEY: &str = "@@@";

/// One figure, measured several times.
#[derive(Default)]
struct Figure(Vec<f64>);

impl fmt::Display for Figure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut sorted = self.0.clone();
        sorted.sort_by(f64::total_cmp);
        let (least, median, most) = (sorted[0], sorted[sorted.len() / 2], sorted[sorted.len() - 1]);
        let digits = f.precision().unwrap_or(0);
        write!(f, "{median:.digits$} ({least:.digits$} to {most:.digits$})")
    }
}

/// What one run of load came to.
struct Load {
    per_second: f64,
    p50: Duration,
    p99: Duration,
    /// How much of a processor the load took itself.
    client: f64,
}

/// The bytes of a request, in which only identifiers and keys change from one to the next.
#[derive(Clone)]
struct Template {
    bytes: Vec<u8>,
    ids: Vec<usize>,
    keys: Vec<usize>,
}

impl Template {
    fn new(request: String) -> Self {
        let places = |mark: &str| request.match_indices(mark).map(|(at, _)| at).collect();
        let (ids, keys) = (places(ID), places(KEY));
        Self { bytes: request.into_bytes(), ids, keys }
    }

    fn post(media_type: &str, body: &str) -> Self {
        let length = body.len();
        Self::new(format!(
            "POST / HTTP/1.1\r\nhost: localhost\r\ncontent-type: {media_type}\r\ncontent-length: {length}\r\n\r\n{body}"
        ))
    }

    /// Makes it the request of a number, which no other request of this bench has.
    fn number(&mut self, number: u64) {
        for (event, at) in self.ids.iter().enumerate() {
            digits(&mut self.bytes[*at..at + ID.len()], number * self.ids.len() as u64 + event as u64);
        }
        for at in &self.keys {
            digits(&mut self.bytes[*at..at + KEY.len()], number);
        }
    }
}

/// Writes the last digits of a number.
fn digits(place: &mut [u8], mut number: u64) {
    for digit in place.iter_mut().rev() {
        *digit = b'0' + (number % 10) as u8;
        number /= 10;
    }
}

/// Sends requests over many connections for a while. Their numbers begin with that of the run.
fn load(
    address: SocketAddr,
    connections: usize,
    time: Duration,
    status: &'static str,
    run: usize,
    template: &Template,
) -> Load {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let mut latencies: Vec<u32> = Vec::new();
    let before = processor_time("self");
    let begun = Instant::now();
    runtime.block_on(async {
        let mut tasks = tokio::task::JoinSet::new();
        for connection in 0..connections {
            let mut template = template.clone();
            let mut number = (run * 1000 + connection) as u64 * 1_000_000_000;
            tasks.spawn(async move {
                let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
                stream.set_nodelay(true).unwrap();
                let (mut answer, mut taken) = (vec![0; 16 * 1024], Vec::new());
                while begun.elapsed() < time {
                    template.number(number);
                    number += 1;
                    let sent = Instant::now();
                    stream.write_all(&template.bytes).await.unwrap();
                    let mut read = 0;
                    while !is_complete(&answer[..read]) {
                        let more = stream.read(&mut answer[read..]).await.unwrap();
                        assert!(more > 0, "the connection was closed");
                        read += more;
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
    let client = (processor_time("self") - before).as_secs_f64() / elapsed;
    latencies.sort_unstable();
    let at = |part: f64| Duration::from_micros(u64::from(latencies[(latencies.len() as f64 * part) as usize]));
    Load { per_second: latencies.len() as f64 / elapsed, p50: at(0.5), p99: at(0.99), client }
}

/// Tells whether a whole answer with a stated length is there. It makes nothing: it runs once for each request.
fn is_complete(bytes: &[u8]) -> bool {
    const LENGTH: &[u8] = b"content-length: ";
    let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") else { return false };
    let head = &bytes[..end];
    let stated = head.windows(LENGTH.len()).position(|window| window.eq_ignore_ascii_case(LENGTH));
    let number = stated.map_or(&[][..], |at| &head[at + LENGTH.len()..]);
    let digits = number.iter().take_while(|byte| byte.is_ascii_digit());
    let length = digits.fold(0, |length, digit| length * 10 + usize::from(digit - b'0'));
    bytes.len() >= end + 4 + length
}

/// Returns the processor time of a process so far.
fn processor_time(process: &str) -> Duration {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap();
    // The name may hold blanks. Behind it, the twelfth and the thirteenth are the times in the program and in the
    // system, in hundredths of a second.
    let (_, fields) = stat.rsplit_once(") ").unwrap();
    let ticks = fields.split(' ').skip(11).take(2).map(|field| field.parse::<u64>().unwrap());
    Duration::from_millis(ticks.sum::<u64>() * 10)
}

/// Waits until a process has nothing left to do, such as to index what it took in.
fn rest(process: u32) {
    let process = process.to_string();
    let begun = Instant::now();
    loop {
        let before = processor_time(&process);
        std::thread::park_timeout(Duration::from_millis(300));
        if processor_time(&process) - before <= Duration::from_millis(10) {
            return;
        }
        assert!(begun.elapsed() < process::BOUND, "the server does not come to rest");
    }
}

/// Returns the type of the file system that a directory is on.
fn file_system(directory: &Path) -> String {
    let directory = directory.canonicalize().unwrap();
    let mounts = std::fs::read_to_string("/proc/mounts").unwrap();
    let fields = mounts.lines().map(|line| line.split(' ').collect::<Vec<_>>());
    let above = fields.filter(|fields| directory.starts_with(fields[1]));
    // The last one of the longest: what is mounted over another hides it.
    let nearest = above.max_by_key(|fields| fields[1].len());
    nearest.map_or("unknown".into(), |fields| fields[2].to_owned())
}

fn event(key: &str) -> String {
    format!(
        "{{\"specversion\":\"1.0\",\"id\":\"{ID}\",\"source\":\"/bench/producer\",\"type\":\"job\",\"subject\":\"key/{key}\",\
         \"datacontenttype\":\"application/json\",\"data\":{{\"number\":\"{key}\",\"text\":\"{}\"}}}}",
        "x".repeat(340)
    )
}

/// This program again, as a server whose handler reads the body and does nothing.
struct Noop {
    child: Child,
    address: SocketAddr,
}

impl Noop {
    fn start() -> Self {
        let address = SocketAddr::from(([127, 0, 0, 1], free_port()));
        let child =
            Command::new(std::env::current_exe().unwrap()).args(["--noop", &address.to_string()]).spawn().unwrap();
        while Http::connect(address).is_err() {
            std::thread::yield_now();
        }
        Self { child, address }
    }
}

impl Drop for Noop {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
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
        add(&mut ratio, ours.per_second / limit.per_second);
        add(&mut rate, ours.per_second);
        add(&mut limit_rate, limit.per_second);
        add(&mut p99, ours.p99.as_secs_f64() * 1e3);
        add(&mut client, ours.client);
        add(&mut limit_client, limit.client);
    }
    println!("single  64 connections: {rate:.0} requests/s, p99 {p99:.2} ms, load on {client:.2} of a processor");
    println!("        a no-op: {limit_rate:.0} requests/s, load on {limit_client:.2} of a processor");
    println!("        ratio: {ratio:.2}");
}

fn add(figure: &mut Figure, value: f64) {
    figure.0.push(value);
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
        add(&mut rate, ours.per_second * 100.0);
        add(&mut client, ours.client);
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
        add(&mut rate, called.per_second);
        add(&mut limit_rate, bare.per_second);
        add(&mut client, called.client);
        add(&mut limit_client, bare.client);
        let (bare, called) = in_turn(run, &server, || limit(1), || ours(1));
        add(&mut added50, (called.p50.as_secs_f64() - bare.p50.as_secs_f64()) * 1e6);
        add(&mut added99, (called.p99.as_secs_f64() - bare.p99.as_secs_f64()) * 1e6);
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
        add(&mut rate, events as f64 / begun.elapsed().as_secs_f64());
    }
    println!("deliver to JavaScript, {instances}, 1,000 keys, taking in included: {rate:.0} events/s");
}

fn start() {
    let [mut ready, mut memory]: [Figure; 2] = Default::default();
    let data = directory();
    for _ in 0..RUNS {
        let server = Server::start(data.path());
        add(&mut ready, server.ready_after.as_secs_f64() * 1e3);
        let status = std::fs::read_to_string(format!("/proc/{}/status", server.pid())).unwrap();
        let line = status.lines().find(|line| line.starts_with("VmRSS")).unwrap();
        add(&mut memory, line.split_whitespace().nth(1).unwrap().parse::<f64>().unwrap() / 1024.0);
        assert_eq!(server.terminate(), Some(0));
    }
    println!("start   to ready: {ready:.1} ms; idle resident memory: {memory:.1} MiB");
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    if let [flag, address] = arguments.as_slice()
        && flag == "--noop"
    {
        return noop(address);
    }
    let _ = STRUCTURED;
    println!("median of {RUNS} runs (least to most); data on {}", file_system(directory().path()));
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
