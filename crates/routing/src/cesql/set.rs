//! The set of an IN whose elements are known, cast to each type that the value before it can have.

use std::fmt;

use super::value::{ErrorKind, Value};

/// Elements that are known. Where one cannot be cast to a type, a value of that type cannot be asked for.
#[derive(Debug)]
pub(super) struct Set {
    /// Whether true is among them, and whether false is.
    booleans: Result<(bool, bool), ErrorKind>,
    /// Sorted.
    integers: Result<Box<[i32]>, ErrorKind>,
    /// Sorted; each can be cast to it.
    texts: Box<[Box<str>]>,
    /// As they were written.
    elements: Box<[Value<'static>]>,
}

impl Set {
    pub(super) fn new(elements: Vec<Value<'static>>) -> Self {
        let booleans: Result<Vec<bool>, _> = elements.iter().map(Value::boolean).collect();
        let integers: Result<Vec<i32>, _> = elements.iter().map(Value::integer).collect();
        let mut texts: Box<[Box<str>]> = elements.iter().map(|element| element.text().into()).collect();
        texts.sort_unstable();
        Self {
            booleans: booleans.map(|booleans| (booleans.contains(&true), booleans.contains(&false))),
            integers: integers.map(|mut integers| {
                integers.sort_unstable();
                integers.into()
            }),
            texts,
            elements: elements.into(),
        }
    }

    /// Tells whether one of them, cast to the type of a value, equals it.
    pub(super) fn contains(&self, value: &Value<'_>) -> Result<bool, ErrorKind> {
        match value {
            Value::Boolean(true) => self.booleans.map(|(has_true, _)| has_true),
            Value::Boolean(false) => self.booleans.map(|(_, has_false)| has_false),
            Value::Integer(number) => match &self.integers {
                Ok(integers) => Ok(integers.binary_search(number).is_ok()),
                Err(kind) => Err(*kind),
            },
            Value::Text(text) => Ok(self.texts.binary_search_by(|element| (**element).cmp(text)).is_ok()),
        }
    }
}

impl fmt::Display for Set {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, element) in self.elements.iter().enumerate() {
            let before = if index == 0 { "(" } else { ", " };
            write!(f, "{before}{element}")?;
        }
        f.write_str(")")
    }
}
