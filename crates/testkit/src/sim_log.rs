//! The embedded engine without its threads: one task takes every step of it, at instants of virtual time that a seed
//! draws.
//!
//! What was appended is written in groups, a while after it was asked for. What would be done on other threads is done
//! where it is asked for, after a while too. Without power nothing is answered any more: whoever waits then waits until
//! its process is gone.

use std::{
    future,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use futures_util::future::{BoxFuture, FutureExt};
use parking_lot::Mutex;
use rand::{Rng, SeedableRng, rngs::SmallRng};
use tokio::sync::{mpsc, oneshot, watch};
use weir_domain::{Clock, Position, SpaceName};
use weir_log::{Append, LogEngine, LogError, Page, Read, Receipt};
use weir_log_embedded::{EmbeddedLog, IndexStore, Indexer, Options, Workers, Writer};

use crate::{SimDisk, pass};

/// Appends that may wait for the machine; further ones wait for room.
const QUEUE_MAX: usize = 256;
/// The most batches that are written with one sync.
const GROUP_MAX: usize = 8;
/// The longest that anything takes, in milliseconds.
const DELAY_MS_MAX: u64 = 20;

/// Is told what a simulated log has done, at the instant at which that is so and before anybody else knows.
pub trait Witness: Send + Sync + 'static {
    /// A batch is durable. Its receipt may never arrive.
    fn appended(&self, append: &Append, receipt: &Receipt);

    /// A batch was not written.
    fn refused(&self, append: &Append, error: &LogError);

    /// A checkpoint was stored.
    fn stored(&self, name: &str, value: &[u8]);
}

/// The engine as its users see it.
pub struct SimLog {
    inner: EmbeddedLog,
    disk: SimDisk,
    queue: mpsc::Sender<Asked>,
    watches: Arc<Watches>,
    witness: Arc<dyn Witness>,
    random: Mutex<SmallRng>,
    is_closed: AtomicBool,
    died: watch::Receiver<bool>,
}

/// Writer and indexer of an open log. Somebody must [`run`](Self::run) them.
pub struct SimMachine {
    writer: Writer,
    indexer: Indexer,
    disk: SimDisk,
    asked: mpsc::Receiver<Asked>,
    watches: Arc<Watches>,
    witness: Arc<dyn Witness>,
    random: SmallRng,
    end: watch::Receiver<Position>,
    died: watch::Sender<bool>,
}

/// What the machine is asked for.
enum Asked {
    Append(Append, oneshot::Sender<Result<Receipt, LogError>>),
    Close(oneshot::Sender<Result<(), LogError>>),
}

impl SimLog {
    /// Opens the log. Its writer must never wait for its indexer, so the options allow for as many blocks as there will
    /// be.
    ///
    /// # Errors
    /// As [`EmbeddedLog::open`].
    pub fn open(
        disk: &SimDisk,
        store: Arc<dyn IndexStore>,
        options: Options,
        clock: Arc<dyn Clock>,
        witness: Arc<dyn Witness>,
        seed: u64,
    ) -> Result<(Arc<Self>, SimMachine), LogError> {
        let (engine, workers, _) = EmbeddedLog::open_on(Arc::new(disk.clone()), store, options, clock)?;
        let inner = engine.inline();
        let mut random = SmallRng::seed_from_u64(seed);
        let (queue, asked) = mpsc::channel(QUEUE_MAX);
        let (dies, died) = watch::channel(false);
        let (watches, end) = (Arc::new(Watches::default()), inner.durable_end());
        let Workers { writer, indexer } = workers;
        let machine = SimMachine {
            writer,
            indexer,
            disk: disk.clone(),
            asked,
            watches: watches.clone(),
            witness: witness.clone(),
            random: SmallRng::seed_from_u64(random.random()),
            end,
            died: dies,
        };
        let (disk, random, is_closed) = (disk.clone(), random.into(), AtomicBool::new(false));
        Ok((Arc::new(Self { inner, disk, queue, watches, witness, random, is_closed, died }), machine))
    }

