//! Traces and metrics by OTLP, the protocol of OpenTelemetry: off unless an endpoint is named.
//!
//! Not by the SDK of OpenTelemetry, but by its messages: spans begin in one process and go on in events that may be worked
//! on by another one a week later, so that their identifiers come from the events and not from a context of the thread; and
//! metrics are counted once, in the tables that Prometheus is shown. [`tracer`] says what is a span, [`span`] and [`metric`]
//! make messages, [`export`] sends them.

mod export;
mod metric;
mod span;
mod tracer;

use std::sync::Arc;

use http::{HeaderMap, Uri};
use opentelemetry_proto::tonic::{
    common::v1::{AnyValue, InstrumentationScope, KeyValue, any_value::Value},
    resource::v1::Resource,
};
use tokio::sync::mpsc;
use weir_domain::{Clock, Ids};
use weir_gateway::Metrics;

pub(crate) use export::Exporter;
pub(crate) use tracer::Tracer;

/// Spans that may wait to be sent; further ones are dropped and counted.
const QUEUE_SPANS_MAX: usize = 16 * 1024;

/// Where and what to export.
#[derive(Clone, Debug)]
pub(crate) struct Options {
    /// Where traces are sent: the endpoint with `/v1/traces`.
    pub(crate) traces: Uri,
    /// Where metrics are sent: the endpoint with `/v1/metrics`.
    pub(crate) metrics: Uri,
    /// What goes with every export; the values are secrets.
    pub(crate) headers: HeaderMap,
    /// Which part of the traces that begin here is recorded, from 0 to 1.
    pub(crate) sample_ratio: f64,
    /// The name of the server, as all telemetry carries it.
    pub(crate) service_name: String,
}

/// Makes what traces, and what sends. Nothing is sent before [`Exporter::run`].
pub(crate) fn open(
    options: Options,
    metrics: &Metrics,
    clock: &Arc<dyn Clock>,
    ids: &Arc<dyn Ids>,
) -> (Arc<Tracer>, Exporter) {
    let (queue, spans) = mpsc::channel(QUEUE_SPANS_MAX);
    let tracer = Tracer::new(options.sample_ratio, queue, metrics.clone(), Arc::clone(clock), Arc::clone(ids));
    let resource = Resource {
        attributes: vec![
            text("service.name", options.service_name.as_str()),
            text("service.version", env!("CARGO_PKG_VERSION")),
            text("service.instance.id", ids.unique()),
        ],
        ..Resource::default()
    };
    let exporter = Exporter::new(options, resource, spans, metrics.clone(), Arc::clone(clock));
    (Arc::new(tracer), exporter)
}

/// What made all of it, as the messages say it.
fn scope() -> InstrumentationScope {
    InstrumentationScope {
        name: "weir".to_owned(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        ..InstrumentationScope::default()
    }
}

fn text(key: &str, value: impl Into<String>) -> KeyValue {
    attribute(key, Value::StringValue(value.into()))
}

fn number(key: &str, value: u64) -> KeyValue {
    attribute(key, Value::IntValue(i64::try_from(value).unwrap_or(i64::MAX)))
}

fn attribute(key: &str, value: Value) -> KeyValue {
    KeyValue { key: key.to_owned(), value: Some(AnyValue { value: Some(value) }), ..KeyValue::default() }
}
