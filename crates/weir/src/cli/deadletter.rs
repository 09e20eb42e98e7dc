//! `weir deadletter`: looks at deliveries that were given up and decides about them, through the Configuration API.

mod args;
mod deciding;
mod diff;
mod patch;
mod shown;

use std::time::Duration;

use clap::Subcommand;
use http::StatusCode;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use weir_domain::{Clock, ErrorKind, SpaceName};

use crate::{
    cli::{
        get::harmless,
        output::{Exit, Output, Paint, clean, kind_of},
        resources,
        status::find,
    },
    client::{Answer, Client, ClientError},
};
use args::{DiscardArgs, ListArgs, OneArgs, PatchArgs, RedriveArgs, State, WhereArgs};

/// How long an answer may take.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(60);
/// How many pages of a list are asked for: a server whose list has no end is none.
const PAGES_MAX: usize = 100_000;

/// What can be done with dead letters.
#[derive(Clone, Debug, Subcommand)]
pub(crate) enum DeadletterCommand {
    /// List deliveries that were given up
    #[command(after_help = "Examples:\n  weir deadletter list\n  \
                            weir deadletter list --type order.placed --state all --json")]
    List(ListArgs),
    /// Show one, with its attempts and its event
    #[command(after_help = "Example: weir deadletter show 17")]
    Show(OneArgs),
    /// Show what patches changed of its event
    #[command(after_help = "Example: weir deadletter diff 17")]
    Diff(OneArgs),
    /// Give its event another form, in which it is delivered when it is redriven
    #[command(after_help = "Examples:\n  weir deadletter patch 17 --set data.price=3 --set data.note=null\n  \
                            weir deadletter patch 17 --merge '{\"data\":{\"price\":3}}'\n  \
                            weir deadletter patch 17 --event @event.json\n\n\
                            Identifier, source, type and key stay as they are, and the data must fit the schema of the type.")]
    Patch(PatchArgs),
    /// Have some delivered again, before what waits of their keys
    #[command(after_help = "Examples:\n  weir deadletter redrive 17 18\n  \
                            weir deadletter redrive --type order.placed\n  weir deadletter redrive --all\n\n\
                            Each is redriven once; where that fails again, there is a new one. Ends with 1 where some of a \
                            selection could not be delivered by anybody.")]
    Redrive(RedriveArgs),
    /// Give some up for good; keys that they hold go on
    #[command(after_help = "Examples:\n  weir deadletter discard 17 --reason 'the order was cancelled'\n  \
                            weir deadletter discard --key customer-7")]
    Discard(DiscardArgs),
}

/// Carries out the command.
pub(crate) async fn run(command: DeadletterCommand, output: &Output, clock: &dyn Clock) -> anyhow::Result<Exit> {
    match command {
        DeadletterCommand::List(args) => list(args, output, clock).await,
        DeadletterCommand::Show(args) => show(args, output).await,
        DeadletterCommand::Diff(args) => diff(args, output).await,
        DeadletterCommand::Patch(args) => patch::run(args, output).await,
        DeadletterCommand::Redrive(args) => deciding::redrive(args, output).await,
        DeadletterCommand::Discard(args) => deciding::discard(args, output).await,
    }
}

/// A dead letter as the server shows it.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Letter {
    position: u64,
    time: String,
    state: String,
    decided_at: Option<u64>,
    subscription_id: String,
    function_id: String,
    event: EventName,
    key: Option<String>,
    held: bool,
    attempts: u64,
    error: String,
    cause: Option<String>,
    status: Option<u16>,
    redriven: Option<u64>,
    replay_id: Option<String>,
    history: Option<Vec<Attempt>>,
    original: Option<Box<RawValue>>,
    patched: Option<Box<RawValue>>,
    patched_at: Option<u64>,
}

/// By what an event is known.
#[derive(Debug, Deserialize)]
struct EventName {
    id: String,
    source: String,
    #[serde(rename = "type")]
    event_type: String,
    position: u64,
}

/// One attempt of a delivery.
#[derive(Debug, Deserialize)]
struct Attempt {
    attempt: Option<u64>,
    time: Option<String>,
    cause: Option<String>,
    status: Option<u16>,
    error: Option<String>,
}

/// The dead letters of a space on a server.
struct Api {
    client: Client,
    space: SpaceName,
    list: String,
}

impl Api {
    async fn new(place: WhereArgs) -> anyhow::Result<Self> {
        let WhereArgs { space, server } = place;
        let list = format!("/v1/spaces/{space}/deadletters");
        Ok(Self { client: server.client().await?, space, list })
    }

    fn path(&self, position: u64) -> String {
        format!("{}/{position}", self.list)
    }

    /// Asks for one letter: as it came, and read.
    async fn letter(&self, position: u64) -> Result<(Answer, Letter), ClientError> {
        let answer = self.client.get(&self.path(position), ANSWER_TIMEOUT).await?;
        let letter = self.read(&answer)?;
        Ok((answer, letter))
    }

