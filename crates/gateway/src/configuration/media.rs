//! Which media types a request may name: bodies and answers are JSON (RFC 8259).

use http::{
    HeaderMap, StatusCode,
    header::{ACCEPT, CONTENT_ENCODING, CONTENT_TYPE},
};

use super::parameter::short;
use crate::problem::Problem;

const JSON: &str = "application/json";

/// What `curl -d` says of a body where it is told nothing else. The Event Gateway looked at no type, so that this is how
/// many send JSON.
const UNSAID: &str = "application/x-www-form-urlencoded";

/// Refuses a request that does not accept JSON (RFC 9110, section 12.5.1).
///
/// # Errors
/// Where `Accept` excludes it: 406.
pub(super) fn refuse_other_answers(headers: &HeaderMap) -> Result<(), Problem> {
    let values = headers.get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok());
    let mut ranges = values.flat_map(|value| value.split(',')).filter_map(Range::read).peekable();
    if ranges.peek().is_none() {
        return Ok(());
    }
    // Of those that cover JSON, the one that names it most closely decides.
    let decides = ranges.filter(|range| range.closeness.is_some()).max_by_key(|range| (range.closeness, range.wanted));
    if decides.is_some_and(|range| range.wanted) {
        return Ok(());
    }
    let message = format!("the header Accept excludes {JSON}, which all answers here are: add it, or leave it out");
    Err(Problem::new(StatusCode::NOT_ACCEPTABLE, message))
}

/// Refuses a body that says it is something else than JSON. One that says nothing is read.
///
/// # Errors
/// Where `Content-Type` or `Content-Encoding` name something else: 415.
pub(super) fn refuse_other_bodies(headers: &HeaderMap) -> Result<(), Problem> {
    of_body(headers, &[JSON]).map(drop)
}

/// Returns which of these media types a body says it has; `None` where it says nothing.
///
/// # Errors
/// Where `Content-Type` or `Content-Encoding` name something else: 415.
pub(super) fn of_body(headers: &HeaderMap, known: &[&'static str]) -> Result<Option<&'static str>, Problem> {
    if let Some(coding) = headers.get(CONTENT_ENCODING).filter(|coding| *coding != "identity") {
        let coding = short(&String::from_utf8_lossy(coding.as_bytes()));
        return Err(unsupported(format!("the body has the content coding {coding:?}: send it without one")));
    }
    let Some(value) = headers.get(CONTENT_TYPE) else { return Ok(None) };
    let text = String::from_utf8_lossy(value.as_bytes());
    let media = text.split(';').next().unwrap_or_default().trim();
    if media.is_empty() || media.eq_ignore_ascii_case(UNSAID) {
        return Ok(None);
    }
    let found = known.iter().find(|known| media.eq_ignore_ascii_case(known));
    found.copied().map(Some).ok_or_else(|| {
        let known = known.join(" or ");
        unsupported(format!("the header Content-Type is {:?}: send JSON, and say {known}", short(media)))
    })
}

fn unsupported(message: String) -> Problem {
    Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, message)
}

/// One media range of `Accept`, as far as it is about JSON.
struct Range {
    /// How closely it names JSON; `None` where it does not cover it.
    closeness: Option<u8>,
    /// Whether its weight is more than nothing.
    wanted: bool,
}

impl Range {
    fn read(text: &str) -> Option<Self> {
        let mut parts = text.split(';').map(str::trim);
        let (kind, subtype) = parts.next()?.split_once('/')?;
        let closeness = match (kind.to_ascii_lowercase().as_str(), subtype.to_ascii_lowercase().as_str()) {
            ("*", "*") => Some(0),
            ("application", "*") => Some(1),
            ("application", "json") => Some(2),
            _ => None,
        };
        let is_refusal = |part: &str| {
            part.split_once('=').is_some_and(|(name, weight)| {
                name.trim().eq_ignore_ascii_case("q") && weight.trim().parse::<f32>().is_ok_and(|weight| weight <= 0.0)
            })
        };
        Some(Self { closeness, wanted: !parts.any(is_refusal) })
    }
}

#[cfg(test)]
mod tests {
    use http::{HeaderName, HeaderValue};

    use super::*;

    fn with(list: &[(HeaderName, &'static str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in list {
            headers.append(name, HeaderValue::from_static(value));
        }
        headers
    }

    #[test]
    fn answers_are_json_or_none() {
        let check = |values: &[&'static str], expected: bool| {
            let list: Vec<_> = values.iter().map(|value| (ACCEPT, *value)).collect();
            assert_eq!(refuse_other_answers(&with(&list)).is_ok(), expected, "{values:?}");
        };
        check(&[], true);
        check(&[""], true);
        check(&["*/*"], true);
        check(&["text/html, application/xhtml+xml, */*;q=0.8"], true);
        check(&["text/html", "Application/JSON; charset=utf-8"], true);
        check(&["application/*;q=0.1"], true);
        check(&["text/html"], false);
        check(&["*/*;q=0"], false);
        check(&["application/json;q=0, */*"], false);
        check(&["*/*;q=0, application/json;Q=0.001"], true);
        check(&["application/*;q=0, */*"], false);
    }

    #[test]
    fn bodies_are_json_or_say_nothing() {
        let check = |list: &[(HeaderName, &'static str)], expected: Result<(), &str>| {
            let found = refuse_other_bodies(&with(list)).map_err(|problem| problem.message().to_owned());
            assert_eq!(found, expected.map_err(str::to_owned), "{list:?}");
        };
        check(&[], Ok(()));
        check(&[(CONTENT_TYPE, "Application/Json; charset=utf-8")], Ok(()));
        check(&[(CONTENT_TYPE, UNSAID), (CONTENT_ENCODING, "identity")], Ok(()));
        let text = "the header Content-Type is \"text/plain\": send JSON, and say application/json";
        check(&[(CONTENT_TYPE, "text/plain")], Err(text));
        let event = "the header Content-Type is \"application/cloudevents+json\": send JSON, and say application/json";
        check(&[(CONTENT_TYPE, "application/cloudevents+json")], Err(event));
        let coded = "the body has the content coding \"gzip\": send it without one";
        check(&[(CONTENT_TYPE, JSON), (CONTENT_ENCODING, "gzip")], Err(coded));
    }
}
