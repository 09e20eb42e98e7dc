//! What is counted, as whoever scrapes sees it.

mod parser;

use std::{cell::Cell, sync::LazyLock};

use weir_catalog::{Command, EventType, EventTypeName, Function, FunctionKind, Subscription, SystemEvent};
use weir_domain::{Event, FunctionId, Position};
use weir_flow::{
    Authorized, Backlog, CallFailure, Counting, DELIVERY_DROPPED, DELIVERY_FAILED, Decision, Depth, Dropped,
    EVENT_QUARANTINED, Happening, NoObserver, Observer, Observers, Refusal, Settled, SubscriptionLevel,
    SubscriptionState, Way,
};
use weir_log::LogError;

use super::{
    series::{DURATIONS_MAX, OTHER, SERIES_MAX},
    *,
};
use parser::{Exposition, parse};

/// The names of the Event Gateway, with their types and labels.
const OLD: [(&str, &str, &[&str]); 11] = [
    ("eventgateway_events_received_total", "counter", &["space", "type"]),
    ("eventgateway_events_processed_total", "counter", &["space", "type"]),
    ("eventgateway_events_dropped_total", "counter", &["space", "type"]),
    ("eventgateway_events_backlog", "gauge", &[]),
    ("eventgateway_events_custom_processing_seconds", "histogram", &[]),
    ("eventgateway_eventtypes_total", "gauge", &["space"]),
    ("eventgateway_functions_total", "gauge", &["space"]),
    ("eventgateway_subscriptions_total", "gauge", &["space"]),
    ("eventgateway_cors_total", "gauge", &["space"]),
    ("eventgateway_config_requests_total", "counter", &["space", "resource", "operation"]),
    ("eventgateway_config_request_duration_seconds", "histogram", &[]),
];

/// Weir's own.
const OWN: [(&str, &str, &[&str]); 30] = [
    ("weir_http_requests_total", "counter", &["api", "space", "code"]),
    ("weir_http_request_duration_seconds", "histogram", &["api"]),
    ("weir_requests_in_flight", "gauge", &["api"]),
    ("weir_request_bytes_in_flight", "gauge", &["api"]),
    ("weir_answer_bytes_in_flight", "gauge", &["api"]),
    ("weir_connections_open", "gauge", &["api"]),
    ("weir_accept_pauses_total", "counter", &["api", "reason"]),
    ("weir_events_appended_total", "counter", &["space", "type"]),
    ("weir_events_duplicate_total", "counter", &["space"]),
    ("weir_events_refused_total", "counter", &["space", "reason"]),
    ("weir_function_calls_total", "counter", &["space", "function", "outcome"]),
    ("weir_function_call_duration_seconds", "histogram", &["space", "function"]),
    ("weir_delivery_retries_total", "counter", &["space", "function"]),
    ("weir_delivery_failed_total", "counter", &["space", "function"]),
    ("weir_delivery_dropped_total", "counter", &["space", "function"]),
    ("weir_delivery_backlog", "gauge", &["space", "type", "function"]),
    ("weir_subscription_backlog_events", "gauge", &["space", "subscription", "type", "function"]),
    ("weir_subscription_backlog_seconds", "gauge", &["space", "subscription", "type", "function"]),
    ("weir_subscription_parked", "gauge", &["space", "subscription", "type", "function"]),
    ("weir_subscription_state", "gauge", &["space", "subscription", "state"]),
    ("weir_authorizer_calls_total", "counter", &["space", "outcome"]),
    ("weir_unauthenticated_requests_total", "counter", &["api", "reason"]),
    ("weir_rate_limited_requests_total", "counter", &["space"]),
    ("weir_access_log_dropped_total", "counter", &[]),
    ("weir_otlp_exports_failed_total", "counter", &["signal"]),
    ("weir_otlp_spans_dropped_total", "counter", &[]),
    ("weir_log_position", "gauge", &[]),
    ("weir_build_info", "gauge", &["version"]),
    ("process_start_time_seconds", "gauge", &[]),
    ("process_resident_memory_bytes", "gauge", &[]),
];

fn metrics() -> Metrics {
    Metrics::new("1.2.3", Timestamp::from_unix_micros(1_700_000_000_500_000))
}

