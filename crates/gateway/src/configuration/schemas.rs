//! The schemas that an event type ever had: `GET /v1/spaces/{space}/eventtypes/{name}/schemas`, and one of them by its
//! number below that.
//!
//! They are not kept in memory: the log has every change of an event type, under one key. It is read from its end, and no
//! further than needed.

use std::{
    collections::{BTreeMap, VecDeque},
    ops::ControlFlow,
    sync::Arc,
};

use axum::{
    extract::{Path, State, rejection::PathRejection},
    response::Response,
};
use http::StatusCode;
use serde::Serialize;
use serde_json::{Value, json};
use weir_catalog::{CatalogError, ChangeKind, EventType, EventTypeName, Resource as Kind, Schema, stored};
use weir_cloudevents::time;
use weir_domain::{Data, Key, Position, SpaceName, Timestamp};
use weir_flow::system_space;
use weir_log::{Filter, Read};

use super::{
    ItemPath,
    described::{AT_THE_DOOR, SPACE_NAME},
    event_types::EventTypes,
    resource::Resource,
};
use crate::{
    answer,
    gateway::Shared,
    openapi::{self, Answer, Endpoint, Member, Operation},
    problem::Problem,
    space,
};

/// The most versions that are listed: the newest.
const LISTED_MAX: usize = 1000;

/// The space, the name of the event type and the number of the schema in the path of a request, as texts.
type VersionPath = Result<Path<(String, String, String)>, PathRejection>;

/// The names of the schemas in the OpenAPI document.
const SCHEMA: &str = "SchemaVersion";
const LIST_SCHEMA: &str = "SchemaVersionList";

/// What is told of a [`View`].
const MEMBERS: &[Member] = &[
    Member::new("version", || openapi::number("Its number, from 1.", 1, u32::MAX.into())),
    Member::new(
        "position",
        || json!({ "type": "integer", "description": "The position of the change that brought it.", "minimum": 0 }),
    ),
    Member::new(
        "time",
        || json!({ "type": "string", "description": "When that was, by RFC 3339.", "format": "date-time" }),
    ),
    Member::new("schema", || {
        let about = "The JSON Schema itself; not in lists.";
        json!({ "type": ["object", "boolean"], "description": about })
    }),
];

/// Makes the routes.
pub(super) fn endpoints() -> Vec<Endpoint> {
    vec![
        Endpoint::get("/v1/spaces/{space}/eventtypes/{id}/schemas", list, told_of_list),
        Endpoint::get("/v1/spaces/{space}/eventtypes/{id}/schemas/{version}", read, told_of_read),
    ]
}

/// Tells what the schemas are.
pub(super) fn schemas() -> Vec<(String, Value)> {
    let list = json!({
        "type": "object",
        "description": format!("The last {LISTED_MAX} schemas that the event type had, the oldest first."),
        "properties": {
            "schemas": {
                "type": "array",
                "description": "In the order of their numbers.",
                "items": openapi::reference(SCHEMA),
                "maxItems": LISTED_MAX,
            },
        },
        "required": ["schemas"],
    });
    let one = openapi::object("A schema that an event type had.", MEMBERS, &["version", "position", "time"]);
    vec![(SCHEMA.to_owned(), one), (LIST_SCHEMA.to_owned(), list)]
}

fn told_of_list() -> Operation {
    let example = json!({ "schemas": [{ "version": 1, "position": 7, "time": "2026-01-31T12:00:00Z" }] });
    let schema = openapi::reference(LIST_SCHEMA);
    Operation::new("listEventTypeSchemas", EventTypes::PROFILE.tag, "List the schemas that an event type had")
        .about("They are read from the log. What was before the type was made belongs to another one of the same name.")
        .shared(&[SPACE_NAME])
        .parameter(openapi::parameter("path", &name()))
        .answer("200", Answer::new("Their numbers.").example("application/json", schema, example))
        .problems(&[400, 404, 500])
        .problems(&AT_THE_DOOR)
}

