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
use tokio::{
    task::JoinSet,
    time::{Instant, sleep},
};
use tokio_util::sync::CancellationToken;

use super::{
    Answering, ConnectionBounds, Peer,
    http1::introduced,
    note,
    pace::{Paced, SmallAnswers, watched},
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
/// request of whose answer the client takes too little is given up; where only the connection has that answer, it ends.
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
    let ConnectionBounds { idle_max, stall_max, .. } = bounds;
    let requests = Arc::new(Mutex::new(Requests::default()));
    let small = Arc::new(SmallAnswers::default());
    let spawner = Spawner { requests: Arc::downgrade(&requests), stall_max, small: Arc::clone(&small) };
    let mut connection = pin!(builder(bounds, spawner).serve_connection(io, service));
    let mut course = Course { is_leaving: false, is_overdue: false, before: Some(0) };
    let mut idling = pin!(sleep(idle_max));
    let mut stalling = pin!(sleep(stall_max));
    loop {
        let next = tokio::select! {
            biased;
            result = connection.as_mut() => {
                requests.lock().reap();
                return result;
            }
            () = closing.cancelled(), if !course.is_leaving => Next::Leave,
            () = idling.as_mut() => {
                idling.as_mut().reset(Instant::now() + if course.is_leaving { LEAVE_TIME } else { idle_max });
                course.after_idling(requests.lock().idle_since())
            }
            () = stalling.as_mut() => {
                stalling.as_mut().reset(Instant::now() + stall_max);
                course.after_stalling(small.begin_period())
            }
        };
        match next {
            Next::GoOn => {}
            Next::Leave => {
                connection.as_mut().graceful_shutdown();
                course.is_leaving = true;
                idling.as_mut().reset(Instant::now() + LEAVE_TIME);
            }
            Next::End => return Ok(()),
        }
    }
}

fn builder(bounds: ConnectionBounds, spawner: Spawner) -> http2::Builder<Spawner> {
    let mut builder = http2::Builder::new(spawner);
    builder
        .timer(TokioTimer::new())
        .max_concurrent_streams(STREAMS_MAX)
        .max_header_list_size(u32::try_from(bounds.head_bytes_max).unwrap_or(u32::MAX))
        .max_pending_accept_reset_streams(RESETS_PENDING_MAX)
        .max_local_error_reset_streams(RESETS_OF_ERRORS_MAX)
        .keep_alive_interval(PING_INTERVAL)
        .keep_alive_timeout(PING_TIMEOUT);
    builder
}

/// What becomes of a connection.
enum Next {
    GoOn,
    /// Takes no more requests, and ends after those in flight.
    Leave,
    /// Ends at once.
    End,
}

/// How far a connection is.
struct Course {
    /// Whether it was told to go.
    is_leaving: bool,
    /// Whether it was told so because a small answer was overdue.
    is_overdue: bool,
    /// When it was idle the last time that this was looked at, as in [`Requests::idle_since`].
    before: Option<u64>,
}

impl Course {
    fn after_idling(&mut self, now: Option<u64>) -> Next {
        let is_idle = now.is_some() && now == self.before;
        self.before = now;
        if !is_idle {
            return Next::GoOn;
        }
        // It never asked for anything, or did not go when it was told to: no answer is lost.
        if self.is_leaving || now == Some(0) { Next::End } else { Next::Leave }
    }

    /// A client that takes nothing of what is small may be slow with what is large: that has as much time again.
    fn after_stalling(&mut self, is_overdue: bool) -> Next {
        if self.is_overdue {
            tracing::debug!("a client of HTTP/2 did not take a small answer, and its connection is ended");
            return Next::End;
        }
        self.is_overdue = is_overdue;
        if is_overdue && !self.is_leaving { Next::Leave } else { Next::GoOn }
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
    small: Arc<SmallAnswers>,
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
        requests.tasks.spawn(watched(future, self.stall_max, Arc::clone(&self.small)));
    }
}
