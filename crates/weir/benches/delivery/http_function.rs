//! To a function at a URL, from the answer to an event until the function has it: as fast as producers are served, and
//! at a fixed rate.

use std::{
    ops::Range,
    sync::Arc,
    time::{Duration, Instant},
};

use serde_json::json;

use crate::{
    api::Api,
    book::Book,
    figure::{Figure, RUNS, none_of},
    load::load,
    observe::{processor_time, rest},
    process::{Server, directory},
    producers::{PRODUCERS, emit, single},
    target::Target,
    template::{Template, percentile},
};

const EVENT_BYTES: usize = 1024;

/// What is emitted as fast as producers are served, in each run.
const FAST_EVENTS: u64 = 150_000;

/// What is emitted at a fixed rate, in each run, and how many of it a second.
const PACED_EVENTS: u64 = 75_000;
const PACE: f64 = 15_000.0;

/// There is one function.
const RECEIVERS: Range<usize> = 0..1;

/// Where it is measured.
struct Place {
    book: Arc<Book>,
    target: Target,
    server: Server,
    template: Template,
}

/// What one way of emitting came to in all runs.
#[derive(Default)]
struct Way {
    taken: Figure,
    delivered: Figure,
    p50: Figure,
    p99: Figure,
    producers: Figure,
    function: Figure,
    /// Of all runs.
    lost: u64,
}

impl Way {
    fn run(&mut self, place: &Place, events: &Range<u64>, rate: Option<f64>) {
        let Place { book, target, server, template } = place;
        rest(server.pid());
        let busy = processor_time(&target.thread_name);
        let (begun, opened_for) = (Instant::now(), book.since_opened());
        let emission = emit(server.events, template, events, rate, book);
        self.lost += book.wait(&RECEIVERS, events);
        let (_, last) = book.span(&RECEIVERS, events);
        let latencies = book.latencies(&RECEIVERS, events);
        self.taken.add(emission.per_second);
        self.delivered.add(latencies.len() as f64 / (last - opened_for).as_secs_f64());
        self.p50.add(percentile(&latencies, 0.5).as_secs_f64() * 1e3);
        self.p99.add(percentile(&latencies, 0.99).as_secs_f64() * 1e3);
        self.producers.add(emission.share);
        self.function.add((processor_time(&target.thread_name) - busy).as_secs_f64() / begun.elapsed().as_secs_f64());
    }

    fn show(&self) {
        let Self { p50, p99, producers, function, lost, .. } = self;
        println!(
            "            from the answer to the function: p50 {p50:.2} ms, p99 {p99:.2} ms, {:.2}",
            p99.at_most(10.0)
        );
        println!("            lost, of all runs: {lost}, {}", none_of(*lost));
        println!("            producers on {producers:.2} of a processor, the function on {function:.2}");
    }
}

pub(crate) fn http() {
    let each = FAST_EVENTS + PACED_EVENTS;
    let book = Book::new(RECEIVERS.len(), RUNS as u64 * each);
    let target = Target::start(1, book.clone());
    let data = directory();
    let server = Server::start(data.path());
    let mut api = Api::of(&server);
    api.make("eventtypes", &json!({ "name": "job" }));
    api.make_function_at("work", &target.url(0, 0));
    api.subscribe("job", "work", &json!({}));
    let place = Place { book, target, server, template: single("job", EVENT_BYTES) };
    let [mut fast, mut paced]: [Way; 2] = Default::default();
    let [mut limit, mut limit_client]: [Figure; 2] = Default::default();
    for run in 0..RUNS {
        // Its numbers are those of no event in the book.
        let direct =
            load(place.target.address(), PRODUCERS, Duration::from_secs(3), "HTTP/1.1 204", run + 1, &place.template);
        limit.add(direct.per_second);
        limit_client.add(direct.client);
        let first = run as u64 * each;
        fast.run(&place, &(first..first + FAST_EVENTS), None);
        paced.run(&place, &(first + FAST_EVENTS..first + each), Some(PACE));
    }
    let (taken, delivered) = (&fast.taken, &fast.delivered);
    println!("http        {PRODUCERS} producers, events of {EVENT_BYTES} bytes, as fast as they are served:");
    println!("            {delivered:.0} events/s, {:.0}; taken in: {taken:.0} events/s", delivered.at_least(PACE));
    fast.show();
    let (taken, delivered) = (&paced.taken, &paced.delivered);
    println!("            at {PACE:.0} events/s, whether those before are delivered or not:");
    println!("            {delivered:.0} events/s; taken in: {taken:.0} events/s");
    paced.show();
    println!("            delivered more than once, of all runs: {}", place.book.repeated());
    println!("            the function called directly: {limit:.0} calls/s, load on {limit_client:.2} of a processor");
}
