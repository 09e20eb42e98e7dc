//! Spaces as things: how much each of them has, and taking one away as a whole.
//!
//! A space is there while it has a resource. Its events are in the log whether it is there or not.

use std::sync::Arc;

use axum::{
    Router,
    extract::{Path, RawQuery, Request, State},
    response::Response,
    routing::get,
};
use http::{HeaderMap, StatusCode};
use serde::Serialize;
use weir_catalog::{CatalogError, Command, Resource, SpaceCatalog, Target};

use super::{
    SpacePath, conditions,
    intent::Intent,
    media,
    paging::{self, Page},
    parameter::flag,
};
use crate::{answer, gateway::Shared, problem::Problem, space};

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

/// Makes the routes.
pub(super) fn routes() -> Router<Arc<Shared>> {
    Router::new().route(LIST_PATH, get(list)).route("/v1/spaces/{space}", get(read).delete(delete))
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
