//! Both APIs as OpenAPI documents, and as pages for people: `/openapi.json`, `/openapi/events.json`, `/docs` and
//! `/docs/events`.
//!
//! They are the same for everybody and say nothing of what a server has, so that nobody is asked for a token. They are
//! made when somebody asks for the first time.

use std::sync::LazyLock;

use axum::response::Response;
use bytes::Bytes;
use http::{
    HeaderName, HeaderValue, StatusCode,
    header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS},
};
use serde_json::{Value, json};

use super::{
    cors::CorsConfigurations, deadletters, described, event_types::EventTypes, explain, functions::Functions, reading,
    replays, resource::Resource, schemas, spaces, status, subscriptions::Subscriptions, tokens,
};
use crate::{
    answer, events,
    openapi::{self, Answer, Document, Endpoint, Operation, Page, Side},
};

/// The group of operations that are about the server as a whole.
pub(super) const TAG: &str = "Server";

/// Why whoever asks is refused where nobody is asked for a token.
pub(super) const OF_OPEN: [u16; 3] = [414, 421, 431];

const CONFIGURATION: &str = "/openapi.json";
const EVENTS: &str = "/openapi/events.json";
const CONFIGURATION_PAGE: &str = "/docs";
const EVENTS_PAGE: &str = "/docs/events";

const JSON: &str = "application/json";
const HTML: &str = "text/html; charset=utf-8";

/// What holds for all operations.
const ABOUT: &str = "\
Event types, functions, subscriptions and the log of each space. A change is itself an event in the log: its answer is sent \
when it is durable and in force, and carries its position in `Weir-Position`.

Names of members in bodies are read in any case, `null` is as good as absent, and members that are not known are passed over. \
Answers may have further members in later versions. Every `GET` has a `HEAD`. An unknown path is answered with 404 and a method \
that the path has not with 405 and the header `Allow`, both in plain text.";

static CONFIGURATION_DOCUMENT: LazyLock<Value> = LazyLock::new(|| document().into_value());
static EVENTS_DOCUMENT: LazyLock<Value> = LazyLock::new(|| events::document().into_value());
static CONFIGURATION_JSON: LazyLock<Bytes> = LazyLock::new(|| written(&CONFIGURATION_DOCUMENT));
static EVENTS_JSON: LazyLock<Bytes> = LazyLock::new(|| written(&EVENTS_DOCUMENT));

static CONFIGURATION_HTML: LazyLock<Page> = LazyLock::new(|| {
    let links = [("The Events API", EVENTS_PAGE), ("This document as JSON", CONFIGURATION)];
    Page::new(&CONFIGURATION_DOCUMENT, &links)
});
static EVENTS_HTML: LazyLock<Page> = LazyLock::new(|| {
    let links = [("The Configuration API", CONFIGURATION_PAGE), ("This document as JSON", EVENTS)];
    Page::new(&EVENTS_DOCUMENT, &links)
});

/// Makes the routes.
pub(super) fn endpoints() -> Vec<Endpoint> {
    vec![
        Endpoint::get(CONFIGURATION, configuration_json, told_of_configuration_json),
        Endpoint::get(EVENTS, events_json, told_of_events_json),
        Endpoint::get(CONFIGURATION_PAGE, configuration_page, told_of_configuration_page),
        Endpoint::get(EVENTS_PAGE, events_page, told_of_events_page),
    ]
}

