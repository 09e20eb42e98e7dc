//! Lanes: the undelivered events of each key, one of them in flight at a time.
//!
//! Pure bookkeeping: what may be called now, which lanes are put aside, and up to where everything is done.
//!
//! A lane that is put aside is only a key and a position: its events are not kept here but read again, by key, when the lane
//! goes on. So one that waits for long, or is held, stands in nobody's way: the mark of what is done passes it.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};

use weir_catalog::Order;
use weir_domain::{Key, Position};
use weir_log::Recorded;

use crate::progress::PutAside;

/// An event on its way to the function.
#[derive(Clone, Debug)]
pub(crate) struct Item {
    /// The event, where it stands and when it was recorded.
    pub(crate) recorded: Recorded,
    /// How it came here.
    pub(crate) origin: Origin,
}

/// How an event came to be delivered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Origin {
    /// It was read from the log for the first time.
    Log,
    /// Somebody wants a dead letter to be delivered again.
    Redrive {
        /// Where that stands.
        at: Position,
    },
}

/// By what one item is told from all others of its subscription.
pub(crate) type ItemId = (Origin, Position);

impl Item {
    pub(crate) fn id(&self) -> ItemId {
        (self.origin, self.recorded.position)
    }

    fn bytes(&self) -> usize {
        self.recorded.event.size()
    }
}

#[derive(Debug, Default)]
struct Lane {
    /// What comes after the one that is in flight or waits for its next attempt.
    behind: VecDeque<Item>,
    /// That one.
    head: Option<ItemId>,
    aside: Option<Aside>,
}

#[derive(Debug)]
struct Aside {
    /// Everything of the key before it is done.
    from: Position,
    /// Where to read on.
    next: Position,
    /// About how many events are there from `next` on.
    unread: u64,
    /// The event that was given up and holds the key: nothing after it is delivered.
    held: Option<Position>,
    /// Whether it stands among those that want to be read.
    is_wanting: bool,
}

/// All events that were read and are not done, and the lanes that were put aside.
#[derive(Debug)]
pub(crate) struct Lanes {
    order: Order,
    lanes: HashMap<Key, Lane>,
    /// The first events of lanes, not yet called.
    ready: VecDeque<Item>,
    /// Those of the log that are not done, but for those of lanes that are aside, with when they were recorded.
    undone: BTreeMap<Position, u64>,
    /// What was asked to be delivered again and is not done.
    redrives: BTreeSet<Position>,
    /// Lanes that are aside, in the order of their keys.
    aside: BTreeSet<Key>,
    /// Of these, the ones that go on as soon as more of them is read.
    wanting: VecDeque<Key>,
    /// Before this position more was known to be done at the begin than was read since: until it is read up to there, no
    /// lane that was aside then is over.
    floor: Position,
    /// About how many events of lanes that are aside are not in memory.
    unread: u64,
    /// How many events are in memory.
    waiting: usize,
    bytes: usize,
}

impl Lanes {
    pub(crate) fn new(order: Order) -> Self {
        Self {
            order,
            lanes: HashMap::new(),
            ready: VecDeque::new(),
            undone: BTreeMap::new(),
            redrives: BTreeSet::new(),
            aside: BTreeSet::new(),
            wanting: VecDeque::new(),
            floor: Position::ORIGIN,
            unread: 0,
            waiting: 0,
            bytes: 0,
        }
    }

    /// Begins with lanes that were put aside before a restart, where it was read up to `floor` before.
    pub(crate) fn restore(&mut self, lanes: &[PutAside], floor: Position) {
        self.floor = floor;
        for PutAside { key, from, held, events } in lanes {
            let aside = Aside { from: *from, next: *from, unread: *events, held: *held, is_wanting: false };
            self.lanes.insert(key.clone(), Lane { aside: Some(aside), ..Lane::default() });
            self.aside.insert(key.clone());
            self.unread += events;
            self.want(key.clone());
        }
    }

    /// Tells by which order they are delivered.
    pub(crate) fn order(&self) -> Order {
        self.order
    }

