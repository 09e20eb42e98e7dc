//! The form in which the log keeps changes. The fixtures are those of versions 1 to 4; lines are added to them and never
//! changed.

use std::{collections::BTreeMap, sync::Arc};

use serde::Deserialize;
use serde_json::{json, value::RawValue};
use weir_catalog::{
    Activity, AwsCredentials, AwsFunction, AwsService, Builtin, Change, ChangeKind, CloudEventsVersion, Code, Cors,
    DeliveryPolicy, EventType, Filter, Function, FunctionKind, Instances, Jitter, KeyRule, Method, OnFailure,
    OnInvalid, Order, Priority, RetryPolicy, Schema, Scope, Start, SubscriptionKind, Token, TokenId,
    stored::{EVENT_TYPES, StoredError, decode, encode, is_change},
};
use weir_domain::{ErrorKind, Position, SpaceName, Timestamp};

use crate::make::{asynchronous, event_type, filtered, http, id, metadata, name, space, sync};

const FIXTURE: &str = include_str!("../fixtures/changes-v1.jsonl");
/// What only readers of version 2 know.
const FIXTURE_2: &str = include_str!("../fixtures/changes-v2.jsonl");
/// What only readers of version 3 know.
const FIXTURE_3: &str = include_str!("../fixtures/changes-v3.jsonl");
/// What only readers of version 4 know.
const FIXTURE_4: &str = include_str!("../fixtures/changes-v4.jsonl");

fn retry(attempts_max: u32, backoff_first_ms: u32, backoff_max_ms: u32, age_max_ms: Option<u64>) -> RetryPolicy {
    let attempts_max = Some(attempts_max);
    RetryPolicy { attempts_max, backoff_first_ms, backoff_max_ms, age_max_ms, ..RetryPolicy::default() }
}

/// The default when the first lines were written.
fn usual() -> RetryPolicy {
    retry(8, 100, 60_000, None)
}

#[derive(Deserialize)]
struct Line<'a> {
    r#type: String,
    subject: String,
    #[serde(borrow)]
    data: &'a RawValue,
}

/// What the fixture tells, line by line.
fn changes() -> Vec<ChangeKind> {
    let described = EventType {
        key: KeyRule::parse("/data/id").expect("valid"),
        description: Some("a product can be \"bought\"".into()),
        authorizer: Some(id("auth")),
        metadata: metadata(("team", "käse")),
        ..event_type("product.created")
    };
    let with_headers = Function {
        kind: FunctionKind::Http {
            url: "https://example.com/a?b=c".into(),
            timeout_ms: 30_000,
            headers: BTreeMap::from([("authorization".into(), "Bearer x".into()), ("x-a".into(), "b".into())]),
            version: None,
        },
        metadata: metadata(("a", "b")),
        ..http("ship.it")
    };
    let javascript = Function::new(
        id("catalog"),
        FunctionKind::Wasm {
            code: Code::JavaScript("export function handle(event) {\n  return;\n}\n".into()),
            instances: Instances::Reuse { calls_max: 1000 },
            timeout_ms: 5000,
            memory_bytes_max: 64 << 20,
            config: metadata(("currency", "EUR")),
        },
    );
    let component = Function::new(
        id("catalog"),
        FunctionKind::Wasm {
            code: Code::Component(b"\0asm\x0d\0\x01\0".as_slice().into()),
            instances: Instances::Fresh,
            timeout_ms: 5000,
            memory_bytes_max: 64 << 20,
            config: BTreeMap::new(),
        },
    );
    let retry = retry(3, 50, 1000, Some(86_400_000));
    let listening = asynchronous("product.created", "catalog").with_retry(usual());
    let changed = listening.clone().with_retry(retry).with_metadata(metadata(("a", "b")));
    let mut origins = Cors::new(Method::Get, "/hello");
    origins.allowed_origins = vec!["https://example.com".into()];
    origins.allow_credentials = true;
    origins.metadata = metadata(("a", "b"));
    vec![
        ChangeKind::EventTypeCreated(Arc::new(event_type("order.placed"))),
        ChangeKind::EventTypeCreated(Arc::new(described.clone())),
        ChangeKind::EventTypeUpdated(Arc::new(EventType {
            key: KeyRule::parse("/subject").expect("valid"),
            authorizer: None,
            ..described
        })),
        ChangeKind::EventTypeDeleted(name("product.created")),
        ChangeKind::FunctionCreated(Arc::new(with_headers)),
        ChangeKind::FunctionCreated(Arc::new(javascript)),
        ChangeKind::FunctionUpdated(Arc::new(component)),
        ChangeKind::FunctionDeleted(id("catalog")),
        ChangeKind::SubscriptionCreated(Arc::new(sync(Method::Get, "/products/:id", "catalog").with_retry(usual()))),
        ChangeKind::SubscriptionCreated(Arc::new(listening.clone())),
        ChangeKind::SubscriptionUpdated(Arc::new(changed)),
        ChangeKind::SubscriptionDeleted(listening.id),
        ChangeKind::CorsCreated(Arc::new(Cors::new(Method::Get, "/hello"))),
        ChangeKind::CorsUpdated(Arc::new(origins.clone())),
        ChangeKind::CorsDeleted(origins.id),
        ChangeKind::SpaceDeleted,
    ]
}

