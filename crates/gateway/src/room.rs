//! Back-pressure at the door: how many requests, and how many bytes of bodies, may be in flight at once.
//!
//! Nobody queues here. Past the bounds a request is refused at once, with the time after which to repeat it: that costs
//! less than a queue whose end has given up waiting.

use tokio::sync::{Semaphore, SemaphorePermit};

use crate::{metrics::InFlight, problem::Problem};

/// The room of one API.
pub(crate) struct Room {
    requests: Semaphore,
    bytes: Semaphore,
    requests_max: usize,
    bytes_max: usize,
}

/// The place of one request; what it takes is given back when it is dropped.
pub(crate) struct Place<'r> {
    room: &'r Room,
    _request: SemaphorePermit<'r>,
    bytes: Option<SemaphorePermit<'r>>,
}

impl Room {
    /// Makes room for this many requests with bodies of this many bytes together.
    pub(crate) fn new(requests_max: usize, bytes_max: usize) -> Self {
        let requests_max = requests_max.min(Semaphore::MAX_PERMITS);
        let bytes_max = bytes_max.min(Semaphore::MAX_PERMITS);
        Self { requests: Semaphore::new(requests_max), bytes: Semaphore::new(bytes_max), requests_max, bytes_max }
    }

    /// Returns what is in flight.
    pub(crate) fn in_flight(&self) -> InFlight {
        InFlight {
            requests: self.requests_max - self.requests.available_permits(),
            bytes: self.bytes_max - self.bytes.available_permits(),
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
    use super::Room;

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
