//! The function runtimes: one calling convention, an event in and events or an HTTP answer out, for every kind of
//! function.
//!
//! - [`WasmRuntime`] runs WebAssembly components of the world `weir:function/function`, and makes one of a single
//!   JavaScript file.
//! - [`HttpFunction`] sends the event to a URL.
//! - [`AwsFunction`] invokes a Lambda function, or hands the event to a stream or a queue of AWS.
//! - [`BuiltinFunction`] is part of the platform.
//!
//! All are an [`Invoke`]. Whether a failed call is repeated, what becomes of returned events and which right a function
//! has to emit them are decided by whoever calls: a runtime knows one call only, or those that it is given as a batch.
//!
//! Nothing here spawns. [`Ticker`] is the one component to be driven, on a thread of its own: it is what ends a
//! function that does not end by itself.

// Not `forbid`: loading a component that was compiled before is an unsafe call; see `wasm::artifact`.
#![deny(unsafe_code)]

mod answer;
mod aws;
mod batch;
mod builtin;
mod call;
mod digest;
mod error;
mod form;
mod guest_log;
mod http;
mod media;
mod members;
mod turns;
mod wasm;

pub use self::http::{HttpClient, HttpFunction, HttpOptions, HttpSetupError};
pub use answer::HttpAnswer;
pub use aws::{AwsCredentials, AwsFunction, AwsOptions, AwsService, AwsSetupError, AwsTarget};
pub use builtin::BuiltinFunction;
pub use call::{Call, CallMode, Draft, DraftValue, Invoke, Outcome};
pub use digest::sha256;
pub use error::CallError;
pub use form::EventForm;
pub use guest_log::{GuestLevel, GuestLog};
pub use wasm::{
    Code, FunctionOptions, Instances, PrepareError, RuntimeError, RuntimeOptions, Ticker, TickerStop, WasmFunction,
    WasmRuntime,
};
