//! `weir tail`: shows what is in the log of a space and follows it, through the Configuration API.
//!
//! Following survives restarts of the server: it goes on behind the last event that was shown.

mod shown;

use std::time::{Duration, Instant};

use anyhow::Context;
use http::StatusCode;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::value::RawValue;
use weir_cloudevents::time;
use weir_domain::Ids;

use crate::{
    cli::{
        TailArgs,
        output::{Exit, Output, Paint},
    },
    client::{Answer, Backoff, Client, ClientError},
};

use shown::Lines;

/// The newest events that are shown where nobody says where to begin.
const LAST_DEFAULT: u32 = 10;
/// Events of one answer: the most that a server gives.
const PAGE_EVENTS_MAX: usize = 1000;
/// How long the server may wait for events.
const WAIT: Duration = Duration::from_secs(25);
/// How long an answer may take beyond that.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(15);
/// An empty answer that comes earlier than this did not wait: the server is stopping.
const WAITED_MIN: Duration = Duration::from_secs(1);

/// Carries out the command, until the end of the log, or with `--follow` until Ctrl-C.
pub(crate) async fn run(args: TailArgs, output: &Output, ids: &dyn Ids) -> anyhow::Result<Exit> {
    let client = args.access.client(&args.url).await?;
    let mut tail = Tail::new(&client, &args, output, Backoff::new(&ids.unique()));
    tokio::select! {
        shown = tail.run(&args) => shown?,
        interrupted = tokio::signal::ctrl_c() => interrupted.context("Ctrl-C cannot be waited for")?,
    }
    Ok(Exit::Done)
}

/// Where answers come from.
trait Source {
    async fn get(&self, path: &str, timeout: Duration) -> Result<Answer, ClientError>;
    fn refused(&self, answer: &Answer) -> ClientError;
    fn unreadable(&self, detail: String) -> ClientError;

    /// Waits before it is asked again.
    async fn rest(&self, wait: Duration);
}

impl Source for Client {
    async fn get(&self, path: &str, timeout: Duration) -> Result<Answer, ClientError> {
        Client::get(self, path, timeout).await
    }

    fn refused(&self, answer: &Answer) -> ClientError {
        Client::refused(self, answer)
    }

    fn unreadable(&self, detail: String) -> ClientError {
        Client::unreadable(self, detail)
    }

    async fn rest(&self, wait: Duration) {
        tokio::time::sleep(wait).await;
    }
}

/// One answer of the server.
struct Page {
    /// Events as JSON, one after another.
    events: Vec<String>,
    /// Where to go on.
    next: u64,
    /// Whether there is no more at present.
    end: bool,
}

struct Tail<'a, S> {
    source: &'a S,
    output: &'a Output,
    lines: Lines,
    /// The path of the resource.
    path: String,
    /// What every query ends with.
    filter: String,
    follow: bool,
    /// What is said, once, where nothing is found: an unknown space or type is no error of a log.
    hint: Option<String>,
    backoff: Backoff,
    /// Whether the server has ever answered.
    met: bool,
}

impl<'a, S: Source> Tail<'a, S> {
    fn new(source: &'a S, args: &TailArgs, output: &'a Output, backoff: Backoff) -> Self {
        let mut filter = String::new();
        for event_type in &args.types {
            filter.push_str(&parameter("type", event_type));
        }
        if let Some(key) = &args.key {
            filter.push_str(&parameter("key", key));
        }
        let types = if args.types.is_empty() { "" } else { " and --type" };
        let hint = format!("the space {} has no such event yet: is it the right --space{types}?", args.space);
        Self {
            source,
            output,
            hint: Some(hint),
            lines: Lines::default(),
            path: format!("/v1/spaces/{}/events", args.space),
            filter,
            follow: args.follow,
            backoff,
            met: false,
        }
    }

    async fn run(&mut self, args: &TailArgs) -> anyhow::Result<()> {
        let begin = match (args.from, &args.since) {
            (Some(position), _) => format!("from={position}"),
            (None, Some(text)) => {
                // Checked here, so that the mistake is told before a server is asked.
                time::parse(text)?;
                parameter("since", text).split_off(1)
            }
            (None, None) => {
                let next = self.newest(args.last.unwrap_or(LAST_DEFAULT)).await?;
                if !self.follow {
                    return Ok(());
                }
                format!("from={next}")
            }
        };
        self.forward(begin).await
    }

