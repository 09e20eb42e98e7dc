//! Turns: how many calls of one function are under way at once, and for whom.
//!
//! Calls from the log come in crowds and nobody waits for them, so they take at most three quarters of the turns: a
//! caller who waits does not stand behind a whole backlog.

use tokio::sync::{Semaphore, SemaphorePermit};

use crate::{CallError, CallMode};

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
    ///
    /// # Errors
    /// With [`CallError::Busy`] for calls from the log, once [`retire`](Self::retire) was called.
    pub(crate) async fn take(&self, mode: CallMode) -> Result<Turn<'_>, CallError> {
        // The share comes first: calls from the log that wait for it do not stand in the way of others.
        let share = match mode {
            CallMode::Async => Some(self.from_the_log.acquire().await.map_err(|_| CallError::Busy)?),
            CallMode::Sync | CallMode::Value => None,
        };
        let one = self.all.acquire().await.expect("the semaphore is never closed");
        self.check(mode)?;
        Ok(Turn { _one: one, _share: share })
    }

    /// Gives no more turns to calls from the log, not to those either that wait for one.
    pub(crate) fn retire(&self) {
        self.from_the_log.close();
    }

    /// Says whether a call may still begin that has waited.
    ///
    /// # Errors
    /// Those of [`take`](Self::take).
    pub(crate) fn check(&self, mode: CallMode) -> Result<(), CallError> {
        let is_late = mode == CallMode::Async && self.from_the_log.is_closed();
        if is_late { Err(CallError::Busy) } else { Ok(()) }
    }
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
            let take = |mode| iter::from_fn(|| turns.take(mode).now_or_never()?.ok()).collect::<Vec<Turn<'_>>>();
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

    #[tokio::test]
    async fn once_another_stands_there_calls_from_the_log_get_no_turn() {
        let turns = Turns::new(2);
        let first = turns.take(CallMode::Async).await.expect("a turn");
        let second = turns.take(CallMode::Sync).await.expect("a turn");
        // One waits for a share, one for whom somebody waits for a turn.
        let mut late = Box::pin(turns.take(CallMode::Async));
        let mut awaited = Box::pin(turns.take(CallMode::Sync));
        assert!((&mut late).now_or_never().is_none() && (&mut awaited).now_or_never().is_none());
        turns.retire();
        assert_eq!(late.await.err(), Some(CallError::Busy));
        drop(first);
        assert!(awaited.await.is_ok());
        drop(second);
        assert_eq!(turns.take(CallMode::Async).await.err(), Some(CallError::Busy));

        // One that has its share waits for a turn.
        let turns = Turns::new(2);
        let held = [CallMode::Sync, CallMode::Value].map(|mode| turns.take(mode).now_or_never());
        let mut late = Box::pin(turns.take(CallMode::Async));
        assert!((&mut late).now_or_never().is_none());
        turns.retire();
        drop(held);
        assert_eq!(late.await.err(), Some(CallError::Busy));
    }
}
