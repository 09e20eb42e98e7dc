//! What equal rules have in common, kept once.

use std::{
    collections::HashSet,
    sync::{Arc, Mutex, PoisonError},
};

use super::Rule;
use crate::{Arrival, Entrance, Filter, filter::Interner};

/// When so many entrances are known for the first time, those are looked for that nobody has any more.
const ENTRANCES_FIRST: usize = 64;

/// Filters and entrances of a matcher and of all its clones.
#[derive(Clone, Default)]
pub(super) struct Shared(Arc<Mutex<Known>>);

#[derive(Default)]
struct Known {
    filters: Interner,
    // Never iterated but to forget, so the order of a hash set cannot show.
    entrances: HashSet<Arc<Entrance>>,
    /// How many entrances there were when it was last looked which of them nobody has.
    in_use: usize,
}

impl Shared {
    /// Compiles where the events of a rule come in; `None` is the usual entrance.
    pub(super) fn entrance(rule: &Rule<'_>) -> Option<Arc<Entrance>> {
        let usual = Arrival::DEFAULT;
        let is_usual = rule.method.as_str() == usual.method && rule.path == usual.path;
        (!is_usual).then(|| Arc::new(Entrance::new(rule.method, rule.path)))
    }

    /// Returns the filter and the entrance of a rule, each the same one for all rules that have equal ones.
    pub(super) fn intern(&self, rule: &Rule<'_>) -> (Option<Filter>, Option<Arc<Entrance>>) {
        let entrance = Self::entrance(rule);
        // What is behind the lock is whole between any two of its calls.
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let filter = rule.filter.map(|filter| known.filters.intern(filter));
        (filter, entrance.map(|entrance| known.entrance(entrance)))
    }

    /// Returns how many entrances are known.
    #[cfg(test)]
    pub(super) fn entrances(&self) -> usize {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).entrances.len()
    }
}

impl Known {
    fn entrance(&mut self, entrance: Arc<Entrance>) -> Arc<Entrance> {
        if let Some(known) = self.entrances.get(&entrance) {
            return Arc::clone(known);
        }
        if self.entrances.len() >= 2 * self.in_use.max(ENTRANCES_FIRST / 2) {
            self.entrances.retain(|each| Arc::strong_count(each) > 1);
            self.in_use = self.entrances.len();
        }
        self.entrances.insert(Arc::clone(&entrance));
        entrance
    }
}
