//! Events as functions of the Event Gateway are given them.

use super::*;

#[test]
fn events_are_written_with_the_names_of_old() {
    let event = good()
        .subject("x")
        .time("2026-01-31T12:00:00Z")
        .datacontenttype("application/json")
        .dataschema("https://example.com/s")
        .extension("eventtypeversion", text("2"))
        .extension("eventgateway", text(r#"{"transformed":"true"}"#))
        .extension("n", AttributeValue::Integer(-3))
        .extension("b", AttributeValue::Boolean(true))
        .extension("s", text("q\"é"))
        .data(Data::Json(r#"{"a": 1}"#.into()))
        .build()
        .expect("valid");
    let json = concat!(
        r#"{"cloudEventsVersion":"0.1","eventType":"t","eventTypeVersion":"2","source":"/s","eventID":"1","#,
        r#""eventTime":"2026-01-31T12:00:00Z","schemaURL":"https://example.com/s","contentType":"application/json","#,
        r#""extensions":{"subject":"x","eventgateway":{"transformed":"true"},"n":-3,"b":true,"s":"q\"é"},"#,
        r#""data":{"a": 1}}"#,
    );
    assert_eq!(written(&event), json);
    assert_eq!(structured(json), Ok(event));
    let plain = good().build().expect("valid");
    assert_eq!(written(&plain), r#"{"cloudEventsVersion":"0.1","eventType":"t","source":"/s","eventID":"1"}"#);
    let mut out = b"before ".to_vec();
    encode(&plain, &mut out);
    assert_eq!(out, format!("before {}", written(&plain)).into_bytes());
}

#[test]
fn attributes_come_back_from_where_they_were_written() {
    let check = |builder: EventBuilder, members: &str| {
        let event = builder.build().expect("valid");
        assert_eq!(written(&event), with(members));
        assert_eq!(structured(with(members)), Ok(event), "{members}");
    };
    let integer = AttributeValue::Integer(2);
    check(good().extension("eventtypeversion", integer), r#""extensions":{"eventtypeversion":2}"#);
    check(good().extension("eventtypeversion", text("")), r#""extensions":{"eventtypeversion":""}"#);
    check(good().extension("schemaurl", integer), r#""extensions":{"schemaurl":2}"#);
    check(good().extension("schemaurl", text("s.json")), r#""schemaURL":"s.json""#);
    check(good().extension("schemaurl", text("urn:a")), r#""extensions":{"schemaurl":"urn:a"}"#);
    let both = r#""schemaURL":"urn:a","extensions":{"schemaurl":"s.json"}"#;
    check(good().dataschema("urn:a").extension("schemaurl", text("s.json")), both);
    // Only what comes back as it was becomes an object again.
    for object in [r#"{"a":[1]}"#, "[]", "{}"] {
        check(good().extension("eventgateway", text(object)), &format!(r#""extensions":{{"eventgateway":{object}}}"#));
    }
    for other in ["{ }", "{", "5", "text", "{}{}", nested(128).as_str()] {
        let string = serde_json::to_string(other).expect("a string");
        check(good().extension("eventgateway", text(other)), &format!(r#""extensions":{{"eventgateway":{string}}}"#));
    }
    check(good().extension("other", text("{}")), r#""extensions":{"other":"{}"}"#);
}

#[test]
fn data_of_any_kind_is_written_so_that_it_can_be_read() {
    let check = |content_type: Option<&str>, data: Data, members: &str, again: Data| {
        let builder = good().data(data);
        let builder = match content_type {
            Some(given) => builder.datacontenttype(given),
            None => builder,
        };
        let json = written(&builder.build().expect("valid"));
        assert_eq!(json, if members.is_empty() { GOOD.to_owned() } else { with(members) });
        assert_eq!(structured(json).expect(members).data(), &again, "{members}");
    };
    let json = |text: &str| Data::Json(text.into());
    let plain = |text: &str| Data::Text(text.into());
    let bytes = |bytes: &'static [u8]| Data::Binary(Bytes::from_static(bytes));
    check(None, Data::None, "", Data::None);
    check(None, json(""), "", Data::None);
    check(None, json("\"a\""), r#""data":"a""#, json("\"a\""));
    check(None, plain("a"), r#""contentType":"text/plain","data":"a""#, plain("a"));
    check(None, bytes(b"hey"), r#""contentType":"application/octet-stream","data":"aGV5""#, bytes(b"hey"));
    let xml = |data: &str| format!(r#""contentType":"application/xml","data":{data}"#);
    check(Some("application/xml"), plain("<a/>"), &xml("\"<a/>\""), plain("<a/>"));
    check(Some("application/xml"), plain("abcd"), &xml("\"YWJjZA==\""), bytes(b"abcd"));
    check(Some("application/xml"), json("\"a\""), &xml(r#""\"a\"""#), plain("\"a\""));
    check(Some("application/xml"), json(" [1]"), &xml(" [1]"), json("[1]"));
    let text_plain = |data: &str| format!(r#""contentType":"text/plain","data":{data}"#);
    check(Some("text/plain"), json("\"a\""), &text_plain(r#""\"a\"""#), plain("\"a\""));
    check(Some("text/plain"), json("{}"), &text_plain("{}"), json("{}"));
    // 0.1 cannot say that a string is Base64 where its type says something else.
    check(Some("text/plain"), bytes(b"\xff"), &text_plain("\"/w==\""), plain("/w=="));
    let application_json = |data: &str| format!(r#""contentType":"application/json","data":{data}"#);
    check(Some("application/json"), bytes(b"{"), &application_json("\"ew==\""), json("\"ew==\""));
    check(Some("application/json"), plain("a"), &application_json("\"a\""), json("\"a\""));
}
