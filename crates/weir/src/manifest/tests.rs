//! Manifests that are good, and the report of those that are not.

use std::collections::BTreeMap;

use serde_json::json;
use weir_catalog::{
    AwsService, Builtin, CloudEventsVersion, Code, DeliveryPolicy, EventType, Filter, FunctionKind, Instances, Jitter,
    KeyRule, Method, OnFailure, OnInvalid, Order, Priority, RetryPolicy, Start, SubscriptionKind,
};
use weir_domain::{Position, Timestamp};

use super::*;

/// A directory with the files that the manifests below name.
fn application() -> tempfile::TempDir {
    let directory = tempfile::tempdir().expect("a directory");
    let write = |name: &str, bytes: &[u8]| fs::write(directory.path().join(name), bytes).expect("written");
    write("catalog.js", b"export function handle() {}");
    write("stock.wasm", b"\0asm\x0d\0\x01\0");
    write("good.json", b"{ \"type\": \"object\" }");
    write("bad.json", b"{");
    write("odd.json", b"{ \"type\": \"colour\" }");
    write("latin.js", b"// \xe4");
    directory
}

fn faults(text: &str) -> Vec<String> {
    let directory = application();
    let error = Manifest::read(directory.path(), text).expect_err("faults");
    assert_eq!(error.kind(), ErrorKind::Invalid);
    error.faults.iter().map(ToString::to_string).collect()
}

fn check(text: &str, expected: &[&str]) {
    assert_eq!(faults(text), expected, "{text}");
}

const SHOP: &str = r#"
space = "shop"

[[event]]
type = "product.created"
key = "/data/id"
schema = "good.json"
on_invalid = "quarantine"
description = "somebody added a product"
metadata = { owner = "team" }

[[function]]
id = "catalog"
source = "catalog.js"
config = { currency = "EUR" }

[[function]]
id = "stock"
source = "stock.wasm"
instances = "fresh"
timeout_ms = 250
memory_bytes_max = 8_388_608

[[function]]
id = "mail"
url = "https://mail.example/send"
headers = { authorization = "secret" }

[[subscription]]
event = "product.created"
function = "catalog"
retry = { attempts_max = 3, backoff_first_ms = 90_000 }

[[subscription]]
route = "get /products/:id"
function = "catalog"

[[subscription]]
event = "http.request"
function = "mail"
"#;

