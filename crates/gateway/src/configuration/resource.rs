//! What all resources have in common: list, create, read, replace and delete, each in one place.
//!
//! A change is in force when its answer is sent, and its answer carries the receipt. Nothing about what is there is decided
//! here: that is done where the change is made, so that nothing comes between.

use std::{borrow::Cow, collections::BTreeMap, sync::Arc};

use axum::{
    extract::{Path, RawQuery, Request, State},
    response::Response,
};
use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use serde::Serialize;
use weir_catalog::{CatalogError, ChangeKind, Command, Detail, Resource as Kind, SpaceCatalog, Target};
use weir_domain::SpaceName;

use super::{
    ItemPath, SpacePath, conditions,
    described::{self, Profile},
    intent::{Done, Intent},
    media,
    paging::{self, Page},
};
use crate::{answer, gateway::Shared, openapi::Endpoint, problem::Problem, query, room::Place, space};

/// In front of a metadata key in the query of a list.
pub(super) const FILTER_PREFIX: &str = "metadata.";

/// One kind of resource: its names on the wire and its way into and out of the catalog.
pub(super) trait Resource: 'static {
    /// What the catalog has.
    type Item: Send + Sync + 'static;
    /// What a client is shown of it.
    type View<'a>: Serialize;

    /// What the catalog calls it.
    const KIND: Kind;
    /// Its part of the path.
    const SEGMENT: &'static str;
    /// The name of the list in an answer.
    const LIST: &'static str;
    /// What people and programs are told of it.
    const PROFILE: Profile;

    /// Returns all that a space has, in order.
    fn all(present: &SpaceCatalog) -> impl Iterator<Item = &Arc<Self::Item>>;

    /// Finds one.
    fn find<'c>(present: &'c SpaceCatalog, id: &str) -> Option<&'c Arc<Self::Item>>;

    /// Makes the identifier of what the path names, which is percent-decoded.
    fn id(in_path: String) -> String {
        in_path
    }

    /// Returns the name or identifier, by which lists are ordered.
    fn name(item: &Self::Item) -> &str;

    /// Returns the metadata, by which lists are filtered.
    fn metadata(item: &Self::Item) -> &BTreeMap<String, String>;

    /// Shows one to a client.
    fn view<'a>(space: &'a str, item: &'a Self::Item) -> Self::View<'a>;

    /// Reads the command to create one from the JSON text of a client.
    fn create(text: &str, space: &str) -> Result<(SpaceName, Command), CatalogError>;

    /// Reads the command to replace the one of this identifier.
    fn replace(text: &str, space: &str, id: String) -> Result<(SpaceName, Command), CatalogError>;

    /// Makes the command to delete one.
    fn delete(id: String) -> Command;

    /// Takes what was created or replaced out of a change.
    fn changed(kind: &ChangeKind) -> Option<&Arc<Self::Item>>;
}

/// Makes the routes of a resource.
pub(super) fn endpoints<R: Resource>() -> Vec<Endpoint> {
    let list_path = format!("/v1/spaces/{{space}}/{}", R::SEGMENT);
    let item_path = format!("{list_path}/{{id}}");
    vec![
        Endpoint::get(&*list_path, list::<R>, described::list::<R>),
        Endpoint::post(&*list_path, create::<R>, described::create::<R>),
        Endpoint::get(&*item_path, read::<R>, described::read::<R>),
        Endpoint::put(&*item_path, replace::<R>, described::replace::<R>),
        Endpoint::delete(&*item_path, delete::<R>, described::delete::<R>),
    ]
}

async fn list<R: Resource>(
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
    let (page, filters) = (Page::read(query)?, filters(query));
    let state = shared.flow.configuration();
    conditions::answered(&headers, state.position(), || {
        let all = R::all(state.catalog().space_or_empty(&space));
        let wanted = all.filter(|item| matches(R::metadata(item), &filters));
        let (response, next) = page.write(R::LIST, wanted, |item| R::name(item), |item| R::view(space.as_str(), item));
        paging::with_next(response, &format!("/v1/spaces/{space}/{}", R::SEGMENT), query, next)
    })
}

/// Of a key that comes twice the first value counts.
fn filters(query: &str) -> BTreeMap<Cow<'_, str>, Cow<'_, str>> {
    let mut filters = BTreeMap::new();
    for (name, value) in query::pairs(query) {
        if name.starts_with(FILTER_PREFIX) {
            filters.entry(name).or_insert(value);
        }
    }
    filters
}

fn matches(metadata: &BTreeMap<String, String>, filters: &BTreeMap<Cow<'_, str>, Cow<'_, str>>) -> bool {
    filters.iter().all(|(name, value)| metadata.get(&name[FILTER_PREFIX.len()..]).is_some_and(|given| given == value))
}

