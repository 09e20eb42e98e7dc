//! What is read against `serde_json`, which reads everything.

use std::collections::{BTreeSet, HashSet};

use proptest::{collection::vec, prelude::*, sample::select};
use serde_json::Value;

use super::{DEPTH_MAX, Document, Members, Number, Scalar};

type Path = Vec<Box<str>>;

fn path(names: &[&str]) -> Path {
    names.iter().map(|name| Box::from(*name)).collect()
}

fn members(paths: &[Path]) -> Members {
    let mut members = Members::default();
    paths.iter().for_each(|path| members.add(path));
    members
}

/// What a document has at a path, as JSON.
fn told(document: &Document<'_>, path: &[Box<str>]) -> Vec<Value> {
    let mut told = Vec::new();
    document.at(path, |scalar| {
        told.push(match scalar {
            Scalar::Null => Value::Null,
            Scalar::Boolean(truth) => truth.into(),
            Scalar::Number(number) => number.to_json(),
            Scalar::Text(text) => text.into(),
        });
    });
    told
}

fn expected(value: &Value, path: &[Box<str>], into: &mut Vec<Value>) {
    match (value, path) {
        (Value::Array(items), _) => items.iter().for_each(|item| expected(item, path, into)),
        (Value::Object(members), [name, rest @ ..]) => {
            members.get(&**name).into_iter().for_each(|value| expected(value, rest, into));
        }
        (Value::Object(_), []) => {}
        (scalar, []) => into.push(scalar.clone()),
        _ => {}
    }
}

/// JSON text with repeated names, escapes, spaces and numbers in several forms.
pub(crate) fn texts(names: Vec<&'static str>, scalars: Vec<&'static str>) -> impl Strategy<Value = String> {
    let escaped = |name: &str| name.chars().map(|letter| format!("\\u{:04X}", u32::from(letter))).collect::<String>();
    let name = (select(names), any::<bool>())
        .prop_map(move |(name, is_escaped)| if is_escaped { escaped(name) } else { name.to_owned() });
    let leaf = select(scalars).prop_map(str::to_owned);
    leaf.prop_recursive(4, 40, 4, move |nested| {
        let member = (name.clone(), nested.clone()).prop_map(|(name, value)| format!("\"{name}\" : {value}"));
        prop_oneof![
            2 => vec(member, 0..5).prop_map(|members| format!("{{{}}}", members.join(" , "))),
            1 => vec(nested, 0..4).prop_map(|items| format!("[ {}]", items.join(",\n"))),
        ]
    })
}

fn paths() -> impl Strategy<Value = Vec<Path>> {
    let name = select(vec!["a", "b", "c", "a/b", ""]).prop_map(Box::<str>::from);
    vec(vec(name, 0..4), 0..6)
}

proptest! {
    #[test]
    fn what_is_asked_for_is_there_whatever_others_ask_for(
        text in texts(
            vec!["a", "b", "c", "a/b", ""],
            vec![
                "null", "true", "1", "1.0", "-0", "3.0e2", "1.5", "18446744073709551615",
                "\"a\"", "\"\\n\\u00e9\"", "\"\"",
            ],
        ),
        own in paths(),
        others in paths(),
    ) {
        let whole: Value = serde_json::from_str(&text).expect("JSON");
        let (own_members, other_members) = (members(&own), members(&others));
        for asked in [vec![&own_members], vec![&other_members, &own_members]] {
            let document = Document::read(&text, &asked).expect("JSON");
            for path in &own {
                let mut wanted = Vec::new();
                expected(&whole, path, &mut wanted);
                // In the form in which numbers are compared.
                let normal = |value: Value| match value {
                    Value::Number(number) => Number::of(&number).expect("a number").to_json(),
                    other => other,
                };
                let wanted: Vec<Value> = wanted.into_iter().map(normal).collect();
                prop_assert_eq!(told(&document, path), wanted, "{:?} in {}", path, text);
            }
        }
    }

    #[test]
    fn members_stay_until_the_last_who_asks_is_gone(own in paths(), others in paths(), more in paths()) {
        let mut asked = members(&own);
        asked.merge(&members(&others));
        more.iter().for_each(|path| asked.add(path));
        let before = asked.clone();
        asked.unmerge(&members(&others));
        more.iter().for_each(|path| asked.remove(path));
        prop_assert_eq!(&asked, &members(&own));
        asked.merge(&members(&[others, more].concat()));
        prop_assert_eq!(&asked, &before, "what was cloned has not changed");
        asked.unmerge(&before);
        prop_assert!(asked.is_empty());
    }

    #[test]
    fn numbers_are_compared_as_what_they_are(one in numbers(), other in numbers()) {
        let (left, right) = (Number::parse(&one), Number::parse(&other));
        let (left, right) = (left.expect("a number"), right.expect("a number"));
        let expected = exact(&one).cmp(&exact(&other));
        prop_assert_eq!(left.cmp(&right), expected, "{} {}", one, other);
        if expected.is_eq() {
            prop_assert_eq!(HashSet::from([left, right]).len(), 1);
            prop_assert_eq!(left.to_json(), right.to_json());
        }
        // The order that an index sees may only be coarser.
        let seen = left.as_f64().total_cmp(&right.as_f64());
        prop_assert!(seen == expected || seen.is_eq(), "{} {}", one, other);
    }
}

