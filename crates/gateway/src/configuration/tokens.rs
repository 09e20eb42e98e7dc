//! Tokens: `/v1/tokens`, of the whole server.
//!
//! Creating one shows its text, once: what is kept is a hash. There is nothing to update: who needs other rights gets
//! another token. Deleting revokes a token at once, for every request that comes then.

use std::sync::Arc;

use axum::{
    extract::{Path, RawQuery, Request, State, rejection::PathRejection},
    response::Response,
};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, StatusCode, header::CACHE_CONTROL};
use serde::Serialize;
use serde_json::{Value, json};
use weir_catalog::{
    CatalogError, ChangeKind, Command, Detail, Resource, Scope, Target, Token, TokenId, draft::TokenDraft, limits,
};
use weir_cloudevents::time;
use weir_domain::Timestamp;
use weir_flow::system_space;

use super::{
    conditions,
    described::{self, AT_THE_DOOR, OF_BODIES},
    fields::Fields,
    intent::{DRY_RUN_NAME, Intent},
    media,
    paging::{self, Page},
    resource::utf8,
};
use crate::{
    answer,
    auth::token,
    gateway::Shared,
    openapi::{self, Answer, Endpoint, Member, Operation},
    problem::Problem,
};

/// The path of all tokens.
pub(super) const PATH: &str = "/v1/tokens";
/// The name of the list in an answer.
pub(super) const LIST: &str = "tokens";

/// The identifier in the path of a request, as text.
type IdPath = Result<Path<String>, PathRejection>;

/// The group of operations.
const TAG: &str = "Tokens";
/// The names of the schemas in the OpenAPI document.
const SCHEMA: &str = "Token";
const INPUT_SCHEMA: &str = "TokenInput";
const LIST_SCHEMA: &str = "TokenList";

/// What a client may write, and is shown again.
const MEMBERS: &[Member] = &[
    Member::new("description", || openapi::text("What it is for, for people.", limits::DESCRIPTION_BYTES_MAX)),
    Member::new("scopes", || {
        json!({
            "type": "array",
            "description": "What it gives the right to: `ACTION[@SPACE,…][/TYPE,…]`.",
            "items": {
                "type": "string",
                "maxLength": Scope::BYTES_MAX,
                "pattern": "^(config:read|config:write|emit|read|admin)(@[^/]+)?(/.+)?$",
            },
            "minItems": 1,
            "maxItems": limits::SCOPES_MAX,
        })
    }),
    Member::new("expires", || {
        let about = "From when on it is worth nothing, by RFC 3339; it must be to come. Without it, it stays until it is revoked.";
        json!({ "type": "string", "description": about, "format": "date-time" })
    }),
];

/// What a client is shown beside it.
const SHOWN: &[Member] = &[
    Member::new("tokenId", || openapi::text("Its identifier.", TokenId::BYTES_MAX)),
    Member::new("token", || {
        let about = "The text to send as `Authorization: Bearer …`. It is shown once, when the token is made.";
        json!({ "type": "string", "description": about, "pattern": "^weir_[a-z0-9-]+_" })
    }),
];

/// Makes the routes.
pub(super) fn endpoints() -> Vec<Endpoint> {
    const ONE: &str = "/v1/tokens/{id}";
    vec![
        Endpoint::get(PATH, list, told_of_list),
        Endpoint::post(PATH, create, told_of_create),
        Endpoint::get(ONE, read, told_of_read),
        Endpoint::delete(ONE, delete, told_of_delete),
    ]
}

/// Tells what the schemas are.
pub(super) fn schemas() -> Vec<(String, Value)> {
    let list = described::list_schema(LIST, SCHEMA, "The tokens of the server, in the order of their identifiers.");
    let output = openapi::object("A token.", SHOWN.iter().chain(MEMBERS), &["tokenId", "scopes"]);
    vec![
        (INPUT_SCHEMA.to_owned(), openapi::object("What a token is to be.", MEMBERS, &["scopes"])),
        (SCHEMA.to_owned(), output),
        (LIST_SCHEMA.to_owned(), list),
    ]
}

fn example() -> Value {
    json!({ "tokenId": "0f8e1c", "scopes": ["emit@shop/order.*"], "description": "the till" })
}

fn told_of_list() -> Operation {
    let answer = Answer::new("All tokens, or a page of them.").example(
        "application/json",
        openapi::reference(LIST_SCHEMA),
        json!({ (LIST): [example()] }),
    );
    let operation = Operation::new("listTokens", TAG, "List the tokens of the server")
        .about("Without what makes them tokens: the server keeps a hash only.");
    described::listing(operation, answer)
}

fn told_of_create() -> Operation {
    let mut made = example();
    made["token"] = json!("weir_0f8e1c_3s4h2kq0c7");
    let answer = Answer::new("It is made. This answer alone has its text.")
        .header(&openapi::CACHE_CONTROL)
        .optional_header(&openapi::ETAG)
        .optional_header(&openapi::POSITION)
        .example("application/json", openapi::reference(SCHEMA), made);
    let given = json!({ "scopes": ["emit@shop/order.*"], "description": "the till" });
    Operation::new("createToken", TAG, "Create a token")
        .about("A token cannot be changed: who needs other rights gets another one.")
        .shared(&[DRY_RUN_NAME, conditions::IF_MATCH_NAME, conditions::IF_NONE_MATCH_NAME])
        .json_body("What is to be made.", openapi::reference(INPUT_SCHEMA), given)
        .answer("201", answer)
        .problems(&[400, 409, 412, 500])
        .problems(&OF_BODIES)
        .problems(&AT_THE_DOOR)
}

fn told_of_read() -> Operation {
    let answer = Answer::new("What it is, without its text.").header(&openapi::ETAG).example(
        "application/json",
        openapi::reference(SCHEMA),
        example(),
    );
    Operation::new("getToken", TAG, "Read a token")
        .parameter(identifier())
        .shared(&[conditions::IF_MATCH_NAME, conditions::IF_NONE_MATCH_NAME])
        .answer("200", answer)
        .answer("304", described::not_modified())
        .problems(&[400, 404, 406, 412])
        .problems(&AT_THE_DOOR)
}

fn told_of_delete() -> Operation {
    Operation::new("deleteToken", TAG, "Revoke a token")
        .about("It is worth nothing for every request that comes then.")
        .parameter(identifier())
        .shared(&[DRY_RUN_NAME, conditions::IF_MATCH_NAME, conditions::IF_NONE_MATCH_NAME])
        .answer("204", Answer::new("It is revoked.").optional_header(&openapi::POSITION))
        .problems(&[400, 404, 412, 500])
        .problems(&AT_THE_DOOR)
}

fn identifier() -> Value {
    let id = Member::new("id", || openapi::text("The identifier of the token.", TokenId::BYTES_MAX));
    openapi::parameter("path", &id)
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
    let mut fields = Fields::read(utf8(body)?, "", MEMBERS)?;
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::configuration::fields::check_taken;

    #[test]
    fn every_member_that_is_told_of_is_read() {
        check_taken(MEMBERS, |text| draft(&Bytes::copy_from_slice(text.as_bytes()), Timestamp::default()).is_err());
    }
}
