//! The live catalog: configuration changes are events of the space `weir.system`, and the running catalog is a view of
//! them.
//!
//! One task makes all changes, so that a caller who goes away cannot leave one half done. Another writer to the same
//! log is noticed by the condition of the append; then its changes are read first and the command is planned again.
//!
//! Code is compiled beside that task and not in it: a change that brings code leaves the queue, comes back when its
//! function is made, and is planned again then. Meanwhile all other changes are made.

use std::{collections::HashMap, sync::Arc};

use futures_util::{
    FutureExt, StreamExt,
    future::BoxFuture,
    stream::{self, FuturesUnordered},
};
use tokio::sync::{mpsc, oneshot, watch};
use weir_catalog::{Activity, Change, ChangeKind, Command, Function, SubscriptionKind, stored};
use weir_domain::{Clock, Data, ErrorKind, Event, FunctionId, Ids, Position, SpaceName};
use weir_functions::Invoke;
use weir_log::{Append, Condition, Filter, LogEngine, LogError, NewEvent, Query, Read};

use crate::{
    ChangeError, MakeError, MakeFunction, OpenError, Precondition,
    cursors::{CursorName, Cursors},
    delivery::Departed,
    making::{self, Unready},
    schema,
    snapshot::Snapshot,
};

/// How often a command is planned anew because somebody else changed the configuration first.
const PLANS_MAX: u32 = 16;
/// How often code is compiled for one command: again where secrets that are to stay were changed in the meantime.
const MAKINGS_PER_COMMAND_MAX: u32 = 4;
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

impl Request {
    /// Says why it is not carried out. Who asked may be gone.
    fn refuse(self, error: ChangeError) {
        match self {
            Self::Change(_, answer) => drop(answer.send(Err(error))),
            Self::Rehearsal(_, answer) => drop(answer.send(Err(error))),
        }
    }
}

/// What the maker said about a function.
struct Made {
    function: Arc<Function>,
    outcome: Result<Arc<dyn Invoke>, MakeError>,
    /// How often it was asked for the same command.
    count: u32,
}

/// A request whose code is compiled, until it comes back with what was made.
type Making = BoxFuture<'static, (Request, Made)>;

/// How far a proposal has come.
enum Step<T> {
    /// It is carried out, or checked.
    Done(T),
    /// The code of this function is to be compiled first.
    Make(Arc<Function>),
}

/// A function of a space that can be called, or says why it cannot.
type Ready = (SpaceName, FunctionId, Arc<dyn Invoke>);

/// A change that may be recorded, and its function where it brings one.
type Planned = (Change, Option<Arc<dyn Invoke>>);

