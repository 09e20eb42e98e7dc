//! The live catalog: configuration changes are events of the space `weir.system`, and the running catalog is a view of
//! them.
//!
//! One task makes all changes, so that a caller who goes away cannot leave one half done. Another writer to the same
//! log is noticed by the condition of the append; then its changes are read first and the command is planned again.

use std::sync::Arc;

use tokio::sync::{mpsc, oneshot, watch};
use weir_catalog::{Change, ChangeKind, Command, stored};
use weir_domain::{Clock, Data, Event, Ids, Position, SpaceName};
use weir_log::{Append, Condition, Filter, LogEngine, LogError, NewEvent, Query, Read};

use crate::{ChangeError, MakeFunction, OpenError, making::Unready, snapshot::Snapshot};

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

/// A command on its way to the one who makes changes.
pub(crate) struct Request {
    pub(crate) space: SpaceName,
    pub(crate) command: Command,
    pub(crate) answer: oneshot::Sender<Result<Changed, ChangeError>>,
}

/// Makes all changes, one after the other.
pub(crate) struct Registrar {
    pub(crate) log: Arc<dyn LogEngine>,
    pub(crate) maker: Arc<dyn MakeFunction>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) ids: Arc<dyn Ids>,
    pub(crate) state: watch::Sender<Arc<Snapshot>>,
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
                catalog.fold(&change).map_err(|source| OpenError::Apply { position, source })?;
                note(&mut next, &change, position);
            }
            if page.end {
                break;
            }
            read.from = page.next;
        }
        next.catalog = Arc::new(catalog);
        self.make_all(&mut next).await;
        self.state.send_replace(Arc::new(next));
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
            let Some(Request { space, command, answer }) = request else { return };
            let outcome = self.change(&space, command).await;
            // Who asked may be gone; the change stands.
            drop(answer.send(outcome));
        }
    }

    async fn change(&self, space: &SpaceName, command: Command) -> Result<Changed, ChangeError> {
        for _ in 0..PLANS_MAX {
            let snapshot = self.state.borrow().clone();
            let change = snapshot.catalog.plan(space, command.clone())?;
            let ready = match &change.kind {
                ChangeKind::FunctionCreated(function) | ChangeKind::FunctionUpdated(function) => {
                    let made = self.maker.make(function).await;
                    Some(made.map_err(|detail| ChangeError::Function { id: function.id.to_string(), detail })?)
                }
                _ => None,
            };
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
            if let (Some(ready), ChangeKind::FunctionCreated(it) | ChangeKind::FunctionUpdated(it)) =
                (ready, &change.kind)
            {
                next.functions.entry(space.clone()).or_default().insert(it.id.clone(), ready);
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
    match &change.kind {
        ChangeKind::SubscriptionCreated(it) => {
            next.created.insert((change.space.clone(), it.id.clone()), position);
        }
        ChangeKind::SubscriptionDeleted(id) => {
            next.created.remove(&(change.space.clone(), id.clone()));
        }
        ChangeKind::FunctionDeleted(id) => {
            if let Some(functions) = next.functions.get_mut(&change.space) {
                functions.remove(id);
            }
        }
        _ => {}
    }
}
