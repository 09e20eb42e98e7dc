//! The access log: a line for each request to the two APIs, written by a thread of its own.
//!
//! The path of a request only puts what is known about it into a queue. Where the queue is full, because the disk or
//! whoever reads standard output is slower than the requests, lines are dropped and counted: no request waits for its line.

mod line;

use std::{
    fs::{File, OpenOptions},
    io::{self, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
        mpsc::{Receiver, SyncSender, sync_channel},
    },
    time::{Duration, Instant},
};

use anyhow::Context;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;
use weir_domain::error_chain;
use weir_gateway::{Metrics, RequestObserver, Served};

use crate::threads;

pub(crate) use line::Format;

/// Requests whose lines may wait to be written.
const QUEUE_LINES_MAX: usize = 8192;
/// Bytes that are written at once, and a line more.
const WRITE_BYTES: usize = 64 * 1024;
/// How often it is told that lines cannot be written.
const TELL_INTERVAL: Duration = Duration::from_secs(60);
/// How long the end of the server waits for the last lines.
const LAST_WAIT: Duration = Duration::from_secs(2);
/// Who may read the file is for its directory to widen: it names people and what they did.
const FILE_MODE: u32 = 0o640;

/// Whether and how requests are logged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Options {
    /// The form of a line.
    pub(crate) format: Format,
    /// The file to which lines are added; without it, standard output.
    pub(crate) file: Option<PathBuf>,
}

/// Takes what is known about requests.
pub(crate) struct AccessLog {
    queue: SyncSender<Item>,
    metrics: Metrics,
}

/// The access log as its owner sees it.
pub(crate) struct Running {
    queue: SyncSender<Item>,
    asked: Arc<Asked>,
    /// Ends with the thread.
    done: Receiver<()>,
    /// Comes when the file is to be opened again.
    hangups: Option<Signal>,
}

/// What the thread is given to do.
enum Item {
    Line(Arc<Served>),
    /// Something was asked for.
    Wake,
}

/// What the thread is asked for beside lines.
#[derive(Default)]
struct Asked {
    reopen: AtomicBool,
    end: AtomicBool,
}

/// Opens the log and starts its thread.
///
/// # Errors
/// Where the file cannot be opened.
pub(crate) fn open(options: Options, metrics: &Metrics) -> anyhow::Result<(Arc<AccessLog>, Running)> {
    let hangups = options.file.as_ref().map(|_| signal(SignalKind::hangup())).transpose();
    let hangups = hangups.context("SIGHUP cannot be waited for")?;
    let sink = Sink::open(options.file)?;
    let (queue, items) = sync_channel(QUEUE_LINES_MAX);
    let asked = Arc::new(Asked::default());
    let (ends, done) = sync_channel::<()>(1);
    let (format, counted) = (options.format, metrics.clone());
    let writer = Writer { items, asked: Arc::clone(&asked), format, sink, metrics: counted, told: None };
    threads::start("access-log", move || {
        writer.run();
        drop(ends);
    })?;
    let log = AccessLog { queue: queue.clone(), metrics: metrics.clone() };
    Ok((Arc::new(log), Running { queue, asked, done, hangups }))
}

impl RequestObserver for AccessLog {
    fn served(&self, served: &Arc<Served>) {
        if self.queue.try_send(Item::Line(Arc::clone(served))).is_err() {
            self.metrics.access_log_dropped(1);
        }
    }
}

impl Running {
    /// Takes from it what waits for SIGHUP, which would end the process otherwise; nothing where there is no file.
    pub(crate) fn reopener(&mut self) -> Option<Reopener> {
        let hangups = self.hangups.take()?;
        Some(Reopener { queue: self.queue.clone(), asked: Arc::clone(&self.asked), hangups })
    }

    /// Writes what waits, and ends. Blocks its thread, though not for long: a disk or a terminal that takes nothing any
    /// more is not waited for.
    pub(crate) fn close(self) {
        self.asked.end.store(true, Ordering::Relaxed);
        // Where there is no room, the thread is awake.
        let _ = self.queue.try_send(Item::Wake);
        let _ = self.done.recv_timeout(LAST_WAIT);
    }
}

