//! A small HTTP client for the two APIs of a server: HTTP/1.1 with and without TLS, bounded in time and size, with
//! errors that say what to do.
//!
//! What is sent and what an answer means is known to the commands that use it.

mod tls;

use std::{error::Error, fmt, hash::Hasher, io, str::FromStr, time::Duration};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Request, StatusCode, Uri, header};
use http_body_util::{BodyExt, Full, Limited};
use serde::Deserialize;
use weir_domain::ErrorKind;

use crate::{
    cli::output::Failure,
    https::{self, HttpsClient, Times},
};

pub(crate) use tls::TlsFiles;

/// Of connections to a server, which the next request uses again.
const TIMES: Times = Times { connect_max: Duration::from_secs(10), idle_max: Duration::from_secs(60) };
/// The largest answer that is read, in bytes: a page of the largest events that a server can be set to take.
const ANSWER_BYTES_MAX: usize = 128 * 1024 * 1024;
/// How much of an answer that is no error of ours is shown, in characters.
const SHOWN_MAX: usize = 200;

/// Where a server is: `http://host:port` or `https://host:port`, with a path where it stands behind another server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct BaseUrl(String);

impl FromStr for BaseUrl {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let cure = "write it as http://127.0.0.1:4000";
        let uri = text.parse::<Uri>().map_err(|error| format!("this is no URL, {cure}: {error}"))?;
        let Some(scheme @ ("http" | "https")) = uri.scheme_str() else {
            return Err(format!("a URL begins with http:// or https://, {cure}"));
        };
        let Some(authority) = uri.authority().filter(|authority| !authority.host().is_empty()) else {
            return Err(format!("a URL names a host, {cure}"));
        };
        if authority.as_str().contains('@') || uri.query().is_some() {
            return Err(format!("a URL of a server has neither user nor query, {cure}"));
        }
        Ok(Self(format!("{scheme}://{authority}{}", uri.path().trim_end_matches('/'))))
    }
}

impl BaseUrl {
    /// Tells whether the server is spoken to with TLS.
    fn is_https(&self) -> bool {
        self.0.starts_with("https://")
    }
}

impl fmt::Display for BaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What went wrong between a command and a server.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ClientError {
    /// Nobody listens there.
    #[error("no server answers at {base}: start one with `weir dev`, or name another with --url ({reason})")]
    NoServer {
        /// Where.
        base: BaseUrl,
        /// What the operating system said.
        reason: String,
    },
    /// Client and server do not come to terms about TLS.
    #[error(
        "TLS with the server at {base} fails: name who issued its certificate with --ca-cert, show yours with \
         --client-cert where it asks for one, or write http:// where it speaks no TLS ({reason})"
    )]
    Tls {
        /// Where.
        base: BaseUrl,
        /// What TLS said.
        reason: String,
    },
    /// The answer did not come in time.
    #[error("the server at {base} did not answer within {} s: try again, and look at its log", .after.as_secs())]
    Timeout {
        /// Where.
        base: BaseUrl,
        /// How long was waited.
        after: Duration,
    },
    /// The connection ended before the answer was complete.
    #[error("the connection to the server at {base} broke: try again ({reason})")]
    Broken {
        /// Where.
        base: BaseUrl,
        /// What is known about it.
        reason: String,
    },
    /// The server answered with an error.
    #[error("the server at {base} answered {status}: {message}")]
    Refused {
        /// Where.
        base: BaseUrl,
        /// The status.
        status: StatusCode,
        /// What the server said.
        message: String,
        /// When to try again, if it said so.
        retry_after: Option<Duration>,
    },
    /// The answer is not what such a server gives.
    #[error("the answer of {base} is not understood, is it the right port? {detail}")]
    Unreadable {
        /// Where.
        base: BaseUrl,
        /// What does not fit.
        detail: String,
    },
}

impl ClientError {
    /// Tells what the reader must do next.
    pub(crate) fn kind(&self) -> ErrorKind {
        match self {
            Self::NoServer { .. } | Self::Timeout { .. } | Self::Broken { .. } => {
                ErrorKind::Unavailable { retry_after: None }
            }
            Self::Tls { .. } => ErrorKind::Denied,
            Self::Refused { status, retry_after, .. } => match status.as_u16() {
                401 | 403 => ErrorKind::Denied,
                404 => ErrorKind::NotFound,
                409 => ErrorKind::Conflict,
                429 | 502..=504 => ErrorKind::Unavailable { retry_after: *retry_after },
                400..=499 => ErrorKind::Invalid,
                _ => ErrorKind::Internal,
            },
            Self::Unreadable { .. } => ErrorKind::Invalid,
        }
    }

    /// Tells whether the same request may succeed later.
    pub(crate) fn is_passing(&self) -> bool {
        matches!(self.kind(), ErrorKind::Unavailable { .. })
    }
}

/// The answer to a request, whatever its status.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    /// The status.
    pub(crate) status: StatusCode,
    /// The headers.
    pub(crate) headers: HeaderMap,
    /// The whole body.
    pub(crate) body: Bytes,
}

