//! Who may enter: the checks that every event passes before it is appended.
//!
//! They stand in one order: the type is registered and not reserved ([`registered`]), its authorizer allows the event
//! ([`authorized`]), its data keep the schema and it has its key ([`keyed`]). What functions return passes the same checks,
//! but for the authorizer: it is the platform that sends it. Only what comes from outside may be of a type that nobody
//! registered, where the server is told to take that ([`known`]).

use std::{
    iter,
    sync::{Arc, LazyLock},
    time::Duration,
};

use futures_util::stream::{self, StreamExt, TryStreamExt};
use weir_catalog::{Catalog, EventType, EventTypeName, HTTP_REQUEST, KeyError, SchemaError, Violations, is_reserved};
use weir_cloudevents::json;
use weir_domain::{AttributeError, Data, ErrorKind, Event, Limits, SpaceName};
use weir_log::NewEvent;

use crate::{
    Sender,
    authorizer::{Guard, mark},
    flow::Shared,
    live::is_system,
    schema,
    snapshot::Snapshot,
    work::Work,
};

/// In front of the types of the Event Gateway's own events.
const OLD_PREFIX: &str = "eventgateway.";

/// What begins so is a part of the platform as a source: the log takes one event of a source and an id, so that whoever could
/// write under such a name could keep out what the platform is going to record.
const OWN_SOURCES: &str = "/weir/";
/// Of requests that are no CloudEvents; their ids are random.
const REQUESTS: &str = "/weir/gateway";

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
    /// The source belongs to the platform.
    #[error(
        "attribute \"source\" is {source_name:?}, under which only the platform writes: choose one that does not begin with \"/weir/\""
    )]
    ReservedSource {
        /// The source.
        source_name: String,
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
    /// Checking the events that came together would take too long.
    #[error(
        "the data up to this event make more work than {limit} bytes of data times schemas that apply to one value: send \
         fewer events at once"
    )]
    TooMuchWork {
        /// How much it may be.
        limit: u64,
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
    /// Nobody knows the sender, and the type has no authorizer that could let it in.
    #[error("event type {event_type:?} takes events only of who shows a token: send one")]
    Stranger {
        /// The type.
        event_type: String,
    },
    /// The authorizer of the type said no.
    #[error("the authorizer of event type {event_type:?} refused the event: {message}")]
    Denied {
        /// The type.
        event_type: String,
        /// What the authorizer said.
        message: String,
    },
    /// The authorizer of the type failed. Why is for the operator, and stands in the log of the server.
    #[error(
        "the authorizer of event type {event_type:?} failed, and without its yes no event enters: tell who runs the server"
    )]
    AuthorizerFailed {
        /// The type.
        event_type: String,
    },
    /// The authorizer of the type was not called, for want of room.
    #[error("the authorizer of event type {event_type:?} cannot be asked at this moment: repeat the request later")]
    AuthorizerBusy {
        /// The type.
        event_type: String,
    },
    /// An attribute in which the platform writes cannot take it.
    #[error(transparent)]
    Attribute(#[from] AttributeError),
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
            Self::Reserved { .. }
            | Self::ReservedSource { .. }
            | Self::ReservedSpace { .. }
            | Self::Stranger { .. }
            | Self::Denied { .. }
            | Self::AuthorizerFailed { .. } => ErrorKind::Denied,
            Self::AuthorizerBusy { .. } => ErrorKind::Unavailable { retry_after: Some(Duration::from_secs(1)) },
            Self::Unregistered { .. }
            | Self::TooLarge { .. }
            | Self::TooMuchWork { .. }
            | Self::Attribute(_)
            | Self::Key(_)
            | Self::Schema { .. } => ErrorKind::Invalid,
            Self::SchemaUnusable { .. } => ErrorKind::Unavailable { retry_after: Some(UNUSABLE_RETRY_AFTER) },
        }
    }
}

