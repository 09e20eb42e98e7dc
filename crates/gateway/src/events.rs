//! The Events API: every method and path is an event to keep, a function to call, or nobody's.
//!
//! | request | with a sync subscription for (method, type, path) | without |
//! |---|---|---|
//! | one CloudEvent, structured or binary, of 1.0 or 0.1 | the function's answer | appended: 202, where the method carries content or an async subscription names it |
//! | a body with the header `Event`, as the Event Gateway took it | the function's answer | appended: 202, likewise |
//! | a batch of CloudEvents, by POST | appended: 202 | appended: 202 |
//! | anything else: an event `http.request` | the function's answer | appended where an async subscription takes it: 202, else 404, 405, or 204 for OPTIONS |
//!
//! The HTTP binding of CloudEvents allows every method that carries content; those are POST, PUT and PATCH (RFC 9110).
//! A caller needs the right to emit the type of the event, whichever row it is; that of a plain request is `http.request`.
//! An append survives the client's disconnect, see the documentation of the crate.

mod call;
mod cors;
mod document;
mod emit;
mod legacy;
mod reach;
mod request;
mod sender;
mod stamp;
pub(crate) mod trace;
mod untaken;

use std::{convert::Infallible, sync::Arc};

use axum::{
    Router,
    extract::{Request, State},
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use http::{
    HeaderValue, StatusCode,
    header::{ALLOW, CONTENT_ENCODING},
    request::Parts,
};
use hyper::service::{Service, service_fn};
use tracing::Instrument;
use weir_catalog::{Arrival, HTTP_REQUEST, Method, MethodSet, RouteMatch, SpaceCatalog, Subscription};
use weir_cloudevents::{Mode, binary, json, mode, v01};
use weir_domain::{Event, Limits, SpaceName};
use weir_flow::Sender;

use crate::{
    answer,
    auth::{self, Caller},
    body::RequestBody,
    gateway::Shared,
    hosts,
    metrics::{Api, OpenRequest},
    problem::Problem,
    request_id::RequestId,
    room::Place,
    serve::Arriving,
    space::{self, Target},
    watch::{Notes, Watched},
};
use cors::Allowance;
pub(crate) use document::document;
use reach::Reach;
use stamp::Stamp;

/// The header that only events of 1.0 have.
const SPECVERSION: &str = "ce-specversion";

/// The methods by which an event is emitted.
const EMITTING: [Method; 3] = [Method::Post, Method::Put, Method::Patch];

/// Makes the API as a router of one handler.
pub(crate) fn router(shared: Arc<Shared>) -> Router {
    Router::new().fallback(from_router).with_state(shared)
}

async fn from_router(State(shared): State<Arc<Shared>>, request: Request) -> Response {
    handle(&shared, request).await
}

/// Makes the API as a service that needs no router.
pub(crate) fn service(
    shared: Arc<Shared>,
) -> impl Service<http::Request<Arriving>, Response = Response, Error = Infallible, Future: Send + 'static>
+ Clone
+ Send
+ 'static {
    service_fn(move |request: http::Request<Arriving>| {
        let shared = Arc::clone(&shared);
        async move { Ok::<_, Infallible>(handle(&shared, request).await) }
    })
}

async fn handle<B: RequestBody>(shared: &Shared, request: http::Request<B>) -> Response {
    let mut open = shared.metrics.request(Api::Events);
    let id = RequestId::of(request.headers());
    let is_head = request.method() == http::Method::HEAD;
    let watched = Watched::begin(shared, Api::Events, &request);
    let notes = watched.as_deref().map(Watched::notes);
    let answered = answer(shared, request, &id, notes, &mut open).await;
    let mut response = answered.unwrap_or_else(|problem| told(shared, problem));
    let status = response.status();
    open.answered(status, || shared.flow.catalog());
    if status.is_client_error() || status.is_server_error() || watched.is_some() {
        id.or_made(&*shared.ids);
    }
    id.tell(&mut response);
    let response = if is_head { answer::head_only(response) } else { response };
    if let Some(watched) = watched {
        watched.answered(&id, &response);
    }
    response
}

