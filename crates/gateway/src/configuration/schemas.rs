//! The schemas that an event type ever had: `GET /v1/spaces/{space}/eventtypes/{name}/schemas`, and one of them by its
//! number below that.
//!
//! They are not kept in memory: the log has every change of an event type, under one key.

use std::{collections::BTreeMap, sync::Arc};

use axum::{
    Router,
    extract::{Path, State, rejection::PathRejection},
    response::Response,
    routing::get,
};
use http::StatusCode;
use serde::Serialize;
use serde_json::Value;
use weir_catalog::{CatalogError, ChangeKind, EventType, Resource as Kind, Schema, stored};
use weir_cloudevents::time;
use weir_domain::{Data, Key, Position, SpaceName, Timestamp};
use weir_flow::system_space;
use weir_log::{Filter, Read};

use super::ItemPath;
use crate::{answer, gateway::Shared, problem::Problem, space};

/// The most versions that are listed: the newest.
const LISTED_MAX: usize = 1000;

/// The space, the name of the event type and the number of the schema in the path of a request, as texts.
type VersionPath = Result<Path<(String, String, String)>, PathRejection>;

/// Makes the routes.
pub(super) fn routes() -> Router<Arc<Shared>> {
    Router::new()
        .route("/v1/spaces/{space}/eventtypes/{id}/schemas", get(list))
        .route("/v1/spaces/{space}/eventtypes/{id}/schemas/{version}", get(read))
}

/// One schema as clients see it.
#[derive(Serialize)]
struct View {
    version: u32,
    /// Of the change that brought it.
    position: u64,
    /// When that was, in RFC 3339.
    time: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    schema: Option<Value>,
}

/// A schema that an event type got by a change.
struct Version {
    number: u32,
    position: Position,
    recorded: Timestamp,
    schema: Schema,
}

impl Version {
    fn view(&self, with_schema: bool) -> View {
        View {
            version: self.number,
            position: self.position.get(),
            time: time::format(self.recorded),
            schema: with_schema.then(|| self.schema.document().clone()),
        }
    }
}

async fn list(State(shared): State<Arc<Shared>>, path: ItemPath) -> Result<Response, Problem> {
    let _place = shared.configuration_room.enter()?;
    let Path((space, name)) = path?;
    let mut views: Vec<View> = Vec::new();
    versions(&shared, &space::named(&space)?, name, |found| match found {
        None => views.clear(),
        Some(version) => {
            if views.len() == LISTED_MAX {
                views.remove(0);
            }
            views.push(version.view(false));
        }
    })
    .await?;
    Ok(answer::json(StatusCode::OK, &BTreeMap::from([("schemas", views)])))
}

async fn read(State(shared): State<Arc<Shared>>, path: VersionPath) -> Result<Response, Problem> {
    let _place = shared.configuration_room.enter()?;
    let Path((space, name, number)) = path?;
    let wanted = number.parse::<u32>().ok();
    let mut view = None;
    versions(&shared, &space::named(&space)?, name, |found| match found {
        None => view = None,
        Some(version) if Some(version.number) == wanted => view = Some(version.view(true)),
        Some(_) => {}
    })
    .await?;
    let missing =
        || Problem::new(StatusCode::NOT_FOUND, "the event type has no schema of this number: list what there is");
    Ok(answer::json(StatusCode::OK, &view.ok_or_else(missing)?))
}

/// Tells of every schema of an event type in the order of the log; of nothing where the type went and all begins anew.
async fn versions(
    shared: &Shared,
    space: &SpaceName,
    name: String,
    mut tell: impl FnMut(Option<Version>),
) -> Result<(), Problem> {
    let catalog = shared.flow.catalog();
    let Some(key) = catalog.space_or_empty(space).registered_event_type(&name).and_then(|it| key(space, it)) else {
        return Err(CatalogError::not_found(Kind::EventType, name).into());
    };
    let mut newest = 0;
    let mut read = Read::forward(system_space(), Position::ORIGIN).filter(Filter::Key(key));
    loop {
        let page = shared.log.read(read.clone()).await?;
        for recorded in page.events {
            let Data::Json(data) = recorded.event.data() else { continue };
            let change = stored::decode(recorded.event.event_type(), data);
            match change.map_err(|error| Problem::internal(&error.to_string()))?.kind {
                ChangeKind::EventTypeCreated(it) | ChangeKind::EventTypeUpdated(it) => {
                    if let Some(schema) = it.schema.clone().filter(|_| it.schema_version != newest) {
                        newest = it.schema_version;
                        let (position, recorded) = (recorded.position, recorded.recorded);
                        tell(Some(Version { number: newest, position, recorded, schema }));
                    }
                }
                ChangeKind::EventTypeDeleted(_) => {
                    newest = 0;
                    tell(None);
                }
                _ => {}
            }
        }
        if page.end {
            return Ok(());
        }
        read.from = page.next;
    }
}

/// Changes are kept under what they are about.
fn key(space: &SpaceName, event_type: &EventType) -> Option<Key> {
    Key::new(format!("{space}/{}/{}", stored::EVENT_TYPE_COLLECTION, event_type.name))
}
