//! What starts again: workers that ended in a panic, and the flow itself.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use futures_util::future::BoxFuture;
use tokio::{
    sync::watch,
    time::{Instant, timeout},
};
use weir_catalog::{Command, EventTypeName, Subscription};
use weir_domain::FunctionId;
use weir_flow::Options;
use weir_log::{Filter, LogEngine, LogError, MemoryLog, Page, Read};

use crate::{
    delivery::functions,
    support::{BOUND, echo, event, memory, quick_retry, start},
};

/// A log that panics while it is broken and events of the type `sick` are read, and counts how often checkpoints are looked
/// up.
struct Breaking {
    inner: Arc<MemoryLog>,
    is_broken: AtomicBool,
    /// When it did.
    panics: watch::Sender<Vec<Instant>>,
    lookups: AtomicUsize,
}

impl LogEngine for Breaking {
    weir_testkit::delegate_to_inner!(
        append,
        arrivals,
        count,
        find,
        position_at,
        durable_end,
        remove_checkpoints,
        store_checkpoints,
        close
    );

    fn read(&self, read: Read) -> BoxFuture<'_, Result<Page, LogError>> {
        let is_sick = matches!(&read.filter, Filter::Types(types) if types.iter().any(|it| it == "sick"));
        if is_sick && self.is_broken.load(Ordering::Relaxed) {
            self.panics.send_modify(|panics| panics.push(Instant::now()));
            panic!("a defect, as the test wants it");
        }
        self.inner.read(read)
    }

    fn load_checkpoint(&self, name: &str) -> BoxFuture<'_, Result<Option<Bytes>, LogError>> {
        self.lookups.fetch_add(1, Ordering::Relaxed);
        self.inner.load_checkpoint(name)
    }

    fn load_checkpoints(&self, names: Vec<String>) -> BoxFuture<'_, Result<Vec<Option<Bytes>>, LogError>> {
        self.lookups.fetch_add(1, Ordering::Relaxed);
        self.inner.load_checkpoints(names)
    }
}

impl Breaking {
    fn around(inner: Arc<MemoryLog>) -> Arc<Self> {
        let (is_broken, lookups) = (AtomicBool::new(false), AtomicUsize::new(0));
        Arc::new(Self { inner, is_broken, panics: watch::channel(Vec::new()).0, lookups })
    }

    /// Waits until it panicked so many times.
    async fn broke(&self, times: usize) {
        let mut panics = self.panics.subscribe();
        let waited = timeout(BOUND, panics.wait_for(|panics| panics.len() >= times)).await;
        waited.expect("in time").expect("the log is there");
    }
}

#[tokio::test(start_paused = true)]
async fn a_worker_that_panics_starts_again_after_longer_and_longer_pauses() {
    let log = Breaking::around(memory());
    let both = functions([("a", echo("healed")), ("b", echo("done"))]);
    let running = start(log.clone(), &both, Options::default()).await;
    running.declare(&["sick", "healed"], "a", "sick", quick_retry(1)).await;
    running.declare(&["well", "done"], "b", "well", quick_retry(1)).await;
    log.is_broken.store(true, Ordering::Relaxed);
    running.emit([event("1", "sick", "k")]).await;
    log.broke(1).await;
    let begun = Instant::now();
    running.emit([event("2", "well", "k")]).await;
    running.wait_for("done", 1).await;
    assert!(begun.elapsed() < Duration::from_millis(500), "it holds up no other");

    log.broke(5).await;
    log.is_broken.store(false, Ordering::Relaxed);
    running.wait_for("healed", 1).await;
    // In halves of a second; timers are late by a millisecond at most.
    let panics = log.panics.borrow().clone();
    let pauses: Vec<u128> = panics.windows(2).map(|pair| (pair[1] - pair[0]).as_millis() / 500).collect();
    // First who reads for all of the space, and from then on the worker, which reads for itself meanwhile.
    assert_eq!(pauses, [0, 1, 2, 4]);

    // While one waits, a stop does not.
    log.is_broken.store(true, Ordering::Relaxed);
    running.emit([event("3", "sick", "k")]).await;
    log.broke(7).await;
    let stopping = Instant::now();
    running.stop().await;
    assert!(stopping.elapsed() < Duration::from_millis(500), "it waits for the pause");
}

/// Of a server that runs for years there may be very many.
#[tokio::test]
async fn a_start_asks_once_for_the_cursors_of_all_deleted_subscriptions() {
    let memory = memory();
    let all = functions([("f", echo("done"))]);
    let running = start(memory.clone(), &all, Options::default()).await;
    running.declare(&["job", "done"], "f", "job", quick_retry(1)).await;
    let job = EventTypeName::new("job").expect("valid");
    let id = Subscription::to_events(job.clone(), FunctionId::new("f").expect("valid")).id.to_string();
    for _ in 0..40 {
        running.change(Command::DeleteSubscription(id.clone())).await;
        let it = Subscription::to_events(job.clone(), FunctionId::new("f").expect("valid"));
        running.change(Command::CreateSubscription(it)).await;
    }
    running.stop().await;

    let log = Breaking::around(memory);
    let running = start(log.clone(), &all, Options::default()).await;
    // The worker of the one that is there did not run yet.
    assert_eq!(log.lookups.load(Ordering::Relaxed), 1);
    running.stop().await;
}
