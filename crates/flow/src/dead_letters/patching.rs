//! The event of a dead letter in another form: what a patch may change, and what must stay.

mod merge;

use bytes::Bytes;
use serde_json::value::RawValue;
use weir_catalog::{Arrival, DataFault, EventType, is_reserved};
use weir_cloudevents::json as codec;
use weir_domain::{Data, Event, Key, Position, SpaceName};
use weir_log::LogError;

use super::{
    DEADLETTER_PATCHED, LetterDetails, LetterError, LetterPatched, LetterState, NO_LIMITS, TRIES_MAX,
    deciding::{append, event_about, told},
    reading::{self, PATCHES_MAX},
};
use crate::{CAUSATION_ID, CORRELATION_ID, HOPS, REPLAY, Refusal, flow::Shared, work::Work};

/// How an event is to be another one.
#[derive(Clone, Copy, Debug)]
pub enum LetterPatch<'a> {
    /// A merge patch (RFC 7396) of its JSON: members take the place of those of the same name, and `null` takes one away.
    Merge(&'a str),
    /// The whole event in the JSON format of CloudEvents.
    Whole(&'a str),
}

/// What the platform wrote into an event: by what it came in, who was authorized, and what it follows from.
const OF_THE_PLATFORM: [&str; 7] =
    [CAUSATION_ID, CORRELATION_ID, HOPS, REPLAY, Arrival::METHOD, Arrival::PATH, "eventgateway"];

/// The deepest nesting of the data: it stands in the data of other events, two levels deeper, and readers take 127.
const DEPTH_MAX: usize = 125;

pub(super) async fn patch(
    shared: &Shared,
    space: &SpaceName,
    position: Position,
    patch: LetterPatch<'_>,
) -> Result<LetterPatched, LetterError> {
    for _ in 0..TRIES_MAX {
        let after = *shared.log.durable_end().borrow();
        let details = reading::details(shared, space, position).await?;
        let letter = &details.letter;
        if letter.state != LetterState::Open {
            return Err(LetterError::Decided { position, state: letter.state, at: letter.decided_at });
        }
        let number = details.patched.as_ref().map_or(0, |patched| patched.number) + 1;
        if number > PATCHES_MAX {
            return Err(LetterError::TooManyPatches { position, max: PATCHES_MAX });
        }
        let event = patched(shared, space, &details, patch).await?;
        let data = told(letter, &letter.subscription, &letter.function, Some(&event));
        let id = reading::identifier_of_patch(position, number);
        let new = event_about(shared, &details, &id, DEADLETTER_PATCHED, data)?;
        match append(shared, space, vec![new], after).await {
            Ok(receipt) => {
                let Some(entry) = receipt.events.first().filter(|entry| !entry.duplicate) else { continue };
                return Ok(LetterPatched { position: entry.position, number, event });
            }
            Err(LogError::ConditionFailed { .. }) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Err(LetterError::Busy)
}

/// Makes the new form and checks that it may take the place of the last one.
async fn patched(
    shared: &Shared,
    space: &SpaceName,
    details: &LetterDetails,
    patch: LetterPatch<'_>,
) -> Result<Box<RawValue>, LetterError> {
    let limits = &shared.options.limits;
    let (LetterPatch::Merge(given) | LetterPatch::Whole(given)) = patch;
    // As JSON an event may have more bytes than it has as one.
    let most = limits.event_bytes_max.saturating_mul(2);
    if given.len() > most {
        return Err(LetterError::Patch { detail: format!("it has {} bytes, over the limit of {most}", given.len()) });
    }
    let text = match patch {
        LetterPatch::Merge(patch) => merge::merged(details.latest(), patch)?,
        LetterPatch::Whole(event) => event.to_owned(),
    };
    let before = codec::decode(&Bytes::from(details.latest().get().to_owned()), &NO_LIMITS)?;
    let after = codec::decode(&Bytes::from(text), limits)?;
    check_fixed(&before, &after)?;
    check_depth(&after)?;
    let catalog = shared.state.borrow().catalog.clone();
    match catalog.space_or_empty(space).event_type(after.event_type()) {
        Some(event_type) => {
            // Others get their turn before much is checked.
            Work::default().begin(event_type, &after).await?;
            check_data(event_type, &after)?;
            let keys = (event_type.key_of(&before).ok(), event_type.key_of(&after).map_err(Refusal::from)?);
            check_key(details.letter.key.as_ref(), keys)?;
        }
        // Where events of types are taken that nobody registered.
        None => check_key(details.letter.key.as_ref(), (Some(before.default_key()), after.default_key()))?,
    }
    let mut json = Vec::with_capacity(after.size() + 256);
    codec::encode(&after, &mut json);
    let json = String::from_utf8(json).ok().and_then(|json| RawValue::from_string(json).ok());
    json.ok_or_else(|| LetterError::Patch { detail: "the event cannot be written as JSON".to_owned() })
}

fn check_fixed(before: &Event, after: &Event) -> Result<(), LetterError> {
    if is_reserved(before.event_type()) {
        return Err(LetterError::OfThePlatform { event_type: before.event_type().to_owned() });
    }
    let attributes = [
        ("id", before.id(), after.id()),
        ("source", before.source(), after.source()),
        ("type", before.event_type(), after.event_type()),
    ];
    let changed = attributes.into_iter().find(|(_, before, after)| before != after).map(|(name, ..)| name);
    let forged = || OF_THE_PLATFORM.into_iter().find(|name| before.extension(name) != after.extension(name));
    match changed.or_else(forged) {
        Some(name) => Err(LetterError::Fixed { name }),
        None => Ok(()),
    }
}

fn check_depth(event: &Event) -> Result<(), LetterError> {
    let Data::Json(data) = event.data() else { return Ok(()) };
    let given = codec::nesting(data);
    if given > DEPTH_MAX {
        return Err(Refusal::TooLarge { what: "nesting of the data", given, limit: DEPTH_MAX }.into());
    }
    Ok(())
}

fn check_data(event_type: &EventType, event: &Event) -> Result<(), Refusal> {
    let name = event_type.name.to_string();
    event_type.check(event).map_err(|fault| match fault {
        // Whatever the type says of such events: who sends the patch is there and can correct it.
        DataFault::Broken(violations) => {
            Refusal::Schema { event_type: name, version: event_type.schema_version, violations }
        }
        DataFault::Unusable(problem) => Refusal::SchemaUnusable { event_type: name, problem },
    })
}

/// Compares keys of before and after by the rule of now. Where the rule is another one than then, it is enough that the
/// event says the same by it.
fn check_key(own: Option<&Key>, (before, after): (Option<Option<Key>>, Option<Key>)) -> Result<(), LetterError> {
    if after.as_ref() == own || before.as_ref() == Some(&after) {
        return Ok(());
    }
    let shown = |key: Option<&Key>| key.map_or_else(|| "none".to_owned(), |key| format!("{:?}", key.as_str()));
    Err(LetterError::Key { given: shown(after.as_ref()), own: shown(own) })
}
