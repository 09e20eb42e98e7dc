//! Measures the matcher: `cargo bench -p weir-routing --bench matcher [-- mix scan growth memory change cesql]`.
//!
//! A million subscriptions to 50,000 event types, of which few are popular and most are not: six of ten have no filter,
//! two ask whether an attribute is a text, one has a prefix or a wildcard over types, and one has CESQL or a pattern on
//! the data. Everything is made from one seed. With `--test` every part runs with tiny input.

#![allow(
    clippy::disallowed_methods,
    clippy::print_stdout,
    clippy::unwrap_used,
    unsafe_code,
    reason = "a measuring program: it stops at the first error, and an allocator that counts cannot be had otherwise"
)]

#[path = "matcher/heap.rs"]
mod heap;
#[path = "matcher/mix.rs"]
mod mix;

use std::{
    hint::black_box,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::Instant,
};

use mix::{Mix, Owned};
use serde_json::json;
use weir_domain::Event;
use weir_routing::{Filter, Matcher, Matching, Scratch};

/// Who has so many rules or fewer that match is what the bounds are about: more are work that is asked for.
const FEW: usize = 10;

/// How much there is of everything.
struct Size {
    subscriptions: usize,
    events: usize,
    /// How many events the linear scan is asked about: each takes long.
    scanned: usize,
    changes: usize,
}

/// Measures one thing and prints it.
type Part = fn(&Size);

/// A subscription stands for its pointer.
type Value = Arc<usize>;

fn values(count: usize) -> Vec<Value> {
    (0..count).map(Arc::new).collect()
}

fn matcher(mix: &Mix, values: &[Value]) -> Matcher<Value> {
    let mut matcher = Matcher::new();
    for (number, value) in values.iter().enumerate() {
        matcher.insert(&mix.rule(number).rule(), Arc::clone(value));
    }
    assert_eq!(matcher.len(), values.len());
    matcher
}

/// Times in nanoseconds.
#[derive(Default)]
struct Times(Vec<u64>);

impl Times {
    fn add(&mut self, from: Instant) {
        self.0.push(from.elapsed().as_nanos() as u64);
    }

    /// Returns the time in microseconds that a share of all does not exceed.
    fn quantile(&mut self, share: f64) -> f64 {
        self.0.sort_unstable();
        let place = (self.0.len() as f64 * share) as usize;
        self.0.get(place.min(self.0.len().saturating_sub(1))).map_or(0.0, |nanos| *nanos as f64 / 1e3)
    }

    fn told(&mut self) -> String {
        let (middle, high, most) = (self.quantile(0.5), self.quantile(0.99), self.quantile(1.0));
        format!("p50 {middle:.2} µs, p99 {high:.2} µs, most {most:.1} µs")
    }
}

fn met(is_met: bool) -> &'static str {
    if is_met { "met" } else { "missed" }
}

/// Asks about each event. Returns the times of those with few matches, those of all, and how many matches there were.
fn ask(matcher: &Matcher<Value>, events: &[Event]) -> (Times, Times, usize) {
    let (mut few, mut all, mut matches) = (Times::default(), Times::default(), 0);
    let (mut scratch, mut found) = (Scratch::default(), Vec::new());
    for event in events {
        found.clear();
        let from = Instant::now();
        matcher.matches(black_box(event), Matching::Pattern, &mut scratch, &mut found);
        all.add(from);
        if found.len() <= FEW {
            few.0.push(all.0[all.0.len() - 1]);
        }
        matches += black_box(&found).len();
    }
    (few, all, matches)
}

fn measure_mix(size: &Size) {
    let mix = Mix::new(size.subscriptions);
    let matcher = matcher(&mix, &values(size.subscriptions));
    let events = mix.events(size.events);
    // The first round brings the index into the caches as far as it goes.
    ask(&matcher, &events);
    let (mut few, mut all, matches) = ask(&matcher, &events);
    let each = matches as f64 / events.len() as f64;
    println!(
        "mix     {} subscriptions: {} events with {FEW} matches or fewer: {}",
        size.subscriptions,
        few.0.len(),
        few.told()
    );
    println!(
        "        at most 10 µs and 50 µs are wanted: {}",
        met(few.quantile(0.5) <= 10.0 && few.quantile(0.99) <= 50.0)
    );
    println!("        all {} events, {each:.1} matches each: {}", events.len(), all.told());
}

fn measure_scan(size: &Size) {
    let mix = Mix::new(size.subscriptions);
    let rules: Vec<Owned> = (0..size.subscriptions).map(|number| mix.rule(number)).collect();
    let values = values(size.subscriptions);
    let matcher = matcher(&mix, &values);
    let events = mix.events(size.scanned);
    ask(&matcher, &events);
    let (_, mut index, matches) = ask(&matcher, &events);
    let (mut scan, mut scanned) = (Times::default(), 0);
    for event in &events {
        let from = Instant::now();
        scanned += rules.iter().filter(|rule| rule.wants(event)).count();
        scan.add(from);
    }
    assert_eq!(scanned, matches, "the scan and the index do not agree");
    let ratio = scan.quantile(0.5) / index.quantile(0.5);
    println!("scan    {} subscriptions one after the other: {}", size.subscriptions, scan.told());
    println!("        with the index: {}; {matches} matches in both", index.told());
    println!("        ratio of p50 {ratio:.0}; at least 1000 is wanted: {}", met(ratio >= 1000.0));
}

