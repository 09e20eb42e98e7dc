//! Functions made of closures, which remember their calls.

use std::sync::Arc;

use futures_util::future::{BoxFuture, FutureExt};
use parking_lot::Mutex;
use weir_functions::{Call, CallError, Invoke, Outcome};

/// The calls that a function was given, as event id and attempt, in the order of their beginning.
#[derive(Clone, Debug, Default)]
pub struct Calls(Arc<Mutex<Vec<(String, u32)>>>);

impl Calls {
    /// Returns all calls so far.
    #[must_use]
    pub fn all(&self) -> Vec<(String, u32)> {
        self.0.lock().clone()
    }

    /// Returns the number of calls so far.
    #[must_use]
    pub fn count(&self) -> usize {
        self.0.lock().len()
    }
}

type Body = dyn Fn(Call) -> BoxFuture<'static, Result<Outcome, CallError>> + Send + Sync;

/// A function made of a closure.
#[derive(Clone)]
pub struct FakeFunction {
    calls: Calls,
    body: Arc<Body>,
}

impl FakeFunction {
    /// Makes a function of an async closure.
    pub fn new<F, R>(body: F) -> Self
    where
        F: Fn(Call) -> R + Send + Sync + 'static,
        R: Future<Output = Result<Outcome, CallError>> + Send + 'static,
    {
        Self { calls: Calls::default(), body: Arc::new(move |call| body(call).boxed()) }
    }

    /// A function that returns nothing.
    #[must_use]
    pub fn silent() -> Self {
        Self::new(|_| async { Ok(Outcome::Events(Vec::new())) })
    }

    /// Returns the record of its calls.
    #[must_use]
    pub fn calls(&self) -> Calls {
        self.calls.clone()
    }
}

impl Invoke for FakeFunction {
    fn invoke<'a>(&'a self, call: &'a Call) -> BoxFuture<'a, Result<Outcome, CallError>> {
        self.calls.0.lock().push((call.event.id().to_owned(), call.attempt));
        (self.body)(call.clone())
    }
}
