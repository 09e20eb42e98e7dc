//! What is written, in what, and what is replaced.

use http::Request;
use weir_domain::Data;
use weir_testkit::CountingIds;

use super::*;

const PARENT: &str = "00-0af7651916cd43dd8448eb211c80319c-b9c7c989f97918e1-01";

fn parts(method: &str, uri: &str, headers: &[(&str, &str)]) -> Parts {
    let request = Request::builder().method(method).uri(uri);
    let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
    request.body(()).expect("a request").into_parts().0
}

fn plain(extensions: &[(&str, &str)]) -> Event {
    let event = Event::builder("1", "/s", "t").subject("x").data(Data::Json("{}".into()));
    let event =
        extensions.iter().fold(event, |event, (name, text)| event.extension(name, AttributeValue::String(text)));
    event.build().expect("valid")
}

#[test]
fn method_and_path_are_written_where_they_are_not_the_usual_ones() {
    let check = |method: &str, path: &str, own: &[(&str, &str)], expected: &[(&str, &str)]| {
        let parts = parts(method, "/", &[]);
        let ids = CountingIds::default();
        let given = Stamp::of(&parts, path, &ids).given_to(plain(own), &Limits::default()).expect("it is small");
        assert_eq!(given, plain(expected), "{method} {path} {own:?}");
    };
    check("POST", "/", &[], &[]);
    check("POST", "/", &[("a", "b")], &[("a", "b")]);
    check("GET", "/", &[("a", "b")], &[("a", "b"), ("weirmethod", "GET")]);
    check("POST", "/a/4%202", &[], &[("weirpath", "/a/4%202")]);
    check("PUT", "/k\u{e4}se", &[], &[("weirmethod", "PUT"), ("weirpath", "/k%C3%A4se")]);
    // What an event says of itself counts for nothing.
    let forged = [("weirmethod", "PUT"), ("a", "b"), ("weirpath", "/forged")];
    check("POST", "/", &forged, &[("a", "b")]);
    check("POST", "/in", &forged, &[("a", "b"), ("weirpath", "/in")]);
    check("PUT", "/forged", &forged, &forged);
}

#[test]
fn an_event_becomes_no_larger_than_one_may_be() {
    let traced = parts("PUT", "/", &[(TRACEPARENT, PARENT)]);
    let ids = CountingIds::default();
    let stamp = Stamp::of(&traced, "/in", &ids);
    let written = stamp.arrival().size();
    let event = plain(&[]);
    let within = |event_bytes_max| Limits { event_bytes_max, ..Limits::default() };
    let whole = stamp.given_to(event.clone(), &within(event.size() + stamp.size())).expect("there is room");
    assert_eq!((whole.size(), whole.extensions().count()), (event.size() + stamp.size(), 3));
    // The trace goes first.
    let given = stamp.given_to(event.clone(), &within(event.size() + stamp.size() - 1)).expect("there is room");
    assert_eq!((given.size(), Arrival::of(&given)), (event.size() + written, stamp.arrival()));
    let refused = stamp.given_to(event.clone(), &within(event.size() + written - 1)).expect_err("it is too large");
    assert_eq!(refused.status().as_u16(), 413);
}

#[test]
fn an_event_has_no_more_extensions_than_one_may_have() {
    let traced = parts("PUT", "/", &[(TRACEPARENT, PARENT)]);
    let ids = CountingIds::default();
    let given = |path: &str, own: &[(&str, &str)], extensions_max: usize| {
        let limits = Limits { extensions_max, ..Limits::default() };
        Stamp::of(&traced, path, &ids).given_to(plain(own), &limits)
    };
    let count = |event: Result<Event, Problem>| event.expect("they fit").extensions().count();
    let own = [("a", "1"), ("b", "2")];
    // A trace may have a state beside it.
    assert_eq!(count(given("/in", &own, 6)), 5);
    // It goes first.
    assert_eq!(count(given("/in", &own, 5)), 4);
    assert_eq!(count(given("/in", &own, 4)), 4);
    let refused = given("/in", &own, 3).expect_err("they are too many");
    let message = "the number of extension attributes, with the method and path by which the event came, is 4, \
                   over the limit of 3: send less";
    assert_eq!((refused.status().as_u16(), refused.message()), (413, message));
    // What the door wrote before is replaced, and comes to nothing more.
    assert_eq!(count(given("/in", &[("a", "1"), ("weirmethod", "GET"), ("weirpath", "/old")], 3)), 3);
}

