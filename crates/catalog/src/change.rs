//! What is asked of the catalog, and what is then recorded.

use std::{collections::BTreeSet, sync::Arc};

use weir_domain::{FunctionId, SpaceName};

use crate::{
    Activity, Cors, CorsId, EventType, EventTypeName, Function, Resource, Subscription, SubscriptionId, Token, TokenId,
};

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
    /// Replaces a function of the same identifier and keeps some of its texts, which who asks was not shown.
    UpdateFunctionKeeping {
        /// The new function. What it has in the place of a text that stays does not count.
        function: Function,
        /// The names of the headers, entries of the configuration or credentials that stay as they are when the change is
        /// made.
        kept: BTreeSet<String>,
    },
    /// Takes a function away.
    DeleteFunction(String),
    /// Makes a subscription.
    CreateSubscription(Subscription),
    /// Makes an async subscription in the place of another one, which is gone then. The new one carries on where that one
    /// stood: what waited for it is delivered to the function of the new one.
    ReplaceSubscription {
        /// Which one goes.
        id: String,
        /// The new one; event type, method and path must be as with the one that goes.
        subscription: Subscription,
    },
    /// Replaces the policies and the metadata of a subscription.
    UpdateSubscription {
        /// Which one.
        id: String,
        /// The whole new subscription; whatever cannot be updated must be as it is.
        subscription: Subscription,
    },
    /// Lets an async subscription deliver, or not.
    SetActivity {
        /// Which one.
        id: String,
        /// What it does from then on. Draining up to the position of this command begins anew with each one.
        activity: Activity,
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
    /// Makes a token, which is of the whole server.
    CreateToken(Token),
    /// Takes a token away, at once.
    DeleteToken(String),
    /// Takes a whole space away: everything that it has, at once.
    DeleteSpace {
        /// Whether it may have anything. Without it a space that has something stays.
        force: bool,
    },
}

/// What a command or a change is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target<'a> {
    /// The space as a whole.
    Space,
    /// The resource of this kind with this name or identifier, which may be none.
    Item(Resource, &'a str),
}

impl Command {
    /// Returns what the command is about.
    #[must_use]
    pub fn target(&self) -> Target<'_> {
        match self {
            Self::CreateEventType(it) | Self::UpdateEventType(it) => {
                Target::Item(Resource::EventType, it.name.as_str())
            }
            Self::DeleteEventType(name) => Target::Item(Resource::EventType, name),
            Self::CreateFunction(it)
            | Self::UpdateFunction(it)
            | Self::UpdateFunctionKeeping { function: it, kept: _ } => Target::Item(Resource::Function, it.id.as_str()),
            Self::DeleteFunction(id) => Target::Item(Resource::Function, id),
            Self::CreateSubscription(it) | Self::ReplaceSubscription { id: _, subscription: it } => {
                Target::Item(Resource::Subscription, it.id.as_str())
            }
            Self::UpdateSubscription { id, subscription: _ }
            | Self::SetActivity { id, activity: _ }
            | Self::DeleteSubscription(id) => Target::Item(Resource::Subscription, id),
            Self::CreateCors(it) => Target::Item(Resource::Cors, it.id.as_str()),
            Self::UpdateCors { id, cors: _ } | Self::DeleteCors(id) => Target::Item(Resource::Cors, id),
            Self::DeleteSpace { force: _ } => Target::Space,
            Self::CreateToken(it) => Target::Item(Resource::Token, it.id.as_str()),
            Self::DeleteToken(id) => Target::Item(Resource::Token, id),
        }
    }
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
    /// A subscription was made in the place of another one, and carries on where that one stood.
    SubscriptionReplaced {
        /// Which one is gone.
        id: SubscriptionId,
        /// The new one.
        subscription: Arc<Subscription>,
    },
    /// Policies, metadata or the activity of a subscription were replaced.
    SubscriptionUpdated(Arc<Subscription>),
    /// A subscription is gone.
    SubscriptionDeleted(SubscriptionId),
    /// A CORS configuration was made.
    CorsCreated(Arc<Cors>),
    /// A CORS configuration was replaced.
    CorsUpdated(Arc<Cors>),
    /// A CORS configuration is gone.
    CorsDeleted(CorsId),
    /// A token was made.
    TokenCreated(Arc<Token>),
    /// A token is gone.
    TokenDeleted(TokenId),
    /// Everything that the space had is gone.
    SpaceDeleted,
}

impl ChangeKind {
    /// Returns what has changed.
    #[must_use]
    pub fn target(&self) -> Target<'_> {
        match self {
            Self::EventTypeCreated(it) | Self::EventTypeUpdated(it) => {
                Target::Item(Resource::EventType, it.name.as_str())
            }
            Self::EventTypeDeleted(name) => Target::Item(Resource::EventType, name.as_str()),
            Self::FunctionCreated(it) | Self::FunctionUpdated(it) => Target::Item(Resource::Function, it.id.as_str()),
            Self::FunctionDeleted(id) => Target::Item(Resource::Function, id.as_str()),
            Self::SubscriptionCreated(it)
            | Self::SubscriptionReplaced { id: _, subscription: it }
            | Self::SubscriptionUpdated(it) => Target::Item(Resource::Subscription, it.id.as_str()),
            Self::SubscriptionDeleted(id) => Target::Item(Resource::Subscription, id.as_str()),
            Self::CorsCreated(it) | Self::CorsUpdated(it) => Target::Item(Resource::Cors, it.id.as_str()),
            Self::CorsDeleted(id) => Target::Item(Resource::Cors, id.as_str()),
            Self::SpaceDeleted => Target::Space,
            Self::TokenCreated(it) => Target::Item(Resource::Token, it.id.as_str()),
            Self::TokenDeleted(id) => Target::Item(Resource::Token, id.as_str()),
        }
    }

    /// Tells whether what has changed is gone.
    #[must_use]
    pub const fn is_deletion(&self) -> bool {
        matches!(
            self,
            Self::EventTypeDeleted(_)
                | Self::FunctionDeleted(_)
                | Self::SubscriptionDeleted(_)
                | Self::CorsDeleted(_)
                | Self::SpaceDeleted
                | Self::TokenDeleted(_)
        )
    }
}
