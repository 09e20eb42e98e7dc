//! TOML documents as people write them: values with their lines, and every fault of a document in one report.
//!
//! Deserialization would stop at the first fault; here a table is asked for its keys one by one, remembers what is
//! wrong with each, and at the end finds the keys that nobody asked for. What the keys mean is not known here.

use std::{cell::RefCell, collections::BTreeMap, ops::RangeInclusive};

use serde_json::Value;
use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

use crate::report::{Fault, did_you_mean};

/// A TOML document and the faults that were found in it.
pub(crate) struct Document<'t> {
    name: String,
    text: &'t str,
    root: DeTable<'t>,
    faults: RefCell<Vec<(usize, String)>>,
}

/// A value and the byte of the document where it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Placed<T> {
    /// The value.
    pub(crate) value: T,
    /// Where it begins.
    pub(crate) at: usize,
}

/// A table of a document.
pub(crate) struct Table<'d> {
    document: &'d Document<'d>,
    entries: &'d DeTable<'d>,
    title: String,
    at: usize,
    asked: Vec<&'static str>,
}

impl<'t> Document<'t> {
    /// Reads a document; mistakes in its syntax are faults, and what could be read is there all the same.
    pub(crate) fn parse(name: impl Into<String>, text: &'t str) -> Self {
        let (root, errors) = DeTable::parse_recoverable(text);
        let document = Self { name: name.into(), text, root: root.into_inner(), faults: RefCell::default() };
        for error in errors {
            let at = error.span().map_or(0, |span| span.start);
            document.fault(at, format!("this is not TOML: {}", error.message()));
        }
        document
    }

    /// Tells whether no fault was found until now.
    pub(crate) fn is_sound(&self) -> bool {
        self.faults.borrow().is_empty()
    }

    /// Adds a fault at a byte of the document.
    pub(crate) fn fault(&self, at: usize, message: impl Into<String>) {
        self.faults.borrow_mut().push((at, message.into()));
    }

    /// Returns the name of the document with the line of a byte.
    pub(crate) fn place(&self, at: usize) -> String {
        format!("{}:{}", self.name, self.line(at))
    }

    /// Returns the line of a byte, counted from 1.
    pub(crate) fn line(&self, at: usize) -> usize {
        let before = &self.text.as_bytes()[..at.min(self.text.len())];
        1 + before.iter().filter(|byte| **byte == b'\n').count()
    }

    /// Returns what stands outside of all tables, and the tables.
    pub(crate) fn entries(&self) -> &DeTable<'t> {
        &self.root
    }

    /// Returns the whole document as a table, which is called `title` in messages.
    pub(crate) fn root(&self, title: &str) -> Table<'_> {
        Table { document: self, entries: &self.root, title: title.into(), at: 0, asked: Vec::new() }
    }

    /// Returns the faults in the order of the document.
    pub(crate) fn into_faults(self) -> Vec<Fault> {
        let mut faults = self.faults.take();
        faults.sort_by_key(|(at, _)| *at);
        faults.into_iter().map(|(at, message)| Fault::new(self.place(at), message)).collect()
    }
}

impl<'d> Table<'d> {
    /// Returns where the table begins.
    pub(crate) fn at(&self) -> usize {
        self.at
    }

    /// Changes what the table is called in messages.
    pub(crate) fn entitle(&mut self, title: impl Into<String>) {
        self.title = title.into();
    }

    /// Adds a fault of the table as a whole.
    pub(crate) fn fault(&self, message: impl AsRef<str>) {
        self.fault_at(self.at, message);
    }

    /// Adds a fault of something in the table.
    pub(crate) fn fault_at(&self, at: usize, message: impl AsRef<str>) {
        self.document.fault(at, format!("{}: {}", self.title, message.as_ref()));
    }

    /// Tells whether the table has a key.
    pub(crate) fn has(&self, key: &str) -> bool {
        self.entries.contains_key(key)
    }

    /// Tells whether a key holds a text.
    pub(crate) fn is_text(&self, key: &str) -> bool {
        self.entries.get(key).is_some_and(|value| matches!(value.get_ref(), DeValue::String(_)))
    }

    /// Counts a key as asked for, where something else was said about it.
    pub(crate) fn pass_over(&mut self, key: &'static str) {
        self.asked.push(key);
    }

