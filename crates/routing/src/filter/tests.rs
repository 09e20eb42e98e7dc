//! The dialects as tables, and what is refused.

mod analysis;
mod languages;
mod oracle;
mod properties;
mod random;
mod sharing;

use serde_json::{Value, json};
use weir_domain::{AttributeValue, Event};

use super::Filter;

fn parsed(filter: &Value) -> Filter {
    Filter::parse(filter).unwrap_or_else(|faults| panic!("{filter}: {faults:?}"))
}

/// An event with these attributes, all of them text.
fn event(attributes: &[(&str, &str)]) -> Event {
    let begun = Event::builder("1", "/s", "t");
    let set = attributes.iter().fold(begun, |event, (name, value)| match *name {
        "id" => event.id(value),
        "source" => event.source(value),
        "type" => event.event_type(value),
        "subject" => event.subject(value),
        _ => event.extension(name, AttributeValue::String(value)),
    });
    set.build().expect("valid")
}

fn check(filter: &Value, attributes: &[(&str, &str)], expected: bool) {
    assert_eq!(parsed(filter).matches(&event(attributes)), expected, "{filter} {attributes:?}");
}

/// What the test kit of CESQL has as "SubscriptionsAPI Recreations", in the dialects that it recreates; more below.
#[test]
fn one_dialect_and_two_are_as_in_the_test_kit() {
    let prefix = json!({ "prefix": { "source": "https://" } });
    check(&prefix, &[("source", "https://example.com")], true);
    check(&prefix, &[("source", "http://example.com")], false);
    let prefix = json!({ "prefix": { "myext": "custom" } });
    check(&prefix, &[("myext", "customext")], true);
    check(&prefix, &[], false);

    let suffix = json!({ "suffix": { "type": ".error" } });
    check(&suffix, &[("type", "com.github.error")], true);
    check(&suffix, &[("type", "com.github.success")], false);
    let suffix = json!({ "suffix": { "myext": "ext" } });
    check(&suffix, &[("myext", "customext")], true);
    check(&suffix, &[], false);

    let exact = json!({ "exact": { "id": "myId" } });
    check(&exact, &[("id", "myId")], true);
    check(&exact, &[("id", "notmyId")], false);
    let exact = json!({ "exact": { "myext": "customext" } });
    check(&exact, &[("myext", "customext")], true);
    check(&exact, &[], false);

    let (my_id, in_canada) = (json!({ "prefix": { "id": "my" } }), json!({ "suffix": { "source": ".ca" } }));
    let (ca, com) = (("source", "http://www.some-website.ca"), ("source", "http://www.some-website.com"));
    for both in [json!({ "all": [my_id, in_canada] }), json!([my_id, in_canada])] {
        check(&both, &[("id", "myId"), ca], true);
        check(&both, &[("id", "myId"), com], false);
    }
    let both = json!([{ "prefix": { "myext": "custom" } }, { "suffix": { "type": ".error" } }]);
    check(&both, &[("myext", "customext"), ("type", "com.github.error")], true);
    let both = json!({ "prefix": { "type": "example.", "myext": "custom" } });
    check(&both, &[("type", "example.event.type")], false);
    let either = json!({ "any": [my_id, in_canada] });
    check(&either, &[("id", "myId"), ca], true);
    check(&either, &[("id", "myId"), com], true);
    check(&either, &[("id", "notmyId"), ca], true);
    check(&either, &[("id", "notmyId"), com], false);
}

#[test]
fn normal_forms_are_as_in_the_test_kit() {
    let disjunctive = json!({ "any": [
        { "all": [{ "exact": { "id": "myId" } }, { "suffix": { "type": ".success" } }] },
        { "all": [
            { "exact": { "id": "notmyId" } },
            { "prefix": { "source": "http://" } },
            { "suffix": { "type": ".warning" } },
        ] },
    ] });
    let (success, warning) = (("type", "example.event.success"), ("type", "example.event.warning"));
    let (http, https) = (("source", "http://localhost.localdomain"), ("source", "https://localhost.localdomain"));
    check(&disjunctive, &[("id", "myId"), success], true);
    check(&disjunctive, &[("id", "notmyId"), warning, http], true);
    check(&disjunctive, &[("id", "notmyId"), warning, https], false);

    let first = json!({ "any": [{ "exact": { "id": "myId" } }, { "suffix": { "type": ".success" } }] });
    let second = json!({ "any": [
        { "exact": { "id": "notmyId" } },
        { "prefix": { "source": "https://" } },
        { "suffix": { "type": ".warning" } },
    ] });
    let conjunctive = json!([first, second]);
    check(&conjunctive, &[("id", "myId"), warning, http], true);
    check(&conjunctive, &[("id", "notmyId"), success, http], true);
    check(&conjunctive, &[("id", "notmyId"), warning, http], false);
    check(&conjunctive, &[("id", "myId"), success, http], false);
    let conjunctive = json!([first, second, { "exact": { "myext": "customext" } }]);
    check(&conjunctive, &[("id", "myId"), warning, http], false);
}

