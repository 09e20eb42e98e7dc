//! One method of one path: what answers it, and what is told of it. A route cannot come into being without the latter.

use std::sync::Arc;

use axum::{
    handler::Handler,
    routing::{self, MethodRouter},
};
use serde_json::{Map, Value, json};

use super::{problems, schema::Member};
use crate::gateway::Shared;

/// A route with what is told of it.
pub(crate) struct Endpoint {
    /// As both the router and OpenAPI write it: `/v1/spaces/{space}`.
    pub(crate) path: String,
    /// As OpenAPI writes it.
    pub(crate) method: &'static str,
    pub(crate) handler: MethodRouter<Arc<Shared>>,
    /// Asked only when the document is written.
    pub(crate) told: fn() -> Operation,
}

impl Endpoint {
    pub(crate) fn get<H, T>(path: impl Into<String>, handler: H, told: fn() -> Operation) -> Self
    where
        H: Handler<T, Arc<Shared>>,
        T: 'static,
    {
        Self { path: path.into(), method: "get", handler: routing::get(handler), told }
    }

    pub(crate) fn post<H, T>(path: impl Into<String>, handler: H, told: fn() -> Operation) -> Self
    where
        H: Handler<T, Arc<Shared>>,
        T: 'static,
    {
        Self { path: path.into(), method: "post", handler: routing::post(handler), told }
    }

    pub(crate) fn put<H, T>(path: impl Into<String>, handler: H, told: fn() -> Operation) -> Self
    where
        H: Handler<T, Arc<Shared>>,
        T: 'static,
    {
        Self { path: path.into(), method: "put", handler: routing::put(handler), told }
    }

    pub(crate) fn patch<H, T>(path: impl Into<String>, handler: H, told: fn() -> Operation) -> Self
    where
        H: Handler<T, Arc<Shared>>,
        T: 'static,
    {
        Self { path: path.into(), method: "patch", handler: routing::patch(handler), told }
    }

    pub(crate) fn delete<H, T>(path: impl Into<String>, handler: H, told: fn() -> Operation) -> Self
    where
        H: Handler<T, Arc<Shared>>,
        T: 'static,
    {
        Self { path: path.into(), method: "delete", handler: routing::delete(handler), told }
    }
}

/// What is told of one method of one path.
pub(crate) struct Operation {
    id: String,
    tag: &'static str,
    summary: String,
    about: String,
    parameters: Vec<Value>,
    body: Option<Value>,
    answers: Map<String, Value>,
    is_open: bool,
}

impl Operation {
    /// Tells of an operation by a name that stays, a group, and a line.
    pub(crate) fn new(id: impl Into<String>, tag: &'static str, summary: impl Into<String>) -> Self {
        Self {
            id: id.into(),
            tag,
            summary: summary.into(),
            about: String::new(),
            parameters: Vec::new(),
            body: None,
            answers: Map::new(),
            is_open: false,
        }
    }

    /// Tells more, in paragraphs; `code` stands in backticks, and there is no other mark.
    pub(crate) fn about(self, text: impl Into<String>) -> Self {
        Self { about: text.into(), ..self }
    }

    /// Takes a parameter, or the reference to one.
    pub(crate) fn parameter(mut self, parameter: Value) -> Self {
        self.parameters.push(parameter);
        self
    }

    /// Takes parameters of the document by their names there.
    pub(crate) fn shared(mut self, names: &[&str]) -> Self {
        self.parameters.extend(names.iter().map(|name| named_parameter(name)));
        self
    }

    /// Takes a body of JSON.
    pub(crate) fn json_body(self, about: &str, schema: Value, example: Value) -> Self {
        let content = json!({ "application/json": { "schema": schema, "example": example } });
        self.body(json!({ "description": about, "required": true, "content": content }))
    }

    /// Takes any body.
    pub(crate) fn body(self, body: Value) -> Self {
        Self { body: Some(body), ..self }
    }

    /// Gives an answer of this status; `default` is any other.
    pub(crate) fn answer(mut self, status: &str, answer: Answer) -> Self {
        self.answers.insert(status.to_owned(), answer.into_value());
        self
    }

