//! The event: one CloudEvents 1.0.2 event, immutable, cheap to clone, kept in one buffer.
//!
//! All attribute text lies in one string in a fixed order, and the event remembers only lengths. A stored event is
//! therefore read without copying or allocating for its attributes, and written with one copy.

mod builder;

use std::{fmt, sync::Arc};

use bytes::Bytes;
use bytestring::ByteString;

pub use builder::EventBuilder;

use crate::{AttributeError, AttributeValue, Data, Key, ValueKind, syntax};

/// Attributes with a fixed place, in the order in which their text is kept.
#[derive(Clone, Copy)]
#[repr(usize)]
enum Fixed {
    Id,
    Source,
    Type,
    Subject,
    Time,
    DataContentType,
    DataSchema,
}

const FIXED: usize = 7;
/// The first of them every event must have.
const REQUIRED: usize = 3;

type Rule = fn(&str, &str) -> Result<(), AttributeError>;

/// Name of each, and the rule it follows beside that of the String type.
const RULES: [(&str, Option<Rule>); FIXED] = [
    ("id", None),
    ("source", Some(syntax::check_uri_reference)),
    ("type", None),
    ("subject", None),
    ("time", Some(syntax::check_timestamp)),
    ("datacontenttype", Some(syntax::check_media_type)),
    ("dataschema", Some(syntax::check_uri)),
];

/// Lengths and kind of one extension attribute within the text of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ExtensionLayout {
    /// Bytes of the name.
    pub name_len: u8,
    /// Type of the value.
    pub kind: ValueKind,
    /// Bytes of the value's text.
    pub value_len: u32,
}

/// How the text of an event is divided: what a disk format must keep beside the text.
///
/// The text holds `id`, `source`, `type`, `subject`, `time`, `datacontenttype`, `dataschema` and then name and value
/// of each extension, with nothing between them. An absent optional attribute has length 0.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layout {
    /// Lengths of the seven attributes above.
    pub fixed: [u32; FIXED],
    /// The extensions in the order of the text.
    pub extensions: Arc<[ExtensionLayout]>,
}

/// One event (CloudEvents 1.0.2).
#[derive(Clone, PartialEq, Eq)]
pub struct Event {
    text: ByteString,
    layout: Layout,
    data: Data,
}

