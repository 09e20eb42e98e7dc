//! What must be true of a world: the log as it should be, kept beside the one that is, and every invariant.
//!
//! It learns of everything when it is durable, before anybody else does. What it finds first is kept, and ends the run.

use std::collections::{BTreeMap, BTreeSet};

use weir_domain::{Event, Key, Position, SpaceName};
use weir_flow::{CAUSATION_ID, DELIVERY_FAILED};
use weir_log::{Append, Receipt, Recorded};

use super::{cursor::Cursor, plan::Declared, tally::Tally};

/// An event that stands in the log.
#[derive(Debug, PartialEq, Eq)]
struct Standing {
    position: Position,
    key: Option<Key>,
    event: Event,
}

/// A subscription, and what was seen of it.
struct Watched {
    /// Its identifier.
    subscription: String,
    listens_to: String,
    /// The source of what its function returns.
    source: String,
    /// How many events each that is delivered leads to.
    effects: u32,
    /// How many of them stand in the log, by the position of their cause.
    seen: BTreeMap<Position, u32>,
    /// Which events were given up.
    dead: BTreeSet<Position>,
    /// The newest event of each key that had an effect.
    newest: BTreeMap<Key, Position>,
    /// The cursor that was stored last in this life.
    cursor: Option<Position>,
}

impl Watched {
    fn of(declared: &Declared) -> Self {
        Self {
            subscription: declared.subscription.id.as_str().to_owned(),
            listens_to: declared.subscription.event_type.as_str().to_owned(),
            source: format!("/spaces/{}/functions/{}", SpaceName::default(), declared.function),
            effects: declared.behaviour.effects(),
            seen: BTreeMap::new(),
            dead: BTreeSet::new(),
            newest: BTreeMap::new(),
            cursor: None,
        }
    }

    fn is_settled(&self, position: Position) -> bool {
        self.dead.contains(&position) || self.seen.get(&position) == Some(&self.effects)
    }
}

/// All that is known.
pub(crate) struct Ledger {
    watched: Vec<Watched>,
    /// The space, in the order of the log.
    log: Vec<Standing>,
    /// Where each source and id stands in it.
    identities: BTreeMap<(String, String), usize>,
    /// Where each id stands that can be a cause.
    causes: BTreeMap<String, usize>,
    /// Which events their producer had a receipt for.
    accepted: BTreeMap<String, Position>,
    violation: Option<String>,
    pub(crate) tally: Tally,
}

impl Ledger {
    pub(crate) fn new(functions: &[Declared]) -> Self {
        Self {
            watched: functions.iter().map(Watched::of).collect(),
            log: Vec::new(),
            identities: BTreeMap::new(),
            causes: BTreeMap::new(),
            accepted: BTreeMap::new(),
            violation: None,
            tally: Tally::default(),
        }
    }

    /// Takes note of something that must not be.
    pub(crate) fn violate(&mut self, what: String) {
        self.violation.get_or_insert(what);
    }

    pub(crate) fn violation(&self) -> Option<&str> {
        self.violation.as_deref()
    }

    /// A batch is durable.
    pub(crate) fn appended(&mut self, append: &Append, receipt: &Receipt) {
        if append.space != SpaceName::default() {
            return;
        }
        for (new, entry) in append.events.iter().zip(&receipt.events) {
            let event = &new.event;
            if !entry.duplicate {
                self.take(Standing { position: entry.position, key: new.key.clone(), event: event.clone() });
                continue;
            }
            self.tally.duplicates += 1;
            let known = self.place_of(event).map(|place| self.log[place].position);
            if known != Some(entry.position) {
                let (id, said) = (event.id(), entry.position);
                self.violate(format!("{id} is called a duplicate of what stands at {said}, and stands at {known:?}"));
            }
        }
    }

    fn place_of(&self, event: &Event) -> Option<usize> {
        self.identities.get(&(event.source().to_owned(), event.id().to_owned())).copied()
    }

    /// The next event of the log.
    fn take(&mut self, standing: Standing) {
        let Standing { position, key, event } = &standing;
        let (position, id) = (*position, event.id().to_owned());
        if self.log.last().is_some_and(|last| last.position >= position) {
            self.violate(format!("{id} stands at {position}, behind which there is something already"));
        }
        let place = self.log.len();
        if self.identities.insert((event.source().to_owned(), id.clone()), place).is_some() {
            self.violate(format!("{id} stands twice in the log, at {position} for the second time"));
        }
        if event.event_type() == DELIVERY_FAILED {
            self.given_up(&id);
        } else if let Some(number) = self.watched.iter().position(|it| it.source == event.source()) {
            self.effect(number, key.as_ref(), event);
        }
        if !event.source().starts_with("/weir/") {
            self.causes.insert(id, place);
        }
        self.log.push(standing);
    }

