//! The field details of the Event Gateway.

use serde_json::json;

use super::{AwsDraft, EventTypeDraft, FunctionDraft, ProviderDraft, SubscriptionDraft};
use crate::{
    AwsFunction, AwsService, Builtin, CatalogError, EventTypeName, FunctionKind, KeyRule, Method, Start,
    SubscriptionKind,
};

/// Each detail is `field tag`; all must be there, in this order, and each must have a cure.
fn check<T: std::fmt::Debug>(result: Result<T, CatalogError>, prefix: &str, details: &[&str]) {
    let error = result.expect_err("a fault");
    let (name, resource) = prefix.split_once(' ').expect("two words");
    let lines: Vec<String> = details
        .iter()
        .map(|detail| match detail.split_once(' ') {
            Some((field, tag)) => {
                format!("Key: '{name}.{field}' Error:Field validation for '{field}' failed on the '{tag}' tag")
            }
            None => (*detail).to_owned(),
        })
        .collect();
    let expected = format!("{resource} doesn't validate. Validation error: {}", lines.join("\n"));
    assert_eq!(error.to_string(), expected);
    assert_eq!(error.cure().split("; ").filter(|cure| !cure.is_empty()).count(), details.len(), "{}", error.cure());
}

#[test]
fn event_types() {
    let check = |space: &str, draft: EventTypeDraft, details: &[&str]| {
        check(draft.check(space), "Type Event Type", details);
    };
    let named = |name: &str| EventTypeDraft { name: name.into(), ..EventTypeDraft::default() };
    check("", EventTypeDraft::default(), &["Name required"]);
    check("ab", named("a"), &["Space min"]);
    check("///", named("a"), &["Space space"]);
    check(&"a".repeat(129), named("a"), &["Space max"]);
    check("a b", named("a\n"), &["Space space", "Name eventType"]);
    check("", named(&"a".repeat(257)), &["Name max"]);
    check("", EventTypeDraft { key: Some("id".into()), ..named("a") }, &["Key key"]);

    let draft = EventTypeDraft { key: Some("/subject".into()), ..named("with/slash and space") };
    let (space, it) = draft.check("").expect("valid");
    assert_eq!((space.as_str(), it.name.as_str()), ("default", "with/slash and space"));
    assert_eq!(it.key, KeyRule::Attribute("subject".into()));
    let draft = EventTypeDraft { authorizer: Some("no id".into()), ..named("a") };
    assert_eq!(draft.check(""), Err(CatalogError::AuthorizerMissing));
}

