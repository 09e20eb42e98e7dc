//! Tokens: `/v1/tokens`, of the whole server.
//!
//! Creating one shows its text, once: what is kept is a hash. There is nothing to update: who needs other rights gets
//! another token. Deleting revokes a token at once, for every request that comes then.

use std::sync::Arc;

use axum::{
    Router,
    extract::{Path, RawQuery, Request, State, rejection::PathRejection},
    response::Response,
    routing::get,
};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, StatusCode, header::CACHE_CONTROL};
use serde::Serialize;
use weir_catalog::{CatalogError, ChangeKind, Command, Detail, Resource, Target, Token, TokenId, draft::TokenDraft};
use weir_cloudevents::time;
use weir_domain::Timestamp;
use weir_flow::system_space;

use super::{
    conditions,
    fields::Fields,
    intent::Intent,
    media,
    paging::{self, Page},
    resource::utf8,
};
use crate::{answer, auth::token, gateway::Shared, problem::Problem};

/// The path of all tokens.
pub(super) const PATH: &str = "/v1/tokens";
/// The name of the list in an answer.
pub(super) const LIST: &str = "tokens";

/// The identifier in the path of a request, as text.
type IdPath = Result<Path<String>, PathRejection>;

/// Makes the routes.
pub(super) fn routes() -> Router<Arc<Shared>> {
    Router::new().route(PATH, get(list).post(create)).route("/v1/tokens/{id}", get(read).delete(delete))
}

/// A token as clients see it.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct View<'a> {
    token_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<&'a str>,
    scopes: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    expires: Option<String>,
    /// Its text, when it is created.
    #[serde(skip_serializing_if = "Option::is_none")]
    token: Option<String>,
}

/// Shows a token, without what makes it one.
pub(super) fn view(token: &Token) -> View<'_> {
    View {
        token_id: token.id.as_str(),
        description: token.description.as_deref(),
        scopes: token.scopes.iter().map(ToString::to_string).collect(),
        expires: token.expires.map(time::format),
        token: None,
    }
}

async fn list(
    State(shared): State<Arc<Shared>>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let _place = shared.configuration_room.enter()?;
    media::refuse_other_answers(&headers)?;
    let query = query.as_deref().unwrap_or_default();
    let page = Page::read(query)?;
    let state = shared.flow.configuration();
    conditions::answered(&headers, state.position(), || {
        let (response, next) =
            page.write(LIST, state.catalog().tokens(), |token| token.id.as_str(), |token| view(token));
        paging::with_next(response, PATH, query, next)
    })
}

async fn read(State(shared): State<Arc<Shared>>, path: IdPath, headers: HeaderMap) -> Result<Response, Problem> {
    let _place = shared.configuration_room.enter()?;
    let Path(id) = path?;
    media::refuse_other_answers(&headers)?;
    let state = shared.flow.configuration();
    let version = state.version(&system_space(), Target::Item(Resource::Token, &id));
    let (Some(token), Some(version)) = (state.catalog().token(&id), version) else {
        return Err(CatalogError::not_found(Resource::Token, id).into());
    };
    conditions::answered(&headers, version, || answer::json(StatusCode::OK, &view(token)))
}

async fn create(State(shared): State<Arc<Shared>>, request: Request) -> Result<Response, Problem> {
    let mut place = shared.configuration_room.enter()?;
    let intent = Intent::with_body(&request)?;
    let body = shared.read_configuration_body(request.into_body(), &mut place).await?;
    let draft = draft(&body, shared.clock.now()).map_err(invalid)?;
    let id = TokenId::parse(&shared.ids.unique().replace('-', ""));
    let id = id.ok_or_else(|| Problem::internal("an identifier is none for a token"))?;
    let text = token::text(&id, shared.ids.secret());
    let made = draft.check(id, token::hash(&text))?;
    let done = intent.carry_out(&shared.flow, &system_space(), Command::CreateToken(made)).await?;
    let ChangeKind::TokenCreated(made) = &done.change.kind else {
        return Err(Problem::internal("a change of the catalog is another one than was asked for"));
    };
    // That of a token which was not made would be worth nothing.
    let shown = View { token: done.is_made().then_some(text), ..view(made) };
    let mut response = done.tagged(answer::json(StatusCode::CREATED, &shown));
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(response)
}

async fn delete(State(shared): State<Arc<Shared>>, path: IdPath, request: Request) -> Result<Response, Problem> {
    let _place = shared.configuration_room.enter()?;
    let Path(id) = path?;
    let intent = Intent::of(&request)?;
    let done = intent.carry_out(&shared.flow, &system_space(), Command::DeleteToken(id)).await?;
    Ok(done.receipted(answer::empty(StatusCode::NO_CONTENT)))
}

fn invalid(detail: Detail) -> CatalogError {
    CatalogError::invalid(Resource::Token, detail)
}

/// Reads what a client wrote. A token that is worth nothing from the beginning is a mistake.
fn draft(body: &Bytes, now: Timestamp) -> Result<TokenDraft, Detail> {
    let mut fields = Fields::read(utf8(body)?, "")?;
    let expires = fields.optional("expires")?.map(|text| {
        let read = time::parse(&text).map_err(|error| error.to_string());
        let later = read.and_then(|time| if time > now { Ok(time) } else { Err("it has passed".into()) });
        later.map_err(|problem| Detail::new(format!("expires: {problem}"), "give a time that is to come (RFC 3339)"))
    });
    Ok(TokenDraft {
        description: fields.optional("description")?,
        scopes: fields.take("scopes")?.unwrap_or_default(),
        expires: expires.transpose()?,
    })
}
