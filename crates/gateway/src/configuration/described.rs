//! What is told of the operations that all resources have.

use serde_json::{Value, json};
use weir_catalog::limits;

use super::{
    conditions,
    intent::{self, DRY_RUN_NAME},
    paging,
    resource::{FILTER_PREFIX, Resource},
};
use crate::openapi::{self, Answer, Member, Operation};

/// The names of parameters in the document, beside those of other modules.
pub(super) const SPACE_NAME: &str = "Space";
const FILTER_NAME: &str = "MetadataFilter";

/// Why whoever asks is not let in; and that there is no room.
pub(super) const AT_THE_DOOR: [u16; 7] = [401, 403, 414, 421, 429, 431, 503];
/// Why a body of JSON is not read.
pub(super) const OF_BODIES: [u16; 4] = [406, 408, 413, 415];

/// What is told of one kind of resource.
pub(super) struct Profile {
    /// One of it in names of operations and schemas: `EventType`.
    pub(super) name: &'static str,
    /// Several of it: `EventTypes`.
    pub(super) names: &'static str,
    /// The group of its operations.
    pub(super) tag: &'static str,
    /// One of it in a sentence: `an event type`.
    pub(super) one: &'static str,
    /// Several of it in a sentence: `event types`.
    pub(super) many: &'static str,
    /// The schema of its identifier, with what a client should know of it.
    pub(super) id: fn() -> Value,
    /// What a body must have to create one, beyond what it must always have: what the path of the other operations says.
    pub(super) needed: &'static [&'static str],
    /// What a client should know before it creates one.
    pub(super) creating: &'static str,
    /// The same of replacing.
    pub(super) replacing: &'static str,
    /// The same of deleting.
    pub(super) deleting: &'static str,
    /// What a client sends, for example.
    pub(super) given: fn() -> Value,
    /// What it is shown then.
    pub(super) shown: fn() -> Value,
    /// What a client may send, what it is shown, and the schemas that these refer to. The first has the name with `Input`
    /// behind it, the second the name.
    pub(super) schemas: fn() -> Vec<(String, Value)>,
}

impl Profile {
    /// Returns the name of the schema of what a client sends.
    pub(super) fn input(&self) -> String {
        format!("{}Input", self.name)
    }

    fn list(&self) -> String {
        format!("{}List", self.name)
    }
}

/// Tells of the schemas of a resource.
pub(super) fn schemas<R: Resource>() -> Vec<(String, Value)> {
    let profile = R::PROFILE;
    let about = format!("The {} of a space, in the order of their names or identifiers.", profile.many);
    let mut all = (profile.schemas)();
    all.push((profile.list(), list_schema(R::LIST, profile.name, &about)));
    all
}

/// Tells of the schema of a list: the name of its member, and the schema of what is in it.
pub(super) fn list_schema(name: &str, of: &str, about: &str) -> Value {
    json!({
        "type": "object",
        "description": about,
        "properties": {
            (name): { "type": "array", "description": "In order.", "items": openapi::reference(of) },
        },
        "required": [name],
    })
}

/// Tells of a list what all lists have in common: pages, tags, and why it is not given.
pub(super) fn listing(operation: Operation, answer: Answer) -> Operation {
    operation
        .shared(&[paging::LIMIT_NAME, paging::AFTER_NAME, conditions::IF_MATCH_NAME, conditions::IF_NONE_MATCH_NAME])
        .answer("200", answer.header(&openapi::ETAG).optional_header(&openapi::LINK))
        .answer("304", not_modified())
        .problems(&[400, 406, 412])
        .problems(&AT_THE_DOOR)
}

/// Tells of the parameters that operations share.
pub(super) fn parameters() -> Vec<(&'static str, Value)> {
    let space = Member::new("space", || {
        openapi::space(
            "The name of the space. It comes into being by use. Names that begin with `weir.` are not for clients.",
        )
    });
    let filter = json!({
        "name": "metadata",
        "in": "query",
        "required": false,
        "style": "form",
        "explode": true,
        "description": "Only those whose metadata have these values: `metadata.KEY=VALUE`, for any number of keys.",
        "schema": {
            "type": "object",
            "propertyNames": { "pattern": format!("^{}", FILTER_PREFIX.replace('.', "\\.")) },
            "additionalProperties": { "type": "string" },
            "maxProperties": limits::ENTRIES_MAX,
        },
        "example": { "metadata.team": "depot" },
    });
    let mut all = vec![(SPACE_NAME, openapi::parameter("path", &space)), (FILTER_NAME, filter)];
    all.extend(paging::parameters());
    all.extend(conditions::parameters());
    all.push((DRY_RUN_NAME, intent::parameter()));
    all
}

