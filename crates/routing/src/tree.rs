//! The path tree: routes with `:parameter` and `*rest` segments, told apart one segment at a time.
//!
//! At one place of a route there are either static segments, or one parameter, or one rest, as in the Event Gateway
//! whose routes these are. A path therefore has at most one way through the tree: no backtracking, no recursion, no
//! precedence to remember. Percent-decoding happens after matching, in [`Params`].

mod segment;
mod statics;

use std::{mem, sync::Arc};

use weir_domain::ErrorKind;

use self::{
    segment::{Segment, segments, unreachable},
    statics::Statics,
};
use crate::Params;

/// The longest route in bytes.
pub const ROUTE_BYTES_MAX: usize = 1024;

/// Why a route was refused. The texts are those of the Event Gateway, whose clients may compare them.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RouteError {
    /// The very same route is there.
    #[error("route {route} conflicts with existing route")]
    Exists {
        /// The refused route.
        route: String,
    },
    /// A parameter of another name stands where this route has a parameter or a static segment.
    #[error("parameter with different name ({defined:?}) already defined: for route: {route}")]
    Parameter {
        /// The name that is there.
        defined: String,
        /// The refused route.
        route: String,
    },
    /// Static segments stand where this route has a parameter.
    #[error("static route already defined for route: {route}")]
    Static {
        /// The refused route.
        route: String,
    },
    /// A rest stands at this place, or this route has one where something else stands.
    #[error("wildcard with different name ({defined:?}) already defined: for route: {route}")]
    Wildcard {
        /// The name that is there; empty for static segments.
        defined: String,
        /// The refused route.
        route: String,
    },
    /// Something follows `*rest`.
    #[error("wildcard must be the last parameter")]
    WildcardNotLast,
    /// Two parameters of this route have one name.
    #[error("parameter with the same name ({name:?}) already defined: for route: {route}")]
    Repeated {
        /// The name.
        name: String,
        /// The refused route.
        route: String,
    },
    /// A segment stands here in another spelling, which the same paths match.
    #[error("segment is written {defined:?} in another route, write it the same: for route: {route}")]
    Spelling {
        /// The segment that is there.
        defined: String,
        /// The refused route.
        route: String,
    },
    /// No path that a client sends would be taken by the route.
    #[error("no request has this path, {cure}: for route: {route}")]
    Unreachable {
        /// What to write instead.
        cure: &'static str,
        /// The refused route.
        route: String,
    },
    /// The route does not begin with `/`.
    #[error("route must begin with a slash: {route}")]
    NotAbsolute {
        /// The refused route.
        route: String,
    },
    /// The route is longer than [`ROUTE_BYTES_MAX`].
    #[error("route must not be longer than {max} bytes, but has {bytes}", max = ROUTE_BYTES_MAX)]
    TooLong {
        /// The length of the refused route.
        bytes: usize,
    },
}

impl RouteError {
    /// Returns what the reader must do next: correct the route.
    #[must_use]
    pub const fn kind(&self) -> ErrorKind {
        ErrorKind::Invalid
    }
}

/// What may follow a node, with the places of the nodes.
#[derive(Clone, Debug, Default)]
enum Children {
    #[default]
    None,
    Static(Statics),
    Parameter(Arc<str>, usize),
    Wildcard(Arc<str>, usize),
}

impl Children {
    /// Returns why a segment of a new route cannot stand here.
    fn conflict(&self, segment: Segment<'_>, route: &str) -> Option<RouteError> {
        let route = || route.to_owned();
        match (self, segment) {
            (Self::None, _) | (Self::Static(_), Segment::Static(_)) => None,
            (Self::Parameter(name, _), Segment::Parameter(text)) if **name == *text => None,
            (Self::Parameter(name, _), Segment::Wildcard(_)) | (Self::Wildcard(name, _), _) => {
                Some(RouteError::Wildcard { defined: name.to_string(), route: route() })
            }
            (Self::Parameter(name, _), _) => Some(RouteError::Parameter { defined: name.to_string(), route: route() }),
            (Self::Static(_), Segment::Wildcard(_)) => {
                Some(RouteError::Wildcard { defined: String::new(), route: route() })
            }
            (Self::Static(_), Segment::Parameter(_)) => Some(RouteError::Static { route: route() }),
        }
    }

    /// Finds the node of exactly this segment of a route.
    fn exact(&self, segment: Segment<'_>) -> Option<usize> {
        match (self, segment) {
            (Self::Static(list), Segment::Static(text)) => list.exact(text),
            (Self::Parameter(name, node), Segment::Parameter(text))
            | (Self::Wildcard(name, node), Segment::Wildcard(text))
                if **name == *text =>
            {
                Some(*node)
            }
            _ => None,
        }
    }

