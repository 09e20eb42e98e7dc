//! Functions at AWS: a Lambda function is invoked, a record is put into a stream, a message is sent to a queue.
//!
//! Each call is one POST, signed with Signature Version 4 and sent by the client that all functions share. What is asked
//! of a service is told in `request`, what its answer means in `answer`.
//!
//! | service | operation | order | result |
//! |---|---|---|---|
//! | Lambda | Invoke, request and response | that of the calls | see `answer` |
//! | Kinesis | PutRecord | the partition key is the event's key | none |
//! | Firehose | PutRecord | that of the calls | none |
//! | SQS | SendMessage | of a FIFO queue: the message group is the event's key | none |
//!
//! An event without a key has no order to keep: something derived from its source and id stands in for it. From the same
//! two follows the deduplication id of a FIFO queue, so that a repeated call is one message.

mod answer;
mod request;
mod sign;

use std::{fmt, sync::Arc, time::Duration};

use bytes::Bytes;
use futures_util::future::BoxFuture;
use http::{HeaderName, HeaderValue, Method, Request, Uri, header, response::Parts};
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};

use weir_domain::{Clock, ErrorKind, Limits, error_chain};

use crate::{Call, CallError, CallMode, EventForm, HttpClient, Invoke, Outcome, turns::Turns};

const USER_AGENT: &str = concat!("weir/", env!("CARGO_PKG_VERSION"));
const DATE: HeaderName = HeaderName::from_static("x-amz-date");
const TOKEN: HeaderName = HeaderName::from_static("x-amz-security-token");

/// A service of AWS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AwsService {
    /// Invokes functions.
    Lambda,
    /// Data streams.
    Kinesis,
    /// Delivery streams.
    Firehose,
    /// Queues.
    Sqs,
}

impl AwsService {
    /// Returns its name in host names and signatures.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Lambda => "lambda",
            Self::Kinesis => "kinesis",
            Self::Firehose => "firehose",
            Self::Sqs => "sqs",
        }
    }
}

/// What is called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AwsTarget {
    /// The service.
    pub service: AwsService,
    /// The ARN or name of a function, the name of a stream, or the URL of a queue.
    pub name: String,
    /// The region, such as `eu-central-1`.
    pub region: String,
    /// Another address than that of the region, such as `http://127.0.0.1:4566`.
    pub endpoint: Option<String>,
}

/// In whose name AWS is called. `Debug` shows nothing of it.
#[derive(Clone, PartialEq, Eq)]
pub struct AwsCredentials {
    /// The access key id.
    pub access_key_id: String,
    /// The secret access key.
    pub secret_access_key: String,
    /// The session token of temporary credentials.
    pub session_token: Option<String>,
}

impl fmt::Debug for AwsCredentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AwsCredentials(…)")
    }
}

/// How a function at AWS is called.
#[derive(Clone, Debug)]
pub struct AwsOptions {
    /// In whose name. Without it every call fails, and counts as none: they may come with the next start.
    pub credentials: Option<AwsCredentials>,
    /// How long the whole exchange may take. Before it a call waits for its turn, at most as long again.
    pub timeout: Duration,
    /// The largest body of an answer.
    pub answer_bytes_max: usize,
    /// How many calls may be under way at once, three quarters of them from the log; further ones wait.
    pub concurrency_max: usize,
    /// What events in an answer may measure.
    pub limits: Limits,
    /// The version of CloudEvents in which events are sent.
    pub form: EventForm,
}

impl Default for AwsOptions {
    fn default() -> Self {
        let limits = Limits::default();
        Self {
            credentials: None,
            timeout: Duration::from_secs(60),
            answer_bytes_max: limits.request_bytes_max,
            concurrency_max: 256,
            limits,
            form: EventForm::default(),
        }
    }
}

/// Why a function at AWS could not be set up.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AwsSetupError {
    /// Region and endpoint make no address.
    #[error("the address of the service cannot be called, correct the region or the endpoint: {address:?}")]
    Address {
        /// The address.
        address: String,
    },
    /// Something has a character that no request can carry.
    #[error("what is called and the credentials must be visible ASCII without spaces, correct the {what}")]
    Text {
        /// What has it; the value may be a secret.
        what: &'static str,
    },
    /// No call could ever begin.
    #[error("the number of calls at once must be at least 1")]
    Concurrency,
}

