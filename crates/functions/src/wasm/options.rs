//! What a runtime and a function are given: settings, ports and code, with their bounds.

use std::{collections::BTreeMap, io, path::PathBuf, sync::Arc, time::Duration};

use bytes::Bytes;

use weir_domain::{Clock, ErrorKind, Ids, Limits};

use crate::GuestLog;

/// Settings and ports of a [`WasmRuntime`](crate::WasmRuntime).
#[derive(Clone)]
pub struct RuntimeOptions {
    /// Instances of all functions together, busy and idle. Calls beyond wait for one.
    pub instances_max: u32,
    /// Idle instances that one function keeps: as many as threads run calls is enough.
    pub idle_per_function_max: usize,
    /// The most memory that a function may be given for one instance. It costs address space only.
    pub memory_bytes_max: usize,
    /// Where compiled code is kept between runs; `None` keeps nothing.
    pub cache_dir: Option<PathBuf>,
    /// How long a guest runs before others get their turn, and how exact time limits are.
    pub tick: Duration,
    /// How long the top level of a JavaScript file may run when it is loaded, and what a component does when it is started.
    pub load_timeout: Duration,
    /// What guests read as the time.
    pub clock: Arc<dyn Clock>,
    /// What seeds the random numbers of guests.
    pub ids: Arc<dyn Ids>,
    /// Takes the lines that guests write.
    pub log: Arc<dyn GuestLog>,
}

impl RuntimeOptions {
    /// Returns the default settings with these ports.
    #[must_use]
    pub fn new(clock: Arc<dyn Clock>, ids: Arc<dyn Ids>, log: Arc<dyn GuestLog>) -> Self {
        Self {
            instances_max: 128,
            idle_per_function_max: 8,
            memory_bytes_max: 1024 * 1024 * 1024,
            cache_dir: None,
            tick: Duration::from_millis(1),
            load_timeout: Duration::from_secs(5),
            clock,
            ids,
            log,
        }
    }

    pub(super) fn check(&self) -> Result<(), RuntimeError> {
        // Each instance takes several gigabytes of address space, of which there are 128 tebibytes.
        const INSTANCES_MAX: u32 = 2048;
        // What 32-bit WebAssembly can address.
        const MEMORY_BYTES_MAX: usize = 4 * 1024 * 1024 * 1024 - 65_536;
        let options = |problem| Err(RuntimeError::Options { problem });
        if !(1..=INSTANCES_MAX).contains(&self.instances_max) {
            return options("the number of instances must be from 1 to 2048");
        }
        if !(65_536..=MEMORY_BYTES_MAX).contains(&self.memory_bytes_max) {
            return options("the memory of an instance must be from 64 KiB to 4 GiB less 64 KiB");
        }
        if self.tick < Duration::from_micros(100) || self.tick > Duration::from_secs(1) {
            return options("the tick must be from 100 µs to 1 s");
        }
        Ok(())
    }
}

/// Why a runtime could not be made.
#[derive(Debug, thiserror::Error)]
pub enum RuntimeError {
    /// A setting is out of its bounds.
    #[error("{problem}")]
    Options {
        /// Which, and what would be right.
        problem: &'static str,
    },
    /// wasmtime refused, usually because the machine limits the address space of a process.
    #[error(
        "the WebAssembly engine cannot be made, allow more address space (ulimit -v) or fewer instances: {message}"
    )]
    Engine {
        /// What it said.
        message: String,
    },
    /// The folder for compiled code cannot be made.
    #[error("the folder for compiled functions cannot be made")]
    CacheDir(#[source] io::Error),
}

impl RuntimeError {
    pub(super) fn engine(error: wasmtime::Error) -> Self {
        Self::Engine { message: format!("{error:#}") }
    }

    /// Returns what the reader must do next.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Options { .. } => ErrorKind::Invalid,
            Self::Engine { .. } | Self::CacheDir(_) => ErrorKind::Internal,
        }
    }
}

/// What a function is made of.
#[derive(Clone)]
pub enum Code {
    /// The source of one JavaScript file.
    JavaScript(Arc<str>),
    /// A WebAssembly component of the world `weir:function/function`, in its binary form.
    Component(Bytes),
}

/// How long one instance lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Instances {
    /// For a bounded number of calls; a trap, a time-out or too little memory ends it earlier.
    Reuse {
        /// After how many calls a new instance is made.
        calls_max: u32,
    },
    /// For one call.
    Fresh,
}

impl Default for Instances {
    fn default() -> Self {
        Self::Reuse { calls_max: 1000 }
    }
}

/// Settings of one function.
#[derive(Clone, Debug)]
pub struct FunctionOptions {
    /// How long one instance lives.
    pub instances: Instances,
    /// How long one call may take. Before it a call waits for its turn and an instance, at most as long again.
    pub timeout: Duration,
    /// The most memory of one instance.
    pub memory_bytes_max: usize,
    /// The most that one call may return, names and values of all it consists of.
    pub output_bytes_max: usize,
    /// How many events one call may return.
    pub events_max: usize,
    /// How many calls may be under way at once, three quarters of them from the log; further ones wait. Guests only
    /// compute, so more than there are cores helps nobody but calls that are short among some that are long.
    pub concurrency_max: usize,
    /// What the function reads as its settings.
    pub config: BTreeMap<String, String>,
}

impl Default for FunctionOptions {
    fn default() -> Self {
        Self {
            instances: Instances::default(),
            timeout: Duration::from_secs(5),
            memory_bytes_max: 64 * 1024 * 1024,
            output_bytes_max: 16 * 1024 * 1024,
            events_max: Limits::default().batch_events_max,
            concurrency_max: 16,
            config: BTreeMap::new(),
        }
    }
}
