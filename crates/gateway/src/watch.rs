//! Watching requests: what an access log and the spans of requests are made of.
//!
//! Whoever watches is told of each request of both APIs when it is answered, or when its sender has gone away. Where nobody
//! does, a request pays for one question: nothing is gathered, formatted or allocated.

use std::{
    fmt,
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use axum::{
    body::HttpBody,
    extract::{Request, State},
    middleware::Next,
    response::Response,
};
use http::{HeaderMap, HeaderValue, Method, StatusCode, Version, header::USER_AGENT};
use parking_lot::Mutex;
use tracing::Instrument;
use weir_cloudevents::trace::{TRACEPARENT, TraceParent};
use weir_domain::{Event, SpaceName, Timestamp};

use crate::{
    auth::Caller, events::trace, gateway::Shared, headers, metrics::Api, problem::Problem, request_id::RequestId,
    serve::Peer,
};

/// As much of a path is told, in bytes. One that is longer ends with `…`.
const PATH_BYTES_MAX: usize = 2048;
/// As much is told of what the client says it is, in bytes.
const USER_AGENT_BYTES_MAX: usize = 256;

/// The spans of a request that is traced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RequestSpans {
    /// The request itself.
    pub request: TraceParent,
    /// The append of the events that it brings, where it brings any: they go on with this one.
    pub append: TraceParent,
}

/// Watches requests. Called on the path of every request, so it must be quick and must not block.
pub trait RequestObserver: Send + Sync + 'static {
    /// Gives a request its spans, where it is to be traced; `parent` is the context that it came with.
    fn begins(&self, _api: Api, _parent: Option<TraceParent>) -> Option<RequestSpans> {
        None
    }

    /// Takes note of a request that was answered, or whose sender has gone away before.
    fn served(&self, served: &Arc<Served>);
}

/// Those who watch, in their order.
#[derive(Clone, Default)]
pub struct Watchers(Vec<Arc<dyn RequestObserver>>);

impl Watchers {
    /// Makes the list.
    #[must_use]
    pub fn new(watchers: Vec<Arc<dyn RequestObserver>>) -> Self {
        Self(watchers)
    }

    /// Tells whether nobody watches.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Debug for Watchers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Watchers").field(&self.0.len()).finish()
    }
}

/// A request and what became of it. No token, no query, and nothing of its body is in it.
#[derive(Clone, Debug)]
pub struct Served {
    /// Which API it was sent to.
    pub api: Api,
    /// When its head had come.
    pub began: Timestamp,
    /// How long it took until its answer was ready to be sent.
    pub took: Duration,
    /// The other end of the connection; nothing where it came without one.
    pub client: Option<SocketAddr>,
    /// Whether the connection speaks TLS.
    pub is_tls: bool,
    /// The version of HTTP.
    pub version: Version,
    /// The method.
    pub method: Method,
    /// The path, still percent-encoded, without the query, which may hold secrets.
    pub path: String,
    /// The header `User-Agent`.
    pub user_agent: Option<String>,
    /// The identifier of the request, which its answer has too.
    pub request_id: Option<String>,
    /// The status of the answer; nothing where the sender has gone away before it.
    pub status: Option<StatusCode>,
    /// The body of the request in bytes, where it was read or announced.
    pub request_bytes: Option<u64>,
    /// The body of the answer in bytes, where it is known.
    pub response_bytes: Option<u64>,
    /// The space it was for, where it names one that can be.
    pub space: Option<SpaceName>,
    /// What it carried.
    pub event: Option<ServedEvent>,
    /// Who has sent it: the name of a token or the subject of a JWT.
    pub principal: Option<String>,
    /// The trace context that it came with.
    pub trace: Option<TraceParent>,
    /// Its spans, where it is traced.
    pub spans: Option<RequestSpans>,
    /// The trace context that its one event came with, where it is traced and that is another one than its own.
    pub event_trace: Option<TraceParent>,
    /// How its events came into the log, where they were to.
    pub append: Option<Appending>,
}

