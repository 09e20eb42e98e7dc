//! The server: what `weir dev` and `weir serve` both run. Built without a running task, then run until told to stop,
//! then stopped from the edge inwards.

mod certificates;
mod observing;

use std::{
    io,
    net::SocketAddr,
    path::PathBuf,
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Context, anyhow};
use tokio::{net::TcpListener, task::JoinSet, time::timeout_at};
use tokio_util::sync::CancellationToken;
use weir_domain::{Clock, ErrorKind, Ids, Position};
use weir_flow::{Flow, Observer, Observers, Runner, Runtimes};
use weir_functions::{AwsCredentials, GuestLog, HttpClient, RuntimeOptions, TickerStop, WasmRuntime};
use weir_gateway::{Gateway, KeyRefresher, Metrics, Tls};
use weir_log::LogEngine;
use weir_log_embedded::{EmbeddedLog, Recovered, Replayed, Workers};

use crate::{
    auth,
    cli::output::Failure,
    ports::{RandomIds, SystemClock},
    threads::Threads,
};

use certificates::Certificates;
use observing::Observing;

pub(crate) use observing::Wanted;

/// How long a stop may take to close the log where the grace period leaves less: a log that is closed whole opens at
/// once.
const CLOSE_TIME_MIN: Duration = Duration::from_secs(5);

/// How often a start that reads much of the log says how far it is.
const PROGRESS_PAUSE: Duration = Duration::from_secs(1);

/// What a server needs to know, whoever starts it.
pub(crate) struct Plan {
    pub(crate) data_dir: PathBuf,
    /// Where compiled functions are kept between starts.
    pub(crate) cache_dir: PathBuf,
    pub(crate) events_address: SocketAddr,
    pub(crate) config_address: SocketAddr,
    pub(crate) log: weir_log_embedded::Options,
    pub(crate) gateway: weir_gateway::Options,
    pub(crate) flow: weir_flow::Options,
    /// What keeps the keys of JWTs up to date.
    pub(crate) keys: Option<KeyRefresher>,
    /// In whose name AWS is called for functions without credentials of their own.
    pub(crate) aws: Option<AwsCredentials>,
    /// Who is to watch it from outside.
    pub(crate) observing: Wanted,
    /// How long requests and calls in flight may take after a stop was asked for.
    pub(crate) grace: Duration,
}

/// A server whose ports are bound and whose log is open; nothing runs yet but what interrupts guests.
pub(crate) struct App {
    pub(crate) flow: Flow,
    pub(crate) log: Arc<EmbeddedLog>,
    pub(crate) recovered: Recovered,
    /// Where the Events API is: `http://` or `https://` with address and port.
    pub(crate) events_url: String,
    /// Where the Configuration API is.
    pub(crate) config_url: String,
    runner: Runner,
    threads: Threads,
    interrupts: Interrupts,
    gateway: Gateway,
    keys: Option<KeyRefresher>,
    events: TcpListener,
    config: TcpListener,
    workers: Workers,
    certificates: Option<Certificates>,
    observing: Observing,
    grace: Duration,
}

impl App {
    /// Binds the ports, opens the log and reads the configuration.
    pub(crate) async fn build(
        plan: Plan,
        observer: Arc<dyn Observer>,
        guest_log: Arc<dyn GuestLog>,
    ) -> anyhow::Result<Self> {
        // Ports first: what is cheap to find out is said before the log is touched.
        let events = bind(plan.events_address, "events", "--events-port").await?;
        let config = bind(plan.config_address, "configuration", "--config-port").await?;
        let (events_tls, config_tls) = (&plan.gateway.events_tls, &plan.gateway.configuration_tls);
        let events_url = url(&events, events_tls.as_ref())?;
        let config_url = url(&config, config_tls.as_ref())?;
        let certificates = Certificates::new([("events", events_tls), ("configuration", config_tls)])
            .context("SIGHUP cannot be waited for")?;
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let ids: Arc<dyn Ids> = Arc::new(RandomIds);
        let opened = Instant::now();
        let mut told = opened;
        let mut progress = |replayed: Replayed| {
            if told.elapsed() >= PROGRESS_PAUSE {
                told = Instant::now();
                let Replayed { events, bytes, total_bytes } = replayed;
                tracing::info!(events, bytes, total_bytes, "reading the log");
            }
        };
        let (log, workers, recovered) = EmbeddedLog::open(&plan.data_dir, plan.log, clock.clone(), &mut progress)
            .with_context(|| format!("the data directory {} cannot be opened", plan.data_dir.display()))?;
        tracing::debug!(took = ?opened.elapsed(), end = %recovered.end, "log opened");
        let log = Arc::new(log);
        let engine: Arc<dyn LogEngine> = log.clone();
        let runtime = WasmRuntime::new(RuntimeOptions {
            cache_dir: Some(plan.cache_dir),
            ..RuntimeOptions::new(clock.clone(), ids.clone(), guest_log)
        })
        .context("the WebAssembly runtime cannot be started")?;
        let mut threads = Threads::new();
        let interrupts = Interrupts::begin(&runtime, &mut threads)?;
        let runtimes = Runtimes::new(runtime, HttpClient::new(), plan.gateway.limits, clock.clone());
        let maker = runtimes.with_aws_credentials(plan.aws).with_compatibility(plan.flow.compatibility);
        let metrics = Metrics::new(env!("CARGO_PKG_VERSION"), clock.now());
        let observing = Observing::open(plan.observing, &metrics, &clock, &ids)?;
        let mut observers: Vec<Arc<dyn Observer>> = vec![observer, Arc::new(metrics.clone())];
        observers.extend(observing.observer());
        let observer: Arc<dyn Observer> = Arc::new(Observers(observers));
        let (flow, runner) =
            Flow::open(engine.clone(), Arc::new(maker), clock.clone(), ids.clone(), observer, plan.flow).await?;
        auth::check_somebody(plan.gateway.auth.as_ref(), &flow.catalog())?;
        let options = weir_gateway::Options { watchers: observing.watchers.clone(), ..plan.gateway };
        let gateway = Gateway::new(flow.clone(), engine, clock, ids, metrics, options);
        Ok(Self {
            flow,
            log,
            recovered,
            events_url,
            config_url,
            runner,
            threads,
            interrupts,
            gateway,
            keys: plan.keys,
            events,
            config,
            workers,
            certificates,
            observing,
            grace: plan.grace,
        })
    }

