//! The rules of one event type, or of one wildcard.

use std::{hash::Hash, ptr, sync::Arc};

use super::{
    hint::{Hint, Traits},
    index::Index,
    listeners::{Came, Listeners},
    question::{MembersOf, Question},
    table::Table,
};
use crate::{Entrance, Filter};

/// So many filters are each asked: that is as fast as finding them, and takes no memory.
const ASKED_MAX: usize = 8;
/// With so few there is no index any more; less than [`ASKED_MAX`], so that one that comes and goes does not make it
/// anew.
const ASKED_AGAIN: usize = ASKED_MAX / 2;

/// Rules that are about the same events but for their filters and entrances.
#[derive(Clone)]
pub(super) struct Bucket<T> {
    plain: Listeners<T>,
    /// By filter: each is there once, and asked once.
    filtered: Table<Filter, Candidate<T>>,
    /// Of the filters, where they are more than [`ASKED_MAX`].
    index: Option<Arc<Index>>,
}

/// Who has one filter.
#[derive(Clone)]
struct Candidate<T> {
    hint: Hint,
    /// The filter asks something of the data.
    has_members: bool,
    listeners: Listeners<T>,
}

impl<T> Default for Candidate<T> {
    fn default() -> Self {
        Self { hint: Hint::None, has_members: false, listeners: Listeners::default() }
    }
}

impl<T> Default for Bucket<T> {
    fn default() -> Self {
        Self { plain: Listeners::default(), filtered: Table::default(), index: None }
    }
}

impl<T> Bucket<T> {
    pub(super) fn is_empty(&self) -> bool {
        self.plain.is_empty() && self.filtered.is_empty()
    }

    pub(super) fn has_filters(&self) -> bool {
        !self.filtered.is_empty()
    }

    /// Returns the values without a filter whose entrance takes an event that came in so.
    pub(super) fn plain(&self, came: Came<'_>) -> impl Iterator<Item = &T> {
        self.plain.taking(came)
    }

    /// Returns the values whose entrance takes an event that came in so, whatever their filters say.
    pub(super) fn taking(&self, came: Came<'_>) -> impl Iterator<Item = &T> {
        self.plain.taking(came).chain(self.filtered.iter().flat_map(move |each| each.value.listeners.taking(came)))
    }

    /// Adds what the filters that may let an event through ask of the data.
    pub(super) fn members<'m>(&'m self, traits: &Traits, members: &mut MembersOf<'m>) {
        match &self.index {
            Some(index) => members.extend(index.members()),
            None => {
                let asks = |each: &Candidate<T>| each.has_members && traits.may_have(each.hint);
                let asking = self.filtered.iter().filter(|each| asks(&each.value));
                members.extend(asking.filter_map(|each| each.key.members()));
            }
        }
    }

    /// Appends the values whose filter lets an event through and whose entrance takes it.
    pub(super) fn matches<'q, 'm: 'q>(
        &'m self,
        came: Came<'_>,
        traits: &Traits,
        question: &mut Question<'q>,
        found: &mut Vec<&'m T>,
    ) {
        let Some(index) = &self.index else {
            let may_want = |each: &Candidate<T>| traits.may_have(each.hint) && each.listeners.take(came);
            for each in self.filtered.iter().filter(|each| may_want(&each.value)) {
                if question.holds(&each.key) {
                    found.extend(each.value.listeners.taking(came));
                }
            }
            return;
        };
        let hits = index.find(question);
        question.begin_bucket();
        for posting in hits.iter().flat_map(|hit| hit.iter()) {
            let (filter, is_one_of_several) = (&posting.key, posting.value);
            if !is_one_of_several && !question.holds(filter) {
                continue;
            }
            let Some(candidate) = self.filtered.get_hashed(posting.hash, filter) else { continue };
            // An event may have several keys of one cover.
            let address = ptr::from_ref(candidate).addr();
            if is_one_of_several && !(question.is_first(address) && question.holds(filter)) {
                continue;
            }
            found.extend(candidate.listeners.taking(came));
        }
    }
}

impl<T: Clone + Eq + Hash> Bucket<T> {
    /// Adds a rule and tells whether it is new.
    pub(super) fn insert(&mut self, filter: Option<&Filter>, entrance: Option<&Arc<Entrance>>, value: T) -> bool {
        let Some(filter) = filter else { return self.plain.insert(entrance, value) };
        let is_new = self.filtered.get(filter).is_none();
        let candidate = self.filtered.or_default(filter, || filter.clone());
        if is_new {
            (candidate.hint, candidate.has_members) = (Hint::of(filter), filter.members().is_some());
        }
        let added = candidate.listeners.insert(entrance, value);
        if is_new {
            match &mut self.index {
                Some(index) => Arc::make_mut(index).insert(filter),
                None if self.filtered.len() > ASKED_MAX => {
                    self.index = Some(Arc::new(Index::of(self.filtered.keys())));
                }
                None => {}
            }
        }
        added
    }

    /// Takes a rule out and tells whether it was there.
    pub(super) fn remove(&mut self, filter: Option<&Filter>, entrance: Option<&Arc<Entrance>>, value: &T) -> bool {
        let Some(filter) = filter else { return self.plain.remove(entrance, value) };
        let Some(candidate) = self.filtered.get_mut(filter) else { return false };
        let was_there = candidate.listeners.remove(entrance, value);
        if candidate.listeners.is_empty() {
            self.filtered.remove(filter);
            if self.filtered.len() <= ASKED_AGAIN {
                self.index = None;
            } else if let Some(index) = &mut self.index {
                Arc::make_mut(index).remove(filter);
            }
        }
        was_there
    }
}
