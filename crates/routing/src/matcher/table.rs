//! A persistent hash table: a clone is one pointer, and a change copies the way to what it changes.
//!
//! Most tables here have few entries, and there are a great many of them: up to [`LEAF_MAX`] entries are one slice, and
//! an empty table allocates nothing. Beyond that it is a trie over the hashes with such slices as leaves.

use std::{
    array,
    borrow::Borrow,
    hash::{DefaultHasher, Hash, Hasher as _},
    iter, mem, slice,
    sync::Arc,
};

/// The most entries of a leaf; one at [`DEPTH_MAX`], where all hashes are the same, may have more.
const LEAF_MAX: usize = 16;
/// A branch with as many entries below becomes a leaf again: less than a leaf has, so that no entry that comes and goes
/// makes it one thing and the other.
const LEAF_AGAIN: usize = LEAF_MAX / 2;
/// How many bits of the hash choose a child.
const LEVEL_BITS: u32 = 4;
const CHILDREN_MAX: usize = 1 << LEVEL_BITS;
/// How many levels of branches there may be: then no bit of the hash is left.
const DEPTH_MAX: u32 = u32::BITS / LEVEL_BITS;

/// Keys and their values, in no particular order.
#[derive(Clone)]
pub(super) struct Table<K, V> {
    root: Node<K, V>,
}

/// One key of a table and its value.
#[derive(Clone)]
pub(super) struct Entry<K, V> {
    /// By which [`Table::get_hashed`] finds it.
    pub(super) hash: u32,
    pub(super) key: K,
    pub(super) value: V,
}

enum Node<K, V> {
    Leaf(Arc<[Entry<K, V>]>),
    Branch(Arc<Branch<K, V>>),
}

/// Always more than [`LEAF_AGAIN`] entries, and no child without any.
struct Branch<K, V> {
    /// How many entries there are below.
    len: usize,
    /// Which of the children there are, a bit for each.
    present: u16,
    /// Those that there are.
    children: Vec<Node<K, V>>,
}

/// What a table finds keys by. Equal keys have one hash in all tables of the program.
fn hash_of<Q: Hash + ?Sized>(key: &Q) -> u32 {
    // Without a random part: who may add subscriptions may make many, and a leaf of equal hashes is merely slower.
    let mut hasher = DefaultHasher::new();
    key.hash(&mut hasher);
    let hash = hasher.finish();
    (hash ^ (hash >> 32)) as u32
}

fn slot(hash: u32, depth: u32) -> usize {
    (hash >> (depth * LEVEL_BITS)) as usize % CHILDREN_MAX
}

impl<K, V> Default for Table<K, V> {
    fn default() -> Self {
        Self { root: Node::Leaf(Arc::default()) }
    }
}

impl<K, V> Clone for Node<K, V> {
    fn clone(&self) -> Self {
        match self {
            Self::Leaf(entries) => Self::Leaf(Arc::clone(entries)),
            Self::Branch(branch) => Self::Branch(Arc::clone(branch)),
        }
    }
}

impl<K, V> Clone for Branch<K, V> {
    fn clone(&self) -> Self {
        Self { len: self.len, present: self.present, children: self.children.clone() }
    }
}

impl<K, V> Entry<K, V> {
    fn is<Q: Eq + ?Sized>(&self, hash: u32, key: &Q) -> bool
    where
        K: Borrow<Q>,
    {
        self.hash == hash && Borrow::<Q>::borrow(&self.key) == key
    }
}

impl<K, V> Table<K, V> {
    pub(super) fn len(&self) -> usize {
        self.root.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Returns the entries. Allocates nothing where they are few.
    pub(super) fn iter(&self) -> Iter<'_, K, V> {
        let mut iter = Iter { leaf: slice::Iter::default(), branches: Vec::new() };
        iter.enter(&self.root);
        iter
    }

    pub(super) fn keys(&self) -> impl Iterator<Item = &K> {
        self.iter().map(|entry| &entry.key)
    }

    pub(super) fn get<Q: Hash + Eq + ?Sized>(&self, key: &Q) -> Option<&V>
    where
        K: Borrow<Q>,
    {
        self.get_hashed(hash_of(key), key)
    }

    /// As [`get`](Self::get) does, with the hash from an entry of another table that has this key.
    pub(super) fn get_hashed<Q: Eq + ?Sized>(&self, hash: u32, key: &Q) -> Option<&V>
    where
        K: Borrow<Q>,
    {
        let (mut node, mut depth) = (&self.root, 0);
        loop {
            match node {
                Node::Leaf(entries) => {
                    return entries.iter().find(|entry| entry.is(hash, key)).map(|entry| &entry.value);
                }
                Node::Branch(branch) => {
                    node = branch.child(slot(hash, depth))?;
                    depth += 1;
                }
            }
        }
    }
}