    /// Runs until told to stop or until a part fails, then stops from the edge inwards: doors and delivery, then the
    /// log.
    ///
    /// The configuration can be changed at once. The doors open and deliveries begin when `first` is done. The ports are bound
    /// already, so callers who come earlier wait.
    pub(crate) async fn run(self, first: impl Future<Output = ()>, stop: CancellationToken) -> anyhow::Result<()> {
        let (mut threads, interrupts) = (self.threads, self.interrupts);
        start_workers(&mut threads, self.workers)?;
        let (begin, stop_changes) = (CancellationToken::new(), CancellationToken::new());
        let mut delivery: JoinSet<()> = JoinSet::new();
        delivery.spawn(self.runner.run_apart(begin.clone().cancelled_owned(), stop.clone(), stop_changes.clone()));
        let mut renewal: JoinSet<anyhow::Result<()>> = JoinSet::new();
        if let Some(certificates) = self.certificates {
            renewal.spawn(certificates.run(stop.clone()));
        }
        if let Some(keys) = self.keys {
            renewal.spawn(refresh(keys, stop.clone()));
        }
        let mut observing = self.observing;
        observing.start(&mut renewal, &self.gateway, &stop);
        tokio::select! {
            () = first => {}
            () = stop.cancelled() => {}
        }
        begin.cancel();
        let mut doors: JoinSet<anyhow::Result<()>> = JoinSet::new();
        doors.spawn(open_door(self.gateway.clone().serve_events(self.events, stop.clone().cancelled_owned())));
        doors.spawn(open_door(self.gateway.serve_configuration(self.config, stop.clone().cancelled_owned())));

        let failure = tokio::select! {
            // First, because everything else ends too when a stop was asked for.
            biased;
            () = stop.cancelled() => None,
            // Before the doors: without its threads the log takes nothing any more, and what fails then fails by that.
            ended = threads.ended() => Some(ended),
            Some(ended) = doors.join_next() => Some(unexpected("a listener", ended)),
            Some(ended) = delivery.join_next() => Some(unexpected("the delivery", ended.map(Ok))),
            Some(ended) = renewal.join_next() => Some(unexpected("what runs beside the server", ended)),
        };
        stop.cancel();
        tracing::info!("stopping: requests and calls in flight are finished");
        let deadline = tokio::time::Instant::now() + self.grace;
        let is_over = timeout_at(deadline, drain(&mut doors, &mut delivery, &stop_changes)).await.is_err();
        // What is left of the grace period is for the log.
        let deadline = deadline.max(tokio::time::Instant::now() + CLOSE_TIME_MIN);
        if is_over {
            tracing::warn!(grace = ?self.grace, "the grace period is over: what is still in flight is broken off and delivered again after the next start");
            let broken_off = async { tokio::join!(doors.shutdown(), delivery.shutdown()) };
            let _ = timeout_at(deadline, broken_off).await;
        }
        // Calls are done or broken off: no guest runs any more.
        drop(interrupts);
        let (closed, ()) = tokio::join!(close(self.log, threads, deadline), observing.close());
        tracing::info!("stopped");
        // What ended the server tells more than what that did to the log.
        failure.map_or(closed, Err)
    }

