//! `weir deadletter` against a running server: from a delivery that is given up to one that succeeds.

use std::time::Duration;

use serde_json::{Value, json};

use crate::{
    cli::{Ended, weir},
    process::{Server, directory},
};

const BOUND: Duration = Duration::from_secs(30);

/// Takes no prices below zero.
const TILL: &str = r#"export function handle(event) {
  if (event.data.price < 0) throw new Error(`a price of ${event.data.price}`);
  return { type: "done", subject: event.id, data: event.data };
}
"#;

/// A server with a till, which holds the key of what it does not take.
struct Rig {
    server: Server,
    _data: tempfile::TempDir,
}

impl Rig {
    fn start() -> Self {
        let data = directory();
        let server = Server::start(data.path());
        for name in ["order", "done"] {
            server.configure("eventtypes", &json!({ "name": name }));
        }
        let provider = json!({ "javascript": TILL });
        server.configure("functions", &json!({ "functionId": "till", "type": "wasm", "provider": provider }));
        let retry = json!({ "attemptsMax": 2, "backoffFirstMs": 1, "backoffMaxMs": 1 });
        let subscription = json!({
            "type": "async", "eventType": "order", "functionId": "till", "retry": retry,
            "onFailure": "hold-key",
        });
        server.configure("subscriptions", &subscription);
        Self { server, _data: data }
    }

    fn run(&self, args: &[&str]) -> Ended {
        let url = format!("http://{}", self.server.config);
        weir(&[&["deadletter"], args, &["--config-url", &url]].concat(), &[])
    }

    /// Runs a command that must end with this code; returns its JSON.
    fn json(&self, args: &[&str], code: i32) -> Value {
        let ended = self.run(&[args, &["--json"]].concat());
        assert_eq!(ended.code, Some(code), "{args:?}: {ended:?}");
        serde_json::from_str(&ended.out).expect("JSON")
    }

