//! An engine that keeps everything in memory: for tests and as the plainest reading of the contract.
//!
//! It makes no attempt to be fast or small: reads go over all events.

use std::{
    collections::HashMap,
    ops::Range,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use bytes::Bytes;
use futures_util::future::{BoxFuture, FutureExt, ready};
use parking_lot::Mutex;
use tokio::sync::watch;
use weir_domain::{Clock, Position, SpaceName, Timestamp};

use crate::{
    Append, Condition, Counted, Direction, EventReceipt, Filter, LogEngine, LogError, NewEvent, Page, Read, Receipt,
    Recorded,
};

/// A log in memory.
pub struct MemoryLog {
    stored: Arc<Mutex<Stored>>,
    closed: AtomicBool,
    end: watch::Sender<Position>,
    /// Those who wait for events of some types. Taken with `stored` in hand.
    watches: Mutex<Vec<Watch>>,
    clock: Arc<dyn Clock>,
}

/// Events of some types of a space, or of all where none are named, that somebody waits for.
struct Watch {
    space: SpaceName,
    types: Vec<String>,
    newest: watch::Sender<Position>,
}

/// What a disk would hold.
#[derive(Default)]
struct Stored {
    events: Vec<(SpaceName, Recorded)>,
    ids: HashMap<(SpaceName, String, String), Position>,
    checkpoints: HashMap<String, Bytes>,
}

impl MemoryLog {
    /// Makes an empty log.
    #[must_use]
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self {
            stored: Arc::default(),
            closed: AtomicBool::new(false),
            end: watch::channel(Position::ORIGIN).0,
            watches: Mutex::default(),
            clock,
        }
    }

    /// Opens the same log again, as after a restart.
    #[must_use]
    pub fn reopen(&self) -> Self {
        let end = Position::new(self.stored.lock().events.len() as u64);
        Self {
            stored: self.stored.clone(),
            closed: AtomicBool::new(false),
            end: watch::channel(end).0,
            watches: Mutex::default(),
            clock: self.clock.clone(),
        }
    }

    fn open(&self) -> Result<(), LogError> {
        if self.closed.load(Ordering::Acquire) { Err(LogError::Closed) } else { Ok(()) }
    }

    fn append_now(&self, append: Append) -> Result<Receipt, LogError> {
        self.open()?;
        let mut stored = self.stored.lock();
        let before = stored.events.len();
        let receipt = stored.append(append, self.clock.now())?;
        let end = Position::new(stored.events.len() as u64);
        self.end.send_if_modified(|now| std::mem::replace(now, end) != end);
        self.watches.lock().retain(|watch| watch.tell(&stored.events[before..]));
        Ok(receipt)
    }
}

impl Watch {
    /// Returns the last of these events that is waited for.
    fn newest_of(&self, events: &[(SpaceName, Recorded)]) -> Option<Position> {
        let wanted = |(space, recorded): &&(SpaceName, Recorded)| {
            let by_type = self.types.is_empty() || self.types.iter().any(|each| each == recorded.event.event_type());
            by_type && *space == self.space
        };
        events.iter().rev().find(wanted).map(|(_, recorded)| recorded.position)
    }

    /// Tells of new events, and says whether anybody still waits.
    fn tell(&self, events: &[(SpaceName, Recorded)]) -> bool {
        if let Some(newest) = self.newest_of(events) {
            self.newest.send_replace(newest);
        }
        self.newest.receiver_count() > 0
    }
}

impl Stored {
    fn append(&mut self, append: Append, now: Timestamp) -> Result<Receipt, LogError> {
        let identity =
            |new: &NewEvent| (append.space.clone(), new.event.source().to_owned(), new.event.id().to_owned());
        let all_known = append.events.iter().all(|new| self.ids.contains_key(&identity(new)));
        if let Some(condition) = append.condition.as_ref().filter(|_| !all_known) {
            self.check(&append.space, condition)?;
        }
        let mut receipt = Vec::with_capacity(append.events.len());
        for new in &append.events {
            let next = Position::new(self.events.len() as u64 + 1);
            let position = *self.ids.entry(identity(new)).or_insert(next);
            receipt.push(EventReceipt { position, duplicate: position != next });
            if position == next {
                let NewEvent { event, key } = new.clone();
                self.events.push((append.space.clone(), Recorded { position, recorded: now, key, event }));
            }
        }
        Ok(Receipt { events: receipt })
    }

    fn check(&self, space: &SpaceName, condition: &Condition) -> Result<(), LogError> {
        let newest = self.events.iter().rev().find(|(owner, recorded)| {
            owner == space && condition.query.matches(recorded.key.as_ref(), recorded.event.event_type())
        });
        match newest {
            Some((_, recorded)) if recorded.position > condition.after => {
                Err(LogError::ConditionFailed { after: condition.after, beaten_by: recorded.position })
            }
            _ => Ok(()),
        }
    }

