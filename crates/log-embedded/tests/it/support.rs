//! Opening logs in tests.

use std::{
    sync::Arc,
    thread::{self, JoinHandle},
};

use futures_util::future::{BoxFuture, FutureExt, ready};
use parking_lot::Mutex;
use tempfile::TempDir;
use weir_domain::{Data, Event, Key, SpaceName};
use weir_log::{
    Append, LogEngine, NewEvent,
    conformance::{Harness, StoppedClock},
};
use weir_log_embedded::{EmbeddedLog, Options};

/// Settings under which a few hundred events roll segments and fill index blocks.
pub(crate) fn tiny_options() -> Options {
    Options {
        segment_bytes: 4096,
        tail_bytes_max: 2048,
        index_block_events: 16,
        index_blocks_max: 2,
        ..Options::default()
    }
}

/// A log in a temporary directory.
pub(crate) struct OnDisk {
    pub(crate) directory: TempDir,
    options: Options,
    threads: Mutex<Vec<JoinHandle<()>>>,
}

impl Default for OnDisk {
    fn default() -> Self {
        let directory = TempDir::new().expect("a temporary directory");
        Self { directory, options: Options::default(), threads: Mutex::default() }
    }
}

impl OnDisk {
    pub(crate) fn tiny() -> Self {
        Self { options: tiny_options(), ..Self::default() }
    }

    /// Opens the log with its two threads, which end when it is closed or dropped.
    pub(crate) fn start(&self) -> Arc<EmbeddedLog> {
        // What was opened before is closed: its workers end, and with them the hold on the directory.
        self.threads.lock().drain(..).for_each(|thread| thread.join().expect("the worker ends"));
        let (log, workers, _) =
            EmbeddedLog::open(self.directory.path(), self.options.clone(), Arc::new(StoppedClock), &mut |_| {})
                .expect("the log opens");
        *self.threads.lock() = spawn(workers);
        Arc::new(log)
    }
}

#[expect(clippy::disallowed_methods, reason = "the tests are the owner that gives the workers their threads")]
pub(crate) fn spawn(workers: weir_log_embedded::Workers) -> Vec<JoinHandle<()>> {
    let writer = thread::spawn(move || workers.writer.run());
    let indexer = thread::spawn(move || workers.indexer.run().expect("the index is written"));
    vec![writer, indexer]
}

impl Harness for OnDisk {
    fn open(&self) -> BoxFuture<'_, Arc<dyn LogEngine>> {
        let log: Arc<dyn LogEngine> = self.start();
        ready(log).boxed()
    }
}

/// One event whose data says which one it is.
pub(crate) fn event(id: &str, key: &str) -> NewEvent {
    let event = Event::builder(id, "/test", "thing.happened")
        .data(Data::Json(format!("{{\"id\":\"{id}\",\"text\":\"{}\"}}", "x".repeat(id.len() * 7 % 90)).into()))
        .build()
        .expect("a valid event");
    NewEvent { event, key: Key::new(key.to_owned()) }
}

pub(crate) fn append(events: Vec<NewEvent>) -> Append {
    Append::new(SpaceName::default(), events)
}
