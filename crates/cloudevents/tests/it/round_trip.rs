//! Whatever event there is, it comes back from every mode; and what is written is what a naive writer would write.

use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;
use proptest::prelude::*;
use serde_json::{Map, Value};

use weir_cloudevents::{binary, json};
use weir_domain::{AttributeValue, Data, Event, Limits};

use crate::{attribute, decode, encode};

const CORE: [&str; 7] = ["id", "source", "type", "subject", "time", "datacontenttype", "dataschema"];

type ContentType = Option<&'static str>;

const JSON_TYPES: [ContentType; 4] =
    [None, Some("application/json"), Some("Text/JSON; charset=UTF-8"), Some("application/vnd.example+json;v=1")];
const TEXT_TYPES: [ContentType; 4] =
    [Some("text/plain"), Some("TEXT/csv; charset=\"utf-8\""), Some("application/xml"), Some("image/svg+xml")];
const OTHER_TYPES: [ContentType; 3] =
    [Some("application/octet-stream"), Some("text/plain; charset=iso-8859-1"), Some("text/plain; x=\"é\"")];

fn any_type() -> impl Strategy<Value = ContentType> {
    prop::sample::select([&JSON_TYPES[..], &TEXT_TYPES[..], &OTHER_TYPES[..]].concat())
}

/// Characters that attributes may have, the troublesome ones more often than by chance.
fn character() -> impl Strategy<Value = char> {
    let allowed =
        |c: &char| !c.is_control() && !(0xfdd0..=0xfdef).contains(&u32::from(*c)) && u32::from(*c) & 0xfffe != 0xfffe;
    prop_oneof![
        8 => prop::char::range(' ', '~'),
        1 => any::<char>().prop_filter("no character of an attribute", allowed),
        1 => prop::sample::select(vec!['"', '\\', '%', 'é', '€', '😀', '\u{a0}', '\u{2028}', '\u{feff}', '\u{d7ff}']),
    ]
}

fn text() -> impl Strategy<Value = String> {
    prop::collection::vec(character(), 1..24).prop_map(|chars: Vec<char>| chars.into_iter().collect::<String>())
}

/// Text as data may hold it: any, control characters included.
fn any_text() -> impl Strategy<Value = String> {
    prop::collection::vec(prop_oneof![any::<char>(), character()], 0..24)
        .prop_map(|chars: Vec<char>| chars.into_iter().collect::<String>())
}

/// A JSON value as somebody might write it, without white space around it.
fn json_text() -> impl Strategy<Value = String> {
    let quote = |text: String| serde_json::to_string(&text).expect("a string");
    let leaf = prop_oneof![
        Just("null".to_owned()),
        Just("-0.5e+7".to_owned()),
        any::<bool>().prop_map(|truth| truth.to_string()),
        any::<i64>().prop_map(|number| number.to_string()),
        any_text().prop_map(quote),
    ];
    leaf.prop_recursive(4, 24, 4, move |inner| {
        let members = prop::collection::vec((any_text(), inner.clone()), 0..4);
        prop_oneof![
            prop::collection::vec(inner, 0..4).prop_map(|items| format!("[ {} ]", items.join(" ,\n"))),
            members.prop_map(move |members| {
                let members: Vec<String> =
                    members.into_iter().map(|(name, value)| format!("{} : {value}", quote(name))).collect();
                format!("{{{}}}", members.join(","))
            }),
        ]
    })
}

fn binary_data() -> impl Strategy<Value = Data> {
    prop::collection::vec(any::<u8>(), 0..64).prop_map(|bytes| Data::Binary(bytes.into()))
}

/// Data as reading makes it: its kind is the one that its type says.
fn ordinary_content() -> impl Strategy<Value = (ContentType, Data)> {
    prop_oneof![
        (prop::sample::select(JSON_TYPES.to_vec()), json_text().prop_map(|text| Data::Json(text.into()))),
        (prop::sample::select(TEXT_TYPES.to_vec()), any_text().prop_map(|text| Data::Text(text.into()))),
        (any_type(), binary_data()),
        (any_type(), Just(Data::None)),
    ]
}

/// Data of any kind beside any type, as only a careless maker of events could join them.
fn odd_content() -> impl Strategy<Value = (ContentType, Data)> {
    let data = prop_oneof![
        json_text().prop_map(|text| Data::Json(text.into())),
        any_text().prop_map(|text| Data::Text(text.into())),
        binary_data(),
    ];
    (any_type(), data)
}

#[derive(Clone, Debug)]
enum Extension {
    Text(String),
    Integer(i32),
    Boolean(bool),
}

fn extension() -> impl Strategy<Value = (String, Extension)> {
    let value = prop_oneof![
        text().prop_map(Extension::Text),
        Just(Extension::Text(String::new())),
        any::<i32>().prop_map(Extension::Integer),
        any::<bool>().prop_map(Extension::Boolean),
    ];
    ("x[a-z0-9]{0,10}", value)
}