    fn order(&self, id: &str, key: &str, price: &str) {
        let url = format!("http://{}", self.server.events);
        let data = format!(r#"{{"price":{price},"note":"äöü"}}"#);
        let event = ["--type", "order", "--source", "/shop", "--id", id, "--subject", key, "--data", &data];
        let emitted = weir(&[&["emit"], &event[..], &["--url", &url]].concat(), &[]);
        assert_eq!(emitted.code, Some(0), "{emitted:?}");
    }

    /// Waits until as many were given up, and returns the position of the last one.
    fn given_up(&self, count: usize) -> String {
        assert_eq!(self.server.wait_for("weir.delivery.failed", count, BOUND), count);
        let all = self.server.events_of("weir.delivery.failed");
        all.last().and_then(|it| it["weirposition"].as_str()).expect("a position").to_owned()
    }

    fn done(&self, count: usize) -> Vec<String> {
        assert_eq!(self.server.wait_for("done", count, BOUND), count);
        let all = self.server.events_of("done");
        all.iter().map(|it| it["subject"].as_str().expect("a subject").to_owned()).collect()
    }
}

#[test]
fn a_letter_is_found_mended_and_delivered() {
    let rig = Rig::start();
    let nothing = rig.run(&["list"]);
    assert_eq!((nothing.code, nothing.out.as_str()), (Some(0), ""), "{nothing:?}");
    assert!(nothing.err.contains("the space default has no such dead letter: is it the right --space?"), "{nothing:?}");
    rig.order("bad", "k", "-3.50");
    rig.order("next", "k", "4");
    rig.order("other", "l", "5");
    let position = rig.given_up(1);
    assert_eq!(rig.done(1), ["other"]);

    let listed = rig.run(&["list"]);
    let lines: Vec<&str> = listed.out.lines().collect();
    assert_eq!((listed.code, lines.len()), (Some(0), 2), "{listed:?}");
    let heading: Vec<&str> = lines[0].split_whitespace().collect();
    assert_eq!(heading, ["position", "age", "subscription", "key", "attempts", "error"]);
    for part in [&position, "order → till", "k (held)", "  2  ", "a price of -3.5"] {
        assert!(lines[1].contains(part), "{part}: {listed:?}");
    }
    let shown = rig.run(&["show", &position]);
    for part in
        ["open, and holds its key", "order bad of /shop at position ", "attempt", "original", "\"price\": -3.50"]
    {
        assert!(shown.out.contains(part), "{part}: {shown:?}");
    }
    let unpatched = rig.run(&["diff", &position]);
    assert!(unpatched.code == Some(0) && unpatched.err.contains("is not patched"), "{unpatched:?}");

    let wrong = rig.run(&["patch", &position, "--set", "subject=l"]);
    assert_eq!(wrong.code, Some(2), "{wrong:?}");
    assert!(wrong.err.contains("has the key \"l\", and must keep the key \"k\""), "{wrong:?}");
    let patched = rig.run(&["patch", &position, "--set", "data.price=3.50", "--set", "data.note=null"]);
    assert!(
        patched.code == Some(0) && patched.out.starts_with(&format!("patched {position} at position ")),
        "{patched:?}"
    );
    let diff = rig.run(&["diff", &position, "--color", "never"]);
    let changed: Vec<&str> = diff.out.lines().filter(|line| line.starts_with(['+', '-'])).collect();
    assert_eq!(changed, ["-    \"note\": \"äöü\",", "-    \"price\": -3.50", "+    \"price\": 3.50"], "{diff:?}");

    let redriven = rig.run(&["redrive", &position]);
    assert!(redriven.out.starts_with(&format!("redriven {position} at position ")), "{redriven:?}");
    assert_eq!(rig.done(3)[1..], ["bad", "next"]);
    let again = rig.json(&["redrive", &position], 0);
    assert_eq!((&again[0]["result"], &again[0]["duplicate"]), (&json!("redriven"), &json!(true)));
    let late = rig.run(&["discard", &position, "1"]);
    assert_eq!(late.code, Some(3), "the first fault decides: {late:?}");
    assert!(late.err.contains("was redriven already, at position"), "{late:?}");
    assert_eq!(rig.json(&["list"], 0), json!([]));
    assert_eq!(rig.json(&["list", "--state", "redriven"], 0)[0]["event"]["id"], "bad");
    assert_eq!(rig.server.terminate(), Some(0));
}

#[test]
fn selections_are_decided_about_at_once() {
    let rig = Rig::start();
    for (number, key) in ["a", "b", "c"].iter().enumerate() {
        rig.order(&format!("bad-{number}"), key, "-1");
    }
    rig.given_up(3);
    let unsaid = rig.run(&["discard"]);
    assert_eq!(unsaid.code, Some(2), "{unsaid:?}");
    let both = rig.run(&["discard", "7", "--all"]);
    assert_eq!(both.code, Some(2), "{both:?}");
    let one = rig.run(&["discard", "--key", "b", "--reason", "it is lost"]);
    assert_eq!((one.code, one.out.as_str()), (Some(0), "discarded 1 dead letter\n"), "{one:?}");
    let rest = rig.json(&["redrive", "--all"], 0);
    assert_eq!((&rest["state"], &rest["count"], &rest["left"]), (&json!("redriven"), &json!(2), &json!(0)));
    // They fail again: of each there is a new letter.
    rig.given_up(5);
    let listed = rig.json(&["list", "--limit", "1"], 0);
    assert_eq!(listed.as_array().map(Vec::len), Some(1));
    assert!(listed[0]["redriven"].is_u64(), "{listed}");
    let all = rig.run(&["discard", "--all"]);
    assert_eq!((all.code, all.out.as_str()), (Some(0), "discarded 2 dead letters\n"), "{all:?}");
    let events = format!("http://{}", rig.server.events);
    let wrong = weir(&["deadletter", "list", "--url", &events], &[]);
    assert!(wrong.code == Some(2) && wrong.err.contains("is it the right port?"), "{wrong:?}");
}
