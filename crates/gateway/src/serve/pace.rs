//! The pace at which a client of HTTP/2 takes its answers.
//!
//! Such a client says for each answer how much of it may be sent. One that never says so keeps its answer in memory,
//! however lively its connection is, and no write to the socket fails. So an answer is given out in pieces, its end is not
//! told before all of them are written, and a request of whose answer nothing moves for some time is given up, alone: the
//! other requests of the connection go on. So at least a piece is taken in that time.
//!
//! A small answer is given out whole, but waits no longer than that for the first byte that may be sent of it: it takes
//! little itself, the request behind it does not. From then on only the connection has it, and nobody can take it back. A
//! client that lets one byte of it go and no more could hold as many as it may have requests, for as long as it likes: so
//! they are counted, and a connection on which one waits for too long is ended.

use std::{
    future::Future,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll, Waker, ready},
    time::Duration,
};

use axum::body::Body;
use bytes::Bytes;
use hyper::body::{Body as HttpBody, Frame, SizeHint};
use parking_lot::Mutex;
use tokio::{sync::Notify, time::timeout};

use super::deadline::TAKEN_BYTES_MIN;

/// What is given out at once.
const PIECE_BYTES: usize = TAKEN_BYTES_MIN;

/// Answers up to this size are not watched one by one once the connection has them: they take less than the head of their
/// request may.
const SMALL_BYTES: u64 = 4 * 1024;

/// How many periods are told apart in which small answers are given out.
const PERIODS: usize = 3;

tokio::task_local! {
    /// Of the request that the task answers.
    static PACE: Arc<Pace>;
}

/// What is known about the answer of one request on its way out.
struct Pace {
    /// Told of an answer, and of every piece that is given out or written.
    moved: Notify,
    pieces: Mutex<Pieces>,
    small: Arc<SmallAnswers>,
}

/// The small answers of one connection that are given out and not written yet, by the period in which they were given out.
#[derive(Default)]
pub(super) struct SmallAnswers {
    periods: AtomicUsize,
    unwritten: [AtomicUsize; PERIODS],
}

/// A small answer, until it is written or nobody wants it any more.
struct SmallAnswer {
    data: Bytes,
    period: usize,
    all: Arc<SmallAnswers>,
}

#[derive(Default)]
struct Pieces {
    unwritten: usize,
    /// Who waits until all are written.
    waiting: Option<Waker>,
}

/// One piece, until it is written or nobody wants it any more.
struct Piece {
    data: Bytes,
    pace: Arc<Pace>,
}

/// Answers a request to the end, unless nothing of the answer moves for this time.
pub(super) async fn watched(request: impl Future<Output = ()> + Send, stall_max: Duration, small: Arc<SmallAnswers>) {
    let pace = Arc::new(Pace { moved: Notify::new(), pieces: Mutex::default(), small });
    // In a box: moved into what waits for both, a request would take its room twice.
    let mut request = Box::pin(PACE.scope(Arc::clone(&pace), request));
    tokio::select! {
        biased;
        () = &mut request => {}
        () = pace.stalls(stall_max) => {
            tracing::debug!("a client of HTTP/2 does not take its answer, and the request is given up");
        }
    }
}

impl Pace {
    /// Waits until nothing has moved for this time, counted from when there is an answer.
    async fn stalls(&self, stall_max: Duration) {
        self.moved.notified().await;
        while timeout(stall_max, self.moved.notified()).await.is_ok() {}
    }

    fn give(self: &Arc<Self>, data: Bytes) -> Bytes {
        self.pieces.lock().unwritten += 1;
        self.moved.notify_one();
        Bytes::from_owner(Piece { data, pace: Arc::clone(self) })
    }

    fn poll_written(&self, context: &mut Context<'_>) -> Poll<()> {
        let mut pieces = self.pieces.lock();
        if pieces.unwritten == 0 {
            return Poll::Ready(());
        }
        pieces.waiting = Some(context.waker().clone());
        Poll::Pending
    }
}