/// Whole numbers at the ends of what is exact, and halves.
fn numbers() -> impl Strategy<Value = String> {
    let near = |middle: i128| (-2..3i128).prop_map(move |beside| middle + beside);
    let whole = prop_oneof![
        near(0),
        near(1 << 53),
        near(-(1 << 53)),
        near(i128::from(i64::MAX)),
        (0..3i128).prop_map(|beside| i128::from(i64::MIN) + beside),
        (0..3i128).prop_map(|beside| i128::from(u64::MAX) - beside),
    ];
    (whole, 0..3).prop_map(|(whole, form)| match form {
        // Only where a half is exact.
        0 if whole.abs() < 1 << 50 => format!("{whole}.5"),
        1 if whole.abs() < 1 << 50 => format!("{whole}.0e0"),
        _ => whole.to_string(),
    })
}

/// Twice the number.
fn exact(text: &str) -> i128 {
    match text.strip_suffix(".5") {
        // `-0.5` is below zero.
        Some(whole) if whole.starts_with('-') => 2 * whole.parse::<i128>().expect("whole") - 1,
        Some(whole) => 2 * whole.parse::<i128>().expect("whole") + 1,
        None => 2 * text.trim_end_matches(".0e0").parse::<i128>().expect("whole"),
    }
}

#[test]
fn only_what_is_asked_for_is_kept() {
    let text = r#"{"a":{"b":1,"c":2},"d":[{"e":3,"f":4},5],"g":{"h":6}}"#;
    let document =
        Document::read(text, &[&members(&[path(&["a", "b"]), path(&["d", "e"]), path(&["g"])])]).expect("JSON");
    let kept: BTreeSet<&str> = document.members.iter().map(|member| &*member.name).collect();
    assert_eq!(kept, BTreeSet::from(["a", "b", "d", "e", "g"]));
    assert_eq!(document.items.len(), 2, "all items are there");
    assert!(Document::read("{\"a\":", &[]).is_none());
    assert!(Document::read("{} {}", &[]).is_none());
    assert!(Document::read("", &[]).is_none());
}

/// Parts that nobody asks for are looked at for their grammar only: what stands there must not change what others see.
#[test]
fn what_others_ask_for_cannot_make_a_text_unreadable() {
    let deep = format!("{}1{}", "[".repeat(DEPTH_MAX + 70), "]".repeat(DEPTH_MAX + 70));
    let text = format!(r#"{{"\ud800":1,"a":{{"x":1e999,"y":-1e999,"z":"\udc00k"}},"deep":{deep},"b":[true]}}"#);
    let (a, b, deep) =
        (members(&[path(&["a", "x"]), path(&["a", "y"])]), members(&[path(&["b"])]), members(&[path(&["deep"])]));
    let z = members(&[path(&["a", "z"])]);
    for asked in [vec![&b], vec![&a, &b], vec![&a, &b, &deep, &z]] {
        let document = Document::read(&text, &asked).expect("JSON");
        assert_eq!(told(&document, &path(&["b"])), [Value::from(true)]);
    }
    let document = Document::read(&text, &[&a, &deep, &z]).expect("JSON");
    let mut found = Vec::new();
    document.at(&path(&["a", "x"]), |scalar| found.push(scalar));
    document.at(&path(&["a", "y"]), |scalar| found.push(scalar));
    assert_eq!(found, [f64::INFINITY, f64::NEG_INFINITY].map(|number| Scalar::Number(Number::real(number))));
    assert_eq!(told(&document, &path(&["deep"])), [] as [Value; 0]);
    assert!(told(&document, &path(&["a", "z"]))[0].as_str().is_some_and(|text| text.ends_with('k')));
}

#[test]
fn a_text_is_a_number_only_where_it_is_one_of_json() {
    for text in ["", " 1", "1 ", "+1", "01", "1.", ".5", "0x1", "NaN", "Infinity", "1e", "--1", "true"] {
        assert_eq!(Number::parse(text), None, "{text:?}");
    }
    for (text, shown) in
        [("300", "300"), ("3.0e2", "300"), ("-0", "0"), ("-0.0", "0"), ("1e-1", "0.1"), ("1e999", "inf")]
    {
        assert_eq!(Number::parse(text).map(|number| number.to_string()).as_deref(), Some(shown));
    }
}
