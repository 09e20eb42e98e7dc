//! The flow on a log in memory with functions made of closures: order, retries, restarts, loops, faults, and what is told
//! of all that.

mod authorizer;
mod dead_letters;
mod delivery;
mod explain;
mod making;
mod progress;
mod replays;
mod restarts;
mod schema;
mod simulation;
mod status;
mod support;
mod system_events;