    /// What a function returned stands in the log: never more of it than once, and in the order of the causes.
    fn effect(&mut self, number: usize, key: Option<&Key>, event: &Event) {
        self.tally.effects += 1;
        let cause = event.extension_text(CAUSATION_ID).and_then(|id| self.causes.get(id));
        let Some(cause) = cause.map(|place| &self.log[*place]) else {
            return self.violate(format!("{} has no cause in the log", event.id()));
        };
        let watched = &mut self.watched[number];
        let (at, cause_id) = (cause.position, cause.event.id());
        let name = &watched.source;
        let mut found = None;
        if cause.event.event_type() != watched.listens_to || cause.key.as_ref() != key {
            found = Some(format!("{name} made something of {cause_id} that it should not"));
        }
        let seen = watched.seen.entry(at).or_default();
        *seen += 1;
        if *seen > watched.effects {
            found = Some(format!("{name} had its effect of {cause_id} twice"));
        }
        // One that was given up may be delivered all the same, after a crash: then it has lost its place.
        let first_in_place = *seen == 1 && !watched.dead.contains(&at);
        if let Some(key) = key.filter(|_| first_in_place) {
            let before = watched.newest.insert(key.clone(), at);
            if before.is_some_and(|before| before > at) {
                found =
                    Some(format!("{name} had its effect of {cause_id}, at {at}, after that of {before:?}: key {key}"));
            }
        }
        if let Some(what) = found {
            self.violate(what);
        }
    }

    /// A delivery was given up: its record is called after the subscription and the position of the event.
    fn given_up(&mut self, id: &str) {
        self.tally.dead_letters += 1;
        let about = id.split_once('/').and_then(|(subscription, rest)| {
            let position: u64 = rest.split('/').next()?.parse().ok()?;
            Some((subscription, Position::new(position)))
        });
        let watched = about.and_then(|(subscription, position)| {
            let watched = self.watched.iter_mut().find(|it| it.subscription == subscription)?;
            Some((watched, position))
        });
        match watched {
            Some((watched, position)) => {
                watched.dead.insert(position);
            }
            None => self.violate(format!("a delivery was given up that nobody knows: {id}")),
        }
    }

    /// A producer has a receipt.
    pub(crate) fn accepted(&mut self, event: &Event, position: Position) {
        self.tally.accepted += 1;
        let standing = self.place_of(event).map(|place| &self.log[place]);
        let is_there = standing.is_some_and(|it| it.position == position && it.event == *event);
        let before = self.accepted.insert(event.id().to_owned(), position);
        if !is_there || before.is_some_and(|before| before != position) {
            let id = event.id();
            let what = format!("{id} was accepted at {position}, before at {before:?}, and the log has {standing:?}");
            self.violate(what);
        }
    }

    pub(crate) fn is_accepted(&self, event: &Event) -> bool {
        self.accepted.contains_key(event.id())
    }

    /// A cursor was stored: it does not go back within a life, and passes nothing that is neither delivered nor given
    /// up.
    pub(crate) fn stored(&mut self, name: &str, value: &[u8]) -> Option<Position> {
        let mut parts = name.strip_prefix("cursor/")?.split('/');
        let (_space, subscription, created) = (parts.next()?, parts.next()?, parts.next()?);
        let created = Position::new(created.parse().ok()?);
        self.tally.checkpoints += 1;
        let Some(number) = self.watched.iter().position(|it| it.subscription == subscription) else {
            self.violate(format!("a cursor of nobody: {name}"));
            return None;
        };
        let Some(Cursor { done, aside }) = Cursor::read(value) else {
            self.violate(format!("a cursor that cannot be read: {name} is {value:?}"));
            return None;
        };
        let watched = &mut self.watched[number];
        let before = watched.cursor.replace(done);
        let watched = &self.watched[number];
        let is_aside = |it: &Standing| {
            let key = it.key.as_ref();
            aside.iter().any(|(aside, from)| key == Some(aside) && it.position >= *from)
        };
        let passed = self.log.iter().filter(|it| it.position > created && it.position <= done);
        let mut passed = passed.filter(|it| it.event.event_type() == watched.listens_to && !is_aside(it));
        let lost = passed.find(|it| !watched.is_settled(it.position)).map(|it| it.position);
        if before.is_some_and(|before| before > done) {
            self.violate(format!("the cursor of {subscription} went back from {before:?} to {done}"));
        } else if let Some(lost) = lost {
            self.violate(format!("the cursor of {subscription} is at {done}, and {lost} is not settled"));
        }
        Some(done)
    }

    /// A process has started: all that was durable is there, where it was and as it was.
    pub(crate) fn restarted(&mut self, read: Vec<Recorded>) {
        self.watched.iter_mut().for_each(|it| it.cursor = None);
        let mut read = read.into_iter().map(|it| Standing { position: it.position, key: it.key, event: it.event });
        for place in 0..self.log.len() {
            let found = read.next();
            if found.as_ref() != Some(&self.log[place]) {
                let what = format!("after a start the log has {found:?}, and {:?} was durable", self.log[place]);
                return self.violate(what);
            }
        }
        // What was written when the process ended, and never answered.
        read.for_each(|standing| self.take(standing));
    }

    /// Returns what is not settled, as sentences.
    pub(crate) fn unsettled(&self) -> Vec<String> {
        let open = |watched: &Watched| {
            let of_it = self.log.iter().filter(|it| it.event.event_type() == watched.listens_to);
            let open: Vec<_> =
                of_it.filter(|it| !watched.is_settled(it.position)).map(|it| it.position.get()).collect();
            (!open.is_empty()).then(|| format!("{} has not settled {open:?}", watched.source))
        };
        self.watched.iter().filter_map(open).collect()
    }
}
