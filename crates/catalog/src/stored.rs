//! How the log keeps a change: the event type, the subject and the JSON data of an event, versions 1 to 4.
//!
//! The form has its own types, apart from those of any API, and a fixture that is read by a test for ever. Its rule for
//! the future: a reader refuses a `v` that it does not know, and ignores members that it does not know. So whatever an
//! older reader may pass over can be added as it is; everything else needs a new `v`, which is read beside the old ones.
//!
//! A change that was recorded was good when it was; reading asks no rule of [`Catalog::plan`](crate::Catalog::plan).

use serde::{Deserialize, Serialize};
use weir_domain::{ErrorKind, FunctionId, SpaceName};

use crate::{Change, ChangeKind, CorsId, EventTypeName, Function, FunctionKind, Subscription, SubscriptionId, TokenId};

mod aws;
mod subscription;
mod v1;

/// The version that is written where a reader of the first one understands the change.
const VERSION: u32 = 1;
/// The version since which functions can be resources of AWS, and be given events of another version of CloudEvents:
/// whoever does not know that would call something else, or in another way.
const VERSION_FUNCTIONS: u32 = 2;
/// The version since which a subscription can take the place of another: whoever does not know that would keep both, and
/// begin anew with the second.
const VERSION_CONTINUES: u32 = 3;
/// The version since which a subscription has a filter, a start, policies and an activity, and a function can be part of
/// Weir: whoever does not know them would deliver other events, or in another way.
const VERSION_DELIVERY: u32 = 4;
/// The newest version that is read.
const VERSION_MAX: u32 = VERSION_DELIVERY;

/// The event types under which changes are kept.
pub const EVENT_TYPES: [&str; 15] = [
    "weir.eventtype.created",
    "weir.eventtype.updated",
    "weir.eventtype.deleted",
    "weir.function.created",
    "weir.function.updated",
    "weir.function.deleted",
    "weir.subscription.created",
    "weir.subscription.updated",
    "weir.subscription.deleted",
    "weir.cors.created",
    "weir.cors.updated",
    "weir.cors.deleted",
    "weir.space.deleted",
    "weir.token.created",
    "weir.token.deleted",
];

/// The place of the change that is about no single resource.
const SPACE_DELETED: usize = 12;
/// What stands between space and name in the subject of a change of an event type.
pub const EVENT_TYPE_COLLECTION: &str = "eventtypes";

/// What a change needs of the event that keeps it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredChange {
    /// The attribute `type`, one of [`EVENT_TYPES`].
    pub event_type: &'static str,
    /// The attribute `subject`: `{space}/eventtypes|functions|subscriptions|cors|tokens/{id}`, or `{space}` alone.
    pub subject: String,
    /// The data, JSON (RFC 8259).
    pub data: String,
}

/// Why an event is no change that can be read.
#[derive(Debug, thiserror::Error)]
pub enum StoredError {
    /// The event is of another type.
    #[error("no change of the catalog is kept under the event type {0:?}")]
    UnknownType(String),
    /// A newer Weir has written it.
    #[error("the change has a newer form than this version of weir reads, use a newer weir: v {0}")]
    Newer(u64),
    /// The data are not of the form.
    #[error("the stored change is damaged, verify the log")]
    Json(#[source] serde_json::Error),
    /// A value in the data is none.
    #[error("the stored change is damaged, verify the log: {0}")]
    Value(String),
}

impl StoredError {
    /// Returns what the reader must do next.
    #[must_use]
    pub const fn kind(&self) -> ErrorKind {
        match self {
            Self::UnknownType(_) | Self::Newer(_) => ErrorKind::Invalid,
            Self::Json(_) | Self::Value(_) => ErrorKind::Corrupt,
        }
    }