    /// Reads one page at once, for who looks at the simulation from outside.
    ///
    /// # Errors
    /// As [`LogEngine::read`].
    pub fn read_now(&self, read: &Read) -> Result<Page, LogError> {
        self.inner.read_blocking(read)
    }

    /// Waits until the process of this log has ended, without being closed.
    pub async fn died(&self) {
        let mut died = self.died.clone();
        let has_died = died.wait_for(|died| *died).await.is_ok();
        if !has_died {
            future::pending().await
        }
    }

    /// Waits for as long as something takes.
    async fn turn(&self) -> Result<(), LogError> {
        let delay = draw(&mut self.random.lock());
        pass(delay).await;
        if self.disk.is_off() {
            future::pending::<()>().await;
        }
        if self.is_closed.load(Ordering::Relaxed) { Err(LogError::Closed) } else { Ok(()) }
    }
}

impl LogEngine for SimLog {
    crate::delegate_to_inner!(position_at, load_checkpoint, load_checkpoints, count, find);

    /// It begins with the durable end.
    fn arrivals(&self, space: &SpaceName, types: &[String]) -> watch::Receiver<Position> {
        let end = *self.inner.durable_end().borrow();
        self.watches.add(Some((space.clone(), types.to_vec())), end)
    }

    fn append(&self, append: Append) -> BoxFuture<'_, Result<Receipt, LogError>> {
        async move {
            if self.is_closed.load(Ordering::Relaxed) {
                return Err(LogError::Closed);
            }
            let (answer, receipt) = oneshot::channel();
            self.queue.send(Asked::Append(append, answer)).await.map_err(|_| LogError::Closed)?;
            receipt.await.map_err(|_| LogError::Closed)?
        }
        .boxed()
    }

    fn read(&self, read: Read) -> BoxFuture<'_, Result<Page, LogError>> {
        async move {
            self.turn().await?;
            self.inner.read(read).await
        }
        .boxed()
    }

    fn durable_end(&self) -> watch::Receiver<Position> {
        let end = *self.inner.durable_end().borrow();
        self.watches.add(None, end)
    }

    fn store_checkpoints(&self, values: Vec<(String, Bytes)>) -> BoxFuture<'_, Result<(), LogError>> {
        async move {
            self.turn().await?;
            self.inner.store_checkpoints(values.clone()).await?;
            values.iter().for_each(|(name, value)| self.witness.stored(name, value));
            Ok(())
        }
        .boxed()
    }

    fn remove_checkpoints(&self, names: Vec<String>) -> BoxFuture<'_, Result<(), LogError>> {
        async move {
            self.turn().await?;
            self.inner.remove_checkpoints(names).await
        }
        .boxed()
    }

    fn close(&self) -> BoxFuture<'_, Result<(), LogError>> {
        async move {
            if self.is_closed.swap(true, Ordering::Relaxed) {
                return Err(LogError::Closed);
            }
            let (answer, done) = oneshot::channel();
            self.queue.send(Asked::Close(answer)).await.map_err(|_| LogError::Closed)?;
            done.await.map_err(|_| LogError::Closed)?
        }
        .boxed()
    }
}

impl SimMachine {
    /// Writes until the log is closed. Where the power goes before that, this never ends, and answers nobody any more.
    pub async fn run(mut self) {
        let (mut batches, mut waiters) = (Vec::new(), Vec::new());
        while let Some(first) = self.asked.recv().await {
            pass(draw(&mut self.random)).await;
            let close = self.gather(first, &mut batches, &mut waiters);
            let Some(outcomes) = self.write(&batches) else {
                self.died.send_replace(true);
                // With all that waits for an answer.
                return future::pending().await;
            };
            batches.clear();
            for (waiter, outcome) in waiters.drain(..).zip(outcomes) {
                // A caller that went away loses its answer, not its event.
                drop(waiter.send(outcome));
            }
            if let Some(waiter) = close {
                drop(waiter.send(self.close()));
                return;
            }
        }
    }

