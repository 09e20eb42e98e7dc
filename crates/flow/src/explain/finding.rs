//! Which event is meant.

use weir_domain::{Position, SpaceName};
use weir_log::{Read, Recorded};

use super::{AskedEvent, ExplainError, Question};
use crate::{
    flow::Shared,
    schema::{self, EVENT_QUARANTINED},
};

/// How many events are looked through for one of which only the id is known.
const SCANNED_MAX: usize = 1_000_000;

/// Finds the event. In the place of one that is in quarantine stands the event that keeps it.
pub(super) async fn find(shared: &Shared, space: &SpaceName, question: Question<'_>) -> Result<Recorded, ExplainError> {
    let Question { event, sees, .. } = question;
    match event {
        AskedEvent::At(position) => {
            let found = at(shared, space, position).await?.filter(|it| sees(it.event.event_type()));
            found.ok_or(ExplainError::NotAt { position })
        }
        AskedEvent::Named { id, source: Some(source) } => {
            let found = named(shared, space, source, id).await?.filter(|it| sees(it.event.event_type()));
            let not_named = || ExplainError::NotNamed { id: id.to_owned(), source_given: source.to_owned() };
            found.ok_or_else(not_named)
        }
        AskedEvent::Named { id, source: None } => newest(shared, space, id, sees).await,
    }
}

/// Reads the event at a position, if there is one of the space.
pub(super) async fn at(
    shared: &Shared,
    space: &SpaceName,
    position: Position,
) -> Result<Option<Recorded>, ExplainError> {
    let read = Read::forward(space.clone(), position).events_max(1);
    let first = shared.log.read(read).await?.events.into_iter().next();
    Ok(first.filter(|it| it.position == position))
}

/// Reads the event of a source and an id, if there is one.
pub(super) async fn by_name(
    shared: &Shared,
    space: &SpaceName,
    source: &str,
    id: &str,
) -> Result<Option<Recorded>, ExplainError> {
    match shared.log.find(space.clone(), source.to_owned(), id.to_owned()).await? {
        Some(position) => at(shared, space, position).await,
        None => Ok(None),
    }
}

async fn named(shared: &Shared, space: &SpaceName, source: &str, id: &str) -> Result<Option<Recorded>, ExplainError> {
    if let Some(found) = by_name(shared, space, source, id).await? {
        return Ok(Some(found));
    }
    by_name(shared, space, schema::SOURCE, &schema::identifier(source, id)).await
}

/// Looks for the newest event of an id.
async fn newest(
    shared: &Shared,
    space: &SpaceName,
    id: &str,
    sees: &(dyn Fn(&str) -> bool + Sync),
) -> Result<Recorded, ExplainError> {
    let end = *shared.log.durable_end().borrow();
    let mut read = Read::backward(space.clone(), end);
    let mut scanned = 0;
    let is_meant = |it: &Recorded| {
        let event = &it.event;
        let keeps_it = event.event_type() == EVENT_QUARANTINED && event.subject() == Some(id);
        (event.id() == id || keeps_it) && sees(event.event_type())
    };
    while scanned < SCANNED_MAX && read.from > Position::ORIGIN {
        let page = shared.log.read(read.clone()).await?;
        scanned += page.events.len();
        if let Some(found) = page.events.into_iter().find(is_meant) {
            return Ok(found);
        }
        if page.end {
            break;
        }
        read.from = page.next;
    }
    Err(ExplainError::NotFound { id: id.to_owned(), scanned })
}
