//! Spans as messages of OTLP, named and described by the semantic conventions of OpenTelemetry for HTTP, messaging and
//! CloudEvents.

use std::time::Duration;

use http::Version;
use opentelemetry_proto::tonic::{
    collector::trace::v1::ExportTraceServiceRequest,
    common::v1::KeyValue,
    resource::v1::Resource,
    trace::v1::{
        ResourceSpans, ScopeSpans, Span, SpanFlags, Status,
        span::{Link, SpanKind},
        status::StatusCode,
    },
};
use weir_cloudevents::trace::TraceParent;
use weir_domain::{Event, Timestamp};
use weir_flow::{Purpose, TracedCall, returned_span};
use weir_gateway::{Appending, RequestSpans, Served, ServedEvent};

use super::{number, scope, text, tracer::context};

/// As much of what went wrong is told, in characters.
const PROBLEM_CHARS_MAX: usize = 512;

/// What is told of a request whose sender has gone away before its answer.
const GONE: &str = "client_gone";

/// Methods that HTTP knows (RFC 9110 and RFC 5789); others are told of as `_OTHER`, so that nobody can make names.
const METHODS: [&str; 9] = ["CONNECT", "DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT", "TRACE"];

/// A time and a duration in nanoseconds since 1970.
#[derive(Clone, Copy)]
struct Extent {
    start: u64,
    end: u64,
}

/// Returns a time in nanoseconds since 1970.
pub(super) fn nanos(time: Timestamp) -> u64 {
    time.unix_micros().saturating_mul(1000)
}

