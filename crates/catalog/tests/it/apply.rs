//! What the next catalog has, what it shares with the one before, and what it answers.

use std::sync::Arc;

use weir_catalog::{
    ApplyError, Arrival, Catalog, Change, ChangeKind, Command, HTTP_REQUEST, Matching, Method, SpaceCatalog,
    SubscriptionKind, Target,
};
use weir_domain::{ErrorKind, Event, SpaceName};

use crate::make::{
    asynchronous, asynchronous_at, authorized, event_type, filtered, http, metadata, space, sync, sync_to, with,
};

fn shop() -> Catalog {
    with(
        &Catalog::new(),
        [
            Command::CreateFunction(http("f")),
            Command::CreateFunction(http("g")),
            Command::CreateEventType(event_type("order.placed")),
            Command::CreateEventType(event_type("order.paid")),
            Command::CreateSubscription(sync(Method::Get, "/products/:id", "f")),
            Command::CreateSubscription(sync(Method::Put, "/products/:sku", "g")),
            Command::CreateSubscription(sync_to("order.placed", Method::Post, "/orders/*rest", "f")),
            Command::CreateSubscription(asynchronous("order.placed", "f")),
            Command::CreateSubscription(asynchronous("order.placed", "g")),
            Command::CreateSubscription(asynchronous("order.paid", "g")),
        ],
    )
}

fn functions_of<'a>(space: &'a SpaceCatalog, event_type: &str) -> Vec<&'a str> {
    let found = space.async_of(event_type, Arrival::DEFAULT, Matching::Pattern);
    let mut functions: Vec<&str> = found.map(|each| each.function.as_str()).collect();
    functions.sort_unstable();
    functions
}

#[test]
fn requests_find_their_subscription() {
    let catalog = shop();
    let shop = catalog.space(&space()).expect("there");
    let check = |event_type: &str, method: Method, path: &str, expected: Option<&str>| {
        let found = shop.route(method, event_type, path).map(|found| {
            let params: Vec<String> = found.params.iter().map(|(name, value)| format!("{name}={value}")).collect();
            format!("{} {}", found.subscription.function, params.join(";"))
        });
        assert_eq!(found.as_deref(), expected, "{event_type} {method} {path}");
    };
    check(HTTP_REQUEST, Method::Get, "/products/4%202", Some("f id=4 2"));
    check(HTTP_REQUEST, Method::Put, "/products/1", Some("g sku=1"));
    check(HTTP_REQUEST, Method::Post, "/products/1", None);
    check(HTTP_REQUEST, Method::Head, "/products/1", None);
    check("order.placed", Method::Post, "/orders/a/b", Some("f rest=a/b"));
    check("order.paid", Method::Post, "/orders/a/b", None);
    assert_eq!(shop.methods(HTTP_REQUEST, "/products/1").to_string(), "GET, PUT");
    assert!(shop.is_routed(Method::Get, "/products/1") && !shop.is_routed(Method::Post, "/orders/a"));
    assert!(shop.methods(HTTP_REQUEST, "/").is_empty());
}

#[test]
fn events_find_their_subscriptions() {
    let catalog = shop();
    let shop = catalog.space(&space()).expect("there");
    assert_eq!(functions_of(shop, "order.placed"), ["f", "g"]);
    assert_eq!(functions_of(shop, "order.paid"), ["g"]);
    assert!(functions_of(shop, HTTP_REQUEST).is_empty());
    let event = Event::builder("1", "/s", "order.paid").build().expect("valid");
    assert_eq!(shop.async_for(&event, Matching::Pattern).count(), 1);
    assert_eq!(shop.async_subscriptions().count(), 3);
    assert!(shop.async_subscriptions().all(|each| each.kind == SubscriptionKind::Async));
    assert!(shop.async_subscriptions().map(|each| &each.id).is_sorted());
}

#[test]
fn events_find_their_subscriptions_by_where_they_came_in() {
    // Beside a route of the same type and path: neither is in the other's way, whatever they call their parameters.
    let catalog = with(
        &shop(),
        [
            Command::CreateSubscription(asynchronous_at("order.placed", Method::Post, "/orders/:id", "g")),
            Command::CreateSubscription(asynchronous_at("order.placed", Method::Put, "/orders/:other", "f")),
        ],
    );
    let shop = catalog.space(&space()).expect("there");
    let check = |method: &str, path: &str, matching: Matching, expected: &[&str]| {
        let event = Arrival { method, path }.attributes();
        let event =
            event.fold(Event::builder("1", "/s", "order.placed"), |event, (name, value)| event.extension(name, value));
        let event = event.build().expect("valid");
        let mut found: Vec<&str> = shop.async_for(&event, matching).map(|each| each.path.as_str()).collect();
        found.sort_unstable();
        assert_eq!(found, expected, "{method} {path} {matching:?}");
    };
    check("POST", "/", Matching::Pattern, &["/", "/"]);
    check("POST", "/orders/7", Matching::Pattern, &["/", "/", "/orders/:id"]);
    check("PUT", "/orders/7", Matching::Pattern, &["/", "/", "/orders/:other"]);
    check("POST", "/", Matching::Exact, &["/", "/"]);
    check("POST", "/orders/7", Matching::Exact, &[]);
    check("POST", "/orders/:id", Matching::Exact, &["/orders/:id"]);
}

