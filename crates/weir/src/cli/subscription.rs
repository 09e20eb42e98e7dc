//! `weir subscription`: pauses, resumes and drains a subscription through the Configuration API.

use clap::{Args, Subcommand};
use http::StatusCode;
use serde_json::json;
use weir_catalog::{Activity, Command};
use weir_domain::{ErrorKind, SpaceName};

use crate::{
    cli::{
        delete::where_to_look,
        output::{Exit, Failure, Output, Paint, clip},
        resources::{Api, Kind, ServerArgs},
        space,
    },
    client::ClientError,
};

/// What can be done with a subscription.
#[derive(Clone, Debug, Subcommand)]
pub(crate) enum SubscriptionCommand {
    /// Finish the calls in flight and deliver nothing further; what comes waits in the log
    #[command(after_help = "Example: weir subscription pause YXN5bmMscGFyY2VsLnNlbnQsbm90aWNlLCUyRixQT1NU\n\n\
                            `weir get subscriptions` shows identifiers and what is paused.")]
    Pause(SubscriptionArgs),
    /// Go on where it stands, with all that came meanwhile
    #[command(after_help = "Example: weir subscription resume YXN5bmMscGFyY2VsLnNlbnQsbm90aWNlLCUyRixQT1NU")]
    Resume(SubscriptionArgs),
    /// Deliver what stands in the log now, and nothing further
    #[command(after_help = "Example: weir subscription drain YXN5bmMscGFyY2VsLnNlbnQsbm90aWNlLCUyRixQT1NU")]
    Drain(SubscriptionArgs),
}

/// Which subscription.
#[derive(Clone, Debug, Args)]
pub(crate) struct SubscriptionArgs {
    /// The identifier of the subscription, the column id of `weir get subscriptions`
    #[arg(value_name = "ID")]
    id: String,
    /// The space to change
    #[arg(long, value_name = "SPACE", default_value = "default", value_parser = space)]
    space: SpaceName,
    /// Which server.
    #[command(flatten)]
    server: ServerArgs,
}

/// Carries out the command.
pub(crate) async fn run(command: SubscriptionCommand, output: &Output) -> anyhow::Result<Exit> {
    let (args, activity, done) = match command {
        SubscriptionCommand::Pause(args) => (args, Activity::Paused, "paused"),
        SubscriptionCommand::Resume(args) => (args, Activity::Active, "resumed"),
        SubscriptionCommand::Drain(args) => (args, Activity::Draining, "draining"),
    };
    let SubscriptionArgs { id, space, server } = args;
    let api = Api::new(server, space).await?;
    let position = match api.change(&Command::SetActivity { id: id.clone(), activity }).await {
        Err(ClientError::Refused { status: StatusCode::NOT_FOUND, .. }) => {
            let (space, cure) = (api.space(), where_to_look(Kind::Subscriptions, &api));
            let message = format!("the space {space} has no subscription {id:?}: {cure}");
            return Err(Failure::new(ErrorKind::NotFound, message).into());
        }
        other => other?,
    };
    if output.is_json() {
        output.json(&json!({ "kind": "subscription", "name": id, "result": done, "position": position }))?;
        return Ok(Exit::Done);
    }
    let at = position.map(|position| format!(" at position {position}")).unwrap_or_default();
    output.line(format!("{} subscription {}{at}", output.paint(Paint::Good, done), clip(&id, usize::MAX)))?;
    Ok(Exit::Done)
}
