//! Times between their text form (RFC 3339) and [`Timestamp`]. What time it is now is told by the `Clock` port alone.

use std::borrow::Cow;

use weir_domain::{ErrorKind, Timestamp};

use crate::error::short;

/// Why a text is no time that can be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TimeError {
    /// It is not written as the standard says.
    #[error("a time must be written as in RFC 3339, such as 2026-01-31T12:00:00Z, not {given:?}")]
    Syntax {
        /// The beginning of what was given.
        given: String,
    },
    /// It lies before the Unix epoch, where a [`Timestamp`] begins.
    #[error("a time must not be before 1970-01-01T00:00:00Z: give a later one than {given:?}")]
    BeforeEpoch {
        /// What was given.
        given: String,
    },
}

impl TimeError {
    /// Returns what the reader must do next: correct the text.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        ErrorKind::Invalid
    }
}

/// Reads a time; parts of a microsecond are cut off, and a leap second counts as the second before it.
///
/// # Errors
/// Where the text does not follow RFC 3339 or names a time before 1970.
pub fn parse(text: &str) -> Result<Timestamp, TimeError> {
    let syntax = || TimeError::Syntax { given: short(text) };
    if !has_shape(text.as_bytes()) {
        return Err(syntax());
    }
    let time: jiff::Timestamp = nine_digits(text).parse().map_err(|_| syntax())?;
    let micros = u64::try_from(time.as_microsecond()).map_err(|_| TimeError::BeforeEpoch { given: short(text) })?;
    Ok(Timestamp::from_unix_micros(micros))
}

/// Writes a time in UTC with microseconds, such as `2026-01-31T12:00:00.000000Z`.
///
/// A time beyond the year 9999, which RFC 3339 cannot say, is written as the last one it can.
#[must_use]
pub fn format(time: Timestamp) -> String {
    let micros = i64::try_from(time.unix_micros()).unwrap_or(i64::MAX);
    let time = jiff::Timestamp::from_microsecond(micros).unwrap_or(jiff::Timestamp::MAX);
    format!("{time:.6}")
}

/// Refuses what the parser accepts beyond RFC 3339: other forms of ISO 8601 and annotations of RFC 9557.
fn has_shape(text: &[u8]) -> bool {
    let digits = |from: usize, to: usize| text.get(from..to).is_some_and(|part| part.iter().all(u8::is_ascii_digit));
    let marks = [(4, b'-'), (7, b'-'), (13, b':'), (16, b':')];
    let zone = matches!(text, [.., b'Z' | b'z'] | [.., b'+' | b'-', _, _, b':', _, _]);
    digits(0, 4)
        && digits(17, 19)
        && zone
        && marks.iter().all(|(at, mark)| text.get(*at) == Some(mark))
        && !text.iter().any(|byte| matches!(byte, b',' | b'['))
}

/// Cuts the digits of a fraction that are finer than a nanosecond, which the parser would refuse.
fn nine_digits(text: &str) -> Cow<'_, str> {
    let Some((seconds, rest)) = text.split_once('.') else { return text.into() };
    let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
    if digits <= 9 { text.into() } else { format!("{seconds}.{}{}", &rest[..9], &rest[digits..]).into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_and_written() {
        let check = |text: &str, written: &str| {
            let time = parse(text).expect(text);
            assert_eq!(format(time), written, "{text}");
            assert_eq!(parse(written), Ok(time), "{text}");
        };
        check("1970-01-01T00:00:00Z", "1970-01-01T00:00:00.000000Z");
        check("2018-04-05T17:31:00Z", "2018-04-05T17:31:00.000000Z");
        check("2018-04-05t17:31:00.5z", "2018-04-05T17:31:00.500000Z");
        check("1996-12-19T16:39:57-08:00", "1996-12-20T00:39:57.000000Z");
        check("2020-02-29 23:59:59.123456789+05:30", "2020-02-29T18:29:59.123456Z");
        check("2020-02-29T23:59:59.12345678912345Z", "2020-02-29T23:59:59.123456Z");
        check("1990-12-31T23:59:60Z", "1990-12-31T23:59:59.000000Z");
        assert!(format(Timestamp::from_unix_micros(u64::MAX)).starts_with("9999-12-3"));
    }

    #[test]
    fn what_is_no_such_time_is_refused() {
        for text in [
            "",
            "yesterday",
            "2018-04-05",
            "2018-04-05T17:31Z",
            "2018-04-05T17:31:00",
            "2018-04-05T17:31:00+01",
            "2018-04-05T17:31:00+0100",
            "2018-04-05T17:31:00,5Z",
            "2018-04-05T17:31:00Z[UTC]",
            "2018-13-05T17:31:00Z",
            "20180405T173100Z",
            "-00001-04-05T17:31:00Z",
            "2018-04-05T17:31:00€Z",
        ] {
            let expected = format!("a time must be written as in RFC 3339, such as 2026-01-31T12:00:00Z, not {text:?}");
            assert_eq!(parse(text).expect_err(text).to_string(), expected);
        }
        assert_eq!(
            parse("1969-12-31T23:59:59Z").expect_err("too early").to_string(),
            "a time must not be before 1970-01-01T00:00:00Z: give a later one than \"1969-12-31T23:59:59Z\"",
        );
    }
}
