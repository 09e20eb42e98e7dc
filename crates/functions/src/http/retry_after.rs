//! The header `retry-after` (RFC 9110, section 10.2.3): seconds, or a date.

use std::time::Duration;

use http::{HeaderMap, HeaderName, header};
use jiff::{Timestamp, fmt::rfc2822::DateTimeParser};

/// Longer waits are cut: whoever asks for more is not to silence a function for ever.
const WAIT_MAX: Duration = Duration::from_secs(24 * 60 * 60);

/// Returns how long to wait; `None` where the header is missing or not understood.
///
/// A date is compared with the date of the answer itself, so that no clock but the sender's is asked.
pub(crate) fn read(headers: &HeaderMap) -> Option<Duration> {
    let text = text(headers, &header::RETRY_AFTER)?;
    let wait = match text.parse::<u64>() {
        Ok(seconds) => Duration::from_secs(seconds),
        Err(_) => {
            let until = date(text)?.duration_since(date(self::text(headers, &header::DATE)?)?);
            // A date that has passed means: at once.
            Duration::try_from(until).unwrap_or_default()
        }
    };
    Some(wait.min(WAIT_MAX))
}

fn text<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    headers.get(name)?.to_str().ok().map(str::trim)
}

fn date(text: &str) -> Option<Timestamp> {
    DateTimeParser::new().parse_timestamp(text).ok()
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn seconds_and_dates_are_understood() {
        let check = |retry_after: &'static str, date: Option<&'static str>, seconds: Option<u64>| {
            let mut headers = HeaderMap::new();
            headers.insert(header::RETRY_AFTER, HeaderValue::from_static(retry_after));
            if let Some(date) = date {
                headers.insert(header::DATE, HeaderValue::from_static(date));
            }
            assert_eq!(read(&headers), seconds.map(Duration::from_secs), "{retry_after}");
        };
        let now = Some("Sun, 06 Nov 1994 08:49:37 GMT");
        check("120", None, Some(120));
        check("0", None, Some(0));
        check("99999999", None, Some(86_400));
        check("Sun, 06 Nov 1994 08:50:07 GMT", now, Some(30));
        check("Sun, 06 Nov 1994 08:00:00 GMT", now, Some(0));
        check("Sun, 06 Nov 1994 08:50:07 GMT", None, None);
        check("-5", now, None);
        check("soon", now, None);
        assert_eq!(read(&HeaderMap::new()), None);
    }
}
