//! What is told of the Events API. It has no routes of its own: every method and path is an event, a call, or nobody's, so
//! that the document tells of all methods on any path, and on `/` of those by which events are usually sent.

use serde_json::{Value, json};
use weir_catalog::Method;
use weir_cloudevents::json::{BATCH_CONTENT_TYPE, CONTENT_TYPE};

use super::EMITTING;
use crate::openapi::{self, Answer, Document, Member, Operation, Side, named_parameter};

/// The groups of operations.
const EVENTS: &str = "Events";
const ROUTES: &str = "Routes";

/// What holds for all operations.
const ABOUT: &str = "\
The door of events. A CloudEvent of 1.0 or 0.1 that is sent with `POST`, `PUT` or `PATCH` to any path is written to the log of \
its space, unless a `sync` subscription takes its type on this path: then its function answers. What is no CloudEvent is an \
ordinary request, the event type `http.request`: a `sync` subscription answers it, an `async` one has it kept.

The space is named by the path prefix `/spaces/{space}/` or by the header `Weir-Space`; without either it is `default`. Where a \
CORS configuration is there for a route, answers to pages of other origins have the headers of the CORS protocol too.";

const ABOUT_EMITTING: &str = "\
Structured mode: one event as JSON. Batch mode, with `POST` only: a list of events. Binary mode: the attributes as headers \
`ce-…`, values percent-encoded, and the data as the body of any media type; each further header `ce-…` is an extension. Custom \
events of the Event Gateway: the type in the header `Event`, and any body.

202 is sent when the event is on stable storage. Sending it again, with the same `source` and `id`, is always safe: it stands \
in the log once. Where a function answers instead, its status and headers are those of the function.";

const ABOUT_ROUTE: &str = "\
Whatever method and path: the function of the `sync` subscription that takes it answers, with status, headers and body of its \
own choice. Without one the request is kept as an event where an `async` subscription to `http.request` is there, and else \
nobody's. A CloudEvent may be sent here as well.";

/// The parameters of an event in binary mode; extensions beside them are headers `ce-…` too.
const ATTRIBUTES: &[Member] = &[
    Member::new("ce-specversion", || {
        attribute("The version of CloudEvents, `1.0`. Any of the first four makes an event.")
    }),
    Member::new("ce-id", || attribute("Names the event among those of its source.")),
    Member::new("ce-source", || attribute("Where the event comes from: a URI-reference.")),
    Member::new("ce-type", || attribute("The event type, which is registered in the space.")),
    Member::new("ce-subject", || attribute("What the event is about.")),
    Member::new("ce-time", || attribute("When it happened, by RFC 3339.")),
    Member::new("ce-dataschema", || attribute("A URI of the schema of the data.")),
    Member::new("ce-cloudeventsversion", || attribute("Of CloudEvents 0.1 in binary mode, with the next two: `0.1`.")),
    Member::new("ce-eventtype", || attribute("Of CloudEvents 0.1: the event type.")),
    Member::new("ce-eventid", || attribute("Of CloudEvents 0.1: the identifier.")),
    Member::new("Event", || attribute("Of a custom event of the Event Gateway: its type. The body is its data.")),
];

/// The headers that every request may have.
const COMMON: &[Member] = &[
    openapi::GIVEN_REQUEST_ID,
    Member::new("traceparent", || attribute("The trace that the request belongs to (W3C Trace Context).")),
    Member::new("tracestate", || attribute("The state of that trace.")),
];

fn attribute(about: &str) -> Value {
    json!({ "type": "string", "description": about })
}

/// Tells of the API.
pub(crate) fn document() -> Document {
    let mut operations = Vec::new();
    for in_space in [false, true] {
        let prefix = if in_space { "/spaces/{space}/" } else { "/" };
        for method in EMITTING {
            operations.push((prefix.to_owned(), written(method), emitting(method, in_space)));
        }
        for method in Method::ALL {
            operations.push((format!("{prefix}{{path}}"), written(method), route(method, in_space)));
        }
    }
    let mut schemas = openapi::sent_schemas();
    schemas.extend(openapi::problem_schemas());
    Document {
        title: "Weir Events API",
        about: ABOUT,
        servers: json!([{
            "url": "http://{host}:{port}",
            "description": "A server with the default settings.",
            "variables": { "host": { "default": "127.0.0.1" }, "port": { "default": "4000" } },
        }]),
        tags: vec![(EVENTS, "Sending events."), (ROUTES, "Requests that functions answer.")],
        operations,
        parameters: parameters(),
        responses: openapi::problem_responses(Side::Events),
        schemas,
    }
}

