//! Extension attributes on their way from 0.1, where a name may be any text and a value any JSON, into attributes of
//! 1.0. Which of them 0.1 writes elsewhere is told with the writer.

use std::{borrow::Cow, fmt::Write};

use weir_domain::{AttributeError, AttributeValue, Limits};

use super::{LIFTED, SUBJECT, members};
use crate::{DecodeError, attributes, error::short, json::check};

/// What an extension attribute of 1.0 can hold.
pub(super) enum Value<'a> {
    Text(Cow<'a, str>),
    Integer(i32),
    Boolean(bool),
}

impl<'a> Value<'a> {
    /// Makes a value of JSON text; `None` where it is `null`.
    pub(super) fn of_json(label: &str, raw: &'a str) -> Result<Option<Self>, AttributeError> {
        Ok(Some(match raw {
            "null" => return Ok(None),
            "true" => Self::Boolean(true),
            "false" => Self::Boolean(false),
            _ if raw.starts_with('"') => Self::Text(members::string(label, raw)?),
            _ if raw.starts_with(['{', '[']) => {
                if check::deepest(raw) > check::DEPTH_MAX {
                    let problem = format!("is nested deeper than {} levels: flatten it", check::DEPTH_MAX);
                    return Err(AttributeError::new(label, problem));
                }
                Self::Text(Cow::Owned(compact(raw)))
            }
            _ => raw.parse().map_or(Self::Text(Cow::Borrowed(raw)), Self::Integer),
        }))
    }

    pub(super) fn attribute(&self) -> AttributeValue<'_> {
        match self {
            Self::Text(text) => AttributeValue::String(text),
            Self::Integer(number) => AttributeValue::Integer(*number),
            Self::Boolean(truth) => AttributeValue::Boolean(*truth),
        }
    }
}

/// The extension attributes of one event.
#[derive(Default)]
pub(super) struct Extensions<'a> {
    listed: Vec<(String, Value<'a>)>,
    /// What 1.0 has an attribute of its own for.
    subject: Option<Cow<'a, str>>,
}

impl<'a> Extensions<'a> {
    /// Adds one extension; `label` is what its sender calls it, for complaints.
    pub(super) fn push(
        &mut self,
        label: &str,
        name: &str,
        value: Value<'a>,
        limits: &Limits,
    ) -> Result<(), DecodeError> {
        let refused = |problem: String| -> Result<(), DecodeError> { Err(AttributeError::new(label, problem).into()) };
        let name = name_of(name);
        if name.is_empty() {
            return refused("has a name without any letter a-z or digit: give it one".to_owned());
        }
        if let Value::Text(text) = &value {
            attributes::check_length(label, text, limits)?;
        }
        let place = attributes::fixed_index(&name);
        if ["specversion", "data"].contains(&name.as_str()) || place.is_some_and(|place| place != SUBJECT) {
            return refused(format!("becomes {name:?}, which CloudEvents 1.0 defines itself: rename it"));
        }
        let is_subject = place == Some(SUBJECT);
        if self.listed.iter().any(|(each, _)| *each == name) || (is_subject && self.subject.is_some()) {
            let name = short(&name);
            return refused(format!("is the second that becomes {name:?} in CloudEvents 1.0: give it once"));
        }
        match value {
            Value::Text(text) if is_subject => self.subject = Some(text),
            _ if is_subject => return refused("must be a string, as it is in CloudEvents 1.0".to_owned()),
            value => self.listed.push((name, value)),
        }
        attributes::check_count(self.listed.len(), limits)
    }

    /// Returns the subject and the extensions in the order in which an event shall have them.
    pub(super) fn into_parts(mut self) -> (Option<Cow<'a, str>>, Vec<(String, Value<'a>)>) {
        // The sort is stable: all that is not named here stays in the order of the sender.
        self.listed.sort_by_key(|(name, _)| {
            LIFTED.iter().position(|(lifted, _)| *lifted == name.as_str()).unwrap_or(LIFTED.len())
        });
        (self.subject, self.listed)
    }
}

/// Returns what becomes of a name: its letters and digits in lower case, for 1.0 allows nothing else.
fn name_of(name: &str) -> String {
    name.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_lowercase()).collect()
}

/// Tells whether a text is what [`compact`] makes of an object or array, so that it can stand as JSON and come back.
pub(super) fn is_compact(text: &str) -> bool {
    text.starts_with(['{', '[']) && check::value(text).is_ok() && compact(text) == text
}

/// Takes white space from a text that is known to be JSON. Characters that no attribute may have are escaped: they
/// stand in strings, where an escape means the same.
fn compact(json: &str) -> String {
    let mut out = String::with_capacity(json.len());
    let (mut quoted, mut escaped) = (false, false);
    for c in json.chars() {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => quoted = !quoted,
            ' ' | '\t' | '\n' | '\r' if !quoted => continue,
            _ => {}
        }
        let code = u32::from(c);
        if c.is_control() || (0xfdd0..=0xfdef).contains(&code) || code & 0xfffe == 0xfffe {
            for unit in c.encode_utf16(&mut [0; 2]) {
                // Writing to a String cannot fail.
                let _ = write!(out, "\\u{unit:04x}");
            }
        } else {
            out.push(c);
        }
    }
    out
}
