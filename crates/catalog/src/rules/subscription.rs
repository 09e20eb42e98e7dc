//! The rules of subscriptions.

use crate::{
    DeliveryPolicy, Detail, OnFailure, Order, Resource, RetryPolicy, Start, Subscription, SubscriptionKind, limits,
};

use super::{Faults, begin_otherwise, is_of_space};

pub(crate) fn check(subscription: &Subscription) -> Vec<Detail> {
    let mut faults = Faults::of(Resource::Subscription);
    faults.field(!subscription.is_consistent(), "ID", "derived", || {
        "leave the identifier to Weir, which derives it from what the subscription binds".into()
    });
    faults.field(!subscription.event_type.is_subscribable(), "EventType", "eventType", || {
        "use the characters a-z A-Z 0-9 . - _ only".into()
    });
    faults.field(!subscription.path.starts_with('/'), "Path", "urlPath", || "begin the path with a slash".into());
    faults.field(subscription.path.len() > limits::ROUTE_BYTES_MAX, "Path", "max", || {
        format!("shorten the path to {} bytes", limits::ROUTE_BYTES_MAX)
    });
    faults.field(is_of_space(&subscription.path), "Path", "reserved", begin_otherwise);
    if subscription.kind == SubscriptionKind::Sync {
        of_async_alone(&mut faults, subscription);
    }
    delivery(&mut faults, subscription.delivery);
    retry(&mut faults, subscription.retry);
    faults.entries("Metadata", &subscription.metadata);
    faults.details
}

/// What would mean nothing where the caller waits. A retry policy may stand there, as it always could.
fn of_async_alone(faults: &mut Faults, subscription: &Subscription) {
    let cure = |what: &str| format!("leave {what} out: only an async subscription is delivered from the log");
    faults.field(subscription.filter.is_some(), "Filter", "async", || cure("the filter"));
    faults.field(subscription.start != Start::Now, "Start", "async", || cure("the start"));
    faults.field(subscription.delivery != DeliveryPolicy::default(), "Delivery", "async", || {
        cure("order, concurrency, batch, rate, priority, time-out and what happens on failure")
    });
}

fn delivery(faults: &mut Faults, policy: DeliveryPolicy) {
    let DeliveryPolicy { order, concurrency, batch_size, batch_wait_ms, rate, priority: _, timeout_ms, on_failure } =
        policy;
    faults.between("Concurrency", concurrency, 1, limits::CONCURRENCY_MAX);
    faults.between("BatchSize", batch_size, 1, limits::BATCH_SIZE_MAX);
    faults.between("BatchWait", batch_wait_ms, 0, limits::BATCH_WAIT_MS_MAX);
    faults.between("Rate", rate.unwrap_or(1), 1, limits::RATE_MAX);
    faults.between("Timeout", timeout_ms.unwrap_or(1), 1, limits::TIMEOUT_MS_MAX);
    faults.field(on_failure == OnFailure::HoldKey && order == Order::None, "OnFailure", "order", || {
        "let what fails go to the dead letters, or keep the order of keys: without an order there is no key to hold"
            .into()
    });
}

fn retry(faults: &mut Faults, policy: RetryPolicy) {
    let RetryPolicy {
        attempts_max,
        backoff_first_ms,
        backoff_max_ms,
        age_max_ms,
        multiplier_percent,
        jitter: _,
        retry_after_max_ms,
    } = policy;
    faults.between("Attempts", attempts_max.unwrap_or(1), 1, limits::ATTEMPTS_MAX);
    faults.between("Backoff", backoff_first_ms, 1, backoff_max_ms.max(1));
    faults.between("BackoffMax", backoff_max_ms, 1, limits::BACKOFF_MS_MAX);
    faults.field(age_max_ms == Some(0), "Age", "min", || "give a time, or leave it out".into());
    let multipliers = limits::MULTIPLIER_PERCENT_MIN..=limits::MULTIPLIER_PERCENT_MAX;
    faults.field(!multipliers.contains(&multiplier_percent), "Multiplier", "between", || {
        let (least, most) = (multipliers.start() / 100, multipliers.end() / 100);
        format!("give the multiplier a value from {least} to {most}")
    });
    faults.between("RetryAfterMax", retry_after_max_ms, 0, limits::RETRY_AFTER_MS_MAX);
}
