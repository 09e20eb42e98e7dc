//! The targets. Each function takes any bytes and panics where a promise is broken.

mod events;
mod filters;
mod frames;
mod json;
mod paths;
mod refusal;
mod trace;
mod v01;

pub use events::{batch, binary, structured};
pub use filters::{cesql, filters, matcher};
pub use frames::log_frames;
pub use json::json_members;
pub use paths::path_tree;
pub use trace::trace_context;
pub use v01::{binary_v01, structured_v01};
