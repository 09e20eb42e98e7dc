//! Which dead letters there are, and what was decided about them.

use serde_json::value::RawValue;
use weir_cloudevents::json as codec;
use weir_domain::{Position, SpaceName};
use weir_log::{Filter, LogError, Read, Recorded};

use super::{
    DeadLetter, LetterDetails, LetterError, LetterEvent, LetterPatched, LetterQuery, LetterSelection, LetterState,
    SOURCE,
    letter::{self, Members},
};
use crate::{DELIVERY_FAILED, flow::Shared};

/// How often one may be patched.
pub(super) const PATCHES_MAX: u32 = 100;
/// How many dead letters may be decided about with one call.
const LETTERS_MAX: usize = 1_000_000;
/// About how many events are looked at for one page of a list.
const LOOKED_AT_MAX: usize = 4096;
/// How many are read at once.
const READ_EVENTS: usize = 256;

/// A part of the dead letters of a space.
#[derive(Clone, Debug, Default)]
pub struct LetterPage {
    /// The letters, in the order of the log.
    pub letters: Vec<DeadLetter>,
    /// The position from which to go on; `None` where the end was reached.
    pub next: Option<Position>,
}

/// Returns the identifier of a decision.
pub(super) fn identifier(position: Position, state: LetterState) -> String {
    format!("{position}/{}", state.as_str())
}

/// Returns the identifier of another form.
pub(super) fn identifier_of_patch(position: Position, number: u32) -> String {
    format!("{position}/patched/{number}")
}

/// Tells whether a dead letter is redriven or discarded.
pub(crate) async fn is_decided(shared: &Shared, space: &SpaceName, position: Position) -> Result<bool, LogError> {
    for state in [LetterState::Redriven, LetterState::Discarded] {
        let found = shared.log.find(space.clone(), SOURCE.to_owned(), identifier(position, state)).await?;
        if found.is_some() {
            return Ok(true);
        }
    }
    Ok(false)
}

pub(super) async fn page(shared: &Shared, space: &SpaceName, query: &LetterQuery) -> Result<LetterPage, LetterError> {
    let mut page = LetterPage::default();
    let mut looked_at = 0;
    let mut read = first_read(space, &query.selection, query.from);
    loop {
        let events = shared.log.read(read.clone()).await?;
        looked_at += events.events.len();
        for recorded in &events.events {
            let Some(mut letter) = matching(recorded, &query.selection) else { continue };
            if page.letters.len() == query.limit {
                page.next = Some(recorded.position);
                return Ok(page);
            }
            note_state(shared, space, &mut letter).await?;
            if query.state.is_none_or(|state| state == letter.state) {
                page.letters.push(letter);
            }
        }
        if events.end {
            return Ok(page);
        }
        if looked_at >= LOOKED_AT_MAX {
            page.next = Some(events.next);
            return Ok(page);
        }
        read.from = events.next;
    }
}

/// Returns where all open letters of a selection stand, in the order of their events: a letter may be newer than that of a
/// later event, because it was redriven before.
pub(super) async fn open(
    shared: &Shared,
    space: &SpaceName,
    selection: &LetterSelection,
) -> Result<Vec<Position>, LetterError> {
    let mut found: Vec<(Position, Position)> = Vec::new();
    let mut read = first_read(space, selection, Position::ORIGIN);
    loop {
        let events = shared.log.read(read.clone()).await?;
        for recorded in &events.events {
            let Some(mut letter) = matching(recorded, selection) else { continue };
            note_state(shared, space, &mut letter).await?;
            if letter.state != LetterState::Open {
                continue;
            }
            if found.len() == LETTERS_MAX {
                return Err(LetterError::TooMany { max: LETTERS_MAX });
            }
            found.push((letter.event.position, letter.position));
        }
        if events.end {
            break;
        }
        read.from = events.next;
    }
    found.sort_unstable();
    Ok(found.into_iter().map(|(_, letter)| letter).collect())
}