impl SmallAnswers {
    /// Begins another period, and tells whether an answer waits that was given out more than two whole periods ago.
    pub(super) fn begin_period(&self) -> bool {
        let period = self.periods.fetch_add(1, Ordering::Relaxed) + 1;
        self.unwritten[period % PERIODS].load(Ordering::Relaxed) > 0
    }

    fn give(self: &Arc<Self>, data: Bytes) -> Bytes {
        let period = self.periods.load(Ordering::Relaxed) % PERIODS;
        self.unwritten[period].fetch_add(1, Ordering::Relaxed);
        Bytes::from_owner(SmallAnswer { data, period, all: Arc::clone(self) })
    }
}

impl AsRef<[u8]> for SmallAnswer {
    fn as_ref(&self) -> &[u8] {
        &self.data
    }
}

impl Drop for SmallAnswer {
    fn drop(&mut self) {
        self.all.unwritten[self.period].fetch_sub(1, Ordering::Relaxed);
    }
}

impl AsRef<[u8]> for Piece {
    fn as_ref(&self) -> &[u8] {
        &self.data
    }
}

impl Drop for Piece {
    fn drop(&mut self) {
        let waiting = {
            let mut pieces = self.pace.pieces.lock();
            pieces.unwritten -= 1;
            if pieces.unwritten == 0 { pieces.waiting.take() } else { None }
        };
        self.pace.moved.notify_one();
        if let Some(waiting) = waiting {
            waiting.wake();
        }
    }
}

/// The body of an answer, which goes out in pieces where it is large and its request is watched.
pub(super) struct Paced {
    /// Nothing after its end.
    body: Option<Body>,
    /// What is left of the last frame that came from it.
    rest: Bytes,
    pace: Option<Arc<Pace>>,
    is_small: bool,
}

impl Paced {
    /// To be called in the task that answers the request.
    pub(super) fn new(body: Body) -> Self {
        let is_small = body.size_hint().exact().is_some_and(|bytes| bytes <= SMALL_BYTES);
        let pace = PACE.try_with(Arc::clone).ok();
        if let Some(pace) = &pace {
            pace.moved.notify_one();
        }
        Self { body: Some(body), rest: Bytes::new(), pace, is_small }
    }

    /// Tells whether the answer goes out in pieces.
    fn is_watched(&self) -> bool {
        self.pace.is_some() && !self.is_small
    }
}