fn event(content: impl Strategy<Value = (ContentType, Data)>) -> impl Strategy<Value = Event> {
    let times = ["2018-04-05T17:31:00Z", "1996-12-19t16:39:57.123456789-08:00"];
    (
        text(),
        "(/a|urn:a|https://a/)[a-zA-Z0-9/:._~-]{0,20}(%[0-9A-F]{2})?",
        text(),
        prop::option::of(text()),
        prop::option::of(prop::sample::select(times.to_vec())),
        prop::option::of(Just("https://example.com/schema%20one?v=1#x")),
        prop::collection::vec(extension(), 0..6),
        content,
    )
        .prop_map(|(id, source, event_type, subject, time, schema, extensions, (content_type, data))| {
            let mut builder = Event::builder(&id, &source, &event_type).data(data);
            if let Some(subject) = subject {
                builder = builder.subject(&subject);
            }
            if let Some(time) = time {
                builder = builder.time(time);
            }
            if let Some(schema) = schema {
                builder = builder.dataschema(schema);
            }
            if let Some(content_type) = content_type {
                builder = builder.datacontenttype(content_type);
            }
            for (name, value) in &extensions {
                builder = builder.extension(
                    name,
                    match value {
                        Extension::Text(text) => AttributeValue::String(text),
                        Extension::Integer(number) => AttributeValue::Integer(*number),
                        Extension::Boolean(truth) => AttributeValue::Boolean(*truth),
                    },
                );
            }
            builder.build().expect("valid")
        })
}

/// The event in the JSON format, made without thought for speed.
fn naive(event: &Event) -> Value {
    let mut members = Map::new();
    members.insert("specversion".to_owned(), "1.0".into());
    for name in CORE {
        if let Some(value) = attribute(event, name) {
            members.insert(name.to_owned(), value.into());
        }
    }
    for (name, value) in event.extensions() {
        let value = match value {
            AttributeValue::String(text) => text.into(),
            AttributeValue::Integer(number) => number.into(),
            AttributeValue::Boolean(truth) => truth.into(),
        };
        members.insert(name.to_owned(), value);
    }
    match event.data() {
        Data::None => None,
        Data::Json(json) => members.insert("data".to_owned(), serde_json::from_str(json).expect("JSON")),
        Data::Text(text) => members.insert("data".to_owned(), Value::from(&**text)),
        Data::Binary(bytes) => members.insert("data_base64".to_owned(), STANDARD.encode(bytes).into()),
    };
    Value::Object(members)
}

/// Checks that two events differ in nothing but the order of extensions and the spelling of JSON.
fn same(left: &Event, right: &Event) -> Result<(), TestCaseError> {
    prop_assert_eq!(left.extensions().count(), right.extensions().count());
    for (name, value) in left.extensions() {
        prop_assert_eq!(right.extension(name), Some(value));
    }
    for name in CORE {
        prop_assert_eq!(attribute(left, name), attribute(right, name));
    }
    match (left.data(), right.data()) {
        (Data::Json(left), Data::Json(right)) => {
            let (left, right): (Value, Value) =
                (serde_json::from_str(left).expect("JSON"), serde_json::from_str(right).expect("JSON"));
            prop_assert_eq!(left, right);
        }
        (left, right) => prop_assert_eq!(left, right),
    }
    Ok(())
}

proptest! {
    #[test]
    fn structured_mode_returns_the_event(given in event(ordinary_content())) {
        prop_assert_eq!(decode(&encode(&given)), given);
    }

    #[test]
    fn batches_return_the_events(given in prop::collection::vec(event(ordinary_content()), 0..6)) {
        let mut body = Vec::new();
        json::encode_batch(&given, &mut body);
        prop_assert_eq!(json::decode_batch(&Bytes::from(body), &Limits::default()), Ok(given));
    }

    #[test]
    fn the_json_is_that_of_a_naive_writer(given in event(ordinary_content())) {
        let written: Value = serde_json::from_str(&encode(&given)).expect("JSON");
        let expected = naive(&given);
        prop_assert_eq!(&written, &expected);
        // The naive writer sorts members and spreads them over lines: neither may matter.
        same(&decode(&serde_json::to_string_pretty(&expected).expect("JSON")), &given)?;
    }

    #[test]
    fn binary_mode_returns_what_headers_can_say(given in event(ordinary_content())) {
        let is_json = JSON_TYPES[1..].contains(&given.datacontenttype());
        // Bytes declared as JSON that are none are no event in this mode.
        prop_assume!(!(is_json && matches!(given.data(), Data::Binary(_))));
        let (headers, body) = binary::encode(&given);
        let again = binary::decode(&headers, body, &Limits::default()).expect("valid");
        for name in CORE.into_iter().chain(given.extensions().map(|(name, _)| name)) {
            let implied = name == "datacontenttype" && matches!(given.data(), Data::Json(_));
            let expected = attribute(&given, name).or(implied.then(|| "application/json".to_owned()));
            prop_assert_eq!(attribute(&again, name), expected, "{}", name);
        }
        prop_assert_eq!(again.extensions().count(), given.extensions().count());
        prop_assert_eq!(again.data().as_bytes(), given.data().as_bytes());
        // From there on it stays what it is.
        let (headers, body) = binary::encode(&again);
        let once_more = binary::decode(&headers, body, &Limits::default());
        prop_assert_eq!(once_more.as_ref(), Ok(&again));
        let structured = decode(&encode(&again));
        prop_assert_eq!(structured.data().as_bytes(), given.data().as_bytes());
    }

    #[test]
    fn no_data_is_lost_beside_any_type(given in event(odd_content())) {
        let again = decode(&encode(&given));
        prop_assert_eq!(again.data().as_bytes(), given.data().as_bytes());
        prop_assert_eq!(again.datacontenttype(), given.datacontenttype());
        let (headers, body) = binary::encode(&given);
        prop_assert_eq!(&body[..], given.data().as_bytes());
        prop_assert!(headers["ce-specversion"] == "1.0");
    }
}
