//! What is told of the explanation of an event.

use serde_json::{Value, json};
use weir_flow::{Cut, Fate, LetterStanding, TypeStanding};

use super::view::REASONS;
use crate::{
    configuration::{
        described::{AT_THE_DOOR, SPACE_NAME},
        reading,
    },
    openapi::{self, Answer, Endpoint, Member, Operation},
};

/// The names of the schemas in the OpenAPI document.
const SCHEMA: &str = "Explanation";
const EVENT: &str = "ExplainedEvent";
const DELIVERY: &str = "ExplainedDelivery";
const LINK: &str = "EventLink";
const EFFECT: &str = "ExplainedEffect";

const JSON: &str = "application/json";

const MEMBERS: &[Member] = &[
    Member::new("event", || openapi::reference(EVENT)),
    Member::new("configuration", || {
        count(
            "The position of the last configuration change before the event: by the configuration of then it was decided.",
        )
    }),
    Member::new("eventType", || {
        let needed = ["name", "standing"];
        openapi::object("Its type, as it was.", TYPE, &needed)
    }),
    Member::new("route", || {
        let about = "The route that was looked for. Absent where none was.";
        openapi::object(about, ROUTE, &["method", "path"])
    }),
    Member::new("deliveries", || {
        list("What each async subscription to its type made of it, in the order in which they were made.", DELIVERY)
    }),
    Member::new("deliveriesLeft", || count("How many more of these there are that are not told of.")),
    Member::new("otherSubscriptions", || count("How many async subscriptions there were to other types.")),
    Member::new("causes", || list("The event that caused it, the one that caused that, and so on.", LINK)),
    Member::new("causesCut", || cut("Why there may be more causes. Absent where these are all.")),
    Member::new("effects", || list("The events that it caused, in the order of the log.", EFFECT)),
    Member::new("effectsCut", || cut("Why there may be more effects. Absent where these are all.")),
];
const REQUIRED: [&str; 8] =
    ["event", "configuration", "eventType", "deliveries", "deliveriesLeft", "otherSubscriptions", "causes", "effects"];

const LINK_MEMBERS: &[Member] = &[
    Member::new("id", || text("Its attribute `id`.")),
    Member::new("source", || text("Its attribute `source`.")),
    Member::new("type", || text("Its attribute `type`.")),
    Member::new("position", || count("Where it stands in the log.")),
    Member::new("time", || moment("When it was recorded, by RFC 3339.")),
    Member::new("functionId", || text("The function that returned it, where one did.")),
];
const LINK_REQUIRED: [&str; 5] = ["id", "source", "type", "position", "time"];

const EVENT_MEMBERS: &[Member] = &[
    Member::new("subject", || text("Its attribute `subject`.")),
    Member::new("key", || text("Its key. Absent where it stands alone.")),
    Member::new("method", || text("The method of the request by which it came.")),
    Member::new("path", || text("The path of that within the space.")),
    Member::new(
        "authorization",
        || json!({ "description": "What its authorizer said, and whatever else `eventgateway` has." }),
    ),
    Member::new("traceparent", || text("Its trace (W3C Trace Context).")),
    Member::new("replayId", || text("The replay in which a function returned it.")),
    Member::new("quarantined", || {
        openapi::object("The event that it keeps in quarantine.", QUARANTINED, &["id", "type", "violations"])
    }),
];

const QUARANTINED: &[Member] = &[
    Member::new("id", || text("The attribute `id` of that.")),
    Member::new("type", || text("The attribute `type` of that.")),
    Member::new("violations", || {
        let items = openapi::object("One of them.", VIOLATION, &["pointer", "message"]);
        json!({ "type": "array", "description": "What is wrong with its data.", "items": items })
    }),
];
const VIOLATION: &[Member] =
    &[Member::new("pointer", || text("Where, as a JSON pointer.")), Member::new("message", || text("What."))];

const TYPE: &[Member] = &[
    Member::new("name", || text("Its name.")),
    Member::new("standing", || {
        openapi::word("Whether anybody had declared it.", TypeStanding::ALL.map(TypeStanding::as_str))
    }),
    Member::new("authorizerId", || text("The function that was asked whether its events may come in.")),
    Member::new("schemaVersion", || count("The version of the schema of its data.")),
];

const ROUTE: &[Member] = &[
    Member::new("method", || text("The method of the request.")),
    Member::new("path", || text("The path of the request within the space.")),
    Member::new("subscriptionId", || text("The sync subscription that had the route. Absent where none had.")),
    Member::new("functionId", || text("The function of that.")),
];

