//! Lists in pages: `limit` names in one answer, from the first one behind `after` on, in the order of the names. A page
//! ends earlier where it would have too many bytes: what lists show may be whole programs.
//!
//! A page that is not the last one says in the header `Link` where the next one is (RFC 8288). What comes or goes
//! between two pages is seen or not, as its name falls; everything else is seen exactly once.

use axum::response::Response;
use http::{HeaderValue, StatusCode, header::LINK};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Serialize;
use serde_json::{Value, json};

use super::parameter::{number, single, wrong};
use crate::{
    answer,
    openapi::{self, Member},
    problem::Problem,
    query,
};

/// The most that one page has.
const LIMIT_MAX: u64 = 1000;

/// The most bytes that one page has, unless one entry alone has more.
const BYTES_MAX: usize = 4 * 1024 * 1024;

const LIMIT: &str = "limit";
const AFTER: &str = "after";

/// The names of both in the OpenAPI document.
pub(super) const LIMIT_NAME: &str = "Limit";
pub(super) const AFTER_NAME: &str = "After";

/// What a name or value in a query is escaped but for (RFC 3986, section 2.3).
const UNRESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// Tells of the parameters.
pub(super) fn parameters() -> [(&'static str, Value); 2] {
    let limit = Member::new(LIMIT, || {
        openapi::number(
            "The most that one answer has; without it, as many as there is room for. It may be given once.",
            1,
            LIMIT_MAX,
        )
    });
    let after = Member::new(AFTER, || {
        let about =
            "A name or identifier: only what comes behind it, whether it still exists or not. It may be given once.";
        json!({ "type": "string", "description": about, "minLength": 1 })
    });
    [(LIMIT_NAME, openapi::parameter("query", &limit)), (AFTER_NAME, openapi::parameter("query", &after))]
}

/// Which part of a list is asked for.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Page {
    /// The most entries that it has; without it, as many as there is room for.
    limit: Option<usize>,
    /// The name behind which it begins; without it, with the first one.
    after: Option<String>,
}

impl Page {
    /// Reads the query of a URL.
    ///
    /// # Errors
    /// Where a parameter comes twice or has a value that it cannot have.
    pub(super) fn read(query: &str) -> Result<Self, Problem> {
        let limit = number(LIMIT, single(query, LIMIT)?.as_deref(), 1, LIMIT_MAX)?;
        let after = single(query, AFTER)?;
        if after.as_deref() == Some("") {
            return Err(wrong(AFTER, "must be the name or identifier of the last one that was seen", ""));
        }
        Ok(Self { limit: limit.map(|limit| limit as usize), after: after.map(|name| name.into_owned()) })
    }

    /// Writes the page, as the list of this name in a JSON object, out of all that is wanted, which comes in the order of
    /// its names. Beside it stands the name after which there is more.
    pub(super) fn write<'a, T: Copy, V: Serialize>(
        &self,
        list: &'static str,
        all: impl Iterator<Item = T>,
        name: impl Fn(T) -> &'a str,
        view: impl Fn(T) -> V,
    ) -> (Response, Option<&'a str>) {
        let after = self.after.as_deref();
        let rest = all.skip_while(|item| after.is_some_and(|after| name(*item) <= after));
        let mut body = format!("{{\"{list}\":[").into_bytes();
        let (mut count, mut last, mut next) = (0, None, None);
        for item in rest {
            let end = body.len();
            if count > 0 {
                body.push(b',');
            }
            let is_full = self.limit == Some(count) || {
                serde_json::to_writer(&mut body, &view(item))
                    .expect("wire types have text for names and no failing parts");
                count > 0 && body.len() > BYTES_MAX
            };
            if is_full {
                // What was too much may be larger than all that is left.
                body.truncate(end);
                body.shrink_to_fit();
                next = last;
                break;
            }
            count += 1;
            last = Some(name(item));
        }
        body.extend_from_slice(b"]}");
        (answer::with_body(StatusCode::OK, "application/json", body), next)
    }
}

/// Says where the next page is: at the same path, with everything else that the query says.
pub(super) fn with_next(response: Response, path: &str, query: &str, next: Option<&str>) -> Response {
    with_next_at(response, path, query, AFTER, next)
}

/// Says the same of a list that goes on by another parameter than [`AFTER`].
pub(super) fn with_next_at(
    mut response: Response,
    path: &str,
    query: &str,
    parameter: &str,
    next: Option<&str>,
) -> Response {
    let Some(next) = next else { return response };
    let mut target = format!("<{path}?");
    for (name, value) in query::pairs(query).filter(|(name, _)| name != parameter) {
        target.extend(utf8_percent_encode(&name, UNRESERVED));
        target.push('=');
        target.extend(utf8_percent_encode(&value, UNRESERVED));
        target.push('&');
    }
    target.push_str(parameter);
    target.push('=');
    target.extend(utf8_percent_encode(next, UNRESERVED));
    target.push_str(">; rel=\"next\"");
    response.headers_mut().insert(LINK, HeaderValue::try_from(target).expect("everything else is escaped"));
    response
}