fn measure_growth(size: &Size) {
    let mut first = None;
    let mut subscriptions = size.subscriptions / 1000;
    while subscriptions <= size.subscriptions {
        let mix = Mix::new(subscriptions);
        let matcher = matcher(&mix, &values(subscriptions));
        let events = mix.events(size.events);
        ask(&matcher, &events);
        let (mut few, _, _) = ask(&matcher, &events);
        let middle = few.quantile(0.5);
        let growth = middle / *first.get_or_insert(middle);
        println!("growth  {subscriptions} subscriptions: {}; {growth:.2} times the p50 of the fewest", few.told());
        if subscriptions == size.subscriptions {
            println!("        at most 3 times is wanted: {}", met(growth <= 3.0));
        }
        subscriptions *= 10;
    }
}

fn measure_memory(size: &Size) {
    let mix = Mix::new(size.subscriptions);
    let values = values(size.subscriptions);
    let (bytes, blocks) = (heap::live(), heap::blocks());
    let matcher = matcher(&mix, &values);
    let share = |count: usize| count as f64 / size.subscriptions as f64;
    let each = share(heap::live() - bytes);
    println!(
        "memory  {} subscriptions: {each:.0} bytes for each, filter and pointer included, in {:.2} allocations",
        size.subscriptions,
        share(heap::blocks() - blocks)
    );
    drop(matcher);
    let left = heap::live().saturating_sub(bytes);
    println!("        at most 400 are wanted: {}; {left} bytes are left when it is gone", met(each <= 400.0));
}

fn measure_change(size: &Size) {
    let mix = Mix::new(size.subscriptions);
    let values = values(size.subscriptions);
    let matcher = matcher(&mix, &values);
    let events = mix.events(size.events);
    ask(&matcher, &events);
    let (mut alone, ..) = ask(&matcher, &events);
    let current = Mutex::new(matcher.clone());
    let is_done = AtomicBool::new(false);
    let (mut added, mut removed) = (Times::default(), Times::default());
    let mut beside = std::thread::scope(|scope| {
        let reader = scope.spawn(|| {
            let mut few = Times::default();
            while !is_done.load(Ordering::Relaxed) {
                for part in events.chunks(64) {
                    // Whoever asks keeps what there was when they began.
                    let snapshot = current.lock().unwrap().clone();
                    few.0.append(&mut ask(&snapshot, part).0.0);
                }
            }
            few
        });
        let mut matcher = matcher;
        for round in 0..size.changes {
            let number = round * 7919 % size.subscriptions;
            let rule = mix.rule(number);
            let from = Instant::now();
            assert!(matcher.remove(&rule.rule(), &values[number]));
            let published = std::mem::replace(&mut *current.lock().unwrap(), matcher.clone());
            removed.add(from);
            drop(published);
            let from = Instant::now();
            matcher.insert(&rule.rule(), Arc::clone(&values[number]));
            let published = std::mem::replace(&mut *current.lock().unwrap(), matcher.clone());
            added.add(from);
            drop(published);
        }
        is_done.store(true, Ordering::Relaxed);
        reader.join().unwrap()
    });
    println!("change  {} subscriptions: add {}", size.subscriptions, added.told());
    println!("        remove {}", removed.told());
    let is_met = added.quantile(0.99) <= 100.0 && removed.quantile(0.99) <= 100.0;
    println!("        p99 of at most 100 µs is wanted: {}", met(is_met));
    println!("        matching alone {}", alone.told());
    println!("        matching while all this happens {}", beside.told());
}

fn measure_cesql(size: &Size) {
    let events = Mix::new(size.subscriptions.min(1000)).events(size.events);
    let filters = [
        (
            "CESQL",
            json!({ "sql": "tenant = 't7' OR (subject LIKE 'order/%' AND amount > 500 AND region IN ('eu', 'us') \
                            AND NOT EXISTS flag)" }),
        ),
        (
            "pattern",
            json!({ "pattern": { "region": ["eu", "us"], "data": { "customer": { "id": [{ "prefix": "c1" }] },
                                                                  "price": [{ "numeric": [">", 500] }] } } }),
        ),
    ];
    for (name, filter) in filters {
        let filter = Filter::parse(&filter).unwrap();
        let rounds = 20;
        let from = Instant::now();
        let mut matched = 0;
        for _ in 0..rounds {
            matched += events.iter().filter(|event| filter.matches(black_box(event))).count();
        }
        let each = from.elapsed().as_nanos() as f64 / (rounds * events.len()) as f64;
        println!("cesql   {name}: {each:.0} ns for each event, {} of {} match", matched / rounds, events.len());
    }
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    let is_tiny = arguments.iter().any(|argument| argument == "--test");
    let size = match is_tiny {
        true => Size { subscriptions: 2000, events: 200, scanned: 5, changes: 200 },
        false => Size { subscriptions: 1_000_000, events: 20_000, scanned: 100, changes: 20_000 },
    };
    let wanted: Vec<&String> = arguments.iter().filter(|argument| !argument.starts_with("--")).collect();
    let parts: [(&str, Part); 6] = [
        ("mix", measure_mix),
        ("scan", measure_scan),
        ("growth", measure_growth),
        ("memory", measure_memory),
        ("change", measure_change),
        ("cesql", measure_cesql),
    ];
    for (name, measure) in parts {
        if wanted.is_empty() || wanted.iter().any(|each| *each == name) {
            measure(&size);
        }
    }
}
