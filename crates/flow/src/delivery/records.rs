//! What is kept about deliveries: ordinary events of the space, to which functions may subscribe, see decision 0016.

use std::time::Duration;

use serde_json::{Value, json};
use weir_catalog::is_reserved;
use weir_cloudevents::{
    json as codec, time,
    trace::{TRACEPARENT, TRACESTATE},
};
use weir_domain::{AttributeValue, Data, Event, EventBuilder, Key, Timestamp};
use weir_log::{Filter, NewEvent, Read, Recorded};

use super::{
    attempt::{Delivery, Work},
    lanes::Origin,
    outcome::Failure,
};
use crate::{
    DELIVERY_ATTEMPTED, DELIVERY_FAILED,
    reentry::{self, CAUSATION_ID, CORRELATION_ID, HOPS},
};

/// The source of everything that is kept about deliveries.
pub(crate) const SOURCE: &str = "/weir/delivery";
/// How many attempts a dead letter tells of: the first ones and the last ones.
const ATTEMPTS_TOLD: usize = 50;
/// Of these, the first ones.
const ATTEMPTS_TOLD_FIRST: usize = 10;

/// Returns the key of everything that is kept about the attempts with an event: they are found by it at once, however long
/// ago that was.
pub(crate) fn key_of_attempts(position: weir_domain::Position) -> Option<Key> {
    Key::new(format!("weir.delivery/{position}"))
}

/// By which a delivery is told from all others: the subscription, the event, and what else led to it.
fn name(work: &Work, delivery: &Delivery) -> String {
    let position = delivery.item.recorded.position;
    let mut name = format!("{}/{position}", work.name);
    if let Origin::Redrive { at } = delivery.item.origin {
        name.push_str(&format!("/{at}"));
    }
    if let Some(replay) = &work.replay {
        name.push_str(&format!("/{}", replay.id));
    }
    name
}

/// Returns what names an event, and where it stands.
pub(crate) fn reference(recorded: &Recorded) -> Value {
    let Recorded { position, event, .. } = recorded;
    json!({ "id": event.id(), "source": event.source(), "type": event.event_type(), "position": position.get() })
}

/// Begins an event about another one, which it follows from.
pub(crate) fn about(id: &str, source: &str, event_type: &str, event: &Event, now: Timestamp) -> EventBuilder {
    let correlation = event.extension_text(CORRELATION_ID).unwrap_or(event.id());
    let (parent, state) = reentry::trace_of(event);
    Event::builder(id, source, event_type)
        .subject(event.id())
        .time(&time::format(now))
        .datacontenttype("application/json")
        .extension(CAUSATION_ID, AttributeValue::String(event.id()))
        .extension(CORRELATION_ID, AttributeValue::String(correlation))
        .extension(HOPS, AttributeValue::Integer(reentry::hops(event).saturating_add(1)))
        .extension_opt(TRACEPARENT, parent)
        .extension_opt(TRACESTATE, state.as_deref())
}

/// Tells of an attempt that failed; nothing about events of the platform, or a function that reads these and fails would
/// write them for ever.
pub(crate) fn attempted(
    work: &Work,
    delivery: &Delivery,
    failure: &Failure,
    took: Duration,
    retry_in: Option<Duration>,
) -> Option<NewEvent> {
    let recorded = &delivery.item.recorded;
    if is_reserved(recorded.event.event_type()) {
        return None;
    }
    let now = work.shared.clock.now();
    let again = retry_in.map(|wait| {
        let micros = now.unix_micros().saturating_add(u64::try_from(wait.as_micros()).unwrap_or(u64::MAX));
        time::format(Timestamp::from_unix_micros(micros))
    });
    let data = json!({
        "subscriptionId": &*work.name,
        "functionId": work.subscription.function.as_str(),
        "event": reference(recorded),
        "attempt": delivery.attempt_made,
        "cause": failure.cause,
        "status": failure.status,
        "error": failure.text,
        "tookMs": u64::try_from(took.as_millis()).unwrap_or(u64::MAX),
        "retryAt": again,
        "replayId": work.replay.as_ref().map(|replay| &replay.id),
    });
    let id = format!("{}/attempted/{}", name(work, delivery), delivery.failures);
    let event = about(&id, SOURCE, DELIVERY_ATTEMPTED, &recorded.event, now).data(Data::Json(data.to_string().into()));
    let event = event.build().inspect_err(|error| tracing::error!(%error, "what is kept of an attempt is no event"));
    Some(NewEvent { event: event.ok()?, key: key_of_attempts(recorded.position) })
}

