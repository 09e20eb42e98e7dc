//! `weir emit`: one event by flags, or many from JSON lines, through the Events API.
//!
//! Lines are read while they come, and go out in batches, several at a time; at most so many batches are in memory as
//! are in flight, and one. What is refused is told with its line, and never keeps its neighbours out.

mod event;
mod lines;
mod sending;

use std::time::{Duration, Instant};

use bytes::Bytes;
use futures_util::{StreamExt, stream::FuturesUnordered};
use http::StatusCode;
use indicatif::{HumanCount, ProgressBar};
use serde::Serialize;
use serde_json::json;
use weir_cloudevents::json as codec;
use weir_domain::{Clock, Ids, SpaceName};

use crate::{
    cli::{
        EmitArgs,
        output::{Exit, Failure, Output, Paint, ending},
    },
    client::{Answer, Client, ClientError},
    naming::counted,
};

use lines::{Batch, Input, Refusal};
use sending::{Outcome, Receipt, Sender, Transport, Verdict};

/// How long the answer to one request may take: a server under load answers 503 long before.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(60);
/// Refused lines of which a summary for programs names each; beyond, they are counted.
const REFUSALS_NAMED_MAX: usize = 1000;
/// What becomes of events whose data break their schema, and where to read why.
const QUARANTINE: &str = "in quarantine: the data break the schema of the event type, so no function is given the event; \
                          `weir tail --type weir.event.quarantined --json` tells why";

/// Carries out the command.
pub(crate) async fn run(args: EmitArgs, output: &Output, ids: &dyn Ids, clock: &dyn Clock) -> anyhow::Result<Exit> {
    if args.files.is_empty() && args.event.event_type.is_none() {
        let message = "there is nothing to emit: give one event with --type and --source, or files of JSON lines, - for \
                       standard input";
        return Err(Failure::invalid(message).into());
    }
    let client = args.access.client(&args.url).await?;
    let seed = ids.unique();
    if args.files.is_empty() {
        let event = event::read(&args.event, ids, clock).await?;
        let door = Door { client: &client, space: &args.space, content_type: codec::CONTENT_TYPE };
        return one(&event, &Sender::new(door, &seed), output).await;
    }
    let door = Door { client: &client, space: &args.space, content_type: codec::BATCH_CONTENT_TYPE };
    let sender = Sender::new(door, &seed);
    let batch = usize::try_from(args.batch).unwrap_or(usize::MAX);
    let in_flight = usize::try_from(args.in_flight).unwrap_or(usize::MAX);
    let input = Input::new(args.files, batch);
    let bar = output.progress("emitting", input.bytes().await);
    let refused = |refusal: &Refusal| {
        if !output.is_json() {
            bar.suspend(|| output.note(Paint::Bad, format!("refused {}: {}", refusal.place, refusal.message)));
        }
    };
    let (summary, failure) = many(input, in_flight, &sender, refused, &bar).await;
    bar.finish_and_clear();
    let shown = summary.show(output);
    match failure {
        Some(error) => Err(error),
        None => ending(summary.exit(), shown),
    }
}

/// The Events API as a place to send to.
struct Door<'a> {
    client: &'a Client,
    space: &'a SpaceName,
    content_type: &'static str,
}

impl Transport for Door<'_> {
    async fn post(&self, body: Bytes) -> Result<Answer, ClientError> {
        let headers = [("content-type", self.content_type), ("weir-space", self.space.as_str())];
        self.client.post("/", &headers, body, ANSWER_TIMEOUT).await
    }

    fn refused(&self, answer: &Answer) -> ClientError {
        match answer.status {
            // An Events API takes events at every path; a function that answers so has an event with a receipt.
            StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED if Receipt::of(answer).is_none() => {
                self.client.unreadable(format!("it takes no events ({})", answer.status))
            }
            _ => self.client.refused(answer),
        }
    }

    async fn rest(&self, wait: Duration) {
        tokio::time::sleep(wait).await;
    }
}

/// Emits one event and shows its receipt.
async fn one(event: &weir_domain::Event, sender: &Sender<impl Transport>, output: &Output) -> anyhow::Result<Exit> {
    let mut body = Vec::new();
    codec::encode(event, &mut body);
    let id = event.id();
    let answer = match sender.deliver(body.into()).await? {
        Verdict::Accepted(answer) => answer,
        Verdict::Refused(answer) => return ending(Exit::Findings, refused(id, &answer, output)),
    };
    if let Some(receipt) = Receipt::of(&answer) {
        let shown = received(id, receipt, output);
        return ending(if receipt.quarantined > 0 { Exit::Findings } else { Exit::Done }, shown);
    }
    // A route took the event: the answer is that of a function.
    let status = answer.status.as_u16();
    let body = String::from_utf8_lossy(&answer.body);
    if output.is_json() {
        output.json(&json!({ "id": id, "status": status, "body": body }))?;
    } else {
        output.note(Paint::Dim, format!("a function answered with status {status}, id {id}"));
        output.line(body)?;
    }
    Ok(Exit::Done)
}

