//! Input that means harm: nothing of it may panic, overflow the stack or take more memory than it brought.

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue};
use proptest::prelude::*;

use weir_cloudevents::{binary, json, mode};
use weir_domain::{Data, Limits};

use crate::{decode, encode, headers};

const MEGABYTE: usize = 1 << 20;
const GOOD: &str = r#"{"specversion":"1.0","id":"1","source":"/s","type":"t"}"#;
const FULL: &str = r#"{"specversion":"1.0","id":"1\u00e9","source":"/s","type":"t","subject":"käse","time":"2026-01-31T12:00:00Z","datacontenttype":"application/json","a":1,"b":true,"c":"d","e":null,"data":{"x":[1,-2.5e3,"\ud83d\ude00\n",null,true]}}"#;

/// Takes the body through every way in and returns the complaint of the first.
fn refused(body: impl Into<Bytes>) -> String {
    let (body, limits) = (body.into(), Limits::default());
    let error = json::decode(&body, &limits).expect_err("hostile").to_string();
    assert!(json::decode_batch(&body, &limits).is_err());
    let json_type = [
        ("ce-specversion", "1.0"),
        ("ce-id", "1"),
        ("ce-source", "/s"),
        ("ce-type", "t"),
        ("content-type", "application/json"),
    ];
    // As data it may be harmless; what counts is that it is judged.
    let _ = binary::decode(&headers(&json_type), body, &limits);
    error
}

fn with(members: &str) -> String {
    format!("{},{members}}}", &GOOD[..GOOD.len() - 1])
}

#[test]
fn nesting_is_bounded() {
    let (open, close) = ("[".repeat(MEGABYTE), "]".repeat(MEGABYTE));
    let too_deep = "data is nested deeper than 127 levels: flatten it";
    refused(open.clone());
    refused(format!("{open}{close}"));
    refused(r#"{"data":"#.repeat(MEGABYTE / 8));
    assert!(refused(with(&format!(r#""data":{open}"#))).ends_with("in \"data\": expected value"));
    assert_eq!(refused(with(&format!(r#""data":{open}{close}"#))), too_deep);
    let objects = format!("{}1{}", r#"{"a":"#.repeat(128), "}".repeat(128));
    assert_eq!(refused(with(&format!(r#""data":{objects}"#))), too_deep);
    assert!(refused(with(&format!(r#""ext":{open}{close}"#))).ends_with("but is an array"));
    // What everybody can read is taken.
    let fine = format!("{}{}", "[".repeat(127), "]".repeat(127));
    assert_eq!(decode(&with(&format!(r#""data":{fine}"#))).data(), &Data::Json(fine.into()));
}

#[test]
fn members_are_bounded() {
    let many: String = (0..100_000).map(|index| format!(r#","x{index}":null"#)).collect();
    let message = refused(format!("{}{many}}}", &GOOD[..GOOD.len() - 1]));
    assert_eq!(message, "the number of extension attributes is 100000, over the limit of 64: send less");
    let name = "x".repeat(MEGABYTE);
    assert!(refused(with(&format!(r#""{name}":1"#))).ends_with("has a name longer than 64 characters: shorten it"));
    let message = refused(with(&format!(r#""ext":"{}""#, "x".repeat(MEGABYTE))));
    assert_eq!(message, "the length of attribute \"ext\" in bytes is 1048576, over the limit of 8192: send less");
}

#[test]
fn numbers_are_bounded_as_attributes_and_untouched_as_data() {
    let digits = "9".repeat(100_000);
    for number in ["1e999", "-1e999", "1e-999", "1E+99999999999999999999", digits.as_str()] {
        refused(with(&format!(r#""ext":{number}"#)));
        let event = decode(&with(&format!(r#""data":{number}"#)));
        assert_eq!(event.data(), &Data::Json(number.into()));
        assert_eq!(decode(&encode(&event)), event);
    }
    for number in ["01", "+1", ".5", "1.", "1e", "0x1", "NaN", "-"] {
        refused(with(&format!(r#""data":{number}"#)));
    }
}

#[test]
fn lone_surrogates_are_no_text() {
    for text in [r"\ud800", r"\udc00", r"\ud800\ud800", r"a\ud83d b", r"\ud800\u0041"] {
        refused(with(&format!(r#""subject":"{text}""#)));
        refused(with(&format!(r#""x{text}":1"#)));
        refused(with(&format!(r#""datacontenttype":"text/plain","data":"{text}""#)));
        // The grammar of JSON allows them, and data is passed on as it was written.
        let event = decode(&with(&format!(r#""data":"{text}""#)));
        assert_eq!(event.data(), &Data::Json(format!("\"{text}\"").into()));
    }
}

#[test]
fn a_cut_message_is_never_an_event() {
    decode(FULL);
    for end in 0..FULL.len() {
        refused(FULL.as_bytes()[..end].to_vec());
    }
    let batch = format!("[{FULL}, {FULL}]");
    assert_eq!(json::decode_batch(&Bytes::from(batch.clone()), &Limits::default()).expect("valid").len(), 2);
    for end in 0..batch.len() {
        refused(batch.as_bytes()[..end].to_vec());
    }
}

#[test]
fn a_changed_byte_is_refused_or_understood() {
    let limits = Limits::default();
    for at in 0..FULL.len() {
        for byte in [0, b' ', b'"', b'\\', b'{', b']', b',', b'0', b'e', 0x80, 0xff] {
            let mut body = FULL.as_bytes().to_vec();
            body[at] = byte;
            if let Ok(event) = json::decode(&Bytes::from(body), &limits) {
                assert_eq!(decode(&encode(&event)).data(), event.data());
            }
        }
    }
}

proptest! {
    #[test]
    fn any_bytes_are_judged(body in prop::collection::vec(any::<u8>(), 0..256)) {
        refused(body);
    }

    #[test]
    fn any_json_is_judged(members in "(\"[a-z_]{0,5}\":(\"[a-z\\\\]{0,3}\"|[0-9.e-]{1,4}|null|\\[\\]|\\{\\}),){0,4}") {
        let body = Bytes::from(format!("{{{members}{}", &GOOD[1..]));
        if let Ok(event) = json::decode(&body, &Limits::default()) {
            prop_assert_eq!(decode(&encode(&event)), event);
        }
    }

    #[test]
    fn any_headers_are_judged(
        list in prop::collection::vec(
            (
                prop::sample::select(vec![
                    "ce-specversion", "ce-id", "ce-source", "ce-type", "ce-subject", "ce-x", "ce-", "content-type",
                ]),
                prop_oneof![
                    Just(b"1.0".to_vec()),
                    Just(b"application/cloudevents+json".to_vec()),
                    prop::collection::vec(any::<u8>(), 0..12),
                    "[%\"\\\\a-fA-F0-9;/= ]{0,12}".prop_map(String::into_bytes),
                ],
            ),
            0..12,
        ),
        body in prop::collection::vec(any::<u8>(), 0..16),
    ) {
        let mut headers = HeaderMap::new();
        for (name, value) in list {
            if let Ok(value) = HeaderValue::from_bytes(&value) {
                headers.append(HeaderName::from_static(name), value);
            }
        }
        let _ = mode::detect(&headers);
        if let Ok(event) = binary::decode(&headers, Bytes::from(body), &Limits::default()) {
            let (headers, body) = binary::encode(&event);
            prop_assert_eq!(binary::decode(&headers, body, &Limits::default()), Ok(event));
        }
    }
}
