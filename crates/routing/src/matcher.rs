//! Which asynchronous subscriptions an event is for.
//!
//! Rules are compiled once for each state of the catalog and asked once for each event. A rule names one event type, a
//! method and a path by which the event came in, and perhaps a filter; all but the type are looked at on the few
//! candidates that the event type leaves.

use std::collections::HashMap;

use weir_domain::Event;

use crate::{Arrival, Entrance, Filter, Matching, Method};

/// What one subscription wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rule<'a> {
    /// The event type, compared exactly.
    pub event_type: &'a str,
    /// The method by which an event comes in, see [`Matching`].
    pub method: Method,
    /// The path at which an event comes in, likewise.
    pub path: &'a str,
    /// What else is asked of an event, if anything.
    pub filter: Option<&'a Filter>,
}

/// The compiled rules of one space.
#[derive(Clone, Debug, Default)]
pub struct Matcher {
    // Never iterated, so the order of a hash map cannot show.
    by_type: HashMap<Box<str>, Vec<usize>>,
    /// Of each rule.
    conditions: Vec<Condition>,
}

/// What a rule asks of an event beside its type.
#[derive(Clone, Debug)]
struct Condition {
    entrance: Entrance,
    filter: Option<Filter>,
}

impl Matcher {
    /// Compiles rules; a rule is known by its place in the order given.
    #[must_use]
    pub fn compile<'a>(rules: impl IntoIterator<Item = Rule<'a>>) -> Self {
        let mut by_type: HashMap<Box<str>, Vec<usize>> = HashMap::new();
        let mut conditions = Vec::new();
        for (index, rule) in rules.into_iter().enumerate() {
            let entrance = Entrance::new(rule.method, rule.path);
            conditions.push(Condition { entrance, filter: rule.filter.cloned() });
            match by_type.get_mut(rule.event_type) {
                Some(indices) => indices.push(index),
                None => {
                    by_type.insert(rule.event_type.into(), vec![index]);
                }
            }
        }
        Self { by_type, conditions }
    }

    fn candidates(&self, event_type: &str) -> &[usize] {
        match self.by_type.get(event_type) {
            Some(indices) => indices,
            None => &[],
        }
    }

    /// Returns the rules that an event matches, ascending. Allocates nothing.
    pub fn matches<'a>(&'a self, event: &'a Event, matching: Matching) -> impl Iterator<Item = usize> + use<'a> {
        let wants = move |index: &usize| match &self.conditions[*index].filter {
            Some(filter) => filter.matches(event),
            None => true,
        };
        self.could_match(event.event_type(), Arrival::of(event), matching).filter(wants)
    }

    /// Returns the rules that an event of one type which comes in so could match, ascending: what their filters say is
    /// known once there is the event. Allocates nothing.
    pub fn could_match<'a>(
        &'a self,
        event_type: &str,
        arrival: Arrival<'a>,
        matching: Matching,
    ) -> impl Iterator<Item = usize> + use<'a> {
        let takes = move |index: &usize| self.conditions[*index].entrance.takes(arrival, matching);
        self.candidates(event_type).iter().copied().filter(takes)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use weir_domain::Event;

    use super::{Matcher, Rule};
    use crate::{Arrival, Filter, Matching, Method};

    #[test]
    fn rules_are_found_by_event_type_and_arrival_in_their_order() {
        let rules = [("a", "/"), ("b", "/"), ("a", "/x"), ("a.b", "/"), ("a", "/:id")];
        let rule = |(event_type, path)| Rule { event_type, method: Method::Post, path, filter: None };
        let matcher = Matcher::compile(rules.map(rule));
        let check = |event_type: &str, path: &str, pattern: &[usize], exact: &[usize]| {
            let arrival = Arrival { path, ..Arrival::DEFAULT };
            let event = arrival
                .attributes()
                .fold(Event::builder("1", "/s", event_type), |event, (name, value)| event.extension(name, value));
            let event = event.build().expect("valid");
            for (matching, expected) in [(Matching::Pattern, pattern), (Matching::Exact, exact)] {
                let found: Vec<usize> = matcher.could_match(event_type, arrival, matching).collect();
                assert_eq!(found, expected, "{event_type} {path} {matching:?}");
                let found: Vec<usize> = matcher.matches(&event, matching).collect();
                assert_eq!(found, expected, "{event_type} {path} {matching:?}, as an event");
            }
        };
        check("a", "/", &[0], &[0]);
        check("a", "/x", &[0, 2, 4], &[2]);
        check("a", "/y", &[0, 4], &[]);
        check("b", "/x", &[1], &[]);
        check("a.b", "/", &[3], &[3]);
        check("c", "/", &[], &[]);
    }

    #[test]
    fn filters_are_asked_once_there_is_an_event() {
        let filters = ["eu", "us"].map(|area| Filter::parse(&json!({ "exact": { "area": area } })).expect("a filter"));
        let rule = |filter, path| Rule { event_type: "a", method: Method::Post, path, filter };
        let [eu, us] = &filters;
        let rules = [rule(Some(eu), "/"), rule(None, "/"), rule(Some(us), "/"), rule(Some(eu), "/x")];
        let matcher = Matcher::compile(rules);
        let could: Vec<usize> = matcher.could_match("a", Arrival::DEFAULT, Matching::Pattern).collect();
        assert_eq!(could, [0, 1, 2]);
        let check = |area: Option<&str>, expected: &[usize]| {
            let event = Event::builder("1", "/s", "a").extension_opt("area", area).build().expect("valid");
            let found: Vec<usize> = matcher.matches(&event, Matching::Pattern).collect();
            assert_eq!(found, expected, "{area:?}");
        };
        check(Some("eu"), &[0, 1]);
        check(Some("us"), &[1, 2]);
        check(Some("asia"), &[1]);
        check(None, &[1]);
    }
}
