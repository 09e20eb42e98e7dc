//! Turns: how many calls of one function are under way at once, and for whom.
//!
//! Calls from the log come in crowds and nobody waits for them, so they take at most three quarters of the turns: a
//! caller who waits does not stand behind a whole backlog.

use tokio::sync::{Semaphore, SemaphorePermit};

use crate::CallMode;

/// The turns of one function.
pub(crate) struct Turns {
    all: Semaphore,
    /// The share of calls from the log.
    from_the_log: Semaphore,
}

/// A turn that was taken; dropping it gives it back.
pub(crate) struct Turn<'a> {
    _one: SemaphorePermit<'a>,
    _share: Option<SemaphorePermit<'a>>,
}

impl Turns {
    /// Makes this many turns. Of a single one, which cannot be shared, everybody gets it.
    pub(crate) fn new(count: usize) -> Self {
        let count = count.min(Semaphore::MAX_PERMITS);
        let share = (count - count.div_ceil(4)).max(1);
        Self { all: Semaphore::new(count), from_the_log: Semaphore::new(share) }
    }

    /// Takes a turn, waiting for one if need be. How long is for the caller to bound.
    pub(crate) async fn take(&self, mode: CallMode) -> Turn<'_> {
        // The share comes first: calls from the log that wait for it do not stand in the way of others.
        let share = match mode {
            CallMode::Async => Some(acquire(&self.from_the_log).await),
            CallMode::Sync | CallMode::Value => None,
        };
        Turn { _one: acquire(&self.all).await, _share: share }
    }
}

async fn acquire(semaphore: &Semaphore) -> SemaphorePermit<'_> {
    semaphore.acquire().await.expect("the semaphore is never closed")
}

#[cfg(test)]
mod tests {
    use std::iter;

    use futures_util::FutureExt;

    use super::*;

    #[test]
    fn calls_from_the_log_leave_a_quarter_to_those_for_whom_somebody_waits() {
        let check = |count: usize, from_the_log: usize, awaited: usize| {
            let turns = Turns::new(count);
            let take = |mode| iter::from_fn(|| turns.take(mode).now_or_never()).collect::<Vec<Turn<'_>>>();
            let mut first = take(CallMode::Async);
            let second = take(CallMode::Sync);
            assert_eq!((first.len(), second.len()), (from_the_log, awaited), "{count}");
            first.pop();
            assert_eq!(take(CallMode::Async).len(), 1, "{count}");
        };
        check(1, 1, 0);
        check(2, 1, 1);
        check(4, 3, 1);
        check(16, 12, 4);
        check(256, 192, 64);
    }
}
