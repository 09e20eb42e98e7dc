//! Offline work on a log: verify, inspect and repair. No server may use the directory meanwhile, except for inspect.

mod inspect;
mod repair;
mod verify;

pub use inspect::{FrameInfo, SegmentInfo, events_at, frames, segments};
pub use repair::{Repaired, Stage, repair, repair_on};
pub use verify::{Damage, Verified, verify, verify_on};

/// Tells how much is done of how much, in bytes.
pub type Progress<'a> = &'a mut dyn FnMut(u64, u64);
