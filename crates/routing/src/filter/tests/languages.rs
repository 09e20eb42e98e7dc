//! What the languages have in common: places, covers, explanations and listings.

use serde_json::{Value, json};
use weir_domain::{Data, Event};

use super::{event, faults, parsed};
use crate::{
    attribute::Attribute,
    cover::{Cover, Key, Literal, Operand},
};

/// The dialects and what the test kit of CESQL has for them as "SubscriptionsAPI Recreations".
#[test]
fn expressions_say_what_the_dialects_that_they_recreate_say() {
    let success_or_mine = json!({ "any": [{ "exact": { "id": "myId" } }, { "suffix": { "type": ".success" } }] });
    let others = json!({ "any": [
        { "exact": { "id": "notmyId" } },
        { "prefix": { "source": "https://" } },
        { "suffix": { "type": ".warning" } },
    ] });
    let conjunctive = "(id = 'myId' OR type LIKE '%.success') AND \
                       (id = 'notmyId' OR source LIKE 'https://%' OR type LIKE '%.warning')";
    let with_custom = format!("{conjunctive} AND (myext = 'customext')");
    let custom = json!({ "exact": { "myext": "customext" } });
    let (my_id, in_canada) = (json!({ "prefix": { "id": "my" } }), json!({ "suffix": { "source": ".ca" } }));
    let pairs = [
        (json!({ "prefix": { "source": "https://" } }), "source LIKE 'https://%'"),
        (json!({ "prefix": { "myext": "custom" } }), "myext LIKE 'custom%'"),
        (json!({ "suffix": { "type": ".error" } }), "type like '%.error'"),
        (json!({ "suffix": { "myext": "ext" } }), "myext LIKE '%ext'"),
        (json!({ "exact": { "id": "myId" } }), "id = 'myId'"),
        (custom.clone(), "myext = 'customext'"),
        (json!([my_id, in_canada]), "id LIKE 'my%' AND source LIKE '%.ca'"),
        (json!({ "any": [my_id, in_canada] }), "id LIKE 'my%' OR source LIKE '%.ca'"),
        (
            json!([{ "prefix": { "myext": "custom" } }, { "suffix": { "type": ".error" } }]),
            "myext LIKE 'custom%' AND type LIKE '%.error'",
        ),
        (
            json!({ "prefix": { "type": "example.", "myext": "custom" } }),
            "type LIKE 'example.%' AND myext LIKE 'custom%'",
        ),
        (
            json!({ "any": [
                { "all": [{ "exact": { "id": "myId" } }, { "suffix": { "type": ".success" } }] },
                { "all": [
                    { "exact": { "id": "notmyId" } },
                    { "prefix": { "source": "http://" } },
                    { "suffix": { "type": ".warning" } },
                ] },
            ] }),
            "(id = 'myId' AND type LIKE '%.success') OR \
             (id = 'notmyId' AND source LIKE 'http://%' AND type LIKE '%.warning')",
        ),
        (json!([success_or_mine, others]), conjunctive),
        (json!([success_or_mine, others, custom]), with_custom.as_str()),
    ];
    let sources =
        ["https://example.com", "http://example.com", "http://www.some-website.ca", "http://www.some-website.com"];
    let types = ["com.github.error", "example.event.success", "example.event.warning", "example.event.type"];
    for (dialect, expression) in pairs {
        let (by_dialect, by_expression) = (parsed(&dialect), parsed(&json!({ "sql": expression })));
        for id in ["myId", "notmyId", "a"] {
            for (source, kind) in sources.iter().flat_map(|source| types.iter().map(move |kind| (*source, *kind))) {
                for custom in [None, Some("customext"), Some("custom"), Some("a")] {
                    let event = Event::builder(id, source, kind).extension_opt("myext", custom).build().expect("valid");
                    let expected = by_dialect.matches(&event);
                    assert_eq!(by_expression.matches(&event), expected, "{expression} {event:?}");
                }
            }
        }
    }
    // What is missing is an error there, and is not the text here.
    let (not, not_equal) = (json!({ "not": { "exact": { "myext": "a" } } }), json!({ "sql": "NOT (myext = 'a')" }));
    assert!(parsed(&not).matches(&event(&[])));
    assert!(!parsed(&not_equal).matches(&event(&[])));
    assert!(parsed(&json!({ "not": not_equal })).matches(&event(&[])));
}

