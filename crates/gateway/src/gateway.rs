//! The two APIs, what bounds them, and what they share.

use std::{future::Future, io, sync::Arc, time::Duration};

use axum::{Router, body::Body};
use bytes::Bytes;
use http::StatusCode;
use hyper_util::service::TowerToHyperService;
use tokio::{
    net::TcpListener,
    sync::{Semaphore, SemaphorePermit},
};
use tokio_util::sync::CancellationToken;
use weir_catalog::Catalog;
use weir_domain::{Clock, Event, Ids, Limits, SpaceName};
use weir_flow::{Backlog, Flow, SubscriptionLevel};
use weir_log::LogEngine;

use crate::{
    auth::{AuthOptions, Guard, RateOptions},
    body::{self, Bounds, RequestBody},
    compatibility::Compatibility,
    configuration,
    decoding::Decoder,
    events,
    metrics::{Api, EventSeries, Measured, Metrics, Refused, Scrape},
    problem::Problem,
    room::{Place, Room},
    serve::{self, ServeOptions},
    tls::Tls,
    watch::Watchers,
};

/// What a request to the Configuration API may have as its body: the largest component as base64, and room beside it.
const CONFIGURATION_BYTES_MAX: usize = 32 * 1024 * 1024;

/// Requests that read the log at once. Each has a page of events in memory, and its answer beside it, before anybody knows
/// whether there is room for that answer.
const LOG_READS_MAX: usize = 8;

/// How long whoever scrapes waits until what waits for subscriptions is counted; beyond, it is left out.
pub(crate) const LEVELS_TIME: Duration = Duration::from_secs(2);

/// Bounds of the door.
#[derive(Clone, Debug)]
pub struct Options {
    /// What events and requests of the Events API may be.
    pub limits: Limits,
    /// Requests in flight, of each API; beyond, they are refused with 503.
    pub requests_max: usize,
    /// Bytes of the bodies of these requests together, of each API; beyond, they are refused with 503. Where it is less
    /// than one body may have, that holds. Answers that were not written yet may take as many again.
    pub in_flight_bytes_max: usize,
    /// Bytes of the head of a request; beyond, it is refused with 431: see [`ServeOptions::head_bytes_max`].
    pub head_bytes_max: usize,
    /// Headers of a request of HTTP/1.1; beyond, it is refused with 431.
    pub headers_max: usize,
    /// Open connections of each API; beyond, connections wait to be accepted.
    pub connections_max: usize,
    /// How long a connection may take to send the head of a request, and may idle between two.
    pub header_read_timeout: Duration,
    /// How long the body of a request may take.
    pub body_read_timeout: Duration,
    /// How long a client may read nothing at all of its answer, before its connection is closed.
    pub write_timeout: Duration,
    /// The TLS of the Events API; without it, it is served in clear text.
    pub events_tls: Option<Tls>,
    /// The TLS of the Configuration API; without it, it is served in clear text.
    pub configuration_tls: Option<Tls>,
    /// How long the TLS handshake of a connection may take.
    pub handshake_timeout: Duration,
    /// Who is let in; without it, everybody.
    pub auth: Option<AuthOptions>,
    /// Whether requests are refused that were sent to another name than one of this machine: for a server that asks nobody
    /// for a token because only its own machine reaches it.
    pub local_names_only: bool,
    /// Names that such a server answers to as well, without ports.
    pub allowed_hosts: Vec<String>,
    /// How many requests are let in.
    pub rates: RateOptions,
    /// What is done as the Event Gateway did.
    pub compatibility: Compatibility,
    /// Who is told of every request. Without any, nothing is gathered for them.
    pub watchers: Watchers,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            limits: Limits::default(),
            requests_max: 8192,
            in_flight_bytes_max: 64 * 1024 * 1024,
            head_bytes_max: 64 * 1024,
            headers_max: 100,
            connections_max: 16 * 1024,
            header_read_timeout: Duration::from_secs(30),
            body_read_timeout: Duration::from_secs(60),
            write_timeout: Duration::from_secs(30),
            events_tls: None,
            configuration_tls: None,
            handshake_timeout: Duration::from_secs(10),
            auth: None,
            local_names_only: false,
            allowed_hosts: Vec::new(),
            rates: RateOptions::default(),
            compatibility: Compatibility::default(),
            watchers: Watchers::default(),
        }
    }
}

/// What all requests share.
pub(crate) struct Shared {
    pub(crate) flow: Flow,
    pub(crate) log: Arc<dyn LogEngine>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) ids: Arc<dyn Ids>,
    pub(crate) options: Options,
    pub(crate) metrics: Metrics,
    /// Where anything is guarded.
    pub(crate) guard: Option<Guard>,
    /// The space of who names none, made once.
    pub(crate) default_space: SpaceName,
    pub(crate) events_room: Room,
    pub(crate) configuration_room: Room,
    /// For reads that wait for events to come.
    pub(crate) waiting_room: Room,
    /// For pages of the log.
    log_reads: Semaphore,
    /// For bodies of events.
    pub(crate) decoder: Decoder,
    /// Ends the waiting of reads, when the server stops.
    pub(crate) stopping: CancellationToken,
}

