//! Filters of every language, and the matcher over many of them.

use bytes::Bytes;
use serde_json::{Value, json};
use weir_cloudevents::json as codec;
use weir_domain::{Event, Limits};
use weir_routing::{Filter, FilterFault, Matcher, Matching, Method, Rule, Scratch, TypePattern};

/// Lines beyond this are not read: each event is compared with each rule.
const STEPS_MAX: usize = 128;
/// What is told of one fault is bounded, whatever it is about.
const PROBLEM_BYTES_MAX: usize = 64 * 1024;

/// The first line is a filter, and each further one an event in structured form. A filter comes back from its canonical form;
/// what it says of an event is what it explains, the same from its canonical form, and the opposite of what its `not` says.
pub fn filters(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let mut lines = text.split('\n');
    let Some(Ok(value)) = lines.next().map(serde_json::from_str::<Value>) else { return };
    check(&value, lines);
}

/// The same of an expression of CESQL, which is the first line as it stands.
pub fn cesql(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let mut lines = text.split('\n');
    let Some(expression) = lines.next() else { return };
    check(&json!({ "sql": expression }), lines);
}

/// Each line is a step: `+` adds a rule, which is an event type, a space, and a filter or nothing; `-` takes out the oldest
/// rule; `*` keeps the matcher as it is for later; anything else is an event. The matcher answers as asking every rule does,
/// and so does each one that was kept, and in the end nothing is left.
pub fn matcher(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let (mut matcher, mut rules, mut kept) = (Matcher::new(), Vec::new(), Vec::new());
    let mut scratch = Scratch::default();
    for (number, line) in text.split('\n').take(STEPS_MAX).enumerate() {
        match line.chars().next() {
            Some('+') => {
                let Some(rule) = read_rule(&line[1..], number) else { continue };
                matcher.insert(&rule.asked(), number);
                rules.push(rule);
            }
            Some('-') if !rules.is_empty() => {
                let rule = rules.remove(0);
                assert!(matcher.remove(&rule.asked(), &rule.number), "a rule is not there: {line}");
                assert!(!matcher.remove(&rule.asked(), &rule.number), "a rule is there twice: {line}");
            }
            Some('*') => kept.push((matcher.clone(), rules.clone())),
            _ => {
                let Some(event) = read_event(line) else { continue };
                compare(&matcher, &rules, &event, &mut scratch);
                kept.iter().for_each(|(matcher, rules)| compare(matcher, rules, &event, &mut scratch));
            }
        }
        assert_eq!(matcher.len(), rules.len());
    }
    for rule in &rules {
        assert!(matcher.remove(&rule.asked(), &rule.number));
    }
    assert!(matcher.is_empty());
}

#[derive(Clone)]
struct OneRule {
    event_type: TypePattern,
    filter: Option<Filter>,
    number: usize,
}

impl OneRule {
    fn asked(&self) -> Rule<'_> {
        Rule { event_type: &self.event_type, method: Method::default(), path: "/", filter: self.filter.as_ref() }
    }

    fn takes(&self, event: &Event) -> bool {
        let is_of_type = self.event_type.matches(event.event_type());
        is_of_type && self.filter.as_ref().is_none_or(|filter| filter.matches(event))
    }
}

fn read_rule(text: &str, number: usize) -> Option<OneRule> {
    let (event_type, filter) = text.split_once(' ').unwrap_or((text, ""));
    let event_type = TypePattern::parse(event_type).ok()?;
    let filter = match filter.trim() {
        "" => None,
        text => Some(Filter::parse_stored(&serde_json::from_str(text).ok()?).ok()?),
    };
    Some(OneRule { event_type, filter, number })
}

fn compare(matcher: &Matcher<usize>, rules: &[OneRule], event: &Event, scratch: &mut Scratch) {
    let mut found = Vec::new();
    matcher.matches(event, Matching::Pattern, scratch, &mut found);
    let mut found: Vec<usize> = found.into_iter().copied().collect();
    found.sort_unstable();
    let expected: Vec<usize> = rules.iter().filter(|rule| rule.takes(event)).map(|rule| rule.number).collect();
    assert_eq!(found, expected, "{event:?}");
}

fn read_event(text: &str) -> Option<Event> {
    codec::decode(&Bytes::copy_from_slice(text.as_bytes()), &Limits::default()).ok()
}

fn check<'a>(value: &Value, events: impl Iterator<Item = &'a str>) {
    let (taken, read) = (Filter::parse(value), Filter::parse_stored(value));
    let filter = match read {
        Ok(filter) => filter,
        Err(faults) => {
            check_faults(&faults);
            assert!(taken.is_err(), "what can be no filter is taken: {value}");
            return;
        }
    };
    match &taken {
        Ok(taken) => assert_eq!(taken, &filter),
        Err(faults) => check_faults(faults),
    }
    let canonical = filter.to_json();
    assert_eq!(Filter::parse_stored(&canonical).as_ref(), Ok(&filter), "{canonical}");
    assert!(!filter.listing().is_empty());
    // Not what was given: that may be refused for how it is written, such as names in capital letters.
    let is_never = Filter::parse(&canonical).is_err();
    let is_always = filter.always_matches().is_some();
    let opposite = Filter::parse_stored(&json!({ "not": canonical })).ok();
    for event in events.take(STEPS_MAX).filter_map(read_event) {
        let matched = filter.matches(&event);
        assert_eq!(filter.explain(&event).matched, matched, "{canonical} {event:?}");
        assert!(!(matched && is_never), "{canonical} was refused because it can never hold, and does: {event:?}");
        assert!(matched || !is_always, "{canonical} is said to hold always, and does not: {event:?}");
        // It may be nested too deep for another one.
        if let Some(opposite) = &opposite {
            assert_eq!(opposite.matches(&event), !matched, "{canonical} {event:?}");
        }
    }
}

fn check_faults(faults: &[FilterFault]) {
    assert!(!faults.is_empty(), "it is refused without a reason");
    for fault in faults {
        assert!(!fault.problem.is_empty() && fault.problem.len() <= PROBLEM_BYTES_MAX, "{fault}");
    }
}
