//! Input that means harm.

use super::*;

#[test]
fn nesting_is_bounded() {
    let (open, close) = ("[".repeat(MEGABYTE), "]".repeat(MEGABYTE));
    for body in [open.clone(), format!("{open}{close}"), r#"{"data":"#.repeat(MEGABYTE / 8)] {
        assert!(!is_structured(body.as_bytes()));
        assert!(structured(body).is_err());
    }
    let refused = |members: String, message: &str| {
        let body = with(&members);
        assert!(is_structured(body.as_bytes()));
        assert_eq!(structured(body), Err(format!("400 {message}")));
    };
    refused(format!(r#""data":{open}{close}"#), "data is nested deeper than 127 levels: flatten it");
    let extension = "attribute \"a\" is nested deeper than 127 levels: flatten it";
    refused(format!(r#""extensions":{{"a":{open}{close}}}"#), extension);
    refused(format!(r#""extensions":{open}{close}"#), "attribute \"extensions\" must be an object, but is an array");
    refused(format!(r#""eventTime":{open}{close}"#), "attribute \"eventTime\" must be a string, but is an array");
    let unclosed = structured(with(&format!(r#""extensions":{{"a":{open}"#))).expect_err("broken");
    assert!(unclosed.starts_with("400 the JSON is broken at line 1, column "), "{unclosed}");
    assert!(unclosed.contains(", in \"extensions\": "), "{unclosed}");
    // What is passed over does no harm, and what everybody can read is taken.
    assert_eq!(structured(with(&format!(r#""other":{open}{close}"#))), built(good()));
    let fine = nested(127);
    let event = structured(with(&format!(r#""data":{fine},"extensions":{{"eventgateway":{fine}}}"#))).expect("valid");
    assert_eq!(event.extension_str("eventgateway"), Some(fine.as_str()));
    assert_eq!(structured(written(&event)), Ok(event));
}

#[test]
fn sizes_and_numbers_are_bounded() {
    let members = |count: usize, value: &str| {
        let list: Vec<String> = (0..count).map(|index| format!(r#""x{index}":{value}"#)).collect();
        format!(r#""extensions":{{{}}}"#, list.join(","))
    };
    let too_many = |count: usize| -> Result<Event, String> {
        Err(format!("413 the number of extension attributes is {count}, over the limit of 64: send less"))
    };
    assert!(structured(with(&members(64, "{}"))).is_ok());
    assert_eq!(structured(with(&members(65, "1"))), too_many(65));
    assert_eq!(structured(with(&members(100_000, "null"))), too_many(100_000));
    assert_eq!(structured(with(&format!(r#"{},"eventTypeVersion":"1""#, members(64, "1")))), too_many(65));
    let names: Vec<String> = (0..100).map(|index| format!("ce-x-{index}")).collect();
    let list: Vec<(&str, &str)> = names.iter().map(|name| (name.as_str(), "v")).collect();
    assert_eq!(binary_with(&list, ""), too_many(65));

    let long = "x".repeat(MEGABYTE);
    let too_long = |name: &str, given: usize| -> Result<Event, String> {
        Err(format!("413 the length of attribute \"{name}\" in bytes is {given}, over the limit of 8192: send less"))
    };
    for name in ["eventTime", "schemaURL", "contentType", "eventTypeVersion"] {
        assert_eq!(structured(with(&format!(r#""{name}":"{long}""#))), too_long(name, MEGABYTE));
    }
    assert_eq!(structured(GOOD.replace("/s", &long)), too_long("source", MEGABYTE));
    assert_eq!(structured(with(&format!(r#""extensions":{{"a":"{long}"}}"#))), too_long("a", MEGABYTE));
    assert_eq!(structured(with(&format!(r#""extensions":{{"a":["{long}"]}}"#))), too_long("a", MEGABYTE + 4));
    let digits = "9".repeat(MEGABYTE);
    assert_eq!(structured(with(&format!(r#""extensions":{{"a":{digits}}}"#))), too_long("a", MEGABYTE));
    let value = "v".repeat(8193);
    assert_eq!(binary_with(&[("ce-x-a", value.as_str())], ""), too_long("ce-x-a", 8193));
    assert_eq!(binary_with(&[("ce-schemaurl", value.as_str())], ""), too_long("schemaURL", 8193));

    let collision = structured(with(&format!(r#""extensions":{{"{long}":1,"{long}":2}}"#))).expect_err("given twice");
    assert!(collision.len() < 512, "a refusal of {} bytes", collision.len());

    let size = |given: usize| -> Result<Event, String> {
        Err(format!("413 the size of the event in bytes is {given}, over the limit of 1048576: send less"))
    };
    assert_eq!(structured(with(&format!(r#""data":{digits}"#))), size(MEGABYTE + 4));
    assert_eq!(binary_with(&[], long), size(MEGABYTE + 4));
}

#[test]
fn names_and_texts_are_unicode() {
    for text in [r"\ud800", r"\udc00", r"\ud800\ud800", r"a\ud83d b"] {
        let refused = |members: String, begin: &str| {
            let message = structured(with(&members)).expect_err(text);
            assert!(message.starts_with(begin), "{message}");
        };
        let name = "400 attribute \"extensions\" has a name that is not Unicode: ";
        refused(format!(r#""extensions":{{"{text}":1}}"#), name);
        refused(format!(r#""extensions":{{"a":"{text}"}}"#), "400 attribute \"a\" is a string that is not Unicode: ");
        refused(format!(r#""eventTime":"{text}""#), "400 attribute \"eventTime\" is a string that is not Unicode: ");
        refused(format!(r#""{text}":1"#), "400 the JSON is broken at line 1, column ");
        // The grammar of JSON allows them, and what is kept as JSON is passed on as it was written.
        let event = structured(with(&format!(r#""extensions":{{"eventgateway":["{text}"]}},"data":"{text}""#)));
        let event = event.expect(text);
        assert_eq!(event.data(), &Data::Json(format!("\"{text}\"").into()));
        assert_eq!(structured(written(&event)), Ok(event));
    }
    let message = "400 the body is not UTF-8 at byte 2: send JSON in UTF-8 (RFC 8259)";
    assert_eq!(structured(&b"{\"\xff\":1}"[..]), Err(message.to_owned()));
}

#[test]
fn a_cut_message_is_never_an_event() {
    let event = structured(FULL).expect("valid");
    assert_eq!(event.data(), &Data::Binary(Bytes::from_static(&[0, 1, 2, 255])));
    assert_eq!(event.extension_str("eventgateway"), Some(r#"{"a":["x\u007f",{}]}"#));
    assert_eq!(structured(written(&event)), Ok(event));
    for end in 0..FULL.len() {
        let body = &FULL.as_bytes()[..end];
        assert!(!is_structured(body), "{end}");
        assert!(structured(body).is_err(), "{end}");
    }
}

#[test]
fn a_changed_byte_is_refused_or_understood() {
    for at in 0..FULL.len() {
        for byte in [0, b' ', b'"', b'\\', b'{', b']', b',', b'0', b'e', 0x80, 0xff] {
            let mut body = FULL.as_bytes().to_vec();
            body[at] = byte;
            let _ = is_structured(&body);
            if let Ok(event) = structured(body) {
                assert_eq!(structured(written(&event)), Ok(event), "{at} {byte}");
            }
        }
    }
}

proptest! {
    #[test]
    fn any_bytes_are_judged(body in prop::collection::vec(any::<u8>(), 0..256)) {
        prop_assert!(!is_structured(&body));
        prop_assert!(structured(body.clone()).is_err());
        prop_assert!(binary_with(&[("content-type", "application/json")], body).is_ok());
    }

    #[test]
    fn what_is_read_comes_back(
        members in prop::collection::vec(
            (
                prop::sample::select(vec!["contentType", "schemaurl", "eventTypeVersion", "eventTime", "other"]),
                prop::sample::select(vec![
                    r#""text/plain""#, r#""application/json""#, r#""image/png""#, r#""urn:a""#, r#""a b""#, r#""""#,
                    r#""2026-01-31T12:00:00Z""#, "null", "5", "{}",
                ]),
            ),
            0..4,
        ),
        extensions in prop::collection::vec(
            (
                "[a-zA-Z-]{0,3}|subject|schemaURL|eventTypeVersion|eventgateway",
                "\"[a-z{}]{0,3}\"|[1-9][0-9]{0,11}|0|null|true|\\[ 1 \\]|\\{\"a\" : \"\\\\u0000\"\\}|\"\\{\\}\"",
            ),
            0..6,
        ),
        data in prop::option::of("\"[a-zA-Z0-9/+]{0,8}={0,2}\"|[1-9]{1,4}|null|\\[ \\]|\\{\"a\" : 1\\}"),
    ) {
        let extensions: Vec<String> = extensions.iter().map(|(name, value)| format!(r#""{name}":{value}"#)).collect();
        let mut list = vec![format!(r#""extensions":{{{}}}"#, extensions.join(" , "))];
        list.extend(members.iter().map(|(name, value)| format!(r#""{name}":{value}"#)));
        list.extend(data.map(|data| format!(r#""data": {data}"#)));
        let body = with(&list.join("\n,"));
        prop_assert!(is_structured(body.as_bytes()));
        if let Ok(event) = structured(body) {
            prop_assert_eq!(structured(written(&event)), Ok(event));
        }
    }

    #[test]
    fn any_headers_are_judged(
        list in prop::collection::vec(
            (
                prop::sample::select(vec![
                    "ce-eventid", "ce-eventtime", "ce-eventtypeversion", "ce-schemaurl", "ce-x-a", "ce-x-b-", "ce-x-",
                    "ce-x-eventgateway", "ce-x-subject", "ce-", "content-type",
                ]),
                prop_oneof![
                    Just(b"image/png".to_vec()),
                    Just(b"2026-01-31T12:00:00Z".to_vec()),
                    prop::collection::vec(any::<u8>(), 0..6),
                    "[{}\"a:/]{0,6}".prop_map(String::into_bytes),
                ],
            ),
            0..8,
        ),
        body in prop::collection::vec(any::<u8>(), 0..16),
    ) {
        let mut map = headers(&GOOD_HEADERS);
        for (name, value) in list {
            if let Ok(value) = HeaderValue::from_bytes(&value) {
                map.append(HeaderName::from_static(name), value);
            }
        }
        let _ = is_binary(&map);
        if let Ok(event) = decode_binary(&map, Bytes::from(body), &Limits::default()) {
            let again = structured(written(&event)).expect("what is written can be read");
            prop_assert_eq!(structured(written(&again)), Ok(again));
        }
    }
}
