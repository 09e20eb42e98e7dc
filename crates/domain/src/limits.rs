//! Named upper bounds of what enters.

/// What the door accepts at most. Every bound has a default and its unit in its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// One event, attributes and data together, in bytes.
    pub event_bytes_max: usize,
    /// The body of one request in bytes.
    pub request_bytes_max: usize,
    /// Events in one batch.
    pub batch_events_max: usize,
    /// Extension attributes of one event, with those that the platform adds to it on its way into the log.
    pub extensions_max: usize,
    /// One attribute value in bytes.
    pub attribute_bytes_max: usize,
    /// How many functions may follow one another from one first event.
    pub hops_max: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            event_bytes_max: 1024 * 1024,
            request_bytes_max: 16 * 1024 * 1024,
            batch_events_max: 16 * 1024,
            extensions_max: 64,
            attribute_bytes_max: 8 * 1024,
            hops_max: 64,
        }
    }
}
