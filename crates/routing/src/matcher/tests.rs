//! The matcher against asking every rule, its clones against later changes, and how much it asks of large ones.

use proptest::prelude::*;
use serde_json::{Value, json};
use weir_domain::{AttributeValue, Data, Event};

use super::{Matcher, Rule, Scratch};
use crate::{Arrival, Entrance, Filter, Matching, Method, TypePattern};

const TYPES: [&str; 6] = ["a", "a.b", "a.b.c", "b.c", "a..c", "weir.x.y"];
const WILDCARDS: [&str; 9] = ["*", ">", "a.*", "a.>", "*.b", "*.b.*", "a.*.c", "weir.*.y", "weir.>"];
const TEXTS: [&str; 9] = ["a", "ab", "abc", "b", "ä", "5", "7.0", "true", "null"];
const PATHS: [&str; 5] = ["/", "/", "/", "/x", "/:id"];

/// A rule that owns what it is about.
#[derive(Clone, Debug)]
struct Owned {
    event_type: TypePattern,
    method: Method,
    path: &'static str,
    filter: Option<Filter>,
}

impl Owned {
    fn rule(&self) -> Rule<'_> {
        Rule { event_type: &self.event_type, method: self.method, path: self.path, filter: self.filter.as_ref() }
    }

    fn wants(&self, event: &Event, matching: Matching) -> bool {
        self.event_type.matches(event.event_type())
            && Entrance::new(self.method, self.path).takes_event(event, matching)
            && self.filter.as_ref().is_none_or(|filter| filter.matches(event))
    }
}

fn filter(value: &Value) -> Filter {
    Filter::parse(value).unwrap_or_else(|faults| panic!("{value}: {faults:?}"))
}

/// Filters of all dialects, of which some must be refused: those are left out.
fn filters() -> impl Strategy<Value = Filter> {
    let text = || proptest::sample::select(&TEXTS[..]);
    let attribute = || proptest::sample::select(&["subject", "area", "n"][..]);
    let compared = (proptest::sample::select(&["exact", "prefix", "suffix"][..]), attribute(), text())
        .prop_map(|(dialect, attribute, text)| json!({ dialect: { attribute: text } }));
    let types = proptest::sample::select(&WILDCARDS[..]).prop_map(|wildcard| json!({ "types": wildcard }));
    let of_type = text().prop_map(|text| json!({ "prefix": { "type": text } }));
    let sql = proptest::sample::select(vec![
        json!({ "sql": "area = 'a' OR subject = 'ab'" }),
        json!({ "sql": "area IN ('a', 'b', '5')" }),
        json!({ "sql": "subject LIKE 'a%' AND NOT EXISTS area" }),
        json!({ "sql": "n = 5" }),
        json!({ "sql": "n > 4 AND subject != 'b'" }),
        json!({ "sql": "EXISTS n" }),
    ]);
    let condition = prop_oneof![
        text().prop_map(|text| json!(text)),
        text().prop_map(|text| json!({ "prefix": text })),
        text().prop_map(|text| json!({ "anything-but": text })),
        (0..9).prop_map(|low| json!({ "numeric": [">=", low, "<", low + 3] })),
        (0..9).prop_map(|low| json!({ "numeric": [">", low] })),
        (0..9).prop_map(|number| json!(number)),
        Just(json!(true)),
        Just(json!(null)),
        Just(json!({ "exists": true })),
        Just(json!({ "exists": false })),
    ];
    let conditions = || proptest::collection::vec(condition.clone(), 1..3);
    let of_attribute = (attribute(), conditions()).prop_map(|(attribute, wanted)| json!({ attribute: wanted }));
    let of_data = (0..4, conditions()).prop_map(|(place, wanted)| match place {
        0 => json!({ "data": { "price": wanted } }),
        1 => json!({ "data": { "tags": wanted } }),
        2 => json!({ "data": { "items": { "id": wanted } } }),
        _ => json!({ "data": { "items": { "deep": { "id": wanted } } } }),
    });
    let either = (of_attribute.clone(), of_data.clone()).prop_map(|(one, other)| json!({ "$or": [one, other] }));
    let pattern = prop_oneof![of_attribute, of_data, either].prop_map(|pattern| json!({ "pattern": pattern }));
    let leaf = prop_oneof![4 => compared, 1 => types, 1 => of_type, 2 => sql, 4 => pattern];
    let nested = leaf.prop_recursive(3, 8, 3, |inner| {
        let several = proptest::collection::vec(inner.clone(), 2..4);
        prop_oneof![
            several.clone().prop_map(|filters| json!({ "all": filters })),
            several.prop_map(|filters| json!({ "any": filters })),
            inner.prop_map(|filter| json!({ "not": filter })),
        ]
    });
    nested.prop_filter_map("refused", |value| Filter::parse(&value).ok())
}

