//! How cursors are written to a disk that is full for a while.

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use futures_util::future::{BoxFuture, FutureExt, join, ready};
use tokio::{
    sync::watch,
    time::{Instant, timeout},
};
use weir_log::MemoryLog;
use weir_testkit::SteppingClock;

use super::*;

/// A log whose checkpoints find no room while it is full.
struct Full {
    inner: MemoryLog,
    is_full: AtomicBool,
    /// When something was to be stored.
    asked: watch::Sender<Vec<Instant>>,
}

impl LogEngine for Full {
    weir_testkit::delegate_to_inner!(
        append,
        arrivals,
        count,
        find,
        read,
        position_at,
        durable_end,
        load_checkpoint,
        load_checkpoints,
        remove_checkpoints,
        close
    );

    fn store_checkpoints(&self, values: Vec<(String, Bytes)>) -> BoxFuture<'_, Result<(), LogError>> {
        self.asked.send_modify(|asked| asked.push(Instant::now()));
        if self.is_full.load(Ordering::Relaxed) {
            return ready(Err(LogError::DiskFull(io::Error::from(io::ErrorKind::StorageFull)))).boxed();
        }
        self.inner.store_checkpoints(values)
    }
}

impl Full {
    /// Waits until something was to be stored so many times.
    async fn was_asked(&self, times: usize) {
        let mut asked = self.asked.subscribe();
        let waited = timeout(Duration::from_secs(600), asked.wait_for(|asked| asked.len() >= times)).await;
        waited.expect("in time").expect("the log is there");
    }
}

#[tokio::test(start_paused = true)]
async fn while_nothing_can_be_written_it_is_tried_less_and_less_often() {
    let inner = MemoryLog::new(Arc::new(SteppingClock::default()));
    let log = Full { inner, is_full: AtomicBool::new(true), asked: watch::channel(Vec::new()).0 };
    let cursors = Cursors::new(Position::ORIGIN);
    let subscription = SubscriptionId::parse("one").expect("valid");
    let name = CursorName { space: SpaceName::default(), subscription, created: Position::ORIGIN };
    let stop = CancellationToken::new();
    let delivering = async {
        cursors.note(&name, Position::new(1), None);
        log.was_asked(9).await;
        log.is_full.store(false, Ordering::Relaxed);
        log.was_asked(10).await;
        cursors.note(&name, Position::new(2), None);
        log.was_asked(11).await;
        stop.cancel();
    };
    join(cursors.keep(&log, stop.clone()), delivering).await;
    // In quarters of a second; timers are late by a millisecond at most.
    let asked = log.asked.borrow().clone();
    let pauses: Vec<u128> = asked.windows(2).map(|pair| (pair[1] - pair[0]).as_millis() / 250).collect();
    assert_eq!(pauses, [2, 4, 8, 16, 32, 64, 120, 120, 120, 1]);
    let stored = log.load_checkpoint(&name.checkpoint()).await.expect("readable").expect("stored");
    assert_eq!(Progress::decode(&stored).map(|it| it.log.mark.done), Some(Position::new(2)));
}
