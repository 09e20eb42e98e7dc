//! Planning and applying a difference always gives what was desired, and nothing is done twice.

use std::collections::{BTreeMap, BTreeSet};

use proptest::{collection::vec, prelude::*};
use weir_catalog::{
    Activity, Catalog, Command, Cors, DeliveryPolicy, Desired, EventType, Function, HTTP_REQUEST, Method, RetryPolicy,
    Start, Subscription, SubscriptionKind, diff,
};

use crate::make::{
    asynchronous, authorized, event_type, filtered, http, javascript, metadata, name, space, subject, sync, with,
};

/// Makes a catalog into what is desired, each command planned on what those before it gave.
fn reach(catalog: &Catalog, desired: &Desired) -> (Catalog, Vec<Command>) {
    let commands = diff(catalog.space_or_empty(&space()), desired.clone());
    (with(catalog, commands.clone()), commands)
}

fn check(current: &Desired, desired: &Desired) {
    let (catalog, _) = reach(&Catalog::new(), current);
    let (catalog, _) = reach(&catalog, desired);
    let space = catalog.space_or_empty(&space());

    let mut expected = desired.clone();
    let has = |types: &[EventType]| types.iter().any(|it| it.name.as_str() == HTTP_REQUEST);
    let used = desired.subscriptions.iter().any(|it| it.event_type.as_str() == HTTP_REQUEST);
    if used && has(&current.event_types) && !has(&desired.event_types) {
        // What is built in stays registered while it is used, and says nothing more than it does unregistered.
        expected.event_types.push(event_type(HTTP_REQUEST));
    }
    expected.event_types.sort_by(|a, b| a.name.cmp(&b.name));
    expected.functions.sort_by(|a, b| a.id.cmp(&b.id));
    expected.subscriptions.sort_by(|a, b| a.id.cmp(&b.id));
    expected.cors.sort_by(|a, b| a.id.cmp(&b.id));
    let found = Desired {
        event_types: space.event_types().map(|it| (**it).clone()).collect(),
        functions: space.functions().map(|it| (**it).clone()).collect(),
        subscriptions: space.subscriptions().map(|it| (**it).clone()).collect(),
        cors: space.all_cors().map(|it| (**it).clone()).collect(),
    };
    assert_eq!(found, expected);
    for it in desired.subscriptions.iter().filter(|it| it.kind == SubscriptionKind::Sync) {
        // A route, taken as a path, is one of those that it matches.
        let found = space.route(it.method, it.event_type.as_str(), &it.path).expect("routed");
        assert_eq!(*found.subscription, *it);
    }
    assert!(reach(&catalog, desired).1.is_empty());
}

fn names(commands: &[Command]) -> Vec<String> {
    commands
        .iter()
        .map(|command| match command {
            Command::CreateEventType(it) => format!("+ type {}", it.name),
            Command::UpdateEventType(it) => format!("~ type {}", it.name),
            Command::DeleteEventType(name) => format!("- type {name}"),
            Command::CreateFunction(it) => format!("+ function {}", it.id),
            Command::UpdateFunction(it) => format!("~ function {}", it.id),
            Command::DeleteFunction(id) => format!("- function {id}"),
            Command::CreateSubscription(it) => format!("+ {} {}", it.method, it.path),
            Command::ReplaceSubscription { id: _, subscription } => {
                format!("> {} to {}", subscription.event_type, subscription.function)
            }
            Command::UpdateSubscription { subscription, .. } => {
                format!("~ {} {}", subscription.method, subscription.path)
            }
            Command::DeleteSubscription(_) => "- subscription".into(),
            Command::CreateCors(it) => format!("+ cors {}", it.id),
            Command::UpdateCors { id, .. } => format!("~ cors {id}"),
            Command::DeleteCors(id) => format!("- cors {id}"),
            Command::UpdateFunctionKeeping { .. }
            | Command::SetActivity { .. }
            | Command::DeleteSpace { .. }
            | Command::CreateToken(_)
            | Command::DeleteToken(_) => panic!("no difference asks for {command:?}"),
        })
        .collect()
}