/// Tells what is wrong, and counts the answer until it is written.
fn told(shared: &Shared, problem: Problem) -> Response {
    shared.events_room.count_answer(problem.into_response())
}

/// Counts an answer until it is written. Where there is no room for it, that to a request which changes nothing is refused:
/// to repeat it does no harm, and many that came at once were called before the first of them was counted.
fn held(shared: &Shared, method: &http::Method, response: Response) -> Result<Response, Problem> {
    match *method {
        // Of this one nothing but the head goes out.
        http::Method::HEAD => Ok(response),
        _ if method.is_safe() => shared.events_room.give_answer(response),
        _ => Ok(shared.events_room.count_answer(response)),
    }
}

/// A request without its body, with what is known about it.
struct Exchange<'a> {
    shared: &'a Shared,
    parts: &'a Parts,
    /// The space that it names, or the default one.
    space: SpaceName,
    /// Whether it is for all spaces, because it names none.
    is_for_all: bool,
    path: &'a str,
    id: &'a RequestId,
    /// Who has sent it.
    caller: Caller,
    /// Where it is noted what those who watch are told; nothing where nobody does.
    notes: Option<&'a Notes>,
}

async fn answer<B: RequestBody>(
    shared: &Shared,
    request: http::Request<B>,
    id: &RequestId,
    notes: Option<&Notes>,
    open: &mut OpenRequest<'_>,
) -> Result<Response, Problem> {
    let (mut parts, body) = request.into_parts();
    if shared.options.local_names_only {
        hosts::check(&parts.uri, &parts.headers, &shared.options.allowed_hosts)?;
    }
    let identified = auth::identify(shared, &mut parts.headers);
    let Target { space, path, is_named } = space::select(parts.uri.path(), &parts.headers, &shared.default_space)?;
    let is_for_all = !is_named && shared.options.compatibility.cross_space_matching;
    open.names(&space);
    if let Some(notes) = notes {
        notes.space(&space);
    }
    let catalog = shared.flow.catalog();
    let present: &SpaceCatalog = match is_for_all {
        true => reach::of_page(&catalog, &space, &parts, path),
        false => catalog.space_or_empty(&space),
    };
    if let Some(response) = cors::preflight(present, &parts, path) {
        return Ok(response);
    }
    let allowance = Allowance::of(present, &parts, path);
    let admitted = auth::admit_sender(shared, identified, &space, present);
    if let (Some(notes), Ok(caller)) = (notes, &admitted) {
        notes.caller(caller);
    }
    let answered = async {
        let exchange = Exchange { shared, parts: &parts, space, is_for_all, path, id, caller: admitted?, notes };
        held(shared, &parts.method, dispatch(exchange, body).await?)
    };
    let Some(allowance) = allowance else { return answered.await };
    // A page may read why its request failed, too.
    Ok(allowance.told_in(answered.await.unwrap_or_else(|problem| told(shared, problem))))
}

/// Finds out what a request carries, and does what it is for.
async fn dispatch<B: RequestBody>(exchange: Exchange<'_>, body: B) -> Result<Response, Problem> {
    let Exchange { shared, parts, ref space, .. } = exchange;
    let mut place = shared.events_room.enter().inspect_err(|problem| shared.unread(space, problem))?;
    let form = match mode::detect(&parts.headers)? {
        Mode::Batch => return batch(exchange, body, &mut place).await,
        Mode::Structured => Form::Structured,
        // All of its headers are told apart from the one that both versions have.
        _ if !parts.headers.contains_key(SPECVERSION) && v01::is_binary(&parts.headers) => Form::Binary01,
        Mode::Binary => Form::Binary,
        Mode::NotCloudEvent => match legacy::event_type(&parts.headers)? {
            Some(event_type) => Form::Custom(event_type),
            None => return plain(exchange, body, &mut place).await,
        },
    };
    single(exchange, form, body, &mut place).await
}

