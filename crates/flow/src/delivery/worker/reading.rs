//! What a worker reads: its events, those of lanes that go on, and what is to be delivered again.

use std::{collections::BTreeMap, time::Duration};

use bytes::Bytes;
use serde_json::value::RawValue;
use tokio::time::Instant;
use weir_catalog::SubscriptionId;
use weir_cloudevents::json as codec;
use weir_domain::{Data, Event, Key, Position, error_chain};
use weir_log::{Filter, Page, Read, Recorded};

use super::{Signals, Wanted, Worker};
use crate::{
    dead_letters::{DEADLETTER_REDRIVEN, DECISIONS, NO_LIMITS},
    delivery::inbox::{Room, Taken},
};

/// Lanes that may be aside at the same time. With more of them nothing is read any further.
const ASIDE_MAX: usize = 4096;
/// How long nothing could be called before lanes are put aside.
pub(super) const STARVED: Duration = Duration::from_millis(200);
/// How many events of a lane that goes on are read at once.
const REFILL_EVENTS: usize = 256;
/// How many dead letters of a subscription are under way again at the same time.
const REDRIVES_MAX: usize = 1024;
/// The most bytes of one read.
const READ_BYTES: usize = 1024 * 1024;

/// What somebody decided about a dead letter, as far as a worker must know it.
struct Decision {
    subscription: String,
    /// The event that it is about.
    position: Position,
    /// It is to be delivered again.
    is_redrive: bool,
    /// In this form, where that is another one.
    patched: Option<Event>,
}

impl Worker {
    /// Tells whether too much is open to read on.
    pub(super) fn is_full(&self) -> bool {
        let course = self.replay.as_ref().map_or(&self.log, |replay| &replay.course);
        !self.has_memory() || course.lanes.aside_len() >= ASIDE_MAX
    }

    /// Tells whether more may be taken into memory, whatever is aside.
    pub(super) fn has_memory(&self) -> bool {
        let course = self.replay.as_ref().map_or(&self.log, |replay| &replay.course);
        let options = &self.shared.options;
        course.lanes.waiting() < options.window_events_max && course.lanes.bytes() < self.shared.window_bytes()
    }

    /// Tells whether there is room to read on; where there is none although nothing can be called for a while, lanes with
    /// much behind them are put aside.
    pub(super) fn make_room(&mut self) -> bool {
        if !self.is_full() {
            self.starved = None;
            return true;
        }
        if self.course().lanes.ready() > 0 {
            self.starved = None;
            return false;
        }
        // A function that is quick gives the room back by itself, and each lane that is put aside is read once more.
        let since = *self.starved.get_or_insert_with(Instant::now);
        if since.elapsed() < STARVED {
            return false;
        }
        self.starved = None;
        let course = self.course();
        let (room, next) = (ASIDE_MAX.saturating_sub(course.lanes.aside_len()), course.next);
        let made = course.lanes.make_room(room, next);
        self.keeping.is_urgent |= made;
        made && !self.is_full()
    }

    pub(super) fn may_redrive(&self) -> bool {
        let lanes = &self.log.lanes;
        let open = lanes.redrives().take(REDRIVES_MAX).count();
        // Beside what is read ahead, which they may wait behind, and which gives no room for them.
        open == 0 || (open < REDRIVES_MAX && lanes.bytes() < 2 * self.shared.window_bytes())
    }

    fn read_bytes(&self) -> usize {
        READ_BYTES.min(self.shared.window_bytes() / 2)
    }

    pub(super) async fn read(&mut self, wanted: &Wanted, signals: &mut Signals) {
        let Some(subscription) = self.subscription() else { return };
        let bound = self.bound(&subscription);
        if self.replay.is_none() {
            signals.events.mark_unchanged();
            signals.arrivals.mark_unchanged();
            let room = Room { events: self.shared.options.window_events_max, bytes: self.read_bytes() };
            if let Taken::Events { events, next } = self.shown.inbox.take(self.log.next, bound, room) {
                self.add_new(events.into_iter(), next);
                return self.keep(false);
            }
        }
        let types = Filter::Types(vec![wanted.event_type.clone()]);
        let mut read = Read::forward(self.cursor.space.clone(), self.course().next).filter(types);
        read.bytes_max = self.read_bytes();
        match self.shared.log.read(read).await {
            Ok(page) => {
                let is_end = page.end;
                self.add(wanted, page, bound);
                if is_end && self.replay.is_none() {
                    self.shown.inbox.ask();
                }
            }
            Err(error) => self.cannot_read(&error).await,
        }
        self.keep(false);
    }

    fn add(&mut self, wanted: &Wanted, page: Page, bound: Position) {
        let matching = self.shared.options.compatibility.matching();
        let Page { events, next, .. } = page;
        let next = next.min(bound.next());
        let takes = |recorded: &Recorded| recorded.position <= bound && wanted.takes(&recorded.event, matching);
        let taken = events.into_iter().filter(takes);
        match &mut self.replay {
            None => self.add_new(taken, next),
            Some(replay) => replay.add(taken, next),
        }
    }

    /// Adds events that the subscription takes to those that are new.
    fn add_new(&mut self, taken: impl Iterator<Item = Recorded>, next: Position) {
        let course = &mut self.log;
        // What was done before the start, or before everything open was read again.
        let taken = taken.filter(|it| !course.known.is_done(it.position, it.key.as_ref()));
        taken.for_each(|recorded| course.lanes.add(recorded));
        course.read_up_to(next);
    }

