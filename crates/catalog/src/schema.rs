//! The JSON Schema of an event type: which ones there may be, and what is wrong with the data of an event.
//!
//! The dialects are 2020-12, which is meant where `$schema` is missing, and draft-07. A schema is one document: nothing
//! is fetched from anywhere. It is compiled once, whoever asks first, and what was compiled is shared by all catalogs
//! that have the schema. Patterns are matched in linear time, so look-around and back-references are refused; [`shape`]
//! refuses what would take more stack or steps than an event is worth.
//!
//! `format` is what its dialect makes of it: checked in draft-07, a mere note in 2020-12.

mod shape;
mod violation;

use std::{
    error::Error,
    fmt,
    sync::{Arc, OnceLock},
};

use jsonschema::{Draft, PatternOptions, Retrieve, Uri, ValidationError, Validator};
use serde_json::Value;
use weir_domain::{Data, Event};

use crate::{key_rule::is_json, limits};
use shape::{Listing, Shape, nesting};
use violation::cut;

pub use violation::{Violation, Violations};

/// A schema of an event type, cheap to clone. Equal where the documents are.
#[derive(Clone)]
pub struct Schema(Arc<Inner>);

struct Inner {
    document: Value,
    compiled: OnceLock<Result<Compiled, SchemaError>>,
}

struct Compiled {
    validator: Validator,
    shape: Shape,
}

/// Why a schema cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}: {message}", place(.pointer))]
pub struct SchemaError {
    pointer: String,
    message: String,
}

fn place(pointer: &str) -> String {
    if pointer.is_empty() { "as a whole".to_owned() } else { format!("at {pointer}") }
}

impl SchemaError {
    fn new(pointer: impl AsRef<str>, message: impl fmt::Display) -> Self {
        Self {
            pointer: cut(pointer.as_ref(), limits::POINTER_BYTES_MAX),
            message: cut(message, limits::VIOLATION_BYTES_MAX),
        }
    }

    /// Returns where in the schema the fault is, as a JSON pointer (RFC 6901).
    #[must_use]
    pub fn pointer(&self) -> &str {
        &self.pointer
    }
}

/// Why the data of an event are not taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DataFault {
    /// They break the schema.
    Broken(Violations),
    /// The schema was stored by another version of Weir and cannot be used by this one: nothing can be said about data.
    Unusable(SchemaError),
}

impl Schema {
    /// Takes a document; whether it can be used is told by [`problem`](Self::problem).
    #[must_use]
    pub fn new(document: Value) -> Self {
        Self(Arc::new(Inner { document, compiled: OnceLock::new() }))
    }

    /// Returns the document.
    #[must_use]
    pub fn document(&self) -> &Value {
        &self.0.document
    }

    /// Returns why the schema cannot be used; compiles it where nobody did.
    #[must_use]
    pub fn problem(&self) -> Option<&SchemaError> {
        self.compiled().err()
    }

    /// Returns what to do before the schema can be declared: it is too large, or cannot be used.
    #[must_use]
    pub fn cure(&self) -> Option<String> {
        self.fault().map(|(_, cure)| cure)
    }

    /// Returns the rule that the schema breaks, and the cure. One that is too large is not compiled.
    pub(crate) fn fault(&self) -> Option<(&'static str, String)> {
        let (bytes, depth) = (self.document().to_string().len(), nesting(self.document()));
        let (bytes_max, depth_max) = (limits::SCHEMA_BYTES_MAX, limits::SCHEMA_NESTING_MAX);
        if bytes > bytes_max || depth > depth_max {
            let size = format!("{bytes_max} bytes and {depth_max} levels, it has {bytes} and {depth}");
            return Some(("max", format!("keep the schema within {size}")));
        }
        self.problem().map(|problem| ("schema", format!("correct the schema {problem}")))
    }

    /// Checks the data of an event. One without data is checked as if its data were `null`.
    pub(crate) fn check(&self, event: &Event) -> Result<(), DataFault> {
        let compiled = self.compiled().map_err(|problem| DataFault::Unusable(problem.clone()))?;
        if let Some(schemas) = compiled.shape.excess(event.data().len()) {
            let message = format!(
                "the data have {} bytes, and up to {schemas} schemas apply to each value in them: together that is more \
                 work than one event may make, send less data",
                event.data().len()
            );
            return Err(DataFault::Broken(Violations::one(Violation::of_all(message))));
        }
        let data = parse(event).map_err(|violation| DataFault::Broken(Violations::one(violation)))?;
        if compiled.validator.is_valid(&data) {
            return Ok(());
        }
        Err(DataFault::Broken(match event.data() {
            Data::None => {
                Violations::one(Violation::of_all("the event has no data, and null is not allowed: send some"))
            }
            present => compiled.violations(&data, present.len()),
        }))
    }