#[test]
fn a_filter_chooses_among_the_events_of_a_type() {
    let catalog = with(
        &shop(),
        [
            Command::CreateSubscription(filtered("order.placed", "f", "eu/")),
            Command::CreateSubscription(filtered("order.placed", "f", "us/")),
        ],
    );
    let shop = catalog.space(&space()).expect("there");
    let found = |subject: &str| {
        let event = Event::builder("1", "/s", "order.placed").subject(subject).build().expect("valid");
        let found = shop.async_for(&event, Matching::Pattern);
        found.map(|each| (each.function.to_string(), each.filter.is_some())).collect::<Vec<_>>()
    };
    let plain = vec![("f".to_owned(), false), ("g".to_owned(), false)];
    assert_eq!(found("asia/1"), plain);
    for subject in ["eu/1", "us/1"] {
        let mut both = found(subject);
        both.sort();
        assert_eq!(both, [plain[0].clone(), ("f".to_owned(), true), plain[1].clone()], "{subject}");
    }
    // Whoever asks without an event is told of all who may want one.
    assert_eq!(functions_of(shop, "order.placed").len(), 4);
}

#[test]
fn http_requests_are_known_without_registration() {
    let catalog = shop();
    let shop = catalog.space(&space()).expect("there");
    assert!(shop.registered_event_type(HTTP_REQUEST).is_none());
    assert_eq!(shop.event_type(HTTP_REQUEST).expect("built in").name.as_str(), HTTP_REQUEST);
    assert!(shop.event_type("none").is_none());
    assert_eq!(shop.event_types().map(|each| each.name.as_str()).collect::<Vec<_>>(), ["order.paid", "order.placed"]);

    let mut own = event_type(HTTP_REQUEST);
    own.description = Some("registered".into());
    let catalog = with(&catalog, [Command::CreateEventType(own.clone())]);
    let shop = catalog.space(&space()).expect("there");
    assert_eq!(**shop.event_type(HTTP_REQUEST).expect("registered"), own);
}

#[test]
fn a_change_leaves_the_catalog_before_it_alone() {
    let other = SpaceName::new("other").expect("valid");
    let first = shop().plan(&other, Command::CreateFunction(http("f"))).expect("another space");
    let before = shop().apply(&first).expect("planned");
    let paid = asynchronous("order.paid", "g");
    let after = with(
        &before,
        [
            Command::DeleteSubscription(paid.id.to_string()),
            Command::CreateSubscription(asynchronous("order.paid", "f")),
            Command::UpdateSubscription {
                id: sync(Method::Get, "/products/:id", "f").id.to_string(),
                subscription: sync(Method::Get, "/products/:id", "f").with_metadata(metadata(("a", "b"))),
            },
            Command::UpdateSubscription {
                id: asynchronous("order.placed", "f").id.to_string(),
                subscription: asynchronous("order.placed", "f").with_metadata(metadata(("a", "b"))),
            },
            Command::DeleteSubscription(sync(Method::Put, "/products/:sku", "g").id.to_string()),
        ],
    );
    let (old, new) = (before.space_or_empty(&space()), after.space_or_empty(&space()));
    assert_eq!((functions_of(old, "order.paid"), functions_of(new, "order.paid")), (vec!["g"], vec!["f"]));
    let entry = |space: &SpaceCatalog| {
        let found = space.route(Method::Get, HTTP_REQUEST, "/products/1").expect("routed");
        found.subscription.metadata.get("a").cloned()
    };
    assert_eq!((entry(old), entry(new)), (None, Some("b".to_owned())));
    let told = |space: &SpaceCatalog| {
        let found = space.async_of("order.placed", Arrival::DEFAULT, Matching::Pattern);
        found.filter(|each| each.metadata.contains_key("a")).count()
    };
    assert_eq!((told(old), told(new), functions_of(new, "order.placed").len()), (0, 1, 2));
    assert!(old.is_routed(Method::Put, "/products/1") && !new.is_routed(Method::Put, "/products/1"));
    assert!(Arc::ptr_eq(before.space_or_empty(&other), after.space_or_empty(&other)));
    assert_ne!(before, after);
}

