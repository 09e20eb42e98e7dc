//! One line of the access log: as a JSON object for programs, or as text that tools for the combined log format of web
//! servers read.

use std::{fmt::Write as _, io::Write as _};

use http::Version;
use serde::Serialize;
use weir_cloudevents::time;
use weir_gateway::{Served, ServedEvent};

/// The status of a request whose sender has gone away before the answer; no answer can have it.
const GONE: u16 = 499;

/// The form of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    /// A JSON object.
    Json,
    /// As web servers write it, with what they do not know behind.
    Text,
}

/// What a line says; what is not known is left out.
#[derive(Serialize)]
struct Line<'a> {
    time: String,
    api: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    client: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    principal: Option<&'a str>,
    method: &'a str,
    path: &'a str,
    protocol: &'static str,
    status: u16,
    #[serde(skip_serializing_if = "Option::is_none")]
    request_bytes: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    response_bytes: Option<u64>,
    duration_us: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    request_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    space: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    event_type: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    event_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    events: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    trace_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    user_agent: Option<&'a str>,
}

impl<'a> Line<'a> {
    fn of(served: &'a Served) -> Self {
        let (event_type, event_id, events) = match &served.event {
            Some(ServedEvent::One { event_type, id, .. }) => (Some(event_type.as_str()), Some(id.as_str()), None),
            Some(ServedEvent::Batch(events)) => (None, None, Some(*events)),
            None => (None, None, None),
        };
        Self {
            time: time::format(served.began),
            api: served.api.as_str(),
            client: served.client.map(|address| address.to_string()),
            principal: served.principal.as_deref(),
            method: served.method.as_str(),
            path: &served.path,
            protocol: protocol(served.version),
            status: served.status.map_or(GONE, |status| status.as_u16()),
            request_bytes: served.request_bytes,
            response_bytes: served.response_bytes,
            duration_us: u64::try_from(served.took.as_micros()).unwrap_or(u64::MAX),
            request_id: served.request_id.as_deref(),
            space: served.space.as_ref().map(|space| space.as_str()),
            event_type,
            event_id,
            events,
            trace_id: served.trace_id().map(|id| format!("{id:032x}")),
            user_agent: served.user_agent.as_deref(),
        }
    }

    /// Writes it as the combined log format has it: what is not known is `-`, and the referrer never is. Behind it stands
    /// what else there is.
    fn text(&self) -> String {
        let number = |number: Option<u64>| number.map_or_else(|| "-".to_owned(), |number| number.to_string());
        let word = |text: Option<&str>| text.map_or_else(|| "-".to_owned(), |text| escaped(text, true));
        let Self { time, method, protocol, status, duration_us, .. } = self;
        let mut line = format!(
            "{} - {} [{time}] \"{} {} {protocol}\" {status} {} \"-\" \"{}\" api={} duration_us={duration_us}",
            word(self.client.as_deref()),
            word(self.principal),
            escaped(method, false),
            escaped(self.path, false),
            number(self.response_bytes),
            self.user_agent.map_or_else(|| "-".to_owned(), |agent| escaped(agent, false)),
            self.api,
        );
        let rest = [
            ("request_id", self.request_id.map(|text| escaped(text, true))),
            ("request_bytes", self.request_bytes.map(|bytes| bytes.to_string())),
            ("space", self.space.map(|text| escaped(text, true))),
            ("event_type", self.event_type.map(|text| escaped(text, true))),
            ("event_id", self.event_id.map(|text| escaped(text, true))),
            ("events", self.events.map(|events| events.to_string())),
            ("trace_id", self.trace_id.clone()),
        ];
        for (name, value) in rest {
            if let Some(value) = value {
                // Writing to a String cannot fail.
                let _ = write!(line, " {name}={value}");
            }
        }
        line
    }
}

/// Adds the line of a request.
pub(super) fn write(format: Format, served: &Served, out: &mut Vec<u8>) {
    let line = Line::of(served);
    // Writing to a vector cannot fail, and neither can texts and numbers.
    let _ = match format {
        Format::Json => serde_json::to_writer(&mut *out, &line).map_err(drop),
        Format::Text => out.write_all(line.text().as_bytes()).map_err(drop),
    };
    out.push(b'\n');
}

const fn protocol(version: Version) -> &'static str {
    match version {
        Version::HTTP_09 => "HTTP/0.9",
        Version::HTTP_10 => "HTTP/1.0",
        Version::HTTP_2 => "HTTP/2.0",
        Version::HTTP_3 => "HTTP/3.0",
        _ => "HTTP/1.1",
    }
}

/// Makes a text of a client harmless within a line: what could end it, its quotes or a field, and all that is not ASCII, is
/// written as `\x` and two hexadecimal digits for each byte, as web servers do. A word has no blanks either.
fn escaped(text: &str, is_word: bool) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        let is_plain = (byte.is_ascii_graphic() && !matches!(byte, b'"' | b'\\')) || (byte == b' ' && !is_word);
        if is_plain {
            out.push(char::from(byte));
        } else {
            // Writing to a String cannot fail.
            let _ = write!(out, "\\x{byte:02X}");
        }
    }
    out
}
