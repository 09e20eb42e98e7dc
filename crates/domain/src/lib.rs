//! The words of Weir as types: event, key, position, space, limits, error kinds, and the ports to the outside
//! world (clock, identifiers).
//!
//! Nothing here does input or output, nothing is asynchronous, and nothing knows a wire or disk format: those
//! live in `weir-cloudevents` and `weir-log`.

#![forbid(unsafe_code)]

mod attribute;
mod data;
mod error;
mod event;
mod key;
mod limits;
mod names;
mod ports;
mod position;
mod syntax;

pub use attribute::{AttributeError, AttributeValue, ValueKind};
pub use data::Data;
pub use error::{ErrorKind, error_chain};
pub use event::{Event, EventBuilder, ExtensionLayout, Layout};
pub use key::Key;
pub use limits::Limits;
pub use names::{FunctionId, NameError, SpaceName};
pub use ports::{Clock, Ids, Timestamp};
pub use position::{Position, PositionRange};
