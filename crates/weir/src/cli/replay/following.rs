//! Following a replay to its end, through restarts of the server.

use std::time::Duration;

use http::StatusCode;
use indicatif::{HumanCount, ProgressBar};

use super::{Plan, Replay};
use crate::{
    cli::{
        output::{Output, Paint},
        status::read,
    },
    client::{Backoff, Client, ClientError},
};

/// How long is waited before the server is asked again.
const PAUSE: Duration = Duration::from_millis(500);
/// How long one answer may take.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(30);

/// Somebody who watches a replay.
pub(super) struct Following<'a> {
    client: &'a Client,
    /// The path of the replay.
    path: String,
    output: &'a Output,
    bar: ProgressBar,
    backoff: Backoff,
    /// Whether the bar counts events; else it counts positions, because nobody knows how many events there are.
    is_of_events: bool,
    /// What was shown last: position, events that were delivered and that were given up.
    shown: Option<(u64, u64, u64)>,
}

impl<'a> Following<'a> {
    pub(super) fn new(client: &'a Client, path: String, output: &'a Output, backoff: Backoff, plan: &Plan) -> Self {
        let events = plan.events_known();
        let steps = events.unwrap_or_else(|| plan.to.saturating_sub(plan.from).saturating_add(1));
        let (bar, is_of_events) = (output.steps("replaying", steps), events.is_some());
        Self { client, path, output, bar, backoff, is_of_events, shown: None }
    }

    /// Returns the bar, which somebody else clears where this ends early.
    pub(super) fn bar(&self) -> ProgressBar {
        self.bar.clone()
    }

    /// Shows how far it is until it is over.
    pub(super) async fn until_end(&mut self, mut replay: Replay) -> anyhow::Result<Replay> {
        loop {
            self.show(&replay)?;
            if !replay.is_running() {
                return Ok(replay);
            }
            tokio::time::sleep(PAUSE).await;
            replay = self.ask().await?;
        }
    }

    fn show(&mut self, replay: &Replay) -> anyhow::Result<()> {
        let now = (replay.position, replay.delivered, replay.given_up);
        // Its end is told in any case.
        if replay.is_running() && self.shown == Some(now) {
            return Ok(());
        }
        self.shown = Some(now);
        if self.output.is_json() {
            return Ok(self.output.json(replay)?);
        }
        let done = if self.is_of_events {
            // What is read runs ahead of what is delivered.
            replay.delivered.saturating_add(replay.given_up)
        } else {
            replay.position.saturating_add(1).saturating_sub(replay.from)
        };
        self.bar.set_position(done);
        self.bar.set_message(format!("replaying, {} delivered", HumanCount(replay.delivered)));
        Ok(())
    }

    /// Asks how far it is, again and again while the server is away.
    async fn ask(&mut self) -> Result<Replay, ClientError> {
        loop {
            let error = match self.once().await {
                Ok(replay) => {
                    if self.backoff.attempts() > 0 {
                        self.bar.suspend(|| self.output.note(Paint::Good, "the server is there again"));
                    }
                    self.backoff.succeeded();
                    return Ok(replay);
                }
                Err(error) if error.is_passing() => error,
                Err(error) => return Err(error),
            };
            if self.backoff.attempts() == 0 {
                let text = format!("{error}; trying again until it does, Ctrl-C ends that");
                self.bar.suspend(|| self.output.note(Paint::Warn, text));
            }
            let wait = self.backoff.next(None);
            tokio::time::sleep(wait).await;
        }
    }

    async fn once(&self) -> Result<Replay, ClientError> {
        let answer = self.client.get(&self.path, ANSWER_TIMEOUT).await?;
        read(self.client, &answer, StatusCode::OK)
    }
}