    /// Returns the last position of the log.
    pub(crate) fn end(&self) -> Position {
        *self.log.durable_end().borrow()
    }
}

/// What interrupts guests, on a thread of its own until this is dropped.
struct Interrupts(TickerStop);

impl Interrupts {
    /// Begins before functions are made ready, which runs their code.
    fn begin(runtime: &WasmRuntime, threads: &mut Threads) -> anyhow::Result<Self> {
        let ticker = runtime.ticker();
        let interrupts = Self(ticker.stop_handle());
        threads.start("function-clock", move || ticker.run())?;
        Ok(interrupts)
    }
}

impl Drop for Interrupts {
    fn drop(&mut self) {
        self.0.stop();
    }
}

/// Waits until nothing is in flight any more.
///
/// Doors and delivery at the same time: a client that holds its request open must not use up the time of deliveries.
/// What is emitted meanwhile is kept, and delivered after the next start; calls on routes need no delivery.
async fn drain(doors: &mut JoinSet<anyhow::Result<()>>, delivery: &mut JoinSet<()>, stop_changes: &CancellationToken) {
    let doors = async {
        while doors.join_next().await.is_some() {}
        // Nobody can ask for one any more.
        stop_changes.cancel();
    };
    let delivery = async { while delivery.join_next().await.is_some() {} };
    tokio::join!(doors, delivery);
}

/// Says where a listener is.
fn url(listener: &TcpListener, tls: Option<&Tls>) -> io::Result<String> {
    let scheme = if tls.is_some() { "https" } else { "http" };
    Ok(format!("{scheme}://{}", listener.local_addr()?))
}

async fn open_door(serve: impl Future<Output = io::Result<()>>) -> anyhow::Result<()> {
    Ok(serve.await?)
}

/// Keeps the keys of JWTs up to date.
async fn refresh(keys: KeyRefresher, stop: CancellationToken) -> anyhow::Result<()> {
    keys.run(stop).await;
    Ok(())
}

fn unexpected(what: &str, ended: Result<anyhow::Result<()>, tokio::task::JoinError>) -> anyhow::Error {
    match ended {
        Ok(Ok(())) => anyhow!("{what} ended although nobody asked for it"),
        Ok(Err(error)) => error.context(format!("{what} failed")),
        Err(error) => anyhow!("{what} ended in a panic: {error}"),
    }
}

fn start_workers(threads: &mut Threads, workers: Workers) -> anyhow::Result<()> {
    let Workers { writer, indexer } = workers;
    threads.start("log-writer", move || writer.run())?;
    threads.start("log-indexer", move || {
        if let Err(error) = indexer.run() {
            tracing::error!(error = %weir_domain::error_chain(&error), "the end of the index was not written; the next start reads it again");
        }
    })
}

/// Closes the log and waits for its threads, until the deadline.
///
/// Apart from the caller's task: a disk that does not answer holds up a thread, and must not hold up the clock.
async fn close(log: Arc<EmbeddedLog>, threads: Threads, deadline: tokio::time::Instant) -> anyhow::Result<()> {
    let mut closing: JoinSet<anyhow::Result<()>> = JoinSet::new();
    closing.spawn(async move {
        log.close().await.context("the log could not be closed cleanly; the next start reads its end again")
    });
    let mut joining: JoinSet<anyhow::Result<()>> = JoinSet::new();
    joining.spawn_blocking(move || threads.join());
    let both = async { (closing.join_next().await, joining.join_next().await) };
    let (closed, joined) = timeout_at(deadline, both).await.map_err(|_| {
        let message = "the log was not closed in time; the next start reads its end again";
        Failure::new(ErrorKind::Unavailable { retry_after: None }, message)
    })?;
    let outcome = |ended: Option<Result<anyhow::Result<()>, tokio::task::JoinError>>| {
        ended.map_or(Ok(()), |ended| ended.map_err(anyhow::Error::from).flatten())
    };
    outcome(closed).and(outcome(joined))
}

async fn bind(address: SocketAddr, what: &str, flag: &str) -> anyhow::Result<TcpListener> {
    TcpListener::bind(address).await.map_err(|error| {
        let passing = ErrorKind::Unavailable { retry_after: None };
        let (kind, cure) = match error.kind() {
            io::ErrorKind::AddrInUse => {
                (passing, format!("the port is in use; stop the other program or choose a port with {flag}"))
            }
            io::ErrorKind::PermissionDenied => {
                (passing, format!("ports below 1024 need a privilege; choose another with {flag}"))
            }
            io::ErrorKind::AddrNotAvailable => {
                (ErrorKind::Invalid, "choose an address of this machine with --host".to_owned())
            }
            _ => return anyhow!(error).context(format!("the {what} API cannot listen on {address}")),
        };
        Failure::new(kind, format!("the {what} API cannot listen on {address}: {cure}")).into()
    })
}

#[cfg(test)]
mod tests;