#[cfg(test)]
mod tests {
    use axum::body::to_bytes;

    use super::*;

    /// Writes a page of texts that are their own names.
    async fn written<'a>(query: &str, names: &[&'a str]) -> (String, Option<&'a str>) {
        let read = Page::read(query).map_err(|problem| problem.message().to_owned()).expect(query);
        let (response, next) = read.write("all", names.iter().copied(), |name| name, |name| name);
        let body = to_bytes(response.into_body(), usize::MAX).await.expect("a body in memory");
        (String::from_utf8(body.to_vec()).expect("JSON"), next)
    }

    #[tokio::test]
    async fn pages_are_cut_behind_a_name() {
        let names = ["a", "b", "b.c", "d"];
        let check = async |query: &str, page: &str, next: Option<&str>| {
            assert_eq!(written(query, &names).await, (format!("{{\"all\":[{page}]}}"), next), "{query}");
        };
        let all = r#""a","b","b.c","d""#;
        check("", all, None).await;
        check("limit=4", all, None).await;
        check("limit=3&other=x", r#""a","b","b.c""#, Some("b.c")).await;
        check("after=b&limit=1", r#""b.c""#, Some("b.c")).await;
        check("after=b", r#""b.c","d""#, None).await;
        // The name itself may be gone by now.
        check("after=c&limit=1", r#""d""#, None).await;
        check("after=d&limit=1", "", None).await;
    }

    #[tokio::test]
    async fn pages_end_where_they_have_too_many_bytes() {
        let [half, more, huge] = [('a', BYTES_MAX / 2), ('b', BYTES_MAX / 2), ('c', BYTES_MAX + 1)]
            .map(|(letter, count)| String::from(letter).repeat(count));
        let names = [half.as_str(), more.as_str(), huge.as_str(), "d"];
        let lengths = |page: &str| -> Vec<usize> {
            let value: serde_json::Value = serde_json::from_str(page).expect("JSON");
            let entries = value["all"].as_array().expect("a list");
            entries.iter().map(|entry| entry.as_str().expect("a text").len()).collect()
        };
        let (page, next) = written("", &names).await;
        assert_eq!((lengths(&page), next), (vec![BYTES_MAX / 2], Some(half.as_str())));
        // One that is too large for any page has one for itself.
        let (page, next) = written("after=b", &names).await;
        assert_eq!(lengths(&page), [BYTES_MAX / 2]);
        assert_eq!(next, Some(more.as_str()));
        let (page, next) = written("after=bz", &names).await;
        assert_eq!((lengths(&page), next), (vec![BYTES_MAX + 1], Some(huge.as_str())));
        let (page, next) = written("after=cz", &names).await;
        assert_eq!((lengths(&page), next), (vec![1], None));
    }

    #[test]
    fn what_cannot_be_meant_is_refused() {
        let check = |query: &str, message: &str| {
            let problem = Page::read(query).expect_err(query);
            assert_eq!((problem.status().as_u16(), problem.message()), (400, message));
        };
        check("limit=0", "parameter \"limit\" must be a number from 1 to 1000, not \"0\"");
        check("limit=1001", "parameter \"limit\" must be a number from 1 to 1000, not \"1001\"");
        check("limit=ten", "parameter \"limit\" must be a number from 1 to 1000, not \"ten\"");
        check("limit=1&limit=1", "parameter \"limit\" is given twice: give it once");
        check("after=a&after=b", "parameter \"after\" is given twice: give it once");
        let message = "parameter \"after\" must be the name or identifier of the last one that was seen, not \"\"";
        check("after=", message);
    }

    #[test]
    fn the_next_page_is_a_link() {
        let link = |query: &str, next: Option<&str>| {
            let response = with_next(answer::empty(StatusCode::OK), "/v1/spaces/shop/cors", query, next);
            response.headers().get(LINK).map(|value| value.to_str().expect("ASCII").to_owned())
        };
        assert_eq!(link("limit=1", None), None);
        let expected = "</v1/spaces/shop/cors?metadata.a=b%20%26c&limit=1&after=GET%252Fk%C3%A4se>; rel=\"next\"";
        let query = "metadata.a=b+%26c&after=x&limit=1";
        assert_eq!(link(query, Some("GET%2Fk\u{e4}se")).as_deref(), Some(expected));
    }
}
