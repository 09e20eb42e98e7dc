//! The trace that a call belongs to, in the headers that HTTP has for it (W3C Trace Context).

use std::borrow::Cow;

use http::{HeaderMap, HeaderName, HeaderValue};

use weir_cloudevents::trace::{self, TraceParent};
use weir_domain::Event;

use crate::Call;

/// With which trace a function goes on.
#[derive(PartialEq, Eq)]
pub(super) struct TraceContext<'a> {
    parent: TraceParent,
    state: Option<Cow<'a, str>>,
}

impl<'a> TraceContext<'a> {
    /// Returns that of a call with this event. Where the call is recorded as a span, the function goes on with that;
    /// else the span stays that of the event, because there is no other that could be named. A context that is broken
    /// goes no further than the event.
    pub(super) fn of(event: &'a Event, span: Option<TraceParent>) -> Option<Self> {
        let of_event = event.extension_str(trace::TRACEPARENT).and_then(|text| text.parse::<TraceParent>().ok());
        let parent = span.or(of_event)?;
        // A state belongs to its trace.
        let is_same = of_event.is_some_and(|of_event| of_event.trace_id() == parent.trace_id());
        let state = event.extension_str(trace::TRACESTATE).filter(|_| is_same).and_then(trace::state);
        Some(Self { parent, state })
    }

    /// Returns the one that all these calls have; one request cannot name several.
    pub(super) fn shared(calls: &'a [Call]) -> Option<Self> {
        let mut each = calls.iter().map(|call| Self::of(&call.event, call.span));
        let first = each.next()??;
        each.all(|other| other.as_ref() == Some(&first)).then_some(first)
    }

    pub(super) fn add_to(&self, headers: &mut HeaderMap) {
        let Ok(parent) = HeaderValue::try_from(self.parent.to_string()) else { return };
        headers.insert(HeaderName::from_static(trace::TRACEPARENT), parent);
        if let Some(state) = self.state.as_deref().and_then(|state| HeaderValue::from_str(state).ok()) {
            headers.insert(HeaderName::from_static(trace::TRACESTATE), state);
        }
    }
}

#[cfg(test)]
mod tests {
    use weir_domain::{AttributeValue, FunctionId};

    use super::*;
    use crate::CallMode;

    const PARENT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

    fn sent(context: Option<&TraceContext<'_>>) -> [Option<String>; 2] {
        let mut headers = HeaderMap::new();
        if let Some(context) = context {
            context.add_to(&mut headers);
        }
        ["traceparent", "tracestate"].map(|name| headers.get(name).and_then(|it| it.to_str().ok()).map(str::to_owned))
    }

    #[test]
    fn a_trace_goes_out_where_it_is_well_formed() {
        let check = |parent: Option<&str>, state: Option<&str>, expected: [Option<&str>; 2]| {
            let event = Event::builder("1", "/s", "t").extension_opt("traceparent", parent);
            let event = event.extension_opt("tracestate", state).build().expect("valid");
            let sent = sent(TraceContext::of(&event, None).as_ref());
            assert_eq!(sent, expected.map(|text| text.map(str::to_owned)), "{parent:?} {state:?}");
        };
        check(None, None, [None, None]);
        check(None, Some("a=1"), [None, None]);
        check(Some("nonsense"), Some("a=1"), [None, None]);
        check(Some(PARENT), None, [Some(PARENT), None]);
        check(Some(PARENT), Some("a=1,b=2"), [Some(PARENT), Some("a=1,b=2")]);
        check(Some(PARENT), Some("a=1,B"), [Some(PARENT), None]);
        let later = "7f-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-more";
        check(Some(later), Some("a=1"), [Some(PARENT), Some("a=1")]);
        let number = Event::builder("1", "/s", "t").extension("traceparent", AttributeValue::Integer(7));
        assert!(TraceContext::of(&number.build().expect("valid"), None).is_none());

        // The span of the call takes the place of that of the event, and a state stays with its trace.
        let event = Event::builder("1", "/s", "t").extension("traceparent", AttributeValue::String(PARENT));
        let event = event.extension("tracestate", AttributeValue::String("a=1")).build().expect("valid");
        let of_event: TraceParent = PARENT.parse().expect("valid");
        for (span, state) in [(of_event.child(7), Some("a=1")), (TraceParent::begin(8, 9), None)] {
            let sent = sent(TraceContext::of(&event, Some(span)).as_ref());
            assert_eq!(sent, [Some(span.to_string()), state.map(str::to_owned)]);
        }
    }

    #[test]
    fn a_batch_goes_on_with_a_trace_that_all_of_it_share() {
        let call = |parent: Option<&str>, span: Option<TraceParent>| Call {
            event: Event::builder("1", "/s", "t").extension_opt("traceparent", parent).build().expect("valid"),
            key: None,
            function: FunctionId::new("f").expect("valid"),
            subscription: "s".into(),
            attempt: 1,
            mode: CallMode::Async,
            span,
            timeout: None,
        };
        let check = |calls: &[Call], expected: Option<&str>| {
            let [parent, _] = sent(TraceContext::shared(calls).as_ref());
            assert_eq!(parent.as_deref(), expected);
        };
        let of_event: TraceParent = PARENT.parse().expect("valid");
        check(&[call(Some(PARENT), None), call(Some(PARENT), None)], Some(PARENT));
        check(&[call(None, None), call(None, None)], None);
        check(&[call(Some(PARENT), None), call(None, None)], None);
        check(&[call(None, None), call(Some(PARENT), None)], None);
        check(&[call(Some(PARENT), None), call(Some(PARENT), Some(of_event.child(7)))], None);
    }
}
