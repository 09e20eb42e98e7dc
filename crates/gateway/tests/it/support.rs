//! A door to knock at.

use std::{sync::Arc, time::Duration};

use axum::{
    Router,
    body::{Body, to_bytes},
};
use bytes::Bytes;
use futures_util::future::{BoxFuture, FutureExt, ready};
use http::{HeaderMap, Request};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncRead, AsyncReadExt},
    task::JoinSet,
    time::timeout,
};
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;
use weir_catalog::Function;
use weir_domain::{ErrorKind, Event, Timestamp};
use weir_flow::{Flow, HttpAnswer, MakeError, MakeFunction, NoObserver};
use weir_functions::{CallError, Invoke, Outcome};
use weir_gateway::{Gateway, Metrics, Options, ServeOptions};
use weir_log::{LogEngine, MemoryLog};
use weir_testkit::{CountingIds, FakeFunction, SteppingClock};

/// No wait in these tests is longer.
pub(crate) const BOUND: Duration = Duration::from_secs(20);

/// Media type of one event.
pub(crate) const STRUCTURED: &str = "application/cloudevents+json";
/// Media type of a batch.
pub(crate) const BATCH: &str = "application/cloudevents-batch+json";

/// Bounds of a listener in clear text, and times that no test comes near.
pub(crate) fn serve_options() -> ServeOptions {
    ServeOptions {
        head_bytes_max: 64 * 1024,
        headers_max: 100,
        connections_max: 16,
        header_read_timeout: BOUND,
        write_timeout: BOUND,
        handshake_timeout: BOUND,
        tls: None,
        stopping: CancellationToken::new(),
    }
}

/// Reads the head of an answer in HTTP/1.1, and what came with it.
pub(crate) async fn head(stream: &mut (impl AsyncRead + Unpin)) -> String {
    let mut bytes = Vec::new();
    loop {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if text.contains("\r\n\r\n") {
            return text;
        }
        let count = timeout(BOUND, stream.read_buf(&mut bytes)).await.expect("in time").expect("read");
        assert!(count > 0, "the connection was closed: {text}");
    }
}

/// Functions that do what their identifiers say.
struct Functions;

impl MakeFunction for Functions {
    fn make<'a>(&'a self, function: &'a Function) -> BoxFuture<'a, Result<Arc<dyn Invoke>, MakeError>> {
        let made = match function.id.as_str() {
            "broken" => Err(MakeError::new(
                ErrorKind::Invalid,
                "line 1: unexpected end of input",
                "correct the code of the function and send it again",
            )),
            "crowded" => {
                let kind = ErrorKind::Unavailable { retry_after: None };
                Err(MakeError::new(kind, "no place became free to try the function out", "repeat it later"))
            }
            "fails" => Ok(FakeFunction::new(|_| async { Err(CallError::Rejected { message: "it threw".into() }) })),
            "malformed" => {
                Ok(FakeFunction::new(|_| async { Err(CallError::Malformed { problem: "it is a list".into() }) }))
            }
            "echo" => Ok(FakeFunction::new(|call| async move {
                let headers = vec![("x-event-type".to_owned(), call.event.event_type().to_owned())];
                let body = Bytes::copy_from_slice(call.event.data().as_bytes());
                Ok(Outcome::Answer(HttpAnswer { status: 201, headers, body }))
            })),
            "guard" => Ok(FakeFunction::new(|call| async move { guard(&call.event) })),
            "marks" => Ok(FakeFunction::new(|call| async move {
                let body = call.event.extension_str("eventgateway").unwrap_or_default().to_owned().into();
                Ok(Outcome::Answer(HttpAnswer { status: 200, headers: Vec::new(), body }))
            })),
            "recorded" => Ok(FakeFunction::new(|call| async move {
                let body = call.event.extension_str("recordedtime").unwrap_or("never").to_owned().into();
                Ok(Outcome::Answer(HttpAnswer { status: 200, headers: Vec::new(), body }))
            })),
            _ => Ok(FakeFunction::silent()),
        };
        ready(made.map(|function| Arc::new(function) as Arc<dyn Invoke>)).boxed()
    }
}

/// Allows who brings a name as `Authorization`, but not eve; for `busy` it has no time, and without a name it fails.
fn guard(question: &Event) -> Result<Outcome, CallError> {
    let asked: Value = serde_json::from_slice(question.data().as_bytes()).expect("JSON");
    assert!(asked["event"]["id"].is_string() && asked["request"]["body"].is_null(), "{asked}");
    let said = match asked["request"]["headers"]["Authorization"].as_str() {
        None => json!({}),
        Some("busy") => return Err(CallError::Busy),
        Some("eve") => json!({ "error": { "message": "not you" } }),
        Some(name) => json!({ "authorization": { "principalId": name } }),
    };
    Ok(Outcome::Value(said.to_string().into()))
}

/// A door with a running flow behind it.
pub(crate) struct Door {
    pub(crate) gateway: Gateway,
    pub(crate) log: Arc<dyn LogEngine>,
    events: Router,
    configuration: Router,
    /// Ends with the door.
    _tasks: JoinSet<()>,
}

