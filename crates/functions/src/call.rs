//! One call of a function and what it comes to: the words that all kinds of functions share.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use bytestring::ByteString;
use futures_util::future::BoxFuture;

use weir_cloudevents::trace::TraceParent;
use weir_domain::{AttributeValue, Data, Event, EventBuilder, FunctionId, Key};

use crate::{CallError, HttpAnswer, batch};

/// One call of a function with one event.
#[derive(Clone, Debug)]
pub struct Call {
    /// What the function is given.
    pub event: Event,
    /// What its order is kept by; none where it stands alone, or is not recorded.
    pub key: Option<Key>,
    /// Which function is called; it names the lines that the function writes.
    pub function: FunctionId,
    /// For which subscription.
    pub subscription: Arc<str>,
    /// The how-manieth attempt with this event this is, counted from 1.
    pub attempt: u32,
    /// What is asked for, and whether somebody waits for it.
    pub mode: CallMode,
    /// The span of this call, where it is recorded: a function outside goes on with it, else with that of the event.
    pub span: Option<TraceParent>,
    /// A shorter limit than that of the function for how long it may take. The wait for its turn is no part of it.
    pub timeout: Option<Duration>,
}

impl Call {
    /// Returns how long it may take, of a function with this limit.
    pub(crate) fn limit(&self, of_function: Duration) -> Duration {
        self.timeout.map_or(of_function, |timeout| timeout.min(of_function))
    }
}

/// What is asked for, and whether somebody waits for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CallMode {
    /// From the log: nobody waits, and only events can come of it.
    Async,
    /// An HTTP caller waits.
    Sync,
    /// The caller waits and reads the JSON value that the function returns by itself: neither events nor an HTTP answer are
    /// looked for in it. An authorizer is called so.
    Value,
}

/// What a call came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Any number of events, none included.
    Events(Vec<Draft>),
    /// An HTTP answer; only for calls with [`CallMode::Sync`].
    Answer(HttpAnswer),
    /// The text that the function returned, which nobody has checked to be JSON; only for calls with [`CallMode::Value`],
    /// and then nothing else.
    Value(ByteString),
}

impl Outcome {
    /// Takes a body as the value that was asked for.
    pub(crate) fn value(body: Bytes) -> Result<Self, CallError> {
        let text = ByteString::try_from(body);
        text.map(Self::Value).map_err(|_| CallError::malformed("it must answer with JSON, but its body is not UTF-8"))
    }
}

/// An event as a function returns it: what is missing, the platform fills in.
///
/// Only its form is checked. Whether the attributes keep the rules of CloudEvents shows when the event is built.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Draft {
    /// The attribute `type`.
    pub event_type: String,
    /// The attribute `id`; else the platform derives one.
    pub id: Option<String>,
    /// The attribute `source`; else the platform names the function.
    pub source: Option<String>,
    /// The attribute `subject`.
    pub subject: Option<String>,
    /// The attribute `time`.
    pub time: Option<String>,
    /// The attribute `datacontenttype`.
    pub datacontenttype: Option<String>,
    /// The attribute `dataschema`.
    pub dataschema: Option<String>,
    /// Extension attributes in the order in which they came.
    pub extensions: Vec<(String, DraftValue)>,
    /// The data.
    pub data: Data,
}

/// The value of an extension attribute of a [`Draft`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DraftValue {
    /// `true` or `false`.
    Boolean(bool),
    /// A whole number of 32 bits with sign.
    Integer(i32),
    /// Text.
    Text(String),
}

impl DraftValue {
    /// Returns the value as the domain knows it.
    #[must_use]
    pub fn as_attribute(&self) -> AttributeValue<'_> {
        match self {
            Self::Boolean(truth) => AttributeValue::Boolean(*truth),
            Self::Integer(number) => AttributeValue::Integer(*number),
            Self::Text(text) => AttributeValue::String(text),
        }
    }
}

