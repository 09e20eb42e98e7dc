//! Functions at a URL, against a small server.

use std::{
    convert::Infallible,
    future,
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Duration,
};

use bytes::Bytes;
use futures_util::{StreamExt, stream};
use http::{HeaderMap, Request, Response};
use http_body_util::{BodyExt, Full, StreamBody, combinators::BoxBody};
use hyper::{
    body::{Frame, Incoming},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::TokioIo;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};

use weir_cloudevents::json as codec;
use weir_domain::{AttributeValue, Data, Event, Limits};
use weir_functions::{
    Call, CallError, CallMode, Draft, EventForm, HttpClient, HttpFunction, HttpOptions, Invoke, Outcome,
};

use crate::rig::{answer, ask, call, event, invoke, json, only, value};

const EVENT: &str = r#"{"specversion":"1.0","id":"9","source":"/f","type":"done","n":5,"data":{"a":1}}"#;

/// A server that answers as the path says, and the requests that it got.
pub(crate) struct Server {
    address: SocketAddr,
    seen: Arc<Mutex<Vec<(HeaderMap, Bytes)>>>,
}

impl Server {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let seen = Arc::new(Mutex::new(Vec::new()));
        let inside = Arc::clone(&seen);
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.expect("a connection");
                let seen = Arc::clone(&inside);
                let service = service_fn(move |request: Request<Incoming>| {
                    let seen = Arc::clone(&seen);
                    async move {
                        let (head, body) = request.into_parts();
                        let body = body.collect().await.expect("a body").to_bytes();
                        seen.lock().expect("not poisoned").push((head.headers, body));
                        Ok::<_, Infallible>(respond(head.uri.path()).await)
                    }
                });
                // A client that goes away in the midst of an exchange is one of the tests.
                tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
            }
        });
        Self { address, seen }
    }

    pub(crate) fn function(&self, path: &str, options: HttpOptions) -> HttpFunction {
        let url = format!("http://{}{path}", self.address);
        HttpFunction::new(HttpClient::new(), &url, options).expect("valid")
    }

    /// The requests since the last time.
    pub(crate) fn requests(&self) -> Vec<(HeaderMap, Bytes)> {
        std::mem::take(&mut *self.seen.lock().expect("not poisoned"))
    }

    /// The one request since the last time.
    pub(crate) fn request(&self) -> (HeaderMap, Bytes) {
        let mut seen = self.requests();
        assert_eq!(seen.len(), 1);
        seen.remove(0)
    }
}