    fn read(&self, read: &Read) -> Page {
        let matches = |(space, recorded): &&(SpaceName, Recorded)| {
            let inside = match read.direction {
                Direction::Forward => recorded.position >= read.from,
                Direction::Backward => recorded.position <= read.from,
            };
            let wanted = read.filter.matches(recorded.key.as_ref(), recorded.event.event_type());
            inside && wanted && *space == read.space
        };
        let all: Box<dyn Iterator<Item = &(SpaceName, Recorded)>> = match read.direction {
            Direction::Forward => Box::new(self.events.iter().filter(matches)),
            Direction::Backward => Box::new(self.events.iter().rev().filter(matches)),
        };
        let mut events: Vec<Recorded> = Vec::new();
        let mut bytes = 0;
        for (_, recorded) in all {
            bytes += recorded.event.size();
            if events.len() == read.events_max.max(1) || (!events.is_empty() && bytes > read.bytes_max) {
                return Page { events, next: recorded.position, end: false };
            }
            events.push(recorded.clone());
        }
        let next = match read.direction {
            Direction::Forward => Position::new(self.events.len() as u64 + 1).max(read.from),
            Direction::Backward => Position::ORIGIN,
        };
        Page { events, next, end: true }
    }

    fn count(&self, space: &SpaceName, filter: &Filter, range: &Range<Position>, limit: u64) -> Counted {
        let matches = |(owner, recorded): &&(SpaceName, Recorded)| {
            let wanted = filter.matches(recorded.key.as_ref(), recorded.event.event_type());
            wanted && owner == space && range.contains(&recorded.position)
        };
        let found = self.events.iter().filter(matches).count() as u64;
        Counted { events: found.min(limit), more: found > limit }
    }
}

impl LogEngine for MemoryLog {
    fn append(&self, append: Append) -> BoxFuture<'_, Result<Receipt, LogError>> {
        ready(self.append_now(append)).boxed()
    }

    fn read(&self, read: Read) -> BoxFuture<'_, Result<Page, LogError>> {
        ready(self.open().map(|()| self.stored.lock().read(&read))).boxed()
    }

    fn position_at(&self, time: Timestamp) -> BoxFuture<'_, Result<Position, LogError>> {
        let found = self.open().map(|()| {
            let stored = self.stored.lock();
            let index = stored.events.partition_point(|(_, recorded)| recorded.recorded < time);
            Position::new(index as u64 + 1)
        });
        ready(found).boxed()
    }

    fn durable_end(&self) -> watch::Receiver<Position> {
        self.end.subscribe()
    }

    fn arrivals(&self, space: &SpaceName, types: &[String]) -> watch::Receiver<Position> {
        let stored = self.stored.lock();
        let watch = Watch { space: space.clone(), types: types.to_vec(), newest: watch::Sender::default() };
        watch.tell(&stored.events);
        let arrivals = watch.newest.subscribe();
        self.watches.lock().push(watch);
        arrivals
    }

    fn count(
        &self,
        space: SpaceName,
        filter: Filter,
        range: Range<Position>,
        limit: u64,
    ) -> BoxFuture<'_, Result<Counted, LogError>> {
        ready(self.open().map(|()| self.stored.lock().count(&space, &filter, &range, limit))).boxed()
    }

    fn find(&self, space: SpaceName, source: String, id: String) -> BoxFuture<'_, Result<Option<Position>, LogError>> {
        ready(self.open().map(|()| self.stored.lock().ids.get(&(space, source, id)).copied())).boxed()
    }

    fn load_checkpoint(&self, name: &str) -> BoxFuture<'_, Result<Option<Bytes>, LogError>> {
        ready(self.open().map(|()| self.stored.lock().checkpoints.get(name).cloned())).boxed()
    }

    fn load_checkpoints(&self, names: Vec<String>) -> BoxFuture<'_, Result<Vec<Option<Bytes>>, LogError>> {
        let loaded = self.open().map(|()| {
            let stored = self.stored.lock();
            names.iter().map(|name| stored.checkpoints.get(name).cloned()).collect::<Vec<_>>()
        });
        ready(loaded).boxed()
    }

    fn store_checkpoints(&self, values: Vec<(String, Bytes)>) -> BoxFuture<'_, Result<(), LogError>> {
        ready(self.open().map(|()| self.stored.lock().checkpoints.extend(values))).boxed()
    }

    fn remove_checkpoints(&self, names: Vec<String>) -> BoxFuture<'_, Result<(), LogError>> {
        let removed = self.open().map(|()| {
            let mut stored = self.stored.lock();
            for name in &names {
                stored.checkpoints.remove(name);
            }
        });
        ready(removed).boxed()
    }

    fn close(&self) -> BoxFuture<'_, Result<(), LogError>> {
        let closed_before = self.closed.swap(true, Ordering::AcqRel);
        ready(if closed_before { Err(LogError::Closed) } else { Ok(()) }).boxed()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicU64;

    use weir_domain::Event;

    use super::*;

    /// A clock that moves with every look at it.
    struct Moving(AtomicU64);

    impl Clock for Moving {
        fn now(&self) -> Timestamp {
            Timestamp::from_unix_micros(self.0.fetch_add(10, Ordering::Relaxed))
        }
    }

    #[tokio::test]
    async fn each_time_leads_to_its_event() {
        let log = MemoryLog::new(Arc::new(Moving(AtomicU64::new(1_000))));
        for number in 0..20 {
            let event = Event::builder(&number.to_string(), "/test", "t").build().expect("valid");
            log.append(Append::new(SpaceName::default(), vec![NewEvent { event, key: None }])).await.expect("appended");
        }
        let at = |micros| log.position_at(Timestamp::from_unix_micros(micros));
        for number in 0..20 {
            let position = Position::new(number + 1);
            assert_eq!(at(1_000 + number * 10).await.expect("readable"), position);
            assert_eq!(at(1_001 + number * 10).await.expect("readable"), position.next());
        }
    }
}
