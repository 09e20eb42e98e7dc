//! A whole document, put together.

use serde_json::{Map, Value, json};

use super::operation::Operation;

/// What one API is.
pub(crate) struct Document {
    pub(crate) title: &'static str,
    /// What holds for all operations, in paragraphs.
    pub(crate) about: &'static str,
    pub(crate) servers: Value,
    /// Groups of operations with what they are about, in the order in which they are shown.
    pub(crate) tags: Vec<(&'static str, &'static str)>,
    /// Paths, methods and operations.
    pub(crate) operations: Vec<(String, &'static str, Operation)>,
    pub(crate) parameters: Vec<(&'static str, Value)>,
    pub(crate) responses: Map<String, Value>,
    pub(crate) schemas: Vec<(String, Value)>,
}

impl Document {
    /// Writes it down by the OpenAPI Specification 3.1.
    pub(crate) fn into_value(self) -> Value {
        let mut paths = Map::new();
        for (path, method, operation) in self.operations {
            let item = paths.entry(path).or_insert_with(|| Value::Object(Map::new()));
            item[method] = operation.into_value();
        }
        let tags = self.tags.into_iter().map(|(name, about)| json!({ "name": name, "description": about }));
        let tags: Vec<Value> = tags.collect();
        let parameters: Map<String, Value> =
            self.parameters.into_iter().map(|(name, told)| (name.to_owned(), told)).collect();
        let schemas: Map<String, Value> = self.schemas.into_iter().collect();
        let components = json!({
            "parameters": parameters,
            "responses": self.responses,
            "schemas": schemas,
            "securitySchemes": { "bearer": bearer() },
        });
        json!({
            "openapi": "3.1.0",
            "info": info(self.title, self.about),
            "servers": self.servers,
            "security": [{ "bearer": [] }, {}],
            "tags": tags,
            "paths": paths,
            "components": components,
        })
    }
}

fn info(title: &str, about: &str) -> Value {
    json!({
        "title": title,
        "version": env!("CARGO_PKG_VERSION"),
        "summary": "An event gateway with a memory.",
        "description": about,
        "license": { "name": "Apache License 2.0", "identifier": "Apache-2.0" },
    })
}

fn bearer() -> Value {
    json!({
        "type": "http",
        "scheme": "bearer",
        "description": "A token that was made with `POST /v1/tokens`, a JWT of the issuer that the server trusts, or the token \
                        of the operator (RFC 6750). It is asked for where the server has the setting `auth.mode = \"required\"`; \
                        where it has not, nobody is asked.",
    })
}
