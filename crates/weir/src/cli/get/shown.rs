//! Resources as people see them. Whatever a server says is made safe for a terminal.

use serde_json::{Map, Value};
use weir_catalog::{Arrival, AwsService};

use crate::cli::{
    output::{Output, Paint, Table, clean, clip},
    resources::Kind,
};

/// The widest a column for a description, a URL or a list gets, in characters.
const TEXT_WIDTH_MAX: usize = 60;
/// Identifiers are shown whole: people copy them.
const WHOLE: usize = usize::MAX;

/// Makes the table of a list.
pub(super) fn table(kind: Kind, items: &[Value]) -> Table {
    let mut table = Table::with_heading(match kind {
        Kind::EventTypes => &["event type", "key", "description", "metadata"][..],
        Kind::Functions => &["function", "type", "calls", "metadata"],
        Kind::Subscriptions => &["listens to", "function", "type", "id", "metadata"],
        Kind::Cors => &["route", "origins", "methods", "headers", "credentials", "metadata"],
    });
    for item in items {
        let cell = |name: &str, width| (member(item, name, width), Paint::Plain);
        let named = |name: &str| {
            let text = member(item, name, WHOLE);
            let paint = Paint::of_name(&text);
            (text, paint)
        };
        let metadata = (member(item, "metadata", TEXT_WIDTH_MAX), Paint::Dim);
        let text = |name| cell(name, TEXT_WIDTH_MAX);
        table.row(match kind {
            Kind::EventTypes => vec![named("name"), cell("key", WHOLE), text("description"), metadata],
            Kind::Functions => vec![named("functionId"), text("type"), calls(item), metadata],
            Kind::Subscriptions => {
                vec![listens_to(item), named("functionId"), delivers(item), cell("subscriptionId", WHOLE), metadata]
            }
            Kind::Cors => vec![
                (route(item), Paint::Strong),
                text("allowedOrigins"),
                text("allowedMethods"),
                text("allowedHeaders"),
                text("allowCredentials"),
                metadata,
            ],
        });
    }
    table
}

/// Shows one resource: its members, those of an object within it under both names, and its source behind them.
pub(super) fn item(item: &Value, output: &Output) -> anyhow::Result<()> {
    let none = Map::new();
    let mut pairs = Vec::new();
    for (name, value) in item.as_object().unwrap_or(&none) {
        match value {
            Value::Object(inner) => pairs.extend(inner.iter().map(|(each, value)| (format!("{name}.{each}"), value))),
            value => pairs.push((name.clone(), value)),
        }
    }
    let source = item.pointer("/provider/javascript").and_then(Value::as_str);
    let cells = pairs.iter().map(|(name, value)| {
        let text = match source {
            Some(source) if name == "provider.javascript" => format!("{} bytes, below", source.len()),
            _ => clip(&text(value), WHOLE),
        };
        (clip(name, WHOLE), text)
    });
    let cells: Vec<(String, String)> = cells.collect();
    let shown: Vec<(&str, String)> = cells.iter().map(|(name, text)| (name.as_str(), text.clone())).collect();
    output.pairs(&shown)?;
    if let Some(source) = source {
        output.line(format!("\n{}", clean(source).trim_end()))?;
    }
    Ok(())
}

/// Makes sound JSON one line without characters that a terminal could take for a command. It says the same.
pub(in crate::cli) fn harmless(json: &str) -> String {
    let mut line = String::with_capacity(json.len());
    for c in json.chars() {
        match c {
            // Within a text they are escaped: these stand between the parts.
            '\n' | '\r' | '\t' => {}
            c if c.is_control() => line.push_str(&format!("\\u{:04x}", u32::from(c))),
            c => line.push(c),
        }
    }
    line
}

fn calls(item: &Value) -> (String, Paint) {
    let provider = item.get("provider").unwrap_or(&Value::Null);
    let at_aws = || AwsService::ALL.into_iter().find_map(|service| provider.get(service.target_member()));
    let place = provider.get("url").or_else(at_aws).or_else(|| provider.get("name"));
    let text = match (place, provider.get("javascript"), provider.get("componentBytes")) {
        (Some(place), _, _) => text(place),
        (_, Some(Value::String(source)), _) => format!("JavaScript, {} bytes", source.len()),
        (_, _, Some(bytes)) => format!("component, {} bytes", text(bytes)),
        _ => "-".to_owned(),
    };
    (clip(&text, TEXT_WIDTH_MAX), Paint::Plain)
}

/// The type of a subscription, and its state where it does not simply deliver.
fn delivers(item: &Value) -> (String, Paint) {
    let kind = member(item, "type", TEXT_WIDTH_MAX);
    match item.get("state") {
        None | Some(Value::Null) => (kind, Paint::Plain),
        Some(_) => (format!("{kind}, {}", member(item, "state", TEXT_WIDTH_MAX)), Paint::Warn),
    }
}