/// Opens the file again on SIGHUP, so that the old one can be moved away first.
pub(crate) struct Reopener {
    queue: SyncSender<Item>,
    asked: Arc<Asked>,
    hangups: Signal,
}

impl Reopener {
    /// Waits for SIGHUP until told to stop.
    pub(crate) async fn run(mut self, stop: CancellationToken) {
        loop {
            tokio::select! {
                biased;
                () = stop.cancelled() => return,
                hangup = self.hangups.recv() => {
                    if hangup.is_none() {
                        // No signal can come any more.
                        return stop.cancelled().await;
                    }
                }
            }
            self.asked.reopen.store(true, Ordering::Relaxed);
            // Where there is no room, the thread is awake.
            let _ = self.queue.try_send(Item::Wake);
        }
    }
}

/// Writes lines until it is asked to end.
struct Writer {
    items: Receiver<Item>,
    asked: Arc<Asked>,
    format: Format,
    sink: Sink,
    metrics: Metrics,
    /// When it was last told that something failed.
    told: Option<Instant>,
}

impl Writer {
    fn run(mut self) {
        let mut buffer = Vec::with_capacity(WRITE_BYTES);
        while let Some(first) = self.next() {
            let mut next = Some(first);
            let mut lines = 0;
            while let Some(item) = next {
                if let Item::Line(served) = item {
                    line::write(self.format, &served, &mut buffer);
                    lines += 1;
                }
                // What has come meanwhile is written with it, with one call of the system.
                next = if buffer.len() < WRITE_BYTES { self.items.try_recv().ok() } else { None };
            }
            self.reopen();
            self.write(&mut buffer, lines);
        }
    }

    /// Waits for the next item. When the end was asked for, there is none behind those that wait.
    fn next(&self) -> Option<Item> {
        if self.asked.end.load(Ordering::Relaxed) { self.items.try_recv().ok() } else { self.items.recv().ok() }
    }

    fn reopen(&mut self) {
        if !self.asked.reopen.swap(false, Ordering::Relaxed) {
            return;
        }
        match self.sink.reopen() {
            Ok(()) => tracing::info!("the access log is open again"),
            Err(error) => {
                let error = error_chain(&error);
                tracing::error!(error, "the access log cannot be opened again: lines go where they went before");
            }
        }
    }

    fn write(&mut self, buffer: &mut Vec<u8>, lines: u64) {
        if let Err(error) = self.sink.write(buffer) {
            self.metrics.access_log_dropped(lines);
            if self.told.is_none_or(|told| told.elapsed() >= TELL_INTERVAL) {
                self.told = Some(Instant::now());
                let error = error_chain(&error);
                tracing::error!(error, "the access log cannot be written: lines are dropped and counted");
            }
        }
        buffer.clear();
    }
}

/// Where lines go.
struct Sink {
    /// Without it, standard output.
    file: Option<(PathBuf, File)>,
    /// Whether the last line may have been written in part: then the next one begins anew.
    is_torn: bool,
}

impl Sink {
    fn open(path: Option<PathBuf>) -> anyhow::Result<Self> {
        let file = path.map(|path| {
            let file = open_file(&path).with_context(|| {
                format!("access_log_file: {} cannot be opened: choose a file that the server may write", path.display())
            })?;
            anyhow::Ok((path, file))
        });
        Ok(Self { file: file.transpose()?, is_torn: false })
    }

    fn reopen(&mut self) -> io::Result<()> {
        if let Some((path, file)) = &mut self.file {
            *file = open_file(path)?;
            self.is_torn = false;
        }
        Ok(())
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        if bytes.is_empty() {
            return Ok(());
        }
        let parts: [&[u8]; 2] = [if self.is_torn { b"\n" } else { b"" }, bytes];
        self.is_torn = true;
        match &mut self.file {
            Some((_, file)) => parts.iter().try_for_each(|part| file.write_all(part))?,
            None => {
                let mut out = io::stdout().lock();
                parts.iter().try_for_each(|part| out.write_all(part))?;
                out.flush()?;
            }
        }
        self.is_torn = false;
        Ok(())
    }
}

fn open_file(path: &Path) -> io::Result<File> {
    OpenOptions::new().append(true).create(true).mode(FILE_MODE).open(path)
}

#[cfg(test)]
mod tests;
