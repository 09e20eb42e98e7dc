//! The engine as its users see it, and the two workers behind it.

use std::{ops::Range, path::Path, sync::Arc, time::Duration};

use bytes::Bytes;
use futures_util::future::{BoxFuture, FutureExt};
use parking_lot::RwLock;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot, watch};
use weir_domain::{Clock, Position, SpaceName, Timestamp};
use weir_log::{Append, Counted, Filter, LogEngine, LogError, Page, Read, Receipt};

use crate::{
    arrivals::Arrivals,
    commit::Committer,
    disk::{Disk, DiskLock, RealDisk},
    options::Options,
    prepare::Prepared,
    reader,
    recovery::{self, Recovered, Replayed},
    shared::{BlockQueue, Shared},
    store::{self, FjallStore, IndexStore},
};

/// The most batches that are committed with one sync.
const GROUP_BATCHES_MAX: usize = 4096;
/// How long the indexer waits before it tries again to write a block that it could not write.
const INDEX_RETRY: Duration = Duration::from_secs(1);

/// A log in segment files on this machine.
pub struct EmbeddedLog {
    shared: Arc<Shared>,
    queue: mpsc::Sender<Message>,
    /// One permit for each byte that may wait for the writer.
    room: Arc<Semaphore>,
    /// Whoever asks does the work on the disk.
    is_inline: bool,
}

/// What the writer receives.
enum Message {
    Append(Prepared, oneshot::Sender<Result<Receipt, LogError>>, OwnedSemaphorePermit),
    Close(oneshot::Sender<Result<(), LogError>>),
}

/// The two threads that an open log needs. Each `run` blocks until the log is closed.
pub struct Workers {
    /// Writes events.
    pub writer: Writer,
    /// Writes the index behind the writer.
    pub indexer: Indexer,
}

/// The only thread that writes events.
pub struct Writer {
    shared: Arc<Shared>,
    committer: Committer,
    queue: mpsc::Receiver<Message>,
}

/// The thread that writes full blocks of the index to the store.
pub struct Indexer {
    shared: Arc<Shared>,
}

impl EmbeddedLog {
    /// Opens the log in a directory: `log/` holds the segments, `index/` what is derived from them and the checkpoints.
    ///
    /// # Errors
    /// Where the directory is in use by another process, cannot be read or written, or holds damaged segments. An index
    /// that is proven to be damaged is no error: it is moved aside and built anew.
    pub fn open(
        directory: &Path,
        options: Options,
        clock: Arc<dyn Clock>,
        progress: &mut dyn FnMut(Replayed),
    ) -> Result<(Self, Workers, Recovered), LogError> {
        let disk = open_disk(directory)?;
        let index = directory.join("index");
        // The lock comes first: the store must not be touched while another process uses it.
        let lock = lock(disk.as_ref())?;
        let store: Arc<dyn IndexStore> = Arc::new(open_store(&index)?);
        Self::open_locked(disk, lock, store, options, clock, progress)
    }

    /// Opens the log on any disk with any index store.
    ///
    /// # Errors
    /// As [`EmbeddedLog::open`].
    pub fn open_on(
        disk: Arc<dyn Disk>,
        store: Arc<dyn IndexStore>,
        options: Options,
        clock: Arc<dyn Clock>,
    ) -> Result<(Self, Workers, Recovered), LogError> {
        let lock = lock(disk.as_ref())?;
        Self::open_locked(disk, lock, store, options, clock, &mut |_| {})
    }

