//! Dead letters: deliveries that were given up, and what is decided about them.

/// The type of the event that says in which other form a dead letter is to be delivered.
pub const DEADLETTER_PATCHED: &str = "weir.deadletter.patched";

/// The type of the event that says that a dead letter is to be delivered again.
pub const DEADLETTER_REDRIVEN: &str = "weir.deadletter.redriven";

/// The type of the event that says that a dead letter is not to be delivered.
pub const DEADLETTER_DISCARDED: &str = "weir.deadletter.discarded";

/// What a worker must know of.
pub(crate) const DECISIONS: [&str; 2] = [DEADLETTER_REDRIVEN, DEADLETTER_DISCARDED];
