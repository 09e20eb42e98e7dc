//! The declaration of an event type.

use std::{
    collections::BTreeMap,
    sync::{Arc, LazyLock},
};

use weir_domain::{Event, FunctionId, Key};

use crate::{EventTypeName, KeyError, KeyRule};

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
    /// Free texts of its owner.
    pub metadata: BTreeMap<String, String>,
}

impl EventType {
    /// Declares an event type with nothing but its name.
    #[must_use]
    pub fn new(name: EventTypeName) -> Self {
        Self { name, key: KeyRule::Default, description: None, authorizer: None, metadata: BTreeMap::new() }
    }

    /// Finds the key of an event of this type; `None` where the event stands alone.
    ///
    /// # Errors
    /// Where the event has no key although the type declares one, or a key that cannot be used. The message names the
    /// place and the cure.
    pub fn key_of(&self, event: &Event) -> Result<Option<Key>, KeyError> {
        self.key.key_of(event)
    }

    /// What every space knows without registration: `http.request`.
    pub(crate) fn built_in(name: &str) -> Option<&'static Arc<Self>> {
        static HTTP_REQUEST: LazyLock<Arc<EventType>> =
            LazyLock::new(|| Arc::new(EventType::new(EventTypeName::http_request())));
        (name == crate::HTTP_REQUEST).then(|| &*HTTP_REQUEST)
    }
}
