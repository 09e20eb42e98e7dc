//! Who may enter: the checks that every event passes before it is appended, from outside and from functions alike.

use std::time::Duration;

use weir_catalog::{Catalog, HTTP_REQUEST, KeyError, SchemaError, Violations, is_reserved};
use weir_cloudevents::json;
use weir_domain::{Data, ErrorKind, Event, Limits, SpaceName};
use weir_log::NewEvent;

use crate::{live::is_system, schema};

/// In front of the types of the Event Gateway's own events.
const OLD_PREFIX: &str = "eventgateway.";

/// Why a key could not be found.
pub type KeyRefusal = KeyError;

/// Why an event was not admitted.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// The type belongs to the platform.
    #[error(
        "attribute \"type\" is {event_type:?}, which only the platform may emit: choose a name without this prefix"
    )]
    Reserved {
        /// The type.
        event_type: String,
    },
    /// The space belongs to the platform.
    #[error("space \"{space}\" belongs to the platform: emit into a space of your own")]
    ReservedSpace {
        /// The space.
        space: String,
    },
    /// Nobody declared the type.
    #[error(
        "attribute \"type\" is {event_type:?}, which is not registered in space \"{space}\": register it with POST /v1/spaces/{space}/eventtypes or in weir.toml"
    )]
    Unregistered {
        /// The type.
        event_type: String,
        /// The space.
        space: String,
    },
    /// The event is larger than one may be.
    #[error("the {what} of the event is {given}, over the limit of {limit}: make it smaller")]
    TooLarge {
        /// What is too large, with its unit.
        what: &'static str,
        /// How large it is.
        given: usize,
        /// How large it may be.
        limit: usize,
    },
    /// The event has not the key that its type declares.
    #[error(transparent)]
    Key(#[from] KeyRefusal),
    /// The data are not what the schema of the type says.
    #[error("the data break the schema of event type {event_type:?}, version {version}: {violations}")]
    Schema {
        /// The type.
        event_type: String,
        /// Which of its schemas.
        version: u32,
        /// What is wrong, and where.
        violations: Violations,
    },
    /// The schema of the type was stored by another version of Weir, and cannot be used by this one.
    #[error(
        "event type {event_type:?} takes no events, because its schema cannot be used: update the event type, the fault \
         is {problem}"
    )]
    SchemaUnusable {
        /// The type.
        event_type: String,
        /// Why.
        problem: SchemaError,
    },
}

/// When to send an event again whose type has a schema that cannot be used: an operator has to mend it.
const UNUSABLE_RETRY_AFTER: Duration = Duration::from_secs(60);

impl Refusal {
    /// Tells what the reader must do next.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        match self {
            // As the Event Gateway answered: its clients may tell by the status.
            Self::Reserved { event_type } if event_type.starts_with(OLD_PREFIX) => ErrorKind::Invalid,
            Self::Reserved { .. } | Self::ReservedSpace { .. } => ErrorKind::Denied,
            Self::Unregistered { .. } | Self::TooLarge { .. } | Self::Key(_) | Self::Schema { .. } => {
                ErrorKind::Invalid
            }
            Self::SchemaUnusable { .. } => ErrorKind::Unavailable { retry_after: Some(UNUSABLE_RETRY_AFTER) },
        }
    }
}

/// Checks an event against the catalog and finds its key. Where its type says so, one whose data break the schema comes
/// out in quarantine, see [`schema::checked`].
pub(crate) fn admit(catalog: &Catalog, space: &SpaceName, event: Event) -> Result<NewEvent, Refusal> {
    let name = event.event_type();
    if is_reserved(name) {
        return Err(Refusal::Reserved { event_type: name.to_owned() });
    }
    if is_system(space) {
        return Err(Refusal::ReservedSpace { space: space.to_string() });
    }
    let Some(event_type) = catalog.space_or_empty(space).event_type(name) else {
        return Err(Refusal::Unregistered { event_type: name.to_owned(), space: space.to_string() });
    };
    schema::checked(event_type, event)
}

/// The deepest nesting of the data of an event: what readers of JSON take.
const DEPTH_MAX: usize = 127;

/// Checks an event that a function returned as one from outside is checked: what the codec does there is done here.
pub(crate) fn admit_returned(
    catalog: &Catalog,
    space: &SpaceName,
    event: Event,
    limits: &Limits,
) -> Result<NewEvent, Refusal> {
    let too_large =
        |what, given, limit| if given > limit { Err(Refusal::TooLarge { what, given, limit }) } else { Ok(()) };
    too_large("size in bytes", event.size(), limits.event_bytes_max)?;
    too_large("number of extensions", event.extensions().count(), limits.extensions_max)?;
    let attributes = event.extensions().filter_map(|(name, _)| event.extension_text(name));
    let fixed = [event.id(), event.source(), event.event_type(), event.subject().unwrap_or_default()];
    let longest = attributes.chain(fixed).map(str::len).max().unwrap_or_default();
    too_large("longest attribute in bytes", longest, limits.attribute_bytes_max)?;
    if let Data::Json(text) = event.data() {
        too_large("nesting of the data", json::nesting(text), DEPTH_MAX)?;
    }
    if event.event_type() == HTTP_REQUEST {
        return Err(Refusal::Reserved { event_type: HTTP_REQUEST.to_owned() });
    }
    admit(catalog, space, event)
}
