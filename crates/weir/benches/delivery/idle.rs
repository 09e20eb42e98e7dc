//! What subscriptions that have nothing to do take from those who emit.

use std::time::Duration;

use serde_json::json;
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

/// More than of other figures: the difference that is looked for is less than that between two runs.
const ROUNDS: usize = 9;

const CONNECTIONS: usize = 64;
const TIME: Duration = Duration::from_secs(3);

/// A server with as many subscriptions, each to a type of its own of which no events come.
fn server(subscriptions: usize) -> (Server, TempDir) {
    let data = directory();
    let server = Server::start(data.path());
    let mut api = Api::of(&server);
    api.make("eventtypes", &json!({ "name": "job" }));
    // Nobody listens there, and nothing is sent there.
    api.make_function_at("never", "http://127.0.0.1:9/");
    for number in 0..subscriptions {
        let event_type = format!("quiet.{number}");
        api.make("eventtypes", &json!({ "name": event_type }));
        api.subscribe(&event_type, "never", &json!({}));
    }
    (server, data)
}

pub(crate) fn idle() {
    let servers = [server(FEW), server(MANY)];
    let template = Template::post(STRUCTURED.1, &event(KEY));
    let [mut rates, mut p99s, mut clients]: [[Figure; 2]; 3] = Default::default();
    let mut ratio = Figure::default();
    for round in 0..ROUNDS {
        let mut per_second = [0.0; 2];
        for (side, (server, _)) in servers.iter().enumerate() {
            servers.iter().for_each(|(server, _)| rest(server.pid()));
            let came = load(server.events, CONNECTIONS, TIME, "HTTP/1.1 202", round, &template);
            per_second[side] = came.per_second;
            rates[side].add(came.per_second);
            p99s[side].add(came.p99.as_secs_f64() * 1e3);
            clients[side].add(came.client);
        }
        ratio.add(per_second[1] / per_second[0]);
    }
    println!("idle        {CONNECTIONS} connections, {ROUNDS} runs of each side, always the first before the second");
    for (side, subscriptions) in [FEW, MANY].into_iter().enumerate() {
        let (rate, p99, client) = (&rates[side], &p99s[side], &clients[side]);
        println!("            {subscriptions} idle: {rate:.0} requests/s, p99 {p99:.2} ms");
        println!("              load on {client:.2} of a processor");
    }
    println!("            ratio: {ratio:.3}, {:.2}", ratio.at_least(0.95));
}
