//! By which method and path async subscriptions are given events: section 1.6 of what is known of the Event Gateway
//! (exact texts, no parameters), which is what a server does that stands in for it, and what Weir does else.
//!
//! All events of a case have one key. A subscription is therefore given them in their order, and what has not come
//! before a last one will not come.

use std::time::Instant;

use serde_json::{Value, json};

use super::{Gateway, Space, check_refused, json_of, text};
use crate::{
    cli::weir,
    process::{BOUND, STRUCTURED},
};

/// Method and path of the async subscriptions.
const SUBSCRIBED: [(&str, &str); 5] =
    [("POST", "/"), ("POST", "/foo"), ("POST", "/users/:id"), ("PUT", "/files/*rest"), ("GET", "/foo")];

/// By what an event comes, and which of [`SUBSCRIBED`] are given it: here, and where a server stands in.
const ARRIVALS: [(&str, &str, &[usize], &[usize]); 8] = [
    ("POST", "/", &[0], &[0]),
    ("POST", "/foo", &[0, 1], &[1]),
    ("POST", "/foo/", &[0], &[]),
    ("POST", "/users/4%202", &[0, 2], &[]),
    ("PUT", "/files/a/b", &[0, 3], &[]),
    ("PUT", "/foo", &[0], &[]),
    ("GET", "/foo", &[0, 4], &[4]),
    // The path is that within the space.
    ("POST", "/spaces/shop/foo", &[0, 1], &[1]),
];

/// What a subscription tells that it was given an event.
const TELLS: &str = "return { type: 'seen', subject: 'k', data: { by: context.subscription, id: event.id } };";

fn listener(event_type: &str, function: &str, method: &str, path: &str) -> Value {
    json!({ "type": "async", "eventType": event_type, "functionId": function, "method": method, "path": path })
}

/// Makes an async subscription; returns its identifier.
fn listen(space: &Space<'_>, event_type: &str, function: &str, (method, path): (&str, &str)) -> String {
    let shown = space.create("subscriptions", &listener(event_type, function, method, path));
    shown["subscriptionId"].as_str().expect("text").to_owned()
}

/// Emits an event that has the key of all, with further members.
fn emit(space: &Space<'_>, event_type: &str, id: &str, (method, path): (&str, &str), more: &Value) {
    let event = json!({ "specversion": "1.0", "id": id, "source": "/test", "type": event_type, "subject": "k" });
    let event = super::with(event, more.clone()).to_string();
    let answer = space.request(method, path, &[STRUCTURED], &event);
    assert_eq!((answer.status, text(&answer)), (202, ""), "{id}: {method} {path}");
}

/// Waits until the data of the events of a type are as they are wanted, and returns them.
fn data_until(space: &Space<'_>, event_type: &str, is_all: impl Fn(&[Value]) -> bool) -> Vec<Value> {
    let begun = Instant::now();
    let (mut all, mut from) = (Vec::new(), "1".to_owned());
    while begun.elapsed() < BOUND {
        let answer = space.configure("GET", &format!("events?type={event_type}&limit=1000&from={from}&wait=5"), "");
        assert_eq!(answer.status, 200, "{}", text(&answer));
        answer.header("weir-next").expect("where to go on").clone_into(&mut from);
        let page: Vec<Value> = serde_json::from_slice(&answer.body).expect("a batch");
        all.extend(page.into_iter().map(|event| event["data"].clone()));
        if is_all(&all) {
            return all;
        }
    }
    panic!("what was wanted did not come: {all:?}");
}

/// Tells whether this was said of an event.
fn is_told(all: &[Value], by: &str, id: &str) -> bool {
    all.iter().any(|told| told["by"] == by && told["id"] == id)
}

#[test]
fn events_go_to_the_subscriptions_of_their_method_and_path() {
    for (gateway, stands_in) in [(Gateway::start(), false), (Gateway::standing_in(), true)] {
        let space = gateway.space("shop");
        for event_type in ["said", "seen"] {
            space.create("eventtypes", &json!({ "name": event_type }));
        }
        space.script("sees", TELLS);
        let ids = SUBSCRIBED.map(|at| listen(&space, "said", "sees", at));
        for (method, path, ..) in ARRIVALS {
            emit(&space, "said", &format!("{method} {path}"), (method, path), &json!({}));
        }
        // Nobody but the door says where an event came in.
        emit(&space, "said", "forged", ("POST", "/"), &json!({ "weirpath": "/foo", "weirmethod": "GET" }));
        let server = format!("http://{}", gateway.server.events);
        let line = ["emit", "--type", "said", "--source", "/line", "--id", "line", "--subject", "k", "--space", "shop"];
        let ended = weir(&[&line[..], &["--url", &server]].concat(), &[]);
        assert_eq!(ended.code, Some(0), "{}", ended.err);
        // Each takes what comes by its own words, in every case.
        for (at, arrival) in SUBSCRIBED.into_iter().enumerate() {
            emit(&space, "said", &format!("last {at}"), arrival, &json!({}));
        }
        let is_last = |all: &[Value], at: usize| is_told(all, &ids[at], &format!("last {at}"));
        let seen = data_until(&space, "seen", |all| (0..ids.len()).all(|at| is_last(all, at)));

        let check = |id: &str, expected: &[usize]| {
            let given: Vec<usize> = (0..ids.len()).filter(|at| is_told(&seen, &ids[*at], id)).collect();
            assert_eq!(given, expected, "{id}, stands in: {stands_in}");
        };
        for (method, path, here, before) in ARRIVALS {
            check(&format!("{method} {path}"), if stands_in { before } else { here });
        }
        check("forged", &[0]);
        check("line", &[0]);
    }
}

