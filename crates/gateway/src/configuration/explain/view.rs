//! What is told of an event, as clients see it. What is absent is not shown.

use serde::Serialize;
use serde_json::Value;
use weir_cloudevents::time;
use weir_domain::Position;
use weir_flow::{
    Cut, EventLink, ExplainedAttempt, ExplainedChange, ExplainedDelivery, ExplainedEffect, ExplainedEvent,
    ExplainedLetter, ExplainedReplay, ExplainedRoute, ExplainedType, Explanation, Fate, FilterTerm, LetterStanding,
    Mismatch, Quarantined, Wait,
};

/// All of it.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Whole<'a> {
    event: Event<'a>,
    configuration: u64,
    event_type: Type<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    route: Option<Route<'a>>,
    deliveries: Vec<Delivery<'a>>,
    deliveries_left: usize,
    other_subscriptions: usize,
    causes: Vec<Link<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    causes_cut: Option<&'static str>,
    effects: Vec<Effect<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    effects_cut: Option<&'static str>,
}

impl<'a> Whole<'a> {
    pub(super) fn of(it: &'a Explanation) -> Self {
        Self {
            event: Event::of(&it.event),
            configuration: it.configuration.get(),
            event_type: Type::of(&it.event_type),
            route: it.route.as_ref().map(Route::of),
            deliveries: it.deliveries.iter().map(Delivery::of).collect(),
            deliveries_left: it.deliveries_left,
            other_subscriptions: it.others,
            causes: it.causes.iter().map(Link::of).collect(),
            causes_cut: it.causes_cut.map(Cut::as_str),
            effects: it.effects.iter().map(Effect::of).collect(),
            effects_cut: it.effects_cut.map(Cut::as_str),
        }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Link<'a> {
    id: &'a str,
    source: &'a str,
    #[serde(rename = "type")]
    event_type: &'a str,
    position: u64,
    time: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    function_id: Option<&'a str>,
}

impl<'a> Link<'a> {
    fn of(it: &'a EventLink) -> Self {
        Self {
            id: &it.id,
            source: &it.source,
            event_type: &it.event_type,
            position: it.position.get(),
            time: time::format(it.recorded),
            function_id: it.function.as_deref(),
        }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Event<'a> {
    #[serde(flatten)]
    link: Link<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    subject: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    key: Option<&'a str>,
    method: &'a str,
    path: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    authorization: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    traceparent: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    replay_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    quarantined: Option<Kept<'a>>,
}

impl<'a> Event<'a> {
    fn of(it: &'a ExplainedEvent) -> Self {
        Self {
            link: Link::of(&it.link),
            subject: it.subject.as_deref(),
            key: it.key.as_deref(),
            method: &it.method,
            path: &it.path,
            authorization: it.authorization.as_deref().map(json),
            traceparent: it.trace.as_deref(),
            replay_id: it.replay.as_deref(),
            quarantined: it.quarantined.as_ref().map(Kept::of),
        }
    }
}

/// Reads JSON; what is none is a text.
fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|_| Value::from(text))
}

#[derive(Serialize)]
struct Kept<'a> {
    id: &'a str,
    #[serde(rename = "type")]
    event_type: &'a str,
    violations: Vec<Violation<'a>>,
}

#[derive(Serialize)]
struct Violation<'a> {
    pointer: &'a str,
    message: &'a str,
}

