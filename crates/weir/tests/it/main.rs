//! The binary as a process: what it prints, what survives, what it delivers.

#![allow(clippy::unwrap_used, reason = "a test that meets what it does not expect ends there")]
#![allow(clippy::disallowed_methods, reason = "tests start threads of their own and join them")]
#![allow(clippy::print_stderr, reason = "the long proofs say how far they are")]

mod access_log;
mod cli;
mod cli_resources;
mod crash;
mod deadletter;
mod dev;
mod drain;
mod event_gateway;
mod history;
mod interop;
mod parity;
mod process;
mod providers;
mod readme;
mod reload;
mod replay;
mod slow_clients;
mod telemetry;
mod tls;
mod token;