impl Served {
    /// Returns the identifier of the trace that it belongs to.
    #[must_use]
    pub fn trace_id(&self) -> Option<u128> {
        self.spans.map(|spans| spans.request).or(self.trace).map(TraceParent::trace_id)
    }
}

/// How the events of a request came into the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Appending {
    /// How long after its head.
    pub after: Duration,
    /// How long it took; nothing where the sender has gone away meanwhile.
    pub took: Option<Duration>,
    /// Why the events are not there.
    pub problem: Option<String>,
    /// Their receipt: a position, or the first and the last.
    pub position: Option<String>,
}

/// What a request carried.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ServedEvent {
    /// One event.
    One {
        /// Its attribute `type`.
        event_type: String,
        /// Its attribute `id`.
        id: String,
        /// Its attribute `source`.
        source: String,
    },
    /// As many events in one request.
    Batch(usize),
}

/// What is found out about a request while it is worked on: a handle, cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Notes(Arc<Page>);

#[derive(Debug)]
struct Page {
    began: Instant,
    spans: Option<RequestSpans>,
    noted: Mutex<Noted>,
}

#[derive(Debug, Default)]
struct Noted {
    space: Option<SpaceName>,
    principal: Option<String>,
    event: Option<ServedEvent>,
    event_trace: Option<TraceParent>,
    append: Option<Appending>,
    request_bytes: Option<u64>,
}

impl Notes {
    fn new(spans: Option<RequestSpans>) -> Self {
        Self(Arc::new(Page { began: Instant::now(), spans, noted: Mutex::default() }))
    }

    /// Returns the span that an event of the request goes on with, where it is traced: that of the append, or on a route
    /// that of the request, which waits for the function.
    pub(crate) fn span_of(&self, is_routed: bool) -> Option<TraceParent> {
        self.0.spans.map(|spans| if is_routed { spans.request } else { spans.append })
    }

    /// Notes that the events that it carries are on their way into the log.
    pub(crate) fn append_begins(&self) {
        let appending = Appending { after: self.0.began.elapsed(), took: None, problem: None, position: None };
        self.0.noted.lock().append = Some(appending);
    }

    /// Notes what has come of it.
    pub(crate) fn append_ended(&self, answered: &Result<Response, Problem>) {
        let now = self.0.began.elapsed();
        let mut noted = self.0.noted.lock();
        let Some(append) = &mut noted.append else { return };
        append.took = Some(now.saturating_sub(append.after));
        match answered {
            Ok(response) => {
                let position = response.headers().get(&headers::POSITION);
                append.position = position.and_then(|position| position.to_str().ok()).map(str::to_owned);
            }
            Err(problem) => append.problem = Some(problem.message().to_owned()),
        }
    }

    /// Notes the space that the request is for.
    pub(crate) fn space(&self, space: &SpaceName) {
        self.0.noted.lock().space = Some(space.clone());
    }

    /// Notes who has sent it.
    pub(crate) fn caller(&self, caller: &Caller) {
        let name = match caller {
            // Under what it is counted is no name for people.
            Caller::Operator => Some("operator"),
            other => other.name(),
        };
        self.0.noted.lock().principal = name.map(str::to_owned);
    }

    /// Notes the one event that it carries, in a body of as many bytes.
    pub(crate) fn event(&self, event: &Event, body_bytes: usize) {
        let one = ServedEvent::One {
            event_type: event.event_type().to_owned(),
            id: event.id().to_owned(),
            source: event.source().to_owned(),
        };
        self.carries(one, body_bytes);
        if let Some(spans) = self.0.spans {
            let own: Option<TraceParent> = event.extension_str(TRACEPARENT).and_then(|text| text.parse().ok());
            let is_other = |own: &TraceParent| ![spans.request, spans.append].contains(own);
            self.0.noted.lock().event_trace = own.filter(is_other);
        }
    }

    /// Notes how many events it carries, in a body of as many bytes.
    pub(crate) fn batch(&self, events: usize, body_bytes: usize) {
        self.carries(ServedEvent::Batch(events), body_bytes);
    }

