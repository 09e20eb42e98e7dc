//! What `weir dev` says of a change that it makes: to what, and, of what is there already, in which parts. Parts are called
//! as in a manifest. What a space has and a manifest does not name goes, and that is said too: it may have been made by
//! the Configuration API.

use weir_catalog::{Command, Cors, EventType, Function, FunctionKind, SpaceCatalog, Start, Subscription};

use crate::naming::{Action, Name, named, noun};

/// A part, and whether it differs.
type Part = (&'static str, bool);

/// Says what a command does to the space as it is now; `None` of one that no difference asks for.
pub(super) fn tell(command: &Command, present: &SpaceCatalog) -> Option<(Action, String)> {
    let (action, name) = named(command, present)?;
    let what = format!("{} {}", noun(name.kind), name.shown);
    let more = match command {
        Command::ReplaceSubscription { id, .. } => present.subscription(id).map(|old| {
            format!(", in the place of {}, and is given what waits for that", Name::of_subscription(old).shown)
        }),
        Command::UpdateEventType(to) => {
            present.registered_event_type(to.name.as_str()).map(|from| listed(&of_event_types(from, to)))
        }
        Command::UpdateFunction(to) => present.function(to.id.as_str()).map(|from| listed(&of_functions(from, to))),
        Command::UpdateSubscription { id, subscription: to } => {
            present.subscription(id).map(|from| listed(&of_subscriptions(from, to)))
        }
        Command::UpdateCors { id, cors: to } => present.cors(id).map(|from| listed(&of_cors(from, to))),
        _ => None,
    };
    Some((action, what + &more.unwrap_or_default()))
}

fn listed(parts: &[Part]) -> String {
    let names: Vec<&str> = parts.iter().filter(|(_, differs)| *differs).map(|(name, _)| *name).collect();
    if names.is_empty() { String::new() } else { format!(": {}", names.join(", ")) }
}

fn of_event_types(from: &EventType, to: &EventType) -> Vec<Part> {
    vec![
        ("key", from.key != to.key),
        ("description", from.description != to.description),
        ("authorizer", from.authorizer != to.authorizer),
        ("authorizer_cache_ms", from.authorizer_cache_ms != to.authorizer_cache_ms),
        ("schema", from.schema != to.schema),
        ("on_invalid", from.on_invalid != to.on_invalid),
        ("metadata", from.metadata != to.metadata),
    ]
}

fn of_functions(from: &Function, to: &Function) -> Vec<Part> {
    let mut parts = of_kinds(&from.kind, &to.kind);
    parts.push(("metadata", from.metadata != to.metadata));
    parts
}

/// Compares what is called. Values that may be secret are compared, and not told.
fn of_kinds(from: &FunctionKind, to: &FunctionKind) -> Vec<Part> {
    use FunctionKind::{Aws, Builtin, Http, Wasm};

    match (from, to) {
        (
            Http { url, timeout_ms, headers, version },
            Http { url: to_url, timeout_ms: to_timeout_ms, headers: to_headers, version: to_version },
        ) => vec![
            ("url", url != to_url),
            ("timeout_ms", timeout_ms != to_timeout_ms),
            ("headers", headers != to_headers),
            ("cloudevents_version", version != to_version),
        ],
        (
            Wasm { code, instances, timeout_ms, memory_bytes_max, config },
            Wasm {
                code: to_code,
                instances: to_instances,
                timeout_ms: to_timeout_ms,
                memory_bytes_max: to_memory_bytes_max,
                config: to_config,
            },
        ) => vec![
            ("source", code != to_code),
            ("instances", instances != to_instances),
            ("timeout_ms", timeout_ms != to_timeout_ms),
            ("memory_bytes_max", memory_bytes_max != to_memory_bytes_max),
            ("config", config != to_config),
        ],
        (Aws(from), Aws(to)) if from.service == to.service => vec![
            ("what is called", from.target != to.target),
            ("region", from.region != to.region),
            ("credentials", from.credentials != to.credentials),
            ("endpoint", from.endpoint != to.endpoint),
            ("timeout_ms", from.timeout_ms != to.timeout_ms),
            ("cloudevents_version", from.version != to.version),
        ],
        (Builtin { name }, Builtin { name: to_name }) => vec![("builtin", name != to_name)],
        _ => vec![("what is called", true)],
    }
}

fn of_subscriptions(from: &Subscription, to: &Subscription) -> Vec<Part> {
    let (old, new) = (from.delivery, to.delivery);
    vec![
        // Where nothing is said of it, it stays.
        ("start", to.start != Start::default() && from.start != to.start),
        ("order", old.order != new.order),
        ("concurrency", old.concurrency != new.concurrency),
        ("batch", (old.batch_size, old.batch_wait_ms) != (new.batch_size, new.batch_wait_ms)),
        ("rate", old.rate != new.rate),
        ("priority", old.priority != new.priority),
        ("timeout_ms", old.timeout_ms != new.timeout_ms),
        ("on_failure", old.on_failure != new.on_failure),
        ("retry", from.retry != to.retry),
        ("metadata", from.metadata != to.metadata),
    ]
}

fn of_cors(from: &Cors, to: &Cors) -> Vec<Part> {
    vec![
        ("origins", from.allowed_origins != to.allowed_origins),
        ("methods", from.allowed_methods != to.allowed_methods),
        ("headers", from.allowed_headers != to.allowed_headers),
        ("credentials", from.allow_credentials != to.allow_credentials),
        ("metadata", from.metadata != to.metadata),
    ]
}

#[cfg(test)]
mod tests {
    use weir_catalog::{Catalog, Code, DeliveryPolicy, Desired, EventTypeName, Method, RetryPolicy, diff};
    use weir_domain::{FunctionId, SpaceName};

    use super::*;

    fn id(text: &str) -> FunctionId {
        FunctionId::new(text).expect("valid")
    }

    fn event_type(name: &str) -> EventType {
        EventType::new(EventTypeName::new(name).expect("valid"))
    }

    fn listener(event_type: &str, function: &str) -> Subscription {
        Subscription::to_events(EventTypeName::new(event_type).expect("valid"), id(function))
    }

    #[test]
    fn every_change_is_told_with_what_is_different() {
        let guarded = EventType { authorizer: Some(id("f")), authorizer_cache_ms: 5, ..event_type("a") };
        let present = Desired {
            event_types: vec![guarded, event_type("b"), event_type("by.api")],
            functions: vec![
                Function::new(id("f"), FunctionKind::wasm(Code::JavaScript("1".into()))),
                Function::new(id("g"), FunctionKind::http("http://g")),
                Function::new(id("old"), FunctionKind::http("http://old")),
            ],
            subscriptions: vec![
                listener("a", "g"),
                listener("b", "old"),
                Subscription::to_route(Method::Get, "/x", id("g")),
            ],
            cors: vec![Cors::new(Method::Get, "/x")],
        };
        let retry = RetryPolicy { attempts_max: Some(3), ..RetryPolicy::default() };
        let delivery = DeliveryPolicy { batch_size: 9, rate: Some(5), ..DeliveryPolicy::default() };
        let mut cors = Cors::new(Method::Get, "/x");
        cors.allow_credentials = true;
        let desired = Desired {
            event_types: vec![event_type("a"), event_type("b"), event_type("c")],
            functions: vec![
                Function::new(id("f"), FunctionKind::wasm(Code::JavaScript("2".into()))),
                Function::new(id("g"), FunctionKind::wasm(Code::JavaScript("1".into()))),
                Function::new(id("new"), FunctionKind::http("http://old")),
            ],
            subscriptions: vec![listener("a", "g").with_retry(retry).with_delivery(delivery), listener("b", "new")],
            cors: vec![cors],
        };
        let (mut catalog, space) = (Catalog::new(), SpaceName::default());
        for command in diff(catalog.space_or_empty(&space), present) {
            let change = catalog.plan(&space, command).expect("good");
            catalog.fold(&change).expect("planned");
        }
        let present = catalog.space_or_empty(&space);
        let told: Vec<_> = diff(present, desired).iter().filter_map(|command| tell(command, present)).collect();
        let lines: Vec<_> = told.iter().map(|(action, what)| format!("{action:?} {what}")).collect();
        let expected = [
            "Update function f: source",
            "Update function g: what is called",
            "Create function new",
            "Update event type a: authorizer, authorizer_cache_ms",
            "Create event type c",
            "Delete subscription GET /x → g",
            "Update subscription a → g: batch, rate, retry",
            "Create subscription b → new, in the place of b → old, and is given what waits for that",
            "Delete event type by.api",
            "Delete function old",
            "Update cors GET /x: credentials",
        ];
        assert_eq!(lines, expected);
    }
}
