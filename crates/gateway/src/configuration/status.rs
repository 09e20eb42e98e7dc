//! How deliveries stand: `GET /v1/spaces/{space}/subscriptions/{id}/status` of one async subscription, and
//! `GET /v1/spaces/{space}/status` of all that a space has.

use std::{sync::Arc, time::Duration};

use axum::{
    extract::{Path, RawQuery, State},
    response::Response,
};
use http::{HeaderMap, StatusCode};
use serde::Serialize;
use serde_json::{Value, json};
use weir_catalog::{EventTypeName, SubscriptionId};
use weir_cloudevents::time;
use weir_domain::{Key, Position};
use weir_flow::{Depth, LaneAside, ParkedSince, StatusError, SubscriptionState, SubscriptionStatus};

use super::{
    ItemPath, SpacePath,
    described::{self, AT_THE_DOOR, SPACE_NAME, identifier},
    media,
    paging::{self, Page},
    replays,
    resource::Resource,
    subscriptions::Subscriptions,
};
use crate::{
    answer,
    gateway::Shared,
    openapi::{self, Answer, Endpoint, Member, Operation},
    problem::Problem,
    space,
};

/// The name of the list in an answer.
const LIST: &str = "subscriptions";

/// The names of the schemas in the OpenAPI document.
const SCHEMA: &str = "SubscriptionStatus";
const LIST_SCHEMA: &str = "SubscriptionStatusList";
const BACKLOG_SCHEMA: &str = "Backlog";
const LANE_SCHEMA: &str = "KeyAside";
const PARKED_SCHEMA: &str = "Parked";

/// What is told of a [`View`].
const MEMBERS: &[Member] = &[
    Member::new("subscriptionId", || openapi::text("Its identifier.", SubscriptionId::BYTES_MAX)),
    Member::new("eventType", || openapi::text("The type of its events.", EventTypeName::BYTES_MAX)),
    Member::new("functionId", || openapi::text("Its function.", 256)),
    Member::new("state", || {
        let about = "What it is doing. `active`: it delivers. `paused`, `draining`, `drained`: somebody said so. `parked`: its \
                     function fails continuously, and is given nothing but probes. `replaying`: it delivers history once more. \
                     `blocked`: so much waits for another attempt, or is held, that it reads no further.";
        openapi::word(about, SubscriptionState::ALL.map(SubscriptionState::as_str))
    }),
    Member::new("cursor", || count("The position up to which everything is done, but for what is put aside.")),
    Member::new("next", || count("The position where it reads on.")),
    Member::new("backlog", || openapi::reference(BACKLOG_SCHEMA)),
    Member::new("inFlight", || count("Calls in flight.")),
    Member::new("waiting", || count("Events in memory that are not done.")),
    Member::new("retrying", || count("Of these, the ones that wait for another attempt.")),
    Member::new("keysAside", || count("How many keys are put aside: what waits of them is in the log alone.")),
    Member::new("eventsAside", || count("About how many events of theirs wait.")),
    Member::new("aside", || {
        json!({
            "type": "array",
            "description": "The first of these keys, those that are held before the others.",
            "items": openapi::reference(LANE_SCHEMA),
        })
    }),
    Member::new("parked", || openapi::reference(PARKED_SCHEMA)),
    Member::new("replay", || openapi::reference(replays::SCHEMA)),
    Member::new("ratePerSecond", || {
        count(
            "The most events a second that it was seen to deliver since the start of the server; absent where it was none.",
        )
    }),
];

/// What is told of a [`BacklogView`].
const BACKLOG: &[Member] = &[
    Member::new("events", || {
        count(
            "About how many events: of those of its type that it did not read yet, filter, method and path may take fewer.",
        )
    }),
    Member::new("more", || openapi::flag("There are more, and they were not counted.")),
    Member::new("seconds", || {
        let about = "How long ago the oldest of them was recorded; 0 where none waits.";
        json!({ "type": "number", "description": about, "minimum": 0 })
    }),
];

