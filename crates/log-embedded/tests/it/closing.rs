//! Threads that end in a panic: who waits gets an error, the rest is refused, and a stop comes to its end.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use bytes::Bytes;
use weir_domain::{Position, SpaceName};
use weir_log::{Direction, LogEngine, LogError, Read, conformance::StoppedClock};
use weir_log_embedded::{Block, EmbeddedLog, FramePlace, IndexStore, MemoryStore, Watermark, Workers};
use weir_testkit::SimDisk;

use crate::support::{append, event, tiny_options};

/// How long anything here may take before it counts as hanging.
const PATIENCE: Duration = Duration::from_secs(20);

/// A store that panics on demand.
#[derive(Default)]
struct Explosive {
    inner: MemoryStore,
    /// When a block is added: on the thread of the indexer.
    add: AtomicBool,
    /// When an identity is looked up: on the thread of the writer.
    id: AtomicBool,
}

impl IndexStore for Explosive {
    fn watermark(&self) -> Result<Option<Watermark>, LogError> {
        self.inner.watermark()
    }

    fn add(&self, block: &Block) -> Result<(), LogError> {
        assert!(!self.add.load(Ordering::SeqCst), "on demand");
        self.inner.add(block)
    }

    fn clear_index(&self) -> Result<(), LogError> {
        self.inner.clear_index()
    }

    fn id(&self, id: &[u8; 16]) -> Result<Option<Position>, LogError> {
        assert!(!self.id.load(Ordering::SeqCst), "on demand");
        self.inner.id(id)
    }

    fn list(
        &self,
        list: &[u8; 17],
        from: Position,
        direction: Direction,
        most: usize,
    ) -> Result<Vec<Position>, LogError> {
        self.inner.list(list, from, direction, most)
    }

    fn newest_of_space(&self, space: &SpaceName) -> Result<Option<Position>, LogError> {
        self.inner.newest_of_space(space)
    }

    fn frame_before(&self, position: Position) -> Result<Option<FramePlace>, LogError> {
        self.inner.frame_before(position)
    }

    fn load_checkpoint(&self, name: &str) -> Result<Option<Bytes>, LogError> {
        self.inner.load_checkpoint(name)
    }

    fn store_checkpoints(&self, values: &[(String, Bytes)]) -> Result<(), LogError> {
        self.inner.store_checkpoints(values)
    }

    fn remove_checkpoints(&self, names: &[String]) -> Result<(), LogError> {
        self.inner.remove_checkpoints(names)
    }

    fn sync(&self) -> Result<(), LogError> {
        self.inner.sync()
    }
}

/// The two threads; what they return tells of a panic.
#[expect(clippy::disallowed_methods, reason = "the tests are the owner that gives the workers their threads")]
fn spawn(workers: Workers) -> [JoinHandle<()>; 2] {
    let writer = thread::spawn(move || workers.writer.run());
    let indexer = thread::spawn(move || drop(workers.indexer.run()));
    [writer, indexer]
}

fn open(store: &Arc<Explosive>) -> (EmbeddedLog, [JoinHandle<()>; 2]) {
    let (log, workers, _) =
        EmbeddedLog::open_on(Arc::new(SimDisk::default()), store.clone(), tiny_options(), Arc::new(StoppedClock))
            .expect("the log opens");
    (log, spawn(workers))
}

async fn append_one(log: &EmbeddedLog, number: usize) -> Result<(), LogError> {
    log.append(append(vec![event(&format!("event-{number}"), "k")])).await.map(|_| ())
}

async fn in_time<T>(what: &str, work: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, work).await.unwrap_or_else(|_| panic!("{what} hangs"))
}

async fn joined(what: &str, thread: JoinHandle<()>) -> thread::Result<()> {
    #[expect(clippy::disallowed_methods, reason = "awaited on the spot")]
    let waiting = tokio::task::spawn_blocking(move || thread.join());
    in_time(what, waiting).await.expect("joined")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_panic_of_the_indexer_hangs_nobody() {
    let store = Arc::new(Explosive::default());
    let (log, [writer, indexer]) = open(&store);
    store.add.store(true, Ordering::SeqCst);
    // Blocks of 16 events, of which two may wait.
    let refused = in_time("an append", async {
        for number in 0..200 {
            if let Err(error) = append_one(&log, number).await {
                return Some(error);
            }
        }
        None
    });
    let refused = refused.await.expect("what nobody writes does not pile up for ever");
    assert!(matches!(refused, LogError::Index { .. }), "{refused:?}");
    let page = in_time("a read", log.read(Read::forward(SpaceName::default(), Position::ORIGIN))).await;
    assert!(!page.expect("what was acknowledged is still read").events.is_empty());
    in_time("the close", log.close()).await.expect("the segments are closed");
    drop(log);
    joined("the writer", writer).await.expect("no panic");
    assert!(joined("the indexer", indexer).await.is_err(), "this one did panic");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_panic_of_the_writer_closes_the_log() {
    let store = Arc::new(Explosive::default());
    let (log, [writer, indexer]) = open(&store);
    in_time("an append", append_one(&log, 1)).await.expect("appended");
    store.id.store(true, Ordering::SeqCst);
    let refused = in_time("an append", append_one(&log, 2)).await;
    assert!(matches!(refused, Err(LogError::Closed)), "{refused:?}");
    assert!(joined("the writer", writer).await.is_err(), "this one did panic");
    joined("the indexer", indexer).await.expect("it ends, and without a panic");
    // A reader that went on would show a log that takes no more events and says nothing about it.
    let refused = log.read(Read::forward(SpaceName::default(), Position::ORIGIN)).await;
    assert!(matches!(refused, Err(LogError::Closed)), "{refused:?}");
    let refused = log.store_checkpoints(vec![("cursor".into(), Bytes::from_static(b"1"))]).await;
    assert!(matches!(refused, Err(LogError::Closed)), "{refused:?}");
    let refused = in_time("the close", log.close()).await;
    assert!(matches!(refused, Err(LogError::Closed)), "{refused:?}");
}
