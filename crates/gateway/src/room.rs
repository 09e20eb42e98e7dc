//! Back-pressure at the door: how many requests, and how many bytes of bodies, may be in flight at once.
//!
//! Nobody queues here. Past the bounds a request is refused at once, with the time after which to repeat it: that costs
//! less than a queue whose end has given up waiting.
//!
//! Answers are counted apart from requests: clients that do not read them keep nobody from sending. An answer takes room
//! until its last byte was handed to the socket. Whoever only reads is refused where there is none; the answer to what was
//! done already is always given, and counted.

mod outgoing;

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use axum::{
    body::{Body, HttpBody},
    response::Response,
};
use tokio::sync::{Semaphore, SemaphorePermit};

use crate::{metrics::InFlight, problem::Problem};

use outgoing::{Outgoing, Taken};

/// Answers up to this size are not counted: they take less than the head of their request may.
const SMALL_ANSWER_BYTES: usize = 4 * 1024;

/// The room of one API.
pub(crate) struct Room {
    requests: Semaphore,
    bytes: Semaphore,
    requests_max: usize,
    bytes_max: usize,
    /// Bytes of answers that are not written yet.
    answers: Arc<AtomicUsize>,
}

/// The place of one request; what it takes is given back when it is dropped.
pub(crate) struct Place<'r> {
    room: &'r Room,
    _request: SemaphorePermit<'r>,
    bytes: Option<SemaphorePermit<'r>>,
}

impl Room {
    /// Makes room for this many requests with bodies of this many bytes together, and for answers of as many.
    pub(crate) fn new(requests_max: usize, bytes_max: usize) -> Self {
        let requests_max = requests_max.min(Semaphore::MAX_PERMITS);
        let bytes_max = bytes_max.min(Semaphore::MAX_PERMITS);
        let answers = Arc::default();
        let (requests, bytes) = (Semaphore::new(requests_max), Semaphore::new(bytes_max));
        Self { requests, bytes, requests_max, bytes_max, answers }
    }

    /// Returns what is in flight.
    pub(crate) fn in_flight(&self) -> InFlight {
        InFlight {
            requests: self.requests_max - self.requests.available_permits(),
            bytes: self.bytes_max - self.bytes.available_permits(),
            answer_bytes: self.answers.load(Ordering::Relaxed),
        }
    }

    /// Takes a place.
    ///
    /// # Errors
    /// Where all places are taken: 503.
    pub(crate) fn enter(&self) -> Result<Place<'_>, Problem> {
        match self.requests.try_acquire() {
            Ok(permit) => Ok(Place { room: self, _request: permit, bytes: None }),
            Err(_) => Err(Problem::unavailable("too many requests are in flight: repeat the request later")),
        }
    }
}

impl Room {
    /// Looks whether there is any room for answers, before something is done whose answer must be given.
    ///
    /// # Errors
    /// Where answers that are not written yet take all of it: 503.
    pub(crate) fn check_answers(&self) -> Result<(), Problem> {
        self.left_for_answers().map(|_| ())
    }

    /// Returns how many bytes an answer may have now.
    ///
    /// # Errors
    /// Where answers that are not written yet take all of it: 503.
    pub(crate) fn left_for_answers(&self) -> Result<usize, Problem> {
        match self.bytes_max.saturating_sub(self.answers.load(Ordering::Relaxed)) {
            0 => Err(no_room_for_answers()),
            left => Ok(left),
        }
    }

    /// Counts an answer until it is written, whether or not there is room for it.
    pub(crate) fn count_answer(&self, response: Response) -> Response {
        let Some(bytes) = counted(&response) else { return response };
        self.answers.fetch_add(bytes, Ordering::Relaxed);
        self.outgoing(response, bytes)
    }

    /// Counts an answer until it is written.
    ///
    /// # Errors
    /// Where others that are not written yet leave no room for it: 503. One that is larger than all room is given alone.
    pub(crate) fn give_answer(&self, response: Response) -> Result<Response, Problem> {
        let Some(bytes) = counted(&response) else { return Ok(response) };
        let before = self.answers.fetch_add(bytes, Ordering::Relaxed);
        if before > 0 && before.saturating_add(bytes) > self.bytes_max {
            self.answers.fetch_sub(bytes, Ordering::Relaxed);
            return Err(no_room_for_answers());
        }
        Ok(self.outgoing(response, bytes))
    }

