//! Sends spans and metrics by OTLP over HTTP with binary protobuf, to one endpoint, one export at a time.
//!
//! Spans are sent when there are many, or a moment after the first one; metrics once a minute. What fails in passing is
//! tried again for a while, what fails otherwise is given up, and both are counted. Nothing here can hold up a request: what
//! comes meanwhile waits in a queue with a bound, and past it is dropped and counted.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Request, StatusCode, Uri, header};
use http_body_util::{BodyExt, Full, Limited};
use opentelemetry_proto::tonic::{
    collector::{metrics::v1::ExportMetricsServiceResponse, trace::v1::ExportTraceServiceResponse},
    resource::v1::Resource,
    trace::v1::Span,
};
use prost::Message;
use tokio::{
    sync::mpsc::Receiver,
    time::{MissedTickBehavior, interval_at, sleep, timeout},
};
use tokio_util::sync::CancellationToken;
use weir_domain::{Clock, error_chain};
use weir_gateway::{Gateway, Metrics, Signal};

use super::{
    Options, metric,
    metric::Period,
    span::{self, nanos},
};
use crate::https::{self, HttpsClient, Times};

/// Spans in one export.
const SPANS_MAX: usize = 512;
/// How long the first span of an export waits for others.
const SPANS_INTERVAL: Duration = Duration::from_secs(1);
/// How often metrics are exported.
const METRICS_INTERVAL: Duration = Duration::from_secs(60);
/// How long one try of an export may take.
const TRY_TIMEOUT: Duration = Duration::from_secs(10);
/// How often an export is tried.
const TRIES_MAX: u32 = 4;
/// The wait before the second try; it doubles.
const TRY_PAUSE: Duration = Duration::from_millis(500);
/// The longest wait before another try, also where the receiver asks for more.
const TRY_PAUSE_MAX: Duration = Duration::from_secs(5);
/// Of connections to the receiver. They are kept for longer than metrics take to come again.
const TIMES: Times = Times { connect_max: Duration::from_secs(5), idle_max: Duration::from_secs(90) };
/// The largest answer that is read, in bytes.
const ANSWER_BYTES_MAX: usize = 64 * 1024;
/// How often it is told that exports fail.
const TELL_INTERVAL: Duration = Duration::from_secs(60);

/// The media type of the messages.
const PROTOBUF: &str = "application/x-protobuf";

/// Sends what there is, until it is told to end.
pub(crate) struct Exporter {
    spans: Receiver<Span>,
    sender: Sender,
    resource: Resource,
    clock: Arc<dyn Clock>,
    /// When the counting began, in nanoseconds since 1970.
    start: u64,
}

/// Sends one export after the other.
struct Sender {
    http: HttpsClient,
    options: Options,
    metrics: Metrics,
    /// When it was last told that something failed.
    told: Option<Instant>,
}

/// Why a try failed.
struct Failed {
    problem: String,
    /// Whether the same may succeed later, and when to try at the earliest.
    again: Option<Duration>,
}

impl Exporter {
    pub(super) fn new(
        options: Options,
        resource: Resource,
        spans: Receiver<Span>,
        metrics: Metrics,
        clock: Arc<dyn Clock>,
    ) -> Self {
        let start = nanos(clock.now());
        Self { spans, sender: Sender::new(options, metrics), resource, clock, start }
    }

    /// Exports until told to end, and then once more what there is. How long that may take is for the caller to say.
    pub(crate) async fn run(mut self, gateway: Gateway, end: CancellationToken) {
        let mut metrics = interval_at(tokio::time::Instant::now() + METRICS_INTERVAL, METRICS_INTERVAL);
        metrics.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut batch = Vec::with_capacity(SPANS_MAX);
        loop {
            tokio::select! {
                biased;
                () = end.cancelled() => break,
                _ = metrics.tick() => self.send_metrics(&gateway).await,
                count = self.spans.recv_many(&mut batch, SPANS_MAX) => {
                    if count == 0 {
                        // Nobody is left who could send spans.
                        break;
                    }
                    self.gather(&mut batch, &end).await;
                    self.send_spans(std::mem::take(&mut batch)).await;
                }
            }
        }
        while let Ok(span) = self.spans.try_recv() {
            batch.push(span);
            if batch.len() == SPANS_MAX {
                self.send_spans(std::mem::take(&mut batch)).await;
            }
        }
        if !batch.is_empty() {
            self.send_spans(batch).await;
        }
        self.send_metrics(&gateway).await;
    }

    /// Waits a moment for what comes behind the first spans of an export.
    async fn gather(&mut self, batch: &mut Vec<Span>, end: &CancellationToken) {
        let filling = async {
            while batch.len() < SPANS_MAX {
                let room = SPANS_MAX - batch.len();
                if self.spans.recv_many(batch, room).await == 0 {
                    return;
                }
            }
        };
        tokio::select! {
            biased;
            () = end.cancelled() => {}
            () = filling => {}
            () = sleep(SPANS_INTERVAL) => {}
        }
    }