impl AwsSetupError {
    /// Returns what the reader must do next.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        ErrorKind::Invalid
    }
}

/// A function at AWS.
#[derive(Clone)]
pub struct AwsFunction {
    inner: Arc<Inner>,
}

struct Inner {
    client: HttpClient,
    clock: Arc<dyn Clock>,
    target: AwsTarget,
    url: Uri,
    /// The host as the client sends it, which is signed.
    host: String,
    options: AwsOptions,
    turns: Turns,
}

impl AwsFunction {
    /// Sets up a function at AWS. Nothing is sent yet.
    ///
    /// # Errors
    /// Where there is no address, or a text cannot be sent.
    pub fn new(
        client: HttpClient,
        clock: Arc<dyn Clock>,
        target: AwsTarget,
        options: AwsOptions,
    ) -> Result<Self, AwsSetupError> {
        if options.concurrency_max == 0 {
            return Err(AwsSetupError::Concurrency);
        }
        check_texts(&target, options.credentials.as_ref())?;
        let (url, host) = address(&target)?;
        let turns = Turns::new(options.concurrency_max);
        Ok(Self { inner: Arc::new(Inner { client, clock, target, url, host, options, turns }) })
    }
}

impl Invoke for AwsFunction {
    fn invoke<'a>(&'a self, call: &'a Call) -> BoxFuture<'a, Result<Outcome, CallError>> {
        Box::pin(self.inner.invoke(call))
    }

    fn retire(&self) {
        self.inner.turns.retire();
    }
}

impl Inner {
    async fn invoke(&self, call: &Call) -> Result<Outcome, CallError> {
        if call.mode == CallMode::Value && self.target.service != AwsService::Lambda {
            return Err(CallError::malformed("only a Lambda function has a result: a stream or a queue has none"));
        }
        let turn = tokio::time::timeout(self.options.timeout, self.turns.take(call.mode));
        let _turn = turn.await.map_err(|_| CallError::Busy)??;
        let limit = call.limit(self.options.timeout);
        let exchange = tokio::time::timeout(limit, self.exchange(call));
        let (head, body) = exchange.await.unwrap_or(Err(CallError::Timeout { limit }))?;
        answer::read(self.target.service, call, &head, body, &self.options.limits)
    }

    async fn exchange(&self, call: &Call) -> Result<(Parts, Bytes), CallError> {
        let response = self.client.request(self.request(call)?).await?;
        let (head, body) = response.into_parts();
        let limit_bytes = self.options.answer_bytes_max;
        match Limited::new(body, limit_bytes).collect().await {
            Ok(body) => Ok((head, body.to_bytes())),
            Err(error) if error.is::<LengthLimitError>() => Err(CallError::TooLarge { limit_bytes }),
            Err(error) => Err(CallError::Interrupted { message: error_chain(&*error) }),
        }
    }

    /// Makes the request. The date is part of the signature, so it is made anew for each attempt.
    fn request(&self, call: &Call) -> Result<Request<Full<Bytes>>, CallError> {
        let Some(credentials) = &self.options.credentials else {
            let message = "there are no credentials: give awsAccessKeyId and awsSecretAccessKey to the function, or \
                           AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY to the server";
            return Err(CallError::NotReady { message: message.to_owned() });
        };
        let AwsTarget { service, name, region, .. } = &self.target;
        let body = request::body(*service, name, call, self.options.form);
        let time = sign::time(self.clock.now());
        let mut headers = request::headers(*service);
        let text = |text: &str| {
            HeaderValue::from_str(text).map_err(|_| CallError::NotReady {
                message: "a header for AWS has a character that HTTP does not allow".to_owned(),
            })
        };
        headers.insert(DATE, text(&time)?);
        if let Some(token) = &credentials.session_token {
            headers.insert(TOKEN, text(token)?);
        }
        let scope = sign::Scope { region, service: service.name() };
        let signed = sign::Signed { host: &self.host, path: self.url.path(), headers: &headers, body: &body };
        let authorization = sign::authorization(credentials, &scope, &time, &signed);
        let mut authorization = text(&authorization)?;
        authorization.set_sensitive(true);
        headers.insert(header::AUTHORIZATION, authorization);
        headers.insert(header::USER_AGENT, HeaderValue::from_static(USER_AGENT));
        let mut request = Request::new(Full::new(Bytes::from(body)));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = self.url.clone();
        *request.headers_mut() = headers;
        Ok(request)
    }
}

