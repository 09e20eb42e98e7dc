//! `GET /v1/metrics`, and what is counted of the Configuration API.

use std::{sync::Arc, time::Instant};

use axum::{
    extract::{Request, State},
    middleware::Next,
    response::Response,
};
use http::{HeaderMap, Method, StatusCode};
use serde_json::json;
use weir_catalog::Resource;
use weir_domain::SpaceName;

use super::{described::AT_THE_DOOR, documents};
use crate::{
    answer,
    gateway::{LEVELS_TIME, Shared},
    metrics::{Api, Format, Operation},
    openapi::{self, Answer, Endpoint},
    watch::Notes,
};

/// Where the metrics are.
pub(super) const PATH: &str = "/v1/metrics";

/// What is in front of the name of a space in a path.
const PREFIX: &str = "/v1/spaces/";

/// Makes the route.
pub(super) fn endpoint() -> Endpoint {
    Endpoint::get(PATH, show, told)
}

fn told() -> openapi::Operation {
    let text = || json!({ "type": "string", "description": "One metric after another." });
    let statuses = AT_THE_DOOR.iter().copied().filter(|status| *status != 503);
    openapi::Operation::new("getMetrics", documents::TAG, "Read the metrics of the server")
        .about("For Prometheus. They are answered however busy the server is.")
        .answer(
            "200",
            Answer::new("All metrics; in OpenMetrics where `Accept` names it.")
                .content("text/plain", text())
                .content("application/openmetrics-text", text()),
        )
        .problems(&statuses.collect::<Vec<_>>())
}

/// Answers with all metrics. It takes no place in the room: that there is none is what an operator wants to see.
async fn show(State(shared): State<Arc<Shared>>, headers: HeaderMap) -> Response {
    let format = Format::accepted(&headers);
    let levels = shared.flow.levels(LEVELS_TIME).await;
    let catalog = shared.flow.catalog();
    let text = shared.metrics.render(&shared.scrape(&catalog, &shared.flow.backlogs(), &levels), format);
    answer::with_body(StatusCode::OK, format.content_type(), text.into_bytes())
}

/// Counts every request when it is answered.
pub(super) async fn count(State(shared): State<Arc<Shared>>, request: Request, next: Next) -> Response {
    let began = Instant::now();
    let mut open = shared.metrics.request(Api::Configuration);
    let Asked { space, call } = Asked::of(request.method(), request.uri().path());
    if let Some(space) = &space {
        open.names(space);
        if let Some(notes) = request.extensions().get::<Notes>() {
            notes.space(space);
        }
    }
    let response = next.run(request).await;
    // Asked only now: the space may be new.
    let catalog = || shared.flow.catalog();
    if let Some((resource, operation)) = call {
        shared.metrics.configured(space.as_ref(), resource, operation, began.elapsed(), catalog);
    }
    open.answered(response.status(), catalog);
    response
}

/// What a request asks for, as far as its head says it.
#[derive(Debug, PartialEq, Eq)]
struct Asked {
    space: Option<SpaceName>,
    call: Option<(Resource, Operation)>,
}

impl Asked {
    fn of(method: &Method, path: &str) -> Self {
        if let Some(rest) = path.strip_prefix("/v1/tokens") {
            return Self { space: None, call: Self::operation(method, rest.len() > 1).map(|it| (Resource::Token, it)) };
        }
        let mut segments = path.strip_prefix(PREFIX).unwrap_or_default().splitn(3, '/');
        let space = segments.next().and_then(|name| SpaceName::new(name).ok());
        let resource = match segments.next() {
            Some("eventtypes") => Some(Resource::EventType),
            Some("functions") => Some(Resource::Function),
            Some("subscriptions") => Some(Resource::Subscription),
            Some("cors") => Some(Resource::Cors),
            _ => None,
        };
        let one = segments.next();
        // How its deliveries stand, and replays, are no resources.
        let is_beside = resource == Some(Resource::Subscription)
            && one.and_then(|one| one.split('/').nth(1)).is_some_and(|part| ["status", "replays"].contains(&part));
        let operation = Self::operation(method, one.is_some()).filter(|_| !is_beside);
        Self { space, call: resource.zip(operation) }
    }

    fn operation(method: &Method, is_one: bool) -> Option<Operation> {
        match (method, is_one) {
            (&Method::GET | &Method::HEAD, false) => Some(Operation::List),
            (&Method::GET | &Method::HEAD, true) => Some(Operation::Get),
            (&Method::POST, false) => Some(Operation::Create),
            (&Method::PUT, true) => Some(Operation::Update),
            (&Method::DELETE, true) => Some(Operation::Delete),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_head_says_what_is_asked_for() {
        let check = |method: Method, path: &str, space: Option<&str>, call: Option<(Resource, Operation)>| {
            let space = space.map(|name| SpaceName::new(name).expect("valid"));
            assert_eq!(Asked::of(&method, path), Asked { space, call }, "{method} {path}");
        };
        check(Method::GET, "/v1/status", None, None);
        check(Method::GET, "/v1/metrics", None, None);
        let path = "/v1/spaces/shop/eventtypes";
        check(Method::GET, path, Some("shop"), Some((Resource::EventType, Operation::List)));
        check(Method::HEAD, path, Some("shop"), Some((Resource::EventType, Operation::List)));
        check(Method::POST, path, Some("shop"), Some((Resource::EventType, Operation::Create)));
        check(Method::DELETE, path, Some("shop"), None);
        let path = "/v1/spaces/shop/functions/f";
        check(Method::GET, path, Some("shop"), Some((Resource::Function, Operation::Get)));
        check(Method::PUT, path, Some("shop"), Some((Resource::Function, Operation::Update)));
        check(Method::DELETE, "/v1/spaces/shop/cors/GET%2Fa", Some("shop"), Some((Resource::Cors, Operation::Delete)));
        let path = "/v1/spaces/shop/subscriptions/a/b";
        check(Method::GET, path, Some("shop"), Some((Resource::Subscription, Operation::Get)));
        for path in ["subscriptions/a/status", "subscriptions/a/replays/b", "status"] {
            check(Method::GET, &format!("/v1/spaces/shop/{path}"), Some("shop"), None);
        }
        check(Method::DELETE, "/v1/spaces/shop/subscriptions/a/replays/b", Some("shop"), None);
        check(Method::GET, "/v1/spaces/shop/events", Some("shop"), None);
        check(Method::GET, "/v1/spaces/x/events", None, None);
        check(Method::POST, "/v1/tokens", None, Some((Resource::Token, Operation::Create)));
        check(Method::DELETE, "/v1/tokens/a", None, Some((Resource::Token, Operation::Delete)));
    }
}
