//! Slow subscribers, stops and restarts: what was answered 202 is delivered.

use std::{
    collections::BTreeSet,
    io::{BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc, Condvar, Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering},
        mpsc::{Receiver, Sender, TryRecvError, channel},
    },
    time::{Duration, Instant},
};

use serde_json::json;

use crate::{
    process::{BOUND, Http, STRUCTURED, Server, structured},
    readme::application,
};

/// An HTTP function that takes its time and remembers whom it answered.
struct Subscriber {
    address: SocketAddr,
    seen: Arc<(Mutex<BTreeSet<String>>, Condvar)>,
    takes_ms: Arc<AtomicU64>,
}

impl Subscriber {
    fn start(takes: Duration) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("bound");
        let address = listener.local_addr().expect("bound");
        let seen = Arc::new((Mutex::new(BTreeSet::new()), Condvar::new()));
        let takes_ms = Arc::new(AtomicU64::new(takes.as_millis() as u64));
        let (shared, pace) = (seen.clone(), takes_ms.clone());
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (seen, pace) = (shared.clone(), pace.clone());
                std::thread::spawn(move || serve(stream, &seen, &pace));
            }
        });
        Self { address, seen, takes_ms }
    }

    fn wait_for(&self, count: usize, bound: Duration) -> usize {
        let (seen, changed) = &*self.seen;
        let guard = seen.lock().expect("sound");
        let (guard, _) = changed.wait_timeout_while(guard, bound, |seen| seen.len() < count).expect("sound");
        guard.len()
    }
}

fn serve(stream: TcpStream, seen: &(Mutex<BTreeSet<String>>, Condvar), pace: &AtomicU64) {
    let mut stream = BufReader::new(stream);
    while let Some(id) = called(&mut stream) {
        // The work of a slow subscriber is time.
        let until = Instant::now() + Duration::from_millis(pace.load(Ordering::SeqCst));
        let never = Mutex::new(());
        let condition = Condvar::new();
        while Instant::now() < until {
            let left = until.saturating_duration_since(Instant::now());
            drop(condition.wait_timeout(never.lock().expect("sound"), left));
        }
        if stream.get_mut().write_all(b"HTTP/1.1 204 No Content\r\n\r\n").is_err() {
            return;
        }
        seen.0.lock().expect("sound").insert(id);
        seen.1.notify_all();
    }
}

/// Reads a call, and returns the identifier of its event; nothing where the connection ends.
fn called(stream: &mut BufReader<TcpStream>) -> Option<String> {
    let mut length = 0;
    let mut line = String::new();
    while line != "\r\n" {
        line.clear();
        if stream.read_line(&mut line).unwrap_or(0) == 0 {
            return None;
        }
        let lower = line.to_ascii_lowercase();
        if let Some(value) = lower.strip_prefix("content-length:") {
            length = value.trim().parse().unwrap_or(0);
        }
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body).ok()?;
    let event: serde_json::Value = serde_json::from_slice(&body).expect("a structured event");
    Some(event["id"].as_str().expect("an id").to_owned())
}

/// An HTTP function that tells of every call, and answers none before its gate is opened.
struct Gated {
    address: SocketAddr,
    calls: Receiver<String>,
    gate: Arc<(Mutex<bool>, Condvar)>,
}

impl Gated {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("bound");
        let address = listener.local_addr().expect("bound");
        let (told, calls) = channel();
        let gate = Arc::new((Mutex::new(false), Condvar::new()));
        let shared = gate.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (told, gate) = (told.clone(), shared.clone());
                std::thread::spawn(move || answer_behind(stream, &told, &gate));
            }
        });
        Self { address, calls, gate }
    }

    fn open(&self) {
        *self.gate.0.lock().expect("sound") = true;
        self.gate.1.notify_all();
    }

    fn next(&self) -> String {
        self.calls.recv_timeout(BOUND).expect("the function is called")
    }
}

fn answer_behind(stream: TcpStream, told: &Sender<String>, (is_open, opened): &(Mutex<bool>, Condvar)) {
    let mut stream = BufReader::new(stream);
    while let Some(id) = called(&mut stream) {
        let _ = told.send(id);
        drop(opened.wait_while(is_open.lock().expect("sound"), |is_open| !*is_open).expect("sound"));
        if stream.get_mut().write_all(b"HTTP/1.1 204 No Content\r\n\r\n").is_err() {
            return;
        }
    }
}

