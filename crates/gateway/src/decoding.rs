//! Decoding of large bodies: on threads that may block, so that the requests beside them are answered meanwhile.
//!
//! A batch of 16 MiB takes tens of milliseconds, in which a thread of the runtime does nothing for its other requests. What
//! is small is decoded where it is: to hand it over would take longer.

use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::Semaphore;

use crate::problem::Problem;

/// Bodies up to this size are decoded in place: a millisecond of work at most.
const IN_PLACE_BYTES_MAX: usize = 256 * 1024;

/// Decodes bodies, a bounded number of large ones at the same time.
pub(crate) struct Decoder {
    turns: Arc<Semaphore>,
}

impl Decoder {
    /// Makes a decoder for as many large bodies at once as there are processors.
    pub(crate) fn new() -> Self {
        Self::with(std::thread::available_parallelism().map_or(1, usize::from))
    }

    fn with(turns: usize) -> Self {
        Self { turns: Arc::new(Semaphore::new(turns)) }
    }

    /// Decodes a body. A large one waits for its turn; how many bytes can wait is bounded by the room for requests.
    ///
    /// # Errors
    /// Those of `decode`.
    pub(crate) async fn decode<T: Send + 'static>(
        &self,
        body: Bytes,
        decode: impl FnOnce(&Bytes) -> Result<T, Problem> + Send + 'static,
    ) -> Result<T, Problem> {
        if body.len() <= IN_PLACE_BYTES_MAX {
            return decode(&body);
        }
        let turn = Arc::clone(&self.turns).acquire_owned().await.expect("the semaphore is never closed");
        #[expect(clippy::disallowed_methods, reason = "awaited on the spot, and bounded in number and size")]
        let decoded = tokio::task::spawn_blocking(move || {
            // Here and not with the caller, who may go away before this is done.
            let _turn = turn;
            decode(&body)
        });
        decoded.await.unwrap_or_else(|error| Err(Problem::internal(&error.to_string())))
    }
}

#[cfg(test)]
mod tests {
    use std::{sync::mpsc::sync_channel, thread, time::Duration};

    use futures_util::FutureExt;
    use tokio::time::timeout;

    use super::*;

    fn body(bytes: usize) -> Bytes {
        vec![0_u8; bytes].into()
    }

    #[tokio::test]
    async fn large_bodies_are_decoded_elsewhere() {
        let decoder = Decoder::with(1);
        let place = async |bytes: usize| {
            let decoded = decoder.decode(body(bytes), move |body| Ok((thread::current().id(), body.len()))).await;
            decoded.map_err(|problem| problem.message().to_owned()).expect("decoded")
        };
        let here = thread::current().id();
        assert_eq!(place(IN_PLACE_BYTES_MAX).await, (here, IN_PLACE_BYTES_MAX));
        let (elsewhere, length) = place(IN_PLACE_BYTES_MAX + 1).await;
        assert_ne!(elsewhere, here);
        assert_eq!(length, IN_PLACE_BYTES_MAX + 1);
        let refused = decoder.decode(body(IN_PLACE_BYTES_MAX + 1), |_| Err::<(), _>(Problem::invalid("no"))).await;
        assert_eq!(refused.expect_err("it is refused").message(), "no");
    }

    #[tokio::test]
    async fn who_goes_away_keeps_the_turn_until_the_work_is_done() {
        let decoder = Decoder::with(1);
        let (go_on, held) = sync_channel::<()>(1);
        let gone = decoder.decode(body(IN_PLACE_BYTES_MAX + 1), move |_| {
            let _ = held.recv();
            Ok(())
        });
        assert!(gone.now_or_never().is_none());
        assert_eq!(decoder.turns.available_permits(), 0);
        // What is small waits for nobody.
        assert!(decoder.decode(body(1), |_| Ok(())).now_or_never().is_some());
        go_on.send(()).expect("the work goes on");
        let next = decoder.decode(body(IN_PLACE_BYTES_MAX + 1), |_| Ok(()));
        timeout(Duration::from_secs(20), next).await.expect("its turn comes").expect("decoded");
    }
}