fn told_of_read() -> Operation {
    let example = json!({
        "version": 1,
        "position": 7,
        "time": "2026-01-31T12:00:00Z",
        "schema": { "type": "object", "required": ["parcel"] },
    });
    let version = Member::new("version", || openapi::number("The number of the schema.", 1, u32::MAX.into()));
    let schema = openapi::reference(SCHEMA);
    Operation::new("getEventTypeSchema", EventTypes::PROFILE.tag, "Read a schema that an event type had")
        .shared(&[SPACE_NAME])
        .parameter(openapi::parameter("path", &name()))
        .parameter(openapi::parameter("path", &version))
        .answer("200", Answer::new("The schema.").example("application/json", schema, example))
        .problems(&[400, 404, 500])
        .problems(&AT_THE_DOOR)
}

fn name() -> Member {
    Member::new("id", || openapi::text("The name of the event type.", EventTypeName::BYTES_MAX))
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
    let mut views: VecDeque<View> = VecDeque::new();
    newest_first(&shared, &space::named(&space)?, name, |version| {
        views.push_front(version.view(false));
        if views.len() < LISTED_MAX { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    })
    .await?;
    Ok(answer::json(StatusCode::OK, &BTreeMap::from([("schemas", views)])))
}

async fn read(State(shared): State<Arc<Shared>>, path: VersionPath) -> Result<Response, Problem> {
    let _place = shared.configuration_room.enter()?;
    let Path((space, name, number)) = path?;
    let wanted = number.parse::<u32>().unwrap_or_default();
    let mut view = None;
    newest_first(&shared, &space::named(&space)?, name, |version| {
        view = (version.number == wanted).then(|| version.view(true));
        if version.number > wanted { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    })
    .await?;
    let missing =
        || Problem::new(StatusCode::NOT_FOUND, "the event type has no schema of this number: list what there is");
    Ok(answer::json(StatusCode::OK, &view.ok_or_else(missing)?))
}

/// Tells of the schemas of an event type, the newest first, until that is enough or the type was made: what was before it
/// belongs to another type of the same name.
async fn newest_first(
    shared: &Shared,
    space: &SpaceName,
    name: String,
    mut tell: impl FnMut(Version) -> ControlFlow<()>,
) -> Result<(), Problem> {
    let catalog = shared.flow.catalog();
    let Some(key) = catalog.space_or_empty(space).registered_event_type(&name).and_then(|it| key(space, it)) else {
        return Err(CatalogError::not_found(Kind::EventType, name).into());
    };
    let end = *shared.log.durable_end().borrow();
    let mut read = Read::backward(system_space(), end).filter(Filter::Key(key));
    // What is known of a schema whose beginning may still be to come.
    let mut open: Option<Version> = None;
    let _turn = shared.log_turn().await;
    loop {
        let page = shared.log.read(read.clone()).await?;
        for recorded in page.events {
            let Data::Json(data) = recorded.event.data() else { continue };
            let change = stored::decode(recorded.event.event_type(), data);
            let (it, is_made) = match change.map_err(|error| Problem::internal(&error.to_string()))?.kind {
                ChangeKind::EventTypeCreated(it) => (it, true),
                ChangeKind::EventTypeUpdated(it) => (it, false),
                _ => continue,
            };
            if let Some(schema) = it.schema.clone() {
                let number = it.schema_version;
                let version = Version { number, position: recorded.position, recorded: recorded.recorded, schema };
                let before = open.replace(version).filter(|before| before.number != number);
                if before.is_some_and(|before| tell(before).is_break()) {
                    return Ok(());
                }
            }
            if is_made {
                open.map(tell);
                return Ok(());
            }
        }
        if page.end {
            open.map(tell);
            return Ok(());
        }
        read.from = page.next;
    }
}

/// Changes are kept under what they are about.
fn key(space: &SpaceName, event_type: &EventType) -> Option<Key> {
    Key::new(format!("{space}/{}/{}", stored::EVENT_TYPE_COLLECTION, event_type.name))
}