    async fn send_spans(&mut self, spans: Vec<Span>) {
        let count = spans.len() as u64;
        let message = span::request(spans, self.resource.clone()).encode_to_vec();
        let dropped = match self.sender.export(Signal::Traces, message.into()).await {
            None => count,
            Some(answer) => {
                let answer = ExportTraceServiceResponse::decode(answer).unwrap_or_default();
                let part = answer.partial_success.unwrap_or_default();
                if part.rejected_spans > 0 || !part.error_message.is_empty() {
                    self.sender.tell(Signal::Traces, &format!("in part: {}", part.error_message));
                }
                u64::try_from(part.rejected_spans).unwrap_or_default()
            }
        };
        if dropped > 0 {
            self.sender.metrics.spans_dropped(dropped);
        }
    }

    async fn send_metrics(&mut self, gateway: &Gateway) {
        let period = Period { start: self.start, now: nanos(self.clock.now()) };
        let message = metric::request(gateway.measure().await, period, self.resource.clone()).encode_to_vec();
        if let Some(answer) = self.sender.export(Signal::Metrics, message.into()).await {
            let answer = ExportMetricsServiceResponse::decode(answer).unwrap_or_default();
            let part = answer.partial_success.unwrap_or_default();
            if part.rejected_data_points > 0 || !part.error_message.is_empty() {
                self.sender.tell(Signal::Metrics, &format!("in part: {}", part.error_message));
            }
        }
    }
}

impl Sender {
    fn new(options: Options, metrics: Metrics) -> Self {
        Self { http: https::client(None, TIMES), options, metrics, told: None }
    }

    /// Sends a message, and again where that may help; returns the answer, or nothing where it is given up.
    async fn export(&mut self, signal: Signal, message: Bytes) -> Option<Bytes> {
        let mut pause = TRY_PAUSE;
        for left in (0..TRIES_MAX).rev() {
            let tried = timeout(TRY_TIMEOUT, self.try_once(signal, message.clone())).await;
            let tried = tried.unwrap_or_else(|_| Err(Failed::passing("it did not answer in time", None)));
            match tried {
                Ok(answer) => return Some(answer),
                Err(Failed { again: Some(at_least), .. }) if left > 0 => {
                    sleep(pause.max(at_least).min(TRY_PAUSE_MAX)).await;
                    pause *= 2;
                }
                Err(failed) => {
                    self.metrics.export_failed(signal);
                    self.tell(signal, &failed.problem);
                    return None;
                }
            }
        }
        None
    }

    async fn try_once(&self, signal: Signal, message: Bytes) -> Result<Bytes, Failed> {
        let response = self.http.request(self.request(signal, message)).await;
        let response = response.map_err(|error| Failed::passing(&error_chain(&error), None))?;
        let (head, body) = response.into_parts();
        if !head.status.is_success() {
            let problem = format!("it answers {}", head.status);
            // The ones that the protocol names.
            let is_passing = matches!(
                head.status,
                StatusCode::TOO_MANY_REQUESTS
                    | StatusCode::BAD_GATEWAY
                    | StatusCode::SERVICE_UNAVAILABLE
                    | StatusCode::GATEWAY_TIMEOUT
            );
            return Err(match is_passing {
                true => Failed::passing(&problem, retry_after(&head.headers)),
                false => Failed { problem, again: None },
            });
        }
        // It was taken, whatever becomes of the rest of the answer.
        Ok(Limited::new(body, ANSWER_BYTES_MAX).collect().await.map(|body| body.to_bytes()).unwrap_or_default())
    }

    fn request(&self, signal: Signal, message: Bytes) -> Request<Full<Bytes>> {
        let mut request = Request::new(Full::new(message));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = self.address(signal).clone();
        *request.headers_mut() = self.options.headers.clone();
        let headers = request.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(PROTOBUF));
        headers.insert(header::USER_AGENT, HeaderValue::from_static(concat!("weir/", env!("CARGO_PKG_VERSION"))));
        request
    }

    fn address(&self, signal: Signal) -> &Uri {
        match signal {
            Signal::Traces => &self.options.traces,
            Signal::Metrics => &self.options.metrics,
        }
    }

    /// Tells the operator that exports fail, though not of each.
    fn tell(&mut self, signal: Signal, problem: &str) {
        if self.told.is_some_and(|told| told.elapsed() < TELL_INTERVAL) {
            return;
        }
        self.told = Some(Instant::now());
        let (signal, address) = (signal.as_str(), self.address(signal));
        tracing::warn!(signal, %address, problem, "telemetry is not taken: what is lost is counted");
    }
}

impl Failed {
    fn passing(problem: &str, at_least: Option<Duration>) -> Self {
        Self { problem: problem.to_owned(), again: Some(at_least.unwrap_or_default()) }
    }
}

fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let seconds = headers.get(header::RETRY_AFTER)?.to_str().ok()?.trim().parse().ok()?;
    Some(Duration::from_secs(seconds))
}
