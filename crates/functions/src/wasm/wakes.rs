//! Keeps the wake-ups of a call inside the call.
//!
//! When a guest returns, wasmtime wakes the task that waits for it: that is the very task which runs the guest, in the
//! middle of its poll. The async runtime then runs the task once more for nothing, and wakes another thread to share the
//! work that seems to be there; with one caller at a time, every request so moved to the other processor. Here such a
//! wake-up counts only where the call is not done by the end of the poll.

use std::{
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicU8, Ordering::AcqRel},
    },
    task::{Context, Wake, Waker},
};

use futures_util::task::AtomicWaker;

/// Nobody polls: a wake-up goes to the task at once.
const RESTING: u8 = 0;
/// A poll is under way.
const POLLED: u8 = 1;
/// Beside it: there was a wake-up in the poll. Without it, there was one since the last poll, of which the task was told.
const WOKEN: u8 = 2;

/// Runs a future; what wakes it while it is polled is told to the task only if it is not done then.
pub(super) async fn kept_inside<F: Future>(future: F) -> F::Output {
    let wakes = Arc::new(Wakes { state: AtomicU8::new(RESTING), task: AtomicWaker::new() });
    let inside = Waker::from(Arc::clone(&wakes));
    let mut future = pin!(future);
    std::future::poll_fn(move |context| {
        wakes.task.register(context.waker());
        wakes.state.swap(POLLED, AcqRel);
        let polled = future.as_mut().poll(&mut Context::from_waker(&inside));
        let was_woken = wakes.state.swap(RESTING, AcqRel) & WOKEN != 0;
        if was_woken && polled.is_pending() {
            context.waker().wake_by_ref();
        }
        polled
    })
    .await
}

struct Wakes {
    state: AtomicU8,
    task: AtomicWaker,
}

impl Wake for Wakes {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        // Written even where it is noted already: only who reads what was written here sees what came before. Who merely
        // looked, and found it noted, could wake the task for a poll that does not see yet what it is woken for.
        if self.state.fetch_or(WOKEN, AcqRel) & POLLED == 0 {
            self.task.wake();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{
        future::poll_fn,
        sync::atomic::{AtomicUsize, Ordering::SeqCst},
        task::Poll,
    };

    use futures_util::FutureExt;

    use super::*;

    #[derive(Default)]
    struct Count(AtomicUsize);

    impl Wake for Count {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, SeqCst);
        }
    }

    /// Polls a future until it is done, `between` each two polls, and returns how often its task was woken by the end of each.
    fn woken(future: impl Future, between: impl Fn()) -> Vec<usize> {
        let count = Arc::new(Count::default());
        let task = Waker::from(Arc::clone(&count));
        let mut kept = Box::pin(kept_inside(future));
        let mut woken = Vec::new();
        loop {
            let polled = kept.poll_unpin(&mut Context::from_waker(&task));
            woken.push(count.0.load(SeqCst));
            if polled.is_ready() {
                return woken;
            }
            between();
        }
    }

    /// Wakes itself this often in each poll, and is done with the last one.
    fn self_waking(times: usize, polls: usize) -> impl Future {
        let mut polled = 0;
        poll_fn(move |context| {
            (0..times).for_each(|_| context.waker().wake_by_ref());
            polled += 1;
            if polled == polls { Poll::Ready(()) } else { Poll::Pending }
        })
    }

    #[test]
    fn a_task_hears_of_wake_ups_in_a_poll_only_where_it_must_poll_again() {
        assert_eq!(woken(self_waking(1, 1), || {}), [0]);
        assert_eq!(woken(self_waking(2, 3), || {}), [1, 2, 2]);
        assert_eq!(woken(self_waking(0, 2), || {}), [0, 0]);
    }

    #[test]
    fn a_task_hears_of_wake_ups_between_polls_at_once() {
        let taken = parking_lot::Mutex::new(None::<Waker>);
        let future = poll_fn(|context| match taken.lock().replace(context.waker().clone()) {
            None => Poll::Pending,
            Some(_) => Poll::Ready(()),
        });
        let between = || taken.lock().as_ref().expect("it was polled").wake_by_ref();
        assert_eq!(woken(future, between), [0, 1]);
    }

    #[test]
    fn the_task_that_polled_last_hears_of_wake_ups() {
        let taken = parking_lot::Mutex::new(None::<Waker>);
        let mut kept = Box::pin(kept_inside(poll_fn(|context| {
            taken.lock().get_or_insert_with(|| context.waker().clone());
            Poll::<()>::Pending
        })));
        let [first, second] = [(); 2].map(|()| Arc::new(Count::default()));
        let mut poll = |count: &Arc<Count>| {
            let waker = Waker::from(Arc::clone(count));
            assert!(kept.poll_unpin(&mut Context::from_waker(&waker)).is_pending());
        };
        let wake = || taken.lock().as_ref().expect("it was polled").wake_by_ref();
        let heard = || [&first, &second].map(|count| count.0.load(SeqCst));
        poll(&first);
        wake();
        assert_eq!(heard(), [1, 0]);
        // The wake-up was told: it is none of the next poll.
        poll(&second);
        assert_eq!(heard(), [1, 0]);
        // A waker of an earlier poll wakes who polls now.
        wake();
        assert_eq!(heard(), [1, 1]);
    }

    #[test]
    fn wake_ups_from_another_thread_are_not_lost() {
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        for number in 0..1000 {
            let (send, receive) = tokio::sync::oneshot::channel();
            std::thread::scope(|scope| {
                scope.spawn(move || send.send(number));
                assert_eq!(runtime.block_on(kept_inside(receive)), Ok(number));
            });
        }
    }
}
