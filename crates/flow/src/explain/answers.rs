//! The answer in one sentence for each subscription.

use weir_cloudevents::time;
use weir_domain::Position;

use super::{ExplainedDelivery, Fate, FilterTerm, LetterStanding, Mismatch, Wait};

/// How much of a text of an event is quoted, in characters.
const QUOTED_MAX: usize = 200;

impl ExplainedDelivery {
    /// Says in one sentence what became of the event here, and why.
    #[must_use]
    pub fn answer(&self) -> String {
        let to = &self.function;
        match &self.fate {
            Fate::NotMatched(mismatch) => format!("not delivered to {to}: {}", self.why_not(*mismatch)),
            Fate::BeforeStart { begins } => {
                format!("not delivered to {to}: the subscription begins behind position {begins}")
            }
            Fate::TooLate { ended } => {
                format!("not delivered to {to}: the subscription had ended at position {ended}, before the event came")
            }
            Fate::Delivered { or_before, redriven } => self.delivered(or_before.as_ref(), *redriven),
            Fate::DeadLetter { position, standing } => {
                let then = match standing {
                    LetterStanding::Open => "nothing was decided about it yet".to_owned(),
                    LetterStanding::Discarded { at } => format!("it was discarded at position {at}"),
                    LetterStanding::Redriven { at, .. } => format!("it was redriven at position {at}"),
                };
                format!("given up for {to}: the dead letter stands at position {position}, {then}")
            }
            Fate::Waiting(wait) => format!("not delivered to {to} yet: {}", waits(wait)),
            Fate::Retrying { due } => {
                let failures = counted(self.failures, "attempt");
                let again = due.map_or_else(String::new, |due| format!(", the next one at {}", time::format(due)));
                format!("not delivered to {to} yet: {failures} failed{again}")
            }
            Fate::Dropped { record, is_certain: true } => {
                format!("not delivered to {to}: it waited when the subscription was deleted, see position {record}")
            }
            Fate::Dropped { record, is_certain: false } => format!(
                "not known for {to}: other events before and after it waited when the subscription was deleted, see \
                 position {record}"
            ),
            Fate::Ending { deleted } => {
                format!("not delivered to {to}: it waits, and the subscription was deleted at position {deleted}")
            }
            Fate::Continued { by, at } => format!(
                "delivered to {to} only if that was done before position {at}, where subscription {by} went on with it"
            ),
            Fate::DoneBefore { by } => {
                format!("not delivered to {to}: subscription {by}, in whose place this one came, had done with it")
            }
        }
    }

    fn delivered(&self, or_before: Option<&(String, Position)>, redriven: Option<Position>) -> String {
        let to = &self.function;
        let mut text = format!("delivered to {to}");
        if let Some((before, at)) = or_before {
            text = format!("delivered to {to}, or before position {at} by subscription {before}");
        }
        if let Some(at) = redriven {
            text.push_str(&format!(" when its dead letter was redriven at position {at}"));
        } else if self.failures > 0 {
            text.push_str(&format!(" after {} that failed", counted(self.failures, "attempt")));
        }
        text
    }

    fn why_not(&self, mismatch: Mismatch) -> String {
        match mismatch {
            Mismatch::Type => format!("its subscription is to events of type {}", self.event_type),
            Mismatch::Arrival => {
                format!("it takes what comes by {} {}, and the event came otherwise", self.method, self.path)
            }
            Mismatch::Filter => {
                let mut deciding = self.terms.iter().filter(|term| term.decided);
                let Some(first) = deciding.next() else { return "the filter lets nothing through".to_owned() };
                let more = match deciding.count() {
                    0 => String::new(),
                    more => format!(", and {} more decided", counted(more as u64, "term")),
                };
                format!("{}{more}", first.said())
            }
        }
    }
}

impl FilterTerm {
    /// Says what was compared: of one whose comparison held, why that keeps an event away.
    #[must_use]
    pub fn said(&self) -> String {
        let Self { pointer, wanted, found, matched, .. } = self;
        let verb = if *matched { "excluded" } else { "wanted" };
        match found {
            Some(found) => {
                format!("filter {pointer} {verb} {:?}, the event has {:?}", short(wanted), short(found))
            }
            None => format!("filter {pointer} {verb} {:?}, the event has no {}", short(wanted), self.attribute),
        }
    }
}

