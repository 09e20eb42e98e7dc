//! Ten thousand connections that were used once and keep still ever since.

use std::{io, time::Duration};

use futures_util::future::BoxFuture;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    task::JoinSet,
};

use crate::{
    field::{Attack, Field},
    template::is_complete,
};

const CONNECTIONS: usize = 10_000;

/// How many are opened at the same time: more would be lost in the queue of the listening socket.
const OPENERS: usize = 64;

/// What a server leaves of its open files for itself, see `descriptors.rs` of the program; the rest is for both APIs.
const RESERVE: u64 = 4096;

/// Connections of honest clients and of this program, with room to spare.
const OTHERS: u64 = 200;

/// How often connections are looked at.
const LOOK_INTERVAL: Duration = Duration::from_millis(500);

/// Each is asked once, so that the connection is one that is kept alive and not one that has not begun.
const EVENTS_REQUEST: &[u8] = b"OPTIONS * HTTP/1.1\r\nhost: localhost\r\n\r\n";
const CONFIG_REQUEST: &[u8] = b"GET /v1/status HTTP/1.1\r\nhost: localhost\r\n\r\n";

/// All are at the Events API where the server may have as many, else half of them at each API.
pub(crate) fn attack(files_max: u64) -> Attack {
    let api_max = files_max.saturating_sub(RESERVE) / 2;
    let needed = CONNECTIONS as u64 + OTHERS;
    let fits = needed <= api_max;
    let run: fn(Field) -> BoxFuture<'static, ()> = if fits { at_one } else { at_both };
    let whereto = if fits { "all of them to the Events API" } else { "half of them to each API" };
    let hindrance = (needed / 2 > api_max).then(|| {
        let least = needed + RESERVE;
        format!("{files_max} files may be open, and {least} are needed: raise the hard limit (ulimit -Hn)")
    });
    let about = format!("10,000 connections that keep still, {whereto}");
    Attack { name: "idle", about, settings: "", prepare: |_| {}, run, hindrance }
}

fn at_one(field: Field) -> BoxFuture<'static, ()> {
    Box::pin(hold(field, false))
}

fn at_both(field: Field) -> BoxFuture<'static, ()> {
    Box::pin(hold(field, true))
}

async fn hold(field: Field, at_both: bool) {
    let mut tasks = JoinSet::new();
    for opener in 0..OPENERS {
        let field = field.clone();
        tasks.spawn(async move {
            let mut open = Vec::new();
            for number in (opener..CONNECTIONS).step_by(OPENERS) {
                while field.goes_on() {
                    if let Some(stream) = used(&field, number, at_both && number.is_multiple_of(2)).await {
                        field.tally.add("connections opened", 1);
                        open.push(stream);
                        break;
                    }
                }
                field.arrived(CONNECTIONS);
            }
            watch(&field, open).await;
        });
    }
    field.hold(tasks).await;
}

/// Opens a connection and uses it once.
async fn used(field: &Field, number: usize, is_config: bool) -> Option<TcpStream> {
    let (address, request) = if is_config { (field.config, CONFIG_REQUEST) } else { (field.events, EVENTS_REQUEST) };
    let mut stream = field.connect(number, address, None).await?;
    let (mut answer, mut length) = ([0; 4096], 0);
    stream.write_all(request).await.ok()?;
    while !is_complete(&answer[..length]) {
        let more = stream.read(&mut answer[length..]).await.ok()?;
        if more == 0 {
            return None;
        }
        length += more;
    }
    assert!(answer.starts_with(b"HTTP/1.1 20"), "{}", String::from_utf8_lossy(&answer[..length]));
    Some(stream)
}

/// Keeps connections open, and counts those that the server closes.
async fn watch(field: &Field, mut open: Vec<TcpStream>) {
    while field.goes_on() {
        tokio::time::sleep(LOOK_INTERVAL).await;
        // One that is still open has nothing to read.
        open.retain(|stream| {
            let is_open = stream.try_read(&mut [0]).is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock);
            if !is_open {
                field.tally.add("connections closed by the server", 1);
            }
            is_open
        });
    }
}
