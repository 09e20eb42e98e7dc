//! Authorizers: the function of an event type that allows or denies each of its events before it is kept.
//!
//! Only a clear yes lets an event in (`verdict`). Everything else is a no: an error, time that is over, an answer that is
//! malformed or says nothing. Where the function was not called at all, for want of room, the sender is told to come again.
//! What the function said about the sender goes on with the event (`mark`), and holds for the next event of the same sender
//! where the event type says so (`decisions`).

mod decisions;
pub(crate) mod mark;
mod verdict;

use std::{
    panic::AssertUnwindSafe,
    sync::Arc,
    time::{Duration, Instant},
};

use futures_util::future::{BoxFuture, FutureExt, ready};
use weir_catalog::EventType;
use weir_cloudevents::{
    json, time,
    trace::{TRACEPARENT, TRACESTATE, TraceParent},
};
use weir_domain::{AttributeError, Data, Event, FunctionId, SpaceName, error_chain};
use weir_functions::{Call, CallError, CallMode, Outcome};

use crate::{
    Authorized, Calling, Decision, Purpose, Refusal, TracedCall,
    flow::{Shared, kind_of},
    snapshot::Snapshot,
};
pub(crate) use decisions::Decisions;
use decisions::Key;
use verdict::Verdict;

/// The type of the event that an authorizer is given. It is never recorded.
const REQUESTED: &str = "weir.authorization.requested";
const SOURCE: &str = "/weir/authorization";

/// Who sent an event, and how it came in: for authorizers, and for those who listen to what comes in. Nothing is asked of
/// it where there is neither.
pub trait Sender: Sync {
    /// Returns the path within the space to which the event was sent, as it was sent.
    fn path(&self) -> &str;

    /// Returns the headers of the request, as the text of a JSON object of texts.
    fn headers(&self) -> String;

    /// Returns the request that brought the event, as the text of a JSON value.
    fn request(&self) -> String;

    /// Tells whether the sender has the right to emit by itself. Of a stranger only events enter that an authorizer lets in.
    fn is_known(&self) -> bool {
        true
    }

    /// Returns the span of what the sender waits for, where it is traced.
    fn span(&self) -> Option<TraceParent> {
        None
    }

    /// Hands over, part by part and always in the same order, everything by which an authorizer could tell this sender or
    /// request from another one: two events get one answer only where all parts are equal.
    fn identity(&self, part: &mut dyn FnMut(&[u8]));
}

/// The authorizer of one event type, and who is to be authorized.
pub(crate) struct Guard<'a> {
    pub(crate) shared: &'a Shared,
    pub(crate) snapshot: &'a Snapshot,
    pub(crate) space: &'a SpaceName,
    pub(crate) event_type: &'a EventType,
    pub(crate) function: &'a FunctionId,
    pub(crate) sender: &'a dyn Sender,
}

