//! What tests of several crates need: clocks and identifiers that repeat, functions made of closures, a log that fails
//! on purpose, and the embedded engine on a simulated disk, without threads and in virtual time. Nothing here is part
//! of the product.
//!
//! The simulation that is made of these, with the real flow on top, is among the tests of this crate.

#![forbid(unsafe_code)]

mod delegate;
mod faulty_log;
mod functions;
mod kept_store;
mod ports;
mod sim_disk;
mod sim_log;
mod virtual_time;

pub use faulty_log::{Faults, FaultyLog};
pub use functions::{Calls, FakeFunction};
pub use kept_store::KeptStore;
pub use ports::{CountingIds, SteppingClock};
pub use sim_disk::SimDisk;
pub use sim_log::{SimLog, SimMachine, Witness};
pub use virtual_time::{VirtualClock, pass};
