//! An event of the log as a line for people, and JSON without its blanks.

use std::fmt::Write;

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::cli::output::{Output, Paint, clip};

/// The widest a column for the type or the key gets, in characters.
const TYPE_WIDTH_MAX: usize = 40;
const KEY_WIDTH_MAX: usize = 24;
/// Room for data that is taken even where the terminal is narrow, in characters.
const DATA_WIDTH_MIN: usize = 16;
/// Data that is shown where no terminal bounds it, in characters.
const DATA_WIDTH_MAX: usize = 64 * 1024;

/// Lines with columns that grow with what they show.
#[derive(Debug, Default)]
pub(super) struct Lines {
    position_width: usize,
    type_width: usize,
    key_width: usize,
}

#[derive(Deserialize)]
struct Event<'a> {
    weirposition: String,
    recordedtime: String,
    #[serde(rename = "type")]
    event_type: String,
    weirkey: Option<String>,
    #[serde(borrow)]
    data: Option<&'a RawValue>,
    data_base64: Option<String>,
}

impl Lines {
    /// Makes the line of an event: position, time, type, key and as much of the data as fits.
    pub(super) fn line(&mut self, json: &str, output: &Output) -> serde_json::Result<String> {
        let event: Event<'_> = serde_json::from_str(json)?;
        let event_type = clip(&event.event_type, TYPE_WIDTH_MAX);
        let key = clip(event.weirkey.as_deref().unwrap_or("-"), KEY_WIDTH_MAX);
        let data = match (event.data, &event.data_base64) {
            (Some(data), _) => {
                let mut text = String::new();
                compact(data.get(), &mut text);
                text
            }
            (None, Some(base64)) => format!("{} bytes", base64.trim_end_matches('=').len() * 3 / 4),
            (None, None) => String::new(),
        };
        let grown = |width: usize, text: &str| width.max(text.chars().count());
        self.position_width = grown(self.position_width, &event.weirposition);
        self.type_width = grown(self.type_width, &event_type);
        self.key_width = grown(self.key_width, &key);
        let (position, time) = (&event.weirposition, to_milliseconds(&event.recordedtime));
        let before = self.position_width + 2 + time.chars().count() + 2 + self.type_width + 2 + self.key_width + 2;
        let room = output.width().map_or(DATA_WIDTH_MAX, |width| width.saturating_sub(before).max(DATA_WIDTH_MIN));
        let (position_width, type_width, key_width) = (self.position_width, self.type_width, self.key_width);
        let mut line = String::new();
        // Writing to a String cannot fail.
        let _ = write!(
            line,
            "{}  {}  {}  {}  {}",
            output.paint(Paint::Strong, format!("{position:>position_width$}")),
            output.paint(Paint::Dim, time),
            output.paint(Paint::of_name(&event_type), format!("{event_type:<type_width$}")),
            output.paint(Paint::Plain, format!("{key:<key_width$}")),
            clip(&data, room),
        );
        line.truncate(line.trim_end().len());
        line.push('\n');
        Ok(line)
    }
}

/// Cuts a time of the log, which has microseconds.
fn to_milliseconds(time: &str) -> String {
    match time.split_once('.') {
        Some((seconds, fraction)) => format!("{seconds}.{}Z", fraction.chars().take(3).collect::<String>()),
        None => time.to_owned(),
    }
}

/// Appends JSON without the blanks between its parts, so that it is one line.
pub(super) fn compact(json: &str, out: &mut String) {
    let (mut quoted, mut escaped) = (false, false);
    let mut start = 0;
    for (at, byte) in json.bytes().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            b' ' | b'\t' | b'\r' | b'\n' if !quoted => {
                out.push_str(&json[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    out.push_str(&json[start..]);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::output::Captured;

    #[test]
    fn blanks_go_and_texts_stay() {
        let check = |json: &str, expected: &str| {
            let mut out = String::new();
            compact(json, &mut out);
            assert_eq!(out, expected);
        };
        check("", "");
        check(" { \"a b\" : [ 1 ,\n 2 ] }\r\n", "{\"a b\":[1,2]}");
        check(r#"{ "a\" b" : "\\" , "ä" : " " }"#, r#"{"a\" b":"\\","ä":" "}"#);
    }

    #[test]
    fn lines_are_aligned_and_fit_the_terminal() {
        let output = Captured::default().output(false, Some(80));
        let mut lines = Lines::default();
        let mut check = |json: &str, expected: &str| {
            assert_eq!(lines.line(json, &output).expect("an event"), expected);
        };
        check(
            r#"{"weirposition":"7","recordedtime":"2026-01-31T12:00:00.123456Z","type":"order.placed","weirkey":"k",
                "data":{ "id" : 7 }}"#,
            "7  2026-01-31T12:00:00.123Z  order.placed  k  {\"id\":7}\n",
        );
        check(
            r#"{"weirposition":"12","recordedtime":"2026-01-31T12:00:01.000000Z","type":"a","data_base64":"AAEC"}"#,
            "12  2026-01-31T12:00:01.000Z  a             -  3 bytes\n",
        );
        check(
            r#"{"weirposition":"13","recordedtime":"2026-01-31T12:00:02.000000Z","type":"a","weirkey":"customer-7",
                "data":"0123456789012345678901234567890123456789"}"#,
            "13  2026-01-31T12:00:02.000Z  a             customer-7  \"0123456789012345678901…\n",
        );
        check(
            r#"{"weirposition":"14","recordedtime":"2026-01-31T12:00:03.000000Z","type":"a"}"#,
            "14  2026-01-31T12:00:03.000Z  a             -\n",
        );
        assert!(lines.line("{}", &output).is_err());
    }
}
