//! Functions as JSON, in both directions.

use serde_json::value::RawValue;
use weir_catalog::{AwsService, Catalog};

use super::*;
use crate::configuration::fields::check_taken;

#[test]
fn every_member_that_is_told_of_is_read() {
    let with_type = |text: &str| {
        if text.contains("\"type\"") { text.to_owned() } else { text.replacen('{', r#"{"type":"http","#, 1) }
    };
    check_taken(MEMBERS, |text| draft(&with_type(text), None).is_err());
    for (kind, members) in provider::tables() {
        // Size and digest of a component are shown, and read where that is read.
        check_taken(members, |text| {
            let given: &RawValue = serde_json::from_str(text).expect("JSON");
            provider::read(kind, Some(given)).is_err()
                || provider::read_shown(kind, Some(given), &Components::default()).is_err()
        });
    }
    let kinds: Vec<&str> = provider::kinds().collect();
    assert_eq!(kinds[..3], ["http", "wasm", "builtin"]);
    assert_eq!(kinds[3..], AwsService::ALL.map(AwsService::name));
}

fn shown(function: &Function) -> Value {
    serde_json::to_value(Functions::view("default", function)).expect("JSON")
}

fn made(value: &Value) -> Result<Function, String> {
    let (_, command) = Functions::create(&value.to_string(), "default").map_err(|error| error.to_string())?;
    let Command::CreateFunction(function) = command else { panic!("another command") };
    Ok(function)
}

fn check(value: Value, expected: Value) {
    assert_eq!(made(&value).map(|function| shown(&function)), Ok(expected), "{value}");
}

fn refused(value: Value, detail: &str) {
    let message = format!("Function doesn't validate. Validation error: {detail}");
    assert_eq!(made(&value).map(|function| shown(&function)), Err(message), "{value}");
}

#[test]
fn http_functions_look_as_in_the_event_gateway() {
    let plain = json!({
        "space": "default",
        "functionId": "f",
        "type": "http",
        "provider": { "url": "http://example.com" },
    });
    check(json!({ "functionId": "f", "type": "http", "provider": { "url": "http://example.com" } }), plain.clone());
    check(json!({ "FunctionID": "f", "Type": "http", "Provider": { "URL": "http://example.com" } }), plain);
    let given = json!({
        "functionId": "f",
        "type": "http",
        "provider": { "url": "http://example.com", "timeoutMs": 250, "headers": { "authorization": "secret" } },
        "metadata": { "k": "v" },
    });
    let expected = json!({
        "space": "default",
        "functionId": "f",
        "type": "http",
        "provider": { "url": "http://example.com", "timeoutMs": 250, "headers": { "authorization": "*****" } },
        "metadata": { "k": "v" },
    });
    check(given, expected);
}

#[test]
fn wasm_functions_show_their_source_or_its_size_and_digest() {
    let wasm = |provider: Value| json!({ "space": "default", "functionId": "f", "type": "wasm", "provider": provider });
    check(
        wasm(json!({ "javascript": "export function handle() {}" })),
        wasm(json!({
            "javascript": "export function handle() {}",
            "instances": "reuse",
            "callsMax": 1000,
            "timeoutMs": 5000,
            "memoryBytesMax": 67_108_864,
        })),
    );
    check(
        wasm(json!({
            "component": "AGFzbQ==",
            "instances": "fresh",
            "timeoutMs": 10,
            "memoryBytesMax": 8_388_608,
            "config": { "token": "secret" },
        })),
        wasm(json!({
            "componentBytes": 4,
            "componentDigest": "sha256:cd5d4935a48c0672cb06407bb443bc0087aff947c6b864bac886982c73b3027f",
            "instances": "fresh",
            "timeoutMs": 10,
            "memoryBytesMax": 8_388_608,
            "config": { "token": "*****" },
        })),
    );
    let reused = made(&wasm(json!({ "javascript": "x", "callsMax": 3 }))).expect("good");
    assert_eq!(shown(&reused)["provider"]["callsMax"], json!(3));
}

#[test]
fn functions_that_are_part_of_weir_have_a_name() {
    let count = json!({ "space": "default", "functionId": "f", "type": "builtin", "provider": { "name": "count" } });
    check(count.clone(), count);
    let fault = "Key: 'Function.Name' Error:Field validation for 'Name' failed on the 'eq=count' tag";
    refused(json!({ "functionId": "f", "type": "builtin", "provider": { "name": "sum" } }), fault);
    refused(json!({ "functionId": "f", "type": "builtin" }), fault);
}

#[test]
fn faults_are_told_in_the_words_of_the_event_gateway() {
    let field = |field: &str, rule: &str| {
        format!("Key: 'Function.{field}' Error:Field validation for '{field}' failed on the '{rule}' tag")
    };
    let of = |kind: &str, provider: Value| json!({ "functionId": "f", "type": kind, "provider": provider });
    refused(json!({}), "provider configuration not set");
    refused(of("", json!({})), "provider configuration not set");
    refused(of("weighted", json!({ "arn": "a" })), "provider weighted not supported");
    refused(of("awslambda", json!({ "arn": "a" })), "missing required fields for AWS Lambda function");
    refused(of("awskinesis", json!({ "region": "a" })), "missing required fields for AWS Kinesis function");
    refused(of("awsfirehose", json!({})), "missing required fields for AWS Firehose function");
    refused(of("awssqs", json!({ "queueURL": "", "region": "a" })), "missing required fields for AWS SQS function");
    refused(of("http", json!({})), "missing required fields for HTTP endpoint");
    refused(json!({ "functionId": "f", "type": "http" }), "missing required fields for HTTP endpoint");
    refused(json!({ "type": "http", "provider": { "url": "http://a" } }), &field("ID", "required"));
    refused(of("wasm", json!({})), &field("Code", "required"));
    let context = "unable to load function provider config: ";
    refused(of("http", json!("x")), &format!("{context}invalid type: string \"x\", expected a map"));
    refused(of("http", json!({ "url": 5 })), &format!("{context}url: invalid type: integer `5`, expected a string"));
    let both = json!({ "javascript": "x", "component": "AGFzbQ==" });
    refused(of("wasm", both), &format!("{context}javascript and component exclude each other"));
    let broken = format!("{context}component is not base64: Invalid symbol 64, offset 0");
    refused(of("wasm", json!({ "component": "@@@@" })), &broken);
    let unknown = format!("{context}instances must be \"reuse\" or \"fresh\", not \"pooled\"");
    refused(of("wasm", json!({ "javascript": "x", "instances": "pooled" })), &unknown);
    let fresh = json!({ "javascript": "x", "instances": "fresh", "callsMax": 3 });
    let version = json!({ "url": "http://a", "cloudEventsVersion": "0.3" });
    refused(of("http", version), &format!("{context}cloudEventsVersion must be \"1.0\" or \"0.1\", not \"0.3\""));
    refused(of("wasm", fresh), &format!("{context}callsMax has no meaning where instances is \"fresh\""));
}

#[test]
fn functions_at_aws_show_no_credentials_and_keep_them() {
    let function = |kind: &str, provider: Value| json!({ "space": "default", "functionId": "f", "type": kind, "provider": provider });
    let bare = |kind: &str, member: &str, target: &str| {
        let mut provider = json!({ "region": "eu-central-1" });
        provider[member] = json!(target);
        let value = function(kind, provider);
        check(value.clone(), value);
    };
    bare("awslambda", "arn", "arn:aws:lambda:eu-central-1:123456789012:function:bill");
    bare("awskinesis", "streamName", "orders");
    bare("awsfirehose", "deliveryStreamName", "orders");
    bare("awssqs", "queueUrl", "https://sqs.eu-central-1.amazonaws.com/123456789012/orders");

    let with = |id: &str, secret: &str, token: &str| {
        function(
            "awslambda",
            json!({
                "arn": "bill",
                "region": "eu-central-1",
                "awsAccessKeyId": id,
                "awsSecretAccessKey": secret,
                "awsSessionToken": token,
                "endpoint": "http://127.0.0.1:4566",
                "timeoutMs": 900,
                "cloudEventsVersion": "0.1",
            }),
        )
    };
    let given = with("AKIDEXAMPLE", "s3cret", "t0ken");
    let hidden = with("*****", "*****", "*****");
    check(given.clone(), hidden.clone());
    let (mut catalog, space) = (Catalog::new(), SpaceName::default());
    let change = catalog.plan(&space, Command::CreateFunction(made(&given).expect("good"))).expect("good");
    catalog.fold(&change).expect("planned");
    let replaced = |value: &Value| {
        let (space, command) = Functions::replace(&value.to_string(), "default", "f".into()).expect("good");
        let change = catalog.plan(&space, command).expect("there is something to keep");
        Functions::changed(&change.kind).map(|function| Function::clone(function))
    };
    assert_eq!(replaced(&hidden), made(&given).ok());
    assert_eq!(replaced(&with("*****", "other", "*****")), made(&with("AKIDEXAMPLE", "other", "t0ken")).ok());
    let message =
        "unable to load function provider config: credentials: \"awsAccessKeyId\" has no present value to keep";
    refused(hidden, message);
}

#[test]
fn values_that_were_hidden_stay_where_they_are_written_back() {
    let with = |value: &str| {
        json!({
            "functionId": "f",
            "type": "http",
            "provider": { "url": "http://example.com", "headers": { "authorization": value } },
        })
    };
    let command = |value: &str| {
        let (_, command) = Functions::replace(&with(value).to_string(), "default", "f".into()).expect("good");
        command
    };
    let given = made(&with("other")).expect("good");
    assert_eq!(command("other"), Command::UpdateFunction(given));
    let mut plain = with("");
    plain["provider"]["headers"] = json!({});
    let function = made(&plain).expect("good");
    let kept = BTreeSet::from(["authorization".to_owned()]);
    assert_eq!(command("*****"), Command::UpdateFunctionKeeping { function, kept });
    let message = "unable to load function provider config: headers: \"authorization\" has no present value to keep";
    refused(with("*****"), message);
}
