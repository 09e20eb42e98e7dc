//! Workers that end in a panic.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use futures_util::future::BoxFuture;
use tokio::{
    sync::watch,
    time::{Instant, timeout},
};
use weir_domain::{Position, Timestamp};
use weir_flow::Options;
use weir_log::{Append, Filter, LogEngine, LogError, MemoryLog, Page, Read, Receipt};

use crate::{
    delivery::functions,
    support::{BOUND, echo, event, memory, quick_retry, start},
};

/// A log that panics while it is broken and events of the type `sick` are read.
struct Breaking {
    inner: Arc<MemoryLog>,
    is_broken: AtomicBool,
    /// When it did.
    panics: watch::Sender<Vec<Instant>>,
}

impl LogEngine for Breaking {
    fn append(&self, append: Append) -> BoxFuture<'_, Result<Receipt, LogError>> {
        self.inner.append(append)
    }

    fn read(&self, read: Read) -> BoxFuture<'_, Result<Page, LogError>> {
        let is_sick = matches!(&read.filter, Filter::Types(types) if types.iter().any(|it| it == "sick"));
        if is_sick && self.is_broken.load(Ordering::Relaxed) {
            self.panics.send_modify(|panics| panics.push(Instant::now()));
            panic!("a defect, as the test wants it");
        }
        self.inner.read(read)
    }

    fn position_at(&self, time: Timestamp) -> BoxFuture<'_, Result<Position, LogError>> {
        self.inner.position_at(time)
    }

    fn durable_end(&self) -> watch::Receiver<Position> {
        self.inner.durable_end()
    }

    fn load_checkpoint(&self, name: &str) -> BoxFuture<'_, Result<Option<Bytes>, LogError>> {
        self.inner.load_checkpoint(name)
    }

    fn store_checkpoints(&self, values: Vec<(String, Bytes)>) -> BoxFuture<'_, Result<(), LogError>> {
        self.inner.store_checkpoints(values)
    }

    fn remove_checkpoints(&self, names: Vec<String>) -> BoxFuture<'_, Result<(), LogError>> {
        self.inner.remove_checkpoints(names)
    }

    fn close(&self) -> BoxFuture<'_, Result<(), LogError>> {
        self.inner.close()
    }
}

impl Breaking {
    /// Waits until it panicked so many times.
    async fn broke(&self, times: usize) {
        let mut panics = self.panics.subscribe();
        let waited = timeout(BOUND, panics.wait_for(|panics| panics.len() >= times)).await;
        waited.expect("in time").expect("the log is there");
    }
}

#[tokio::test(start_paused = true)]
async fn a_worker_that_panics_starts_again_after_longer_and_longer_pauses() {
    let log =
        Arc::new(Breaking { inner: memory(), is_broken: AtomicBool::new(false), panics: watch::channel(Vec::new()).0 });
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

    log.broke(4).await;
    log.is_broken.store(false, Ordering::Relaxed);
    running.wait_for("healed", 1).await;
    // In halves of a second; timers are late by a millisecond at most.
    let panics = log.panics.borrow().clone();
    let pauses: Vec<u128> = panics.windows(2).map(|pair| (pair[1] - pair[0]).as_millis() / 500).collect();
    assert_eq!(pauses, [1, 2, 4]);

    // While one waits, a stop does not.
    log.is_broken.store(true, Ordering::Relaxed);
    running.emit([event("3", "sick", "k")]).await;
    log.broke(5).await;
    let stopping = Instant::now();
    running.stop().await;
    assert!(stopping.elapsed() < Duration::from_millis(500), "it waits for the pause");
}