impl HttpBody for Paced {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let Self { body, rest, pace, is_small } = &mut *self;
        let Some(pace) = pace.as_ref().filter(|_| !*is_small) else {
            let Some(body) = body else { return Poll::Ready(None) };
            let frame = ready!(Pin::new(body).poll_frame(context));
            let Some(pace) = pace else { return Poll::Ready(frame) };
            let given = |frame: Frame<Bytes>| frame.map_data(|data| pace.small.give(data));
            return Poll::Ready(frame.map(|frame| frame.map(given)));
        };
        while rest.is_empty() {
            let Some(present) = body else { return pace.poll_written(context).map(|()| None) };
            match ready!(Pin::new(present).poll_frame(context)) {
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(data) => *rest = data,
                    Err(trailers) => return Poll::Ready(Some(Ok(trailers))),
                },
                Some(Err(error)) => return Poll::Ready(Some(Err(error))),
                None => *body = None,
            }
        }
        let piece = rest.split_to(rest.len().min(PIECE_BYTES));
        Poll::Ready(Some(Ok(Frame::data(pace.give(piece)))))
    }

    fn is_end_stream(&self) -> bool {
        // Of a body that is watched, the end is told by itself.
        !self.is_watched() && self.body.as_ref().is_none_or(HttpBody::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        let mut hint = self.body.as_ref().map_or_else(|| SizeHint::with_exact(0), HttpBody::size_hint);
        let rest = self.rest.len() as u64;
        if let Some(upper) = hint.upper() {
            hint.set_upper(upper + rest);
        }
        hint.set_lower(hint.lower() + rest);
        hint
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use futures_util::FutureExt;
    use tokio::time::Instant;

    use super::*;

    const STALL_MAX: Duration = Duration::from_secs(30);

    async fn next(body: &mut Paced) -> Option<Bytes> {
        let frame = poll_fn(|context| Pin::new(&mut *body).poll_frame(context)).await?;
        Some(frame.expect("a body in memory").into_data().expect("data"))
    }

    #[tokio::test(start_paused = true)]
    async fn a_watched_answer_ends_when_it_is_written() {
        let answering = async {
            let mut body = Paced::new(Body::from(vec![7_u8; PIECE_BYTES + 1]));
            assert_eq!(body.size_hint().exact(), Some(PIECE_BYTES as u64 + 1));
            let first = next(&mut body).await.expect("a piece");
            assert_eq!((first.len(), body.size_hint().exact()), (PIECE_BYTES, Some(1)));
            let last = next(&mut body).await.expect("a piece");
            assert_eq!((last.len(), body.is_end_stream()), (1, false));
            // For as long as a part of it is somewhere, it is not written.
            let part = first.slice(..1);
            drop((first, last));
            assert!(next(&mut body).now_or_never().is_none());
            let writing = async {
                tokio::time::advance(STALL_MAX / 2).await;
                drop(part);
            };
            let (end, ()) = tokio::join!(next(&mut body), writing);
            assert_eq!(end, None);
        };
        watched(answering, STALL_MAX, Arc::default()).await;
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_that_nobody_takes_is_given_up() {
        let check = async |bytes: usize| {
            let began = Instant::now();
            let answering = async {
                // To find the answer may take any time.
                tokio::time::advance(10 * STALL_MAX).await;
                let mut body = Paced::new(Body::from(vec![7_u8; bytes]));
                let _first = next(&mut body).await.expect("a piece");
                std::future::pending().await
            };
            watched(answering, STALL_MAX, Arc::default()).await;
            assert_eq!(began.elapsed().as_secs(), 11 * STALL_MAX.as_secs(), "{bytes}");
        };
        check(2 * PIECE_BYTES).await;
        // This one is given out whole, and then hyper waits for the window of the client.
        check(5).await;
    }

    #[tokio::test]
    async fn what_is_small_or_not_watched_is_given_as_it_is() {
        let mut body = Paced::new(Body::from(vec![7_u8; 2 * PIECE_BYTES]));
        assert_eq!(next(&mut body).await.map(|data| data.len()), Some(2 * PIECE_BYTES));
        assert!(body.is_end_stream());
        let small = async {
            let mut body = Paced::new(Body::from("small"));
            assert_eq!(next(&mut body).await.as_deref(), Some(&b"small"[..]));
            // Its end is told with its only frame.
            assert!(body.is_end_stream());
        };
        watched(small, STALL_MAX, Arc::default()).await;
    }

    #[tokio::test]
    async fn a_small_answer_is_overdue_until_the_last_of_it_is_written() {
        let small = Arc::new(SmallAnswers::default());
        let (give, given) = tokio::sync::oneshot::channel();
        let answering = async {
            let data = next(&mut Paced::new(Body::from("small"))).await.expect("a frame");
            give.send(data).expect("somebody waits for it");
        };
        watched(answering, STALL_MAX, Arc::clone(&small)).await;
        let mut left = given.await.expect("a frame");
        // The connection may send one byte, and has the others after the request has ended.
        drop(left.split_to(1));
        assert_eq!([small.begin_period(), small.begin_period()], [false, false]);
        // What is given out later does not count for it.
        let later = small.give(Bytes::from_static(b"later"));
        assert!(small.begin_period());
        drop(left);
        assert_eq!([small.begin_period(), small.begin_period()], [false, true]);
        drop(later);
        assert_eq!([(); PERIODS].map(|()| small.begin_period()), [false; PERIODS]);
    }
}
