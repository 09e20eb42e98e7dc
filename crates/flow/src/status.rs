//! How deliveries to async subscriptions stand: what waits, since when, and what they are doing about it.

use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use futures_util::{FutureExt, StreamExt, TryStreamExt, future::BoxFuture, stream};
use tokio::time::{Instant, timeout_at};
use weir_catalog::{Activity, CatalogError, EventTypeName, Resource, Subscription, SubscriptionId};
use weir_domain::{ErrorKind, FunctionId, Key, Position, SpaceName, Timestamp, error_chain};
use weir_log::{Counted, Filter, LogError, Read};

use crate::{
    Flow, ParkedSince, ReplayStanding, ReplayState,
    cursors::CursorName,
    delivery::Present,
    progress::{Progress, PutAside},
    snapshot::Snapshot,
};

/// The most unread events that are counted where somebody looks at one subscription.
const COUNTED_MAX: u64 = 1_000_000;
/// The same where somebody looks at all of them.
const COUNTED_EACH_MAX: u64 = 100_000;
/// How many subscriptions are looked at at once where somebody looks at all of them: each reads the log.
const LOOKS_MAX: usize = 8;
/// How many lanes that are put aside are named.
const LANES_NAMED_MAX: usize = 100;
/// In how many lanes that are put aside the oldest event is looked for: one that is held may have none.
const LANES_LOOKED_AT_MAX: usize = 8;
/// Among how many events of a lane that is put aside the oldest one is looked for: others have its key, too.
const OLDEST_AMONG: usize = 64;

/// What a subscription is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SubscriptionState {
    /// It delivers what comes.
    Active,
    /// It delivers nothing until somebody says so.
    Paused,
    /// It delivers what there was when somebody said so.
    Draining,
    /// It has delivered all of that, and delivers nothing further.
    Drained,
    /// Its function fails continuously, and is given nothing but probes.
    Parked,
    /// It delivers history once more.
    Replaying,
    /// Too much waits for another attempt, or is held: it reads no further until some of that is done.
    Blocked,
}

impl SubscriptionState {
    /// All of them.
    pub const ALL: [Self; 7] =
        [Self::Active, Self::Paused, Self::Draining, Self::Drained, Self::Parked, Self::Replaying, Self::Blocked];

    /// Returns its name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Paused => "paused",
            Self::Draining => "draining",
            Self::Drained => "drained",
            Self::Parked => "parked",
            Self::Replaying => "replaying",
            Self::Blocked => "blocked",
        }
    }
}

/// What waits for a subscription.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Depth {
    /// About how many events: those that were read and are not done, those of lanes that are put aside, and those of its
    /// type that were not read, of which its filter, method and path may take fewer.
    pub events: u64,
    /// There are more than were counted.
    pub more: bool,
    /// How long ago the oldest of them was recorded; nothing where none waits.
    pub age: Duration,
}

/// A key whose events wait in the log, apart from all others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LaneAside {
    /// The key.
    pub key: Key,
    /// The event that was given up and holds the key, until somebody decides about it.
    pub held: Option<Position>,
    /// Everything of the key before this position is done.
    pub from: Position,
    /// About how many events wait.
    pub events: u64,
}

/// How deliveries to a subscription stand.
#[derive(Clone, Debug)]
pub struct SubscriptionStatus {
    /// The subscription.
    pub subscription: Arc<Subscription>,
    /// What it is doing.
    pub state: SubscriptionState,
    /// Up to here, itself included, everything is done but for what is put aside.
    pub cursor: Position,
    /// Where it reads on.
    pub next: Position,
    /// What waits.
    pub backlog: Depth,
    /// Calls in flight.
    pub in_flight: usize,
    /// Events in memory that are not done.
    pub waiting: usize,
    /// Of these, the ones that wait for another attempt.
    pub retrying: usize,
    /// How many keys are put aside.
    pub lanes_aside: usize,
    /// About how many events of theirs are not in memory.
    pub events_aside: u64,
    /// The first hundred of these keys, those that are held before the others.
    pub aside: Vec<LaneAside>,
    /// Since when its function is given nothing but probes, and why.
    pub parked: Option<ParkedSince>,
    /// The replay that is under way, or was the last one since the start.
    pub replay: Option<ReplayStanding>,
    /// The most events a second that it was seen to deliver since the start.
    pub rate: Option<u64>,
}

/// How deliveries to a subscription stand, in the numbers that are measured again and again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SubscriptionLevel {
    /// Its space.
    pub space: SpaceName,
    /// The subscription.
    pub subscription: SubscriptionId,
    /// The type of its events.
    pub event_type: EventTypeName,
    /// Its function.
    pub function: FunctionId,
    /// What it is doing.
    pub state: SubscriptionState,
    /// Its function is given nothing but probes.
    pub is_parked: bool,
    /// What waits; `None` where that could not be counted in time.
    pub backlog: Option<Depth>,
}

