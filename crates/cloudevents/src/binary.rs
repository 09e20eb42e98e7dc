//! Binary mode of the HTTP protocol binding: attributes as headers, data as the body, requests and responses alike.
//! Whether a message is in this mode at all is told by [`mode`](crate::mode).

use std::borrow::Cow;

use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;
use bytestring::ByteString;
use http::{HeaderMap, HeaderName, HeaderValue, header::CONTENT_TYPE};
use percent_encoding::{AsciiSet, CONTROLS, percent_decode, utf8_percent_encode};

use weir_domain::{AttributeError, AttributeValue, Data, Event, Limits};

use crate::{
    DecodeError, Problem,
    attributes::{self, DATA_CONTENT_TYPE},
    json::check,
    media, v03,
    version::{self, SpecVersion},
};

const PREFIX: &str = "ce-";
const SPECVERSION: &str = "ce-specversion";

/// Headers in the order of [`attributes::FIXED`].
const FIXED: [&str; 7] = ["ce-id", "ce-source", "ce-type", "ce-subject", "ce-time", "content-type", "ce-dataschema"];

/// What is percent-encoded beside everything outside of ASCII.
const ESCAPED: &AsciiSet = &CONTROLS.add(b' ').add(b'"').add(b'%');

/// Reads one event from headers and body.
///
/// Events of 0.3 become events of 1.0. Every extension attribute is text here, for headers have no types. Values are unquoted
/// and percent-decoded once; a percent sign that begins no escape stands for itself, which is how senders before version
/// 1.0.1 meant it.
///
/// # Errors
/// Where an attribute breaks a rule of CloudEvents 1.0.2 or comes twice, data declared as JSON is not, or a limit is
/// exceeded.
pub fn decode(headers: &HeaderMap, body: Bytes, limits: &Limits) -> Result<Event, DecodeError> {
    let version = headers.get(SPECVERSION).map(|value| text("specversion", value)).transpose()?;
    read(SpecVersion::parse(version.as_deref())?, headers, body, limits)
}

