//! The real delivery code on a log that fails on purpose, restarted at random: everything is delivered, and no effect
//! stands in the log twice.

use std::{collections::BTreeMap, sync::Arc};

use weir_catalog::{DeliveryPolicy, Subscription};
use weir_flow::Options;
use weir_functions::{CallError, Outcome};
use weir_log::LogEngine;
use weir_testkit::{FakeFunction, Faults, FaultyLog};

use crate::support::{BOUND, Functions, Nobody, all_of, draft, event, memory, quick_retry, start};

const EVENTS: usize = 60;
const SEEDS: u64 = 300;

#[tokio::test(start_paused = true)]
async fn faults_and_restarts_lose_and_double_nothing() {
    for seed in 0..SEEDS {
        life(seed).await;
    }
}

async fn life(seed: u64) {
    let log = memory();
    // Fails every third attempt, by event and attempt, so that one seed gives one run.
    let function = FakeFunction::new(move |call| async move {
        let number: u64 = call.event.id().parse().unwrap_or_default();
        if (number + u64::from(call.attempt) + seed).is_multiple_of(3) {
            return Err(CallError::Rejected { message: "now and then".into() });
        }
        Ok(Outcome::Events(vec![draft("done", call.event.id()), draft("also", call.event.id())]))
    });
    let functions = Functions(BTreeMap::from([("work".to_owned(), function)]).into_iter().collect());
    let sound = start(log.clone(), &functions, Options::default()).await;
    let eight = DeliveryPolicy { concurrency: 8, ..DeliveryPolicy::default() };
    let made = |it: Subscription| it.with_retry(quick_retry(50)).with_delivery(eight);
    sound.declare_with(&["job", "done", "also"], "work", "job", made).await;
    sound.stop().await;
    let mut emitted = 0;
    for round in 0..6 {
        let faults = Faults { append_refused: 100, append_unanswered: 100, read: 0, checkpoint: 300 };
        let inner: Arc<dyn LogEngine> = Arc::new(log.reopen());
        let faulty: Arc<dyn LogEngine> = Arc::new(FaultyLog::new(inner.clone(), faults, seed * 100 + round));
        let running = start(faulty, &functions, Options::default()).await;
        // Events come from outside through the sound log; the flow sees them through the faulty one.
        while emitted < EVENTS && emitted < (round as usize + 1) * 12 {
            let event = event(&emitted.to_string(), "job", &format!("k{}", emitted % 5));
            let new = running.flow.admit(&crate::support::space(), event, &Nobody).await;
            let append = weir_log::Append::new(crate::support::space(), vec![new.expect("admitted")]);
            inner.append(append).await.expect("appended");
            emitted += 1;
        }
        if round < 5 {
            // Stopped somewhere in the middle.
            for _ in 0..(seed * 7 + round) % 40 {
                tokio::task::yield_now().await;
            }
            running.stop().await;
        } else {
            // What the log refuses again and again waits for up to half a minute of virtual time.
            running.wait_longer_for("also", EVENTS, 10 * BOUND).await;
            running.stop().await;
        }
    }
    for event_type in ["done", "also"] {
        let found = all_of(&*log, event_type).await;
        let mut causes: Vec<u32> = found.iter().filter_map(|it| it.event.subject()?.parse().ok()).collect();
        for key in 0..5 {
            let of_key: Vec<_> = causes.iter().filter(|cause| *cause % 5 == key).collect();
            assert!(of_key.is_sorted(), "seed {seed}: effects of one key stand in the order of their causes");
        }
        causes.sort_unstable();
        assert_eq!(causes, (0..EVENTS as u32).collect::<Vec<_>>(), "seed {seed}: every effect of {event_type} once");
    }
}
