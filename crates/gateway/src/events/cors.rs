//! The CORS protocol (Fetch standard, section 3.3): browsers are told which other origins may call a route.
//!
//! It is no protection of the server: a request of an origin that is not allowed is answered all the same, and the
//! browser keeps the answer from the page. What an origin may do here without being asked is the business of
//! authentication.

use axum::response::Response;
use http::{
    HeaderMap, HeaderName, HeaderValue, StatusCode,
    header::{
        ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS,
        ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_REQUEST_HEADERS, ACCESS_CONTROL_REQUEST_METHOD, ORIGIN, VARY,
    },
    request::Parts,
};
use weir_catalog::{Cors, Method, SpaceCatalog};

use crate::answer;

const ANY: &str = "*";

/// Answers a pre-flight where its path has a configuration for the method that it asks for; others are requests like
/// any.
pub(super) fn preflight(present: &SpaceCatalog, parts: &Parts, path: &str) -> Option<Response> {
    if parts.method != http::Method::OPTIONS || !present.has_cors() {
        return None;
    }
    let asked = parts.headers.get(ACCESS_CONTROL_REQUEST_METHOD)?;
    let method = Method::parse(&asked.to_str().ok()?.to_ascii_uppercase())?;
    let cors = find(present, method, path)?;
    let mut response = answer::empty(StatusCode::OK);
    let headers = response.headers_mut();
    for name in [ORIGIN, ACCESS_CONTROL_REQUEST_METHOD, ACCESS_CONTROL_REQUEST_HEADERS] {
        vary(headers, &name);
    }
    let wanted = header_names(&parts.headers);
    // What is not allowed is answered too, but without a word that would allow it.
    if let Some(origin) = allowed_origin(cors, &parts.headers)
        && (method == Method::Options || allows_method(cors, method))
        && wanted.iter().all(|name| allows_header(cors, name))
    {
        headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        headers.insert(ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static(method.as_str()));
        if !wanted.is_empty()
            && let Ok(names) = HeaderValue::try_from(wanted.join(", "))
        {
            headers.insert(ACCESS_CONTROL_ALLOW_HEADERS, names);
        }
        if cors.allow_credentials {
            headers.insert(ACCESS_CONTROL_ALLOW_CREDENTIALS, HeaderValue::from_static("true"));
        }
    }
    Some(response)
}

/// Tells whether there is a configuration for a request, or for what a pre-flight asks about.
pub(super) fn is_configured(present: &SpaceCatalog, parts: &Parts, path: &str) -> bool {
    Allowance::of(present, parts, path).is_some() || preflight(present, parts, path).is_some()
}

/// What the answer to a request says to the browser.
pub(super) struct Allowance {
    origin: Option<HeaderValue>,
    credentials: bool,
}

impl Allowance {
    /// Looks for the configuration of a request; `None` where there is none, or where the request is of no page.
    pub(super) fn of(present: &SpaceCatalog, parts: &Parts, path: &str) -> Option<Self> {
        if !present.has_cors() {
            return None;
        }
        let method = Method::parse(parts.method.as_str())?;
        let cors = find(present, method, path)?;
        let origin = allowed_origin(cors, &parts.headers).filter(|_| allows_method(cors, method));
        Some(Self { origin, credentials: cors.allow_credentials })
    }

    /// Says it in an answer.
    pub(super) fn told_in(self, mut response: Response) -> Response {
        let headers = response.headers_mut();
        // Also where it is not allowed: a cache must not give this answer to another origin.
        vary(headers, &ORIGIN);
        if let Some(origin) = self.origin {
            headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin);
            if self.credentials {
                headers.insert(ACCESS_CONTROL_ALLOW_CREDENTIALS, HeaderValue::from_static("true"));
            }
        }
        response
    }
}

/// A configuration for GET is one for HEAD too, as a route is.
fn find<'a>(present: &'a SpaceCatalog, method: Method, path: &'a str) -> Option<&'a Cors> {
    let own = present.cors_for(method, path);
    let found = own.or_else(|| (method == Method::Head).then(|| present.cors_for(Method::Get, path)).flatten());
    found.map(|cors| &**cors)
}

fn vary(headers: &mut HeaderMap, name: &HeaderName) {
    headers.append(VARY, HeaderValue::from(name.clone()));
}

/// Returns what the header `Access-Control-Allow-Origin` has to say, where the origin of a request is allowed.
///
/// The star must not stand beside credentials (Fetch standard, section 3.3.5): then the origin itself is named.
fn allowed_origin(cors: &Cors, headers: &HeaderMap) -> Option<HeaderValue> {
    let origin = headers.get(ORIGIN).filter(|origin| !origin.is_empty())?;
    let text = origin.to_str().ok()?;
    let is_open = cors.allowed_origins.iter().any(|pattern| pattern == ANY);
    if is_open && !cors.allow_credentials {
        return Some(HeaderValue::from_static(ANY));
    }
    let allowed = is_open || cors.allowed_origins.iter().any(|pattern| is_like(pattern, text));
    allowed.then(|| origin.clone())
}

/// Tells whether an origin is one that a pattern names: in any case of letters, with at most one star in the pattern.
fn is_like(pattern: &str, origin: &str) -> bool {
    let (pattern, origin) = (pattern.to_ascii_lowercase(), origin.to_ascii_lowercase());
    match pattern.split_once('*') {
        Some((start, end)) => {
            origin.len() >= start.len() + end.len() && origin.starts_with(start) && origin.ends_with(end)
        }
        None => pattern == origin,
    }
}

fn allows_method(cors: &Cors, method: Method) -> bool {
    cors.allowed_methods.iter().any(|allowed| allowed == ANY || allowed.eq_ignore_ascii_case(method.as_str()))
}

fn allows_header(cors: &Cors, name: &str) -> bool {
    name.eq_ignore_ascii_case(ORIGIN.as_str())
        || cors.allowed_headers.iter().any(|allowed| allowed == ANY || allowed.eq_ignore_ascii_case(name))
}

/// Returns the headers that a pre-flight asks for, as the Event Gateway wrote them: capitals at the beginning and after
/// each hyphen.
fn header_names(headers: &HeaderMap) -> Vec<String> {
    let lists = headers.get_all(ACCESS_CONTROL_REQUEST_HEADERS).iter().filter_map(|value| value.to_str().ok());
    let names = lists.flat_map(|list| list.split(',')).map(str::trim);
    names.filter_map(|name| HeaderName::try_from(name).ok()).map(|name| crate::headers::canonical(&name)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn origins_are_compared_with_patterns() {
        assert!(is_like("https://Example.com", "https://example.COM"));
        assert!(is_like("https://*.example.com", "https://a.b.example.com"));
        assert!(is_like("*", "null"));
        for (pattern, origin) in [
            ("https://example.com", "https://example.com.evil.net"),
            ("https://*.example.com", "https://example.com"),
            ("https://aa*aa", "https://aaa"),
            ("", "https://example.com"),
        ] {
            assert!(!is_like(pattern, origin), "{pattern} {origin}");
        }
    }
}
