//! Every check of a command, with kind and message; the messages are those of the Event Gateway.

mod delivery;

use std::collections::{BTreeMap, BTreeSet};

use weir_catalog::{
    AwsCredentials, AwsFunction, AwsService, Builtin, Catalog, ChangeKind, Code, Command, EventType, Function,
    FunctionKind, Instances, KeyRule, Method, RetryPolicy, Scope, Subscription, SubscriptionKind, Token, TokenId,
    limits,
};
use weir_domain::{ErrorKind, SpaceName};

use crate::make::{
    asynchronous, asynchronous_at, authorized, event_type, http, id, javascript, metadata, name, space, sync, sync_to,
    with,
};

/// What most cases begin with.
fn shop() -> Catalog {
    with(
        &Catalog::new(),
        [
            Command::CreateFunction(http("f")),
            Command::CreateFunction(http("auth")),
            Command::CreateEventType(event_type("order.placed")),
            Command::CreateEventType(authorized("order.paid", "auth")),
            Command::CreateSubscription(sync(Method::Get, "/products/:id", "f")),
            Command::CreateSubscription(asynchronous("order.placed", "f")),
        ],
    )
}

/// Plans one command on the shop; what is good must also apply.
fn check(command: Command, expected: Result<(), (ErrorKind, &str)>) {
    let catalog = shop();
    let result = catalog.plan(&space(), command.clone());
    match expected {
        Ok(()) => {
            let change = result.unwrap_or_else(|error| panic!("{command:?}: {error}"));
            catalog.apply(&change).expect("a planned change");
        }
        Err((kind, message)) => {
            let error = result.expect_err(message);
            assert_eq!((error.kind(), error.to_string().as_str()), (kind, message), "{command:?}");
            assert!(!error.cure().is_empty());
        }
    }
}

const INVALID: ErrorKind = ErrorKind::Invalid;
const NOT_FOUND: ErrorKind = ErrorKind::NotFound;
const CONFLICT: ErrorKind = ErrorKind::Conflict;

/// The message about one field.
fn field(resource: &str, kind: &str, field: &str, tag: &str) -> String {
    format!(
        "{resource} doesn't validate. Validation error: \
         Key: '{kind}.{field}' Error:Field validation for '{field}' failed on the '{tag}' tag"
    )
}

