//! Intervals of numbers, of which those are found that have a number in them.
//!
//! A tree that is balanced by weight (Adams, "Efficient sets: a balancing act", 1993), ordered by the lower ends; each
//! node knows the furthest upper end below it. Immutable: a change makes the nodes on the way to it anew.

use std::{cmp::Ordering, ops::Bound, sync::Arc};

use super::index::{Hits, Postings};
use crate::{
    Filter,
    cover::{Interval, Number},
};

/// A side may have so many times the nodes of the other.
const DELTA: usize = 3;
/// Where a side is too heavy, its inner part is turned as well if that has so many times the nodes of the outer one.
const RATIO: usize = 2;

/// An end of an interval: the place of its number in the order of all, and a half for what lies right beside it.
type End = (u64, u8);

/// Intervals and the filters that stand under them.
#[derive(Clone, Default)]
pub(super) struct Spans(Tree);

type Tree = Option<Arc<Node>>;

struct Node {
    span: Span,
    postings: Postings,
    left: Tree,
    right: Tree,
    /// How many nodes there are, this one included.
    size: usize,
    /// The last upper end, here or below.
    furthest: End,
}

/// An interval such that a number is within where `low <= (place, 0)` and `high >= (place, 1)`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Span {
    low: End,
    high: End,
}

impl From<&Interval> for Span {
    fn from(interval: &Interval) -> Self {
        let low = match interval.low {
            Bound::Unbounded => (u64::MIN, 0),
            Bound::Included(number) => (place(number), 0),
            Bound::Excluded(number) => (place(number), 1),
        };
        let high = match interval.high {
            Bound::Unbounded => (u64::MAX, 1),
            Bound::Included(number) => (place(number), 1),
            Bound::Excluded(number) => (place(number), 0),
        };
        Self { low, high }
    }
}

/// Numbers are in the order of these.
fn place(number: Number) -> u64 {
    let bits = number.get().to_bits();
    if bits >> 63 == 1 { !bits } else { bits | (1 << 63) }
}

impl Spans {
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    pub(super) fn insert(&mut self, interval: &Interval, filter: &Filter, is_one_of_several: bool) {
        self.0 = insert(&self.0, interval.into(), filter, is_one_of_several);
    }

    pub(super) fn remove(&mut self, interval: &Interval, filter: &Filter) {
        self.0 = remove(&self.0, interval.into(), filter);
    }

    /// Finds the intervals with a number in them.
    pub(super) fn find<'m>(&'m self, number: Number, hits: &mut Hits<'m>) {
        let place = place(number);
        find(&self.0, (place, 0), (place, 1), hits);
    }
}

fn find<'m>(tree: &'m Tree, low: End, high: End, hits: &mut Hits<'m>) {
    let Some(node) = tree else { return };
    if node.furthest < high {
        return;
    }
    find(&node.left, low, high, hits);
    if node.span.low <= low {
        if node.span.high >= high {
            hits.push(&node.postings);
        }
        find(&node.right, low, high, hits);
    }
}

fn insert(tree: &Tree, span: Span, filter: &Filter, is_one_of_several: bool) -> Tree {
    let Some(node) = tree else {
        let mut postings = Postings::default();
        postings.insert(filter.clone(), is_one_of_several);
        return join(span, postings, None, None);
    };
    let (own, mut postings) = (node.span, node.postings.clone());
    let (left, right) = (&node.left, &node.right);
    match span.cmp(&own) {
        Ordering::Less => balance(own, postings, insert(left, span, filter, is_one_of_several), right.clone()),
        Ordering::Greater => balance(own, postings, left.clone(), insert(right, span, filter, is_one_of_several)),
        Ordering::Equal => {
            postings.insert(filter.clone(), is_one_of_several);
            join(own, postings, left.clone(), right.clone())
        }
    }
}

fn remove(tree: &Tree, span: Span, filter: &Filter) -> Tree {
    let node = tree.as_ref()?;
    let (own, mut postings) = (node.span, node.postings.clone());
    let (left, right) = (&node.left, &node.right);
    match span.cmp(&own) {
        Ordering::Less => balance(own, postings, remove(left, span, filter), right.clone()),
        Ordering::Greater => balance(own, postings, left.clone(), remove(right, span, filter)),
        Ordering::Equal => {
            postings.remove(filter);
            if !postings.is_empty() {
                return join(own, postings, left.clone(), right.clone());
            }
            let Some(next) = right else { return left.clone() };
            let (span, postings, rest) = without_first(next);
            balance(span, postings, left.clone(), rest)
        }
    }
}

/// Takes the first interval out of a tree.
fn without_first(node: &Node) -> (Span, Postings, Tree) {
    match &node.left {
        None => (node.span, node.postings.clone(), node.right.clone()),
        Some(left) => {
            let (span, postings, rest) = without_first(left);
            (span, postings, balance(node.span, node.postings.clone(), rest, node.right.clone()))
        }
    }
}

fn size(tree: &Tree) -> usize {
    tree.as_ref().map_or(0, |node| node.size)
}

