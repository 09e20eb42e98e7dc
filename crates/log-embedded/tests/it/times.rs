//! From times to positions, with a clock that moves, and around what a repair gave up.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use futures_util::future::{BoxFuture, FutureExt, ready};
use parking_lot::Mutex;
use tempfile::TempDir;
use weir_domain::{Clock, Position, SpaceName, Timestamp};
use weir_log::{
    LogEngine, Read,
    conformance::{self, Harness},
};
use weir_log_embedded::{Disk, EmbeddedLog, IndexStore, MemoryStore, tools};
use weir_testkit::SimDisk;

use crate::support::{append, event, spawn, tiny_options};

/// A clock that moves with every look at it.
struct Moving(AtomicU64);

impl Moving {
    fn new(micros: u64) -> Arc<Self> {
        Arc::new(Self(AtomicU64::new(micros)))
    }
}

impl Clock for Moving {
    fn now(&self) -> Timestamp {
        Timestamp::from_unix_micros(self.0.fetch_add(10, Ordering::Relaxed))
    }
}

/// A log in a temporary directory whose clock moves.
struct OnMovingClock {
    directory: TempDir,
    threads: Mutex<Vec<std::thread::JoinHandle<()>>>,
}

impl Harness for OnMovingClock {
    fn open(&self) -> BoxFuture<'_, Arc<dyn LogEngine>> {
        self.threads.lock().drain(..).for_each(|thread| thread.join().expect("the worker ends"));
        let (log, workers, _) =
            EmbeddedLog::open(self.directory.path(), tiny_options(), Moving::new(1_000_000), &mut |_| {})
                .expect("the log opens");
        *self.threads.lock() = spawn(workers);
        let log: Arc<dyn LogEngine> = Arc::new(log);
        ready(log).boxed()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_time_leads_to_its_event() {
    let harness =
        OnMovingClock { directory: TempDir::new().expect("a temporary directory"), threads: Mutex::default() };
    conformance::positions_are_found_by_time(&harness).await;
}

/// A repair puts a gap in the place of damaged frames. The gap bears the time of the repair, which is later than that of
/// all events around it.
#[tokio::test]
async fn a_gap_does_not_lead_astray() {
    let clock = Moving::new(1_000);
    let sound = SimDisk::default();
    let store: Arc<dyn IndexStore> = Arc::new(MemoryStore::default());
    let open = |disk: &SimDisk, store: &Arc<dyn IndexStore>| {
        EmbeddedLog::open_on(Arc::new(disk.clone()), store.clone(), tiny_options(), clock.clone())
    };
    let (_log, mut workers, _) = open(&sound, &store).expect("the log opens");
    for number in 0..60 {
        let batch = append(vec![event(&format!("event-{number}"), "k")]);
        workers.writer.step(&[batch]).expect("small").remove(0).expect("appended");
        workers.indexer.step().expect("indexed");
    }
    workers.writer.close().expect("closed");
    workers.indexer.step().expect("indexed");
    for (name, length) in sound.segments() {
        for byte in (200..length).step_by(501) {
            let disk = sound.restart(0);
            disk.flip(&name, byte * 8);
            let shared: Arc<dyn Disk> = Arc::new(disk.clone());
            let store: Arc<dyn IndexStore> = Arc::new(MemoryStore::default());
            let late = Moving::new(1_000_000);
            let repaired = tools::repair_on(&shared, &store, &tiny_options(), true, late.as_ref(), &mut |_, _, _| {});
            repaired.expect("repaired");
            let (log, _workers, _) = open(&disk, &store).expect("the repaired log opens");
            let read = Read::forward(SpaceName::default(), Position::ORIGIN).events_max(1_000);
            let page = log.read_blocking(&read).expect("readable");
            assert!((1..60).contains(&page.events.len()), "something was given up, but not all");
            for asked in (900..2_000).step_by(5) {
                let first = page.events.iter().find(|recorded| recorded.recorded.unix_micros() >= asked);
                let expected = first.map_or(log.durable_end().borrow().next(), |recorded| recorded.position);
                let found = log.position_at(Timestamp::from_unix_micros(asked)).await.expect("readable");
                assert_eq!(found, expected, "{name} byte {byte}, at {asked}");
            }
        }
    }
}
