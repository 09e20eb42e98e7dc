//! Files that change while `weir dev` runs and events flow: every event is delivered once and in order, by the code before
//! the change or by the code after it.

use std::{
    collections::BTreeMap,
    fs,
    net::SocketAddr,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
        mpsc::Receiver,
    },
    time::Instant,
};

use serde_json::{Value, json};

use crate::{
    process::{BOUND, Http, STRUCTURED, Server},
    readme::application,
};

const KEYS: u64 = 4;

/// Emits an order whose invoice is over as many cents as its number.
fn emit(http: &mut Http, number: u64) {
    let event = json!({
        "specversion": "1.0", "type": "order.placed", "source": "/shop", "id": number.to_string(),
        "data": { "order": format!("order-{}", number % KEYS), "items": [{ "count": 1, "cents": number }] },
    });
    let answer = http.send("POST", "/", &[STRUCTURED], event.to_string().as_bytes()).expect("answered");
    assert_eq!(answer.status, 202, "{}", String::from_utf8_lossy(&answer.body));
}

/// Emits orders until told to stop; returns how many.
fn pour(address: SocketAddr, stop: &AtomicBool) -> u64 {
    let mut http = Http::connect(address).expect("connected");
    let mut number = 0;
    while !stop.load(Ordering::SeqCst) {
        number += 1;
        emit(&mut http, number);
    }
    number
}

/// The invoices in the log, read as they come.
struct Invoices {
    http: Http,
    next: String,
    all: Vec<Value>,
}

impl Invoices {
    fn of(server: &Server) -> Self {
        Self { http: Http::connect(server.config).expect("connected"), next: "1".to_owned(), all: Vec::new() }
    }

    /// Reads on until what is waited for is there. Long polls: each answer is a signal.
    fn read_until(&mut self, what: &str, is_there: impl Fn(&[Value]) -> bool) {
        let begun = Instant::now();
        while !is_there(&self.all) {
            assert!(begun.elapsed() < BOUND, "{what} did not come in time, after {} invoices", self.all.len());
            let path = format!("/v1/spaces/default/events?from={}&type=invoice.created&limit=1000&wait=5", self.next);
            let answer = self.http.send("GET", &path, &[], b"").expect("answered");
            assert_eq!(answer.status, 200, "{}", String::from_utf8_lossy(&answer.body));
            let page: Vec<Value> = serde_json::from_slice(&answer.body).expect("a batch");
            self.all.extend(page);
            self.next = answer.header("weir-next").expect("where to go on").to_owned();
        }
    }
}

fn number(invoice: &Value) -> u64 {
    invoice["data"]["cents"].as_u64().expect("a number")
}

/// Writes a file anew, with a part of it replaced.
fn change(file: &Path, text: &str, from: &str, to: &str) {
    assert!(text.contains(from), "{from} is not in {}", file.display());
    fs::write(file, text.replace(from, to)).expect("written");
}

fn wait_for_line(lines: &Receiver<String>, part: &str) {
    let begun = Instant::now();
    while !lines.recv_timeout(BOUND.saturating_sub(begun.elapsed())).expect("told in time").contains(part) {}
}

#[test]
fn files_change_while_events_flow_and_each_is_delivered_once() {
    let home = application("hello");
    let (function, manifest) = (home.path().join("functions/invoice.js"), home.path().join("weir.toml"));
    let code = fs::read_to_string(&function).expect("readable");
    let declared = fs::read_to_string(&manifest).expect("readable");
    let (server, lines) = Server::develop_shown(home.path());
    let stop = Arc::new(AtomicBool::new(false));
    let (address, ends) = (server.events, stop.clone());
    let producer = std::thread::spawn(move || pour(address, &ends));
    let mut invoices = Invoices::of(&server);
    for edition in 1..=3_u64 {
        change(&function, &code, "cents } };", &format!("cents, edition: {edition} }} }};"));
        let is_new = |invoice: &Value| invoice["data"]["edition"] == edition;
        invoices.read_until("an invoice of the changed code", |all| all.iter().any(is_new));
    }
    // The same events, from now on for a function of another name.
    change(&manifest, &declared, "\"invoice\"", "\"billing\"");
    let is_billed = |invoice: &Value| invoice["source"] == "/spaces/default/functions/billing";
    invoices.read_until("an invoice of the other function", |all| all.iter().any(is_billed));
    stop.store(true, Ordering::SeqCst);
    let accepted = producer.join().expect("the producer ends");

    // Keys keep their order: where the last invoice of each is, all before it are.
    let mut http = Http::connect(server.events).expect("connected");
    (1..=KEYS).for_each(|last| emit(&mut http, accepted + last));
    let is_last = |invoice: &&Value| number(invoice) > accepted;
    invoices.read_until("the last invoices", |all| all.iter().filter(is_last).count() as u64 >= KEYS);
    let mut found: BTreeMap<String, Vec<u64>> = BTreeMap::new();
    for invoice in &invoices.all {
        found.entry(invoice["subject"].to_string()).or_default().push(number(invoice));
    }
    let of_key = |key: u64| -> Vec<u64> { (1..=accepted + KEYS).filter(|number| number % KEYS == key).collect() };
    let expected: BTreeMap<String, Vec<u64>> = (0..KEYS).map(|key| (format!("\"order-{key}\""), of_key(key))).collect();
    assert_eq!(found, expected);

    // What cannot be run is told with its line, and the function stays as it was.
    fs::write(&function, "export function handle(event) {\n  return {;\n}\n").expect("written");
    wait_for_line(&lines, "the file has a syntax error at line 2");
    emit(&mut http, accepted + KEYS + 1);
    invoices.read_until("an invoice of the code before", |all| all.len() as u64 > accepted + KEYS);
    assert_eq!(server.terminate(), Some(0));
}