    /// Takes what waits, up to a drawn number or up to the close.
    fn gather(
        &mut self,
        first: Asked,
        batches: &mut Vec<Append>,
        waiters: &mut Vec<oneshot::Sender<Result<Receipt, LogError>>>,
    ) -> Option<oneshot::Sender<Result<(), LogError>>> {
        let most = self.random.random_range(1..=GROUP_MAX);
        let mut next = Some(first);
        while let Some(asked) = next.take() {
            match asked {
                Asked::Append(append, waiter) => {
                    batches.push(append);
                    waiters.push(waiter);
                }
                Asked::Close(waiter) => return Some(waiter),
            }
            if batches.len() < most {
                next = self.asked.try_recv().ok();
            }
        }
        None
    }

    /// Writes a group, and now and then the index behind it; `None` where the process ended in that.
    fn write(&mut self, batches: &[Append]) -> Option<Vec<Result<Receipt, LogError>>> {
        let outcomes = self.writer.step(batches).expect("no batch of a simulation is larger than an engine takes");
        for (append, outcome) in batches.iter().zip(&outcomes) {
            match outcome {
                Ok(receipt) => self.witness.appended(append, receipt),
                Err(error) => self.witness.refused(append, error),
            }
        }
        let is_index_due: bool = self.random.random();
        if self.disk.is_off() || (is_index_due && self.indexer.step().is_err()) {
            return None;
        }
        self.watches.tell(*self.end.borrow(), batches, &outcomes);
        Some(outcomes)
    }

    fn close(self) -> Result<(), LogError> {
        self.writer.close()?;
        self.indexer.step()
    }
}

/// Draws how long something takes: often no time at all.
fn draw(random: &mut SmallRng) -> Duration {
    let millis = match random.random_range(0..4) {
        0 | 1 => 0,
        2 => 1,
        _ => random.random_range(1..=DELAY_MS_MAX),
    };
    Duration::from_millis(millis)
}

/// Who waits for the log to grow. Each has a channel of its own: of those who share one, tokio draws who is woken
/// first.
#[derive(Default)]
struct Watches(Mutex<Vec<Watch>>);

struct Watch {
    /// Which events are waited for; any change of the durable end where nothing is said.
    of: Option<(SpaceName, Vec<String>)>,
    newest: watch::Sender<Position>,
}

impl Watches {
    fn add(&self, of: Option<(SpaceName, Vec<String>)>, end: Position) -> watch::Receiver<Position> {
        let (newest, receiver) = watch::channel(end);
        let mut all = self.0.lock();
        all.retain(|watch| !watch.newest.is_closed());
        all.push(Watch { of, newest });
        receiver
    }

    fn tell(&self, end: Position, batches: &[Append], outcomes: &[Result<Receipt, LogError>]) {
        for Watch { of, newest } in &*self.0.lock() {
            let position = match of {
                None => Some(end),
                Some((space, types)) => newest_of(space, types, batches, outcomes),
            };
            let Some(position) = position else { continue };
            newest.send_if_modified(|seen| {
                let is_newer = *seen < position;
                *seen = position.max(*seen);
                is_newer
            });
        }
    }
}

/// Returns where the newest of the events stands that are new and of one of these types.
fn newest_of(
    space: &SpaceName,
    types: &[String],
    batches: &[Append],
    outcomes: &[Result<Receipt, LogError>],
) -> Option<Position> {
    let written = batches.iter().zip(outcomes).filter(|(append, _)| append.space == *space);
    let written = written.filter_map(|(append, outcome)| Some((append, outcome.as_ref().ok()?)));
    let events = written.flat_map(|(append, receipt)| append.events.iter().zip(&receipt.events));
    let is_wanted = |event_type: &str| types.is_empty() || types.iter().any(|each| each == event_type);
    let fresh = events.filter(|(new, entry)| !entry.duplicate && is_wanted(new.event.event_type()));
    fresh.map(|(_, entry)| entry.position).max()
}
