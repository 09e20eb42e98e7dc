//! The stored form of subscriptions, whose policies came with version 4: a reader that does not know them would deliver
//! other events, or in another way.

use std::{borrow::Cow, sync::Arc};

use serde::{Deserialize, Serialize};
use serde_json::Value;
use weir_domain::{FunctionId, Position, Timestamp};
use weir_routing::{Filter, FilterFault, Method};

use super::{
    StoredError, VERSION, VERSION_CONTINUES, VERSION_DELIVERY,
    v1::{Texts, is_empty},
};
use crate::{
    Activity, ChangeKind, DeliveryPolicy, EventTypeName, Jitter, OnFailure, Order, Priority, SubscriptionId,
    SubscriptionKind,
};

/// Attempts without a bound of their own.
const NO_BOUND: u32 = u32::MAX;

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Subscription<'a> {
    /// For readers of the log; it follows from the rest.
    id: Cow<'a, str>,
    kind: Cow<'a, str>,
    event_type: Cow<'a, str>,
    function: Cow<'a, str>,
    method: Cow<'a, str>,
    path: Cow<'a, str>,
    /// Since version 4, as the three below.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    filter: Option<Value>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    start: Option<Start>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    delivery: Option<Delivery<'a>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    activity: Option<Cow<'a, str>>,
    retry: RetryPolicy<'a>,
    #[serde(default, skip_serializing_if = "is_empty")]
    metadata: Texts<'a>,
    /// Since version 3: the subscription in whose place it was made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    continues: Option<Cow<'a, str>>,
}

/// Where it began; left out where that was with what came after it was made.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
enum Start {
    Earliest,
    Position(u64),
    /// Microseconds since the Unix epoch.
    TimeMicros(u64),
}

/// Left out where it is the default, and whole where it is not.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Delivery<'a> {
    order: Cow<'a, str>,
    concurrency: u32,
    batch_size: u32,
    batch_wait_ms: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    rate: Option<u32>,
    priority: Cow<'a, str>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    timeout_ms: Option<u32>,
    on_failure: Cow<'a, str>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct RetryPolicy<'a> {
    /// [`NO_BOUND`] where there is none: older readers know a number only, and this one is none that they reach.
    attempts_max: u32,
    backoff_first_ms: u32,
    backoff_max_ms: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    age_max_ms: Option<u64>,
    /// Since version 4, as the two below; left out where they are the default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    multiplier_percent: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    jitter: Option<Cow<'a, str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    retry_after_max_ms: Option<u64>,
}

impl<'a> Subscription<'a> {
    /// Says in whose place it was made.
    pub(super) fn continuing(self, id: &'a SubscriptionId) -> Self {
        Self { continues: Some(id.as_str().into()), ..self }
    }

    /// Returns the version of the form that a reader must know.
    pub(super) fn version(&self) -> u32 {
        let RetryPolicy { multiplier_percent, jitter, retry_after_max_ms, .. } = &self.retry;
        let retries = multiplier_percent.is_some() || jitter.is_some() || retry_after_max_ms.is_some();
        let delivers = self.delivery.is_some() || self.activity.is_some() || retries;
        if self.filter.is_some() || self.start.is_some() || delivers {
            return VERSION_DELIVERY;
        }
        if self.continues.is_some() { VERSION_CONTINUES } else { VERSION }
    }

    /// Makes the change that it was created with.
    pub(super) fn created(mut self) -> Result<ChangeKind, StoredError> {
        let continues = self.continues.take();
        let subscription: Arc<crate::Subscription> = self.try_into()?;
        let Some(id) = continues else { return Ok(ChangeKind::SubscriptionCreated(subscription)) };
        let id = SubscriptionId::parse(&id).ok_or_else(|| StoredError::value(&id))?;
        Ok(ChangeKind::SubscriptionReplaced { id, subscription })
    }
}

impl<'a> From<&'a crate::Subscription> for Subscription<'a> {
    fn from(it: &'a crate::Subscription) -> Self {
        let start = match it.start {
            crate::Start::Now => None,
            crate::Start::Earliest => Some(Start::Earliest),
            crate::Start::At(position) => Some(Start::Position(position.get())),
            crate::Start::Since(time) => Some(Start::TimeMicros(time.unix_micros())),
        };
        Self {
            id: it.id.as_str().into(),
            kind: it.kind.as_str().into(),
            event_type: it.event_type.as_str().into(),
            function: it.function.as_str().into(),
            method: it.method.as_str().into(),
            path: it.path.as_str().into(),
            filter: it.filter.as_ref().map(Filter::to_json),
            start,
            delivery: Some(it.delivery).filter(|policy| *policy != DeliveryPolicy::default()).map(Delivery::from),
            activity: Some(it.activity).filter(|it| *it != Activity::default()).map(|it| it.as_str().into()),
            retry: it.retry.into(),
            metadata: Cow::Borrowed(&it.metadata),
            continues: None,
        }
    }
}