/// What is told of a [`LaneView`].
const LANE: &[Member] = &[
    Member::new("key", || openapi::text("The key.", Key::BYTES_MAX)),
    Member::new("held", || {
        count("The position of the event that was given up and holds the key, until somebody decides about it.")
    }),
    Member::new("from", || count("Everything of the key before this position is done.")),
    Member::new("events", || count("About how many events wait.")),
];

/// What is told of a [`ParkedView`].
const PARKED: &[Member] = &[
    Member::new(
        "since",
        || json!({ "type": "string", "description": "Since when, by RFC 3339.", "format": "date-time" }),
    ),
    Member::new("cause", || json!({ "type": "string", "description": "The last failure." })),
];

fn count(about: &str) -> Value {
    json!({ "type": "integer", "description": about, "minimum": 0 })
}

/// Makes the routes.
pub(super) fn endpoints() -> Vec<Endpoint> {
    vec![
        Endpoint::get("/v1/spaces/{space}/subscriptions/{id}/status", read, told_of_read),
        Endpoint::get("/v1/spaces/{space}/status", list, told_of_list),
    ]
}

/// Tells what the schemas are.
pub(super) fn schemas() -> Vec<(String, Value)> {
    let needed = [
        "subscriptionId",
        "eventType",
        "functionId",
        "state",
        "cursor",
        "next",
        "backlog",
        "inFlight",
        "waiting",
        "retrying",
        "keysAside",
        "eventsAside",
    ];
    let about = "How deliveries to a subscription stand.";
    let list = "The async subscriptions of a space, in the order of their identifiers.";
    vec![
        (SCHEMA.to_owned(), openapi::object(about, MEMBERS, &needed)),
        (LIST_SCHEMA.to_owned(), described::list_schema(LIST, SCHEMA, list)),
        (BACKLOG_SCHEMA.to_owned(), openapi::object("What waits.", BACKLOG, &["events", "seconds"])),
        (LANE_SCHEMA.to_owned(), openapi::object("A key that is put aside.", LANE, &["key", "from", "events"])),
        (PARKED_SCHEMA.to_owned(), openapi::object("A function that is not called.", PARKED, &["since", "cause"])),
    ]
}

fn example() -> Value {
    json!({
        "subscriptionId": "YXN5bmMscGFyY2VsLnNlbnQsbm90aWNlLCUyRixQT1NU",
        "eventType": "parcel.sent",
        "functionId": "notice",
        "state": "parked",
        "cursor": 4700,
        "next": 4712,
        "backlog": { "events": 12, "seconds": 95.2 },
        "inFlight": 0,
        "waiting": 12,
        "retrying": 12,
        "keysAside": 0,
        "eventsAside": 0,
        "parked": { "since": "2026-01-31T12:00:00.000000Z", "cause": "the function answered 503" },
        "ratePerSecond": 400,
    })
}

fn told_of_read() -> Operation {
    let schema = openapi::reference(SCHEMA);
    let answer = Answer::new("How it stands.").example("application/json", schema, example());
    let profile = Subscriptions::PROFILE;
    Operation::new("getSubscriptionStatus", profile.tag, "Ask how deliveries to a subscription stand")
        .about("Of an `async` one. Up to a million events that it did not read yet are counted.")
        .shared(&[SPACE_NAME])
        .parameter(identifier(&profile))
        .answer("200", answer)
        .problems(&[400, 404, 406, 500])
        .problems(&AT_THE_DOOR)
}

fn told_of_list() -> Operation {
    let example = json!({ (LIST): [example()] });
    let answer = Answer::new("How they stand, or a page of them.").optional_header(&openapi::LINK).example(
        "application/json",
        openapi::reference(LIST_SCHEMA),
        example,
    );
    let summary = "Ask how deliveries to all subscriptions of a space stand";
    Operation::new("listSubscriptionStatus", Subscriptions::PROFILE.tag, summary)
        .about("Of each `async` one, up to a hundred thousand events that it did not read yet are counted.")
        .shared(&[SPACE_NAME, paging::LIMIT_NAME, paging::AFTER_NAME])
        .answer("200", answer)
        .problems(&[400, 406, 500])
        .problems(&AT_THE_DOOR)
}

