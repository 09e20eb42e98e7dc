//! A second reading of the decision: the JSON of a pattern is asked about the JSON of data, anew for each event.

use std::{
    collections::BTreeMap,
    net::{IpAddr, Ipv4Addr},
};

use serde_json::{Map, Value};
use weir_domain::{AttributeValue, Data, Event};

/// One event as JSON.
pub(super) struct Seen {
    attributes: BTreeMap<String, String>,
    pub(super) data: Option<Value>,
}

impl Seen {
    pub(super) fn of(event: &Event) -> Self {
        let names = ["id", "source", "type", "subject", "time", "datacontenttype", "dataschema"];
        let fixed = names.into_iter().zip(event.fixed_values());
        let fixed = fixed.filter_map(|(name, value)| Some((name.to_owned(), value?.to_owned())));
        let extensions = event.extensions().map(|(name, value)| {
            let text = match value {
                AttributeValue::String(text) => text.to_owned(),
                AttributeValue::Integer(number) => number.to_string(),
                AttributeValue::Boolean(truth) => truth.to_string(),
            };
            (name.to_owned(), text)
        });
        let attributes = fixed.chain(extensions).chain([("specversion".to_owned(), "1.0".to_owned())]).collect();
        let data = match event.data() {
            Data::Json(text) => Some(serde_json::from_str(text).expect("JSON")),
            Data::None | Data::Text(_) | Data::Binary(_) => None,
        };
        Self { attributes, data }
    }

    /// What an attribute may be taken for.
    pub(super) fn attribute(&self, name: &str) -> Option<Vec<Value>> {
        let text = self.attributes.get(name)?;
        let other = serde_json::from_str(text).ok().filter(|value: &Value| value.is_number() || value.is_boolean());
        Some([Value::from(text.as_str())].into_iter().chain(other).collect())
    }

    pub(super) fn holds(&self, pattern: &Value) -> bool {
        members(pattern).iter().all(|(name, content)| match (name.as_str(), content) {
            ("$or", alternatives) => items(alternatives).iter().any(|alternative| self.holds(alternative)),
            ("data", content) => content_holds(content, self.data.as_ref()),
            (name, conditions) => {
                let values = self.attribute(name);
                items(conditions).iter().any(|condition| match &values {
                    None => is_missing(condition),
                    Some(values) => is_there(condition) || one_holds(condition, values),
                })
            }
        })
    }
}

fn members(value: &Value) -> &Map<String, Value> {
    value.as_object().expect("an object")
}

fn items(value: &Value) -> &[Value] {
    value.as_array().expect("an array")
}

fn is_missing(condition: &Value) -> bool {
    condition["exists"] == Value::Bool(false)
}

fn is_there(condition: &Value) -> bool {
    condition["exists"] == Value::Bool(true)
}

fn content_holds(content: &Value, value: Option<&Value>) -> bool {
    match (content, value) {
        (Value::Object(_), Some(Value::Array(items))) if !items.is_empty() => {
            items.iter().any(|item| content_holds(content, Some(item)))
        }
        (Value::Object(wanted), value) => {
            let there = value.and_then(Value::as_object);
            wanted.iter().all(|(name, content)| match name.as_str() {
                // It is about the object itself, which is no array here.
                "$or" => items(content)
                    .iter()
                    .any(|alternative| content_holds(alternative, value.filter(|it| it.is_object()))),
                name => content_holds(content, there.and_then(|members| members.get(name))),
            })
        }
        (conditions, None) => items(conditions).iter().any(is_missing),
        (conditions, Some(value)) => {
            let mut found = Vec::new();
            scalars(value, &mut found);
            let holds =
                |condition: &Value| found.iter().any(|scalar| one_holds(condition, std::slice::from_ref(scalar)));
            items(conditions).iter().any(|condition| is_there(condition) || holds(condition))
        }
    }
}

