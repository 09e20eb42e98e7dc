//! Reading the log of a space: `GET /v1/spaces/{space}/events`.
//!
//! | parameter | meaning |
//! |---|---|
//! | `from` | the first position that may be returned, or `end`: only what comes from now on |
//! | `since` | the same as a time (RFC 3339): what was recorded then and later |
//! | `type` | only events of this type; may come several times |
//! | `key` | only events of this key |
//! | `limit` | the most events to return, 100 where nothing is said |
//! | `order` | `asc`, or `desc`: from newer to older |
//! | `wait` | how many seconds to wait for a matching event where there is none |
//! | `at-least` | answer only when the log has come to this position, within the time of `wait` |
//!
//! The answer is a batch of CloudEvents, each with `weirposition`, `recordedtime` and, where there is one, `weirkey`. The
//! header `Weir-Next` says where to go on, and `Weir-End` whether the end was reached; an answer without events that did
//! not reach the end is to be gone on from. Where the right to read is narrowed to event types, events of others are passed
//! over, and asking for one of them by name is refused.

mod parameters;

use std::sync::Arc;

use axum::{
    Extension,
    extract::{Path, RawQuery, State},
    response::Response,
};
use http::{HeaderValue, StatusCode};
use tokio::{sync::watch, time::Instant};
use weir_cloudevents::{json, time};
use weir_domain::{AttributeValue, Key, Position, SpaceName};
use weir_log::{Direction, Filter, LogEngine, LogError, Page, Read};

use super::{
    SpacePath,
    described::{AT_THE_DOOR, SPACE_NAME},
};
use crate::{
    answer,
    auth::Caller,
    gateway::Shared,
    headers,
    openapi::{self, Answer, Endpoint, Operation},
    problem::Problem,
    space,
};
use parameters::{Parameters, Start};

/// About how many bytes of events one answer has at most.
const ANSWER_BYTES_MAX: usize = 4 * 1024 * 1024;

/// The group of the operation.
pub(super) const TAG: &str = "Events";

/// How many pages are looked through for a matching event before an answer without one is given.
const PAGES_MAX: usize = 16;

/// Makes the route.
pub(super) fn endpoint() -> Endpoint {
    Endpoint::get("/v1/spaces/{space}/events", events, told)
}

fn told() -> Operation {
    let schema = serde_json::json!({
        "type": "array",
        "items": openapi::reference(openapi::RECORDED_SCHEMA),
        "maxItems": parameters::LIMIT_MAX,
    });
    let about = "Events that match. There may be fewer than `limit`, even none, without this being the end.";
    let answer = Answer::new(about).header(&openapi::NEXT).header(&openapi::END).example(
        json::BATCH_CONTENT_TYPE,
        schema,
        serde_json::json!([openapi::recorded_example()]),
    );
    let operation = Operation::new("readEvents", TAG, "Read the events of a space from the log")
        .about(
            "Parameters that are not told of here are an error. Where the right to read is narrowed to event types, events of \
             others are passed over, and asking for one of them by name is refused with 403.\n\nTo read your own write, pass \
             the receipt: `?from=7&at-least=7&wait=5`.",
        )
        .shared(&[SPACE_NAME]);
    let parameters = parameters::MEMBERS.iter().map(|member| openapi::parameter("query", member));
    parameters.fold(operation, Operation::parameter).answer("200", answer).problems(&[400, 500]).problems(&AT_THE_DOOR)
}

/// Answers a read.
///
/// # Errors
/// Where a parameter is wrong, the log did not come to the position asked for in time, or cannot be read.
async fn events(
    State(shared): State<Arc<Shared>>,
    Extension(caller): Extension<Caller>,
    path: SpacePath,
    RawQuery(query): RawQuery,
) -> Result<Response, Problem> {
    let Path(space) = path?;
    let space = space::named(&space)?;
    let parameters = Parameters::read(query.as_deref().unwrap_or_default())?;
    caller.check_reads(&space, &parameters.types)?;
    // Those who wait have places of their own: however many there are, the configuration can be changed. The answer takes
    // room for itself until it is written, see `super::outgoing`.
    let _place = if parameters.wait.is_zero() { &shared.configuration_room } else { &shared.waiting_room }.enter()?;
    let waiting = Waiting { shared: &shared, deadline: Instant::now() + parameters.wait };
    let end = match parameters.at_least {
        Some(position) => waiting.until_end_reaches(position).await?,
        None => *shared.log.durable_end().borrow(),
    };
    let mut read = first_read(&shared, &parameters, space, end).await?;
    let waits = !parameters.wait.is_zero() && parameters.direction == Direction::Forward;
    let mut arrivals = waits.then(|| shared.log.arrivals(&read.space, &parameters.types));
    loop {
        let turn = shared.log_turn().await;
        // Not more is read than may be answered: to find that out afterwards is dear, and those who do not read their
        // answers ask again and again.
        read.bytes_max = shared.configuration_room.left_for_answers()?.min(ANSWER_BYTES_MAX);
        // Seen before the read: whatever is written after it wakes the waiting below.
        if let Some(arrivals) = &mut arrivals {
            arrivals.mark_unchanged();
        }
        let page = matching(&*shared.log, read.clone(), &parameters.types, &caller).await?;
        let Some(arrivals) = arrivals.as_mut().filter(|_| page.events.is_empty() && page.end) else {
            return Ok(batch(&page));
        };
        drop(turn);
        read.from = page.next;
        if !waiting.for_change(arrivals).await {
            return Ok(batch(&page));
        }
    }
}