impl<'a> Kept<'a> {
    fn of(it: &'a Quarantined) -> Self {
        let violations = it.violations.iter();
        let violations = violations.map(|(pointer, message)| Violation { pointer, message });
        Self { id: &it.id, event_type: &it.event_type, violations: violations.collect() }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Type<'a> {
    name: &'a str,
    standing: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    authorizer_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    schema_version: Option<u32>,
}

impl<'a> Type<'a> {
    fn of(it: &'a ExplainedType) -> Self {
        Self {
            name: &it.name,
            standing: it.standing.as_str(),
            authorizer_id: it.authorizer.as_deref(),
            schema_version: it.schema_version,
        }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Route<'a> {
    method: &'a str,
    path: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    subscription_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    function_id: Option<&'a str>,
}

impl<'a> Route<'a> {
    fn of(it: &'a ExplainedRoute) -> Self {
        let taken = it.taken.as_ref();
        Self {
            method: &it.method,
            path: &it.path,
            subscription_id: taken.map(|(id, _)| id.as_str()),
            function_id: taken.map(|(_, function)| function.as_str()),
        }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Delivery<'a> {
    subscription_id: &'a str,
    function_id: &'a str,
    event_type: &'a str,
    made: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    continues: Option<&'a str>,
    method: &'a str,
    path: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    filter: Option<Value>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    terms: Vec<Term<'a>>,
    state: &'static str,
    answer: String,
    #[serde(flatten)]
    details: Details<'a>,
    failures: u64,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    attempts: Vec<Attempt<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    dead_letters: Vec<Letter<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    replays: Vec<Replay<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    changes: Vec<Change<'a>>,
}

impl<'a> Delivery<'a> {
    fn of(it: &'a ExplainedDelivery) -> Self {
        Self {
            subscription_id: &it.subscription,
            function_id: &it.function,
            event_type: &it.event_type,
            made: it.made.get(),
            continues: it.continues.as_deref(),
            method: &it.method,
            path: &it.path,
            filter: it.filter.as_deref().map(json),
            terms: it.terms.iter().map(Term::of).collect(),
            state: it.fate.as_str(),
            answer: it.answer(),
            details: Details::of(&it.fate),
            failures: it.failures,
            attempts: it.attempts.iter().map(Attempt::of).collect(),
            dead_letters: it.letters.iter().map(Letter::of).collect(),
            replays: it.replays.iter().map(Replay::of).collect(),
            changes: it.changes.iter().map(Change::of).collect(),
        }
    }
}

/// What else there is to say of a state.
#[derive(Default, Serialize)]
#[serde(rename_all = "camelCase")]
struct Details<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    at: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    by: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    due: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    redriven: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    certain: Option<bool>,
}

impl<'a> Details<'a> {
    fn of(fate: &'a Fate) -> Self {
        let at = |position: Position| Self { at: Some(position.get()), ..Self::default() };
        match fate {
            Fate::NotMatched(mismatch) => Self { reason: Some(mismatched(*mismatch)), ..Self::default() },
            Fate::BeforeStart { begins: position }
            | Fate::TooLate { ended: position }
            | Fate::DeadLetter { position, .. }
            | Fate::Ending { deleted: position } => at(*position),
            Fate::Delivered { or_before, redriven } => Self {
                by: or_before.as_ref().map(|(by, _)| by.as_str()),
                at: or_before.as_ref().map(|(_, at)| at.get()),
                redriven: redriven.map(Position::get),
                ..Self::default()
            },
            Fate::Waiting(wait) => {
                let (reason, position) = waiting(wait);
                Self { reason: Some(reason), at: position.map(Position::get), ..Self::default() }
            }
            Fate::Retrying { due } => Self { due: due.map(time::format), ..Self::default() },
            Fate::Dropped { record, is_certain } => Self { certain: Some(*is_certain), ..at(*record) },
            Fate::Continued { by, at: position } => Self { by: Some(by.as_str()), ..at(*position) },
            Fate::DoneBefore { by } => Self { by: Some(by.as_str()), ..Self::default() },
        }
    }
}

/// The words for why an event waits, or is none of a subscription.
pub(super) const REASONS: [&str; 13] = [
    "type", "arrival", "filter", "paused", "drained", "parked", "held", "behind", "replay", "redrive", "unread",
    "turn", "worker",
];

fn mismatched(mismatch: Mismatch) -> &'static str {
    match mismatch {
        Mismatch::Type => REASONS[0],
        Mismatch::Arrival => REASONS[1],
        Mismatch::Filter => REASONS[2],
    }
}

fn waiting(wait: &Wait) -> (&'static str, Option<Position>) {
    match wait {
        Wait::Paused => (REASONS[3], None),
        Wait::Drained { at } => (REASONS[4], Some(*at)),
        Wait::Parked(_) => (REASONS[5], None),
        Wait::Held { by } => (REASONS[6], Some(*by)),
        Wait::Behind { position } => (REASONS[7], Some(*position)),
        Wait::Replay => (REASONS[8], None),
        Wait::Redrive { at } => (REASONS[9], Some(*at)),
        Wait::Unread { next } => (REASONS[10], Some(*next)),
        Wait::Turn => (REASONS[11], None),
        Wait::Worker => (REASONS[12], None),
    }
}

#[derive(Serialize)]
struct Term<'a> {
    pointer: &'a str,
    dialect: &'static str,
    attribute: &'a str,
    wanted: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    found: Option<&'a str>,
    matched: bool,
    decided: bool,
}

