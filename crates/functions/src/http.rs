//! Functions at a URL: each call is one POST of the event in structured mode (CloudEvents HTTP binding), and what comes
//! back is told in `answer`; several calls are one POST in batched mode, see `batch`.
//!
//! Connections are pooled and kept by the client that all functions share. Redirects are not followed, so that an event
//! and its headers go only where the owner of the function said.

mod answer;
mod batch;
mod client;
mod resolver;
mod retry_after;
mod trace_context;

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use futures_util::future::BoxFuture;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, StatusCode, Uri, header, response::Parts};
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper::body::Incoming;

use weir_cloudevents::json;
use weir_domain::{ErrorKind, Limits, error_chain};

use self::trace_context::TraceContext;
use crate::{
    Call, CallError, CallMode, EventForm, Invoke, Outcome,
    batch::one_by_one,
    turns::{Turn, Turns},
};

pub use self::client::HttpClient;

const USER_AGENT: &str = concat!("weir/", env!("CARGO_PKG_VERSION"));

/// How much of the body of a refusal is kept for people, in bytes.
const EXCERPT_BYTES_MAX: usize = 512;
/// How long is waited for it. The status is known already, and counts whether the body comes or not.
const EXCERPT_TIMEOUT: Duration = Duration::from_millis(500);

/// How a function at a URL is called.
#[derive(Clone, Debug)]
pub struct HttpOptions {
    /// How long the whole exchange may take, from the connection to the last byte. Before it a call waits for its turn,
    /// at most as long again, and after it for a moment to learn why it was refused.
    pub timeout: Duration,
    /// Headers that go with every call.
    pub headers: Vec<(String, String)>,
    /// The largest body of an answer.
    pub answer_bytes_max: usize,
    /// How many calls may be under way at once, three quarters of them from the log; further ones wait.
    pub concurrency_max: usize,
    /// What events in an answer may measure.
    pub limits: Limits,
    /// The version of CloudEvents in which events are sent.
    pub form: EventForm,
    /// Whether 500 is the only status that counts as a failure, as the Event Gateway had it.
    pub only_500_fails: bool,
    /// Whether a caller who waits is given nothing but the answers that the Event Gateway knew: JSON objects such as
    /// `{"statusCode":200,"headers":{},"body":""}`, and `null`. Otherwise whatever else comes is given as it is.
    pub only_answer_objects: bool,
}

impl Default for HttpOptions {
    fn default() -> Self {
        let limits = Limits::default();
        Self {
            timeout: Duration::from_secs(5),
            headers: Vec::new(),
            answer_bytes_max: limits.request_bytes_max,
            concurrency_max: 256,
            limits,
            form: EventForm::default(),
            only_500_fails: false,
            only_answer_objects: false,
        }
    }
}

/// Why a function at a URL could not be set up.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HttpSetupError {
    /// The address cannot be called.
    #[error("a function needs an absolute URL such as https://example.com/path: {problem}: {url:?}")]
    Url {
        /// What is wrong.
        problem: &'static str,
        /// The address.
        url: String,
    },
    /// A header cannot be sent.
    #[error("the header cannot be sent, {problem}: {name:?}")]
    Header {
        /// What is wrong.
        problem: &'static str,
        /// Its name; the value may be a secret.
        name: String,
    },
    /// No call could ever begin.
    #[error("the number of calls at once must be at least 1")]
    Concurrency,
}

impl HttpSetupError {
    /// Returns what the reader must do next.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        ErrorKind::Invalid
    }
}

/// A function at a URL.
#[derive(Clone)]
pub struct HttpFunction {
    inner: Arc<Inner>,
}

struct Inner {
    client: HttpClient,
    url: Uri,
    /// Everything that is the same in every call.
    headers: HeaderMap,
    options: HttpOptions,
    turns: Turns,
}

impl HttpFunction {
    /// Sets up a function at this URL. Nothing is sent yet.
    ///
    /// # Errors
    /// Where the URL is not absolute with the scheme `http` or `https`, or a header is not valid.
    pub fn new(client: HttpClient, url: &str, options: HttpOptions) -> Result<Self, HttpSetupError> {
        if options.concurrency_max == 0 {
            return Err(HttpSetupError::Concurrency);
        }
        let inner = Inner {
            client,
            url: parse_url(url)?,
            headers: headers(&options.headers)?,
            turns: Turns::new(options.concurrency_max),
            options,
        };
        Ok(Self { inner: Arc::new(inner) })
    }
}

impl Invoke for HttpFunction {
    fn invoke<'a>(&'a self, call: &'a Call) -> BoxFuture<'a, Result<Outcome, CallError>> {
        Box::pin(self.inner.invoke(call))
    }

    fn invoke_batch<'a>(&'a self, calls: &'a [Call]) -> BoxFuture<'a, Vec<Result<Outcome, CallError>>> {
        // Who waits needs an answer of his own.
        let is_joint = self.takes_batches() && calls.len() > 1 && calls.iter().all(|it| it.mode == CallMode::Async);
        if is_joint { Box::pin(self.inner.invoke_batch(calls)) } else { Box::pin(one_by_one(self, calls)) }
    }

