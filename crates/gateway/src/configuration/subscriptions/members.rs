//! What is told of the members of a subscription.

use serde_json::{Value, json};
use weir_catalog::{
    Activity, DeliveryPolicy, EventTypeName, Jitter, Method, OnFailure, Order, Priority, RetryPolicy, SubscriptionId,
    SubscriptionKind, limits,
};

use crate::openapi::{self, Member};

/// What a client may write, and is shown again.
pub(super) const MEMBERS: &[Member] = &[
    Member::new("type", || {
        let about = "`async`: events are delivered from the log, at least once, in the order of their keys. `sync`: the caller \
                     of a route waits for the function.";
        openapi::word(about, [SubscriptionKind::Async, SubscriptionKind::Sync].map(SubscriptionKind::as_str))
    }),
    Member::new("eventType", || {
        let about = "The event type, which is registered, or `http.request`: characters `a-z A-Z 0-9 . - _`.";
        openapi::text(about, EventTypeName::BYTES_MAX)
    }),
    Member::new("functionId", || openapi::text("The function, which exists.", 256)),
    Member::new("path", || {
        let about = "The path of a route, `/` where nothing is said; `:name` stands for one segment and `*name` at the end for \
                     the rest. An `async` one is given what came in on such a path; with `POST` and `/`, every event.";
        openapi::text(about, limits::ROUTE_BYTES_MAX)
    }),
    Member::new("method", || {
        let about = "The method of a route, in any case; `POST` where nothing is said. It is shown in capitals. An `async` one \
                     is given what came in by it; with `POST` and `/`, every event.";
        json!({ "type": "string", "description": about, "examples": Method::ALL.map(Method::as_str) })
    }),
    Member::new("filter", || {
        let about = "Of an `async` one: which of these events it is given; all of them where nothing is said. An object with \
                     one of `exact`, `prefix`, `suffix`, `all`, `any` and `not` of the CloudEvents Subscriptions API, or a list of \
                     such, which must all let an event through. It is part of the identifier.";
        json!({ "type": ["object", "array"], "description": about })
    }),
    Member::new("start", || {
        let about = "Of an `async` one: with which events it begins. `now`, where nothing is said: with those that come after it \
                     was made; `earliest`: with the oldest that the log has; or a place. It cannot be changed, and `now` in a \
                     replacement is as good as none.";
        let words = json!({ "type": "string", "enum": ["now", "earliest"] });
        json!({ "description": about, "anyOf": [words, openapi::reference("SubscriptionStart")] })
    }),
    Member::new("order", || {
        let about = "Of an `async` one. `key`, where nothing is said: the next event of a key goes when the one before it is \
                     done. `none`: each event goes when there is room for it.";
        openapi::word(about, Order::NAMES.iter().copied())
    }),
    Member::new("concurrency", || {
        let about = format!(
            "Of an `async` one: calls in flight, which with the order `key` is keys in flight; {} where nothing is said.",
            usual_delivery().concurrency
        );
        openapi::number(&about, 1, limits::CONCURRENCY_MAX.into())
    }),
    Member::new("batch", || openapi::reference("BatchPolicy")),
    Member::new("rate", || {
        let about = "Of an `async` one: events a second at most; without it, there is no such bound.";
        openapi::number(about, 1, limits::RATE_MAX.into())
    }),
    Member::new("priority", || {
        let about = "Of an `async` one: whose turn it is where several wait for the same thing; `normal` where nothing is said.";
        openapi::word(about, Priority::NAMES.iter().copied())
    }),
    Member::new("timeoutMs", || {
        let about =
            "Of an `async` one: how many milliseconds one call may take; that of the function where nothing is said.";
        openapi::number(about, 1, limits::TIMEOUT_MS_MAX.into())
    }),
    Member::new("onFailure", || {
        let about = "Of an `async` one: what becomes of an event whose delivery is given up. `dead-letter`, where nothing is \
                     said: it is recorded, and its key goes on. `hold-key`: it is recorded, and later events of its key wait \
                     until somebody has decided about it.";
        openapi::word(about, OnFailure::NAMES.iter().copied())
    }),
    Member::new("retry", || openapi::reference("RetryPolicy")),
    Member::new("metadata", || openapi::texts("Texts of its owner by name; lists can be filtered by them.")),
];

/// What a client may write where one is made, and is not shown again.
pub(super) const SUCCESSION: &[Member] = &[Member::new("continues", || {
    let about = "Where one is made: the identifier of an `async` subscription in whose place it is made. That one is gone in \
                 the same change, and the new one goes on where it stood. Both may differ in their function and their filter \
                 only.";
    openapi::text(about, SubscriptionId::BYTES_MAX)
})];

/// What a client is shown beside it.
const SHOWN: &[Member] = &[
    Member::new("space", || openapi::space("The space.")),
    Member::new("subscriptionId", || {
        openapi::text("Its identifier, which is derived from what it binds.", SubscriptionId::BYTES_MAX)
    }),
    Member::new("state", || {
        let about = "Shown of an `async` one that does not simply deliver. `paused`: it delivers nothing further. `draining`: it \
                     delivers what stood in the log when it was told to, and nothing further.";
        openapi::word(about, [Activity::Paused, Activity::Draining].map(Activity::as_str))
    }),
];

