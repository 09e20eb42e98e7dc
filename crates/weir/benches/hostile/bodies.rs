//! Sixteen connections that send bodies of 100 MB over and over, whatever the server says: with their length and in
//! chunks, as one event and as a batch.

use std::time::{Duration, Instant};

use futures_util::future::BoxFuture;
use tokio::{
    io::{AsyncWrite, AsyncWriteExt},
    task::JoinSet,
};

use crate::field::{Attack, Field, Tally, status};

const CONNECTIONS: usize = 16;

const BODY_BYTES: usize = 100_000_000;

/// What is sent at once.
const PIECE_BYTES: usize = 64 * 1024;
const PIECES_PER_MIB: usize = 1024 * 1024 / PIECE_BYTES;

/// What a line of a gigabit a second carries, all connections together.
const LINE_BYTES_PER_SECOND: usize = 125_000_000;

/// How long a body may take: longer than any bound of the server by default but that of a body that comes slowly.
const TIME_MAX: Duration = Duration::from_secs(20);

pub(crate) fn attack() -> Attack {
    let about = "16 connections that send bodies of 100 MB over and over, over a line of 1 Gbit/s".to_owned();
    Attack { name: "bodies", about, settings: "", prepare: |_| {}, run: over_a_line, hindrance: None }
}

pub(crate) fn flood() -> Attack {
    let about = "the same as fast as this machine can, which leaves less of it to the server".to_owned();
    Attack { name: "flood", about, settings: "", prepare: |_| {}, run: at_will, hindrance: None }
}

fn over_a_line(field: Field) -> BoxFuture<'static, ()> {
    Box::pin(attack_with(field, Some(LINE_BYTES_PER_SECOND / CONNECTIONS)))
}

fn at_will(field: Field) -> BoxFuture<'static, ()> {
    Box::pin(attack_with(field, None))
}

async fn attack_with(field: Field, bytes_per_second: Option<usize>) {
    let mut tasks = JoinSet::new();
    for number in 0..CONNECTIONS {
        let body = Body::new(number, bytes_per_second);
        tasks.spawn(send_bodies(field.clone(), number, body));
    }
    field.hold(tasks).await;
}

async fn send_bodies(field: Field, number: usize, body: Body) {
    let mut is_first = true;
    while field.goes_on() {
        let Some(mut stream) = field.connect(number, field.events, None).await else { continue };
        if is_first {
            field.arrived(CONNECTIONS);
        }
        is_first = false;
        let (mut reader, mut writer) = stream.split();
        let begun = Instant::now();
        // The answer does not stop the sender: this one means harm.
        let answered = async {
            let status = status(&mut reader, TIME_MAX).await;
            field.tally.answer(body.kind, status);
            if status.is_some() {
                field.tally.most(&format!("{} answered after at most, in ms", body.kind), millis(begun));
            }
            Instant::now()
        };
        let ended = async {
            let sending = tokio::time::timeout(TIME_MAX, body.send(&mut writer, &field.tally)).await;
            if sending.is_err() {
                field.tally.add("connections that the server left open", 1);
            }
            Instant::now()
        };
        let (answered, ended) = tokio::join!(answered, ended);
        let lingered = ended.saturating_duration_since(answered).as_millis() as u64;
        field.tally.most("sent on after the answer for at most, in ms", lingered);
    }
}

fn millis(since: Instant) -> u64 {
    since.elapsed().as_millis() as u64
}

/// A body and how it is sent.
struct Body {
    kind: &'static str,
    head: String,
    /// In chunks, each piece is one.
    piece: String,
    bytes_per_second: Option<usize>,
}

impl Body {
    fn new(number: usize, bytes_per_second: Option<usize>) -> Self {
        let is_chunked = number.is_multiple_of(2);
        let media_type =
            if number % 4 < 2 { "application/cloudevents+json" } else { "application/cloudevents-batch+json" };
        let (kind, length) = if is_chunked {
            ("bodies in chunks", "transfer-encoding: chunked".to_owned())
        } else {
            ("bodies with their length", format!("content-length: {BODY_BYTES}"))
        };
        let head = format!("POST / HTTP/1.1\r\nhost: localhost\r\ncontent-type: {media_type}\r\n{length}\r\n\r\n");
        // Blanks: it could still become JSON.
        let blanks = " ".repeat(PIECE_BYTES);
        let piece = if is_chunked { format!("{PIECE_BYTES:x}\r\n{blanks}\r\n") } else { blanks };
        Self { kind, head, piece, bytes_per_second }
    }

    /// Sends until all is sent or the connection ends, which is the server's to say.
    async fn send(&self, writer: &mut (impl AsyncWrite + Unpin), tally: &Tally) {
        let begun = Instant::now();
        if writer.write_all(self.head.as_bytes()).await.is_err() {
            return;
        }
        for count in 0..BODY_BYTES.div_ceil(PIECE_BYTES) {
            if let Some(per_second) = self.bytes_per_second {
                let due = Duration::from_secs_f64((count * PIECE_BYTES) as f64 / per_second as f64);
                tokio::time::sleep_until((begun + due).into()).await;
            }
            if writer.write_all(self.piece.as_bytes()).await.is_err() {
                return;
            }
            if (count + 1).is_multiple_of(PIECES_PER_MIB) {
                tally.add("MiB sent", 1);
            }
        }
    }
}
