//! What all modes share about context attributes: names with a fixed place, and bounds. Syntax is checked by the event.

use std::iter;

use weir_domain::{Data, Event, Limits};

use crate::{DecodeError, error::short};

/// Attributes with a fixed place, in the order of [`Event::assemble`].
pub(crate) const FIXED: [&str; 7] = ["id", "source", "type", "subject", "time", "datacontenttype", "dataschema"];

/// Place of `datacontenttype` among [`FIXED`].
pub(crate) const DATA_CONTENT_TYPE: usize = 5;

/// Place of `dataschema` among [`FIXED`].
pub(crate) const DATA_SCHEMA: usize = 6;

/// Tells whether an attribute with a fixed place may have a value. Only events judge syntax: one is tried.
pub(crate) fn fits(place: usize, value: &str) -> bool {
    let mut fixed = [Some("-"), Some("-"), Some("-"), None, None, None, None];
    fixed[place] = Some(value);
    Event::assemble(fixed, iter::empty(), Data::None).is_ok()
}

/// Returns the place of a name among [`FIXED`].
pub(crate) fn fixed_index(name: &str) -> Option<usize> {
    FIXED.iter().position(|each| *each == name)
}

/// Checks the length of one value.
pub(crate) fn check_length(name: &str, value: &str, limits: &Limits) -> Result<(), DecodeError> {
    if value.len() > limits.attribute_bytes_max {
        let what = format!("length of attribute {:?} in bytes", short(name));
        return Err(DecodeError::too_large(what, value.len(), limits.attribute_bytes_max));
    }
    Ok(())
}

/// Checks how many extension attributes came.
pub(crate) fn check_count(extensions: usize, limits: &Limits) -> Result<(), DecodeError> {
    if extensions > limits.extensions_max {
        return Err(DecodeError::too_large("number of extension attributes", extensions, limits.extensions_max));
    }
    Ok(())
}

/// Checks the size of attributes and data together.
pub(crate) fn check_size(event: &Event, limits: &Limits) -> Result<(), DecodeError> {
    if event.size() > limits.event_bytes_max {
        return Err(DecodeError::too_large("size of the event in bytes", event.size(), limits.event_bytes_max));
    }
    Ok(())
}
