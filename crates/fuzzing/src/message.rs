//! An HTTP message as bytes that a person can write: a header on each line, an empty line, then the body.

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue};

/// Divides a message. A line that can be no header is passed over, as a server would have refused it before.
pub(crate) fn divided(data: &[u8]) -> (HeaderMap, Bytes) {
    let mut headers = HeaderMap::new();
    let mut rest = data;
    while !rest.is_empty() {
        let end = rest.iter().position(|byte| *byte == b'\n').unwrap_or(rest.len());
        let line = rest[..end].strip_suffix(b"\r").unwrap_or(&rest[..end]);
        rest = rest.get(end + 1..).unwrap_or_default();
        if line.is_empty() {
            break;
        }
        if let Some((name, value)) = header(line)
            && headers.try_append(name, value).is_err()
        {
            break;
        }
    }
    (headers, Bytes::copy_from_slice(rest))
}

fn header(line: &[u8]) -> Option<(HeaderName, HeaderValue)> {
    let colon = line.iter().position(|byte| *byte == b':')?;
    let name = HeaderName::from_bytes(&line[..colon]).ok()?;
    let value = HeaderValue::from_bytes(line[colon + 1..].trim_ascii()).ok()?;
    Some((name, value))
}
