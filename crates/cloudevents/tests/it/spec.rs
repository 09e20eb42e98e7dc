//! What the specification shows and says, in its own examples where it has some.

use bytes::Bytes;

use weir_cloudevents::{binary, json};
use weir_domain::{AttributeValue, Data, Event, Limits};

use crate::{decode, decode_binary, encode, header_lines};

/// Checks an event of the JSON format against the kind of its data, the same event in binary mode, and itself.
fn check(body: &str, data: &Data, binary_headers: &[&str]) {
    let event = decode(body);
    assert_eq!(event.data(), data, "{body}");
    assert_eq!(decode(&encode(&event)), event, "{body}");
    let (headers, bytes) = binary::encode(&event);
    let mut expected: Vec<String> = binary_headers.iter().map(|line| (*line).to_owned()).collect();
    expected.sort();
    assert_eq!(header_lines(&headers), expected, "{body}");
    assert_eq!(bytes, data.as_bytes(), "{body}");
    let again = binary::decode(&headers, bytes, &Limits::default()).expect("valid");
    assert_eq!(again.data().as_bytes(), data.as_bytes(), "{body}");
}

#[test]
fn examples_of_the_json_format() {
    let common = [
        "ce-specversion: 1.0",
        "ce-type: com.example.someevent",
        "ce-source: /mycontext",
        "ce-id: A234-1234-1234",
        "ce-time: 2018-04-05T17:31:00Z",
        "ce-comexampleextension1: value",
        "ce-comexampleothervalue: 5",
    ];
    let body = |rest: &str| {
        format!(
            r#"{{
                "specversion" : "1.0",
                "type" : "com.example.someevent",
                "source" : "/mycontext",
                "subject" : null,
                "id" : "A234-1234-1234",
                "time" : "2018-04-05T17:31:00Z",
                "comexampleextension1" : "value",
                "comexampleothervalue" : 5,
                "unsetextension": null{rest}
            }}"#
        )
    };
    let check = |rest: &str, data: Data, content_type: Option<&str>| {
        let line = content_type.map(|content_type| format!("content-type: {content_type}"));
        let lines: Vec<&str> = common.iter().copied().chain(line.as_deref()).collect();
        check(&body(rest), &data, &lines);
    };
    check("", Data::None, None);
    check(
        r#", "datacontenttype" : "application/vnd.apache.thrift.binary", "data_base64" : "AAEC/w==""#,
        Data::Binary(Bytes::from_static(&[0, 1, 2, 255])),
        Some("application/vnd.apache.thrift.binary"),
    );
    check(
        r#", "datacontenttype" : "application/xml", "data" : "<much wow=\"xml\"/>""#,
        Data::Text("<much wow=\"xml\"/>".into()),
        Some("application/xml"),
    );
    check(
        r#", "datacontenttype" : "application/json", "data" : { "appinfoA" : "abc",  "appinfoB" : 123 } "#,
        Data::Json(r#"{ "appinfoA" : "abc",  "appinfoB" : 123 }"#.into()),
        Some("application/json"),
    );
    check(
        r#", "datacontenttype" : "application/json", "data" : 1.5"#,
        Data::Json("1.5".into()),
        Some("application/json"),
    );
    // Without a type the data is JSON by implication, which other bindings must be told.
    check(r#", "data" : "I'm just a string""#, Data::Json(r#""I'm just a string""#.into()), Some("application/json"));
    // Bytes without a type stay bytes, even where they would read as JSON.
    check(r#", "data_base64" : "eyAieHl6IjogMTIzIH0=""#, Data::Binary(Bytes::from_static(br#"{ "xyz": 123 }"#)), None);
}

#[test]
fn null_is_absent_for_attributes_and_a_value_for_data() {
    let event = decode(
        r#"{"specversion":"1.0","id":"1","source":"/s","type":"t","subject":null,"time":null,"dataschema":null,
            "datacontenttype":null,"ext":null,"Odd_Name":null,"data_base64":null,"data":null}"#,
    );
    assert_eq!(event, Event::builder("1", "/s", "t").data(Data::Json("null".into())).build().expect("valid"));
    let typed =
        decode(r#"{"specversion":"1.0","id":"1","source":"/s","type":"t","datacontenttype":"text/plain","data":null}"#);
    assert_eq!(typed.data(), &Data::Json("null".into()));
    let absent = decode(r#"{"specversion":"1.0","id":"1","source":"/s","type":"t","data_base64":null}"#);
    assert_eq!(absent.data(), &Data::None);
}

#[test]
fn extensions_keep_their_kind_and_order() {
    let body = r#"{"specversion":"1.0","id":"1","source":"/s","type":"t","z":"5","b":true,"a":-2147483648,"c":2147483647,"n":false,"e":""}"#;
    let event = decode(body);
    let extensions: Vec<_> = event.extensions().collect();
    assert_eq!(
        extensions,
        [
            ("z", AttributeValue::String("5")),
            ("b", AttributeValue::Boolean(true)),
            ("a", AttributeValue::Integer(i32::MIN)),
            ("c", AttributeValue::Integer(i32::MAX)),
            ("n", AttributeValue::Boolean(false)),
            ("e", AttributeValue::String("")),
        ],
    );
    assert_eq!(encode(&event), body);
}

#[test]
fn data_follows_its_declared_type() {
    let check = |content_type: &str, data: &str, expected: Data| {
        let event = decode(&format!(
            r#"{{"specversion":"1.0","id":"1","source":"/s","type":"t","datacontenttype":"{content_type}","data":{data}}}"#
        ));
        assert_eq!(event.data(), &expected, "{content_type} {data}");
    };
    check("application/json", r#""{}""#, Data::Json(r#""{}""#.into()));
    check("TEXT/JSON;charset=utf-8", "[1, 2]", Data::Json("[1, 2]".into()));
    check("application/vnd.example+json", "true", Data::Json("true".into()));
    check("text/plain", r#""a\u20ac\n\ud83d\ude00""#, Data::Text("a€\n😀".into()));
    check("text/plain; charset=us-ascii", r#""""#, Data::Text("".into()));
    check("application/xml", r#"{"not":"text"}"#, Data::Json(r#"{"not":"text"}"#.into()));
    check("application/jsonl", r#""{}\n{}""#, Data::Text("{}\n{}".into()));
}

#[test]
fn bodies_follow_their_content_type() {
    let required = [("ce-specversion", "1.0"), ("CE-ID", "1"), ("Ce-Source", "/s"), ("ce-type", "t")];
    let check = |content_type: Option<&str>, body: &'static str, expected: Data| {
        let mut headers = required.to_vec();
        headers.extend(content_type.map(|value| ("Content-Type", value)));
        let event = decode_binary(&headers, body);
        assert_eq!((event.data(), event.datacontenttype()), (&expected, content_type), "{body}");
    };
    check(None, "", Data::None);
    check(Some("application/json"), "", Data::None);
    check(None, "{}", Data::Binary(Bytes::from_static(b"{}")));
    check(Some("application/json; charset=utf-8"), " {} \n", Data::Json(" {} \n".into()));
    check(Some("application/problem+json"), "7", Data::Json("7".into()));
    check(Some("text/plain"), "ä", Data::Text("ä".into()));
    check(Some("text/html; charset=UTF-8"), "<p>", Data::Text("<p>".into()));
    check(Some("application/x-www-form-urlencoded"), "a=1&b=2", Data::Text("a=1&b=2".into()));
    check(Some("multipart/form-data; boundary=x"), "--x--", Data::Text("--x--".into()));
    check(Some("application/xml; charset=utf-8"), "<ä/>", Data::Text("<ä/>".into()));
    check(Some("application/xml"), "<a/>", Data::Binary(Bytes::from_static(b"<a/>")));
    check(Some("text/plain; charset=iso-8859-1"), "a", Data::Binary(Bytes::from_static(b"a")));
    check(Some("application/octet-stream"), "a", Data::Binary(Bytes::from_static(b"a")));
    // What is not what its type says is kept as bytes: a file in a form, for example.
    for content_type in ["text/plain", "multipart/form-data; boundary=x", "application/xml; charset=utf-8"] {
        let headers = crate::headers(&[&required[..], &[("content-type", content_type)]].concat());
        let event = binary::decode(&headers, Bytes::from_static(b"\xff"), &Limits::default()).expect("bytes");
        assert_eq!(event.data(), &Data::Binary(Bytes::from_static(b"\xff")), "{content_type}");
    }
}

#[test]
fn header_values_are_percent_encoded() {
    let check = |subject: &str, header: &str| {
        let event = Event::builder("1", "/s", "t").subject(subject).build().expect("valid");
        let (headers, _) = binary::encode(&event);
        assert_eq!(headers["ce-subject"], header);
        assert_eq!(binary::decode(&headers, Bytes::new(), &Limits::default()).as_ref(), Ok(&event));
    };
    check("simple", "simple");
    check("Euro \u{20ac} \u{1f600}", "Euro%20%E2%82%AC%20%F0%9F%98%80");
    check("percent%25 \"quote\"", "percent%2525%20%22quote%22");
    check("!#$&'()*+,/:;=?@[]\\^_`{|}~", "!#$&'()*+,/:;=?@[]\\^_`{|}~");
}

#[test]
fn header_values_are_read_as_older_senders_wrote_them() {
    let check = |header: &str, subject: &str| {
        let required = [("ce-specversion", "1.0"), ("ce-id", "1"), ("ce-source", "/s"), ("ce-type", "t")];
        let headers = [&required[..], &[("ce-subject", header)]].concat();
        assert_eq!(decode_binary(&headers, "").subject(), Some(subject));
    };
    check("lenient decoding %30%31", "lenient decoding 01");
    check("Euro%20%e2%82%ac%20%f0%9F%98%80", "Euro \u{20ac} \u{1f600}");
    check("%2525", "%25");
    check("\"  quoted  text  \"unquoted", "  quoted  text  unquoted");
    check("\"escaped quote\\\"end\"", "escaped quote\"end");
    check("\"escaped backslash\\\\end\"", "escaped backslash\\end");
    check("\"quoted%20escape\"", "quoted escape");
    check("non-escaping backslash\\end", "non-escaping backslash\\end");
    check("100%", "100%");
    check("%zz%4", "%zz%4");
    check("caf\u{e9}", "caf\u{e9}");
}

#[test]
fn events_are_written_in_a_fixed_form() {
    let event = Event::builder("a\"b\\c", "/s", "t")
        .subject("käse 😀")
        .time("2026-01-31T12:00:00Z")
        .datacontenttype("text/plain")
        .dataschema("https://example.com/s")
        .extension("num", AttributeValue::Integer(-5))
        .extension("yes", AttributeValue::Boolean(true))
        .data(Data::Text("line\none\u{1}\u{7f}".into()))
        .build()
        .expect("valid");
    assert_eq!(
        encode(&event),
        r#"{"specversion":"1.0","id":"a\"b\\c","source":"/s","type":"t","subject":"käse 😀","time":"2026-01-31T12:00:00Z","datacontenttype":"text/plain","dataschema":"https://example.com/s","num":-5,"yes":true,"data":"line\none\u0001"#
            .to_owned()
            + "\u{7f}\"}",
    );
    let mut out = b"before ".to_vec();
    let extra = [
        ("num", AttributeValue::Integer(6)),
        ("subject", AttributeValue::String("new")),
        ("recordedtime", AttributeValue::String("2026-01-31T12:00:01Z")),
    ];
    json::encode_with(&event, &extra, &mut out);
    let text = String::from_utf8(out).expect("UTF-8");
    let replaced = decode(text.strip_prefix("before ").expect("appended"));
    let expected = event
        .to_builder()
        .extension("num", AttributeValue::Integer(6))
        .subject("new")
        .extension("recordedtime", AttributeValue::String("2026-01-31T12:00:01Z"))
        .build()
        .expect("valid");
    for name in ["id", "num", "yes", "subject", "recordedtime", "time"] {
        assert_eq!(crate::attribute(&replaced, name), crate::attribute(&expected, name), "{name}");
    }
    assert_eq!(replaced.data(), expected.data());
}

#[test]
fn batches_hold_any_number_of_events() {
    let decode_batch =
        |body: &str| json::decode_batch(&Bytes::copy_from_slice(body.as_bytes()), &Limits::default()).expect(body);
    assert!(decode_batch("[]").is_empty() && decode_batch(" [ ] \n").is_empty());
    let event = |id: &str| Event::builder(id, "/s", "t").build().expect("valid");
    let body = r#"[ {"specversion":"1.0","id":"1","source":"/s","type":"t"} ,
                    {"type":"t","source":"/s","id":"2","specversion":"1.0"} ]"#;
    assert_eq!(decode_batch(body), [event("1"), event("2")]);
    let mut out = Vec::new();
    json::encode_batch([], &mut out);
    json::encode_batch(&[event("1"), event("2")], &mut out);
    assert_eq!(
        String::from_utf8(out).expect("UTF-8"),
        r#"[][{"specversion":"1.0","id":"1","source":"/s","type":"t"},{"specversion":"1.0","id":"2","source":"/s","type":"t"}]"#,
    );
}

#[test]
fn data_is_a_slice_of_the_body() {
    let body = Bytes::from_static(
        br#"[{"specversion":"1.0","id":"1","source":"/s","type":"t","data":{"a":1}},
             {"specversion":"1.0","id":"2","source":"/s","type":"t","datacontenttype":"text/plain","data":"text"}]"#,
    );
    let within = body.as_ptr_range();
    let events = json::decode_batch(&body, &Limits::default()).expect("valid");
    for event in &events {
        let data = event.data().as_bytes().as_ptr_range();
        assert!(within.start <= data.start && data.end <= within.end, "{event:?}");
    }
    assert_eq!(events.len(), 2);
}

#[test]
fn events_of_0_3_become_events_of_1_0() {
    let expected = Event::builder("1", "/s", "t").datacontenttype("image/png").data(Data::Binary(vec![0, 1, 2].into()));
    let check = |members: &str, header_list: &[(&str, &str)], body: &[u8], expected: &Event| {
        let json = format!(
            r#"{{"specversion":"0.3","id":"1","source":"/s","type":"t","datacontenttype":"image/png",{members}}}"#
        );
        assert_eq!(&decode(&json), expected, "{json}");
        let batch = json::decode_batch(&Bytes::from(format!("[{json}]")), &Limits::default()).expect("valid");
        assert_eq!(&batch[..], std::slice::from_ref(expected));
        let common = [("ce-specversion", "0.3"), ("ce-id", "1"), ("ce-source", "/s"), ("ce-type", "t")];
        let all = [&common[..], &[("content-type", "image/png")], header_list].concat();
        let headers = crate::headers(&all);
        let event = binary::decode(&headers, Bytes::copy_from_slice(body), &Limits::default()).expect("valid");
        assert_eq!(&event, expected, "{all:?}");
        assert!(encode(&event).starts_with(r#"{"specversion":"1.0","#));
    };
    let schema = "https://example.com/s";
    check(
        r#""schemaurl":"https://example.com/s","datacontentencoding":"base64","data":"AAEC""#,
        &[("ce-schemaurl", schema)],
        &[0, 1, 2],
        &expected.clone().dataschema(schema).build().expect("valid"),
    );
    check(
        r#""schemaurl":"s.json","datacontentencoding":"Base64","data":"AAEC""#,
        &[("ce-schemaurl", "s.json"), ("ce-datacontentencoding", "base64")],
        b"AAEC",
        &expected.extension("schemaurl", AttributeValue::String("s.json")).build().expect("valid"),
    );

    let refused = |members: &str, message: &str| {
        let json = format!(r#"{{"specversion":"0.3","id":"1","source":"/s","type":"t",{members}}}"#);
        let error = json::decode(&Bytes::from(json), &Limits::default()).expect_err(members);
        assert_eq!(error.to_string(), message);
    };
    refused(
        r#""datacontentencoding":"gzip","data":"AAEC""#,
        "attribute \"datacontentencoding\" must be \"base64\": encode the data so, or leave it out",
    );
    refused(
        r#""datacontentencoding":"base64","data":7"#,
        "data must be a string, for its datacontentencoding is base64",
    );
    refused(
        r#""datacontentencoding":"base64","data":"AAE""#,
        "attribute \"data\" has the wrong length or padding: encode by RFC 4648, section 4, with padding",
    );
    refused(r#""a":{"b":1}"#, "attribute \"a\" must be a string, a boolean or an integer of 32 bits, but is an object");
    // What 0.3 has stays an extension in 1.0, where it means nothing.
    let event = decode(
        r#"{"specversion":"1.0","id":"1","source":"/s","type":"t","datacontentencoding":"base64","data":"AAEC"}"#,
    );
    assert_eq!(event.data(), &Data::Json(r#""AAEC""#.into()));
    assert_eq!(event.extension_str("datacontentencoding"), Some("base64"));
}