/// The lines that came with schemas.
fn schema_changes() -> Vec<ChangeKind> {
    let checked = EventType {
        schema: Some(Schema::new(json!({ "properties": { "total": { "minimum": 0.5 } }, "type": "object" }))),
        schema_version: 1,
        ..event_type("order.paid")
    };
    let loose = EventType {
        schema: Some(Schema::new(json!(true))),
        schema_version: 2,
        on_invalid: OnInvalid::Quarantine,
        metadata: metadata(("a", "b")),
        ..event_type("order.paid")
    };
    let unchecked = EventType { schema_version: 2, ..event_type("order.paid") };
    vec![
        ChangeKind::EventTypeCreated(Arc::new(checked)),
        ChangeKind::EventTypeUpdated(Arc::new(loose)),
        ChangeKind::EventTypeUpdated(Arc::new(unchecked)),
        ChangeKind::EventTypeCreated(Arc::new(EventType {
            authorizer: Some(id("auth")),
            authorizer_cache_ms: 60_000,
            ..event_type("order.paid")
        })),
    ]
}

/// The lines that came with tokens.
fn token_changes() -> Vec<ChangeKind> {
    let scopes = |texts: &[&str]| texts.iter().map(|text| Scope::parse(text).expect("valid")).collect();
    let token = Token {
        id: TokenId::parse("0f8e-1").expect("valid"),
        hash: [7; 32],
        description: None,
        scopes: scopes(&["admin"]),
        expires: None,
    };
    let narrow = Token {
        id: TokenId::parse("0f8e-2").expect("valid"),
        hash: [7; 32],
        description: Some("the till".into()),
        scopes: scopes(&["emit@shop,till/order.*,paid", "read"]),
        expires: Some(Timestamp::from_unix_micros(1_767_225_600_000_000)),
    };
    vec![
        ChangeKind::TokenCreated(Arc::new(token.clone())),
        ChangeKind::TokenCreated(Arc::new(narrow)),
        ChangeKind::TokenDeleted(token.id),
    ]
}

