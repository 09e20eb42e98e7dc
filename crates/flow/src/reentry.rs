//! What a function returns enters again at the top: it gets an id that a second run would derive again, the cause, the
//! correlation, the trace and one hop more.

use std::borrow::Cow;

use weir_catalog::Arrival;
use weir_cloudevents::{
    time,
    trace::{self, TRACEPARENT, TRACESTATE, TraceParent},
};
use weir_domain::{AttributeError, AttributeValue, Event, FunctionId, SpaceName, Timestamp};
use weir_functions::{Draft, DraftValue};

use crate::{REPLAY, recorded_time::RECORDED_TIME};

/// The extension that names the event which caused this one.
pub const CAUSATION_ID: &str = "causationid";
/// The extension that all events of one chain share (CloudEvents extension "Correlation").
pub const CORRELATION_ID: &str = "correlationid";
/// The extension that counts the functions between the first event of a chain and this one.
pub const HOPS: &str = "weirhops";

/// What returned events are derived from.
pub(crate) struct Cause<'a> {
    pub(crate) space: &'a SpaceName,
    pub(crate) subscription: &'a str,
    pub(crate) function: &'a FunctionId,
    pub(crate) event: &'a Event,
    /// The name of the derivation, where a replay makes another one.
    pub(crate) derivation: Option<&'a str>,
    /// The replay that the call is part of.
    pub(crate) replay: Option<&'a str>,
    pub(crate) now: Timestamp,
}

/// Why a returned event cannot enter.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unfit {
    #[error("the function returned a broken event")]
    Attribute(#[source] AttributeError),
    #[error("the event is the {hops}th that functions made of one another, and {hops_max} are allowed: a loop?")]
    TooManyHops { hops: i32, hops_max: u32 },
}

/// Tells how many functions stand before an event.
pub(crate) fn hops(event: &Event) -> i32 {
    match event.extension(HOPS) {
        Some(AttributeValue::Integer(hops)) => hops.max(0),
        _ => 0,
    }
}

/// Returns the trace of an event as what the platform tells about it carries on: parent and state. Nobody records a span of
/// its own for that. A broken parent is none, and a state belongs to its parent.
pub(crate) fn trace_of(event: &Event) -> (Option<&str>, Option<Cow<'_, str>>) {
    let parent = event.extension_str(TRACEPARENT).filter(|parent| parent.parse::<TraceParent>().is_ok());
    let state = parent.and_then(|_| event.extension_str(TRACESTATE)).and_then(trace::state);
    (parent, state)
}

/// Makes whole events of what a function returned.
pub(crate) fn complete(cause: &Cause<'_>, drafts: Vec<Draft>, hops_max: u32) -> Result<Vec<Event>, Unfit> {
    if drafts.is_empty() {
        return Ok(Vec::new());
    }
    let hops = hops(cause.event).saturating_add(1);
    if hops as u32 > hops_max {
        return Err(Unfit::TooManyHops { hops, hops_max });
    }
    let correlation = cause.event.extension_text(CORRELATION_ID).filter(|id| !id.is_empty());
    let correlation = correlation.unwrap_or(cause.event.id());
    let drafts = drafts.into_iter().enumerate();
    drafts.map(|(index, draft)| one(cause, index, draft, hops, correlation)).collect()
}

fn one(cause: &Cause<'_>, index: usize, mut draft: Draft, hops: i32, correlation: &str) -> Result<Event, Unfit> {
    let seed = derive(cause.space, cause.subscription, cause.event, index, cause.derivation);
    // A function that copies the event it was given and changes its type means a new event, not the old one again.
    if draft.id.as_deref() == Some(cause.event.id()) && draft.source.as_deref() == Some(cause.event.source()) {
        (draft.id, draft.source) = (None, None);
    }
    // The same goes for its trace: the new event is another span. A broken one is none, and a state belongs to its
    // parent.
    let copied = cause.event.extension_str(TRACEPARENT);
    let is_own = |text: &str| Some(text) != copied && text.parse::<TraceParent>().is_ok();
    let is_traced = |(name, value): &(String, DraftValue)| {
        name == TRACEPARENT && matches!(value, DraftValue::Text(text) if is_own(text))
    };
    if !draft.extensions.iter().any(is_traced) {
        draft.extensions.retain(|(name, _)| name != TRACEPARENT && name != TRACESTATE);
    }
    // And for where that one came in and when it was recorded: this one came by no request, and is not recorded yet.
    draft
        .extensions
        .retain(|(name, _)| ![Arrival::METHOD, Arrival::PATH, RECORDED_TIME, REPLAY].contains(&name.as_str()));
    let source = format!("/spaces/{}/functions/{}", cause.space, cause.function);
    let is_timed = draft.time.is_some();
    let mut builder = draft.into_builder(&id_by(&seed), &source);
    if !is_timed {
        builder = builder.time(&time::format(cause.now));
    }
    builder = builder
        .extension(CAUSATION_ID, AttributeValue::String(cause.event.id()))
        .extension(CORRELATION_ID, AttributeValue::String(correlation))
        .extension(HOPS, AttributeValue::Integer(hops));
    if let Some(replay) = cause.replay {
        builder = builder.extension(REPLAY, AttributeValue::String(replay));
    }
    let parent = cause.event.extension_str(TRACEPARENT).and_then(|parent| parent.parse::<TraceParent>().ok());
    if let Some(parent) = parent.filter(|_| !builder.has_extension(TRACEPARENT)) {
        // That it is derived keeps repeated runs equal.
        builder = builder
            .extension(TRACEPARENT, AttributeValue::String(&parent.child(span_of(&seed)).to_string()))
            .extension_opt(TRACESTATE, cause.event.extension_str(TRACESTATE).and_then(trace::state).as_deref());
    }
    builder.build().map_err(Unfit::Attribute)
}

