//! Values of rules that differ in nothing but where an event comes in.

use std::{hash::Hash, sync::Arc};

use super::table::Table;
use crate::{Arrival, Entrance, Matching};

/// By which request an event came in, and how that is compared.
#[derive(Clone, Copy)]
pub(super) struct Came<'a> {
    arrival: Arrival<'a>,
    matching: Matching,
    /// Whether the usual entrance takes it, which nearly all rules have.
    is_usual: bool,
}

impl<'a> Came<'a> {
    pub(super) fn new(arrival: Arrival<'a>, matching: Matching) -> Self {
        Self { arrival, matching, is_usual: matching == Matching::Pattern || arrival == Arrival::DEFAULT }
    }
}

/// Values by the entrances of their rules.
#[derive(Clone)]
pub(super) struct Listeners<T> {
    /// Of those with the usual entrance, which is not kept.
    usual: Table<T, ()>,
    others: Table<Arc<Entrance>, Table<T, ()>>,
}

impl<T> Default for Listeners<T> {
    fn default() -> Self {
        Self { usual: Table::default(), others: Table::default() }
    }
}

impl<T> Listeners<T> {
    pub(super) fn is_empty(&self) -> bool {
        self.usual.is_empty() && self.others.is_empty()
    }

    /// Tells whether the entrance of any value takes an event that came in so.
    pub(super) fn take(&self, came: Came<'_>) -> bool {
        self.taking(came).next().is_some()
    }

    /// Returns the values whose entrance takes an event that came in so.
    pub(super) fn taking(&self, came: Came<'_>) -> impl Iterator<Item = &T> {
        let usual = came.is_usual.then(|| self.usual.keys());
        let others = self.others.iter().filter(move |each| each.key.takes(came.arrival, came.matching));
        usual.into_iter().flatten().chain(others.flat_map(|each| each.value.keys()))
    }
}

impl<T: Clone + Eq + Hash> Listeners<T> {
    /// Adds a value; `None` is the usual entrance. Tells whether it is new.
    pub(super) fn insert(&mut self, entrance: Option<&Arc<Entrance>>, value: T) -> bool {
        let values = match entrance {
            None => &mut self.usual,
            Some(entrance) => self.others.or_default(entrance, || Arc::clone(entrance)),
        };
        values.insert(value, ()).is_none()
    }

    /// Takes a value out and tells whether it was there.
    pub(super) fn remove(&mut self, entrance: Option<&Arc<Entrance>>, value: &T) -> bool {
        let Some(entrance) = entrance else { return self.usual.remove(value).is_some() };
        let Some(values) = self.others.get_mut(entrance) else { return false };
        let was_there = values.remove(value).is_some();
        if values.is_empty() {
            self.others.remove(entrance);
        }
        was_there
    }
}
