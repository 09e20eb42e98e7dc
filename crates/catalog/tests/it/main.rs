//! The catalog from outside: what is accepted and refused, what applying gives, and what the log keeps.

mod apply;
mod diff;
mod make;
mod plan;
mod schema;
mod stored;