fn rules() -> impl Strategy<Value = Owned> {
    let names: Vec<&str> = TYPES.into_iter().chain(["a.b"; 12]).chain(WILDCARDS).collect();
    let methods = proptest::sample::select(vec![Method::Post, Method::Post, Method::Post, Method::Put]);
    let filters = proptest::option::weighted(0.85, filters());
    (proptest::sample::select(names), methods, proptest::sample::select(&PATHS[..]), filters).prop_map(
        |(event_type, method, path, filter)| {
            let event_type = TypePattern::parse(event_type).or_else(|_| TypePattern::exact(event_type).ok_or(()));
            Owned { event_type: event_type.expect("a name or a wildcard"), method, path, filter }
        },
    )
}

fn data() -> impl Strategy<Value = Data> {
    let value = || {
        prop_oneof![
            proptest::sample::select(&TEXTS[..]).prop_map(|text| json!(text)),
            (0..12).prop_map(|number| json!(number)),
            Just(json!(7.0)),
            Just(json!(true)),
            Just(json!(null)),
            Just(json!(["a", "ab", 5, 6])),
        ]
    };
    prop_oneof![
        Just(Data::None),
        Just(Data::Text("{\"price\":5}".to_owned().into())),
        (value(), value(), value()).prop_map(|(price, tags, id)| {
            let items = json!([{ "id": id, "deep": [{ "id": price }] }, { "id": tags }]);
            Data::Json(json!({ "price": price, "tags": tags, "items": items }).to_string().into())
        }),
    ]
}

fn events() -> impl Strategy<Value = Event> {
    let text = || proptest::option::of(proptest::sample::select(&TEXTS[..]));
    let types = proptest::sample::select(&TYPES[..]);
    let came = (proptest::sample::select(&["POST", "PUT"][..]), proptest::sample::select(&["/", "/x", "/y"][..]));
    (types, text(), text(), text(), came, data()).prop_map(|(event_type, subject, area, n, (method, path), data)| {
        let mut event = Event::builder("1", "/s", event_type).data(data);
        if let Some(subject) = subject {
            event = event.subject(subject);
        }
        let event = event.extension_opt("area", area).extension_opt("n", n);
        let came = Arrival { method, path }.attributes();
        came.fold(event, |event, (name, value)| event.extension(name, value)).build().expect("valid")
    })
}

/// Checks that a matcher answers what the rules with these places do.
fn check(matcher: &Matcher<usize>, rules: &[Owned], present: &[bool], events: &[Event]) {
    let mut scratch = Scratch::default();
    assert_eq!(matcher.len(), present.iter().filter(|is_there| **is_there).count());
    for event in events {
        for matching in [Matching::Pattern, Matching::Exact] {
            let mut found = Vec::new();
            matcher.matches(event, matching, &mut scratch, &mut found);
            let mut found: Vec<usize> = found.into_iter().copied().collect();
            found.sort_unstable();
            let wants = |index: &usize| present[*index] && rules[*index].wants(event, matching);
            let expected: Vec<usize> = (0..rules.len()).filter(wants).collect();
            assert_eq!(found, expected, "{matching:?} {event:?} {:?}", differing(rules, &found, &expected));
            let could = matcher.could_match(event.event_type(), Arrival::of(event), matching);
            let mut could: Vec<usize> = could.copied().collect();
            could.sort_unstable();
            let could_want = |index: &usize| {
                let plain = Owned { filter: None, ..rules[*index].clone() };
                present[*index] && plain.wants(event, matching)
            };
            assert_eq!(could, (0..rules.len()).filter(could_want).collect::<Vec<_>>(), "{matching:?} {event:?}");
        }
    }
}

fn differing<'r>(rules: &'r [Owned], one: &[usize], other: &[usize]) -> Vec<&'r Owned> {
    (0..rules.len()).filter(|it| one.contains(it) != other.contains(it)).map(|it| &rules[it]).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]

    #[test]
    fn it_answers_what_asking_every_rule_does(
        rules in proptest::collection::vec(rules(), 1..70),
        changes in proptest::collection::vec((0usize..70, proptest::bool::weighted(0.7)), 0..160),
        events in proptest::collection::vec(events(), 6),
    ) {
        let mut matcher = Matcher::new();
        let mut present = vec![false; rules.len()];
        let mut before = Vec::new();
        for (round, (place, insert)) in changes.iter().enumerate() {
            let place = *place % rules.len();
            if *insert {
                matcher.insert(&rules[place].rule(), place);
            } else {
                prop_assert_eq!(matcher.remove(&rules[place].rule(), &place), present[place]);
            }
            present[place] = *insert;
            if round % 40 == 20 {
                before.push((matcher.clone(), present.clone()));
            }
        }
        check(&matcher, &rules, &present, &events);
        for (place, rule) in rules.iter().enumerate() {
            prop_assert_eq!(matcher.remove(&rule.rule(), &place), present[place]);
        }
        prop_assert!(matcher.is_empty() && matcher.names.is_empty() && matcher.wildcards.is_empty());
        // Those who hold an older state see none of all this.
        for (matcher, present) in &before {
            check(matcher, &rules, present, &events);
        }
    }
}

