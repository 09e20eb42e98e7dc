//! Lanes against a log of which everything is known.

use std::collections::BTreeSet;

use proptest::prelude::*;
use weir_domain::{Event, Timestamp};

use super::*;
use crate::progress::{Ahead, Course, Mark};

fn recorded(position: u64, key: Option<u8>) -> Recorded {
    let event = Event::builder(&position.to_string(), "/test", "t").build().expect("valid");
    let key = key.and_then(|key| Key::new(key.to_string()));
    Recorded { position: Position::new(position), recorded: Timestamp::default(), key, event }
}

/// What may happen, in any order.
#[derive(Clone, Debug)]
enum Step {
    Add,
    Call,
    /// One of those in flight succeeds.
    End(prop::sample::Index),
    /// One of those in flight is given up, and holds its key where it has one.
    Hold(prop::sample::Index),
    Release(prop::sample::Index),
    MakeRoom(usize),
    Refill(usize),
    /// What is known is written down and everything else forgotten.
    Restart,
    /// Several of a key go into one call, of which some are done and one fails: the first so many succeed, and whether those
    /// behind the one that failed do as well.
    Together {
        most: usize,
        good: usize,
        rest: bool,
    },
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => Just(Step::Add),
        4 => Just(Step::Call),
        4 => any::<prop::sample::Index>().prop_map(Step::End),
        1 => any::<prop::sample::Index>().prop_map(Step::Hold),
        1 => any::<prop::sample::Index>().prop_map(Step::Release),
        1 => (0usize..3).prop_map(Step::MakeRoom),
        2 => (1usize..4).prop_map(Step::Refill),
        1 => Just(Step::Restart),
        2 => (2usize..5, 0usize..4, any::<bool>()).prop_map(|(most, good, rest)| Step::Together { most, good, rest }),
    ]
}

/// A log, the lanes that deliver it, and what is true of them.
struct World {
    keys: Vec<Option<u8>>,
    lanes: Lanes,
    next: u64,
    flying: Vec<Item>,
    /// What was delivered or given up, in this order; after a restart some of it comes again.
    done: Vec<u64>,
    /// What was done although one of its key before it was not.
    loose: BTreeSet<u64>,
    held: BTreeSet<(u8, u64)>,
    known: Course,
}

impl World {
    fn new(keys: Vec<Option<u8>>) -> Self {
        let (lanes, known) = (Lanes::new(Order::Key), Course::default());
        let (loose, held) = (BTreeSet::new(), BTreeSet::new());
        Self { keys, lanes, next: 1, flying: Vec::new(), done: Vec::new(), loose, held, known }
    }

    fn key(&self, position: u64) -> Option<u8> {
        self.keys[position as usize - 1]
    }

    fn stock(&self) -> Course {
        let read = Position::new(self.next).previous();
        let before = &self.known.mark.ahead;
        let undone = self.lanes.undone().chain(before.open_after(read));
        let ahead = Ahead::of(undone, read.max(before.up_to()));
        Course {
            mark: Mark { done: self.lanes.done_up_to(read), ahead },
            aside: self.lanes.aside().collect(),
            tried: Vec::new(),
        }
    }

    fn add(&mut self) {
        if self.next <= self.keys.len() as u64 {
            let it = recorded(self.next, self.key(self.next));
            if !self.known.is_done(it.position, it.key.as_ref()) {
                self.lanes.add(it);
            }
            self.next += 1;
            self.lanes.read_up_to(Position::new(self.next));
        }
    }

    /// Takes one that may be called.
    fn take(&mut self) -> Option<Item> {
        let item = self.lanes.take()?;
        let of_key = |it: &Item| it.recorded.key == item.recorded.key && it.recorded.key.is_some();
        assert!(!self.flying.iter().any(of_key), "one of a key is in flight at a time");
        let position = item.recorded.position.get();
        for earlier in (1..position).filter(|it| self.key(*it).is_some() && self.key(*it) == self.key(position)) {
            let is_done = self.done.contains(&earlier) || self.loose.contains(&earlier);
            assert!(is_done, "{earlier} of the same key comes before {position}");
        }
        let is_held = |(key, by): &(u8, u64)| Some(*key) == self.key(position) && *by < position;
        assert!(!self.held.iter().any(is_held), "{position} is of a key that is held");
        let key = item.recorded.key.as_ref();
        assert!(!self.known.is_done(item.recorded.position, key), "{position} was known to be done");
        Some(item)
    }

