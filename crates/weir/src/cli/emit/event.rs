//! One event from flags.

use std::path::Path;

use anyhow::Context;
use bytes::Bytes;
use tokio::io::AsyncReadExt;
use weir_cloudevents::time;
use weir_domain::{AttributeValue, Clock, Data, Event, Ids};

use crate::cli::{EventArgs, output::Failure};

/// The most data of one event in bytes; what the server takes is less where it is not set to more.
const DATA_BYTES_MAX: u64 = 32 * 1024 * 1024;

/// The media type of data where nothing is said.
const JSON: &str = "application/json";

/// Makes the event; identifier and time come from the ports where they are not given.
pub(super) async fn read(args: &EventArgs, ids: &dyn Ids, clock: &dyn Clock) -> anyhow::Result<Event> {
    let bytes = match args.data.as_deref() {
        None => None,
        Some("-") => Some(bounded(tokio::io::stdin(), "standard input").await?),
        Some(text) => match text.strip_prefix('@') {
            Some(path) => Some(file(Path::new(path)).await?),
            None => Some(text.as_bytes().to_vec()),
        },
    };
    Ok(make(args, bytes, ids, clock)?)
}

/// Makes the event with data that was read already.
fn make(args: &EventArgs, bytes: Option<Vec<u8>>, ids: &dyn Ids, clock: &dyn Clock) -> Result<Event, Failure> {
    let id = args.id.clone().unwrap_or_else(|| ids.unique());
    let (source, event_type) = (args.source.as_deref().unwrap_or_default(), args.event_type.as_deref());
    let time = args.time.clone().unwrap_or_else(|| time::format(clock.now()));
    let mut event = Event::builder(&id, source, event_type.unwrap_or_default()).time(&time);
    if let Some(subject) = &args.subject {
        event = event.subject(subject);
    }
    if let Some(schema) = &args.dataschema {
        event = event.dataschema(schema);
    }
    for (name, value) in &args.extensions {
        event = event.extension(name, AttributeValue::String(value));
    }
    if let Some(bytes) = bytes {
        let media_type = args.datacontenttype.as_deref().unwrap_or(JSON);
        event = event.datacontenttype(media_type).data(data(bytes, media_type)?);
    }
    event.build().map_err(|error| Failure::invalid(error.to_string()))
}

/// Makes data of bytes, as the codec does for the body of a message.
fn data(bytes: Vec<u8>, media_type: &str) -> Result<Data, Failure> {
    if is_json(media_type) {
        let text = String::from_utf8(bytes).map_err(|_| not_json("it is not UTF-8"))?;
        // Written as it stands: what is no JSON value would break the event around it.
        serde_json::from_str::<&serde_json::value::RawValue>(&text).map_err(|error| not_json(&error.to_string()))?;
        return Ok(Data::Json(text.trim().into()));
    }
    if media_type.to_ascii_lowercase().starts_with("text/") {
        return Ok(match String::from_utf8(bytes) {
            Ok(text) => Data::Text(text.into()),
            Err(error) => Data::Binary(Bytes::from(error.into_bytes())),
        });
    }
    Ok(Data::Binary(bytes.into()))
}

fn is_json(media_type: &str) -> bool {
    let essence = media_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    essence.split_once('/').is_some_and(|(_, subtype)| subtype == "json" || subtype.ends_with("+json"))
}

fn not_json(detail: &str) -> Failure {
    Failure::invalid(format!(
        "the data is not JSON: correct it, or say what it is with --datacontenttype, such as text/plain ({detail})"
    ))
}

async fn file(path: &Path) -> anyhow::Result<Vec<u8>> {
    let name = path.display().to_string();
    let file = tokio::fs::File::open(path).await.with_context(|| format!("{name} cannot be read"))?;
    bounded(file, &name).await
}