impl Answer {
    /// Returns the text of a header.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// Returns when the server wants to be asked again.
    pub(crate) fn retry_after(&self) -> Option<Duration> {
        let seconds = self.header(header::RETRY_AFTER.as_str())?.trim().parse().ok()?;
        Some(Duration::from_secs(seconds))
    }

    /// Returns what the server says is wrong: its messages with their cures, else the beginning of the body.
    pub(crate) fn messages(&self) -> String {
        #[derive(Deserialize)]
        struct Errors {
            errors: Vec<Entry>,
        }
        #[derive(Deserialize)]
        struct Entry {
            message: String,
            cure: Option<String>,
        }
        if let Ok(Errors { errors }) = serde_json::from_slice(&self.body)
            && !errors.is_empty()
        {
            let texts = errors.into_iter().map(|Entry { message, cure }| match cure {
                Some(cure) => format!("{message} ({cure})"),
                None => message,
            });
            return texts.collect::<Vec<_>>().join("; ");
        }
        let body = String::from_utf8_lossy(&self.body);
        match body.trim() {
            "" => self.status.canonical_reason().unwrap_or("no reason is given").to_owned(),
            text => text.chars().take(SHOWN_MAX).collect(),
        }
    }
}

/// A client of one server. Connections are kept and used again.
pub(crate) struct Client {
    base: BaseUrl,
    authorization: Option<HeaderValue>,
    http: HttpsClient,
}

impl Client {
    /// Makes a client that speaks TLS by these files; nothing is connected yet.
    ///
    /// # Errors
    /// Where a file cannot be read or used, or where there are files and the address begins with `http://`.
    pub(crate) async fn new(base: BaseUrl, files: TlsFiles<'_>) -> Result<Self, Failure> {
        if files != TlsFiles::default() && !base.is_https() {
            let message = format!(
                "--ca-cert, --client-cert and --client-key are for TLS, which {base} does not say: \
                 write https:// in --url, or leave them out"
            );
            return Err(Failure::invalid(message));
        }
        let config = tls::config(files).await?;
        Ok(Self { base, authorization: None, http: https::client(Some(config), TIMES) })
    }

    /// Sends this as the header `Authorization` with every request.
    pub(crate) fn with_authorization(self, value: HeaderValue) -> Self {
        Self { authorization: Some(value), ..self }
    }

    /// Asks for a path, which may have a query.
    ///
    /// # Errors
    /// Where no complete answer comes in time; an answer with an error status is an [`Answer`].
    pub(crate) async fn get(&self, path: &str, timeout: Duration) -> Result<Answer, ClientError> {
        self.send(Request::builder().method(Method::GET), path, Bytes::new(), timeout).await
    }

    /// Asks for something to be deleted.
    ///
    /// # Errors
    /// As [`get`](Self::get).
    pub(crate) async fn delete(&self, path: &str, timeout: Duration) -> Result<Answer, ClientError> {
        self.send(Request::builder().method(Method::DELETE), path, Bytes::new(), timeout).await
    }

    /// Sends a body to a path.
    ///
    /// # Errors
    /// As [`get`](Self::get).
    pub(crate) async fn post(
        &self,
        path: &str,
        headers: &[(&str, &str)],
        body: Bytes,
        timeout: Duration,
    ) -> Result<Answer, ClientError> {
        let request = Request::builder().method(Method::POST);
        let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
        self.send(request, path, body, timeout).await
    }

    /// Sends a change of this media type to a path.
    ///
    /// # Errors
    /// As [`get`](Self::get).
    pub(crate) async fn patch(
        &self,
        path: &str,
        media_type: &str,
        body: Bytes,
        timeout: Duration,
    ) -> Result<Answer, ClientError> {
        let request = Request::builder().method(Method::PATCH).header(header::CONTENT_TYPE, media_type);
        self.send(request, path, body, timeout).await
    }

    /// Sends a request with any method; a body is JSON.
    ///
    /// # Errors
    /// As [`get`](Self::get).
    pub(crate) async fn request(
        &self,
        method: Method,
        path: &str,
        body: Bytes,
        timeout: Duration,
    ) -> Result<Answer, ClientError> {
        let request = Request::builder().method(method);
        let request = if body.is_empty() { request } else { request.header(header::CONTENT_TYPE, "application/json") };
        self.send(request, path, body, timeout).await
    }

    async fn send(
        &self,
        request: http::request::Builder,
        path: &str,
        body: Bytes,
        timeout: Duration,
    ) -> Result<Answer, ClientError> {
        let user_agent = concat!("weir/", env!("CARGO_PKG_VERSION"));
        let authorization = self.authorization.iter();
        let request = authorization.fold(request, |request, value| request.header(header::AUTHORIZATION, value));
        let request = request
            .uri(format!("{}{path}", self.base))
            .header(header::USER_AGENT, user_agent)
            .body(Full::new(body))
            .map_err(|error| self.unreadable(format!("the request cannot be made: {error}")))?;
        match tokio::time::timeout(timeout, self.exchange(request)).await {
            Ok(answer) => answer,
            Err(_) => Err(ClientError::Timeout { base: self.base.clone(), after: timeout }),
        }
    }

