//! Decides what is traced, and makes spans of what the door and the flow tell when it is over.
//!
//! A trace begins at the Events API, or is one that a request or an event brings along. What carries no context, or one
//! that its sender does not record, makes no span: who decides is whoever begins a trace.
//!
//! ```text
//! POST                           SERVER     the request; its parent is the span of the producer
//! ├─ send order.placed           PRODUCER   the append; its event names this span as its `traceparent`
//! │  └─ process order.placed     CONSUMER   one attempt of a delivery, here or after a restart
//! │     ├─ call bill             CLIENT     the call; INTERNAL where the function runs in this process
//! │     └─ send order.billed     PRODUCER   an event that the function returned, and what comes of it below
//! └─ call guard                             of a route, or of an authorizer below the append
//! ```

use std::sync::Arc;

use opentelemetry_proto::tonic::trace::v1::Span;
use tokio::sync::mpsc::Sender;
use weir_cloudevents::trace::{TRACEPARENT, TraceParent};
use weir_domain::{Clock, Event, Ids};
use weir_flow::{CallSpans, Calling, Happening, Observer, Purpose, TracedCall};
use weir_gateway::{Api, Metrics, RequestObserver, RequestSpans, Served};

use super::span;

/// Watches requests and calls, and makes spans of those that are traced.
pub(crate) struct Tracer {
    /// A trace that begins here is recorded where the right half of its identifier is below this.
    threshold: u128,
    queue: Sender<Span>,
    metrics: Metrics,
    clock: Arc<dyn Clock>,
    ids: Arc<dyn Ids>,
}

impl Tracer {
    pub(super) fn new(
        sample_ratio: f64,
        queue: Sender<Span>,
        metrics: Metrics,
        clock: Arc<dyn Clock>,
        ids: Arc<dyn Ids>,
    ) -> Self {
        // Rounded to 53 bits, which nobody will notice; 1 takes all.
        let threshold = (sample_ratio.clamp(0.0, 1.0) * 2f64.powi(64)) as u128;
        Self { threshold, queue, metrics, clock, ids }
    }

    fn send(&self, span: Span) {
        // Full or closed: whoever is traced must not wait.
        if self.queue.try_send(span).is_err() {
            self.metrics.spans_dropped(1);
        }
    }

    /// Returns two new identifiers of spans.
    fn span_ids(&self) -> [u64; 2] {
        let random = self.ids.secret();
        [0, 8].map(|place| u64::from_le_bytes(std::array::from_fn(|byte| random[place + byte])))
    }

    /// Begins a trace, where it is one of those that are recorded.
    fn begin(&self) -> Option<TraceParent> {
        let random = self.ids.secret();
        let trace_id = u128::from_le_bytes(std::array::from_fn(|byte| random[byte]));
        let span_id = u64::from_le_bytes(std::array::from_fn(|byte| random[16 + byte]));
        // The right half, as samplers by ratio of other systems take it.
        (u128::from(trace_id as u64) < self.threshold).then(|| TraceParent::begin(trace_id, span_id))
    }
}

/// Reads the context of an event, where its sender records it.
pub(super) fn context(event: &Event) -> Option<TraceParent> {
    event.extension_str(TRACEPARENT)?.parse().ok()
}

impl RequestObserver for Tracer {
    fn begins(&self, api: Api, parent: Option<TraceParent>) -> Option<RequestSpans> {
        let [request, append] = match parent {
            Some(parent) if parent.is_sampled() => self.span_ids().map(|id| parent.child(id)),
            // Who asks knows better.
            Some(_) => return None,
            // Probes and scrapes would begin traces of nothing.
            None if api == Api::Configuration => return None,
            None => {
                let request = self.begin()?;
                [request, request.child(self.span_ids()[0])]
            }
        };
        Some(RequestSpans { request, append })
    }

    fn served(&self, served: &Arc<Served>) {
        if let Some(spans) = served.spans {
            span::of_request(served, spans).into_iter().for_each(|span| self.send(span));
        }
    }
}

impl Observer for Tracer {
    fn observe(&self, _happening: &Happening<'_>) {}

    fn calling(&self, calling: &Calling<'_>) -> Option<CallSpans> {
        let within = calling.request.or_else(|| context(calling.event)).filter(|parent| parent.is_sampled())?;
        let [own, call] = self.span_ids();
        let around = match calling.purpose {
            Purpose::Delivery => within.child(own),
            Purpose::Route | Purpose::Authorization => within,
        };
        Some(CallSpans { around, call: around.child(call) })
    }

    fn traced(&self, traced: &TracedCall<'_>) {
        let now = span::nanos(self.clock.now());
        span::of_call(traced, now).into_iter().for_each(|span| self.send(span));
    }
}
