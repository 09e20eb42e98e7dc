//! The custom event of the Event Gateway: any body, with the event type in the header `Event`.
//!
//! Clients from before CloudEvents send these. What comes is wrapped in an event of its own, marked as the Event Gateway
//! marked it; a body of JSON that is a CloudEvent itself passes as what it is.

use bytes::Bytes;
use http::{HeaderMap, HeaderName, header::CONTENT_TYPE, request::Parts};
use weir_cloudevents::{time, v01};
use weir_domain::{AttributeValue, Data, ErrorKind, Event, Limits};

use super::structured;
use crate::{compatibility::OldBody, decoding::Decoder, gateway::Shared, problem::Problem};

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

/// What a body is.
#[derive(Debug, PartialEq)]
enum Content {
    /// A CloudEvent itself.
    Event(Event),
    /// What an event of its own is put around.
    Data(Data),
}

/// Reads the event of a request with this event type.
///
/// # Errors
/// Where the type cannot be one, or the event would be larger than one may be.
pub(super) async fn decode(shared: &Shared, parts: &Parts, event_type: &str, body: Bytes) -> Result<Event, Problem> {
    let given = parts.headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let media_type = given.filter(|text| !text.is_empty()).unwrap_or(BYTES);
    let is_old = shared.options.compatibility.base64_bodies;
    match content(&shared.decoder, media_type, is_old, shared.options.limits, body).await? {
        Content::Event(event) => Ok(event),
        Content::Data(data) => wrap(shared, event_type, media_type, data),
    }
}

/// Finds out what a body is; a large one is looked at where all large ones are.
async fn content(
    decoder: &Decoder,
    media_type: &str,
    is_old: bool,
    limits: Limits,
    body: Bytes,
) -> Result<Content, Problem> {
    let media_type = media_type.to_owned();
    let look = move |body: &Bytes| {
        if may_be_cloudevent(&media_type)
            && let Ok(event) = structured(body, &limits)
        {
            return Ok(Content::Event(event));
        }
        data(body.clone(), &media_type, is_old).map(Content::Data)
    };
    decoder.decode(body, look).await
}

/// Tells whether the body may be a CloudEvent, which is asked first.
fn may_be_cloudevent(media_type: &str) -> bool {
    let essence = media_type.split(';').next().unwrap_or_default();
    essence.trim().eq_ignore_ascii_case(JSON)
}

/// Makes the data. As the Event Gateway had it, they are bytes where it showed base64.
fn data(body: Bytes, media_type: &str, is_old: bool) -> Result<Data, Problem> {
    if is_old && !body.is_empty() && OldBody::of(media_type, &body) == OldBody::Bytes {
        return Ok(Data::Binary(body));
    }
    Ok(v01::data_of_body(body, Some(media_type))?)
}

/// Puts an event around data.
fn wrap(shared: &Shared, event_type: &str, media_type: &str, data: Data) -> Result<Event, Problem> {
    let (id, now) = (shared.ids.unique(), time::format(shared.clock.now()));
    let fixed = [Some(&*id), Some(SOURCE), Some(event_type), None, Some(&*now), Some(media_type), None];
    let mark = [(MARK.0, AttributeValue::String(MARK.1))];
    let event =
        Event::assemble(fixed, mark.into_iter(), data).map_err(|error| Problem::of(ErrorKind::Invalid, &error))?;
    let event_bytes_max = shared.options.limits.event_bytes_max;
    if event.size() > event_bytes_max {
        return Err(Problem::too_large("size of the event", event.size() as u64, event_bytes_max));
    }
    Ok(event)
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    #[tokio::test]
    async fn large_bodies_are_looked_at_elsewhere() {
        let decoder = Decoder::new();
        let look = |body: &str| {
            let body = Bytes::copy_from_slice(body.as_bytes());
            content(&decoder, "application/json", false, Limits::default(), body)
        };
        let small = r#"{"a":1}"#;
        let seen = look(small).now_or_never().expect("it is looked at in place").expect("JSON");
        assert_eq!(seen, Content::Data(Data::Json(small.into())));
        let event =
            |text: &str| format!(r#"{{"specversion":"1.0","id":"1","source":"/s","type":"t","data":"{text}"}}"#);
        let seen = look(&event("x")).now_or_never().expect("it is looked at in place").expect("JSON");
        assert!(matches!(seen, Content::Event(_)), "{seen:?}");

        let text = "x".repeat(512 * 1024);
        assert!(look(&event(&text)).now_or_never().is_none());
        let seen = look(&event(&text)).await.expect("JSON");
        assert!(matches!(&seen, Content::Event(event) if event.size() > text.len()), "{seen:?}");
        let large = format!(r#"{{"a":"{text}"}}"#);
        assert_eq!(look(&large).await.expect("JSON"), Content::Data(Data::Json(large.as_str().into())));
    }
}
