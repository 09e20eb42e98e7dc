//! The door: HTTP in front of the log and the flow.
//!
//! - The **Events API** takes CloudEvents in structured, batched and binary mode and ordinary HTTP requests, appends them
//!   or calls the function of a sync subscription.
//! - The **Configuration API** shows and changes event types, functions and subscriptions, and reads the log.
//!
//! Both are guarded alike, where it is asked for: who sends a request, what they may do, and how often.
//!
//! The wire types of both live here, apart from the types of the catalog. Nothing is decided here about events: what is
//! admitted, recorded and called is the business of the flow, and what is durable that of the log.
//!
//! # When a client goes away
//!
//! The work for a request ends with its connection, and what it held is given back. What was handed on is not taken
//! back: once the engine has an append it writes it whether or not anybody waits for the receipt, and once the flow has
//! a configuration change it makes it. A client that missed the answer repeats the request: the same `source` and `id`
//! return the first receipt. The call of a function ends with the caller who waited for it; its event, where it is
//! recorded, stays.

#![forbid(unsafe_code)]

mod answer;
mod auth;
mod body;
mod compatibility;
mod configuration;
mod decoding;
mod events;
mod gateway;
mod headers;
mod hosts;
mod metrics;
mod openapi;
mod problem;
mod query;
mod request_id;
mod room;
mod serve;
mod space;
mod tls;
mod watch;

pub use auth::{
    Algorithm, AuthOptions, FetchKeys, JwtOptions, KeyRefresher, Keys, KeysError, OperatorToken, Rate, RateOptions,
};
pub use compatibility::Compatibility;
pub use configuration::wire;
pub use gateway::{Gateway, Options};
pub use metrics::{
    Api, EventSeries, Format, InFlight, Measured, Metrics, OpenConnection, OpenRequest, Operation, Point, Refused,
    Scrape, Signal, Unauthenticated, Value,
};
pub use serve::{Peer, ServeOptions, serve};
pub use tls::{Tls, TlsError, TlsOptions};
pub use watch::{Appending, RequestObserver, RequestSpans, Served, ServedEvent, Watchers};
