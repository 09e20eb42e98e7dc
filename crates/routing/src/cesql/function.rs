//! The functions that every engine has, and the three that cast.

use std::{borrow::Cow, mem, ops::Range};

use super::value::{ErrorKind, Failure, Given, Kind, Value};

/// The names as the guess at a misspelled one needs them.
pub(super) const NAMES: [&str; 13] = [
    "abs",
    "bool",
    "concat",
    "concat_ws",
    "int",
    "left",
    "length",
    "lower",
    "right",
    "string",
    "substring",
    "trim",
    "upper",
];

/// A function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Function {
    Abs,
    Bool,
    Concat,
    ConcatWs,
    Int,
    Left,
    Length,
    Lower,
    Right,
    String,
    Substring,
    Trim,
    Upper,
}

impl Function {
    /// Finds a function by its name; capital letters do not count.
    pub(super) fn named(name: &str) -> Option<Self> {
        Some(match &*name.to_ascii_uppercase() {
            "ABS" => Self::Abs,
            "BOOL" => Self::Bool,
            "CONCAT" => Self::Concat,
            "CONCAT_WS" => Self::ConcatWs,
            "INT" => Self::Int,
            "LEFT" => Self::Left,
            "LENGTH" => Self::Length,
            "LOWER" => Self::Lower,
            "RIGHT" => Self::Right,
            "STRING" => Self::String,
            "SUBSTRING" => Self::Substring,
            "TRIM" => Self::Trim,
            "UPPER" => Self::Upper,
            _ => return None,
        })
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Abs => "ABS",
            Self::Bool => "BOOL",
            Self::Concat => "CONCAT",
            Self::ConcatWs => "CONCAT_WS",
            Self::Int => "INT",
            Self::Left => "LEFT",
            Self::Length => "LENGTH",
            Self::Lower => "LOWER",
            Self::Right => "RIGHT",
            Self::String => "STRING",
            Self::Substring => "SUBSTRING",
            Self::Trim => "TRIM",
            Self::Upper => "UPPER",
        }
    }

    /// Tells whether it can be called with so many arguments.
    pub(super) fn takes(self, count: usize) -> bool {
        match self {
            Self::Concat => true,
            Self::ConcatWs => count >= 1,
            Self::Left | Self::Right => count == 2,
            Self::Substring => count == 2 || count == 3,
            Self::Abs
            | Self::Bool
            | Self::Int
            | Self::Length
            | Self::Lower
            | Self::String
            | Self::Trim
            | Self::Upper => count == 1,
        }
    }

    /// Returns how one calls it, for people.
    pub(super) fn usage(self) -> &'static str {
        match self {
            Self::Abs => "ABS(number)",
            Self::Bool => "BOOL(value)",
            Self::Concat => "CONCAT(text, …)",
            Self::ConcatWs => "CONCAT_WS(delimiter, text, …)",
            Self::Int => "INT(value)",
            Self::Left => "LEFT(text, count)",
            Self::Length => "LENGTH(text)",
            Self::Lower => "LOWER(text)",
            Self::Right => "RIGHT(text, count)",
            Self::String => "STRING(value)",
            Self::Substring => "SUBSTRING(text, position) or SUBSTRING(text, position, length)",
            Self::Trim => "TRIM(text)",
            Self::Upper => "UPPER(text)",
        }
    }

    /// Returns the type that it gives.
    pub(super) fn kind(self) -> Kind {
        match self {
            Self::Bool => Kind::Boolean,
            Self::Abs | Self::Int | Self::Length => Kind::Integer,
            Self::Concat
            | Self::ConcatWs
            | Self::Left
            | Self::Lower
            | Self::Right
            | Self::String
            | Self::Substring
            | Self::Trim
            | Self::Upper => Kind::Text,
        }
    }

    /// Calls it with as many arguments as it [takes](Self::takes), and leaves nothing of use in their places.
    pub(super) fn call<'v>(self, arguments: &mut [Value<'v>]) -> Given<'v> {
        let failed = |kind| self.kind().failed(kind);
        Ok(match (self, arguments) {
            (Self::Abs, [number]) => return absolute(number),
            (Self::Bool, [value]) => Value::Boolean(value.boolean().map_err(failed)?),
            (Self::Int, [value]) => Value::Integer(value.integer().map_err(failed)?),
            (Self::String, [value]) => Value::Text(taken(value)),
            (Self::Concat, texts) => Value::Text(joined("", texts)),
            (Self::ConcatWs, [delimiter, texts @ ..]) => Value::Text(joined(&taken(delimiter), texts)),
            (Self::Length, [text]) => {
                // An attribute is shorter than 4 GiB, and what is made of several has room for no more than memory has.
                Value::Integer(i32::try_from(text.text().chars().count()).unwrap_or(i32::MAX))
            }
            (Self::Lower, [text]) => Value::Text(taken(text).to_lowercase().into()),
            (Self::Upper, [text]) => Value::Text(taken(text).to_uppercase().into()),
            (Self::Trim, [text]) => Value::Text(trimmed(taken(text))),
            (Self::Left | Self::Right, [text, count]) => {
                let count = count.integer().map_err(failed)?;
                return end_of(self, taken(text), count);
            }
            (Self::Substring, [text, position]) => {
                let position = position.integer().map_err(failed)?;
                Value::Text(substring(taken(text), position, None).map_err(failed)?)
            }
            (Self::Substring, [text, position, length]) => {
                let (position, length) = (position.integer().map_err(failed)?, length.integer().map_err(failed)?);
                Value::Text(substring(taken(text), position, Some(length)).map_err(failed)?)
            }
            _ => return Err(failed(ErrorKind::MissingFunction)),
        })
    }
}