fn check_texts(target: &AwsTarget, credentials: Option<&AwsCredentials>) -> Result<(), AwsSetupError> {
    let mut texts = vec![("name", target.name.as_str())];
    if let Some(AwsCredentials { access_key_id, secret_access_key, session_token }) = credentials {
        texts.extend([("access key id", access_key_id.as_str()), ("secret access key", secret_access_key.as_str())]);
        texts.extend(session_token.as_deref().map(|token| ("session token", token)));
    }
    for (what, text) in texts {
        if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(AwsSetupError::Text { what });
        }
    }
    Ok(())
}

/// Returns the URL that is called, and the host as the client will name it: without the port that the scheme has anyway.
fn address(target: &AwsTarget) -> Result<(Uri, String), AwsSetupError> {
    let AwsTarget { service, name, region, endpoint } = target;
    let place = match endpoint {
        Some(endpoint) => endpoint.trim_end_matches('/').to_owned(),
        None => {
            // The partition of China has a domain of its own.
            let domain = if region.starts_with("cn-") { "amazonaws.com.cn" } else { "amazonaws.com" };
            format!("https://{}.{region}.{domain}", service.name())
        }
    };
    let broken = || AwsSetupError::Address { address: place.clone() };
    let parsed: Uri = format!("{place}{}", request::path(*service, name)).parse().map_err(|_| broken())?;
    let scheme = parsed.scheme_str().filter(|scheme| matches!(*scheme, "http" | "https")).ok_or_else(broken)?;
    let authority = parsed.authority().filter(|authority| !authority.as_str().contains('@')).ok_or_else(broken)?;
    let host = match (scheme, authority.port_u16()) {
        (_, None) | ("http", Some(80)) | ("https", Some(443)) => authority.host().to_owned(),
        (_, Some(port)) => format!("{}:{port}", authority.host()),
    };
    let url = Uri::builder().scheme(scheme).authority(host.as_str()).path_and_query(parsed.path()).build();
    Ok((url.map_err(|_| broken())?, host))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_follow_from_service_and_region() {
        let check = |service, name: &str, region: &str, endpoint: Option<&str>, expected: Option<(&str, &str)>| {
            let endpoint = endpoint.map(str::to_owned);
            let target = AwsTarget { service, name: name.into(), region: region.into(), endpoint };
            let found = address(&target).ok().map(|(url, host)| (url.to_string(), host));
            assert_eq!(found, expected.map(|(url, host)| (url.to_owned(), host.to_owned())), "{target:?}");
        };
        let queue = "https://sqs.eu-central-1.amazonaws.com/123456789012/orders";
        let host = "sqs.eu-central-1.amazonaws.com";
        check(AwsService::Sqs, queue, "eu-central-1", None, Some(("https://sqs.eu-central-1.amazonaws.com/", host)));
        let host = "kinesis.cn-north-1.amazonaws.com.cn";
        let url = "https://kinesis.cn-north-1.amazonaws.com.cn/";
        check(AwsService::Kinesis, "orders", "cn-north-1", None, Some((url, host)));
        let local = "127.0.0.1:4566";
        check(AwsService::Firehose, "a", "r", Some("http://127.0.0.1:4566/"), Some(("http://127.0.0.1:4566/", local)));
        check(AwsService::Firehose, "a", "r", Some("https://aws.test:443"), Some(("https://aws.test/", "aws.test")));
        let invoke = "http://[::1]:9000/2015-03-31/functions/arn%3Aaws%3Alambda%3Ar%3A1%3Afunction%3Af/invocations";
        let arn = "arn:aws:lambda:r:1:function:f";
        check(AwsService::Lambda, arn, "r", Some("http://[::1]:9000"), Some((invoke, "[::1]:9000")));
        for broken in ["ftp://a", "a", "http://", "http://me:pw@a"] {
            check(AwsService::Kinesis, "a", "r", Some(broken), None);
        }
        check(AwsService::Kinesis, "a", "a b", None, None);
    }
}
