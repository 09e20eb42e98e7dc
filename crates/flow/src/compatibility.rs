//! What the flow does as the Event Gateway did, where that is asked for. Each is off unless somebody has it on.

use weir_catalog::{Catalog, Matching, is_reserved};
use weir_domain::{Event, SpaceName};

use crate::live::is_system;

/// What is done as the Event Gateway did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Compatibility {
    /// Events of types that nobody registered are accepted. They are kept, where the Event Gateway lost them.
    pub unregistered_types: bool,
    /// Functions outside of this process are given CloudEvents 0.1 where they do not ask for another version.
    pub old_events: bool,
    /// Only the status 500 of a function at a URL counts as a failure.
    pub only_500_fails: bool,
    /// An async subscription is given what came by exactly its method and path, also where these are `POST` and `/`.
    pub exact_arrivals: bool,
    /// What a function at a URL answers to a caller who waits must be an object such as `{"statusCode":200,"body":""}`.
    pub only_answer_objects: bool,
}

impl Compatibility {
    /// All of it.
    pub const EVENT_GATEWAY: Self = Self {
        unregistered_types: true,
        old_events: true,
        only_500_fails: true,
        exact_arrivals: true,
        only_answer_objects: true,
    };

    /// Tells how async subscriptions are found for an event.
    pub(crate) const fn matching(self) -> Matching {
        if self.exact_arrivals { Matching::Exact } else { Matching::Pattern }
    }

    /// Tells whether an event enters that would be refused for its type alone.
    pub(crate) fn admits(self, catalog: &Catalog, space: &SpaceName, event: &Event) -> bool {
        self.unregistered_types
            && !is_reserved(event.event_type())
            && !is_system(space)
            && catalog.space_or_empty(space).event_type(event.event_type()).is_none()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_type_is_forgiven() {
        let catalog = Catalog::new();
        let check = |compatibility: Compatibility, space: &str, event_type: &str, expected: bool| {
            let event = Event::builder("1", "/s", event_type).build().expect("valid");
            let space = SpaceName::new(space).expect("valid");
            assert_eq!(compatibility.admits(&catalog, &space, &event), expected, "{space} {event_type}");
        };
        check(Compatibility::EVENT_GATEWAY, "shop", "order.placed", true);
        check(Compatibility::default(), "shop", "order.placed", false);
        // What is known, or must not come in, goes the usual way.
        check(Compatibility::EVENT_GATEWAY, "shop", "http.request", false);
        check(Compatibility::EVENT_GATEWAY, "shop", "eventgateway.event.lost", false);
        check(Compatibility::EVENT_GATEWAY, "weir.system", "order.placed", false);
    }
}
