//! The Configuration API: what a space has, changes of it, and reading its log.
//!
//! Paths, statuses, field names and messages are those of the Event Gateway; what it lacked stands beside its fields. All
//! resources follow one pattern, which [`resource`] has: another resource is a module with a [`resource::Resource`] and a
//! line below. There is one table of routes: the router and the OpenAPI document are both made of it.

mod components;
mod conditions;
mod cors;
mod deadletters;
mod described;
mod documents;
mod event_types;
mod explain;
mod fields;
mod functions;
mod guard;
mod intent;
mod media;
mod metrics;
mod outgoing;
mod paging;
mod parameter;
mod reading;
mod replays;
mod resource;
mod schemas;
mod spaces;
mod status;
mod subscriptions;
mod tokens;
pub mod wire;

use std::sync::Arc;

use axum::{
    Router,
    extract::{Path, rejection::PathRejection},
    middleware,
};
use http::StatusCode;

use crate::{
    auth,
    gateway::Shared,
    openapi::{Answer, Endpoint, Operation},
    watch,
};

/// The space in the path of a request, as text.
type SpacePath = Result<Path<String>, PathRejection>;
/// The space and the name of one resource in the path of a request, as texts.
type ItemPath = Result<Path<(String, String)>, PathRejection>;

/// Makes the API.
pub(crate) fn router(shared: Arc<Shared>) -> Router {
    let routes = endpoints().into_iter();
    routes
        .fold(Router::new(), |router, endpoint| router.route(&endpoint.path, endpoint.handler))
        .method_not_allowed_fallback(method_not_allowed)
        .fallback(not_found)
        .layer(middleware::from_fn_with_state(Arc::clone(&shared), guard::refuse_foreign_pages))
        .layer(middleware::from_fn_with_state(Arc::clone(&shared), auth::configuration::guard))
        .layer(middleware::from_fn_with_state(Arc::clone(&shared), outgoing::hold))
        .layer(middleware::from_fn_with_state(Arc::clone(&shared), metrics::count))
        .layer(middleware::from_fn_with_state(Arc::clone(&shared), watch::configuration))
        .with_state(shared)
}

/// All routes, in the order in which they are told of.
fn endpoints() -> Vec<Endpoint> {
    let mut all = resource::endpoints::<event_types::EventTypes>();
    all.extend(schemas::endpoints());
    all.extend(resource::endpoints::<functions::Functions>());
    all.extend(resource::endpoints::<subscriptions::Subscriptions>());
    all.extend(subscriptions::activity::endpoints());
    all.extend(replays::endpoints());
    all.extend(status::endpoints());
    all.extend(resource::endpoints::<cors::CorsConfigurations>());
    all.push(reading::endpoint());
    all.extend(deadletters::endpoints());
    all.push(explain::endpoint());
    all.extend(spaces::endpoints());
    all.extend(tokens::endpoints());
    all.push(Endpoint::get("/v1/status", alive, told_of_alive));
    all.push(metrics::endpoint());
    all.extend(documents::endpoints());
    all
}

fn told_of_alive() -> Operation {
    Operation::new("getStatus", documents::TAG, "Ask whether the server runs")
        .about("Nobody is asked for a token.")
        .open()
        .answer("200", Answer::new("It runs. There is no body."))
        .problems(&documents::OF_OPEN)
}

/// Whoever can ask is answered: it says that the server runs, and nothing else.
async fn alive() -> StatusCode {
    StatusCode::OK
}

async fn not_found() -> (StatusCode, &'static str) {
    (StatusCode::NOT_FOUND, "404 page not found")
}

async fn method_not_allowed() -> (StatusCode, &'static str) {
    (StatusCode::METHOD_NOT_ALLOWED, "Method Not Allowed")
}
