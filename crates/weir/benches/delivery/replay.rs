//! History, delivered to functions in this process: to a subscription that begins with the oldest event, and again by a
//! replay.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::{
    api::Api,
    figure::{Figure, RUNS},
    observe::{memory, rest, until, watched},
    process::{Server, directory},
    producers::{BATCH_EVENTS, Producer, batch},
};

/// What there is of history: three hundred thousand events.
const BATCHES: u64 = 293;
const EVENTS: u64 = BATCHES * BATCH_EVENTS;
const EVENT_BYTES: usize = 200;
const KEYS: u64 = 1000;

/// No part of it takes longer.
const TIME_MAX: Duration = Duration::from_secs(60);

/// Memory does not grow with history: what a subscription reads ahead is at most half of this.
const GROWTH_MAX: f64 = 64.0;

/// What one way of delivering came to in all runs.
#[derive(Default)]
struct Way {
    rate: Figure,
    grown: Figure,
}

impl Way {
    /// Delivers all of history, and watches the memory of the server meanwhile.
    fn run<T>(&mut self, server: &Server, deliver: impl FnOnce(&mut Api) -> T) -> T {
        rest(server.pid());
        let before = memory(server.pid(), "VmRSS");
        let mut api = Api::of(server);
        let ((done, taken), most) = watched(server.pid(), || {
            let begun = Instant::now();
            let done = deliver(&mut api);
            (done, begun.elapsed())
        });
        self.rate.add(EVENTS as f64 / taken.as_secs_f64());
        self.grown.add(most - before);
        done
    }

    fn show(&self, title: &str, wanted: f64) {
        let Self { rate, grown } = self;
        println!("            {title}: {rate:.0} events/s, {:.0}", rate.at_least(wanted));
        println!("              resident memory grew by {grown:.1} MiB, {:.1}", grown.at_most(GROWTH_MAX));
    }
}

/// Makes a subscription that begins with the oldest event, and waits until it has had all; returns its identifier.
fn begin_with_the_oldest(api: &mut Api, function: &str) -> String {
    let before = api.processed("job");
    let id = api.subscribe("job", function, &json!({ "start": "earliest" }));
    let mut had = 0;
    let is_done = until(TIME_MAX, || {
        had = api.processed("job") - before;
        had >= EVENTS
    });
    assert!(is_done, "{had} of {EVENTS} events were given to a new subscription in {TIME_MAX:?}");
    id
}

/// Replays everything to a subscription, and waits for the end.
fn again(api: &mut Api, id: &str) {
    let replays = format!("subscriptions/{id}/replays");
    let made = api.make(&replays, &json!({ "from": "earliest" }));
    let replay = match &made["replayId"] {
        Value::Null => panic!("no replayId: {made}"),
        Value::String(replay) => replay.clone(),
        other => other.to_string(),
    };
    let mut shown = Value::Null;
    let is_done = until(TIME_MAX, || {
        shown = api.get(&format!("{replays}/{replay}"));
        shown["state"] != "running"
    });
    assert!(is_done && shown["state"] == "finished", "the replay is not done after {TIME_MAX:?}: {shown}");
    assert_eq!(shown["delivered"], EVENTS, "{shown}");
}

pub(crate) fn replay() {
    let data = directory();
    let server = Server::start(data.path());
    let mut api = Api::of(&server);
    api.make("eventtypes", &json!({ "name": "job" }));
    let javascript = json!({ "javascript": "export function handle() {}", "instances": "reuse" });
    api.make("functions", &json!({ "functionId": "script", "type": "wasm", "provider": javascript }));
    api.make("functions", &json!({ "functionId": "count", "type": "builtin", "provider": { "name": "count" } }));
    let mut producer = Producer::connect(server.events, batch("job", KEYS, EVENT_BYTES));
    (0..BATCHES).for_each(|number| producer.send(number));
    println!("replay      {EVENTS} events of {EVENT_BYTES} bytes, {KEYS} keys");
    for (function, title, wanted) in [("script", "JavaScript", 50_000.0), ("count", "the built-in count", 500_000.0)] {
        let [mut first, mut second]: [Way; 2] = Default::default();
        for _ in 0..RUNS {
            let id = first.run(&server, |api| begin_with_the_oldest(api, function));
            second.run(&server, |api| again(api, &id));
            Api::of(&server).unsubscribe(&id);
        }
        first.show(&format!("to {title}, from the oldest event on"), wanted);
        second.show(&format!("to {title}, by a replay"), wanted);
    }
}
