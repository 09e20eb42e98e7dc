//! Functions at AWS, against a small server that checks every signature as AWS does.

use std::{
    convert::Infallible,
    fmt::Write,
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Duration,
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use http::{HeaderMap, Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use ring::digest::{SHA256, digest};
use serde_json::{Value, json as value};
use tokio::net::TcpListener;

use weir_cloudevents::json as codec;
use weir_domain::{Clock, Data, Event, Limits, Timestamp};
use weir_functions::{
    AwsCredentials, AwsFunction, AwsOptions, AwsService, AwsTarget, Call, CallError, CallMode, EventForm, HttpClient,
    Invoke, Outcome,
};

use crate::rig::{self, answer, ask, invoke, only};

const SECRET: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";
const REGION: &str = "eu-central-1";
/// 2026-01-31T12:00:00Z.
const NOW: u64 = 1_769_860_800_000_000;
const KEEPS: Answer = Answer { status: 200, header: None, body: "{}" };

struct StoppedClock;

impl Clock for StoppedClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_unix_micros(NOW)
    }
}

/// What the server says where the signature is right.
#[derive(Clone, Copy)]
struct Answer {
    status: u16,
    header: Option<(&'static str, &'static str)>,
    body: &'static str,
}

/// A request as it came.
struct Seen {
    path: String,
    headers: HeaderMap,
    body: Bytes,
}

struct Aws {
    address: SocketAddr,
    seen: Arc<Mutex<Vec<Seen>>>,
    answer: Arc<Mutex<Answer>>,
}

impl Aws {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let (seen, answer) = (Arc::new(Mutex::new(Vec::new())), Arc::new(Mutex::new(KEEPS)));
        let inside = (Arc::clone(&seen), Arc::clone(&answer));
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.expect("a connection");
                let inside = inside.clone();
                let service = service_fn(move |request: Request<Incoming>| {
                    let (seen, answer) = inside.clone();
                    async move {
                        let (head, body) = request.into_parts();
                        let body = body.collect().await.expect("a body").to_bytes();
                        let request = Seen { path: head.uri.path().to_owned(), headers: head.headers, body };
                        let answer = if is_signed(&request) { *answer.lock().expect("not poisoned") } else { FORGED };
                        seen.lock().expect("not poisoned").push(request);
                        Ok::<_, Infallible>(respond(answer))
                    }
                });
                tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
            }
        });
        Self { address, seen, answer }
    }

    fn function(&self, service: AwsService, name: &str, options: AwsOptions) -> AwsFunction {
        let endpoint = Some(format!("http://{}", self.address));
        let target = AwsTarget { service, name: name.into(), region: REGION.into(), endpoint };
        AwsFunction::new(HttpClient::new(), Arc::new(StoppedClock), target, options).expect("valid")
    }

    fn answers(&self, answer: Answer) {
        *self.answer.lock().expect("not poisoned") = answer;
    }

    /// The one request since the last time.
    fn request(&self) -> Seen {
        let mut seen = std::mem::take(&mut *self.seen.lock().expect("not poisoned"));
        assert_eq!(seen.len(), 1);
        seen.remove(0)
    }
}

