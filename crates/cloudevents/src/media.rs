//! Media types (RFC 2046, RFC 9110): as much of them as decides how data is kept. Nothing is looked up or guessed.

use http::{HeaderMap, header::CONTENT_TYPE};

use crate::Problem;

/// The media type that JSON data has where none is declared.
pub(crate) const JSON: &str = "application/json";

/// Returns the value of the header `content-type`. An empty one is none: so it was for the Event Gateway.
pub(crate) fn content_type(headers: &HeaderMap) -> Result<Option<&str>, Problem> {
    let broken = |problem: &str| Problem::Header { name: "content-type", problem: problem.to_owned() };
    let mut values = headers.get_all(CONTENT_TYPE).iter();
    let Some(value) = values.next() else { return Ok(None) };
    if values.next().is_some() {
        return Err(broken("is given twice: give it once"));
    }
    if value.is_empty() {
        return Ok(None);
    }
    match str::from_utf8(value.as_bytes()) {
        Ok(text) if is_media_type(text) => Ok(Some(text)),
        _ => Err(broken("is not a media type (RFC 9110): send one such as application/json, or none")),
    }
}

fn is_media_type(text: &str) -> bool {
    let token = |part: &str| {
        !part.is_empty() && part.bytes().all(|b| b.is_ascii_alphanumeric() || b"!#$&-^_.+'*%`|~".contains(&b))
    };
    essence(text).split_once('/').is_some_and(|(kind, subtype)| token(kind) && token(subtype))
}

/// Returns the media type without its parameters.
pub(crate) fn essence(media_type: &str) -> &str {
    media_type.split_once(';').map_or(media_type, |(essence, _)| essence).trim()
}

/// Tells whether a media type declares JSON: `*/json` or `*/*+json`.
pub(crate) fn is_json(media_type: &str) -> bool {
    if media_type == JSON {
        return true;
    }
    let subtype = essence(media_type).split_once('/').map_or("", |(_, subtype)| subtype).as_bytes();
    let suffix = subtype.len().saturating_sub(b"+json".len());
    subtype.eq_ignore_ascii_case(b"json") || subtype[suffix..].eq_ignore_ascii_case(b"+json")
}

/// Tells whether a media type declares text: `text/*`.
pub(crate) fn is_text(media_type: &str) -> bool {
    essence(media_type).split_once('/').is_some_and(|(kind, _)| kind.eq_ignore_ascii_case("text"))
}

/// Tells whether a media type declares a form: fields by name, which are text but for files in them.
pub(crate) fn is_form(media_type: &str) -> bool {
    let essence = essence(media_type);
    ["application/x-www-form-urlencoded", "multipart/form-data"].iter().any(|form| essence.eq_ignore_ascii_case(form))
}

/// Tells whether a body of a media type is meant to be text in UTF-8: `text/*` and forms where no charset is declared, and
/// whatever declares one that is a part of UTF-8, such as `application/xml; charset=utf-8`.
#[must_use]
pub fn is_utf8_text(media_type: &str) -> bool {
    charset(media_type).map_or_else(|| is_text(media_type) || is_form(media_type), is_part_of_utf8)
}

/// Tells whether text of a media type is in UTF-8: so it is where no charset or a part of UTF-8 is declared.
#[must_use]
pub fn is_utf8(media_type: &str) -> bool {
    charset(media_type).is_none_or(is_part_of_utf8)
}

fn is_part_of_utf8(charset: &str) -> bool {
    ["utf-8", "utf8", "us-ascii"].iter().any(|utf8| charset.eq_ignore_ascii_case(utf8))
}

fn charset(media_type: &str) -> Option<&str> {
    let (_, mut rest) = media_type.split_once(';')?;
    loop {
        let (parameter, after) = split_parameter(rest);
        if let Some((name, value)) = parameter.split_once('=')
            && name.trim().eq_ignore_ascii_case("charset")
        {
            return Some(value.trim().trim_matches('"'));
        }
        rest = after?;
    }
}

/// Splits at the first semicolon that is not inside a quoted string.
fn split_parameter(text: &str) -> (&str, Option<&str>) {
    let (mut quoted, mut escaped) = (false, false);
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            b';' if !quoted => return (&text[..at], Some(&text[at + 1..])),
            _ => {}
        }
    }
    (text, None)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_is_told_by_the_subtype() {
        for json in ["application/json", "Application/JSON; charset=UTF-8", "text/json", "a/b+json ; x=1", "a/+json"] {
            assert!(is_json(json), "{json}");
        }
        for other in ["text/plain", "application/jsonl", "application/x-json", "json", "a/b; x=c/json", ""] {
            assert!(!is_json(other), "{other}");
        }
    }

    #[test]
    fn charsets_are_found_among_parameters() {
        for utf8 in ["text/plain", "text/plain;charset=utf-8", "text/plain; a=\"; charset=x\"; CharSet=\"UTF-8\""] {
            assert!(is_utf8(utf8), "{utf8}");
        }
        for other in ["text/plain; charset=iso-8859-1", "text/plain; a=b ; charset=utf-16", "text/plain;charset="] {
            assert!(!is_utf8(other), "{other}");
        }
    }

    #[test]
    fn text_is_told_by_the_type_or_the_charset() {
        assert!(is_text("TEXT/html; charset=utf-8"));
        assert!(!is_text("application/text") && !is_text("text"));
        for text in [
            "text/csv",
            "Application/X-WWW-Form-Urlencoded",
            "multipart/form-data; boundary=\"; charset=latin1\"",
            "application/xml; charset=UTF-8",
        ] {
            assert!(is_utf8_text(text), "{text}");
        }
        for bytes in ["application/xml", "text/csv; charset=latin1", "multipart/mixed; boundary=x", "image/png"] {
            assert!(!is_utf8_text(bytes), "{bytes}");
        }
    }
}
