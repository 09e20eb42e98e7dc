//! The HTTP answer of a function, and the JSON object `{"statusCode":…,"headers":…,"body":…}` in which it is written:
//! the form of the Event Gateway, understood from JavaScript and from URLs alike.
//!
//! Whether an object is meant as an answer is decided by the readers of whole replies.

use bytes::Bytes;
use http::{HeaderName, HeaderValue};
use serde_json::value::RawValue;

use crate::members::{self, Members};

/// The member that tells an answer from an event: no attribute of CloudEvents has a capital letter.
pub(crate) const STATUS_CODE: &str = "statusCode";
/// The other members of an answer.
pub(crate) const HEADERS: &str = "headers";
/// See [`HEADERS`].
pub(crate) const BODY: &str = "body";

/// Headers that belong to one connection or are counted by the server: a function cannot set them for the caller.
const FRAMING: [&str; 10] = [
    "connection",
    "content-length",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

/// An HTTP answer to the caller who waits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpAnswer {
    /// 200 to 599.
    pub status: u16,
    /// Names and values that are valid in HTTP; none of them frames the message.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Bytes,
}

/// What a body may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BodyRule {
    /// Text only, as the Event Gateway has it.
    Text,
    /// Text, or any other JSON value, which is then sent as JSON.
    AnyJson,
}

impl HttpAnswer {
    /// The answer of a function that returns nothing.
    pub(crate) fn empty() -> Self {
        Self { status: 200, headers: Vec::new(), body: Bytes::new() }
    }

    /// Checks the parts of an answer that came typed.
    pub(crate) fn checked(status: u16, headers: Vec<(String, String)>, body: Bytes) -> Result<Self, String> {
        if !(200..=599).contains(&status) {
            return Err(format!("the status must be from 200 to 599, but is {status}"));
        }
        let mut kept = Vec::with_capacity(headers.len());
        for (name, value) in headers {
            push_header(&mut kept, &name, value)?;
        }
        Ok(Self { status, headers: kept, body })
    }

    /// Reads an answer from its members. Bytes that came beside the JSON are the body.
    pub(crate) fn from_members(members: &Members<'_>, bytes: Option<Bytes>, rule: BodyRule) -> Result<Self, String> {
        let status = members.get(STATUS_CODE).map_or(Ok(200), status)?;
        let mut headers = Vec::new();
        if let Some(value) = members.get(HEADERS) {
            read_headers(&mut headers, value)?;
        }
        let body = match (bytes, members.get(BODY)) {
            (Some(bytes), _) => bytes,
            (None, None) => Bytes::new(),
            (None, Some(value)) => match members::text(value) {
                Some(text) => text.into(),
                None if rule == BodyRule::AnyJson => {
                    if !headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("content-type")) {
                        headers.push(("content-type".into(), "application/json".into()));
                    }
                    Bytes::copy_from_slice(value.get().as_bytes())
                }
                None => return Err(format!("\"body\" must be a string, but is {}", members::quote(value))),
            },
        };
        Ok(Self { status, headers, body })
    }
}

/// Tells whether a header frames the message and is therefore the server's.
pub(crate) fn is_framing(name: &str) -> bool {
    FRAMING.iter().any(|framing| framing.eq_ignore_ascii_case(name))
}

fn status(value: &RawValue) -> Result<u16, String> {
    let number = value.get().parse::<u16>().ok().filter(|number| (200..=599).contains(number));
    number.ok_or_else(|| {
        format!("\"{STATUS_CODE}\" must be a whole number from 200 to 599, but is {}", members::quote(value))
    })
}

fn read_headers(headers: &mut Vec<(String, String)>, value: &RawValue) -> Result<(), String> {
    let object: Members<'_> = serde_json::from_str(value.get())
        .map_err(|_| format!("\"{HEADERS}\" must be an object, but is {}", members::quote(value)))?;
    for (name, value) in object.iter() {
        let broken = || {
            let given = members::quote(value);
            format!("the header {name:?} must be a string or a list of strings, but is {given}")
        };
        if let Some(text) = members::text(value) {
            push_header(headers, name, text)?;
        } else if !members::is_null(value) {
            let list: Vec<String> = serde_json::from_str(value.get()).map_err(|_| broken())?;
            for text in list {
                push_header(headers, name, text)?;
            }
        }
    }
    Ok(())
}

