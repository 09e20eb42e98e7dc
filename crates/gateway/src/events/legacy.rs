//! The custom event of the Event Gateway: any body, with the event type in the header `Event`.
//!
//! Clients from before CloudEvents send these. What comes is wrapped in an event of its own, marked as the Event Gateway
//! marked it; a body of JSON that is a CloudEvent itself passes as what it is.

use bytes::Bytes;
use http::{HeaderMap, HeaderName, header::CONTENT_TYPE, request::Parts};
use weir_cloudevents::{time, v01};
use weir_domain::{AttributeValue, Data, ErrorKind, Event};

use crate::{compatibility::OldBody, gateway::Shared, problem::Problem};

const EVENT: HeaderName = HeaderName::from_static("event");
const JSON: &str = "application/json";
/// What a body is whose type is not told.
const BYTES: &str = "application/octet-stream";
const SOURCE: &str = "https://serverless.com/event-gateway/#transformationVersion=0.1";
/// An extension of CloudEvents 1.0 is no object: it is kept as the text of one.
const MARK: (&str, &str) = ("eventgateway", r#"{"transformed":"true","transformation-version":"0.1"}"#);

/// Returns the event type of a request that is a custom event.
pub(super) fn event_type(headers: &HeaderMap) -> Result<Option<&str>, Problem> {
    match headers.get(EVENT) {
        Some(value) if !value.is_empty() => {
            let text = str::from_utf8(value.as_bytes());
            text.map(Some).map_err(|_| Problem::invalid("the header Event is not UTF-8: send the type of the event so"))
        }
        _ => Ok(None),
    }
}

/// Tells whether the body may be a CloudEvent, which is asked first.
pub(super) fn may_be_cloudevent(headers: &HeaderMap) -> bool {
    headers.get(CONTENT_TYPE).is_some_and(|value| {
        let essence = value.to_str().unwrap_or_default().split(';').next().unwrap_or_default();
        essence.trim().eq_ignore_ascii_case(JSON)
    })
}

/// Makes the data. As the Event Gateway had it, they are bytes where it showed base64.
fn data(shared: &Shared, body: Bytes, media_type: &str) -> Result<Data, Problem> {
    let is_old = shared.options.compatibility.base64_bodies && !body.is_empty();
    if is_old && OldBody::of(media_type, &body) == OldBody::Bytes {
        return Ok(Data::Binary(body));
    }
    Ok(v01::data_of_body(body, Some(media_type))?)
}

/// Wraps a body.
///
/// # Errors
/// Where the type cannot be one, or the event would be larger than one may be.
pub(super) fn wrap(shared: &Shared, parts: &Parts, event_type: &str, body: Bytes) -> Result<Event, Problem> {
    let (id, now) = (shared.ids.unique(), time::format(shared.clock.now()));
    let given = parts.headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let media_type = given.filter(|text| !text.is_empty()).unwrap_or(BYTES);
    let fixed = [Some(&*id), Some(SOURCE), Some(event_type), None, Some(&*now), Some(media_type), None];
    let mark = [(MARK.0, AttributeValue::String(MARK.1))];
    let event = Event::assemble(fixed, mark.into_iter(), data(shared, body, media_type)?)
        .map_err(|error| Problem::of(ErrorKind::Invalid, &error))?;
    let event_bytes_max = shared.options.limits.event_bytes_max;
    if event.size() > event_bytes_max {
        return Err(Problem::too_large("size of the event", event.size() as u64, event_bytes_max));
    }
    Ok(event)
}
