//! Small histories, made by hand: each rule finds what it is there for, and nothing is found where all is well.

use std::collections::BTreeMap;

use super::{Rule, UNWRITTEN_MAX_US, check};
use crate::history::record::{Change, Entry, FINAL, Recorded};

const MS: u64 = 1000;

/// A history that is told step by step, a millisecond each.
#[derive(Default)]
struct Story {
    all: Vec<Recorded>,
    us: u64,
    calls: u64,
    /// Key and position of each event; number and position are the same.
    known: BTreeMap<String, (String, u64)>,
}

impl Story {
    /// One subscription, and these events, acknowledged.
    fn of(events: &[(&str, &str, u64)]) -> Self {
        let mut story = Self::default();
        story.add(Entry::Subscribed { subscription: "s".to_owned() });
        for (id, key, position) in events {
            story.sent(id, key, *position);
            story.acknowledged(id);
        }
        story
    }

    fn add(&mut self, entry: Entry) -> &mut Self {
        self.us += MS;
        self.all.push(Recorded { us: self.us, entry });
        self
    }

    fn pass(&mut self, us: u64) -> &mut Self {
        self.us += us;
        self
    }

    fn change(&mut self, change: Change) -> &mut Self {
        self.add(Entry::World { change })
    }

    fn kill(&mut self) -> &mut Self {
        self.change(Change::Killing).change(Change::Killed).change(Change::Started)
    }

    fn stop(&mut self) -> &mut Self {
        self.change(Change::Stopping).change(Change::Stopped).change(Change::Started)
    }

    fn sent(&mut self, id: &str, key: &str, position: u64) -> &mut Self {
        self.known.insert(id.to_owned(), (key.to_owned(), position));
        self.add(Entry::Sent { producer: 0, id: id.to_owned(), key: key.to_owned(), number: position })
    }

    fn acknowledged(&mut self, id: &str) -> &mut Self {
        let position = self.known[id].1;
        self.add(Entry::Acknowledged { producer: 0, id: id.to_owned(), position, is_duplicate: false })
    }

    fn refused(&mut self, id: &str) -> &mut Self {
        self.add(Entry::Refused { producer: 0, id: id.to_owned(), status: 503 })
    }

    fn unknown(&mut self, id: &str) -> &mut Self {
        self.add(Entry::Unknown { producer: 0, id: id.to_owned(), error: "reset".to_owned() })
    }

    /// A call begins; returns its number.
    fn begin(&mut self, id: &str) -> u64 {
        let (key, number) = self.known.get(id).cloned().unwrap_or_default();
        self.begin_as(id, &key, number)
    }

    fn begin_as(&mut self, id: &str, key: &str, number: u64) -> u64 {
        self.calls += 1;
        self.add(Entry::Called {
            subscription: "s".to_owned(),
            call: self.calls,
            id: id.to_owned(),
            key: key.to_owned(),
            number,
            position: None,
            headers: BTreeMap::new(),
        });
        self.calls
    }

    fn end(&mut self, id: &str, call: u64, status: u16) -> &mut Self {
        self.add(Entry::Answered { subscription: "s".to_owned(), call, id: id.to_owned(), status })
    }

    /// One call from its beginning to its end.
    fn call(&mut self, id: &str, status: u16) -> &mut Self {
        let call = self.begin(id);
        self.end(id, call, status)
    }

    fn kept(&mut self, id: &str) -> &mut Self {
        let (key, position) = self.known[id].clone();
        self.add(Entry::Kept { position, id: id.to_owned(), key, number: position })
    }

    fn dead(&mut self, id: &str) -> &mut Self {
        self.add(Entry::Dead { subscription: "s".to_owned(), id: id.to_owned() })
    }

    /// The rules that do not hold, each once.
    fn broken(&self) -> Vec<Rule> {
        let mut rules: Vec<_> = check(&self.all).violations.iter().map(|it| it.rule).collect();
        rules.sort();
        rules.dedup();
        rules
    }
}

/// Two events of one key, which are one after the other in the log.
fn pair() -> Story {
    Story::of(&[("a", "k", 1), ("b", "k", 2)])
}

#[test]
fn what_at_least_once_allows_is_no_fault() {
    let mut story = pair();
    story.sent("refused", "k", 3).refused("refused").sent("refused", "k", 3).acknowledged("refused");
    story.sent("lost", "k", 4).unknown("lost").sent("there", "other", 5).unknown("there");
    story.call("a", 503).call("there", 204).call("a", 204).kill();
    // What was done just before comes again, and what is done is not undone by a failure.
    story.call("a", 503).call("there", 204).call("a", 204).call("b", FINAL).call("refused", 204);
    story.pass(UNWRITTEN_MAX_US).stop();
    story.kept("a").kept("b").kept("refused").kept("there").dead("b");
    let verdict = check(&story.all);
    assert!(verdict.violations.is_empty(), "{:?}", verdict.violations);
    assert_eq!(verdict.given["s"].repeated, 3, "counted all the same");
}