#[test]
fn folding_gives_what_applying_gives() {
    let mut folded = Catalog::new();
    let mut applied = Catalog::new();
    for command in [
        Command::CreateFunction(http("f")),
        Command::CreateSubscription(sync(Method::Get, "/a", "f")),
        Command::CreateSubscription(asynchronous(HTTP_REQUEST, "f")),
        Command::DeleteSubscription(sync(Method::Get, "/a", "f").id.to_string()),
    ] {
        let change = applied.plan(&space(), command).expect("good");
        applied = applied.apply(&change).expect("planned");
        folded.fold(&change).expect("planned");
        assert_eq!(folded, applied);
    }
    assert_eq!(functions_of(folded.space_or_empty(&space()), HTTP_REQUEST), ["f"]);
}

#[test]
fn a_space_knows_whether_it_has_authorizers() {
    let check = |catalog: &Catalog, expected: bool| {
        let space = catalog.space_or_empty(&space());
        assert_eq!(space.has_authorizers(), expected);
        assert_eq!(space.event_types().any(|it| it.authorizer.is_some()), expected);
    };
    let (create, update) = (Command::CreateEventType, Command::UpdateEventType);
    let mut catalog = with(&Catalog::new(), [Command::CreateFunction(http("f"))]);
    for (command, expected) in [
        (create(event_type("a")), false),
        (create(authorized("b", "f")), true),
        (update(authorized("a", "f")), true),
        (update(event_type("b")), true),
        (Command::DeleteEventType("a".into()), false),
        (update(authorized("b", "f")), true),
        (Command::DeleteEventType("b".into()), false),
    ] {
        catalog = with(&catalog, [command]);
        check(&catalog, expected);
    }
    assert!(!catalog.space_or_empty(&space()).is_authorized(HTTP_REQUEST));
}

#[test]
fn a_space_with_nothing_left_is_gone() {
    let catalog = with(&Catalog::new(), [Command::CreateFunction(http("f"))]);
    assert_eq!(catalog.spaces().map(|(name, _)| name.as_str()).collect::<Vec<_>>(), ["shop"]);
    let catalog = with(&catalog, [Command::DeleteFunction("f".into())]);
    assert_eq!(catalog, Catalog::new());
    assert!(catalog.space(&space()).is_none() && catalog.space_or_empty(&space()).is_empty());
}

#[test]
fn a_deleted_space_has_nothing_left_and_begins_anew() {
    let other = SpaceName::new("other").expect("valid");
    let beside = shop().plan(&other, Command::CreateFunction(http("f"))).expect("another space");
    let before = shop().apply(&beside).expect("planned");
    let change = before.plan(&space(), Command::DeleteSpace { force: true }).expect("it is there");
    assert_eq!((change.kind.target(), change.kind.is_deletion()), (Target::Space, true));
    let after = before.apply(&change).expect("planned");
    assert_eq!(after.spaces().map(|(name, _)| name.as_str()).collect::<Vec<_>>(), ["other"]);
    assert_eq!(after.apply(&change), Err(ApplyError::Missing { id: "shop".into() }));
    // Neither routes nor listeners are left to be in the way of what comes.
    let again = with(
        &after,
        [Command::CreateFunction(http("g")), Command::CreateSubscription(sync(Method::Get, "/products/:other", "g"))],
    );
    assert_eq!(again.space_or_empty(&space()).async_subscriptions().count(), 0);
}

#[test]
fn changes_for_another_catalog_are_refused_and_change_nothing() {
    let catalog = shop();
    let check = |kind: ChangeKind, expected: ApplyError| {
        let change = Change { space: space(), kind };
        let mut folded = catalog.clone();
        assert_eq!(folded.fold(&change), Err(expected.clone()));
        assert_eq!(folded, catalog);
        assert_eq!(catalog.apply(&change), Err(expected));
    };
    check(ChangeKind::FunctionCreated(Arc::new(http("f"))), ApplyError::Exists { id: "f".into() });
    check(ChangeKind::FunctionUpdated(Arc::new(http("h"))), ApplyError::Missing { id: "h".into() });
    check(ChangeKind::EventTypeUpdated(Arc::new(event_type("a"))), ApplyError::Missing { id: "a".into() });
    let absent = sync(Method::Get, "/a", "f");
    let missing = ApplyError::Missing { id: absent.id.to_string() };
    check(ChangeKind::SubscriptionDeleted(absent.id.clone()), missing.clone());
    check(ChangeKind::SubscriptionUpdated(Arc::new(absent)), missing);
    let change = Change {
        space: space(),
        kind: ChangeKind::SubscriptionCreated(Arc::new(sync(Method::Get, "/products/:other", "f"))),
    };
    let error = catalog.apply(&change).expect_err("the route is taken");
    assert!(matches!(error, ApplyError::Route(_)));
    assert_eq!(error.kind(), ErrorKind::Conflict);
    assert_eq!(Catalog::new().fold(&change), Ok(()));
}