impl<K: Clone + Eq + Hash, V: Clone> Table<K, V> {
    /// Puts a value in and returns what was in its place.
    pub(super) fn insert(&mut self, key: K, value: V) -> Option<V> {
        let hash = hash_of(&key);
        self.root.insert(Entry { hash, key, value }, 0)
    }

    /// Takes a value out. Where there is none, nothing is copied.
    pub(super) fn remove<Q: Hash + Eq + ?Sized>(&mut self, key: &Q) -> Option<V>
    where
        K: Borrow<Q>,
    {
        let hash = hash_of(key);
        self.get_hashed(hash, key)?;
        self.root.remove(hash, key, 0)
    }

    /// Finds a value that is to be changed. Where there is none, nothing is copied.
    pub(super) fn get_mut<Q: Hash + Eq + ?Sized>(&mut self, key: &Q) -> Option<&mut V>
    where
        K: Borrow<Q>,
    {
        let hash = hash_of(key);
        self.get_hashed(hash, key)?;
        self.root.get_mut(hash, key, 0)
    }

    /// Finds a value that is to be changed, or puts the usual one in.
    pub(super) fn or_default<Q: Hash + Eq + ?Sized>(&mut self, key: &Q, own: impl FnOnce() -> K) -> &mut V
    where
        K: Borrow<Q>,
        V: Default,
    {
        if self.get(key).is_none() {
            self.insert(own(), V::default());
        }
        self.get_mut(key).expect("it was there or has just been put in")
    }
}

impl<K, V> Node<K, V> {
    fn len(&self) -> usize {
        match self {
            Self::Leaf(entries) => entries.len(),
            Self::Branch(branch) => branch.len,
        }
    }
}

impl<K: Clone + Eq, V: Clone> Node<K, V> {
    fn insert(&mut self, entry: Entry<K, V>, depth: u32) -> Option<V> {
        match self {
            Self::Leaf(entries) => {
                if let Some(place) = entries.iter().position(|each| each.is(entry.hash, &entry.key)) {
                    return Some(mem::replace(&mut Arc::make_mut(entries)[place].value, entry.value));
                }
                let is_full = entries.len() >= LEAF_MAX && depth < DEPTH_MAX;
                let entries: Arc<[_]> = entries.iter().cloned().chain(iter::once(entry)).collect();
                *self =
                    if is_full { Self::Branch(Arc::new(Branch::split(&entries, depth))) } else { Self::Leaf(entries) };
                None
            }
            Self::Branch(branch) => {
                let branch = Arc::make_mut(branch);
                let slot = slot(entry.hash, depth);
                let former = match branch.child_mut(slot) {
                    Some(child) => child.insert(entry, depth + 1),
                    None => {
                        branch.add(slot, Self::Leaf(Arc::new([entry])));
                        None
                    }
                };
                branch.len += usize::from(former.is_none());
                former
            }
        }
    }

    fn remove<Q: Eq + ?Sized>(&mut self, hash: u32, key: &Q, depth: u32) -> Option<V>
    where
        K: Borrow<Q>,
    {
        match self {
            Self::Leaf(entries) => {
                let place = entries.iter().position(|each| each.is(hash, key))?;
                let value = entries[place].value.clone();
                *entries = entries[..place].iter().chain(&entries[place + 1..]).cloned().collect();
                Some(value)
            }
            Self::Branch(branch) => {
                let branch = Arc::make_mut(branch);
                let slot = slot(hash, depth);
                let child = branch.child_mut(slot)?;
                let value = child.remove(hash, key, depth + 1)?;
                if child.len() == 0 {
                    branch.cut(slot);
                }
                branch.len -= 1;
                if branch.len <= LEAF_AGAIN {
                    *self = Self::Leaf(branch.entries());
                }
                Some(value)
            }
        }
    }

    fn get_mut<Q: Eq + ?Sized>(&mut self, hash: u32, key: &Q, depth: u32) -> Option<&mut V>
    where
        K: Borrow<Q>,
    {
        match self {
            Self::Leaf(entries) => {
                let found = Arc::make_mut(entries).iter_mut().find(|each| each.is(hash, key));
                found.map(|entry| &mut entry.value)
            }
            Self::Branch(branch) => Arc::make_mut(branch).child_mut(slot(hash, depth))?.get_mut(hash, key, depth + 1),
        }
    }
}

impl<K, V> Branch<K, V> {
    /// Where a child is among those that there are, or would be.
    fn place(&self, slot: usize) -> usize {
        (self.present & ((1u16 << slot) - 1)).count_ones() as usize
    }

