//! Tests of the function runtimes as their callers see them.

#![forbid(unsafe_code)]
#![allow(
    clippy::disallowed_methods,
    reason = "the tests are their own supervisor: they start the ticker and the server"
)]

mod aws;
mod batch;
mod cache;
mod component;
mod http;
mod limits;
mod prepare;
mod rig;
mod script;
