//! AWS Signature Version 4, for the one shape of request that is sent here: a POST without a query, whose headers are all
//! signed. See decision 0011 for why this is no dependency.

use std::fmt::Write;

use http::HeaderMap;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use ring::{digest, hmac};

use weir_domain::Timestamp;

use super::AwsCredentials;

const ALGORITHM: &str = "AWS4-HMAC-SHA256";
/// The last part of every scope.
const TERMINATOR: &str = "aws4_request";

/// What stays as it is in a path: the unreserved characters of RFC 3986.
pub(super) const PATH_SEGMENT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');
/// The same for a whole path. Escapes that are there are escaped once more, as every service but S3 has it.
const PATH: &AsciiSet = &PATH_SEGMENT.remove(b'/');

/// For which region and service a signature is good.
pub(super) struct Scope<'a> {
    pub(super) region: &'a str,
    pub(super) service: &'a str,
}

/// What is signed.
pub(super) struct Signed<'a> {
    /// The host, which the client sends by itself.
    pub(super) host: &'a str,
    /// The path as it is sent.
    pub(super) path: &'a str,
    /// All other headers that are signed; the date is among them. Each name comes once.
    pub(super) headers: &'a HeaderMap,
    pub(super) body: &'a [u8],
}

/// Writes a time as the services want it: `20150830T123600Z`.
pub(super) fn time(now: Timestamp) -> String {
    let micros = i64::try_from(now.unix_micros()).unwrap_or(i64::MAX);
    let time = jiff::Timestamp::from_microsecond(micros).unwrap_or(jiff::Timestamp::MAX);
    time.strftime("%Y%m%dT%H%M%SZ").to_string()
}

/// Returns the header `authorization`.
pub(super) fn authorization(
    credentials: &AwsCredentials,
    scope: &Scope<'_>,
    time: &str,
    signed: &Signed<'_>,
) -> String {
    let date = time.split('T').next().unwrap_or_default();
    let Scope { region, service } = *scope;
    let (canonical, names) = canonical(signed);
    let scope = format!("{date}/{region}/{service}/{TERMINATOR}");
    let text = format!("{ALGORITHM}\n{time}\n{scope}\n{}", hash(canonical.as_bytes()));
    let first = mac(format!("AWS4{}", credentials.secret_access_key).as_bytes(), date);
    let key = [region, service, TERMINATOR].into_iter().fold(first, |key, part| mac(key.as_ref(), part));
    let signature = hex(mac(key.as_ref(), &text).as_ref());
    let id = &credentials.access_key_id;
    format!("{ALGORITHM} Credential={id}/{scope}, SignedHeaders={names}, Signature={signature}")
}

/// Returns the canonical form of a request, and the names of its headers.
fn canonical(signed: &Signed<'_>) -> (String, String) {
    let Signed { host, path, headers, body } = signed;
    let values = headers.iter().map(|(name, value)| (name.as_str(), value.to_str().unwrap_or_default().trim()));
    let mut lines: Vec<(&str, &str)> = values.chain([("host", *host)]).collect();
    lines.sort_unstable();
    let names = lines.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(";");
    let mut text = format!("POST\n{}\n\n", utf8_percent_encode(path, PATH));
    for (name, value) in lines {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{name}:{value}");
    }
    let _ = write!(text, "\n{names}\n{}", hash(body));
    (text, names)
}

fn mac(key: &[u8], text: &str) -> hmac::Tag {
    hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), text.as_bytes())
}

fn hash(bytes: &[u8]) -> String {
    hex(digest::digest(&digest::SHA256, bytes).as_ref())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use http::{HeaderName, HeaderValue};

    use super::*;

    /// The session token of the suite.
    const TOKEN: &str = "AQoDYXdzEPT//////////wEXAMPLEtc764bNrC9SAPBSM22wDOk4x4HIZ8j4FZTwdQWLWsKWHGBuFqwAeMicRXmxfpSPfIeoIYRqTflfKD8YUuwthAx7mSEI/qkPpKPi/kMcGdQrmGdeehM4IC1NtBmUpp2wUE8phUZampKsburEDy0KPkyQDYwT7WZ0wq5VSXDvp75YU9HFvlRd8Tx6q6fE8YQcHNVXAkiY9q6d+xo0rKwT38xVqr7ZD0u0iPPkUL64lIZbqBAz+scqKmlzm8FDrypNC9Yjc8fPOLn9FX9KSYvKTr4rvx3iSIlTJabIQwj2ICCR/oLxBA==";

    /// Cases of the test suite that AWS has published for Signature Version 4 (`aws-sig-v4-test-suite`).
    #[test]
    fn the_published_test_suite_is_kept() {
        // 2015-08-30T12:36:00Z.
        let time = time(Timestamp::from_unix_micros(1_440_938_160_000_000));
        assert_eq!(time, "20150830T123600Z");
        let credentials = AwsCredentials {
            access_key_id: "AKIDEXAMPLE".into(),
            secret_access_key: "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY".into(),
            session_token: None,
        };
        let check = |given: &[(&'static str, &'static str)], body: &str, names: &str, signature: &str| {
            let mut headers = HeaderMap::new();
            headers.insert("x-amz-date", HeaderValue::from_str(&time).expect("ASCII"));
            for (name, value) in given {
                headers.insert(HeaderName::from_static(name), HeaderValue::from_static(value));
            }
            let scope = Scope { region: "us-east-1", service: "service" };
            let signed = Signed { host: "example.amazonaws.com", path: "/", headers: &headers, body: body.as_bytes() };
            let expected = format!(
                "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, \
                 SignedHeaders={names}, Signature={signature}"
            );
            assert_eq!(authorization(&credentials, &scope, &time, &signed), expected);
        };
        // post-vanilla
        let signature = "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b";
        check(&[], "", "host;x-amz-date", signature);
        // post-sts-token/post-sts-header-before
        let signature = "85d96828115b5dc0cfc3bd16ad9e210dd772bbebba041836c64533a82be05ead";
        check(&[("x-amz-security-token", TOKEN)], "", "host;x-amz-date;x-amz-security-token", signature);
        // post-x-www-form-urlencoded
        let signature = "ff11897932ad3f4e8b18135d722051e5ac45fc38421b1da7b9d196a0fe09473a";
        let form = [("content-type", "application/x-www-form-urlencoded")];
        check(&form, "Param1=value1", "content-type;host;x-amz-date", signature);
    }

    #[test]
    fn what_is_escaped_in_a_path_is_escaped_again() {
        let signed = Signed { host: "h", path: "/a%3Ab/c-d", headers: &HeaderMap::new(), body: b"" };
        assert!(canonical(&signed).0.starts_with("POST\n/a%253Ab/c-d\n\nhost:h\n\nhost\n"));
    }
}
