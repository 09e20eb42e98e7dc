//! Answers on their way out: they take room until clients have read them.

use std::sync::Arc;

use axum::{
    extract::{Request, State},
    middleware::Next,
    response::{IntoResponse, Response},
};

use super::metrics;
use crate::gateway::Shared;

/// Counts every answer. One that only shows something is refused where there is no room for it; what was changed is told,
/// and so are the metrics: that there is no room is what an operator wants to see there.
pub(super) async fn hold(State(shared): State<Arc<Shared>>, request: Request, next: Next) -> Response {
    let shows = request.method().is_safe() && request.uri().path() != metrics::PATH;
    let response = next.run(request).await;
    let room = &shared.configuration_room;
    if shows {
        room.give_answer(response).unwrap_or_else(IntoResponse::into_response)
    } else {
        room.count_answer(response)
    }
}
