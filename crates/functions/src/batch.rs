//! Several calls one after the other. Order is kept by key: where an event failed, later ones of its key are not tried.

use std::collections::HashSet;

use crate::{Call, CallError, Invoke, Outcome};

/// The keys of which an event failed. Calls without a key stand alone.
#[derive(Default)]
pub(crate) struct FailedKeys<'a>(HashSet<&'a str>);

impl<'a> FailedKeys<'a> {
    /// Tells whether a call must not be made.
    pub(crate) fn hold(&self, call: &Call) -> bool {
        call.key.as_ref().is_some_and(|key| self.0.contains(key.as_str()))
    }

    /// Takes note of what a call came to.
    pub(crate) fn note(&mut self, call: &'a Call, outcome: &Result<Outcome, CallError>) {
        if let (Some(key), Err(_)) = (&call.key, outcome) {
            self.0.insert(key.as_str());
        }
    }
}

/// Makes calls one after the other, each on its own, and returns what each came to.
pub(crate) async fn one_by_one(function: &(impl Invoke + ?Sized), calls: &[Call]) -> Vec<Result<Outcome, CallError>> {
    let mut failed = FailedKeys::default();
    let mut outcomes = Vec::with_capacity(calls.len());
    for call in calls {
        let outcome = if failed.hold(call) { Err(CallError::Untried) } else { function.invoke(call).await };
        failed.note(call, &outcome);
        outcomes.push(outcome);
    }
    outcomes
}

#[cfg(test)]
mod tests {
    use futures_util::future::BoxFuture;
    use parking_lot::Mutex;

    use weir_domain::{Event, FunctionId, Key};

    use super::*;
    use crate::CallMode;

    /// Fails for events of the type `bad`, and remembers the ids of those that it was called with.
    #[derive(Default)]
    struct Choosy(Mutex<Vec<String>>);

    impl Invoke for Choosy {
        fn invoke<'a>(&'a self, call: &'a Call) -> BoxFuture<'a, Result<Outcome, CallError>> {
            self.0.lock().push(call.event.id().to_owned());
            let is_bad = call.event.event_type() == "bad";
            let outcome = if is_bad { Err(CallError::Busy) } else { Ok(Outcome::Events(Vec::new())) };
            Box::pin(std::future::ready(outcome))
        }
    }

    fn call(id: &str, event_type: &str, key: Option<&str>) -> Call {
        Call {
            event: Event::builder(id, "/s", event_type).build().expect("valid"),
            key: key.and_then(Key::new),
            function: FunctionId::new("f").expect("valid"),
            subscription: "s".into(),
            attempt: 1,
            mode: CallMode::Async,
            span: None,
            timeout: None,
        }
    }

    #[tokio::test]
    async fn after_a_failure_the_rest_of_its_key_is_not_tried() {
        let calls = [
            call("1", "good", Some("a")),
            call("2", "bad", Some("a")),
            call("3", "good", Some("b")),
            call("4", "good", Some("a")),
            call("5", "bad", None),
            call("6", "good", None),
            call("7", "good", Some("a")),
        ];
        let choosy = Choosy::default();
        // As it is called from elsewhere, where nobody knows what it is.
        let function: &dyn Invoke = &choosy;
        let outcomes = function.invoke_batch(&calls).await;
        let done = || Ok(Outcome::Events(Vec::new()));
        let untried = || Err(CallError::Untried);
        let busy = || Err(CallError::Busy);
        assert_eq!(outcomes, [done(), busy(), done(), untried(), busy(), done(), untried()]);
        assert_eq!(*choosy.0.lock(), ["1", "2", "3", "5", "6"]);
    }
}