#[test]
fn commands_come_in_an_order_that_works() {
    let current = Desired {
        event_types: vec![authorized("a", "old"), event_type("b")],
        functions: vec![http("old"), http("f")],
        subscriptions: vec![sync(Method::Get, "/x/:id", "f"), asynchronous("b", "old")],
        cors: vec![Cors::new(Method::Get, "/x/:id"), Cors::new(Method::Put, "/x")],
    };
    let mut credentials = Cors::new(Method::Put, "/x");
    credentials.allow_credentials = true;
    let desired = Desired {
        event_types: vec![authorized("a", "new"), event_type("c")],
        functions: vec![javascript("f", "x"), http("new")],
        subscriptions: vec![sync(Method::Get, "/x/:name", "new"), asynchronous("c", "f")],
        cors: vec![Cors::new(Method::Get, "/x/:name"), credentials],
    };
    let (catalog, commands) = reach(&Catalog::new(), &current);
    assert_eq!(
        names(&commands),
        [
            "+ function old",
            "+ function f",
            "+ type a",
            "+ type b",
            "+ GET /x/:id",
            "+ POST /",
            "+ cors GET%2Fx%2F:id",
            "+ cors PUT%2Fx",
        ]
    );
    assert_eq!(
        names(&reach(&catalog, &desired).1),
        [
            "~ function f",
            "+ function new",
            "~ type a",
            "+ type c",
            "- subscription",
            "- subscription",
            "+ GET /x/:name",
            "+ POST /",
            "- type b",
            "- function old",
            "- cors GET%2Fx%2F:id",
            "+ cors GET%2Fx%2F:name",
            "~ cors PUT%2Fx",
        ]
    );
    check(&current, &desired);
    check(&desired, &Desired::default());
}

#[test]
fn only_what_cannot_be_updated_is_made_again() {
    let of = |subscription: Subscription| Desired {
        functions: vec![http("f"), http("g")],
        subscriptions: vec![subscription],
        ..Desired::default()
    };
    let first = sync(Method::Get, "/", "f");
    let (catalog, _) = reach(&Catalog::new(), &of(first.clone()));
    let (_, commands) = reach(&catalog, &of(first.with_metadata(metadata(("a", "b")))));
    assert_eq!(names(&commands), ["~ GET /"]);
    let (_, commands) = reach(&catalog, &of(sync(Method::Get, "/", "g")));
    assert_eq!(names(&commands), ["- subscription", "+ GET /"]);
}

/// What waits for a listener whose function has another name now must not be lost, and goes to no wrong one.
#[test]
fn a_listener_with_another_function_takes_the_place_of_the_one_before() {
    let of = |functions: &[(&str, &str)], listeners: &[(&str, &str)]| Desired {
        event_types: vec![event_type("a"), event_type("b")],
        functions: functions.iter().map(|(id, code)| javascript(id, code)).collect(),
        subscriptions: listeners.iter().map(|(event, id)| asynchronous(event, id)).collect(),
        ..Desired::default()
    };
    let check = |from: &Desired, to: &Desired, expected: &[&str]| {
        let (catalog, _) = reach(&Catalog::new(), from);
        let mut commands = names(&reach(&catalog, to).1);
        commands.retain(|it| !it.contains("function") && !it.contains("type"));
        assert_eq!(commands, expected);
        check(from, to);
    };
    let one = of(&[("f", "1")], &[("a", "f")]);
    check(&one, &of(&[("g", "1")], &[("a", "g")]), &["> a to g"]);
    check(&one, &of(&[("g", "2")], &[("a", "g")]), &["> a to g"]);
    check(&one, &of(&[("f", "1"), ("g", "2")], &[("a", "g")]), &["> a to g"]);
    // For other events, there is nothing to carry on with.
    check(&one, &of(&[("g", "1")], &[("b", "g")]), &["- subscription", "+ POST /"]);
    // Who stays has its cursor.
    check(&one, &of(&[("f", "1"), ("g", "1")], &[("a", "f"), ("a", "g")]), &["+ POST /"]);
    let two = of(&[("f", "1"), ("g", "2")], &[("a", "f"), ("a", "g")]);
    // The code tells which is which, crosswise too, and the last one follows from that.
    check(&two, &of(&[("x", "2"), ("y", "1")], &[("a", "x"), ("a", "y")]), &["> a to x", "> a to y"]);
    check(&two, &of(&[("x", "2"), ("y", "3")], &[("a", "x"), ("a", "y")]), &["> a to x", "> a to y"]);
    let (catalog, _) = reach(&Catalog::new(), &two);
    let (_, commands) = reach(&catalog, &of(&[("x", "2"), ("y", "1")], &[("a", "x"), ("a", "y")]));
    let crosswise = |from: &str, to: &str| Command::ReplaceSubscription {
        id: asynchronous("a", from).id.to_string(),
        subscription: asynchronous("a", to),
    };
    assert!(commands.contains(&crosswise("g", "x")) && commands.contains(&crosswise("f", "y")), "{commands:?}");
    // Nothing tells here.
    let unknown = ["- subscription", "- subscription", "+ POST /", "+ POST /"];
    check(&two, &of(&[("x", "3"), ("y", "4")], &[("a", "x"), ("a", "y")]), &unknown);
    check(&two, &of(&[("x", "3")], &[("a", "x")]), &unknown[..3]);
}

