//! Short ways to make what the tests are about.

use std::collections::BTreeMap;

use serde_json::json;
use weir_catalog::{
    Catalog, Code, Command, EventType, EventTypeName, Filter, Function, FunctionKind, Method, Subscription,
    SubscriptionKind,
};
use weir_domain::{FunctionId, SpaceName};

pub(crate) fn space() -> SpaceName {
    SpaceName::new("shop").expect("valid")
}

pub(crate) fn name(text: &str) -> EventTypeName {
    EventTypeName::new(text).expect("valid")
}

pub(crate) fn id(text: &str) -> FunctionId {
    FunctionId::new(text).expect("valid")
}

pub(crate) fn event_type(text: &str) -> EventType {
    EventType::new(name(text))
}

pub(crate) fn authorized(text: &str, authorizer: &str) -> EventType {
    EventType { authorizer: Some(id(authorizer)), ..event_type(text) }
}

pub(crate) fn http(text: &str) -> Function {
    Function::new(id(text), FunctionKind::http("http://localhost:8080/"))
}

pub(crate) fn javascript(text: &str, source: &str) -> Function {
    Function::new(id(text), FunctionKind::wasm(Code::JavaScript(source.into())))
}

pub(crate) fn sync(method: Method, path: &str, function: &str) -> Subscription {
    Subscription::to_route(method, path, id(function))
}

pub(crate) fn sync_to(event_type: &str, method: Method, path: &str, function: &str) -> Subscription {
    Subscription::new(SubscriptionKind::Sync, name(event_type), id(function), method, path)
}

pub(crate) fn asynchronous(event_type: &str, function: &str) -> Subscription {
    Subscription::to_events(name(event_type), id(function))
}

pub(crate) fn asynchronous_at(event_type: &str, method: Method, path: &str, function: &str) -> Subscription {
    Subscription::new(SubscriptionKind::Async, name(event_type), id(function), method, path)
}

/// Events whose subject begins so.
pub(crate) fn subject(prefix: &str) -> Filter {
    Filter::parse(&json!({ "prefix": { "subject": prefix } })).expect("a filter")
}

pub(crate) fn filtered(event_type: &str, function: &str, prefix: &str) -> Subscription {
    asynchronous(event_type, function).with_filter(Some(subject(prefix)))
}

pub(crate) fn metadata(entry: (&str, &str)) -> BTreeMap<String, String> {
    BTreeMap::from([(entry.0.to_owned(), entry.1.to_owned())])
}

/// Plans and applies commands that must all be good.
pub(crate) fn with(catalog: &Catalog, commands: impl IntoIterator<Item = Command>) -> Catalog {
    commands.into_iter().fold(catalog.clone(), |catalog, command| {
        let change = catalog.plan(&space(), command.clone()).unwrap_or_else(|error| panic!("{command:?}: {error}"));
        catalog.apply(&change).expect("a planned change")
    })
}
