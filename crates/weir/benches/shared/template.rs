//! Requests whose bytes were made before: only identifiers and keys change from one to the next.

use std::time::Duration;

/// Stand in a template for an identifier and for a key, and are written over with digits.
pub(crate) const ID: &str = "################";
pub(crate) const KEY: &str = "@@@";

/// The bytes of a request.
#[derive(Clone)]
pub(crate) struct Template {
    pub(crate) bytes: Vec<u8>,
    ids: Vec<usize>,
    keys: Vec<usize>,
}

impl Template {
    pub(crate) fn new(request: String) -> Self {
        let places = |mark: &str| request.match_indices(mark).map(|(at, _)| at).collect();
        let (ids, keys) = (places(ID), places(KEY));
        Self { bytes: request.into_bytes(), ids, keys }
    }

    pub(crate) fn post(media_type: &str, body: &str) -> Self {
        Self::post_with(&format!("content-type: {media_type}\r\n"), body)
    }

    /// As `post`, with these lines of headers, each with its end.
    pub(crate) fn post_with(headers: &str, body: &str) -> Self {
        let length = body.len();
        Self::new(format!("POST / HTTP/1.1\r\nhost: localhost\r\n{headers}content-length: {length}\r\n\r\n{body}"))
    }

    /// Makes it the request of a number, which no other request of this bench has.
    pub(crate) fn number(&mut self, number: u64) {
        for (event, at) in self.ids.iter().enumerate() {
            digits(&mut self.bytes[*at..at + ID.len()], number * self.ids.len() as u64 + event as u64);
        }
        for at in &self.keys {
            digits(&mut self.bytes[*at..at + KEY.len()], number);
        }
    }
}

/// Writes the last digits of a number.
fn digits(place: &mut [u8], mut number: u64) {
    for digit in place.iter_mut().rev() {
        *digit = b'0' + (number % 10) as u8;
        number /= 10;
    }
}

/// An event of half a kilobyte.
pub(crate) fn event(key: &str) -> String {
    format!(
        "{{\"specversion\":\"1.0\",\"id\":\"{ID}\",\"source\":\"/bench/producer\",\"type\":\"job\",\"subject\":\"key/{key}\",\
         \"datacontenttype\":\"application/json\",\"data\":{{\"number\":\"{key}\",\"text\":\"{}\"}}}}",
        "x".repeat(340)
    )
}

/// Tells whether a whole answer with a stated length is there.
pub(crate) fn is_complete(bytes: &[u8]) -> bool {
    message_bytes(bytes).is_some_and(|length| bytes.len() >= length)
}

/// Returns how long a message with a stated length is, head and body, once its head is there. It makes nothing: it runs
/// once for each message.
pub(crate) fn message_bytes(bytes: &[u8]) -> Option<usize> {
    const LENGTH: &[u8] = b"content-length: ";
    let end = bytes.windows(4).position(|window| window == b"\r\n\r\n")?;
    let head = &bytes[..end];
    let stated = head.windows(LENGTH.len()).position(|window| window.eq_ignore_ascii_case(LENGTH));
    let number = stated.map_or(&[][..], |at| &head[at + LENGTH.len()..]);
    let digits = number.iter().take_while(|byte| byte.is_ascii_digit());
    let length = digits.fold(0, |length, digit| length * 10 + usize::from(digit - b'0'));
    Some(end + 4 + length)
}

/// Returns what comes at a part of sorted values: 0.5 is the median.
pub(crate) fn percentile(sorted: &[u32], part: f64) -> Duration {
    let at = (sorted.len() as f64 * part) as usize;
    Duration::from_micros(u64::from(sorted[at]))
}
