//! From the declaration of a function to something that can be called.

use std::sync::Arc;

use futures_util::future::BoxFuture;
use weir_catalog::{Function, FunctionKind};
use weir_domain::ErrorKind;
use weir_functions::{Call, CallError, Invoke, Outcome};

/// Makes functions ready to be called.
pub trait MakeFunction: Send + Sync + 'static {
    /// Makes one ready. Several are made at the same time, and the time that one takes is bounded by whoever makes it.
    ///
    /// # Errors
    /// Where the declaration or its code is no good, which is [`ErrorKind::Invalid`] and for its author; where there was no
    /// room or no time for it, [`ErrorKind::Unavailable`]; where the platform failed, [`ErrorKind::Internal`].
    fn make<'a>(&'a self, function: &'a Function) -> BoxFuture<'a, Result<Arc<dyn Invoke>, MakeError>>;
}

/// Why a function could not be made ready.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct MakeError {
    message: String,
    kind: ErrorKind,
    cure: &'static str,
}

impl MakeError {
    /// Says what is wrong, and what to do about it in a sentence of its own.
    #[must_use]
    pub fn new(kind: ErrorKind, message: impl Into<String>, cure: &'static str) -> Self {
        Self { message: message.into(), kind, cure }
    }

    /// Tells what the reader must do next.
    #[must_use]
    pub const fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// Returns what to do about it, in words.
    #[must_use]
    pub const fn cure(&self) -> &'static str {
        self.cure
    }
}

/// Tells whether making a function ready means to compile code, which is done beside other changes of the configuration. What
/// is only an address is ready at once.
pub(crate) fn compiles(function: &Function) -> bool {
    match function.kind {
        FunctionKind::Wasm { .. } => true,
        FunctionKind::Http { .. } | FunctionKind::Aws(_) | FunctionKind::Builtin { .. } => false,
    }
}

/// Stands in for a function whose code could not be made ready at a start: every call says why and counts as none, so that
/// the rest of the server runs and the subscription waits.
pub(crate) struct Unready {
    pub(crate) detail: String,
}

impl Invoke for Unready {
    fn invoke<'a>(&'a self, _call: &'a Call) -> BoxFuture<'a, Result<Outcome, CallError>> {
        let error = CallError::NotReady { message: self.detail.clone() };
        Box::pin(std::future::ready(Err(error)))
    }
}
