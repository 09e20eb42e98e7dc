//! The Configuration API: what a space has, changes of it, and reading its log.
//!
//! Paths, statuses, field names and messages are those of the Event Gateway; what it lacked stands beside its fields. All
//! resources follow one pattern, which [`resource`] has: another resource is a module with a [`resource::Resource`] and a
//! line below.

mod conditions;
mod cors;
mod event_types;
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
mod resource;
mod schemas;
mod spaces;
mod subscriptions;
mod tokens;
pub mod wire;

use std::sync::Arc;

use axum::{
    Router,
    extract::{Path, rejection::PathRejection},
    middleware,
    routing::get,
};
use http::StatusCode;

use crate::{auth, gateway::Shared};

/// The space in the path of a request, as text.
type SpacePath = Result<Path<String>, PathRejection>;
/// The space and the name of one resource in the path of a request, as texts.
type ItemPath = Result<Path<(String, String)>, PathRejection>;

/// Makes the API.
pub(crate) fn router(shared: Arc<Shared>) -> Router {
    Router::new()
        .route("/v1/status", get(status))
        .route(outgoing::METRICS, get(metrics::show))
        .merge(spaces::routes())
        .merge(resource::routes::<event_types::EventTypes>())
        .merge(schemas::routes())
        .merge(resource::routes::<functions::Functions>())
        .merge(resource::routes::<subscriptions::Subscriptions>())
        .merge(resource::routes::<cors::CorsConfigurations>())
        .route("/v1/spaces/{space}/events", get(reading::events))
        .merge(tokens::routes())
        .method_not_allowed_fallback(method_not_allowed)
        .fallback(not_found)
        .layer(middleware::from_fn_with_state(Arc::clone(&shared), guard::refuse_foreign_pages))
        .layer(middleware::from_fn_with_state(Arc::clone(&shared), auth::configuration::guard))
        .layer(middleware::from_fn_with_state(Arc::clone(&shared), outgoing::hold))
        .layer(middleware::from_fn_with_state(Arc::clone(&shared), metrics::count))
        .with_state(shared)
}

/// Whoever can ask is answered: it says that the server runs, and nothing else.
async fn status() -> StatusCode {
    StatusCode::OK
}

async fn not_found() -> (StatusCode, &'static str) {
    (StatusCode::NOT_FOUND, "404 page not found")
}

async fn method_not_allowed() -> (StatusCode, &'static str) {
    (StatusCode::METHOD_NOT_ALLOWED, "Method Not Allowed")
}
