//! Programs against the oracle, and what is told of an expression against what it does.

use proptest::{collection::vec, option, prelude::*, sample::select};
use weir_domain::{AttributeValue, Event};

use super::{
    super::{Expression, value::Value},
    oracle::{Tree, Val},
    parsed,
};
use crate::cover::{Key, Literal, Operand};

const TEXTS: [&str; 12] = ["a", "ab", "aXb", "5", "+5", "-1", "true", "TRUE", "é😀", " a ", "a%b_", "it's"];
const NAMES: [&str; 6] = ["id", "type", "subject", "a", "b", "missing"];
const PATTERNS: [&str; 11] = ["", "%", "a%", "%b", "a_b", "_%", r"a\%b\_", "a%b%", "%é_%", "5", "t%e"];
const OPERATORS: [&str; 18] =
    ["and", "or", "xor", "and", "or", "=", "!=", "<>", "=", "<", "<=", ">", ">=", "+", "-", "*", "/", "%"];
const WORDS: [&str; 16] =
    ["a", "(", ")", "NOT", "AND", "=", "'", "\"", "\\", "-", "5", ",", "IN", "LIKE", "EXISTS", "ABS"];

fn values() -> impl Strategy<Value = Val> + Clone {
    prop_oneof![
        any::<bool>().prop_map(Val::Boolean),
        select(vec![0, 1, -1, 2, 5, i32::MIN, i32::MAX]).prop_map(Val::Integer),
        select(TEXTS.to_vec()).prop_map(|text| Val::Text(text.to_owned())),
    ]
}

fn names() -> impl Strategy<Value = &'static str> + Clone {
    select(NAMES.to_vec())
}

fn calls(arguments: impl Strategy<Value = Tree> + Clone) -> impl Strategy<Value = Tree> {
    let one = select(vec!["ABS", "INT", "BOOL", "STRING", "LENGTH", "LOWER", "UPPER", "TRIM", "NOPE"]);
    let two = select(vec!["LEFT", "RIGHT", "SUBSTRING"]);
    let many = select(vec!["CONCAT", "CONCAT_WS"]);
    prop_oneof![
        3 => (one, vec(arguments.clone(), 1)).prop_map(|(name, arguments)| Tree::Call(name, arguments)),
        2 => (two, vec(arguments.clone(), 2)).prop_map(|(name, arguments)| Tree::Call(name, arguments)),
        1 => vec(arguments.clone(), 3).prop_map(|arguments| Tree::Call("SUBSTRING", arguments)),
        1 => (many, vec(arguments, 1..4)).prop_map(|(name, arguments)| Tree::Call(name, arguments)),
    ]
}

fn trees() -> impl Strategy<Value = Tree> {
    let leaf = prop_oneof![
        2 => values().prop_map(Tree::Literal),
        3 => names().prop_map(Tree::Attribute),
        1 => names().prop_map(Tree::Exists),
    ];
    // What filters are made of comes more often than chance would have it.
    let usual = prop_oneof![
        (select(vec!["=", "!=", "<", ">="]), names(), values()).prop_map(|(operator, name, value)| {
            Tree::Binary(operator, Box::new(Tree::Attribute(name)), Box::new(Tree::Literal(value)))
        }),
        (names(), select(PATTERNS.to_vec()), any::<bool>()).prop_map(|(name, pattern, negated)| Tree::Like(
            Box::new(Tree::Attribute(name)),
            pattern,
            negated
        )),
        (names(), vec(values().prop_map(Tree::Literal), 1..4), any::<bool>())
            .prop_map(|(name, set, negated)| Tree::In(Box::new(Tree::Attribute(name)), set, negated)),
    ];
    prop_oneof![leaf, usual].prop_recursive(4, 24, 3, |inner| {
        let one = inner.clone().prop_map(Box::new);
        prop_oneof![
            1 => one.clone().prop_map(Tree::Not),
            1 => one.clone().prop_map(Tree::Negate),
            6 => (select(OPERATORS.to_vec()), one.clone(), one.clone())
                .prop_map(|(operator, left, right)| Tree::Binary(operator, left, right)),
            1 => (one.clone(), select(PATTERNS.to_vec()), any::<bool>())
                .prop_map(|(value, pattern, negated)| Tree::Like(value, pattern, negated)),
            1 => (one, vec(inner.clone(), 1..4), any::<bool>())
                .prop_map(|(value, set, negated)| Tree::In(value, set, negated)),
            2 => calls(inner),
        ]
    })
}

