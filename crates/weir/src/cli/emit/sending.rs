//! Batches on their way to the server: repeated where that helps, and divided where one event of them is refused.

use std::{
    ops::Range,
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use bytes::Bytes;

use crate::{
    cli::emit::lines::{Batch, Refusal},
    client::{Answer, Backoff, ClientError},
};

/// How often one request is repeated before the server is given up.
const REPEATS_MAX: u32 = 12;

/// What the server says before the fault of one event.
const IN_BATCH: [&str; 2] = ["event ", " of the batch, counted from 0: "];

/// A way to the server.
pub(super) trait Transport {
    /// Sends a body.
    async fn post(&self, body: Bytes) -> Result<Answer, ClientError>;

    /// Makes the error of an answer whose status is one.
    fn refused(&self, answer: &Answer) -> ClientError;

    /// Waits before the same body is sent again.
    async fn rest(&self, wait: Duration);
}

/// What the server said to events.
#[derive(Debug)]
pub(super) enum Verdict {
    /// It has them.
    Accepted(Answer),
    /// It does not want them, now or later.
    Refused(Answer),
}

/// The receipt of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Receipt {
    /// The lowest position.
    pub(super) first: u64,
    /// The highest position.
    pub(super) last: u64,
    /// How many events were in the log before.
    pub(super) duplicates: u64,
    /// How many events are in quarantine: kept, and given to no function.
    pub(super) quarantined: u64,
}

impl Receipt {
    /// Reads the receipt; `None` where the answer has none.
    pub(super) fn of(answer: &Answer) -> Option<Self> {
        let positions = answer.header("weir-position")?;
        let (first, last) = positions.split_once(',').unwrap_or((positions, positions));
        // `true` of one event, a number of a batch; absent where it is none.
        let count = |name| match answer.header(name) {
            None => Some(0),
            Some("true") => Some(1),
            Some(number) => number.parse::<u64>().ok(),
        };
        Some(Self {
            first: first.trim().parse().ok()?,
            last: last.trim().parse().ok()?,
            duplicates: count("weir-duplicate")?,
            quarantined: count("weir-quarantined")?,
        })
    }
}

/// What became of a batch.
#[derive(Debug, Default)]
pub(super) struct Outcome {
    pub(super) accepted: u64,
    pub(super) duplicates: u64,
    pub(super) quarantined: u64,
    pub(super) first: Option<u64>,
    pub(super) last: Option<u64>,
    pub(super) refused: Vec<Refusal>,
    pub(super) input_bytes: u64,
    /// Why the rest was not sent.
    pub(super) failure: Option<ClientError>,
}

/// Sends batches.
pub(super) struct Sender<T> {
    transport: T,
    seed: String,
    /// Whether the server has ever answered: one that never did is not waited for.
    met: AtomicBool,
}

impl<T: Transport> Sender<T> {
    /// Makes a sender; the seed is for the jitter of its waits.
    pub(super) fn new(transport: T, seed: &str) -> Self {
        Self { transport, seed: seed.to_owned(), met: AtomicBool::new(false) }
    }

    /// Sends a batch. Where it is refused, its parts are sent in their order, until each event at fault is alone.
    pub(super) async fn send(&self, batch: Batch) -> Outcome {
        let mut outcome = Outcome { input_bytes: batch.input_bytes, ..Outcome::default() };
        // The parts still to be sent, the next one last.
        let mut parts: Vec<Range<usize>> = std::iter::once(0..batch.len()).collect();
        while let Some(part) = parts.pop() {
            if part.is_empty() {
                continue;
            }
            match self.deliver(batch.body(part.clone())).await {
                Ok(Verdict::Accepted(answer)) => outcome.accept(part.len() as u64, Receipt::of(&answer)),
                Ok(Verdict::Refused(answer)) if part.len() == 1 => {
                    let message = answer.messages();
                    let own = fault_in(&message).map_or(message.as_str(), |(_, own)| own);
                    outcome.refused.push(batch.refusal(part.start, own.to_owned()));
                }
                Ok(Verdict::Refused(answer)) => parts.extend(divided(part, &answer.messages())),
                Err(error) => {
                    outcome.failure = Some(error);
                    break;
                }
            }
        }
        outcome.refused.extend(batch.refused);
        outcome
    }

    /// Sends a body, again and again where the server is busy or away for a while.
    pub(super) async fn deliver(&self, body: Bytes) -> Result<Verdict, ClientError> {
        let mut backoff = Backoff::new(&self.seed);
        loop {
            let (error, asked) = match self.transport.post(body.clone()).await {
                Ok(answer) => {
                    self.met.store(true, Ordering::Relaxed);
                    match answer.status.as_u16() {
                        200..=299 => return Ok(Verdict::Accepted(answer)),
                        400 | 403 | 409 | 413 | 415 | 422 => return Ok(Verdict::Refused(answer)),
                        _ => (self.transport.refused(&answer), answer.retry_after()),
                    }
                }
                Err(error) => (error, None),
            };
            // Emitting again what may have arrived is safe: source and id are unique.
            let helps = error.is_passing() && self.met.load(Ordering::Relaxed);
            if !helps || backoff.attempts() >= REPEATS_MAX {
                return Err(error);
            }
            self.transport.rest(backoff.next(asked)).await;
        }
    }
}

impl Outcome {
    fn accept(&mut self, events: u64, receipt: Option<Receipt>) {
        self.accepted += events;
        if let Some(Receipt { first, last, duplicates, quarantined }) = receipt {
            self.duplicates += duplicates;
            self.quarantined += quarantined;
            self.first = self.first.into_iter().chain([first]).min();
            self.last = self.last.max(Some(last));
        }
    }
}

/// Returns the parts of a refused part, the first one last: around the event that the server names, else its halves.
fn divided(part: Range<usize>, message: &str) -> [Range<usize>; 3] {
    let (start, end) = (part.start, part.end);
    match fault_in(message).and_then(|(index, _)| start.checked_add(index)) {
        Some(fault) if part.contains(&fault) => [fault + 1..end, fault..fault + 1, start..fault],
        _ => {
            let middle = start + part.len() / 2;
            [end..end, middle..end, start..middle]
        }
    }
}

/// Finds the index of an event in what the server says, and what it says about it.
fn fault_in(message: &str) -> Option<(usize, &str)> {
    let (index, own) = message.strip_prefix(IN_BATCH[0])?.split_once(IN_BATCH[1])?;
    Some((index.parse().ok()?, own))
}