const DELIVERY_MEMBERS: &[Member] = &[
    Member::new("subscriptionId", || text("Its identifier.")),
    Member::new("functionId", || text("Its function.")),
    Member::new("eventType", || text("The type of its events.")),
    Member::new("made", || count("Where it was made, or took the place of another one.")),
    Member::new("continues", || text("The subscription in whose place it came.")),
    Member::new("method", || text("The method of the requests whose events it takes.")),
    Member::new("path", || text("The path of these.")),
    Member::new("filter", || json!({ "type": "object", "description": "Its filter." })),
    Member::new("terms", || {
        let needed = ["pointer", "dialect", "attribute", "wanted", "matched", "decided"];
        let items = openapi::object("An attribute that was compared.", TERM, &needed);
        json!({ "type": "array", "description": "What the filter compared, in that order.", "items": items })
    }),
    Member::new("state", || openapi::word("What became of the event here.", Fate::NAMES)),
    Member::new("answer", || text("The same in a sentence, with why.")),
    Member::new("reason", || {
        let about =
            "Why the event is none of its, where `state` is `not-matched`; what it waits for, where it is `waiting`.";
        openapi::word(about, REASONS)
    }),
    Member::new("at", || count("The position that the sentence names.")),
    Member::new("by", || text("The subscription that the sentence names.")),
    Member::new("due", || moment("When it is tried again.")),
    Member::new("redriven", || count("The decision by which a dead letter was delivered again.")),
    Member::new("certain", || {
        let about =
            "Where `state` is `dropped`: `false` where other events before and after it are known to have waited.";
        json!({ "type": "boolean", "description": about })
    }),
    Member::new("failures", || count("How many attempts failed.")),
    Member::new("attempts", || {
        let needed = ["position", "time", "attempt", "cause", "error", "tookMs"];
        let items = openapi::object("An attempt that failed.", ATTEMPT, &needed);
        let about = "These: of many, the first ten and the last forty.";
        json!({ "type": "array", "description": about, "items": items })
    }),
    Member::new("deadLetters", || {
        let needed = ["position", "time", "attempts", "error", "held", "state"];
        let items = openapi::object("A delivery that was given up.", LETTER, &needed);
        json!({ "type": "array", "description": "Its dead letters about the event.", "items": items })
    }),
    Member::new("replays", || {
        let items = openapi::object("One of them.", REPLAY, &["replayId", "position", "state", "matched"]);
        json!({ "type": "array", "description": "Replays whose part of the log has the event.", "items": items })
    }),
    Member::new("changes", || {
        let items = openapi::object("A change.", CHANGE, &["position", "time", "what"]);
        json!({ "type": "array", "description": "What was done with the subscription since.", "items": items })
    }),
];
const DELIVERY_REQUIRED: [&str; 9] =
    ["subscriptionId", "functionId", "eventType", "made", "method", "path", "state", "answer", "failures"];

const TERM: &[Member] = &[
    Member::new("pointer", || text("Where it stands in the filter, as a JSON pointer.")),
    Member::new("dialect", || openapi::word("How it was compared.", ["exact", "prefix", "suffix"])),
    Member::new("attribute", || text("The name of the attribute.")),
    Member::new("wanted", || text("What it was compared with.")),
    Member::new("found", || text("The text that the event has of it. Absent where it has none.")),
    Member::new("matched", || flag("Whether the comparison held.")),
    Member::new("decided", || flag("Whether the whole answer of the filter rests on it.")),
];

const ATTEMPT: &[Member] = &[
    Member::new("position", || count("Where that is recorded.")),
    Member::new("time", || moment("When.")),
    Member::new("attempt", || count("Which one it was.")),
    Member::new("cause", || text("Why it failed, in a word.")),
    Member::new("status", || count("The HTTP status that was answered.")),
    Member::new("error", || text("Why it failed, in a sentence.")),
    Member::new("tookMs", || count("How long it took.")),
    Member::new("retryAt", || moment("When the next one was to be made. Absent where there was to be none.")),
    Member::new("replayId", || text("The replay that it was part of.")),
];

const LETTER: &[Member] = &[
    Member::new("position", || count("Where it stands.")),
    Member::new("time", || moment("When it was recorded.")),
    Member::new("attempts", || count("How often the function was called.")),
    Member::new("error", || text("Why the last attempt failed.")),
    Member::new("held", || flag("It held its key.")),
    Member::new("replayId", || text("The replay that the delivery was part of.")),
    Member::new("state", || openapi::word("What was decided about it.", LetterStanding::NAMES)),
    Member::new("decidedAt", || count("Where that stands.")),
    Member::new("by", || text("The subscription that delivers it again.")),
    Member::new("done", || flag("Whether that is over: it was delivered, or left another letter.")),
];

const REPLAY: &[Member] = &[
    Member::new("replayId", || text("Which one.")),
    Member::new("position", || count("Where its begin stands.")),
    Member::new("state", || openapi::word("How it stands.", ["running", "finished", "cancelled"])),
    Member::new("matched", || flag("Whether its own filter lets the event through.")),
    Member::new("deadLetter", || count("The dead letter, where the event was given up in it.")),
];

const CHANGE: &[Member] = &[
    Member::new("position", || count("Where it stands.")),
    Member::new("time", || moment("When it was made.")),
    Member::new("what", || text("What was changed, in words.")),
];

const EFFECT_MEMBERS: &[Member] = &[
    Member::new("subscriptionId", || text("The subscription whose function returned it, where that is known.")),
    Member::new("effects", || list("The events that it caused in turn.", EFFECT)),
];