/// Makes the dead letter of a delivery that is given up: the event as it is, and what was tried.
pub(crate) async fn dead_letter(
    work: &Work,
    delivery: &Delivery,
    failure: &Failure,
    held: bool,
) -> Result<NewEvent, String> {
    let recorded = &delivery.item.recorded;
    let history = history(work, delivery, failure).await?;
    let redriven = match delivery.item.origin {
        Origin::Log => None,
        Origin::Redrive { at } => Some(at.get()),
    };
    let mut data = json!({
        "subscriptionId": &*work.name,
        "functionId": work.subscription.function.as_str(),
        "attempts": delivery.made,
        "error": failure.text,
        "cause": failure.cause,
        "status": failure.status,
        "event": reference(recorded),
        "key": recorded.key.as_ref().map(Key::as_str),
        "held": held,
        "redriven": redriven,
        "replayId": work.replay.as_ref().map(|replay| &replay.id),
        "cycle": failure.cycle,
        "history": history,
    })
    .to_string();
    // The event is text already.
    let mut original = Vec::with_capacity(recorded.event.size() + 256);
    codec::encode(&recorded.event, &mut original);
    let original = String::from_utf8(original).map_err(|error| error.to_string())?;
    data.pop();
    data.push_str(r#","original":"#);
    data.push_str(&original);
    data.push('}');
    let event = about(&name(work, delivery), SOURCE, DELIVERY_FAILED, &recorded.event, work.shared.clock.now());
    let event = event.data(Data::Json(data.into())).build().map_err(|error| error.to_string())?;
    Ok(NewEvent { event, key: recorded.key.clone() })
}

/// Returns the attempts that were made: those that stand in the log, and the last one, which may not stand there yet.
async fn history(work: &Work, delivery: &Delivery, failure: &Failure) -> Result<Vec<Value>, String> {
    let position = delivery.item.recorded.position;
    let last = json!({
        "attempt": delivery.attempt_made,
        "time": time::format(work.shared.clock.now()),
        "cause": failure.cause,
        "status": failure.status,
        "error": failure.text,
    });
    let Some(key) = key_of_attempts(position).filter(|_| delivery.failures > 1) else { return Ok(vec![last]) };
    let (mut first, mut rest) = (Vec::new(), std::collections::VecDeque::new());
    let prefix = format!("{}/attempted/", name(work, delivery));
    let mut read = Read::forward(work.space.clone(), position).filter(Filter::Key(key));
    loop {
        let page = work.shared.log.read(read.clone()).await.map_err(|error| weir_domain::error_chain(&error))?;
        for recorded in page.events.iter().filter(|it| it.event.id().starts_with(&prefix)) {
            let Some(entry) = entry(recorded) else { continue };
            if first.len() < ATTEMPTS_TOLD_FIRST {
                first.push(entry);
                continue;
            }
            if rest.len() == ATTEMPTS_TOLD - ATTEMPTS_TOLD_FIRST {
                rest.pop_front();
            }
            rest.push_back(entry);
        }
        if page.end {
            break;
        }
        read.from = page.next;
    }
    first.extend(rest);
    let is_there = first.last().is_some_and(|it| it["attempt"] == last["attempt"] && it["error"] == last["error"]);
    if !is_there {
        first.push(last);
    }
    Ok(first)
}

/// Takes out of what is kept of an attempt what a dead letter tells of it.
fn entry(recorded: &Recorded) -> Option<Value> {
    let Data::Json(data) = recorded.event.data() else { return None };
    let mut data: Value = serde_json::from_str(data).ok()?;
    let mut take = |name: &str| data.get_mut(name).map(Value::take).unwrap_or_default();
    let (attempt, cause, status, error) = (take("attempt"), take("cause"), take("status"), take("error"));
    Some(json!({
        "attempt": attempt, "time": recorded.event.time(), "cause": cause, "status": status, "error": error,
    }))
}
