//! Why an event did or did not reach somebody: `GET /v1/spaces/{space}/events/{id}/explain`.
//!
//! | parameter | meaning |
//! |---|---|
//! | `source` | the `source` of the event: with it, it is found at once, however old it is |
//! | `subscription` | only what this subscription made of it: its identifier, or its function |
//!
//! `{id}` is the `id` of the event, or its position behind an `@`. One whose `id` begins with `@` is asked for with its
//! `source`. Where the right to read is narrowed to event types, events of others are as if they were not there.

mod told;
mod view;

use std::sync::Arc;

use axum::{
    Extension,
    extract::{Path, RawQuery, State},
    response::Response,
};
use http::{HeaderMap, StatusCode};
use weir_domain::Position;
use weir_flow::{AskedEvent, ExplainError, Question};

use super::{
    ItemPath, media,
    parameter::{short, twice, wrong},
};
use crate::{answer, auth::Caller, gateway::Shared, problem::Problem, query, space};
pub(super) use told::{endpoint, schemas};

const SOURCE: &str = "source";
const SUBSCRIPTION: &str = "subscription";

/// What a client asks for beyond the path.
#[derive(Debug, Default, PartialEq, Eq)]
struct Parameters {
    source: Option<String>,
    subscription: Option<String>,
}

impl Parameters {
    /// Reads the query of a URL.
    ///
    /// # Errors
    /// Where a parameter is not known, comes twice, or is empty.
    fn read(query: &str) -> Result<Self, Problem> {
        let mut read = Self::default();
        for (name, value) in query::pairs(query) {
            let place = match &*name {
                SOURCE => &mut read.source,
                SUBSCRIPTION => &mut read.subscription,
                other => {
                    let message = format!("parameter {:?} is not known: use {SOURCE} and {SUBSCRIPTION}", short(other));
                    return Err(Problem::invalid(message));
                }
            };
            if value.is_empty() {
                return Err(wrong(&name, "must not be empty", ""));
            }
            if place.replace(value.into_owned()).is_some() {
                return Err(twice(&name));
            }
        }
        Ok(read)
    }
}

/// Reads which event a path names.
fn event<'a>(id: &'a str, source: Option<&'a str>) -> Result<AskedEvent<'a>, Problem> {
    let position = id.strip_prefix('@').filter(|text| source.is_none() && text.bytes().all(|b| b.is_ascii_digit()));
    match position.map(str::parse) {
        None => Ok(AskedEvent::Named { id, source }),
        Some(Ok(number)) => Ok(AskedEvent::At(Position::new(number))),
        Some(Err(_)) => {
            let message = format!("the event {:?} must be named by its id, or by its position such as @17", short(id));
            Err(Problem::invalid(message))
        }
    }
}

async fn explain(
    State(shared): State<Arc<Shared>>,
    Extension(caller): Extension<Caller>,
    path: ItemPath,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let _place = shared.configuration_room.enter()?;
    let Path((space, id)) = path?;
    let space = space::named(&space)?;
    media::refuse_other_answers(&headers)?;
    let Parameters { source, subscription } = Parameters::read(query.as_deref().unwrap_or_default())?;
    let event = event(&id, source.as_deref())?;
    let sees = |event_type: &str| caller.may_read(&space, event_type);
    let question = Question { event, subscription: subscription.as_deref(), sees: &sees };
    let _turn = shared.log_turn().await;
    let explanation = shared.flow.explain(&space, question).await?;
    Ok(answer::json(StatusCode::OK, &view::Whole::of(&explanation)))
}

impl From<ExplainError> for Problem {
    fn from(error: ExplainError) -> Self {
        match error {
            ExplainError::Log(error) => error.into(),
            other => Self::of(other.kind(), &other),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_names_an_event_by_id_or_position() {
        let check = |id: &str, source: Option<&str>, expected: Option<AskedEvent<'_>>| {
            assert_eq!(event(id, source).ok(), expected, "{id}");
        };
        let named = |id: &'static str, source: Option<&'static str>| Some(AskedEvent::Named { id, source });
        check("7", None, named("7", None));
        check("7", Some("/s"), named("7", Some("/s")));
        check("@7", None, Some(AskedEvent::At(Position::new(7))));
        check("@7", Some("/s"), named("@7", Some("/s")));
        check("@a", None, named("@a", None));
        check("@", None, None);
        check("@99999999999999999999", None, None);
    }

    #[test]
    fn parameters_are_read() {
        let read = Parameters::read("subscription=bill&source=%2Fshop").map_err(|it| it.message().to_owned());
        let (source, subscription) = (Some("/shop".to_owned()), Some("bill".to_owned()));
        assert_eq!(read, Ok(Parameters { source, subscription }));
        for (query, message) in [
            ("at=7", "parameter \"at\" is not known: use source and subscription"),
            ("source=", "parameter \"source\" must not be empty, not \"\""),
            ("source=a&source=b", "parameter \"source\" is given twice: give it once"),
        ] {
            let problem = Parameters::read(query).expect_err(query);
            assert_eq!((problem.status().as_u16(), problem.message()), (400, message));
        }
    }
}
