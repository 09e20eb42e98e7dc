//! Entity tags and conditional requests (RFC 9110, sections 8.8.3 and 13.1).
//!
//! The tag of a resource is its version, the position of its last change: it is another one after every change, the same
//! after a restart, and never that of something else which had the name before. The tag of a list is the position of the
//! last change of the whole configuration.

use axum::response::Response;
use http::{
    HeaderMap, HeaderName, HeaderValue, StatusCode,
    header::{ETAG, IF_MATCH, IF_NONE_MATCH},
};
use serde_json::{Value, json};
use weir_domain::Position;
use weir_flow::{Precondition, Unmet, Wanted};

use crate::{
    answer,
    openapi::{self, Member},
    problem::Problem,
};

/// The names of the two headers in the OpenAPI document.
pub(super) const IF_MATCH_NAME: &str = "IfMatch";
pub(super) const IF_NONE_MATCH_NAME: &str = "IfNoneMatch";

/// What both headers are: `*`, or entity tags with commas between them.
const TAGS: &str = r#"^(\*|(W/)?"[^" ]*"(, *(W/)?"[^" ]*")*)$"#;

/// Tells of the headers.
pub(super) fn parameters() -> [(&'static str, Value); 2] {
    let matches = Member::new("If-Match", || {
        let about = "Only where it is at this tag, or one of several; `*` is any. Else 412, and nothing is changed. The check \
                     and the change are one step.";
        json!({ "type": "string", "description": about, "pattern": TAGS, "examples": ["\"17\""] })
    });
    let matches_none = Member::new("If-None-Match", || {
        let about = "Where it is at this tag: 304 to `GET` and 412 to a change. `*` on `POST` is 412 where it exists.";
        json!({ "type": "string", "description": about, "pattern": TAGS, "examples": ["\"17\""] })
    });
    [
        (IF_MATCH_NAME, openapi::parameter("header", &matches)),
        (IF_NONE_MATCH_NAME, openapi::parameter("header", &matches_none)),
    ]
}

/// Reads `If-Match` and `If-None-Match`.
///
/// # Errors
/// Where one of them is no list of entity tags.
pub(super) fn read(headers: &HeaderMap) -> Result<Precondition, Problem> {
    Ok(Precondition {
        // The strong comparison: a weak tag matches nothing.
        matches: wanted(headers, IF_MATCH, false)?,
        matches_none: wanted(headers, IF_NONE_MATCH, true)?,
    })
}

/// Answers a read of something that is there: the answer itself, or 304 where the client has it.
///
/// # Errors
/// Where `If-Match` does not hold, or the headers cannot be read.
pub(super) fn answered(
    headers: &HeaderMap,
    version: Position,
    whole: impl FnOnce() -> Response,
) -> Result<Response, Problem> {
    match read(headers)?.check(Some(version)) {
        Ok(()) => Ok(tagged(whole(), version)),
        Err(Unmet::MatchesNone) => Ok(tagged(answer::empty(StatusCode::NOT_MODIFIED), version)),
        Err(unmet @ Unmet::Matches) => Err(Problem::precondition(unmet, Some(version))),
    }
}

/// Gives an answer the tag of what it shows.
pub(super) fn tagged(mut response: Response, version: Position) -> Response {
    let tag = HeaderValue::try_from(format!("\"{version}\"")).expect("digits in quotes are ASCII");
    response.headers_mut().insert(ETAG, tag);
    response
}

fn wanted(headers: &HeaderMap, name: HeaderName, weak_counts: bool) -> Result<Option<Wanted>, Problem> {
    if !headers.contains_key(&name) {
        return Ok(None);
    }
    let mut versions = Vec::new();
    for value in headers.get_all(&name) {
        let mut rest = value.as_bytes().trim_ascii();
        if rest == b"*" {
            return Ok(Some(Wanted::Any));
        }
        while !rest.is_empty() {
            let (tag, after) = Tag::read(rest).ok_or_else(|| malformed(&name))?;
            versions.extend(tag.version().filter(|_| weak_counts || !tag.is_weak));
            rest = after_comma(after).ok_or_else(|| malformed(&name))?;
        }
    }
    Ok(Some(Wanted::OneOf(versions)))
}

fn malformed(name: &HeaderName) -> Problem {
    let name = crate::headers::canonical(name);
    Problem::invalid(format!("the header {name} must be *, or entity tags such as \"17\" with commas between them"))
}

/// One entity tag.
struct Tag<'h> {
    is_weak: bool,
    opaque: &'h [u8],
}

impl<'h> Tag<'h> {
    /// Reads a tag from the front; `None` where there is none.
    fn read(text: &'h [u8]) -> Option<(Self, &'h [u8])> {
        let (is_weak, quoted) = match text.strip_prefix(b"W/") {
            Some(quoted) => (true, quoted),
            None => (false, text),
        };
        let inner = quoted.strip_prefix(b"\"")?;
        let (opaque, after) = inner.split_at(inner.iter().position(|byte| *byte == b'"')?);
        let fits = opaque.iter().all(|byte| *byte > b' ' && *byte != 0x7f);
        fits.then_some((Self { is_weak, opaque }, &after[1..]))
    }

    /// Returns the version that the tag stands for; that of somebody else stands for none.
    fn version(&self) -> Option<Position> {
        let text = str::from_utf8(self.opaque).ok()?;
        let version = text.parse::<u64>().ok().map(Position::new)?;
        // Tags are compared letter by letter: 017 is another one.
        (version.to_string() == text).then_some(version)
    }
}

/// Returns what stands behind the comma; empty members of a list mean nothing (RFC 9110, section 5.6.1).
fn after_comma(text: &[u8]) -> Option<&[u8]> {
    let is_between = |byte: &u8| matches!(byte, b',' | b' ' | b'\t');
    let end = text.iter().position(|byte| !is_between(byte)).unwrap_or(text.len());
    let (between, rest) = text.split_at(end);
    (rest.is_empty() || between.contains(&b',')).then_some(rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(values: &[&'static str], name: HeaderName, weak_counts: bool) -> Result<Option<Wanted>, String> {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(&name, HeaderValue::from_static(value));
        }
        wanted(&headers, name, weak_counts).map_err(|problem| problem.message().to_owned())
    }

    #[test]
    fn tags_are_read_as_lists() {
        let versions = |numbers: &[u64]| Ok(Some(Wanted::OneOf(numbers.iter().copied().map(Position::new).collect())));
        let check = |values: &[&'static str], strong: &[u64], weak: &[u64]| {
            assert_eq!(of(values, IF_MATCH, false), versions(strong), "{values:?}");
            assert_eq!(of(values, IF_NONE_MATCH, true), versions(weak), "{values:?}");
        };
        check(&["\"7\""], &[7], &[7]);
        check(&["W/\"7\""], &[], &[7]);
        check(&["\"7\",  \"8\"", "\"9\" ,, "], &[7, 8, 9], &[7, 8, 9]);
        check(&["\"07\", \"+7\", \"\", \"a,b\", \"7\""], &[7], &[7]);
        check(&[""], &[], &[]);
        assert_eq!(of(&[], IF_MATCH, false), Ok(None));
        assert_eq!(of(&[" * "], IF_MATCH, false), Ok(Some(Wanted::Any)));
        for broken in ["7", "\"7", "w/\"7\"", "\"7\" \"8\"", "\"7\"8", "*, \"7\"", "\"a b\""] {
            let message = "the header If-Match must be *, or entity tags such as \"17\" with commas between them";
            assert_eq!(of(&[broken], IF_MATCH, false), Err(message.to_owned()), "{broken}");
        }
    }
}
