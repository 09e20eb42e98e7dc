//! Who watches a server from outside, for as long as it runs: the access log, and telemetry by OTLP. All of it is off unless
//! it is asked for.

use std::{sync::Arc, time::Duration};

use tokio::{task::JoinSet, time::timeout};
use tokio_util::sync::CancellationToken;
use weir_domain::{Clock, Ids};
use weir_flow::Observer;
use weir_gateway::{Gateway, Metrics, RequestObserver, Watchers};

use crate::{
    access_log,
    telemetry::{self, Exporter, Tracer},
};

/// How long the end of the server waits until the last telemetry is taken.
const FLUSH_TIME: Duration = Duration::from_secs(3);

/// What is asked for.
#[derive(Clone, Debug, Default)]
pub(crate) struct Wanted {
    /// A line for each request.
    pub(crate) access_log: Option<access_log::Options>,
    /// Traces and metrics.
    pub(crate) telemetry: Option<telemetry::Options>,
}

/// Those who watch.
pub(super) struct Observing {
    /// Who is told of requests.
    pub(super) watchers: Watchers,
    tracer: Option<Arc<Tracer>>,
    access_log: Option<access_log::Running>,
    exporter: Option<Exporter>,
    exporting: JoinSet<()>,
    /// Cancelled when nothing comes any more that could be exported.
    end: CancellationToken,
}

impl Observing {
    /// Makes ready what is asked for.
    ///
    /// # Errors
    /// Where a file cannot be opened.
    pub(super) fn open(
        wanted: Wanted,
        metrics: &Metrics,
        clock: &Arc<dyn Clock>,
        ids: &Arc<dyn Ids>,
    ) -> anyhow::Result<Self> {
        let access_log = wanted.access_log.map(|options| access_log::open(options, metrics)).transpose()?;
        let (log, access_log) = access_log.unzip();
        let telemetry = wanted.telemetry.map(|options| telemetry::open(options, metrics, clock, ids));
        let (tracer, exporter) = telemetry.unzip();
        let log = log.map(|log| log as Arc<dyn RequestObserver>);
        let tracing = tracer.clone().map(|tracer| tracer as Arc<dyn RequestObserver>);
        let watchers = Watchers::new([log, tracing].into_iter().flatten().collect());
        let (exporting, end) = (JoinSet::new(), CancellationToken::new());
        Ok(Self { watchers, tracer, access_log, exporter, exporting, end })
    }

    /// Returns who is told of what flows, beside those who always are.
    pub(super) fn observer(&self) -> Option<Arc<dyn Observer>> {
        self.tracer.clone().map(|tracer| tracer as Arc<dyn Observer>)
    }

    /// Starts what runs beside the server: until `stop`, or until [`close`](Self::close).
    pub(super) fn start(
        &mut self,
        tasks: &mut JoinSet<anyhow::Result<()>>,
        gateway: &Gateway,
        stop: &CancellationToken,
    ) {
        if let Some(reopener) = self.access_log.as_mut().and_then(access_log::Running::reopener) {
            let stop = stop.clone();
            tasks.spawn(async move {
                reopener.run(stop).await;
                Ok(())
            });
        }
        if let Some(exporter) = self.exporter.take() {
            self.exporting.spawn(exporter.run(gateway.clone(), self.end.clone()));
        }
    }

    /// Writes and sends what is left, when nothing is in flight any more. Takes no longer than a moment.
    pub(super) async fn close(mut self) {
        let mut closing: JoinSet<()> = JoinSet::new();
        if let Some(access_log) = self.access_log {
            closing.spawn_blocking(move || access_log.close());
        }
        self.end.cancel();
        if timeout(FLUSH_TIME, self.exporting.join_next()).await.is_err() {
            tracing::warn!(time = ?FLUSH_TIME, "the last telemetry was not taken in time, and is lost");
        }
        while closing.join_next().await.is_some() {}
    }
}
