//! Members of JSON objects, parameters and headers with their JSON Schemas, and the forms that schemas here have.

use serde_json::{Map, Value, json};
use weir_catalog::limits;

/// A member of a JSON object, a parameter or a header: its name, and what is told of it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Member {
    /// The name as it is written.
    pub(crate) name: &'static str,
    /// Makes its schema, which has a description for people.
    pub(crate) schema: fn() -> Value,
}

impl Member {
    pub(crate) const fn new(name: &'static str, schema: fn() -> Value) -> Self {
        Self { name, schema }
    }

    /// Returns what people are told, and the schema without it.
    pub(super) fn parts(&self) -> (Value, Value) {
        let mut schema = (self.schema)();
        let about = schema.as_object_mut().and_then(|members| members.remove("description"));
        (about.unwrap_or_default(), schema)
    }
}

/// The schema of an object. Further members may come with later versions.
pub(crate) fn object<'m>(about: &str, members: impl IntoIterator<Item = &'m Member>, required: &[&str]) -> Value {
    let members = members.into_iter().map(|member| (member.name.to_owned(), (member.schema)()));
    let properties: Map<String, Value> = members.collect();
    json!({ "type": "object", "description": about, "properties": properties, "required": required })
}

/// The schema of a text of up to so many bytes, which are no fewer than its characters.
pub(crate) fn text(about: &str, bytes_max: usize) -> Value {
    json!({ "type": "string", "description": about, "maxLength": bytes_max })
}

/// The schema of a whole number within bounds.
pub(crate) fn number(about: &str, least: u64, most: u64) -> Value {
    json!({ "type": "integer", "description": about, "minimum": least, "maximum": most })
}

/// The schema of `true` or `false`, which it is where nothing is said.
pub(crate) fn flag(about: &str) -> Value {
    json!({ "type": "boolean", "description": about, "default": false })
}

/// The schema of one of several words.
pub(crate) fn word<'w>(about: &str, words: impl IntoIterator<Item = &'w str>) -> Value {
    let words: Vec<&str> = words.into_iter().collect();
    json!({ "type": "string", "description": about, "enum": words })
}

/// The schema of texts by name.
pub(crate) fn texts(about: &str) -> Value {
    json!({
        "type": "object",
        "description": about,
        "additionalProperties": { "type": "string" },
        "maxProperties": limits::ENTRIES_MAX,
    })
}

/// Refers to a schema of the document.
pub(crate) fn reference(name: &str) -> Value {
    json!({ "$ref": format!("#/components/schemas/{name}") })
}

/// The schema of the name of a space.
pub(crate) fn space(about: &str) -> Value {
    json!({
        "type": "string",
        "description": about,
        "minLength": 3,
        "maxLength": 128,
        "pattern": "^[A-Za-z0-9._-]+$",
    })
}
