//! Replays: `POST /v1/spaces/{space}/subscriptions/{id}/replays` delivers history to one async subscription once more, and
//! `…/replays/{replay}` says how far that is, and cancels it.

mod request;

use std::sync::Arc;

use axum::{
    extract::{Path, Request, State, rejection::PathRejection},
    response::Response,
};
use http::{HeaderMap, StatusCode};
use serde::Serialize;
use serde_json::{Value, json};
use weir_cloudevents::time;
use weir_domain::{Timestamp, error_chain};
use weir_flow::{Effect, Place, ReplayError, ReplayPlan, ReplayRefusal, ReplayRequest, ReplayStanding, ReplayState};

use super::{
    ItemPath,
    described::{AT_THE_DOOR, OF_BODIES, SPACE_NAME, identifier},
    media,
    parameter::{flag, short},
    resource::{Resource, utf8},
    subscriptions::Subscriptions,
};
use crate::{
    answer,
    gateway::Shared,
    openapi::{self, Answer, Endpoint, Member, Operation},
    problem::Problem,
    query, space,
};

/// Where true, it is only said what the replay would do.
const DRY_RUN: &str = "dryRun";

/// The space, the subscription and the replay in the path of a request, as texts.
type ReplayPath = Result<Path<(String, String, String)>, PathRejection>;

/// The names of the schemas in the OpenAPI document.
const INPUT_SCHEMA: &str = "ReplayInput";
pub(super) const SCHEMA: &str = "Replay";
const PLAN_SCHEMA: &str = "ReplayPlan";
const EFFECT_SCHEMA: &str = "ReplayEffect";

/// What is told of the range of a replay.
const RANGE: &[Member] = &[
    Member::new("from", || position("The first position that may be delivered.")),
    Member::new("to", || position("The last one: what comes after it is new, and waits until the replay is over.")),
];

/// What is told of an [`Estimate`].
const ESTIMATE: &[Member] = &[
    Member::new("events", || count("How many events.")),
    Member::new("more", || openapi::flag("There are more, and they were not counted.")),
    Member::new("ratePerSecond", || {
        let about = "How many of them a second: as many as the subscription was seen to deliver since the start of the server, \
                     and as it may. Absent where it delivered nothing yet and nothing bounds it.";
        json!({ "type": "integer", "description": about, "minimum": 1 })
    }),
    Member::new("seconds", || count("About how many seconds it takes at this rate.")),
    Member::new("effects", || {
        json!({
            "type": "array",
            "description": "What would be called outside of this server. Where there is anything, `withEffects` must allow it.",
            "items": openapi::reference(EFFECT_SCHEMA),
        })
    }),
];

/// What is told of an [`EffectView`].
const EFFECT: &[Member] = &[
    Member::new("functionId", || openapi::text("The function.", 256)),
    Member::new("type", || {
        let about = "Its kind: `http`, or that of a resource of AWS.";
        json!({ "type": "string", "description": about, "examples": ["http", "awslambda"] })
    }),
    Member::new("target", || json!({ "type": "string", "description": "Its URL, or its name at AWS." })),
    Member::new("indirect", || {
        openapi::flag(
            "Not the function of the subscription: it may be given what that one returns under the name of `as`.",
        )
    }),
];

/// What is told of a [`View`], beside its range.
const SHOWN: &[Member] = &[
    Member::new("replayId", || {
        openapi::text("Its identifier, which is the extension `weirreplay` of all its events.", 64)
    }),
    Member::new("state", || {
        let states = [ReplayState::Running, ReplayState::Finished, ReplayState::Cancelled];
        openapi::word("Whether it is over, and how.", states.map(ReplayState::as_str))
    }),
    Member::new("position", || position("Up to here it was read.")),
    Member::new("delivered", || count("How many events were delivered.")),
    Member::new("givenUp", || count("How many were given up: they are dead letters.")),
    Member::new(
        "requested",
        || json!({ "type": "string", "description": "When it was asked for, by RFC 3339.", "format": "date-time" }),
    ),
];

fn position(about: &str) -> Value {
    json!({ "type": "integer", "description": about, "minimum": 0 })
}

fn count(about: &str) -> Value {
    json!({ "type": "integer", "description": about, "minimum": 0 })
}

/// Makes the routes.
pub(super) fn endpoints() -> Vec<Endpoint> {
    const ALL: &str = "/v1/spaces/{space}/subscriptions/{id}/replays";
    const ONE: &str = "/v1/spaces/{space}/subscriptions/{id}/replays/{replay}";
    vec![
        Endpoint::post(ALL, start, told_of_start),
        Endpoint::get(ONE, read, told_of_read),
        Endpoint::delete(ONE, cancel, told_of_cancel),
    ]
}

