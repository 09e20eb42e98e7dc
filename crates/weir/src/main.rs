//! The one binary: `weir`.

#![forbid(unsafe_code)]

mod access_log;
mod app;
mod auth;
mod aws;
mod cli;
mod client;
mod descriptors;
mod dev;
mod document;
mod event_gateway;
mod https;
mod manifest;
mod naming;
mod picture;
mod ports;
mod report;
mod run;
mod settings;
mod signals;
mod telemetry;
mod threads;

fn main() -> std::process::ExitCode {
    run::main()
}
