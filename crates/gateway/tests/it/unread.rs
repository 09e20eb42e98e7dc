//! Clients that do not read their answers.

use std::{net::SocketAddr, time::Duration};

use axum::{
    Router,
    body::{Body, to_bytes},
    routing::get,
};
use bytes::Bytes;
use http::Request;
use hyper::client::conn::http2::{self, SendRequest};
use hyper_util::rt::{TokioExecutor, TokioIo};
use serde_json::json;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::mpsc,
    task::JoinSet,
    time::timeout,
};
use tower::ServiceExt;
use weir_domain::Limits;
use weir_gateway::{Options, ServeOptions, serve};

use crate::support::{BATCH, BOUND, door, event, gateway, memory, serve_options};

/// More than the buffers of any socket and the windows of any client.
const LARGE_BYTES: usize = 64 * 1024 * 1024;

/// An answer that tells when nothing of it is kept any more.
struct Large {
    bytes: Vec<u8>,
    told: mpsc::Sender<()>,
}

impl AsRef<[u8]> for Large {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Drop for Large {
    fn drop(&mut self) {
        let _ = self.told.try_send(());
    }
}

/// Serves answers that are large at `/`, and small at `/small`.
async fn served(tasks: &mut JoinSet<()>) -> (SocketAddr, mpsc::Receiver<()>) {
    let (told, dropped) = mpsc::channel(8);
    let large = move || {
        let large = Large { bytes: vec![7; LARGE_BYTES], told: told.clone() };
        async move { Body::from(Bytes::from_owner(large)) }
    };
    let router = Router::new().route("/", get(large)).route("/small", get(|| async { "small" }));
    let options = ServeOptions { write_timeout: Duration::from_millis(200), ..serve_options() };
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("an address");
    tasks.spawn(async move {
        serve(listener, router, std::future::pending(), options).await.expect("it serves until the end of the test");
    });
    (address, dropped)
}

#[tokio::test]
async fn an_answer_that_nobody_reads_ends_its_connection() {
    let mut tasks = JoinSet::new();
    let (address, mut dropped) = served(&mut tasks).await;
    let mut stream = TcpStream::connect(address).await.expect("connected");
    stream.write_all(b"GET / HTTP/1.1\r\nhost: localhost\r\n\r\n").await.expect("written");
    timeout(BOUND, dropped.recv()).await.expect("it is given up in time").expect("it is told");

    // What the buffers held can still be read, and then the connection is at its end.
    let mut bytes = Vec::new();
    let _ = timeout(BOUND, stream.read_to_end(&mut bytes)).await.expect("the connection is closed");
    assert!(bytes.len() < LARGE_BYTES, "{}", bytes.len());
}

#[tokio::test]
async fn with_http2_only_the_request_ends_whose_answer_nobody_reads() {
    let mut tasks = JoinSet::new();
    let (address, mut dropped) = served(&mut tasks).await;
    let stream = TcpStream::connect(address).await.expect("connected");
    let begun = http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await;
    let (mut sender, connection): (SendRequest<Body>, _) = begun.expect("a connection of HTTP/2");
    tasks.spawn(async move { drop(connection.await) });
    let mut ask = async |path: &str| {
        let uri = format!("http://localhost{path}");
        let request = Request::get(uri).body(Body::empty()).expect("a request");
        timeout(BOUND, sender.send_request(request)).await.expect("in time").expect("an answer")
    };
    let unread = ask("/").await;
    assert_eq!(ask("/small").await.status().as_u16(), 200);
    timeout(BOUND, dropped.recv()).await.expect("it is given up in time").expect("it is told");
    assert_eq!(ask("/small").await.status().as_u16(), 200);
    drop(unread);
}

#[tokio::test]
async fn with_http2_a_request_ends_of_whose_small_answer_nothing_may_be_sent() {
    let mut tasks = JoinSet::new();
    let (address, _) = served(&mut tasks).await;
    let stream = TcpStream::connect(address).await.expect("connected");
    let mut client = http2::Builder::new(TokioExecutor::new());
    // Such a client lets the server send heads, and not a byte of a body.
    client.initial_stream_window_size(0_u32);
    let begun = client.handshake(TokioIo::new(stream)).await;
    let (mut sender, connection): (SendRequest<Body>, _) = begun.expect("a connection of HTTP/2");
    tasks.spawn(async move { drop(connection.await) });
    for _ in 0..2 {
        let request = Request::get("http://localhost/small").body(Body::empty()).expect("a request");
        let answer =
            timeout(BOUND, sender.send_request(request)).await.expect("in time").expect("the connection goes on");
        assert_eq!(answer.status().as_u16(), 200);
        let body = timeout(BOUND, to_bytes(Body::new(answer.into_body()), 64)).await;
        body.expect("it is given up in time").expect_err("it never came");
    }
}

#[tokio::test]
async fn with_http2_a_connection_ends_of_whose_small_answers_one_byte_may_be_sent() {
    let mut tasks = JoinSet::new();
    let (address, _) = served(&mut tasks).await;
    let begin = async |window_bytes: u32| {
        let stream = TcpStream::connect(address).await.expect("connected");
        let mut client = http2::Builder::new(TokioExecutor::new());
        client.initial_stream_window_size(window_bytes);
        let begun = client.handshake(TokioIo::new(stream)).await;
        let begun: (SendRequest<Body>, _) = begun.expect("a connection of HTTP/2");
        begun
    };
    let request = || Request::get("http://localhost/small").body(Body::empty()).expect("a request");
    let (mut sender, connection) = begin(1).await;
    let (mut other, beside) = begin(64 * 1024).await;
    tasks.spawn(async move { drop(beside.await) });
    let whole = timeout(BOUND, other.send_request(request())).await.expect("in time").expect("an answer");
    let asking = async {
        let unread = timeout(BOUND, sender.send_request(request())).await.expect("in time").expect("an answer");
        // The client stays, and so does what it has not read.
        std::future::pending::<()>().await;
        drop(unread);
    };
    tokio::select! {
        ended = timeout(BOUND / 2, connection) => drop(ended.expect("it is ended in time, long before it is idle")),
        () = asking => unreachable!("it never ends"),
    }
    // One that lets the whole answer come goes on, whether or not it looks at it.
    let answer = timeout(BOUND, other.send_request(request())).await.expect("in time").expect("an answer");
    assert_eq!(answer.status().as_u16(), 200);
    drop(whole);
}

#[tokio::test]
async fn an_answer_takes_room_until_it_is_read() {
    let door = door().await;
    door.register("default", &["a"]).await;
    let filler = format!(r#","data":"{}""#, "x".repeat(10_000));
    let answer = door.post(BATCH, &format!("[{}]", event("1", "a", &filler))).await;
    assert_eq!(answer.status, 202, "{}", answer.text());
    let taken = async || {
        let metrics = door.configure("GET", "/v1/metrics", "").await;
        let row = r#"weir_answer_bytes_in_flight{api="configuration"} "#;
        let taken = metrics.text().lines().find_map(|line| line.strip_prefix(row)?.parse::<usize>().ok());
        taken.expect("the metric is there")
    };
    assert_eq!(taken().await, 0);
    let request = Request::get("/v1/spaces/default/events").header("host", "localhost").body(Body::empty());
    let read = door.gateway.configuration_api().oneshot(request.expect("a request")).await.expect("an answer");
    let bytes = taken().await;
    assert!(bytes > 10_000, "{bytes}");
    drop(read);
    assert_eq!(taken().await, 0);
}

#[tokio::test]
async fn what_only_shows_something_is_refused_where_its_answer_has_no_room() {
    let limits = Limits { request_bytes_max: 30_000, event_bytes_max: 30_000, ..Limits::default() };
    let options = Options { limits, in_flight_bytes_max: 30_000, ..Options::default() };
    let door = gateway(memory(), options, |log| log).await;
    for method in ["GET", "POST"] {
        let route = json!({ "type": "sync", "eventType": "http.request", "method": method, "path": "/echo" });
        door.subscribe("default", "echo", route).await;
    }
    let ask = async |method: &str| {
        let uri = format!("/echo?x={}", "x".repeat(12_000));
        let request = Request::builder().method(method).uri(uri).body(Body::empty()).expect("a request");
        door.gateway.events_api().oneshot(request).await.expect("an answer")
    };
    let unread = [ask("GET").await, ask("GET").await];
    assert_eq!(unread.each_ref().map(|answer| answer.status().as_u16()), [201, 201]);
    // Its function is called, for there is some room; but there is not enough for what it says.
    let refused = ask("GET").await;
    assert_eq!((refused.status().as_u16(), refused.headers()["retry-after"].as_bytes()), (503, &b"1"[..]));
    // What may have done something is told.
    let told = ask("POST").await;
    assert_eq!(told.status().as_u16(), 201);
    drop((unread, told));
    assert_eq!(ask("GET").await.status().as_u16(), 201);
}
