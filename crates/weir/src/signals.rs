//! SIGTERM and SIGINT: the first one asks for a stop, the second one ends the process.

use std::{
    io,
    sync::mpsc::{SyncSender, sync_channel},
};

use anyhow::Context;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use crate::threads;

/// Cancels at the first signal, and ends the process at the second, for as long as the process lives.
///
/// On a thread and a runtime of its own: a stop that hangs, on a disk or on a terminal, must not take the second signal
/// with it. Nobody joins the thread, because it has nothing to finish.
pub(crate) fn watch(stop: CancellationToken) -> anyhow::Result<()> {
    const CONTEXT: &str = "signals cannot be waited for";
    let (ready, listening) = sync_channel(1);
    threads::start("signals", move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        if let Err(error) = runtime.and_then(|runtime| runtime.block_on(listen(&stop, &ready))) {
            // Whoever waits for this thread hears of it.
            let _ = ready.send(Err(error));
        }
    })?;
    listening.recv().context(CONTEXT)?.context(CONTEXT)
}

async fn listen(stop: &CancellationToken, ready: &SyncSender<io::Result<()>>) -> io::Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let _ = ready.send(Ok(()));
    loop {
        let code = tokio::select! {
            _ = terminate.recv() => 143,
            _ = interrupt.recv() => 130,
        };
        if stop.is_cancelled() {
            // Now: nothing acknowledged is lost by it.
            std::process::exit(code);
        }
        stop.cancel();
    }
}