#[test]
fn values_are_compared_as_their_text_and_letter_by_letter() {
    let numbered = Event::builder("1", "/s", "t")
        .extension("number", AttributeValue::Integer(-42))
        .extension("truth", AttributeValue::Boolean(true))
        .build()
        .expect("valid");
    for (filter, expected) in [
        (json!({ "exact": { "number": "-42" } }), true),
        (json!({ "suffix": { "number": "42" } }), true),
        (json!({ "exact": { "truth": "true" } }), true),
        (json!({ "exact": { "truth": "True" } }), false),
        (json!({ "exact": { "specversion": "1.0" } }), true),
        (json!({ "exact": { "type": "T" } }), false),
        (json!({ "not": { "exact": { "missing": "a" } } }), true),
    ] {
        assert_eq!(parsed(&filter).matches(&numbered), expected, "{filter}");
    }
}

#[test]
fn equal_filters_have_one_text() {
    let check = |given: Value, expected: &str| {
        let filter = parsed(&given);
        assert_eq!(filter.canonical(), expected, "{given}");
        assert_eq!(parsed(&filter.to_json()), filter, "{given}");
    };
    let sorted = r#"{"exact":{"a":"1","b":"2","type":"t"}}"#;
    check(json!({ "exact": { "type": "t", "b": "2", "a": "1" } }), sorted);
    check(json!([{ "exact": { "b": "2", "type": "t", "a": "1" } }]), sorted);
    check(json!({ "any": [{ "all": [{ "exact": { "b": "2", "a": "1", "type": "t" } }] }] }), sorted);
    let (a, b) = (json!({ "prefix": { "a": "1" } }), json!({ "not": { "suffix": { "b": "\"2/~" } } }));
    let all = r#"{"all":[{"prefix":{"a":"1"}},{"not":{"suffix":{"b":"\"2/~"}}}]}"#;
    check(json!([a, b]), all);
    check(json!({ "all": [a, b] }), all);
    assert_ne!(parsed(&json!([a, b])), parsed(&json!([b, a])));
    assert_ne!(parsed(&json!([a, b])), parsed(&json!({ "any": [a, b] })));
}

/// The faults of a filter as they are shown.
fn faults(filter: &Value) -> Vec<String> {
    Filter::parse(filter).expect_err("no filter").iter().map(ToString::to_string).collect()
}

#[test]
fn all_that_is_wrong_is_told_with_its_place() {
    let check = |filter: Value, expected: &[&str]| assert_eq!(faults(&filter), expected, "{filter}");
    let dialects = "exact, prefix, suffix, all, any, not, sql, types, pattern";
    check(json!([]), &["the filter has no filters in it: leave it out, and every event is taken"]);
    check(json!({}), &[&format!("the filter is empty: give it one of {dialects}")]);
    let object = "must be an object such as {\"exact\": {\"subject\": \"a\"}}, not";
    check(json!("a"), &[&format!("the filter {object} a string")]);
    check(
        json!([null, 1]),
        &[&format!("/0 in the filter {object} null"), &format!("/1 in the filter {object} a number")],
    );
    check(json!({ "exakt": {} }), &["/exakt in the filter is no dialect: did you mean \"exact\"?"]);
    check(json!({ "Prefix": {} }), &["/Prefix in the filter is no dialect: did you mean \"prefix\"?"]);
    check(json!({ "or": [] }), &["/or in the filter is no dialect: did you mean \"any\"?"]);
    check(json!({ "a/~b": [] }), &[&format!("/a~1~0b in the filter is no dialect: choose one of {dialects}")]);
    check(
        json!({ "subject": "a" }),
        &["/subject in the filter is an attribute and no dialect: write {\"exact\": {\"subject\": ...}}"],
    );
    for (given, meant) in
        [("type", "types"), ("eventTypes", "types"), ("CESQL", "sql"), ("detail", "pattern"), ("patern", "pattern")]
    {
        check(json!({ given: "a" }), &[&format!("/{given} in the filter is no dialect: did you mean {meant:?}?")]);
    }
    check(
        // In the order that a map may have too, which keeps none.
        json!({ "any": {}, "exact": { "": "b", "Type": "a", "data": "c", "my-ext": "", "ok": 5 }, "not": [] }),
        &[
            "the filter has 3 members, and may have one: make each an object of its own, and put these into \"all\"",
            "/any in the filter must be an array of filters, not an object",
            "/exact/ in the filter has no name: name an attribute of events",
            "/exact/Type in the filter has a name that is not allowed: did you mean \"type\"?",
            "/exact/data in the filter is no attribute: ask for what is in the data with {\"pattern\": {\"data\": ...}}",
            "/exact/my-ext in the filter has a name that is not allowed: use lower-case letters a-z and digits only",
            "/exact/my-ext in the filter must not be empty: give a text, or leave the attribute out",
            "/exact/ok in the filter must be a string: write \"5\"",
            "/not in the filter must be one filter, not an array: write {\"all\": [...]}",
        ],
    );
    check(
        json!({ "all": [{ "any": [] }, { "suffix": {} }, { "prefix": { "a": ["b"] } }, { "exact": "a" }] }),
        &[
            "/all/0/any in the filter is empty: give it at least one filter",
            "/all/1/suffix in the filter is empty: name at least one attribute and what it is compared with",
            "/all/2/prefix/a in the filter must be a string, not an array",
            "/all/3/exact in the filter must be an object with names of attributes and what they are compared with, \
             not a string",
        ],
    );
}

