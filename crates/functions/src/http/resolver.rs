//! Looks names up for the HTTP client, a bounded number at a time.
//!
//! The system's look-up (`getaddrinfo`) blocks a thread until it ends, and where a name server is silent that takes
//! longer than anybody waits: a caller gives up, the thread does not come back. Without a bound of their own, look-ups of
//! one dead name would hold all blocking threads of the process, and with them everything else that needs one.

use std::{
    io,
    net::{SocketAddr, ToSocketAddrs},
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
    vec,
};

use futures_util::future::{BoxFuture, FutureExt};
use hyper_util::client::legacy::connect::dns::Name;
use tokio::sync::Semaphore;
use tower_service::Service;

/// Look-ups at a time, each on a thread. Further ones wait, up to [`LOOK_UP_TIMEOUT`].
const LOOK_UPS_MAX: usize = 32;
/// The longest wait for an answer, the wait for a thread included.
const LOOK_UP_TIMEOUT: Duration = Duration::from_secs(5);

/// A resolver for [`HttpConnector`](hyper_util::client::legacy::connect::HttpConnector). Cloning it shares its bound.
#[derive(Clone)]
pub(super) struct Resolver {
    permits: Arc<Semaphore>,
    timeout: Duration,
    look_up: fn(&str) -> io::Result<vec::IntoIter<SocketAddr>>,
}

impl Resolver {
    pub(super) fn new() -> Self {
        // The port is the connector's business: it puts that of the URL in place of this one.
        Self::with(LOOK_UPS_MAX, LOOK_UP_TIMEOUT, |name| (name, 0).to_socket_addrs())
    }

    fn with(count: usize, timeout: Duration, look_up: fn(&str) -> io::Result<vec::IntoIter<SocketAddr>>) -> Self {
        Self { permits: Arc::new(Semaphore::new(count)), timeout, look_up }
    }

    async fn resolve(self, name: String) -> io::Result<vec::IntoIter<SocketAddr>> {
        let Self { permits, timeout, look_up } = self;
        let looking = async {
            let permit = permits.acquire_owned().await.map_err(io::Error::other)?;
            #[expect(clippy::disallowed_methods, reason = "bounded by the permit, and its result is waited for here")]
            let task = tokio::task::spawn_blocking(move || {
                // The permit stays with the thread: who gives up waiting does not free it.
                let _permit = permit;
                look_up(&name)
            });
            task.await.map_err(io::Error::other)?
        };
        tokio::time::timeout(timeout, looking).await.unwrap_or_else(|_| {
            let message = format!("no name server answered within {} s", timeout.as_secs_f32());
            Err(io::Error::new(io::ErrorKind::TimedOut, message))
        })
    }
}

impl Service<Name> for Resolver {
    type Response = vec::IntoIter<SocketAddr>;
    type Error = io::Error;
    type Future = BoxFuture<'static, io::Result<Self::Response>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, name: Name) -> Self::Future {
        self.clone().resolve(name.as_str().to_owned()).boxed()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Condvar, Mutex};

    use super::*;

    /// Closed while a look-up hangs.
    static GATE: (Mutex<bool>, Condvar) = (Mutex::new(false), Condvar::new());

    fn behind_the_gate(_: &str) -> io::Result<vec::IntoIter<SocketAddr>> {
        let mut is_open = GATE.0.lock().unwrap();
        while !*is_open {
            is_open = GATE.1.wait(is_open).unwrap();
        }
        Ok(vec![SocketAddr::from(([127, 0, 0, 1], 0))].into_iter())
    }

    #[tokio::test]
    async fn look_ups_that_hang_hold_no_more_threads_than_are_allowed() {
        let resolver = Resolver::with(1, Duration::from_millis(20), behind_the_gate);
        for name in ["silent.example", "another.example"] {
            let error = resolver.clone().resolve(name.into()).await.expect_err("nobody answers");
            assert_eq!(error.kind(), io::ErrorKind::TimedOut);
            // The first one still has its thread, although nobody waits for it any more.
            assert_eq!(resolver.permits.available_permits(), 0);
        }
        *GATE.0.lock().unwrap() = true;
        GATE.1.notify_all();
        let patient = Resolver { timeout: Duration::from_secs(20), ..resolver };
        let found = patient.resolve("at.last".into()).await.expect("the gate is open");
        assert_eq!(found.collect::<Vec<_>>(), [SocketAddr::from(([127, 0, 0, 1], 0))]);
    }

    #[tokio::test]
    async fn names_of_this_machine_are_found() {
        let found = Resolver::new().resolve("localhost".into()).await.expect("it is known everywhere");
        assert!(found.into_iter().all(|address| address.ip().is_loopback()));
    }
}