#[test]
fn what_a_function_returns_came_by_no_path() {
    for (gateway, stands_in) in [(Gateway::start(), false), (Gateway::standing_in(), true)] {
        let space = gateway.space("shop");
        for event_type in ["said", "heard", "seen"] {
            space.create("eventtypes", &json!({ "name": event_type }));
        }
        // As a copy of the event that it was given, it brings the path of that one along.
        space
            .script("hears", "return { type: 'heard', subject: 'k', weirpath: event.weirpath, data: event.weirpath };");
        space.script("sees", TELLS.replace("event.id", "event.data").as_str());
        listen(&space, "said", "hears", ("POST", "/in"));
        let anywhere = listen(&space, "heard", "sees", ("POST", "/"));
        let at = listen(&space, "heard", "sees", ("POST", "/in"));
        emit(&space, "said", "one", ("POST", "/in"), &json!({}));
        data_until(&space, "seen", |all| is_told(all, &anywhere, "/in"));
        emit(&space, "heard", "two", ("POST", "/in"), &json!({ "data": "sent" }));
        emit(&space, "heard", "three", ("POST", "/"), &json!({ "data": "last" }));
        let seen = data_until(&space, "seen", |all| is_told(all, &at, "sent") && is_told(all, &anywhere, "last"));
        assert!(!is_told(&seen, &at, "/in"), "the event that was returned came by no path: {seen:?}");
        assert!(!is_told(&seen, &at, "last"), "{seen:?}");
        assert_eq!(is_told(&seen, &anywhere, "sent"), !stands_in, "{seen:?}");
    }
}

/// Makes a space whose requests have one key, with a function that tells of those it is given.
fn of_requests<'a>(gateway: &'a Gateway, name: &'a str) -> Space<'a> {
    let space = gateway.space(name);
    space.create("eventtypes", &json!({ "name": "http.request", "key": "/data/host" }));
    space.create("eventtypes", &json!({ "name": "seen" }));
    space.script("answers", "return { body: JSON.stringify(event.data.params) };");
    space.script(
        "sees",
        "return { type: 'seen', data: { by: context.subscription, id: event.data.path, params: event.data.params } };",
    );
    space
}

#[test]
fn a_route_and_async_subscriptions_share_a_path() {
    for gateway in [Gateway::start(), Gateway::standing_in()] {
        let space = of_requests(&gateway, "shop");
        space.route("answers", "http.request", "GET", "/users/:id");
        // Beside that route no other could stand; subscriptions from the log are in nobody's way.
        let same = listen(&space, "http.request", "sees", ("GET", "/users/7"));
        let other = listen(&space, "http.request", "sees", ("GET", "/users/8"));
        let posted = listen(&space, "http.request", "sees", ("POST", "/users/7"));
        for _round in 0..2 {
            for path in ["/users/7", "/users/8", "/users/9"] {
                let answer = space.request("GET", path, &[], "");
                assert_eq!((answer.status, json_of(&answer)), (200, json!({ "id": path[7..] })), "{path}");
            }
            // Only async matches.
            let answer = space.request("POST", "/users/7", &[], "");
            assert_eq!((answer.status, text(&answer)), (202, ""));
        }
        let given = |all: &[Value], by: &str| -> Vec<Value> {
            all.iter().filter(|told| told["by"] == by).map(|told| told["id"].clone()).collect()
        };
        let all = [(&same, "/users/7"), (&other, "/users/8"), (&posted, "/users/7")];
        let seen = data_until(&space, "seen", |seen| all.iter().all(|(by, _)| given(seen, by).len() >= 2));
        for (by, path) in all {
            assert_eq!(given(&seen, by), [path, path]);
        }
        let requests = space.events().into_iter().filter(|event| event["type"] == "http.request").count();
        assert_eq!(requests, 6, "GET /users/9 is for nobody who listens from the log");
    }
}

#[test]
fn a_request_that_no_subscription_takes_is_not_kept() {
    for (gateway, stands_in) in [(Gateway::start(), false), (Gateway::standing_in(), true)] {
        let space = of_requests(&gateway, "shop");
        listen(&space, "http.request", "sees", ("POST", "/hooks/:id"));
        let answer = space.request("POST", "/hooks", &[], "");
        if stands_in {
            assert_eq!((answer.status, text(&answer)), (202, ""));
        } else {
            let message = "nothing in space \"shop\" is subscribed to POST /hooks: make a subscription, or send a \
                           CloudEvent";
            check_refused("no subscription", &answer, 404, message);
        }
        assert_eq!(space.events(), Vec::<Value>::new());
        // As a parameter it has no value that an async function is told of: the request is one event for all.
        let path = if stands_in { "/hooks/:id" } else { "/hooks/7" };
        assert_eq!(space.request("POST", path, &[], "").status, 202);
        let seen = data_until(&space, "seen", |all| !all.is_empty());
        assert_eq!((&seen[0]["id"], &seen[0]["params"]), (&json!(path), &Value::Null));
        let kept = space.events();
        assert_eq!((&kept[0]["weirpath"], &kept[0]["weirmethod"]), (&json!(path), &Value::Null));
    }
}

#[test]
fn an_async_subscription_must_have_a_path_that_a_request_can_have() {
    let gateway = Gateway::start();
    let space = of_requests(&gateway, "shop");
    // Different: anything was taken, and compared with the paths of events.
    for (path, why) in [
        ("/a/*rest/b", "wildcard must be the last parameter"),
        ("/:id/:id", "parameter with the same name (\"id\") already defined: for route: /:id/:id"),
    ] {
        let body = listener("http.request", "sees", "GET", path).to_string();
        let message = format!("Subscription path conflict: {why}");
        space.refuses(path, ("POST", "subscriptions", &body), 400, &message);
    }
}
