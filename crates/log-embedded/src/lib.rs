//! The embedded log engine: append-only segment files as the source of truth, one writer with group commit, and
//! indexes that can always be rebuilt from the segments.
//!
//! The file format is described in `docs/log-format.md`. Nothing here spawns: [`EmbeddedLog::open`] returns the
//! engine and its two [`Workers`], whose `run` the owner gives a thread each.

#![forbid(unsafe_code)]

mod arrivals;
mod commit;
mod disk;
mod engine;
mod frame;
mod index;
mod options;
mod prepare;
mod reader;
mod recovery;
mod scan;
mod segment;
mod shared;
mod store;
mod tail;
pub mod tools;

pub use disk::{Disk, DiskFile, DiskLock, RealDisk};
pub use engine::{EmbeddedLog, Indexer, Workers, Writer};
pub use options::{Durability, Options};
pub use recovery::{Cut, Recovered, Replayed};
pub use store::{Block, FjallStore, FramePlace, IndexStore, MemoryStore, Watermark};
