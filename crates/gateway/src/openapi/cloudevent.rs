//! What a CloudEvent looks like in JSON: as it is sent, and as it is read back from the log.

use serde_json::{Value, json};

use super::schema::{Member, object, reference};

/// The name of the schema of an event of 1.0.
const EVENT_SCHEMA: &str = "CloudEvent";
/// The name of the schema of what a structured message is: an event of either version.
pub(crate) const SENT_SCHEMA: &str = "SentEvent";
/// The name of the schema of a batch.
pub(crate) const BATCH_SCHEMA: &str = "EventBatch";
/// The name of the schema of an event as it is read.
pub(crate) const RECORDED_SCHEMA: &str = "RecordedEvent";
/// The name of the schema of an event of 0.1.
const OLD_SCHEMA: &str = "CloudEvent01";

/// The attributes of CloudEvents 1.0.2 that every event has, and beside them the data.
const ATTRIBUTES: &[Member] = &[
    Member::new(
        "specversion",
        || json!({ "type": "string", "description": "The version of CloudEvents.", "const": "1.0" }),
    ),
    Member::new("id", || {
        let about = "Names the event among those of its source. The log keeps `source` and `id` once, for ever: who sends \
                     them again is given the first receipt.";
        json!({ "type": "string", "description": about, "minLength": 1 })
    }),
    Member::new("source", || {
        let about = "Where the event comes from: a URI-reference (RFC 3986).";
        json!({ "type": "string", "description": about, "format": "uri-reference", "minLength": 1 })
    }),
    Member::new(
        "type",
        || json!({ "type": "string", "description": "The event type, which is registered in the space.", "minLength": 1 }),
    ),
    Member::new("subject", || {
        let about =
            "What the event is about. It is the key where its type declares none and there is no `partitionkey`.";
        json!({ "type": "string", "description": about, "minLength": 1 })
    }),
    Member::new("time", || json!({ "type": "string", "description": "When it happened, by RFC 3339." })),
    Member::new(
        "datacontenttype",
        || json!({ "type": "string", "description": "The media type of the data; JSON where nothing is said." }),
    ),
    Member::new(
        "dataschema",
        || json!({ "type": "string", "description": "A URI of the schema of the data. It decides nothing and is not fetched." }),
    ),
    Member::new("data", || json!({ "description": "The data: any JSON." })),
    Member::new("data_base64", || {
        let about = "The data as bytes, in base64 (RFC 4648). It excludes `data`.";
        json!({ "type": "string", "description": about, "contentEncoding": "base64" })
    }),
];

/// What the log knows of an event.
const RECORDED: &[Member] = &[
    Member::new(
        "weirposition",
        || json!({ "type": "string", "description": "The position of the event in the log.", "pattern": "^[0-9]+$" }),
    ),
    Member::new(
        "recordedtime",
        || json!({ "type": "string", "description": "When the log took the event, by RFC 3339." }),
    ),
    Member::new(
        "weirkey",
        || json!({ "type": "string", "description": "The key by which order is kept. Absent where the event stands alone." }),
    ),
];

/// The attributes of CloudEvents 0.1.
const OLD_ATTRIBUTES: &[Member] = &[
    Member::new(
        "cloudEventsVersion",
        || json!({ "type": "string", "description": "The version of CloudEvents.", "const": "0.1" }),
    ),
    Member::new("eventID", || json!({ "type": "string", "description": "Becomes `id`.", "minLength": 1 })),
    Member::new("eventType", || json!({ "type": "string", "description": "Becomes `type`.", "minLength": 1 })),
    Member::new("source", || json!({ "type": "string", "description": "Stays `source`.", "minLength": 1 })),
    Member::new(
        "eventTypeVersion",
        || json!({ "type": "string", "description": "Becomes the extension `eventtypeversion`." }),
    ),
    Member::new("eventTime", || json!({ "type": "string", "description": "Becomes `time`." })),
    Member::new("contentType", || json!({ "type": "string", "description": "Becomes `datacontenttype`." })),
    Member::new(
        "schemaURL",
        || json!({ "type": "string", "description": "Becomes `dataschema`, or the extension `schemaurl` where it is no URI." }),
    ),
    Member::new("extensions", || {
        let about = "Each becomes an extension named by its letters and digits in lower case.";
        json!({ "type": "object", "description": about, "additionalProperties": true })
    }),
    Member::new("data", || json!({ "description": "The data: any JSON." })),
];

const REQUIRED: [&str; 4] = ["specversion", "id", "source", "type"];

/// Tells of what is sent to the Events API.
pub(crate) fn sent_schemas() -> Vec<(String, Value)> {
    let old = object(
        "An event of CloudEvents 0.1, as clients of the Event Gateway send it. It is kept as one of 1.0. Names of members are \
         read in any case.",
        OLD_ATTRIBUTES,
        &["cloudEventsVersion", "eventID", "eventType", "source"],
    );
    let sent = json!({
        "description": "One event, of CloudEvents 1.0 or 0.1. One of 0.3 is taken too and kept as one of 1.0.",
        "anyOf": [reference(EVENT_SCHEMA), reference(OLD_SCHEMA)],
    });
    let batch = json!({
        "type": "array",
        "description": "Events that are written whole or not at all. An empty batch is accepted and does nothing.",
        "items": reference(EVENT_SCHEMA),
    });
    vec![
        (EVENT_SCHEMA.to_owned(), with_extensions("An event of CloudEvents 1.0.2.", ATTRIBUTES, &REQUIRED)),
        (OLD_SCHEMA.to_owned(), old),
        (SENT_SCHEMA.to_owned(), sent),
        (BATCH_SCHEMA.to_owned(), batch),
    ]
}

/// Tells of what is read from the log.
pub(crate) fn recorded_schemas() -> Vec<(String, Value)> {
    let required = [&REQUIRED[..], &["weirposition", "recordedtime"]].concat();
    let members = ATTRIBUTES.iter().chain(RECORDED);
    let about = "An event of CloudEvents 1.0.2 as it stands in the log, with what the log knows of it.";
    vec![(RECORDED_SCHEMA.to_owned(), with_extensions(about, members, &required))]
}

fn with_extensions<'m>(about: &str, members: impl IntoIterator<Item = &'m Member>, required: &[&str]) -> Value {
    let mut schema = object(about, members, required);
    schema["propertyNames"] = json!({ "pattern": "^([a-z0-9]{1,64}|data_base64)$" });
    schema["additionalProperties"] = json!({
        "description": "An extension: a text, a boolean, or a whole number of 32 bits.",
        "type": ["string", "boolean", "integer"],
    });
    schema
}

/// An event as it is sent.
pub(crate) fn example() -> Value {
    json!({
        "specversion": "1.0",
        "id": "p-2",
        "source": "/depot",
        "type": "parcel.sent",
        "data": { "parcel": "8", "to": "Grace" },
    })
}

/// An event as it is read.
pub(crate) fn recorded_example() -> Value {
    let mut event = example();
    event["weirposition"] = json!("8");
    event["recordedtime"] = json!("2026-01-31T12:00:00Z");
    event["weirkey"] = json!("8");
    event
}
