//! All series there are: in which tables they lie, what they are called, and which of them a name gets.
//!
//! Names come from outside and from within. Those from outside (requests) get a series of their own only where the catalog
//! has them; those from within (what the flow tells) were registered when they came to be.

use std::{
    sync::{Arc, atomic::AtomicU64},
    time::Duration,
};

use prometheus_client::metrics::{counter, gauge};
use weir_catalog::Catalog;
use weir_domain::{SpaceName, Timestamp};
use weir_flow::EVENT_QUARANTINED;
use weir_log::EventReceipt;

use super::{
    family::{Family, Readings},
    histogram::{Buckets, Histogram},
    labels::{Api, Refused, Signal},
    measured::Registered,
    table::Table,
};

pub(super) type Counter = counter::Counter<u64, AtomicU64>;
pub(super) type Gauge = gauge::Gauge;

/// What a name from outside is counted under that nobody registered.
pub(super) const UNREGISTERED: &str = "unregistered";
/// What is counted under where a family has as many series as it may.
pub(super) const OTHER: &str = "other";
/// The type of events that were refused before they were read.
const UNREAD: &str = "unread";

/// The most series of one family. A histogram counts with each of its buckets.
pub(super) const SERIES_MAX: usize = 10_000;
/// Room within it for the series that are called [`OTHER`].
const OTHERS_MAX: usize = 64;
/// Series that get names of their own.
pub(super) const NAMED_MAX: usize = SERIES_MAX - OTHERS_MAX;
/// Functions that get names of their own: each has a series for success and one for failure.
const FUNCTIONS_MAX: usize = NAMED_MAX / 2;
/// Functions whose duration is measured on its own; one more histogram is that of all others.
pub(super) const DURATIONS_MAX: usize = SERIES_MAX / LATENCY.series() - 1;

/// Of requests and calls: 50 µs to 26 s.
const LATENCY: Buckets = Buckets { first_nanos: 50_000, count: 20 };
/// Of the Event Gateway, from acceptance to the end of a delivery: 10 µs to 5 s.
const PROCESSING: Buckets = Buckets { first_nanos: 10_000, count: 20 };
/// Of the Event Gateway, for requests to the Configuration API: 0.5 ms to 16 s.
const CONFIGURATION: Buckets = Buckets { first_nanos: 500_000, count: 16 };

const SPACE: [&str; 1] = ["space"];
const SPACE_TYPE: [&str; 2] = ["space", "type"];
const SPACE_FUNCTION: [&str; 2] = ["space", "function"];

/// The series of one space.
pub(super) struct OfSpace {
    label: Box<str>,
    pub(super) duplicate: Counter,
    pub(super) rate_limited: Counter,
}

/// The series of one event type of a space.
pub(super) struct OfType {
    pub(super) space: Arc<OfSpace>,
    pub(super) received: Counter,
    pub(super) processed: Counter,
    pub(super) dropped: Counter,
    pub(super) appended: Counter,
}

/// The series of one function of a space.
pub(super) struct OfFunction {
    pub(super) succeeded: Counter,
    pub(super) failed: Counter,
    pub(super) duration: Histogram,
    pub(super) retries: Counter,
    pub(super) given_up: Counter,
    pub(super) dropped: Counter,
}

/// All that is counted and measured.
pub(super) struct Series {
    pub(super) registered: Registered,
    requests: Arc<Table<3, Counter>>,
    pub(super) request_durations: [Histogram; Api::ALL.len()],
    pub(super) connections: [Gauge; Api::ALL.len()],
    spaces: Arc<Table<1, Arc<OfSpace>>>,
    types: Arc<Table<2, OfType>>,
    functions: Arc<Table<2, OfFunction>>,
    durations: Arc<Table<2, Histogram>>,
    refusals: Arc<Table<2, Counter>>,
    authorizations: Arc<Table<2, Counter>>,
    unauthenticated: Arc<Table<2, Counter>>,
    accept_pauses: Arc<Table<2, Counter>>,
    configuration: Arc<Table<3, Counter>>,
    pub(super) configuration_duration: Histogram,
    pub(super) processing: Histogram,
    pub(super) access_log_dropped: Counter,
    exports_failed: Arc<Table<1, Counter>>,
    spans_dropped: Counter,
}

impl OfSpace {
    fn new(label: &str) -> Arc<Self> {
        Arc::new(Self { label: label.into(), duplicate: Counter::default(), rate_limited: Counter::default() })
    }
}

impl OfType {
    fn new(space: &Arc<OfSpace>) -> Self {
        Self {
            space: Arc::clone(space),
            received: Counter::default(),
            processed: Counter::default(),
            dropped: Counter::default(),
            appended: Counter::default(),
        }
    }
}