impl Shared {
    /// Returns what is counted of events of one type.
    pub(crate) fn counted(&self, space: &SpaceName, event: &Event) -> EventSeries<'_> {
        self.metrics.event(space, event.event_type(), || self.flow.catalog())
    }

    /// Reads what metrics read at the moment of a scrape.
    pub(crate) fn scrape<'c>(
        &self,
        catalog: &'c Catalog,
        backlogs: &'c [Backlog],
        levels: &'c [SubscriptionLevel],
    ) -> Scrape<'c> {
        Scrape {
            catalog,
            end: *self.log.durable_end().borrow(),
            backlog: self.flow.backlog(),
            backlogs,
            levels,
            events: self.events_room.in_flight(),
            configuration: self.configuration_room.in_flight(),
        }
    }

    /// Counts a request whose event could not be read.
    pub(crate) fn unread(&self, space: &SpaceName, problem: &Problem) {
        let catalog = || self.flow.catalog();
        match problem.status() {
            StatusCode::SERVICE_UNAVAILABLE => self.metrics.unread(Some(space), catalog),
            StatusCode::PAYLOAD_TOO_LARGE => self.metrics.refused(space, Refused::TooLarge, catalog),
            _ => self.metrics.refused(space, Refused::Malformed, catalog),
        }
    }

    /// Waits for a turn to read the log, which is to be given back when the answer is made. Nobody waits for a client with
    /// one: turns come soon.
    pub(crate) async fn log_turn(&self) -> SemaphorePermit<'_> {
        self.log_reads.acquire().await.expect("the semaphore is never closed")
    }

    /// Reads the body of a request to the Events API.
    pub(crate) async fn read_event_body<B: RequestBody>(
        &self,
        body: B,
        place: &mut Place<'_>,
        bytes_max: usize,
    ) -> Result<Bytes, Problem> {
        body::read(body, place, Bounds { bytes_max, time_max: self.options.body_read_timeout }).await
    }

    /// Reads the body of a request to the Configuration API.
    pub(crate) async fn read_configuration_body(&self, body: Body, place: &mut Place<'_>) -> Result<Bytes, Problem> {
        let bounds = Bounds { bytes_max: CONFIGURATION_BYTES_MAX, time_max: self.options.body_read_timeout };
        body::read(body, place, bounds).await
    }
}

/// The door: a handle, cheap to clone.
#[derive(Clone)]
pub struct Gateway {
    shared: Arc<Shared>,
}

impl Gateway {
    /// Makes the door in front of a flow and its log.
    #[must_use]
    pub fn new(
        flow: Flow,
        log: Arc<dyn LogEngine>,
        clock: Arc<dyn Clock>,
        ids: Arc<dyn Ids>,
        metrics: Metrics,
        options: Options,
    ) -> Self {
        let room =
            |body_bytes_max: usize| Room::new(options.requests_max, options.in_flight_bytes_max.max(body_bytes_max));
        let events_room = room(options.limits.request_bytes_max);
        let configuration_room = room(CONFIGURATION_BYTES_MAX);
        let waiting_room = Room::new(options.requests_max, 1);
        let guard = Guard::new(options.auth.clone(), options.rates);
        let shared = Shared {
            flow,
            log,
            clock,
            ids,
            options,
            metrics,
            guard,
            default_space: SpaceName::default(),
            events_room,
            configuration_room,
            waiting_room,
            log_reads: Semaphore::new(LOG_READS_MAX),
            decoder: Decoder::new(),
            stopping: CancellationToken::new(),
        };
        Self { shared: Arc::new(shared) }
    }

    /// Returns the Events API: every method and path is an event, a call, or nobody's.
    pub fn events_api(&self) -> Router {
        events::router(Arc::clone(&self.shared))
    }

    /// Returns the Configuration API.
    pub fn configuration_api(&self) -> Router {
        configuration::router(Arc::clone(&self.shared))
    }

    /// Reads all metrics: the same series that `GET /v1/metrics` shows.
    pub async fn measure(&self) -> Vec<Measured> {
        let levels = self.shared.flow.levels(LEVELS_TIME).await;
        let catalog = self.shared.flow.catalog();
        self.shared.metrics.measure(&self.shared.scrape(&catalog, &self.shared.flow.backlogs(), &levels))
    }

    /// Returns how the APIs are to be served: with these, reads that wait for events end when the server stops.
    ///
    /// Without TLS, which each API has for itself.
    #[must_use]
    pub fn serve_options(&self) -> ServeOptions {
        ServeOptions {
            head_bytes_max: self.shared.options.head_bytes_max,
            headers_max: self.shared.options.headers_max,
            connections_max: self.shared.options.connections_max,
            header_read_timeout: self.shared.options.header_read_timeout,
            write_timeout: self.shared.options.write_timeout,
            handshake_timeout: self.shared.options.handshake_timeout,
            tls: None,
            stopping: self.shared.stopping.clone(),
        }
    }

    /// Serves the Events API until `shutdown`, then finishes the requests in flight.
    ///
    /// This is the quick way: it answers as [`events_api`](Self::events_api) does, without a router in between.
    ///
    /// # Errors
    /// Where the listener cannot accept connections at all.
    pub async fn serve_events(
        self,
        listener: TcpListener,
        shutdown: impl Future<Output = ()> + Send + 'static,
    ) -> io::Result<()> {
        let tls = self.shared.options.events_tls.clone();
        let options = ServeOptions { tls, ..self.serve_options() };
        let counted = Some((self.shared.metrics.clone(), Api::Events));
        serve::run(listener, events::service(self.shared), shutdown, options, counted).await
    }

    /// Serves the Configuration API until `shutdown`, then finishes the requests in flight.
    ///
    /// # Errors
    /// Where the listener cannot accept connections at all.
    pub async fn serve_configuration(
        self,
        listener: TcpListener,
        shutdown: impl Future<Output = ()> + Send + 'static,
    ) -> io::Result<()> {
        let tls = self.shared.options.configuration_tls.clone();
        let options = ServeOptions { tls, ..self.serve_options() };
        let counted = Some((self.shared.metrics.clone(), Api::Configuration));
        let service = TowerToHyperService::new(self.configuration_api());
        serve::run(listener, service, shutdown, options, counted).await
    }
}
