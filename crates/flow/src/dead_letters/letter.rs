//! What a dead letter tells.

use std::collections::BTreeMap;

use serde_json::value::RawValue;
use weir_domain::{Data, Event, Key, Position, Timestamp};
use weir_log::Recorded;

use crate::DELIVERY_FAILED;

/// A dead letter, without its attempts and the event itself.
#[derive(Clone, Debug)]
pub struct DeadLetter {
    /// Where it stands.
    pub position: Position,
    /// When it was recorded.
    pub recorded: Timestamp,
    /// The subscription that gave it up.
    pub subscription: String,
    /// The function of that.
    pub function: String,
    /// The event that was not delivered.
    pub event: LetterEvent,
    /// The key of that.
    pub key: Option<Key>,
    /// Later events of the key wait until it is decided.
    pub held: bool,
    /// How often the function was called with it.
    pub attempts: u64,
    /// Why the last attempt failed, in a sentence.
    pub error: String,
    /// The same in a word.
    pub cause: Option<String>,
    /// The HTTP status that the last attempt was answered with.
    pub status: Option<u16>,
    /// The decision by which the event was delivered again, where that is what failed.
    pub redriven: Option<Position>,
    /// The replay that the delivery was part of.
    pub replay: Option<String>,
    /// What was decided about it.
    pub state: LetterState,
    /// Where the decision stands; the origin where there is none.
    pub decided_at: Position,
}

/// By what the event of a dead letter is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LetterEvent {
    /// Its attribute `id`.
    pub id: String,
    /// Its attribute `source`.
    pub source: String,
    /// Its attribute `type`.
    pub event_type: String,
    /// Where it stands.
    pub position: Position,
}

/// What was decided about a dead letter.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LetterState {
    /// Nothing yet.
    #[default]
    Open,
    /// It is delivered again.
    Redriven,
    /// It is given up for good.
    Discarded,
}

impl LetterState {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Open, Self::Redriven, Self::Discarded];

    /// Returns the name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Redriven => "redriven",
            Self::Discarded => "discarded",
        }
    }

    /// Reads the name.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|each| each.as_str() == text)
    }
}

/// All of a dead letter. What is JSON is as it was written.
#[derive(Clone, Debug)]
pub struct LetterDetails {
    /// The letter.
    pub letter: DeadLetter,
    /// The event types and functions that follow one another without an end, where that is why.
    pub cycle: Option<Box<RawValue>>,
    /// The attempts; `None` in a letter that an older Weir wrote.
    pub history: Option<Box<RawValue>>,
    /// The event, in the JSON format of CloudEvents.
    pub original: Box<RawValue>,
    /// Its last other form.
    pub patched: Option<LetterPatched>,
    /// The event that the letter is.
    pub(super) itself: Event,
}

/// The form in which an event is to be delivered instead.
#[derive(Clone, Debug)]
pub struct LetterPatched {
    /// Where it stands.
    pub position: Position,
    /// How many forms there were up to this one.
    pub number: u32,
    /// The event, in the JSON format of CloudEvents.
    pub event: Box<RawValue>,
}

impl LetterDetails {
    /// Returns the form in which the event would be delivered now.
    #[must_use]
    pub fn latest(&self) -> &RawValue {
        match &self.patched {
            Some(patched) => &patched.event,
            None => &self.original,
        }
    }
}

/// The members of a JSON object, each as it was written.
pub(super) struct Members<'a>(BTreeMap<String, &'a RawValue>);

impl<'a> Members<'a> {
    pub(super) fn of(event: &'a Event) -> Option<Self> {
        let Data::Json(data) = event.data() else { return None };
        Self::read(data)
    }

    fn read(text: &'a str) -> Option<Self> {
        serde_json::from_str(text).ok().map(Self)
    }

    /// Returns a member; `null` is as good as absent.
    pub(super) fn raw(&self, name: &str) -> Option<&'a RawValue> {
        self.0.get(name).copied().filter(|raw| raw.get() != "null")
    }

    pub(super) fn owned(&self, name: &str) -> Option<Box<RawValue>> {
        self.raw(name).map(ToOwned::to_owned)
    }

    fn object(&self, name: &str) -> Option<Self> {
        Self::read(self.raw(name)?.get())
    }

    fn text(&self, name: &str) -> Option<String> {
        serde_json::from_str(self.raw(name)?.get()).ok()
    }

    fn number(&self, name: &str) -> Option<u64> {
        serde_json::from_str(self.raw(name)?.get()).ok()
    }
}

/// Tells whether an event is a dead letter: nobody but the platform writes this type.
pub(super) fn is_letter(recorded: &Recorded) -> bool {
    recorded.event.event_type() == DELIVERY_FAILED
}

/// Reads a dead letter as it was written, of which nothing is known to be decided; `None` where it is none. Letters of an
/// older Weir lack what came later.
pub(super) fn read(recorded: &Recorded) -> Option<DeadLetter> {
    let members = Members::of(&recorded.event)?;
    let event = members.object("event")?;
    Some(DeadLetter {
        position: recorded.position,
        recorded: recorded.recorded,
        subscription: members.text("subscriptionId")?,
        function: members.text("functionId")?,
        event: LetterEvent {
            id: event.text("id")?,
            source: event.text("source")?,
            event_type: event.text("type")?,
            position: Position::new(event.number("position")?),
        },
        key: recorded.key.clone(),
        held: members.raw("held").is_some_and(|raw| raw.get() == "true"),
        attempts: members.number("attempts").unwrap_or_default(),
        error: members.text("error").unwrap_or_default(),
        cause: members.text("cause"),
        status: members.number("status").and_then(|status| u16::try_from(status).ok()),
        redriven: members.number("redriven").map(Position::new),
        replay: members.text("replayId"),
        state: LetterState::Open,
        decided_at: Position::ORIGIN,
    })
}