/// A request whose head has come, and whose body is waited for.
struct Held {
    stream: BufReader<TcpStream>,
    body: Vec<u8>,
}

impl Held {
    fn begin(address: SocketAddr, path: &str, media_type: &str, body: Vec<u8>) -> Self {
        let stream = TcpStream::connect(address).expect("connected");
        stream.set_read_timeout(Some(BOUND)).expect("a socket");
        let mut held = Self { stream: BufReader::new(stream), body };
        let head = format!(
            "POST {path} HTTP/1.1\r\nhost: localhost\r\ncontent-type: {media_type}\r\nexpect: 100-continue\r\n\
             content-length: {}\r\n\r\n",
            held.body.len()
        );
        held.stream.get_mut().write_all(head.as_bytes()).expect("written");
        // The server says this when somebody wants the body: the request is in flight.
        assert_eq!(held.status(), "HTTP/1.1 100 Continue");
        held
    }

    /// Sends the body, and returns the first line of the answer.
    fn finish(mut self) -> String {
        self.stream.get_mut().write_all(&self.body).expect("written");
        self.status()
    }

    fn status(&mut self) -> String {
        let (mut first, mut line) = (String::new(), String::new());
        self.stream.read_line(&mut first).expect("an answer");
        while line != "\r\n" {
            line.clear();
            assert_ne!(self.stream.read_line(&mut line).expect("an answer"), 0, "the connection was closed: {first}");
        }
        first.trim_end().to_owned()
    }
}

fn subscribe(server: &Server, subscriber: &Subscriber) {
    let provider = json!({ "url": format!("http://{}/", subscriber.address), "timeoutMs": 30_000 });
    server.declare(&["job"], "slow", &provider, "http");
}

#[test]
fn a_stop_with_250_events_waiting_loses_none() {
    let data = tempfile::tempdir().expect("a directory");
    let subscriber = Subscriber::start(Duration::from_secs(2));
    let server = Server::start(data.path());
    subscribe(&server, &subscriber);
    let mut http = Http::connect(server.events).expect("connected");
    for number in 0..250 {
        let body = structured(&format!("event-{number}"), "job", &format!("key-{}", number % 100), number);
        assert_eq!(http.send("POST", "/", &[STRUCTURED], &body).expect("answered").status, 202);
    }
    assert_eq!(server.terminate(), Some(0), "a stop drains and ends well");
    let _server = Server::start(data.path());
    assert_eq!(subscriber.wait_for(250, Duration::from_secs(60)), 250);
}

#[test]
fn a_slow_subscriber_under_full_load_loses_none() {
    let data = tempfile::tempdir().expect("a directory");
    let subscriber = Subscriber::start(Duration::from_millis(200));
    let server = Server::start(data.path());
    subscribe(&server, &subscriber);
    let stop = Arc::new(AtomicBool::new(false));
    let address = server.events;
    let producers: Vec<_> = (0..4)
        .map(|producer| {
            let stop = stop.clone();
            std::thread::spawn(move || {
                let mut http = Http::connect(address).expect("connected");
                let mut accepted = 0;
                while !stop.load(Ordering::SeqCst) {
                    let body = structured(&format!("{producer}-{accepted}"), "job", &format!("{accepted}"), accepted);
                    let answer = http.send("POST", "/", &[STRUCTURED], &body).expect("answered");
                    match answer.status {
                        202 => accepted += 1,
                        429 | 503 => assert!(answer.header("retry-after").is_some()),
                        status => panic!("{status}: {}", String::from_utf8_lossy(&answer.body)),
                    }
                }
                accepted
            })
        })
        .collect();
    let until = Instant::now() + Duration::from_secs(5);
    while Instant::now() < until {
        std::thread::yield_now();
    }
    stop.store(true, Ordering::SeqCst);
    let accepted: u64 = producers.into_iter().map(|producer| producer.join().expect("ends")).sum();
    let during = subscriber.wait_for(0, Duration::ZERO);
    assert!((during as u64) < accepted, "the subscriber was slower than the producers");
    // The rest would take minutes at this pace, and nothing else would be learnt.
    subscriber.takes_ms.store(0, Ordering::SeqCst);
    assert_eq!(subscriber.wait_for(accepted as usize, Duration::from_secs(120)) as u64, accepted);
    eprintln!("{accepted} events accepted in 5 s, {during} delivered meanwhile, all in the end");
}

