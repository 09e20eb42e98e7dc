//! The declaration of an event type.

use std::{
    collections::BTreeMap,
    sync::{Arc, LazyLock},
};

use weir_domain::{Event, FunctionId, Key};

use crate::{DataFault, EventTypeName, KeyError, KeyRule, Schema};

/// An event type of one space.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventType {
    /// The CloudEvents attribute `type` of its events.
    pub name: EventTypeName,
    /// What its events are ordered by.
    pub key: KeyRule,
    /// What it means, for people.
    pub description: Option<String>,
    /// The function that allows or denies each of its events.
    pub authorizer: Option<FunctionId>,
    /// For how long what it allowed holds for the same sender, in milliseconds; 0 is for that one event.
    pub authorizer_cache_ms: u32,
    /// What the data of its events must be; without one they may be anything.
    pub schema: Option<Schema>,
    /// The number of the newest schema that the type ever had, from 1; 0 where it never had one. Planning gives it.
    pub schema_version: u32,
    /// What becomes of events whose data break the schema.
    pub on_invalid: OnInvalid,
    /// Free texts of its owner.
    pub metadata: BTreeMap<String, String>,
}

/// What becomes of an event whose data break the schema of its type.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnInvalid {
    /// Who sent it is told, and nothing is kept.
    #[default]
    Refuse,
    /// It is kept apart, in an event of the platform that no subscription of the type is given.
    Quarantine,
}

impl OnInvalid {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::Refuse, Self::Quarantine];

    /// Reads the name.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|each| each.as_str() == text)
    }

    /// Returns the name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Refuse => "refuse",
            Self::Quarantine => "quarantine",
        }
    }
}

impl EventType {
    /// Declares an event type with nothing but its name.
    #[must_use]
    pub fn new(name: EventTypeName) -> Self {
        Self {
            name,
            key: KeyRule::Default,
            description: None,
            authorizer: None,
            authorizer_cache_ms: 0,
            schema: None,
            schema_version: 0,
            on_invalid: OnInvalid::default(),
            metadata: BTreeMap::new(),
        }
    }

    /// Finds the key of an event of this type; `None` where the event stands alone.
    ///
    /// # Errors
    /// Where the event has no key although the type declares one, or a key that cannot be used. The message names the
    /// place and the cure.
    pub fn key_of(&self, event: &Event) -> Result<Option<Key>, KeyError> {
        self.key.key_of(event)
    }

    /// Checks the data of an event of this type against the schema, if there is one.
    ///
    /// # Errors
    /// Everything that is wrong with the data, or that the schema cannot be used.
    pub fn check(&self, event: &Event) -> Result<(), DataFault> {
        self.schema.as_ref().map_or(Ok(()), |schema| schema.check(event))
    }

    /// Returns how much work [`check`](Self::check) is: bytes of data times schemas that apply to one value, and nothing
    /// without a schema.
    #[must_use]
    pub fn work(&self, event: &Event) -> u64 {
        self.schema.as_ref().map_or(0, |schema| schema.work(event))
    }

    /// Tells whether two declarations say the same. The number of the schema is no part of a declaration.
    #[must_use]
    pub fn declares_the_same_as(&self, other: &Self) -> bool {
        Self { schema_version: other.schema_version, ..self.clone() } == *other
    }

    /// Gives the schema its number after those that the type had before. An equal one keeps its number, and what was
    /// compiled of it.
    pub(crate) fn succeed(&mut self, before: &Self) {
        self.schema_version = before.schema_version;
        if self.schema == before.schema {
            self.schema.clone_from(&before.schema);
        } else if self.schema.is_some() {
            self.schema_version = before.schema_version.saturating_add(1);
        }
    }

    /// What every space knows without registration: `http.request`, and what the platform tells.
    pub(crate) fn built_in(name: &str) -> Option<&'static Arc<Self>> {
        static HTTP_REQUEST: LazyLock<Arc<EventType>> =
            LazyLock::new(|| Arc::new(EventType::new(EventTypeName::http_request())));
        (name == crate::HTTP_REQUEST).then(|| &*HTTP_REQUEST).or_else(|| crate::SystemEvent::event_type(name))
    }
}
