//! Replays: history is delivered once more, in order, marked, and handed over to what is new.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use parking_lot::Mutex;
use serde_json::json;
use tokio::{
    sync::watch,
    time::{Instant, timeout},
};
use weir_catalog::{
    Code, Command, EventTypeName, Filter, Function, FunctionKind, Method, Subscription, SubscriptionKind,
};
use weir_domain::{Event, FunctionId, Position};
use weir_flow::{
    Options, Place, REPLAY, REPLAY_CANCELLED, REPLAY_FINISHED, REPLAY_STARTED, ReplayError, ReplayRefusal,
    ReplayRequest, ReplayStanding, ReplayState, StatusError,
};
use weir_functions::Outcome;
use weir_log::LogEngine;
use weir_testkit::FakeFunction;

use crate::{
    delivery::functions,
    support::{BOUND, Running, all_of, draft, echo, event, memory, quick_retry, space, start},
};

/// A call: the key of the event, its identifier, and whether it was marked as delivered again.
type Seen = (String, String, bool);

/// The calls of a function, in the order of their beginning.
#[derive(Clone, Default)]
struct Journal(Arc<Mutex<Vec<Seen>>>);

impl Journal {
    fn note(&self, event: &Event) -> bool {
        let is_marked = event.extension(REPLAY).is_some();
        let key = event.subject().unwrap_or_default().to_owned();
        self.0.lock().push((key, event.id().to_owned(), is_marked));
        is_marked
    }

    fn all(&self) -> Vec<Seen> {
        self.0.lock().clone()
    }

    /// Returns the identifiers of the events that were delivered again, or for the first time.
    fn ids(&self, is_marked: bool) -> Vec<String> {
        self.all().into_iter().filter(|it| it.2 == is_marked).map(|it| it.1).collect()
    }
}

/// A function that writes down its calls and returns one event about each.
fn noting(journal: &Journal) -> FakeFunction {
    let journal = journal.clone();
    FakeFunction::new(move |call| {
        journal.note(&call.event);
        async move { Ok(Outcome::Events(vec![draft("done", call.event.id())])) }
    })
}

/// The subscription that [`Running::declare`] makes.
fn id_of(function: &str) -> String {
    let (job, function) = (EventTypeName::new("job").expect("valid"), FunctionId::new(function).expect("valid"));
    Subscription::to_events(job, function).id.to_string()
}

/// Everything once more, also outside of this process: there is what tests declare.
fn everything() -> ReplayRequest {
    ReplayRequest { with_effects: true, ..ReplayRequest::since(Place::Earliest) }
}

fn jobs(range: std::ops::Range<usize>) -> impl Iterator<Item = Event> {
    range.map(|number| event(&format!("{number:04}"), "job", &format!("k{}", number % 6)))
}

fn ids(range: std::ops::Range<usize>) -> Vec<String> {
    range.map(|number| format!("{number:04}")).collect()
}

fn sorted(mut ids: Vec<String>) -> Vec<String> {
    ids.sort();
    ids
}

/// Waits until all that was emitted is done.
pub(crate) async fn settled(running: &Running, id: &str) {
    let begun = std::time::Instant::now();
    loop {
        let status = running.flow.status(&space(), id).await.expect("a subscription");
        if status.backlog.events == 0 && status.in_flight == 0 {
            return;
        }
        assert!(begun.elapsed() < BOUND, "{status:?}");
        tokio::task::yield_now().await;
    }
}

