//! What all resources have in common: list, create, read, replace and delete, each in one place.
//!
//! A change is in force when its answer is sent, and its answer carries the receipt.

use std::{borrow::Cow, collections::BTreeMap, sync::Arc};

use axum::{
    Router,
    extract::{Path, RawQuery, Request, State},
    response::Response,
    routing::get,
};
use bytes::Bytes;
use http::StatusCode;
use serde::Serialize;
use weir_catalog::{CatalogError, ChangeKind, Command, Detail, Resource as Kind, SpaceCatalog};
use weir_domain::SpaceName;
use weir_flow::Changed;

use super::{ItemPath, SpacePath};
use crate::{answer, gateway::Shared, headers, problem::Problem, query, room::Place, space};

/// In front of a metadata key in the query of a list.
const FILTER_PREFIX: &str = "metadata.";

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

    /// Returns all that a space has, in order.
    fn all(present: &SpaceCatalog) -> impl Iterator<Item = &Arc<Self::Item>>;

    /// Finds one.
    fn find<'c>(present: &'c SpaceCatalog, id: &str) -> Option<&'c Arc<Self::Item>>;

    /// Makes the identifier of what the path names, which is percent-decoded.
    fn id(in_path: String) -> String {
        in_path
    }

    /// Returns the metadata, by which lists are filtered.
    fn metadata(item: &Self::Item) -> &BTreeMap<String, String>;

    /// Shows one to a client.
    fn view<'a>(space: &'a str, item: &'a Self::Item) -> Self::View<'a>;

    /// Reads the command to create one from the JSON text of a client.
    fn create(text: &str, space: &str) -> Result<(SpaceName, Command), CatalogError>;

    /// Reads the command to replace the one of this identifier, which is here as far as it exists.
    fn replace(
        text: &str,
        space: &str,
        id: String,
        present: Option<&Self::Item>,
    ) -> Result<(SpaceName, Command), CatalogError>;

    /// Makes the command to delete one.
    fn delete(id: String) -> Command;

    /// Takes what was created or replaced out of a change.
    fn changed(kind: &ChangeKind) -> Option<&Arc<Self::Item>>;
}

/// Makes the routes of a resource.
pub(super) fn routes<R: Resource>() -> Router<Arc<Shared>> {
    let list_path = format!("/v1/spaces/{{space}}/{}", R::SEGMENT);
    let item_path = format!("{list_path}/{{id}}");
    Router::new()
        .route(&list_path, get(list::<R>).post(create::<R>))
        .route(&item_path, get(read::<R>).put(replace::<R>).delete(delete::<R>))
}

async fn list<R: Resource>(
    State(shared): State<Arc<Shared>>,
    path: SpacePath,
    RawQuery(query): RawQuery,
) -> Result<Response, Problem> {
    let _place = shared.configuration_room.enter()?;
    let Path(space) = path?;
    let space = space::named(&space)?;
    let filters = filters(query.as_deref().unwrap_or_default());
    let catalog = shared.flow.catalog();
    let views: Vec<R::View<'_>> = R::all(catalog.space_or_empty(&space))
        .filter(|item| matches(R::metadata(item), &filters))
        .map(|item| R::view(space.as_str(), item))
        .collect();
    Ok(answer::json(StatusCode::OK, &BTreeMap::from([(R::LIST, views)])))
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
    let body = read_body(&shared, request, &mut place).await?;
    let (space, command) = R::create(text::<R>(&body)?, &space)?;
    drop(body);
    let changed = shared.flow.change(&space, command).await?;
    made::<R>(StatusCode::CREATED, &space, &changed)
}

async fn read<R: Resource>(State(shared): State<Arc<Shared>>, path: ItemPath) -> Result<Response, Problem> {
    let _place = shared.configuration_room.enter()?;
    let Path((space, id)) = path?;
    let (space, id) = (space::named(&space)?, R::id(id));
    let catalog = shared.flow.catalog();
    match R::find(catalog.space_or_empty(&space), &id) {
        Some(item) => Ok(answer::json(StatusCode::OK, &R::view(space.as_str(), item))),
        None => Err(CatalogError::not_found(R::KIND, id).into()),
    }
}

async fn replace<R: Resource>(
    State(shared): State<Arc<Shared>>,
    path: ItemPath,
    request: Request,
) -> Result<Response, Problem> {
    let mut place = shared.configuration_room.enter()?;
    let Path((space, id)) = path?;
    let id = R::id(id);
    space::refuse_reserved(&space)?;
    let body = read_body(&shared, request, &mut place).await?;
    let (space, command) = {
        let catalog = shared.flow.catalog();
        let name = SpaceName::new(&space).ok();
        let present = name.as_ref().and_then(|name| R::find(catalog.space_or_empty(name), &id));
        R::replace(text::<R>(&body)?, &space, id, present.map(|item| &**item))?
    };
    drop(body);
    let changed = shared.flow.change(&space, command).await?;
    made::<R>(StatusCode::OK, &space, &changed)
}

async fn delete<R: Resource>(State(shared): State<Arc<Shared>>, path: ItemPath) -> Result<Response, Problem> {
    let _place = shared.configuration_room.enter()?;
    let Path((space, id)) = path?;
    let space = space::named(&space)?;
    let changed = shared.flow.change(&space, R::delete(R::id(id))).await?;
    Ok(with_receipt(answer::empty(StatusCode::NO_CONTENT), &changed))
}

async fn read_body(shared: &Shared, request: Request, place: &mut Place<'_>) -> Result<Bytes, Problem> {
    shared.read_configuration_body(request.into_body(), place).await
}

fn text<R: Resource>(body: &Bytes) -> Result<&str, CatalogError> {
    str::from_utf8(body).map_err(|error| {
        let message = format!("the body is not UTF-8 at byte {}", error.valid_up_to());
        CatalogError::invalid(R::KIND, Detail::new(message, "send JSON in UTF-8"))
    })
}

fn made<R: Resource>(status: StatusCode, space: &SpaceName, changed: &Changed) -> Result<Response, Problem> {
    let Some(item) = R::changed(&changed.change.kind) else {
        return Err(Problem::internal("a change of the catalog is another one than was asked for"));
    };
    Ok(with_receipt(answer::json(status, &R::view(space.as_str(), item)), changed))
}

fn with_receipt(mut response: Response, changed: &Changed) -> Response {
    response.headers_mut().insert(&headers::POSITION, changed.position.get().into());
    response
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
