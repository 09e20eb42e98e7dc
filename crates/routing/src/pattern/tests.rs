//! The operators as tables, and what is refused.

mod oracle;
mod properties;

use serde_json::{Value, json};
use weir_domain::{AttributeValue, Data, Event};

use super::Pattern;
use crate::{FilterFault, document::Document, pointer::Pointer};

const OPERATORS: &str = "prefix, suffix, equals-ignore-case, wildcard, anything-but, numeric, cidr, exists";

/// Reads a pattern, or tells what is wrong with it.
fn read(pattern: &Value) -> Result<Pattern, Vec<FilterFault>> {
    let mut faults = Vec::new();
    match Pattern::parse(pattern, &mut Pointer::default(), &mut faults, &mut 0) {
        Some(pattern) if faults.is_empty() => Ok(pattern),
        _ => Err(faults),
    }
}

fn parsed(pattern: &Value) -> Pattern {
    read(pattern).unwrap_or_else(|faults| panic!("{pattern}: {faults:?}"))
}

/// The document that a pattern sees of an event.
fn document<'e>(pattern: &Pattern, event: &'e Event) -> Option<Document<'e>> {
    match event.data() {
        Data::Json(text) => Document::read(text, &[pattern.members()]),
        Data::None | Data::Text(_) | Data::Binary(_) => None,
    }
}

fn holds(pattern: &Pattern, event: &Event) -> bool {
    pattern.holds(event, document(pattern, event).as_ref())
}

fn with_data(data: Data) -> Event {
    Event::builder("1", "/s", "t").data(data).build().expect("valid")
}

/// Asks what is below `data` about the JSON text of data.
fn check(pattern: &Value, data: &str, expected: bool) {
    let pattern = json!({ "data": pattern });
    let event = with_data(Data::Json(data.into()));
    assert_eq!(holds(&parsed(&pattern), &event), expected, "{pattern} {data}");
}

/// Asks conditions about one value.
fn check_value(conditions: &Value, value: &str, expected: bool) {
    check(&json!({ "a": conditions }), &format!("{{\"a\":{value}}}"), expected);
}

/// Asks conditions about an attribute with a text.
fn check_attribute(conditions: &Value, text: &str, expected: bool) {
    let pattern = json!({ "env": conditions });
    let event = Event::builder("1", "/s", "t").extension("env", AttributeValue::String(text)).build().expect("valid");
    assert_eq!(holds(&parsed(&pattern), &event), expected, "{pattern} {text:?}");
}

