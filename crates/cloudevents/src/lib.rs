//! The CloudEvents 1.0.2 wire codec: the JSON event format with its batches, and the HTTP protocol binding in
//! structured, batched and binary mode.
//!
//! One codec serves every door: requests that come in, calls that go out to functions, and their answers. It knows
//! bytes and headers only. It neither reads a socket nor decides what an event means, whether its type is known or who
//! may send it.
//!
//! How data is kept follows from the media type and never from guesses at the content:
//!
//! | wire form | `datacontenttype` | kept as |
//! |---|---|---|
//! | JSON `data` | absent, `*/json`, `*/*+json` | [`Data::Json`], the text as it was written, `null` included |
//! | JSON `data`, a string | anything else, in UTF-8 | [`Data::Text`] |
//! | JSON `data`, another value | anything else | [`Data::Json`] |
//! | JSON `data_base64` | any | [`Data::Binary`] |
//! | HTTP body | `*/json`, `*/*+json` | [`Data::Json`], which must be valid |
//! | HTTP body, in UTF-8 | `text/*`, a form, anything with a charset that is a part of UTF-8 | [`Data::Text`] |
//! | HTTP body | anything else, absent | [`Data::Binary`] |
//! | neither, or an empty HTTP body | any | [`Data::None`] |
//!
//! Events of 0.3 are read too, and are events of 1.0 from there on; those of 0.1 have a module of their own, [`v01`].
//!
//! The bytes of the data survive every change of mode; what the HTTP binding cannot say (whether an extension is a
//! number, whether XML is text) comes back in its plainest form.
//!
//! [`Data::None`]: weir_domain::Data::None
//! [`Data::Json`]: weir_domain::Data::Json
//! [`Data::Text`]: weir_domain::Data::Text
//! [`Data::Binary`]: weir_domain::Data::Binary

#![forbid(unsafe_code)]

mod attributes;
mod error;
mod v03;
mod version;

pub mod binary;
pub mod json;
pub mod media;
pub mod mode;
pub mod time;
pub mod trace;
pub mod v01;

pub use error::{DecodeError, Problem};
pub use mode::Mode;
