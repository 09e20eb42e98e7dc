//! Which mode of the HTTP protocol binding a message is in, told by its headers. The body is not looked at.

use http::HeaderMap;

use crate::{
    DecodeError,
    error::short,
    json::{BATCH_CONTENT_TYPE, CONTENT_TYPE},
    media,
};

/// How a message carries CloudEvents.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// One event as a JSON object in the body: [`json::decode`](crate::json::decode).
    Structured,
    /// Events as a JSON array in the body: [`json::decode_batch`](crate::json::decode_batch).
    Batch,
    /// One event, its attributes as headers and its data as the body: [`binary::decode`](crate::binary::decode).
    Binary,
    /// No event at all: an ordinary message.
    NotCloudEvent,
}

/// The prefix by which CloudEvents formats are known.
const PREFIX: &str = "application/cloudevents";

/// Headers of the required attributes: one of them is enough to take a message for an event and to say what it lacks.
const TELLING: [&str; 4] = ["ce-specversion", "ce-id", "ce-source", "ce-type"];

/// Tells the mode of a message.
///
/// The media type decides before headers with the prefix `ce-`: beside structured or batched mode those are ignored, as
/// the binding says.
///
/// # Errors
/// Where `content-type` is no media type or comes twice, and where it names a CloudEvents format or a charset that is
/// not understood.
pub fn detect(headers: &HeaderMap) -> Result<Mode, DecodeError> {
    if let Some(media_type) = media::content_type(headers)? {
        let essence = media::essence(media_type);
        let prefix = essence.get(..PREFIX.len());
        if prefix.is_some_and(|prefix| prefix.eq_ignore_ascii_case(PREFIX)) {
            return format(essence, media_type);
        }
    }
    let told = TELLING.iter().any(|name| headers.contains_key(*name));
    Ok(if told { Mode::Binary } else { Mode::NotCloudEvent })
}

fn format(essence: &str, media_type: &str) -> Result<Mode, DecodeError> {
    let unsupported = |cure| DecodeError::Unsupported { given: short(media_type), cure };
    let mode = if essence.eq_ignore_ascii_case(CONTENT_TYPE) {
        Mode::Structured
    } else if essence.eq_ignore_ascii_case(BATCH_CONTENT_TYPE) {
        Mode::Batch
    } else {
        return Err(unsupported("send application/cloudevents+json or application/cloudevents-batch+json"));
    };
    if media::is_utf8(media_type) { Ok(mode) } else { Err(unsupported("send JSON in UTF-8 (RFC 8259)")) }
}

#[cfg(test)]
mod tests {
    use http::{HeaderName, HeaderValue};

    use super::*;

    fn detect_all(headers: &[(&'static str, &'static str)]) -> Result<Mode, String> {
        let mut map = HeaderMap::new();
        for &(name, value) in headers {
            map.append(HeaderName::from_static(name), HeaderValue::from_static(value));
        }
        detect(&map).map_err(|error| format!("{} {error}", error.status().as_u16()))
    }

    #[test]
    fn the_media_type_decides_before_the_headers() {
        let check = |headers: &[(&'static str, &'static str)], mode| assert_eq!(detect_all(headers), Ok(mode));
        check(&[], Mode::NotCloudEvent);
        check(&[("content-type", "")], Mode::NotCloudEvent);
        check(&[("content-type", "application/json")], Mode::NotCloudEvent);
        check(&[("content-type", "application/json"), ("ce-time", "x")], Mode::NotCloudEvent);
        check(&[("content-type", "application/cloudevents+json")], Mode::Structured);
        check(&[("content-type", "Application/CloudEvents+JSON; charset=UTF-8")], Mode::Structured);
        check(&[("content-type", "application/cloudevents+json"), ("ce-id", "1")], Mode::Structured);
        check(&[("content-type", "application/cloudevents-batch+json;charset=\"utf-8\"")], Mode::Batch);
        check(&[("content-type", "application/json"), ("ce-specversion", "1.0")], Mode::Binary);
        check(&[("ce-type", "t")], Mode::Binary);
    }

    #[test]
    fn what_is_not_understood_is_refused_with_a_cure() {
        let check = |headers: &[(&'static str, &'static str)], message: &str| {
            assert_eq!(detect_all(headers), Err(message.to_owned()));
        };
        check(
            &[("content-type", "application/cloudevents+avro")],
            "415 unsupported media type: send application/cloudevents+json or application/cloudevents-batch+json, \
             not \"application/cloudevents+avro\"",
        );
        check(
            &[("content-type", "application/cloudevents")],
            "415 unsupported media type: send application/cloudevents+json or application/cloudevents-batch+json, \
             not \"application/cloudevents\"",
        );
        check(
            &[("content-type", "application/cloudevents+json; charset=utf-16")],
            "415 unsupported media type: send JSON in UTF-8 (RFC 8259), \
             not \"application/cloudevents+json; charset=utf-16\"",
        );
        check(
            &[("content-type", "json")],
            "400 header \"content-type\" is not a media type (RFC 9110): send one such as application/json, or none",
        );
        check(
            &[("content-type", "text/plain"), ("content-type", "text/plain")],
            "400 header \"content-type\" is given twice: give it once",
        );
    }
}
