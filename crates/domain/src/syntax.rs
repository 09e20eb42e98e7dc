//! Syntax of attribute names and values, as CloudEvents 1.0.2 section 3.1 and the RFCs it names demand.

mod extensions;
mod media_type;
mod uri;

use crate::AttributeError;

pub(crate) use self::{
    extensions::check_extension_value,
    media_type::check_media_type,
    uri::{check_uri, check_uri_reference},
};

/// Attribute names consist of lower-case ASCII letters and digits.
pub(crate) fn check_extension_name(name: &str) -> Result<(), AttributeError> {
    const RESERVED: [&str; 10] = [
        "specversion",
        "id",
        "source",
        "type",
        "subject",
        "time",
        "datacontenttype",
        "dataschema",
        "data",
        "data_base64",
    ];
    if name.is_empty() || !name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit()) {
        return Err(AttributeError::new(
            name,
            "has a name that is not allowed: use lower-case letters a-z and digits only",
        ));
    }
    if name.len() > 64 {
        return Err(AttributeError::new(name, "has a name longer than 64 characters: shorten it"));
    }
    if RESERVED.contains(&name) {
        return Err(AttributeError::new(name, "is defined by CloudEvents and cannot be an extension: rename it"));
    }
    Ok(())
}

/// The String type excludes control characters, lone surrogates and noncharacters.
pub(crate) fn check_string(name: &str, value: &str) -> Result<(), AttributeError> {
    // Printable ASCII is nearly everything that comes: one pass over bytes settles it.
    if value.bytes().all(|b| (0x20..0x7f).contains(&b)) {
        return Ok(());
    }
    match value.chars().find(|c| c.is_control() || is_noncharacter(*c)) {
        None => Ok(()),
        Some(bad) => Err(AttributeError::new(
            name,
            format!("contains the character U+{:04X}, which is not allowed: remove it", u32::from(bad)),
        )),
    }
}

fn is_noncharacter(c: char) -> bool {
    let code = u32::from(c);
    (0xfdd0..=0xfdef).contains(&code) || code & 0xfffe == 0xfffe
}

const MINUTES_OF_DAY: i32 = 24 * 60;

/// A timestamp of RFC 3339, section 5.6.
pub(crate) fn check_timestamp(name: &str, value: &str) -> Result<(), AttributeError> {
    if is_rfc3339(value.as_bytes()) {
        Ok(())
    } else {
        Err(AttributeError::new(name, "must be a time of RFC 3339 such as 2026-01-31T12:00:00Z"))
    }
}

fn is_rfc3339(text: &[u8]) -> bool {
    let digits = |from: usize, to: usize| -> Option<i32> {
        text.get(from..to)?.iter().try_fold(0, |sum, b| b.is_ascii_digit().then(|| sum * 10 + i32::from(b - b'0')))
    };
    let is = |at: usize, any: &[u8]| text.get(at).is_some_and(|b| any.contains(b));
    let date = (|| {
        let (year, month, day) = (digits(0, 4)?, digits(5, 7)?, digits(8, 10)?);
        let (hour, minute, second) = (digits(11, 13)?, digits(14, 16)?, digits(17, 19)?);
        // The mark between date and time may be a blank (section 5.6, last note), and letters may be small.
        let marks = is(4, b"-") && is(7, b"-") && is(10, b"Tt ") && is(13, b":") && is(16, b":");
        let days = match month {
            4 | 6 | 9 | 11 => 30,
            2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
            2 => 28,
            _ => 31,
        };
        let fits = (1..=12).contains(&month) && (1..=days).contains(&day) && hour < 24 && minute < 60 && second <= 60;
        (marks && fits).then_some((hour * 60 + minute, second))
    })();
    let Some((minute_of_day, second)) = date else { return false };
    let mut at = 19;
    if is(at, b".") {
        let start = at + 1;
        at = start + text[start..].iter().take_while(|b| b.is_ascii_digit()).count();
        if at == start {
            return false;
        }
    }
    let offset = match text.get(at).copied() {
        Some(b'Z' | b'z') if at + 1 == text.len() => 0,
        Some(sign @ (b'+' | b'-')) if at + 6 == text.len() && is(at + 3, b":") => {
            match (digits(at + 1, at + 3), digits(at + 4, at + 6)) {
                (Some(hours @ 0..24), Some(minutes @ 0..60)) if sign == b'+' => hours * 60 + minutes,
                (Some(hours @ 0..24), Some(minutes @ 0..60)) => -(hours * 60 + minutes),
                _ => return false,
            }
        }
        _ => return false,
    };
    // Second 60 is a leap second, which is the last one of a day in UTC (section 5.7).
    second < 60 || (minute_of_day - offset).rem_euclid(MINUTES_OF_DAY) == MINUTES_OF_DAY - 1
}

#[cfg(test)]
mod tests {
    use super::is_rfc3339;

    #[test]
    fn rfc3339_accepts_what_the_standard_says() {
        for good in [
            "2018-04-05T17:31:00Z",
            "2018-04-05t17:31:00z",
            "1985-04-12T23:20:50.52Z",
            "1996-12-19T16:39:57-08:00",
            "1990-12-31T23:59:60Z",
            "1990-12-31T15:59:60-08:00",
            "1991-01-01T00:59:60.5+01:00",
            "2026-01-31 12:00:00Z",
            "2026-01-31T12:00:00-00:00",
            "2020-02-29T00:00:00.123456789+05:30",
        ] {
            assert!(is_rfc3339(good.as_bytes()), "{good}");
        }
        for bad in [
            "",
            "2018-04-05",
            "2018-04-05T17:31:00",
            "2018-13-05T17:31:00Z",
            "2019-02-29T17:31:00Z",
            "2018-04-05T24:31:00Z",
            "2018-04-05T17:31:00.Z",
            "2018-04-05T17:31:00+0100",
            "2018-04-05T17:31:00Zx",
            "18-04-05T17:31:00Z",
            "1990-12-31T22:59:60Z",
            "1990-12-31T23:59:60-08:00",
            "1990-12-31T23:59:61Z",
            "2018-04-05T17:31:00+24:00",
            "2018-04-05T17:31:00+01:60",
            "2018-04-05T17:31:00,5Z",
        ] {
            assert!(!is_rfc3339(bad.as_bytes()), "{bad}");
        }
    }
}
