//! The dialects as tables, and against an oracle that reads the JSON anew for each event.

use std::collections::BTreeMap;

use proptest::{
    collection::{btree_map, vec},
    option,
    prelude::*,
    sample::select,
};
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
    let dialects = "exact, prefix, suffix, all, any, not";
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
    check(json!({ "sql": "TRUE" }), &[&format!("/sql in the filter is not supported yet: use {dialects}")]);
    check(
        json!({ "type": "a" }),
        &["/type in the filter is an attribute and no dialect: write {\"exact\": {\"type\": ...}}"],
    );
    check(
        // In the order that a map may have too, which keeps none.
        json!({ "any": {}, "exact": { "": "b", "Type": "a", "data": "c", "my-ext": "", "ok": 5 }, "not": [] }),
        &[
            "the filter has 3 members, and may have one: make each an object of its own, and put these into \"all\"",
            "/any in the filter must be an array of filters, not an object",
            "/exact/ in the filter has no name: name an attribute of events",
            "/exact/Type in the filter has a name that is not allowed: did you mean \"type\"?",
            "/exact/data in the filter is no attribute: a filter sees the attributes of an event, and not its data",
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
    let expected =
        ["/256/exact/a in the filter is more than the 256 attributes that a filter may compare: take some out"];
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

/// What one comparison says, given its place, dialect, attribute and text; nothing where that is unknown.
type Leaf<'a> = &'a dyn Fn(&str, &str, &str, &str) -> Option<bool>;

/// What a filter says; nothing where that depends on what is unknown.
fn outcome(filter: &Value, at: &str, leaf: Leaf<'_>) -> Option<bool> {
    let (dialect, content) = filter.as_object().and_then(|it| it.iter().next()).expect("one member");
    let at = format!("{at}/{dialect}");
    match content {
        Value::Array(nested) => {
            let of = |(index, filter): (usize, &Value)| outcome(filter, &format!("{at}/{index}"), leaf);
            joined(&nested.iter().enumerate().map(of).collect::<Vec<_>>(), dialect == "any")
        }
        nested if dialect == "not" => outcome(nested, &at, leaf).map(|truth| !truth),
        pairs => {
            let pairs = pairs.as_object().expect("attributes and texts");
            let of = |(name, wanted): (&String, &Value)| {
                leaf(&format!("{at}/{name}"), dialect, name, wanted.as_str().expect("a text"))
            };
            joined(&pairs.iter().map(of).collect::<Vec<_>>(), false)
        }
    }
}

/// One that is `decisive` decides, and without it one that is unknown leaves all open.
fn joined(parts: &[Option<bool>], decisive: bool) -> Option<bool> {
    if parts.contains(&Some(decisive)) {
        return Some(decisive);
    }
    (!parts.contains(&None)).then_some(!decisive)
}

fn attributes_of(event: &Event) -> BTreeMap<String, String> {
    let names = ["id", "source", "type", "subject", "time", "datacontenttype", "dataschema"];
    let fixed = names.into_iter().zip(event.fixed_values());
    let fixed = fixed.filter_map(|(name, value)| Some((name.to_owned(), value?.to_owned())));
    let extensions = event.extensions().map(|(name, value)| {
        let text = match value {
            AttributeValue::String(text) => text.to_owned(),
            AttributeValue::Integer(number) => number.to_string(),
            AttributeValue::Boolean(truth) => truth.to_string(),
        };
        (name.to_owned(), text)
    });
    fixed.chain(extensions).chain([("specversion".to_owned(), "1.0".to_owned())]).collect()
}

/// Up to four levels with up to four filters in each: never more terms than there may be.
fn filters() -> impl Strategy<Value = Value> {
    let names = vec![
        "id",
        "source",
        "specversion",
        "type",
        "subject",
        "time",
        "datacontenttype",
        "dataschema",
        "env",
        "number",
        "truth",
        "missing",
    ];
    let texts = vec!["a", "b", "ab", "ba", "1", "-1", "1.0", "t", "true", "e", "A", "text/", "2026", "https:"];
    let dialects = select(vec!["exact", "prefix", "suffix"]);
    let leaf = (dialects, btree_map(select(names), select(texts), 1..3))
        .prop_map(|(dialect, pairs)| json!({ dialect: pairs }));
    leaf.prop_recursive(3, 24, 4, |nested| {
        prop_oneof![
            2 => (select(vec!["all", "any"]), vec(nested.clone(), 1..5))
                .prop_map(|(dialect, nested)| json!({ dialect: nested })),
            1 => nested.prop_map(|nested| json!({ "not": nested })),
        ]
    })
}

fn events() -> impl Strategy<Value = Event> {
    let text = || select(vec!["a", "b", "ab", "ba", "aba"]);
    let required = (text(), text(), text());
    let optional = (option::of(text()), option::of(text()), option::of(-12..13i32), option::of(any::<bool>()));
    (required, optional, any::<bool>()).prop_map(|((id, source, kind), (subject, env, number, truth), full)| {
        let mut event = Event::builder(id, source, kind).extension_opt("env", env);
        if let Some(subject) = subject {
            event = event.subject(subject);
        }
        if let Some(number) = number {
            event = event.extension("number", AttributeValue::Integer(number));
        }
        if let Some(truth) = truth {
            event = event.extension("truth", AttributeValue::Boolean(truth));
        }
        if full {
            event = event.time("2026-01-31T12:00:00Z").datacontenttype("text/a").dataschema("https://a/b");
        }
        event.build().expect("valid")
    })
}

proptest! {
    #[test]
    fn filters_agree_with_the_oracle(given in filters(), event in events()) {
        let attributes = attributes_of(&event);
        let naive = |_: &str, dialect: &str, name: &str, wanted: &str| {
            Some(attributes.get(name).is_some_and(|text| match dialect {
                "exact" => text == wanted,
                "prefix" => text.starts_with(wanted),
                _ => text.ends_with(wanted),
            }))
        };
        let expected = outcome(&given, "", &naive).expect("nothing is unknown");
        let filter = parsed(&given);
        prop_assert_eq!(filter.matches(&event), expected);

        let told = filter.explain(&event);
        prop_assert_eq!(told.matched, expected);
        let canonical = filter.to_json();
        for term in &told.terms {
            let by_oracle = naive("", term.dialect, &term.attribute, &term.wanted);
            prop_assert_eq!(by_oracle, Some(term.matched), "{:?}", term);
            prop_assert_eq!(term.found.as_ref(), attributes.get(&term.attribute), "{:?}", term);
            let stands_there = canonical.pointer(&term.pointer).and_then(Value::as_str);
            prop_assert_eq!(stands_there, Some(term.wanted.as_str()), "{:?}", term);
        }

        // What decided is enough for the outcome, and nothing of it could be missed.
        let decided: BTreeMap<&str, bool> =
            told.terms.iter().filter(|term| term.decided).map(|term| (&*term.pointer, term.matched)).collect();
        prop_assert!(!decided.is_empty());
        let without = |missing: Option<&str>| {
            let known = |at: &str, _: &str, _: &str, _: &str| {
                decided.get(at).copied().filter(|_| missing != Some(at))
            };
            outcome(&canonical, "", &known)
        };
        prop_assert_eq!(without(None), Some(expected));
        for at in decided.keys().copied() {
            prop_assert_eq!(without(Some(at)), None, "{}", at);
        }
    }

    #[test]
    fn the_canonical_form_is_the_same_filter(given in filters()) {
        let filter = parsed(&given);
        let canonical = filter.to_json();
        prop_assert_eq!(&parsed(&canonical), &filter);
        prop_assert_eq!(parsed(&canonical).canonical(), filter.canonical());
        for wrapped in [json!([given]), json!({ "all": [given] }), json!({ "any": [given] })] {
            prop_assert_eq!(&parsed(&wrapped), &filter);
        }
    }
}
