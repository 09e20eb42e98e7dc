//! Functions are made beside the changes of the configuration, a bounded number at a time.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use futures_util::future::{BoxFuture, FutureExt};
use tokio::{
    sync::{Semaphore, watch},
    task::JoinSet,
    time::timeout,
};
use tokio_util::sync::CancellationToken;
use weir_catalog::{Code, Command, Component, Function, FunctionKind};
use weir_domain::{ErrorKind, FunctionId, Limits};
use weir_flow::{
    ChangeError, Changed, Flow, MakeError, MakeFunction, NoObserver, Options, Precondition, Runner, Runtimes,
};
use weir_functions::{GuestLevel, GuestLog, HttpClient, Invoke, RuntimeOptions, WasmRuntime};
use weir_log::LogEngine;
use weir_testkit::{CountingIds, FakeFunction, SteppingClock};

use crate::support::{BOUND, memory, space};

/// The source of a function that is made when it is let.
const SLOW: &str = "slow";
/// The source of a function that is made at once.
const QUICK: &str = "quick";

/// Makes functions, slow ones each with a permit.
struct Gate {
    permits: Semaphore,
    /// All that it was asked to make.
    asked: watch::Sender<Vec<Function>>,
}

impl MakeFunction for Gate {
    fn make<'a>(&'a self, function: &'a Function) -> BoxFuture<'a, Result<Arc<dyn Invoke>, MakeError>> {
        async move {
            self.asked.send_modify(|asked| asked.push(function.clone()));
            if matches!(&function.kind, FunctionKind::Wasm { code: Code::JavaScript(source), .. } if **source == *SLOW)
            {
                self.permits.acquire().await.expect("the semaphore is never closed").forget();
            }
            Ok(Arc::new(FakeFunction::silent()) as Arc<dyn Invoke>)
        }
        .boxed()
    }
}

impl Gate {
    /// Waits until it was asked to make so many.
    async fn was_asked(&self, count: usize) {
        let mut asked = self.asked.subscribe();
        let waited = timeout(BOUND, asked.wait_for(|asked| asked.len() >= count)).await;
        waited.expect("in time").expect("the gate is there");
    }
}

/// A flow whose functions come through a gate.
struct Gated {
    flow: Flow,
    gate: Arc<Gate>,
    stop: CancellationToken,
    /// The flow itself, and callers who wait.
    tasks: JoinSet<()>,
}

/// A gate without permits.
fn gate() -> Arc<Gate> {
    Arc::new(Gate { permits: Semaphore::new(0), asked: watch::channel(Vec::new()).0 })
}

async fn open(log: Arc<dyn LogEngine>, gate: Arc<Gate>, makings_max: usize) -> (Flow, Runner) {
    let (clock, ids) = (Arc::new(SteppingClock::default()), Arc::new(CountingIds::default()));
    let options = Options { makings_max, ..Options::default() };
    Flow::open(log, gate, clock, ids, Arc::new(NoObserver), options).await.expect("the flow opens")
}

async fn gated(makings_max: usize) -> Gated {
    gated_on(memory(), makings_max).await
}

async fn gated_on(log: Arc<dyn LogEngine>, makings_max: usize) -> Gated {
    let gate = gate();
    let (flow, runner) = open(log, Arc::clone(&gate), makings_max).await;
    let stop = CancellationToken::new();
    let mut tasks = JoinSet::new();
    tasks.spawn(runner.run(stop.clone()));
    Gated { flow, gate, stop, tasks }
}

fn script(id: &str, source: &str, token: &str) -> Function {
    let mut kind = FunctionKind::wasm(Code::JavaScript(source.into()));
    kind.set_secret("token", token.to_owned());
    Function::new(FunctionId::new(id).expect("valid"), kind)
}

fn create(id: &str, source: &str) -> Command {
    Command::CreateFunction(script(id, source, ""))
}

impl Gated {
    /// Asks for a change, and does not wait for longer than everything takes.
    async fn change(&self, command: Command) -> Result<Changed, ChangeError> {
        timeout(BOUND, self.flow.change(&space(), command)).await.expect("in time")
    }

    /// Asks for a change in a task of its own.
    fn asking(&self, command: Command) -> JoinSet<Result<Changed, ChangeError>> {
        let flow = self.flow.clone();
        let mut asking = JoinSet::new();
        asking.spawn(async move { flow.change(&space(), command).await });
        asking
    }

    /// Waits until the function that is in force reads this token.
    async fn reads(&self, id: &str, token: &str) {
        let reads = || {
            let catalog = self.flow.catalog();
            catalog.space_or_empty(&space()).function(id).is_some_and(|it| it.kind.secret("token") == Some(token))
        };
        let wait = async {
            while !reads() {
                tokio::task::yield_now().await;
            }
        };
        timeout(BOUND, wait).await.expect("in force in time");
    }
}

async fn answer(mut asking: JoinSet<Result<Changed, ChangeError>>) -> Result<Changed, ChangeError> {
    let answer = timeout(BOUND, asking.join_next()).await.expect("in time");
    answer.expect("one task").expect("without a panic")
}

