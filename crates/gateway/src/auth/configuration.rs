//! The guard of the Configuration API: which right each path needs, whatever stands behind it.
//!
//! | path | reading | changing |
//! |---|---|---|
//! | `/v1/status`, `/openapi.json`, `/openapi/events.json`, `/docs`, `/docs/events` | nobody is asked | |
//! | `/v1/tokens…` | `admin` in all spaces | the same |
//! | `/v1/spaces/{space}/events`, `/v1/spaces/{space}/events/{id}/explain` | `read`, narrowed to event types | |
//! | `/v1/spaces/{space}/deadletters`, `/v1/spaces/{space}/deadletters/…` | the same: they show events | `config:write` |
//! | `/v1/spaces/{space}`, `/v1/spaces/{space}/…` | `config:read` | `config:write` |
//! | anything else, the list of spaces and the metrics among it | `config:read` in all spaces | `config:write` in all spaces |

use std::sync::Arc;

use axum::{
    extract::{Request, State},
    middleware::Next,
    response::{IntoResponse, Response},
};
use http::Method;
use percent_encoding::percent_decode_str;
use weir_catalog::Action;
use weir_domain::SpaceName;

use super::{Caller, admit, identify, insufficient};
use crate::{gateway::Shared, metrics::Api, problem::Problem, watch::Notes};

/// What says nothing of what the server has: whether it runs, and what the APIs are.
const OPEN: [&str; 5] = ["/v1/status", "/openapi.json", "/openapi/events.json", "/docs", "/docs/events"];
const TOKENS: &str = "/v1/tokens";
const SPACES: &str = "/v1/spaces/";

/// Lets in whoever has the right to what the head of the request asks for. The [`Caller`] goes with the request, for those
/// who look closer.
pub(crate) async fn guard(State(shared): State<Arc<Shared>>, mut request: Request, next: Next) -> Response {
    match enter(&shared, &mut request) {
        Ok(caller) => {
            if let Some(notes) = request.extensions().get::<Notes>() {
                notes.caller(&caller);
            }
            request.extensions_mut().insert(caller);
            next.run(request).await
        }
        Err(problem) => problem.into_response(),
    }
}

fn enter(shared: &Shared, request: &mut Request) -> Result<Caller, Problem> {
    if shared.guard.is_none() {
        return Ok(Caller::Anybody);
    }
    let Some(Demand { action, space }) = Demand::of(request.method(), request.uri().path()) else {
        return Ok(Caller::Anybody);
    };
    let identified = identify(shared, request.headers_mut());
    let caller = admit(shared, Api::Configuration, identified, space.as_ref())?;
    if caller.may(action, space.as_ref()) {
        return Ok(caller);
    }
    let what = match action {
        Action::ReadConfig => "read the configuration",
        Action::WriteConfig => "change the configuration",
        Action::Emit => "emit events",
        Action::Read => "read events",
        Action::Admin => "deal with tokens",
    };
    Err(insufficient(what, space.as_ref()))
}

/// The right that a request needs.
#[derive(Debug, PartialEq, Eq)]
struct Demand {
    action: Action,
    /// In which space; none is in all.
    space: Option<SpaceName>,
}

impl Demand {
    /// Reads it from the head of a request; `None` where none is needed.
    ///
    /// What is not understood needs a right in all spaces, so that nothing can be hidden from here.
    fn of(method: &Method, path: &str) -> Option<Self> {
        let reads = matches!(*method, Method::GET | Method::HEAD);
        if reads && OPEN.contains(&path) {
            return None;
        }
        let is_tokens = path.strip_prefix(TOKENS).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
        if is_tokens {
            return Some(Self { action: Action::Admin, space: None });
        }
        let usual = if reads { Action::ReadConfig } else { Action::WriteConfig };
        let Some((name, rest)) = path.strip_prefix(SPACES).map(|rest| rest.split_once('/').unwrap_or((rest, "")))
        else {
            return Some(Self { action: usual, space: None });
        };
        // Decoded as the router decodes it: both must mean the same space.
        let space = percent_decode_str(name).decode_utf8().ok().and_then(|name| SpaceName::new(&name).ok());
        let is_letter = rest.split('/').next() == Some("deadletters");
        let shows_events = rest == "events" || is_explanation(rest) || is_letter;
        let action = if reads && shows_events { Action::Read } else { usual };
        Some(Self { action, space })
    }
}

