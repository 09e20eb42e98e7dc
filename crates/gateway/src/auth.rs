//! Who sends a request, what they may do, and how often: the guard of both APIs.
//!
//! A caller shows a bearer token (RFC 6750): one that was made here ([`token`]), a JWT of somebody else ([`jwt`]), or the
//! one of the operator. All three give scopes, and nothing else is known of anybody. Where neither authentication nor
//! rates are set there is no guard, and a request pays for one question.
//!
//! What a refusal says never depends on which part of a token was wrong. Tokens reach neither the log nor the functions: a
//! token that was accepted is taken out of the request.

mod bearer;
pub(crate) mod configuration;
pub(crate) mod jwt;
mod rate;
pub(crate) mod token;

use std::{fmt, sync::Arc, time::Duration};

use http::{HeaderMap, StatusCode, header::AUTHORIZATION};
use subtle::ConstantTimeEq;
use tokio::time::Instant;
use weir_catalog::{Action, Catalog, HTTP_REQUEST, Scopes, SpaceCatalog, Token};
use weir_domain::{Event, SpaceName, Timestamp};

use crate::{
    gateway::Shared,
    metrics::{Api, Refused, Unauthenticated},
    problem::Problem,
};
use bearer::Shown;
use rate::Limiter;

pub use jwt::{Algorithm, FetchKeys, JwtOptions, KeyRefresher, Keys, KeysError};
pub use rate::Rate;

/// What is answered to whoever shows nothing (RFC 6750, section 3).
const CHALLENGE: &str = "Bearer realm=\"weir\"";
/// What is answered to whoever shows something that is worth nothing.
const INVALID_TOKEN: &str = "Bearer realm=\"weir\", error=\"invalid_token\"";
/// What is answered to whoever may not do what they ask for.
const INSUFFICIENT_SCOPE: &str = "Bearer realm=\"weir\", error=\"insufficient_scope\"";

/// The name of the operator where rates are counted; no token and no JWT can have it.
const OPERATOR: &str = "operator:";
/// The name of all strangers there.
const STRANGERS: &str = "strangers:";

/// Who is let in.
#[derive(Clone, Debug, Default)]
pub struct AuthOptions {
    /// The token of the operator, who may do everything.
    pub operator: Option<OperatorToken>,
    /// Whose JWTs are taken.
    pub jwt: Option<JwtOptions>,
}

/// The token of the operator, as what is left of it: a hash.
#[derive(Clone)]
pub struct OperatorToken {
    hash: [u8; 32],
}

impl OperatorToken {
    /// The shortest text in bytes.
    pub const BYTES_MIN: usize = 32;

    /// Takes the text of a token; white space around it, such as the end of a line, does not belong to it. `None` where it
    /// is too short to be hard to guess, or cannot stand in a header.
    #[must_use]
    pub fn new(text: &str) -> Option<Self> {
        let text = text.trim();
        let fits = (Self::BYTES_MIN..=bearer::BYTES_MAX).contains(&text.len()) && bearer::is_token(text);
        fits.then(|| Self { hash: token::hash(text) })
    }
}

impl fmt::Debug for OperatorToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("OperatorToken(…)")
    }
}

/// How many requests are let in. Each request counts once, whatever it carries.
#[derive(Clone, Copy, Debug, Default)]
pub struct RateOptions {
    /// Of each token, or each subject of a JWT.
    pub per_token: Option<Rate>,
    /// For each space, whoever sends them.
    pub per_space: Option<Rate>,
}

/// Who sends a request, as far as it matters.
#[derive(Clone, Debug)]
pub(crate) enum Caller {
    /// Nobody is asked who they are.
    Anybody,
    /// The operator.
    Operator,
    /// Who has a token of ours.
    Holder(Arc<Token>),
    /// Who has a JWT.
    Subject(Arc<jwt::Subject>),
    /// Who is not known, for this reason: to them only those event types are open whose authorizer lets them in.
    Stranger(Unauthenticated),
}

impl Caller {
    /// Returns under which name requests are counted and told of: never a secret.
    pub(crate) fn name(&self) -> Option<&str> {
        match self {
            Self::Anybody | Self::Stranger(_) => None,
            Self::Operator => Some(OPERATOR),
            Self::Holder(token) => Some(token.id.as_str()),
            Self::Subject(subject) => Some(&subject.name),
        }
    }

    /// Returns under which name requests are counted: strangers share one.
    fn counted(&self) -> Option<&str> {
        if self.is_stranger() { Some(STRANGERS) } else { self.name() }
    }

    /// Tells whether nobody knows who it is, although that is asked.
    pub(crate) fn is_stranger(&self) -> bool {
        matches!(self, Self::Stranger(_))
    }

