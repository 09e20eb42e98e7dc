//! Syntax of attribute names and values, as CloudEvents 1.0.2 section 3.1 and the RFCs it names demand.

use crate::AttributeError;

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

/// A URI-reference (RFC 3986): only its characters and well-formed escapes are checked.
pub(crate) fn check_uri_reference(name: &str, value: &str) -> Result<(), AttributeError> {
    let bytes = value.as_bytes();
    for (at, byte) in bytes.iter().enumerate() {
        let fits = match byte {
            b'%' => bytes.get(at + 1..at + 3).is_some_and(|hex| hex.iter().all(u8::is_ascii_hexdigit)),
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' => true,
            _ => b"-._~:/?#[]@!$&'()*+,;=".contains(byte),
        };
        if !fits {
            return Err(AttributeError::new(
                name,
                format!("is not a URI-reference (RFC 3986) at byte {at}: percent-encode other characters"),
            ));
        }
    }
    Ok(())
}

/// An absolute URI: a URI-reference that begins with a scheme.
pub(crate) fn check_uri(name: &str, value: &str) -> Result<(), AttributeError> {
    check_uri_reference(name, value)?;
    let scheme = value.split_once(':').map_or("", |(scheme, _)| scheme);
    let fits = scheme.starts_with(|c: char| c.is_ascii_alphabetic())
        && scheme.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'-' | b'.'));
    if fits {
        Ok(())
    } else {
        Err(AttributeError::new(name, "must be an absolute URI (RFC 3986): begin with a scheme such as https:"))
    }
}

/// A media type (RFC 2046): `type/subtype`, then parameters.
pub(crate) fn check_media_type(name: &str, value: &str) -> Result<(), AttributeError> {
    let essence = value.split(';').next().unwrap_or_default().trim();
    let token = |part: &str| {
        !part.is_empty() && part.bytes().all(|b| b.is_ascii_alphanumeric() || b"!#$&-^_.+'*%`|~".contains(&b))
    };
    match essence.split_once('/') {
        Some((kind, subtype)) if token(kind) && token(subtype) => Ok(()),
        _ => Err(AttributeError::new(name, "must be a media type (RFC 2046) such as application/json")),
    }
}

/// A timestamp of RFC 3339, section 5.6.
pub(crate) fn check_timestamp(name: &str, value: &str) -> Result<(), AttributeError> {
    if is_rfc3339(value.as_bytes()) {
        Ok(())
    } else {
        Err(AttributeError::new(name, "must be a time of RFC 3339 such as 2026-01-31T12:00:00Z"))
    }
}

fn is_rfc3339(text: &[u8]) -> bool {
    let digits = |from: usize, to: usize| -> Option<u32> {
        text.get(from..to)?.iter().try_fold(0, |sum, b| b.is_ascii_digit().then(|| sum * 10 + u32::from(b - b'0')))
    };
    let is = |at: usize, any: &[u8]| text.get(at).is_some_and(|b| any.contains(b));
    let date = (|| {
        let (year, month, day) = (digits(0, 4)?, digits(5, 7)?, digits(8, 10)?);
        let (hour, minute, second) = (digits(11, 13)?, digits(14, 16)?, digits(17, 19)?);
        let marks = is(4, b"-") && is(7, b"-") && is(10, b"Tt ") && is(13, b":") && is(16, b":");
        let days = match month {
            4 | 6 | 9 | 11 => 30,
            2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
            2 => 28,
            _ => 31,
        };
        // Second 60 is a leap second.
        let fits = (1..=12).contains(&month) && (1..=days).contains(&day) && hour < 24 && minute < 60 && second <= 60;
        (marks && fits).then_some(())
    })();
    if date.is_none() {
        return false;
    }
    let mut at = 19;
    if is(at, b".") {
        let start = at + 1;
        at = start + text[start..].iter().take_while(|b| b.is_ascii_digit()).count();
        if at == start {
            return false;
        }
    }
    match text.get(at) {
        Some(b'Z' | b'z') => at + 1 == text.len(),
        Some(b'+' | b'-') => {
            at + 6 == text.len()
                && is(at + 3, b":")
                && digits(at + 1, at + 3).is_some_and(|h| h < 24)
                && digits(at + 4, at + 6).is_some_and(|m| m < 60)
        }
        _ => false,
    }
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
        ] {
            assert!(!is_rfc3339(bad.as_bytes()), "{bad}");
        }
    }
}
