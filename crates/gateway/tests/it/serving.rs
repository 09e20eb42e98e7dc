//! The door on a real socket.

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::oneshot,
    task::JoinSet,
    time::timeout,
};

use crate::support::{BOUND, STRUCTURED, door, event};

/// Reads a head.
async fn answer(stream: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    loop {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if text.contains("\r\n\r\n") {
            return text;
        }
        let count = timeout(BOUND, stream.read_buf(&mut bytes)).await.expect("in time").expect("read");
        assert!(count > 0, "the connection was closed: {text}");
    }
}

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
    assert!(last.starts_with("HTTP/1.1 202 Accepted\r\n"), "{last}");
    let ended = timeout(BOUND, tasks.join_next()).await.expect("in time").expect("one task");
    ended.expect("no panic").expect("no error");
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
