//! The other side of the Configuration API: for programs that ask a server for what it has and for changes.
//!
//! Both sides read and write the same forms, so that what a program declares and what a server shows can be compared.
//! Nothing is sent here.

use std::sync::Arc;

use http::Method;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Serialize;
use weir_catalog::{CatalogError, ChangeKind, Command, Detail, Resource as Kind};
use weir_domain::SpaceName;

use super::{
    cors::CorsConfigurations,
    event_types::EventTypes,
    functions::{self, Functions},
    resource::Resource,
    subscriptions::{Subscriptions, Successor, activity},
    tokens,
};

pub use super::components::Components;

/// All kinds of resources of a space, those that are referred to before those that refer to them.
pub const KINDS: [Kind; 4] = [Kind::Function, Kind::EventType, Kind::Subscription, Kind::Cors];

/// A change as it is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// The method.
    pub method: Method,
    /// The path, percent-encoded.
    pub path: String,
    /// JSON; empty where a path says all. It has what is not shown to readers: it belongs in no log.
    pub body: Vec<u8>,
}

/// Returns the path of all resources of a kind, or of one of them. Tokens are of no space.
#[must_use]
pub fn path(space: &SpaceName, kind: Kind, id: Option<&str>) -> String {
    let segment = match kind {
        Kind::EventType => EventTypes::SEGMENT,
        Kind::Function => Functions::SEGMENT,
        Kind::Subscription => Subscriptions::SEGMENT,
        Kind::Cors => CorsConfigurations::SEGMENT,
        Kind::Token => tokens::LIST,
    };
    let all = if kind == Kind::Token { tokens::PATH.to_owned() } else { format!("/v1/spaces/{space}/{segment}") };
    match id {
        None => all,
        Some(id) => format!("{all}/{}", utf8_percent_encode(id, NON_ALPHANUMERIC)),
    }
}

/// Returns the name under which an answer lists the resources of a kind.
#[must_use]
pub const fn list_name(kind: Kind) -> &'static str {
    match kind {
        Kind::EventType => EventTypes::LIST,
        Kind::Function => Functions::LIST,
        Kind::Subscription => Subscriptions::LIST,
        Kind::Cors => CorsConfigurations::LIST,
        Kind::Token => tokens::LIST,
    }
}

/// Writes the request that asks for what a command says.
#[must_use]
pub fn request(space: &SpaceName, command: &Command) -> Request {
    let name = space.as_str();
    match command {
        // What is asked for is another token with these rights: the server gives it its identifier and its secret.
        Command::CreateToken(it) => posted(space, Kind::Token, &tokens::view(it)),
        Command::DeleteToken(id) => deleted(space, Kind::Token, id),
        Command::CreateEventType(it) => posted(space, Kind::EventType, &EventTypes::view(name, it)),
        Command::UpdateEventType(it) => replaced(space, Kind::EventType, it.name.as_str(), &EventTypes::view(name, it)),
        Command::DeleteEventType(id) => deleted(space, Kind::EventType, id),
        Command::CreateFunction(it) => posted(space, Kind::Function, &functions::whole(name, it)),
        Command::UpdateFunction(it) => replaced(space, Kind::Function, it.id.as_str(), &functions::whole(name, it)),
        Command::UpdateFunctionKeeping { function, kept } => {
            // What is to stay is asked for by what was shown in its place.
            let mut it = function.clone();
            kept.iter().for_each(|text| it.kind.set_secret(text, functions::HIDDEN.to_owned()));
            replaced(space, Kind::Function, it.id.as_str(), &functions::whole(name, &it))
        }
        Command::DeleteFunction(id) => deleted(space, Kind::Function, id),
        Command::CreateSubscription(it) => posted(space, Kind::Subscription, &Subscriptions::view(name, it)),
        Command::ReplaceSubscription { id, subscription } => {
            posted(space, Kind::Subscription, &Successor::of(name, subscription, id))
        }
        Command::UpdateSubscription { id, subscription } => {
            replaced(space, Kind::Subscription, id, &Subscriptions::view(name, subscription))
        }
        Command::SetActivity { id, activity } => {
            let path = format!("{}/{}", path(space, Kind::Subscription, Some(id)), activity::verb(*activity));
            Request { method: Method::POST, path, body: Vec::new() }
        }
        Command::DeleteSubscription(id) => deleted(space, Kind::Subscription, id),
        Command::CreateCors(it) => posted(space, Kind::Cors, &CorsConfigurations::view(name, it)),
        Command::UpdateCors { id, cors } => replaced(space, Kind::Cors, id, &CorsConfigurations::view(name, cors)),
        Command::DeleteCors(id) => deleted(space, Kind::Cors, id),
        Command::DeleteSpace { force } => {
            Request { method: Method::DELETE, path: format!("/v1/spaces/{space}?force={force}"), body: Vec::new() }
        }
    }
}

