//! The HTTP client that all functions at URLs share: pooled connections, HTTP/1.1 and HTTP/2, TLS by rustls.

use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::{TokioExecutor, TokioTimer},
};

use weir_domain::error_chain;

use super::resolver::Resolver;
use crate::CallError;

/// A connection that does not come about is given up well before most calls are.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
/// Servers close idle connections too; most wait longer than this.
const IDLE_TIMEOUT: Duration = Duration::from_secs(30);
const IDLE_PER_HOST_MAX: usize = 64;

/// Sends requests. One for the whole process: cloning it shares its connections.
#[derive(Clone)]
pub struct HttpClient {
    inner: Client<HttpsConnector<HttpConnector<Resolver>>, Full<Bytes>>,
}

impl HttpClient {
    /// Makes a client without connections. Certificates are checked against Mozilla's roots, which are part of the
    /// program: nothing is read from the machine.
    #[must_use]
    pub fn new() -> Self {
        let mut tcp = HttpConnector::new_with_resolver(Resolver::new());
        // The scheme is judged by the connector around this one.
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        tcp.set_connect_timeout(Some(CONNECT_TIMEOUT));
        let connector = HttpsConnectorBuilder::new()
            .with_webpki_roots()
            .https_or_http()
            .enable_http1()
            .enable_http2()
            .wrap_connector(tcp);
        let inner = Client::builder(TokioExecutor::new())
            .pool_idle_timeout(IDLE_TIMEOUT)
            .pool_max_idle_per_host(IDLE_PER_HOST_MAX)
            .pool_timer(TokioTimer::new())
            .build(connector);
        Self { inner }
    }

    pub(crate) async fn request(&self, request: Request<Full<Bytes>>) -> Result<Response<Incoming>, CallError> {
        let sent = self.inner.request(request).await;
        sent.map_err(|error| {
            let message = error_chain(&error);
            // Whether a request that was begun has arrived is not known.
            if error.is_connect() { CallError::Unreachable { message } } else { CallError::Interrupted { message } }
        })
    }
}

impl Default for HttpClient {
    fn default() -> Self {
        Self::new()
    }
}
