//! The fan-out of one space: each new event is read once, the matcher is asked once, and those whom it is for are given it.

use std::{collections::BTreeSet, sync::Arc};

use tokio::{
    sync::watch,
    time::{Duration, sleep},
};
use tokio_util::sync::CancellationToken;
use weir_catalog::{SpaceCatalog, Subscription};
use weir_domain::{Key, Position, SpaceName, error_chain};
use weir_log::{Filter, Page, Read, Recorded};

use super::inbox::{Feed, Inbox};
use crate::flow::Shared;

/// With more types than these, events of all types are read.
const TYPES_MAX: usize = 1024;
/// How long a fan-out waits after the log could not be read.
const READ_PAUSE: Duration = Duration::from_millis(500);
/// After how many positions of others' events workers note that they came by.
pub(super) const STRIDE: u64 = 64 * 1024;
/// The same for each worker there is: each of them writes a cursor then.
const STRIDE_EACH: u64 = 64;
/// Events that are less than this part of what was read are copied out of it: whoever keeps them would keep all of it.
const HELD_TIMES_MAX: usize = 4;
/// The part of what a worker may have in memory that may wait for it here.
const WINDOW_PART: usize = 4;

/// Gives the events of one space to the workers of its subscriptions.
pub(super) struct FanOut {
    shared: Arc<Shared>,
    space: SpaceName,
    feed: Arc<Feed>,
    stop: CancellationToken,
    /// Where to read on.
    next: Position,
    /// Where all workers were told to look last.
    told: Position,
    kept: Option<Kept>,
}

/// What is read, for there are subscriptions to it.
struct Kept {
    filter: Filter,
    arrivals: watch::Receiver<Position>,
}

/// What became of waiting.
enum Woken {
    Stop,
    Look,
    Read,
}

impl FanOut {
    pub(super) fn new(shared: Arc<Shared>, space: SpaceName, stop: CancellationToken) -> Self {
        let feed = shared.feed(&space);
        feed.set_up(true);
        Self { shared, space, feed, stop, next: Position::ORIGIN, told: Position::ORIGIN, kept: None }
    }

    /// Gives what comes until told to stop.
    pub(super) async fn run(mut self) {
        let mut state = self.shared.state.subscribe();
        let mut seen = None;
        loop {
            // Before the configuration is looked at: their subscriptions are in it then.
            let asking = self.feed.take_asking();
            let snapshot = state.borrow_and_update().clone();
            if seen.replace(snapshot.position) != Some(snapshot.position) {
                self.keep(snapshot.catalog.space_or_empty(&self.space));
            }
            drop(snapshot);
            self.begin(&asking);
            match self.wait(&mut state).await {
                Woken::Stop => return,
                Woken::Look => {}
                Woken::Read => self.read().await,
            }
        }
    }

    /// Looks anew at which types there are subscriptions to.
    fn keep(&mut self, space: &SpaceCatalog) {
        let filter = kept(space);
        if self.kept.as_ref().map(|it| &it.filter) == filter.as_ref() {
            return;
        }
        self.kept = filter.map(|filter| {
            let types = match &filter {
                Filter::Types(types) => types.as_slice(),
                _ => &[],
            };
            Kept { arrivals: self.shared.log.arrivals(&self.space, types), filter }
        });
    }

    fn begin(&mut self, asking: &[Arc<Inbox>]) {
        if asking.is_empty() {
            return;
        }
        if !self.feed.has_readers() {
            // What came while nobody was given anything is read by the workers themselves.
            self.next = self.next.max(self.shared.log.durable_end().borrow().next());
            self.told = self.next;
            self.feed.routed_up_to(self.next);
        }
        asking.iter().for_each(|inbox| inbox.begin(self.next));
    }

    async fn wait(&mut self, state: &mut watch::Receiver<Arc<crate::snapshot::Snapshot>>) -> Woken {
        let (next, is_read) = (self.next, self.feed.has_readers());
        let arrivals = self.kept.as_mut().filter(|_| is_read).map(|it| &mut it.arrivals);
        let arrived = async {
            match arrivals {
                Some(arrivals) => arrivals.wait_for(|at| *at >= next).await.is_ok(),
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            () = self.stop.cancelled() => Woken::Stop,
            () = self.feed.asked() => Woken::Look,
            // Whoever would tell is there for as long as the flow is.
            Ok(()) = state.changed() => Woken::Look,
            true = arrived => Woken::Read,
        }
    }

    async fn read(&mut self) {
        let Some(kept) = &self.kept else { return };
        let read = Read::forward(self.space.clone(), self.next).filter(kept.filter.clone());
        match self.shared.log.read(read).await {
            Ok(page) => self.give(page),
            Err(error) => {
                tracing::error!(error = %error_chain(&error), space = %self.space, "new events cannot be read for delivery");
                tokio::select! {
                    biased;
                    () = self.stop.cancelled() => {}
                    () = sleep(READ_PAUSE) => {}
                }
            }
        }
    }

    fn give(&mut self, page: Page) {
        let snapshot = self.shared.state.borrow().clone();
        let space = snapshot.catalog.space_or_empty(&self.space);
        let matching = self.shared.options.compatibility.matching();
        let bytes_max = self.shared.window_bytes() / WINDOW_PART;
        let read: usize = page.events.iter().map(|it| it.event.size()).sum();
        let mut wanted: Vec<(Recorded, Vec<Arc<Subscription>>)> = Vec::with_capacity(page.events.len());
        for recorded in page.events {
            let takers: Vec<_> = space.async_for(&recorded.event, matching).cloned().collect();
            if !takers.is_empty() {
                wanted.push((recorded, takers));
            }
        }
        let taken: usize = wanted.iter().map(|(recorded, _)| recorded.event.size()).sum();
        if taken.saturating_mul(HELD_TIMES_MAX) < read {
            for (recorded, _) in &mut wanted {
                recorded.key = recorded.key.as_ref().map(Key::compact);
                recorded.event = recorded.event.compact();
            }
        }
        let next = page.next;
        let is_stride = next.get() - self.told.get() >= STRIDE.max(STRIDE_EACH * self.feed.len() as u64);
        self.feed.with(|inboxes| {
            let mut given: Vec<&Arc<Inbox>> = Vec::new();
            for (recorded, takers) in &wanted {
                for taker in takers {
                    if let Some(inbox) = inboxes.get(&taker.id).filter(|inbox| inbox.give(recorded, bytes_max))
                        && !given.last().is_some_and(|last| Arc::ptr_eq(last, inbox))
                    {
                        given.push(inbox);
                    }
                }
            }
            // Before they are told: they look at it.
            self.feed.routed_up_to(next);
            if is_stride {
                inboxes.values().for_each(|inbox| inbox.tell());
            } else {
                given.iter().for_each(|inbox| inbox.tell());
            }
        });
        if is_stride {
            self.told = next;
        }
        self.next = next;
    }
}

/// Says what is to be read for the async subscriptions of a space; nothing where there are none.
fn kept(space: &SpaceCatalog) -> Option<Filter> {
    let mut types = BTreeSet::new();
    for subscription in space.async_subscriptions() {
        types.insert(subscription.event_type.as_str());
        if types.len() > TYPES_MAX {
            return Some(Filter::All);
        }
    }
    (!types.is_empty()).then(|| Filter::Types(types.into_iter().map(str::to_owned).collect()))
}
