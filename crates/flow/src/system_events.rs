//! What the platform tells about events and functions: the events `eventgateway.…` of the Event Gateway, made only where
//! somebody subscribes to them.
//!
//! | type | data |
//! |---|---|
//! | `eventgateway.event.received` | `path`, `event`, `headers` |
//! | `eventgateway.function.invoking` | `space`, `functionId`, `event` |
//! | `eventgateway.function.invoked` | the same and `result`: base64 of what the function gave |
//! | `eventgateway.function.invocationFailed` | the same and `error`: why, in a sentence |
//!
//! Where nobody listens this costs one look-up in the catalog. Where somebody does, they enter like other events, and none
//! is lost: *received* stands in the same append as its event, *invoking* is appended beside the call, and what comes
//! after a call goes into the append of the events that it returned. Their ids are derived, so that a repeated run
//! tells nothing twice.
//!
//! Calls with events of the platform tell nothing themselves. A chain that goes through other events ends at the limit of
//! hops, which these events count too.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::json;
use weir_catalog::{SystemEvent, is_reserved};
use weir_cloudevents::{
    json as codec, time,
    trace::{TRACEPARENT, TRACESTATE},
    v01,
};
use weir_domain::{AttributeValue, Data, Event, FunctionId, Key, SpaceName, error_chain};
use weir_functions::HttpAnswer;
use weir_log::{Append, EventReceipt, LogEngine, LogError, NewEvent, Receipt};

use crate::{
    Sender,
    flow::Shared,
    reentry::{self, CAUSATION_ID, CORRELATION_ID, HOPS},
};

/// The source and the mark that the Event Gateway gave to what it made itself.
const SOURCE: &str = "https://serverless.com/event-gateway/#transformationVersion=0.1";
/// See [`SOURCE`].
const MARK: (&str, &str) = ("eventgateway", r#"{"transformed":"true","transformation-version":"0.1"}"#);

/// How much is appended at once; an engine takes no batch without a bound.
const TOGETHER_BYTES_MAX: usize = 4 * 1024 * 1024;

/// A call of a function that is told about.
pub(crate) struct About<'a> {
    pub(crate) space: &'a SpaceName,
    pub(crate) subscription: &'a str,
    pub(crate) function: &'a FunctionId,
    pub(crate) event: &'a Event,
    pub(crate) key: Option<&'a Key>,
    /// Tells this call from others of the same subscription with the same event, and is equal where the same one is run
    /// again.
    pub(crate) occasion: u64,
}

