//! What is answered where no subscription takes a plain request.

use std::time::Duration;

use bytes::Bytes;
use http::{StatusCode, header::CONTENT_TYPE, request::Parts};
use serde_json::Value;
use weir_catalog::{HTTP_REQUEST, SpaceCatalog};
use weir_domain::SpaceName;

use super::{emits, with_head};
use crate::{
    body::{self, Bounds, RequestBody},
    problem::Problem,
    room::Place,
};

/// How much of a body is looked at, and how long it is waited for: it only makes the message a better one.
const LOOK: Bounds = Bounds { bytes_max: 16 * 1024, time_max: Duration::from_secs(1) };

/// Says what is wrong: the path, the method, or the media type of an event.
pub(super) async fn problem<B: RequestBody>(
    present: &SpaceCatalog,
    parts: &Parts,
    space: &SpaceName,
    path: &str,
    body: B,
    place: &mut Place<'_>,
) -> Problem {
    let methods = with_head(present.methods(HTTP_REQUEST, path));
    // The path is the client's own; bounded, it does no harm in the answer.
    let path: String = path.chars().take(256).collect();
    let method = &parts.method;
    if !methods.is_empty() {
        let message = format!("{path} is not subscribed to with {method}: use one of the methods of the header Allow");
        return Problem::new(StatusCode::METHOD_NOT_ALLOWED, message).allowing(methods);
    }
    let event = if emits(parts) && is_json(parts) {
        // What is too large, too late or broken off is answered without it.
        body::read(body, place, LOOK).await.ok().and_then(|body| media_type_of(&body))
    } else {
        None
    };
    let cure = match event {
        Some(media_type) => format!("the body looks like a CloudEvent: send it as {media_type}"),
        None => "make a subscription, or send a CloudEvent".to_owned(),
    };
    let message = format!("nothing in space \"{space}\" is subscribed to {method} {path}: {cure}");
    Problem::new(StatusCode::NOT_FOUND, message)
}

/// Tells whether a body is said to be JSON and no more.
fn is_json(parts: &Parts) -> bool {
    let media_type = parts.headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let essence = media_type.split_once(';').map_or(media_type, |(essence, _)| essence);
    essence.trim().eq_ignore_ascii_case("application/json")
}

/// Returns as what a body should have been sent that is a CloudEvent, or several.
fn media_type_of(body: &Bytes) -> Option<&'static str> {
    let is_event = |value: &Value| value.get("specversion").is_some_and(Value::is_string);
    match serde_json::from_slice::<Value>(body).ok()? {
        Value::Array(events) => events.first().is_some_and(is_event).then_some("application/cloudevents-batch+json"),
        event => is_event(&event).then_some("application/cloudevents+json"),
    }
}
