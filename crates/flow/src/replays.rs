//! Replays: what somebody asks for is checked, planned, begun, looked at and ended here. The worker of the subscription
//! delivers it.

use std::{sync::atomic::Ordering, time::Duration};

use serde_json::Value;
use tokio::{sync::oneshot, time::Instant};
use weir_catalog::{Filter, FunctionKind, Subscription, is_reserved, limits};
use weir_cloudevents::time;
use weir_domain::{Data, ErrorKind, Event, FunctionId, Position, SpaceName, Timestamp};
use weir_log::{Counted, Filter as Kept, LogError, Read};

use crate::{
    Flow, REPLAY_CANCELLED, REPLAY_FINISHED, ReplayOrder, ReplayRefusal, ReplayStanding, ReplayState, StatusError,
    cursors::CursorName, delivery::Order, progress::Replay,
};

/// The source of what is told of replays.
pub(crate) const SOURCE: &str = "/weir/replay";

/// The most events that are counted for a plan.
const COUNTED_MAX: u64 = 10_000_000;
/// The most that are read for it, where only reading tells which of them are delivered.
const READ_MAX: u64 = 1_000_000;
/// How long that may take.
const READING_MAX: Duration = Duration::from_secs(5);

/// A place in the log, as somebody names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// Before the first event.
    Earliest,
    /// At a position.
    At(Position),
    /// At the first event that was recorded at this time or later.
    Since(Timestamp),
}

/// What is to be delivered once more, and how.
#[derive(Clone, Debug)]
pub struct ReplayRequest {
    /// Where it begins.
    pub from: Place,
    /// Where it ends: a position is the last one that may be delivered, and what was recorded at a time or later is not.
    /// Without one it goes up to where the subscription was read.
    pub to: Option<Place>,
    /// Which events of these; all where there is none.
    pub filter: Option<Filter>,
    /// The most events a second.
    pub rate: Option<u32>,
    /// The name of the derivation that returned events belong to. Without one they are those of the first time, which the
    /// log refuses as duplicates.
    pub derivation: Option<String>,
    /// Functions outside of this process may be called.
    pub with_effects: bool,
}

impl ReplayRequest {
    /// The longest name of a derivation, in bytes.
    pub const DERIVATION_BYTES_MAX: usize = 128;

    /// Asks for everything from a place on.
    #[must_use]
    pub const fn since(from: Place) -> Self {
        Self { from, to: None, filter: None, rate: None, derivation: None, with_effects: false }
    }

    fn check(&self) -> Result<(), ReplayError> {
        if self.rate.is_some_and(|rate| !(1..=limits::RATE_MAX).contains(&rate)) {
            return Err(ReplayError::Rate);
        }
        let is_name = |text: &str| {
            !text.is_empty() && text.len() <= Self::DERIVATION_BYTES_MAX && !text.chars().any(char::is_control)
        };
        if self.derivation.as_deref().is_some_and(|name| !is_name(name)) {
            return Err(ReplayError::Derivation);
        }
        Ok(())
    }
}

/// Something outside of this process that would be called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Effect {
    /// The function.
    pub function: FunctionId,
    /// Its kind, as the configuration names it.
    pub kind: &'static str,
    /// Its URL, or what it is called at its provider.
    pub target: String,
    /// It is not the function of the subscription: the events of a derivation may be given to it.
    pub is_indirect: bool,
}

/// What a replay would do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReplayPlan {
    /// The first position that may be delivered.
    pub from: Position,
    /// The last one.
    pub to: Position,
    /// How many events.
    pub events: Counted,
    /// How many of them a second: as many as the subscription was seen to deliver, and as it may. `None` where it has
    /// delivered nothing since the start and nothing bounds it.
    pub rate: Option<u64>,
    /// What would be called outside of this process.
    pub effects: Vec<Effect>,
}

impl ReplayPlan {
    /// Returns about how long it takes; `None` where nobody knows.
    #[must_use]
    pub fn duration(&self) -> Option<Duration> {
        Some(Duration::from_secs(self.events.events.div_ceil(self.rate?.max(1))))
    }
}

