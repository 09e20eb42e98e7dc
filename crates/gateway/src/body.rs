//! Reads the body of a request within bounds of size and time.

use std::{
    fmt::Display,
    future::poll_fn,
    pin::{Pin, pin},
    task::Poll,
    time::Duration,
};

use axum::body::HttpBody;
use bytes::{Bytes, BytesMut};
use http::StatusCode;

use crate::{problem::Problem, room::Place};

/// A body of a request, as it comes from a connection or from a router.
pub(crate) trait RequestBody: HttpBody<Data = Bytes, Error: Display + Send> + Unpin + Send + 'static {}

impl<B> RequestBody for B where B: HttpBody<Data = Bytes, Error: Display + Send> + Unpin + Send + 'static {}

/// What a body may be.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds {
    /// Its size.
    pub(crate) bytes_max: usize,
    /// How long it may take from its first byte to its last.
    pub(crate) time_max: Duration,
}

/// Reads a whole body. One that comes in one piece, as small ones do, is not copied.
///
/// # Errors
/// Where the body is too large, which is told before it is read where it says its size, takes too long, or breaks off,
/// and where there is no room for it.
pub(crate) async fn read<B: RequestBody>(body: B, place: &mut Place<'_>, bounds: Bounds) -> Result<Bytes, Problem> {
    let hint = body.size_hint();
    if hint.lower() > bounds.bytes_max as u64 {
        return Err(Problem::too_large("body", hint.lower(), bounds.bytes_max));
    }
    // It is not larger than the bound, which is a usize.
    let announced = hint.exact().map(|bytes| bytes as usize);
    if announced == Some(0) {
        return Ok(Bytes::new());
    }
    let mut collected = pin!(collect(body, announced, place, bounds.bytes_max));
    // A small body came with its head: then no timer is needed, which every request would pay for.
    if let Poll::Ready(read) = poll_fn(|context| Poll::Ready(collected.as_mut().poll(context))).await {
        return read;
    }
    match tokio::time::timeout(bounds.time_max, collected).await {
        Ok(read) => read,
        Err(_) => {
            let seconds = bounds.time_max.as_secs_f64();
            let message = format!("the body did not come within {seconds} s: send it faster, or in smaller requests");
            Err(Problem::new(StatusCode::REQUEST_TIMEOUT, message))
        }
    }
}

async fn collect<B: RequestBody>(
    mut body: B,
    announced: Option<usize>,
    place: &mut Place<'_>,
    bytes_max: usize,
) -> Result<Bytes, Problem> {
    let mut first = Bytes::new();
    let mut all = BytesMut::new();
    while let Some(frame) = poll_fn(|context| Pin::new(&mut body).poll_frame(context)).await {
        let frame = frame.map_err(|error| Problem::invalid(format!("the body broke off, send it whole: {error}")))?;
        // Trailers say nothing to us.
        let Ok(chunk) = frame.into_data() else { continue };
        let length = first.len().max(all.len()) + chunk.len();
        if length > bytes_max {
            return Err(Problem::too_large("body so far", length as u64, bytes_max));
        }
        // Room is taken for what has come, not for what was announced: who announces much and sends nothing would
        // keep everybody else out.
        place.hold(chunk.len())?;
        if first.is_empty() {
            first = chunk;
        } else {
            if all.is_empty() {
                all.reserve(announced.map_or(2 * length, |announced| announced.min(4 * length)));
                all.extend_from_slice(&first);
            }
            all.extend_from_slice(&chunk);
        }
        if body.is_end_stream() {
            break;
        }
    }
    Ok(if all.is_empty() { first } else { all.freeze() })
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use axum::body::Body;
    use futures_util::stream;

    use super::*;
    use crate::room::Room;

    const BOUNDS: Bounds = Bounds { bytes_max: 8, time_max: Duration::from_secs(60) };

    fn chunks(texts: &'static [&'static str]) -> Body {
        Body::from_stream(stream::iter(
            texts.iter().map(|text| Ok::<_, Infallible>(Bytes::from_static(text.as_bytes()))),
        ))
    }

    async fn check(body: Body, bytes_max: usize, expected: Result<&str, (u16, &str)>) {
        let room = Room::new(1, bytes_max);
        let mut place = room.enter().expect("the room is empty");
        let read = read(body, &mut place, BOUNDS).await;
        let read = read.as_deref().map_err(|problem| (problem.status().as_u16(), problem.message()));
        assert_eq!(read, expected.map(str::as_bytes));
    }

    #[tokio::test]
    async fn bodies_are_read_within_their_bounds() {
        check(Body::empty(), 8, Ok("")).await;
        check(Body::from("12345678"), 8, Ok("12345678")).await;
        check(chunks(&["123", "", "45", "678"]), 8, Ok("12345678")).await;
        check(chunks(&[]), 8, Ok("")).await;
        let large = "the body in bytes is 9, over the limit of 8: send less";
        check(Body::from("123456789"), 16, Err((413, large))).await;
        let large = "the body so far in bytes is 9, over the limit of 8: send less";
        check(chunks(&["12345", "6789"]), 16, Err((413, large))).await;
        let full = "the requests in flight hold too many bytes: repeat the request later";
        check(Body::from("12345678"), 7, Err((503, full))).await;
        check(chunks(&["1234", "5678"]), 7, Err((503, full))).await;
        let broken = Body::from_stream(stream::iter([Ok(Bytes::from_static(b"1")), Err("gone")]));
        check(broken, 8, Err((400, "the body broke off, send it whole: gone"))).await;
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_that_does_not_come_is_given_up() {
        let silent = Body::from_stream(stream::poll_fn(|_| Poll::<Option<Result<Bytes, Infallible>>>::Pending));
        let message = "the body did not come within 60 s: send it faster, or in smaller requests";
        check(silent, 8, Err((408, message))).await;
    }
}
