//! `weir token`: makes, lists and revokes tokens through the Configuration API.

use std::time::Duration;

use bytes::Bytes;
use clap::{Args, Subcommand, value_parser};
use http::StatusCode;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::{Deserialize, Serialize};
use weir_catalog::{Scope, limits};
use weir_cloudevents::time;
use weir_domain::{Clock, Timestamp};

use crate::{
    cli::{
        output::{Exit, Output, Paint, Table},
        resources::ServerArgs,
    },
    client::{Answer, Client},
};

const PATH: &str = "/v1/tokens";

/// How long an answer may take.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(30);

const DAY_MICROS: u64 = 24 * 60 * 60 * 1_000_000;

/// What can be done with tokens.
#[derive(Clone, Debug, Subcommand)]
pub(crate) enum TokenCommand {
    /// Make a token and print it, once: the server keeps only its hash
    #[command(after_help = "Examples:\n  weir token create --scope admin > operator.token\n  \
                            weir token create --scope 'emit@shop/order.*' --scope read@shop --days 90 --description 'the till'\n\n\
                            A scope is ACTION[@SPACE,…][/TYPE,…]: config:read, config:write, emit, read or admin; without \
                            spaces in all of them, without event types for all of them.")]
    Create(TokenCreateArgs),
    /// List the tokens, without what makes them tokens
    #[command(after_help = "Example: weir token list --token-file operator.token")]
    List(ServerArgs),
    /// Take a token away, at once
    #[command(after_help = "Example: weir token revoke 0f8e1c")]
    Revoke(TokenRevokeArgs),
}

/// Flags of `weir token create`.
#[derive(Clone, Debug, Args)]
pub(crate) struct TokenCreateArgs {
    /// What the token gives a right to; may come several times
    #[arg(long = "scope", value_name = "SCOPE", required = true, value_parser = Scope::parse)]
    scopes: Vec<Scope>,
    /// What it is for
    #[arg(long, value_name = "TEXT")]
    description: Option<String>,
    /// After how many days it is worth nothing [default: never]
    #[arg(long, value_name = "N", value_parser = value_parser!(u32).range(1..=36_500))]
    days: Option<u32>,
    /// Which server, and who asks.
    #[command(flatten)]
    server: ServerArgs,
}

/// Flags of `weir token revoke`.
#[derive(Clone, Debug, Args)]
pub(crate) struct TokenRevokeArgs {
    /// The identifier of the token, which `weir token list` shows
    #[arg(value_name = "ID")]
    id: String,
    /// Which server, and who asks.
    #[command(flatten)]
    server: ServerArgs,
}

/// Carries out the command.
pub(crate) async fn run(command: TokenCommand, output: &Output, clock: &dyn Clock) -> anyhow::Result<Exit> {
    match command {
        TokenCommand::Create(args) => create(&args, output, clock).await?,
        TokenCommand::List(args) => list(&args, output).await?,
        TokenCommand::Revoke(args) => revoke(&args, output).await?,
    }
    Ok(Exit::Done)
}

#[derive(Serialize)]
struct New<'a> {
    scopes: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    expires: Option<String>,
}

/// A token as the server shows it.
#[derive(Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
struct Shown {
    token_id: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    description: Option<String>,
    scopes: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    expires: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    token: Option<String>,
}

#[derive(Deserialize)]
struct Tokens {
    tokens: Vec<Shown>,
}

async fn create(args: &TokenCreateArgs, output: &Output, clock: &dyn Clock) -> anyhow::Result<()> {
    let expires = args.days.map(|days| {
        let until = clock.now().unix_micros() + u64::from(days) * DAY_MICROS;
        time::format(Timestamp::from_unix_micros(until))
    });
    let scopes = args.scopes.iter().map(ToString::to_string).collect();
    let body = serde_json::to_vec(&New { scopes, description: args.description.as_deref(), expires })?;
    let client = args.server.client().await?;
    let headers = [("content-type", "application/json")];
    let answer = client.post(PATH, &headers, Bytes::from(body), ANSWER_TIMEOUT).await?;
    let shown: Shown = read(&client, &answer, StatusCode::CREATED)?;
    if output.is_json() {
        output.json(&shown)?;
        return Ok(());
    }
    let Some(token) = &shown.token else { return Err(client.unreadable("it has no token").into()) };
    // The token alone is the result, so that it can be written to a file.
    output.line(token)?;
    output.note(Paint::Dim, format!("made {}: keep it, it is not shown again", shown.token_id));
    Ok(())
}

async fn list(server: &ServerArgs, output: &Output) -> anyhow::Result<()> {
    let client = server.client().await?;
    let (mut tokens, mut path) = (Vec::new(), PATH.to_owned());
    loop {
        let answer = client.get(&path, ANSWER_TIMEOUT).await?;
        let page: Tokens = read(&client, &answer, StatusCode::OK)?;
        let Some(next) = client.next_page(&answer, PATH)? else {
            tokens.extend(page.tokens);
            break;
        };
        if page.tokens.is_empty() || tokens.len() > limits::ITEMS_MAX {
            return Err(client.unreadable("its list has no end").into());
        }
        tokens.extend(page.tokens);
        path = next;
    }
    if output.is_json() {
        output.json(&tokens)?;
        return Ok(());
    }
    let mut table = Table::with_heading(&["id", "scopes", "expires", "description"]);
    for Shown { token_id, description, scopes, expires, .. } in tokens {
        table.row([
            (token_id, Paint::Strong),
            (scopes.join(" "), Paint::Plain),
            (expires.unwrap_or_else(|| "never".into()), Paint::Plain),
            (description.unwrap_or_default(), Paint::Dim),
        ]);
    }
    output.table(&table)?;
    Ok(())
}

async fn revoke(args: &TokenRevokeArgs, output: &Output) -> anyhow::Result<()> {
    let client = args.server.client().await?;
    let id = utf8_percent_encode(&args.id, NON_ALPHANUMERIC);
    let answer = client.delete(&format!("{PATH}/{id}"), ANSWER_TIMEOUT).await?;
    if answer.status != StatusCode::NO_CONTENT {
        return Err(client.refused(&answer).into());
    }
    if output.is_json() {
        output.json(&serde_json::json!({ "revoked": args.id }))?;
    } else {
        output.note(Paint::Good, format!("revoked {}", args.id));
    }
    Ok(())
}

fn read<T: for<'de> Deserialize<'de>>(client: &Client, answer: &Answer, expected: StatusCode) -> anyhow::Result<T> {
    match answer.status {
        status if status == expected => {}
        // A Configuration API has tokens, if only none.
        StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED => {
            return Err(client.unreadable(format!("it has no tokens ({})", answer.status)).into());
        }
        _ => return Err(client.refused(answer).into()),
    }
    Ok(serde_json::from_slice(&answer.body).map_err(|error| client.unreadable(error.to_string()))?)
}