/// Tells of the Configuration API.
fn document() -> Document {
    let mut schemas = described::schemas::<EventTypes>();
    schemas.extend(schemas::schemas());
    schemas.extend(described::schemas::<Functions>());
    schemas.extend(described::schemas::<Subscriptions>());
    schemas.extend(replays::schemas());
    schemas.extend(status::schemas());
    schemas.extend(described::schemas::<CorsConfigurations>());
    schemas.extend(openapi::recorded_schemas());
    schemas.extend(deadletters::schemas());
    schemas.extend(explain::schemas());
    schemas.extend(spaces::schemas());
    schemas.extend(tokens::schemas());
    schemas.extend(openapi::problem_schemas());
    let given = openapi::GIVEN_REQUEST_ID;
    let mut parameters = described::parameters();
    parameters.push((given.name, openapi::parameter("header", &given)));
    Document {
        title: "Weir Configuration API",
        about: ABOUT,
        servers: json!([{ "url": "/", "description": "The server that this document comes from." }]),
        tags: vec![
            (EventTypes::PROFILE.tag, "The declarations of what events there are, with their keys and schemas."),
            (Functions::PROFILE.tag, "Code, or an address, that is given events."),
            (Subscriptions::PROFILE.tag, "They bind event types to functions."),
            (CorsConfigurations::PROFILE.tag, "Which other origins may call a route from a browser."),
            (reading::TAG, "What stands in the log."),
            (deadletters::TAG, "Deliveries that were given up, and what is decided about them."),
            ("Spaces", "Names with a boundary: what is in one is invisible to others."),
            ("Tokens", "Who may do what. They are of the whole server; the scope `admin` is needed."),
            (TAG, "The server as a whole."),
        ],
        operations: super::endpoints().into_iter().map(|it| (it.path, it.method, named((it.told)()))).collect(),
        parameters,
        responses: openapi::problem_responses(Side::Configuration),
        schemas,
    }
}

/// Tells of what every request may have, and every answer has.
fn named(operation: Operation) -> Operation {
    operation.shared(&[openapi::GIVEN_REQUEST_ID.name]).answering_with(&openapi::REQUEST_ID)
}

fn written(document: &Value) -> Bytes {
    serde_json::to_vec(document).expect("JSON has text for names and no failing parts").into()
}

async fn configuration_json() -> Response {
    answer::with_body(StatusCode::OK, JSON, CONFIGURATION_JSON.clone())
}

async fn events_json() -> Response {
    answer::with_body(StatusCode::OK, JSON, EVENTS_JSON.clone())
}

async fn configuration_page() -> Response {
    shown(&CONFIGURATION_HTML)
}

async fn events_page() -> Response {
    shown(&EVENTS_HTML)
}

/// A page runs nothing, loads nothing, and stands in no other page.
fn shown(page: &Page) -> Response {
    let mut response = answer::with_body(StatusCode::OK, HTML, page.html.clone());
    let headers: [(HeaderName, HeaderValue); 4] = [
        (CONTENT_SECURITY_POLICY, page.policy.clone()),
        (X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
        (REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
        (CACHE_CONTROL, HeaderValue::from_static("no-cache")),
    ];
    response.headers_mut().extend(headers);
    response
}

fn told_of_configuration_json() -> Operation {
    json_operation("getOpenApi", "Read this document")
}

fn told_of_events_json() -> Operation {
    json_operation("getEventsOpenApi", "Read the document of the Events API")
}

fn told_of_configuration_page() -> Operation {
    page_operation("getDocs", "Read this document as a page")
}

fn told_of_events_page() -> Operation {
    page_operation("getEventsDocs", "Read the document of the Events API as a page")
}

fn json_operation(id: &'static str, summary: &'static str) -> Operation {
    let schema = json!({ "type": "object", "required": ["openapi", "info", "paths"] });
    Operation::new(id, TAG, summary)
        .about("By the OpenAPI Specification 3.1. Nobody is asked for a token.")
        .open()
        .answer("200", Answer::new("The document.").content(JSON, schema))
        .problems(&OF_OPEN)
}

fn page_operation(id: &'static str, summary: &'static str) -> Operation {
    Operation::new(id, TAG, summary)
        .about("For people. Nobody is asked for a token. It runs no scripts and loads nothing.")
        .open()
        .answer("200", Answer::new("The page.").content("text/html", json!({ "type": "string" })))
        .problems(&OF_OPEN)
}