/// Shows the receipt of the only event.
fn received(id: &str, receipt: Receipt, output: &Output) -> anyhow::Result<()> {
    let Receipt { last, duplicates, quarantined, .. } = receipt;
    let (is_known, is_quarantined) = (duplicates > 0, quarantined > 0);
    if output.is_json() {
        let row = json!({ "id": id, "position": last, "duplicate": is_known, "quarantined": is_quarantined });
        return Ok(output.json(&row)?);
    }
    let (word, paint) = match (is_quarantined, is_known) {
        (false, false) => ("accepted", Paint::Good),
        (false, true) => ("accepted before", Paint::Warn),
        (true, false) => ("quarantined", Paint::Bad),
        (true, true) => ("quarantined before", Paint::Bad),
    };
    let nothing = if is_known { ": nothing was added" } else { "" };
    output.line(format!("{} at position {last}, id {id}{nothing}", output.paint(paint, word)))?;
    if is_quarantined {
        output.note(Paint::Warn, QUARANTINE);
    }
    Ok(())
}

/// Shows why the only event was refused.
fn refused(id: &str, answer: &Answer, output: &Output) -> anyhow::Result<()> {
    let message = answer.messages();
    if output.is_json() {
        output.json(&json!({ "id": id, "refused": message }))?;
    } else {
        output.note(Paint::Bad, format!("refused: {message}"));
    }
    Ok(())
}

/// Emits all events of the input; returns what became of them, and what ended it early.
async fn many(
    mut input: Input,
    in_flight: usize,
    sender: &Sender<impl Transport>,
    refused: impl Fn(&Refusal),
    bar: &ProgressBar,
) -> (Summary, Option<anyhow::Error>) {
    let began = Instant::now();
    let mut summary = Summary::default();
    let mut failure = None;
    let mut reading = true;
    let send = |batch: Batch| sender.send(batch);
    let mut sending = queue_of(&send);
    loop {
        let has_room = reading && sending.len() < in_flight;
        let ended = tokio::select! {
            biased;
            Some(outcome) = sending.next(), if !sending.is_empty() => {
                bar.inc(outcome.input_bytes);
                outcome.refused.iter().for_each(&refused);
                summary.add(outcome).map(anyhow::Error::from)
            }
            batch = input.next(), if has_room => match batch {
                Ok(Some(batch)) => {
                    sending.push(send(batch));
                    None
                }
                Ok(None) => {
                    reading = false;
                    None
                }
                Err(error) => Some(error),
            },
            else => break,
        };
        if ended.is_some() {
            // What is in flight is waited for, so that the summary is true.
            reading = false;
            failure = failure.or(ended);
        }
    }
    summary.seconds = began.elapsed().as_secs_f64();
    (summary, failure)
}

/// Makes an empty queue for the futures of a function, whose type has no name.
fn queue_of<F: Future<Output = Outcome>>(_: &impl Fn(Batch) -> F) -> FuturesUnordered<F> {
    FuturesUnordered::new()
}

/// What became of the events of an input.
#[derive(Debug, Default, PartialEq, Serialize)]
struct Summary {
    accepted: u64,
    /// Of the accepted ones, those that were in the log before.
    duplicates: u64,
    /// Of the accepted ones, those that are in quarantine.
    quarantined: u64,
    refused: u64,
    /// The first of the refused ones.
    refusals: Vec<Refusal>,
    first_position: Option<u64>,
    last_position: Option<u64>,
    seconds: f64,
}

impl Summary {
    /// Adds the outcome of a batch; returns why the rest of it was not sent.
    fn add(&mut self, outcome: Outcome) -> Option<ClientError> {
        self.accepted += outcome.accepted;
        self.duplicates += outcome.duplicates;
        self.quarantined += outcome.quarantined;
        self.refused += outcome.refused.len() as u64;
        let room = REFUSALS_NAMED_MAX.saturating_sub(self.refusals.len());
        self.refusals.extend(outcome.refused.into_iter().take(room));
        self.first_position = self.first_position.into_iter().chain(outcome.first).min();
        // No position counts as the lowest.
        self.last_position = self.last_position.max(outcome.last);
        outcome.failure
    }

    fn exit(&self) -> Exit {
        if self.refused > 0 || self.quarantined > 0 { Exit::Findings } else { Exit::Done }
    }

    fn events_per_second(&self) -> f64 {
        // A time that cannot be measured is taken for a millisecond.
        self.accepted as f64 / self.seconds.max(0.001)
    }

    fn show(&self, output: &Output) -> anyhow::Result<()> {
        let rate = self.events_per_second();
        if output.is_json() {
            #[derive(Serialize)]
            struct Shown<'a> {
                #[serde(flatten)]
                summary: &'a Summary,
                events_per_second: f64,
            }
            output.json(&Shown { summary: self, events_per_second: rate })?;
            return Ok(());
        }
        let mut accepted = counted(self.accepted, "event");
        if let (Some(first), Some(last)) = (self.first_position, self.last_position) {
            accepted.push_str(&format!(", positions {first} to {last}"));
        }
        let mut pairs = vec![("accepted", accepted)];
        if self.duplicates > 0 {
            let duplicates = HumanCount(self.duplicates);
            pairs.push(("known before", format!("{duplicates} of them, nothing was added for these")));
        }
        if self.quarantined > 0 {
            let quarantined = format!("{} of them", HumanCount(self.quarantined));
            pairs.push(("quarantined", output.paint(Paint::Bad, quarantined)));
        }
        if self.refused > 0 {
            pairs.push(("refused", output.paint(Paint::Bad, counted(self.refused, "event"))));
        }
        let rate = HumanCount(rate.round() as u64);
        let took = if self.seconds < 1.0 {
            format!("{} ms", (self.seconds * 1000.0).ceil())
        } else {
            format!("{:.2} s", self.seconds)
        };
        pairs.push(("took", format!("{took}, {rate} events/s")));
        output.pairs(&pairs)?;
        if self.quarantined > 0 {
            output.note(Paint::Warn, QUARANTINE);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
