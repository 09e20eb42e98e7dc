//! Accepts connections and speaks HTTP/1.1 and HTTP/2 on them, until it is told to stop.
//!
//! This is not `axum::serve`, which bounds neither the time to send a request head or to read an answer nor the number of
//! connections. Nor is it the builder of `hyper_util` that finds out the protocol: that waits for the first bytes without
//! a bound, and stands between HTTP/1.1 and its socket ever after. Here TLS tells the protocol, and without TLS the first
//! bytes do, which are looked at and left where they are.

mod deadline;
mod http1;
mod http2;
mod pace;

use std::{convert::Infallible, future::Future, io, net::SocketAddr, pin::pin, sync::Arc, time::Duration};

use axum::{Router, response::Response};
use http::Request;
use hyper::service::Service;
use hyper_util::{rt::TokioIo, service::TowerToHyperService};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpStream},
    task::{JoinError, JoinSet},
};
use tokio_rustls::{TlsAcceptor, rustls::pki_types::CertificateDer, server::TlsStream};
use tokio_util::sync::CancellationToken;
use weir_domain::error_chain;

use crate::{
    metrics::{AcceptPause, Api, Metrics, OpenConnection},
    tls::{ALPN_HTTP2, Tls},
};

use self::deadline::WriteDeadline;
pub(crate) use self::http1::Arriving;

/// How long nothing is accepted after the system had no file descriptor or memory for a connection.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// What a connection of HTTP/2 begins with. No request of HTTP/1.1 does: the method `PRI` is reserved for this
/// (RFC 9113, section 3.4).
const HTTP2_BEGINNING: &[u8] = b"PRI ";

/// How long to wait for the rest of an `HTTP2_BEGINNING` that came in pieces, and then twice as long each time. Only clients
/// that mean harm send such, and many of them at once must not keep a processor busy.
const BEGINNING_PAUSE: Duration = Duration::from_millis(10);
/// No such wait is longer.
const BEGINNING_PAUSE_MAX: Duration = Duration::from_secs(1);

/// Bounds of a listener, and what its shutdown ends.
#[derive(Clone, Debug)]
pub struct ServeOptions {
    /// Bytes of the head of a request, 8,192 at least: every open connection may have as much in memory. HTTP/2 counts 32
    /// more for each header. Beyond, it is refused with 431.
    pub head_bytes_max: usize,
    /// Headers of a request of HTTP/1.1; beyond, it is refused with 431. Those of HTTP/2 are bounded by their bytes.
    pub headers_max: usize,
    /// Open connections; beyond, connections wait to be accepted. They are not refused: who is refused comes again at once,
    /// which costs both more than waiting, and of those that are open the idle ones soon end.
    pub connections_max: usize,
    /// How long a connection may take to send the head of a request, and may idle between two. One of HTTP/2 is closed
    /// between this time and twice this time after its last request.
    pub header_read_timeout: Duration,
    /// How long a client may take less than 64 KiB of what is written to it, unless less is left: then its connection is
    /// closed. With HTTP/2 a request of whose answer it takes less is given up alone, but for answers up to 4 KiB of which it
    /// took a part and no more: the connection with such is closed within four times this time.
    pub write_timeout: Duration,
    /// How long the TLS handshake of a connection may take.
    pub handshake_timeout: Duration,
    /// The TLS that every connection must speak; none for clear text.
    pub tls: Option<Tls>,
    /// Cancelled when the shutdown begins, so that requests that only wait come to their end.
    pub stopping: CancellationToken,
}

/// Who sent a request: every request that came by a connection has this as an extension.
#[derive(Clone, Debug)]
pub struct Peer {
    /// The other end of the connection.
    pub address: SocketAddr,
    /// The certificate of the client, which is checked. Only with TLS that asks for one.
    pub certificate: Option<Arc<CertificateDer<'static>>>,
    /// Whether the connection speaks TLS.
    pub tls: bool,
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
    run(listener, TowerToHyperService::new(router), shutdown, options, None).await
}

/// What answers the requests of a connection.
pub(crate) trait Answering:
    Service<Request<Arriving>, Response = Response, Error = Infallible, Future: Send + 'static> + Clone + Send + 'static
{
}

