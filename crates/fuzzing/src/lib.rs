//! What no input may do to the readers of Weir, as plain functions: each takes any bytes, reads them, and panics where a
//! promise is broken. Beside that, what is needed to run them: their seeds, changes of those, and a loop on all cores.
//!
//! The same functions run under libFuzzer (`fuzz/`), under the loop of this crate on a stable compiler (`cargo xtask
//! fuzz`), and in a test on every seed. Nothing of this is part of the server.

#![forbid(unsafe_code)]

mod message;
mod target;

pub mod corpus;
pub mod driver;
pub mod mutate;
pub mod targets;

pub use target::{TARGETS, Target, find};