#[test]
fn functions() {
    let check = |id: &str, provider: ProviderDraft, details: &[&str]| {
        let draft = FunctionDraft { id: id.into(), provider, ..FunctionDraft::default() };
        check(draft.check(""), "Function Function", details);
    };
    let http = |url: Option<&str>| ProviderDraft::Http {
        url: url.map(str::to_owned),
        timeout_ms: None,
        headers: Default::default(),
        version: None,
    };
    check("", http(Some("http://a")), &["ID required"]);
    check("a/b", http(Some("http://a")), &["ID functionid"]);
    check(&"a".repeat(257), http(Some("http://a")), &["ID max"]);
    let refused = |provider: ProviderDraft, detail: &str| {
        let error = FunctionDraft { id: "f".into(), provider, ..FunctionDraft::default() }.check("").expect_err(detail);
        assert_eq!(error.to_string(), format!("Function doesn't validate. Validation error: {detail}"));
        assert!(!error.cure().is_empty());
    };
    refused(ProviderDraft::Unset, "provider configuration not set");
    refused(ProviderDraft::Unsupported("weighted".into()), "provider weighted not supported");
    refused(http(None), "missing required fields for HTTP endpoint");

    for (service, title) in AwsService::ALL.into_iter().zip(["Lambda", "Kinesis", "Firehose", "SQS"]) {
        let missing = format!("missing required fields for AWS {title} function");
        refused(ProviderDraft::Aws(AwsDraft::of(service)), &missing);
        let named = AwsDraft { target: Some("a".into()), region: Some(String::new()), ..AwsDraft::of(service) };
        refused(ProviderDraft::Aws(named), &missing);
    }
    let aws = AwsDraft { target: Some("a".into()), region: Some("r".into()), ..AwsDraft::of(AwsService::Kinesis) };
    for (id, secret, token) in [(Some("i"), None, None), (None, Some("s"), None), (None, None, Some("t"))] {
        let draft = AwsDraft {
            access_key_id: id.map(str::to_owned),
            secret_access_key: secret.map(str::to_owned),
            session_token: token.map(str::to_owned),
            ..aws.clone()
        };
        check("f", ProviderDraft::Aws(draft), &["Credentials credentials"]);
    }
    let made = aws.check().expect("complete");
    assert_eq!((made.credentials, made.timeout_ms), (None, AwsFunction::TIMEOUT_MS));

    let builtin = |name: Option<&str>| ProviderDraft::Builtin { name: name.map(str::to_owned) };
    check("f", builtin(None), &["Name eq=count"]);
    check("f", builtin(Some("sum")), &["Name eq=count"]);
    let draft = FunctionDraft { id: "f".into(), provider: builtin(Some("count")), ..FunctionDraft::default() };
    assert_eq!(draft.check("").expect("valid").1.kind, FunctionKind::Builtin { name: Builtin::Count });

    let draft = FunctionDraft { id: "f".into(), provider: http(Some("http://a")), ..FunctionDraft::default() };
    let (_, it) = draft.check("shop").expect("valid");
    assert_eq!(it.kind, FunctionKind::http("http://a"));
}

#[test]
fn subscriptions() {
    let check = |draft: SubscriptionDraft, details: &[&str]| {
        check(draft.check(""), "Subscription Subscription", details);
    };
    let good = || SubscriptionDraft {
        kind: "sync".into(),
        event_type: "http.request".into(),
        function: "f".into(),
        ..SubscriptionDraft::default()
    };
    check(SubscriptionDraft::default(), &["Type required", "EventType required", "FunctionID required"]);
    check(SubscriptionDraft { kind: "Sync".into(), ..good() }, &["Type eq=async|eq=sync"]);
    check(SubscriptionDraft { event_type: "a b".into(), ..good() }, &["EventType eventType"]);
    check(SubscriptionDraft { function: "a/b".into(), ..good() }, &["FunctionID functionid"]);
    let methods = "Method eq=GET|eq=POST|eq=DELETE|eq=PUT|eq=PATCH|eq=HEAD|eq=OPTIONS";
    check(SubscriptionDraft { method: "TRACE".into(), ..good() }, &[methods]);

    let (space, it) = good().check("").expect("valid");
    assert_eq!(
        (space.as_str(), it.kind, it.method, it.path.as_str()),
        ("default", SubscriptionKind::Sync, Method::Post, "/")
    );
    assert_eq!(it.event_type, EventTypeName::http_request());
    let draft = SubscriptionDraft { method: "get".into(), path: "hello/:name".into(), ..good() };
    let (_, it) = draft.check("").expect("valid");
    assert_eq!((it.method, it.path.as_str()), (Method::Get, "/hello/:name"));

    let filter = json!([{ "prefix": { "subject": 7 } }, { "exact": {} }]);
    let draft = SubscriptionDraft { filter: Some(filter), function: String::new(), ..good() };
    let error = draft.check("").expect_err("faults").to_string();
    // All at once, each with its place.
    for part in ["'FunctionID' failed on the 'required' tag", "\nfilter/0/prefix/subject ", "\nfilter/1/exact "] {
        assert!(error.contains(part), "{error}");
    }
    let draft = SubscriptionDraft {
        kind: "async".into(),
        filter: Some(json!({ "prefix": { "subject": "eu/" } })),
        start: Start::Earliest,
        ..good()
    };
    let (_, it) = draft.check("").expect("valid");
    assert_eq!((it.filter.is_some(), it.start, it.is_consistent()), (true, Start::Earliest, true));
}
