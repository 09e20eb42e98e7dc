//! All metrics as text: what was counted, and what is read at the moment of the scrape.
//!
//! The library writes OpenMetrics 1.0. Whoever does not ask for it is given the text format 0.0.4 that every Prometheus
//! understands, and that the Event Gateway gave.

use std::{
    collections::BTreeMap,
    fmt::{self, Write as _},
    fs,
};

use http::{HeaderMap, header::ACCEPT};
use prometheus_client::encoding::text::{encode_eof, encode_registry};
use weir_catalog::{Catalog, Resource};
use weir_domain::Position;
use weir_flow::{Backlog, SubscriptionLevel};

use super::{
    family::Readings,
    labels::Api,
    measured::{Measured, Registered},
    series::{NAMED_MAX, OTHER},
};

const OPEN_METRICS: &str = "application/openmetrics-text";

/// Where Linux says how much memory this process has. Unlike `statm`, it does not count in pages, whose size varies.
const STATUS_FILE: &str = "/proc/self/status";
const MEMORY_LINE: &str = "VmRSS:";

/// What is not counted, because it can be read when somebody asks.
#[derive(Clone, Copy, Debug)]
pub struct Scrape<'a> {
    /// The present catalog.
    pub catalog: &'a Catalog,
    /// The durable end of the log.
    pub end: Position,
    /// Events that async subscriptions have read and that are not delivered, once for each subscription.
    pub backlog: usize,
    /// The same of each subscription.
    pub backlogs: &'a [Backlog],
    /// How deliveries to each of them stand.
    pub levels: &'a [SubscriptionLevel],
    /// What is in flight on the Events API.
    pub events: InFlight,
    /// What is in flight on the Configuration API.
    pub configuration: InFlight,
}

/// What is in flight on one API.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct InFlight {
    /// Requests.
    pub requests: usize,
    /// The bytes of their bodies together.
    pub bytes: usize,
    /// The bytes of answers that were not written yet.
    pub answer_bytes: usize,
}

/// A text format of metrics.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// The text format 0.0.4 of Prometheus.
    Text,
    /// OpenMetrics 1.0.
    OpenMetrics,
}

impl Format {
    /// Chooses by the header `Accept`: OpenMetrics where it is named.
    #[must_use]
    pub fn accepted(headers: &HeaderMap) -> Self {
        let values = headers.get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok());
        let is_named = values.flat_map(|value| value.split(',')).any(names_open_metrics);
        if is_named { Self::OpenMetrics } else { Self::Text }
    }

    /// Returns the media type.
    #[must_use]
    pub const fn content_type(self) -> &'static str {
        match self {
            Self::Text => "text/plain; version=0.0.4; charset=utf-8",
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
        }
    }
}

/// Tells whether a media range is OpenMetrics and is not refused (`q=0`).
fn names_open_metrics(range: &str) -> bool {
    let mut parts = range.split(';').map(str::trim);
    let is_named = parts.next().is_some_and(|media| media.eq_ignore_ascii_case(OPEN_METRICS));
    let weight = parts.find_map(|part| part.strip_prefix("q=")).and_then(|weight| weight.parse::<f32>().ok());
    is_named && weight.is_none_or(|weight| weight > 0.0)
}

/// Writes down what is registered and what is read now.
pub(super) fn render(counted: &Registered, scrape: &Scrape<'_>, format: Format) -> String {
    let mut text = String::new();
    if write(&mut text, counted, scrape).is_err() {
        // A String takes everything, so a metric of ours has refused; what was written is whole up to it.
        tracing::error!("a metric cannot be written, and those behind it are missing");
    }
    match format {
        Format::Text => to_text(&text),
        Format::OpenMetrics => text,
    }
}

/// Reads what is registered, and what is read now.
pub(super) fn measure(counted: &Registered, scrape: &Scrape<'_>) -> Vec<Measured> {
    counted.measure().chain(read(scrape).measure()).collect()
}

fn write(text: &mut String, counted: &Registered, scrape: &Scrape<'_>) -> fmt::Result {
    encode_registry(text, counted.registry())?;
    encode_registry(text, read(scrape).registry())?;
    encode_eof(text)
}

