//! The attributes that a filter can name, and how they are found in an event.

use weir_domain::Event;

/// The most letters of a name, as for the attributes of events.
const NAME_BYTES_MAX: usize = 64;

/// A context attribute, by what it is found.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Attribute {
    Id,
    Source,
    SpecVersion,
    Type,
    Subject,
    Time,
    DataContentType,
    DataSchema,
    /// Any other name, as an event may have it.
    Extension(Box<str>),
}

impl Attribute {
    /// Reads a name. The problem of one that no attribute can have continues the sentence that begins with it.
    pub(crate) fn parse(name: &str) -> Result<Self, String> {
        if let Some(known) = Self::defined(name) {
            return Ok(known);
        }
        match name {
            "" => Err("has no name: name an attribute of events".into()),
            "data" | "data_base64" => {
                Err("is no attribute: a filter sees the attributes of an event, and not its data".into())
            }
            _ if name.len() > NAME_BYTES_MAX => {
                Err(format!("has a name longer than {NAME_BYTES_MAX} characters, which no attribute has: shorten it"))
            }
            _ if is_name(name) => Ok(Self::Extension(name.into())),
            _ => Err(wrong_letters(name)),
        }
    }

    /// Finds an attribute that CloudEvents itself defines.
    pub(crate) fn defined(name: &str) -> Option<Self> {
        match name {
            "id" => Some(Self::Id),
            "source" => Some(Self::Source),
            "specversion" => Some(Self::SpecVersion),
            "type" => Some(Self::Type),
            "subject" => Some(Self::Subject),
            "time" => Some(Self::Time),
            "datacontenttype" => Some(Self::DataContentType),
            "dataschema" => Some(Self::DataSchema),
            _ => None,
        }
    }

    pub(crate) fn name(&self) -> &str {
        match self {
            Self::Id => "id",
            Self::Source => "source",
            Self::SpecVersion => "specversion",
            Self::Type => "type",
            Self::Subject => "subject",
            Self::Time => "time",
            Self::DataContentType => "datacontenttype",
            Self::DataSchema => "dataschema",
            Self::Extension(name) => name,
        }
    }

    /// Returns the canonical text that an event has of it: of a number or a truth what a header would show.
    pub(crate) fn of<'e>(&self, event: &'e Event) -> Option<&'e str> {
        match self {
            Self::Id => Some(event.id()),
            Self::Source => Some(event.source()),
            // Every event is kept as one of 1.0, whatever it came as.
            Self::SpecVersion => Some("1.0"),
            Self::Type => Some(event.event_type()),
            Self::Subject => event.subject(),
            Self::Time => event.time(),
            Self::DataContentType => event.datacontenttype(),
            Self::DataSchema => event.dataschema(),
            Self::Extension(name) => event.extension_text(name),
        }
    }
}

fn is_name(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|letter| letter.is_ascii_lowercase() || letter.is_ascii_digit())
}

fn wrong_letters(name: &str) -> String {
    let lower = name.to_ascii_lowercase();
    if is_name(&lower) {
        format!("has a name that is not allowed: did you mean {lower:?}?")
    } else {
        "has a name that is not allowed: use lower-case letters a-z and digits only".into()
    }
}
