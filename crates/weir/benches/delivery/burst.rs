//! For some seconds a hundred times as much comes as a subscription delivers: what becomes of it, and of the memory of
//! the server.

use std::{
    ops::Range,
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use serde_json::json;

use crate::{
    api::Api,
    book::Book,
    figure::{Figure, RUNS, none_of},
    observe::{park_until, rest, until, watched},
    process::{Server, directory},
    producers::{BATCH_EVENTS, Producer, batch},
    target::Target,
};

/// What the subscription delivers, in events a second, and what comes.
const SUSTAINED: f64 = 200.0;
const BURST: f64 = 100.0 * SUSTAINED;

const EVENT_BYTES: usize = 1024;
const KEYS: u64 = 1000;

/// For how long the bursts last.
const LONG: Duration = Duration::from_secs(10);
const SHORT: Duration = Duration::from_secs(5);

/// What a subscription may read ahead, in MiB.
const WINDOW: f64 = 32.0;

/// The time to recover may grow by a fifth more than what is to be recovered from.
const PROPORTION_MAX: f64 = 2.4;

const STATUS_TIME_MAX: Duration = Duration::from_secs(10);

/// There is one function.
const RECEIVERS: Range<usize> = 0..1;

/// Returns how many batches a burst has.
fn batches(time: Duration) -> u64 {
    (BURST * time.as_secs_f64() / BATCH_EVENTS as f64) as u64
}

/// Sends batches, each at its time.
fn send(server: &Server, numbers: Range<u64>) {
    let mut producer = Producer::connect(server.events, batch("job", KEYS, EVENT_BYTES));
    let interval = Duration::from_secs_f64(BATCH_EVENTS as f64 / BURST);
    let begun = Instant::now();
    for (place, number) in (0..).zip(numbers) {
        park_until(begun + interval * place);
        producer.send(number);
    }
}

/// A server with one subscription to a function at a URL.
struct Rig {
    server: Server,
    subscription: String,
    book: Arc<Book>,
}

/// What a burst came to.
struct Recovery {
    /// Events a second, while more came.
    meanwhile: f64,
    backlog: u64,
    lost: u64,
    /// From the moment at which the rate was lifted.
    taken: Duration,
}

impl Rig {
    fn start(data: &Path, target: &Target, book: &Arc<Book>) -> Self {
        let server = Server::start(data);
        let mut api = Api::of(&server);
        api.make("eventtypes", &json!({ "name": "job" }));
        api.make_function_at("work", &target.url(0, 0));
        let subscription = api.subscribe("job", "work", &json!({}));
        Self { server, subscription, book: book.clone() }
    }

    /// Sends a burst to a subscription that is held to its rate; then lifts the rate, and waits until all is delivered.
    fn burst(&self, numbers: Range<u64>) -> Recovery {
        let events = numbers.start * BATCH_EVENTS..numbers.end * BATCH_EVENTS;
        let count = events.end - events.start;
        Api::of(&self.server).change(&self.subscription, "job", "work", &json!({ "rate": SUSTAINED as u64 }));
        rest(self.server.pid());
        let begun = self.book.since_opened();
        send(&self.server, numbers);
        let backlog = self.book.missing(&RECEIVERS, &events);
        let time = (self.book.since_opened() - begun).as_secs_f64();
        let meanwhile = (count - backlog) as f64 / time;
        // A second's worth may go at once.
        let most = SUSTAINED * (time + 1.0) * 1.1;
        assert!(((count - backlog) as f64) < most, "the rate is not kept: {} events in {time:.1} s", count - backlog);
        let lifted = self.book.since_opened();
        Api::of(&self.server).change(&self.subscription, "job", "work", &json!({}));
        let lost = self.book.wait(&RECEIVERS, &events);
        let taken = self.book.span(&RECEIVERS, &events).1.saturating_sub(lifted);
        Recovery { meanwhile, backlog, lost, taken }
    }

    /// Sees that the status says that there is nothing left.
    fn settle(&self) {
        let mut api = Api::of(&self.server);
        let path = format!("subscriptions/{}/status", self.subscription);
        let mut status = json!(null);
        let is_settled = until(STATUS_TIME_MAX, || {
            status = api.get(&path);
            status["backlog"]["events"] == 0
        });
        assert!(is_settled, "all is delivered, and the status says: {status}");
    }
}

/// Returns the most memory of a server to which a long burst comes and that delivers nothing.
fn memory_of_taking_in() -> f64 {
    let data = directory();
    let server = Server::start(data.path());
    Api::of(&server).make("eventtypes", &json!({ "name": "job" }));
    watched(server.pid(), || send(&server, 0..batches(LONG))).1
}

pub(crate) fn burst() {
    let (long, short) = (batches(LONG), batches(SHORT));
    let book = Book::new(RECEIVERS.len(), RUNS as u64 * (long + short) * BATCH_EVENTS);
    let target = Target::start(1, book.clone());
    let [mut base, mut most, mut grown, mut meanwhile]: [Figure; 4] = Default::default();
    let [mut long_backlog, mut long_time, mut short_time, mut ratio]: [Figure; 4] = Default::default();
    let mut lost = 0;
    for run in 0..RUNS as u64 {
        let of_taking_in = memory_of_taking_in();
        let data = directory();
        let rig = Rig::start(data.path(), &target, &book);
        let first = run * (long + short);
        let (of_long, memory) = watched(rig.server.pid(), || rig.burst(first..first + long));
        let of_short = rig.burst(first + long..first + long + short);
        rig.settle();
        base.add(of_taking_in);
        most.add(memory);
        grown.add(memory - of_taking_in);
        meanwhile.add(of_long.meanwhile);
        long_backlog.add(of_long.backlog as f64);
        long_time.add(of_long.taken.as_secs_f64());
        short_time.add(of_short.taken.as_secs_f64());
        ratio.add(of_long.taken.as_secs_f64() / of_short.taken.as_secs_f64());
        lost += of_long.lost + of_short.lost;
    }
    println!("burst       {BURST:.0} events/s of {EVENT_BYTES} bytes to a subscription of {SUSTAINED:.0} events/s");
    println!("            meanwhile {meanwhile:.0} events/s are delivered, after {LONG:?} {long_backlog:.0} wait");
    println!("            lost, of all runs: {lost}, {}", none_of(lost));
    println!(
        "            resident memory of the server at its most: {most:.1} MiB; without a subscription {base:.1} MiB"
    );
    println!("            more by: {grown:.1} MiB, {:.1}", grown.at_most(WINDOW));
    println!("            without a rate all is delivered in {long_time:.2} s, after {SHORT:?} in {short_time:.2} s");
    println!("            ratio of these: {ratio:.2}, {:.2}", ratio.at_most(PROPORTION_MAX));
}
