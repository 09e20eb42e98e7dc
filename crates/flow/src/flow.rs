//! The handle that others hold, and the component behind it.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use parking_lot::Mutex;
use tokio::sync::{
    Semaphore,
    mpsc::{self, error::TrySendError},
    oneshot, watch,
};
use tokio_util::sync::CancellationToken;
use weir_catalog::{Arrival, Catalog, Change, Command, EventTypeName, FunctionKind, SpaceCatalog, Subscription};
use weir_domain::{Clock, Event, FunctionId, Ids, Limits, Position, SpaceName};
use weir_functions::HttpAnswer;
use weir_log::{LogEngine, LogError, NewEvent, Receipt};

use crate::{
    CallFailure, ChangeError, Changed, Compatibility, Configuration, MakeFunction, Observer, OpenError, Precondition,
    Refusal, Sender, admission,
    authorizer::Decisions,
    call,
    cursors::{CursorName, Cursors},
    delivery::{Feed, Gate, Present, Supervisor},
    live::{Proposal, Registrar, Request},
    snapshot::Snapshot,
    system_events,
};

/// Bounds of the flow.
#[derive(Clone, Debug)]
pub struct Options {
    /// How many functions may follow one another from one first event.
    pub hops_max: u32,
    /// Events that one subscription reads ahead of its cursor.
    pub window_events_max: usize,
    /// Bytes of these events.
    pub window_bytes_max: usize,
    /// Bytes of the events that all subscriptions together read ahead: each may take its part of them, however much the
    /// others have.
    pub windows_bytes_max: usize,
    /// Calls that all subscriptions together have in flight, but for a few that each may always have.
    pub deliveries_max: usize,
    /// What events that functions return may be.
    pub limits: Limits,
    /// Callers that may wait for functions at the same time.
    pub callers_max: usize,
    /// Configuration changes that may wait for one another.
    pub changes_max: usize,
    /// Configuration changes whose functions may be made ready at the same time; beyond, they are refused. Changes without
    /// code to compile are none of these. When the flow is opened, so many of its functions are made at once.
    pub makings_max: usize,
    /// Bytes of what authorizers allowed and is kept for the next events, roughly.
    pub authorizations_bytes_max: usize,
    /// What is done as the Event Gateway did.
    pub compatibility: Compatibility,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            hops_max: 64,
            window_events_max: 16 * 1024,
            window_bytes_max: 32 * 1024 * 1024,
            windows_bytes_max: 512 * 1024 * 1024,
            deliveries_max: 2048,
            limits: Limits::default(),
            callers_max: 4096,
            changes_max: 32,
            makings_max: 8,
            authorizations_bytes_max: 16 * 1024 * 1024,
            compatibility: Compatibility::default(),
        }
    }
}

/// What waits for one async subscription.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Backlog {
    /// Its space.
    pub space: SpaceName,
    /// The type of its events.
    pub event_type: EventTypeName,
    /// Its function.
    pub function: FunctionId,
    /// How many events were read for it and are not settled.
    pub events: usize,
}

/// What the parts of the flow share.
pub(crate) struct Shared {
    pub(crate) log: Arc<dyn LogEngine>,
    pub(crate) state: watch::Sender<Arc<Snapshot>>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) ids: Arc<dyn Ids>,
    pub(crate) observer: Arc<dyn Observer>,
    pub(crate) options: Options,
    /// One permit for each caller that may wait.
    pub(crate) callers: Semaphore,
    /// Calls of deliveries that are under way.
    pub(crate) delivering: AtomicUsize,
    /// What authorizers allowed.
    pub(crate) decisions: Decisions,
    /// What can be seen of the workers.
    pub(crate) workers: Mutex<BTreeMap<CursorName, Present>>,
    /// What the fan-out of each space gives them.
    pub(crate) feeds: Mutex<BTreeMap<SpaceName, Arc<Feed>>>,
    /// How many there are.
    pub(crate) workers_max: AtomicUsize,
    /// How many calls of them may be in flight together.
    pub(crate) gate: Arc<Gate>,
    /// Where subscriptions stand.
    pub(crate) cursors: Arc<Cursors>,
    /// The last configuration change that was there when the flow was opened.
    pub(crate) opened: Position,
}