#[test]
fn types_are_sorted_and_one_is_an_array_too() {
    let check = |given: Value, expected: &str| assert_eq!(parsed(&given).canonical(), expected, "{given}");
    check(json!({ "types": ["order.>", "a", "order.>", "a.*"] }), r#"{"types":["a","a.*","order.>"]}"#);
    check(json!({ "types": "a" }), r#"{"types":["a"]}"#);
    assert_eq!(parsed(&json!({ "types": "a" })), parsed(&json!([{ "types": ["a", "a"] }])));
    let problem = "has \">\" before its end, where it means the rest: write \"*\" for one part";
    assert_eq!(
        faults(&json!({ "types": ["a", 5, "a.>.b"] })),
        [
            "/types/1 in the filter must be a string: write \"5\"".to_owned(),
            format!("/types/2 in the filter {problem}"),
        ]
    );
    assert!(faults(&json!({ "types": [] }))[0].starts_with("/types in the filter is empty: "));
}

#[test]
fn faults_within_a_language_are_told_at_their_place() {
    let told = faults(&json!([{ "sql": "subject = " }, { "pattern": { "data": { "total": [{ "numerik": 5 }] } } }]));
    assert_eq!(told.len(), 2, "{told:?}");
    assert!(told[0].starts_with("/0/sql in the filter "), "{}", told[0]);
    assert!(told[0].contains("subject =") && told[0].contains('^'), "{}", told[0]);
    assert_eq!(told[1], "/1/pattern/data/total/0/numerik in the filter is no operator: did you mean \"numeric\"?");
    assert_eq!(faults(&json!({ "sql": 5 })), ["/sql in the filter must be a string: write \"5\""]);
    assert!(faults(&json!({ "sql": "NOSUCH(subject)" }))[0].starts_with("/sql in the filter "));
}

#[test]
fn covers_are_those_of_the_parts() {
    let operand = || Operand::Attribute(Attribute::Subject);
    let equal = |text: &str| Key::Equal(operand(), Literal::Text(text.into()));
    let kind = || Operand::Attribute(Attribute::Type);
    let (a, b) = (json!({ "exact": { "subject": "a" } }), json!({ "exact": { "subject": "b" } }));
    let end = json!({ "suffix": { "subject": "a" } });
    for (filter, expected) in [
        (a.clone(), Cover::of([equal("a")])),
        (json!({ "prefix": { "subject": "a" } }), Cover::of([Key::Prefix(operand(), "a".into())])),
        (end.clone(), Cover::NONE),
        (json!({ "not": a }), Cover::NONE),
        (json!([end, a]), Cover::of([equal("a")])),
        (json!({ "any": [a, b] }), Cover::of([equal("a"), equal("b")])),
        (json!({ "any": [a, end] }), Cover::NONE),
        (json!({ "not": { "any": [{ "not": a }, end] } }), Cover::of([equal("a")])),
        (json!({ "not": { "all": [{ "not": a }, { "not": b }] } }), Cover::of([equal("a"), equal("b")])),
        (json!({ "types": "a.b" }), Cover::of([Key::Equal(kind(), Literal::Text("a.b".into()))])),
        (json!({ "types": "a.b.*" }), Cover::of([Key::Prefix(kind(), "a.b.".into())])),
        (json!({ "types": ["a", "*.b"] }), Cover::NONE),
        (json!({ "types": ">" }), Cover::NONE),
        (json!({ "pattern": { "subject": ["a", "b"] } }), Cover::of([equal("a"), equal("b")])),
    ] {
        assert_eq!(parsed(&filter).cover(), expected, "{filter}");
    }
}

#[test]
fn it_is_told_what_decided_in_all_languages() {
    let filter = parsed(&json!([
        { "types": ["order.*", "b"] },
        { "pattern": { "env": ["a"], "data": { "total": [{ "numeric": [">", 5] }] } } },
        { "sql": "env = 'a'" },
    ]));
    let event = Event::builder("1", "/s", "order.placed")
        .extension_opt("env", Some("a"))
        .data(Data::Json(r#"{"total":7}"#.into()))
        .build()
        .expect("valid");
    let told = filter.explain(&event);
    assert!(told.matched);
    let terms = told.terms.iter().filter(|term| term.dialect != "sql");
    let terms: Vec<_> = terms
        .map(|it| (&*it.pointer, it.dialect, &*it.attribute, &*it.wanted, it.found.as_deref(), it.decided))
        .collect();
    let numeric = r#"{"numeric":[">",5]}"#;
    assert_eq!(
        terms,
        [
            ("/all/0/types/0", "types", "type", "b", Some("order.placed"), false),
            ("/all/0/types/1", "types", "type", "order.*", Some("order.placed"), true),
            ("/all/1/pattern/data/total/0", "pattern", "/data/total", numeric, Some("7"), true),
            ("/all/1/pattern/env/0", "pattern", "env", "a", Some("a"), true),
        ]
    );
    let of_sql: Vec<_> = told.terms.iter().filter(|term| term.dialect == "sql").collect();
    assert!(of_sql.iter().any(|term| term.decided && term.matched), "{of_sql:?}");
    assert!(of_sql.iter().all(|term| term.pointer == "/all/2/sql"), "{of_sql:?}");
}

#[test]
fn it_is_listed_how_a_filter_is_found_and_what_it_reads() {
    let pattern = json!({ "data": { "n": [1], "$or": [{ "a": { "b": ["x"] } }, { "c": ["y"] }] } });
    let filter = parsed(&json!([{ "prefix": { "env": "eu-" } }, { "pattern": pattern }, { "sql": "EXISTS env" }]));
    let listing = filter.listing();
    assert!(listing.starts_with(&format!("{:#}\n", filter.to_json())), "{listing}");
    // Equal is better than a prefix.
    assert!(listing.contains("of which one is enough:\n  data.n is 1\n"), "{listing}");
    assert!(listing.contains("\nReads of the data:\n  data.a.b\n  data.c\n  data.n\n"), "{listing}");
    assert!(listing.contains("\n/all/2/sql is compiled to:\n  "), "{listing}");
    let listing = parsed(&json!({ "suffix": { "env": "1" } })).listing();
    assert!(listing.contains("\nNot looked up: "), "{listing}");
}
