//! `weir delete`: takes resources of a space away, one after another. What cannot go is told, and the others go.

use clap::Args;
use http::StatusCode;
use serde_json::json;
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
                    ClientError::Refused { status: StatusCode::NOT_FOUND, message, .. } => {
                        rows.push((name, Err(format!("{message}; {}", where_to_look(kind, &api)))));
                    }
                    ClientError::Refused { message, .. } => rows.push((name, Err(message))),
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
