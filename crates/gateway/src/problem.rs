//! What goes wrong, as an answer: `{"errors":[{"message":"…"}]}`, and in one place which status a kind of error has.
//!
//! There is one entry, but where data break a schema: then each violation has an entry with its place, and where there are
//! more than are listed, a last one says so.
//!
//! Messages of errors go out as they are, except where the error is a fault of the server: then the client learns no
//! more than that, and the operator reads the rest in the log of the server.

use std::{borrow::Cow, error::Error, time::Duration};

use axum::{
    extract::rejection::PathRejection,
    response::{IntoResponse, Response},
};
use http::{
    HeaderValue, StatusCode,
    header::{ALLOW, RETRY_AFTER, WWW_AUTHENTICATE},
};
use serde::Serialize;
use serde_json::json;
use weir_catalog::{CatalogError, Detail, MethodSet, Resource, Violations, limits};
use weir_cloudevents::DecodeError;
use weir_domain::{ErrorKind, Position, error_chain};
use weir_flow::{CallFailure, ChangeError, Refusal, Unmet};
use weir_log::LogError;

use crate::{
    answer,
    openapi::{Member, text},
};

/// When to repeat a request where nothing more is known.
const RETRY_AFTER_DEFAULT: Duration = Duration::from_secs(1);

/// What the Event Gateway says when a function failed.
const CALL_FAILED: &str = "Function call failed. Please check logs.";
/// What the Event Gateway says when a function answered something else than an HTTP response.
const ANSWER_MALFORMED: &str = "HTTP response object malformed";

/// An answer that says what is wrong.
#[derive(Debug)]
pub(crate) struct Problem {
    status: StatusCode,
    message: Cow<'static, str>,
    /// What to do, where the message is one that clients compare and that therefore cannot say it.
    cure: Option<String>,
    retry_after: Option<Duration>,
    allow: Option<MethodSet>,
    /// How the caller can be known (RFC 9110, section 11.6.1).
    challenge: Option<&'static str>,
    broken: Option<Box<Broken>>,
}

/// Data that break a schema.
#[derive(Debug)]
struct Broken {
    violations: Violations,
    /// Where the event stands in its batch.
    index: Option<usize>,
}

