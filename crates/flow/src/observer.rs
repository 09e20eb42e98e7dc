//! What can be watched while events flow: the live picture of `weir dev` is drawn from it.

use std::{sync::Arc, time::Duration};

use weir_catalog::{Subscription, SystemEvent};
use weir_cloudevents::trace::TraceParent;
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
        /// The subscription: whether a caller waits, and on which route.
        subscription: &'a Subscription,
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
        /// Whether the attempt counts.
        counting: Counting,
        /// When it is tried again; `None` where it is given up.
        retry_in: Option<Duration>,
    },
}

/// Whether a failed attempt is one of those that a delivery may have. What does not count is tried again under the same
/// number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Counting {
    /// It is.
    Counted,
    /// It is not: the address of the function did not answer.
    Unreached,
    /// It is not: the function is not to blame, but the platform.
    Platform,
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

/// Events that waited for a subscription which was deleted: that they are not delivered is recorded.
#[derive(Clone, Copy, Debug)]
pub struct Dropped<'a> {
    /// The space.
    pub space: &'a SpaceName,
    /// The function that is not given them.
    pub function: &'a FunctionId,
    /// How many waited, as far as they were counted.
    pub events: u64,
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

/// Why a function is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// With an event from the log, for an async subscription.
    Delivery,
    /// On a route, for a caller who waits.
    Route,
    /// To allow or deny an event.
    Authorization,
}

/// A call that is about to be made.
#[derive(Clone, Copy, Debug)]
pub struct Calling<'a> {
    /// Why.
    pub purpose: Purpose,
    /// The event that it is about.
    pub event: &'a Event,
    /// The span of the request that waits for it, where one does and is traced.
    pub request: Option<TraceParent>,
}

/// The spans of a call that is traced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CallSpans {
    /// The span that the call is part of: of the delivery, or of the request that waits.
    pub around: TraceParent,
    /// The span of the call itself, with which a function outside goes on.
    pub call: TraceParent,
}

/// A call that was traced and is over.
#[derive(Clone, Copy, Debug)]
pub struct TracedCall<'a> {
    /// Why it was made.
    pub purpose: Purpose,
    /// The space.
    pub space: &'a SpaceName,
    /// The subscription; empty for an authorizer.
    pub subscription: &'a str,
    /// The function.
    pub function: &'a FunctionId,
    /// What kind of function it is, and whether it runs outside of this process; nothing where it does not exist.
    pub kind: Option<(&'static str, bool)>,
    /// The event that it was about.
    pub event: &'a Event,
    /// Where that event stands, if it was recorded.
    pub position: Option<Position>,
    /// Which attempt this was, from 1.
    pub attempt: u32,
    /// Its spans.
    pub spans: CallSpans,
    /// How long the call took; nothing where none was made, because that of an earlier attempt had given its events.
    pub called: Option<Duration>,
    /// How long all of it took: the call, and until its events stood in the log.
    pub took: Duration,
    /// The events that the function returned and that now stand in the log.
    pub returned: &'a [Event],
    /// The status it answered, on a route; else what went wrong.
    pub outcome: Result<Option<u16>, &'a str>,
}

/// Watches. Called on the path of every event, so it must be quick and must not block.
pub trait Observer: Send + Sync + 'static {
    /// Takes note.
    fn observe(&self, happening: &Happening<'_>);

    /// Takes note that an event is done with. Of one attempt after another only the last one ends here.
    fn settled(&self, _settled: &Settled<'_>) {}

    /// Takes note that events are not delivered because their subscription was deleted. A record that stood in the log
    /// before comes here no second time.
    fn dropped(&self, _dropped: &Dropped<'_>) {}

    /// Takes note of what an authorizer said. An answer that was kept from an earlier call comes here no second time.
    fn authorized(&self, _authorized: &Authorized<'_>) {}

    /// Takes note that the log has written what the platform tells: an event `eventgateway.…`. One that stood there before
    /// comes here no second time.
    fn told(&self, _space: &SpaceName, _which: SystemEvent) {}

    /// Takes note of what the log said to the event that keeps one of a caller on a route in quarantine.
    fn quarantined(&self, _space: &SpaceName, _receipt: &EventReceipt) {}

    /// Gives a call its spans, where it is to be traced. For all others nothing of a trace is looked at or measured.
    fn calling(&self, _calling: &Calling<'_>) -> Option<CallSpans> {
        None
    }

    /// Takes note that a call is over that was given spans.
    fn traced(&self, _traced: &TracedCall<'_>) {}
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

    fn dropped(&self, dropped: &Dropped<'_>) {
        self.0.iter().for_each(|observer| observer.dropped(dropped));
    }

    fn authorized(&self, authorized: &Authorized<'_>) {
        self.0.iter().for_each(|observer| observer.authorized(authorized));
    }

    fn told(&self, space: &SpaceName, which: SystemEvent) {
        self.0.iter().for_each(|observer| observer.told(space, which));
    }

    fn quarantined(&self, space: &SpaceName, receipt: &EventReceipt) {
        self.0.iter().for_each(|observer| observer.quarantined(space, receipt));
    }

    fn calling(&self, calling: &Calling<'_>) -> Option<CallSpans> {
        self.0.iter().find_map(|observer| observer.calling(calling))
    }

    fn traced(&self, traced: &TracedCall<'_>) {
        self.0.iter().for_each(|observer| observer.traced(traced));
    }
}
