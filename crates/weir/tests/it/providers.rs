//! Real events of a cloud provider, poured with `weir emit` through an example that `weir dev` runs.

use std::{collections::BTreeSet, fs, process::Command, time::Duration};

use serde_json::Value;

use crate::{
    process::Server,
    readme::{application, repository},
};

#[test]
fn real_events_go_in_once_and_summaries_come_out() {
    let file = repository().join("../shared/data/cloud-provider-events.jsonl");
    let Ok(lines) = fs::read_to_string(&file) else {
        eprintln!("skipped: {} is not there", file.display());
        return;
    };
    let events: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).expect("an event")).collect();
    let identity = |event: &Value| (event["source"].to_string(), event["id"].to_string());
    let unique: BTreeSet<_> = events.iter().map(identity).collect();

    let directory = application("providers");
    let server = Server::develop(directory.path());
    for (round, known) in [events.len() - unique.len(), events.len()].into_iter().enumerate() {
        let output = Command::new(env!("CARGO_BIN_EXE_weir"))
            .args(["emit", "--json", "--url", &format!("http://{}", server.events)])
            .arg(&file)
            .output()
            .expect("emit runs");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let summary: Value = serde_json::from_slice(&output.stdout).expect("a summary");
        assert_eq!(summary["accepted"], events.len(), "round {round}: {summary}");
        assert_eq!(summary["duplicates"], known, "round {round}: {summary}");
    }
    // Each event is there with what its producer wrote; the first of those that share an identity.
    let mut seen = BTreeSet::new();
    for event in events.iter().filter(|event| seen.insert(identity(event))) {
        let found = server.events_of(event["type"].as_str().expect("a type"));
        let kept = found.iter().find(|found| identity(found) == identity(event)).expect("it was accepted");
        for (name, value) in event.as_object().expect("an object") {
            assert_eq!(&kept[name], value, "{name}");
        }
    }
    assert_eq!(server.wait_for("object.stored", 1, Duration::from_secs(30)), 1);
    let stored = server.events_of("object.stored");
    assert!(stored[0]["causationid"].is_string(), "{}", stored[0]);
    assert_eq!(server.terminate(), Some(0));
}