impl Event {
    /// Makes an event from borrowed attributes, after checking each of them against CloudEvents 1.0.2.
    ///
    /// This is the way of the codecs, which have the text at hand: nothing is allocated but the event itself.
    /// `fixed` holds `id`, `source`, `type`, `subject`, `time`, `datacontenttype` and `dataschema`, the order of
    /// [`Layout::fixed`].
    ///
    /// # Errors
    /// The first attribute that breaks a rule, with the cure.
    pub fn assemble<'a>(
        fixed: [Option<&str>; FIXED],
        extensions: impl ExactSizeIterator<Item = (&'a str, AttributeValue<'a>)> + Clone,
        data: Data,
    ) -> Result<Self, AttributeError> {
        let bytes: usize = fixed.iter().flatten().map(|value| value.len()).sum();
        let bytes = bytes + extensions.clone().map(|(name, value)| name.len() + text_len_max(value)).sum::<usize>();
        if u32::try_from(bytes).is_err() {
            return Err(AttributeError::new("", "is longer than 4 GiB: shorten it"));
        }
        let mut text = String::with_capacity(bytes);
        fixed.iter().flatten().for_each(|value| text.push_str(value));
        let layouts = extensions.clone().map(|(name, value)| {
            text.push_str(name);
            let start = text.len();
            let kind = push_text(&mut text, value);
            // All of the text is shorter than 4 GiB, and a name longer than 255 bytes is refused right below.
            ExtensionLayout { name_len: name.len() as u8, kind, value_len: (text.len() - start) as u32 }
        });
        let lengths = fixed.map(|value| value.map_or(0, str::len) as u32);
        let layout = Layout { fixed: lengths, extensions: layouts.collect() };
        check(fixed, extensions, is_printable_ascii(&text))?;
        Ok(Self { text: text.into(), layout, data })
    }

    /// Puts together an event that was taken apart by [`Event::parts`]; `None` where the layout does not fit the text.
    ///
    /// Values are not checked again: they were when the event was built.
    #[must_use]
    pub fn from_parts(text: ByteString, layout: Layout, data: Data) -> Option<Self> {
        let mut end = 0usize;
        let mut fits = |len: usize| {
            end += len;
            end <= text.len() && text.is_char_boundary(end)
        };
        let divided = layout.fixed.iter().all(|len| fits(*len as usize))
            && layout.extensions.iter().all(|e| fits(usize::from(e.name_len)) && fits(e.value_len as usize));
        (divided && end == text.len()).then_some(Self { text, layout, data })
    }

    /// Returns the three parts of which the event consists.
    #[must_use]
    pub fn parts(&self) -> (&ByteString, &Layout, &Data) {
        (&self.text, &self.layout, &self.data)
    }

    /// Returns the attributes that are no extensions, in the order in which [`Event::assemble`] takes them.
    #[must_use]
    pub fn fixed_values(&self) -> [Option<&str>; FIXED] {
        [
            Some(self.id()),
            Some(self.source()),
            Some(self.event_type()),
            self.subject(),
            self.time(),
            self.datacontenttype(),
            self.dataschema(),
        ]
    }

    /// Copies the event with `given` in the place of the extensions of these names.
    ///
    /// # Errors
    /// As [`Event::assemble`].
    pub fn with_extensions<'a>(
        &'a self,
        names: &[&str],
        given: impl IntoIterator<Item = (&'a str, AttributeValue<'a>)>,
    ) -> Result<Self, AttributeError> {
        let own = self.extensions().filter(|(name, _)| !names.contains(name));
        let extensions: Vec<_> = own.chain(given).collect();
        Self::assemble(self.fixed_values(), extensions.iter().copied(), self.data.clone())
    }

    /// Returns the event in memory of its own. One that came out of a log or a request may be a slice of a larger buffer, and
    /// keeps all of it: this is for who keeps the event for long and not what stood beside it.
    #[must_use]
    pub fn compact(&self) -> Self {
        let data = match &self.data {
            Data::None => Data::None,
            Data::Json(text) => Data::Json((&**text).into()),
            Data::Text(text) => Data::Text((&**text).into()),
            Data::Binary(bytes) => Data::Binary(Bytes::copy_from_slice(bytes)),
        };
        Self { text: (&*self.text).into(), layout: self.layout.clone(), data }
    }

    fn fixed(&self, which: Fixed) -> &str {
        let index = which as usize;
        let start: u32 = self.layout.fixed[..index].iter().sum();
        let end = start + self.layout.fixed[index];
        &self.text[start as usize..end as usize]
    }

    fn optional(&self, which: Fixed) -> Option<&str> {
        Some(self.fixed(which)).filter(|text| !text.is_empty())
    }

    /// Returns the attribute `id`.
    #[must_use]
    pub fn id(&self) -> &str {
        self.fixed(Fixed::Id)
    }

    /// Returns the attribute `source`.
    #[must_use]
    pub fn source(&self) -> &str {
        self.fixed(Fixed::Source)
    }

    /// Returns the attribute `type`.
    #[must_use]
    pub fn event_type(&self) -> &str {
        self.fixed(Fixed::Type)
    }

    /// Returns the attribute `subject`.
    #[must_use]
    pub fn subject(&self) -> Option<&str> {
        self.optional(Fixed::Subject)
    }

    /// Returns the attribute `time` as its producer wrote it (RFC 3339).
    #[must_use]
    pub fn time(&self) -> Option<&str> {
        self.optional(Fixed::Time)
    }

    /// Returns the attribute `datacontenttype`.
    #[must_use]
    pub fn datacontenttype(&self) -> Option<&str> {
        self.optional(Fixed::DataContentType)
    }

    /// Returns the attribute `dataschema`.
    #[must_use]
    pub fn dataschema(&self) -> Option<&str> {
        self.optional(Fixed::DataSchema)
    }

    /// Returns the data.
    #[must_use]
    pub fn data(&self) -> &Data {
        &self.data
    }

    /// Returns the extension attributes in the order in which they were given.
    pub fn extensions(&self) -> impl Iterator<Item = (&str, AttributeValue<'_>)> {
        let mut at = self.layout.fixed.iter().sum::<u32>() as usize;
        self.layout.extensions.iter().map(move |layout| {
            let name = &self.text[at..at + usize::from(layout.name_len)];
            at += name.len();
            let text = &self.text[at..at + layout.value_len as usize];
            at += text.len();
            (name, value_of(layout.kind, text))
        })
    }

    /// Returns one extension attribute.
    #[must_use]
    pub fn extension(&self, name: &str) -> Option<AttributeValue<'_>> {
        self.extensions().find_map(|(each, value)| (each == name).then_some(value))
    }

    /// Returns one extension attribute where it is text.
    #[must_use]
    pub fn extension_str(&self, name: &str) -> Option<&str> {
        match self.extension(name) {
            Some(AttributeValue::String(text)) => Some(text),
            _ => None,
        }
    }

    /// Returns the text of one extension attribute, whatever its type: what HTTP headers would show of it.
    #[must_use]
    pub fn extension_text(&self, name: &str) -> Option<&str> {
        let mut at = self.layout.fixed.iter().sum::<u32>() as usize;
        self.layout.extensions.iter().find_map(|layout| {
            let value_at = at + usize::from(layout.name_len);
            let (own, value) = (&self.text[at..value_at], &self.text[value_at..value_at + layout.value_len as usize]);
            at = value_at + value.len();
            (own == name).then_some(value)
        })
    }

    /// Returns what the key is made of where the event type declares none: `partitionkey`, else `subject`. The same in
    /// every mode: a number that came as JSON gives the key that its header would give.
    #[must_use]
    pub fn default_key_text(&self) -> Option<&str> {
        self.extension_text("partitionkey").filter(|text| !text.is_empty()).or_else(|| self.subject())
    }

    /// Returns the key of [`Self::default_key_text`].
    #[must_use]
    pub fn default_key(&self) -> Option<Key> {
        self.default_key_text().and_then(Key::new)
    }

    /// Returns the bytes of attributes and data together, which limits are about.
    #[must_use]
    pub fn size(&self) -> usize {
        self.text.len() + self.data.len()
    }
}