    /// Gives answers that say what is wrong.
    pub(crate) fn problems(mut self, statuses: &[u16]) -> Self {
        self.answers.extend(statuses.iter().map(|status| (status.to_string(), problems::reference(*status))));
        self
    }

    /// Lets every answer that is told of here carry a header always; those that say what is wrong are told of once for all.
    pub(crate) fn answering_with(mut self, header: &Member) -> Self {
        let told = header_of(header, true);
        for answer in self.answers.values_mut().filter(|answer| answer.get("$ref").is_none()) {
            answer["headers"][header.name] = told.clone();
        }
        self
    }

    /// Asks nobody for a token.
    pub(crate) fn open(self) -> Self {
        Self { is_open: true, ..self }
    }

    /// Writes it down, with the answers in the order of their statuses.
    pub(super) fn into_value(mut self) -> Value {
        let mut statuses: Vec<String> = self.answers.keys().cloned().collect();
        statuses.sort();
        let answers: Map<String, Value> =
            statuses.into_iter().filter_map(|status| self.answers.remove(&status).map(|it| (status, it))).collect();
        let mut told = Map::new();
        let mut tell = |name: &str, value: Value| told.insert(name.to_owned(), value);
        tell("operationId", json!(self.id));
        tell("tags", json!([self.tag]));
        tell("summary", json!(self.summary));
        if !self.about.is_empty() {
            tell("description", json!(self.about));
        }
        if !self.parameters.is_empty() {
            tell("parameters", json!(self.parameters));
        }
        if let Some(body) = self.body {
            tell("requestBody", body);
        }
        tell("responses", Value::Object(answers));
        if self.is_open {
            tell("security", json!([]));
        }
        Value::Object(told)
    }
}

/// An answer: what it means, and what it carries.
pub(crate) struct Answer {
    about: String,
    headers: Map<String, Value>,
    content: Map<String, Value>,
}

impl Answer {
    pub(crate) fn new(about: impl Into<String>) -> Self {
        Self { about: about.into(), headers: Map::new(), content: Map::new() }
    }

    /// Carries a header always.
    pub(crate) fn header(self, header: &Member) -> Self {
        self.with_header(header, true)
    }

    /// Carries a header where its description says so.
    pub(crate) fn optional_header(self, header: &Member) -> Self {
        self.with_header(header, false)
    }

    fn with_header(mut self, header: &Member, is_always: bool) -> Self {
        self.headers.insert(header.name.to_owned(), header_of(header, is_always));
        self
    }

    /// Carries a body of this media type.
    pub(crate) fn content(mut self, media_type: &str, schema: Value) -> Self {
        self.content.insert(media_type.to_owned(), json!({ "schema": schema }));
        self
    }

    /// Carries a body of this media type, such as the example.
    pub(crate) fn example(mut self, media_type: &str, schema: Value, example: Value) -> Self {
        self.content.insert(media_type.to_owned(), json!({ "schema": schema, "example": example }));
        self
    }

    pub(super) fn into_value(self) -> Value {
        let mut told = Map::from_iter([("description".to_owned(), json!(self.about))]);
        if !self.headers.is_empty() {
            told.insert("headers".to_owned(), Value::Object(self.headers));
        }
        if !self.content.is_empty() {
            told.insert("content".to_owned(), Value::Object(self.content));
        }
        Value::Object(told)
    }
}

fn header_of(header: &Member, is_always: bool) -> Value {
    let (about, schema) = header.parts();
    json!({ "description": about, "required": is_always, "schema": schema })
}

/// Refers to a parameter of the document.
pub(crate) fn named_parameter(name: &str) -> Value {
    json!({ "$ref": format!("#/components/parameters/{name}") })
}

/// Tells of a parameter of a query, of a header, or of a path, which always has it.
pub(crate) fn parameter(place: &str, member: &Member) -> Value {
    let (about, schema) = member.parts();
    let is_required = place == "path";
    json!({ "name": member.name, "in": place, "required": is_required, "description": about, "schema": schema })
}
