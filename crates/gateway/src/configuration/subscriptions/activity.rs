//! Whether a subscription delivers: `POST /v1/spaces/{space}/subscriptions/{id}/pause`, and `/resume` and `/drain` beside it.
//!
//! No declaration says it, so that `PUT` leaves it as it is. Asking for what is so already is no mistake, and draining again
//! begins anew.

use std::sync::Arc;

use axum::{
    extract::{Path, Request, State},
    response::Response,
};
use http::StatusCode;
use weir_catalog::{Activity, Command};

use super::Subscriptions;
use crate::{
    configuration::{
        ItemPath, conditions,
        described::{AT_THE_DOOR, SPACE_NAME, changed, identifier},
        intent::{DRY_RUN_NAME, Intent},
        media,
        resource::{Resource, made},
    },
    gateway::Shared,
    openapi::{Endpoint, Operation},
    problem::Problem,
    space,
};

/// Returns the word behind the path of a subscription that asks for an activity.
pub(in crate::configuration) const fn verb(activity: Activity) -> &'static str {
    match activity {
        Activity::Active => "resume",
        Activity::Paused => "pause",
        Activity::Draining => "drain",
    }
}

/// Makes the routes.
pub(in crate::configuration) fn endpoints() -> Vec<Endpoint> {
    let path = |activity| format!("/v1/spaces/{{space}}/subscriptions/{{id}}/{}", verb(activity));
    vec![
        Endpoint::post(path(Activity::Paused), pause, told_of_pause),
        Endpoint::post(path(Activity::Active), resume, told_of_resume),
        Endpoint::post(path(Activity::Draining), drain, told_of_drain),
    ]
}

fn told_of_pause() -> Operation {
    let about = "Calls in flight are finished, nothing further is delivered, and what comes waits in the log.";
    told("pauseSubscription", "Pause a subscription", about)
}

fn told_of_resume() -> Operation {
    let about = "It goes on where it stands: with all that came meanwhile.";
    told("resumeSubscription", "Resume a subscription", about)
}

fn told_of_drain() -> Operation {
    let about = "What stands in the log when the change is made is still delivered, and nothing further.";
    told("drainSubscription", "Drain a subscription", about)
}

fn told(id: &'static str, summary: &'static str, about: &'static str) -> Operation {
    let profile = Subscriptions::PROFILE;
    Operation::new(id, profile.tag, summary)
        .about(format!(
            "{about} Of `async` subscriptions. A body means nothing. Asking for what is so already is no mistake."
        ))
        .shared(&[SPACE_NAME])
        .parameter(identifier(&profile))
        .shared(&[DRY_RUN_NAME, conditions::IF_MATCH_NAME, conditions::IF_NONE_MATCH_NAME])
        .answer("200", changed(&profile, "It is so; the new state is durable and in force."))
        .problems(&[400, 404, 406, 412, 500])
        .problems(&AT_THE_DOOR)
}

async fn pause(State(shared): State<Arc<Shared>>, path: ItemPath, request: Request) -> Result<Response, Problem> {
    set(&shared, path, request, Activity::Paused).await
}

async fn resume(State(shared): State<Arc<Shared>>, path: ItemPath, request: Request) -> Result<Response, Problem> {
    set(&shared, path, request, Activity::Active).await
}

async fn drain(State(shared): State<Arc<Shared>>, path: ItemPath, request: Request) -> Result<Response, Problem> {
    set(&shared, path, request, Activity::Draining).await
}

async fn set(shared: &Shared, path: ItemPath, request: Request, activity: Activity) -> Result<Response, Problem> {
    let _place = shared.configuration_room.enter()?;
    let Path((space, id)) = path?;
    let space = space::named(&space)?;
    media::refuse_other_answers(request.headers())?;
    let intent = Intent::of(&request)?;
    let done = intent.carry_out(&shared.flow, &space, Command::SetActivity { id, activity }).await?;
    made::<Subscriptions>(StatusCode::OK, &space, &done)
}