#[tokio::test]
async fn while_code_is_compiled_other_changes_are_made() {
    let door = gated(2).await;
    let waiting = [door.asking(create("a", SLOW)), door.asking(create("b", SLOW))];
    door.gate.was_asked(2).await;

    // What brings no code, what is only an address, and what is no good need no place.
    let address = Function::new(FunctionId::new("c").expect("valid"), FunctionKind::http("http://localhost/"));
    door.change(Command::CreateFunction(address)).await.expect("made");
    door.change(Command::DeleteFunction("c".into())).await.expect("made");
    let refused = door.change(Command::UpdateFunction(script("c", SLOW, ""))).await.expect_err("it is gone");
    assert_eq!(refused.kind(), ErrorKind::NotFound);

    // Nobody waits for a place.
    let retry_after = Some(Duration::from_secs(1));
    let refused = door.change(create("d", QUICK)).await.expect_err("there is no place");
    assert!(matches!(refused, ChangeError::Making), "{refused}");
    assert_eq!(refused.kind(), ErrorKind::Unavailable { retry_after });
    let space = space();
    let rehearsed = timeout(BOUND, door.flow.rehearse(&space, create("d", QUICK), Precondition::default())).await;
    assert!(matches!(rehearsed.expect("in time"), Err(ChangeError::Making)));

    door.gate.permits.add_permits(2);
    for asking in waiting {
        answer(asking).await.expect("made");
    }
    door.change(create("d", QUICK)).await.expect("there are places again");
    let catalog = door.flow.catalog();
    let present: Vec<&str> = catalog.space_or_empty(&space).functions().map(|it| it.id.as_str()).collect();
    assert_eq!(present, ["a", "b", "d"]);
}

#[tokio::test]
async fn of_two_that_make_the_same_one_wins() {
    let door = gated(2).await;
    let waiting = [door.asking(create("a", SLOW)), door.asking(create("a", SLOW))];
    door.gate.was_asked(2).await;
    door.gate.permits.add_permits(2);
    let mut kinds = Vec::new();
    for asking in waiting {
        kinds.push(answer(asking).await.err().map(|error| error.kind()));
    }
    kinds.sort_by_key(Option::is_some);
    assert_eq!(kinds, [None, Some(ErrorKind::Conflict)]);
}

#[tokio::test]
async fn what_stays_is_what_is_there_when_the_function_is_made() {
    let door = gated(2).await;
    door.change(Command::CreateFunction(script("a", QUICK, "one"))).await.expect("made");
    let kept = BTreeSet::from(["token".to_owned()]);
    let keeping = Command::UpdateFunctionKeeping { function: script("a", SLOW, ""), kept };
    let asking = door.asking(keeping);
    door.gate.was_asked(2).await;
    door.change(Command::UpdateFunction(script("a", QUICK, "two"))).await.expect("made");
    // What was made with the first token is of no use any more, and is made again.
    door.gate.permits.add_permits(2);
    answer(asking).await.expect("made");
    let expected = script("a", SLOW, "two");
    assert_eq!(door.gate.asked.borrow().last(), Some(&expected));
    let catalog = door.flow.catalog();
    assert_eq!(catalog.space_or_empty(&space()).function("a").map(|it| &**it), Some(&expected));
}

#[tokio::test]
async fn who_goes_away_takes_nothing_back_until_the_server_stops() {
    let mut door = gated(2).await;
    let mut gone = door.asking(Command::CreateFunction(script("a", SLOW, "one")));
    door.gate.was_asked(1).await;
    gone.shutdown().await;
    door.gate.permits.add_permits(1);
    door.reads("a", "one").await;

    let asking = door.asking(create("b", SLOW));
    door.gate.was_asked(2).await;
    door.stop.cancel();
    assert!(matches!(answer(asking).await, Err(ChangeError::Stopped)));
    let ended = timeout(BOUND, door.tasks.join_next()).await.expect("in time");
    ended.expect("one task").expect("without a panic");
}

#[tokio::test]
async fn a_start_makes_a_bounded_number_of_functions_at_once() {
    let log = memory();
    let door = gated_on(log.clone(), 2).await;
    door.gate.permits.add_permits(2);
    for (id, source) in [("a", SLOW), ("b", QUICK), ("c", SLOW), ("d", QUICK)] {
        door.change(create(id, source)).await.expect("made");
    }
    drop(door);

    let again = gate();
    let mut opening = JoinSet::new();
    opening.spawn(open(log, Arc::clone(&again), 2));
    // One that takes its time holds up none but who finds no place beside it, and two hold up the last one.
    again.was_asked(3).await;
    assert_eq!(again.asked.borrow().len(), 3);
    again.permits.add_permits(1);
    again.was_asked(4).await;
    again.permits.add_permits(1);
    let opened = timeout(BOUND, opening.join_next()).await.expect("in time");
    let (flow, _runner) = opened.expect("one task").expect("without a panic");
    assert_eq!(flow.catalog().space_or_empty(&space()).functions().count(), 4);
}

/// Keeps nothing of what guests write.
struct Unheard;

impl GuestLog for Unheard {
    fn line(&self, _function: &FunctionId, _event_id: &str, _level: GuestLevel, _text: &str) {}
}

#[tokio::test]
async fn the_digest_of_a_component_is_known_once_its_function_was_to_be_made() {
    let (clock, ids) = (Arc::new(SteppingClock::default()), Arc::new(CountingIds::default()));
    let wasm = WasmRuntime::new(RuntimeOptions::new(clock.clone(), ids, Arc::new(Unheard))).expect("a runtime");
    let runtimes = Runtimes::new(wasm, HttpClient::new(), Limits::default(), clock);
    let component = Component::from(&b"abc"[..]);
    let kind = FunctionKind::wasm(Code::Component(component.clone()));
    let function = Function::new(FunctionId::new("a").expect("valid"), kind);
    // As at a start with code that can no longer be made ready, which is shown all the same.
    let refused = runtimes.make(&function).await.err().expect("it is no component");
    assert_eq!(refused.kind(), ErrorKind::Invalid);
    let digest = component.sha256(|_| panic!("it would be computed where it is shown"));
    // FIPS 180-4, the example of one block.
    assert_eq!(digest[..4], [0xba, 0x78, 0x16, 0xbf]);
}
