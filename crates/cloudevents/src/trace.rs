//! The Distributed Tracing extension: attributes that carry a W3C Trace Context from event to event. No spans are
//! recorded or sent here.
//!
//! What is read follows Trace Context Level 2, which takes everything that Level 1 does: keys may begin with a digit,
//! and the flag of a random trace id is kept.

use std::{borrow::Cow, fmt, str::FromStr};

use weir_domain::ErrorKind;

use crate::error::short;

/// Name of the extension attribute that holds trace, parent span and flags.
pub const TRACEPARENT: &str = "traceparent";
/// Name of the extension attribute that holds what each tracing system adds.
pub const TRACESTATE: &str = "tracestate";

/// The most members of a `tracestate`; a longer list is broken.
const MEMBERS_MAX: usize = 32;
/// As much of a `tracestate` as every system has to pass on, in characters; of a longer one, members are left out.
const STATE_CHARS_MAX: usize = 512;
/// Members beyond this many characters are the first to be left out.
const MEMBER_CHARS_LONG: usize = 128;
/// The longest key of a member, and the longest value.
const PART_CHARS_MAX: usize = 256;

/// The flag of a span that its system records.
const SAMPLED: u8 = 0b01;
/// The flag of a trace id of which the right half is random.
const RANDOM: u8 = 0b10;
/// Flags of version 00 that have a meaning.
const FLAGS: u8 = SAMPLED | RANDOM;

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
    /// Begins a trace that is recorded, with a random identifier and its first span; the identifiers 0, which the standard
    /// forbids, are taken for 1.
    #[must_use]
    pub fn begin(trace_id: u128, span_id: u64) -> Self {
        Self { trace_id: trace_id.max(1), span_id: span_id.max(1), flags: SAMPLED | RANDOM }
    }

    /// Begins a trace that nobody records here, as [`begin`](Self::begin) does one that is recorded.
    #[must_use]
    pub fn unrecorded(trace_id: u128, span_id: u64) -> Self {
        Self { flags: RANDOM, ..Self::begin(trace_id, span_id) }
    }

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
        self.flags & SAMPLED != 0
    }

    /// Returns the flags: bit 0 says sampled, bit 1 that the trace id is random.
    #[must_use]
    pub fn flags(self) -> u8 {
        self.flags
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

/// Reads the value of [`TRACESTATE`] as it is to be passed on: without blanks around its members, without empty ones,
/// and not longer than every system passes on. `None` where it is empty or broken: then the trace goes on without it.
///
/// It has a meaning only beside a valid `traceparent`. Several headers are one list, joined by commas before it is
/// read.
#[must_use]
pub fn state(text: &str) -> Option<Cow<'_, str>> {
    let mut members = Vec::new();
    for member in text.split(',').map(|member| member.trim_matches([' ', '\t'])).filter(|member| !member.is_empty()) {
        if members.len() == MEMBERS_MAX || !is_member(member) {
            return None;
        }
        members.push(member);
    }
    let mut chars = members.iter().map(|member| member.len() + 1).sum::<usize>().checked_sub(1)?;
    while chars > STATE_CHARS_MAX {
        // The newest members stand first: those at the end say least.
        let is_long = |member: &&str| member.len() > MEMBER_CHARS_LONG;
        let place = members.iter().rposition(is_long).unwrap_or(members.len() - 1);
        chars = chars.checked_sub(members.remove(place).len() + 1)?;
    }
    // Of the same length it is the same text: nothing was taken away.
    Some(if chars == text.len() { Cow::Borrowed(text) } else { Cow::Owned(members.join(",")) })
}

/// Tells whether a text is `key=value` of a `tracestate` (section 3.3.1.3).
fn is_member(text: &str) -> bool {
    let Some((key, value)) = text.split_once('=') else { return false };
    let begins = key.starts_with(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit());
    let is_key = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b"_-*/@".contains(&b);
    let is_value = |b: u8| (b' '..=b'~').contains(&b) && b != b'=';
    begins
        && key.len() <= PART_CHARS_MAX
        && key.bytes().all(is_key)
        && (1..=PART_CHARS_MAX).contains(&value.len())
        && value.bytes().all(is_value)
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
        assert_eq!(TraceParent::begin(0xa, 0).to_string(), "00-0000000000000000000000000000000a-0000000000000001-03");
        assert_eq!(
            TraceParent::unrecorded(0, 0xb).to_string(),
            "00-00000000000000000000000000000001-000000000000000b-02"
        );
        // Of a later version only what is known is passed on.
        let later = "cc-0af7651916cd43dd8448eb211c80319c-b9c7c989f97918e1-ff-what-else";
        assert_eq!(child(later, 1), "00-0af7651916cd43dd8448eb211c80319c-0000000000000001-03");
    }

    #[test]
    fn the_state_is_passed_on_as_the_recommendation_says() {
        let check = |text: &str, expected: Option<&str>| assert_eq!(state(text).as_deref(), expected, "{text}");
        let same = |text: &str| check(text, Some(text));
        same("rojo=00f067aa0ba902b7,congo=t61rcWkgMzE");
        same("fw529a3039@dt=FfAIVwEAAAA,1a-_*/=!\"#$%&'()*+-./:;<>?@[\\]^_`{|}~");
        same("a= x y");
        check(" a=1 ,\tb=2,, ,c=3,", Some("a=1,b=2,c=3"));
        check("", None);
        check(" , ,", None);
        for broken in
            ["a", "a=", "=1", "A=1", "a b=1", "a.b=1", "_a=1", "@a=1", "a=1=2", "a=\u{e4}", "a=1,b", "a=\u{7f}"]
        {
            check(broken, None);
        }
        same(&format!("{}={}", "k".repeat(255), "v".repeat(256)));
        check(&format!("{}=v", "k".repeat(257)), None);
        check(&format!("k={}", "v".repeat(257)), None);

        let list = |members: usize| (0..members).map(|member| format!("k{member}=v")).collect::<Vec<_>>().join(",");
        same(&list(32));
        check(&list(33), None);
        // What is too long loses its longest members first, then those at the end.
        let long = "v".repeat(200);
        let given = format!("a=1,b={long},c={long},d=2,e={long},f=3");
        check(&given, Some(&format!("a=1,b={long},c={long},d=2,f=3")));
        let short =
            |members: usize| (10..10 + members).map(|it| format!("k{it}={}", "v".repeat(96))).collect::<Vec<_>>();
        check(&short(6).join(","), Some(&short(5).join(",")));
        check(&format!("{}={}", "k".repeat(256), "v".repeat(256)), None);
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
