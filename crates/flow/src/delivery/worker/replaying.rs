//! Replays: history is delivered once more, before the subscription goes on with what is new.

use std::sync::Arc;

use weir_cloudevents::time;
use weir_domain::{Data, Event, Position, Timestamp};
use weir_log::{NewEvent, Recorded};
use weir_routing::Filter;

use super::{Order, Worker};
use crate::{
    REPLAY_CANCELLED, REPLAY_FINISHED, REPLAY_STARTED,
    delivery::{
        course::Course,
        standing::{ReplayRefusal, ReplayStanding, ReplayState, Standing},
    },
    progress::{self, Mark, Progress, Replay, ReplayOrder},
    replays::SOURCE,
};

/// A replay that is under way.
pub(super) struct Replaying {
    pub(super) order: Arc<ReplayOrder>,
    /// Which one it is of this worker.
    pub(super) pass: u64,
    pub(super) course: Course,
    filter: Option<Filter>,
    /// What the pass over what is new has done: only that is history.
    history: progress::Course,
    pub(super) counts: Counts,
    /// The log has that it was begun.
    is_told: bool,
}

/// What became of its events.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Counts {
    delivered: u64,
    given_up: u64,
}

impl Counts {
    pub(super) fn note(&mut self, is_delivered: bool) {
        if is_delivered {
            self.delivered += 1;
        } else {
            self.given_up += 1;
        }
    }
}

impl Replaying {
    /// Goes on with a replay, or begins it; `None` where its filter is none, which was checked when it was begun.
    pub(super) fn resume(replay: Replay, pass: u64, lanes: weir_catalog::Order, log: &Course) -> Option<Self> {
        let Replay { order, course, delivered, given_up } = replay;
        let filter = filter(&order).inspect_err(|error| tracing::error!(%error, "a replay is given up")).ok()?;
        let course = Course::begin(lanes, course);
        let counts = Counts { delivered, given_up };
        Some(Self { order: Arc::new(order), pass, course, filter, history: log.stock(), counts, is_told: false })
    }

    /// Tells whether an event is delivered again.
    pub(super) fn wants(&self, recorded: &Recorded) -> bool {
        self.history.is_done(recorded.position, recorded.key.as_ref())
            && self.filter.as_ref().is_none_or(|filter| filter.matches(&recorded.event))
    }

    pub(super) fn add(&mut self, events: impl Iterator<Item = Recorded>, next: Position) {
        for recorded in events {
            let is_open = !self.course.known.is_done(recorded.position, recorded.key.as_ref());
            if is_open && self.wants(&recorded) {
                self.course.lanes.add(recorded);
            }
        }
        self.course.read_up_to(next);
    }

    pub(super) fn stock(&self) -> Replay {
        let Counts { delivered, given_up } = self.counts;
        Replay { order: (*self.order).clone(), course: self.course.stock(), delivered, given_up }
    }

    fn is_over(&self) -> bool {
        self.course.next > self.order.to && self.course.lanes.is_idle()
    }

    fn standing(&self, state: ReplayState) -> ReplayStanding {
        let Counts { delivered, given_up } = self.counts;
        ReplayStanding { order: (*self.order).clone(), next: self.course.next, delivered, given_up, state }
    }

    pub(super) fn show(&self, standing: &Standing) {
        let mut detail = standing.detail.lock();
        match &mut detail.replay {
            Some(shown) if shown.order.id == self.order.id => {
                (shown.next, shown.delivered) = (self.course.next, self.counts.delivered);
                shown.given_up = self.counts.given_up;
            }
            shown => *shown = Some(self.standing(ReplayState::Running)),
        }
    }
}

fn filter(order: &ReplayOrder) -> Result<Option<Filter>, ReplayRefusal> {
    let Some(text) = &order.filter else { return Ok(None) };
    let refused = |detail: String| ReplayRefusal::Filter { detail };
    let value = serde_json::from_str(text).map_err(|error| refused(error.to_string()))?;
    let faults = |faults: Vec<weir_routing::FilterFault>| {
        refused(faults.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))
    };
    Filter::parse_stored(&value).map(Some).map_err(faults)
}

impl Worker {
    /// Does what somebody asks for, who waits for the answer.
    pub(super) async fn obey(&mut self, order: Order) {
        match order {
            Order::Replay(order, answer) => {
                let begun = self.begin_replay(order).await;
                // Who asked may be gone; the replay goes on.
                drop(answer.send(begun));
            }
            Order::Cancel(id, answer) => {
                let cancelled = match &self.replay {
                    Some(replay) if replay.order.id == id => Ok(self.end_replay(ReplayState::Cancelled).await),
                    _ => Err(ReplayRefusal::Unknown { id }),
                };
                drop(answer.send(cancelled));
            }
        }
    }

