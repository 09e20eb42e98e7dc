//! `weir explain`: why an event did or did not reach somebody, through the Configuration API.

mod shown;

use std::time::Duration;

use clap::Args;
use http::{StatusCode, header};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use weir_domain::SpaceName;

use crate::{
    cli::{
        get::harmless,
        output::{Exit, Output, Paint},
        resources::ServerArgs,
        space,
    },
    client::{Answer, Client, ClientError},
};

/// How long an answer may take: a million events may be looked through for it.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(120);

/// How the command is used.
pub(crate) const EXAMPLES: &str = "Examples:\n  weir explain 7f3a --source /shop\n  \
    weir explain @1203 --subscription bill\n  weir explain 7f3a --json\n\n\
    Without --source the newest million events are looked through for the id. A number that is no id is taken as a \
    position. What was routed where is worked out from the configuration as it was when the event came, so that it can \
    be asked about events of any age.";

/// Flags of `weir explain`.
#[derive(Clone, Debug, Args)]
pub(crate) struct ExplainArgs {
    /// The event: its id, or its position behind an @
    #[arg(value_name = "EVENT")]
    event: String,
    /// The source of the event, where others may have the same id: with it, it is found at once
    #[arg(long, value_name = "URI")]
    source: Option<String>,
    /// Only what this subscription made of it: its identifier, or its function
    #[arg(long, short = 'S', value_name = "ID|FUNCTION")]
    subscription: Option<String>,
    /// The space of the event
    #[arg(long, value_name = "SPACE", default_value = "default", value_parser = space)]
    space: SpaceName,
    /// Which server.
    #[command(flatten)]
    server: ServerArgs,
}

/// Carries out the command.
pub(crate) async fn run(args: ExplainArgs, output: &Output) -> anyhow::Result<Exit> {
    let client = args.server.client().await?;
    let mut answer = ask(&client, &args, &args.event).await?;
    let is_number = args.source.is_none() && !args.event.is_empty() && args.event.bytes().all(|b| b.is_ascii_digit());
    if answer.status == StatusCode::NOT_FOUND && is_number {
        let at = ask(&client, &args, &format!("@{}", args.event)).await?;
        if at.status == StatusCode::OK {
            output.note(Paint::Dim, format!("no event has the id {0}: this is the one at position {0}", args.event));
            answer = at;
        }
    }
    if answer.status != StatusCode::OK {
        return Err(client.refused(&answer).into());
    }
    if output.is_json() {
        let text = String::from_utf8_lossy(&answer.body);
        output.line(harmless(&text))?;
        return Ok(Exit::Done);
    }
    let told = serde_json::from_slice(&answer.body).map_err(|error| client.unreadable(error.to_string()))?;
    shown::explanation(&told, args.subscription.is_some(), output)?;
    Ok(Exit::Done)
}

async fn ask(client: &Client, args: &ExplainArgs, event: &str) -> Result<Answer, ClientError> {
    let escaped = |text: &str| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
    let parameters = [("source", &args.source), ("subscription", &args.subscription)];
    let parameters: Vec<String> = parameters
        .into_iter()
        .filter_map(|(name, value)| Some(format!("{name}={}", escaped(value.as_deref()?))))
        .collect();
    let query = if parameters.is_empty() { String::new() } else { format!("?{}", parameters.join("&")) };
    let path = format!("/v1/spaces/{}/events/{}/explain{query}", args.space, escaped(event));
    let answer = client.get(&path, ANSWER_TIMEOUT).await?;
    // A Configuration API says in JSON that it has no such event.
    let is_json = answer.header(header::CONTENT_TYPE.as_str()) == Some("application/json");
    if matches!(answer.status, StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED) && !is_json {
        return Err(client.unreadable(format!("it explains no events ({})", answer.status)));
    }
    Ok(answer)
}
