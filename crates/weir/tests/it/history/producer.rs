//! Producers: each sends numbered events on one connection, through everything that is done to the server, and records each
//! operation with its outcome.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::JoinHandle,
    time::{Duration, Instant},
};

use rand::{Rng, SeedableRng, rngs::SmallRng};
use serde_json::json;

use super::record::{Entry, Recorder};
use crate::process::{BOUND, Http, STRUCTURED, pass};

/// What all producers send.
pub(super) const EVENT_TYPE: &str = "job";
/// How many keys they share.
pub(super) const KEYS: usize = 6;

const PRODUCERS: usize = 3;
/// Data by which a disk is soon full.
const HEAVY_BYTES: usize = 24 * 1024;

/// Producers at work.
pub(super) struct Producers {
    stop: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
}

impl Producers {
    pub(super) fn start(
        address: SocketAddr,
        recorder: &Arc<Recorder>,
        is_heavy: &Arc<AtomicBool>,
        random: &mut SmallRng,
    ) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let threads = (0..PRODUCERS).map(|number| {
            let mut producer = Producer::new(number, address, recorder.clone());
            let (stop, is_heavy, mut random) = (stop.clone(), is_heavy.clone(), SmallRng::from_rng(random));
            std::thread::spawn(move || producer.produce(&stop, &is_heavy, &mut random))
        });
        Self { threads: threads.collect(), stop }
    }

    pub(super) fn stop(self) {
        self.stop.store(true, Ordering::SeqCst);
        self.threads.into_iter().for_each(|thread| thread.join().expect("a producer ends"));
    }
}

/// Sends one more event of each key, and comes back when all are acknowledged.
pub(super) fn send_last(address: SocketAddr, recorder: &Arc<Recorder>) {
    let mut producer = Producer::new(PRODUCERS, address, recorder.clone());
    for key in 0..KEYS {
        let event = producer.next(key, 0);
        let begun = Instant::now();
        while !matches!(producer.attempt(&event), Outcome::Acknowledged) {
            assert!(begun.elapsed() < BOUND, "{} is not acknowledged", event.id);
            pass(Duration::from_millis(5));
        }
    }
}

struct Producer {
    number: usize,
    address: SocketAddr,
    recorder: Arc<Recorder>,
    connection: Option<Http>,
    /// The number of the last event.
    last: u64,
}

struct Event {
    id: String,
    key: String,
    number: u64,
    body: Vec<u8>,
}

/// How an attempt to send an event ended.
enum Outcome {
    Acknowledged,
    /// Refused, or nobody knows.
    Open,
    /// There was no server to send it to.
    Unsent,
}

impl Producer {
    fn new(number: usize, address: SocketAddr, recorder: Arc<Recorder>) -> Self {
        Self { number, address, recorder, connection: None, last: 0 }
    }

    fn produce(&mut self, stop: &AtomicBool, is_heavy: &AtomicBool, random: &mut SmallRng) {
        while !stop.load(Ordering::SeqCst) {
            let bytes = if is_heavy.load(Ordering::SeqCst) { HEAVY_BYTES } else { random.random_range(0..300) };
            let event = self.next(random.random_range(0..KEYS), bytes);
            while !stop.load(Ordering::SeqCst) {
                match self.attempt(&event) {
                    Outcome::Acknowledged => break,
                    // Some are never sent again: it is for the log to say what became of them.
                    Outcome::Open if random.random_bool(0.25) => break,
                    Outcome::Open | Outcome::Unsent => pass(Duration::from_millis(random.random_range(1..10))),
                }
            }
            pass(Duration::from_millis(random.random_range(2..14)));
        }
    }

    fn next(&mut self, key: usize, bytes: usize) -> Event {
        self.last += 1;
        let (number, key) = (self.last, format!("key-{key}"));
        let id = format!("{}-{number}", self.number);
        let body = json!({
            "specversion": "1.0", "id": id, "source": "/history", "type": EVENT_TYPE, "subject": key,
            "data": { "number": number, "padding": "x".repeat(bytes) },
        });
        Event { id, key, number, body: body.to_string().into_bytes() }
    }

    fn attempt(&mut self, event: &Event) -> Outcome {
        let mut http = match self.connection.take() {
            Some(http) => http,
            None => match Http::connect(self.address) {
                Ok(http) => http,
                Err(_) => return Outcome::Unsent,
            },
        };
        let (producer, id) = (self.number, event.id.clone());
        let sent = Entry::Sent { producer, id: id.clone(), key: event.key.clone(), number: event.number };
        self.recorder.add(sent);
        match http.send("POST", "/", &[STRUCTURED], &event.body) {
            Ok(answer) if answer.status == 202 => {
                let position = answer.header("weir-position").and_then(|text| text.parse().ok()).expect("a receipt");
                let is_duplicate = answer.header("weir-duplicate").is_some();
                self.connection = Some(http);
                self.recorder.add(Entry::Acknowledged { producer, id, position, is_duplicate });
                Outcome::Acknowledged
            }
            Ok(answer) => {
                self.connection = Some(http);
                self.recorder.add(Entry::Refused { producer, id, status: answer.status });
                Outcome::Open
            }
            Err(error) => {
                self.recorder.add(Entry::Unknown { producer, id, error: error.to_string() });
                Outcome::Open
            }
        }
    }
}
