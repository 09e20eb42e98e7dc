//! The cases of the Event Gateway's own path tree, and a comparison with matching against a plain list of routes.

use proptest::{collection::vec, prelude::*, sample::select};

use super::{PathTree, ROUTE_BYTES_MAX, RouteError};
use crate::decoded;

/// Inserts routes whose values are their places in the list; all but the last must fit.
fn check_insert(routes: &[&str], expected: Result<(), &str>) {
    let mut tree = PathTree::new();
    let (last, first) = routes.split_last().expect("a route");
    for (value, route) in first.iter().enumerate() {
        tree.insert(route, value).expect(route);
    }
    let result = tree.insert(last, first.len()).map_err(|error| error.to_string());
    assert_eq!(result, expected.map_err(str::to_owned), "{routes:?}");
    assert_eq!(tree.len(), first.len() + usize::from(expected.is_ok()), "{routes:?}");
}

/// A found route as its place in the list and its raw parameters, each as `name=value;`.
type Outcome = Option<(usize, String)>;

fn outcome(tree: &PathTree<usize>, path: &str) -> Outcome {
    let found = tree.find(path)?;
    Some((*found.value, found.params.raw().map(|(name, value)| format!("{name}={value};")).collect()))
}

fn check_find(routes: &[&str], path: &str, expected: Option<(usize, &str)>) {
    let mut tree = PathTree::new();
    for (value, route) in routes.iter().enumerate() {
        tree.insert(route, value).expect(route);
    }
    let expected = expected.map(|(value, params)| (value, params.to_owned()));
    assert_eq!(tree.contains(path), expected.is_some(), "{routes:?} {path}");
    assert_eq!(outcome(&tree, path), expected, "{routes:?} {path}");
}

