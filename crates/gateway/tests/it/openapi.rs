//! The OpenAPI documents: committed, well formed, of the same routes as the router, and true of real answers.

mod answers;
mod deliveries;
mod told;

use std::{collections::BTreeSet, fs};

use serde_json::{Value, json};
use weir_gateway::{AuthOptions, OperatorToken, Options};

use crate::support::{Door, door, gateway, memory};
use told::{METHODS, Told};

const CONFIGURATION: &str = "/openapi.json";
const EVENTS: &str = "/openapi/events.json";

#[expect(clippy::disallowed_methods, reason = "whether to write is asked of this run of the test, not of the program")]
fn is_to_be_written() -> bool {
    std::env::var_os("UPDATE_DOCS").is_some()
}

#[tokio::test]
async fn the_documents_in_the_repository_are_those_of_the_code() {
    let door = door().await;
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/openapi");
    for (path, name) in [(CONFIGURATION, "configuration"), (EVENTS, "events")] {
        let expected = Told::of(&door, path).await.document;
        let file = format!("{folder}/{name}.json");
        if is_to_be_written() {
            fs::create_dir_all(folder).expect("a folder");
            fs::write(&file, format!("{expected:#}\n")).expect("written");
        }
        let found = fs::read_to_string(&file).unwrap_or_default();
        // Compared as JSON: the order of members depends on which features other crates ask of the JSON library.
        let found: Value = serde_json::from_str(&found).unwrap_or_default();
        assert!(
            found == expected,
            "docs/openapi/{name}.json is not what the code tells: write it with UPDATE_DOCS=1 cargo test -p weir-gateway openapi"
        );
    }
}

/// Calls with every value in a document, and its place.
fn walk(value: &Value, place: &str, see: &mut impl FnMut(&str, &Value)) {
    see(place, value);
    match value {
        Value::Array(list) => {
            list.iter().enumerate().for_each(|(index, each)| walk(each, &format!("{place}/{index}"), see));
        }
        Value::Object(map) => map.iter().for_each(|(name, each)| walk(each, &format!("{place}/{name}"), see)),
        _ => {}
    }
}

#[tokio::test]
async fn the_documents_are_well_formed() {
    let door = door().await;
    for path in [CONFIGURATION, EVENTS] {
        let told = Told::of(&door, path).await;
        assert_eq!(told.document["openapi"], "3.1.0");
        walk(&told.document, "", &mut |place: &str, value: &Value| {
            if let Some(reference) = value["$ref"].as_str() {
                let target = reference.strip_prefix('#').and_then(|pointer| told.document.pointer(pointer));
                assert!(target.is_some(), "{place}: nothing at {reference}");
            }
            // A place such as …/properties/name, where a schema stands.
            let is_property = place.rsplit('/').nth(1) == Some("properties");
            if is_property && value.get("$ref").is_none() && value.get("const").is_none() {
                assert!(value["description"].as_str().is_some_and(|text| !text.is_empty()), "{place}: tells nothing");
            }
        });
        let mut ids = BTreeSet::new();
        for (template, method, operation) in told.operations() {
            let id = operation["operationId"].as_str().unwrap_or_default().to_owned();
            assert!(
                !id.is_empty() && ids.insert(id.clone()),
                "{method} {template}: {id:?} is none, or not the only one"
            );
            let tags: Vec<&Value> = told.list("/tags").iter().map(|tag| &tag["name"]).collect();
            assert!(tags.contains(&&operation["tags"][0]), "{id}: its tag is not told of");
            let parameters = told.parameters(operation);
            let in_path = parameters.iter().filter(|it| it["in"] == "path");
            let named: BTreeSet<String> =
                in_path.map(|it| format!("{{{}}}", it["name"].as_str().unwrap_or_default())).collect();
            let expected: BTreeSet<String> =
                template.split('/').filter(|segment| segment.starts_with('{')).map(str::to_owned).collect();
            assert_eq!(named, expected, "{id}");
        }
    }
}

#[tokio::test]
async fn schemas_are_schemas_and_examples_are_examples_of_them() {
    let door = door().await;
    for path in [CONFIGURATION, EVENTS] {
        let told = Told::of(&door, path).await;
        for (name, schema) in told.schemas() {
            assert!(jsonschema::meta::is_valid(schema), "{name} is no JSON Schema");
            for example in schema["examples"].as_array().into_iter().flatten() {
                told.check(&json!({ "$ref": format!("#/components/schemas/{name}") }), example, name);
            }
        }
        for (template, method, operation) in told.operations() {
            let answers = operation["responses"].as_object().into_iter().flatten().map(|(_, answer)| answer);
            for carrier in answers.chain(operation.get("requestBody")) {
                for (media_type, content) in told.resolved(carrier)["content"].as_object().into_iter().flatten() {
                    if let Some(example) = content.get("example") {
                        told.check(&content["schema"], example, &format!("{method} {template} {media_type}"));
                    }
                }
            }
            for parameter in told.parameters(operation) {
                let place = format!("{method} {template} {}", parameter["name"]);
                assert!(jsonschema::meta::is_valid(&parameter["schema"]), "{place}");
                let examples = parameter["schema"]["examples"].as_array().into_iter().flatten();
                examples
                    .chain(parameter.get("example"))
                    .for_each(|example| told.check(&parameter["schema"], example, &place));
            }
        }
    }
}