/// Tells what the schemas are.
pub(super) fn schemas() -> Vec<(String, Value)> {
    let plan = RANGE.iter().chain(ESTIMATE);
    let about = "A replay. What it was expected to do is shown where it is begun.";
    let one = SHOWN.iter().chain(RANGE).chain(request::KEPT).chain(ESTIMATE);
    let needed = ["replayId", "state", "from", "to", "position", "delivered", "givenUp", "requested"];
    vec![
        (INPUT_SCHEMA.to_owned(), openapi::object("What is to be delivered once more.", request::MEMBERS, &["from"])),
        (SCHEMA.to_owned(), openapi::object(about, one, &needed)),
        (
            PLAN_SCHEMA.to_owned(),
            openapi::object("What a replay would do.", plan, &["from", "to", "events", "effects"]),
        ),
        (EFFECT_SCHEMA.to_owned(), openapi::object("A function outside.", EFFECT, &["functionId", "type", "target"])),
    ]
}

fn planned() -> Value {
    json!({ "from": 1, "to": 4711, "events": 1200, "ratePerSecond": 400, "seconds": 3, "effects": [] })
}

fn example(state: ReplayState, position: u64) -> Value {
    json!({
        "replayId": "5b7c0f0e-7d0c-4c58-9c1a-6c3f0b1f2a3d",
        "state": state.as_str(),
        "from": 1,
        "to": 4711,
        "position": position,
        "delivered": position / 4,
        "givenUp": 0,
        "requested": "2026-01-31T12:00:00.000000Z",
    })
}

fn told_of_start() -> Operation {
    let dry_run = Member::new(DRY_RUN, || {
        openapi::flag("Where true, nothing is begun: the answer says what the replay would do.")
    });
    let mut begun = example(ReplayState::Running, 0);
    if let (Value::Object(begun), Value::Object(planned)) = (&mut begun, planned()) {
        begun.extend(planned);
    }
    let media_type = "application/json";
    let answer = Answer::new("It is begun, and goes on whatever happens to the server.");
    let answer = answer.example(media_type, openapi::reference(SCHEMA), begun);
    let plan = Answer::new("What it would do.").example(media_type, openapi::reference(PLAN_SCHEMA), planned());
    let given = json!({ "from": "3d", "filter": { "exact": { "subject": "customer-7" } }, "rate": 400 });
    let profile = Subscriptions::PROFILE;
    Operation::new("startReplay", profile.tag, "Deliver history to a subscription once more")
        .about(
            "Of an `async` one. Its events come in the order of their keys and carry the extension `weirreplay`; what is new \
             waits until the replay is over, so that nothing is left out and nothing comes twice. A subscription has one replay \
             at a time.\n\nWhat its function returns has the same identifiers as the first time and is refused as a duplicate, \
             unless `as` names a derivation of its own.",
        )
        .shared(&[SPACE_NAME])
        .parameter(identifier(&profile))
        .parameter(openapi::parameter("query", &dry_run))
        .json_body("What is to be delivered.", openapi::reference(INPUT_SCHEMA), given)
        .answer("200", plan)
        .answer("201", answer)
        .problems(&[400, 404, 409, 500])
        .problems(&OF_BODIES)
        .problems(&AT_THE_DOOR)
}

fn told_of_read() -> Operation {
    let shown = example(ReplayState::Running, 2048);
    let answer = Answer::new("How far it is.").example("application/json", openapi::reference(SCHEMA), shown);
    Operation::new("getReplay", Subscriptions::PROFILE.tag, "Ask how far a replay is")
        .about("Also of one that is over, however long ago: the log has how it ended.")
        .shared(&[SPACE_NAME])
        .parameter(identifier(&Subscriptions::PROFILE))
        .parameter(replay())
        .answer("200", answer)
        .problems(&[400, 404, 406, 500])
        .problems(&AT_THE_DOOR)
}

fn told_of_cancel() -> Operation {
    let shown = example(ReplayState::Cancelled, 2048);
    let answer = Answer::new("It is over.").example("application/json", openapi::reference(SCHEMA), shown);
    Operation::new("cancelReplay", Subscriptions::PROFILE.tag, "Cancel a replay")
        .about("What is in flight is finished, nothing further of it is delivered, and the subscription goes on with what is new.")
        .shared(&[SPACE_NAME])
        .parameter(identifier(&Subscriptions::PROFILE))
        .parameter(replay())
        .answer("200", answer)
        .problems(&[400, 404, 406, 409, 500])
        .problems(&AT_THE_DOOR)
}

fn replay() -> Value {
    let id = Member::new("replay", || openapi::text("The identifier of the replay.", 64));
    openapi::parameter("path", &id)
}