/// Tells the status of a kind of error.
fn status(kind: ErrorKind) -> StatusCode {
    match kind {
        ErrorKind::Invalid => StatusCode::BAD_REQUEST,
        ErrorKind::Denied => StatusCode::FORBIDDEN,
        ErrorKind::NotFound => StatusCode::NOT_FOUND,
        ErrorKind::Conflict => StatusCode::CONFLICT,
        ErrorKind::Unavailable { .. } | ErrorKind::Closed => StatusCode::SERVICE_UNAVAILABLE,
        ErrorKind::Corrupt | ErrorKind::Internal => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

impl Problem {
    /// Makes a problem with any status.
    pub(crate) fn new(status: StatusCode, message: impl Into<Cow<'static, str>>) -> Self {
        Self {
            status,
            message: message.into(),
            cure: None,
            retry_after: None,
            allow: None,
            challenge: None,
            broken: None,
        }
    }

    /// Makes a problem of an error of this kind.
    pub(crate) fn of(kind: ErrorKind, error: &(dyn Error + 'static)) -> Self {
        match kind {
            ErrorKind::Corrupt | ErrorKind::Internal => Self::internal(&error_chain(error)),
            ErrorKind::Closed => Self::unavailable("the server is shutting down: repeat the request later"),
            ErrorKind::Unavailable { retry_after } => Self {
                retry_after: retry_after.or(Some(RETRY_AFTER_DEFAULT)),
                ..Self::new(status(kind), error.to_string())
            },
            _ => Self::new(status(kind), error.to_string()),
        }
    }

    /// Makes the problem that the request is wrong.
    pub(crate) fn invalid(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(status(ErrorKind::Invalid), message)
    }

    /// Makes the problem that the caller has no right to this.
    pub(crate) fn denied(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(status(ErrorKind::Denied), message)
    }

    /// Makes the problem that something has more bytes than it may, in the words of the codec.
    pub(crate) fn too_large(what: &str, given: u64, limit: usize) -> Self {
        Self::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            format!("the {what} in bytes is {given}, over the limit of {limit}: send less"),
        )
    }

    /// Makes the problem that something is at another version than the request asks for; `None` where it is not there.
    pub(crate) fn precondition(unmet: Unmet, version: Option<Position>) -> Self {
        let message = match (unmet, version) {
            (_, None) => "the header If-Match asks for something that is there, and it is not".to_owned(),
            (Unmet::Matches, Some(version)) => {
                format!("the header If-Match does not name the present tag, which is \"{version}\"")
            }
            (Unmet::MatchesNone, Some(version)) => {
                format!("the header If-None-Match excludes the present tag, which is \"{version}\"")
            }
        };
        let cure = "read it again, and repeat the request with the present tag if it is still what you want";
        Self { cure: Some(cure.to_owned()), ..Self::new(StatusCode::PRECONDITION_FAILED, message) }
    }

    /// Makes the problem that there is no room at this moment.
    pub(crate) fn unavailable(message: impl Into<Cow<'static, str>>) -> Self {
        let kind = ErrorKind::Unavailable { retry_after: Some(RETRY_AFTER_DEFAULT) };
        Self { retry_after: Some(RETRY_AFTER_DEFAULT), ..Self::new(status(kind), message) }
    }

    /// Makes the problem that the caller sends too many requests.
    pub(crate) fn too_many(wait: Duration) -> Self {
        let message = "too many requests in a short time: repeat the request when the time of Retry-After has passed";
        Self { retry_after: Some(wait), ..Self::new(StatusCode::TOO_MANY_REQUESTS, message) }
    }

    /// Makes the problem that the server is at fault; the detail is for its operator.
    pub(crate) fn internal(detail: &str) -> Self {
        tracing::error!(error = detail, "a request failed");
        Self::new(status(ErrorKind::Internal), "the server failed: tell its operator, who finds the cause in its log")
    }

    /// Says what to do about it.
    pub(crate) fn cured_by(self, cure: impl Into<String>) -> Self {
        Self { cure: Some(cure.into()), ..self }
    }

    /// Says which methods there are.
    pub(crate) fn allowing(self, methods: MethodSet) -> Self {
        Self { allow: Some(methods), ..self }
    }

    /// Says how the caller can be known.
    pub(crate) fn challenging(self, challenge: &'static str) -> Self {
        Self { challenge: Some(challenge), ..self }
    }

    /// Says which event of a batch the problem is about, in the words of the codec.
    pub(crate) fn in_batch(self, index: usize) -> Self {
        let message = format!("{}{}", in_batch(index), self.message);
        let broken = self.broken.map(|broken| Box::new(Broken { index: Some(index), ..*broken }));
        Self { message: message.into(), broken, ..self }
    }

    fn entries(&self) -> Vec<Entry<'_>> {
        let Some(broken) = &self.broken else {
            return vec![Entry {
                message: Cow::Borrowed(&self.message),
                cure: self.cure.as_deref(),
                ..Entry::default()
            }];
        };
        let Broken { violations, index } = &**broken;
        let which = index.map(in_batch).unwrap_or_default();
        let entry = |message: String, pointer| Entry {
            message: Cow::Owned(format!("{which}{message}")),
            pointer,
            index: *index,
            ..Entry::default()
        };
        let listed = violations.iter().map(|it| {
            let message = format!("the data break the schema at {}: {}", it.pointer(), it.message());
            entry(message, Some(it.pointer()))
        });
        let rest = match violations.more() {
            Some(0) => None,
            Some(more) => Some(format!("the data break the schema in {more} more places: correct those above first")),
            None => Some("whether the data break the schema in more places was not looked for".to_owned()),
        };
        listed.chain(rest.map(|message| entry(message, None))).collect()
    }

    pub(crate) fn message(&self) -> &str {
        &self.message
    }

    /// Returns the status.
    pub(crate) fn status(&self) -> StatusCode {
        self.status
    }
}

/// What stands in front of a message about one event of a batch.
fn in_batch(index: usize) -> String {
    format!("event {index} of the batch, counted from 0: ")
}

#[derive(Serialize)]
struct Envelope<'a> {
    errors: Vec<Entry<'a>>,
}

