//! Who watches a server from outside, for as long as it runs: the access log. All of it is off unless it is asked for.

use std::sync::Arc;

use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use weir_gateway::{Metrics, RequestObserver, Watchers};

use crate::access_log;

/// What is asked for.
#[derive(Clone, Debug, Default)]
pub(crate) struct Wanted {
    /// A line for each request.
    pub(crate) access_log: Option<access_log::Options>,
}

/// Those who watch.
pub(super) struct Observing {
    /// Who is told of requests.
    pub(super) watchers: Watchers,
    access_log: Option<access_log::Running>,
}

impl Observing {
    /// Makes ready what is asked for.
    ///
    /// # Errors
    /// Where a file cannot be opened.
    pub(super) fn open(wanted: Wanted, metrics: &Metrics) -> anyhow::Result<Self> {
        let access_log = wanted.access_log.map(|options| access_log::open(options, metrics)).transpose()?;
        let (log, access_log) = access_log.unzip();
        let watchers = log.map(|log| log as Arc<dyn RequestObserver>);
        Ok(Self { watchers: Watchers::new(watchers.into_iter().collect()), access_log })
    }

    /// Starts what runs beside the server until `stop`.
    pub(super) fn start(&mut self, tasks: &mut JoinSet<anyhow::Result<()>>, stop: &CancellationToken) {
        if let Some(reopener) = self.access_log.as_mut().and_then(access_log::Running::reopener) {
            let stop = stop.clone();
            tasks.spawn(async move {
                reopener.run(stop).await;
                Ok(())
            });
        }
    }

    /// Writes what is left, when no request is in flight any more. Takes no longer than a moment.
    pub(super) async fn close(self) {
        let mut closing: JoinSet<()> = JoinSet::new();
        if let Some(access_log) = self.access_log {
            closing.spawn_blocking(move || access_log.close());
        }
        while closing.join_next().await.is_some() {}
    }
}
