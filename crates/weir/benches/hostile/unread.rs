//! A thousand connections that ask for large answers, from the log and from a function, and do not read them.

use std::time::Duration;

use futures_util::future::BoxFuture;
use serde_json::json;
use tokio::{io::AsyncWriteExt, task::JoinSet};

use crate::{
    field::{Attack, Field, status},
    process::{Http, STRUCTURED, Server},
};

const CONNECTIONS: usize = 1000;

/// How much of an answer the system takes for a connection: as little as it can.
const RECEIVE_BYTES: u32 = 4096;

/// How long the client keeps an answer that it does not read: longer than the server waits for it.
const HOLD_TIME: Duration = Duration::from_secs(4);

/// How long one that was refused waits before it asks again, as the server asks it to.
const REFUSED_PAUSE: Duration = Duration::from_secs(1);

/// Shorter than by default, so that connections are given up while honest clients are measured.
const SETTINGS: &str = "[connections]\nwrite_timeout_ms = 2000\n";

/// Events that make up a page of the log as large as it may be.
const LARGE_EVENTS: usize = 32;
const LARGE_EVENT_BYTES: usize = 256 * 1024;

const PAGE: &[u8] = b"GET /v1/spaces/default/events?type=large&limit=1000 HTTP/1.1\r\nhost: localhost\r\n\r\n";
const CALL: &[u8] = b"GET /large HTTP/1.1\r\nhost: localhost\r\n\r\n";

pub(crate) fn attack() -> Attack {
    let about = "1,000 connections that do not read their answers, of 4 MiB from the log and 512 KiB from a function";
    Attack { name: "unread", about: about.to_owned(), settings: SETTINGS, prepare, run, hindrance: None }
}

fn prepare(server: &Server) {
    server.configure("eventtypes", &json!({ "name": "large" }));
    let mut http = Http::connect(server.events).unwrap();
    for number in 0..LARGE_EVENTS {
        let event = json!({
            "specversion": "1.0", "id": format!("large-{number}"), "source": "/bench/large", "type": "large",
            "data": { "text": "x".repeat(LARGE_EVENT_BYTES) },
        });
        assert_eq!(http.send("POST", "/", &[STRUCTURED], event.to_string().as_bytes()).unwrap().status, 202);
    }
    let code = "const body = 'x'.repeat(512 * 1024); export function handle() { return { statusCode: 200, body } }";
    let function = json!({ "functionId": "large", "type": "wasm", "provider": { "javascript": code } });
    server.configure("functions", &function);
    let route = json!({ "type": "sync", "eventType": "http.request", "functionId": "large", "method": "GET", "path": "/large" });
    server.configure("subscriptions", &route);
}

fn run(field: Field) -> BoxFuture<'static, ()> {
    Box::pin(async move {
        let mut tasks = JoinSet::new();
        for number in 0..CONNECTIONS {
            tasks.spawn(ask(field.clone(), number));
        }
        field.hold(tasks).await;
    })
}

async fn ask(field: Field, number: usize) {
    let (kind, address, request) =
        if number.is_multiple_of(2) { ("pages", field.config, PAGE) } else { ("calls", field.events, CALL) };
    let mut is_first = true;
    while field.goes_on() {
        let Some(mut stream) = field.connect(number, address, Some(RECEIVE_BYTES)).await else { continue };
        let asked = stream.write_all(request).await;
        if is_first {
            field.arrived(CONNECTIONS);
        }
        is_first = false;
        if asked.is_err() {
            field.tally.add("connections broken", 1);
            continue;
        }
        // The first line alone tells what the rest is.
        let status = status(&mut stream, HOLD_TIME).await;
        field.tally.answer(kind, status);
        let pause = if status == Some(200) { HOLD_TIME } else { REFUSED_PAUSE };
        tokio::time::sleep(pause).await;
    }
}
