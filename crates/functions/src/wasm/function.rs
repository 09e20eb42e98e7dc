//! A prepared function: its code, its instances, and the way of one call through them.

use std::{collections::BTreeMap, sync::Arc};

use futures_util::future::BoxFuture;
use wasmtime::{
    Store,
    component::{Component, ComponentExportIndex, InstancePre},
};

use weir_domain::FunctionId;

use super::{
    FunctionOptions, Instances, PrepareError, Shared,
    artifact::Hold,
    component::{HANDLE, HANDLER},
    guest::{Bounds, Entry, Guest},
    host::Host,
    prepare::PLACE_TIMEOUT,
    slots::{Idle, Slot},
    voice::Voice,
    wakes,
};
use crate::{
    Call, CallError, CallMode, GuestLevel, Invoke, Outcome,
    batch::{FailedKeys, one_by_one},
    turns::{Turn, Turns},
};

/// What a call may bring beside its output: events take room here by their number, whatever is in them.
const FRAMING_BYTES_MAX: usize = 16 * 1024 * 1024;

/// Where the functions of a component are found.
#[derive(Clone, Copy)]
pub(super) enum Exports {
    /// A component of the world `function`.
    Handler {
        /// `weir:function/handler#handle`.
        handle: ComponentExportIndex,
    },
    /// A JavaScript file.
    Script {
        /// What was written while it was loaded.
        loaded: ComponentExportIndex,
        /// Calls the author's `handle`.
        call: ComponentExportIndex,
        /// Waits for the promise that it returned.
        settle: ComponentExportIndex,
    },
}

impl Exports {
    /// Finds the exports of the world `function`.
    pub(super) fn of_component(component: &Component) -> Option<Self> {
        let handler = component.get_export_index(None, HANDLER)?;
        Some(Self::Handler { handle: component.get_export_index(Some(&handler), HANDLE)? })
    }

    /// Finds the exports of the world `script`.
    pub(super) fn of_script(component: &Component) -> Option<Self> {
        let find = |name: &str| component.get_export_index(None, name);
        Some(Self::Script { loaded: find("loaded")?, call: find("call")?, settle: find("settle")? })
    }
}

/// A function that runs in this process. Cloning it shares its instances.
#[derive(Clone)]
pub struct WasmFunction {
    inner: Arc<Inner>,
}

struct Inner {
    shared: Arc<Shared>,
    id: FunctionId,
    code: InstancePre<Host>,
    _hold: Hold,
    exports: Exports,
    options: FunctionOptions,
    settings: Arc<BTreeMap<String, String>>,
    turns: Turns,
    idle: Arc<Idle<Guest>>,
}

/// What a call begins with.
enum Start {
    Guest(Guest),
    Place(Slot),
}

/// What a call leaves to the next one of its batch: the instance, and the turn that lasts longer.
#[derive(Default)]
struct Held<'a> {
    guest: Option<Guest>,
    turn: Option<Turn<'a>>,
}

impl WasmFunction {
    pub(super) fn new(
        shared: &Arc<Shared>,
        id: &FunctionId,
        (code, hold): (InstancePre<Host>, Hold),
        exports: Exports,
        mut options: FunctionOptions,
    ) -> Self {
        let idle_max = match options.instances {
            Instances::Reuse { .. } => shared.options.idle_per_function_max.min(options.concurrency_max),
            Instances::Fresh => 0,
        };
        let inner = Inner {
            shared: Arc::clone(shared),
            id: id.clone(),
            code,
            _hold: hold,
            exports,
            settings: Arc::new(std::mem::take(&mut options.config)),
            turns: Turns::new(options.concurrency_max),
            idle: shared.slots.pool(idle_max),
            options,
        };
        Self { inner: Arc::new(inner) }
    }

    /// Makes the first instance, so that what cannot run is known before the first call.
    pub(super) async fn try_out(&self) -> Result<(), PrepareError> {
        self.inner.try_out().await
    }
}

impl Invoke for WasmFunction {
    fn invoke<'a>(&'a self, call: &'a Call) -> BoxFuture<'a, Result<Outcome, CallError>> {
        Box::pin(self.inner.invoke(call))
    }

    fn invoke_batch<'a>(&'a self, calls: &'a [Call]) -> BoxFuture<'a, Vec<Result<Outcome, CallError>>> {
        // Turns are shared out by mode, and what is made for one call alone leaves nothing to the next.
        let is_reused = matches!(self.inner.options.instances, Instances::Reuse { .. });
        let is_joint = is_reused && calls.iter().all(|call| call.mode == CallMode::Async);
        if is_joint { Box::pin(self.inner.invoke_batch(calls)) } else { Box::pin(one_by_one(self, calls)) }
    }

    fn retire(&self) {
        self.inner.turns.retire();
    }
}

impl Inner {
    async fn invoke(&self, call: &Call) -> Result<Outcome, CallError> {
        let mut held = Held::default();
        let outcome = self.next(call, &mut held).await;
        self.give_back(held);
        outcome
    }

    /// Makes calls from the log one after the other on one instance, for as long as that lasts and nobody waits for its
    /// place.
    async fn invoke_batch(&self, calls: &[Call]) -> Vec<Result<Outcome, CallError>> {
        let mut held = Held::default();
        let mut failed = FailedKeys::default();
        let mut outcomes = Vec::with_capacity(calls.len());
        let mut is_busy = false;
        for call in calls {
            let outcome = if failed.hold(call) {
                Err(CallError::Untried)
            } else if is_busy {
                // What one waited for in vain, the others do not wait for too.
                Err(CallError::Busy)
            } else {
                self.next(call, &mut held).await
            };
            is_busy |= outcome == Err(CallError::Busy);
            failed.note(call, &outcome);
            outcomes.push(outcome);
        }
        self.give_back(held);
        outcomes
    }