/// Why a replay is not begun, not found or not ended.
#[derive(Debug, thiserror::Error)]
pub enum ReplayError {
    /// Nothing is delivered to such a subscription.
    #[error(transparent)]
    Status(#[from] StatusError),
    /// It would call what is outside of this process.
    #[error("the replay would call {}, which is outside of this server", told_of(.effects))]
    Effects {
        /// What would be called.
        effects: Vec<Effect>,
    },
    /// So many events a second there cannot be.
    #[error("the rate of a replay must be from 1 to {max} events a second", max = limits::RATE_MAX)]
    Rate,
    /// The name of the derivation is none.
    #[error(
        "the name of a derivation must have 1 to {max} bytes and no control characters",
        max = ReplayRequest::DERIVATION_BYTES_MAX
    )]
    Derivation,
    /// The worker of the subscription does not do it.
    #[error(transparent)]
    Refused(#[from] ReplayRefusal),
    /// It is over, and cannot be cancelled.
    #[error("the replay \"{id}\" is over: it is {}", .state.as_str())]
    Over {
        /// Which.
        id: String,
        /// How it ended.
        state: ReplayState,
    },
    /// The log cannot be read.
    #[error("the log cannot be read")]
    Log(#[from] LogError),
}

impl ReplayError {
    /// Tells what the reader must do next.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Status(error) => error.kind(),
            Self::Effects { .. } | Self::Rate | Self::Derivation => ErrorKind::Invalid,
            Self::Refused(refusal) => match refusal {
                ReplayRefusal::UnderWay { .. } => ErrorKind::Conflict,
                ReplayRefusal::Unknown { .. } => ErrorKind::NotFound,
                ReplayRefusal::Nothing { .. } | ReplayRefusal::Filter { .. } => ErrorKind::Invalid,
                ReplayRefusal::Log { .. } | ReplayRefusal::Away => ErrorKind::Unavailable { retry_after: None },
            },
            Self::Over { .. } => ErrorKind::Conflict,
            Self::Log(error) => error.kind(),
        }
    }

    /// Says what to do about it, beginning with a verb.
    #[must_use]
    pub fn cure(&self) -> &'static str {
        match self {
            Self::Status(_) => "name an async subscription of this space",
            Self::Effects { .. } => "allow it, where that is what you want",
            Self::Rate => "give a rate within these bounds, or leave it out",
            Self::Derivation => "give a shorter name of printable characters, or leave it out",
            Self::Refused(refusal) => match refusal {
                ReplayRefusal::UnderWay { .. } => "wait until it is over, or cancel it",
                ReplayRefusal::Unknown { .. } => "take the identifier that was answered when it was begun",
                ReplayRefusal::Nothing { .. } => "begin earlier: what is not delivered yet comes anyway",
                ReplayRefusal::Filter { .. } => "correct the filter, or leave it out",
                ReplayRefusal::Log { .. } | ReplayRefusal::Away => "repeat the request later",
            },
            Self::Over { .. } => "begin another one, where that is what you want",
            Self::Log(_) => "repeat the request later",
        }
    }
}

fn told_of(effects: &[Effect]) -> String {
    let told = |it: &Effect| format!("function \"{}\" ({} {})", it.function, it.kind, it.target);
    effects.iter().map(told).collect::<Vec<_>>().join(", ")
}

impl Flow {
    /// Says what a replay would do: how many events it would deliver, how fast, and what it would call outside of this
    /// process. Nothing is changed.
    ///
    /// Where a filter, a method or a path chooses among the events, they are read, and no longer than for some seconds.
    ///
    /// # Errors
    /// Where there is no such async subscription, the request breaks a rule, nothing would be delivered, or the log cannot
    /// be read.
    pub async fn plan_replay(
        &self,
        space: &SpaceName,
        id: &str,
        request: &ReplayRequest,
    ) -> Result<ReplayPlan, ReplayError> {
        let (subscription, cursor) = self.delivering(space, id)?;
        request.check()?;
        let (from, to) = self.replayed_range(&cursor, request).await?;
        let events = self.count_replayed(space, &subscription, request.filter.as_ref(), (from, to)).await?;
        let measured = self.worker(&cursor).map_or(0, |it| it.standing.rate.load(Ordering::Relaxed));
        let bounds = request.rate.into_iter().chain(subscription.delivery.rate).map(u64::from);
        let rate = bounds.chain((measured > 0).then_some(measured)).min();
        Ok(ReplayPlan { from, to, events, rate, effects: self.effects_of_replay(space, &subscription, request) })
    }

