//! Patterns against the oracle.

use std::collections::BTreeMap;

use proptest::{
    collection::{btree_map, vec},
    option,
    prelude::*,
    sample::select,
};
use serde_json::{Map, Value, json};
use weir_domain::{AttributeValue, Data, Event};

use super::{
    super::{Condition, Visitor, name_of},
    document, holds,
    oracle::{Seen, one_holds, scalars},
    parsed,
};
use crate::{
    cover::{Key, Literal, Operand},
    document::tests::texts,
    pointer::{Pointer, Step},
};

const TEXTS: [&str; 9] = ["a", "b", "ab", "Ab", "5", "true", "a*b", "10.0.0.7", "é\n"];

fn text() -> impl Strategy<Value = Value> + Clone {
    select(TEXTS.to_vec()).prop_map(Value::from)
}

fn number() -> impl Strategy<Value = Value> + Clone {
    select(vec![json!(5), json!(5.0), json!(-1), json!(0), json!(1.5), json!(1e30)])
}

/// One condition or more of which each can hold for data, and for attributes too where they are no null.
fn conditions() -> impl Strategy<Value = Value> {
    let excluded = || vec(prop_oneof![text(), number()], 1..3).prop_map(Value::from);
    let excluded_texts = || prop_oneof![text(), vec(text(), 1..3).prop_map(Value::from)];
    let wildcard = || select(vec!["*", "a*", "*b", "a*b", r"a\*b", "*a*b*", "5", "é*"]).prop_map(Value::from);
    let network = select(vec!["10.0.0.0/24", "10.0.0.7/32", "0.0.0.0/0", "10.9.9.9/8"]);
    let comparisons = select(vec![
        json!(["=", 5]),
        json!([">", 0]),
        json!([">=", 1.5, "<", 5]),
        json!(["<=", -1]),
        json!(["<", 6, ">", 4.5]),
    ]);
    let condition = prop_oneof![
        4 => text(),
        2 => number(),
        1 => any::<bool>().prop_map(Value::from),
        2 => (select(vec!["prefix", "suffix", "equals-ignore-case"]), text())
            .prop_map(|(operator, text)| json!({ operator: text })),
        1 => (select(vec!["prefix", "suffix"]), text())
            .prop_map(|(operator, text)| json!({ operator: { "equals-ignore-case": text } })),
        2 => wildcard().prop_map(|wildcard| json!({ "wildcard": wildcard })),
        1 => prop_oneof![text(), number(), excluded()].prop_map(|excluded| json!({ "anything-but": excluded })),
        1 => (select(vec!["prefix", "suffix", "equals-ignore-case"]), excluded_texts())
            .prop_map(|(operator, texts)| json!({ "anything-but": { operator: texts } })),
        1 => wildcard().prop_map(|wildcard| json!({ "anything-but": { "wildcard": wildcard } })),
        2 => comparisons.prop_map(|comparisons| json!({ "numeric": comparisons })),
        1 => network.prop_map(|network| json!({ "cidr": network })),
        1 => any::<bool>().prop_map(|wanted| json!({ "exists": wanted })),
    ];
    vec(condition, 1..3).prop_map(Value::from)
}

/// Members, and perhaps alternatives beside them.
fn group(
    members: impl Strategy<Value = BTreeMap<String, Value>>,
    any: impl Strategy<Value = Option<Vec<Value>>>,
) -> impl Strategy<Value = Value> {
    (members, any).prop_map(|(members, any)| {
        let any = any.map(|any| ("$or".to_owned(), Value::from(any)));
        Value::Object(members.into_iter().chain(any).collect())
    })
}

fn names() -> impl Strategy<Value = String> + Clone {
    select(vec!["a", "b", "c/~"]).prop_map(str::to_owned)
}

/// What may stand below `data`: few enough conditions that no pattern has too many.
fn below_data() -> impl Strategy<Value = Value> {
    let with_null = prop_oneof![9 => conditions(), 1 => Just(json!([null]))].boxed();
    let innermost = group(btree_map(names(), with_null.clone(), 1..3), Just(None)).boxed();
    let nest = move |nested: BoxedStrategy<Value>| {
        let content = prop_oneof![2 => with_null.clone(), 1 => nested.clone()];
        group(btree_map(names(), content, 1..3), option::weighted(0.3, vec(nested, 2..3))).boxed()
    };
    let nested = nest(innermost);
    nest(nested)
}

