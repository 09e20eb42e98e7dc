//! Which asynchronous subscriptions an event is for.
//!
//! Rules are compiled once for each state of the catalog and asked once for each event. A rule names one event type;
//! a filter expression, where a rule will have one, is evaluated in [`Matcher::matches`] on the few candidates that
//! the event type leaves.

use std::collections::HashMap;

use weir_domain::Event;

/// What one subscription wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rule<'a> {
    /// The event type, compared exactly.
    pub event_type: &'a str,
}

/// The compiled rules of one space.
#[derive(Clone, Debug, Default)]
pub struct Matcher {
    // Never iterated, so the order of a hash map cannot show.
    by_type: HashMap<Box<str>, Vec<usize>>,
}

impl Matcher {
    /// Compiles rules; a rule is known by its place in the order given.
    #[must_use]
    pub fn compile<'a>(rules: impl IntoIterator<Item = Rule<'a>>) -> Self {
        let mut by_type: HashMap<Box<str>, Vec<usize>> = HashMap::new();
        for (index, rule) in rules.into_iter().enumerate() {
            match by_type.get_mut(rule.event_type) {
                Some(indices) => indices.push(index),
                None => {
                    by_type.insert(rule.event_type.into(), vec![index]);
                }
            }
        }
        Self { by_type }
    }

    /// Returns the rules that events of one type can match, ascending. Allocates nothing.
    #[must_use]
    pub fn candidates(&self, event_type: &str) -> &[usize] {
        match self.by_type.get(event_type) {
            Some(indices) => indices,
            None => &[],
        }
    }

    /// Returns the rules that an event matches, ascending. Allocates nothing.
    pub fn matches<'m>(&'m self, event: &Event) -> impl Iterator<Item = usize> + use<'m> {
        self.candidates(event.event_type()).iter().copied()
    }
}

#[cfg(test)]
mod tests {
    use weir_domain::Event;

    use super::{Matcher, Rule};

    #[test]
    fn rules_are_found_by_event_type_in_their_order() {
        let matcher = Matcher::compile(["a", "b", "a", "a.b"].map(|event_type| Rule { event_type }));
        let check = |event_type: &str, expected: &[usize]| {
            let event = Event::builder("1", "/s", event_type).build().expect("valid");
            assert_eq!(matcher.matches(&event).collect::<Vec<_>>(), expected, "{event_type}");
            assert_eq!(matcher.candidates(event_type), expected, "{event_type}");
        };
        check("a", &[0, 2]);
        check("b", &[1]);
        check("a.b", &[3]);
        check("c", &[]);
    }
}