    fn has(&self, slot: usize) -> bool {
        self.present & (1u16 << slot) != 0
    }

    fn child(&self, slot: usize) -> Option<&Node<K, V>> {
        if self.has(slot) { self.children.get(self.place(slot)) } else { None }
    }

    fn child_mut(&mut self, slot: usize) -> Option<&mut Node<K, V>> {
        let place = self.place(slot);
        if self.has(slot) { self.children.get_mut(place) } else { None }
    }

    fn add(&mut self, slot: usize, child: Node<K, V>) {
        let place = self.place(slot);
        self.present |= 1u16 << slot;
        self.children.reserve_exact(1);
        self.children.insert(place, child);
    }

    fn cut(&mut self, slot: usize) {
        let place = self.place(slot);
        self.present &= !(1u16 << slot);
        self.children.remove(place);
    }
}

impl<K: Clone, V: Clone> Branch<K, V> {
    /// Makes one of a leaf that has become too large. All may go to one child, which is then split by the next that
    /// comes.
    fn split(entries: &[Entry<K, V>], depth: u32) -> Self {
        let mut groups: [Vec<Entry<K, V>>; CHILDREN_MAX] = array::from_fn(|_| Vec::new());
        for entry in entries {
            groups[slot(entry.hash, depth)].push(entry.clone());
        }
        let mut branch = Self { len: entries.len(), present: 0, children: Vec::new() };
        for (slot, group) in groups.into_iter().enumerate().filter(|(_, group)| !group.is_empty()) {
            branch.add(slot, Node::Leaf(group.into()));
        }
        branch
    }

    fn entries(&self) -> Arc<[Entry<K, V>]> {
        Iter { leaf: slice::Iter::default(), branches: vec![self.children.iter()] }.cloned().collect()
    }
}

/// The entries of a table.
pub(super) struct Iter<'a, K, V> {
    leaf: slice::Iter<'a, Entry<K, V>>,
    /// What is left of the branches on the way to the leaf.
    branches: Vec<slice::Iter<'a, Node<K, V>>>,
}

impl<'a, K, V> Iter<'a, K, V> {
    fn enter(&mut self, node: &'a Node<K, V>) {
        match node {
            Node::Leaf(entries) => self.leaf = entries.iter(),
            Node::Branch(branch) => self.branches.push(branch.children.iter()),
        }
    }
}

impl<'a, K, V> Iterator for Iter<'a, K, V> {
    type Item = &'a Entry<K, V>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(entry) = self.leaf.next() {
                return Some(entry);
            }
            match self.branches.last_mut()?.next() {
                Some(node) => self.enter(node),
                None => {
                    self.branches.pop();
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{
        collections::BTreeMap,
        hash::{Hash, Hasher},
    };

    use proptest::prelude::*;

    use super::Table;

    /// Many keys share a hash.
    #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
    struct Crowded(u32);

    impl Hash for Crowded {
        fn hash<H: Hasher>(&self, state: &mut H) {
            (self.0 % 7).hash(state);
        }
    }

    fn sorted<K: Clone + Ord>(table: &Table<K, u32>) -> Vec<(K, u32)> {
        let mut all: Vec<_> = table.iter().map(|entry| (entry.key.clone(), entry.value)).collect();
        all.sort();
        all
    }

    fn check<K: Clone + Ord + Hash + std::fmt::Debug>(changes: &[(u32, bool)], key: fn(u32) -> K) {
        let (mut table, mut model) = (Table::default(), BTreeMap::new());
        let mut before = None;
        for (round, (number, put)) in changes.iter().enumerate() {
            let (key, value) = (key(*number), round as u32);
            if *put {
                assert_eq!(table.insert(key.clone(), value), model.insert(key.clone(), value));
            } else {
                assert_eq!(table.remove(&key), model.remove(&key));
            }
            assert_eq!(table.get(&key), model.get(&key));
            assert_eq!(table.len(), model.len());
            if round == changes.len() / 2 {
                before = Some((table.clone(), sorted(&table)));
            }
        }
        assert_eq!(sorted(&table), model.clone().into_iter().collect::<Vec<_>>());
        if let Some((table, expected)) = before {
            assert_eq!(sorted(&table), expected, "a clone saw a later change");
        }
        for key in model.keys() {
            *table.get_mut(key).expect("there") += 1;
            assert!(table.remove(key).is_some());
        }
        assert!(table.is_empty() && table.iter().next().is_none());
    }

    proptest! {
        #[test]
        fn it_is_a_map_and_its_clones_stay_as_they_are(
            changes in proptest::collection::vec((0u32..400, proptest::bool::weighted(0.7)), 0..1200),
        ) {
            check(&changes, |number| number);
            check(&changes, Crowded);
        }
    }
}
