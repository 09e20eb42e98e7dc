//! What is told of dead letters.

use serde_json::{Value, json};
use weir_flow::LetterState;

use super::{
    EVENT, MERGE_PATCH,
    input::{PARAMETERS, TO_DISCARD, TO_DISCARD_ALL, TO_REDRIVE, TO_REDRIVE_ALL},
};
use crate::{
    configuration::described::{AT_THE_DOOR, OF_BODIES, SPACE_NAME},
    openapi::{self, Answer, Endpoint, Member, Operation},
};

/// The group of the operations.
pub(in crate::configuration) const TAG: &str = "Dead letters";

/// The names of the schemas in the OpenAPI document.
const SCHEMA: &str = "DeadLetter";
const LIST_SCHEMA: &str = "DeadLetterList";
const DECISION: &str = "DeadLetterDecision";
const DECISIONS: &str = "DeadLetterDecisions";
const PATCHED: &str = "PatchedDeadLetter";

const JSON: &str = "application/json";

/// What is told of a letter.
const MEMBERS: &[Member] = &[
    Member::new("position", || position("Where it stands in the log. It is known by that.")),
    Member::new("time", || time("When it was recorded, by RFC 3339.")),
    Member::new("state", || {
        let about = "`open` until something is decided about it.";
        openapi::word(about, LetterState::ALL.map(LetterState::as_str))
    }),
    Member::new("decidedAt", || position("Where the decision stands in the log. Absent while it is open.")),
    Member::new("subscriptionId", || any_text("The subscription that gave the delivery up.")),
    Member::new("functionId", || any_text("The function of that.")),
    Member::new("event", || openapi::object("The event that was not delivered.", EVENT_MEMBERS, &EVENT_REQUIRED)),
    Member::new("key", || any_text("The key of the event. Absent where it stands alone.")),
    Member::new(
        "held",
        || json!({ "type": "boolean", "description": "Later events of the key wait until something is decided about it." }),
    ),
    Member::new("attempts", || {
        let about = "How often the function was called with it; calls that did not reach it do not count.";
        json!({ "type": "integer", "description": about, "minimum": 0 })
    }),
    Member::new("error", || any_text("Why the last attempt failed, in a sentence.")),
    Member::new("cause", || any_text("The same in a word.")),
    Member::new(
        "status",
        || json!({ "type": "integer", "description": "The HTTP status that the last attempt was answered with." }),
    ),
    Member::new("redriven", || {
        position("The decision by which the event was delivered again, where it is that delivery which failed.")
    }),
    Member::new("replayId", || any_text("The replay that the delivery was part of, where it was.")),
    Member::new("cycle", || {
        let about =
            "The event types and functions that follow one another without an end, where that is why. Not in lists.";
        json!({ "description": about })
    }),
    Member::new("history", || {
        let about = "The attempts with time, cause, HTTP status and error: of many, the first ten and the last forty. Not in \
                     lists, nor where an older Weir recorded it.";
        json!({ "type": "array", "description": about, "items": { "type": "object" } })
    }),
    Member::new("original", || event("The event, in the JSON format of CloudEvents. Not in lists.")),
    Member::new("patched", || {
        event("The form in which it is to be delivered instead, where there is one. Not in lists.")
    }),
    Member::new("patchedAt", || position("Where that stands in the log. Not in lists.")),
];

/// What all letters have.
const REQUIRED: [&str; 9] =
    ["position", "time", "state", "subscriptionId", "functionId", "event", "held", "attempts", "error"];

const EVENT_MEMBERS: &[Member] = &[
    Member::new("id", || any_text("Its attribute `id`.")),
    Member::new("source", || any_text("Its attribute `source`.")),
    Member::new("type", || any_text("Its attribute `type`.")),
    Member::new("position", || position("Where it stands in the log.")),
];
const EVENT_REQUIRED: [&str; 4] = ["id", "source", "type", "position"];