    /// Adds a node, where [`Children::conflict`] found nothing.
    fn add(&mut self, segment: Segment<'_>, node: usize) {
        let first = match segment {
            Segment::Static(text) => {
                if let Self::Static(list) = self {
                    list.add(text, node);
                    return;
                }
                let mut list = Statics::default();
                list.add(text, node);
                Self::Static(list)
            }
            Segment::Parameter(name) => Self::Parameter(name.into(), node),
            Segment::Wildcard(name) => Self::Wildcard(name.into(), node),
        };
        *self = first;
    }

    /// Takes a node out.
    fn cut(&mut self, node: usize) {
        if let Self::Static(list) = self
            && !list.cut(node)
        {
            return;
        }
        *self = Self::None;
    }
}

/// Where a route's path has a parameter.
#[derive(Clone, Debug)]
struct Param {
    segment: usize,
    name: Arc<str>,
    rest: bool,
}

/// The end of a route.
#[derive(Clone, Debug)]
struct Leaf<T> {
    value: T,
    params: Arc<[Param]>,
}

#[derive(Clone, Debug)]
struct Node<T> {
    children: Children,
    leaf: Option<Leaf<T>>,
}

impl<T> Node<T> {
    const fn empty() -> Self {
        Self { children: Children::None, leaf: None }
    }

    fn is_empty(&self) -> bool {
        self.leaf.is_none() && matches!(self.children, Children::None)
    }
}

/// What a path leads to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found<'a, T> {
    /// The value of the route.
    pub value: &'a T,
    /// The parameters of the path.
    pub params: Params<'a>,
}

/// Routes and their values.
///
/// - `:name` takes exactly one segment, `*name` everything that is left, a slash at least; it must come last.
/// - A slash at the end is a segment of its own, with empty text: `/a` and `/a/` are two paths, `/files/*rest` takes
///   `/files/` with an empty rest but not `/files`, and `/a/:id` takes `/a/` with an empty `id`.
/// - The path `/` is taken by the route `/` alone, which conflicts with no other.
/// - Static segments are compared by what they mean: `/k%C3%A4se`, `/k%c3%a4se` and `/käse` are one path. Slashes are
///   told before that: `%2F` is part of a segment.
/// - Empty segments count: `/a//b` is not `/a/b`.
///
/// Nodes lie in one vector, so that neither a lookup nor the end of the tree recurses, however long a path is.
#[derive(Clone, Debug)]
pub struct PathTree<T> {
    nodes: Vec<Node<T>>,
    free: Vec<usize>,
    root: Option<Leaf<T>>,
    len: usize,
}

/// Where every route begins.
const START: usize = 0;

impl<T> Default for PathTree<T> {
    fn default() -> Self {
        Self { nodes: vec![Node::empty()], free: Vec::new(), root: None, len: 0 }
    }
}

impl<T> PathTree<T> {
    /// Makes a tree without routes.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Returns how many routes there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Tells whether there are no routes.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Tells whether a route may be made: whether it fits beside the others, and whether any request could be taken by
    /// it.
    ///
    /// # Errors
    /// What is wrong with the route, or which route it conflicts with.
    pub fn check(&self, route: &str) -> Result<(), RouteError> {
        if let Some(cure) = unreachable(route) {
            return Err(RouteError::Unreachable { cure, route: route.chars().take(ROUTE_BYTES_MAX).collect() });
        }
        self.fits(route)?;
        match self.other_spelling(route) {
            Some(defined) => Err(RouteError::Spelling { defined: defined.to_owned(), route: route.to_owned() }),
            None => Ok(()),
        }
    }

    /// Finds the first segment that stands at its place as another text of the same meaning.
    fn other_spelling(&self, route: &str) -> Option<&str> {
        let mut node = START;
        for segment in segments(route) {
            let children = &self.nodes[node].children;
            if let (Children::Static(list), Segment::Static(text)) = (children, segment)
                && let Some(defined) = list.spelling(text).filter(|defined| *defined != text)
            {
                return Some(defined);
            }
            node = children.exact(segment)?;
        }
        None
    }

    /// Tells whether a route could stand beside the others: all that [`PathTree::insert`] asks, so that routes that an
    /// older version allowed stay where they are.
    pub(crate) fn fits(&self, route: &str) -> Result<(), RouteError> {
        if !route.starts_with('/') {
            return Err(RouteError::NotAbsolute { route: route.chars().take(ROUTE_BYTES_MAX).collect() });
        }
        if route.len() > ROUTE_BYTES_MAX {
            return Err(RouteError::TooLong { bytes: route.len() });
        }
        let exists = || RouteError::Exists { route: route.to_owned() };
        if route == "/" {
            return if self.root.is_some() { Err(exists()) } else { Ok(()) };
        }
        // The node where the route stands, as long as others have gone the same way.
        let mut shared = Some(START);
        let mut names = Vec::new();
        let mut ended = false;
        for segment in segments(route) {
            if ended {
                return Err(RouteError::WildcardNotLast);
            }
            if let Some(node) = shared {
                let children = &self.nodes[node].children;
                if let Some(error) = children.conflict(segment, route) {
                    return Err(error);
                }
                shared = children.exact(segment);
            }
            if let Some(name) = segment.name() {
                if names.contains(&name) {
                    return Err(RouteError::Repeated { name: name.to_owned(), route: route.to_owned() });
                }
                names.push(name);
            }
            ended = matches!(segment, Segment::Wildcard(_));
        }
        match shared {
            Some(node) if self.nodes[node].leaf.is_some() => Err(exists()),
            _ => Ok(()),
        }
    }

