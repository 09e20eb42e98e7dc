//! What is counted and measured, for Prometheus: the metrics of the Event Gateway under their old names, and Weir's own.
//!
//! [`Metrics`] is a handle, made once. The door counts what comes and goes. The flow is watched, which is why the handle is
//! a [`weir_flow::Observer`]. What can be asked for at any time, such as the catalog or the end of the log, is not counted
//! but read when somebody scrapes ([`Scrape`]).
//!
//! Nothing here takes a lock or allocates for a name that was seen before: series lie in tables that only grow (`table`),
//! and are numbers that are added to. Names from outside get series of their own where the catalog has them, else they are
//! counted as `unregistered`; where a family has as many series as it may, further names are counted as `other`
//! (`series`). Which metrics there are is told in docs/metrics.md.

mod exposition;
mod family;
mod histogram;
mod labels;
mod measured;
mod observing;
mod series;
mod table;

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use http::StatusCode;
use weir_catalog::{Catalog, Resource};
use weir_domain::{SpaceName, Timestamp};
use weir_log::EventReceipt;

pub use exposition::{Format, InFlight, Scrape};
pub(crate) use labels::AcceptPause;
pub use labels::{Api, Operation, Refused, Signal, Unauthenticated};
pub use measured::{Measured, Point, Value};

use series::{Gauge, OfType, Series};

/// The code under which a request is counted whose sender went away before the answer. No answer can have it.
const GONE: &str = "499";

/// All metrics of a server: a handle, cheap to clone.
///
/// Wherever a name comes from outside, a closure beside it gives the catalog; it is called only for names that were not
/// seen before.
#[derive(Clone)]
pub struct Metrics {
    series: Arc<Series>,
}

impl Metrics {
    /// Makes metrics that have counted nothing yet.
    #[must_use]
    pub fn new(version: &str, started: Timestamp) -> Self {
        Self { series: Arc::new(Series::new(version, started)) }
    }

    /// A request has come.
    pub fn request(&self, api: Api) -> OpenRequest<'_> {
        OpenRequest { series: &self.series, api, began: Instant::now(), space: None, is_open: true }
    }

    /// A connection was accepted.
    pub fn connection(&self, api: Api) -> OpenConnection {
        let open = self.series.connections[api as usize].clone();
        open.inc();
        OpenConnection { open }
    }

    /// A listener accepts no further connection for a while.
    pub(crate) fn accept_paused(&self, api: Api, why: AcceptPause) {
        self.series.accept_paused(api, why.as_str());
    }

    /// Finds what is counted of events of one type.
    pub fn event(
        &self,
        space: &SpaceName,
        event_type: &str,
        catalog: impl FnOnce() -> Arc<Catalog>,
    ) -> EventSeries<'_> {
        EventSeries { series: &self.series, own: self.series.event_type(space, event_type, catalog) }
    }

    /// A request that should have brought an event was refused before its type was known.
    pub fn refused(&self, space: &SpaceName, why: Refused, catalog: impl FnOnce() -> Arc<Catalog>) {
        self.series.refused(self.series.space(Some(space), catalog), why);
    }

    /// A request to the Events API found no room at the door, and nobody knows what it brought.
    pub fn unread(&self, space: Option<&SpaceName>, catalog: impl FnOnce() -> Arc<Catalog>) {
        EventSeries { series: &self.series, own: self.series.unread(space, catalog) }.refused(Refused::Overloaded);
    }

    /// A request came beyond the rate that is allowed.
    pub fn rate_limited(&self, space: &SpaceName, catalog: impl FnOnce() -> Arc<Catalog>) {
        self.series.space(Some(space), catalog).rate_limited.inc();
    }

    /// It is not known who sent a request.
    pub fn unauthenticated(&self, api: Api, why: Unauthenticated) {
        self.series.unauthenticated(api, why.as_str());
    }

    /// A request for a resource of the configuration was answered. Ask for the catalog after the answer: a space may have
    /// come into being by it.
    pub fn configured(
        &self,
        space: Option<&SpaceName>,
        resource: Resource,
        operation: Operation,
        took: Duration,
        catalog: impl FnOnce() -> Arc<Catalog>,
    ) {
        self.series.configuration_duration.observe(took);
        self.series.configuration(space, labels::resource(resource), operation.as_str(), catalog);
    }

    /// As many requests have no line in the access log.
    pub fn access_log_dropped(&self, lines: u64) {
        self.series.access_log_dropped.inc_by(lines);
    }

    /// An export by OTLP was given up.
    pub fn export_failed(&self, signal: Signal) {
        self.series.export_failed(signal);
    }

    /// As many spans are exported to nowhere.
    pub fn spans_dropped(&self, spans: u64) {
        self.series.spans_dropped(spans);
    }

    /// Writes all metrics down.
    #[must_use]
    pub fn render(&self, scrape: &Scrape<'_>, format: Format) -> String {
        exposition::render(&self.series.registered, scrape, format)
    }

    /// Reads all metrics: the same series that [`render`](Self::render) writes.
    #[must_use]
    pub fn measure(&self, scrape: &Scrape<'_>) -> Vec<Measured> {
        exposition::measure(&self.series.registered, scrape)
    }
}

/// A request that has come and is not answered. When it is dropped, its sender has gone away.
#[must_use = "a request is counted when it is answered"]
pub struct OpenRequest<'m> {
    series: &'m Series,
    api: Api,
    began: Instant,
    space: Option<SpaceName>,
    is_open: bool,
}

impl OpenRequest<'_> {
    /// Says which space it is for.
    pub fn names(&mut self, space: &SpaceName) {
        self.space = Some(space.clone());
    }

    /// Counts it with the status of its answer.
    pub fn answered(mut self, status: StatusCode, catalog: impl FnOnce() -> Arc<Catalog>) {
        self.is_open = false;
        self.series.request(self.api, self.space.as_ref(), status.as_str(), self.began.elapsed(), catalog);
    }
}

impl Drop for OpenRequest<'_> {
    fn drop(&mut self) {
        if self.is_open {
            // Nobody is left to ask for the catalog. A space that has answered anything before is known without it.
            self.series.request(self.api, self.space.as_ref(), GONE, self.began.elapsed(), Arc::default);
        }
    }
}

/// A connection that is open until this is dropped.
#[must_use = "a connection counts as open while this is kept"]
pub struct OpenConnection {
    open: Gauge,
}

impl Drop for OpenConnection {
    fn drop(&mut self) {
        self.open.dec();
    }
}

/// What is counted of events of one type in one space.
#[derive(Clone, Copy)]
pub struct EventSeries<'m> {
    series: &'m Series,
    own: &'m OfType,
}

impl EventSeries<'_> {
    /// An event came in, whatever becomes of it.
    pub fn received(self) {
        self.own.received.inc();
    }

    /// The log took an event: it was written, or had been before.
    pub fn recorded(self, receipt: &EventReceipt) {
        let count = if receipt.duplicate { &self.own.space.duplicate } else { &self.own.appended };
        count.inc();
    }

    /// The log took an event in quarantine: what was written is another one, of a type of the platform.
    pub fn quarantined(self, space: &SpaceName, receipt: &EventReceipt) {
        self.series.quarantined(space, receipt);
    }

    /// An event was refused.
    pub fn refused(self, why: Refused) {
        self.series.refused(&self.own.space, why);
        if why == Refused::Overloaded {
            self.own.dropped.inc();
        }
    }
}

#[cfg(test)]
mod tests;
