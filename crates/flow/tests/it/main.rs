//! The flow on a log in memory with functions made of closures: order, retries, restarts, loops, faults.

mod authorizer;
mod delivery;
mod schema;
mod simulation;
mod support;
