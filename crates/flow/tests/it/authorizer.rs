//! Authorizers: who may enter, what goes on with the event, and how often is asked.

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use futures_util::future::join_all;
use parking_lot::Mutex;
use tokio::sync::Semaphore;
use weir_catalog::{Command, EventType, EventTypeName, Function, FunctionKind, Method, Subscription, SubscriptionKind};
use weir_domain::{AttributeValue, Clock, Data, ErrorKind, Event, FunctionId, Timestamp};
use weir_flow::{Authorized, CallFailure, Decision, Happening, HttpAnswer, Observer, Options, Refusal, Sender};
use weir_functions::{CallError, CallMode, Outcome};
use weir_testkit::{FakeFunction, SteppingClock};

use crate::support::{Functions, Running, draft, event, memory, quick_retry, space, start_with};

const ADA: &str = r#"{"authorization":{"principalId":"ada"}}"#;

/// Who says only a name, by which a stranger is not known.
struct Named(&'static str);

const STRANGER: &str = "stranger";

impl Sender for Named {
    fn is_known(&self) -> bool {
        self.0 != STRANGER
    }

    fn path(&self) -> &str {
        "/in"
    }

    fn headers(&self) -> String {
        format!("{{\"Authorization\":\"{}\"}}", self.0)
    }

    fn request(&self) -> String {
        format!("{{\"headers\":{{\"Authorization\":\"{}\"}}}}", self.0)
    }

    fn identity(&self, part: &mut dyn FnMut(&[u8])) {
        part(self.0.as_bytes());
    }
}

/// A clock that stands still until it is put on.
struct HandClock(AtomicU64);

impl HandClock {
    fn put_on(&self, by: Duration) {
        self.0.fetch_add(by.as_micros() as u64, Ordering::SeqCst);
    }
}

impl Clock for HandClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_unix_micros(self.0.load(Ordering::SeqCst))
    }
}

/// What authorizers said.
#[derive(Default)]
struct Seen(Mutex<Vec<Decision>>);

