//! What can never hold is refused, what always holds is told, and neither is said of anything else.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::{
    super::Filter,
    faults,
    oracle::Seen,
    parsed,
    random::{conjunctions, events, filters},
};

/// Compares the places of the faults of a filter, which was no fault for those that were taken before.
fn check_refused(filter: &Value, expected: &[&str]) {
    let faults = Filter::parse(filter).expect_err("refused");
    let places: Vec<&str> = faults.iter().map(|fault| &*fault.pointer).collect();
    assert_eq!(places, expected, "{filter}");
    assert!(Filter::parse_stored(filter).is_ok(), "{filter}");
}

#[test]
fn what_can_never_hold_is_refused_at_its_place() {
    let exact = |name: &str, text: &str| json!({ "exact": { name: text } });
    let prefix = |name: &str, text: &str| json!({ "prefix": { name: text } });
    let (a, ab) = (exact("subject", "a"), exact("subject", "ab"));
    let either = json!({ "any": [ab, { "suffix": { "env": "b" } }] });
    for (filter, expected) in [
        (json!([a, ab]), "/1/exact/subject"),
        (json!([ab, { "all": [prefix("env", "x"), prefix("subject", "b")] }]), "/1/all/1/prefix/subject"),
        (json!({ "all": [ab, { "suffix": { "subject": "c" } }] }), "/all/1/suffix/subject"),
        (json!([{ "suffix": { "subject": "c" } }, { "any": [ab] }]), "/1/any/0/exact/subject"),
        (json!([prefix("subject", "a"), prefix("subject", "b")]), "/1/prefix/subject"),
        (json!([{ "suffix": { "env": "ab" } }, { "suffix": { "env": "ac" } }]), "/1/suffix/env"),
        (json!([exact("type", "order.x"), { "types": "order.y" }]), "/1/types"),
        (json!([exact("type", "orders"), { "types": ["order.*", "order.>"] }]), "/1/types"),
        (json!([{ "types": ["a", "b.*"] }, { "types": ["c", "d.e"] }]), "/1/types"),
        (json!([{ "types": ">" }, prefix("type", "weir.")]), "/1/prefix/type"),
        (json!([{ "not": a }, a]), "/1/exact/subject"),
        (json!([ab, { "not": prefix("subject", "a") }]), "/1"),
        (json!([exact("type", "a.b"), { "not": { "types": "a.*" } }]), "/1"),
        (json!([either, { "not": either }]), "/1"),
        (json!([ab, { "not": { "any": [exact("env", "b"), prefix("subject", "a")] } }]), "/1"),
        (json!({ "exact": { "specversion": "0.3", "subject": "a" } }), "/exact/specversion"),
        (json!({ "any": [a, prefix("specversion", "2")] }), "/any/1/prefix/specversion"),
        (json!({ "not": { "all": [a, ab] } }), "/not/all/1/exact/subject"),
        (json!({ "not": exact("specversion", "1.0") }), "/not"),
        (json!({ "not": { "any": [a, { "not": a }] } }), "/not"),
        (json!({ "types": ["order.*", "weir.>"] }), "/types/1"),
        (json!({ "not": { "sql": "TRUE" } }), "/not"),
        (json!({ "any": [a, { "sql": "FALSE" }] }), "/any/1/sql"),
    ] {
        check_refused(&filter, &[expected]);
    }
    check_refused(&json!([a, ab, exact("subject", "b")]), &["/1/exact/subject", "/2/exact/subject"]);
    assert_eq!(
        faults(&json!([a, ab])),
        ["/1/exact/subject in the filter can never hold together with /0/exact/subject: take one of them out, or put \
          them into \"any\""]
    );
}

