//! Filters against the oracle.

use std::collections::BTreeMap;

use proptest::prelude::*;
use serde_json::{Value, json};
use weir_domain::{Data, Event};

use super::{
    super::{Filter, Term},
    oracle::{Seen, outcome},
    random::{events, filters},
};
use crate::{
    cover::{Key, Literal, Number, Operand},
    document::{Document, Members, Scalar},
};

/// Reads a filter as one that was taken before, so that it may say the same of all events.
fn parsed(filter: &Value) -> Filter {
    Filter::parse_stored(filter).unwrap_or_else(|faults| panic!("{filter}: {faults:?}"))
}

/// The place of the comparison that a term is a part of, as the oracle knows it.
fn place(term: &Term) -> &str {
    const PATTERN: &str = "/pattern";
    match term.pointer.find(PATTERN) {
        Some(start) => &term.pointer[..start + PATTERN.len()],
        None => &term.pointer,
    }
}

/// Whether an event has what a key asks for, as an index looks it up.
fn is_met(key: &Key, event: &Event) -> bool {
    let mut values: Vec<Value> = Vec::new();
    match key.operand() {
        Operand::Attribute(attribute) => {
            let text = attribute.of(event);
            values.extend(text.map(Value::from));
            values.extend(text.and_then(|text| serde_json::from_str(text).ok()));
        }
        Operand::Data(path) => {
            let mut members = Members::default();
            members.add(path);
            let Data::Json(text) = event.data() else { return false };
            let asked = [&members];
            let Some(document) = Document::read(text, &asked) else { return false };
            document.at(path, |scalar| {
                values.push(match scalar {
                    Scalar::Null => Value::Null,
                    Scalar::Boolean(truth) => truth.into(),
                    Scalar::Number(number) => number.as_f64().into(),
                    Scalar::Text(text) => text.into(),
                });
            });
        }
    }
    let number = |value: &Value| value.as_f64().and_then(Number::new);
    values.iter().any(|value| match key {
        Key::Equal(_, Literal::Null) => value.is_null(),
        Key::Equal(_, Literal::Boolean(truth)) => value == truth,
        Key::Equal(_, Literal::Number(wanted)) => number(value) == Some(*wanted),
        Key::Equal(_, Literal::Text(text)) => value == &**text,
        Key::Prefix(_, text) => value.as_str().is_some_and(|value| value.starts_with(&**text)),
        Key::Within(_, interval) => number(value).is_some_and(|number| interval.contains(number)),
    })
}

proptest! {
    #[test]
    fn filters_agree_with_the_oracle(given in filters(), event in events()) {
        let seen = Seen::of(&event);
        let expected = seen.holds(&given);
        let filter = parsed(&given);
        prop_assert_eq!(filter.matches(&event), expected);

        let told = filter.explain(&event);
        prop_assert_eq!(told.matched, expected);
        let canonical = filter.to_json();
        for term in &told.terms {
            let there = canonical.pointer(&term.pointer);
            match term.dialect {
                "sql" => {
                    prop_assert!(there.is_some_and(Value::is_string), "{:?}", term);
                }
                "pattern" => {
                    prop_assert!(there.is_some(), "{:?}", term);
                }
                dialect => {
                    prop_assert_eq!(seen.says(dialect, &term.attribute, &term.wanted), term.matched, "{:?}", term);
                    prop_assert_eq!(term.found.as_ref(), seen.attributes.get(&term.attribute), "{:?}", term);
                    prop_assert_eq!(there.and_then(Value::as_str), Some(term.wanted.as_str()), "{:?}", term);
                }
            }
        }

        // What decided is enough for the outcome, and nothing of it could be missed.
        let truth = |term: &Term| match (term.dialect, canonical.pointer(place(term))) {
            ("sql", Some(Value::String(text))) => seen.says("sql", "", text),
            ("pattern", Some(pattern)) => seen.says("pattern", "", &pattern.to_string()),
            _ => term.matched,
        };
        let decided: BTreeMap<&str, bool> =
            told.terms.iter().filter(|term| term.decided).map(|term| (place(term), truth(term))).collect();
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
    fn an_event_that_is_wanted_has_a_key_of_the_cover(given in filters(), event in events()) {
        let filter = parsed(&given);
        let cover = filter.cover();
        if let Some(keys) = cover.keys().filter(|_| filter.matches(&event)) {
            prop_assert!(keys.iter().any(|key| is_met(key, &event)), "{:?}", keys);
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
