//! Five hundred subscriptions to one type, of which one fails always and one is slow: what the others have of it.

use std::{
    ops::Range,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use serde_json::json;
use tempfile::TempDir;

use crate::{
    api::Api,
    book::Book,
    figure::{Figure, RUNS, none_of},
    observe::{park_until, rest},
    process::{Server, directory},
    producers::{Producer, single},
    target::{Call, Function, Reply, Target},
    template::percentile,
};

/// Those that do as they should, and the paths of the two that do not.
const WELL: Range<usize> = 0..498;
const FAILING: usize = 498;
const SLOW: usize = 499;
const ALL: Range<usize> = 0..500;

const SLOW_TIME: Duration = Duration::from_secs(1);

/// Their functions are at as many hosts: a server keeps a few dozen connections to each.
const HOSTS: u8 = 10;

/// Events of one run of one side, each of them for all subscriptions, and the time between two.
const EVENTS: u64 = 100;
const INTERVAL: Duration = Duration::from_millis(100);

/// All functions of both servers.
struct Neighbours {
    book: Arc<Book>,
    failed: AtomicU64,
    slow: AtomicU64,
}

impl Function for Neighbours {
    fn called(&self, call: Call) -> Reply {
        match call.path {
            FAILING => {
                self.failed.fetch_add(1, Relaxed);
                Reply::Failed
            }
            SLOW => {
                self.slow.fetch_add(1, Relaxed);
                Reply::DoneAfter(SLOW_TIME)
            }
            _ => self.book.called(call),
        }
    }
}

/// One of the two servers, and what it came to in all runs.
struct Side {
    server: Server,
    _data: TempDir,
    p50: Figure,
    p99: Figure,
    /// Of all runs.
    missing: u64,
}

impl Side {
    fn start(target: &Target, receivers: Range<usize>) -> Self {
        let data = directory();
        let server = Server::start(data.path());
        let mut api = Api::of(&server);
        api.make("eventtypes", &json!({ "name": "job" }));
        for receiver in receivers {
            let name = format!("work-{receiver}");
            api.make_function_at(&name, &target.url((receiver % usize::from(HOSTS)) as u8, receiver));
            api.subscribe("job", &name, &json!({}));
        }
        Self { server, _data: data, p50: Figure::default(), p99: Figure::default(), missing: 0 }
    }

    /// Emits events at their times, and waits until those that do as they should have them all; returns the p99.
    fn run(&mut self, book: &Book, events: &Range<u64>) -> f64 {
        let mut producer = Producer::connect(self.server.events, single("job", 512));
        let begun = Instant::now();
        for (place, number) in (0..).zip(events.clone()) {
            park_until(begun + INTERVAL * place);
            producer.send(number);
            book.accept(number);
        }
        self.missing += book.wait(&WELL, events);
        let latencies = book.latencies(&WELL, events);
        let p99 = percentile(&latencies, 0.99).as_secs_f64() * 1e3;
        self.p50.add(percentile(&latencies, 0.5).as_secs_f64() * 1e3);
        self.p99.add(p99);
        p99
    }

    fn show(&self, title: &str) {
        let Self { p50, p99, missing, .. } = self;
        println!("            {title}: p50 {p50:.1} ms, p99 {p99:.1} ms");
        println!("              deliveries missing, of all runs: {missing}, {}", none_of(*missing));
    }
}

pub(crate) fn neighbours() {
    let book = Book::new(WELL.len(), RUNS as u64 * 2 * EVENTS);
    let functions = Arc::new(Neighbours { book: book.clone(), failed: AtomicU64::new(0), slow: AtomicU64::new(0) });
    let target = Target::start(HOSTS, functions.clone());
    let mut without = Side::start(&target, WELL);
    let mut beside = Side::start(&target, ALL);
    let [mut ratio, mut failed, mut slow]: [Figure; 3] = Default::default();
    for run in 0..RUNS as u64 {
        let begun = [&functions.failed, &functions.slow].map(|count| count.load(Relaxed));
        let mut p99 = [0.0; 2];
        // Each of the two is the first in turn.
        for turn in [run % 2, 1 - run % 2] {
            [&without, &beside].iter().for_each(|side| rest(side.server.pid()));
            let first = (2 * run + turn) * EVENTS;
            let side = if turn == 0 { &mut without } else { &mut beside };
            p99[turn as usize] = side.run(&book, &(first..first + EVENTS));
        }
        ratio.add(p99[1] / p99[0]);
        failed.add((functions.failed.load(Relaxed) - begun[0]) as f64);
        slow.add((functions.slow.load(Relaxed) - begun[1]) as f64);
    }
    assert!(functions.failed.load(Relaxed) > 0 && functions.slow.load(Relaxed) > 0, "the two were never called");
    println!(
        "neighbours  {} subscriptions to one type, {:.0} events a second",
        ALL.len(),
        1.0 / INTERVAL.as_secs_f64()
    );
    without.show("without the two");
    beside.show("beside one that fails always and one of 1 s");
    println!("            calls of the one that fails: {failed:.0}, of the slow one: {slow:.0}");
    println!("            delivered more than once, of all runs: {}", book.repeated());
    println!("            p99 ratio: {ratio:.2}, {:.2}", ratio.at_most(1.2));
}