impl From<AttributeValue<'_>> for DraftValue {
    fn from(value: AttributeValue<'_>) -> Self {
        match value {
            AttributeValue::Boolean(truth) => Self::Boolean(truth),
            AttributeValue::Integer(number) => Self::Integer(number),
            AttributeValue::String(text) => Self::Text(text.to_owned()),
        }
    }
}

impl Draft {
    /// Begins a draft that has only its type.
    #[must_use]
    pub fn new(event_type: impl Into<String>) -> Self {
        Self { event_type: event_type.into(), ..Self::default() }
    }

    /// Begins the event, with this `id` and this `source` where the function gave none.
    #[must_use]
    pub fn into_builder(self, id: &str, source: &str) -> EventBuilder {
        let id = self.id.as_deref().unwrap_or(id);
        let source = self.source.as_deref().unwrap_or(source);
        let mut builder = Event::builder(id, source, &self.event_type).data(self.data);
        if let Some(subject) = &self.subject {
            builder = builder.subject(subject);
        }
        if let Some(time) = &self.time {
            builder = builder.time(time);
        }
        if let Some(media_type) = &self.datacontenttype {
            builder = builder.datacontenttype(media_type);
        }
        if let Some(schema) = &self.dataschema {
            builder = builder.dataschema(schema);
        }
        for (name, value) in &self.extensions {
            builder = builder.extension(name, value.as_attribute());
        }
        builder
    }
}

impl From<&Event> for Draft {
    fn from(event: &Event) -> Self {
        Self {
            event_type: event.event_type().to_owned(),
            id: Some(event.id().to_owned()),
            source: Some(event.source().to_owned()),
            subject: event.subject().map(str::to_owned),
            time: event.time().map(str::to_owned),
            datacontenttype: event.datacontenttype().map(str::to_owned),
            dataschema: event.dataschema().map(str::to_owned),
            extensions: event.extensions().map(|(name, value)| (name.to_owned(), value.into())).collect(),
            data: event.data().clone(),
        }
    }
}

/// A function that can be called.
///
/// A call may be dropped before it is done: the function is then stopped at its next chance, and nothing of what it
/// would have returned is used.
pub trait Invoke: Send + Sync + 'static {
    /// Calls the function once.
    fn invoke<'a>(&'a self, call: &'a Call) -> BoxFuture<'a, Result<Outcome, CallError>>;

    /// Makes several calls and returns what each came to, in the order in which they were given; usually one after the
    /// other. Where one fails, later ones of the same key are not made and end with [`CallError::Untried`]; where one
    /// request carries them all, it fails for all.
    fn invoke_batch<'a>(&'a self, calls: &'a [Call]) -> BoxFuture<'a, Vec<Result<Outcome, CallError>>> {
        Box::pin(batch::one_by_one(self, calls))
    }

    /// Tells whether one request can carry several events.
    fn takes_batches(&self) -> bool {
        false
    }

    /// Takes note that another function stands in its place from now on. Calls from the log that wait for their turn, and
    /// those that come later, end with [`CallError::Busy`] at once, so that whoever made them asks that other one. Calls
    /// under way are finished, and callers who wait keep their turn. One without turns has nothing to do.
    fn retire(&self) {}
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_draft_keeps_what_it_has_and_takes_the_rest() {
        let event = Event::builder("1", "/shop", "order.placed")
            .subject("order/7")
            .time("2026-01-31T12:00:00Z")
            .datacontenttype("application/json")
            .dataschema("https://example.com/order.json")
            .extension("sequence", AttributeValue::Integer(-3))
            .extension("sampled", AttributeValue::Boolean(true))
            .extension("partitionkey", AttributeValue::String("käse"))
            .data(Data::Json("{}".into()))
            .build()
            .expect("valid");
        let draft = Draft::from(&event);
        assert_eq!(draft.clone().into_builder("2", "/other").build(), Ok(event));

        let bare = Draft::new("order.billed").into_builder("2", "/functions/bill").build().expect("valid");
        assert_eq!((bare.id(), bare.source(), bare.event_type()), ("2", "/functions/bill", "order.billed"));
        assert_eq!(bare.data(), &Data::None);
    }
}
