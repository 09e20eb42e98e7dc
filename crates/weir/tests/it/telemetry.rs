//! Telemetry by OTLP: one tree of spans from a producer's request to the last function, and the metrics of the server.

use std::{
    collections::HashMap,
    fs,
    io::{BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{Arc, Condvar, Mutex},
};

use opentelemetry_proto::tonic::{
    collector::{metrics::v1::ExportMetricsServiceRequest, trace::v1::ExportTraceServiceRequest},
    common::v1::{KeyValue, any_value::Value},
    metrics::v1::{Metric, metric::Data, number_data_point},
    trace::v1::{Span, span::SpanKind},
};
use prost::Message;
use serde_json::json;

use crate::process::{BOUND, Http, STRUCTURED, Server, directory, structured};

const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
const PRODUCER: &str = "b9c7c989f97918e1";

/// A request to a server of this test.
#[derive(Clone, Debug)]
struct Received {
    path: String,
    headers: HashMap<String, String>,
    body: Vec<u8>,
}

/// Answers every request alike, and remembers it.
struct Receiver {
    address: SocketAddr,
    all: Arc<(Mutex<Vec<Received>>, Condvar)>,
}

impl Receiver {
    fn start(answer: String) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("bound");
        let address = listener.local_addr().expect("bound");
        let all = Arc::new((Mutex::new(Vec::new()), Condvar::new()));
        let shared = Arc::clone(&all);
        // Ends with the process of the test.
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (all, answer) = (Arc::clone(&shared), answer.clone());
                std::thread::spawn(move || serve(stream, &answer, &all));
            }
        });
        Self { address, all }
    }

    fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Waits until what was received is enough, and returns it.
    fn wait_until(&self, is_enough: impl Fn(&[Received]) -> bool) -> Vec<Received> {
        let (all, changed) = &*self.all;
        let guard = all.lock().expect("sound");
        let (guard, waited) = changed.wait_timeout_while(guard, BOUND, |all| !is_enough(all)).expect("sound");
        assert!(!waited.timed_out(), "what is waited for did not come: {} requests", guard.len());
        guard.clone()
    }
}

fn serve(stream: TcpStream, answer: &str, all: &(Mutex<Vec<Received>>, Condvar)) {
    let mut stream = BufReader::new(stream);
    while let Some(received) = request(&mut stream) {
        all.0.lock().expect("sound").push(received);
        all.1.notify_all();
        if stream.get_mut().write_all(answer.as_bytes()).is_err() {
            return;
        }
    }
}

/// Reads a request; nothing where the connection ends.
fn request(stream: &mut BufReader<TcpStream>) -> Option<Received> {
    let mut line = String::new();
    stream.read_line(&mut line).ok().filter(|length| *length > 0)?;
    let path = line.split(' ').nth(1)?.to_owned();
    let mut headers = HashMap::new();
    loop {
        line.clear();
        stream.read_line(&mut line).ok()?;
        let Some((name, value)) = line.trim_end().split_once(": ") else { break };
        headers.insert(name.to_ascii_lowercase(), value.to_owned());
    }
    let mut body = vec![0; headers.get("content-length")?.parse().ok()?];
    stream.read_exact(&mut body).ok()?;
    Some(Received { path, headers, body })
}

fn spans(all: &[Received]) -> Vec<Span> {
    let of_traces = all.iter().filter(|each| each.path == "/v1/traces");
    let requests = of_traces.map(|each| ExportTraceServiceRequest::decode(each.body.as_slice()).expect("OTLP"));
    let scopes = requests.flat_map(|each| each.resource_spans).flat_map(|each| each.scope_spans);
    scopes.flat_map(|each| each.spans).collect()
}