    /// Reads an answer that must be a success.
    fn read<'a, T: Deserialize<'a>>(&self, answer: &'a Answer) -> Result<T, ClientError> {
        if !answer.status.is_success() {
            return Err(self.client.refused(answer));
        }
        serde_json::from_slice(&answer.body).map_err(|error| self.client.unreadable(error.to_string()))
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Page {
    dead_letters: Vec<Box<RawValue>>,
}

async fn list(args: ListArgs, output: &Output, clock: &dyn Clock) -> anyhow::Result<Exit> {
    let ListArgs { subscription, event_type, key, state, limit, place } = args;
    let subscription = subscription_of(&place, subscription).await?;
    let api = Api::new(place).await?;
    let limit = limit as usize;
    let page_limit = limit.min(1000).to_string();
    let bounds = [
        ("subscription", subscription.as_deref()),
        ("type", event_type.as_deref()),
        ("key", key.as_deref()),
        ("state", Some(state.word())),
        ("limit", Some(&*page_limit)),
    ];
    let bounds = bounds.into_iter().filter_map(|(name, value)| {
        let value = utf8_percent_encode(value?, NON_ALPHANUMERIC);
        Some(format!("{name}={value}"))
    });
    let first = format!("{}?{}", api.list, bounds.collect::<Vec<_>>().join("&"));
    let (letters, has_more) = pages(&api, first, limit).await?;
    if output.is_json() {
        let letters: Vec<&str> = letters.iter().map(|letter| letter.get()).collect();
        output.line(format!("[{}]", harmless(&letters.join(","))))?;
        return Ok(Exit::Done);
    }
    if letters.is_empty() {
        let text = format!("the space {} has no such dead letter: is it the right --space?", api.space);
        output.note(Paint::Dim, text);
        return Ok(Exit::Done);
    }
    let read = letters.iter().map(|letter| serde_json::from_str::<Letter>(letter.get()));
    let letters: Result<Vec<Letter>, serde_json::Error> = read.collect();
    let letters = letters.map_err(|error| api.client.unreadable(error.to_string()))?;
    output.table(&shown::table(&letters, state != State::Open, clock.now()))?;
    if has_more {
        output.note(Paint::Dim, format!("there are more: --limit shows more than {limit}"));
    }
    Ok(Exit::Done)
}

/// Asks for as many letters as are wanted; tells whether there may be more.
async fn pages(api: &Api, first: String, limit: usize) -> Result<(Vec<Box<RawValue>>, bool), ClientError> {
    let (mut letters, mut path) = (Vec::new(), first);
    for _ in 0..PAGES_MAX {
        let answer = api.client.get(&path, ANSWER_TIMEOUT).await?;
        if matches!(answer.status, StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED) {
            // A Configuration API has a list for every space.
            return Err(api.client.unreadable("it has no list of dead letters"));
        }
        let page: Page = api.read(&answer)?;
        let next = api.client.next_page(&answer, &api.list)?;
        letters.extend(page.dead_letters);
        let is_over = letters.len() > limit;
        letters.truncate(limit);
        match next {
            Some(next) if letters.len() < limit => path = next,
            next => return Ok((letters, is_over || next.is_some())),
        }
    }
    Err(api.client.unreadable("its list has no end"))
}

/// Returns the identifier of the subscription that somebody named by that, or by its function.
///
/// # Errors
/// Where there is none of that name, and there are no letters of one that is gone either.
async fn subscription_of(place: &WhereArgs, named: Option<String>) -> anyhow::Result<Option<String>> {
    let Some(name) = named else { return Ok(None) };
    let there = resources::Api::new(place.server.clone(), place.space.clone()).await?;
    let error = match find(&there, &name).await {
        Ok(found) => return Ok(Some(found.id)),
        Err(error) => error,
    };
    match kind_of(&error) {
        // Letters may be all that somebody may see: then the name is an identifier.
        ErrorKind::Denied => return Ok(Some(name)),
        ErrorKind::NotFound => {}
        _ => return Err(error),
    }
    let api = Api::new(place.clone()).await?;
    let escaped = utf8_percent_encode(&name, NON_ALPHANUMERIC);
    let (letters, _) = pages(&api, format!("{}?subscription={escaped}&state=all&limit=1", api.list), 1).await?;
    if letters.is_empty() { Err(error) } else { Ok(Some(name)) }
}

async fn show(args: OneArgs, output: &Output) -> anyhow::Result<Exit> {
    let api = Api::new(args.place).await?;
    let (answer, letter) = api.letter(args.position).await?;
    if output.is_json() {
        let raw: &RawValue = api.read(&answer)?;
        output.line(harmless(raw.get()))?;
    } else {
        shown::letter(&letter, output)?;
    }
    Ok(Exit::Done)
}

/// Both forms of an event, for programs.
#[derive(Serialize)]
struct Forms<'a> {
    position: u64,
    original: Option<&'a RawValue>,
    patched: Option<&'a RawValue>,
}

async fn diff(args: OneArgs, output: &Output) -> anyhow::Result<Exit> {
    let api = Api::new(args.place).await?;
    let (_, letter) = api.letter(args.position).await?;
    let Letter { position, original, patched, .. } = &letter;
    if output.is_json() {
        let forms = Forms { position: *position, original: original.as_deref(), patched: patched.as_deref() };
        output.line(harmless(&serde_json::to_string(&forms)?))?;
        return Ok(Exit::Done);
    }
    let (Some(original), Some(patched)) = (original, patched) else {
        output.note(Paint::Dim, format!("the dead letter at position {position} is not patched"));
        return Ok(Exit::Done);
    };
    let lines = diff::unified(&shown::pretty(original), &shown::pretty(patched));
    if lines.is_empty() {
        output.note(Paint::Dim, "the patched event is the same as the original");
    }
    let mut text = String::new();
    for line in lines {
        let paint = match line.chars().next() {
            Some('-') => Paint::Bad,
            Some('+') => Paint::Good,
            Some('@') => Paint::Hue(0),
            _ => Paint::Plain,
        };
        text.push_str(&output.paint(paint, clean(&line)));
        text.push('\n');
    }
    output.print(&text)?;
    Ok(Exit::Done)
}
