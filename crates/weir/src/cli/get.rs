//! `weir get`: what a space has, as a table for people or as the JSON of the Configuration API.

mod shown;

use clap::Args;
use http::StatusCode;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value, value::RawValue};
use weir_domain::{ErrorKind, SpaceName};

use crate::{
    cli::{
        delete::where_to_look,
        output::{Exit, Failure, Output, Paint},
        resources::{Api, Kind, ServerArgs},
        space,
    },
    client::{Answer, ClientError},
    naming::noun,
};

pub(super) use shown::harmless;

/// Flags of `weir get`.
#[derive(Clone, Debug, Args)]
pub(crate) struct GetArgs {
    /// What kind of resources
    #[arg(value_name = "KIND", value_enum, ignore_case = true)]
    kind: Kind,
    /// Only this one: the name of an event type, the identifier of another, or "METHOD /path" for cors
    #[arg(value_name = "NAME")]
    name: Option<String>,
    /// Only those with this in their metadata, such as team=depot; may come several times
    #[arg(long, value_name = "KEY=VALUE", value_parser = metadata, conflicts_with = "name")]
    metadata: Vec<(String, String)>,
    /// The space to look at
    #[arg(long, value_name = "SPACE", default_value = "default", value_parser = space)]
    space: SpaceName,
    /// Which server.
    #[command(flatten)]
    server: ServerArgs,
}

fn metadata(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.is_empty() => Ok((key.to_owned(), value.to_owned())),
        _ => Err("write it as KEY=VALUE, such as team=depot".into()),
    }
}

/// Carries out the command.
pub(crate) async fn run(args: GetArgs, output: &Output) -> anyhow::Result<Exit> {
    let GetArgs { kind, name, metadata, space, server } = args;
    let api = Api::new(server, space).await?;
    match name {
        Some(name) => one(&api, kind, &name, output).await?,
        None => all(&api, kind, &metadata, output).await?,
    }
    Ok(Exit::Done)
}

async fn one(api: &Api, kind: Kind, name: &str, output: &Output) -> anyhow::Result<()> {
    let answer = match api.item(kind.resource(), &kind.id(name)).await {
        Err(ClientError::Refused { status: StatusCode::NOT_FOUND, .. }) => {
            let (noun, space) = (noun(kind.resource()), api.space());
            let message = format!("the space {space} has no {noun} {name:?}: {}", where_to_look(kind, api));
            return Err(Failure::new(ErrorKind::NotFound, message).into());
        }
        other => other?,
    };
    if output.is_json() {
        return verbatim(api, &answer, output);
    }
    let item: Value = serde_json::from_slice(&answer.body)
        .map_err(|error| api.unreadable(format!("it is no {}: {error}", noun(kind.resource()))))?;
    shown::item(&item, output)
}

async fn all(api: &Api, kind: Kind, metadata: &[(String, String)], output: &Output) -> anyhow::Result<()> {
    let answer = api.list(kind.resource(), &query(metadata)).await?;
    let items = api.items(kind.resource(), &answer)?;
    if output.is_json() {
        return verbatim(api, &answer, output);
    }
    if items.is_empty() {
        let which = if metadata.is_empty() { "" } else { " with this metadata" };
        let (noun, space) = (noun(kind.resource()), api.space());
        let text = format!("the space {space} has no {noun}{which}: is it the right --space?");
        output.note(Paint::Dim, text);
        return Ok(());
    }
    let items: Result<Vec<Value>, _> = items.iter().map(|item| serde_json::from_str(item.get())).collect();
    let items = items.map_err(|error| api.unreadable(format!("it has something that is not JSON: {error}")))?;
    Ok(output.table(&shown::table(kind, &items))?)
}

/// Prints the JSON of the server as it is, on one line.
fn verbatim(api: &Api, answer: &Answer, output: &Output) -> anyhow::Result<()> {
    let raw: &RawValue =
        serde_json::from_slice(&answer.body).map_err(|error| api.unreadable(format!("it is not JSON: {error}")))?;
    Ok(output.line(shown::harmless(raw.get()))?)
}

fn query(metadata: &[(String, String)]) -> String {
    let pairs = metadata.iter().map(|(key, value)| {
        let (key, value) = (utf8_percent_encode(key, NON_ALPHANUMERIC), utf8_percent_encode(value, NON_ALPHANUMERIC));
        format!("metadata.{key}={value}")
    });
    let pairs: Vec<String> = pairs.collect();
    if pairs.is_empty() { String::new() } else { format!("?{}", pairs.join("&")) }
}