/// Why nothing can be told of the deliveries to a subscription.
#[derive(Debug, thiserror::Error)]
pub enum StatusError {
    /// It is not there.
    #[error(transparent)]
    Subscription(#[from] CatalogError),
    /// Nothing is delivered to it.
    #[error("subscription \"{id}\" is sync: whoever calls its route waits, and nothing is delivered from the log")]
    Sync {
        /// Its identifier.
        id: String,
    },
    /// The log cannot be read.
    #[error("the log cannot be read")]
    Log(#[from] LogError),
}

impl StatusError {
    /// Tells what the reader must do next.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Subscription(error) => error.kind(),
            Self::Sync { .. } => ErrorKind::Invalid,
            Self::Log(error) => error.kind(),
        }
    }
}

/// A subscription to look at.
struct Look {
    space: SpaceName,
    subscription: Arc<Subscription>,
    cursor: CursorName,
    /// Up to where it is delivered where it is draining.
    drain: Position,
}

impl Look {
    fn of(snapshot: &Snapshot, space: &SpaceName, subscription: &Arc<Subscription>) -> Option<Self> {
        let name = (space.clone(), subscription.id.clone());
        let cursor = snapshot.cursors.get(&name)?.clone();
        let drain = snapshot.drains.get(&name).copied().unwrap_or(Position::MAX);
        Some(Self { space: space.clone(), subscription: subscription.clone(), cursor, drain })
    }

    /// Reads events of its type from a position on.
    fn read(&self, from: Position) -> Read {
        Read::forward(self.space.clone(), from).filter(self.types()).events_max(1)
    }

    fn types(&self) -> Filter {
        Filter::Types(vec![self.subscription.event_type.to_string()])
    }
}

/// What a worker shows, or where its subscription stood when it was last written down.
#[derive(Default)]
struct Seen {
    next: Position,
    done: Position,
    waiting: usize,
    retrying: usize,
    calls: usize,
    events_aside: u64,
    oldest: Option<Timestamp>,
    is_full: bool,
    rate: u64,
    parked: Option<ParkedSince>,
    replay: Option<ReplayStanding>,
}

impl Seen {
    fn of(worker: Option<&Present>, cursor: &CursorName, known: Option<&Progress>) -> Self {
        let next = worker.map_or(0, |it| it.standing.next.load(Ordering::Relaxed));
        // Before all else: what the worker took until then is shown.
        let next = worker.filter(|_| next > 0).map_or(0, |it| it.inbox.passed(Position::new(next)).get());
        // A worker that has not begun shows nothing.
        let Some(standing) = worker.map(|it| &*it.standing).filter(|_| next > 0) else {
            let done = known.map_or(cursor.created, |known| known.log.mark.done);
            let events_aside = known.map_or(0, |known| known.log.aside.iter().map(|it| it.events).sum());
            return Self { next: done.next(), done, events_aside, ..Self::default() };
        };
        let oldest = standing.oldest_micros.load(Ordering::Relaxed);
        let detail = standing.detail.lock().clone();
        Self {
            next: Position::new(next),
            done: Position::new(standing.done.load(Ordering::Relaxed)),
            waiting: standing.waiting.load(Ordering::Relaxed),
            retrying: standing.retrying.load(Ordering::Relaxed),
            calls: standing.calls.load(Ordering::Relaxed),
            events_aside: standing.aside.load(Ordering::Relaxed),
            oldest: (oldest > 0).then(|| Timestamp::from_unix_micros(oldest)),
            is_full: standing.is_full.load(Ordering::Relaxed),
            rate: standing.rate.load(Ordering::Relaxed),
            parked: detail.parked,
            replay: detail.replay,
        }
    }

    fn is_replaying(&self) -> bool {
        self.replay.as_ref().is_some_and(|it| it.state == ReplayState::Running)
    }

    fn is_idle(&self) -> bool {
        self.waiting == 0 && self.calls == 0 && self.events_aside == 0
    }
}

impl Flow {
    /// Tells how deliveries to an async subscription stand. Up to a million events that it has not read are counted.
    ///
    /// # Errors
    /// Where there is none of this identifier, it is sync, or the log cannot be read.
    pub async fn status(&self, space: &SpaceName, id: &str) -> Result<SubscriptionStatus, StatusError> {
        let look = self.look_at(space, id)?;
        Ok(self.status_of(look, COUNTED_MAX).await?)
    }