    /// Reads more of a lane that goes on.
    pub(super) async fn refill(&mut self, wanted: &Wanted) {
        let Some((key, from)) = self.course().lanes.wanting() else { return };
        let end = self.course().next;
        let read = Read::forward(self.cursor.space.clone(), from).filter(Filter::Key(key.clone()));
        let mut read = read.events_max(REFILL_EVENTS);
        read.bytes_max = self.read_bytes();
        match self.shared.log.read(read).await {
            Ok(page) => self.add_to_lane(wanted, &key, page, end),
            Err(error) => self.cannot_read(&error).await,
        }
    }

    fn add_to_lane(&mut self, wanted: &Wanted, key: &Key, page: Page, end: Position) {
        let matching = self.shared.options.compatibility.matching();
        let whole = page.end || page.next >= end;
        let next = if whole { end } else { page.next };
        let replay = self.replay.as_ref();
        let is_wanted = |it: &Recorded| {
            it.position < end
                && it.event.event_type() == wanted.event_type
                && wanted.takes(&it.event, matching)
                && replay.is_none_or(|replay| replay.wants(it))
        };
        let events = page.events.into_iter().filter(is_wanted).collect();
        self.course().lanes.resume(key, events, next, whole);
    }

    async fn cannot_read(&mut self, error: &weir_log::LogError) {
        tracing::error!(error = %error_chain(error), space = %self.cursor.space, "a subscription cannot read the log");
        self.pause().await;
    }

    /// Reads what was decided about dead letters of this subscription.
    pub(super) async fn read_redrives(&mut self, signals: &mut Signals) {
        signals.redrives.mark_unchanged();
        let types = Filter::Types(DECISIONS.map(str::to_owned).to_vec());
        let read = Read::forward(self.cursor.space.clone(), self.redrives_next).filter(types).events_max(64);
        let page = match self.shared.log.read(read).await {
            Ok(page) => page,
            Err(error) => return self.cannot_read(&error).await,
        };
        for recorded in &page.events {
            if !self.redrives_known.is_done(recorded.position)
                && let Err(error) = self.decide(recorded).await
            {
                // From here on once more.
                self.redrives_next = recorded.position;
                return self.cannot_read(&error).await;
            }
        }
        self.redrives_next = page.next;
        (self.keeping.has_settled, self.keeping.is_urgent) = (true, true);
        self.keep(false);
    }

    /// Tells whether something that stands at a position is addressed to this subscription, or to one in whose place it
    /// stands: that may have been made again since.
    fn is_addressed(&self, subscription: &str, at: Position) -> bool {
        if subscription == self.id.as_str() {
            return true;
        }
        let state = self.state.borrow();
        let space = &self.cursor.space;
        let former = state.former.get(&(space.clone(), self.id.clone())).map(Vec::as_slice).unwrap_or_default();
        let former = former.iter().find(|it| it.as_str() == subscription);
        let is_again =
            |it: &SubscriptionId| state.cursors.get(&(space.clone(), it.clone())).is_some_and(|it| it.created < at);
        former.is_some_and(|it| !is_again(it))
    }

    async fn decide(&mut self, recorded: &Recorded) -> Result<(), weir_log::LogError> {
        let at = recorded.position;
        let Some(decision) = decision(recorded) else {
            tracing::error!(space = %self.cursor.space, position = %at, "what was decided about a dead letter cannot be read");
            return Ok(());
        };
        if !self.is_addressed(&decision.subscription, at) {
            return Ok(());
        }
        let read = Read::forward(self.cursor.space.clone(), decision.position).events_max(1);
        let original = self.shared.log.read(read).await?.events.into_iter().next();
        let Some(mut original) = original.filter(|it| it.position == decision.position) else {
            tracing::error!(
                space = %self.cursor.space, position = %at, event = %decision.position,
                "the event of a dead letter is not there: nothing is delivered again"
            );
            return Ok(());
        };
        let key = original.key.clone();
        let is_open = key.as_ref().is_some_and(|key| self.log.lanes.is_open(key, decision.position));
        if decision.is_redrive {
            original.event = decision.patched.unwrap_or(original.event);
            self.log.lanes.redrive(original, at);
        }
        if let Some(key) = key
            && !self.log.lanes.release(&key, decision.position)
            && is_open
        {
            // That it was given up is in the log, and not known here yet.
            self.decided_early.insert(decision.position);
        }
        Ok(())
    }
}

fn decision(recorded: &Recorded) -> Option<Decision> {
    let Data::Json(data) = recorded.event.data() else { return None };
    // As text, so that every number stays as it was written, and however deep it is.
    let data: BTreeMap<String, &RawValue> = serde_json::from_str(data).ok()?;
    let patched = match data.get("patched").filter(|it| it.get() != "null") {
        None => None,
        Some(event) => Some(codec::decode(&Bytes::copy_from_slice(event.get().as_bytes()), &NO_LIMITS).ok()?),
    };
    let event: BTreeMap<String, &RawValue> = serde_json::from_str(data.get("event")?.get()).ok()?;
    Some(Decision {
        subscription: serde_json::from_str(data.get("subscriptionId")?.get()).ok()?,
        position: Position::new(event.get("position")?.get().parse().ok()?),
        is_redrive: recorded.event.event_type() == DEADLETTER_REDRIVEN,
        patched,
    })
}
