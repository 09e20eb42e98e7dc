//! The routes of one space: a path tree for each method and event type.

use std::{collections::BTreeMap, sync::Arc};

use crate::{Found, Method, MethodSet, PathTree, RouteError};

/// All routes of one space.
///
/// Trees are shared between clones and copied only when changed, so that a changed router is cheap to make beside the
/// one that is still in use.
#[derive(Clone, Debug)]
pub struct Router<T> {
    trees: [BTreeMap<Arc<str>, Arc<PathTree<T>>>; Method::COUNT],
}

impl<T> Default for Router<T> {
    fn default() -> Self {
        Self { trees: std::array::from_fn(|_| BTreeMap::new()) }
    }
}

impl<T> Router<T> {
    /// Makes a router without routes.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    fn tree(&self, method: Method, event_type: &str) -> Option<&PathTree<T>> {
        self.trees[method.index()].get(event_type).map(|tree| &**tree)
    }

    /// Tells whether a route may be made: whether it fits beside the others, and whether any request could be taken by
    /// it.
    ///
    /// # Errors
    /// What is wrong with the route, or which route it conflicts with.
    pub fn check(&self, method: Method, event_type: &str, route: &str) -> Result<(), RouteError> {
        match self.tree(method, event_type) {
            Some(tree) => tree.check(route),
            None => PathTree::<T>::new().check(route),
        }
    }

    /// Finds the route of a path. A miss allocates nothing.
    #[must_use]
    pub fn find<'a>(&'a self, method: Method, event_type: &str, path: &'a str) -> Option<Found<'a, T>> {
        self.tree(method, event_type)?.find(path)
    }

    /// Returns the methods that have a route for a path.
    #[must_use]
    pub fn methods(&self, event_type: &str, path: &str) -> MethodSet {
        let routed = |method: &Method| self.tree(*method, event_type).is_some_and(|tree| tree.contains(path));
        Method::ALL.into_iter().filter(routed).collect()
    }
}

impl<T: Clone> Router<T> {
    /// Adds a route; on an error nothing has changed. One that [`Router::check`] would refuse for itself is taken,
    /// because it may stem from before that rule.
    ///
    /// # Errors
    /// What is wrong with the route, or which route it conflicts with.
    pub fn insert(&mut self, method: Method, event_type: &str, route: &str, value: T) -> Result<(), RouteError> {
        // Asked first, so that a refused route leaves no empty tree behind.
        match self.tree(method, event_type) {
            Some(tree) => tree.fits(route)?,
            None => PathTree::<T>::new().fits(route)?,
        }
        let tree = self.trees[method.index()].entry(event_type.into()).or_default();
        Arc::make_mut(tree).insert(route, value)
    }

    /// Puts another value in the place of a route's and returns the former one; `None`, and no change, where there is
    /// no such route.
    pub fn replace(&mut self, method: Method, event_type: &str, route: &str, value: T) -> Option<T> {
        Arc::make_mut(self.trees[method.index()].get_mut(event_type)?).replace(route, value)
    }

    /// Takes a route out and returns its value; `None` where there is no such route.
    pub fn remove(&mut self, method: Method, event_type: &str, route: &str) -> Option<T> {
        let trees = &mut self.trees[method.index()];
        let tree = Arc::make_mut(trees.get_mut(event_type)?);
        let value = tree.remove(route)?;
        if tree.is_empty() {
            trees.remove(event_type);
        }
        Some(value)
    }
}

#[cfg(test)]
mod tests {
    use super::{Method, Router};

    #[test]
    fn methods_and_event_types_do_not_meet() {
        let mut router = Router::new();
        router.insert(Method::Get, "http.request", "/a/:id", 1).expect("fits");
        router.insert(Method::Put, "http.request", "/a/:name", 2).expect("another method");
        router.insert(Method::Get, "order.placed", "/a/*rest", 3).expect("another event type");
        assert!(router.insert(Method::Get, "http.request", "/a/b", 4).is_err());
        // What no request would reach is not made, but stays where it is.
        assert!(router.check(Method::Head, "http.request", "/:").is_err());
        router.insert(Method::Head, "http.request", "/:", 5).expect("from before");

        let found = |method, event_type: &str, path: &str| router.find(method, event_type, path).map(|f| *f.value);
        assert_eq!(found(Method::Get, "http.request", "/a/b"), Some(1));
        assert_eq!(found(Method::Put, "http.request", "/a/b"), Some(2));
        assert_eq!(found(Method::Get, "order.placed", "/a/b/c"), Some(3));
        assert_eq!(found(Method::Post, "http.request", "/a/b"), None);
        assert_eq!(router.methods("http.request", "/a/b").to_string(), "GET, PUT");
        assert!(router.methods("http.request", "/b/c").is_empty());
    }

    #[test]
    fn a_clone_does_not_see_later_changes() {
        let mut router = Router::new();
        router.insert(Method::Get, "http.request", "/a", 1).expect("fits");
        let before = router.clone();
        assert_eq!(router.replace(Method::Get, "http.request", "/a", 2), Some(1));
        assert_eq!(router.remove(Method::Get, "http.request", "/a"), Some(2));
        assert_eq!(router.remove(Method::Get, "http.request", "/a"), None);
        assert_eq!(router.replace(Method::Get, "http.request", "/a", 3), None);
        assert_eq!(before.find(Method::Get, "http.request", "/a").map(|f| *f.value), Some(1));
        router.insert(Method::Get, "http.request", "/:id", 3).expect("the static route is gone");
    }
}