impl Observer for Seen {
    fn observe(&self, _happening: &Happening<'_>) {}

    fn authorized(&self, authorized: &Authorized<'_>) {
        assert_eq!((authorized.space, authorized.function.as_str()), (&space(), "guard"));
        self.0.lock().push(authorized.decision);
    }
}

fn value(text: &str) -> Result<Outcome, CallError> {
    Ok(Outcome::Value(text.to_owned().into()))
}

/// The request's name, as the authorizer is told it.
fn name_of(question: &Event) -> String {
    let Data::Json(text) = question.data() else { panic!("no JSON: {question:?}") };
    let data: serde_json::Value = serde_json::from_str(text).expect("JSON");
    data["request"]["headers"]["Authorization"].as_str().expect("a name").to_owned()
}

/// Allows whoever has a name but eve.
fn guard() -> FakeFunction {
    FakeFunction::new(|call| async move {
        assert_eq!(call.mode, CallMode::Value);
        match name_of(&call.event).as_str() {
            "eve" => value(r#"{"error":{"message":"not you"}}"#),
            name => value(&format!("{{\"authorization\":{{\"principalId\":\"{name}\"}}}}")),
        }
    })
}

/// A flow in which `guard` guards the type `guarded`.
async fn guarded(
    functions: impl IntoIterator<Item = (&'static str, FakeFunction)>,
    cache_ms: u32,
    clock: Arc<dyn Clock>,
    observer: Arc<dyn Observer>,
) -> Running {
    let functions: HashMap<_, _> = functions.into_iter().map(|(id, it)| (id.to_owned(), it)).collect();
    let running = start_with(memory(), &Functions(functions), Options::default(), clock, observer).await;
    running.change(Command::CreateFunction(function("guard"))).await;
    running.change(Command::CreateEventType(guarded_type(cache_ms))).await;
    running
}

fn function(id: &str) -> Function {
    Function::new(FunctionId::new(id).expect("valid"), FunctionKind::http("http://localhost/"))
}

fn guarded_type(cache_ms: u32) -> EventType {
    let authorizer = Some(FunctionId::new("guard").expect("valid"));
    let name = EventTypeName::new("guarded").expect("valid");
    EventType { authorizer, authorizer_cache_ms: cache_ms, ..EventType::new(name) }
}

fn stepping() -> Arc<dyn Clock> {
    Arc::new(SteppingClock::default())
}

async fn admit(running: &Running, id: &str, name: &'static str) -> Result<Event, Refusal> {
    let new = running.flow.admit(&space(), event(id, "guarded", "k"), &Named(name)).await?;
    Ok(new.event)
}

#[tokio::test]
async fn whoever_is_allowed_enters_with_what_was_said() {
    let (guard, seen) = (guard(), Arc::new(Seen::default()));
    let running = guarded([("guard", guard.clone())], 0, stepping(), seen.clone()).await;
    let own = event("1", "guarded", "k").to_builder().extension("n", AttributeValue::Integer(7));
    let forged =
        own.extension("eventgateway", AttributeValue::String(r#"{"authorization":{"principalId":"root"},"a":1}"#));
    let new = running.flow.admit(&space(), forged.build().expect("valid"), &Named("ada")).await.expect("allowed");
    assert_eq!(new.event.extension("n"), Some(AttributeValue::Integer(7)));
    let mark = r#"{"a":1,"authorization":{"principalId":"ada"}}"#;
    assert_eq!(
        (new.event.extension_str("eventgateway"), new.key.map(|key| key.to_string())),
        (Some(mark), Some("k".into()))
    );

    let refusal = admit(&running, "2", "eve").await.expect_err("denied");
    assert_eq!(refusal.kind(), ErrorKind::Denied);
    assert_eq!(refusal.to_string(), "the authorizer of event type \"guarded\" refused the event: not you");
    // Once for each event.
    assert_eq!(guard.calls().all(), [("1".to_owned(), 1), ("2".to_owned(), 1)]);
    assert_eq!(*seen.0.lock(), [Decision::Allowed, Decision::Denied]);
    running.stop().await;
}

#[tokio::test]
async fn what_is_forged_does_not_pass_without_an_authorizer_either() {
    let running = guarded([("guard", guard())], 0, stepping(), Arc::new(Seen::default())).await;
    running.change(Command::CreateEventType(EventType::new(EventTypeName::new("open").expect("valid")))).await;
    let forged = event("1", "open", "k").to_builder().extension("eventgateway", AttributeValue::String(ADA));
    let new = running.flow.admit(&space(), forged.build().expect("valid"), &Named("eve")).await.expect("admitted");
    assert_eq!(new.event, event("1", "open", "k"));
    running.stop().await;
}

#[tokio::test]
async fn a_stranger_enters_by_an_authorizer_and_in_no_other_way() {
    let running = guarded([("guard", guard())], 0, stepping(), Arc::new(Seen::default())).await;
    running.change(Command::CreateEventType(EventType::new(EventTypeName::new("open").expect("valid")))).await;
    let stranger = Named(STRANGER);
    assert!(admit(&running, "1", STRANGER).await.is_ok());
    let alone = running.flow.admit(&space(), event("2", "open", "k"), &stranger).await;
    assert!(matches!(alone, Err(Refusal::Stranger { .. })), "{alone:?}");
    for (events, place) in [(["guarded", "open"], 1), (["open", "guarded"], 0)] {
        let events = events.map(|event_type| event(event_type, event_type, "k")).to_vec();
        let (index, refusal) = running.flow.admit_batch(&space(), events, &stranger).await.expect_err("refused");
        assert!(index == place && matches!(refusal, Refusal::Stranger { .. }), "{index} {refusal}");
    }
    running.stop().await;
}

#[tokio::test]
async fn the_authorizer_is_told_of_the_event_and_its_request() {
    let questions: Arc<Mutex<Vec<Event>>> = Arc::default();
    let kept = questions.clone();
    let guard = FakeFunction::new(move |call| {
        kept.lock().push(call.event);
        async { value(ADA) }
    });
    let running = guarded([("guard", guard)], 0, stepping(), Arc::new(Seen::default())).await;
    let forged = event("1", "guarded", "k").to_builder().extension("eventgateway", AttributeValue::String(ADA));
    running.flow.admit(&space(), forged.build().expect("valid"), &Named("ada")).await.expect("allowed");
    let question = questions.lock()[0].clone();
    assert_eq!((question.event_type(), question.subject()), ("weir.authorization.requested", Some("guarded")));
    let Data::Json(text) = question.data() else { panic!("no JSON: {question:?}") };
    let expected = serde_json::json!({
        "event": { "specversion": "1.0", "id": "1", "source": "/test", "type": "guarded", "subject": "k" },
        "request": { "headers": { "Authorization": "ada" } },
    });
    assert_eq!(serde_json::from_str::<serde_json::Value>(text).expect("JSON"), expected);
    running.stop().await;
}

#[tokio::test]
async fn nothing_but_a_yes_is_a_yes() {
    let check = async |said: Result<Outcome, CallError>, kind: ErrorKind, told: &[Decision]| {
        let guard = FakeFunction::new({
            let said = said.clone();
            move |_| std::future::ready(said.clone())
        });
        let seen = Arc::new(Seen::default());
        let running = guarded([("guard", guard)], 60_000, stepping(), seen.clone()).await;
        let refusal = admit(&running, "1", "ada").await.expect_err("refused");
        assert_eq!((refusal.kind(), &**seen.0.lock()), (kind, told), "{said:?}");
        running.stop().await;
    };
    let failed = &[Decision::Failed][..];
    for text in ["{}", "null", "", "{", r#"{"error":null}"#, r#"{"authorization":{}}"#] {
        check(value(text), ErrorKind::Denied, failed).await;
    }
    check(Ok(Outcome::Events(Vec::new())), ErrorKind::Denied, failed).await;
    let answer = HttpAnswer { status: 200, headers: Vec::new(), body: ADA.into() };
    check(Ok(Outcome::Answer(answer)), ErrorKind::Denied, failed).await;
    let limit = Duration::from_secs(5);
    for error in [
        CallError::Rejected { message: "it threw".into() },
        CallError::Timeout { limit },
        CallError::Trap { message: "unreachable".into() },
        CallError::Unreachable { message: "nobody there".into() },
        CallError::Status { code: 401, retry_after: None, body: ADA.into() },
        CallError::Status { code: 503, retry_after: Some(limit), body: String::new() },
    ] {
        check(Err(error), ErrorKind::Denied, failed).await;
    }
    // Of who was not called nothing is known: it may be asked again.
    let later = ErrorKind::Unavailable { retry_after: Some(Duration::from_secs(1)) };
    check(Err(CallError::Busy), later, &[]).await;
    check(Err(CallError::NotReady { message: "it does not parse".into() }), later, &[]).await;
}

#[tokio::test]
async fn a_panic_refuses_and_harms_nobody_else() {
    let guard = FakeFunction::new(|call| async move {
        assert_ne!(call.event.id(), "1", "the first one ends so");
        value(ADA)
    });
    let running = guarded([("guard", guard)], 0, stepping(), Arc::new(Seen::default())).await;
    assert!(matches!(admit(&running, "1", "ada").await, Err(Refusal::AuthorizerFailed { .. })));
    admit(&running, "2", "ada").await.expect("allowed");
    running.stop().await;
}

#[tokio::test]
async fn what_was_allowed_holds_as_long_as_the_type_says() {
    let (guard, clock) = (guard(), Arc::new(HandClock(AtomicU64::new(1_700_000_000_000_000))));
    let seen = Arc::new(Seen::default());
    let running = guarded([("guard", guard.clone())], 1000, clock.clone(), seen.clone()).await;
    let check = async |name: &'static str, calls: usize| {
        let is_allowed = admit(&running, "1", name).await.is_ok();
        assert_eq!((is_allowed, guard.calls().count()), (name != "eve", calls), "{name}");
    };
    check("ada", 1).await;
    check("ada", 1).await;
    check("bob", 2).await;
    // A no is never kept.
    check("eve", 3).await;
    check("eve", 4).await;
    clock.put_on(Duration::from_micros(999_999));
    check("ada", 4).await;
    clock.put_on(Duration::from_micros(1));
    check("ada", 5).await;

    // Another source is another sender.
    let other = Event::builder("1", "/other", "guarded").build().expect("valid");
    running.flow.admit(&space(), other, &Named("ada")).await.expect("allowed");
    assert_eq!(guard.calls().count(), 6);
    // Another code may say something else, and a type that allows no cache is asked for at once.
    running.change(Command::UpdateFunction(function("guard"))).await;
    check("ada", 7).await;
    check("ada", 7).await;
    running.change(Command::UpdateEventType(guarded_type(0))).await;
    check("ada", 8).await;
    check("ada", 9).await;
    assert_eq!(seen.0.lock().len(), 9);
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_a_herd_one_is_asked_for_and_all_are_answered() {
    let check = async |name: &'static str, cache_ms: u32, calls: usize| {
        let gate = Arc::new(Semaphore::new(0));
        let guard = FakeFunction::new({
            let (gate, guard) = (gate.clone(), guard());
            move |call| {
                let (gate, guard) = (gate.clone(), guard.clone());
                async move {
                    gate.acquire().await.expect("open").forget();
                    weir_functions::Invoke::invoke(&guard, &call).await
                }
            }
        });
        let running = guarded([("guard", guard.clone())], cache_ms, stepping(), Arc::new(Seen::default())).await;
        let herd = join_all((0..20).map(|_| admit(&running, "1", name)));
        let open = async {
            // All wait by now: they are polled before this.
            gate.add_permits(20);
        };
        let (herd, ()) = futures_util::future::join(herd, open).await;
        assert!(herd.iter().all(|each| each.is_ok() == (name != "eve")), "{herd:?}");
        assert_eq!(guard.calls().count(), calls, "{name} {cache_ms}");
        running.stop().await;
    };
    check("ada", 60_000, 1).await;
    check("eve", 60_000, 1).await;
    check("ada", 0, 20).await;
}

#[tokio::test]
async fn a_batch_is_allowed_whole_or_not_at_all() {
    let guard = FakeFunction::new(|call| async move {
        tokio::task::yield_now().await;
        match call.event.id() {
            "bad" | "worse" => value(r#"{"error":{"message":"not this"}}"#),
            _ => value(ADA),
        }
    });
    let running = guarded([("guard", guard.clone())], 0, stepping(), Arc::new(Seen::default())).await;
    running.change(Command::CreateEventType(EventType::new(EventTypeName::new("open").expect("valid")))).await;
    let admit = async |ids: &[&str]| {
        let events = ids.iter().map(|id| {
            let event_type = match id.split_once('-') {
                Some((event_type, _)) => event_type,
                None => "guarded",
            };
            event(id, event_type, "k")
        });
        let admitted = running.flow.admit_batch(&space(), events.collect(), &Named("ada")).await;
        admitted.map(|all| all.into_iter().map(|new| new.event.id().to_owned()).collect::<Vec<_>>())
    };
    let many: Vec<String> =
        (0..100).map(|number| if number % 3 == 0 { format!("open-{number}") } else { number.to_string() }).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    assert_eq!(admit(&many).await.expect("allowed"), many);
    let asked = guard.calls().count();
    assert_eq!(asked, many.iter().filter(|id| !id.starts_with("open")).count());

    let (index, refusal) = admit(&["open-1", "1", "bad", "2", "worse"]).await.expect_err("refused");
    assert!(index == 2 && matches!(refusal, Refusal::Denied { .. }), "{index} {refusal}");
    // Nobody is asked where the batch is refused anyway.
    let asked = guard.calls().count();
    let (index, refusal) = admit(&["1", "2", "nobody-knows"]).await.expect_err("refused");
    assert!(index == 2 && matches!(refusal, Refusal::Unregistered { .. }), "{index} {refusal}");
    assert_eq!(guard.calls().count(), asked);
    running.stop().await;
}

#[tokio::test]
async fn routes_are_guarded_before_their_function_and_returned_events_are_not() {
    let work = FakeFunction::new(|call| async move {
        assert_eq!(call.event.extension_str("eventgateway"), Some(ADA));
        Ok(Outcome::Events(vec![draft("guarded", "returned")]))
    });
    let (guard, seen) = (guard(), Arc::new(Seen::default()));
    let running = guarded([("guard", guard.clone()), ("work", work.clone())], 0, stepping(), seen).await;
    running.change(Command::CreateFunction(function("work"))).await;
    let request = EventTypeName::http_request();
    let guarded_request = EventType { name: request.clone(), ..guarded_type(0) };
    running.change(Command::CreateEventType(guarded_request)).await;
    let id = FunctionId::new("work").expect("valid");
    let route =
        Arc::new(Subscription::new(SubscriptionKind::Sync, request, id, Method::Get, "/").with_retry(quick_retry(1)));
    let call = async |name: &'static str| {
        let request = Event::builder("1", "/weir/gateway", "http.request").build().expect("valid");
        running.flow.call(&space(), &route, request, &Named(name)).await
    };
    let failure = call("eve").await.expect_err("denied");
    assert!(matches!(failure, CallFailure::Refused(Refusal::Denied { .. })), "{failure}");
    assert_eq!(work.calls().count(), 0);
    assert_eq!(call("ada").await.expect("allowed").status, 200);
    // The event that the function returned is of a guarded type, too.
    assert_eq!(running.wait_for("guarded", 1).await.len(), 1);
    assert_eq!((guard.calls().count(), work.calls().count()), (2, 1));
    running.stop().await;
}
