//! Reading the log: filters, paging, both directions, waiting.

mod turns;

use serde_json::{Value, json};

use crate::support::{Answer, BATCH, BOUND, Door, STRUCTURED, door, event};

/// Returns a door with five events behind it, and the position of the first.
async fn with_events() -> (Door, u64) {
    let door = door().await;
    door.register("default", &["a", "b"]).await;
    let batch = [
        event("1", "a", r#","subject":"x""#),
        event("2", "b", r#","subject":"x""#),
        event("3", "a", r#","subject":"y""#),
        event("4", "b", ""),
        event("5", "a", r#","subject":"x""#),
    ];
    let answer = door.post(BATCH, &format!("[{}]", batch.join(","))).await;
    let first = answer.header("weir-position").and_then(|text| text.split(',').next()?.parse().ok());
    (door, first.expect("a receipt"))
}

fn ids(answer: &Answer) -> Vec<String> {
    assert_eq!((answer.status, answer.header("content-type")), (200, Some(BATCH)), "{}", answer.text());
    let value = answer.json();
    let events = value.as_array().expect("a batch");
    events.iter().map(|event| event["id"].as_str().expect("an id").to_owned()).collect()
}

fn number(answer: &Answer, header: &str) -> u64 {
    answer.header(header).expect(header).parse().expect("a position")
}

#[tokio::test]
async fn filters_choose_events() {
    let (door, first) = with_events().await;
    let third = first + 2;
    let cases: [(String, &[&str]); 13] = [
        (String::new(), &["1", "2", "3", "4", "5"]),
        ("type=a".into(), &["1", "3", "5"]),
        ("type=a&type=b".into(), &["1", "2", "3", "4", "5"]),
        ("key=x".into(), &["1", "2", "5"]),
        ("key=x&type=b".into(), &["2"]),
        ("key=nobody".into(), &[]),
        (format!("from={third}"), &["3", "4", "5"]),
        (format!("from={third}&order=desc"), &["3", "2", "1"]),
        ("order=desc&limit=2".into(), &["5", "4"]),
        ("order=desc&from=end&type=b".into(), &["4", "2"]),
        ("since=2000-01-01T00:00:00Z&limit=1".into(), &["1"]),
        ("since=2100-01-01T00:00:00Z".into(), &[]),
        ("from=end".into(), &[]),
    ];
    for (query, expected) in cases {
        assert_eq!(ids(&door.read("default", &query).await), expected, "{query}");
    }
    assert_eq!(ids(&door.read("elsewhere", "").await), [""; 0]);
}

#[tokio::test]
async fn events_carry_what_the_log_knows() {
    let (door, first) = with_events().await;
    let value = door.read("default", "type=b").await.json();
    let expected = json!({
        "specversion": "1.0",
        "id": "2",
        "source": "/test",
        "type": "b",
        "subject": "x",
        "weirposition": (first + 1).to_string(),
        "recordedtime": value[0]["recordedtime"],
        "weirkey": "x",
    });
    assert_eq!(value[0], expected);
    assert!(value[0]["recordedtime"].as_str().is_some_and(|time| time.ends_with('Z')), "{value}");
    assert_eq!(value[1].get("weirkey"), None::<&Value>);
}

#[tokio::test]
async fn pages_follow_one_another() {
    let (door, _) = with_events().await;
    for (order, expected) in [("asc", ["1", "3", "5"]), ("desc", ["5", "3", "1"])] {
        let (mut seen, mut from) = (Vec::new(), String::new());
        loop {
            let answer = door.read("default", &format!("type=a&limit=1&order={order}{from}")).await;
            seen.extend(ids(&answer));
            from = format!("&from={}", number(&answer, "weir-next"));
            match answer.header("weir-end") {
                Some("true") => break,
                other => assert_eq!(other, Some("false")),
            }
            assert!(seen.len() <= expected.len(), "{seen:?}");
        }
        assert_eq!(seen, expected);
    }
}

#[tokio::test(start_paused = true)]
async fn a_read_waits_for_a_matching_event() {
    let (door, _) = with_events().await;
    let waiting = door.read("default", "from=end&type=a&wait=30");
    let emitting = async {
        for (id, event_type) in [("6", "b"), ("7", "b"), ("8", "a")] {
            // Lets the read come to its waiting.
            tokio::task::yield_now().await;
            assert_eq!(door.post(STRUCTURED, &event(id, event_type, "")).await.status, 202);
        }
    };
    let (answer, ()) = tokio::join!(waiting, emitting);
    assert_eq!(ids(&answer), ["8"]);
    assert_eq!(answer.header("weir-end"), Some("true"));

    // Nothing comes: the time goes by, and the place to go on from is known.
    let next = number(&answer, "weir-next");
    let answer = door.read("default", &format!("from={next}&wait=30")).await;
    assert_eq!((ids(&answer).len(), number(&answer, "weir-next")), (0, next));
}

#[tokio::test]
async fn waiting_ends_when_the_server_stops() {
    let (door, _) = with_events().await;
    let waiting = door.read("default", "from=end&wait=30");
    let stopping = async {
        tokio::task::yield_now().await;
        door.gateway.serve_options().stopping.cancel();
    };
    let both = async { tokio::join!(waiting, stopping) };
    let (answer, ()) = tokio::time::timeout(BOUND, both).await.expect("the read ends");
    assert_eq!(ids(&answer), [""; 0]);
}

#[tokio::test]
async fn a_read_can_ask_for_what_was_written() {
    let (door, first) = with_events().await;
    let answer = door.read("default", &format!("at-least={first}&limit=1")).await;
    assert_eq!(ids(&answer), ["1"]);
    let far = first + 100;
    let answer = door.read("default", &format!("at-least={far}")).await;
    answer.check_refused(503, &format!("the log has not come to position {far}: repeat the request later"));
    assert_eq!(answer.header("retry-after"), Some("1"));
    let next = *door.log.durable_end().borrow();
    let waiting = format!("at-least={}&wait=20&order=desc&limit=1", next.get() + 1);
    let waiting = door.read("default", &waiting);
    let body = event("9", "a", "");
    let (answer, emitted) = tokio::join!(waiting, door.post(STRUCTURED, &body));
    assert_eq!((ids(&answer), emitted.status), (vec!["9".to_owned()], 202));
}

#[tokio::test]
async fn wrong_parameters_are_refused() {
    let door = door().await;
    let answer = door.read("default", "limit=0").await;
    answer.check_refused(400, "parameter \"limit\" must be a number from 1 to 1000, not \"0\"");
}
