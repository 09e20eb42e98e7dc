//! How a worker writes down where it stands, and shows it.

use std::{sync::atomic::Ordering, time::Duration};

use tokio::time::Instant;
use weir_catalog::{Start, Subscription};
use weir_domain::{Position, error_chain};
use weir_log::LogError;

use super::Worker;
use crate::{
    delivery::{fan_out, standing::show},
    progress::{Ahead, Mark, Parked, Progress},
};

/// Positions by which the cursor may move on before that is worth a write, while there is nothing to deliver.
const CURSOR_STRIDE_IDLE: u64 = fan_out::STRIDE;
/// The least time between two looks at all that is open.
const STOCK_PAUSE: Duration = Duration::from_millis(250);

/// How much is kept of why a subscription is parked, in characters.
const PARKED_CAUSE_MAX: usize = 256;

/// What was noted last, and what has changed since.
#[derive(Debug)]
pub(super) struct Keeping {
    /// The cursor as it was last noted.
    kept: Position,
    /// Whether anything was delivered or failed since all was noted.
    pub(super) has_settled: bool,
    /// A lane was put aside since then: before the cursor passes its events that is to be known.
    pub(super) is_urgent: bool,
    noted: Instant,
}

impl Default for Keeping {
    fn default() -> Self {
        Self { kept: Position::ORIGIN, has_settled: false, is_urgent: false, noted: Instant::now() }
    }
}

impl Keeping {
    /// Returns when all that is open is to be noted, if anything became of it since.
    pub(super) fn due(&self) -> Option<Instant> {
        (self.has_settled || self.is_urgent).then(|| self.noted + STOCK_PAUSE)
    }

    pub(super) fn begin(&mut self, progress: &Progress) {
        *self = Self { kept: progress.log.mark.done, ..Self::default() };
    }
}

impl Worker {
    /// Returns how far the cursor is; `None` where a stop came first.
    pub(super) async fn load_cursor(&self, subscription: &Subscription) -> Option<Progress> {
        let (space, created) = (&self.cursor.space, self.cursor.created);
        loop {
            let loaded = async {
                match self.shared.cursors.load(&*self.shared.log, &self.cursor).await? {
                    Some(stored) => Ok(stored),
                    None => self.first(subscription).await,
                }
            };
            match loaded.await {
                Ok(progress) => return Some(progress),
                // Where it cannot be read it is not known what was delivered: beginning anywhere else would be wrong.
                Err(error) => {
                    let error = error_chain(&error);
                    tracing::error!(
                        %error, %space, subscription = %self.id, %created, "the cursor cannot be read: delivery waits"
                    );
                    self.pause().await;
                    if self.stop.is_cancelled() {
                        return None;
                    }
                }
            }
        }
    }

    /// Returns where the subscription begins that has no cursor yet.
    async fn first(&self, subscription: &Subscription) -> Result<Progress, LogError> {
        let (space, created) = (&self.cursor.space, self.cursor.created);
        let begin = match subscription.start {
            Start::Now => created,
            Start::Earliest => Position::ORIGIN,
            Start::At(position) => position.previous(),
            Start::Since(time) => self.shared.log.position_at(time).await?.previous(),
        };
        if created <= self.shared.opened {
            tracing::warn!(
                %space, subscription = %self.id, position = %begin,
                "no cursor is kept for a subscription that was made before this start: it begins where it began first"
            );
        }
        let mut progress = Progress::at(begin);
        // Nobody asked it for anything before it was made.
        progress.redrives = Mark::at(created);
        // Written down even though nothing was delivered: while it is there, somebody sees to what waits.
        self.shared.cursors.note(&self.cursor, begin, Some(progress.clone()));
        Ok(progress)
    }

    /// Notes how far everything is done, and less often all that is open.
    pub(super) fn keep(&mut self, always: bool) {
        let done = self.log.done_up_to();
        let far = done.get().saturating_sub(self.keeping.kept.get());
        let is_due = always || self.keeping.is_urgent || self.keeping.noted.elapsed() >= STOCK_PAUSE;
        if is_due && (self.keeping.has_settled || self.keeping.is_urgent || (always && far > 0)) {
            let progress = self.progress();
            self.shared.cursors.note(&self.cursor, done, Some(progress));
            self.keeping.kept = done;
            (self.keeping.has_settled, self.keeping.is_urgent) = (false, false);
            self.keeping.noted = Instant::now();
            return;
        }
        // Events of others move it too. Of those many are read again quickly, so that is not worth a write each time.
        if far > 0 && (self.keeping.has_settled || far >= CURSOR_STRIDE_IDLE) {
            self.shared.cursors.note(&self.cursor, done, None);
            self.keeping.kept = done;
        }
    }

    /// Takes stock of all that is worth being known after a start.
    pub(super) fn progress(&self) -> Progress {
        let read = self.redrives_next.previous();
        let before = &self.redrives_known.ahead;
        let undone = self.log.lanes.redrives().chain(before.open_after(read));
        let redrives =
            Mark { done: self.log.lanes.redrives_done_up_to(read), ahead: Ahead::of(undone, read.max(before.up_to())) };
        let replay = self.replay.as_ref().map(|replay| Box::new(replay.stock()));
        let parked = self.circuit.parked().map(|it| {
            let cause = it.cause.chars().take(PARKED_CAUSE_MAX).collect();
            Parked { since_micros: it.since.unix_micros(), cause }
        });
        Progress { log: self.log.stock(), redrives, replay, parked }
    }

    /// Shows others what is going on.
    pub(super) fn show(&mut self) {
        let standing = self.shown.standing.clone();
        let calls = self.calls.len();
        let is_full = self.is_full();
        let lanes = &self.log.lanes;
        let replayed = self.replay.as_ref().map(|replay| &replay.course);
        let retrying = self.log.retries.len() + replayed.map_or(0, |course| course.retries.len());
        standing.waiting.store(lanes.waiting(), Ordering::Relaxed);
        standing.retrying.store(retrying, Ordering::Relaxed);
        standing.calls.store(calls, Ordering::Relaxed);
        standing.is_full.store(is_full, Ordering::Relaxed);
        show(&standing.aside, lanes.unread_aside());
        show(&standing.next, self.log.next.get());
        show(&standing.done, self.log.done_up_to().get());
        show(&standing.oldest_micros, lanes.oldest_micros().unwrap_or_default());
        show(&standing.rate, self.rate.best());
        if let Some(replay) = &mut self.replay {
            replay.show(&standing);
        }
        self.shown.inbox.shown();
    }
}