    fn open_locked(
        disk: Arc<dyn Disk>,
        lock: Box<dyn DiskLock>,
        store: Arc<dyn IndexStore>,
        options: Options,
        clock: Arc<dyn Clock>,
        progress: &mut dyn FnMut(Replayed),
    ) -> Result<(Self, Workers, Recovered), LogError> {
        let opened = recovery::open(&disk, &store, &options, clock.as_ref(), progress)?;
        if let Some(cut) = &opened.recovered.cut {
            tracing::warn!(
                file = %cut.file, offset = cut.offset, bytes = cut.bytes, kept_in = %cut.kept_in,
                "remains of writes that were not finished when the log was last used were cut off"
            );
        }
        let (queue, messages) = mpsc::channel(options.queue_appends_max);
        let room = Arc::new(Semaphore::new(options.queue_bytes_max));
        let shared = Arc::new(Shared {
            disk,
            index: opened.index,
            segments: opened.segments.into(),
            tail: opened.tail.into(),
            end: watch::channel(opened.recovered.end).0,
            arrivals: Arrivals::default(),
            blocks: BlockQueue::default(),
            closed: RwLock::new(false),
            clock,
            options,
            _lock: lock,
        });
        let committer = Committer::new(shared.clone(), opened.end);
        let workers = Workers {
            writer: Writer { shared: shared.clone(), committer, queue: messages },
            indexer: Indexer { shared: shared.clone() },
        };
        Ok((Self { shared, queue, room, is_inline: false }, workers, opened.recovered))
    }

    /// Works on the disk on the thread of whoever asks, for simulations: whose turn it is on other threads is decided by no
    /// seed.
    #[must_use]
    pub fn inline(mut self) -> Self {
        self.is_inline = true;
        self
    }

    /// Reads one page on this thread, from the disk where memory does not reach.
    ///
    /// # Errors
    /// As [`LogEngine::read`].
    pub fn read_blocking(&self, read: &Read) -> Result<Page, LogError> {
        self.open_still()?;
        reader::read_tail(&self.shared, read).unwrap_or_else(|| reader::read_disk(&self.shared, read))
    }

    /// Refuses what comes after the close.
    fn open_still(&self) -> Result<(), LogError> {
        if *self.shared.closed.read() { Err(LogError::Closed) } else { Ok(()) }
    }

    /// Works on the disk without holding up the caller's thread, but where that is wanted.
    async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Shared) -> Result<T, LogError> + Send + 'static,
    ) -> Result<T, LogError> {
        if self.is_inline {
            return work(&self.shared);
        }
        let shared = self.shared.clone();
        #[expect(clippy::disallowed_methods, reason = "awaited on the spot: nothing outlives the call")]
        let done = tokio::task::spawn_blocking(move || work(&shared)).await;
        done.unwrap_or(Err(LogError::Closed))
    }

    async fn append_prepared(&self, append: Append) -> Result<Receipt, LogError> {
        self.open_still()?;
        let options = &self.shared.options;
        let prepared = Prepared::new(&append, options.batch_bytes_max)?;
        drop(append);
        let bytes = prepared.records.len().clamp(1, options.queue_bytes_max);
        // Below the largest batch, which fits in 32 bits.
        let permit = self.room.clone().acquire_many_owned(bytes as u32).await.map_err(|_| LogError::Closed)?;
        let (answer, receipt) = oneshot::channel();
        self.queue.send(Message::Append(prepared, answer, permit)).await.map_err(|_| LogError::Closed)?;
        receipt.await.map_err(|_| LogError::Closed)?
    }
}

/// Changes checkpoints and makes that durable. A close that comes meanwhile waits.
fn change_checkpoints(
    shared: &Shared,
    change: impl FnOnce(&dyn IndexStore) -> Result<(), LogError>,
) -> Result<(), LogError> {
    let closed = shared.closed.read();
    if *closed {
        return Err(LogError::Closed);
    }
    let store: &dyn IndexStore = shared.index.store().as_ref();
    change(store)?;
    store.sync()
}

pub(crate) fn open_disk(directory: &Path) -> Result<Arc<dyn Disk>, LogError> {
    let segments = directory.join("log");
    let disk = RealDisk::new(&segments).map_err(|error| LogError::io("creating the directory", segments, error))?;
    Ok(Arc::new(disk))
}

pub(crate) fn open_store(directory: &Path) -> Result<FjallStore, LogError> {
    let store = open_or_begin(directory)?;
    store.restore_checkpoints()?;
    Ok(store)
}