impl<'a> Term<'a> {
    fn of(it: &'a FilterTerm) -> Self {
        Self {
            pointer: &it.pointer,
            dialect: it.dialect,
            attribute: &it.attribute,
            wanted: &it.wanted,
            found: it.found.as_deref(),
            matched: it.matched,
            decided: it.decided,
        }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Attempt<'a> {
    position: u64,
    time: String,
    attempt: u64,
    cause: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<u16>,
    error: &'a str,
    took_ms: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    retry_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    replay_id: Option<&'a str>,
}

impl<'a> Attempt<'a> {
    fn of(it: &'a ExplainedAttempt) -> Self {
        Self {
            position: it.position.get(),
            time: time::format(it.recorded),
            attempt: it.attempt,
            cause: &it.cause,
            status: it.status,
            error: &it.error,
            took_ms: it.took_ms,
            retry_at: it.retry_at.map(time::format),
            replay_id: it.replay.as_deref(),
        }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Letter<'a> {
    position: u64,
    time: String,
    attempts: u64,
    error: &'a str,
    held: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    replay_id: Option<&'a str>,
    state: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    decided_at: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    by: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    done: Option<bool>,
}

impl<'a> Letter<'a> {
    fn of(it: &'a ExplainedLetter) -> Self {
        let (decided_at, by, done) = match &it.standing {
            LetterStanding::Open => (None, None, None),
            LetterStanding::Discarded { at } => (Some(at.get()), None, None),
            LetterStanding::Redriven { at, by, is_done } => (Some(at.get()), Some(by.as_str()), Some(*is_done)),
        };
        Self {
            position: it.position.get(),
            time: time::format(it.recorded),
            attempts: it.attempts,
            error: &it.error,
            held: it.held,
            replay_id: it.replay.as_deref(),
            state: it.standing.as_str(),
            decided_at,
            by,
            done,
        }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Replay<'a> {
    replay_id: &'a str,
    position: u64,
    state: &'static str,
    matched: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    dead_letter: Option<u64>,
}

impl<'a> Replay<'a> {
    fn of(it: &'a ExplainedReplay) -> Self {
        Self {
            replay_id: &it.id,
            position: it.position.get(),
            state: it.state,
            matched: it.matched,
            dead_letter: it.letter.map(Position::get),
        }
    }
}

#[derive(Serialize)]
struct Change<'a> {
    position: u64,
    time: String,
    what: &'a str,
}

impl<'a> Change<'a> {
    fn of(it: &'a ExplainedChange) -> Self {
        Self { position: it.position.get(), time: time::format(it.recorded), what: &it.what }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Effect<'a> {
    #[serde(flatten)]
    link: Link<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    subscription_id: Option<&'a str>,
    effects: Vec<Effect<'a>>,
}

impl<'a> Effect<'a> {
    fn of(it: &'a ExplainedEffect) -> Self {
        Self {
            link: Link::of(&it.link),
            subscription_id: it.subscription.as_deref(),
            effects: it.effects.iter().map(Self::of).collect(),
        }
    }
}
