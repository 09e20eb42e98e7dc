//! The form in which a function outside of this process is given an event: a JSON object of CloudEvents.

use weir_cloudevents::{json, v01};
use weir_domain::Event;

/// More than the names of all attributes, so that a buffer grows once.
const NAMES_BYTES: usize = 256;

/// The version of CloudEvents in which an event is sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum EventForm {
    /// 1.0.
    #[default]
    V1,
    /// 0.1, as the Event Gateway sent it to the functions that were written for it.
    V01,
}

impl EventForm {
    /// Writes an event. Its media type is [`json::CONTENT_TYPE`] in both versions.
    pub(crate) fn encode(self, event: &Event) -> Vec<u8> {
        let mut body = Vec::with_capacity(event.size() + NAMES_BYTES);
        match self {
            Self::V1 => json::encode(event, &mut body),
            Self::V01 => v01::encode(event, &mut body),
        }
        body
    }

    /// Tells whether several events can be sent in one body.
    pub(crate) fn has_batches(self) -> bool {
        self == Self::V1
    }

    /// Writes events as a batch, which is one of 1.0. Its media type is [`json::BATCH_CONTENT_TYPE`].
    pub(crate) fn encode_batch<'a>(events: impl Iterator<Item = &'a Event> + Clone) -> Vec<u8> {
        let room = events.clone().map(|event| event.size() + NAMES_BYTES).sum();
        let mut body = Vec::with_capacity(room);
        json::encode_batch(events, &mut body);
        body
    }
}
