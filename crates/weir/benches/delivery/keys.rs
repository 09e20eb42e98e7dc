//! Events of one key come one after the other; more keys come beside one another.

use std::{
    ops::Range,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use serde_json::json;

use crate::{
    api::Api,
    book::Book,
    figure::{Figure, RUNS, none_of},
    load::load,
    observe::rest,
    process::{Server, directory},
    producers::{BATCH_EVENTS, Producer, batch, single},
    target::{Call, Function, Reply, Target},
    template::Template,
};

const KEYS: u64 = 16;

/// Batches of one run with one key, and with all of them: some seconds of work each.
const BATCHES_OF_ONE: u64 = 3;
const BATCHES_OF_ALL: u64 = BATCHES_OF_ONE * KEYS;

const EVENT_BYTES: usize = 256;

/// There is one function in each run.
const RECEIVERS: Range<usize> = 0..1;

/// Takes a millisecond for each call, and watches the order. Its path says how many keys there are.
struct Ordered {
    book: Arc<Book>,
    /// The number behind that of the last event, by path and key.
    next: Vec<AtomicU64>,
    /// Whether a call is under way.
    busy: Vec<AtomicBool>,
    /// Events that came behind a later one of their key, or while one of it was under way.
    inversions: AtomicU64,
}

impl Ordered {
    fn new(book: Arc<Book>) -> Self {
        let lanes = 2 * KEYS as usize;
        let next = (0..lanes).map(|_| AtomicU64::new(0)).collect();
        let busy = (0..lanes).map(|_| AtomicBool::new(false)).collect();
        Self { book, next, busy, inversions: AtomicU64::new(0) }
    }

    /// Returns the place of a path and key, none where it is called by hand.
    fn lane(&self, call: Call) -> Option<usize> {
        let is_known = call.path > 0 && self.book.has(call.number);
        is_known.then(|| call.path + call.number as usize % call.path)
    }
}

impl Function for Ordered {
    fn called(&self, call: Call) -> Reply {
        if let Some(lane) = self.lane(call) {
            let is_late = self.next[lane].swap(call.number + 1, Relaxed) > call.number;
            let is_early = self.busy[lane].swap(true, Relaxed);
            self.inversions.fetch_add(u64::from(is_late || is_early), Relaxed);
            self.book.deliver(RECEIVERS.start, call.number);
        }
        Reply::DoneInAMillisecond
    }

    fn answers(&self, call: Call) {
        if let Some(lane) = self.lane(call) {
            self.busy[lane].store(false, Relaxed);
        }
    }
}

/// One number of keys, with a type and a function of its own.
struct Side {
    template: Template,
    rate: Figure,
}

impl Side {
    fn new(server: &Server, target: &Target, keys: u64) -> Self {
        let mut api = Api::of(server);
        let (event_type, function) = (format!("job.{keys}"), format!("work-{keys}"));
        api.make("eventtypes", &json!({ "name": event_type }));
        api.make_function_at(&function, &target.url(0, keys as usize));
        api.subscribe(&event_type, &function, &json!({}));
        Self { template: batch(&event_type, keys, EVENT_BYTES), rate: Figure::default() }
    }

    /// Emits batches at once, and returns how many events a second the function was given from its first to its last.
    fn run(&mut self, server: &Server, book: &Book, batches: Range<u64>) -> f64 {
        rest(server.pid());
        let mut producer = Producer::connect(server.events, self.template.clone());
        let events = batches.start * BATCH_EVENTS..batches.end * BATCH_EVENTS;
        batches.for_each(|number| producer.send(number));
        assert_eq!(book.wait(&RECEIVERS, &events), 0, "events are missing");
        let (first, last) = book.span(&RECEIVERS, &events);
        let rate = (events.end - events.start - 1) as f64 / (last - first).as_secs_f64();
        self.rate.add(rate);
        rate
    }
}

pub(crate) fn keys() {
    let each = BATCHES_OF_ONE + BATCHES_OF_ALL;
    let book = Book::new(RECEIVERS.len(), RUNS as u64 * each * BATCH_EVENTS);
    let function = Arc::new(Ordered::new(book.clone()));
    let target = Target::start(1, function.clone());
    let data = directory();
    let server = Server::start(data.path());
    let direct = |connections: usize, run: usize| {
        let template = single("job", EVENT_BYTES);
        // Its numbers are those of no event in the book.
        load(target.address(), connections, Duration::from_secs(1), "HTTP/1.1 204", run + 1, &template).per_second
    };
    let mut ratio = Figure::default();
    let mut limits: [Figure; 2] = Default::default();
    let [mut one, mut all] = [1, KEYS].map(|keys| Side::new(&server, &target, keys));
    for run in 0..RUNS {
        limits[0].add(direct(1, run));
        limits[1].add(direct(KEYS as usize, run));
        let first = run as u64 * each;
        let of_one = one.run(&server, &book, first..first + BATCHES_OF_ONE);
        let of_all = all.run(&server, &book, first + BATCHES_OF_ONE..first + each);
        ratio.add(of_all / of_one);
    }
    let inversions = function.inversions.load(Relaxed);
    let ([one_limit, all_limit], one, all) = (&limits, &one.rate, &all.rate);
    println!("keys        to a function of 1 ms: one key {one:.0} events/s, {KEYS} keys {all:.0} events/s");
    println!(
        "            called directly, 1 connection {one_limit:.0} calls/s, {KEYS} connections {all_limit:.0} calls/s"
    );
    println!("            inversions, of all runs: {inversions}, {}", none_of(inversions));
    println!("            ratio: {ratio:.1}, {:.1}", ratio.at_least(14.0));
}
