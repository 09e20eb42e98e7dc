//! What is counted of a schema, and what is too much.

use serde_json::{Value, json};

use super::*;

fn check(document: &Value, overlap: u64, chain: u64, flags: [bool; 3]) {
    let shape = Shape::measure(document).unwrap_or_else(|error| panic!("{document}: {error}"));
    let [is_recursive, is_branching, has_alternatives] = flags;
    assert_eq!(shape, Shape { overlap, chain, is_recursive, is_branching, has_alternatives }, "{document}");
}

fn check_refused(document: &Value, pointer: &str, part: &str) {
    let error = Shape::measure(document).expect_err(part);
    assert_eq!(error.pointer(), pointer, "{error}");
    assert!(error.to_string().contains(part), "{error}");
}

#[test]
fn schemas_are_counted_by_the_value_they_apply_to() {
    let plain = [false; 3];
    check(&json!(true), 1, 0, plain);
    check(&json!({}), 1, 1, plain);
    // Each property has a schema of its own; further keywords come on top.
    check(&json!({ "properties": { "a": {}, "b": {}, "c": {} } }), 1, 1, plain);
    check(
        &json!({ "properties": { "a": {}, "b": {} }, "additionalProperties": false, "patternProperties": { "x": {} } }),
        3,
        1,
        plain,
    );
    check(&json!({ "allOf": [{}, { "not": {} }] }), 4, 3, plain);
    check(
        &json!({ "anyOf": [{ "properties": { "a": {} } }, { "properties": { "a": {} } }] }),
        3,
        2,
        [false, false, true],
    );
    // What looks like a keyword where it is none is left alone.
    check(&json!({ "enum": [{ "$ref": "nowhere" }], "properties": { "$ref": {}, "allOf": {} } }), 1, 1, plain);
}

#[test]
fn ways_back_are_found() {
    let recursive = [true, false, false];
    check(&json!({ "properties": { "next": { "$ref": "#" } } }), 2, 2, recursive);
    // Left and right are two values: nobody comes to one of them twice.
    check(&json!({ "properties": { "left": { "$ref": "#" }, "right": { "$ref": "#" } } }), 2, 2, recursive);
    let anchored = json!({ "$id": "https://a/b", "$anchor": "tree", "items": { "$ref": "https://a/b#tree" } });
    check(&anchored, 2, 2, recursive);
    let branch = json!({ "properties": { "a": { "$ref": "#" } } });
    check(&json!({ "oneOf": [branch, branch] }), 4, 2, [true, true, true]);
}

#[test]
fn what_is_too_much_or_elsewhere_is_refused() {
    let doubled = |n: usize| json!([{ "$ref": format!("#/$defs/d{n}") }, { "$ref": format!("#/$defs/d{n}") }]);
    let definitions: Map<String, Value> =
        (0..20).map(|n| (format!("d{n}"), json!({ "allOf": doubled(n + 1) }))).collect();
    let mut bomb = json!({ "$ref": "#/$defs/d0", "$defs": definitions });
    bomb["$defs"]["d20"] = json!({});
    let error = Shape::measure(&bomb).expect_err("a million schemas for one value");
    assert!(error.to_string().contains("more than 1000 schemas apply to one value"), "{error}");

    let links: Map<String, Value> =
        (0..200).map(|n| (format!("d{n}"), json!({ "$ref": format!("#/$defs/d{}", n + 1) }))).collect();
    let mut long = json!({ "$ref": "#/$defs/d0", "$defs": links });
    long["$defs"]["d200"] = json!({});
    check_refused(&long, "/$defs/d128", "lie within one another");

    let mut deep = json!({ "properties": { "a": { "$ref": "#" } } });
    for _ in 0..12 {
        deep = json!({ "allOf": [deep] });
    }
    check_refused(&deep, "", "refers to itself");

    let many: Map<String, Value> = (0..300).map(|n| (format!("p{n}"), json!({ "pattern": "a" }))).collect();
    let error = Shape::measure(&json!({ "properties": many })).expect_err("too many patterns");
    assert!(error.to_string().contains("more than 256 patterns"), "{error}");

    let elsewhere = "refers to another document";
    check_refused(&json!({ "items": { "$ref": "https://example.com/a.json" } }), "/items/$ref", elsewhere);
    check_refused(&json!({ "$id": "https://a/b", "$ref": "https://a/bc#/x" }), "/$ref", elsewhere);
    check_refused(&json!({ "$defs": { "unused": { "$ref": "a.json" } } }), "/$defs/unused/$ref", elsewhere);
    check_refused(&json!({ "$ref": "#/$defs/missing" }), "/$ref", "refers to nothing");
    check_refused(&json!({ "$ref": "#missing" }), "/$ref", "refers to nothing");
    check_refused(
        &json!({ "properties": { "a/b": { "$id": "other.json" } } }),
        "/properties/a~1b/$id",
        "may have an $id",
    );
}

#[test]
fn the_work_of_checking_is_bounded() {
    let alternatives: Vec<Value> = (0..999).map(|number| json!({ "const": number })).collect();
    let shape = Shape::measure(&json!({ "items": { "anyOf": alternatives } })).expect("good");
    assert_eq!(shape.excess(10_000), None);
    assert!(shape.excess(1 << 20).is_some_and(|schemas| schemas >= 999));
    let properties = json!({ "type": "object", "properties": { "a": { "type": "string" }, "b": { "minimum": 0 } } });
    assert_eq!(Shape::measure(&properties).expect("good").excess(1 << 20), None);
}

#[test]
fn faults_are_listed_where_that_is_cheap() {
    let check = |document: Value, data: Value, bytes: usize, expected: Listing| {
        let shape = Shape::measure(&document).expect("good");
        assert_eq!(shape.listing(&data, bytes), expected, "{document}");
    };
    let nested = |depth: usize| (0..depth).fold(json!(1), |inner, _| json!({ "next": inner }));
    let list = json!({ "properties": { "next": { "$ref": "#" } } });
    check(json!({ "type": "object" }), json!([]), 100_000, Listing::All);
    check(json!({ "type": "object" }), json!([]), 1_000_000, Listing::First);
    check(json!({ "anyOf": [{}, {}] }), json!([]), 1_000_000, Listing::None);
    check(list.clone(), nested(100), 1000, Listing::All);
    check(list, nested(127), 1000, Listing::All);
    let deeper = json!({ "allOf": [{ "allOf": [{ "properties": { "next": { "$ref": "#" } } }] }] });
    check(deeper, nested(120), 1000, Listing::None);
    let branch = json!({ "properties": { "next": { "$ref": "#" } } });
    check(json!({ "oneOf": [branch, branch] }), nested(2), 100, Listing::None);
}