const DECISION_MEMBERS: &[Member] = &[
    Member::new("position", || position("Where the letter stands.")),
    Member::new("state", || openapi::word("What was decided.", DECIDED)),
    Member::new("decidedAt", || position("Where that stands: the receipt.")),
];

const PATCHED_MEMBERS: &[Member] = &[
    Member::new("position", || position("Where the letter stands.")),
    Member::new("state", || openapi::word("It is still open.", [LetterState::Open.as_str()])),
    Member::new(
        "patch",
        || json!({ "type": "integer", "description": "How many forms the event was given up to this one.", "minimum": 1 }),
    ),
];

const DECISIONS_MEMBERS: &[Member] = &[
    Member::new("state", || openapi::word("What was decided.", DECIDED)),
    Member::new("count", || json!({ "type": "integer", "description": "About how many letters.", "minimum": 0 })),
    Member::new("left", || {
        let about = "How many were left as they are, because nobody could deliver them.";
        json!({ "type": "integer", "description": about, "minimum": 0 })
    }),
    Member::new("reasons", || {
        let items = openapi::object("One of them.", REASON_MEMBERS, &["position", "message"]);
        json!({ "type": "array", "description": "The first of these, with why.", "items": items })
    }),
];
const REASON_MEMBERS: &[Member] = &[
    Member::new("position", || position("Where the letter stands.")),
    Member::new("message", || any_text("Why it was left.")),
];

const DECIDED: [&str; 2] = [LetterState::Redriven.as_str(), LetterState::Discarded.as_str()];

fn position(about: &str) -> Value {
    json!({ "type": "integer", "description": about, "minimum": 0 })
}

fn time(about: &str) -> Value {
    json!({ "type": "string", "description": about, "format": "date-time" })
}

fn any_text(about: &str) -> Value {
    json!({ "type": "string", "description": about })
}

fn event(about: &str) -> Value {
    json!({ "type": "object", "description": about })
}

/// Makes the routes.
pub(in crate::configuration) fn endpoints() -> Vec<Endpoint> {
    const ALL: &str = "/v1/spaces/{space}/deadletters";
    const ONE: &str = "/v1/spaces/{space}/deadletters/{id}";
    vec![
        Endpoint::get(ALL, super::list, list),
        Endpoint::post(format!("{ALL}/redrive"), super::redrive_all, redrive_all),
        Endpoint::post(format!("{ALL}/discard"), super::discard_all, discard_all),
        Endpoint::get(ONE, super::read, read),
        Endpoint::patch(ONE, super::patch, patch),
        Endpoint::post(format!("{ONE}/redrive"), super::redrive, redrive),
        Endpoint::post(format!("{ONE}/discard"), super::discard, discard),
    ]
}

/// Tells what the schemas are.
pub(in crate::configuration) fn schemas() -> Vec<(String, Value)> {
    let list = json!({
        "type": "object",
        "description": "Dead letters of a space.",
        "properties": {
            "deadLetters": {
                "type": "array",
                "description": "In the order of the log.",
                "items": openapi::reference(SCHEMA),
            },
        },
        "required": ["deadLetters"],
    });
    let one = openapi::object("A delivery that was given up.", MEMBERS, &REQUIRED);
    let decision =
        openapi::object("What was decided about a letter.", DECISION_MEMBERS, &["position", "state", "decidedAt"]);
    let about = "What was decided about the letters of a selection.";
    let decisions = openapi::object(about, DECISIONS_MEMBERS, &["state", "count", "left", "reasons"]);
    let about = "A letter whose event has another form now.";
    let patched = openapi::object(about, PATCHED_MEMBERS, &["position", "state", "patch"]);
    let all = [(SCHEMA, one), (LIST_SCHEMA, list), (DECISION, decision), (DECISIONS, decisions), (PATCHED, patched)];
    all.into_iter().map(|(name, schema)| (name.to_owned(), schema)).collect()
}

