//! The live catalog: configuration changes are events of the space `weir.system`, and the running catalog is a view of
//! them.
//!
//! One task makes all changes, so that a caller who goes away cannot leave one half done. Another writer to the same
//! log is noticed by the condition of the append; then its changes are read first and the command is planned again.

use std::sync::Arc;

use tokio::sync::{mpsc, oneshot, watch};
use weir_catalog::{Change, ChangeKind, Command, SubscriptionKind, stored};
use weir_domain::{Clock, Data, ErrorKind, Event, Ids, Position, SpaceName};
use weir_functions::Invoke;
use weir_log::{Append, Condition, Filter, LogEngine, LogError, NewEvent, Query, Read};

use crate::{
    ChangeError, MakeFunction, OpenError, Precondition,
    cursors::{CursorName, Cursors},
    delivery::Departed,
    making::Unready,
    schema,
    snapshot::Snapshot,
};

/// How often a command is planned anew because somebody else changed the configuration first.
const PLANS_MAX: u32 = 16;
const SOURCE: &str = "/weir/configuration";

/// Returns the space in which configuration changes are recorded.
///
/// # Panics
/// Never: the name is valid.
#[must_use]
pub fn system_space() -> SpaceName {
    SpaceName::new("weir.system").expect("the name is valid")
}

/// Tells whether a space belongs to the platform.
pub(crate) fn is_system(space: &SpaceName) -> bool {
    space.as_str().starts_with("weir.")
}

/// A change that is in force.
#[derive(Clone, Debug)]
pub struct Changed {
    /// What changed.
    pub change: Change,
    /// Where the change stands: its receipt.
    pub position: Position,
}

/// What somebody wants to be changed.
pub(crate) struct Proposal {
    pub(crate) space: SpaceName,
    pub(crate) command: Command,
    pub(crate) condition: Precondition,
}

/// A proposal on its way to the one who makes changes.
pub(crate) enum Request {
    /// It is to be carried out.
    Change(Proposal, oneshot::Sender<Result<Changed, ChangeError>>),
    /// It is only to be checked.
    Rehearsal(Proposal, oneshot::Sender<Result<Change, ChangeError>>),
}

/// A change that may be recorded, and its function where it brings one.
type Planned = (Change, Option<Arc<dyn Invoke>>);

/// Makes all changes, one after the other.
pub(crate) struct Registrar {
    pub(crate) log: Arc<dyn LogEngine>,
    pub(crate) maker: Arc<dyn MakeFunction>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) ids: Arc<dyn Ids>,
    pub(crate) state: watch::Sender<Arc<Snapshot>>,
    pub(crate) cursors: Arc<Cursors>,
    pub(crate) requests: mpsc::Receiver<Request>,
}

impl Registrar {
    /// Reads the whole configuration and makes its functions ready.
    pub(crate) async fn load(&self) -> Result<(), OpenError> {
        let mut next = Snapshot::clone(&self.state.borrow());
        let mut catalog = (*next.catalog).clone();
        // By type, which has an index: the log of the others is not looked through for it.
        let types = stored::EVENT_TYPES.map(str::to_owned).to_vec();
        let mut read = Read::forward(system_space(), next.position.next()).filter(Filter::Types(types));
        loop {
            let page = self.log.read(read.clone()).await?;
            for recorded in &page.events {
                let position = recorded.position;
                next.position = position;
                let Data::Json(data) = recorded.event.data() else { continue };
                let change = stored::decode(recorded.event.event_type(), data)
                    .map_err(|source| OpenError::Stored { position, source })?;
                let departed = Departed::by(&change, position, &catalog, &next);
                catalog.fold(&change).map_err(|source| OpenError::Apply { position, source })?;
                note(&mut next, &change, position);
                self.left_over(departed).await?;
            }
            if page.end {
                break;
            }
            read.from = page.next;
        }
        schema::prepare(&catalog);
        next.catalog = Arc::new(catalog);
        self.make_all(&mut next).await;
        self.state.send_replace(Arc::new(next));
        Ok(())
    }

    /// Hands over those cursors that are still there: the server ended before it was seen to what waited for them.
    async fn left_over(&self, departed: Vec<Departed>) -> Result<(), OpenError> {
        for it in departed {
            if self.cursors.load(&*self.log, &it.cursor).await?.is_some() {
                self.cursors.depart(vec![it]);
            }
        }
        Ok(())
    }

    async fn make_all(&self, next: &mut Snapshot) {
        let catalog = next.catalog.clone();
        for (space, entries) in catalog.spaces() {
            for function in entries.functions() {
                let ready = self.maker.make(function).await.unwrap_or_else(|detail| {
                    tracing::error!(%space, function = %function.id, detail, "a function cannot be made ready");
                    Arc::new(Unready { detail })
                });
                next.functions.entry(space.clone()).or_default().insert(function.id.clone(), ready);
            }
        }
    }

