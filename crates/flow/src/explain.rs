//! Why an event did or did not reach somebody: told from the log and the configuration as they were, so that it can be
//! asked about any event for ever.
//!
//! What was routed where is worked out anew: the configuration up to the event is folded from its log, and every
//! subscription is asked as its worker asked it. What became of a delivery is looked up among the facts that workers
//! wrote, and only where there are none in what cursors know. All of it is bounded, and it is said where something was
//! left out.

mod answers;
mod facts;
mod fates;
mod finding;
mod history;
mod report;
mod told;
mod tree;
mod waits;

use weir_catalog::{ApplyError, Arrival, Method, is_reserved, stored::StoredError};
use weir_domain::{ErrorKind, Position, SpaceName};
use weir_log::{LogError, Recorded};

use crate::{Flow, REPLAY, flow::Shared, schema::EVENT_QUARANTINED};
use fates::Known;
use history::History;
pub use report::{
    Cut, EventLink, ExplainedAttempt, ExplainedChange, ExplainedDelivery, ExplainedEffect, ExplainedEvent,
    ExplainedLetter, ExplainedReplay, ExplainedRoute, ExplainedType, Explanation, Fate, FilterTerm, LetterStanding,
    Mismatch, Quarantined, TypeStanding, Wait,
};
use told::Told;

/// The extension in which an event carries what its authorizer said.
const AUTHORIZATION: &str = "eventgateway";

/// Which event is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AskedEvent<'a> {
    /// The one at this position.
    At(Position),
    /// The one of this `id`: that of this source, else the newest one.
    Named {
        /// Its attribute `id`.
        id: &'a str,
        /// Its attribute `source`.
        source: Option<&'a str>,
    },
}

/// What is asked about an event.
#[derive(Clone, Copy)]
pub struct Question<'a> {
    /// Which event.
    pub event: AskedEvent<'a>,
    /// Only what this subscription made of it: its identifier, or its function.
    pub subscription: Option<&'a str>,
    /// Tells whether events of a type may be shown: others are as if they were not there.
    pub sees: &'a (dyn Fn(&str) -> bool + Sync),
}

/// Why an event cannot be explained.
#[derive(Debug, thiserror::Error)]
pub enum ExplainError {
    /// There is none at the position.
    #[error("the space has no event at position {position}")]
    NotAt {
        /// Where it was looked for.
        position: Position,
    },
    /// There is none of the source and id.
    #[error("the space has no event with the id {id:?} and the source {source_given:?}")]
    NotNamed {
        /// The id.
        id: String,
        /// The source.
        source_given: String,
    },
    /// There is none of the id among the newest ones.
    #[error(
        "none of the newest {scanned} events of the space has the id {id:?}: name its source as well, or its position"
    )]
    NotFound {
        /// The id.
        id: String,
        /// How many events were looked at.
        scanned: usize,
    },
    /// There never was such a subscription.
    #[error("the space has no subscription {name:?}, and never had one: list what there is")]
    NoSubscription {
        /// What was asked for.
        name: String,
    },
    /// A stored change cannot be read.
    #[error("the configuration change at position {position} cannot be read")]
    Stored {
        /// Where it stands.
        position: Position,
        /// What is wrong with it.
        #[source]
        source: StoredError,
    },
    /// A stored change does not fit those before it.
    #[error("the configuration change at position {position} does not follow from those before it")]
    Apply {
        /// Where it stands.
        position: Position,
        /// What does not fit.
        #[source]
        source: ApplyError,
    },
    /// The log cannot be read.
    #[error("the log cannot be read")]
    Log(#[from] LogError),
}

impl ExplainError {
    /// Tells what the reader must do next.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::NotAt { .. } | Self::NotNamed { .. } | Self::NotFound { .. } | Self::NoSubscription { .. } => {
                ErrorKind::NotFound
            }
            Self::Stored { source, .. } => source.kind(),
            Self::Apply { .. } => ErrorKind::Corrupt,
            Self::Log(error) => error.kind(),
        }
    }
}

impl Flow {
    /// Tells of an event when and how it came, what each subscription made of it and why, what it follows from, and
    /// what followed from it.
    ///
    /// # Errors
    /// Where there is no such event or subscription, or the log cannot be read.
    pub async fn explain(&self, space: &SpaceName, question: Question<'_>) -> Result<Explanation, ExplainError> {
        Box::pin(explain(&self.shared, space, question)).await
    }
}

