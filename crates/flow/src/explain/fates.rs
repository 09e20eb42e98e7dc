//! What each subscription made of an event.

use std::{collections::HashMap, sync::Arc};

use weir_catalog::Subscription;
use weir_domain::{Position, SpaceName};
use weir_log::Recorded;

use super::{
    ExplainError, ExplainedDelivery, ExplainedEffect, ExplainedLetter, ExplainedReplay, Fate, FilterTerm,
    LetterStanding, Mismatch, Wait,
    facts::{self, Attempts, ReplayFact},
    history::{End, History, Link},
    waits,
};
use crate::{flow::Shared, progress::Progress, snapshot::Snapshot};

/// How many subscriptions are told of.
const DELIVERIES_MAX: usize = 256;

/// What is told of the subscriptions.
pub(super) struct Fates {
    pub(super) deliveries: Vec<ExplainedDelivery>,
    /// How many more there are.
    pub(super) left: usize,
}

/// What is known before any of them is looked at.
pub(super) struct Known<'a> {
    pub(super) shared: &'a Shared,
    pub(super) space: &'a SpaceName,
    pub(super) recorded: &'a Recorded,
    pub(super) history: &'a History,
    pub(super) replays: &'a [ReplayFact],
    pub(super) effects: &'a [ExplainedEffect],
}

/// Tells of the subscriptions at these places of the history.
pub(super) async fn of_all(known: Known<'_>, chosen: Vec<usize>) -> Result<Fates, ExplainError> {
    let attempts = facts::attempts(known.shared, known.space, known.recorded.position).await?;
    let snapshot = known.shared.state.borrow().clone();
    let asking = Asking { known, attempts, snapshot };
    let left = chosen.len().saturating_sub(DELIVERIES_MAX);
    let mut deliveries = Vec::with_capacity(chosen.len() - left);
    for index in chosen.into_iter().take(DELIVERIES_MAX) {
        deliveries.push(asking.delivery(&asking.known.history.links[index]).await?);
    }
    Ok(Fates { deliveries, left })
}

struct Asking<'a> {
    known: Known<'a>,
    attempts: HashMap<String, Attempts>,
    snapshot: Arc<Snapshot>,
}