    /// Makes changes until nobody can ask for one any more or `stop` says so.
    pub(crate) async fn run(mut self, stop: tokio_util::sync::CancellationToken) {
        loop {
            let request = tokio::select! {
                request = self.requests.recv() => request,
                () = stop.cancelled() => None,
            };
            match request {
                // Who asked may be gone; the change stands.
                Some(Request::Change(proposal, answer)) => drop(answer.send(self.change(&proposal).await)),
                // Nobody waits any more for what would change nothing.
                Some(Request::Rehearsal(_, answer)) if answer.is_closed() => {}
                Some(Request::Rehearsal(proposal, answer)) => {
                    let snapshot = self.state.borrow().clone();
                    let planned = self.plan(&snapshot, &proposal).await;
                    drop(answer.send(planned.map(|(change, _)| change)));
                }
                None => return,
            }
        }
    }

    /// Checks a proposal against one state and makes the function ready that it brings.
    async fn plan(&self, snapshot: &Snapshot, proposal: &Proposal) -> Result<Planned, ChangeError> {
        let Proposal { space, command, condition } = proposal;
        let planned = snapshot.catalog.plan(space, command.clone());
        // What is not there is told as such: a precondition only counts where there would be another answer than that
        // (RFC 9110, section 13.2.1).
        if !matches!(&planned, Err(error) if error.kind() == ErrorKind::NotFound) {
            let version = snapshot.versions.of(space, command.target());
            condition.check(version).map_err(|unmet| ChangeError::Precondition { unmet, version })?;
        }
        let change = planned?;
        let ready = match &change.kind {
            ChangeKind::FunctionCreated(function) | ChangeKind::FunctionUpdated(function) => {
                let made = self.maker.make(function).await;
                Some(made.map_err(|detail| ChangeError::Function { id: function.id.to_string(), detail })?)
            }
            _ => None,
        };
        Ok((change, ready))
    }

    async fn change(&self, proposal: &Proposal) -> Result<Changed, ChangeError> {
        for _ in 0..PLANS_MAX {
            let snapshot = self.state.borrow().clone();
            let (change, ready) = self.plan(&snapshot, proposal).await?;
            let position = match self.write(&change, snapshot.position).await {
                Ok(position) => position,
                Err(LogError::ConditionFailed { .. }) => {
                    self.load().await?;
                    continue;
                }
                Err(error) => return Err(error.into()),
            };
            let mut next = Snapshot::clone(&snapshot);
            let catalog = snapshot.catalog.apply(&change);
            next.catalog = Arc::new(catalog.map_err(|source| OpenError::Apply { position, source })?);
            next.position = position;
            note(&mut next, &change, position);
            self.cursors.depart(Departed::by(&change, position, &snapshot.catalog, &snapshot));
            if let (Some(ready), ChangeKind::FunctionCreated(it) | ChangeKind::FunctionUpdated(it)) =
                (ready, &change.kind)
            {
                next.functions.entry(change.space.clone()).or_default().insert(it.id.clone(), ready);
            }
            self.state.send_replace(Arc::new(next));
            return Ok(Changed { change, position });
        }
        Err(ChangeError::Log(LogError::Overloaded))
    }

    async fn write(&self, change: &Change, after: Position) -> Result<Position, LogError> {
        let stored = stored::encode(change);
        let event = Event::builder(&self.ids.unique(), SOURCE, stored.event_type)
            .subject(&stored.subject)
            .time(&weir_cloudevents::time::format(self.clock.now()))
            .datacontenttype("application/json")
            .data(Data::Json(stored.data.into()))
            .build()
            .map_err(|error| LogError::Index { detail: error.to_string() })?;
        let new = NewEvent { key: event.default_key(), event };
        let condition = Condition { query: Query::default(), after };
        let receipt = self.log.append(Append::new(system_space(), vec![new]).only_if(condition)).await?;
        Ok(receipt.range().last)
    }
}

/// Keeps what the snapshot knows beside the catalog in step with a change.
fn note(next: &mut Snapshot, change: &Change, position: Position) {
    next.versions.note(change, position);
    match &change.kind {
        ChangeKind::SubscriptionCreated(it) if it.kind == SubscriptionKind::Async => {
            let (space, subscription) = (change.space.clone(), it.id.clone());
            let cursor = CursorName { space: space.clone(), subscription: subscription.clone(), created: position };
            next.cursors.insert((space, subscription), cursor);
        }
        ChangeKind::SubscriptionReplaced { id, subscription } => {
            if let Some(cursor) = next.cursors.remove(&(change.space.clone(), id.clone())) {
                next.cursors.insert((change.space.clone(), subscription.id.clone()), cursor);
            }
        }
        ChangeKind::SubscriptionDeleted(id) => {
            next.cursors.remove(&(change.space.clone(), id.clone()));
        }
        ChangeKind::FunctionCreated(it) | ChangeKind::FunctionUpdated(it) => {
            next.changed.insert((change.space.clone(), it.id.clone()), position);
        }
        ChangeKind::FunctionDeleted(id) => {
            next.changed.remove(&(change.space.clone(), id.clone()));
            if let Some(functions) = next.functions.get_mut(&change.space) {
                functions.remove(id);
            }
        }
        ChangeKind::SpaceDeleted => {
            next.cursors.retain(|(space, _), _| *space != change.space);
            next.functions.remove(&change.space);
        }
        _ => {}
    }
}
