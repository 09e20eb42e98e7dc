//! Which subscription something is for: the path tree of synchronous routes, and the matcher and the filters of
//! asynchronous subscriptions.
//!
//! Everything here is a pure function of its input. It knows events, texts and the JSON of filters; what a
//! subscription is, and whether one may be made, is the catalog's business.

#![forbid(unsafe_code)]

mod arrival;
mod attribute;
mod cesql;
mod cover;
mod document;
mod filter;
mod matcher;
mod method;
mod params;
mod pattern;
mod pointer;
mod router;
mod spelling;
mod tree;
mod type_pattern;

pub use arrival::{Arrival, Entrance, Matching};
pub use filter::{Explained, Filter, FilterFault, FilterNote, Term};
pub use matcher::{Matcher, Rule, Scratch};
pub use method::{Method, MethodSet};
pub use params::{Params, decoded};
pub use router::Router;
pub use tree::{Found, PathTree, ROUTE_BYTES_MAX, RouteError};
pub use type_pattern::{TypePattern, TypePatternError};
