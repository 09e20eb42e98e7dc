//! The durable ordered log: the contract that every engine keeps, the form of a stored event, an engine in memory,
//! and the suite that checks an engine against the contract.
//!
//! No engine that touches a disk or a network lives here.

#![forbid(unsafe_code)]

mod append;
mod engine;
mod error;
mod memory;
mod read;
pub mod record;

#[cfg(feature = "conformance")]
pub mod conformance;

pub use append::{Append, Condition, EventReceipt, NewEvent, Query, Receipt};
pub use engine::LogEngine;
pub use error::LogError;
pub use memory::MemoryLog;
pub use read::{Counted, Direction, Filter, Page, Read, Recorded};