#[test]
fn a_path_that_no_attribute_can_hold_is_refused() {
    let limits = Limits::default();
    let (parts, ids) = (parts("PUT", "/", &[]), CountingIds::default());
    let given = |path: &str| Stamp::of(&parts, path, &ids).given_to(plain(&[]), &limits);
    let longest = format!("/{}", "p".repeat(limits.attribute_bytes_max - 1));
    assert_eq!(given(&longest).expect("it fits").extension_str(Arrival::PATH), Some(&*longest));
    let refused = given(&format!("{longest}p")).expect_err("it does not fit");
    let message = "the path of the request in bytes is 8193, over the limit of 8192: send less";
    assert_eq!((refused.status().as_u16(), refused.message()), (413, message));
    // What counts is what is written.
    let umlauts = format!("/{}", "\u{e4}".repeat(limits.attribute_bytes_max / 4));
    assert_eq!(given(&umlauts).expect_err("it does not fit").status().as_u16(), 413);
}

#[test]
fn an_event_without_a_context_is_given_that_of_the_request() {
    let parts = parts("POST", "/", &[(TRACEPARENT, PARENT), (TRACESTATE, "a=1")]);
    let ids = CountingIds::default();
    let stamp = Stamp::of(&parts, "/", &ids);
    let given_to = |event: Event, limits: &Limits| stamp.given_to(event, limits).expect("a trace is no reason");
    let event = Event::builder("1", "/s", "t")
        .subject("x")
        .time("2026-01-31T12:00:00Z")
        .datacontenttype("application/json")
        .dataschema("https://example.com/s")
        .extension("sequence", AttributeValue::Integer(7))
        .extension(TRACESTATE, AttributeValue::String("orphan=1"))
        .data(Data::Json("{}".into()));
    let expected = event
        .clone()
        .extension(TRACEPARENT, AttributeValue::String(PARENT))
        .extension(TRACESTATE, AttributeValue::String("a=1"));
    let given = given_to(event.build().expect("valid"), &Limits::default());
    let expected = expected.build().expect("valid");
    let names = |event: &Event| {
        let mut names: Vec<_> = event.extensions().map(|(name, value)| format!("{name} {value:?}")).collect();
        names.sort();
        names
    };
    assert_eq!(names(&given), names(&expected));
    assert_eq!((given.subject(), given.time()), (expected.subject(), expected.time()));
    assert_eq!((given.datacontenttype(), given.dataschema()), (expected.datacontenttype(), expected.dataschema()));
    assert_eq!(given.data(), expected.data());

    let other = "00-0af7651916cd43dd8448eb211c80319c-0000000000000001-00";
    let event = Event::builder("1", "/s", "t").extension(TRACEPARENT, AttributeValue::String(other));
    let event = event.build().expect("valid");
    assert_eq!(given_to(event.clone(), &Limits::default()), event);
    // A broken one is none.
    let broken = Event::builder("1", "/s", "t").extension(TRACEPARENT, AttributeValue::String("00-nonsense"));
    let given = given_to(broken.build().expect("valid"), &Limits::default());
    assert_eq!(given.extension_str(TRACEPARENT), Some(PARENT));
    assert_eq!(given.extensions().count(), 2);
    let plain = Event::builder("1", "/s", "t").build().expect("valid");
    let limits = Limits { event_bytes_max: plain.size() + stamp.size() - 1, ..Limits::default() };
    assert_eq!(given_to(plain.clone(), &limits), plain);
}

#[test]
fn in_the_place_of_a_malformed_trace_a_new_one_begins() {
    let ids = CountingIds::default();
    let state = (TRACESTATE, "a=1");
    let given = |headers: &[(&str, &str)], own: &[(&str, &str)]| {
        let parts = parts("POST", "/", headers);
        let event = Stamp::of(&parts, "/", &ids).given_to(plain(own), &Limits::default()).expect("it is small");
        let parent = event.extension_str(TRACEPARENT).map(|text| text.parse::<TraceParent>().expect("well formed"));
        (parent, event.extension_str(TRACESTATE).map(str::to_owned))
    };
    let mut seen = vec![PARENT.parse::<TraceParent>().expect("well formed").trace_id()];
    let twice = [(TRACEPARENT, PARENT), (TRACEPARENT, PARENT), state];
    let broken = [(TRACEPARENT, "00-nonsense"), state];
    let none: &[(&str, &str)] = &[];
    for (headers, own) in [(&broken[..], none), (&twice[..], none), (none, &broken[..])] {
        let (parent, state) = given(headers, own);
        let parent = parent.expect("a trace");
        // Nobody here records it, and the state was of another trace.
        assert_eq!((parent.is_sampled(), state), (false, None), "{headers:?} {own:?}");
        assert!(!seen.contains(&parent.trace_id()), "{parent}");
        seen.push(parent.trace_id());
    }
    // A good one of either is gone on with, and where there is none, none begins.
    let good = PARENT.parse().ok();
    assert_eq!(given(&broken, &[(TRACEPARENT, PARENT)]), (good, None));
    assert_eq!(given(&[(TRACEPARENT, PARENT)], &broken), (good, None));
    assert_eq!(given(&[], &[]), (None, None));
}
