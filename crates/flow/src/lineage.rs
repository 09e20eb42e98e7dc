//! Which events an event follows from.

use serde_json::{Value, json};
use weir_domain::{Position, SpaceName};
use weir_log::{LogEngine, LogError, Read, Recorded};

use crate::{delivery::Work, reentry::CAUSATION_ID};

/// How many events are looked through for the causes of one. They stand close before it where functions are quick.
pub(crate) const SCANNED_MAX: usize = 20_000;

/// Returns the event that caused one, the event that caused that one, and so on, at most so many. It ends where a cause is
/// not found among the events close before.
///
/// # Errors
/// Where the log cannot be read.
pub(crate) async fn ancestors(
    log: &dyn LogEngine,
    space: &SpaceName,
    of: &Recorded,
    most: usize,
) -> Result<Vec<Recorded>, LogError> {
    let mut found: Vec<Recorded> = Vec::new();
    let mut scanned = 0;
    let mut read = Read::backward(space.clone(), of.position.previous());
    let mut cause = of.event.extension_text(CAUSATION_ID).map(str::to_owned);
    while let Some(id) = &cause {
        if found.len() >= most || scanned >= SCANNED_MAX || read.from == Position::ORIGIN {
            break;
        }
        let page = log.read(read.clone()).await?;
        let mut wanted = Some(id.clone());
        for recorded in page.events {
            scanned += 1;
            if wanted.as_deref() != Some(recorded.event.id()) || found.len() >= most {
                continue;
            }
            wanted = recorded.event.extension_text(CAUSATION_ID).map(str::to_owned);
            found.push(recorded);
        }
        cause = wanted;
        if page.end {
            break;
        }
        read.from = page.next;
    }
    Ok(found)
}

/// Returns the function that an event stems from, where its source says so.
pub(crate) fn function_of<'a>(space: &SpaceName, recorded: &'a Recorded) -> Option<&'a str> {
    let source = recorded.event.source().strip_prefix("/spaces/")?.strip_prefix(space.as_str())?;
    source.strip_prefix("/functions/")
}

/// Names the event types and functions that follow one another, from one event back to the last one of its type.
pub(crate) async fn cycle(work: &Work, of: &Recorded) -> Option<Value> {
    let most = work.shared.options.hops_max as usize;
    let before = ancestors(&*work.shared.log, &work.space, of, most).await;
    let before = before.inspect_err(|error| tracing::warn!(%error, "the causes of an event cannot be read")).ok()?;
    let named = |recorded: &Recorded| json!({ "type": recorded.event.event_type(), "function": function_of(&work.space, recorded) });
    let mut cycle = vec![json!({
        "type": of.event.event_type(), "function": work.subscription.function.as_str(),
    })];
    let is_same = |it: &&Recorded| it.event.event_type() != of.event.event_type();
    cycle.extend(before.iter().take_while(is_same).map(named));
    cycle.reverse();
    Some(Value::Array(cycle))
}