const PARAMETERS: &[Member] = &[
    Member::new(super::SOURCE, || {
        let about = "The `source` of the event: with it, it is found at once, however old it is. Without it the newest million \
                     events are looked through for its `id`.";
        json!({ "type": "string", "description": about, "minLength": 1 })
    }),
    Member::new(super::SUBSCRIPTION, || {
        let about = "Only what this subscription made of it: its identifier, or its function. One is told of then also where it \
                     came later, or was gone before.";
        json!({ "type": "string", "description": about, "minLength": 1 })
    }),
];

fn text(about: &str) -> Value {
    json!({ "type": "string", "description": about })
}

fn count(about: &str) -> Value {
    json!({ "type": "integer", "description": about, "minimum": 0 })
}

fn moment(about: &str) -> Value {
    json!({ "type": "string", "description": about, "format": "date-time" })
}

fn flag(about: &str) -> Value {
    json!({ "type": "boolean", "description": about })
}

fn list(about: &str, of: &str) -> Value {
    json!({ "type": "array", "description": about, "items": openapi::reference(of) })
}

fn cut(about: &str) -> Value {
    let about = format!(
        "{about} `depth`: they follow one another further. `events`: there are more of them. `scan`: only so much of the log \
         is looked through. `hidden`: some are of types that you may not read."
    );
    openapi::word(&about, Cut::ALL.map(Cut::as_str))
}

/// Makes the route.
pub(in crate::configuration) fn endpoint() -> Endpoint {
    Endpoint::get("/v1/spaces/{space}/events/{id}/explain", super::explain, told)
}

/// Tells what the schemas are.
pub(in crate::configuration) fn schemas() -> Vec<(String, Value)> {
    let about = "What is known of an event, and what became of it.";
    let with_link = |members: &'static [Member]| LINK_MEMBERS.iter().chain(members);
    let event = LINK_REQUIRED.into_iter().chain(["method", "path"]).collect::<Vec<_>>();
    let effect = LINK_REQUIRED.into_iter().chain(["effects"]).collect::<Vec<_>>();
    let all = [
        (SCHEMA, openapi::object(about, MEMBERS, &REQUIRED)),
        (EVENT, openapi::object("An event, and how it came.", with_link(EVENT_MEMBERS), &event)),
        (DELIVERY, openapi::object("What a subscription made of an event.", DELIVERY_MEMBERS, &DELIVERY_REQUIRED)),
        (LINK, openapi::object("By what an event is known.", LINK_MEMBERS, &LINK_REQUIRED)),
        (EFFECT, openapi::object("An event that another one caused.", with_link(EFFECT_MEMBERS), &effect)),
    ];
    all.into_iter().map(|(name, schema)| (name.to_owned(), schema)).collect()
}

fn example() -> Value {
    let mut event = json!({
        "id": "p-2",
        "source": "/depot",
        "type": "parcel.sent",
        "position": 8,
        "time": "2026-01-31T12:00:00Z",
    });
    event["subject"] = json!("us/7");
    event["key"] = json!("us/7");
    event["method"] = json!("POST");
    event["path"] = json!("/");
    json!({
        "event": event,
        "configuration": 5,
        "eventType": { "name": "parcel.sent", "standing": "registered" },
        "deliveries": [{
            "subscriptionId": "YXN5bmMscGFyY2VsLnNlbnQsbm90aWNlLCUyRixQT1NU",
            "functionId": "notice",
            "eventType": "parcel.sent",
            "made": 5,
            "method": "POST",
            "path": "/",
            "filter": { "prefix": { "subject": "eu/" } },
            "terms": [{
                "pointer": "/prefix/subject",
                "dialect": "prefix",
                "attribute": "subject",
                "wanted": "eu/",
                "found": "us/7",
                "matched": false,
                "decided": true,
            }],
            "state": "not-matched",
            "reason": "filter",
            "answer": "not delivered to notice: filter /prefix/subject wanted \"eu/\", the event has \"us/7\"",
            "failures": 0,
        }],
        "deliveriesLeft": 0,
        "otherSubscriptions": 2,
        "causes": [],
        "effects": [],
    })
}

fn told() -> Operation {
    let answer = Answer::new("What is known of the event.").example(JSON, openapi::reference(SCHEMA), example());
    let id = Member::new("id", || {
        text(
            "The `id` of the event, or its position behind an `@`. One whose `id` begins with `@` is asked for with its `source`.",
        )
    });
    let operation = Operation::new("explainEvent", reading::TAG, "Ask why an event did or did not reach somebody")
        .about(
            "What was routed where is worked out from the log and from the configuration as it was when the event came, so \
             that it can be asked about events of any age. Parameters that are not told of here are an error. Where the right \
             to read is narrowed to event types, events of others are as if they were not there.",
        )
        .shared(&[SPACE_NAME])
        .parameter(openapi::parameter("path", &id));
    let parameters = PARAMETERS.iter().map(|member| openapi::parameter("query", member));
    let operation = parameters.fold(operation, Operation::parameter);
    operation.answer("200", answer).problems(&[400, 404, 406, 500]).problems(&AT_THE_DOOR)
}
