//! What can be seen of a worker while it works.

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
};

use parking_lot::Mutex;
use tokio::sync::{mpsc, oneshot};
use weir_catalog::SubscriptionId;
use weir_domain::Timestamp;

use super::inbox::{Feed, Inbox};
use crate::{cursors::CursorName, flow::Shared, progress::ReplayOrder};

/// What a worker is doing, written by it alone.
#[derive(Debug, Default)]
pub(crate) struct Standing {
    /// Events in memory that are not done.
    pub(crate) waiting: AtomicUsize,
    /// Events of lanes that are aside, about.
    pub(crate) aside: AtomicU64,
    /// Of those in memory, the ones that wait for another attempt.
    pub(crate) retrying: AtomicUsize,
    /// Calls in flight.
    pub(crate) calls: AtomicUsize,
    /// Where it reads on.
    pub(crate) next: AtomicU64,
    /// Up to where everything is done but for what is aside.
    pub(crate) done: AtomicU64,
    /// When the oldest event in memory was recorded; 0 where there is none.
    pub(crate) oldest_micros: AtomicU64,
    /// It reads no further because too much is open.
    pub(crate) is_full: AtomicBool,
    /// The most events a second that it was seen to deliver.
    pub(crate) rate: AtomicU64,
    pub(crate) detail: Mutex<Detail>,
}

/// What is rarely written.
#[derive(Clone, Debug, Default)]
pub(crate) struct Detail {
    pub(crate) parked: Option<ParkedSince>,
    pub(crate) replay: Option<ReplayStanding>,
}

/// A function that is called no more, but for probes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParkedSince {
    /// Since when.
    pub since: Timestamp,
    /// The last failure.
    pub cause: String,
}

/// How far a replay is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReplayStanding {
    /// What was asked for.
    pub order: ReplayOrder,
    /// Where it reads on.
    pub next: weir_domain::Position,
    /// How many events were delivered.
    pub delivered: u64,
    /// How many were given up.
    pub given_up: u64,
    /// Whether it is over, and how.
    pub state: ReplayState,
}

/// Whether a replay is over, and how.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReplayState {
    /// It is under way.
    Running,
    /// All was delivered.
    Finished,
    /// It was cancelled.
    Cancelled,
}

impl ReplayState {
    /// Returns its name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Finished => "finished",
            Self::Cancelled => "cancelled",
        }
    }
}

/// What a worker can be told.
pub(crate) enum Order {
    /// To deliver history again.
    Replay(ReplayOrder, oneshot::Sender<Result<ReplayStanding, ReplayRefusal>>),
    /// To give up the replay of this name.
    Cancel(String, oneshot::Sender<Result<ReplayStanding, ReplayRefusal>>),
}

/// Why a replay is not begun or not cancelled.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReplayRefusal {
    /// Another one is under way.
    #[error("the replay \"{id}\" of this subscription is under way: wait for it, or cancel it")]
    UnderWay {
        /// Which.
        id: String,
    },
    /// There is none of this name.
    #[error("no replay \"{id}\" of this subscription is under way")]
    Unknown {
        /// Which.
        id: String,
    },
    /// There is nothing to be delivered again.
    #[error("nothing between the positions {from} and {to} was delivered to this subscription before")]
    Nothing {
        /// The first position.
        from: weir_domain::Position,
        /// The last one.
        to: weir_domain::Position,
    },
    /// The filter is none.
    #[error("the filter of the replay cannot be read: {detail}")]
    Filter {
        /// What is wrong with it.
        detail: String,
    },
    /// It could not be written down.
    #[error("the replay cannot be written down: {detail}")]
    Log {
        /// Why.
        detail: String,
    },
    /// Nobody works for this subscription now.
    #[error("nothing is delivered to this subscription at this moment: repeat the request later")]
    Away,
}

/// A worker as others see it.
#[derive(Clone)]
pub(crate) struct Present {
    pub(crate) subscription: SubscriptionId,
    pub(crate) standing: Arc<Standing>,
    pub(crate) orders: mpsc::Sender<Order>,
    pub(crate) inbox: Arc<Inbox>,
}

/// Shows a worker to others until this is dropped.
pub(crate) struct Shown {
    shared: Arc<Shared>,
    cursor: CursorName,
    id: SubscriptionId,
    feed: Arc<Feed>,
    pub(crate) inbox: Arc<Inbox>,
    pub(crate) standing: Arc<Standing>,
}

impl Shown {
    pub(crate) fn new(
        shared: &Arc<Shared>,
        cursor: &CursorName,
        id: &SubscriptionId,
        orders: mpsc::Sender<Order>,
    ) -> Self {
        let standing = Arc::<Standing>::default();
        let feed = shared.feed(&cursor.space);
        let inbox = feed.enter(id);
        let present = Present { subscription: id.clone(), standing: standing.clone(), orders, inbox: inbox.clone() };
        shared.workers.lock().insert(cursor.clone(), present);
        Self { shared: shared.clone(), cursor: cursor.clone(), id: id.clone(), feed, inbox, standing }
    }
}

impl Drop for Shown {
    fn drop(&mut self) {
        self.feed.leave(&self.id, &self.inbox);
        self.shared.workers.lock().remove(&self.cursor);
    }
}

/// Stores a number that nobody waits for.
pub(crate) fn show(place: &AtomicU64, value: u64) {
    place.store(value, Ordering::Relaxed);
}
