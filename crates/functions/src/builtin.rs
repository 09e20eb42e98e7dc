//! Functions that are part of the platform: nothing is prepared, nothing is waited for, and no call of them fails.

use std::{
    future,
    sync::atomic::{AtomicU64, Ordering::Relaxed},
};

use bytestring::ByteString;
use futures_util::future::BoxFuture;

use crate::{Call, CallError, CallMode, HttpAnswer, Invoke, Outcome};

/// A function that is part of the platform.
#[derive(Debug)]
pub struct BuiltinFunction {
    counted: AtomicU64,
}

impl BuiltinFunction {
    /// Makes a function that counts its calls, from 0. No events come of it; who waits is told the number, this call
    /// included: an HTTP caller as `{"count":7}`, who asks for a value as `7`.
    #[must_use]
    pub fn count() -> Self {
        Self { counted: AtomicU64::new(0) }
    }

    /// Returns how many events were counted.
    #[must_use]
    pub fn counted(&self) -> u64 {
        self.counted.load(Relaxed)
    }

    fn call(&self, mode: CallMode) -> Outcome {
        let count = self.counted.fetch_add(1, Relaxed) + 1;
        match mode {
            CallMode::Async => Outcome::Events(Vec::new()),
            CallMode::Sync => Outcome::Answer(HttpAnswer {
                status: 200,
                headers: vec![("content-type".to_owned(), "application/json".to_owned())],
                body: format!("{{\"count\":{count}}}").into(),
            }),
            CallMode::Value => Outcome::Value(ByteString::from(count.to_string())),
        }
    }
}

impl Invoke for BuiltinFunction {
    fn invoke<'a>(&'a self, call: &'a Call) -> BoxFuture<'a, Result<Outcome, CallError>> {
        Box::pin(future::ready(Ok(self.call(call.mode))))
    }

    fn invoke_batch<'a>(&'a self, calls: &'a [Call]) -> BoxFuture<'a, Vec<Result<Outcome, CallError>>> {
        Box::pin(future::ready(calls.iter().map(|call| Ok(self.call(call.mode))).collect()))
    }

    fn takes_batches(&self) -> bool {
        true
    }
}

#[cfg(test)]
mod tests {
    use weir_domain::{Event, FunctionId};

    use super::*;

    #[tokio::test]
    async fn every_event_is_counted_and_who_waits_is_told() {
        let call = |mode| Call {
            event: Event::builder("1", "/s", "t").build().expect("valid"),
            key: None,
            function: FunctionId::new("f").expect("valid"),
            subscription: "s".into(),
            attempt: 1,
            mode,
            span: None,
            timeout: None,
        };
        let count = BuiltinFunction::count();
        let nothing = || Ok(Outcome::Events(Vec::new()));
        assert_eq!(count.invoke(&call(CallMode::Async)).await, nothing());
        let batch = [call(CallMode::Async), call(CallMode::Async), call(CallMode::Value)];
        assert_eq!(count.invoke_batch(&batch).await, [nothing(), nothing(), Ok(Outcome::Value("4".into()))]);
        let headers = vec![("content-type".to_owned(), "application/json".to_owned())];
        let answer = HttpAnswer { status: 200, headers, body: r#"{"count":5}"#.into() };
        assert_eq!(count.invoke(&call(CallMode::Sync)).await, Ok(Outcome::Answer(answer)));
        assert_eq!(count.counted(), 5);
    }
}
