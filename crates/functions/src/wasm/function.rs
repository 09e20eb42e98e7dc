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
    Idle(Guest),
    Place(Slot),
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

    fn retire(&self) {
        self.inner.turns.retire();
    }
}

impl Inner {
    async fn invoke(&self, call: &Call) -> Result<Outcome, CallError> {
        let limit = self.options.timeout;
        // The wait has a time of its own: whoever is not called in it is not to blame for those who are.
        let (_turn, start) =
            tokio::time::timeout(limit, self.begin(call.mode)).await.map_err(|_| CallError::Busy)??;
        // From here on it runs, and its time counts.
        let _beat = self.shared.pulse.enter();
        match tokio::time::timeout(limit, wakes::kept_inside(self.call(start, call))).await {
            Ok(outcome) => outcome,
            Err(_) => Err(CallError::Timeout { limit }),
        }
    }

    /// Waits for a turn, then for an instance or a place for one.
    async fn begin(&self, mode: CallMode) -> Result<(Turn<'_>, Start), CallError> {
        let turn = self.turns.take(mode).await?;
        let start = match self.idle.take() {
            Some(guest) => Start::Idle(guest),
            None => Start::Place(self.shared.slots.acquire().await),
        };
        // The wait for a place may have been long as well.
        self.turns.check(mode)?;
        Ok((turn, start))
    }

    async fn call(&self, start: Start, call: &Call) -> Result<Outcome, CallError> {
        let mut guest = match start {
            Start::Idle(guest) => guest,
            Start::Place(slot) => self.guest(slot).await?,
        };
        let outcome = guest.call(call, self.bounds()).await;
        self.give_back(guest);
        outcome
    }

    fn bounds(&self) -> Bounds {
        let FunctionOptions { memory_bytes_max, output_bytes_max, events_max, .. } = self.options;
        Bounds { memory_bytes_max, output_bytes_max, events_max }
    }

    fn give_back(&self, guest: Guest) {
        match self.options.instances {
            Instances::Reuse { calls_max } if guest.is_reusable(calls_max) => {
                self.shared.slots.keep(&self.idle, guest);
            }
            Instances::Reuse { .. } | Instances::Fresh => drop(guest),
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
            self.give_back(guest);
            Ok::<(), PrepareError>(())
        });
        tried.await.unwrap_or_else(|_| Err(PrepareError::start(CallError::Timeout { limit })))
    }
}
