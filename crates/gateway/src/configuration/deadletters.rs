//! Dead letters: `GET /v1/spaces/{space}/deadletters`, one of them below that, and what is decided about them.
//!
//! | request | does |
//! |---|---|
//! | `GET …/deadletters` | lists them |
//! | `GET …/deadletters/{position}` | shows one with its event and its attempts |
//! | `PATCH …/deadletters/{position}` | gives its event another form |
//! | `POST …/deadletters/{position}/redrive`, `…/discard` | decides about one |
//! | `POST …/deadletters/redrive`, `…/discard` | decides about all of a selection |
//!
//! Who is shown them sees events, so that it takes the right to read these. Answers to changes show nothing of them.

mod input;
mod told;

use std::sync::Arc;

use axum::{
    Extension,
    extract::{Path, RawQuery, Request, State},
    response::Response,
};
use http::{HeaderMap, HeaderValue, StatusCode};
use serde::Serialize;
use serde_json::value::RawValue;
use weir_cloudevents::time;
use weir_domain::{Key, Position, SpaceName};
use weir_flow::{DeadLetter, LetterDecided, LetterDetails, LetterError, LetterPatch, LetterState, LettersDecided};

use super::{ItemPath, SpacePath, media, paging::with_next_at, parameter::short, resource::utf8};
use crate::{answer, auth::Caller, gateway::Shared, headers, problem::Problem, space};
use input::{Chosen, FROM, Query};
pub(super) use told::{TAG, endpoints, schemas};

/// A merge patch (RFC 7396).
const MERGE_PATCH: &str = "application/merge-patch+json";
/// A whole event.
const EVENT: &str = weir_cloudevents::json::CONTENT_TYPE;

/// A dead letter as clients see it. What is absent is not shown.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct View<'a> {
    position: u64,
    time: String,
    state: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    decided_at: Option<u64>,
    subscription_id: &'a str,
    function_id: &'a str,
    event: EventView<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    key: Option<&'a str>,
    held: bool,
    attempts: u64,
    error: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    cause: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    redriven: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    replay_id: Option<&'a str>,
    // Not in lists.
    #[serde(skip_serializing_if = "Option::is_none")]
    cycle: Option<&'a RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    history: Option<&'a RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    original: Option<&'a RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    patched: Option<&'a RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    patched_at: Option<u64>,
}

#[derive(Serialize)]
struct EventView<'a> {
    id: &'a str,
    source: &'a str,
    #[serde(rename = "type")]
    event_type: &'a str,
    position: u64,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ListView<'a> {
    dead_letters: Vec<View<'a>>,
}

/// What was decided about one letter.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct DecidedView {
    position: u64,
    state: &'static str,
    decided_at: u64,
}

/// The form that the event of a letter was given.
#[derive(Serialize)]
struct PatchedView {
    position: u64,
    state: &'static str,
    patch: u32,
}

/// What was decided about several letters.
#[derive(Serialize)]
struct AllDecidedView<'a> {
    state: &'static str,
    count: u64,
    left: u64,
    reasons: Vec<ReasonView<'a>>,
}

/// Why one was left as it is.
#[derive(Serialize)]
struct ReasonView<'a> {
    position: u64,
    message: &'a str,
}

impl<'a> View<'a> {
    fn of(letter: &'a DeadLetter) -> Self {
        let event = &letter.event;
        Self {
            position: letter.position.get(),
            time: time::format(letter.recorded),
            state: letter.state.as_str(),
            decided_at: (letter.state != LetterState::Open).then(|| letter.decided_at.get()),
            subscription_id: &letter.subscription,
            function_id: &letter.function,
            event: EventView {
                id: &event.id,
                source: &event.source,
                event_type: &event.event_type,
                position: event.position.get(),
            },
            key: letter.key.as_ref().map(Key::as_str),
            held: letter.held,
            attempts: letter.attempts,
            error: &letter.error,
            cause: letter.cause.as_deref(),
            status: letter.status,
            redriven: letter.redriven.map(Position::get),
            replay_id: letter.replay.as_deref(),
            cycle: None,
            history: None,
            original: None,
            patched: None,
            patched_at: None,
        }
    }

    fn whole(details: &'a LetterDetails) -> Self {
        let patched = details.patched.as_ref();
        Self {
            cycle: details.cycle.as_deref(),
            history: details.history.as_deref(),
            original: Some(&details.original),
            patched: patched.map(|it| &*it.event),
            patched_at: patched.map(|it| it.position.get()),
            ..Self::of(&details.letter)
        }
    }
}

async fn list(
    State(shared): State<Arc<Shared>>,
    Extension(caller): Extension<Caller>,
    path: SpacePath,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let _place = shared.configuration_room.enter()?;
    let Path(space) = path?;
    let space = space::named(&space)?;
    media::refuse_other_answers(&headers)?;
    let query = query.as_deref().unwrap_or_default();
    let asked = Query::read(query)?.0;
    if let Some(event_type) = &asked.selection.event_type {
        caller.check_reads(&space, std::slice::from_ref(event_type))?;
    }
    let _turn = shared.log_turn().await;
    let page = shared.flow.dead_letters(&space, &asked).await?;
    let seen = page.letters.iter().filter(|it| caller.may_read(&space, &it.event.event_type));
    let response = answer::json(StatusCode::OK, &ListView { dead_letters: seen.map(View::of).collect() });
    let next = page.next.map(|next| next.to_string());
    Ok(with_next_at(response, &format!("/v1/spaces/{space}/deadletters"), query, FROM, next.as_deref()))
}