impl<S> Answering for S where
    S: Service<Request<Arriving>, Response = Response, Error = Infallible, Future: Send + 'static>
        + Clone
        + Send
        + 'static
{
}

/// As [`serve`], for any service, and counts what happens where it is told for which API.
pub(crate) async fn run<S: Answering>(
    listener: TcpListener,
    service: S,
    shutdown: impl Future<Output = ()> + Send + 'static,
    options: ServeOptions,
    counted: Option<(Metrics, Api)>,
) -> io::Result<()> {
    // Not the one of the options, which other listeners may share.
    let closing = CancellationToken::new();
    let mut connections = JoinSet::new();
    let mut shutdown = pin!(shutdown);
    let paused = |why: AcceptPause| {
        if let Some((metrics, api)) = &counted {
            metrics.accept_paused(*api, why);
        }
    };
    let mut is_full = false;
    let result = loop {
        let was_full = is_full;
        is_full = connections.len() >= options.connections_max.max(1);
        if is_full && !was_full {
            paused(AcceptPause::Full);
            tracing::debug!(open = connections.len(), "as many connections are open as may: further ones wait");
        }
        let accepted = tokio::select! {
            biased;
            () = &mut shutdown => break Ok(()),
            Some(ended) = connections.join_next() => {
                note(ended);
                continue;
            }
            accepted = listener.accept(), if !is_full => accepted,
        };
        match accepted {
            Ok((stream, address)) => {
                let accepted = Accepted {
                    stream,
                    address,
                    acceptor: options.tls.as_ref().map(Tls::acceptor),
                    bounds: ConnectionBounds::of(&options),
                    handshake_timeout: options.handshake_timeout,
                    _open: counted.as_ref().map(|(metrics, api)| metrics.connection(*api)),
                };
                connections.spawn(connection(accepted, service.clone(), closing.child_token()));
            }
            // The peer has gone before it was accepted.
            Err(error) if is_of_connection(&error) => {}
            Err(error) if error.kind() == io::ErrorKind::InvalidInput => break Err(error),
            Err(error) => {
                paused(AcceptPause::System);
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

/// What one connection may do.
#[derive(Clone, Copy)]
struct ConnectionBounds {
    /// How long it may take to send the head of a request, and may idle between two.
    idle_max: Duration,
    /// How long the client may take next to nothing of an answer.
    stall_max: Duration,
    /// Bytes of the head of a request.
    head_bytes_max: usize,
    /// Headers of a request of HTTP/1.1.
    headers_max: usize,
}

impl ConnectionBounds {
    fn of(options: &ServeOptions) -> Self {
        Self {
            idle_max: options.header_read_timeout,
            stall_max: options.write_timeout,
            head_bytes_max: options.head_bytes_max,
            headers_max: options.headers_max,
        }
    }
}

/// A connection of which nothing was read.
struct Accepted {
    stream: TcpStream,
    address: SocketAddr,
    /// What TLS was like when it was accepted.
    acceptor: Option<TlsAcceptor>,
    bounds: ConnectionBounds,
    handshake_timeout: Duration,
    _open: Option<OpenConnection>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Protocol {
    Http1,
    Http2,
}

async fn connection<S: Answering>(accepted: Accepted, service: S, closing: CancellationToken) {
    let Accepted { stream, address, acceptor, bounds, handshake_timeout, _open } = accepted;
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(error = error_chain(&error), "a connection keeps its delay");
    }
    let Some(acceptor) = acceptor else {
        let Some(protocol) = begin(protocol_of(&stream), bounds.idle_max, &closing).await else { return };
        let peer = Peer { address, certificate: None, tls: false };
        let stream = WriteDeadline::new(stream, bounds.stall_max);
        return speak(protocol, stream, service, peer, bounds, &closing).await;
    };
    // Beneath TLS: above it, what has gone out of a record that is written in parts is not seen.
    let stream = WriteDeadline::new(stream, bounds.stall_max);
    // In boxes, here and below: a connection in clear text and HTTP/1.1 does not hold the room that the others need.
    let handshake = Box::pin(begin(acceptor.accept(stream), handshake_timeout, &closing));
    let Some(stream) = handshake.await else { return };
    let (protocol, peer) = introduction(&stream, address);
    Box::pin(speak(protocol, stream, service, peer, bounds, &closing)).await;
}

/// Waits for the beginning of a connection; nothing where it fails, takes too long, or the shutdown comes first.
async fn begin<T>(
    beginning: impl Future<Output = io::Result<T>>,
    time_max: Duration,
    closing: &CancellationToken,
) -> Option<T> {
    let outcome = tokio::select! {
        // What has begun before the shutdown is answered.
        biased;
        outcome = tokio::time::timeout(time_max, beginning) => outcome,
        () = closing.cancelled() => return None,
    };
    match outcome {
        Ok(Ok(begun)) => Some(begun),
        Ok(Err(error)) => {
            tracing::debug!(error = error_chain(&error), "a connection broke off before it began");
            None
        }
        Err(_) => {
            tracing::debug!("a connection did not begin in time");
            None
        }
    }
}

/// Finds out what the client speaks, and leaves its bytes where they are.
async fn protocol_of(stream: &TcpStream) -> io::Result<Protocol> {
    let mut buffer = [0; HTTP2_BEGINNING.len()];
    let mut pause = BEGINNING_PAUSE;
    loop {
        let count = stream.peek(&mut buffer).await?;
        let begun = &buffer[..count];
        if begun.is_empty() {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        if !HTTP2_BEGINNING.starts_with(begun) {
            return Ok(Protocol::Http1);
        }
        if begun == HTTP2_BEGINNING {
            return Ok(Protocol::Http2);
        }
        // The socket says that there is something to read until it is read.
        tokio::time::sleep(pause).await;
        pause = (2 * pause).min(BEGINNING_PAUSE_MAX);
    }
}

/// Tells what was agreed in a handshake; a client that names no protocol speaks HTTP/1.1.
fn introduction(stream: &TlsStream<WriteDeadline<TcpStream>>, address: SocketAddr) -> (Protocol, Peer) {
    let (_, session) = stream.get_ref();
    let is_http2 = session.alpn_protocol() == Some(ALPN_HTTP2);
    let certificate = session.peer_certificates().and_then(<[_]>::first);
    let certificate = certificate.map(|certificate| Arc::new(certificate.clone()));
    let protocol = if is_http2 { Protocol::Http2 } else { Protocol::Http1 };
    (protocol, Peer { address, certificate, tls: true })
}

async fn speak<I, S>(
    protocol: Protocol,
    stream: I,
    service: S,
    peer: Peer,
    bounds: ConnectionBounds,
    closing: &CancellationToken,
) where
    I: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    S: Answering,
{
    let result = match protocol {
        Protocol::Http1 => http1::speak(stream, service, peer, bounds, closing).await,
        Protocol::Http2 => Box::pin(http2::speak(TokioIo::new(stream), service, peer, bounds, closing)).await,
    };
    if let Err(error) = result {
        tracing::debug!(error = error_chain(&error), "a connection broke off");
    }
}

/// Tells of a panic: of the task of a connection, or of a request where it has one.
fn note(ended: Result<(), JoinError>) {
    if let Err(error) = ended
        && error.is_panic()
    {
        tracing::error!(error = error_chain(&error), "a request panicked, and is broken off");
    }
}

fn is_of_connection(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionRefused | io::ErrorKind::ConnectionReset
    )
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use tokio::io::AsyncWriteExt;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_beginning_that_stays_a_piece_is_looked_at_less_and_less() {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let mut client = TcpStream::connect(listener.local_addr().expect("an address")).await.expect("connected");
        let (stream, _) = listener.accept().await.expect("a connection");
        client.write_all(b"PR").await.expect("written");
        stream.readable().await.expect("it came");

        let mut protocol = pin!(protocol_of(&stream));
        let mut looked = 0;
        let counted = poll_fn(|context| {
            looked += 1;
            protocol.as_mut().poll(context)
        });
        let found = tokio::time::timeout(Duration::from_secs(30), counted).await;
        assert!(found.is_err(), "nothing more came: {found:?}");
        assert!((10..50).contains(&looked), "{looked}");
    }
}