    /// Begins a replay: when this returns, it is carried out, whatever happens to the process.
    ///
    /// Events that come meanwhile wait until it is over. A subscription has one at a time.
    ///
    /// # Errors
    /// Those of [`plan_replay`](Self::plan_replay); and where something outside of this process would be called and that is not
    /// allowed, another replay of the subscription is under way, or it cannot be written down.
    pub async fn start_replay(
        &self,
        space: &SpaceName,
        id: &str,
        request: ReplayRequest,
    ) -> Result<ReplayStanding, ReplayError> {
        let (subscription, cursor) = self.delivering(space, id)?;
        request.check()?;
        if !request.with_effects {
            let effects = self.effects_of_replay(space, &subscription, &request);
            if !effects.is_empty() {
                return Err(ReplayError::Effects { effects });
            }
        }
        let (from, to) = self.replayed_range(&cursor, &request).await?;
        let order = ReplayOrder {
            id: self.shared.ids.unique(),
            from,
            to,
            filter: request.filter.as_ref().map(Filter::canonical),
            rate: request.rate,
            derivation: request.derivation,
            since_micros: self.shared.clock.now().unix_micros(),
        };
        let (answer, begun) = oneshot::channel();
        self.order_replay(&cursor, Order::Replay(order, answer))?;
        Ok(begun.await.map_err(|_| ReplayRefusal::Away)??)
    }

    /// Cancels a replay: nothing further of it is delivered, and the subscription goes on with what is new. What is in flight is
    /// finished.
    ///
    /// # Errors
    /// Where there is no such replay, it is over, or the worker of the subscription cannot be asked.
    pub async fn cancel_replay(
        &self,
        space: &SpaceName,
        id: &str,
        replay: &str,
    ) -> Result<ReplayStanding, ReplayError> {
        let (_, cursor) = self.delivering(space, id)?;
        let (answer, cancelled) = oneshot::channel();
        self.order_replay(&cursor, Order::Cancel(replay.to_owned(), answer))?;
        match cancelled.await.map_err(|_| ReplayRefusal::Away)? {
            Err(ReplayRefusal::Unknown { .. }) => {
                let state = self.replay(space, id, replay).await?.state;
                Err(ReplayError::Over { id: replay.to_owned(), state })
            }
            other => Ok(other?),
        }
    }

    /// Tells how far a replay is, or how it ended.
    ///
    /// # Errors
    /// Where there is no such replay of this subscription, or the log cannot be read.
    pub async fn replay(&self, space: &SpaceName, id: &str, replay: &str) -> Result<ReplayStanding, ReplayError> {
        let (_, cursor) = self.delivering(space, id)?;
        let shown = self.worker(&cursor).and_then(|it| it.standing.detail.lock().replay.clone());
        if let Some(shown) = shown.filter(|it| it.order.id == replay) {
            return Ok(shown);
        }
        // Its worker has not begun yet.
        let known = self.shared.cursors.load(&*self.shared.log, &cursor).await?.and_then(|known| known.replay);
        if let Some(known) = known.filter(|it| it.order.id == replay) {
            return Ok(standing(*known));
        }
        for (event_type, state) in
            [(REPLAY_FINISHED, ReplayState::Finished), (REPLAY_CANCELLED, ReplayState::Cancelled)]
        {
            let told = self.told_of_replay(space, format!("{replay}/{event_type}")).await?;
            let told = told.filter(|it| it.event_type() == event_type);
            if let Some(standing) = told.and_then(|it| read(&it, id, replay, state)) {
                return Ok(standing);
            }
        }
        Err(ReplayRefusal::Unknown { id: replay.to_owned() }.into())
    }

    /// Returns what the log has of replays under an identifier.
    async fn told_of_replay(&self, space: &SpaceName, id: String) -> Result<Option<Event>, LogError> {
        let log = &self.shared.log;
        let Some(position) = log.find(space.clone(), SOURCE.to_owned(), id).await? else { return Ok(None) };
        let page = log.read(Read::forward(space.clone(), position).events_max(1)).await?;
        let found = page.events.into_iter().next().filter(|it| it.position == position);
        Ok(found.map(|it| it.event))
    }

    /// Finds the first and the last position that may be delivered.
    async fn replayed_range(
        &self,
        cursor: &CursorName,
        request: &ReplayRequest,
    ) -> Result<(Position, Position), ReplayError> {
        let read = self.read_up_to(cursor).await?;
        let from = self.place_in_log(request.from).await?.max(Position::ORIGIN.next());
        let to = match request.to {
            None => read,
            Some(Place::At(position)) => position.min(read),
            Some(place) => self.place_in_log(place).await?.previous().min(read),
        };
        if from > to {
            return Err(ReplayRefusal::Nothing { from, to }.into());
        }
        Ok((from, to))
    }

    async fn place_in_log(&self, place: Place) -> Result<Position, LogError> {
        match place {
            Place::Earliest => Ok(Position::ORIGIN),
            Place::At(position) => Ok(position),
            Place::Since(time) => self.shared.log.position_at(time).await,
        }
    }