/// A door with the usual bounds.
pub(crate) async fn door() -> Door {
    gateway(memory(), Options::default(), |log| log).await
}

/// A log in memory.
pub(crate) fn memory() -> Arc<dyn LogEngine> {
    Arc::new(MemoryLog::new(Arc::new(SteppingClock::default())))
}

/// Builds the door; `seen` makes the log that the door itself sees of the one that the flow has.
pub(crate) async fn gateway(
    log: Arc<dyn LogEngine>,
    options: Options,
    seen: impl FnOnce(Arc<dyn LogEngine>) -> Arc<dyn LogEngine>,
) -> Door {
    let (clock, ids) = (Arc::new(SteppingClock::default()), Arc::new(CountingIds::default()));
    let (flow, runner) = Flow::open(
        Arc::clone(&log),
        Arc::new(Functions),
        clock.clone(),
        ids.clone(),
        Arc::new(NoObserver),
        weir_flow::Options::default(),
    )
    .await
    .expect("the flow opens");
    let mut tasks = JoinSet::new();
    tasks.spawn(runner.run(CancellationToken::new()));
    let gateway =
        Gateway::new(flow, seen(Arc::clone(&log)), clock, ids, Metrics::new("0.0.0", Timestamp::default()), options);
    let (events, configuration) = (gateway.events_api(), gateway.configuration_api());
    Door { gateway, log, events, configuration, _tasks: tasks }
}

/// An answer with its whole body.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().expect("ASCII"))
    }

    pub(crate) fn position(&self) -> u64 {
        self.header("weir-position").expect("a receipt").parse().expect("one position")
    }

    pub(crate) fn text(&self) -> &str {
        str::from_utf8(&self.body).expect("UTF-8")
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.text()))
    }

    /// Checks that it is a refusal with this message.
    pub(crate) fn check_refused(&self, status: u16, message: &str) {
        assert_eq!(self.header("content-type"), Some("application/json"), "{self:?}");
        let told = self.json()["errors"][0]["message"].clone();
        assert_eq!((self.status, told), (status, json!(message)));
    }
}

async fn send(router: &Router, method: &str, path: &str, headers: &[(&str, &str)], body: Body) -> Answer {
    let mut request = Request::builder().method(method).uri(path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let request = request.body(body).expect("a request");
    let response = router.clone().oneshot(request).await.expect("a router always answers");
    let (parts, body) = response.into_parts();
    let body = to_bytes(body, usize::MAX).await.expect("a body in memory");
    Answer { status: parts.status.as_u16(), headers: parts.headers, body }
}

impl Door {
    /// Sends a request to the Events API.
    pub(crate) async fn request(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Answer {
        send(&self.events, method, path, headers, Body::from(body.to_owned())).await
    }

    /// Posts to the path `/` of the Events API.
    pub(crate) async fn post(&self, media_type: &str, body: &str) -> Answer {
        self.request("POST", "/", &[("content-type", media_type)], body).await
    }

    /// Sends a request to the Configuration API.
    pub(crate) async fn configure(&self, method: &str, path: &str, body: &str) -> Answer {
        self.configure_with(method, path, &[], body).await
    }

    /// Sends a request with headers to the Configuration API.
    pub(crate) async fn configure_with(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> Answer {
        send(&self.configuration, method, path, headers, Body::from(body.to_owned())).await
    }

    /// Creates something that must be good, in the space `default`.
    pub(crate) async fn create(&self, collection: &str, value: Value) -> Answer {
        self.create_in("default", collection, value).await
    }

    pub(crate) async fn create_in(&self, space: &str, collection: &str, value: Value) -> Answer {
        let path = format!("/v1/spaces/{space}/{collection}");
        let answer = self.configure("POST", &path, &value.to_string()).await;
        assert_eq!(answer.status, 201, "{}", answer.text());
        answer
    }

    /// Registers event types.
    pub(crate) async fn register(&self, space: &str, names: &[&str]) {
        for name in names {
            self.create_in(space, "eventtypes", json!({ "name": name })).await;
        }
    }

    /// Registers a function and subscribes it.
    pub(crate) async fn subscribe(&self, space: &str, function: &str, subscription: Value) {
        let provider = json!({ "url": "http://localhost" });
        let body = json!({ "functionId": function, "type": "http", "provider": provider }).to_string();
        let answer = self.configure("POST", &format!("/v1/spaces/{space}/functions"), &body).await;
        assert!(matches!(answer.status, 201 | 409), "{}", answer.text());
        let mut subscription = subscription;
        subscription["functionId"] = json!(function);
        self.create_in(space, "subscriptions", subscription).await;
    }

    /// Reads the events of a space.
    pub(crate) async fn read(&self, space: &str, query: &str) -> Answer {
        self.configure("GET", &format!("/v1/spaces/{space}/events?{query}"), "").await
    }
}

/// An event in JSON, with further members behind the required ones.
pub(crate) fn event(id: &str, event_type: &str, members: &str) -> String {
    format!(r#"{{"specversion":"1.0","id":"{id}","source":"/test","type":"{event_type}"{members}}}"#)
}