    fn outgoing(&self, response: Response, bytes: usize) -> Response {
        let taken = Taken::new(Arc::clone(&self.answers), bytes);
        response.map(|body| Body::new(Outgoing::new(body, taken)))
    }
}

/// Returns how many bytes an answer has, unless it is not worth counting. All that are large lie in memory and know it.
fn counted(response: &Response) -> Option<usize> {
    let bytes = usize::try_from(response.body().size_hint().lower()).unwrap_or(usize::MAX);
    Some(bytes).filter(|bytes| *bytes > SMALL_ANSWER_BYTES)
}

fn no_room_for_answers() -> Problem {
    Problem::unavailable("answers that were not read yet hold too many bytes: repeat the request later")
}

impl Place<'_> {
    /// Takes room for bytes of the request's body.
    ///
    /// # Errors
    /// Where there is not enough left: 503.
    pub(crate) fn hold(&mut self, bytes: usize) -> Result<(), Problem> {
        if bytes == 0 {
            return Ok(());
        }
        let full = || Problem::unavailable("the requests in flight hold too many bytes: repeat the request later");
        let count = u32::try_from(bytes).map_err(|_| full())?;
        let permit = self.room.bytes.try_acquire_many(count).map_err(|_| full())?;
        match &mut self.bytes {
            Some(held) => held.merge(permit),
            None => self.bytes = Some(permit),
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::{future::poll_fn, pin::Pin};

    use bytes::Bytes;

    use super::*;

    fn answer(bytes: usize) -> Response {
        Response::new(Body::from(vec![7_u8; bytes]))
    }

    /// Takes a whole answer, as a socket does.
    async fn sent(response: Response) -> Bytes {
        let mut body = response.into_body();
        assert!(!body.is_end_stream());
        let frame = poll_fn(|context| Pin::new(&mut body).poll_frame(context)).await;
        assert!(body.is_end_stream());
        frame.expect("there is one").expect("it is in memory").into_data().expect("data")
    }

    #[tokio::test]
    async fn answers_take_room_until_they_are_written() {
        let room = Room::new(1, 100_000);
        let given = |bytes: usize| room.give_answer(answer(bytes)).map_err(|problem| problem.message().to_owned());
        let message = "answers that were not read yet hold too many bytes: repeat the request later";

        // Written is what the socket has let go of, in whichever parts it took it.
        let mut first = sent(given(60_000).expect("the room is empty")).await;
        let part = first.split_to(10);
        drop(first);
        assert_eq!(room.in_flight().answer_bytes, 60_000);
        assert_eq!(given(50_000).expect_err("40,000 are left"), message);
        let second = given(40_000).expect("as much is left");
        assert_eq!(room.check_answers().expect_err("the room is full").message(), message);
        assert!(given(SMALL_ANSWER_BYTES).is_ok(), "small ones take none");

        // What was done is answered, and whoever does not want the answer gives its room back.
        let third = room.count_answer(answer(50_000));
        assert_eq!(room.in_flight().answer_bytes, 150_000);
        drop((part, second, third));
        assert_eq!(room.in_flight().answer_bytes, 0);
        assert_eq!(room.left_for_answers().expect("the room is empty"), room.bytes_max);
        let largest = given(200_000).expect("the room is empty");
        assert_eq!(given(5_000).expect_err("it takes all of it"), message);
        drop(largest);
        assert_eq!(room.in_flight().answer_bytes, 0);
    }

    #[test]
    fn what_was_taken_is_given_back() {
        let room = Room::new(2, 100);
        let mut first = room.enter().expect("the room is empty");
        let second = room.enter().expect("there are two places");
        let refused = room.enter().err().expect("both places are taken");
        assert_eq!(refused.message(), "too many requests are in flight: repeat the request later");
        drop(second);

        first.hold(0).expect("nothing is always there");
        first.hold(60).expect("there are 100");
        first.hold(40).expect("there are 40 left");
        let mut third = room.enter().expect("the second has left");
        let refused = third.hold(1).expect_err("all bytes are taken");
        assert_eq!(refused.message(), "the requests in flight hold too many bytes: repeat the request later");
        drop(first);
        third.hold(100).expect("the first has left");
    }
}