    /// Counts the events that would be delivered.
    async fn count_replayed(
        &self,
        space: &SpaceName,
        subscription: &Subscription,
        filter: Option<&Filter>,
        (from, to): (Position, Position),
    ) -> Result<Counted, LogError> {
        let log = &self.shared.log;
        let types = Kept::Types(vec![subscription.event_type.to_string()]);
        let (entrance, matching) = (subscription.entrance(), self.shared.options.compatibility.matching());
        if filter.is_none() && subscription.filter.is_none() && entrance.takes_all(matching) {
            return log.count(space.clone(), types, from..to.next(), COUNTED_MAX).await;
        }
        let is_taken = |event: &Event| {
            entrance.takes_event(event, matching)
                && subscription.lets_through(event)
                && filter.is_none_or(|filter| filter.matches(event))
        };
        let until = Instant::now() + READING_MAX;
        let mut read = Read::forward(space.clone(), from).filter(types);
        let (mut events, mut seen) = (0, 0);
        loop {
            let page = log.read(read.clone()).await?;
            let within = page.events.iter().take_while(|it| it.position <= to);
            for recorded in within {
                seen += 1;
                events += u64::from(is_taken(&recorded.event));
            }
            let is_whole = page.end || page.next > to;
            if is_whole || seen >= READ_MAX || Instant::now() >= until {
                return Ok(Counted { events, more: !is_whole });
            }
            read.from = page.next;
        }
    }

    /// Lists what would be called outside of this process. Returned events are duplicates and go nowhere, but for those of a
    /// derivation: which types they have nobody knows before, so all functions outside are listed that are given any.
    fn effects_of_replay(
        &self,
        space: &SpaceName,
        subscription: &Subscription,
        request: &ReplayRequest,
    ) -> Vec<Effect> {
        let catalog = self.catalog();
        let space = catalog.space_or_empty(space);
        let effect = |function: &FunctionId, is_indirect: bool| {
            let kind = &space.function(function.as_str())?.kind;
            let target = outside(kind)?.to_owned();
            Some(Effect { function: function.clone(), kind: kind.name(), target, is_indirect })
        };
        let mut effects: Vec<Effect> = effect(&subscription.function, false).into_iter().collect();
        if request.derivation.is_some() {
            let others = space.async_subscriptions().filter(|it| !is_reserved(it.event_type.as_str()));
            for other in others {
                if effects.iter().all(|it| it.function != other.function) {
                    effects.extend(effect(&other.function, true));
                }
            }
        }
        effects
    }

    /// Tells the worker of a subscription what to do.
    fn order_replay(&self, cursor: &CursorName, order: Order) -> Result<(), ReplayRefusal> {
        let worker = self.worker(cursor).ok_or(ReplayRefusal::Away)?;
        // Where several wait already, one more would wait for them.
        worker.orders.try_send(order).map_err(|_| ReplayRefusal::Away)
    }
}

/// Returns what a function is outside of this process; `None` where it runs here.
fn outside(kind: &FunctionKind) -> Option<&str> {
    match kind {
        FunctionKind::Http { url, .. } => Some(url),
        FunctionKind::Aws(aws) => Some(&aws.target),
        FunctionKind::Wasm { .. } | FunctionKind::Builtin { .. } => None,
    }
}

/// How far a replay was when that was written down.
fn standing(replay: Replay) -> ReplayStanding {
    let Replay { order, course, delivered, given_up } = replay;
    ReplayStanding { order, next: course.mark.done.next(), delivered, given_up, state: ReplayState::Running }
}

/// Reads how a replay of a subscription ended; `None` where it is one of another.
fn read(event: &Event, subscription: &str, replay: &str, state: ReplayState) -> Option<ReplayStanding> {
    let Data::Json(data) = event.data() else { return None };
    let data: Value = serde_json::from_str(data).ok()?;
    if data.get("subscriptionId")?.as_str()? != subscription {
        return None;
    }
    let number = |name: &str| data.get(name).and_then(Value::as_u64);
    let text = |name: &str| data.get(name).and_then(Value::as_str).map(str::to_owned);
    let order = ReplayOrder {
        id: replay.to_owned(),
        from: Position::new(number("from")?),
        to: Position::new(number("to")?),
        filter: data.get("filter").filter(|it| !it.is_null()).map(ToString::to_string),
        rate: number("rate").and_then(|rate| u32::try_from(rate).ok()),
        derivation: text("as"),
        since_micros: text("requested").and_then(|it| time::parse(&it).ok()).map_or(0, Timestamp::unix_micros),
    };
    let next = number("next").map_or(order.to.next(), Position::new);
    let (delivered, given_up) = (number("delivered")?, number("givenUp")?);
    Some(ReplayStanding { order, next, delivered, given_up, state })
}
