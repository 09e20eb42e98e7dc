//! How the data of an event of 0.1 is kept: by its media type, and as bytes where it is not what that type says.

use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;
use bytestring::ByteString;
use serde::de::IgnoredAny;

use weir_domain::Data;

use crate::{Problem, error::json_reason, json::check, media};

/// Tells whether data of a media type is text that stands in the JSON format as it is: `text/*` and forms.
pub(super) fn is_text(media_type: &str) -> bool {
    media::is_text(media_type) || media::is_form(media_type)
}

/// Tells whether a text is Base64 and would therefore be read as bytes.
pub(super) fn is_base64(text: &str) -> bool {
    STANDARD.decode(text).is_ok()
}

/// Makes data of an HTTP body.
pub(super) fn of_body(body: Bytes, content_type: Option<&str>) -> Result<Data, Problem> {
    if body.is_empty() {
        return Ok(Data::None);
    }
    let is_json = content_type.is_some_and(media::is_json);
    if !is_json && !content_type.is_some_and(|given| is_text(given) && media::is_utf8(given)) {
        return Ok(Data::Binary(body));
    }
    match ByteString::try_from(body.clone()) {
        Ok(text) if !is_json => Ok(Data::Text(text)),
        Ok(text) if serde_json::from_str::<IgnoredAny>(&text).is_ok() => {
            // This is JSON, but no reader of it would get to its end: as bytes it would only fail later.
            check::depth(&text)?;
            Ok(Data::Json(text))
        }
        _ => Ok(Data::Binary(body)),
    }
}

/// Makes data of the member `data`, whose JSON text `raw` is a part of `body`.
pub(super) fn of_member(raw: Option<&str>, body: &ByteString, content_type: Option<&str>) -> Result<Data, Problem> {
    let Some(raw) = raw else { return Ok(Data::None) };
    let other_type = content_type.filter(|given| !media::is_json(given));
    let string = raw.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
    let (Some(media_type), Some(string)) = (other_type, string) else {
        check::depth(raw)?;
        return Ok(Data::Json(body.slice_ref(raw)));
    };
    let text: ByteString = if string.contains('\\') {
        serde_json::from_str::<String>(raw)
            .map_err(|error| Problem::Data(format!("is a string that is not Unicode: {}", json_reason(&error))))?
            .into()
    } else {
        body.slice_ref(string)
    };
    if !is_text(media_type)
        && let Ok(bytes) = STANDARD.decode(text.as_bytes())
    {
        return Ok(Data::Binary(bytes.into()));
    }
    Ok(Data::Text(text))
}