    fn call(&mut self) {
        let item = self.take();
        self.flying.extend(item);
    }

    fn together(&mut self, most: usize, good: usize, rest: bool) {
        let Some(first) = self.take() else { return };
        let mut group = vec![first.clone()];
        while group.len() < most {
            let Some(behind) = self.lanes.take_behind(&first) else { break };
            group.push(behind);
        }
        let count = group.len();
        let (mut back, mut failed) = (Vec::new(), None);
        for (index, item) in group.into_iter().enumerate() {
            if index == good {
                self.lanes.stays(&item);
                failed = Some(item);
            } else if index < good || rest {
                // What was done although one before it was not may come again.
                if failed.is_none() {
                    self.done.push(item.recorded.position.get());
                } else {
                    self.loose.insert(item.recorded.position.get());
                }
                self.lanes.settle(&item, index + 1 < count, failed.is_some());
            } else {
                back.push(item);
            }
        }
        back.into_iter().rev().for_each(|item| self.lanes.put_back(item));
        self.flying.extend(failed);
    }

    fn refill(&mut self, most: usize) {
        let Some((key, from)) = self.lanes.wanting() else { return };
        let of_key: Vec<u64> = (from.get()..self.next)
            .filter(|it| self.key(*it).is_some_and(|it| key.as_str() == it.to_string()))
            .collect();
        let whole = of_key.len() <= most;
        let read: Vec<Recorded> = of_key.iter().take(most).map(|it| recorded(*it, self.key(*it))).collect();
        let next = if whole { self.next } else { of_key[most - 1] + 1 };
        self.lanes.resume(&key, read, Position::new(next), whole);
    }

    fn restart(&mut self) {
        self.known = self.stock();
        self.lanes = Lanes::new(Order::Key);
        self.lanes.restore(&self.known.aside, self.known.mark.ahead.up_to().next());
        self.flying.clear();
        self.next = self.known.mark.done.next().get();
    }

    /// Nothing counts as done that is not.
    fn check(&self) {
        let stock = self.stock();
        for position in 1..=self.keys.len() as u64 {
            let key = self.key(position).and_then(|key| Key::new(key.to_string()));
            let is_done = stock.is_done(Position::new(position), key.as_ref());
            let was_done = self.done.contains(&position) || self.loose.contains(&position);
            assert!(!is_done || was_done, "{position} counts as done: {stock:?}");
        }
        let in_memory: usize = self.lanes.ready.len()
            + self.flying.len()
            + self.lanes.lanes.values().map(|lane| lane.behind.len()).sum::<usize>();
        assert_eq!(self.lanes.waiting(), in_memory);
    }

    fn step(&mut self, step: &Step) {
        match step {
            Step::Add => self.add(),
            Step::Call => self.call(),
            Step::End(index) if !self.flying.is_empty() => {
                let item = self.flying.swap_remove(index.index(self.flying.len()));
                self.done.push(item.recorded.position.get());
                self.lanes.settle(&item, false, false);
            }
            Step::Hold(index) if !self.flying.is_empty() => {
                let item = self.flying.swap_remove(index.index(self.flying.len()));
                let position = item.recorded.position.get();
                self.done.push(position);
                self.lanes.hold(&item, Position::new(self.next));
                self.held.extend(self.key(position).map(|key| (key, position)));
            }
            Step::Release(index) if !self.held.is_empty() => {
                let (key, by) = *self.held.iter().nth(index.index(self.held.len())).expect("there");
                self.held.remove(&(key, by));
                self.lanes.release(&Key::new(key.to_string()).expect("a key"), Position::new(by));
            }
            Step::MakeRoom(room) => {
                self.lanes.make_room(*room, Position::new(self.next));
            }
            Step::Refill(most) => self.refill(*most),
            Step::Restart => self.restart(),
            Step::Together { most, good, rest } => self.together(*most, *good, *rest),
            Step::End(_) | Step::Hold(_) | Step::Release(_) => {}
        }
    }

