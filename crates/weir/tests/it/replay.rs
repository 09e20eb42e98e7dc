//! `weir replay` and `weir status` against a running server, and through its restart.

use std::{fs, path::Path, time::Instant};

use serde_json::{Value, json};

use crate::{
    cli::{Ended, weir},
    process::{BOUND, Server, directory},
};

/// A server with the type `a`, a function of its own that counts, and one at a URL that is away.
struct Rig {
    server: Server,
    data: tempfile::TempDir,
}

impl Rig {
    fn start() -> Self {
        let data = directory();
        let rig = Self { server: Server::start(&data.path().join("data")), data };
        let declared = json!({
            "eventTypes": [{ "name": "a" }, { "name": "b" }],
            "functions": [
                { "functionId": "own", "type": "builtin", "provider": { "name": "count" } },
                { "functionId": "away", "type": "http", "provider": { "url": "http://127.0.0.1:1/" } },
            ],
            "subscriptions": [
                { "type": "async", "eventType": "a", "functionId": "own" },
                { "type": "async", "eventType": "b", "functionId": "away" },
            ],
        });
        let applied = rig.run(&["apply", &rig.file("application.json", &declared.to_string())]);
        assert_eq!(applied.code, Some(0), "{applied:?}");
        rig
    }

    fn file(&self, name: &str, text: &str) -> String {
        let file = self.data.path().join(name);
        fs::write(&file, text).expect("written");
        file.to_str().expect("UTF-8").to_owned()
    }

    fn run(&self, args: &[&str]) -> Ended {
        let url = format!("http://{}", self.server.config);
        weir(&[args, &["--url", &url]].concat(), &[])
    }

    /// Runs a command that must end with this code; returns the lines of its JSON.
    fn lines(&self, args: &[&str], code: i32) -> Vec<Value> {
        let ended = self.run(&[args, &["--json"]].concat());
        assert_eq!(ended.code, Some(code), "{args:?}: {ended:?}");
        ended.out.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
    }

    fn json(&self, args: &[&str], code: i32) -> Value {
        self.lines(args, code).pop().expect("a line")
    }

    fn emit(&self, event_type: &str, count: usize) {
        let event = |number: usize| {
            let id = format!("{event_type}{number}");
            json!({ "specversion": "1.0", "id": id, "source": "/test", "type": event_type, "subject": "k" }).to_string()
        };
        let lines: Vec<String> = (0..count).map(event).collect();
        let file = self.file("events.jsonl", &lines.join("\n"));
        let url = format!("http://{}", self.server.events);
        let emitted = weir(&["emit", &file, "--url", &url], &[]);
        assert_eq!(emitted.code, Some(0), "{emitted:?}");
    }

    /// Waits until nothing waits for a function any more.
    fn settled(&self, function: &str) {
        let begun = Instant::now();
        while self.json(&["status", function], 0)["backlog"]["events"] != 0 {
            assert!(begun.elapsed() < BOUND, "something still waits for {function}");
        }
    }

    fn restarted(self) -> Self {
        let Self { server, data } = self;
        assert_eq!(server.terminate(), Some(0));
        let server = Server::start(&Path::new(data.path()).join("data"));
        Self { server, data }
    }
}

#[test]
fn history_is_delivered_once_more_and_its_end_is_known_after_a_restart() {
    let rig = Rig::start();
    rig.emit("a", 50);
    rig.settled("own");
    let plan = rig.json(&["replay", "own", "--from", "earliest", "--dry-run"], 0);
    assert_eq!((&plan["events"], &plan["effects"]), (&json!(50), &json!([])));
    let shown = rig.run(&["replay", "own", "--from", "1h", "--dry-run"]);
    assert!(shown.code == Some(0) && shown.out.contains("a → own") && shown.out.contains("50 events"), "{shown:?}");

    let lines = rig.lines(&["replay", "own", "--from", "earliest"], 0);
    let last = lines.last().expect("a line");
    assert_eq!((&last["state"], &last["delivered"], &last["givenUp"]), (&json!("finished"), &json!(50), &json!(0)));
    let id = last["replayId"].as_str().expect("an identifier").to_owned();
    assert!(lines.iter().all(|line| line["replayId"] == *id), "{lines:?}");
    let again = rig.run(&["replay", "own", "--cancel", &id]);
    assert!(again.code == Some(4) && again.err.contains("is over"), "{again:?}");

    let rig = rig.restarted();
    let known = rig.json(&["replay", "own", "--status", &id], 0);
    assert_eq!((&known["state"], &known["delivered"]), (&json!("finished"), &json!(50)));
    assert_eq!(rig.run(&["replay", "own", "--status", "nobody"]).code, Some(3));
    assert_eq!(rig.run(&["replay", "nobody", "--from", "earliest"]).code, Some(3));
    let wrong = rig.run(&["replay", "own", "--from", "yesterday"]);
    assert!(wrong.code == Some(2) && wrong.err.contains("names no place in the log"), "{wrong:?}");
    assert_eq!(rig.server.terminate(), Some(0));
}

#[test]
fn what_is_outside_is_called_only_with_a_flag_and_a_replay_can_be_left_and_cancelled() {
    let rig = Rig::start();
    // Nobody answers there: they wait, and what is done is done elsewhere.
    rig.emit("a", 60);
    rig.settled("own");
    let refused = rig.run(&["replay", "away", "--from", "earliest"]);
    assert_eq!(refused.code, Some(2), "{refused:?}");
    let named = "function away (http http://127.0.0.1:1/); add --with-effects";
    assert!(refused.out.contains("positions") && refused.err.contains(named), "{refused:?}");
    // A derivation may reach it by what comes back.
    let indirect = rig.run(&["replay", "own", "--from", "earliest", "--as", "x"]);
    assert!(indirect.code == Some(2) && indirect.err.contains("function away"), "{indirect:?}");

    let slow = ["replay", "own", "--from", "earliest", "--rate", "1", "--detach"];
    let begun = rig.json(&slow, 0);
    let id = begun["replayId"].as_str().expect("an identifier");
    let another = rig.run(&["replay", "own", "--from", "earliest"]);
    assert!(another.code == Some(4) && another.err.contains("is under way"), "{another:?}");
    let status = rig.json(&["status", "own"], 0);
    assert_eq!((&status["state"], &status["replay"]["replayId"]), (&json!("replaying"), &json!(id)));
    let cancelled = rig.json(&["replay", "own", "--cancel", id], 0);
    assert_eq!(cancelled["state"], "cancelled");

    let all = rig.json(&["status"], 0);
    assert_eq!(all["subscriptions"].as_array().map(Vec::len), Some(2));
    let table = rig.run(&["status"]);
    assert!(table.code == Some(0) && table.out.contains("listens to") && table.out.contains("away"), "{table:?}");
    assert_eq!(rig.server.terminate(), Some(0));
}
