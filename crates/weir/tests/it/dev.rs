//! What `weir dev` says of the changes that it makes, and of mistakes in the files of an application.

use std::{
    fs,
    net::TcpListener,
    sync::mpsc::{Receiver, channel},
    time::Instant,
};

use crate::{
    process::{BOUND, Http, STRUCTURED, Server},
    readme::application,
};

/// Waits for a line with this in it.
fn wait_for(lines: &Receiver<String>, part: &str) {
    while !lines.recv_timeout(BOUND).unwrap_or_else(|_| panic!("it never said {part:?}")).contains(part) {}
}

#[test]
fn mistakes_are_told_and_so_is_their_end() {
    let home = application("hello");
    let (server, lines) = Server::develop_shown(home.path());
    wait_for(&lines, "press Ctrl-C to stop");
    for (file, mistake, told) in [
        ("functions/greet.js", "export function handle( {", "function \"greet\" cannot be made ready"),
        ("weir.toml", "[[event]\n", "the application stays as it was"),
    ] {
        let file = home.path().join(file);
        let good = fs::read_to_string(&file).expect("readable");
        fs::write(&file, mistake).expect("written");
        wait_for(&lines, told);
        fs::write(&file, good).expect("written");
        wait_for(&lines, "mended: the application is what its files say");
    }
    assert_eq!(server.terminate(), Some(0));
}

/// Returns the lines until one that has this text, and that one.
fn until(lines: &Receiver<String>, text: &str) -> Vec<String> {
    let (begun, mut seen) = (Instant::now(), Vec::new());
    loop {
        let left = BOUND.saturating_sub(begun.elapsed());
        let line = lines.recv_timeout(left).unwrap_or_else(|_| panic!("no line has {text:?}: {seen:#?}"));
        let is_last = line.contains(text);
        seen.push(line);
        if is_last {
            return seen;
        }
    }
}

fn changes(lines: &[String]) -> Vec<&str> {
    let words = ["created ", "changed ", "deleted "];
    lines.iter().map(|line| line.trim()).filter(|line| words.iter().any(|word| line.starts_with(word))).collect()
}

#[test]
fn what_the_manifest_does_not_have_is_said_to_go() {
    let place = tempfile::tempdir().expect("a directory");
    let manifest = place.path().join("weir.toml");
    let text = "[[event]]\ntype = \"a\"\n[[function]]\nid = \"f\"\nurl = \"http://127.0.0.1:9\"\n";
    fs::write(&manifest, text).expect("written");
    let (server, lines) = Server::develop_shown(place.path());
    let started = until(&lines, "press Ctrl-C to stop");
    assert_eq!(changes(&started), ["created function f", "created event type a"]);

    // Somebody gives the type an authorizer and registers another one by the Configuration API.
    let mut http = Http::connect(server.config).expect("connected");
    let body = br#"{"authorizerId":"f"}"#;
    let json = [("content-type", "application/json")];
    let answer = http.send("PUT", "/v1/spaces/default/eventtypes/a", &json, body).expect("answered");
    assert_eq!(answer.status, 200);
    server.configure("eventtypes", &serde_json::json!({ "name": "by.api" }));
    fs::write(&manifest, format!("{text}[[event]]\ntype = \"b\"\n")).expect("written");
    let reloaded = until(&lines, "in force after ");
    let expected = ["changed event type a: authorizer", "created event type b", "deleted event type by.api"];
    assert_eq!(changes(&reloaded), expected);
    assert_eq!(server.terminate(), Some(0));
}

#[test]
fn what_waits_at_the_start_is_given_to_what_the_files_say_now() {
    let home = application("hello");
    let file = home.path().join("functions/invoice.js");
    fs::write(&file, "export function handle() { throw new Error('of before'); }").expect("written");
    let (server, lines) = Server::develop_shown(home.path());
    let mut http = Http::connect(server.events).expect("connected");
    let order = serde_json::json!({
        "specversion": "1.0", "id": "1", "source": "/till", "type": "order.placed", "data": { "order": "1" },
    });
    let answer = http.send("POST", "/", &[STRUCTURED], order.to_string().as_bytes()).expect("answered");
    assert_eq!(answer.status, 202);
    until(&lines, "of before");
    assert_eq!(server.terminate(), Some(0));

    fs::write(&file, "export function handle() { throw new Error('of now'); }").expect("written");
    let (server, lines) = Server::develop_shown(home.path());
    let seen = until(&lines, "of now");
    assert!(seen.iter().all(|line| !line.contains("of before")), "{seen:#?}");
    assert_eq!(changes(&seen), ["changed function invoice: source"]);
    assert_eq!(server.terminate(), Some(0));
}

#[test]
fn a_stop_says_what_it_waits_for() {
    let place = tempfile::tempdir().expect("a directory");
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    let text = format!(
        "[[event]]\ntype = \"a\"\n[[function]]\nid = \"f\"\nurl = \"{url}\"\n\
         [[subscription]]\nevent = \"a\"\nfunction = \"f\"\n"
    );
    fs::write(place.path().join("weir.toml"), text).expect("written");
    let (server, lines) = Server::develop_shown(place.path());
    let (told, accepted) = channel();
    std::thread::spawn(move || told.send(listener.accept()));
    let mut http = Http::connect(server.events).expect("connected");
    let event = br#"{"specversion":"1.0","id":"1","source":"/test","type":"a"}"#;
    assert_eq!(http.send("POST", "/", &[STRUCTURED], event).expect("answered").status, 202);
    let called = accepted.recv_timeout(BOUND).expect("the function is called").expect("accepted");
    server.signal();
    until(&lines, "stopping, 1 call in flight; Ctrl-C again ends at once");
    drop(called);
    assert_eq!(server.ended(), Some(0));
}