/// How deliveries to a subscription stand, as clients see it.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct View<'a> {
    subscription_id: &'a str,
    event_type: &'a str,
    function_id: &'a str,
    state: &'static str,
    cursor: u64,
    next: u64,
    backlog: BacklogView,
    in_flight: usize,
    waiting: usize,
    retrying: usize,
    keys_aside: usize,
    events_aside: u64,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    aside: Vec<LaneView<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    parked: Option<ParkedView<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    replay: Option<replays::View>,
    #[serde(skip_serializing_if = "Option::is_none")]
    rate_per_second: Option<u64>,
}

#[derive(Serialize)]
struct BacklogView {
    events: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    more: Option<bool>,
    seconds: f64,
}

#[derive(Serialize)]
struct LaneView<'a> {
    key: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    held: Option<u64>,
    from: u64,
    events: u64,
}

#[derive(Serialize)]
struct ParkedView<'a> {
    since: String,
    cause: &'a str,
}

impl<'a> View<'a> {
    fn of(status: &'a SubscriptionStatus) -> Self {
        let subscription = &status.subscription;
        let Depth { events, more, age } = status.backlog;
        let lane = |it: &'a LaneAside| LaneView {
            key: it.key.as_str(),
            held: it.held.map(Position::get),
            from: it.from.get(),
            events: it.events,
        };
        let parked = |it: &'a ParkedSince| ParkedView { since: time::format(it.since), cause: it.cause.as_str() };
        Self {
            subscription_id: subscription.id.as_str(),
            event_type: subscription.event_type.as_str(),
            function_id: subscription.function.as_str(),
            state: status.state.as_str(),
            cursor: status.cursor.get(),
            next: status.next.get(),
            backlog: BacklogView { events, more: more.then_some(true), seconds: seconds(age) },
            in_flight: status.in_flight,
            waiting: status.waiting,
            retrying: status.retrying,
            keys_aside: status.lanes_aside,
            events_aside: status.events_aside,
            aside: status.aside.iter().map(lane).collect(),
            parked: status.parked.as_ref().map(parked),
            replay: status.replay.clone().map(replays::View::of),
            rate_per_second: status.rate,
        }
    }
}

/// Writes a time in seconds with three decimals at most.
fn seconds(time: Duration) -> f64 {
    time.as_millis() as f64 / 1000.0
}

async fn read(State(shared): State<Arc<Shared>>, path: ItemPath, headers: HeaderMap) -> Result<Response, Problem> {
    let _place = shared.configuration_room.enter()?;
    let Path((space, id)) = path?;
    let space = space::named(&space)?;
    media::refuse_other_answers(&headers)?;
    let status = shared.flow.status(&space, &id).await?;
    Ok(answer::json(StatusCode::OK, &View::of(&status)))
}

async fn list(
    State(shared): State<Arc<Shared>>,
    path: SpacePath,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let _place = shared.configuration_room.enter()?;
    let Path(space) = path?;
    let space = space::named(&space)?;
    media::refuse_other_answers(&headers)?;
    let query = query.as_deref().unwrap_or_default();
    let page = Page::read(query)?;
    let statuses = shared.flow.statuses(&space).await?;
    let (response, next) = page.write(LIST, statuses.iter(), |it| it.subscription.id.as_str(), View::of);
    Ok(paging::with_next(response, &format!("/v1/spaces/{space}/status"), query, next))
}

impl From<StatusError> for Problem {
    fn from(error: StatusError) -> Self {
        match error {
            StatusError::Subscription(error) => error.into(),
            StatusError::Log(error) => error.into(),
            StatusError::Sync { .. } => {
                Self::of(error.kind(), &error).cured_by("name an async subscription of this space")
            }
        }
    }
}