#[test]
fn conflicts_are_refused_with_the_words_of_the_event_gateway() {
    check_insert(&["/", "/"], Err("route / conflicts with existing route"));
    check_insert(&["/a", "/a"], Err("route /a conflicts with existing route"));
    check_insert(&["/:foo", "/:foo"], Err("route /:foo conflicts with existing route"));
    check_insert(
        &["/:foo", "/:bar"],
        Err(r#"parameter with different name ("foo") already defined: for route: /:bar"#),
    );
    check_insert(&["/:foo", "/bar"], Err(r#"parameter with different name ("foo") already defined: for route: /bar"#));
    check_insert(&["/foo", "/:bar"], Err("static route already defined for route: /:bar"));
    check_insert(&["/*foo", "/*bar"], Err(r#"wildcard with different name ("foo") already defined: for route: /*bar"#));
    check_insert(&["/*foo", "/*foo"], Err(r#"wildcard with different name ("foo") already defined: for route: /*foo"#));
    check_insert(&["/*foo", "/bar"], Err(r#"wildcard with different name ("foo") already defined: for route: /bar"#));
    check_insert(&["/*foo", "/:bar"], Err(r#"wildcard with different name ("foo") already defined: for route: /:bar"#));
    check_insert(&["/:foo", "/*bar"], Err(r#"wildcard with different name ("foo") already defined: for route: /*bar"#));
    check_insert(&["/foo", "/*bar"], Err(r#"wildcard with different name ("") already defined: for route: /*bar"#));
    check_insert(&["/*foo/bar"], Err("wildcard must be the last parameter"));
    check_insert(&["/*foo/"], Err("wildcard must be the last parameter"));
    check_insert(&["/a/:id", "/a/"], Err(r#"parameter with different name ("id") already defined: for route: /a/"#));

    check_insert(&["/:id/:id"], Err(r#"parameter with the same name ("id") already defined: for route: /:id/:id"#));
    check_insert(&["a"], Err("route must begin with a slash: a"));
    check_insert(&[""], Err("route must begin with a slash: "));

    check_insert(&["/:foo", "/:foo/bar", "/"], Ok(()));
    check_insert(&["/", "/*rest"], Ok(()));
    check_insert(&["/a", "/b", "/a/b", "/a/"], Ok(()));
    check_insert(&["/a/:id", "/b/:name", "/a/:id/*rest"], Ok(()));
}

#[test]
fn a_route_has_a_length() {
    let mut tree = PathTree::new();
    let route = format!("/{}", "a".repeat(ROUTE_BYTES_MAX));
    assert_eq!(tree.insert(&route, 0), Err(RouteError::TooLong { bytes: ROUTE_BYTES_MAX + 1 }));
    tree.insert(&route[..ROUTE_BYTES_MAX], 0).expect("fits");
}

#[test]
fn paths_are_resolved_as_by_the_event_gateway() {
    check_find(&["/"], "/", Some((0, "")));
    check_find(&[], "/", None);

    let nested = ["/a", "/b", "/a/b", "/d/e/f"];
    check_find(&nested, "/a", Some((0, "")));
    check_find(&nested, "/b", Some((1, "")));
    check_find(&nested, "/a/b", Some((2, "")));
    check_find(&nested, "/d/e/f", Some((3, "")));

    check_find(&["/a/b/c/d"], "/b", None);
    check_find(&["/a/b/c/d"], "/a/b", None);
    check_find(&["/a/"], "/a", None);
    check_find(&["/a/"], "/a/", Some((0, "")));

    let params = ["/:name", "/:name/:id"];
    check_find(&params, "/foo", Some((0, "name=foo;")));
    check_find(&params, "/foo/1", Some((1, "name=foo;id=1;")));
    check_find(&["/:name"], "/foo/bar/baz", None);
    check_find(&["/:name/bar/:id"], "/foo/bar/baz", Some((0, "name=foo;id=baz;")));
    check_find(&["/*foo"], "/foo/bar/baz", Some((0, "foo=foo/bar/baz;")));
}

#[test]
fn edges_of_matching() {
    check_find(&["/files/*rest"], "/files", None);
    check_find(&["/files/*rest"], "/files/", Some((0, "rest=;")));
    check_find(&["/files/*rest"], "/files//a/", Some((0, "rest=/a/;")));
    check_find(&["/files/:id"], "/files/", Some((0, "id=;")));
    check_find(&["/*rest"], "/", None);
    check_find(&["/:name"], "/", None);
    check_find(&["/", "/*rest"], "/", Some((0, "")));
    check_find(&["/a"], "", None);
    check_find(&["/a"], "a", None);
    check_find(&["/a"], "*", None);
    check_find(&["/a"], "//a", None);
    check_find(&["/a//b", "/a/b", "//"], "/a//b", Some((0, "")));
    check_find(&["/a//b", "/a/b", "//"], "//", Some((2, "")));
}

#[test]
fn static_segments_are_compared_by_what_they_mean() {
    check_find(&["/a b"], "/a%20b", Some((0, "")));
    for route in ["/k\u{e4}se/:id", "/k%C3%A4se/:id", "/k%c3%a4se/:id"] {
        for path in ["/k%C3%A4se/7", "/k%c3%A4se/7", "/%6B\u{e4}se/7"] {
            check_find(&[route], path, Some((0, "id=7;")));
        }
        check_find(&[route], "/kase/7", None);
    }
    check_find(&["/a%2Fb"], "/a%2fb", Some((0, "")));
    check_find(&["/a%2Fb"], "/a/b", None);
    // An escape is taken away once, and what is no escape stands for itself.
    check_find(&["/%2561"], "/%2561", Some((0, "")));
    check_find(&["/%2561"], "/a", None);
    check_find(&["/100%"], "/100%25", Some((0, "")));
    check_find(&["/%FF"], "/%FF", Some((0, "")));

    // Two spellings, which only an older version allowed: each is reached as before, all others by one of them.
    check_find(&["/a%20b", "/a b"], "/a%20b", Some((0, "")));
    check_find(&["/a%20b", "/a b"], "/a b", Some((1, "")));
    check_find(&["/a%20b", "/a b"], "/%61%20b", Some((1, "")));
}

#[test]
fn routes_that_nothing_would_reach_are_not_made() {
    let check = |there: &[&str], route: &str, expected: Option<&str>| {
        let mut tree = PathTree::new();
        for route in there {
            tree.insert(route, ()).expect(route);
        }
        let told = tree.check(route).err().map(|error| error.to_string());
        assert_eq!(told.as_deref(), expected, "{there:?} {route}");
        if expected.is_some() {
            tree.insert(route, ()).expect("what was made before this rule stays");
        }
    };
    for route in ["/", "//", "/a//", "/k\u{e4}se", "/a%20b", "/a b", "/...", "/:id/*rest", "/a:b", "/%3F"] {
        check(&[], route, None);
    }
    let query = "no request has this path, for it ends before ? and #: leave out the query, or write the characters as \
                 %3F and %23: for route: ";
    check(&[], "/a?b=:c", Some(&format!("{query}/a?b=:c")));
    check(&[], "/a#b", Some(&format!("{query}/a#b")));
    let dots =
        "no request has this path, for clients resolve . and .. before they send: write what they mean: for route: ";
    check(&[], "/a/../b", Some(&format!("{dots}/a/../b")));
    check(&[], "/.", Some(&format!("{dots}/.")));
    let name = "no request has this path, name every parameter: write :name or *name: for route: ";
    check(&[], "/a/:", Some(&format!("{name}/a/:")));
    check(&[], "/*", Some(&format!("{name}/*")));
    let spelling = r#"segment is written "a b" in another route, write it the same: for route: /x/a%20b/d"#;
    check(&["/x/a b/c"], "/x/a%20b/d", Some(spelling));
    check(&["/x/a b/c"], "/x/a b/d", None);
}

#[test]
fn parameters_are_decoded_after_matching() {
    let mut tree = PathTree::new();
    tree.insert("/files/:name/*rest", ()).expect("fits");
    let found = tree.find("/files/a%2Fb/4%202/%C3%A4").expect("routed");
    let params: Vec<String> = found.params.iter().map(|(name, value)| format!("{name}={value}")).collect();
    assert_eq!(params, ["name=a/b", "rest=4 2/ä"]);
    assert_eq!(found.params.get("name").as_deref(), Some("a/b"));
    assert_eq!(found.params.get("id"), None);
}

#[test]
fn removed_routes_are_gone_and_hold_nothing_back() {
    let check = |routes: &[&str], remove: &str, path: &str, expected: Option<usize>| {
        let mut tree = PathTree::new();
        for (value, route) in routes.iter().enumerate() {
            tree.insert(route, value).expect(route);
        }
        let present = routes.iter().position(|route| *route == remove);
        assert_eq!(tree.remove(remove), present, "{routes:?} {remove}");
        assert_eq!(outcome(&tree, path).map(|(value, _)| value), expected, "{routes:?} {remove} {path}");
    };
    check(&["/"], "/", "/", None);
    check(&["/a/b/c"], "/a/b/c", "/a/b/c", None);
    check(&["/a", "/a/b"], "/a", "/a", None);
    check(&["/a", "/a/b"], "/a", "/a/b", Some(1));
    check(&["/:foo", "/:foo/bar"], "/:foo", "/a", None);
    check(&["/:foo", "/:foo/bar"], "/:foo", "/a/bar", Some(1));
    check(&["/:foo/bar"], "/:foo", "/a/bar", Some(0));
    check(&["/b"], "/a", "/b", Some(0));
    check(&["/b"], "b", "/b", Some(0));
    check(&[], "/a", "/a", None);

    let mut tree = PathTree::new();
    tree.insert("/x/:foo/bar", 1).expect("fits");
    assert_eq!(tree.replace("/x/:foo/bar", 2), Some(1));
    assert_eq!(tree.replace("/x/:foo", 3), None);
    assert_eq!(tree.remove("/x/:foo/bar"), Some(2));
    assert!(tree.is_empty());
    tree.insert("/*rest", 3).expect("nothing of the former route is left");
    assert_eq!(outcome(&tree, "/a").map(|(value, _)| value), Some(3));
}

#[test]
fn hostile_paths_are_only_long() {
    let mut tree = PathTree::new();
    tree.insert(&format!("/{}", "b/".repeat(ROUTE_BYTES_MAX / 2 - 1)), 0).expect("fits");
    tree.insert("/:a", 1).expect_err("static");
    tree.insert("/c/*rest", 2).expect("fits");
    let slashes = "/".repeat(1 << 20);
    assert_eq!(outcome(&tree, &slashes), None);
    assert_eq!(outcome(&tree, &format!("/c{slashes}")).map(|(value, _)| value), Some(2));
}

/// Routes as a plain list, every rule tried against every route.
#[derive(Default)]
struct Naive(Vec<(String, usize)>);

impl Naive {
    fn fits(&self, route: &str) -> bool {
        let segments: Vec<&str> = route.split('/').collect();
        let mut names: Vec<&str> =
            segments.iter().copied().filter(|segment| dynamic(segment)).map(|s| &s[1..]).collect();
        let count = names.len();
        names.sort_unstable();
        names.dedup();
        let rest_is_last = segments.iter().position(|s| s.starts_with('*')).is_none_or(|at| at + 1 == segments.len());
        names.len() == count && rest_is_last && !self.0.iter().any(|(other, _)| conflict(other, route))
    }

    fn find(&self, path: &str) -> Outcome {
        self.0.iter().find_map(|(route, value)| Some((*value, naive_match(route, path)?)))
    }
}

fn dynamic(segment: &str) -> bool {
    segment.starts_with([':', '*'])
}

fn conflict(old: &str, new: &str) -> bool {
    if old == "/" || new == "/" {
        return old == new;
    }
    for (old, new) in old.split('/').zip(new.split('/')) {
        if old.starts_with('*') {
            return true;
        }
        if old != new {
            return dynamic(old) || dynamic(new);
        }
    }
    old.split('/').count() == new.split('/').count()
}

fn naive_match(route: &str, path: &str) -> Option<String> {
    if route == "/" || path == "/" {
        return (route == path).then(String::new);
    }
    let path: Vec<&str> = path.split('/').collect();
    let mut params = String::new();
    for (at, segment) in route.split('/').enumerate() {
        if let Some(name) = segment.strip_prefix('*') {
            let rest = path.get(at..).filter(|rest| !rest.is_empty())?;
            return Some(format!("{params}{name}={};", rest.join("/")));
        }
        let text = *path.get(at)?;
        match segment.strip_prefix(':') {
            Some(name) => params.extend([name, "=", text, ";"]),
            None if segment != decoded(text) => return None,
            None => {}
        }
    }
    (route.split('/').count() == path.len()).then_some(params)
}

#[derive(Clone, Debug)]
enum Step {
    Insert(String),
    Remove(String),
    Find(String),
}

fn joined(segments: &'static [&'static str]) -> impl Strategy<Value = String> {
    vec(select(segments), 1..5).prop_map(|segments| format!("/{}", segments.join("/")))
}

fn step() -> impl Strategy<Value = Step> {
    let route = || joined(&["a", "b", "", ":x", ":y", ":z", "*x", "*r"]);
    prop_oneof![
        3 => route().prop_map(Step::Insert),
        1 => route().prop_map(Step::Remove),
        3 => joined(&["a", "b", "c", "", "%2F", "%61"]).prop_map(Step::Find),
    ]
}

proptest! {
    #[test]
    fn the_tree_does_what_a_list_of_routes_does(steps in vec(step(), 1..60)) {
        let mut tree = PathTree::new();
        let mut naive = Naive::default();
        for (value, step) in steps.into_iter().enumerate() {
            match step {
                Step::Insert(route) => {
                    let result = tree.insert(&route, value);
                    prop_assert_eq!(result.is_ok(), naive.fits(&route), "{} {:?}", route, result);
                    if result.is_ok() {
                        naive.0.push((route, value));
                    }
                }
                Step::Remove(route) => {
                    let place = naive.0.iter().position(|(each, _)| *each == route);
                    prop_assert_eq!(tree.remove(&route), place.map(|place| naive.0.swap_remove(place).1));
                }
                Step::Find(path) => prop_assert_eq!(outcome(&tree, &path), naive.find(&path), "{}", path),
            }
            prop_assert_eq!(tree.len(), naive.0.len());
        }
    }
}