fn join(span: Span, postings: Postings, left: Tree, right: Tree) -> Tree {
    let size = size(&left) + size(&right) + 1;
    let below = [&left, &right].into_iter().flatten().map(|node| node.furthest);
    let furthest = below.fold(span.high, Ord::max);
    Some(Arc::new(Node { span, postings, left, right, size, furthest }))
}

/// Joins two sides of which one has gained or lost one node since they were in balance.
fn balance(span: Span, postings: Postings, left: Tree, right: Tree) -> Tree {
    let (lefts, rights) = (size(&left), size(&right));
    match (&left, &right) {
        (_, Some(heavy)) if lefts + rights > 1 && rights > DELTA * lefts => {
            let own = (heavy.span, heavy.postings.clone(), heavy.right.clone());
            match &heavy.left {
                Some(inner) if size(&heavy.left) >= RATIO * size(&heavy.right) => {
                    let near = join(span, postings, left.clone(), inner.left.clone());
                    let far = join(own.0, own.1, inner.right.clone(), own.2);
                    join(inner.span, inner.postings.clone(), near, far)
                }
                inner => join(own.0, own.1, join(span, postings, left.clone(), inner.clone()), own.2),
            }
        }
        (Some(heavy), _) if lefts + rights > 1 && lefts > DELTA * rights => {
            let own = (heavy.span, heavy.postings.clone(), heavy.left.clone());
            match &heavy.right {
                Some(inner) if size(&heavy.right) >= RATIO * size(&heavy.left) => {
                    let near = join(span, postings, inner.right.clone(), right.clone());
                    let far = join(own.0, own.1, own.2, inner.left.clone());
                    join(inner.span, inner.postings.clone(), far, near)
                }
                inner => join(own.0, own.1, own.2, join(span, postings, inner.clone(), right.clone())),
            }
        }
        _ => join(span, postings, left, right),
    }
}

#[cfg(test)]
mod tests {
    use std::ops::Bound;

    use proptest::prelude::*;
    use serde_json::json;

    use super::{DELTA, Hits, Spans, Tree, size};
    use crate::{
        Filter,
        cover::{Interval, Number},
    };

    fn number(value: i32) -> Number {
        Number::new(f64::from(value) / 2.0).expect("a number")
    }

    fn ends() -> impl Strategy<Value = Interval> {
        let bound = |value: i32, kind: u8| match kind {
            0 => Bound::Unbounded,
            1 => Bound::Excluded(number(value)),
            _ => Bound::Included(number(value)),
        };
        (-20i32..20, 0i32..12, 0u8..4, 0u8..4).prop_map(move |(low, length, one, other)| Interval {
            low: bound(low, one),
            high: bound(low + length, other),
        })
    }

    /// Returns how deep a tree is, and checks that neither side is too heavy.
    fn depth(tree: &Tree) -> usize {
        let Some(node) = tree else { return 0 };
        let (left, right) = (size(&node.left), size(&node.right));
        assert!(left + right <= 1 || (left <= DELTA * right && right <= DELTA * left), "{left} and {right}");
        assert_eq!(node.size, left + right + 1);
        1 + depth(&node.left).max(depth(&node.right))
    }

    proptest! {
        #[test]
        fn an_interval_is_found_by_the_numbers_in_it(
            intervals in proptest::collection::vec(ends(), 1..120),
            gone in proptest::collection::vec(any::<bool>(), 120),
        ) {
            let filters: Vec<Filter> = (0..intervals.len())
                .map(|index| Filter::parse(&json!({ "exact": { "id": index.to_string() } })).expect("a filter"))
                .collect();
            let mut spans = Spans::default();
            for (interval, filter) in intervals.iter().zip(&filters) {
                spans.insert(interval, filter, false);
                depth(&spans.0);
            }
            let all = spans.clone();
            for ((interval, filter), _) in intervals.iter().zip(&filters).zip(&gone).filter(|(_, gone)| **gone) {
                spans.remove(interval, filter);
                depth(&spans.0);
            }
            for value in -50..50 {
                let found = |spans: &Spans| {
                    let mut hits = Hits::new();
                    spans.find(number(value), &mut hits);
                    let found = hits.iter().flat_map(|hit| hit.keys());
                    let mut found: Vec<String> = found.map(Filter::canonical).collect();
                    found.sort();
                    found
                };
                let expected = |is_left: &dyn Fn(usize) -> bool| {
                    let within = |index: &usize| intervals[*index].contains(number(value)) && is_left(*index);
                    let mut expected: Vec<String> =
                        (0..intervals.len()).filter(within).map(|index| filters[index].canonical()).collect();
                    expected.sort();
                    expected
                };
                prop_assert_eq!(found(&all), expected(&|_: usize| true));
                prop_assert_eq!(found(&spans), expected(&|index: usize| !gone[index]));
            }
            for (interval, filter) in intervals.iter().zip(&filters) {
                spans.remove(interval, filter);
            }
            prop_assert!(spans.is_empty());
        }
    }
}