    /// Makes one call with what the one before it left, and leaves to the next one what it can use.
    async fn next<'a>(&'a self, call: &Call, held: &mut Held<'a>) -> Result<Outcome, CallError> {
        let own = self.options.timeout;
        // The wait has a time of its own: whoever is not called in it is not to blame for those who are.
        let start = tokio::time::timeout(own, self.begin(call.mode, held)).await.map_err(|_| CallError::Busy)??;
        // From here on it runs, and its time counts.
        let _beat = self.shared.pulse.enter();
        let limit = call.limit(own);
        match tokio::time::timeout(limit, wakes::kept_inside(self.call(start, call))).await {
            Ok((outcome, guest)) => {
                held.guest = guest;
                outcome
            }
            Err(_) => Err(CallError::Timeout { limit }),
        }
    }

    /// Waits for a turn, then for an instance or a place for one, as far as none is held.
    async fn begin<'a>(&'a self, mode: CallMode, held: &mut Held<'a>) -> Result<Start, CallError> {
        if held.turn.is_none() {
            held.turn = Some(self.turns.take(mode).await?);
        }
        let slots = &self.shared.slots;
        // Those who wait for a place, of this function or another, are not to wait for the end of a batch.
        if slots.is_awaited() {
            held.guest = None;
        }
        let start = match held.guest.take().or_else(|| self.idle.take()) {
            Some(guest) => Start::Guest(guest),
            None => Start::Place(slots.acquire().await),
        };
        // The wait for a place may have been long as well, and so may the calls before this one.
        self.turns.check(mode)?;
        Ok(start)
    }

    /// Calls once, and returns the instance where it can be called again.
    async fn call(&self, start: Start, call: &Call) -> (Result<Outcome, CallError>, Option<Guest>) {
        let made = match start {
            Start::Guest(guest) => Ok(guest),
            Start::Place(slot) => self.guest(slot).await,
        };
        match made {
            Ok(mut guest) => {
                let outcome = guest.call(call, self.bounds()).await;
                (outcome, self.is_reusable(&guest).then_some(guest))
            }
            Err(error) => (Err(error), None),
        }
    }

    fn bounds(&self) -> Bounds {
        let FunctionOptions { memory_bytes_max, output_bytes_max, events_max, .. } = self.options;
        Bounds { memory_bytes_max, output_bytes_max, events_max }
    }

    fn is_reusable(&self, guest: &Guest) -> bool {
        matches!(self.options.instances, Instances::Reuse { calls_max } if guest.is_reusable(calls_max))
    }

    /// Keeps the instance for other calls. The turn ends after that.
    fn give_back(&self, held: Held<'_>) {
        let Held { guest, turn: _turn } = held;
        if let Some(guest) = guest {
            self.shared.slots.keep(&self.idle, guest);
        }
    }

    async fn guest(&self, slot: Slot) -> Result<Guest, CallError> {
        let shared = &self.shared;
        let voice = Arc::new(Voice::new(self.id.clone(), Arc::clone(&shared.options.log)));
        let limit_bytes = self.options.memory_bytes_max;
        let host = Host::new(&shared.options, &voice, &self.settings, limit_bytes);
        let mut store = Store::new(&shared.engine, host);
        store.limiter(|host| &mut host.memory);
        store.set_hostcall_fuel(self.options.output_bytes_max.saturating_add(FRAMING_BYTES_MAX));
        // At every tick the guest gives its thread back; the timer around the call ends it.
        store.epoch_deadline_async_yield_and_update(1);
        store.set_epoch_deadline(1);
        match self.entry(&mut store).await {
            Ok(entry) => Ok(Guest::new(store, entry, voice, slot)),
            Err(_) if store.data().memory.is_refused => Err(CallError::OutOfMemory { limit_bytes }),
            Err(error) => Err(CallError::Instance { message: format!("{error:#}") }),
        }
    }

    async fn entry(&self, store: &mut Store<Host>) -> wasmtime::Result<Entry> {
        let instance = self.code.instantiate_async(&mut *store).await?;
        let mut find = |index: ComponentExportIndex| {
            let found = instance.get_func(&mut *store, index);
            found.ok_or_else(|| wasmtime::Error::msg("an export is no function"))
        };
        Ok(match self.exports {
            Exports::Handler { handle } => Entry::Handler { handle: find(handle)? },
            Exports::Script { loaded, call, settle } => {
                Entry::Script { loaded: find(loaded)?, call: find(call)?, settle: find(settle)? }
            }
        })
    }

    async fn try_out(&self) -> Result<(), PrepareError> {
        let limit = self.options.timeout.min(PLACE_TIMEOUT);
        let slot = self.shared.slots.acquire_within(limit).await.ok_or(PrepareError::Busy { limit })?;
        let _beat = self.shared.pulse.enter();
        let limit = self.options.timeout.min(self.shared.options.load_timeout);
        let tried = tokio::time::timeout(limit, async {
            let mut guest = self.guest(slot).await.map_err(PrepareError::start)?;
            guest.check().map_err(PrepareError::world)?;
            let lines = guest.loaded().await.map_err(|error| PrepareError::Start { message: format!("{error:#}") })?;
            for line in lines {
                self.shared.options.log.line(&self.id, "", GuestLevel::Info, &line);
            }
            if self.is_reusable(&guest) {
                self.shared.slots.keep(&self.idle, guest);
            }
            Ok::<(), PrepareError>(())
        });
        tried.await.unwrap_or_else(|_| Err(PrepareError::start(CallError::Timeout { limit })))
    }
}
