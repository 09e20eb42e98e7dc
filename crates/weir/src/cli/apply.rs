//! `weir apply`: makes a space of a running server what a manifest or a JSON file says.
//!
//! What is different is found with the same comparison as in `weir dev`, in the same order, and each part is asked for
//! by a request of its own: they are not one transaction. What is refused is told, and the others are still done, but
//! once something was refused nothing is deleted any more.

mod members;
mod plan;
mod source;

use std::path::PathBuf;

use clap::Args;
use serde_json::{Value, json};
use weir_domain::SpaceName;
use weir_gateway::wire::Components;

use crate::{
    cli::{
        output::{Exit, Output, Paint, Table, clip, ending},
        resources::{Api, ServerArgs},
        space,
    },
    client::ClientError,
    naming::{Action, noun},
};

use plan::{Outcome, Plan, Step};
use source::Declared;

/// Flags of `weir apply`.
#[derive(Clone, Debug, Args)]
pub(crate) struct ApplyArgs {
    /// The directory of a weir.toml, a manifest, a JSON file, or - for JSON from standard input
    #[arg(value_name = "FILE|DIR", default_value = ".")]
    source: PathBuf,
    /// The space to change [default: the one that the manifest names, else default]
    #[arg(long, value_name = "SPACE", value_parser = space)]
    space: Option<SpaceName>,
    /// Show what would be done, and do nothing
    #[arg(long)]
    dry_run: bool,
    /// Delete what the space has and the source does not name
    #[arg(long)]
    prune: bool,
    /// Which server.
    #[command(flatten)]
    server: ServerArgs,
}

/// Carries out the command.
pub(crate) async fn run(args: ApplyArgs, output: &Output) -> anyhow::Result<Exit> {
    let Declared { space, desired } = source::read(&args.source)?;
    let api = Api::new(args.server, args.space.unwrap_or(space)).await?;
    let present = api.present(&Components::of(&desired.functions)).await?;
    let mut plan = Plan::new(present.space_or_empty(api.space()), desired, args.prune);
    let failure = if args.dry_run { None } else { carry_out(&mut plan, &api).await };
    let shown = show(&plan, api.space(), args.dry_run, output);
    match failure {
        Some(error) => Err(error.into()),
        None => ending(if plan.has_failed() { Exit::Findings } else { Exit::Done }, shown),
    }
}

/// Does one step after another; returns what ended it early.
async fn carry_out(plan: &mut Plan, api: &Api) -> Option<ClientError> {
    let mut has_failed = false;
    let mut held: Vec<String> = Vec::new();
    for step in &mut plan.steps {
        let Some(command) = &step.command else { continue };
        // What stands in for it may be what has failed. And what is made again cannot be while it is there.
        let is_held = (has_failed && step.action == Action::Delete) || held.contains(&step.name.id);
        if is_held {
            held.push(step.name.id.clone());
            step.outcome = Outcome::Held;
            continue;
        }
        match api.change(command).await {
            Ok(position) => step.outcome = Outcome::Done(position),
            Err(ClientError::Refused { message, .. }) => {
                has_failed = true;
                step.outcome = Outcome::Failed(message);
            }
            Err(error) => {
                if !matches!(error, ClientError::NoServer { .. }) {
                    step.outcome = Outcome::Unknown;
                }
                return Some(error);
            }
        }
    }
    None
}