impl OfFunction {
    fn new(duration: Histogram) -> Self {
        Self {
            succeeded: Counter::default(),
            failed: Counter::default(),
            duration,
            retries: Counter::default(),
            given_up: Counter::default(),
            dropped: Counter::default(),
        }
    }
}

impl Series {
    /// Makes the tables and registers what they count.
    pub(super) fn new(version: &str, started: Timestamp) -> Self {
        let request_durations: Arc<Table<1, Histogram>> = Arc::new(Table::new(0));
        let connections: Arc<Table<1, Gauge>> = Arc::new(Table::new(0));
        let measured = |api: Api| request_durations.fixed([api.as_str()], || Histogram::new(LATENCY)).clone();
        let opened = |api: Api| connections.fixed([api.as_str()], Gauge::default).clone();
        let mut series = Self {
            registered: Registered::default(),
            requests: Arc::new(Table::new(NAMED_MAX)),
            request_durations: Api::ALL.map(measured),
            connections: Api::ALL.map(opened),
            spaces: Arc::new(Table::new(NAMED_MAX)),
            types: Arc::new(Table::new(NAMED_MAX)),
            functions: Arc::new(Table::new(FUNCTIONS_MAX)),
            durations: Arc::new(Table::new(DURATIONS_MAX)),
            refusals: Arc::new(Table::new(NAMED_MAX)),
            authorizations: Arc::new(Table::new(NAMED_MAX)),
            unauthenticated: Arc::new(Table::new(0)),
            accept_pauses: Arc::new(Table::new(0)),
            configuration: Arc::new(Table::new(NAMED_MAX)),
            configuration_duration: Histogram::new(CONFIGURATION),
            processing: Histogram::new(PROCESSING),
            access_log_dropped: Counter::default(),
            exports_failed: Arc::new(Table::new(0)),
            spans_dropped: Counter::default(),
        };
        for signal in Signal::ALL {
            series.exports_failed.fixed([signal.as_str()], Counter::default);
        }
        series.register_old();
        series.register_door(&request_durations, &connections);
        series.register_events();
        series.register_functions();
        series.register_process(version, started);
        series
    }

    /// What the Event Gateway had, but for what is read when somebody scrapes.
    fn register_old(&mut self) {
        let registry = &mut self.registered;
        let name = "eventgateway_events_received";
        let family = Family::of(&self.types, SPACE_TYPE, |of: &OfType| &of.received);
        registry.register(name, "Events that came in through the door", family);
        let name = "eventgateway_events_processed";
        let family = Family::of(&self.types, SPACE_TYPE, |of: &OfType| &of.processed);
        registry.register(name, "Events that a function is done with, or that were given up", family);
        let name = "eventgateway_events_dropped";
        let family = Family::of(&self.types, SPACE_TYPE, |of: &OfType| &of.dropped);
        registry.register(name, "Events that were refused for lack of room", family);
        let name = "eventgateway_events_custom_processing_seconds";
        let help = "Time from the acceptance of an event to the end of its delivery to one async subscription";
        registry.register(name, help, self.processing.clone());
        let name = "eventgateway_config_requests";
        let family = Family::of(&self.configuration, ["space", "resource", "operation"], |count: &Counter| count);
        registry.register(name, "Requests to the Configuration API", family);
        let name = "eventgateway_config_request_duration_seconds";
        registry.register(name, "Time of these requests", self.configuration_duration.clone());
    }

    fn register_door(&mut self, durations: &Arc<Table<1, Histogram>>, connections: &Arc<Table<1, Gauge>>) {
        let registry = &mut self.registered;
        let family = Family::of(&self.requests, ["api", "space", "code"], |count: &Counter| count);
        registry.register("weir_http_requests", "Requests by the status of their answer", family);
        let family = Family::of(durations, ["api"], |duration: &Histogram| duration);
        registry.register(
            "weir_http_request_duration_seconds",
            "Time from the head of a request to its answer",
            family,
        );
        let family = Family::of(connections, ["api"], |open: &Gauge| open);
        registry.register("weir_connections_open", "Open connections", family);
        let family = Family::of(&self.accept_pauses, ["api", "reason"], |count: &Counter| count);
        registry.register("weir_accept_pauses", "Times that no further connection was accepted for a while", family);
        let family = Family::of(&self.authorizations, ["space", "outcome"], |count: &Counter| count);
        registry.register("weir_authorizer_calls", "Calls of authorizers by what they said", family);
        let family = Family::of(&self.unauthenticated, ["api", "reason"], |count: &Counter| count);
        registry.register("weir_unauthenticated_requests", "Requests of which it is not known who sent them", family);
        let family = Family::of(&self.spaces, SPACE, |of: &Arc<OfSpace>| &of.rate_limited);
        registry.register("weir_rate_limited_requests", "Requests beyond the rate that is allowed", family);
        let help = "Requests that have no line in the access log, because it could not be written as fast";
        registry.register("weir_access_log_dropped", help, self.access_log_dropped.clone());
        let family = Family::of(&self.exports_failed, ["signal"], |count: &Counter| count);
        registry.register("weir_otlp_exports_failed", "Exports by OTLP that were given up", family);
        let help = "Spans that could not be exported, or not as fast as they came";
        registry.register("weir_otlp_spans_dropped", help, self.spans_dropped.clone());
    }

