//! What is refused, and in which words.

use bytes::Bytes;

use weir_cloudevents::{DecodeError, binary, json};
use weir_domain::{ErrorKind, Limits};

use crate::headers;

const GOOD: &str = r#"{"specversion":"1.0","id":"1","source":"/s","type":"t"}"#;

fn refused(body: &[u8]) -> DecodeError {
    let error =
        json::decode(&Bytes::copy_from_slice(body), &Limits::default()).expect_err(&String::from_utf8_lossy(body));
    assert_eq!(error.kind(), ErrorKind::Invalid);
    error
}

/// Checks the complaint about a whole body.
fn check(body: &str, message: &str) {
    let error = refused(body.as_bytes());
    assert_eq!((error.status().as_u16(), error.to_string().as_str()), (400, message), "{body}");
}

/// Checks the complaint about an event that has these members beside `specversion`, `id`, `source` and `type`.
fn check_with(members: &str, message: &str) {
    check(&format!("{},{members}}}", &GOOD[..GOOD.len() - 1]), message);
}

#[test]
fn required_attributes() {
    let without_version = r#"{"id":"1","source":"/s","type":"t"}"#;
    let required = "attribute \"specversion\" is required: send CloudEvents 1.0, whose value is \"1.0\"";
    check(without_version, required);
    check("{}", required);
    // Other versions have other rules: the version is what is complained about first.
    check(r#"{"cloudEventsVersion":"0.1","eventType":"t","eventType":"t","extensions":{"a":{}}}"#, required);
    check(
        r#"{"specversion":"0.2","id":"1","source":"/s","type":"t","datacontentencoding":["base64"]}"#,
        "attribute \"specversion\" must be \"1.0\": send CloudEvents 1.0, not \"0.2\"",
    );
    check(
        r#"{"specversion":1,"id":"1","source":"/s","type":"t"}"#,
        "attribute \"specversion\" must be a string, but is a number",
    );
    let no_id = "attribute \"id\" is required and must not be empty";
    check(r#"{"specversion":"1.0","source":"/s","type":"t"}"#, no_id);
    check(r#"{"specversion":"1.0","id":null,"source":"/s","type":"t"}"#, no_id);
    check(r#"{"specversion":"1.0","id":"","source":"/s","type":"t"}"#, no_id);
    check(
        r#"{"specversion":"1.0","id":7,"source":"/s","type":"t"}"#,
        "attribute \"id\" must be a string, but is a number",
    );
    check(
        r#"{"specversion":"1.0","id":"1","source":"a b","type":"t"}"#,
        "attribute \"source\" is not a URI-reference (RFC 3986) at byte 1: percent-encode other characters",
    );
}

#[test]
fn optional_attributes() {
    check_with(r#""subject":"""#, "attribute \"subject\" must not be empty: give a value or leave it out");
    check_with(r#""subject":true"#, "attribute \"subject\" must be a string, but is a boolean");
    check_with(r#""subject":["a"]"#, "attribute \"subject\" must be a string, but is an array");
    check_with(
        r#""subject":"a\u0000b""#,
        "attribute \"subject\" contains the character U+0000, which is not allowed: remove it",
    );
    check_with(r#""time":"yesterday""#, "attribute \"time\" must be a time of RFC 3339 such as 2026-01-31T12:00:00Z");
    check_with(
        r#""datacontenttype":"json""#,
        "attribute \"datacontenttype\" must be a media type (RFC 2046) such as application/json",
    );
    check_with(
        r#""datacontenttype":"text/plain; charset""#,
        "attribute \"datacontenttype\" has a broken parameter (RFC 9110): write each as name=value or name=\"value\"",
    );
    check_with(
        r#""time":"2026-01-31T12:00:60Z""#,
        "attribute \"time\" must be a time of RFC 3339 such as 2026-01-31T12:00:00Z",
    );
    check_with(
        r#""dataschema":"/relative""#,
        "attribute \"dataschema\" must be an absolute URI (RFC 3986): begin with a scheme such as https:",
    );
}

#[test]
fn extensions() {
    check_with(
        r#""myExt":"x""#,
        "attribute \"myExt\" has a name that is not allowed: use lower-case letters a-z and digits only",
    );
    check_with(r#""partitionkey":"""#, "attribute \"partitionkey\" must not be empty: give a value or leave it out");
    check_with(
        r#""severitynumber":-1"#,
        "attribute \"severitynumber\" must be a whole number of 32 bits that is at least 0",
    );
    check_with(
        r#""sequencetype":"Integer","sequence":"a""#,
        "attribute \"sequence\" must be a whole number of 32 bits, for \"sequencetype\" is \"Integer\": give one",
    );
    let unfit =
        |kind: &str| format!("attribute \"ext\" must be a string, a boolean or an integer of 32 bits, but is {kind}");
    check_with(r#""ext":{"a":[{}]}"#, &unfit("an object"));
    check_with(r#""ext":[]"#, &unfit("an array"));
    let number = unfit("a number beyond 32 bits or with a fraction");
    for value in ["1.0", "1e2", "2147483648", "-2147483649", "99999999999999999999", "-1e-999"] {
        check_with(&format!(r#""ext":{value}"#), &number);
    }
}

#[test]
fn repetitions() {
    let twice = "attribute \"ext\" is given twice: give it once";
    check_with(r#""ext":1,"ext":1"#, twice);
    check_with(r#""ext":null,"ext":1"#, twice);
    check_with(r#""ext":1,"\u0065xt":null"#, twice);
    check_with(r#""id":"1""#, "attribute \"id\" is given twice: give it once");
    check_with(r#""subject":null,"subject":"s""#, "attribute \"subject\" is given twice: give it once");
    check_with(r#""specversion":"1.0""#, "attribute \"specversion\" is given twice: give it once");
    check_with(r#""data":1,"data":1"#, "data is given twice: give it once");
}

#[test]
fn data() {
    let both = "data and data_base64 exclude each other: send one of them";
    check_with(r#""data":1,"data_base64":"YQ==""#, both);
    check_with(r#""data_base64":"YQ==","data":null"#, both);
    let base64 =
        |problem: &str| format!("attribute \"data_base64\" {problem}: encode by RFC 4648, section 4, with padding");
    check_with(r#""data_base64":"@@@@""#, &base64("has a wrong character at byte 0"));
    check_with(r#""data_base64":"YW-_""#, &base64("has a wrong character at byte 2"));
    check_with(r#""data_base64":"YWI""#, &base64("has the wrong length or padding"));
    check_with(r#""data_base64":5"#, "attribute \"data_base64\" must be a string, but is a number");
    check_with(
        r#""datacontenttype":"text/plain; charset=iso-8859-1","data":"a""#,
        "data cannot be a string where its charset is not UTF-8: send it as data_base64",
    );
    check_with(
        r#""datacontenttype":"text/plain","data":"\ud800""#,
        "data is a string that is not Unicode: unexpected end of hex escape",
    );
}

#[test]
fn broken_json() {
    let check_json = |body: &str, problem: &str| check(body, &format!("the JSON is broken at line {problem}"));
    check("", "the body is empty: send an event as a JSON object");
    check(" \r\n\t", "the body is empty: send an event as a JSON object");
    check("[]", "the body is a JSON array: send a batch as application/cloudevents-batch+json");
    check_json("7", "1, column 1: invalid type: integer `7`, expected a CloudEvent, which is a JSON object");
    check_json(r#"{"id":"#, "1, column 6, in \"id\": it ends too early");
    check_json(r#"{"id":"1",}"#, "1, column 11: trailing comma");
    check_json(r#"{"data":{"a":tru}}"#, "1, column 17, in \"data\": expected ident");
    check_json("{\n  \"id\": 01\n}", "2, column 10, in \"id\": invalid number");
    check_json("{} x", "1, column 4: trailing characters");
    let error = refused(b"{\"id\":\"\xff\"}");
    assert_eq!(error.to_string(), "the body is not UTF-8 at byte 7: send JSON in UTF-8 (RFC 8259)");
    // What a sender wrote is quoted, but never at full length.
    let long = refused(format!("\"{}\"", "x".repeat(100_000)).as_bytes()).to_string();
    assert!(long.len() < 300, "{long}");
}

fn check_batch(body: &str, limits: &Limits, status: u16, message: &str) {
    let error = json::decode_batch(&Bytes::copy_from_slice(body.as_bytes()), limits).expect_err(body);
    assert_eq!((error.status().as_u16(), error.to_string().as_str()), (status, message), "{body}");
}

#[test]
fn batches() {
    let limits = Limits::default();
    let check = |body: &str, message: &str| check_batch(body, &limits, 400, message);
    check("", "the body is empty: send events as a JSON array");
    check("{}", "the body is a JSON object: send a single event as application/cloudevents+json");
    check("[] x", "the JSON is broken at line 1, column 4: trailing characters");
    check(
        &format!(r#"[{GOOD}, {{"specversion":"1.0","id":"2","source":"/s"}}, 7]"#),
        "event 1 of the batch, counted from 0: attribute \"type\" is required and must not be empty",
    );
    let prefix = "event 1 of the batch, counted from 0: the JSON is broken at line 1, column";
    check(
        &format!("[{GOOD},7]"),
        &format!(
            "{prefix} {}: invalid type: integer `7`, expected a CloudEvent, which is a JSON object",
            GOOD.len() + 3
        ),
    );
    check(&format!("[{GOOD}"), &format!("{prefix} {}: it ends too early", GOOD.len() + 1));
}

#[test]
fn limits() {
    let check = |limits: &Limits, members: &str, message: &str| {
        let body = format!("{},{members}}}", &GOOD[..GOOD.len() - 1]);
        let error = json::decode(&Bytes::from(body), limits).expect_err(members);
        assert_eq!((error.status().as_u16(), error.to_string().as_str()), (413, message), "{members}");
    };
    let limits = Limits { attribute_bytes_max: 4, extensions_max: 1, event_bytes_max: 12, ..Limits::default() };
    check(
        &limits,
        r#""subject":"12345""#,
        "the length of attribute \"subject\" in bytes is 5, over the limit of 4: send less",
    );
    check(&limits, r#""a":"12345""#, "the length of attribute \"a\" in bytes is 5, over the limit of 4: send less");
    check(
        &limits,
        r#""a":1,"b":null,"c":{}"#,
        "the number of extension attributes is 3, over the limit of 1: send less",
    );
    check(&limits, r#""data":{"a":123}"#, "the size of the event in bytes is 13, over the limit of 12: send less");
    let three = Limits { batch_events_max: 3, ..Limits::default() };
    check_batch(
        &format!("[{GOOD},{GOOD},{GOOD},{GOOD},7]"),
        &three,
        413,
        "the number of events in the batch is 5, over the limit of 3: send less",
    );
    check_batch(
        &format!(r#"[{GOOD},{}]"#, GOOD.replace("/s", "/too-long")),
        &limits,
        413,
        "event 1 of the batch, counted from 0: the length of attribute \"source\" in bytes is 9, over the limit of 4: \
         send less",
    );
    let binary = [("ce-specversion", "1.0"), ("ce-id", "1"), ("ce-source", "/s"), ("ce-type", "t")];
    let error = binary::decode(&headers(&binary), Bytes::from_static(b"123456789"), &limits).expect_err("too large");
    assert_eq!(error.to_string(), "the size of the event in bytes is 13, over the limit of 12: send less");
}

#[test]
fn binary_mode() {
    const ID: (&str, &str) = ("ce-id", "1");
    const REST: [(&str, &str); 3] = [("ce-specversion", "1.0"), ("ce-source", "/s"), ("ce-type", "t")];
    let check_all = |list: &[(&str, &str)], body: &'static str, message: &str| {
        let error =
            binary::decode(&headers(list), Bytes::from_static(body.as_bytes()), &Limits::default()).expect_err(message);
        assert_eq!((error.status().as_u16(), error.to_string().as_str()), (400, message), "{list:?}");
    };
    let check = |header: (&str, &str), body: &'static str, message: &str| {
        check_all(&[REST[0], REST[1], REST[2], ID, header], body, message);
    };
    check_all(&REST, "", "attribute \"id\" is required and must not be empty");
    check_all(&[ID], "", "attribute \"specversion\" is required: send CloudEvents 1.0, whose value is \"1.0\"");
    check_all(
        &[ID, ("ce-specversion", "0.2"), ("ce-Bad_Name", "%ff")],
        "",
        "attribute \"specversion\" must be \"1.0\": send CloudEvents 1.0, not \"0.2\"",
    );
    check(ID, "", "attribute \"id\" is given twice: give it once");
    check(REST[0], "", "attribute \"specversion\" is given twice: give it once");
    check(
        ("ce-datacontenttype", "application/json"),
        "",
        "attribute \"datacontenttype\" must not be sent as ce-datacontenttype: send it as the header content-type",
    );
    let not_utf8 =
        "attribute \"subject\" is not UTF-8 when percent-decoded: percent-encode the bytes of its UTF-8 form";
    for value in ["%C0%A0", "%ED%A0%80%ED%B0%80", "%E2", "%E2x", "%E2%", "%82", "\"%FF\""] {
        check(("ce-subject", value), "", not_utf8);
    }
    let quote = "attribute \"subject\" has a quoted string that does not end: close it, or send the quote as %22";
    for value in ["\"open", "a\"b", "\"escaped\\\"", "\"\\"] {
        check(("ce-subject", value), "", quote);
    }
    check(
        ("ce-expirytime", "never"),
        "",
        "attribute \"expirytime\" must be a time of RFC 3339 such as 2026-01-31T12:00:00Z",
    );
    check(
        ("ce-my-ext", "1"),
        "",
        "attribute \"my-ext\" has a name that is not allowed: use lower-case letters a-z and digits only",
    );
    check(
        ("content-type", "application/json"),
        r#"{"a":}"#,
        "data is not JSON, which its datacontenttype promises, at line 1, column 6: expected value",
    );
    check(
        ("content-type", "json"),
        "",
        "header \"content-type\" is not a media type (RFC 9110): send one such as application/json, or none",
    );
}