#[derive(Default, Serialize)]
struct Entry<'a> {
    message: Cow<'a, str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cure: Option<&'a str>,
    /// The place in the event: a JSON pointer that begins with `/data`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pointer: Option<&'a str>,
    /// The place of the event in its batch, counted from 0.
    #[serde(skip_serializing_if = "Option::is_none")]
    index: Option<usize>,
}

/// What is told of an [`Entry`].
pub(crate) const MEMBERS: &[Member] = &[
    Member::new("message", || {
        json!({
            "type": "string",
            "description": "What is wrong. On the Events API it also says what to do; on the Configuration API these are the \
                            words of the Event Gateway, which clients may compare.",
        })
    }),
    Member::new(
        "cure",
        || json!({ "type": "string", "description": "What to do about it. On the Configuration API only." }),
    ),
    Member::new("pointer", || {
        let about = "The place in the event where data break the schema: `/data` and a JSON Pointer (RFC 6901). On the Events \
                     API only.";
        text(about, "/data".len() + limits::POINTER_BYTES_MAX)
    }),
    Member::new("index", || {
        let about = "The place of the event in its batch, counted from 0. On the Events API only.";
        json!({ "type": "integer", "description": about, "minimum": 0 })
    }),
];

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut response = answer::json(self.status, &Envelope { errors: self.entries() });
        if let Some(wait) = self.retry_after {
            let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
            response.headers_mut().insert(RETRY_AFTER, seconds.max(1).into());
        }
        if let Some(methods) = self.allow {
            let value = HeaderValue::try_from(methods.to_string()).expect("names of methods are ASCII");
            response.headers_mut().insert(ALLOW, value);
        }
        if let Some(challenge) = self.challenge {
            response.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static(challenge));
        }
        response
    }
}

impl From<DecodeError> for Problem {
    fn from(error: DecodeError) -> Self {
        Self::new(error.status(), error.to_string())
    }
}

impl From<LogError> for Problem {
    fn from(error: LogError) -> Self {
        match &error {
            LogError::TooLarge { .. } => Self::new(StatusCode::PAYLOAD_TOO_LARGE, error.to_string()),
            // It names files of the server.
            LogError::Io { .. } => {
                tracing::warn!(error = error_chain(&error), "the log failed");
                Self::unavailable("the log cannot be read or written at this moment: repeat the request later")
            }
            _ => Self::of(error.kind(), &error),
        }
    }
}

impl From<Refusal> for Problem {
    fn from(error: Refusal) -> Self {
        let problem = Self::of(error.kind(), &error);
        match error {
            Refusal::Schema { violations, .. } => {
                Self { broken: Some(Box::new(Broken { violations, index: None })), ..problem }
            }
            _ => problem,
        }
    }
}

impl From<CatalogError> for Problem {
    fn from(error: CatalogError) -> Self {
        Self { cure: Some(error.cure()), ..Self::of(error.kind(), &error) }
    }
}

impl From<ChangeError> for Problem {
    fn from(error: ChangeError) -> Self {
        match error {
            ChangeError::Catalog(error) => error.into(),
            ChangeError::Log(error) => error.into(),
            ChangeError::Precondition { unmet, version } => Self::precondition(unmet, version),
            ChangeError::Function { source: ref why, .. } => match why.kind() {
                ErrorKind::Invalid => {
                    let detail = Detail::new(why.to_string(), why.cure());
                    CatalogError::invalid(Resource::Function, detail).into()
                }
                // Nothing is wrong with what was sent, and it says itself what there was no room or time for.
                kind @ ErrorKind::Unavailable { .. } => {
                    Self { cure: Some(why.cure().to_owned()), ..Self::of(kind, why) }
                }
                kind => Self::of(kind, &error),
            },
            other => Self::of(other.kind(), &other),
        }
    }
}