fn open_or_begin(directory: &Path) -> Result<FjallStore, LogError> {
    match FjallStore::open(directory) {
        // Damage is proven: no later start could open it either. Anything else may pass, and the index holds the
        // cursors of all subscriptions, of which there is but an older copy elsewhere.
        Err(error @ LogError::Index { .. }) => {
            let aside = FjallStore::set_aside(directory)
                .map_err(|error| LogError::io("moving a damaged index aside", directory, error))?;
            tracing::warn!(
                %error, kept_in = %aside.display(),
                "the index could not be opened and is built anew"
            );
            FjallStore::open(directory)
        }
        other => other,
    }
}

pub(crate) fn lock(disk: &dyn Disk) -> Result<Box<dyn DiskLock>, LogError> {
    disk.lock().map_err(|error| match error.kind() {
        std::io::ErrorKind::ResourceBusy => LogError::InUse {
            path: disk.path(""),
            detail: format!("{error}: stop that process, or use another data directory"),
        },
        _ => LogError::io("locking the directory", disk.path(""), error),
    })
}

impl LogEngine for EmbeddedLog {
    fn append(&self, append: Append) -> BoxFuture<'_, Result<Receipt, LogError>> {
        self.append_prepared(append).boxed()
    }

    fn read(&self, read: Read) -> BoxFuture<'_, Result<Page, LogError>> {
        async move {
            self.open_still()?;
            match reader::read_tail(&self.shared, &read) {
                Some(page) => page,
                None => self.blocking(move |shared| reader::read_disk(shared, &read)).await,
            }
        }
        .boxed()
    }

    fn position_at(&self, time: Timestamp) -> BoxFuture<'_, Result<Position, LogError>> {
        async move {
            self.open_still()?;
            self.blocking(move |shared| reader::position_at(shared, time)).await
        }
        .boxed()
    }

    fn durable_end(&self) -> watch::Receiver<Position> {
        self.shared.end.subscribe()
    }

    fn arrivals(&self, space: &SpaceName, types: &[String]) -> watch::Receiver<Position> {
        self.shared.arrivals.watch(space, types, &self.shared.end)
    }

    fn count(
        &self,
        space: SpaceName,
        filter: Filter,
        range: Range<Position>,
        limit: u64,
    ) -> BoxFuture<'_, Result<Counted, LogError>> {
        async move {
            self.open_still()?;
            self.blocking(move |shared| reader::count(shared, &space, &filter, &range, limit)).await
        }
        .boxed()
    }

    fn find(&self, space: SpaceName, source: String, id: String) -> BoxFuture<'_, Result<Option<Position>, LogError>> {
        async move {
            self.open_still()?;
            self.blocking(move |shared| reader::find(shared, &space, &source, &id)).await
        }
        .boxed()
    }

    fn load_checkpoint(&self, name: &str) -> BoxFuture<'_, Result<Option<Bytes>, LogError>> {
        let name = name.to_owned();
        async move {
            self.open_still()?;
            self.blocking(move |shared| shared.index.store().load_checkpoint(&name)).await
        }
        .boxed()
    }

    fn load_checkpoints(&self, names: Vec<String>) -> BoxFuture<'_, Result<Vec<Option<Bytes>>, LogError>> {
        async move {
            self.open_still()?;
            self.blocking(move |shared| {
                let store = shared.index.store();
                names.iter().map(|name| store.load_checkpoint(name)).collect::<Result<Vec<_>, _>>()
            })
            .await
        }
        .boxed()
    }

    fn store_checkpoints(&self, values: Vec<(String, Bytes)>) -> BoxFuture<'_, Result<(), LogError>> {
        self.blocking(move |shared| change_checkpoints(shared, |store| store.store_checkpoints(&values))).boxed()
    }

    fn remove_checkpoints(&self, names: Vec<String>) -> BoxFuture<'_, Result<(), LogError>> {
        self.blocking(move |shared| change_checkpoints(shared, |store| store.remove_checkpoints(&names))).boxed()
    }

    fn close(&self) -> BoxFuture<'_, Result<(), LogError>> {
        async move {
            let closed_before = std::mem::replace(&mut *self.shared.closed.write(), true);
            if closed_before {
                return Err(LogError::Closed);
            }
            let (answer, done) = oneshot::channel();
            // Appends that were queued before are in front of this message; those after it are refused.
            self.queue.send(Message::Close(answer)).await.map_err(|_| LogError::Closed)?;
            done.await.map_err(|_| LogError::Closed)?
        }
        .boxed()
    }
}