    fn carries(&self, event: ServedEvent, body_bytes: usize) {
        let mut noted = self.0.noted.lock();
        noted.event = Some(event);
        noted.request_bytes = Some(body_bytes as u64);
    }
}

/// A request that is watched. When it is dropped before it is answered, its sender has gone away.
pub(crate) struct Watched<'s> {
    shared: &'s Shared,
    notes: Notes,
    /// What its head says; nothing any more when it was told.
    served: Option<Served>,
}

impl<'s> Watched<'s> {
    /// Begins to watch a request, where anybody does.
    pub(crate) fn begin<B: HttpBody>(shared: &'s Shared, api: Api, request: &http::Request<B>) -> Option<Box<Self>> {
        if shared.options.watchers.is_empty() {
            return None;
        }
        let headers = request.headers();
        let peer = request.extensions().get::<Peer>();
        let trace = trace::parent(headers);
        let spans = shared.options.watchers.0.iter().find_map(|watcher| watcher.begins(api, trace));
        let served = Served {
            api,
            began: shared.clock.now(),
            took: Duration::ZERO,
            client: peer.map(|peer| peer.address),
            is_tls: peer.is_some_and(|peer| peer.tls),
            version: request.version(),
            method: request.method().clone(),
            path: clipped(request.uri().path(), PATH_BYTES_MAX),
            user_agent: user_agent(headers),
            request_id: None,
            status: None,
            request_bytes: request.body().size_hint().exact(),
            response_bytes: None,
            space: None,
            event: None,
            principal: None,
            trace,
            spans,
            event_trace: None,
            append: None,
        };
        Some(Box::new(Self { shared, notes: Notes::new(spans), served: Some(served) }))
    }

    /// Returns where to note what else is found out.
    pub(crate) fn notes(&self) -> &Notes {
        &self.notes
    }

    /// Tells of it with its answer.
    pub(crate) fn answered(mut self: Box<Self>, id: &RequestId, response: &Response) {
        let id = id.get().and_then(|id| id.to_str().ok()).map(str::to_owned);
        self.tell(id, Some(response.status()), response.body().size_hint().exact());
    }

    fn tell(&mut self, request_id: Option<String>, status: Option<StatusCode>, response_bytes: Option<u64>) {
        let Some(head) = self.served.take() else { return };
        let page = &*self.notes.0;
        let noted = std::mem::take(&mut *page.noted.lock());
        let Noted { space, principal, event, event_trace, append, request_bytes } = noted;
        let served = Arc::new(Served {
            took: page.began.elapsed(),
            request_id,
            status,
            request_bytes: request_bytes.or(head.request_bytes),
            response_bytes,
            space,
            event,
            principal,
            event_trace,
            append,
            ..head
        });
        self.shared.options.watchers.0.iter().for_each(|watcher| watcher.served(&served));
    }
}

impl Drop for Watched<'_> {
    fn drop(&mut self) {
        self.tell(None, None, None);
    }
}

/// Names each request of the Configuration API, in its answer and in the log lines about it, and watches it where anybody
/// does.
pub(crate) async fn configuration(State(shared): State<Arc<Shared>>, mut request: Request, next: Next) -> Response {
    let id = RequestId::of(request.headers());
    let span = id.span(&*shared.ids);
    let watched = Watched::begin(&shared, Api::Configuration, &request);
    if let Some(watched) = &watched {
        request.extensions_mut().insert(watched.notes().clone());
    }
    let mut response = next.run(request).instrument(span).await;
    id.tell(&mut response);
    if let Some(watched) = watched {
        watched.answered(&id, &response);
    }
    response
}

fn user_agent(headers: &HeaderMap) -> Option<String> {
    let text = headers.get(USER_AGENT).map(HeaderValue::as_bytes)?;
    Some(clipped(&String::from_utf8_lossy(text), USER_AGENT_BYTES_MAX))
}

/// A text of a client, bounded.
fn clipped(text: &str, bytes_max: usize) -> String {
    if text.len() <= bytes_max {
        return text.to_owned();
    }
    let end = text.floor_char_boundary(bytes_max);
    format!("{}…", &text[..end])
}
