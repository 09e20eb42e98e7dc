//! Messages of 0.1 as the Event Gateway's own tests sent them, and what it got wrong.

use super::*;

#[test]
fn names_stand_in_their_places() {
    for (place, name) in [
        (ID, "eventID"),
        (SOURCE, "source"),
        (TYPE, "eventType"),
        (SUBJECT, "subject"),
        (TIME, "eventTime"),
        (CONTENT_TYPE, "contentType"),
        (SCHEMA_URL, "schemaURL"),
        (VERSION, "cloudEventsVersion"),
        (TYPE_VERSION, "eventTypeVersion"),
        (EXTENSIONS, "extensions"),
        (DATA, "data"),
    ] {
        assert_eq!(NAMES[place], name);
    }
    let counterparts = ["id", "source", "type", "subject", "time", "datacontenttype", "dataschema"];
    assert_eq!(attributes::FIXED, counterparts);
    assert_eq!(TEXTS, EXTENSIONS);
}

#[test]
fn structured_messages_of_old_are_read() {
    let check = |members: &str, expected: EventBuilder| {
        let body = format!(
            r#"{{"eventType":"user.created","cloudEventsVersion":"0.1","source":"http://a.b","eventID":"6f"{members}}}"#
        );
        assert!(is_structured(body.as_bytes()), "{body}");
        assert_eq!(structured(body.clone()), built(expected), "{body}");
    };
    let event = || Event::builder("6f", "http://a.b", "user.created");
    check("", event());
    check(
        r#", "eventTime": "1985-04-12T23:20:50.00Z", "contentType": "text/plain", "data": "test""#,
        event().time("1985-04-12T23:20:50.00Z").datacontenttype("text/plain").data(Data::Text("test".into())),
    );
    check(r#","data":{"a": 1}"#, event().data(Data::Json(r#"{"a": 1}"#.into())));
    check(
        r#","extensions":{"eventgateway":{"transformed":"true", "transformation-version":"0.1"}}"#,
        event().extension("eventgateway", text(r#"{"transformed":"true","transformation-version":"0.1"}"#)),
    );
    // Members that are absent, empty or null are the same to a reader in Go, and unknown ones nothing.
    check(r#","eventTypeVersion":"","schemaURL":"","contentType":"","extensions":null,"eventTime":null"#, event());
    check(r#","extensions":{},"subject":"s","id":7,"contenttypes":[]"#, event());
}

#[test]
fn names_are_read_in_any_case_and_any_version_is_taken() {
    let body = r#"{"CLOUDEVENTSVERSION":"9.9","eventtype":"t","Source":"/s","EventId":"1","DATA":1}"#;
    assert!(is_structured(body.as_bytes()));
    assert_eq!(structured(body), built(good().data(Data::Json("1".into()))));
    let escaped = r#"{"\u0063loudEventsVersion":"0.1","event\u0054ype":"t","source":"\/s","eventID":"1"}"#;
    assert!(is_structured(escaped.as_bytes()));
    assert_eq!(structured(escaped), built(good()));
}

#[test]
fn what_is_required_is_asked_for_in_the_words_of_old() {
    let check = |body: &str, faults: &[(&str, &str)]| {
        let lines: Vec<String> = faults
            .iter()
            .map(|(field, rule)| {
                format!("Key: 'Event.{field}' Error:Field validation for '{field}' failed on the '{rule}' tag")
            })
            .collect();
        let message = format!("400 CloudEvent doesn't validate: {}", lines.join("\n"));
        assert_eq!(structured(body.to_owned()), Err(message), "{body}");
    };
    let all =
        [("EventType", "required"), ("CloudEventsVersion", "required"), ("Source", "uri"), ("EventID", "required")];
    check("{}", &all);
    check(r#"{"eventType":"","cloudEventsVersion":null,"source":"","eventID":""}"#, &all);
    check(r#"{"eventType":"invalid"}"#, &all[1..]);
    check(&GOOD.replace("/s", "NOT URI"), &[("Source", "uri")]);
    check(&GOOD.replace("/s", "/%zz"), &[("Source", "uri")]);
    check(&GOOD.replace(r#""t""#, r#""""#), &all[..1]);
    // They come before all other complaints but those about the JSON itself.
    check(r#"{"extensions":[],"data":"x","eventTime":"nottime"}"#, &all);
    let message = "400 CloudEvent doesn't validate: Key: 'Event.Source' Error:Field validation for 'Source' failed on \
                   the 'uri' tag";
    let mut list = GOOD_HEADERS;
    list[2].1 = "NOT URI";
    assert_eq!(binary(&list, r#"{"eventType": "invalid"}"#), Err(message.to_owned()));
    list[2].1 = "";
    assert_eq!(binary(&list, ""), Err(message.to_owned()));
}

#[test]
fn attributes_that_cannot_be_kept_are_named_as_their_sender_knows_them() {
    let check = |body: String, message: &str| {
        assert_eq!(structured(body.clone()), Err(format!("400 {message}")), "{body}");
    };
    let time = "attribute \"eventTime\" must be a time of RFC 3339 such as 2026-01-31T12:00:00Z";
    check(with(r#""eventTime":"nottime","contentType":"text/plain","data":"test""#), time);
    assert_eq!(binary_with(&[("CE-EventTime", "nottime")], ""), Err(format!("400 {time}")));
    check(with(r#""eventTime":"""#), "attribute \"eventTime\" must not be empty: give a value or leave it out");
    check(with(r#""eventTime":5"#), "attribute \"eventTime\" must be a string, but is a number");
    check(GOOD.replace("\"0.1\"", "0.1"), "attribute \"cloudEventsVersion\" must be a string, but is a number");
    check(GOOD.replace("\"1\"", "[1]"), "attribute \"eventID\" must be a string, but is an array");
    check(with(r#""ContentType":{}"#), "attribute \"contentType\" must be a string, but is an object");
    check(with(r#""schemaURL":true"#), "attribute \"schemaURL\" must be a string, but is a boolean");
    check(
        with(r#""contentType":"json""#),
        "attribute \"contentType\" must be a media type (RFC 2046) such as application/json",
    );
    check(
        GOOD.replace(r#""t""#, r#""a\nb""#),
        "attribute \"eventType\" contains the character U+000A, which is not allowed: remove it",
    );
    check(with(r#""eventID":"1""#), "attribute \"eventID\" is given twice: give it once");
    check(with(r#""eventid":null"#), "attribute \"eventID\" is given twice: give it once");
    check(with(r#""data":1,"Data":2"#), "data is given twice: give it once");
    check(with(r#""extensions":{},"extensions":{}"#), "attribute \"extensions\" is given twice: give it once");
    let refused = |list: &[(&str, &str)], message: &str| {
        assert_eq!(binary_with(list, ""), Err(format!("400 {message}")), "{list:?}");
    };
    refused(&[("CE-EventID", "2")], "attribute \"eventID\" is given twice: give it once");
    refused(
        &[("content-type", "json")],
        "header \"content-type\" is not a media type (RFC 9110): send one such as application/json, or none",
    );
    let tab = "attribute \"eventtypeversion\" contains the character U+0009, which is not allowed: remove it";
    refused(&[("CE-EventTypeVersion", "a\tb")], tab);
}

#[test]
fn schemas_and_versions_of_types_are_kept() {
    let check = |members: &str, expected: EventBuilder| {
        assert_eq!(structured(with(members)), built(expected), "{members}");
    };
    check(r#""schemaURL":"https://example.com/s#1""#, good().dataschema("https://example.com/s#1"));
    check(r#""schemaURL":"/relative""#, good().extension("schemaurl", text("/relative")));
    check(r#""schemaURL":"two words""#, good().extension("schemaurl", text("two words")));
    // Whatever the order of the sender, these two come first.
    check(
        r#""extensions":{"a":1},"schemaURL":"x","eventTypeVersion":"0.1beta""#,
        good()
            .extension("eventtypeversion", text("0.1beta"))
            .extension("schemaurl", text("x"))
            .extension("a", AttributeValue::Integer(1)),
    );
    check(
        r#""schemaURL":"urn:a","extensions":{"schemaurl":"b","eventTypeVersion":3}"#,
        good()
            .dataschema("urn:a")
            .extension("eventtypeversion", AttributeValue::Integer(3))
            .extension("schemaurl", text("b")),
    );
}

#[test]
fn extensions_keep_what_an_attribute_can_hold() {
    let check = |value: &str, expected: AttributeValue<'_>| {
        let body = with(&format!(r#""extensions":{{"my-Ext_1":{value}}}"#));
        assert_eq!(structured(body), built(good().extension("myext1", expected)), "{value}");
    };
    check(r#""ding""#, text("ding"));
    check(r#""""#, text(""));
    check(r#""\u00e9\/\"""#, text("é/\""));
    check("true", AttributeValue::Boolean(true));
    check("false", AttributeValue::Boolean(false));
    check("0", AttributeValue::Integer(0));
    check("2147483647", AttributeValue::Integer(i32::MAX));
    check("-2147483648", AttributeValue::Integer(i32::MIN));
    check("2147483648", text("2147483648"));
    check("-99999999999999999999", text("-99999999999999999999"));
    check("1.50", text("1.50"));
    check("1e3", text("1e3"));
    check("{ }", text("{}"));
    check("[ 1 ,\n\t2.0 ]", text("[1,2.0]"));
    check(r#"{ "a b" : "c \" d\\" , "e" : [ ] }"#, text(r#"{"a b":"c \" d\\","e":[]}"#));
    // What JSON may hold and an attribute may not is escaped.
    check("[\"\u{7f}\u{85}\u{fdd0}\u{1fffe}é\u{2028}\"]", text("[\"\\u007f\\u0085\\ufdd0\\ud83f\\udffeé\u{2028}\"]"));
    assert_eq!(
        structured(with(r#""extensions":{"a":null,"id":null,"A":"x"}"#)),
        built(good().extension("a", text("x")))
    );
    assert_eq!(structured(with(r#""extensions":{"Subject":"s"}"#)), built(good().subject("s")));
}

#[test]
fn extensions_without_a_place_are_refused() {
    let check = |members: &str, message: &str| {
        assert_eq!(structured(with(members)), Err(format!("400 {message}")), "{members}");
    };
    check(r#""extensions":[]"#, "attribute \"extensions\" must be an object, but is an array");
    check(r#""extensions":"{}""#, "attribute \"extensions\" must be an object, but is a string");
    for (member, name) in [
        ("id", "id"),
        ("Source", "source"),
        ("type", "type"),
        ("time", "time"),
        ("data-content-type", "datacontenttype"),
        ("dataSchema", "dataschema"),
        ("specVersion", "specversion"),
        ("data", "data"),
    ] {
        let message = format!("attribute {member:?} becomes {name:?}, which CloudEvents 1.0 defines itself: rename it");
        check(&format!(r#""extensions":{{{member:?}:"x"}}"#), &message);
    }
    let twice = |member: &str, name: &str| {
        format!("attribute {member:?} is the second that becomes {name:?} in CloudEvents 1.0: give it once")
    };
    check(r#""extensions":{"my-ext":1,"b":2,"myExt":3}"#, &twice("myExt", "myext"));
    check(r#""extensions":{"a":1,"a":1}"#, &twice("a", "a"));
    check(r#""extensions":{"subject":"a","SUBJECT":"a"}"#, &twice("SUBJECT", "subject"));
    let both = r#""eventTypeVersion":"1","extensions":{"eventtypeversion":"1"}"#;
    check(both, &twice("eventTypeVersion", "eventtypeversion"));
    check(r#""schemaURL":"x","extensions":{"SchemaURL":"x"}"#, &twice("schemaURL", "schemaurl"));
    for member in ["", "-", "é", "名"] {
        let message = format!("attribute \"{member}\" has a name without any letter a-z or digit: give it one");
        check(&format!(r#""extensions":{{"{member}":1}}"#), &message);
    }
    check(r#""extensions":{"subject":1}"#, "attribute \"subject\" must be a string, as it is in CloudEvents 1.0");
    let empty = "attribute \"subject\" must not be empty: give a value or leave it out";
    check(r#""extensions":{"subject":""}"#, empty);
    let control = "attribute \"a\" contains the character U+000A, which is not allowed: remove it";
    check(r#""extensions":{"a":"x\ny"}"#, control);
    let long = "n".repeat(65);
    let message = format!("attribute \"{}\" has a name longer than 64 characters: shorten it", &long[..64]);
    check(&format!(r#""extensions":{{"{long}":1}}"#), &message);
}

#[test]
fn binary_messages_of_old_are_read() {
    let list = [
        ("Content-Type", "text/plain"),
        ("Ce-Eventtype", "myevent"),
        ("Ce-Eventtypeversion", "0.1beta"),
        ("Ce-Cloudeventsversion", "0.1"),
        ("Ce-Source", "https://example.com"),
        ("Ce-Eventid", "778d495b"),
        ("Ce-Schemaurl", "https://example.com"),
        ("Ce-X-MyExtension", "ding"),
    ];
    let event = || {
        Event::builder("778d495b", "https://example.com", "myevent")
            .datacontenttype("text/plain")
            .dataschema("https://example.com")
            .extension("eventtypeversion", text("0.1beta"))
            .extension("myextension", text("ding"))
            .data(Data::Text("hey there".into()))
    };
    assert!(is_binary(&headers(&list)));
    assert_eq!(binary(&list, "hey there"), built(event()));
    let time = "1985-04-12T23:20:50.00Z";
    let timed = [&list[..], &[("Ce-Eventtime", time)][..]].concat();
    assert_eq!(binary(&timed, "hey there"), built(event().time(time)));
    // Headers without a value count as none, and those that 0.1 does not define as nothing.
    let more = [("ce-eventtime", ""), ("ce-schemaurl", ""), ("ce-subject", "s"), ("ce-id", "7"), ("ce-data", "d")];
    assert_eq!(binary_with(&more, ""), built(good()));
    assert_eq!(binary_with(&[("ce-contenttype", "a/b"), ("ce-extensions", "{}"), ("ce-x", "y")], ""), built(good()));
}

#[test]
fn headers_of_extensions_lose_their_prefix_and_nothing_else() {
    for (header, name) in [
        ("CE-X-Ceiling", "ceiling"),
        ("CE-X-C", "c"),
        ("CE-X-X-e-1", "xe1"),
        ("CE-X-CE-X-a", "cexa"),
        ("ce-x-myExtension", "myextension"),
    ] {
        assert_eq!(binary_with(&[(header, "v")], ""), built(good().extension(name, text("v"))), "{header}");
    }
    // Values are plain text: no escapes, no quotes, no types.
    for value in ["a%20b", "\"q\"", "1", "true", "{\"a\":1}", "é", ""] {
        assert_eq!(binary_with(&[("CE-X-A", value)], ""), built(good().extension("a", text(value))), "{value}");
    }
    assert_eq!(binary_with(&[("CE-X-Subject", "s")], ""), built(good().subject("s")));
    let refused = |list: &[(&str, &str)], message: &str| {
        assert_eq!(binary_with(list, ""), Err(format!("400 {message}")), "{list:?}");
    };
    refused(&[("CE-X-", "v")], "attribute \"ce-x-\" has a name without any letter a-z or digit: give it one");
    refused(&[("CE-X--", "v")], "attribute \"ce-x--\" has a name without any letter a-z or digit: give it one");
    let reserved = "attribute \"ce-x-id\" becomes \"id\", which CloudEvents 1.0 defines itself: rename it";
    refused(&[("CE-X-ID", "v")], reserved);
    let twice = "attribute \"ce-x-a\" is the second that becomes \"a\" in CloudEvents 1.0: give it once";
    refused(&[("CE-X-A", "v"), ("CE-X-A", "v")], twice);
    let mut map = headers(&GOOD_HEADERS);
    map.insert("ce-x-a", HeaderValue::from_bytes(b"ab\xff").expect("a header value"));
    let error = decode_binary(&map, Bytes::new(), &Limits::default()).map_err(told);
    assert_eq!(error, Err("400 attribute \"ce-x-a\" is not UTF-8 at byte 2: send it in UTF-8".to_owned()));
    map.insert("ce-source", HeaderValue::from_bytes(b"\xff").expect("a header value"));
    let error = decode_binary(&map, Bytes::new(), &Limits::default()).map_err(told);
    assert_eq!(error, Err("400 attribute \"source\" is not UTF-8 at byte 0: send it in UTF-8".to_owned()));
}

#[test]
fn the_version_of_a_message_is_told() {
    assert!(is_binary(&headers(&GOOD_HEADERS)));
    for absent in 0..GOOD_HEADERS.len() {
        let mut list = GOOD_HEADERS.to_vec();
        list[absent].1 = "";
        assert!(!is_binary(&headers(&list)), "{list:?}");
        list.remove(absent);
        assert!(!is_binary(&headers(&list)), "{list:?}");
    }
    let new = [("ce-specversion", "1.0"), ("ce-id", "1"), ("ce-source", "/s"), ("ce-type", "t")];
    assert!(!is_binary(&headers(&new)));
    for old in [GOOD, FULL, r#" {"cloudeventsversion":null} "#, r#"{"specVersion":"1.0","cloudEventsVersion":"0.1"}"#] {
        assert!(is_structured(old.as_bytes()), "{old}");
    }
    for other in [
        "",
        "{}",
        "null",
        "\"cloudEventsVersion\"",
        r#"[{"cloudEventsVersion":"0.1"}]"#,
        r#"{"data":{"cloudEventsVersion":"0.1"}}"#,
        r#"{"specversion":"1.0","id":"1","source":"/s","type":"t"}"#,
        r#"{"specversion":"1.0","cloudEventsVersion":"0.1"}"#,
        r#"{"cloudEventsVersion":"0.1","specversion":"1.0"}"#,
        r#"{"cloudEventsVersion":"0.1","spec\u0076ersion":null}"#,
        r#"{"cloudEventsVersion":"0.1"} x"#,
        r#"{"cloudEventsVersion":"0.1",}"#,
        r#"{"cloudEventsVersion":"0.1""#,
        r#"{"eventType":"user.created"}"#,
    ] {
        assert!(!is_structured(other.as_bytes()), "{other}");
    }
    assert!(!is_structured(b"{\"cloudEventsVersion\":\"0.1\",\"\xff\":1}"));
}

#[test]
fn data_of_structured_messages_is_kept_by_its_type() {
    let check = |content_type: Option<&str>, raw: &str, expected: Data| {
        let declared = content_type.map(|given| format!(r#""contentType":"{given}","#)).unwrap_or_default();
        let event = structured(with(&format!(r#"{declared}"data":{raw}"#))).expect(raw);
        assert_eq!(event.data(), &expected, "{content_type:?} {raw}");
        assert_eq!(event.datacontenttype(), content_type);
        assert_eq!(structured(written(&event)), Ok(event), "{content_type:?} {raw}");
    };
    let json = |text: &str| Data::Json(text.into());
    let plain = |text: &str| Data::Text(text.into());
    let bytes = |bytes: &'static [u8]| Data::Binary(Bytes::from_static(bytes));
    for json_type in [None, Some("application/json"), Some("Application/JSON; charset=utf-8"), Some("a/b+json")] {
        for raw in [r#""aGV5""#, r#""\ud800""#, r#"{"a": [1, 2.0]}"#, "[ ]", "5", "true", "null"] {
            check(json_type, raw, json(raw));
        }
    }
    for text_type in [
        "text/plain",
        "TEXT/html; charset=utf-8",
        "text/plain; charset=iso-8859-1",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
    ] {
        check(Some(text_type), r#""aGV5""#, plain("aGV5"));
        check(Some(text_type), r#""a=b\r\n\u0000\ud83d\ude00""#, plain("a=b\r\n\0😀"));
        check(Some(text_type), r#""""#, plain(""));
        check(Some(text_type), r#"{"a": 1}"#, json(r#"{"a": 1}"#));
        check(Some(text_type), "null", json("null"));
    }
    for other_type in ["application/octet-stream", "image/png", "application/xml", "application/xjson"] {
        check(Some(other_type), r#""aGV5""#, bytes(b"hey"));
        check(Some(other_type), r#""a\/\/\/""#, bytes(b"\x6b\xff\xff"));
        check(Some(other_type), r#""""#, bytes(b""));
        for odd in ["hey", "aGV5\n", "aGV", "aGU", "aGU=x", "<a/>", "-_-_"] {
            check(Some(other_type), &serde_json::to_string(odd).expect("a string"), plain(odd));
        }
        check(Some(other_type), "[1]", json("[1]"));
    }
    assert_eq!(structured(with(r#""contentType":"text/plain""#)).expect("valid").data(), &Data::None);
    let surrogate = structured(with(r#""contentType":"text/plain","data":"\ud800""#)).expect_err("no text");
    assert!(surrogate.starts_with("400 data is a string that is not Unicode: "), "{surrogate}");
}

#[test]
fn bodies_are_kept_by_their_type() {
    let check = |content_type: &str, body: &'static [u8], expected: Data| {
        let declared = [("content-type", content_type)];
        let list = if content_type.is_empty() { &declared[..0] } else { &declared[..] };
        let event = binary_with(list, body).expect(content_type);
        assert_eq!(event.data(), &expected, "{content_type} {body:?}");
        // From there on it stays what it is.
        let again = structured(written(&event)).expect("valid");
        assert_eq!(structured(written(&again)), Ok(again), "{content_type} {body:?}");
    };
    let json = |text: &str| Data::Json(text.into());
    let plain = |text: &str| Data::Text(text.into());
    let bytes = |bytes: &'static [u8]| Data::Binary(Bytes::from_static(bytes));
    for json_type in ["application/json", "application/json; charset=utf-8", "text/json", "a/b+json"] {
        check(json_type, br#"{"hello": "world"}"#, json(r#"{"hello": "world"}"#));
        check(json_type, b"[1]", json("[1]"));
        check(json_type, b"\"hey\"", json("\"hey\""));
        check(json_type, b"test", bytes(b"test"));
        check(json_type, b"{\"a\":", bytes(b"{\"a\":"));
        check(json_type, b"{} {}", bytes(b"{} {}"));
        check(json_type, b"\"\xff\"", bytes(b"\"\xff\""));
        check(json_type, b"", Data::None);
    }
    let multipart = "--X\r\nContent-Disposition: form-data; name=\"some\"\r\n\r\nthing\r\n--X--\r\n";
    for text_type in ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=X"] {
        check(text_type, b"some=thing", plain("some=thing"));
        check(text_type, multipart.as_bytes(), plain(multipart));
        check(text_type, "é".as_bytes(), plain("é"));
        check(text_type, b"\xff", bytes(b"\xff"));
        check(text_type, b"", Data::None);
    }
    check("text/plain; charset=iso-8859-1", b"abc", bytes(b"abc"));
    for other_type in ["", "application/octet-stream", "application/xml", "multipart/mixed"] {
        check(other_type, b"some=thing", bytes(b"some=thing"));
        check(other_type, b"{}", bytes(b"{}"));
        check(other_type, b"", Data::None);
    }
}

#[test]
fn both_modes_agree() {
    let check = |list: &[(&str, &str)], body: &'static str, members: &str| {
        let event = binary_with(list, body);
        assert!(event.is_ok(), "{event:?}");
        assert_eq!(event, structured(with(members)), "{members}");
    };
    check(&[("content-type", "application/json")], "{\"a\": 1}", r#""contentType":"application/json","data":{"a": 1}"#);
    check(&[("content-type", "text/plain")], "aGV5", r#""contentType":"text/plain","data":"aGV5""#);
    check(&[("content-type", "image/png")], "hey", r#""contentType":"image/png","data":"aGV5""#);
    check(&[("content-type", "a/b")], "", r#""contentType":"a/b""#);
    check(
        &[
            ("CE-X-Trace-Id", "7"),
            ("CE-SchemaURL", "s.json"),
            ("CE-EventTypeVersion", "2"),
            ("CE-EventTime", "2026-01-31T12:00:00+01:00"),
            ("CE-X-Subject", "käse"),
        ],
        "",
        r#""extensions":{"traceId":"7","subject":"käse"},"eventTypeVersion":"2","schemaURL":"s.json",
           "eventTime":"2026-01-31T12:00:00+01:00""#,
    );
    let levels = nested(128);
    let too_deep: Result<Event, String> = Err("400 data is nested deeper than 127 levels: flatten it".to_owned());
    assert_eq!(binary_with(&[("content-type", "application/json")], levels.clone()), too_deep);
    assert_eq!(structured(with(&format!(r#""contentType":"application/json","data":{levels}"#))), too_deep);
}