#[test]
fn event_types() {
    use Command::{CreateEventType as Create, DeleteEventType as Delete, UpdateEventType as Update};
    let missing = Err((INVALID, "Authorizer function doesn't exists."));
    check(Create(event_type("order.shipped")), Ok(()));
    check(Create(event_type("order.placed")), Err((CONFLICT, r#"Event Type "order.placed" already exists."#)));
    check(Create(authorized("order.shipped", "auth")), Ok(()));
    check(Create(authorized("order.shipped", "none")), missing);
    check(Create(event_type("http.request")), Ok(()));
    check(Create(event_type("eventgateway.event.received")), Ok(()));
    check(Create(event_type("with/slash and space")), Ok(()));
    let reserved = field("Event Type", "Type", "Name", "reserved");
    check(Create(event_type("weir.function.created")), Err((INVALID, &reserved)));
    let long = EventType { description: Some("a".repeat(limits::DESCRIPTION_BYTES_MAX + 1)), ..event_type("a") };
    check(Create(long), Err((INVALID, &field("Event Type", "Type", "Description", "max"))));
    let heavy = EventType { metadata: metadata(("a", &"b".repeat(limits::ENTRIES_BYTES_MAX))), ..event_type("a") };
    check(Create(heavy), Err((INVALID, &field("Event Type", "Type", "Metadata", "max"))));

    let cached = |authorizer_cache_ms| EventType { authorizer_cache_ms, ..authorized("a", "auth") };
    check(Create(cached(limits::AUTHORIZER_CACHE_MS_MAX)), Ok(()));
    let too_long = cached(limits::AUTHORIZER_CACHE_MS_MAX + 1);
    check(Create(too_long), Err((INVALID, &field("Event Type", "Type", "AuthorizerCache", "max"))));

    let keyed = EventType { key: KeyRule::parse("/data/id").expect("valid"), ..event_type("order.placed") };
    check(Update(keyed), Ok(()));
    check(Update(authorized("order.placed", "none")), missing);
    check(Update(event_type("none")), Err((NOT_FOUND, r#"Event Type "none" not found."#)));
    check(Update(event_type("http.request")), Err((NOT_FOUND, r#"Event Type "http.request" not found."#)));

    check(Delete("order.paid".into()), Ok(()));
    check(Delete("none".into()), Err((NOT_FOUND, r#"Event Type "none" not found."#)));
    let used = "Event type cannot be deleted because there are subscriptions using it.";
    check(Delete("order.placed".into()), Err((INVALID, used)));
    check(Delete("http.request".into()), Err((INVALID, used)));
}

#[test]
fn functions() {
    use Command::{CreateFunction as Create, DeleteFunction as Delete, UpdateFunction as Update};
    check(Create(http("g")), Ok(()));
    check(Create(javascript("g", "export function handle() {}")), Ok(()));
    check(Create(http("f")), Err((CONFLICT, r#"Function "f" already registered."#)));
    let no_url = "Function doesn't validate. Validation error: missing required fields for HTTP endpoint";
    check(Create(Function::new(id("g"), FunctionKind::http("localhost"))), Err((INVALID, no_url)));

    check(Update(javascript("f", "export function handle() {}")), Ok(()));
    check(Update(http("none")), Err((NOT_FOUND, r#"Function "none" not found."#)));
    check(Update(Function::new(id("none"), FunctionKind::http(""))), Err((INVALID, no_url)));

    let used = "Function cannot be deleted because it's subscribed to a least one event.";
    let authorizes = "Function auth cannot be deleted because is used as an authorizer for order.paid event type.";
    check(Delete("f".into()), Err((INVALID, used)));
    check(Delete("auth".into()), Err((INVALID, authorizes)));
    check(Delete("none".into()), Err((NOT_FOUND, r#"Function "none" not found."#)));
    check(Delete("no/id".into()), Err((NOT_FOUND, r#"Function "no/id" not found."#)));
}

#[test]
fn limits_of_functions() {
    let check = |kind: FunctionKind, expected: Option<(&str, &str)>| {
        let message = expected.map(|(name, tag)| field("Function", "Function", name, tag));
        let expected = message.as_deref().map_or(Ok(()), |message| Err((INVALID, message)));
        check(Command::CreateFunction(Function::new(id("g"), kind)), expected);
    };
    let component = |bytes: &'static [u8]| FunctionKind::wasm(Code::Component(bytes.into()));
    check(component(b"\0asm\x0d\0\x01\0"), None);
    check(component(b"MZ"), Some(("Code", "wasm")));
    check(component(b""), Some(("Code", "required")));
    check(FunctionKind::Builtin { name: Builtin::Count }, None);
    check(FunctionKind::wasm(Code::JavaScript("".into())), Some(("Code", "required")));

    let wasm = |instances, timeout_ms, memory_bytes_max| FunctionKind::Wasm {
        code: Code::JavaScript("x".into()),
        instances,
        timeout_ms,
        memory_bytes_max,
        config: metadata(("a", "b")),
    };
    check(wasm(Instances::Fresh, 1, limits::MEMORY_BYTES_MIN), None);
    check(wasm(Instances::Reuse { calls_max: 0 }, 1, limits::MEMORY_BYTES_MIN), Some(("Instances", "min")));
    check(wasm(Instances::Fresh, 0, limits::MEMORY_BYTES_MIN), Some(("Timeout", "min")));
    check(wasm(Instances::Fresh, limits::TIMEOUT_MS_MAX + 1, limits::MEMORY_BYTES_MIN), Some(("Timeout", "max")));
    check(wasm(Instances::Fresh, 1, 0), Some(("Memory", "min")));
    check(wasm(Instances::Fresh, 1, limits::MEMORY_BYTES_MAX + 1), Some(("Memory", "max")));

    let http = |header, value| FunctionKind::Http {
        url: "https://example.com".into(),
        timeout_ms: 1,
        headers: metadata((header, value)),
        version: None,
    };
    check(http("authorization", "Bearer x"), None);
    check(http("content-type", "text/plain"), Some(("Headers", "header")));
    check(http("x-a", "b\r\nc: d"), Some(("Headers", "header")));

    let aws = |service, target: &str, region: &str| AwsFunction {
        service,
        target: target.into(),
        region: region.into(),
        credentials: None,
        endpoint: None,
        timeout_ms: 1,
        version: None,
    };
    let arn = "arn:aws:lambda:us-east-1:123456789012:function:f:live";
    check(FunctionKind::Aws(aws(AwsService::Lambda, arn, "us-east-1")), None);
    check(FunctionKind::Aws(aws(AwsService::Kinesis, "a b", "us-east-1")), Some(("Target", "aws")));
    check(FunctionKind::Aws(aws(AwsService::Sqs, "orders", "us-east-1")), Some(("Target", "aws")));
    // A region becomes part of a host name.
    check(FunctionKind::Aws(aws(AwsService::Lambda, arn, "evil.example/")), Some(("Region", "region")));
    let stream = || aws(AwsService::Kinesis, "orders", "eu-central-1");
    let at = |endpoint: &str| FunctionKind::Aws(AwsFunction { endpoint: Some(endpoint.into()), ..stream() });
    check(at("http://127.0.0.1:4566"), None);
    check(at("127.0.0.1:4566"), Some(("Endpoint", "endpoint")));
    check(at("http://me:pw@127.0.0.1"), Some(("Endpoint", "endpoint")));
    let credentials = |secret: &str| AwsCredentials {
        access_key_id: "AKIDEXAMPLE".into(),
        secret_access_key: secret.into(),
        session_token: None,
    };
    let named = |secret| FunctionKind::Aws(AwsFunction { credentials: Some(credentials(secret)), ..stream() });
    check(named("s3cret"), None);
    check(named("a\nb"), Some(("Credentials", "credentials")));
    check(FunctionKind::Aws(AwsFunction { timeout_ms: 0, ..stream() }), Some(("Timeout", "min")));
    assert!(!format!("{:?}", named("s3cret")).contains("s3cret"));
}

#[test]
fn creating_subscriptions() {
    let check = |subscription: Subscription, expected: Result<(), (ErrorKind, &str)>| {
        check(Command::CreateSubscription(subscription), expected);
    };
    check(asynchronous("order.paid", "f"), Ok(()));
    check(asynchronous("order.placed", "auth"), Ok(()));
    check(sync(Method::Post, "/products", "f"), Ok(()));
    check(sync(Method::Put, "/products/:sku", "f"), Ok(()));
    check(sync_to("order.placed", Method::Get, "/products/:sku", "f"), Ok(()));
    // Async subscriptions conflict with no route and not with one another. A path must be one that a request can have.
    check(asynchronous("http.request", "f"), Ok(()));
    let at = |path: &str| asynchronous_at("http.request", Method::Get, path, "f");
    check(at("/products/:id"), Ok(()));
    check(at("/products/new"), Ok(()));
    check(at("/*all"), Ok(()));
    check(at("/files/*rest/more"), Err((INVALID, "Subscription path conflict: wildcard must be the last parameter")));
    check(at("/spaces/:id"), Err((INVALID, &field("Subscription", "Subscription", "Path", "reserved"))));

    let same = asynchronous("order.placed", "f");
    let exists = format!("Subscription {:?} already exists.", same.id.as_str());
    check(same, Err((CONFLICT, &exists)));
    // One sync subscription for each event type, method and path: another function is no other subscription.
    let same = sync(Method::Get, "/products/:id", "auth");
    let exists = format!("Subscription {:?} already exists.", same.id.as_str());
    check(same, Err((CONFLICT, &exists)));

    let conflict = r#"Subscription path conflict: parameter with different name ("id") already defined: for route: /products/:sku"#;
    check(sync(Method::Get, "/products/:sku", "f"), Err((INVALID, conflict)));
    let conflict = "Subscription path conflict: wildcard must be the last parameter";
    check(sync(Method::Get, "/files/*rest/more", "f"), Err((INVALID, conflict)));

    let conflict = "Subscription path conflict: no request has this path, name every parameter: write :name or *name: \
                    for route: /orders/:";
    check(sync(Method::Get, "/orders/:", "f"), Err((INVALID, conflict)));
    check(sync(Method::Get, "/k\u{e4}se/:id", "f"), Ok(()));
    check(sync(Method::Get, "/spaces", "f"), Ok(()));
    let reserved = field("Subscription", "Subscription", "Path", "reserved");
    check(sync(Method::Get, "/spaces/:id", "f"), Err((INVALID, &reserved)));

    check(asynchronous("none", "f"), Err((INVALID, r#"Event Type "none" not found."#)));
    check(asynchronous("none", "none"), Err((INVALID, r#"Event Type "none" not found."#)));
    check(asynchronous("order.placed", "none"), Err((INVALID, r#"Function "none" not found."#)));
    check(
        asynchronous("weir.function.created", "f"),
        Err((INVALID, r#"Event Type "weir.function.created" not found."#)),
    );
    let charset = field("Subscription", "Subscription", "EventType", "eventType");
    check(asynchronous("with space", "f"), Err((INVALID, &charset)));
    let long = sync(Method::Get, &"/a".repeat(limits::ROUTE_BYTES_MAX), "f");
    check(long, Err((INVALID, &field("Subscription", "Subscription", "Path", "max"))));
}

#[test]
fn subscriptions_that_do_not_fit_together() {
    let mut moved = sync(Method::Get, "/a", "f");
    moved.path = "/b".into();
    let derived = field("Subscription", "Subscription", "ID", "derived");
    check(Command::CreateSubscription(moved), Err((INVALID, &derived)));

    let check = |retry: RetryPolicy, expected: Option<(&str, &str)>| {
        let message = expected.map(|(name, tag)| field("Subscription", "Subscription", name, tag));
        let expected = message.as_deref().map_or(Ok(()), |message| Err((INVALID, message)));
        check(Command::CreateSubscription(asynchronous("order.paid", "f").with_retry(retry)), expected);
    };
    let usual = RetryPolicy::default();
    check(RetryPolicy { attempts_max: None, age_max_ms: None, ..usual }, None);
    check(RetryPolicy { attempts_max: Some(1), age_max_ms: Some(1), ..usual }, None);
    check(RetryPolicy { attempts_max: Some(0), ..usual }, Some(("Attempts", "min")));
    check(RetryPolicy { attempts_max: Some(limits::ATTEMPTS_MAX + 1), ..usual }, Some(("Attempts", "max")));
    check(RetryPolicy { backoff_first_ms: 2, backoff_max_ms: 1, ..usual }, Some(("Backoff", "max")));
    check(RetryPolicy { backoff_max_ms: limits::BACKOFF_MS_MAX + 1, ..usual }, Some(("BackoffMax", "max")));
    check(RetryPolicy { age_max_ms: Some(0), ..usual }, Some(("Age", "min")));
    check(RetryPolicy { multiplier_percent: 100, retry_after_max_ms: 0, ..usual }, None);
    check(RetryPolicy { multiplier_percent: 99, ..usual }, Some(("Multiplier", "between")));
    check(RetryPolicy { multiplier_percent: 1001, ..usual }, Some(("Multiplier", "between")));
    let too_long = limits::RETRY_AFTER_MS_MAX + 1;
    check(RetryPolicy { retry_after_max_ms: too_long, ..usual }, Some(("RetryAfterMax", "max")));
}

#[test]
fn updating_and_deleting_subscriptions() {
    let present = asynchronous("order.placed", "f");
    let update = |subscription: Subscription, expected: Result<(), (ErrorKind, &str)>| {
        check(Command::UpdateSubscription { id: present.id.to_string(), subscription }, expected);
    };
    let fixed = |field: &str| format!("Invalid update. '{field}' of existing subscription cannot be updated.");
    update(present.clone().with_metadata(metadata(("a", "b"))), Ok(()));
    update(present.clone().with_retry(RetryPolicy { attempts_max: Some(3), ..RetryPolicy::default() }), Ok(()));
    update(sync_to("order.placed", Method::Post, "/", "f"), Err((INVALID, &fixed("Type"))));
    update(asynchronous("order.paid", "f"), Err((INVALID, &fixed("EventType"))));
    update(asynchronous("order.placed", "auth"), Err((INVALID, &fixed("FunctionID"))));
    let kind = present.kind;
    let moved = Subscription::new(kind, name("order.placed"), id("f"), Method::Post, "/a");
    update(moved, Err((INVALID, &fixed("Path"))));
    let moved = Subscription::new(kind, name("order.placed"), id("f"), Method::Put, "/");
    update(moved, Err((INVALID, &fixed("Method"))));
    update(
        asynchronous("with space", "f"),
        Err((INVALID, &field("Subscription", "Subscription", "EventType", "eventType"))),
    );

    let unknown = Command::UpdateSubscription { id: "testid".into(), subscription: present.clone() };
    check(unknown, Err((NOT_FOUND, r#"Subscription "testid" not found."#)));
    check(Command::DeleteSubscription(present.id.to_string()), Ok(()));
    check(Command::DeleteSubscription("testid".into()), Err((NOT_FOUND, r#"Subscription "testid" not found."#)));
}

#[test]
fn one_subscription_in_the_place_of_another() {
    let present = asynchronous("order.placed", "f").id.to_string();
    let replace = |which: &str, subscription: Subscription, expected: Result<(), (ErrorKind, &str)>| {
        check(Command::ReplaceSubscription { id: which.into(), subscription }, expected);
    };
    let successor = asynchronous("order.placed", "auth");
    replace(&present, successor.clone(), Ok(()));
    replace("testid", successor, Err((INVALID, r#"Subscription "testid" not found."#)));
    replace(&present, asynchronous("order.placed", "g"), Err((INVALID, r#"Function "g" not found."#)));
    let itself = format!("Subscription {present:?} already exists.");
    replace(&present, asynchronous("order.placed", "f"), Err((CONFLICT, &itself)));
    let other = "Subscription doesn't validate. Validation error: continues: the subscription that it names is no \
                 async one with the same event type, method and path";
    replace(&present, asynchronous("order.paid", "auth"), Err((INVALID, other)));
    replace(&present, sync_to("order.placed", Method::Post, "/", "auth"), Err((INVALID, other)));
    let moved = Subscription::new(SubscriptionKind::Async, name("order.placed"), id("auth"), Method::Post, "/a");
    replace(&present, moved, Err((INVALID, other)));
    let route = sync(Method::Get, "/products/:id", "f").id.to_string();
    replace(&route, sync(Method::Get, "/products/:sku", "f"), Err((INVALID, other)));
}

#[test]
fn tokens_are_of_the_whole_server() {
    let scope = Scope::parse("emit@shop").expect("valid");
    let token = |scopes: usize| Token {
        id: TokenId::parse("a").expect("valid"),
        hash: [7; 32],
        description: None,
        scopes: std::iter::repeat_n(scope.clone(), scopes).collect(),
        expires: None,
    };
    let made = with(&shop(), [Command::CreateToken(token(1))]);
    assert_eq!((made.token("a").map(|it| &**it), made.tokens().len()), (Some(&token(1)), 1));
    assert_ne!(made, shop());
    assert_eq!(made.spaces().count(), shop().spaces().count());
    assert_eq!(with(&made, [Command::DeleteToken("a".into())]), shop());

    let again = made.plan(&space(), Command::CreateToken(token(1))).expect_err("it exists");
    assert_eq!((again.kind(), again.to_string().as_str()), (CONFLICT, r#"Token "a" already exists."#));
    check(Command::CreateToken(token(limits::SCOPES_MAX)), Ok(()));
    check(Command::CreateToken(token(0)), Err((INVALID, &field("Token", "Token", "Scopes", "required"))));
    let many = token(limits::SCOPES_MAX + 1);
    check(Command::CreateToken(many), Err((INVALID, &field("Token", "Token", "Scopes", "max"))));
    check(Command::DeleteToken("b".into()), Err((NOT_FOUND, r#"Token "b" not found."#)));
    // They do not go with a space, not even with that in which their changes are recorded.
    let emptied = with(&made, [Command::DeleteSpace { force: true }]);
    assert_eq!((emptied.space(&space()), emptied.tokens().len()), (None, 1));
    let system = SpaceName::new("weir.system").expect("valid");
    let error = made.plan(&system, Command::DeleteSpace { force: true }).expect_err("it has nothing");
    assert_eq!(error.kind(), NOT_FOUND);
}

#[test]
fn texts_that_stay_are_those_of_the_catalog_that_is_planned_for() {
    let with_headers = |token: &str| {
        let kind = FunctionKind::Http {
            url: "https://example.com".into(),
            timeout_ms: 1,
            headers: BTreeMap::from([("authorization".into(), token.into()), ("x-a".into(), "1".into())]),
            version: None,
        };
        Function::new(id("f"), kind)
    };
    let keeping = |function: Function, name: &str| Command::UpdateFunctionKeeping {
        function,
        kept: BTreeSet::from([name.to_owned()]),
    };
    let bare = Function::new(id("f"), FunctionKind::http("https://example.org"));
    // The same command on two catalogs keeps what each of them has.
    for token in ["old", "new"] {
        let catalog = with(&Catalog::new(), [Command::CreateFunction(with_headers(token))]);
        let change = catalog.plan(&space(), keeping(bare.clone(), "authorization")).expect("there is one");
        let ChangeKind::FunctionUpdated(function) = change.kind else { panic!("another change") };
        let FunctionKind::Http { url, headers, .. } = &function.kind else { panic!("another kind") };
        assert_eq!((url.as_str(), headers), ("https://example.org", &metadata(("authorization", token))));
    }
    let catalog = with(&Catalog::new(), [Command::CreateFunction(with_headers("old"))]);
    let check = |command: Command, kind: ErrorKind, message: &str| {
        let error = catalog.plan(&space(), command).expect_err(message);
        assert_eq!((error.kind(), error.to_string().as_str()), (kind, message));
    };
    let nothing = |text: &str| {
        format!("Function doesn't validate. Validation error: unable to load function provider config: {text}")
    };
    let message = nothing(r#"headers: "x-b" has no present value to keep"#);
    check(keeping(bare.clone(), "x-b"), INVALID, &message);
    // What the function had as another kind of function is nothing to keep.
    let message = nothing(r#"config: "authorization" has no present value to keep"#);
    check(keeping(javascript("f", "x"), "authorization"), INVALID, &message);
    check(keeping(http("none"), "authorization"), NOT_FOUND, r#"Function "none" not found."#);
}

#[test]
fn credentials_of_aws_stay_one_by_one() {
    let function = |access_key_id: &str, secret_access_key: &str, session_token: Option<&str>| {
        let (access_key_id, secret_access_key) = (access_key_id.into(), secret_access_key.into());
        let session_token = session_token.map(str::to_owned);
        let kind = FunctionKind::Aws(AwsFunction {
            service: AwsService::Kinesis,
            target: "orders".into(),
            region: "eu-central-1".into(),
            credentials: Some(AwsCredentials { access_key_id, secret_access_key, session_token }),
            endpoint: None,
            timeout_ms: 1,
            version: None,
        });
        Function::new(id("f"), kind)
    };
    let catalog = with(&Catalog::new(), [Command::CreateFunction(function("AKIDEXAMPLE", "s3cret", None))]);
    let planned = |given: Function, kept: &[&str]| {
        let kept = kept.iter().map(|name| (*name).to_owned()).collect();
        let change = catalog.plan(&space(), Command::UpdateFunctionKeeping { function: given, kept });
        change.map(|change| match change.kind {
            ChangeKind::FunctionUpdated(function) => Function::clone(&function),
            other => panic!("another change: {other:?}"),
        })
    };
    let kept = [AwsCredentials::ACCESS_KEY_ID, AwsCredentials::SECRET_ACCESS_KEY];
    assert_eq!(planned(function("*****", "*****", None), &kept), Ok(function("AKIDEXAMPLE", "s3cret", None)));
    let new = function("*****", "other", Some("t0ken"));
    assert_eq!(planned(new, &kept[..1]), Ok(function("AKIDEXAMPLE", "other", Some("t0ken"))));
    let error =
        planned(function("a", "b", Some("*****")), &[AwsCredentials::SESSION_TOKEN]).expect_err("there is none");
    let message = r#"credentials: "awsSessionToken" has no present value to keep"#;
    assert!(error.to_string().ends_with(message), "{error}");
}

#[test]
fn spaces_go_whole_or_stay() {
    let delete = |force: bool| Command::DeleteSpace { force };
    let has = r#"Space "shop" cannot be deleted because it has 2 event types, 2 functions, 2 subscriptions."#;
    check(delete(false), Err((INVALID, has)));
    check(delete(true), Ok(()));
    let one = with(&Catalog::new(), [Command::CreateFunction(http("f"))]);
    let error = one.plan(&space(), delete(false)).expect_err("it has a function");
    assert_eq!(error.to_string(), r#"Space "shop" cannot be deleted because it has 1 function."#);
    let other = SpaceName::new("other").expect("valid");
    for force in [false, true] {
        let error = one.plan(&other, delete(force)).expect_err("it has nothing");
        assert_eq!((error.kind(), error.to_string().as_str()), (NOT_FOUND, r#"Space "other" not found."#));
    }
}