    fn entry(&mut self, key: &'static str) -> Option<&'d Spanned<DeValue<'d>>> {
        self.asked.push(key);
        self.entries.get(key)
    }

    /// Returns a text.
    pub(crate) fn text(&mut self, key: &'static str) -> Option<Placed<String>> {
        let value = self.entry(key)?;
        match value.get_ref() {
            DeValue::String(text) => Some(Placed { value: text.to_string(), at: value.span().start }),
            _ => self.wrong_type(key, value, "a text in quotes"),
        }
    }

    /// Returns a text that must be there.
    pub(crate) fn required_text(&mut self, key: &'static str, cure: &str) -> Option<Placed<String>> {
        if !self.has(key) {
            self.pass_over(key);
            self.fault(format!("{key:?} is missing: {cure}"));
            return None;
        }
        self.text(key)
    }

    /// Returns one of a few words.
    pub(crate) fn word(&mut self, key: &'static str, words: &[&str]) -> Option<Placed<String>> {
        let given = self.text(key)?;
        if words.contains(&given.value.as_str()) {
            return Some(given);
        }
        self.fault_at(given.at, format!("{key:?} cannot be {:?}: {}", given.value, did_you_mean(&given.value, words)));
        None
    }

    /// Returns a whole number within bounds.
    pub(crate) fn number(&mut self, key: &'static str, bounds: RangeInclusive<u64>) -> Option<Placed<u64>> {
        let value = self.entry(key)?;
        let DeValue::Integer(digits) = value.get_ref() else {
            return self.wrong_type(key, value, "a whole number without quotes");
        };
        let at = value.span().start;
        match u64::from_str_radix(digits.as_str(), digits.radix()) {
            Ok(number) if bounds.contains(&number) => Some(Placed { value: number, at }),
            _ => {
                let (least, most) = (bounds.start(), bounds.end());
                self.fault_at(at, format!("{key:?} must be from {least} to {most}, but is {digits}"));
                None
            }
        }
    }

    /// Returns a number within bounds, with decimals or without.
    pub(crate) fn decimal(&mut self, key: &'static str, bounds: RangeInclusive<f64>) -> Option<Placed<f64>> {
        let value = self.entry(key)?;
        let digits = match value.get_ref() {
            DeValue::Integer(digits) if digits.radix() == 10 => digits.as_str(),
            DeValue::Float(digits) => digits.as_str(),
            _ => return self.wrong_type(key, value, "a number without quotes"),
        };
        let at = value.span().start;
        match digits.parse::<f64>() {
            Ok(number) if bounds.contains(&number) => Some(Placed { value: number, at }),
            _ => {
                let (least, most) = (bounds.start(), bounds.end());
                self.fault_at(at, format!("{key:?} must be from {least} to {most}, but is {digits}"));
                None
            }
        }
    }

    /// Returns any value as JSON, for readers of that. Times are texts there.
    pub(crate) fn json(&mut self, key: &'static str) -> Option<Value> {
        self.entry(key).map(|value| as_json(value.get_ref()))
    }

    /// Returns where the value of a key stands, or what a JSON pointer (RFC 6901) names within it: as near to that as there
    /// is anything.
    pub(crate) fn place_of(&self, key: &str, pointer: &str) -> usize {
        let Some(mut value) = self.entries.get(key) else { return self.at };
        for step in pointer.split('/').skip(1) {
            let step = step.replace("~1", "/").replace("~0", "~");
            let inner = match value.get_ref() {
                DeValue::Table(entries) => entries.get(step.as_str()),
                DeValue::Array(items) => step.parse().ok().and_then(|index: usize| items.get(index)),
                _ => None,
            };
            match inner {
                Some(inner) => value = inner,
                None => break,
            }
        }
        value.span().start
    }

