//! The body of an answer, whose room is given back when the last of its bytes was written.

use std::{
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll, ready},
};

use axum::body::{Body, HttpBody};
use bytes::Bytes;
use hyper::body::{Frame, SizeHint};

/// Bytes that were taken; dropping it gives them back.
pub(super) struct Taken {
    room: Arc<AtomicUsize>,
    bytes: usize,
}

impl Taken {
    /// Owns bytes that were added to the room.
    pub(super) fn new(room: Arc<AtomicUsize>, bytes: usize) -> Self {
        Self { room, bytes }
    }
}

impl Drop for Taken {
    fn drop(&mut self) {
        self.room.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

/// A body with what it takes.
///
/// A connection is done with a body long before it has written it: so its data own the room as well, in whichever parts
/// and for how long they wait there for the client.
pub(super) struct Outgoing {
    body: Body,
    taken: Arc<Taken>,
}

impl Outgoing {
    pub(super) fn new(body: Body, taken: Taken) -> Self {
        Self { body, taken: Arc::new(taken) }
    }
}

/// Data with what their body takes.
struct Owned {
    data: Bytes,
    _taken: Arc<Taken>,
}

impl AsRef<[u8]> for Owned {
    fn as_ref(&self) -> &[u8] {
        &self.data
    }
}

impl HttpBody for Outgoing {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(context));
        let owned = |data: Bytes| Bytes::from_owner(Owned { data, _taken: Arc::clone(&self.taken) });
        Poll::Ready(frame.map(|frame| frame.map(|frame| frame.map_data(owned))))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
