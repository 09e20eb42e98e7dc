//! kill -9 at random instants, starts included, with eight producers and a function at work: every acknowledged event is
//! there exactly once, in the order of its key, the chain verifies, everything is delivered, and no effect stands in the
//! log twice.
//!
//! The suite runs a few rounds. `CRASH_ROUNDS=200 cargo test --release -p weir --test it crash -- --nocapture`
//! (or `just crash`) runs the full proof. Each run draws other instants and prints its seed; `CRASH_SEED=7` draws those
//! of the seed 7 again.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use rand::{Rng, SeedableRng, rngs::SmallRng};
use serde_json::{Value, json};

use crate::process::{Http, STRUCTURED, Server, directory, free_port, given, structured, verify};

const PRODUCERS: usize = 8;
const KEYS_EACH: u64 = 3;

/// What producers know: id to number for everything that was answered 202.
type Ledger = Arc<Mutex<BTreeMap<String, u64>>>;

#[test]
fn crash_loses_nothing_and_doubles_nothing() {
    let rounds = given("CRASH_ROUNDS").unwrap_or(4);
    let seed = given("CRASH_SEED").unwrap_or_else(rand::random);
    eprintln!("{rounds} rounds, CRASH_SEED={seed}");
    let mut random = SmallRng::seed_from_u64(seed);
    let data = directory();
    let ledger = Ledger::default();
    let (events_port, config_port) = (free_port(), free_port());
    let mut server = Server::start_on(data.path(), events_port, config_port);
    let code = "export function handle(event) { return { type: 'done', subject: event.subject, data: { number: event.data.number, of: event.id } } }";
    server.declare(&["job", "done"], "work", &json!({ "javascript": code }), "wasm");
    let address = server.events;
    let stop = Arc::new(AtomicBool::new(false));
    let producers: Vec<_> = (0..PRODUCERS)
        .map(|producer| {
            let (ledger, stop) = (ledger.clone(), stop.clone());
            std::thread::spawn(move || produce(producer, address, &ledger, &stop))
        })
        .collect();
    for round in 0..rounds {
        pass(random.random_range(5_000..600_000));
        server.kill();
        server = Server::launch_on(data.path(), events_port, config_port);
        // The start is no exception: it is hit before it is ready, once in the first round and now and then later.
        let starts = if round == 0 { 1 } else { random.random_range(0..=2) };
        for _ in 0..starts {
            pass(random.random_range(0..50_000));
            server.kill();
            server = Server::launch_on(data.path(), events_port, config_port);
        }
        server = server.ready();
        if round % 20 == 19 {
            eprintln!("round {}: {} events acknowledged", round + 1, ledger.lock().expect("sound").len());
        }
    }
    stop.store(true, Ordering::SeqCst);
    producers.into_iter().for_each(|producer| producer.join().expect("a producer ends"));
    check(&server, &ledger.lock().expect("sound"));
    assert_eq!(server.terminate(), Some(0));
    verify(data.path());
}

/// Lets so many microseconds pass. The instant must not depend on anything that the server does, so there is no signal
/// to wait for.
fn pass(micros: u64) {
    let until = Instant::now() + Duration::from_micros(micros);
    while Instant::now() < until {
        std::thread::yield_now();
    }
}

/// Sends numbered events, each until it is answered 202, through every crash.
fn produce(producer: usize, address: std::net::SocketAddr, ledger: &Ledger, stop: &AtomicBool) {
    let mut connection = None;
    let mut number = 0;
    while !stop.load(Ordering::SeqCst) {
        number += 1;
        let id = format!("{producer}-{number}");
        let key = format!("{producer}/{}", number % KEYS_EACH);
        let body = structured(&id, "job", &key, number);
        loop {
            let http = match connection.as_mut() {
                Some(http) => http,
                None => match Http::connect(address) {
                    Ok(http) => connection.insert(http),
                    Err(_) => {
                        std::thread::yield_now();
                        continue;
                    }
                },
            };
            match http.send("POST", "/", &[STRUCTURED], &body) {
                Ok(answer) if answer.status == 202 => break,
                Ok(answer) if answer.status == 503 => {}
                Ok(answer) => panic!("{}: {}", answer.status, String::from_utf8_lossy(&answer.body)),
                Err(_) => connection = None,
            }
        }
        ledger.lock().expect("sound").insert(id, number);
    }
}

/// Sends one more event of each key. Keys keep their order, so where its effect is, all before it on the key is settled:
/// a second delivery that was under way included.
fn send_last(server: &Server) {
    let mut http = Http::connect(server.events).expect("connected");
    for producer in 0..PRODUCERS {
        for part in 0..KEYS_EACH {
            let (id, key) = (format!("{producer}-last-{part}"), format!("{producer}/{part}"));
            let answer = http.send("POST", "/", &[STRUCTURED], &structured(&id, "job", &key, u64::from(u32::MAX)));
            assert_eq!(answer.expect("answered").status, 202);
        }
    }
}

fn check(server: &Server, ledger: &BTreeMap<String, u64>) {
    send_last(server);
    let jobs = server.events_of("job");
    let ids: Vec<&str> = jobs.iter().filter_map(|job| job["id"].as_str()).collect();
    let unique: BTreeSet<&str> = ids.iter().copied().collect();
    assert_eq!(ids.len(), unique.len(), "no event stands twice in the log");
    for id in ledger.keys() {
        assert!(unique.contains(id.as_str()), "{id} was acknowledged");
    }
    let in_order = |events: &[Value]| {
        let mut last: BTreeMap<String, u64> = BTreeMap::new();
        for event in events {
            let key = event["subject"].as_str().expect("a key").to_owned();
            let number = event["data"]["number"].as_u64().expect("a number");
            let before = last.insert(key, number);
            assert!(before.is_none_or(|before| before < number), "{event}");
        }
    };
    in_order(&jobs);
    let delivered = server.wait_for("done", jobs.len(), Duration::from_secs(120));
    assert_eq!(delivered, jobs.len(), "every event was delivered, and no effect stands in the log twice");
    let done = server.events_of("done");
    assert_eq!(done.len(), jobs.len(), "no effect came twice");
    let causes: BTreeSet<&str> = done.iter().filter_map(|it| it["causationid"].as_str()).collect();
    assert_eq!(causes, unique);
    in_order(&done);
    eprintln!("{} events acknowledged, {} in the log, {} effects", ledger.len(), jobs.len(), done.len());
}
