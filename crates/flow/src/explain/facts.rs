//! What workers wrote into the log about the deliveries of an event.

use std::collections::HashMap;

use weir_cloudevents::time;
use weir_domain::{Event, Position, SpaceName};
use weir_log::{Filter, Read, Recorded};

use super::{ExplainError, ExplainedAttempt, ExplainedLetter, LetterStanding, finding, told::Told};
use crate::{
    DELIVERY_DROPPED, REPLAY_CANCELLED, REPLAY_FINISHED, REPLAY_STARTED,
    cursors::CursorName,
    delivery::{RECORDS_SOURCE, key_of_attempts},
    flow::Shared,
};

/// The source of what is decided about dead letters.
const DECISIONS_SOURCE: &str = "/weir/deadletters";
/// The source of what is told of replays.
const REPLAYS_SOURCE: &str = "/weir/replay";
/// How many attempts are read.
const ATTEMPTS_READ_MAX: usize = 16 * 1024;
/// How many attempts are told of each subscription: the first ones and the last ones.
const ATTEMPTS_TOLD: usize = 50;
/// Of these, the first ones.
const ATTEMPTS_TOLD_FIRST: usize = 10;
/// How many dead letters of one subscription are followed from one to the next.
const LETTERS_MAX: usize = 64;
/// How many replays are looked at.
const REPLAYS_READ_MAX: usize = 16 * 1024;
/// How many of these may have the event.
const REPLAYS_MAX: usize = 64;

/// The failed attempts of one subscription.
#[derive(Default)]
pub(super) struct Attempts {
    pub(super) failures: u64,
    pub(super) told: Vec<ExplainedAttempt>,
}

/// A replay whose part of the log has the event.
pub(super) struct ReplayFact {
    pub(super) id: String,
    pub(super) subscription: String,
    pub(super) position: Position,
    /// `None` where it is none.
    filter: Option<weir_routing::Filter>,
    pub(super) derivation: Option<String>,
    pub(super) state: &'static str,
}

impl ReplayFact {
    /// Tells whether the filter of the replay lets an event through.
    pub(super) fn matches(&self, event: &Event) -> bool {
        self.filter.as_ref().is_none_or(|filter| filter.matches(event))
    }
}

/// What is recorded about what waited for a deleted subscription.
pub(super) struct DropFact {
    pub(super) position: Position,
    pub(super) from: Position,
    pub(super) to: Position,
    pub(super) more: bool,
}

/// Reads the attempts that failed with an event, by subscription.
pub(super) async fn attempts(
    shared: &Shared,
    space: &SpaceName,
    event: Position,
) -> Result<HashMap<String, Attempts>, ExplainError> {
    let mut all: HashMap<String, Attempts> = HashMap::new();
    let Some(key) = key_of_attempts(event) else { return Ok(all) };
    let mut read = Read::forward(space.clone(), event).filter(Filter::Key(key));
    let mut count = 0;
    loop {
        let page = shared.log.read(read.clone()).await?;
        count += page.events.len();
        for recorded in &page.events {
            let Some((subscription, attempt)) = attempt(recorded) else { continue };
            let attempts = all.entry(subscription).or_default();
            attempts.failures += 1;
            if attempts.told.len() == ATTEMPTS_TOLD {
                attempts.told.remove(ATTEMPTS_TOLD_FIRST);
            }
            attempts.told.push(attempt);
        }
        if page.end || count >= ATTEMPTS_READ_MAX {
            return Ok(all);
        }
        read.from = page.next;
    }
}

fn attempt(recorded: &Recorded) -> Option<(String, ExplainedAttempt)> {
    let told = Told::of(&recorded.event)?;
    let attempt = ExplainedAttempt {
        position: recorded.position,
        recorded: recorded.recorded,
        attempt: told.number("attempt").unwrap_or_default(),
        cause: told.text("cause").unwrap_or_default(),
        status: status(&told),
        error: told.text("error").unwrap_or_default(),
        took_ms: told.number("tookMs").unwrap_or_default(),
        retry_at: told.text("retryAt").and_then(|text| time::parse(&text).ok()),
        replay: told.text("replayId"),
    };
    Some((told.text("subscriptionId")?, attempt))
}

fn status(told: &Told<'_>) -> Option<u16> {
    told.number("status").and_then(|status| u16::try_from(status).ok())
}

