//! Dead letters as people see them. Whatever a server says is made safe for a terminal.

use std::collections::BTreeMap;

use serde_json::value::RawValue;
use weir_cloudevents::time;
use weir_domain::Timestamp;

use super::{Attempt, Letter};
use crate::cli::output::{Output, Paint, Table, clean, clip};

/// The widest a column gets, in characters.
const KEY_WIDTH_MAX: usize = 32;
const ERROR_WIDTH_MAX: usize = 80;
/// What people copy is shown whole.
const WHOLE: usize = usize::MAX;
/// How deep JSON is laid out; what nests deeper stays on its line.
const DEPTH_MAX: usize = 256;

/// Makes the table of a list.
pub(super) fn table(letters: &[Letter], has_states: bool, now: Timestamp) -> Table {
    let mut heading = vec!["position", "age", "subscription", "key", "attempts", "error"];
    if has_states {
        heading.insert(2, "state");
    }
    let mut table = Table::with_heading(&heading);
    for letter in letters {
        let subscription = format!("{} → {}", letter.event.event_type, letter.function_id);
        let held = if letter.held && letter.state == "open" { " (held)" } else { "" };
        let key = letter.key.as_deref().map_or_else(|| "-".to_owned(), |key| clip(key, KEY_WIDTH_MAX));
        let mut cells = vec![
            (letter.position.to_string(), Paint::Strong),
            (age(&letter.time, now), Paint::Dim),
            (clip(&subscription, WHOLE), Paint::of_name(&letter.function_id)),
            (format!("{key}{held}"), if held.is_empty() { Paint::Plain } else { Paint::Warn }),
            (letter.attempts.to_string(), Paint::Plain),
            (clip(&letter.error, ERROR_WIDTH_MAX), Paint::Plain),
        ];
        if has_states {
            cells.insert(2, (clip(&letter.state, WHOLE), Paint::Plain));
        }
        table.row(cells);
    }
    table
}

/// Says how long ago a time is, in its largest unit.
fn age(text: &str, now: Timestamp) -> String {
    let Ok(then) = time::parse(text) else { return clip(text, WHOLE) };
    let seconds = now.unix_micros().saturating_sub(then.unix_micros()) / 1_000_000;
    match seconds {
        0..60 => format!("{seconds}s"),
        60..3_600 => format!("{}m", seconds / 60),
        3_600..86_400 => format!("{}h", seconds / 3_600),
        _ => format!("{}d", seconds / 86_400),
    }
}

/// Shows one letter: what is known of it, its attempts, and its event in both forms.
pub(super) fn letter(letter: &Letter, output: &Output) -> anyhow::Result<()> {
    let event = &letter.event;
    let state = match letter.decided_at {
        Some(at) => format!("{} at position {at}", letter.state),
        None if letter.held => format!("{}, and holds its key", letter.state),
        None => letter.state.clone(),
    };
    let number = |number: Option<u64>| number.map(|number| number.to_string());
    let pairs = [
        ("position", Some(letter.position.to_string())),
        ("state", Some(state)),
        ("time", Some(letter.time.clone())),
        (
            "event",
            Some(format!("{} {} of {} at position {}", event.event_type, event.id, event.source, event.position)),
        ),
        ("key", letter.key.clone()),
        ("function", Some(letter.function_id.clone())),
        ("subscription", Some(letter.subscription_id.clone())),
        ("attempts", Some(letter.attempts.to_string())),
        ("cause", letter.cause.clone()),
        ("status", number(letter.status.map(u64::from))),
        ("error", Some(letter.error.clone())),
        ("redriven by", number(letter.redriven)),
        ("replay", letter.replay_id.clone()),
        ("patched at", number(letter.patched_at)),
    ];
    let pairs: Vec<(&str, String)> =
        pairs.into_iter().filter_map(|(name, text)| Some((name, clip(&text?, WHOLE)))).collect();
    output.pairs(&pairs)?;
    if let Some(history) = letter.history.as_ref().filter(|history| !history.is_empty()) {
        output.line("")?;
        output.table(&attempts(history))?;
    }
    for (name, form) in [("original", &letter.original), ("patched", &letter.patched)] {
        if let Some(form) = form {
            output.line(format!("\n{}\n{}", output.paint(Paint::Dim, name), clean(&pretty(form))))?;
        }
    }
    Ok(())
}

fn attempts(history: &[Attempt]) -> Table {
    let mut table = Table::with_heading(&["attempt", "time", "status", "cause", "error"]);
    let text = |text: &Option<String>| clip(text.as_deref().unwrap_or("-"), WHOLE);
    let number = |number: Option<u64>| number.map_or_else(|| "-".to_owned(), |number| number.to_string());
    for each in history {
        table.row([
            (number(each.attempt), Paint::Strong),
            (text(&each.time), Paint::Dim),
            (number(each.status.map(u64::from)), Paint::Plain),
            (text(&each.cause), Paint::Plain),
            (text(&each.error), Paint::Plain),
        ]);
    }
    table
}

