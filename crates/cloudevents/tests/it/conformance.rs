//! The scenarios and events of the conformance suite, and real events of a provider, where they are present.

use bytes::Bytes;
use serde_json::{Map, Value};

use weir_cloudevents::{Mode, binary, json, mode};
use weir_domain::{Event, Limits};

use crate::{attribute, decode, encode, headers, shared};

/// A scenario outline of the feature file.
struct Outline<'a> {
    request: &'a str,
    attributes: Vec<(&'a str, &'a str)>,
    data: &'a str,
    examples: Vec<&'a str>,
}

fn outlines(feature: &str) -> Vec<Outline<'_>> {
    feature
        .split("Scenario Outline:")
        .skip(1)
        .map(|block| outline(block).expect("an outline of the known form"))
        .collect()
}

fn outline(block: &str) -> Option<Outline<'_>> {
    let mut parts = block.split("\"\"\"");
    let (request, table, data, rest) = (parts.nth(1)?, parts.next()?, parts.next()?, parts.next()?);
    let (_, examples) = rest.split_once("Examples:")?;
    Some(Outline {
        request,
        attributes: table.lines().filter_map(row).filter_map(|row| row.split_once('|')).map(trim).skip(1).collect(),
        data,
        examples: examples.lines().filter_map(row).map(str::trim).skip(1).collect(),
    })
}

/// The inside of a table row.
fn row(line: &str) -> Option<&str> {
    line.trim().strip_prefix('|')?.strip_suffix('|')
}

fn trim<'a>((left, right): (&'a str, &'a str)) -> (&'a str, &'a str) {
    (left.trim(), right.trim())
}

/// Sends a request text through the codec as the gateway does.
fn receive(request: &str) -> Event {
    let request: Vec<&str> = request.lines().skip(1).map(str::trim).collect();
    let blank = request.iter().position(|line| line.is_empty()).expect("a blank line after the headers");
    let lines: Vec<(&str, &str)> =
        request[1..blank].iter().map(|line| trim(line.split_once(':').expect("a header"))).collect();
    let (headers, body) = (headers(&lines), Bytes::from(request[blank + 1..].join("\n")));
    let limits = Limits::default();
    match mode::detect(&headers).expect("a known mode") {
        Mode::Structured => json::decode(&body, &limits).expect("valid"),
        Mode::Binary => binary::decode(&headers, body, &limits).expect("valid"),
        other => panic!("{other:?}"),
    }
}

#[test]
fn http_protocol_binding_scenarios() {
    let Some(feature) = shared("conformance/cloudevents/features/http-protocol-binding.feature") else {
        eprintln!("skipped: no conformance suite beside the repository");
        return;
    };
    let outlines = outlines(&feature);
    assert_eq!(outlines.len(), 2);
    for outline in &outlines {
        assert!(!outline.examples.is_empty() && outline.attributes.len() >= 6);
        for example in &outline.examples {
            let event = receive(&outline.request.replace("<contentType>", example));
            for (name, value) in &outline.attributes {
                assert_eq!(attribute(&event, name), Some(value.replace("<contentType>", example)), "{name}");
            }
            let data: Value = serde_json::from_slice(event.data().as_bytes()).expect("JSON");
            assert_eq!(data, serde_json::from_str::<Value>(outline.data).expect("JSON"));
        }
    }
}

type YamlEvent<'a> = (Vec<(&'a str, &'a str)>, String);

/// The events of the suite's YAML: attributes, extensions among them, and the data as a block of text.
fn yaml_events(yaml: &str) -> Vec<YamlEvent<'_>> {
    yaml.split("---\n")
        .map(|document| {
            let (head, data) = document.split_once("Data: |\n").expect("data");
            let head = head.split("TransportExtensions:").next().expect("a beginning");
            let mut lines = head.lines().filter(|line| line.starts_with("  ") && line.trim() != "Extensions:");
            let mut attributes = Vec::new();
            while let Some(line) = lines.next() {
                let (name, value) = trim(line.split_once(':').expect("an attribute"));
                let value = if value == "|" { lines.next().expect("a block of one line").trim() } else { value };
                attributes.push((name, value.trim_matches('"')));
            }
            let data = data.lines().map(|line| format!("{}\n", line.trim_start())).collect();
            (attributes, data)
        })
        .collect()
}

