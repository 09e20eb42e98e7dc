//! Random filters and events that have something in common.

use proptest::{
    collection::{btree_map, vec},
    option,
    prelude::*,
    sample::select,
};
use serde_json::{Value, json};
use weir_domain::{AttributeValue, Data, Event};

const NAMES: [&str; 12] = [
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

const TEXTS: [&str; 14] = ["a", "b", "ab", "ba", "1", "-1", "1.0", "t", "true", "e", "A", "text/", "2026", "https:"];

const EXPRESSIONS: [&str; 9] = [
    "subject = 'a' OR env = 'b'",
    "number > 4 AND subject != 'b'",
    "NOT EXISTS env",
    "EXISTS missing",
    "type LIKE 'order.%'",
    "id IN ('a', 'ab')",
    "LENGTH(subject) > 1",
    "truth",
    "TRUE",
];

const TYPES: [&str; 8] = ["a", "ab", "order.placed", "order.*", "order.>", ">", "*", "weir.deadletter.created"];

fn comparisons(names: Vec<&'static str>, texts: Vec<&'static str>) -> impl Strategy<Value = Value> + Clone {
    let dialects = select(vec!["exact", "prefix", "suffix"]);
    (dialects, btree_map(select(names), select(texts), 1..3)).prop_map(|(dialect, pairs)| json!({ dialect: pairs }))
}

fn types() -> impl Strategy<Value = Value> + Clone {
    prop_oneof![
        select(TYPES.to_vec()).prop_map(|wanted| json!({ "types": wanted })),
        vec(select(TYPES.to_vec()), 1..4).prop_map(|wanted| json!({ "types": wanted })),
    ]
}

/// With up to three values that are compared.
fn patterns() -> impl Strategy<Value = Value> {
    let patterns = vec![
        json!({ "subject": ["a", { "suffix": "b" }] }),
        json!({ "subject": [{ "prefix": "a" }], "env": ["b"] }),
        json!({ "env": [{ "exists": false }] }),
        json!({ "id": [{ "exists": true }] }),
        json!({ "number": [{ "numeric": [">", 0] }] }),
        json!({ "type": [{ "wildcard": "order.*" }] }),
        json!({ "data": { "n": [{ "numeric": [">", 1] }] } }),
        json!({ "data": { "tags": ["x", "y"] } }),
        json!({ "data": { "items": { "sku": [{ "anything-but": "a" }] } } }),
        json!({ "data": [{ "exists": true }] }),
        json!({ "$or": [{ "subject": ["a"] }, { "data": { "n": [1], "tags": [{ "exists": false }] } }] }),
    ];
    select(patterns).prop_map(|pattern| json!({ "pattern": pattern }))
}

/// Up to four levels with up to four filters in each: never more terms than there may be.
pub(super) fn filters() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        4 => comparisons(NAMES.to_vec(), TEXTS.to_vec()),
        1 => types(),
        1 => select(EXPRESSIONS.to_vec()).prop_map(|text| json!({ "sql": text })),
        2 => patterns(),
    ];
    leaf.prop_recursive(3, 24, 4, |nested| {
        prop_oneof![
            2 => (select(vec!["all", "any"]), vec(nested.clone(), 1..5))
                .prop_map(|(dialect, nested)| json!({ dialect: nested })),
            1 => nested.prop_map(|nested| json!({ "not": nested })),
        ]
    })
}

/// Filters that must hold together, of which many cannot.
pub(super) fn conjunctions() -> impl Strategy<Value = Value> {
    let compared = comparisons(vec!["type", "subject", "specversion"], vec!["a", "b", "ab", "weir.", "1.0", "order."]);
    let leaf = prop_oneof![3 => compared, 1 => types()].boxed();
    let either = vec(leaf.clone(), 1..3).prop_map(|filters| json!({ "any": filters }));
    let part = prop_oneof![3 => leaf, 1 => either].boxed();
    let negated = part.clone().prop_map(|filter| json!({ "not": filter }));
    let part = prop_oneof![2 => part, 1 => negated].boxed();
    let nested = vec(part.clone(), 1..3).prop_map(|filters| json!({ "all": filters }));
    vec(prop_oneof![3 => part, 1 => nested], 2..5).prop_map(|filters| json!({ "all": filters }))
}

fn data() -> impl Strategy<Value = Data> {
    let texts = vec![
        r#"{"n":1}"#,
        r#"{"n":2,"tags":["x"]}"#,
        r#"{"tags":"y","items":[{"sku":"a"},{"sku":"b"}]}"#,
        r#"{"items":{"sku":"a"}}"#,
        "[]",
        "5",
    ];
    prop_oneof![
        4 => select(texts).prop_map(|text| Data::Json(text.into())),
        1 => Just(Data::Text("n".into())),
        1 => Just(Data::None),
    ]
}

pub(super) fn events() -> impl Strategy<Value = Event> {
    let text = || select(vec!["a", "b", "ab", "ba", "aba"]);
    let kinds = vec!["a", "b", "ab", "ba", "aba", "order.placed", "order.item.added", "weir.deadletter.created"];
    let required = (text(), text(), select(kinds));
    let optional = (option::of(text()), option::of(text()), option::of(-12..13i32), option::of(any::<bool>()));
    (required, optional, any::<bool>(), data()).prop_map(|(required, optional, full, data)| {
        let ((id, source, kind), (subject, env, number, truth)) = (required, optional);
        let mut event = Event::builder(id, source, kind).extension_opt("env", env).data(data);
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
