//! By which request an event came in, and which of these an async subscription takes.
//!
//! The door writes method and path into the event, as two attributes that nobody else may set, where they are others
//! than `POST` and `/`. An event without them came by these: so did those that functions returned, those that the platform
//! made, and all that were kept before there were these attributes.

use std::hash::{Hash, Hasher};

use weir_domain::{AttributeValue, Event};

use crate::{Method, PathTree, RouteError};

/// The method and path by which an event came in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Arrival<'a> {
    /// The method as it stood in the request line.
    pub method: &'a str,
    /// The path within the space, still percent-encoded.
    pub path: &'a str,
}

impl Arrival<'static> {
    /// The attribute with the method, where that is not `POST`.
    pub const METHOD: &'static str = "weirmethod";

    /// The attribute with the path, where that is not `/`.
    pub const PATH: &'static str = "weirpath";

    /// By what an event came in that does not say otherwise.
    pub const DEFAULT: Self = Self { method: "POST", path: "/" };
}

impl<'a> Arrival<'a> {
    /// Reads it from the attributes of an event. Allocates nothing.
    #[must_use]
    pub fn of(event: &'a Event) -> Self {
        let Arrival { method, path } = Arrival::DEFAULT;
        Self {
            method: event.extension_text(Arrival::METHOD).unwrap_or(method),
            path: event.extension_text(Arrival::PATH).unwrap_or(path),
        }
    }

    /// Returns names and values of the attributes that say it: none where it is the usual one.
    fn told(self) -> impl Iterator<Item = (&'a str, &'a str)> {
        let usual = Arrival::DEFAULT;
        let all = [(Arrival::METHOD, self.method, usual.method), (Arrival::PATH, self.path, usual.path)];
        all.into_iter().filter(|(_, own, usual)| own != usual).map(|(name, own, _)| (name, own))
    }

    /// Returns the attributes that say it: none where it is the usual one.
    pub fn attributes(self) -> impl Iterator<Item = (&'a str, AttributeValue<'a>)> {
        self.told().map(|(name, text)| (name, AttributeValue::String(text)))
    }

    /// Returns by how many bytes its attributes make an event larger.
    #[must_use]
    pub fn size(self) -> usize {
        self.told().map(|(name, text)| name.len() + text.len()).sum()
    }
}

/// How the method and path of an async subscription are compared with those by which an event came in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Matching {
    /// `POST` and `/`, which hold where nothing is said, take every event; another method and path take what a route of
    /// theirs would, but for `HEAD`, which `GET` does not take.
    #[default]
    Pattern,
    /// Both are compared as texts, also where they are `POST` and `/`: so did the Event Gateway.
    Exact,
}

/// The method and path of one async subscription, compiled. Two are equal where these are.
#[derive(Clone, Debug)]
pub struct Entrance {
    method: Method,
    path: Box<str>,
    /// The path as a route. There is none where it need not be looked at, and where it cannot be one: it may stem from
    /// before that was asked.
    route: Option<PathTree<()>>,
}

impl Entrance {
    /// Tells whether any request could have this path.
    ///
    /// # Errors
    /// What is wrong with the path, as for a route.
    pub fn check(path: &str) -> Result<(), RouteError> {
        PathTree::<()>::new().check(path)
    }

    /// Compiles method and path.
    #[must_use]
    pub fn new(method: Method, path: &str) -> Self {
        let mut entrance = Self { method, path: path.into(), route: None };
        if !entrance.takes_all(Matching::Pattern) {
            let mut tree = PathTree::new();
            entrance.route = tree.insert(path, ()).is_ok().then_some(tree);
        }
        entrance
    }

    /// Tells whether every event is taken, wherever it came in.
    #[must_use]
    pub fn takes_all(&self, matching: Matching) -> bool {
        let usual = Arrival::DEFAULT;
        matching == Matching::Pattern && self.method.as_str() == usual.method && *self.path == *usual.path
    }

    /// Tells whether an event is taken. Of one that is taken in any case nothing is read.
    #[must_use]
    pub fn takes_event(&self, event: &Event, matching: Matching) -> bool {
        self.takes_all(matching) || self.takes(Arrival::of(event), matching)
    }

    /// Tells whether events are taken that come in so. Allocates nothing.
    #[must_use]
    pub fn takes(&self, arrival: Arrival<'_>, matching: Matching) -> bool {
        if self.takes_all(matching) {
            return true;
        }
        if self.method.as_str() != arrival.method {
            return false;
        }
        match (&self.route, matching) {
            (Some(route), Matching::Pattern) => route.contains(arrival.path),
            _ => *self.path == *arrival.path,
        }
    }
}

impl PartialEq for Entrance {
    fn eq(&self, other: &Self) -> bool {
        (self.method, &self.path) == (other.method, &other.path)
    }
}

impl Eq for Entrance {}

impl Hash for Entrance {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (self.method, &self.path).hash(state);
    }
}

#[cfg(test)]
mod tests;