pub(super) fn list<R: Resource>() -> Operation {
    let profile = R::PROFILE;
    let example = json!({ (R::LIST): [(profile.shown)()] });
    let answer = Answer::new(format!("The {} that match, or a page of them.", profile.many)).example(
        "application/json",
        openapi::reference(&profile.list()),
        example,
    );
    let summary = format!("List the {} of a space", profile.many);
    let operation = Operation::new(format!("list{}", profile.names), profile.tag, summary)
        .about(
            "A long list goes on at the header `Link`, with or without `limit`. A space that nothing is in has none.",
        )
        .shared(&[SPACE_NAME, FILTER_NAME]);
    listing(operation, answer)
}

pub(super) fn create<R: Resource>() -> Operation {
    let profile = R::PROFILE;
    let schema = json!({ "$ref": openapi::reference(&profile.input())["$ref"], "required": profile.needed });
    Operation::new(format!("create{}", profile.name), profile.tag, format!("Create {}", profile.one))
        .about(profile.creating)
        .shared(&[SPACE_NAME, DRY_RUN_NAME, conditions::IF_MATCH_NAME, conditions::IF_NONE_MATCH_NAME])
        .json_body("What is to be made.", schema, (profile.given)())
        .answer("201", changed(&profile, "It is made, durable and in force."))
        .problems(&[400, 409, 412, 500])
        .problems(&OF_BODIES)
        .problems(&AT_THE_DOOR)
}

pub(super) fn read<R: Resource>() -> Operation {
    let profile = R::PROFILE;
    let answer = Answer::new("What it is now.").header(&openapi::ETAG).example(
        "application/json",
        openapi::reference(profile.name),
        (profile.shown)(),
    );
    Operation::new(format!("get{}", profile.name), profile.tag, format!("Read {}", profile.one))
        .shared(&[SPACE_NAME])
        .parameter(identifier(&profile))
        .shared(&[conditions::IF_MATCH_NAME, conditions::IF_NONE_MATCH_NAME])
        .answer("200", answer)
        .answer("304", not_modified())
        .problems(&[400, 404, 406, 412])
        .problems(&AT_THE_DOOR)
}

pub(super) fn replace<R: Resource>() -> Operation {
    let profile = R::PROFILE;
    Operation::new(format!("replace{}", profile.name), profile.tag, format!("Replace {}", profile.one))
        .about(profile.replacing)
        .shared(&[SPACE_NAME])
        .parameter(identifier(&profile))
        .shared(&[DRY_RUN_NAME, conditions::IF_MATCH_NAME, conditions::IF_NONE_MATCH_NAME])
        .json_body("The whole new state.", openapi::reference(&profile.input()), (profile.given)())
        .answer("200", changed(&profile, "It is replaced; the new state is durable and in force."))
        .problems(&[400, 404, 412, 500])
        .problems(&OF_BODIES)
        .problems(&AT_THE_DOOR)
}

pub(super) fn delete<R: Resource>() -> Operation {
    let profile = R::PROFILE;
    Operation::new(format!("delete{}", profile.name), profile.tag, format!("Delete {}", profile.one))
        .about(profile.deleting)
        .shared(&[SPACE_NAME])
        .parameter(identifier(&profile))
        .shared(&[DRY_RUN_NAME, conditions::IF_MATCH_NAME, conditions::IF_NONE_MATCH_NAME])
        .answer("204", Answer::new("It is gone.").optional_header(&openapi::POSITION))
        .problems(&[400, 404, 412, 500])
        .problems(&AT_THE_DOOR)
}

/// The answer that the client has what it asks for.
pub(super) fn not_modified() -> Answer {
    Answer::new("It is still at the tag that `If-None-Match` names.").header(&openapi::ETAG)
}

/// The answer that shows what was changed.
pub(super) fn changed(profile: &Profile, about: &str) -> Answer {
    Answer::new(about).optional_header(&openapi::ETAG).optional_header(&openapi::POSITION).example(
        "application/json",
        openapi::reference(profile.name),
        (profile.shown)(),
    )
}

/// The identifier of one in a path.
pub(super) fn identifier(profile: &Profile) -> Value {
    openapi::parameter("path", &Member::new("id", profile.id))
}