/// What a function gave.
pub(crate) enum Given<'a> {
    Events(&'a [Event]),
    Answer(&'a HttpAnswer),
}

/// Tells that an event was admitted at the door: as it is kept, with what its authorizer said about the sender. Of one in
/// quarantine that is the event which keeps it, so that nobody takes its data for good ones.
pub(crate) fn received(
    shared: &Shared,
    space: &SpaceName,
    event: &Event,
    key: impl FnOnce() -> Option<Key>,
    sender: &dyn Sender,
) -> Option<NewEvent> {
    // Nothing else of the platform comes in at the door.
    if !is_heard(shared, space, SystemEvent::Received) {
        return None;
    }
    let (path, headers) = (json!(sender.path()).to_string(), sender.headers());
    let data = |event: &str, _: bool| format!(r#"{{"path":{path},"event":{event},"headers":{headers}}}"#);
    make(shared, space, SystemEvent::Received, event, key().as_ref(), &["received"], data)
}

/// Tells that a function is about to be called.
pub(crate) fn invoking(shared: &Shared, about: &About<'_>) -> Option<NewEvent> {
    of_call(shared, about, SystemEvent::Invoking, String::new)
}

/// Tells that a call has succeeded.
pub(crate) fn invoked(shared: &Shared, about: &About<'_>, given: &Given<'_>) -> Option<NewEvent> {
    of_call(shared, about, SystemEvent::Invoked, || {
        let result = match given {
            Given::Events([]) => String::new(),
            Given::Events(events) => {
                let mut batch = Vec::new();
                codec::encode_batch(*events, &mut batch);
                STANDARD.encode(batch)
            }
            Given::Answer(answer) => STANDARD.encode(answer_object(answer)),
        };
        format!(r#","result":"{result}""#)
    })
}

/// Tells that a call has failed.
pub(crate) fn failed(shared: &Shared, about: &About<'_>, why: &str) -> Option<NewEvent> {
    of_call(shared, about, SystemEvent::InvocationFailed, || format!(r#","error":{}"#, json!(why)))
}

/// Does something and appends beside it what is told of its beginning, so that nobody waits longer for that.
///
/// Returns what could not be appended: it goes into the next append.
pub(crate) async fn beside<T>(
    shared: &Shared,
    space: &SpaceName,
    told: Vec<NewEvent>,
    work: impl Future<Output = T>,
) -> (T, Vec<NewEvent>) {
    if told.is_empty() {
        return (work.await, told);
    }
    let append = append_batch(shared, &*shared.log, space, told.clone());
    let (appended, outcome) = futures_util::future::join(append, work).await;
    match appended {
        Ok(()) => (outcome, Vec::new()),
        Err(error) => {
            tracing::warn!(error = %error_chain(&error), %space, "what the platform tells of a call is appended after it");
            (outcome, told)
        }
    }
}

/// Appends events and what is told about them: in one batch where that stays small, else the events first.
///
/// The events are all there or none. The receipt is theirs alone. Where it is not returned, whoever waits repeats the
/// whole, and nothing stands there twice.
///
/// # Errors
/// Where the log does not take all of it.
pub(crate) async fn append(
    shared: &Shared,
    log: &dyn LogEngine,
    space: SpaceName,
    mut events: Vec<NewEvent>,
    told: Vec<NewEvent>,
) -> Result<Receipt, LogError> {
    let bytes = |events: &[NewEvent]| events.iter().map(|new| new.event.size()).sum::<usize>();
    let count = events.len();
    if count == 0 {
        append_told(shared, log, &space, told).await?;
        return Ok(Receipt { events: Vec::new() });
    }
    if told.is_empty() {
        return log.append(Append::new(space, events)).await;
    }
    if bytes(&events) + bytes(&told) <= TOGETHER_BYTES_MAX {
        let kinds = kinds_of(&told);
        events.extend(told);
        let mut receipt = log.append(Append::new(space.clone(), events)).await?;
        note(shared, &space, &kinds, receipt.events.get(count..).unwrap_or_default());
        receipt.events.truncate(count);
        return Ok(receipt);
    }
    let receipt = log.append(Append::new(space.clone(), events)).await?;
    append_told(shared, log, &space, told).await?;
    Ok(receipt)
}

/// Appends what is told, in batches that no engine refuses.
pub(crate) async fn append_told(
    shared: &Shared,
    log: &dyn LogEngine,
    space: &SpaceName,
    told: Vec<NewEvent>,
) -> Result<(), LogError> {
    let (mut batch, mut bytes) = (Vec::new(), 0);
    for new in told {
        let size = new.event.size();
        if bytes + size > TOGETHER_BYTES_MAX && !batch.is_empty() {
            append_batch(shared, log, space, std::mem::take(&mut batch)).await?;
            bytes = 0;
        }
        bytes += size;
        batch.push(new);
    }
    if !batch.is_empty() {
        append_batch(shared, log, space, batch).await?;
    }
    Ok(())
}

async fn append_batch(
    shared: &Shared,
    log: &dyn LogEngine,
    space: &SpaceName,
    told: Vec<NewEvent>,
) -> Result<(), LogError> {
    let kinds = kinds_of(&told);
    let receipt = log.append(Append::new(space.clone(), told)).await?;
    note(shared, space, &kinds, &receipt.events);
    Ok(())
}

/// Returns what is told, in its order; nothing for what is kept about deliveries, which nobody counts here.
fn kinds_of(told: &[NewEvent]) -> Vec<Option<SystemEvent>> {
    let kind = |new: &NewEvent| SystemEvent::ALL.into_iter().find(|each| each.name() == new.event.event_type());
    told.iter().map(kind).collect()
}

/// Tells the observer of what the log has written; what stood there before was told of then.
fn note(shared: &Shared, space: &SpaceName, kinds: &[Option<SystemEvent>], entries: &[EventReceipt]) {
    let written = kinds.iter().zip(entries).filter(|(_, entry)| !entry.duplicate);
    written.filter_map(|(kind, _)| *kind).for_each(|kind| shared.observer.told(space, kind));
}

fn of_call(shared: &Shared, about: &About<'_>, which: SystemEvent, more: impl FnOnce() -> String) -> Option<NewEvent> {
    let About { space, subscription, function, event, key, occasion } = *about;
    if !is_told(shared, space, event, which) {
        return None;
    }
    let more = more();
    let head = format!(r#"{{"space":"{space}","functionId":"{function}","event":"#);
    // Names of spaces and functions have no character that JSON escapes.
    let data = |event: &str, is_whole: bool| {
        let more = if is_whole || which == SystemEvent::InvocationFailed { more.as_str() } else { "" };
        format!("{head}{event}{more}}}")
    };
    let occasion = occasion.to_string();
    make(shared, space, which, event, key, &[which.name(), subscription, &occasion], data)
}

/// Tells whether somebody listens, and the event is none of the platform's own.
fn is_told(shared: &Shared, space: &SpaceName, event: &Event, which: SystemEvent) -> bool {
    is_heard(shared, space, which) && !is_reserved(event.event_type())
}

fn is_heard(shared: &Shared, space: &SpaceName, which: SystemEvent) -> bool {
    let matching = shared.options.compatibility.matching();
    shared.state.borrow().catalog.space_or_empty(space).hears(which, matching)
}

/// Makes the event; `data` is given the JSON of the event that it is about. One that would be too large is made again
/// without the data of that event and without what belongs to it.
fn make(
    shared: &Shared,
    space: &SpaceName,
    which: SystemEvent,
    about: &Event,
    key: Option<&Key>,
    seed: &[&str],
    data: impl Fn(&str, bool) -> String,
) -> Option<NewEvent> {
    let hops = reentry::hops(about).saturating_add(1);
    if hops as u32 > shared.options.hops_max {
        return None;
    }
    let mut told = data(&encoded(shared, about)?, true);
    if told.len() > shared.options.limits.event_bytes_max {
        let bare = about.to_builder().data(Data::None).build().ok()?;
        told = data(&encoded(shared, &bare)?, false);
    }
    let (parent, state) = reentry::trace_of(about);
    let event = Event::builder(&derive(space, about, seed), SOURCE, which.name())
        .time(&time::format(shared.clock.now()))
        .datacontenttype("application/json")
        .extension(MARK.0, AttributeValue::String(MARK.1))
        .extension(CAUSATION_ID, AttributeValue::String(about.id()))
        .extension(CORRELATION_ID, AttributeValue::String(about.extension_text(CORRELATION_ID).unwrap_or(about.id())))
        .extension(HOPS, AttributeValue::Integer(hops))
        .extension_opt(TRACEPARENT, parent)
        .extension_opt(TRACESTATE, state.as_deref())
        .data(Data::Json(told.into()))
        .build();
    let event = event
        .inspect_err(|error| tracing::error!(%error, %space, "what the platform tells of an event is no event"))
        .ok()?;
    let catalog = shared.state.borrow().catalog.clone();
    // Who registers the type may order it by another key; else it has the order of what it tells about.
    let registered = catalog.space_or_empty(space).registered_event_type(which.name());
    let own = registered.and_then(|registered| registered.key_of(&event).ok().flatten());
    Some(NewEvent { event, key: own.or_else(|| key.cloned()) })
}

/// Returns an event as JSON, in the version that functions get.
fn encoded(shared: &Shared, event: &Event) -> Option<String> {
    let mut json = Vec::with_capacity(event.size() + 256);
    if shared.options.compatibility.old_events {
        v01::encode(event, &mut json);
    } else {
        codec::encode(event, &mut json);
    }
    String::from_utf8(json).ok()
}

/// Returns the object that the Event Gateway read; a body that is no text is in base64, as API gateways of AWS mark it.
fn answer_object(answer: &HttpAnswer) -> String {
    let headers: serde_json::Map<String, serde_json::Value> =
        answer.headers.iter().map(|(name, value)| (name.clone(), json!(value))).collect();
    let object = match str::from_utf8(&answer.body) {
        Ok(text) => json!({ "statusCode": answer.status, "headers": headers, "body": text }),
        Err(_) => json!({
            "statusCode": answer.status,
            "headers": headers,
            "body": STANDARD.encode(&answer.body),
            "isBase64Encoded": true,
        }),
    };
    object.to_string()
}

/// Equal for every run of the same call with the same event, different for everything else.
fn derive(space: &SpaceName, event: &Event, seed: &[&str]) -> String {
    let mut hasher = blake3::Hasher::new();
    for part in [space.as_str(), event.source(), event.id()].iter().chain(seed) {
        hasher.update(part.as_bytes()).update(&[0]);
    }
    hasher.finalize().to_hex()[..32].to_owned()
}
