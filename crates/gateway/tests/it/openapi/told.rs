//! A document, and whether something is as it tells.

use serde_json::{Value, json};

use crate::support::{Answer, Door};

/// The methods that a path can have in a document, but for `trace`.
pub(super) const METHODS: [&str; 7] = ["get", "post", "put", "patch", "delete", "head", "options"];

/// What a door tells of one of its APIs.
pub(super) struct Told {
    pub(super) document: Value,
    /// All of its schemas; in those of answers, members that they do not name are refused.
    components: Value,
}

impl Told {
    pub(super) async fn of(door: &Door, path: &str) -> Self {
        let answer = door.configure("GET", path, "").await;
        assert_eq!((answer.status, answer.header("content-type")), (200, Some("application/json")));
        let document = answer.json();
        let mut components = json!({ "schemas": document["components"]["schemas"] });
        let schemas = components["schemas"].as_object_mut().expect("schemas");
        for (_, schema) in schemas.iter_mut().filter(|(name, _)| !name.ends_with("Input")) {
            if schema.get("properties").is_some() && schema.get("additionalProperties").is_none() {
                schema["additionalProperties"] = json!(false);
            }
        }
        Self { document, components }
    }

    pub(super) fn list(&self, pointer: &str) -> &[Value] {
        self.document.pointer(pointer).and_then(Value::as_array).map_or(&[], Vec::as_slice)
    }

    pub(super) fn schemas(&self) -> impl Iterator<Item = (&str, &Value)> {
        let schemas = self.document["components"]["schemas"].as_object().expect("schemas");
        schemas.iter().map(|(name, schema)| (name.as_str(), schema))
    }

    /// Returns all operations with paths and methods.
    pub(super) fn operations(&self) -> Vec<(&str, &'static str, &Value)> {
        let paths = self.document["paths"].as_object().expect("paths");
        let all = paths.iter().flat_map(|(path, item)| {
            METHODS.into_iter().filter_map(move |method| Some((path.as_str(), method, item.get(method)?)))
        });
        all.collect()
    }

    pub(super) fn parameters<'t>(&'t self, operation: &'t Value) -> Vec<&'t Value> {
        operation["parameters"].as_array().into_iter().flatten().map(|it| self.resolved(it)).collect()
    }

    /// Follows a reference.
    pub(super) fn resolved<'t>(&'t self, value: &'t Value) -> &'t Value {
        let Some(reference) = value["$ref"].as_str() else { return value };
        let target = reference.strip_prefix('#').and_then(|pointer| self.document.pointer(pointer));
        target.unwrap_or_else(|| panic!("nothing at {reference}"))
    }

    /// Checks a value against a schema of the document.
    pub(super) fn check(&self, schema: &Value, value: &Value, place: &str) {
        let mut schema = schema.clone();
        schema["$schema"] = json!("https://json-schema.org/draft/2020-12/schema");
        schema["components"] = self.components.clone();
        let validator = jsonschema::validator_for(&schema).unwrap_or_else(|error| panic!("{place}: {error}"));
        let faults: Vec<String> =
            validator.iter_errors(value).map(|error| format!("{}: {error}", error.instance_path().as_str())).collect();
        assert!(faults.is_empty(), "{place}: {value} is not as it is told: {faults:#?}");
    }

    /// Finds the path of the document that a path of a request is.
    pub(super) fn template(&self, path: &str) -> &str {
        let path = path.split('?').next().unwrap_or_default();
        let is_like = |template: &str| {
            let (given, told) = (path.split('/'), template.split('/'));
            given.clone().count() == told.clone().count()
                && given.zip(told).all(|(given, told)| given == told || told.starts_with('{'))
        };
        let paths = self.document["paths"].as_object().expect("paths");
        let found = paths.keys().find(|template| is_like(template));
        found.unwrap_or_else(|| panic!("{path} is not told of"))
    }

    /// Checks that an answer is one of those that are told of, with its headers and its body.
    pub(super) fn check_answer(&self, method: &str, template: &str, answer: &Answer) {
        let place = format!("{method} {template} {}", answer.status);
        let told = &self.document["paths"][template][method]["responses"];
        let told = told.get(answer.status.to_string()).or_else(|| told.get("default"));
        let told = self.resolved(told.unwrap_or_else(|| panic!("{place} is not told of: {}", answer.text())));
        for (name, header) in told["headers"].as_object().into_iter().flatten() {
            match answer.header(name) {
                Some(text) if header["schema"]["type"] == "integer" => {
                    let number: u64 = text.parse().unwrap_or_else(|_| panic!("{place}: {name} is no number: {text}"));
                    self.check(&header["schema"], &json!(number), &format!("{place} {name}"));
                }
                Some(text) => self.check(&header["schema"], &json!(text), &format!("{place} {name}")),
                None => assert!(header["required"] == false, "{place}: the header {name} is missing"),
            }
        }
        let Some(content) = told.get("content") else {
            // Of what a function answers nothing is told.
            let is_any = self.document["paths"][template][method]["responses"].get(answer.status.to_string()).is_none();
            assert!(answer.body.is_empty() || is_any, "{place}: the body is not told of: {}", answer.text());
            return;
        };
        let media_type = answer.header("content-type").unwrap_or_else(|| panic!("{place}: no media type"));
        let media_type = media_type.split(';').next().unwrap_or_default();
        let told = content.get(media_type).unwrap_or_else(|| panic!("{place}: {media_type} is not told of"));
        let body = if media_type.ends_with("json") { answer.json() } else { json!(answer.text()) };
        self.check(&told["schema"], &body, &place);
    }
}