/// Makes a path of a template.
fn concrete(template: &str) -> String {
    let values = [("{space}", "shop"), ("{id}", "nothing"), ("{version}", "1"), ("{replay}", "none")];
    values.iter().fold(template.to_owned(), |path, (name, value)| path.replace(name, value))
}

#[tokio::test]
async fn the_router_has_the_routes_of_the_document_and_no_other_methods() {
    let door = door().await;
    let told = Told::of(&door, CONFIGURATION).await;
    for (template, item) in told.document["paths"].as_object().expect("paths") {
        let path = concrete(template);
        // Every GET has a HEAD, which the document says once for all of them.
        let is_told = |method: &str| item.get(method).is_some() || (method == "head" && item.get("get").is_some());
        let expected: BTreeSet<String> =
            METHODS.into_iter().filter(|method| is_told(method)).map(str::to_uppercase).collect();
        for method in METHODS {
            let answer = door.configure(&method.to_uppercase(), &path, "").await;
            let is_plain = answer.header("content-type") == Some("text/plain; charset=utf-8") && answer.status >= 400;
            if is_told(method) {
                assert!(answer.status != 405 && !is_plain, "{method} {path} is told of and not there");
                continue;
            }
            assert_eq!(
                (answer.status, is_plain || method == "head"),
                (405, true),
                "{method} {path} is there and not told of"
            );
            let allowed: BTreeSet<String> =
                answer.header("allow").unwrap_or_default().split(',').map(str::to_owned).collect();
            assert_eq!(expected, allowed, "{path}");
        }
    }
}

/// The elements that are open where a page ends, and those that are closed without having been opened.
fn unbalanced(html: &str) -> Vec<String> {
    const VOID: [&str; 3] = ["!doctype", "meta", "br"];
    let mut open: Vec<&str> = Vec::new();
    for tag in html.split('<').skip(1).filter_map(|rest| rest.split(['>', ' ']).next()) {
        match tag.strip_prefix('/') {
            Some(name) if open.last() == Some(&name) => {
                open.pop();
            }
            Some(name) => return vec![format!("/{name} within {open:?}")],
            None if VOID.contains(&tag) => {}
            None => open.push(tag),
        }
    }
    open.into_iter().map(str::to_owned).collect()
}

#[tokio::test]
async fn pages_show_every_operation_and_load_nothing() {
    let door = door().await;
    for (page, document) in [("/docs", CONFIGURATION), ("/docs/events", EVENTS)] {
        let answer = door.configure("GET", page, "").await;
        assert_eq!((answer.status, answer.header("content-type")), (200, Some("text/html; charset=utf-8")));
        let policy = answer.header("content-security-policy").expect("a policy");
        assert!(policy.starts_with("default-src 'none'; style-src 'sha256-"), "{policy}");
        let html = answer.text();
        for never in ["<script", "<link", "<img", " src=", "@import", "url("] {
            assert!(!html.contains(never), "{page} has {never}");
        }
        assert_eq!(unbalanced(html), [""; 0], "{page}");
        let told = Told::of(&door, document).await;
        for (_, _, operation) in told.operations() {
            let id = operation["operationId"].as_str().expect("an identifier");
            assert!(html.contains(&format!("<article id=\"operation-{id}\"")), "{page} lacks {id}");
        }
        for (name, _) in told.schemas() {
            assert!(html.contains(&format!("<article id=\"schema-{name}\"")), "{page} lacks {name}");
        }
        // Every link within the page leads somewhere.
        for target in html.split("href=\"#").skip(1).filter_map(|rest| rest.split('"').next()) {
            assert!(html.contains(&format!("id=\"{target}\"")), "{page}: nothing at #{target}");
        }
    }
}

/// A door that asks for a token.
async fn guarded() -> Door {
    let operator = OperatorToken::new("operator-0123456789abcdef0123456789abcdef");
    let auth = AuthOptions { operator, jwt: None };
    gateway(memory(), Options { auth: Some(auth), ..Options::default() }, |log| log).await
}

#[tokio::test]
async fn documents_and_pages_are_open_and_nothing_else_is() {
    let door = guarded().await;
    let told = Told::of(&door, CONFIGURATION).await;
    for (template, method, operation) in told.operations() {
        let path = concrete(template);
        let answer = door.configure(&method.to_uppercase(), &path, "").await;
        let is_open = operation.get("security").is_some();
        assert_eq!(answer.status, if is_open { 200 } else { 401 }, "{method} {path}");
        told.check_answer(method, template, &answer);
    }
}