impl Guard<'_> {
    /// Asks the authorizer about an event, and gives the event what it said.
    ///
    /// # Errors
    /// Where it does not allow the event, could not be asked, or the event has no room for what it said.
    pub(crate) async fn authorize(&self, event: Event) -> Result<Event, Refusal> {
        let event_type = || self.event_type.name.to_string();
        match self.verdict(&event).await {
            Verdict::Allowed(mark) => mark::given(&event, &mark, &self.shared.options.limits),
            Verdict::Denied(message) => Err(Refusal::Denied { event_type: event_type(), message: message.to_string() }),
            Verdict::Failed => Err(Refusal::AuthorizerFailed { event_type: event_type() }),
            Verdict::NotAsked => Err(Refusal::AuthorizerBusy { event_type: event_type() }),
        }
    }

    async fn verdict(&self, event: &Event) -> Verdict {
        let holds_for = Duration::from_millis(self.event_type.authorizer_cache_ms.into());
        if holds_for.is_zero() {
            return self.call(event).await;
        }
        let (key, now) = (self.key(event), self.shared.clock.now());
        let decisions = &self.shared.decisions;
        match decisions.kept(&key, now, holds_for) {
            Some(mark) => Verdict::Allowed(mark),
            None => decisions.once(key, now, holds_for, self.call(event)).await,
        }
    }

    /// What all events have in common that may share an answer.
    fn key(&self, event: &Event) -> Key {
        let mut hasher = blake3::Hasher::new();
        // With its length in front no part can be taken for the end of another.
        let mut part = |bytes: &[u8]| {
            hasher.update(&(bytes.len() as u64).to_le_bytes()).update(bytes);
        };
        let names = [self.space.as_str(), self.function.as_str(), self.event_type.name.as_str(), event.source()];
        names.into_iter().for_each(|name| part(name.as_bytes()));
        // Another code may answer differently.
        part(&self.snapshot.changed(self.space, self.function).get().to_le_bytes());
        self.sender.identity(&mut part);
        *hasher.finalize().as_bytes()
    }

    /// Makes the call, free of everything that is borrowed here: others may wait for it too.
    fn call(&self, event: &Event) -> BoxFuture<'static, Verdict> {
        let (space, observer) = (self.space.clone(), Arc::clone(&self.shared.observer));
        let calling = Calling { purpose: Purpose::Authorization, event, request: self.sender.span() };
        let spans = observer.calling(&calling);
        let kind = spans.and_then(|_| kind_of(&self.snapshot.catalog, self.space, self.function));
        let question = self.question(event, spans.map(|spans| spans.call));
        let (function, call) = match (self.snapshot.function(self.space, self.function), question) {
            (Some(function), Ok(call)) => (Arc::clone(function), call),
            (found, call) => {
                let is_there = found.is_some();
                let problem = call.err().map(|error| error.to_string());
                tracing::error!(%space, function = %self.function, is_there, problem, "an authorizer cannot be called");
                return ready(Verdict::Failed).boxed();
            }
        };
        let bytes_max = self.shared.options.limits.attribute_bytes_max;
        async move {
            let began = spans.map(|_| Instant::now());
            // A panic must not go on to all who wait.
            let outcome = AssertUnwindSafe(function.invoke(&call)).catch_unwind().await;
            let outcome = outcome.unwrap_or_else(|_| {
                Err(CallError::Trap { message: "the call ended in a panic of the server".to_owned() })
            });
            let verdict = match outcome {
                Ok(Outcome::Value(text)) => verdict::read(&text, bytes_max),
                Ok(_) => Err("it returned something else than a value".to_owned()),
                Err(error) if error.is_platform() => Ok(Verdict::NotAsked),
                Err(error) => Err(error_chain(&error)),
            };
            let verdict = verdict.unwrap_or_else(|problem| {
                tracing::warn!(%space, function = %call.function, event_id = call.event.id(), problem, "an authorizer failed");
                Verdict::Failed
            });
            let decision = match &verdict {
                Verdict::Allowed(_) => Some(Decision::Allowed),
                Verdict::Denied(_) => Some(Decision::Denied),
                Verdict::Failed => Some(Decision::Failed),
                Verdict::NotAsked => None,
            };
            if let (Some(spans), Some(began)) = (spans, began) {
                let took = began.elapsed();
                observer.traced(&TracedCall {
                    purpose: Purpose::Authorization,
                    space: &space,
                    subscription: "",
                    function: &call.function,
                    kind,
                    event: &call.event,
                    position: None,
                    attempt: 1,
                    spans,
                    called: Some(took),
                    took,
                    returned: &[],
                    outcome: match &verdict {
                        Verdict::Allowed(_) | Verdict::Denied(_) => Ok(None),
                        Verdict::Failed => Err("the authorizer failed"),
                        Verdict::NotAsked => Err("the authorizer was not called for want of room"),
                    },
                });
            }
            if let Some(decision) = decision {
                observer.authorized(&Authorized { space: &space, function: &call.function, decision });
            }
            verdict
        }
        .boxed()
    }

    /// Makes the call's event: the event in question and the request are its data.
    fn question(&self, event: &Event, span: Option<TraceParent>) -> Result<Call, AttributeError> {
        let request = self.sender.request();
        let mut data = Vec::with_capacity(event.size() + request.len() + 256);
        data.extend_from_slice(br#"{"event":"#);
        json::encode(event, &mut data);
        data.extend_from_slice(br#","request":"#);
        data.extend_from_slice(request.as_bytes());
        data.push(b'}');
        let data = String::from_utf8(data).expect("JSON is written in UTF-8");
        let question = Event::builder(event.id(), SOURCE, REQUESTED)
            .subject(self.event_type.name.as_str())
            .time(&time::format(self.shared.clock.now()))
            .datacontenttype("application/json")
            .extension_opt(TRACEPARENT, event.extension_str(TRACEPARENT))
            .extension_opt(TRACESTATE, event.extension_str(TRACESTATE))
            .data(Data::Json(data.into()))
            .build()?;
        Ok(Call {
            event: question,
            // It is not recorded.
            key: None,
            function: self.function.clone(),
            // It is called for an event type, and for no subscription.
            subscription: "".into(),
            attempt: 1,
            mode: CallMode::Value,
            span,
            timeout: None,
        })
    }
}