/// The least that a subscription may read ahead, in bytes, however many there are.
const WINDOW_BYTES_MIN: usize = 64 * 1024;

impl Shared {
    /// Returns how many bytes of events one subscription may read ahead now.
    pub(crate) fn window_bytes(&self) -> usize {
        let part = self.options.windows_bytes_max / self.workers_max.load(Ordering::Relaxed).max(1);
        part.clamp(WINDOW_BYTES_MIN.min(self.options.window_bytes_max), self.options.window_bytes_max)
    }

    /// Returns what the fan-out of a space gives the workers of its subscriptions.
    pub(crate) fn feed(&self, space: &SpaceName) -> Arc<Feed> {
        self.feeds.lock().entry(space.clone()).or_default().clone()
    }
}

/// A call that is counted until this is dropped.
pub(crate) struct UnderWay<'a>(&'a AtomicUsize);

impl<'a> UnderWay<'a> {
    pub(crate) fn begin(count: &'a AtomicUsize) -> Self {
        count.fetch_add(1, Ordering::Relaxed);
        Self(count)
    }
}

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A handle on the flow, cheap to clone.
#[derive(Clone)]
pub struct Flow {
    pub(crate) shared: Arc<Shared>,
    requests: mpsc::Sender<Request>,
}

/// Makes configuration changes and delivers events until it is told to stop.
pub struct Runner {
    shared: Arc<Shared>,
    registrar: Registrar,
}

impl Flow {
    /// Reads the configuration from the log and makes its functions ready, several at a time. Nothing is delivered before
    /// [`Runner::run`]. What interrupts guests must run already: the code of a function runs while it is made ready.
    ///
    /// # Errors
    /// Where the configuration cannot be read. A function that cannot be made ready is no error: it fails its calls.
    pub async fn open(
        log: Arc<dyn LogEngine>,
        maker: Arc<dyn MakeFunction>,
        clock: Arc<dyn Clock>,
        ids: Arc<dyn Ids>,
        observer: Arc<dyn Observer>,
        options: Options,
    ) -> Result<(Self, Runner), OpenError> {
        let state = watch::channel(Arc::new(Snapshot::default())).0;
        let (requests, receiver) = mpsc::channel(options.changes_max);
        let end = *log.durable_end().borrow();
        let cursors = Arc::new(Cursors::new(end));
        let registrar = Registrar {
            log: log.clone(),
            maker,
            makings_max: options.makings_max,
            clock: clock.clone(),
            ids: ids.clone(),
            state: state.clone(),
            cursors: cursors.clone(),
            requests: receiver,
        };
        registrar.load().await?;
        let opened = state.borrow().position;
        let callers = Semaphore::new(options.callers_max);
        let decisions = Decisions::new(options.authorizations_bytes_max);
        let gate = Arc::new(Gate::new(options.deliveries_max));
        let delivering = AtomicUsize::new(0);
        let shared = Arc::new(Shared {
            log,
            state,
            clock,
            ids,
            observer,
            options,
            callers,
            delivering,
            decisions,
            workers: Mutex::default(),
            feeds: Mutex::default(),
            workers_max: AtomicUsize::new(0),
            gate,
            cursors,
            opened,
        });
        Ok((Self { shared: shared.clone(), requests }, Runner { shared, registrar }))
    }

    /// Returns the present catalog.
    #[must_use]
    pub fn catalog(&self) -> Arc<Catalog> {
        self.shared.state.borrow().catalog.clone()
    }

    /// Returns the present catalog with the versions of what is in it.
    #[must_use]
    pub fn configuration(&self) -> Configuration {
        Configuration(self.shared.state.borrow().clone())
    }

    /// Returns the position of the last configuration change that is in force.
    #[must_use]
    pub fn catalog_position(&self) -> Position {
        self.shared.state.borrow().position
    }

