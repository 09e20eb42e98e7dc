//! The server: what `weir dev` and `weir serve` both run. Built without a running task, then run until told to stop,
//! then stopped from the edge inwards.

use std::{
    net::SocketAddr,
    path::PathBuf,
    sync::Arc,
    thread::JoinHandle,
    time::{Duration, Instant},
};

use anyhow::{Context, anyhow};
use tokio::{net::TcpListener, task::JoinSet};
use tokio_util::sync::CancellationToken;
use weir_domain::{Clock, ErrorKind, Ids, Position};
use weir_flow::{Flow, Observer, Observers, Runner, Runtimes};
use weir_functions::{GuestLog, HttpClient, RuntimeOptions, Ticker, WasmRuntime};
use weir_gateway::{Gateway, Metrics};
use weir_log::LogEngine;
use weir_log_embedded::{EmbeddedLog, Recovered, Workers};

use crate::{
    cli::output::Failure,
    ports::{RandomIds, SystemClock},
};

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
    /// How long requests and calls in flight may take after a stop was asked for.
    pub(crate) grace: Duration,
}

/// A server whose ports are bound and whose log is open; nothing runs yet.
pub(crate) struct App {
    pub(crate) flow: Flow,
    pub(crate) log: Arc<EmbeddedLog>,
    pub(crate) recovered: Recovered,
    pub(crate) events_address: SocketAddr,
    pub(crate) config_address: SocketAddr,
    runner: Runner,
    ticker: Ticker,
    gateway: Gateway,
    events: TcpListener,
    config: TcpListener,
    workers: Workers,
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
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let ids: Arc<dyn Ids> = Arc::new(RandomIds);
        let opened = Instant::now();
        let mut progress = |events: u64| tracing::info!(events, "reading the log");
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
        let ticker = runtime.ticker();
        let maker = Arc::new(Runtimes::new(runtime, HttpClient::new(), plan.gateway.limits));
        let metrics = Metrics::new(env!("CARGO_PKG_VERSION"), clock.now());
        let observer: Arc<dyn Observer> = Arc::new(Observers(vec![observer, Arc::new(metrics.clone())]));
        let (flow, runner) = Flow::open(engine.clone(), maker, clock.clone(), ids.clone(), observer, plan.flow).await?;
        let gateway = Gateway::new(flow.clone(), engine, clock, ids, metrics, plan.gateway);
        Ok(Self {
            flow,
            log,
            recovered,
            events_address: events.local_addr()?,
            config_address: config.local_addr()?,
            runner,
            ticker,
            gateway,
            events,
            config,
            workers,
            grace: plan.grace,
        })
    }

    /// Runs until told to stop or until a part fails, then stops from the edge inwards: doors, delivery, log.
    ///
    /// The doors open when `before_doors` is done. The ports are bound already, so callers who come earlier wait.
    pub(crate) async fn run(
        self,
        before_doors: impl Future<Output = ()>,
        stop: CancellationToken,
    ) -> anyhow::Result<()> {
        let stop_ticker = self.ticker.stop_handle();
        let ticker = self.ticker;
        let mut threads = start_workers(self.workers)?;
        threads.push(start_thread("function-clock", move || ticker.run())?);
        let stop_flow = CancellationToken::new();
        let mut delivery: JoinSet<()> = JoinSet::new();
        delivery.spawn(self.runner.run(stop_flow.clone()));
        tokio::select! {
            () = before_doors => {}
            () = stop.cancelled() => {}
        }
        let mut doors: JoinSet<anyhow::Result<()>> = JoinSet::new();
        doors.spawn(open_door(self.gateway.clone().serve_events(self.events, stop.clone().cancelled_owned())));
        doors.spawn(open_door(self.gateway.serve_configuration(self.config, stop.clone().cancelled_owned())));

        let failure = tokio::select! {
            // First, because everything else ends too when a stop was asked for.
            biased;
            () = stop.cancelled() => None,
            Some(ended) = doors.join_next() => Some(unexpected("a listener", ended)),
            Some(ended) = delivery.join_next() => Some(unexpected("the delivery", ended.map(Ok))),
        };
        stop.cancel();
        tracing::info!("stopping: requests and calls in flight are finished");
        let graceful = async {
            while doors.join_next().await.is_some() {}
            stop_flow.cancel();
            while delivery.join_next().await.is_some() {}
        };
        if tokio::time::timeout(self.grace, graceful).await.is_err() {
            tracing::warn!(grace = ?self.grace, "the grace period is over: what is still in flight is broken off and delivered again after the next start");
            doors.shutdown().await;
            delivery.shutdown().await;
        }
        // Calls are done or broken off: no guest runs any more.
        stop_ticker.stop();
        self.log.close().await.context("the log could not be closed cleanly; the next start reads its end again")?;
        drop(self.log);
        for thread in threads {
            thread.join().map_err(|_| anyhow!("a thread of the log ended in a panic"))?;
        }
        tracing::info!("stopped");
        failure.map_or(Ok(()), Err)
    }

    /// Returns the last position of the log.
    pub(crate) fn end(&self) -> Position {
        *self.log.durable_end().borrow()
    }
}

async fn open_door(serve: impl Future<Output = std::io::Result<()>>) -> anyhow::Result<()> {
    Ok(serve.await?)
}

fn unexpected(what: &str, ended: Result<anyhow::Result<()>, tokio::task::JoinError>) -> anyhow::Error {
    match ended {
        Ok(Ok(())) => anyhow!("{what} ended although nobody asked for it"),
        Ok(Err(error)) => error.context(format!("{what} failed")),
        Err(error) => anyhow!("{what} ended in a panic: {error}"),
    }
}

fn start_workers(workers: Workers) -> anyhow::Result<Vec<JoinHandle<()>>> {
    let Workers { writer, indexer } = workers;
    let writer = start_thread("log-writer", move || writer.run())?;
    let indexer = start_thread("log-indexer", move || {
        if let Err(error) = indexer.run() {
            tracing::error!(error = %weir_domain::error_chain(&error), "the end of the index was not written; the next start reads it again");
        }
    })?;
    Ok(vec![writer, indexer])
}

#[expect(clippy::disallowed_methods, reason = "this is the supervisor: it owns the threads and joins them")]
pub(crate) fn start_thread(name: &str, body: impl FnOnce() + Send + 'static) -> anyhow::Result<JoinHandle<()>> {
    Ok(std::thread::Builder::new().name(name.into()).spawn(body)?)
}

async fn bind(address: SocketAddr, what: &str, flag: &str) -> anyhow::Result<TcpListener> {
    TcpListener::bind(address).await.map_err(|error| {
        let cure = match error.kind() {
            std::io::ErrorKind::AddrInUse => "the port is in use; stop the other program or choose a port with",
            std::io::ErrorKind::PermissionDenied => "ports below 1024 need a privilege; choose another with",
            _ => return anyhow!(error).context(format!("the {what} API cannot listen on {address}")),
        };
        let kind = ErrorKind::Unavailable { retry_after: None };
        Failure::new(kind, format!("the {what} API cannot listen on {address}: {cure} {flag}")).into()
    })
}

/// Cancels at the first SIGTERM or SIGINT, and ends the process at the second.
pub(crate) async fn watch_signals(stop: CancellationToken) -> anyhow::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut seen = false;
    loop {
        let code = tokio::select! {
            _ = terminate.recv() => 143,
            _ = interrupt.recv() => 130,
        };
        if seen {
            // The second signal means now: nothing acknowledged is lost by it.
            std::process::exit(code);
        }
        seen = true;
        stop.cancel();
    }
}