/// About how many events of one batch authorizers are asked at the same time.
const ASKED_AT_ONCE_MAX: usize = 16;

/// Lets an event from outside in. Where its type has no authorizer, nothing is waited for and nothing shared is copied.
pub(crate) async fn admit(
    shared: &Shared,
    space: &SpaceName,
    event: Event,
    sender: &dyn Sender,
) -> Result<NewEvent, Refusal> {
    let snapshot = {
        let present = shared.state.borrow();
        let event_type = known(shared, &present.catalog, space, &event, sender)?;
        if event_type.authorizer.is_none() && event_type.schema.is_none() {
            return keyed(event_type, mark::checked(event)?);
        }
        // Others must be able to change the state while data are checked and functions asked.
        present.clone()
    };
    let event_type = known(shared, &snapshot.catalog, space, &event, sender)?;
    // A sender that waits for a function counts as callers on routes do.
    let _permit = match event_type.authorizer {
        Some(_) => Some(shared.callers.try_acquire().map_err(|_| busy(&event))?),
        None => None,
    };
    let event = authorized(shared, &snapshot, space, event_type, event, sender).await?;
    keyed(event_type, event)
}

/// Lets the events of a batch in, all or none; else says which one is refused, and why.
pub(crate) async fn admit_batch(
    shared: &Shared,
    space: &SpaceName,
    events: Vec<Event>,
    sender: &dyn Sender,
) -> Result<Vec<NewEvent>, (usize, Refusal)> {
    let mut admitted = Vec::with_capacity(events.len());
    let mut events = events.into_iter().enumerate();
    let snapshot = shared.state.borrow().clone();
    let mut work = Work::default();
    let first = loop {
        let Some((index, event)) = events.next() else { return Ok(admitted) };
        let event_type = known(shared, &snapshot.catalog, space, &event, sender).map_err(|refusal| (index, refusal))?;
        work.begin(event_type, &event).await.map_err(|refusal| (index, refusal))?;
        if event_type.authorizer.is_some() {
            break (index, event);
        }
        let new = mark::checked(event).and_then(|event| keyed(event_type, event));
        admitted.push(new.map_err(|refusal| (index, refusal))?);
    };
    let _permit = shared.callers.try_acquire().map_err(|_| (first.0, busy(&first.1)))?;
    let first_index = first.0;
    let rest: Vec<(usize, Event)> = iter::once(first).chain(events).collect();
    // Nobody is asked for a batch that is refused anyway.
    for (index, event) in &rest {
        let event_type = known(shared, &snapshot.catalog, space, event, sender).map_err(|refusal| (*index, refusal))?;
        // The first one was counted above.
        if *index > first_index {
            work.begin(event_type, event).await.map_err(|refusal| (*index, refusal))?;
        }
    }
    let asked =
        rest.into_iter().map(|(index, event)| numbered(index, guarded(shared, &snapshot, space, event, sender)));
    let rest: Vec<NewEvent> = stream::iter(asked).buffered(ASKED_AT_ONCE_MAX).try_collect().await?;
    admitted.extend(rest);
    Ok(admitted)
}

/// Takes all steps for an event whose type may have an authorizer.
async fn guarded(
    shared: &Shared,
    snapshot: &Snapshot,
    space: &SpaceName,
    event: Event,
    sender: &dyn Sender,
) -> Result<NewEvent, Refusal> {
    let event_type = known(shared, &snapshot.catalog, space, &event, sender)?;
    let event = authorized(shared, snapshot, space, event_type, event, sender).await?;
    keyed(event_type, event)
}

async fn numbered(
    index: usize,
    admitted: impl Future<Output = Result<NewEvent, Refusal>>,
) -> Result<NewEvent, (usize, Refusal)> {
    admitted.await.map_err(|refusal| (index, refusal))
}

fn busy(event: &Event) -> Refusal {
    Refusal::AuthorizerBusy { event_type: event.event_type().to_owned() }
}

