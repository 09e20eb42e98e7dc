//! Many who read the log at the same time.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering::SeqCst},
};

use futures_util::future::{BoxFuture, FutureExt, join_all};
use tokio::{sync::Semaphore, time::timeout};
use weir_gateway::Options;
use weir_log::{LogEngine, LogError, Page, Read};

use super::ids;
use crate::support::{BOUND, Door, STRUCTURED, event, gateway, memory};

/// A log whose reads wait until they are let through, and which counts them.
struct Gated {
    inner: Arc<dyn LogEngine>,
    gate: Semaphore,
    reading: AtomicUsize,
    most: AtomicUsize,
    reads: AtomicUsize,
}

impl LogEngine for Gated {
    weir_testkit::delegate_to_inner!(
        append,
        position_at,
        durable_end,
        arrivals,
        count,
        find,
        load_checkpoint,
        load_checkpoints,
        remove_checkpoints,
        store_checkpoints,
        close
    );

    fn read(&self, read: Read) -> BoxFuture<'_, Result<Page, LogError>> {
        async move {
            self.most.fetch_max(self.reading.fetch_add(1, SeqCst) + 1, SeqCst);
            self.reads.fetch_add(1, SeqCst);
            self.gate.acquire().await.expect("it is never closed").forget();
            let page = self.inner.read(read).await;
            self.reading.fetch_sub(1, SeqCst);
            page
        }
        .boxed()
    }
}

/// A door with one event behind it, and the log that it reads from.
async fn gated() -> (Door, Arc<Gated>) {
    let log = memory();
    let inner = Arc::clone(&log);
    let (gate, counter) = (Semaphore::new(0), AtomicUsize::default);
    let gated = Arc::new(Gated { inner, gate, reading: counter(), most: counter(), reads: counter() });
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

#[tokio::test]
async fn who_waits_is_woken_by_what_was_asked_for() {
    let (door, log) = gated().await;
    log.gate.add_permits(10_000);
    door.register("default", &["b"]).await;
    door.register("other", &["a"]).await;
    let before = log.reads.load(SeqCst);
    let waiting = door.read("default", "from=end&type=a&wait=30");
    let emitting = async {
        for number in 0..20 {
            // Lets the read come to its waiting, and would let it be woken.
            tokio::task::yield_now().await;
            assert_eq!(door.post(STRUCTURED, &event(&format!("b{number}"), "b", "")).await.status, 202);
            let elsewhere = event(&format!("a{number}"), "a", "");
            let headers = [("content-type", STRUCTURED), ("weir-space", "other")];
            assert_eq!(door.request("POST", "/", &headers, &elsewhere).await.status, 202);
        }
        assert_eq!(door.post(STRUCTURED, &event("2", "a", "")).await.status, 202);
    };
    let (answer, ()) = timeout(BOUND, async { tokio::join!(waiting, emitting) }).await.expect("it is answered");
    assert_eq!(ids(&answer), ["2"]);
    assert_eq!(log.reads.load(SeqCst) - before, 2, "one before it waits, one for what it waited for");
}
