//! Lists in pages: `limit` names in one answer, from the first one behind `after` on, in the order of the names.
//!
//! A page that is not the last one says in the header `Link` where the next one is (RFC 8288). What comes or goes
//! between two pages is seen or not, as its name falls; everything else is seen exactly once.

use axum::response::Response;
use http::{HeaderValue, header::LINK};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use super::parameter::{number, single, wrong};
use crate::{problem::Problem, query};

/// The most that one page has.
const LIMIT_MAX: u64 = 1000;

const LIMIT: &str = "limit";
const AFTER: &str = "after";

/// What a name or value in a query is escaped but for (RFC 3986, section 2.3).
const UNRESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// Which part of a list is asked for.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Page {
    /// The most that it has; without it, everything.
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

    /// Cuts the page out of all that is wanted, which comes in the order of its names. Beside it stands the name after
    /// which there is more.
    pub(super) fn cut<'a, T: Copy>(
        &self,
        all: impl Iterator<Item = T>,
        name: impl Fn(T) -> &'a str,
    ) -> (Vec<T>, Option<&'a str>) {
        let after = self.after.as_deref();
        let mut rest = all.skip_while(|item| after.is_some_and(|after| name(*item) <= after));
        let Some(limit) = self.limit else { return (rest.collect(), None) };
        let page: Vec<T> = rest.by_ref().take(limit).collect();
        let next = rest.next().and(page.last()).map(|last| name(*last));
        (page, next)
    }
}

/// Says where the next page is: at the same path, with everything else that the query says.
pub(super) fn with_next(mut response: Response, path: &str, query: &str, next: Option<&str>) -> Response {
    let Some(next) = next else { return response };
    let mut target = format!("<{path}?");
    for (name, value) in query::pairs(query).filter(|(name, _)| name != AFTER) {
        target.extend(utf8_percent_encode(&name, UNRESERVED));
        target.push('=');
        target.extend(utf8_percent_encode(&value, UNRESERVED));
        target.push('&');
    }
    target.push_str(AFTER);
    target.push('=');
    target.extend(utf8_percent_encode(next, UNRESERVED));
    target.push_str(">; rel=\"next\"");
    response.headers_mut().insert(LINK, HeaderValue::try_from(target).expect("everything else is escaped"));
    response
}

#[cfg(test)]
mod tests {
    use http::StatusCode;

    use super::*;
    use crate::answer;

    #[test]
    fn pages_are_cut_behind_a_name() {
        let names = ["a", "b", "b.c", "d"];
        let check = |query: &str, page: &[&str], next: Option<&str>| {
            let read = Page::read(query).map_err(|problem| problem.message().to_owned()).expect(query);
            assert_eq!(read.cut(names.into_iter(), |name| name), (page.to_vec(), next), "{query}");
        };
        check("", &names, None);
        check("limit=4", &names, None);
        check("limit=3&other=x", &["a", "b", "b.c"], Some("b.c"));
        check("after=b&limit=1", &["b.c"], Some("b.c"));
        check("after=b", &["b.c", "d"], None);
        // The name itself may be gone by now.
        check("after=c&limit=1", &["d"], None);
        check("after=d&limit=1", &[], None);
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
