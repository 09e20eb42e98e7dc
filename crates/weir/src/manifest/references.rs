//! What the tables of a manifest say about one another: names that are given twice, references to nothing, and routes
//! that exclude each other. The rules are the catalog's: they are asked by planning the whole on an empty one.

use weir_catalog::{
    Catalog, CatalogError, Command, Cors, Desired, EventType, EventTypeName, Function, HTTP_REQUEST, Resource,
    Subscription, SystemEvent,
};
use weir_domain::{FunctionId, SpaceName};

use crate::{
    document::{Document, Placed},
    manifest::{
        resources::{Resources, Source, SubscriptionDraft},
        wording::in_manifest,
    },
    report::did_you_mean,
};

/// Checks everything together; `None` where nothing can be made of it, which then has a fault.
pub(super) fn check(document: &Document<'_>, resources: Resources) -> Option<(SpaceName, Desired)> {
    let Resources { space, event_types, functions, subscriptions, cors, .. } = resources;
    let (event_type_names, function_ids) = (resources.event_type_names, resources.function_ids);
    refuse_repeated(document, "event type", &event_type_names);
    refuse_repeated(document, "function", &function_ids);
    let mut known_types: Vec<&str> = event_type_names.iter().map(|name| name.value.as_str()).collect();
    known_types.push(HTTP_REQUEST);
    known_types.extend(SystemEvent::ALL.map(SystemEvent::name));
    let known_functions: Vec<&str> = function_ids.iter().map(|id| id.value.as_str()).collect();
    for name in &resources.authorizers {
        is_declared(document, "function", name, &known_functions);
    }
    let bound = subscriptions.into_iter().filter_map(|draft| bind(document, draft, &known_types, &known_functions));
    let subscriptions: Vec<Placed<Subscription>> = bound.collect();
    refuse_repeated_subscriptions(document, &subscriptions);
    // Rules do not depend on the name of the space: they are asked also where that is a fault itself.
    let planned =
        Declared { event_types: &event_types, functions: &functions, subscriptions: &subscriptions, cors: &cors };
    plan(document, &space.clone().unwrap_or_default(), &planned);
    let desired = Desired {
        event_types: event_types.into_iter().map(|it| it.value).collect(),
        functions: functions.into_iter().map(|it| it.value).collect(),
        subscriptions: subscriptions.into_iter().map(|it| it.value).collect(),
        cors: cors.into_iter().map(|it| it.value).collect(),
    };
    Some((space?, desired))
}

fn refuse_repeated(document: &Document<'_>, what: &str, names: &[Placed<String>]) {
    for (number, name) in names.iter().enumerate() {
        if let Some(first) = names[..number].iter().find(|earlier| earlier.value == name.value) {
            let line = document.line(first.at);
            document.fault(name.at, format!("{what} {:?} is declared in line {line} already: remove one", name.value));
        }
    }
}

fn refuse_repeated_subscriptions(document: &Document<'_>, subscriptions: &[Placed<Subscription>]) {
    for (number, it) in subscriptions.iter().enumerate() {
        if let Some(first) = subscriptions[..number].iter().find(|earlier| earlier.value.id == it.value.id) {
            let line = document.line(first.at);
            document.fault(it.at, format!("the same subscription stands in line {line} already: remove one"));
        }
    }
}

/// Makes the subscription; `None` where it refers to what is not declared, or where its table had a fault.
fn bind(
    document: &Document<'_>,
    draft: SubscriptionDraft,
    known_types: &[&str],
    known_functions: &[&str],
) -> Option<Placed<Subscription>> {
    let SubscriptionDraft { at, function, source, start, delivery, retry, metadata } = draft;
    let function = function.filter(|function| is_declared(document, "function", function, known_functions));
    let is_known = |name: &Placed<String>| is_declared(document, "event type", name, known_types);
    let source = source.filter(|source| source.event.as_ref().is_none_or(is_known));
    // A declared name that cannot be one was told where it is declared.
    let function = FunctionId::new(&function?.value).ok()?;
    let Source { kind, event, method, path, filter } = source?;
    let event_type = match event {
        Some(name) => EventTypeName::new(&name.value).ok()?,
        None => EventTypeName::http_request(),
    };
    let value = Subscription::new(kind, event_type, function, method, &path)
        .with_filter(filter)
        .with_start(start)
        .with_delivery(delivery)
        .with_retry(retry)
        .with_metadata(metadata);
    Some(Placed { value, at })
}

fn is_declared(document: &Document<'_>, what: &str, name: &Placed<String>, known: &[&str]) -> bool {
    let declared = known.contains(&name.value.as_str());
    if !declared {
        let cure = if known.is_empty() { "declare it".to_owned() } else { did_you_mean(&name.value, known) };
        document.fault(name.at, format!("{what} {:?} is not declared: {cure}", name.value));
    }
    declared
}

/// All that is asked about.
struct Declared<'a> {
    event_types: &'a [Placed<EventType>],
    functions: &'a [Placed<Function>],
    subscriptions: &'a [Placed<Subscription>],
    cors: &'a [Placed<Cors>],
}

/// Asks the catalog about everything, in the order in which it would be made.
fn plan(document: &Document<'_>, space: &SpaceName, declared: &Declared<'_>) {
    let Declared { event_types, functions, subscriptions, cors } = declared;
    let mut catalog = Catalog::new();
    let mut ask = |at: usize, what: String, command: Command| match catalog.plan(space, command) {
        Ok(change) => {
            if let Err(error) = catalog.fold(&change) {
                document.fault(at, format!("{what}: {error}"));
            }
        }
        Err(error) => refuse(document, at, &what, &error),
    };
    for it in *functions {
        ask(it.at, format!("function {:?}", it.value.id.as_str()), Command::CreateFunction(it.value.clone()));
    }
    for it in *event_types {
        ask(it.at, format!("event type {:?}", it.value.name.as_str()), Command::CreateEventType(it.value.clone()));
    }
    for it in *subscriptions {
        let what = format!("subscription of {:?}", it.value.function.as_str());
        ask(it.at, what, Command::CreateSubscription(it.value.clone()));
    }
    for it in *cors {
        ask(it.at, format!("cors of {} {}", it.value.method, it.value.path), Command::CreateCors(it.value.clone()));
    }
}

fn refuse(document: &Document<'_>, at: usize, what: &str, error: &CatalogError) {
    match error {
        CatalogError::AlreadyExists { resource: Resource::Cors, .. } => {
            document.fault(at, format!("{what}: it is declared already: remove one"));
        }
        // Told where it stands, with a guess at what was meant.
        CatalogError::AlreadyExists { .. }
        | CatalogError::MissingReference { .. }
        | CatalogError::AuthorizerMissing => {}
        CatalogError::Invalid { details, .. } => {
            details.iter().for_each(|detail| document.fault(at, format!("{what}: {}", in_manifest(detail.cure()))));
        }
        other => document.fault(at, format!("{what}: {other}: {}", other.cure())),
    }
}