async fn respond(path: &str) -> Response<BoxBody<Bytes, Infallible>> {
    let (status, headers, body): (u16, &[(&str, &str)], String) = match path {
        "/structured" => (200, &[("content-type", "application/cloudevents+json")], EVENT.into()),
        "/batch" => (200, &[("content-type", "application/cloudevents-batch+json")], format!("[{EVENT},{EVENT}]")),
        "/caused" => {
            let event = |id: &str, cause: &str| {
                format!(r#"{{"specversion":"1.0","id":"{id}","source":"/f","type":"done","causationid":"{cause}"}}"#)
            };
            let batch = format!("[{},{},{}]", event("a", "2"), event("b", "1"), event("c", "2"));
            (200, &[("content-type", "application/cloudevents-batch+json")], batch)
        }
        "/binary" => (
            202,
            &[
                ("content-type", "application/json"),
                ("ce-specversion", "1.0"),
                ("ce-id", "9"),
                ("ce-source", "/f"),
                ("ce-type", "done"),
            ],
            r#"{"a":1}"#.into(),
        ),
        "/sloppy" => (200, &[("content-type", "json")], "ok".into()),
        "/twice" => (200, &[("content-type", "text/plain"), ("content-type", "text/plain")], "ok".into()),
        "/stray" => (200, &[("ce-type", "done")], "ok".into()),
        "/foreign" => (200, &[("content-type", "application/cloudevents+avro")], "ok".into()),
        "/invalid" => (200, &[("content-type", "application/cloudevents+json")], "{}".into()),
        "/gateway" => {
            let object = r#"{"statusCode":206,"headers":{"x-custom":"1"},"body":"part"}"#;
            (200, &[("content-type", "application/json")], object.into())
        }
        "/odd" => (200, &[("content-type", "application/json")], r#"{"statusCode":1000}"#.into()),
        "/plain" => (203, &[("content-type", "text/html"), ("x-b", "2")], "<p>".into()),
        "/empty" => (204, &[], String::new()),
        "/moved" => (302, &[("location", "/plain")], String::new()),
        "/missing" | "/stalled" => (404, &[], "no such order".into()),
        "/broken" => (500, &[], String::new()),
        "/busy" => (429, &[("retry-after", "7")], String::new()),
        "/large" => (200, &[], "x".repeat(5000)),
        "/never" => future::pending().await,
        other => panic!("an unknown path: {other}"),
    };
    let mut response = Response::builder().status(status);
    for (name, value) in headers {
        response = response.header(*name, *value);
    }
    let body = Bytes::from(body);
    let body = if path == "/stalled" {
        // After it, nothing comes, not even the end.
        let frame = Ok::<_, Infallible>(Frame::data(body));
        BoxBody::new(StreamBody::new(stream::iter([frame]).chain(stream::pending())))
    } else {
        BoxBody::new(Full::new(body))
    };
    response.body(body).expect("valid")
}

fn done() -> Draft {
    Draft { id: Some("9".into()), source: Some("/f".into()), data: json(r#"{"a":1}"#), ..Draft::new("done") }
}

#[tokio::test]
async fn the_event_goes_out_in_structured_mode_with_headers_and_trace() {
    let server = Server::start().await;
    let headers = vec![("authorization".to_owned(), "Bearer s3cret".to_owned())];
    let function = server.function("/empty", HttpOptions { headers, ..HttpOptions::default() });
    let trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    let event = Event::builder("1", "/source", "t")
        .extension("traceparent", AttributeValue::String(trace))
        .extension("tracestate", AttributeValue::String("a=1"))
        .data(json("[1]"))
        .build()
        .expect("valid");
    let sent: Call = call(CallMode::Async, event.clone());
    assert_eq!(function.invoke(&sent).await, Ok(Outcome::Events(Vec::new())));
    let (headers, body) = server.request();
    let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    assert_eq!(header("content-type"), Some("application/cloudevents+json"));
    assert_eq!(header("authorization"), Some("Bearer s3cret"));
    assert_eq!((header("traceparent"), header("tracestate")), (Some(trace), Some("a=1")));
    assert_eq!(codec::decode(&body, &Limits::default()), Ok(event));
}

#[tokio::test]
async fn every_answer_has_its_meaning() {
    let server = Server::start().await;
    let one = Draft { extensions: vec![("n".into(), weir_functions::DraftValue::Integer(5))], ..done() };
    let binary = Draft { datacontenttype: Some("application/json".into()), ..done() };
    let nothing = || Ok(Outcome::Events(Vec::new()));
    let check = async |path: &str, from_the_log: Result<Outcome, CallError>, awaited: Result<Outcome, CallError>| {
        let function = server.function(path, HttpOptions::default());
        assert_eq!(told(invoke(&function, "t", Data::None).await), told(from_the_log), "{path}");
        assert_eq!(told(ask(&function, "t", Data::None).await), told(awaited), "{path}");
    };
    let events = |drafts: &[&Draft]| Ok(Outcome::Events(drafts.iter().copied().cloned().collect()));
    check("/structured", events(&[&one]), events(&[&one])).await;
    check("/batch", events(&[&one, &one]), events(&[&one, &one])).await;
    check("/binary", events(&[&binary]), events(&[&binary])).await;
    check("/gateway", nothing(), Ok(answer(206, &[("x-custom", "1")], b"part"))).await;
    check("/plain", nothing(), Ok(answer(203, &[("content-type", "text/html"), ("x-b", "2")], b"<p>"))).await;
    check("/empty", nothing(), Ok(answer(204, &[], b""))).await;
    check("/sloppy", nothing(), Ok(answer(200, &[("content-type", "json")], b"ok"))).await;
    let twice = [("content-type", "text/plain"), ("content-type", "text/plain")];
    check("/twice", nothing(), Ok(answer(200, &twice, b"ok"))).await;
    check("/stray", nothing(), Ok(answer(200, &[("ce-type", "done")], b"ok"))).await;

    let status = |code, retry_after: Option<u64>, body: &str| {
        let retry_after = retry_after.map(Duration::from_secs);
        Err(CallError::Status { code, retry_after, body: body.into() })
    };
    check("/moved", status(302, None, ""), Ok(answer(302, &[("location", "/plain")], b""))).await;
    check("/missing", status(404, None, "no such order"), status(404, None, "no such order")).await;
    check("/stalled", status(404, None, "no such order"), status(404, None, "no such order")).await;
    check("/busy", status(429, Some(7), ""), status(429, Some(7), "")).await;

    let malformed = async |path: &str, problem: &str| {
        let function = server.function(path, HttpOptions::default());
        let error = ask(&function, "t", Data::None).await.expect_err("malformed");
        assert!(matches!(&error, CallError::Malformed { problem: told } if told.starts_with(problem)), "{error}");
    };
    malformed("/invalid", "its answer is no valid CloudEvent: ").await;
    malformed("/foreign", "its answer is no valid CloudEvent: ").await;
    malformed("/odd", "in its answer, \"statusCode\" must be a whole number from 200 to 599, but is 1000").await;
}

#[tokio::test]
async fn old_functions_get_the_old_form_and_only_500_fails_where_that_is_wanted() {
    let server = Server::start().await;
    let old = server.function("/empty", HttpOptions { form: EventForm::V01, ..HttpOptions::default() });
    assert_eq!(invoke(&old, "t", json("[1]")).await, Ok(Outcome::Events(Vec::new())));
    let (headers, body) = server.request();
    assert_eq!(headers["content-type"], "application/cloudevents+json");
    let body: serde_json::Value = serde_json::from_slice(&body).expect("JSON");
    assert_eq!(body["cloudEventsVersion"], "0.1");
    assert_eq!(body["eventType"], "t");
    assert_eq!(body["data"], serde_json::json!([1]));

    let lenient = || HttpOptions { only_500_fails: true, ..HttpOptions::default() };
    let missing = server.function("/missing", lenient());
    assert_eq!(invoke(&missing, "t", Data::None).await, Ok(Outcome::Events(Vec::new())));
    assert_eq!(told(ask(&missing, "t", Data::None).await), Ok(answer(404, &[], b"no such order")));
    // Who is asked for a value says no by any other status than success.
    assert!(matches!(value(&missing, "t").await, Err(CallError::Status { code: 404, .. })));
    // A caller who waits gets what the Event Gateway took for an answer, and nothing else.
    let strict = |path: &str| server.function(path, HttpOptions { only_answer_objects: true, ..lenient() });
    let gateway = strict("/gateway");
    assert_eq!(told(ask(&gateway, "t", Data::None).await), Ok(answer(206, &[("x-custom", "1")], b"part")));
    for path in ["/plain", "/empty", "/sloppy", "/missing", "/moved"] {
        let outcome = ask(&strict(path), "t", Data::None).await;
        assert!(matches!(outcome, Err(CallError::Malformed { .. })), "{path}: {outcome:?}");
        assert_eq!(invoke(&strict(path), "t", Data::None).await, Ok(Outcome::Events(Vec::new())), "{path}");
    }
    let broken = server.function("/broken", lenient());
    assert!(matches!(invoke(&broken, "t", Data::None).await, Err(CallError::Status { code: 500, .. })));
}

#[tokio::test]
async fn a_value_is_the_body_of_a_success() {
    let server = Server::start().await;
    let check = async |path: &str, expected: Result<&str, CallError>| {
        let function = server.function(path, HttpOptions::default());
        let expected = expected.map(|text| Outcome::Value(text.into()));
        assert_eq!(value(&function, "t").await, expected, "{path}");
    };
    check("/structured", Ok(EVENT)).await;
    check("/binary", Ok(r#"{"a":1}"#)).await;
    check("/odd", Ok(r#"{"statusCode":1000}"#)).await;
    check("/foreign", Ok("ok")).await;
    check("/empty", Ok("")).await;
    let status = |code, body: &str| Err(CallError::Status { code, retry_after: None, body: body.into() });
    check("/moved", status(302, "")).await;
    check("/missing", status(404, "no such order")).await;
}

/// Leaves out what the server adds by itself.
fn told(outcome: Result<Outcome, CallError>) -> Result<Outcome, CallError> {
    outcome.map(|mut outcome| {
        if let Outcome::Answer(answer) = &mut outcome {
            answer.headers.retain(|(name, _)| name != "date");
        }
        outcome
    })
}

/// Whoever took the request may have done what it asks for: unlike with an address where nobody is, that was an attempt.
#[tokio::test]
async fn who_breaks_off_was_reached() {
    for begun in ["", "HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\n{"] {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}/", listener.local_addr().expect("an address"));
        let function = HttpFunction::new(HttpClient::new(), &url, HttpOptions::default()).expect("valid");
        let break_off = async {
            let (mut stream, _) = listener.accept().await.expect("a connection");
            stream.read_exact(&mut [0; 16]).await.expect("a request");
            stream.write_all(begun.as_bytes()).await.expect("written");
        };
        let (told, ()) = futures_util::future::join(invoke(&function, "t", Data::None), break_off).await;
        let error = told.expect_err("it broke off");
        assert!(matches!(error, CallError::Interrupted { .. }) && !error.is_unreached(), "{begun:?}: {error}");
    }
}

#[tokio::test]
async fn time_and_size_are_bounded_and_nobody_there_is_said() {
    let server = Server::start().await;
    let timeout = Duration::from_millis(50);
    let never = server.function("/never", HttpOptions { timeout, ..HttpOptions::default() });
    assert_eq!(invoke(&never, "t", Data::None).await, Err(CallError::Timeout { limit: timeout }));
    // That of a call holds where it is shorter, and is told.
    let patient = server.function("/never", HttpOptions { timeout: Duration::from_secs(60), ..HttpOptions::default() });
    for (function, given) in [(&never, Duration::from_secs(60)), (&patient, timeout)] {
        let call = Call { timeout: Some(given), ..call(CallMode::Async, event("t", Data::None)) };
        assert_eq!(function.invoke(&call).await, Err(CallError::Timeout { limit: timeout }));
    }

    let check = async |answer_bytes_max: usize, expected: Result<(), CallError>| {
        let large = server.function("/large", HttpOptions { answer_bytes_max, ..HttpOptions::default() });
        assert_eq!(ask(&large, "t", Data::None).await.map(|_| ()), expected);
    };
    check(5000, Ok(())).await;
    check(4999, Err(CallError::TooLarge { limit_bytes: 4999 })).await;
    let limits = Limits { batch_events_max: 1, ..Limits::default() };
    let batch = server.function("/batch", HttpOptions { limits, ..HttpOptions::default() });
    let error = invoke(&batch, "t", Data::None).await.expect_err("two events");
    assert!(matches!(error, CallError::Malformed { .. }), "{error}");

    let closed = TcpListener::bind("127.0.0.1:0").await.expect("a port").local_addr().expect("an address");
    let gone =
        HttpFunction::new(HttpClient::new(), &format!("http://{closed}/"), HttpOptions::default()).expect("valid");
    let error = invoke(&gone, "t", Data::None).await.expect_err("nobody there");
    assert!(matches!(error, CallError::Unreachable { .. }) && !error.is_final(), "{error}");

    let structured = server.function("/structured", HttpOptions::default());
    only(invoke(&structured, "t", Data::None).await);
}