fn push_header(headers: &mut Vec<(String, String)>, name: &str, value: String) -> Result<(), String> {
    if HeaderName::from_bytes(name.as_bytes()).is_err() {
        return Err(format!("a header name must be a token (RFC 9110), but one is {name:?}"));
    }
    if HeaderValue::from_str(&value).is_err() {
        return Err(format!("the value of the header {name:?} contains a character that HTTP does not allow"));
    }
    if !is_framing(name) {
        headers.push((name.to_owned(), value));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str, bytes: Option<&'static [u8]>, rule: BodyRule) -> Result<HttpAnswer, String> {
        let members: Members<'_> = serde_json::from_str(text).expect("a JSON object");
        HttpAnswer::from_members(&members, bytes.map(Bytes::from_static), rule)
    }

    fn answer(status: u16, headers: &[(&str, &str)], body: &'static str) -> HttpAnswer {
        let headers = headers.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
        HttpAnswer { status, headers, body: body.into() }
    }

    #[test]
    fn what_is_left_out_has_a_default() {
        let both = [BodyRule::Text, BodyRule::AnyJson];
        let check = |rules: &[BodyRule], text: &str, expected: HttpAnswer| {
            for rule in rules {
                assert_eq!(read(text, None, *rule).as_ref(), Ok(&expected), "{rule:?} {text}");
            }
        };
        check(&both, "{}", HttpAnswer::empty());
        check(&both, r#"{"statusCode":null,"headers":null,"body":null}"#, HttpAnswer::empty());
        check(&both, r#"{"statusCode":201,"body":"a\u00e9"}"#, answer(201, &[], "aé"));
        check(
            &both,
            r#"{"headers":{"x-a":"1","set-cookie":["a=1","b=2"],"Content-Length":"9","x-b":null}}"#,
            answer(200, &[("x-a", "1"), ("set-cookie", "a=1"), ("set-cookie", "b=2")], ""),
        );
        let json = [("content-type", "application/json")];
        check(&[BodyRule::AnyJson], r#"{"body":{"a":[1]}}"#, answer(200, &json, r#"{"a":[1]}"#));
        check(&[BodyRule::AnyJson], r#"{"body":3}"#, answer(200, &json, "3"));
        let given = [("Content-Type", "text/csv")];
        let text = r#"{"headers":{"Content-Type":"text/csv"},"body":3}"#;
        check(&[BodyRule::AnyJson], text, answer(200, &given, "3"));
    }

    #[test]
    fn bytes_beside_the_json_are_the_body() {
        let read = read(r#"{"statusCode":200}"#, Some(b"\xff"), BodyRule::AnyJson).expect("valid");
        assert_eq!(read.body, &b"\xff"[..]);
    }

    #[test]
    fn what_is_wrong_is_named() {
        let check = |text: &str, problem: &str| {
            assert_eq!(read(text, None, BodyRule::Text), Err(problem.to_owned()), "{text}");
        };
        for code in ["0", "99", "199", "600", "1000", "70000", "-1", "200.5", "\"200\"", "[]"] {
            check(
                &format!(r#"{{"statusCode":{code}}}"#),
                &format!("\"statusCode\" must be a whole number from 200 to 599, but is {code}"),
            );
        }
        check(r#"{"headers":[]}"#, "\"headers\" must be an object, but is []");
        check(r#"{"headers":{"a":1}}"#, "the header \"a\" must be a string or a list of strings, but is 1");
        check(r#"{"headers":{"a b":"1"}}"#, "a header name must be a token (RFC 9110), but one is \"a b\"");
        check(
            r#"{"headers":{"a":"1\n2"}}"#,
            "the value of the header \"a\" contains a character that HTTP does not allow",
        );
        check(r#"{"body":{}}"#, "\"body\" must be a string, but is {}");
    }
}
