//! Keeps web pages of other origins from changing the configuration through the browser of somebody who can.
//!
//! A page may send a simple request anywhere without asking, and the browser of a developer reaches their loopback.
//! Browsers say where a request comes from: `Sec-Fetch-Site` (Fetch Metadata) and `Origin` (Fetch standard, section 3.2).
//! Who sends neither is no page.

use std::sync::Arc;

use axum::{
    extract::{Request, State},
    middleware::Next,
    response::{IntoResponse, Response},
};
use http::{
    HeaderMap, HeaderName, Method,
    header::{HOST, ORIGIN},
};

use crate::{gateway::Shared, hosts, problem::Problem};

const FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// Refuses changes that a page of another origin asks for. Reads need no guard, because the browser keeps the answer from
/// the page, unless the page made this server one of its own origin: see [`hosts`].
pub(super) async fn refuse_foreign_pages(State(shared): State<Arc<Shared>>, request: Request, next: Next) -> Response {
    if shared.options.local_names_only
        && let Err(problem) = hosts::check(request.uri(), request.headers(), &shared.options.allowed_hosts)
    {
        return problem.into_response();
    }
    let changes = !matches!(*request.method(), Method::GET | Method::HEAD);
    if changes && is_foreign(request.headers(), request.uri().authority().map(|authority| authority.as_str())) {
        let message = "a web page of another origin cannot change the configuration: send the request from a program, \
                       or from a page of this server";
        return Problem::denied(message).into_response();
    }
    next.run(request).await
}

fn is_foreign(headers: &HeaderMap, authority: Option<&str>) -> bool {
    if let Some(site) = headers.get(FETCH_SITE) {
        return site != "same-origin" && site != "none";
    }
    let Some(origin) = headers.get(ORIGIN) else { return false };
    // HTTP/2 has the host in the request line.
    let host = headers.get(HOST).map(|host| host.as_bytes()).or(authority.map(str::as_bytes)).unwrap_or_default();
    let origin = origin.as_bytes();
    !["http://", "https://"].iter().any(|scheme| origin.strip_prefix(scheme.as_bytes()) == Some(host))
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn browsers_say_where_a_request_comes_from() {
        let check = |list: &[(HeaderName, &'static str)], expected: bool| {
            let headers = list.iter().map(|(name, value)| (name.clone(), HeaderValue::from_static(value)));
            assert_eq!(is_foreign(&headers.collect(), None), expected, "{list:?}");
        };
        let host = (HOST, "localhost:4001");
        check(std::slice::from_ref(&host), false);
        check(&[host.clone(), (ORIGIN, "http://localhost:4001")], false);
        check(&[host.clone(), (ORIGIN, "https://evil.example")], true);
        check(&[host.clone(), (ORIGIN, "http://localhost:3000")], true);
        check(&[host.clone(), (ORIGIN, "null")], true);
        check(&[host.clone(), (FETCH_SITE, "same-origin"), (ORIGIN, "http://localhost:4001")], false);
        check(&[host.clone(), (FETCH_SITE, "none")], false);
        check(&[host.clone(), (FETCH_SITE, "cross-site")], true);
        check(&[host, (FETCH_SITE, "same-site")], true);
    }
}