#[test]
fn a_manifest_is_what_the_space_should_have() {
    let directory = application();
    fs::write(directory.path().join(FILE_NAME), SHOP).expect("written");
    let Loaded { space, desired, files } = Manifest::load(directory.path()).expect("good");
    assert_eq!(space.as_str(), "shop");
    let [EventType { name, key, description, schema, on_invalid, .. }] = &desired.event_types[..] else {
        panic!("one event type")
    };
    assert_eq!((name.as_str(), description.is_some()), ("product.created", true));
    assert_eq!(schema.as_ref().map(|it| it.document().to_string()).as_deref(), Some(r#"{"type":"object"}"#));
    assert_eq!(*on_invalid, OnInvalid::Quarantine);
    assert_eq!(*key, KeyRule::parse("/data/id").expect("a key"));
    let kinds: Vec<_> = desired.functions.iter().map(|it| (it.id.as_str(), &it.kind)).collect();
    let catalog = FunctionKind::Wasm {
        code: Code::JavaScript("export function handle() {}".into()),
        instances: Instances::default(),
        timeout_ms: FunctionKind::TIMEOUT_MS,
        memory_bytes_max: FunctionKind::MEMORY_BYTES_MAX,
        config: [("currency".to_owned(), "EUR".to_owned())].into(),
    };
    let stock = FunctionKind::Wasm {
        code: Code::Component(bytes::Bytes::from_static(b"\0asm\x0d\0\x01\0").into()),
        instances: Instances::Fresh,
        timeout_ms: 250,
        memory_bytes_max: 8 * 1024 * 1024,
        config: Default::default(),
    };
    let mail = FunctionKind::Http {
        url: "https://mail.example/send".into(),
        timeout_ms: FunctionKind::TIMEOUT_MS,
        headers: [("authorization".to_owned(), "secret".to_owned())].into(),
        version: None,
    };
    assert_eq!(kinds, [("catalog", &catalog), ("stock", &stock), ("mail", &mail)]);
    let [listens, route, requests] = &desired.subscriptions[..] else { panic!("three subscriptions") };
    assert_eq!((listens.kind, listens.retry.attempts_max), (SubscriptionKind::Async, Some(3)));
    assert_eq!((listens.retry.backoff_first_ms, listens.retry.backoff_max_ms), (90_000, 90_000));
    assert_eq!((route.kind, route.method, route.path.as_str()), (SubscriptionKind::Sync, Method::Get, "/products/:id"));
    assert_eq!(requests.event_type.as_str(), "http.request");
    let names: Vec<_> = files.iter().filter_map(|file| file.file_name()?.to_str()).collect();
    assert_eq!(names, [FILE_NAME, "good.json", "catalog.js", "stock.wasm"]);
    assert!(files.iter().all(|file| file.parent() == Some(directory.path())));
}

#[test]
fn functions_at_aws_follow_from_what_they_call() {
    let directory = application();
    let text = "[[function]]\nid = \"bill\"\narn = \"arn:aws:lambda:eu-central-1:1:function:bill\"\nregion = \"eu-central-1\"\n\
                timeout_ms = 900\ncloudevents_version = \"0.1\"\n\
                [[function]]\nid = \"queue\"\nqueue_url = \"https://sqs.eu-central-1.amazonaws.com/1/orders\"\n\
                region = \"eu-central-1\"\naws_access_key_id = \"AKIDEXAMPLE\"\naws_secret_access_key = \"s3cret\"\n\
                [[subscription]]\nevent = \"eventgateway.function.invoked\"\nfunction = \"queue\"\n";
    let desired = Manifest::read(directory.path(), text).expect("good").desired;
    let [FunctionKind::Aws(bill), FunctionKind::Aws(queue)] = [&desired.functions[0].kind, &desired.functions[1].kind]
    else {
        panic!("two functions at AWS")
    };
    assert_eq!((bill.service, bill.timeout_ms, bill.version), (AwsService::Lambda, 900, Some(CloudEventsVersion::V01)));
    assert_eq!((queue.service, queue.credentials.is_some()), (AwsService::Sqs, true));
    check(
        "[[function]]\nid = \"a\"\nstream_name = \"orders\"\n\
         [[function]]\nid = \"b\"\narn = \"b\"\nregion = \"r\"\nurl = \"http://localhost\"\nqueue_url = \"http://localhost\"\n\
         [[function]]\nid = \"c\"\nsource = \"catalog.js\"\nregion = \"r\"\n",
        &[
            "weir.toml:1: function \"a\": give \"stream_name\" and \"region\"",
            "weir.toml:4: function \"b\": \"url\" is for functions with a url: remove it",
            "weir.toml:4: function \"b\": it has \"arn\" and \"queue_url\": make two functions of it",
            "weir.toml:10: function \"c\": \"region\" is for functions with an arn, a stream or a queue of AWS: remove it",
        ],
    );
}

#[test]
fn whatever_the_configuration_api_takes_can_be_declared() {
    let directory = application();
    let text = "[[event]]\ntype = \"order.placed\"\nauthorizer = \"guard\"\nauthorizer_cache_ms = 60_000\n\
                [[event]]\ntype = \"order.seen\"\nauthorizer = \"guard\"\n\
                [[function]]\nid = \"guard\"\nsource = \"catalog.js\"\nmetadata = { team = \"a\" }\n\
                [[subscription]]\nevent = \"order.placed\"\nroute = \"put /orders/:id\"\ntype = \"async\"\n\
                function = \"guard\"\nmetadata = { team = \"b\" }\n\
                retry = { attempts_max = 3, backoff_first_ms = 5, backoff_max_ms = 6, age_max_ms = 0, multiplier = 1.5, \
                jitter = \"none\", retry_after_max_ms = 7 }\n\
                [[subscription]]\nevent = \"order.placed\"\nroute = \"POST /orders\"\ntype = \"sync\"\n\
                function = \"guard\"\n\
                [[subscription]]\nroute = \"GET /seen\"\ntype = \"async\"\nfunction = \"guard\"\n\
                [[subscription]]\nevent = \"order.placed\"\ntype = \"async\"\nfunction = \"guard\"\n\
                [[cors]]\nroute = \"POST /orders\"\norigins = [\"https://a\"]\nmethods = [\"POST\"]\n\
                headers = [\"X-A\"]\ncredentials = true\nmetadata = { team = \"c\" }\n";
    let desired = Manifest::read(directory.path(), text).expect("good").desired;
    let authorizers: Vec<_> = desired
        .event_types
        .iter()
        .map(|it| (it.authorizer.as_ref().map(|id| id.as_str()), it.authorizer_cache_ms))
        .collect();
    assert_eq!(authorizers, [(Some("guard"), 60_000), (Some("guard"), 0)]);
    let subscriptions: Vec<_> = desired
        .subscriptions
        .iter()
        .map(|it| format!("{} {} {} {}", it.kind, it.event_type, it.method, it.path))
        .collect();
    let expected = [
        "async order.placed PUT /orders/:id",
        "sync order.placed POST /orders",
        "async http.request GET /seen",
        "async order.placed POST /",
    ];
    assert_eq!(subscriptions, expected);
    let (attempts_max, age_max_ms) = (Some(3), None);
    let retry = RetryPolicy {
        attempts_max,
        backoff_first_ms: 5,
        backoff_max_ms: 6,
        age_max_ms,
        multiplier_percent: 150,
        jitter: Jitter::None,
        retry_after_max_ms: 7,
    };
    assert_eq!(desired.subscriptions[0].retry, retry);
    let team = |texts: &BTreeMap<String, String>| texts.get("team").cloned();
    let teams = [&desired.functions[0].metadata, &desired.subscriptions[0].metadata, &desired.cors[0].metadata];
    assert_eq!(teams.map(team), ["a", "b", "c"].map(|text| Some(text.to_owned())));
    assert!(desired.cors[0].allow_credentials);
}

#[test]
fn how_a_subscription_delivers_can_be_declared() {
    let directory = application();
    let text = "[[event]]\ntype = \"a\"\n[[function]]\nid = \"c\"\nbuiltin = \"count\"\n\
                [[subscription]]\nevent = \"a\"\nfunction = \"c\"\nfilter = { prefix = { subject = \"eu/\" } }\n\
                start = \"earliest\"\norder = \"none\"\nconcurrency = 8\nbatch = { size = 100, wait_ms = 20 }\nrate = 50\n\
                priority = \"low\"\ntimeout_ms = 900\n\
                [[subscription]]\nevent = \"a\"\nfunction = \"c\"\nstart = { position = 7 }\non_failure = \"hold-key\"\n\
                [[subscription.filter]]\nexact = { source = \"/s\" }\n\
                [[subscription.filter]]\nsuffix = { subject = \"/1\" }\n\
                [[subscription]]\nevent = \"a\"\nfunction = \"c\"\nstart = { time = \"2026-01-01T00:00:00Z\" }\n";
    let desired = Manifest::read(directory.path(), text).expect("good").desired;
    assert_eq!(desired.functions[0].kind, FunctionKind::Builtin { name: Builtin::Count });
    let [first, second, third] = &desired.subscriptions[..] else { panic!("three subscriptions") };
    let filter = |value| Some(Filter::parse(&value).expect("a filter"));
    assert_eq!(first.filter, filter(json!({ "prefix": { "subject": "eu/" } })));
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
    assert_eq!((first.start, first.delivery), (Start::Earliest, delivery));
    assert_eq!(second.filter, filter(json!([{ "exact": { "source": "/s" } }, { "suffix": { "subject": "/1" } }])));
    assert_eq!(second.start, Start::At(Position::new(7)));
    assert_eq!(second.delivery, DeliveryPolicy { on_failure: OnFailure::HoldKey, ..DeliveryPolicy::default() });
    let since = Start::Since(Timestamp::from_unix_micros(1_767_225_600_000_000));
    assert_eq!((third.filter.as_ref(), third.start, third.delivery), (None, since, DeliveryPolicy::default()));
}

#[test]
fn deliveries_that_cannot_be() {
    let start = "[[event]]\ntype = \"a\"\n[[function]]\nid = \"c\"\nbuiltin = \"count\"\n";
    check(
        &format!(
            "{start}[[subscription]]\nevent = \"a\"\nfunction = \"c\"\norder = \"kye\"\nstart = {{ time = \"noon\" }}\n\
             retry = {{ multiplier = 11 }}\n\
             [[subscription]]\nevent = \"a\"\nfunction = \"c\"\nstart = {{ position = 1, time = \"2026-01-01T00:00:00Z\" }}\n\
             retry = {{ multiplier = 1.125 }}\n\
             [[subscription]]\nroute = \"GET /\"\nfunction = \"c\"\nconcurrency = 1\n\
             [[subscription]]\nroute = \"PUT /\"\ntype = \"async\"\nfunction = \"c\"\norder = \"none\"\n\
             on_failure = \"hold-key\"\n"
        ),
        &[
            "weir.toml:9: subscription of \"c\": \"order\" cannot be \"kye\": did you mean \"key\"?",
            "weir.toml:10: subscription of \"c\" \"start\": a time must be written as in RFC 3339, such as \
             2026-01-31T12:00:00Z, not \"noon\"",
            "weir.toml:11: subscription of \"c\" \"retry\": \"multiplier\" must be from 1 to 10, but is 11",
            "weir.toml:12: the same subscription stands in line 6 already: remove one",
            "weir.toml:15: subscription of \"c\" \"start\": it is \"now\", \"earliest\", or a table with a position or a \
             time: keep one of them",
            "weir.toml:16: subscription of \"c\" \"retry\": \"multiplier\" may have two decimals, but is 1.125",
            "weir.toml:17: subscription of \"c\": \"concurrency\" is for subscriptions from the log, and here a caller \
             waits: remove it",
            "weir.toml:21: subscription of \"c\": let what fails go to the dead letters, or keep the order of keys: \
             without an order there is no key to hold",
        ],
    );
    // What is wrong with a filter is told where it stands in it.
    let found = faults(&format!(
        "{start}[[subscription]]\nevent = \"a\"\nfunction = \"c\"\n\
         [[subscription.filter]]\nexact = {{ subject = \"x\" }}\n[[subscription.filter]]\n\
         [subscription.filter.prefix]\nsubject = 7\n"
    ));
    let [fault] = &found[..] else { panic!("one fault: {found:?}") };
    assert!(fault.starts_with("weir.toml:13: subscription of \"c\": /1/prefix/subject in the filter "), "{fault}");
    check(
        "[[function]]\nid = \"a\"\nbuiltin = \"sum\"\n[[function]]\nid = \"b\"\nbuiltin = \"count\"\ntimeout_ms = 1\n\
         source = \"catalog.js\"\n",
        &[
            "weir.toml:3: function \"a\": \"builtin\" cannot be \"sum\": choose one of count",
            "weir.toml:4: function \"b\": \"source\" is for functions with a source: remove it",
            "weir.toml:4: function \"b\": \"timeout_ms\" is for functions with a source, a url or something at AWS: remove \
             it",
        ],
    );
}

#[test]
fn authorizers_and_kinds_of_subscriptions_that_cannot_be() {
    check(
        "[[event]]\ntype = \"a\"\nauthorizer = \"gaurd\"\n\
         [[event]]\ntype = \"b\"\nauthorizer_cache_ms = 5\n\
         [[event]]\ntype = \"c\"\nauthoriser = \"guard\"\n\
         [[event]]\ntype = \"d\"\nauthorizer = \"guard\"\nauthorizer_cache_ms = 3600001\n\
         [[function]]\nid = \"guard\"\nsource = \"catalog.js\"\n\
         [[subscription]]\nevent = \"a\"\ntype = \"sync\"\nfunction = \"guard\"\n\
         [[subscription]]\nevent = \"a\"\ntype = \"asynch\"\nfunction = \"guard\"\n\
         [[subscription]]\ntype = \"async\"\nfunction = \"guard\"\n\
         [[subscription]]\nroute = \"POST /a\"\nevent = \"a\"\ntype = \"sync\"\nfunction = \"guard\"\nretry = {}\n",
        &[
            "weir.toml:3: function \"gaurd\" is not declared: did you mean \"guard\"?",
            "weir.toml:6: event type \"b\": \"authorizer_cache_ms\" has no meaning without an \"authorizer\": name the \
             function, or remove it",
            "weir.toml:9: event type \"c\": there is no key \"authoriser\": did you mean \"authorizer\"?",
            "weir.toml:13: event type \"d\": \"authorizer_cache_ms\" must be from 0 to 3600000, but is 3600001",
            "weir.toml:19: subscription of \"guard\": a caller waits at a route only: give it a route such as \
             \"POST /orders\"",
            "weir.toml:23: subscription of \"guard\": \"type\" cannot be \"asynch\": did you mean \"async\"?",
            "weir.toml:25: subscription of \"guard\": it listens to nothing: give it an event, or a route such as \
             \"GET /products/:id\"",
            "weir.toml:33: subscription of \"guard\" \"retry\": the caller of a route waits, nothing is tried again: \
             remove it",
        ],
    );
}

#[test]
fn an_empty_manifest_is_an_empty_space() {
    let directory = application();
    let loaded = Manifest::read(directory.path(), "").expect("good");
    assert_eq!((loaded.space, loaded.desired), (SpaceName::default(), Desired::default()));
}

#[test]
fn misspelt_words_are_guessed() {
    check(
        "[[event]]\ntype = \"product.created\"\nkeys = \"/data/id\"\n\
         [[function]]\nid = \"catalog\"\nsource = \"catalog.js\"\ninstances = \"reused\"\n\
         [[subscription]]\nevent = \"prodct.created\"\nfunction = \"catlog\"\nretry = { atempts_max = 3 }\n\
         [[events]]\ntype = \"x\"\n",
        &[
            "weir.toml:3: event type \"product.created\": there is no key \"keys\": did you mean \"key\"?",
            "weir.toml:7: function \"catalog\": \"instances\" cannot be \"reused\": did you mean \"reuse\"?",
            "weir.toml:9: event type \"prodct.created\" is not declared: did you mean \"product.created\"?",
            "weir.toml:10: function \"catlog\" is not declared: did you mean \"catalog\"?",
            "weir.toml:11: subscription of \"catlog\" \"retry\": there is no key \"atempts_max\": \
             did you mean \"attempts_max\"?",
            "weir.toml:12: the manifest: there is no key \"events\": did you mean \"event\"?",
        ],
    );
}

#[test]
fn tables_that_lack_or_contradict_something() {
    check(
        "[[event]]\ndescription = \"x\"\n\
         [[function]]\nid = \"none\"\n\
         [[function]]\nid = \"both\"\nsource = \"catalog.js\"\nurl = \"http://localhost\"\n\
         [[function]]\nid = \"mail\"\nurl = \"http://localhost\"\nmemory_bytes_max = 8_388_608\n\
         [[function]]\nid = \"catalog\"\nsource = \"catalog.js\"\nheaders = { a = \"b\" }\n\
         instances = \"fresh\"\ncalls_max = 7\n\
         [[subscription]]\nfunction = \"mail\"\n\
         [[subscription]]\nfunction = \"mail\"\nevent = \"http.request\"\nroute = \"GET /\"\n\
         [[subscription]]\nroute = \"POST /a\"\nfunction = \"mail\"\n[subscription.retry]\nattempts_max = 1\n",
        &[
            "weir.toml:1: [[event]]: \"type\" is missing: give the event type a name such as order.placed",
            "weir.toml:3: function \"none\": it has nothing to call: give it a source such as functions/catalog.js, \
             or a url",
            "weir.toml:5: function \"both\": it has a source and a url: keep one of them",
            "weir.toml:9: function \"mail\": \"memory_bytes_max\" is for functions with a source: remove it",
            "weir.toml:13: function \"catalog\": \"headers\" is for functions with a url: remove it",
            "weir.toml:18: function \"catalog\": \"calls_max\" has no meaning for fresh instances: remove it",
            "weir.toml:19: subscription of \"mail\": it listens to nothing: give it an event, or a route such as \
             \"GET /products/:id\"",
            "weir.toml:24: subscription of \"mail\": it has an event and a route: add type = \"async\" to be given the \
             events that come in there, or type = \"sync\" to answer them there, or make two subscriptions of it",
            "weir.toml:28: subscription of \"mail\" \"retry\": the caller of a route waits, nothing is tried again: \
             remove it",
        ],
    );
}

#[test]
fn values_that_cannot_be_what_they_should() {
    check(
        "space = \"a\"\n\
         [[event]]\ntype = \"weir.mine\"\n\
         [[event]]\ntype = \"\"\nkey = \"id\"\n\
         [[function]]\nid = \"a b\"\nurl = \"ftp://x\"\n\
         [[subscription]]\nroute = \"/a\"\nfunction = \"a b\"\n\
         [[subscription]]\nroute = \"FETCH /a\"\nfunction = \"a b\"\n\
         [[subscription]]\nroute = \"GET a\"\nfunction = \"a b\"\n",
        &[
            "weir.toml:1: the manifest: a space name must be 3 to 128 of the characters a-z A-Z 0-9 . - _, \
             but is \"a\"",
            "weir.toml:2: event type \"weir.mine\": choose a name that does not begin with weir., which only Weir \
             itself uses",
            "weir.toml:5: event type \"\": the name of an event type must not be empty",
            "weir.toml:6: event type \"\": a key must be /data/… for a place in the JSON data, or / and the name of \
             an attribute such as /subject",
            "weir.toml:8: function \"a b\": a function id must be 1 to 256 of the characters a-z A-Z 0-9 . - _, \
             but is \"a b\"",
            "weir.toml:11: subscription of \"a b\": the route \"/a\" must be a method and a path: \"GET /path\"",
            "weir.toml:14: subscription of \"a b\": there is no method \"FETCH\": use one of GET, POST, DELETE, PUT, \
             PATCH, HEAD, OPTIONS",
            "weir.toml:17: subscription of \"a b\": the path \"a\" must begin with a slash: write \"GET /a\"",
        ],
    );
}

#[test]
fn the_rules_of_the_catalog_hold_too() {
    check(
        "[[event]]\ntype = \"weir.mine\"\n\
         [[event]]\ntype = \"a\"\n[[event]]\ntype = \"a\"\n\
         [[function]]\nid = \"f\"\nurl = \"ftp://x\"\n\
         [[function]]\nid = \"g\"\nurl = \"http://x\"\n\
         [[subscription]]\nevent = \"a\"\nfunction = \"g\"\n\
         [[subscription]]\nevent = \"a\"\nfunction = \"g\"\n\
         [[subscription]]\nroute = \"GET /a/:id\"\nfunction = \"g\"\n\
         [[subscription]]\nroute = \"GET /a/:name\"\nfunction = \"g\"\n",
        &[
            "weir.toml:1: event type \"weir.mine\": choose a name that does not begin with weir., which only Weir \
             itself uses",
            "weir.toml:6: event type \"a\" is declared in line 4 already: remove one",
            "weir.toml:7: function \"f\": give \"url\" an absolute URL that begins with http:// or https://",
            "weir.toml:16: the same subscription stands in line 13 already: remove one",
            "weir.toml:22: subscription of \"g\": Subscription path conflict: parameter with different name (\"id\") \
             already defined: for route: /a/:name: choose another path, or delete what holds this one",
        ],
    );
}

#[test]
fn files_that_are_of_no_use() {
    let directory = application();
    let text = "[[event]]\ntype = \"a\"\nschema = \"bad.json\"\n\
                [[event]]\ntype = \"b\"\nschema = \"missing.json\"\n\
                [[function]]\nid = \"f\"\nsource = \"later.js\"\n\
                [[function]]\nid = \"g\"\nsource = \"latin.js\"\n\
                [[function]]\nid = \"h\"\nsource = \"main.ts\"\n";
    let error = Manifest::read(directory.path(), text).expect_err("faults");
    let found: Vec<_> = error.faults.iter().map(ToString::to_string).collect();
    let start = "weir.toml:3: event type \"a\": the schema bad.json is not JSON, correct it: EOF while parsing";
    assert!(found[0].starts_with(start), "{found:?}");
    let expected = [
        "weir.toml:6: event type \"b\": the schema missing.json: there is no such file; paths begin beside weir.toml",
        "weir.toml:9: function \"f\": the source later.js: there is no such file; paths begin beside weir.toml",
        "weir.toml:12: function \"g\": the source latin.js is not UTF-8: save it as such",
        "weir.toml:15: function \"h\": the source main.ts must be a .js or a .wasm file",
    ];
    assert_eq!(found[1..], expected);
    // A file that is not there yet is watched as well.
    assert!(error.files().contains(&directory.path().join("later.js")));
}

#[test]
fn a_schema_that_cannot_be_used_is_told_where_it_is_named() {
    let text = "[[event]]\ntype = \"a\"\nschema = \"odd.json\"\non_invalid = \"drop\"\n";
    let [schema, word] = &faults(text)[..] else { panic!("two faults") };
    let start = "weir.toml:3: event type \"a\": the schema odd.json: correct the schema at /type: ";
    assert!(schema.starts_with(start), "{schema}");
    let expected = "\"on_invalid\" cannot be \"drop\": choose one of refuse, quarantine";
    assert_eq!(*word, format!("weir.toml:4: event type \"a\": {expected}"));
}

#[test]
fn a_missing_or_broken_manifest_is_one_fault() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join(FILE_NAME);
    let error = Manifest::load(directory.path()).expect_err("no manifest");
    assert_eq!(error.kind(), ErrorKind::NotFound);
    let message = "there is no such file: `weir init DIR` makes one, `weir dev DIR` and `weir apply DIR` take \
                   that of another directory";
    assert_eq!(error.to_string(), format!("the manifest has one mistake\n  {}: {message}", path.display()));
    fs::write(&path, b"\xff").expect("written");
    let error = Manifest::load(directory.path()).expect_err("not UTF-8");
    assert!(error.to_string().ends_with("this is not UTF-8: save it as such"), "{error}");
    assert!(faults("[[event]]\ntype = \n")[0].starts_with("weir.toml:2: this is not TOML: "));
}
