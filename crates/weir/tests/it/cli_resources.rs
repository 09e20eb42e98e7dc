//! The commands that speak to a Configuration API, against a running server.

use std::{fs, path::Path};

use serde_json::Value;

use crate::{
    cli::{Ended, weir},
    process::Server,
    readme::application,
};

/// A server, and the commands that are sent to it.
struct Rig {
    server: Server,
    _data: tempfile::TempDir,
}

impl Rig {
    fn start() -> Self {
        let data = tempfile::tempdir().expect("a directory");
        Self { server: Server::start(data.path()), _data: data }
    }

    fn run(&self, args: &[&str]) -> Ended {
        let url = format!("http://{}", self.server.config);
        weir(&[args, &["--config-url", &url]].concat(), &[])
    }

    /// Runs a command that must end with this code; returns its JSON.
    fn json(&self, args: &[&str], code: i32) -> Value {
        let ended = self.run(&[args, &["--json"]].concat());
        assert_eq!(ended.code, Some(code), "{args:?}: {ended:?}");
        serde_json::from_str(&ended.out).expect("JSON")
    }

    /// Applies, and returns result, kind and name of each row.
    fn apply(&self, args: &[&str], code: i32) -> Vec<String> {
        let applied = self.json(&[&["apply"][..], args].concat(), code);
        let rows = applied["changes"].as_array().expect("rows");
        let word = |row: &Value, name: &str| row[name].as_str().expect("a text").to_owned();
        rows.iter().map(|row| ["result", "kind", "name"].map(|name| word(row, name)).join(" ")).collect()
    }

    fn names(&self, kind: &str, list: &str, member: &str) -> Vec<String> {
        let listed = self.json(&["get", kind], 0);
        let items = listed[list].as_array().expect("a list");
        items.iter().map(|item| item[member].as_str().expect("a name").to_owned()).collect()
    }
}

fn replace(file: &Path, from: &str, to: &str) {
    let text = fs::read_to_string(file).expect("readable");
    assert!(text.contains(from), "{from} is not in {}", file.display());
    fs::write(file, text.replace(from, to)).expect("written");
}

/// Without the function `greet` and its route.
fn shorten(manifest: &Path) {
    replace(manifest, "[[function]]\nid = \"greet\"\nsource = \"functions/greet.js\"\n", "");
    let text = fs::read_to_string(manifest).expect("readable");
    let (rest, _) = text.split_once("[[subscription]]\nroute = ").expect("a route");
    fs::write(manifest, rest).expect("written");
}

const NEW: [&str; 7] = [
    "function greet",
    "function invoice",
    "event type invoice.created",
    "event type order.placed",
    "event type order.refused",
    "subscription order.placed → invoice",
    "subscription GET /hello/:name → greet",
];

fn all(result: &str) -> Vec<String> {
    NEW.iter().map(|row| format!("{result} {row}")).collect()
}

#[test]
fn an_application_is_applied_changed_and_pruned() {
    let rig = Rig::start();
    let home = application("hello");
    let directory = home.path().to_str().expect("UTF-8");

    assert_eq!(rig.apply(&[directory, "--dry-run"], 0), all("create"));
    assert_eq!(rig.names("functions", "functions", "functionId"), Vec::<String>::new());
    let applied = rig.run(&["apply", directory]);
    assert_eq!((applied.code, applied.err.as_str()), (Some(0), ""), "{applied:?}");
    let lines: Vec<Vec<&str>> = applied.out.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(lines[0], ["result", "kind", "name", "position", "note"]);
    assert_eq!(lines[1][..3], ["created", "function", "greet"]);
    assert!(lines[1][3].parse::<u64>().is_ok(), "{applied:?}");
    assert_eq!(applied.out.lines().last(), Some("space default: 7 created"));
    assert_eq!(rig.apply(&[directory], 0), all("unchanged"));

    replace(&home.path().join("functions/greet.js"), "\"Hello\"", "\"Good morning\"");
    let mut changed = all("unchanged");
    changed[0] = "updated function greet".into();
    assert_eq!(rig.apply(&[directory], 0), changed);

    shorten(&home.path().join("weir.toml"));
    let kept = rig.run(&["apply", directory]);
    assert_eq!(kept.code, Some(0), "{kept:?}");
    assert!(kept.err.contains("the space has 2 more that the source does not name: --prune deletes them"), "{kept:?}");
    assert_eq!(rig.names("fn", "functions", "functionId"), ["greet", "invoice"]);
    let pruned = rig.json(&["apply", directory, "--prune"], 0);
    let position = |name: &str| {
        let row = pruned["changes"].as_array().expect("rows").iter().find(|row| row["name"] == name).expect("a row");
        assert_eq!(row["result"], "deleted", "{pruned}");
        row["position"].as_u64().expect("a receipt")
    };
    assert!(position("GET /hello/:name → greet") < position("greet"), "{pruned}");
    assert_eq!(rig.names("FN", "functions", "functionId"), ["invoice"]);
    assert_eq!(rig.server.terminate(), Some(0));
}