    fn register_events(&mut self) {
        let registry = &mut self.registered;
        let family = Family::of(&self.types, SPACE_TYPE, |of: &OfType| &of.appended);
        registry.register("weir_events_appended", "Events that were written to the log", family);
        let family = Family::of(&self.spaces, SPACE, |of: &Arc<OfSpace>| &of.duplicate);
        registry.register("weir_events_duplicate", "Events that stood in the log before", family);
        let family = Family::of(&self.refusals, ["space", "reason"], |count: &Counter| count);
        registry.register("weir_events_refused", "Events that were refused at the door", family);
    }

    fn register_functions(&mut self) {
        let registry = &mut self.registered;
        let family = Family::<2, OfFunction, Counter>::of_parts(
            &self.functions,
            SPACE_FUNCTION,
            [(("outcome", "ok"), |of| &of.succeeded), (("outcome", "failed"), |of| &of.failed)],
        );
        registry.register("weir_function_calls", "Calls of functions by how they ended", family);
        let family = Family::of(&self.durations, SPACE_FUNCTION, |duration: &Histogram| duration);
        registry.register("weir_function_call_duration_seconds", "Time of these calls", family);
        let family = Family::of(&self.functions, SPACE_FUNCTION, |of: &OfFunction| &of.retries);
        registry.register("weir_delivery_retries", "Failed deliveries that are tried again", family);
        let family = Family::of(&self.functions, SPACE_FUNCTION, |of: &OfFunction| &of.given_up);
        registry.register("weir_delivery_failed", "Deliveries that were given up and recorded", family);
        let family = Family::of(&self.functions, SPACE_FUNCTION, |of: &OfFunction| &of.dropped);
        let help = "Deliveries that waited for a subscription when it was deleted, which is recorded";
        registry.register("weir_delivery_dropped", help, family);
    }

    fn register_process(&mut self, version: &str, started: Timestamp) {
        let build = Readings { names: ["version"], rows: vec![([version.into()], 1)] };
        self.registered.register("weir_build_info", "The version that runs", build);
        let seconds = gauge::Gauge::<f64, AtomicU64>::default();
        seconds.set(started.unix_micros() as f64 / 1e6);
        self.registered.register("process_start_time_seconds", "When the process began, since 1970", seconds);
    }
}

/// Names from outside: a closure gives the catalog, which is asked only about names that were never seen.
impl Series {
    /// Finds the series of a space, or those of all that nobody registered.
    pub(super) fn space(&self, space: Option<&SpaceName>, catalog: impl FnOnce() -> Arc<Catalog>) -> &Arc<OfSpace> {
        let Some(space) = space else { return self.fixed_space(UNREGISTERED) };
        if let Some(known) = self.spaces.find([space.as_str()]) {
            return known;
        }
        if catalog().space(space).is_some() { self.registered_space(space) } else { self.fixed_space(UNREGISTERED) }
    }

    /// Finds the series of an event type, or those of all that nobody registered in the space.
    pub(super) fn event_type(
        &self,
        space: &SpaceName,
        event_type: &str,
        catalog: impl FnOnce() -> Arc<Catalog>,
    ) -> &OfType {
        if let Some(known) = self.types.find([space.as_str(), event_type]) {
            return known;
        }
        let catalog = catalog();
        let is_registered = catalog.space_or_empty(space).event_type(event_type).is_some();
        let of_space = self.space(Some(space), || catalog);
        self.type_of(of_space, if is_registered { event_type } else { UNREGISTERED })
    }

    /// Finds the series of events that were refused before they were read.
    pub(super) fn unread(&self, space: Option<&SpaceName>, catalog: impl FnOnce() -> Arc<Catalog>) -> &OfType {
        self.type_of(self.space(space, catalog), UNREAD)
    }

    /// Counts a request that was answered, or given up, with this code.
    pub(super) fn request(
        &self,
        api: Api,
        space: Option<&SpaceName>,
        code: &str,
        took: Duration,
        catalog: impl FnOnce() -> Arc<Catalog>,
    ) {
        self.request_durations[api as usize].observe(took);
        let name = space.map_or(UNREGISTERED, SpaceName::as_str);
        let known = self.requests.find([api.as_str(), name, code]);
        let count = known.unwrap_or_else(|| {
            let label = &self.space(space, catalog).label;
            let named = self.requests.get([api.as_str(), label, code], Counter::default);
            named.unwrap_or_else(|| self.requests.fixed([api.as_str(), OTHER, class(code)], Counter::default))
        });
        count.inc();
    }