fn listens_to(item: &Value) -> (String, Paint) {
    let filtered = if item.get("filter").is_some_and(|filter| !filter.is_null()) { " filtered" } else { "" };
    let event_type = format!("{}{filtered}", member(item, "eventType", WHOLE));
    let text = match item.get("type").and_then(Value::as_str) {
        Some("sync") if event_type == weir_catalog::HTTP_REQUEST => route(item),
        Some("sync") => format!("{} with {event_type}", route(item)),
        _ if is_at_one_place(item) => format!("{event_type} by {}", route(item)),
        _ => event_type,
    };
    (text, Paint::Strong)
}

/// Tells whether an async subscription names a method or path by which its events come in.
fn is_at_one_place(item: &Value) -> bool {
    let usual = Arrival::DEFAULT;
    [("method", usual.method), ("path", usual.path)]
        .iter()
        .any(|(name, usual)| item.get(name).is_some_and(|own| own != usual))
}

fn route(item: &Value) -> String {
    format!("{} {}", member(item, "method", WHOLE), member(item, "path", WHOLE))
}

fn member(item: &Value, name: &str, width: usize) -> String {
    clip(&text(item.get(name).unwrap_or(&Value::Null)), width)
}

fn text(value: &Value) -> String {
    match value {
        Value::Null => "-".to_owned(),
        Value::String(text) => text.clone(),
        Value::Array(items) => items.iter().map(text).collect::<Vec<_>>().join(", "),
        Value::Object(members) => {
            let pairs = members.iter().map(|(name, value)| format!("{name}={}", text(value)));
            pairs.collect::<Vec<_>>().join(", ")
        }
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::cli::output::Captured;

    fn shown(kind: Kind, items: &[Value]) -> String {
        let captured = Captured::default();
        captured.output(false, None).table(&table(kind, items)).expect("written");
        captured.text()
    }

    #[test]
    fn lists_are_tables() {
        let items = [
            json!({ "functionId": "greet", "type": "wasm", "provider": { "javascript": "x" } }),
            json!({ "functionId": "h", "type": "http", "provider": { "url": "http://a" }, "metadata": { "k": "v" } }),
            json!({ "functionId": "c", "type": "wasm", "provider": { "componentBytes": 7 } }),
            json!({ "functionId": "n", "type": "builtin", "provider": { "name": "count" } }),
        ];
        let expected = "function  type     calls                metadata\n\
                        greet     wasm     JavaScript, 1 bytes  -\n\
                        h         http     http://a             k=v\n\
                        c         wasm     component, 7 bytes   -\n\
                        n         builtin  count                -\n";
        assert_eq!(shown(Kind::Functions, &items), expected);
        let items = [
            json!({ "type": "async", "eventType": "a.b", "functionId": "f", "method": "POST", "path": "/",
                    "subscriptionId": "x1" }),
            json!({ "type": "sync", "eventType": "http.request", "functionId": "g", "method": "GET", "path": "/x",
                    "subscriptionId": "x2" }),
            json!({ "type": "async", "eventType": "a.b", "functionId": "f", "method": "PUT", "path": "/x",
                    "subscriptionId": "x3" }),
            json!({ "type": "async", "eventType": "a.b", "functionId": "f", "method": "POST", "path": "/",
                    "subscriptionId": "x4", "filter": { "exact": { "subject": "x" } }, "state": "paused" }),
        ];
        let expected = "listens to     function  type           id  metadata\n\
                        a.b            f         async          x1  -\n\
                        GET /x         g         sync           x2  -\n\
                        a.b by PUT /x  f         async          x3  -\n\
                        a.b filtered   f         async, paused  x4  -\n";
        assert_eq!(shown(Kind::Subscriptions, &items), expected);
    }

    #[test]
    fn nothing_that_a_server_says_reaches_the_terminal_as_a_command() {
        let hostile = "\u{1b}[2J\u{9b}31m\r\n\u{7f}";
        let item = json!({ hostile: hostile, "name": hostile, "key": [hostile], "description": { hostile: hostile },
                           "provider": { "javascript": hostile } });
        let captured = Captured::default();
        let output = captured.output(false, None);
        for kind in [Kind::EventTypes, Kind::Functions, Kind::Subscriptions, Kind::Cors] {
            output.table(&table(kind, std::slice::from_ref(&item))).expect("written");
        }
        super::item(&item, &output).expect("written");
        let text = captured.text();
        assert!(text.chars().all(|c| c == '\n' || !c.is_control()), "{text:?}");

        let json = serde_json::to_string_pretty(&item).expect("JSON");
        let line = harmless(&json);
        assert!(!line.chars().any(char::is_control), "{line:?}");
        assert_eq!(serde_json::from_str::<Value>(&line).expect("the same JSON"), item);
    }
}
