//! The HTTP client behind everything that this program asks of others: servers by the commands, published keys, and
//! receivers of telemetry. HTTP/1.1, with TLS where a URL says so.

use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::{TokioExecutor, TokioTimer},
};
use rustls::ClientConfig;

/// A client whose requests have their bodies in memory.
pub(crate) type HttpsClient = Client<HttpsConnector<HttpConnector>, Full<Bytes>>;

/// How long connections may take.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Times {
    /// To come about.
    pub(crate) connect_max: Duration,
    /// To stay while they are not used.
    pub(crate) idle_max: Duration,
}

/// Makes a client; nothing is connected yet. Without a configuration of TLS, certificates are checked against Mozilla's
/// roots, which are part of the program.
pub(crate) fn client(tls: Option<ClientConfig>, times: Times) -> HttpsClient {
    let mut tcp = HttpConnector::new();
    // The scheme is judged by the connector around this one.
    tcp.enforce_http(false);
    tcp.set_nodelay(true);
    tcp.set_connect_timeout(Some(times.connect_max));
    let builder = HttpsConnectorBuilder::new();
    let builder = match tls {
        Some(config) => builder.with_tls_config(config),
        None => builder.with_webpki_roots(),
    };
    let connector = builder.https_or_http().enable_http1().wrap_connector(tcp);
    Client::builder(TokioExecutor::new())
        .pool_idle_timeout(times.idle_max)
        .pool_timer(TokioTimer::new())
        .build(connector)
}
