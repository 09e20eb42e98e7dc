//! `weir replay`: history to one subscription once more, through the Configuration API. The server delivers it; what stands
//! here says before what that would do, and shows meanwhile how far it is.

mod following;
mod shown;

use std::time::Duration;

use anyhow::Context;
use bytes::Bytes;
use clap::{Args, value_parser};
use http::{Method, StatusCode};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Map, Value, json};
use weir_catalog::limits;
use weir_domain::{Ids, SpaceName};

use crate::{
    cli::{
        output::{Exit, Failure, Output, Paint, ending},
        resources::{Api, ServerArgs},
        space,
        status::{Named, find, path_of, read},
    },
    client::{Backoff, Client},
};

use following::Following;
pub(super) use shown::Replay;
use shown::{Plan, show_plan, told_of};

/// How long one answer may take: events are counted for it.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(60);

/// How the command is used.
pub(crate) const EXAMPLES: &str = "Examples:\n  weir replay invoice --from 3d --dry-run\n  \
    weir replay invoice --from 2026-01-31T12:00:00Z --to 1d --filter '{\"exact\":{\"subject\":\"customer-7\"}}'\n  \
    weir replay invoice --from earliest --as second-attempt --rate 100\n  \
    weir replay invoice --status ID\n  weir replay invoice --cancel ID\n\n\
    Events come in the order of their keys, with the extension weirreplay. What is new waits until the replay is over: \
    nothing is left out, and nothing comes twice. What the function returns is refused as a duplicate of the first time, \
    unless --as names a derivation of its own. Ctrl-C leaves the replay alone: the server carries it out, whatever happens \
    to it meanwhile.\n\nEnds with 1 where events were given up, or somebody cancelled it.";

/// What says how a replay is begun.
const OF_BEGINNING: [&str; 8] = ["from", "to", "filter", "rate", "derivation", "with_effects", "dry_run", "detach"];

/// Flags of `weir replay`.
#[derive(Clone, Debug, Args)]
pub(crate) struct ReplayArgs {
    /// The subscription: its identifier, or its function where that has no other async one
    #[arg(value_name = "SUBSCRIPTION|FUNCTION")]
    name: String,
    /// Where to begin: earliest, a position, a time (RFC 3339), or how long ago that is, such as 3d or 12h30m
    #[arg(long, value_name = "PLACE", required_unless_present_any = ["status", "cancel"])]
    from: Option<String>,
    /// Where to end, in the same forms [default: where the subscription stands]
    #[arg(long, value_name = "PLACE")]
    to: Option<String>,
    /// Which events of these, as a filter of a subscription: JSON
    #[arg(long, value_name = "JSON", value_parser = filter)]
    filter: Option<Value>,
    /// The most events a second
    #[arg(long, value_name = "N", value_parser = value_parser!(u32).range(1..=i64::from(limits::RATE_MAX)))]
    rate: Option<u32>,
    /// The name of a derivation: what the function returns is new under it
    #[arg(long = "as", value_name = "RUN")]
    derivation: Option<String>,
    /// Call functions outside of the server as well: those at a URL, and resources of AWS
    #[arg(long)]
    with_effects: bool,
    /// Only say what it would do
    #[arg(long)]
    dry_run: bool,
    /// Begin it, and do not wait for its end
    #[arg(long, conflicts_with = "dry_run")]
    detach: bool,
    /// Say how far this replay is instead of beginning one
    #[arg(long, value_name = "ID", conflicts_with_all = OF_BEGINNING, conflicts_with = "cancel")]
    status: Option<String>,
    /// Cancel this replay instead of beginning one
    #[arg(long, value_name = "ID", conflicts_with_all = OF_BEGINNING)]
    cancel: Option<String>,
    /// The space of the subscription
    #[arg(long, value_name = "SPACE", default_value = "default", value_parser = space)]
    space: SpaceName,
    /// Which server.
    #[command(flatten)]
    server: ServerArgs,
}

fn filter(text: &str) -> Result<Value, String> {
    serde_json::from_str(text)
        .map_err(|error| format!("write it as JSON, such as {{\"exact\":{{\"type\":\"a\"}}}}: {error}"))
}

/// Carries out the command.
pub(crate) async fn run(args: ReplayArgs, output: &Output, ids: &dyn Ids) -> anyhow::Result<Exit> {
    let api = Api::new(args.server.clone(), args.space.clone()).await?;
    let named = find(&api, &args.name).await?;
    let replays = Replays { client: api.client(), path: format!("{}/replays", path_of(&api, &named.id)) };
    if let Some(id) = &args.status {
        return look(&replays, id, output).await;
    }
    if let Some(id) = &args.cancel {
        return cancel(&replays, id, output).await;
    }
    begin(&replays, &named, &args, output, ids).await
}

/// The replays of one subscription.
struct Replays<'a> {
    client: &'a Client,
    path: String,
}

