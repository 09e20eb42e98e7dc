//! Dead letters: deliveries that were given up, and what is decided about them.
//!
//! A dead letter is an event [`DELIVERY_FAILED`](crate::DELIVERY_FAILED), which the worker of its subscription wrote. What
//! is decided about it are events too, from which that worker reads what it is to do:
//!
//! | type | identifier | says |
//! |---|---|---|
//! | [`DEADLETTER_PATCHED`] | `{position}/patched/{n}`, n from 1 | in which other form it is to be delivered; the last one counts |
//! | [`DEADLETTER_REDRIVEN`] | `{position}/redriven` | it is to be delivered again |
//! | [`DEADLETTER_DISCARDED`] | `{position}/discarded` | it is not to be delivered |
//!
//! The position is that of the dead letter. Whether one is decided is a look-up of these identifiers, so that nothing is
//! folded and nothing kept in memory. A decision is appended on condition that no other came since it was looked: of two
//! at the same time one wins. Each letter is redriven or discarded once; where its delivery fails again, there is a new one.

mod deciding;
mod error;
mod letter;
mod patching;
mod reading;
mod successors;

use weir_domain::{Key, Limits, Position, SpaceName};

use crate::Flow;
use deciding::Verdict;
pub use deciding::{LetterDecided, LettersDecided};
pub use error::LetterError;
pub use letter::{DeadLetter, LetterDetails, LetterEvent, LetterPatched, LetterState};
pub use patching::LetterPatch;
pub use reading::LetterPage;
pub(crate) use reading::is_decided;

/// The type of the event that says in which other form a dead letter is to be delivered.
pub const DEADLETTER_PATCHED: &str = "weir.deadletter.patched";

/// The type of the event that says that a dead letter is to be delivered again.
pub const DEADLETTER_REDRIVEN: &str = "weir.deadletter.redriven";

/// The type of the event that says that a dead letter is not to be delivered.
pub const DEADLETTER_DISCARDED: &str = "weir.deadletter.discarded";

/// What was admitted once is read whatever the limits are now.
pub(crate) const NO_LIMITS: Limits = Limits {
    event_bytes_max: usize::MAX,
    request_bytes_max: usize::MAX,
    batch_events_max: usize::MAX,
    extensions_max: usize::MAX,
    attribute_bytes_max: usize::MAX,
    hops_max: u32::MAX,
};

/// What a worker must know of.
pub(crate) const DECISIONS: [&str; 2] = [DEADLETTER_REDRIVEN, DEADLETTER_DISCARDED];

/// The source of all that is decided.
const SOURCE: &str = "/weir/deadletters";

/// How often a decision is made anew because another one came first.
const TRIES_MAX: u32 = 16;

/// Which dead letters are meant; what is not said is no bound.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LetterSelection {
    /// Those of the subscription of this identifier.
    pub subscription: Option<String>,
    /// Those about events of this type.
    pub event_type: Option<String>,
    /// Those of this key.
    pub key: Option<Key>,
}

/// Which part of the dead letters of a space is asked for.
#[derive(Clone, Debug)]
pub struct LetterQuery {
    /// Which ones.
    pub selection: LetterSelection,
    /// Those of which this was decided; `None` is all.
    pub state: Option<LetterState>,
    /// The first position that may be returned.
    pub from: Position,
    /// The most of them.
    pub limit: usize,
}

impl LetterSelection {
    /// Tells whether it sets no bound: all are meant.
    #[must_use]
    pub const fn is_everything(&self) -> bool {
        let Self { subscription, event_type, key } = self;
        subscription.is_none() && event_type.is_none() && key.is_none()
    }

    fn takes(&self, letter: &DeadLetter) -> bool {
        let is = |wanted: &Option<String>, own: &str| wanted.as_ref().is_none_or(|wanted| wanted == own);
        is(&self.subscription, &letter.subscription)
            && is(&self.event_type, &letter.event.event_type)
            && self.key.as_ref().is_none_or(|key| letter.key.as_ref() == Some(key))
    }
}

impl Flow {
    /// Lists dead letters in the order of the log.
    ///
    /// A page may have fewer of them than asked for, even none, without being the last one.
    ///
    /// # Errors
    /// Where the log cannot be read.
    pub async fn dead_letters(&self, space: &SpaceName, query: &LetterQuery) -> Result<LetterPage, LetterError> {
        reading::page(&self.shared, space, query).await
    }

    /// Reads one dead letter with its attempts, the event, and the form in which that is to be delivered instead.
    ///
    /// # Errors
    /// Where there is none at the position, or the log cannot be read.
    pub async fn dead_letter(&self, space: &SpaceName, position: Position) -> Result<LetterDetails, LetterError> {
        reading::details(&self.shared, space, position).await
    }

    /// Gives the event of a dead letter another form, in which it is delivered when the letter is redriven. It keeps its
    /// identifier, source, type, key and everything that the platform wrote into it.
    ///
    /// # Errors
    /// Where there is no such letter, it is decided already, or the new form is refused.
    pub async fn patch_dead_letter(
        &self,
        space: &SpaceName,
        position: Position,
        patch: LetterPatch<'_>,
    ) -> Result<LetterPatched, LetterError> {
        patching::patch(&self.shared, space, position, patch).await
    }

    /// Has a dead letter delivered again, in its last form and before what waits of its key: by its own subscription or the
    /// one that took its place, or where neither is there any more by the one that is named. What was redriven before is
    /// answered with that receipt.
    ///
    /// # Errors
    /// Where there is no such letter, it was discarded, or no subscription can deliver it.
    pub async fn redrive_dead_letter(
        &self,
        space: &SpaceName,
        position: Position,
        to: Option<&str>,
    ) -> Result<LetterDecided, LetterError> {
        deciding::one(&self.shared, space, position, Verdict::Redrive { to }).await
    }

    /// Gives a dead letter up for good; a key that it holds goes on. What was discarded before is answered with that
    /// receipt.
    ///
    /// # Errors
    /// Where there is no such letter, or it was redriven.
    pub async fn discard_dead_letter(
        &self,
        space: &SpaceName,
        position: Position,
        reason: Option<&str>,
    ) -> Result<LetterDecided, LetterError> {
        deciding::one(&self.shared, space, position, Verdict::Discard { reason }).await
    }

    /// Has all open dead letters of a selection delivered again as [`redrive_dead_letter`](Self::redrive_dead_letter) does,
    /// in the order of their events, so that each key keeps its own. Letters that cannot be delivered stay open and are
    /// told of.
    ///
    /// # Errors
    /// Where there are too many of them, or the log fails: some may be redriven then, and the same call does the rest.
    pub async fn redrive_dead_letters(
        &self,
        space: &SpaceName,
        selection: &LetterSelection,
        to: Option<&str>,
    ) -> Result<LettersDecided, LetterError> {
        deciding::all(&self.shared, space, selection, Verdict::Redrive { to }).await
    }

    /// Gives all open dead letters of a selection up for good.
    ///
    /// # Errors
    /// As [`redrive_dead_letters`](Self::redrive_dead_letters).
    pub async fn discard_dead_letters(
        &self,
        space: &SpaceName,
        selection: &LetterSelection,
        reason: Option<&str>,
    ) -> Result<LettersDecided, LetterError> {
        deciding::all(&self.shared, space, selection, Verdict::Discard { reason }).await
    }
}
