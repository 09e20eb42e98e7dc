//! How an async subscription delivers: from where on, in which order, how much at once, and what becomes of what fails.

use weir_domain::{Position, Timestamp};

use crate::{limits, words::words};

/// With which events a subscription begins. Of meaning once, when it is made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Start {
    /// With those that come after it was made. Also what a declaration has that says nothing, so that an update which names
    /// it keeps what there is.
    #[default]
    Now,
    /// With the oldest one that the log has.
    Earliest,
    /// With the first one at this position or behind it.
    At(Position),
    /// With the first one that was recorded at this time or later.
    Since(Timestamp),
}

words! {
    /// What is in order.
    Order {
        /// The events of one key: the next one goes when the one before it is done.
        #[default]
        Key = "key",
        /// Nothing: each event goes when there is room for it.
        None = "none",
    }
}

words! {
    /// Whose turn it is where several subscriptions wait for the same thing.
    Priority {
        /// Before all others.
        High = "high",
        /// After those of high priority.
        #[default]
        Normal = "normal",
        /// After all others.
        Low = "low",
    }
}

words! {
    /// What becomes of an event whose delivery is given up.
    OnFailure {
        /// It is recorded as a dead letter, and later events of its key go on.
        #[default]
        DeadLetter = "dead-letter",
        /// It is recorded as a dead letter, and later events of its key wait until somebody has decided about it.
        HoldKey = "hold-key",
    }
}

words! {
    /// How much of a wait between two attempts is waited.
    Jitter {
        /// Any part of it, so that events which failed together come back apart.
        #[default]
        Full = "full",
        /// All of it.
        None = "none",
    }
}

words! {
    /// Whether a subscription delivers. No declaration says so: commands set it, and an update leaves it as it is.
    Activity {
        /// It delivers.
        #[default]
        Active = "active",
        /// It finishes the calls in flight and delivers nothing further.
        Paused = "paused",
        /// It delivers everything up to the position of the command, and nothing further.
        Draining = "draining",
    }
}

/// How an async subscription delivers what it has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DeliveryPolicy {
    /// What is in order.
    pub order: Order,
    /// Calls in flight, which with [`Order::Key`] is keys in flight.
    pub concurrency: u32,
    /// Events that are given to the function with one call, at most.
    pub batch_size: u32,
    /// For how long a call with fewer events waits for more.
    pub batch_wait_ms: u32,
    /// Events a second; `None` where there is no such bound.
    pub rate: Option<u32>,
    /// Whose turn it is where several wait.
    pub priority: Priority,
    /// How long one call may take; `None` where that is what the function says.
    pub timeout_ms: Option<u32>,
    /// What becomes of an event whose delivery is given up.
    pub on_failure: OnFailure,
}

impl Default for DeliveryPolicy {
    fn default() -> Self {
        Self {
            order: Order::default(),
            concurrency: 256,
            batch_size: 1,
            batch_wait_ms: 0,
            rate: None,
            priority: Priority::default(),
            timeout_ms: None,
            on_failure: OnFailure::default(),
        }
    }
}

/// How often and how long an async subscription tries to deliver one event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RetryPolicy {
    /// Deliveries of one event, the first included; `None` where only the age bounds them. One that did not reach the
    /// function does not count.
    pub attempts_max: Option<u32>,
    /// The wait after the first failure.
    pub backoff_first_ms: u32,
    /// The longest wait.
    pub backoff_max_ms: u32,
    /// No delivery is tried when the first one is longer ago than this; `None` where that is no reason to give up.
    pub age_max_ms: Option<u64>,
    /// By what the wait grows with each further failure, in hundredths: 200 doubles it.
    pub multiplier_percent: u32,
    /// How much of a wait is waited.
    pub jitter: Jitter,
    /// The longest wait that a function may ask for; beyond it, this long is waited.
    pub retry_after_max_ms: u64,
}

impl RetryPolicy {
    /// Makes hundredths of a factor by which waits grow; `None` where it has more than two decimals, or lies beyond
    /// [`limits::MULTIPLIER_PERCENT_MIN`] and [`limits::MULTIPLIER_PERCENT_MAX`].
    #[must_use]
    pub fn percent(factor: f64) -> Option<u32> {
        (limits::MULTIPLIER_PERCENT_MIN..=limits::MULTIPLIER_PERCENT_MAX)
            .find(|percent| (factor * 100.0 - f64::from(*percent)).abs() < 1e-6)
    }

    /// Returns the factor by which waits grow.
    #[must_use]
    pub fn multiplier(&self) -> f64 {
        f64::from(self.multiplier_percent) / 100.0
    }
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self {
            attempts_max: None,
            backoff_first_ms: 100,
            backoff_max_ms: 60_000,
            age_max_ms: Some(limits::AGE_MS_DEFAULT),
            multiplier_percent: 200,
            jitter: Jitter::default(),
            retry_after_max_ms: 60 * 60 * 1000,
        }
    }
}
