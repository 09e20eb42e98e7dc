//! Filters from outside, against programs of others.

#![allow(clippy::disallowed_methods, reason = "where the programs of others are is told to the test alone")]
#![allow(clippy::print_stderr, reason = "a test that is skipped says so")]

mod moto;
