//! A table of series that only grows: who has used a series once finds it again without a lock and without an allocation.
//!
//! Each slot begins a list whose links are set once. Nothing is ever taken out: a counter that disappeared and came back
//! would look like a restart to whoever reads it. Hence the bound, past which nothing is added.

use std::{
    fmt,
    hash::{BuildHasher, RandomState},
    sync::OnceLock,
};

use parking_lot::Mutex;

/// Lists side by side. Of ten thousand series ten share a list; of as many as servers usually have, none do.
const SLOTS: usize = 1024;

type Link<const N: usize, V> = OnceLock<Box<Node<N, V>>>;

/// Series by the values of their `N` labels.
pub(super) struct Table<const N: usize, V> {
    links: Box<[Link<N, V>]>,
    hasher: RandomState,
    /// Series that count towards the bound.
    added: Mutex<usize>,
    added_max: usize,
}

struct Node<const N: usize, V> {
    hash: u64,
    labels: [Box<str>; N],
    series: V,
    next: Link<N, V>,
}

impl<const N: usize, V> Node<N, V> {
    fn is(&self, hash: u64, labels: [&str; N]) -> bool {
        self.hash == hash && self.labels.iter().zip(labels).all(|(own, other)| **own == *other)
    }
}

impl<const N: usize, V> Table<N, V> {
    /// Makes a table for this many series, and for those that are [`fixed`](Self::fixed).
    pub(super) fn new(added_max: usize) -> Self {
        let links = (0..SLOTS).map(|_| OnceLock::new()).collect();
        Self { links, hasher: RandomState::new(), added: Mutex::new(0), added_max }
    }

    /// Finds a series that was used before.
    pub(super) fn find(&self, labels: [&str; N]) -> Option<&V> {
        let hash = self.hasher.hash_one(labels);
        let mut link = self.link(hash);
        loop {
            let node = link.get()?;
            if node.is(hash, labels) {
                return Some(&node.series);
            }
            link = &node.next;
        }
    }

    /// Finds a series, or adds it where there is room; `None` where there is none.
    pub(super) fn get(&self, labels: [&str; N], make: impl Fn() -> V) -> Option<&V> {
        if let Some(found) = self.find(labels) {
            return Some(found);
        }
        // One adds at a time, so that the bound is exact: who only finds does not come here.
        let mut added = self.added.lock();
        if *added == self.added_max {
            // Somebody may have added it while this waited.
            return self.find(labels);
        }
        let (series, is_new) = self.insert(labels, make);
        *added += usize::from(is_new);
        Some(series)
    }

    /// Finds or adds a series whose labels the code knows. There are few of them, and they do not count.
    pub(super) fn fixed(&self, labels: [&str; N], make: impl Fn() -> V) -> &V {
        self.insert(labels, make).0
    }

    /// Returns all series with the values of their labels, in the order of these.
    pub(super) fn sorted(&self) -> Vec<(&[Box<str>; N], &V)> {
        let mut all = Vec::with_capacity(*self.added.lock());
        for first in &self.links {
            let mut link = first;
            while let Some(node) = link.get() {
                all.push((&node.labels, &node.series));
                link = &node.next;
            }
        }
        all.sort_unstable_by(|left, right| left.0.cmp(right.0));
        all
    }

    /// Returns the series, and whether it was not there before.
    fn insert(&self, labels: [&str; N], make: impl Fn() -> V) -> (&V, bool) {
        let hash = self.hasher.hash_one(labels);
        let mut link = self.link(hash);
        let mut is_new = false;
        loop {
            // Of several who come to the end of a list at the same time one adds, and the others look at what it added.
            let node = link.get_or_init(|| {
                is_new = true;
                let (labels, series) = (labels.map(Box::from), make());
                Box::new(Node { hash, labels, series, next: OnceLock::new() })
            });
            if node.is(hash, labels) {
                return (&node.series, is_new);
            }
            link = &node.next;
        }
    }

    fn link(&self, hash: u64) -> &Link<N, V> {
        // The remainder is less than the number of slots.
        &self.links[(hash % SLOTS as u64) as usize]
    }
}

impl<const N: usize, V> fmt::Debug for Table<N, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Table")
            .field("added", &*self.added.lock())
            .field("added_max", &self.added_max)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::{
        sync::atomic::{AtomicU64, Ordering},
        thread,
    };

    use super::*;

    #[test]
    fn series_are_found_again_and_bounded() {
        let table: Table<2, u32> = Table::new(2);
        assert_eq!(table.find(["a", "b"]), None);
        assert_eq!(table.get(["a", "b"], || 1), Some(&1));
        assert_eq!(table.get(["a", "b"], || 2), Some(&1));
        // Labels that are equal when joined are still different.
        assert_eq!(table.get(["ab", ""], || 3), Some(&3));
        assert_eq!(table.get(["", "ab"], || 4), None);
        assert_eq!(table.fixed(["", "ab"], || 5), &5);
        assert_eq!(table.fixed(["", "ab"], || 6), &5);
        assert_eq!(table.get(["", "ab"], || 7), Some(&5));
        let sorted: Vec<_> = table.sorted().into_iter().map(|(labels, value)| (&*labels[0], *value)).collect();
        assert_eq!(sorted, [("", 5), ("a", 1), ("ab", 3)]);
    }

    #[test]
    fn many_threads_add_and_count_together() {
        const SERIES: usize = 3000;
        let table: Table<1, AtomicU64> = Table::new(SERIES);
        let names: Vec<String> = (0..SERIES).map(|number| number.to_string()).collect();
        thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for name in &names {
                        let series = table.get([name], AtomicU64::default).expect("there is room for all");
                        series.fetch_add(1, Ordering::Relaxed);
                    }
                });
            }
        });
        let sorted = table.sorted();
        assert_eq!(sorted.len(), SERIES);
        assert!(sorted.iter().all(|(_, count)| count.load(Ordering::Relaxed) == 4));
        assert!(table.get(["one more"], AtomicU64::default).is_none());
    }
}