    fn takes_batches(&self) -> bool {
        self.inner.options.form.has_batches()
    }

    fn retire(&self) {
        self.inner.turns.retire();
    }
}

/// What an address answered.
enum Answered {
    /// A success, or what passes for one, to its last byte.
    Whole(Parts, Bytes),
    /// A refusal, whose body is still to come.
    Refused(Parts, Incoming),
}

impl Inner {
    async fn invoke(&self, call: &Call) -> Result<Outcome, CallError> {
        let _turn = self.turn(call.mode).await?;
        let limit = call.limit(self.options.timeout);
        let (head, body) = self.post(self.request(call), call.mode, limit).await?;
        answer::read(call, &head, body, &self.options.limits, self.options.only_answer_objects)
    }

    /// Makes calls from the log as one request: what is wrong with it is wrong for each of them.
    async fn invoke_batch(&self, calls: &[Call]) -> Vec<Result<Outcome, CallError>> {
        match self.try_batch(calls).await {
            Ok(outcomes) => outcomes.into_iter().map(Ok).collect(),
            Err(error) => vec![Err(error); calls.len()],
        }
    }

    async fn try_batch(&self, calls: &[Call]) -> Result<Vec<Outcome>, CallError> {
        let _turn = self.turn(CallMode::Async).await?;
        let own = self.options.timeout;
        let limit = calls.iter().map(|call| call.limit(own)).min().unwrap_or(own);
        let (head, body) = self.post(self.batch_request(calls), CallMode::Async, limit).await?;
        batch::read(calls, &head, body, &self.options.limits)
    }

    async fn turn(&self, mode: CallMode) -> Result<Turn<'_>, CallError> {
        let turn = tokio::time::timeout(self.options.timeout, self.turns.take(mode));
        turn.await.map_err(|_| CallError::Busy)?
    }

    /// Sends a request and returns the answer, if it is no refusal.
    async fn post(
        &self,
        request: Request<Full<Bytes>>,
        mode: CallMode,
        limit: Duration,
    ) -> Result<(Parts, Bytes), CallError> {
        let exchange = tokio::time::timeout(limit, self.exchange(request, mode));
        match exchange.await.unwrap_or(Err(CallError::Timeout { limit }))? {
            Answered::Whole(head, body) => Ok((head, body)),
            Answered::Refused(head, body) => {
                let (code, retry_after) = (head.status.as_u16(), retry_after::read(&head.headers));
                Err(CallError::Status { code, retry_after, body: excerpt(body).await })
            }
        }
    }

    async fn exchange(&self, request: Request<Full<Bytes>>, mode: CallMode) -> Result<Answered, CallError> {
        let response = self.client.request(request).await?;
        let (head, body) = response.into_parts();
        // Asked for an answer, a function may send the caller elsewhere; that is no failure. A value is only that of a
        // success: an authorizer that refuses with a status must not be taken for one that allows.
        let passes = head.status.is_success()
            || (mode == CallMode::Sync && head.status.is_redirection())
            || (self.options.only_500_fails
                && mode != CallMode::Value
                && head.status != StatusCode::INTERNAL_SERVER_ERROR);
        if !passes {
            return Ok(Answered::Refused(head, body));
        }
        let limit_bytes = self.options.answer_bytes_max;
        match Limited::new(body, limit_bytes).collect().await {
            Ok(body) => Ok(Answered::Whole(head, body.to_bytes())),
            Err(error) if error.is::<LengthLimitError>() => Err(CallError::TooLarge { limit_bytes }),
            Err(error) => Err(CallError::Interrupted { message: error_chain(&*error) }),
        }
    }

    fn request(&self, call: &Call) -> Request<Full<Bytes>> {
        let context = TraceContext::of(&call.event, call.span);
        self.request_of(self.options.form.encode(&call.event), context.as_ref())
    }

    fn batch_request(&self, calls: &[Call]) -> Request<Full<Bytes>> {
        let body = EventForm::encode_batch(calls.iter().map(|call| &call.event));
        let mut request = self.request_of(body, TraceContext::shared(calls).as_ref());
        let media_type = HeaderValue::from_static(json::BATCH_CONTENT_TYPE);
        request.headers_mut().insert(header::CONTENT_TYPE, media_type);
        request
    }

    fn request_of(&self, body: Vec<u8>, context: Option<&TraceContext<'_>>) -> Request<Full<Bytes>> {
        let mut request = Request::new(Full::new(Bytes::from(body)));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = self.url.clone();
        *request.headers_mut() = self.headers.clone();
        if let Some(context) = context {
            context.add_to(request.headers_mut());
        }
        request
    }
}

