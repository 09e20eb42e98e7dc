//! The event types of the platform itself that can be subscribed to, as in the Event Gateway. Every space knows them
//! without registration, and nobody but the platform may emit them.

use std::sync::{Arc, LazyLock};

use crate::{Arrival, EventType, EventTypeName, Matching, SpaceCatalog};

/// What the platform tells about events and functions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SystemEvent {
    /// An event has come to the door and was accepted.
    Received,
    /// A function is about to be called.
    Invoking,
    /// A call has succeeded.
    Invoked,
    /// A call has failed.
    InvocationFailed,
}

impl SystemEvent {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Received, Self::Invoking, Self::Invoked, Self::InvocationFailed];

    /// Returns the CloudEvents attribute `type`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Received => "eventgateway.event.received",
            Self::Invoking => "eventgateway.function.invoking",
            Self::Invoked => "eventgateway.function.invoked",
            Self::InvocationFailed => "eventgateway.function.invocationFailed",
        }
    }

    /// Finds the event type by its name, without registration.
    pub(crate) fn event_type(name: &str) -> Option<&'static Arc<EventType>> {
        static TYPES: LazyLock<[Arc<EventType>; 4]> = LazyLock::new(|| {
            SystemEvent::ALL.map(|each| {
                let name = EventTypeName::new(each.name()).expect("these names are short and of ASCII letters");
                Arc::new(EventType::new(name))
            })
        });
        TYPES.iter().find(|each| each.name.as_str() == name)
    }
}

impl SpaceCatalog {
    /// Tells whether anybody listens to what the platform tells, which comes in by `POST` and `/`: if not, it is not told.
    #[must_use]
    pub fn hears(&self, event: SystemEvent, matching: Matching) -> bool {
        self.async_of(event.name(), Arrival::DEFAULT, matching).next().is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::is_reserved;

    #[test]
    fn every_space_knows_them_and_nobody_may_emit_them() {
        let space = SpaceCatalog::default();
        for each in SystemEvent::ALL {
            let found = space.event_type(each.name()).expect("known without registration");
            assert_eq!(found.name.as_str(), each.name());
            assert!(found.name.is_subscribable() && is_reserved(each.name()));
            assert!(space.registered_event_type(each.name()).is_none() && !space.hears(each, Matching::Pattern));
        }
        assert!(space.event_type("eventgateway.event.lost").is_none());
    }
}