#[test]
fn filters_are_bounded() {
    let leaf = || json!({ "exact": { "a": "b" } });
    let deep = |levels: usize| (1..levels).fold(leaf(), |nested, _| json!({ "not": nested }));
    parsed(&deep(Filter::DEPTH_MAX));
    let too_deep = "/not".repeat(Filter::DEPTH_MAX);
    let expected = [format!("{too_deep} in the filter is nested more than 16 deep: flatten it")];
    assert_eq!(faults(&deep(Filter::DEPTH_MAX + 1)), expected);
    assert_eq!(faults(&deep(Filter::DEPTH_MAX + 90)), expected);

    let many = |terms: usize| Value::from(vec![leaf(); terms]);
    parsed(&many(Filter::TERMS_MAX));
    let expected = ["/256/exact/a in the filter is more than the 256 values that a filter may compare: take some out"];
    assert_eq!(faults(&many(Filter::TERMS_MAX + 1)), expected);
    assert_eq!(faults(&many(Filter::TERMS_MAX + 9)), expected);

    let long = |name: usize, value: usize| json!({ "exact": { "a".repeat(name): "b".repeat(value) } });
    parsed(&long(64, Filter::VALUE_BYTES_MAX));
    let name = "a".repeat(65);
    assert_eq!(
        faults(&long(65, Filter::VALUE_BYTES_MAX + 1)),
        [
            format!(
                "/exact/{name} in the filter has a name longer than 64 characters, which no attribute has: shorten it"
            ),
            format!("/exact/{name} in the filter is longer than 4096 bytes: shorten it"),
        ]
    );

    let none = Value::from(vec![Value::Null; 1000]);
    assert_eq!(faults(&none).len(), 64, "more faults are not told");
}

#[test]
fn it_is_told_what_decided() {
    // Each term as its place, whether it matched, and whether it decided.
    let check = |filter: Value, attributes: &[(&str, &str)], matched: bool, expected: &[(&str, bool, bool)]| {
        let told = parsed(&filter).explain(&event(attributes));
        let terms: Vec<_> = told.terms.iter().map(|it| (it.pointer.as_str(), it.matched, it.decided)).collect();
        assert_eq!((told.matched, &*terms), (matched, expected), "{filter} {attributes:?}");
    };
    let (a, b, c) =
        (json!({ "exact": { "a": "1" } }), json!({ "exact": { "b": "1" } }), json!({ "exact": { "c": "1" } }));
    let all = json!([a, b, c]);
    check(
        all.clone(),
        &[("a", "1"), ("c", "1")],
        false,
        &[("/all/0/exact/a", true, false), ("/all/1/exact/b", false, true)],
    );
    check(
        all.clone(),
        &[("a", "1"), ("b", "1"), ("c", "1")],
        true,
        &[("/all/0/exact/a", true, true), ("/all/1/exact/b", true, true), ("/all/2/exact/c", true, true)],
    );
    check(
        json!({ "not": { "any": [a, b, c] } }),
        &[("b", "1")],
        false,
        &[("/not/any/0/exact/a", false, false), ("/not/any/1/exact/b", true, true)],
    );
    check(
        json!({ "any": [{ "all": [a, b] }, { "not": c }] }),
        &[("a", "1")],
        true,
        &[
            ("/any/0/all/0/exact/a", true, false),
            ("/any/0/all/1/exact/b", false, false),
            ("/any/1/not/exact/c", false, true),
        ],
    );

    let told = parsed(&json!({ "suffix": { "a": "2", "type": "t" } })).explain(&event(&[("a", "12")]));
    let terms: Vec<_> =
        told.terms.iter().map(|it| (it.dialect, &*it.attribute, &*it.wanted, it.found.as_deref())).collect();
    assert_eq!(terms, [("suffix", "a", "2", Some("12")), ("suffix", "type", "t", Some("t"))]);
}
