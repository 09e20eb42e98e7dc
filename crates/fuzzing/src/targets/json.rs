//! The members of a JSON event against a naive reader of JSON, and how deeply JSON nests against one that recurses.

use std::fmt;

use bytes::Bytes;
use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

use weir_cloudevents::json;
use weir_domain::{AttributeValue, Data, Event, Limits};

use super::refusal::accepted;

/// The deepest nesting that data may have.
const DEPTH_MAX: usize = 127;

/// Takes the bytes for JSON, and for the members of an event behind the required ones.
///
/// Nesting is what a recursive reader finds. An event has exactly the members that a naive reader finds, and JSON that is
/// accepted as data can be read by such a reader wherever it is text.
pub fn json_members(data: &[u8]) {
    let Ok(text) = str::from_utf8(data) else { return };
    if let Ok(Depth(depth)) = serde_json::from_str(text) {
        assert_eq!(json::nesting(text), depth, "{text}");
    }
    let body = format!(r#"{{"specversion":"1.0","id":"1","source":"/s","type":"t",{text}}}"#);
    let Some(event) = accepted(json::decode(&Bytes::from(body.clone()), &Limits::default())) else { return };
    if let Data::Json(data) = event.data() {
        assert!(json::nesting(data) <= DEPTH_MAX);
        serde_json::from_str::<IgnoredAny>(data).expect("data is JSON");
    }
    // A naive reader gives up on what is no Unicode and on numbers that no float holds.
    if let Ok(Value::Object(members)) = serde_json::from_str(&body) {
        compare(&event, &members);
    }
}

fn compare(event: &Event, members: &Map<String, Value>) {
    let names = ["id", "source", "type", "subject", "time", "datacontenttype", "dataschema"];
    let mut extensions = 0;
    for (name, value) in members {
        let core = names.iter().position(|each| each == name).map(|place| event.fixed_values()[place]);
        match (name.as_str(), value) {
            ("specversion", value) => assert_eq!(value, "1.0"),
            ("data", value) => compare_data(event.data(), value),
            ("data_base64", Value::Null) => {}
            ("data_base64", value) => {
                assert!(value.is_string() && matches!(event.data(), Data::Binary(_)), "{event:?}");
            }
            (_, Value::Null) => assert_eq!((core.flatten(), event.extension(name)), (None, None), "{name}"),
            (_, value) if core.is_some() => assert_eq!(core.flatten(), value.as_str(), "{name}"),
            (_, value) => {
                extensions += 1;
                let found = event.extension(name).expect("a member is an attribute");
                assert_eq!(plain(found), *value, "{name}");
            }
        }
    }
    assert_eq!(event.extensions().count(), extensions);
    if !members.contains_key("data") && members.get("data_base64").is_none_or(Value::is_null) {
        assert_eq!(event.data(), &Data::None);
    }
}

fn compare_data(data: &Data, value: &Value) {
    match data {
        Data::Json(json) => assert_eq!(serde_json::from_str::<Value>(json).ok().as_ref(), Some(value)),
        Data::Text(text) => assert_eq!(value.as_str(), Some(&**text)),
        Data::None | Data::Binary(_) => panic!("the member data became {data:?}"),
    }
}

fn plain(value: AttributeValue<'_>) -> Value {
    match value {
        AttributeValue::String(text) => text.into(),
        AttributeValue::Integer(number) => number.into(),
        AttributeValue::Boolean(truth) => truth.into(),
    }
}

/// How deeply arrays and objects nest, found by recursion, which the reader bounds.
struct Depth(usize);

impl<'de> Deserialize<'de> for Depth {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(DepthVisitor)
    }
}

struct DepthVisitor;

impl<'de> Visitor<'de> for DepthVisitor {
    type Value = Depth;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_bool<E>(self, _: bool) -> Result<Depth, E> {
        Ok(Depth(0))
    }

    fn visit_i64<E>(self, _: i64) -> Result<Depth, E> {
        Ok(Depth(0))
    }

    fn visit_u64<E>(self, _: u64) -> Result<Depth, E> {
        Ok(Depth(0))
    }

    fn visit_f64<E>(self, _: f64) -> Result<Depth, E> {
        Ok(Depth(0))
    }

    fn visit_str<E>(self, _: &str) -> Result<Depth, E> {
        Ok(Depth(0))
    }

    fn visit_unit<E>(self) -> Result<Depth, E> {
        Ok(Depth(0))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Depth, A::Error> {
        let mut deepest = 0;
        while let Some(Depth(depth)) = elements.next_element()? {
            deepest = deepest.max(depth);
        }
        Ok(Depth(deepest + 1))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Depth, A::Error> {
        let mut deepest = 0;
        while let Some((_, Depth(depth))) = entries.next_entry::<String, Depth>()? {
            deepest = deepest.max(depth);
        }
        Ok(Depth(deepest + 1))
    }
}