    /// Tells whether the scopes allow something. Who is asked for none may do everything, and a stranger nothing.
    fn is_allowed(&self, by: impl FnOnce(&Scopes) -> bool) -> bool {
        match self {
            Self::Anybody | Self::Operator => true,
            Self::Holder(token) => by(&token.scopes),
            Self::Subject(subject) => by(&subject.scopes),
            Self::Stranger(_) => false,
        }
    }

    /// Tells whether an action is allowed in a space, or without one in all.
    fn may(&self, action: Action, space: Option<&SpaceName>) -> bool {
        self.is_allowed(|scopes| scopes.allow(action, space))
    }

    /// Tells whether an action is allowed in a space for events of one type.
    fn may_with(&self, action: Action, space: &SpaceName, event_type: &str) -> bool {
        self.is_allowed(|scopes| scopes.allow_type(action, space, event_type))
    }

    /// Tells whether the caller may emit events of this type.
    pub(crate) fn may_emit(&self, space: &SpaceName, event_type: &str) -> bool {
        self.may_with(Action::Emit, space, event_type)
    }

    /// Tells whether events of this type may be shown to the caller.
    pub(crate) fn may_read(&self, space: &SpaceName, event_type: &str) -> bool {
        self.may_with(Action::Read, space, event_type)
    }

    /// Checks that the caller may read all event types that are asked for by name.
    ///
    /// # Errors
    /// Names the first that they may not.
    pub(crate) fn check_reads(&self, space: &SpaceName, event_types: &[String]) -> Result<(), Problem> {
        match event_types.iter().find(|event_type| !self.may_read(space, event_type)) {
            Some(event_type) => {
                Err(insufficient(&format!("read events of type \"{}\"", short(event_type)), Some(space)))
            }
            None => Ok(()),
        }
    }
}

/// Stands in front of both APIs, where authentication or rates are set.
pub(crate) struct Guard {
    authentication: Option<AuthOptions>,
    per_token: Option<Limiter>,
    per_space: Option<Limiter>,
    /// What the time of rates is counted from.
    began: Instant,
}

impl Guard {
    /// Makes the guard, where there is anything to guard.
    pub(crate) fn new(authentication: Option<AuthOptions>, rates: RateOptions) -> Option<Self> {
        let RateOptions { per_token, per_space } = rates;
        if authentication.is_none() && per_token.is_none() && per_space.is_none() {
            return None;
        }
        let (per_token, per_space) = (per_token.map(Limiter::new), per_space.map(Limiter::new));
        Some(Self { authentication, per_token, per_space, began: Instant::now() })
    }

    fn identify(&self, headers: &HeaderMap, catalog: &Catalog, now: Timestamp) -> Result<Caller, Unauthenticated> {
        let Some(AuthOptions { operator, jwt }) = &self.authentication else { return Ok(Caller::Anybody) };
        let text = match bearer::shown(headers) {
            Shown::Token(text) => text,
            Shown::Nothing => return Err(Unauthenticated::Missing),
            Shown::Malformed => return Err(Unauthenticated::Malformed),
        };
        let hash = token::hash(text);
        if operator.as_ref().is_some_and(|operator| operator.hash.ct_eq(&hash).into()) {
            return Ok(Caller::Operator);
        }
        if let Some(id) = token::id(text) {
            let found = catalog.token(id).filter(|token| token.hash.ct_eq(&hash).into());
            let token = found.ok_or(Unauthenticated::Unknown)?;
            return if token.is_expired(now) {
                Err(Unauthenticated::Expired)
            } else {
                Ok(Caller::Holder(Arc::clone(token)))
            };
        }
        let jwt = jwt.as_ref().ok_or(Unauthenticated::Unknown)?;
        jwt.verify(text, now).map(|subject| Caller::Subject(Arc::new(subject)))
    }

    /// Counts a request; where it is one too many, says when to come again.
    ///
    /// Of the two limits that of the token is asked first, so that one caller cannot use up what a space has.
    fn count(&self, caller: &Caller, space: Option<&SpaceName>) -> Result<(), Duration> {
        let now = self.began.elapsed();
        if let (Some(limiter), Some(name)) = (&self.per_token, caller.counted()) {
            limiter.take(name, now)?;
        }
        match (&self.per_space, space) {
            (Some(limiter), Some(space)) => limiter.take(space.as_str(), now),
            _ => Ok(()),
        }
    }
}

