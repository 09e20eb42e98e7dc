//! From the declaration of a function to something that can be called.

use std::sync::Arc;

use futures_util::future::BoxFuture;
use weir_catalog::Function;
use weir_functions::{Call, CallError, Invoke, Outcome};

/// Makes functions ready to be called.
pub trait MakeFunction: Send + Sync + 'static {
    /// Makes one ready; the error is for its author.
    fn make<'a>(&'a self, function: &'a Function) -> BoxFuture<'a, Result<Arc<dyn Invoke>, String>>;
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