    /// Shows the newest events, and returns the position behind all that there was when it was asked.
    async fn newest(&mut self, most: u32) -> anyhow::Result<u64> {
        let most = usize::try_from(most).unwrap_or(usize::MAX);
        let behind = self.page("from=end&limit=1", Duration::ZERO).await?.next;
        let mut from = behind.saturating_sub(1);
        let mut found = Vec::new();
        while found.len() < most && from > 0 {
            let limit = (most - found.len()).min(PAGE_EVENTS_MAX);
            let page =
                self.page(&format!("order=desc&from={from}{}&limit={limit}", self.filter), Duration::ZERO).await?;
            found.extend(page.events);
            if page.end {
                break;
            }
            from = page.next;
        }
        found.reverse();
        self.show(&found)?;
        self.found_all();
        Ok(behind)
    }

    /// Shows events from a place on, to the end of the log or without end.
    async fn forward(&mut self, mut begin: String) -> anyhow::Result<()> {
        let mut wait = Duration::ZERO;
        loop {
            let mut query = format!("{begin}{}&limit={PAGE_EVENTS_MAX}", self.filter);
            if !wait.is_zero() {
                query.push_str(&format!("&wait={}", wait.as_secs()));
            }
            let asked = Instant::now();
            let page = match self.page(&query, wait).await {
                Ok(page) => page,
                Err(error) if self.follow && self.met && error.is_passing() => {
                    self.pause(Some(&error)).await;
                    continue;
                }
                Err(error) => return Err(error.into()),
            };
            self.show(&page.events)?;
            begin = format!("from={}", page.next);
            if !page.end {
                wait = Duration::ZERO;
                continue;
            }
            self.found_all();
            if !self.follow {
                return Ok(());
            }
            if page.events.is_empty() && !wait.is_zero() && asked.elapsed() < WAITED_MIN {
                self.pause(None).await;
            } else {
                self.back();
            }
            wait = WAIT;
        }
    }

    /// Waits before the next attempt, longer each time.
    async fn pause(&mut self, error: Option<&ClientError>) {
        if let (0, Some(error)) = (self.backoff.attempts(), error) {
            self.output.note(Paint::Warn, format!("{error}; trying again until it does, Ctrl-C ends it"));
        }
        let wait = self.backoff.next(None);
        self.source.rest(wait).await;
    }

    /// Takes note that the server is there.
    fn back(&mut self) {
        if self.backoff.attempts() > 0 {
            self.output.note(Paint::Good, "the server is there again");
        }
        self.backoff.succeeded();
    }

    async fn page(&mut self, query: &str, wait: Duration) -> Result<Page, ClientError> {
        let answer = self.source.get(&format!("{}?{query}", self.path), wait + ANSWER_TIMEOUT).await?;
        match answer.status {
            StatusCode::OK => {}
            // A Configuration API has the events of every space.
            StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED => {
                return Err(self.source.unreadable(format!("it has no events to read ({})", answer.status)));
            }
            _ => return Err(self.source.refused(&answer)),
        }
        let page = read(&answer).map_err(|detail| self.source.unreadable(detail))?;
        self.met = true;
        Ok(page)
    }

    /// Takes note that the end was reached: where nothing was shown until then, this is said.
    fn found_all(&mut self) {
        if let Some(hint) = self.hint.take() {
            self.output.note(Paint::Dim, hint);
        }
    }

    fn show(&mut self, events: &[String]) -> anyhow::Result<()> {
        if !events.is_empty() {
            self.hint = None;
        }
        let mut text = String::new();
        for event in events {
            if self.output.is_json() {
                shown::compact(event, &mut text);
                text.push('\n');
            } else {
                let line = self.lines.line(event, self.output);
                text.push_str(&line.map_err(|error| self.source.unreadable(format!("an event is broken: {error}")))?);
            }
        }
        if !text.is_empty() {
            self.output.print(&text)?;
        }
        Ok(())
    }
}

fn parameter(name: &str, value: &str) -> String {
    format!("&{name}={}", utf8_percent_encode(value, NON_ALPHANUMERIC))
}

fn read(answer: &Answer) -> Result<Page, String> {
    let header = |name: &str| answer.header(name).ok_or_else(|| format!("it has no header {name}"));
    let next = header("weir-next")?.parse().map_err(|_| "its header weir-next is no position".to_owned())?;
    let end = header("weir-end")? == "true";
    let events: Vec<&RawValue> =
        serde_json::from_slice(&answer.body).map_err(|error| format!("it is no batch of events: {error}"))?;
    Ok(Page { events: events.into_iter().map(|event| event.get().to_owned()).collect(), next, end })
}

#[cfg(test)]
mod tests;