async fn read(
    State(shared): State<Arc<Shared>>,
    Extension(caller): Extension<Caller>,
    path: ItemPath,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let _place = shared.configuration_room.enter()?;
    let (space, position) = one(path)?;
    media::refuse_other_answers(&headers)?;
    let _turn = shared.log_turn().await;
    let details = shared.flow.dead_letter(&space, position).await?;
    caller.check_reads(&space, std::slice::from_ref(&details.letter.event.event_type))?;
    Ok(answer::json(StatusCode::OK, &View::whole(&details)))
}

async fn patch(State(shared): State<Arc<Shared>>, path: ItemPath, request: Request) -> Result<Response, Problem> {
    let mut place = shared.configuration_room.enter()?;
    let (space, position) = one(path)?;
    media::refuse_other_answers(request.headers())?;
    // JSON that says no more is a merge patch as well.
    let form = media::of_body(request.headers(), &[MERGE_PATCH, EVENT, "application/json"])?;
    let body = shared.read_configuration_body(request.into_body(), &mut place).await?;
    let text = utf8(&body).map_err(|detail| input::wrong_body(&detail))?;
    let given = if form == Some(EVENT) { LetterPatch::Whole(text) } else { LetterPatch::Merge(text) };
    let patched = shared.flow.patch_dead_letter(&space, position, given).await?;
    let view = PatchedView { position: position.get(), state: LetterState::Open.as_str(), patch: patched.number };
    Ok(receipted(answer::json(StatusCode::OK, &view), patched.position))
}

async fn redrive(State(shared): State<Arc<Shared>>, path: ItemPath, request: Request) -> Result<Response, Problem> {
    let mut place = shared.configuration_room.enter()?;
    let (space, position) = one(path)?;
    let body = input::body(&shared, request, &mut place).await?;
    let to = input::redrive(&body)?;
    let decided = shared.flow.redrive_dead_letter(&space, position, to.as_deref()).await?;
    Ok(decision(StatusCode::ACCEPTED, &decided))
}

async fn discard(State(shared): State<Arc<Shared>>, path: ItemPath, request: Request) -> Result<Response, Problem> {
    let mut place = shared.configuration_room.enter()?;
    let (space, position) = one(path)?;
    let body = input::body(&shared, request, &mut place).await?;
    let reason = input::discard(&body)?;
    let decided = shared.flow.discard_dead_letter(&space, position, reason.as_deref()).await?;
    Ok(decision(StatusCode::OK, &decided))
}

async fn redrive_all(
    State(shared): State<Arc<Shared>>,
    path: SpacePath,
    request: Request,
) -> Result<Response, Problem> {
    let mut place = shared.configuration_room.enter()?;
    let Path(space) = path?;
    let space = space::named(&space)?;
    let body = input::body(&shared, request, &mut place).await?;
    let Chosen { selection, to, .. } = Chosen::to_redrive(&body)?;
    drop(body);
    let _turn = shared.log_turn().await;
    let decided = shared.flow.redrive_dead_letters(&space, &selection, to.as_deref()).await?;
    Ok(decisions(StatusCode::ACCEPTED, LetterState::Redriven, &decided))
}

async fn discard_all(
    State(shared): State<Arc<Shared>>,
    path: SpacePath,
    request: Request,
) -> Result<Response, Problem> {
    let mut place = shared.configuration_room.enter()?;
    let Path(space) = path?;
    let space = space::named(&space)?;
    let body = input::body(&shared, request, &mut place).await?;
    let Chosen { selection, reason, .. } = Chosen::to_discard(&body)?;
    drop(body);
    let _turn = shared.log_turn().await;
    let decided = shared.flow.discard_dead_letters(&space, &selection, reason.as_deref()).await?;
    Ok(decisions(StatusCode::OK, LetterState::Discarded, &decided))
}

/// Reads which letter a path names.
fn one(path: ItemPath) -> Result<(SpaceName, Position), Problem> {
    let Path((space, position)) = path?;
    let space = space::named(&space)?;
    let Ok(number) = position.parse::<u64>() else {
        let message = format!("the space has no dead letter at {:?}: name the position of one", short(&position));
        return Err(Problem::new(StatusCode::NOT_FOUND, message));
    };
    Ok((space, Position::new(number)))
}

fn decision(status: StatusCode, decided: &LetterDecided) -> Response {
    let LetterDecided { letter, state, at, is_duplicate } = *decided;
    let view = DecidedView { position: letter.get(), state: state.as_str(), decided_at: at.get() };
    let mut response = receipted(answer::json(status, &view), at);
    if is_duplicate {
        response.headers_mut().insert(&headers::DUPLICATE, HeaderValue::from_static("true"));
    }
    response
}

fn decisions(status: StatusCode, state: LetterState, decided: &LettersDecided) -> Response {
    let LettersDecided { count, last, left, reasons } = decided;
    let reasons = reasons.iter().map(|(position, message)| ReasonView { position: position.get(), message });
    let view = AllDecidedView { state: state.as_str(), count: *count, left: *left, reasons: reasons.collect() };
    let response = answer::json(status, &view);
    if *last == Position::ORIGIN { response } else { receipted(response, *last) }
}

fn receipted(mut response: Response, position: Position) -> Response {
    response.headers_mut().insert(&headers::POSITION, position.get().into());
    response
}

impl From<LetterError> for Problem {
    fn from(error: LetterError) -> Self {
        match error {
            LetterError::Log(error) => error.into(),
            LetterError::Refused(refusal) => refusal.into(),
            LetterError::Event(error) => error.into(),
            other => Self::of(other.kind(), &other),
        }
    }
}