fn metrics(all: &[Received]) -> Vec<Metric> {
    let last = all.iter().rev().find(|each| each.path == "/v1/metrics").expect("metrics");
    let request = ExportMetricsServiceRequest::decode(last.body.as_slice()).expect("OTLP");
    let scopes = request.resource_metrics.into_iter().flat_map(|each| each.scope_metrics);
    scopes.flat_map(|each| each.metrics).collect()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn text<'a>(attributes: &'a [KeyValue], key: &str) -> Option<&'a str> {
    let found = attributes.iter().find(|each| each.key == key)?;
    match found.value.as_ref()?.value.as_ref()? {
        Value::StringValue(text) => Some(text),
        _ => None,
    }
}

/// A function that answers with an event, and one that answers with none; each remembers its calls.
fn functions() -> (Receiver, Receiver) {
    let event = json!({ "specversion": "1.0", "id": "r", "source": "/one", "type": "b" }).to_string();
    let head = "HTTP/1.1 200 OK\r\ncontent-type: application/cloudevents+json";
    let one = Receiver::start(format!("{head}\r\ncontent-length: {}\r\n\r\n{event}", event.len()));
    (one, Receiver::start("HTTP/1.1 204 No Content\r\n\r\n".to_owned()))
}

/// Checks what the server has counted: one event of the first type, and two of the second.
fn check_metrics(metrics: &[Metric]) {
    let appended = metrics.iter().find(|metric| metric.name == "weir_events_appended").expect("a metric");
    let Some(Data::Sum(sum)) = &appended.data else { panic!("{appended:?}") };
    let of_type = |name: &str| sum.data_points.iter().find(|point| text(&point.attributes, "type") == Some(name));
    let value = |name: &str| of_type(name).expect("a series").value;
    assert!(sum.is_monotonic);
    assert_eq!(value("a"), Some(number_data_point::Value::AsInt(1)));
    assert_eq!(value("b"), Some(number_data_point::Value::AsInt(2)));
    let duration = metrics.iter().find(|metric| metric.name == "weir_function_call_duration_seconds");
    assert!(matches!(duration.and_then(|metric| metric.data.as_ref()), Some(Data::Histogram(_))), "{duration:?}");
}

