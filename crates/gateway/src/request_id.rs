//! The identifier of a request, by which a caller and the operator speak of the same one: `X-Request-Id`.
//!
//! What the caller sends is kept. Without it one is made for every request to the Configuration API, and on the Events API
//! where it is of use: for the call of a function, whose log lines carry it, for an answer that tells of an error, and for
//! every request where these are watched. Else a receipt says enough by its position, and costs no identifier.

use std::sync::OnceLock;

use axum::response::Response;
use http::{HeaderMap, HeaderValue};
use tracing::Span;
use weir_domain::Ids;

use crate::headers::REQUEST_ID;

/// The longest identifier that is taken from a caller, in bytes.
const BYTES_MAX: usize = 128;

/// The identifier of one request, as soon as there is one.
#[derive(Debug)]
pub(crate) struct RequestId(OnceLock<HeaderValue>);

impl RequestId {
    /// Takes the identifier that a caller sent, where it is one that can stand in a line of a log.
    pub(crate) fn of(headers: &HeaderMap) -> Self {
        let mut values = headers.get_all(&REQUEST_ID).iter();
        match (values.next(), values.next()) {
            (Some(value), None) if is_sane(value) => Self(OnceLock::from(value.clone())),
            _ => Self(OnceLock::new()),
        }
    }

    /// Returns the identifier, which is made where there is none.
    pub(crate) fn or_made(&self, ids: &dyn Ids) -> &HeaderValue {
        let unknown = |_| HeaderValue::from_static("unknown");
        self.0.get_or_init(|| HeaderValue::try_from(ids.unique()).unwrap_or_else(unknown))
    }

    /// Returns the identifier, where there is one.
    pub(crate) fn get(&self) -> Option<&HeaderValue> {
        self.0.get()
    }

    /// Returns the span of what is done for the request, which puts the identifier into its log lines.
    pub(crate) fn span(&self, ids: &dyn Ids) -> Span {
        // Made first: a span that nobody looks at does not ask for its fields.
        let id = self.or_made(ids).to_str().unwrap_or_default();
        tracing::info_span!("request", request_id = id)
    }

    /// Puts the identifier into an answer, where there is one and a function has not put its own there.
    pub(crate) fn tell(&self, response: &mut Response) {
        if let Some(value) = self.get() {
            response.headers_mut().entry(&REQUEST_ID).or_insert_with(|| value.clone());
        }
    }
}

fn is_sane(value: &HeaderValue) -> bool {
    let fits = |byte: &u8| byte.is_ascii_alphanumeric() || b"-._~+/=:@".contains(byte);
    (1..=BYTES_MAX).contains(&value.len()) && value.as_bytes().iter().all(fits)
}

#[cfg(test)]
mod tests {
    use weir_testkit::CountingIds;

    use super::*;

    #[test]
    fn a_caller_may_name_its_request() {
        let check = |given: &[&str], expected: &str| {
            let mut headers = HeaderMap::new();
            for value in given {
                headers.append(&REQUEST_ID, HeaderValue::from_bytes(value.as_bytes()).expect("a value"));
            }
            let id = RequestId::of(&headers);
            assert_eq!(id.or_made(&CountingIds::default()), expected, "{given:?}");
        };
        check(&["6f1c2f0e-8a8b-4e8e-9a55-1"], "6f1c2f0e-8a8b-4e8e-9a55-1");
        check(&[&"a".repeat(BYTES_MAX)], &"a".repeat(BYTES_MAX));
        let unfit: [&[&str]; 6] = [&[], &[""], &["a b"], &["a\u{e4}"], &["a\"b"], &["a", "a"]];
        for given in unfit {
            check(given, "id-0");
        }
        check(&[&"a".repeat(BYTES_MAX + 1)], "id-0");
    }

    #[test]
    fn an_answer_has_the_identifier_that_there_is() {
        let told = |id: &RequestId, own: Option<&'static str>| {
            let mut response = Response::new(axum::body::Body::empty());
            response.headers_mut().extend(own.map(|own| (REQUEST_ID.clone(), HeaderValue::from_static(own))));
            id.tell(&mut response);
            response.headers().get(&REQUEST_ID).map(|value| value.to_str().expect("ASCII").to_owned())
        };
        let id = RequestId::of(&HeaderMap::new());
        assert_eq!(told(&id, None), None);
        id.or_made(&CountingIds::default());
        assert_eq!(told(&id, None).as_deref(), Some("id-0"));
        assert_eq!(told(&id, Some("own")).as_deref(), Some("own"));
    }
}