fn read(version: SpecVersion, headers: &HeaderMap, body: Bytes, limits: &Limits) -> Result<Event, DecodeError> {
    let mut fixed: [Option<Cow<'_, str>>; FIXED.len()] = [const { None }; FIXED.len()];
    let mut extensions: Vec<(&str, Cow<'_, str>)> = Vec::new();
    let mut versions = 0;
    for (header, value) in headers {
        let Some(name) = header.as_str().strip_prefix(PREFIX) else { continue };
        let value = text(name, value)?;
        attributes::check_length(name, &value, limits)?;
        let repeated = match attributes::fixed_index(name) {
            Some(DATA_CONTENT_TYPE) => {
                let problem = "must not be sent as ce-datacontenttype: send it as the header content-type";
                return Err(AttributeError::new(name, problem).into());
            }
            Some(index) => fixed[index].replace(value).is_some(),
            None if header.as_str() == SPECVERSION => {
                versions += 1;
                versions > 1
            }
            None => {
                let repeated = extensions.iter().any(|(each, _)| *each == name);
                extensions.push((name, value));
                attributes::check_count(extensions.len(), limits)?;
                repeated
            }
        };
        if repeated {
            return Err(Problem::repeated(name).into());
        }
    }
    let content_type = media::content_type(headers)?;
    attributes::check_length("datacontenttype", content_type.unwrap_or_default(), limits)?;
    let mut values = fixed.each_ref().map(Option::as_deref);
    values[DATA_CONTENT_TYPE] = content_type;
    let extensions = extensions.iter().map(|(name, value)| (*name, AttributeValue::String(value)));
    let event = match version {
        SpecVersion::V1 => Event::assemble(values, extensions, data(body, content_type)?)?,
        SpecVersion::V03 => {
            let body = if v03::is_base64(extensions.clone())? { decoded(&body)? } else { body };
            v03::assemble(values, extensions, data(body, content_type)?)?
        }
    };
    attributes::check_size(&event, limits)?;
    Ok(event)
}

/// Returns the headers and the body that carry an event.
///
/// Data that is JSON without a declared type gets the type it has by implication, as the binding asks.
#[must_use]
pub fn encode(event: &Event) -> (HeaderMap, Bytes) {
    let mut headers = HeaderMap::with_capacity(2 * FIXED.len());
    headers.insert(HeaderName::from_static(SPECVERSION), HeaderValue::from_static(version::V1));
    for (index, value) in event.fixed_values().into_iter().enumerate() {
        match value {
            Some(value) if index != DATA_CONTENT_TYPE => {
                headers.insert(HeaderName::from_static(FIXED[index]), escaped(value));
            }
            _ => {}
        }
    }
    for (name, value) in event.extensions() {
        let name = HeaderName::from_bytes(format!("{PREFIX}{name}").as_bytes())
            .expect("names of attributes are lower-case letters and digits");
        let value = match value {
            AttributeValue::String(text) => escaped(text),
            AttributeValue::Integer(number) => HeaderValue::from(number),
            AttributeValue::Boolean(true) => HeaderValue::from_static("true"),
            AttributeValue::Boolean(false) => HeaderValue::from_static("false"),
        };
        headers.insert(name, value);
    }
    let implied = matches!(event.data(), Data::Json(_)).then_some(media::JSON);
    if let Some(content_type) = event.datacontenttype().or(implied) {
        // A media type goes as it is; no attribute has the control characters that a header would refuse.
        let value = HeaderValue::from_bytes(content_type.as_bytes()).unwrap_or_else(|_| escaped(content_type));
        headers.insert(CONTENT_TYPE, value);
    }
    let body = match event.data() {
        Data::None => Bytes::new(),
        Data::Json(text) | Data::Text(text) => text.as_bytes().clone(),
        Data::Binary(bytes) => bytes.clone(),
    };
    (headers, body)
}

fn escaped(text: &str) -> HeaderValue {
    let escaped: Cow<'_, str> = utf8_percent_encode(text, ESCAPED).into();
    HeaderValue::from_str(&escaped).expect("percent-encoded text is printable ASCII")
}

/// Returns the text of a header: quoted strings unquoted, then percent-decoded once.
fn text<'h>(name: &str, value: &'h HeaderValue) -> Result<Cow<'h, str>, Problem> {
    let bytes = value.as_bytes();
    let decoded: Result<Cow<'h, str>, _> = if bytes.contains(&b'"') {
        let unquoted = unquoted(bytes).ok_or_else(|| {
            AttributeError::new(name, "has a quoted string that does not end: close it, or send the quote as %22")
        })?;
        percent_decode(&unquoted).decode_utf8().map(|text| Cow::Owned(text.into_owned()))
    } else {
        percent_decode(bytes).decode_utf8()
    };
    decoded.map_err(|_| {
        AttributeError::new(name, "is not UTF-8 when percent-decoded: percent-encode the bytes of its UTF-8 form")
            .into()
    })
}

/// Takes quotes from quoted strings and backslashes from their escapes (RFC 7230, section 3.2.6).
fn unquoted(value: &[u8]) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(value.len());
    let mut quoted = false;
    let mut bytes = value.iter().copied();
    while let Some(byte) = bytes.next() {
        match byte {
            b'"' => quoted = !quoted,
            b'\\' if quoted => out.push(bytes.next()?),
            _ => out.push(byte),
        }
    }
    (!quoted).then_some(out)
}

/// Decodes a body of 0.3 that says it is Base64.
fn decoded(body: &Bytes) -> Result<Bytes, Problem> {
    let decoded = STANDARD.decode(body).map(Bytes::from);
    decoded.map_err(|_| Problem::Data("is not Base64 (RFC 4648), which its datacontentencoding promises".to_owned()))
}

fn data(body: Bytes, content_type: Option<&str>) -> Result<Data, Problem> {
    if body.is_empty() {
        return Ok(Data::None);
    }
    match content_type {
        Some(media_type) if media::is_json(media_type) => check::json_data(body),
        Some(media_type) if media::is_utf8_text(media_type) => {
            Ok(ByteString::try_from(body.clone()).map_or(Data::Binary(body), Data::Text))
        }
        _ => Ok(Data::Binary(body)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_stand_in_the_places_of_their_attributes() {
        for (index, (header, name)) in FIXED.into_iter().zip(attributes::FIXED).enumerate() {
            let expected =
                if index == DATA_CONTENT_TYPE { "content-type".to_owned() } else { format!("{PREFIX}{name}") };
            assert_eq!(header, expected);
        }
    }
}
