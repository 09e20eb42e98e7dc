//! The answer of a function as the answer to the caller who waits for it.

use std::sync::Arc;

use axum::{body::Body, response::Response};
use http::{HeaderName, HeaderValue, StatusCode};
use weir_catalog::Subscription;
use weir_domain::{Event, SpaceName};
use weir_flow::{HttpAnswer, Sender};

use crate::{gateway::Shared, metrics::Refused, problem::Problem};

/// Headers that belong to the connection (RFC 9110, section 7.6.1) or follow from the body: Weir sets them itself.
const OF_CONNECTION: [&str; 9] = [
    "connection",
    "content-length",
    "keep-alive",
    "proxy-authenticate",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

/// Calls the function of a route.
///
/// # Errors
/// Where there is no room for its answer, the event is not admitted, the log does not take it, or the function fails.
pub(super) async fn make(
    shared: &Shared,
    space: &SpaceName,
    subscription: &Arc<Subscription>,
    event: Event,
    sender: &dyn Sender,
) -> Result<Response, Problem> {
    let series = shared.counted(space, &event);
    series.received();
    // Before the call: what a function has done is answered.
    shared.events_room.check_answers().inspect_err(|_| series.refused(Refused::Overloaded))?;
    let event_id = event.id().to_owned();
    match shared.flow.call(space, subscription, event, sender).await {
        Ok(answered) => answer(answered).map_err(|error| {
            let Subscription { function, method, path, .. } = &**subscription;
            let route = format!("{} {path}", method.as_str());
            tracing::warn!(%space, %function, route, event_id, error, "the answer of a function is malformed");
            Problem::malformed_answer()
        }),
        Err(failure) => {
            if let Some(why) = Refused::by_call(&failure) {
                series.refused(why);
            }
            Err(failure.into())
        }
    }
}

/// Makes the answer to the caller.
///
/// # Errors
/// Where status or headers are none of HTTP: what is wrong, for the operator.
fn answer(answer: HttpAnswer) -> Result<Response, String> {
    let HttpAnswer { status, headers, body } = answer;
    let known = StatusCode::from_u16(status).ok().filter(|_| (200..600).contains(&status));
    let Some(known) = known else {
        return Err(format!("the status must be from 200 to 599, but is {status}"));
    };
    let mut response = Response::new(if has_content(known) { Body::from(body) } else { Body::empty() });
    *response.status_mut() = known;
    for (name, value) in &headers {
        let header = (HeaderName::from_bytes(name.as_bytes()), HeaderValue::from_bytes(value.as_bytes()));
        let (Ok(header), Ok(value)) = header else {
            let name: String = name.chars().take(128).collect();
            return Err(format!("HTTP does not allow the header {name:?} or its value"));
        };
        if !OF_CONNECTION.contains(&header.as_str()) && response.headers_mut().try_append(header, value).is_err() {
            return Err("it has more headers than a response can hold".to_owned());
        }
    }
    Ok(response)
}

/// Tells whether an answer with this status may have content (RFC 9110, sections 15.3.5, 15.3.6 and 15.4.5): what a function
/// gives beside another would be a length that must not be told, or bytes that the next answer would be taken from.
fn has_content(status: StatusCode) -> bool {
    ![StatusCode::NO_CONTENT, StatusCode::RESET_CONTENT, StatusCode::NOT_MODIFIED].contains(&status)
}

#[cfg(test)]
mod tests {
    use axum::body::HttpBody;
    use bytes::Bytes;

    use super::*;

    fn make(status: u16, headers: &[(&str, &str)]) -> Result<Response, String> {
        let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        answer(HttpAnswer { status, headers, body: Bytes::from_static(b"made") })
    }

    #[test]
    fn status_and_headers_are_those_of_the_function() {
        let response = make(201, &[("Set-Cookie", "a=1"), ("set-cookie", "b=2"), ("Content-Length", "9")]);
        let response = response.expect("a good answer");
        assert_eq!(response.status(), StatusCode::CREATED);
        let cookies: Vec<_> = response.headers().get_all("set-cookie").iter().collect();
        assert_eq!(cookies, ["a=1", "b=2"]);
        assert!(!response.headers().contains_key("content-length"));
    }

    #[test]
    fn a_status_without_content_has_none() {
        for (status, bytes) in [(200, 4), (204, 0), (205, 0), (206, 4), (304, 0), (404, 4)] {
            let response = make(status, &[("etag", "\"7\"")]).expect("a good answer");
            assert_eq!(response.body().size_hint().exact(), Some(bytes), "{status}");
            assert_eq!(response.headers().len(), 1, "{status}");
        }
    }

    #[test]
    fn what_http_does_not_allow_is_malformed() {
        for status in [0, 99, 101, 600, 1000] {
            let error = make(status, &[]).expect_err("malformed");
            assert_eq!(error, format!("the status must be from 200 to 599, but is {status}"));
        }
        for header in [("a b", "c"), ("a", "b\r\nc: d")] {
            let error = make(200, &[header]).expect_err("malformed");
            assert_eq!(error, format!("HTTP does not allow the header {:?} or its value", header.0));
        }
    }
}
