//! A stream that gives up on a peer who does not read what is written to it, or hardly does.

use std::{
    future::Future,
    io,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::{Sleep, sleep},
};

/// What a client must take of its answer in the time in which it may not stall, unless less is left: who takes a byte now
/// and then would be served for ever. What HTTP/2 gives out at once is as much.
pub(super) const TAKEN_BYTES_MIN: usize = 64 * 1024;

/// A stream of which a write fails where the peer has taken less than [`TAKEN_BYTES_MIN`] of what waits for it for some time.
///
/// Who reads slowly, but faster than that, is served to the end. Reading has bounds of its own. A stream whose peer reads as
/// fast as is written costs no timer.
pub(super) struct WriteDeadline<I> {
    stream: I,
    stall_max: Duration,
    /// Set since a write waited for the peer, until it has taken enough or all.
    stalled: Option<Pin<Box<Sleep>>>,
    /// What it has taken since then.
    taken_bytes: usize,
}

impl<I> WriteDeadline<I> {
    pub(super) fn new(stream: I, stall_max: Duration) -> Self {
        Self { stream, stall_max, stalled: None, taken_bytes: 0 }
    }

    /// Lets the next write that waits have the whole time.
    fn begin_anew(&mut self) {
        self.stalled = None;
        self.taken_bytes = 0;
    }

    /// Looks at what became of a write, and fails one that waits for too long.
    fn judge(&mut self, written: Poll<io::Result<usize>>, context: &mut Context<'_>) -> Poll<io::Result<usize>> {
        if let Poll::Ready(outcome) = &written {
            self.taken_bytes += outcome.as_ref().map_or(0, |bytes| *bytes);
            if self.taken_bytes >= TAKEN_BYTES_MIN {
                self.begin_anew();
            }
            return written;
        }
        if self.stalled.is_none() {
            self.taken_bytes = 0;
        }
        let stall_max = self.stall_max;
        let stalled = self.stalled.get_or_insert_with(|| Box::pin(sleep(stall_max)));
        match stalled.as_mut().poll(context) {
            Poll::Ready(()) => {
                let message = "the client has read next to nothing of its answer for too long";
                Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, message)))
            }
            Poll::Pending => Poll::Pending,
        }
    }
}

impl<I: AsyncRead + Unpin> AsyncRead for WriteDeadline<I> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl<I: AsyncWrite + Unpin> AsyncWrite for WriteDeadline<I> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.judge(written, context)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        pieces: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(context, pieces);
        self.judge(written, context)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    // Who writes flushes when nothing is left to write: nothing waits for the peer any more, and the time until there is
    // something again is not the peer's.
    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.begin_anew();
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt, duplex},
        time::Instant,
    };

    use super::*;

    const STALL_MAX: Duration = Duration::from_secs(30);

    #[tokio::test(start_paused = true)]
    async fn who_reads_slowly_is_served_and_who_does_not_read_is_given_up() {
        let (near, mut far) = duplex(4096);
        let mut near = WriteDeadline::new(near, STALL_MAX);
        let began = Instant::now();
        let mut bytes = vec![0_u8; TAKEN_BYTES_MIN];
        let slow = async {
            for _ in 0..4 {
                tokio::time::advance(STALL_MAX - Duration::from_secs(1)).await;
                far.read_exact(&mut bytes).await.expect("written");
            }
        };
        let all = vec![7_u8; 4 * TAKEN_BYTES_MIN];
        let (written, ()) = tokio::join!(near.write_all(&all), slow);
        written.expect("there was enough progress all the time");
        assert!(began.elapsed() > 2 * STALL_MAX);
        near.flush().await.expect("nothing is left");

        let began = Instant::now();
        let error = near.write_all(&all).await.expect_err("nobody reads");
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        // A timer is exact to the millisecond.
        assert!((STALL_MAX..STALL_MAX + Duration::from_millis(10)).contains(&began.elapsed()), "{:?}", began.elapsed());
        // What reads goes on: the other half of the connection has its own bounds.
        far.write_all(b"more").await.expect("there is room");
        let mut bytes = [0; 4];
        near.read_exact(&mut bytes).await.expect("it came");
    }

    #[tokio::test(start_paused = true)]
    async fn who_reads_a_little_now_and_then_is_given_up() {
        let (near, mut far) = duplex(4096);
        let mut near = WriteDeadline::new(near, STALL_MAX);
        let began = Instant::now();
        let dripping = async {
            for _ in 0..100 {
                tokio::time::advance(STALL_MAX / 10).await;
                far.read_exact(&mut [0; 1024]).await.expect("written");
            }
        };
        let all = vec![7_u8; 4 * TAKEN_BYTES_MIN];
        let error = tokio::select! {
            written = near.write_all(&all) => written.expect_err("it is far too slow"),
            () = dripping => panic!("it is served for ever"),
        };
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        assert!((STALL_MAX..2 * STALL_MAX).contains(&began.elapsed()), "{:?}", began.elapsed());
    }

    #[tokio::test(start_paused = true)]
    async fn the_time_in_which_nothing_is_written_is_not_the_peers() {
        let (near, mut far) = duplex(4096);
        let mut near = WriteDeadline::new(near, STALL_MAX);
        for _ in 0..2 {
            let slow = async {
                tokio::time::advance(STALL_MAX - Duration::from_secs(1)).await;
                far.read_exact(&mut [0; 8192]).await.expect("written");
            };
            let (written, ()) = tokio::join!(near.write_all(&[7; 8192]), slow);
            written.expect("all of it was taken in time");
            near.flush().await.expect("nothing is left");
            tokio::time::advance(10 * STALL_MAX).await;
        }
    }
}