    /// Counts a request for a resource of the configuration.
    pub(super) fn configuration(
        &self,
        space: Option<&SpaceName>,
        resource: &'static str,
        operation: &'static str,
        catalog: impl FnOnce() -> Arc<Catalog>,
    ) {
        let label = &self.space(space, catalog).label;
        let named = self.configuration.get([label, resource, operation], Counter::default);
        named.unwrap_or_else(|| self.configuration.fixed([OTHER, resource, operation], Counter::default)).inc();
    }
}

/// Names from within.
impl Series {
    /// Finds the series of a space that something was registered in.
    pub(super) fn registered_space(&self, space: &SpaceName) -> &Arc<OfSpace> {
        let named = self.spaces.get([space.as_str()], || OfSpace::new(space.as_str()));
        named.unwrap_or_else(|| self.fixed_space(OTHER))
    }

    fn fixed_space(&self, label: &'static str) -> &Arc<OfSpace> {
        self.spaces.fixed([label], || OfSpace::new(label))
    }

    /// Finds the series of an event type that was registered, or is one of the platform's.
    pub(super) fn registered_type(&self, space: &SpaceName, event_type: &str) -> &OfType {
        self.types
            .find([space.as_str(), event_type])
            .unwrap_or_else(|| self.type_of(self.registered_space(space), event_type))
    }

    fn type_of(&self, space: &Arc<OfSpace>, event_type: &str) -> &OfType {
        let named = self.types.get([&space.label, event_type], || OfType::new(space));
        named.unwrap_or_else(|| self.types.fixed([OTHER; 2], || OfType::new(self.fixed_space(OTHER))))
    }

    /// Counts the event that keeps another one in quarantine, or that it stood there before.
    pub(super) fn quarantined(&self, space: &SpaceName, receipt: &EventReceipt) {
        if receipt.duplicate {
            self.registered_space(space).duplicate.inc();
        } else {
            self.registered_type(space, EVENT_QUARANTINED).appended.inc();
        }
    }

    /// Finds the series of a function.
    pub(super) fn function(&self, space: &str, function: &str) -> &OfFunction {
        let labels = [space, function];
        let named = self.functions.get(labels, || OfFunction::new(self.duration(labels)));
        named.unwrap_or_else(|| self.functions.fixed([OTHER; 2], || OfFunction::new(self.duration([OTHER; 2]))))
    }

    fn duration(&self, labels: [&str; 2]) -> Histogram {
        let make = || Histogram::new(LATENCY);
        self.durations.get(labels, make).unwrap_or_else(|| self.durations.fixed([OTHER; 2], make)).clone()
    }

    /// Counts a refusal.
    pub(super) fn refused(&self, space: &OfSpace, why: Refused) {
        spaced(&self.refusals, space, why.as_str()).inc();
    }

    /// Counts what an authorizer said.
    pub(super) fn authorized(&self, space: &OfSpace, outcome: &'static str) {
        spaced(&self.authorizations, space, outcome).inc();
    }

    /// Counts that a listener accepts no further connection for a while.
    pub(super) fn accept_paused(&self, api: Api, reason: &'static str) {
        self.accept_pauses.fixed([api.as_str(), reason], Counter::default).inc();
    }

    /// Counts an export that was given up.
    pub(super) fn export_failed(&self, signal: Signal) {
        self.exports_failed.fixed([signal.as_str()], Counter::default).inc();
    }

    /// Counts spans that are exported to nowhere.
    pub(super) fn spans_dropped(&self, spans: u64) {
        self.spans_dropped.inc_by(spans);
    }

    /// Counts a request of which it is not known who sent it.
    pub(super) fn unauthenticated(&self, api: Api, reason: &'static str) {
        self.unauthenticated.fixed([api.as_str(), reason], Counter::default).inc();
    }
}

fn spaced<'t>(table: &'t Table<2, Counter>, space: &OfSpace, second: &'static str) -> &'t Counter {
    let named = table.get([&space.label, second], Counter::default);
    named.unwrap_or_else(|| table.fixed([OTHER, second], Counter::default))
}

/// Returns the class of a status.
fn class(code: &str) -> &'static str {
    match code.as_bytes().first() {
        Some(b'1') => "1xx",
        Some(b'2') => "2xx",
        Some(b'3') => "3xx",
        Some(b'4') => "4xx",
        _ => "5xx",
    }
}