async fn create<R: Resource>(
    State(shared): State<Arc<Shared>>,
    path: SpacePath,
    request: Request,
) -> Result<Response, Problem> {
    let mut place = shared.configuration_room.enter()?;
    let Path(space) = path?;
    space::refuse_reserved(&space)?;
    let intent = Intent::with_body(&request)?;
    let body = read_body(&shared, request, &mut place).await?;
    let (space, command) = R::create(text::<R>(&body)?, &space)?;
    drop(body);
    let done = intent.carry_out(&shared.flow, &space, command).await?;
    made::<R>(StatusCode::CREATED, &space, &done)
}

async fn read<R: Resource>(
    State(shared): State<Arc<Shared>>,
    path: ItemPath,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let _place = shared.configuration_room.enter()?;
    let Path((space, id)) = path?;
    let (space, id) = (space::named(&space)?, R::id(id));
    media::refuse_other_answers(&headers)?;
    let state = shared.flow.configuration();
    let found = R::find(state.catalog().space_or_empty(&space), &id);
    let version = state.version(&space, Target::Item(R::KIND, &id));
    let (Some(item), Some(version)) = (found, version) else {
        return Err(CatalogError::not_found(R::KIND, id).into());
    };
    conditions::answered(&headers, version, || answer::json(StatusCode::OK, &R::view(space.as_str(), item)))
}

async fn replace<R: Resource>(
    State(shared): State<Arc<Shared>>,
    path: ItemPath,
    request: Request,
) -> Result<Response, Problem> {
    let mut place = shared.configuration_room.enter()?;
    let Path((space, id)) = path?;
    space::refuse_reserved(&space)?;
    let intent = Intent::with_body(&request)?;
    let body = read_body(&shared, request, &mut place).await?;
    let (space, command) = R::replace(text::<R>(&body)?, &space, R::id(id))?;
    drop(body);
    let done = intent.carry_out(&shared.flow, &space, command).await?;
    made::<R>(StatusCode::OK, &space, &done)
}

async fn delete<R: Resource>(
    State(shared): State<Arc<Shared>>,
    path: ItemPath,
    request: Request,
) -> Result<Response, Problem> {
    let _place = shared.configuration_room.enter()?;
    let Path((space, id)) = path?;
    let space = space::named(&space)?;
    let intent = Intent::of(&request)?;
    let done = intent.carry_out(&shared.flow, &space, R::delete(R::id(id))).await?;
    Ok(done.receipted(answer::empty(StatusCode::NO_CONTENT)))
}

async fn read_body(shared: &Shared, request: Request, place: &mut Place<'_>) -> Result<Bytes, Problem> {
    shared.read_configuration_body(request.into_body(), place).await
}

fn text<R: Resource>(body: &Bytes) -> Result<&str, CatalogError> {
    utf8(body).map_err(|detail| CatalogError::invalid(R::KIND, detail))
}

/// Reads a body as text.
///
/// # Errors
/// Where it is none.
pub(super) fn utf8(body: &Bytes) -> Result<&str, Detail> {
    str::from_utf8(body).map_err(|error| {
        let message = format!("the body is not UTF-8 at byte {}", error.valid_up_to());
        Detail::new(message, "send JSON in UTF-8")
    })
}

/// Answers with what a change made.
///
/// # Errors
/// Where the change is about something else, which is a mistake of ours.
pub(super) fn made<R: Resource>(status: StatusCode, space: &SpaceName, done: &Done) -> Result<Response, Problem> {
    let Some(item) = R::changed(&done.change.kind) else {
        return Err(Problem::internal("a change of the catalog is another one than was asked for"));
    };
    Ok(done.tagged(answer::json(status, &R::view(space.as_str(), item))))
}

/// Tells whether a map need not be shown.
pub(super) fn is_empty(map: &&BTreeMap<String, String>) -> bool {
    map.is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_filtered_by_metadata() {
        let metadata = |list: &[(&str, &str)]| -> BTreeMap<String, String> {
            list.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
        };
        let both = metadata(&[("env", "prod"), ("team", "a b")]);
        let check = |query: &str, expected: bool| assert_eq!(matches(&both, &filters(query)), expected, "{query}");
        check("", true);
        check("other=1&limit=2", true);
        check("metadata.env=prod", true);
        check("metadata.env=dev", false);
        check("metadata.env=prod&metadata.team=a+b", true);
        check("metadata.env=prod&metadata.team=b", false);
        check("metadata.env=prod&metadata.env=dev", true);
        check("metadata.env=dev&metadata.env=prod", false);
        check("metadata.absent=", false);
    }
}
