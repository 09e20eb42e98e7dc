//! Whether a text is JSON that every reader of it can take: its grammar and its depth. Meaning is not looked at.

use bytes::Bytes;
use bytestring::ByteString;
use serde::de::IgnoredAny;
use weir_domain::Data;

use crate::{Problem, error::json_reason};

/// The deepest nesting of arrays and objects that data may have: what `serde_json` itself reads at most.
pub(crate) const DEPTH_MAX: usize = 127;

/// Checks that a text is one JSON value.
pub(crate) fn value(text: &str) -> Result<(), Problem> {
    if let Err(error) = serde_json::from_str::<IgnoredAny>(text) {
        let (line, column, reason) = (error.line(), error.column(), json_reason(&error));
        return Err(Problem::Data(format!(
            "is not JSON, which its datacontenttype promises, at line {line}, column {column}: {reason}"
        )));
    }
    depth(text)
}

/// Makes data of bytes that are JSON by their media type.
pub(crate) fn json_data(bytes: Bytes) -> Result<Data, Problem> {
    let text = ByteString::try_from(bytes).map_err(|error| {
        let at = error.valid_up_to();
        Problem::Data(format!("is not UTF-8 at byte {at}: send JSON in UTF-8 (RFC 8259)"))
    })?;
    value(&text)?;
    Ok(Data::Json(text))
}

/// Checks the depth of a text that is known to be JSON.
pub(crate) fn depth(json: &str) -> Result<(), Problem> {
    // Nothing nests deeper than it has opening brackets; counting them is far quicker than following them.
    let openings = json.bytes().filter(|byte| matches!(byte, b'[' | b'{')).count();
    if openings > DEPTH_MAX && deepest(json) > DEPTH_MAX {
        return Err(Problem::Data(format!("is nested deeper than {DEPTH_MAX} levels: flatten it")));
    }
    Ok(())
}

/// Returns how deeply arrays and objects nest in a text that is known to be JSON.
pub(crate) fn deepest(json: &str) -> usize {
    let (mut depth, mut deepest) = (0usize, 0usize);
    let (mut quoted, mut escaped) = (false, false);
    for byte in json.bytes() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => quoted = !quoted,
            _ if quoted => {}
            b'[' | b'{' => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            b']' | b'}' => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    deepest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn depth_ends_where_the_usual_reader_ends() {
        for levels in [1, DEPTH_MAX - 1, DEPTH_MAX, DEPTH_MAX + 1, 500] {
            let json = format!("{}1{}", "[".repeat(levels), "]".repeat(levels));
            assert_eq!(value(&json).is_ok(), serde_json::from_str::<serde_json::Value>(&json).is_ok(), "{levels}");
            let json = format!("{}1{}", r#"{"a":"#.repeat(levels), "}".repeat(levels));
            assert_eq!(value(&json).is_ok(), serde_json::from_str::<serde_json::Value>(&json).is_ok(), "{levels}");
        }
        // Many brackets are not many levels, and those in strings are none.
        let wide = format!("[{}[]]", "[],".repeat(1000));
        let text = format!(r#"["\"\\{}"]"#, "[".repeat(1000));
        assert_eq!((value(&wide), value(&text)), (Ok(()), Ok(())));
    }
}
