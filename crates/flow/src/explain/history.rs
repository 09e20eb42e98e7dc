//! The configuration of a space as it was when an event came, and what was done with its subscriptions since.

use std::{collections::BTreeSet, sync::Arc};

use weir_catalog::{
    Activity, Arrival, Catalog, Change, ChangeKind, SpaceCatalog, Subscription, SubscriptionId, SubscriptionKind,
    stored,
};
use weir_domain::{Data, Event, Position, SpaceName, Timestamp};
use weir_log::{Filter, Read, Recorded};

use super::{ExplainError, ExplainedChange, methods};
use crate::{cursors::CursorName, flow::Shared, live::system_space};

/// How many changes are told of each subscription.
const CHANGES_MAX: usize = 100;

/// The configuration of a space up to an event, and its subscriptions at all times.
pub(super) struct History {
    /// The last change before the event, of whatever space.
    pub(super) position: Position,
    /// What the space had then, but for its functions.
    pub(super) catalog: Arc<SpaceCatalog>,
    /// The async subscriptions that it ever had, in the order in which they were made.
    pub(super) links: Vec<Link>,
    /// The functions that sync subscriptions ever had.
    routed: BTreeSet<String>,
    source_prefix: String,
}

/// A subscription for as long as it had its cursor.
pub(super) struct Link {
    /// As it was when the event came; where it was made later, as it was made.
    pub(super) subscription: Arc<Subscription>,
    pub(super) cursor: CursorName,
    /// Since when it has the cursor.
    pub(super) begin: Position,
    pub(super) end: Option<End>,
    /// The one in whose place it came.
    pub(super) continues: Option<SubscriptionId>,
    /// Whether it delivers, at last.
    pub(super) activity: Activity,
    /// What was done with it after the event.
    pub(super) changes: Vec<ExplainedChange>,
}

/// How a subscription ended.
#[derive(Clone)]
pub(super) enum End {
    /// It was deleted, alone or with its space.
    Deleted(Position),
    /// Another one took its place.
    Replaced { at: Position, by: SubscriptionId },
}

impl Link {
    /// Returns where it ended.
    pub(super) fn ended(&self) -> Position {
        match &self.end {
            None => Position::MAX,
            Some(End::Deleted(at) | End::Replaced { at, .. }) => *at,
        }
    }

    fn is(&self, name: &str) -> bool {
        self.subscription.id.as_str() == name || self.subscription.function.as_str() == name
    }
}

/// Reads all changes of a space. Functions are left out: their code is large, and nothing here asks for them.
pub(super) async fn read(shared: &Shared, space: &SpaceName, event: Position) -> Result<History, ExplainError> {
    let mut reading = Reading { space, event, catalog: Catalog::new(), links: Vec::new(), routed: BTreeSet::new() };
    let is_asked_for =
        |name: &&str| ["weir.eventtype.", "weir.subscription.", "weir.space."].iter().any(|it| name.starts_with(it));
    let types = stored::EVENT_TYPES.iter().copied().filter(is_asked_for).map(str::to_owned).collect();
    let mut read = Read::forward(system_space(), Position::ORIGIN).filter(Filter::Types(types));
    loop {
        let page = shared.log.read(read.clone()).await?;
        for recorded in &page.events {
            reading.note(recorded)?;
        }
        if page.end {
            break;
        }
        read.from = page.next;
    }
    let position = last_change(shared, event).await?;
    let Reading { catalog, links, routed, .. } = reading;
    let catalog = catalog.space_or_empty(space).clone();
    Ok(History { position, catalog, links, routed, source_prefix: format!("/spaces/{space}/functions/") })
}

/// Returns where the last change before a position stands, whatever it changed.
async fn last_change(shared: &Shared, before: Position) -> Result<Position, ExplainError> {
    let types = stored::EVENT_TYPES.map(str::to_owned).to_vec();
    let read = Read::backward(system_space(), before.previous()).filter(Filter::Types(types)).events_max(1);
    let found = shared.log.read(read).await?.events.into_iter().next();
    Ok(found.map_or(Position::ORIGIN, |it| it.position))
}

struct Reading<'a> {
    space: &'a SpaceName,
    event: Position,
    catalog: Catalog,
    links: Vec<Link>,
    routed: BTreeSet<String>,
}