    /// Does the same of all async subscriptions of a space, in the order of their identifiers. Of each, up to a hundred
    /// thousand events that it has not read are counted.
    ///
    /// # Errors
    /// Where the log cannot be read.
    pub async fn statuses(&self, space: &SpaceName) -> Result<Vec<SubscriptionStatus>, StatusError> {
        let snapshot = self.shared.state.borrow().clone();
        let all = snapshot.catalog.space_or_empty(space).async_subscriptions();
        let looks = all.filter_map(|it| Look::of(&snapshot, space, it));
        let statuses: Vec<BoxFuture<'static, Result<SubscriptionStatus, LogError>>> = looks
            .map(|look| {
                let flow = self.clone();
                async move { flow.status_of(look, COUNTED_EACH_MAX).await }.boxed()
            })
            .collect();
        Ok(stream::iter(statuses).buffered(LOOKS_MAX).try_collect().await?)
    }

    /// Measures all async subscriptions, in the order of spaces and identifiers. Of each, up to a hundred thousand events that
    /// it has not read are counted; what is not counted within this time is left out.
    pub async fn levels(&self, within: Duration) -> Vec<SubscriptionLevel> {
        let until = Instant::now() + within;
        let snapshot = self.shared.state.borrow().clone();
        let mut levels: Vec<BoxFuture<'static, SubscriptionLevel>> = Vec::new();
        for (space, present) in snapshot.catalog.spaces() {
            for look in present.async_subscriptions().filter_map(|it| Look::of(&snapshot, space, it)) {
                let flow = self.clone();
                levels.push(async move { flow.level(look, until).await }.boxed());
            }
        }
        let mut levels: Vec<SubscriptionLevel> = stream::iter(levels).buffered(LOOKS_MAX).collect().await;
        levels.sort_by(|a, b| (&a.space, &a.subscription).cmp(&(&b.space, &b.subscription)));
        levels
    }

    /// Finds an async subscription and its cursor.
    ///
    /// # Errors
    /// Where there is none of this identifier, or it is sync.
    pub(crate) fn delivering(
        &self,
        space: &SpaceName,
        id: &str,
    ) -> Result<(Arc<Subscription>, CursorName), StatusError> {
        let Look { subscription, cursor, .. } = self.look_at(space, id)?;
        Ok((subscription, cursor))
    }

    fn look_at(&self, space: &SpaceName, id: &str) -> Result<Look, StatusError> {
        let snapshot = self.shared.state.borrow().clone();
        let subscription = snapshot.catalog.space_or_empty(space).subscription(id);
        let subscription = subscription.ok_or_else(|| CatalogError::not_found(Resource::Subscription, id))?;
        Look::of(&snapshot, space, subscription).ok_or_else(|| StatusError::Sync { id: id.to_owned() })
    }

    /// Finds the worker of a cursor; none where nobody works at this moment.
    pub(crate) fn worker(&self, cursor: &CursorName) -> Option<Present> {
        self.shared.workers.lock().get(cursor).cloned()
    }

    /// Returns the last position that was read for a subscription: only what is before it is history.
    ///
    /// # Errors
    /// Where that is not known and cannot be read.
    pub(crate) async fn read_up_to(&self, cursor: &CursorName) -> Result<Position, LogError> {
        let worker = self.worker(cursor);
        let next = worker.map_or(0, |it| it.standing.next.load(Ordering::Relaxed));
        if next > 0 {
            return Ok(Position::new(next).previous());
        }
        let known = self.shared.cursors.load(&*self.shared.log, cursor).await?;
        Ok(known.map_or(cursor.created, |known| known.log.mark.done))
    }

    async fn status_of(&self, look: Look, limit: u64) -> Result<SubscriptionStatus, LogError> {
        let known = self.shared.cursors.load(&*self.shared.log, &look.cursor).await?;
        let worker = self.worker(&look.cursor);
        let seen = Seen::of(worker.as_ref(), &look.cursor, known.as_ref());
        let put_aside = known.map(|known| known.log.aside).unwrap_or_default();
        let backlog = self.depth(&look, &seen, &put_aside, limit).await?;
        let state = self.state_of(&look, &seen, !put_aside.is_empty()).await?;
        Ok(SubscriptionStatus {
            state,
            cursor: seen.done,
            next: seen.next,
            backlog,
            in_flight: seen.calls,
            waiting: seen.waiting,
            retrying: seen.retrying,
            lanes_aside: put_aside.len(),
            events_aside: seen.events_aside,
            aside: named(put_aside),
            parked: seen.parked,
            replay: seen.replay,
            rate: (seen.rate > 0).then_some(seen.rate),
            subscription: look.subscription,
        })
    }

