//! The filters of one event type that have too many neighbours to be asked each time, by the keys of their covers.

use std::sync::Arc;

use smallvec::SmallVec;

use super::{
    question::{Question, Sought},
    spans::Spans,
    table::Table,
};
use crate::{
    Filter,
    cover::{Key, Literal, Operand},
    document::Members,
};

/// Filters that stand in one place of an index, and of each whether it stands in others too.
pub(super) type Postings = Table<Filter, bool>;

/// Places of an index where the filters of an event stand.
pub(super) type Hits<'m> = SmallVec<[&'m Postings; 8]>;

/// Where filters stand.
#[derive(Clone, Default)]
pub(super) struct Index {
    /// Those that promise nothing of the events that they let through: asked each time.
    always: Postings,
    lanes: Table<Arc<Operand>, Lane>,
    /// What the filters ask for of the data.
    members: Members,
}

/// What is compared with one operand.
#[derive(Clone, Default)]
struct Lane {
    texts: Table<Arc<str>, Postings>,
    /// Everything but texts.
    literals: Table<Literal, Postings>,
    prefixes: Prefixes,
    spans: Spans,
}

/// Texts with which others begin.
#[derive(Clone, Default)]
struct Prefixes {
    texts: Table<Arc<str>, Postings>,
    /// How long they are in bytes, ascending, and how many are so long: a text begins with at most one of each length.
    lengths: Arc<[(usize, usize)]>,
}

impl Index {
    pub(super) fn of<'a>(filters: impl Iterator<Item = &'a Filter>) -> Self {
        let mut index = Self::default();
        filters.for_each(|filter| index.insert(filter));
        index
    }

    /// Returns what the filters ask for of the data, if anything.
    pub(super) fn members(&self) -> Option<&Members> {
        (!self.members.is_empty()).then_some(&self.members)
    }

    /// Adds a filter, which is not there yet.
    pub(super) fn insert(&mut self, filter: &Filter) {
        if let Some(members) = filter.members() {
            self.members.merge(members);
        }
        let cover = filter.cover();
        let Some(keys) = cover.keys() else {
            self.always.insert(filter.clone(), false);
            return;
        };
        for key in keys {
            let lane = self.lanes.or_default(key.operand(), || Arc::new(key.operand().clone()));
            lane.insert(key, filter, keys.len() > 1);
        }
    }

    /// Takes a filter out, which is there.
    pub(super) fn remove(&mut self, filter: &Filter) {
        if let Some(members) = filter.members() {
            self.members.unmerge(members);
        }
        let cover = filter.cover();
        let Some(keys) = cover.keys() else {
            self.always.remove(filter);
            return;
        };
        for key in keys {
            // A cover may have a key twice.
            let Some(lane) = self.lanes.get_mut(key.operand()) else { continue };
            lane.remove(key, filter);
            if lane.is_empty() {
                self.lanes.remove(key.operand());
            }
        }
    }

    /// Finds where filters stand that may let an event through: all that do so are there.
    pub(super) fn find(&self, question: &mut Question<'_>) -> Hits<'_> {
        let mut hits = Hits::new();
        if !self.always.is_empty() {
            hits.push(&self.always);
        }
        for lane in self.lanes.iter() {
            let first = hits.len();
            question.values(&lane.key, |sought| lane.value.find(&sought, &mut hits));
            // An array may have what is sought more than once.
            if hits.len() > first + 1 && matches!(*lane.key, Operand::Data(_)) {
                distinct(&mut hits, first);
            }
        }
        hits
    }
}

/// Leaves each place once from a certain one on.
fn distinct(hits: &mut Hits<'_>, first: usize) {
    let address = |hit: &&Postings| std::ptr::from_ref::<Postings>(hit).addr();
    hits[first..].sort_unstable_by_key(address);
    // What was there before is of other operands.
    hits.dedup_by_key(|hit| address(hit));
}

impl Lane {
    fn is_empty(&self) -> bool {
        self.texts.is_empty() && self.literals.is_empty() && self.prefixes.texts.is_empty() && self.spans.is_empty()
    }

    fn insert(&mut self, key: &Key, filter: &Filter, is_one_of_several: bool) {
        let postings = match key {
            Key::Equal(_, Literal::Text(text)) => self.texts.or_default(&**text, || Arc::from(&**text)),
            Key::Equal(_, literal) => self.literals.or_default(literal, || literal.clone()),
            Key::Prefix(_, text) => self.prefixes.place_for(text),
            Key::Within(_, interval) => return self.spans.insert(interval, filter, is_one_of_several),
        };
        postings.insert(filter.clone(), is_one_of_several);
    }

    fn remove(&mut self, key: &Key, filter: &Filter) {
        match key {
            Key::Equal(_, Literal::Text(text)) => {
                take_out(&mut self.texts, &**text, filter);
            }
            Key::Equal(_, literal) => {
                take_out(&mut self.literals, literal, filter);
            }
            Key::Prefix(_, text) => self.prefixes.remove(text, filter),
            Key::Within(_, interval) => self.spans.remove(interval, filter),
        }
    }

    fn find<'m>(&'m self, sought: &Sought<'_>, hits: &mut Hits<'m>) {
        match sought {
            Sought::Text(text) => {
                hits.extend(self.texts.get(*text));
                self.prefixes.find(text, hits);
            }
            Sought::Literal(literal) => {
                hits.extend(self.literals.get(literal));
                if let Literal::Number(number) = literal {
                    self.spans.find(*number, hits);
                }
            }
        }
    }
}

/// Takes a filter out from under a key, and the key where it was the last one; tells whether it was.
fn take_out<K, Q>(places: &mut Table<K, Postings>, key: &Q, filter: &Filter) -> bool
where
    K: Clone + Eq + std::hash::Hash + std::borrow::Borrow<Q>,
    Q: Eq + std::hash::Hash + ?Sized,
{
    let Some(postings) = places.get_mut(key) else { return false };
    postings.remove(filter);
    postings.is_empty() && places.remove(key).is_some()
}

impl Prefixes {
    fn place_for(&mut self, text: &str) -> &mut Postings {
        if self.texts.get(text).is_none() {
            let mut lengths = self.lengths.to_vec();
            match lengths.binary_search_by_key(&text.len(), |(length, _)| *length) {
                Ok(place) => lengths[place].1 += 1,
                Err(place) => lengths.insert(place, (text.len(), 1)),
            }
            self.lengths = lengths.into();
        }
        self.texts.or_default(text, || text.into())
    }

    fn remove(&mut self, text: &str, filter: &Filter) {
        if take_out(&mut self.texts, text, filter) {
            let left = |(length, count): &(usize, usize)| (*length, count - usize::from(*length == text.len()));
            self.lengths = self.lengths.iter().map(left).filter(|(_, count)| *count > 0).collect();
        }
    }

    fn find<'m>(&'m self, text: &str, hits: &mut Hits<'m>) {
        let within = self.lengths.iter().take_while(|(length, _)| *length <= text.len());
        // Where a length ends within a letter, no prefix of it is one of the text's.
        let prefixes = within.filter_map(|(length, _)| text.get(..*length));
        hits.extend(prefixes.filter_map(|prefix| self.texts.get(prefix)));
    }
}
