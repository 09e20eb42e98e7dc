//! What an event waits for that is not done.

use weir_catalog::{Activity, Order, Start, Subscription};
use weir_domain::{Key, Position, Timestamp};
use weir_log::{Filter, Read};

use super::{ExplainError, Fate, Wait, facts::Attempts, fates::Known, history::Link};
use crate::{cursors::CursorName, delivery::Present, flow::Shared, progress::Progress, snapshot::Snapshot};

/// How many events of the same key are looked at for the one that is waited for.
const BEHIND_READ_MAX: usize = 256;

/// Returns how far a cursor is; `None` where nobody has used it yet.
pub(super) async fn progress(shared: &Shared, cursor: &CursorName) -> Result<Option<Progress>, ExplainError> {
    match shared.cursors.known(cursor) {
        Some(known) => Ok(Some(known)),
        None => Ok(shared.cursors.load(&*shared.log, cursor).await?),
    }
}

/// Returns the position behind which a subscription began, with the one whose cursor it took over.
pub(super) async fn begins(shared: &Shared, link: &Link) -> Result<Position, ExplainError> {
    Ok(match link.subscription.start {
        Start::Now => link.cursor.created,
        Start::Earliest => Position::ORIGIN,
        Start::At(position) => position.previous(),
        Start::Since(time) => shared.log.position_at(time).await?.previous(),
    })
}

/// Tells what an event waits for at a subscription that is there; `None` where it is done.
pub(super) async fn open(
    known: &Known<'_>,
    snapshot: &Snapshot,
    link: &Link,
    attempts: Option<&Attempts>,
) -> Result<Option<Fate>, ExplainError> {
    let Known { shared, space, recorded, .. } = known;
    let (position, key) = (recorded.position, recorded.key.as_ref());
    let Some(progress) = progress(shared, &link.cursor).await? else {
        return Ok(Some(Fate::Waiting(Wait::Worker)));
    };
    if progress.log.is_done(position, key) {
        return Ok(None);
    }
    let id = &link.subscription.id;
    let present = snapshot.catalog.space_or_empty(space).subscription(id.as_str());
    let is_in_order = present.is_none_or(|it| it.delivery.order == Order::Key);
    let key = key.filter(|_| is_in_order);
    let worker = shared.workers.lock().get(&link.cursor).cloned();
    if let Some(wait) = at_rest(link.activity, &progress, position, key) {
        return Ok(Some(Fate::Waiting(wait)));
    }
    if let Some(at) = snapshot.drains.get(&((*space).clone(), id.clone())).filter(|at| **at < position) {
        return Ok(Some(Fate::Waiting(Wait::Drained { at: *at })));
    }
    let Some(worker) = worker else { return Ok(Some(Fate::Waiting(Wait::Worker))) };
    if let Some(parked) = parked(&worker) {
        return Ok(Some(Fate::Waiting(Wait::Parked(parked))));
    }
    if let Some(retrying) = retrying(&progress, position, attempts) {
        return Ok(Some(retrying));
    }
    let next = Position::new(worker.standing.next.load(std::sync::atomic::Ordering::Relaxed));
    if next <= position {
        return Ok(Some(Fate::Waiting(Wait::Unread { next })));
    }
    let behind = match key {
        Some(key) => behind(known, &link.subscription, &progress, key).await?,
        None => None,
    };
    Ok(Some(Fate::Waiting(behind.map_or(Wait::Turn, |position| Wait::Behind { position }))))
}

/// Tells why nothing is done for an event at all.
fn at_rest(activity: Activity, progress: &Progress, position: Position, key: Option<&Key>) -> Option<Wait> {
    if activity == Activity::Paused {
        return Some(Wait::Paused);
    }
    let aside = progress.log.aside.iter().find(|lane| Some(&lane.key) == key);
    if let Some(by) = aside.and_then(|lane| lane.held).filter(|by| *by != position) {
        return Some(Wait::Held { by });
    }
    progress.replay.is_some().then_some(Wait::Replay)
}

fn parked(worker: &Present) -> Option<crate::ParkedSince> {
    worker.standing.detail.lock().parked.clone()
}

/// Tells whether an event was tried in vain, and when it is tried again.
fn retrying(progress: &Progress, position: Position, attempts: Option<&Attempts>) -> Option<Fate> {
    // The newest word is that of the log.
    let last = attempts.and_then(|it| it.told.iter().rev().find(|attempt| attempt.replay.is_none()));
    if let Some(last) = last {
        return Some(Fate::Retrying { due: last.retry_at });
    }
    let tried = progress.log.tried.iter().find(|it| it.position == position && it.redrive.is_none())?;
    Some(Fate::Retrying { due: Some(Timestamp::from_unix_micros(tried.due_micros)) })
}

/// Finds the event of the same key that is delivered before one.
async fn behind(
    known: &Known<'_>,
    subscription: &Subscription,
    progress: &Progress,
    key: &Key,
) -> Result<Option<Position>, ExplainError> {
    let Known { shared, space, recorded, .. } = known;
    let read = Read::backward((*space).clone(), recorded.position.previous());
    let read = read.filter(Filter::Key(key.clone())).events_max(BEHIND_READ_MAX);
    let page = shared.log.read(read).await?;
    let (entrance, matching) = (subscription.entrance(), shared.options.compatibility.matching());
    let found = page.events.iter().find(|it| {
        it.event.event_type() == subscription.event_type.as_str()
            && !progress.log.is_done(it.position, Some(key))
            && entrance.takes_event(&it.event, matching)
            && subscription.filter.as_ref().is_none_or(|filter| filter.matches(&it.event))
    });
    Ok(found.map(|it| it.position))
}
