//! The door over a log in memory: every mode, every refusal, the configuration, and reading.

mod auth;
mod authorizer;
mod calls;
mod compatibility;
mod configuration;
mod configuration_changes;
mod configuration_reads;
mod cors;
mod dead_letters;
mod emit;
mod explain;
mod legacy;
mod openapi;
mod reading;
mod schemas;
mod serving;
mod spaces;
mod support;
mod tls;
mod unread;
mod watching;