fn patterns() -> impl Strategy<Value = Value> {
    let data = prop_oneof![4 => below_data().boxed(), 1 => conditions().boxed()].boxed();
    let attributes =
        || btree_map(select(vec!["subject", "env", "number", "truth"]).prop_map(str::to_owned), conditions(), 1..2);
    let flat = prop_oneof![
        2 => data.clone().prop_map(|data| BTreeMap::from([("data".to_owned(), data)])),
        1 => attributes(),
        2 => (data, attributes()).prop_map(|(data, mut members)| {
            members.insert("data".to_owned(), data);
            members
        }),
    ]
    .boxed();
    let alternative = flat.clone().prop_map(|members| Value::Object(members.into_iter().collect::<Map<_, _>>()));
    group(flat, option::weighted(0.3, vec(alternative, 2..3)))
}

fn event(subject: Option<&str>, env: Option<&str>, number: Option<i32>, truth: Option<bool>, data: Data) -> Event {
    let mut event = Event::builder("1", "/s", "t").data(data).extension_opt("env", env);
    if let Some(subject) = subject {
        event = event.subject(subject);
    }
    if let Some(number) = number {
        event = event.extension("number", AttributeValue::Integer(number));
    }
    if let Some(truth) = truth {
        event = event.extension("truth", AttributeValue::Boolean(truth));
    }
    event.build().expect("valid")
}

fn events(data: impl Strategy<Value = Data>) -> impl Strategy<Value = Event> {
    let texts = || option::of(select(vec!["a", "b", "ab", "Ab", "5", "true", "a*b", "10.0.0.7", "é"]));
    (texts(), texts(), option::of(-1..6i32), option::of(any::<bool>()), data)
        .prop_map(|(subject, env, number, truth, data)| event(subject, env, number, truth, data))
}

fn json_texts() -> impl Strategy<Value = String> {
    let scalars = vec![
        "null",
        "true",
        "false",
        "5",
        "5.0",
        "-1",
        "1.5",
        "1e30",
        "2",
        "0",
        "\"a\"",
        "\"ab\"",
        "\"\\u0061*b\"",
        "\"Ab\"",
        "\"5\"",
        "\"true\"",
        "\"10.0.0.7\"",
        "\"\\u00e9\\n\"",
    ];
    texts(vec!["a", "b", "c/~"], scalars)
}

fn any_data() -> impl Strategy<Value = Data> {
    prop_oneof![
        9 => json_texts().prop_map(|text| Data::Json(text.into())),
        1 => Just(Data::None),
    ]
}

/// What a pattern compared: place, outcome, and whether it decided.
#[derive(Default)]
struct Watching {
    pointer: Pointer,
    told: Vec<(String, bool, bool)>,
}

impl Visitor for Watching {
    type Mark = usize;

    const WATCHES: bool = true;

    fn enter(&mut self, step: Step<'_>) {
        self.pointer.enter(step);
    }

    fn leave(&mut self) {
        self.pointer.leave();
    }

    fn compared(
        &mut self,
        operand: &Operand,
        condition: &Condition,
        found: impl FnOnce() -> Option<String>,
        matched: bool,
    ) {
        let is_there = found().is_some();
        assert!(is_there || !matched || condition.to_json() == json!({ "exists": false }), "{condition:?}");
        assert_eq!(name_of(operand).starts_with("data"), self.pointer.text().contains("/data"));
        self.told.push((self.pointer.text(), matched, true));
    }

    fn mark(&self) -> usize {
        self.told.len()
    }

    fn outweighed(&mut self, from: usize, to: usize) {
        self.told[from..to].iter_mut().for_each(|(_, _, decided)| *decided = false);
    }
}

/// What a pattern says, given what its conditions do; nothing where that depends on what is unknown.
fn outcome(pattern: &Value, at: &str, leaf: &dyn Fn(&str) -> Option<bool>) -> Option<bool> {
    let members = pattern.as_object().expect("an object").iter().map(|(name, content)| {
        let at = format!("{at}/{}", name.replace('~', "~0").replace('/', "~1"));
        match content {
            Value::Array(alternatives) if name == "$or" => {
                // One that is there twice is asked once.
                let once = alternatives.iter().enumerate().filter(|(index, it)| !alternatives[..*index].contains(it));
                joined(once.map(|(index, it)| outcome(it, &format!("{at}/{index}"), leaf)).collect(), true)
            }
            Value::Array(conditions) => {
                joined((0..conditions.len()).map(|index| leaf(&format!("{at}/{index}"))).collect(), true)
            }
            nested => outcome(nested, &at, leaf),
        }
    });
    joined(members.collect(), false)
}

/// One that is `decisive` decides, and without it one that is unknown leaves all open.
fn joined(parts: Vec<Option<bool>>, decisive: bool) -> Option<bool> {
    if parts.contains(&Some(decisive)) {
        return Some(decisive);
    }
    (!parts.contains(&None)).then_some(!decisive)
}