    /// Returns the key whose order an event is kept in. A lane that was put aside before the order was given up goes on as
    /// one until it is over.
    fn key_of<'a>(&self, recorded: &'a Recorded) -> Option<&'a Key> {
        let is_ordered = |key: &&Key| self.order == Order::Key || self.aside.contains(*key);
        recorded.key.as_ref().filter(is_ordered)
    }

    /// Adds the next event of the log.
    pub(crate) fn add(&mut self, recorded: Recorded) {
        if let Some(aside) = self.key_of(&recorded).and_then(|key| self.lanes.get_mut(key)?.aside.as_mut()) {
            // It is read again with those before it.
            let is_more = u64::from(recorded.position >= aside.next);
            (aside.unread, self.unread) = (aside.unread + is_more, self.unread + is_more);
            if recorded.position < aside.from {
                // It is not known to be done.
                (aside.from, aside.next) = (recorded.position, aside.next.min(recorded.position));
            }
            if let Some(key) = recorded.key {
                self.want(key);
            }
            return;
        }
        self.undone.insert(recorded.position, recorded.recorded.unix_micros());
        self.push(Item { recorded, origin: Origin::Log });
    }

    /// Adds an event that is to be delivered again: before everything that waits of its key, even where that is held.
    pub(crate) fn redrive(&mut self, recorded: Recorded, at: Position) {
        self.redrives.insert(at);
        let item = Item { recorded, origin: Origin::Redrive { at } };
        let busy = self.key_of(&item.recorded).and_then(|key| self.lanes.get_mut(key)).filter(|it| it.head.is_some());
        match busy {
            // In their order among one another.
            Some(lane) => {
                let place = lane.behind.iter().take_while(|it| it.origin != Origin::Log).count();
                (self.waiting, self.bytes) = (self.waiting + 1, self.bytes + item.bytes());
                lane.behind.insert(place, item);
            }
            None => self.push(item),
        }
    }

    fn push(&mut self, item: Item) {
        (self.waiting, self.bytes) = (self.waiting + 1, self.bytes + item.bytes());
        let Some(key) = self.key_of(&item.recorded).cloned() else {
            self.ready.push_back(item);
            return;
        };
        let lane = self.lanes.entry(key).or_default();
        if lane.head.is_some() {
            lane.behind.push_back(item);
        } else {
            lane.head = Some(item.id());
            self.ready.push_back(item);
        }
    }

    /// Takes an event that may be called now.
    pub(crate) fn take(&mut self) -> Option<Item> {
        self.ready.pop_front()
    }

    /// Takes the event behind one that goes into the same call, which then stands for both: the order of the call is
    /// theirs.
    pub(crate) fn take_behind(&mut self, item: &Item) -> Option<Item> {
        let key = self.key_of(&item.recorded)?.clone();
        self.lanes.get_mut(&key)?.behind.pop_front()
    }

    /// Returns how many may be called now.
    pub(crate) fn ready(&self) -> usize {
        self.ready.len()
    }

    /// Counts up to `most` events that may go into one call where those behind the first of a key may go with it.
    pub(crate) fn ready_together(&self, most: usize) -> usize {
        let lane = |item: &Item| self.lanes.get(self.key_of(&item.recorded)?);
        let mut together = self.ready.iter().map(|item| 1 + lane(item).map_or(0, |lane| lane.behind.len()));
        together.try_fold(0, |sum, each| (sum < most).then_some(sum + each)).map_or(most, |sum| sum.min(most))
    }

    /// Puts an event back which was in a call but not tried, because one of its key before it failed: it waits behind that
    /// one. Those of one call are put back from the last to the first.
    pub(crate) fn put_back(&mut self, item: Item) {
        match self.key_of(&item.recorded).cloned().and_then(|key| self.lanes.get_mut(&key)) {
            Some(lane) => lane.behind.push_front(item),
            None => self.ready.push_front(item),
        }
    }

    /// Takes note that of several events of a call this one is the first that is not done: the others wait behind it.
    pub(crate) fn stays(&mut self, item: &Item) {
        if let Some(lane) = self.key_of(&item.recorded).cloned().and_then(|key| self.lanes.get_mut(&key)) {
            lane.head = Some(item.id());
        }
    }

    /// An event is done: the next one of its lane may be called. `more` says that others of its lane were in the same call
    /// and are not looked at yet, `is_behind` that one before it in that call is not done.
    pub(crate) fn settle(&mut self, item: &Item, more: bool, is_behind: bool) {
        self.forget(item);
        let Some(key) = self.key_of(&item.recorded).cloned() else { return };
        let Some(lane) = self.lanes.get_mut(&key) else { return };
        // Where one before it is not done, it comes again after a start: that is better than to lose that one.
        if let (Some(aside), Origin::Log, false) = (&mut lane.aside, item.origin, is_behind) {
            aside.from = aside.from.max(item.recorded.position.next());
        }
        if !more && !is_behind {
            self.advance(key);
        }
    }

    fn forget(&mut self, item: &Item) {
        (self.waiting, self.bytes) = (self.waiting - 1, self.bytes - item.bytes());
        match item.origin {
            Origin::Log => {
                self.undone.remove(&item.recorded.position);
            }
            Origin::Redrive { at } => {
                self.redrives.remove(&at);
            }
        }
    }

    /// Makes the next event of a lane ready, or has more of it read, or lets it go.
    fn advance(&mut self, key: Key) {
        let Some(lane) = self.lanes.get_mut(&key) else { return };
        let next = lane.behind.pop_front();
        lane.head = next.as_ref().map(Item::id);
        match next {
            Some(next) => self.ready.push_back(next),
            None if lane.aside.is_some() => self.want(key),
            None => {
                self.lanes.remove(&key);
            }
        }
    }

    /// Notes that a lane wants to be read, unless it is held.
    fn want(&mut self, key: Key) {
        let lane = self.lanes.get_mut(&key);
        let Some(aside) = lane.filter(|it| it.head.is_none()).and_then(|it| it.aside.as_mut()) else { return };
        if aside.held.is_none() && !aside.is_wanting {
            aside.is_wanting = true;
            self.wanting.push_back(key);
        }
    }

    /// Takes note that everything before a position was read.
    pub(crate) fn read_up_to(&mut self, next: Position) {
        if self.floor > Position::ORIGIN && next >= self.floor {
            self.floor = Position::ORIGIN;
            for key in self.aside.clone() {
                self.want(key);
            }
        }
    }

    /// Returns the lane that is to be read next, and from where.
    pub(crate) fn wanting(&mut self) -> Option<(Key, Position)> {
        while let Some(key) = self.wanting.front() {
            if let Some(aside) = self.lanes.get(key).and_then(|it| it.aside.as_ref()).filter(|it| it.is_wanting) {
                return Some((key.clone(), aside.next));
            }
            self.wanting.pop_front();
        }
        None
    }

    /// Adds events of a lane that is aside, as they were read from where it wanted. `next` is where to read on, and `whole`
    /// says that there are no others of those that were passed by.
    pub(crate) fn resume(&mut self, key: &Key, events: Vec<Recorded>, next: Position, whole: bool) {
        let Some(lane) = self.lanes.get_mut(key) else { return };
        let Some(aside) = &mut lane.aside else { return };
        if !aside.is_wanting {
            return;
        }
        self.wanting.retain(|it| it != key);
        (aside.is_wanting, aside.next) = (false, next.max(aside.from));
        let read = aside.unread.min(events.len() as u64);
        (aside.unread, self.unread) = (aside.unread - read, self.unread - read);
        let is_over = whole && events.is_empty() && lane.behind.is_empty() && lane.head.is_none();
        if is_over {
            // Else it waits for more of it.
            if next >= self.floor {
                self.unread -= aside.unread;
                self.lanes.remove(key);
                self.aside.remove(key);
            }
            return;
        }
        events.into_iter().for_each(|recorded| self.push(Item { recorded, origin: Origin::Log }));
        // Where there was nothing among what was read.
        self.want(key.clone());
    }

    /// Holds the key of an event that was given up: what comes after it waits. Where it has none, it is merely done.
    pub(crate) fn hold(&mut self, item: &Item, read: Position) {
        self.forget(item);
        let Some(key) = self.key_of(&item.recorded).cloned() else { return };
        let Some(lane) = self.lanes.get_mut(&key) else { return };
        lane.head = None;
        if lane.aside.is_none() {
            self.put_aside(&key, read);
        }
        let Some(lane) = self.lanes.get_mut(&key) else { return };
        if let Some(aside) = &mut lane.aside {
            if item.origin == Origin::Log {
                aside.from = aside.from.max(item.recorded.position.next());
            }
            aside.held = aside.held.or(Some(item.recorded.position));
            aside.is_wanting = false;
            // Of what was read again nothing is delivered now: it is read once more.
            let again = lane.behind.iter().find(|it| it.origin == Origin::Log).map(|it| it.recorded.position);
            aside.next = again.unwrap_or(aside.next);
        }
        self.drop_behind(&key);
        // What is to be delivered again does not wait for the key.
        if self.lanes.get(&key).is_some_and(|lane| !lane.behind.is_empty()) {
            self.advance(key);
        }
    }

    /// Lets a key go on that this event holds, and says whether it did.
    pub(crate) fn release(&mut self, key: &Key, by: Position) -> bool {
        let aside = self.lanes.get_mut(key).and_then(|it| it.aside.as_mut());
        let Some(aside) = aside.filter(|it| it.held == Some(by)) else { return false };
        aside.held = None;
        self.want(key.clone());
        true
    }

    /// Tells whether an event of a key is the one in flight, or waits for its next attempt.
    pub(crate) fn is_open(&self, key: &Key, position: Position) -> bool {
        self.lanes.get(key).and_then(|lane| lane.head).is_some_and(|(_, at)| at == position)
    }

    /// Puts lanes aside with the most behind them, until half of what is in memory is gone; at most `room` that are not
    /// aside yet. Says whether there were any.
    pub(crate) fn make_room(&mut self, room: usize, next: Position) -> bool {
        let of_log = |lane: &Lane| lane.behind.iter().filter(|it| it.origin == Origin::Log).count();
        let mut fat: Vec<(usize, &Key)> = self.lanes.iter().map(|(key, lane)| (of_log(lane), key)).collect();
        fat.retain(|(behind, _)| *behind > 0);
        fat.sort_unstable_by(|a, b| b.cmp(a));
        let keys: Vec<Key> = fat.into_iter().map(|(_, key)| key.clone()).collect();
        let (before, mut left) = (self.waiting, room);
        for key in &keys {
            if self.waiting <= before / 2 {
                break;
            }
            if self.lanes.get(key).is_some_and(|lane| lane.aside.is_some()) {
                self.read_later(key);
            } else if left > 0 {
                left -= 1;
                self.put_aside(key, next);
            } else {
                continue;
            }
            self.drop_behind(key);
        }
        self.waiting < before
    }

    /// Makes a lane one that is aside; what was read of it is dropped next.
    fn put_aside(&mut self, key: &Key, next: Position) {
        let Some(lane) = self.lanes.get_mut(key) else { return };
        let first = lane.behind.iter().find(|it| it.origin == Origin::Log).map_or(next, |it| it.recorded.position);
        let head = lane.head.filter(|(origin, _)| *origin == Origin::Log).map(|(_, position)| position);
        let from = head.unwrap_or(first);
        lane.aside = Some(Aside { from, next: first, unread: 0, held: None, is_wanting: false });
        if let Some(head) = head {
            self.undone.remove(&head);
        }
        self.aside.insert(key.clone());
    }

    /// What was read of a lane that is aside is read once more.
    fn read_later(&mut self, key: &Key) {
        let Some(lane) = self.lanes.get_mut(key) else { return };
        let first = lane.behind.iter().find(|it| it.origin == Origin::Log).map(|it| it.recorded.position);
        if let (Some(aside), Some(first)) = (&mut lane.aside, first) {
            aside.next = first;
        }
    }

    /// Drops what waits in a lane that is aside, but for what is to be delivered again.
    fn drop_behind(&mut self, key: &Key) {
        let Some(lane) = self.lanes.get_mut(key) else { return };
        let (stay, go): (VecDeque<Item>, VecDeque<Item>) =
            std::mem::take(&mut lane.behind).into_iter().partition(|it| it.origin != Origin::Log);
        lane.behind = stay;
        if let Some(aside) = &mut lane.aside {
            (aside.unread, self.unread) = (aside.unread + go.len() as u64, self.unread + go.len() as u64);
        }
        for item in &go {
            self.undone.remove(&item.recorded.position);
        }
        self.waiting -= go.len();
        self.bytes -= go.iter().map(Item::bytes).sum::<usize>();
    }

    /// Returns the last position before which, itself included, everything is done but for what is aside, if `read` is the
    /// last one read.
    pub(crate) fn done_up_to(&self, read: Position) -> Position {
        self.undone.first_key_value().map_or(read, |(position, _)| position.previous())
    }

    /// Returns the same of what is to be delivered again.
    pub(crate) fn redrives_done_up_to(&self, read: Position) -> Position {
        self.redrives.first().map_or(read, |position| position.previous())
    }

    /// Returns the events that are not done, in the order of the log, but for those that are aside.
    pub(crate) fn undone(&self) -> impl Iterator<Item = Position> + '_ {
        self.undone.keys().copied()
    }

    /// Returns what is to be delivered again and is not done.
    pub(crate) fn redrives(&self) -> impl Iterator<Item = Position> + '_ {
        self.redrives.iter().copied()
    }

    /// Returns when the oldest event was recorded that is not done, in microseconds.
    pub(crate) fn oldest_micros(&self) -> Option<u64> {
        self.undone.first_key_value().map(|(_, recorded)| *recorded)
    }

    /// Returns the lanes that are aside.
    pub(crate) fn aside(&self) -> impl Iterator<Item = PutAside> + '_ {
        self.aside.iter().filter_map(|key| {
            let aside = self.lanes.get(key)?.aside.as_ref()?;
            let Aside { from, unread, held, .. } = *aside;
            Some(PutAside { key: key.clone(), from, held, events: unread })
        })
    }

    /// Returns how many lanes are aside.
    pub(crate) fn aside_len(&self) -> usize {
        self.aside.len()
    }

    /// Returns how many events are in memory.
    pub(crate) fn waiting(&self) -> usize {
        self.waiting
    }

    /// Returns the bytes of all of these.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Returns about how many events of lanes that are aside are not in memory.
    pub(crate) fn unread_aside(&self) -> u64 {
        self.unread
    }

    /// Tells whether nothing is left to do.
    pub(crate) fn is_idle(&self) -> bool {
        self.waiting == 0 && self.wanting.is_empty()
    }
}

#[cfg(test)]
mod tests;
