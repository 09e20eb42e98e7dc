//! Against sockets on this machine that answer what the test says.

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};

use super::*;

const SOON: Duration = Duration::from_secs(20);

async fn listen() -> (TcpListener, Client) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let base = format!("http://{address}/").parse().expect("a URL");
    let client = Client::new(base, TlsFiles::default()).await.expect("a client");
    (listener, client)
}

/// Takes one request and answers it with these bytes; returns the request.
async fn answer(listener: &TcpListener, bytes: &str) -> String {
    let (mut socket, _) = listener.accept().await.expect("a connection");
    let mut request = Vec::new();
    let mut part = [0; 1024];
    while !request.windows(4).any(|end| end == b"\r\n\r\n") {
        let length = socket.read(&mut part).await.expect("a request");
        assert_ne!(length, 0, "the request ended early");
        request.extend_from_slice(&part[..length]);
    }
    socket.write_all(bytes.as_bytes()).await.expect("written");
    String::from_utf8(request).expect("a request in ASCII")
}

#[tokio::test]
async fn an_answer_comes_with_status_headers_and_body() {
    let (listener, client) = listen().await;
    let body = r#"{"errors":[{"message":"busy","cure":"wait"}]}"#;
    let head = "HTTP/1.1 503 Service Unavailable\r\nRetry-After: 7\r\nContent-Length:";
    let bytes = format!("{head} {}\r\n\r\n{body}", body.len());
    let headers = [("weir-space", "shop")];
    let posted = client.post("/a?b=c", &headers, Bytes::from_static(b"{}"), SOON);
    let (request, answer) = tokio::join!(answer(&listener, &bytes), posted);
    let answer = answer.expect("an answer");
    assert!(request.starts_with("POST /a?b=c HTTP/1.1\r\n") && request.contains("weir-space: shop\r\n"), "{request}");
    assert_eq!((answer.status, answer.retry_after()), (StatusCode::SERVICE_UNAVAILABLE, Some(Duration::from_secs(7))));
    assert_eq!(answer.messages(), "busy (wait)");
    let error = client.refused(&answer);
    assert_eq!(
        error.to_string(),
        format!("the server at {} answered 503 Service Unavailable: busy (wait)", client.base)
    );
    assert!(error.is_passing());
}

#[tokio::test]
async fn broken_connections_and_missing_servers_are_told_apart() {
    let (listener, client) = listen().await;
    let cut_short = answer(&listener, "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nshort");
    let (_, broken) = tokio::join!(cut_short, client.get("/", SOON));
    let broken = broken.expect_err("an error");
    assert!(matches!(broken, ClientError::Broken { .. }), "{broken}");
    drop(listener);
    let missing = client.get("/", SOON).await.expect_err("an error");
    let expected = format!(
        "no server answers at {}: start one with `weir dev`, or name another with --url (Connection refused",
        client.base
    );
    assert!(missing.to_string().starts_with(&expected), "{missing}");
}

#[tokio::test]
async fn waiting_ends() {
    let (_listener, client) = listen().await;
    let error = client.get("/", Duration::from_millis(20)).await.expect_err("an error");
    assert!(matches!(error, ClientError::Timeout { .. }), "{error}");
}

#[test]
fn base_urls() {
    let check = |text: &str, expected: Result<&str, &str>| {
        let found = text.parse::<BaseUrl>().map(|base| base.to_string());
        match expected {
            Ok(base) => assert_eq!(found.as_deref(), Ok(base), "{text}"),
            Err(start) => assert!(found.as_ref().is_err_and(|message| message.starts_with(start)), "{text}: {found:?}"),
        }
    };
    check("http://127.0.0.1:4000", Ok("http://127.0.0.1:4000"));
    check("http://localhost:4000/", Ok("http://localhost:4000"));
    check("http://[::1]:4000/behind/proxy/", Ok("http://[::1]:4000/behind/proxy"));
    check("HTTP://weir", Ok("http://weir"));
    check("https://weir:4000/", Ok("https://weir:4000"));
    check("ftp://weir", Err("a URL begins with http:// or https://"));
    check("127.0.0.1:4000", Err(""));
    check("weir", Err("a URL begins with http://"));
    check("/path", Err("a URL begins with http://"));
    check("http://user@weir", Err("a URL of a server has neither user nor query"));
    check("http://weir?x=y", Err("a URL of a server has neither user nor query"));
    check("", Err("this is no URL"));
}

#[test]
fn waits_grow_within_bounds() {
    let mut backoff = Backoff::new("a");
    let waits: Vec<_> = (0..20).map(|_| backoff.next(None)).collect();
    for (attempt, wait) in waits.iter().enumerate() {
        let whole = Duration::from_millis(100 * (1 << attempt.min(16))).min(Backoff::WAIT_MAX);
        assert!((whole / 2..=whole).contains(wait), "{attempt}: {wait:?}");
    }
    assert_eq!(backoff.attempts(), 20);
    backoff.succeeded();
    assert_eq!(backoff.next(None), waits[0]);
    assert_eq!(backoff.next(Some(Duration::from_secs(3))), Duration::from_secs(3));
    assert_eq!(backoff.next(Some(Duration::from_secs(3600))), Backoff::WAIT_MAX);
    assert_ne!(Backoff::new("b").next(None), waits[0]);
}