/// The members of `start` where it is a place: one of them.
pub(super) const PLACE: &[Member] = &[
    Member::new(
        "position",
        || json!({ "type": "integer", "description": "With the first event at this position or behind it.", "minimum": 0 }),
    ),
    Member::new("time", || {
        let about = "With the first event that was recorded at this time or later (RFC 3339).";
        json!({ "type": "string", "description": about, "format": "date-time" })
    }),
];

/// The members of `batch`.
pub(super) const BATCH: &[Member] = &[
    Member::new("size", || {
        let about = format!("The most events of one call; {} where nothing is said.", usual_delivery().batch_size);
        openapi::number(&about, 1, limits::BATCH_SIZE_MAX.into())
    }),
    Member::new("waitMs", || {
        let about = format!(
            "For how many milliseconds a call with fewer events waits for more; {} where nothing is said.",
            usual_delivery().batch_wait_ms
        );
        openapi::number(&about, 0, limits::BATCH_WAIT_MS_MAX.into())
    }),
];

/// The members of `retry`.
pub(super) const RETRY: &[Member] = &[
    Member::new("attemptsMax", || {
        let about = "The most deliveries of one event, the first included; without it, there is no such bound. One that reached \
                     nobody does not count.";
        openapi::number(about, 1, limits::ATTEMPTS_MAX.into())
    }),
    Member::new("backoffFirstMs", || {
        let about = format!(
            "The wait in milliseconds after the first failure; {} where nothing is said. Not more than `backoffMaxMs`.",
            usual().backoff_first_ms
        );
        openapi::number(&about, 1, limits::BACKOFF_MS_MAX.into())
    }),
    Member::new("backoffMaxMs", || {
        let about = format!("The longest wait in milliseconds; {} where nothing is said.", usual().backoff_max_ms);
        openapi::number(&about, 1, limits::BACKOFF_MS_MAX.into())
    }),
    Member::new("ageMaxMs", || {
        let about = "No delivery is tried when the first one is longer ago than this, in milliseconds; a day where nothing is \
                     said, and 0 for no such bound.";
        json!({ "type": "integer", "description": about, "minimum": 0 })
    }),
    Member::new("multiplier", || {
        let about =
            "By what the wait grows with each further failure, with two decimals at most; 2 where nothing is said.";
        let (least, most) = (limits::MULTIPLIER_PERCENT_MIN / 100, limits::MULTIPLIER_PERCENT_MAX / 100);
        json!({ "type": "number", "description": about, "minimum": least, "maximum": most })
    }),
    Member::new("jitter", || {
        let about = "How much of a wait is waited. `full`, where nothing is said: any part of it, so that events which failed \
                     together come back apart. `none`: all of it.";
        openapi::word(about, Jitter::NAMES.iter().copied())
    }),
    Member::new("retryAfterMaxMs", || {
        let about = format!(
            "The longest wait in milliseconds for which a function may ask with `Retry-After`; {} where nothing is said.",
            usual().retry_after_max_ms
        );
        openapi::number(&about, 0, limits::RETRY_AFTER_MS_MAX)
    }),
];

/// What holds for a failed delivery where nothing is said.
pub(super) fn usual() -> RetryPolicy {
    RetryPolicy::default()
}

/// What holds for deliveries where nothing is said.
pub(super) fn usual_delivery() -> DeliveryPolicy {
    DeliveryPolicy::default()
}

pub(super) fn given() -> Value {
    json!({ "type": "async", "eventType": "parcel.sent", "functionId": "notice", "retry": { "attemptsMax": 5 } })
}

pub(super) fn shown() -> Value {
    json!({
        "space": "default",
        "subscriptionId": "YXN5bmMscGFyY2VsLnNlbnQsbm90aWNlLCUyRixQT1NU",
        "type": "async",
        "eventType": "parcel.sent",
        "functionId": "notice",
        "path": "/",
        "method": "POST",
        "retry": { "attemptsMax": 5, "backoffFirstMs": 100, "backoffMaxMs": 60_000, "ageMaxMs": 86_400_000 },
    })
}

pub(super) fn schemas() -> Vec<(String, Value)> {
    let about = "What a subscription is to be.";
    let input = openapi::object(about, MEMBERS.iter().chain(SUCCESSION), &["type", "eventType", "functionId"]);
    let needed = ["space", "subscriptionId", "type", "eventType", "functionId", "path", "method"];
    let output = openapi::object("A subscription.", SHOWN.iter().chain(MEMBERS), &needed);
    let about =
        "What happens when a delivery fails; of an `async` subscription. Shown where it differs from the default.";
    let retry = openapi::object(about, RETRY, &[]);
    let about = "Of an `async` subscription: how many events the function is given with one call.";
    let batch = openapi::object(about, BATCH, &[]);
    let start = openapi::object("The place with which a subscription begins: one of the two.", PLACE, &[]);
    vec![
        ("SubscriptionInput".to_owned(), input),
        ("Subscription".to_owned(), output),
        ("RetryPolicy".to_owned(), retry),
        ("BatchPolicy".to_owned(), batch),
        ("SubscriptionStart".to_owned(), start),
    ]
}
