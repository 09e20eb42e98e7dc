//! The rules of one event type, or of one wildcard.

use std::{hash::Hash, ptr, sync::Arc};

use super::{
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
    filtered: Table<Filter, Listeners<T>>,
    /// Of the filters, where they are more than [`ASKED_MAX`].
    index: Option<Arc<Index>>,
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
        self.plain.taking(came).chain(self.filtered.iter().flat_map(move |each| each.value.taking(came)))
    }

    /// Adds what the filters ask of the data.
    pub(super) fn members<'m>(&'m self, members: &mut MembersOf<'m>) {
        match &self.index {
            Some(index) => members.extend(index.members()),
            None => members.extend(self.filtered.keys().filter_map(Filter::members)),
        }
    }

    /// Appends the values whose filter lets an event through and whose entrance takes it.
    pub(super) fn matches<'q, 'm: 'q>(
        &'m self,
        came: Came<'_>,
        question: &mut Question<'q>,
        found: &mut Vec<&'m T>,
    ) {
        let Some(index) = &self.index else {
            for each in self.filtered.iter().filter(|each| each.value.take(came)) {
                if question.holds(&each.key) {
                    found.extend(each.value.taking(came));
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
            let Some(listeners) = self.filtered.get_hashed(posting.hash, filter) else { continue };
            // An event may have several keys of one cover.
            let address = ptr::from_ref(listeners).addr();
            if is_one_of_several && !(question.is_first(address) && question.holds(filter)) {
                continue;
            }
            found.extend(listeners.taking(came));
        }
    }
}

impl<T: Clone + Eq + Hash> Bucket<T> {
    /// Adds a rule and tells whether it is new.
    pub(super) fn insert(&mut self, filter: Option<&Filter>, entrance: Option<&Arc<Entrance>>, value: T) -> bool {
        let Some(filter) = filter else { return self.plain.insert(entrance, value) };
        let is_new = self.filtered.get(filter).is_none();
        let added = self.filtered.or_default(filter, || filter.clone()).insert(entrance, value);
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
        let Some(listeners) = self.filtered.get_mut(filter) else { return false };
        let was_there = listeners.remove(entrance, value);
        if listeners.is_empty() {
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
