//! How many instances there may be: places for all functions together, and the idle instances of each.
//!
//! An idle instance holds its place. Who finds no place free takes one from an idle instance of any function, and while
//! somebody waits nobody keeps an instance: a function that is not called cannot starve one that is.

use std::{
    collections::VecDeque,
    sync::{
        Arc, Weak,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    time::Duration,
};

use parking_lot::Mutex;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// The places for instances.
pub(super) struct Slots {
    permits: Arc<Semaphore>,
    waiting: AtomicUsize,
    pools: Mutex<VecDeque<Weak<dyn Evict>>>,
}

/// A place for one instance; dropping it gives it back.
pub(super) type Slot = OwnedSemaphorePermit;

/// Gives up an idle instance.
trait Evict: Send + Sync {
    /// Drops the one that has been idle longest; false where there is none.
    fn evict(&self) -> bool;
}

/// The idle instances of one function, the last used on top: its memory is the warmest.
pub(super) struct Idle<T> {
    stack: Mutex<VecDeque<T>>,
    len_max: usize,
}

impl<T: Send + 'static> Evict for Idle<T> {
    fn evict(&self) -> bool {
        // Dropped after the lock is released.
        let oldest = self.stack.lock().pop_front();
        oldest.is_some()
    }
}

impl<T: Send + 'static> Idle<T> {
    /// Takes the one that was used last.
    pub(super) fn take(&self) -> Option<T> {
        self.stack.lock().pop_back()
    }

    #[cfg(test)]
    fn len(&self) -> usize {
        self.stack.lock().len()
    }
}

/// Counts who waits for a place, even if the wait is given up.
struct Waiting<'a>(&'a AtomicUsize);

impl<'a> Waiting<'a> {
    fn enter(waiting: &'a AtomicUsize) -> Self {
        waiting.fetch_add(1, SeqCst);
        Self(waiting)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, SeqCst);
    }
}

impl Slots {
    pub(super) fn new(count: usize) -> Self {
        Self {
            permits: Arc::new(Semaphore::new(count)),
            waiting: AtomicUsize::new(0),
            pools: Mutex::new(VecDeque::new()),
        }
    }

    /// Begins the idle instances of a function.
    pub(super) fn pool<T: Send + 'static>(&self, len_max: usize) -> Arc<Idle<T>> {
        let idle = Arc::new(Idle { stack: Mutex::new(VecDeque::new()), len_max });
        let pool: Arc<dyn Evict> = Arc::clone(&idle) as Arc<dyn Evict>;
        let mut pools = self.pools.lock();
        pools.retain(|pool| pool.strong_count() > 0);
        pools.push_back(Arc::downgrade(&pool));
        idle
    }

    /// Takes a place, waiting for one if need be.
    pub(super) async fn acquire(&self) -> Slot {
        if let Ok(slot) = Arc::clone(&self.permits).try_acquire_owned() {
            return slot;
        }
        // In this order: who keeps an instance after the search sees that somebody waits.
        let _waiting = Waiting::enter(&self.waiting);
        self.evict_one();
        Arc::clone(&self.permits).acquire_owned().await.expect("the semaphore is never closed")
    }

    /// Takes a place, or none where none becomes free in time.
    pub(super) async fn acquire_within(&self, limit: Duration) -> Option<Slot> {
        tokio::time::timeout(limit, self.acquire()).await.ok()
    }

    /// Keeps an instance for the next call, unless there are enough or somebody waits for its place.
    pub(super) fn keep<T: Send + 'static>(&self, idle: &Idle<T>, instance: T) {
        if self.is_awaited() {
            return;
        }
        let spare = {
            let mut stack = idle.stack.lock();
            if stack.len() < idle.len_max {
                stack.push_back(instance);
                None
            } else {
                Some(instance)
            }
        };
        drop(spare);
        // Somebody may have begun to wait, and searched, before the instance was there to be found.
        if self.is_awaited() {
            idle.evict();
        }
    }

    /// Tells whether somebody waits for a place.
    pub(super) fn is_awaited(&self) -> bool {
        self.waiting.load(SeqCst) > 0
    }

    /// Gives up one idle instance, of another function each time.
    fn evict_one(&self) {
        let rounds = self.pools.lock().len();
        for _ in 0..rounds {
            // The instance is dropped without the lock on the list: that takes a while.
            let next = {
                let mut pools = self.pools.lock();
                let shift = 1.min(pools.len());
                pools.rotate_left(shift);
                pools.back().and_then(Weak::upgrade)
            };
            if next.is_some_and(|pool| pool.evict()) {
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::task::{Context, Poll, Waker};

    use super::*;

    #[test]
    fn the_last_used_comes_first_and_the_number_is_bounded() {
        let slots = Slots::new(9);
        let idle = slots.pool(2);
        for instance in 1..=3 {
            slots.keep(&idle, instance);
        }
        assert_eq!((idle.take(), idle.take(), idle.take()), (Some(2), Some(1), None));
    }

    #[test]
    fn who_waits_gets_the_place_of_an_idle_instance() {
        let slots = Slots::new(2);
        let (one, two) = (slots.pool(8), slots.pool(8));
        let now = |slots: &Slots| Arc::clone(&slots.permits).try_acquire_owned();
        slots.keep(&one, now(&slots).expect("free"));
        slots.keep(&two, now(&slots).expect("free"));
        assert!(now(&slots).is_err());
        let mut context = Context::from_waker(Waker::noop());
        let mut slot = Box::pin(slots.acquire());
        assert!(slot.as_mut().poll(&mut context).is_ready());
        assert_eq!(one.len() + two.len(), 1);
    }

    #[tokio::test]
    async fn a_wait_for_a_place_has_an_end() {
        let slots = Slots::new(1);
        let limit = Duration::from_millis(5);
        let busy = slots.acquire_within(limit).await;
        assert!(busy.is_some());
        assert!(slots.acquire_within(limit).await.is_none());
        assert!(!slots.is_awaited(), "the wait was given up");
        drop(busy);
        assert!(slots.acquire_within(limit).await.is_some());
    }

    #[test]
    fn while_somebody_waits_nothing_is_kept() {
        let slots = Slots::new(1);
        let idle = slots.pool(8);
        let busy = Arc::clone(&slots.permits).try_acquire_owned().expect("free");
        let mut context = Context::from_waker(Waker::noop());
        let mut slot = Box::pin(slots.acquire());
        assert!(slot.as_mut().poll(&mut context).is_pending());
        slots.keep(&idle, busy);
        assert_eq!(idle.len(), 0);
        let Poll::Ready(slot) = slot.as_mut().poll(&mut context) else { panic!("the place is free") };
        slots.keep(&idle, slot);
        assert_eq!(idle.len(), 1);
    }
}
