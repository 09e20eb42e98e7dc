//! Why nothing is done with a dead letter.

use std::time::Duration;

use weir_catalog::stored::StoredError;
use weir_cloudevents::DecodeError;
use weir_domain::{ErrorKind, Position};
use weir_log::LogError;

use super::LetterState;
use crate::Refusal;

/// Why nothing is done with a dead letter.
#[derive(Debug, thiserror::Error)]
pub enum LetterError {
    /// There is none.
    #[error("the space has no dead letter at position {position}: list what there is")]
    NotFound {
        /// Where it was looked for.
        position: Position,
    },
    /// Something else was decided about it before.
    #[error("the dead letter at position {position} was {} already, at position {at}", .state.as_str())]
    Decided {
        /// Which one.
        position: Position,
        /// What was decided.
        state: LetterState,
        /// Where that stands.
        at: Position,
    },
    /// Nobody is there to deliver it.
    #[error(
        "the subscription of the dead letter at position {position} is gone: name another one of its event type that is to \
         deliver it"
    )]
    Gone {
        /// Which one.
        position: Position,
    },
    /// Its own subscription is there, and another one is named.
    #[error(
        "the dead letter at position {position} is one of subscription \"{own}\", which is there: leave the other one out"
    )]
    NotItsOwn {
        /// Which one.
        position: Position,
        /// Its subscription.
        own: String,
    },
    /// The subscription that is named cannot deliver it.
    #[error(
        "subscription \"{named}\" is none that is given events of type {event_type:?} from the log: name another one"
    )]
    Unfit {
        /// The subscription.
        named: String,
        /// The type of the event.
        event_type: String,
    },
    /// What is to change it is no JSON, or no JSON object.
    #[error("the patch is none: {detail}")]
    Patch {
        /// What is wrong with it.
        detail: String,
    },
    /// What would come out is no event.
    #[error(transparent)]
    Event(#[from] DecodeError),
    /// A patch changes what must stay.
    #[error("a patch cannot change the attribute {name:?}: leave it as it is")]
    Fixed {
        /// The attribute.
        name: &'static str,
    },
    /// The event is one of the platform.
    #[error("events of type {event_type:?} are the platform's: deliver it as it is, or discard it")]
    OfThePlatform {
        /// Its type.
        event_type: String,
    },
    /// A patch would give the event another key, and so another order.
    #[error("the patched event has the key {given}, and must keep the key {own}")]
    Key {
        /// The key that it would have.
        given: String,
        /// The key that it has.
        own: String,
    },
    /// The patched event is not admitted.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// It was patched too often.
    #[error("the dead letter at position {position} has {max} patches, as many as it may: redrive or discard it")]
    TooManyPatches {
        /// Which one.
        position: Position,
        /// How many that is.
        max: u32,
    },
    /// The selection is too large.
    #[error("more than {max} dead letters match: select fewer, for example those of one subscription")]
    TooMany {
        /// How many there may be.
        max: usize,
    },
    /// Others decide all the time.
    #[error("others decide about dead letters at this moment: repeat the request later")]
    Busy,
    /// What is kept of it cannot be read.
    #[error("the dead letter at position {position} cannot be read: {detail}")]
    Unreadable {
        /// Which one.
        position: Position,
        /// What is wrong with it.
        detail: String,
    },
    /// The configuration of the past cannot be read.
    #[error("the configuration change at position {position} cannot be read")]
    Stored {
        /// Where it stands.
        position: Position,
        /// What is wrong with it.
        #[source]
        source: StoredError,
    },
    /// The log failed.
    #[error("the log cannot be read or written")]
    Log(#[from] LogError),
}

impl LetterError {
    /// Tells what the reader must do next.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::NotFound { .. } => ErrorKind::NotFound,
            Self::Decided { .. } => ErrorKind::Conflict,
            Self::Gone { .. }
            | Self::NotItsOwn { .. }
            | Self::Unfit { .. }
            | Self::Patch { .. }
            | Self::Event(_)
            | Self::Fixed { .. }
            | Self::OfThePlatform { .. }
            | Self::Key { .. }
            | Self::TooManyPatches { .. }
            | Self::TooMany { .. } => ErrorKind::Invalid,
            Self::Refused(refusal) => refusal.kind(),
            Self::Busy => ErrorKind::Unavailable { retry_after: Some(Duration::from_secs(1)) },
            Self::Unreadable { .. } => ErrorKind::Corrupt,
            Self::Stored { source, .. } => source.kind(),
            Self::Log(error) => error.kind(),
        }
    }

    /// Tells whether it is about the one letter, so that others can be gone on with.
    pub(super) const fn is_of_letter(&self) -> bool {
        matches!(self, Self::Gone { .. } | Self::NotItsOwn { .. } | Self::Unfit { .. } | Self::Unreadable { .. })
    }
}