impl Replays<'_> {
    fn of(&self, id: &str) -> String {
        format!("{}/{}", self.path, utf8_percent_encode(id, NON_ALPHANUMERIC))
    }

    /// Asks what the server makes of a request for a replay.
    async fn ask(&self, request: &Map<String, Value>, is_rehearsal: bool) -> anyhow::Result<Value> {
        let (query, expected) = if is_rehearsal { ("?dryRun=true", StatusCode::OK) } else { ("", StatusCode::CREATED) };
        let body = Bytes::from(serde_json::to_vec(request)?);
        let path = format!("{}{query}", self.path);
        let answer = self.client.request(Method::POST, &path, body, ANSWER_TIMEOUT).await?;
        Ok(read(self.client, &answer, expected)?)
    }

    fn understood<T: for<'de> serde::Deserialize<'de>>(&self, told: &Value) -> anyhow::Result<T> {
        let told = T::deserialize(told);
        told.map_err(|error| self.client.unreadable(error.to_string()).into())
    }
}

async fn look(replays: &Replays<'_>, id: &str, output: &Output) -> anyhow::Result<Exit> {
    let answer = replays.client.get(&replays.of(id), ANSWER_TIMEOUT).await?;
    tell(replays, &read(replays.client, &answer, StatusCode::OK)?, output)
}

async fn cancel(replays: &Replays<'_>, id: &str, output: &Output) -> anyhow::Result<Exit> {
    let answer = replays.client.delete(&replays.of(id), ANSWER_TIMEOUT).await?;
    tell(replays, &read(replays.client, &answer, StatusCode::OK)?, output)
}

fn tell(replays: &Replays<'_>, told: &Value, output: &Output) -> anyhow::Result<Exit> {
    if output.is_json() {
        output.json(told)?;
        return Ok(Exit::Done);
    }
    replays.understood::<Replay>(told)?.show(output)?;
    Ok(Exit::Done)
}

/// What is asked for, as the server reads it.
fn request(args: &ReplayArgs) -> Map<String, Value> {
    let ReplayArgs { from, to, filter, rate, derivation, with_effects, .. } = args;
    let members = [
        ("from", from.as_ref().map(|it| json!(it))),
        ("to", to.as_ref().map(|it| json!(it))),
        ("filter", filter.clone()),
        ("rate", rate.map(|it| json!(it))),
        ("as", derivation.as_ref().map(|it| json!(it))),
        ("withEffects", with_effects.then_some(json!(true))),
    ];
    members.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect()
}

async fn begin(
    replays: &Replays<'_>,
    named: &Named,
    args: &ReplayArgs,
    output: &Output,
    ids: &dyn Ids,
) -> anyhow::Result<Exit> {
    let mut request = request(args);
    let told = replays.ask(&request, true).await?;
    let plan: Plan = replays.understood(&told)?;
    if !output.is_json() {
        show_plan(&plan, named, output)?;
    } else if args.dry_run {
        output.json(&told)?;
    }
    if args.dry_run {
        return Ok(Exit::Done);
    }
    if !plan.effects.is_empty() && !args.with_effects {
        let effects = told_of(&plan.effects);
        let message =
            format!("this would call what is outside of the server: {effects}; add --with-effects where you want that");
        return Err(Failure::invalid(message).into());
    }
    // What is begun is what was shown.
    request.extend([("from".to_owned(), json!(plan.from)), ("to".to_owned(), json!(plan.to))]);
    let told = replays.ask(&request, false).await?;
    let begun: Replay = replays.understood(&told)?;
    let how = How { name: &named.id, space: &args.space, server: args.server.flag(), replay: &begun.replay_id };
    if args.detach {
        if output.is_json() {
            output.json(&told)?;
        } else {
            output.line(format!("{} replay {}", output.paint(Paint::Good, "begun"), begun.replay_id()))?;
            output.note(Paint::Dim, how.told());
        }
        return Ok(Exit::Done);
    }
    let left = how.told();
    let path = replays.of(&begun.replay_id);
    let mut following = Following::new(replays.client, path, output, Backoff::new(&ids.unique()), &plan);
    let bar = following.bar();
    let ended = tokio::select! {
        ended = following.until_end(begun) => Some(ended),
        interrupted = tokio::signal::ctrl_c() => {
            interrupted.context("Ctrl-C cannot be waited for")?;
            None
        }
    };
    bar.finish_and_clear();
    match ended {
        None => {
            output.note(Paint::Warn, format!("the server goes on with it; {left}"));
            Ok(Exit::Done)
        }
        Some(ended) => {
            let ended = ended?;
            let shown = if output.is_json() { Ok(()) } else { ended.show(output) };
            ending(ended.exit(), shown)
        }
    }
}

/// By which commands somebody looks after a replay.
struct How<'a> {
    name: &'a str,
    space: &'a SpaceName,
    /// The flag for it.
    server: String,
    replay: &'a str,
}

impl How<'_> {
    fn told(&self) -> String {
        let Self { name, space, server, replay } = self;
        let space = if **space == SpaceName::default() { String::new() } else { format!(" --space {space}") };
        format!(
            "`weir replay {name}{space}{server} --status {replay}` tells how far it is, and the same with --cancel in \
             place of --status ends it"
        )
    }
}

#[cfg(test)]
mod tests;
