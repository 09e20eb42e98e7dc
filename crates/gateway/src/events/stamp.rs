//! What the door writes into the events that a request brings: the method and path by which they came in, and the trace
//! that they go on with.
//!
//! Most events come by `POST` and `/` without a trace, and are not touched. Nobody but the door says where an event came
//! in: what an event brings along about that is replaced, so that events which were read can be sent again.

use std::borrow::Cow;

use http::{StatusCode, request::Parts};
use percent_encoding::{CONTROLS, utf8_percent_encode};
use weir_catalog::Arrival;
use weir_cloudevents::trace::{TRACEPARENT, TRACESTATE, TraceParent};
use weir_domain::{AttributeValue, ErrorKind, Event, Ids, Limits};

use super::trace::{self, Trace};
use crate::problem::Problem;

/// What is written into all events of one request.
pub(super) struct Stamp<'r> {
    parts: &'r Parts,
    /// Printable ASCII, whatever the client sent: an attribute could not take every other character, and routes mean the
    /// same by both.
    path: Cow<'r, str>,
    trace: Option<Trace<'r>>,
    /// By which a trace begins in the place of a malformed one.
    ids: &'r dyn Ids,
}

impl<'r> Stamp<'r> {
    /// Makes it for a request with this head and path within the space, still percent-encoded.
    pub(super) fn of(parts: &'r Parts, path: &'r str, ids: &'r dyn Ids) -> Self {
        let path = Cow::from(utf8_percent_encode(path, CONTROLS));
        let restarted = || trace::is_malformed(&parts.headers).then(|| Trace::restarted(ids));
        Self { parts, path, trace: Trace::of(&parts.headers, None).or_else(restarted), ids }
    }

    /// Lets events go on with a span of ours, where there is one.
    pub(super) fn within(self, span: Option<TraceParent>) -> Self {
        match span {
            Some(_) => Self { trace: Trace::of(&self.parts.headers, span), ..self },
            None => self,
        }
    }

    /// Returns by what events come in.
    pub(super) fn arrival(&self) -> Arrival<'_> {
        Arrival { method: self.parts.method.as_str(), path: &self.path }
    }

    /// Returns the extension attributes of an event that is made here.
    pub(super) fn attributes(&self) -> impl Iterator<Item = (&str, AttributeValue<'_>)> {
        self.arrival().attributes().chain(self.trace.iter().flat_map(Trace::attributes))
    }

    /// Returns by how many bytes it makes an event larger.
    pub(super) fn size(&self) -> usize {
        self.arrival().size() + self.trace.as_ref().map_or(0, Trace::size)
    }

    /// Checks that method and path fit into attributes.
    ///
    /// # Errors
    /// Where one of them is larger than an attribute may be.
    pub(super) fn check(&self, limits: &Limits) -> Result<(), Problem> {
        let bytes_max = limits.attribute_bytes_max;
        let parts = [("method of the request", self.parts.method.as_str()), ("path of the request", &*self.path)];
        match parts.into_iter().find(|(_, text)| text.len() > bytes_max) {
            Some((what, text)) => Err(Problem::too_large(what, text.len() as u64, bytes_max)),
            None => Ok(()),
        }
    }

    /// Writes it into an event, where there is anything to write; in one copy.
    ///
    /// # Errors
    /// Where the event would be larger than one may be or have more extensions, or an attribute would be larger. Without its
    /// method and path it would go to others than it should; a trace is left out instead.
    pub(super) fn given_to(&self, event: Event, limits: &Limits) -> Result<Event, Problem> {
        self.check(limits)?;
        let arrival = self.arrival();
        let left = Limits {
            event_bytes_max: limits.event_bytes_max.saturating_sub(arrival.size()),
            extensions_max: limits.extensions_max.saturating_sub(arrival.attributes().count()),
            ..*limits
        };
        let is_restarted = self.trace.is_none() && trace::is_malformed_in(&event);
        let restarted = is_restarted.then(|| Trace::restarted(self.ids));
        let trace = self.trace.as_ref().or(restarted.as_ref()).filter(|trace| trace.is_for(&event, &left));
        if trace.is_none() && Arrival::of(&event) == arrival {
            return Ok(event);
        }
        let names = [Arrival::METHOD, Arrival::PATH, TRACEPARENT, TRACESTATE];
        let names = if trace.is_some() { &names[..] } else { &names[..2] };
        let given = arrival.attributes().chain(trace.into_iter().flat_map(Trace::attributes));
        let stamped = event.with_extensions(names, given).map_err(|error| Problem::of(ErrorKind::Internal, &error))?;
        if stamped.size() > limits.event_bytes_max {
            let what = "size of the event, with the method and path by which it came,";
            return Err(Problem::too_large(what, stamped.size() as u64, limits.event_bytes_max));
        }
        let extensions = stamped.extensions().count();
        if extensions > limits.extensions_max {
            let message = format!(
                "the number of extension attributes, with the method and path by which the event came, is {extensions}, \
                 over the limit of {}: send less",
                limits.extensions_max
            );
            return Err(Problem::new(StatusCode::PAYLOAD_TOO_LARGE, message));
        }
        Ok(stamped)
    }
}

#[cfg(test)]
mod tests;
