//! From the declaration of a function to something that can be called.

use std::sync::Arc;

use futures_util::future::BoxFuture;
use weir_catalog::{Function, FunctionKind};
use weir_functions::{Call, CallError, Invoke, Outcome};

/// Makes functions ready to be called.
pub trait MakeFunction: Send + Sync + 'static {
    /// Makes one ready; the error is for its author. Several are made at the same time, and the time that one takes is
    /// bounded by whoever makes it.
    fn make<'a>(&'a self, function: &'a Function) -> BoxFuture<'a, Result<Arc<dyn Invoke>, String>>;
}

/// Tells whether making a function ready means to compile code, which is done beside other changes of the configuration. What
/// is only an address is ready at once.
pub(crate) fn compiles(function: &Function) -> bool {
    match function.kind {
        FunctionKind::Wasm { .. } => true,
        FunctionKind::Http { .. } | FunctionKind::Aws(_) => false,
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
