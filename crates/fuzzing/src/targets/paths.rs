//! The path tree against a plain list of routes.

use weir_routing::{Found, PathTree, ROUTE_BYTES_MAX, decoded};

/// Lines beyond this are not read: the plain list is slow.
const STEPS_MAX: usize = 128;

/// Each line is a step: `+` adds the route behind it, `-` takes it out, `=` gives it another value, and anything else is
/// a path to be found, behind its first byte. The tree answers as the list does, and every route is reached by the path
/// that is written like it.
pub fn path_tree(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let (mut tree, mut list) = (PathTree::new(), List::default());
    for (value, line) in text.split('\n').take(STEPS_MAX).enumerate() {
        let mut chars = line.chars();
        let step = chars.next();
        let rest = chars.as_str();
        match step {
            Some('+') => add(&mut tree, &mut list, rest, value),
            Some('-') => assert_eq!(tree.remove(rest), list.remove(rest), "{rest}"),
            Some('=') => assert_eq!(tree.replace(rest, value), list.replace(rest, value), "{rest}"),
            _ => {}
        }
        assert_eq!(tree.len(), list.0.len());
        assert_eq!(tree.contains(rest), tree.find(rest).is_some(), "{rest}");
        assert_eq!(tree.find(rest).map(outcome), list.find(rest), "{rest}");
    }
    while let Some((route, value)) = list.0.pop() {
        assert_eq!(tree.remove(&route), Some(value), "{route}");
    }
    assert!(tree.is_empty());
    tree.insert("/*rest", 0).expect("nothing is left of the routes that were taken out");
}

fn add(tree: &mut PathTree<usize>, list: &mut List, route: &str, value: usize) {
    let is_allowed = tree.check(route).is_ok();
    let added = tree.insert(route, value);
    assert_eq!(added.is_ok(), list.fits(route), "{route}: {added:?}");
    match added {
        Ok(()) => list.0.push((route.to_owned(), value)),
        Err(error) => {
            assert!(!is_allowed, "{route} was allowed, and is refused: {error}");
            // The route and a name of another one, each of which has a length.
            assert!(error.to_string().len() <= 8 * ROUTE_BYTES_MAX, "{error}");
            return;
        }
    }
    let like_it: Vec<&str> = route
        .split('/')
        .map(|segment| match segment.as_bytes().first() {
            Some(b':') => "v",
            Some(b'*') => "v/w",
            _ => segment,
        })
        .collect();
    let path = like_it.join("/");
    assert_eq!(tree.find(&path).map(|found| *found.value), Some(value), "{path} {route}");
}

/// A found route as its value and its raw parameters.
type Outcome = (usize, Vec<(String, String)>);

fn outcome(found: Found<'_, usize>) -> Outcome {
    (*found.value, found.params.raw().map(|(name, value)| (name.to_owned(), value.to_owned())).collect())
}

/// Routes with their values, in no order.
#[derive(Default)]
struct List(Vec<(String, usize)>);

impl List {
    fn place(&self, route: &str) -> Option<usize> {
        self.0.iter().position(|(each, _)| each == route)
    }

    fn remove(&mut self, route: &str) -> Option<usize> {
        let place = self.place(route)?;
        Some(self.0.swap_remove(place).1)
    }

    fn replace(&mut self, route: &str, value: usize) -> Option<usize> {
        let place = self.place(route)?;
        Some(std::mem::replace(&mut self.0[place].1, value))
    }

    /// The segments of all routes but `/`, which stands alone.
    fn routes(&self) -> impl Iterator<Item = (Vec<&str>, usize)> {
        self.0.iter().filter(|(route, _)| route != "/").map(|(route, value)| (segments(route), *value))
    }

    fn fits(&self, route: &str) -> bool {
        if !route.starts_with('/') || route.len() > ROUTE_BYTES_MAX || self.place(route).is_some() {
            return false;
        }
        if route == "/" {
            return true;
        }
        let new = segments(route);
        let mut names: Vec<&str> =
            new.iter().filter(|segment| is_dynamic(segment)).map(|segment| &segment[1..]).collect();
        let count = names.len();
        names.sort_unstable();
        names.dedup();
        let rest = new.iter().position(|segment| segment.starts_with('*'));
        names.len() == count
            && rest.is_none_or(|place| place + 1 == new.len())
            && self.routes().all(|(old, _)| stand_together(&old, &new))
    }

    fn find(&self, path: &str) -> Option<Outcome> {
        if path == "/" {
            return Some((self.0[self.place("/")?].1, Vec::new()));
        }
        if !path.starts_with('/') {
            return None;
        }
        let path = segments(path);
        let mut left: Vec<(Vec<&str>, usize)> = self.routes().collect();
        let mut params = Vec::new();
        for (place, segment) in path.iter().enumerate() {
            // Routes that stand together are of one kind at one place; only static segments are to be chosen among.
            left.retain(|(route, _)| route.len() > place);
            let first = left.first()?.0[place];
            if let Some(name) = first.strip_prefix('*') {
                params.push((name.to_owned(), path[place..].join("/")));
                return Some((left[0].1, params));
            }
            if let Some(name) = first.strip_prefix(':') {
                params.push((name.to_owned(), (*segment).to_owned()));
                continue;
            }
            let same = left.iter().map(|(route, _)| route[place]).filter(|text| decoded(text) == decoded(segment));
            // Of several spellings the one of the path, else the first in order.
            let chosen = same.min_by_key(|text| (text != segment, *text))?.to_owned();
            left.retain(|(route, _)| route[place] == chosen);
        }
        left.into_iter().find(|(route, _)| route.len() == path.len()).map(|(_, value)| (value, params))
    }
}

/// Tells whether two different routes may stand beside one another: at the first place where they differ, both must be
/// static, or one has ended.
fn stand_together(old: &[&str], new: &[&str]) -> bool {
    for (old, new) in old.iter().zip(new) {
        if old.starts_with('*') {
            return false;
        }
        if old != new {
            return !is_dynamic(old) && !is_dynamic(new);
        }
    }
    true
}

fn is_dynamic(segment: &str) -> bool {
    segment.starts_with([':', '*'])
}

fn segments(route: &str) -> Vec<&str> {
    route[1..].split('/').collect()
}
