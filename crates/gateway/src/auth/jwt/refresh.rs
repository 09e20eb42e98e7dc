//! Keeps keys that are published somewhere up to date.

use std::{future::Future, pin::Pin, sync::Arc, time::Duration};

use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use weir_domain::error_chain;

use super::Keys;

/// How long the keys may take to come.
const FETCH_TIMEOUT: Duration = Duration::from_secs(10);

/// Where keys come from.
pub trait FetchKeys: Send + Sync + 'static {
    /// Fetches the text of a set of keys, bounded in size. Bounded in time by whoever asks.
    ///
    /// The error is for the operator of the server.
    fn fetch(&self) -> Pin<Box<dyn Future<Output = Result<String, String>> + Send + '_>>;
}

/// Fetches keys again and again. Whatever goes wrong, the last good ones stay.
pub struct KeyRefresher {
    keys: Keys,
    source: Arc<dyn FetchKeys>,
}

impl KeyRefresher {
    /// How old keys become.
    pub const INTERVAL: Duration = Duration::from_secs(300);
    /// The shortest time between two fetches: after a failure, and however many tokens come of keys that are not known.
    pub const PAUSE_MIN: Duration = Duration::from_secs(30);

    /// Makes the refresher of these keys. Nothing is fetched before [`run`](Self::run).
    #[must_use]
    pub fn new(keys: Keys, source: Arc<dyn FetchKeys>) -> Self {
        Self { keys, source }
    }

    /// Fetches until told to stop.
    pub async fn run(self, stop: CancellationToken) {
        stop.run_until_cancelled(self.refresh()).await;
    }

    async fn refresh(&self) {
        loop {
            let fetched = self.fetch().await;
            if let Err(problem) = &fetched {
                tracing::warn!(problem, "the keys of tokens cannot be fetched: the last good ones stay");
            }
            sleep(Self::PAUSE_MIN).await;
            if fetched.is_ok() {
                // Whoever asks waits no longer; if nobody does, the keys grow old.
                let _ = timeout(Self::INTERVAL - Self::PAUSE_MIN, self.keys.others_wanted()).await;
            }
        }
    }

    async fn fetch(&self) -> Result<(), String> {
        let fetched = timeout(FETCH_TIMEOUT, self.source.fetch()).await;
        let text = fetched.map_err(|_| format!("they did not come within {} s", FETCH_TIMEOUT.as_secs()))??;
        self.keys.replace(&text).map_err(|error| error_chain(&error))
    }
}