#[test]
fn a_paused_subscription_stays_paused_when_its_manifest_is_applied() {
    let rig = Rig::start();
    let home = application("hello");
    let directory = home.path().to_str().expect("UTF-8");
    assert_eq!(rig.apply(&[directory], 0), all("created"));
    let listed = rig.json(&["get", "sub"], 0);
    let items = listed["subscriptions"].as_array().expect("a list");
    let id = items.iter().find(|it| it["type"] == "async").and_then(|it| it["subscriptionId"].as_str());
    let id = id.expect("an async one");
    let paused = rig.json(&["subscription", "pause", id], 0);
    assert!(paused["result"] == "paused" && paused["position"].is_u64(), "{paused}");
    assert_eq!(rig.apply(&[directory], 0), all("unchanged"));
    let shown = rig.run(&["get", "sub"]);
    assert!(shown.out.contains("async, paused"), "{shown:?}");
    let resumed = rig.run(&["subscription", "resume", id]);
    assert!(resumed.code == Some(0) && resumed.out.starts_with("resumed subscription "), "{resumed:?}");
    let shown = rig.run(&["get", "sub"]);
    assert!(!shown.out.contains("paused"), "{shown:?}");
    let unknown = rig.run(&["subscription", "drain", "nothing"]);
    assert_eq!(unknown.code, Some(3), "{unknown:?}");
    assert!(
        unknown.err.contains("the space default has no subscription \"nothing\": `weir get subscriptions"),
        "{unknown:?}"
    );
}