    async fn exchange(&self, request: Request<Full<Bytes>>) -> Result<Answer, ClientError> {
        let response = self.http.request(request).await.map_err(|error| {
            if let Some(reason) = tls::failure(&error) {
                return ClientError::Tls { base: self.base.clone(), reason: reason.to_string() };
            }
            let (base, reason) = (self.base.clone(), root_cause(&error));
            if error.is_connect() {
                ClientError::NoServer { base, reason }
            } else {
                ClientError::Broken { base, reason }
            }
        })?;
        let (head, body) = response.into_parts();
        let body = Limited::new(body, ANSWER_BYTES_MAX).collect().await.map_err(|error| {
            if error.is::<http_body_util::LengthLimitError>() {
                return self.unreadable(format!("it has more than {ANSWER_BYTES_MAX} bytes"));
            }
            ClientError::Broken { base: self.base.clone(), reason: root_cause(&*error) }
        })?;
        Ok(Answer { status: head.status, headers: head.headers, body: body.to_bytes() })
    }

    /// Makes the error of an answer whose status is one.
    pub(crate) fn refused(&self, answer: &Answer) -> ClientError {
        let mut message = answer.messages();
        if answer.status == StatusCode::UNAUTHORIZED && self.authorization.is_none() {
            // The server speaks of headers, of which who types a command knows nothing.
            message.push_str("; give --token-file FILE, or set WEIR_TOKEN in the environment");
        }
        ClientError::Refused {
            base: self.base.clone(),
            status: answer.status,
            message,
            retry_after: answer.retry_after(),
        }
    }

    /// Finds where the list at a path goes on; nothing where it ends.
    ///
    /// # Errors
    /// Where it goes on at another path.
    pub(crate) fn next_page(&self, answer: &Answer, list: &str) -> Result<Option<String>, ClientError> {
        let Some(link) = answer.header(header::LINK.as_str()) else { return Ok(None) };
        let target = link.strip_prefix('<').and_then(|rest| rest.strip_suffix(">; rel=\"next\""));
        match target.filter(|target| target.strip_prefix(list).is_some_and(|query| query.starts_with('?'))) {
            Some(target) => Ok(Some(target.to_owned())),
            // To pass it over would be to take a part for the whole.
            None => Err(self.unreadable(format!("its list goes on elsewhere: {link}"))),
        }
    }

    /// Makes the error of an answer that is not what such a server gives.
    pub(crate) fn unreadable(&self, detail: impl Into<String>) -> ClientError {
        ClientError::Unreadable { base: self.base.clone(), detail: detail.into() }
    }
}

/// What stands behind the layers of a client, each of which says little: the operating system's word where there is one.
fn root_cause(error: &(dyn Error + 'static)) -> String {
    let mut cause = error;
    while !cause.is::<io::Error>()
        && let Some(source) = cause.source()
    {
        cause = source;
    }
    cause.to_string()
}

/// How long to wait before each further attempt: doubling with jitter, within bounds.
///
/// The jitter comes from a seed, which its maker takes from the port of identifiers.
#[derive(Clone, Debug)]
pub(crate) struct Backoff {
    seed: u64,
    attempts: u32,
}

impl Backoff {
    /// The shortest first wait.
    const FIRST: Duration = Duration::from_millis(100);
    /// The longest wait, also where a server asks for more.
    pub(crate) const WAIT_MAX: Duration = Duration::from_secs(10);

    /// Begins anew; different texts give different jitter.
    pub(crate) fn new(seed: &str) -> Self {
        Self { seed: hash(seed.as_bytes()), attempts: 0 }
    }

    /// Returns how many waits there were since the beginning or the last success.
    pub(crate) const fn attempts(&self) -> u32 {
        self.attempts
    }

    /// Forgets the failures, after a success.
    pub(crate) fn succeeded(&mut self) {
        self.attempts = 0;
    }

    /// Returns the next wait: what the server asked for, else between half and all of a doubling time.
    pub(crate) fn next(&mut self, asked: Option<Duration>) -> Duration {
        let whole = Self::FIRST.saturating_mul(1 << self.attempts.min(16)).min(Self::WAIT_MAX);
        self.attempts += 1;
        let jitter = hash(&(self.seed ^ u64::from(self.attempts)).to_le_bytes()) % 1000;
        let wait = whole / 2 + (whole / 2000) * u32::try_from(jitter).unwrap_or_default();
        asked.unwrap_or(wait).min(Self::WAIT_MAX)
    }
}

fn hash(bytes: &[u8]) -> u64 {
    // Made by `new`, this hasher has fixed keys: the same seed gives the same waits.
    let mut hasher = std::hash::DefaultHasher::new();
    hasher.write(bytes);
    hasher.finish()
}

#[cfg(test)]
mod tests;
