//! The Distributed Tracing extension: attributes that carry a W3C Trace Context from event to event. No spans are
//! recorded or sent here.

use std::{fmt, str::FromStr};

use weir_domain::ErrorKind;

use crate::error::short;

/// Name of the extension attribute that holds trace, parent span and flags.
pub const TRACEPARENT: &str = "traceparent";
/// Name of the extension attribute that holds what each tracing system adds.
pub const TRACESTATE: &str = "tracestate";

/// Flags of version 00 that have a meaning: sampled, and random trace id.
const FLAGS: u8 = 0b11;

/// The value of [`TRACEPARENT`]: which trace an event belongs to and which span caused it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TraceParent {
    trace_id: u128,
    span_id: u64,
    flags: u8,
}

/// A text is no `traceparent`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "traceparent must be version-traceid-spanid-flags of W3C Trace Context in lower-case hexadecimal digits with no id \
     all zero: mend it or leave it out, not {given:?}"
)]
pub struct TraceError {
    given: String,
}

impl TraceError {
    /// Returns what the reader must do next: correct the text.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        ErrorKind::Invalid
    }
}

impl TraceParent {
    /// Returns the identifier of the whole trace, never 0.
    #[must_use]
    pub fn trace_id(self) -> u128 {
        self.trace_id
    }

    /// Returns the identifier of the span that sent the event, never 0.
    #[must_use]
    pub fn span_id(self) -> u64 {
        self.span_id
    }

    /// Tells whether the sender recorded its span.
    #[must_use]
    pub fn is_sampled(self) -> bool {
        self.flags & 1 == 1
    }

    /// Returns the same trace one span further on; the span 0, which the standard forbids, is taken for 1.
    #[must_use]
    pub fn child(self, span_id: u64) -> Self {
        Self { span_id: span_id.max(1), ..self }
    }
}

impl FromStr for TraceParent {
    type Err = TraceError;

    /// Reads version 00, and of later versions the part that they share with it.
    fn from_str(text: &str) -> Result<Self, TraceError> {
        read(text).ok_or_else(|| TraceError { given: short(text) })
    }
}

impl fmt::Display for TraceParent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "00-{:032x}-{:016x}-{:02x}", self.trace_id, self.span_id, self.flags)
    }
}

/// Continues the trace of `parent` with a new span.
///
/// Where `parent` is no valid `traceparent`, a new trace begins, as the standard asks: its identifier is the span's,
/// padded with zeros, because identifiers come from the caller and not from here.
#[must_use]
pub fn child(parent: &str, span_id: u64) -> String {
    let fresh = TraceParent { trace_id: u128::from(span_id.max(1)), span_id, flags: 0 };
    parent.parse().unwrap_or(fresh).child(span_id).to_string()
}

fn read(text: &str) -> Option<TraceParent> {
    /// Digits of version 00, marks included.
    const LENGTH: usize = 55;
    let field = |from: usize, to: usize| text.get(from..to).and_then(lower_hex);
    let dash = |at: usize| text.as_bytes().get(at) == Some(&b'-');
    let framed = match field(0, 2)? {
        0 => text.len() == LENGTH,
        0xff => false,
        _ => text.len() == LENGTH || dash(LENGTH),
    };
    if !(framed && dash(2) && dash(35) && dash(52)) {
        return None;
    }
    let trace_id = field(3, 35).filter(|id| *id != 0)?;
    let span_id = field(36, 52).and_then(|id| u64::try_from(id).ok()).filter(|id| *id != 0)?;
    let flags = field(53, LENGTH).and_then(|flags| u8::try_from(flags).ok())?;
    Some(TraceParent { trace_id, span_id, flags: flags & FLAGS })
}

fn lower_hex(digits: &str) -> Option<u128> {
    let lower = digits.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    lower.then(|| u128::from_str_radix(digits, 16).ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "00-0af7651916cd43dd8448eb211c80319c-b9c7c989f97918e1-01";

    #[test]
    fn a_trace_is_read_and_continued() {
        let parent: TraceParent = GOOD.parse().expect("valid");
        assert_eq!(parent.to_string(), GOOD);
        assert_eq!((parent.span_id(), parent.is_sampled()), (0xb9c7_c989_f979_18e1, true));
        assert_eq!(child(GOOD, 0xabc), "00-0af7651916cd43dd8448eb211c80319c-0000000000000abc-01");
        assert_eq!(child(GOOD, 0), "00-0af7651916cd43dd8448eb211c80319c-0000000000000001-01");
        assert_eq!(child("", 0xabc), "00-00000000000000000000000000000abc-0000000000000abc-00");
        // Of a later version only what is known is passed on.
        let later = "cc-0af7651916cd43dd8448eb211c80319c-b9c7c989f97918e1-ff-what-else";
        assert_eq!(child(later, 1), "00-0af7651916cd43dd8448eb211c80319c-0000000000000001-03");
    }

    #[test]
    fn what_is_no_traceparent_is_refused() {
        for broken in [
            "",
            "00",
            "00-0af7651916cd43dd8448eb211c80319c-b9c7c989f97918e1-0",
            "00-0af7651916cd43dd8448eb211c80319c-b9c7c989f97918e1-01-",
            "00-0AF7651916cd43dd8448eb211c80319c-b9c7c989f97918e1-01",
            "00-00000000000000000000000000000000-b9c7c989f97918e1-01",
            "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
            "00-0af7651916cd43dd8448eb211c80319c_b9c7c989f97918e1-01",
            "ff-0af7651916cd43dd8448eb211c80319c-b9c7c989f97918e1-01",
            "01-0af7651916cd43dd8448eb211c80319c-b9c7c989f97918e1-01x",
            "00-0af7651916cd43dd8448eb211c8031é-b9c7c989f97918e1-01",
            "+0-0af7651916cd43dd8448eb211c80319c-b9c7c989f97918e1-01",
        ] {
            assert!(broken.parse::<TraceParent>().is_err(), "{broken}");
        }
    }
}