#[test]
fn a_value_is_equal_by_its_kind() {
    for (wanted, value, expected) in [
        (json!(["a"]), r#""a""#, true),
        (json!(["a"]), r#""A""#, false),
        (json!(["a", "b"]), r#""b""#, true),
        (json!(["a/é"]), r#""\u0061\/\u00e9""#, true),
        (json!([300]), "3.0e2", true),
        (json!([300.0]), "300", true),
        (json!([300]), r#""300""#, false),
        (json!(["300"]), "300", false),
        (json!([9_007_199_254_740_993_u64]), "9007199254740992", false),
        (json!([9_007_199_254_740_993_u64]), "9007199254740993", true),
        (json!([true]), "true", true),
        (json!([true]), r#""true""#, false),
        (json!([null]), "null", true),
        (json!([null]), "0", false),
        (json!(["a"]), "{}", false),
    ] {
        check_value(&wanted, value, expected);
    }
    check(&json!(["a"]), r#""a""#, true);
    check(&json!(["a"]), r#"["b","a"]"#, true);
    check(&json!({ "a": [null] }), "{}", false);
    check(&json!({ "a": [1] }), r#"{"a":1,"a":2}"#, false);
    check(&json!({ "a": [2] }), r#"{"a":1,"a":2}"#, true);
}

#[test]
fn an_attribute_is_a_text_whatever_it_came_as() {
    for (wanted, text, expected) in [
        (json!([5]), "5", true),
        (json!(["5"]), "5", true),
        (json!([5]), "5.0", true),
        (json!(["5"]), "5.0", false),
        (json!([5]), " 5", false),
        (json!([true]), "true", true),
        (json!([true]), "True", false),
        (json!([{ "numeric": [">", 4] }]), "5", true),
        (json!([{ "numeric": [">", 4] }]), "five", false),
        (json!([{ "anything-but": 5 }]), "5", false),
        (json!([{ "anything-but": "5" }]), "5.0", true),
        (json!([{ "prefix": "5" }]), "5.0", true),
        (json!([{ "exists": false }]), "5", false),
        (json!([""]), "", true),
    ] {
        check_attribute(&wanted, text, expected);
    }
}

#[test]
fn texts_are_compared_at_either_end_and_without_capitals() {
    for (condition, text, expected) in [
        (json!({ "prefix": "ab" }), "abc", true),
        (json!({ "prefix": "ab" }), "ABc", false),
        (json!({ "prefix": "" }), "", true),
        (json!({ "prefix": { "equals-ignore-case": "aB" } }), "Abc", true),
        (json!({ "prefix": { "equals-ignore-case": "ab" } }), "a", false),
        (json!({ "suffix": "bc" }), "abc", true),
        (json!({ "suffix": "bc" }), "ab", false),
        (json!({ "suffix": { "equals-ignore-case": "Bc" } }), "abC", true),
        (json!({ "suffix": { "equals-ignore-case": "xabc" } }), "abc", false),
        (json!({ "equals-ignore-case": "ÄB" }), "äb", true),
        (json!({ "equals-ignore-case": "ab" }), "abc", false),
        (json!({ "equals-ignore-case": "abc" }), "ab", false),
    ] {
        check_attribute(&json!([condition]), text, expected);
        check_value(&json!([condition]), &Value::from(text).to_string(), expected);
        check_value(&json!([condition]), "5", false);
    }
}

#[test]
fn a_star_is_any_letters() {
    for (wildcard, text, expected) in [
        ("a*c", "abc", true),
        ("a*c", "ac", true),
        ("a*c", "acd", false),
        ("a*a", "a", false),
        ("*", "", true),
        ("*b*", "abc", true),
        ("*ab*ab", "abab", true),
        ("*ab*ab", "aab", false),
        ("*a*b*c", "xaxbxcxc", true),
        (r"a\*", "a*", true),
        (r"a\*", "ab", false),
        (r"\\*", r"\x", true),
        ("abc", "abc", true),
        ("", "", true),
        ("é*", "éa", true),
    ] {
        check_attribute(&json!([{ "wildcard": wildcard }]), text, expected);
        check_attribute(&json!([{ "anything-but": { "wildcard": wildcard } }]), text, !expected);
    }
    // With going back for each star, this would not end.
    let wildcard = "*a".repeat(200) + "b";
    check_attribute(&json!([{ "wildcard": wildcard }]), &"a".repeat(100_000), false);
}

#[test]
fn numbers_and_addresses_have_ranges() {
    for (range, value, expected) in [
        (json!([">", 0, "<=", 5]), "5", true),
        (json!([">", 0, "<=", 5]), "0", false),
        (json!(["<=", 5, ">", 0]), "0.001", true),
        (json!(["=", 3e2]), "300", true),
        (json!(["<", -1]), "-1.5", true),
        (json!([">=", 1]), r#""1""#, false),
        (json!([">", 9_007_199_254_740_992_u64]), "9007199254740993", true),
        (json!([">", 5]), "1e999", true),
    ] {
        check_value(&json!([{ "numeric": range }]), value, expected);
    }
    for (network, text, expected) in [
        ("10.0.0.0/8", "10.1.2.3", true),
        ("10.0.0.0/8", "11.0.0.0", false),
        ("10.0.0.1/8", "10.9.9.9", true),
        ("10.0.0.0/8", "10.1.2", false),
        ("2001:db8::/32", "2001:db8:1::1", true),
        ("2001:db8::/32", "10.0.0.1", false),
        ("0.0.0.0/0", "::1", false),
    ] {
        check_attribute(&json!([{ "cidr": network }]), text, expected);
    }
}

#[test]
fn something_is_there_or_is_not() {
    let (there, missing) =
        (json!({ "a": { "b": [{ "exists": true }] } }), json!({ "a": { "b": [{ "exists": false }] } }));
    for (data, is_there, is_missing) in [
        (r#"{"a":{"b":null}}"#, true, false),
        (r#"{"a":{"b":{}}}"#, true, false),
        (r#"{"a":{"b":[]}}"#, true, false),
        (r#"{"a":{}}"#, false, true),
        (r#"{"a":5}"#, false, true),
        (r#"{"a":[]}"#, false, true),
        ("{}", false, true),
        ("[]", false, true),
        // Either item is enough.
        (r#"{"a":[{"b":1},{}]}"#, true, true),
        (r#"{"a":[{"b":1}]}"#, true, false),
    ] {
        check(&there, data, is_there);
        check(&missing, data, is_missing);
    }
    let anything_but = json!([{ "anything-but": ["a", 5] }]);
    for (value, expected) in [
        ("\"b\"", true),
        ("\"a\"", false),
        ("5.0", false),
        ("null", true),
        ("{}", false),
        ("[]", false),
        (r#"["a",1]"#, true),
    ] {
        check_value(&anything_but, value, expected);
    }
    check(&json!({ "a": anything_but }), "{}", false);
}

#[test]
fn of_an_array_one_item_must_hold_the_whole() {
    let both = json!({ "a": { "b": [1], "c": [2] } });
    check(&both, r#"{"a":[{"b":1,"c":2}]}"#, true);
    check(&both, r#"{"a":[{"b":1},{"c":2}]}"#, false);
    check(&both, r#"{"a":[[{"b":[0,1],"c":2}]]}"#, true);
    check(&both, r#"[{"a":0},{"a":{"b":1,"c":2}}]"#, true);
    let either = json!({ "a": { "b": [1], "$or": [{ "c": [2] }, { "d": { "$or": [{ "e": [3] }, { "f": [4] }] } }] } });
    check(&either, r#"{"a":[{"b":1},{"c":2}]}"#, false);
    check(&either, r#"{"a":{"b":1,"d":[{"e":0},{"f":4}]}}"#, true);
    check(&either, r#"{"a":{"b":1,"d":{"e":0}}}"#, false);
}

#[test]
fn data_that_is_no_json_has_nothing_in_it() {
    let below = parsed(&json!({ "data": { "a": [{ "exists": false }] } }));
    let there = parsed(&json!({ "data": [{ "exists": true }] }));
    let text = parsed(&json!({ "data": [{ "anything-but": "x" }] }));
    for (data, is_there) in
        [(Data::None, false), (Data::Text("a".into()), true), (Data::Binary(b"\xff".to_vec().into()), true)]
    {
        let event = with_data(data);
        assert!(holds(&below, &event), "{event:?}");
        assert_eq!(holds(&there, &event), is_there, "{event:?}");
        assert!(!holds(&text, &event), "{event:?}");
    }
}

#[test]
fn equal_patterns_have_one_text() {
    let check = |given: Value, expected: Value| {
        let pattern = parsed(&given);
        assert_eq!(pattern.to_json(), expected, "{given}");
        assert_eq!(parsed(&expected), pattern, "{given}");
    };
    check(json!({ "type": ["b", "a", "b"] }), json!({ "type": ["a", "b"] }));
    check(json!({ "data": { "a": [3e2, 300, 1] } }), json!({ "data": { "a": [1, 300] } }));
    check(json!({ "env": [{ "anything-but": "a" }] }), json!({ "env": [{ "anything-but": ["a"] }] }));
    check(
        json!({ "env": [{ "anything-but": { "prefix": ["b", "a"] } }, { "prefix": { "equals-ignore-case": "AB" } }] }),
        json!({ "env": [{ "prefix": { "equals-ignore-case": "ab" } }, { "anything-but": { "prefix": ["a", "b"] } }] }),
    );
    check(
        json!({ "env": [{ "numeric": ["<=", 5.0, ">", 0] }, { "cidr": "10.1.0.0/8" }] }),
        json!({ "env": [{ "numeric": [">", 0, "<=", 5] }, { "cidr": "10.0.0.0/8" }] }),
    );
    check(
        json!({ "$or": [{ "type": ["b"] }, { "type": ["a"] }, { "type": ["b"] }] }),
        json!({ "$or": [{ "type": ["a"] }, { "type": ["b"] }] }),
    );
    check(
        json!({ "$or": [{ "type": ["b"] }, { "type": ["b", "b"] }] }),
        json!({ "$or": [{ "type": ["b"] }, { "type": ["b"] }] }),
    );
}

#[test]
fn what_holds_for_every_event_is_known() {
    for (pattern, expected) in [
        (json!({ "specversion": ["1.0"] }), true),
        (json!({ "id": [{ "exists": true }], "type": [{ "prefix": "" }] }), true),
        (json!({ "source": [{ "wildcard": "*" }] }), true),
        (json!({ "subject": [{ "prefix": "" }] }), false),
        (json!({ "data": { "a": [{ "exists": true }, { "exists": false }] } }), true),
        (json!({ "$or": [{ "id": ["a"] }, { "id": [{ "exists": true }] }] }), true),
        (json!({ "type": ["a"], "$or": [{ "id": [{ "suffix": "" }] }, { "id": ["a"] }] }), false),
    ] {
        assert_eq!(parsed(&pattern).is_always_true(), expected, "{pattern}");
    }
}

fn refused(pattern: &Value, expected: &[(&str, &str)]) {
    let faults = read(pattern).expect_err("no pattern");
    let faults: Vec<_> = faults.iter().map(|fault| (&*fault.pointer, &*fault.problem)).collect();
    assert_eq!(faults, expected, "{pattern}");
}

#[test]
fn all_that_is_wrong_is_told_with_its_place() {
    let names = "names of attributes, \"data\" or \"$or\"";
    refused(&json!([]), &[("", &*format!("must be an object with {names}, not an array"))]);
    refused(&json!({}), &[("", &*format!("is empty: give it {names}, each with an array of conditions"))]);
    refused(
        &json!({ "data": { "a": "b", "b": {}, "c": [], "prefix": "d" } }),
        &[
            ("/data/a", "must be an array of conditions or an object, not a string: put it into an array"),
            ("/data/b", "is empty: give it names of members, each with an array of conditions"),
            ("/data/c", "is empty: give it at least one condition"),
            (
                "/data/prefix",
                "must be an array of conditions or an object, not a string: for a condition, write [{\"prefix\": ...}]",
            ),
        ],
    );
    refused(
        &json!({ "Data": {}, "detail": { "a": [1] }, "detail-type": [1], "my-ext": [{ "exist": true }], "type": "a" }),
        &[
            ("/Data", "has a name that is not allowed: did you mean \"data\"?"),
            (
                "/detail",
                "must be an array of conditions, not an object: only \"data\" has members: did you mean \"data\"?",
            ),
            ("/detail-type", "is no attribute: did you mean \"type\"?"),
            ("/my-ext", "has a name that is not allowed: use lower-case letters a-z and digits only"),
            ("/my-ext/0/exist", "is no operator: did you mean \"exists\"?"),
            ("/type", "must be an array of conditions, not a string: put it into an array"),
        ],
    );
    refused(
        &json!({ "$and": [], "$or": [{ "type": ["a"] }], "data": { "$or": "a" } }),
        &[
            ("/$and", "is no attribute: did you mean \"$or\"?"),
            ("/$and", "is empty: give it at least one condition"),
            ("/$or", "must have at least two patterns, of which one must hold: add one"),
            ("/data/$or", "must be an array of at least two patterns, not a string"),
        ],
    );
    refused(
        &json!({ "data": { "a": [[1], {}, { "anything_but": 1 }, { "exists": 1 }, { "exists": true, "prefix": 5 }] } }),
        &[
            (
                "/data/a/0",
                "must be a value or an object with an operator, not an array: put its items beside the others",
            ),
            ("/data/a/1", &*format!("is empty: give it one of {OPERATORS}")),
            ("/data/a/2/anything_but", "is no operator: did you mean \"anything-but\"?"),
            ("/data/a/3/exists", "must be true or false, not a number"),
            (
                "/data/a/4",
                "has 2 members, and may have one: make each an object of its own, of which one must hold then",
            ),
            ("/data/a/4/prefix", "must be a string: write \"5\""),
        ],
    );
}

#[test]
fn operators_say_what_they_need() {
    let check = |condition: Value, place: &str, problem: &str| {
        refused(&json!({ "data": { "a": [condition] } }), &[(&*format!("/data/a/0{place}"), problem)]);
    };
    check(json!({ "prefix": ["a"] }), "/prefix", "must be a string, not an array");
    let only = "must be a string, or an object with \"equals-ignore-case\" only";
    check(json!({ "suffix": { "prefix": "a" } }), "/suffix", only);
    check(
        json!({ "prefix": { "equals-ignore-case": 1 } }),
        "/prefix/equals-ignore-case",
        "must be a string: write \"1\"",
    );
    check(json!({ "wildcard": "a**" }), "/wildcard", "has two stars side by side: write one");
    let backslash = "has a backslash before something else than a star or a backslash: double it";
    check(json!({ "wildcard": r"a\b" }), "/wildcard", backslash);
    check(json!({ "anything-but": [] }), "/anything-but", "is empty: give it at least one value");
    check(json!({ "anything-but": [true] }), "/anything-but/0", "must be a string or a number, not a boolean");
    let excluded = "must have one member, which is one of prefix, suffix, wildcard, equals-ignore-case";
    check(json!({ "anything-but": { "numeric": [] } }), "/anything-but", excluded);
    check(json!({ "anything-but": { "prefix": [1] } }), "/anything-but/prefix/0", "must be a string: write \"1\"");
    check(
        json!({ "numeric": [">"] }),
        "/numeric",
        "must have one or two comparisons in it, such as [\">\", 0, \"<=\", 5]",
    );
    check(json!({ "numeric": 5 }), "/numeric", "must be an array such as [\">\", 0, \"<=\", 5], not a number");
    let comparison = "is no comparison: choose one of \"=\", \"<\", \"<=\", \">\", \">=\"";
    check(json!({ "numeric": ["==", 5] }), "/numeric/0", comparison);
    check(json!({ "numeric": ["=", "5"] }), "/numeric/1", "must be a number, not a string");
    let side = "compares on the same side as the one before: give one from below and one from above";
    check(json!({ "numeric": [">", 5, ">=", 6] }), "/numeric/2", side);
    let none = "never holds, for no number is between these: mend them";
    check(json!({ "numeric": [">", 5, "<", 3] }), "/numeric", none);
    check(json!({ "numeric": [">", 5, "<=", 5.0] }), "/numeric", none);
    check(json!({ "cidr": "10.0.0.0" }), "/cidr", "is one address and no range: write \"10.0.0.0/32\"");
    let network = "is no range of addresses: write one such as \"10.0.0.0/8\" or \"2001:db8::/32\"";
    check(json!({ "cidr": "10.0.0.0/33" }), "/cidr", network);
    check(json!({ "cidr": "" }), "/cidr", network);
    check(json!({ "equals": 1 }), "/equals", &format!("is no operator: choose one of {OPERATORS}"));
}

#[test]
fn what_can_never_hold_is_refused() {
    let there = "never holds, for every event has this attribute: leave it out";
    refused(&json!({ "id": ["a", { "exists": false }] }), &[("/id/1/exists", there)]);
    let version = "never holds, for every event has \"1.0\": leave it out";
    refused(&json!({ "specversion": ["0.3", { "anything-but": "1.0" }] }), &[("/specversion", version)]);
    parsed(&json!({ "specversion": ["0.3", "1.0"] }));
    let empty = "is empty, which this attribute never is: write another text";
    refused(&json!({ "type": ["a", ""] }), &[("/type/1", empty)]);
    refused(&json!({ "subject": [{ "wildcard": "" }] }), &[("/subject/0/wildcard", empty)]);
    let null = "is null, which no attribute is: write {\"exists\": false} for one that is not there";
    refused(&json!({ "env": [null] }), &[("/env/0", null)]);
}

#[test]
fn patterns_are_bounded() {
    let deep = |levels: usize| {
        let innermost = json!({ "a": [1] });
        json!({ "data": (2..levels).fold(innermost, |nested, _| json!({ "a": nested })) })
    };
    parsed(&deep(Pattern::DEPTH_MAX));
    let place = format!("/data{}", "/a".repeat(Pattern::DEPTH_MAX - 1));
    refused(&deep(Pattern::DEPTH_MAX + 1), &[(&*place, "is nested more than 16 deep: flatten it")]);

    let many = |terms: usize| json!({ "data": { "a": [{ "anything-but": (0..terms).collect::<Vec<_>>() }] } });
    parsed(&many(256));
    let expected = "is more than the 256 values that a filter may compare: take some out";
    refused(&many(300), &[("/data/a/0/anything-but/256", expected)]);

    let long = "a".repeat(4097);
    let expected = "is longer than 4096 bytes: shorten it";
    refused(
        &json!({ "data": { "a": [long, { "prefix": long }, { "anything-but": { "suffix": long } }] } }),
        &[("/data/a/0", expected), ("/data/a/1/prefix", expected), ("/data/a/2/anything-but/suffix", expected)],
    );
    let faults = read(&json!({ "type": vec![json!([]); 1000] })).expect_err("no pattern");
    assert_eq!(faults.len(), 64, "more faults are not told");
}