impl fmt::Debug for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut out = f.debug_struct("Event");
        out.field("id", &self.id()).field("source", &self.source()).field("type", &self.event_type());
        for (name, value) in [("subject", self.subject()), ("time", self.time())] {
            if let Some(value) = value {
                out.field(name, &value);
            }
        }
        for (name, value) in self.extensions() {
            out.field(name, &value);
        }
        out.field("data", &self.data).finish()
    }
}

fn value_of(kind: ValueKind, text: &str) -> AttributeValue<'_> {
    match kind {
        ValueKind::String => AttributeValue::String(text),
        ValueKind::Boolean => AttributeValue::Boolean(text == "true"),
        // A stored number that does not parse cannot be built; as text it is at least not lost.
        ValueKind::Integer => text.parse().map_or(AttributeValue::String(text), AttributeValue::Integer),
    }
}

/// The most bytes that [`push_text`] adds; a number of 32 bits has up to ten digits and a sign.
fn text_len_max(value: AttributeValue<'_>) -> usize {
    if let AttributeValue::String(text) = value { text.len() } else { 11 }
}

fn push_text(out: &mut String, value: AttributeValue<'_>) -> ValueKind {
    match value {
        AttributeValue::String(text) => {
            out.push_str(text);
            ValueKind::String
        }
        AttributeValue::Boolean(truth) => {
            out.push_str(if truth { "true" } else { "false" });
            ValueKind::Boolean
        }
        AttributeValue::Integer(number) => {
            // Writing to a String cannot fail.
            let _ = fmt::Write::write_fmt(out, format_args!("{number}"));
            ValueKind::Integer
        }
    }
}

/// One pass without branches over the joined text, which settles the rule of the String type for nearly every event.
fn is_printable_ascii(text: &str) -> bool {
    text.bytes().fold(true, |printable, byte| printable & (0x20..0x7f).contains(&byte))
}

/// Checks all attributes; `printable` says that no value can break the rule of the String type.
fn check<'a>(
    fixed: [Option<&str>; FIXED],
    extensions: impl Iterator<Item = (&'a str, AttributeValue<'a>)> + Clone,
    printable: bool,
) -> Result<(), AttributeError> {
    for (index, ((name, rule), value)) in RULES.into_iter().zip(fixed).enumerate() {
        let value = match value.unwrap_or_default() {
            "" if index < REQUIRED => return Err(AttributeError::new(name, "is required and must not be empty")),
            "" if value.is_none() => continue,
            "" => return Err(AttributeError::new(name, "must not be empty: give a value or leave it out")),
            value => value,
        };
        if !printable {
            syntax::check_string(name, value)?;
        }
        if let Some(rule) = rule {
            rule(name, value)?;
        }
    }
    for (index, (name, value)) in extensions.clone().enumerate() {
        syntax::check_extension_name(name)?;
        match value {
            AttributeValue::String(text) if !printable => syntax::check_string(name, text)?,
            _ => {}
        }
        syntax::check_extension_value(name, value, extensions.clone())?;
        if extensions.clone().take(index).any(|(earlier, _)| earlier == name) {
            return Err(AttributeError::new(name, "is given twice: give it once"));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
