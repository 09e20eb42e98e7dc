//! A worker and a fan-out over a log in memory, in any order of their steps: whatever is given, forgotten, or read, the
//! worker comes by each event of its subscription once and in order.

use std::sync::Arc;

use proptest::prelude::*;
use weir_catalog::SubscriptionId;
use weir_domain::{Event, Position, Timestamp};
use weir_log::Recorded;

use super::{Feed, Inbox, Room, Taken};

#[derive(Clone, Debug)]
enum Step {
    /// Events come, some of them for the subscription.
    Append(Vec<bool>),
    /// The fan-out looks who asks, and reads so many events.
    Route(usize),
    /// The worker takes what is there, so many events at most.
    Work(usize),
    /// The worker begins so many events before where it is.
    Return(usize),
    /// Nothing after where the log ends now is taken until further notice.
    Bound,
    Free,
    /// Another fan-out takes over.
    Restart,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => prop::collection::vec(prop::bool::weighted(0.4), 1..40).prop_map(Step::Append),
        1 => (1000..1200usize).prop_map(|count| Step::Append(vec![true; count])),
        6 => (1..60usize).prop_map(Step::Route),
        1 => Just(Step::Route(5000)),
        6 => (1..50usize).prop_map(Step::Work),
        1 => (1..80usize).prop_map(Step::Return),
        1 => Just(Step::Bound),
        2 => Just(Step::Free),
        1 => Just(Step::Restart),
    ]
}

struct World {
    /// Whether the event at each position, from 1 on, is for the subscription.
    log: Vec<bool>,
    feed: Arc<Feed>,
    inbox: Arc<Inbox>,
    routed: Position,
    /// Where the worker reads on.
    next: Position,
    bound: Position,
    seen: Vec<Position>,
}

fn recorded(position: Position) -> Recorded {
    let event = Event::builder("1", "/s", "t").build().expect("valid");
    Recorded { position, recorded: Timestamp::from_unix_micros(1), key: None, event }
}

impl World {
    fn new() -> Self {
        let feed = Arc::<Feed>::default();
        let inbox = feed.enter(&SubscriptionId::parse("s").expect("an identifier"));
        feed.set_up(true);
        let first = Position::new(1);
        Self { log: Vec::new(), feed, inbox, routed: first, next: first, bound: Position::MAX, seen: Vec::new() }
    }

    fn end(&self) -> Position {
        Position::new(self.log.len() as u64)
    }

    fn is_wanted(&self, position: Position) -> bool {
        self.log[position.get() as usize - 1]
    }

    fn take(&mut self, step: Step) {
        match step {
            Step::Append(events) => self.log.extend(events),
            Step::Route(count) => self.route(count),
            Step::Work(count) => self.work(count),
            Step::Return(back) => {
                self.next = Position::new(self.next.get().saturating_sub(back as u64).max(1));
                let next = self.next;
                self.seen.retain(|it| *it < next);
            }
            Step::Bound => self.bound = self.end(),
            Step::Free => self.bound = Position::MAX,
            Step::Restart => self.feed.set_up(true),
        }
    }

    /// As the fan-out does.
    fn route(&mut self, count: usize) {
        let asking = self.feed.take_asking();
        if !asking.is_empty() && !self.feed.has_readers() {
            self.routed = self.routed.max(self.end().next());
            self.feed.routed_up_to(self.routed);
        }
        asking.iter().for_each(|inbox| inbox.begin(self.routed));
        if !self.feed.has_readers() {
            return;
        }
        let end = self.end().next().min(Position::new(self.routed.get() + count as u64));
        while self.routed < end {
            if self.is_wanted(self.routed) {
                self.inbox.give(&recorded(self.routed), 64 * 1024);
            }
            self.routed = self.routed.next();
        }
        self.feed.routed_up_to(self.routed);
    }

    /// As a worker does.
    fn work(&mut self, count: usize) {
        if self.next > self.bound || !self.inbox.has_for(self.next, 16) {
            return;
        }
        match self.inbox.take(self.next, self.bound, Room { events: count, bytes: 1024 }) {
            Taken::Events { events, next } => {
                self.seen.extend(events.iter().map(|it| it.position));
                self.next = self.next.max(next);
            }
            Taken::ReadLog => {
                let end = self.end().next().min(Position::new(self.next.get() + count as u64));
                let is_end = end == self.end().next();
                while self.next < end {
                    if self.is_wanted(self.next) && self.next <= self.bound {
                        self.seen.push(self.next);
                    }
                    self.next = self.next.next();
                }
                self.next = self.next.min(self.bound.next());
                if is_end {
                    self.inbox.ask();
                }
            }
        }
        self.inbox.shown();
    }

    fn wanted(&self) -> Vec<Position> {
        let all = (1..=self.log.len() as u64).map(Position::new);
        all.filter(|it| self.is_wanted(*it)).collect()
    }
}

proptest! {
    #[test]
    fn each_event_is_seen_once_in_order(steps in prop::collection::vec(step(), 1..120)) {
        let mut world = World::new();
        for step in steps {
            world.take(step);
            let next = world.next;
            let before: Vec<Position> = world.wanted().into_iter().filter(|it| *it < next).collect();
            prop_assert_eq!(&world.seen, &before, "reads on at {}", next);
            // Nobody may say that it is further on than where nothing of it waits.
            let passed = world.inbox.passed(next);
            prop_assert!(world.wanted().iter().all(|it| *it < next || *it >= passed));
        }
        world.bound = Position::MAX;
        for _ in 0..2 * world.log.len() + 8 {
            world.route(100);
            world.work(100);
        }
        prop_assert_eq!(world.seen.clone(), world.wanted());
        // Even with the end, it is given what comes and reads the log no more.
        prop_assert!(!world.inbox.has_for(world.next, 1_000_000));
    }
}