    async fn level(&self, look: Look, until: Instant) -> SubscriptionLevel {
        let worker = self.worker(&look.cursor);
        let known = self.shared.cursors.known(&look.cursor);
        let seen = Seen::of(worker.as_ref(), &look.cursor, known.as_ref());
        let put_aside = known.map(|known| known.log.aside).unwrap_or_default();
        let looking = async {
            let backlog = self.depth(&look, &seen, &put_aside, COUNTED_EACH_MAX).await?;
            Ok::<_, LogError>((backlog, self.state_of(&look, &seen, !put_aside.is_empty()).await?))
        };
        let (backlog, state) = match timeout_at(until, looking).await {
            Ok(Ok((backlog, state))) => (Some(backlog), state),
            Ok(Err(error)) => {
                let (error, space) = (error_chain(&error), &look.space);
                tracing::warn!(%error, %space, subscription = %look.subscription.id, "a backlog cannot be counted");
                (None, state(&look.subscription, &seen, !put_aside.is_empty(), false))
            }
            Err(_) => (None, state(&look.subscription, &seen, !put_aside.is_empty(), false)),
        };
        SubscriptionLevel {
            subscription: look.subscription.id.clone(),
            event_type: look.subscription.event_type.clone(),
            function: look.subscription.function.clone(),
            space: look.space,
            state,
            is_parked: seen.parked.is_some(),
            backlog,
        }
    }

    /// Counts what waits.
    async fn depth(&self, look: &Look, seen: &Seen, aside: &[PutAside], limit: u64) -> Result<Depth, LogError> {
        let log = &self.shared.log;
        let end = *log.durable_end().borrow();
        let unread = if seen.next > end {
            Counted::default()
        } else {
            log.count(look.space.clone(), look.types(), seen.next..end.next(), limit).await?
        };
        let mut oldest = seen.oldest;
        if oldest.is_none() && unread.events > 0 {
            oldest = log.read(look.read(seen.next)).await?.events.first().map(|it| it.recorded);
        }
        if seen.events_aside > 0 {
            oldest = oldest.into_iter().chain(self.oldest_aside(look, aside).await?).min();
        }
        let events = unread.events.saturating_add(seen.waiting as u64).saturating_add(seen.events_aside);
        let now = self.shared.clock.now().unix_micros();
        let age = oldest.map_or(0, |oldest| now.saturating_sub(oldest.unix_micros()));
        Ok(Depth { events, more: unread.more, age: Duration::from_micros(age) })
    }

    /// Finds when the oldest event of lanes that are put aside was recorded, as far as the first of them tell.
    async fn oldest_aside(&self, look: &Look, aside: &[PutAside]) -> Result<Option<Timestamp>, LogError> {
        let mut lanes: Vec<&PutAside> = aside.iter().collect();
        lanes.sort_by_key(|it| it.from);
        for lane in lanes.into_iter().take(LANES_LOOKED_AT_MAX) {
            let read = Read::forward(look.space.clone(), lane.from).filter(Filter::Key(lane.key.clone()));
            let page = self.shared.log.read(read.events_max(OLDEST_AMONG)).await?;
            let is_own = |event_type: &str| event_type == look.subscription.event_type.as_str();
            if let Some(first) = page.events.iter().find(|it| is_own(it.event.event_type())) {
                return Ok(Some(first.recorded));
            }
        }
        Ok(None)
    }

    async fn state_of(&self, look: &Look, seen: &Seen, has_aside: bool) -> Result<SubscriptionState, LogError> {
        let mut is_drained = look.subscription.activity == Activity::Draining && seen.is_idle();
        if is_drained {
            let last = look.drain.min(*self.shared.log.durable_end().borrow());
            is_drained = seen.next > last || {
                let range = seen.next..last.next();
                self.shared.log.count(look.space.clone(), look.types(), range, 1).await?.events == 0
            };
        }
        Ok(state(&look.subscription, seen, has_aside, is_drained))
    }
}

/// Says what a subscription is doing: what somebody has decided before what has come of itself.
fn state(subscription: &Subscription, seen: &Seen, has_aside: bool, is_drained: bool) -> SubscriptionState {
    // One that is to deliver no more than so many events a second has often much in memory and no call in flight.
    let is_stuck = seen.is_full && seen.calls == 0 && (subscription.delivery.rate.is_none() || has_aside);
    match subscription.activity {
        Activity::Paused => SubscriptionState::Paused,
        _ if seen.parked.is_some() => SubscriptionState::Parked,
        _ if seen.is_replaying() => SubscriptionState::Replaying,
        Activity::Draining if is_drained => SubscriptionState::Drained,
        Activity::Draining => SubscriptionState::Draining,
        Activity::Active if is_stuck => SubscriptionState::Blocked,
        Activity::Active => SubscriptionState::Active,
    }
}

/// Names lanes that are put aside: those that are held first.
fn named(mut lanes: Vec<PutAside>) -> Vec<LaneAside> {
    lanes.sort_by_key(|it| (it.held.is_none(), it.from));
    let named = lanes.into_iter().take(LANES_NAMED_MAX);
    named.map(|PutAside { key, from, held, events }| LaneAside { key, held, from, events }).collect()
}

#[cfg(test)]
mod tests;