async fn explain(shared: &Shared, space: &SpaceName, question: Question<'_>) -> Result<Explanation, ExplainError> {
    let recorded = finding::find(shared, space, question).await?;
    let history = history::read(shared, space, recorded.position).await?;
    let chosen = history.chosen(&recorded, question.subscription)?;
    let (causes, causes_cut) = Box::pin(tree::causes(shared, space, &recorded, &history, question.sees)).await?;
    let replays = facts::replays(shared, space, recorded.position).await?;
    let (effects, effects_cut) =
        Box::pin(tree::effects(shared, space, &recorded, &history, &replays, question.sees)).await?;
    let known = Known { shared, space, recorded: &recorded, history: &history, replays: &replays, effects: &effects };
    let told = Box::pin(fates::of_all(known, chosen)).await?;
    Ok(Explanation {
        event: event(space, &recorded),
        configuration: history.position,
        event_type: event_type(&history, &recorded),
        route: route(&history, &recorded),
        deliveries: told.deliveries,
        deliveries_left: told.left,
        others: history.others(recorded.event.event_type()),
        causes,
        causes_cut,
        effects,
        effects_cut,
    })
}

fn event(space: &SpaceName, recorded: &Recorded) -> ExplainedEvent {
    let Recorded { key, event, .. } = recorded;
    let arrival = Arrival::of(event);
    let text = |name: &str| event.extension_text(name).map(str::to_owned);
    ExplainedEvent {
        link: EventLink::of(space, recorded),
        subject: event.subject().map(str::to_owned),
        key: key.as_ref().map(|key| key.as_str().to_owned()),
        method: arrival.method.to_owned(),
        path: arrival.path.to_owned(),
        authorization: text(AUTHORIZATION),
        trace: text(weir_cloudevents::trace::TRACEPARENT),
        replay: text(REPLAY),
        quarantined: quarantined(recorded),
    }
}

fn quarantined(recorded: &Recorded) -> Option<Quarantined> {
    if recorded.event.event_type() != EVENT_QUARANTINED {
        return None;
    }
    let told = Told::of(&recorded.event)?;
    let violation = |it: &Told<'_>| Some((it.text("pointer")?, it.text("message")?));
    Some(Quarantined {
        id: recorded.event.subject().unwrap_or_default().to_owned(),
        event_type: told.text("eventType").unwrap_or_default(),
        violations: told.objects("violations").iter().filter_map(violation).collect(),
    })
}

fn event_type(history: &History, recorded: &Recorded) -> ExplainedType {
    let name = recorded.event.event_type();
    let registered = history.catalog.registered_event_type(name);
    let standing = match registered {
        Some(_) => TypeStanding::Registered,
        None if is_reserved(name) || history.catalog.event_type(name).is_some() => TypeStanding::BuiltIn,
        None => TypeStanding::Unregistered,
    };
    ExplainedType {
        name: name.to_owned(),
        standing,
        authorizer: registered.and_then(|it| it.authorizer.as_ref()).map(ToString::to_string),
        schema_version: registered.filter(|it| it.schema.is_some()).map(|it| it.schema_version),
    }
}

/// Looks the route up that the request had. What functions returned and what the platform wrote came by none.
fn route(history: &History, recorded: &Recorded) -> Option<ExplainedRoute> {
    let event = &recorded.event;
    if is_reserved(event.event_type()) || history.is_returned(event.source()) {
        return None;
    }
    let arrival = Arrival::of(event);
    let taken = history.route(event).map(|it| (it.id.to_string(), it.function.to_string()));
    // What is posted to the root is an event, unless a route says otherwise.
    let is_usual = arrival == Arrival::DEFAULT && event.event_type() != weir_catalog::HTTP_REQUEST;
    (taken.is_some() || !is_usual).then(|| ExplainedRoute {
        method: arrival.method.to_owned(),
        path: arrival.path.to_owned(),
        taken,
    })
}

/// The methods by which a route is looked for: what has none for `HEAD` is asked as for `GET`.
fn methods(text: &str) -> impl Iterator<Item = Method> {
    let own = Method::parse(text);
    own.into_iter().chain((own == Some(Method::Head)).then_some(Method::Get))
}
