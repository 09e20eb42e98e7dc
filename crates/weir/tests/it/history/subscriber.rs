//! A subscriber over HTTP that records each call from its beginning to its end, fails or dawdles now and then, and can be
//! gone for a while.

use std::{
    collections::{BTreeMap, BTreeSet},
    io::{BufRead, BufReader, Read, Write},
    net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc, Condvar, Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread::JoinHandle,
    time::{Duration, Instant},
};

use rand::{Rng, rngs::SmallRng};
use serde_json::Value;

use super::record::{Change, Entry, FINAL, Recorder};
use crate::process::{BOUND, free_port, pass};

/// Every event whose number this divides is refused for good by a flaky one.
const FINAL_EVERY: u64 = 50;

/// What a subscriber is like.
#[derive(Clone, Copy, Debug)]
pub(super) enum Manner {
    /// It answers 503 now and then, and refuses some events for good.
    Flaky,
    /// It takes long now and then.
    Slow,
}

impl Manner {
    /// Draws the status of an answer, and how long it takes.
    fn answer(self, number: u64, random: &mut SmallRng) -> (u16, Duration) {
        match self {
            Self::Flaky if number.is_multiple_of(FINAL_EVERY) => (FINAL, Duration::ZERO),
            Self::Flaky if random.random_bool(0.1) => (503, Duration::ZERO),
            Self::Flaky => (204, Duration::ZERO),
            Self::Slow if random.random_bool(0.02) => (204, Duration::from_millis(random.random_range(50..300))),
            Self::Slow => (204, Duration::from_micros(random.random_range(0..3000))),
        }
    }
}

/// A subscriber at an address of its own.
pub(super) struct Subscriber {
    pub(super) name: &'static str,
    pub(super) address: SocketAddr,
    shared: Arc<Shared>,
    accepting: Option<JoinHandle<()>>,
}

struct Shared {
    name: &'static str,
    manner: Manner,
    recorder: Arc<Recorder>,
    random: Mutex<SmallRng>,
    is_refusing: AtomicBool,
    connections: Mutex<Connections>,
    changed: Condvar,
    calls: AtomicU64,
}

/// The connections of a subscriber, by number.
#[derive(Default)]
struct Connections {
    open: BTreeMap<u64, TcpStream>,
    /// Those that wait for a call, or read one.
    waiting: BTreeSet<u64>,
    accepted: u64,
    /// From where the last one came.
    last: Option<SocketAddr>,
}

/// A call, as it came.
struct Call {
    headers: BTreeMap<String, String>,
    event: Value,
}

impl Subscriber {
    pub(super) fn start(name: &'static str, manner: Manner, recorder: Arc<Recorder>, random: SmallRng) -> Self {
        let shared = Arc::new(Shared {
            name,
            manner,
            recorder,
            random: Mutex::new(random),
            is_refusing: AtomicBool::new(false),
            connections: Mutex::default(),
            changed: Condvar::new(),
            calls: AtomicU64::new(0),
        });
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, free_port()));
        let mut subscriber = Self { name, address, shared, accepting: None };
        subscriber.accept();
        subscriber
    }

    /// Takes no connections from now on. Calls that have come are answered first: no success is lost on its way.
    pub(super) fn refuse(&mut self) {
        self.shared.recorder.change(Change::Refusing { subscription: self.name.to_owned() });
        self.shared.is_refusing.store(true, Ordering::SeqCst);
        // It looks when somebody comes, and takes its listener along.
        drop(TcpStream::connect(self.address));
        self.accepting.take().expect("it was accepting").join().expect("it ends");
        for stream in self.shared.connections.lock().expect("sound").open.values() {
            // One that is closed already is no error.
            let _ = stream.shutdown(Shutdown::Read);
        }
    }

    /// Takes connections again.
    pub(super) fn take(&mut self) {
        self.shared.is_refusing.store(false, Ordering::SeqCst);
        self.accept();
        self.shared.recorder.change(Change::Taking { subscription: self.name.to_owned() });
    }

    /// Waits until all is read that a server sent which is gone: what comes later, another one sent. Calls that came may
    /// still be under way.
    pub(super) fn drain(&self) {
        let last = TcpStream::connect(self.address).expect("it is there");
        let from = last.local_addr().expect("a socket");
        // It ends at once, and is accepted after all that came before it.
        drop(last);
        let is_behind = |it: &mut Connections| it.last != Some(from) || !it.waiting.is_empty();
        let connections = self.shared.connections.lock().expect("sound");
        let waited = self.shared.changed.wait_timeout_while(connections, BOUND, is_behind);
        assert!(!waited.expect("sound").1.timed_out(), "connections of a server that is gone end");
    }

    fn accept(&mut self) {
        let begun = Instant::now();
        let listener = loop {
            match TcpListener::bind(self.address) {
                Ok(listener) => break listener,
                Err(error) => assert!(begun.elapsed() < BOUND, "{}: {error}", self.address),
            }
            pass(Duration::from_millis(1));
        };
        let shared = self.shared.clone();
        // Ends where it refuses, or with this program.
        self.accepting = Some(std::thread::spawn(move || {
            loop {
                // One that was broken off before it was accepted is none.
                let Ok((stream, from)) = listener.accept() else { continue };
                if shared.is_refusing.load(Ordering::SeqCst) {
                    return;
                }
                let number = shared.accepted(&stream, from);
                let shared = shared.clone();
                std::thread::spawn(move || {
                    shared.serve(number, stream);
                    shared.closed(number);
                });
            }
        }));
    }
}

