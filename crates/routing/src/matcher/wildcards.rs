//! The rules of wildcards, as a trie over the parts of names.

use std::sync::Arc;

use smallvec::SmallVec;

use super::{bucket::Bucket, table::Table};
use crate::type_pattern::{ONE, REST, TypePattern};

/// Where the rules for an event stand: those of its type, and of each wildcard that its type is one of.
pub(super) type Buckets<'m, T> = SmallVec<[&'m Bucket<T>; 8]>;

/// What follows some parts of a wildcard.
#[derive(Clone)]
pub(super) struct Wildcards<T> {
    /// Below a part of this name.
    named: Table<Arc<str>, Arc<Self>>,
    /// Below any one part.
    one: Option<Arc<Self>>,
    /// Whatever parts follow, if at least one.
    rest: Option<Arc<Bucket<T>>>,
    /// Where nothing follows.
    end: Option<Arc<Bucket<T>>>,
}

impl<T> Default for Wildcards<T> {
    fn default() -> Self {
        Self { named: Table::default(), one: None, rest: None, end: None }
    }
}

impl<T> Wildcards<T> {
    pub(super) fn is_empty(&self) -> bool {
        self.named.is_empty() && self.one.is_none() && self.rest.is_none() && self.end.is_none()
    }

    /// Finds the rules of all wildcards that a name is one of; `name` is what is left of it.
    pub(super) fn find<'m>(&'m self, name: Option<&str>, buckets: &mut Buckets<'m, T>) {
        let Some(name) = name else {
            buckets.extend(self.end.as_deref());
            return;
        };
        buckets.extend(self.rest.as_deref());
        let (part, after) = match name.split_once('.') {
            Some((part, after)) => (part, Some(after)),
            None => (name, None),
        };
        let below = [self.one.as_deref(), self.named.get(part).map(|next| &**next)];
        for next in below.into_iter().flatten() {
            next.find(after, buckets);
        }
    }
}

impl<T: Clone> Wildcards<T> {
    /// Finds the rules of a wildcard to add to them.
    pub(super) fn place_for(&mut self, pattern: &TypePattern) -> &mut Bucket<T> {
        let mut level = self;
        for part in pattern.parts() {
            level = match part {
                REST => return Arc::make_mut(level.rest.get_or_insert_default()),
                ONE => Arc::make_mut(level.one.get_or_insert_default()),
                name => Arc::make_mut(level.named.or_default(name, || name.into())),
            };
        }
        Arc::make_mut(level.end.get_or_insert_default())
    }

    /// Changes the rules of a wildcard, where there are any, and forgets what is empty then. `parts` are those that are
    /// left of it.
    pub(super) fn change(&mut self, parts: &[&str], change: &mut dyn FnMut(&mut Bucket<T>) -> bool) -> bool {
        match parts {
            [] => change_bucket(&mut self.end, change),
            [REST, ..] => change_bucket(&mut self.rest, change),
            [ONE, after @ ..] => {
                let Some(level) = &mut self.one else { return false };
                let (changed, is_empty) = change_level(level, after, change);
                if is_empty {
                    self.one = None;
                }
                changed
            }
            [name, after @ ..] => {
                let Some(level) = self.named.get_mut(*name) else { return false };
                let (changed, is_empty) = change_level(level, after, change);
                if is_empty {
                    self.named.remove(*name);
                }
                changed
            }
        }
    }
}

/// Tells whether there was a change, and whether nothing is left.
fn change_level<T: Clone>(
    level: &mut Arc<Wildcards<T>>,
    parts: &[&str],
    change: &mut dyn FnMut(&mut Bucket<T>) -> bool,
) -> (bool, bool) {
    let level = Arc::make_mut(level);
    (level.change(parts, change), level.is_empty())
}

fn change_bucket<T: Clone>(place: &mut Option<Arc<Bucket<T>>>, change: &mut dyn FnMut(&mut Bucket<T>) -> bool) -> bool {
    let Some(bucket) = place else { return false };
    let bucket = Arc::make_mut(bucket);
    let changed = change(bucket);
    if bucket.is_empty() {
        *place = None;
    }
    changed
}
