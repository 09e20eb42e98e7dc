//! Spaces as things: how much each of them has, and taking one away as a whole.
//!
//! A space is there while it has a resource. Its events are in the log whether it is there or not.

use std::sync::Arc;

use axum::{
    extract::{Path, RawQuery, Request, State},
    response::Response,
};
use http::{HeaderMap, StatusCode};
use serde::Serialize;
use serde_json::{Value, json};
use weir_catalog::{CatalogError, Command, Resource, SpaceCatalog, Target};

use super::{
    SpacePath, conditions,
    described::{self, AT_THE_DOOR, SPACE_NAME},
    intent::{DRY_RUN_NAME, Intent},
    media,
    paging::{self, Page},
    parameter::flag,
};
use crate::{
    answer,
    gateway::Shared,
    openapi::{self, Answer, Endpoint, Member, Operation},
    problem::Problem,
    space,
};

const LIST_PATH: &str = "/v1/spaces";

/// Where true, a space is deleted with everything that it has.
const FORCE: &str = "force";

/// A space as clients see it: how many resources of each kind it has.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct View<'a> {
    space: &'a str,
    event_types: usize,
    functions: usize,
    subscriptions: usize,
    cors: usize,
}

impl<'a> View<'a> {
    fn of(space: &'a str, present: &SpaceCatalog) -> Self {
        Self {
            space,
            event_types: present.count(Resource::EventType),
            functions: present.count(Resource::Function),
            subscriptions: present.count(Resource::Subscription),
            cors: present.count(Resource::Cors),
        }
    }
}

/// The group of operations.
const TAG: &str = "Spaces";
/// The names of the schemas in the OpenAPI document.
const SCHEMA: &str = "Space";
const LIST_SCHEMA: &str = "SpaceList";

/// What is told of a [`View`].
const MEMBERS: &[Member] = &[
    Member::new("space", || openapi::space("Its name.")),
    Member::new("eventTypes", || count("How many event types it has.")),
    Member::new("functions", || count("How many functions it has.")),
    Member::new("subscriptions", || count("How many subscriptions it has.")),
    Member::new("cors", || count("How many CORS configurations it has.")),
];

fn count(about: &str) -> Value {
    json!({ "type": "integer", "description": about, "minimum": 0 })
}

/// Makes the routes.
pub(super) fn endpoints() -> Vec<Endpoint> {
    const ONE: &str = "/v1/spaces/{space}";
    vec![
        Endpoint::get(LIST_PATH, list, told_of_list),
        Endpoint::get(ONE, read, told_of_read),
        Endpoint::delete(ONE, delete, told_of_delete),
    ]
}

/// Tells what the schemas are.
pub(super) fn schemas() -> Vec<(String, Value)> {
    let about = "The spaces that have anything, in the order of their names.";
    let list = described::list_schema("spaces", SCHEMA, about);
    let members = ["space", "eventTypes", "functions", "subscriptions", "cors"];
    let one = openapi::object("A space, by how much it has.", MEMBERS, &members);
    vec![(SCHEMA.to_owned(), one), (LIST_SCHEMA.to_owned(), list)]
}

fn example() -> Value {
    json!({ "space": "default", "eventTypes": 2, "functions": 2, "subscriptions": 1, "cors": 0 })
}

fn told_of_list() -> Operation {
    let answer = Answer::new("All spaces, or a page of them.").example(
        "application/json",
        openapi::reference(LIST_SCHEMA),
        json!({ "spaces": [example()] }),
    );
    let operation = Operation::new("listSpaces", TAG, "List the spaces")
        .about("A space is there while it has an event type, a function, a subscription or a CORS configuration.");
    described::listing(operation, answer)
}

fn told_of_read() -> Operation {
    let answer = Answer::new("How much it has.").header(&openapi::ETAG).example(
        "application/json",
        openapi::reference(SCHEMA),
        example(),
    );
    Operation::new("getSpace", TAG, "Read a space")
        .shared(&[SPACE_NAME, conditions::IF_MATCH_NAME, conditions::IF_NONE_MATCH_NAME])
        .answer("200", answer)
        .answer("304", described::not_modified())
        .problems(&[400, 404, 406, 412])
        .problems(&AT_THE_DOOR)
}

fn told_of_delete() -> Operation {
    let force = Member::new(FORCE, || openapi::flag("Where true, it is deleted with everything that it has."));
    Operation::new("deleteSpace", TAG, "Delete a space")
        .about("Its events stay in the log. Without `force` it is refused with 400 while the space has anything.")
        .shared(&[SPACE_NAME])
        .parameter(openapi::parameter("query", &force))
        .shared(&[DRY_RUN_NAME, conditions::IF_MATCH_NAME, conditions::IF_NONE_MATCH_NAME])
        .answer("204", Answer::new("It is gone, in one change.").optional_header(&openapi::POSITION))
        .problems(&[400, 404, 412, 500])
        .problems(&AT_THE_DOOR)
}

async fn list(
    State(shared): State<Arc<Shared>>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let _place = shared.configuration_room.enter()?;
    media::refuse_other_answers(&headers)?;
    let query = query.as_deref().unwrap_or_default();
    let page = Page::read(query)?;
    let state = shared.flow.configuration();
    conditions::answered(&headers, state.position(), || {
        let all = state.catalog().spaces();
        let (response, next) =
            page.write("spaces", all, |(name, _)| name.as_str(), |(name, present)| View::of(name.as_str(), present));
        paging::with_next(response, LIST_PATH, query, next)
    })
}

async fn read(State(shared): State<Arc<Shared>>, path: SpacePath, headers: HeaderMap) -> Result<Response, Problem> {
    let _place = shared.configuration_room.enter()?;
    let Path(space) = path?;
    let space = space::named(&space)?;
    media::refuse_other_answers(&headers)?;
    let state = shared.flow.configuration();
    let (Some(present), Some(version)) = (state.catalog().space(&space), state.version(&space, Target::Space)) else {
        return Err(CatalogError::SpaceNotFound { space: space.to_string() }.into());
    };
    conditions::answered(&headers, version, || answer::json(StatusCode::OK, &View::of(space.as_str(), present)))
}

async fn delete(State(shared): State<Arc<Shared>>, path: SpacePath, request: Request) -> Result<Response, Problem> {
    let _place = shared.configuration_room.enter()?;
    let Path(space) = path?;
    let space = space::named(&space)?;
    let intent = Intent::of(&request)?;
    let force = flag(request.uri().query().unwrap_or_default(), FORCE)?;
    let done = intent.carry_out(&shared.flow, &space, Command::DeleteSpace { force }).await?;
    Ok(done.receipted(answer::empty(StatusCode::NO_CONTENT)))
}
