//! The door on a real socket.

use std::{net::SocketAddr, time::Duration};

use axum::{Router, routing::get};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::{mpsc, oneshot},
    task::JoinSet,
    time::timeout,
};
use weir_gateway::{Options, ServeOptions, serve};

use crate::support::{BOUND, STRUCTURED, door, event, gateway, head as answer, memory, serve_options};

#[tokio::test]
async fn connections_are_kept_and_then_finished() {
    let door = door().await;
    door.register("default", &["a"]).await;
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("an address");
    let (stop, stopped) = oneshot::channel::<()>();
    let mut tasks = JoinSet::new();
    tasks.spawn(door.gateway.clone().serve_events(listener, async move { drop(stopped.await) }));

    let mut idle = TcpStream::connect(address).await.expect("connected");
    let mut stream = TcpStream::connect(address).await.expect("connected");
    for id in ["1", "2"] {
        let body = event(id, "a", "");
        let head = format!(
            "POST / HTTP/1.1\r\nhost: weir\r\ncontent-type: {STRUCTURED}\r\ncontent-length: {}\r\n\r\n",
            body.len()
        );
        stream.write_all(format!("{head}{body}").as_bytes()).await.expect("written");
        let answer = answer(&mut stream).await;
        assert!(answer.starts_with("HTTP/1.1 202 Accepted\r\n") && answer.contains("weir-position: "), "{answer}");
    }

    // A request that has begun is finished after the stop; an idle connection is closed.
    let body = event("3", "a", "");
    let (begun, rest) = body.split_at(10);
    let head = format!(
        "POST / HTTP/1.1\r\nhost: weir\r\ncontent-type: {STRUCTURED}\r\ncontent-length: {}\r\nexpect: 100-continue\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).await.expect("written");
    let go_on = answer(&mut stream).await;
    assert!(go_on.starts_with("HTTP/1.1 100 Continue\r\n"), "{go_on}");
    stream.write_all(begun.as_bytes()).await.expect("written");
    stop.send(()).expect("it serves");
    let mut nothing = [0; 1];
    assert_eq!(timeout(BOUND, idle.read(&mut nothing)).await.expect("in time").expect("closed"), 0);
    stream.write_all(rest.as_bytes()).await.expect("written");
    let last = answer(&mut stream).await;
    assert!(last.starts_with("HTTP/1.1 202 Accepted\r\n") && last.contains("connection: close\r\n"), "{last}");
    let ended = timeout(BOUND, tasks.join_next()).await.expect("in time").expect("one task");
    ended.expect("no panic").expect("no error");
}

#[tokio::test]
async fn beyond_the_bound_connections_wait_to_be_accepted() {
    let door = gateway(memory(), Options { connections_max: 1, ..Options::default() }, |log| log).await;
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("an address");
    let mut tasks = JoinSet::new();
    tasks.spawn(door.gateway.clone().serve_events(listener, std::future::pending()));
    let request = b"GET /nothing HTTP/1.1\r\nhost: localhost\r\n\r\n";
    let mut first = TcpStream::connect(address).await.expect("connected");
    first.write_all(request).await.expect("written");
    let told = answer(&mut first).await;
    assert!(told.starts_with("HTTP/1.1 404 Not Found\r\n"), "{told}");

    // The system takes the connection and what is sent on it; the door does not yet.
    let mut second = TcpStream::connect(address).await.expect("connected");
    second.write_all(request).await.expect("written");
    let counted = async {
        let row = r#"weir_accept_pauses_total{api="events",reason="full"} 1"#;
        while !door.configure("GET", "/v1/metrics", "").await.text().lines().any(|line| line == row) {
            tokio::task::yield_now().await;
        }
    };
    timeout(BOUND, counted).await.expect("it is counted");
    let mut nothing = [0; 1];
    let early = second.try_read(&mut nothing).expect_err("it has no answer");
    assert_eq!(early.kind(), std::io::ErrorKind::WouldBlock);
    drop(first);
    let told = answer(&mut second).await;
    assert!(told.starts_with("HTTP/1.1 404 Not Found\r\n"), "{told}");
}

#[tokio::test]
async fn a_request_says_once_to_which_host_it_goes() {
    let door = door().await;
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("an address");
    let mut tasks = JoinSet::new();
    tasks.spawn(door.gateway.clone().serve_events(listener, std::future::pending()));
    let cases = [
        ("HTTP/1.1\r\nhost: localhost\r\n", "HTTP/1.1 404 "),
        ("HTTP/1.1\r\n", "HTTP/1.1 400 "),
        ("HTTP/1.1\r\nhost: localhost\r\nhost: localhost\r\n", "HTTP/1.1 400 "),
        ("HTTP/1.0\r\n", "HTTP/1.0 404 "),
        ("HTTP/1.0\r\nhost: localhost\r\nhost: localhost\r\n", "HTTP/1.0 400 "),
    ];
    for (rest, expected) in cases {
        let mut stream = TcpStream::connect(address).await.expect("connected");
        let request = format!("POST /nothing {rest}content-length: 3\r\n\r\nabc");
        stream.write_all(request.as_bytes()).await.expect("written");
        let told = answer(&mut stream).await;
        assert!(told.starts_with(expected), "{rest:?}: {told}");
    }
}

/// Sends a request whole, and only then reads the head of its answer. The end of the connection comes after it.
async fn refused(address: SocketAddr, head: &str, body: &[u8]) -> String {
    let mut stream = TcpStream::connect(address).await.expect("connected");
    let sending = async {
        stream.write_all(head.as_bytes()).await.expect("written");
        stream.write_all(body).await.expect("the body is taken, though nobody wants it");
    };
    timeout(BOUND, sending).await.expect("in time");
    let answer = answer(&mut stream).await;
    let mut rest = Vec::new();
    let end = timeout(BOUND, stream.read_to_end(&mut rest)).await.expect("in time");
    end.expect("the connection is closed, and not reset");
    answer
}

#[tokio::test]
async fn who_is_refused_early_gets_the_answer() {
    let door = door().await;
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("an address");
    let mut tasks = JoinSet::new();
    tasks.spawn(door.gateway.clone().serve_events(listener, std::future::pending()));

    let body = vec![b'x'; 17 * 1024 * 1024];
    let head = |path: &str, headers: &str| {
        format!("POST {path} HTTP/1.1\r\nhost: weir\r\n{headers}content-length: {}\r\n\r\n", body.len())
    };
    for (path, headers, status) in [
        ("/", "content-type: application/cloudevents+json\r\n", "413 Payload Too Large"),
        ("/", "content-type: application/cloudevents+avro\r\n", "415 Unsupported Media Type"),
        ("/nothing/here", "", "404 Not Found"),
        ("/spaces/no/x", "", "400 Bad Request"),
    ] {
        let answer = refused(address, &head(path, headers), &body).await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {status}\r\n")), "{answer}");
        assert!(answer.contains("connection: close\r\n") && answer.contains("application/json"), "{answer}");
    }

    // Who asks first is told at once, and never asked for the body.
    let mut stream = TcpStream::connect(address).await.expect("connected");
    let asking = head("/nothing/here", "expect: 100-continue\r\n");
    stream.write_all(asking.as_bytes()).await.expect("written");
    let told = answer(&mut stream).await;
    assert!(told.starts_with("HTTP/1.1 404 Not Found\r\n") && told.contains("connection: close\r\n"), "{told}");

    // A body that came with its head costs nobody the connection.
    let mut stream = TcpStream::connect(address).await.expect("connected");
    for _ in 0..2 {
        let request = "POST /nothing/here HTTP/1.1\r\nhost: weir\r\ncontent-length: 3\r\n\r\nabc";
        stream.write_all(request.as_bytes()).await.expect("written");
        let mut told = answer(&mut stream).await;
        assert!(told.starts_with("HTTP/1.1 404 Not Found\r\n") && !told.contains("connection: close"), "{told}");
        while !told.ends_with("}]}") {
            let mut byte = [0];
            timeout(BOUND, stream.read_exact(&mut byte)).await.expect("in time").expect("the body of the answer");
            told.push(char::from(byte[0]));
        }
    }
}

#[tokio::test]
async fn who_ends_its_side_of_a_connection_has_gone_away() {
    /// Tells when the call that holds it is given up.
    struct Call(mpsc::Sender<&'static str>);
    impl Drop for Call {
        fn drop(&mut self) {
            let _ = self.0.try_send("given up");
        }
    }

    let (told, mut seen) = mpsc::channel(8);
    let call = move || {
        let told = told.clone();
        async move {
            let _call = Call(told.clone());
            told.try_send("begun").expect("somebody listens");
            std::future::pending::<()>().await;
        }
    };
    let options = ServeOptions { header_read_timeout: Duration::from_secs(3600), ..serve_options() };
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("an address");
    let mut tasks = JoinSet::new();
    tasks.spawn(serve(listener, Router::new().route("/", get(call)), std::future::pending(), options));
    let mut next = async || timeout(BOUND, seen.recv()).await.expect("in time").expect("a call");

    for is_open_to_read in [true, false] {
        let mut stream = TcpStream::connect(address).await.expect("connected");
        stream.write_all(b"GET / HTTP/1.1\r\nhost: localhost\r\n\r\n").await.expect("written");
        assert_eq!(next().await, "begun");
        if is_open_to_read {
            // On the wire this is the same as closing it.
            stream.shutdown().await.expect("half closed");
            let mut nothing = Vec::new();
            let end = timeout(BOUND, stream.read_to_end(&mut nothing)).await.expect("in time");
            assert_eq!(end.expect("closed in order"), 0);
        } else {
            drop(stream);
        }
        assert_eq!(next().await, "given up");
    }
}

#[tokio::test]
async fn a_head_that_is_too_large_is_answered() {
    let door = door().await;
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("an address");
    let mut tasks = JoinSet::new();
    tasks.spawn(door.gateway.clone().serve_events(listener, std::future::pending()));
    let head = format!("GET / HTTP/1.1\r\nhost: weir\r\nx-large: {}\r\n\r\n", "x".repeat(256 * 1024));
    let answer = refused(address, &head, b"").await;
    assert!(answer.starts_with("HTTP/1.1 431 "), "{answer}");
}

#[tokio::test]
async fn heads_and_headers_have_the_bounds_that_are_set() {
    let options = Options { head_bytes_max: 16 * 1024, headers_max: 20, ..Options::default() };
    let door = gateway(memory(), options, |log| log).await;
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("an address");
    let mut tasks = JoinSet::new();
    tasks.spawn(door.gateway.clone().serve_events(listener, std::future::pending()));
    let head = |headers: usize, bytes: usize| {
        let headers: String = (0..headers - 3).map(|index| format!("x-{index}: a\r\n")).collect();
        let value = "x".repeat(bytes);
        format!("GET /nothing HTTP/1.1\r\nhost: weir\r\nconnection: close\r\nx-large: {value}\r\n{headers}\r\n")
    };
    for (headers, bytes, status) in [(20, 8 * 1024, "404"), (21, 1, "431"), (3, 20 * 1024, "431")] {
        let answer = refused(address, &head(headers, bytes), b"").await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{headers} {bytes}: {answer}");
    }
}

#[tokio::test]
async fn the_configuration_is_served_by_its_router() {
    let door = door().await;
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("an address");
    let (stop, stopped) = oneshot::channel::<()>();
    let mut tasks = JoinSet::new();
    tasks.spawn(door.gateway.clone().serve_configuration(listener, async move { drop(stopped.await) }));
    let mut stream = TcpStream::connect(address).await.expect("connected");
    stream.write_all(b"GET /v1/status HTTP/1.1\r\nhost: weir\r\n\r\n").await.expect("written");
    let answer = answer(&mut stream).await;
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n") && answer.contains("content-length: 0\r\n"), "{answer}");
    stop.send(()).expect("it serves");
    let ended = timeout(BOUND, tasks.join_next()).await.expect("in time").expect("one task");
    ended.expect("no panic").expect("no error");
}
