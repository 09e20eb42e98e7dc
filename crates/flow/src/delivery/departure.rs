//! What becomes of the cursor of a subscription that is gone: that events waited for it is recorded, and then it goes.
//!
//! The cursor is removed last. Where the server ends before that, the next start finds it and does the same again, and the
//! log refuses the second copy of the record.

use std::{sync::Arc, time::Duration};

use tokio_util::sync::CancellationToken;
use weir_catalog::{Catalog, Change, ChangeKind, Subscription};
use weir_domain::{Data, Event, Position, error_chain};
use weir_log::{Append, Filter, NewEvent, Read, Recorded};

use crate::{DELIVERY_DROPPED, Dropped, cursors::CursorName, flow::Shared, progress::Progress, snapshot::Snapshot};

/// How long recording waits after a failure; it doubles up to the bound.
const PAUSE: Duration = Duration::from_millis(500);
/// See [`PAUSE`].
const PAUSE_MAX: Duration = Duration::from_secs(30);
/// Events that are counted. Of more it is said that there are more.
const COUNT_MAX: u64 = 100_000;

/// A cursor whose subscription is gone.
pub(crate) struct Departed {
    pub(crate) cursor: CursorName,
    /// As it was last.
    subscription: Arc<Subscription>,
    /// Where its deletion stands: what came later was not for it.
    deleted: Position,
}

impl Departed {
    /// Returns the cursors that end with a change which stands at a position. Catalog and snapshot are those before it.
    pub(crate) fn by(change: &Change, deleted: Position, catalog: &Catalog, snapshot: &Snapshot) -> Vec<Self> {
        let space = catalog.space_or_empty(&change.space);
        let gone: Vec<&Arc<Subscription>> = match &change.kind {
            ChangeKind::SubscriptionDeleted(id) => space.subscription(id.as_str()).into_iter().collect(),
            ChangeKind::SpaceDeleted => space.subscriptions().collect(),
            _ => Vec::new(),
        };
        let departed = gone.into_iter().filter_map(|it| {
            let cursor = snapshot.cursors.get(&(change.space.clone(), it.id.clone()))?.clone();
            Some(Self { cursor, subscription: it.clone(), deleted })
        });
        departed.collect()
    }
}

/// What waited.
struct Waiting {
    from: Position,
    to: Position,
    events: u64,
    /// Whether there were more than were counted.
    more: bool,
}

/// Records what waited and lets the cursor go. A stop breaks it off.
pub(super) async fn settle(shared: Arc<Shared>, departed: Departed, stop: CancellationToken) {
    let mut pause = PAUSE;
    while let Err(error) = record(&shared, &departed).await {
        let (space, id) = (&departed.cursor.space, &departed.subscription.id);
        tracing::error!(%error, %space, subscription = %id, "that events waited for a deleted subscription cannot be recorded");
        tokio::select! {
            biased;
            () = stop.cancelled() => return,
            () = tokio::time::sleep(pause) => {}
        }
        pause = (pause * 2).min(PAUSE_MAX);
    }
    shared.cursors.finish(&departed.cursor);
}

async fn record(shared: &Shared, departed: &Departed) -> Result<(), String> {
    let Departed { cursor, subscription, deleted } = departed;
    let Some(Waiting { from, to, events, more }) = count(shared, departed).await? else { return Ok(()) };
    let data = serde_json::json!({
        "subscriptionId": subscription.id.as_str(),
        "functionId": subscription.function.as_str(),
        "eventType": subscription.event_type.as_str(),
        "from": from.get(),
        "to": to.get(),
        "events": events,
        "more": more,
        "error": format!("the subscription was deleted at position {deleted}"),
    });
    // Beside those of deliveries that failed, whose ids have the position of their event behind the subscription.
    let id = format!("{}/dropped/{}", subscription.id, cursor.created);
    let event = Event::builder(&id, "/weir/delivery", DELIVERY_DROPPED)
        .subject(subscription.event_type.as_str())
        .time(&weir_cloudevents::time::format(shared.clock.now()))
        .datacontenttype("application/json")
        .data(Data::Json(data.to_string().into()))
        .build()
        .map_err(|error| error.to_string())?;
    let append = Append::new(cursor.space.clone(), vec![NewEvent { event, key: None }]);
    let receipt = shared.log.append(append).await.map_err(|error| error_chain(&error))?;
    if receipt.events.iter().any(|entry| !entry.duplicate) {
        shared.observer.dropped(&Dropped { space: &cursor.space, function: &subscription.function, events });
    }
    tracing::warn!(
        space = %cursor.space, subscription = %subscription.id, function = %subscription.function,
        event_type = %subscription.event_type, %from, %to, events, more,
        "a subscription was deleted while events waited for it: they are not delivered"
    );
    Ok(())
}

/// Counts what stands between the cursor and the deletion and was for the subscription, but for what is known to be done.
async fn count(shared: &Shared, departed: &Departed) -> Result<Option<Waiting>, String> {
    let Departed { cursor, subscription, deleted } = departed;
    let done = shared.cursors.load(&*shared.log, cursor).await.map_err(|error| error_chain(&error))?;
    let progress = done.unwrap_or_else(|| Progress::at(cursor.created));
    let (entrance, matching) = (subscription.entrance(), shared.options.compatibility.matching());
    let waits = |it: &&Recorded| {
        it.position < *deleted
            && !progress.log.is_done(it.position, it.key.as_ref())
            && entrance.takes_event(&it.event, matching)
            && subscription.filter.as_ref().is_none_or(|filter| filter.matches(&it.event))
    };
    // Lanes that were put aside begin before the mark.
    let aside = progress.log.aside.iter().map(|lane| lane.from).min();
    let from = aside.into_iter().chain([progress.log.mark.done.next()]).min().unwrap_or_default();
    let types = vec![subscription.event_type.as_str().to_owned()];
    let mut read = Read::forward(cursor.space.clone(), from).filter(Filter::Types(types));
    let mut waiting: Option<Waiting> = None;
    while read.from < *deleted {
        let page = shared.log.read(read.clone()).await.map_err(|error| error_chain(&error))?;
        for recorded in page.events.iter().filter(waits) {
            let position = recorded.position;
            let all = waiting.get_or_insert(Waiting { from: position, to: position, events: 0, more: false });
            if all.events == COUNT_MAX {
                all.more = true;
                return Ok(waiting);
            }
            (all.to, all.events) = (position, all.events + 1);
        }
        if page.end {
            break;
        }
        read.from = page.next;
    }
    Ok(waiting)
}
