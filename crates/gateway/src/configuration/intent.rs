//! What the head of a request for a change says beside its path, and how the change is made: under which condition, and
//! whether in earnest.

use axum::{extract::Request, response::Response};
use serde_json::Value;
use weir_catalog::{Change, Command};
use weir_domain::{Position, SpaceName};
use weir_flow::{Changed, Flow, Precondition};

use super::{conditions, media, parameter::flag};
use crate::{
    headers,
    openapi::{self, Member},
    problem::Problem,
};

/// Where true, everything is checked and nothing is changed.
const DRY_RUN: &str = "dryRun";
/// Its name in the OpenAPI document.
pub(super) const DRY_RUN_NAME: &str = "DryRun";

/// Tells of the parameter.
pub(super) fn parameter() -> Value {
    let member = Member::new(DRY_RUN, || {
        openapi::flag(
            "Where true, everything is checked that the change itself would check, and nothing is changed. The answer is that \
             of the change, without `Weir-Position` and `ETag`.",
        )
    });
    openapi::parameter("query", &member)
}

/// How somebody wants a change.
pub(super) struct Intent {
    condition: Precondition,
    is_rehearsal: bool,
}

/// A change that was made, or would have been.
pub(super) struct Done {
    pub(super) change: Change,
    /// Where it stands; `None` where nothing was changed.
    position: Option<Position>,
}

impl Intent {
    /// Reads the head of a request without a body.
    ///
    /// # Errors
    /// Where a condition or a parameter is wrong.
    pub(super) fn of(request: &Request) -> Result<Self, Problem> {
        Ok(Self {
            condition: conditions::read(request.headers())?,
            is_rehearsal: flag(request.uri().query().unwrap_or_default(), DRY_RUN)?,
        })
    }

    /// Reads the head of a request whose body is JSON and is answered with JSON.
    ///
    /// # Errors
    /// Those of [`of`](Self::of), and where it says something else of one of them.
    pub(super) fn with_body(request: &Request) -> Result<Self, Problem> {
        media::refuse_other_answers(request.headers())?;
        media::refuse_other_bodies(request.headers())?;
        Self::of(request)
    }

    /// Makes the change, or finds out whether it could be made.
    ///
    /// # Errors
    /// Why it is not made.
    pub(super) async fn carry_out(self, flow: &Flow, space: &SpaceName, command: Command) -> Result<Done, Problem> {
        if self.is_rehearsal {
            let change = flow.rehearse(space, command, self.condition).await?;
            return Ok(Done { change, position: None });
        }
        let Changed { change, position } = flow.change_if(space, command, self.condition).await?;
        Ok(Done { change, position: Some(position) })
    }
}

impl Done {
    /// Tells whether the change was made.
    pub(super) const fn is_made(&self) -> bool {
        self.position.is_some()
    }

    /// Gives an answer the receipt.
    pub(super) fn receipted(&self, mut response: Response) -> Response {
        if let Some(position) = self.position {
            response.headers_mut().insert(&headers::POSITION, position.get().into());
        }
        response
    }

    /// Gives an answer that shows what was changed the receipt and the tag, which is the same position.
    pub(super) fn tagged(&self, response: Response) -> Response {
        let response = self.receipted(response);
        match self.position {
            Some(position) => conditions::tagged(response, position),
            None => response,
        }
    }
}