/// Takes an argument out of its place as text.
fn taken<'v>(argument: &mut Value<'v>) -> Cow<'v, str> {
    mem::replace(argument, Value::Boolean(false)).into_text()
}

fn absolute(number: &Value<'_>) -> Given<'static> {
    let number = number.integer().map_err(|kind| Kind::Integer.failed(kind))?;
    match number.checked_abs() {
        Some(positive) => Ok(Value::Integer(positive)),
        None => Err(Failure { kind: ErrorKind::Math, value: Value::Integer(i32::MAX) }),
    }
}

fn joined<'v>(delimiter: &str, texts: &mut [Value<'v>]) -> Cow<'v, str> {
    match texts {
        [] => Cow::Borrowed(""),
        [one] => taken(one),
        several => {
            let mut joined = several[0].text().into_owned();
            for text in &several[1..] {
                joined.push_str(delimiter);
                joined.push_str(&text.text());
            }
            Cow::Owned(joined)
        }
    }
}

fn trimmed(text: Cow<'_, str>) -> Cow<'_, str> {
    let start = text.len() - text.trim_start().len();
    let end = start + text[start..].trim_end().len();
    part(text, start..end)
}

/// Takes the first letters of a text, or the last ones.
fn end_of(function: Function, text: Cow<'_, str>, count: i32) -> Given<'_> {
    let Ok(count) = usize::try_from(count) else {
        return Err(Failure { kind: ErrorKind::FunctionEvaluation, value: Value::Text(text) });
    };
    let range = if function == Function::Left {
        0..place_of(&text, count)
    } else {
        // Not more letters than bytes: the place of the last one need not be looked for where there are too few.
        let start = (count > 0).then(|| text.char_indices().rev().nth(count - 1).map_or(0, |(place, _)| place));
        start.unwrap_or(text.len())..text.len()
    };
    Ok(Value::Text(part(text, range)))
}

fn substring(text: Cow<'_, str>, position: i32, length: Option<i32>) -> Result<Cow<'_, str>, ErrorKind> {
    let length = length.map(usize::try_from).transpose().map_err(|_| ErrorKind::FunctionEvaluation)?;
    let letters = text.chars().count();
    let distance = position.unsigned_abs() as usize;
    if distance > letters {
        return Err(ErrorKind::FunctionEvaluation);
    }
    let first = match position {
        0 => return Ok(Cow::Borrowed("")),
        1.. => distance - 1,
        _ => letters - distance,
    };
    let start = place_of(&text, first);
    let end = length.map_or(text.len(), |length| start + place_of(&text[start..], length));
    Ok(part(text, start..end))
}

/// Returns where in bytes the letter of this number begins, counted from 0, or the end where there are fewer.
fn place_of(text: &str, letter: usize) -> usize {
    text.char_indices().nth(letter).map_or(text.len(), |(place, _)| place)
}

fn part(text: Cow<'_, str>, range: Range<usize>) -> Cow<'_, str> {
    match text {
        Cow::Borrowed(text) => Cow::Borrowed(&text[range]),
        Cow::Owned(text) if range == (0..text.len()) => Cow::Owned(text),
        Cow::Owned(text) => Cow::Owned(text[range].to_owned()),
    }
}
