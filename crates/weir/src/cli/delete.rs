//! `weir delete`: takes resources of a space away, one after another. What cannot go is told, and the others go.

use clap::Args;
use http::StatusCode;
use serde_json::{Value, json};
use weir_catalog::Resource;
use weir_domain::{ErrorKind, SpaceName};

use crate::{
    cli::{
        output::{Exit, Output, Paint, clip, ending},
        resources::{Api, Kind, ServerArgs},
        space,
    },
    client::ClientError,
    naming::noun,
};

/// Flags of `weir delete`.
#[derive(Clone, Debug, Args)]
pub(crate) struct DeleteArgs {
    /// What kind of resources
    #[arg(value_name = "KIND", value_enum, ignore_case = true)]
    kind: Kind,
    /// Names of event types, identifiers of the others, or "METHOD /path" for cors
    #[arg(value_name = "NAME", required = true)]
    names: Vec<String>,
    /// The space to change
    #[arg(long, value_name = "SPACE", default_value = "default", value_parser = space)]
    space: SpaceName,
    /// Which server.
    #[command(flatten)]
    server: ServerArgs,
}

/// The most subscriptions that a command is made for.
const USERS_NAMED_MAX: usize = 20;

/// What became of one name: its receipt, or what the server said against it.
type Row = (String, Result<Option<u64>, String>);

/// Carries out the command.
pub(crate) async fn run(args: DeleteArgs, output: &Output) -> anyhow::Result<Exit> {
    let DeleteArgs { kind, names, space, server } = args;
    let api = Api::new(server, space).await?;
    let mut rows: Vec<Row> = Vec::new();
    let mut first_fault: Option<ErrorKind> = None;
    let mut failure = None;
    for name in names {
        match api.change(&kind.deletion(&name)).await {
            Ok(position) => rows.push((name, Ok(position))),
            Err(error) => {
                first_fault.get_or_insert(error.kind());
                match error {
                    ClientError::Refused { status: StatusCode::NOT_FOUND, .. } => {
                        let message = format!("the space {} has none: {}", api.space(), where_to_look(kind, &api));
                        rows.push((name, Err(message)));
                    }
                    ClientError::Refused { mut message, .. } => {
                        if let Some(command) = users(kind, &name, &api).await {
                            message.push_str(&format!("; {command} deletes what uses it"));
                        }
                        rows.push((name, Err(message)));
                    }
                    other => {
                        failure = Some(other);
                        break;
                    }
                }
            }
        }
    }
    let shown = show(kind, &rows, output);
    match failure {
        Some(error) => Err(error.into()),
        None => ending(first_fault.map_or(Exit::Done, Exit::Failed), shown),
    }
}

/// Says how to find what there is.
pub(super) fn where_to_look(kind: Kind, api: &Api) -> String {
    let (word, space) = (kind.word(), api.space());
    format!("`weir get {word} --space {space}` shows what is there")
}

/// Makes the command that deletes the subscriptions which name a resource. It completes a message that was told already:
/// where they cannot be read, there is none.
async fn users(kind: Kind, name: &str, api: &Api) -> Option<String> {
    let member = match kind {
        Kind::EventTypes => "eventType",
        Kind::Functions => "functionId",
        Kind::Subscriptions | Kind::Cors => return None,
    };
    let answer = api.list(Resource::Subscription, "").await.ok()?;
    let items = api.items(Resource::Subscription, &answer).ok()?;
    let ids = items.iter().filter_map(|item| {
        let item: Value = serde_json::from_str(item.get()).ok()?;
        if item[member] == name { item["subscriptionId"].as_str().map(str::to_owned) } else { None }
    });
    let ids: Vec<String> = ids.take(USERS_NAMED_MAX).collect();
    (!ids.is_empty()).then(|| format!("`weir delete sub --space {} {}`", api.space(), ids.join(" ")))
}

fn show(kind: Kind, rows: &[Row], output: &Output) -> anyhow::Result<()> {
    let noun = noun(kind.resource());
    if output.is_json() {
        let row = |(name, outcome): &Row| match outcome {
            Ok(position) => json!({ "kind": noun, "name": name, "result": "deleted", "position": position }),
            Err(message) => json!({ "kind": noun, "name": name, "result": "failed", "error": message }),
        };
        return Ok(output.json(&rows.iter().map(row).collect::<Vec<_>>())?);
    }
    for (name, outcome) in rows {
        let name = clip(name, usize::MAX);
        match outcome {
            Ok(position) => {
                let deleted = output.paint(Paint::Good, "deleted");
                let at = position.map(|position| format!(" at position {position}")).unwrap_or_default();
                output.line(format!("{deleted} {noun} {name}{at}"))?;
            }
            Err(message) => output.note(Paint::Bad, format!("not deleted: {noun} {name}: {message}")),
        }
    }
    Ok(())
}
