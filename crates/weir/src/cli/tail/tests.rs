//! Following a server that the test plays, which answers at once and is asked again without waiting.

use std::{cell::RefCell, collections::VecDeque};

use bytes::Bytes;
use http::HeaderMap;
use weir_domain::SpaceName;

use super::*;
use crate::cli::{AccessArgs, output::Captured};

/// Answers in the order of the script, and remembers what it was asked. Beyond the script it says that it is gone for
/// good, which ends following.
struct Script {
    answers: RefCell<VecDeque<Result<Answer, ClientError>>>,
    asked: RefCell<Vec<String>>,
}

impl Source for Script {
    async fn get(&self, path: &str, _: Duration) -> Result<Answer, ClientError> {
        self.asked.borrow_mut().push(path.to_owned());
        let next = self.answers.borrow_mut().pop_front();
        next.unwrap_or_else(|| Err(self.unreadable("the script is over".into())))
    }

    fn refused(&self, answer: &Answer) -> ClientError {
        ClientError::Refused {
            base: base(),
            status: answer.status,
            message: answer.messages(),
            retry_after: answer.retry_after(),
        }
    }

    fn unreadable(&self, detail: String) -> ClientError {
        ClientError::Unreadable { base: base(), detail }
    }

    async fn rest(&self, wait: Duration) {
        assert!(!wait.is_zero(), "whoever is asked again at once is asked without end");
    }
}

fn base() -> crate::client::BaseUrl {
    "http://test".parse().expect("a URL")
}

fn answer(status: u16, positions: &[u64], next: u64, end: bool) -> Result<Answer, ClientError> {
    let mut headers = HeaderMap::new();
    headers.insert("weir-next", next.into());
    headers.insert("weir-end", http::HeaderValue::from_static(if end { "true" } else { "false" }));
    let events = positions.iter().map(|position| {
        format!(r#"{{ "weirposition":"{position}","recordedtime":"2026-01-31T12:00:00.000000Z","type":"t" }}"#)
    });
    let body = format!("[{}]", events.collect::<Vec<_>>().join(","));
    let status = StatusCode::from_u16(status).expect("a status");
    Ok(Answer { status, headers, body: Bytes::from(body) })
}

fn gone() -> Result<Answer, ClientError> {
    Err(ClientError::NoServer { base: base(), reason: "refused".into() })
}

fn args() -> TailArgs {
    TailArgs {
        types: Vec::new(),
        key: None,
        from: None,
        since: None,
        last: None,
        follow: false,
        space: SpaceName::default(),
        url: base(),
        access: AccessArgs::default(),
    }
}

/// Plays the script; returns the positions that were shown, the queries, and how it ended.
async fn play(
    args: TailArgs,
    answers: impl IntoIterator<Item = Result<Answer, ClientError>>,
) -> (Vec<u64>, Vec<String>, Result<(), String>) {
    let script = Script { answers: RefCell::new(answers.into_iter().collect()), asked: RefCell::default() };
    let captured = Captured::default();
    let output = captured.output(true, None);
    let ended = Tail::new(&script, &args, &output, Backoff::new("seed")).run(&args).await;
    let shown = captured.text();
    let positions = shown.lines().map(|line| {
        let event: serde_json::Value = serde_json::from_str(line).expect("one event a line");
        event["weirposition"].as_str().expect("a position").parse().expect("a number")
    });
    let asked = script.asked.borrow().iter().map(|path| path.replace("/v1/spaces/default/events?", "")).collect();
    (positions.collect(), asked, ended.map_err(|error| error.to_string()))
}

#[tokio::test]
async fn the_newest_events_come_in_the_order_of_the_log() {
    let args = TailArgs { last: Some(3), types: vec!["a b".into()], key: Some("k&=".into()), ..args() };
    let answers = [answer(200, &[], 100, true), answer(200, &[99, 90], 50, false), answer(200, &[40], 39, false)];
    let (shown, asked, ended) = play(args, answers).await;
    assert_eq!((shown, ended), (vec![40, 90, 99], Ok(())));
    let expected = [
        "from=end&limit=1",
        "order=desc&from=99&type=a%20b&key=k%26%3D&limit=3",
        "order=desc&from=50&type=a%20b&key=k%26%3D&limit=1",
    ];
    assert_eq!(asked, expected);
}

#[tokio::test]
async fn an_empty_log_has_no_newest_event() {
    let (shown, asked, ended) = play(args(), [answer(200, &[], 1, true)]).await;
    assert_eq!((shown, asked.len(), ended), (vec![], 1, Ok(())));
}

#[tokio::test]
async fn reading_goes_on_to_the_end() {
    let args = TailArgs { since: Some("2026-01-31T12:00:00+01:00".into()), ..args() };
    let answers = [answer(200, &[5, 6], 7, false), answer(200, &[], 20, false), answer(200, &[20], 21, true)];
    let (shown, asked, ended) = play(args, answers).await;
    assert_eq!((shown, ended), (vec![5, 6, 20], Ok(())));
    let since = "since=2026%2D01%2D31T12%3A00%3A00%2B01%3A00&limit=1000";
    assert_eq!(asked, [since, "from=7&limit=1000", "from=20&limit=1000"]);
    let wrong = TailArgs { since: Some("yesterday".into()), ..self::args() };
    let (_, asked, ended) = play(wrong, []).await;
    assert!(
        asked.is_empty() && ended.is_err_and(|message| message.starts_with("a time must be written as in RFC 3339"))
    );
}

#[tokio::test]
async fn following_survives_a_restart() {
    let args = TailArgs { from: Some(7), follow: true, ..args() };
    let answers = [
        answer(200, &[7], 8, true),
        answer(200, &[], 8, true), // the server is stopping: it does not wait any more
        gone(),
        answer(503, &[], 0, true),
        answer(200, &[8, 9], 10, true),
    ];
    let (shown, asked, ended) = play(args, answers).await;
    assert_eq!(shown, [7, 8, 9]);
    let waiting = "from=8&limit=1000&wait=25";
    assert_eq!(asked, ["from=7&limit=1000", waiting, waiting, waiting, waiting, "from=10&limit=1000&wait=25"]);
    assert!(ended.is_err_and(|message| message.ends_with("the script is over")));
}

#[tokio::test]
async fn a_server_that_never_was_there_is_an_error_at_once() {
    let args = TailArgs { from: Some(7), follow: true, ..args() };
    let (_, asked, ended) = play(args, [gone(), answer(200, &[7], 8, true)]).await;
    assert_eq!(asked.len(), 1);
    assert!(ended.is_err_and(|message| message.starts_with("no server answers at http://test")));
}

#[test]
fn answers_of_other_servers_are_told_apart() {
    let check = |answer: Result<Answer, ClientError>, expected: &str| {
        let detail = read(&answer.expect("an answer")).map(|page| page.next);
        assert!(detail.as_ref().is_err_and(|detail| detail.starts_with(expected)), "{detail:?}");
    };
    let plain = |body: &'static str| {
        answer(200, &[], 1, true).map(|answer| Answer { body: Bytes::from_static(body.as_bytes()), ..answer })
    };
    check(plain("<html>"), "it is no batch of events");
    check(plain("{}"), "it is no batch of events");
    let bare = Answer { status: StatusCode::OK, headers: HeaderMap::new(), body: Bytes::from_static(b"[]") };
    check(Ok(bare), "it has no header weir-next");
}