fn name(text: &str) -> SpaceName {
    SpaceName::new(text).expect("valid")
}

fn id(text: &str) -> FunctionId {
    FunctionId::new(text).expect("valid")
}

fn event(event_type: &str) -> Event {
    Event::builder("1", "/test", event_type).build().expect("valid")
}

/// The space `shop` with two event types, a function and a subscription.
fn shop() -> Arc<Catalog> {
    let typed = |text: &str| EventTypeName::new(text).expect("valid");
    let commands = [
        Command::CreateFunction(Function::new(id("f"), FunctionKind::http("http://localhost/"))),
        Command::CreateEventType(EventType::new(typed("order.placed"))),
        Command::CreateEventType(EventType::new(typed(r#"a "b" \c"#))),
        Command::CreateSubscription(Subscription::to_events(typed("order.placed"), id("f"))),
    ];
    let catalog = commands.into_iter().fold(Catalog::new(), |catalog, command| {
        let change = catalog.plan(&name("shop"), command).expect("a good command");
        catalog.apply(&change).expect("a planned change")
    });
    Arc::new(catalog)
}

fn waiting(event_type: &str, function: &str, events: usize) -> Backlog {
    let event_type = EventTypeName::new(event_type).expect("valid");
    Backlog { space: name("shop"), event_type, function: id(function), events }
}

/// A subscription with so many events, the oldest of which waits for as many seconds.
fn level(function: &str, state: SubscriptionState, events: u64) -> SubscriptionLevel {
    let (event_type, function) = (EventTypeName::new("order.placed").expect("valid"), id(function));
    let age = Duration::from_millis(events * 1000 + 900);
    SubscriptionLevel {
        space: name("shop"),
        subscription: Subscription::to_events(event_type.clone(), function.clone()).id,
        event_type,
        function,
        state,
        is_parked: state == SubscriptionState::Parked,
        backlog: Some(Depth { events, more: false, age }),
    }
}

fn scrape(catalog: &Catalog) -> Scrape<'_> {
    static LEVELS: LazyLock<[SubscriptionLevel; 2]> =
        LazyLock::new(|| [level("f", SubscriptionState::Parked, 9), level("g", SubscriptionState::Active, 0)]);
    static BACKLOGS: LazyLock<[Backlog; 3]> = LazyLock::new(|| {
        // Two subscriptions that differ in their path only.
        [waiting("order.placed", "f", 3), waiting("order.placed", "f", 4), waiting("order.placed", "g", 0)]
    });
    let (events, configuration) = (InFlight { requests: 3, bytes: 4096, answer_bytes: 512 }, InFlight::default());
    let (end, backlogs, levels) = (Position::new(42), &*BACKLOGS, &*LEVELS);
    Scrape { catalog, end, backlog: 7, backlogs, levels, events, configuration }
}

/// Scrapes and reads strictly.
fn seen(metrics: &Metrics, catalog: &Catalog) -> Exposition {
    parse(&metrics.render(&scrape(catalog), Format::Text))
}

fn deliver(metrics: &Metrics, event_type: &str, way: Way) {
    let (space, function, event) = (name("shop"), id("f"), event(event_type));
    metrics.settled(&Settled { space: &space, function: &function, event: &event, way });
}

#[test]
fn every_metric_is_there_from_the_beginning() {
    let exposition = seen(&metrics(), &Catalog::new());
    for (name, kind, _) in OLD.into_iter().chain(OWN) {
        if name == "process_resident_memory_bytes" && !cfg!(target_os = "linux") {
            continue;
        }
        let family = exposition.families.get(name).unwrap_or_else(|| panic!("{name} is missing"));
        assert_eq!(family.kind, kind, "{name}");
        assert!(family.help.ends_with('.'), "{name}: {}", family.help);
    }
    let known: Vec<_> = OLD.into_iter().chain(OWN).map(|(name, ..)| name).collect();
    assert!(exposition.families.keys().all(|name| known.contains(&name.as_str())), "{:?}", exposition.families.keys());
    exposition.check("weir_build_info", &[("version", "1.2.3")], 1.0);
    exposition.check("process_start_time_seconds", &[], 1_700_000_000.5);
}

#[test]
fn labels_are_those_that_are_promised() {
    let (metrics, catalog) = (metrics(), shop());
    let ask = || Arc::clone(&catalog);
    let shop = name("shop");
    let series = metrics.event(&shop, "order.placed", ask);
    series.received();
    series.refused(Refused::Schema);
    metrics.request(Api::Events).answered(StatusCode::ACCEPTED, ask);
    let (space, function) = (&shop, &id("f"));
    metrics.authorized(&Authorized { space, function, decision: Decision::Allowed });
    metrics.unauthenticated(Api::Events, Unauthenticated::Missing);
    metrics.rate_limited(&shop, ask);
    metrics.accept_paused(Api::Events, AcceptPause::Full);
    metrics.configured(Some(&shop), Resource::Cors, Operation::List, Duration::from_millis(1), ask);
    deliver(&metrics, "order.placed", Way::Delivery { age: Duration::from_millis(1), is_given_up: true });
    let exposition = seen(&metrics, &catalog);
    for (name, _, labels) in OLD.into_iter().chain(OWN) {
        let Some(family) = exposition.families.get(name) else { continue };
        assert!(!family.samples.is_empty(), "{name}");
        for sample in &family.samples {
            let names: Vec<_> =
                sample.labels.iter().map(|(name, _)| name.as_str()).filter(|name| *name != "le").collect();
            assert_eq!(names, labels, "{name}");
        }
    }
}

#[test]
fn events_are_counted_by_space_and_type() {
    let (metrics, catalog) = (metrics(), shop());
    let asked = Cell::new(0);
    let ask = || {
        asked.set(asked.get() + 1);
        Arc::clone(&catalog)
    };
    let (shop, stranger) = (name("shop"), name("stranger"));
    let receipt = |duplicate: bool| EventReceipt { position: Position::new(1), duplicate };
    for is_repeated in [false, true, true] {
        let series = metrics.event(&shop, "order.placed", ask);
        series.received();
        series.recorded(&receipt(is_repeated));
    }
    assert_eq!(asked.get(), 1, "a name that was seen needs no catalog");
    metrics.event(&shop, "order.paid", ask).received();
    metrics.event(&stranger, "order.placed", ask).received();
    metrics.event(&stranger, "http.request", ask).received();
    metrics.event(&shop, "order.placed", ask).refused(Refused::Overloaded);
    metrics.event(&shop, "order.paid", ask).refused(Refused::Unregistered);
    metrics.refused(&stranger, Refused::Malformed, ask);
    metrics.unread(Some(&shop), ask);
    metrics.unread(None, ask);

    let exposition = seen(&metrics, &catalog);
    let typed = |metric: &str, space: &str, event_type: &str, expected: f64| {
        exposition.check(metric, &[("space", space), ("type", event_type)], expected);
    };
    typed("eventgateway_events_received_total", "shop", "order.placed", 3.0);
    typed("eventgateway_events_received_total", "shop", "unregistered", 1.0);
    typed("eventgateway_events_received_total", "unregistered", "unregistered", 1.0);
    typed("eventgateway_events_received_total", "unregistered", "http.request", 1.0);
    typed("weir_events_appended_total", "shop", "order.placed", 1.0);
    typed("eventgateway_events_dropped_total", "shop", "order.placed", 1.0);
    typed("eventgateway_events_dropped_total", "shop", "unread", 1.0);
    typed("eventgateway_events_dropped_total", "unregistered", "unread", 1.0);
    exposition.check("weir_events_duplicate_total", &[("space", "shop")], 2.0);
    let refused = |space: &str, reason: &str, expected: f64| {
        exposition.check("weir_events_refused_total", &[("space", space), ("reason", reason)], expected);
    };
    refused("shop", "overloaded", 2.0);
    refused("shop", "unregistered", 1.0);
    refused("unregistered", "malformed", 1.0);
    refused("unregistered", "overloaded", 1.0);
    for name in ["stranger", "order.paid"] {
        let text = metrics.render(&scrape(&catalog), Format::Text);
        assert!(!text.contains(name), "{name} is no registered name");
    }
}

#[test]
fn errors_have_reasons() {
    assert_eq!(Refused::from(&LogError::Overloaded), Refused::Overloaded);
    assert_eq!(Refused::from(&LogError::Closed), Refused::Unavailable);
    assert_eq!(Refused::from(&LogError::TooLarge { bytes: 2, bytes_max: 1 }), Refused::TooLarge);
    let refusal = || Refusal::ReservedSpace { space: "weir.system".into() };
    assert_eq!(Refused::from(&refusal()), Refused::Reserved);
    assert_eq!(Refused::by_call(&CallFailure::Refused(refusal())), Some(Refused::Reserved));
    let event_type = || "a".to_owned();
    let denied = Refusal::Denied { event_type: event_type(), message: "no".into() };
    assert_eq!(Refused::by_call(&CallFailure::Refused(denied)), Some(Refused::Denied));
    assert_eq!(Refused::from(&Refusal::AuthorizerFailed { event_type: event_type() }), Refused::Denied);
    assert_eq!(Refused::from(&Refusal::AuthorizerBusy { event_type: event_type() }), Refused::Overloaded);
    assert_eq!(Refused::by_call(&CallFailure::Busy), Some(Refused::Overloaded));
    assert_eq!(Refused::by_call(&CallFailure::Malformed { message: "no object".into() }), None);
}

#[test]
fn requests_are_counted_by_their_answer() {
    let (metrics, catalog) = (metrics(), shop());
    let ask = || Arc::clone(&catalog);
    let request = |api: Api, space: &str, status: StatusCode| {
        let mut open = metrics.request(api);
        open.names(&name(space));
        open.answered(status, ask);
    };
    request(Api::Events, "shop", StatusCode::ACCEPTED);
    request(Api::Events, "shop", StatusCode::ACCEPTED);
    request(Api::Events, "stranger", StatusCode::NOT_FOUND);
    request(Api::Configuration, "shop", StatusCode::CREATED);
    // The sender goes away: the space is known by then, another one is not.
    let mut gone = metrics.request(Api::Events);
    gone.names(&name("shop"));
    drop(gone);
    drop(metrics.request(Api::Events));
    let (first, second) = (metrics.connection(Api::Events), metrics.connection(Api::Events));
    drop(first);

    let exposition = seen(&metrics, &catalog);
    let counted = |api: &str, space: &str, code: &str, expected: f64| {
        let labels = [("api", api), ("space", space), ("code", code)];
        exposition.check("weir_http_requests_total", &labels, expected);
    };
    counted("events", "shop", "202", 2.0);
    counted("events", "unregistered", "404", 1.0);
    counted("configuration", "shop", "201", 1.0);
    counted("events", "shop", "499", 1.0);
    counted("events", "unregistered", "499", 1.0);
    exposition.check("weir_http_request_duration_seconds_count", &[("api", "events")], 5.0);
    exposition.check("weir_http_request_duration_seconds_count", &[("api", "configuration")], 1.0);
    exposition.check("weir_connections_open", &[("api", "events")], 1.0);
    drop(second);
    seen(&metrics, &catalog).check("weir_connections_open", &[("api", "events")], 0.0);
}

#[test]
fn the_flow_is_watched() {
    let metrics = metrics();
    let observers = Observers(vec![Arc::new(NoObserver), Arc::new(metrics.clone())]);
    let (space, function, placed, paid) = (name("shop"), id("f"), event("order.placed"), event("order.paid"));
    let took = Duration::from_millis(3);
    let listener = Subscription::to_events(EventTypeName::new("order.placed").expect("valid"), function.clone());
    let failed = |retry_in: Option<Duration>| Happening::Failed {
        space: &space,
        subscription: &listener,
        function: &function,
        event: &placed,
        position: Some(Position::new(1)),
        attempt: 1,
        took,
        error: "it threw",
        counting: Counting::Counted,
        retry_in,
    };
    observers.observe(&failed(Some(took)));
    observers.observe(&failed(None));
    observers.observe(&Happening::Called {
        space: &space,
        function: &function,
        event: &placed,
        position: Some(Position::new(2)),
        attempt: 1,
        took,
        returned: &[paid],
        status: None,
    });
    let settle = |way: Way| observers.settled(&Settled { space: &space, function: &function, event: &placed, way });
    let receipt = |duplicate: bool| Some(EventReceipt { position: Position::new(3), duplicate });
    settle(Way::Delivery { age: Duration::from_micros(15), is_given_up: false });
    settle(Way::Delivery { age: Duration::from_secs(60), is_given_up: true });
    settle(Way::Route { receipt: receipt(false) });
    settle(Way::Route { receipt: receipt(true) });
    settle(Way::Route { receipt: None });

    let exposition = seen(&metrics, &shop());
    let of_function = [("space", "shop"), ("function", "f")];
    let called = |outcome: &str, expected: f64| {
        let labels = [of_function[0], of_function[1], ("outcome", outcome)];
        exposition.check("weir_function_calls_total", &labels, expected);
    };
    called("ok", 1.0);
    called("failed", 2.0);
    exposition.check("weir_function_call_duration_seconds_count", &of_function, 3.0);
    exposition.check("weir_function_call_duration_seconds_sum", &of_function, 0.009);
    exposition.check("weir_delivery_retries_total", &of_function, 1.0);
    exposition.check("weir_delivery_failed_total", &of_function, 1.0);
    let typed = |metric: &str, event_type: &str, expected: f64| {
        exposition.check(metric, &[("space", "shop"), ("type", event_type)], expected);
    };
    typed("eventgateway_events_processed_total", "order.placed", 5.0);
    typed("weir_events_appended_total", "order.placed", 1.0);
    typed("weir_events_appended_total", "order.paid", 1.0);
    typed("weir_events_appended_total", DELIVERY_FAILED, 1.0);
    exposition.check("weir_events_duplicate_total", &[("space", "shop")], 1.0);
    exposition.check("eventgateway_events_custom_processing_seconds_count", &[], 2.0);
    let within = |bound: f64, expected: f64| {
        let family = &exposition.families["eventgateway_events_custom_processing_seconds"];
        let is_it = |sample: &&parser::Sample| sample.label("le").and_then(|le| le.parse::<f64>().ok()) == Some(bound);
        assert_eq!(family.samples.iter().find(is_it).expect("a bucket").value, expected, "{bound}");
    };
    within(0.00001, 0.0);
    within(0.00002, 1.0);
    within(f64::INFINITY, 2.0);
}

#[test]
fn what_the_platform_tells_and_keeps_apart_is_counted() {
    let metrics = metrics();
    let observers = Observers(vec![Arc::new(NoObserver), Arc::new(metrics.clone())]);
    let space = name("shop");
    for which in [SystemEvent::Invoking, SystemEvent::Invoking, SystemEvent::Invoked] {
        observers.told(&space, which);
    }
    for is_repeated in [false, true] {
        observers.quarantined(&space, &EventReceipt { position: Position::new(4), duplicate: is_repeated });
    }
    for events in [3, 4] {
        observers.dropped(&Dropped { space: &space, function: &id("f"), events });
    }
    let exposition = seen(&metrics, &shop());
    let typed = |metric: &str, event_type: &str, expected: f64| {
        exposition.check(metric, &[("space", "shop"), ("type", event_type)], expected);
    };
    for metric in ["eventgateway_events_received_total", "weir_events_appended_total"] {
        typed(metric, SystemEvent::Invoking.name(), 2.0);
        typed(metric, SystemEvent::Invoked.name(), 1.0);
    }
    typed("weir_events_appended_total", EVENT_QUARANTINED, 1.0);
    typed("weir_events_appended_total", DELIVERY_DROPPED, 2.0);
    exposition.check("weir_delivery_dropped_total", &[("space", "shop"), ("function", "f")], 7.0);
    exposition.check("weir_events_duplicate_total", &[("space", "shop")], 1.0);
}

#[test]
fn what_authorizers_say_is_counted() {
    let metrics = metrics();
    let (space, function) = (name("shop"), id("f"));
    for decision in [Decision::Allowed, Decision::Denied, Decision::Denied, Decision::Failed] {
        metrics.authorized(&Authorized { space: &space, function: &function, decision });
    }
    let exposition = seen(&metrics, &shop());
    for (outcome, expected) in [("allowed", 1.0), ("denied", 2.0), ("failed", 1.0)] {
        exposition.check("weir_authorizer_calls_total", &[("space", "shop"), ("outcome", outcome)], expected);
    }
}

#[test]
fn buckets_are_those_of_the_event_gateway() {
    let exposition = seen(&metrics(), &Catalog::new());
    let check = |name: &str, first: f64, count: usize| {
        let family = &exposition.families[name];
        let bounds = family.samples.iter().filter_map(|sample| sample.label("le")).filter(|bound| *bound != "+Inf");
        let bounds: Vec<f64> = bounds.map(|bound| bound.parse().expect("a number")).collect();
        // As its library made them: by doubling.
        let expected: Vec<f64> = std::iter::successors(Some(first), |bound| Some(bound * 2.0)).take(count).collect();
        assert_eq!(bounds, expected, "{name}");
    };
    check("eventgateway_events_custom_processing_seconds", 0.00001, 20);
    check("eventgateway_config_request_duration_seconds", 0.0005, 16);
}

#[test]
fn the_catalog_and_what_is_in_flight_are_read_when_somebody_scrapes() {
    let (metrics, catalog) = (metrics(), shop());
    let ask = || Arc::clone(&catalog);
    metrics.configured(Some(&name("shop")), Resource::EventType, Operation::Create, Duration::from_millis(1), ask);
    metrics.configured(None, Resource::Function, Operation::Get, Duration::from_millis(1), ask);
    let exposition = seen(&metrics, &catalog);
    exposition.check("eventgateway_eventtypes_total", &[("space", "shop")], 2.0);
    exposition.check("eventgateway_functions_total", &[("space", "shop")], 1.0);
    exposition.check("eventgateway_subscriptions_total", &[("space", "shop")], 1.0);
    exposition.check("eventgateway_cors_total", &[("space", "shop")], 0.0);
    exposition.check("eventgateway_events_backlog", &[], 7.0);
    let of = |function| [("space", "shop"), ("type", "order.placed"), ("function", function)];
    exposition.check("weir_delivery_backlog", &of("f"), 7.0);
    exposition.check("weir_delivery_backlog", &of("g"), 0.0);
    exposition.check("weir_log_position", &[], 42.0);
    exposition.check("weir_requests_in_flight", &[("api", "events")], 3.0);
    exposition.check("weir_request_bytes_in_flight", &[("api", "events")], 4096.0);
    exposition.check("weir_answer_bytes_in_flight", &[("api", "events")], 512.0);
    exposition.check("weir_requests_in_flight", &[("api", "configuration")], 0.0);
    let asked = |space: &str, resource: &str, operation: &str| {
        let labels = [("space", space), ("resource", resource), ("operation", operation)];
        exposition.check("eventgateway_config_requests_total", &labels, 1.0);
    };
    asked("shop", "eventtype", "create");
    asked("unregistered", "function", "get");
    exposition.check("eventgateway_config_request_duration_seconds_count", &[], 2.0);
    if cfg!(target_os = "linux") {
        let memory = exposition.families["process_resident_memory_bytes"].samples[0].value;
        assert!(memory > 1e5, "{memory}");
    }
}

#[test]
fn values_of_labels_are_escaped() {
    let (metrics, catalog) = (metrics(), shop());
    let odd = r#"a "b" \c"#;
    metrics.event(&name("shop"), odd, || Arc::clone(&catalog)).received();
    let text = metrics.render(&scrape(&catalog), Format::Text);
    let line = r#"eventgateway_events_received_total{space="shop",type="a \"b\" \\c"} 1"#;
    assert!(text.lines().any(|each| each == line), "{text}");
    parse(&text).check("eventgateway_events_received_total", &[("space", "shop"), ("type", odd)], 1.0);
}

#[test]
fn subscriptions_beyond_the_bound_are_told_together() {
    let backlogs: Vec<_> = (0..SERIES_MAX + 50).map(|number| waiting("a", &format!("f{number:05}"), 1)).collect();
    let catalog = Catalog::new();
    let scrape = Scrape { backlogs: &backlogs, ..scrape(&catalog) };
    let exposition = parse(&metrics().render(&scrape, Format::Text));
    let samples = &exposition.families["weir_delivery_backlog"].samples;
    assert!(samples.len() <= SERIES_MAX, "{}", samples.len());
    let told: f64 = samples.iter().map(|sample| sample.value).sum();
    assert_eq!(told, backlogs.len() as f64, "none is left out");
    exposition.check("weir_delivery_backlog", &[("space", "shop"), ("type", "a"), ("function", "f00000")], 1.0);
}

#[test]
fn what_waits_for_subscriptions_is_told_with_what_they_do() {
    let exposition = seen(&metrics(), &Catalog::new());
    let (parked, active) = (level("f", SubscriptionState::Parked, 9), level("g", SubscriptionState::Active, 0));
    let check = |metric: &str, of: &SubscriptionLevel, expected: f64| {
        let (subscription, function) = (of.subscription.as_str(), of.function.as_str());
        let labels =
            [("space", "shop"), ("subscription", subscription), ("type", "order.placed"), ("function", function)];
        exposition.check(metric, &labels, expected);
    };
    check("weir_subscription_backlog_events", &parked, 9.0);
    check("weir_subscription_backlog_seconds", &parked, 9.0);
    check("weir_subscription_parked", &parked, 1.0);
    check("weir_subscription_backlog_events", &active, 0.0);
    check("weir_subscription_parked", &active, 0.0);
    for (of, state) in [(&parked, "parked"), (&active, "active")] {
        let labels = [("space", "shop"), ("subscription", of.subscription.as_str()), ("state", state)];
        exposition.check("weir_subscription_state", &labels, 1.0);
    }
    // What could not be counted in time has no number, and those beyond the bound are told together.
    let mut levels: Vec<_> =
        (0..SERIES_MAX + 50).map(|number| level(&format!("f{number:05}"), SubscriptionState::Active, 2)).collect();
    levels[0].backlog = None;
    let catalog = Catalog::new();
    let exposition = parse(&metrics().render(&Scrape { levels: &levels, ..scrape(&catalog) }, Format::Text));
    let samples = &exposition.families["weir_subscription_backlog_events"].samples;
    assert!(samples.len() <= SERIES_MAX, "{}", samples.len());
    let told: f64 = samples.iter().map(|sample| sample.value).sum();
    assert_eq!(told, 2.0 * (levels.len() - 1) as f64);
    let others = [("space", OTHER), ("subscription", OTHER), ("type", OTHER), ("function", OTHER)];
    exposition.check("weir_subscription_backlog_seconds", &others, 2.0);
}

#[test]
fn no_family_has_more_series_than_it_may() {
    const BEYOND: usize = 50;
    let metrics = metrics();
    let (space, function) = (name("shop"), id("f"));
    let took = Duration::from_millis(1);
    for number in 0..SERIES_MAX + BEYOND {
        let (event, function) = (event(&number.to_string()), id(&format!("f{number}")));
        let way = Way::Delivery { age: took, is_given_up: false };
        metrics.settled(&Settled { space: &space, function: &function, event: &event, way });
        metrics.observe(&Happening::Called {
            space: &name(&format!("space{number}")),
            function: &function,
            event: &event,
            position: None,
            attempt: 1,
            took,
            returned: &[],
            status: None,
        });
    }
    let exposition = seen(&metrics, &Catalog::new());
    for (name, family) in &exposition.families {
        assert!(family.samples.len() <= SERIES_MAX, "{name}: {}", family.samples.len());
    }
    let total: f64 = exposition.families["eventgateway_events_processed_total"].samples.iter().map(|s| s.value).sum();
    assert_eq!(total, (SERIES_MAX + BEYOND) as f64, "what is beyond is still counted");
    assert!(exposition.value("eventgateway_events_processed_total", &[("space", OTHER), ("type", OTHER)]) >= 50.0);
    let others = [("space", OTHER), ("function", OTHER)];
    let beyond = (SERIES_MAX + BEYOND - DURATIONS_MAX) as f64;
    exposition.check("weir_function_call_duration_seconds_count", &others, beyond);
    // A name that has its series keeps it.
    let (event, way) = (event("0"), Way::Route { receipt: None });
    metrics.settled(&Settled { space: &space, function: &function, event: &event, way });
    let labels = [("space", "shop"), ("type", "0")];
    seen(&metrics, &Catalog::new()).check("eventgateway_events_processed_total", &labels, 2.0);
}

#[test]
fn what_is_read_as_numbers_is_what_is_written_as_text() {
    let (metrics, catalog) = (metrics(), shop());
    let series = metrics.event(&name("shop"), "order.placed", || Arc::clone(&catalog));
    series.received();
    deliver(&metrics, "order.placed", Way::Delivery { age: Duration::from_millis(3), is_given_up: true });
    metrics.export_failed(Signal::Metrics);
    metrics.spans_dropped(7);
    let exposition = seen(&metrics, &catalog);
    let measured = metrics.measure(&scrape(&catalog));
    assert_eq!(measured.len(), exposition.families.len());
    for Measured { name, points, .. } in measured {
        for Point { labels, value } in points {
            let labels: Vec<_> = labels.iter().map(|(name, value)| (*name, &**value)).collect();
            match value {
                Value::Count(count) => exposition.check(&format!("{name}_total"), &labels, count as f64),
                // Memory changes while it is read.
                Value::Level(_) if name == "process_resident_memory_bytes" => {}
                Value::Level(level) => exposition.check(name, &labels, level as f64),
                Value::Fraction(fraction) => exposition.check(name, &labels, fraction),
                Value::Spread { bounds, counts, sum } => {
                    assert_eq!(bounds.len() + 1, counts.len(), "{name}");
                    exposition.check(&format!("{name}_sum"), &labels, sum);
                    exposition.check(&format!("{name}_count"), &labels, counts.iter().sum::<u64>() as f64);
                }
            }
        }
    }
}

#[test]
fn openmetrics_is_complete() {
    let text = metrics().render(&scrape(&Catalog::new()), Format::OpenMetrics);
    assert!(text.ends_with("\n# EOF\n"), "{text}");
    assert!(text.contains("# TYPE eventgateway_events_received counter\n"), "{text}");
    assert_eq!(text.matches("# EOF").count(), 1);
}

/// Collects the expressions of a dashboard.
fn expressions<'v>(value: &'v serde_json::Value, found: &mut Vec<&'v str>) {
    match value {
        serde_json::Value::Array(values) => values.iter().for_each(|value| expressions(value, found)),
        serde_json::Value::Object(members) => {
            found.extend(members.get("expr").and_then(serde_json::Value::as_str));
            members.values().for_each(|value| expressions(value, found));
        }
        _ => {}
    }
}

#[test]
fn page_and_dashboard_know_the_metrics_that_there_are() {
    let page = include_str!("../../../../docs/metrics.md");
    let known: Vec<_> = OLD.into_iter().chain(OWN).collect();
    for (name, kind, labels) in &known {
        let row = page.lines().find(|line| line.starts_with(&format!("| `{name}` | {kind} |")));
        let row = row.unwrap_or_else(|| panic!("{name} has no row, or one with another type"));
        let cells: Vec<_> = row.split('|').map(str::trim).collect();
        let expected: Vec<_> = labels.iter().map(|label| format!("`{label}`")).collect();
        assert_eq!(cells[3], expected.join(", "), "{name}");
    }
    let dashboard = include_str!("../../../../docs/grafana/weir.json");
    let dashboard: serde_json::Value = serde_json::from_str(dashboard).expect("JSON");
    let mut found = Vec::new();
    expressions(&dashboard, &mut found);
    assert!(!found.is_empty());
    for expression in found {
        let words = expression.split(|each: char| !each.is_ascii_alphanumeric() && each != '_');
        let ours = |word: &&str| ["weir_", "eventgateway_", "process_"].iter().any(|prefix| word.starts_with(prefix));
        for word in words.filter(ours) {
            let is_known = known.iter().any(|(name, kind, _)| match *kind {
                "histogram" => word.strip_suffix("_bucket") == Some(*name),
                _ => word == *name,
            });
            assert!(is_known, "{word} in {expression}");
        }
    }
}