fn show(plan: &Plan, space: &SpaceName, is_dry: bool, output: &Output) -> anyhow::Result<()> {
    let mut steps: Vec<&Step> = plan.steps.iter().collect();
    // By kind and name; of what is deleted and made again, in the order in which it was done.
    steps.sort_by(|a, b| a.name.order().cmp(&b.name.order()));
    if output.is_json() {
        let changes: Vec<Value> = steps.iter().map(|step| as_json(step, is_dry)).collect();
        let space = space.as_str();
        return Ok(
            output.json(&json!({ "space": space, "dryRun": is_dry, "changes": changes, "others": plan.others }))?
        );
    }
    if !steps.is_empty() {
        let mut table = Table::with_heading(&["result", "kind", "name", "position", "note"]);
        for step in &steps {
            let (word, paint) = result(step, is_dry);
            let position = match &step.outcome {
                Outcome::Done(Some(position)) => position.to_string(),
                _ => String::new(),
            };
            table.row([
                (word.to_owned(), paint),
                (noun(step.name.kind).to_owned(), Paint::Plain),
                (clip(&step.name.shown, usize::MAX), Paint::Strong),
                (position, Paint::Dim),
                (step.remark().unwrap_or_default().to_owned(), Paint::Dim),
            ]);
        }
        output.table(&table)?;
    }
    for step in &steps {
        if let Outcome::Failed(message) = &step.outcome {
            output.note(Paint::Bad, format!("failed: {} {}: {message}", noun(step.name.kind), step.name.shown));
        }
    }
    output.line(summary(&steps, space, is_dry))?;
    if plan.others > 0 {
        let others = plan.others;
        output.note(
            Paint::Dim,
            format!("the space has {others} more that the source does not name: --prune deletes them"),
        );
    }
    Ok(())
}

/// Counts the results, in the order in which they come first.
fn summary(steps: &[&Step], space: &SpaceName, is_dry: bool) -> String {
    let mut counts: Vec<(&str, usize)> = Vec::new();
    for step in steps {
        let (word, _) = result(step, is_dry);
        match counts.iter_mut().find(|(known, _)| *known == word) {
            Some((_, count)) => *count += 1,
            None => counts.push((word, 1)),
        }
    }
    // Of what is planned, the word is that of the command: 7 to create, where 7 created are done.
    let is_planned = |word: &str| is_dry && ["create", "update", "delete"].contains(&word);
    let part = |(word, count): &(&str, usize)| format!("{count} {}{word}", if is_planned(word) { "to " } else { "" });
    let parts: Vec<String> = counts.iter().map(part).collect();
    let what = if parts.is_empty() { "nothing to do".to_owned() } else { parts.join(", ") };
    let how = if is_dry { " (dry run, nothing was done)" } else { "" };
    format!("space {space}: {what}{how}")
}

fn as_json(step: &Step, is_dry: bool) -> Value {
    let (word, _) = result(step, is_dry);
    let mut row = json!({ "result": word, "kind": noun(step.name.kind), "name": step.name.shown, "id": step.name.id });
    match &step.outcome {
        Outcome::Done(position) => row["position"] = json!(position),
        Outcome::Failed(message) => row["error"] = json!(message),
        Outcome::Planned | Outcome::Held | Outcome::Unknown => {}
    }
    if let Some(remark) = step.remark() {
        row["note"] = json!(remark);
    }
    row
}

/// Says in a word what became of a step, or what is to become of it.
fn result(step: &Step, is_dry: bool) -> (&'static str, Paint) {
    match (&step.outcome, step.action) {
        (_, Action::Keep) => ("unchanged", Paint::Dim),
        (Outcome::Planned, Action::Create) if is_dry => ("create", Paint::Good),
        (Outcome::Planned, Action::Update) if is_dry => ("update", Paint::Warn),
        (Outcome::Planned, Action::Delete) if is_dry => ("delete", Paint::Bad),
        (Outcome::Planned | Outcome::Held, _) => ("not done", Paint::Warn),
        (Outcome::Done(_), Action::Create) => ("created", Paint::Good),
        (Outcome::Done(_), Action::Update) => ("updated", Paint::Good),
        (Outcome::Done(_), Action::Delete) => ("deleted", Paint::Warn),
        (Outcome::Failed(_), _) => ("failed", Paint::Bad),
        (Outcome::Unknown, _) => ("unknown", Paint::Bad),
    }
}
