//! What subscriptions that have nothing to do take from those who emit.

use std::time::Duration;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::{
    api::Api,
    figure::Figure,
    load::load,
    observe::rest,
    process::{STRUCTURED, Server, directory},
    template::{KEY, Template, event},
};

const FEW: usize = 1;
const MANY: usize = 500;
/// Subscriptions to the type of the events whose filters take none of them.
const FILTERED: usize = 10_000;

/// More than of other figures: the difference that is looked for is less than that between two runs.
const ROUNDS: usize = 9;

const CONNECTIONS: usize = 64;
const TIME: Duration = Duration::from_secs(3);

/// A server on which nothing is delivered.
struct Side {
    name: String,
    server: Server,
    _data: TempDir,
}

impl Side {
    fn new(name: String, subscribe: impl FnOnce(&mut Api)) -> Self {
        let data = directory();
        let server = Server::start(data.path());
        let mut api = Api::of(&server);
        api.make("eventtypes", &json!({ "name": "job" }));
        // Nobody listens there, and nothing is sent there.
        api.make_function_at("never", "http://127.0.0.1:9/");
        subscribe(&mut api);
        Self { name, server, _data: data }
    }

    /// With as many subscriptions, each to a type of its own of which no events come.
    fn quiet(subscriptions: usize) -> Self {
        Self::new(format!("{subscriptions} idle"), |api| {
            for number in 0..subscriptions {
                let event_type = format!("quiet.{number}");
                api.make("eventtypes", &json!({ "name": event_type }));
                api.subscribe(&event_type, "never", &json!({}));
            }
        })
    }

    /// With as many subscriptions to the type that comes, each with a filter of its own.
    fn filtered(subscriptions: usize) -> Self {
        Self::new(format!("{subscriptions} filtered"), |api| {
            for number in 0..subscriptions {
                api.subscribe("job", "never", &json!({ "filter": filter(number) }));
            }
        })
    }
}

/// Filters of every kind, none of which takes an event of the load.
fn filter(number: usize) -> Value {
    match number % 10 {
        0..4 => json!({ "exact": { "subject": format!("order/{number}") } }),
        4..6 => json!({ "prefix": { "subject": format!("order/{number}/") } }),
        6..8 => json!({ "sql": format!("subject = 'order/{number}' AND source LIKE '/bench%' AND EXISTS time") }),
        _ => json!({ "pattern": { "data": { "number": [format!("order-{number}")], "text": [{ "prefix": "x" }] } } }),
    }
}

pub(crate) fn idle() {
    compare("idle", [Side::quiet(FEW), Side::quiet(MANY)]);
}

pub(crate) fn filtered() {
    compare("filtered", [Side::filtered(0), Side::filtered(FILTERED)]);
}

fn compare(part: &str, sides: [Side; 2]) {
    let template = Template::post(STRUCTURED.1, &event(KEY));
    let [mut rates, mut p99s, mut clients]: [[Figure; 2]; 3] = Default::default();
    let mut ratio = Figure::default();
    for round in 0..ROUNDS {
        let mut per_second = [0.0; 2];
        for (index, side) in sides.iter().enumerate() {
            sides.iter().for_each(|side| rest(side.server.pid()));
            let came = load(side.server.events, CONNECTIONS, TIME, "HTTP/1.1 202", round, &template);
            per_second[index] = came.per_second;
            rates[index].add(came.per_second);
            p99s[index].add(came.p99.as_secs_f64() * 1e3);
            clients[index].add(came.client);
        }
        ratio.add(per_second[1] / per_second[0]);
    }
    println!("{part:<11} {CONNECTIONS} connections, {ROUNDS} runs of each side, always the first before the second");
    for (index, side) in sides.iter().enumerate() {
        let (rate, p99, client) = (&rates[index], &p99s[index], &clients[index]);
        println!("            {}: {rate:.0} requests/s, p99 {p99:.2} ms", side.name);
        println!("              load on {client:.2} of a processor");
    }
    println!("            ratio: {ratio:.3}, {:.2}", ratio.at_least(0.95));
}