/// Reads the replays that began after an event and have its position in their part of the log.
pub(super) async fn replays(
    shared: &Shared,
    space: &SpaceName,
    event: Position,
) -> Result<Vec<ReplayFact>, ExplainError> {
    let mut read =
        Read::forward(space.clone(), event).filter(Filter::Types(vec![REPLAY_STARTED.to_owned()])).events_max(256);
    let (mut all, mut count) = (Vec::new(), 0);
    loop {
        let page = shared.log.read(read.clone()).await?;
        count += page.events.len();
        for recorded in &page.events {
            if let Some(mut replay) = replay(recorded, event) {
                replay.state = state_of(shared, space, &replay.id).await?;
                all.push(replay);
            }
        }
        if page.end || count >= REPLAYS_READ_MAX || all.len() >= REPLAYS_MAX {
            return Ok(all);
        }
        read.from = page.next;
    }
}

fn replay(recorded: &Recorded, event: Position) -> Option<ReplayFact> {
    let told = Told::of(&recorded.event)?;
    if told.position("from")? > event || told.position("to")? < event {
        return None;
    }
    let filter = told.raw("filter").and_then(|text| serde_json::from_str::<serde_json::Value>(text).ok());
    Some(ReplayFact {
        id: told.text("replayId")?,
        subscription: told.text("subscriptionId")?,
        position: recorded.position,
        filter: filter.and_then(|filter| weir_routing::Filter::parse_stored(&filter).ok()),
        derivation: told.text("as"),
        state: "running",
    })
}

async fn state_of(shared: &Shared, space: &SpaceName, id: &str) -> Result<&'static str, ExplainError> {
    for (event_type, state) in [(REPLAY_FINISHED, "finished"), (REPLAY_CANCELLED, "cancelled")] {
        let id = format!("{id}/{event_type}");
        if shared.log.find(space.clone(), REPLAYS_SOURCE.to_owned(), id).await?.is_some() {
            return Ok(state);
        }
    }
    Ok("running")
}

/// Reads the dead letters about an event that a delivery left, in order: where one is delivered again and that fails,
/// the next one follows. Whether what was asked for last is done is not known here.
pub(super) async fn letters(
    shared: &Shared,
    space: &SpaceName,
    subscription: &str,
    event: Position,
    replay: Option<&str>,
) -> Result<Vec<ExplainedLetter>, ExplainError> {
    let mut id = format!("{subscription}/{event}");
    if let Some(replay) = replay {
        id.push_str(&format!("/{replay}"));
    }
    let mut all = Vec::new();
    while all.len() < LETTERS_MAX {
        let Some(recorded) = finding::by_name(shared, space, RECORDS_SOURCE, &id).await? else { break };
        let mut letter = letter(&recorded);
        letter.standing = standing(shared, space, letter.position).await?;
        let again = match &letter.standing {
            LetterStanding::Redriven { at, by, .. } => Some(format!("{by}/{event}/{at}")),
            _ => None,
        };
        all.push(letter);
        match again {
            Some(again) => id = again,
            None => break,
        }
    }
    Ok(all)
}

fn letter(recorded: &Recorded) -> ExplainedLetter {
    let told = Told::of(&recorded.event);
    let told = told.as_ref();
    ExplainedLetter {
        position: recorded.position,
        recorded: recorded.recorded,
        attempts: told.and_then(|it| it.number("attempts")).unwrap_or_default(),
        error: told.and_then(|it| it.text("error")).unwrap_or_default(),
        held: told.is_some_and(|it| it.is_true("held")),
        replay: told.and_then(|it| it.text("replayId")),
        standing: LetterStanding::Open,
    }
}

/// Looks up what was decided about a dead letter.
async fn standing(shared: &Shared, space: &SpaceName, letter: Position) -> Result<LetterStanding, ExplainError> {
    let id = format!("{letter}/redriven");
    if let Some(redriven) = finding::by_name(shared, space, DECISIONS_SOURCE, &id).await? {
        let by = Told::of(&redriven.event).and_then(|told| told.text("subscriptionId")).unwrap_or_default();
        return Ok(LetterStanding::Redriven { at: redriven.position, by, is_done: false });
    }
    let id = format!("{letter}/discarded");
    let discarded = shared.log.find(space.clone(), DECISIONS_SOURCE.to_owned(), id).await?;
    Ok(discarded.map_or(LetterStanding::Open, |at| LetterStanding::Discarded { at }))
}

/// Reads the record of what waited when the last subscription of a cursor was deleted.
pub(super) async fn dropped(
    shared: &Shared,
    cursor: &CursorName,
    subscription: &str,
) -> Result<Option<DropFact>, ExplainError> {
    let id = format!("{subscription}/dropped/{}", cursor.created);
    let Some(recorded) = finding::by_name(shared, &cursor.space, RECORDS_SOURCE, &id).await? else { return Ok(None) };
    let told = Told::of(&recorded.event).filter(|_| recorded.event.event_type() == DELIVERY_DROPPED);
    Ok(told.and_then(|told| {
        let (from, to) = (told.position("from")?, told.position("to")?);
        Some(DropFact { position: recorded.position, from, to, more: told.is_true("more") })
    }))
}
