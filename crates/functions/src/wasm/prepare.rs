//! From code to a function that can be called: componentize, compile, link, try out.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use wasmtime::component::Component;

use weir_domain::{ErrorKind, FunctionId};

use super::{
    Code, FunctionOptions, Instances, Shared, WasmFunction,
    artifact::{Compiled, Key},
    function::Exports,
    quickjs, script,
};
use crate::CallError;

/// How long loading and compiling may take together. The top level of a file has a limit of its own, see
/// [`RuntimeOptions::load_timeout`](super::RuntimeOptions::load_timeout).
const BUILD_TIMEOUT: Duration = Duration::from_secs(60);
/// Few functions are made at the same time: whoever waited longer for a place would hold up all the others.
pub(super) const PLACE_TIMEOUT: Duration = Duration::from_secs(10);

/// The first bytes of a component, and of a module, which is none.
const COMPONENT: &[u8] = b"\0asm\x0d\0\x01\0";
const MODULE: &[u8] = b"\0asm\x01\0\0\0";

/// Why a function could not be made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PrepareError {
    /// The JavaScript file does not parse.
    #[error("the file has a syntax error at line {line}, column {column}: {message}")]
    Syntax {
        /// Line in the author's file, counted from 1.
        line: u32,
        /// Column in the line, counted from 1.
        column: u32,
        /// What QuickJS says.
        message: String,
    },
    /// The JavaScript file imports something.
    #[error("a function is one file and imports nothing, put what it needs into it: {module:?}")]
    Import {
        /// What it imports.
        module: String,
    },
    /// The top level of the JavaScript file threw.
    #[error("the file failed while it was loaded: {message}")]
    Load {
        /// What it threw, and where.
        message: String,
    },
    /// The top level of the JavaScript file does not end.
    #[error(
        "the file did not finish loading, mend the endless loop at its top level or do less there: the limit is {} ms",
        .limit.as_millis()
    )]
    Slow {
        /// How long it may take.
        limit: Duration,
    },
    /// Loading and compiling the code took too long.
    #[error("the function was not compiled in time, make its code smaller or repeat it later: the limit is {} s", .limit.as_secs())]
    Unfinished {
        /// How long was waited.
        limit: Duration,
    },
    /// The JavaScript file has no handler.
    #[error(
        "the file exports no function with the name handle: write `export function handle(event, context) {{ … }}`"
    )]
    NoHandler,
    /// The bytes are no component.
    #[error("this is no WebAssembly component: {problem}")]
    NotAComponent {
        /// What it is instead.
        problem: String,
    },
    /// The component is of another world.
    #[error("the component does not fit the world weir:function/function of this version: {problem}")]
    World {
        /// Which import or export differs.
        problem: String,
    },
    /// An option is out of bounds.
    #[error("{problem}")]
    Options {
        /// Which, and what would be right.
        problem: String,
    },
    /// The component needs more memory than it may have before it does anything.
    #[error("the function needs more memory to begin with than it may have: raise its limit of {limit_bytes} bytes")]
    Memory {
        /// The most memory of one instance.
        limit_bytes: usize,
    },
    /// The first instance could not be made.
    #[error("the function cannot be started: {message}")]
    Start {
        /// What went wrong.
        message: String,
    },
    /// Calls of other functions held all places for instances.
    #[error("no place became free to try the function out, repeat it later: the limit is {} ms", .limit.as_millis())]
    Busy {
        /// How long was waited.
        limit: Duration,
    },
    /// Something went wrong that the author did not cause.
    #[error("the function cannot be made: {message}")]
    Internal {
        /// What went wrong.
        message: String,
    },
}

impl PrepareError {
    /// Returns what the reader must do next.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Internal { .. } => ErrorKind::Internal,
            Self::Busy { .. } => ErrorKind::Unavailable { retry_after: None },
            // What was begun still takes a processor.
            Self::Unfinished { limit } => ErrorKind::Unavailable { retry_after: Some(*limit) },
            _ => ErrorKind::Invalid,
        }
    }

    /// Returns what to do about it, in one sentence for its author or operator.
    #[must_use]
    pub const fn cure(&self) -> &'static str {
        match self {
            Self::Slow { .. } => "end the loop at the top level of the file, or do less there, and send it again",
            Self::Options { .. } => "correct the limits of the function and send it again",
            Self::Memory { .. } => "raise the memory limit of the function, or let it need less, and send it again",
            Self::Unfinished { .. } => "repeat it later, or make the code smaller",
            Self::Busy { .. } => "repeat it later",
            Self::Internal { .. } => "look into the log of the server",
            Self::Syntax { .. }
            | Self::Import { .. }
            | Self::Load { .. }
            | Self::NoHandler
            | Self::NotAComponent { .. }
            | Self::World { .. }
            | Self::Start { .. } => "correct the code of the function and send it again",
        }
    }

    pub(super) fn world(error: wasmtime::Error) -> Self {
        Self::World { problem: format!("{error:#}") }
    }

    pub(super) fn start(error: CallError) -> Self {
        match error {
            CallError::OutOfMemory { limit_bytes } => Self::Memory { limit_bytes },
            CallError::Instance { message } => Self::Start { message },
            other => Self::Start { message: other.to_string() },
        }
    }
}

