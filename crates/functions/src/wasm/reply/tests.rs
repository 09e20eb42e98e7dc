//! Tests of replies, without a guest.

use super::*;

const EVENTS_MAX: usize = 3;

fn told(text: &str, parts: Parts, mode: CallMode) -> Result<Outcome, String> {
    read(text.to_owned(), parts, mode, EVENTS_MAX).map_err(|error| error.to_string())
}

fn answer(status: u16, body: &'static [u8]) -> Outcome {
    Outcome::Answer(HttpAnswer { status, headers: Vec::new(), body: Bytes::from_static(body) })
}

fn event(event_type: &str, data: Data) -> Draft {
    Draft { data, ..Draft::new(event_type) }
}

fn json(text: &'static str) -> Data {
    Data::Json(ByteString::from_static(text))
}

#[test]
fn what_is_returned_decides_what_it_is() {
    let check = |text: &str, from_the_log: Option<Outcome>, awaited: Option<Outcome>| {
        assert_eq!(told(text, Vec::new(), CallMode::Async).ok(), from_the_log, "{text}");
        assert_eq!(told(text, Vec::new(), CallMode::Sync).ok(), awaited, "{text}");
    };
    let events = |drafts: &[Draft]| Some(Outcome::Events(drafts.to_vec()));
    check("", events(&[]), Some(answer(200, b"")));
    check("[]", events(&[]), events(&[]));
    check("{}", None, Some(answer(200, b"")));
    check(r#"{"body":"hi"}"#, None, Some(answer(200, b"hi")));
    check(r#"{"statusCode":404,"type":"t"}"#, None, Some(answer(404, b"")));
    check(r#"{"statusCode":204,"more":1}"#, None, Some(answer(204, b"")));
    let one = events(&[event("a.b", json(r#"{"x":[1]}"#))]);
    check(r#"{"type":"a.b","data":{"x":[1]}}"#, one.clone(), one);
    let two = events(&[event("a", json("null")), event("b", Data::None)]);
    check(r#"[{"type":"a","data":null},{"type":"b","subject":null}]"#, two.clone(), two);
    for other in ["1", "true", "\"text\"", r#"{"id":1}"#, r#"{"type":1}"#, "[1]", "[{}]", "[[]]", r#"{"type":"#] {
        check(other, None, None);
    }
}

#[test]
fn a_value_is_what_was_returned() {
    let check = |text: &str| {
        let value = Outcome::Value(text.to_owned().into());
        assert_eq!(told(text, Vec::new(), CallMode::Value), Ok(value));
    };
    for text in [r#"{"authorization":{"principalId":"a"}}"#, r#"{"statusCode":200}"#, r#"{"type":"a"}"#, "[1]", "3"] {
        check(text);
    }
    assert_eq!(told("", Vec::new(), CallMode::Value), Ok(Outcome::Value("null".into())));
    let bytes = told("{}", vec![(0, vec![1])], CallMode::Value);
    assert_eq!(bytes, Err("the function broke its contract: it must return JSON, not bytes".to_owned()));
}

#[test]
fn attributes_and_data_keep_their_kind() {
    let text = r#"{"specversion":"1.0","type":"t","id":"1","source":"/s","subject":"ü","time":"2026-01-31T12:00:00Z",
        "datacontenttype":"text/plain; charset=utf-8","dataschema":"https://a/b","data":"plain","n":-7,"b":true,"s":"x","gone":null}"#;
    let expected = Draft {
        event_type: "t".into(),
        id: Some("1".into()),
        source: Some("/s".into()),
        subject: Some("ü".into()),
        time: Some("2026-01-31T12:00:00Z".into()),
        datacontenttype: Some("text/plain; charset=utf-8".into()),
        dataschema: Some("https://a/b".into()),
        extensions: vec![
            ("n".into(), DraftValue::Integer(-7)),
            ("b".into(), DraftValue::Boolean(true)),
            ("s".into(), DraftValue::Text("x".into())),
        ],
        data: Data::Text("plain".into()),
    };
    assert_eq!(told(text, Vec::new(), CallMode::Async), Ok(Outcome::Events(vec![expected])));

    let check = |text: &str, data: Data| {
        let Ok(Outcome::Events(drafts)) = told(text, Vec::new(), CallMode::Async) else { panic!("no event: {text}") };
        assert_eq!(drafts[0].data, data, "{text}");
    };
    check(r#"{"type":"t","data":"plain"}"#, json(r#""plain""#));
    check(r#"{"type":"t","datacontenttype":"application/x+json","data":"a"}"#, json(r#""a""#));
    check(r#"{"type":"t","datacontenttype":"application/xml","data":{"a":1}}"#, json(r#"{"a":1}"#));
}

#[test]
fn bytes_find_their_item() {
    let list = r#"[{"type":"a"},{"type":"b","data":1},{"type":"c"}]"#;
    let parts = vec![(2, vec![7]), (0, vec![8, 9])];
    let expected = vec![
        event("a", Data::Binary(Bytes::from_static(&[8, 9]))),
        event("b", json("1")),
        event("c", Data::Binary(Bytes::from_static(&[7]))),
    ];
    assert_eq!(told(list, parts, CallMode::Async), Ok(Outcome::Events(expected)));
    let parts = vec![(0, vec![1, 2])];
    assert_eq!(told(r#"{"statusCode":200}"#, parts, CallMode::Sync), Ok(answer(200, &[1, 2])));
}

#[test]
fn what_is_wrong_is_named() {
    let check = |text: &str, mode: CallMode, problem: &str| {
        let error = told(text, Vec::new(), mode).expect_err(text);
        assert!(error.starts_with("the function broke its contract: "), "{error}");
        assert!(error.ends_with(problem), "{error}");
    };
    check(
        "[{\"type\":\"a\"},3]",
        CallMode::Async,
        "in item 1 of the list that it returned, counted from 0, there is no event: 3",
    );
    // Whatever the items are: what is too much is not looked at.
    for list in ["[1,2,3,4]", r#"[{"type":"a"},{"type":"a"},{"type":"a"},{"type":"a"}]"#] {
        check(list, CallMode::Async, "it may return at most 3 events, but it returned 4");
    }
    check("[1,2,3,4", CallMode::Async, "what it returned is no JSON: EOF while parsing a list at line 1 column 8");
    check("[] 1", CallMode::Sync, "what it returned is no JSON: trailing characters at line 1 column 4");
    check(
        r#"{"type":"a","id":5}"#,
        CallMode::Async,
        "in the event that it returned, \"id\" must be a string, but is 5",
    );
    check(r#"{"type":"a","specversion":"0.3"}"#, CallMode::Async, "\"specversion\" must be \"1.0\", but is \"0.3\"");
    check(
        r#"{"type":"a","big":3000000000}"#,
        CallMode::Async,
        "the attribute \"big\" must be a string, a boolean or a whole number of 32 bits, but is 3000000000",
    );
    check(
        r#"{"type":"a","data_base64":"AA=="}"#,
        CallMode::Async,
        "bytes must be returned as \"data\", a Uint8Array, not as \"data_base64\"",
    );
    check(
        r#"{"statusCode":99}"#,
        CallMode::Sync,
        "in its answer, \"statusCode\" must be a whole number from 200 to 599, but is 99",
    );
    check(
        r#"{"statusCode":200}"#,
        CallMode::Async,
        "nobody waits for the HTTP answer that it returned: return an event, a list, or nothing",
    );
    check("\"text\"", CallMode::Sync, "but it returned \"text\"");
}