/// Makes all changes, one after the other.
pub(crate) struct Registrar {
    pub(crate) log: Arc<dyn LogEngine>,
    pub(crate) maker: Arc<dyn MakeFunction>,
    /// How many requests may have code compiled at the same time.
    pub(crate) makings_max: usize,
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
            let mut departed = Vec::new();
            for recorded in &page.events {
                let position = recorded.position;
                next.position = position;
                let Data::Json(data) = recorded.event.data() else { continue };
                let change = stored::decode(recorded.event.event_type(), data)
                    .map_err(|source| OpenError::Stored { position, source })?;
                departed.extend(Departed::by(&change, position, &catalog, &next));
                catalog.fold(&change).map_err(|source| OpenError::Apply { position, source })?;
                note(&mut next, &change, position);
            }
            // Those whose cursors are still there: the server ended before it was seen to what waited for them.
            self.cursors.depart(self.cursors.still_kept(&*self.log, departed).await?);
            if page.end {
                break;
            }
            read.from = page.next;
        }
        schema::prepare(&catalog);
        next.catalog = Arc::new(catalog);
        self.make_all(&mut next).await;
        let before = self.state.send_replace(Arc::new(next));
        // All of them were made anew.
        before.functions.values().flat_map(HashMap::values).for_each(|function| function.retire());
        Ok(())
    }

    /// Makes all functions ready, several at a time: one that takes all the time it may must not add that to the time of the
    /// others.
    async fn make_all(&self, next: &mut Snapshot) {
        let mut makings: Vec<BoxFuture<'static, Ready>> = Vec::new();
        for (space, entries) in next.catalog.spaces() {
            for function in entries.functions() {
                makings.push(make_stored(self.maker.clone(), space.clone(), function.clone()).boxed());
            }
        }
        let mut made = stream::iter(makings).buffer_unordered(self.makings_max.max(1));
        while let Some((space, id, function)) = made.next().await {
            next.functions.entry(space).or_default().insert(id, function);
        }
    }

    /// Makes changes until nobody can ask for one any more or `stop` says so. Who waits for code to be compiled then is
    /// told that nothing was changed.
    pub(crate) async fn run(mut self, stop: tokio_util::sync::CancellationToken) {
        let mut makings: FuturesUnordered<Making> = FuturesUnordered::new();
        let mut is_open = true;
        while is_open || !makings.is_empty() {
            let (request, made) = tokio::select! {
                biased;
                Some((request, made)) = makings.next() => (request, Some(made)),
                request = self.requests.recv(), if is_open => match request {
                    Some(request) => (request, None),
                    None => {
                        is_open = false;
                        continue;
                    }
                },
                () = stop.cancelled() => return,
            };
            let count = made.as_ref().map_or(0, |made| made.count);
            let Some((request, function)) = self.advance(request, made.as_ref()).await else { continue };
            // Who would wait for a place is refused: compiling is heavy, and each has its code in memory.
            if makings.len() < self.makings_max && count < MAKINGS_PER_COMMAND_MAX {
                makings.push(self.make(request, function, count + 1));
            } else {
                request.refuse(ChangeError::Making);
            }
        }
    }

    /// Answers a request, or returns it with the function that is to be made for it first.
    async fn advance(&self, request: Request, made: Option<&Made>) -> Option<(Request, Arc<Function>)> {
        match request {
            Request::Change(proposal, answer) => {
                let answered = match self.change(&proposal, made).await {
                    Ok(Step::Make(function)) => return Some((Request::Change(proposal, answer), function)),
                    Ok(Step::Done(changed)) => Ok(changed),
                    Err(error) => Err(error),
                };
                // Who asked may be gone; the change stands.
                drop(answer.send(answered));
            }
            // Nobody waits any more for what would change nothing.
            Request::Rehearsal(_, answer) if answer.is_closed() => {}
            Request::Rehearsal(proposal, answer) => {
                let snapshot = self.state.borrow().clone();
                let answered = match self.plan(&snapshot, &proposal, made).await {
                    Ok(Step::Make(function)) => return Some((Request::Rehearsal(proposal, answer), function)),
                    Ok(Step::Done((change, _))) => Ok(change),
                    Err(error) => Err(error),
                };
                drop(answer.send(answered));
            }
        }
        None
    }

    /// Has a function made for a request, to its end: what it costs is bounded by how many there are, and of a caller
    /// who gave up in between nothing would end the work of a thread.
    fn make(&self, request: Request, function: Arc<Function>, count: u32) -> Making {
        let maker = Arc::clone(&self.maker);
        async move {
            let outcome = maker.make(&function).await;
            (request, Made { function, outcome, count })
        }
        .boxed()
    }

    /// Checks a proposal against one state and finds the function ready that it brings.
    async fn plan(
        &self,
        snapshot: &Snapshot,
        proposal: &Proposal,
        made: Option<&Made>,
    ) -> Result<Step<Planned>, ChangeError> {
        let Proposal { space, command, condition } = proposal;
        let planned = snapshot.catalog.plan(space, command.clone());
        // What is not there is told as such: a precondition only counts where there would be another answer than that
        // (RFC 9110, section 13.2.1).
        if !matches!(&planned, Err(error) if error.kind() == ErrorKind::NotFound) {
            let version = snapshot.versions.of(space, command.target());
            condition.check(version).map_err(|unmet| ChangeError::Precondition { unmet, version })?;
        }
        let change = planned?;
        let (ChangeKind::FunctionCreated(function) | ChangeKind::FunctionUpdated(function)) = &change.kind else {
            return Ok(Step::Done((change, None)));
        };
        let outcome = match made {
            // The whole declaration is compared, its code included: what was made of another one is of no use.
            Some(made) if made.function == *function => made.outcome.clone(),
            _ if making::compiles(function) => return Ok(Step::Make(Arc::clone(function))),
            _ => self.maker.make(function).await,
        };
        let ready = outcome.map_err(|source| ChangeError::Function { id: function.id.to_string(), source })?;
        Ok(Step::Done((change, Some(ready))))
    }

    async fn change(&self, proposal: &Proposal, made: Option<&Made>) -> Result<Step<Changed>, ChangeError> {
        for _ in 0..PLANS_MAX {
            let snapshot = self.state.borrow().clone();
            let (change, ready) = match self.plan(&snapshot, proposal, made).await? {
                Step::Done(planned) => planned,
                Step::Make(function) => return Ok(Step::Make(function)),
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
            self.cursors.depart(Departed::by(&change, position, &snapshot.catalog, &snapshot));
            if let (Some(ready), ChangeKind::FunctionCreated(it) | ChangeKind::FunctionUpdated(it)) =
                (ready, &change.kind)
            {
                next.functions.entry(change.space.clone()).or_default().insert(it.id.clone(), ready);
            }
            self.state.send_replace(Arc::new(next));
            // After that, so that who waited for it finds the one in its place.
            if let ChangeKind::FunctionUpdated(it) = &change.kind
                && let Some(before) = snapshot.function(&change.space, &it.id)
            {
                before.retire();
            }
            return Ok(Step::Done(Changed { change, position }));
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

/// Makes a function ready that is in force already: where that fails, its calls do.
async fn make_stored(maker: Arc<dyn MakeFunction>, space: SpaceName, function: Arc<Function>) -> Ready {
    let ready = maker.make(&function).await.unwrap_or_else(|error| {
        tracing::error!(%error, %space, function = %function.id, "a function cannot be made ready");
        Arc::new(Unready { detail: error.to_string() })
    });
    (space, function.id.clone(), ready)
}

/// Keeps what the snapshot knows beside the catalog in step with a change.
fn note(next: &mut Snapshot, change: &Change, position: Position) {
    next.versions.note(change, position);
    match &change.kind {
        ChangeKind::SubscriptionCreated(it) if it.kind == SubscriptionKind::Async => {
            let (space, subscription) = (change.space.clone(), it.id.clone());
            let cursor = CursorName { space: space.clone(), subscription: subscription.clone(), created: position };
            next.former.remove(&(space.clone(), subscription.clone()));
            next.cursors.insert((space, subscription), cursor);
        }
        ChangeKind::SubscriptionUpdated(it) => {
            let name = (change.space.clone(), it.id.clone());
            if it.activity == Activity::Draining {
                // An update of another part leaves the bound where it was.
                next.drains.entry(name).or_insert(position);
            } else {
                next.drains.remove(&name);
            }
        }
        ChangeKind::SubscriptionReplaced { id, subscription } => {
            let mut former = next.former.remove(&(change.space.clone(), id.clone())).unwrap_or_default();
            former.push(id.clone());
            next.former.insert((change.space.clone(), subscription.id.clone()), former);
            if let Some(drain) = next.drains.remove(&(change.space.clone(), id.clone())) {
                next.drains.insert((change.space.clone(), subscription.id.clone()), drain);
            }
            if let Some(cursor) = next.cursors.remove(&(change.space.clone(), id.clone())) {
                next.cursors.insert((change.space.clone(), subscription.id.clone()), cursor);
            }
        }
        ChangeKind::SubscriptionDeleted(id) => {
            next.cursors.remove(&(change.space.clone(), id.clone()));
            next.drains.remove(&(change.space.clone(), id.clone()));
            next.former.remove(&(change.space.clone(), id.clone()));
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
            next.drains.retain(|(space, _), _| *space != change.space);
            next.former.retain(|(space, _), _| *space != change.space);
            next.functions.remove(&change.space);
        }
        _ => {}
    }
}