pub(super) async fn prepare(
    shared: &Arc<Shared>,
    id: &FunctionId,
    code: Code,
    options: FunctionOptions,
) -> Result<WasmFunction, PrepareError> {
    check(shared, &options)?;
    let exports_of: fn(&Component) -> Option<Exports> = match &code {
        Code::JavaScript(_) => Exports::of_script,
        Code::Component(bytes) => {
            check_component(bytes)?;
            Exports::of_component
        }
    };
    let Compiled { component, hold } = build(shared, id, code).await?;
    let pre = shared.linker.instantiate_pre(&component).map_err(PrepareError::world)?;
    let exports = exports_of(&component).ok_or_else(|| PrepareError::World {
        problem: "it does not export the interface weir:function/handler@0.1.0".into(),
    })?;
    let function = WasmFunction::new(shared, id, (pre, hold), exports, options);
    function.try_out().await?;
    Ok(function)
}

fn check(shared: &Shared, options: &FunctionOptions) -> Result<(), PrepareError> {
    let refuse = |problem: String| Err(PrepareError::Options { problem });
    let memory_bytes_max = shared.options.memory_bytes_max;
    if options.memory_bytes_max > memory_bytes_max {
        return refuse(format!(
            "the memory of a function must not exceed that of the server: ask for at most {memory_bytes_max} bytes, not {}",
            options.memory_bytes_max
        ));
    }
    if options.timeout.is_zero() {
        return refuse("the time limit of a function must be more than 0".into());
    }
    if options.concurrency_max == 0 {
        return refuse("the number of calls at once must be at least 1".into());
    }
    if options.instances == (Instances::Reuse { calls_max: 0 }) {
        return refuse("the number of calls of one instance must be at least 1".into());
    }
    Ok(())
}

fn check_component(bytes: &[u8]) -> Result<(), PrepareError> {
    let problem = if bytes.starts_with(COMPONENT) {
        return Ok(());
    } else if bytes.starts_with(MODULE) {
        "it is a core module, make a component of it first (wasm-tools component new)"
    } else {
        "it does not begin as one"
    };
    Err(PrepareError::NotAComponent { problem: problem.into() })
}

/// Compiles code on a blocking thread.
async fn build(shared: &Arc<Shared>, id: &FunctionId, code: Code) -> Result<Compiled, PrepareError> {
    let _turn = shared.builds.acquire().await.expect("the semaphore is never closed");
    let (worker, id) = (Arc::clone(shared), id.clone());
    #[expect(clippy::disallowed_methods, reason = "awaited on the spot; a build keeps a core busy for a second")]
    let built = tokio::task::spawn_blocking(move || match code {
        Code::JavaScript(source) => build_script(&worker, &id, &source),
        Code::Component(bytes) => build_component(&worker, &bytes),
    });
    match tokio::time::timeout(BUILD_TIMEOUT, built).await {
        Ok(Ok(built)) => built,
        Ok(Err(error)) => Err(PrepareError::Internal { message: error.to_string() }),
        // A guest ends by itself earlier; the place is free for others.
        Err(_) => Err(PrepareError::Unfinished { limit: BUILD_TIMEOUT }),
    }
}

fn build_script(shared: &Shared, id: &FunctionId, source: &str) -> Result<Compiled, PrepareError> {
    let (base, key) = (quickjs::key(&shared.engine), script::key(&shared.engine, source));
    if let Some(compiled) = shared.artifacts.load_descendant(&shared.engine, base, key) {
        return Ok(compiled);
    }
    let component = script::make(shared, source, id)?;
    let compiled = shared.artifacts.compile_descendant(&shared.engine, base, key, &component);
    compiled.map_err(|error| PrepareError::Internal { message: format!("{error:#}") })
}

fn build_component(shared: &Shared, bytes: &Bytes) -> Result<Compiled, PrepareError> {
    let key = Key::new(&shared.engine, &[b"component".as_slice(), bytes.as_ref()]);
    if let Some(compiled) = shared.artifacts.load(&shared.engine, key) {
        return Ok(compiled);
    }
    let compiled = shared.artifacts.compile(&shared.engine, key, bytes);
    compiled.map_err(|error| PrepareError::NotAComponent { problem: format!("{error:#}") })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_nobodys_fault_may_be_repeated() {
        let limit = Duration::from_secs(60);
        let check = |error: PrepareError, kind: ErrorKind, cure: &str| {
            assert_eq!((error.kind(), error.cure()), (kind, cure), "{error}");
        };
        check(PrepareError::Busy { limit }, ErrorKind::Unavailable { retry_after: None }, "repeat it later");
        let later = ErrorKind::Unavailable { retry_after: Some(limit) };
        check(PrepareError::Unfinished { limit }, later, "repeat it later, or make the code smaller");
        let slow = "end the loop at the top level of the file, or do less there, and send it again";
        check(PrepareError::Slow { limit }, ErrorKind::Invalid, slow);
        check(PrepareError::NoHandler, ErrorKind::Invalid, "correct the code of the function and send it again");
    }
}
