//! `weir deadletter redrive` and `discard`: one letter after another, or all of a selection with one request.

use std::time::Duration;

use http::Method;
use serde::{Deserialize, Serialize};
use serde_json::{json, value::RawValue};
use weir_domain::ErrorKind;

use super::{
    ANSWER_TIMEOUT, Api,
    args::{DiscardArgs, LettersArgs, RedriveArgs},
    subscription_of,
};
use crate::{
    cli::{
        get::harmless,
        output::{Exit, Output, Paint, ending},
    },
    client::ClientError,
    naming::counted,
};

/// How long deciding about a selection may take: a million letters are a thousand appends.
const SELECTION_TIMEOUT: Duration = Duration::from_secs(60 * 60);

/// What is decided.
struct Verdict {
    /// In the path.
    segment: &'static str,
    /// What becomes of the letters.
    done: &'static str,
    to: Option<String>,
    reason: Option<String>,
}

#[derive(Serialize)]
struct Body<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    subscription: Option<&'a str>,
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    event_type: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    key: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    all: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    to: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'a str>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Decided {
    decided_at: u64,
}

#[derive(Deserialize)]
struct AllDecided {
    count: u64,
    left: u64,
    reasons: Vec<Reason>,
}

#[derive(Deserialize)]
struct Reason {
    position: u64,
    message: String,
}

/// What became of one letter: where that stands and whether it was so before, or what the server said against it.
type Row = (u64, Result<(u64, bool), String>);

pub(super) async fn redrive(args: RedriveArgs, output: &Output) -> anyhow::Result<Exit> {
    let RedriveArgs { mut letters, to, place } = args;
    letters.subscription = subscription_of(&place, letters.subscription).await?;
    let verdict = Verdict { segment: "redrive", done: "redriven", to, reason: None };
    decide(&Api::new(place).await?, &letters, &verdict, output).await
}

pub(super) async fn discard(args: DiscardArgs, output: &Output) -> anyhow::Result<Exit> {
    let DiscardArgs { mut letters, reason, place } = args;
    letters.subscription = subscription_of(&place, letters.subscription).await?;
    let verdict = Verdict { segment: "discard", done: "discarded", to: None, reason };
    decide(&Api::new(place).await?, &letters, &verdict, output).await
}

async fn decide(api: &Api, letters: &LettersArgs, verdict: &Verdict, output: &Output) -> anyhow::Result<Exit> {
    if letters.positions.is_empty() {
        return selection(api, letters, verdict, output).await;
    }
    // In the order of the log, whatever the order of the words: keys keep theirs.
    let mut positions = letters.positions.clone();
    positions.sort_unstable();
    positions.dedup();
    let mut rows: Vec<Row> = Vec::new();
    let mut first_fault: Option<ErrorKind> = None;
    let mut failure = None;
    for position in positions {
        match one(api, position, verdict).await {
            Ok(decided) => rows.push((position, Ok(decided))),
            Err(error) => {
                first_fault.get_or_insert(error.kind());
                match error {
                    ClientError::Refused { message, .. } => rows.push((position, Err(message))),
                    other => {
                        failure = Some(other);
                        break;
                    }
                }
            }
        }
    }
    let shown = show(&rows, verdict, output);
    match failure {
        Some(error) => Err(error.into()),
        None => ending(first_fault.map_or(Exit::Done, Exit::Failed), shown),
    }
}

async fn one(api: &Api, position: u64, verdict: &Verdict) -> Result<(u64, bool), ClientError> {
    let path = format!("{}/{}", api.path(position), verdict.segment);
    let (to, reason) = (verdict.to.as_deref(), verdict.reason.as_deref());
    let body = Body { subscription: None, event_type: None, key: None, all: None, to, reason };
    let body = serde_json::to_vec(&body).map_err(|error| api.client.unreadable(error.to_string()))?;
    let answer = api.client.request(Method::POST, &path, body.into(), ANSWER_TIMEOUT).await?;
    let Decided { decided_at } = api.read(&answer)?;
    Ok((decided_at, answer.header("weir-duplicate").is_some()))
}

fn show(rows: &[Row], verdict: &Verdict, output: &Output) -> anyhow::Result<()> {
    let done = verdict.done;
    if output.is_json() {
        let row = |(position, outcome): &Row| match outcome {
            Ok((at, duplicate)) => json!({ "position": position, "result": done, "at": at, "duplicate": duplicate }),
            Err(message) => json!({ "position": position, "result": "failed", "error": message }),
        };
        return Ok(output.json(&rows.iter().map(row).collect::<Vec<_>>())?);
    }
    for (position, outcome) in rows {
        match outcome {
            Ok((at, false)) => {
                output.line(format!("{} {position} at position {at}", output.paint(Paint::Good, done)))?
            }
            Ok((at, true)) => {
                output.line(format!(
                    "{} {position} at position {at}",
                    output.paint(Paint::Dim, format!("already {done}"))
                ))?;
            }
            Err(message) => output.note(Paint::Bad, format!("not {done}: {position}: {message}")),
        }
    }
    Ok(())
}

async fn selection(api: &Api, letters: &LettersArgs, verdict: &Verdict, output: &Output) -> anyhow::Result<Exit> {
    let LettersArgs { subscription, event_type, key, all, .. } = letters;
    let body = Body {
        subscription: subscription.as_deref(),
        event_type: event_type.as_deref(),
        key: key.as_deref(),
        all: all.then_some(true),
        to: verdict.to.as_deref(),
        reason: verdict.reason.as_deref(),
    };
    let path = format!("{}/{}", api.list, verdict.segment);
    let answer = api.client.request(Method::POST, &path, serde_json::to_vec(&body)?.into(), SELECTION_TIMEOUT).await?;
    let decided: AllDecided = api.read(&answer)?;
    let exit = if decided.left > 0 { Exit::Findings } else { Exit::Done };
    if output.is_json() {
        let raw: &RawValue = api.read(&answer)?;
        return ending(exit, output.line(harmless(raw.get())).map_err(Into::into));
    }
    for Reason { position, message } in &decided.reasons {
        output.note(Paint::Warn, format!("left as it is: {position}: {message}"));
    }
    let done = output.paint(Paint::Good, verdict.done);
    let left = if decided.left > 0 { format!(", {} left as they are", decided.left) } else { String::new() };
    let line = format!("{done} {}{left}", counted(decided.count, "dead letter"));
    ending(exit, output.line(line).map_err(Into::into))
}
