//! What is done as the Event Gateway did: a profile for all of it, and a switch for every single thing, which counts more.

use serde::{Deserialize, Serialize};

/// What is done as the Event Gateway did.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct CompatibilitySettings {
    /// What holds where a switch below says nothing.
    pub(crate) profile: Profile,
    /// A request that nobody is subscribed to is answered with 202.
    pub(crate) unmatched_requests: Option<bool>,
    /// Bodies but JSON objects and forms are base64.
    pub(crate) base64_bodies: Option<bool>,
    /// Parameters of paths stay percent-encoded.
    pub(crate) encoded_params: Option<bool>,
    /// A request that names no space is for the routes and subscriptions of all spaces.
    pub(crate) cross_space_matching: Option<bool>,
    /// Events of types that nobody registered are accepted.
    pub(crate) unregistered_types: Option<bool>,
    /// Functions outside of the process are given CloudEvents 0.1.
    pub(crate) old_events: Option<bool>,
    /// Only the status 500 of a function at a URL is a failure.
    pub(crate) only_500_fails: Option<bool>,
    /// Method and path of async subscriptions are compared as texts.
    pub(crate) exact_arrivals: Option<bool>,
    /// What a function at a URL answers to a caller must be the object of the Event Gateway.
    pub(crate) only_answer_objects: Option<bool>,
}

/// Whether everything is done as the Event Gateway did, or nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Profile {
    /// Nothing is.
    #[default]
    None,
    /// Everything that can be.
    EventGateway,
}

impl CompatibilitySettings {
    /// Returns what the door does.
    pub(crate) fn of_gateway(&self) -> weir_gateway::Compatibility {
        weir_gateway::Compatibility {
            unmatched_requests: self.is_on(self.unmatched_requests),
            base64_bodies: self.is_on(self.base64_bodies),
            encoded_params: self.is_on(self.encoded_params),
            cross_space_matching: self.is_on(self.cross_space_matching),
        }
    }

    /// Returns what the flow does.
    pub(crate) fn of_flow(&self) -> weir_flow::Compatibility {
        weir_flow::Compatibility {
            unregistered_types: self.is_on(self.unregistered_types),
            old_events: self.is_on(self.old_events),
            only_500_fails: self.is_on(self.only_500_fails),
            exact_arrivals: self.is_on(self.exact_arrivals),
            only_answer_objects: self.is_on(self.only_answer_objects),
        }
    }

    fn is_on(&self, own: Option<bool>) -> bool {
        own.unwrap_or(self.profile == Profile::EventGateway)
    }
}

#[cfg(test)]
mod tests {
    use weir_flow::Compatibility as OfFlow;
    use weir_gateway::Compatibility as OfGateway;

    use super::*;

    #[test]
    fn a_switch_counts_more_than_the_profile() {
        let none = CompatibilitySettings::default();
        assert_eq!((none.of_gateway(), none.of_flow()), (OfGateway::default(), OfFlow::default()));
        let all = CompatibilitySettings { profile: Profile::EventGateway, ..none.clone() };
        assert_eq!((all.of_gateway(), all.of_flow()), (OfGateway::EVENT_GATEWAY, OfFlow::EVENT_GATEWAY));

        let one = CompatibilitySettings { base64_bodies: Some(true), old_events: Some(true), ..none };
        assert_eq!(one.of_gateway(), OfGateway { base64_bodies: true, ..OfGateway::default() });
        assert_eq!(one.of_flow(), OfFlow { old_events: true, ..OfFlow::default() });
        let but_one = CompatibilitySettings { unmatched_requests: Some(false), only_500_fails: Some(false), ..all };
        assert_eq!(but_one.of_gateway(), OfGateway { unmatched_requests: false, ..OfGateway::EVENT_GATEWAY });
        assert_eq!(but_one.of_flow(), OfFlow { only_500_fails: false, ..OfFlow::EVENT_GATEWAY });
    }
}
