//! The scenarios and events of the conformance suite, and real events of a provider, where they are present.

use bytes::Bytes;
use serde_json::Value;

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

/// The events of the suite's YAML: attributes, and the data as a block of text.
fn yaml_events(yaml: &str) -> Vec<YamlEvent<'_>> {
    yaml.split("---\n")
        .map(|document| {
            let (head, data) = document.split_once("Data: |\n").expect("data");
            let attributes = head
                .lines()
                .filter(|line| line.starts_with("  "))
                .map(|line| trim(line.split_once(':').expect("an attribute")))
                .collect();
            let data = data.lines().map(|line| format!("{}\n", line.trim_start())).collect();
            (attributes, data)
        })
        .collect()
}

#[test]
fn minimal_events() {
    let Some(yaml) = shared("conformance/cloudevents/yaml/v1.0/v1_minimum.yaml") else {
        eprintln!("skipped: no conformance suite beside the repository");
        return;
    };
    let events = yaml_events(&yaml);
    assert_eq!(events.len(), 6);
    for (attributes, data) in events {
        let lines: Vec<(String, &str)> = attributes
            .iter()
            .map(|(name, value)| match *name {
                "datacontenttype" => ("content-type".to_owned(), *value),
                name => (format!("ce-{name}"), *value),
            })
            .collect();
        let lines: Vec<(&str, &str)> = lines.iter().map(|(name, value)| (name.as_str(), *value)).collect();
        let event = binary::decode(&headers(&lines), Bytes::from(data.clone()), &Limits::default()).expect("valid");
        for (name, value) in &attributes {
            assert_eq!(attribute(&event, name).as_deref(), Some(*value), "{name}");
        }
        assert_eq!(event.data().as_bytes(), data.as_bytes());
        // White space around a JSON value belongs to the document once the value is a member of it.
        let structured = decode(&encode(&event));
        assert_eq!(structured.data().as_bytes().trim_ascii(), data.as_bytes().trim_ascii());
    }
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
