//! The token in the header `Authorization` (RFC 6750, section 2.1). Tokens in URLs and bodies are not taken: those end up
//! in logs.

use http::{HeaderMap, header::AUTHORIZATION};

/// The longest token that is looked at, in bytes.
pub(super) const BYTES_MAX: usize = 8 * 1024;

const SCHEME: &[u8] = b"bearer ";

/// What a request shows.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Shown<'h> {
    /// Nothing, or something of another scheme, which is not for us.
    Nothing,
    /// A token.
    Token(&'h str),
    /// Something that can be none, or more than one.
    Malformed,
}

/// Finds the token of a request.
pub(super) fn shown(headers: &HeaderMap) -> Shown<'_> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let Some(value) = values.next() else { return Shown::Nothing };
    if values.next().is_some() {
        return Shown::Malformed;
    }
    let value = value.as_bytes();
    let Some((scheme, rest)) = value.split_at_checked(SCHEME.len()) else {
        return if value.eq_ignore_ascii_case(b"bearer") { Shown::Malformed } else { Shown::Nothing };
    };
    if !scheme.eq_ignore_ascii_case(SCHEME) {
        return Shown::Nothing;
    }
    match str::from_utf8(rest.trim_ascii()) {
        Ok(text) if text.len() <= BYTES_MAX && is_token(text) => Shown::Token(text),
        _ => Shown::Malformed,
    }
}

/// Tells whether a text has the form of a token, `b64token`: letters, digits and `-._~+/`, then any number of `=`.
pub(super) fn is_token(text: &str) -> bool {
    let body = text.trim_end_matches('=');
    !body.is_empty() && body.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._~+/".contains(&b))
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn check(values: &[&[u8]], expected: Shown<'_>) {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(AUTHORIZATION, HeaderValue::from_bytes(value).expect("a value"));
        }
        assert_eq!(shown(&headers), expected, "{values:?}");
    }

    #[test]
    fn one_token_is_shown_or_none() {
        check(&[], Shown::Nothing);
        check(&[b"Bearer abc"], Shown::Token("abc"));
        check(&[b"bEARER   a-b.c_d~e+f/g== "], Shown::Token("a-b.c_d~e+f/g=="));
        for other in [&b"Basic YTpi"[..], b"", b"B", b"Bearers abc", b"Digest abcdef", b"token"] {
            check(&[other], Shown::Nothing);
        }
    }

    #[test]
    fn what_can_be_no_token_is_malformed() {
        let long = [b"Bearer ".as_slice(), &[b'a'; BYTES_MAX + 1]].concat();
        for bad in [
            &b"Bearer"[..],
            b"Bearer ",
            b"Bearer  ",
            b"Bearer =",
            b"Bearer a b",
            b"Bearer a=b",
            b"Bearer a,b",
            b"Bearer \"a\"",
            b"Bearer a\tb",
            b"Bearer \xc3\xa4",
            b"Bearer \xff",
            &long[..],
        ] {
            check(&[bad], Shown::Malformed);
        }
        check(&[b"Bearer a", b"Bearer a"], Shown::Malformed);
        check(&[b"Basic YTpi", b"Bearer a"], Shown::Malformed);
    }
}