fn events() -> impl Strategy<Value = Event> {
    let texts = || select(TEXTS.to_vec());
    (texts(), texts(), option::of(texts()), option::of(values()), option::of(values())).prop_map(
        |(id, event_type, subject, a, b)| {
            let mut event = Event::builder(id, "/s", event_type);
            if let Some(subject) = subject {
                event = event.subject(subject);
            }
            for (name, value) in [("a", &a), ("b", &b)] {
                event = match value {
                    None => event,
                    Some(Val::Boolean(truth)) => event.extension(name, AttributeValue::Boolean(*truth)),
                    Some(Val::Integer(number)) => event.extension(name, AttributeValue::Integer(*number)),
                    Some(Val::Text(text)) => event.extension(name, AttributeValue::String(text)),
                };
            }
            event.build().expect("valid")
        },
    )
}

fn has(event: &Event, key: &Key) -> bool {
    let (Operand::Attribute(attribute), wanted) = (key.operand(), key) else { return false };
    let own = attribute.of(event);
    match wanted {
        Key::Equal(_, Literal::Text(text)) => own == Some(&**text),
        Key::Prefix(_, text) => !text.is_empty() && own.is_some_and(|own| own.starts_with(&**text)),
        _ => false,
    }
}

proptest! {
    #[test]
    fn a_program_gives_what_the_oracle_gives(tree in trees(), events in vec(events(), 1..6)) {
        let expression = parsed(&tree.text());
        let again = parsed(expression.canonical());
        prop_assert_eq!(&again, &expression);
        prop_assert_eq!(again.listing(), expression.listing());
        for event in &events {
            let outcome = expression.evaluate(event);
            let (value, error) = match tree.evaluate(event) {
                Ok(value) => (value, None),
                Err((kind, value)) => (value, Some(kind)),
            };
            let given = match &outcome.value {
                Value::Boolean(truth) => Val::Boolean(*truth),
                Value::Integer(number) => Val::Integer(*number),
                Value::Text(text) => Val::Text(text.to_string()),
            };
            prop_assert_eq!((given, outcome.error), (value, error), "{}", expression.canonical());

            let holds = expression.holds(event);
            prop_assert_eq!(expression.explain(event).0, holds);
            prop_assert!(!holds || expression.never().is_none(), "{}", expression.canonical());
            prop_assert!(holds || !expression.is_always_true(), "{}", expression.canonical());
            if let Some(keys) = expression.cover().keys() {
                prop_assert!(!holds || keys.iter().any(|key| has(event, key)), "{} {:?}", expression.canonical(), keys);
            }
        }
    }

    #[test]
    fn no_text_is_too_much(
        words in vec(prop_oneof![
            select(WORDS.to_vec()).prop_map(str::to_owned),
            any::<String>(),
        ], 0..12),
        space in select(vec!["", " ", "\n"]),
    ) {
        let text = words.join(space);
        match Expression::parse(&text) {
            Ok(expression) => prop_assert_eq!(&parsed(expression.canonical()), &expression),
            Err(fault) => prop_assert!(fault.rendered(&text).starts_with(&fault.to_string())),
        }
    }
}

#[test]
fn covers_are_what_is_certain() {
    let key = |text: &str| format!("{:?}", parsed(text).cover().keys());
    for (text, expected) in [
        ("subject = 'x'", "subject = 'x'"),
        ("'x' = subject", "subject = 'x'"),
        ("subject LIKE 'x'", "subject = 'x'"),
        ("subject IN ('x')", "subject = 'x'"),
        ("subject = 'x' AND a > 5", "subject = 'x'"),
        ("a IN ('x')", "a = 'x'"),
    ] {
        assert_eq!(key(text), key(expected), "{text}");
        assert_ne!(key(text), "None", "{text}");
    }
    assert_ne!(key("subject LIKE 'x%'"), key("subject LIKE 'x'"));
    assert_eq!(key("subject LIKE 'x_z%'"), key("subject LIKE 'x%'"));
    assert_eq!(key("subject LIKE 'x%' OR type = 't'").matches("Attribute(").count(), 2);
    for text in [
        "subject != 'x'",
        "subject = 5",
        "'x' = a",
        "a IN ('05')",
        "a IN ('TRUE', 'x')",
        "a IN (5)",
        "subject LIKE '%x'",
        "subject NOT LIKE 'x%'",
        "NOT subject = 'x'",
        "subject = 'x' OR EXISTS a",
        "subject = 'x' XOR type = 'y'",
    ] {
        assert_eq!(key(text), "None", "{text}");
    }
}
