//! Subscriptions in a manifest: what they listen to, and how they deliver.

use std::collections::BTreeMap;

use weir_catalog::{
    DeliveryPolicy, Filter, Jitter, Method, OnFailure, Order, Priority, RetryPolicy, Start, SubscriptionKind, limits,
};
use weir_cloudevents::time;
use weir_domain::Position;

use super::{bounded, parse_route};
use crate::document::{Placed, Table};

/// The keys that only a subscription has which is given events from the log, beside `retry`.
const ASYNC_KEYS: [&str; 9] =
    ["filter", "start", "order", "concurrency", "batch", "rate", "priority", "timeout_ms", "on_failure"];

/// A subscription whose references are not checked yet.
pub(in crate::manifest) struct SubscriptionDraft {
    pub(in crate::manifest) at: usize,
    pub(in crate::manifest) function: Option<Placed<String>>,
    pub(in crate::manifest) source: Option<Source>,
    pub(in crate::manifest) start: Start,
    pub(in crate::manifest) delivery: DeliveryPolicy,
    pub(in crate::manifest) retry: RetryPolicy,
    pub(in crate::manifest) metadata: BTreeMap<String, String>,
}

/// What a subscription listens to.
pub(in crate::manifest) struct Source {
    pub(in crate::manifest) kind: SubscriptionKind,
    /// The event type; without it, HTTP requests.
    pub(in crate::manifest) event: Option<Placed<String>>,
    pub(in crate::manifest) method: Method,
    pub(in crate::manifest) path: String,
    /// Which of these events; all of them without one.
    pub(in crate::manifest) filter: Option<Filter>,
}

/// Reads a table.
pub(super) fn read(mut table: Table<'_>) -> SubscriptionDraft {
    let function = table.required_text("function", "name the function that is given the events");
    if let Some(function) = &function {
        table.entitle(format!("subscription of {:?}", function.value));
    }
    let source = source(&mut table);
    let is_sync = source.as_ref().is_some_and(|source| source.kind == SubscriptionKind::Sync);
    if is_sync {
        not_where_somebody_waits(&mut table);
    }
    let source = match filter(&mut table) {
        Ok(filter) => source.map(|source| Source { filter, ..source }),
        Err(Told) => None,
    };
    let start = start(&mut table);
    let delivery = delivery(&mut table);
    let retry = match table.table("retry") {
        None => RetryPolicy::default(),
        Some(inner) => {
            if is_sync {
                inner.fault("the caller of a route waits, nothing is tried again: remove it");
            }
            read_retry(inner)
        }
    };
    let metadata = table.texts("metadata");
    let at = table.at();
    table.finish();
    if !is_sync {
        return SubscriptionDraft { at, function, source, start, delivery, retry, metadata };
    }
    // What was told already is not refused once more.
    let source = source.map(|source| Source { filter: None, ..source });
    let (start, delivery) = (Start::default(), DeliveryPolicy::default());
    SubscriptionDraft { at, function, source, start, delivery, retry, metadata }
}

fn not_where_somebody_waits(table: &mut Table<'_>) {
    for key in ASYNC_KEYS {
        if table.has(key) {
            table.fault(format!("{key:?} is for subscriptions from the log, and here a caller waits: remove it"));
        }
    }
}

/// What is wrong was told already.
struct Told;

fn filter(table: &mut Table<'_>) -> Result<Option<Filter>, Told> {
    let Some(given) = table.json("filter") else { return Ok(None) };
    Filter::parse(&given).map(Some).map_err(|faults| {
        for fault in faults {
            table.fault_at(table.place_of("filter", &fault.pointer), fault.to_string());
        }
        Told
    })
}

fn start(table: &mut Table<'_>) -> Start {
    if !table.has("start") || table.is_text("start") {
        return match table.word("start", &["now", "earliest"]) {
            Some(word) if word.value == "earliest" => Start::Earliest,
            _ => Start::Now,
        };
    }
    let Some(mut inner) = table.table("start") else { return Start::Now };
    let position = inner.number("position", 0..=u64::MAX);
    let time = inner.text("time");
    if inner.has("position") == inner.has("time") {
        inner.fault("it is \"now\", \"earliest\", or a table with a position or a time: keep one of them");
    }
    let since = time.and_then(|text| match time::parse(&text.value) {
        Ok(time) => Some(Start::Since(time)),
        Err(error) => {
            inner.fault_at(text.at, error.to_string());
            None
        }
    });
    inner.finish();
    position.map(|position| Start::At(Position::new(position.value))).or(since).unwrap_or_default()
}

fn delivery(table: &mut Table<'_>) -> DeliveryPolicy {
    let usual = DeliveryPolicy::default();
    let order = word(table, "order", Order::NAMES, Order::parse);
    let concurrency = number(table, "concurrency", 1, limits::CONCURRENCY_MAX);
    let (size, wait) = match table.table("batch") {
        None => (None, None),
        Some(mut inner) => {
            let size = number(&mut inner, "size", 1, limits::BATCH_SIZE_MAX);
            let wait = number(&mut inner, "wait_ms", 0, limits::BATCH_WAIT_MS_MAX);
            inner.finish();
            (size, wait)
        }
    };
    DeliveryPolicy {
        order,
        concurrency: concurrency.unwrap_or(usual.concurrency),
        batch_size: size.unwrap_or(usual.batch_size),
        batch_wait_ms: wait.unwrap_or(usual.batch_wait_ms),
        rate: number(table, "rate", 1, limits::RATE_MAX),
        priority: word(table, "priority", Priority::NAMES, Priority::parse),
        timeout_ms: number(table, "timeout_ms", 1, limits::TIMEOUT_MS_MAX),
        on_failure: word(table, "on_failure", OnFailure::NAMES, OnFailure::parse),
    }
}