/// How a request carries one event.
enum Form<'a> {
    /// As a JSON object, of 1.0 or 0.1.
    Structured,
    /// As headers of 1.0.
    Binary,
    /// As headers of 0.1.
    Binary01,
    /// As a body of the type that the header `Event` names.
    Custom(&'a str),
}

impl Form<'_> {
    /// Reads the event. The body of a structured one may be much larger than an event, because of its escapes.
    async fn decode(&self, shared: &Shared, parts: &Parts, body: Bytes) -> Result<Event, Problem> {
        let limits = shared.options.limits;
        Ok(match self {
            Self::Structured => shared.decoder.decode(body, move |body| structured(body, &limits)).await?,
            Self::Binary => binary::decode(&parts.headers, body, &limits)?,
            Self::Binary01 => v01::decode_binary(&parts.headers, body, &limits)?,
            Self::Custom(event_type) => legacy::decode(shared, parts, event_type, body).await?,
        })
    }
}

/// Reads an event of 1.0, else of 0.1: only one that fails is looked at twice.
fn structured(body: &Bytes, limits: &Limits) -> Result<Event, Problem> {
    let decoded = json::decode(body, limits);
    let decoded = decoded.or_else(|error| match v01::is_structured(body) {
        true => v01::decode_structured(body, limits),
        false => Err(error),
    });
    Ok(decoded?)
}

async fn single<B: RequestBody>(
    exchange: Exchange<'_>,
    form: Form<'_>,
    body: B,
    place: &mut Place<'_>,
) -> Result<Response, Problem> {
    let Exchange { shared, parts, path, id, notes, .. } = exchange;
    check_encoding(parts)?;
    let unread = |problem: &Problem| shared.unread(&exchange.space, problem);
    let limits = &shared.options.limits;
    // Of one event in binary mode the body is the data, and nothing else can be.
    let is_structured = matches!(form, Form::Structured);
    let bytes_max = if is_structured { limits.request_bytes_max } else { limits.event_bytes_max };
    let body = shared.read_event_body(body, place, bytes_max).await.inspect_err(unread)?;
    let body_bytes = body.len();
    let event = form.decode(shared, parts, body).await.inspect_err(unread)?;
    if let Some(notes) = notes {
        notes.event(&event, body_bytes);
    }
    let catalog = shared.flow.catalog();
    let reach = reach::of(&exchange, &catalog, event.event_type())?;
    auth::check_emit(shared, &exchange.caller, &reach.home, &event)?;
    refuse_request(&event)?;
    let present = catalog.space_or_empty(&reach.home);
    let found = route(present, parts, event.event_type(), path);
    let trace_span = notes.and_then(|notes| notes.span_of(found.is_some()));
    let stamped = Stamp::of(parts, path, &*shared.ids).within(trace_span).given_to(event, limits);
    let event = stamped.inspect_err(unread)?;
    let sender = sender::Request::new(shared, parts, path, found.as_ref().map(|found| &found.params));
    let sender = sender.by(&exchange.caller).within(trace_span);
    if let Some(found) = &found {
        return called(shared, id, reach, &found.subscription, event, &sender).await;
    }
    if !emits(parts) && !takes_all(shared, parts) && !is_asked_for(shared, present, parts, &event) {
        let routed = present.methods(event.event_type(), path);
        return Err(wrong_method(parts, "an event is emitted with POST, PUT or PATCH", with_head(routed)));
    }
    appended(notes, emit::one(shared, id, reach, event, &sender)).await
}