/// Makes text format 0.0.4 of OpenMetrics: counters are named as their samples are, and there is neither unit nor end.
fn to_text(open: &str) -> String {
    let mut text = String::with_capacity(open.len() + open.len() / 16);
    let mut help = "";
    for line in open.split_terminator('\n') {
        match line.strip_prefix("# ").map(|comment| comment.split_once(' ').unwrap_or((comment, ""))) {
            None => {
                text.push_str(line);
                text.push('\n');
            }
            Some(("HELP", rest)) => help = rest.split_once(' ').map_or("", |(_, help)| help),
            Some(("TYPE", rest)) => {
                let (name, kind) = rest.split_once(' ').unwrap_or((rest, "untyped"));
                let suffix = if kind == "counter" { "_total" } else { "" };
                // Writing to a String cannot fail.
                let _ = writeln!(text, "# HELP {name}{suffix} {help}\n# TYPE {name}{suffix} {kind}");
            }
            Some(_) => {}
        }
    }
    text
}

/// Reads what is not counted.
fn read(scrape: &Scrape<'_>) -> Registered {
    let mut registry = Registered::default();
    let resources = [
        (Resource::EventType, "eventgateway_eventtypes_total", "Event types that are registered"),
        (Resource::Function, "eventgateway_functions_total", "Functions that are registered"),
        (Resource::Subscription, "eventgateway_subscriptions_total", "Subscriptions that there are"),
        (Resource::Cors, "eventgateway_cors_total", "CORS configurations that there are"),
    ];
    for (resource, name, help) in resources {
        registry.register(name, help, Readings { names: ["space"], rows: counts(scrape.catalog, resource) });
    }
    let help = "Events that async subscriptions have read and that are not delivered";
    registry.register("eventgateway_events_backlog", help, Readings::one(number(scrape.backlog)));
    let names = ["space", "type", "function"];
    let readings = Readings { names, rows: of_subscriptions(scrape.backlogs) };
    registry.register("weir_delivery_backlog", "The same of each async subscription", readings);
    register_levels(&mut registry, scrape.levels);

    let requests = by_api(scrape, |in_flight| in_flight.requests);
    registry.register("weir_requests_in_flight", "Requests in flight", requests);
    let bytes = by_api(scrape, |in_flight| in_flight.bytes);
    registry.register("weir_request_bytes_in_flight", "Bytes of the bodies of requests in flight", bytes);
    let bytes = by_api(scrape, |in_flight| in_flight.answer_bytes);
    registry.register("weir_answer_bytes_in_flight", "Bytes of answers that clients have not read yet", bytes);
    let end = i64::try_from(scrape.end.get()).unwrap_or(i64::MAX);
    registry.register("weir_log_position", "The last durable position of the log", Readings::one(end));
    if let Some(bytes) = memory_bytes() {
        registry.register("process_resident_memory_bytes", "Memory that the process has", Readings::one(bytes));
    }
    registry
}

fn by_api(scrape: &Scrape<'_>, part: fn(InFlight) -> usize) -> Readings<1> {
    let row =
        |api: Api, in_flight: InFlight| -> ([Box<str>; 1], i64) { ([api.as_str().into()], number(part(in_flight))) };
    let rows = vec![row(Api::Events, scrape.events), row(Api::Configuration, scrape.configuration)];
    Readings { names: ["api"], rows }
}

/// Counts what the spaces have; spaces beyond the bound are counted together.
fn counts(catalog: &Catalog, resource: Resource) -> Vec<([Box<str>; 1], i64)> {
    let mut counts: BTreeMap<&str, i64> = BTreeMap::new();
    for (index, (space, present)) in catalog.spaces().enumerate() {
        let label = if index < NAMED_MAX { space.as_str() } else { OTHER };
        *counts.entry(label).or_default() += number(present.count(resource));
    }
    counts.into_iter().map(|(space, count)| ([space.into()], count)).collect()
}

/// Tells what waits for each subscription; those beyond the bound are counted together.
fn of_subscriptions(backlogs: &[Backlog]) -> Vec<([Box<str>; 3], i64)> {
    let mut rows: BTreeMap<[&str; 3], i64> = BTreeMap::new();
    for it in backlogs {
        let own = [it.space.as_str(), it.event_type.as_str(), it.function.as_str()];
        let has_room = rows.len() < NAMED_MAX || rows.contains_key(&own);
        *rows.entry(if has_room { own } else { [OTHER; 3] }).or_default() += number(it.events);
    }
    rows.into_iter().map(|(labels, events)| (labels.map(Box::from), events)).collect()
}