fn waits(wait: &Wait) -> String {
    match wait {
        Wait::Paused => "the subscription is paused".to_owned(),
        Wait::Drained { at } => format!("the subscription delivers up to position {at} only, until it is resumed"),
        Wait::Parked(parked) => {
            let since = time::format(parked.since);
            format!("the function fails continuously and is parked since {since}: {}", short(&parked.cause))
        }
        Wait::Held { by } => {
            format!(
                "the event at position {by} of the same key was given up and holds it, until somebody decides about it"
            )
        }
        Wait::Behind { position } => format!("the event at position {position} of the same key comes first"),
        Wait::Replay => "a replay comes first".to_owned(),
        Wait::Redrive { at } => format!("its dead letter was redriven at position {at} and waits for its turn"),
        Wait::Unread { next } => format!("the subscription reads on at position {next} and has not come to it"),
        Wait::Turn => "its call is under way, or waits for a place".to_owned(),
        Wait::Worker => "nothing is delivered to this subscription at this moment".to_owned(),
    }
}

fn counted(number: u64, what: &str) -> String {
    format!("{number} {what}{}", if number == 1 { "" } else { "s" })
}

/// Bounds what is quoted.
fn short(text: &str) -> String {
    if text.chars().nth(QUOTED_MAX).is_none() {
        return text.to_owned();
    }
    text.chars().take(QUOTED_MAX).chain(['…']).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn term(pointer: &str, wanted: &str, found: Option<&str>, matched: bool) -> FilterTerm {
        FilterTerm {
            pointer: pointer.to_owned(),
            dialect: "prefix",
            attribute: "subject".to_owned(),
            wanted: wanted.to_owned(),
            found: found.map(str::to_owned),
            matched,
            decided: true,
        }
    }

    #[test]
    fn each_fate_has_a_sentence() {
        let check = |fate: Fate, terms: Vec<FilterTerm>, failures: u64, expected: &str| {
            let delivery = ExplainedDelivery {
                subscription: "s".to_owned(),
                function: "bill".to_owned(),
                event_type: "order".to_owned(),
                made: Position::new(3),
                continues: None,
                method: "POST".to_owned(),
                path: "/in".to_owned(),
                filter: None,
                terms,
                fate,
                failures,
                attempts: Vec::new(),
                letters: Vec::new(),
                replays: Vec::new(),
                changes: Vec::new(),
            };
            assert_eq!(delivery.answer(), expected);
        };
        let at = Position::new(9);
        let filter = Fate::NotMatched(Mismatch::Filter);
        let text = r#"not delivered to bill: filter /prefix/subject wanted "eu/", the event has "us/7""#;
        check(filter.clone(), vec![term("/prefix/subject", "eu/", Some("us/7"), false)], 0, text);
        let text = "not delivered to bill: filter /not/prefix/subject excluded \"us/\", the event has \"us/7\", and \
                    1 term more decided";
        let both = vec![term("/not/prefix/subject", "us/", Some("us/7"), true), term("/x", "", None, false)];
        check(filter.clone(), both, 0, text);
        let text = r#"not delivered to bill: filter /prefix/subject wanted "eu/", the event has no subject"#;
        check(filter, vec![term("/prefix/subject", "eu/", None, false)], 0, text);
        let text = "not delivered to bill: it takes what comes by POST /in, and the event came otherwise";
        check(Fate::NotMatched(Mismatch::Arrival), Vec::new(), 0, text);
        let done = Fate::Delivered { or_before: None, redriven: None };
        check(done.clone(), Vec::new(), 0, "delivered to bill");
        check(done, Vec::new(), 2, "delivered to bill after 2 attempts that failed");
        let letter = Fate::DeadLetter { position: at, standing: LetterStanding::Open };
        let text = "given up for bill: the dead letter stands at position 9, nothing was decided about it yet";
        check(letter, Vec::new(), 1, text);
        let retrying = Fate::Retrying { due: Some(weir_domain::Timestamp::default()) };
        let text = "not delivered to bill yet: 1 attempt failed, the next one at 1970-01-01T00:00:00.000000Z";
        check(retrying, Vec::new(), 1, text);
    }
}