/// Writes a method as OpenAPI does.
const fn written(method: Method) -> &'static str {
    match method {
        Method::Get => "get",
        Method::Post => "post",
        Method::Delete => "delete",
        Method::Put => "put",
        Method::Patch => "patch",
        Method::Head => "head",
        Method::Options => "options",
    }
}

fn parameters() -> Vec<(&'static str, Value)> {
    let in_path =
        Member::new("space", || openapi::space("The name of the space. Those that begin with `weir.` are closed."));
    let in_header =
        Member::new("Weir-Space", || openapi::space("The name of the space; `default` where nothing is said."));
    let path = Member::new("path", || {
        let about = "The path within the space. It may have several segments, or none.";
        json!({ "type": "string", "description": about, "examples": ["hello"] })
    });
    let mut all = vec![
        ("Space", openapi::parameter("path", &in_path)),
        ("SpaceHeader", openapi::parameter("header", &in_header)),
        ("Path", openapi::parameter("path", &path)),
    ];
    all.extend(ATTRIBUTES.iter().chain(COMMON).map(|member| (member.name, openapi::parameter("header", member))));
    all
}

/// Names the space and what every request may have.
fn placed(operation: Operation, in_space: bool) -> Operation {
    let operation = operation.parameter(named_parameter(if in_space { "Space" } else { "SpaceHeader" }));
    COMMON.iter().map(|member| named_parameter(member.name)).fold(operation, Operation::parameter)
}

fn emitting(method: Method, in_space: bool) -> Operation {
    let by = match method {
        Method::Put => "ByPut",
        Method::Patch => "ByPatch",
        _ => "",
    };
    let id = format!("emitEvent{}{by}", if in_space { "InSpace" } else { "" });
    let summary = if in_space { "Send an event to a space" } else { "Send an event" };
    let operation = placed(Operation::new(id, EVENTS, format!("{summary}, with {method}")), in_space);
    let attributes = ATTRIBUTES.iter().map(|member| named_parameter(member.name));
    attributes
        .fold(operation, Operation::parameter)
        .about(ABOUT_EMITTING)
        .body(body(method))
        .answer("202", kept())
        .answer("default", of_function())
        .problems(&[400, 401, 403, 404, 405, 408, 413, 414, 415, 421, 429, 431, 500, 503])
}

fn body(method: Method) -> Value {
    let example = openapi::event_example();
    let mut content = json!({
        (CONTENT_TYPE): { "schema": openapi::reference(openapi::SENT_SCHEMA), "example": example },
        "application/json": {
            "schema": { "description": "The data of an event in binary mode, or of a custom event." },
            "example": example["data"],
        },
        "*/*": { "schema": { "description": "The data of an event in binary mode, or of a custom event: any bytes." } },
    });
    if method == Method::Post {
        let schema = openapi::reference(openapi::BATCH_SCHEMA);
        content[BATCH_CONTENT_TYPE] = json!({ "schema": schema, "example": [example] });
    }
    json!({ "description": "The event, or its data. An event without data has no body in binary mode.", "content": content })
}

fn kept() -> Answer {
    Answer::new("It is kept: on stable storage, with the receipt. There is no body.")
        .optional_header(&openapi::POSITIONS)
        .optional_header(&openapi::DUPLICATE)
        .optional_header(&openapi::QUARANTINED)
        .optional_header(&openapi::REQUEST_ID)
}

fn of_function() -> Answer {
    Answer::new("The answer of the function: status, headers and body are its own.")
        .optional_header(&openapi::REQUEST_ID)
}

fn route(method: Method, in_space: bool) -> Operation {
    let id = format!("{}Route{}", written(method), if in_space { "InSpace" } else { "" });
    let summary = if in_space { "Call a route of a space" } else { "Call a route" };
    let operation = placed(Operation::new(id, ROUTES, format!("{summary}, with {method}")), in_space);
    let operation = operation.parameter(named_parameter("Path")).about(ABOUT_ROUTE);
    match method {
        Method::Head => {
            return operation
                .answer("default", Answer::new("The head of the answer that `GET` has. There is no body."));
        }
        Method::Options => {
            let allowed = Answer::new("No subscription takes it, and the path has routes.").header(&openapi::ALLOW);
            return with_answers(operation.answer("204", allowed));
        }
        _ => {}
    }
    let operation = match method {
        Method::Post | Method::Put | Method::Patch => operation.body(json!({
            "description": "Whatever the function takes.",
            "content": { "*/*": { "schema": { "description": "Any bytes." } } },
        })),
        _ => operation,
    };
    with_answers(operation)
}

fn with_answers(operation: Operation) -> Operation {
    operation
        .answer("202", kept())
        .answer("default", of_function())
        .problems(&[400, 401, 403, 404, 405, 408, 413, 414, 415, 421, 429, 431, 500, 503])
}