impl From<CallFailure> for Problem {
    fn from(error: CallFailure) -> Self {
        match error {
            CallFailure::Refused(refusal) => refusal.into(),
            CallFailure::Log(error) => error.into(),
            // Why, the flow has told its observer: of which function and which event, only that knows.
            CallFailure::Failed { .. } => Self::new(status(ErrorKind::Internal), CALL_FAILED),
            CallFailure::Service { code, .. } => {
                Self::new(status(ErrorKind::Internal), access_failed(&code).unwrap_or(CALL_FAILED))
            }
            CallFailure::Malformed { .. } => Self::malformed_answer(),
            other => Self::of(other.kind(), &other),
        }
    }
}

/// What the Event Gateway told a caller where AWS did not let it call the function.
fn access_failed(code: &str) -> Option<&'static str> {
    match code {
        "AccessDeniedException" => Some(
            "Function call failed with AccessDeniedException. The provided credentials do not have the required IAM \
             permissions to invoke this function. Please attach the lambda:invokeFunction permission to these credentials.",
        ),
        "UnrecognizedClientException" => Some(
            "Function call failed with UnrecognizedClientException. The provided credentials are invalid. Please provide \
             valid credentials.",
        ),
        "ExpiredTokenException" => Some(
            "Function call failed with ExpiredTokenException. The provided security token for the function has expired. \
             Please provide an updated security token or provide permanent credentials.",
        ),
        _ => None,
    }
}

impl Problem {
    /// Makes the problem that a function answered something else than an HTTP response.
    pub(crate) fn malformed_answer() -> Self {
        Self::new(status(ErrorKind::Internal), ANSWER_MALFORMED)
    }
}

impl From<PathRejection> for Problem {
    fn from(rejection: PathRejection) -> Self {
        Self::new(rejection.status(), format!("the path cannot be read: {}", rejection.body_text()))
    }
}

#[cfg(test)]
mod tests {
    use std::{io, path::PathBuf};

    use axum::body::to_bytes;
    use weir_catalog::Method;
    use weir_flow::MakeError;

    use super::*;

    async fn check(problem: impl Into<Problem>, expected_status: u16, retry_after: Option<&str>, body: &str) {
        let response = problem.into().into_response();
        assert_eq!(response.status().as_u16(), expected_status, "{body}");
        assert_eq!(response.headers()["content-type"], "application/json");
        let header = response.headers().get(RETRY_AFTER).map(|value| value.to_str().expect("ASCII").to_owned());
        assert_eq!(header.as_deref(), retry_after, "{body}");
        let bytes = to_bytes(response.into_body(), usize::MAX).await.expect("a body in memory");
        assert_eq!(String::from_utf8_lossy(&bytes), body);
    }

