//! A thousand connections that send a byte of the head of a request every second, and a thousand that do so with its body
//! (slow-loris). Each that is cut off comes again.

use std::time::{Duration, Instant};

use futures_util::future::BoxFuture;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    task::JoinSet,
};

use crate::{
    field::{Attack, Field},
    process::STRUCTURED,
};

/// Of each kind.
const CONNECTIONS: usize = 1000;

const BYTE_INTERVAL: Duration = Duration::from_secs(1);

/// Shorter than by default, so that connections are cut off while honest clients are measured.
const SETTINGS: &str = "[connections]\nhead_timeout_ms = 2000\nbody_timeout_ms = 2000\n";

const HTTP1_HEAD: &[u8] = b"POST / HTTP/1.1\r\nhost: localhost\r\nx-slow: 0123456789\r\n";

/// What a connection of HTTP/2 begins with. Until it is whole, the server does not know what is spoken.
const HTTP2_HEAD: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

const BODY: &[u8] = b"{\"specversion\":\"1.0\",\"id\":\"slow\",\"source\":\"/bench/slow\",\"type\":\"job\"}";

pub(crate) fn attack() -> Attack {
    let about = "1,000 connections that send a byte of a head every second, and 1,000 a byte of a body".to_owned();
    Attack { name: "slow", about, settings: SETTINGS, prepare: |_| {}, run, hindrance: None }
}

fn run(field: Field) -> BoxFuture<'static, ()> {
    Box::pin(async move {
        let length = BODY.len();
        let body_head = format!(
            "POST / HTTP/1.1\r\nhost: localhost\r\ncontent-type: {}\r\ncontent-length: {length}\r\n\r\n",
            STRUCTURED.1
        );
        let mut tasks = JoinSet::new();
        for number in 0..CONNECTIONS {
            let head = if number.is_multiple_of(4) { HTTP2_HEAD } else { HTTP1_HEAD };
            tasks.spawn(send_slowly(field.clone(), number, "heads", String::new(), head));
            tasks.spawn(send_slowly(field.clone(), number, "bodies", body_head.clone(), BODY));
        }
        field.hold(tasks).await;
    })
}

/// Sends a beginning at once and the rest slowly, over and over.
async fn send_slowly(field: Field, number: usize, what: &'static str, beginning: String, rest: &'static [u8]) {
    stagger(number).await;
    let mut is_first = true;
    while field.goes_on() {
        let Some(mut stream) = field.connect(number, field.events, None).await else { continue };
        if is_first {
            field.arrived(2 * CONNECTIONS);
        }
        is_first = false;
        let opened = Instant::now();
        // Where this fails, what follows is cut off at once.
        let _ = stream.write_all(beginning.as_bytes()).await;
        drip(&mut stream, rest).await;
        field.tally.add(&format!("{what} cut off"), 1);
        let after = opened.elapsed().as_millis() as u64;
        field.tally.most(&format!("{what} cut off after at most, in ms"), after);
    }
}

/// Spreads the connections over a second: they would else send all their bytes at one instant.
async fn stagger(number: usize) {
    tokio::time::sleep(BYTE_INTERVAL * number as u32 / CONNECTIONS as u32).await;
}

/// Sends a byte every second until the server answers or closes the connection, or all are sent.
async fn drip(stream: &mut TcpStream, bytes: &[u8]) {
    let mut answer = [0; 512];
    for byte in bytes {
        if stream.write_all(std::slice::from_ref(byte)).await.is_err() {
            return;
        }
        // Whatever comes back is the end: an answer, which can only be a refusal, or the closed connection.
        if tokio::time::timeout(BYTE_INTERVAL, stream.read(&mut answer)).await.is_ok() {
            return;
        }
    }
}