async fn batch<B: RequestBody>(exchange: Exchange<'_>, body: B, place: &mut Place<'_>) -> Result<Response, Problem> {
    let Exchange { shared, parts, space, path, id, caller, notes, .. } = exchange;
    if parts.method != http::Method::POST {
        let message = format!("a batch is emitted with POST, not {}: send it so", parts.method);
        let problem = Problem::new(StatusCode::METHOD_NOT_ALLOWED, message);
        return Err(problem.allowing(MethodSet::EMPTY.with(Method::Post)));
    }
    check_encoding(parts)?;
    let limits = shared.options.limits;
    let unread = |problem: &Problem| shared.unread(&space, problem);
    let body = shared.read_event_body(body, place, limits.request_bytes_max).await.inspect_err(unread)?;
    let body_bytes = body.len();
    let decoded = shared.decoder.decode(body, move |body| Ok(json::decode_batch(body, &limits)?)).await;
    let events = decoded.inspect_err(unread)?;
    if let Some(notes) = notes {
        notes.batch(events.len(), body_bytes);
    }
    let trace_span = notes.and_then(|notes| notes.span_of(false));
    let stamp = Stamp::of(parts, path, &*shared.ids).within(trace_span);
    place.hold(stamp.size() * events.len())?;
    let stamped = events.into_iter().enumerate().map(|(index, event)| {
        let stamped = stamp.given_to(event, &limits);
        stamped.map_err(|problem| problem.in_batch(index))
    });
    let events = stamped.collect::<Result<Vec<_>, Problem>>().inspect_err(unread)?;
    for (index, event) in events.iter().enumerate() {
        let checked = auth::check_emit(shared, &caller, &space, event).and_then(|()| refuse_request(event));
        checked.map_err(|problem| problem.in_batch(index))?;
    }
    let sender = sender::Request::new(shared, parts, path, None).by(&caller).within(trace_span);
    appended(notes, emit::batch(shared, id, space, events, &sender, place)).await
}

async fn plain<B: RequestBody>(exchange: Exchange<'_>, body: B, place: &mut Place<'_>) -> Result<Response, Problem> {
    let Exchange { shared, parts, path, id, notes, .. } = exchange;
    let catalog = shared.flow.catalog();
    let reach = reach::of(&exchange, &catalog, HTTP_REQUEST)?;
    auth::check_request(shared, &exchange.caller, &reach.home)?;
    let present = catalog.space_or_empty(&reach.home);
    let found = route(present, parts, HTTP_REQUEST, path);
    let stamp = Stamp::of(parts, path, &*shared.ids);
    let is_heard = shared.flow.listeners(present, HTTP_REQUEST, stamp.arrival()).next().is_some();
    // A CONNECT that is answered with success would open a tunnel.
    let is_kept = is_heard && parts.method != http::Method::CONNECT;
    if found.is_none() && !is_kept && takes_all(shared, parts) {
        return Ok(answer::empty(StatusCode::ACCEPTED));
    }
    if found.is_none() && !is_kept {
        if let Some(response) = options(present, parts, path) {
            return Ok(response);
        }
        return Err(Box::pin(untaken::problem(present, parts, &reach.home, path, body, place)).await);
    }
    if is_kept {
        stamp.check(&shared.options.limits).inspect_err(|problem| shared.unread(&exchange.space, problem))?;
    }
    // As text in the event it may take more, but never less.
    let body = shared.read_event_body(body, place, shared.options.limits.event_bytes_max).await;
    let body = body.inspect_err(|problem| shared.unread(&exchange.space, problem))?;
    let params = found.as_ref().map(|found| &found.params);
    let trace_span = notes.and_then(|notes| notes.span_of(found.is_some()));
    let event =
        request::event(shared, &request::Plain { parts, path, body: &body, params }, &stamp.within(trace_span))?;
    if let Some(notes) = notes {
        notes.event(&event, body.len());
    }
    let sender = sender::Request::new(shared, parts, path, params).by(&exchange.caller).within(trace_span);
    if let Some(found) = &found {
        return called(shared, id, reach, &found.subscription, event, &sender).await;
    }
    appended(notes, emit::one(shared, id, reach, event, &sender)).await
}

/// Calls the function of a route, after the event was kept in the other spaces that it is for.
async fn called(
    shared: &Shared,
    id: &RequestId,
    reach: Reach,
    subscription: &Arc<Subscription>,
    event: Event,
    sender: &dyn Sender,
) -> Result<Response, Problem> {
    let Reach { home, also } = reach;
    let calling = async {
        if !also.is_empty() {
            Box::pin(emit::copies(shared, id, also, &event, sender)).await?;
        }
        call::make(shared, &home, subscription, event, sender).await
    };
    calling.instrument(id.span(&*shared.ids)).await
}