    #[tokio::test]
    async fn errors_of_the_log() {
        let full = LogError::DiskFull(io::Error::from(io::ErrorKind::StorageFull));
        let text = "no space is left on the disk that holds the log: free some and repeat the append";
        check(full, 503, Some("5"), &format!(r#"{{"errors":[{{"message":"{text}"}}]}}"#)).await;
        let text = "the log has more work waiting than it holds: repeat the append later";
        check(LogError::Overloaded, 503, Some("1"), &format!(r#"{{"errors":[{{"message":"{text}"}}]}}"#)).await;
        let text = "the server is shutting down: repeat the request later";
        check(LogError::Closed, 503, Some("1"), &format!(r#"{{"errors":[{{"message":"{text}"}}]}}"#)).await;
        let large = LogError::TooLarge { bytes: 2, bytes_max: 1 };
        let text = "the batch has 2 bytes, and at most 1 can be written at once: split it";
        check(large, 413, None, &format!(r#"{{"errors":[{{"message":"{text}"}}]}}"#)).await;
        // Neither paths nor what is in files goes out.
        let path = || PathBuf::from("/var/lib/weir/1.segment");
        let io = LogError::Io { operation: "write", path: path(), source: io::Error::from(io::ErrorKind::Other) };
        let text = "the log cannot be read or written at this moment: repeat the request later";
        check(io, 503, Some("1"), &format!(r#"{{"errors":[{{"message":"{text}"}}]}}"#)).await;
        let corrupt = LogError::Corrupt { file: path(), offset: 7, detail: "secret".into() };
        let text = "the server failed: tell its operator, who finds the cause in its log";
        check(corrupt, 500, None, &format!(r#"{{"errors":[{{"message":"{text}"}}]}}"#)).await;
    }

    #[tokio::test]
    async fn errors_of_the_catalog_have_the_cure_beside() {
        check(
            CatalogError::not_found(Resource::Function, "f"),
            404,
            None,
            r#"{"errors":[{"message":"Function \"f\" not found.","cure":"list what the space has, and check the name"}]}"#,
        )
        .await;
        let exists = CatalogError::AlreadyExists { resource: Resource::Function, id: "f".into() };
        let text = r#"{"errors":[{"message":"Function \"f\" already registered.","cure":"update what exists, or delete it first"}]}"#;
        check(exists, 409, None, text).await;
        let stopped = ChangeError::Log(LogError::Closed);
        let text = r#"{"errors":[{"message":"the server is shutting down: repeat the request later"}]}"#;
        check(stopped, 503, Some("1"), text).await;
    }

    #[tokio::test]
    async fn of_functions_that_cannot_be_made_it_is_told_whose_turn_it_is() {
        let refused = |kind: ErrorKind| {
            let source = MakeError::new(kind, "it is too much: the limit is 5 ms", "do less");
            ChangeError::Function { id: "f".into(), source }
        };
        let text = r#"{"errors":[{"message":"Function doesn't validate. Validation error: it is too much: the limit is 5 ms","cure":"do less"}]}"#;
        check(refused(ErrorKind::Invalid), 400, None, text).await;
        let text = r#"{"errors":[{"message":"it is too much: the limit is 5 ms","cure":"do less"}]}"#;
        check(refused(ErrorKind::Unavailable { retry_after: None }), 503, Some("1"), text).await;
        let retry_after = Some(Duration::from_secs(60));
        check(refused(ErrorKind::Unavailable { retry_after }), 503, Some("60"), text).await;
        // What it is about is for the operator.
        let text = r#"{"errors":[{"message":"the server failed: tell its operator, who finds the cause in its log"}]}"#;
        check(refused(ErrorKind::Internal), 500, None, text).await;
    }

    #[tokio::test]
    async fn failed_calls_speak_as_the_event_gateway_did() {
        let failed = CallFailure::Failed { message: "it threw".into(), kind: ErrorKind::Internal };
        let text = r#"{"errors":[{"message":"Function call failed. Please check logs."}]}"#;
        check(failed, 500, None, text).await;
        let denied = |code: &str| CallFailure::Service { code: code.into(), message: "403".into() };
        check(denied("ResourceNotFoundException"), 500, None, text).await;
        let expired = Problem::from(denied("ExpiredTokenException"));
        let text = "Function call failed with ExpiredTokenException. The provided security token for the function has \
                    expired. Please provide an updated security token or provide permanent credentials.";
        assert_eq!(expired.message(), text);
        let malformed = CallFailure::Malformed { message: "no object".into() };
        check(malformed, 500, None, r#"{"errors":[{"message":"HTTP response object malformed"}]}"#).await;
        let busy = Problem::from(CallFailure::Busy);
        assert_eq!(busy.status(), StatusCode::SERVICE_UNAVAILABLE);
    }

    #[test]
    fn methods_and_places_are_told() {
        let methods = MethodSet::EMPTY.with(Method::Get).with(Method::Put);
        let response = Problem::new(StatusCode::METHOD_NOT_ALLOWED, "no").allowing(methods).into_response();
        assert_eq!(response.headers()[ALLOW], "GET, PUT");
        let problem = Problem::invalid("it is wrong").in_batch(3);
        assert_eq!(problem.message(), "event 3 of the batch, counted from 0: it is wrong");
        let problem = Problem::too_large("body", 17, 16);
        assert_eq!(
            (problem.status().as_u16(), problem.message()),
            (413, "the body in bytes is 17, over the limit of 16: send less")
        );
    }
}
