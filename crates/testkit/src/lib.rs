//! What tests of several crates need: a clock and identifiers that repeat, functions made of closures, and a log that
//! fails on purpose. Nothing here is part of the product.

#![forbid(unsafe_code)]

mod delegate;
mod faulty_log;
mod functions;
mod ports;

pub use faulty_log::{Faults, FaultyLog};
pub use functions::{Calls, FakeFunction};
pub use ports::{CountingIds, SteppingClock};
