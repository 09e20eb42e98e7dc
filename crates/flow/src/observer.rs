//! What can be watched while events flow: the live picture of `weir dev` is drawn from it.

use std::{sync::Arc, time::Duration};

use weir_domain::{Event, FunctionId, Position, SpaceName};
use weir_log::EventReceipt;

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

/// An event that is done with: nothing more happens to it at this function.
#[derive(Clone, Copy, Debug)]
pub struct Settled<'a> {
    /// The space.
    pub space: &'a SpaceName,
    /// The function.
    pub function: &'a FunctionId,
    /// The event it was given.
    pub event: &'a Event,
    /// How it came to the function, and what became of it.
    pub way: Way,
}

/// How an event came to a function.
#[derive(Clone, Copy, Debug)]
pub enum Way {
    /// From the log, to an async subscription.
    Delivery {
        /// How long ago the log took the event.
        age: Duration,
        /// Whether it was given up, which is recorded, and not delivered.
        is_given_up: bool,
    },
    /// On a route, from a caller who waits.
    Route {
        /// What the log said to it, where it was recorded.
        receipt: Option<EventReceipt>,
    },
}

/// An authorizer that was called and has answered, or failed to.
#[derive(Clone, Copy, Debug)]
pub struct Authorized<'a> {
    /// The space.
    pub space: &'a SpaceName,
    /// The function.
    pub function: &'a FunctionId,
    /// What it said.
    pub decision: Decision,
}

/// What an authorizer said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// Yes.
    Allowed,
    /// No.
    Denied,
    /// Nothing that can be understood, or nothing at all: it counts as no.
    Failed,
}

/// Watches. Called on the path of every event, so it must be quick and must not block.
pub trait Observer: Send + Sync + 'static {
    /// Takes note.
    fn observe(&self, happening: &Happening<'_>);

    /// Takes note that an event is done with. Of one attempt after another only the last one ends here.
    fn settled(&self, _settled: &Settled<'_>) {}

    /// Takes note of what an authorizer said. An answer that was kept from an earlier call comes here no second time.
    fn authorized(&self, _authorized: &Authorized<'_>) {}
}

/// Watches nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoObserver;

impl Observer for NoObserver {
    fn observe(&self, _happening: &Happening<'_>) {}
}

/// Watches with several, in their order.
pub struct Observers(pub Vec<Arc<dyn Observer>>);

impl Observer for Observers {
    fn observe(&self, happening: &Happening<'_>) {
        self.0.iter().for_each(|observer| observer.observe(happening));
    }

    fn settled(&self, settled: &Settled<'_>) {
        self.0.iter().for_each(|observer| observer.settled(settled));
    }

    fn authorized(&self, authorized: &Authorized<'_>) {
        self.0.iter().for_each(|observer| observer.authorized(authorized));
    }
}
