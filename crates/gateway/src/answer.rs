//! The forms of answers that more than one part of the door gives.

use axum::{
    body::{Body, HttpBody},
    response::Response,
};
use http::{
    HeaderValue, StatusCode,
    header::{CONTENT_LENGTH, CONTENT_TYPE},
};
use serde::Serialize;

/// Makes an answer without a body.
pub(crate) fn empty(status: StatusCode) -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = status;
    response
}

/// Makes an answer with a body of this media type.
pub(crate) fn with_body(status: StatusCode, content_type: &'static str, body: impl Into<Body>) -> Response {
    let mut response = Response::new(body.into());
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}

/// Makes the answer to HEAD of the answer that GET would get: its head, which says how long the body is (RFC 9110,
/// section 9.3.2). HTTP/2 would send the body.
pub(crate) fn head_only(mut response: Response) -> Response {
    let bytes = response.body().size_hint().exact().filter(|bytes| *bytes > 0);
    if let Some(bytes) = bytes {
        response.headers_mut().entry(CONTENT_LENGTH).or_insert(bytes.into());
    }
    *response.body_mut() = Body::empty();
    response
}

/// Makes an answer in JSON.
pub(crate) fn json<T: Serialize>(status: StatusCode, value: &T) -> Response {
    let body = serde_json::to_vec(value).expect("wire types have text for names and no failing parts");
    with_body(status, "application/json", body)
}
