//! A thousand requests a second that are none: each on a connection of its own, whether the others are answered or not.

use std::{sync::Arc, time::Duration};

use futures_util::future::BoxFuture;
use tokio::{io::AsyncWriteExt, task::JoinSet};

use crate::field::{Attack, Field, heed, status};

/// Requests are sent in small groups: timers are exact to the millisecond.
const GROUP: usize = 10;
const GROUP_INTERVAL: Duration = Duration::from_millis(10);

/// More than these wait for nothing: beyond, requests are left out and counted.
const WAITING_MAX: usize = 5000;

/// How long a request waits for its answer.
const ANSWER_TIME_MAX: Duration = Duration::from_secs(4);

pub(crate) fn attack() -> Attack {
    let about = "1,000 malformed requests a second, answered or not".to_owned();
    Attack { name: "malformed", about, settings: "", prepare: |_| {}, run, hindrance: None }
}

fn run(field: Field) -> BoxFuture<'static, ()> {
    Box::pin(async move {
        let requests: Arc<Vec<Request>> = Arc::new(requests());
        let mut tasks = JoinSet::new();
        let mut interval = tokio::time::interval(GROUP_INTERVAL);
        let mut number = 0;
        field.arrived(1);
        while field.goes_on() {
            interval.tick().await;
            while let Some(ended) = tasks.try_join_next() {
                heed(ended);
            }
            for _ in 0..GROUP {
                number += 1;
                if tasks.len() >= WAITING_MAX {
                    field.tally.add("left out: too many wait for an answer", 1);
                    continue;
                }
                tasks.spawn(send(field.clone(), number, Arc::clone(&requests)));
            }
        }
        field.hold(tasks).await;
    })
}

async fn send(field: Field, number: usize, requests: Arc<Vec<Request>>) {
    let Some(mut stream) = field.connect(number, field.events, None).await else { return };
    let request = &requests[number % requests.len()];
    // It may be refused before all of it was sent: the answer says so.
    let _ = stream.write_all(&request.bytes).await;
    if request.is_cut {
        let _ = stream.shutdown().await;
    }
    let status = status(&mut stream, ANSWER_TIME_MAX).await;
    let is_refused = status.is_none_or(|status| (400..500).contains(&status) || [501, 503, 505].contains(&status));
    assert!(is_refused, "{status:?}: {}", request.bytes.escape_ascii());
    field.tally.answer("requests", status);
}

struct Request {
    bytes: Vec<u8>,
    /// Whether nothing comes after these bytes, although more was announced.
    is_cut: bool,
}

impl Request {
    fn whole(bytes: impl Into<Vec<u8>>) -> Self {
        Self { bytes: bytes.into(), is_cut: false }
    }

    fn post(headers: &str, body: &[u8]) -> Self {
        Self::post_of(headers, body, body.len())
    }

    /// Announces so many bytes.
    fn post_of(headers: &str, body: &[u8], length: usize) -> Self {
        let head = format!("POST / HTTP/1.1\r\nhost: localhost\r\n{headers}content-length: {length}\r\n\r\n");
        Self { bytes: [head.as_bytes(), body].concat(), is_cut: body.len() < length }
    }
}

const STRUCTURED: &str = "content-type: application/cloudevents+json\r\n";
const BATCH: &str = "content-type: application/cloudevents-batch+json\r\n";

fn requests() -> Vec<Request> {
    let structured = |event: &[u8]| Request::post(STRUCTURED, event);
    let unknown = "{\"specversion\":\"9.9\",\"id\":\"1\",\"source\":\"/bench\",\"type\":\"job\"}";
    let deep = "[".repeat(10_000);
    vec![
        // Request lines and heads.
        Request::whole("GARBAGE\r\n\r\n"),
        Request::whole("POST /\r\nhost: localhost\r\n\r\n"),
        Request::whole("POST / HTTP/9.9\r\nhost: localhost\r\n\r\n"),
        Request::whole("POST http://[ HTTP/1.1\r\nhost: localhost\r\n\r\n"),
        Request::whole("POST / HTTP/1.1\r\nhost localhost\r\n\r\n"),
        Request::whole("POST / HTTP/1.1\r\nhost: localhost\r\ncontent-length: -5\r\n\r\n"),
        Request::whole("POST / HTTP/1.1\r\nhost: localhost\r\ncontent-length: 5\r\ncontent-length: 7\r\n\r\n12345"),
        Request::whole("POST / HTTP/1.1\r\nhost: localhost\r\ntransfer-encoding: chunked\r\n\r\nzz\r\nno chunk\r\n"),
        Request::post(&format!("x-long: {}\r\n", "x".repeat(70 * 1024)), b""),
        Request::post(&"x-many: 1\r\n".repeat(200), b""),
        Request::whole((0..=255).cycle().take(1024).collect::<Vec<u8>>()),
        // Bodies.
        structured(b"{\"specversion\":\"1.0\","),
        structured(unknown.as_bytes()),
        structured(b"{\"specversion\":\"1.0\",\"source\":\"/bench\",\"type\":\"job\"}"),
        structured(b"{\"specversion\":\"1.0\",\"id\":\"1\",\"source\":\"/bench\",\"type\":\"nobody's\"}"),
        structured(b"{\"specversion\":\"1.0\",\"id\":\"\xff\xfe\",\"source\":\"/bench\",\"type\":\"job\"}"),
        structured(format!("{{\"specversion\":\"1.0\",\"id\":\"1\",\"data\":{deep}").as_bytes()),
        structured(deep.as_bytes()),
        Request::post_of(STRUCTURED, unknown.as_bytes(), 1000),
        Request::post(BATCH, format!("[{unknown}]").as_bytes()),
    ]
}