/// However the writer ends, a panic included: the log is closed, and the indexer ends behind it.
struct WriterEnds(Arc<Shared>);

impl Drop for WriterEnds {
    fn drop(&mut self) {
        *self.0.closed.write() = true;
        self.0.blocks.close();
    }
}

/// However the indexer ends, a panic included: the writer would wait for it for ever, and a close for the writer.
struct IndexerEnds(Arc<Shared>);

impl Drop for IndexerEnds {
    fn drop(&mut self) {
        self.0.blocks.abandon();
    }
}

impl Writer {
    /// Writes until the log is closed or its last handle is dropped.
    pub fn run(mut self) {
        let _ends = WriterEnds(self.shared.clone());
        let mut messages = Vec::new();
        let mut batches = Vec::new();
        let mut waiters = Vec::new();
        loop {
            let received = self.queue.blocking_recv_many(&mut messages, GROUP_BATCHES_MAX);
            let mut close = None;
            // Permits are given back when the group is written, which is what bounds the bytes that wait.
            let mut permits = Vec::with_capacity(received);
            for message in messages.drain(..) {
                match message {
                    Message::Append(batch, waiter, permit) if close.is_none() => {
                        batches.push(batch);
                        waiters.push(waiter);
                        permits.push(permit);
                    }
                    Message::Append(_, waiter, _) => drop(waiter.send(Err(LogError::Closed))),
                    Message::Close(done) => close = Some(done),
                }
            }
            let outcomes = self.committer.commit(&batches);
            batches.clear();
            drop(permits);
            for (waiter, outcome) in waiters.drain(..).zip(outcomes) {
                // A caller that went away loses its answer, not its event.
                drop(waiter.send(outcome));
            }
            if received == 0 || close.is_some() {
                self.queue.close();
                let closed = self.committer.close();
                if let Err(error) = &closed {
                    tracing::warn!(error = %weir_domain::error_chain(error), "the log was not closed cleanly; the next start reads its end again");
                }
                if let Some(done) = close {
                    drop(done.send(closed));
                }
                return;
            }
        }
    }

    /// Decides and writes one group on this thread: what [`Writer::run`] does, one step at a time, for simulations.
    ///
    /// # Errors
    /// Where a batch is larger than can be written.
    pub fn step(&mut self, group: &[Append]) -> Result<Vec<Result<Receipt, LogError>>, LogError> {
        let max = Options::default().batch_bytes_max;
        let prepared: Result<Vec<_>, _> = group.iter().map(|append| Prepared::new(append, max)).collect();
        Ok(self.committer.commit(&prepared?))
    }

    /// Closes the log on this thread, for simulations.
    ///
    /// # Errors
    /// Where the end of the log cannot be written down.
    pub fn close(mut self) -> Result<(), LogError> {
        self.committer.close()
    }
}

impl Indexer {
    /// Writes blocks until the log is closed.
    ///
    /// # Errors
    /// Where the last blocks could not be written; the next start indexes their events again.
    pub fn run(self) -> Result<(), LogError> {
        let _ends = IndexerEnds(self.shared.clone());
        while let Some(block) = self.shared.blocks.front() {
            if let Err(error) = self.write(&block) {
                tracing::error!(error = %weir_domain::error_chain(&error), "the index cannot be written");
                self.shared.blocks.failed(error, INDEX_RETRY)?;
            }
        }
        self.shared.index.store().sync()
    }

    /// Writes the blocks that wait now, for simulations.
    ///
    /// # Errors
    /// Where a block cannot be written.
    pub fn step(&self) -> Result<(), LogError> {
        while let Some(block) = self.shared.blocks.try_front() {
            self.write(&block)?;
        }
        Ok(())
    }

    fn write(&self, block: &crate::store::Block) -> Result<(), LogError> {
        let store = self.shared.index.store();
        store.add(block)?;
        if let Some(watermark) = &block.watermark {
            store::seal(store.as_ref(), watermark.position)?;
        }
        self.shared.index.thaw();
        self.shared.blocks.done();
        Ok(())
    }
}
