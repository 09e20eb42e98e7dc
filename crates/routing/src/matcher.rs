//! Which asynchronous subscriptions an event is for.
//!
//! Rules are compiled once for each state of the catalog and asked once for each event. A rule names one event type, and
//! a method and a path by which the event came in; these, and a filter expression, where a rule will have one, are looked
//! at in [`Matcher::matches`] on the few candidates that the event type leaves.

use std::collections::HashMap;

use crate::{Arrival, Entrance, Matching, Method};

/// What one subscription wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rule<'a> {
    /// The event type, compared exactly.
    pub event_type: &'a str,
    /// The method by which an event comes in, see [`Matching`].
    pub method: Method,
    /// The path at which an event comes in, likewise.
    pub path: &'a str,
}

/// The compiled rules of one space.
#[derive(Clone, Debug, Default)]
pub struct Matcher {
    // Never iterated, so the order of a hash map cannot show.
    by_type: HashMap<Box<str>, Vec<usize>>,
    /// Of each rule.
    entrances: Vec<Entrance>,
}

impl Matcher {
    /// Compiles rules; a rule is known by its place in the order given.
    #[must_use]
    pub fn compile<'a>(rules: impl IntoIterator<Item = Rule<'a>>) -> Self {
        let mut by_type: HashMap<Box<str>, Vec<usize>> = HashMap::new();
        let mut entrances = Vec::new();
        for (index, rule) in rules.into_iter().enumerate() {
            entrances.push(Entrance::new(rule.method, rule.path));
            match by_type.get_mut(rule.event_type) {
                Some(indices) => indices.push(index),
                None => {
                    by_type.insert(rule.event_type.into(), vec![index]);
                }
            }
        }
        Self { by_type, entrances }
    }

    fn candidates(&self, event_type: &str) -> &[usize] {
        match self.by_type.get(event_type) {
            Some(indices) => indices,
            None => &[],
        }
    }

    /// Returns the rules that events of one type match which come in so, ascending. Allocates nothing.
    pub fn matches<'a>(
        &'a self,
        event_type: &str,
        arrival: Arrival<'a>,
        matching: Matching,
    ) -> impl Iterator<Item = usize> + use<'a> {
        let takes = move |index: &usize| self.entrances[*index].takes(arrival, matching);
        self.candidates(event_type).iter().copied().filter(takes)
    }
}

#[cfg(test)]
mod tests {
    use super::{Matcher, Rule};
    use crate::{Arrival, Matching, Method};

    #[test]
    fn rules_are_found_by_event_type_and_arrival_in_their_order() {
        let rules = [("a", "/"), ("b", "/"), ("a", "/x"), ("a.b", "/"), ("a", "/:id")];
        let rule = |(event_type, path)| Rule { event_type, method: Method::Post, path };
        let matcher = Matcher::compile(rules.map(rule));
        let check = |event_type: &str, path: &str, pattern: &[usize], exact: &[usize]| {
            let arrival = Arrival { path, ..Arrival::DEFAULT };
            for (matching, expected) in [(Matching::Pattern, pattern), (Matching::Exact, exact)] {
                let found: Vec<usize> = matcher.matches(event_type, arrival, matching).collect();
                assert_eq!(found, expected, "{event_type} {path} {matching:?}");
            }
        };
        check("a", "/", &[0], &[0]);
        check("a", "/x", &[0, 2, 4], &[2]);
        check("a", "/y", &[0, 4], &[]);
        check("b", "/x", &[1], &[]);
        check("a.b", "/", &[3], &[3]);
        check("c", "/", &[], &[]);
    }
}