fn posted(space: &SpaceName, kind: Kind, view: &impl Serialize) -> Request {
    Request { method: Method::POST, path: path(space, kind, None), body: json(view) }
}

fn replaced(space: &SpaceName, kind: Kind, id: &str, view: &impl Serialize) -> Request {
    Request { method: Method::PUT, path: path(space, kind, Some(id)), body: json(view) }
}

fn deleted(space: &SpaceName, kind: Kind, id: &str) -> Request {
    Request { method: Method::DELETE, path: path(space, kind, Some(id)), body: Vec::new() }
}

fn json(view: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(view).expect("wire types have text for names and no failing parts")
}

/// Reads the JSON text with which a client creates a resource, as the server reads it.
///
/// # Errors
/// Where the server would refuse the text, whatever else it has.
pub fn read(kind: Kind, text: &str) -> Result<Command, CatalogError> {
    let space = SpaceName::default();
    let space = space.as_str();
    let (_, command) = match kind {
        Kind::EventType => EventTypes::create(text, space),
        Kind::Function => Functions::create(text, space),
        Kind::Subscription => Subscriptions::create(text, space),
        Kind::Cors => CorsConfigurations::create(text, space),
        // Only a server knows identifier and secret.
        Kind::Token => {
            let detail = Detail::new("tokens are made by servers", "make one with `weir token create`");
            Err(CatalogError::invalid(Kind::Token, detail))
        }
    }?;
    Ok(command)
}