/// Finds the type of an event from outside. Where unregistered types are taken, one that asks for nothing stands for them.
fn known<'c>(
    shared: &Shared,
    catalog: &'c Catalog,
    space: &SpaceName,
    event: &Event,
    sender: &dyn Sender,
) -> Result<&'c Arc<EventType>, Refusal> {
    static UNREGISTERED: LazyLock<Arc<EventType>> = LazyLock::new(|| {
        Arc::new(EventType::new(EventTypeName::new("unregistered").expect("the name is short and of ASCII letters")))
    });
    let is_unregistered = shared.options.compatibility.admits(catalog, space, event);
    let event_type = if is_unregistered { LazyLock::force(&UNREGISTERED) } else { registered(catalog, space, event)? };
    check_sender(event_type, sender)?;
    Ok(event_type)
}

/// Refuses what no authorizer would be asked about of a stranger. The door has looked already; the type may have lost its
/// authorizer since.
pub(crate) fn check_sender(event_type: &EventType, sender: &dyn Sender) -> Result<(), Refusal> {
    if sender.is_known() || event_type.authorizer.is_some() {
        return Ok(());
    }
    Err(Refusal::Stranger { event_type: event_type.name.to_string() })
}

/// Finds the registered type of an event.
pub(crate) fn registered<'c>(
    catalog: &'c Catalog,
    space: &SpaceName,
    event: &Event,
) -> Result<&'c Arc<EventType>, Refusal> {
    let name = event.event_type();
    if is_reserved(name) {
        return Err(Refusal::Reserved { event_type: name.to_owned() });
    }
    if is_system(space) {
        return Err(Refusal::ReservedSpace { space: space.to_string() });
    }
    let unregistered = || Refusal::Unregistered { event_type: name.to_owned(), space: space.to_string() };
    catalog.space_or_empty(space).event_type(name).ok_or_else(unregistered)
}

/// Asks the authorizer of a type, where it has one, and gives the event what it said. Whoever waits for it holds a permit of
/// [`Shared::callers`].
pub(crate) async fn authorized(
    shared: &Shared,
    snapshot: &Snapshot,
    space: &SpaceName,
    event_type: &EventType,
    event: Event,
    sender: &dyn Sender,
) -> Result<Event, Refusal> {
    let event = mark::checked(event)?;
    let Some(function) = &event_type.authorizer else { return Ok(event) };
    let guard = Guard { shared, snapshot, space, event_type, function, sender };
    // Apart, so that all others need no room for it.
    Box::pin(guard.authorize(event)).await
}

/// Checks the source and the data of an event and finds its key. Where its type says so, one whose data break the schema
/// comes out in quarantine, see [`schema::checked`].
pub(crate) fn keyed(event_type: &EventType, event: Event) -> Result<NewEvent, Refusal> {
    if event.source().starts_with(OWN_SOURCES) && event.source() != REQUESTS {
        return Err(Refusal::ReservedSource { source_name: event.source().to_owned() });
    }
    schema::checked(event_type, event)
}

/// The deepest nesting of the data of an event: what readers of JSON take.
const DEPTH_MAX: usize = 127;

/// Lets the events enter that a function returned, all or none.
pub(crate) async fn admit_all_returned(
    catalog: &Catalog,
    space: &SpaceName,
    events: &[Event],
    limits: &Limits,
) -> Result<Vec<NewEvent>, Refusal> {
    let mut work = Work::default();
    let mut admitted = Vec::with_capacity(events.len());
    for event in events {
        work.begin(registered(catalog, space, event)?, event).await?;
        admitted.push(admit_returned(catalog, space, event.clone(), limits)?);
    }
    Ok(admitted)
}

/// Checks an event that a function returned as one from outside is checked: what the codec does there is done here.
fn admit_returned(catalog: &Catalog, space: &SpaceName, event: Event, limits: &Limits) -> Result<NewEvent, Refusal> {
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
    keyed(registered(catalog, space, &event)?, event)
}
