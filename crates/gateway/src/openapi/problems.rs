//! The answers that say what is wrong: one for each status, of the same form.

use serde_json::{Map, Value, json};

use super::{
    headers::{ALLOW, CHALLENGE, REQUEST_ID, RETRY_AFTER},
    operation::Answer,
    schema::{object, reference as schema_reference},
};
use crate::problem;

/// The name of the schema of the body.
const SCHEMA: &str = "Problem";
/// The name of the schema of one thing that is wrong.
const ENTRY_SCHEMA: &str = "ProblemEntry";

/// Which API answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    /// The Events API.
    Events,
    /// The Configuration API.
    Configuration,
}

/// Status, name in the document, meaning.
const STATUSES: [(u16, &str, &str); 17] = [
    (400, "BadRequest", "The request, an event or a declaration breaks a rule: correct it."),
    (401, "Unauthorized", "No token is shown, or one that is not valid."),
    (
        403,
        "Forbidden",
        "The token gives no right to this, the space or the event type belongs to the platform, an authorizer did not allow \
         the event, or a web page of another origin asks for a change.",
    ),
    (404, "NotFound", "Nothing has this name, or no subscription takes this request."),
    (405, "MethodNotAllowed", "Another method would be right: see the header `Allow`."),
    (406, "NotAcceptable", "The header `Accept` excludes JSON."),
    (408, "RequestTimeout", "The body did not come in time."),
    (
        409,
        "Conflict",
        "It exists already, the space has as many as it may, a replay is under way, or over, so that this cannot be, or \
         something else was decided about a dead letter before.",
    ),
    (
        412,
        "PreconditionFailed",
        "It is at another version than `If-Match` or `If-None-Match` say; the message names the present tag.",
    ),
    (413, "ContentTooLarge", "An event, a body or a batch is too large."),
    (414, "UriTooLong", "The target of the request is too long. There is no body."),
    (
        415,
        "UnsupportedMediaType",
        "A media type, CloudEvents format, charset or content coding that is not understood.",
    ),
    (
        421,
        "MisdirectedRequest",
        "The request was sent to another name than one of this machine, where nobody is asked for a token.",
    ),
    (429, "TooManyRequests", "Too many requests of a token or for a space."),
    (
        431,
        "RequestHeaderFieldsTooLarge",
        "The head of the request is too large, or has too many headers. There is no body.",
    ),
    (500, "InternalServerError", "A function failed, or the server did; the reason is in the log of the server."),
    (
        503,
        "ServiceUnavailable",
        "There is no room at this moment, the disk is full, or the server stops: repeat it later.",
    ),
];

/// Statuses that an API never answers with by itself.
const OF_EVENTS_ONLY: [u16; 1] = [405];
const OF_CONFIGURATION_ONLY: [u16; 3] = [406, 409, 412];

/// Refers to the answer of a status.
pub(crate) fn reference(status: u16) -> Value {
    let known = STATUSES.iter().find(|(each, ..)| *each == status);
    let (_, name, _) = known.expect("every status that is told of stands in the table");
    json!({ "$ref": format!("#/components/responses/{name}") })
}

/// Tells of all answers that say what is wrong.
pub(crate) fn responses(side: Side) -> Map<String, Value> {
    let strange: &[u16] = match side {
        Side::Events => &OF_CONFIGURATION_ONLY,
        Side::Configuration => &OF_EVENTS_ONLY,
    };
    let known = STATUSES.iter().filter(|(status, ..)| !strange.contains(status));
    known.map(|(status, name, about)| ((*name).to_owned(), response(*status, about).into_value())).collect()
}

fn response(status: u16, about: &str) -> Answer {
    let answer = Answer::new(about);
    if status == 414 || status == 431 {
        return answer;
    }
    let answer = match status {
        401 => answer.header(&CHALLENGE),
        403 => answer.optional_header(&CHALLENGE),
        405 => answer.header(&ALLOW),
        429 | 503 => answer.header(&RETRY_AFTER),
        _ => answer,
    };
    answer.header(&REQUEST_ID).content("application/json", schema_reference(SCHEMA))
}

/// Tells of the form of all of them.
pub(crate) fn schemas() -> Vec<(String, Value)> {
    let entry = object("One thing that is wrong.", problem::MEMBERS, &["message"]);
    let example =
        json!({ "message": "Function \"f\" not found.", "cure": "list what the space has, and check the name" });
    let whole = json!({
        "type": "object",
        "description": "What is wrong. There is one entry, but where data break a schema: then each violation has an entry, \
                        and where there are more than are listed, a last one says so.",
        "properties": {
            "errors": {
                "type": "array",
                "description": "What is wrong, the first thing first.",
                "items": schema_reference(ENTRY_SCHEMA),
                "minItems": 1,
            },
        },
        "required": ["errors"],
        "examples": [{ "errors": [example] }],
    });
    vec![(SCHEMA.to_owned(), whole), (ENTRY_SCHEMA.to_owned(), entry)]
}
