//! How many calls all subscriptions together may have in flight, and who comes first where that is reached.
//!
//! A few calls each subscription may always have, so that nobody waits for somebody else's slow function. What it has
//! beyond that it borrows here: a higher class before a lower one, and the lowest never more than half.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use parking_lot::Mutex;
use tokio::sync::Notify;
use weir_catalog::Priority;

/// So many calls every subscription may have in flight, whatever the others do.
pub(crate) const OWN: usize = 4;

/// All places that can be borrowed.
#[derive(Debug)]
pub(crate) struct Gate {
    total: usize,
    state: Mutex<State>,
    /// Wakes one of each class that waits when a place is given back.
    freed: [Notify; 3],
    waiters: AtomicUsize,
}

#[derive(Debug, Default)]
struct State {
    used: usize,
    /// How many subscriptions of each class wait, the highest first.
    waiting: [usize; 3],
}

/// Some places, until this is dropped.
#[derive(Debug)]
pub(crate) struct Borrowed {
    gate: Arc<Gate>,
}

/// A subscription that waits, until this is dropped.
#[derive(Debug)]
pub(crate) struct Waiting {
    gate: Arc<Gate>,
    class: usize,
}

/// The class that never has more than half.
const LOWEST: usize = 2;

fn class(priority: Priority) -> usize {
    match priority {
        Priority::High => 0,
        Priority::Normal => 1,
        Priority::Low => LOWEST,
    }
}

impl Gate {
    pub(crate) fn new(total: usize) -> Self {
        Self { total, state: Mutex::default(), freed: Default::default(), waiters: AtomicUsize::new(0) }
    }

    /// Borrows a place, unless none is free or one of a higher class waits for it.
    pub(crate) fn borrow(self: &Arc<Self>, priority: Priority) -> Option<Borrowed> {
        let class = class(priority);
        let mut state = self.state.lock();
        if state.used >= self.bound(class) || state.waiting[..class].iter().any(|waiting| *waiting > 0) {
            return None;
        }
        state.used += 1;
        drop(state);
        Some(Borrowed { gate: self.clone() })
    }

    fn bound(&self, class: usize) -> usize {
        if class == LOWEST { self.total / 2 } else { self.total }
    }

    fn is_open(&self, class: usize) -> bool {
        let state = self.state.lock();
        state.used < self.bound(class) && state.waiting[..class].iter().all(|waiting| *waiting == 0)
    }

    /// Takes note that a subscription waits for a place.
    pub(crate) fn wait(self: &Arc<Self>, priority: Priority) -> Waiting {
        let class = class(priority);
        self.state.lock().waiting[class] += 1;
        self.waiters.fetch_add(1, Ordering::SeqCst);
        Waiting { gate: self.clone(), class }
    }

    fn wake(&self) {
        if self.waiters.load(Ordering::SeqCst) == 0 {
            return;
        }
        let state = self.state.lock();
        let first = (0..state.waiting.len()).find(|class| state.waiting[*class] > 0);
        // Those of lower classes get nothing while one of this waits, and one place is for one.
        if let Some(class) = first.filter(|class| state.used < self.bound(*class)) {
            self.freed[class].notify_one();
        }
    }
}

impl Drop for Borrowed {
    fn drop(&mut self) {
        self.gate.state.lock().used -= 1;
        self.gate.wake();
    }
}

impl Waiting {
    /// Resolves when a place may be free.
    pub(crate) async fn over(&self) {
        loop {
            let mut freed = std::pin::pin!(self.gate.freed[self.class].notified());
            // From now on none is missed that is given back.
            freed.as_mut().enable();
            if self.gate.is_open(self.class) {
                return;
            }
            freed.await;
        }
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.gate.state.lock().waiting[self.class] -= 1;
        self.gate.waiters.fetch_sub(1, Ordering::SeqCst);
        // Those of lower classes may go on now.
        self.gate.wake();
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    /// Each place that comes back is for somebody: none is left while one waits, whoever takes it.
    #[tokio::test(start_paused = true)]
    async fn everybody_who_waits_comes_to_a_place() {
        let gate = Arc::new(Gate::new(2));
        let held: Vec<_> = (0..2).filter_map(|_| gate.borrow(Priority::Normal)).collect();
        let waiting = |priority| {
            let gate = gate.clone();
            async move {
                let waiting = gate.wait(priority);
                let place = loop {
                    waiting.over().await;
                    if let Some(place) = gate.borrow(priority) {
                        break place;
                    }
                };
                drop(waiting);
                tokio::task::yield_now().await;
                drop(place);
            }
        };
        let all = [Priority::Low, Priority::Normal, Priority::High];
        let mut tasks: tokio::task::JoinSet<()> = (0..30).map(|index| waiting(all[index % 3])).collect();
        while gate.waiters.load(Ordering::SeqCst) < 30 {
            tokio::task::yield_now().await;
        }
        drop(held);
        while let Some(ended) = tokio::time::timeout(Duration::from_secs(1), tasks.join_next()).await.expect("in time")
        {
            ended.expect("no panic");
        }
    }

    #[test]
    fn higher_classes_come_first_and_the_lowest_has_half_at_most() {
        let gate = Arc::new(Gate::new(4));
        let low: Vec<_> = (0..3).filter_map(|_| gate.borrow(Priority::Low)).collect();
        assert_eq!(low.len(), 2);
        let normal: Vec<_> = (0..3).filter_map(|_| gate.borrow(Priority::Normal)).collect();
        assert_eq!(normal.len(), 2);
        assert!(gate.borrow(Priority::High).is_none());
        let high = gate.wait(Priority::High);
        drop(normal);
        assert!(gate.borrow(Priority::Normal).is_none(), "one of a higher class waits");
        let taken = gate.borrow(Priority::High);
        assert!(taken.is_some());
        drop(high);
        assert!(gate.borrow(Priority::Normal).is_some());
    }
}