/// Reads the JSON text in which a server shows a resource, as the change that brought it about; `None` where the text
/// is of another kind.
///
/// What a server hides differs here from everything that can be declared: a hidden text is `*****`, and a component has
/// no bytes, unless it is one of these, which are known by their digests.
///
/// # Errors
/// Where the text is no such resource.
pub fn read_shown(kind: Kind, text: &str, components: &Components) -> Result<Option<ChangeKind>, CatalogError> {
    if kind == Kind::Function {
        let function = functions::read_shown(text, SpaceName::default().as_str(), components)?;
        return Ok(Some(ChangeKind::FunctionCreated(Arc::new(function))));
    }
    Ok(match read(kind, text)? {
        Command::CreateEventType(it) => Some(ChangeKind::EventTypeCreated(Arc::new(it))),
        Command::CreateSubscription(it) => Some(ChangeKind::SubscriptionCreated(Arc::new(it))),
        Command::CreateCors(it) => Some(ChangeKind::CorsCreated(Arc::new(it))),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};
    use weir_catalog::{Activity, Catalog, Change, Desired, Function, diff};

    use super::*;

    /// What a server has of this text, read back from what it shows.
    fn shown(kind: Kind, text: &Value, components: &Components) -> ChangeKind {
        let space = SpaceName::default();
        let command = read(kind, &text.to_string()).expect("good");
        let view = match &command {
            Command::CreateFunction(it) => json(&Functions::view(space.as_str(), it)),
            other => request(&space, other).body,
        };
        let view = String::from_utf8(view).expect("JSON");
        read_shown(kind, &view, components).expect("good").expect("of this kind")
    }

    #[test]
    fn what_a_server_shows_equals_what_was_sent_but_for_what_it_hides() {
        let retry = json!({ "attemptsMax": 3, "multiplier": 1.5 });
        let delivered = json!({
            "type": "async", "eventType": "a", "functionId": "n", "filter": [{ "exact": { "subject": "x" } }],
            "start": { "time": "2026-01-31T12:00:00Z" }, "batch": { "size": 9 }, "onFailure": "hold-key",
        });
        let aws = |secret: Option<&str>| {
            let mut provider = json!({ "streamName": "orders", "region": "eu-central-1", "cloudEventsVersion": "0.1" });
            if let Some(secret) = secret {
                provider["awsAccessKeyId"] = json!("AKIDEXAMPLE");
                provider["awsSecretAccessKey"] = json!(secret);
            }
            provider
        };
        let texts = [
            (Kind::EventType, json!({ "name": "a", "key": "/data/id", "metadata": { "k": "v" } })),
            (Kind::Function, json!({ "functionId": "f", "type": "wasm", "provider": { "javascript": "x" } })),
            (Kind::Function, json!({ "functionId": "g", "type": "http", "provider": { "url": "http://a" } })),
            (Kind::Function, json!({ "functionId": "s", "type": "awskinesis", "provider": aws(None) })),
            (Kind::Function, json!({ "functionId": "c", "type": "wasm", "provider": { "component": "AGFzbQE=" } })),
            (Kind::Function, json!({ "functionId": "n", "type": "builtin", "provider": { "name": "count" } })),
            (Kind::Subscription, json!({ "type": "async", "eventType": "a", "functionId": "f", "retry": retry })),
            (Kind::Subscription, delivered),
            (
                Kind::Subscription,
                json!({ "type": "sync", "eventType": "http.request", "functionId": "g", "path": "/x" }),
            ),
            (Kind::Cors, json!({ "method": "GET", "path": "/x", "allowedOrigins": ["https://a"] })),
        ];
        let hidden = [
            json!({ "functionId": "h", "type": "http", "provider": { "url": "http://a", "headers": { "x-a": "b" } } }),
            json!({ "functionId": "i", "type": "wasm", "provider": { "javascript": "x", "config": { "a": "b" } } }),
            json!({ "functionId": "j", "type": "wasm", "provider": { "component": "AGFzbQ==", "config": { "a": "b" } } }),
            json!({ "functionId": "k", "type": "awskinesis", "provider": aws(Some("s3cret")) }),
        ];
        let (mut catalog, mut desired) = (Catalog::new(), Desired::default());
        let all = texts.iter().map(|(kind, text)| (*kind, text)).chain(hidden.iter().map(|it| (Kind::Function, it)));
        let all: Vec<(Kind, &Value)> = all.collect();
        for (kind, text) in &all {
            match read(*kind, &text.to_string()).expect("good") {
                Command::CreateEventType(it) => desired.event_types.push(it),
                Command::CreateFunction(it) => desired.functions.push(it),
                Command::CreateSubscription(it) => desired.subscriptions.push(it),
                Command::CreateCors(it) => desired.cors.push(it),
                other => panic!("{other:?}"),
            }
        }
        let components = Components::of(&desired.functions);
        for (kind, text) in all {
            catalog
                .fold(&Change { space: SpaceName::default(), kind: shown(kind, text, &components) })
                .expect("it fits");
        }
        let commands = diff(catalog.space_or_empty(&SpaceName::default()), desired);
        let updated: Vec<_> = commands
            .iter()
            .map(|command| match command {
                Command::UpdateFunction(it) => it.id.as_str(),
                other => panic!("{other:?}"),
            })
            .collect();
        assert_eq!(updated, ["h", "i", "j", "k"]);
    }

    #[test]
    fn a_component_is_known_by_its_digest_alone() {
        let component =
            |base64: &str| json!({ "functionId": "f", "type": "wasm", "provider": { "component": base64 } });
        let function = |change: ChangeKind| match change {
            ChangeKind::FunctionCreated(it) => Function::clone(&it),
            other => panic!("{other:?}"),
        };
        let read = |base64: &str| match read(Kind::Function, &component(base64).to_string()) {
            Ok(Command::CreateFunction(it)) => it,
            other => panic!("{other:?}"),
        };
        let (one, other) = (read("AGFzbQ=="), read("AGFzbQE="));
        let shown = |components: &Components| function(shown(Kind::Function, &component("AGFzbQ=="), components));
        assert_eq!(shown(&Components::of(&[other.clone(), one.clone()])), one);
        // Neither one of the same size nor an unknown one is taken for it.
        let same_size = read("AGFzbg==");
        let unknown = shown(&Components::of(&[other, same_size.clone()]));
        assert!(unknown != one && unknown != same_size, "{unknown:?}");
    }

    #[test]
    fn requests_have_what_readers_are_not_shown() {
        let space = SpaceName::new("shop").expect("valid");
        let keys =
            ["awsAccessKeyId", "awsSecretAccessKey", "awsSessionToken"].map(|name| (name.to_owned(), json!("s3cret")));
        let mut lambda = json!({ "arn": "bill", "region": "eu-central-1" });
        lambda.as_object_mut().expect("an object").extend(keys);
        for (kind, provider) in [
            ("wasm", json!({ "component": "AGFzbQ==", "config": { "token": "secret" } })),
            ("http", json!({ "url": "http://a", "headers": { "x-a": "secret" }, "cloudEventsVersion": "0.1" })),
            ("awslambda", lambda),
        ] {
            let text = json!({ "functionId": "f", "type": kind, "provider": provider });
            let command = read(Kind::Function, &text.to_string()).expect("good");
            let Request { method, path, body } = request(&space, &command);
            assert_eq!((method, path.as_str()), (Method::POST, "/v1/spaces/shop/functions"));
            let text = String::from_utf8(body).expect("JSON");
            assert_eq!(read(Kind::Function, &text), Ok(command));
        }
        for (activity, verb) in
            [(Activity::Paused, "pause"), (Activity::Active, "resume"), (Activity::Draining, "drain")]
        {
            let Request { method, path, body } = request(&space, &Command::SetActivity { id: "a".into(), activity });
            assert_eq!(
                (method, path, body.len()),
                (Method::POST, format!("/v1/spaces/shop/subscriptions/a/{verb}"), 0)
            );
        }
        let deleted = request(&space, &Command::DeleteCors("GET%2Fx".into()));
        assert_eq!((deleted.method, deleted.path.as_str()), (Method::DELETE, "/v1/spaces/shop/cors/GET%252Fx"));
    }
}