    fn value(error: impl std::fmt::Display) -> Self {
        Self::Value(error.to_string())
    }
}

/// The data of every change.
#[derive(Serialize, Deserialize)]
struct Envelope<T> {
    v: u32,
    space: String,
    item: T,
}

/// The item of something deleted.
#[derive(Serialize, Deserialize)]
struct Deleted {
    id: String,
}

/// The item of a deleted space, of which there is nothing to say but its name.
#[derive(Serialize, Deserialize)]
struct Whole {}

/// Tells whether events of this type keep changes.
#[must_use]
pub fn is_change(event_type: &str) -> bool {
    EVENT_TYPES.contains(&event_type)
}

/// Makes the form in which the log keeps a change.
#[must_use]
pub fn encode(change: &Change) -> StoredChange {
    let space = &change.space;
    match &change.kind {
        ChangeKind::EventTypeCreated(it) => stored(space, 0, it.name.as_str(), v1::EventType::from(&**it)),
        ChangeKind::EventTypeUpdated(it) => stored(space, 1, it.name.as_str(), v1::EventType::from(&**it)),
        ChangeKind::EventTypeDeleted(name) => deleted(space, 2, name.as_str()),
        ChangeKind::FunctionCreated(it) => function(space, 3, it),
        ChangeKind::FunctionUpdated(it) => function(space, 4, it),
        ChangeKind::FunctionDeleted(id) => deleted(space, 5, id.as_str()),
        ChangeKind::SubscriptionCreated(it) => subscription(space, 6, it, None),
        // A creation that tells more: what it replaces.
        ChangeKind::SubscriptionReplaced { id, subscription: it } => subscription(space, 6, it, Some(id)),
        ChangeKind::SubscriptionUpdated(it) => subscription(space, 7, it, None),
        ChangeKind::SubscriptionDeleted(id) => deleted(space, 8, id.as_str()),
        ChangeKind::CorsCreated(it) => stored(space, 9, it.id.as_str(), v1::Cors::from(&**it)),
        ChangeKind::CorsUpdated(it) => stored(space, 10, it.id.as_str(), v1::Cors::from(&**it)),
        ChangeKind::CorsDeleted(id) => deleted(space, 11, id.as_str()),
        ChangeKind::SpaceDeleted => StoredChange {
            event_type: EVENT_TYPES[SPACE_DELETED],
            subject: space.to_string(),
            data: data(VERSION, space, Whole {}),
        },
        ChangeKind::TokenCreated(it) => stored(space, 13, it.id.as_str(), v1::Token::from(&**it)),
        ChangeKind::TokenDeleted(id) => deleted(space, 14, id.as_str()),
    }
}

fn deleted(space: &SpaceName, place: usize, id: &str) -> StoredChange {
    stored(space, place, id, Deleted { id: id.to_owned() })
}

fn function(space: &SpaceName, place: usize, it: &Function) -> StoredChange {
    let version = match &it.kind {
        FunctionKind::Http { version: None, .. } | FunctionKind::Wasm { .. } => VERSION,
        FunctionKind::Http { .. } | FunctionKind::Aws(_) => VERSION_FUNCTIONS,
        FunctionKind::Builtin { .. } => VERSION_DELIVERY,
    };
    stored_as(version, space, place, it.id.as_str(), v1::Function::from(it))
}

fn subscription(
    space: &SpaceName,
    place: usize,
    it: &Subscription,
    continues: Option<&SubscriptionId>,
) -> StoredChange {
    let item = subscription::Subscription::from(it);
    let item = match continues {
        Some(id) => item.continuing(id),
        None => item,
    };
    stored_as(item.version(), space, place, it.id.as_str(), item)
}

fn stored<T: Serialize>(space: &SpaceName, place: usize, id: &str, item: T) -> StoredChange {
    stored_as(VERSION, space, place, id, item)
}

/// The place is that in [`EVENT_TYPES`], which come in threes for each kind of resource. Tokens, which are not updated,
/// share their three with the deletion of a space.
fn stored_as<T: Serialize>(v: u32, space: &SpaceName, place: usize, id: &str, item: T) -> StoredChange {
    let collection = [EVENT_TYPE_COLLECTION, "functions", "subscriptions", "cors", "tokens"][place / 3];
    StoredChange {
        event_type: EVENT_TYPES[place],
        subject: format!("{space}/{collection}/{id}"),
        data: data(v, space, item),
    }
}

fn data<T: Serialize>(v: u32, space: &SpaceName, item: T) -> String {
    let envelope = Envelope { v, space: space.to_string(), item };
    serde_json::to_string(&envelope).expect("texts and numbers under text names are always JSON")
}

/// Reads the change that an event keeps.
///
/// # Errors
/// Where the event keeps no change, or one that this version cannot read.
pub fn decode(event_type: &str, data: &str) -> Result<Change, StoredError> {
    let place = EVENT_TYPES.iter().position(|each| *each == event_type);
    let place = place.ok_or_else(|| StoredError::UnknownType(event_type.chars().take(256).collect()))?;
    check_version(data)?;
    let (space, kind) = match place {
        0 => read(data, |it: v1::EventType<'static>| Ok(ChangeKind::EventTypeCreated(it.try_into()?)))?,
        1 => read(data, |it: v1::EventType<'static>| Ok(ChangeKind::EventTypeUpdated(it.try_into()?)))?,
        2 => read(data, |it: Deleted| {
            EventTypeName::new(&it.id).map(ChangeKind::EventTypeDeleted).map_err(StoredError::value)
        })?,
        3 => read(data, |it: v1::Function<'static>| Ok(ChangeKind::FunctionCreated(it.try_into()?)))?,
        4 => read(data, |it: v1::Function<'static>| Ok(ChangeKind::FunctionUpdated(it.try_into()?)))?,
        5 => read(data, |it: Deleted| {
            FunctionId::new(&it.id).map(ChangeKind::FunctionDeleted).map_err(StoredError::value)
        })?,
        6 => read(data, subscription::Subscription::<'static>::created)?,
        7 => read(data, |it: subscription::Subscription<'static>| Ok(ChangeKind::SubscriptionUpdated(it.try_into()?)))?,
        8 => read(data, |it: Deleted| {
            let id = SubscriptionId::parse(&it.id).ok_or(StoredError::Value(it.id))?;
            Ok(ChangeKind::SubscriptionDeleted(id))
        })?,
        9 => read(data, |it: v1::Cors<'static>| Ok(ChangeKind::CorsCreated(it.try_into()?)))?,
        10 => read(data, |it: v1::Cors<'static>| Ok(ChangeKind::CorsUpdated(it.try_into()?)))?,
        11 => read(data, |it: Deleted| {
            CorsId::parse(&it.id).map(ChangeKind::CorsDeleted).ok_or(StoredError::Value(it.id))
        })?,
        SPACE_DELETED => read(data, |_: Whole| Ok(ChangeKind::SpaceDeleted))?,
        13 => read(data, |it: v1::Token<'static>| Ok(ChangeKind::TokenCreated(it.try_into()?)))?,
        _ => read(data, |it: Deleted| {
            TokenId::parse(&it.id).map(ChangeKind::TokenDeleted).ok_or(StoredError::Value(it.id))
        })?,
    };
    Ok(Change { space, kind })
}

/// Asked first, because a newer form may not even parse as this one.
fn check_version(data: &str) -> Result<(), StoredError> {
    #[derive(Deserialize)]
    struct Version {
        v: u64,
    }
    let Version { v } = serde_json::from_str(data).map_err(StoredError::Json)?;
    match v {
        0 => Err(StoredError::Value("v 0".into())),
        _ if v <= u64::from(VERSION_MAX) => Ok(()),
        _ => Err(StoredError::Newer(v)),
    }
}

fn read<'de, T: Deserialize<'de>>(
    data: &'de str,
    kind: impl FnOnce(T) -> Result<ChangeKind, StoredError>,
) -> Result<(SpaceName, ChangeKind), StoredError> {
    let envelope: Envelope<T> = serde_json::from_str(data).map_err(StoredError::Json)?;
    let space = SpaceName::new(&envelope.space).map_err(StoredError::value)?;
    Ok((space, kind(envelope.item)?))
}
