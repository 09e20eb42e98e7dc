//! What people call the resources of a space, and what a command does to one of them.
//!
//! `weir dev` and `weir apply` tell of the same changes in the same words.

use indicatif::HumanCount;
use weir_catalog::{
    Command, Cors, EventType, Function, HTTP_REQUEST, Resource, SpaceCatalog, Subscription, SubscriptionKind,
};
use weir_gateway::wire;

/// What becomes of a resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    /// It is made.
    Create,
    /// It is made another.
    Update,
    /// It goes.
    Delete,
    /// It stays as it is.
    Keep,
}

/// What a resource is called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Name {
    /// What it is.
    pub(crate) kind: Resource,
    /// Its name or identifier in requests.
    pub(crate) id: String,
    /// What people call it.
    pub(crate) shown: String,
}

impl Name {
    fn new(kind: Resource, id: &str, shown: impl Into<String>) -> Self {
        Self { kind, id: id.to_owned(), shown: shown.into() }
    }

    /// Names an event type.
    pub(crate) fn of_event_type(it: &EventType) -> Self {
        Self::new(Resource::EventType, it.name.as_str(), it.name.as_str())
    }

    /// Names a function.
    pub(crate) fn of_function(it: &Function) -> Self {
        Self::new(Resource::Function, it.id.as_str(), it.id.as_str())
    }

    /// Names a subscription by what it listens to and its function.
    pub(crate) fn of_subscription(it: &Subscription) -> Self {
        let (event_type, function) = (it.event_type.as_str(), &it.function);
        let shown = match it.kind {
            SubscriptionKind::Async => {
                // Several of one function may differ in what they let through alone.
                let filtered = if it.filter.is_some() { " filtered" } else { "" };
                let place = if it.is_anywhere() { String::new() } else { format!(" by {} {}", it.method, it.path) };
                format!("{event_type}{filtered}{place} → {function}")
            }
            SubscriptionKind::Sync if event_type == HTTP_REQUEST => format!("{} {} → {function}", it.method, it.path),
            SubscriptionKind::Sync => format!("{} {} with {event_type} → {function}", it.method, it.path),
        };
        Self::new(Resource::Subscription, it.id.as_str(), shown)
    }

    /// Names a CORS configuration by its route.
    pub(crate) fn of_cors(it: &Cors) -> Self {
        Self::new(Resource::Cors, it.id.as_str(), format!("{} {}", it.method, it.path))
    }

    /// Returns by what names are sorted: kinds in the order of dependence, then the identifier.
    pub(crate) fn order(&self) -> (usize, &str) {
        let kind = wire::KINDS.iter().position(|kind| *kind == self.kind).unwrap_or(wire::KINDS.len());
        (kind, &self.id)
    }
}

/// Says how many of something there are.
pub(crate) fn counted(count: u64, one: &str) -> String {
    format!("{} {one}{}", HumanCount(count), if count == 1 { "" } else { "s" })
}

/// Returns the word for one of a kind.
pub(crate) const fn noun(resource: Resource) -> &'static str {
    match resource {
        Resource::EventType => "event type",
        Resource::Function => "function",
        Resource::Subscription => "subscription",
        Resource::Cors => "cors",
        Resource::Token => "token",
    }
}

/// Says what a command does to which resource of a space; `None` where it is about none of them, as no difference is.
pub(crate) fn named(command: &Command, present: &SpaceCatalog) -> Option<(Action, Name)> {
    Some(match command {
        // No application declares tokens, nor whether a subscription delivers.
        Command::CreateToken(_) | Command::DeleteToken(_) | Command::SetActivity { .. } => return None,
        Command::CreateEventType(it) => (Action::Create, Name::of_event_type(it)),
        Command::UpdateEventType(it) => (Action::Update, Name::of_event_type(it)),
        Command::DeleteEventType(id) => (Action::Delete, Name::new(Resource::EventType, id, id)),
        Command::CreateFunction(it) => (Action::Create, Name::of_function(it)),
        Command::UpdateFunction(it) | Command::UpdateFunctionKeeping { function: it, .. } => {
            (Action::Update, Name::of_function(it))
        }
        Command::DeleteFunction(id) => (Action::Delete, Name::new(Resource::Function, id, id)),
        Command::CreateSubscription(it) | Command::ReplaceSubscription { subscription: it, .. } => {
            (Action::Create, Name::of_subscription(it))
        }
        Command::UpdateSubscription { subscription, .. } => (Action::Update, Name::of_subscription(subscription)),
        Command::DeleteSubscription(id) => {
            let unknown = || Name::new(Resource::Subscription, id, id);
            (Action::Delete, present.subscription(id).map_or_else(unknown, |it| Name::of_subscription(it)))
        }
        Command::CreateCors(it) => (Action::Create, Name::of_cors(it)),
        Command::UpdateCors { cors, .. } => (Action::Update, Name::of_cors(cors)),
        Command::DeleteCors(id) => {
            let unknown = || Name::new(Resource::Cors, id, id);
            (Action::Delete, present.cors(id).map_or_else(unknown, |it| Name::of_cors(it)))
        }
        Command::DeleteSpace { .. } => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_is_not_many() {
        let told = [0, 1, 2, 1_000].map(|count| counted(count, "event"));
        assert_eq!(told, ["0 events", "1 event", "2 events", "1,000 events"]);
    }
}
