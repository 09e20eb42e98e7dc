//! W3C Trace Context against a naive reading of the recommendation.

use weir_cloudevents::trace::{self, TraceParent};

/// As much of a `tracestate` as is passed on, in characters.
const STATE_CHARS_MAX: usize = 512;

/// The first line is a `traceparent`, the rest a `tracestate`.
///
/// What is read is what the recommendation says; a trace is continued with the span that was given, and a broken one is
/// begun anew; a state is passed on as a part of what came, and passing it on again changes nothing.
pub fn trace_context(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let (parent, state) = text.split_once('\n').unwrap_or((&*text, ""));
    let span = u64::from_le_bytes(data.first_chunk::<8>().copied().unwrap_or_default());
    check_parent(parent, span);
    check_state(state);
}

fn check_parent(text: &str, span: u64) {
    let read = text.parse::<TraceParent>();
    let found = read.as_ref().ok().map(|parent| (parent.trace_id(), parent.span_id(), parent.is_sampled()));
    assert_eq!(found, naive_parent(text), "{text}");
    let child: TraceParent = trace::child(text, span).parse().expect("what is sent on is valid");
    assert_eq!(child.span_id(), span.max(1));
    match read {
        Ok(parent) => {
            let shown = parent.to_string();
            assert!(shown.starts_with("00-") && shown.len() == 55, "{shown}");
            assert_eq!(shown.parse::<TraceParent>(), Ok(parent));
            assert_eq!((child.trace_id(), child.is_sampled()), (parent.trace_id(), parent.is_sampled()));
        }
        Err(error) => {
            assert_eq!((child.trace_id(), child.is_sampled()), (u128::from(span.max(1)), false));
            assert!(error.to_string().len() <= 2048, "{error}");
        }
    }
}

/// Trace, span, and whether it is sampled.
fn naive_parent(text: &str) -> Option<(u128, u64, bool)> {
    let parts: Vec<&str> = text.splitn(5, '-').collect();
    let (version, rest) = parts.split_first()?;
    let [trace, span, flags, later @ ..] = rest else { return None };
    let is_hex = |part: &str, length: usize| {
        part.len() == length && part.chars().all(|c| c.is_ascii_digit() || ('a'..='f').contains(&c))
    };
    let shaped = is_hex(version, 2) && is_hex(trace, 32) && is_hex(span, 16) && is_hex(flags, 2);
    if !shaped || *version == "ff" || (*version == "00" && !later.is_empty()) {
        return None;
    }
    let (trace, span) = (u128::from_str_radix(trace, 16).ok()?, u64::from_str_radix(span, 16).ok()?);
    let sampled = u8::from_str_radix(flags, 16).ok()? % 2 == 1;
    (trace != 0 && span != 0).then_some((trace, span, sampled))
}

fn check_state(text: &str) {
    let found = trace::state(text);
    assert_eq!(found.as_deref(), naive_state(text).as_deref(), "{text}");
    let Some(found) = found else { return };
    assert!((1..=STATE_CHARS_MAX).contains(&found.len()), "{found}");
    assert_eq!(trace::state(&found).as_deref(), Some(&*found));
}

fn naive_state(text: &str) -> Option<String> {
    let blank = |c: char| c == ' ' || c == '\t';
    let mut members: Vec<&str> = text.split(',').map(|member| member.trim_matches(blank)).collect();
    members.retain(|member| !member.is_empty());
    if members.is_empty() || members.len() > 32 || !members.iter().all(|member| is_member(member)) {
        return None;
    }
    while members.join(",").len() > STATE_CHARS_MAX {
        let longest = members.iter().rposition(|member| member.len() > 128);
        members.remove(longest.unwrap_or(members.len() - 1));
    }
    (!members.is_empty()).then(|| members.join(","))
}

fn is_member(text: &str) -> bool {
    let mut parts = text.split('=');
    let (Some(key), Some(value), None) = (parts.next(), parts.next(), parts.next()) else { return false };
    let is_alphanumeric = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    key.chars().next().is_some_and(is_alphanumeric)
        && key.chars().all(|c| is_alphanumeric(c) || "_-*/@".contains(c))
        && value.chars().all(|c| (' '..='~').contains(&c))
        && !value.is_empty()
        && key.len() <= 256
        && value.len() <= 256
}
