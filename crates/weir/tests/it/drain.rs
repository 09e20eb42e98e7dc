//! Slow subscribers, stops and restarts: what was answered 202 is delivered.

use std::{
    collections::BTreeSet,
    io::{BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc, Condvar, Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering},
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
    loop {
        let mut length = 0;
        let mut line = String::new();
        loop {
            line.clear();
            if stream.read_line(&mut line).unwrap_or(0) == 0 {
                return;
            }
            let lower = line.to_ascii_lowercase();
            if let Some(value) = lower.strip_prefix("content-length:") {
                length = value.trim().parse().unwrap_or(0);
            }
            if line == "\r\n" {
                break;
            }
        }
        let mut body = vec![0; length];
        if stream.read_exact(&mut body).is_err() {
            return;
        }
        let event: serde_json::Value = serde_json::from_slice(&body).expect("a structured event");
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
        let id = event["id"].as_str().expect("an id").to_owned();
        seen.0.lock().expect("sound").insert(id);
        seen.1.notify_all();
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