    /// Returns how much work it is to check the data of an event, in the unit of [`limits::SCHEMA_WORK_MAX`].
    pub(crate) fn work(&self, event: &Event) -> u64 {
        self.compiled().map_or(0, |compiled| compiled.shape.work(event.data().len()))
    }

    fn compiled(&self) -> Result<&Compiled, &SchemaError> {
        self.0.compiled.get_or_init(|| compile(&self.0.document)).as_ref()
    }
}

impl PartialEq for Schema {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0) || self.0.document == other.0.document
    }
}

impl Eq for Schema {}

impl fmt::Debug for Schema {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Schema").field(&self.0.document).finish()
    }
}

impl Compiled {
    /// Says what is wrong with data that are known to break the schema.
    fn violations(&self, data: &Value, bytes: usize) -> Violations {
        match self.shape.listing(data, bytes) {
            Listing::All => Violations::all(self.validator.iter_errors(data)),
            Listing::First => Violations::first(self.validator.validate(data).err()),
            Listing::None => Violations::unlisted(),
        }
    }
}

/// Reads the data as JSON, whatever mode they came in: JSON may have come in base64.
fn parse(event: &Event) -> Result<Value, Violation> {
    let read = match event.data() {
        Data::None => return Ok(Value::Null),
        Data::Json(text) => serde_json::from_str(text),
        Data::Binary(bytes) if is_json(event.datacontenttype()) => serde_json::from_slice(bytes),
        Data::Text(_) | Data::Binary(_) => {
            let message = "the data are not JSON: send JSON with the datacontenttype application/json";
            return Err(Violation::of_all(message));
        }
    };
    read.map_err(|error| Violation::of_all(format!("the data cannot be read as JSON, correct them: {error}")))
}

fn compile(document: &Value) -> Result<Compiled, SchemaError> {
    let draft = dialect(document)?;
    jsonschema::meta::validate(document).map_err(|error| SchemaError::new(error.instance_path().as_str(), &error))?;
    let shape = Shape::measure(document)?;
    let patterns = PatternOptions::regex()
        .size_limit(limits::SCHEMA_PATTERN_BYTES_MAX)
        .dfa_size_limit(limits::SCHEMA_PATTERN_BYTES_MAX);
    let validator = jsonschema::options()
        .with_draft(draft)
        .with_pattern_options(patterns)
        .with_retriever(NoDocuments)
        .build(document)
        .map_err(|error| refused(&error))?;
    Ok(Compiled { validator, shape })
}

/// The meta-schema was asked before, so the fault lies where the schema was being compiled.
fn refused(error: &ValidationError<'_>) -> SchemaError {
    SchemaError::new(error.schema_path().as_str(), format_args!("this cannot be used: {error}"))
}

fn dialect(document: &Value) -> Result<Draft, SchemaError> {
    let Some(named) = document.get("$schema") else { return Ok(Draft::Draft202012) };
    let known = named.as_str().map(|uri| uri.strip_suffix('#').unwrap_or(uri));
    match known {
        Some("https://json-schema.org/draft/2020-12/schema") => Ok(Draft::Draft202012),
        Some("http://json-schema.org/draft-07/schema" | "https://json-schema.org/draft-07/schema") => Ok(Draft::Draft7),
        _ => Err(SchemaError::new(
            "/$schema",
            "this dialect is not supported: use \"https://json-schema.org/draft/2020-12/schema\" or \
             \"http://json-schema.org/draft-07/schema#\", or leave $schema out, which means the first",
        )),
    }
}

/// Fetches nothing.
struct NoDocuments;

impl Retrieve for NoDocuments {
    fn retrieve(&self, _: &Uri<String>) -> Result<Value, Box<dyn Error + Send + Sync>> {
        Err("other documents are not fetched, write into the schema what it refers to".into())
    }
}