    async fn begin_replay(&mut self, mut order: ReplayOrder) -> Result<ReplayStanding, ReplayRefusal> {
        if let Some(replay) = &self.replay {
            return Err(ReplayRefusal::UnderWay { id: replay.order.id.clone() });
        }
        // Of one that was cancelled: what it calls still may be of the same keys.
        if self.calls.len() > self.calls_of_log {
            return Err(ReplayRefusal::Away);
        }
        filter(&order)?;
        order.to = order.to.min(self.log.next.previous());
        if order.from > order.to {
            return Err(ReplayRefusal::Nothing { from: order.from, to: order.to });
        }
        let mark = Mark::at(order.from.previous());
        let course = progress::Course { mark, ..progress::Course::default() };
        let mut progress = self.progress();
        progress.replay = Some(Box::new(Replay { order, course, delivered: 0, given_up: 0 }));
        // What is answered is to be carried out, whatever happens after that.
        if !self.shared.cursors.store_now(&self.cursor, progress.clone()).await {
            let before = Progress { replay: None, ..progress };
            self.shared.cursors.note(&self.cursor, before.log.mark.done, Some(before.clone()));
            return Err(ReplayRefusal::Log { detail: "cursors cannot be written at this moment".into() });
        }
        let Some(subscription) = self.subscription() else { return Err(ReplayRefusal::Away) };
        self.replays += 1;
        let (pass, order) = (self.replays, subscription.delivery.order);
        self.replay = progress.replay.and_then(|it| Replaying::resume(*it, pass, order, &self.log));
        let standing = self.replay.as_ref().map(|replay| replay.standing(ReplayState::Running));
        standing.ok_or(ReplayRefusal::Away)
    }

    /// Ends the replay when all of it is done, and tells of its begin when that is not told yet.
    pub(super) async fn end_replay_if_done(&mut self) {
        if let Some(replay) = &mut self.replay {
            if !replay.is_told {
                replay.is_told = true;
                let standing = replay.standing(ReplayState::Running);
                self.untold.extend(told(&standing, self.id.as_str(), REPLAY_STARTED, &self.shared));
            }
            if replay.is_over() {
                self.end_replay(ReplayState::Finished).await;
            }
        }
        // Also of one that was cancelled a moment ago.
        self.tell().await;
    }

    async fn end_replay(&mut self, state: ReplayState) -> ReplayStanding {
        let Some(replay) = self.replay.take() else { return ReplayStanding::none() };
        // Of those in flight nothing is waited for: what they return enters, and they are not asked again.
        let standing = replay.standing(state);
        self.shown.standing.detail.lock().replay = Some(standing.clone());
        let event_type = if state == ReplayState::Finished { REPLAY_FINISHED } else { REPLAY_CANCELLED };
        self.untold.extend(told(&standing, self.id.as_str(), event_type, &self.shared));
        // The log has how it ended before the cursor forgets it: else nobody could tell after a kill.
        self.tell().await;
        if !self.shared.cursors.store_now(&self.cursor, self.progress()).await {
            tracing::warn!(space = %self.cursor.space, subscription = %self.id, "the end of a replay is written down later");
        }
        (self.keeping.has_settled, self.keeping.is_urgent) = (true, true);
        standing
    }
}

impl ReplayStanding {
    fn none() -> Self {
        let (order, next) = (ReplayOrder::default(), Position::ORIGIN);
        Self { order, next, delivered: 0, given_up: 0, state: ReplayState::Cancelled }
    }
}

/// Makes the event that tells of a replay; its identifier is that of the replay, so that it stands there once.
fn told(
    standing: &ReplayStanding,
    subscription: &str,
    event_type: &str,
    shared: &crate::flow::Shared,
) -> Option<NewEvent> {
    let ReplayOrder { id, from, to, filter, rate, derivation, since_micros } = &standing.order;
    let data = serde_json::json!({
        "replayId": id,
        "subscriptionId": subscription,
        "from": from.get(),
        "to": to.get(),
        "filter": filter.as_deref().and_then(|text| serde_json::from_str::<serde_json::Value>(text).ok()),
        "rate": rate,
        "as": derivation,
        "requested": time::format(Timestamp::from_unix_micros(*since_micros)),
        "next": standing.next.get(),
        "delivered": standing.delivered,
        "givenUp": standing.given_up,
    });
    let event = Event::builder(&format!("{id}/{event_type}"), SOURCE, event_type)
        .subject(subscription)
        .time(&time::format(shared.clock.now()))
        .datacontenttype("application/json")
        .data(Data::Json(data.to_string().into()))
        .build();
    let event = event.inspect_err(|error| tracing::error!(%error, "what is told of a replay is no event")).ok()?;
    Some(NewEvent { event, key: None })
}