impl TryFrom<Subscription<'_>> for Arc<crate::Subscription> {
    type Error = StoredError;

    fn try_from(it: Subscription<'_>) -> Result<Self, StoredError> {
        let kind = SubscriptionKind::parse(&it.kind).ok_or_else(|| StoredError::value(&it.kind))?;
        let method = Method::parse(&it.method).ok_or_else(|| StoredError::value(&it.method))?;
        let event_type = EventTypeName::new(&it.event_type).map_err(StoredError::value)?;
        let function = FunctionId::new(&it.function).map_err(StoredError::value)?;
        let filter = it.filter.as_ref().map(Filter::parse_stored).transpose();
        let filter = filter.map_err(|faults| StoredError::value(texts(&faults)))?;
        let start = match it.start {
            None => crate::Start::Now,
            Some(Start::Earliest) => crate::Start::Earliest,
            Some(Start::Position(number)) => crate::Start::At(Position::new(number)),
            Some(Start::TimeMicros(micros)) => crate::Start::Since(Timestamp::from_unix_micros(micros)),
        };
        let made = crate::Subscription::new(kind, event_type, function, method, &it.path)
            .with_filter(filter)
            .with_start(start)
            .with_delivery(it.delivery.map(DeliveryPolicy::try_from).transpose()?.unwrap_or_default())
            .with_activity(word(it.activity.as_deref(), Activity::parse)?)
            .with_retry(it.retry.try_into()?)
            .with_metadata(it.metadata.into_owned());
        // Cursors hang on the identifier: one that does not follow from the rest must not pass as another.
        if made.id.as_str() == it.id { Ok(Self::new(made)) } else { Err(StoredError::value(&it.id)) }
    }
}

impl From<DeliveryPolicy> for Delivery<'_> {
    fn from(it: DeliveryPolicy) -> Self {
        Self {
            order: it.order.as_str().into(),
            concurrency: it.concurrency,
            batch_size: it.batch_size,
            batch_wait_ms: it.batch_wait_ms,
            rate: it.rate,
            priority: it.priority.as_str().into(),
            timeout_ms: it.timeout_ms,
            on_failure: it.on_failure.as_str().into(),
        }
    }
}

impl TryFrom<Delivery<'_>> for DeliveryPolicy {
    type Error = StoredError;

    fn try_from(it: Delivery<'_>) -> Result<Self, StoredError> {
        Ok(Self {
            order: word(Some(&*it.order), Order::parse)?,
            concurrency: it.concurrency,
            batch_size: it.batch_size,
            batch_wait_ms: it.batch_wait_ms,
            rate: it.rate,
            priority: word(Some(&*it.priority), Priority::parse)?,
            timeout_ms: it.timeout_ms,
            on_failure: word(Some(&*it.on_failure), OnFailure::parse)?,
        })
    }
}

impl From<crate::RetryPolicy> for RetryPolicy<'_> {
    fn from(it: crate::RetryPolicy) -> Self {
        let usual = crate::RetryPolicy::default();
        Self {
            attempts_max: it.attempts_max.unwrap_or(NO_BOUND),
            backoff_first_ms: it.backoff_first_ms,
            backoff_max_ms: it.backoff_max_ms,
            age_max_ms: it.age_max_ms,
            multiplier_percent: Some(it.multiplier_percent).filter(|given| *given != usual.multiplier_percent),
            jitter: Some(it.jitter).filter(|given| *given != usual.jitter).map(|given| given.as_str().into()),
            retry_after_max_ms: Some(it.retry_after_max_ms).filter(|given| *given != usual.retry_after_max_ms),
        }
    }
}

impl TryFrom<RetryPolicy<'_>> for crate::RetryPolicy {
    type Error = StoredError;

    fn try_from(it: RetryPolicy<'_>) -> Result<Self, StoredError> {
        let usual = Self::default();
        Ok(Self {
            attempts_max: Some(it.attempts_max).filter(|most| *most != NO_BOUND),
            backoff_first_ms: it.backoff_first_ms,
            backoff_max_ms: it.backoff_max_ms,
            age_max_ms: it.age_max_ms,
            multiplier_percent: it.multiplier_percent.unwrap_or(usual.multiplier_percent),
            jitter: word(it.jitter.as_deref(), Jitter::parse)?,
            retry_after_max_ms: it.retry_after_max_ms.unwrap_or(usual.retry_after_max_ms),
        })
    }
}

/// Reads the name of one of an enumeration, which has its default where there is none.
fn word<T: Default>(text: Option<&str>, parse: fn(&str) -> Option<T>) -> Result<T, StoredError> {
    let Some(text) = text else { return Ok(T::default()) };
    parse(text).ok_or_else(|| StoredError::value(text))
}

fn texts(faults: &[FilterFault]) -> String {
    faults.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}
