//! Functions as WebAssembly components, run by wasmtime in this process.
//!
//! # How a call runs
//!
//! Each function keeps a bounded stack of idle instances, newest on top. A call takes one, or makes one from the
//! copy-on-write snapshot, and gives it back unless it was the last call of that instance, or the instance trapped, ran
//! out of time or of memory. With [`Instances::Fresh`] every call makes its own. Calls of one batch share an instance
//! and their turn.
//!
//! Guests run on fibers: at every tick of the [`Ticker`] a running guest gives its thread back to the async runtime, so
//! that one which never ends holds up nobody, and its time limit is an ordinary timer. Instances without a fiber would save
//! a microsecond per call, and could not be interrupted without a thread for each. The checks that make the tick seen
//! cost a sixth of the speed of the guest; nothing else stops a loop.
//!
//! # What a guest can reach
//!
//! The log, its own settings, clocks, random numbers, and standard output and error, which are lines in the log. There
//! is no file system, no network and no environment.
//!
//! # What a JavaScript author has to know
//!
//! The file is loaded once, when it is prepared: its top level runs then, and every instance begins with what it left
//! behind. `Date` at the top level is the time of that moment, even of an earlier run where the artefact was kept.
//! `Math.random` in a call is seeded anew in each instance. There are no timers and no network, so a promise is settled by
//! computing alone; work that nobody awaits is not run to its end.

mod artifact;
mod component;
mod engine;
mod fragments;
mod function;
mod guest;
mod host;
mod options;
mod prepare;
mod pulse;
mod quickjs;
mod reply;
mod script;
mod slots;
mod stdio;
mod voice;
mod wakes;

use std::sync::Arc;

use tokio::sync::Semaphore;
use wasmtime::{Engine, component::Linker};

use weir_domain::FunctionId;

use self::{artifact::Artifacts, fragments::Fragments, host::Host, pulse::Pulse, quickjs::Bases, slots::Slots};

pub use self::{
    function::WasmFunction,
    options::{Code, FunctionOptions, Instances, RuntimeError, RuntimeOptions},
    prepare::PrepareError,
    pulse::{Ticker, TickerStop},
};

/// Preparing is heavy on processor and memory, and compiling already uses all cores.
const BUILDS_AT_ONCE_MAX: usize = 2;

/// Runs WebAssembly functions. One for the whole process; cloning it shares everything.
///
/// [`ticker`](Self::ticker) must be driven for as long as functions are called.
#[derive(Clone)]
pub struct WasmRuntime {
    shared: Arc<Shared>,
}

/// What all functions of a runtime share.
pub(crate) struct Shared {
    engine: Engine,
    linker: Linker<Host>,
    slots: Slots,
    pulse: Arc<Pulse>,
    artifacts: Artifacts,
    bases: Bases,
    builds: Semaphore,
    options: RuntimeOptions,
}

impl WasmRuntime {
    /// Makes a runtime: reserves address space, compiles nothing, starts nothing.
    ///
    /// # Errors
    /// Where the options contradict themselves, the machine refuses the address space, or the folder for artefacts
    /// cannot be made.
    pub fn new(options: RuntimeOptions) -> Result<Self, RuntimeError> {
        options.check()?;
        let fragments = Arc::new(Fragments::default());
        let engine = engine::new(&options, &fragments).map_err(RuntimeError::engine)?;
        let linker = host::linker(&engine).map_err(RuntimeError::engine)?;
        let artifacts = Artifacts::open(options.cache_dir.clone(), fragments).map_err(RuntimeError::CacheDir)?;
        let shared = Shared {
            slots: Slots::new(options.instances_max as usize),
            pulse: Arc::new(Pulse::new()),
            builds: Semaphore::new(BUILDS_AT_ONCE_MAX),
            engine,
            linker,
            artifacts,
            bases: Bases::default(),
            options,
        };
        Ok(Self { shared: Arc::new(shared) })
    }

    /// Returns the component that ends functions which do not end by themselves.
    #[must_use]
    pub fn ticker(&self) -> Ticker {
        Ticker::new(self.shared.engine.clone(), Arc::clone(&self.shared.pulse), self.shared.options.tick)
    }

    /// Makes a function of code: a fraction of a second of work for JavaScript, a second more where the runtime itself was
    /// never compiled before, next to none where the artefact was kept.
    ///
    /// The work is done on the blocking threads of the tokio runtime on which this is awaited.
    ///
    /// # Errors
    /// Where the code does not compile, does not fit the world of functions, or an option is beyond the limits of the
    /// runtime.
    pub async fn prepare(
        &self,
        id: &FunctionId,
        code: Code,
        options: FunctionOptions,
    ) -> Result<WasmFunction, PrepareError> {
        prepare::prepare(&self.shared, id, code, options).await
    }
}