/// Reads the beginning of a body for people. Where it breaks off or stalls, what came is enough.
async fn excerpt(mut body: Incoming) -> String {
    let mut bytes = Vec::new();
    let reading = async {
        while bytes.len() < EXCERPT_BYTES_MAX {
            let Some(Ok(frame)) = body.frame().await else { break };
            if let Some(data) = frame.data_ref() {
                bytes.extend_from_slice(&data[..data.len().min(EXCERPT_BYTES_MAX)]);
            }
        }
    };
    let _ = tokio::time::timeout(EXCERPT_TIMEOUT, reading).await;
    bytes.truncate(EXCERPT_BYTES_MAX);
    String::from_utf8_lossy(&bytes).trim().to_owned()
}

fn parse_url(url: &str) -> Result<Uri, HttpSetupError> {
    let broken = |problem| HttpSetupError::Url { problem, url: url.to_owned() };
    let parsed: Uri = url.parse().map_err(|_| broken("this is no URL"))?;
    if !matches!(parsed.scheme_str(), Some("http" | "https")) {
        return Err(broken("its scheme must be http or https"));
    }
    match parsed.authority() {
        None => Err(broken("it names no host")),
        Some(authority) if authority.as_str().contains('@') => {
            // Not shown, for there may be a password in it.
            let problem = "it must hold no user name and password, send them in a header";
            Err(HttpSetupError::Url { problem, url: parsed.host().unwrap_or_default().to_owned() })
        }
        Some(_) => Ok(parsed),
    }
}

fn headers(given: &[(String, String)]) -> Result<HeaderMap, HttpSetupError> {
    let mut headers = HeaderMap::with_capacity(given.len() + 4);
    headers.insert(header::USER_AGENT, HeaderValue::from_static(USER_AGENT));
    for (name, value) in given {
        let broken = |problem| HttpSetupError::Header { problem, name: name.clone() };
        if crate::answer::is_framing(name) || name.eq_ignore_ascii_case("host") {
            return Err(broken("the client sets it by itself"));
        }
        let header =
            HeaderName::from_bytes(name.as_bytes()).map_err(|_| broken("its name must be a token (RFC 9110)"))?;
        let mut value =
            HeaderValue::from_str(value).map_err(|_| broken("its value has a character that is not allowed"))?;
        value.set_sensitive(true);
        headers.insert(header, value);
    }
    // Last, because the body is what it is.
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(json::CONTENT_TYPE));
    Ok(headers)
}

#[cfg(test)]
mod tests {
    use weir_domain::{Event, FunctionId};

    use super::*;

    #[tokio::test]
    async fn who_gets_no_turn_in_time_was_not_called() {
        let options = HttpOptions { timeout: Duration::from_millis(5), concurrency_max: 2, ..HttpOptions::default() };
        let function = HttpFunction::new(HttpClient::new(), "http://127.0.0.1:1/", options).expect("valid");
        let event = Event::builder("1", "/s", "t").build().expect("valid");
        let id = FunctionId::new("f").expect("valid");
        let call = |mode| Call {
            event: event.clone(),
            key: None,
            function: id.clone(),
            subscription: "s".into(),
            attempt: 1,
            mode,
            span: None,
            timeout: None,
        };
        let one = function.inner.turns.take(CallMode::Async).await.expect("a turn");
        assert_eq!(function.invoke(&call(CallMode::Async)).await, Err(CallError::Busy));
        let two = function.inner.turns.take(CallMode::Sync).await.expect("a turn");
        assert_eq!(function.invoke(&call(CallMode::Sync)).await, Err(CallError::Busy));
        drop((one, two));
        assert_ne!(function.invoke(&call(CallMode::Sync)).await, Err(CallError::Busy));
    }

    #[test]
    fn only_absolute_urls_and_valid_headers_are_taken() {
        let check = |url: &str, header: (&str, &str), problem: Option<&str>| {
            let headers = vec![(header.0.to_owned(), header.1.to_owned())];
            let options = HttpOptions { headers, ..HttpOptions::default() };
            let told = parse_url(url).map(|_| ()).and_then(|()| super::headers(&options.headers).map(|_| ()));
            assert_eq!(told.map_err(|error| error.to_string()).err().as_deref(), problem, "{url} {header:?}");
        };
        let fine = ("authorization", "Bearer s3cret");
        check("http://127.0.0.1:8080/a?b=c", fine, None);
        check("https://example.com", fine, None);
        let url = "a function needs an absolute URL such as https://example.com/path";
        check("/path", fine, Some(&format!("{url}: its scheme must be http or https: \"/path\"")));
        check("ftp://a/", fine, Some(&format!("{url}: its scheme must be http or https: \"ftp://a/\"")));
        check("http://a b/", fine, Some(&format!("{url}: this is no URL: \"http://a b/\"")));
        let user = "it must hold no user name and password, send them in a header";
        check("http://me:pw@example.com/", fine, Some(&format!("{url}: {user}: \"example.com\"")));
        let sent = "the header cannot be sent";
        check("http://a/", ("a b", "1"), Some(&format!("{sent}, its name must be a token (RFC 9110): \"a b\"")));
        check(
            "http://a/",
            ("a", "1\n"),
            Some(&format!("{sent}, its value has a character that is not allowed: \"a\"")),
        );
        check("http://a/", ("Host", "b"), Some(&format!("{sent}, the client sets it by itself: \"Host\"")));
    }
}
