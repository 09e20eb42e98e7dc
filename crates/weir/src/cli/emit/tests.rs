//! Emitting to a server that the test plays, waits included.

use std::{
    cell::{Cell, RefCell},
    collections::VecDeque,
    fs,
};

use http::{HeaderMap, HeaderValue, StatusCode};
use serde_json::Value;

use super::*;
use crate::{
    cli::output::{Captured, unread},
    client::BaseUrl,
};

/// Takes events at growing positions and refuses batches in which one has the member `bad`. Before that, it gives the
/// answers of a script.
#[derive(Default)]
struct Server {
    script: RefCell<VecDeque<Result<Answer, ClientError>>>,
    /// Whether a refusal says which event is at fault.
    names_index: bool,
    end: Cell<u64>,
    /// Identifiers of the events of each request.
    requests: RefCell<Vec<Vec<u64>>>,
    open: Cell<usize>,
    most_open: Cell<usize>,
    /// How long it was waited, all waits together.
    waited: Cell<Duration>,
}

fn base() -> BaseUrl {
    "http://test".parse().expect("a URL")
}

fn answer(status: u16, headers: &[(&'static str, &str)], message: &str) -> Answer {
    let mut map = HeaderMap::new();
    for (name, value) in headers {
        map.insert(*name, HeaderValue::from_str(value).expect("a value"));
    }
    let body = json!({ "errors": [{ "message": message }] }).to_string();
    Answer { status: StatusCode::from_u16(status).expect("a status"), headers: map, body: body.into() }
}

fn busy() -> Result<Answer, ClientError> {
    Ok(answer(503, &[("retry-after", "2")], "busy"))
}

fn gone() -> Result<Answer, ClientError> {
    Err(ClientError::NoServer { base: base(), reason: "refused".into() })
}

impl Server {
    fn scripted(answers: impl IntoIterator<Item = Result<Answer, ClientError>>) -> Self {
        Self { script: RefCell::new(answers.into_iter().collect()), ..Self::default() }
    }

    fn take(&self, events: &[Value]) -> Answer {
        if let Some(index) = events.iter().position(|event| event.get("bad").is_some()) {
            let place =
                if self.names_index { format!("event {index} of the batch, counted from 0: ") } else { String::new() };
            return answer(400, &[], &format!("{place}it is bad"));
        }
        let first = self.end.get() + 1;
        self.end.set(self.end.get() + events.len() as u64);
        let known = events.iter().filter(|event| event.get("known").is_some()).count().to_string();
        answer(202, &[("weir-position", &format!("{first}, {}", self.end.get())), ("weir-duplicate", &known)], "")
    }
}

impl Transport for &Server {
    async fn post(&self, body: Bytes) -> Result<Answer, ClientError> {
        self.open.set(self.open.get() + 1);
        self.most_open.set(self.most_open.get().max(self.open.get()));
        tokio::task::yield_now().await;
        self.open.set(self.open.get() - 1);
        let body: Value = serde_json::from_slice(&body).expect("JSON");
        let events = body.as_array().cloned().unwrap_or_else(|| vec![body]);
        let ids = events.iter().map(|event| event["id"].as_u64().unwrap_or_default());
        self.requests.borrow_mut().push(ids.collect());
        let scripted = self.script.borrow_mut().pop_front();
        scripted.unwrap_or_else(|| Ok(self.take(&events)))
    }

    fn refused(&self, answer: &Answer) -> ClientError {
        ClientError::Refused {
            base: base(),
            status: answer.status,
            message: answer.messages(),
            retry_after: answer.retry_after(),
        }
    }

    async fn rest(&self, wait: Duration) {
        self.waited.set(self.waited.get() + wait);
    }
}

/// Emits these lines; returns the summary, the places of refused lines, and how it ended.
async fn emit(server: &Server, lines: &str, batch: usize, in_flight: usize) -> (Summary, Vec<String>, Option<String>) {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("x.jsonl");
    fs::write(&path, lines).expect("written");
    let told = RefCell::new(Vec::new());
    let (mut summary, failure) = many(
        Input::new(vec![path], batch),
        in_flight,
        &Sender::new(server, "seed"),
        |refusal| told.borrow_mut().push(refusal.clone()),
        &ProgressBar::hidden(),
    )
    .await;
    assert_eq!(*told.borrow(), summary.refusals);
    let refused = std::mem::take(&mut summary.refusals);
    let places = refused.iter().map(|it| {
        let line = it.place.rsplit(':').next().unwrap_or_default();
        format!("{line}: {}", it.message)
    });
    summary.seconds = 0.0;
    (summary, places.collect(), failure.map(|error| error.to_string()))
}

fn numbered(numbers: std::ops::RangeInclusive<u64>, bad: &[u64]) -> String {
    let line = |number: u64| match bad.contains(&number) {
        true => format!("{{\"id\":{number},\"bad\":true}}\n"),
        false => format!("{{\"id\":{number}}}\n"),
    };
    numbers.map(line).collect()
}

#[tokio::test]
async fn one_at_a_time_keeps_the_order_of_lines() {
    let server = Server::default();
    let (summary, refused, ended) = emit(&server, &numbered(1..=7, &[]), 3, 1).await;
    assert_eq!(*server.requests.borrow(), [vec![1, 2, 3], vec![4, 5, 6], vec![7]]);
    let positions = (summary.accepted, summary.first_position, summary.last_position);
    assert_eq!((positions, refused.len(), ended), ((7, Some(1), Some(7)), 0, None));
    assert_eq!(server.most_open.get(), 1);
}

#[tokio::test]
async fn so_many_requests_are_in_flight_and_no_more() {
    let server = Server::default();
    let (summary, ..) = emit(&server, &numbered(1..=100, &[]), 1, 4).await;
    assert_eq!((summary.accepted, server.most_open.get()), (100, 4));
}

#[tokio::test]
async fn refused_lines_do_not_keep_their_neighbours_out() {
    for names_index in [true, false] {
        let server = Server { names_index, ..Server::default() };
        let lines = numbered(1..=10, &[4, 9]);
        let (summary, refused, ended) = emit(&server, &lines, 10, 1).await;
        assert_eq!((summary.accepted, summary.refused, ended), (8, 2, None));
        assert_eq!(summary.exit(), Exit::Findings);
        assert_eq!(refused, ["4: it is bad", "9: it is bad"]);
        // What is accepted is accepted in the order of the lines.
        let requests = server.requests.borrow();
        let accepted = requests.iter().filter(|ids| !ids.contains(&4) && !ids.contains(&9)).flatten().copied();
        assert_eq!(accepted.collect::<Vec<_>>(), [1, 2, 3, 5, 6, 7, 8, 10]);
        assert!(requests.len() <= if names_index { 7 } else { 17 }, "{requests:?}");
    }
}

#[tokio::test]
async fn a_single_event_that_is_refused_ends_as_a_line_does() {
    let event = weir_domain::Event::builder("1", "/shop", "order.placed").build().expect("valid");
    let captured = Captured::default();
    for (status, output) in
        [(400, captured.output(true, None)), (403, captured.output(false, None)), (422, unread(true))]
    {
        let server = Server::scripted([Ok(answer(status, &[], "no right"))]);
        let exit = one(&event, &Sender::new(&server, "seed"), &output).await.expect("an end");
        assert_eq!(exit, Exit::Findings, "{status}");
    }
    assert_eq!(captured.text(), "{\"id\":\"1\",\"refused\":\"no right\"}\n");
}

#[tokio::test]
async fn quarantine_is_told_and_ends_as_a_refusal_does() {
    let event = weir_domain::Event::builder("1", "/shop", "order.placed").build().expect("valid");
    let kept = || Ok(answer(202, &[("weir-position", "7"), ("weir-quarantined", "true")], ""));
    let (told, told_json) = (Captured::default(), Captured::default());
    for output in [told.output(false, None), told_json.output(true, None)] {
        let server = Server::scripted([kept()]);
        let exit = one(&event, &Sender::new(&server, "seed"), &output).await.expect("an end");
        assert_eq!(exit, Exit::Findings);
    }
    assert_eq!(told.text(), "quarantined at position 7, id 1\n");
    let row: Value = serde_json::from_str(&told_json.text()).expect("JSON");
    assert_eq!(row, json!({ "id": "1", "position": 7, "duplicate": false, "quarantined": true }));
    let batch = Ok(answer(202, &[("weir-position", "8, 9"), ("weir-quarantined", "1")], ""));
    let (summary, _, ended) = emit(&Server::scripted([batch]), &numbered(1..=2, &[]), 2, 1).await;
    assert_eq!((summary.accepted, summary.quarantined, summary.refused, ended), (2, 1, 0, None));
    assert_eq!(summary.exit(), Exit::Findings);
}

#[tokio::test]
async fn broken_lines_are_refused_here() {
    let server = Server::default();
    let (summary, refused, _) = emit(&server, "{\"id\":1,\"known\":1}\nnonsense\n{\"id\":2}\n", 10, 1).await;
    assert_eq!((summary.accepted, summary.duplicates, summary.refused), (2, 1, 1));
    assert_eq!(refused, ["2: the line is no JSON object: write each event as one on a line of its own"]);
}

#[tokio::test]
async fn a_busy_server_is_asked_again_when_it_says_so() {
    let server = Server::scripted([busy(), gone(), busy()]);
    let (summary, _, ended) = emit(&server, &numbered(1..=2, &[]), 2, 1).await;
    assert_eq!((summary.accepted, ended), (2, None));
    assert_eq!(*server.requests.borrow(), vec![vec![1, 2]; 4]);
    let waited = server.waited.get();
    assert!((Duration::from_secs(4)..Duration::from_secs(6)).contains(&waited), "{waited:?}");
}

#[tokio::test]
async fn a_server_that_stays_busy_is_given_up() {
    let server = Server::scripted((0..100).map(|_| busy()));
    let (summary, _, ended) = emit(&server, &numbered(1..=20, &[]), 10, 1).await;
    assert_eq!(summary.accepted, 0);
    assert_eq!(ended.as_deref(), Some("the server at http://test answered 503 Service Unavailable: busy"));
    assert!(server.requests.borrow().len() < 20, "the second batch is not sent");
}

#[tokio::test]
async fn a_missing_server_and_a_wrong_one_end_it_at_once() {
    let server = Server::scripted([gone()]);
    let (_, _, ended) = emit(&server, &numbered(1..=2, &[]), 1, 1).await;
    assert!(ended.is_some_and(|message| message.starts_with("no server answers at http://test")));
    assert_eq!(server.requests.borrow().len(), 1);
    let server = Server::scripted([Ok(answer(404, &[], "404 page not found"))]);
    let (_, _, ended) = emit(&server, &numbered(1..=2, &[]), 1, 1).await;
    assert_eq!(ended.as_deref(), Some("the server at http://test answered 404 Not Found: 404 page not found"));
}

#[test]
fn receipts_are_read_from_headers() {
    let check = |headers: &[(&'static str, &str)], expected: Option<(u64, u64, u64, u64)>| {
        let receipt = Receipt::of(&answer(202, headers, ""));
        let read = receipt.map(|it| (it.first, it.last, it.duplicates, it.quarantined));
        assert_eq!(read, expected, "{headers:?}");
    };
    check(&[("weir-position", "7")], Some((7, 7, 0, 0)));
    check(&[("weir-position", "7"), ("weir-duplicate", "true")], Some((7, 7, 1, 0)));
    check(&[("weir-position", "7"), ("weir-quarantined", "true")], Some((7, 7, 0, 1)));
    check(&[("weir-position", "7, 9"), ("weir-duplicate", "2"), ("weir-quarantined", "1")], Some((7, 9, 2, 1)));
    check(&[("weir-position", "x")], None);
    check(&[], None);
}
