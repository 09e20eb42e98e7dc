//! Why a command was refused, in the words of the Event Gateway, whose clients may compare them.
//!
//! Those words begin with capitals and end with stops; what a reader should do about it is told apart from them, by
//! [`CatalogError::cure`].

use std::fmt;

use weir_domain::ErrorKind;
use weir_routing::RouteError;

use crate::limits;

/// The kinds of things in a catalog.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resource {
    /// An event type.
    EventType,
    /// A function.
    Function,
    /// A subscription.
    Subscription,
    /// A CORS configuration.
    Cors,
    /// A token.
    Token,
}

impl fmt::Display for Resource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::EventType => "Event Type",
            Self::Function => "Function",
            Self::Subscription => "Subscription",
            Self::Cors => "CORS configuration",
            Self::Token => "Token",
        })
    }
}

impl Resource {
    /// All kinds of which spaces have any; tokens are of none.
    pub const ALL: [Self; 4] = [Self::EventType, Self::Function, Self::Subscription, Self::Cors];

    /// The name of the type in field details.
    const fn struct_name(self) -> &'static str {
        match self {
            Self::EventType => "Type",
            Self::Function => "Function",
            Self::Subscription => "Subscription",
            Self::Cors => "CORS",
            Self::Token => "Token",
        }
    }
}

/// One fault of a resource, and its cure.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Detail {
    message: String,
    cure: String,
}

impl Detail {
    /// Describes a fault; the cure begins with a verb.
    #[must_use]
    pub fn new(message: impl Into<String>, cure: impl Into<String>) -> Self {
        Self { message: message.into(), cure: cure.into() }
    }

    /// Describes a field that breaks a rule.
    pub(crate) fn field(resource: Resource, field: &str, rule: &str, cure: impl Into<String>) -> Self {
        let name = resource.struct_name();
        let message = format!("Key: '{name}.{field}' Error:Field validation for '{field}' failed on the '{rule}' tag");
        Self::new(message, cure)
    }

    /// Returns what is wrong.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.message
    }

    /// Returns what to do about it.
    #[must_use]
    pub fn cure(&self) -> &str {
        &self.cure
    }
}

/// Why a command was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CatalogError {
    /// What the command is about does not exist.
    #[error("{resource} {id:?} not found.")]
    NotFound {
        /// What was looked for.
        resource: Resource,
        /// Its name or identifier.
        id: String,
    },
    /// What a new resource refers to does not exist. The same words as for [`CatalogError::NotFound`], another kind.
    #[error("{resource} {id:?} not found.")]
    MissingReference {
        /// What was looked for.
        resource: Resource,
        /// Its name or identifier.
        id: String,
    },
    /// What should be created exists.
    #[error("{resource} {id:?} already {}.", there(.resource))]
    AlreadyExists {
        /// What should be created.
        resource: Resource,
        /// Its name or identifier.
        id: String,
    },
    /// Fields break rules: all of them are told.
    #[error("{resource} doesn't validate. Validation error: {}", joined(.details, "\n", Detail::message))]
    Invalid {
        /// What was to be stored.
        resource: Resource,
        /// The faults, at least one.
        details: Vec<Detail>,
    },
    /// The authorizer of an event type is no function of the space.
    #[error("Authorizer function doesn't exists.")]
    AuthorizerMissing,
    /// An event type with subscriptions cannot go.
    #[error("Event type cannot be deleted because there are subscriptions using it.")]
    EventTypeInUse,
    /// A function with subscriptions cannot go.
    #[error("Function cannot be deleted because it's subscribed to a least one event.")]
    FunctionInUse,
    /// A function that is an authorizer cannot go.
    #[error("Function {function} cannot be deleted because is used as an authorizer for {event_type} event type.")]
    FunctionIsAuthorizer {
        /// The function.
        function: String,
        /// The first event type that names it.
        event_type: String,
    },
    /// An update changes what makes a resource that resource.
    #[error("Invalid update. '{field}' of existing {} cannot be updated.", existing(.resource))]
    FixedField {
        /// What was to be updated.
        resource: Resource,
        /// The field.
        field: &'static str,
    },
    /// The route cannot stand beside those that are there.
    #[error("{resource} path conflict: {error}")]
    PathConflict {
        /// What has the route.
        resource: Resource,
        /// Which route is in its way, and how.
        error: RouteError,
    },
    /// The space has as many as it may.
    #[error("{resource} cannot be created because the space has {max} already.", max = limits::ITEMS_MAX)]
    Full {
        /// What should be created.
        resource: Resource,
    },
    /// The space has nothing: it is as if it had never been named.
    #[error("Space {space:?} not found.")]
    SpaceNotFound {
        /// Its name.
        space: String,
    },
    /// A space that has something goes only where that is wanted.
    #[error("Space {space:?} cannot be deleted because it has {}.", counted(.has))]
    SpaceInUse {
        /// Its name.
        space: String,
        /// How many it has of each kind, in the order of [`Resource::ALL`].
        has: [usize; 4],
    },
}