/// Whether an event has what a key asks for, as an index looks it up.
fn is_met(key: &Key, seen: &Seen) -> bool {
    let values = match key.operand() {
        Operand::Attribute(attribute) => seen.attribute(attribute.name()).unwrap_or_default(),
        Operand::Data(path) => {
            let mut reached: Vec<Value> = seen.data.clone().into_iter().collect();
            for name in path {
                reached = reached.iter().flat_map(each_item).filter_map(|it| it.get(&**name).cloned()).collect();
            }
            let mut found = Vec::new();
            reached.iter().for_each(|value| scalars(value, &mut found));
            found
        }
    };
    values.iter().any(|value| match key {
        Key::Equal(_, Literal::Null) => value.is_null(),
        Key::Equal(_, Literal::Boolean(truth)) => value == truth,
        Key::Equal(_, Literal::Number(number)) => value.as_f64() == Some(number.get()),
        Key::Equal(_, Literal::Text(text)) => value == &**text,
        Key::Prefix(_, text) => value.as_str().is_some_and(|value| value.starts_with(&**text)),
        Key::Within(_, interval) => {
            let number = value.as_f64().and_then(crate::cover::Number::new);
            number.is_some_and(|number| interval.contains(number))
        }
    })
}

/// A value itself, or the items of an array and of those within.
fn each_item(value: &Value) -> Vec<&Value> {
    match value {
        Value::Array(items) => items.iter().flat_map(each_item).collect(),
        other => vec![other],
    }
}

fn has_array(value: &Value) -> bool {
    match value {
        Value::Array(_) => true,
        Value::Object(members) => members.values().any(has_array),
        _ => false,
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn patterns_agree_with_the_oracle(given in patterns(), event in events(any_data())) {
        let (pattern, seen) = (parsed(&given), Seen::of(&event));
        let expected = seen.holds(&given);
        prop_assert_eq!(holds(&pattern, &event), expected);
        if pattern.is_always_true() {
            prop_assert!(expected);
        }

        let canonical = pattern.to_json();
        prop_assert_eq!(&parsed(&canonical), &pattern);
        prop_assert_eq!(parsed(&canonical).to_json(), canonical.clone());
        prop_assert_eq!(seen.holds(&canonical), expected);

        let mut watching = Watching::default();
        let matched = pattern.evaluate(&event, document(&pattern, &event).as_ref(), &mut watching);
        prop_assert_eq!(matched, expected);
        for (pointer, _, _) in &watching.told {
            prop_assert!(canonical.pointer(pointer).is_some(), "{}", pointer);
        }
        // Where there are arrays, one place is asked about more than one item.
        if seen.data.as_ref().is_some_and(has_array) {
            return Ok(());
        }
        // What decided is enough for the outcome, and nothing of it could be missed.
        let decided: BTreeMap<&str, bool> =
            watching.told.iter().filter(|(.., decided)| *decided).map(|(at, matched, _)| (&**at, *matched)).collect();
        let without = |missing: Option<&str>| {
            outcome(&canonical, "", &|at| decided.get(at).copied().filter(|_| missing != Some(at)))
        };
        prop_assert_eq!(without(None), Some(expected));
        for at in decided.keys().copied() {
            prop_assert_eq!(without(Some(at)), None, "{}", at);
        }
    }

    #[test]
    fn an_event_for_which_it_holds_has_a_key_of_its_cover(given in patterns(), event in events(any_data())) {
        let (pattern, seen) = (parsed(&given), Seen::of(&event));
        let cover = pattern.cover();
        if let Some(keys) = cover.keys().filter(|_| holds(&pattern, &event)) {
            prop_assert!(keys.iter().any(|key| is_met(key, &seen)), "{:?}", keys);
        }
    }

    /// Random patterns seldom hold: one equal value at a time does, and is found by its key.
    #[test]
    fn what_one_value_equals_is_found_by_its_key(condition in conditions(), data in json_texts()) {
        let given = json!({ "data": { "a": condition } });
        let value: Value = serde_json::from_str(&data).expect("JSON");
        let event = event(None, None, None, None, Data::Json(json!({ "a": value }).to_string().into()));
        let (pattern, seen) = (parsed(&given), Seen::of(&event));
        let mut found = Vec::new();
        scalars(&value, &mut found);
        let is_asked = |condition: &Value| condition["exists"].as_bool().unwrap_or_else(|| {
            found.iter().any(|scalar| one_holds(condition, std::slice::from_ref(scalar)))
        });
        let expected = condition.as_array().expect("conditions").iter().any(is_asked);
        prop_assert_eq!(holds(&pattern, &event), expected);
        if let Some(keys) = pattern.cover().keys().filter(|_| expected) {
            prop_assert!(keys.iter().any(|key| is_met(key, &seen)), "{:?}", keys);
        }
    }
}