/// Returns the span that an event gets which a function returned for an event with a trace, where it says nothing itself:
/// by it whoever records spans knows that the event names no span of the function's own.
#[must_use]
pub fn returned_span(space: &SpaceName, subscription: &str, cause: &Event, index: usize) -> u64 {
    span_of(&derive(space, subscription, cause, index, None))
}

/// Any number but 0 is a span id.
fn span_of(seed: &blake3::Hash) -> u64 {
    u64::from_le_bytes(std::array::from_fn(|byte| seed.as_bytes()[16 + byte])).max(1)
}

/// Equal for every run of the same function on the same event, different for everything else.
fn derive(
    space: &SpaceName,
    subscription: &str,
    cause: &Event,
    index: usize,
    derivation: Option<&str>,
) -> blake3::Hash {
    derive_of(space, subscription, (cause.source(), cause.id()), index, derivation)
}

/// The same of an event of which only source and id are known.
fn derive_of(
    space: &SpaceName,
    subscription: &str,
    (source, id): (&str, &str),
    index: usize,
    derivation: Option<&str>,
) -> blake3::Hash {
    let mut hasher = blake3::Hasher::new();
    for part in [space.as_str(), source, id, subscription] {
        hasher.update(part.as_bytes()).update(&[0]);
    }
    hasher.update(&(index as u64).to_le_bytes());
    if let Some(derivation) = derivation {
        hasher.update(derivation.as_bytes());
    }
    hasher.finalize()
}

/// Returns the id that a returned event has which says none itself: source and id of its cause tell that.
pub(crate) fn returned_id(
    space: &SpaceName,
    subscription: &str,
    cause: (&str, &str),
    index: usize,
    derivation: Option<&str>,
) -> String {
    id_by(&derive_of(space, subscription, cause, index, derivation))
}

fn id_by(seed: &blake3::Hash) -> String {
    seed.to_hex()[..32].to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_the_cause_came_in_is_not_where_the_new_event_did() {
        let text = |name: &str| (name.to_owned(), DraftValue::Text("/copied".to_owned()));
        let draft = Draft { extensions: vec![text("weirmethod"), text("own"), text("weirpath")], ..Draft::new("done") };
        let event = Event::builder("1", "/s", "t").extension("weirpath", AttributeValue::String("/in"));
        let event = event.build().expect("valid");
        let (space, function) = (SpaceName::default(), FunctionId::new("f").expect("valid"));
        let cause = Cause {
            space: &space,
            subscription: "s",
            function: &function,
            event: &event,
            derivation: None,
            replay: None,
            now: Timestamp::default(),
        };
        let made = complete(&cause, vec![draft], 1).expect("valid").remove(0);
        assert_eq!((Arrival::of(&made), made.extension_str("own")), (Arrival::DEFAULT, Some("/copied")));
    }

    #[test]
    fn the_trace_goes_on_unless_a_function_has_its_own() {
        let parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
        let event = Event::builder("1", "/s", "t")
            .extension(TRACEPARENT, AttributeValue::String(parent))
            .extension(TRACESTATE, AttributeValue::String("a=1, b=2"))
            .build()
            .expect("valid");
        let (space, function) = (SpaceName::default(), FunctionId::new("f").expect("valid"));
        let cause = Cause {
            space: &space,
            subscription: "s",
            function: &function,
            event: &event,
            derivation: None,
            replay: None,
            now: Timestamp::default(),
        };
        let traced = |given: &[(&str, &str)]| {
            let text = |(name, value): &(&str, &str)| ((*name).to_owned(), DraftValue::Text((*value).to_owned()));
            let draft = Draft { extensions: given.iter().map(text).collect(), ..Draft::new("done") };
            let made = complete(&cause, vec![draft], 1).expect("valid").remove(0);
            let of = |name| made.extension_str(name).map(str::to_owned);
            (of(TRACEPARENT).expect("a trace"), of(TRACESTATE))
        };
        let (child, state) = traced(&[]);
        assert!(child.starts_with(&parent[..36]) && child.ends_with("-01") && child != parent, "{child}");
        assert_eq!(state.as_deref(), Some("a=1,b=2"));
        // Copied, broken, or without its parent: the same as none.
        assert_eq!(traced(&[(TRACEPARENT, parent), (TRACESTATE, "a=1")]), (child.clone(), state.clone()));
        assert_eq!(traced(&[(TRACEPARENT, "broken")]), (child.clone(), state.clone()));
        assert_eq!(traced(&[(TRACESTATE, "orphan=1")]), (child, state));

        let own = "00-00000000000000000000000000000001-0000000000000002-00";
        assert_eq!(traced(&[(TRACEPARENT, own)]), (own.to_owned(), None));
    }
}