    /// Returns a table of texts; empty where there is none.
    pub(crate) fn texts(&mut self, key: &'static str) -> BTreeMap<String, String> {
        let Some(value) = self.entry(key) else { return BTreeMap::new() };
        let DeValue::Table(entries) = value.get_ref() else {
            self.wrong_type::<()>(key, value, "a table of texts such as { name = \"value\" }");
            return BTreeMap::new();
        };
        let mut texts = BTreeMap::new();
        for (name, value) in entries {
            match value.get_ref() {
                DeValue::String(text) => {
                    texts.insert(name.get_ref().to_string(), text.to_string());
                }
                other => {
                    let message = format!(
                        "{key:?} can hold texts only, but {:?} is {}: put it in quotes",
                        name.get_ref(),
                        with_article(other.type_str())
                    );
                    self.fault_at(value.span().start, message);
                }
            }
        }
        texts
    }

    /// Returns a list of texts.
    pub(crate) fn list(&mut self, key: &'static str) -> Option<Vec<String>> {
        const WANTED: &str = "a list of texts such as [\"one\", \"two\"]";
        let value = self.entry(key)?;
        let DeValue::Array(items) = value.get_ref() else { return self.wrong_type(key, value, WANTED) };
        let text = |item: &'d Spanned<DeValue<'d>>| match item.get_ref() {
            DeValue::String(text) => Some(text.to_string()),
            _ => self.wrong_type(key, item, WANTED),
        };
        items.iter().map(text).collect()
    }

    /// Returns a truth value.
    pub(crate) fn truth(&mut self, key: &'static str) -> Option<bool> {
        let value = self.entry(key)?;
        match value.get_ref() {
            DeValue::Boolean(truth) => Some(*truth),
            _ => self.wrong_type(key, value, "true or false"),
        }
    }