async fn bounded(reader: impl tokio::io::AsyncRead + Unpin, name: &str) -> anyhow::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let mut reader = reader.take(DATA_BYTES_MAX + 1);
    reader.read_to_end(&mut bytes).await.with_context(|| format!("{name} cannot be read"))?;
    if bytes.len() as u64 > DATA_BYTES_MAX {
        let message = format!("{name} has more than the {DATA_BYTES_MAX} bytes that the data of an event may have");
        return Err(Failure::invalid(message).into());
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use weir_domain::Timestamp;

    use super::*;

    struct Fixed;

    impl Ids for Fixed {
        fn unique(&self) -> String {
            "unique".into()
        }

        fn secret(&self) -> [u8; 32] {
            [7; 32]
        }
    }

    impl Clock for Fixed {
        fn now(&self) -> Timestamp {
            Timestamp::from_unix_micros(1_000_000)
        }
    }

    fn args() -> EventArgs {
        EventArgs {
            event_type: Some("order.placed".into()),
            source: Some("/shop".into()),
            id: None,
            subject: None,
            time: None,
            data: None,
            datacontenttype: None,
            dataschema: None,
            extensions: Vec::new(),
        }
    }

    fn json(args: &EventArgs, bytes: Option<&[u8]>) -> Result<String, String> {
        let event = make(args, bytes.map(<[u8]>::to_vec), &Fixed, &Fixed).map_err(|failure| failure.to_string())?;
        let mut text = Vec::new();
        weir_cloudevents::json::encode(&event, &mut text);
        Ok(String::from_utf8(text).expect("JSON"))
    }

    #[test]
    fn identifier_and_time_are_filled_in() {
        let start = r#"{"specversion":"1.0","id":"unique","source":"/shop","type":"order.placed","#;
        let expected = format!(r#"{start}"time":"1970-01-01T00:00:01.000000Z"}}"#);
        assert_eq!(json(&args(), None), Ok(expected));
        let given = EventArgs {
            id: Some("1".into()),
            time: Some("2026-01-31T12:00:00Z".into()),
            extensions: vec![("partitionkey".into(), "7".into())],
            ..args()
        };
        let start = r#"{"specversion":"1.0","id":"1","source":"/shop","type":"order.placed","#;
        let more = r#""time":"2026-01-31T12:00:00Z","datacontenttype":"application/json","partitionkey":"7","#;
        let expected = format!(r#"{start}{more}"data":{{"a": 1}}}}"#);
        assert_eq!(json(&given, Some(b" {\"a\": 1}\n")), Ok(expected));
    }

    #[test]
    fn data_is_what_it_is_said_to_be() {
        let check = |media_type: &str, bytes: &[u8], expected: Result<Data, &str>| {
            let found = data(bytes.to_vec(), media_type).map_err(|failure| failure.to_string());
            match expected {
                Ok(data) => assert_eq!(found, Ok(data), "{media_type}"),
                Err(start) => assert!(found.is_err_and(|message| message.starts_with(start)), "{media_type}"),
            }
        };
        check("application/json", b"[1]", Ok(Data::Json("[1]".into())));
        check("Application/Problem+JSON; charset=utf-8", b"{}", Ok(Data::Json("{}".into())));
        check("application/json", b"hello", Err("the data is not JSON: correct it, or say what it is"));
        check("application/json", b"{},{}", Err("the data is not JSON"));
        check("application/json", b"", Err("the data is not JSON"));
        check("text/plain", b"hello", Ok(Data::Text("hello".into())));
        check("text/plain", b"\xe4", Ok(Data::Binary(Bytes::from_static(b"\xe4"))));
        check("image/jpeg", b"\xff\xd8", Ok(Data::Binary(Bytes::from_static(b"\xff\xd8"))));
    }

    #[test]
    fn broken_attributes_are_told_before_anything_is_sent() {
        let wrong = EventArgs { time: Some("yesterday".into()), ..args() };
        let expected = "attribute \"time\" must be a time of RFC 3339 such as 2026-01-31T12:00:00Z";
        assert_eq!(json(&wrong, None), Err(expected.to_owned()));
        let wrong = EventArgs { extensions: vec![("Key".into(), "7".into())], ..args() };
        assert!(json(&wrong, None).is_err_and(|message| message.starts_with("attribute \"Key\" has a name")));
    }
}
