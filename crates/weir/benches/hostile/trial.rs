//! One attack from its beginning to its end: honest clients alone and beside it, in turns, what memory that takes, and
//! whether everything that was acknowledged is there afterwards.

use std::collections::BTreeMap;

use serde_json::json;

use crate::{
    field::{Assault, Attack, Outcome},
    figure::{Figure, RUNS},
    honest::{self, Counts, Phase},
    observe::{memory, rest, watched},
    process::{Http, Server, directory},
};

/// What the honest clients came to in all rounds, alone or beside the attack.
#[derive(Default)]
struct Side {
    per_second: Figure,
    p50: Figure,
    p99: Figure,
    client: Figure,
    memory: Figure,
    counts: Counts,
}

impl Side {
    /// Adds a round with the most memory that the server had in it.
    fn add(&mut self, phase: &Phase, memory: f64) {
        self.per_second.add(phase.per_second);
        self.p50.add(phase.p50.as_secs_f64() * 1e3);
        self.p99.add(phase.p99.as_secs_f64() * 1e3);
        self.client.add(phase.share);
        self.memory.add(memory);
        self.counts.add(phase.counts);
    }

    fn show(&self, title: &str) {
        let Self { per_second, p50, p99, client, memory, counts } = self;
        println!("          {title}: {per_second:.0} events/s, p50 {p50:.2} ms, p99 {p99:.2} ms");
        println!(
            "            the clients on {client:.2} of a processor, {} times refused for want of room, {} connections broken",
            counts.refused, counts.broken
        );
        println!("            resident memory of the server at its most: {memory:.1} MiB");
    }
}

/// Measures an attack, and prints what it came to.
pub(crate) fn run(attack: &Attack) {
    println!("{:<9} {}", attack.name, attack.about);
    if let Some(hindrance) = &attack.hindrance {
        return println!("          skipped: {hindrance}");
    }
    let directory = directory();
    let settings = directory.path().join("weir.toml");
    std::fs::write(&settings, attack.settings).unwrap();
    let server = Server::start_with(&directory.path().join("data"), &settings);
    server.configure("eventtypes", &json!({ "name": "job" }));
    (attack.prepare)(&server);
    let [mut alone, mut beside]: [Side; 2] = Default::default();
    let [mut ratio, mut growth, mut share]: [Figure; 3] = Default::default();
    let mut untouched = None;
    let mut seen: BTreeMap<String, Figure> = BTreeMap::new();
    for round in 0..RUNS {
        let (quiet, (loud, outcome)) = if round.is_multiple_of(2) {
            let quiet = measured(&server, 2 * round);
            (quiet, attacked(attack, &server, 2 * round + 1))
        } else {
            let loud = attacked(attack, &server, 2 * round + 1);
            (measured(&server, 2 * round), loud)
        };
        ratio.add(loud.0.p99.as_secs_f64() / quiet.0.p99.as_secs_f64());
        // What an attack leaves behind is not taken off in later rounds: this is from before the first one.
        let before = *untouched.get_or_insert(quiet.1);
        growth.add(loud.1 - before);
        share.add(outcome.share);
        alone.add(&quiet.0, quiet.1);
        beside.add(&loud.0, loud.1);
        for (what, count) in outcome.seen {
            let figure = seen.entry(what).or_default();
            figure.fill(round);
            figure.add(count as f64);
        }
    }
    seen.values_mut().for_each(|figure| figure.fill(RUNS));
    alone.show("alone");
    beside.show("beside it");
    println!("          p99 ratio: {ratio:.2}, at most 2.00 is wanted");
    println!("          memory grown by, since honest clients were alone at first: {growth:.1} MiB");
    println!("          the attackers on {share:.2} of a processor");
    for (what, figure) in &seen {
        println!("          {what}: {figure:.0}");
    }
    let mut counts = alone.counts;
    counts.add(beside.counts);
    finish(server, counts);
}

/// Lets honest clients send, and watches the memory of the server meanwhile.
fn measured(server: &Server, number: usize) -> (Phase, f64) {
    rest(server.pid());
    watched(server.pid(), || honest::phase(server.events, number))
}

/// The same with an attack beside it.
fn attacked(attack: &Attack, server: &Server, number: usize) -> ((Phase, f64), Outcome) {
    rest(server.pid());
    // What it takes to come to its full strength counts for the memory, and not for the latency.
    let ((phase, outcome), most) = watched(server.pid(), || {
        let assault = Assault::begin(attack, server);
        let phase = honest::phase(server.events, number);
        (phase, assault.end())
    });
    ((phase, most), outcome)
}

/// Sees that nothing is lost, that the server answers, and that it ends as it should.
fn finish(server: Server, counts: Counts) {
    rest(server.pid());
    let resident = ["VmRSS", "VmHWM"].map(|name| memory(server.pid(), name));
    let kept = kept(&server);
    let Counts { sent, acknowledged, .. } = counts;
    assert!((acknowledged..=sent).contains(&kept), "{kept} are kept of {acknowledged} acknowledged and {sent} sent");
    let mut http = Http::connect(server.config).unwrap();
    assert_eq!(http.send("GET", "/v1/status", &[], b"").unwrap().status, 200);
    assert_eq!(server.terminate(), Some(0));
    println!(
        "          afterwards: {acknowledged} events acknowledged of {sent}, {kept} in the log; status 200; ended with 0"
    );
    println!("          resident memory at rest: {:.1} MiB, the most of all time {:.1} MiB", resident[0], resident[1]);
}

/// Counts the events of honest clients by reading all of them.
fn kept(server: &Server) -> u64 {
    let mut http = Http::connect(server.config).unwrap();
    let (mut count, mut from) = (0, "1".to_owned());
    loop {
        let path = format!("/v1/spaces/default/events?from={from}&type=job&limit=1000");
        let answer = http.send("GET", &path, &[], b"").unwrap();
        let text = std::str::from_utf8(&answer.body).unwrap();
        assert_eq!(answer.status, 200, "{text}");
        // Each event has it once, and its data never.
        count += text.matches("\"weirposition\"").count() as u64;
        if answer.header("weir-end").is_some_and(|end| end == "true") {
            return count;
        }
        from = answer.header("weir-next").unwrap().to_owned();
    }
}