#[test]
fn what_is_lost_is_found() {
    let mut story = pair();
    story.call("a", 204).kept("a").kept("b");
    assert_eq!(story.broken(), [Rule::Lost], "never delivered");
    let mut story = pair();
    story.call("a", 204).call("b", 503).kept("a").kept("b");
    assert_eq!(story.broken(), [Rule::Lost], "never delivered with success");
    let mut story = pair();
    story.call("a", 204).call("b", FINAL).kept("a").kept("b");
    assert_eq!(story.broken(), [Rule::Lost], "given up, and not recorded");
    let mut story = pair();
    story.call("a", 204).kept("a");
    assert_eq!(story.broken(), [Rule::Lost], "acknowledged, and not kept");
}

#[test]
fn what_is_out_of_order_is_found() {
    let mut story = pair();
    story.call("b", 204).call("a", 204).kept("a").kept("b");
    assert_eq!(story.broken(), [Rule::Reordered, Rule::Early]);
    let mut story = pair();
    let first = story.begin("a");
    let second = story.begin("b");
    story.end("a", first, 204).end("b", second, 204).kept("a").kept("b");
    assert_eq!(story.broken(), [Rule::Early], "begun while the one before was under way");
    let mut story = pair();
    story.call("a", 503).call("b", 503).call("a", 204).call("b", 204).kept("a").kept("b");
    assert_eq!(story.broken(), [Rule::Early], "begun while the one before waited for another attempt");
}

#[test]
fn what_no_crash_explains_is_found() {
    let again = |between: fn(&mut Story)| {
        let mut story = pair();
        story.call("a", 204);
        between(&mut story);
        story.call("a", 204).call("b", 204).kept("a").kept("b");
        (story.broken(), check(&story.all).given["s"].repeated)
    };
    assert_eq!(again(|_| {}), (vec![Rule::Repeated], 1));
    let stop = |story: &mut Story| {
        story.stop();
    };
    assert_eq!(again(stop), (vec![Rule::Repeated], 1), "a stop writes down what is done");
    let kill = |story: &mut Story| {
        story.kill();
    };
    assert_eq!(again(kill), (vec![], 1));
    let late = |story: &mut Story| {
        story.pass(UNWRITTEN_MAX_US).kill();
    };
    assert_eq!(again(late), (vec![Rule::Repeated], 1), "it was written down long before");
    let frozen = |story: &mut Story| {
        story.change(Change::Frozen).pass(UNWRITTEN_MAX_US).change(Change::Thawed).kill();
    };
    assert_eq!(again(frozen), (vec![], 1), "nothing can be written by who stands still");
    let full = |story: &mut Story| {
        story.change(Change::Filled).pass(UNWRITTEN_MAX_US).change(Change::Freed).pass(UNWRITTEN_MAX_US).kill();
    };
    assert_eq!(again(full), (vec![], 1), "nor on a full disk, and a while after");
}

#[test]
fn the_answer_of_a_call_that_outlives_its_server_is_lost() {
    let mut story = pair();
    let first = story.begin("a");
    story.kill().end("a", first, 204).call("a", 204).call("b", 204).kept("a").kept("b");
    assert!(story.broken().is_empty());
}

#[test]
fn what_nobody_sent_is_found() {
    let sound = || {
        let mut story = pair();
        story.call("a", 204).call("b", 204).kept("a").kept("b");
        story
    };
    let mut story = sound();
    story.call("c", 204);
    assert_eq!(story.broken(), [Rule::Phantom]);
    let mut story = sound();
    story.kill().begin_as("b", "other", 2);
    assert_eq!(story.broken(), [Rule::Phantom], "it was sent with another key");
    let mut story = sound();
    story.sent("c", "k", 3).refused("c").kept("c").call("c", 204);
    assert_eq!(story.broken(), [Rule::Log], "it was refused, and is kept");
    let mut story = sound();
    story.sent("c", "k", 3).unknown("c").call("c", 204);
    assert_eq!(story.broken(), [Rule::Phantom], "it is not in the log");
    let mut story = sound();
    story.kept("a");
    assert_eq!(story.broken(), [Rule::Log], "it is kept twice");
    let mut story = sound();
    story.dead("b");
    assert_eq!(story.broken(), [Rule::GivenUp], "it was delivered");
}

#[test]
fn receipts_that_do_not_grow_are_found() {
    let mut story = Story::of(&[("b", "k", 2), ("a", "k", 1)]);
    story.call("a", 204).call("b", 204).kept("a").kept("b");
    assert_eq!(story.broken(), [Rule::Receipts]);
    let mut story = pair();
    story.sent("b", "k", 2).add(Entry::Refused { producer: 0, id: "b".to_owned(), status: 500 });
    story.call("a", 204).call("b", 204).kept("a").kept("b");
    assert_eq!(story.broken(), [Rule::Receipts], "refused with a status that says nothing");
}