    /// Returns how many calls are under way: of deliveries, and for callers who wait.
    #[must_use]
    pub fn calls(&self) -> usize {
        let Shared { delivering, callers, options, .. } = &*self.shared;
        delivering.load(Ordering::Relaxed) + options.callers_max.saturating_sub(callers.available_permits())
    }

    /// Returns how many events were read for subscriptions and are not settled. What still lies in the log unread is not
    /// among them.
    #[must_use]
    pub fn backlog(&self) -> usize {
        self.shared.workers.lock().values().map(|it| it.standing.waiting.load(Ordering::Relaxed)).sum()
    }

    /// Returns the same of each async subscription, in the order of spaces, event types and functions.
    #[must_use]
    pub fn backlogs(&self) -> Vec<Backlog> {
        let catalog = self.catalog();
        let mut backlogs: Vec<Backlog> = {
            let present = self.shared.workers.lock();
            let backlog = |(cursor, worker): (&CursorName, &Present)| {
                let it = catalog.space(&cursor.space)?.subscription(worker.subscription.as_str())?;
                Some(Backlog {
                    space: cursor.space.clone(),
                    event_type: it.event_type.clone(),
                    function: it.function.clone(),
                    events: worker.standing.waiting.load(Ordering::Relaxed),
                })
            };
            present.iter().filter_map(backlog).collect()
        };
        let order = |it: &Backlog| (it.space.clone(), it.event_type.clone(), it.function.clone());
        backlogs.sort_by_cached_key(order);
        backlogs
    }