#[test]
fn a_listener_with_another_filter_takes_the_place_of_the_one_before() {
    let of = |listeners: Vec<Subscription>| Desired {
        event_types: vec![event_type("a")],
        functions: vec![http("f"), http("g")],
        subscriptions: listeners,
        ..Desired::default()
    };
    let check = |from: Vec<Subscription>, to: Vec<Subscription>, expected: &[&str]| {
        let (from, to) = (of(from), of(to));
        let (catalog, _) = reach(&Catalog::new(), &from);
        assert_eq!(names(&reach(&catalog, &to).1), expected);
        check(&from, &to);
    };
    let with = |function: &str, prefix: &str| filtered("a", function, prefix);
    check(vec![with("f", "eu/")], vec![with("f", "us/")], &["> a to f"]);
    check(vec![asynchronous("a", "f")], vec![with("f", "us/")], &["> a to f"]);
    check(vec![with("f", "us/")], vec![asynchronous("a", "f")], &["> a to f"]);
    check(vec![with("f", "eu/")], vec![with("g", "eu/")], &["> a to g"]);
    // Each goes on with what it had.
    check(
        vec![with("f", "eu/"), with("g", "us/")],
        vec![with("f", "us/"), with("g", "eu/")],
        &["> a to f", "> a to g"],
    );
    // Who has nothing in common, or may be one of two, begins anew.
    check(vec![with("f", "eu/")], vec![with("g", "us/")], &["- subscription", "+ POST /"]);
    let split = vec![with("f", "us/"), with("f", "asia/")];
    check(vec![with("f", "eu/")], split, &["- subscription", "+ POST /", "+ POST /"]);
}

#[test]
fn whether_and_from_where_on_a_subscription_delivers_is_no_difference() {
    let of = |subscription: Subscription| Desired {
        event_types: vec![event_type("a")],
        functions: vec![http("f")],
        subscriptions: vec![subscription],
        ..Desired::default()
    };
    let plain = asynchronous("a", "f");
    let begun = plain.clone().with_start(Start::Earliest);
    let (catalog, _) = reach(&Catalog::new(), &of(begun.clone()));
    let paused = with(&catalog, [Command::SetActivity { id: plain.id.to_string(), activity: Activity::Paused }]);
    for same in [plain.clone(), begun] {
        assert!(names(&diff(paused.space_or_empty(&space()), of(same))).is_empty());
    }
    // A start that is named and another one is told, and refused: nobody wants all of it once more by mistake.
    let (catalog, _) = reach(&Catalog::new(), &of(plain.clone()));
    let commands = diff(catalog.space_or_empty(&space()), of(plain.with_start(Start::Earliest)));
    assert_eq!(names(&commands), ["~ POST /"]);
    let error = catalog.plan(&space(), commands[0].clone()).expect_err("it began elsewhere");
    assert!(error.cure().contains("use a replay"), "{}", error.cure());
}

#[test]
fn what_is_desired_twice_is_refused_by_planning() {
    let desired = Desired {
        functions: vec![http("f")],
        subscriptions: vec![sync(Method::Get, "/", "f"), sync(Method::Get, "/", "f")],
        ..Desired::default()
    };
    let commands = diff(Catalog::new().space_or_empty(&space()), desired);
    let (last, first) = commands.split_last().expect("commands");
    let catalog = with(&Catalog::new(), first.iter().cloned());
    catalog.plan(&space(), last.clone()).expect_err("a subscription that exists");
}

