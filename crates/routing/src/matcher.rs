//! Which asynchronous subscriptions an event is for.
//!
//! A rule names an event type or a wildcard, a method and a path by which events come in, and perhaps a filter. Rules
//! of one type or wildcard stand in one `bucket`: those without a filter as a list, and the others by what their
//! filters promise of the events that they let through (`index`), so that few filters are asked of which the answer is
//! no.
//!
//! Everything is persistent: a clone shares all with the one that it is of, and a change copies the way to what it
//! changes. Readers take no lock.

mod bucket;
mod hint;
mod index;
mod listeners;
mod question;
mod shared;
mod spans;
mod table;
mod wildcards;

use std::{fmt, hash::Hash, sync::Arc};

use weir_domain::Event;

pub use self::question::Scratch;
use self::{
    bucket::Bucket,
    hint::Traits,
    listeners::Came,
    question::{MembersOf, Question},
    shared::Shared,
    table::Table,
    wildcards::{Buckets, Wildcards},
};
use crate::{Arrival, Filter, Matching, Method, TypePattern};

/// What one subscription wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rule<'a> {
    /// The event type, or a wildcard over such.
    pub event_type: &'a TypePattern,
    /// The method by which an event comes in, see [`Matching`].
    pub method: Method,
    /// The path at which an event comes in, likewise.
    pub path: &'a str,
    /// What else is asked of an event, if anything.
    pub filter: Option<&'a Filter>,
}

/// The rules of one space, each with a value: usually who wants the events.
///
/// A clone is cheap, and stays as it is whatever happens to the one that it is of. Clones share what makes equal
/// filters one: only changes take the lock of that.
#[derive(Clone)]
pub struct Matcher<T> {
    names: Table<Arc<str>, Arc<Bucket<T>>>,
    wildcards: Wildcards<T>,
    len: usize,
    shared: Shared,
}

impl<T> Default for Matcher<T> {
    fn default() -> Self {
        Self { names: Table::default(), wildcards: Wildcards::default(), len: 0, shared: Shared::default() }
    }
}

impl<T> fmt::Debug for Matcher<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Matcher").field("len", &self.len).finish_non_exhaustive()
    }
}

impl<T> Matcher<T> {
    /// Makes a matcher without rules.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Returns how many rules there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Tells whether there are no rules.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Appends the value of each rule that an event matches, in no particular order. A rule that stands in several
    /// places of the index is there once.
    ///
    /// What it costs is decided by the rules that match and those that nearly do, and not by how many there are.
    /// Allocates nothing where these are few.
    pub fn matches<'m>(&'m self, event: &Event, matching: Matching, scratch: &mut Scratch, found: &mut Vec<&'m T>) {
        let came = Came::new(Arrival::of(event), matching);
        let buckets = self.buckets(event.event_type());
        buckets.iter().for_each(|bucket| found.extend(bucket.plain(came)));
        if !buckets.iter().any(|bucket| bucket.has_filters()) {
            return;
        }
        let traits = Traits::of(event);
        let mut members = MembersOf::new();
        buckets.iter().for_each(|bucket| bucket.members(&traits, &mut members));
        let mut question = Question::new(event, &members, scratch);
        for bucket in &buckets {
            bucket.matches(came, &traits, &mut question, found);
        }
    }

    /// Returns the value of each rule that an event of one type which comes in so could match, in no particular order:
    /// what their filters say is known once there is the event.
    pub fn could_match<'m>(
        &'m self,
        event_type: &str,
        arrival: Arrival<'m>,
        matching: Matching,
    ) -> impl Iterator<Item = &'m T> + use<'m, T> {
        let came = Came::new(arrival, matching);
        self.buckets(event_type).into_iter().flat_map(move |bucket| bucket.taking(came))
    }

    /// Finds where the rules for an event type stand.
    fn buckets(&self, event_type: &str) -> Buckets<'_, T> {
        let mut buckets = Buckets::new();
        buckets.extend(self.names.get(event_type).map(|bucket| &**bucket));
        if !self.wildcards.is_empty() && !TypePattern::is_own(event_type) {
            self.wildcards.find(Some(event_type), &mut buckets);
        }
        buckets
    }
}

impl<T: Clone + Eq + Hash> Matcher<T> {
    /// Adds a rule. Where the same rule has an equal value already, nothing changes.
    pub fn insert(&mut self, rule: &Rule<'_>, value: T) {
        let (filter, entrance) = self.shared.intern(rule);
        let bucket = match rule.event_type.name() {
            Some(name) => Arc::make_mut(self.names.or_default(name, || name.into())),
            None => self.wildcards.place_for(rule.event_type),
        };
        let is_new = bucket.insert(filter.as_ref(), entrance.as_ref(), value);
        self.len += usize::from(is_new);
    }

    /// Takes a rule out, which must be the one that was added with the value; tells whether it was there.
    pub fn remove(&mut self, rule: &Rule<'_>, value: &T) -> bool {
        let entrance = Shared::entrance(rule);
        let mut remove = |bucket: &mut Bucket<T>| bucket.remove(rule.filter, entrance.as_ref(), value);
        let was_there = match rule.event_type.name() {
            Some(name) => {
                let Some(bucket) = self.names.get_mut(name) else { return false };
                let bucket = Arc::make_mut(bucket);
                let was_there = remove(bucket);
                if bucket.is_empty() {
                    self.names.remove(name);
                }
                was_there
            }
            None => {
                let parts: Vec<&str> = rule.event_type.parts().collect();
                self.wildcards.change(&parts, &mut remove)
            }
        };
        self.len -= usize::from(was_there);
        was_there
    }
}

#[cfg(test)]
mod tests;
