//! Many who read the log at the same time.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering::SeqCst},
};

use bytes::Bytes;
use futures_util::future::{BoxFuture, FutureExt, join_all};
use tokio::{
    sync::{Semaphore, watch},
    time::timeout,
};
use weir_domain::{Position, Timestamp};
use weir_gateway::Options;
use weir_log::{Append, LogEngine, LogError, Page, Read, Receipt};

use super::ids;
use crate::support::{BOUND, Door, STRUCTURED, event, gateway, memory};

/// A log whose reads wait until they are let through, and which counts them.
struct Gated {
    inner: Arc<dyn LogEngine>,
    gate: Semaphore,
    reading: AtomicUsize,
    most: AtomicUsize,
}

impl LogEngine for Gated {
    fn append(&self, append: Append) -> BoxFuture<'_, Result<Receipt, LogError>> {
        self.inner.append(append)
    }

    fn read(&self, read: Read) -> BoxFuture<'_, Result<Page, LogError>> {
        async move {
            self.most.fetch_max(self.reading.fetch_add(1, SeqCst) + 1, SeqCst);
            self.gate.acquire().await.expect("it is never closed").forget();
            let page = self.inner.read(read).await;
            self.reading.fetch_sub(1, SeqCst);
            page
        }
        .boxed()
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

    fn load_checkpoints(&self, names: Vec<String>) -> BoxFuture<'_, Result<Vec<Option<Bytes>>, LogError>> {
        self.inner.load_checkpoints(names)
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

/// A door with one event behind it, and the log that it reads from.
async fn gated() -> (Door, Arc<Gated>) {
    let log = memory();
    let inner = Arc::clone(&log);
    let gated = Gated { inner, gate: Semaphore::new(0), reading: AtomicUsize::new(0), most: AtomicUsize::new(0) };
    let gated = Arc::new(gated);
    let seen = Arc::clone(&gated);
    let door = gateway(log, Options::default(), |_| seen).await;
    door.register("default", &["a"]).await;
    let answer = door.post(STRUCTURED, &event("1", "a", "")).await;
    assert_eq!(answer.status, 202, "{}", answer.text());
    (door, gated)
}

#[tokio::test]
async fn few_requests_at_once_read_the_log() {
    let (door, log) = gated().await;
    let asked = join_all((0..40).map(|_| door.read("default", "")));
    let let_through = async {
        // All have asked for as long as they could get on; then they read one after the other.
        for _ in 0..40 {
            tokio::task::yield_now().await;
            log.gate.add_permits(1);
        }
    };
    let (answers, ()) = timeout(BOUND, async { tokio::join!(asked, let_through) }).await.expect("all are answered");
    assert!(answers.iter().all(|answer| ids(answer) == ["1"]));
    assert_eq!(log.most.load(SeqCst), 8);
}

#[tokio::test]
async fn who_waits_for_events_keeps_nobody_from_reading() {
    let (door, log) = gated().await;
    log.gate.add_permits(10_000);
    let waiting = join_all((0..40).map(|_| door.read("default", "from=end&wait=30")));
    let reading = async {
        let answer = timeout(BOUND, door.read("default", "")).await.expect("it has a turn");
        assert_eq!(answer.status, 200, "{}", answer.text());
        // This is what the others wait for.
        assert_eq!(door.post(STRUCTURED, &event("2", "a", "")).await.status, 202);
    };
    let (answers, ()) = timeout(BOUND, async { tokio::join!(waiting, reading) }).await.expect("all are answered");
    assert!(answers.iter().all(|answer| ids(answer) == ["2"]));
}