    /// Returns the async subscriptions of a space that are given events of one type which come in so. How that is
    /// compared is a matter of [`Compatibility::exact_arrivals`].
    pub fn listeners<'a>(
        &self,
        space: &'a SpaceCatalog,
        event_type: &str,
        arrival: Arrival<'a>,
    ) -> impl Iterator<Item = &'a Arc<Subscription>> + use<'a> {
        space.async_of(event_type, arrival, self.shared.options.compatibility.matching())
    }

    /// Changes the configuration. When this returns, the change is durable and in force; a caller who goes away does
    /// not take it back. While the code of a function is compiled for it, other changes are made.
    ///
    /// # Errors
    /// Where the command breaks a rule, the code of a function cannot be made ready, too many functions are being made
    /// ready, or the log cannot be written.
    pub async fn change(&self, space: &SpaceName, command: Command) -> Result<Changed, ChangeError> {
        self.change_if(space, command, Precondition::default()).await
    }

    /// Changes the configuration where a precondition holds, as [`change`](Self::change) does. No other change comes
    /// between the check and the change.
    ///
    /// # Errors
    /// Those of [`change`](Self::change), and [`ChangeError::Precondition`]. What is to be updated or deleted and is not
    /// there is told as such, whatever the precondition.
    pub async fn change_if(
        &self,
        space: &SpaceName,
        command: Command,
        condition: Precondition,
    ) -> Result<Changed, ChangeError> {
        let (answer, changed) = oneshot::channel();
        self.propose(Request::Change(Proposal { space: space.clone(), command, condition }, answer))?;
        changed.await.map_err(|_| ChangeError::Stopped)?
    }

    /// Checks everything that [`change_if`](Self::change_if) checks before it writes, functions made ready included,
    /// and returns what would be recorded. Nothing is changed.
    ///
    /// # Errors
    /// Those of [`change_if`](Self::change_if) but for writing to the log.
    pub async fn rehearse(
        &self,
        space: &SpaceName,
        command: Command,
        condition: Precondition,
    ) -> Result<Change, ChangeError> {
        let (answer, rehearsed) = oneshot::channel();
        self.propose(Request::Rehearsal(Proposal { space: space.clone(), command, condition }, answer))?;
        rehearsed.await.map_err(|_| ChangeError::Stopped)?
    }

    fn propose(&self, request: Request) -> Result<(), ChangeError> {
        // Who comes when too many wait is refused: a change may hold a whole component in memory.
        self.requests.try_send(request).map_err(|error| match error {
            TrySendError::Full(_) => ChangeError::Busy,
            TrySendError::Closed(_) => ChangeError::Stopped,
        })
    }

    /// Checks an event from outside, asks the authorizer of its type where there is one, and finds its key. Without an
    /// authorizer it is done at once. One whose data break the schema of its type may come out in quarantine, as
    /// [`is_quarantined`](crate::is_quarantined) tells.
    ///
    /// # Errors
    /// Where its type is not registered or reserved, its authorizer does not allow it, its data break the schema, or its
    /// key is missing.
    pub async fn admit(&self, space: &SpaceName, event: Event, sender: &dyn Sender) -> Result<NewEvent, Refusal> {
        admission::admit(&self.shared, space, event, sender).await
    }

    /// Does the same for the events of a batch, of which all are admitted or none. Authorizers are asked about several of
    /// them at once.
    ///
    /// # Errors
    /// Where one is not admitted: its place in the batch, counted from 0, and why.
    pub async fn admit_batch(
        &self,
        space: &SpaceName,
        events: Vec<Event>,
        sender: &dyn Sender,
    ) -> Result<Vec<NewEvent>, (usize, Refusal)> {
        admission::admit_batch(&self.shared, space, events, sender).await
    }

    /// Makes the event `eventgateway.event.received` about an event that was admitted, where somebody listens to these. It
    /// belongs into the append of that event, see [`append`](Self::append).
    #[must_use]
    pub fn received(&self, space: &SpaceName, admitted: &NewEvent, sender: &dyn Sender) -> Option<NewEvent> {
        system_events::received(&self.shared, space, &admitted.event, || admitted.key.clone(), sender)
    }

    /// Appends events that were admitted to a log, and what [`received`](Self::received) told about them: in one batch where
    /// that stays small, else the events first.
    ///
    /// The events are all there or none. The receipt is theirs alone. Where it is not returned, whoever waits repeats the
    /// whole, and nothing stands there twice.
    ///
    /// # Errors
    /// Where the log does not take all of it.
    pub async fn append(
        &self,
        log: &dyn LogEngine,
        space: SpaceName,
        events: Vec<NewEvent>,
        told: Vec<NewEvent>,
    ) -> Result<Receipt, LogError> {
        system_events::append(&self.shared, log, space, events, told).await
    }

    /// Calls the function of a sync subscription and returns its answer, after the authorizer of the event's type has
    /// allowed it.
    ///
    /// The event is recorded before, unless it is a plain HTTP request that no async subscription listens to. Events
    /// that the function returns stand in the log before its answer is returned.
    ///
    /// # Errors
    /// Where the event is not admitted, the log does not take it, or the function fails.
    pub async fn call(
        &self,
        space: &SpaceName,
        subscription: &Arc<Subscription>,
        event: Event,
        sender: &dyn Sender,
    ) -> Result<HttpAnswer, CallFailure> {
        call::call(&self.shared, space, subscription, event, sender).await
    }
}

/// Tells what kind of function one is, and whether it runs outside of this process: for those who trace its calls.
pub(crate) fn kind_of(catalog: &Catalog, space: &SpaceName, id: &FunctionId) -> Option<(&'static str, bool)> {
    let kind = &catalog.space_or_empty(space).function(id.as_str())?.kind;
    Some((kind.name(), !matches!(kind, FunctionKind::Wasm { .. } | FunctionKind::Builtin { .. })))
}

impl Runner {
    /// Runs until told to stop: then finishes the change in hand and the calls in flight, and writes the cursors.
    pub async fn run(self, stop: CancellationToken) {
        self.run_apart(std::future::ready(()), stop.clone(), stop).await;
    }

    /// As [`run`](Self::run), with an end for each of the two: a server that stops takes no new event from the log at
    /// once, and still makes the changes of the configuration that were asked for before.
    ///
    /// Changes are made from now on, and nothing is delivered before `begin` is done: what is changed until then is in force
    /// for all that waits.
    pub async fn run_apart(
        self,
        begin: impl Future<Output = ()>,
        stop_delivery: CancellationToken,
        stop_changes: CancellationToken,
    ) {
        let supervisor = Supervisor::new(self.shared);
        futures_util::future::join(self.registrar.run(stop_changes), supervisor.run(begin, stop_delivery)).await;
    }
}