fn example() -> Value {
    json!({
        "position": 17,
        "time": "2026-01-31T12:00:00Z",
        "state": "open",
        "subscriptionId": "YXN5bmMscGFyY2VsLnNlbnQsbm90aWNlLCUyRixQT1NU",
        "functionId": "notice",
        "event": { "id": "p-2", "source": "/depot", "type": "parcel.sent", "position": 8 },
        "key": "8",
        "held": false,
        "attempts": 3,
        "error": "it answered 503 Service Unavailable",
        "cause": "status",
        "status": 503,
    })
}

fn whole_example() -> Value {
    let mut example = example();
    let attempt = |number: u32, time: &str| {
        json!({
            "attempt": number,
            "time": time,
            "cause": "status",
            "status": 503,
            "error": "it answered 503 Service Unavailable",
        })
    };
    example["history"] = json!([attempt(1, "2026-01-31T11:59:58Z"), attempt(2, "2026-01-31T11:59:59Z")]);
    example["original"] = openapi::event_example();
    example
}

fn decided_answer(about: &str, state: LetterState) -> Answer {
    let example = json!({ "position": 17, "state": state.as_str(), "decidedAt": 21 });
    let answer = Answer::new(about).header(&openapi::POSITION).optional_header(&openapi::DUPLICATE);
    answer.example(JSON, openapi::reference(DECISION), example)
}

fn all_decided_answer(about: &str, state: LetterState) -> Answer {
    let example = json!({ "state": state.as_str(), "count": 12, "left": 0, "reasons": [] });
    let answer = Answer::new(about).optional_header(&openapi::POSITION);
    answer.example(JSON, openapi::reference(DECISIONS), example)
}

fn identifier() -> Value {
    openapi::parameter("path", &Member::new("id", || any_text("The position of the letter.")))
}

/// A body of JSON that may be left out.
fn optional_body(about: &str, members: &[Member], example: &Value) -> Value {
    let schema = openapi::object(about, members, &[]);
    json!({ "description": about, "required": false, "content": { JSON: { "schema": schema, "example": example } } })
}

fn list() -> Operation {
    let answer = Answer::new("The letters that match, or a page of them.").optional_header(&openapi::LINK).example(
        JSON,
        openapi::reference(LIST_SCHEMA),
        json!({ "deadLetters": [example()] }),
    );
    let operation = Operation::new("listDeadLetters", TAG, "List the deliveries that were given up")
        .about(
            "A long list goes on at the header `Link`: a page may have fewer letters than `limit`, even none, without being \
             the last one. Parameters that are not told of here are an error. Where the right to read is narrowed to event \
             types, letters about events of others are passed over, and asking for one of them by name is refused with 403.",
        )
        .shared(&[SPACE_NAME]);
    let parameters = PARAMETERS.iter().map(|member| openapi::parameter("query", member));
    let operation = parameters.fold(operation, Operation::parameter);
    operation.answer("200", answer).problems(&[400, 406, 500]).problems(&AT_THE_DOOR)
}

fn read() -> Operation {
    let answer = Answer::new("All of it.").example(JSON, openapi::reference(SCHEMA), whole_example());
    Operation::new("getDeadLetter", TAG, "Read a delivery that was given up, with its event and its attempts")
        .shared(&[SPACE_NAME])
        .parameter(identifier())
        .answer("200", answer)
        .problems(&[400, 404, 406, 500])
        .problems(&AT_THE_DOOR)
}