/// Numbers that become parts of a space; what would not fit is left out.
type Seed = (u8, u8, u8, u8);

fn desired() -> impl Strategy<Value = Desired> {
    let seed = || vec(any::<Seed>(), 0..8);
    (seed(), seed(), seed(), seed()).prop_map(|(functions, event_types, subscriptions, cors)| {
        let functions: BTreeMap<_, _> = functions.into_iter().map(function).map(|it| (it.id.clone(), it)).collect();
        let authorizers: Vec<_> = functions.keys().map(|id| id.as_str()).collect();
        let event_types: BTreeMap<_, _> =
            event_types.into_iter().map(|seed| declared(seed, &authorizers)).map(|it| (it.name.clone(), it)).collect();
        let mut space = Desired {
            event_types: event_types.into_values().collect(),
            functions: functions.into_values().collect(),
            subscriptions: Vec::new(),
            cors: cors
                .into_iter()
                .map(allowed)
                .map(|it| (it.id.clone(), it))
                .collect::<BTreeMap<_, _>>()
                .into_values()
                .collect(),
        };
        let mut taken = BTreeSet::new();
        for it in subscriptions.into_iter().filter_map(|seed| bound(seed, &space)).collect::<Vec<_>>() {
            // One route for each method and event type cannot conflict with another.
            let place = (it.kind, it.event_type.clone(), it.method);
            if it.kind == SubscriptionKind::Async || taken.insert(place) {
                space.subscriptions.retain(|each| each.id != it.id);
                space.subscriptions.push(it);
            }
        }
        space
    })
}

fn function((which, kind, ..): Seed) -> Function {
    let id = format!("f{}", which % 4);
    if kind % 2 == 0 { http(&id) } else { javascript(&id, &format!("// {kind}")) }
}

fn declared((which, kind, authorizer, _): Seed, authorizers: &[&str]) -> EventType {
    let name = ["a", "b", "c", "http.request"][usize::from(which % 4)];
    match authorizers.get(usize::from(authorizer % 6)) {
        Some(authorizer) => authorized(name, authorizer),
        None => EventType { metadata: metadata(("kind", &(kind % 2).to_string())), ..event_type(name) },
    }
}

fn bound((event, function, method, route): Seed, space: &Desired) -> Option<Subscription> {
    let function = space.functions.get(usize::from(function) % space.functions.len().max(1))?.id.clone();
    let names: Vec<_> = space.event_types.iter().map(|it| it.name.clone()).chain([name("http.request")]).collect();
    let event_type = names[usize::from(event) % names.len()].clone();
    let kind = if route % 2 == 0 { SubscriptionKind::Sync } else { SubscriptionKind::Async };
    let method = Method::ALL[usize::from(method % 3)];
    let path = ["/", "/a", "/:id", "/:name", "/a/*rest", "/*all"][usize::from(route / 2 % 6)];
    let retry = RetryPolicy { attempts_max: Some(u32::from(route % 3) + 1), ..RetryPolicy::default() };
    let it = Subscription::new(kind, event_type, function, method, path).with_retry(retry);
    if kind == SubscriptionKind::Sync {
        return Some(it);
    }
    let filter = [None, Some(subject("eu/")), Some(subject("us/"))][usize::from(route / 12 % 3)].clone();
    // The same one always begins in the same place: another start would be refused.
    let start = if method == Method::ALL[0] { Start::Earliest } else { Start::Now };
    let delivery = DeliveryPolicy { concurrency: u32::from(route % 3) + 1, ..DeliveryPolicy::default() };
    Some(it.with_filter(filter).with_start(start).with_delivery(delivery))
}

proptest! {
    #[test]
    fn a_difference_gives_what_is_desired(current in desired(), wanted in desired()) {
        check(&current, &wanted);
    }
}

/// Static paths only, which exclude nothing.
fn allowed((method, path, credentials, origins): Seed) -> Cors {
    let mut it =
        Cors::new(Method::ALL[usize::from(method) % Method::COUNT], ["/a", "/b", "/a/b"][usize::from(path) % 3]);
    it.allow_credentials = credentials % 2 == 1;
    it.allowed_origins.truncate(usize::from(origins % 2));
    it
}
