//! What is asked of the catalog, and what is then recorded.

use std::sync::Arc;

use weir_domain::{FunctionId, SpaceName};

use crate::{Cors, CorsId, EventType, EventTypeName, Function, Subscription, SubscriptionId};

/// What somebody asks of one space. Names of what is to be deleted or updated come as they were given: one that cannot
/// be a name is simply not found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// Registers an event type.
    CreateEventType(EventType),
    /// Replaces an event type of the same name.
    UpdateEventType(EventType),
    /// Takes an event type away.
    DeleteEventType(String),
    /// Registers a function.
    CreateFunction(Function),
    /// Replaces a function of the same identifier.
    UpdateFunction(Function),
    /// Takes a function away.
    DeleteFunction(String),
    /// Makes a subscription.
    CreateSubscription(Subscription),
    /// Replaces retry policy and metadata of a subscription.
    UpdateSubscription {
        /// Which one.
        id: String,
        /// The whole new subscription; whatever cannot be updated must be as it is.
        subscription: Subscription,
    },
    /// Takes a subscription away.
    DeleteSubscription(String),
    /// Makes a CORS configuration.
    CreateCors(Cors),
    /// Replaces what a CORS configuration allows.
    UpdateCors {
        /// Which one.
        id: String,
        /// The whole new configuration; method and path must be as they are.
        cors: Cors,
    },
    /// Takes a CORS configuration away.
    DeleteCors(String),
}

/// A command that was found good: a fact once the log has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// The space that changes.
    pub space: SpaceName,
    /// What changes.
    pub kind: ChangeKind,
}

/// What changes in a space.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ChangeKind {
    /// An event type was registered.
    EventTypeCreated(Arc<EventType>),
    /// An event type was replaced.
    EventTypeUpdated(Arc<EventType>),
    /// An event type is gone.
    EventTypeDeleted(EventTypeName),
    /// A function was registered.
    FunctionCreated(Arc<Function>),
    /// A function was replaced.
    FunctionUpdated(Arc<Function>),
    /// A function is gone.
    FunctionDeleted(FunctionId),
    /// A subscription was made.
    SubscriptionCreated(Arc<Subscription>),
    /// Retry policy or metadata of a subscription were replaced.
    SubscriptionUpdated(Arc<Subscription>),
    /// A subscription is gone.
    SubscriptionDeleted(SubscriptionId),
    /// A CORS configuration was made.
    CorsCreated(Arc<Cors>),
    /// A CORS configuration was replaced.
    CorsUpdated(Arc<Cors>),
    /// A CORS configuration is gone.
    CorsDeleted(CorsId),
}