    /// All faults are over: everything is delivered.
    fn finish(&mut self) {
        for (key, by) in std::mem::take(&mut self.held) {
            self.lanes.release(&Key::new(key.to_string()).expect("a key"), Position::new(by));
        }
        for _ in 0..100 * (self.keys.len() + 1) {
            self.add();
            self.refill(2);
            self.call();
            if let Some(item) = self.flying.pop() {
                self.done.push(item.recorded.position.get());
                self.lanes.settle(&item, false, false);
            }
        }
        let done: BTreeSet<u64> = self.done.iter().chain(&self.loose).copied().collect();
        assert_eq!(done, (1..=self.keys.len() as u64).collect(), "everything is done");
        assert!(self.lanes.is_idle());
        assert_eq!((self.lanes.bytes(), self.lanes.waiting(), self.lanes.aside_len()), (0, 0, 0));
        assert_eq!(self.lanes.done_up_to(Position::new(self.next).previous()).get(), self.keys.len() as u64);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, ..ProptestConfig::default() })]

    /// Whatever happens in whatever order: one in flight for each key, in the order of the log, nothing behind what holds
    /// its key, what counts as done is done, and in the end everything is.
    #[test]
    fn lanes_keep_order_and_lose_nothing(keys in prop::collection::vec(prop::option::of(0u8..4), 1..40), steps in prop::collection::vec(step(), 0..150)) {
        let mut world = World::new(keys);
        for step in &steps {
            world.step(step);
            world.check();
        }
        world.finish();
    }
}

/// What is to be delivered again comes before what waits of its key, also where that is held; several keep their order.
#[test]
fn redrives_come_first() {
    let mut lanes = Lanes::new(Order::Key);
    (1..=4).for_each(|position| lanes.add(recorded(position, Some(1))));
    let first = lanes.take().expect("ready");
    lanes.hold(&first, Position::new(5));
    assert!(lanes.take().is_none() && lanes.wanting().is_none(), "the key is held");
    lanes.redrive(recorded(1, Some(1)), Position::new(10));
    let again = lanes.take().expect("it does not wait for its key");
    assert_eq!(again.id(), (Origin::Redrive { at: Position::new(10) }, Position::new(1)));
    lanes.redrive(recorded(1, Some(1)), Position::new(11));
    lanes.release(&Key::new("1").expect("a key"), Position::new(1));
    assert!(lanes.take().is_none() && lanes.wanting().is_none());
    assert_eq!(lanes.redrives_done_up_to(Position::new(11)), Position::new(9));
    lanes.settle(&again, false, false);
    let last = lanes.take().expect("the second one");
    assert_eq!(last.origin, Origin::Redrive { at: Position::new(11) });
    lanes.settle(&last, false, false);
    let (key, from) = lanes.wanting().expect("then it goes on");
    assert_eq!(from, Position::new(2));
    lanes.resume(&key, vec![recorded(2, Some(1))], Position::new(5), true);
    assert_eq!(lanes.take().map(|it| it.recorded.position), Some(Position::new(2)));
    assert_eq!(lanes.redrives_done_up_to(Position::new(11)), Position::new(11));
}

/// Several of one key in one call: the first that fails stays in front, and those behind it keep their order.
#[test]
fn a_call_with_several_of_a_key_ends_in_the_middle() {
    let mut lanes = Lanes::new(Order::Key);
    (1..=4).for_each(|position| lanes.add(recorded(position, Some(1))));
    let first = lanes.take().expect("ready");
    let behind: Vec<Item> = (0..2).map(|_| lanes.take_behind(&first).expect("behind")).collect();
    lanes.settle(&first, true, false);
    lanes.stays(&behind[0]);
    lanes.put_back(behind[1].clone());
    assert!(lanes.take().is_none(), "the second one waits for its next attempt");
    lanes.settle(&behind[0], false, false);
    let rest: Vec<u64> = (0..2)
        .map(|_| {
            let next = lanes.take().expect("in their order");
            lanes.settle(&next, false, false);
            next.recorded.position.get()
        })
        .collect();
    assert_eq!(rest, [3, 4]);
    assert_eq!((lanes.waiting(), lanes.bytes(), lanes.done_up_to(Position::new(4)).get()), (0, 0, 4));
}

#[test]
fn without_an_order_every_event_stands_alone() {
    let mut lanes = Lanes::new(Order::None);
    (1..=3).for_each(|position| lanes.add(recorded(position, Some(1))));
    assert_eq!(lanes.ready(), 3);
}
