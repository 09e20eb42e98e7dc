//! The access log of a server: its lines, and its file when it is moved away.

use std::{fs, path::Path, process::Command, time::Instant};

use serde_json::{Value, json};

use crate::process::{BOUND, Http, STRUCTURED, Server, directory, structured};

/// Waits until a file has as many lines, and returns them: what the thread has written is the only signal.
fn lines(path: &Path, count: usize) -> Vec<Value> {
    let begun = Instant::now();
    loop {
        let text = fs::read_to_string(path).unwrap_or_default();
        // The last line is whole where it ends.
        let whole = text.rsplit_once('\n').map_or("", |(whole, _)| whole);
        let lines: Vec<Value> = whole.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
        if lines.len() >= count {
            return lines;
        }
        assert!(begun.elapsed() < BOUND, "{count} lines did not come: {text}");
        std::thread::yield_now();
    }
}

#[test]
fn each_request_has_a_line_in_the_file_that_there_is() {
    let place = directory();
    let (settings, path) = (place.path().join("weir.toml"), place.path().join("access.log"));
    fs::write(&settings, "access_log = \"json\"\naccess_log_file = \"access.log\"\n").expect("written");
    let server = Server::start_with(&place.path().join("data"), &settings);
    server.configure("eventtypes", &json!({ "name": "order.placed" }));
    let mut http = Http::connect(server.events).expect("connected");
    let body = structured("7", "order.placed", "order/7", 1);
    let answer = http.send("POST", "/orders?key=secret", &[STRUCTURED, ("x-request-id", "mine")], &body);
    assert_eq!(answer.expect("answered").status, 202);
    // Behind those that waited for the server to be ready.
    let of_event = |lines: &[Value]| lines.iter().find(|line| line["request_id"] == "mine").cloned();
    let begun = Instant::now();
    let line = loop {
        if let Some(line) = of_event(&lines(&path, 1)) {
            break line;
        }
        assert!(begun.elapsed() < BOUND, "the line did not come");
    };
    let check = |name: &str, expected: Value| assert_eq!(line[name], expected, "{name}: {line}");
    check("api", json!("events"));
    check("method", json!("POST"));
    check("path", json!("/orders"));
    check("protocol", json!("HTTP/1.1"));
    check("status", json!(202));
    check("request_bytes", json!(body.len()));
    check("response_bytes", json!(0));
    check("space", json!("default"));
    check("event_type", json!("order.placed"));
    check("event_id", json!("7"));
    assert!(line["client"].as_str().is_some_and(|client| client.starts_with("127.0.0.1:")), "{line}");
    assert!(line["duration_us"].as_u64().is_some_and(|micros| micros > 0), "{line}");

    // As those do who rotate logs: another file takes the place of the old one.
    let old = place.path().join("access.log.1");
    fs::rename(&path, &old).expect("moved");
    let status = Command::new("kill").args(["-HUP", &server.pid().to_string()]).status().expect("kill runs");
    assert!(status.success());
    let begun = Instant::now();
    while !path.exists() {
        assert!(begun.elapsed() < BOUND, "the file is not opened again");
        std::thread::yield_now();
    }
    assert_eq!(http.send("GET", "/nowhere", &[], b"").expect("answered").status, 404);
    // What is asked for last is written before the end.
    assert_eq!(server.terminate(), Some(0));
    let last = lines(&path, 1);
    assert_eq!((&last[0]["status"], &last[0]["path"]), (&json!(404), &json!("/nowhere")));
    assert_eq!(last.len(), 1, "{last:?}");
}
