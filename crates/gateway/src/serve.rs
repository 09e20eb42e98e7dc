//! Accepts connections and speaks HTTP/1.1 on them, until it is told to stop.
//!
//! This is not `axum::serve`, which bounds neither the time to send a request head nor the number of connections.

use std::{convert::Infallible, future::Future, io, pin::pin, time::Duration};

use axum::{Router, response::Response};
use http::Request;
use hyper::{body::Incoming, server::conn::http1, service::Service};
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    service::TowerToHyperService,
};
use tokio::{
    net::{TcpListener, TcpStream},
    task::{JoinError, JoinSet},
};
use tokio_util::sync::CancellationToken;
use weir_domain::error_chain;

/// How long nothing is accepted after the system had no file descriptor or memory for a connection.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Bounds of a listener, and what its shutdown ends.
#[derive(Clone, Debug)]
pub struct ServeOptions {
    /// Open connections; beyond, connections wait to be accepted.
    pub connections_max: usize,
    /// How long a connection may take to send the head of a request, and may idle between two.
    pub header_read_timeout: Duration,
    /// Cancelled when the shutdown begins, so that requests that only wait come to their end.
    pub stopping: CancellationToken,
}

/// Serves a router until `shutdown`: then accepts no more connections, finishes the requests in flight, and returns.
///
/// Dropping the future ends all connections at once.
///
/// # Errors
/// Where the listener cannot accept connections at all. Running out of file descriptors is no such error: accepting
/// goes on when there are some again.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    shutdown: impl Future<Output = ()> + Send + 'static,
    options: ServeOptions,
) -> io::Result<()> {
    run(listener, TowerToHyperService::new(router), shutdown, options).await
}

/// As [`serve`], for any service.
pub(crate) async fn run<S>(
    listener: TcpListener,
    service: S,
    shutdown: impl Future<Output = ()> + Send + 'static,
    options: ServeOptions,
) -> io::Result<()>
where
    S: Service<Request<Incoming>, Response = Response, Error = Infallible> + Clone + Send + 'static,
    S::Future: Send + 'static,
{
    // Not the one of the options, which other listeners may share.
    let closing = CancellationToken::new();
    let mut connections = JoinSet::new();
    let mut shutdown = pin!(shutdown);
    let result = loop {
        let accepted = tokio::select! {
            biased;
            () = &mut shutdown => break Ok(()),
            Some(ended) = connections.join_next() => {
                note(ended);
                continue;
            }
            accepted = listener.accept(), if connections.len() < options.connections_max.max(1) => accepted,
        };
        match accepted {
            Ok((stream, _)) => {
                let timeout = options.header_read_timeout;
                connections.spawn(connection(stream, service.clone(), closing.child_token(), timeout));
            }
            // The peer has gone before it was accepted.
            Err(error) if is_of_connection(&error) => {}
            Err(error) if error.kind() == io::ErrorKind::InvalidInput => break Err(error),
            Err(error) => {
                tracing::warn!(error = error_chain(&error), "no connection can be accepted for a moment");
                tokio::select! {
                    () = &mut shutdown => break Ok(()),
                    () = tokio::time::sleep(ACCEPT_PAUSE) => {}
                }
            }
        }
    };
    drop(listener);
    options.stopping.cancel();
    closing.cancel();
    while let Some(ended) = connections.join_next().await {
        note(ended);
    }
    result
}

async fn connection<S>(stream: TcpStream, service: S, closing: CancellationToken, header_read_timeout: Duration)
where
    S: Service<Request<Incoming>, Response = Response, Error = Infallible> + Send,
    S::Future: Send,
{
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(error = error_chain(&error), "a connection keeps its delay");
    }
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(header_read_timeout)
        .serve_connection(TokioIo::new(stream), service);
    let mut connection = pin!(connection);
    let result = tokio::select! {
        biased;
        result = connection.as_mut() => result,
        () = closing.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = result {
        tracing::debug!(error = error_chain(&error), "a connection broke off");
    }
}

fn note(ended: Result<(), JoinError>) {
    if let Err(error) = ended
        && error.is_panic()
    {
        tracing::error!(error = error_chain(&error), "a request panicked, and its connection is closed");
    }
}

fn is_of_connection(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionRefused | io::ErrorKind::ConnectionReset
    )
}
