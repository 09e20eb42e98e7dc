//! Making events one attribute after the other.

use super::{Event, push_text, value_of};
use crate::{AttributeError, AttributeValue, Data, ValueKind};

impl Event {
    /// Begins an event with its three required attributes.
    #[must_use]
    pub fn builder(id: &str, source: &str, event_type: &str) -> EventBuilder {
        EventBuilder::new(id, source, event_type)
    }

    /// Begins a copy of this event to which attributes can be added or changed.
    #[must_use]
    pub fn to_builder(&self) -> EventBuilder {
        let mut builder = Event::builder(self.id(), self.source(), self.event_type()).data(self.data.clone());
        builder.subject = self.subject().map(str::to_owned);
        builder.time = self.time().map(str::to_owned);
        builder.datacontenttype = self.datacontenttype().map(str::to_owned);
        builder.dataschema = self.dataschema().map(str::to_owned);
        builder.extensions = self
            .extensions()
            .map(|(name, value)| {
                let (kind, text) = stored(value);
                (name.to_owned(), kind, text)
            })
            .collect();
        builder
    }
}

/// Collects the attributes of an event and checks them together.
#[derive(Clone, Debug, Default)]
pub struct EventBuilder {
    id: String,
    source: String,
    event_type: String,
    subject: Option<String>,
    time: Option<String>,
    datacontenttype: Option<String>,
    dataschema: Option<String>,
    extensions: Vec<(String, ValueKind, String)>,
    data: Data,
}

impl EventBuilder {
    fn new(id: &str, source: &str, event_type: &str) -> Self {
        Self { id: id.into(), source: source.into(), event_type: event_type.into(), ..Self::default() }
    }

    /// Sets `id`.
    #[must_use]
    pub fn id(mut self, value: &str) -> Self {
        self.id = value.into();
        self
    }

    /// Sets `source`.
    #[must_use]
    pub fn source(mut self, value: &str) -> Self {
        self.source = value.into();
        self
    }

    /// Sets `type`.
    #[must_use]
    pub fn event_type(mut self, value: &str) -> Self {
        self.event_type = value.into();
        self
    }

    /// Sets `subject`.
    #[must_use]
    pub fn subject(mut self, value: &str) -> Self {
        self.subject = Some(value.into());
        self
    }

    /// Sets `time` (RFC 3339).
    #[must_use]
    pub fn time(mut self, value: &str) -> Self {
        self.time = Some(value.into());
        self
    }

    /// Sets `datacontenttype` (RFC 2046).
    #[must_use]
    pub fn datacontenttype(mut self, value: &str) -> Self {
        self.datacontenttype = Some(value.into());
        self
    }

    /// Sets `dataschema` (absolute URI).
    #[must_use]
    pub fn dataschema(mut self, value: &str) -> Self {
        self.dataschema = Some(value.into());
        self
    }

    /// Sets an extension attribute; a name that is there already takes the new value.
    #[must_use]
    pub fn extension(mut self, name: &str, value: AttributeValue<'_>) -> Self {
        let (kind, text) = stored(value);
        match self.extensions.iter_mut().find(|(each, ..)| each == name) {
            Some(place) => (place.1, place.2) = (kind, text),
            None => self.extensions.push((name.into(), kind, text)),
        }
        self
    }

    /// Sets an extension attribute where there is a value, as text.
    #[must_use]
    pub fn extension_opt(self, name: &str, value: Option<&str>) -> Self {
        match value {
            Some(value) => self.extension(name, AttributeValue::String(value)),
            None => self,
        }
    }

    /// Tells whether an extension attribute was set.
    #[must_use]
    pub fn has_extension(&self, name: &str) -> bool {
        self.extensions.iter().any(|(each, ..)| each == name)
    }

    /// Sets the data.
    #[must_use]
    pub fn data(mut self, data: Data) -> Self {
        self.data = data;
        self
    }

    /// Checks every attribute against CloudEvents 1.0.2 and makes the event.
    ///
    /// # Errors
    /// The first attribute that breaks a rule, with the cure.
    pub fn build(self) -> Result<Event, AttributeError> {
        let fixed = [
            Some(self.id.as_str()),
            Some(self.source.as_str()),
            Some(self.event_type.as_str()),
            self.subject.as_deref(),
            self.time.as_deref(),
            self.datacontenttype.as_deref(),
            self.dataschema.as_deref(),
        ];
        let extensions = self.extensions.iter().map(|(name, kind, text)| (name.as_str(), value_of(*kind, text)));
        Event::assemble(fixed, extensions, self.data)
    }
}

fn stored(value: AttributeValue<'_>) -> (ValueKind, String) {
    let mut text = String::new();
    (push_text(&mut text, value), text)
}