/// A wait that is over at some time.
struct Waiting<'s> {
    shared: &'s Shared,
    deadline: Instant,
}

impl Waiting<'_> {
    /// Waits until what is watched is another position than was seen; false where the time is over, the server is stopping
    /// or the log is gone.
    async fn for_change(&self, watched: &mut watch::Receiver<Position>) -> bool {
        tokio::select! {
            biased;
            changed = watched.changed() => changed.is_ok(),
            () = self.shared.stopping.cancelled() => false,
            () = tokio::time::sleep_until(self.deadline) => false,
        }
    }

    /// Waits until the log has come to a position, and returns its durable end.
    async fn until_end_reaches(&self, position: Position) -> Result<Position, Problem> {
        let mut watched = self.shared.log.durable_end();
        loop {
            let end = *watched.borrow_and_update();
            if end >= position {
                return Ok(end);
            }
            if !self.for_change(&mut watched).await {
                let message = format!("the log has not come to position {position}: repeat the request later");
                return Err(Problem::unavailable(message));
            }
        }
    }
}

async fn first_read(
    shared: &Shared,
    parameters: &Parameters,
    space: SpaceName,
    end: Position,
) -> Result<Read, LogError> {
    let from = match parameters.start {
        Start::Beginning => Position::ORIGIN,
        Start::Newest => end,
        Start::AfterEnd => end.next(),
        Start::At(position) => position,
        Start::Since(time) => shared.log.position_at(time).await?,
    };
    let filter = match &parameters.key {
        Some(key) => Filter::Key(key.clone()),
        None if parameters.types.is_empty() => Filter::All,
        None => Filter::Types(parameters.types.clone()),
    };
    let read = match parameters.direction {
        Direction::Forward => Read::forward(space, from),
        Direction::Backward => Read::backward(space, from),
    };
    Ok(read.filter(filter).events_max(parameters.limit))
}

/// Reads one page of events of these types that the caller may see; the log itself filters by type only where it does not
/// by key.
async fn matching(log: &dyn LogEngine, mut read: Read, types: &[String], caller: &Caller) -> Result<Page, LogError> {
    let mut pages = 0;
    loop {
        let mut page = log.read(read.clone()).await?;
        if !types.is_empty() {
            page.events.retain(|recorded| types.iter().any(|each| each == recorded.event.event_type()));
        }
        page.events.retain(|recorded| caller.may_read(&read.space, recorded.event.event_type()));
        pages += 1;
        if !page.events.is_empty() || page.end || pages == PAGES_MAX {
            return Ok(page);
        }
        read.from = page.next;
    }
}

fn batch(page: &Page) -> Response {
    let mut body = vec![b'['];
    for (index, recorded) in page.events.iter().enumerate() {
        if index > 0 {
            body.push(b',');
        }
        let (position, time) = (recorded.position.to_string(), time::format(recorded.recorded));
        let extra = [
            ("weirposition", AttributeValue::String(&position)),
            ("recordedtime", AttributeValue::String(&time)),
            ("weirkey", AttributeValue::String(recorded.key.as_ref().map_or("", Key::as_str))),
        ];
        let known = if recorded.key.is_some() { &extra[..] } else { &extra[..2] };
        json::encode_with(&recorded.event, known, &mut body);
    }
    body.push(b']');
    let mut response = answer::with_body(StatusCode::OK, json::BATCH_CONTENT_TYPE, body);
    let headers = response.headers_mut();
    headers.insert(&headers::NEXT, page.next.get().into());
    headers.insert(&headers::END, HeaderValue::from_static(if page.end { "true" } else { "false" }));
    response
}