fn nanos_of(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

/// Makes the message of spans.
pub(super) fn request(spans: Vec<Span>, resource: Resource) -> ExportTraceServiceRequest {
    let scope_spans = vec![ScopeSpans { scope: Some(scope()), spans, ..ScopeSpans::default() }];
    let of_resource = ResourceSpans { resource: Some(resource), scope_spans, ..ResourceSpans::default() };
    ExportTraceServiceRequest { resource_spans: vec![of_resource] }
}

/// Makes the spans of a request: its own, and that of the append of its events.
pub(super) fn of_request(served: &Served, spans: RequestSpans) -> Vec<Span> {
    let start = nanos(served.began);
    let extent = Extent { start, end: start.saturating_add(nanos_of(served.took)) };
    let method = METHODS.into_iter().find(|method| *method == served.method.as_str());
    let mut span = span(spans.request, served.trace, SpanKind::Server, extent, method.unwrap_or("HTTP").to_owned());
    // The context that it came with is of another process.
    span.flags |= remote(served.trace.is_some());
    span.attributes = of_http(served, method);
    if served.append.is_none() {
        span.attributes.extend(served.event.iter().flat_map(carried));
        span.links = links(served);
    }
    match served.status {
        Some(status) if status.is_server_error() => {
            span.attributes.push(text("error.type", status.as_str()));
            span.status = Some(failed(status.canonical_reason().unwrap_or_default()));
        }
        Some(_) => {}
        None => {
            span.attributes.push(text("error.type", GONE));
            span.status = Some(failed("the sender has gone away before the answer"));
        }
    }
    let append = served.append.as_ref().map(|append| of_append(served, spans, append, extent));
    [Some(span), append].into_iter().flatten().collect()
}

fn of_http(served: &Served, method: Option<&'static str>) -> Vec<KeyValue> {
    let version = match served.version {
        Version::HTTP_10 => "1.0",
        Version::HTTP_2 => "2",
        _ => "1.1",
    };
    let mut attributes = vec![
        text("http.request.method", method.unwrap_or("_OTHER")),
        text("url.path", served.path.as_str()),
        text("url.scheme", if served.is_tls { "https" } else { "http" }),
        text("network.protocol.name", "http"),
        text("network.protocol.version", version),
        text("weir.api", served.api.as_str()),
    ];
    if method.is_none() {
        attributes.push(text("http.request.method_original", served.method.as_str()));
    }
    if let Some(client) = served.client {
        attributes.push(text("client.address", client.ip().to_string()));
        attributes.push(number("client.port", client.port().into()));
    }
    let texts = [
        ("user_agent.original", served.user_agent.as_deref()),
        ("weir.request_id", served.request_id.as_deref()),
        ("weir.space", served.space.as_ref().map(|space| space.as_str())),
        ("weir.principal", served.principal.as_deref()),
    ];
    attributes.extend(texts.into_iter().filter_map(|(key, value)| Some(text(key, value?))));
    let numbers = [
        ("http.response.status_code", served.status.map(|status| u64::from(status.as_u16()))),
        ("http.request.body.size", served.request_bytes),
        ("http.response.body.size", served.response_bytes),
    ];
    attributes.extend(numbers.into_iter().filter_map(|(key, value)| Some(number(key, value?))));
    attributes
}

/// The append of what a request brought.
fn of_append(served: &Served, spans: RequestSpans, append: &Appending, within: Extent) -> Span {
    let start = within.start.saturating_add(nanos_of(append.after));
    let end = append.took.map_or(within.end, |took| start.saturating_add(nanos_of(took)));
    let name = match &served.event {
        Some(ServedEvent::One { event_type, .. }) => format!("send {event_type}"),
        _ => "send".to_owned(),
    };
    let mut span = span(spans.append, Some(spans.request), SpanKind::Producer, Extent { start, end }, name);
    span.flags |= remote(false);
    span.attributes = messaging("send");
    span.attributes.extend(served.event.iter().flat_map(carried));
    span.attributes.extend(served.space.as_ref().map(|space| text("weir.space", space.as_str())));
    span.attributes.extend(append.position.as_deref().map(|position| text("weir.position", position)));
    span.links = links(served);
    let problem = append.problem.as_deref();
    if let Some(problem) = problem.or(append.took.is_none().then_some("the sender has gone away meanwhile")) {
        let status = served.status.map_or_else(|| GONE.to_owned(), |status| status.as_str().to_owned());
        span.attributes.push(text("error.type", status));
        span.status = Some(failed(problem));
    }
    span
}

/// An event that its producer gave a context of its own keeps it: what is traced of the request points there.
fn links(served: &Served) -> Vec<Link> {
    let link = |context: TraceParent| Link {
        trace_id: context.trace_id().to_be_bytes().to_vec(),
        span_id: context.span_id().to_be_bytes().to_vec(),
        flags: u32::from(context.flags()) | remote(true),
        ..Link::default()
    };
    served.event_trace.map(link).into_iter().collect()
}

fn carried(event: &ServedEvent) -> Vec<KeyValue> {
    match event {
        ServedEvent::One { event_type, id, source } => vec![
            text("messaging.destination.name", event_type.as_str()),
            text("messaging.message.id", id.as_str()),
            text("cloudevents.event_id", id.as_str()),
            text("cloudevents.event_type", event_type.as_str()),
            text("cloudevents.event_source", source.as_str()),
        ],
        ServedEvent::Batch(events) => vec![number("messaging.batch.message_count", *events as u64)],
    }
}

/// Makes the spans of a call: that of the delivery it is for, its own, and those of the events that came of it.
pub(super) fn of_call(traced: &TracedCall<'_>, now: u64) -> Vec<Span> {
    let start = now.saturating_sub(nanos_of(traced.took));
    let whole = Extent { start, end: now };
    let called = start.saturating_add(nanos_of(traced.called.unwrap_or_default())).min(now);
    let mut made = Vec::with_capacity(2 + traced.returned.len());
    if traced.purpose == Purpose::Delivery {
        made.push(of_delivery(traced, whole));
    }
    if traced.called.is_some() {
        made.push(of_invocation(traced, Extent { start, end: called }));
    }
    let entered = Extent { start: called, end: now };
    let returned = traced.returned.iter().enumerate();
    made.extend(returned.filter_map(|(index, event)| of_returned(traced, index, event, entered)));
    made
}

fn of_delivery(traced: &TracedCall<'_>, whole: Extent) -> Span {
    let name = format!("process {}", traced.event.event_type());
    let parent = context(traced.event);
    let mut span = span(traced.spans.around, parent, SpanKind::Consumer, whole, name);
    // Who sent it may have been this process, or another one a week ago: it is not known.
    span.attributes = messaging("process");
    span.attributes.extend(about(traced.event));
    span.attributes.extend(called(traced));
    span.attributes.push(text("messaging.consumer.group.name", traced.subscription));
    fail(&mut span, traced);
    span
}

fn of_invocation(traced: &TracedCall<'_>, extent: Extent) -> Span {
    let is_outside = traced.kind.is_some_and(|(_, is_outside)| is_outside);
    let kind = if is_outside { SpanKind::Client } else { SpanKind::Internal };
    let name = format!("call {}", traced.function);
    let mut span = span(traced.spans.call, Some(traced.spans.around), kind, extent, name);
    span.flags |= remote(false);
    span.attributes = called(traced);
    if traced.purpose == Purpose::Authorization {
        span.attributes.push(text("weir.purpose", "authorization"));
    } else {
        span.attributes.extend(about(traced.event));
    }
    if let Ok(Some(status)) = traced.outcome {
        span.attributes.push(number("weir.function.status", status.into()));
    }
    fail(&mut span, traced);
    span
}

/// The span that an event names which a function returned; nothing where the function has named one of its own, which it
/// records itself, or none.
fn of_returned(traced: &TracedCall<'_>, index: usize, event: &Event, extent: Extent) -> Option<Span> {
    let own = context(event)?;
    let derived = returned_span(traced.space, traced.subscription, traced.event, index);
    if own.span_id() != derived {
        return None;
    }
    // An event that was sent to a route with a context of its own goes on with that.
    let around = Some(traced.spans.around).filter(|around| around.trace_id() == own.trace_id());
    let name = format!("send {}", event.event_type());
    let mut span = span(own, around.or_else(|| context(traced.event)), SpanKind::Producer, extent, name);
    span.flags |= remote(false);
    span.attributes = messaging("send");
    span.attributes.extend(about(event));
    span.attributes.push(text("weir.space", traced.space.as_str()));
    span.attributes.push(text("weir.function", traced.function.as_str()));
    Some(span)
}

fn messaging(operation: &str) -> Vec<KeyValue> {
    vec![
        text("messaging.system", "weir"),
        text("messaging.operation.type", operation),
        text("messaging.operation.name", operation),
    ]
}

fn about(event: &Event) -> Vec<KeyValue> {
    let mut attributes = vec![
        text("messaging.destination.name", event.event_type()),
        text("messaging.message.id", event.id()),
        text("cloudevents.event_id", event.id()),
        text("cloudevents.event_type", event.event_type()),
        text("cloudevents.event_source", event.source()),
        text("cloudevents.event_spec_version", "1.0"),
    ];
    attributes.extend(event.subject().map(|subject| text("cloudevents.event_subject", subject)));
    attributes
}

fn called(traced: &TracedCall<'_>) -> Vec<KeyValue> {
    let mut attributes = vec![
        text("weir.space", traced.space.as_str()),
        text("weir.function", traced.function.as_str()),
        number("weir.attempt", traced.attempt.into()),
    ];
    attributes.extend(traced.kind.map(|(kind, _)| text("weir.function.kind", kind)));
    attributes.extend(traced.position.map(|position| number("weir.position", position.get())));
    attributes
}

fn fail(span: &mut Span, traced: &TracedCall<'_>) {
    if let Err(problem) = traced.outcome {
        span.attributes.push(text("error.type", "function_failed"));
        span.status = Some(failed(problem));
    }
}

fn failed(problem: &str) -> Status {
    Status { message: problem.chars().take(PROBLEM_CHARS_MAX).collect(), code: StatusCode::Error as i32 }
}

/// Tells whether the parent of a span is of another process, as the flags of a span say it.
fn remote(is_remote: bool) -> u32 {
    let known = SpanFlags::ContextHasIsRemoteMask as u32;
    if is_remote { known | SpanFlags::ContextIsRemoteMask as u32 } else { known }
}

fn span(own: TraceParent, parent: Option<TraceParent>, kind: SpanKind, extent: Extent, name: String) -> Span {
    Span {
        trace_id: own.trace_id().to_be_bytes().to_vec(),
        span_id: own.span_id().to_be_bytes().to_vec(),
        parent_span_id: parent.map(|parent| parent.span_id().to_be_bytes().to_vec()).unwrap_or_default(),
        flags: own.flags().into(),
        name,
        kind: kind as i32,
        start_time_unix_nano: extent.start,
        end_time_unix_nano: extent.end,
        ..Span::default()
    }
}