impl CatalogError {
    /// Says that a resource does not exist, for reading by identifier.
    #[must_use]
    pub fn not_found(resource: Resource, id: impl Into<String>) -> Self {
        Self::NotFound { resource, id: id.into() }
    }

    /// Says that a resource could not even be read, for example because its JSON is broken.
    #[must_use]
    pub fn invalid(resource: Resource, detail: Detail) -> Self {
        Self::Invalid { resource, details: vec![detail] }
    }

    /// Says that a text of a function should stay as it is, and is not there.
    #[must_use]
    pub fn nothing_to_keep(field: &str, name: &str) -> Self {
        let name: String = name.chars().take(128).collect();
        // In front, what the Event Gateway says before what is wrong with a provider.
        let message =
            format!("unable to load function provider config: {field}: {name:?} has no present value to keep");
        Self::invalid(Resource::Function, Detail::new(message, "give the value itself"))
    }

    /// Returns what the reader must do next.
    #[must_use]
    pub const fn kind(&self) -> ErrorKind {
        match self {
            Self::NotFound { .. } | Self::SpaceNotFound { .. } => ErrorKind::NotFound,
            Self::AlreadyExists { .. } | Self::Full { .. } => ErrorKind::Conflict,
            _ => ErrorKind::Invalid,
        }
    }

    /// Returns what to do about it, in a sentence for people.
    #[must_use]
    pub fn cure(&self) -> String {
        match self {
            Self::NotFound { .. } => "list what the space has, and check the name".into(),
            Self::MissingReference { resource: Resource::EventType, .. } => "register the event type first".into(),
            Self::MissingReference { resource: Resource::Subscription, .. } => {
                "list the subscriptions, and name one that is there, or leave continues out".into()
            }
            Self::MissingReference { .. } => "register the function first".into(),
            Self::AlreadyExists { .. } => "update what exists, or delete it first".into(),
            Self::Invalid { details, .. } => joined(details, "; ", Detail::cure),
            Self::AuthorizerMissing => "register the function first, then name it as authorizer".into(),
            Self::EventTypeInUse | Self::FunctionInUse => "delete its subscriptions first".into(),
            Self::FunctionIsAuthorizer { .. } => "give the event type another authorizer first".into(),
            Self::FixedField { field: "Start", .. } => {
                "delete it and create it again, or use a replay to have earlier events delivered".into()
            }
            Self::FixedField { field: "Filter", .. } => {
                "create one with this filter, which continues it, or delete it and create another".into()
            }
            Self::FixedField { .. } => "delete it and create another".into(),
            Self::PathConflict { .. } => "choose another path, or delete what holds this one".into(),
            Self::Full { .. } => "delete what is no longer needed, or use another space".into(),
            Self::SpaceNotFound { .. } => {
                "list the spaces, and check the name: a space is there while it has something".into()
            }
            Self::SpaceInUse { .. } => "delete that first, or repeat the request with force=true".into(),
        }
    }
}

/// The Event Gateway says it differently for functions.
fn there(resource: &Resource) -> &'static str {
    match resource {
        Resource::Function => "registered",
        Resource::EventType | Resource::Subscription | Resource::Cors | Resource::Token => "exists",
    }
}

/// As the Event Gateway writes it in the middle of a sentence.
fn existing(resource: &Resource) -> &'static str {
    match resource {
        Resource::EventType => "event type",
        Resource::Function => "function",
        Resource::Subscription => "subscription",
        Resource::Cors => "CORS configuration",
        Resource::Token => "token",
    }
}

/// Says how many there are of each kind that there is any of.
fn counted(has: &[usize; 4]) -> String {
    let kinds = Resource::ALL.into_iter().zip(has).filter(|(_, count)| **count > 0);
    let texts = kinds.map(|(resource, count)| {
        let plural = if *count == 1 { "" } else { "s" };
        format!("{count} {}{plural}", existing(&resource))
    });
    texts.collect::<Vec<_>>().join(", ")
}

fn joined(details: &[Detail], separator: &str, part: fn(&Detail) -> &str) -> String {
    details.iter().map(part).collect::<Vec<_>>().join(separator)
}

/// Why a change does not fit a catalog: it was planned for another one.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ApplyError {
    /// What the change creates is there.
    #[error("the change creates what exists, plan it again: {id}")]
    Exists {
        /// Its name or identifier.
        id: String,
    },
    /// What the change is about is not there.
    #[error("the change is about what does not exist, plan it again: {id}")]
    Missing {
        /// Its name or identifier.
        id: String,
    },
    /// The route of a created subscription is taken.
    #[error("the change adds a route that is taken, plan it again")]
    Route(#[from] RouteError),
}

impl ApplyError {
    /// Returns what the reader must do next: plan again on the present catalog.
    #[must_use]
    pub const fn kind(&self) -> ErrorKind {
        ErrorKind::Conflict
    }
}