#[test]
fn one_tree_reaches_from_the_producer_to_the_last_function_and_metrics_come_along() {
    let place = directory();
    let collector = Receiver::start("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n".to_owned());
    let settings = place.path().join("weir.toml");
    let set = format!(
        "otlp_endpoint = \"{}\"\notlp_headers = \"api-key=s3cret\"\notlp_service_name = \"shop\"\notlp_sample_ratio = 0\n",
        collector.url()
    );
    fs::write(&settings, set).expect("written");
    let server = Server::start_with(&place.path().join("data"), &settings);
    let (one, two) = functions();
    server.declare(&["a", "b"], "one", &json!({ "url": one.url() }), "http");
    server.configure("functions", &json!({ "functionId": "two", "type": "http", "provider": { "url": two.url() } }));
    server.configure("subscriptions", &json!({ "type": "async", "eventType": "b", "functionId": "two" }));

    let mut http = Http::connect(server.events).expect("connected");
    let mut emit = |body: &[u8], headers: &[(&str, &str)]| {
        let answer = http.send("POST", "/orders?key=secret", &[&[STRUCTURED][..], headers].concat(), body);
        assert_eq!(answer.expect("answered").status, 202);
    };
    // By the ratio no trace begins here: this one makes no span, and its event carries nothing.
    emit(&structured("0", "b", "s", 0), &[]);
    emit(&structured("7", "a", "s", 7), &[("traceparent", &format!("00-{TRACE}-{PRODUCER}-01"))]);
    let found = spans(&collector.wait_until(|all| spans(all).len() >= 7));
    let named =
        |name: &str| found.iter().find(|span| span.name == name).unwrap_or_else(|| panic!("{name}: {found:#?}"));
    let parent = |name: &str| hex(&named(name).parent_span_id);
    let own = |name: &str| hex(&named(name).span_id);
    let check = |name: &str, kind: SpanKind, expected: &str| {
        assert_eq!((named(name).kind, parent(name)), (kind as i32, expected.to_owned()), "{name}");
        assert_eq!(hex(&named(name).trace_id), TRACE, "{name}");
        assert!(named(name).start_time_unix_nano <= named(name).end_time_unix_nano, "{name}");
        assert_eq!(named(name).status.as_ref().map_or(0, |status| status.code), 0, "{name}");
    };
    check("POST", SpanKind::Server, PRODUCER);
    check("send a", SpanKind::Producer, &own("POST"));
    check("process a", SpanKind::Consumer, &own("send a"));
    check("call one", SpanKind::Client, &own("process a"));
    check("send b", SpanKind::Producer, &own("process a"));
    check("process b", SpanKind::Consumer, &own("send b"));
    check("call two", SpanKind::Client, &own("process b"));

    let request = &named("POST").attributes;
    assert_eq!(text(request, "http.request.method"), Some("POST"));
    assert_eq!(text(request, "url.path"), Some("/orders"));
    let message = &named("process a").attributes;
    assert_eq!(text(message, "messaging.system"), Some("weir"));
    assert_eq!(text(message, "messaging.operation.type"), Some("process"));
    assert_eq!(text(message, "cloudevents.event_id"), Some("7"));
    assert_eq!(text(message, "cloudevents.event_type"), Some("a"));
    assert_eq!(text(message, "cloudevents.event_source"), Some("/test"));

    // Functions outside go on with the span of their call, and events with the span of their append.
    let calls = one.wait_until(|all| !all.is_empty());
    assert_eq!(calls[0].headers.get("traceparent"), Some(&format!("00-{TRACE}-{}-01", own("call one"))));
    let context = |event_type: &str, index: usize| server.events_of(event_type)[index]["traceparent"].clone();
    assert_eq!(context("a", 0), json!(format!("00-{TRACE}-{}-01", own("send a"))));
    assert_eq!((context("b", 0), context("b", 1)), (json!(null), json!(format!("00-{TRACE}-{}-01", own("send b")))));

    assert_eq!(server.terminate(), Some(0));
    let all = collector.wait_until(|all| all.iter().any(|each| each.path == "/v1/metrics"));
    assert!(all.iter().all(|each| each.headers.get("api-key").is_some_and(|key| key == "s3cret")));
    assert_eq!(spans(&all).len(), 7, "no span comes twice, and none of what is not traced");
    check_metrics(&metrics(&all));
}

#[test]
fn a_receiver_that_is_gone_holds_up_nobody_and_is_counted() {
    let place = directory();
    let settings = place.path().join("weir.toml");
    // Nobody listens there.
    let nobody = TcpListener::bind("127.0.0.1:0").expect("bound").local_addr().expect("bound");
    fs::write(&settings, format!("otlp_endpoint = \"http://{nobody}\"\n")).expect("written");
    let server = Server::start_with(&place.path().join("data"), &settings);
    server.configure("eventtypes", &json!({ "name": "a" }));
    let mut http = Http::connect(server.events).expect("connected");
    let answer = http.send("POST", "/", &[STRUCTURED], &structured("1", "a", "s", 1)).expect("answered");
    assert_eq!(answer.status, 202);
    let begun = std::time::Instant::now();
    let mut http = Http::connect(server.config).expect("connected");
    loop {
        let answer = http.send("GET", "/v1/metrics", &[], b"").expect("answered");
        let text = String::from_utf8(answer.body).expect("UTF-8");
        // The request and the append.
        if text.contains("\nweir_otlp_spans_dropped_total 2\n") {
            assert!(text.contains("\nweir_otlp_exports_failed_total{signal=\"traces\"} 1\n"), "{text}");
            break;
        }
        assert!(begun.elapsed() < BOUND, "{text}");
        std::thread::yield_now();
    }
    assert_eq!(server.terminate(), Some(0));
}
