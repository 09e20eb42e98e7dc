//! What the two APIs are, as OpenAPI 3.1 and as pages for people.
//!
//! Nothing is derived from types here, because the door reads strictly by hand: names of members in any case, `null` as
//! good as absent, values that depend on one another. A derive would tell what a type looks like, not what is taken.
//! Instead, what reads a thing and what tells of it have one list: routes with their operations ([`Endpoint`]), members of
//! JSON and parameters of queries ([`Member`]). Tests hold the rest: real answers must be as they are told.
//!
//! What a resource looks like stands beside its code; here is only how it is written down.

mod cloudevent;
mod document;
mod headers;
mod operation;
mod page;
mod problems;
mod schema;

pub(crate) use cloudevent::{
    BATCH_SCHEMA, RECORDED_SCHEMA, SENT_SCHEMA, example as event_example, recorded_example, recorded_schemas,
    sent_schemas,
};
pub(crate) use document::Document;
pub(crate) use headers::{
    ALLOW, CACHE_CONTROL, DUPLICATE, END, ETAG, GIVEN_REQUEST_ID, LINK, NEXT, POSITION, POSITIONS, QUARANTINED,
    REQUEST_ID,
};
pub(crate) use operation::{Answer, Endpoint, Operation, named_parameter, parameter};
pub(crate) use page::Page;
pub(crate) use problems::{Side, responses as problem_responses, schemas as problem_schemas};
pub(crate) use schema::{Member, flag, number, object, reference, space, text, texts, word};