#[test]
fn the_fixture_of_version_1_is_read_and_written() {
    let lines = both_ways(FIXTURE, changes().into_iter().chain(schema_changes()).chain(token_changes()).collect());
    for each in EVENT_TYPES {
        assert!(lines.iter().any(|line| line.r#type == each), "{each}");
    }
}

#[test]
fn the_fixture_of_version_2_is_read_and_written() {
    let credentials = |session_token: Option<&str>| AwsCredentials {
        access_key_id: "AKIDEXAMPLE".into(),
        secret_access_key: "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY".into(),
        session_token: session_token.map(str::to_owned),
    };
    let aws = |service, target: &str| AwsFunction {
        service,
        target: target.into(),
        region: "eu-central-1".into(),
        credentials: None,
        endpoint: None,
        timeout_ms: 60_000,
        version: None,
    };
    let lambda = AwsFunction {
        credentials: Some(credentials(Some("token"))),
        version: Some(CloudEventsVersion::V01),
        ..aws(AwsService::Lambda, "arn:aws:lambda:eu-central-1:123456789012:function:bill")
    };
    let kinesis = AwsFunction { credentials: Some(credentials(None)), ..aws(AwsService::Kinesis, "orders") };
    let firehose = AwsFunction { endpoint: Some("http://127.0.0.1:4566".into()), ..aws(AwsService::Firehose, "all") };
    let sqs = aws(AwsService::Sqs, "https://sqs.eu-central-1.amazonaws.com/123456789012/orders.fifo");
    let function = |name: &str, kind| Arc::new(Function::new(id(name), kind));
    let old = FunctionKind::Http {
        url: "https://example.com".into(),
        timeout_ms: 5000,
        headers: BTreeMap::new(),
        version: Some(CloudEventsVersion::V01),
    };
    let changes = vec![
        ChangeKind::FunctionCreated(function("bill", FunctionKind::Aws(lambda))),
        ChangeKind::FunctionCreated(function("stream", FunctionKind::Aws(kinesis))),
        ChangeKind::FunctionUpdated(function("stream", FunctionKind::Aws(firehose))),
        ChangeKind::FunctionCreated(function("queue", FunctionKind::Aws(sqs))),
        ChangeKind::FunctionUpdated(function("ship.it", old)),
    ];
    both_ways(FIXTURE_2, changes);
}

#[test]
fn the_fixture_of_version_3_is_read_and_written() {
    let replaced = ChangeKind::SubscriptionReplaced {
        id: asynchronous("product.created", "catalog").id,
        subscription: Arc::new(asynchronous("product.created", "shelves")),
    };
    both_ways(FIXTURE_3, vec![replaced]);
}

#[test]
fn the_fixture_of_version_4_is_read_and_written() {
    let delivery = DeliveryPolicy {
        order: Order::None,
        concurrency: 8,
        batch_size: 100,
        batch_wait_ms: 20,
        rate: Some(50),
        priority: Priority::Low,
        timeout_ms: Some(900),
        on_failure: OnFailure::DeadLetter,
    };
    let retry =
        RetryPolicy { multiplier_percent: 150, jitter: Jitter::None, retry_after_max_ms: 0, ..RetryPolicy::default() };
    let whole = filtered("product.created", "catalog", "eu/")
        .with_start(Start::Earliest)
        .with_delivery(delivery)
        .with_retry(retry)
        .with_metadata(metadata(("a", "b")));
    let plain = asynchronous("product.created", "catalog");
    let successor = filtered("product.created", "shelves", "eu/").with_start(Start::At(Position::new(7)));
    let holding = DeliveryPolicy { on_failure: OnFailure::HoldKey, ..DeliveryPolicy::default() };
    let paused = plain
        .clone()
        .with_start(Start::Since(Timestamp::from_unix_micros(1_767_225_600_000_000)))
        .with_delivery(holding)
        .with_activity(Activity::Paused);
    let draining = plain.clone().with_activity(Activity::Draining);
    let count = Function::new(id("c"), FunctionKind::Builtin { name: Builtin::Count });
    let changes = vec![
        ChangeKind::FunctionCreated(Arc::new(count)),
        ChangeKind::SubscriptionCreated(Arc::new(whole)),
        ChangeKind::SubscriptionReplaced { id: plain.id, subscription: Arc::new(successor) },
        ChangeKind::SubscriptionUpdated(Arc::new(paused)),
        ChangeKind::SubscriptionUpdated(Arc::new(draining)),
    ];
    both_ways(FIXTURE_4, changes);
}

/// Each line is read as its change and the change is written as its line.
fn both_ways(fixture: &'static str, changes: Vec<ChangeKind>) -> Vec<Line<'static>> {
    let lines: Vec<Line<'_>> = fixture.lines().map(|line| serde_json::from_str(line).expect(line)).collect();
    assert_eq!(lines.len(), changes.len());
    for (line, kind) in lines.iter().zip(changes) {
        let is_token = matches!(kind, ChangeKind::TokenCreated(_) | ChangeKind::TokenDeleted(_));
        let space = if is_token { SpaceName::new("weir.system").expect("valid") } else { space() };
        let change = Change { space, kind };
        assert_eq!(decode(&line.r#type, line.data.get()).expect("a change that can be read"), change);
        let stored = encode(&change);
        assert_eq!(
            (stored.event_type, stored.subject, stored.data.as_str()),
            (&*line.r#type, line.subject.clone(), line.data.get())
        );
        assert!(is_change(&line.r#type));
    }
    lines
}

#[test]
fn members_that_are_not_known_are_passed_over() {
    let data = r#"{"v":1,"later":{"a":[1]},"space":"shop","item":{"name":"order.placed","schema":null}}"#;
    let change = decode("weir.eventtype.created", data).expect("readable");
    assert_eq!(change.kind, ChangeKind::EventTypeCreated(Arc::new(event_type("order.placed"))));
}

#[test]
fn what_is_no_change_is_refused() {
    let check = |event_type: &str, data: &str, kind: ErrorKind, part: &str| {
        let error = decode(event_type, data).expect_err(data);
        assert_eq!(error.kind(), kind, "{error}");
        assert!(error.to_string().contains(part), "{error}");
    };
    let deleted = "weir.function.deleted";
    check("order.placed", "{}", ErrorKind::Invalid, "order.placed");
    check(deleted, r#"{"v":5,"changed":true}"#, ErrorKind::Invalid, "use a newer weir: v 5");
    check(deleted, r#"{"v":0,"space":"shop","item":{"id":"f"}}"#, ErrorKind::Corrupt, "v 0");
    for broken in ["", "{}", r#"{"v":1}"#, r#"{"v":1,"space":"shop"}"#, r#"{"v":1,"space":"shop","item":{}}"#] {
        check(deleted, broken, ErrorKind::Corrupt, "damaged");
    }
    check(deleted, r#"{"v":1,"space":"x","item":{"id":"f"}}"#, ErrorKind::Corrupt, "space name");
    check(deleted, r#"{"v":1,"space":"shop","item":{"id":"a b"}}"#, ErrorKind::Corrupt, "function id");
    check("weir.eventtype.deleted", r#"{"v":1,"space":"shop","item":{"id":""}}"#, ErrorKind::Corrupt, "empty");
    check("weir.subscription.deleted", r#"{"v":1,"space":"shop","item":{"id":","}}"#, ErrorKind::Corrupt, ",");
    check("weir.cors.deleted", r#"{"v":1,"space":"shop","item":{"id":"GET"}}"#, ErrorKind::Corrupt, "GET");
    let token = |hash: &str, scope: &str| {
        format!(r#"{{"v":1,"space":"weir.system","item":{{"id":"a","sha256":"{hash}","scopes":["{scope}"]}}}}"#)
    };
    check("weir.token.created", &token("BwcH", "admin"), ErrorKind::Corrupt, "BwcH");
    check("weir.token.created", &token(&"A".repeat(43), "own"), ErrorKind::Corrupt, "own");

    // An identifier that does not follow from the rest would take another subscription's cursor.
    let moved =
        encode(&Change { space: space(), kind: ChangeKind::SubscriptionCreated(Arc::new(asynchronous("a", "f"))) });
    let data = moved.data.replace(r#""function":"f""#, r#""function":"g""#);
    assert!(matches!(decode(moved.event_type, &data), Err(StoredError::Value(_))));
    let kind = SubscriptionKind::Async.as_str();
    let data = moved.data.replace(kind, "later");
    assert!(matches!(decode(moved.event_type, &data), Err(StoredError::Value(_))));

    let kind = ChangeKind::SubscriptionCreated(Arc::new(filtered("a", "f", "eu/").with_activity(Activity::Paused)));
    let whole = encode(&Change { space: space(), kind });
    for (from, to) in [("eu/", "us/"), ("paused", "asleep"), (r#"{"prefix":{"subject":"eu/"}}"#, "{}")] {
        assert!(whole.data.contains(from), "{}", whole.data);
        let error = decode(whole.event_type, &whole.data.replace(from, to)).expect_err(to);
        assert_eq!(error.kind(), ErrorKind::Corrupt, "{error}");
    }
}

#[test]
fn a_filter_that_could_not_be_made_today_is_read() {
    let never = json!([{ "exact": { "subject": "a" } }, { "exact": { "subject": "b" } }]);
    assert!(Filter::parse(&never).is_err());
    let filter = Filter::parse_stored(&never).expect("a filter");
    let subscription = Arc::new(asynchronous("a", "f").with_filter(Some(filter)));
    let change = Change { space: space(), kind: ChangeKind::SubscriptionCreated(subscription) };
    let kept = encode(&change);
    assert_eq!(decode(kept.event_type, &kept.data).expect("a change"), change);
}