/// So many rules as no list is asked of.
const MANY: u32 = 100_000;

/// Makes a matcher of one type with many filters, asks it of an event, and returns how many filters were asked and who
/// matched.
fn asked(event: &Event, filter: impl Fn(u32) -> Value) -> (usize, Vec<u32>) {
    let event_type = TypePattern::exact("a").expect("a name");
    let mut matcher = Matcher::new();
    for number in 0..MANY {
        let filter = self::filter(&filter(number));
        let rule = Rule { event_type: &event_type, method: Method::Post, path: "/", filter: Some(&filter) };
        matcher.insert(&rule, number);
    }
    let (mut scratch, mut found) = (Scratch::default(), Vec::new());
    matcher.matches(event, Matching::Pattern, &mut scratch, &mut found);
    let mut found: Vec<u32> = found.into_iter().copied().collect();
    found.sort_unstable();
    (scratch.asked(), found)
}

fn event(subject: &str, data: &Value) -> Event {
    let event = Event::builder("1", "/s", "a").subject(subject).data(Data::Json(data.to_string().into()));
    event.extension("n", AttributeValue::String("70.5")).build().expect("valid")
}

#[test]
fn of_many_values_one_is_asked() {
    let event = event("order/70", &json!({ "price": 70 }));
    assert_eq!(asked(&event, |n| json!({ "exact": { "subject": format!("order/{n}") } })), (1, vec![70]));
    assert_eq!(asked(&event, |n| json!({ "pattern": { "data": { "price": [n] } } })), (1, vec![70]));
    // Under several keys of which the event has two, it is asked once.
    let either = |n: u32| {
        let exact = |number: u32| json!({ "exact": { "subject": format!("order/{number}") } });
        json!({ "any": [exact(n), exact(n + 1), { "pattern": { "data": { "price": [n] } } }] })
    };
    assert_eq!(asked(&event, either), (2, vec![69, 70]));
}

#[test]
fn of_many_prefixes_those_of_the_text_are_asked() {
    let event = event("12345/x", &json!({}));
    let (asked, found) = asked(&event, |n| json!({ "prefix": { "subject": n.to_string() } }));
    assert_eq!((asked, found), (5, vec![1, 12, 123, 1234, 12345]));
}

#[test]
fn of_many_intervals_those_with_the_number_are_asked() {
    let event = event("x", &json!({ "price": [70.5, 70.5, 100.5] }));
    let between = |n: u32| json!([{ "numeric": [">=", n, "<", n + 2] }]);
    assert_eq!(asked(&event, |n| json!({ "pattern": { "n": between(n) } })), (2, vec![69, 70]));
    let of_data = |n: u32| json!({ "pattern": { "data": { "price": between(n) } } });
    assert_eq!(asked(&event, of_data), (4, vec![69, 70, 99, 100]));
}

#[test]
fn equal_filters_are_asked_once_and_plain_rules_not_at_all() {
    let event = event("x", &json!({}));
    let (asked_equal, found) = asked(&event, |_| json!({ "suffix": { "subject": "x" } }));
    assert_eq!((asked_equal, found.len()), (1, MANY as usize));
    let event_type = TypePattern::exact("a").expect("a name");
    let rule = Rule { event_type: &event_type, method: Method::Post, path: "/", filter: None };
    let mut matcher = Matcher::new();
    (0..MANY).for_each(|number| matcher.insert(&rule, number));
    matcher.insert(&rule, 7);
    assert_eq!(matcher.len(), MANY as usize);
    let (mut scratch, mut found) = (Scratch::default(), Vec::new());
    matcher.matches(&event, Matching::Pattern, &mut scratch, &mut found);
    assert_eq!((scratch.asked(), found.len()), (0, MANY as usize));
    assert!(matcher.could_match("a", Arrival::DEFAULT, Matching::Pattern).next().is_some());
    assert!((0..MANY).all(|number| matcher.remove(&rule, &number)));
    assert!(matcher.is_empty() && matcher.names.is_empty());
}

#[test]
fn entrances_that_nobody_has_any_more_are_forgotten() {
    let event_type = TypePattern::exact("a").expect("a name");
    let mut matcher = Matcher::new();
    for number in 0..10_000 {
        let path = format!("/{number}");
        let rule = Rule { event_type: &event_type, method: Method::Post, path: &path, filter: None };
        matcher.insert(&rule, number);
        assert!(matcher.remove(&rule, &number));
    }
    assert!(matcher.shared.entrances() <= 128, "{}", matcher.shared.entrances());
}