fn number(table: &mut Table<'_>, key: &'static str, least: u32, most: u32) -> Option<u32> {
    table.number(key, least.into()..=most.into()).map(|number| bounded(number.value))
}

/// Reads one of a few words; the default where there is none.
fn word<T: Default>(table: &mut Table<'_>, key: &'static str, names: &[&str], parse: fn(&str) -> Option<T>) -> T {
    table.word(key, names).and_then(|word| parse(&word.value)).unwrap_or_default()
}

/// Finds what a subscription listens to. Whether a caller waits follows from what it names, unless that could mean both.
fn source(table: &mut Table<'_>) -> Option<Source> {
    use SubscriptionKind::{Async, Sync};

    let event = table.text("event");
    let route = table.text("route");
    let at = route.as_ref().map_or(table.at(), |route| route.at);
    let route = route.and_then(|route| parse_route(table, &route));
    let word = table.word("type", &[Async, Sync].map(SubscriptionKind::as_str));
    let kind = word.as_ref().and_then(|word| SubscriptionKind::parse(&word.value));
    let is_lost = |key: &str, is_missing: bool| is_missing && table.has(key);
    if is_lost("event", event.is_none()) || is_lost("route", route.is_none()) || is_lost("type", kind.is_none()) {
        // What is wrong with it was told already.
        return None;
    }
    match (kind, event, route) {
        (None | Some(Async), Some(event), None) => Some(Source {
            kind: Async,
            event: Some(event),
            method: Method::default(),
            path: "/".to_owned(),
            filter: None,
        }),
        (None, None, Some((method, path))) => Some(Source { kind: Sync, event: None, method, path, filter: None }),
        (Some(kind), event, Some((method, path))) => Some(Source { kind, event, method, path, filter: None }),
        (None, Some(_), Some(_)) => {
            table.fault_at(
                at,
                "it has an event and a route: add type = \"async\" to be given the events that come in there, or \
                 type = \"sync\" to answer them there, or make two subscriptions of it",
            );
            None
        }
        (Some(Sync), Some(_), None) => {
            let at = word.map_or(at, |word| word.at);
            table.fault_at(at, "a caller waits at a route only: give it a route such as \"POST /orders\"");
            None
        }
        (_, None, None) => {
            table.fault("it listens to nothing: give it an event, or a route such as \"GET /products/:id\"");
            None
        }
    }
}

fn read_retry(mut table: Table<'_>) -> RetryPolicy {
    let usual = RetryPolicy::default();
    let attempts_max = table.number("attempts_max", 1..=u64::from(limits::ATTEMPTS_MAX));
    let first = table.number("backoff_first_ms", 1..=u64::from(limits::BACKOFF_MS_MAX));
    let most = table.number("backoff_max_ms", 1..=u64::from(limits::BACKOFF_MS_MAX));
    let age = table.number("age_max_ms", 0..=u64::MAX);
    let multiplier_percent = multiplier(&mut table).unwrap_or(usual.multiplier_percent);
    let jitter = word(&mut table, "jitter", Jitter::NAMES, Jitter::parse);
    let retry_after = table.number("retry_after_max_ms", 0..=limits::RETRY_AFTER_MS_MAX);
    let number = |given: Option<Placed<u64>>, usual: u32| given.map_or(usual, |given| bounded(given.value));
    let backoff_first_ms = number(first, usual.backoff_first_ms);
    let backoff_max_ms = match most {
        Some(most) => bounded(most.value),
        // Who asks for a longer first wait than is usual at most cannot have meant the usual most.
        None => usual.backoff_max_ms.max(backoff_first_ms),
    };
    if backoff_first_ms > backoff_max_ms {
        table.fault(format!(
            "the first wait of {backoff_first_ms} ms is longer than the longest of {backoff_max_ms} ms: \
             lower \"backoff_first_ms\" or raise \"backoff_max_ms\""
        ));
    }
    table.finish();
    RetryPolicy {
        attempts_max: attempts_max.map(|most| bounded(most.value)).or(usual.attempts_max),
        backoff_first_ms,
        backoff_max_ms,
        // 0 says that there is no bound.
        age_max_ms: age.map(|age| age.value).or(usual.age_max_ms).filter(|most| *most > 0),
        multiplier_percent,
        jitter,
        retry_after_max_ms: retry_after.map_or(usual.retry_after_max_ms, |most| most.value),
    }
}

/// Reads by what waits grow, in hundredths.
fn multiplier(table: &mut Table<'_>) -> Option<u32> {
    let (least, most) = (limits::MULTIPLIER_PERCENT_MIN / 100, limits::MULTIPLIER_PERCENT_MAX / 100);
    let factor = table.decimal("multiplier", least.into()..=most.into())?;
    let percent = RetryPolicy::percent(factor.value);
    if percent.is_none() {
        table.fault_at(factor.at, format!("\"multiplier\" may have two decimals, but is {}", factor.value));
    }
    percent
}