/// What a replay would do as clients see it.
#[derive(Serialize)]
struct PlanView {
    from: u64,
    to: u64,
    #[serde(flatten)]
    estimate: Estimate,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Estimate {
    events: u64,
    #[serde(skip_serializing_if = "is_false")]
    more: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    rate_per_second: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    seconds: Option<u64>,
    effects: Vec<EffectView>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct EffectView {
    function_id: String,
    #[serde(rename = "type")]
    kind: &'static str,
    target: String,
    #[serde(skip_serializing_if = "is_false")]
    indirect: bool,
}

/// A replay as clients see it.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct View {
    replay_id: String,
    state: &'static str,
    from: u64,
    to: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    filter: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    rate: Option<u32>,
    #[serde(rename = "as", skip_serializing_if = "Option::is_none")]
    derivation: Option<String>,
    position: u64,
    delivered: u64,
    given_up: u64,
    requested: String,
    /// Where it is begun.
    #[serde(flatten)]
    estimate: Option<Estimate>,
}

fn is_false(flag: &bool) -> bool {
    !flag
}

impl Estimate {
    fn of(plan: ReplayPlan) -> Self {
        let seconds = plan.duration().map(|took| took.as_secs());
        let effect = |it: Effect| EffectView {
            function_id: it.function.to_string(),
            kind: it.kind,
            target: it.target,
            indirect: it.is_indirect,
        };
        Self {
            events: plan.events.events,
            more: plan.events.more,
            rate_per_second: plan.rate,
            seconds,
            effects: plan.effects.into_iter().map(effect).collect(),
        }
    }
}

impl View {
    /// Shows a replay.
    pub(super) fn of(standing: ReplayStanding) -> Self {
        let ReplayStanding { order, next, delivered, given_up, state } = standing;
        Self {
            replay_id: order.id,
            state: state.as_str(),
            from: order.from.get(),
            to: order.to.get(),
            // It was written down as JSON.
            filter: order.filter.and_then(|text| serde_json::from_str(&text).ok()),
            rate: order.rate,
            derivation: order.derivation,
            position: next.previous().get(),
            delivered,
            given_up,
            requested: time::format(Timestamp::from_unix_micros(order.since_micros)),
            estimate: None,
        }
    }
}

async fn start(State(shared): State<Arc<Shared>>, path: ItemPath, request: Request) -> Result<Response, Problem> {
    let mut place = shared.configuration_room.enter()?;
    let Path((space, id)) = path?;
    let space = space::named(&space)?;
    media::refuse_other_answers(request.headers())?;
    media::refuse_other_bodies(request.headers())?;
    let parameters = request.uri().query().unwrap_or_default();
    // Who misspells it would begin what was only to be looked at.
    if let Some((other, _)) = query::pairs(parameters).find(|(name, _)| name.as_ref() != DRY_RUN) {
        return Err(Problem::invalid(format!("parameter {:?} is not known: use {DRY_RUN}", short(&other))));
    }
    let is_rehearsal = flag(parameters, DRY_RUN)?;
    let body = shared.read_configuration_body(request.into_body(), &mut place).await?;
    let wanted = utf8(&body).and_then(|text| request::read(text, shared.clock.now()));
    let wanted = wanted.map_err(|detail| Problem::invalid(detail.message().to_owned()).cured_by(detail.cure()))?;
    drop(body);
    let plan = shared.flow.plan_replay(&space, &id, &wanted).await?;
    if is_rehearsal {
        let (from, to) = (plan.from.get(), plan.to.get());
        return Ok(answer::json(StatusCode::OK, &PlanView { from, to, estimate: Estimate::of(plan) }));
    }
    // What is begun is what was counted.
    let wanted = ReplayRequest { from: Place::At(plan.from), to: Some(Place::At(plan.to)), ..wanted };
    let begun = shared.flow.start_replay(&space, &id, wanted).await?;
    let view = View { estimate: Some(Estimate::of(plan)), ..View::of(begun) };
    Ok(answer::json(StatusCode::CREATED, &view))
}

async fn read(State(shared): State<Arc<Shared>>, path: ReplayPath, headers: HeaderMap) -> Result<Response, Problem> {
    let _place = shared.configuration_room.enter()?;
    let Path((space, id, replay)) = path?;
    let space = space::named(&space)?;
    media::refuse_other_answers(&headers)?;
    let standing = shared.flow.replay(&space, &id, &replay).await?;
    Ok(answer::json(StatusCode::OK, &View::of(standing)))
}

async fn cancel(State(shared): State<Arc<Shared>>, path: ReplayPath, headers: HeaderMap) -> Result<Response, Problem> {
    let _place = shared.configuration_room.enter()?;
    let Path((space, id, replay)) = path?;
    let space = space::named(&space)?;
    media::refuse_other_answers(&headers)?;
    let standing = shared.flow.cancel_replay(&space, &id, &replay).await?;
    Ok(answer::json(StatusCode::OK, &View::of(standing)))
}

impl From<ReplayError> for Problem {
    fn from(error: ReplayError) -> Self {
        let cure = match &error {
            ReplayError::Effects { .. } => "add \"withEffects\": true, where that is what you want",
            error => error.cure(),
        };
        match error {
            ReplayError::Status(error) => error.into(),
            ReplayError::Log(error) => error.into(),
            // It may name files of the server.
            ReplayError::Refused(error @ ReplayRefusal::Log { .. }) => {
                tracing::warn!(error = error_chain(&error), "a replay is not begun");
                Self::unavailable("the log cannot be written at this moment: repeat the request later")
            }
            error => Self::of(error.kind(), &error).cured_by(cure),
        }
    }
}