/// Waits until a replay is over.
async fn over(running: &Running, id: &str, replay: &str) -> ReplayStanding {
    let ended = async {
        for event_type in [REPLAY_FINISHED, REPLAY_CANCELLED] {
            let told = all_of(&*running.log, event_type).await;
            if told.iter().any(|it| it.event.id().starts_with(replay)) {
                return;
            }
        }
        running.wait_for(REPLAY_FINISHED, 1).await;
    };
    timeout(BOUND, ended).await.expect("the replay ends");
    running.flow.replay(&space(), id, replay).await.expect("it is known")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn history_is_delivered_once_more_and_handed_over_without_gap_or_duplicate() {
    let journal = Journal::default();
    let running = start(memory(), &functions([("work", noting(&journal))]), Options::default()).await;
    running.declare(&["job", "done"], "work", "job", quick_retry(1)).await;
    let id = id_of("work");
    running.emit(jobs(0..300)).await;
    settled(&running, &id).await;
    let plan = running.flow.plan_replay(&space(), &id, &everything()).await.expect("a plan");
    assert_eq!((plan.events.events, plan.events.more), (300, false));

    let begun = running.flow.start_replay(&space(), &id, everything()).await.expect("it begins");
    assert_eq!(begun.state, ReplayState::Running);
    for part in 3..6 {
        running.emit(jobs(part * 100..(part + 1) * 100)).await;
    }
    let ended = over(&running, &id, &begun.order.id).await;
    assert_eq!((ended.state, ended.delivered, ended.given_up), (ReplayState::Finished, 300, 0));
    settled(&running, &id).await;
    let told = running.wait_for(REPLAY_STARTED, 1).await;
    // Which are those of the first time: the second time nothing came in.
    assert_eq!((told.len(), all_of(&*running.log, "done").await.len()), (1, 600));
    running.stop().await;

    assert_eq!(sorted(journal.ids(false)), ids(0..600), "each for the first time once");
    assert_eq!(sorted(journal.ids(true)), ids(0..300), "history once more");
    let mut of_key: BTreeMap<String, Vec<(bool, String)>> = BTreeMap::new();
    for (key, id, is_marked) in journal.all() {
        of_key.entry(key).or_default().push((is_marked, id));
    }
    assert_eq!(of_key.len(), 6);
    for (key, seen) in of_key {
        let (first, rest) = seen.split_at(50);
        let (again, new) = rest.split_at(50);
        assert!(first.is_sorted() && first.iter().all(|it| !it.0), "{key}: {first:?}");
        assert!(again.is_sorted() && again.iter().all(|it| it.0), "{key}: {again:?}");
        assert!(new.is_sorted() && new.iter().all(|it| !it.0), "{key}: {new:?}");
    }
}

#[tokio::test]
async fn what_a_replay_returns_is_new_only_under_a_name_of_its_own() {
    let journal = Journal::default();
    let running = start(memory(), &functions([("work", noting(&journal))]), Options::default()).await;
    running.declare(&["job", "done"], "work", "job", quick_retry(1)).await;
    let id = id_of("work");
    running.emit(jobs(0..5)).await;
    settled(&running, &id).await;
    let mut counts = Vec::new();
    for derivation in [None, Some("second"), Some("second"), Some("third")] {
        let request = ReplayRequest { derivation: derivation.map(str::to_owned), ..everything() };
        let begun = running.flow.start_replay(&space(), &id, request).await.expect("it begins");
        running.wait_for(REPLAY_FINISHED, counts.len() + 1).await;
        let done = all_of(&*running.log, "done").await;
        let marked = done.iter().filter(|it| it.event.extension_str(REPLAY) == Some(begun.order.id.as_str())).count();
        counts.push((done.len(), marked));
    }
    assert_eq!(counts, [(5, 0), (10, 5), (10, 0), (15, 5)]);
    running.stop().await;
}

#[tokio::test]
async fn only_what_is_asked_for_is_delivered_again() {
    let journal = Journal::default();
    let running = start(memory(), &functions([("work", noting(&journal))]), Options::default()).await;
    running.declare(&["job", "done"], "work", "job", quick_retry(1)).await;
    let id = id_of("work");
    let first = running.emit(jobs(0..60)).await;
    settled(&running, &id).await;
    running.emit(jobs(60..120)).await;
    settled(&running, &id).await;
    let filter = Filter::parse(&json!({ "exact": { "subject": "k1" } })).expect("a filter");
    let request = ReplayRequest { to: Some(Place::At(first)), filter: Some(filter), ..everything() };
    let plan = running.flow.plan_replay(&space(), &id, &request).await.expect("a plan");
    assert_eq!((plan.to, plan.events.events), (first, 10));
    // By time as well as by position.
    let since = all_of(&*running.log, "job").await[60].recorded;
    let late = ReplayRequest { from: Place::Since(since), ..everything() };
    let plan = running.flow.plan_replay(&space(), &id, &late).await.expect("a plan");
    assert_eq!(plan.events.events, 60);
    let early = ReplayRequest { to: Some(Place::Since(since)), ..everything() };
    let plan = running.flow.plan_replay(&space(), &id, &early).await.expect("a plan");
    assert_eq!(plan.events.events, 60);

    let begun = running.flow.start_replay(&space(), &id, request).await.expect("it begins");
    let ended = over(&running, &id, &begun.order.id).await;
    assert_eq!(ended.delivered, 10);
    running.stop().await;
    let expected: Vec<String> = (0..60).filter(|number| number % 6 == 1).map(|number| format!("{number:04}")).collect();
    assert_eq!(journal.ids(true), expected);
}

#[tokio::test(start_paused = true)]
async fn a_replay_is_no_faster_than_it_may_be() {
    let running = start(memory(), &functions([("work", echo("done"))]), Options::default()).await;
    running.declare(&["job", "done"], "work", "job", quick_retry(1)).await;
    let id = id_of("work");
    running.emit(jobs(0..50)).await;
    settled(&running, &id).await;
    let request = ReplayRequest { rate: Some(10), ..everything() };
    let plan = running.flow.plan_replay(&space(), &id, &request).await.expect("a plan");
    assert_eq!((plan.rate, plan.duration()), (Some(10), Some(Duration::from_secs(5))));
    let began = Instant::now();
    running.flow.start_replay(&space(), &id, request).await.expect("it begins");
    running.wait_for(REPLAY_FINISHED, 1).await;
    let took = began.elapsed();
    assert!(took >= Duration::from_millis(4800) && took < Duration::from_secs(6), "{took:?}");
    running.stop().await;
}

/// A function whose marked calls with one event wait until they may go on.
fn holding(journal: &Journal, held: &'static str) -> (FakeFunction, watch::Sender<bool>) {
    let (go, may_go) = watch::channel(false);
    let journal = journal.clone();
    let function = FakeFunction::new(move |call| {
        let mut may_go = may_go.clone();
        let is_held = journal.note(&call.event) && call.event.id() == held;
        async move {
            if is_held {
                may_go.wait_for(|may_go| *may_go).await.expect("somebody says so");
            }
            Ok(Outcome::Events(Vec::new()))
        }
    });
    (function, go)
}

/// Waits until an event was delivered again, or is being delivered.
async fn came_again(journal: &Journal, id: &str) {
    let came = async {
        while !journal.ids(true).iter().any(|it| it == id) {
            tokio::task::yield_now().await;
        }
    };
    timeout(BOUND, came).await.unwrap_or_else(|_| panic!("{id} did not come again"));
}

/// The same key for all, so that they come one after another.
fn in_a_row(range: std::ops::Range<usize>) -> impl Iterator<Item = Event> {
    range.map(|number| event(&format!("{number:04}"), "job", "k"))
}

#[tokio::test]
async fn a_replay_can_be_cancelled_and_there_is_one_at_a_time() {
    let journal = Journal::default();
    let (function, go) = holding(&journal, "0002");
    let running = start(memory(), &functions([("work", function)]), Options::default()).await;
    running.declare(&["job"], "work", "job", quick_retry(1)).await;
    let id = id_of("work");
    running.emit(in_a_row(0..20)).await;
    settled(&running, &id).await;
    let begun = running.flow.start_replay(&space(), &id, everything()).await.expect("it begins");
    let name = begun.order.id;
    came_again(&journal, "0002").await;

    let another = running.flow.start_replay(&space(), &id, everything()).await;
    assert!(
        matches!(&another, Err(ReplayError::Refused(ReplayRefusal::UnderWay { id })) if *id == name),
        "{another:?}"
    );
    let unknown = running.flow.cancel_replay(&space(), &id, "nobody").await;
    assert!(matches!(unknown, Err(ReplayError::Refused(ReplayRefusal::Unknown { .. }))), "{unknown:?}");
    let shown = running.flow.replay(&space(), &id, &name).await.expect("it is known");
    assert_eq!((shown.state, shown.delivered), (ReplayState::Running, 2));

    let cancelled = running.flow.cancel_replay(&space(), &id, &name).await.expect("it is cancelled");
    assert_eq!((cancelled.state, cancelled.delivered), (ReplayState::Cancelled, 2));
    let again = running.flow.cancel_replay(&space(), &id, &name).await;
    assert!(matches!(again, Err(ReplayError::Over { state: ReplayState::Cancelled, .. })), "{again:?}");
    let told = running.wait_for(REPLAY_CANCELLED, 1).await;
    assert!(told[0].event.id().starts_with(&name), "{told:?}");
    // What is in flight is finished, and what is new comes after it.
    running.emit(in_a_row(20..21)).await;
    go.send_replace(true);
    settled(&running, &id).await;
    running.stop().await;
    assert_eq!(journal.ids(true), ids(0..3));
    assert_eq!(journal.ids(false), ids(0..21));
}

#[tokio::test]
async fn a_replay_goes_on_after_a_stop_where_it_was_and_its_end_is_known_later() {
    let journal = Journal::default();
    let (function, go) = holding(&journal, "0005");
    let log = memory();
    let all = functions([("work", function)]);
    let running = start(log.clone(), &all, Options::default()).await;
    running.declare(&["job"], "work", "job", quick_retry(1)).await;
    let id = id_of("work");
    running.emit(in_a_row(0..20)).await;
    settled(&running, &id).await;
    let name = running.flow.start_replay(&space(), &id, everything()).await.expect("it begins").order.id;
    came_again(&journal, "0005").await;
    running.emit(in_a_row(20..25)).await;
    // It is told to stop first, and then what is in flight may end.
    tokio::join!(running.stop(), async { go.send_replace(true) });
    assert_eq!(journal.ids(true), ids(0..6));

    let running = start(Arc::new(log.reopen()), &all, Options::default()).await;
    let ended = over(&running, &id, &name).await;
    assert_eq!((ended.state, ended.delivered), (ReplayState::Finished, 20));
    settled(&running, &id).await;
    running.stop().await;
    assert_eq!(journal.ids(true), ids(0..20), "each once");
    assert_eq!(journal.ids(false), ids(0..25));

    // Nobody has it in memory any more: the log has it.
    let running = start(Arc::new(log.reopen()), &all, Options::default()).await;
    let known = running.flow.replay(&space(), &id, &name).await.expect("it is known");
    assert_eq!((known.state, known.delivered, known.next), (ReplayState::Finished, 20, ended.next));
    running.stop().await;
}

#[tokio::test]
async fn a_replay_goes_on_after_a_crash() {
    let journal = Journal::default();
    let is_second_life = Arc::new(AtomicBool::new(false));
    let function = {
        let (journal, is_second_life) = (journal.clone(), is_second_life.clone());
        FakeFunction::new(move |call| {
            let hangs =
                journal.note(&call.event) && call.event.id() == "0007" && !is_second_life.load(Ordering::SeqCst);
            async move {
                if hangs {
                    std::future::pending::<()>().await;
                }
                Ok(Outcome::Events(Vec::new()))
            }
        })
    };
    let log = memory();
    let all = functions([("work", function)]);
    let running = start(log.clone(), &all, Options::default()).await;
    running.declare(&["job"], "work", "job", quick_retry(1)).await;
    let id = id_of("work");
    running.emit(in_a_row(0..20)).await;
    settled(&running, &id).await;
    let name = running.flow.start_replay(&space(), &id, everything()).await.expect("it begins").order.id;
    came_again(&journal, "0007").await;
    running.emit(in_a_row(20..25)).await;
    // From now on it writes nothing any more.
    log.close().await.expect("closed");
    is_second_life.store(true, Ordering::SeqCst);

    let second = start(Arc::new(log.reopen()), &all, Options::default()).await;
    let ended = over(&second, &id, &name).await;
    assert_eq!(ended.state, ReplayState::Finished);
    settled(&second, &id).await;
    second.stop().await;
    drop(running);
    let mut again = journal.ids(true);
    again.sort();
    again.dedup();
    assert_eq!(again, ids(0..20), "nothing is left out");
    let after = journal.all().iter().position(|it| !it.2 && it.1 == "0020").expect("it is delivered");
    let last = journal.all().iter().rposition(|it| it.2).expect("some were delivered again");
    assert!(last < after, "what is new comes after all of it");
    let new: Vec<String> = journal.ids(false).into_iter().filter(|it| it.as_str() >= "0020").collect();
    assert_eq!(new, ids(20..25), "each once");
}

#[tokio::test]
async fn what_is_outside_is_called_only_where_that_is_allowed() {
    let all = functions([("work", echo("done")), ("inside", echo("done")), ("mail", echo("sent"))]);
    let running = start(memory(), &all, Options::default()).await;
    running.declare(&["job", "done", "sent"], "work", "job", quick_retry(1)).await;
    let name = |text: &str| FunctionId::new(text).expect("valid");
    let job = || EventTypeName::new("job").expect("valid");
    let code = FunctionKind::wasm(Code::JavaScript("nobody reads it".into()));
    running.change(Command::CreateFunction(Function::new(name("inside"), code))).await;
    let inside = Subscription::to_events(job(), name("inside"));
    running.change(Command::CreateSubscription(inside.clone())).await;
    running.declare(&[], "mail", "done", quick_retry(1)).await;
    running.emit(jobs(0..3)).await;
    let (outer, inner) = (id_of("work"), inside.id.to_string());
    settled(&running, &outer).await;
    settled(&running, &inner).await;

    let careful = || ReplayRequest::since(Place::Earliest);
    let named = |derivation: &str| ReplayRequest { derivation: Some(derivation.to_owned()), ..careful() };
    let effects = async |id: &str, request: ReplayRequest| {
        let plan = running.flow.plan_replay(&space(), id, &request).await.expect("a plan");
        let told = plan.effects.iter().map(|it| (it.function.to_string(), it.is_indirect)).collect::<Vec<_>>();
        let begun = running.flow.start_replay(&space(), id, request).await;
        match begun {
            Err(ReplayError::Effects { effects }) => assert_eq!(effects, plan.effects),
            Ok(_) => assert!(told.is_empty(), "{told:?}"),
            Err(error) => panic!("{error}"),
        }
        told
    };
    assert_eq!(effects(&outer, careful()).await, [("work".to_owned(), false)]);
    // What it returns is new under another name, and is given to others.
    let others = effects(&inner, named("again")).await;
    assert!(others.contains(&("mail".to_owned(), true)) && others.iter().all(|it| it.1), "{others:?}");
    assert!(effects(&inner, careful()).await.is_empty());
    running.wait_for(REPLAY_FINISHED, 1).await;

    let refused = async |id: &str, request: ReplayRequest| {
        running.flow.start_replay(&space(), id, request).await.expect_err("refused")
    };
    let beyond = ReplayRequest { from: Place::At(Position::new(9999)), ..everything() };
    let error = refused(&outer, beyond).await;
    assert!(matches!(error, ReplayError::Refused(ReplayRefusal::Nothing { .. })), "{error}");
    let error = refused(&outer, ReplayRequest { rate: Some(0), ..everything() }).await;
    assert!(matches!(error, ReplayError::Rate), "{error}");
    let error = refused(&inner, named("")).await;
    assert!(matches!(error, ReplayError::Derivation), "{error}");
    let error = refused("nobody", everything()).await;
    assert!(matches!(error, ReplayError::Status(StatusError::Subscription(_))), "{error}");
    let http = EventTypeName::new("http.request").expect("valid");
    let route = Subscription::new(SubscriptionKind::Sync, http, name("work"), Method::Post, "/x");
    running.change(Command::CreateSubscription(route.clone())).await;
    let error = refused(route.id.as_str(), everything()).await;
    assert!(matches!(error, ReplayError::Status(StatusError::Sync { .. })), "{error}");
    running.stop().await;
}
