//! HTTP/2 on one connection, with a bound to everything that a client may ask for there.
//!
//! The requests of such a connection are worked on at the same time, each by a task of its own. The tasks belong to the
//! connection: they end when it does, as a request of HTTP/1.1 does, and as long as there are any it is not idle.

use std::{
    convert::Infallible,
    future::Future,
    pin::pin,
    sync::{Arc, Weak},
    time::Duration,
};

use http::Request;
use hyper::{
    body::Incoming,
    rt::{Executor, Read, Write},
    server::conn::http2,
    service::service_fn,
};
use hyper_util::rt::TokioTimer;
use parking_lot::Mutex;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::{
    Answering, ConnectionBounds, Peer,
    http1::introduced,
    note,
    pace::{Paced, watched},
};

/// Requests at the same time.
const STREAMS_MAX: u32 = 256;
/// Requests that the client has taken back before they were looked at; beyond, the connection is closed. This and the
/// next one are against clients who make work by requests that they do not want answered (CVE-2023-44487).
const RESETS_PENDING_MAX: usize = 20;
/// Requests that were broken off because they were wrong; beyond, the connection is closed.
const RESETS_OF_ERRORS_MAX: usize = 256;
/// How long nothing may come from a client before it is asked whether it is still there.
const PING_INTERVAL: Duration = Duration::from_secs(20);
/// How long it may take to answer that.
const PING_TIMEOUT: Duration = Duration::from_secs(20);
/// How long a client that has nothing in flight may take to go after it was told to.
const LEAVE_TIME: Duration = Duration::from_secs(5);

/// Serves a connection until it ends, is idle for as long as it may, or is to close and has nothing more in flight. A
/// request of whose answer the client takes nothing for too long is given up.
pub(super) async fn speak<I, S>(
    io: I,
    service: S,
    peer: Peer,
    bounds: ConnectionBounds,
    closing: &CancellationToken,
) -> hyper::Result<()>
where
    I: Read + Write + Unpin + Send + 'static,
    S: Answering,
{
    let service = service_fn(move |request: Request<Incoming>| {
        let answering = service.call(introduced(request, &peer, None));
        async move { Ok::<_, Infallible>(answering.await?.map(Paced::new)) }
    });
    let ConnectionBounds { idle_max, stall_max, head_bytes_max, .. } = bounds;
    let requests = Arc::new(Mutex::new(Requests::default()));
    let connection = http2::Builder::new(Spawner { requests: Arc::downgrade(&requests), stall_max })
        .timer(TokioTimer::new())
        .max_concurrent_streams(STREAMS_MAX)
        .max_header_list_size(u32::try_from(head_bytes_max).unwrap_or(u32::MAX))
        .max_pending_accept_reset_streams(RESETS_PENDING_MAX)
        .max_local_error_reset_streams(RESETS_OF_ERRORS_MAX)
        .keep_alive_interval(PING_INTERVAL)
        .keep_alive_timeout(PING_TIMEOUT)
        .serve_connection(io, service);
    let mut connection = pin!(connection);
    let mut is_leaving = false;
    let mut before = Some(0);
    loop {
        tokio::select! {
            biased;
            result = connection.as_mut() => {
                requests.lock().reap();
                return result;
            }
            () = closing.cancelled(), if !is_leaving => {
                connection.as_mut().graceful_shutdown();
                is_leaving = true;
            }
            () = tokio::time::sleep(if is_leaving { LEAVE_TIME } else { idle_max }) => {
                let now = requests.lock().idle_since();
                let is_idle = now.is_some() && now == before;
                before = now;
                if is_idle && (is_leaving || now == Some(0)) {
                    // It never asked for anything, or did not go when it was told to: no answer is lost.
                    return Ok(());
                }
                if is_idle {
                    connection.as_mut().graceful_shutdown();
                    is_leaving = true;
                }
            }
        }
    }
}

/// The requests of a connection.
#[derive(Default)]
struct Requests {
    tasks: JoinSet<()>,
    /// How many there have been.
    count: u64,
}

impl Requests {
    /// Drops what is left of those that have ended.
    fn reap(&mut self) {
        while let Some(ended) = self.tasks.try_join_next() {
            note(ended);
        }
    }

    /// Tells after how many requests the connection has become idle; nothing where some are in flight.
    ///
    /// A connection for which this is the same twice was idle in between.
    fn idle_since(&mut self) -> Option<u64> {
        self.reap();
        self.tasks.is_empty().then_some(self.count)
    }
}

/// Starts the tasks that hyper asks for.
///
/// It does not hold them: tasks hold this, and would keep one another alive.
#[derive(Clone)]
struct Spawner {
    requests: Weak<Mutex<Requests>>,
    stall_max: Duration,
}

impl<F> Executor<F> for Spawner
where
    F: Future<Output = ()> + Send + 'static,
{
    fn execute(&self, future: F) {
        // Without its connection there is nobody to answer.
        let Some(requests) = self.requests.upgrade() else { return };
        let mut requests = requests.lock();
        requests.reap();
        requests.count += 1;
        requests.tasks.spawn(watched(future, self.stall_max));
    }
}
