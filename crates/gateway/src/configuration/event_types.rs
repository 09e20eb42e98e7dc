//! Event types on the wire.

use std::{collections::BTreeMap, sync::Arc};

use serde::Serialize;
use serde_json::{Value, json};
use weir_catalog::{
    CatalogError, ChangeKind, Command, Detail, EventType, EventTypeName, OnInvalid, Resource as Kind, Schema,
    SpaceCatalog, draft::EventTypeDraft, limits,
};
use weir_domain::SpaceName;

use super::{
    described::Profile,
    fields::Fields,
    resource::{Resource, is_empty},
};
use crate::openapi::{self, Member};

/// What a client may write, and is shown again.
const MEMBERS: &[Member] = &[
    Member::new("name", || {
        let about =
            "The CloudEvents `type` of its events. It must not begin with `weir.`, and has no control characters.";
        openapi::text(about, EventTypeName::BYTES_MAX)
    }),
    Member::new("key", || {
        let about = "What order is kept by: `/data/…` is a place in the JSON data (JSON Pointer, RFC 6901), `/subject` or \
                     `/partitionkey` an attribute. Without it `partitionkey`, else `subject`.";
        json!({ "type": "string", "description": about, "pattern": "^(/.*)?$" })
    }),
    Member::new("description", || openapi::text("For people.", limits::DESCRIPTION_BYTES_MAX)),
    Member::new("authorizerId", || {
        let about =
            "A function of the space that allows or denies each event. It cannot be deleted while it is named here.";
        openapi::text(about, 256)
    }),
    Member::new("authorizerCacheMs", || {
        let about = "For how many milliseconds what the authorizer allowed holds for the same sender; 0 is never.";
        openapi::number(about, 0, limits::AUTHORIZER_CACHE_MS_MAX.into())
    }),
    Member::new("schema", || {
        let about = "The JSON Schema of the data, 2020-12 or draft-07: one document, which refers to nothing outside.";
        json!({ "type": ["object", "boolean"], "description": about })
    }),
    Member::new("onInvalid", || {
        let about = "What becomes of an event whose data break the schema: it is refused, which is the default, or kept in \
                     quarantine.";
        openapi::word(about, OnInvalid::ALL.map(OnInvalid::as_str))
    }),
    Member::new("metadata", || openapi::texts("Texts of its owner by name; lists can be filtered by them.")),
];

/// What a client is shown beside it.
const SHOWN: &[Member] = &[
    Member::new("space", || openapi::space("The space.")),
    Member::new("schemaVersion", || {
        let about =
            "The number of the schema that is shown. Each one that differs from the one before gets the next number.";
        openapi::number(about, 0, u32::MAX.into())
    }),
];

fn given() -> Value {
    json!({
        "name": "parcel.arrived",
        "key": "/data/parcel",
        "description": "a parcel is at its place",
        "metadata": { "team": "depot" },
    })
}

fn shown() -> Value {
    let mut shown = given();
    shown["space"] = json!("default");
    shown
}

fn schemas() -> Vec<(String, Value)> {
    let about = "What an event type is to be.";
    let input = openapi::object(about, MEMBERS, &[]);
    let output = openapi::object("An event type.", SHOWN.iter().chain(MEMBERS), &["space", "name"]);
    vec![("EventTypeInput".to_owned(), input), ("EventType".to_owned(), output)]
}

/// The resource `eventtypes`.
pub(super) struct EventTypes;

/// An event type as clients see it.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct View<'a> {
    space: &'a str,
    name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    key: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    authorizer_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    authorizer_cache_ms: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    schema: Option<&'a Value>,
    /// Of the schema that is shown.
    #[serde(skip_serializing_if = "Option::is_none")]
    schema_version: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    on_invalid: Option<&'a str>,
    #[serde(skip_serializing_if = "is_empty")]
    metadata: &'a BTreeMap<String, String>,
}

impl Resource for EventTypes {
    type Item = EventType;
    type View<'a> = View<'a>;

    const KIND: Kind = Kind::EventType;
    const SEGMENT: &'static str = "eventtypes";
    const LIST: &'static str = "eventTypes";
    const PROFILE: Profile = Profile {
        name: "EventType",
        names: "EventTypes",
        tag: "Event types",
        one: "an event type",
        many: "event types",
        id: || openapi::text("The name of the event type.", EventTypeName::BYTES_MAX),
        needed: &["name"],
        creating: "Events of a type are taken only when it is registered in their space.",
        replacing: "The name in the path counts. What the body leaves out has its default again. Another schema gets the \
                    next number.",
        deleting: "Refused with 400 while something subscribes to it. Its events stay in the log.",
        given,
        shown,
        schemas,
    };

    fn all(present: &SpaceCatalog) -> impl Iterator<Item = &Arc<EventType>> {
        present.event_types()
    }

