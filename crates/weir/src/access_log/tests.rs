//! The form of a line, and what becomes of lines that cannot be written.

use std::{fs, net::SocketAddr};

use http::{Method, StatusCode, Version};
use weir_domain::{SpaceName, Timestamp};
use weir_gateway::{Api, ServedEvent};

use super::*;

/// No wait here is longer.
const BOUND: Duration = Duration::from_secs(30);

fn served() -> Served {
    Served {
        api: Api::Events,
        began: Timestamp::from_unix_micros(1_700_000_000_123_456),
        took: Duration::from_micros(815),
        client: Some(SocketAddr::from(([127, 0, 0, 1], 50_000))),
        version: Version::HTTP_11,
        method: Method::POST,
        path: "/orders/a%20b\"".to_owned(),
        user_agent: Some("probe \"1\"\n".to_owned()),
        request_id: Some("r-1".to_owned()),
        status: Some(StatusCode::ACCEPTED),
        request_bytes: Some(17),
        response_bytes: Some(0),
        space: Some(SpaceName::default()),
        event: Some(ServedEvent::One {
            event_type: "order.placed".to_owned(),
            id: "7 8".to_owned(),
            source: "/shop".to_owned(),
        }),
        principal: Some("jwt:ada b".to_owned()),
        trace: "00-0af7651916cd43dd8448eb211c80319c-b9c7c989f97918e1-01".parse().ok(),
        is_tls: false,
        spans: None,
        event_trace: None,
        append: None,
    }
}

fn text(format: Format, served: &Served) -> String {
    let mut out = Vec::new();
    line::write(format, served, &mut out);
    String::from_utf8(out).expect("UTF-8")
}

#[test]
fn a_line_says_what_is_known_and_nothing_breaks_out_of_it() {
    let json: serde_json::Value = serde_json::from_str(&text(Format::Json, &served())).expect("JSON");
    let expected = serde_json::json!({
        "time": "2023-11-14T22:13:20.123456Z",
        "api": "events",
        "client": "127.0.0.1:50000",
        "principal": "jwt:ada b",
        "method": "POST",
        "path": "/orders/a%20b\"",
        "protocol": "HTTP/1.1",
        "status": 202,
        "request_bytes": 17,
        "response_bytes": 0,
        "duration_us": 815,
        "request_id": "r-1",
        "space": "default",
        "event_type": "order.placed",
        "event_id": "7 8",
        "trace_id": "0af7651916cd43dd8448eb211c80319c",
        "user_agent": "probe \"1\"\n",
    });
    assert_eq!(json, expected);
    let expected = "127.0.0.1:50000 - jwt:ada\\x20b [2023-11-14T22:13:20.123456Z] \"POST /orders/a%20b\\x22 HTTP/1.1\" 202 0 \
                    \"-\" \"probe \\x221\\x22\\x0A\" api=events duration_us=815 request_id=r-1 request_bytes=17 \
                    space=default event_type=order.placed event_id=7\\x208 \
                    trace_id=0af7651916cd43dd8448eb211c80319c\n";
    assert_eq!(text(Format::Text, &served()), expected);

    let gone = Served {
        client: None,
        user_agent: None,
        request_id: None,
        status: None,
        request_bytes: None,
        response_bytes: None,
        space: None,
        event: Some(ServedEvent::Batch(3)),
        principal: None,
        trace: None,
        path: "/".to_owned(),
        version: Version::HTTP_2,
        ..served()
    };
    let expected = "- - - [2023-11-14T22:13:20.123456Z] \"POST / HTTP/2.0\" 499 - \"-\" \"-\" api=events duration_us=815 \
                    events=3\n";
    assert_eq!(text(Format::Text, &gone), expected);
    let json: serde_json::Value = serde_json::from_str(&text(Format::Json, &gone)).expect("JSON");
    assert_eq!((&json["status"], &json["events"], json.get("space")), (&499.into(), &3.into(), None));
}

#[test]
fn what_finds_no_room_is_counted_and_holds_nobody_up() {
    let metrics = Metrics::new("1.2.3", Timestamp::default());
    let (queue, items) = sync_channel(1);
    let log = AccessLog { queue, metrics: metrics.clone() };
    for _ in 0..3 {
        log.served(&Arc::new(served()));
    }
    assert_eq!(items.try_iter().count(), 1);
    let catalog = weir_catalog::Catalog::new();
    let scrape = weir_gateway::Scrape {
        catalog: &catalog,
        end: weir_domain::Position::ORIGIN,
        backlog: 0,
        backlogs: &[],
        levels: &[],
        events: weir_gateway::InFlight::default(),
        configuration: weir_gateway::InFlight::default(),
    };
    let text = metrics.render(&scrape, weir_gateway::Format::Text);
    assert!(text.contains("\nweir_access_log_dropped_total 2\n"), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_was_moved_away_is_opened_again_and_every_line_is_in_one_of_them() {
    let directory = tempfile::tempdir().expect("a directory");
    let (path, old) = (directory.path().join("access.log"), directory.path().join("access.log.1"));
    let options = Options { format: Format::Text, file: Some(path.clone()) };
    let (log, running) = open(options, &Metrics::new("1.2.3", Timestamp::default())).expect("opened");
    log.served(&Arc::new(served()));
    fs::rename(&path, &old).expect("moved");
    running.asked.reopen.store(true, Ordering::Relaxed);
    running.queue.try_send(Item::Wake).expect("there is room");
    let begun = Instant::now();
    // That the file is there again is the only signal.
    while !path.exists() {
        assert!(begun.elapsed() < BOUND, "the file is not opened again");
        std::thread::yield_now();
    }
    log.served(&Arc::new(served()));
    running.close();
    let lines = |path: &Path| fs::read_to_string(path).expect("readable").lines().count();
    // The first one may have been written after the file was opened again.
    assert_eq!(lines(&path) + lines(&old), 2);
    assert!(lines(&path) >= 1);
}