impl Shared {
    /// Takes note of a connection, and returns its number.
    fn accepted(&self, stream: &TcpStream, from: SocketAddr) -> u64 {
        let copy = stream.try_clone().expect("a handle");
        let mut connections = self.connections.lock().expect("sound");
        connections.accepted += 1;
        let number = connections.accepted;
        connections.open.insert(number, copy);
        connections.waiting.insert(number);
        connections.last = Some(from);
        number
    }

    fn closed(&self, number: u64) {
        let mut connections = self.connections.lock().expect("sound");
        connections.open.remove(&number);
        connections.waiting.remove(&number);
        drop(connections);
        self.changed.notify_all();
    }

    /// Answers the calls of one connection, to its end.
    fn serve(&self, number: u64, stream: TcpStream) {
        let mut stream = BufReader::new(stream);
        while let Some(call) = read_call(&mut stream) {
            if !self.answer(number, call, stream.get_mut()) {
                return;
            }
        }
    }

    /// Answers one call, and says whether another one may come.
    fn answer(&self, connection: u64, Call { headers, event }: Call, stream: &mut TcpStream) -> bool {
        let call = self.calls.fetch_add(1, Ordering::SeqCst);
        let subscription = self.name.to_owned();
        let text = |name: &str| event[name].as_str().unwrap_or_default().to_owned();
        let (id, key, position) = (text("id"), text("subject"), text("weirposition").parse().ok());
        let number = event["data"]["number"].as_u64().unwrap_or(0);
        let called =
            Entry::Called { subscription: subscription.clone(), call, id: id.clone(), key, number, position, headers };
        self.recorder.add(called);
        self.connections.lock().expect("sound").waiting.remove(&connection);
        self.changed.notify_all();
        let (status, takes) = self.manner.answer(number, &mut self.random.lock().expect("sound"));
        pass(takes);
        self.recorder.add(Entry::Answered { subscription: subscription.clone(), call, id: id.clone(), status });
        self.connections.lock().expect("sound").waiting.insert(connection);
        let answer = match status {
            204 => "HTTP/1.1 204 No Content\r\n\r\n".to_owned(),
            _ => format!("HTTP/1.1 {status} No\r\ncontent-length: 0\r\n\r\n"),
        };
        let is_written = stream.write_all(answer.as_bytes()).is_ok();
        if !is_written {
            self.recorder.add(Entry::Unanswered { subscription, call, id });
        }
        is_written
    }
}

/// Reads a call; nothing where the connection ends.
fn read_call(stream: &mut BufReader<TcpStream>) -> Option<Call> {
    let (mut headers, mut length) = (BTreeMap::new(), 0);
    let mut line = String::new();
    while line != "\r\n" {
        line.clear();
        if stream.read_line(&mut line).unwrap_or(0) == 0 {
            return None;
        }
        let Some((name, value)) = line.split_once(':') else { continue };
        let (name, value) = (name.to_ascii_lowercase(), value.trim());
        match name.as_str() {
            "content-length" => length = value.parse().expect("a length"),
            _ if name.starts_with("weir-") => drop(headers.insert(name, value.to_owned())),
            _ => {}
        }
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body).ok()?;
    Some(Call { headers, event: serde_json::from_slice(&body).expect("a structured event") })
}
