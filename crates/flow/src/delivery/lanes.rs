//! Lanes: the undelivered events of each key, one of them in flight at a time.
//!
//! Pure bookkeeping: what may be called now, and up to where everything is done.

use std::collections::{HashMap, VecDeque};

use weir_domain::{Key, Position};
use weir_log::Recorded;

/// What keeps events in order: their key; an event without one is alone in its lane.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Lane {
    Key(Key),
    Alone(Position),
}

fn lane_of(recorded: &Recorded) -> Lane {
    recorded.key.clone().map_or(Lane::Alone(recorded.position), Lane::Key)
}

/// All events that were read and are not done.
#[derive(Debug, Default)]
pub(crate) struct Lanes {
    /// Events behind the one that is in flight or waits for its next attempt. A lane is here while it has such a one.
    behind: HashMap<Lane, VecDeque<Recorded>>,
    /// The first events of lanes, not yet called.
    ready: VecDeque<Recorded>,
    /// Every event that is not known to be done, in the order of the log, with whether it is.
    open: VecDeque<(Position, bool)>,
    /// How many of them are not done.
    waiting: usize,
    bytes: usize,
}

impl Lanes {
    /// Adds the next event of the log.
    pub(crate) fn add(&mut self, recorded: Recorded) {
        debug_assert!(self.open.back().is_none_or(|(last, _)| *last < recorded.position), "the log goes forward");
        self.open.push_back((recorded.position, false));
        self.waiting += 1;
        self.bytes += recorded.event.size();
        match self.behind.entry(lane_of(&recorded)) {
            std::collections::hash_map::Entry::Occupied(mut lane) => lane.get_mut().push_back(recorded),
            std::collections::hash_map::Entry::Vacant(lane) => {
                lane.insert(VecDeque::new());
                self.ready.push_back(recorded);
            }
        }
    }

    /// Takes an event that may be called now.
    pub(crate) fn take(&mut self) -> Option<Recorded> {
        self.ready.pop_front()
    }

    /// Tells whether an event may be called now.
    pub(crate) fn has_ready(&self) -> bool {
        !self.ready.is_empty()
    }

    /// An event is done: the next one of its lane may be called.
    pub(crate) fn settle(&mut self, recorded: &Recorded) {
        self.bytes -= recorded.event.size();
        let lane = lane_of(recorded);
        match self.behind.get_mut(&lane).and_then(VecDeque::pop_front) {
            Some(next) => self.ready.push_back(next),
            None => {
                self.behind.remove(&lane);
            }
        }
        if let Ok(index) = self.open.binary_search_by_key(&recorded.position, |(position, _)| *position) {
            self.open[index].1 = true;
            self.waiting -= 1;
        }
        while self.open.front().is_some_and(|(_, done)| *done) {
            self.open.pop_front();
        }
    }

    /// Returns the last position before which, itself included, everything is done, if `read` is the last one read.
    pub(crate) fn done_up_to(&self, read: Position) -> Position {
        self.open.front().map_or(read, |(position, _)| position.previous())
    }

    /// Returns the events that are not done, in the order of the log.
    pub(crate) fn undone(&self) -> impl Iterator<Item = Position> + '_ {
        self.open.iter().filter(|(_, done)| !done).map(|(position, _)| *position)
    }

    /// Returns the number of events between the oldest open one and the newest.
    pub(crate) fn span(&self) -> usize {
        self.open.len()
    }

    /// Returns how many events are not done.
    pub(crate) fn waiting(&self) -> usize {
        self.waiting
    }

    /// Returns the bytes of all events that are not done.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use weir_domain::{Event, Timestamp};

    use super::*;

    fn recorded(position: u64, key: Option<u8>) -> Recorded {
        let event = Event::builder(&position.to_string(), "/test", "t").build().expect("valid");
        let key = key.and_then(|key| Key::new(key.to_string()));
        Recorded { position: Position::new(position), recorded: Timestamp::default(), key, event }
    }

    proptest! {
        /// Whatever order calls end in: one in flight for each key, in the order of the log, and a cursor that is right.
        #[test]
        fn lanes_keep_order_and_cursor(keys in prop::collection::vec(prop::option::of(0u8..4), 1..60), ends in prop::collection::vec(any::<prop::sample::Index>(), 200)) {
            let mut lanes = Lanes::default();
            let mut flying: Vec<Recorded> = Vec::new();
            let mut done: Vec<Recorded> = Vec::new();
            let mut next = 0;
            let mut ends = ends.into_iter();
            while done.len() < keys.len() {
                if next < keys.len() {
                    lanes.add(recorded(next as u64 + 1, keys[next]));
                    next += 1;
                }
                while let Some(ready) = lanes.take() {
                    prop_assert!(ready.key.is_none() || flying.iter().all(|other| other.key != ready.key));
                    flying.push(ready);
                }
                let Some(index) = ends.next() else { break };
                let ended = flying.swap_remove(index.index(flying.len()));
                lanes.settle(&ended);
                done.push(ended);
                let open = (1..=next as u64).find(|p| done.iter().all(|d| d.position.get() != *p));
                let expected = open.map_or(next as u64, |position| position - 1);
                prop_assert_eq!(lanes.done_up_to(Position::new(next as u64)).get(), expected);
            }
            for key in 0..4u8 {
                let key = Key::new(key.to_string());
                let order: Vec<_> = done.iter().filter(|d| d.key == key).map(|d| d.position).collect();
                prop_assert!(order.is_sorted());
            }
            if done.len() == keys.len() {
                prop_assert_eq!((lanes.bytes(), lanes.span(), lanes.waiting()), (0, 0, 0));
            }
        }
    }
}
