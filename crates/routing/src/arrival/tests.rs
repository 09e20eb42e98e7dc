//! The rule as a table, and against a model that goes through the segments one by one.

use proptest::prelude::*;
use weir_domain::{AttributeValue, Event};

use super::{Arrival, Entrance, Matching};
use crate::Method;

/// What a subscription names, what an event came by, and whether it is given it: by pattern and exactly.
const CASES: [(Method, &str, &str, &str, bool, bool); 22] = [
    // Where nothing is said, that is every event, and was only what came so.
    (Method::Post, "/", "POST", "/", true, true),
    (Method::Post, "/", "POST", "/foo", true, false),
    (Method::Post, "/", "GET", "/", true, false),
    (Method::Post, "/", "PURGE", "/a/b", true, false),
    (Method::Post, "/", "OPTIONS", "*", true, false),
    // Any other method and path are meant.
    (Method::Get, "/", "GET", "/", true, true),
    (Method::Get, "/", "POST", "/", false, false),
    (Method::Get, "/", "GET", "/foo", false, false),
    (Method::Post, "/foo", "POST", "/foo", true, true),
    (Method::Post, "/foo", "POST", "/", false, false),
    (Method::Post, "/foo", "POST", "/foo/", false, false),
    (Method::Post, "/foo", "PUT", "/foo", false, false),
    (Method::Get, "/foo", "HEAD", "/foo", false, false),
    // Parameters, rests and spellings are those of routes, and were nothing but text.
    (Method::Post, "/users/:id", "POST", "/users/7", true, false),
    (Method::Post, "/users/:id", "POST", "/users/:id", true, true),
    (Method::Post, "/users/:id", "POST", "/users/7/x", false, false),
    (Method::Put, "/files/*rest", "PUT", "/files/a/b", true, false),
    (Method::Put, "/files/*rest", "PUT", "/files", false, false),
    (Method::Post, "/k\u{e4}se", "POST", "/k%c3%a4se", true, false),
    (Method::Post, "/*all", "POST", "/a/b", true, false),
    // What cannot be a route is a text in any case.
    (Method::Post, "/a/*rest/b", "POST", "/a/*rest/b", true, true),
    (Method::Post, "/a/*rest/b", "POST", "/a/x/b", false, false),
];

#[test]
fn a_subscription_takes_what_its_method_and_path_say() {
    for (method, path, by, at, pattern, exact) in CASES {
        let entrance = Entrance::new(method, path);
        let arrival = Arrival { method: by, path: at };
        let given = arrival
            .attributes()
            .fold(Event::builder("1", "/s", "t"), |event, (name, value)| event.extension(name, value));
        let event = given.build().expect("valid");
        for (matching, expected) in [(Matching::Pattern, pattern), (Matching::Exact, exact)] {
            let case = format!("{method} {path}, {by} {at}, {matching:?}");
            assert_eq!(entrance.takes(arrival, matching), expected, "{case}");
            assert_eq!(entrance.takes_event(&event, matching), expected, "{case}, as an event");
        }
    }
}

#[test]
fn only_what_is_not_usual_is_told() {
    let check = |method: &str, path: &str, expected: &[(&str, &str)]| {
        let arrival = Arrival { method, path };
        let event = arrival
            .attributes()
            .fold(Event::builder("1", "/s", "t"), |event, (name, value)| event.extension(name, value));
        let event = event.build().expect("valid");
        let expected: Vec<_> = expected.iter().map(|(name, text)| (*name, AttributeValue::String(text))).collect();
        assert_eq!(event.extensions().collect::<Vec<_>>(), expected);
        assert_eq!(Arrival::of(&event), arrival);
        let plain = Event::builder("1", "/s", "t").build().expect("valid");
        assert_eq!(event.size() - plain.size(), arrival.size());
    };
    check("POST", "/", &[]);
    check("GET", "/", &[("weirmethod", "GET")]);
    check("POST", "/a%20b", &[("weirpath", "/a%20b")]);
    check("DELETE", "*", &[("weirmethod", "DELETE"), ("weirpath", "*")]);
}

#[test]
fn what_no_request_reaches_is_told_beforehand() {
    for good in ["/", "/a", "/:id/*rest", "/a//"] {
        assert_eq!(Entrance::check(good), Ok(()), "{good}");
    }
    for bad in ["a", "/a?b", "/./a", "/:", "/*rest/a", "/:id/:id"] {
        assert!(Entrance::check(bad).is_err(), "{bad}");
    }
}

/// Whether a path has the segments of a route, asked one by one.
fn model(route: &[String], path: &[String]) -> bool {
    match (route.split_first(), path.split_first()) {
        (None, None) => true,
        (Some((wanted, _)), Some(_)) if wanted.starts_with('*') => true,
        (Some((wanted, route)), Some((given, path))) => {
            (wanted.starts_with(':') || wanted == given) && model(route, path)
        }
        _ => false,
    }
}

fn joined(segments: &[String]) -> String {
    segments.iter().map(|segment| format!("/{segment}")).collect()
}

proptest! {
    #[test]
    fn patterns_agree_with_the_model(
        route in prop::collection::vec(prop::sample::select(vec!["a", "b", "", ":"]), 1..5),
        has_rest in any::<bool>(),
        path in prop::collection::vec(prop::sample::select(vec!["a", "b", "c", ""]), 1..6),
    ) {
        // Parameters of one route have names of their own.
        let named = |(at, segment): (usize, &str)| if segment == ":" { format!(":p{at}") } else { segment.to_owned() };
        let mut route: Vec<String> = route.into_iter().enumerate().map(named).collect();
        if has_rest {
            route.push("*rest".to_owned());
        }
        let path: Vec<String> = path.into_iter().map(str::to_owned).collect();
        let (text, at) = (joined(&route), joined(&path));
        // The path / has no segments: only the route / takes it.
        let expected = if at == "/" || text == "/" { at == text } else { model(&route, &path) };
        let arrival = Arrival { method: "PUT", path: &at };
        let entrance = Entrance::new(Method::Put, &text);
        prop_assert_eq!(entrance.takes(arrival, Matching::Pattern), expected, "{} {}", text, at);
        prop_assert_eq!(entrance.takes(arrival, Matching::Exact), at == text, "{} {}", text, at);
        let by_another_method = Arrival { method: "POST", ..arrival };
        prop_assert!(!entrance.takes(by_another_method, Matching::Pattern));
        prop_assert!(Entrance::new(Method::Post, "/").takes(arrival, Matching::Pattern));
    }
}