#[test]
fn what_may_hold_is_taken() {
    let exact = |name: &str, text: &str| json!({ "exact": { name: text } });
    let (a, b) = (exact("subject", "a"), exact("subject", "b"));
    for filter in [
        json!({ "any": [a, b] }),
        json!({ "not": { "any": [a, { "all": [b] }] } }),
        json!([{ "any": [a, b] }, b]),
        json!([{ "not": a }, b]),
        json!([{ "not": a }, { "not": b }]),
        json!([exact("subject", "ab"), { "prefix": { "subject": "a" } }, { "suffix": { "subject": "ab" } }]),
        json!([{ "prefix": { "subject": "a" } }, { "prefix": { "subject": "ab" } }]),
        json!([a, { "not": { "exact": { "subject": "a", "env": "b" } } }]),
        json!([{ "types": ["a.*", "c"] }, { "types": ">" }, exact("type", "c")]),
        json!([{ "types": "weir.deadletter.created" }, { "prefix": { "type": "weir." } }]),
    ] {
        assert_eq!(parsed(&filter).always_matches(), None, "{filter}");
    }
}

#[test]
fn what_always_holds_and_what_is_there_twice_is_told() {
    let check = |filter: Value, expected: &[&str]| {
        let notes: Vec<String> = parsed(&filter).notes().iter().map(ToString::to_string).collect();
        assert_eq!(notes, expected, "{filter}");
    };
    let (a, b) = (json!({ "exact": { "subject": "a" } }), json!({ "prefix": { "env": "b" } }));
    let version = json!({ "exact": { "specversion": "1.0" } });
    check(a.clone(), &[]);
    check(json!({ "types": [">"] }), &[]);
    let always = "always holds: every event has the \"specversion\" \"1.0\"";
    check(version.clone(), &[&format!("the filter {always}")]);
    check(json!([a, version]), &[&format!("/all/1 in the filter {always}")]);
    check(
        json!({ "any": [a, version] }),
        &["the filter always holds: its part 1 does, and one is enough: every event has the \"specversion\" \"1.0\""],
    );
    check(
        json!({ "any": [a, b, { "not": a }] }),
        &["the filter always holds: one of its parts is what another one negates"],
    );
    check(
        json!({ "any": [a, { "all": [b, a, b] }, a] }),
        &[
            "/any/1/all/2 in the filter is the same as the part 0 beside it: leave one out",
            "/any/2 in the filter is the same as the part 0 beside it: leave one out",
        ],
    );
    check(
        json!({ "pattern": { "id": [{ "exists": true }] } }),
        &["the filter always holds: every event has what it asks for"],
    );
    check(json!({ "sql": "TRUE" }), &["the filter always holds: the expression is true for every event"]);
    assert!(parsed(&json!({ "any": [a, { "not": a }] })).always_matches().is_some());
}

/// Returns the largest part of a filter around the place of a fault that must hold where the place does.
fn refused_part<'f>(filter: &'f Value, fault: &str) -> &'f Value {
    let steps: Vec<&str> = fault.split('/').skip(1).collect();
    let pointer = |steps: &[&str]| steps.iter().map(|step| format!("/{step}")).collect::<String>();
    let mut start = 0;
    for (place, step) in steps.iter().enumerate() {
        let is_within = place + 1 < steps.len();
        match *step {
            "not" if is_within => start = place + 1,
            // Of one alone, the part that there is must hold.
            "any" if is_within => {
                let parts = filter.pointer(&pointer(&steps[..=place])).and_then(Value::as_array).expect("filters");
                if parts.len() > 1 {
                    start = place + 2;
                }
            }
            _ => {}
        }
    }
    filter.pointer(&pointer(&steps[..start])).expect("a filter")
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn what_is_refused_never_holds_and_what_is_told_to_always_does(
        given in prop_oneof![filters(), conjunctions()],
        events in proptest::collection::vec(events(), 1..8),
    ) {
        let refused = Filter::parse(&given).err().unwrap_or_default();
        let stored = Filter::parse_stored(&given).expect("a filter");
        let always = stored.always_matches();
        for event in &events {
            let seen = Seen::of(event);
            for fault in &refused {
                prop_assert!(!seen.holds(refused_part(&given, &fault.pointer)), "{:?}", fault);
            }
            if let Some(reason) = &always {
                prop_assert!(seen.holds(&given), "{}", reason);
            }
            if let Some(truth) = stored.tree.root.constant() {
                prop_assert_eq!(seen.holds(&given), truth);
            }
        }
    }
}