/// Lays JSON out, with the members of objects in the order of their names. Numbers and texts stay as they were written.
pub(super) fn pretty(json: &RawValue) -> String {
    let mut out = String::new();
    lay_out(json.get(), 0, &mut out);
    out
}

fn lay_out(json: &str, depth: usize, out: &mut String) {
    let parts = match json.bytes().next() {
        Some(b'{') if depth < DEPTH_MAX => serde_json::from_str::<BTreeMap<String, &RawValue>>(json)
            .map(|members| members.into_iter().map(|(name, value)| (Some(name), value)).collect::<Vec<_>>()),
        Some(b'[') if depth < DEPTH_MAX => serde_json::from_str::<Vec<&RawValue>>(json)
            .map(|elements| elements.into_iter().map(|value| (None, value)).collect::<Vec<_>>()),
        _ => Ok(Vec::new()),
    };
    let Some(parts) = parts.ok().filter(|parts| !parts.is_empty()) else {
        out.push_str(json);
        return;
    };
    let (open, close) = if json.starts_with('{') { ('{', '}') } else { ('[', ']') };
    out.push(open);
    for (index, (name, value)) in parts.into_iter().enumerate() {
        out.push_str(if index > 0 { ",\n" } else { "\n" });
        out.push_str(&"  ".repeat(depth + 1));
        if let Some(name) = name {
            out.push_str(&serde_json::Value::from(name).to_string());
            out.push_str(": ");
        }
        lay_out(value.get(), depth + 1, out);
    }
    out.push('\n');
    out.push_str(&"  ".repeat(depth));
    out.push(close);
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::cli::output::Captured;

    fn letter_of(value: serde_json::Value) -> Letter {
        serde_json::from_str(&value.to_string()).expect("a letter")
    }

    fn example(error: &str) -> serde_json::Value {
        json!({
            "position": 17, "time": "1970-01-01T00:00:00Z", "state": "open", "subscriptionId": "s", "functionId": "bill",
            "event": { "id": "1", "source": "/shop", "type": "order.placed", "position": 8 },
            "key": "k", "held": true, "attempts": 3, "error": error,
        })
    }

    #[test]
    fn lists_are_tables() {
        let now = Timestamp::from_unix_micros(3 * 3_600 * 1_000_000);
        let captured = Captured::default();
        let letters = [letter_of(example("it answered 503"))];
        captured.output(false, None).table(&table(&letters, false, now)).expect("written");
        let expected = "position  age  subscription         key       attempts  error\n      17  3h   order.placed → bill  k (held)         3  it answered 503\n";
        assert_eq!(captured.text(), expected);
    }

    #[test]
    fn ages_have_one_unit() {
        let check = |seconds: u64, expected: &str| {
            let now = Timestamp::from_unix_micros(seconds * 1_000_000);
            assert_eq!(age("1970-01-01T00:00:00Z", now), expected);
        };
        check(0, "0s");
        check(59, "59s");
        check(3_599, "59m");
        check(86_399, "23h");
        check(86_400 * 400, "400d");
    }

    #[test]
    fn json_is_laid_out_as_it_was_written() {
        let raw: &RawValue =
            serde_json::from_str(r#"{"b":[1.10,{}, []],"a":{"c":"\u00e4"},"z":123456789012345678901}"#).expect("JSON");
        let expected = "{\n  \"a\": {\n    \"c\": \"\\u00e4\"\n  },\n  \"b\": [\n    1.10,\n    {},\n    []\n  ],\n  \
                        \"z\": 123456789012345678901\n}";
        assert_eq!(pretty(raw), expected);
    }

    #[test]
    fn nothing_that_a_server_says_reaches_the_terminal_as_a_command() {
        let hostile = "\u{1b}[2J\u{9b}31m\r\n\u{7f}";
        let mut value = example(hostile);
        for name in ["time", "state", "subscriptionId", "functionId", "key", "cause", "replayId"] {
            value[name] = json!(hostile);
        }
        value["event"] = json!({ "id": hostile, "source": hostile, "type": hostile, "position": 1 });
        value["history"] = json!([{ "time": hostile, "cause": hostile, "error": hostile }]);
        value["original"] = json!({ hostile: hostile });
        let letter = letter_of(value);
        let captured = Captured::default();
        let output = captured.output(false, None);
        super::letter(&letter, &output).expect("written");
        output.table(&table(&[letter], true, Timestamp::default())).expect("written");
        let text = captured.text();
        assert!(text.chars().all(|c| c == '\n' || !c.is_control()), "{text:?}");
    }
}