fn first_read(space: &SpaceName, selection: &LetterSelection, from: Position) -> Read {
    let filter = match &selection.key {
        Some(key) => Filter::Key(key.clone()),
        None => Filter::Types(vec![DELIVERY_FAILED.to_owned()]),
    };
    Read::forward(space.clone(), from).filter(filter).events_max(READ_EVENTS)
}

fn matching(recorded: &Recorded, selection: &LetterSelection) -> Option<DeadLetter> {
    if !letter::is_letter(recorded) {
        return None;
    }
    let found = letter::read(recorded);
    if found.is_none() {
        tracing::error!(position = %recorded.position, "a dead letter cannot be read: it is left out");
    }
    found.filter(|letter| selection.takes(letter))
}

/// Finds out what was decided about a letter.
async fn note_state(shared: &Shared, space: &SpaceName, letter: &mut DeadLetter) -> Result<(), LogError> {
    for state in [LetterState::Redriven, LetterState::Discarded] {
        let id = identifier(letter.position, state);
        if let Some(at) = shared.log.find(space.clone(), SOURCE.to_owned(), id).await? {
            (letter.state, letter.decided_at) = (state, at);
            break;
        }
    }
    Ok(())
}

pub(super) async fn details(
    shared: &Shared,
    space: &SpaceName,
    position: Position,
) -> Result<LetterDetails, LetterError> {
    let recorded = at(shared, space, position).await?.filter(letter::is_letter);
    let recorded = recorded.ok_or(LetterError::NotFound { position })?;
    let unreadable = |detail: &str| LetterError::Unreadable { position, detail: detail.to_owned() };
    let mut letter = letter::read(&recorded).ok_or_else(|| unreadable("its data are not of the known form"))?;
    note_state(shared, space, &mut letter).await?;
    let patched = last_patch(shared, space, position).await?;
    let (cycle, history, original) = {
        let members = Members::of(&recorded.event);
        let owned = |name: &str| members.as_ref()?.owned(name);
        (owned("cycle"), owned("history"), owned("original"))
    };
    let original = match original {
        Some(original) => original,
        // Of an older Weir.
        None => from_log(shared, space, &letter.event).await?.ok_or_else(|| unreadable("its event is not there"))?,
    };
    Ok(LetterDetails { letter, cycle, history, original, patched, itself: recorded.event })
}

async fn from_log(shared: &Shared, space: &SpaceName, event: &LetterEvent) -> Result<Option<Box<RawValue>>, LogError> {
    let Some(recorded) = at(shared, space, event.position).await? else { return Ok(None) };
    let mut json = Vec::with_capacity(recorded.event.size() + 256);
    codec::encode(&recorded.event, &mut json);
    Ok(String::from_utf8(json).ok().and_then(|json| RawValue::from_string(json).ok()))
}

/// Finds the last form that a letter was given. They have numbers without gaps.
async fn last_patch(
    shared: &Shared,
    space: &SpaceName,
    position: Position,
) -> Result<Option<LetterPatched>, LetterError> {
    let mut last = None;
    for number in 1..=PATCHES_MAX {
        let id = identifier_of_patch(position, number);
        let Some(at) = shared.log.find(space.clone(), SOURCE.to_owned(), id).await? else { break };
        last = Some((number, at));
    }
    let Some((number, found)) = last else { return Ok(None) };
    let recorded = at(shared, space, found).await?;
    let event = recorded.as_ref().and_then(|it| Members::of(&it.event)?.owned("patched"));
    let detail = || format!("the patch at position {found} is not of the known form");
    let event = event.ok_or_else(|| LetterError::Unreadable { position, detail: detail() })?;
    Ok(Some(LetterPatched { position: found, number, event }))
}

/// Reads the event at a position, if there is one of the space.
async fn at(shared: &Shared, space: &SpaceName, position: Position) -> Result<Option<Recorded>, LogError> {
    let read = Read::forward(space.clone(), position).events_max(1);
    let first = shared.log.read(read).await?.events.into_iter().next();
    Ok(first.filter(|it| it.position == position))
}
