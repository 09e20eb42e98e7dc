//! Events on their way into the log, and the receipt as the answer.

use axum::response::Response;
use http::{HeaderValue, StatusCode};
use weir_domain::{Event, SpaceName};
use weir_flow::{Sender, is_quarantined};
use weir_log::{EventReceipt, LogError, NewEvent};

use super::reach::Reach;
use crate::{
    answer,
    gateway::Shared,
    headers,
    metrics::{EventSeries, Refused},
    problem::Problem,
    request_id::RequestId,
    room::Place,
};

/// Appends one event, in every space that it is for. The answer has the receipt of the first one.
///
/// # Errors
/// Where the event is not admitted in one of them, or the log does not take it.
pub(super) async fn one(
    shared: &Shared,
    id: &RequestId,
    reach: Reach,
    event: Event,
    sender: &dyn Sender,
) -> Result<Response, Problem> {
    let Reach { home: space, also } = reach;
    let copy = (!also.is_empty()).then(|| event.clone());
    let admitted = admit(shared, &space, event, sender).await?;
    if let Some(event) = copy {
        // Apart, so that all other requests need no room for it.
        Box::pin(copies(shared, id, also, &event, sender)).await?;
    }
    let Kept { entry, is_quarantined } = keep(shared, id, space, admitted, sender).await?;
    let mut response = answer::empty(StatusCode::ACCEPTED);
    response.headers_mut().insert(&headers::POSITION, entry.position.get().into());
    if entry.duplicate {
        response.headers_mut().insert(&headers::DUPLICATE, HeaderValue::from_static("true"));
    }
    if is_quarantined {
        response.headers_mut().insert(&headers::QUARANTINED, HeaderValue::from_static("true"));
    }
    Ok(response)
}

/// Appends an event in further spaces: all of them admit it, or none keeps it. Where the log fails between two of them, the
/// sender repeats it, and nothing stands there twice.
///
/// # Errors
/// Where the event is not admitted in one of them, or the log does not take it.
pub(super) async fn copies(
    shared: &Shared,
    id: &RequestId,
    spaces: Vec<SpaceName>,
    event: &Event,
    sender: &dyn Sender,
) -> Result<(), Problem> {
    let mut all = Vec::with_capacity(spaces.len());
    for space in spaces {
        let admitted = admit(shared, &space, event.clone(), sender).await?;
        all.push((space, admitted));
    }
    for (space, admitted) in all {
        keep(shared, id, space, admitted, sender).await?;
    }
    Ok(())
}

/// An event that may enter, with what is counted of its type.
struct Admitted<'s> {
    series: EventSeries<'s>,
    new: NewEvent,
}

/// An event that the log has taken.
struct Kept {
    entry: EventReceipt,
    is_quarantined: bool,
}

async fn admit<'s>(
    shared: &'s Shared,
    space: &SpaceName,
    event: Event,
    sender: &dyn Sender,
) -> Result<Admitted<'s>, Problem> {
    let series = shared.counted(space, &event);
    series.received();
    let admitted = shared.flow.admit(space, event, sender).await;
    let new = admitted.inspect_err(|refusal| series.refused(refusal.into()))?;
    Ok(Admitted { series, new })
}

async fn keep(
    shared: &Shared,
    id: &RequestId,
    space: SpaceName,
    admitted: Admitted<'_>,
    sender: &dyn Sender,
) -> Result<Kept, Problem> {
    let Admitted { series, new } = admitted;
    let kept_in = is_quarantined(&new).then(|| space.clone());
    let told = shared.flow.received(&space, &new, sender).into_iter().collect();
    let appended = shared.flow.append(&*shared.log, space, vec![new], told).await;
    let receipt = appended.inspect_err(|error| series.refused(error.into()));
    let receipt = receipt.map_err(|error| failed(shared, id, error))?;
    let Some(entry) = receipt.events.first().copied() else {
        return Err(Problem::internal("the receipt of one event is empty"));
    };
    match &kept_in {
        Some(space) => series.quarantined(space, &entry),
        None => series.recorded(&entry),
    }
    Ok(Kept { entry, is_quarantined: kept_in.is_some() })
}

/// Appends a batch, whole or not at all. A batch of no events is accepted and leaves no trace.
///
/// # Errors
/// Where one of the events is not admitted, or the log does not take them.
pub(super) async fn batch(
    shared: &Shared,
    id: &RequestId,
    space: SpaceName,
    events: Vec<Event>,
    sender: &dyn Sender,
    place: &mut Place<'_>,
) -> Result<Response, Problem> {
    let mut response = answer::empty(StatusCode::ACCEPTED);
    if events.is_empty() {
        return Ok(response);
    }
    let series: Vec<_> = events.iter().map(|event| shared.counted(&space, event)).collect();
    series.iter().for_each(|each| each.received());
    let refused = |why: Refused| series.iter().for_each(|each| each.refused(why));
    let bytes = |events: &[NewEvent]| events.iter().map(|new| new.event.size()).sum::<usize>();
    let held: usize = events.iter().map(Event::size).sum();
    let admitted = shared.flow.admit_batch(&space, events, sender).await.map_err(|(index, refusal)| {
        refused((&refusal).into());
        Problem::from(refusal).in_batch(index)
    })?;
    let told: Vec<NewEvent> = admitted.iter().filter_map(|new| shared.flow.received(&space, new, sender)).collect();
    // What authorizers said about a small event may be more than it has itself, and so may what quarantine adds and what is
    // told to those who listen.
    let more = (bytes(&admitted) + bytes(&told)).saturating_sub(held);
    place.hold(more).inspect_err(|_| refused(Refused::Overloaded))?;
    let quarantined: Vec<bool> = admitted.iter().map(is_quarantined).collect();
    let kept_in = quarantined.contains(&true).then(|| space.clone());
    let appended = shared.flow.append(&*shared.log, space, admitted, told).await;
    let receipt = appended.inspect_err(|error| refused(error.into()));
    let receipt = receipt.map_err(|error| failed(shared, id, error))?;
    for ((each, entry), is_quarantined) in series.iter().zip(&receipt.events).zip(&quarantined) {
        match &kept_in {
            Some(space) if *is_quarantined => each.quarantined(space, entry),
            _ => each.recorded(entry),
        }
    }
    let range = receipt.range();
    let positions = HeaderValue::try_from(format!("{}, {}", range.first, range.last));
    response.headers_mut().insert(&headers::POSITION, positions.expect("numbers and a comma are ASCII"));
    let duplicates = receipt.events.iter().filter(|entry| entry.duplicate).count();
    if duplicates > 0 {
        response.headers_mut().insert(&headers::DUPLICATE, duplicates.into());
    }
    let quarantined = quarantined.into_iter().filter(|it| *it).count();
    if quarantined > 0 {
        response.headers_mut().insert(&headers::QUARANTINED, quarantined.into());
    }
    Ok(response)
}

/// What is written about it names the request, by which the caller can ask.
fn failed(shared: &Shared, id: &RequestId, error: LogError) -> Problem {
    id.span(&*shared.ids).in_scope(|| error.into())
}