    fn find<'c>(present: &'c SpaceCatalog, id: &str) -> Option<&'c Arc<EventType>> {
        present.registered_event_type(id)
    }

    fn name(item: &EventType) -> &str {
        item.name.as_str()
    }

    fn metadata(item: &EventType) -> &BTreeMap<String, String> {
        &item.metadata
    }

    fn view<'a>(space: &'a str, item: &'a EventType) -> View<'a> {
        View {
            space,
            name: item.name.as_str(),
            key: item.key.to_text(),
            description: item.description.as_deref(),
            authorizer_id: item.authorizer.as_ref().map(|id| id.as_str()),
            authorizer_cache_ms: Some(item.authorizer_cache_ms).filter(|milliseconds| *milliseconds > 0),
            schema: item.schema.as_ref().map(Schema::document),
            schema_version: item.schema.is_some().then_some(item.schema_version),
            // Clients of the Event Gateway see what they know, unless somebody asked for more.
            on_invalid: (item.schema.is_some() || item.on_invalid != OnInvalid::default())
                .then_some(item.on_invalid.as_str()),
            metadata: &item.metadata,
        }
    }

    fn create(text: &str, space: &str) -> Result<(SpaceName, Command), CatalogError> {
        let (space, event_type) = draft(text, None).map_err(invalid)?.check(space)?;
        Ok((space, Command::CreateEventType(event_type)))
    }

    fn replace(text: &str, space: &str, id: String) -> Result<(SpaceName, Command), CatalogError> {
        let (space, event_type) = draft(text, Some(id)).map_err(invalid)?.check(space)?;
        Ok((space, Command::UpdateEventType(event_type)))
    }

    fn delete(id: String) -> Command {
        Command::DeleteEventType(id)
    }

    fn changed(kind: &ChangeKind) -> Option<&Arc<EventType>> {
        match kind {
            ChangeKind::EventTypeCreated(item) | ChangeKind::EventTypeUpdated(item) => Some(item),
            _ => None,
        }
    }
}

fn invalid(detail: Detail) -> CatalogError {
    CatalogError::invalid(Kind::EventType, detail)
}

/// Reads what a client wrote; a name from the path stands above the one in the body.
fn draft(text: &str, name: Option<String>) -> Result<EventTypeDraft, Detail> {
    let mut fields = Fields::read(text, "", MEMBERS)?;
    let given = fields.text("name")?;
    Ok(EventTypeDraft {
        name: name.unwrap_or(given),
        key: fields.optional("key")?,
        description: fields.optional("description")?,
        authorizer: fields.optional("authorizerId")?,
        authorizer_cache_ms: fields.take("authorizerCacheMs")?.unwrap_or_default(),
        schema: fields.take("schema")?,
        on_invalid: fields.optional("onInvalid")?,
        metadata: fields.map("metadata")?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::configuration::fields::check_taken;

    #[test]
    fn every_member_that_is_told_of_is_read() {
        // A schema is any JSON, which is looked at later.
        let others = MEMBERS.iter().filter(|member| member.name != "schema");
        check_taken(others, |text| draft(text, None).is_err());
    }

    fn create(text: &str) -> Result<Value, String> {
        let (space, command) = EventTypes::create(text, "shop").map_err(|error| error.to_string())?;
        let Command::CreateEventType(item) = command else { panic!("another command") };
        Ok(serde_json::to_value(EventTypes::view(space.as_str(), &item)).expect("JSON"))
    }

    #[test]
    fn all_fields_come_back() {
        let whole = json!({
            "space": "shop",
            "name": "order.placed",
            "key": "/data/id",
            "description": "somebody bought something",
            "authorizerId": "guard",
            "authorizerCacheMs": 5000,
            "metadata": { "team": "a" },
        });
        assert_eq!(create(&whole.to_string()), Ok(whole));
        let checked = json!({
            "space": "shop",
            "name": "order.placed",
            "schema": { "type": "object", "properties": { "b": true, "a": { "minimum": 0.5 } } },
            "schemaVersion": 0,
            "onInvalid": "quarantine",
        });
        assert_eq!(create(&checked.to_string()), Ok(checked));
        let plain = json!({ "space": "shop", "name": "order.placed" });
        assert_eq!(create(r#"{"NAME":"order.placed","space":"other","key":"","unknown":1}"#), Ok(plain));
    }

    #[test]
    fn faults_are_told_in_the_words_of_the_event_gateway() {
        let prefix = "Event Type doesn't validate. Validation error: ";
        let check = |text: &str, detail: &str| assert_eq!(create(text), Err(format!("{prefix}{detail}")), "{text}");
        check("{", "unexpected EOF");
        check("{}", "Key: 'Type.Name' Error:Field validation for 'Name' failed on the 'required' tag");
        check(r#"{"name":"a","key":"id"}"#, "Key: 'Type.Key' Error:Field validation for 'Key' failed on the 'key' tag");
        check(
            r#"{"name":"a","onInvalid":"drop"}"#,
            "Key: 'Type.OnInvalid' Error:Field validation for 'OnInvalid' failed on the 'eq=refuse|eq=quarantine' tag",
        );
        check(r#"{"name":7}"#, "name: invalid type: integer `7`, expected a string");
        let error = EventTypes::create(r#"{"name":"a"}"#, "ab").expect_err("too short a space");
        let detail = "Key: 'Type.Space' Error:Field validation for 'Space' failed on the 'min' tag";
        assert_eq!(error.to_string(), format!("{prefix}{detail}"));
    }

    #[test]
    fn the_path_names_what_is_replaced() {
        let (_, command) = EventTypes::replace(r#"{"name":"other"}"#, "shop", "mine".into()).expect("good");
        assert!(matches!(command, Command::UpdateEventType(item) if item.name.as_str() == "mine"));
    }
}
