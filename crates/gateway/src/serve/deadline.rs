//! A stream that gives up on a peer who does not read what is written to it.

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

/// A stream of which a write fails where the peer has taken nothing at all for some time.
///
/// It is the time without any progress that counts: who reads slowly is served to the end. Reading has bounds of its own.
/// A stream whose peer reads as fast as is written costs no timer.
pub(super) struct WriteDeadline<I> {
    stream: I,
    stall_max: Duration,
    /// Set while a write waits for the peer.
    stalled: Option<Pin<Box<Sleep>>>,
}

impl<I> WriteDeadline<I> {
    pub(super) fn new(stream: I, stall_max: Duration) -> Self {
        Self { stream, stall_max, stalled: None }
    }

    /// Looks at what became of a write, and fails one that waits for too long.
    fn judge(&mut self, written: Poll<io::Result<usize>>, context: &mut Context<'_>) -> Poll<io::Result<usize>> {
        if written.is_ready() {
            self.stalled = None;
            return written;
        }
        let stall_max = self.stall_max;
        let stalled = self.stalled.get_or_insert_with(|| Box::pin(sleep(stall_max)));
        match stalled.as_mut().poll(context) {
            Poll::Ready(()) => {
                let message = "the client has not read anything of its answer for too long";
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

    // A socket has nothing to flush: that this is done says nothing about the peer.
    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
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
        let (near, mut far) = duplex(4);
        let mut near = WriteDeadline::new(near, STALL_MAX);
        let began = Instant::now();
        let slow = async {
            let mut bytes = [0; 4];
            for _ in 0..4 {
                tokio::time::advance(STALL_MAX - Duration::from_secs(1)).await;
                far.read_exact(&mut bytes).await.expect("written");
            }
        };
        let (written, ()) = tokio::join!(near.write_all(&[7; 16]), slow);
        written.expect("there was progress all the time");
        assert!(began.elapsed() > 2 * STALL_MAX);

        let began = Instant::now();
        let error = near.write_all(&[7; 16]).await.expect_err("nobody reads");
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        // A timer is exact to the millisecond.
        assert!((STALL_MAX..STALL_MAX + Duration::from_millis(10)).contains(&began.elapsed()), "{:?}", began.elapsed());
        // What reads goes on: the other half of the connection has its own bounds.
        far.write_all(b"more").await.expect("there is room");
        let mut bytes = [0; 4];
        near.read_exact(&mut bytes).await.expect("it came");
    }
}
