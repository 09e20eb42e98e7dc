//! What a function cannot do to others: time, memory, output, number of instances.

use std::time::{Duration, Instant};

use futures_util::future::join_all;

use weir_domain::Data;
use weir_functions::{CallError, Code, FunctionOptions, Instances, Outcome, PrepareError};

use crate::{
    rig::{Rig, invoke, json, only},
    script::KITCHEN,
};

/// On one thread: guests that never end share it with calls that do.
#[tokio::test]
async fn an_endless_loop_ends_at_its_limit_and_holds_up_nobody() {
    let rig = Rig::new();
    let limit = Duration::from_secs(2);
    let kitchen = rig.script(KITCHEN, FunctionOptions { timeout: limit, ..FunctionOptions::default() }).await;
    let start = Instant::now();
    let others = async {
        for _ in 0..20 {
            only(invoke(&kitchen, "echo", Data::None).await);
        }
        start.elapsed()
    };
    let (one, two, others) =
        tokio::join!(invoke(&kitchen, "loop", Data::None), invoke(&kitchen, "loop", Data::None), others);
    assert_eq!((one, two), (Err(CallError::Timeout { limit }), Err(CallError::Timeout { limit })));
    assert!(others < limit, "the other calls took {others:?}");
    only(invoke(&kitchen, "echo", Data::None).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn memory_stack_and_output_are_bounded() {
    let rig = Rig::new();
    let options =
        FunctionOptions { memory_bytes_max: 32 * 1024 * 1024, output_bytes_max: 10_000, ..FunctionOptions::default() };
    let kitchen = rig.script(KITCHEN, options).await;
    let check = async |event_type: &str, data: Data, expected: Result<(), CallError>| {
        let outcome = invoke(&kitchen, event_type, data).await;
        assert_eq!(outcome.map(|_| ()), expected, "{event_type}");
    };
    check("memory", Data::None, Err(CallError::OutOfMemory { limit_bytes: 32 * 1024 * 1024 })).await;
    check("cope", Data::None, Ok(())).await;
    check("deep", Data::None, Err(CallError::Trap { message: "call stack exhausted".into() })).await;
    check("large", json("20000"), Err(CallError::TooLarge { limit_bytes: 10_000 })).await;
    check("large", json("5000"), Ok(())).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn calls_beyond_the_places_wait_their_turn() {
    let dir = tempfile::tempdir().expect("a folder");
    let rig = Rig::with(2, dir.path());
    let options = |instances| FunctionOptions { instances, ..FunctionOptions::default() };
    let reused = rig.script(KITCHEN, options(Instances::default())).await;
    let fresh = rig.script(KITCHEN, options(Instances::Fresh)).await;
    let third = rig.script(KITCHEN, options(Instances::default())).await;
    let calls = (0..60).map(|number| {
        let function = [&reused, &fresh, &third][number % 3];
        invoke(function, "echo", Data::None)
    });
    let outcomes: Vec<Result<Outcome, CallError>> = join_all(calls).await;
    for outcome in outcomes {
        only(outcome);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_finds_no_place_in_time_is_told_so() {
    let dir = tempfile::tempdir().expect("a folder");
    let rig = Rig::with(1, dir.path());
    let options = |timeout| FunctionOptions { timeout, ..FunctionOptions::default() };
    let (long, short) = (Duration::from_secs(60), Duration::from_millis(500));
    let slow = rig.script(KITCHEN, options(long)).await;
    let quick = rig.script(KITCHEN, options(short)).await;
    let others = async {
        assert_eq!(invoke(&quick, "echo", Data::None).await, Err(CallError::Busy));
        let prepared = rig.try_prepare(Code::JavaScript(KITCHEN.into()), options(short)).await;
        assert_eq!(prepared.err(), Some(PrepareError::Busy { limit: short }));
    };
    tokio::select! {
        // The loop has the only place before the others ask for it.
        biased;
        outcome = invoke(&slow, "loop", Data::None) => panic!("an endless loop does not end: {outcome:?}"),
        () = others => {}
    }
    only(invoke(&quick, "echo", Data::None).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_that_is_dropped_leaves_nothing_behind() {
    let rig = Rig::new();
    let kitchen = rig.script(KITCHEN, FunctionOptions::default()).await;
    for _ in 0..20 {
        let given_up = tokio::time::timeout(Duration::from_millis(5), invoke(&kitchen, "loop", Data::None)).await;
        assert!(given_up.is_err(), "an endless loop does not end");
    }
    only(invoke(&kitchen, "echo", Data::None).await);
}
