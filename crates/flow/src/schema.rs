//! What becomes of events whose data break the schema of their type: they are refused, or kept apart.
//!
//! An event in quarantine is the data of another one, of the type [`EVENT_QUARANTINED`] in the same space. Nothing that
//! listens to its own type is given it, and it is in the log once, however often it is sent.

use weir_catalog::{Catalog, DataFault, EventType, OnInvalid, Schema, Violations};
use weir_cloudevents::{
    json,
    trace::{TRACEPARENT, TRACESTATE},
};
use weir_domain::{AttributeError, AttributeValue, Data, Event};
use weir_log::NewEvent;

use crate::{
    Refusal,
    reentry::{self, CAUSATION_ID, CORRELATION_ID, HOPS},
};

/// The type of the event that keeps another one whose data break the schema of its type.
pub const EVENT_QUARANTINED: &str = "weir.event.quarantined";

/// The source of events that keep others in quarantine.
pub(crate) const SOURCE: &str = "/weir/quarantine";

/// How many violations are kept with an event; a batch of small events must not become a large one by them.
const VIOLATIONS_MAX: usize = 8;
/// The deepest data that are kept as JSON within JSON: two levels are added, and readers take 127.
const DEPTH_MAX: usize = 125;

/// Compiles all schemas, so that no event waits for it, and tells the operator which of them cannot be used.
pub(crate) fn prepare(catalog: &Catalog) {
    for (space, entries) in catalog.spaces() {
        for it in entries.event_types() {
            if let Some(problem) = it.schema.as_ref().and_then(Schema::problem) {
                tracing::error!(
                    %space,
                    event_type = %it.name,
                    %problem,
                    "the schema of an event type cannot be used: its events are refused until the type is updated"
                );
            }
        }
    }
}

/// Checks the data of an event and finds its key: what comes out is the event, or the one that keeps it in quarantine.
///
/// Data come first: that they are not what they should be tells more than that there is no key in them.
pub(crate) fn checked(event_type: &EventType, event: Event) -> Result<NewEvent, Refusal> {
    let violations = match event_type.check(&event) {
        Ok(()) => {
            let key = event_type.key_of(&event)?;
            return Ok(NewEvent { event, key });
        }
        Err(DataFault::Unusable(problem)) => {
            return Err(Refusal::SchemaUnusable { event_type: event_type.name.to_string(), problem });
        }
        Err(DataFault::Broken(violations)) => violations,
    };
    if event_type.on_invalid == OnInvalid::Quarantine
        && let Ok(kept) = quarantine(event_type, &event, &violations)
    {
        // Without a key it stands alone: that the key is missing is one of the reasons why it is here.
        return Ok(NewEvent { event: kept, key: event_type.key_of(&event).ok().flatten() });
    }
    let (event_type, version) = (event_type.name.to_string(), event_type.schema_version);
    Err(Refusal::Schema { event_type, version, violations })
}

/// Tells whether an admitted event keeps another one in quarantine.
#[must_use]
pub fn is_quarantined(admitted: &NewEvent) -> bool {
    // Nobody but the platform can have made one of this type.
    admitted.event.event_type() == EVENT_QUARANTINED
}

/// Makes the event that keeps another one. Its texts come from an event or from here, so that they are always allowed.
fn quarantine(event_type: &EventType, event: &Event, violations: &Violations) -> Result<Event, AttributeError> {
    let listed = violations.iter().take(VIOLATIONS_MAX);
    let listed: Vec<_> =
        listed.map(|it| serde_json::json!({ "pointer": it.pointer(), "message": it.message() })).collect();
    let mut data = serde_json::json!({
        "eventType": event_type.name.as_str(),
        "schemaVersion": event_type.schema_version,
        "violations": listed,
    });
    if let Some(more) = violations.more() {
        data["more"] = (more + violations.iter().len().saturating_sub(VIOLATIONS_MAX)).into();
    }
    let mut original = Vec::with_capacity(event.size());
    json::encode(event, &mut original);
    let original = String::from_utf8_lossy(&original);
    let is_deep = matches!(event.data(), Data::Json(text) if json::nesting(text) > DEPTH_MAX);
    let data = if is_deep {
        data["eventText"] = serde_json::Value::from(&*original);
        data.to_string()
    } else {
        // Joined as texts, so that numbers and member names stay as they were written.
        let head = data.to_string();
        format!("{},\"event\":{original}}}", head.strip_suffix('}').unwrap_or(&head))
    };
    let correlation = event.extension_text(CORRELATION_ID).unwrap_or(event.id());
    let (parent, state) = reentry::trace_of(event);
    Event::builder(&identifier(event.source(), event.id()), SOURCE, EVENT_QUARANTINED)
        .subject(event.id())
        .datacontenttype("application/json")
        .extension(CAUSATION_ID, AttributeValue::String(event.id()))
        .extension(CORRELATION_ID, AttributeValue::String(correlation))
        .extension(HOPS, AttributeValue::Integer(reentry::hops(event).saturating_add(1)))
        .extension_opt(TRACEPARENT, parent)
        .extension_opt(TRACESTATE, state.as_deref())
        .data(Data::Json(data.into()))
        .build()
}

/// The same for every event of one source and id, which the log therefore takes once.
pub(crate) fn identifier(source: &str, id: &str) -> String {
    let mut hasher = blake3::Hasher::new();
    hasher.update(source.as_bytes()).update(&[0]).update(id.as_bytes());
    hasher.finalize().to_hex().to_string()
}
