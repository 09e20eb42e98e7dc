//! Events as a cloud provider sends them, poured with `weir emit` through an example that `weir dev` runs.

use std::{collections::BTreeSet, fs, path::Path, process::Command, time::Duration};

use serde_json::{Value, json};

use crate::{
    process::Server,
    readme::{application, repository},
};

/// What an object store tells of a new object.
const STORED: &str = "google.cloud.storage.object.v1.finalized";

/// Those that come with the example, seven lines of which two are the same event.
#[test]
fn the_events_of_the_example_go_in_once_and_summaries_come_out() {
    let directory = application("providers");
    let stored = pour(directory.path(), &directory.path().join("events.jsonl"), 6);
    assert_eq!(stored["subject"], "depot-labels/2026/p-100.pdf");
    assert_eq!(stored["time"], "2026-03-02T08:06:05.208Z");
    assert_eq!(stored["source"], "/spaces/default/functions/storage");
    let data = json!({
        "bucket": "depot-labels", "name": "2026/p-100.pdf", "contentType": "application/pdf", "bytes": 48_213,
    });
    assert_eq!(stored["data"], data);
}

/// Those that a provider has published, where they are at hand.
#[test]
fn real_events_go_in_once_and_summaries_come_out() {
    let file = repository().join("../shared/data/cloud-provider-events.jsonl");
    if !file.is_file() {
        eprintln!("skipped: {} is not there", file.display());
        return;
    }
    pour(application("providers").path(), &file, 6);
}

/// Makes an order of what an object store tells.
const IMPORT: &str = r#"export function handle(event) {
  const { name, size } = event.data;
  return { type: "order.placed", subject: name, data: { order: name, items: [{ count: 1, cents: Number(size) }] } };
}
"#;

/// The shop takes them, too, where one function more makes orders of them: what comes out is an invoice of its own.
#[test]
fn events_of_a_provider_go_through_the_shop() {
    let own = repository().join("examples/providers/events.jsonl");
    let real = repository().join("../shared/data/cloud-provider-events.jsonl");
    for file in [own, real].iter().filter(|file| file.is_file()) {
        let events = events(file);
        let types: BTreeSet<&str> = events.iter().filter_map(|event| event["type"].as_str()).collect();
        let stored = events.iter().find(|event| event["type"] == STORED).expect("one is of the object store");

        let shop = application("hello");
        let manifest = shop.path().join("weir.toml");
        let mut text = fs::read_to_string(&manifest).expect("readable");
        types.iter().for_each(|name| text.push_str(&format!("\n[[event]]\ntype = \"{name}\"\n")));
        text.push_str("\n[[function]]\nid = \"import\"\nsource = \"functions/import.js\"\n");
        text.push_str(&format!("\n[[subscription]]\nevent = \"{STORED}\"\nfunction = \"import\"\n"));
        fs::write(&manifest, text).expect("written");
        fs::write(shop.path().join("functions/import.js"), IMPORT).expect("written");

        let server = Server::develop(shop.path());
        emit(&server, file);
        assert_eq!(server.wait_for("invoice.created", 1, Duration::from_secs(30)), 1);
        let invoice = server.events_of("invoice.created").remove(0);
        let cents: u64 = stored["data"]["size"].as_str().expect("a text").parse().expect("a number");
        assert_eq!(invoice["subject"], stored["data"]["name"]);
        assert_eq!(invoice["data"], json!({ "order": stored["data"]["name"], "cents": cents }));
        // The whole way is one chain.
        assert_eq!(invoice["correlationid"], server.events_of("order.placed")[0]["correlationid"]);
        assert_eq!(server.terminate(), Some(0));
    }
}

fn events(file: &Path) -> Vec<Value> {
    let lines = fs::read_to_string(file).expect("readable");
    lines.lines().map(|line| serde_json::from_str(line).expect("an event")).collect()
}

/// Runs `weir emit` with a file, and returns its summary.
fn emit(server: &Server, file: &Path) -> Value {
    let output = Command::new(env!("CARGO_BIN_EXE_weir"))
        .args(["emit", "--json", "--url", &format!("http://{}", server.events)])
        .arg(file)
        .output()
        .expect("emit runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("a summary")
}

/// Pours a file twice through the example, checks that each of its events is there once, and returns the summary of the
/// one that the object store has sent.
fn pour(directory: &Path, file: &Path, expected: usize) -> Value {
    let events = events(file);
    let identity = |event: &Value| (event["source"].to_string(), event["id"].to_string());
    let unique: BTreeSet<_> = events.iter().map(identity).collect();
    assert_eq!(unique.len(), expected);

    let server = Server::develop(directory);
    for (round, known) in [events.len() - unique.len(), events.len()].into_iter().enumerate() {
        let summary = emit(&server, file);
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
    let stored = server.events_of("object.stored").remove(0);
    assert!(stored["causationid"].is_string(), "{stored}");
    assert_eq!(server.terminate(), Some(0));
    stored
}