impl Reading<'_> {
    fn note(&mut self, recorded: &Recorded) -> Result<(), ExplainError> {
        let (position, time) = (recorded.position, recorded.recorded);
        let Data::Json(data) = recorded.event.data() else { return Ok(()) };
        let change = stored::decode(recorded.event.event_type(), data);
        let change = change.map_err(|source| ExplainError::Stored { position, source })?;
        if change.space != *self.space {
            return Ok(());
        }
        // A space that had nothing but what is left out here is not there.
        let is_empty = change.kind == ChangeKind::SpaceDeleted && self.catalog.space(self.space).is_none();
        if position < self.event && !is_empty {
            self.catalog.fold(&change).map_err(|source| ExplainError::Apply { position, source })?;
        }
        self.follow(change, position, time);
        Ok(())
    }

    fn follow(&mut self, change: Change, at: Position, time: Timestamp) {
        match change.kind {
            ChangeKind::SubscriptionCreated(it) => {
                let (space, subscription) = (self.space.clone(), it.id.clone());
                self.begin(it, CursorName { space, subscription, created: at }, at, None);
            }
            ChangeKind::SubscriptionUpdated(it) => self.update(&it, at, time),
            ChangeKind::SubscriptionReplaced { id, subscription } => {
                let by = subscription.id.clone();
                let what = format!("replaced by {by}, with the function {}", subscription.function);
                let Some(link) = self.open(&id) else { return };
                link.end = Some(End::Replaced { at, by });
                let cursor = link.cursor.clone();
                self.tell(&id, at, time, what);
                self.begin(subscription, cursor, at, Some(id));
            }
            ChangeKind::SubscriptionDeleted(id) => {
                if let Some(link) = self.open(&id) {
                    link.end = Some(End::Deleted(at));
                    self.tell(&id, at, time, "deleted".to_owned());
                }
            }
            ChangeKind::SpaceDeleted => {
                for link in self.links.iter_mut().filter(|link| link.end.is_none()) {
                    link.end = Some(End::Deleted(at));
                    let what = "deleted with its space".to_owned();
                    if at > self.event {
                        link.changes.push(ExplainedChange { position: at, recorded: time, what });
                    }
                }
            }
            _ => {}
        }
    }

    fn begin(&mut self, it: Arc<Subscription>, cursor: CursorName, at: Position, continues: Option<SubscriptionId>) {
        if it.kind == SubscriptionKind::Sync {
            self.routed.insert(it.function.to_string());
            return;
        }
        let activity = it.activity;
        let changes = Vec::new();
        self.links.push(Link { subscription: it, cursor, begin: at, end: None, continues, activity, changes });
    }

    fn update(&mut self, it: &Arc<Subscription>, at: Position, time: Timestamp) {
        if it.kind == SubscriptionKind::Sync {
            self.routed.insert(it.function.to_string());
            return;
        }
        let is_before = at < self.event;
        let Some(link) = self.open(&it.id) else { return };
        let before = std::mem::replace(&mut link.activity, it.activity);
        if is_before {
            link.subscription = it.clone();
        }
        let what = match it.activity {
            Activity::Draining => "draining",
            now if now == before => "changed",
            Activity::Paused => "paused",
            Activity::Active => "resumed",
        };
        self.tell(&it.id, at, time, what.to_owned());
    }

    /// Finds the one of this identifier that has not ended.
    fn open(&mut self, id: &SubscriptionId) -> Option<&mut Link> {
        self.links.iter_mut().rev().find(|link| link.end.is_none() && link.subscription.id == *id)
    }

    /// Takes note of what was done with the newest one of this identifier.
    fn tell(&mut self, id: &SubscriptionId, at: Position, time: Timestamp, what: String) {
        let is_after = at > self.event;
        let link = self.links.iter_mut().rev().find(|link| link.subscription.id == *id);
        if let Some(link) = link.filter(|link| is_after && link.changes.len() < CHANGES_MAX) {
            link.changes.push(ExplainedChange { position: at, recorded: time, what });
        }
    }
}

impl History {
    /// Chooses the subscriptions that are told of: those to the type of the event that were there, or came later and
    /// began with what was there; or the ones that were asked for by name.
    pub(super) fn chosen(&self, recorded: &Recorded, name: Option<&str>) -> Result<Vec<usize>, ExplainError> {
        let event_type = recorded.event.event_type();
        let all = self.links.iter().enumerate();
        let Some(name) = name else {
            let was_there = |link: &Link| {
                link.subscription.event_type.as_str() == event_type
                    && link.ended() > recorded.position
                    && (link.cursor.created < recorded.position || link.subscription.start != weir_catalog::Start::Now)
            };
            return Ok(all.filter(|(_, link)| was_there(link)).map(|(index, _)| index).collect());
        };
        let named: Vec<usize> = all.filter(|(_, link)| link.is(name)).map(|(index, _)| index).collect();
        // Of those that came again and again only the ones that could have had it, if there are any.
        let could = |index: &usize| {
            let link = &self.links[*index];
            link.ended() > recorded.position && link.cursor.created < recorded.position
        };
        let alive: Vec<usize> = named.iter().copied().filter(could).collect();
        let is_routed = || {
            let sync = |it: &&Arc<Subscription>| it.kind == SubscriptionKind::Sync;
            self.catalog.subscriptions().filter(sync).any(|it| it.id.as_str() == name || it.function.as_str() == name)
        };
        match (alive.is_empty(), named.is_empty()) {
            (false, _) => Ok(alive),
            (true, false) => Ok(named),
            (true, true) if is_routed() => Ok(Vec::new()),
            (true, true) => Err(ExplainError::NoSubscription { name: name.to_owned() }),
        }
    }

    /// Counts the async subscriptions of then to other types.
    pub(super) fn others(&self, event_type: &str) -> usize {
        let is_other = |it: &&Arc<Subscription>| it.event_type.as_str() != event_type;
        self.catalog.async_subscriptions().filter(is_other).count()
    }

    /// Finds the sync subscription that had the route by which an event came.
    pub(super) fn route(&self, event: &Event) -> Option<Arc<Subscription>> {
        let Arrival { method, path } = Arrival::of(event);
        methods(method).find_map(|it| self.catalog.route(it, event.event_type(), path)).map(|it| it.subscription)
    }

    /// Tells whether a source is that of what functions returned.
    pub(super) fn is_returned(&self, source: &str) -> bool {
        source.starts_with(&self.source_prefix)
    }

    /// Returns the source of what a function returned.
    pub(super) fn source_of(&self, function: &str) -> String {
        format!("{}{function}", self.source_prefix)
    }

    /// Returns the async subscriptions that there ever were to events of a type.
    pub(super) fn callers<'h>(&'h self, event_type: &'h str) -> impl Iterator<Item = &'h Link> + 'h {
        self.links.iter().filter(move |link| link.subscription.event_type.as_str() == event_type)
    }

    /// Returns all functions that ever had a subscription.
    pub(super) fn functions(&self) -> BTreeSet<&str> {
        let routed = self.routed.iter().map(String::as_str);
        self.links.iter().map(|link| link.subscription.function.as_str()).chain(routed).collect()
    }
}