/// Notes when an append begins and what has come of it, where anybody watches.
async fn appended(
    notes: Option<&Notes>,
    appending: impl Future<Output = Result<Response, Problem>>,
) -> Result<Response, Problem> {
    let Some(notes) = notes else { return appending.await };
    notes.append_begins();
    let answered = appending.await;
    notes.append_ended(&answered);
    answered
}

/// Finds the sync subscription of a request; one for GET takes HEAD too (RFC 9110, section 9.3.2).
fn route<'a>(present: &'a SpaceCatalog, parts: &Parts, event_type: &str, path: &'a str) -> Option<RouteMatch<'a>> {
    let method = Method::parse(parts.method.as_str())?;
    let found = present.route(method, event_type, path);
    if found.is_none() && method == Method::Head {
        return present.route(Method::Get, event_type, path);
    }
    found
}

/// What functions read in an `http.request` must be what was requested: nobody but the door makes these events.
fn refuse_request(event: &Event) -> Result<(), Problem> {
    if event.event_type() != HTTP_REQUEST {
        return Ok(());
    }
    Err(Problem::denied(format!(
        "attribute \"type\" is \"{HTTP_REQUEST}\", which only the platform may emit: send the request itself"
    )))
}

/// Tells whether nothing is turned away for its method and path, as in the Event Gateway. A CONNECT always is, see
/// `plain`.
fn takes_all(shared: &Shared, parts: &Parts) -> bool {
    shared.options.compatibility.unmatched_requests && parts.method != http::Method::CONNECT
}

/// Tells whether an async subscription that is given an event names the method by which it came.
fn is_asked_for(shared: &Shared, present: &SpaceCatalog, parts: &Parts, event: &Event) -> bool {
    let mut listeners = shared.flow.listeners(present, event.event_type(), Arrival::of(event));
    listeners.any(|it| it.method.as_str() == parts.method.as_str())
}

fn emits(parts: &Parts) -> bool {
    EMITTING.iter().any(|method| method.as_str() == parts.method.as_str())
}

/// A compressed body would be kept as data that is not what its type says.
fn check_encoding(parts: &Parts) -> Result<(), Problem> {
    match parts.headers.get(CONTENT_ENCODING) {
        Some(encoding) if !encoding.as_bytes().eq_ignore_ascii_case(b"identity") => {
            let message = "unsupported content-encoding: send the body of a CloudEvent uncompressed";
            Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, message))
        }
        _ => Ok(()),
    }
}

fn with_head(methods: MethodSet) -> MethodSet {
    if methods.contains(Method::Get) { methods.with(Method::Head) } else { methods }
}

fn wrong_method(parts: &Parts, rule: &str, routed: MethodSet) -> Problem {
    let message = format!("{rule}, not {}: use one of the methods of the header Allow", parts.method);
    let methods = EMITTING.into_iter().chain(routed.iter()).collect();
    Problem::new(StatusCode::METHOD_NOT_ALLOWED, message).allowing(methods)
}

/// Answers OPTIONS with the methods that a path has, where no subscription takes it (RFC 9110, section 9.3.7); nothing
/// where the path has none. `*` asks about the server as a whole.
fn options(present: &SpaceCatalog, parts: &Parts, path: &str) -> Option<Response> {
    if parts.method != http::Method::OPTIONS {
        return None;
    }
    let methods: MethodSet = if path == "*" {
        Method::ALL.into_iter().collect()
    } else {
        Some(with_head(present.methods(HTTP_REQUEST, path))).filter(|methods| !methods.is_empty())?
    };
    let mut response = answer::empty(StatusCode::NO_CONTENT);
    let methods = HeaderValue::try_from(methods.with(Method::Options).to_string()).ok()?;
    response.headers_mut().insert(ALLOW, methods);
    Some(response)
}