impl Asking<'_> {
    fn position(&self) -> Position {
        self.known.recorded.position
    }

    async fn delivery(&self, link: &Link) -> Result<ExplainedDelivery, ExplainError> {
        let it = &link.subscription;
        let (mismatch, terms) = self.compared(it);
        let mut letters = self.letters(it, None).await?;
        let fate = self.fate(link, mismatch, &letters).await?;
        let mut replays = Vec::new();
        for replay in self.known.replays.iter().filter(|replay| replay.subscription == it.id.as_str()) {
            let further = self.letters(it, Some(&replay.id)).await?;
            let matched = mismatch.is_none() && replay.matches(&self.known.recorded.event);
            let letter = further.first().map(|letter| letter.position);
            let (id, position) = (replay.id.clone(), replay.position);
            replays.push(ExplainedReplay { id, position, state: replay.state, matched, letter });
            letters.extend(further);
        }
        let attempts = self.attempts.get(it.id.as_str());
        Ok(ExplainedDelivery {
            subscription: it.id.to_string(),
            function: it.function.to_string(),
            event_type: it.event_type.to_string(),
            made: link.begin,
            continues: link.continues.as_ref().map(ToString::to_string),
            method: it.method.to_string(),
            path: it.path.clone(),
            filter: it.filter.as_ref().map(weir_routing::Filter::canonical),
            terms,
            fate,
            failures: attempts.map_or(0, |it| it.failures),
            attempts: attempts.map(|it| it.told.clone()).unwrap_or_default(),
            letters,
            replays,
            changes: link.changes.clone(),
        })
    }

    async fn letters(&self, it: &Subscription, replay: Option<&str>) -> Result<Vec<ExplainedLetter>, ExplainError> {
        let Known { shared, space, recorded, .. } = self.known;
        let mut letters = facts::letters(shared, space, it.id.as_str(), recorded.position, replay).await?;
        let last = letters.len().saturating_sub(1);
        for (index, letter) in letters.iter_mut().enumerate() {
            if let LetterStanding::Redriven { at, by, is_done } = &mut letter.standing {
                *is_done = index < last || self.is_redriven(by, *at).await?;
            }
        }
        Ok(letters)
    }

    /// Tells whether a subscription has done with what it was asked to deliver again.
    async fn is_redriven(&self, by: &str, at: Position) -> Result<bool, ExplainError> {
        let mut links = self.known.history.links.iter().rev();
        let Some(link) = links.find(|link| link.end.is_none() && link.subscription.id.as_str() == by) else {
            return Ok(false);
        };
        let progress = waits::progress(self.known.shared, &link.cursor).await?;
        Ok(progress.is_some_and(|progress| progress.redrives.is_done(at)))
    }

    /// Asks a subscription as its worker asks it.
    fn compared(&self, it: &Subscription) -> (Option<Mismatch>, Vec<FilterTerm>) {
        let event = &self.known.recorded.event;
        if it.event_type.as_str() != event.event_type() {
            return (Some(Mismatch::Type), Vec::new());
        }
        if !it.entrance().takes_event(event, self.known.shared.options.compatibility.matching()) {
            return (Some(Mismatch::Arrival), Vec::new());
        }
        let Some(filter) = &it.filter else { return (None, Vec::new()) };
        let explained = filter.explain(event);
        let terms = explained.terms.into_iter().map(|term| FilterTerm {
            pointer: term.pointer,
            dialect: term.dialect,
            attribute: term.attribute,
            wanted: term.wanted,
            found: term.found,
            matched: term.matched,
            decided: term.decided,
        });
        ((!explained.matched).then_some(Mismatch::Filter), terms.collect())
    }

    async fn fate(
        &self,
        link: &Link,
        mismatch: Option<Mismatch>,
        letters: &[ExplainedLetter],
    ) -> Result<Fate, ExplainError> {
        if link.ended() <= self.position() {
            return Ok(Fate::TooLate { ended: link.ended() });
        }
        if let Some(mismatch) = mismatch {
            return Ok(Fate::NotMatched(mismatch));
        }
        let begins = waits::begins(self.known.shared, link).await?;
        if begins >= self.position() {
            return Ok(Fate::BeforeStart { begins });
        }
        let before = self.earlier(link);
        for earlier in &before {
            if self.has_done(earlier).await? {
                return Ok(Fate::DoneBefore { by: earlier.subscription.id.to_string() });
            }
        }
        if let Some(fate) = of_letters(letters) {
            return Ok(fate);
        }
        if self.has_effects(link) {
            return Ok(Fate::Delivered { or_before: None, redriven: None });
        }
        let or_before = before.last().map(|it| (it.subscription.id.to_string(), link.begin));
        let done = Fate::Delivered { or_before, redriven: None };
        match &link.end {
            Some(End::Replaced { at, by }) => Ok(Fate::Continued { by: by.to_string(), at: *at }),
            Some(End::Deleted(deleted)) => self.deleted(link, *deleted, done).await,
            None => {
                let attempts = self.attempts.get(link.subscription.id.as_str());
                let open = waits::open(&self.known, &self.snapshot, link, attempts).await?;
                Ok(open.unwrap_or(done))
            }
        }
    }

    /// Returns the subscriptions of which one came in the place of the other, up to this one, as far as the event was
    /// one of theirs.
    fn earlier(&self, link: &Link) -> Vec<&Link> {
        let is_earlier = |it: &&Link| {
            it.cursor == link.cursor
                && it.begin < link.begin
                && it.ended() > self.position()
                && self.compared(&it.subscription).0.is_none()
        };
        self.known.history.links.iter().filter(is_earlier).collect()
    }

    /// Tells whether there is proof that a subscription had done with the event.
    async fn has_done(&self, link: &Link) -> Result<bool, ExplainError> {
        let Known { shared, space, recorded, .. } = self.known;
        let letters = facts::letters(shared, space, link.subscription.id.as_str(), recorded.position, None).await?;
        Ok(!letters.is_empty() || self.has_effects(link))
    }

    fn has_effects(&self, link: &Link) -> bool {
        let id = link.subscription.id.as_str();
        self.known.effects.iter().any(|effect| effect.subscription.as_deref() == Some(id))
    }

    /// Tells what became of an event whose subscription was deleted after it came.
    async fn deleted(&self, link: &Link, deleted: Position, done: Fate) -> Result<Fate, ExplainError> {
        let Known { shared, recorded, .. } = self.known;
        let position = recorded.position;
        // While it is there, what waited is not recorded yet.
        let progress = match shared.cursors.known(&link.cursor) {
            Some(progress) => Some(progress),
            None => {
                let stored = shared.log.load_checkpoint(&link.cursor.checkpoint()).await?;
                stored.and_then(|bytes| Progress::decode(&bytes))
            }
        };
        if let Some(progress) = progress {
            let is_done = progress.log.is_done(position, recorded.key.as_ref());
            return Ok(if is_done { done } else { Fate::Ending { deleted } });
        }
        let dropped = facts::dropped(shared, &link.cursor, link.subscription.id.as_str()).await?;
        let Some(dropped) = dropped.filter(|it| it.from <= position && (position <= it.to || it.more)) else {
            return Ok(done);
        };
        let is_certain = position == dropped.from || position == dropped.to;
        Ok(Fate::Dropped { record: dropped.position, is_certain })
    }
}

/// Tells what became of an event by its dead letters, if there are any.
fn of_letters(letters: &[ExplainedLetter]) -> Option<Fate> {
    let last = letters.last()?;
    Some(match &last.standing {
        LetterStanding::Redriven { at, is_done: true, .. } => Fate::Delivered { or_before: None, redriven: Some(*at) },
        LetterStanding::Redriven { at, .. } => Fate::Waiting(Wait::Redrive { at: *at }),
        standing => Fate::DeadLetter { position: last.position, standing: standing.clone() },
    })
}