const FORGED: Answer =
    Answer { status: 403, header: None, body: r#"{"__type":"InvalidSignatureException","message":"forged"}"# };

fn respond(answer: Answer) -> Response<Full<Bytes>> {
    let mut response = Response::builder().status(answer.status);
    if let Some((name, value)) = answer.header {
        response = response.header(name, value);
    }
    response.body(Full::new(Bytes::from_static(answer.body.as_bytes()))).expect("valid")
}

fn options() -> AwsOptions {
    let credentials = AwsCredentials {
        access_key_id: "AKIDEXAMPLE".into(),
        secret_access_key: SECRET.into(),
        session_token: Some("t0ken".into()),
    };
    AwsOptions { credentials: Some(credentials), timeout: Duration::from_secs(20), ..AwsOptions::default() }
}

/// Computes the signature anew from what came, by the text of the standard, and compares.
fn is_signed(request: &Seen) -> bool {
    let header = |name: &str| request.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let date = header("x-amz-date");
    let Some(rest) = header("authorization").strip_prefix("AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/") else {
        return false;
    };
    let Some((scope, rest)) = rest.split_once(", SignedHeaders=") else { return false };
    let Some((names, signature)) = rest.split_once(", Signature=") else { return false };
    let parts: Vec<&str> = scope.split('/').collect();
    let mut canonical = format!("POST\n{}\n\n", request.path.replace('%', "%25"));
    for name in names.split(';') {
        writeln!(canonical, "{name}:{}", header(name)).expect("a string");
    }
    write!(canonical, "\n{names}\n{}", hex(digest(&SHA256, &request.body).as_ref())).expect("a string");
    let hashed = hex(digest(&SHA256, canonical.as_bytes()).as_ref());
    let text = format!("AWS4-HMAC-SHA256\n{date}\n{scope}\n{hashed}");
    let first = format!("AWS4{SECRET}").into_bytes();
    let key = parts.iter().fold(first, |key, part| hmac(&key, part.as_bytes()));
    let is_whole = ["content-type", "host", "x-amz-date", "x-amz-security-token"]
        .iter()
        .all(|name| names.split(';').any(|each| each == *name));
    let is_scope = parts.len() == 4 && parts[0] == "20260131" && parts[1] == REGION && parts[3] == "aws4_request";
    is_whole && is_scope && date == "20260131T120000Z" && signature == hex(&hmac(&key, text.as_bytes()))
}

/// HMAC (RFC 2104) with SHA-256, from its definition.
fn hmac(key: &[u8], text: &[u8]) -> Vec<u8> {
    assert!(key.len() <= 64, "no key here is longer than a block");
    let padded = |byte: u8| -> Vec<u8> { (0..64).map(|at| key.get(at).copied().unwrap_or(0) ^ byte).collect() };
    let inner = digest(&SHA256, &[padded(0x36), text.to_vec()].concat());
    digest(&SHA256, &[padded(0x5c), inner.as_ref().to_vec()].concat()).as_ref().to_vec()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn keyed(id: &str, key: Option<&str>) -> Event {
    let event = Event::builder(id, "/shop", "order.placed").data(rig::json(r#"{"order":7}"#));
    match key {
        Some(key) => event.subject(key),
        None => event,
    }
    .build()
    .expect("valid")
}

/// Calls from the log, and returns the body that was sent.
async fn sent(aws: &Aws, function: &AwsFunction, event: &Event) -> Value {
    let outcome = function.invoke(&rig::call(CallMode::Async, event.clone())).await;
    assert_eq!(outcome, Ok(Outcome::Events(Vec::new())));
    serde_json::from_slice(&aws.request().body).expect("JSON")
}

#[tokio::test]
async fn every_service_gets_a_signed_request_of_its_own_form() {
    let aws = Aws::start().await;
    let event = keyed("1", Some("käse/7"));
    let read = |bytes: Vec<u8>| codec::decode(&Bytes::from(bytes), &Limits::default());
    let in_base64 = |text: &Value| read(STANDARD.decode(text.as_str().expect("text")).expect("base64"));

    let arn = "arn:aws:lambda:eu-central-1:123456789012:function:bill:live";
    let lambda = aws.function(AwsService::Lambda, arn, options());
    assert_eq!(lambda.invoke(&rig::call(CallMode::Async, event.clone())).await, Ok(Outcome::Events(Vec::new())));
    let request = aws.request();
    let path =
        "/2015-03-31/functions/arn%3Aaws%3Alambda%3Aeu-central-1%3A123456789012%3Afunction%3Abill%3Alive/invocations";
    assert_eq!(request.path, path);
    assert_eq!(request.headers["x-amz-invocation-type"], "RequestResponse");
    assert_eq!(read(request.body.to_vec()), Ok(event.clone()));
    assert_eq!(request.headers["x-amz-security-token"], "t0ken");

    let kinesis = aws.function(AwsService::Kinesis, "orders", options());
    let body = sent(&aws, &kinesis, &event).await;
    assert_eq!((&body["StreamName"], &body["PartitionKey"]), (&value!("orders"), &value!("käse/7")));
    assert_eq!(in_base64(&body["Data"]), Ok(event.clone()));
    let long = sent(&aws, &kinesis, &keyed("1", Some(&"k".repeat(300)))).await;
    assert_eq!(long["PartitionKey"].as_str().map(str::len), Some(64));
    let apart = [sent(&aws, &kinesis, &keyed("1", None)).await, sent(&aws, &kinesis, &keyed("2", None)).await];
    assert_ne!(apart[0]["PartitionKey"], apart[1]["PartitionKey"]);

    let firehose = aws.function(AwsService::Firehose, "all", options());
    let body = sent(&aws, &firehose, &event).await;
    assert_eq!(body["DeliveryStreamName"], "all");
    assert_eq!(in_base64(&body["Record"]["Data"]), Ok(event.clone()));

    let queue = "https://sqs.eu-central-1.amazonaws.com/123456789012/orders";
    let body = sent(&aws, &aws.function(AwsService::Sqs, queue, options()), &event).await;
    assert_eq!((&body["QueueUrl"], body.get("MessageGroupId")), (&value!(queue), None));
    let text = body["MessageBody"].as_str().expect("text");
    assert_eq!(read(text.as_bytes().to_vec()), Ok(event));
}

#[tokio::test]
async fn a_fifo_queue_keeps_the_order_of_a_key_and_takes_a_repetition_once() {
    let aws = Aws::start().await;
    let queue = aws.function(AwsService::Sqs, "https://sqs.eu-central-1.amazonaws.com/1/orders.fifo", options());
    let mut all = Vec::new();
    for (id, key) in [("1", Some("k")), ("1", Some("k")), ("2", Some("k")), ("3", Some("two words")), ("4", None)] {
        let body = sent(&aws, &queue, &keyed(id, key)).await;
        let text = |member: &str| body[member].as_str().expect("text").to_owned();
        all.push((text("MessageGroupId"), text("MessageDeduplicationId")));
    }
    assert_eq!(all[0], all[1], "the same event again");
    assert_eq!((all[0].0.as_str(), all[2].0.as_str()), ("k", "k"));
    assert_ne!(all[0].1, all[2].1);
    for (group, _) in &all {
        assert!(group.len() <= 128 && group.bytes().all(|byte| byte.is_ascii_graphic()), "{group}");
    }
    assert!(all[3].0 != "two words" && all[3].0 != all[4].0);
}

#[tokio::test]
async fn the_result_of_a_lambda_function_is_taken_for_what_it_is() {
    let aws = Aws::start().await;
    let lambda = aws.function(AwsService::Lambda, "bill", options());
    let nothing = || Ok(Outcome::Events(Vec::new()));
    let check = async |body: &'static str, from_the_log: Result<Outcome, CallError>, awaited: Option<Outcome>| {
        aws.answers(Answer { body, ..KEEPS });
        assert_eq!(invoke(&lambda, "t", Data::None).await, from_the_log, "{body}");
        let told = ask(&lambda, "t", Data::None).await;
        match awaited {
            Some(outcome) => assert_eq!(told, Ok(outcome), "{body}"),
            None => assert!(matches!(told, Err(CallError::Malformed { .. })), "{body}: {told:?}"),
        }
    };
    let whole = r#"{"statusCode":201,"headers":{"x-a":"1"},"body":"made"}"#;
    check(whole, nothing(), Some(answer(201, &[("x-a", "1")], b"made"))).await;
    check("{}", nothing(), Some(answer(200, &[], b""))).await;
    check("null", nothing(), Some(answer(200, &[], b""))).await;
    for malformed in ["", "[]", "\"text\"", "7", r#"{"body":5}"#, r#"{"statusCode":1000}"#] {
        check(malformed, nothing(), None).await;
    }

    let event = r#"{"specversion":"1.0","id":"9","source":"/f","type":"done"}"#;
    aws.answers(Answer { body: event, ..KEEPS });
    assert_eq!(only(invoke(&lambda, "t", Data::None).await).event_type, "done");
    assert_eq!(only(ask(&lambda, "t", Data::None).await).event_type, "done");
    aws.answers(Answer { body: r#"[{"specversion":"1.0","id":"9","source":"/f","type":"done"}]"#, ..KEEPS });
    assert_eq!(only(invoke(&lambda, "t", Data::None).await).id.as_deref(), Some("9"));
    aws.answers(Answer { body: r#"{"specversion":"1.0","id":"9"}"#, ..KEEPS });
    assert!(matches!(invoke(&lambda, "t", Data::None).await, Err(CallError::Malformed { .. })));

    let header = Some(("x-amz-function-error", "Unhandled"));
    aws.answers(Answer { header, body: r#"{"errorType":"Error","errorMessage":"no stock"}"#, ..KEEPS });
    let rejected = CallError::Rejected { message: "no stock".into() };
    assert_eq!(invoke(&lambda, "t", Data::None).await, Err(rejected));
}

#[tokio::test]
async fn errors_say_whether_another_attempt_has_a_point() {
    let aws = Aws::start().await;
    let stream = aws.function(AwsService::Kinesis, "orders", options());
    let check = async |status: u16, header: Option<&'static str>, body: &'static str, code: &str, is_final: bool| {
        aws.answers(Answer { status, header: header.map(|value| ("x-amzn-errortype", value)), body });
        let error = invoke(&stream, "t", Data::None).await.expect_err(body);
        let CallError::Service { service, status: told, code: named, .. } = &error else { panic!("{error:?}") };
        assert_eq!((*service, *told, named.as_str(), error.is_final()), ("kinesis", status, code, is_final), "{error}");
    };
    let missing = r#"{"__type":"com.amazonaws.kinesis#ResourceNotFoundException","message":"no such stream"}"#;
    check(400, None, missing, "ResourceNotFoundException", true).await;
    check(404, Some("ResourceNotFoundException:http://internal.amazon.com/"), "{}", "ResourceNotFoundException", true)
        .await;
    let throttled = r#"{"__type":"ProvisionedThroughputExceededException","message":"slower"}"#;
    check(400, None, throttled, "ProvisionedThroughputExceededException", false).await;
    check(400, None, r#"{"__type":"ThrottlingException"}"#, "ThrottlingException", false).await;
    check(400, None, r#"{"__type":"ExpiredTokenException"}"#, "ExpiredTokenException", false).await;
    check(429, Some("TooManyRequestsException"), "", "TooManyRequestsException", false).await;
    check(413, None, "too large", "", true).await;
    check(500, None, r#"{"__type":"InternalFailure"}"#, "InternalFailure", false).await;
    check(503, None, "", "", false).await;

    // What the server itself refuses, because the secret is another one.
    let credentials = AwsCredentials { secret_access_key: "other".into(), ..options().credentials.expect("some") };
    let forged =
        aws.function(AwsService::Kinesis, "orders", AwsOptions { credentials: Some(credentials), ..options() });
    let error = invoke(&forged, "t", Data::None).await.expect_err("forged");
    assert!(error.to_string().contains("InvalidSignatureException") && !error.is_final(), "{error}");
}

#[tokio::test]
async fn who_has_no_credentials_does_not_call_and_old_functions_get_the_old_form() {
    let aws = Aws::start().await;
    let unsigned = aws.function(AwsService::Lambda, "bill", AwsOptions { credentials: None, ..options() });
    let error = invoke(&unsigned, "t", Data::None).await.expect_err("no credentials");
    assert!(error.is_platform() && error.to_string().contains("AWS_ACCESS_KEY_ID"), "{error}");
    assert!(aws.seen.lock().expect("not poisoned").is_empty());

    let old = aws.function(AwsService::Lambda, "bill", AwsOptions { form: EventForm::V01, ..options() });
    let body = sent(&aws, &old, &keyed("1", None)).await;
    let names = ["cloudEventsVersion", "eventType", "eventID", "source"].map(|name| &body[name]);
    assert_eq!(names, [&value!("0.1"), &value!("order.placed"), &value!("1"), &value!("/shop")]);
}

#[tokio::test]
async fn the_limit_of_a_call_holds_where_it_is_shorter() {
    // Connections come about and are never looked at.
    let silent = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let endpoint = Some(format!("http://{}", silent.local_addr().expect("an address")));
    let target = AwsTarget { service: AwsService::Kinesis, name: "orders".into(), region: REGION.into(), endpoint };
    let stream = AwsFunction::new(HttpClient::new(), Arc::new(StoppedClock), target, options()).expect("valid");
    let limit = Duration::from_millis(50);
    let call = Call { timeout: Some(limit), ..rig::call(CallMode::Async, keyed("1", None)) };
    assert_eq!(stream.invoke(&call).await, Err(CallError::Timeout { limit }));
}

#[tokio::test]
async fn only_a_lambda_function_gives_a_value() {
    let aws = Aws::start().await;
    let body = r#"{"authorization":{"principalId":"ada"}}"#;
    aws.answers(Answer { status: 200, header: None, body });
    let lambda = aws.function(AwsService::Lambda, "guard", options());
    assert_eq!(rig::value(&lambda, "t").await, Ok(Outcome::Value(body.into())));
    let stream = aws.function(AwsService::Kinesis, "orders", options());
    assert!(matches!(rig::value(&stream, "t").await, Err(CallError::Malformed { .. })));
    // The stream was not even asked.
    assert_eq!(aws.request().headers["x-amz-invocation-type"], "RequestResponse");
}
