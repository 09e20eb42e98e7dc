//! HTTP/1.1 on one connection, to its end: who is refused before the body was read gets to know why. A request that does
//! not say once to which host it goes is refused here (RFC 9112, section 3.2): HTTP/2 has no such requests.
//!
//! A socket that is closed with something in it to read is reset, and a reset takes the answer from a client that is
//! still sending. Such a connection says `Connection: close`, is closed for writing only, and what still comes is read
//! and forgotten for a moment (RFC 9112, section 9.6). HTTP/2 needs none of this: there a request is given up alone.

use std::{
    convert::Infallible,
    future::poll_fn,
    pin::{Pin, pin},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, ready},
    time::Duration,
};

use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http::{
    HeaderMap, HeaderValue, Request, Version,
    header::{CONNECTION, EXPECT, HOST},
};
use hyper::{
    body::{Body, Frame, Incoming, SizeHint},
    server::conn,
    service::service_fn,
};
use hyper_util::rt::{TokioIo, TokioTimer};
use parking_lot::Mutex;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_util::sync::CancellationToken;

use super::{Answering, ConnectionBounds, Peer};
use crate::problem::Problem;

/// The least that hyper has for the head of a request.
const HEAD_BYTES_MIN: usize = 8 * 1024;
/// How many headers hyper takes where nothing is said; it has room for these without asking for memory.
const HEADERS_USUAL: usize = 100;

/// How long a client that was refused may go on sending. One that has not read its answer by then does not get it.
const LINGER_TIME: Duration = Duration::from_secs(2);
/// How much it may send in that time: twice what the body of a request has by default, so that whoever sends a little
/// too much is told so.
const LINGER_BYTES_MAX: usize = 32 * 1024 * 1024;
/// How much of it is read at once.
const LINGER_PIECE_BYTES: usize = 64 * 1024;

/// The body of a request as it comes from a connection.
pub(crate) struct Arriving {
    /// Nothing after its end.
    body: Option<Incoming>,
    /// Where it goes when it is dropped before its end. With HTTP/2 nowhere.
    connection: Option<Arc<State>>,
}

/// What a connection and its requests tell one another. There is one request at a time.
#[derive(Default)]
pub(super) struct State {
    /// The body of the present request, where it was dropped before its end.
    unread: Mutex<Option<Incoming>>,
    /// Whether the client may still be sending when the connection ends.
    is_left: AtomicBool,
    /// Whether no further request is taken.
    is_closing: AtomicBool,
}

/// Makes a request one that tells who sent it, and what becomes of its body.
pub(super) fn introduced(
    request: Request<Incoming>,
    peer: &Peer,
    connection: Option<&Arc<State>>,
) -> Request<Arriving> {
    let mut request = request.map(|body| Arriving { body: Some(body), connection: connection.cloned() });
    request.extensions_mut().insert(peer.clone());
    request
}