/// Tells whether a path within a space is that of the explanation of an event.
fn is_explanation(path: &str) -> bool {
    let mut parts = path.split('/');
    (parts.next(), parts.nth(1), parts.next()) == (Some("events"), Some("explain"), None)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_head_says_which_right_is_needed() {
        let check = |method: &Method, path: &str, expected: Option<(Action, Option<&str>)>| {
            let demand = Demand::of(method, path);
            let demand = demand.as_ref().map(|demand| (demand.action, demand.space.as_ref().map(SpaceName::as_str)));
            assert_eq!(demand, expected, "{method} {path}");
        };
        let (get, put, post, delete) = (&Method::GET, &Method::PUT, &Method::POST, &Method::DELETE);
        check(get, "/v1/status", None);
        check(&Method::HEAD, "/v1/status", None);
        for path in ["/openapi.json", "/openapi/events.json", "/docs", "/docs/events"] {
            check(get, path, None);
            check(post, path, Some((Action::WriteConfig, None)));
        }
        check(get, "/docs/", Some((Action::ReadConfig, None)));
        check(post, "/v1/status", Some((Action::WriteConfig, None)));
        check(get, "/v1/status/", Some((Action::ReadConfig, None)));
        check(get, "/v1/metrics", Some((Action::ReadConfig, None)));
        for path in ["/v1/tokens", "/v1/tokens/", "/v1/tokens/a"] {
            for method in [get, post, delete] {
                check(method, path, Some((Action::Admin, None)));
            }
        }
        check(get, "/v1/tokensx", Some((Action::ReadConfig, None)));
        let shop = Some("shop");
        check(get, "/v1/spaces/shop/functions", Some((Action::ReadConfig, shop)));
        check(put, "/v1/spaces/shop/functions/f", Some((Action::WriteConfig, shop)));
        for verb in ["pause", "resume", "drain"] {
            check(post, &format!("/v1/spaces/shop/subscriptions/a/{verb}"), Some((Action::WriteConfig, shop)));
        }
        check(get, "/v1/spaces/shop/status", Some((Action::ReadConfig, shop)));
        check(get, "/v1/spaces/shop/subscriptions/a/status", Some((Action::ReadConfig, shop)));
        check(post, "/v1/spaces/shop/subscriptions/a/replays", Some((Action::WriteConfig, shop)));
        check(get, "/v1/spaces/shop/subscriptions/a/replays/b", Some((Action::ReadConfig, shop)));
        check(delete, "/v1/spaces/shop/subscriptions/a/replays/b", Some((Action::WriteConfig, shop)));
        check(get, "/v1/spaces/shop/eventtypes/a/schemas", Some((Action::ReadConfig, shop)));
        check(get, "/v1/spaces/shop/eventtypes/a/schemas/1", Some((Action::ReadConfig, shop)));
        check(get, "/v1/spaces/shop", Some((Action::ReadConfig, shop)));
        check(delete, "/v1/spaces/shop", Some((Action::WriteConfig, shop)));
        check(get, "/v1/spaces", Some((Action::ReadConfig, None)));
        check(&Method::OPTIONS, "/v1/spaces/shop/functions", Some((Action::WriteConfig, shop)));
        check(get, "/v1/spaces/sh%6Fp/functions", Some((Action::ReadConfig, shop)));
        check(get, "/v1/spaces/shop/events", Some((Action::Read, shop)));
        check(post, "/v1/spaces/shop/events", Some((Action::WriteConfig, shop)));
        check(get, "/v1/spaces/shop/events/7", Some((Action::ReadConfig, shop)));
        for path in ["/v1/spaces/shop/deadletters", "/v1/spaces/shop/deadletters/7"] {
            check(get, path, Some((Action::Read, shop)));
            check(&Method::PATCH, path, Some((Action::WriteConfig, shop)));
        }
        check(post, "/v1/spaces/shop/deadletters/7/redrive", Some((Action::WriteConfig, shop)));
        check(get, "/v1/spaces/shop/deadlettersx", Some((Action::ReadConfig, shop)));
        check(get, "/v1/spaces/shop/events/a%2Fb/explain", Some((Action::Read, shop)));
        check(get, "/v1/spaces/shop/events/7/explain/more", Some((Action::ReadConfig, shop)));
        check(post, "/v1/spaces/shop/events/7/explain", Some((Action::WriteConfig, shop)));
        // What is no space is nobody's space.
        for path in
            ["/v1/spaces", "/v1/spaces/", "/v1/spaces//events", "/v1/spaces/a%2Fb/functions", "/", "//v1/status"]
        {
            let demand = Demand::of(put, path).expect("a right");
            assert_eq!((demand.action, demand.space), (Action::WriteConfig, None), "{path}");
        }
        check(get, "/v1/spaces//events", Some((Action::Read, None)));
        check(get, "/v1/spaces/%FF/events", Some((Action::Read, None)));
    }
}