/// Tells how deliveries to each subscription stand.
fn register_levels(registry: &mut Registered, levels: &[SubscriptionLevel]) {
    let events = by_subscription(levels, |it| it.backlog.map(|backlog| saturated(backlog.events)), i64::saturating_add);
    let help = "Events that wait for each async subscription, those that it did not read yet among them";
    registry.register("weir_subscription_backlog_events", help, events);
    let seconds = by_subscription(levels, |it| it.backlog.map(|backlog| saturated(backlog.age.as_secs())), i64::max);
    let help = "How long ago the oldest event was recorded that waits for each async subscription";
    registry.register("weir_subscription_backlog_seconds", help, seconds);
    let parked = by_subscription(levels, |it| Some(it.is_parked.into()), i64::saturating_add);
    let help = "Whether the function of an async subscription fails continuously and is not called";
    registry.register("weir_subscription_parked", help, parked);
    let own = |it: &SubscriptionLevel| [it.space.as_str(), it.subscription.as_str(), it.state.as_str()].map(Box::from);
    let rows = of_levels(levels, own, |_| Some(1), i64::saturating_add);
    let states = Readings { names: ["space", "subscription", "state"], rows };
    registry.register("weir_subscription_state", "What each async subscription is doing", states);
}

/// Makes the series of a number that each subscription has, with all that is known of it as labels.
fn by_subscription(
    levels: &[SubscriptionLevel],
    read: fn(&SubscriptionLevel) -> Option<i64>,
    join: fn(i64, i64) -> i64,
) -> Readings<4> {
    let own = |it: &SubscriptionLevel| {
        [it.space.as_str(), it.subscription.as_str(), it.event_type.as_str(), it.function.as_str()].map(Box::from)
    };
    Readings { names: ["space", "subscription", "type", "function"], rows: of_levels(levels, own, read, join) }
}

/// Reads a number of each subscription that has it, in the order of spaces and identifiers; those beyond the bound are told
/// together.
fn of_levels<const N: usize>(
    levels: &[SubscriptionLevel],
    own: impl Fn(&SubscriptionLevel) -> [Box<str>; N],
    read: fn(&SubscriptionLevel) -> Option<i64>,
    join: fn(i64, i64) -> i64,
) -> Vec<([Box<str>; N], i64)> {
    let mut rows: Vec<([Box<str>; N], i64)> = Vec::new();
    for (index, level) in levels.iter().enumerate() {
        let Some(value) = read(level) else { continue };
        if index < NAMED_MAX {
            rows.push((own(level), value));
            continue;
        }
        let others: [Box<str>; N] = std::array::from_fn(|_| OTHER.into());
        match rows.last_mut().filter(|(labels, _)| *labels == others) {
            Some((_, joined)) => *joined = join(*joined, value),
            None => rows.push((others, value)),
        }
    }
    rows
}

fn saturated(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

fn number(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

/// Reads how much memory the process has; `None` where the system does not tell.
fn memory_bytes() -> Option<i64> {
    memory_in(&fs::read_to_string(STATUS_FILE).ok()?)
}

fn memory_in(status: &str) -> Option<i64> {
    let value = status.lines().find_map(|line| line.strip_prefix(MEMORY_LINE))?;
    let kibibytes: i64 = value.trim().strip_suffix("kB")?.trim_end().parse().ok()?;
    kibibytes.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn the_format_is_the_one_that_is_asked_for() {
        let check = |accept: &'static str, expected: Format| {
            let headers = HeaderMap::from_iter([(ACCEPT, HeaderValue::from_static(accept))]);
            assert_eq!(Format::accepted(&headers), expected, "{accept}");
        };
        assert_eq!(Format::accepted(&HeaderMap::new()), Format::Text);
        check("*/*", Format::Text);
        check("text/plain;version=0.0.4", Format::Text);
        check("application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.3", Format::OpenMetrics);
        check("text/plain, Application/OpenMetrics-Text", Format::OpenMetrics);
        check("application/openmetrics-text; q=0, text/plain", Format::Text);
        check("application/openmetrics-textual", Format::Text);
    }

    #[test]
    fn openmetrics_becomes_the_older_format() {
        let open = "# HELP a It counts.\n# TYPE a counter\na_total{x=\"# TYPE\"} 1\n# HELP b_seconds It takes.\n\
                    # TYPE b_seconds gauge\n# UNIT b_seconds seconds\nb_seconds 2.5\n# EOF\n";
        let text = "# HELP a_total It counts.\n# TYPE a_total counter\na_total{x=\"# TYPE\"} 1\n\
                    # HELP b_seconds It takes.\n# TYPE b_seconds gauge\nb_seconds 2.5\n";
        assert_eq!(to_text(open), text);
    }

    #[test]
    fn memory_is_read_where_the_system_tells() {
        let status = "Name:\tweir\nVmHWM:\t  100 kB\nVmRSS:\t   12 kB\nRssAnon:\t 8 kB\n";
        assert_eq!(memory_in(status), Some(12 * 1024));
        assert_eq!(memory_in("Name:\tweir\n"), None);
        assert_eq!(memory_in("VmRSS:\t many kB\n"), None);
    }
}