    /// Returns a table within this one.
    pub(crate) fn table(&mut self, key: &'static str) -> Option<Table<'d>> {
        let value = self.entry(key)?;
        match value.get_ref() {
            DeValue::Table(entries) => {
                let title = format!("{} {key:?}", self.title);
                Some(Table { document: self.document, entries, title, at: value.span().start, asked: Vec::new() })
            }
            _ => self.wrong_type(key, value, "a table"),
        }
    }

    /// Returns the tables of an array of tables.
    pub(crate) fn tables(&mut self, key: &'static str) -> Vec<Table<'d>> {
        let Some(value) = self.entry(key) else { return Vec::new() };
        let expected = format!("written as [[{key}]], with two brackets, once for each");
        let DeValue::Array(elements) = value.get_ref() else {
            self.wrong_type::<()>(key, value, &expected);
            return Vec::new();
        };
        let mut tables = Vec::with_capacity(elements.len());
        for element in elements {
            match element.get_ref() {
                DeValue::Table(entries) => tables.push(Table {
                    document: self.document,
                    entries,
                    title: format!("[[{key}]]"),
                    at: element.span().start,
                    asked: Vec::new(),
                }),
                _ => {
                    self.wrong_type::<()>(key, element, &expected);
                }
            }
        }
        tables
    }

    /// Finds the keys that nobody asked for.
    pub(crate) fn finish(self) {
        for key in self.entries.keys() {
            let name: &str = key.get_ref();
            if !self.asked.contains(&name) {
                self.fault_at(
                    key.span().start,
                    format!("there is no key {name:?}: {}", did_you_mean(name, &self.asked)),
                );
            }
        }
    }

    /// Always `None`: what stands in the place of the value.
    fn wrong_type<T>(&self, key: &str, value: &Spanned<DeValue<'_>>, expected: &str) -> Option<T> {
        let found = with_article(value.get_ref().type_str());
        self.fault_at(value.span().start, format!("{key:?} must be {expected}, but is {found}"));
        None
    }
}

fn as_json(value: &DeValue<'_>) -> Value {
    match value {
        DeValue::String(text) => Value::from(&**text),
        DeValue::Integer(digits) => match i64::from_str_radix(digits.as_str(), digits.radix()) {
            Ok(number) => Value::from(number),
            Err(_) => Value::from(digits.to_string()),
        },
        DeValue::Float(digits) => digits.as_str().parse::<f64>().map_or(Value::Null, Value::from),
        DeValue::Boolean(truth) => Value::from(*truth),
        DeValue::Datetime(time) => Value::from(time.to_string()),
        DeValue::Array(items) => items.iter().map(|item| as_json(item.get_ref())).collect(),
        DeValue::Table(entries) => {
            entries.iter().map(|(name, value)| (name.get_ref().to_string(), as_json(value.get_ref()))).collect()
        }
    }
}

/// Returns the name of a TOML type with its article.
pub(crate) fn with_article(type_name: &str) -> String {
    let article = if type_name.starts_with(['a', 'i']) { "an" } else { "a" };
    format!("{article} {type_name}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Vec<String> {
        let document = Document::parse("x.toml", text);
        if document.is_sound() {
            let mut root = document.root("the document");
            root.required_text("name", "give it one");
            root.number("count", 1..=10);
            root.word("colour", &["red", "green"]);
            root.texts("labels");
            for mut item in root.tables("item") {
                item.text("id");
                if let Some(mut inner) = item.table("inner") {
                    inner.text("deep");
                    inner.finish();
                }
                item.finish();
            }
            root.finish();
        }
        document.into_faults().iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_document_without_faults() {
        let text =
            "name = 'a'\ncount = 0x0a\ncolour = \"red\"\nlabels = { a = 'b' }\n[[item]]\nid = '1'\ninner.deep = 'x'\n";
        assert_eq!(read(text), Vec::<String>::new());
    }

    #[test]
    fn every_fault_is_told_with_its_line() {
        let text = "nam = 'a'\ncount = 11\ncolour = 'gren'\n\n[labels]\na = 1\n\n[[item]]\nid = 7\ninner = 1\n\
                    [[item]]\n[item.inner]\ndep = 'x'\n";
        let expected = [
            "x.toml:1: the document: \"name\" is missing: give it one",
            "x.toml:1: the document: there is no key \"nam\": did you mean \"name\"?",
            "x.toml:2: the document: \"count\" must be from 1 to 10, but is 11",
            "x.toml:3: the document: \"colour\" cannot be \"gren\": did you mean \"green\"?",
            "x.toml:6: the document: \"labels\" can hold texts only, but \"a\" is an integer: put it in quotes",
            "x.toml:9: [[item]]: \"id\" must be a text in quotes, but is an integer",
            "x.toml:10: [[item]]: \"inner\" must be a table, but is an integer",
            "x.toml:13: [[item]] \"inner\": there is no key \"dep\": did you mean \"deep\"?",
        ];
        assert_eq!(read(text), expected);
        let single = read("name = 'a'\n[item]\nid = '1'\n");
        let expected = "x.toml:2: the document: \"item\" must be written as [[item]], with two brackets, once for each, \
                        but is a table";
        assert_eq!(single, [expected]);
    }

    #[test]
    fn any_value_is_json_and_has_a_place() {
        let text = "value = [\n{ 'a/b' = [1,\n-2.5], t = true },\n2026-01-31T12:00:00Z]\nfactor = 11\nother = 'x'\n";
        let document = Document::parse("x.toml", text);
        let mut root = document.root("the document");
        let expected = serde_json::json!([{ "a/b": [1, -2.5], "t": true }, "2026-01-31T12:00:00Z"]);
        assert_eq!(root.json("value"), Some(expected));
        let line = |pointer: &str| document.line(root.place_of("value", pointer));
        let lines = ["", "/0", "/0/a~1b/1", "/0/none/7", "/1"].map(line);
        assert_eq!(lines, [1, 2, 3, 2, 4]);
        assert_eq!(document.line(root.place_of("none", "/0")), 1);
        assert!(root.is_text("other") && !root.is_text("value"));
        assert_eq!(root.decimal("factor", 1.0..=10.0), None);
        assert_eq!(root.decimal("factor", 1.0..=11.5).map(|it| it.value), Some(11.0));
        root.finish();
        let faults: Vec<_> = document.into_faults().iter().map(ToString::to_string).collect();
        let expected = [
            "x.toml:5: the document: \"factor\" must be from 1 to 10, but is 11",
            "x.toml:6: the document: there is no key \"other\": choose one of value, factor, factor",
        ];
        assert_eq!(faults, expected);
    }

    #[test]
    fn broken_syntax_has_a_line_too() {
        let faults = read("name = 'a'\n[broken\nx = = 1\n");
        assert!(!faults.is_empty() && faults[0].starts_with("x.toml:2: this is not TOML: "), "{faults:?}");
        let faults = read("name = 'a'\nname = 'b'\n");
        assert!(faults[0].starts_with("x.toml:2: this is not TOML: duplicate key"), "{faults:?}");
    }
}