    /// Adds a route; on an error nothing has changed.
    ///
    /// # Errors
    /// What is wrong with the route, or which route it conflicts with.
    pub fn insert(&mut self, route: &str, value: T) -> Result<(), RouteError> {
        self.fits(route)?;
        self.len += 1;
        if route == "/" {
            self.root = Some(Leaf { value, params: Arc::new([]) });
            return Ok(());
        }
        let mut node = START;
        let mut params = Vec::new();
        for (index, segment) in segments(route).enumerate() {
            if let Some(name) = segment.name() {
                let rest = matches!(segment, Segment::Wildcard(_));
                params.push(Param { segment: index, name: name.into(), rest });
            }
            node = match self.nodes[node].children.exact(segment) {
                Some(next) => next,
                None => self.grow(node, segment),
            };
        }
        self.nodes[node].leaf = Some(Leaf { value, params: params.into() });
        Ok(())
    }

    fn grow(&mut self, parent: usize, segment: Segment<'_>) -> usize {
        // A free node is empty: that is when it became free.
        let node = self.free.pop().unwrap_or_else(|| {
            self.nodes.push(Node::empty());
            self.nodes.len() - 1
        });
        self.nodes[parent].children.add(segment, node);
        node
    }

    /// Puts another value in the place of a route's and returns the former one; `None`, and no change, where there is
    /// no such route.
    pub fn replace(&mut self, route: &str, value: T) -> Option<T> {
        let leaf = if route == "/" {
            self.root.as_mut()
        } else {
            let node = self.walk(route, |_| {})?;
            self.nodes[node].leaf.as_mut()
        };
        Some(mem::replace(&mut leaf?.value, value))
    }

    /// Takes a route out and returns its value; `None` where there is no such route.
    pub fn remove(&mut self, route: &str) -> Option<T> {
        if route == "/" {
            let leaf = self.root.take()?;
            self.len -= 1;
            return Some(leaf.value);
        }
        let mut trail = Vec::new();
        let mut node = self.walk(route, |parent| trail.push(parent))?;
        let leaf = self.nodes[node].leaf.take()?;
        self.len -= 1;
        // What led nowhere else goes too, so that its names do not hold back other routes.
        while let Some(parent) = trail.pop() {
            if !self.nodes[node].is_empty() {
                break;
            }
            self.nodes[parent].children.cut(node);
            self.free.push(node);
            node = parent;
        }
        Some(leaf.value)
    }

    /// Goes the way of exactly this route and shows each node that is left behind.
    fn walk(&self, route: &str, mut passed: impl FnMut(usize)) -> Option<usize> {
        let mut node = START;
        for segment in segments(route) {
            passed(node);
            node = self.nodes[node].children.exact(segment)?;
        }
        Some(node)
    }

    /// Finds the route of a path. A miss allocates nothing.
    #[must_use]
    pub fn find<'a>(&'a self, path: &'a str) -> Option<Found<'a, T>> {
        let leaf = self.locate(path)?;
        let mut params = Params::with_capacity(leaf.params.len());
        // One way along the path serves all parameters: they are in the order of their segments.
        let (mut index, mut rest) = (0, path.strip_prefix('/')?);
        for param in leaf.params.iter() {
            while index < param.segment {
                rest = rest.split_once('/')?.1;
                index += 1;
            }
            let value = if param.rest { rest } else { first_segment(rest).0 };
            params.push(&param.name, value);
        }
        Some(Found { value: &leaf.value, params })
    }

    /// Tells whether a path has a route.
    #[must_use]
    pub fn contains(&self, path: &str) -> bool {
        self.locate(path).is_some()
    }

    fn locate(&self, path: &str) -> Option<&Leaf<T>> {
        let mut rest = path.strip_prefix('/')?;
        if rest.is_empty() {
            return self.root.as_ref();
        }
        let mut node = START;
        loop {
            let (segment, tail) = first_segment(rest);
            node = match &self.nodes[node].children {
                Children::None => return None,
                Children::Static(list) => list.find(segment)?,
                Children::Parameter(_, next) => *next,
                Children::Wildcard(_, next) => return self.nodes[*next].leaf.as_ref(),
            };
            match tail {
                Some(tail) => rest = tail,
                None => return self.nodes[node].leaf.as_ref(),
            }
        }
    }
}

/// Splits a path without its first slash into the first segment and what follows the next slash.
fn first_segment(path: &str) -> (&str, Option<&str>) {
    match path.split_once('/') {
        Some((segment, tail)) => (segment, Some(tail)),
        None => (path, None),
    }
}

#[cfg(test)]
mod tests;
