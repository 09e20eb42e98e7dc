//! What can be watched while events flow: the live picture of `weir dev` is drawn from it.

use std::time::Duration;

use weir_domain::{Event, FunctionId, Position, SpaceName};

/// Something that happened.
#[derive(Clone, Copy, Debug)]
pub enum Happening<'a> {
    /// A function was called and is done with an event.
    Called {
        /// The space.
        space: &'a SpaceName,
        /// The function.
        function: &'a FunctionId,
        /// The event it was given.
        event: &'a Event,
        /// Where that event stands, if it was recorded.
        position: Option<Position>,
        /// Which attempt this was, from 1.
        attempt: u32,
        /// How long the call took.
        took: Duration,
        /// The events it returned, which now stand in the log.
        returned: &'a [Event],
        /// The HTTP status it answered, on a route.
        status: Option<u16>,
    },
    /// A call failed.
    Failed {
        /// The space.
        space: &'a SpaceName,
        /// The function.
        function: &'a FunctionId,
        /// The event it was given.
        event: &'a Event,
        /// Where that event stands, if it was recorded.
        position: Option<Position>,
        /// Which attempt this was, from 1.
        attempt: u32,
        /// How long the call took.
        took: Duration,
        /// What went wrong.
        error: &'a str,
        /// When it is tried again; `None` where it is given up.
        retry_in: Option<Duration>,
    },
}

/// Watches. Called on the path of every event, so it must be quick and must not block.
pub trait Observer: Send + Sync + 'static {
    /// Takes note.
    fn observe(&self, happening: &Happening<'_>);
}

/// Watches nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoObserver;

impl Observer for NoObserver {
    fn observe(&self, _happening: &Happening<'_>) {}
}