#[test]
fn deliveries_drain_while_clients_hold_their_requests_open() {
    let data = tempfile::tempdir().expect("a directory");
    let function = Gated::start();
    let server = Server::start(data.path());
    let provider = json!({ "url": format!("http://{}/", function.address), "timeoutMs": 30_000 });
    server.declare(&["job"], "gated", &provider, "http");
    let mut http = Http::connect(server.events).expect("connected");
    for (id, number) in [("1", 1), ("2", 2)] {
        // One key: the second waits for the first.
        let body = structured(id, "job", "key", number);
        assert_eq!(http.send("POST", "/", &[STRUCTURED], &body).expect("answered").status, 202);
    }
    assert_eq!(function.next(), "1");
    let event = Held::begin(server.events, "/", STRUCTURED.1, structured("3", "job", "key", 3));
    let change = json!({ "name": "late" }).to_string().into_bytes();
    let change = Held::begin(server.config, "/v1/spaces/default/eventtypes", "application/json", change);
    server.signal();
    let begun = Instant::now();
    while Http::connect(server.events).is_ok() || Http::connect(server.config).is_ok() {
        assert!(begun.elapsed() < BOUND, "the doors were not closed in time");
        std::thread::yield_now();
    }
    // The call in flight is finished, and its neighbour is not begun, although the doors are still busy.
    function.open();
    assert_eq!(event.finish(), "HTTP/1.1 202 Accepted");
    assert_eq!(change.finish(), "HTTP/1.1 201 Created");
    assert_eq!(server.ended(), Some(0));
    assert_eq!(function.calls.try_recv(), Err(TryRecvError::Empty));
    let server = Server::start(data.path());
    assert_eq!([function.next(), function.next()], ["2", "3"]);
    let mut http = Http::connect(server.config).expect("connected");
    let late = http.send("GET", "/v1/spaces/default/eventtypes/late", &[], b"").expect("answered");
    assert_eq!(late.status, 200);
}

#[test]
fn a_second_signal_ends_a_stop_that_takes_long() {
    let data = tempfile::tempdir().expect("a directory");
    let listener = TcpListener::bind("127.0.0.1:0").expect("bound");
    let address = listener.local_addr().expect("bound");
    let (called, calls) = std::sync::mpsc::channel();
    // Takes the call and never answers it. Ends with the channel or with this program.
    std::thread::spawn(move || listener.incoming().try_for_each(|stream| called.send(stream)));
    let mut server = Server::start(data.path());
    server.declare(&["job"], "never", &json!({ "url": format!("http://{address}/"), "timeoutMs": 30_000 }), "http");
    let mut http = Http::connect(server.events).expect("connected");
    assert_eq!(http.send("POST", "/", &[STRUCTURED], &structured("1", "job", "k", 1)).expect("answered").status, 202);
    drop(http);
    let _call = calls.recv_timeout(BOUND).expect("the function is called");
    server.signal();
    let begun = Instant::now();
    // The doors close when the first signal has come.
    while Http::connect(server.events).is_ok() {
        assert!(begun.elapsed() < BOUND, "the doors were not closed in time");
        std::thread::yield_now();
    }
    assert!(server.is_running(), "the call is waited for");
    assert_eq!(server.terminate(), Some(143));
}

#[test]
fn a_stop_does_not_wait_for_a_terminal_that_takes_nothing() {
    let place = application("hello");
    let server = Server::develop_unread(place.path());
    let mut http = Http::connect(server.events).expect("connected");
    // Each call is a line of the picture; together they are more than a pipe holds.
    for _ in 0..2000 {
        assert_eq!(http.send("GET", "/hello/Ada", &[], b"").expect("answered").status, 200);
    }
    assert_eq!(server.terminate(), Some(0));
}