fn patch() -> Operation {
    let example = json!({ "position": 17, "state": "open", "patch": 1 });
    let answer = Answer::new("It is kept. Nothing is delivered by that.").header(&openapi::POSITION).example(
        JSON,
        openapi::reference(PATCHED),
        example,
    );
    let merge = json!({ "type": "object", "description": "Members in the place of those of the same name; `null` takes away." });
    let whole = json!({ "type": "object", "description": "The whole event, in the JSON format of CloudEvents." });
    let change = json!({ "data": { "to": "Grace Hopper" } });
    let content = json!({
        MERGE_PATCH: { "schema": merge, "example": change },
        JSON: { "schema": merge, "example": change },
        EVENT: { "schema": whole, "example": openapi::event_example() },
    });
    let body = json!({ "description": "What is to be another one.", "required": true, "content": content });
    Operation::new("patchDeadLetter", TAG, "Give the event of a dead letter another form")
        .about(
            "A merge patch (RFC 7396) of the event as it would be delivered now, or a whole event. It keeps `id`, `source`, \
             `type`, its key and what the platform wrote into it, and must pass the schema of its type as it is now.",
        )
        .shared(&[SPACE_NAME])
        .parameter(identifier())
        .body(body)
        .answer("200", answer)
        .problems(&[400, 404, 409, 500])
        .problems(&OF_BODIES)
        .problems(&AT_THE_DOOR)
}

fn redrive() -> Operation {
    let answer = decided_answer("It is delivered again, now or as soon as it is its turn.", LetterState::Redriven);
    let example = json!({ "to": "YXN5bmMscGFyY2VsLnNlbnQsbm90aWNlLCUyRixQT1NU" });
    Operation::new("redriveDeadLetter", TAG, "Have a dead letter delivered again")
        .about(
            "In its last form, and before what waits of its key, by its own subscription or the one that took the place of \
             that. A letter is redriven once: a second request is answered as the first one was. Where the delivery fails \
             again, there is a new letter.",
        )
        .shared(&[SPACE_NAME])
        .parameter(identifier())
        .body(optional_body("Who is to deliver it.", TO_REDRIVE, &example))
        .answer("202", answer)
        .problems(&[400, 404, 409, 500])
        .problems(&OF_BODIES)
        .problems(&AT_THE_DOOR)
}

fn discard() -> Operation {
    let answer = decided_answer("It is given up for good.", LetterState::Discarded);
    let example = json!({ "reason": "the parcel is lost" });
    Operation::new("discardDeadLetter", TAG, "Give a dead letter up for good")
        .about("A key that it holds goes on. A second request is answered as the first one was.")
        .shared(&[SPACE_NAME])
        .parameter(identifier())
        .body(optional_body("Why.", TO_DISCARD, &example))
        .answer("200", answer)
        .problems(&[400, 404, 409, 500])
        .problems(&OF_BODIES)
        .problems(&AT_THE_DOOR)
}

fn redrive_all() -> Operation {
    let answer = all_decided_answer("They are delivered again.", LetterState::Redriven);
    let schema = openapi::object("Which letters.", TO_REDRIVE_ALL, &[]);
    Operation::new("redriveDeadLetters", TAG, "Have dead letters delivered again")
        .about(
            "All open ones that match, in the order of their events, so that each key keeps its own. Where the request breaks \
             off, some are redriven, and the same request does the rest.",
        )
        .shared(&[SPACE_NAME])
        .json_body("Which ones. Nobody means all of them by saying nothing.", schema, json!({ "type": "parcel.sent" }))
        .answer("202", answer)
        .problems(&[400, 500])
        .problems(&OF_BODIES)
        .problems(&AT_THE_DOOR)
}

fn discard_all() -> Operation {
    let answer = all_decided_answer("They are given up for good.", LetterState::Discarded);
    let schema = openapi::object("Which letters.", TO_DISCARD_ALL, &[]);
    Operation::new("discardDeadLetters", TAG, "Give dead letters up for good")
        .about("All open ones that match. Where the request breaks off, the same request does the rest.")
        .shared(&[SPACE_NAME])
        .json_body("Which ones. Nobody means all of them by saying nothing.", schema, json!({ "key": "8" }))
        .answer("200", answer)
        .problems(&[400, 500])
        .problems(&OF_BODIES)
        .problems(&AT_THE_DOOR)
}
