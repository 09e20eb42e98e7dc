//! CloudEvents 0.3, the version before 1.0: the two attributes that it has and 1.0 has not. All else of an event that says
//! it is of 0.3 is read by the rules of 1.0, and it is kept as an event of 1.0.
//!
//! | 0.3 | 1.0.2 |
//! |---|---|
//! | `datacontentencoding`, which is `base64` | none: the data is the bytes themselves |
//! | `schemaurl`, an absolute URI | `dataschema` |
//! | `schemaurl`, another text | extension `schemaurl` |
//!
//! An extension of 0.3 may be a map, which no attribute of 1.0 can hold: such an event is refused.

use weir_domain::{AttributeError, AttributeValue, Data, Event};

use crate::attributes;

const ENCODING: &str = "datacontentencoding";
const SCHEMA_URL: &str = "schemaurl";

/// Tells whether the data of an event with these extensions stands there in Base64.
pub(crate) fn is_base64<'a>(
    mut extensions: impl Iterator<Item = (&'a str, AttributeValue<'a>)>,
) -> Result<bool, AttributeError> {
    match extensions.find(|(name, _)| *name == ENCODING) {
        None => Ok(false),
        Some((_, AttributeValue::String(encoding))) if encoding.eq_ignore_ascii_case("base64") => Ok(true),
        Some(_) => Err(AttributeError::new(ENCODING, "must be \"base64\": encode the data so, or leave it out")),
    }
}

/// Makes the event of 1.0.
pub(crate) fn assemble<'a>(
    mut fixed: [Option<&'a str>; attributes::FIXED.len()],
    extensions: impl Iterator<Item = (&'a str, AttributeValue<'a>)>,
    data: Data,
) -> Result<Event, AttributeError> {
    let schema = &mut fixed[attributes::DATA_SCHEMA];
    let mut kept = Vec::new();
    for (name, value) in extensions {
        match (name, value) {
            (ENCODING, _) => {}
            // As in 0.1: another text is no reason to refuse an event that was good for years.
            (SCHEMA_URL, AttributeValue::String(url))
                if schema.is_none() && attributes::fits(attributes::DATA_SCHEMA, url) =>
            {
                *schema = Some(url);
            }
            _ => kept.push((name, value)),
        }
    }
    Event::assemble(fixed, kept.iter().copied(), data)
}