impl Body for Arriving {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<hyper::Result<Frame<Bytes>>>> {
        let Some(body) = &mut self.body else { return Poll::Ready(None) };
        let frame = ready!(Pin::new(body).poll_frame(context));
        if frame.is_none() {
            self.body = None;
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.as_ref().is_none_or(Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.body.as_ref().map_or_else(|| SizeHint::with_exact(0), Body::size_hint)
    }
}

impl Drop for Arriving {
    fn drop(&mut self) {
        if let (Some(body), Some(connection)) = (self.body.take(), &self.connection)
            && !body.is_end_stream()
        {
            *connection.unread.lock() = Some(body);
        }
    }
}

/// Serves a connection until it ends, is idle, or is to close and has nothing more in flight.
pub(super) async fn speak<I, S>(
    mut stream: I,
    service: S,
    peer: Peer,
    bounds: ConnectionBounds,
    closing: &CancellationToken,
) -> hyper::Result<()>
where
    I: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    S: Answering,
{
    let state = Arc::new(State::default());
    let seen = Arc::clone(&state);
    let service = service_fn(move |request: Request<Incoming>| {
        let awaits_word = request.headers().contains_key(EXPECT);
        let refused = check_host(request.version(), request.headers()).err();
        let request = introduced(request, &peer, Some(&seen));
        let (service, state) = (service.clone(), Arc::clone(&seen));
        async move {
            let mut response: Response = match refused {
                // Called in here: a future that is moved in lies there twice, and all of it is copied with each move.
                None => service.call(request).await?,
                Some(problem) => problem.into_response(),
            };
            let unread = state.unread.lock().take();
            if let Some(body) = unread
                // To read would be to ask for the body that the client has not sent yet.
                && (awaits_word || !is_at_hand(body).await)
            {
                state.is_left.store(true, Ordering::Relaxed);
            }
            if state.is_left.load(Ordering::Relaxed) || state.is_closing.load(Ordering::Relaxed) {
                response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
            }
            Ok::<_, Infallible>(response)
        }
    });
    let result = {
        let mut connection = pin!(builder(bounds).serve_connection(TokioIo::new(&mut stream), service));
        tokio::select! {
            biased;
            result = connection.as_mut() => result,
            () = closing.cancelled() => {
                state.is_closing.store(true, Ordering::Relaxed);
                connection.as_mut().graceful_shutdown();
                connection.await
            }
        }
    };
    // A head that is wrong or too large has an answer as well.
    if state.is_left.load(Ordering::Relaxed) || result.as_ref().is_err_and(hyper::Error::is_parse) {
        Box::pin(linger(&mut stream)).await;
    }
    result
}

/// Checks that a request says once to which host it goes, which those of HTTP/1.0 need not: where programs on its way took
/// different ones for it, they would not agree about whose request it is.
///
/// # Errors
/// 400.
fn check_host(version: Version, headers: &HeaderMap) -> Result<(), Problem> {
    let mut hosts = headers.get_all(HOST).iter();
    match (hosts.next(), hosts.next()) {
        (Some(_), None) => Ok(()),
        (None, _) if version < Version::HTTP_11 => Ok(()),
        (None, _) => Err(Problem::invalid("the header Host is missing: send it, as HTTP/1.1 asks for")),
        (Some(_), Some(_)) => Err(Problem::invalid("the header Host is given twice: send it once")),
    }
}

fn builder(bounds: ConnectionBounds) -> conn::http1::Builder {
    let mut builder = conn::http1::Builder::new();
    // Half-closed connections are not served, which is hyper's default: a client that closes its side while its request is
    // worked on cannot be told from one that is gone, whose call would take its place to the end for nobody. Proxies and
    // gateways see it so too.
    builder
        .timer(TokioTimer::new())
        .header_read_timeout(bounds.idle_max)
        .max_buf_size(bounds.head_bytes_max.max(HEAD_BYTES_MIN));
    if bounds.headers_max != HEADERS_USUAL {
        builder.max_headers(bounds.headers_max);
    }
    builder
}

/// Reads what has come of a body that nobody wants, and tells whether that was all of it: then the connection goes on.
async fn is_at_hand(mut body: Incoming) -> bool {
    poll_fn(|context| {
        loop {
            match Pin::new(&mut body).poll_frame(context) {
                Poll::Ready(None) => return Poll::Ready(true),
                Poll::Ready(Some(Ok(_))) if body.is_end_stream() => return Poll::Ready(true),
                Poll::Ready(Some(Ok(_))) => {}
                Poll::Ready(Some(Err(_))) | Poll::Pending => return Poll::Ready(false),
            }
        }
    })
    .await
}

/// Reads and forgets what comes on a connection that is closed for writing, until the client closes it too.
async fn linger<I: AsyncRead + Unpin>(stream: &mut I) {
    let mut buffer = vec![0; LINGER_PIECE_BYTES];
    let reading = async {
        let mut bytes = 0;
        while bytes < LINGER_BYTES_MAX {
            let mut piece = ReadBuf::new(&mut buffer);
            let read = poll_fn(|context| Pin::new(&mut *stream).poll_read(context, &mut piece)).await;
            let count = piece.filled().len();
            if read.is_err() || count == 0 {
                break;
            }
            bytes += count;
        }
    };
    if tokio::time::timeout(LINGER_TIME, reading).await.is_err() {
        tracing::debug!("a client that was refused did not close its connection in time");
    }
}
