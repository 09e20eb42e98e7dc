//! The W3C Trace Context of a request goes on in its events, by the Distributed Tracing extension of CloudEvents.
//!
//! In the place of a context that is malformed a new trace begins, as the standard asks (section 4.3). One that an event
//! brings along is kept: it tells where the event began, and not how it came here.

use std::borrow::Cow;

use http::{HeaderMap, HeaderValue};
use weir_cloudevents::trace::{self, TRACEPARENT, TRACESTATE, TraceParent};
use weir_domain::{AttributeValue, Event, Ids, Limits};

/// The context of a request.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Trace<'h> {
    /// Written anew: of a later version there may be more in the header than anybody knows.
    parent: String,
    state: Option<Cow<'h, str>>,
}

impl<'h> Trace<'h> {
    /// Reads the context, which goes on with a span of ours where the request is traced; `None` where there is neither a
    /// span nor a context that is well formed.
    pub(super) fn of(headers: &'h HeaderMap, span: Option<TraceParent>) -> Option<Self> {
        let given = parent(headers);
        // A state belongs to the trace that it came with.
        let state = given.and_then(|_| state(headers));
        Some(Self { parent: span.or(given)?.to_string(), state })
    }

    /// Begins a trace in the place of one that is malformed. Nobody here records it, and a state would be of another one.
    pub(super) fn restarted(ids: &dyn Ids) -> Self {
        let random = ids.secret();
        let trace_id = u128::from_le_bytes(std::array::from_fn(|byte| random[byte]));
        let span_id = u64::from_le_bytes(std::array::from_fn(|byte| random[16 + byte]));
        Self { parent: TraceParent::unrecorded(trace_id, span_id).to_string(), state: None }
    }

    /// Returns the extension attributes.
    pub(super) fn attributes(&self) -> Vec<(&str, AttributeValue<'_>)> {
        let parent = (TRACEPARENT, AttributeValue::String(&self.parent));
        let state = self.state.as_deref().map(|state| (TRACESTATE, AttributeValue::String(state)));
        [Some(parent), state].into_iter().flatten().collect()
    }

    /// Returns by how many bytes it makes an event larger.
    pub(super) fn size(&self) -> usize {
        let state = self.state.as_deref().map_or(0, |state| TRACESTATE.len() + state.len());
        TRACEPARENT.len() + self.parent.len() + state
    }

    /// Tells whether an event is to be given the context: it has none, and is not too large for it.
    pub(super) fn is_for(&self, event: &Event, limits: &Limits) -> bool {
        let fits = event.extensions().count() + 2 <= limits.extensions_max
            && event.size() + self.size() <= limits.event_bytes_max;
        fits && !is_traced(event)
    }
}

/// Reads which trace a request belongs to; `None` where its header is missing, malformed, or there are several.
pub(crate) fn parent(headers: &HeaderMap) -> Option<TraceParent> {
    let mut values = headers.get_all(TRACEPARENT).iter();
    let parent = values.next()?.to_str().ok()?.parse().ok()?;
    values.next().is_none().then_some(parent)
}

/// Tells whether a request has a context that cannot be gone on with.
pub(super) fn is_malformed(headers: &HeaderMap) -> bool {
    headers.contains_key(TRACEPARENT) && parent(headers).is_none()
}

/// Tells whether an event brings a context along that cannot be gone on with.
pub(super) fn is_malformed_in(event: &Event) -> bool {
    event.extension(TRACEPARENT).is_some() && !is_traced(event)
}

/// Tells whether an event brings a context along that can be gone on with.
fn is_traced(event: &Event) -> bool {
    event.extension_str(TRACEPARENT).is_some_and(|parent| parent.parse::<TraceParent>().is_ok())
}

/// A list may come in several headers (RFC 9110, section 5.3).
fn state(headers: &HeaderMap) -> Option<Cow<'_, str>> {
    let mut values = headers.get_all(TRACESTATE).iter().map(HeaderValue::to_str);
    let first = values.next()?.ok()?;
    let mut all = Cow::Borrowed(first);
    for value in values {
        let all = all.to_mut();
        all.push(',');
        all.push_str(value.ok()?);
    }
    match all {
        Cow::Borrowed(all) => trace::state(all),
        Cow::Owned(all) => trace::state(&all).map(|state| Cow::Owned(state.into_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PARENT: &str = "00-0af7651916cd43dd8448eb211c80319c-b9c7c989f97918e1-01";

    fn headers(list: &[(&'static str, &'static str)]) -> HeaderMap {
        let mut map = HeaderMap::new();
        for &(name, value) in list {
            map.append(name, HeaderValue::from_static(value));
        }
        map
    }

    #[test]
    fn the_context_is_read_where_it_is_well_formed() {
        let check = |list: &[(&'static str, &'static str)], expected: Option<(&str, Option<&str>)>| {
            let map = headers(list);
            let found = Trace::of(&map, None);
            let found = found.as_ref().map(|trace| (trace.parent.as_str(), trace.state.as_deref()));
            assert_eq!(found, expected, "{list:?}");
        };
        check(&[], None);
        check(&[(TRACESTATE, "a=1")], None);
        check(&[(TRACEPARENT, "00-nonsense")], None);
        check(&[(TRACEPARENT, PARENT), (TRACEPARENT, PARENT)], None);
        check(&[(TRACEPARENT, PARENT)], Some((PARENT, None)));
        check(&[(TRACEPARENT, PARENT), (TRACESTATE, "a=1")], Some((PARENT, Some("a=1"))));
        check(&[(TRACEPARENT, PARENT), (TRACESTATE, "a=1"), (TRACESTATE, "b=2")], Some((PARENT, Some("a=1,b=2"))));
        check(&[(TRACEPARENT, PARENT), (TRACESTATE, "a=1 ,"), (TRACESTATE, "")], Some((PARENT, Some("a=1"))));
        check(&[(TRACEPARENT, PARENT), (TRACESTATE, "")], Some((PARENT, None)));
        // A state that is broken is left out; the trace itself goes on.
        check(&[(TRACEPARENT, PARENT), (TRACESTATE, "a=1"), (TRACESTATE, "B=2")], Some((PARENT, None)));
        // What a later version adds is not kept: it may be of any length.
        let later = "01-0af7651916cd43dd8448eb211c80319c-b9c7c989f97918e1-01-and-more";
        check(&[(TRACEPARENT, later)], Some((PARENT, None)));

        // A span of ours goes on with the trace, and begins one without the state of another.
        let span = TraceParent::begin(7, 8);
        for (list, state) in
            [(&[(TRACEPARENT, PARENT), (TRACESTATE, "a=1")][..], Some("a=1")), (&[(TRACESTATE, "a=1")][..], None)]
        {
            let map = headers(list);
            let trace = Trace::of(&map, Some(span)).expect("a span");
            assert_eq!((trace.parent, trace.state.as_deref()), (span.to_string(), state));
        }
    }
}