/// Reads an event of the suite in structured mode.
fn in_structured_mode((attributes, data): &YamlEvent<'_>) -> Event {
    let media_type = attributes.iter().find_map(|(name, value)| (*name == "datacontenttype").then_some(*value));
    let mut members: Map<String, Value> =
        attributes.iter().map(|(name, value)| ((*name).to_owned(), Value::from(*value))).collect();
    let is_json = media_type.is_none_or(|media_type| media_type.starts_with("application/json"));
    let data = if is_json { serde_json::from_str(data).expect("JSON") } else { Value::from(&**data) };
    members.insert("data".to_owned(), data);
    decode(&Value::Object(members).to_string())
}

/// Reads an event of the suite in binary mode.
fn in_binary_mode((attributes, data): &YamlEvent<'_>) -> Event {
    let lines: Vec<(String, String)> = attributes
        .iter()
        .map(|(name, value)| match *name {
            "datacontenttype" => ("content-type".to_owned(), (*value).to_owned()),
            name => (format!("ce-{name}"), value.replace('%', "%25").replace('"', "%22")),
        })
        .collect();
    let lines: Vec<(&str, &str)> = lines.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    binary::decode(&headers(&lines), Bytes::from(data.clone()), &Limits::default()).expect("valid")
}

/// Checks an event that came against one of the suite. Whatever version it came in, it is kept as one of 1.0.
fn check_attributes(event: &Event, (attributes, _): &YamlEvent<'_>) {
    for (name, value) in attributes.iter().filter(|(name, _)| *name != "specversion") {
        assert_eq!(attribute(event, name).as_deref(), Some(*value), "{name}");
    }
    assert_eq!(event.extensions().count(), attributes.iter().filter(|(name, _)| name.starts_with("com")).count());
}

#[test]
fn events_of_both_versions_in_both_modes() {
    let mut seen = 0;
    for path in ["v1.yaml", "v1.0/v1_minimum.yaml", "v03.yaml", "v0.3/v03_minimum.yaml"] {
        let Some(yaml) = shared(&format!("conformance/cloudevents/yaml/{path}")) else {
            eprintln!("skipped: no conformance suite beside the repository");
            return;
        };
        for wanted in yaml_events(&yaml) {
            seen += 1;
            let data = wanted.1.as_bytes();
            let event = in_binary_mode(&wanted);
            check_attributes(&event, &wanted);
            assert_eq!(event.data().as_bytes(), data);
            // White space around a JSON value belongs to the document once the value is a member of it.
            let again = decode(&encode(&event));
            check_attributes(&again, &wanted);
            assert_eq!(again.data().as_bytes().trim_ascii(), data.trim_ascii());

            let event = in_structured_mode(&wanted);
            check_attributes(&event, &wanted);
            assert_eq!(event.data().as_bytes().trim_ascii(), data.trim_ascii());
            assert_eq!(decode(&encode(&event)), event);
        }
    }
    assert_eq!(seen, 2 + 6 + 1 + 6);
}

#[test]
fn real_events_survive_every_mode() {
    let Some(lines) = shared("data/cloud-provider-events.jsonl") else {
        eprintln!("skipped: no events of a provider beside the repository");
        return;
    };
    let limits = Limits::default();
    let events: Vec<Event> = lines.lines().map(decode).collect();
    assert!(!events.is_empty());
    for (event, line) in events.iter().zip(lines.lines()) {
        let written = encode(event);
        let (given, got): (Value, Value) =
            (serde_json::from_str(line).expect("JSON"), serde_json::from_str(&written).expect("JSON"));
        assert_eq!(got, given);
        assert_eq!(&decode(&written), event);
        let (headers, body) = binary::encode(event);
        assert_eq!(binary::decode(&headers, body, &limits).as_ref(), Ok(event));
    }
    let mut batch = Vec::new();
    json::encode_batch(&events, &mut batch);
    assert_eq!(json::decode_batch(&Bytes::from(batch), &limits), Ok(events));
}