/// Collects the values that have nothing in them, those of arrays too.
pub(super) fn scalars(value: &Value, into: &mut Vec<Value>) {
    match value {
        Value::Array(items) => items.iter().for_each(|item| scalars(item, into)),
        Value::Object(_) => {}
        scalar => into.push(scalar.clone()),
    }
}

/// Whether a condition other than `exists` holds for one value, which may be taken for each of these.
pub(super) fn one_holds(condition: &Value, values: &[Value]) -> bool {
    let any = |test: &dyn Fn(&Value) -> bool| values.iter().any(test);
    let any_text = |test: &dyn Fn(&str) -> bool| any(&|value| value.as_str().is_some_and(test));
    let Some(operators) = condition.as_object() else { return any(&|value| equal(value, condition)) };
    let (operator, content) = operators.iter().next().expect("an operator");
    let text = content.as_str().unwrap_or_default();
    let without_case = content["equals-ignore-case"].as_str().map(str::to_lowercase);
    match operator.as_str() {
        "exists" => false,
        "prefix" => match without_case {
            Some(wanted) => any_text(&|found| found.to_lowercase().starts_with(&wanted)),
            None => any_text(&|found| found.starts_with(text)),
        },
        "suffix" => match without_case {
            Some(wanted) => any_text(&|found| found.to_lowercase().ends_with(&wanted)),
            None => any_text(&|found| found.ends_with(text)),
        },
        "equals-ignore-case" => any_text(&|found| found.to_lowercase() == text.to_lowercase()),
        "wildcard" => any_text(&|found| is_like(found.as_bytes(), text.as_bytes())),
        "numeric" => any(&|value| value.as_f64().is_some_and(|number| is_within(number, items(content)))),
        "cidr" => any_text(&|found| in_network(found, text)),
        "anything-but" => {
            let excluded: Vec<Value> = match content {
                Value::Array(excluded) => excluded.clone(),
                Value::Object(test) => {
                    let (operator, texts) = test.iter().next().expect("an operator");
                    let texts = texts.as_array().cloned().unwrap_or_else(|| vec![texts.clone()]);
                    texts.into_iter().map(|text| Value::Object(Map::from_iter([(operator.clone(), text)]))).collect()
                }
                one => vec![one.clone()],
            };
            !excluded.iter().any(|excluded| one_holds(excluded, values))
        }
        other => panic!("{other}"),
    }
}

fn equal(one: &Value, other: &Value) -> bool {
    match (one.as_f64(), other.as_f64()) {
        (Some(one), Some(other)) => one == other,
        _ => one == other,
    }
}

fn is_within(number: f64, comparisons: &[Value]) -> bool {
    comparisons.chunks(2).all(|pair| {
        let end = pair[1].as_f64().expect("a number");
        match pair[0].as_str().expect("a comparison") {
            "=" => number == end,
            "<" => number < end,
            "<=" => number <= end,
            ">" => number > end,
            ">=" => number >= end,
            other => panic!("{other}"),
        }
    })
}

fn is_like(text: &[u8], wildcard: &[u8]) -> bool {
    match (wildcard, text) {
        ([], _) => text.is_empty(),
        ([b'*', rest @ ..], _) => (0..=text.len()).any(|skipped| is_like(&text[skipped..], rest)),
        ([b'\\', letter, rest @ ..], [first, text @ ..]) => letter == first && is_like(text, rest),
        ([letter, rest @ ..], [first, text @ ..]) => letter == first && is_like(text, rest),
        (_, []) => false,
    }
}

/// Only for IPv4.
fn in_network(text: &str, network: &str) -> bool {
    let (begin, length) = network.split_once('/').expect("a network");
    let begin = u32::from(begin.parse::<Ipv4Addr>().expect("an address"));
    let beyond = 32 - length.parse::<u32>().expect("a length");
    match text.parse::<IpAddr>() {
        Ok(IpAddr::V4(address)) => u64::from(u32::from(address)) >> beyond == u64::from(begin) >> beyond,
        _ => false,
    }
}
