//! Making equal filters one, and equal parts of filters too.

use std::{
    collections::HashMap,
    hash::{BuildHasher as _, Hash as _, Hasher as _, RandomState},
    mem,
    sync::{Arc, Weak},
};

use super::{Filter, Node, Tree};

/// When so many things are known for the first time, those are forgotten that are gone.
const KNOWN_FIRST: usize = 64;

/// What is the same in many filters, as long as one of them is there.
#[derive(Debug, Default)]
pub(crate) struct Interner {
    // By hash.
    nodes: Known<Node>,
    // By the address of the root, of which there is one only.
    trees: Known<Tree>,
    hashers: RandomState,
}

/// Things by numbers that equal ones have in common, and others seldom.
#[derive(Debug)]
struct Known<T> {
    // Never iterated but to forget, so the order of a hash map cannot show.
    things: HashMap<u64, Weak<T>>,
    /// How many there were when it was last looked which of them are gone.
    in_use: usize,
}

impl Interner {
    /// Returns the filter that is equal to this one, and the same for all equal ones. What is in it is the same as what
    /// is equal in any other one.
    pub(crate) fn intern(&mut self, filter: &Filter) -> Filter {
        let root = self.node(&filter.tree.root);
        let number = Arc::as_ptr(&root).addr() as u64;
        let is_same = |tree: &Tree| Arc::ptr_eq(&tree.root, &root);
        let tree = self.trees.find_or(number, is_same, || {
            if is_same(&filter.tree) {
                Arc::clone(&filter.tree)
            } else {
                Arc::new(Tree { root: Arc::clone(&root), members: filter.tree.members.clone() })
            }
        });
        Filter { tree }
    }

    /// Returns how many things are known, whether they are still there or not.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.nodes.things.len() + self.trees.things.len()
    }

    fn node(&mut self, given: &Arc<Node>) -> Arc<Node> {
        // What is in it comes first: then it is known by the addresses of that.
        let node = match &**given {
            Node::All(parts) => self.with_parts(given, parts, Node::All),
            Node::Any(parts) => self.with_parts(given, parts, Node::Any),
            Node::Not(part) => {
                let known = self.node(part);
                if Arc::ptr_eq(&known, part) { Arc::clone(given) } else { Arc::new(Node::Not(known)) }
            }
            Node::Compare(..) | Node::Sql(_) | Node::Types(_) | Node::Pattern(_) => Arc::clone(given),
        };
        let number = self.number(&node);
        self.nodes.find_or(number, |known| known.is_same(&node), || Arc::clone(&node))
    }

    fn with_parts(&mut self, given: &Arc<Node>, parts: &[Arc<Node>], make: fn(Box<[Arc<Node>]>) -> Node) -> Arc<Node> {
        let known: Vec<Arc<Node>> = parts.iter().map(|part| self.node(part)).collect();
        let is_known = known.iter().zip(parts).all(|(known, part)| Arc::ptr_eq(known, part));
        if is_known { Arc::clone(given) } else { Arc::new(make(known.into())) }
    }

    fn number(&self, node: &Node) -> u64 {
        let mut hasher = self.hashers.build_hasher();
        let address = |part: &Arc<Node>| Arc::as_ptr(part).addr();
        match node {
            Node::All(parts) | Node::Any(parts) => {
                mem::discriminant(node).hash(&mut hasher);
                parts.iter().for_each(|part| address(part).hash(&mut hasher));
            }
            Node::Not(part) => {
                mem::discriminant(node).hash(&mut hasher);
                address(part).hash(&mut hasher);
            }
            Node::Compare(..) | Node::Sql(_) | Node::Types(_) | Node::Pattern(_) => node.hash(&mut hasher),
        }
        hasher.finish()
    }
}

impl Node {
    /// Tells whether it equals another one, where the parts of both are known.
    fn is_same(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::All(one), Self::All(other)) | (Self::Any(one), Self::Any(other)) => {
                one.len() == other.len() && one.iter().zip(other).all(|(one, other)| Arc::ptr_eq(one, other))
            }
            (Self::Not(one), Self::Not(other)) => Arc::ptr_eq(one, other),
            _ => self == other,
        }
    }
}

impl<T> Default for Known<T> {
    fn default() -> Self {
        Self { things: HashMap::new(), in_use: 0 }
    }
}

impl<T> Known<T> {
    /// Returns the thing that is known by a number, or makes it known.
    fn find_or(&mut self, number: u64, is_same: impl Fn(&T) -> bool, make: impl FnOnce() -> Arc<T>) -> Arc<T> {
        match self.things.get(&number).and_then(Weak::upgrade) {
            Some(known) if is_same(&known) => return known,
            // Two things with one number: the second is right, and stays alone.
            Some(_) => return make(),
            None => {}
        }
        if self.things.len() >= 2 * self.in_use.max(KNOWN_FIRST / 2) {
            self.forget();
        }
        let made = make();
        self.things.insert(number, Arc::downgrade(&made));
        made
    }

    /// Forgets what is gone.
    fn forget(&mut self) {
        self.things.retain(|_, thing| thing.strong_count() > 0);
        self.in_use = self.things.len();
        self.things.shrink_to(2 * self.in_use.max(KNOWN_FIRST / 2));
    }
}