#[test]
fn lists_of_many_bytes_are_read_page_by_page() {
    let rig = Rig::start();
    let home = tempfile::tempdir().expect("a directory");
    let schema = format!(r#"{{"description":"{}"}}"#, "x".repeat(250_000));
    fs::write(home.path().join("schema.json"), schema).expect("written");
    let types: Vec<String> = (10..30).map(|number| format!("parcel.n{number}")).collect();
    let declared = types.iter().map(|name| format!("[[event]]\ntype = \"{name}\"\nschema = \"schema.json\"\n"));
    fs::write(home.path().join("weir.toml"), declared.collect::<String>()).expect("written");
    let directory = home.path().to_str().expect("UTF-8");
    let rows =
        |result: &str| -> Vec<String> { types.iter().map(|name| format!("{result} event type {name}")).collect() };
    assert_eq!(rig.apply(&[directory], 0), rows("created"));
    assert_eq!(rig.names("eventtypes", "eventTypes", "name"), types);
    // What is compared is all of it.
    assert_eq!(rig.apply(&[directory], 0), rows("unchanged"));
}

#[test]
fn resources_are_shown_and_deleted_by_name() {
    let rig = Rig::start();
    let home = application("hello");
    let directory = home.path().to_str().expect("UTF-8");
    assert_eq!(rig.apply(&[directory, "--space", "shop"], 0), all("created"));

    let nothing = rig.run(&["get", "functions"]);
    assert_eq!((nothing.code, nothing.out.as_str()), (Some(0), ""));
    assert!(nothing.err.contains("the space default has no function: is it the right --space?"), "{nothing:?}");
    let unknown = rig.run(&["tail", "--type", "nonsuch", "--space", "shp"]);
    assert_eq!((unknown.code, unknown.out.as_str()), (Some(0), ""), "{unknown:?}");
    assert_eq!(unknown.err, "the space shp has no such event yet: is it the right --space and --type?\n");
    let shown = rig.run(&["get", "et", "--space", "shop"]);
    let line = shown.out.lines().find(|line| line.starts_with("order.placed ")).expect("a row");
    assert!(line.contains("/data/order") && line.contains("A customer has ordered something."), "{shown:?}");
    let function = rig.run(&["get", "fn", "greet", "--space", "shop"]);
    assert!(function.out.contains("functionId") && function.out.contains("export function handle"), "{function:?}");
    let subscriptions = rig.json(&["get", "Subscriptions", "--space", "shop"], 0);
    let subscriptions = subscriptions["subscriptions"].as_array().expect("a list");
    assert_eq!(subscriptions.len(), 2);
    let filtered = rig.json(&["get", "sub", "--space", "shop", "--metadata", "team=depot"], 0);
    assert_eq!(filtered["subscriptions"], serde_json::json!([]));

    let in_use = rig.run(&["delete", "function", "greet", "--space", "shop"]);
    assert_eq!(in_use.code, Some(2), "{in_use:?}");
    let sentence = "not deleted: function greet: Function cannot be deleted because it's subscribed to a least one \
                    event. (delete its subscriptions first)";
    assert!(in_use.err.contains(sentence), "{in_use:?}");
    assert!(in_use.err.contains("; `weir delete sub --space shop "), "{in_use:?}");
    let missing = rig.run(&["delete", "fn", "nobody", "--space", "shop"]);
    assert_eq!(missing.code, Some(3), "{missing:?}");
    let sentence =
        "not deleted: function nobody: the space shop has none: `weir get functions --space shop` shows what";
    assert!(missing.err.contains(sentence), "{missing:?}");
    let missing = rig.run(&["get", "fn", "nobody", "--space", "shop"]);
    assert_eq!(missing.code, Some(3), "{missing:?}");
    assert!(missing.err.contains("error: the space shop has no function \"nobody\""), "{missing:?}");
    let ids = subscriptions.iter().map(|it| it["subscriptionId"].as_str().expect("an identifier"));
    let ids: Vec<&str> = ids.collect();
    let deleted = rig.run(&[&["delete", "sub", "--space", "shop"][..], &ids].concat());
    assert_eq!((deleted.code, deleted.err.as_str()), (Some(0), ""), "{deleted:?}");
    assert!(deleted.out.starts_with("deleted subscription ") && deleted.out.contains(" at position "), "{deleted:?}");
    assert_eq!(rig.json(&["delete", "fn", "greet", "--space", "shop"], 0)[0]["result"], "deleted");

    let events = format!("http://{}", rig.server.events);
    let configuration = format!("http://{}", rig.server.config);
    for wrong in [
        weir(&["get", "functions", "--url", &events], &[]),
        weir(&["get", "function", "greet", "--url", &events], &[]),
        weir(&["delete", "function", "greet", "--url", &events], &[]),
        weir(&["tail", "--config-url", &events], &[]),
        weir(&["token", "list", "--config-url", &events], &[]),
        weir(&["emit", "--type", "order.placed", "--source", "/shop", "--url", &configuration], &[]),
    ] {
        assert_eq!(wrong.code, Some(2), "{wrong:?}");
        assert!(wrong.err.contains("is it the right port?"), "{wrong:?}");
    }
}

#[test]
fn what_is_refused_does_not_keep_the_rest_from_being_done() {
    let rig = Rig::start();
    let home = tempfile::tempdir().expect("a directory");
    let file = home.path().join("shop.json");
    let path = file.to_str().expect("UTF-8");
    let old = r#"{"eventTypes": [{"name": "old"}],
        "functions": [{"functionId": "partner", "type": "http",
                       "provider": {"url": "http://127.0.0.1:9", "headers": {"x-key": "secret"}}}],
        "cors": [{"method": "GET", "path": "/hello/:name"}]}"#;
    fs::write(&file, old).expect("written");
    assert_eq!(
        rig.apply(&[path], 0),
        ["created function partner", "created event type old", "created cors GET /hello/:name"]
    );
    // The server shows no secrets: what may be different is sent.
    let again = ["updated function partner", "unchanged event type old", "unchanged cors GET /hello/:name"];
    assert_eq!(rig.apply(&[path], 0), again);

    let new = r#"{"eventTypes": [{"name": "new"}],
        "subscriptions": [{"type": "async", "eventType": "new", "functionId": "nobody"}]}"#;
    fs::write(&file, new).expect("written");
    let applied = rig.run(&["apply", path, "--prune"]);
    assert_eq!(applied.code, Some(1), "{applied:?}");
    assert!(applied.err.contains("failed: subscription new → nobody: Function \"nobody\" not found."), "{applied:?}");
    let summary = applied.out.lines().last().expect("a summary");
    for part in ["1 created", "1 failed", "3 not done"] {
        assert!(summary.contains(part), "{applied:?}");
    }
    // Nothing is deleted once something was refused.
    assert_eq!(rig.names("et", "eventTypes", "name"), ["new", "old"]);

    fs::write(&file, r#"{"functions": [{"functionId": "f"}]}"#).expect("written");
    let broken = rig.run(&["apply", path]);
    assert_eq!(broken.code, Some(2), "{broken:?}");
    assert!(broken.err.contains("has one mistake\n  functions[0]: "), "{broken:?}");
    let deleted = rig.run(&["delete", "cors", "GET /hello/:name"]);
    assert_eq!(deleted.code, Some(0), "{deleted:?}");
}

#[test]
fn completions_and_pages_are_printed() {
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let script = weir(&["completions", shell], &[]);
        assert_eq!(script.code, Some(0), "{shell}");
        assert!(script.out.contains("apply") && script.out.contains("config-url"), "{shell}");
    }
    let page = weir(&["man"], &[]);
    assert!(page.code == Some(0) && page.out.contains(".SH NAME"), "{page:?}");
    let place = tempfile::tempdir().expect("a directory");
    let pages = place.path().join("man1");
    let written = weir(&["man", "--dir", pages.to_str().expect("UTF-8")], &[]);
    assert_eq!(written.code, Some(0), "{written:?}");
    for name in ["weir.1", "weir-apply.1", "weir-log-verify.1"] {
        assert!(pages.join(name).is_file(), "{name}");
    }
}