/// Finds out who sends a request, and takes an accepted token out of it, so that no function and no event has it, as well as
/// one of ours that is not accepted, which may be good elsewhere, and what cannot be read.
///
/// What is no token of ours stays: it may be meant for a function.
pub(crate) fn identify(shared: &Shared, headers: &mut HeaderMap) -> Result<Caller, Unauthenticated> {
    let Some(guard) = &shared.guard else { return Ok(Caller::Anybody) };
    let identified = guard.identify(headers, &shared.flow.catalog(), shared.clock.now());
    let is_ours = match &identified {
        Ok(caller) => !matches!(caller, Caller::Anybody),
        Err(_) => match bearer::shown(headers) {
            Shown::Token(text) => token::id(text).is_some(),
            Shown::Malformed => true,
            Shown::Nothing => false,
        },
    };
    if is_ours {
        headers.remove(AUTHORIZATION);
    }
    identified
}

/// Lets a request to the Events API in. Where the space has event types with authorizers, one that nobody is known to have
/// sent goes on as that of a stranger: whether it is for one of these types shows when it is read.
///
/// # Errors
/// As [`admit`].
pub(crate) fn admit_sender(
    shared: &Shared,
    identified: Result<Caller, Unauthenticated>,
    space: &SpaceName,
    present: &SpaceCatalog,
) -> Result<Caller, Problem> {
    let identified = match identified {
        Err(why) if present.has_authorizers() => Ok(Caller::Stranger(why)),
        other => other,
    };
    admit(shared, Api::Events, identified, Some(space))
}

/// Lets a request in.
///
/// # Errors
/// Where it is not known who sends it: 401. Where they send too many: 429.
pub(crate) fn admit(
    shared: &Shared,
    api: Api,
    identified: Result<Caller, Unauthenticated>,
    space: Option<&SpaceName>,
) -> Result<Caller, Problem> {
    let Some(guard) = &shared.guard else { return Ok(Caller::Anybody) };
    let caller = identified.map_err(|why| {
        shared.metrics.unauthenticated(api, why);
        unauthenticated(why)
    })?;
    guard.count(&caller, space).map_err(|wait| {
        if let Some(space) = space {
            shared.metrics.rate_limited(space, || shared.flow.catalog());
        }
        Problem::too_many(wait)
    })?;
    Ok(caller)
}

/// Checks the right to emit an event that was read, which is also that to call the sync routes of its type.
///
/// # Errors
/// Where the caller has not got it: 403. Where nobody knows the caller and the type has no authorizer: 401.
pub(crate) fn check_emit(shared: &Shared, caller: &Caller, space: &SpaceName, event: &Event) -> Result<(), Problem> {
    if caller.may_emit(space, event.event_type()) {
        return Ok(());
    }
    if let Caller::Stranger(why) = caller {
        return check_stranger(shared, *why, space, event.event_type());
    }
    let series = shared.counted(space, event);
    series.received();
    series.refused(Refused::Denied);
    Err(may_not_emit(space, event.event_type()))
}

/// Checks that an authorizer decides about events of this type, for nobody else has let the sender in.
fn check_stranger(shared: &Shared, why: Unauthenticated, space: &SpaceName, event_type: &str) -> Result<(), Problem> {
    if shared.flow.catalog().space_or_empty(space).is_authorized(event_type) {
        return Ok(());
    }
    shared.metrics.unauthenticated(Api::Events, why);
    Err(unauthenticated(why))
}

/// Checks the right to send a plain request, before it is made into an event.
///
/// # Errors
/// As [`check_emit`].
pub(crate) fn check_request(shared: &Shared, caller: &Caller, space: &SpaceName) -> Result<(), Problem> {
    if caller.may_emit(space, HTTP_REQUEST) {
        return Ok(());
    }
    if let Caller::Stranger(why) = caller {
        return check_stranger(shared, *why, space, HTTP_REQUEST);
    }
    shared.metrics.refused(space, Refused::Denied, || shared.flow.catalog());
    Err(may_not_emit(space, HTTP_REQUEST))
}

fn may_not_emit(space: &SpaceName, event_type: &str) -> Problem {
    insufficient(&format!("emit events of type \"{}\"", short(event_type)), Some(space))
}

fn unauthenticated(why: Unauthenticated) -> Problem {
    let (message, challenge) = match why {
        Unauthenticated::Missing => ("the request shows no token: send one as \"Authorization: Bearer …\"", CHALLENGE),
        // One sentence for all: which part is wrong helps only those who try.
        _ => ("the token is not valid: send one that is, or ask the operator of the server for it", INVALID_TOKEN),
    };
    Problem::new(StatusCode::UNAUTHORIZED, message).challenging(challenge)
}

fn insufficient(what: &str, space: Option<&SpaceName>) -> Problem {
    let place = space.map_or_else(|| "in all spaces".to_owned(), |space| format!("in space \"{space}\""));
    let message = format!("the token gives no right to {what} {place}: ask for one with such a scope");
    Problem::denied(message).challenging(INSUFFICIENT_SCOPE)
}

/// A text of a client within a message, bounded.
fn short(text: &str) -> String {
    text.chars().take(128).collect()
}
